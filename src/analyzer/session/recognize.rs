//! What a connection speaks, by its first bytes.

use super::{Protocol, Session};
use crate::analyzer::http::Http;
use crate::analyzer::http2::Http2;
use crate::analyzer::midstream::Midstream;
use crate::analyzer::shared::Out;
use crate::analyzer::tls::MAX_DEPTH;
use crate::event::Sink;
use crate::http::{Sniffed, sniff};
use crate::stream::Run;
use crate::tcp::Flow;
use crate::tls::record::is_midstream;
use crate::types::Direction;

impl Session {
    /// Says what is spoken, if the bytes so far tell. Gives the direction, which they may turn round.
    pub(super) fn sniff<S: Sink>(
        &mut self,
        flow: &mut Flow,
        direction: Direction,
        run: Run<'_>,
        out: &mut Out<'_, S>,
    ) -> Direction {
        let mut first = [0; crate::http::SNIFF_BYTES];
        let waiting = self.waiting.get(direction).as_ref().map(|waiting| waiting.front_bytes()).unwrap_or_default();
        let sniffed = match run {
            Run::Data(data) if waiting.is_empty() => sniff(data),
            Run::Data(data) => {
                // Fewer than 24 bytes wait: with more, they would have told.
                let len = first.iter_mut().zip(waiting.iter().chain(data)).map(|(to, from)| *to = *from).count();
                sniff(first.get(..len).unwrap_or_default())
            }
            Run::Gap(_) => Sniffed::Neither,
            Run::End(_) => Sniffed::NeedMore,
        };
        let (sniffed, direction) = match run {
            Run::Data(data) if matches!(sniffed, Sniffed::Tls | Sniffed::Neither) => {
                let front = if waiting.is_empty() { data } else { first.as_slice() };
                self.sniff_tls(flow, direction, sniffed, front)
            }
            _ => (sniffed, direction),
        };
        // Without its beginning, a connection may be anything.
        let joined = !flow.carrier.oriented || matches!(run, Run::Gap(_));
        out.shared.totals.midstream_connections += u64::from(joined && sniffed == Sniffed::Neither);
        match sniffed {
            Sniffed::NeedMore => direction,
            Sniffed::Http1(role) if role == direction.sender() => {
                self.protocol = Protocol::Http1(Box::new(Http::new(&out.shared.limits)));
                direction
            }
            Sniffed::Http1(_) if !flow.carrier.oriented => {
                flow.reverse();
                self.waiting.swap();
                self.protocol = Protocol::Http1(Box::new(Http::new(&out.shared.limits)));
                direction.reverse()
            }
            Sniffed::Http2(role) if role == direction.sender() || !flow.carrier.oriented => {
                let turned = role != direction.sender();
                if turned {
                    flow.reverse();
                    self.waiting.swap();
                }
                out.shared.totals.http2_connections += u64::from(out.depth == 0);
                self.protocol = Protocol::Http2(Box::new(Http2::new(&out.shared.limits)));
                if turned { direction.reverse() } else { direction }
            }
            Sniffed::Neither if joined && out.shared.mid_stream => {
                self.protocol = Protocol::Midstream(Box::new(Midstream::or_http2(flow.carrier.oriented)));
                direction
            }
            Sniffed::Tls if out.depth < MAX_DEPTH => {
                out.shared.totals.tls_connections += u64::from(out.depth == 0);
                self.protocol = Protocol::Tls(Box::default());
                direction
            }
            _ => {
                self.protocol = Protocol::Opaque;
                direction
            }
        }
    }

    /// Says whether it is TLS, also where its beginning was not captured, and which way its bytes go then.
    fn sniff_tls(
        &mut self,
        flow: &mut Flow,
        direction: Direction,
        sniffed: Sniffed,
        front: &[u8],
    ) -> (Sniffed, Direction) {
        /// Ports that TLS is spoken to, rather than from.
        const SERVERS: [u16; 2] = [443, 8443];
        let wrong = match (sniffed, front.get(5)) {
            _ if flow.carrier.oriented => return (sniffed, direction),
            (Sniffed::Tls, None) => return (Sniffed::NeedMore, direction),
            // Only a client begins with a ClientHello (1), only a server with a ServerHello (2): RFC 8446 §4.
            (Sniffed::Tls, Some(kind)) => *kind == if direction == Direction::ToServer { 2 } else { 1 },
            _ if is_midstream(front) => {
                SERVERS.contains(&flow.carrier.client.port) && !SERVERS.contains(&flow.carrier.server.port)
            }
            _ => return (sniffed, direction),
        };
        if wrong {
            flow.reverse();
            self.waiting.swap();
        }
        flow.carrier.confirm();
        (Sniffed::Tls, if wrong { direction.reverse() } else { direction })
    }
}

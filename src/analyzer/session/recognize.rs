//! Which protocol a connection speaks, by its first bytes.

use super::{Protocol, Session};
use crate::analyzer::http::Http;
use crate::analyzer::http2::Http2;
use crate::analyzer::midstream::Midstream;
use crate::analyzer::tls::MAX_DEPTH;
use crate::analyzer::turn::Turn;
use crate::event::Sink;
use crate::http::{Sniffed, sniff};
use crate::stream::Run;
use crate::tls::record::is_midstream;
use crate::types::Direction;

/// Ports on which servers speak TLS.
const TLS_PORTS: [u16; 2] = [443, 8443];

impl Session {
    /// Chooses the protocol, if the bytes so far show it. Gives the direction, which they may turn round.
    pub(super) fn sniff<S: Sink>(&mut self, direction: Direction, run: Run<'_>, turn: &mut Turn<'_, S>) -> Direction {
        let mut first = [0; crate::http::SNIFF_BYTES];
        let waiting = self.waiting.get(direction).as_ref().map(|waiting| waiting.front_bytes()).unwrap_or_default();
        let sniffed = match run {
            Run::Data(data) if waiting.is_empty() => sniff(data),
            Run::Data(data) => {
                // Fewer than 24 bytes wait: more would have shown the protocol.
                let len = first.iter_mut().zip(waiting.iter().chain(data)).map(|(to, from)| *to = *from).count();
                sniff(first.get(..len).unwrap_or_default())
            }
            Run::Gap(_) => Sniffed::Neither,
            Run::End(_) => Sniffed::NeedMore,
        };
        let (sniffed, direction) = match run {
            Run::Data(data) if matches!(sniffed, Sniffed::Tls | Sniffed::Neither) => {
                let front = if waiting.is_empty() { data } else { first.as_slice() };
                self.sniff_tls(direction, sniffed, front, turn)
            }
            _ => (sniffed, direction),
        };
        // Without its beginning, a connection may be anything.
        let joined = !turn.flow.carrier.oriented || matches!(run, Run::Gap(_));
        let (shared, top) = (&mut *turn.shared, u64::from(turn.depth == 0));
        shared.totals.midstream_connections += u64::from(joined && sniffed == Sniffed::Neither);
        let limits = &shared.limits;
        match sniffed {
            Sniffed::NeedMore => direction,
            Sniffed::Http1(role) if role == direction.sender() || !turn.flow.carrier.oriented => {
                self.protocol = Protocol::Http1(Box::new(Http::new(limits, self.attempts)));
                if role == direction.sender() { direction } else { self.turn_round(direction, turn) }
            }
            Sniffed::Http2(role) if role == direction.sender() || !turn.flow.carrier.oriented => {
                self.protocol = Protocol::Http2(Box::new(Http2::new(limits)));
                shared.totals.http2_connections += top;
                if role == direction.sender() { direction } else { self.turn_round(direction, turn) }
            }
            Sniffed::Neither if joined && shared.mid_stream => {
                self.protocol = Protocol::Midstream(Box::new(Midstream::or_http2(turn.flow.carrier.oriented, limits)));
                direction
            }
            Sniffed::Tls if turn.depth < MAX_DEPTH => {
                self.protocol = Protocol::Tls(Box::default());
                shared.totals.tls_connections += top;
                direction
            }
            _ => {
                self.protocol = Protocol::Opaque;
                direction
            }
        }
    }

    /// Looks whether it is TLS, also where its beginning was not captured, and which way its bytes go then.
    fn sniff_tls<S: Sink>(
        &mut self,
        direction: Direction,
        sniffed: Sniffed,
        front: &[u8],
        turn: &mut Turn<'_, S>,
    ) -> (Sniffed, Direction) {
        let flow = &*turn.flow;
        let wrong = match (sniffed, front.get(5)) {
            _ if flow.carrier.oriented => return (sniffed, direction),
            (Sniffed::Tls, None) => return (Sniffed::NeedMore, direction),
            // Only a client begins with a ClientHello (1), only a server with a ServerHello (2): RFC 8446 §4.
            (Sniffed::Tls, Some(kind)) => *kind == if direction == Direction::ToServer { 2 } else { 1 },
            _ if is_midstream(front) => {
                TLS_PORTS.contains(&flow.carrier.client.port) && !TLS_PORTS.contains(&flow.carrier.server.port)
            }
            _ => return (sniffed, direction),
        };
        let direction = if wrong { self.turn_round(direction, turn) } else { direction };
        turn.flow.carrier.confirm();
        (Sniffed::Tls, direction)
    }

    /// Looks for a protocol in a connection whose beginning was not captured. Gives the direction, which may turn round.
    pub(super) fn midstream<S: Sink>(
        &mut self,
        direction: Direction,
        run: Run<'_>,
        turn: &mut Turn<'_, S>,
    ) -> Direction {
        if let Run::Data(data) = run
            && let Sniffed::Http1(role) = sniff(data)
            && (role == direction.sender() || !turn.flow.carrier.oriented)
        {
            // A request or a response begins here: it is HTTP, of which the beginning was not captured.
            self.protocol = Protocol::Http1(Box::new(Http::joined(&turn.shared.limits, self.attempts)));
            return if role == direction.sender() { direction } else { self.turn_round(direction, turn) };
        }
        self.search(direction, run, turn)
    }
}

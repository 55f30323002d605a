//! What a session keeps, and what it lets go when memory is spent.

use super::{Protocol, Session};
use crate::analyzer::http::refuse;
use crate::analyzer::pending::Pending;
use crate::analyzer::shared::Out;
use crate::event::Sink;
use crate::stream::Interest;
use crate::tcp::{Depth, Flow};
use crate::types::{Direction, PacketRef, PerDirection};

/// A connection in HTTP that keeps more than this after it let go of what it could is given up: its requests are that
/// long, or that many.
const MODEST_BYTES: usize = 8 << 10;

impl Session {
    /// Bytes that it keeps besides itself.
    #[cfg(test)]
    pub(in crate::analyzer) fn held(&self) -> usize {
        self.own() + if let Protocol::Tls(tls) = &self.protocol { tls.inner_held() } else { 0 }
    }

    /// The same without what a session inside TLS keeps, which counts that itself.
    fn own(&self) -> usize {
        let protocol = match &self.protocol {
            Protocol::Sniffing | Protocol::Opaque => 0,
            Protocol::Http1(http) => http.held(),
            Protocol::Http2(http2) => http2.held(),
            Protocol::Tls(tls) => tls.held(),
            Protocol::Midstream(midstream) => midstream.held(),
            Protocol::WebSocket(websocket) => websocket.held(),
        };
        protocol + waiting(self.waiting.to_server.as_deref()) + waiting(self.waiting.to_client.as_deref())
    }

    /// Says what it keeps now.
    pub(super) fn settle<S: Sink>(&mut self, out: &mut Out<'_, S>) {
        let now = self.own();
        out.shared.memory.settle(self.counted, now);
        self.counted = now;
    }

    /// Says what it keeps now, which is nothing if nothing more is wanted of it: then it goes without an end.
    pub(super) fn conclude<S: Sink>(&mut self, interest: Interest, out: &mut Out<'_, S>) -> Interest {
        if interest == Interest::Drop {
            self.drop_count(out);
        } else {
            self.settle(out);
        }
        interest
    }

    /// Bytes that [`Self::shed`] would let go.
    pub(in crate::analyzer) fn sheddable_bytes(&self, depth: Depth) -> usize {
        match &self.protocol {
            Protocol::WebSocket(websocket) => websocket.sheddable_bytes(depth),
            Protocol::Http2(http2) => http2.sheddable_bytes(depth),
            Protocol::Tls(tls) => tls.sheddable_bytes(depth),
            _ => self.counted,
        }
    }

    /// Memory is spent, and this session keeps much: lets go of what it can. What waits becomes a hole; a search without
    /// a beginning ends.
    pub(in crate::analyzer) fn shed<S: Sink>(
        &mut self,
        flow: &Flow,
        depth: Depth,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<Interest, S::Error> {
        let mut gone = match &mut self.protocol {
            Protocol::WebSocket(websocket) => websocket.shed(depth, out.shared),
            Protocol::Http1(http) => http.shed(),
            Protocol::Http2(http2) => http2.shed(depth, seen, out.shared),
            Protocol::Tls(tls) => tls.shed(flow, depth, seen, out)?,
            _ => 0,
        };
        for direction in Direction::BOTH {
            if let Some(waiting) = self.waiting.get_mut(direction) {
                gone += waiting.forget();
            }
        }
        match core::mem::take(&mut self.protocol) {
            Protocol::Midstream(midstream) => {
                self.protocol = Protocol::Opaque;
                gone += midstream.gathered();
                if let Some(asked) = midstream.asked {
                    refuse(asked, None, flow, &mut self.attempts, seen, out)?;
                }
            }
            Protocol::Http1(http) if http.held() > MODEST_BYTES => self.protocol = Protocol::Opaque,
            protocol => self.protocol = protocol,
        }
        let before = self.counted;
        let interest = self.conclude(self.interest(), out);
        let totals = &mut out.shared.totals;
        totals.shed_times += u64::from(gone > 0 || self.counted < before);
        totals.shed_bytes = totals.shed_bytes.saturating_add(gone);
        Ok(interest)
    }
}

impl Session {
    /// It goes without an end: what it kept is kept no more.
    pub(in crate::analyzer) fn drop_count<S: Sink>(&mut self, out: &mut Out<'_, S>) {
        if let Protocol::Tls(tls) = &mut self.protocol {
            tls.drop_count(out);
        }
        (self.protocol, self.waiting) = (Protocol::Opaque, PerDirection::default());
        out.shared.memory.settle(core::mem::take(&mut self.counted), 0);
    }
}

fn waiting(waiting: Option<&Pending>) -> usize {
    waiting.map_or(0, |waiting| size_of::<Pending>() + waiting.held())
}

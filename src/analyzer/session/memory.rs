//! What a session keeps, and what it frees when memory is spent.

use super::{Protocol, Session};
use crate::analyzer::carriers::Carriers;
use crate::analyzer::memory::Growth;
use crate::analyzer::pending::Pending;
use crate::analyzer::turn::Turn;
use crate::event::Sink;
use crate::stream::Interest;
use crate::tcp::Depth;
use crate::types::{Direction, PerDirection};

/// A connection in HTTP that keeps more than this after it freed what it could is given up: its requests are that long, or
/// that many.
const MODEST_BYTES: usize = 8 << 10;

impl Session {
    /// Bytes that it keeps besides itself.
    #[cfg(test)]
    pub(in crate::analyzer) fn held(&self) -> usize {
        let counted = held(&self.protocol, &self.waiting, self.carriers.as_deref());
        match &self.protocol {
            Protocol::Tls(tls) => counted + tls.inner().held(),
            Protocol::Http2(http2) => counted - http2.streams_counted() + http2.streams_held(),
            _ => counted,
        }
    }

    /// Whether runs wait while frames are searched for.
    #[cfg(test)]
    pub(in crate::analyzer) fn waits_mid_stream(&self) -> bool {
        matches!(self.protocol, Protocol::Midstream(_)) && self.is_waiting()
    }

    /// Counts what it keeps now, if `growth` says that it may have changed.
    #[inline]
    pub(super) fn settle<S: Sink>(&mut self, growth: Growth, turn: &mut Turn<'_, S>) {
        let Self { protocol, waiting, carriers, counted, .. } = self;
        counted.settle(growth, || held(protocol, waiting, carriers.as_deref()), &mut turn.shared.memory);
    }

    /// Counts what it keeps now, which is nothing if nothing more is wanted of it: then it goes without an end.
    pub(super) fn conclude<S: Sink>(&mut self, interest: Interest, turn: &mut Turn<'_, S>) -> Interest {
        if interest == Interest::Drop {
            self.discard(turn);
        } else {
            self.settle(Growth::SOME, turn);
        }
        interest
    }

    /// Bytes that [`Self::shed`] would free.
    pub(in crate::analyzer) fn sheddable_bytes(&self, depth: Depth) -> usize {
        match &self.protocol {
            Protocol::WebSocket(websocket) => websocket.sheddable_bytes(depth),
            Protocol::Http2(http2) => http2.sheddable_bytes(depth),
            Protocol::Tls(tls) => tls.sheddable_bytes(depth),
            _ => self.counted.bytes(),
        }
    }

    /// Memory is spent, and this session keeps much: frees what it can. What waits becomes a gap; a search without a beginning
    /// ends.
    pub(in crate::analyzer) fn shed<S: Sink>(&mut self, depth: Depth, turn: &mut Turn<'_, S>) -> Interest {
        let mut gone = match &mut self.protocol {
            Protocol::WebSocket(websocket) => websocket.shed(depth, turn.shared),
            Protocol::Http1(http) => http.shed(),
            Protocol::Http2(http2) => http2.shed(depth, turn),
            Protocol::Tls(tls) => tls.shed(depth, turn),
            _ => 0,
        };
        for direction in Direction::BOTH {
            if let Some(waiting) = self.waiting.get_mut(direction) {
                gone += waiting.forget();
            }
        }
        gone += self.end_search(turn);
        if matches!(&self.protocol, Protocol::Http1(http) if http.held() > MODEST_BYTES) {
            self.protocol = Protocol::Opaque;
        }
        let before = self.counted.bytes();
        let interest = self.conclude(self.interest(), turn);
        let totals = &mut turn.shared.totals;
        totals.shed_times += u64::from(gone > 0 || self.counted.bytes() < before);
        totals.shed_bytes = totals.shed_bytes.saturating_add(gone);
        interest
    }

    /// It goes without an end: what it kept is counted no more.
    pub(in crate::analyzer) fn discard<S: Sink>(&mut self, turn: &mut Turn<'_, S>) {
        if let Protocol::Tls(tls) = &mut self.protocol {
            tls.discard(turn);
        }
        (self.protocol, self.waiting, self.carriers) = (Protocol::Opaque, PerDirection::default(), None);
        self.settle(Growth::SOME, turn);
    }
}

/// What a session keeps, without what a session inside TLS does: that counts itself.
fn held(protocol: &Protocol, waiting: &PerDirection<Option<Box<Pending>>>, carriers: Option<&Carriers>) -> usize {
    let protocol = match protocol {
        Protocol::Sniffing | Protocol::Opaque => 0,
        Protocol::Http1(http) => http.held(),
        Protocol::Http2(http2) => http2.held(),
        Protocol::Tls(tls) => tls.held(),
        Protocol::Midstream(midstream) => midstream.held(),
        Protocol::WebSocket(websocket) => websocket.held(),
    };
    let pending =
        |waiting: &Option<Box<Pending>>| waiting.as_ref().map_or(0, |waiting| size_of::<Pending>() + waiting.held());
    let carriers = carriers.map_or(0, |carriers| size_of::<Carriers>() + carriers.held());
    protocol + pending(&waiting.to_server) + pending(&waiting.to_client) + carriers
}

//! One turn: a packet's bytes are at one connection, with all that handling them needs.
//!
//! In: the connection's flow, the packet at hand, the sink, and what all connections share. Out: events, through
//! [`Turn::emit`]. The sink's first error is latched, and no event follows it; the analyzer returns it when the packet is
//! done, so nothing on the way has to.

use super::shared::{Out, Shared};
use crate::event::{Event, Identity, Sink, What};
use crate::tcp::Flow;
use crate::tls::TlsInfo;
use crate::types::{Direction, PacketRef};

/// What handling bytes of one connection needs.
pub(super) struct Turn<'t, S: Sink> {
    /// The TCP connection.
    pub(super) flow: &'t mut Flow,
    /// The packet that carried the bytes at hand.
    pub(super) seen: PacketRef,
    /// What all connections share.
    pub(super) shared: &'t mut Shared,
    /// The TLS around the bytes at hand.
    pub(super) tls: Option<&'t TlsInfo>,
    /// How many TLS connections are around them.
    pub(super) depth: u8,
    sink: &'t mut S,
    error: &'t mut Option<S::Error>,
}

impl<'t, S: Sink> Turn<'t, S> {
    /// A turn of the connection `flow`, not within TLS.
    #[inline]
    pub(super) const fn new(flow: &'t mut Flow, seen: PacketRef, out: &'t mut Out<'_, S>) -> Self {
        Self { flow, seen, shared: out.shared, tls: None, depth: 0, sink: out.sink, error: out.error }
    }

    /// The same turn at another packet: for bytes that waited.
    #[inline]
    pub(super) const fn at(&mut self, seen: PacketRef) -> Turn<'_, S> {
        Turn {
            flow: self.flow,
            seen,
            shared: self.shared,
            tls: self.tls,
            depth: self.depth,
            sink: self.sink,
            error: self.error,
        }
    }

    /// The same turn within a TLS connection.
    #[inline]
    pub(super) const fn inside<'i>(&'i mut self, tls: &'i TlsInfo) -> Turn<'i, S> {
        let depth = self.depth.saturating_add(1);
        Turn { tls: Some(tls), depth, ..self.at(self.seen) }
    }

    /// Emits an event of a connection, at the packet at hand.
    #[inline]
    pub(super) fn emit(&mut self, connection: &Identity, direction: Option<Direction>, what: What<'_>) {
        if self.error.is_none() {
            *self.error = self.sink.event(&Event { seen: self.seen, connection, direction, what }).err();
        }
    }
}

//! The consumer of TCP connections: its trait, and the description of a connection that it gets.

use crate::stream::{Carrier, Chunk, EndReason, Interest};
#[cfg(doc)]
use crate::types::Limits;
use crate::types::{Direction, PacketRef, PerDirection};

/// One TCP connection as its handler sees it.
#[derive(Debug, Clone)]
#[repr(C)] // In this order: what every packet changes stands last, beside what reassembly keeps.
pub struct Flow {
    /// Its number, from 0 in the order of first packets, as Wireshark counts. A connection that begins again with
    /// initial sequence numbers that are already known keeps the number of the one before, as it does there.
    pub number: u64,
    /// The sequence number of its first packet.
    pub first_seq: u32,
    /// Counters of each direction.
    pub counters: PerDirection<Counters>,
    /// Client and server, first and latest packet: as of every carrier.
    pub carrier: Carrier,
}

/// What reassembly counted in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Segments with bytes that had come before.
    pub retransmissions: u32,
    /// Segments that came early: before others that the capture has later. Those after a gap are not counted.
    pub out_of_order: u32,
}

impl Flow {
    /// Makes the client the server: for a connection whose SYN was not captured, when its content shows who is who.
    /// Only from within [`Handler::chunk`]; the chunk at hand and all that follow then have the other direction.
    pub const fn reverse(&mut self) {
        self.carrier.reverse();
        self.counters.swap();
    }
}

/// A peculiarity of one direction that is not a byte of its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anomaly {
    /// Bytes came again and differ from those first seen.
    OverlapConflict {
        /// The first byte that differs, in bytes from the start of the direction.
        offset: u64,
    },
}

/// How much of a connection's memory a handler is to free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Content that it collects to report, which is then not shown.
    Content,
    /// Also state that it needs to decode as before, such as a context of compression.
    Context,
}

/// The consumer of TCP connections.
pub trait Handler {
    /// The state that it keeps for each connection.
    type State;

    /// A connection has come to its first byte (or its FIN, or an acknowledgment of bytes that the capture lacks). Scans,
    /// and handshakes that nothing follows, are not reported; [`Carrier::first`] and [`Flow::number`] are nevertheless
    /// those of the first packet.
    fn opened(&mut self, flow: &Flow) -> Self::State;

    /// The next chunk of one direction.
    fn chunk(&mut self, flow: &mut Flow, state: &mut Self::State, direction: Direction, chunk: Chunk<'_>) -> Interest;

    /// Something unusual in one direction.
    fn anomaly(
        &mut self,
        flow: &Flow,
        state: &mut Self::State,
        direction: Direction,
        anomaly: Anomaly,
        seen: PacketRef,
    );

    /// The connection is over. Each direction has got its end before. Not called for a connection that the handler
    /// dropped.
    fn ended(&mut self, flow: &Flow, state: Self::State, reason: EndReason, seen: PacketRef);

    /// Bytes that it keeps for all connections together, besides the states themselves: counted against
    /// [`Limits::max_memory_bytes`] with what the table keeps. Called after every packet.
    #[inline]
    fn held(&self) -> usize {
        0
    }

    /// Of these, bytes that [`Self::shed`] would free for one connection.
    fn sheddable_bytes(&self, _state: &Self::State, _depth: Depth) -> usize {
        0
    }

    /// Memory is short: frees buffers that are not in use.
    fn trim(&mut self) {}

    /// Memory is short, and this connection keeps much of it: frees as much as it can, and counts that.
    fn shed(&mut self, _flow: &Flow, _state: &mut Self::State, _depth: Depth, _seen: PacketRef) -> Interest {
        Interest::Keep
    }
}

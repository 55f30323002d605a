//! Who listens to the TCP floor.

use crate::stream::{Carrier, Chunk, EndReason, Interest};
use crate::types::{Direction, PacketRef, PerDirection};

/// One TCP connection as its consumer sees it.
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
    /// What it has in common with other carriers: client and server, first and latest packet.
    pub carrier: Carrier,
}

/// What reassembly counted in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Segments with bytes that had come before.
    pub retransmissions: u32,
    /// Segments that came too early: before others that the capture has later. What lies behind a hole is not counted.
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
    /// Bytes came again and differ from those first seen: the place of the first that differs, from the start of the
    /// direction.
    OverlapConflict {
        /// Where, in bytes from the start of the direction.
        offset: u64,
    },
}

/// How much a listener is to let go of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// What it gathers, so that some of it is not shown.
    Content,
    /// Also what it needs to go on as before.
    Context,
}

/// Listens to TCP connections.
pub trait Handler {
    /// What it keeps for each connection.
    type State;

    /// A connection has come to its first byte (or its FIN, or an acknowledgment of bytes that the capture lacks). Scans,
    /// and handshakes that nothing follows, are never told; [`Carrier::first`] and [`Flow::number`] are nevertheless those
    /// of the first packet.
    fn opened(&mut self, flow: &Flow) -> Self::State;

    /// The next piece of one direction.
    fn chunk(&mut self, flow: &mut Flow, state: &mut Self::State, direction: Direction, chunk: Chunk<'_>) -> Interest;

    /// Something odd in one direction.
    fn anomaly(
        &mut self,
        flow: &Flow,
        state: &mut Self::State,
        direction: Direction,
        anomaly: Anomaly,
        seen: PacketRef,
    );

    /// The connection is over. Each direction that had not ended has been given its `End` before. Not told of a
    /// connection that its listener dropped.
    fn ended(&mut self, flow: &Flow, state: Self::State, reason: EndReason, seen: PacketRef);

    /// Bytes that it keeps for all connections together, besides the states themselves: held against
    /// [`crate::types::Limits::max_memory_bytes`] with what the table keeps. Asked after every packet.
    #[inline]
    fn held(&self) -> usize {
        0
    }

    /// Of these, bytes that [`Self::shed`] would let go.
    fn sheddable_bytes(&self, _state: &Self::State, _depth: Depth) -> usize {
        0
    }

    /// Memory is short: lets go of what nobody will miss.
    fn trim(&mut self) {}

    /// Memory is short, and this connection keeps much of it: lets go of what it can, and counts it.
    fn shed(&mut self, _flow: &Flow, _state: &mut Self::State, _depth: Depth, _seen: PacketRef) -> Interest {
        Interest::Keep
    }
}

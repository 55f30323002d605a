//! A part of a stream: bytes, a gap, or the end.

use crate::types::{Direction, PacketRef};

/// The next part of one direction of a stream.
#[derive(Debug, Clone, Copy)]
pub struct Chunk<'a> {
    /// Where it begins, in bytes from the first byte of the direction (the one after the SYN, or the first one seen).
    pub offset: u64,
    /// Bytes, a gap, or the end.
    pub run: Run<'a>,
    /// The packet that carried it. For a gap: the first packet from beyond the gap. For an end: the packet that made it
    /// certain.
    pub seen: PacketRef,
}

/// What a chunk consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run<'a> {
    /// Bytes.
    Data(&'a [u8]),
    /// Bytes that the capture lacks: how many, where that is known.
    Gap(Option<u64>),
    /// The end: nothing follows.
    End(EndReason),
}

/// Why a direction or a connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EndReason {
    /// The sender's FIN.
    Fin,
    /// A RST, and the direction in which it was sent.
    Rst(Direction),
    /// Silence for as long as [`crate::types::Limits`] allows, or the connection was evicted from a full table.
    Idle,
    /// A new connection between the same addresses and ports.
    Reused,
    /// The capture ends.
    CaptureOver,
}

//! What a carrier delivers: the bytes of one direction in order, gaps at known offsets, and the end of the direction.

use crate::types::{Direction, PacketRef};

/// The next piece of one direction of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Chunk<'a> {
    /// Where it begins, in bytes from the first byte of the direction (behind the SYN, or the first byte seen).
    pub offset: u64,
    /// What it is.
    pub run: Run<'a>,
    /// The packet that carried it; for a gap, the first packet from beyond it; for an end, the packet that made it certain.
    pub seen: PacketRef,
}

/// The kinds of piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run<'a> {
    /// Bytes.
    Data(&'a [u8]),
    /// Bytes that the capture lacks: how many, where that is known.
    Gap(Option<u64>),
    /// Nothing more will come.
    End(EndReason),
}

/// Why a direction or a connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EndReason {
    /// The sender's FIN.
    Fin,
    /// A RST, and whose it was.
    Rst(Direction),
    /// Silence for as long as [`crate::types::Limits`] allows, or the table was full.
    Idle,
    /// A new connection between the same ports.
    Reused,
    /// The capture ends.
    CaptureOver,
}

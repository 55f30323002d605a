//! A TCP segment, and arithmetic on sequence numbers (RFC 9293 §3.1, §3.4).

use crate::types::{Endpoint, PacketRef};

/// A sequence number: a place in one direction's stream, modulo 2^32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SeqNumber(pub u32);

impl SeqNumber {
    /// The number `len` bytes after it.
    #[must_use]
    pub const fn plus(self, len: u32) -> Self {
        Self(self.0.wrapping_add(len))
    }

    /// The distance from `base` to `self`, negative if `self` comes before `base`. Right for distances below 2^31.
    #[must_use]
    pub const fn distance_from(self, base: Self) -> i32 {
        self.0.wrapping_sub(base.0).cast_signed()
    }
}

/// The control bits of a segment that wslens uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TcpFlags {
    /// SYN: the sequence number is the initial one.
    pub syn: bool,
    /// ACK: the acknowledgment number is valid.
    pub ack: bool,
    /// FIN: the sender has no more bytes.
    pub fin: bool,
    /// RST: the connection is over.
    pub rst: bool,
}

/// One TCP segment, borrowed from its packet or, where IP fragments were reassembled, from the decoder.
#[derive(Debug, Clone, Copy)]
pub struct Segment<'a> {
    /// Its sender.
    pub src: Endpoint,
    /// Its receiver.
    pub dst: Endpoint,
    /// The sequence number of its first byte, or of its SYN.
    pub seq: SeqNumber,
    /// The acknowledgment number; valid only with `flags.ack`.
    pub ack: SeqNumber,
    /// Its control bits.
    pub flags: TcpFlags,
    /// The window field, not scaled.
    pub window: u16,
    /// The packet that carried it (the last one, of a fragmented datagram).
    pub seen: PacketRef,
    /// The payload that was captured.
    pub payload: &'a [u8],
    /// Bytes of payload after `payload` that the snaplen cut.
    pub cut: u32,
}

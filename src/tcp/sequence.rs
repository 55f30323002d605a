//! The sequence space of one direction, in plain types: what a segment brings, and what is delivered.
//!
//! What they mean over time is the assembler's business.

use crate::stream::{Chunk, Run};
use crate::types::PacketRef;

/// How far a direction has come, in bytes from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Frontier {
    /// All before this offset was delivered, as bytes or as a gap.
    pub(super) next: u64,
    /// The latest acknowledgment of the other endpoint.
    pub(super) acked: u64,
}

/// The payload of a segment, by offset, and what became of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct SegmentData<'i> {
    pub(super) offset: u64,
    pub(super) bytes: &'i [u8],
    /// Bytes after them that the snaplen cut off.
    pub(super) cut: u64,
    pub(super) seen: PacketRef,
    /// Whether some of its bytes had come before.
    pub(super) again: bool,
    /// How many segments from beyond it had come before it.
    pub(super) overtaken_by: u32,
    /// The first byte that differs from its first copy.
    pub(super) conflict: Option<u64>,
}

/// The next part of a direction.
#[derive(Debug)]
pub(super) enum Delivery<'i> {
    /// Offset, and bytes of the segment at hand.
    InPlace(u64, &'i [u8], PacketRef),
    /// Offset, and bytes that were held because they came early.
    Held(u64, Box<[u8]>, PacketRef),
    /// Offset, and how many bytes are missing there.
    Gap(u64, u64, PacketRef),
}

impl<'i> SegmentData<'i> {
    /// No bytes: only time passes.
    pub(super) const fn nothing(seen: PacketRef) -> Self {
        Self { offset: 0, bytes: &[], cut: 0, seen, again: false, overtaken_by: 0, conflict: None }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.cut == 0
    }

    /// Leaves out the first `len` bytes.
    pub(super) fn skip(&mut self, len: u64) {
        let bytes = len.min(self.bytes.len() as u64);
        self.bytes = self.bytes.get(index(bytes)..).unwrap_or_default();
        self.cut = self.cut.saturating_sub(len - bytes);
        self.offset = self.offset.saturating_add(len);
    }
}

impl Delivery<'_> {
    /// As the consumer gets it.
    pub(super) fn chunk(&self) -> Chunk<'_> {
        match self {
            Self::InPlace(offset, bytes, seen) => Chunk { offset: *offset, run: Run::Data(bytes), seen: *seen },
            Self::Held(offset, bytes, seen) => Chunk { offset: *offset, run: Run::Data(bytes), seen: *seen },
            Self::Gap(offset, len, seen) => Chunk { offset: *offset, run: Run::Gap(Some(*len)), seen: *seen },
        }
    }
}

/// A place in memory, from an offset that was checked against a length. No slice is as long as what does not fit.
pub(super) fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

/// A length modulo 2^32, as sequence numbers count.
pub(super) fn low_32(len: u64) -> u32 {
    u32::try_from(len & 0xFFFF_FFFF).unwrap_or(0)
}

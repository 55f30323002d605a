//! What goes into and comes out of one direction's sequence space: a segment's bytes in their place; the next piece.
//!
//! Plain types: what they mean over time is the assembler's business.

use super::budget::index;
use crate::stream::{Chunk, Run};
use crate::types::PacketRef;

/// A segment's bytes on their way in, and what became of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Input<'i> {
    pub(super) offset: u64,
    pub(super) bytes: &'i [u8],
    /// Bytes behind them that the snaplen took away.
    pub(super) cut: u64,
    pub(super) seen: PacketRef,
    /// Some of its bytes had come before.
    pub(super) again: bool,
    /// Segments that had come too early: it was missing before them.
    pub(super) overtook: u32,
    /// The first byte that differs from its first copy.
    pub(super) conflict: Option<u64>,
}

/// The next piece of the direction.
#[derive(Debug)]
pub(super) enum Piece<'i> {
    /// Bytes of the segment at hand, in place.
    Data(u64, &'i [u8], PacketRef),
    /// Bytes that had come too early.
    Held(u64, Box<[u8]>, PacketRef),
    /// So many bytes are missing.
    Gap(u64, u64, PacketRef),
}

impl<'i> Input<'i> {
    /// No bytes: only time passes.
    pub(super) const fn nothing(seen: PacketRef) -> Self {
        Self { offset: 0, bytes: &[], cut: 0, seen, again: false, overtook: 0, conflict: None }
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

impl Piece<'_> {
    /// As the listener sees it.
    pub(super) fn chunk(&self) -> Chunk<'_> {
        match self {
            Self::Data(offset, bytes, seen) => Chunk { offset: *offset, run: Run::Data(bytes), seen: *seen },
            Self::Held(offset, bytes, seen) => Chunk { offset: *offset, run: Run::Data(bytes), seen: *seen },
            Self::Gap(offset, len, seen) => Chunk { offset: *offset, run: Run::Gap(Some(*len)), seen: *seen },
        }
    }
}

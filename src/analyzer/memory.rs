//! What sessions keep, counted against [`Limits::max_memory_bytes`], and buffers that are lent.
//!
//! In: what each session keeps, whenever that may have changed ([`Growth`]). Out: the sum, and how much more may be kept. What
//! is discarded when memory is spent is not decided here but in `tcp/reclaim.rs`: the TCP layer knows all connections.
//!
//! A function that may change how much is kept returns a [`Growth`]. It cannot be dropped without a warning, and is handed on until
//! [`Counted::settle`] spends it: growth that is not counted does not pass clippy.

use core::ops::{BitOr, BitOrAssign};

#[cfg(doc)]
use crate::types::Limits;

/// Whether a connection may keep more or less than before.
#[must_use = "more or less may be kept than before: hand this on to where it is counted"]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Growth(bool);

impl Growth {
    /// Nothing has changed.
    pub(super) const NONE: Self = Self(false);
    /// Something may have changed, in either direction.
    pub(super) const SOME: Self = Self(true);

    /// Changed, if `grew`.
    #[inline]
    pub(super) const fn of(grew: bool) -> Self {
        Self(grew)
    }

    /// The caller counts all that is kept, whether that changed or not.
    #[inline]
    pub(super) const fn counted_anyway(self) {}
}

impl BitOr for Growth {
    type Output = Self;

    #[inline]
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Growth {
    #[inline]
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// What a session was last counted to keep.
#[derive(Debug, Default)]
pub(super) struct Counted(usize);

impl Counted {
    /// Spends `growth`: counts the bytes that are kept `now`, if they may have changed. A packet that changes nothing costs
    /// a comparison.
    #[inline]
    pub(super) fn settle(&mut self, growth: Growth, now: impl FnOnce() -> usize, memory: &mut Memory) {
        memory.unsettled = 0;
        if growth == Growth::SOME {
            let now = now();
            memory.sessions = memory.sessions.saturating_sub(self.0).saturating_add(now);
            self.0 = now;
        }
    }

    /// Bytes that were last counted.
    pub(super) const fn bytes(&self) -> usize {
        self.0
    }
}

/// The counters.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Memory {
    /// The limit.
    pub(super) max: usize,
    /// Bytes that sessions keep, as last counted.
    sessions: usize,
    /// Bytes that buffers grew by since then, while the packet at hand is handled.
    unsettled: usize,
    /// What the layers before keep: as of the last packet, and as of the last that was no segment.
    pub(super) table: usize,
    pub(super) datagrams: usize,
}

impl Memory {
    pub(super) fn new(max: usize) -> Self {
        Self { max, ..Self::default() }
    }

    /// What sessions keep.
    #[inline]
    pub(super) const fn sessions(&self) -> usize {
        self.sessions.saturating_add(self.unsettled)
    }

    /// Buffers of the connection at hand grew by so many bytes.
    pub(super) const fn grow(&mut self, bytes: usize) {
        self.unsettled = self.unsettled.saturating_add(bytes);
    }
}

/// Buffers that are lent while a frame or message is open, and given back.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    idle: Vec<Vec<u8>>,
    bytes: usize,
    max_bytes: usize,
}

/// Idle buffers that are kept, and how large one may be to be kept.
const MAX_IDLE_BUFFERS: usize = 64;
const MAX_IDLE_BUFFER_BYTES: usize = 64 << 10;

impl Buffers {
    /// None yet; keeps at most `max_bytes` idle.
    pub(super) const fn new(max_bytes: usize) -> Self {
        Self { idle: Vec::new(), bytes: 0, max_bytes }
    }

    /// An empty buffer.
    pub(super) fn lend(&mut self) -> Vec<u8> {
        let buffer = self.idle.pop().unwrap_or_default();
        self.bytes = self.bytes.saturating_sub(buffer.capacity());
        buffer
    }

    /// Takes a buffer back.
    pub(super) fn give_back(&mut self, mut buffer: Vec<u8>) {
        let bytes = self.bytes.saturating_add(buffer.capacity());
        if self.idle.len() < MAX_IDLE_BUFFERS && buffer.capacity() <= MAX_IDLE_BUFFER_BYTES && bytes <= self.max_bytes {
            buffer.clear();
            self.bytes = bytes;
            self.idle.push(buffer);
        }
    }

    /// Bytes that idle ones keep.
    #[inline]
    pub(super) const fn held(&self) -> usize {
        self.bytes
    }

    /// Frees all idle ones.
    pub(super) fn trim(&mut self) {
        self.idle = Vec::new();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_buffers_are_bounded() {
        let mut buffers = Buffers::new(100_000);
        for capacity in [60_000, 70_000, 30_000, 20_000] {
            buffers.give_back(Vec::with_capacity(capacity));
        }
        assert_eq!((buffers.idle.len(), buffers.held()), (2, 90_000), "one is too large, one too much");
        assert_eq!((buffers.lend().capacity(), buffers.held()), (30_000, 60_000));
        buffers.trim();
        assert_eq!((buffers.lend().capacity(), buffers.held()), (0, 0));
    }

    #[test]
    fn sessions_settle_what_they_keep() {
        let mut memory = Memory::new(1000);
        let [mut a, mut b] = [(); 2].map(|()| Counted::default());
        a.settle(Growth::SOME, || 300, &mut memory);
        b.settle(Growth::SOME, || 50, &mut memory);
        a.settle(Growth::NONE | Growth::SOME, || 100, &mut memory);
        assert_eq!((memory.sessions(), a.bytes(), b.bytes()), (150, 100, 50));
        memory.unsettled = 20;
        assert_eq!(memory.sessions(), 170);
        b.settle(Growth::SOME, || 70, &mut memory);
        assert_eq!(memory.sessions(), 170);
        memory.unsettled = 5;
        b.settle(Growth::NONE, || panic!("nothing has changed"), &mut memory);
        assert_eq!(memory.sessions(), 170);
    }
}

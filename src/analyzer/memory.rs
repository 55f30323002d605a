//! What all connections of one worker keep, counted, and held against [`Limits::max_memory_bytes`].
//!
//! Every session says what it keeps when that has changed ([`Memory::settle`]); nothing is shared between workers, so the
//! counters are plain numbers. Who pays when the memory is spent is the TCP floor's to say (`tcp/relief.rs`): it sees all
//! connections.

use super::shared::Shared;
#[cfg(doc)]
use crate::types::Limits;
use crate::types::MemoryQuota;

/// The counters.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Memory {
    max: usize,
    /// What sessions keep, as they last said.
    sessions: usize,
    /// What buffers grew by since then, while the packet at hand is handled.
    unsettled: usize,
    /// Something may have grown, or gone, that is not looked at after each packet: sketches, what was found, Pings, contexts.
    pub(super) grown: bool,
    /// What the floors below keep: as of the last packet, and as of the last that was no segment.
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

    /// A session kept `before` bytes and keeps `now`.
    pub(super) const fn settle(&mut self, before: usize, now: usize) {
        self.sessions = self.sessions.saturating_sub(before).saturating_add(now);
        self.unsettled = 0;
        self.grown = false;
    }

    /// The session at hand keeps what it kept before.
    #[inline]
    pub(super) const fn stay(&mut self) {
        self.unsettled = 0;
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

    /// Lets go of all idle ones.
    pub(super) fn trim(&mut self) {
        self.idle = Vec::new();
        self.bytes = 0;
    }
}

impl Shared {
    /// Bytes kept for all connections, those of the floors below left out.
    #[inline]
    pub(super) const fn held(&self) -> usize {
        let caches = self.buffers.held().saturating_add(self.scratch.capacity()).saturating_add(self.pool.charge());
        self.memory.sessions().saturating_add(self.memory.datagrams).saturating_add(caches)
    }

    /// How much more may be kept now.
    #[inline]
    pub(super) const fn quota(&self) -> MemoryQuota {
        MemoryQuota::new(self.memory.max.saturating_sub(self.held().saturating_add(self.memory.table)))
    }

    /// Buffers grew, or could not.
    #[cold]
    pub(super) const fn note(&mut self, room: &MemoryQuota) {
        self.memory.unsettled = self.memory.unsettled.saturating_add(room.taken());
        self.totals.shed_bytes = self.totals.shed_bytes.saturating_add(room.refused());
    }

    /// What nobody will miss is let go.
    pub(super) fn trim(&mut self) {
        self.buffers.trim();
        self.scratch = Vec::new();
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
        memory.settle(0, 300);
        memory.settle(0, 50);
        memory.settle(300, 100);
        assert_eq!(memory.sessions(), 150);
        memory.unsettled = 20;
        assert_eq!(memory.sessions(), 170);
        memory.settle(50, 70);
        assert_eq!(memory.sessions(), 170);
    }
}

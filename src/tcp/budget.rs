//! What reassembly may keep, and what it keeps now, over all connections of a table.

use crate::types::{Limits, Shares};

/// Below this, memory is not dealt out.
const LEAST_BYTES: usize = 1 << 20;

/// What a held segment costs besides its bytes: its place in the order, and the allocator's share.
pub(super) const HELD_OVERHEAD: usize = 96;

/// What an allocation costs besides its bytes.
pub(super) const BOX_OVERHEAD: usize = 16;

/// The limits that concern reassembly, in the units it counts in, and the bytes held.
#[derive(Debug)]
pub(super) struct Budget {
    held: usize,
    history: usize,
    /// What it takes to know what is out of order, besides what is held.
    disorder_bytes: usize,
    max_held_total: usize,
    /// How the memory is dealt out.
    pub(super) shares: Shares,
    /// Early bytes, in one direction.
    pub(super) max_held_bytes: usize,
    /// Early segments, in one direction.
    pub(super) max_held_segments: usize,
    /// Delivered bytes kept while nobody acknowledged them; a power of two.
    pub(super) max_unacked: u64,
    /// Delivered and acknowledged bytes kept; a power of two.
    pub(super) max_acked: u64,
    /// How long a byte may be late behind its acknowledgment, in nanoseconds.
    pub(super) ack_tolerance: i64,
    /// How long a hole waits where the other side is not heard, in nanoseconds.
    pub(super) hole_silence: i64,
}

impl Budget {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            held: 0,
            history: 0,
            disorder_bytes: 0,
            max_held_total: limits.max_memory_bytes,
            // A table of entries only needs as much.
            shares: Limits { max_memory_bytes: limits.max_memory_bytes.max(LEAST_BYTES), ..limits.clone() }.shares(),
            max_held_bytes: limits.max_held_bytes,
            max_held_segments: limits.max_held_segments,
            max_unacked: power_of_two_within(limits.max_unacked_bytes),
            max_acked: power_of_two_within(limits.max_acked_bytes),
            ack_tolerance: nanos(limits.ack_tolerance_ms, 1_000_000),
            hole_silence: nanos(limits.hole_silence_ms, 1_000_000),
        }
    }

    /// Bytes held now.
    pub(super) const fn held(&self) -> usize {
        self.held
    }

    /// Bytes held now, with what it takes to know what is out of order.
    pub(super) const fn footprint(&self) -> usize {
        self.held.saturating_add(self.disorder_bytes)
    }

    /// Something is out of order in one direction more.
    pub(super) const fn take_disorder(&mut self, bytes: usize) {
        self.disorder_bytes = self.disorder_bytes.saturating_add(bytes);
    }

    /// Nothing is out of order any more in one direction.
    pub(super) const fn give_back_disorder(&mut self, bytes: usize) {
        self.disorder_bytes = self.disorder_bytes.saturating_sub(bytes);
    }

    /// Whether more is held than all connections together may.
    pub(super) const fn is_over(&self) -> bool {
        self.held > self.max_held_total
    }

    /// Notes `bytes` of an early segment.
    pub(super) const fn take(&mut self, bytes: usize) {
        self.held = self.held.saturating_add(bytes);
    }

    /// Notes that `bytes` of an early segment were let go.
    pub(super) const fn give_back(&mut self, bytes: usize) {
        self.held = self.held.saturating_sub(bytes);
    }

    /// Lets a history grow from `old` to `new` bytes. Histories may fill an eighth of everything, and only half of that
    /// with more than [`Self::max_acked`] each, so that a few wide ones do not leave the others without.
    pub(super) fn take_history(&mut self, old: usize, new: usize) -> bool {
        let all = self.max_held_total / 8;
        let share = if new as u64 > self.max_acked { all / 2 } else { all };
        let after = self.history.saturating_sub(old).saturating_add(new);
        if after > share {
            return false;
        }
        self.history = after;
        self.held = self.held.saturating_sub(old).saturating_add(new);
        true
    }

    /// Notes that a history of `bytes` was let go.
    pub(super) const fn give_back_history(&mut self, bytes: usize) {
        self.history = self.history.saturating_sub(bytes);
        self.held = self.held.saturating_sub(bytes);
    }
}

/// `count` units of `unit` nanoseconds each, as far as they can be counted.
pub(super) fn nanos(count: u64, unit: i64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX).saturating_mul(unit)
}

/// A place in memory, from an offset that was held against its length. No slice is as long as what does not fit.
pub(super) fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

/// A length modulo 2^32, as sequence numbers count.
pub(super) fn low_32(len: u64) -> u32 {
    u32::try_from(len & 0xFFFF_FFFF).unwrap_or(0)
}

/// The greatest power of two that is not above `bytes`; 0 for 0.
fn power_of_two_within(bytes: usize) -> u64 {
    (bytes as u64).checked_ilog2().map_or(0, |bits| 1 << bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histories_have_their_share() {
        let mut budget = Budget::new(&Limits { max_memory_bytes: 80_000, max_acked_bytes: 2_050, ..Limits::default() });
        assert_eq!((budget.max_acked, power_of_two_within(0), power_of_two_within(1)), (2048, 0, 1));
        assert!(budget.take_history(0, 4096));
        assert!(!budget.take_history(4096, 8192), "over half of the share");
        assert!(budget.take_history(0, 2048));
        assert!(budget.take_history(0, 2048));
        assert!(!budget.take_history(0, 2048), "the share is full");
        assert_eq!(budget.held(), 8192);
        budget.give_back_history(8192);
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn endless_limits_can_be_counted() {
        assert_eq!(nanos(u64::MAX, 1_000_000), i64::MAX);
        assert_eq!(nanos(50, 1_000_000), 50_000_000);
    }
}

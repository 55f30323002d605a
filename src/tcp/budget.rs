//! Memory of reassembly: the limits, and the bytes kept now, for all connections of a table together.

use crate::types::{Limits, Shares};

/// The shares of the memory are computed from no less than this.
const LEAST_BYTES: usize = 1 << 20;

/// What a held segment costs besides its bytes: its node in the map, and the allocator's overhead.
pub(super) const HELD_OVERHEAD: usize = 96;

/// What an allocation costs besides its bytes.
pub(super) const BOX_OVERHEAD: usize = 16;

/// The limits that concern reassembly, in the units it counts in, and the bytes held.
#[derive(Debug)]
pub(super) struct Budget {
    held: usize,
    history: usize,
    /// Bytes of the `OutOfOrder` of each direction that has one, without its segments.
    out_of_order: usize,
    max_held_total: usize,
    /// How much of the memory each purpose may take.
    pub(super) shares: Shares,
    /// Bytes held in one direction.
    pub(super) max_held_bytes: usize,
    /// Segments held in one direction.
    pub(super) max_held_segments: usize,
    /// Delivered bytes that are kept while they are not acknowledged; a power of two.
    pub(super) max_unacked: u64,
    /// Delivered and acknowledged bytes that are kept; a power of two.
    pub(super) max_acked: u64,
    /// How long after its acknowledgment a byte may still come, in nanoseconds.
    pub(super) ack_tolerance: i64,
    /// How long a gap stays open where the other endpoint acknowledges nothing, in nanoseconds.
    pub(super) gap_silence: i64,
}

impl Budget {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            held: 0,
            history: 0,
            out_of_order: 0,
            max_held_total: limits.max_memory_bytes,
            // Entries alone need as much.
            shares: Limits { max_memory_bytes: limits.max_memory_bytes.max(LEAST_BYTES), ..limits.clone() }.shares(),
            max_held_bytes: limits.max_held_bytes,
            max_held_segments: limits.max_held_segments,
            max_unacked: power_of_two_within(limits.max_unacked_bytes),
            max_acked: power_of_two_within(limits.max_acked_bytes),
            ack_tolerance: nanos(limits.ack_tolerance_ms, 1_000_000),
            gap_silence: nanos(limits.hole_silence_ms, 1_000_000),
        }
    }

    /// Bytes held now.
    pub(super) const fn held(&self) -> usize {
        self.held
    }

    /// The same, with the `OutOfOrder`s.
    pub(super) const fn footprint(&self) -> usize {
        self.held.saturating_add(self.out_of_order)
    }

    /// Counts the `OutOfOrder` of a direction.
    pub(super) const fn take_out_of_order(&mut self, bytes: usize) {
        self.out_of_order = self.out_of_order.saturating_add(bytes);
    }

    /// The `OutOfOrder` of a direction was freed.
    pub(super) const fn give_back_out_of_order(&mut self, bytes: usize) {
        self.out_of_order = self.out_of_order.saturating_sub(bytes);
    }

    /// Whether more is held than all connections together may.
    pub(super) const fn is_over(&self) -> bool {
        self.held > self.max_held_total
    }

    /// Counts `bytes` of an early segment.
    pub(super) const fn take(&mut self, bytes: usize) {
        self.held = self.held.saturating_add(bytes);
    }

    /// `bytes` of an early segment were freed.
    pub(super) const fn give_back(&mut self, bytes: usize) {
        self.held = self.held.saturating_sub(bytes);
    }

    /// Whether a history may grow from `old` to `new` bytes, which is then counted. Histories may fill an eighth of the
    /// memory, those longer than [`Self::max_acked`] only half of that, so that a few long ones do not leave the others
    /// without.
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

    /// A history of `bytes` was freed.
    pub(super) const fn give_back_history(&mut self, bytes: usize) {
        self.history = self.history.saturating_sub(bytes);
        self.held = self.held.saturating_sub(bytes);
    }
}

/// `count` units of `unit` nanoseconds each, as far as they can be counted.
pub(super) fn nanos(count: u64, unit: i64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX).saturating_mul(unit)
}

/// The greatest power of two that is not above `bytes`; 0 for 0.
fn power_of_two_within(bytes: usize) -> u64 {
    (bytes as u64).checked_ilog2().map_or(0, |bits| 1 << bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histories_fill_no_more_than_their_share() {
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
    fn the_largest_limits_do_not_overflow() {
        assert_eq!(nanos(u64::MAX, 1_000_000), i64::MAX);
        assert_eq!(nanos(50, 1_000_000), 50_000_000);
    }
}

//! The latest bytes of one direction, to be compared with retransmissions.
//!
//! In: bytes as they are delivered. Out: the first place where a retransmission differs from them. Bounded: it keeps
//! unacknowledged bytes up to one limit, and a few that were acknowledged. It does not know sequence numbers, and keeps
//! nothing across a gap.

use super::budget::Budget;
use super::sequence::{Frontier, index};

/// The smallest buffer.
const MIN_RING: u64 = 256;

/// A ring whose length is a power of two: the byte at offset `o` lies at `o % ring.len()`.
#[derive(Debug, Default)]
pub(super) struct History {
    ring: Box<[u8]>,
    /// Nothing from before here is kept.
    start: u64,
}

impl History {
    /// Takes `bytes`, the next of the direction at `frontier`.
    pub(super) fn push(&mut self, frontier: Frontier, bytes: &[u8], budget: &mut Budget) {
        let (offset, len) = (frontier.next, bytes.len() as u64);
        let unacked = offset.saturating_add(len).saturating_sub(frontier.acked);
        let wanted =
            unacked.min(budget.max_unacked).max(budget.max_acked).min((offset - self.start).saturating_add(len));
        if wanted > self.ring.len() as u64 {
            self.grow(wanted, offset, budget);
        }
        let skipped = bytes.len().saturating_sub(self.ring.len());
        self.write(offset + skipped as u64, bytes.get(skipped..).unwrap_or_default());
    }

    /// Forgets everything: the next bytes begin at `offset`.
    pub(super) const fn restart(&mut self, offset: u64) {
        self.start = offset;
    }

    /// The offset of the first of `bytes`, which begin at `offset`, that differs from the byte known at its place.
    /// `end` is the offset after the latest byte.
    pub(super) fn conflict(&self, offset: u64, bytes: &[u8], end: u64) -> Option<u64> {
        let oldest = self.start.max(end.saturating_sub(self.ring.len() as u64));
        let from = offset.max(oldest);
        let until = end.min(offset.saturating_add(bytes.len() as u64));
        let len = until.checked_sub(from)?;
        let again = bytes.get(index(from - offset)..)?.get(..index(len))?;
        let (head, tail) = self.slices(from, len)?;
        let (again_head, again_tail) = again.split_at_checked(head.len())?;
        if head == again_head && tail == again_tail {
            return None;
        }
        let same = head.iter().chain(tail).zip(again).take_while(|(known, again)| known == again).count();
        Some(from + same as u64)
    }

    /// Bytes it keeps.
    pub(super) const fn held(&self) -> usize {
        self.ring.len()
    }

    /// The `len` bytes at `offset`, in one or two parts.
    fn slices(&self, offset: u64, len: u64) -> Option<(&[u8], &[u8])> {
        let (left, right) = self.ring.split_at_checked(self.place(offset))?;
        let len = index(len);
        Some(match right.get(..len) {
            Some(bytes) => (bytes, &[]),
            None => (right, left.get(..len - right.len())?),
        })
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) {
        let at = self.place(offset);
        if let Some(place) = self.ring.get_mut(at..at.saturating_add(bytes.len())) {
            return place.copy_from_slice(bytes);
        }
        let Some((left, right)) = self.ring.split_at_mut_checked(at) else { return };
        let Some((head, tail)) = bytes.split_at_checked(right.len()) else { return };
        right.copy_from_slice(head);
        if let Some(place) = left.get_mut(..tail.len()) {
            place.copy_from_slice(tail);
        }
    }

    fn place(&self, offset: u64) -> usize {
        index(offset & (self.ring.len() as u64).saturating_sub(1))
    }

    /// A ring for at least `wanted` bytes, if the budget allows it; the bytes before `end` move there.
    #[inline(never)]
    fn grow(&mut self, wanted: u64, end: u64, budget: &mut Budget) {
        let len = index(wanted.max(MIN_RING).next_power_of_two());
        if len <= self.ring.len() || wanted == 0 || !budget.take_history(self.ring.len(), len) {
            return;
        }
        let old = core::mem::replace(&mut self.ring, vec![0; len].into());
        let oldest = self.start.max(end.saturating_sub(old.len() as u64));
        let old = Self { ring: old, start: self.start };
        if let Some((head, tail)) = old.slices(oldest, end - oldest) {
            self.write(oldest, head);
            self.write(oldest + head.len() as u64, tail);
        }
        self.start = oldest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Limits;
    use proptest::prelude::*;

    fn budget(max_unacked_bytes: usize, max_acked_bytes: usize) -> Budget {
        Budget::new(&Limits { max_unacked_bytes, max_acked_bytes, ..Limits::default() })
    }

    fn at(next: u64, acked: u64) -> Frontier {
        Frontier { next, acked }
    }

    #[test]
    fn nothing_is_kept_before_the_first_byte_nor_across_a_gap() {
        let mut budget = budget(1 << 16, 2048);
        let mut history = History::default();
        assert_eq!((history.held(), history.conflict(0, b"x", 0)), (0, None));
        history.push(at(0, 0), b"hello", &mut budget);
        assert_eq!(history.conflict(0, b"hellO", 5), Some(4));
        history.restart(9);
        history.push(at(9, 0), b"world", &mut budget);
        assert_eq!(history.conflict(0, b"HELLO", 14), None);
        assert_eq!(history.conflict(8, b"?World", 14), Some(9));
        assert_eq!(budget.held(), history.held());
    }

    #[test]
    fn it_keeps_what_the_limits_allow() {
        let mut budget = budget(1024, 512);
        let mut history = History::default();
        for next in (0..10_000).step_by(100) {
            history.push(at(next, 0), &[1; 100], &mut budget);
        }
        assert_eq!(history.held(), 1024);
        assert_eq!(history.conflict(10_000 - 1024, &[2; 10], 10_000), Some(10_000 - 1024));
        assert_eq!(history.conflict(10_000 - 1034, &[2; 10], 10_000), None);
        let mut acknowledged = History::default();
        for next in (0..10_000).step_by(100) {
            acknowledged.push(at(next, next + 100), &[1; 100], &mut budget);
        }
        assert_eq!(acknowledged.held(), 512);
    }

    proptest! {
        /// Against a Vec of all bytes: each conflict it finds is one, and it finds all in the latest bytes.
        #[test]
        fn it_agrees_with_a_vec(
            pushes in prop::collection::vec((1..700_usize, 0..900_u64), 1..20),
            place in 0..4000_usize, len in 0..2000_usize, flip in 0..2000_usize,
        ) {
            let mut budget = budget(1024, 256);
            let mut history = History::default();
            let mut all = Vec::new();
            for (len, unacked) in pushes {
                let bytes: Vec<u8> = (0..len).map(|i| u8::try_from((all.len() + i * 7) % 251).unwrap()).collect();
                let next = all.len() as u64;
                history.push(at(next, (next + len as u64).saturating_sub(unacked)), &bytes, &mut budget);
                all.extend_from_slice(&bytes);
            }
            let from = place.min(all.len());
            let mut again = all[from..(from + len).min(all.len())].to_vec();
            let end = all.len() as u64;
            prop_assert_eq!(history.conflict(from as u64, &again, end), None);
            if let Some(byte) = again.get_mut(flip) {
                *byte ^= 1;
                let place = (from + flip) as u64;
                let kept = end - place <= 256;
                let found = history.conflict(from as u64, &again, end);
                prop_assert!(found == Some(place) || found.is_none() && !kept, "{:?} at {}", found, place);
            }
            prop_assert_eq!(budget.held(), history.held());
        }
    }
}

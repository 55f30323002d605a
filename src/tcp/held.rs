//! Segments of one direction that came early, by offset.
//!
//! In: bytes, and bytes that the snaplen cut off, at any offset. Out: the first range, when the bytes before it have
//! come or were given up. The first copy of a byte wins, so ranges never overlap; a copy that differs is reported. Finding
//! a place costs the logarithm of the number of ranges. It refuses nothing: how much is too much is decided elsewhere.

use core::ops::Range;
use std::collections::BTreeMap;

use super::budget::{Budget, HELD_OVERHEAD};
use super::sequence::{SegmentData, index};
use crate::types::PacketRef;

/// Early ranges by offset; none is empty, no two overlap.
#[derive(Debug, Default)]
pub(super) struct Held {
    ranges: BTreeMap<u64, HeldRange>,
    bytes: usize,
}

/// A range of early bytes, and the packet that carried it.
#[derive(Debug)]
pub(super) struct HeldRange {
    pub(super) content: HeldContent,
    pub(super) seen: PacketRef,
}

/// What a range consists of.
#[derive(Debug)]
pub(super) enum HeldContent {
    /// Bytes.
    Bytes(Box<[u8]>),
    /// So many bytes that the snaplen cut off.
    Cut(u64),
}

/// How the bytes of a segment compare with those that came before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Added {
    /// Some of them had not come before.
    pub(super) new: bool,
    /// Some of them had.
    pub(super) again: bool,
    /// The first byte that differs from its first copy.
    pub(super) conflict: Option<u64>,
}

impl Held {
    /// The offset of the first range.
    pub(super) fn first(&self) -> Option<u64> {
        self.ranges.first_key_value().map(|(&offset, _)| offset)
    }

    /// The packet that carried the first range.
    pub(super) fn first_seen(&self) -> Option<PacketRef> {
        self.ranges.first_key_value().map(|(_, range)| range.seen)
    }

    /// How many bytes were cut off, where that is what the first range consists of.
    pub(super) fn first_cut(&self) -> Option<u64> {
        match self.ranges.first_key_value()?.1.content {
            HeldContent::Cut(len) => Some(len),
            HeldContent::Bytes(_) => None,
        }
    }

    /// The offset after the last range.
    pub(super) fn end(&self) -> Option<u64> {
        self.ranges.last_key_value().map(|(&offset, range)| offset.saturating_add(range.content.len()))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many ranges.
    pub(super) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Captured bytes in all ranges.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of memory it keeps.
    pub(super) fn held(&self) -> usize {
        self.bytes + self.ranges.len() * HELD_OVERHEAD
    }

    /// Keeps what no range has of `data`: its bytes, then those cut off. Bytes take the place of bytes cut off.
    pub(super) fn add(&mut self, data: &SegmentData<'_>, budget: &mut Budget) -> Added {
        let mut added = self.add_bytes(data, budget);
        let cut = self.add_cut(data, budget);
        added.new |= cut.new;
        added.again |= cut.again;
        added
    }

    fn add_bytes(&mut self, data: &SegmentData<'_>, budget: &mut Budget) -> Added {
        let SegmentData { offset, bytes, seen, .. } = *data;
        let end = offset.saturating_add(bytes.len() as u64);
        let mut added = Added::default();
        let mut at = offset;
        while at < end {
            let until = match self.covering(at) {
                Some((start, range)) => {
                    let until = end.min(start.saturating_add(range.content.len()));
                    let here = part(bytes, at - offset, until - offset);
                    added.conflict = added.conflict.or_else(|| range.content.conflict(start, at, here));
                    added.again = true;
                    if let HeldContent::Cut(_) = range.content {
                        self.split_cut(start, at..until, budget);
                        self.insert(at, HeldRange { content: HeldContent::Bytes(here.into()), seen }, budget);
                    }
                    until
                }
                None => {
                    let until = end.min(self.next_start(at));
                    let here = part(bytes, at - offset, until - offset);
                    self.insert(at, HeldRange { content: HeldContent::Bytes(here.into()), seen }, budget);
                    added.new = true;
                    until
                }
            };
            at = until;
        }
        added
    }

    fn add_cut(&mut self, data: &SegmentData<'_>, budget: &mut Budget) -> Added {
        let mut at = data.offset.saturating_add(data.bytes.len() as u64);
        let end = at.saturating_add(data.cut);
        let mut added = Added::default();
        while at < end {
            if let Some((start, range)) = self.covering(at) {
                at = end.min(start.saturating_add(range.content.len()));
                added.again = true;
            } else {
                let until = end.min(self.next_start(at));
                self.insert(at, HeldRange { content: HeldContent::Cut(until - at), seen: data.seen }, budget);
                added.new = true;
                at = until;
            }
        }
        added
    }

    /// Removes the first range.
    pub(super) fn pop(&mut self, budget: &mut Budget) -> Option<(u64, HeldRange)> {
        let (offset, range) = self.ranges.pop_first()?;
        let bytes = range.content.captured();
        self.bytes = self.bytes.saturating_sub(bytes);
        budget.give_back(bytes + HELD_OVERHEAD);
        Some((offset, range))
    }

    /// Takes `taken` out of the cut that begins at `start`: the rest of it stays on both sides.
    fn split_cut(&mut self, start: u64, taken: Range<u64>, budget: &mut Budget) {
        let Some(cut) = self.ranges.remove(&start) else { return };
        budget.give_back(HELD_OVERHEAD);
        let end = start.saturating_add(cut.content.len());
        for (from, to) in [(start, taken.start), (taken.end, end)] {
            if from < to {
                self.insert(from, HeldRange { content: HeldContent::Cut(to - from), seen: cut.seen }, budget);
            }
        }
    }

    fn insert(&mut self, offset: u64, range: HeldRange, budget: &mut Budget) {
        let bytes = range.content.captured();
        self.bytes += bytes;
        budget.take(bytes + HELD_OVERHEAD);
        self.ranges.insert(offset, range);
    }

    /// The range that has the byte at `at`, and where it begins.
    fn covering(&self, at: u64) -> Option<(u64, &HeldRange)> {
        let (&start, range) = self.ranges.range(..=at).next_back()?;
        (start.saturating_add(range.content.len()) > at).then_some((start, range))
    }

    fn next_start(&self, at: u64) -> u64 {
        self.ranges.range(at..).next().map_or(u64::MAX, |(&start, _)| start)
    }
}

impl HeldContent {
    /// How many bytes of the stream it is.
    pub(super) const fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Cut(len) => *len,
        }
    }

    const fn captured(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Cut(_) => 0,
        }
    }

    /// The offset at which `again`, which lies at `at`, first differs from this range, which begins at `start`.
    fn conflict(&self, start: u64, at: u64, again: &[u8]) -> Option<u64> {
        let Self::Bytes(bytes) = self else { return None };
        let known = bytes.get(index(at - start)..)?.get(..again.len())?;
        if known == again {
            return None;
        }
        let same = known.iter().zip(again).take_while(|(known, again)| known == again).count();
        Some(at + same as u64)
    }
}

fn part(bytes: &[u8], from: u64, until: u64) -> &[u8] {
    bytes.get(index(from)..index(until)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Limits;

    const NEW: Added = Added { new: true, again: false, conflict: None };
    const AGAIN: Added = Added { new: false, again: true, conflict: None };

    /// What is held, and the number of the packet at hand.
    struct Fixture {
        held: Held,
        budget: Budget,
        packet: u64,
    }

    impl Fixture {
        fn new() -> Self {
            Self { held: Held::default(), budget: Budget::new(&Limits::default()), packet: 0 }
        }

        fn add(&mut self, offset: u64, bytes: &[u8], cut: u64) -> Added {
            let seen = PacketRef { packet: self.packet, ..PacketRef::default() };
            let data = SegmentData { offset, bytes, cut, ..SegmentData::nothing(seen) };
            let added = self.held.add(&data, &mut self.budget);
            assert_eq!(self.held.held(), self.budget.held());
            added
        }

        /// Removes all ranges.
        fn drain(&mut self) -> Vec<(u64, String)> {
            let ranges = core::iter::from_fn(|| self.held.pop(&mut self.budget))
                .map(|(offset, range)| match range.content {
                    HeldContent::Bytes(bytes) => (offset, String::from_utf8(bytes.into()).unwrap()),
                    HeldContent::Cut(len) => (offset, format!("cut {len}")),
                })
                .collect();
            assert_eq!((self.held.held(), self.budget.held()), (0, 0));
            ranges
        }
    }

    #[test]
    fn the_first_copy_wins_and_ranges_never_overlap() {
        let mut fixture = Fixture::new();
        assert_eq!(fixture.add(10, b"klm", 0), NEW);
        assert_eq!(fixture.add(20, b"uvw", 0), NEW);
        assert_eq!(fixture.add(23, b"", 2), NEW);
        // Around both, with one byte of the second changed.
        let added = fixture.add(8, b"ijklmnopqrstuVwxyz!", 0);
        assert_eq!(added, Added { new: true, again: true, conflict: Some(21) });
        assert_eq!(fixture.add(9, b"", 3), AGAIN);
        let held = &fixture.held;
        assert_eq!((held.first(), held.end(), held.len(), held.bytes()), (Some(8), Some(27), 6, 19));
        let expected = [(8, "ij"), (10, "klm"), (13, "nopqrst"), (20, "uvw"), (23, "xy"), (25, "z!")];
        assert_eq!(fixture.drain(), expected.map(|(at, text)| (at, text.to_owned())));
    }

    #[test]
    fn bytes_replace_a_cut_and_a_cut_replaces_no_bytes() {
        let mut fixture = Fixture::new();
        // Bytes 12 to 21 are cut off.
        assert_eq!(fixture.add(10, b"kl", 10), NEW);
        fixture.packet = 7;
        assert_eq!(fixture.add(14, b"op", 0), AGAIN);
        assert_eq!(fixture.add(13, b"", 5), AGAIN);
        assert_eq!(fixture.add(20, b"uvwx", 0), Added { new: true, ..AGAIN });
        assert_eq!(fixture.held.bytes(), 8);
        assert_eq!(fixture.held.ranges.get(&14).map(|range| range.seen.packet), Some(7));
        let expected = [(10, "kl"), (12, "cut 2"), (14, "op"), (16, "cut 4"), (20, "uv"), (22, "wx")];
        assert_eq!(fixture.drain(), expected.map(|(at, text)| (at, text.to_owned())));
    }

    #[test]
    fn nothing_is_added_by_nothing_nor_beyond_the_last_offset() {
        let mut fixture = Fixture::new();
        assert_eq!(fixture.add(5, b"", 0), Added::default());
        assert!(fixture.held.is_empty());
        assert!(fixture.add(u64::MAX - 1, b"abc", 0).new);
        assert_eq!(fixture.held.end(), Some(u64::MAX));
    }
}

//! Segments of one direction that came too early, in order of their place.
//!
//! In: bytes, and bytes known to be missing, at any place. Out: the first piece, when its time has come. The first copy
//! of a byte wins, so pieces never overlap; a copy that differs is told. Finding a place costs the logarithm of the
//! number of pieces. What is too much is for others to say: nothing is refused here.

use std::collections::BTreeMap;

use super::budget::{Budget, HELD_OVERHEAD, index};
use crate::types::PacketRef;

/// Early pieces by offset; none is empty, no two overlap.
#[derive(Debug, Default)]
pub(super) struct Held {
    pieces: BTreeMap<u64, HeldPiece>,
    bytes: usize,
}

/// One early piece, and the packet that carried it.
#[derive(Debug)]
pub(super) struct HeldPiece {
    pub(super) content: HeldContent,
    pub(super) seen: PacketRef,
}

/// What an early piece is.
#[derive(Debug)]
pub(super) enum HeldContent {
    /// Bytes.
    Bytes(Box<[u8]>),
    /// So many bytes that the snaplen took away.
    Cut(u64),
}

/// What adding a segment brought to light.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Added {
    /// Some of it had not come before.
    pub(super) news: bool,
    /// Some of it had.
    pub(super) again: bool,
    /// The first byte that differs from its first copy.
    pub(super) conflict: Option<u64>,
}

impl Held {
    /// The offset of the first piece.
    pub(super) fn first(&self) -> Option<u64> {
        self.pieces.first_key_value().map(|(&offset, _)| offset)
    }

    /// The packet that carried the first piece.
    pub(super) fn first_seen(&self) -> Option<PacketRef> {
        self.pieces.first_key_value().map(|(_, piece)| piece.seen)
    }

    /// How many bytes were cut away, where the first piece is a cut.
    pub(super) fn first_cut(&self) -> Option<u64> {
        match self.pieces.first_key_value()?.1.content {
            HeldContent::Cut(len) => Some(len),
            HeldContent::Bytes(_) => None,
        }
    }

    /// The offset behind the last piece.
    pub(super) fn end(&self) -> Option<u64> {
        self.pieces.last_key_value().map(|(&offset, piece)| offset.saturating_add(piece.content.len()))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// How many pieces.
    pub(super) fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Captured bytes in all pieces.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// What it keeps, the cost of keeping included.
    pub(super) fn held(&self) -> usize {
        self.bytes + self.pieces.len() * HELD_OVERHEAD
    }

    /// Takes those of `bytes`, which begin at `offset`, that no piece has, and compares the others. Bytes take the place
    /// of a cut.
    pub(super) fn add(&mut self, offset: u64, bytes: &[u8], seen: PacketRef, budget: &mut Budget) -> Added {
        let end = offset.saturating_add(bytes.len() as u64);
        let mut added = Added::default();
        let mut at = offset;
        while at < end {
            let until = match self.covering(at) {
                Some((start, piece)) => {
                    let until = end.min(start.saturating_add(piece.content.len()));
                    let here = part(bytes, at - offset, until - offset);
                    added.conflict = added.conflict.or_else(|| piece.content.conflict(start, at, here));
                    added.again = true;
                    if let HeldContent::Cut(_) = piece.content {
                        self.fill(start, at, here, seen, budget);
                    }
                    until
                }
                None => {
                    let until = end.min(self.next_start(at));
                    let here = part(bytes, at - offset, until - offset);
                    self.insert(at, HeldPiece { content: HeldContent::Bytes(here.into()), seen }, budget);
                    added.news = true;
                    until
                }
            };
            at = until;
        }
        added
    }

    /// Notes that the `len` bytes at `offset` were cut away, where no piece has them.
    pub(super) fn add_cut(&mut self, offset: u64, len: u64, seen: PacketRef, budget: &mut Budget) -> Added {
        let end = offset.saturating_add(len);
        let mut added = Added::default();
        let mut at = offset;
        while at < end {
            if let Some((start, piece)) = self.covering(at) {
                at = end.min(start.saturating_add(piece.content.len()));
                added.again = true;
            } else {
                let until = end.min(self.next_start(at));
                self.insert(at, HeldPiece { content: HeldContent::Cut(until - at), seen }, budget);
                added.news = true;
                at = until;
            }
        }
        added
    }

    /// Lets the first piece go.
    pub(super) fn pop(&mut self, budget: &mut Budget) -> Option<(u64, HeldPiece)> {
        let (offset, piece) = self.pieces.pop_first()?;
        let bytes = piece.content.captured();
        self.bytes = self.bytes.saturating_sub(bytes);
        budget.give_back(bytes + HELD_OVERHEAD);
        Some((offset, piece))
    }

    /// Puts `bytes`, which lie at `at`, in their place in the cut piece that begins at `start`.
    fn fill(&mut self, start: u64, at: u64, bytes: &[u8], seen: PacketRef, budget: &mut Budget) {
        let Some(cut) = self.pieces.remove(&start) else { return };
        budget.give_back(HELD_OVERHEAD);
        let (end, until) = (start.saturating_add(cut.content.len()), at.saturating_add(bytes.len() as u64));
        let content = HeldContent::Bytes(bytes.into());
        self.insert(at, HeldPiece { content, seen }, budget);
        for (from, to) in [(start, at), (until, end)] {
            if from < to {
                self.insert(from, HeldPiece { content: HeldContent::Cut(to - from), seen: cut.seen }, budget);
            }
        }
    }

    fn insert(&mut self, offset: u64, piece: HeldPiece, budget: &mut Budget) {
        let bytes = piece.content.captured();
        self.bytes += bytes;
        budget.take(bytes + HELD_OVERHEAD);
        self.pieces.insert(offset, piece);
    }

    /// The piece that has the byte at `at`, and where it begins.
    fn covering(&self, at: u64) -> Option<(u64, &HeldPiece)> {
        let (&start, piece) = self.pieces.range(..=at).next_back()?;
        (start.saturating_add(piece.content.len()) > at).then_some((start, piece))
    }

    fn next_start(&self, at: u64) -> u64 {
        self.pieces.range(at..).next().map_or(u64::MAX, |(&start, _)| start)
    }
}

impl HeldContent {
    /// How many bytes of the stream it stands for.
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

    /// Where `again`, which lies at `at`, first differs from this piece, which begins at `start`.
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

    fn contents(held: &mut Held, budget: &mut Budget) -> Vec<(u64, String)> {
        core::iter::from_fn(|| held.pop(budget))
            .map(|(offset, piece)| match piece.content {
                HeldContent::Bytes(bytes) => (offset, String::from_utf8(bytes.into()).unwrap()),
                HeldContent::Cut(len) => (offset, format!("cut {len}")),
            })
            .collect()
    }

    #[test]
    fn the_first_copy_wins_and_pieces_never_overlap() {
        let (mut held, mut budget, seen) = (Held::default(), Budget::new(&Limits::default()), PacketRef::default());
        let news = Added { news: true, ..Added::default() };
        assert_eq!(held.add(10, b"klm", seen, &mut budget), news);
        assert_eq!(held.add(20, b"uvw", seen, &mut budget), news);
        assert_eq!(held.add_cut(23, 2, seen, &mut budget), news);
        // Around both, with one byte of the second changed.
        let added = held.add(8, b"ijklmnopqrstuVwxyz!", seen, &mut budget);
        assert_eq!(added, Added { news: true, again: true, conflict: Some(21) });
        assert_eq!(held.add_cut(9, 3, seen, &mut budget), Added { again: true, ..Added::default() });
        assert_eq!((held.first(), held.end(), held.len(), held.bytes()), (Some(8), Some(27), 6, 19));
        assert_eq!(held.held(), budget.held());
        let expected = [(8, "ij"), (10, "klm"), (13, "nopqrst"), (20, "uvw"), (23, "xy"), (25, "z!")];
        assert_eq!(contents(&mut held, &mut budget), expected.map(|(at, text)| (at, text.to_owned())));
        assert_eq!((held.held(), budget.held()), (0, 0));
    }

    #[test]
    fn bytes_take_the_place_of_a_cut_and_no_cut_that_of_bytes() {
        let (mut held, mut budget, seen) = (Held::default(), Budget::new(&Limits::default()), PacketRef::default());
        held.add(10, b"kl", seen, &mut budget);
        held.add_cut(12, 10, seen, &mut budget);
        let again = Added { again: true, ..Added::default() };
        let later = PacketRef { packet: 7, ..seen };
        assert_eq!(held.add(14, b"op", later, &mut budget), again);
        assert_eq!(held.add_cut(13, 5, later, &mut budget), again);
        assert_eq!(held.add(20, b"uvwx", later, &mut budget), Added { news: true, ..again });
        assert_eq!((held.bytes(), held.held()), (8, budget.held()));
        assert_eq!(held.pieces.get(&14).map(|piece| piece.seen.packet), Some(7));
        let expected = [(10, "kl"), (12, "cut 2"), (14, "op"), (16, "cut 4"), (20, "uv"), (22, "wx")];
        assert_eq!(contents(&mut held, &mut budget), expected.map(|(at, text)| (at, text.to_owned())));
        assert_eq!((held.held(), budget.held()), (0, 0));
    }

    #[test]
    fn nothing_is_added_by_nothing_nor_beyond_the_last_offset() {
        let (mut held, mut budget, seen) = (Held::default(), Budget::new(&Limits::default()), PacketRef::default());
        assert_eq!(held.add(5, b"", seen, &mut budget), Added::default());
        assert_eq!(held.add_cut(5, 0, seen, &mut budget), Added::default());
        assert!(held.is_empty());
        assert!(held.add(u64::MAX - 1, b"abc", seen, &mut budget).news);
        assert_eq!(held.end(), Some(u64::MAX));
    }
}

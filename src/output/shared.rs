//! Cells that many rows share: the connection's name, addresses and ports are formatted once for many rows.
//!
//! A small cache by connection, direction and kind of frame, and nothing but a cache: what it gives back is what formatting would give.

use super::columns::Likeness;
use crate::ground::Direction;

/// Likenesses that are remembered. 256, of about 300 bytes each: 75 KiB for each table, which stays in the processor's
/// cache; a capture of many more connections at a time formats as if there were none.
const SLOTS: usize = 256;

/// What was formatted for rows that are alike: a stretch for each run of shared columns.
#[derive(Debug, Default)]
pub(super) struct Slot {
    like: Option<Likeness>,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// All slots.
#[derive(Debug)]
pub(super) struct Shared(Vec<Slot>);

impl Default for Shared {
    fn default() -> Self {
        Self(core::iter::repeat_with(Slot::default).take(SLOTS).collect())
    }
}

impl Shared {
    /// The slot of a likeness, and whether it is filled; else it is empty now and is to be filled.
    pub(super) fn slot(&mut self, like: Likeness) -> Option<(&mut Slot, bool)> {
        let way = u64::from(like.direction == Some(Direction::ToClient));
        // Two ways and a few kinds of a connection each: odd factors keep them apart.
        let mixed =
            like.connection.0.wrapping_mul(2).wrapping_add(way).wrapping_add(u64::from(like.kind).wrapping_mul(37));
        let slot = self.0.get_mut(usize::try_from(mixed % SLOTS as u64).unwrap_or(0))?;
        let known = slot.like == Some(like);
        if !known {
            slot.like = Some(like);
            slot.bytes.clear();
            slot.ends.clear();
        }
        Some((slot, known))
    }

    /// Bytes that it keeps.
    pub(super) fn held(&self) -> usize {
        let slot = |slot: &Slot| size_of::<Slot>() + slot.bytes.capacity() + slot.ends.capacity() * size_of::<usize>();
        self.0.iter().map(slot).sum()
    }
}

impl Slot {
    /// Keeps the next stretch.
    pub(super) fn keep(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.ends.push(self.bytes.len());
    }

    /// The stretch of that number.
    pub(super) fn stretch(&self, number: usize) -> &[u8] {
        let end_of = |number: usize| self.ends.get(number).copied();
        let start = number.checked_sub(1).and_then(end_of).unwrap_or(0);
        let end = end_of(number).unwrap_or(start);
        self.bytes.get(start..end).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ground::Uid;

    const ONE: Likeness = Likeness { connection: (3, Uid([1; 16])), direction: None, kind: 0 };

    #[test]
    fn only_what_is_alike_is_known() {
        let mut shared = Shared::default();
        let (slot, known) = shared.slot(ONE).unwrap();
        assert!(!known);
        slot.keep(b"ab");
        slot.keep(b"");
        slot.keep(b"c");
        let (slot, known) = shared.slot(ONE).unwrap();
        assert!(known);
        assert_eq!([0, 1, 2, 3].map(|number| slot.stretch(number)), [&b"ab"[..], b"", b"c", b""]);
        for other in [
            Likeness { direction: Some(Direction::ToServer), ..ONE },
            Likeness { direction: Some(Direction::ToClient), ..ONE },
            Likeness { connection: (3 + SLOTS as u64, ONE.connection.1), ..ONE },
            Likeness { connection: (3, Uid([2; 16])), ..ONE },
            Likeness { kind: 256, ..ONE },
        ] {
            shared.slot(ONE).unwrap();
            assert!(!shared.slot(other).unwrap().1, "{other:?}");
        }
        assert!(shared.held() < 100 << 10);
    }
}

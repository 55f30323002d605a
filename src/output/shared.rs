//! Cells that many rows share: the connection's name, addresses and ports, the bits of a header are formatted once for many
//! rows.
//!
//! Two small caches, and nothing but caches: what they give back is what formatting would give. One is by connection and
//! direction, one by what else a table says is alike.

use super::columns::Alike;
use crate::event::Uid;
use crate::types::Direction;

/// Connections' directions that are remembered: 512, of about 200 bytes each, which stay in the processor's cache; where
/// many more connections are open at a time, rows are formatted as if there were none.
const ENDS: usize = 512;
/// Kinds of rows that are remembered: a capture seldom has more than ten.
const KINDS: usize = 64;
/// Stretches that a slot may keep. No table has more runs of columns that are alike in the same way.
const STRETCHES: usize = 3;

/// A connection and a direction of it.
pub(super) type Ends = (u64, Uid, Option<Direction>);

/// What was formatted for rows that are alike: a stretch for each run of such columns.
#[derive(Debug)]
pub(super) struct Slot<K> {
    key: Option<K>,
    bytes: Vec<u8>,
    ends: [u32; STRETCHES],
    kept: usize,
}

/// All slots.
#[derive(Debug)]
pub(super) struct Shared {
    ends: Vec<Slot<Ends>>,
    kinds: Vec<Slot<u16>>,
}

impl Default for Shared {
    fn default() -> Self {
        Self { ends: slots(ENDS), kinds: slots(KINDS) }
    }
}

fn slots<K>(len: usize) -> Vec<Slot<K>> {
    let slot = || Slot { key: None, bytes: Vec::new(), ends: [0; STRETCHES], kept: 0 };
    core::iter::repeat_with(slot).take(len).collect()
}

/// The slots of a row.
pub(super) struct Slots<'s> {
    ends: Option<Found<'s, Ends>>,
    kind: Option<Found<'s, u16>>,
}

/// A slot, whether it was filled before, and how much of it was asked for.
struct Found<'s, K> {
    slot: &'s mut Slot<K>,
    filled: bool,
    asked: usize,
}

impl Shared {
    /// The slots of a row of these ends and that kind.
    pub(super) fn slots(&mut self, ends: Ends, kind: u16) -> Slots<'_> {
        let way = u64::from(ends.2 == Some(Direction::ToClient));
        let at = ends.0.wrapping_mul(2).wrapping_add(way) % ENDS as u64;
        // Flags are above the opcode: an odd factor spreads them.
        let kind_at = usize::from(kind.wrapping_add((kind >> 4).wrapping_mul(13))) % KINDS;
        Slots {
            ends: found(&mut self.ends, usize::try_from(at).unwrap_or(0), ends),
            kind: found(&mut self.kinds, kind_at, kind),
        }
    }

    /// Bytes that it keeps.
    pub(super) fn held(&self) -> usize {
        self.ends.iter().map(Slot::held).sum::<usize>() + self.kinds.iter().map(Slot::held).sum::<usize>()
    }
}

/// The slot at that place, made ready for `key`.
fn found<K: PartialEq>(slots: &mut [Slot<K>], at: usize, key: K) -> Option<Found<'_, K>> {
    let slot = slots.get_mut(at)?;
    let filled = slot.key.as_ref() == Some(&key);
    if !filled {
        slot.key = Some(key);
        slot.bytes.clear();
        slot.kept = 0;
    }
    Some(Found { slot, filled, asked: 0 })
}

impl Slots<'_> {
    /// The next stretch of columns that are alike in that way, if it is known.
    pub(super) fn next(&mut self, alike: Alike) -> Option<&[u8]> {
        match alike {
            Alike::None => None,
            Alike::Ends => self.ends.as_mut()?.next(),
            Alike::Kind => self.kind.as_mut()?.next(),
        }
    }

    /// Keeps what [`Self::next`] did not know.
    pub(super) fn keep(&mut self, alike: Alike, bytes: &[u8]) {
        match alike {
            Alike::None => {}
            Alike::Ends => self.ends.iter_mut().for_each(|found| found.slot.keep(bytes)),
            Alike::Kind => self.kind.iter_mut().for_each(|found| found.slot.keep(bytes)),
        }
    }
}

impl<K> Found<'_, K> {
    fn next(&mut self) -> Option<&[u8]> {
        if !self.filled {
            return None;
        }
        let end_of = |place: usize| self.slot.ends.get(place).map(|&end| end as usize);
        let start = self.asked.checked_sub(1).and_then(end_of).unwrap_or(0);
        let end = end_of(self.asked).filter(|_| self.asked < self.slot.kept)?;
        self.asked += 1;
        self.slot.bytes.get(start..end)
    }
}

impl<K> Slot<K> {
    /// Keeps the next stretch.
    fn keep(&mut self, bytes: &[u8]) {
        let end = u32::try_from(self.bytes.len() + bytes.len());
        match (self.ends.get_mut(self.kept), end) {
            (Some(to), Ok(end)) => *to = end,
            // It has no place: the slot is good for nothing.
            _ => {
                self.key = None;
                return;
            }
        }
        self.kept += 1;
        self.bytes.extend_from_slice(bytes);
    }

    fn held(&self) -> usize {
        size_of::<Self>() + self.bytes.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Ends = (3, Uid([1; 16]), None);

    #[test]
    fn only_what_is_alike_is_known() {
        let mut shared = Shared::default();
        let mut slots = shared.slots(ONE, 7);
        for stretch in [&b"ab"[..], b"", b"c"] {
            assert_eq!(slots.next(Alike::Ends), None);
            slots.keep(Alike::Ends, stretch);
        }
        slots.keep(Alike::Kind, b"of seven");
        let mut slots = shared.slots(ONE, 7);
        assert_eq!(slots.next(Alike::Ends), Some(&b"ab"[..]));
        assert_eq!(slots.next(Alike::Kind), Some(&b"of seven"[..]));
        assert_eq!(slots.next(Alike::None), None);
        assert_eq!(slots.next(Alike::Ends), Some(&b""[..]));
        assert_eq!(slots.next(Alike::Ends), Some(&b"c"[..]));
        assert_eq!(slots.next(Alike::Ends), None);
        for other in [
            (ONE.0, ONE.1, Some(Direction::ToServer)),
            (ONE.0, ONE.1, Some(Direction::ToClient)),
            (3 + ENDS as u64, ONE.1, None),
            (3, Uid([2; 16]), None),
        ] {
            shared.slots(ONE, 7).keep(Alike::Ends, b"x");
            assert_eq!(shared.slots(other, 7).next(Alike::Ends), None, "{other:?}");
        }
        assert_eq!(shared.slots(ONE, 7 + 64).next(Alike::Kind), None);
        assert!(shared.held() < 100 << 10);
    }

    #[test]
    fn what_has_no_place_is_not_kept() {
        let mut shared = Shared::default();
        let mut slots = shared.slots(ONE, 0);
        (0..=STRETCHES).for_each(|_| slots.keep(Alike::Ends, b"x"));
        assert_eq!(shared.slots(ONE, 0).next(Alike::Ends), None);
    }
}

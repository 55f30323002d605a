//! Formatted cells that many rows have in common: the connection's uid, addresses and ports, the bits of a header.
//!
//! In: for a row, the keys of what it has in common with others. Out: the bytes of each group of such columns, if they were
//! formatted before. Two small caches, one by connection and direction, one by [`Table::kind`]. What they give back is what
//! formatting would give.
//!
//! [`Table::kind`]: crate::output::columns::Table::kind

use core::mem::size_of;

use crate::event::Uid;
use crate::output::columns::CacheKey;
use crate::types::Direction;

/// Directions of connections that are remembered: 512, of about 200 bytes each, which stay in the processor's cache; where
/// many more connections are open at a time, rows are formatted as if there were none.
const DIRECTIONS: usize = 512;
/// Kinds of rows that are remembered: a capture seldom has more than ten.
const KINDS: usize = 64;
/// Groups of columns that an entry has room for. No table has more with the same key.
const GROUPS: usize = 3;

/// A connection, by number and uid, and a direction of it.
pub(super) type DirectionKey = (u64, Uid, Option<Direction>);

/// The bytes of each group of columns, for rows with the same key.
#[derive(Debug)]
struct Entry<K> {
    key: Option<K>,
    bytes: Vec<u8>,
    /// Where in `bytes` each group ends.
    ends: [u32; GROUPS],
    /// How many groups are kept.
    groups: usize,
}

/// Both caches.
#[derive(Debug)]
pub(super) struct CellCache {
    directions: Vec<Entry<DirectionKey>>,
    kinds: Vec<Entry<u16>>,
}

impl Default for CellCache {
    fn default() -> Self {
        Self { directions: entries(DIRECTIONS), kinds: entries(KINDS) }
    }
}

fn entries<K>(len: usize) -> Vec<Entry<K>> {
    let entry = || Entry { key: None, bytes: Vec::new(), ends: [0; GROUPS], groups: 0 };
    core::iter::repeat_with(entry).take(len).collect()
}

/// The entries of one row.
pub(super) struct RowCache<'c> {
    direction: Option<Lookup<'c, DirectionKey>>,
    kind: Option<Lookup<'c, u16>>,
}

/// An entry in use: whether a row before filled it, and how many groups were asked for.
struct Lookup<'c, K> {
    entry: &'c mut Entry<K>,
    filled: bool,
    asked: usize,
}

impl CellCache {
    /// The entries of a row with these keys.
    pub(super) fn of_row(&mut self, direction: DirectionKey, kind: u16) -> RowCache<'_> {
        let to_client = u64::from(direction.2 == Some(Direction::ToClient));
        let at = direction.0.wrapping_mul(2).wrapping_add(to_client) % DIRECTIONS as u64;
        // Flags are above the opcode: an odd factor spreads them.
        let kind_at = usize::from(kind.wrapping_add((kind >> 4).wrapping_mul(13))) % KINDS;
        RowCache {
            direction: look_up(&mut self.directions, usize::try_from(at).unwrap_or(0), direction),
            kind: look_up(&mut self.kinds, kind_at, kind),
        }
    }

    /// Bytes that it keeps.
    pub(super) fn held(&self) -> usize {
        self.directions.iter().map(Entry::held).sum::<usize>() + self.kinds.iter().map(Entry::held).sum::<usize>()
    }
}

/// The entry at that place, emptied if it has another key.
fn look_up<K: PartialEq>(entries: &mut [Entry<K>], at: usize, key: K) -> Option<Lookup<'_, K>> {
    let entry = entries.get_mut(at)?;
    let filled = entry.key.as_ref() == Some(&key);
    if !filled {
        entry.key = Some(key);
        entry.bytes.clear();
        entry.groups = 0;
    }
    Some(Lookup { entry, filled, asked: 0 })
}

impl RowCache<'_> {
    /// The bytes of the next group of columns with that key, if they are known.
    pub(super) fn next(&mut self, key: CacheKey) -> Option<&[u8]> {
        match key {
            CacheKey::None => None,
            CacheKey::Direction => self.direction.as_mut()?.next(),
            CacheKey::Kind => self.kind.as_mut()?.next(),
        }
    }

    /// Keeps the bytes that [`Self::next`] did not know.
    pub(super) fn keep(&mut self, key: CacheKey, bytes: &[u8]) {
        match key {
            CacheKey::None => {}
            CacheKey::Direction => self.direction.iter_mut().for_each(|lookup| lookup.entry.keep(bytes)),
            CacheKey::Kind => self.kind.iter_mut().for_each(|lookup| lookup.entry.keep(bytes)),
        }
    }
}

impl<K> Lookup<'_, K> {
    fn next(&mut self) -> Option<&[u8]> {
        if !self.filled {
            return None;
        }
        let end_of = |place: usize| self.entry.ends.get(place).map(|&end| end as usize);
        let start = self.asked.checked_sub(1).and_then(end_of).unwrap_or(0);
        let end = end_of(self.asked).filter(|_| self.asked < self.entry.groups)?;
        self.asked += 1;
        self.entry.bytes.get(start..end)
    }
}

impl<K> Entry<K> {
    /// Keeps the bytes of the next group.
    fn keep(&mut self, bytes: &[u8]) {
        let end = u32::try_from(self.bytes.len() + bytes.len());
        match (self.ends.get_mut(self.groups), end) {
            (Some(to), Ok(end)) => *to = end,
            // There is no room for it: the entry is of no use.
            _ => {
                self.key = None;
                return;
            }
        }
        self.groups += 1;
        self.bytes.extend_from_slice(bytes);
    }

    fn held(&self) -> usize {
        size_of::<Self>() + self.bytes.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: DirectionKey = (3, Uid([1; 16]), None);

    #[test]
    fn only_rows_with_the_same_key_share_bytes() {
        let mut cache = CellCache::default();
        let mut row = cache.of_row(ONE, 7);
        for group in [&b"ab"[..], b"", b"c"] {
            assert_eq!(row.next(CacheKey::Direction), None);
            row.keep(CacheKey::Direction, group);
        }
        row.keep(CacheKey::Kind, b"of seven");
        let mut row = cache.of_row(ONE, 7);
        assert_eq!(row.next(CacheKey::Direction), Some(&b"ab"[..]));
        assert_eq!(row.next(CacheKey::Kind), Some(&b"of seven"[..]));
        assert_eq!(row.next(CacheKey::None), None);
        assert_eq!(row.next(CacheKey::Direction), Some(&b""[..]));
        assert_eq!(row.next(CacheKey::Direction), Some(&b"c"[..]));
        assert_eq!(row.next(CacheKey::Direction), None);
        for other in [
            (ONE.0, ONE.1, Some(Direction::ToServer)),
            (ONE.0, ONE.1, Some(Direction::ToClient)),
            (3 + DIRECTIONS as u64, ONE.1, None),
            (3, Uid([2; 16]), None),
        ] {
            cache.of_row(ONE, 7).keep(CacheKey::Direction, b"x");
            assert_eq!(cache.of_row(other, 7).next(CacheKey::Direction), None, "{other:?}");
        }
        assert_eq!(cache.of_row(ONE, 7 + 64).next(CacheKey::Kind), None);
        assert!(cache.held() < 100 << 10);
    }

    #[test]
    fn a_group_without_room_is_not_kept() {
        let mut cache = CellCache::default();
        let mut row = cache.of_row(ONE, 0);
        (0..=GROUPS).for_each(|_| row.keep(CacheKey::Direction, b"x"));
        assert_eq!(cache.of_row(ONE, 0).next(CacheKey::Direction), None);
    }
}

//! The entries of the table: one slot of 64 bytes for each connection, in lists by rank and by how long each has been
//! silent.
//!
//! In: the table's entries. Out: entries by number of slot, and the one that was silent longest among those of a rank.
//! A list is ordered by the tick of the last packet; an entry moves at most once a tick, so a busy connection costs
//! nothing here. It knows neither segments nor the handler.

use super::budget::BOX_OVERHEAD;
use super::connection::Connection;
use super::flow_key::FlowKey;
use super::opening::Opening;
use super::phase::{Phase, Rank};

/// No slot.
const NONE: u32 = u32::MAX;

/// One entry.
#[derive(Debug)]
pub(super) struct Slot<S> {
    pub(super) key: FlowKey,
    /// The tick of its last packet.
    last: u32,
    older: u32,
    newer: u32,
    pub(super) phase: Phase<S>,
}

/// The slots, and their lists.
#[derive(Debug)]
pub(super) struct Slots<S> {
    slots: Vec<Slot<S>>,
    /// The first free slot; the others follow as `newer`.
    free: u32,
    lists: Lists,
    len: usize,
}

/// The slots of one rank: the one that was silent longest first.
#[derive(Debug, Clone, Copy)]
struct List {
    oldest: u32,
    newest: u32,
    len: usize,
}

#[derive(Debug)]
struct Lists {
    over: List,
    dropped: List,
    opening: List,
    live: List,
    retained: List,
}

impl<S> Slots<S> {
    pub(super) const fn new() -> Self {
        const EMPTY: List = List { oldest: NONE, newest: NONE, len: 0 };
        let lists = Lists { over: EMPTY, dropped: EMPTY, opening: EMPTY, live: EMPTY, retained: EMPTY };
        Self { slots: Vec::new(), free: NONE, lists, len: 0 }
    }

    /// How many are in use.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// How many of a rank.
    pub(super) const fn len_of(&self, rank: Rank) -> usize {
        self.lists.get(rank).len
    }

    pub(super) fn get(&self, at: u32) -> Option<&Slot<S>> {
        self.slots.get(at as usize)
    }

    /// The phase of a slot, to change. Its rank must stay the same: [`Self::put`] and [`Self::change`] may change it.
    pub(super) fn phase_mut(&mut self, at: u32) -> Option<&mut Phase<S>> {
        self.slots.get_mut(at as usize).map(|slot| &mut slot.phase)
    }

    /// The phases of all slots, free ones included, in no particular order.
    pub(super) fn into_phases(self) -> impl Iterator<Item = Phase<S>> {
        self.slots.into_iter().map(|slot| slot.phase)
    }

    /// Bytes of all slots, free ones included, and of the connections in them.
    pub(super) fn held(&self) -> usize {
        let connections = self.lists.live.len + self.lists.retained.len;
        self.slots.len() * size_of::<Slot<S>>()
            + self.openings_held()
            + connections * (size_of::<Connection<S>>() + BOX_OVERHEAD)
    }

    /// Bytes of the connections without a byte, besides their slots.
    pub(super) const fn openings_held(&self) -> usize {
        self.lists.opening.len * (size_of::<Opening>() + BOX_OVERHEAD)
    }

    /// The next one of the same rank as the one at `at`: silent for the same time or less.
    pub(super) fn newer(&self, at: u32) -> Option<u32> {
        self.slots.get(at as usize).map(|slot| slot.newer).filter(|&newer| newer != NONE)
    }

    /// All that are delivered to the handler.
    #[cfg(test)]
    pub(super) fn connections(&self) -> impl Iterator<Item = &Connection<S>> {
        self.slots.iter().filter_map(|slot| match &slot.phase {
            Phase::Live(connection) => Some(&**connection),
            _ => None,
        })
    }

    /// A slot for a new entry; `None` if there are 2^32 already.
    pub(super) fn insert(&mut self, key: FlowKey, tick: u32, phase: Phase<S>) -> Option<u32> {
        let slot = Slot { key, last: tick, older: NONE, newer: NONE, phase };
        let at = if let Some(place) = self.slots.get_mut(self.free as usize) {
            let at = self.free;
            self.free = place.newer;
            *place = slot;
            at
        } else {
            let at = u32::try_from(self.slots.len()).ok().filter(|&at| at != NONE)?;
            self.slots.push(slot);
            at
        };
        self.len += 1;
        self.link(at);
        Some(at)
    }

    /// Puts another phase into a slot; returns the one it had.
    pub(super) fn put(&mut self, at: u32, phase: Phase<S>) -> Phase<S> {
        self.unlink(at);
        let old = self.slots.get_mut(at as usize).map(|slot| core::mem::replace(&mut slot.phase, phase));
        self.link(at);
        old.unwrap_or(Phase::Free)
    }

    /// Frees a slot; returns its phase.
    pub(super) fn remove(&mut self, at: u32) -> Phase<S> {
        self.unlink(at);
        let Some(slot) = self.slots.get_mut(at as usize) else { return Phase::Free };
        slot.newer = self.free;
        self.free = at;
        self.len = self.len.saturating_sub(1);
        core::mem::replace(&mut slot.phase, Phase::Free)
    }

    /// A packet of this entry came at `tick`.
    #[inline]
    pub(super) fn touch(&mut self, at: u32, tick: u32) {
        if self.slots.get(at as usize).is_some_and(|slot| slot.last != tick) {
            self.move_to_newest(at, tick);
        }
    }

    /// The one of `rank` that was silent longest, and the tick of its last packet.
    pub(super) fn oldest(&self, rank: Rank) -> Option<(u32, u32)> {
        let at = self.lists.get(rank).oldest;
        self.slots.get(at as usize).map(|slot| (at, slot.last))
    }

    /// Changes a phase, and perhaps its rank.
    pub(super) fn change(&mut self, at: u32, change: impl FnOnce(&mut Phase<S>)) {
        self.unlink(at);
        if let Some(slot) = self.slots.get_mut(at as usize) {
            change(&mut slot.phase);
        }
        self.link(at);
    }

    #[inline(never)]
    fn move_to_newest(&mut self, at: u32, tick: u32) {
        self.unlink(at);
        if let Some(slot) = self.slots.get_mut(at as usize) {
            slot.last = tick;
        }
        self.link(at);
    }

    fn unlink(&mut self, at: u32) {
        let Some(slot) = self.slots.get(at as usize) else { return };
        let (older, newer) = (slot.older, slot.newer);
        let Some(rank) = slot.phase.rank() else { return };
        let list = self.lists.get_mut(rank);
        list.len = list.len.saturating_sub(1);
        match self.slots.get_mut(older as usize) {
            Some(slot) => slot.newer = newer,
            None => list.oldest = newer,
        }
        match self.slots.get_mut(newer as usize) {
            Some(slot) => slot.older = older,
            None => list.newest = older,
        }
    }

    fn link(&mut self, at: u32) {
        let Some(slot) = self.slots.get_mut(at as usize) else { return };
        let Some(rank) = slot.phase.rank() else { return };
        let list = self.lists.get_mut(rank);
        let newest = core::mem::replace(&mut list.newest, at);
        list.len += 1;
        (slot.older, slot.newer) = (newest, NONE);
        match self.slots.get_mut(newest as usize) {
            Some(slot) => slot.newer = at,
            None => list.oldest = at,
        }
    }
}

impl Lists {
    const fn get(&self, rank: Rank) -> &List {
        match rank {
            Rank::Over => &self.over,
            Rank::Dropped => &self.dropped,
            Rank::Opening => &self.opening,
            Rank::Live => &self.live,
            Rank::Retained => &self.retained,
        }
    }

    const fn get_mut(&mut self, rank: Rank) -> &mut List {
        match rank {
            Rank::Over => &mut self.over,
            Rank::Dropped => &mut self.dropped,
            Rank::Opening => &mut self.opening,
            Rank::Live => &mut self.live,
            Rank::Retained => &mut self.retained,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_a_cache_line() {
        assert_eq!(size_of::<Slot<[u64; 9]>>(), 64);
        assert!(size_of::<super::super::opening::Opening>() <= 64);
        assert!(size_of::<super::super::connection::Connection<()>>() <= 288);
    }
}

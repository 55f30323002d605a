//! From segments to connections, by address and port.
//!
//! In: segments of all connections, as they were captured. Out, to the [`Handler`]: openings, chunks, ends. A connection is
//! found by one key for both directions; a dropped one costs a look-up a packet and 64 bytes. Time comes from packets:
//! connections that are silent for too long leave and, where the table is full, those that are worth least. Nothing
//! depends on the order of the hash table, whose hasher is seeded at random so that no sender can aim at one bucket.

use core::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::budget::Budget;
use super::clock::{Clock, ticks};
use super::connection::{Connection, Outcome, PacketContext};
use super::flow_key::{FlowKey, Side};
use super::handler::Handler;
use super::opening::{Opening, OpeningProgress};
#[cfg(test)]
use super::out_of_order::OutOfOrder;
use super::phase::{Phase, Rank, SynRole};
use super::slots::{Slot, Slots};
use crate::net::Segment;
use crate::stream::EndReason;
use crate::types::{Limits, PacketRef};

/// All TCP connections of a capture, each with the `S` that the handler keeps for it.
#[derive(Debug)]
pub struct Table<S> {
    pub(super) slots: Slots<S>,
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// The packet at hand.
    pub(super) seen: PacketRef,
    /// The slot of the connection that had a packet last.
    recent: u32,
    /// The same, if that was the packet before the one at hand.
    just_now: u32,
    clock: Clock,
    pub(super) budget: Budget,
    /// Bytes of the slots, the index, and the connections themselves.
    pub(super) entries_held: usize,
    idle_ticks: u32,
    long_idle_ticks: u32,
    max_connections: usize,
    connections: u64,
    evictions: u64,
}

/// The endpoint that sent a segment: the slot of its connection, and the side.
#[derive(Clone, Copy)]
struct Sender {
    at: u32,
    side: Side,
}

impl<S> Table<S> {
    /// Bytes of a slot with its share of the index: five bytes a place, of which half may be free.
    const ENTRY_BYTES: usize = size_of::<Slot<S>>() + 12;

    /// An empty table that keeps no more than `limits` allow.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let idle_ticks = ticks(limits.idle_secs.max(1));
        let budget = Budget::new(limits);
        Self {
            slots: Slots::new(),
            index: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            seen: PacketRef::default(),
            recent: u32::MAX,
            just_now: u32::MAX,
            clock: Clock::default(),
            entries_held: 0,
            idle_ticks,
            long_idle_ticks: ticks(limits.websocket_idle_secs).max(idle_ticks),
            max_connections: limits.max_connections.min(budget.shares.entries / Self::ENTRY_BYTES).max(1),
            budget,
            connections: 0,
            evictions: 0,
        }
    }

    /// Takes the next segment of the capture. First connections end that are silent for too long by its time, then its own
    /// connection is served.
    pub fn segment<H>(&mut self, segment: &Segment<'_>, handler: &mut H)
    where
        H: Handler<State = S>,
    {
        self.age(segment.seen, handler);
        self.arrive(segment, handler);
    }

    /// The second half of [`Self::segment`]: takes a segment after [`Self::age`] has taken its time. For callers that have to
    /// know which of the two made an event.
    pub fn arrive<H>(&mut self, segment: &Segment<'_>, handler: &mut H)
    where
        H: Handler<State = S>,
    {
        self.seen = segment.seen;
        let (found, side) = self.find(segment);
        let at = match found {
            Some(at) => {
                self.slots.touch(at, self.clock.now());
                at
            }
            None => match self.open(side, segment, handler) {
                Some(at) => at,
                None => return,
            },
        };
        self.recent = at;
        self.just_now = at;
        let sender = Sender { at, side };
        if segment.flags.syn {
            self.syn(sender, segment, handler);
        }
        self.deliver(sender, segment, handler);
        if self.is_strained(handler) {
            self.reclaim(handler);
        }
    }

    /// Lets time pass, once for each packet of the capture, also for those that have no segment for this table.
    /// Connections that are silent for too long are ended in the order of their first packets: the order in which they
    /// fell silent would depend on which other packets come here.
    #[inline]
    pub fn age<H>(&mut self, seen: PacketRef, handler: &mut H)
    where
        H: Handler<State = S>,
    {
        self.seen = seen;
        let just_now = core::mem::replace(&mut self.just_now, u32::MAX);
        if self.clock.tick(seen.at) {
            self.age_all(just_now, handler);
        }
    }

    /// The capture is over: ends every connection that is left, in the order of their first packets.
    pub fn finish<H>(&mut self, seen: PacketRef, handler: &mut H)
    where
        H: Handler<State = S>,
    {
        self.seen = seen;
        self.index = HashTable::new();
        self.recent = u32::MAX;
        let slots = core::mem::replace(&mut self.slots, Slots::new());
        self.count_entries();
        let left: Vec<_> = slots
            .into_phases()
            .filter_map(|phase| match phase {
                Phase::Live(connection) => Some(connection),
                _ => None,
            })
            .collect();
        self.end_all(left, EndReason::CaptureOver, handler);
    }

    /// Bytes kept for all connections: early segments, and delivered bytes to compare retransmissions with.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.budget.held()
    }

    /// The same, with the slots and all else that the table needs for connections.
    #[must_use]
    #[inline]
    pub const fn footprint(&self) -> usize {
        self.budget.footprint().saturating_add(self.entries_held)
    }

    /// The same, counted anew.
    #[cfg(test)]
    pub(crate) fn recount(&self) -> usize {
        let of =
            |connection: &Connection<S>| connection.held() + connection.directions_out_of_order() * OutOfOrder::BYTES;
        let kept: usize = self.slots.connections().map(of).sum();
        kept + self.slots.held() + self.index.allocation_size()
    }

    /// What the handler keeps for each connection.
    #[cfg(test)]
    pub(crate) fn states(&self) -> impl Iterator<Item = &S> {
        self.slots.connections().map(Connection::state)
    }

    /// Connections in the table, those included that are over or were dropped.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.slots.len() == 0
    }

    /// Connections seen: the number of the next one.
    #[must_use]
    pub const fn connections(&self) -> u64 {
        self.connections
    }

    /// Connections that were evicted because the table was full or memory was short.
    #[must_use]
    pub const fn evictions(&self) -> u64 {
        self.evictions
    }

    /// The slot of a segment's connection, if there is one, and the side that sent it. An IPv4 key stays in registers all
    /// the way, which halves the time.
    #[inline]
    fn find(&self, segment: &Segment<'_>) -> (Option<u32>, Side) {
        match FlowKey::v4(segment.src, segment.dst) {
            Some((key, side)) => (self.find_key(&key), side),
            None => self.find_v6(segment),
        }
    }

    #[inline(never)]
    fn find_v6(&self, segment: &Segment<'_>) -> (Option<u32>, Side) {
        let (key, side) = FlowKey::of(segment.src, segment.dst);
        (self.find_key(&key), side)
    }

    #[inline(always)]
    fn find_key(&self, key: &FlowKey) -> Option<u32> {
        let is_it = |at: u32| self.slots.get(at).is_some_and(|slot| slot.key == *key);
        if is_it(self.recent) {
            return Some(self.recent);
        }
        self.index.find(self.hasher.hash_one(key), |&at| is_it(at)).copied()
    }

    /// A slot for a connection that had none.
    #[inline(never)]
    fn open<H: Handler<State = S>>(&mut self, side: Side, segment: &Segment<'_>, handler: &mut H) -> Option<u32> {
        while self.slots.len() >= self.max_connections
            && let Some(at) = self.least_valuable()
        {
            self.evict(at, handler);
        }
        let (key, _) = FlowKey::of(segment.src, segment.dst);
        let opening = Box::new(Opening::new(self.next_number(), side, segment));
        let at = self.slots.insert(key, self.clock.now(), Phase::Opening(opening))?;
        let Self { index, slots, hasher, .. } = self;
        let hash_of = |&at: &u32| slots.get(at).map_or(0, |slot| hasher.hash_one(slot.key));
        index.insert_unique(hasher.hash_one(key), at, hash_of);
        self.count_entries();
        Some(at)
    }

    /// A SYN may begin a new connection where there was one before.
    #[inline(never)]
    fn syn<H>(&mut self, sender: Sender, segment: &Segment<'_>, handler: &mut H)
    where
        H: Handler<State = S>,
    {
        let Sender { at, side } = sender;
        let number = match self.slots.get(at).map(|slot| slot.phase.syn_role(side, segment)) {
            Some(SynRole::New) => self.next_number(),
            Some(SynRole::Retry(number)) => number,
            Some(SynRole::Existing) | None => return,
        };
        let opening = Box::new(Opening::new(number, side, segment));
        let old = self.slots.put(at, Phase::Opening(opening));
        self.count_entries();
        if let Phase::Live(connection) = old {
            self.end(*connection, EndReason::Reused, handler);
        }
    }

    fn deliver<H>(&mut self, sender: Sender, segment: &Segment<'_>, handler: &mut H)
    where
        H: Handler<State = S>,
    {
        let Sender { at, side } = sender;
        match self.slots.phase_mut(at) {
            Some(Phase::Live(connection)) => {
                let mut context = PacketContext { seen: segment.seen, budget: &mut self.budget, handler };
                match connection.segment(side, segment, &mut context) {
                    Outcome::Continues if connection.is_to_be_retained() => self.slots.change(at, Phase::retain),
                    Outcome::Continues => {}
                    Outcome::Dropped => drop(self.ignore(at, false)),
                    Outcome::Over(reason) => self.report_over(at, reason, handler),
                }
            }
            Some(Phase::Ignored(ignored)) => {
                if ignored.observe(side, segment.flags) {
                    self.slots.change(at, Phase::mark_over);
                }
            }
            Some(Phase::Opening(opening)) => match opening.segment(side, segment) {
                OpeningProgress::NoByte => {}
                OpeningProgress::Refused => drop(self.ignore(at, true)),
                OpeningProgress::FirstByte => {
                    let connection = Connection::new(opening, side, segment, handler);
                    self.slots.put(at, Phase::Live(Box::new(connection)));
                    self.count_entries();
                    // It is live now: this goes no deeper.
                    self.deliver(sender, segment, handler);
                }
            },
            Some(Phase::Free) | None => {}
        }
    }

    /// Both directions have ended.
    #[inline(never)]
    pub(super) fn report_over<H>(&mut self, at: u32, reason: EndReason, handler: &mut H)
    where
        H: Handler<State = S>,
    {
        if let Some(connection) = self.ignore(at, true) {
            connection.report_ended(reason, self.seen, handler);
        }
    }

    /// Nothing more is delivered: all but the slot is freed. Returns the connection, if it was live.
    pub(super) fn ignore(&mut self, at: u32, over: bool) -> Option<Box<Connection<S>>> {
        let ignored = self.slots.get(at)?.phase.ignored(over)?;
        let old = self.slots.put(at, Phase::Ignored(ignored));
        self.count_entries();
        let Phase::Live(mut connection) = old else { return None };
        connection.forget(&mut self.budget);
        Some(connection)
    }

    /// Ends a connection that is no longer in the table.
    fn end<H: Handler<State = S>>(&mut self, mut connection: Connection<S>, reason: EndReason, handler: &mut H) {
        let mut context = PacketContext { seen: self.seen, budget: &mut self.budget, handler };
        let outcome = connection.close(reason, &mut context);
        connection.forget(&mut self.budget);
        if let Outcome::Over(_) = outcome {
            connection.report_ended(reason, self.seen, handler);
        }
    }

    /// Ends the connections that were silent for too long: looks at the longest silent of each rank when a tick has passed.
    /// Each leaves once, so the cost a packet is constant. Lists are in the order of time, since the clock never goes
    /// back, so whether one is ended does not depend on the others.
    #[cold]
    fn age_all<H>(&mut self, just_now: u32, handler: &mut H)
    where
        H: Handler<State = S>,
    {
        // The packet before came at this time or later; the clock advances only when a second packet agrees.
        self.slots.touch(just_now, self.clock.now());
        let mut silent = Vec::new();
        for (rank, idle) in [
            (Rank::Over, self.idle_ticks),
            (Rank::Opening, self.idle_ticks),
            (Rank::Live, self.idle_ticks),
            (Rank::Dropped, self.long_idle_ticks),
            (Rank::Retained, self.long_idle_ticks),
        ] {
            self.age_rank(rank, idle, &mut silent);
        }
        self.end_all(silent, EndReason::Idle, handler);
    }

    /// Removes connections of a rank that were silent for too long, and collects the live ones among them.
    fn age_rank(&mut self, rank: Rank, idle: u32, silent: &mut Vec<Box<Connection<S>>>) {
        while let Some((at, last)) = self.slots.oldest(rank)
            && self.clock.now().saturating_sub(last) > idle
        {
            if let Phase::Live(connection) = self.remove(at) {
                silent.push(connection);
            }
        }
    }

    /// Ends connections that are no longer in the table, in the order of their first packets.
    fn end_all<H>(&mut self, mut connections: Vec<Box<Connection<S>>>, reason: EndReason, handler: &mut H)
    where
        H: Handler<State = S>,
    {
        connections.sort_by_key(|connection| connection.first_packet());
        for connection in connections {
            self.end(*connection, reason, handler);
        }
    }

    /// The connection that a full table evicts first. A flood of SYNs evicts its own: it may fill half of the table.
    fn least_valuable(&self) -> Option<u32> {
        let flooded = self.slots.len_of(Rank::Opening) > self.max_connections / 2;
        let second = if flooded { Rank::Opening } else { Rank::Dropped };
        [Rank::Over, second, Rank::Dropped, Rank::Opening, Rank::Live, Rank::Retained]
            .into_iter()
            .find_map(|rank| self.slots.oldest(rank))
            .map(|(at, _)| at)
    }

    /// Removes a connection before its time, ends it, and counts that.
    pub(super) fn evict<H>(&mut self, at: u32, handler: &mut H)
    where
        H: Handler<State = S>,
    {
        self.evictions += 1;
        if let Phase::Live(connection) = self.remove(at) {
            self.end(*connection, EndReason::Idle, handler);
        }
    }

    /// Frees a slot; returns the phase of its connection.
    fn remove(&mut self, at: u32) -> Phase<S> {
        let Some(key) = self.slots.get(at).map(|slot| slot.key) else { return Phase::Free };
        if let Ok(entry) = self.index.find_entry(self.hasher.hash_one(key), |&other| other == at) {
            entry.remove();
        }
        if self.recent == at {
            self.recent = u32::MAX;
        }
        let old = self.slots.remove(at);
        self.count_entries();
        old
    }

    /// Counts anew the bytes of slots, index and connections.
    fn count_entries(&mut self) {
        self.entries_held = self.slots.held().saturating_add(self.index.allocation_size());
    }

    const fn next_number(&mut self) -> u64 {
        let number = self.connections;
        self.connections += 1;
        number
    }
}

#[cfg(test)]
mod tests;

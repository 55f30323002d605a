//! Who is talking: from segments to connections, by address and port.
//!
//! In: segments of all connections, as they were captured. Out, to the [`Handler`]: openings, chunks, ends. A
//! connection is found by one key for both ways; one that nobody listens to costs a look-up a packet and 64 bytes. Time
//! comes from packets: what is silent for too long leaves, and where the table is full, what is worth least. Nothing
//! depends on the order of the hash table, whose hasher is seeded at random so that nobody can aim at one bucket.

use core::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::body::{Body, Greeting, Rank};
use super::budget::Budget;
use super::clock::{Clock, ticks};
use super::connection::{Connection, Fate, Turn};
use super::flow::{FlowKey, Side};
use super::handler::Handler;
use super::opening::{Opened, Opening};
#[cfg(test)]
use super::out_of_order::OutOfOrder;
use super::slots::{Slot, Slots};
use crate::net::Segment;
use crate::stream::EndReason;
use crate::types::{Limits, PacketRef};

/// All TCP connections of a capture, each with the `S` that its listener keeps for it.
#[derive(Debug)]
pub struct Table<S> {
    pub(super) slots: Slots<S>,
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// The slot of the packet before.
    recent: u32,
    /// The same, if that packet was the last that let time pass: what a packet of others came behind is none.
    just_now: u32,
    clock: Clock,
    pub(super) budget: Budget,
    /// Bytes of the entries, the index, and the connections themselves.
    pub(super) entries_held: usize,
    idle_ticks: u32,
    long_idle_ticks: u32,
    max_connections: usize,
    connections: u64,
    pub(super) evictions: u64,
}

impl<S> Table<S> {
    /// What an entry costs, with its share of the index: five bytes a place, of which half may be free.
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

    /// Takes the next segment of the capture and tells `handler` what it brings, behind what its time ends.
    pub fn segment<H>(&mut self, segment: &Segment<'_>, handler: &mut H)
    where
        H: Handler<State = S>,
    {
        self.age(segment.seen, handler);
        self.arrive(segment, handler);
    }

    /// The second half of [`Self::segment`]: takes a segment for which time has passed already, by [`Self::age`]. For
    /// those who have to tell what a packet's time ends from what its segment brings.
    pub fn arrive<H>(&mut self, segment: &Segment<'_>, handler: &mut H)
    where
        H: Handler<State = S>,
    {
        let tick = self.clock.now();
        let (found, side) = self.find(segment);
        let at = match found {
            Some(at) => {
                self.slots.touch(at, tick);
                at
            }
            None => match self.open(side, tick, segment, handler) {
                Some(at) => at,
                None => return,
            },
        };
        self.recent = at;
        self.just_now = at;
        if segment.flags.syn {
            self.greet(at, side, segment, handler);
        }
        self.deliver(at, side, segment, handler);
        if self.is_strained(handler) {
            self.reclaim(segment.seen, handler);
        }
    }

    /// Lets time pass, once for each packet, be it for this table or not. What is silent for too long is ended, in the
    /// order of first packets: the order of the packets between would be another if others of them were here.
    #[inline]
    pub fn age<H>(&mut self, seen: PacketRef, handler: &mut H)
    where
        H: Handler<State = S>,
    {
        let just_now = core::mem::replace(&mut self.just_now, u32::MAX);
        if self.clock.tick(seen.at) {
            self.age_all(just_now, seen, handler);
        }
    }

    /// The capture is over: every connection that is left is given its ends, in the order of their first packets.
    pub fn finish<H>(&mut self, seen: PacketRef, handler: &mut H)
    where
        H: Handler<State = S>,
    {
        self.index = HashTable::new();
        self.recent = u32::MAX;
        let slots = core::mem::replace(&mut self.slots, Slots::new());
        self.weigh();
        let left: Vec<_> = slots
            .into_bodies()
            .filter_map(|body| match body {
                Body::Live(connection) => Some(connection),
                _ => None,
            })
            .collect();
        self.end_all(left, EndReason::CaptureOver, seen, handler);
    }

    /// Bytes kept for all connections: early segments, and delivered bytes to compare retransmissions with.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.budget.held()
    }

    /// The same, with the entries and all else that the table itself needs for connections.
    #[must_use]
    #[inline]
    pub const fn footprint(&self) -> usize {
        self.budget.footprint().saturating_add(self.entries_held)
    }

    /// The same, counted anew.
    #[cfg(test)]
    pub(crate) fn recount(&self) -> usize {
        let of = |connection: &Connection<S>| connection.held() + connection.disorders() * OutOfOrder::BYTES;
        let kept: usize = self.slots.connections().map(of).sum();
        kept + self.slots.held() + self.index.allocation_size()
    }

    /// What the listener keeps for each connection.
    #[cfg(test)]
    pub(crate) fn states(&self) -> impl Iterator<Item = &S> {
        self.slots.connections().map(Connection::state)
    }

    /// Connections in the table, those included that are over or that nobody listens to.
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

    /// Connections that left because the table was full, or memory was spent.
    #[must_use]
    pub const fn evictions(&self) -> u64 {
        self.evictions
    }

    /// The entry of a segment, if there is one, and who sent it. An IPv4 key stays in registers all the way, which
    /// halves the time.
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

    /// An entry for a connection that was not there.
    #[inline(never)]
    fn open<H: Handler<State = S>>(
        &mut self,
        side: Side,
        tick: u32,
        segment: &Segment<'_>,
        handler: &mut H,
    ) -> Option<u32> {
        while self.slots.len() >= self.max_connections
            && let Some(at) = self.least_valuable()
        {
            self.evictions += 1;
            self.give_up(at, segment.seen, handler);
        }
        let (key, _) = FlowKey::of(segment.src, segment.dst);
        let opening = Box::new(Opening::new(self.next_number(), side, segment));
        let at = self.slots.insert(key, tick, Body::Opening(opening))?;
        let Self { index, slots, hasher, .. } = self;
        let hash_of = |&at: &u32| slots.get(at).map_or(0, |slot| hasher.hash_one(slot.key));
        index.insert_unique(hasher.hash_one(key), at, hash_of);
        self.weigh();
        Some(at)
    }

    /// A SYN may begin a new connection where there was one before.
    #[inline(never)]
    fn greet<H>(&mut self, at: u32, side: Side, segment: &Segment<'_>, handler: &mut H)
    where
        H: Handler<State = S>,
    {
        let number = match self.slots.get(at).map(|slot| slot.body.greeting(side, segment)) {
            Some(Greeting::Anew) => self.next_number(),
            Some(Greeting::Again(number)) => number,
            Some(Greeting::Same) | None => return,
        };
        let opening = Box::new(Opening::new(number, side, segment));
        let old = self.slots.put(at, Body::Opening(opening));
        self.weigh();
        if let Body::Live(connection) = old {
            self.end(*connection, EndReason::Reused, segment.seen, handler);
        }
    }

    fn deliver<H>(&mut self, at: u32, side: Side, segment: &Segment<'_>, handler: &mut H)
    where
        H: Handler<State = S>,
    {
        match self.slots.body_mut(at) {
            Some(Body::Live(connection)) => {
                let mut turn = Turn { seen: segment.seen, budget: &mut self.budget, handler };
                match connection.segment(side, segment, &mut turn) {
                    Fate::Lives if connection.wants_time() => self.slots.change(at, Body::cherish),
                    Fate::Lives => {}
                    Fate::Dropped => drop(self.ignore(at, false)),
                    Fate::Over(reason) => self.tell_over(at, reason, segment.seen, handler),
                }
            }
            Some(Body::Ignored(quiet)) => {
                if quiet.observe(side, segment.flags) {
                    self.slots.change(at, Body::mark_over);
                }
            }
            Some(Body::Opening(opening)) => match opening.segment(side, segment) {
                Opened::NotYet => {}
                Opened::Refused => drop(self.ignore(at, true)),
                Opened::Yes => {
                    let connection = Connection::new(opening, side, segment, handler);
                    self.slots.put(at, Body::Live(Box::new(connection)));
                    self.weigh();
                    // It is live now: this goes no deeper.
                    self.deliver(at, side, segment, handler);
                }
            },
            Some(Body::Free) | None => {}
        }
    }

    /// Both directions have ended.
    #[inline(never)]
    pub(super) fn tell_over<H>(&mut self, at: u32, reason: EndReason, seen: PacketRef, handler: &mut H)
    where
        H: Handler<State = S>,
    {
        if let Some(connection) = self.ignore(at, true) {
            connection.tell_ended(reason, seen, handler);
        }
    }

    /// Nobody listens any more: all but a small entry is freed. The answer is the connection, if there was one.
    pub(super) fn ignore(&mut self, at: u32, over: bool) -> Option<Box<Connection<S>>> {
        let quiet = self.slots.get(at)?.body.quiet(over)?;
        let old = self.slots.put(at, Body::Ignored(quiet));
        self.weigh();
        let Body::Live(mut connection) = old else { return None };
        connection.forget(&mut self.budget);
        Some(connection)
    }

    /// Ends a connection that is in the table no more.
    fn end<H: Handler<State = S>>(
        &mut self,
        mut connection: Connection<S>,
        reason: EndReason,
        seen: PacketRef,
        handler: &mut H,
    ) {
        let fate = connection.close(reason, &mut Turn { seen, budget: &mut self.budget, handler });
        connection.forget(&mut self.budget);
        if let Fate::Over(_) = fate {
            connection.tell_ended(reason, seen, handler);
        }
    }

    /// Ends what was silent for too long. Looks at the longest silent of each rank when a tick has passed; what goes
    /// was put in once, so the cost a packet is constant. Lists are in the order of time, since time never goes back,
    /// so what is ended does not depend on what else is in them.
    #[cold]
    fn age_all<H>(&mut self, just_now: u32, seen: PacketRef, handler: &mut H)
    where
        H: Handler<State = S>,
    {
        // The packet before came at this time or later, but nobody had agreed yet.
        self.slots.touch(just_now, self.clock.now());
        let mut silent = Vec::new();
        for (rank, idle) in [
            (Rank::Over, self.idle_ticks),
            (Rank::Opening, self.idle_ticks),
            (Rank::Live, self.idle_ticks),
            (Rank::Dropped, self.long_idle_ticks),
            (Rank::Cherished, self.long_idle_ticks),
        ] {
            self.age_rank(rank, idle, &mut silent);
        }
        self.end_all(silent, EndReason::Idle, seen, handler);
    }

    /// Takes out what was silent for too long, and gathers what has a listener.
    fn age_rank(&mut self, rank: Rank, idle: u32, silent: &mut Vec<Box<Connection<S>>>) {
        while let Some((at, last)) = self.slots.oldest(rank)
            && self.clock.now().saturating_sub(last) > idle
        {
            if let Body::Live(connection) = self.remove(at) {
                silent.push(connection);
            }
        }
    }

    /// Ends connections that are in the table no more, in the order of their first packets.
    fn end_all<H>(
        &mut self,
        mut connections: Vec<Box<Connection<S>>>,
        reason: EndReason,
        seen: PacketRef,
        handler: &mut H,
    ) where
        H: Handler<State = S>,
    {
        connections.sort_by_key(|connection| connection.first_packet());
        for connection in connections {
            self.end(*connection, reason, seen, handler);
        }
    }

    /// What a full table gives up first. A flood of SYNs gives up its own: it may fill half of the table.
    fn least_valuable(&self) -> Option<u32> {
        let flooded = self.slots.len_of(Rank::Opening) > self.max_connections / 2;
        let second = if flooded { Rank::Opening } else { Rank::Dropped };
        [Rank::Over, second, Rank::Dropped, Rank::Opening, Rank::Live, Rank::Cherished]
            .into_iter()
            .find_map(|rank| self.slots.oldest(rank))
            .map(|(at, _)| at)
    }

    /// Forgets an entry, and ends what it was.
    pub(super) fn give_up<H>(&mut self, at: u32, seen: PacketRef, handler: &mut H)
    where
        H: Handler<State = S>,
    {
        if let Body::Live(connection) = self.remove(at) {
            self.end(*connection, EndReason::Idle, seen, handler);
        }
    }

    /// Forgets an entry; the answer is what it was.
    fn remove(&mut self, at: u32) -> Body<S> {
        let Some(key) = self.slots.get(at).map(|slot| slot.key) else { return Body::Free };
        if let Ok(entry) = self.index.find_entry(self.hasher.hash_one(key), |&other| other == at) {
            entry.remove();
        }
        if self.recent == at {
            self.recent = u32::MAX;
        }
        let old = self.slots.remove(at);
        self.weigh();
        old
    }

    /// Counts anew what the entries cost.
    fn weigh(&mut self) {
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

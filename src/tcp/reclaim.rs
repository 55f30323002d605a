//! Who pays when memory is spent.
//!
//! In: the table, and what its listener keeps, together above the mark of [`Shares::strained`]. Out: less than
//! [`Shares::eased`]. What is worth least is let go first, whoever has the packet at hand:
//!
//! 1. what nobody will miss: idle buffers;
//! 2. connections without a byte, the one that was silent longest first, down to a sixteenth of the memory;
//! 3. what connections without WebSocket keep, then what WebSockets keep: segments behind a hole, heads and frames that
//!    wait, content of open messages; of these the connections that keep most, and of those that keep about as much the
//!    one that was silent longest first. So whoever floods pays for it, and who keeps little is left alone;
//! 4. what WebSockets need to go on as before: contexts of compression;
//! 5. connections as such, in the order in which a full table gives them up.
//!
//! Each is a gap, a finding, or counted. One relief frees an eighth of the memory at least, so looking at all connections
//! costs little for each byte that was kept; nothing is looked at before.

use super::body::{Body, Rank};
use super::connection::{Fate, Turn};
use super::handler::{Depth, Handler};
use super::table::Table;
use crate::types::PacketRef;
#[cfg(doc)]
use crate::types::Shares;

/// Connections that keep fewer bytes than this are left alone, until they go as such.
const WORTH_SHEDDING: usize = 64;

/// Bytes that are kept in connections, by the binary logarithm of what each of them keeps.
type Classes = [usize; usize::BITS as usize];

impl<S> Table<S> {
    /// Whether so much is kept that something must go.
    #[inline]
    pub(super) fn is_strained<H: Handler<State = S>>(&self, handler: &H) -> bool {
        self.load(handler) > self.budget.shares.strained
    }

    /// Bytes kept, here and by the listener.
    #[inline]
    fn load<H: Handler<State = S>>(&self, handler: &H) -> usize {
        self.footprint().saturating_add(handler.held())
    }

    fn is_eased<H: Handler<State = S>>(&self, handler: &H) -> bool {
        self.load(handler) <= self.budget.shares.eased
    }

    /// Lets go of what is worth least, until enough is free.
    #[cold]
    pub(super) fn reclaim<H: Handler<State = S>>(&mut self, seen: PacketRef, handler: &mut H) {
        handler.trim();
        while !self.is_eased(handler)
            && self.slots.openings_held() > self.budget.shares.openings
            && self.evict(Rank::Opening, seen, handler)
        {}
        for (rank, depth) in
            [(Rank::Live, Depth::Context), (Rank::Cherished, Depth::Content), (Rank::Cherished, Depth::Context)]
        {
            if !self.is_eased(handler) {
                self.shed_rank(rank, depth, seen, handler);
            }
        }
        // Entries of connections that are over or dropped free nothing: their slots stay.
        for rank in [Rank::Opening, Rank::Live, Rank::Cherished] {
            while !self.is_eased(handler) && self.evict(rank, seen, handler) {}
        }
    }

    /// Gives up the connection of `rank` that was silent longest. Whether there was one.
    fn evict<H: Handler<State = S>>(&mut self, rank: Rank, seen: PacketRef, handler: &mut H) -> bool {
        let Some((at, _)) = self.slots.oldest(rank) else { return false };
        self.evictions += 1;
        self.give_up(at, seen, handler);
        true
    }

    /// Lets connections of `rank` shed what they keep: those that keep most.
    fn shed_rank<H: Handler<State = S>>(&mut self, rank: Rank, depth: Depth, seen: PacketRef, handler: &mut H) {
        let least = self.least_burden(rank, depth, handler);
        let mut next = self.slots.oldest(rank).map(|(at, _)| at);
        while let Some(at) = next {
            if self.is_eased(handler) {
                break;
            }
            next = self.slots.newer(at);
            if self.sheddable_bytes(at, depth, handler) >= least {
                self.shed(at, depth, seen, handler);
            }
        }
    }

    /// How much a connection must keep to be among those that shed, so that enough is freed: a power of two.
    fn least_burden<H: Handler<State = S>>(&self, rank: Rank, depth: Depth, handler: &H) -> usize {
        let mut classes: Classes = [0; usize::BITS as usize];
        let mut next = self.slots.oldest(rank).map(|(at, _)| at);
        while let Some(at) = next {
            let burden = self.sheddable_bytes(at, depth, handler);
            if let Some(class) = burden.checked_ilog2().and_then(|class| classes.get_mut(class as usize)) {
                *class = class.saturating_add(burden);
            }
            next = self.slots.newer(at);
        }
        threshold(&classes, self.load(handler).saturating_sub(self.budget.shares.eased))
    }

    /// What the connection in a slot would let go.
    fn sheddable_bytes<H: Handler<State = S>>(&self, at: u32, depth: Depth, handler: &H) -> usize {
        match self.slots.get(at).map(|slot| &slot.body) {
            Some(Body::Live(connection)) => connection.sheddable_bytes(depth, handler),
            _ => 0,
        }
    }

    fn shed<H>(&mut self, at: u32, depth: Depth, seen: PacketRef, handler: &mut H)
    where
        H: Handler<State = S>,
    {
        let Some(Body::Live(connection)) = self.slots.body_mut(at) else { return };
        let mut turn = Turn { seen, budget: &mut self.budget, handler };
        match connection.shed(depth, &mut turn) {
            Fate::Lives if connection.wants_time() => self.slots.change(at, Body::cherish),
            Fate::Lives => {}
            Fate::Dropped => drop(self.ignore(at, false)),
            Fate::Over(reason) => self.tell_over(at, reason, seen, handler),
        }
    }
}

/// The least power of two such that what is kept in connections that keep as much or more is `need`, or the least that is
/// worth it.
fn threshold(classes: &Classes, need: usize) -> usize {
    let mut sum = 0_usize;
    for (class, bytes) in classes.iter().enumerate().rev() {
        sum = sum.saturating_add(*bytes);
        if sum >= need {
            return (1 << class).max(WORTH_SHEDDING);
        }
    }
    WORTH_SHEDDING
}

#[cfg(test)]
mod tests;

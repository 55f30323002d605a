//! Which memory is freed first when it is short.
//!
//! In: the table and its handler, which together keep more than [`Shares::strained`]. Out: less than
//! [`Shares::eased`]. What is worth least is freed first, whichever connection has the packet at hand:
//!
//! 1. idle buffers;
//! 2. connections without a byte, the longest silent first, down to a sixteenth of the memory;
//! 3. what connections without WebSocket keep, then what WebSockets keep: segments after a gap, heads and frames that
//!    wait, content of open messages; of these the connections that keep most, and of those that keep about as much the
//!    longest silent first. So a flood pays for itself, and connections that keep little are left alone;
//! 4. what WebSockets need to continue as before: contexts of compression;
//! 5. connections as such, in the order in which a full table evicts them.
//!
//! Each is a gap, a finding, or counted. One reclaim frees an eighth of the memory at least, so looking at all
//! connections costs little for each byte that was kept; below the mark, nothing is looked at.

use super::connection::{Outcome, PacketContext};
use super::handler::{Depth, Handler};
use super::phase::{Phase, Rank};
use super::table::Table;
#[cfg(doc)]
use crate::types::Shares;

/// Connections that keep fewer bytes than this are left alone, until they are evicted.
const WORTH_SHEDDING: usize = 64;

/// Bytes that connections keep, by the binary logarithm of what each of them keeps.
type Classes = [usize; usize::BITS as usize];

impl<S> Table<S> {
    /// Whether so much is kept that something must be freed.
    #[inline]
    pub(super) fn is_strained<H: Handler<State = S>>(&self, handler: &H) -> bool {
        self.load(handler) > self.budget.shares.strained
    }

    /// Bytes kept, here and by the handler.
    #[inline]
    fn load<H: Handler<State = S>>(&self, handler: &H) -> usize {
        self.footprint().saturating_add(handler.held())
    }

    fn is_eased<H: Handler<State = S>>(&self, handler: &H) -> bool {
        self.load(handler) <= self.budget.shares.eased
    }

    /// Frees what is worth least, until enough is free.
    #[cold]
    pub(super) fn reclaim<H: Handler<State = S>>(&mut self, handler: &mut H) {
        handler.trim();
        while !self.is_eased(handler)
            && self.slots.openings_held() > self.budget.shares.openings
            && self.evict_oldest(Rank::Opening, handler)
        {}
        for (rank, depth) in
            [(Rank::Live, Depth::Context), (Rank::Retained, Depth::Content), (Rank::Retained, Depth::Context)]
        {
            if !self.is_eased(handler) {
                self.shed_rank(rank, depth, handler);
            }
        }
        // Evicting connections that are over or dropped frees nothing: their slots stay.
        for rank in [Rank::Opening, Rank::Live, Rank::Retained] {
            while !self.is_eased(handler) && self.evict_oldest(rank, handler) {}
        }
    }

    /// Evicts the longest silent connection of `rank`. False if there is none.
    fn evict_oldest<H: Handler<State = S>>(&mut self, rank: Rank, handler: &mut H) -> bool {
        let Some((at, _)) = self.slots.oldest(rank) else { return false };
        self.evict(at, handler);
        true
    }

    /// Lets those connections of `rank` shed that keep most.
    fn shed_rank<H: Handler<State = S>>(&mut self, rank: Rank, depth: Depth, handler: &mut H) {
        let least = self.least_to_shed(rank, depth, handler);
        let mut next = self.slots.oldest(rank).map(|(at, _)| at);
        while let Some(at) = next {
            if self.is_eased(handler) {
                break;
            }
            next = self.slots.newer(at);
            if self.sheddable_bytes(at, depth, handler) >= least {
                self.shed(at, depth, handler);
            }
        }
    }

    /// How many bytes a connection must keep to be among those that shed, so that enough is freed: a power of two.
    fn least_to_shed<H: Handler<State = S>>(&self, rank: Rank, depth: Depth, handler: &H) -> usize {
        let mut classes: Classes = [0; usize::BITS as usize];
        let mut next = self.slots.oldest(rank).map(|(at, _)| at);
        while let Some(at) = next {
            let bytes = self.sheddable_bytes(at, depth, handler);
            if let Some(class) = bytes.checked_ilog2().and_then(|class| classes.get_mut(class as usize)) {
                *class = class.saturating_add(bytes);
            }
            next = self.slots.newer(at);
        }
        threshold(&classes, self.load(handler).saturating_sub(self.budget.shares.eased))
    }

    /// How many bytes the connection in a slot would free.
    fn sheddable_bytes<H: Handler<State = S>>(&self, at: u32, depth: Depth, handler: &H) -> usize {
        match self.slots.get(at).map(|slot| &slot.phase) {
            Some(Phase::Live(connection)) => connection.sheddable_bytes(depth, handler),
            _ => 0,
        }
    }

    fn shed<H>(&mut self, at: u32, depth: Depth, handler: &mut H)
    where
        H: Handler<State = S>,
    {
        let Some(Phase::Live(connection)) = self.slots.phase_mut(at) else { return };
        let mut context = PacketContext { seen: self.seen, budget: &mut self.budget, handler };
        match connection.shed(depth, &mut context) {
            Outcome::Continues if connection.is_to_be_retained() => self.slots.change(at, Phase::retain),
            Outcome::Continues => {}
            Outcome::Dropped => drop(self.ignore(at, false)),
            Outcome::Over(reason) => self.report_over(at, reason, handler),
        }
    }
}

/// The largest power of two such that the connections that keep as much or more keep `need` bytes together; at least
/// [`WORTH_SHEDDING`].
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

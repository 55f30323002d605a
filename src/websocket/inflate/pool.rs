//! The zlib states that all connections of one worker share.
//!
//! A slot is *busy* while a message is under way in it: half a Huffman table cannot be stored elsewhere. An *idle* slot keeps
//! the context of its last inflater until another one needs the slot. A message gets, in this order: a slot given back, a
//! new one, the slot idle for the longest time, the slot busy for the longest time. Each choice takes constant time: idle and
//! busy slots are in rings of links, in the order of their last change.

use std::num::NonZeroU64;

use super::history::{History, WINDOW};
use super::stream::Stream;
use super::window::DistanceScanner;
use crate::types::Limits;

/// What zlib-rs allocates for one raw stream, its window included, rounded up.
const STREAM_BYTES: usize = 48 << 10;

/// The most bytes of a slot: with a twin stream, a scanner, and a history of its own.
const SLOT_BYTES: usize = 2 * size_of::<Slot>() + 2 * STREAM_BYTES + size_of::<DistanceScanner>() + WINDOW;

/// Output of one call of zlib: twice its window, and within a second-level cache.
const SCRATCH_BYTES: usize = 2 * WINDOW;

/// The links at which the two rings begin; slot `n` has link `n + FIRST`.
const IDLE: usize = 0;
const BUSY: usize = 1;
const FIRST: usize = 2;

/// The right to a slot, for as long as the slot has the same stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    stamp: NonZeroU64,
    slot: u32,
}

/// One zlib state and what goes with it.
#[derive(Debug)]
pub(super) struct Slot {
    /// Raw, with the largest window whatever was negotiated.
    pub(super) stream: Stream,
    /// The same with other bytes in place of the unknown ones; made for the first message after a loss.
    pub(super) twin_stream: Option<Stream>,
    /// For messages with a smaller window; made for the first one.
    pub(super) scanner: Option<Box<DistanceScanner>>,
    /// For messages without context takeover, which need a history only while they are decoded.
    pub(super) history: History,
    /// The stamp of the valid ticket; `None` once it was given back.
    stamp: Option<NonZeroU64>,
}

/// A slot borrowed for one call, and the output buffer that all slots share.
#[derive(Debug)]
pub(super) struct Loan<'p> {
    pub(super) slot: &'p mut Slot,
    pub(super) scratch: &'p mut [u8],
}

#[derive(Debug, Clone, Copy)]
struct Link {
    before: usize,
    after: usize,
}

/// Inflaters for all connections of one worker, at most
/// [`Limits::max_inflaters`](crate::types::Limits::max_inflaters), made as they are needed.
#[derive(Debug)]
pub struct InflaterPool {
    max: usize,
    slots: Vec<Slot>,
    links: Vec<Link>,
    scratch: Vec<u8>,
    stamps: NonZeroU64,
}

impl InflaterPool {
    /// A pool that has allocated nothing yet.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            max: limits.max_inflaters.min(limits.shares().inflaters / SLOT_BYTES).clamp(1, u32::MAX as usize),
            slots: Vec::new(),
            links: vec![Link { before: IDLE, after: IDLE }, Link { before: BUSY, after: BUSY }],
            scratch: Vec::new(),
            stamps: NonZeroU64::MIN,
        }
    }

    /// Bytes held: live inflaters and the output buffer they share.
    #[must_use]
    pub fn held(&self) -> usize {
        let slots = self.slots.iter().map(Slot::held).sum::<usize>();
        slots + self.scratch.capacity() + self.links.capacity() * size_of::<Link>()
    }

    /// An upper bound of [`Self::held`], without looking at each inflater.
    #[must_use]
    pub const fn charge(&self) -> usize {
        self.slots.len() * SLOT_BYTES + self.scratch.capacity() + self.links.capacity() * size_of::<Link>()
    }

    /// The number of inflaters.
    #[must_use]
    pub const fn live(&self) -> usize {
        self.slots.len()
    }

    /// A ticket to a slot for a message, and whether that still has the context of the ticket given. The slot is busy from
    /// now on.
    pub(super) fn occupy(&mut self, ticket: Option<Ticket>) -> (Ticket, bool) {
        if let Some(ticket) = ticket.filter(|ticket| self.is_valid(*ticket)) {
            self.move_to(ticket.slot as usize, BUSY);
            return (ticket, true);
        }
        let slot = self.choose_slot();
        self.stamps = self.stamps.saturating_add(1);
        let stamp = self.stamps;
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.stamp = Some(stamp);
        }
        self.move_to(slot, BUSY);
        (Ticket { stamp, slot: u32::try_from(slot).unwrap_or(u32::MAX) }, false)
    }

    /// The ticket's slot and the shared output buffer; `None` where another message took the slot.
    #[inline]
    pub(super) fn lend(&mut self, ticket: Ticket) -> Option<Loan<'_>> {
        let slot = self.slots.get_mut(ticket.slot as usize)?;
        if slot.stamp == Some(ticket.stamp) { Some(Loan { slot, scratch: &mut self.scratch }) } else { None }
    }

    /// The message is over; the context stays until the slot is needed.
    pub(super) fn set_idle(&mut self, ticket: Ticket) {
        if self.is_valid(ticket) {
            self.move_to(ticket.slot as usize, IDLE);
        }
    }

    /// The context in the slot is not needed any more.
    pub(super) fn give_back(&mut self, ticket: Ticket) {
        let Some(Loan { slot, .. }) = self.lend(ticket) else { return };
        slot.stamp = None;
        let slot = ticket.slot as usize;
        self.unlink(slot + FIRST);
        self.link(slot + FIRST, IDLE, self.after(IDLE));
    }

    fn is_valid(&self, ticket: Ticket) -> bool {
        self.slots.get(ticket.slot as usize).is_some_and(|slot| slot.stamp == Some(ticket.stamp))
    }

    /// The slot that the next message gets.
    fn choose_slot(&mut self) -> usize {
        let idle = self.after(IDLE).checked_sub(FIRST);
        if let Some(idle) = idle
            && self.slots.get(idle).is_some_and(|slot| slot.stamp.is_none())
        {
            return idle;
        }
        if self.slots.len() < self.max {
            return self.grow();
        }
        idle.or_else(|| self.after(BUSY).checked_sub(FIRST)).unwrap_or_default()
    }

    fn grow(&mut self) -> usize {
        self.scratch.resize(SCRATCH_BYTES, 0);
        let slot = self.slots.len();
        let stream = Stream::new();
        self.slots.push(Slot { stream, twin_stream: None, scanner: None, history: History::default(), stamp: None });
        self.links.push(Link { before: slot + FIRST, after: slot + FIRST });
        slot
    }

    /// Moves a slot to the end of a ring.
    #[inline]
    fn move_to(&mut self, slot: usize, ring: usize) {
        self.unlink(slot + FIRST);
        self.link(slot + FIRST, self.before(ring), ring);
    }

    fn unlink(&mut self, at: usize) {
        let (before, after) = (self.before(at), self.after(at));
        self.set(before, |link| link.after = after);
        self.set(after, |link| link.before = before);
    }

    fn link(&mut self, at: usize, before: usize, after: usize) {
        self.set(at, |link| *link = Link { before, after });
        self.set(before, |link| link.after = at);
        self.set(after, |link| link.before = at);
    }

    fn before(&self, at: usize) -> usize {
        self.links.get(at).map_or(at, |link| link.before)
    }

    fn after(&self, at: usize) -> usize {
        self.links.get(at).map_or(at, |link| link.after)
    }

    fn set(&mut self, at: usize, change: impl FnOnce(&mut Link)) {
        if let Some(link) = self.links.get_mut(at) {
            change(link);
        }
    }
}

impl Slot {
    fn held(&self) -> usize {
        let scanner = if self.scanner.is_some() { size_of::<DistanceScanner>() } else { 0 };
        let twin = if self.twin_stream.is_some() { STREAM_BYTES } else { 0 };
        size_of::<Self>() + STREAM_BYTES + twin + scanner + self.history.held()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(max_inflaters: usize) -> InflaterPool {
        InflaterPool::new(&Limits { max_inflaters, ..Limits::default() })
    }

    #[test]
    fn an_idle_context_is_found_again_until_another_message_needs_the_slot() {
        let mut pool = pool(2);
        let (a, known) = pool.occupy(None);
        assert!(!known);
        pool.set_idle(a);
        assert_eq!(pool.occupy(Some(a)), (a, true));
        pool.set_idle(a);
        let (b, _) = pool.occupy(None);
        pool.set_idle(b);
        assert_eq!(pool.live(), 2);
        assert!(pool.occupy(Some(a)).1);
        pool.set_idle(a);
        let (c, _) = pool.occupy(None); // takes b's, idle for longest
        assert!(pool.lend(b).is_none());
        assert!(pool.lend(a).is_some());
        assert!(!pool.occupy(Some(b)).1);
        assert!(pool.lend(a).is_none());
        assert!(pool.lend(c).is_some());
    }

    #[test]
    fn a_slot_given_back_goes_first_and_the_longest_busy_one_last() {
        let mut pool = pool(3);
        let [a, b, c] = [(); 3].map(|()| pool.occupy(None).0);
        pool.set_idle(c);
        pool.give_back(b);
        pool.give_back(b);
        let (d, _) = pool.occupy(None);
        assert_eq!(d.slot, b.slot);
        let (e, _) = pool.occupy(None);
        assert_eq!(e.slot, c.slot);
        let (f, _) = pool.occupy(None);
        assert_eq!(f.slot, a.slot, "all are busy");
        assert!(pool.lend(a).is_none());
        pool.set_idle(a);
        pool.give_back(a);
        assert!(pool.lend(f).is_some(), "an old ticket does nothing");
        assert_eq!(pool.live(), 3);
        assert!(pool.held() < 3 * (STREAM_BYTES + 4096) + SCRATCH_BYTES);
    }
}

//! IP fragments, held until their datagram is whole (RFC 791 §3.2, RFC 8200 §4.5).
//!
//! In come fragments in any order, out goes a datagram as soon as all of its bytes have come. Where fragments overlap
//! the first copy wins, whatever the next one says; one that contradicts the datagram's known end is dropped. Bytes
//! that the snaplen took from a fragment count as come, since they will not come again: of such a datagram all up to
//! the first byte that is missing is handed out, with the length it had, so a segment loses its tail as if it had come
//! in one packet.
//!
//! Unfinished datagrams are bounded in number, bytes and age ([`Limits`]); the oldest is given up first, and counted.
//! Their age is by the capture's clock, whichever way it jumps. Not here: what a datagram carries.

use core::mem;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use hashbrown::HashMap;

use super::ip::{Fragment, IpPacket};
use super::piece::{Piece, Skip};
use crate::types::{Limits, Timestamp};

/// What no datagram exceeds: its length is written in 16 bits.
const MAX_LEN: u32 = 65_535;
/// Buffers that wait to be used again.
const MAX_SPARE: usize = 4;
/// Whole datagrams that are remembered, to know the copies of their fragments.
const MAX_RECENT: usize = 16;

/// The unfinished datagrams.
#[derive(Debug)]
pub struct Fragments {
    max_datagrams: usize,
    max_bytes: usize,
    max_age_nanos: u64,
    /// Every unfinished datagram has a number; the lowest is the oldest.
    numbers: HashMap<Key, u64>,
    unfinished: BTreeMap<u64, Unfinished>,
    next_number: u64,
    /// The sum of [`Unfinished::cost`].
    bytes: usize,
    spare: Vec<Buffer>,
    recent: VecDeque<Key>,
    lost: u64,
}

/// A datagram that was put together.
#[derive(Debug)]
pub struct Whole {
    src: IpAddr,
    dst: IpAddr,
    protocol: u8,
    len: usize,
    buffer: Buffer,
}

/// What the fragments of a datagram have in common. In IPv6 the protocol is not part of it, and 0 (RFC 8200 §4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    src: IpAddr,
    dst: IpAddr,
    identification: u32,
    protocol: u8,
}

#[derive(Debug)]
struct Unfinished {
    key: Key,
    /// When its first fragment came.
    since: Timestamp,
    /// Of the fragment with offset 0; "Only the value from the Offset zero fragment packet is used" (RFC 8200 §4.5).
    protocol: u8,
    /// Its length, once the last fragment has come.
    end: Option<u32>,
    /// How many of its bytes have come.
    come: u32,
    /// Whether one with this key was whole shortly before: these may be copies, as captured on a second interface.
    again: bool,
    buffer: Buffer,
}

/// Bytes in the order in which they came, and where they belong.
#[derive(Debug, Default)]
struct Buffer {
    bytes: Vec<u8>,
    /// By offset; none overlap.
    runs: Vec<Run>,
}

/// Bytes of a datagram that came together.
#[derive(Debug, Clone, Copy)]
struct Run {
    offset: u32,
    len: u32,
    /// Where they lie in the buffer.
    at: usize,
    /// How many lie there, of `len`; the snaplen took the others.
    captured: usize,
}

impl Fragments {
    /// None yet.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            max_datagrams: limits.max_datagrams,
            max_bytes: limits.shares().datagrams,
            max_age_nanos: limits.datagram_secs.saturating_mul(1_000_000_000),
            numbers: HashMap::new(),
            unfinished: BTreeMap::new(),
            next_number: 0,
            bytes: 0,
            spare: Vec::new(),
            recent: VecDeque::new(),
            lost: 0,
        }
    }

    /// Takes a fragment, and says the datagram that it completes.
    ///
    /// # Errors It is none, is empty, reaches beyond 65,535 bytes, is of a length that none but the last may have, or
    /// contradicts the datagram's end: it was not taken.
    pub fn add(&mut self, part: &IpPacket<'_>, now: Timestamp) -> Result<Option<Whole>, Skip> {
        let fragment = part.fragment.ok_or(Skip::Malformed)?;
        let range = Range::of(part.payload, fragment).ok_or(Skip::Malformed)?;
        while self.unfinished.first_key_value().is_some_and(|(_, oldest)| oldest.age(now) > self.max_age_nanos) {
            self.give_up_oldest();
        }
        let number = self.number_of(Key::of(part, fragment), now);
        let Some(datagram) = self.unfinished.get_mut(&number) else {
            return Ok(None);
        };
        let before = datagram.cost();
        let taken = datagram.take(part, range);
        self.bytes = self.bytes.saturating_sub(before).saturating_add(datagram.cost());
        if taken.is_some() && datagram.end == Some(datagram.come) {
            return Ok(self.complete(number));
        }
        while self.bytes > self.max_bytes && self.give_up_oldest() {}
        taken.ok_or(Skip::Malformed).map(|()| None)
    }

    /// Gives up what is unfinished: the capture is over.
    pub fn finish(&mut self) {
        while self.give_up_oldest() {}
    }

    /// Takes back a datagram that is not needed any more, for its buffer.
    pub fn recycle(&mut self, whole: Whole) {
        self.keep_buffer(whole.buffer);
    }

    /// How many datagrams were given up.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    /// Bytes that it is keeping.
    #[must_use]
    pub fn held(&self) -> usize {
        let spare: usize = self.spare.iter().map(Buffer::held).sum();
        let recent = self.recent.capacity().saturating_mul(size_of::<Key>());
        self.bytes.saturating_add(spare).saturating_add(recent)
    }

    /// The number of the datagram with that key, which is a new one if there is none, or none young enough.
    fn number_of(&mut self, key: Key, now: Timestamp) -> u64 {
        if let Some(&number) = self.numbers.get(&key) {
            if self.unfinished.get(&number).is_some_and(|datagram| datagram.age(now) <= self.max_age_nanos) {
                return number;
            }
            self.give_up(number);
        }
        while self.unfinished.len() >= self.max_datagrams && self.give_up_oldest() {}
        let number = self.next_number;
        self.next_number = number.saturating_add(1);
        let buffer = self.spare.pop().unwrap_or_default();
        let again = self.recent.contains(&key);
        let datagram = Unfinished { key, since: now, protocol: key.protocol, end: None, come: 0, again, buffer };
        self.bytes = self.bytes.saturating_add(datagram.cost());
        self.numbers.insert(key, number);
        self.unfinished.insert(number, datagram);
        number
    }

    fn complete(&mut self, number: u64) -> Option<Whole> {
        let mut datagram = self.remove(number)?;
        if self.recent.len() >= MAX_RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(datagram.key);
        if !datagram.buffer.is_in_order() {
            let mut ordered = self.spare.pop().unwrap_or_default();
            datagram.buffer.copy_in_order(&mut ordered.bytes);
            self.keep_buffer(mem::replace(&mut datagram.buffer, ordered));
        }
        let Key { src, dst, .. } = datagram.key;
        let len = datagram.end.and_then(|end| usize::try_from(end).ok())?;
        Some(Whole { src, dst, protocol: datagram.protocol, len, buffer: datagram.buffer })
    }

    /// Says whether there was one.
    fn give_up_oldest(&mut self) -> bool {
        let Some((&number, _)) = self.unfinished.first_key_value() else {
            return false;
        };
        self.give_up(number);
        true
    }

    fn give_up(&mut self, number: u64) {
        if let Some(datagram) = self.remove(number) {
            self.lost = self.lost.saturating_add(u64::from(!datagram.again));
            self.keep_buffer(datagram.buffer);
        }
    }

    fn remove(&mut self, number: u64) -> Option<Unfinished> {
        let datagram = self.unfinished.remove(&number)?;
        self.numbers.remove(&datagram.key);
        self.bytes = self.bytes.saturating_sub(datagram.cost());
        Some(datagram)
    }

    fn keep_buffer(&mut self, mut buffer: Buffer) {
        if self.spare.len() < MAX_SPARE {
            buffer.bytes.clear();
            buffer.runs.clear();
            self.spare.push(buffer);
        }
    }
}

impl Whole {
    /// The datagram as if it had come in one packet; IPv6 may have extension headers at the front of it.
    #[must_use]
    pub fn packet(&self) -> IpPacket<'_> {
        let payload = Piece::new(&self.buffer.bytes, self.len);
        IpPacket { src: self.src, dst: self.dst, protocol: self.protocol, payload, fragment: None }
    }

    /// Bytes that it is keeping.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.buffer.held()
    }
}

impl Key {
    const fn of(part: &IpPacket<'_>, fragment: Fragment) -> Self {
        let protocol = if part.src.is_ipv4() { part.protocol } else { 0 };
        Self { src: part.src, dst: part.dst, identification: fragment.identification, protocol }
    }
}

/// Where a fragment's payload belongs.
#[derive(Debug, Clone, Copy)]
struct Range {
    start: u32,
    end: u32,
    last: bool,
}

impl Range {
    /// `None` for what no host sends: nothing, bytes beyond the greatest length, or a length that leaves a hole before
    /// the next fragment, since offsets count in units of 8.
    fn of(payload: Piece<'_>, fragment: Fragment) -> Option<Self> {
        let start = u32::from(fragment.offset);
        let len = u32::try_from(payload.len()).ok()?;
        let end = start.checked_add(len)?;
        let possible = len > 0 && end <= MAX_LEN && (!fragment.more || len.is_multiple_of(8));
        possible.then_some(Self { start, end, last: !fragment.more })
    }
}

impl Unfinished {
    /// Its distance in time, in nanoseconds; captures are not always in order.
    const fn age(&self, now: Timestamp) -> u64 {
        now.since(self.since).unsigned_abs()
    }

    const fn cost(&self) -> usize {
        // Twice the key: it is in the map as well.
        self.buffer.held() + size_of::<Self>() + size_of::<Key>() + 2 * size_of::<u64>()
    }

    /// Keeps what is new of a fragment; `None` if that contradicts the end.
    fn take(&mut self, part: &IpPacket<'_>, range: Range) -> Option<()> {
        let reached = self.buffer.runs.last().map_or(0, Run::end);
        match self.end {
            Some(end) if range.end > end || (range.last && range.end != end) => return None,
            None if range.last && range.end < reached => return None,
            _ => {}
        }
        if range.last {
            self.end = Some(range.end);
        }
        if range.start == 0 && self.buffer.runs.first().is_none_or(|first| first.offset > 0) {
            self.protocol = part.protocol;
        }
        self.come = self.come.saturating_add(self.buffer.insert(range, part.payload.bytes()));
        Some(())
    }
}

impl Run {
    const fn end(&self) -> u32 {
        self.offset.saturating_add(self.len)
    }
}

impl Buffer {
    const fn held(&self) -> usize {
        self.bytes.capacity() + self.runs.capacity() * size_of::<Run>()
    }

    /// Keeps what lies between the runs that are there, and says how much that was. `bytes` begin at the range's start.
    fn insert(&mut self, range: Range, bytes: &[u8]) -> u32 {
        let count = self.runs.len();
        let mut added = 0_u32;
        let mut from = range.start;
        let first = self.runs.partition_point(|run| run.end() <= range.start);
        for index in first..count {
            let Some(run) = self.runs.get(index).copied().filter(|run| run.offset < range.end) else {
                break;
            };
            added = added.saturating_add(self.push(range.start, from..run.offset, bytes));
            from = run.end();
        }
        added = added.saturating_add(self.push(range.start, from..range.end, bytes));
        if first < count && added > 0 {
            self.runs.sort_by_key(|run| run.offset);
        }
        added
    }

    /// Adds a run for the part `new` of a fragment that begins at `start`, and says its length.
    fn push(&mut self, start: u32, new: core::ops::Range<u32>, bytes: &[u8]) -> u32 {
        if new.is_empty() {
            return 0;
        }
        let place = |offset: u32| usize::try_from(offset.saturating_sub(start)).unwrap_or(usize::MAX).min(bytes.len());
        let captured = bytes.get(place(new.start)..place(new.end)).unwrap_or_default();
        let len = new.end.saturating_sub(new.start);
        self.runs.push(Run { offset: new.start, len, at: self.bytes.len(), captured: captured.len() });
        self.bytes.extend_from_slice(captured);
        len
    }

    /// Whether `bytes` are the datagram as they lie there, nothing missing.
    fn is_in_order(&self) -> bool {
        self.runs.iter().all(|run| usize::try_from(run.offset) == Ok(run.at))
            && self.runs.iter().all(|run| usize::try_from(run.len) == Ok(run.captured))
    }

    /// Copies to `out` all up to the first byte that was not captured.
    fn copy_in_order(&self, out: &mut Vec<u8>) {
        out.clear();
        for run in &self.runs {
            let end = run.at.saturating_add(run.captured);
            out.extend_from_slice(self.bytes.get(run.at..end).unwrap_or_default());
            if usize::try_from(run.len) != Ok(run.captured) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;

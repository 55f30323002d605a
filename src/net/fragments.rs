//! IP fragments, held until their packet is complete (RFC 791 §3.2, RFC 8200 §4.5).
//!
//! In: fragments in any order. Out: the reassembled packet, as soon as all of its bytes were received. Where fragments
//! overlap, the bytes received first are kept. A fragment that contradicts the packet's known end is dropped. Bytes that the
//! snaplen cut from a fragment count as received, since they will not be sent again: such a packet comes out up to its first
//! missing byte, with the length that it had on the wire. A segment in it loses its end as if it had not been fragmented.
//!
//! Incomplete packets are bounded in number, bytes and age ([`Limits`], where they are called datagrams, as in RFC 791); the
//! oldest is dropped first, and counted. Their age is measured by the capture's clock, which may jump either way. What the
//! packets carry is not read here.

use core::mem;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use hashbrown::HashMap;

use super::captured::{Captured, Undecoded};
use super::ip::{Fragment, IpPacket};
use crate::types::{Limits, Timestamp};

/// The longest payload: its length is written in 16 bits.
const MAX_LEN: u32 = 65_535;
/// Buffers kept for reuse.
const MAX_IDLE_BUFFERS: usize = 4;
/// Reassembled packets that are remembered, to recognize copies of their fragments.
const MAX_RECENT: usize = 16;

/// The incomplete packets.
#[derive(Debug)]
pub struct Fragments {
    max_packets: usize,
    max_bytes: usize,
    max_age_nanos: u64,
    /// Each incomplete packet has a number; the oldest has the lowest.
    numbers: HashMap<Key, u64>,
    incomplete: BTreeMap<u64, Incomplete>,
    next_number: u64,
    /// The sum of [`Incomplete::cost`].
    bytes: usize,
    idle_buffers: Vec<Buffer>,
    recent: VecDeque<Key>,
    lost: u64,
}

/// A packet that was put together from fragments.
#[derive(Debug)]
pub struct Reassembled {
    src: IpAddr,
    dst: IpAddr,
    protocol: u8,
    len: usize,
    buffer: Buffer,
}

/// The fields that are the same in all fragments of a packet. In IPv6 the protocol is not among them, and 0 here (RFC 8200
/// §4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    src: IpAddr,
    dst: IpAddr,
    identification: u32,
    protocol: u8,
}

#[derive(Debug)]
struct Incomplete {
    key: Key,
    /// The time of the fragment received first.
    first: Timestamp,
    /// Of the fragment with offset 0; "Only the value from the Offset zero fragment packet is used" (RFC 8200 §4.5).
    protocol: u8,
    /// Its length, once the last fragment was received.
    end: Option<u32>,
    /// How many of its bytes were received.
    received: u32,
    /// Whether a packet with this key was completed shortly before: these fragments may be its copies, captured on a second
    /// interface.
    repeated: bool,
    buffer: Buffer,
}

/// Bytes in the order in which they were received, and their places in the packet.
#[derive(Debug, Default)]
struct Buffer {
    bytes: Vec<u8>,
    /// By offset; none overlap.
    extents: Vec<Extent>,
}

/// Adjacent bytes of a packet, received in one fragment.
#[derive(Debug, Clone, Copy)]
struct Extent {
    offset: u32,
    len: u32,
    /// Where they begin in the buffer.
    at: usize,
    /// How many of `len` bytes were captured, and are in the buffer.
    captured: usize,
}

impl Fragments {
    /// No fragments yet; what is held stays within `limits`.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            max_packets: limits.max_datagrams,
            max_bytes: limits.shares().datagrams,
            max_age_nanos: limits.datagram_secs.saturating_mul(1_000_000_000),
            numbers: HashMap::new(),
            incomplete: BTreeMap::new(),
            next_number: 0,
            bytes: 0,
            idle_buffers: Vec::new(),
            recent: VecDeque::new(),
            lost: 0,
        }
    }

    /// Takes a fragment; answers the packet that it completes.
    ///
    /// # Errors
    /// The fragment was not taken: it is not a fragment, is empty, extends beyond 65,535 bytes, has a length that only the
    /// last fragment may have, or contradicts the packet's end.
    pub fn add(&mut self, part: &IpPacket<'_>, now: Timestamp) -> Result<Option<Reassembled>, Undecoded> {
        let fragment = part.fragment.ok_or(Undecoded::Malformed)?;
        let range = FragmentRange::of(part.payload, fragment).ok_or(Undecoded::Malformed)?;
        while self.incomplete.first_key_value().is_some_and(|(_, oldest)| oldest.age(now) > self.max_age_nanos) {
            self.discard_oldest();
        }
        let number = self.number_of(Key::of(part, fragment), now);
        let Some(packet) = self.incomplete.get_mut(&number) else {
            return Ok(None);
        };
        let before = packet.cost();
        let taken = packet.take(part, range);
        self.bytes = self.bytes.saturating_sub(before).saturating_add(packet.cost());
        if taken.is_some() && packet.end == Some(packet.received) {
            return Ok(self.complete(number));
        }
        while self.bytes > self.max_bytes && self.discard_oldest() {}
        taken.ok_or(Undecoded::Malformed).map(|()| None)
    }

    /// Drops the incomplete packets, and counts them as lost: the capture is over.
    pub fn finish(&mut self) {
        while self.discard_oldest() {}
    }

    /// Takes back a packet that is not needed any more, to reuse its buffer.
    pub fn recycle(&mut self, packet: Reassembled) {
        self.reuse_buffer(packet.buffer);
    }

    /// How many packets were dropped incomplete.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    /// Bytes held.
    #[must_use]
    pub fn held(&self) -> usize {
        let idle_buffers: usize = self.idle_buffers.iter().map(Buffer::held).sum();
        let recent = self.recent.capacity().saturating_mul(size_of::<Key>());
        self.bytes.saturating_add(idle_buffers).saturating_add(recent)
    }

    /// The number of the incomplete packet with that key. A new one is begun if there is none, or only one that is too old.
    fn number_of(&mut self, key: Key, now: Timestamp) -> u64 {
        if let Some(&number) = self.numbers.get(&key) {
            if self.incomplete.get(&number).is_some_and(|packet| packet.age(now) <= self.max_age_nanos) {
                return number;
            }
            self.discard(number);
        }
        while self.incomplete.len() >= self.max_packets && self.discard_oldest() {}
        let number = self.next_number;
        self.next_number = number.saturating_add(1);
        let buffer = self.idle_buffers.pop().unwrap_or_default();
        let repeated = self.recent.contains(&key);
        let packet = Incomplete { key, first: now, protocol: key.protocol, end: None, received: 0, repeated, buffer };
        self.bytes = self.bytes.saturating_add(packet.cost());
        self.numbers.insert(key, number);
        self.incomplete.insert(number, packet);
        number
    }

    fn complete(&mut self, number: u64) -> Option<Reassembled> {
        let mut packet = self.remove(number)?;
        if self.recent.len() >= MAX_RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(packet.key);
        if !packet.buffer.is_in_order() {
            let mut ordered = self.idle_buffers.pop().unwrap_or_default();
            packet.buffer.copy_in_order(&mut ordered.bytes);
            self.reuse_buffer(mem::replace(&mut packet.buffer, ordered));
        }
        let Key { src, dst, .. } = packet.key;
        let len = packet.end.and_then(|end| usize::try_from(end).ok())?;
        Some(Reassembled { src, dst, protocol: packet.protocol, len, buffer: packet.buffer })
    }

    /// Drops the oldest; false if there was none.
    fn discard_oldest(&mut self) -> bool {
        let Some((&number, _)) = self.incomplete.first_key_value() else {
            return false;
        };
        self.discard(number);
        true
    }

    fn discard(&mut self, number: u64) {
        if let Some(packet) = self.remove(number) {
            self.lost = self.lost.saturating_add(u64::from(!packet.repeated));
            self.reuse_buffer(packet.buffer);
        }
    }

    fn remove(&mut self, number: u64) -> Option<Incomplete> {
        let packet = self.incomplete.remove(&number)?;
        self.numbers.remove(&packet.key);
        self.bytes = self.bytes.saturating_sub(packet.cost());
        Some(packet)
    }

    fn reuse_buffer(&mut self, mut buffer: Buffer) {
        if self.idle_buffers.len() < MAX_IDLE_BUFFERS {
            buffer.bytes.clear();
            buffer.extents.clear();
            self.idle_buffers.push(buffer);
        }
    }
}

impl Reassembled {
    /// The packet as if it had not been fragmented; its payload may begin with extension headers of IPv6.
    #[must_use]
    pub fn packet(&self) -> IpPacket<'_> {
        let payload = Captured::new(&self.buffer.bytes, self.len);
        IpPacket { src: self.src, dst: self.dst, protocol: self.protocol, payload, fragment: None }
    }

    /// Bytes held.
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

/// The place of a fragment's payload in its packet.
#[derive(Debug, Clone, Copy)]
struct FragmentRange {
    start: u32,
    end: u32,
    last: bool,
}

impl FragmentRange {
    /// `None` for fragments that no host sends: empty ones, ones that extend beyond the greatest length, and ones whose end no
    /// offset can name, since offsets count in units of 8 bytes.
    fn of(payload: Captured<'_>, fragment: Fragment) -> Option<Self> {
        let start = u32::from(fragment.offset);
        let len = u32::try_from(payload.len()).ok()?;
        let end = start.checked_add(len)?;
        let possible = len > 0 && end <= MAX_LEN && (!fragment.more || len.is_multiple_of(8));
        possible.then_some(Self { start, end, last: !fragment.more })
    }
}

impl Incomplete {
    /// The time between its first fragment and `now`, in nanoseconds, either way: captures are not always in order.
    const fn age(&self, now: Timestamp) -> u64 {
        now.since(self.first).unsigned_abs()
    }

    const fn cost(&self) -> usize {
        // The key is counted twice: it is in the map as well.
        self.buffer.held() + size_of::<Self>() + size_of::<Key>() + 2 * size_of::<u64>()
    }

    /// Keeps the bytes of a fragment that were not received before; `None` if it contradicts the packet's end.
    fn take(&mut self, part: &IpPacket<'_>, range: FragmentRange) -> Option<()> {
        let reached = self.buffer.extents.last().map_or(0, Extent::end);
        match self.end {
            Some(end) if range.end > end || (range.last && range.end != end) => return None,
            None if range.last && range.end < reached => return None,
            _ => {}
        }
        if range.last {
            self.end = Some(range.end);
        }
        if range.start == 0 && self.buffer.extents.first().is_none_or(|first| first.offset > 0) {
            self.protocol = part.protocol;
        }
        self.received = self.received.saturating_add(self.buffer.insert(range, part.payload.bytes()));
        Some(())
    }
}

impl Extent {
    const fn end(&self) -> u32 {
        self.offset.saturating_add(self.len)
    }
}

impl Buffer {
    const fn held(&self) -> usize {
        self.bytes.capacity() + self.extents.capacity() * size_of::<Extent>()
    }

    /// Keeps those of `bytes` that lie between the extents received before; answers how many these are on the wire. `bytes`
    /// begin at the range's start.
    fn insert(&mut self, range: FragmentRange, bytes: &[u8]) -> u32 {
        let count = self.extents.len();
        let mut added = 0_u32;
        let mut from = range.start;
        let first = self.extents.partition_point(|extent| extent.end() <= range.start);
        for index in first..count {
            let Some(extent) = self.extents.get(index).copied().filter(|extent| extent.offset < range.end) else {
                break;
            };
            added = added.saturating_add(self.push(range.start, from..extent.offset, bytes));
            from = extent.end();
        }
        added = added.saturating_add(self.push(range.start, from..range.end, bytes));
        if first < count && added > 0 {
            self.extents.sort_by_key(|extent| extent.offset);
        }
        added
    }

    /// Adds an extent for the part `new` of a fragment that begins at `start`; answers its length.
    fn push(&mut self, start: u32, new: core::ops::Range<u32>, bytes: &[u8]) -> u32 {
        if new.is_empty() {
            return 0;
        }
        let place = |offset: u32| usize::try_from(offset.saturating_sub(start)).unwrap_or(usize::MAX).min(bytes.len());
        let captured = bytes.get(place(new.start)..place(new.end)).unwrap_or_default();
        let len = new.end.saturating_sub(new.start);
        self.extents.push(Extent { offset: new.start, len, at: self.bytes.len(), captured: captured.len() });
        self.bytes.extend_from_slice(captured);
        len
    }

    /// Whether `bytes` are the packet's payload in order, nothing missing.
    fn is_in_order(&self) -> bool {
        self.extents.iter().all(|extent| usize::try_from(extent.offset) == Ok(extent.at))
            && self.extents.iter().all(|extent| usize::try_from(extent.len) == Ok(extent.captured))
    }

    /// Copies to `out` the payload up to the first byte that was not captured.
    fn copy_in_order(&self, out: &mut Vec<u8>) {
        out.clear();
        for extent in &self.extents {
            let end = extent.at.saturating_add(extent.captured);
            out.extend_from_slice(self.bytes.get(extent.at..end).unwrap_or_default());
            if usize::try_from(extent.len) != Ok(extent.captured) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;

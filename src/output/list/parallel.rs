//! The list of outputs, fed by several workers.
//!
//! In: the events of a worker's connections, or the batches that workers filled. Out: the same calls of each output in the
//! same order as with one worker, but that an output with a shard takes from its batch in place of events.

use core::mem::size_of;
use std::collections::VecDeque;
use std::io;

use super::outputs::{Entry, Outputs};
use super::{OutputBatch, OutputShard, Wants};
use crate::event::{Batch, Event, Kept, Numbers, Owned, ParallelSink, Shard, Uid, What};
use crate::types::{Direction, PacketRef};

/// What a worker has of all outputs.
pub struct OutputsShard {
    /// By their places in the list.
    list: Vec<Work>,
}

/// What a worker does for one output.
struct Work {
    wants: Wants,
    /// Prepares the events that the output wants; without it they are copied. One copy serves all outputs.
    shard: Option<Box<dyn OutputShard>>,
}

/// What workers prepare for all outputs.
#[derive(Default)]
pub struct OutputsBatch {
    /// What the outputs' shards made, by their places in the list.
    parts: Vec<Option<Box<dyn OutputBatch>>>,
    /// Copies of events.
    kept: Kept,
    /// Packets, where an output wants them.
    packets: VecDeque<KeptPacket>,
    /// Of each event that was prepared or copied: for which outputs.
    places: Vec<Places>,
    /// Of these, how many were taken.
    taken: usize,
}

/// A packet that carried bytes of a connection.
type KeptPacket = (PacketRef, Option<Direction>, Uid);

/// A set of places in the list; and whether it is of a packet, not of another event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Places(u64);

impl Places {
    /// This place and those after it are one.
    const LAST: usize = 62;
    const PACKET: u64 = 1 << 63;

    fn add(&mut self, place: usize) {
        self.0 |= 1 << place.min(Self::LAST);
    }

    fn has(self, place: usize) -> bool {
        self.0 >> place.min(Self::LAST) & 1 != 0
    }

    const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl OutputsShard {
    /// The outputs that may want a packet.
    fn packet(&self, event: &Event<'_>, batch: &mut OutputsBatch) -> Places {
        let mut places = Places::default();
        let want = self.list.iter().enumerate().filter(|(_, work)| work.wants.may_take(event));
        want.for_each(|(place, _)| places.add(place));
        if !places.is_empty() {
            batch.packets.push_back((event.seen, event.direction, event.connection.uid));
            places.0 |= Places::PACKET;
        }
        places
    }

    /// The outputs for which an event was prepared or copied.
    fn prepare(&mut self, event: &Event<'_>, batch: &mut OutputsBatch) -> Places {
        batch.parts.resize_with(self.list.len(), || None);
        let (mut places, mut copied_bytes) = (Places::default(), None);
        for (place, (work, part)) in self.list.iter_mut().zip(&mut batch.parts).enumerate() {
            if !work.wants.may_take(event) {
                continue;
            }
            let any = match &mut work.shard {
                Some(shard) => shard.event(event, part),
                None => {
                    copied_bytes = copied_bytes.max(Some(work.wants.bytes_of(&event.what)));
                    true
                }
            };
            if any {
                places.add(place);
            }
        }
        copied_bytes.into_iter().for_each(|bytes| batch.kept.keep(Owned::copy(event, bytes)));
        places
    }
}

impl Shard for OutputsShard {
    type Batch = OutputsBatch;

    fn event(&mut self, event: &Event<'_>, batch: &mut OutputsBatch) -> bool {
        let is_packet = matches!(event.what, What::Packet);
        let places = if is_packet { self.packet(event, batch) } else { self.prepare(event, batch) };
        if places.is_empty() {
            return false;
        }
        batch.places.push(places);
        true
    }
}

impl Batch for OutputsBatch {
    fn held(&self) -> usize {
        let parts: usize = self.parts.iter().flatten().map(|part| part.held()).sum();
        let packets = self.packets.len() * size_of::<KeptPacket>();
        parts + Batch::held(&self.kept) + packets + self.places.len() * size_of::<Places>()
    }

    fn clear(&mut self) {
        self.parts.iter_mut().flatten().for_each(|part| part.clear());
        Batch::clear(&mut self.kept);
        self.packets.clear();
        self.places.clear();
        self.taken = 0;
    }
}

impl ParallelSink for Outputs<'_> {
    type Shard = OutputsShard;

    fn shard(&self) -> OutputsShard {
        let work = |(place, entry): (usize, &Entry<'_>)| {
            let copies = place >= Places::LAST || entry.wants.connections.needs_number();
            Work { wants: entry.wants.clone(), shard: if copies { None } else { entry.output.shard() } }
        };
        OutputsShard { list: self.list.iter().enumerate().map(work).collect() }
    }

    fn take(&mut self, batch: &mut OutputsBatch, numbers: Numbers) -> io::Result<()> {
        let places = batch.places.get(batch.taken).copied().unwrap_or_default();
        batch.taken += 1;
        let entries = self.list.iter_mut().enumerate().filter(|(place, _)| places.has(*place));
        if places.0 & Places::PACKET != 0 {
            let Some((packet, direction, uid)) = batch.packets.pop_front() else { return Ok(()) };
            return entries
                .map(|(_, entry)| entry)
                .filter(|entry| entry.wants.takes_packets_of(numbers.connection, uid))
                .try_for_each(|entry| entry.output.packet(packet, direction, numbers));
        }
        let mut copy = None;
        for (place, entry) in entries {
            // An output that has a part of the batch has a shard, and no copies.
            if let Some(Some(part)) = batch.parts.get_mut(place) {
                entry.output.take(&mut **part, numbers)?;
                continue;
            }
            let copy = copy.get_or_insert_with(|| batch.kept.next(numbers));
            let give = |event: &Event<'_>| if entry.wants.takes(event) { entry.output.event(event) } else { Ok(()) };
            copy.as_ref().map_or(Ok(()), |copy| copy.lend(give))?;
        }
        Ok(())
    }
}

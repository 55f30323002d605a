//! What a worker sends to the merger.

use super::job::InputProblems;
use crate::event::{Batch, ParallelSink, Shard, Totals};

/// What a sink's shards fill.
pub(super) type BatchOf<W> = <<W as ParallelSink>::Shard as Shard>::Batch;

/// Batches of each worker: so far it may be ahead of the others, or of a slow output.
pub(super) const BATCHES_PER_WORKER: usize = 16;

/// The place of an event in the order of all. No two workers emit at the same key: a packet has one segment, and is the
/// first of one connection at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct OrderKey {
    /// The current packet; [`u64::MAX`] after the last one.
    pub(super) packet: u64,
    /// For what the packet's time ended: the first packet of the connection. [`u64::MAX`] for what its segment brought.
    pub(super) within: u64,
}

impl OrderKey {
    /// After everything.
    pub(super) const END: Self = Self { packet: u64::MAX, within: u64::MAX };

    /// Before everything that the packet after this one brings.
    pub(super) const fn after_packet(packet: u64) -> Self {
        Self { packet: packet.saturating_add(1), within: 0 }
    }
}

/// Consecutive items of one connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct ItemGroup {
    pub(super) key: OrderKey,
    /// The connection's number, as its worker counts.
    pub(super) connection: u64,
    /// How many items of the batch are in the group; possibly none.
    pub(super) items: u32,
    /// No more events of the connection follow.
    pub(super) last: bool,
}

/// Items of a sink's batch, and all that is needed to take them in order.
#[derive(Debug, Default)]
pub(super) struct WorkerBatch<P> {
    /// The items.
    pub(super) batch: P,
    /// Their connections and places.
    groups: Vec<ItemGroup>,
    /// Groups that were taken.
    groups_taken: usize,
    /// Of each connection that is reported for the first time, in order: its TCP connection, if it has one, as its worker counts.
    pub(super) new_connections: Vec<Option<u64>>,
    /// Of these, how many were taken.
    new_taken: usize,
    /// The packets that opened a TCP connection.
    pub(super) opened: Vec<u64>,
    /// All events before this key are in this batch and the worker's earlier ones.
    pub(super) reached: OrderKey,
}

/// What one event adds to a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct EventMark {
    pub(super) key: OrderKey,
    /// The connection's number, as its worker counts.
    pub(super) connection: u64,
    /// Whether the sink's batch has an item for it.
    pub(super) item: bool,
    /// Whether it is the connection's last.
    pub(super) last: bool,
}

impl<P: Batch> WorkerBatch<P> {
    /// Adds an event.
    pub(super) fn add(&mut self, event: EventMark) {
        let EventMark { key, connection, item, last } = event;
        let items = u32::from(item);
        match self.groups.last_mut() {
            Some(group)
                if group.key == key && group.connection == connection && !group.last && group.items < u32::MAX =>
            {
                group.items += items;
                group.last = last;
            }
            _ => self.groups.push(ItemGroup { key, connection, items, last }),
        }
    }

    /// Whether all in it was taken.
    pub(super) const fn is_taken(&self) -> bool {
        self.groups_taken >= self.groups.len()
    }

    /// The key of the next group that was not taken.
    pub(super) fn next_key(&self) -> Option<OrderKey> {
        self.groups.get(self.groups_taken).map(|group| group.key)
    }

    /// Takes the next group, unless it is after `until`.
    pub(super) fn take_group(&mut self, until: OrderKey) -> Option<ItemGroup> {
        let group = self.groups.get(self.groups_taken).filter(|group| group.key <= until).copied();
        self.groups_taken += usize::from(group.is_some());
        group
    }

    /// Takes the next of the connections that are reported for the first time.
    pub(super) fn take_new_connection(&mut self) -> Option<u64> {
        let tcp = self.new_connections.get(self.new_taken).copied().unwrap_or_default();
        self.new_taken += 1;
        tcp
    }

    /// Bytes held, approximately.
    pub(super) fn held(&self) -> usize {
        self.batch.held()
            + self.groups.len() * size_of::<ItemGroup>()
            + self.new_connections.len() * size_of::<Option<u64>>()
            + self.opened.len() * size_of::<u64>()
    }

    /// Empties it for its next use.
    pub(super) fn clear(&mut self) {
        const USUAL_GROUPS: usize = 8192;
        self.batch.clear();
        self.groups.clear();
        self.groups.shrink_to(USUAL_GROUPS);
        (self.groups_taken, self.new_taken) = (0, 0);
        self.new_connections.clear();
        self.opened.clear();
    }
}

/// What the merger receives.
pub(super) enum ToMerger<P> {
    /// From a worker.
    Batch(usize, WorkerBatch<P>),
    /// From a worker, after its last batch: its counts, and problems with the input where it read that itself.
    Finished(usize, Totals, Option<InputProblems>),
    /// From the broadcaster, when it has read the input.
    InputRead(InputProblems),
    /// From a thread of that number that panicked.
    Panicked(usize),
}

//! What a worker sends to the merger.

use super::Reading;
use crate::event::{Batch, Totals};

/// Batches of each worker: what it may be ahead of the others, or of a slow output.
pub(super) const BATCHES: usize = 16;

/// When something was told. One worker's alone, each: a packet has one segment, and begins one connection at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Key {
    /// The packet at hand; [`u64::MAX`] behind the last one.
    pub(super) packet: u64,
    /// Of what the packet's time ended: the first packet of the connection. [`u64::MAX`] for what its segment brought.
    pub(super) order: u64,
}

impl Key {
    /// Behind everything.
    pub(super) const END: Self = Self { packet: u64::MAX, order: u64::MAX };
}

/// Things about one connection, told in a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) key: Key,
    /// The connection's number, as its worker counts.
    pub(super) connection: u64,
    /// How many things the batch has of it; perhaps none.
    pub(super) things: u32,
    /// The connection is told of no more.
    pub(super) last: bool,
}

/// Things to be done, and all that is needed to do them in order.
#[derive(Debug, Default)]
pub(super) struct WorkerBatch<P> {
    /// The things.
    pub(super) batch: P,
    /// Whose they are, and when.
    pub(super) runs: Vec<Run>,
    /// Runs that were taken.
    pub(super) taken: usize,
    /// Of each connection that is told of for the first time, in order: its TCP connection, as its worker counts.
    pub(super) told: Vec<u64>,
    /// Of these, how many were taken.
    pub(super) told_taken: usize,
    /// The packets that opened a TCP connection.
    pub(super) opened: Vec<u64>,
    /// All that comes before this was told, in this batch and those before it.
    pub(super) reached: Key,
}

impl<P: Batch> WorkerBatch<P> {
    /// Notes one more thing, or only that the connection is told of.
    pub(super) fn note(&mut self, key: Key, connection: u64, thing: bool, last: bool) {
        let things = u32::from(thing);
        match self.runs.last_mut() {
            Some(run) if run.key == key && run.connection == connection && !run.last && run.things < u32::MAX => {
                run.things += things;
                run.last = last;
            }
            _ => self.runs.push(Run { key, connection, things, last }),
        }
    }

    /// Bytes that it keeps, about.
    pub(super) fn held(&self) -> usize {
        self.batch.held()
            + self.runs.len() * size_of::<Run>()
            + (self.told.len() + self.opened.len()) * size_of::<u64>()
    }

    /// Makes it as good as new.
    pub(super) fn clear(&mut self) {
        const USUAL: usize = 8192;
        self.batch.clear();
        self.runs.clear();
        self.runs.shrink_to(USUAL);
        (self.taken, self.told_taken) = (0, 0);
        self.told.clear();
        self.opened.clear();
    }
}

/// What the merger is told.
pub(super) enum Message<P> {
    /// By a worker.
    Batch(usize, WorkerBatch<P>),
    /// By a worker: its last batch was sent. What it counted, and how reading ended where it did that itself.
    Done(usize, Totals, Option<Reading>),
    /// By the broadcaster: how reading ended.
    Read(Reading),
    /// By a thread of that number that panicked.
    Died(usize),
}

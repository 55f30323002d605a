//! The sink of a worker: its shard turns events into items, and batches of these go to the merger.
//!
//! In: the events of the worker's own connections. Out: [`WorkerBatch`]es, with the place of each event in the order of all,
//! and how far the worker is.

use std::sync::mpsc::{Receiver, Sender};

use super::batch::{EventMark, OrderKey, ToMerger, WorkerBatch};
use super::job::Workers;
use crate::event::{Event, Shard, Sink, What};

/// The merger has ended, and with it the run. It reports why.
#[derive(Debug)]
pub(super) struct MergerGone;

/// A worker's connection to the merger.
pub(super) struct MergerLink<P> {
    /// The worker's number.
    pub(super) worker: usize,
    /// To the merger.
    pub(super) to_merger: Sender<ToMerger<P>>,
    /// Batches that come back empty.
    pub(super) empty: Receiver<WorkerBatch<P>>,
}

/// The sink of a worker.
pub(super) struct Emitter<S: Shard> {
    link: MergerLink<S::Batch>,
    workers: Workers,
    shard: S,
    batch: WorkerBatch<S::Batch>,
    /// Empty batches. The last that came back is filled next: it is still in the cache.
    stack: Vec<WorkerBatch<S::Batch>>,
    /// The current packet.
    packet: u64,
    /// The current packet when a batch was last sent.
    sent_packet: u64,
    /// Whether events come of the packet's segment; before that, they come of its time.
    delivering: bool,
    /// Connections that were reported.
    reported: u64,
    /// TCP connections that were opened.
    opened: u64,
}

impl<S: Shard> Emitter<S> {
    pub(super) fn new(workers: Workers, shard: S, link: MergerLink<S::Batch>) -> Self {
        Self {
            link,
            workers,
            shard,
            batch: WorkerBatch::default(),
            stack: Vec::new(),
            packet: 0,
            sent_packet: 0,
            delivering: false,
            reported: 0,
            opened: 0,
        }
    }

    /// A packet begins: events come of its time.
    pub(super) const fn begin(&mut self, packet: u64) {
        self.packet = packet;
        self.delivering = false;
    }

    /// From now on, events come of the packet's segment.
    pub(super) const fn deliver(&mut self) {
        self.delivering = true;
    }

    /// This many connections have been opened: if that is one more than before, the current packet opened it.
    pub(super) fn count_opened(&mut self, connections: u64) {
        if self.opened < connections {
            self.opened = connections;
            self.batch.opened.push(self.packet);
        }
    }

    /// The current packet is done. Sends a batch if the last was sent long ago.
    #[inline]
    pub(super) fn end_packet(&mut self) -> Result<(), MergerGone> {
        if self.packet.saturating_sub(self.sent_packet) < self.workers.batch_packets {
            return Ok(());
        }
        self.flush()
    }

    /// Sends all there is, the current packet included.
    pub(super) fn flush(&mut self) -> Result<(), MergerGone> {
        self.send(OrderKey::after_packet(self.packet))
    }

    /// Sends the current batch, and waits for an empty one. All events before `reached` were emitted.
    pub(super) fn send(&mut self, reached: OrderKey) -> Result<(), MergerGone> {
        self.stack.extend(self.link.empty.try_iter());
        let empty = self.stack.pop().map_or_else(|| self.link.empty.recv(), Ok).map_err(|_| MergerGone)?;
        let mut batch = core::mem::replace(&mut self.batch, empty);
        batch.reached = reached;
        self.sent_packet = self.packet;
        self.message(ToMerger::Batch(self.link.worker, batch))
    }

    /// Sends a message to the merger.
    pub(super) fn message(&self, message: ToMerger<S::Batch>) -> Result<(), MergerGone> {
        self.link.to_merger.send(message).map_err(|_| MergerGone)
    }
}

impl<S: Shard> Sink for Emitter<S> {
    type Error = MergerGone;

    fn event(&mut self, event: &Event<'_>) -> Result<(), MergerGone> {
        let connection = event.connection;
        let within = if self.delivering { u64::MAX } else { connection.first.packet };
        let key = OrderKey { packet: self.packet, within };
        let item = self.shard.event(event, &mut self.batch.batch);
        let last = matches!(event.what, What::Closed(_));
        let new = connection.number >= self.reported;
        if new {
            self.reported = connection.number.saturating_add(1);
            self.batch.new_connections.push(connection.tcp_stream);
            // Reported in its first packet: the batch may leave before the end of that.
            if let Some(tcp_stream) = connection.tcp_stream {
                self.count_opened(tcp_stream.saturating_add(1));
            }
        }
        if item || new || last {
            self.batch.add(EventMark { key, connection: connection.number, item, last });
            if self.batch.held() >= self.workers.batch_bytes {
                return self.send(key);
            }
        }
        Ok(())
    }
}

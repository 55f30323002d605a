//! One worker: all packets in, what is told of its own connections out, in batches.

use std::sync::mpsc::{Receiver, Sender};

use super::batch::{Key, Message, WorkerBatch};
use super::broadcaster::{Broadcast, PacketBatch};
use super::{Reading, Workers};
use crate::analyzer::Analyzer;
use crate::analyzer::run::Intake;
use crate::capture::{Input, Packet};
use crate::event::{Event, Shard, Sink, What};
use crate::net::Segment;
use crate::tcp::flow_hash;
use crate::types::PacketRef;

/// Which connections are a worker's own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    /// The worker's number, from 0.
    pub(super) number: usize,
    /// How many workers there are.
    pub(super) count: usize,
}

impl Share {
    fn has(self, segment: &Segment<'_>) -> bool {
        // The upper half of the hash, as a fraction of one, times the workers.
        let of = (flow_hash(segment.src, segment.dst) >> 32).saturating_mul(self.count as u64) >> 32;
        of == self.number as u64
    }
}

impl<P: Shard> Intake<Emitter<P>> for Share {
    #[inline]
    fn begin(&self, emitter: &mut Emitter<P>, packet: PacketRef) {
        emitter.begin(packet.packet);
    }

    #[inline]
    fn takes(&self, segment: &Segment<'_>) -> bool {
        self.has(segment)
    }

    #[inline]
    fn deliver(&self, emitter: &mut Emitter<P>) {
        emitter.arrived = true;
    }

    #[inline]
    fn delivered(&self, emitter: &mut Emitter<P>, connections: u64) {
        emitter.count_opened(connections);
    }
}

/// Where a worker has its packets from.
pub(super) enum Source {
    /// It reads them itself.
    Own(Box<Input>),
    /// It is dealt them.
    Broadcast(Receiver<Broadcast>),
}

/// The merger is there no more: somebody else tells why.
pub(super) struct Stopped;

/// A worker.
pub(super) struct Worker<P: Shard> {
    share: Share,
    analyzer: Analyzer,
    emitter: Emitter<P>,
}

impl<P: Shard> Worker<P> {
    pub(super) const fn new(share: Share, analyzer: Analyzer, emitter: Emitter<P>) -> Self {
        Self { share, analyzer, emitter }
    }

    /// Works to the end of the input, or of the merger.
    pub(super) fn run(mut self, source: Source) {
        let alarm = PanicNotice { number: self.share.number, to_merger: self.emitter.to_merger.clone() };
        let worked = match source {
            Source::Own(input) => self.read(*input),
            Source::Broadcast(batches) => self.process(&batches),
        };
        // A merger that went away wants to hear nothing.
        _ = worked.and_then(|reading| self.finish(reading));
        drop(alarm);
    }

    fn read(&mut self, mut input: Input) -> Result<Option<Reading>, Stopped> {
        let unreadable = loop {
            match input.next_packet() {
                Ok(Some(packet)) => self.packet(&packet)?,
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        Ok(Some(Reading { warnings: input.take_warnings(), unreadable, ..Reading::default() }))
    }

    fn process(&mut self, batches: &Receiver<Broadcast>) -> Result<Option<Reading>, Stopped> {
        while let Broadcast::Packets(batch) = batches.recv().map_err(|_| Stopped)? {
            let PacketBatch { packets, .. } = &*batch;
            packets.iter().try_for_each(|packet| self.packet(&packet))?;
            // Who waits for packets has told all it knows: else one that is ahead might wait for this one, and the broadcaster,
            // for whose packets this one waits, for that one.
            self.emitter.send(Key { packet: self.emitter.packet.saturating_add(1), order: 0 })?;
            PacketBatch::give_back(batch);
        }
        Ok(None)
    }

    fn packet(&mut self, packet: &Packet<'_>) -> Result<(), Stopped> {
        let Self { share, analyzer, emitter } = self;
        analyzer.step(packet, emitter, share)?;
        emitter.end()
    }

    fn finish(mut self, reading: Option<Reading>) -> Result<(), Stopped> {
        self.emitter.begin(u64::MAX);
        self.analyzer.finish(&mut self.emitter)?;
        self.emitter.send(Key::END)?;
        let done = Message::Done(self.share.number, self.analyzer.totals(), reading);
        self.emitter.to_merger.send(done).map_err(|_| Stopped)
    }
}

/// The sink of a worker: lets its part make what it can of events, and notes when they were told, and of whom.
pub(super) struct Emitter<P: Shard> {
    number: usize,
    workers: Workers,
    part: P,
    batch: WorkerBatch<P::Batch>,
    to_merger: Sender<Message<P::Batch>>,
    spare: Receiver<WorkerBatch<P::Batch>>,
    /// Those that came back. The last one is filled next: it is still in the cache.
    stack: Vec<WorkerBatch<P::Batch>>,
    /// The packet at hand.
    packet: u64,
    /// The packet at hand when a batch was sent last.
    sent_packet: u64,
    /// Whether its segment is looked at; before, it is what its time ends.
    arrived: bool,
    /// Connections that were told of.
    known: u64,
    /// TCP connections that were opened.
    opened: u64,
}

impl<P: Shard> Emitter<P> {
    pub(super) fn new(
        number: usize,
        workers: Workers,
        part: P,
        to_merger: Sender<Message<P::Batch>>,
        spare: Receiver<WorkerBatch<P::Batch>>,
    ) -> Self {
        let (batch, stack) = (WorkerBatch::default(), Vec::new());
        let (packet, sent_packet, arrived, known, opened) = (0, 0, false, 0, 0);
        Self { number, workers, part, batch, to_merger, spare, stack, packet, sent_packet, arrived, known, opened }
    }

    const fn begin(&mut self, packet: u64) {
        self.packet = packet;
        self.arrived = false;
    }

    /// There are so many connections now: where that is one more, the packet at hand opened it.
    fn count_opened(&mut self, connections: u64) {
        if self.opened < connections {
            self.opened = connections;
            self.batch.opened.push(self.packet);
        }
    }

    /// All is told of the packet at hand.
    fn end(&mut self) -> Result<(), Stopped> {
        if self.packet.saturating_sub(self.sent_packet) < self.workers.batch_packets {
            return Ok(());
        }
        self.send(Key { packet: self.packet.saturating_add(1), order: 0 })
    }

    /// Sends what there is, and waits for room: all before `reached` was told.
    fn send(&mut self, reached: Key) -> Result<(), Stopped> {
        self.stack.extend(self.spare.try_iter());
        let spare = self.stack.pop().map_or_else(|| self.spare.recv(), Ok).map_err(|_| Stopped)?;
        let mut batch = core::mem::replace(&mut self.batch, spare);
        batch.reached = reached;
        self.sent_packet = self.packet;
        self.to_merger.send(Message::Batch(self.number, batch)).map_err(|_| Stopped)
    }
}

impl<P: Shard> Sink for Emitter<P> {
    type Error = Stopped;

    fn event(&mut self, event: &Event<'_>) -> Result<(), Stopped> {
        let (connection, batch) = (event.connection, &mut self.batch);
        let order = if self.arrived { u64::MAX } else { connection.first.packet };
        let key = Key { packet: self.packet, order };
        let thing = self.part.event(event, &mut batch.batch);
        let last = matches!(event.what, What::Closed(_));
        let new = connection.number >= self.known;
        if new {
            self.known = connection.number.saturating_add(1);
            batch.told.push(connection.tcp_stream);
            // Told of in its first packet: the batch may leave before the end of that.
            self.count_opened(connection.tcp_stream.saturating_add(1));
        }
        let batch = &mut self.batch;
        if thing || new || last {
            batch.note(key, connection.number, thing, last);
            if batch.held() >= self.workers.batch_bytes {
                return self.send(key);
            }
        }
        Ok(())
    }
}

/// Tells the merger if its thread panics.
pub(super) struct PanicNotice<P> {
    pub(super) number: usize,
    pub(super) to_merger: Sender<Message<P>>,
}

impl<P> Drop for PanicNotice<P> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            _ = self.to_merger.send(Message::Died(self.number));
        }
    }
}

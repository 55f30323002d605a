//! Puts together what workers tell, in the order of packets, and gives the numbers.
//!
//! In: batches, in any order between workers. Out: calls of [`ParallelSink::take`] in the order that one worker would have had,
//! and batches back to where they came from. What lies here is bounded by the batches there are.

use std::collections::VecDeque;
use std::sync::mpsc::Sender;

use super::batch::{Key, Message, WorkerBatch};
use super::openings::Openings;
use super::{BatchOf, Done, Reading};
use crate::event::{Batch, Numbers, ParallelSink, Totals};

/// The one that has the sink.
pub(super) struct Merger<'w, W: ParallelSink> {
    whole: &'w mut W,
    queues: Vec<WorkerQueue<BatchOf<W>>>,
    /// Those of each worker.
    openings: Vec<Openings>,
    /// The number of the next connection.
    next_connection: u64,
    totals: Totals,
    reading: Reading,
}

/// What came from one worker.
struct WorkerQueue<P> {
    batches: VecDeque<WorkerBatch<P>>,
    /// All before this has come.
    reached: Key,
    names: Names,
    spare: Sender<WorkerBatch<P>>,
}

/// The numbers of a worker's connections.
#[derive(Debug, Default)]
struct Names {
    /// The worker's number of the first of them: those before are over.
    first: u64,
    /// `None` for one that is over.
    names: VecDeque<Option<Numbers>>,
}

impl<'w, W: ParallelSink> Merger<'w, W> {
    pub(super) fn new(whole: &'w mut W, spare: Vec<Sender<WorkerBatch<BatchOf<W>>>>) -> Self {
        Self {
            whole,
            openings: spare.iter().map(|_| Openings::default()).collect(),
            queues: spare.into_iter().map(WorkerQueue::new).collect(),
            next_connection: 0,
            totals: Totals::default(),
            reading: Reading::default(),
        }
    }

    /// Takes note of what came.
    pub(super) fn hear(&mut self, message: Message<BatchOf<W>>) {
        match message {
            Message::Batch(number, batch) => {
                if let (Some(queue), Some(openings)) = (self.queues.get_mut(number), self.openings.get_mut(number)) {
                    batch.opened.iter().for_each(|packet| openings.push(*packet));
                    queue.reached = batch.reached;
                    queue.batches.push_back(batch);
                }
            }
            // All see all packets: those of the first are counted.
            Message::Done(0, totals, reading) => {
                let others = core::mem::replace(&mut self.totals, totals);
                self.totals.add_connections(&others);
                self.read(reading.unwrap_or_default());
            }
            Message::Done(_, totals, reading) => {
                self.totals.add_connections(&totals);
                // What one could not read, all could not.
                self.read(Reading { warnings: Vec::new(), ..reading.unwrap_or_default() });
            }
            Message::Read(reading) => self.read(reading),
            Message::Died(_) => {}
        }
    }

    fn read(&mut self, mut reading: Reading) {
        self.reading.warnings.append(&mut reading.warnings);
        self.reading.unreadable = self.reading.unreadable.take().or(reading.unreadable);
    }

    /// Does all that is certain to be next: nobody can tell anything before it any more.
    ///
    /// # Errors
    /// Those of the sink.
    pub(super) fn take_ready(&mut self) -> Result<(), W::Error> {
        self.queues.iter_mut().for_each(WorkerQueue::give_back);
        let ready = self.queues.iter().map(|queue| queue.reached).min().unwrap_or_default();
        loop {
            let mut first: Option<(usize, Key)> = None;
            let mut until = ready;
            for (number, queue) in self.queues.iter().enumerate() {
                let Some(key) = queue.next_key() else { continue };
                match first {
                    Some((_, least)) if least < key => until = until.min(key),
                    Some((_, least)) => {
                        until = until.min(least);
                        first = Some((number, key));
                    }
                    None => first = Some((number, key)),
                }
            }
            let Some((number, _)) = first.filter(|(_, key)| *key <= ready) else { return Ok(()) };
            self.take(number, until)?;
        }
    }

    /// Does what a worker told, up to a key.
    fn take(&mut self, number: usize, until: Key) -> Result<(), W::Error> {
        let Self { whole, queues, openings, next_connection, .. } = self;
        let Some(queue) = queues.get_mut(number) else { return Ok(()) };
        while let Some(batch) = queue.batches.front_mut() {
            while let Some(run) = batch.runs.get(batch.taken).filter(|run| run.key <= until).copied() {
                batch.taken += 1;
                let numbers = queue.names.of(run.connection).unwrap_or_else(|| {
                    let tcp = batch.told.get(batch.told_taken).copied().unwrap_or_default();
                    batch.told_taken += 1;
                    *next_connection += 1;
                    let numbers = Numbers { connection: *next_connection - 1, tcp_stream: rank(openings, number, tcp) };
                    queue.names.add(numbers);
                    numbers
                });
                for _ in 0..run.things {
                    whole.take(&mut batch.batch, numbers)?;
                }
                if run.last {
                    queue.names.forget(run.connection);
                }
            }
            if batch.taken < batch.runs.len() {
                break;
            }
            queue.give_back();
        }
        Ok(())
    }

    /// Everything was told and done.
    pub(super) fn finish(self) -> Done {
        Done { totals: self.totals, reading: self.reading }
    }
}

/// How many TCP connections were opened before the one that its worker counts as `tcp`.
fn rank(openings: &[Openings], worker: usize, tcp: u64) -> u64 {
    let packet = openings.get(worker).and_then(|openings| openings.packet(tcp)).unwrap_or_default();
    openings.iter().map(|openings| openings.before(packet)).sum()
}

impl<P: Batch> WorkerQueue<P> {
    fn new(spare: Sender<WorkerBatch<P>>) -> Self {
        Self { batches: VecDeque::new(), reached: Key::default(), names: Names::default(), spare }
    }

    /// When the next thing was told.
    fn next_key(&self) -> Option<Key> {
        self.batches.iter().find_map(|batch| batch.runs.get(batch.taken)).map(|run| run.key)
    }

    /// Lets the worker have those batches again of which all was taken.
    fn give_back(&mut self) {
        while let Some(mut batch) = self.batches.pop_front_if(|batch| batch.taken >= batch.runs.len()) {
            batch.clear();
            // A worker that is done needs none.
            _ = self.spare.send(batch);
        }
    }
}

impl Names {
    /// The numbers of a connection that was told of before.
    fn of(&self, connection: u64) -> Option<Numbers> {
        let place = usize::try_from(connection.checked_sub(self.first)?).ok()?;
        self.names.get(place).copied().flatten()
    }

    /// The next one has these.
    fn add(&mut self, numbers: Numbers) {
        self.names.push_back(Some(numbers));
    }

    /// It is told of no more.
    fn forget(&mut self, connection: u64) {
        let place = connection.checked_sub(self.first).and_then(|place| usize::try_from(place).ok());
        if let Some(name) = place.and_then(|place| self.names.get_mut(place)) {
            *name = None;
        }
        while self.names.pop_front_if(|name| name.is_none()).is_some() {
            self.first += 1;
        }
    }
}

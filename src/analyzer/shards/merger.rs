//! Merges what the workers send, in the order of packets, and numbers the connections.
//!
//! In: batches, in any order between workers. Out: calls of [`ParallelSink::take`] in the order that a single worker would
//! have, and the batches, empty, back to their workers. What is held here is bounded by the number of batches.

use std::collections::VecDeque;
use std::sync::mpsc::Sender;

use super::batch::{BatchOf, OrderKey, ToMerger, WorkerBatch};
use super::job::{InputProblems, ReadOutcome};
use super::openings::Openings;
use crate::event::{Batch, Numbers, ParallelSink, Totals};

/// Feeds the sink.
pub(super) struct Merger<'w, W: ParallelSink> {
    sink: &'w mut W,
    queues: Vec<WorkerQueue<BatchOf<W>>>,
    numbering: Numbering,
    totals: Totals,
    problems: InputProblems,
}

/// Numbers connections over all workers.
#[derive(Debug)]
struct Numbering {
    /// Which packets opened the TCP connections of each worker.
    openings: Vec<Openings>,
    /// The number of the next connection.
    next_connection: u64,
}

/// What came from one worker.
struct WorkerQueue<P> {
    batches: VecDeque<WorkerBatch<P>>,
    /// All before this has come.
    reached: OrderKey,
    numbers: ConnectionNumbers,
    empty: Sender<WorkerBatch<P>>,
}

/// The final numbers of a worker's connections.
#[derive(Debug, Default)]
struct ConnectionNumbers {
    /// The worker's number of the first of them: those before are over.
    first: u64,
    /// `None` for one that is over.
    numbers: VecDeque<Option<Numbers>>,
}

impl<'w, W: ParallelSink> Merger<'w, W> {
    pub(super) fn new(sink: &'w mut W, empty: Vec<Sender<WorkerBatch<BatchOf<W>>>>) -> Self {
        Self {
            sink,
            numbering: Numbering { openings: empty.iter().map(|_| Openings::default()).collect(), next_connection: 0 },
            queues: empty.into_iter().map(WorkerQueue::new).collect(),
            totals: Totals::default(),
            problems: InputProblems::default(),
        }
    }

    /// Queues a batch, or adds up what a thread counted.
    pub(super) fn receive(&mut self, message: ToMerger<BatchOf<W>>) {
        match message {
            ToMerger::Batch(worker, batch) => self.queue(worker, batch),
            ToMerger::Finished(worker, totals, problems) => {
                self.add_totals(worker, totals);
                let problems = problems.unwrap_or_default();
                // All read the same input: one worker's warnings are those of all.
                let warnings = if worker == 0 { problems.warnings } else { Vec::new() };
                self.add_problems(InputProblems { warnings, ..problems });
            }
            ToMerger::InputRead(problems) => self.add_problems(problems),
            ToMerger::Panicked(_) => {}
        }
    }

    fn queue(&mut self, worker: usize, batch: WorkerBatch<BatchOf<W>>) {
        let openings = self.numbering.openings.get_mut(worker);
        if let (Some(queue), Some(openings)) = (self.queues.get_mut(worker), openings) {
            batch.opened.iter().for_each(|packet| openings.push(*packet));
            queue.reached = batch.reached;
            queue.batches.push_back(batch);
        }
    }

    /// All workers see all packets: the counts of packets are those of the first worker.
    fn add_totals(&mut self, worker: usize, mut totals: Totals) {
        if worker == 0 {
            core::mem::swap(&mut self.totals, &mut totals);
        }
        self.totals.add_connections(&totals);
    }

    fn add_problems(&mut self, mut problems: InputProblems) {
        self.problems.warnings.append(&mut problems.warnings);
        self.problems.unreadable = self.problems.unreadable.take().or(problems.unreadable);
    }

    /// Takes all items before which no worker can emit any more.
    ///
    /// # Errors
    /// Those of the sink.
    pub(super) fn take_ready(&mut self) -> Result<(), W::Error> {
        self.queues.iter_mut().for_each(WorkerQueue::return_taken);
        let ready = self.queues.iter().map(|queue| queue.reached).min().unwrap_or_default();
        while let Some((worker, until)) = self.next_worker(ready) {
            self.take(worker, until)?;
        }
        Ok(())
    }

    /// The worker whose next item is the first of all, if it is not after `ready`; and the key up to which its items come before
    /// those of all others, or `ready`.
    fn next_worker(&self, ready: OrderKey) -> Option<(usize, OrderKey)> {
        let mut first: Option<(usize, OrderKey)> = None;
        let mut until = ready;
        for (worker, queue) in self.queues.iter().enumerate() {
            let Some(key) = queue.next_key() else { continue };
            match first {
                Some((_, least)) if least < key => until = until.min(key),
                Some((_, least)) => {
                    until = until.min(least);
                    first = Some((worker, key));
                }
                None => first = Some((worker, key)),
            }
        }
        first.filter(|(_, key)| *key <= ready).map(|(worker, _)| (worker, until))
    }

    /// Takes a worker's items up to a key.
    fn take(&mut self, worker: usize, until: OrderKey) -> Result<(), W::Error> {
        let Self { sink, queues, numbering, .. } = self;
        let Some(queue) = queues.get_mut(worker) else { return Ok(()) };
        while let Some(batch) = queue.batches.front_mut() {
            while let Some(group) = batch.take_group(until) {
                let known = queue.numbers.get(group.connection);
                let numbers = known.unwrap_or_else(|| {
                    let numbers = numbering.number(worker, batch.take_new_connection());
                    queue.numbers.push(numbers);
                    numbers
                });
                for _ in 0..group.items {
                    sink.take(&mut batch.batch, numbers)?;
                }
                if group.last {
                    queue.numbers.remove(group.connection);
                }
            }
            if !batch.is_taken() {
                break;
            }
            queue.return_taken();
        }
        Ok(())
    }

    /// All workers are done, and all items were taken.
    pub(super) fn finish(self) -> ReadOutcome {
        ReadOutcome { totals: self.totals, problems: self.problems }
    }
}

impl Numbering {
    /// The numbers of the next connection, whose worker counts its TCP connection, where it has one, as `tcp`.
    fn number(&mut self, worker: usize, tcp: Option<u64>) -> Numbers {
        let connection = self.next_connection;
        self.next_connection += 1;
        let tcp_stream = tcp.map(|tcp| {
            let packet = self.openings.get(worker).and_then(|openings| openings.packet(tcp)).unwrap_or_default();
            self.openings.iter().map(|openings| openings.before(packet)).sum()
        });
        Numbers { connection, tcp_stream }
    }
}

impl<P: Batch> WorkerQueue<P> {
    fn new(empty: Sender<WorkerBatch<P>>) -> Self {
        let (batches, reached, numbers) = (VecDeque::new(), OrderKey::default(), ConnectionNumbers::default());
        Self { batches, reached, numbers, empty }
    }

    /// The key of the next item.
    fn next_key(&self) -> Option<OrderKey> {
        self.batches.iter().find_map(WorkerBatch::next_key)
    }

    /// Returns the batches of which all was taken to the worker.
    fn return_taken(&mut self) {
        while let Some(mut batch) = self.batches.pop_front_if(|batch| batch.is_taken()) {
            batch.clear();
            // A worker that is done needs none.
            _ = self.empty.send(batch);
        }
    }
}

impl ConnectionNumbers {
    /// The numbers of a connection that was reported before.
    fn get(&self, connection: u64) -> Option<Numbers> {
        self.numbers.get(self.place(connection)?).copied().flatten()
    }

    /// Adds those of the next connection.
    fn push(&mut self, numbers: Numbers) {
        self.numbers.push_back(Some(numbers));
    }

    /// No more events of the connection follow.
    fn remove(&mut self, connection: u64) {
        if let Some(numbers) = self.place(connection).and_then(|place| self.numbers.get_mut(place)) {
            *numbers = None;
        }
        while self.numbers.pop_front_if(|numbers| numbers.is_none()).is_some() {
            self.first += 1;
        }
    }

    fn place(&self, connection: u64) -> Option<usize> {
        usize::try_from(connection.checked_sub(self.first)?).ok()
    }
}

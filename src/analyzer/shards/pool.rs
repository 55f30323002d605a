//! The threads of a run: the workers, and the broadcaster where there is one.
//!
//! In: an input, and a sink. Out: the sink, fed by the [`Merger`] on the caller's thread. A panic of a thread becomes one of
//! the caller's.

use core::ops::ControlFlow;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use super::batch::{BATCHES_PER_WORKER, BatchOf, ToMerger, WorkerBatch};
use super::broadcaster::{BroadcastPackets, broadcast};
use super::emitter::{Emitter, MergerLink};
use super::job::{Job, ReadOutcome, Workers};
use super::merger::Merger;
use super::worker::{PanicNotice, Share, Worker, WorkerSource};
use crate::analyzer::{Analyzer, Options};
use crate::capture::{Input, Meter};
use crate::event::{Batch, ParallelSink, Shard};

/// All threads, from the merger's side.
pub(super) struct WorkerPool<W: ParallelSink> {
    messages: Receiver<ToMerger<BatchOf<W>>>,
    /// To each worker: the batches that were taken.
    empty: Vec<Sender<WorkerBatch<BatchOf<W>>>>,
    threads: Vec<JoinHandle<()>>,
    meter: Meter,
}

/// What each thread needs to begin.
struct Starts<P> {
    to_merger: Sender<ToMerger<P>>,
    sources: Vec<Sender<WorkerSource>>,
}

impl<W: ParallelSink> WorkerPool<W> {
    /// Starts all threads; gives the input back if the system does not have as many. No thread begins before all are there.
    pub(super) fn start(input: Input, job: &Job<'_>, sink: &W) -> Result<Self, Box<Input>> {
        let (to_merger, messages) = channel();
        let mut pool = Self { messages, empty: Vec::new(), threads: Vec::new(), meter: input.meter() };
        let mut starts = Starts { to_merger, sources: Vec::new() };
        let count = job.workers.count.get();
        let options = Options { limits: job.options.limits.sane().for_one_of(count), ..job.options.clone() };
        for number in 0..count {
            let (empty, link) = starts.link(number);
            let emitter = Emitter::new(job.workers, sink.shard(), link);
            let worker = Worker::new(Share { number, count }, Analyzer::new(&options), emitter);
            let Some(thread) = starts.spawn_worker(number, worker) else { return Err(Box::new(input)) };
            pool.threads.push(thread);
            pool.empty.push(empty);
        }
        pool.threads.extend(starts.begin(input, job.workers)?);
        for empty in &pool.empty {
            for _ in 0..BATCHES_PER_WORKER {
                _ = empty.send(WorkerBatch::default());
            }
        }
        Ok(pool)
    }

    /// Merges what they send into `sink`, until all are done or `watch` stops the run, which gives `None`.
    ///
    /// # Errors
    /// Those of the sink.
    pub(super) fn merge_into(
        self,
        sink: &mut W,
        mut watch: impl FnMut(u64) -> ControlFlow<()>,
    ) -> Result<Option<ReadOutcome>, W::Error> {
        let Self { messages, empty, threads, meter } = self;
        let mut merger = Merger::new(sink, empty);
        while let Ok(message) = messages.recv() {
            // And what came in the meantime, so that much is taken at a time.
            for message in core::iter::once(message).chain(messages.try_iter()) {
                if let ToMerger::Panicked(number) = message {
                    resume_panic(threads, number);
                }
                merger.receive(message);
            }
            merger.take_ready()?;
            if watch(meter.bytes()).is_break() {
                return Ok(None);
            }
        }
        let outcome = merger.finish();
        for thread in threads {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
        Ok(Some(outcome))
    }
}

impl<P: Batch> Starts<P> {
    /// A worker's connection to the merger, and the merger's end of it.
    fn link(&self, worker: usize) -> (Sender<WorkerBatch<P>>, MergerLink<P>) {
        let (empty, returned) = channel();
        (empty, MergerLink { worker, to_merger: self.to_merger.clone(), empty: returned })
    }

    /// Starts a worker's thread, which waits for its source; `None` if the system has no thread for it.
    fn spawn_worker<S: Shard<Batch = P>>(&mut self, number: usize, worker: Worker<S>) -> Option<JoinHandle<()>> {
        let (start, source) = channel();
        self.sources.push(start);
        let notice = PanicNotice { number, to_merger: self.to_merger.clone() };
        spawn("wslens-worker", move || {
            let _notice = notice;
            if let Ok(source) = source.recv() {
                worker.run(source);
            }
        })
    }

    /// Gives each worker its source: an input of its own, or the packets of a broadcaster, whose thread is given back.
    fn begin(self, input: Input, size: Workers) -> Result<Option<JoinHandle<()>>, Box<Input>> {
        let others = (1..self.sources.len()).map(|_| input.duplicate()).collect::<Option<Vec<_>>>();
        let Some(others) = others else { return self.begin_broadcast(input, size).map(Some) };
        for (start, input) in self.sources.iter().zip(core::iter::once(input).chain(others)) {
            _ = start.send(WorkerSource::Input(Box::new(input)));
        }
        Ok(None)
    }

    fn begin_broadcast(self, input: Input, size: Workers) -> Result<JoinHandle<()>, Box<Input>> {
        let (batches, receivers): (Vec<_>, Vec<_>) = self.sources.iter().map(|_| channel()).unzip();
        let notice = PanicNotice { number: self.sources.len(), to_merger: self.to_merger };
        // The input follows the thread, so that it is not lost with a thread that cannot be started.
        let (start, source) = channel::<Input>();
        let body = move || {
            if let Ok(input) = source.recv() {
                let problems = broadcast(input, size, &batches);
                _ = notice.to_merger.send(ToMerger::InputRead(problems));
            }
        };
        let Some(thread) = spawn("wslens-broadcaster", body) else { return Err(Box::new(input)) };
        for (start, batches) in self.sources.iter().zip(receivers) {
            _ = start.send(WorkerSource::Broadcast(BroadcastPackets::new(batches)));
        }
        _ = start.send(input);
        Ok(thread)
    }
}

/// Goes on with the panic of a thread. The others are not waited for.
fn resume_panic(threads: Vec<JoinHandle<()>>, number: usize) -> ! {
    match threads.into_iter().nth(number).map(JoinHandle::join) {
        Some(Err(panic)) => std::panic::resume_unwind(panic),
        _ => std::panic::resume_unwind(Box::new("a worker died")),
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Option<JoinHandle<()>> {
    thread::Builder::new().name(name.to_owned()).spawn(body).ok()
}

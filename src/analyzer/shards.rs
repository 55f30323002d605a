//! Several workers for one input (`--threads`): what they tell together is what one would have told, byte for byte.
//!
//! In: an [`Input`], and a sink that can be had in parts ([`ParallelSink`]). Out: the same calls of the sink, in the same order,
//! with the same numbers, however many workers there are. Only what is in this folder knows of threads.
//!
//! ```text
//!                   ┌─ Input → Analyzer → Shard ─┐ batches                      a plain file: each worker reads and walks it
//! file, file, ... ──┼─ Input → Analyzer → Shard ─┼─────────→ Merger → ParallelSink
//!                   └─ Input → Analyzer → Shard ─┘ ←───────── empty ones
//!
//! pipe, .gz ─ Input → Dealer ─ packets ─→ every worker's Analyzer → ...        anything else is read once
//! ```
//!
//! **Who does what.** All workers see all packets, put fragments together and let time pass; a worker takes the segments
//! of its own connections, told by a hash of addresses and ports ([`crate::tcp::flow_hash`]).
//!
//! **Order.** A thing is told at a `Key` (`shards/batch.rs`): the packet at hand; then what that packet's time ended, by the first
//! packets of these connections, before what its segment brought. A key is one worker's alone, each tells its own in
//! order, and with one thread all are told in this order: so that is the order in which the merger takes them.
//!
//! **Numbers.** A connection's number is how many were told of before. Its `tcp_stream` is how many TCP connections were
//! opened by earlier packets, over all workers: each says which of its packets opened one (`shards/openings.rs`).
//!
//! **Memory.** A worker fills sixteen batches, 4 MiB, which come back when all in them was taken. So a worker that is
//! ahead waits for the one that is behind, and all wait for a slow output. Nobody can wait for ever: all that the worker
//! that is behind has told can be taken. What [`Limits`](crate::types::Limits) allow is divided among the workers; where
//! one is reached, what is given up depends on how many there are.

mod batch;
mod broadcaster;
mod merger;
mod openings;
mod worker;

use core::num::NonZeroUsize;
use core::ops::ControlFlow;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use super::run::Ended;
use super::{Analyzer, Options};
use crate::capture::{CaptureError, Input, Warning};
use crate::event::{ParallelSink, Shard, Totals};
use crate::tls::{KeyLog, KeyLogWarning};
use batch::{BATCHES, Message, WorkerBatch};
use merger::Merger;
use worker::{Emitter, PanicNotice, Share, Source, Worker};

/// How many work, and how much they say at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workers {
    /// How many: with one there is no thread but the caller's.
    pub count: NonZeroUsize,
    /// Bytes after which a worker batches on what it made. 256 KiB: still in the cache when it is taken.
    pub batch_bytes: usize,
    /// Packets after which it does so, be there anything or not: how far it came is to be known. 8192.
    pub batch_packets: u64,
}

impl Workers {
    /// So many.
    #[must_use]
    pub const fn new(count: NonZeroUsize) -> Self {
        Self { count, batch_bytes: 256 << 10, batch_packets: 8192 }
    }
}

/// How the reading of an input ended.
#[derive(Debug, Default)]
pub struct Reading {
    /// What a user should know.
    pub warnings: Vec<Warning>,
    /// Lines of key logs in the input that could not be read; how many more there were.
    pub key_warnings: (Vec<KeyLogWarning>, u64),
    /// Why it could not be read to its end. What came before is told all the same.
    pub unreadable: Option<CaptureError>,
}

/// What was read.
#[derive(Debug)]
pub struct Done {
    /// What was counted.
    pub totals: Totals,
    /// How it ended.
    pub reading: Reading,
}

type BatchOf<W> = <<W as ParallelSink>::Shard as Shard>::Batch;

/// Reads `input` to its end, with TLS secrets from `keys` and from what it carries, and tells `sink` all that it makes certain, with as many workers. `watch` is called often, with
/// the bytes that were read, and says whether to go on: if not, nothing more is told, and the answer is `None`.
///
/// What can be opened by secrets is analysed by one worker: which of the connections that stay closed are told of depends on
/// what others turned out to be, and only one that sees all knows that.
///
/// Where an output fails or nobody wants to go on, workers end on their own; they are not waited for, since one may be
/// inside a read of a pipe that nobody writes to.
///
/// # Errors
/// Those of the sink.
pub fn read<W: ParallelSink>(
    mut input: Input,
    options: &Options,
    keys: KeyLog,
    workers: &Workers,
    sink: &mut W,
    mut watch: impl FnMut(u64) -> ControlFlow<()>,
) -> Result<Option<Done>, W::Error> {
    let several = workers.count.get() > 1 && keys.sessions() == 0;
    let (carries_secrets, unreadable) = match several.then(|| input.can_carry_secrets()) {
        Some(Ok(can)) => (can, None),
        Some(Err(error)) => (true, Some(error)),
        None => (true, None),
    };
    if carries_secrets {
        let done = alone(input, options, keys, sink, &mut watch)?;
        return Ok(done.map(|mut done| {
            done.reading.unreadable = unreadable.or(done.reading.unreadable);
            done
        }));
    }
    match WorkerPool::hire(input, options, workers, sink) {
        Ok(pool) => pool.work(sink, &mut watch),
        // The system has no more threads for us.
        Err(input) => alone(*input, options, keys, sink, &mut watch),
    }
}

/// The same on this thread.
fn alone<W: ParallelSink>(
    mut input: Input,
    options: &Options,
    keys: KeyLog,
    sink: &mut W,
    watch: &mut impl FnMut(u64) -> ControlFlow<()>,
) -> Result<Option<Done>, W::Error> {
    let mut analyzer = Analyzer::new(options);
    *analyzer.keys() = keys;
    let ended = analyzer.run(&mut input, sink, |pause| watch(pause.source.bytes_read()))?;
    let unreadable = match ended {
        Ended::Complete => None,
        Ended::Failed(error) => Some(error),
        Ended::Stopped(()) => return Ok(None),
    };
    let (warnings, key_warnings) = (input.take_warnings(), analyzer.keys().take_warnings());
    analyzer.finish(sink)?;
    Ok(Some(Done { totals: analyzer.totals(), reading: Reading { warnings, key_warnings, unreadable } }))
}

/// All workers, and the broadcaster where there is one.
struct WorkerPool<W: ParallelSink> {
    messages: Receiver<Message<BatchOf<W>>>,
    spare: Vec<Sender<WorkerBatch<BatchOf<W>>>>,
    threads: Vec<JoinHandle<()>>,
    meter: crate::capture::Meter,
}

impl<W: ParallelSink> WorkerPool<W> {
    /// Starts all threads; gives the input back if the system does not have as many. Nobody begins before all are there.
    fn hire(input: Input, options: &Options, workers: &Workers, whole: &W) -> Result<Self, Box<Input>> {
        let count = workers.count.get();
        let mut pool = Self {
            messages: channel().1,
            spare: Vec::with_capacity(count),
            threads: Vec::with_capacity(count + 1),
            meter: input.meter(),
        };
        let (to_merger, messages) = channel();
        pool.messages = messages;
        let options = Options { limits: options.limits.sane().for_one_of(count), ..options.clone() };
        let mut starts = Vec::with_capacity(count);
        for number in 0..count {
            let (spare_in, spare) = channel();
            let (start, source) = channel();
            let worker = Worker::<W::Shard>::new(
                Share { number, count },
                Analyzer::new(&options),
                Emitter::new(number, *workers, whole.shard(), to_merger.clone(), spare),
            );
            let body = move || {
                if let Ok(source) = source.recv() {
                    worker.run(source);
                }
            };
            let Some(thread) = spawn("wslens-worker", body) else { return Err(Box::new(input)) };
            pool.threads.push(thread);
            pool.spare.push(spare_in);
            starts.push(start);
        }
        pool.start(input, *workers, &to_merger, &starts)?;
        for spare in &pool.spare {
            for _ in 0..BATCHES {
                _ = spare.send(WorkerBatch::default());
            }
        }
        Ok(pool)
    }

    /// Gives each worker its packets.
    fn start(
        &mut self,
        input: Input,
        workers: Workers,
        to_merger: &Sender<Message<BatchOf<W>>>,
        starts: &[Sender<Source>],
    ) -> Result<(), Box<Input>> {
        let more = (1..starts.len()).map(|_| input.again()).collect::<Option<Vec<_>>>();
        if let Some(more) = more {
            for (start, input) in starts.iter().zip(core::iter::once(input).chain(more)) {
                _ = start.send(Source::Own(Box::new(input)));
            }
            return Ok(());
        }
        let (inputs, input_out) = channel::<Input>();
        let (batches, sources): (Vec<_>, Vec<_>) = starts.iter().map(|_| channel()).unzip();
        let alarm = PanicNotice { number: starts.len(), to_merger: to_merger.clone() };
        let body = move || {
            if let Ok(input) = input_out.recv() {
                let reading = broadcaster::broadcast(input, workers, &batches);
                _ = alarm.to_merger.send(Message::Read(reading));
            }
        };
        let Some(thread) = spawn("wslens-broadcaster", body) else { return Err(Box::new(input)) };
        self.threads.push(thread);
        for (start, source) in starts.iter().zip(sources) {
            _ = start.send(Source::Broadcast(source));
        }
        _ = inputs.send(input);
        Ok(())
    }

    /// Puts together what they tell.
    fn work(self, sink: &mut W, watch: &mut impl FnMut(u64) -> ControlFlow<()>) -> Result<Option<Done>, W::Error> {
        let Self { messages, spare, threads, meter } = self;
        let mut merger = Merger::new(sink, spare);
        while let Ok(message) = messages.recv() {
            // And what came in the meantime, so that much is taken at a time.
            for message in core::iter::once(message).chain(messages.try_iter()) {
                if let Message::Died(number) = message {
                    die(threads, number);
                }
                merger.hear(message);
            }
            merger.take_ready()?;
            if watch(meter.bytes()).is_break() {
                return Ok(None);
            }
        }
        let done = merger.finish();
        for thread in threads {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
        Ok(Some(done))
    }
}

/// A panic of a thread is ours, too. The others are not waited for.
fn die(threads: Vec<JoinHandle<()>>, number: usize) -> ! {
    match threads.into_iter().nth(number).map(JoinHandle::join) {
        Some(Err(panic)) => std::panic::resume_unwind(panic),
        _ => std::panic::resume_unwind(Box::new("a worker died")),
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Option<JoinHandle<()>> {
    thread::Builder::new().name(name.to_owned()).spawn(body).ok()
}

#[cfg(test)]
mod tests;

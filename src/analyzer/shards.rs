//! Several workers for one input (`--threads`): the sink receives what one worker would give it, byte for byte.
//!
//! In: an [`Input`], and a sink that can be divided ([`ParallelSink`]). Out: the same calls of the sink, in the same order,
//! with the same numbers, however many workers there are. Live captures have one worker and do not come through here.
//!
//! ```text
//!                   ┌─ Input → Analyzer → Shard ─┐ batches                 plain files: each worker reads all of them
//! file, file, ... ──┼─ Input → Analyzer → Shard ─┼─────────→ Merger → ParallelSink
//!                   └─ Input → Analyzer → Shard ─┘ ←───────── empty batches
//!
//! pipe, .gz ─ Input → broadcaster ─ packets ─→ every worker's Analyzer → ...        anything else is read once
//! ```
//!
//! **Division of work.** Every worker sees all packets, reassembles IP fragments and advances the clock. Of the TCP segments
//! it takes those of its own connections, chosen by a hash of addresses and ports ([`crate::tcp::flow_hash`]).
//!
//! **Order.** Each event has an `OrderKey` (`shards/batch.rs`): its packet; within a packet, first the connections that the
//! packet's time ended, in the order of their first packets, then what its segment brought. No two workers emit at the same
//! key, and each emits in ascending order, as a single worker does. So the merger takes events in the order of keys.
//!
//! **Numbers.** A connection's number is the count of connections reported before it. Its `tcp_stream` is the count of TCP
//! connections opened by earlier packets, over all workers: each reports which packets opened one (`shards/openings.rs`).
//!
//! **Memory.** A worker has sixteen batches, 4 MiB, and gets a batch back when all in it was taken. So a worker that is ahead
//! waits for the slowest, and all wait for a slow output. No wait is endless: all that the slowest worker has emitted can be
//! taken. [`Limits`](crate::types::Limits) are divided among the workers; where one is reached, what is discarded depends
//! on how many there are.
//!
//! **Threads.** This folder starts the workers and the broadcaster, and nothing else in the library knows of several
//! analyzers. The library's other threads serve one input: `capture/read_ahead.rs` reads and decompresses ahead, and
//! `capture/live.rs` interrupts the wait for packets on a quiet interface.

mod batch;
mod broadcaster;
mod emitter;
mod job;
mod merger;
mod openings;
mod pool;
mod worker;

pub use job::{InputProblems, Job, ReadOutcome, Workers};

use core::ops::ControlFlow;

use super::Analyzer;
use super::run::Ended;
use crate::capture::{CaptureError, Input};
use crate::event::ParallelSink;
use pool::WorkerPool;

/// Reads `input` to its end; `sink` receives all events. `watch` is called often, with the bytes read so far, and decides
/// whether to go on: if not, no more events are emitted, and the result is `None`.
///
/// One worker alone analyses an input that can carry TLS secrets, and any input for which there is a key log: whether a
/// connection that stays closed is listed depends on what other connections turned out to be, and only a worker that sees
/// all of them knows that.
///
/// When the sink fails or `watch` stops the run, the workers end on their own. They are not waited for, since one may be
/// inside a read of a pipe that is never written to.
///
/// ```
/// use core::num::NonZeroUsize;
/// use core::ops::ControlFlow;
/// use wslens::analyzer::Options;
/// use wslens::analyzer::shards::{self, Job, Workers};
/// use wslens::capture::Input;
/// use wslens::output::{Context, JsonReport, Outputs};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let input = Input::open(&["samples/first-look/capture.pcap"])?;
/// let options = Options::default();
/// let workers = Workers::new(NonZeroUsize::new(2).ok_or("no workers")?);
/// let mut outputs = Outputs::new();
/// outputs.add(JsonReport::new(std::io::sink(), Context::default()));
/// let outcome = shards::read(input, Job::new(&options, workers), &mut outputs, |_| ControlFlow::Continue(()))?;
/// assert!(outcome.is_some_and(|outcome| outcome.totals.packets > 0 && outcome.problems.unreadable.is_none()));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Those of the sink.
pub fn read<W: ParallelSink>(
    mut input: Input,
    job: Job<'_>,
    sink: &mut W,
    watch: impl FnMut(u64) -> ControlFlow<()>,
) -> Result<Option<ReadOutcome>, W::Error> {
    let (divisible, unreadable) = match can_be_divided(&mut input, &job) {
        Ok(divisible) => (divisible, None),
        Err(error) => (false, Some(error)),
    };
    let pool = if divisible { WorkerPool::start(input, &job, sink) } else { Err(Box::new(input)) };
    let outcome = match pool {
        Ok(pool) => pool.merge_into(sink, watch)?,
        Err(input) => read_alone(*input, job, sink, watch)?,
    };
    Ok(outcome.map(|mut outcome| {
        outcome.problems.unreadable = unreadable.or(outcome.problems.unreadable);
        outcome
    }))
}

/// Whether several workers may have the input.
fn can_be_divided(input: &mut Input, job: &Job<'_>) -> Result<bool, CaptureError> {
    Ok(job.workers.count.get() > 1 && job.keys.sessions() == 0 && !input.can_carry_secrets()?)
}

/// One worker, on this thread.
fn read_alone<W: ParallelSink>(
    mut input: Input,
    job: Job<'_>,
    sink: &mut W,
    mut watch: impl FnMut(u64) -> ControlFlow<()>,
) -> Result<Option<ReadOutcome>, W::Error> {
    let mut analyzer = Analyzer::new(job.options);
    *analyzer.keys() = job.keys;
    let unreadable = match analyzer.run(&mut input, sink, |pause| watch(pause.source.bytes_read()))? {
        Ended::Complete => None,
        Ended::Failed(error) => Some(error),
        Ended::Stopped(()) => return Ok(None),
    };
    let (warnings, key_warnings) = (input.take_warnings(), analyzer.keys().take_warnings());
    analyzer.finish(sink)?;
    let problems = InputProblems { warnings, key_warnings, unreadable };
    Ok(Some(ReadOutcome { totals: analyzer.totals(), problems }))
}

#[cfg(test)]
mod tests;

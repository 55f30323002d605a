//! Failures end a run promptly: no worker keeps another waiting, nor the caller. That all outputs are the same with any number of
//! workers is tested from outside, in `tests/all/threads.rs`, where there are captures for it.

use core::num::NonZeroUsize;
use std::io::{self, Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use super::*;
use crate::analyzer::Options;
use crate::event::{Event, Kept, Numbers, Owned, Shard, Sink, What};

/// Which part of a sink fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    None,
    /// The shard panics at the first message.
    ShardPanics,
    /// The sink has an error at the third event.
    SinkFails,
}

/// Records events as text.
struct Recorder {
    failure: Failure,
    events: Vec<String>,
}

impl Recorder {
    const fn new(failure: Failure) -> Self {
        Self { failure, events: Vec::new() }
    }
}

impl Sink for Recorder {
    type Error = &'static str;

    fn event(&mut self, event: &Event<'_>) -> Result<(), &'static str> {
        if self.failure == Failure::SinkFails && self.events.len() == 2 {
            return Err("disk full");
        }
        self.events.push(format!("{event:?}"));
        Ok(())
    }
}

struct RecorderShard(Failure);

impl Shard for RecorderShard {
    type Batch = Kept;

    fn event(&mut self, event: &Event<'_>, batch: &mut Kept) -> bool {
        let message = matches!(event.what, What::Message(_));
        assert!(!message || self.0 != Failure::ShardPanics, "a shard that panics");
        batch.keep(Owned::copy(event, usize::MAX));
        true
    }
}

impl ParallelSink for Recorder {
    type Shard = RecorderShard;

    fn shard(&self) -> RecorderShard {
        RecorderShard(self.failure)
    }

    fn take(&mut self, batch: &mut Kept, numbers: Numbers) -> Result<(), &'static str> {
        batch.replay(numbers, self)
    }
}

fn workers(count: usize) -> Workers {
    Workers { batch_bytes: 1, batch_packets: 1, ..Workers::new(NonZeroUsize::new(count).unwrap()) }
}

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/samples/first-look/capture.pcap");

fn file() -> Input {
    Input::open(&[SAMPLE]).unwrap()
}

/// The same capture, to be read once.
fn pipe(path: impl AsRef<std::path::Path>) -> Input {
    Input::from_reader("pipe", Box::new(Cursor::new(std::fs::read(path).unwrap())))
}

/// The events recorded, and what was read.
type Recorded = (Vec<String>, ReadOutcome);

fn run(input: Input, count: usize, failure: Failure) -> Result<Recorded, &'static str> {
    let (mut recorder, options) = (Recorder::new(failure), Options::default());
    let job = Job::new(&options, workers(count));
    let outcome = read(input, job, &mut recorder, |_| ControlFlow::Continue(()))?;
    Ok((recorder.events, outcome.expect("it was not stopped")))
}

/// The capture, and then a wait without end, as for a pipe that is not written to.
struct Endless(Cursor<Vec<u8>>);

impl Read for Endless {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(out)?;
        while read == 0 && !out.is_empty() {
            thread::park();
        }
        Ok(read)
    }
}

fn endless() -> Input {
    Input::from_reader("endless", Box::new(Endless(Cursor::new(std::fs::read(SAMPLE).unwrap()))))
}

#[test]
fn any_number_of_workers_gives_the_same_events() {
    let alone = run(file(), 1, Failure::None).unwrap();
    assert!(alone.0.len() > 2);
    for count in [2, 3, 50] {
        for input in [file(), pipe(SAMPLE)] {
            let together = run(input, count, Failure::None).unwrap();
            assert_eq!((&together.0, &together.1.totals), (&alone.0, &alone.1.totals), "{count}");
        }
    }
}

/// A file read by [`read`], the same packets broadcast to workers, and the same packets fed one by one.
#[test]
fn read_broadcast_and_fed_packets_give_the_same_events() {
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/samples");
    for name in ["first-look", "closes", "gap", "http2", "ip-fragments", "midstream", "oddities", "refused"] {
        let path = format!("{samples}/{name}/capture.pcap");
        let mut fed = Recorder::new(Failure::None);
        let (mut input, mut analyzer) = (Input::open(&[&path]).unwrap(), Analyzer::new(&Options::default()));
        while let Some(packet) = input.next_packet().unwrap() {
            analyzer.packet(&packet, &mut fed).unwrap();
        }
        analyzer.finish(&mut fed).unwrap();
        assert!(fed.events.len() > 2, "{name}");
        for (way, input, count) in [
            ("read", Input::open(&[&path]).unwrap(), 1),
            ("read by each worker", Input::open(&[&path]).unwrap(), 3),
            ("broadcast", pipe(&path), 3),
        ] {
            let (events, outcome) = run(input, count, Failure::None).unwrap();
            assert_eq!(events, fed.events, "{name}, {way}");
            assert_eq!(outcome.totals, analyzer.totals(), "{name}, {way}");
        }
    }
}

#[test]
fn an_error_of_the_sink_ends_the_run_even_while_a_worker_waits_for_input() {
    for count in [1, 2, 3] {
        for input in [file(), endless()] {
            assert_eq!(run(input, count, Failure::SinkFails).err(), Some("disk full"));
        }
    }
}

#[test]
fn a_panic_of_a_worker_becomes_one_of_the_caller() {
    for count in [2, 3] {
        for input in [file(), endless()] {
            let ended = catch_unwind(AssertUnwindSafe(|| run(input, count, Failure::ShardPanics).err()));
            let panic = ended.expect_err("a panic");
            assert_eq!(panic.downcast_ref::<&str>(), Some(&"a shard that panics"));
        }
    }
}

#[test]
fn the_watch_may_stop_the_run() {
    for count in [1, 2, 3] {
        for input in [file(), endless()] {
            let (mut recorder, options) = (Recorder::new(Failure::None), Options::default());
            let mut calls = 0;
            let outcome = read(input, Job::new(&options, workers(count)), &mut recorder, |_| {
                calls += 1;
                if calls < 3 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            assert!(outcome.unwrap().is_none());
        }
    }
}

#[test]
fn problems_of_the_input_are_reported_once() {
    let capture = std::fs::read(SAMPLE).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (cut, corrupt) = (folder.path().join("cut.pcap"), folder.path().join("corrupt.pcap"));
    std::fs::write(&cut, &capture[..capture.len() - 3]).unwrap();
    std::fs::write(&corrupt, [&capture[..], &[0xff; 40]].concat()).unwrap();
    for count in [1, 2, 3] {
        let (_, outcome) = run(Input::open(&[&cut]).unwrap(), count, Failure::None).unwrap();
        assert_eq!((outcome.problems.warnings.len(), outcome.problems.unreadable.is_some()), (1, false), "{count}");
        let (events, outcome) = run(Input::open(&[&corrupt]).unwrap(), count, Failure::None).unwrap();
        assert_eq!((outcome.problems.warnings.len(), outcome.problems.unreadable.is_some()), (0, true), "{count}");
        assert!(!events.is_empty());
        assert!(run(pipe(&corrupt), count, Failure::None).unwrap().1.problems.unreadable.is_some());
    }
}

//! What goes wrong goes wrong promptly: workers never leave anybody waiting. That outputs are the same is for the tests
//! from outside, which have the captures for it.

use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::event::{Event, Kept, Numbers, Owned, Sink, What};

/// What the part of a sink does, and the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    None,
    /// The part panics at the first message.
    PartPanics,
    /// The whole fails at the third thing.
    WholeFails,
}

/// Hears messages.
struct Ear {
    trouble: Trouble,
    heard: Vec<(u64, u64)>,
}

impl Sink for Ear {
    type Error = &'static str;

    fn event(&mut self, event: &Event<'_>) -> Result<(), &'static str> {
        if let What::Message(message) = event.what {
            if self.trouble == Trouble::WholeFails && self.heard.len() == 2 {
                return Err("no more room");
            }
            self.heard.push((event.connection.number, message.number));
        }
        Ok(())
    }
}

struct EarShard(Trouble);

impl Shard for EarShard {
    type Batch = Kept;

    fn event(&mut self, event: &Event<'_>, batch: &mut Kept) -> bool {
        let message = matches!(event.what, What::Message(_));
        assert!(!message || self.0 != Trouble::PartPanics, "a part that panics");
        if message {
            batch.keep(Owned::copy(event, 0));
        }
        message
    }
}

impl ParallelSink for Ear {
    type Shard = EarShard;

    fn shard(&self) -> EarShard {
        EarShard(self.trouble)
    }

    fn take(&mut self, batch: &mut Kept, numbers: Numbers) -> Result<(), &'static str> {
        batch.tell(numbers, self)
    }
}

fn workers(count: usize) -> Workers {
    Workers { batch_bytes: 1, batch_packets: 1, ..Workers::new(NonZeroUsize::new(count).unwrap()) }
}

fn sample() -> String {
    concat!(env!("CARGO_MANIFEST_DIR"), "/samples/first-look/capture.pcap").to_owned()
}

/// The connections and messages heard, and what was read.
type Heard = (Vec<(u64, u64)>, Done);

fn run(input: Input, count: usize, trouble: Trouble) -> Result<Heard, &'static str> {
    let mut ear = Ear { trouble, heard: Vec::new() };
    let done =
        read(input, &Options::default(), KeyLog::new(), &workers(count), &mut ear, |_| ControlFlow::Continue(()))?;
    let done = done.expect("nobody said stop");
    Ok((ear.heard, done))
}

/// The capture, and then nothing for ever, as from a pipe whose writer thinks.
struct Endless(io::Cursor<Vec<u8>>);

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
    let bytes = std::fs::read(sample()).unwrap();
    Input::from_reader("endless", Box::new(Endless(io::Cursor::new(bytes))))
}

#[test]
fn all_hear_the_same() {
    let alone = run(Input::open(&[sample()]).unwrap(), 1, Trouble::None).unwrap();
    assert!(alone.0.len() > 2);
    for count in [2, 3, 50] {
        let file = Input::open(&[sample()]).unwrap();
        let pipe = Input::from_reader("pipe", Box::new(io::Cursor::new(std::fs::read(sample()).unwrap())));
        for input in [file, pipe] {
            let together = run(input, count, Trouble::None).unwrap();
            assert_eq!((&together.0, &together.1.totals), (&alone.0, &alone.1.totals), "{count}");
        }
    }
}

#[test]
fn a_sink_that_fails_ends_all_even_while_the_input_is_waited_for() {
    for count in [1, 2, 3] {
        let file = Input::open(&[sample()]).unwrap();
        assert_eq!(run(file, count, Trouble::WholeFails).err(), Some("no more room"));
        assert_eq!(run(endless(), count, Trouble::WholeFails).err(), Some("no more room"));
    }
}

#[test]
fn a_panic_of_a_worker_is_ours() {
    for count in [1, 2, 3] {
        for input in [Input::open(&[sample()]).unwrap(), endless()] {
            let trouble = if count == 1 { Trouble::WholeFails } else { Trouble::PartPanics };
            let ended = catch_unwind(AssertUnwindSafe(|| run(input, count, trouble).err()));
            match ended {
                Ok(error) => assert_eq!((error, count), (Some("no more room"), 1)),
                Err(panic) => assert_eq!(panic.downcast_ref::<&str>(), Some(&"a part that panics")),
            }
        }
    }
}

#[test]
fn whoever_watches_may_say_stop() {
    for count in [1, 2, 3] {
        for input in [Input::open(&[sample()]).unwrap(), endless()] {
            let mut ear = Ear { trouble: Trouble::None, heard: Vec::new() };
            let mut calls = 0;
            let done = read(input, &Options::default(), KeyLog::new(), &workers(count), &mut ear, |_| {
                calls += 1;
                if calls < 3 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            assert!(done.unwrap().is_none());
        }
    }
}

#[test]
fn what_cannot_be_read_is_told_once() {
    let whole = std::fs::read(sample()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (cut, broken) = (folder.path().join("cut.pcap"), folder.path().join("broken.pcap"));
    std::fs::write(&cut, &whole[..whole.len() - 3]).unwrap();
    std::fs::write(&broken, [&whole[..], &[0xff; 40]].concat()).unwrap();
    for count in [1, 2, 3] {
        let (_, done) = run(Input::open(&[&cut]).unwrap(), count, Trouble::None).unwrap();
        assert_eq!((done.reading.warnings.len(), done.reading.unreadable.is_some()), (1, false), "{count}");
        let (heard, done) = run(Input::open(&[&broken]).unwrap(), count, Trouble::None).unwrap();
        assert_eq!((done.reading.warnings.len(), done.reading.unreadable.is_some()), (0, true), "{count}");
        assert!(!heard.is_empty());
        let stream = Input::from_reader("broken", Box::new(io::Cursor::new(std::fs::read(&broken).unwrap())));
        assert!(run(stream, count, Trouble::None).unwrap().1.reading.unreadable.is_some());
    }
}

use std::sync::mpsc::channel;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

const EVERY_PACE: [Pace; 3] = [Pace::Ready, Pace::Worked, Pace::Awaited];

/// Byte `n` of the stream that all these tests read.
fn byte_at(n: u64) -> u8 {
    u8::try_from((n ^ (n >> 8) ^ (n >> 17)) & 0xff).unwrap()
}

/// A stream of `len` bytes that comes in pieces of at most `piece`, with interruptions.
struct Stream {
    at: u64,
    len: u64,
    piece: usize,
    interrupt: bool,
}

impl Stream {
    fn new(len: u64, piece: usize) -> Self {
        Self { at: 0, len, piece, interrupt: true }
    }
}

impl Read for Stream {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.interrupt = !self.interrupt;
        if self.interrupt {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let left = usize::try_from(self.len - self.at).unwrap();
        let read = out.len().min(self.piece).min(left);
        for byte in &mut out[..read] {
            *byte = byte_at(self.at);
            self.at += 1;
        }
        Ok(read)
    }
}

/// Checks that the window is what the stream has at its offset.
fn check(blocks: &Blocks) {
    let offset = blocks.offset();
    assert_eq!(blocks.received() - offset, blocks.window().len() as u64);
    // Both ends and some between: all bytes would take minutes.
    let window = blocks.window();
    for at in (0..window.len()).step_by(4_093).chain(window.len().checked_sub(1)) {
        assert_eq!(window[at], byte_at(offset + at as u64));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::common::effort::cases(48, 500)))]

    #[test]
    fn records_of_any_length_come_whole(
        len in 0_u64..3_000_000,
        piece in prop_oneof![1_000_usize..9_000, Just(65_536_usize), Just(1 << 20)],
        pace in 0_usize..3,
        wants in prop::collection::vec(
            (any::<bool>(), prop_oneof![4 => 0_usize..2_000, 4 => 0_usize..100_000, 1 => 0_usize..900_000]), 1..60),
    ) {
        let mut blocks = Blocks::new(Box::new(Stream::new(len, piece)), EVERY_PACE[pace]);
        let mut at = 0_u64;
        for &(take, want) in wants.iter().cycle().take(400) {
            let there = at + want as u64 <= len;
            if take {
                prop_assert_eq!(blocks.fill(want), there);
                prop_assert_eq!(blocks.offset(), at);
                check(&blocks);
                if there {
                    let start = blocks.take(want);
                    let record = blocks.slice(start, want);
                    prop_assert_eq!(record.len(), want);
                    prop_assert!(record.first().is_none_or(|&first| first == byte_at(at)));
                    prop_assert!(record.last().is_none_or(|&last| last == byte_at(at + want as u64 - 1)));
                }
            } else {
                prop_assert_eq!(blocks.skip(want), there);
                check(&blocks);
            }
            if !there {
                prop_assert!(matches!(blocks.ending(), Ending::Whole));
                prop_assert_eq!(blocks.received(), len);
                break;
            }
            at += want as u64;
        }
    }
}

#[test]
fn short_records_need_no_more_than_the_pool() {
    for pace in EVERY_PACE {
        let mut blocks = Blocks::new(Box::new(Stream::new(4 << 20, 1 << 20)), pace);
        let mut most = 0;
        while blocks.fill(60_001) {
            blocks.take(60_001);
            most = most.max(blocks.held());
        }
        assert!(most <= 4 * (HEADROOM + BLOCK_BYTES), "{pace:?}: {most}");
    }
}

#[test]
fn a_grown_block_is_given_up_again() {
    for pace in EVERY_PACE {
        let mut blocks = Blocks::new(Box::new(Stream::new(8 << 20, 1 << 20)), pace);
        assert!(blocks.fill(3 << 20));
        assert!(blocks.held() >= 3 << 20);
        blocks.take(3 << 20);
        assert!(blocks.skip(1 << 20) && blocks.fill(1_000));
        assert!(blocks.held() <= 4 * (HEADROOM + BLOCK_BYTES), "{pace:?}: {}", blocks.held());
    }
}

#[test]
fn what_is_claimed_but_not_there_takes_no_memory() {
    for pace in EVERY_PACE {
        let mut blocks = Blocks::new(Box::new(Stream::new(2_000_000, 1 << 20)), pace);
        assert!(!blocks.fill(1 << 30));
        assert!(blocks.held() < 8 << 20, "{pace:?}: {}", blocks.held());
        assert_eq!(blocks.window().len(), 2_000_000);
        check(&blocks);
    }
}

/// Gives what it is sent, and waits for it.
struct Pipe(std::sync::mpsc::Receiver<Vec<u8>>);

impl Read for Pipe {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let Ok(bytes) = self.0.recv() else { return Ok(0) };
        out[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

#[test]
fn what_is_awaited_comes_at_once() {
    let (writer, pipe) = channel();
    let mut blocks = Blocks::new(Box::new(Pipe(pipe)), Pace::Awaited);
    let piece = vec![7; 10_000];
    for round in 0..100 {
        // Nothing else is sent: if a piece were held back, this would wait for ever.
        writer.send(piece.clone()).unwrap();
        assert!(blocks.fill(10_000), "round {round}");
        blocks.take(10_000);
    }
    drop(writer);
    assert!(!blocks.fill(1));
}

/// Says when its reader is gone.
struct Watched(Pipe, std::sync::mpsc::Sender<()>);

impl Read for Watched {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.read(out)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _nobody = self.1.send(());
    }
}

#[test]
fn nobody_waits_for_a_thread_that_waits() {
    let (writer, pipe) = channel();
    let (gone, is_gone) = channel();
    let mut blocks = Blocks::new(Box::new(Watched(Pipe(pipe), gone)), Pace::Awaited);
    for _ in 0..40 {
        writer.send(vec![0; 10_000]).unwrap();
    }
    assert!(blocks.fill(400_000));
    // Its thread is inside a read now, or will be.
    drop(blocks);
    assert!(is_gone.recv_timeout(Duration::from_millis(20)).is_err());
    // With the next bytes it notices.
    writer.send(vec![0; 10_000]).unwrap();
    drop(writer);
    is_gone.recv_timeout(Duration::from_secs(20)).unwrap();
}

/// Fails, or panics, behind `good` bytes.
struct Bad {
    good: usize,
    panics: bool,
}

impl Read for Bad {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.good.min(out.len());
        self.good -= read;
        assert!(read > 0 || !self.panics, "a reader panics in a test, which is well");
        if read == 0 { Err(io::ErrorKind::TimedOut.into()) } else { Ok(read) }
    }
}

#[test]
fn bytes_before_a_failure_are_not_lost() {
    for pace in EVERY_PACE {
        let mut blocks = Blocks::new(Box::new(Bad { good: 2_000_000, panics: false }), pace);
        assert!(blocks.skip(2_000_000));
        assert!(!blocks.fill(1));
        assert!(matches!(blocks.ending(), Ending::Failed(error) if error.kind() == io::ErrorKind::TimedOut));
    }
}

#[test]
fn a_thread_that_dies_is_a_failure_and_not_the_end() {
    let mut blocks = Blocks::new(Box::new(Bad { good: 2_000_000, panics: true }), Pace::Worked);
    assert!(!blocks.skip(2_000_001));
    assert!(matches!(blocks.ending(), Ending::Failed(_)));
}

use std::sync::mpsc::channel;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

const EVERY_KIND: [InputKind; 3] = [InputKind::File, InputKind::CompressedFile, InputKind::Pipe];

/// Byte `n` of the input that all these tests read.
fn byte_at(n: u64) -> u8 {
    u8::try_from((n ^ (n >> 8) ^ (n >> 17)) & 0xff).unwrap()
}

/// An input of `len` bytes, at most `piece` of them a read, with interruptions.
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

/// Checks that the window has the bytes of the input at its offset.
fn check(window: &Window) {
    let offset = window.offset();
    assert_eq!(window.received() - offset, window.bytes().len() as u64);
    // The first, the last and some between: all bytes would take minutes.
    let bytes = window.bytes();
    for at in (0..bytes.len()).step_by(4_093).chain(bytes.len().checked_sub(1)) {
        assert_eq!(bytes[at], byte_at(offset + at as u64));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::common::effort::cases(48, 500)))]

    #[test]
    fn records_of_any_length_are_complete(
        len in 0_u64..3_000_000,
        piece in prop_oneof![1_000_usize..9_000, Just(65_536_usize), Just(1 << 20)],
        kind in 0_usize..3,
        wants in prop::collection::vec(
            (any::<bool>(), prop_oneof![4 => 0_usize..2_000, 4 => 0_usize..100_000, 1 => 0_usize..900_000]), 1..60),
    ) {
        let mut window = Window::new(Box::new(Stream::new(len, piece)), EVERY_KIND[kind]);
        let mut at = 0_u64;
        for &(take, want) in wants.iter().cycle().take(400) {
            let there = at + want as u64 <= len;
            if take {
                prop_assert_eq!(window.fill(want), there);
                prop_assert_eq!(window.offset(), at);
                check(&window);
                if there {
                    let start = window.take(want);
                    let record = window.slice(start, want);
                    prop_assert_eq!(record.len(), want);
                    prop_assert!(record.first().is_none_or(|&first| first == byte_at(at)));
                    prop_assert!(record.last().is_none_or(|&last| last == byte_at(at + want as u64 - 1)));
                }
            } else {
                prop_assert_eq!(window.skip(want), there);
                check(&window);
            }
            if !there {
                prop_assert!(matches!(window.take_end(), StreamEnd::Complete));
                prop_assert_eq!(window.received(), len);
                break;
            }
            at += want as u64;
        }
    }
}

#[test]
fn short_records_need_no_more_than_the_pool() {
    for kind in EVERY_KIND {
        let mut window = Window::new(Box::new(Stream::new(4 << 20, 1 << 20)), kind);
        let mut most = 0;
        while window.fill(60_001) {
            window.take(60_001);
            most = most.max(window.held());
        }
        assert!(most <= 4 * (HEADROOM + BLOCK_BYTES), "{kind:?}: {most}");
    }
}

#[test]
fn a_grown_block_is_freed() {
    for kind in EVERY_KIND {
        let mut window = Window::new(Box::new(Stream::new(8 << 20, 1 << 20)), kind);
        assert!(window.fill(3 << 20));
        assert!(window.held() >= 3 << 20);
        window.take(3 << 20);
        assert!(window.skip(1 << 20) && window.fill(1_000));
        assert!(window.held() <= 4 * (HEADROOM + BLOCK_BYTES), "{kind:?}: {}", window.held());
    }
}

#[test]
fn bytes_that_do_not_exist_take_no_memory() {
    for kind in EVERY_KIND {
        let mut window = Window::new(Box::new(Stream::new(2_000_000, 1 << 20)), kind);
        assert!(!window.fill(1 << 30));
        assert!(window.held() < 8 << 20, "{kind:?}: {}", window.held());
        assert_eq!(window.bytes().len(), 2_000_000);
        check(&window);
    }
}

/// Reads what it is sent, and waits for it.
struct Pipe(std::sync::mpsc::Receiver<Vec<u8>>);

impl Read for Pipe {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let Ok(bytes) = self.0.recv() else { return Ok(0) };
        out[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

#[test]
fn bytes_of_a_pipe_come_at_once() {
    let (writer, pipe) = channel();
    let mut window = Window::new(Box::new(Pipe(pipe)), InputKind::Pipe);
    let piece = vec![7; 10_000];
    for round in 0..100 {
        // Nothing else is sent: if these bytes were held back, this would wait forever.
        writer.send(piece.clone()).unwrap();
        assert!(window.fill(10_000), "round {round}");
        window.take(10_000);
    }
    drop(writer);
    assert!(!window.fill(1));
}

/// Reports when it is dropped.
struct Watched(Pipe, std::sync::mpsc::Sender<()>);

impl Read for Watched {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.read(out)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _sent = self.1.send(());
    }
}

#[test]
fn a_waiting_thread_is_not_joined() {
    let (writer, pipe) = channel();
    let (gone, is_gone) = channel();
    let mut window = Window::new(Box::new(Watched(Pipe(pipe), gone)), InputKind::Pipe);
    for _ in 0..40 {
        writer.send(vec![0; 10_000]).unwrap();
    }
    assert!(window.fill(400_000));
    // Its thread is inside a read now, or will be soon.
    drop(window);
    assert!(is_gone.recv_timeout(Duration::from_millis(20)).is_err());
    // With the next bytes it notices.
    writer.send(vec![0; 10_000]).unwrap();
    drop(writer);
    is_gone.recv_timeout(Duration::from_secs(20)).unwrap();
}

/// Fails, or panics, after `good` bytes.
struct Bad {
    good: usize,
    panics: bool,
}

impl Read for Bad {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.good.min(out.len());
        self.good -= read;
        assert!(read > 0 || !self.panics, "this reader panics on purpose");
        if read == 0 { Err(io::ErrorKind::TimedOut.into()) } else { Ok(read) }
    }
}

#[test]
fn bytes_before_a_failure_are_not_lost() {
    for kind in EVERY_KIND {
        let mut window = Window::new(Box::new(Bad { good: 2_000_000, panics: false }), kind);
        assert!(window.skip(2_000_000));
        assert!(!window.fill(1));
        assert!(matches!(window.take_end(), StreamEnd::Failed(error) if error.kind() == io::ErrorKind::TimedOut));
    }
}

#[test]
fn a_thread_that_panics_is_a_failure_and_not_the_end() {
    let mut window = Window::new(Box::new(Bad { good: 2_000_000, panics: true }), InputKind::CompressedFile);
    assert!(!window.skip(2_000_001));
    assert!(matches!(window.take_end(), StreamEnd::Failed(_)));
}

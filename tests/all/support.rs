//! What the tests on captures share: the samples, what the library emits for a capture, and random numbers that are always
//! the same.

use std::path::{Path, PathBuf};

use serde_json::Value;
use wslens::analyzer::Analyzer;
use wslens::capture::{CaptureError, Input, LinkType, Packet};
use wslens::event::Sink;
use wslens::types::{PacketRef, Timestamp};

use crate::common::recorder::everything;
use crate::common::{Recorder, record};

/// One folder of `samples/`.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) name: String,
    /// From the root of the package.
    pub(crate) capture: PathBuf,
    /// What the endpoints recorded, where they were real.
    pub(crate) truth: Option<Value>,
}

impl Sample {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        std::fs::read(&self.capture).unwrap()
    }

    /// One of its packets holds less than was on the wire, or bytes of a stream are missing.
    pub(crate) fn lacks_bytes(&self) -> bool {
        ["gap", "midstream", "snaplen"].contains(&self.name.as_str())
    }
}

/// All samples, by name. Tests run in the root of the package.
pub(crate) fn samples() -> Vec<Sample> {
    let mut folders: Vec<_> = folder(Path::new("samples")).into_iter().filter(|path| path.is_dir()).collect();
    folders.retain(|path| path.file_name().is_some_and(|name| name != "__pycache__"));
    assert!(folders.len() >= 53, "samples/ is not complete: {} folders", folders.len());
    folders.iter().map(|path| sample(path)).collect()
}

fn sample(path: &Path) -> Sample {
    let captures: Vec<_> = folder(path).into_iter().filter(|path| file_name(path).starts_with("capture.")).collect();
    assert_eq!(captures.len(), 1, "{}: one capture.* is expected", path.display());
    Sample { name: file_name(path), capture: captures[0].clone(), truth: json(&path.join("truth.json")) }
}

/// What is in a folder, sorted.
pub(crate) fn folder(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A JSON file, if it is there.
pub(crate) fn json(path: &Path) -> Option<Value> {
    let text = std::fs::read(path).ok()?;
    Some(serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// A folder beside the package with captures that are too large, or not ours, to be part of it. `None`, recording that
/// the test is skipped, where it is absent.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let path = Path::new("../shared").join(path);
    if path.is_dir() {
        return Some(path);
    }
    crate::common::skip::skip("captures in ../shared");
    None
}

/// Records what the library emits for a capture file, given the key log beside it, if there is one.
pub(crate) fn record_file(path: &Path) -> Recorder {
    let mut recorder = Recorder::default();
    let keys = key_log(path).map(|path| std::fs::read(path).unwrap()).unwrap_or_default();
    let input = Input::open(&[path]).unwrap();
    feed(input, &keys, &mut recorder).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    recorder
}

/// The key log beside a capture: `keys.log`, or with the capture's name and the ending `.keys`.
pub(crate) fn key_log(capture: &Path) -> Option<PathBuf> {
    let candidates = [capture.with_file_name("keys.log"), capture.with_extension("keys")];
    candidates.into_iter().find(|path| path.is_file())
}

/// Gives all packets of an input to a sink, with a key log and the secrets that the capture carries.
pub(crate) fn feed<S: Sink<Error: core::fmt::Debug>>(
    mut input: Input,
    keys: &[u8],
    sink: &mut S,
) -> Result<(), CaptureError> {
    let mut analyzer = Analyzer::new(&everything());
    analyzer.keys().add(keys);
    analyzer.expect_secrets(true);
    let ended = loop {
        match input.next_packet() {
            Ok(Some(packet)) => analyzer.packet(&packet, sink).unwrap(),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
        input.take_secrets().iter().for_each(|secrets| analyzer.keys().add(&secrets.bytes));
        analyzer.expect_secrets(input.may_have_secrets());
    };
    input.take_secrets().iter().for_each(|secrets| analyzer.keys().add(&secrets.bytes));
    analyzer.finish(sink).unwrap();
    ended
}

/// All secrets that belong to a capture: from the key log beside it, and those that it carries.
pub(crate) fn secrets(path: &Path) -> Vec<u8> {
    let mut keys = key_log(path).map(|path| std::fs::read(path).unwrap()).unwrap_or_default();
    let mut input = Input::open(&[path]).unwrap();
    while let Ok(Some(_)) = input.next_packet() {}
    input.take_secrets().iter().for_each(|secrets| keys.extend_from_slice(&secrets.bytes));
    keys
}

/// Records what the library emits for IP packets, given these secrets of TLS.
pub(crate) fn record_packets<'p>(packets: &'p [(Timestamp, Vec<u8>)], keys: &[u8]) -> Recorder {
    let packet = |(number, (at, bytes)): (u64, &'p (Timestamp, Vec<u8>))| {
        let original_len = u32::try_from(bytes.len()).unwrap();
        Packet { seen: PacketRef { packet: number, at: *at }, link: LinkType::RAW, bytes, original_len }
    };
    record((1..).zip(packets).map(packet), keys)
}

/// Numbers that look random and are the same each time (SplitMix64).
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// A seed that a name gives.
    pub(crate) fn of(name: &str, seed: u64) -> Self {
        let mix = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        Self(name.bytes().fold(0xcbf2_9ce4_8422_2325, mix).wrapping_add(seed.wrapping_mul(0x2545_f491_4f6c_dd1d)))
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of 0 to `end` - 1; 0 if `end` is 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.bits() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, self.below(last + 1));
        }
    }
}

/// Does `work` on each item, on all cores. Panics if one did.
pub(crate) fn in_parallel<T: Sync>(items: &[T], work: impl Fn(&T) + Sync) {
    let next = core::sync::atomic::AtomicUsize::new(0);
    let cores = std::thread::available_parallelism().map_or(1, core::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, core::sync::atomic::Ordering::Relaxed)) {
                    work(item);
                }
            });
        }
    });
}

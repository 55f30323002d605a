//! Bad input: the samples cut off at every byte, and corrupted in a thousand ways. Whatever the bytes are, wslens reads
//! them or says what is wrong with the file; it never panics, and its outputs take whatever it tells.
//!
//! An ordinary `cargo test` tries as many positions and corruptions of a sample as its size allows within seconds. With
//! `WSLENS_SLOW=1` it is every position of each sample and a thousand corruptions of each. That takes minutes where the
//! code is optimized, and is part of `.ci/run`: `WSLENS_SLOW=1 cargo test --profile checked bad_input`.

use std::io::{self, Cursor};

use wslens::analyzer::Analyzer;
use wslens::capture::{CaptureError, Input};
use wslens::output::{
    Context, Follow, Format, JsonReport, Order, Outputs, Payload, Secrets, Selection, Style, TableName, TableOptions,
    TextReport,
};

use super::common::effort::is_slow;
use super::support::{Random, Sample, in_parallel, samples};
use crate::common::recorder::everything;

/// How many corruptions of each sample, at most.
const CORRUPTIONS: usize = 1_000;
/// How many bytes an ordinary test run reads of one sample, in each of the two tests: about.
const BUDGET: usize = 1 << 20;
/// Samples up to this size are cut off at each of their bytes in an ordinary test run too.
const SMALL: usize = 8 << 10;

/// All outputs at once, written nowhere.
fn outputs() -> Outputs<'static> {
    let context = Context { payload: Payload::Full, ..Context::default() };
    let (secrets, style) = (Secrets::default(), Style::default());
    let table_options = TableOptions { context: context.clone(), ..TableOptions::default() };
    let mut outputs = Outputs::new();
    outputs.add(TextReport::new(io::sink(), Order::SummaryFirst, secrets, style));
    outputs.add(JsonReport::new(io::sink(), context));
    outputs.add(Follow::new(io::sink(), Selection::All, secrets, style));
    let formats = [Format::Ndjson, Format::Csv, Format::Ndjson, Format::Csv];
    for (name, format) in TableName::ALL.into_iter().zip(formats) {
        outputs.push(name.output(format, &table_options, io::sink()));
    }
    outputs
}

/// Reads `bytes` as the command would.
fn read(bytes: Vec<u8>) -> Result<(), CaptureError> {
    let mut input = Input::from_reader("bad", Box::new(Cursor::new(bytes)));
    let mut analyzer = Analyzer::new(&everything());
    let mut outputs = outputs();
    let ended = loop {
        match input.next_packet() {
            Ok(Some(packet)) => analyzer.packet(&packet, &mut outputs).unwrap(),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    analyzer.finish(&mut outputs).unwrap();
    outputs.finish(&analyzer.totals()).unwrap();
    ended
}

/// The number of packets in `bytes`, and how they end.
fn packets(bytes: Vec<u8>) -> (u64, Result<(), CaptureError>) {
    let mut input = Input::from_reader("bad", Box::new(Cursor::new(bytes)));
    let mut packets = 0;
    loop {
        match input.next_packet() {
            Ok(Some(_)) => packets += 1,
            Ok(None) => break (packets, Ok(())),
            Err(error) => break (packets, Err(error)),
        }
    }
}

/// Says which input it was before a panic goes on.
fn said<T>(sample: &Sample, how: &str, work: impl FnOnce() -> T) -> T {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        println!("{}, {how}", sample.name);
        std::panic::resume_unwind(panic)
    })
}

/// So many positions of a sample are one piece of work.
const PIECE: usize = 4 << 10;

/// A cut within a record leaves the packets before it, and what is made of these is the same wherever in the record it is:
/// every cut is read, and each number of packets that comes out is analysed.
#[test]
fn samples_cut_off_at_every_byte() {
    let samples: Vec<_> = samples().into_iter().map(|sample| (sample.bytes(), sample)).collect();
    let pieces = samples.iter().flat_map(|(bytes, sample)| {
        (0..bytes.len()).step_by(PIECE).map(move |from| (sample, bytes, from..bytes.len().min(from + PIECE)))
    });
    in_parallel(&pieces.collect::<Vec<_>>(), |(sample, bytes, positions)| {
        // Half a file is read on the average.
        let affordable = (2 * BUDGET / bytes.len()).clamp(20, 500);
        let stride = if is_slow() || bytes.len() <= SMALL { 1 } else { bytes.len().div_ceil(affordable) };
        let mut random = Random::of(&sample.name, positions.start.try_into().unwrap());
        let mut analysed = None;
        for from in positions.clone().step_by(stride) {
            let len = from + random.below(stride.min(positions.end - from));
            let how = format!("cut off after {len} bytes");
            let (packets, mut outcome) = said(sample, &how, || packets(bytes[..len].to_vec()));
            if outcome.is_err() || analysed.replace(packets) != Some(packets) {
                outcome = said(sample, &how, || read(bytes[..len].to_vec()));
            }
            // A file that was cut off is read up to there; with less than its header it may be anything.
            assert!(outcome.is_ok() || len < 24, "{}, {how}: {outcome:?}", sample.name);
        }
    });
}

#[test]
fn samples_corrupted() {
    in_parallel(&samples(), |sample| {
        let bytes = sample.bytes();
        let affordable = if is_slow() { CORRUPTIONS } else { (BUDGET / bytes.len()).clamp(10, CORRUPTIONS) };
        for seed in 0..affordable {
            let mut random = Random::of(&sample.name, u64::try_from(seed).unwrap());
            let mut bytes = bytes.clone();
            for _ in 0..=random.below(8) {
                corrupt(&mut bytes, &mut random);
            }
            // Either outcome will do.
            drop(said(sample, &format!("corrupted with seed {seed}"), || read(bytes)));
        }
    });
}

/// Does one damage to `bytes`.
fn corrupt(bytes: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(bytes.len());
    let end = (at + 1 + random.below(40)).min(bytes.len());
    let any = random.bits().to_le_bytes();
    match random.below(8) {
        0 => set(bytes, at, |byte| byte ^ (1 << (any[0] % 8))),
        1 => set(bytes, at, |_| any[0]),
        2 => set(bytes, at, |_| [0, 1, 0x7f, 0x80, 0xff][usize::from(any[0] % 5)]),
        3 => (0..4).for_each(|place| set(bytes, at + place, |_| any[place])),
        4 => (0..4).for_each(|place| set(bytes, at + place, |_| 0xff)),
        5 => drop(bytes.drain(at..end)),
        6 => drop(bytes.splice(at..at, any)),
        _ => {
            let again = bytes.get(at..end).unwrap_or_default().to_vec();
            drop(bytes.splice(at..at, again));
        }
    }
}

fn set(bytes: &mut [u8], at: usize, change: impl FnOnce(u8) -> u8) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte = change(*byte);
    }
}

//! How well lost frame boundaries are found again, and how often something is invented: the experiments of
//! `tests/all/losses.rs` in large numbers. Prints a line for each kind of traffic.
//!
//! ```text
//! cargo run --release --example losses [LOSSES [STRANGERS]]
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement that fails is to stop"
)]

use std::path::Path;
use std::process::Command;

#[path = "../tests/common/mod.rs"]
mod common;
#[path = "../tests/all/losses/lab/mod.rs"]
mod lab;

use lab::adopt::{self, Keep};
use lab::damage::{Tally, Whole};
use lab::packets::{by_connection, captures, read};
use lab::random::Random;
use lab::strangers::{TONGUES, stranger};
use lab::talk::{Kind, conversation, endpoint};
use lab::watch::analyse;

/// Losses in one made conversation.
const PER_CONVERSATION: usize = 10;

fn main() {
    let mut arguments = std::env::args().skip(1).filter_map(|argument| argument.parse().ok());
    let cuts: usize = arguments.next().unwrap_or(12_000);
    let strangers: usize = arguments.next().unwrap_or(6_000);
    // In `overlap` and `two-links`, which packet carried a byte depends on which others there are.
    let real: Vec<(String, Whole)> = captures(&[])
        .into_iter()
        .filter(|(name, _)| !["overlap", "two-links"].contains(&name.as_str()))
        .flat_map(|(name, path)| {
            by_connection(&read(&path)).into_iter().take(4).map(move |raws| (name.clone(), Whole::new(raws)))
        })
        .filter(|(_, whole)| !whole.watch.frames.is_empty())
        .collect();
    losses(cuts, &real);
    generated(cuts);
    adoptions(cuts / 4, &real);
    foreign(strangers);
}

/// Half of the losses in made traffic, half in real.
fn losses(cuts: usize, real: &[(String, Whole)]) {
    let (mut all, mut holes) = (Tally::default(), Tally::default());
    let each = cuts / 2 / Kind::ALL.len();
    for kind in Kind::ALL {
        let mut tally = Tally::default();
        for seed in 0..each.div_ceil(PER_CONVERSATION) as u64 {
            let random = &mut Random::new(seed * 31 + kind as u64);
            let whole = Whole::new(conversation(kind, 120, (endpoint(1, 50_123), endpoint(2, 8080)), random));
            for _ in 0..PER_CONVERSATION {
                tally.add(&whole.cut(random).unwrap_or_default());
            }
            let riddled = whole.riddle(15, random);
            if !riddled.is_honest() {
                report(&format!("{kind:?}, many holes"), &riddled);
            }
            holes.add(&riddled);
        }
        report(&format!("{kind:?}"), &tally);
        all.add(&tally);
    }
    let each = cuts.div_ceil(2).div_ceil(real.len().max(1));
    let mut of_capture = (String::new(), Tally::default());
    for (number, (name, whole)) in real.iter().enumerate() {
        let random = &mut Random::new(number as u64);
        if of_capture.0 != *name {
            report(&of_capture.0, &of_capture.1);
            of_capture = (name.clone(), Tally::default());
        }
        for _ in 0..each {
            of_capture.1.add(&whole.cut(random).unwrap_or_default());
        }
        let riddled = whole.riddle(10, random);
        if !riddled.is_honest() {
            report(&format!("{name}, many holes"), &riddled);
        }
        holes.add(&riddled);
        if real.get(number + 1).is_none_or(|next| next.0 != *name) {
            all.add(&of_capture.1);
        }
    }
    report(&of_capture.0, &of_capture.1);
    report("ALL", &all);
    report("many holes at once", &holes);
}

/// What the generator of big captures makes, where it is there: small text, large binary messages, compressed ones.
fn generated(cuts: usize) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/tools/synth.py");
    if !script.is_file() {
        println!("{:>20} no generator here: left out", "generated");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut all = Tally::default();
    let mixes: [(&str, &[&str]); 4] = [
        ("synth, small text", &["--small", "1", "--deflate", "0", "--large", "0"]),
        ("synth, large binary", &["--small", "0", "--deflate", "0", "--large", "0.6"]),
        ("synth, compressed", &["--deflate", "1"]),
        ("synth, mixed", &["--deflate", "0.5", "--fragment", "0.3", "--ping", "0.1", "--large", "0.1"]),
    ];
    for (name, options) in mixes {
        let path = folder.path().join("synth.pcap");
        let mut python = Command::new("python3");
        python.arg(&script).arg(&path).args(["--size", "12MiB", "--conns", "40", "--seed", "9"]).args(options);
        assert!(python.output().unwrap().status.success(), "{name}");
        let wholes: Vec<Whole> = by_connection(&read(&path)).into_iter().map(Whole::new).collect();
        let wholes: Vec<Whole> = wholes.into_iter().filter(|whole| !whole.watch.frames.is_empty()).collect();
        let mut tally = Tally::default();
        for (number, whole) in wholes.iter().enumerate() {
            let random = &mut Random::new(number as u64 + 77);
            for _ in 0..(cuts / 4 / mixes.len()).div_ceil(wholes.len()) {
                tally.add(&whole.cut(random).unwrap_or_default());
            }
        }
        report(name, &tally);
        all.add(&tally);
    }
    report("ALL", &all);
}

fn report(name: &str, tally: &Tally) {
    if tally.cuts > 0 {
        println!("{name:>20} {tally}");
    }
    for complaint in tally.complaints.iter().filter(|_| name != "ALL") {
        println!("{:>20} {}", "", complaint.chars().take(400).collect::<String>());
    }
}

fn adoptions(cuts: usize, real: &[(String, Whole)]) {
    let (mut made, mut captured) = (adopt::Tally::default(), adopt::Tally::default());
    let keeps = [Keep::Both, Keep::ToServer, Keep::ToClient];
    for number in 0..cuts / 2 {
        let random = &mut Random::new(number as u64 + 9_000_000);
        let kind = Kind::ALL[number % Kind::ALL.len()];
        let ends = (endpoint(1, random.next() as u16), endpoint(2, random.next() as u16));
        let whole = Whole::new(conversation(kind, 80, ends, random));
        let keep = keeps[random.below(3)];
        let mut tally = adopt::cut(&whole, keep, random).unwrap_or_default();
        for complaint in &mut tally.complaints {
            *complaint = format!("{kind:?}, {keep:?}: {complaint}");
        }
        made.add(&tally);
    }
    for number in 0..cuts / 2 {
        let random = &mut Random::new(number as u64 + 10_000_000);
        let Some((name, whole)) = real.get(random.below(real.len())) else { break };
        let mut tally = adopt::cut(whole, keeps[random.below(3)], random).unwrap_or_default();
        for complaint in &mut tally.complaints {
            *complaint = format!("{name}: {complaint}");
        }
        captured.add(&tally);
    }
    for (name, tally) in [("adopted, made", made), ("adopted, real", captured)] {
        println!("{name:>20} {tally}");
        for complaint in &tally.complaints {
            println!("{:>20} {}", "", complaint.chars().take(300).collect::<String>());
        }
    }
}

fn foreign(count: usize) {
    let mut adopted = 0;
    for number in 0..count {
        let (name, raws) = stranger(number, &mut Random::new(number as u64));
        let watch = analyse(&raws);
        if !watch.opened.is_empty() {
            adopted += 1;
            println!("{:>20} {number}: {name} {:?}", "TAKEN FOR ONE", watch.findings.first());
        }
    }
    println!("{:>20} {count} connections in {} tongues, {adopted} adopted", "strangers", TONGUES.len());
}

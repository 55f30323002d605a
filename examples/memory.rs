//! What connections and floods cost, in full scale: the traffic of `tests/all/floods/lab.rs`. Prints the tables of
//! `docs/limits.md`. Each flood is read by a process of its own, so that its greatest resident size can be read.
//!
//! ```text
//! cargo run --release --example memory [SIZE-IN-MIB]          all, in full
//! cargo run --release --example memory SIZE-IN-MIB N small    the Nth flood, as small as the tests have it
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement that fails is to stop"
)]

#[path = "../tests/common/mod.rs"]
mod common;
#[path = "../tests/all/floods/lab.rs"]
mod lab;

use std::time::Instant;

use lab::{FLOODS, Flood, KINDS, Rig};
use wslens::types::Limits;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mebibytes = arguments.first().and_then(|size| size.parse().ok()).unwrap_or(512);
    if let Some(number) = arguments.get(1).and_then(|number| number.parse::<usize>().ok()) {
        let flood = &FLOODS[number];
        let small = arguments.get(2).is_some_and(|size| size == "small");
        return measure(flood, if small { flood.amount / flood.part } else { flood.amount }, mebibytes);
    }
    println!("| one connection | bytes |\n| --- | ---: |");
    for kind in KINDS {
        let bytes = kind.bytes_each(1000);
        assert!(bytes <= kind.most, "{}: {bytes}", kind.name);
        println!("| {} | {bytes} |", kind.name);
    }
    println!(
        "\n| flood, --max-memory {mebibytes}MiB | packets | MiB read | kept at most, MiB | resident at most, MiB | ns a packet | discarded |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | --- |");
    for number in 0..FLOODS.len() {
        let arguments = [mebibytes.to_string(), number.to_string()];
        let this = std::env::current_exe().unwrap();
        assert!(std::process::Command::new(this).args(arguments).status().unwrap().success());
    }
}

/// Reads one flood and prints its row.
fn measure(flood: &Flood, amount: u32, mebibytes: usize) {
    let limits = Limits { max_memory_bytes: mebibytes << 20, ..Limits::default() };
    let worst = limits.worst_case_bytes();
    let mut rig = Rig::new(limits);
    let start = Instant::now();
    (flood.run)(&mut rig, amount);
    let nanos = start.elapsed().as_nanos() / u128::from(rig.packets);
    let resident = resident();
    assert!(rig.most <= worst, "{}: {} of {worst}", flood.name, rig.most);
    let totals = rig.finish();
    let mut reported = Vec::new();
    for (count, what) in [
        (totals.shed_times, "times content"),
        (totals.shed_bytes >> 20, "MiB"),
        (totals.evicted_connections, "connections"),
        (totals.lost_datagrams, "datagrams"),
        (rig.findings, "findings"),
    ] {
        if count > 0 {
            reported.push(format!("{count} {what}"));
        }
    }
    println!(
        "| {} | {} | {} | {:.1} | {resident} | {nanos} | {} |",
        flood.name,
        rig.packets,
        rig.bytes >> 20,
        rig.most as f64 / f64::from(1 << 20),
        reported.join(", ")
    );
}

/// The greatest resident size of this process so far, in MiB, where that can be read.
fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok())
        .map_or_else(|| "?".to_owned(), |kib| (kib >> 10).to_string())
}

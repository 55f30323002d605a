//! Days of traffic in a minute or two: the samples over and over, at other times, from other addresses, some slowed down,
//! some with losses, some never ended, into the standard input of `wslens`; and how much memory that takes. Prints a line
//! each tenth of the way. Linux, since it looks into `/proc`.
//!
//! ```text
//! cargo build --release && cargo run --release --example soak -- [HOURS [ROUNDS]] [-- OPTIONS OF wslens read...]
//! ```
//!
//! HOURS of the captured clock (default 96: after the first 24, connections that nobody ended are given up) have ROUNDS
//! samples (default 60,000). What is written by default: all four tables and nothing else.
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

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Instant;

use wslens::capture::{Input, LinkType};

/// Tables to nowhere, but for one line a connection, which is counted.
const OPTIONS: [&str; 10] = [
    "--connections",
    "-",
    "--frames",
    "/dev/null",
    "--messages",
    "/dev/null",
    "--findings",
    "/dev/null",
    "--format",
    "csv",
];
/// How many times slower a sample is played, as often as it stands here.
const SLOWER: [i64; 8] = [1, 1, 1, 10, 10, 100, 100, 1_000];
/// One packet in so many is lost.
const LOSSES: u64 = 2_000;
/// Where an Ethernet frame begins to be IP.
const IP: usize = 14;

/// A packet: nanoseconds since the first of its sample, and its bytes.
type Packet = (i64, Vec<u8>);

/// A sample that is being played: when its next packet is due, which it is, and how it is changed.
type Playing = Reverse<(i64, usize, usize, u32, i64, i64)>;

fn main() {
    let mut args = std::env::args().skip(1);
    let numbers: Vec<i64> = args.by_ref().take_while(|arg| arg != "--").map(|arg| arg.parse().unwrap()).collect();
    let options: Vec<String> = args.collect();
    let hours = numbers.first().copied().unwrap_or(96);
    let rounds = numbers.get(1).copied().unwrap_or(60_000);
    let samples = samples();
    let mut child = start(&options);
    let count = count_lines(child.stdout.take().unwrap());
    let begun = Instant::now();
    println!(
        "{} samples, {rounds} rounds in {hours} h\n\n   done     packets  open rounds       RSS      peak",
        samples.len()
    );
    let mut soak = Soak { to: BufWriter::new(child.stdin.take().unwrap()), packets: 0, random: 1 };
    soak.head();
    let step = hours * 3_600 * 1_000_000_000 / rounds;
    let mut playing = BinaryHeap::new();
    for round in 0..rounds {
        let at = 1_800_000_000_000_000_000 + round * step;
        soak.play(&samples, &mut playing, at);
        let (sample, slower) = (soak.below(samples.len() as u64), soak.below(SLOWER.len() as u64));
        let place = u32::try_from(round).unwrap();
        playing.push(Reverse((at, 0, sample as usize, place, SLOWER[slower as usize], at)));
        if (round + 1) % (rounds / 10).max(1) == 0 || round == rounds / 100 {
            say(&child, (round + 1) * 100 / rounds, soak.packets, playing.len());
        }
    }
    soak.play(&samples, &mut playing, i64::MAX);
    soak.to.flush().unwrap();
    say(&child, 100, soak.packets, playing.len());
    drop(soak.to);
    let status = child.wait().unwrap();
    println!("\n{} lines on standard output, {status}, {:.1} s", count.join().unwrap(), begun.elapsed().as_secs_f64());
}

/// Starts the command that stands beside the examples.
fn start(options: &[String]) -> Child {
    let here = std::env::current_exe().unwrap();
    let command: PathBuf = here.parent().and_then(Path::parent).unwrap().join("wslens");
    let mut command = Command::new(command);
    command.args(["read", "-"]);
    if options.is_empty() {
        command.args(OPTIONS)
    } else {
        command.args(options)
    };
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("wslens is built in the same profile")
}

fn count_lines(mut from: impl Read + Send + 'static) -> thread::JoinHandle<usize> {
    thread::spawn(move || {
        let mut block = vec![0; 1 << 16];
        let mut lines = 0;
        while let Ok(len @ 1..) = from.read(&mut block) {
            lines += block[..len].iter().filter(|byte| **byte == b'\n').count();
        }
        lines
    })
}

/// The samples on Ethernet and IPv4, whole.
fn samples() -> Vec<Vec<Packet>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let folders = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = folders
        .filter(|path| path.is_dir())
        .flat_map(|path| std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()))
        .filter(|path| path.to_string_lossy().contains("capture.pcap"))
        .collect();
    files.sort();
    files.iter().map(|path| sample(path)).filter(|packets| !packets.is_empty()).collect()
}

fn sample(path: &Path) -> Vec<Packet> {
    let mut input = Input::open(&[path]).unwrap();
    let mut first = None;
    let mut packets = Vec::new();
    while let Ok(Some(packet)) = input.next_packet() {
        let is_ip = packet.bytes.get(IP - 2..=IP).is_some_and(|head| matches!(head, [8, 0, 0x45]));
        if packet.link != LinkType::ETHERNET || !is_ip || packet.bytes.len() < packet.original_len as usize {
            return Vec::new();
        }
        let first = *first.get_or_insert(packet.seen.at.as_nanos());
        packets.push((packet.seen.at.as_nanos() - first, packet.bytes.to_vec()));
    }
    packets
}

/// One line: how far, and the memory of the command now and at most.
fn say(child: &Child, percent: i64, packets: u64, playing: usize) {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("");
        line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0)
    };
    println!("{percent:5} %  {packets:10}  {playing:11}  {:6} KiB  {:6} KiB", kib("VmRSS:"), kib("VmHWM:"));
}

/// A capture that is being made.
struct Soak<W: Write> {
    to: W,
    packets: u64,
    random: u64,
}

impl<W: Write> Soak<W> {
    /// The head of a pcap file with nanoseconds, on Ethernet.
    fn head(&mut self) {
        for word in [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 262_144, 1] {
            self.to.write_all(&word.to_le_bytes()).unwrap();
        }
    }

    /// Plays what is due before `until`.
    fn play(&mut self, samples: &[Vec<Packet>], playing: &mut BinaryHeap<Playing>, until: i64) {
        while playing.peek().is_some_and(|next| next.0.0 < until) {
            let Some(Reverse((at, next, sample, round, slower, begun))) = playing.pop() else { return };
            let packets = &samples[sample];
            if self.below(LOSSES) > 0 {
                self.packet(at, &packets[next].1, round);
            }
            if let Some((after, _)) = packets.get(next + 1) {
                playing.push(Reverse((begun + after.max(&0) * slower, next + 1, sample, round, slower, begun)));
            }
        }
    }

    /// A packet with other addresses in each round; checksums are left wrong, as offloading leaves them.
    fn packet(&mut self, at: i64, bytes: &[u8], round: u32) {
        let mut bytes = bytes.to_vec();
        for ip in [IP + 12, IP + 16] {
            let address = u32::from_be_bytes(bytes[ip..ip + 4].try_into().unwrap());
            bytes[ip..ip + 4].copy_from_slice(&address.wrapping_add(round << 8).to_be_bytes());
        }
        let len = bytes.len() as u64;
        for word in [at as u64 / 1_000_000_000, at as u64 % 1_000_000_000, len, len] {
            self.to.write_all(&(word as u32).to_le_bytes()).unwrap();
        }
        self.to.write_all(&bytes).unwrap();
        self.packets += 1;
    }

    /// A number below `end`, the same in every run (splitmix64).
    fn below(&mut self, end: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % end
    }
}

//! What each layer costs: `cargo bench --bench layers`, or `cargo bench --bench layers -- frames` for one of them.
//!
//! Captures are made in memory, by what `examples/generate/main.rs` makes files with. Throughput is in packets, frames or
//! bytes, as each says.

use core::convert::Infallible;
use std::io::Cursor;
use std::sync::LazyLock;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use wslens::analyzer::{Analyzer, Options};
use wslens::capture::Input;
use wslens::event::{Event, Sink};
use wslens::net::Decoder as Packets;
use wslens::types::Limits;
use wslens::websocket::utf8::Utf8Checker;

#[path = "../examples/generate/traffic/mod.rs"]
mod traffic;

use traffic::{Mix, Written};

fn main() {
    divan::main();
}

/// A capture, and what is in it.
struct Capture(Vec<u8>, Written);

impl Capture {
    fn new(change: impl FnOnce(&mut Mix)) -> Self {
        let mut mix = Mix {
            size: 16 << 20,
            connections: 100,
            concurrent: 50,
            deflate: 0.0,
            background: 0,
            small: 0.9,
            large: 0.003,
            length: None,
            seed: 1,
        };
        change(&mut mix);
        let mut bytes = Vec::new();
        // A Vec takes all that is written.
        let written = traffic::write(&mix, &mut bytes).unwrap_or_default();
        Self(bytes, written)
    }

    fn input(&self) -> Input {
        Input::from_reader("bench", Box::new(Cursor::new(self.0.clone())))
    }
}

static PLAIN: LazyLock<Capture> = LazyLock::new(|| Capture::new(|_| ()));
static DEFLATED: LazyLock<Capture> = LazyLock::new(|| Capture::new(|mix| mix.deflate = 1.0));
static SMALL: LazyLock<Capture> = LazyLock::new(|| Capture::new(|mix| mix.length = Some(60)));
static OTHER: LazyLock<Capture> = LazyLock::new(|| Capture::new(|mix| (mix.background, mix.connections) = (100, 1)));
static MANY: LazyLock<Capture> =
    LazyLock::new(|| Capture::new(|mix| (mix.connections, mix.concurrent, mix.length) = (20_000, 20_000, Some(60))));

/// Hears everything, does nothing.
struct Deaf;

impl Sink for Deaf {
    type Error = Infallible;

    fn event(&mut self, event: &Event<'_>) -> Result<(), Infallible> {
        black_box(event);
        Ok(())
    }
}

/// Records walked.
#[divan::bench]
fn capture_walk(bencher: Bencher<'_, '_>) {
    let bencher = bencher.counter(ItemsCount::new(PLAIN.1.packets)).with_inputs(|| PLAIN.input());
    bencher.bench_local_values(|mut input| {
        while let Ok(Some(packet)) = input.next_packet() {
            _ = black_box(packet)
        }
    });
}

/// Records walked, headers read.
#[divan::bench]
fn net_decode(bencher: Bencher<'_, '_>) {
    let bencher = bencher.counter(ItemsCount::new(PLAIN.1.packets)).with_inputs(|| PLAIN.input());
    bencher.bench_local_values(|mut input| {
        let mut packets = Packets::new(&Limits::default());
        while let Ok(Some(packet)) = input.next_packet() {
            black_box(packets.decode(&packet));
        }
    });
}

/// The whole way, events and all, a packet.
#[divan::bench(args = ["plain", "deflated", "other", "many connections"])]
fn packets(bencher: Bencher<'_, '_>, name: &str) {
    let capture = named(name);
    analyse(bencher.counter(ItemsCount::new(capture.1.packets)), capture);
}

/// The whole way, events and all, a frame of 60 bytes.
#[divan::bench]
fn frames(bencher: Bencher<'_, '_>) {
    analyse(bencher.counter(ItemsCount::new(SMALL.1.frames)), &SMALL);
}

fn named(name: &str) -> &'static Capture {
    match name {
        "deflated" => &DEFLATED,
        "other" => &OTHER,
        "many connections" => &MANY,
        _ => &PLAIN,
    }
}

fn analyse(bencher: Bencher<'_, '_>, capture: &'static Capture) {
    bencher.with_inputs(|| capture.input()).bench_local_values(|mut input| {
        let mut analyzer = Analyzer::new(&Options::default());
        while let Ok(Some(packet)) = input.next_packet() {
            let Ok(()) = analyzer.packet(&packet, &mut Deaf);
        }
        let Ok(()) = analyzer.finish(&mut Deaf);
    });
}

#[divan::bench(args = [60, 1_400, 65_536])]
fn unmask(bencher: Bencher<'_, '_>, len: usize) {
    let masked = vec![0x5a_u8; len];
    let mut out = Vec::with_capacity(len);
    bencher.counter(BytesCount::new(len)).bench_local(|| {
        out.clear();
        wslens::websocket::mask::unmask_into(&mut out, black_box(&masked), [1, 2, 3, 4], 1);
        black_box(&out);
    });
}

#[divan::bench(args = [60, 1_400, 65_536])]
fn utf8(bencher: Bencher<'_, '_>, len: usize) {
    let text = vec![b'x'; len];
    bencher.counter(BytesCount::new(len)).bench_local(|| Utf8Checker::default().push(black_box(&text)));
}

//! Writes a capture of synthetic WebSocket traffic, for measurements: the same arguments give the same bytes.
//!
//! ```console
//! $ cargo run --release --example generate -- /tmp/mix.pcap --size 1G
//! $ cargo run --release --example generate -- /tmp/small.pcap --size 256M --small 1 --deflate 0
//! ```
//!
//! Clients mask, servers do not; everything is acknowledged; a share of the connections compresses with context takeover.
//! Prints what it wrote, for comparing with what an analysis finds. TCP checksums are zero, as where a network card was to
//! fill them in.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::Parser;

mod conversation;
mod wire;

use conversation::Conversation;
use wire::Wire;

/// Synthetic WebSocket traffic, for measurements.
#[derive(Parser)]
pub(crate) struct Args {
    /// Where the capture goes.
    out: PathBuf,
    /// About how large it becomes: bytes, or with K, M or G.
    #[arg(long, default_value = "64M", value_parser = bytes)]
    size: u64,
    /// How many WebSocket connections.
    #[arg(long, default_value_t = 500)]
    connections: u64,
    /// How many of them at once.
    #[arg(long, default_value_t = 100)]
    concurrent: usize,
    /// The share of connections that compress.
    #[arg(long, default_value_t = 0.3)]
    deflate: f64,
    /// How many of a hundred bytes belong to other protocols.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(..=100))]
    background: u64,
    /// The share of messages of 50 to 300 bytes.
    #[arg(long, default_value_t = 0.9)]
    small: f64,
    /// The share of messages of 256 KiB; the rest has 1 to 16 KiB.
    #[arg(long, default_value_t = 0.003)]
    large: f64,
    /// The length of every message, instead of such a mixture.
    #[arg(long)]
    length: Option<usize>,
    /// Another number, other bytes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// `512`, `64K`, `10M`, `1G`.
fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|unit: char| unit.is_ascii_alphabetic());
    let shift = match text.get(digits.len()..).unwrap_or_default().to_ascii_uppercase().as_str() {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        other => return Err(format!("{other}: not K, M or G")),
    };
    digits.parse::<u64>().map(|number| number << shift).map_err(|error| error.to_string())
}

/// Numbers that look random and are the same every time (`SplitMix64`).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From `from` to `to` - 1.
    pub(crate) fn between(&mut self, from: usize, to: usize) -> usize {
        from + usize::try_from(self.bits() % (to - from) as u64).unwrap_or(0)
    }

    /// True in `share` of all cases.
    pub(crate) fn chance(&mut self, share: f64) -> bool {
        ((self.bits() >> 11) as f64) < share * (1_u64 << 53) as f64
    }
}

/// What was written.
#[derive(Default)]
pub(crate) struct Written {
    pub(crate) connections: u64,
    pub(crate) frames: u64,
    pub(crate) messages: u64,
    pub(crate) content: u64,
    pub(crate) compressed: u64,
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    let mut wire = Wire::new(BufWriter::with_capacity(1 << 20, File::create(&args.out)?))?;
    let mut random = Random(args.seed);
    let mut written = Written::default();
    let pool = conversation::Pool::new(&mut random);
    let others = args.size / 100 * args.background;
    let budget = (args.size - others) / args.connections.max(1);
    let (mut open, mut made, mut other_bytes) = (Vec::new(), 0, 0);
    while made < args.connections || !open.is_empty() {
        while made < args.connections && open.len() < args.concurrent {
            open.push(Conversation::open(made, budget, &args, &mut random, &mut wire, &mut written)?);
            made += 1;
        }
        let at = random.between(0, open.len());
        let goes_on = open.get_mut(at).is_some_and(|conversation| conversation.goes_on());
        if let Some(conversation) = open.get_mut(at) {
            conversation.burst(&args, &pool, &mut random, &mut wire, &mut written)?;
        }
        if !goes_on {
            open.swap_remove(at);
        }
        let share = wire.bytes() / 100 * args.background;
        while other_bytes < share.min(others) {
            let before = wire.bytes();
            wire.other(&mut random)?;
            other_bytes += wire.bytes() - before;
        }
    }
    while other_bytes < others {
        let before = wire.bytes();
        wire.other(&mut random)?;
        other_bytes += wire.bytes() - before;
    }
    let Written { connections, frames, messages, content, compressed } = written;
    writeln!(
        io::stdout(),
        r#"{{"packets":{},"bytes":{},"connections":{connections},"frames":{frames},"messages":{messages},"content_bytes":{content},"compressed_messages":{compressed}}}"#,
        wire.packets(),
        wire.bytes(),
    )?;
    wire.finish()
}

//! Writes a capture of synthetic WebSocket traffic, for measurements: the same arguments give the same bytes.
//!
//! ```console
//! $ cargo run --release --example generate -- /tmp/mix.pcap --size 1G
//! $ cargo run --release --example generate -- /tmp/small.pcap --size 256M --small 1 --deflate 0
//! ```
//!
//! Prints what it wrote, for comparing with what an analysis finds.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::Parser;

mod traffic;

use traffic::{Mix, Written};

/// Synthetic WebSocket traffic, for measurements.
#[derive(Parser)]
struct Args {
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

fn main() -> io::Result<()> {
    let Args { out, size, connections, concurrent, deflate, background, small, large, length, seed } = Args::parse();
    let mix = Mix { size, connections, concurrent, deflate, background, small, large, length, seed };
    let Written { packets, bytes, connections, frames, messages, content, compressed } =
        traffic::write(&mix, BufWriter::with_capacity(1 << 20, File::create(out)?))?;
    writeln!(
        io::stdout(),
        r#"{{"packets":{packets},"bytes":{bytes},"connections":{connections},"frames":{frames},"messages":{messages},"content_bytes":{content},"compressed_messages":{compressed}}}"#,
    )
}

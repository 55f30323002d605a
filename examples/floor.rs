//! What no analysis can go below, for `benches/versus` to hold wslens against.
//!
//! ```console
//! $ cargo run --release --example floor -- walk capture.pcap       # blocks read, records walked, nothing else
//! $ cargo run --release --example floor -- inflate capture.pcap    # its compressed messages inflated, nothing else
//! ```
//!
//! Each prints the CPU time of that alone, in seconds: what `inflate` needs to find the messages is not in it.

use core::convert::Infallible;
use std::collections::HashMap;
use std::hint::black_box;
use std::io::{self, Write};

use anyhow::{Context as _, Result, bail};
use flate2::{Decompress, FlushDecompress};
use rustix::time::{ClockId, clock_gettime};
use wslens::analyzer::{Analyzer, Demand, Options};
use wslens::capture::Input;
use wslens::event::{Event, Sink, What};
use wslens::types::Direction;
use wslens::websocket::Opcode;

/// CPU time of this process so far, in seconds.
fn cpu() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [what, path] = args.as_slice() else { bail!("usage: floor walk|inflate CAPTURE") };
    let (seconds, items) = match what.as_str() {
        "walk" => walk(path)?,
        "inflate" => inflate(path)?,
        other => bail!("{other}: neither walk nor inflate"),
    };
    writeln!(io::stdout(), "{seconds:.6} {items}")?;
    Ok(())
}

/// Reads blocks and walks records. Gives the number of packets.
fn walk(path: &str) -> Result<(f64, u64)> {
    let before = cpu();
    let mut input = Input::open(&[path])?;
    let mut packets = 0;
    while let Some(packet) = input.next_packet()? {
        packets += 1;
        black_box(packet);
    }
    Ok((cpu() - before, packets))
}

/// Inflates what compressed messages hold. Gives their number.
fn inflate(path: &str) -> Result<(f64, u64)> {
    let mut compressed = Compressed::default();
    let options = Options {
        demand: Demand { frame_bytes: u64::MAX, content_bytes: 0, ..Demand::default() },
        ..Options::default()
    };
    let mut input = Input::open(&[path])?;
    let mut analyzer = Analyzer::new(&options);
    while let Some(packet) = input.next_packet()? {
        analyzer.packet(&packet, &mut compressed)?;
    }
    analyzer.finish(&mut compressed)?;
    let mut inflaters: HashMap<_, _> = compressed.streams.iter().map(|&key| (key, Decompress::new(false))).collect();
    let mut out = vec![0; 64 << 10];
    let before = cpu();
    for (key, payload) in &compressed.messages {
        let inflater = inflaters.get_mut(key).context("each stream has an inflater")?;
        for mut input in [payload.as_slice(), &[0, 0, 0xff, 0xff]] {
            loop {
                let (taken, given) = (inflater.total_in(), inflater.total_out());
                inflater.decompress(input, &mut out, FlushDecompress::Sync)?;
                input = input.get(usize::try_from(inflater.total_in() - taken)?..).unwrap_or_default();
                let filled = inflater.total_out() - given == out.len() as u64;
                if input.is_empty() && !filled {
                    break;
                }
            }
            black_box(&out);
        }
    }
    Ok((cpu() - before, compressed.messages.len() as u64))
}

/// The payload of every compressed message, in order.
#[derive(Default)]
struct Compressed {
    streams: Vec<(u64, bool)>,
    messages: Vec<((u64, bool), Vec<u8>)>,
    /// Those that go on in the next fragment of their stream.
    open: HashMap<(u64, bool), usize>,
}

impl Sink for Compressed {
    type Error = Infallible;

    fn event(&mut self, event: &Event<'_>) -> Result<(), Infallible> {
        let key = (event.connection.number, event.direction == Some(Direction::ToServer));
        match event.what {
            What::Upgraded(_) => self.streams.extend([(key.0, false), (key.0, true)]),
            What::Frame(frame) if frame.header.rsv1 => {
                if !frame.header.fin {
                    self.open.insert(key, self.messages.len());
                }
                self.messages.push((key, frame.payload.to_vec()));
            }
            What::Frame(frame) if frame.header.opcode == Opcode::CONTINUATION => {
                let open = if frame.header.fin { self.open.remove(&key) } else { self.open.get(&key).copied() };
                if let Some((_, message)) = open.and_then(|open| self.messages.get_mut(open)) {
                    message.extend_from_slice(frame.payload);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

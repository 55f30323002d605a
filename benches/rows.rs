//! How many rows a second the tables write: `cargo bench --bench rows`.
//!
//! The events are made once and given to the tables again and again, so only formatting is measured. Prints the best of
//! several runs for each format, the one that other work on the machine disturbed least; `-- ROWS` sets how many rows a run has,
//! `-- ROWS NAME` runs only those whose name contains NAME.

use std::hint::black_box;
use std::io::{self, Write};
use std::time::Instant;

use wslens::event::{Event, Frame, Identity, Message, Sink as _, Totals, Transport, What};
use wslens::output::{Context, Format, Outputs, Payload, TableName, TableOptions};
use wslens::types::{Direction, Endpoint, FindingSet, PacketRef, Timestamp, Uid};
use wslens::websocket::{FrameHeader, Opcode};

/// Counts bytes and discards them.
struct Nowhere;

impl Write for Nowhere {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(black_box(bytes).len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const PLAIN: &[u8] = br"{type:trade,symbol:BTC-USD,price:50000.25,size:0.5,side:buy} and so on, beyond 64 bytes";
const QUOTED: &[u8] = br#"{"type":"trade","symbol":"BTC-USD","price":"50000.25","size":"0.5","side":"buy"} and on"#;
const RUNS: usize = 15;

fn main() -> io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let rows = args.first().and_then(|rows| rows.parse().ok()).unwrap_or(200_000);
    let only = args.get(1).map_or("", String::as_str);
    for (table, format, payload, content, name) in [
        (TableName::Frames, Format::Csv, Payload::None, PLAIN, "frames, CSV, no payload"),
        (TableName::Frames, Format::Csv, Payload::Preview, PLAIN, "frames, CSV, plain preview"),
        (TableName::Frames, Format::Csv, Payload::Preview, QUOTED, "frames, CSV, JSON preview"),
        (TableName::Frames, Format::Ndjson, Payload::Preview, PLAIN, "frames, NDJSON, plain preview"),
        (TableName::Frames, Format::Ndjson, Payload::Preview, QUOTED, "frames, NDJSON, JSON preview"),
        (TableName::Frames, Format::Ndjson, Payload::Full, QUOTED, "frames, NDJSON, full payload"),
        (TableName::Messages, Format::Csv, Payload::Preview, QUOTED, "messages, CSV, JSON preview"),
    ] {
        if !name.contains(only) {
            continue;
        }
        let mut best = f64::INFINITY;
        for _ in 0..RUNS {
            best = best.min(run(table, format, payload, content, rows)?);
        }
        writeln!(
            io::stdout(),
            "{:6.2} M rows/s  {:4.0} ns  {name}",
            rows as f64 / best / 1e6,
            best * 1e9 / rows as f64
        )?;
    }
    Ok(())
}

/// Seconds for so many rows.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn run(table: TableName, format: Format, payload: Payload, content: &[u8], rows: u64) -> io::Result<f64> {
    let context = Context { payload, ..Context::default() };
    let mut outputs = Outputs::new();
    outputs.push(table.output(format, &TableOptions { context, ..TableOptions::default() }, Nowhere));
    let connection = identity();
    let started = Instant::now();
    for number in 0..rows {
        let seen = PacketRef {
            packet: number + 1,
            at: Timestamp::from_nanos(1_795_364_345_000_000_000 + number.cast_signed() * 7_919),
        };
        let (frame, message) = (frame(number, seen, content), message(number, seen, content));
        let what = if table == TableName::Frames { What::Frame(&frame) } else { What::Message(&message) };
        let direction = if number % 3 == 0 { Direction::ToServer } else { Direction::ToClient };
        outputs.event(&Event { seen, connection: &connection, direction: Some(direction), what })?;
    }
    outputs.finish(&Totals::default())?;
    Ok(started.elapsed().as_secs_f64())
}

fn identity() -> Identity {
    Identity {
        number: 3,
        uid: Uid([0xa5; 16]),
        tcp_stream: Some(4),
        stream_id: None,
        client: Endpoint { ip: [192, 168, 17, 209].into(), port: 51_000 },
        server: Endpoint { ip: [203, 0, 113, 80].into(), port: 8_080 },
        transport: Transport::Http1,
        tls: false,
        first: PacketRef::default(),
    }
}

fn frame(number: u64, seen: PacketRef, payload: &[u8]) -> Frame<'_> {
    Frame {
        number,
        header: FrameHeader {
            fin: true,
            rsv1: false,
            rsv2: false,
            rsv3: false,
            opcode: Opcode::TEXT,
            masking_key: Some([1, 0xb2, 3, 0xd4]),
            payload_len: payload.len() as u64,
            header_len: 6,
        },
        header_captured: 6,
        message: Some(number),
        in_message: true,
        fragment: 0,
        first: seen,
        last: seen,
        stream_offset: number * 93,
        payload,
        missing: 0,
        complete: true,
        close: None,
        ping_rtt_us: None,
        findings: FindingSet::default(),
    }
}

fn message(number: u64, seen: PacketRef, content: &[u8]) -> Message<'_> {
    Message {
        number,
        opcode: Opcode::TEXT,
        compressed: false,
        frames: 1,
        wire_len: content.len() as u64,
        len: Some(content.len() as u64),
        content,
        content_whole: true,
        complete: true,
        utf8: true,
        first: seen,
        last: seen,
        close: None,
        ping_rtt_us: None,
        summary: None,
        findings: FindingSet::default(),
    }
}

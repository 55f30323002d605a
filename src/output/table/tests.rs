//! Tables as programs read them.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::columnar::SharedColumns;
use super::*;
use crate::analyzer::{Analyzer, Options};
use crate::capture::Input;
use crate::event::{Frame, Identity, Sink as _, Totals, What};
use crate::output::columns::{Connections, Context, Findings, Frames, Messages, Payload, Table};
use crate::output::fixtures::{
    self, HOSTILE, HOSTILE_TEXT, SharedBuffer, assert_safe, emit, event, frame, golden, identity, message,
};
use crate::output::list::{Output as _, Outputs};
use crate::output::redact::Secrets;
use crate::types::{Detail, Direction, FindingCode};
use crate::websocket::Opcode;

const C2S: Option<Direction> = Some(Direction::ToServer);
const S2C: Option<Direction> = Some(Direction::ToClient);

struct Read {
    buffers: [SharedBuffer; 4],
}

impl Read {
    fn text(&self, table: TableName) -> String {
        self.buffers[table as usize].text()
    }

    fn rows(&self, table: TableName) -> Vec<serde_json::Value> {
        self.text(table).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn options(context: Context) -> TableOptions {
    TableOptions { context, ..TableOptions::default() }
}

/// All tables in `format`, fed by `feed`.
fn written(format: Format, context: Context, feed: impl Fn(&mut Outputs<'_>, &Identity)) -> Read {
    let buffers: [SharedBuffer; 4] = Default::default();
    let mut tables = Outputs::new();
    let options = options(context);
    for table in TableName::ALL {
        tables.push(table.output(format, &options, buffers[table as usize].clone()));
    }
    feed(&mut tables, &identity());
    tables.finish(&Totals::default()).unwrap();
    for buffer in &buffers {
        assert!(buffer.writes().iter().all(|write| write.is_empty() || write.ends_with(b"\n")), "only complete rows");
    }
    Read { buffers }
}

/// A conversation in which everything that can be hostile is.
fn hostile(tables: &mut Outputs<'_>, identity: &Identity) {
    let text = format!("chose \"{HOSTILE_TEXT}\"");
    let finding = fixtures::finding(FindingCode::SubprotocolNotOffered, 16, None, None, Detail::text(text));
    put(tables, identity, None, What::Finding(&finding));
    for (number, payload) in [(0, HOSTILE), (1, HOSTILE_TEXT.as_bytes()), (2, b"")] {
        put(tables, identity, C2S, What::Frame(&frame(number, Opcode::TEXT, payload)));
        put(tables, identity, C2S, What::Message(&message(number, Opcode::TEXT, payload)));
    }
    let long = "€".repeat(40_000);
    put(tables, identity, S2C, What::Frame(&frame(3, Opcode::TEXT, long.as_bytes())));
    put(tables, identity, S2C, What::Message(&message(3, Opcode::TEXT, long.as_bytes())));
    let mut close = frame(4, Opcode::CLOSE, HOSTILE);
    close.close = fixtures::close(4_000, HOSTILE);
    close.findings.insert(FindingCode::CloseReasonInvalidUtf8);
    close.findings.insert(FindingCode::UnmaskedClientFrame);
    put(tables, identity, S2C, What::Frame(&close));
    put(tables, identity, None, What::Closed(&fixtures::hostile_summary()));
}

/// Gives an event to all tables.
fn put(tables: &mut Outputs<'_>, identity: &Identity, direction: Option<Direction>, what: What<'_>) {
    tables.event(&event(identity, direction, what)).unwrap();
}

#[test]
fn hostile_conversation_as_csv() {
    let read = written(Format::Csv, Context { capture: "=lab,1".into(), ..Context::default() }, hostile);
    for table in TableName::ALL {
        let text = read.text(table);
        assert_safe(&text);
        assert!(!text.contains("c2VjcmV0") && !text.contains("s3cr3t") && !text.contains(fixtures::JWT));
        let mut reader = ::csv::Reader::from_reader(text.as_bytes());
        for record in reader.records() {
            let record = record.unwrap();
            assert!(record.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@', '\t', '\r'])), "{record:?}");
        }
        let shown = text.replace(&"A".repeat(70_000), "A…(70,000)…A");
        golden(&format!("hostile-{}.csv", table.as_str()), &shown);
    }
}

#[test]
fn hostile_conversation_as_ndjson() {
    let context = Context { payload: Payload::Full, ..Context::default() };
    let read = written(Format::Ndjson, context.clone(), hostile);
    for table in TableName::ALL {
        let text = read.text(table);
        assert_safe(&text);
        let shown = text.replace(&"A".repeat(70_000), "A…(70,000)…A").replace(&"€".repeat(40_000), "€…(40,000)…€");
        golden(&format!("hostile-{}.ndjson", table.as_str()), &shown);
    }
    let frames = read.rows(TableName::Frames);
    assert_eq!(frames[0]["text"], serde_json::Value::Null);
    assert!(frames[0]["data"].is_string());
    assert_eq!(frames[1]["text"], HOSTILE_TEXT);
    assert_eq!((&frames[2]["text"], &frames[2]["data"]), (&"".into(), &serde_json::Value::Null));
    assert_eq!(frames[3]["text"].as_str().unwrap().len(), 120_000);
    let connection = &read.rows(TableName::Connections)[0];
    assert_eq!(connection["origin"], HOSTILE_TEXT);
    assert_eq!(connection["client_subprotocols"][1], HOSTILE_TEXT);
    let shown = written(Format::Ndjson, Context { secrets: Secrets::Show, ..context }, hostile);
    assert!(shown.text(TableName::Connections).contains("c2VjcmV0"));
}

#[test]
fn the_documentation_shows_rows_that_are_written() {
    let feed = |tables: &mut Outputs<'_>, connection: &Identity| {
        put(tables, connection, C2S, What::Frame(&frame(0, Opcode::TEXT, b"hello")));
    };
    let text = written(Format::Csv, Context::default(), feed).text(TableName::Frames);
    let shown = fixtures::doc_example(include_str!("mod.rs"));
    assert_eq!(shown.lines().count(), text.lines().count());
    for (shown, row) in shown.lines().zip(text.lines()) {
        assert!(row.starts_with(shown), "{row}");
    }
    let rows = written(Format::Ndjson, Context::default(), feed).rows(TableName::Frames);
    let shown: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&fixtures::doc_example(include_str!("ndjson.rs"))).unwrap();
    for (name, value) in &shown {
        assert_eq!(rows[0][name], *value, "{name}");
    }
}

#[test]
fn previews_are_the_same_in_both_formats() {
    let csv = written(Format::Csv, Context::default(), hostile);
    let ndjson = written(Format::Ndjson, Context::default(), hostile).rows(TableName::Frames);
    let text = csv.text(TableName::Frames);
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    for (record, row) in reader.records().map(Result::unwrap).zip(&ndjson) {
        let preview = record[30].strip_prefix('\'').unwrap_or(&record[30]).to_owned();
        assert_eq!(row["preview"], preview);
        assert_eq!(row["time"], record[4].to_owned());
    }
    assert!(ndjson[3]["preview"].as_str().unwrap().ends_with("€…"));
    assert_eq!(ndjson[3]["preview"].as_str().unwrap().chars().count(), 22);
}

/// A frame of a message that is not complete.
fn fragment(number: u64, fragment: u64) -> Frame<'static> {
    Frame { message: None, fragment, ..frame(number, Opcode::TEXT, b"part") }
}

/// Frames and a finding whose messages are complete later, or never.
fn fragments(tables: &mut Outputs<'_>, identity: &Identity) {
    let other = Identity { number: 9, ..identity.clone() };
    let mut inside = fixtures::finding(FindingCode::RsvBits, 20, Some(0), None, Detail::None);
    inside.in_message = true;
    put(tables, identity, C2S, What::Finding(&inside));
    put(tables, identity, C2S, What::Frame(&fragment(0, 0)));
    // The other direction and another connection do not know its number, and a Ping in between is its own.
    put(tables, identity, S2C, What::Frame(&frame(1, Opcode::TEXT, b"")));
    put(tables, identity, S2C, What::Message(&message(10, Opcode::TEXT, b"")));
    put(tables, &other, C2S, What::Frame(&fragment(0, 0)));
    put(tables, &other, C2S, What::Message(&message(11, Opcode::TEXT, b"")));
    put(tables, identity, C2S, What::Frame(&Frame { message: Some(12), ..frame(2, Opcode::PING, b"") }));
    put(tables, identity, C2S, What::Message(&message(12, Opcode::PING, b"")));
    put(tables, identity, C2S, What::Frame(&fragment(3, 1)));
    put(tables, identity, C2S, What::Message(&message(13, Opcode::TEXT, b"")));
    // One that never gets a number, and one that never had a message.
    put(tables, identity, S2C, What::Frame(&fragment(4, 0)));
    put(tables, identity, None, What::Closed(&fixtures::summary()));
    put(tables, identity, C2S, What::Frame(&Frame { message: None, in_message: false, ..frame(5, Opcode::TEXT, b"") }));
    put(tables, &other, S2C, What::Frame(&fragment(6, 0)));
}

#[test]
fn a_fragment_s_row_gets_the_number_of_its_message() {
    for (format, unknown) in [(Format::Ndjson, "null"), (Format::Csv, "")] {
        let read = written(format, Context::default(), fragments);
        let numbers = |table, column: &str| -> Vec<String> {
            if format == Format::Ndjson {
                return read.rows(table).iter().map(|row| row[column].to_string()).collect();
            }
            let text = read.text(table);
            let mut reader = ::csv::Reader::from_reader(text.as_bytes());
            let place = reader.headers().unwrap().iter().position(|name| name == column).unwrap();
            reader.records().map(|record| record.unwrap()[place].to_owned()).collect()
        };
        assert_eq!(numbers(TableName::Frames, "frame"), ["0", "1", "0", "2", "3", "4", "5", "6"]);
        assert_eq!(numbers(TableName::Frames, "message"), ["13", "1", "11", "12", "13", unknown, unknown, unknown]);
        assert_eq!(numbers(TableName::Findings, "message"), ["13"]);
    }
}

#[test]
fn rows_are_handed_on_in_blocks_or_when_flushed() {
    let buffer = SharedBuffer::default();
    let mut live = TableWriter::<Frames, _>::new(Format::Csv, &TableOptions::default(), buffer.clone());
    emit(&mut live, &identity(), C2S, What::Frame(&frame(0, Opcode::TEXT, b"x"))).unwrap();
    assert_eq!(buffer.text(), "");
    live.flush().unwrap();
    assert_eq!(buffer.text().lines().count(), 2);

    let buffer = SharedBuffer::default();
    let mut file = TableWriter::<Frames, _>::new(Format::Csv, &TableOptions::default(), buffer.clone());
    for number in 0..2_000 {
        emit(&mut file, &identity(), C2S, What::Frame(&frame(number, Opcode::TEXT, b"x"))).unwrap();
    }
    let writes = buffer.writes().len();
    assert!((1..=4).contains(&writes), "{writes}");
    assert!(file.held() < 512 << 10);
    file.finish(&Totals::default()).unwrap();
    assert_eq!(buffer.text().lines().count(), 2_001);
}

/// What an endless message keeps waiting is bounded, in rows and in bytes; beyond, rows leave without its number.
#[test]
fn an_endless_message_is_bounded() {
    let buffer = SharedBuffer::default();
    let mut table = TableWriter::<Frames, _>::new(Format::Csv, &TableOptions::default(), buffer.clone());
    let mut rows = 0..;
    let mut add = |table: &mut TableWriter<Frames, _>, payload: &[u8]| {
        let number = rows.next().unwrap();
        emit(table, &identity(), C2S, What::Frame(&Frame { payload, ..fragment(number, number) })).unwrap();
    };
    (0..70_000).for_each(|_| add(&mut table, b""));
    let held = table.held();
    assert!((10 << 20..40 << 20).contains(&held), "{held}");
    assert!(held <= table.cost() + (1 << 20), "{held}");
    table.flush().unwrap();
    let text = buffer.text();
    let left = text.lines().count() - 1;
    assert!((70_000 - 65_536..70_000).contains(&left), "{left} left");
    let place = text.lines().next().unwrap().split(',').position(|name| name == "message").unwrap();
    assert!(text.lines().skip(1).all(|line| line.split(',').nth(place) == Some("")));
    emit(&mut table, &identity(), C2S, What::Message(&message(7, Opcode::TEXT, b""))).unwrap();
    table.finish(&Totals::default()).unwrap();
    let text = buffer.text();
    assert!(text.lines().skip(1 + left).all(|line| line.split(',').nth(place) == Some("7")));
    assert_eq!(text.lines().count(), 70_001);
}

/// A disk that is full after so many bytes.
struct Full(Arc<AtomicUsize>);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.0.load(Ordering::Relaxed).checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
        self.0.store(left, Ordering::Relaxed);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_an_error() {
    let room = Arc::new(AtomicUsize::new(200 << 10));
    let mut table = TableWriter::<Frames, _>::new(Format::Ndjson, &TableOptions::default(), Full(room));
    let mut results =
        (0..2_000).map(|number| emit(&mut table, &identity(), C2S, What::Frame(&frame(number, Opcode::TEXT, b"x"))));
    assert_eq!(results.find_map(Result::err).unwrap().kind(), io::ErrorKind::StorageFull);
}

/// Cells that rows have in common are formatted once for many, and every row reads as if it were the only one.
#[test]
fn no_row_shows_cells_of_another() {
    let mut frames = Vec::new();
    for opcode in [Opcode::TEXT, Opcode::BINARY, Opcode::PING] {
        for masking_key in [None, Some([1, 2, 3, 4])] {
            for bits in 0..16_u8 {
                // Of some, the capture has the first byte only: whether they are masked is not known.
                for header_captured in [14, 1] {
                    let mut frame = frame(0, opcode, b"x");
                    frame.header.masking_key = masking_key;
                    frame.header_captured = header_captured;
                    let header = &mut frame.header;
                    (header.fin, header.rsv1, header.rsv2, header.rsv3) =
                        (bits & 1 > 0, bits & 2 > 0, bits & 4 > 0, bits & 8 > 0);
                    frames.push(frame);
                }
            }
        }
    }
    let mut one = identity();
    one.uid.0[0] ^= 1;
    let connections = [identity(), one, Identity { number: identity().number + 512, ..identity() }];
    let mut events = Vec::new();
    for connection in &connections {
        for direction in [C2S, S2C, None] {
            events.extend(frames.iter().map(|frame| (connection, direction, frame)));
        }
    }
    let rows = |events: &[(&Identity, Option<Direction>, &Frame<'_>)]| {
        let read = written(Format::Csv, Context::default(), |tables, _| {
            for (connection, direction, frame) in events {
                put(tables, connection, *direction, What::Frame(frame));
            }
        });
        read.text(TableName::Frames).lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    let there = rows(&events);
    events.reverse();
    let mut back = rows(&events);
    back.reverse();
    assert_eq!(there, back);
    for (row, event) in there.iter().zip(events.iter().rev()).step_by(7) {
        assert_eq!(rows(&[*event]).first(), Some(row));
    }
}

/// Every table of `feed`, in columns and as CSV: value by value the same. How many rows each has.
fn columns_are_the_csv(payload: Payload, feed: &impl Fn(&mut Outputs<'_>)) -> [usize; 4] {
    [
        column_values::<Connections>(payload, feed),
        column_values::<Frames>(payload, feed),
        column_values::<Messages>(payload, feed),
        column_values::<Findings>(payload, feed),
    ]
}

fn column_values<T: Table>(payload: Payload, feed: &impl Fn(&mut Outputs<'_>)) -> usize {
    let (csv, columns) = (SharedBuffer::default(), SharedColumns::<T>::new(payload));
    let options = options(Context { payload, ..Context::default() });
    let mut outputs = Outputs::new();
    outputs.add(TableWriter::<T, _>::new(Format::Csv, &options, csv.clone()));
    outputs.add(TableWriter::<T, _>::with_rows(Box::new(columns.clone()), &options, io::sink()));
    feed(&mut outputs);
    outputs.finish(&Totals::default()).unwrap();
    drop(outputs);
    let (text, columns) = (csv.text(), columns.0.borrow());
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    let names: Vec<_> = columns.columns.iter().map(|column| column.name).collect();
    assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>(), names);
    let mut rows = 0;
    for (row, record) in reader.records().enumerate() {
        let record = record.unwrap();
        for ((name, values), cell) in names.iter().zip(&columns.values).zip(&record) {
            assert_eq!(values[row].as_csv(), cell, "{name} of row {row} of {}", T::NAME);
        }
        rows += 1;
    }
    assert!(columns.values.iter().all(|values| values.len() == rows), "{rows} rows of {}", T::NAME);
    rows
}

#[test]
fn a_columnar_format_has_the_values_of_the_csv() {
    for payload in [Payload::None, Payload::Preview] {
        let rows = columns_are_the_csv(payload, &|outputs| {
            hostile(outputs, &identity());
            fragments(outputs, &identity());
        });
        assert_eq!(rows, [2, 13, 8, 2]);
    }
}

/// Real and crafted conversations: with fragments, findings, HTTP/2, and connections that are cut off.
#[test]
fn a_columnar_format_has_the_values_of_the_csv_of_samples() {
    let mut all = [0; 4];
    for sample in ["first-look", "frame-violations", "http2-violations", "handshake-violations", "gap"] {
        let rows = columns_are_the_csv(Payload::Preview, &|outputs| {
            let name = format!("{}/samples/{sample}/capture.pcap", env!("CARGO_MANIFEST_DIR"));
            let mut input = Input::open(&[name]).unwrap();
            let mut analyzer = Analyzer::new(&Options { demand: outputs.demand(), ..Options::default() });
            while let Some(packet) = input.next_packet().unwrap() {
                analyzer.packet(&packet, outputs).unwrap();
            }
            analyzer.finish(outputs).unwrap();
        });
        all.iter_mut().zip(rows).for_each(|(all, rows)| *all += rows);
    }
    assert!(all.iter().all(|rows| *rows > 50), "{all:?}");
}

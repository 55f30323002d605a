//! Tables as programs read them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::columns::Payload;
use super::super::fixtures::{self, HOSTILE, HOSTILE_TEXT, Paper, assert_safe, frame, golden, identity, message, say};
use super::super::redact::Secrets;
use super::*;
use crate::event::{Frame, Identity};
use crate::types::{Detail, FindingCode};
use crate::websocket::Opcode;

const C2S: Option<Direction> = Some(Direction::ToServer);
const S2C: Option<Direction> = Some(Direction::ToClient);

struct Read {
    papers: [Paper; 4],
}

impl Read {
    fn text(&self, table: TableName) -> String {
        self.papers[table as usize].text()
    }

    fn rows(&self, table: TableName) -> Vec<serde_json::Value> {
        self.text(table).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// All tables in `format`, fed by `feed`.
fn written(format: Format, context: Context, feed: impl Fn(&mut Tables, &Identity)) -> Read {
    let papers: [Paper; 4] = Default::default();
    let mut tables = Tables::new(context);
    for table in TableName::ALL {
        tables = tables.with(table, format, Box::new(papers[table as usize].clone()));
    }
    feed(&mut tables, &identity());
    tables.finish().unwrap();
    for paper in &papers {
        assert!(paper.writes().iter().all(|write| write.is_empty() || write.ends_with(b"\n")), "only whole rows");
    }
    Read { papers }
}

/// A conversation in which everything that can be hostile is.
fn hostile(tables: &mut Tables, identity: &Identity) {
    let text = format!("chose \"{HOSTILE_TEXT}\"");
    let finding = fixtures::finding(FindingCode::SubprotocolNotOffered, 16, None, None, Detail::text(text));
    say(tables, identity, None, What::Finding(&finding)).unwrap();
    for (number, payload) in [(0, HOSTILE), (1, HOSTILE_TEXT.as_bytes()), (2, b"")] {
        say(tables, identity, C2S, What::Frame(&frame(number, Opcode::TEXT, payload))).unwrap();
        say(tables, identity, C2S, What::Message(&message(number, Opcode::TEXT, payload))).unwrap();
    }
    let long = "€".repeat(40_000);
    say(tables, identity, S2C, What::Frame(&frame(3, Opcode::TEXT, long.as_bytes()))).unwrap();
    say(tables, identity, S2C, What::Message(&message(3, Opcode::TEXT, long.as_bytes()))).unwrap();
    let mut close = frame(4, Opcode::CLOSE, HOSTILE);
    close.close = fixtures::close(4_000, HOSTILE);
    close.findings.insert(FindingCode::CloseReasonInvalidUtf8);
    close.findings.insert(FindingCode::UnmaskedClientFrame);
    say(tables, identity, S2C, What::Frame(&close)).unwrap();
    say(tables, identity, None, What::Closed(&fixtures::hostile_summary())).unwrap();
}

#[test]
fn hostile_conversation_as_csv() {
    let read = written(Format::Csv, Context { capture: "=lab,1".into(), ..Context::default() }, hostile);
    for table in TableName::ALL {
        let text = read.text(table);
        assert_safe(&text);
        assert!(!text.contains("c2VjcmV0") && !text.contains("s3cr3t") && !text.contains(fixtures::JWT));
        let mut reader = csv::Reader::from_reader(text.as_bytes());
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
fn previews_are_the_same_in_both_formats() {
    let csv = written(Format::Csv, Context::default(), hostile);
    let ndjson = written(Format::Ndjson, Context::default(), hostile).rows(TableName::Frames);
    let text = csv.text(TableName::Frames);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
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

#[test]
fn a_fragment_s_row_gets_the_number_of_its_message() {
    for (format, unknown) in [(Format::Ndjson, "null"), (Format::Csv, "")] {
        let read = written(format, Context::default(), |tables, identity| {
            let other = Identity { number: 9, ..identity.clone() };
            let mut inside = fixtures::finding(FindingCode::RsvBits, 20, Some(0), None, Detail::None);
            inside.in_message = true;
            say(tables, identity, C2S, What::Finding(&inside)).unwrap();
            say(tables, identity, C2S, What::Frame(&fragment(0, 0))).unwrap();
            // The other direction and another connection do not know its number, and a Ping in between is its own.
            say(tables, identity, S2C, What::Frame(&frame(1, Opcode::TEXT, b""))).unwrap();
            say(tables, identity, S2C, What::Message(&message(10, Opcode::TEXT, b""))).unwrap();
            say(tables, &other, C2S, What::Frame(&fragment(0, 0))).unwrap();
            say(tables, &other, C2S, What::Message(&message(11, Opcode::TEXT, b""))).unwrap();
            say(tables, identity, C2S, What::Frame(&Frame { message: Some(12), ..frame(2, Opcode::PING, b"") }))
                .unwrap();
            say(tables, identity, C2S, What::Message(&message(12, Opcode::PING, b""))).unwrap();
            say(tables, identity, C2S, What::Frame(&fragment(3, 1))).unwrap();
            say(tables, identity, C2S, What::Message(&message(13, Opcode::TEXT, b""))).unwrap();
            // One that never gets a number, and one that never had a message.
            say(tables, identity, S2C, What::Frame(&fragment(4, 0))).unwrap();
            say(tables, identity, None, What::Closed(&fixtures::summary())).unwrap();
            say(
                tables,
                identity,
                C2S,
                What::Frame(&Frame { message: None, in_message: false, ..frame(5, Opcode::TEXT, b"") }),
            )
            .unwrap();
            say(tables, &other, S2C, What::Frame(&fragment(6, 0))).unwrap();
        });
        let numbers = |table, column: &str| -> Vec<String> {
            if format == Format::Ndjson {
                return read.rows(table).iter().map(|row| row[column].to_string()).collect();
            }
            let text = read.text(table);
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            let place = reader.headers().unwrap().iter().position(|name| name == column).unwrap();
            reader.records().map(|record| record.unwrap()[place].to_owned()).collect()
        };
        assert_eq!(numbers(TableName::Frames, "frame"), ["0", "1", "0", "2", "3", "4", "5", "6"]);
        assert_eq!(numbers(TableName::Frames, "message"), ["13", "1", "11", "12", "13", unknown, unknown, unknown]);
        assert_eq!(numbers(TableName::Findings, "message"), ["13"]);
    }
}

#[test]
fn rows_are_handed_on_when_they_are_wanted() {
    let paper = Paper::default();
    let mut live =
        Tables::new(Context::default()).with(TableName::Frames, Format::Csv, Box::new(paper.clone())).flush_rows(true);
    say(&mut live, &identity(), C2S, What::Frame(&frame(0, Opcode::TEXT, b"x"))).unwrap();
    assert_eq!(paper.text().lines().count(), 2);

    let paper = Paper::default();
    let mut file = Tables::new(Context::default()).with(TableName::Frames, Format::Csv, Box::new(paper.clone()));
    for number in 0..2_000 {
        say(&mut file, &identity(), C2S, What::Frame(&frame(number, Opcode::TEXT, b"x"))).unwrap();
    }
    let writes = paper.writes().len();
    assert!((1..=4).contains(&writes), "{writes}");
    assert!(file.held() < 512 << 10);
    file.finish().unwrap();
    assert_eq!(paper.text().lines().count(), 2_001);
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
    let mut tables = Tables::new(Context::default()).with(TableName::Frames, Format::Ndjson, Box::new(Full(room)));
    let mut results =
        (0..2_000).map(|number| say(&mut tables, &identity(), C2S, What::Frame(&frame(number, Opcode::TEXT, b"x"))));
    assert_eq!(results.find_map(Result::err).unwrap().kind(), io::ErrorKind::StorageFull);
}

/// What rows share is formatted once for many, and every row reads as if it were the only one.
#[test]
fn no_row_shows_what_another_was_about() {
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
    let mut said = Vec::new();
    for connection in &connections {
        for direction in [C2S, S2C, None] {
            said.extend(frames.iter().map(|frame| (connection, direction, frame)));
        }
    }
    let rows = |said: &[(&Identity, Option<Direction>, &Frame<'_>)]| {
        let read = written(Format::Csv, Context::default(), |tables, _| {
            for (connection, direction, frame) in said {
                say(tables, connection, *direction, What::Frame(frame)).unwrap();
            }
        });
        read.text(TableName::Frames).lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    let there = rows(&said);
    said.reverse();
    let mut back = rows(&said);
    back.reverse();
    assert_eq!(there, back);
    for (row, said) in there.iter().zip(said.iter().rev()).step_by(7) {
        assert_eq!(rows(&[*said]).first(), Some(row));
    }
}

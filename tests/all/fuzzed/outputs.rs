//! Every output at once, as the command has them, and what must hold for all that is written, whatever was captured.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use wslens::event::{Event, Sink, Totals};
use wslens::output::{
    Context, Follow, Format, JsonReport, Order, Payload, Secrets, Selection, Style, TableName, TableOptions, TextReport,
};

/// All of them.
pub(super) struct Outputs {
    list: wslens::output::Outputs<'static>,
    written: Vec<(Kind, Written)>,
}

/// What something that is written must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Csv,
    Ndjson,
    Text,
}

impl Outputs {
    pub(super) fn new(secrets: Secrets) -> Self {
        let mut written = Vec::new();
        let mut to = |kind| {
            let to = Written::default();
            written.push((kind, to.clone()));
            to
        };
        let context = |payload| Context { capture: "=a \"label\";\n".to_owned(), secrets, payload };
        let sets =
            [(Format::Csv, Payload::Preview), (Format::Ndjson, Payload::Preview), (Format::Ndjson, Payload::Full)];
        let mut list = wslens::output::Outputs::new();
        for (format, payload) in sets {
            let kind = if format == Format::Csv { Kind::Csv } else { Kind::Ndjson };
            let options = TableOptions { context: context(payload), ..TableOptions::default() };
            for table in TableName::ALL {
                list.push(table.output(format, &options, to(kind)));
            }
        }
        for order in [Order::SummaryFirst, Order::AsTheyEnd] {
            list.add(TextReport::new(to(Kind::Text), order, secrets, Style::default()));
        }
        list.add(JsonReport::new(to(Kind::Ndjson), context(Payload::Preview)));
        list.add(Follow::new(to(Kind::Text), Selection::All, secrets, Style::default()));
        Self { list, written }
    }

    /// Everything is written: whether it holds.
    pub(super) fn finish(mut self, totals: &Totals) {
        self.list.finish(totals).unwrap();
        let mut tables = Vec::new();
        for (kind, written) in &self.written {
            let bytes = written.0.lock().unwrap();
            let text = core::str::from_utf8(&bytes).expect("all that is written is UTF-8");
            assert!(text.is_empty() || text.ends_with('\n'), "whole lines");
            match kind {
                Kind::Csv => tables.push(text.to_owned()),
                Kind::Ndjson => ndjson(text),
                Kind::Text => {}
            }
            if let Some(raw) = text.chars().find(|char| is_raw(*char, *kind)) {
                panic!("{raw:?} in {kind:?}: {text}");
            }
        }
        csv(&tables);
    }
}

/// What no terminal and no reader of lines should ever be given.
fn is_raw(char: char, kind: Kind) -> bool {
    match char {
        '\n' => false,
        '\0'..='\u{1f}' => true,
        // JSON is for programs, and says exactly what was there.
        _ if kind == Kind::Ndjson => false,
        '\u{7f}'..='\u{9f}' => true,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        '\u{2028}' | '\u{2029}' => true,
        _ => false,
    }
}

/// A row is a line, has as many fields as its header, and none that a spreadsheet would take for a formula. One reader
/// for all tables: to make one takes longer than to use it.
fn csv(tables: &[String]) {
    let all = tables.concat();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(all.as_bytes());
    let mut records = reader.records();
    for table in tables {
        let mut columns = None;
        for line in table.lines() {
            let record = records.next().expect("a line is a row").expect("a row");
            assert_eq!(*columns.get_or_insert(record.len()), record.len(), "as many as in the header: {line}");
            for field in &record {
                assert!(!field.starts_with(['=', '+', '-', '@']), "a formula: {field}");
            }
        }
    }
    assert!(records.next().is_none(), "a row is a line");
}

/// Each line is one object, and all of a table have the same members.
fn ndjson(text: &str) {
    let mut members: Option<Vec<String>> = None;
    for line in text.lines() {
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).expect("an object");
        let names = object.keys().cloned().collect();
        assert_eq!(members.get_or_insert_with(|| Vec::clone(&names)), &names);
    }
}

impl Sink for Outputs {
    type Error = io::Error;

    fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        self.list.event(event)
    }
}

/// Keeps what is written.
#[derive(Debug, Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

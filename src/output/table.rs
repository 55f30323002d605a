//! One table being written.
//!
//! In: rows of one [`Table`]. Out: bytes, to anything that implements [`Write`], and only ever whole rows: they are
//! formatted into one buffer that is handed on at the border of a row. Rows that wait for a number are in
//! `hold.rs`.

use std::io::{self, Write};

use super::columns::{Alike, Cell, Column, Fill, Payload, Row, Table, columns};
use super::csv::Csv;
use super::hold::{Hold, Open};
use super::ndjson::Ndjson;
use super::shared::Shared;

/// Bytes of rows that are gathered before they are handed on. 128 KiB: fewer calls than a page at a time, and still in
/// the cache.
const BLOCK: usize = 128 << 10;

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values (RFC 4180).
    Csv,
    /// One JSON object a line.
    Ndjson,
}

impl Format {
    /// The format that a file name's ending asks for: `.csv`, `.ndjson`, `.jsonl`.
    #[must_use]
    pub fn from_ending(ending: &str) -> Option<Self> {
        match ending {
            "csv" => Some(Self::Csv),
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            _ => None,
        }
    }
}

/// What a format does with rows.
pub(super) trait RowFormat {
    /// Takes the columns' names; what stands before the first row.
    fn start(&mut self, names: &[&'static str]) -> Vec<u8>;
    /// Appends the cell at that place of a row, with what stands before it; of [`Cell::Pending`] only that.
    fn cell(&mut self, out: &mut Vec<u8>, place: usize, cell: &Cell<'_>);
    /// Appends a number, or that there is none, as [`Self::cell`] does.
    fn number(&mut self, out: &mut Vec<u8>, place: usize, number: Option<u64>);
    /// Ends a row.
    fn end(&self, out: &mut Vec<u8>);
    /// What stands where a number is not known.
    fn unknown(&self) -> &'static [u8];
}

#[derive(Debug)]
enum AnyFormat {
    Csv(Csv),
    Ndjson(Ndjson),
}

impl AnyFormat {
    fn row<'a, T: Table>(
        &mut self,
        runs: &[Run<T>],
        shared: &mut Shared,
        out: &mut Vec<u8>,
        row: &'a Row<'a, T::Of<'a>>,
    ) -> Option<usize> {
        match self {
            Self::Csv(csv) => format(csv, runs, shared, out, row),
            Self::Ndjson(ndjson) => format(ndjson, runs, shared, out, row),
        }
    }

    /// Begins a row with its first column, a number.
    fn first(&mut self, out: &mut Vec<u8>, number: u64) {
        match self {
            Self::Csv(csv) => csv.cell(out, 0, &Cell::U64(number)),
            Self::Ndjson(ndjson) => ndjson.cell(out, 0, &Cell::U64(number)),
        }
    }
}

/// Columns beside each other that are alike in the same way.
struct Run<T: Table> {
    alike: Alike,
    /// The place of the first of them.
    first: usize,
    columns: Vec<&'static Column<T>>,
}

/// The columns of a table in runs.
fn runs<T: Table>(payload: Payload) -> Vec<Run<T>> {
    let mut runs: Vec<Run<T>> = Vec::new();
    for (place, column) in columns::<T>(payload).enumerate() {
        match runs.last_mut().filter(|run| run.alike == column.alike) {
            Some(run) => run.columns.push(column),
            None => runs.push(Run { alike: column.alike, first: place, columns: vec![column] }),
        }
    }
    runs
}

/// Makes the rows of one table.
pub(super) struct Rows<T: Table> {
    runs: Vec<Run<T>>,
    shared: Shared,
    format: AnyFormat,
}

impl<T: Table> Rows<T> {
    /// Rows, and what stands before the first of them.
    fn new(format: Format, payload: Payload) -> (Self, Vec<u8>) {
        let names: Vec<_> = columns::<T>(payload).map(|column| column.name).collect();
        let (format, header) = match format {
            Format::Csv => {
                let mut csv = Csv::default();
                let header = csv.start(&names);
                (AnyFormat::Csv(csv), header)
            }
            Format::Ndjson => {
                let mut ndjson = Ndjson::default();
                let header = ndjson.start(&names);
                (AnyFormat::Ndjson(ndjson), header)
            }
        };
        (Self { runs: runs(payload), shared: Shared::default(), format }, header)
    }

    /// Appends a row; where in `out` a number is missing.
    pub(super) fn row<'a>(&mut self, out: &mut Vec<u8>, row: &'a Row<'a, T::Of<'a>>) -> Option<usize> {
        self.format.row::<T>(&self.runs, &mut self.shared, out, row)
    }
}

/// Writes one table.
pub struct TableWriter<T: Table> {
    asked: (Format, Payload),
    rows: Rows<T>,
    hold: Hold,
    out: Vec<u8>,
    to: Box<dyn Write + Send>,
}

impl<T: Table> core::fmt::Debug for TableWriter<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("TableWriter")
            .field("table", &T::NAME)
            .field("buffered", &self.out.len())
            .finish_non_exhaustive()
    }
}

impl<T: Table> TableWriter<T> {
    /// A table that is written to `to`. CSV cannot have the full payload; asked for it, it has previews' columns, empty.
    #[must_use]
    pub fn new(format: Format, payload: Payload, to: Box<dyn Write + Send>) -> Self {
        let payload = if format == Format::Csv && payload == Payload::Full { Payload::None } else { payload };
        let (rows, out) = Rows::new(format, payload);
        Self { asked: (format, payload), rows, hold: Hold::default(), out, to }
    }

    /// What makes the same rows elsewhere, but for their first column, the connection's number; [`Self::made`] takes them.
    pub(super) fn rows_without_number(&self) -> Rows<T> {
        let (mut rows, _) = Rows::new(self.asked.0, self.asked.1);
        if let Some(run) = rows.runs.first_mut() {
            run.columns = run.columns.split_off(1.min(run.columns.len()));
            run.first += 1;
        }
        rows
    }

    /// Rows of so many bytes may wait for a number.
    pub(super) fn set_max_row_bytes(&mut self, bytes: usize) {
        self.hold = Hold::new(bytes);
    }

    /// Writes a row. `open` is the message whose number the row waits for, if it does.
    pub(super) fn row<'a>(&mut self, row: &'a Row<'a, T::Of<'a>>, open: Option<Open>) -> io::Result<()> {
        if self.hold.is_empty() && open.is_none() {
            self.rows.row(&mut self.out, row);
        } else {
            let out = self.hold.buffer();
            let start = out.len();
            let hole = self.rows.row(out, row);
            self.hold.push(start, hole.map(|at| at - start).zip(open));
            self.release(false);
        }
        self.pass_on()
    }

    /// Writes a row that was made elsewhere: the connection's number, and `rest`, which has the rest of its columns; of
    /// these one may have a hole, which waits for a message's number.
    pub(super) fn made(&mut self, number: u64, rest: &[u8], hole: Option<(usize, Open)>) -> io::Result<()> {
        let waits = hole.is_some() || !self.hold.is_empty();
        let out = if waits { self.hold.buffer() } else { &mut self.out };
        let start = out.len();
        self.rows.format.first(out, number);
        let rest_at = out.len() - start;
        out.extend_from_slice(rest);
        if waits {
            self.hold.push(start, hole.map(|(at, open)| (rest_at + at, open)));
            self.release(false);
        }
        self.pass_on()
    }

    /// The message has that number, or will never have one.
    pub(super) fn resolve(&mut self, open: Open, number: Option<u64>) -> io::Result<()> {
        if self.hold.resolve(open, number) {
            self.release(false);
            self.pass_on()?;
        }
        Ok(())
    }

    /// Hands all rows on that do not wait.
    ///
    /// # Errors
    /// What writing them fails with.
    pub fn flush(&mut self) -> io::Result<()> {
        self.write_out()?;
        self.to.flush()
    }

    /// Hands all rows on, those that wait too.
    ///
    /// # Errors
    /// What writing them fails with.
    pub fn finish(&mut self) -> io::Result<()> {
        self.release(true);
        self.flush()
    }

    /// Bytes that it keeps.
    #[must_use]
    pub fn held(&self) -> usize {
        self.out.capacity() + self.hold.held() + self.rows.shared.held()
    }

    fn release(&mut self, all: bool) {
        let unknown = match &self.rows.format {
            AnyFormat::Csv(csv) => csv.unknown(),
            AnyFormat::Ndjson(ndjson) => ndjson.unknown(),
        };
        self.hold.release(&mut self.out, unknown, all);
    }

    fn pass_on(&mut self) -> io::Result<()> {
        if self.out.len() < BLOCK { Ok(()) } else { self.write_out() }
    }

    fn write_out(&mut self) -> io::Result<()> {
        let written = self.to.write_all(&self.out);
        // Also after an error, so that nothing is written twice.
        self.out.clear();
        self.out.shrink_to(2 * BLOCK);
        written
    }
}

/// Formats one row; where in `out` a number is missing. Each format's loop is compiled for itself.
fn format<'a, T: Table, F: RowFormat>(
    format: &mut F,
    runs: &[Run<T>],
    shared: &mut Shared,
    out: &mut Vec<u8>,
    row: &'a Row<'a, T::Of<'a>>,
) -> Option<usize> {
    let mut slots = shared.slots((row.connection.number, row.connection.uid, row.direction), T::kind(row));
    let mut hole = None;
    for run in runs {
        if let Some(stretch) = slots.next(run.alike) {
            out.extend_from_slice(stretch);
            continue;
        }
        let start = out.len();
        for (place, column) in (run.first..).zip(&run.columns) {
            match column.fill {
                Fill::Number(fill) => format.number(out, place, fill(row)),
                Fill::Cell(fill) => {
                    let cell = fill(row);
                    format.cell(out, place, &cell);
                    if matches!(cell, Cell::Pending) {
                        hole = Some(out.len());
                    }
                }
            }
        }
        slots.keep(run.alike, out.get(start..).unwrap_or_default());
    }
    format.end(out);
    hole
}

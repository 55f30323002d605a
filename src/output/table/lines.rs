//! Rows as lines of text, for every format that is.
//!
//! In: rows, typed. Out: bytes. Cells that many rows have in common are formatted once (`cell_cache.rs`). A row that waits
//! for its message's number is formatted all the same, with a placeholder; the number is put in when the row leaves.

use core::mem::size_of;
use std::collections::VecDeque;
use std::io::{self, Write};

use super::cell_cache::CellCache;
use super::rows::{LineFormat, MadeLine, MakeLine, RowWriter};
use crate::output::columns::{CacheKey, Cell, CellSink, Column, Payload, Row, Table, columns, push_cells};

/// Bytes of rows that are gathered before they are written. 128 KiB: fewer calls than a page at a time, and still in the
/// cache.
const BLOCK: usize = 128 << 10;

/// Adjacent columns with the same cache key.
struct ColumnGroup<T: Table> {
    key: CacheKey,
    /// The place of the first of them.
    first: usize,
    columns: Vec<&'static Column<T>>,
}

/// The columns of a table in groups.
fn groups<T: Table>(payload: Payload) -> Vec<ColumnGroup<T>> {
    let mut groups: Vec<ColumnGroup<T>> = Vec::new();
    for (place, column) in columns::<T>(payload).enumerate() {
        match groups.last_mut().filter(|group| group.key == column.cache_key) {
            Some(group) => group.columns.push(column),
            None => groups.push(ColumnGroup { key: column.cache_key, first: place, columns: vec![column] }),
        }
    }
    groups
}

/// Makes a line of a row.
struct LineMaker<T: Table, F> {
    groups: Vec<ColumnGroup<T>>,
    cache: CellCache,
    format: F,
}

impl<T: Table, F: LineFormat> LineMaker<T, F> {
    /// Also what stands before the first line.
    fn new(payload: Payload) -> (Self, Vec<u8>) {
        let names: Vec<_> = columns::<T>(payload).map(|column| column.name).collect();
        let mut format = F::default();
        let header = format.start(&names);
        (Self { groups: groups(payload), cache: CellCache::default(), format }, header)
    }

    /// Makes all but the first column from here on.
    fn without_first_column(mut self) -> Self {
        if let Some(group) = self.groups.first_mut() {
            group.columns = group.columns.split_off(1.min(group.columns.len()));
            group.first += 1;
        }
        self
    }
}

impl<T: Table, F: LineFormat> MakeLine<T> for LineMaker<T, F> {
    fn make<'a>(&mut self, out: &mut Vec<u8>, row: &'a Row<'a, T::Of<'a>>) -> Option<usize> {
        let connection = row.connection;
        let mut cached = self.cache.of_row((connection.number, connection.uid, row.direction), T::kind(row));
        let mut cells = LineCells { format: &mut self.format, out, placeholder: None };
        for group in &self.groups {
            if let Some(bytes) = cached.next(group.key) {
                cells.out.extend_from_slice(bytes);
                continue;
            }
            let start = cells.out.len();
            push_cells(&group.columns, group.first, row, &mut cells);
            cached.keep(group.key, cells.out.get(start..).unwrap_or_default());
        }
        cells.format.end(cells.out);
        cells.placeholder
    }
}

/// Formats cells to the end of a buffer.
struct LineCells<'m, F> {
    format: &'m mut F,
    out: &'m mut Vec<u8>,
    /// Where in `out` a number is missing.
    placeholder: Option<usize>,
}

impl<F: LineFormat> CellSink for LineCells<'_, F> {
    #[inline]
    fn cell(&mut self, place: usize, cell: &Cell<'_>) {
        self.format.cell(self.out, place, cell);
        if matches!(cell, Cell::Pending) {
            self.placeholder = Some(self.out.len());
        }
    }

    #[inline]
    fn number(&mut self, place: usize, number: Option<u64>) {
        self.format.number(self.out, place, number);
    }
}

/// The rows of a table as lines.
pub(super) struct Lines<T: Table, F> {
    payload: Payload,
    maker: LineMaker<T, F>,
    /// Rows that are complete.
    out: Vec<u8>,
    waiting: WaitingLines,
}

impl<T: Table, F: LineFormat> Lines<T, F> {
    pub(super) fn new(payload: Payload) -> Self {
        let (maker, out) = LineMaker::new(payload);
        Self { payload, maker, out, waiting: WaitingLines::default() }
    }

    const fn has_block(&self) -> bool {
        self.out.len() >= BLOCK
    }
}

impl<T: Table, F: LineFormat> RowWriter<T> for Lines<T, F> {
    fn row<'a>(&mut self, row: &'a Row<'a, T::Of<'a>>, waits: bool) -> bool {
        if waits {
            let start = self.waiting.bytes.len();
            let placeholder = self.maker.make(&mut self.waiting.bytes, row);
            self.waiting.push(start, placeholder);
        } else {
            self.maker.make(&mut self.out, row);
            self.waiting.first += 1;
        }
        self.has_block()
    }

    fn fill(&mut self, row: u64, number: u64) {
        self.waiting.fill(row, number);
    }

    fn complete(&mut self) -> bool {
        self.waiting.pop(&mut self.out, self.maker.format.unknown());
        self.has_block()
    }

    fn waiting_bytes(&self) -> usize {
        self.waiting.bytes.len() - self.waiting.start
    }

    fn write(&mut self, to: &mut dyn Write) -> io::Result<()> {
        let written = to.write_all(&self.out);
        // Also after an error, so that nothing is written twice.
        self.out.clear();
        self.out.shrink_to(2 * BLOCK);
        written
    }

    fn held(&self) -> usize {
        self.out.capacity() + self.waiting.held() + self.maker.cache.held()
    }

    fn line_maker(&self) -> Option<Box<dyn MakeLine<T>>> {
        let (maker, _) = LineMaker::<T, F>::new(self.payload);
        Some(Box::new(maker.without_first_column()))
    }

    fn line(&mut self, line: &MadeLine<'_>, waits: bool) -> bool {
        let out = if waits { &mut self.waiting.bytes } else { &mut self.out };
        let start = out.len();
        self.maker.format.number(out, 0, Some(line.connection));
        let rest = out.len();
        out.extend_from_slice(line.rest);
        if waits {
            self.waiting.push(start, line.placeholder.map(|at| rest + at));
        } else {
            self.waiting.first += 1;
        }
        self.has_block()
    }
}

/// Bytes of the buffer that are kept when nothing waits.
const KEPT_BYTES: usize = 64 << 10;
/// Lines for which room is kept when nothing waits.
const KEPT_LINES: usize = 1024;

/// Lines that wait, in order.
#[derive(Debug, Default)]
struct WaitingLines {
    lines: VecDeque<WaitingLine>,
    /// The lines one after the other; those that left are cut off now and then.
    bytes: Vec<u8>,
    /// Where in `bytes` the first of them begins.
    start: usize,
    /// The index of the first of them among all rows of the table; where none waits, that of the next row.
    first: u64,
}

#[derive(Debug)]
struct WaitingLine {
    len: usize,
    /// Where in the line a number is missing, unless it is [`Number::InLine`].
    placeholder: u32,
    number: Number,
    value: u64,
}

/// The number of a line's message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    /// It is in the line, or the line has none.
    InLine,
    /// It is missing, and not known.
    Unknown,
    /// It is missing, and was found out.
    Filled,
}

impl WaitingLines {
    /// Takes the line that was formatted at `start` of `bytes`, with a number missing at `placeholder`.
    fn push(&mut self, start: usize, placeholder: Option<usize>) {
        // Columns before that number are short; text and payload, which are not, come after it.
        let placeholder = placeholder.and_then(|at| u32::try_from(at - start).ok());
        let number = if placeholder.is_some() { Number::Unknown } else { Number::InLine };
        let len = self.bytes.len().saturating_sub(start);
        self.lines.push_back(WaitingLine { len, placeholder: placeholder.unwrap_or(0), number, value: 0 });
    }

    fn fill(&mut self, row: u64, number: u64) {
        let place = usize::try_from(row.wrapping_sub(self.first)).unwrap_or(usize::MAX);
        if let Some(line) = self.lines.get_mut(place).filter(|line| line.number == Number::Unknown) {
            (line.number, line.value) = (Number::Filled, number);
        }
    }

    /// Moves the first line to `out`, with `unknown` where a number is still missing.
    fn pop(&mut self, out: &mut Vec<u8>, unknown: &[u8]) {
        let Some(line) = self.lines.pop_front() else { return };
        let bytes = self.bytes.get(self.start..self.start + line.len).unwrap_or_default();
        let at = if line.number == Number::InLine { bytes.len() } else { line.placeholder as usize };
        let (head, tail) = bytes.split_at(at.min(bytes.len()));
        out.extend_from_slice(head);
        match line.number {
            Number::InLine => {}
            Number::Unknown => out.extend_from_slice(unknown),
            Number::Filled => out.extend_from_slice(itoa::Buffer::new().format(line.value).as_bytes()),
        }
        out.extend_from_slice(tail);
        self.start += line.len;
        self.first += 1;
        self.reclaim();
    }

    /// Cuts off the lines that left; where none waits, frees what a long wait took.
    fn reclaim(&mut self) {
        if self.lines.is_empty() {
            self.bytes.clear();
            self.bytes.shrink_to(KEPT_BYTES);
            self.lines.shrink_to(KEPT_LINES);
            self.start = 0;
        } else if self.start > self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }

    fn held(&self) -> usize {
        self.bytes.capacity() + self.lines.capacity() * size_of::<WaitingLine>()
    }
}

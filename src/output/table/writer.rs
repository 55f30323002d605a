//! One table as an output.
//!
//! In: events. Out: rows, handed to the table's format, and what it writes handed on.

use core::any::Any;
use std::io::{self, Write};

use super::format::Format;
use super::pending::{OpenMessage, PendingRows};
use super::rows::{MadeLine, RowWriter};
use super::shard::{LineBatch, Next, TableShard, each_resolved};
use crate::event::{Event, Numbers, Totals};
use crate::output::columns::{Context, PREVIEW_BYTES, Payload, Row, Table};
use crate::output::list::{EventKinds, Output, OutputShard, Wants};
use crate::types::Direction;

/// For so many bytes there may be one row that waits: 65,536 rows for 16 MiB, which cost 6 MiB beside their bytes. An
/// endless message delays other rows by at most as many.
const BYTES_FOR_A_ROW: usize = 256;

/// A character more than a preview shows, so that a cut shows.
const NEXT_CHAR: u64 = 4;

/// What all tables of a run have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableOptions {
    /// What they show.
    pub context: Context,
    /// Bytes of rows that may wait for the number of a message, in each table
    /// ([`Limits::max_row_bytes`](crate::types::Limits::max_row_bytes)). A sender that leaves a message open for longer than
    /// that gets frames without a message number.
    pub max_row_bytes: usize,
}

impl Default for TableOptions {
    fn default() -> Self {
        Self { context: Context::default(), max_row_bytes: 16 << 20 }
    }
}

/// Writes one table.
pub struct TableWriter<T: Table, W> {
    context: Context,
    rows: Box<dyn RowWriter<T>>,
    pending: PendingRows,
    max_row_bytes: usize,
    to: W,
}

impl<T: Table, W> core::fmt::Debug for TableWriter<T, W> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("TableWriter").field("table", &T::NAME).field("held", &self.held()).finish_non_exhaustive()
    }
}

impl<T: Table, W> TableWriter<T, W> {
    /// A table that is written to `to`, which needs no buffer of its own. CSV cannot have the full payload; asked for it, it
    /// has the columns of previews, empty.
    #[must_use]
    pub fn new(format: Format, options: &TableOptions, to: W) -> Self {
        let mut context = options.context.clone();
        if context.payload == Payload::Full && !format.has_full_payload() {
            context.payload = Payload::None;
        }
        let rows = format.rows(context.payload);
        Self::with_rows(rows, &TableOptions { context, ..*options }, to)
    }

    /// A table whose rows go to `rows`.
    pub(super) fn with_rows(rows: Box<dyn RowWriter<T>>, options: &TableOptions, to: W) -> Self {
        let TableOptions { context, max_row_bytes } = options.clone();
        Self { context, rows, pending: PendingRows::default(), max_row_bytes, to }
    }

    /// Bytes that it keeps.
    #[must_use]
    pub fn held(&self) -> usize {
        self.rows.held() + self.pending.held()
    }

    /// Adds a row that a worker made. Whether there is a block to be written.
    fn line(&mut self, line: &MadeLine<'_>, lacks: Option<OpenMessage>) -> bool {
        let waits = lacks.is_some() || !self.pending.is_empty();
        let block = self.rows.line(line, waits);
        self.added(lacks, waits) || block
    }

    /// A row was added. Whether there is a block to be written.
    fn added(&mut self, lacks: Option<OpenMessage>, waits: bool) -> bool {
        if !waits {
            self.pending.pass();
            return false;
        }
        self.pending.push(lacks);
        self.release(false)
    }

    /// The message has that number, or will never have one. Whether there is a block to be written.
    fn resolve(&mut self, message: OpenMessage, number: Option<u64>) -> bool {
        if self.pending.is_empty() {
            return false;
        }
        let rows = self.pending.resolve(message);
        for row in &rows {
            number.into_iter().for_each(|number| self.rows.fill(*row, number));
        }
        !rows.is_empty() && self.release(false)
    }

    /// Completes the first rows that lack no number; those over the bounds, or `all`, though they lack one. Whether there is
    /// a block to be written.
    fn release(&mut self, all: bool) -> bool {
        let mut block = false;
        loop {
            let over = self.pending.len() > self.max_row_bytes / BYTES_FOR_A_ROW
                || self.rows.waiting_bytes() > self.max_row_bytes;
            if !self.pending.pop(all || over) {
                return block;
            }
            block = self.rows.complete();
        }
    }
}

impl<T: Table, W: Write> TableWriter<T, W> {
    fn write(&mut self, block: bool) -> io::Result<()> {
        if block { self.rows.write(&mut self.to) } else { Ok(()) }
    }
}

impl<T: Table, W: Write> Output for TableWriter<T, W> {
    fn wants(&self) -> Wants {
        let bytes = match self.context.payload {
            Payload::None => 0,
            Payload::Preview => PREVIEW_BYTES as u64 + NEXT_CHAR,
            Payload::Full => u64::MAX,
        };
        let numbers = if T::WAITS { EventKinds::MESSAGE.and(EventKinds::CLOSED) } else { EventKinds::NONE };
        Wants::events(T::EVENTS.and(numbers))
            .with_content(if T::EVENTS.includes(EventKinds::MESSAGE) { bytes } else { 0 })
            .with_payload(if T::EVENTS.includes(EventKinds::FRAME) { bytes } else { 0 })
    }

    /// Buffers grow by doubling, and rows that wait have places.
    fn cost(&self) -> usize {
        if T::WAITS { self.max_row_bytes / 2 * 5 } else { 0 }
    }

    fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        let connection = event.connection;
        let mut block = false;
        if T::WAITS {
            each_resolved(event, |direction, number| {
                block |= self.resolve(OpenMessage { connection: connection.number, direction }, number);
            });
        }
        if let Some(what) = T::of(&event.what) {
            let row = Row { context: &self.context, connection, direction: event.direction, what };
            let lacks = T::open_message(&row).map(|direction| OpenMessage { connection: connection.number, direction });
            let waits = lacks.is_some() || !self.pending.is_empty();
            block |= self.rows.row(&row, waits);
            block |= self.added(lacks, waits);
        }
        self.write(block)
    }

    fn finish(&mut self, _: &Totals) -> io::Result<()> {
        self.release(true);
        self.rows.finish(&mut self.to)?;
        self.to.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.rows.write(&mut self.to)?;
        self.to.flush()
    }

    fn abandon(&mut self) -> io::Result<()> {
        self.finish(&Totals::default())
    }

    fn shard(&self) -> Option<Box<dyn OutputShard>> {
        let lines = self.rows.line_maker().filter(|_| T::IN_WORKERS)?;
        Some(Box::new(TableShard::new(self.context.clone(), lines)))
    }

    fn take(&mut self, batch: &mut dyn Any, numbers: Numbers) -> io::Result<()> {
        let Some(batch) = batch.downcast_mut::<LineBatch>() else { return Ok(()) };
        let connection = numbers.connection;
        let open = |direction: Direction| OpenMessage { connection, direction };
        let mut block = false;
        while let Some((next, last)) = batch.next(connection) {
            block |= match next {
                Next::Row(line, lacks) => self.line(&line, lacks.map(open)),
                Next::Resolve(direction, number) => self.resolve(open(direction), number),
            };
            if last {
                break;
            }
        }
        self.write(block)
    }
}

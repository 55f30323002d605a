//! The tables that were asked for, as one sink.
//!
//! In: events. Out: the rows of `connections`, `frames`, `messages` and `findings`, each to its own place.

mod shard;

use std::io::{self, Write};

pub use shard::{TablesBatch, TablesShard};

use super::columns::{Connections, Context, Findings, Frames, Messages, Row, Table};
use super::hold::Open;
use super::table::{Format, TableWriter};
use crate::event::{Event, Message, Sink, What};
use crate::types::Direction;

/// Which table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableName {
    /// One row per connection.
    Connections,
    /// One row per frame.
    Frames,
    /// One row per message.
    Messages,
    /// One row per finding.
    Findings,
}

impl TableName {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Connections, Self::Frames, Self::Messages, Self::Findings];

    /// `connections`, `frames`, `messages` or `findings`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connections => Connections::NAME,
            Self::Frames => Frames::NAME,
            Self::Messages => Messages::NAME,
            Self::Findings => Findings::NAME,
        }
    }
}

/// Writes the tables that were asked for.
#[derive(Debug, Default)]
pub struct Tables {
    context: Context,
    flush_rows: bool,
    max_row_bytes: Option<usize>,
    connections: Option<TableWriter<Connections>>,
    frames: Option<TableWriter<Frames>>,
    messages: Option<TableWriter<Messages>>,
    findings: Option<TableWriter<Findings>>,
}

impl Tables {
    /// No table yet.
    #[must_use]
    pub fn new(context: Context) -> Self {
        Self { context, ..Self::default() }
    }

    /// Rows of so many bytes may wait for their message's number, in each table that is added from here on
    /// ([`crate::types::Shares::rows`]).
    #[must_use]
    pub const fn max_row_bytes(mut self, bytes: usize) -> Self {
        self.max_row_bytes = Some(bytes);
        self
    }

    /// Writes `table` to `to`, which needs no buffer of its own.
    #[must_use]
    pub fn with(mut self, table: TableName, format: Format, to: Box<dyn Write + Send>) -> Self {
        let payload = self.context.payload;
        match table {
            TableName::Connections => self.connections = Some(TableWriter::new(format, payload, to)),
            TableName::Frames => {
                let table = self.frames.insert(TableWriter::new(format, payload, to));
                self.max_row_bytes.into_iter().for_each(|bytes| table.set_max_row_bytes(bytes));
            }
            TableName::Messages => self.messages = Some(TableWriter::new(format, payload, to)),
            TableName::Findings => {
                let table = self.findings.insert(TableWriter::new(format, payload, to));
                self.max_row_bytes.into_iter().for_each(|bytes| table.set_max_row_bytes(bytes));
            }
        }
        self
    }

    /// Hands every row on as it comes, for live captures.
    #[must_use]
    pub const fn flush_rows(mut self, yes: bool) -> Self {
        self.flush_rows = yes;
        self
    }

    /// Hands on all rows that do not wait for a number.
    ///
    /// # Errors
    /// What writing them fails with.
    pub fn flush(&mut self) -> io::Result<()> {
        self.each(TableWriter::flush, TableWriter::flush, TableWriter::flush, TableWriter::flush)
    }

    /// The input is over: hands on all rows.
    ///
    /// # Errors
    /// What writing them fails with.
    pub fn finish(&mut self) -> io::Result<()> {
        self.each(TableWriter::finish, TableWriter::finish, TableWriter::finish, TableWriter::finish)
    }

    /// Bytes that it keeps.
    #[must_use]
    pub fn held(&self) -> usize {
        self.connections.as_ref().map_or(0, TableWriter::held)
            + self.frames.as_ref().map_or(0, TableWriter::held)
            + self.messages.as_ref().map_or(0, TableWriter::held)
            + self.findings.as_ref().map_or(0, TableWriter::held)
    }

    /// Does one thing with every table, also after one failed; the first error.
    fn each(
        &mut self,
        connections: fn(&mut TableWriter<Connections>) -> io::Result<()>,
        frames: fn(&mut TableWriter<Frames>) -> io::Result<()>,
        messages: fn(&mut TableWriter<Messages>) -> io::Result<()>,
        findings: fn(&mut TableWriter<Findings>) -> io::Result<()>,
    ) -> io::Result<()> {
        let results = [
            self.connections.as_mut().map_or(Ok(()), connections),
            self.frames.as_mut().map_or(Ok(()), frames),
            self.messages.as_mut().map_or(Ok(()), messages),
            self.findings.as_mut().map_or(Ok(()), findings),
        ];
        results.into_iter().collect()
    }

    /// Tells the tables that wait what number the direction's open message has, or that it never gets one.
    fn resolve(&mut self, connection: u64, direction: Direction, number: Option<u64>) -> io::Result<()> {
        let open = Open { connection, direction };
        if let Some(frames) = &mut self.frames {
            frames.resolve(open, number)?;
        }
        if let Some(findings) = &mut self.findings {
            findings.resolve(open, number)?;
        }
        Ok(())
    }

    fn message(&mut self, event: &Event<'_>, message: &Message<'_>) -> io::Result<()> {
        let connection = event.connection;
        // A control message between the fragments of another is not the one they wait for (RFC 6455 §5.4).
        if let Some(direction) = event.direction.filter(|_| !message.opcode.is_control()) {
            self.resolve(connection.number, direction, Some(message.number))?;
        }
        let Some(messages) = &mut self.messages else { return Ok(()) };
        messages.row(&Row { context: &self.context, connection, direction: event.direction, what: message }, None)
    }
}

/// The message that a row waits for.
pub(super) fn open(
    event: &Event<'_>,
    direction: Option<Direction>,
    message: Option<u64>,
    in_message: bool,
) -> Option<Open> {
    let direction = direction.filter(|_| in_message && message.is_none())?;
    Some(Open { connection: event.connection.number, direction })
}

impl Sink for Tables {
    type Error = io::Error;

    fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        let (context, connection, direction) = (&self.context, event.connection, event.direction);
        match event.what {
            What::Frame(frame) => {
                let Some(frames) = &mut self.frames else { return Ok(()) };
                let open = open(event, direction, frame.message, frame.in_message);
                frames.row(&Row { context, connection, direction, what: frame }, open)?;
            }
            What::Message(message) => self.message(event, message)?,
            What::Finding(finding) => {
                let Some(findings) = &mut self.findings else { return Ok(()) };
                let open = open(event, finding.direction, finding.message, finding.in_message);
                findings.row(&Row { context, connection, direction, what: finding }, open)?;
            }
            What::Closed(summary) => {
                for direction in Direction::BOTH {
                    self.resolve(connection.number, direction, None)?;
                }
                if let Some(connections) = &mut self.connections {
                    connections.row(&Row { context: &self.context, connection, direction, what: summary }, None)?;
                }
            }
            What::Upgraded(_) | What::Refused(_) | What::Packet => return Ok(()),
        }
        if self.flush_rows { self.flush() } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;

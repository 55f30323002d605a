//! What workers do for the tables: they make the rows of `frames`, `messages` and `findings`, all but their connection's
//! number. Holes in rows are filled where all rows are, as [`super::super::hold`] has them; workers say when a message
//! that some row waits for is complete.

use std::collections::HashSet;
use std::io;

use super::super::columns::{Context, Findings, Frames, Messages, Row, Table};
use super::super::hold::Open;
use super::super::table::Rows;
use super::{Tables, open};
use crate::event::{Batch, Event, Kept, Message, Numbers, Owned, ParallelSink, Shard, What};
use crate::types::Direction;

/// A worker's part of [`Tables`].
pub struct TablesShard {
    context: Context,
    connections: bool,
    frames: Option<Rows<Frames>>,
    messages: Option<Rows<Messages>>,
    findings: Option<Rows<Findings>>,
    /// Messages that rows told so far wait for, by the worker's own numbers. Never iterated over.
    waiting: HashSet<Open>,
}

/// Rows that workers made.
#[derive(Debug, Default)]
pub struct TablesBatch {
    /// One after the other.
    rows: Vec<u8>,
    /// Where the next one begins.
    rows_taken: usize,
    things: Vec<Thing>,
    things_taken: usize,
    closed: Kept,
}

#[derive(Debug, Clone, Copy)]
struct Thing {
    what: Todo,
    /// Nothing more is to be done about the same event.
    last: bool,
}

/// What is to be done.
#[derive(Debug, Clone, Copy)]
enum Todo {
    /// The next row is one of these, of so many bytes. It may have a hole there, for the message that is open this way.
    Row(RowOf, usize, Option<(usize, Direction)>),
    /// The message that is open this way has that number, or never gets one.
    Resolve(Direction, Option<u64>),
    /// The connection is over.
    Closed,
}

#[derive(Debug, Clone, Copy)]
enum RowOf {
    Frames,
    Messages,
    Findings,
}

/// Pieces larger than this are not kept as large.
const USUAL_BYTES: usize = 1 << 20;
const USUAL_THINGS: usize = 16 << 10;

impl TablesShard {
    fn message(&mut self, event: &Event<'_>, message: &Message<'_>, batch: &mut TablesBatch) {
        // A control message between the fragments of another is not the one they wait for (RFC 6455 §5.4).
        if let Some(direction) = event.direction.filter(|_| !message.opcode.is_control()) {
            self.resolve(event, direction, Some(message.number), batch);
        }
        if let Some(messages) = &mut self.messages {
            let (context, connection, direction) = (&self.context, event.connection, event.direction);
            let row = Row { context, connection, direction, what: message };
            batch.row(RowOf::Messages, messages, &row, None);
        }
    }

    fn resolve(&mut self, event: &Event<'_>, direction: Direction, number: Option<u64>, batch: &mut TablesBatch) {
        if !self.waiting.is_empty() && self.waiting.remove(&Open { connection: event.connection.number, direction }) {
            batch.push(Todo::Resolve(direction, number));
        }
    }

    fn closed(&mut self, event: &Event<'_>, batch: &mut TablesBatch) {
        for direction in Direction::BOTH {
            self.resolve(event, direction, None, batch);
        }
        if self.connections {
            batch.closed.keep(Owned::copy(event, 0));
            batch.push(Todo::Closed);
        }
    }
}

impl Shard for TablesShard {
    type Batch = TablesBatch;

    fn event(&mut self, event: &Event<'_>, batch: &mut TablesBatch) -> bool {
        let before = batch.things.len();
        let (context, connection, direction) = (&self.context, event.connection, event.direction);
        match event.what {
            What::Frame(frame) => {
                let Some(frames) = &mut self.frames else { return false };
                let open = open(event, direction, frame.message, frame.in_message);
                let row = Row { context, connection, direction, what: frame };
                batch.row(RowOf::Frames, frames, &row, open);
                self.waiting.extend(open);
            }
            What::Message(message) => self.message(event, message, batch),
            What::Finding(finding) => {
                let Some(findings) = &mut self.findings else { return false };
                let open = open(event, finding.direction, finding.message, finding.in_message);
                batch.row(RowOf::Findings, findings, &Row { context, connection, direction, what: finding }, open);
                self.waiting.extend(open);
            }
            What::Closed(_) => self.closed(event, batch),
            What::Upgraded(_) | What::Refused(_) | What::Packet => return false,
        }
        match batch.things.get_mut(before..).and_then(<[Thing]>::last_mut) {
            Some(thing) => thing.last = true,
            None => return false,
        }
        true
    }
}

impl TablesBatch {
    fn push(&mut self, what: Todo) {
        self.things.push(Thing { what, last: false });
    }

    fn row<'a, T: Table>(&mut self, of: RowOf, rows: &mut Rows<T>, row: &'a Row<'a, T::Of<'a>>, open: Option<Open>) {
        let start = self.rows.len();
        let hole = rows.row(&mut self.rows, row).map(|at| at - start).zip(open.map(|open| open.direction));
        self.push(Todo::Row(of, self.rows.len() - start, hole));
    }

    /// The next thing.
    fn next(&mut self) -> Option<Thing> {
        let thing = self.things.get(self.things_taken).copied();
        self.things_taken += usize::from(thing.is_some());
        thing
    }
}

impl Batch for TablesBatch {
    fn held(&self) -> usize {
        self.rows.len() + self.things.len() * size_of::<Thing>() + self.closed.held()
    }

    fn clear(&mut self) {
        self.rows.clear();
        self.rows.shrink_to(USUAL_BYTES);
        self.things.clear();
        self.things.shrink_to(USUAL_THINGS);
        (self.rows_taken, self.things_taken) = (0, 0);
        self.closed.clear();
    }
}

impl ParallelSink for Tables {
    type Shard = TablesShard;

    fn shard(&self) -> TablesShard {
        TablesShard {
            context: self.context.clone(),
            connections: self.connections.is_some(),
            frames: self.frames.as_ref().map(super::TableWriter::rows_without_number),
            messages: self.messages.as_ref().map(super::TableWriter::rows_without_number),
            findings: self.findings.as_ref().map(super::TableWriter::rows_without_number),
            waiting: HashSet::new(),
        }
    }

    fn take(&mut self, batch: &mut TablesBatch, numbers: Numbers) -> io::Result<()> {
        let connection = numbers.connection;
        while let Some(thing) = batch.next() {
            match thing.what {
                Todo::Row(of, len, hole) => {
                    let end = batch.rows_taken.saturating_add(len);
                    let row = batch.rows.get(batch.rows_taken..end).unwrap_or_default();
                    batch.rows_taken = end;
                    let hole = hole.map(|(at, direction)| (at, Open { connection, direction }));
                    self.made(of, connection, row, hole)?;
                }
                Todo::Resolve(direction, number) => self.resolve(connection, direction, number)?,
                Todo::Closed => batch.closed.tell(numbers, self)?,
            }
            if thing.last {
                break;
            }
        }
        Ok(())
    }
}

impl Tables {
    fn made(&mut self, of: RowOf, connection: u64, row: &[u8], hole: Option<(usize, Open)>) -> io::Result<()> {
        match of {
            RowOf::Frames => self.frames.as_mut().map(|table| table.made(connection, row, hole)),
            RowOf::Messages => self.messages.as_mut().map(|table| table.made(connection, row, hole)),
            RowOf::Findings => self.findings.as_mut().map(|table| table.made(connection, row, hole)),
        }
        .unwrap_or(Ok(()))
    }
}

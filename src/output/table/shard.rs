//! What a worker does for a table whose format is lines: it makes the rows, all but their connection's number.
//!
//! In: events of a worker's connections. Out: a [`LineBatch`]. Numbers of messages are filled in where all rows are; workers
//! only report when a message for which a row waits is complete.

use core::mem::size_of;
use std::collections::HashSet;

use super::pending::OpenMessage;
use super::rows::{MadeLine, MakeLine};
use crate::event::{Batch, Event, Shard, What};
use crate::output::columns::{Context, Row, Table};
use crate::types::Direction;

/// A worker's part of a table.
pub(super) struct TableShard<T: Table> {
    context: Context,
    lines: Box<dyn MakeLine<T>>,
    /// Messages whose numbers rows made so far lack, by the worker's own numbers of connections. Never iterated over.
    waiting: HashSet<OpenMessage>,
}

/// Rows that a worker made, and numbers of messages.
#[derive(Debug, Default)]
pub(super) struct LineBatch {
    /// The rows, one after the other.
    bytes: Vec<u8>,
    /// Where the next one begins.
    bytes_taken: usize,
    steps: Vec<Step>,
    steps_taken: usize,
}

/// One action, about the connection of the event that it came from.
#[derive(Debug, Clone, Copy)]
struct Step {
    action: Action,
    /// It is the last for the same event.
    last: bool,
}

/// What is to be done.
#[derive(Debug, Clone, Copy)]
enum Action {
    /// Add the next row, of so many bytes. It may lack a number there: that of the open message of a direction.
    Row(usize, Option<(usize, Direction)>),
    /// The open message of that direction has that number, or will have none.
    Resolve(Direction, Option<u64>),
}

/// What a table has to do next: an action with what it refers to.
pub(super) enum Next<'b> {
    Row(MadeLine<'b>, Option<Direction>),
    Resolve(Direction, Option<u64>),
}

/// Batches that grew larger than this are not kept as large.
const USUAL_BYTES: usize = 1 << 20;
const USUAL_STEPS: usize = 16 << 10;

impl<T: Table> TableShard<T> {
    pub(super) fn new(context: Context, lines: Box<dyn MakeLine<T>>) -> Self {
        Self { context, lines, waiting: HashSet::new() }
    }

    fn resolve(&mut self, connection: u64, direction: Direction, number: Option<u64>, batch: &mut LineBatch) {
        if !self.waiting.is_empty() && self.waiting.remove(&OpenMessage { connection, direction }) {
            batch.push(Action::Resolve(direction, number));
        }
    }
}

impl<T: Table> Shard for TableShard<T> {
    type Batch = LineBatch;

    fn event(&mut self, event: &Event<'_>, batch: &mut LineBatch) -> bool {
        let before = batch.steps.len();
        let connection = event.connection.number;
        if T::WAITS {
            each_resolved(event, |direction, number| self.resolve(connection, direction, number, batch));
        }
        if let Some(what) = T::of(&event.what) {
            let row = Row { context: &self.context, connection: event.connection, direction: event.direction, what };
            let open = T::open_message(&row);
            let start = batch.bytes.len();
            let placeholder = self.lines.make(&mut batch.bytes, &row).map(|at| at - start).zip(open);
            batch.push(Action::Row(batch.bytes.len() - start, placeholder));
            self.waiting.extend(open.map(|direction| OpenMessage { connection, direction }));
        }
        match batch.steps.get_mut(before..).and_then(<[Step]>::last_mut) {
            Some(step) => step.last = true,
            None => return false,
        }
        true
    }
}

/// Calls `resolve` for each direction whose open message has a number by this event, or will have none.
pub(super) fn each_resolved(event: &Event<'_>, mut resolve: impl FnMut(Direction, Option<u64>)) {
    match event.what {
        // A control message between the fragments of another is not the open one (RFC 6455 §5.4).
        What::Message(message) if !message.opcode.is_control() => {
            event.direction.into_iter().for_each(|direction| resolve(direction, Some(message.number)));
        }
        What::Closed(_) => Direction::BOTH.into_iter().for_each(|direction| resolve(direction, None)),
        _ => {}
    }
}

impl LineBatch {
    fn push(&mut self, action: Action) {
        self.steps.push(Step { action, last: false });
    }

    /// The next action for the same event, which is of the connection of that number; whether it is the last.
    pub(super) fn next(&mut self, connection: u64) -> Option<(Next<'_>, bool)> {
        let Step { action, last } = self.steps.get(self.steps_taken).copied()?;
        self.steps_taken += 1;
        let next = match action {
            Action::Resolve(direction, number) => Next::Resolve(direction, number),
            Action::Row(len, lacks) => {
                let start = self.bytes_taken;
                self.bytes_taken = start.saturating_add(len);
                let rest = self.bytes.get(start..self.bytes_taken).unwrap_or_default();
                let line = MadeLine { connection, rest, placeholder: lacks.map(|(at, _)| at) };
                Next::Row(line, lacks.map(|(_, direction)| direction))
            }
        };
        Some((next, last))
    }
}

impl Batch for LineBatch {
    fn held(&self) -> usize {
        self.bytes.len() + self.steps.len() * size_of::<Step>()
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(USUAL_BYTES);
        self.steps.clear();
        self.steps.shrink_to(USUAL_STEPS);
        (self.bytes_taken, self.steps_taken) = (0, 0);
    }
}

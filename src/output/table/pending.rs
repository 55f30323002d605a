//! Which rows wait for the number of their message, by index.
//!
//! A fragment's message has no number before it is complete (messages are numbered in the order of completion), yet its row
//! comes before rows that are known. So from the first row that lacks a number on, all rows wait, in order. In: for each
//! row the message that it lacks the number of, and the numbers as they become known. Out: which rows a number belongs to,
//! and how many rows from the first are complete. The rows themselves are with the format.

use core::mem::size_of;
use std::collections::{HashMap, VecDeque};

use crate::types::Direction;

/// A message that is not complete: each direction of a connection has at most one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct OpenMessage {
    /// The connection's number.
    pub(super) connection: u64,
    /// The direction of the message.
    pub(super) direction: Direction,
}

/// The rows of a table that wait.
#[derive(Debug, Default)]
pub(super) struct PendingRows {
    /// Of each row that waits: the message whose number it lacks; `None` where it lacks none any more.
    rows: VecDeque<Option<OpenMessage>>,
    /// The index of the first of them among all rows of the table; where none waits, that of the next row.
    first: u64,
    /// The rows that lack the number of each message, by index. Never iterated over.
    by_message: HashMap<OpenMessage, VecDeque<u64>>,
}

/// Rows for which room is kept when nothing waits.
const KEPT_ROWS: usize = 1024;

impl PendingRows {
    /// Whether no row waits.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many rows wait.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// A row that does not wait.
    pub(super) const fn pass(&mut self) {
        self.first += 1;
    }

    /// A row that waits: it lacks the number of `message`, or comes after one that lacks one.
    pub(super) fn push(&mut self, message: Option<OpenMessage>) {
        if let Some(message) = message {
            let index = self.first + self.rows.len() as u64;
            self.by_message.entry(message).or_default().push_back(index);
        }
        self.rows.push_back(message);
    }

    /// The number of `message` is known, or will never be: the indices of the rows that lacked it.
    pub(super) fn resolve(&mut self, message: OpenMessage) -> VecDeque<u64> {
        if self.rows.is_empty() {
            return VecDeque::new();
        }
        let indices = self.by_message.remove(&message).unwrap_or_default();
        for index in &indices {
            let place = usize::try_from(index.wrapping_sub(self.first)).unwrap_or(usize::MAX);
            if let Some(row) = self.rows.get_mut(place) {
                *row = None;
            }
        }
        indices
    }

    /// Takes the first row out if it lacks no number, or `anyway`. Whether it did.
    pub(super) fn pop(&mut self, anyway: bool) -> bool {
        let Some(row) = self.rows.pop_front_if(|row| anyway || row.is_none()) else { return false };
        if let Some(message) = row {
            self.forget(message);
        }
        self.first += 1;
        if self.rows.is_empty() {
            self.rows.shrink_to(KEPT_ROWS);
        }
        true
    }

    /// The oldest row that lacked the number of the message left without it.
    fn forget(&mut self, message: OpenMessage) {
        if let Some(indices) = self.by_message.get_mut(&message) {
            indices.pop_front();
            if indices.is_empty() {
                self.by_message.remove(&message);
            }
        }
    }

    /// Bytes that it keeps.
    pub(super) fn held(&self) -> usize {
        // Each row may be once more in `by_message`.
        self.rows.capacity() * (size_of::<Option<OpenMessage>>() + size_of::<u64>())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn open(connection: u64) -> OpenMessage {
        OpenMessage { connection, direction: Direction::ToServer }
    }

    fn popped(pending: &mut PendingRows, anyway: bool) -> usize {
        core::iter::from_fn(|| pending.pop(anyway).then_some(())).count()
    }

    #[test]
    fn rows_leave_in_order() {
        let mut pending = PendingRows::default();
        pending.pass();
        for message in [Some(open(1)), None, Some(open(2)), Some(open(1))] {
            pending.push(message);
        }
        assert!(pending.resolve(open(3)).is_empty());
        assert_eq!(popped(&mut pending, false), 0);
        assert_eq!(pending.resolve(open(1)), [1_u64, 4]);
        assert_eq!(popped(&mut pending, false), 2);
        pending.push(Some(open(1)));
        assert_eq!(pending.resolve(open(2)), [3_u64]);
        assert_eq!(popped(&mut pending, false), 2);
        assert_eq!((pending.len(), popped(&mut pending, true)), (1, 1));
        assert!(pending.is_empty() && pending.by_message.is_empty());
        assert_eq!(pending.first, 6);
    }

    #[derive(Debug, Clone)]
    enum Act {
        Row(Option<u64>),
        Resolve(u64),
        PopAnyway,
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            4 => proptest::option::of(0..4_u64).prop_map(Act::Row),
            3 => (0..4_u64).prop_map(Act::Resolve),
            1 => Just(Act::PopAnyway),
        ]
    }

    proptest! {
        /// Against a model that looks at all rows each time.
        #[test]
        fn indices_are_those_of_a_simple_model(acts in proptest::collection::vec(act(), 0..100)) {
            let mut pending = PendingRows::default();
            // Of each row: what it lacks, and whether it left.
            let mut model: Vec<(Option<u64>, bool)> = Vec::new();
            for act in acts {
                match act {
                    Act::Row(None) if pending.is_empty() => {
                        pending.pass();
                        model.push((None, true));
                    }
                    Act::Row(message) => {
                        pending.push(message.map(open));
                        model.push((message, false));
                    }
                    Act::Resolve(connection) => {
                        let mut expected = Vec::new();
                        for (index, row) in model.iter_mut().enumerate().filter(|(_, row)| !row.1) {
                            if row.0 == Some(connection) {
                                row.0 = None;
                                expected.push(index as u64);
                            }
                        }
                        prop_assert_eq!(Vec::from(pending.resolve(open(connection))), expected);
                    }
                    Act::PopAnyway => {
                        let first = model.iter_mut().find(|row| !row.1);
                        prop_assert_eq!(pending.pop(true), first.is_some());
                        first.into_iter().for_each(|row| row.1 = true);
                    }
                }
                let mut free = 0;
                for row in model.iter_mut().skip_while(|row| row.1).take_while(|row| row.0.is_none()) {
                    row.1 = true;
                    free += 1;
                }
                prop_assert_eq!(popped(&mut pending, false), free);
                prop_assert_eq!(pending.len(), model.iter().filter(|row| !row.1).count());
            }
        }
    }
}

//! Rows that wait for a number.
//!
//! A fragment's message has no number before it is complete (messages are numbered in the order of completion), yet its
//! row stands before rows that are known. So from the first row with a hole on, rows wait here, formatted, in order; the
//! number is put in when it is known, and all rows up to the next hole leave. What may wait is bounded: beyond that the
//! oldest hole stays empty.

use std::collections::{HashMap, VecDeque};

use crate::types::Direction;
#[cfg(doc)]
use crate::types::Limits;

/// Bytes of rows that may wait, unless somebody says otherwise ([`Limits::max_row_bytes`]). A sender that leaves a message
/// open for longer than that gets frames without a message number.
const MAX_BYTES: usize = 16 << 20;

/// For so many bytes there may be one row: 65,536 rows for 16 MiB, which cost 8 MiB beside their bytes. An endless message
/// delays other rows by at most as many.
const BYTES_FOR_A_ROW: usize = 256;

/// Bytes of the buffer that are kept when nothing waits.
const KEPT_BYTES: usize = 64 << 10;

/// A message that is not complete: each direction of a connection has at most one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Open {
    /// The connection's number.
    pub(super) connection: u64,
    /// The way of the message.
    pub(super) direction: Direction,
}

/// The rows that wait.
#[derive(Debug)]
pub(super) struct Hold {
    max_bytes: usize,
    rows: VecDeque<Row>,
    /// The rows one after the other; those that left are cut off now and then.
    bytes: Vec<u8>,
    /// Where in `bytes` the first row begins.
    start: usize,
    /// The number of the first row, counted over all that ever waited.
    first: u64,
    /// The rows that wait for each message, by number. Never iterated over.
    waiting: HashMap<Open, VecDeque<u64>>,
}

#[derive(Debug)]
struct Row {
    len: usize,
    hole: Option<Hole>,
}

#[derive(Debug)]
struct Hole {
    /// Where in the row.
    at: usize,
    open: Open,
    number: Number,
}

#[derive(Debug, Clone, Copy)]
enum Number {
    Waiting,
    Is(u64),
    None,
}

impl Default for Hold {
    fn default() -> Self {
        Self::new(MAX_BYTES)
    }
}

impl Hold {
    /// Lets rows of so many bytes wait.
    pub(super) fn new(max_bytes: usize) -> Self {
        let (rows, waiting) = (VecDeque::new(), HashMap::new());
        Self { max_bytes, rows, bytes: Vec::new(), start: 0, first: 0, waiting }
    }

    /// Whether nothing waits: then rows need not come here.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Where the next row is to be formatted, at the end.
    pub(super) const fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Takes the row that was formatted at `start` of the buffer; a hole at `start + at` of it waits for `open`.
    pub(super) fn push(&mut self, start: usize, hole: Option<(usize, Open)>) {
        let number = self.first.wrapping_add(self.rows.len() as u64);
        let hole = hole.map(|(at, open)| {
            self.waiting.entry(open).or_default().push_back(number);
            Hole { at, open, number: Number::Waiting }
        });
        self.rows.push_back(Row { len: self.bytes.len().saturating_sub(start), hole });
    }

    /// The message has that number, or will never have one. Whether any row waited for it.
    pub(super) fn resolve(&mut self, open: Open, number: Option<u64>) -> bool {
        if self.rows.is_empty() {
            return false;
        }
        let Some(rows) = self.waiting.remove(&open) else { return false };
        for row in rows {
            let place = usize::try_from(row.wrapping_sub(self.first)).unwrap_or(usize::MAX);
            if let Some(hole) = self.rows.get_mut(place).and_then(|row| row.hole.as_mut()) {
                hole.number = number.map_or(Number::None, Number::Is);
            }
        }
        true
    }

    /// Moves the rows that need not wait any more to `out`, with `unknown` where a number never came. With `all`, every
    /// row leaves.
    pub(super) fn release(&mut self, out: &mut Vec<u8>, unknown: &[u8], all: bool) {
        while let Some(row) = self.rows.front() {
            let over = all || self.rows.len() > self.max_rows() || self.bytes.len() - self.start > self.max_bytes;
            let waits = row.hole.as_ref().is_some_and(|hole| matches!(hole.number, Number::Waiting));
            if waits && !over {
                break;
            }
            let Some(row) = self.rows.pop_front() else { break };
            self.leave(&row, out, unknown);
        }
        if self.rows.is_empty() {
            self.reset();
        } else if self.start > self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }

    const fn max_rows(&self) -> usize {
        self.max_bytes / BYTES_FOR_A_ROW
    }

    fn leave(&mut self, row: &Row, out: &mut Vec<u8>, unknown: &[u8]) {
        let bytes = self.bytes.get(self.start..self.start + row.len).unwrap_or_default();
        let at = row.hole.as_ref().map_or(bytes.len(), |hole| hole.at.min(bytes.len()));
        let (head, tail) = bytes.split_at(at);
        out.extend_from_slice(head);
        if let Some(hole) = &row.hole {
            match hole.number {
                Number::Is(number) => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
                Number::Waiting | Number::None => out.extend_from_slice(unknown),
            }
        }
        out.extend_from_slice(tail);
        if let Some(Hole { open, number: Number::Waiting, .. }) = row.hole {
            self.forget(open);
        }
        self.start += row.len;
        self.first = self.first.wrapping_add(1);
    }

    /// The oldest row that waited for the message left.
    fn forget(&mut self, open: Open) {
        if let Some(rows) = self.waiting.get_mut(&open) {
            rows.pop_front();
            if rows.is_empty() {
                self.waiting.remove(&open);
            }
        }
    }

    /// Nothing waits: gives back what one long wait took.
    fn reset(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES);
        self.rows.shrink_to(1024);
        self.start = 0;
    }

    /// Bytes that it keeps.
    pub(super) fn held(&self) -> usize {
        // Each hole is once more in `waiting`.
        self.bytes.capacity() + self.rows.capacity() * (size_of::<Row>() + size_of::<u64>())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn open(connection: u64) -> Open {
        Open { connection, direction: Direction::ToServer }
    }

    fn push(hold: &mut Hold, text: &str, hole: Option<(usize, Open)>) {
        let start = hold.buffer().len();
        hold.buffer().extend_from_slice(text.as_bytes());
        hold.push(start, hole);
    }

    fn released(hold: &mut Hold) -> String {
        let mut out = Vec::new();
        hold.release(&mut out, b"?", false);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn rows_leave_in_order_with_their_numbers() {
        let mut hold = Hold::default();
        push(&mut hold, "a<>,", Some((2, open(1))));
        push(&mut hold, "b,", None);
        push(&mut hold, "c<>,", Some((2, open(2))));
        push(&mut hold, "d<>,", Some((2, open(1))));
        assert!(!hold.resolve(open(3), Some(9)));
        assert_eq!(released(&mut hold), "");
        assert!(hold.resolve(open(1), Some(7)));
        assert_eq!(released(&mut hold), "a<7>,b,");
        push(&mut hold, "e<>,", Some((2, open(1))));
        assert!(hold.resolve(open(2), None));
        assert_eq!(released(&mut hold), "c<?>,d<7>,");
        let mut out = Vec::new();
        hold.release(&mut out, b"?", true);
        assert_eq!(out, b"e<?>,");
        assert!(hold.is_empty() && hold.waiting.is_empty());
    }

    #[test]
    fn an_endless_message_is_bounded() {
        let mut hold = Hold::default();
        let mut out = Vec::new();
        for _ in 0..3 * hold.max_rows() {
            push(&mut hold, "row <>\n", Some((5, open(0))));
            push(&mut hold, "other\n", None);
            hold.release(&mut out, b"", false);
            assert!(hold.rows.len() <= 65_536 && hold.waiting[&open(0)].len() <= 65_536);
        }
        assert!(hold.held() < 12 << 20, "{}", hold.held());
        let long = "x".repeat(MAX_BYTES);
        push(&mut hold, &long, Some((0, open(0))));
        hold.release(&mut out, b"", false);
        push(&mut hold, "y", Some((0, open(0))));
        hold.release(&mut out, b"", false);
        assert_eq!(hold.rows.len(), 1);
        assert!(out.ends_with(long.as_bytes()));
    }

    #[derive(Debug, Clone)]
    enum Act {
        Row(Option<u64>),
        Resolve(u64, Option<u64>),
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            proptest::option::of(0..4_u64).prop_map(Act::Row),
            (0..4_u64, proptest::option::of(0..99_u64)).prop_map(|(open, number)| Act::Resolve(open, number)),
        ]
    }

    proptest! {
        /// Against a model that keeps everything until the end.
        #[test]
        fn as_if_all_had_been_known(acts in proptest::collection::vec(act(), 0..100)) {
            let mut hold = Hold::default();
            let mut out = Vec::new();
            let mut model: Vec<(Option<u64>, Option<Option<u64>>)> = Vec::new();
            for act in &acts {
                match *act {
                    Act::Row(hole) => {
                        push(&mut hold, "[]", hole.map(|connection| (1, open(connection))));
                        model.push((hole, None));
                    }
                    Act::Resolve(connection, number) => {
                        hold.resolve(open(connection), number);
                        for row in model.iter_mut().filter(|row| row.0 == Some(connection) && row.1.is_none()) {
                            row.1 = Some(number);
                        }
                    }
                }
                hold.release(&mut out, b"?", false);
                let free = model.iter().take_while(|row| row.0.is_none() || row.1.is_some()).count();
                prop_assert_eq!(hold.rows.len(), model.len() - free);
            }
            hold.release(&mut out, b"?", true);
            let expected: String = model
                .iter()
                .map(|row| match row {
                    (None, _) => "[]".to_owned(),
                    (_, Some(Some(number))) => format!("[{number}]"),
                    _ => "[?]".to_owned(),
                })
                .collect();
            prop_assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}

//! What a format does with the rows of a table.
//!
//! In: rows, typed; the numbers of messages that were not known when their rows came. Out: bytes, in complete rows. Formats
//! are of two kinds: lines of text implement [`LineFormat`] and get the rest from `lines.rs`; others, such as columnar ones,
//! implement [`RowWriter`].

use std::io::{self, Write};

use crate::output::columns::{Cell, Row, Table};

/// Takes the rows of a table and writes them in its format. Rows are counted from 0.
pub(super) trait RowWriter<T: Table> {
    /// Takes a row. One that `waits` lacks the number of a message, or comes after one that does: it becomes
    /// complete by [`Self::complete`]; any other is complete at once. Returns whether there is a block to be written.
    fn row<'a>(&mut self, row: &'a Row<'a, T::Of<'a>>, waits: bool) -> bool;

    /// The message number that the row of that index lacks; without this it stays unknown.
    fn fill(&mut self, row: u64, number: u64);

    /// The first row that waits is complete. Returns whether there is a block to be written.
    fn complete(&mut self) -> bool;

    /// Bytes of the rows that wait, about.
    fn waiting_bytes(&self) -> usize;

    /// Writes the rows that are complete, as far as the format can before the end.
    fn write(&mut self, to: &mut dyn Write) -> io::Result<()>;

    /// All rows are complete: writes them, and what stands at the end of a file.
    fn finish(&mut self, to: &mut dyn Write) -> io::Result<()> {
        self.write(to)
    }

    /// Bytes that it keeps.
    fn held(&self) -> usize;

    /// What makes lines of rows in a worker; `None` for a format that is not lines. [`Self::line`] takes what it makes.
    fn line_maker(&self) -> Option<Box<dyn MakeLine<T>>> {
        None
    }

    /// Takes a row that a worker made; otherwise as [`Self::row`].
    fn line(&mut self, _line: &MadeLine<'_>, _waits: bool) -> bool {
        false
    }
}

/// Makes lines of rows in a worker, all but the first column, the connection's number.
pub(super) trait MakeLine<T: Table>: Send {
    /// Appends a row to `out`; where in `out` the number of its message is missing, if it is.
    fn make<'a>(&mut self, out: &mut Vec<u8>, row: &'a Row<'a, T::Of<'a>>) -> Option<usize>;
}

/// A row that a worker made.
#[derive(Debug, Clone, Copy)]
pub(super) struct MadeLine<'a> {
    /// The connection's number.
    pub(super) connection: u64,
    /// The rest of the row.
    pub(super) rest: &'a [u8],
    /// Where in `rest` the number of its message is missing, if it is.
    pub(super) placeholder: Option<usize>,
}

/// A format whose rows are lines of text.
pub(crate) trait LineFormat: Default + Send + 'static {
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

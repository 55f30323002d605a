//! What a table is: rows, and columns that fill their cells.

use super::{Cell, Context, Payload};
use crate::event::{Identity, What};
use crate::output::list::EventKinds;
use crate::types::{Direction, Endpoint};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// A whole number from 0 to 2^64 - 1.
    Integer,
    /// One of a few words of ours.
    Word,
    /// Text from the wire.
    Text,
    /// A time.
    Time,
    /// An IPv4 or IPv6 address.
    Address,
    /// Bytes in hexadecimal.
    Hex,
    /// A list of words or texts.
    List,
    /// Bytes.
    Bytes,
}

impl Kind {
    /// Its name in `docs/tables.md`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Word => "word",
            Self::Text => "text",
            Self::Time => "time",
            Self::Address => "address",
            Self::Hex => "hex",
            Self::List => "list",
            Self::Bytes => "bytes",
        }
    }
}

/// When a column is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Always.
    Always,
    /// Unless the full payload is.
    Preview,
    /// With the full payload.
    Full,
}

impl Shown {
    /// Whether it is there with that much payload.
    #[must_use]
    pub const fn with(self, payload: Payload) -> bool {
        match self {
            Self::Always => true,
            Self::Preview => !matches!(payload, Payload::Full),
            Self::Full => matches!(payload, Payload::Full),
        }
    }
}

/// What one row shows, whatever its table.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a, T> {
    /// What all rows have in common.
    pub context: &'a Context,
    /// The connection that it is about.
    pub connection: &'a Identity,
    /// The direction that it is about; `None` where it is about both.
    pub direction: Option<Direction>,
    /// The frame, message, finding, or summary of the connection.
    pub what: &'a T,
}

/// A table: what a row of it is made from, and its columns in order.
pub trait Table: Sized + 'static {
    /// What a row of it is about.
    type Of<'a>: 'a;
    /// `frames`
    const NAME: &'static str;
    /// What a row is, in a sentence.
    const DOC: &'static str;
    /// Its columns, in order.
    const COLUMNS: &'static [Column<Self>];
    /// The events that are rows of it.
    const EVENTS: EventKinds;
    /// Whether a row may come before the number of its message is known ([`Cell::Pending`]).
    const WAITS: bool = false;
    /// Whether a worker can make its rows: the connection's number, in the first column, is all that they show of the whole
    /// input.
    const IN_WORKERS: bool = true;

    /// What a row is about, where the event is one.
    fn of<'a, 'e: 'a>(what: &What<'e>) -> Option<&'a Self::Of<'a>>;

    /// The direction of the message whose number the row lacks; `None` where it lacks none.
    fn open_message(_row: &Row<'_, Self::Of<'_>>) -> Option<Direction> {
        None
    }

    /// A number that is the same for rows whose values are the same in all columns of [`CacheKey::Kind`].
    fn kind(_row: &Row<'_, Self::Of<'_>>) -> u16 {
        0
    }
}

/// Which rows have the same value in a column, so that a format may format it once for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheKey {
    /// None need have.
    None,
    /// Those of the same connection and direction.
    Direction,
    /// Those of the same [`Table::kind`].
    Kind,
}

/// One column of a table.
pub struct Column<T: Table> {
    /// As in the header row and as a key.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// When it is there.
    pub shown: Shown,
    /// Which rows have the same value in it.
    pub cache_key: CacheKey,
    /// What it means, in a line.
    pub doc: &'static str,
    /// How to fill it.
    pub fill: Fill<T>,
}

/// How a column is filled: its value in a row.
pub enum Fill<T: Table> {
    /// A number, or nothing. Most columns are numbers: they need no [`Cell`].
    Number(for<'a> fn(&'a Row<'a, T::Of<'a>>) -> Option<u64>),
    /// Anything.
    Cell(for<'a> fn(&'a Row<'a, T::Of<'a>>) -> Cell<'a>),
}

impl<T: Table> Column<T> {
    pub(super) const fn new(
        name: &'static str,
        kind: Kind,
        fill: for<'a> fn(&'a Row<'a, T::Of<'a>>) -> Cell<'a>,
        doc: &'static str,
    ) -> Self {
        Self { name, kind, shown: Shown::Always, cache_key: CacheKey::None, doc, fill: Fill::Cell(fill) }
    }

    pub(super) const fn number(
        name: &'static str,
        fill: for<'a> fn(&'a Row<'a, T::Of<'a>>) -> Option<u64>,
        doc: &'static str,
    ) -> Self {
        Self {
            name,
            kind: Kind::Integer,
            shown: Shown::Always,
            cache_key: CacheKey::None,
            doc,
            fill: Fill::Number(fill),
        }
    }

    /// Its value in a row.
    pub fn cell<'a>(&self, row: &'a Row<'a, T::Of<'a>>) -> Cell<'a> {
        match self.fill {
            Fill::Number(fill) => Cell::number(fill(row)),
            Fill::Cell(fill) => fill(row),
        }
    }

    pub(super) const fn same_for(mut self, key: CacheKey) -> Self {
        self.cache_key = key;
        self
    }

    pub(super) const fn shown(mut self, shown: Shown) -> Self {
        self.shown = shown;
        self
    }
}

/// Columns that tables have in common.
impl<T: Table> Column<T> {
    pub(super) const fn connection() -> Self {
        let doc = "The connection's number, from 0 over the input.";
        Self::number("connection", |row| Some(row.connection.number), doc).same_for(CacheKey::Direction)
    }

    pub(super) const fn uid() -> Self {
        let doc = "The connection's name, 32 digits: the same however the capture is read.";
        Self::new("uid", Kind::Hex, |row| Cell::Uid(row.connection.uid), doc).same_for(CacheKey::Direction)
    }

    pub(super) const fn capture() -> Self {
        let doc = "The label given with `--capture`.";
        Self::new("capture", Kind::Text, |row| Cell::label(row.context), doc).same_for(CacheKey::Direction)
    }

    pub(super) const fn direction() -> Self {
        Self::new("direction", Kind::Word, |row| Cell::direction(row.direction), "`c2s` or `s2c`.")
            .same_for(CacheKey::Direction)
    }
}

impl<T: Table> core::fmt::Debug for Column<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Column").field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// The columns of a table that are there with that much payload, in order.
pub fn columns<T: Table>(payload: Payload) -> impl Iterator<Item = &'static Column<T>> {
    T::COLUMNS.iter().filter(move |column| column.shown.with(payload))
}

/// Takes the cells of a row, in the order of the columns. Each sink's loop over them is compiled for itself: a cell is
/// neither boxed nor copied on its way.
pub trait CellSink {
    /// Takes the cell of the column at that place.
    fn cell(&mut self, place: usize, cell: &Cell<'_>);

    /// Takes a number, or `None` where there is none. Most cells are numbers.
    #[inline]
    fn number(&mut self, place: usize, number: Option<u64>) {
        self.cell(place, &Cell::number(number));
    }
}

/// Pushes the cells of a row into `sink`: those of `columns`, the first of which is at place `first`.
#[inline]
pub fn push_cells<'a, T: Table>(
    columns: &[&Column<T>],
    first: usize,
    row: &'a Row<'a, T::Of<'a>>,
    sink: &mut impl CellSink,
) {
    for (place, column) in (first..).zip(columns) {
        match column.fill {
            Fill::Number(fill) => sink.number(place, fill(row)),
            Fill::Cell(fill) => sink.cell(place, &fill(row)),
        }
    }
}

/// Sender and receiver in `direction`.
pub(super) const fn ends(connection: &Identity, direction: Direction) -> (Endpoint, Endpoint) {
    match direction {
        Direction::ToServer => (connection.client, connection.server),
        Direction::ToClient => (connection.server, connection.client),
    }
}

//! Every column of every table, once: its name, what it holds, how to fill it.
//!
//! In: rows, which are views of an event and copy nothing. Out: [`Cell`]s, typed and unformatted. All formats write these
//! columns and `docs/tables.md` lists them, so none can differ from another. Columns are only ever appended.

mod connections;
mod findings;
mod frames;
mod messages;

use std::borrow::Cow;
use std::net::IpAddr;

pub(super) use connections::handshake_us;
pub use connections::{ConnectionRow, Connections};
pub use findings::{FindingRow, Findings};
pub use frames::{FrameRow, Frames};
pub use messages::{MessageRow, Messages};

use super::redact::Secrets;
use crate::event::{Identity, Uid};
use crate::types::{Direction, FindingSet, Timestamp};

/// How many bytes of payload a preview shows.
pub const PREVIEW_BYTES: usize = 64;

/// How much payload goes into tables (`--payload`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Payload {
    /// None: the column `preview` is empty.
    None,
    /// The first [`PREVIEW_BYTES`] bytes, escaped.
    #[default]
    Preview,
    /// All that is known, in the columns `text` and `data` instead of `preview`. Not for CSV.
    Full,
}

/// What all rows of a run share.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Context {
    /// The name of this input (`--capture`), empty without one.
    pub capture: String,
    /// Whether secrets are shown.
    pub secrets: Secrets,
    /// How much payload is shown.
    pub payload: Payload,
}

/// One value, not yet formatted.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell<'a> {
    /// Not known, or there is none.
    Null,
    /// The number of a message that is not complete yet; filled in later.
    Pending,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    U64(u64),
    /// A word of ours: no format needs to quote or escape it.
    Name(&'static str),
    /// Text from the wire, or that quotes it: hostile, and not always UTF-8.
    Text(Cow<'a, [u8]>),
    /// A time.
    Time(Timestamp),
    /// An address.
    Ip(IpAddr),
    /// A connection's name.
    Uid(Uid),
    /// Four bytes, such as a masking key.
    Key([u8; 4]),
    /// Codes of findings.
    Codes(FindingSet),
    /// Texts from the wire; as sub-protocols, where these are to be redacted.
    Texts(&'a [String], Secrets),
    /// The beginning of a payload; whether there is more of it than these bytes.
    Preview(&'a [u8], bool),
    /// Bytes.
    Data(&'a [u8]),
}

impl<'a> Cell<'a> {
    /// A number, or nothing.
    fn number(value: Option<u64>) -> Self {
        value.map_or(Cell::Null, Cell::U64)
    }

    /// A word of ours, or nothing.
    fn name(value: Option<&'static str>) -> Self {
        value.map_or(Cell::Null, Cell::Name)
    }

    /// A time, or nothing.
    fn time(value: Option<Timestamp>) -> Self {
        value.map_or(Cell::Null, Cell::Time)
    }

    /// Text that is shown as it is.
    fn text(value: Option<&'a str>) -> Self {
        value.map_or(Cell::Null, |text| Cell::Text(Cow::Borrowed(text.as_bytes())))
    }

    /// Text of which secrets may have been taken.
    fn safe(value: Option<Cow<'a, str>>) -> Self {
        match value {
            None => Cell::Null,
            Some(Cow::Borrowed(text)) => Cell::Text(Cow::Borrowed(text.as_bytes())),
            Some(Cow::Owned(text)) => Cell::Text(Cow::Owned(text.into_bytes())),
        }
    }

    /// The label of the capture, where it has one.
    fn label(context: &'a Context) -> Self {
        Self::text(Some(context.capture.as_str()).filter(|label| !label.is_empty()))
    }

    fn direction(direction: Option<Direction>) -> Self {
        Self::name(direction.map(Direction::as_str))
    }
}

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
    /// What all rows share.
    pub context: &'a Context,
    /// Whose it is.
    pub connection: &'a Identity,
    /// Which way it went; `None` where it is about both.
    pub direction: Option<Direction>,
    /// The frame, message, finding, or what became of the connection.
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

    /// What the values of columns that are [`Alike::Kind`] depend on.
    fn kind(row: &Row<'_, Self::Of<'_>>) -> u16;
}

/// Which rows of a run have the same value in a column, so that it is formatted once for many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alike {
    /// None need have.
    None,
    /// Those of the same connection and direction.
    Ends,
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
    pub alike: Alike,
    /// What it means, in a line.
    pub doc: &'static str,
    /// How to fill it.
    pub fill: Fill<T>,
}

/// How a column is filled: from a row, its value.
pub enum Fill<T: Table> {
    /// A number, or nothing. Most columns are numbers: they need no [`Cell`].
    Number(for<'a> fn(&'a Row<'a, T::Of<'a>>) -> Option<u64>),
    /// Anything.
    Cell(for<'a> fn(&'a Row<'a, T::Of<'a>>) -> Cell<'a>),
}

impl<T: Table> Column<T> {
    const fn new(
        name: &'static str,
        kind: Kind,
        fill: for<'a> fn(&'a Row<'a, T::Of<'a>>) -> Cell<'a>,
        doc: &'static str,
    ) -> Self {
        Self { name, kind, shown: Shown::Always, alike: Alike::None, doc, fill: Fill::Cell(fill) }
    }

    const fn number(
        name: &'static str,
        fill: for<'a> fn(&'a Row<'a, T::Of<'a>>) -> Option<u64>,
        doc: &'static str,
    ) -> Self {
        Self { name, kind: Kind::Integer, shown: Shown::Always, alike: Alike::None, doc, fill: Fill::Number(fill) }
    }

    /// Its value in a row.
    pub fn cell<'a>(&self, row: &'a Row<'a, T::Of<'a>>) -> Cell<'a> {
        match self.fill {
            Fill::Number(fill) => Cell::number(fill(row)),
            Fill::Cell(fill) => fill(row),
        }
    }

    const fn alike(mut self, alike: Alike) -> Self {
        self.alike = alike;
        self
    }

    const fn shown(mut self, shown: Shown) -> Self {
        self.shown = shown;
        self
    }
}

/// Those that tables have in common.
impl<T: Table> Column<T> {
    const fn connection() -> Self {
        let doc = "The connection's number, from 0 over the input.";
        Self::number("connection", |row| Some(row.connection.number), doc).alike(Alike::Ends)
    }

    const fn uid() -> Self {
        let doc = "The connection's name, 32 digits: the same however the capture is read.";
        Self::new("uid", Kind::Hex, |row| Cell::Uid(row.connection.uid), doc).alike(Alike::Ends)
    }

    const fn capture() -> Self {
        let doc = "The label given with `--capture`.";
        Self::new("capture", Kind::Text, |row| Cell::label(row.context), doc).alike(Alike::Ends)
    }

    const fn direction() -> Self {
        Self::new("direction", Kind::Word, |row| Cell::direction(row.direction), "`c2s` or `s2c`.").alike(Alike::Ends)
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

/// Sender and receiver in `direction`.
const fn ends(connection: &Identity, direction: Direction) -> (crate::types::Endpoint, crate::types::Endpoint) {
    match direction {
        Direction::ToServer => (connection.client, connection.server),
        Direction::ToClient => (connection.server, connection.client),
    }
}

#[cfg(test)]
mod tests;

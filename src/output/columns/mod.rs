//! Every column of every table, once: its name, what it holds, how to fill it.
//!
//! In: rows, which are views of an event and copy nothing. Out: [`Cell`]s, typed and unformatted, pushed into a
//! [`CellSink`]. All formats write these columns and `docs/tables.md` lists them, so none can differ from another. Columns
//! are only ever appended.

// What columns are made of.
mod cell;
mod column;
// The tables.
mod connections;
mod findings;
mod frames;
mod messages;

pub use cell::{Cell, Context, PREVIEW_BYTES, Payload, TextList};
pub use column::{CacheKey, CellSink, Column, Fill, Kind, Row, Shown, Table, columns, push_cells};
pub use connections::{ConnectionRow, Connections};
pub use findings::{FindingRow, Findings};
pub use frames::{FrameRow, Frames};
pub use messages::{MessageRow, Messages};

pub(super) use connections::handshake_us;

#[cfg(test)]
mod tests;

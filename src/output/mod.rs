//! Sinks that write: what the analyzer says, for people and for programs.
//!
//! In: [`Event`](crate::event::Event)s, and the [`Totals`](crate::event::Totals) at the end. Out: bytes, to anything that
//! implements [`Write`](std::io::Write). A sink keeps nothing of an event but what its format needs to keep, and answers
//! an [`io::Error`](std::io::Error) only when its bytes could not be written; what a closed pipe or a full disk means is
//! the command's business, and so are files, terminals and colours.
//!
//! - [`tables::Tables`]: `connections`, `frames`, `messages`, `findings`, as CSV or NDJSON. Their columns are in
//!   [`columns`], once for all formats.
//! - [`text::TextReport`]: reports for people; [`json::JsonReport`]: the same for programs, a line a connection.
//! - [`follow::Follow`]: messages as a conversation.
//!
//! Everything that comes from the wire is hostile. It leaves through [`escape`] and, where it may be a secret, through
//! [`redact`] first.
//!
//! ```
//! use wslens::output::{Context, Format, TableName, Tables};
//!
//! let tables = Tables::new(Context { capture: "sensor-1".into(), ..Context::default() })
//!     .with(TableName::Frames, Format::Csv, Box::new(std::io::sink()));
//! # drop(tables);
//! ```

// What is shown, and how it is made safe.
pub mod columns;
pub mod community_id;
pub mod escape;
pub mod redact;
// Tables.
mod csv;
mod hold;
mod ndjson;
mod plain;
mod shared;
pub mod table;
pub mod tables;
// Reports.
pub mod follow;
pub mod json;
pub mod text;

#[cfg(test)]
mod fixtures;

pub use columns::{Column, Context, PREVIEW_BYTES, Payload, Table};
pub use community_id::community_id;
pub use follow::{Follow, Only};
pub use json::JsonReport;
pub use redact::Secrets;
pub use table::{Format, TableWriter};
pub use tables::{TableName, Tables, TablesBatch, TablesShard};
pub use text::{Order, Overview, Style, TextReport};

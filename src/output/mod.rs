//! Outputs: what the analysis finds, written for people and for programs.
//!
//! In: [`Event`](crate::event::Event)s, and the [`Totals`](crate::event::Totals) at the end. Out: bytes, to anything that
//! implements [`Write`](std::io::Write). Each implements [`Output`], and [`Outputs`] is a list of them that the analysis
//! takes as its sink. An output keeps nothing of an event but what its format needs, and its only error is an
//! [`io::Error`](std::io::Error) of writing. What a closed pipe or a full disk means is left to the command, and so are
//! files, terminals and colours.
//!
//! - [`table`]: `connections`, `frames`, `messages`, `findings`, as CSV or NDJSON. Their columns are in [`columns`], once for
//!   all formats.
//! - [`text::TextReport`]: reports for people; [`json::JsonReport`]: the same for programs, a line a connection.
//! - [`follow::Follow`]: messages as a conversation.
//! - [`severity::WorstSeverity`]: the worst severity among the findings.
//!
//! Everything that comes from the wire is hostile. It is written through [`escape`] and, where it may be a secret, through
//! [`redact`] before that.
//!
//! ```
//! use wslens::output::{Format, Outputs, TableName, TableOptions};
//!
//! let mut outputs = Outputs::new();
//! outputs.push(TableName::Frames.output(Format::Csv, &TableOptions::default(), std::io::sink()));
//! assert_eq!(outputs.demand().frame_bytes, 68); // A preview of 64 bytes, and a character to see whether it is cut.
//! ```

// What is shown, and how it is made safe.
pub mod columns;
pub mod community_id;
pub mod escape;
pub mod redact;
// What an output is; all of them in a list.
pub mod list;
pub mod spool;
// Tables.
pub mod table;
// Reports.
pub mod follow;
pub mod json;
pub mod text;
// No more than an exit status.
pub mod severity;

#[cfg(test)]
mod fixtures;

pub use columns::{Column, Context, PREVIEW_BYTES, Payload, Table};
pub use community_id::community_id;
pub use follow::Follow;
pub use json::JsonReport;
pub use list::{EventKinds, Output, Outputs, Selection, Wants};
pub use redact::Secrets;
pub use severity::WorstSeverity;
pub use spool::Spool;
pub use table::{Format, TableName, TableOptions, TableWriter};
pub use text::{Order, Overview, Style, TextReport};

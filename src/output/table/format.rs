//! The formats of tables, in a list. To add one: its file, and a line in each function here.

use super::csv::Csv;
use super::lines::Lines;
use super::ndjson::Ndjson;
use super::rows::RowWriter;
use crate::output::columns::{Payload, Table};

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values (RFC 4180).
    Csv,
    /// One JSON object a line.
    Ndjson,
}

impl Format {
    /// The format that a file name's ending asks for: `.csv`, `.ndjson`, `.jsonl`.
    #[must_use]
    pub fn from_ending(ending: &str) -> Option<Self> {
        match ending {
            "csv" => Some(Self::Csv),
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            _ => None,
        }
    }

    /// Whether it has a place for the full payload.
    #[must_use]
    pub const fn has_full_payload(self) -> bool {
        match self {
            Self::Csv => false,
            Self::Ndjson => true,
        }
    }

    /// What makes the rows of a table in this format.
    pub(super) fn rows<T: Table>(self, payload: Payload) -> Box<dyn RowWriter<T>> {
        match self {
            Self::Csv => Box::new(Lines::<T, Csv>::new(payload)),
            Self::Ndjson => Box::new(Lines::<T, Ndjson>::new(payload)),
        }
    }
}

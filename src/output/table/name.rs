//! The tables, in a list.

use std::io::Write;

use super::format::Format;
use super::writer::{TableOptions, TableWriter};
use crate::output::columns::{Connections, Findings, Frames, Messages, Table};
use crate::output::list::Output;

/// Which table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableName {
    /// One row per connection.
    Connections,
    /// One row per frame.
    Frames,
    /// One row per message.
    Messages,
    /// One row per finding.
    Findings,
}

impl TableName {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Connections, Self::Frames, Self::Messages, Self::Findings];

    /// `connections`, `frames`, `messages` or `findings`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connections => Connections::NAME,
            Self::Frames => Frames::NAME,
            Self::Messages => Messages::NAME,
            Self::Findings => Findings::NAME,
        }
    }

    /// The table as an output that is written to `to`, which needs no buffer of its own.
    #[must_use]
    pub fn output<'w>(self, format: Format, options: &TableOptions, to: impl Write + 'w) -> Box<dyn Output + 'w> {
        match self {
            Self::Connections => Box::new(TableWriter::<Connections, _>::new(format, options, to)),
            Self::Frames => Box::new(TableWriter::<Frames, _>::new(format, options, to)),
            Self::Messages => Box::new(TableWriter::<Messages, _>::new(format, options, to)),
            Self::Findings => Box::new(TableWriter::<Findings, _>::new(format, options, to)),
        }
    }
}

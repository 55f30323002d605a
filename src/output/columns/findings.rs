//! The table `findings`: one row per finding.

use std::borrow::Cow;

use super::{Cell, Column, Kind, Row, Table};
use crate::event::What;
use crate::output::list::EventKinds;
use crate::types::{Detail, Direction, Finding};

/// One row per finding.
#[derive(Debug)]
pub struct Findings;

/// What a row of [`Findings`] shows.
pub type FindingRow<'a> = Row<'a, Finding>;

impl<'a> FindingRow<'a> {
    /// The number of its message, which may come later: that of the next message of its direction.
    fn message(&self) -> Cell<'a> {
        match (self.what.message, Findings::open_message(self)) {
            (Some(number), _) => Cell::U64(number),
            (None, Some(_)) => Cell::Pending,
            (None, None) => Cell::Null,
        }
    }

    /// The particulars; those made for one finding may quote the wire.
    fn detail(&self) -> Cell<'a> {
        match &self.what.detail {
            Detail::None => Cell::Null,
            Detail::Fixed(text) => Cell::text(Some(text)),
            Detail::Text(text) => Cell::safe(Some(self.context.secrets.sentence(text))),
            numbers => Cell::Text(Cow::Owned(numbers.to_string().into_bytes())),
        }
    }
}

impl Table for Findings {
    type Of<'a> = Finding;
    const NAME: &'static str = "findings";
    const DOC: &'static str = "One row per finding, right before the row of the frame or message that shows it would stand. `frame` and `packet` are the earliest that show it.";
    const COLUMNS: &'static [Column<Self>] = &[
        Column::connection(),
        Column::uid(),
        Column::capture(),
        Column::<Self>::new("time", Kind::Time, |row| Cell::Time(row.what.seen.at), "The time of the packet."),
        Column::<Self>::number("packet", |row| Some(row.what.seen.packet), "The earliest packet that shows it."),
        Column::<Self>::new(
            "direction",
            Kind::Word,
            |row| Cell::direction(row.what.direction),
            "`c2s` or `s2c`; empty where it is about both.",
        ),
        Column::<Self>::number(
            "frame",
            |row| row.what.frame,
            "The earliest frame that shows it; empty where it is about no frame.",
        ),
        Column::<Self>::new(
            "message",
            Kind::Integer,
            |row| row.message(),
            "The message that shows it; empty where it is about none.",
        ),
        Column::<Self>::new(
            "severity",
            Kind::Word,
            |row| Cell::Name(row.what.code.severity().as_str()),
            "`note`, `warning` or `error`.",
        ),
        Column::<Self>::new(
            "code",
            Kind::Word,
            |row| Cell::Name(row.what.code.as_str()),
            "The finding: see `docs/findings.md`.",
        ),
        Column::<Self>::new("detail", Kind::Text, |row| row.detail(), "The particulars."),
        Column::<Self>::new(
            "reference",
            Kind::Word,
            |row| Cell::Name(row.what.code.reference()),
            "The clause of an RFC.",
        ),
    ];

    const EVENTS: EventKinds = EventKinds::FINDING;
    const WAITS: bool = true;

    fn of<'a, 'e: 'a>(what: &What<'e>) -> Option<&'a Finding> {
        if let What::Finding(finding) = what { Some(finding) } else { None }
    }

    fn open_message(row: &FindingRow<'_>) -> Option<Direction> {
        row.what.direction.filter(|_| row.what.in_message && row.what.message.is_none())
    }
}

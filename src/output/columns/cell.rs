//! One value of a row, typed and not yet formatted; and what decides how much it shows.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::event::{Close, Uid};
use crate::output::escape;
use crate::output::redact::Secrets;
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

/// What all rows of a run have in common.
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
    /// Texts from the wire.
    Texts(TextList<'a>),
    /// The beginning of a payload, at most [`PREVIEW_BYTES`]; whether there is more of it.
    Preview(&'a [u8], bool),
    /// Bytes.
    Data(&'a [u8]),
}

impl<'a> Cell<'a> {
    /// A number, or nothing.
    pub(super) fn number(value: Option<u64>) -> Self {
        value.map_or(Cell::Null, Cell::U64)
    }

    /// A word of ours, or nothing.
    pub(super) fn name(value: Option<&'static str>) -> Self {
        value.map_or(Cell::Null, Cell::Name)
    }

    /// A time, or nothing.
    pub(super) fn time(value: Option<Timestamp>) -> Self {
        value.map_or(Cell::Null, Cell::Time)
    }

    /// Text that is shown as it is.
    pub(super) fn text(value: Option<&'a str>) -> Self {
        value.map_or(Cell::Null, |text| Cell::Text(Cow::Borrowed(text.as_bytes())))
    }

    /// Text in which secrets may have been redacted.
    pub(super) fn safe(value: Option<Cow<'a, str>>) -> Self {
        match value {
            None => Cell::Null,
            Some(Cow::Borrowed(text)) => Cell::Text(Cow::Borrowed(text.as_bytes())),
            Some(Cow::Owned(text)) => Cell::Text(Cow::Owned(text.into_bytes())),
        }
    }

    /// The label of the capture, where it has one.
    pub(super) fn label(context: &'a Context) -> Self {
        Self::text(Some(context.capture.as_str()).filter(|label| !label.is_empty()))
    }

    pub(super) fn direction(direction: Option<Direction>) -> Self {
        Self::name(direction.map(Direction::as_str))
    }

    /// The reason of a Close that has a status code; without a code there is none (RFC 6455 §5.5.1).
    pub(super) fn close_reason(close: Option<Close<'a>>) -> Self {
        let close = close.filter(|close| close.code.is_some());
        close.map_or(Cell::Null, |close| Cell::Text(Cow::Borrowed(close.reason)))
    }

    /// The beginning of `bytes`, which are a payload or what is kept of it; `more` where it is longer than these.
    pub(super) fn preview(bytes: &'a [u8], more: bool) -> Self {
        let (head, cut) = escape::preview(bytes, PREVIEW_BYTES, more);
        Self::Preview(head, cut)
    }
}

/// Texts from the wire. Secrets among them are redacted as they are read: no format can see them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextList<'a> {
    texts: &'a [String],
    secrets: Secrets,
}

impl<'a> TextList<'a> {
    /// Names of sub-protocols, in the order in which they were offered. Some clients put a token among them.
    pub(super) const fn subprotocols(texts: &'a [String], secrets: Secrets) -> Self {
        Self { texts, secrets }
    }

    /// Texts that hold no secrets.
    pub(crate) const fn plain(texts: &'a [String]) -> Self {
        Self { texts, secrets: Secrets::Show }
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.texts.is_empty()
    }

    /// The texts, in order.
    pub fn iter(self) -> impl Iterator<Item = Cow<'a, str>> {
        let before = core::iter::once(None).chain(self.texts.iter().map(|text| Some(text.as_str())));
        self.texts.iter().zip(before).map(move |(text, before)| self.secrets.subprotocol(text, before))
    }
}

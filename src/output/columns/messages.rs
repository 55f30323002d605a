//! The table `messages`: one row per message (RFC 6455 §5.4); control frames are messages of one frame.

use super::super::escape;
use super::{CacheKey, Cell, Column, Kind, Payload, Row, Shown, Table};
use crate::event::{Message, What};
use crate::output::list::EventKinds;
use crate::websocket::Opcode;

/// One row per message.
#[derive(Debug)]
pub struct Messages;

/// What a row of [`Messages`] shows.
pub type MessageRow<'a> = Row<'a, Message<'a>>;

impl<'a> MessageRow<'a> {
    /// Whether anything is known of the content; an empty message is.
    fn known(&self) -> bool {
        !self.what.content.is_empty() || self.what.len == Some(0)
    }

    /// The content as text: that of a text message that is UTF-8. Where it was too long to be kept, the end of what was
    /// kept may be in the middle of a character, which is left out then.
    fn text(&self) -> Option<&'a str> {
        let message = self.what;
        if message.opcode != Opcode::TEXT || !self.known() {
            return None;
        }
        escape::utf8(if message.content_whole { message.content } else { escape::without_cut_char(message.content) })
    }

    fn preview(&self) -> Cell<'a> {
        if self.context.payload == Payload::Preview && self.known() {
            Cell::preview(self.what.content, !self.what.content_whole)
        } else {
            Cell::Null
        }
    }

    /// What its sub-protocol's reader reports, which may quote the message.
    fn summary(&self) -> Cell<'a> {
        Cell::safe(self.what.summary.map(|summary| self.context.secrets.sentence(summary)))
    }

    fn data(&self) -> Cell<'a> {
        if self.known() && self.text().is_none() { Cell::Data(self.what.content) } else { Cell::Null }
    }
}

impl Table for Messages {
    type Of<'a> = Message<'a>;
    const NAME: &'static str = "messages";
    const DOC: &'static str = "One row per message, in the order in which messages are complete; control frames are messages of one frame. `(uid, message)` is a key.";
    const COLUMNS: &'static [Column<Self>] = &[
        Column::connection(),
        Column::uid(),
        Column::capture(),
        Column::<Self>::number(
            "message",
            |row| Some(row.what.number),
            "The message's number, from 0 within its connection, both directions together.",
        ),
        Column::<Self>::new(
            "time_first",
            Kind::Time,
            |row| Cell::Time(row.what.first.at),
            "When its first byte was captured.",
        ),
        Column::<Self>::new("time", Kind::Time, |row| Cell::Time(row.what.last.at), "When its last byte was captured."),
        Column::direction(),
        Column::<Self>::new(
            "type",
            Kind::Word,
            |row| Cell::Name(row.what.opcode.name()),
            "`text`, `binary`, `close`, `ping` or `pong`.",
        )
        .same_for(CacheKey::Kind),
        Column::<Self>::number("frames", |row| Some(row.what.frames), "How many frames it has."),
        Column::<Self>::number(
            "wire_len",
            |row| Some(row.what.wire_len),
            "The sum of its frames' payload lengths, in bytes.",
        ),
        Column::<Self>::number(
            "len",
            |row| row.what.len,
            "Its length after inflation, in bytes; empty where it could not be inflated.",
        ),
        Column::<Self>::new(
            "compressed",
            Kind::Boolean,
            |row| Cell::Bool(row.what.compressed),
            "Whether permessage-deflate compressed it (RFC 7692 §6).",
        ),
        Column::<Self>::new(
            "complete",
            Kind::Boolean,
            |row| Cell::Bool(row.what.complete),
            "Whether all of it was captured and decoded, to its last fragment.",
        ),
        Column::<Self>::number(
            "first_packet",
            |row| Some(row.what.first.packet),
            "The packet that carried its first byte.",
        ),
        Column::<Self>::number(
            "last_packet",
            |row| Some(row.what.last.packet),
            "The packet that carried its last byte.",
        ),
        Column::<Self>::number(
            "close_code",
            |row| row.what.close.and_then(|close| close.code).map(u64::from),
            "The status code of a Close (RFC 6455 §7.4); empty without one.",
        ),
        Column::<Self>::new(
            "close_reason",
            Kind::Text,
            |row| Cell::close_reason(row.what.close),
            "The reason of a Close that has a status code.",
        ),
        Column::<Self>::new("subprotocol", Kind::Text, |_| Cell::Null, "The sub-protocol that it was read as."),
        Column::<Self>::new(
            "summary",
            Kind::Text,
            |row| row.summary(),
            "What it means in its sub-protocol, in a line.",
        ),
        Column::<Self>::new(
            "findings",
            Kind::List,
            |row| Cell::Codes(row.what.findings),
            "Findings in it and its frames, by code.",
        ),
        Column::<Self>::new(
            "preview",
            Kind::Text,
            |row| row.preview(),
            "The first 64 bytes of its content after inflation, escaped; `…` where there is more.",
        )
        .shown(Shown::Preview),
        Column::<Self>::new(
            "text",
            Kind::Text,
            |row| Cell::text(row.text()),
            "The content of a text message, where it is UTF-8. Of an incomplete message, the known part.",
        )
        .shown(Shown::Full),
        Column::<Self>::new(
            "data",
            Kind::Bytes,
            |row| row.data(),
            "Any other content after inflation; of a Close its complete body, with the status code.",
        )
        .shown(Shown::Full),
    ];

    const EVENTS: EventKinds = EventKinds::MESSAGE;

    fn of<'a, 'e: 'a>(what: &What<'e>) -> Option<&'a Message<'a>> {
        if let What::Message(message) = what { Some(message) } else { None }
    }

    fn kind(row: &MessageRow<'_>) -> u16 {
        row.what.opcode.bits().into()
    }
}

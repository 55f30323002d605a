//! The table `frames`: one row per WebSocket frame (RFC 6455 §5.2).

use super::super::escape;
use super::column::ends;
use super::{CacheKey, Cell, Column, Kind, Payload, Row, Shown, Table};
use crate::event::{Frame, What};
use crate::output::list::EventKinds;
use crate::types::{Direction, Endpoint};
use crate::websocket::Opcode;

/// One row per WebSocket frame.
#[derive(Debug)]
pub struct Frames;

/// What a row of [`Frames`] shows.
pub type FrameRow<'a> = Row<'a, Frame<'a>>;

impl<'a> FrameRow<'a> {
    fn end(&self, cell: fn(Endpoint) -> Cell<'a>, destination: bool) -> Cell<'a> {
        let Some(direction) = self.direction else { return Cell::Null };
        let (from, to) = ends(self.connection, direction);
        cell(if destination { to } else { from })
    }

    /// The payload as text: that of a text frame that is not compressed and is UTF-8. Where it was too long to be kept, the
    /// end of what was kept may be in the middle of a character, which is left out then.
    fn text(&self) -> Option<&'a str> {
        let text = self.what.header.opcode == Opcode::TEXT && !self.what.header.rsv1;
        if !text || !self.known() {
            return None;
        }
        let cut = self.what.complete && self.more();
        escape::utf8(if cut { escape::without_cut_char(self.what.payload) } else { self.what.payload })
    }

    /// Whether anything is known of the payload; an empty one is.
    const fn known(&self) -> bool {
        !self.what.payload.is_empty() || (self.what.header.payload_len == 0 && self.what.header_is_known())
    }

    const fn more(&self) -> bool {
        (self.what.payload.len() as u64) < self.what.header.payload_len.saturating_sub(self.what.missing)
    }
}

impl Table for Frames {
    type Of<'a> = Frame<'a>;
    const NAME: &'static str = "frames";
    const DOC: &'static str = "One row per WebSocket frame, in the order in which frames are complete; one that the capture ends in is a row too, with the finding `truncated_frame`. `(uid, frame)` is a key.";
    const COLUMNS: &'static [Column<Self>] = &[
        Column::connection(),
        Column::uid(),
        Column::capture(),
        Column::<Self>::number(
            "frame",
            |row| Some(row.what.number),
            "The frame's number, from 0 within its connection, both directions together.",
        ),
        Column::<Self>::new("time", Kind::Time, |row| Cell::Time(row.what.last.at), "When its last byte was captured."),
        Column::direction(),
        Column::<Self>::new(
            "src_ip",
            Kind::Address,
            |row| row.end(|end| Cell::Ip(end.ip), false),
            "The sender's address.",
        )
        .same_for(CacheKey::Direction),
        Column::<Self>::new(
            "src_port",
            Kind::Integer,
            |row| row.end(|end| Cell::U64(end.port.into()), false),
            "The sender's TCP port.",
        )
        .same_for(CacheKey::Direction),
        Column::<Self>::new(
            "dst_ip",
            Kind::Address,
            |row| row.end(|end| Cell::Ip(end.ip), true),
            "The receiver's address.",
        )
        .same_for(CacheKey::Direction),
        Column::<Self>::new(
            "dst_port",
            Kind::Integer,
            |row| row.end(|end| Cell::U64(end.port.into()), true),
            "The receiver's TCP port.",
        )
        .same_for(CacheKey::Direction),
        Column::<Self>::number(
            "opcode",
            |row| Some(row.what.header.opcode.bits().into()),
            "The opcode, 0 to 15 (RFC 6455 §5.2).",
        )
        .same_for(CacheKey::Kind),
        Column::<Self>::new(
            "opcode_name",
            Kind::Word,
            |row| Cell::Name(row.what.header.opcode.name()),
            "`continuation`, `text`, `binary`, `close`, `ping`, `pong`, or `reserved-N`.",
        )
        .same_for(CacheKey::Kind),
        Column::<Self>::new(
            "fin",
            Kind::Boolean,
            |row| Cell::Bool(row.what.header.fin),
            "Whether it is the last fragment of its message.",
        )
        .same_for(CacheKey::Kind),
        Column::<Self>::new(
            "rsv1",
            Kind::Boolean,
            |row| Cell::Bool(row.what.header.rsv1),
            "The first reserved bit; \"compressed\" with permessage-deflate (RFC 7692 §6).",
        )
        .same_for(CacheKey::Kind),
        Column::<Self>::new("rsv2", Kind::Boolean, |row| Cell::Bool(row.what.header.rsv2), "The second reserved bit.")
            .same_for(CacheKey::Kind),
        Column::<Self>::new("rsv3", Kind::Boolean, |row| Cell::Bool(row.what.header.rsv3), "The third reserved bit.")
            .same_for(CacheKey::Kind),
        Column::<Self>::new(
            "masked",
            Kind::Boolean,
            |row| {
                if row.what.mask_is_known() { Cell::Bool(row.what.header.masking_key.is_some()) } else { Cell::Null }
            },
            "Whether the payload is masked (RFC 6455 §5.3).",
        )
        .same_for(CacheKey::Kind),
        Column::<Self>::new(
            "masking_key",
            Kind::Hex,
            |row| row.what.header.masking_key.filter(|_| row.what.header_is_known()).map_or(Cell::Null, Cell::Key),
            "The masking key, 8 digits.",
        ),
        Column::<Self>::number(
            "header_len",
            |row| row.what.mask_is_known().then(|| row.what.header.header_len.into()),
            "Bytes of its header, 2 to 14.",
        ),
        Column::<Self>::number(
            "payload_len",
            |row| row.what.length_is_known().then_some(row.what.header.payload_len),
            "Bytes of its payload, by its header.",
        ),
        Column::<Self>::new(
            "message",
            Kind::Integer,
            |row| row.message(),
            "The number of its message; empty for frames that belong to none.",
        ),
        Column::<Self>::number(
            "fragment",
            |row| row.what.in_message.then_some(row.what.fragment),
            "Its place among the fragments of its message, from 0.",
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
            "stream_offset",
            |row| Some(row.what.stream_offset),
            "Bytes of this direction between the handshake and its header.",
        ),
        Column::<Self>::number(
            "duration_us",
            |row| Some(row.what.last.at.micros_since(row.what.first.at)),
            "From its first byte to its last, in microseconds.",
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
        Column::<Self>::number(
            "ping_rtt_us",
            |row| row.what.ping_rtt_us,
            "Of a Pong that answers a Ping: the time since that Ping, in microseconds.",
        ),
        Column::<Self>::new("findings", Kind::List, |row| Cell::Codes(row.what.findings), "Its findings, by code."),
        Column::<Self>::new(
            "preview",
            Kind::Text,
            |row| row.preview(),
            "The first 64 bytes of its payload, unmasked, as on the wire, escaped; `…` where there is more.",
        )
        .shown(Shown::Preview),
        Column::<Self>::new(
            "text",
            Kind::Text,
            |row| Cell::text(row.text()),
            "The payload of a text frame, where it is UTF-8 and not compressed.",
        )
        .shown(Shown::Full),
        Column::<Self>::new(
            "data",
            Kind::Bytes,
            |row| row.data(),
            "Any other payload, unmasked and as it was on the wire.",
        )
        .shown(Shown::Full),
    ];

    const EVENTS: EventKinds = EventKinds::FRAME;
    const WAITS: bool = true;

    fn of<'a, 'e: 'a>(what: &What<'e>) -> Option<&'a Frame<'a>> {
        if let What::Frame(frame) = what { Some(frame) } else { None }
    }

    fn open_message(row: &FrameRow<'_>) -> Option<Direction> {
        row.direction.filter(|_| row.what.in_message && row.what.message.is_none())
    }

    fn kind(row: &FrameRow<'_>) -> u16 {
        let header = &row.what.header;
        let mask = [row.what.mask_is_known(), header.masking_key.is_some()];
        let flags = [mask[0], mask[1], header.fin, header.rsv1, header.rsv2, header.rsv3];
        flags.into_iter().fold(0, |kind, flag| kind << 1 | u16::from(flag)) << 4 | u16::from(header.opcode.bits())
    }
}

impl<'a> FrameRow<'a> {
    /// The number of its message, which may come later: that of the next message of its direction.
    fn message(&self) -> Cell<'a> {
        match (self.what.message, Frames::open_message(self)) {
            (Some(number), _) => Cell::U64(number),
            (None, Some(_)) => Cell::Pending,
            (None, None) => Cell::Null,
        }
    }

    fn preview(&self) -> Cell<'a> {
        if self.context.payload == Payload::Preview && self.known() {
            Cell::preview(self.what.payload, self.more())
        } else {
            Cell::Null
        }
    }

    fn data(&self) -> Cell<'a> {
        if self.known() && self.text().is_none() { Cell::Data(self.what.payload) } else { Cell::Null }
    }
}

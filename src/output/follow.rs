//! Messages as a conversation: `→` client to server, `←` server to client.
//!
//! In: events as they come. Out: a line when a connection opens, a line a message, a line a finding, a line when the
//! connection is over. Content is escaped and bounded; the table `messages` has all of it. What it writes:
//!
//! ```text
//! 16:19:05.128706  #3 → text        15  {"say":"hello"}
//! 16:19:05.128706  #3 ← binary       3  \0\x01\xff
//! 16:19:05.128706  #3 ← ping         0
//! 16:19:05.128706  #3 → pong         0  (round trip 1.31 ms)
//! 16:19:15.123456  #3 → ! error invalid_utf8  A text message is not UTF-8: at byte 3
//! 16:19:05.128706  #3 → text         ?  (not inflated, 77 B on the wire)
//! 16:19:05.128706  #3 ← close       22  1001 going away "server shutting down"
//! 16:19:05.128706  #3   CLOSED by server, 1001 going away "server shutting down", after 2 min 02 s, clean
//! ```

use std::io::{self, Write};

use super::escape;
use super::list::{EventKinds, Output, Selection, Wants};
use super::redact::Secrets;
use super::text::{Style, Tone, arrow, bytes, close_code_text, explanation, micros, outcome, url, wire};
use crate::event::{Close, Event, Message, Outcome, Totals, What};
use crate::types::{Finding, PacketRef};
use crate::websocket::{Handshake, Opcode};

/// Bytes of a message's content that a line shows by default.
pub const CONTENT_BYTES: usize = 200;

/// Writes conversations.
#[derive(Debug)]
pub struct Follow<W: Write> {
    to: W,
    selection: Selection,
    secrets: Secrets,
    style: Style,
    content_bytes: usize,
    line: String,
}

impl<W: Write> Follow<W> {
    /// Conversations to `to`.
    pub const fn new(to: W, selection: Selection, secrets: Secrets, style: Style) -> Self {
        let content_bytes = CONTENT_BYTES;
        Self { to, selection, secrets, style, content_bytes, line: String::new() }
    }

    /// Shows that many bytes of each message.
    #[must_use]
    pub const fn content_bytes(mut self, bytes: usize) -> Self {
        self.content_bytes = bytes;
        self
    }

    /// `16:19:05.123456  #3 →`
    fn begin(&mut self, event: &Event<'_>, seen: PacketRef) {
        self.line.clear();
        let time = seen.at.to_string();
        self.line += &self.style.paint(Tone::Faint, time.get(11..26).unwrap_or_default());
        self.line += &format!("  #{} ", event.connection.number);
        self.line += event.direction.map_or(" ", arrow);
        self.line.push(' ');
    }

    /// `OPENED ws://host/target  chat.v1  10.0.0.9:51000 → 10.0.0.1:80, 2026-11-22, packet 21`
    fn opened(&mut self, event: &Event<'_>, handshake: &Handshake, head: &str) {
        self.begin(event, event.seen);
        self.line += head;
        let connection = event.connection;
        if let Some(request) = &handshake.request {
            let url = url(connection, request, self.secrets);
            self.line += &format!(" {}", self.style.paint(Tone::Strong, &url));
        }
        if let Some(name) = handshake.response.as_ref().and_then(|response| response.subprotocol.as_ref()) {
            let offered = handshake.request.as_ref().map_or(&[][..], |request| &request.subprotocols);
            self.line += &format!("  {}", wire(self.secrets.chosen(name, offered).as_bytes(), 60));
        }
        let date = event.seen.at.to_string();
        let date = date.get(..10).unwrap_or_default();
        let via = connection.stream_id.map_or_else(String::new, |stream| format!(" via HTTP/2 stream {stream}"));
        self.line +=
            &format!("  {} → {}{via}, {date}, packet {}", connection.client, connection.server, event.seen.packet);
    }

    fn refused(&mut self, event: &Event<'_>, handshake: &Handshake) {
        let answer = handshake.response.as_ref().map_or_else(
            || handshake.instead().to_owned(),
            |response| format!("{} {}", response.status, wire(response.reason.as_bytes(), 60)),
        );
        let head = self.style.paint(Tone::Bad, &format!("REFUSED {}", answer.trim_end())).into_owned();
        self.opened(event, handshake, &head);
    }

    fn message(&mut self, event: &Event<'_>, message: &Message<'_>) {
        self.begin(event, message.last);
        let len = message.len.map_or_else(|| "?".to_owned(), |len| len.to_string());
        let mut parts = vec![format!("{:6} {len:>7}", message.opcode)];
        parts.push(match message.close {
            Some(close) if message.opcode == Opcode::CLOSE => close_text(close),
            _ => self.content(message),
        });
        if let Some(us) = message.ping_rtt_us {
            parts.push(self.style.paint(Tone::Faint, &format!("(round trip {})", micros(us))).into_owned());
        }
        if message.len.is_none() {
            let why = format!("(not inflated, {} on the wire)", bytes(message.wire_len));
            parts.push(self.style.paint(Tone::Doubtful, &why).into_owned());
        } else if !message.complete {
            parts.push(self.style.paint(Tone::Doubtful, "(incomplete)").into_owned());
        }
        parts.retain(|part| !part.is_empty());
        self.line += &parts.join("  ");
    }

    /// The beginning of the content, within the bound.
    fn content(&self, message: &Message<'_>) -> String {
        let more = !message.content_whole && !message.content.is_empty();
        let (head, cut) = escape::preview(message.content, self.content_bytes, more);
        let mut text = escape::terminal(head).into_owned();
        if cut {
            text.push('…');
        }
        text
    }

    fn finding(&mut self, event: &Event<'_>, finding: &Finding) {
        self.begin(event, finding.seen);
        let severity = finding.code.severity();
        let text = format!("! {severity} {}", finding.code);
        self.line += &self.style.paint(Tone::from(severity), &text);
        self.line += &format!("  {}", explanation(finding, self.secrets));
    }
}

/// `1001 going away "bye"`
fn close_text(close: Close<'_>) -> String {
    let code = close.code.map_or_else(|| "without status code".to_owned(), close_code_text);
    if close.reason.is_empty() { code } else { format!("{code} \"{}\"", wire(close.reason, 123)) }
}

/// A character beyond what is shown, so that a cut shows.
const NEXT_CHAR: u64 = 4;

impl<W: Write> Output for Follow<W> {
    fn wants(&self) -> Wants {
        let ends = EventKinds::UPGRADED.and(EventKinds::REFUSED).and(EventKinds::CLOSED);
        Wants {
            connections: self.selection.clone(),
            content_bytes: (self.content_bytes as u64).saturating_add(NEXT_CHAR),
            ..Wants::events(ends.and(EventKinds::MESSAGE).and(EventKinds::FINDING))
        }
    }

    fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        match event.what {
            What::Upgraded(handshake) => {
                let head = self.style.paint(Tone::Good, "OPENED");
                self.opened(event, handshake, &head);
            }
            What::Refused(handshake) => self.refused(event, handshake),
            What::Message(message) => self.message(event, message),
            What::Finding(finding) => self.finding(event, finding),
            // Its line is that of the refusal.
            What::Closed(summary) if summary.outcome == Outcome::Rejected => return Ok(()),
            What::Closed(summary) => {
                self.begin(&Event { direction: None, ..*event }, event.seen);
                self.line += &outcome(event.connection, summary, self.style);
            }
            What::Frame(_) | What::Packet => return Ok(()),
        }
        self.line.push('\n');
        self.to.write_all(self.line.as_bytes())
    }

    fn finish(&mut self, _: &Totals) -> io::Result<()> {
        self.to.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests;

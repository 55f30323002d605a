//! Messages as a conversation: `→` client to server, `←` server to client.
//!
//! In: events as they come. Out: a line when a connection opens, a line a message, a line a finding, a line when it is
//! over. Content is escaped and bounded; the table `messages` has all of it.

use std::io::{self, Write};

use super::escape;
use super::redact::Secrets;
use super::text::{Style, Tone, arrow, bytes, close_code_text, explanation, micros, outcome, url, wire};
use crate::event::{Close, Event, Identity, Keep, Kept, Message, Numbers, Outcome, ParallelSink, Sink, What};
use crate::types::{Finding, PacketRef};
use crate::websocket::{Handshake, Opcode};

/// Bytes of a message's content that a line shows unless told otherwise.
pub const CONTENT_BYTES: usize = 200;

/// Which connection to follow (`--follow=ID`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Only {
    /// All of them.
    #[default]
    All,
    /// The one of that number.
    Number(u64),
    /// Those whose uid begins with these digits.
    Uid(String),
}

impl Only {
    /// What was typed: a connection's number, or at least four digits from the beginning of a uid. Digits alone are a
    /// number unless they are too many.
    #[must_use]
    pub fn parse(id: &str) -> Option<Self> {
        let number = id.strip_prefix('#').unwrap_or(id);
        if let Ok(number) = number.parse() {
            return Some(Self::Number(number));
        }
        let digits = (4..=32).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        digits.then(|| Self::Uid(id.to_ascii_lowercase()))
    }

    fn takes(&self, connection: &Identity) -> bool {
        match self {
            Self::All => true,
            Self::Number(number) => connection.number == *number,
            Self::Uid(prefix) => connection.uid.to_string().starts_with(prefix),
        }
    }
}

/// Writes conversations.
#[derive(Debug)]
pub struct Follow<W: Write> {
    to: W,
    only: Only,
    secrets: Secrets,
    style: Style,
    content_bytes: usize,
    line: String,
}

impl<W: Write> Follow<W> {
    /// Conversations to `to`.
    pub const fn new(to: W, only: Only, secrets: Secrets, style: Style) -> Self {
        let content_bytes = CONTENT_BYTES;
        Self { to, only, secrets, style, content_bytes, line: String::new() }
    }

    /// Shows that many bytes of each message.
    #[must_use]
    pub const fn content_bytes(mut self, bytes: usize) -> Self {
        self.content_bytes = bytes;
        self
    }

    /// Hands on what was written; there is nothing else to do at the end.
    ///
    /// # Errors
    /// What writing fails with.
    pub fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
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

impl<W: Write> Sink for Follow<W> {
    type Error = io::Error;

    fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        if !self.only.takes(event.connection) {
            return Ok(());
        }
        match event.what {
            What::Upgraded(handshake) => {
                let head = self.style.paint(Tone::Good, "OPENED");
                self.opened(event, handshake, &head);
            }
            What::Refused(handshake) => self.refused(event, handshake),
            What::Message(message) => self.message(event, message),
            What::Finding(finding) => self.finding(event, finding),
            What::Frame(_) | What::Packet => return Ok(()),
            // Was told as a refusal.
            What::Closed(summary) if summary.outcome == Outcome::Rejected => return Ok(()),
            What::Closed(summary) => {
                self.begin(&Event { direction: None, ..*event }, event.seen);
                self.line += &outcome(event.connection, summary, self.style);
            }
        }
        self.line.push('\n');
        self.to.write_all(self.line.as_bytes())
    }
}

impl<W: Write> ParallelSink for Follow<W> {
    type Shard = Keep;

    fn shard(&self) -> Keep {
        let only = self.only.clone();
        let may_be = move |connection: &Identity| matches!(only, Only::Number(_)) || only.takes(connection);
        // A character beyond what is shown, so that a cut shows.
        let content_bytes = self.content_bytes.saturating_add(4);
        Keep::new(move |event| !matches!(event.what, What::Frame(_)) && may_be(event.connection), content_bytes)
    }

    fn take(&mut self, batch: &mut Kept, numbers: Numbers) -> io::Result<()> {
        batch.tell(numbers, self)
    }
}

#[cfg(test)]
mod tests;

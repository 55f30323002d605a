//! A copy of an event, which outlives the call that brought it.
//!
//! In: an [`Event`], lent. Out: the same event, lent again, later or on another thread. It costs a copy of all that the event
//! carries, so it is for events that are rare, or rarely wanted.

use super::{Close, Event, Frame, Identity, Message, Summary, What};
use crate::types::{Direction, Finding, PacketRef};
use crate::websocket::Handshake;

/// A copy of an [`Event`].
#[derive(Debug, Clone)]
pub struct Owned {
    /// The packet that makes the event certain.
    pub seen: PacketRef,
    /// The connection that it is about.
    pub connection: Identity,
    /// The direction of the bytes that it is about, where it is about one.
    pub direction: Option<Direction>,
    what: Copied,
}

/// What happened. The bytes that a frame or message borrowed stand beside it.
#[derive(Debug, Clone)]
enum Copied {
    Upgraded(Box<Handshake>),
    Refused(Box<Handshake>),
    Frame(Box<(Frame<'static>, Payload)>),
    Message(Box<(Message<'static>, Payload)>),
    Finding(Box<Finding>),
    Packet,
    Closed(Box<Summary>),
}

/// The bytes that a frame or message borrowed.
#[derive(Debug, Clone)]
struct Payload {
    bytes: Vec<u8>,
    summary: Option<Box<str>>,
    close: Option<(Option<u16>, Vec<u8>)>,
}

/// Bytes that a summary may have on the heap besides its findings and its handshake: its sketches, roughly.
const SUMMARY_BYTES: usize = 4 << 10;

impl Owned {
    /// A copy of `event`, with at most `max_bytes` of a frame's payload or a message's content.
    #[must_use]
    pub fn copy(event: &Event<'_>, max_bytes: usize) -> Self {
        let what = match event.what {
            What::Upgraded(handshake) => Copied::Upgraded(Box::new(handshake.clone())),
            What::Refused(handshake) => Copied::Refused(Box::new(handshake.clone())),
            What::Frame(frame) => {
                let payload = Payload::copy(frame.payload, frame.close, None, max_bytes);
                Copied::Frame(Box::new((Frame { payload: &[], close: None, ..*frame }, payload)))
            }
            What::Message(message) => {
                let content_whole = message.content_whole && message.content.len() <= max_bytes;
                let payload = Payload::copy(message.content, message.close, message.summary, max_bytes);
                let message = Message { content: &[], content_whole, close: None, summary: None, ..*message };
                Copied::Message(Box::new((message, payload)))
            }
            What::Finding(finding) => Copied::Finding(Box::new(finding.clone())),
            What::Packet => Copied::Packet,
            What::Closed(summary) => Copied::Closed(Box::new(summary.clone())),
        };
        Self { seen: event.seen, connection: event.connection.clone(), direction: event.direction, what }
    }

    /// Lends it as the event that it was.
    pub fn lend<T>(&self, to: impl FnOnce(&Event<'_>) -> T) -> T {
        let event = |what| Event { seen: self.seen, connection: &self.connection, direction: self.direction, what };
        match &self.what {
            Copied::Upgraded(handshake) => to(&event(What::Upgraded(handshake))),
            Copied::Refused(handshake) => to(&event(What::Refused(handshake))),
            Copied::Frame(copied) => {
                let (frame, payload) = &**copied;
                to(&event(What::Frame(&Frame { payload: &payload.bytes, close: payload.close(), ..*frame })))
            }
            Copied::Message(copied) => {
                let (message, payload) = &**copied;
                let (close, summary) = (payload.close(), payload.summary.as_deref());
                to(&event(What::Message(&Message { content: &payload.bytes, close, summary, ..*message })))
            }
            Copied::Finding(finding) => to(&event(What::Finding(finding))),
            Copied::Packet => to(&event(What::Packet)),
            Copied::Closed(summary) => to(&event(What::Closed(summary))),
        }
    }

    /// Bytes that it keeps, about.
    #[must_use]
    pub fn held(&self) -> usize {
        let heap = match &self.what {
            Copied::Upgraded(handshake) | Copied::Refused(handshake) => size_of::<Handshake>() + handshake.held(),
            Copied::Frame(copied) => size_of::<Frame<'_>>() + copied.1.bytes.capacity(),
            Copied::Message(copied) => {
                let summary = copied.1.summary.as_ref().map_or(0, |summary| summary.len());
                size_of::<Message<'_>>() + copied.1.bytes.capacity() + summary
            }
            Copied::Packet => 0,
            Copied::Finding(_) => size_of::<Finding>(),
            Copied::Closed(summary) => {
                let findings = summary.findings.capacity() * size_of::<super::FindingCount>();
                size_of::<Summary>() + SUMMARY_BYTES + findings + summary.handshake.held()
            }
        };
        size_of::<Self>() + heap
    }
}

impl Payload {
    fn copy(bytes: &[u8], close: Option<Close<'_>>, summary: Option<&str>, max_bytes: usize) -> Self {
        Self {
            summary: summary.map(Into::into),
            bytes: bytes.get(..max_bytes).unwrap_or(bytes).to_vec(),
            close: close.map(|close| (close.code, close.reason.to_vec())),
        }
    }

    fn close(&self) -> Option<Close<'_>> {
        self.close.as_ref().map(|(code, reason)| Close { code: *code, reason })
    }
}

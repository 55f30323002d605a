//! The meaning of messages: readers of sub-protocols (RFC 6455 §1.9), one for a connection.
//!
//! In: the messages of one WebSocket, both directions, in the order in which they are complete; gaps; the end. Out: a summary
//! of each message and findings, as [`Notes`]. A [`Reader`] knows no frames, packets or other connections; which reader a
//! connection gets is decided by [`Readers`], when it becomes a WebSocket. The layer stands after `event`, since a reader
//! sees a [`Message`] as a sink does.
//!
//! ```
//! use wslens::analyzer::Options;
//! use wslens::event::Message;
//! use wslens::subprotocol::{Notes, Reader};
//! use wslens::types::Direction;
//!
//! /// Says how long each message is.
//! struct Length;
//!
//! impl Reader for Length {
//!     fn message(&mut self, _: Direction, message: &Message<'_>, notes: &mut Notes) {
//!         notes.summarize(format_args!("{} bytes", message.wire_len));
//!     }
//! }
//!
//! let mut options = Options::default();
//! options.readers.add(|handshake| {
//!     let response = handshake.response.as_ref()?;
//!     (response.subprotocol.as_deref() == Some("length")).then(|| Box::new(Length) as Box<dyn Reader>)
//! });
//! ```

use core::fmt::{self, Write};
use std::sync::Arc;

use crate::event::Message;
use crate::types::{Detail, Direction, FindingCode};
use crate::websocket::Handshake;

/// Reads the messages of one connection.
///
/// It sees every message of both directions in the order of their numbers. A message may be incomplete
/// ([`Message::complete`]), and after a gap messages may be missing: a reader goes on as well as it can. However the stream
/// was cut into packets, it sees the same.
pub trait Reader: Send {
    /// Bytes of each message's content that it wants. Only the connections that it reads keep as much.
    fn content_bytes(&self) -> u64 {
        0
    }

    /// Takes the next message. Its content is after inflation, as far as [`Self::content_bytes`] and the limits go.
    fn message(&mut self, direction: Direction, message: &Message<'_>, notes: &mut Notes);

    /// Messages of this direction may be missing here: the capture lacks bytes between two of them, or its beginning.
    fn gap(&mut self, direction: Direction, notes: &mut Notes) {
        _ = (direction, notes);
    }

    /// The connection is over, or the capture is.
    fn end(&mut self, notes: &mut Notes) {
        _ = notes;
    }

    /// Bytes that it keeps besides itself: they count against [`Limits::max_memory_bytes`](crate::types::Limits). Asked after
    /// every message.
    fn held(&self) -> usize {
        0
    }

    /// Memory is spent: frees what it can do without.
    fn shed(&mut self) {}
}

/// A reader's notes on the message, gap or end that it was given.
#[derive(Debug, Default)]
pub struct Notes {
    summary: String,
    has_summary: bool,
    findings: Vec<(FindingCode, Detail)>,
}

impl Notes {
    /// Describes the message in a line: `PUBLISH a/b`. Replaces an earlier description. That of a gap or an end is not shown.
    pub fn summarize(&mut self, text: fmt::Arguments<'_>) {
        self.summary.clear();
        self.has_summary = self.summary.write_fmt(text).is_ok();
    }

    /// Adds a finding about the message, or about the gap or end.
    pub fn find(&mut self, code: FindingCode, detail: Detail) {
        self.findings.push((code, detail));
    }

    /// The description of the message.
    #[must_use]
    pub fn summary(&self) -> Option<&str> {
        self.has_summary.then_some(self.summary.as_str())
    }

    /// The findings so far.
    #[must_use]
    pub fn findings(&self) -> &[(FindingCode, Detail)] {
        &self.findings
    }

    /// Hands the findings on.
    pub(crate) fn take_findings(&mut self) -> impl Iterator<Item = (FindingCode, Detail)> + '_ {
        self.findings.drain(..)
    }

    /// Bytes that its buffers keep.
    pub(crate) const fn held(&self) -> usize {
        self.summary.capacity() + self.findings.capacity() * size_of::<(FindingCode, Detail)>()
    }

    /// Empties it for the next message. Its buffers stay, unless they are large.
    pub(crate) fn clear(&mut self) {
        /// Most summaries are far shorter.
        const MAX_IDLE_BYTES: usize = 4096;
        const MAX_IDLE_FINDINGS: usize = 16;
        self.summary.clear();
        self.summary.shrink_to(MAX_IDLE_BYTES);
        self.has_summary = false;
        self.findings.clear();
        self.findings.shrink_to(MAX_IDLE_FINDINGS);
    }
}

/// Makes a reader for a connection, by its handshake; `None` where it does not know the sub-protocol.
type Factory = dyn Fn(&Handshake) -> Option<Box<dyn Reader>> + Send + Sync;

/// The readers that an analysis has. Each connection that becomes a WebSocket is offered to them in the order in which they
/// were added; the first that makes a [`Reader`] reads it.
#[derive(Clone, Default)]
pub struct Readers(Vec<Arc<Factory>>);

impl Readers {
    /// Adds one.
    pub fn add(&mut self, make: impl Fn(&Handshake) -> Option<Box<dyn Reader>> + Send + Sync + 'static) {
        self.0.push(Arc::new(make));
    }

    /// The reader of a connection with this handshake.
    #[must_use]
    pub fn reader(&self, handshake: &Handshake) -> Option<Box<dyn Reader>> {
        self.0.iter().find_map(|make| make(handshake))
    }
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Readers").field(&self.0.len()).finish()
    }
}

/// Two are equal if they have the very same readers.
impl PartialEq for Readers {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(|(a, b)| Arc::ptr_eq(a, b))
    }
}

impl Eq for Readers {}

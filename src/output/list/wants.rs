//! What an output asks of the analysis: kinds of events, how much content they carry, of which connections.

use super::Selection;
use crate::analyzer::Demand;
use crate::event::{Event, Uid, What};

/// Kinds of [`What`], as a set.
///
/// ```
/// use wslens::output::EventKinds;
///
/// const MINE: EventKinds = EventKinds::MESSAGE.and(EventKinds::CLOSED);
/// # assert_ne!(MINE, EventKinds::NONE);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventKinds(u8);

impl EventKinds {
    /// No event.
    pub const NONE: Self = Self(0);
    /// [`What::Upgraded`].
    pub const UPGRADED: Self = Self(1);
    /// [`What::Refused`].
    pub const REFUSED: Self = Self(1 << 1);
    /// [`What::Frame`].
    pub const FRAME: Self = Self(1 << 2);
    /// [`What::Message`].
    pub const MESSAGE: Self = Self(1 << 3);
    /// [`What::Finding`].
    pub const FINDING: Self = Self(1 << 4);
    /// [`What::Closed`].
    pub const CLOSED: Self = Self(1 << 5);
    /// [`What::Packet`], which [`Output::packet`](super::Output::packet) takes.
    pub const PACKET: Self = Self(1 << 6);

    /// These and those.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of those are among these.
    #[must_use]
    pub const fn includes(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether events of that kind are among them.
    #[inline]
    #[must_use]
    pub const fn has(self, what: &What<'_>) -> bool {
        let kind = match what {
            What::Upgraded(_) => Self::UPGRADED,
            What::Refused(_) => Self::REFUSED,
            What::Frame(_) => Self::FRAME,
            What::Message(_) => Self::MESSAGE,
            What::Finding(_) => Self::FINDING,
            What::Closed(_) => Self::CLOSED,
            What::Packet => Self::PACKET,
        };
        self.0 & kind.0 != 0
    }
}

/// What an [`Output`](super::Output) wants. The default is nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wants {
    /// The kinds of events that it takes.
    pub events: EventKinds,
    /// The connections whose events it takes.
    pub connections: Selection,
    /// Bytes of each message's content that it uses, at most. The analysis keeps no more than some output uses.
    pub content_bytes: u64,
    /// Bytes of each frame's payload that it uses, at most.
    pub frame_bytes: u64,
}

impl Wants {
    /// Events of these kinds, of all connections and without content.
    #[must_use]
    pub fn events(events: EventKinds) -> Self {
        Self { events, ..Self::default() }
    }

    /// With so many bytes of each message's content.
    #[must_use]
    pub const fn with_content(mut self, bytes: u64) -> Self {
        self.content_bytes = bytes;
        self
    }

    /// With so many bytes of each frame's payload.
    #[must_use]
    pub const fn with_payload(mut self, bytes: u64) -> Self {
        self.frame_bytes = bytes;
        self
    }

    /// The content that the analysis has to keep for it.
    #[must_use]
    pub const fn demand(&self) -> Demand {
        let packets = self.events.includes(EventKinds::PACKET);
        Demand { content_bytes: self.content_bytes, frame_bytes: self.frame_bytes, packets }
    }

    /// Whether it wants this event.
    #[inline]
    pub(super) fn takes(&self, event: &Event<'_>) -> bool {
        self.events.has(&event.what) && self.connections.takes(event.connection)
    }

    /// Whether it may want this event, whose connection has the number of one worker, not of the whole input.
    pub(super) fn may_take(&self, event: &Event<'_>) -> bool {
        self.events.has(&event.what) && (self.connections.needs_number() || self.connections.takes(event.connection))
    }

    /// Whether it wants packets of the connection of that number and uid.
    pub(super) fn takes_packets_of(&self, number: u64, uid: Uid) -> bool {
        self.events.includes(EventKinds::PACKET) && self.connections.takes_id(number, uid)
    }

    /// Bytes that it uses of the frame or message that the event carries.
    pub(super) fn bytes_of(&self, what: &What<'_>) -> usize {
        let bytes = match what {
            What::Frame(_) => self.frame_bytes,
            What::Message(_) => self.content_bytes,
            _ => 0,
        };
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }
}

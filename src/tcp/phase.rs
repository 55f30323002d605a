//! The phases of a connection in the table, from its first packet until it is forgotten.
//!
//! ```text
//!            first byte          dropped by the handler           both FINs, RST
//! Opening ───────────────► Live ──────────────────────► Ignored ─────────────────► Ignored, over
//!    │                      │                                                          ▲
//!    └─────────RST──────────┴───────────────────both directions have ended─────────────┘
//! ```
//!
//! In: SYNs, which may begin a new connection in the place of an old one, and late packets. It has no clock and does not
//! call the handler.

use super::connection::Connection;
use super::flow_key::{PerSide, Side};
use super::opening::{Opening, Start};
use crate::net::{Segment, TcpFlags};

/// The phase of one connection.
#[derive(Debug)]
pub(super) enum Phase<S> {
    /// No connection: the slot is free.
    Free,
    /// It has no byte yet.
    Opening(Box<Opening>),
    /// Its bytes are delivered to the handler.
    Live(Box<Connection<S>>),
    /// Nothing more of it is delivered.
    Ignored(Ignored),
}

/// The rest of a connection that is over or was dropped: enough to tell a new one from late packets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ignored {
    /// Its number; `u32::MAX` for those that do not fit.
    number: u32,
    /// The sequence numbers of the first byte or packet of each side.
    starts: PerSide<u32>,
    /// The sides for which `starts` is set.
    known: Sides,
    /// The sides whose FIN was seen.
    fins: Sides,
    /// Whether both directions have ended.
    over: bool,
}

/// Neither side, one, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sides {
    Neither,
    Low,
    High,
    Both,
}

/// How much a connection is worth: those of the first rank are evicted first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rank {
    /// Over: kept to recognize late packets.
    Over,
    /// Dropped by the handler, and not over.
    Dropped,
    /// No byte yet.
    Opening,
    /// Delivered to the handler.
    Live,
    /// The same, and the handler wants it kept through long silence.
    Retained,
}

/// What a SYN is to the connection with the same endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SynRole {
    /// A part of it.
    Existing,
    /// The beginning of a new one.
    New,
    /// The beginning of a new one that Wireshark counts as the old one, whose number this is: it has the same initial
    /// sequence number (a client that tries again after a RST), or its own SYN was not captured.
    Retry(u64),
}

impl<S> Phase<S> {
    /// How much the connection is worth; `None` where there is none.
    pub(super) fn rank(&self) -> Option<Rank> {
        match self {
            Self::Free => None,
            Self::Opening(_) => Some(Rank::Opening),
            Self::Live(connection) if connection.is_retained() => Some(Rank::Retained),
            Self::Live(_) => Some(Rank::Live),
            Self::Ignored(ignored) if ignored.over => Some(Rank::Over),
            Self::Ignored(_) => Some(Rank::Dropped),
        }
    }

    /// What the SYN `segment`, sent by `side`, is to it.
    pub(super) fn syn_role(&self, side: Side, segment: &Segment<'_>) -> SynRole {
        let starts = match self {
            Self::Free => return SynRole::Existing,
            Self::Ignored(ignored) => return ignored.syn_role(side, segment),
            Self::Opening(opening) => &opening.beginning.starts,
            Self::Live(connection) => connection.starts(),
        };
        let other = !segment.flags.ack && starts.get(side).differs_from(segment);
        if other { SynRole::New } else { SynRole::Existing }
    }

    /// The small rest of it, for when nothing more is delivered.
    pub(super) fn ignored(&self, over: bool) -> Option<Ignored> {
        match self {
            Self::Free => None,
            Self::Opening(opening) => Some(Ignored::new(opening.number, over, &opening.beginning.starts)),
            Self::Live(connection) => Some(Ignored::new(connection.number(), over, connection.starts())),
            Self::Ignored(ignored) => Some(Ignored { over, ..*ignored }),
        }
    }

    /// Keeps it through long silence, as the handler wants.
    pub(super) const fn retain(&mut self) {
        if let Self::Live(connection) = self {
            connection.retain();
        }
    }

    /// Both directions have ended.
    pub(super) const fn mark_over(&mut self) {
        if let Self::Ignored(ignored) = self {
            ignored.over = true;
        }
    }
}

impl Ignored {
    fn new(number: u64, over: bool, starts: &PerSide<Start>) -> Self {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        let (known, fins) = (Sides::Neither, Sides::Neither);
        let mut ignored = Self { number, starts: PerSide::default(), known, fins, over };
        for side in [Side::Low, Side::High] {
            if let Some(seq) = starts.get(side).first_seen() {
                ignored.known = ignored.known.and(side);
                *ignored.starts.get_mut(side) = seq;
            }
        }
        ignored
    }

    /// Takes the flags of a packet from `side`. True when it ends the connection; whether a RST is genuine does not matter
    /// here, since a connection that is over is only forgotten sooner.
    pub(super) fn observe(&mut self, side: Side, flags: TcpFlags) -> bool {
        if flags.fin {
            self.fins = self.fins.and(side);
        }
        (flags.rst || self.fins == Sides::Both) && !self.over
    }

    fn syn_role(&self, side: Side, segment: &Segment<'_>) -> SynRole {
        let known = self.known.and(side) == self.known;
        let same = known && *self.starts.get(side) == segment.seq.plus(1).0;
        let retry = if self.number == u32::MAX { SynRole::New } else { SynRole::Retry(self.number.into()) };
        match segment.flags.ack {
            false if !same => SynRole::New,
            false if self.over => retry,
            true if self.over && known && !same => retry,
            _ => SynRole::Existing,
        }
    }
}

impl Sides {
    fn and(self, side: Side) -> Self {
        match (self, side) {
            (Self::Neither | Self::Low, Side::Low) => Self::Low,
            (Self::Neither | Self::High, Side::High) => Self::High,
            _ => Self::Both,
        }
    }
}

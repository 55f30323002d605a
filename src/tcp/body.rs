//! What the table knows of one connection, from its first packet until it is forgotten.
//!
//! ```text
//! Opening --first byte--> Live --dropped--> Ignored, going on --FINs, RST--> Ignored, over
//!    |                      |                                                  ^
//!    +--------RST-----------+--------------both ends---------------------------+
//! ```
//!
//! In: SYNs, which may begin a new connection in the place of an old one, and late packets. No time, no listener.

use super::connection::Connection;
use super::flow::{PerSide, Side};
use super::opening::{Opening, Start};
use crate::net::{Segment, TcpFlags};

/// One connection in the table.
#[derive(Debug)]
pub(super) enum Body<S> {
    /// None: the slot is free.
    Free,
    /// One without bytes.
    Opening(Box<Opening>),
    /// One that has a listener.
    Live(Box<Connection<S>>),
    /// One that nobody listens to any more.
    Ignored(Ignored),
}

/// What remains of a connection that is over or was dropped: enough to know a new one from late packets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ignored {
    /// Its number, as far as it fits.
    number: u32,
    /// The sequence numbers of the first bytes.
    starts: PerSide<u32>,
    /// For whom `starts` says something.
    heard: Sides,
    /// Whose FIN was seen.
    fins: Sides,
    /// Both directions have ended.
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

/// What a connection is worth, from the first to be given up to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rank {
    /// Over: kept to know late packets.
    Over,
    /// Dropped by its listener, and still going on.
    Dropped,
    /// No byte yet.
    Opening,
    /// Listened to.
    Live,
    /// Listened to, and wanted through long silence.
    Cherished,
}

/// What a SYN is to the connection before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Greeting {
    /// A part of it.
    Same,
    /// The beginning of a new one.
    Anew,
    /// The beginning of a new one, which Wireshark counts as the old one: it has the same initial sequence number
    /// (a client that tries again after a RST), or its own SYN was not captured.
    Again(u64),
}

impl<S> Body<S> {
    /// What the connection is worth; nothing, where there is none.
    pub(super) fn rank(&self) -> Option<Rank> {
        match self {
            Self::Free => None,
            Self::Opening(_) => Some(Rank::Opening),
            Self::Live(connection) if connection.is_retained() => Some(Rank::Cherished),
            Self::Live(_) => Some(Rank::Live),
            Self::Ignored(quiet) if quiet.over => Some(Rank::Over),
            Self::Ignored(_) => Some(Rank::Dropped),
        }
    }

    /// What the SYN `segment`, sent by `side`, is to it.
    pub(super) fn greeting(&self, side: Side, segment: &Segment<'_>) -> Greeting {
        let starts = match self {
            Self::Free => return Greeting::Same,
            Self::Ignored(quiet) => return quiet.greeting(side, segment),
            Self::Opening(opening) => &opening.beginning.starts,
            Self::Live(connection) => connection.starts(),
        };
        let refuted = !segment.flags.ack && starts.get(side).is_refuted_by(segment);
        if refuted { Greeting::Anew } else { Greeting::Same }
    }

    /// What remains of it when nobody listens any more.
    pub(super) fn quiet(&self, over: bool) -> Option<Ignored> {
        match self {
            Self::Free => None,
            Self::Opening(opening) => Some(Ignored::new(opening.number, over, &opening.beginning.starts)),
            Self::Live(connection) => Some(Ignored::new(connection.number(), over, connection.starts())),
            Self::Ignored(quiet) => Some(Ignored { over, ..*quiet }),
        }
    }

    /// Grants the listener's wish that it be kept through long silence.
    pub(super) const fn cherish(&mut self) {
        if let Self::Live(connection) = self {
            connection.cherish();
        }
    }

    /// Notes that it is over.
    pub(super) const fn mark_over(&mut self) {
        if let Self::Ignored(quiet) = self {
            quiet.over = true;
        }
    }
}

impl Ignored {
    fn new(number: u64, over: bool, starts: &PerSide<Start>) -> Self {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        let (heard, fins) = (Sides::Neither, Sides::Neither);
        let mut quiet = Self { number, starts: PerSide::default(), heard, fins, over };
        for side in [Side::Low, Side::High] {
            if let Some(seq) = starts.get(side).heard() {
                quiet.heard = quiet.heard.and(side);
                *quiet.starts.get_mut(side) = seq;
            }
        }
        quiet
    }

    /// Sees a packet pass. True when it ends the connection; whether a RST is genuine does not matter here, since a
    /// connection that is over is only forgotten sooner.
    pub(super) fn observe(&mut self, side: Side, flags: TcpFlags) -> bool {
        if flags.fin {
            self.fins = self.fins.and(side);
        }
        (flags.rst || self.fins == Sides::Both) && !self.over
    }

    fn greeting(&self, side: Side, segment: &Segment<'_>) -> Greeting {
        let heard = self.heard.and(side) == self.heard;
        let same = heard && *self.starts.get(side) == segment.seq.plus(1).0;
        let again = if self.number == u32::MAX { Greeting::Anew } else { Greeting::Again(self.number.into()) };
        match segment.flags.ack {
            false if !same => Greeting::Anew,
            false if self.over => again,
            true if self.over && heard && !same => again,
            _ => Greeting::Same,
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

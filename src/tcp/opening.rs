//! A connection before its first byte: who opened it, and where each direction's bytes will begin (RFC 9293 §3.5).
//!
//! In: segments without payload. Out: whether it stays without a byte, is refused, or has come to its first byte. Small,
//! since a scan or a flood leaves a million of these; a connection without a byte is never reported to the handler.

use super::flow_key::{PerSide, Side};
use crate::net::{Segment, SeqNumber};
use crate::types::PacketRef;

/// An acknowledgment may be ahead of the first byte by less than a window; a RST by much less.
const WINDOW: i32 = 1 << 30;
const RST_BEHIND: i32 = 1 << 16;
const RST_AHEAD: i32 = 1 << 20;

/// Where the bytes of one direction begin, as far as that is known.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Start {
    /// The sequence number of the first byte, or of the first packet seen.
    seq: u32,
    /// Whether `seq` is set: the endpoint has sent a packet, or the other one acknowledged it.
    seen: bool,
    /// Whether `seq` is that of the first byte.
    known: bool,
    /// Whether the SYN was captured.
    syn: bool,
}

/// Who opened the connection, and where the bytes of each direction begin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beginning {
    pub(super) starts: PerSide<Start>,
    /// The client's side.
    pub(super) client: Side,
    /// Whether a SYN shows so; otherwise it is a guess.
    pub(super) oriented: bool,
    /// Whether the first packet was the client's SYN, and the client's ACK of the SYN-ACK has not come.
    pub(super) awaits_ack: bool,
}

/// A connection without bytes.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) number: u64,
    pub(super) first: PacketRef,
    pub(super) first_seq: u32,
    /// From the SYN to the client's first ACK, in microseconds.
    pub(super) handshake: Option<u32>,
    pub(super) beginning: Beginning,
}

/// What an opening is after a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OpeningProgress {
    /// Still a connection without a byte.
    NoByte,
    /// It has a byte, its FIN, or an acknowledgment of bytes that the capture lacks.
    FirstByte,
    /// A RST has ended it.
    Refused,
}

impl Start {
    /// The first byte is at `seq`.
    pub(super) const fn at(seq: SeqNumber, syn: bool) -> Self {
        Self { seq: seq.0, seen: true, known: true, syn }
    }

    /// The sequence number of the first byte, where known.
    pub(super) fn first_byte(&self) -> Option<SeqNumber> {
        self.known.then_some(SeqNumber(self.seq))
    }

    /// The sequence number of the first byte or else of the first packet, where any was seen.
    pub(super) fn first_seen(&self) -> Option<u32> {
        self.seen.then_some(self.seq)
    }

    /// Whether the SYN `segment` begins another connection than this. By Wireshark's rule: its initial sequence number
    /// is not the one that was seen or acknowledged.
    pub(super) fn differs_from(&self, segment: &Segment<'_>) -> bool {
        self.seen && self.seq != segment.seq.plus(1).0
    }
}

impl Beginning {
    /// From the first segment. Which side is the client is a guess: the lower port is the server's; of equal ports, that
    /// of the endpoint that sends second.
    pub(super) fn new(side: Side, segment: &Segment<'_>) -> Self {
        let client = if segment.src.port < segment.dst.port { side.other() } else { side };
        let awaits_ack = segment.flags.syn && !segment.flags.ack;
        Self { starts: PerSide::default(), client, oriented: false, awaits_ack }
    }

    /// Learns from a segment sent by `side`. True when it is the client's first ACK after its SYN.
    pub(super) fn observe(&mut self, side: Side, segment: &Segment<'_>) -> bool {
        let (mine, theirs) = self.starts.both_mut(side);
        let seq = first_byte(segment);
        if segment.flags.syn && !mine.syn {
            *mine = Start::at(seq, true);
        } else if !mine.seen {
            *mine = Start { seq: seq.0, seen: true, ..*mine };
        }
        if segment.flags.ack && !theirs.known && (mine.syn || !theirs.seen) {
            *theirs = Start { seq: segment.ack.0, seen: true, known: mine.syn, syn: false };
        }
        let acknowledged = !theirs.syn || segment.ack.distance_from(SeqNumber(theirs.seq)) >= 0;
        if segment.flags.syn && !self.oriented {
            self.oriented = true;
            self.client = if segment.flags.ack { side.other() } else { side };
        }
        let first_ack =
            self.awaits_ack && segment.flags.ack && !segment.flags.syn && acknowledged && side == self.client;
        self.awaits_ack &= !first_ack;
        first_ack
    }
}

impl Opening {
    pub(super) fn new(number: u64, side: Side, segment: &Segment<'_>) -> Self {
        let beginning = Beginning::new(side, segment);
        Self { number, first: segment.seen, first_seq: segment.seq.0, handshake: None, beginning }
    }

    /// Takes a segment from `side`. Of one that is [`OpeningProgress::FirstByte`] only the client's side is learnt: the rest is
    /// the connection's.
    pub(super) fn segment(&mut self, side: Side, segment: &Segment<'_>) -> OpeningProgress {
        if segment.flags.rst {
            return if self.accepts_rst(side, segment) { OpeningProgress::Refused } else { OpeningProgress::NoByte };
        }
        if !segment.payload.is_empty() || segment.cut > 0 || segment.flags.fin || self.lacks_bytes(side, segment) {
            if segment.flags.syn {
                self.beginning.observe(side, segment);
            }
            return OpeningProgress::FirstByte;
        }
        if self.beginning.observe(side, segment) {
            let micros = segment.seen.at.micros_since(self.first.at);
            self.handshake = Some(u32::try_from(micros).unwrap_or(u32::MAX));
        }
        OpeningProgress::NoByte
    }

    /// Whether it acknowledges bytes of which none has come.
    fn lacks_bytes(&self, side: Side, segment: &Segment<'_>) -> bool {
        let theirs = self.beginning.starts.get(side.other());
        let ahead = |first: SeqNumber| (1..=WINDOW).contains(&segment.ack.distance_from(first));
        segment.flags.ack && theirs.first_byte().is_some_and(ahead)
    }

    /// Whether a RST can be genuine: its sequence number is near or, from an endpoint not seen before, "the ACK
    /// field acknowledges the SYN" (RFC 9293 §3.5.3). The first packet of a connection fits.
    fn accepts_rst(&self, side: Side, segment: &Segment<'_>) -> bool {
        let starts = &self.beginning.starts;
        match (starts.get(side).first_byte(), starts.get(side.other()).first_byte()) {
            (Some(mine), _) => (-RST_BEHIND..=RST_AHEAD).contains(&segment.seq.distance_from(mine)),
            (None, Some(theirs)) => segment.flags.ack && segment.ack == theirs,
            (None, None) => true,
        }
    }
}

/// The sequence number of a segment's first byte of payload; a SYN has one of its own before it.
pub(super) fn first_byte(segment: &Segment<'_>) -> SeqNumber {
    segment.seq.plus(u32::from(segment.flags.syn))
}

//! The disorder of one direction: early segments, and how long to wait for the bytes that are missing before them.
//!
//! In: early segments, acknowledgments of bytes that have not come, segments out of any window, time. Out: whether a gap
//! is to be given up, and whether the stream has moved. A receiver acknowledges only what it has, so an acknowledgment
//! past a gap shows that the capture lacks those bytes, or has them later (two interfaces merged into one file). That
//! alone gives nothing up: bytes from beyond the gap must have come too, [`PATIENCE`] packets or some milliseconds must
//! have passed, and the latest acknowledgment must still cover it. Where the other endpoint is not captured at all,
//! silence is enough. Holding too much ends every wait.

use super::budget::{BOX_OVERHEAD, Budget};
use super::held::Held;
use super::sequence::Frontier;
use crate::net::SeqNumber;
use crate::types::{PacketRef, Timestamp};

/// How many packets of the connection may lie between an acknowledgment and the bytes it acknowledges.
const PATIENCE: u32 = 16;

/// A direction that is not acknowledged in the capture moves to where so many segments in a row are, each following the
/// one before.
const STRAY_RUN: u32 = 8;

/// How far an acknowledgment may lag behind the stray segments it confirms.
const STRAY_LAG: i32 = 1 << 20;

/// The disorder of one direction.
#[derive(Debug, Default)]
pub(super) struct OutOfOrder {
    pub(super) held: Held,
    /// Segments that came while bytes before them were missing.
    pub(super) early: u32,
    /// The offset of the sender's FIN.
    pub(super) fin: Option<u64>,
    /// The packet that carried it.
    pub(super) fin_seen: Option<PacketRef>,
    /// When the gap was first noticed.
    since: Timestamp,
    /// Whether the other endpoint has acknowledged anything since then.
    two_sided: bool,
    /// An acknowledgment of bytes in the gap that no later one contradicts.
    evidence: Option<Evidence>,
    stray: Option<Stray>,
}

/// An acknowledgment of bytes that have not come.
#[derive(Debug, Clone, Copy)]
struct Evidence {
    /// All before this offset was acknowledged.
    until: u64,
    at: Timestamp,
    /// Packets of the connection since then.
    packets: u32,
}

/// Segments in a row far from where they should be.
#[derive(Debug, Clone, Copy)]
struct Stray {
    end: SeqNumber,
    run: u32,
    acknowledged: bool,
}

impl OutOfOrder {
    /// Bytes of memory that one costs, besides its segments.
    pub(super) const BYTES: usize = size_of::<Self>() + BOX_OVERHEAD;

    pub(super) fn new(now: PacketRef) -> Self {
        Self { since: now.at, ..Self::default() }
    }

    /// The other endpoint acknowledges all before `until`, of which some has not come.
    pub(super) fn acknowledged(&mut self, until: u64, now: PacketRef) {
        self.two_sided = true;
        self.evidence.get_or_insert(Evidence { until, at: now.at, packets: 0 });
    }

    /// The other endpoint acknowledges nothing that has not come: that contradicts an earlier acknowledgment.
    pub(super) const fn contradicted(&mut self) {
        self.two_sided = true;
        self.evidence = None;
    }

    /// Another packet of the connection.
    pub(super) const fn count_packet(&mut self) {
        if let Some(evidence) = &mut self.evidence {
            evidence.packets = evidence.packets.saturating_add(1);
        }
    }

    /// An early segment comes: the gap before it begins now, unless others are held.
    pub(super) fn notice_gap(&mut self, now: PacketRef) {
        if self.held.is_empty() {
            self.since = now.at;
            self.two_sided = self.evidence.is_some();
        }
    }

    /// All before `frontier.next` was delivered: the wait for the next gap begins now. False if nothing is out of order.
    pub(super) fn renew(&mut self, frontier: Frontier, now: PacketRef) -> bool {
        let Frontier { next, acked } = frontier;
        self.since = now.at;
        self.two_sided = false;
        self.stray = None;
        if self.evidence.is_some_and(|evidence| evidence.until <= next) {
            // Later bytes were acknowledged later, and may be late as well.
            let later = Evidence { until: acked, at: now.at, packets: 0 };
            self.evidence = (acked > next).then_some(later);
        }
        !self.held.is_empty() || self.evidence.is_some() || self.fin.is_some()
    }

    /// Where the gap at `frontier.next` ends, if it is time to give it up.
    pub(super) fn gap_end(&self, frontier: Frontier, now: Timestamp, budget: &Budget) -> Option<u64> {
        let Frontier { next, acked } = frontier;
        let fin = self.fin.filter(|&fin| fin > next);
        let beyond = self.held.first().into_iter().chain(fin).min()?;
        let too_much = self.held.bytes() > budget.max_held_bytes
            || self.held.len() > budget.max_held_segments
            || (budget.is_over() && !self.held.is_empty());
        let silent = !self.two_sided && now.since(self.since) >= budget.gap_silence;
        if too_much || silent {
            return Some(beyond);
        }
        let evidence = self.evidence.filter(|_| acked > next)?;
        let waited = evidence.packets >= PATIENCE || now.since(evidence.at) >= budget.ack_tolerance;
        waited.then(|| beyond.min(acked).min(evidence.until))
    }

    /// A segment of `len` bytes at `seq`, out of any window. True when there is reason to believe that the stream
    /// continued there: the other endpoint acknowledges it or, if not `two_sided`, others have followed it.
    pub(super) fn strays_to(&mut self, seq: SeqNumber, len: u32, two_sided: bool) -> bool {
        let before = self.stray.filter(|stray| stray.end == seq);
        let run = before.map_or(1, |stray| stray.run.saturating_add(1));
        let acknowledged = before.is_some_and(|stray| stray.acknowledged);
        self.stray = Some(Stray { end: seq.plus(len), run, acknowledged });
        acknowledged || !two_sided && run >= STRAY_RUN
    }

    /// The other endpoint acknowledges `ack`: stray segments, perhaps.
    pub(super) fn confirm_stray(&mut self, ack: SeqNumber) {
        if let Some(stray) = &mut self.stray {
            stray.acknowledged |= (-STRAY_LAG..=0).contains(&ack.distance_from(stray.end));
        }
    }
}

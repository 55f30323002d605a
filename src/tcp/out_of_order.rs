//! What is out of order in one direction, and how long to wait for what is missing.
//!
//! In: early segments, acknowledgments of bytes that have not come, segments out of any window, time. Out: whether a
//! hole is to be given up, and whether the stream has moved. A receiver acknowledges only what it has, so an
//! acknowledgment past a hole says that the capture lacks those bytes, or has them later (two interfaces merged into one
//! file). Nothing is given up on that word alone: bytes from beyond the hole must have come too, [`PATIENCE`] packets or
//! some milliseconds must have passed, and the latest acknowledgment must still say so. Where the other side is not
//! heard at all, silence in the hole is enough. Holding too much ends every patience.

use super::budget::{BOX_OVERHEAD, Budget};
use super::held::Held;
use crate::net::SeqNumber;
use crate::types::{PacketRef, Timestamp};

/// Packets of the connection that may pass between an acknowledgment and the bytes it acknowledges.
const PATIENCE: u32 = 16;

/// So many segments in a row, each following the one before, move a direction that is not acknowledged in the capture
/// to where they are.
const STRAY_RUN: u32 = 8;

/// How far an acknowledgment may lag behind the stray segments it confirms.
const STRAY_LAG: i32 = 1 << 20;

/// What is out of order in one direction.
#[derive(Debug, Default)]
pub(super) struct OutOfOrder {
    pub(super) held: Held,
    /// Segments that came before the bytes of the hole, if those come yet.
    pub(super) early: u32,
    /// Where the sender's FIN is, behind the hole.
    pub(super) fin: Option<u64>,
    /// The packet that carried it.
    pub(super) fin_seen: Option<PacketRef>,
    /// When the hole was first noticed.
    since: Timestamp,
    /// Whether the other side was heard since then.
    heard: bool,
    /// An acknowledgment of bytes in the hole, not taken back since.
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

/// A run of segments far from where they should be.
#[derive(Debug, Clone, Copy)]
struct Stray {
    end: SeqNumber,
    run: u32,
    acknowledged: bool,
}

impl OutOfOrder {
    /// What one costs, besides what it holds.
    pub(super) const BYTES: usize = size_of::<Self>() + BOX_OVERHEAD;

    pub(super) fn new(now: PacketRef) -> Self {
        Self { since: now.at, ..Self::default() }
    }

    /// The other side acknowledges all before `until`, which has not all come.
    pub(super) fn acknowledged(&mut self, until: u64, now: PacketRef) {
        self.heard = true;
        self.evidence.get_or_insert(Evidence { until, at: now.at, packets: 0 });
    }

    /// The other side acknowledges nothing that has not come: whatever it said before is taken back.
    pub(super) const fn contradicted(&mut self) {
        self.heard = true;
        self.evidence = None;
    }

    /// Another packet of the connection.
    pub(super) const fn count_packet(&mut self) {
        if let Some(evidence) = &mut self.evidence {
            evidence.packets = evidence.packets.saturating_add(1);
        }
    }

    /// An early segment comes, the first perhaps.
    pub(super) fn notice_hole(&mut self, now: PacketRef) {
        if self.held.is_empty() {
            self.since = now.at;
            self.heard = self.evidence.is_some();
        }
    }

    /// All before `next` has come or was given up, and the latest acknowledgment is `acked`: what is out of order now
    /// begins to wait anew. False if nothing is.
    pub(super) fn renew(&mut self, next: u64, acked: u64, now: PacketRef) -> bool {
        self.since = now.at;
        self.heard = false;
        self.stray = None;
        if self.evidence.is_some_and(|evidence| evidence.until <= next) {
            // Bytes from behind that were acknowledged later, and have a right to be late too.
            let later = Evidence { until: acked, at: now.at, packets: 0 };
            self.evidence = (acked > next).then_some(later);
        }
        !self.held.is_empty() || self.evidence.is_some() || self.fin.is_some()
    }

    /// Where the hole at `next` ends, if it is time to give it up.
    pub(super) fn hole_end(&self, next: u64, acked: u64, now: Timestamp, budget: &Budget) -> Option<u64> {
        let fin = self.fin.filter(|&fin| fin > next);
        let beyond = self.held.first().into_iter().chain(fin).min()?;
        let too_much = self.held.bytes() > budget.max_held_bytes
            || self.held.len() > budget.max_held_segments
            || (budget.is_over() && !self.held.is_empty());
        let unheard = !self.heard && now.since(self.since) >= budget.hole_silence;
        if too_much || unheard {
            return Some(beyond);
        }
        let evidence = self.evidence.filter(|_| acked > next)?;
        let waited = evidence.packets >= PATIENCE || now.since(evidence.at) >= budget.ack_tolerance;
        waited.then(|| beyond.min(acked).min(evidence.until))
    }

    /// A segment of `len` bytes at `seq`, out of any window. True when there is reason to believe that the stream went
    /// on there: the other side acknowledges it or, if not `two_sided`, others have followed it.
    pub(super) fn strays_to(&mut self, seq: SeqNumber, len: u32, two_sided: bool) -> bool {
        let before = self.stray.filter(|stray| stray.end == seq);
        let run = before.map_or(1, |stray| stray.run.saturating_add(1));
        let acknowledged = before.is_some_and(|stray| stray.acknowledged);
        self.stray = Some(Stray { end: seq.plus(len), run, acknowledged });
        acknowledged || !two_sided && run >= STRAY_RUN
    }

    /// The other side acknowledges `ack`: stray segments, perhaps.
    pub(super) fn confirm_stray(&mut self, ack: SeqNumber) {
        if let Some(stray) = &mut self.stray {
            stray.acknowledged |= (-STRAY_LAG..=0).contains(&ack.distance_from(stray.end));
        }
    }
}

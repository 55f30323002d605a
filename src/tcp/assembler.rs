//! One direction's sequence space (RFC 9293 §3.4, §3.10.7.4): segments in any order → bytes and gaps in order.
//!
//! In: segments placed by sequence number, the other side's acknowledgments, and time. Out: pieces at `u64` offsets,
//! each following the one before: bytes, or a gap of bytes that the capture lacks. It does not know connections,
//! flags other than FIN's place, or who listens.
//!
//! ```text
//!            acked                next                      fin
//!   ...........|====================|     [held]   [held]     |
//!              unacknowledged        hole       hole          end
//! ```
//!
//! What is believed of holes, and how long they wait: see `waiting.rs`. A number further than [`WINDOW`] from where the
//! direction is moves nothing, whoever sent it; nor does an acknowledgment, unless bytes follow that prove it right.

use super::budget::{Budget, index, low_32};
use super::held::{Added, HeldContent};
use super::history::History;
use super::out_of_order::OutOfOrder;
use super::piece::{Input, Piece};
use crate::net::{Segment, SeqNumber};
use crate::types::PacketRef;

/// Numbers further away than this belong to no segment or acknowledgment of now: a window is at most 2^30 bytes
/// (RFC 7323 §2.3).
const WINDOW: i32 = 1 << 30;

/// How far a RST may lie behind `next` (it answers an older segment), and beyond all that is known of the direction
/// (the capture lacks the latest bytes).
const RST_BEHIND: i32 = 1 << 16;
const RST_AHEAD: u64 = 1 << 20;

/// One direction of one connection.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    /// All before this offset was handed up, as bytes or as a gap.
    next: u64,
    /// The latest acknowledgment, as an offset.
    acked: u64,
    /// The sequence number of `next`.
    next_seq: u32,
    /// Whether `next_seq` counts yet.
    begun: bool,
    /// Whether the end was handed up: nothing more comes.
    ended: bool,
    /// Whether the other side was ever heard to acknowledge.
    two_sided: bool,
    history: History,
    /// Only while something is out of order.
    waiting: Option<Box<OutOfOrder>>,
}

impl Assembler {
    /// Offset 0 is at `seq`.
    pub(super) const fn begin(&mut self, seq: SeqNumber) {
        self.next_seq = seq.0;
        self.begun = true;
    }

    /// Whether it is known where offset 0 is.
    pub(super) const fn has_begun(&self) -> bool {
        self.begun
    }

    /// Whether its end was handed up.
    pub(super) const fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether something is out of order.
    pub(super) const fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// The offset behind what was handed up.
    pub(super) const fn next_offset(&self) -> u64 {
        self.next
    }

    /// Bytes it keeps.
    pub(super) fn held(&self) -> usize {
        self.history.held() + self.waiting.as_ref().map_or(0, |waiting| waiting.held.held())
    }

    /// Whether early segments wait.
    pub(super) fn holds_segments(&self) -> bool {
        self.first_held().is_some()
    }

    /// How far `seq` lies beyond the next byte; `None` where it is out of any window.
    pub(super) fn distance(&self, seq: SeqNumber) -> Option<i32> {
        let distance = seq.distance_from(SeqNumber(self.next_seq));
        (-WINDOW..=WINDOW).contains(&distance).then_some(distance)
    }

    /// Whether a segment at `seq` is the next one, and nothing is out of order.
    pub(super) const fn expects(&self, seq: SeqNumber) -> bool {
        self.begun && !self.ended && self.waiting.is_none() && self.next_seq == seq.0
    }

    /// Takes `bytes` of the segment it [`Self::expects`]; the answer is their offset. The short way for most segments:
    /// the same as [`Self::next`] would do.
    pub(super) fn accept(&mut self, bytes: &[u8], budget: &mut Budget) -> u64 {
        let offset = self.next;
        self.remember(bytes, budget);
        self.next = self.next.saturating_add(bytes.len() as u64);
        self.next_seq = self.next_seq.wrapping_add(low_32(bytes.len() as u64));
        offset
    }

    /// The other side acknowledges all before `ack`, and that has come, and nothing is out of order; false if not so,
    /// and nothing was learnt. The short way of [`Self::acknowledge`].
    pub(super) const fn acknowledge_known(&mut self, ack: SeqNumber) -> bool {
        let distance = ack.distance_from(SeqNumber(self.next_seq));
        let known = self.waiting.is_none() && -WINDOW <= distance && distance <= 0;
        if known && self.begun {
            self.acked = self.next.saturating_sub(distance.unsigned_abs() as u64);
            self.two_sided = true;
        }
        known || !self.begun || self.ended
    }

    /// The payload of `segment`, whose first byte lies `distance` beyond the next one; and where it ends.
    pub(super) fn input<'i>(&self, distance: i32, segment: &Segment<'i>) -> (Input<'i>, Option<u64>) {
        let mut input = Input::nothing(segment.seen);
        let len = (segment.payload.len() as u64).saturating_add(u64::from(segment.cut));
        let offset = self.next.checked_add_signed(i64::from(distance));
        let end = (i128::from(self.next) + i128::from(distance) + i128::from(len)).try_into().ok();
        if distance == -1 && len <= 1 {
            // A keep-alive may carry "one garbage octet" (RFC 9293 §3.8.4).
            return (input, end);
        }
        input.offset = offset.unwrap_or(0);
        input.bytes = segment.payload;
        input.cut = u64::from(segment.cut).min(WINDOW.unsigned_abs().into());
        if offset.is_none() {
            // Before the first byte seen of a connection that was joined half-way.
            input.again = len > 0;
            input.skip(u64::from(distance.unsigned_abs()).saturating_sub(self.next));
            input.offset = 0;
        }
        (input, end)
    }

    /// The sender's FIN stands at `offset`. The first one counts.
    pub(super) fn finish_at(&mut self, offset: u64, seen: PacketRef, budget: &mut Budget) {
        if self.fin().is_some() || offset < self.next {
            return;
        }
        let waiting = self.wait(seen, budget);
        waiting.fin = Some(offset);
        waiting.fin_seen = Some(seen);
        self.acked = self.acked.min(offset);
    }

    /// The other side acknowledges all before `ack`.
    pub(super) fn acknowledge(&mut self, ack: SeqNumber, seen: PacketRef, budget: &mut Budget) {
        if !self.begun || self.ended {
            return;
        }
        self.two_sided = true;
        let Some(distance) = self.distance(ack) else {
            return self.confirm_stray(ack);
        };
        let acked = self.next.saturating_add_signed(i64::from(distance));
        self.acked = acked.min(self.fin().unwrap_or(u64::MAX));
        if self.acked > self.next {
            let until = self.acked;
            self.wait(seen, budget).acknowledged(until, seen);
        } else if let Some(waiting) = &mut self.waiting {
            waiting.contradicted();
        }
    }

    /// Another packet of the connection.
    pub(super) fn count_packet(&mut self) {
        if let Some(waiting) = &mut self.waiting {
            waiting.count_packet();
        }
    }

    /// The next piece, given what is left of `input`; `None` when it wants more.
    pub(super) fn next<'i>(&mut self, input: &mut Input<'i>, budget: &mut Budget) -> Option<Piece<'i>> {
        self.skip_known(input);
        let room = self.room();
        if room == 0 {
            self.fill_cut(input, budget);
            return self.release(input.seen, budget);
        }
        if input.offset == self.next && !input.is_empty() {
            // What came before it came too early.
            input.overtook = input
                .overtook
                .saturating_add(self.waiting.as_mut().map_or(0, |waiting| core::mem::take(&mut waiting.early)));
            return Some(self.take(input, room, budget));
        }
        if !input.is_empty() {
            self.hold(input, budget);
        }
        let end = self.waiting.as_ref()?.hole_end(self.next, self.acked, input.seen.at, budget)?;
        Some(self.give_up(end, input.seen, budget))
    }

    /// The next piece when nothing more will come: what is held, and the gaps between.
    pub(super) fn flush(&mut self, seen: PacketRef, budget: &mut Budget) -> Option<Piece<'static>> {
        let fin = self.fin().unwrap_or(u64::MAX);
        let first = self.first_held().filter(|&first| first < fin);
        if first == Some(self.next) {
            return self.release(seen, budget);
        }
        // One acknowledged byte that never came is a FIN that was not captured.
        let unseen = Some(self.acked).filter(|&acked| acked > self.next.saturating_add(1));
        let end = first.or(self.fin()).or(unseen).filter(|&end| end > self.next)?;
        Some(self.give_up(end, seen, budget))
    }

    /// Whether all before the FIN was handed up.
    pub(super) fn is_at_fin(&self) -> bool {
        self.fin().is_some_and(|fin| fin <= self.next)
    }

    /// Whether the FIN was seen, and the end not yet handed up.
    pub(super) fn has_fin(&self) -> bool {
        self.fin().is_some()
    }

    /// The end is handed up: keeps nothing any more.
    pub(super) fn end(&mut self, budget: &mut Budget) {
        self.forget(budget);
        self.ended = true;
    }

    /// Lets go of delivered bytes: copies of them that come later are not compared.
    pub(super) fn forget_history(&mut self, budget: &mut Budget) {
        budget.give_back_history(core::mem::take(&mut self.history).held());
        self.history.restart(self.next);
    }

    /// Gives back all it keeps.
    pub(super) fn forget(&mut self, budget: &mut Budget) {
        budget.give_back_history(core::mem::take(&mut self.history).held());
        if let Some(waiting) = self.waiting.take() {
            budget.give_back_disorder(OutOfOrder::BYTES);
            budget.give_back(waiting.held.held());
        }
    }

    /// Whether a RST at `seq` can be the sender's own: near the next byte, in the spirit of RFC 5961 §3.2.
    pub(super) fn accepts_rst(&self, seq: SeqNumber) -> bool {
        let frontier = self.acked.max(self.held_end().unwrap_or(0)).max(self.fin().unwrap_or(0)).max(self.next);
        let ahead = (frontier - self.next).saturating_add(RST_AHEAD);
        self.distance(seq).is_some_and(|distance| distance >= -RST_BEHIND && i64::from(distance) <= clamp(ahead))
    }

    /// Whether an acknowledgment of `ack` is not far from what was sent.
    pub(super) fn accepts_ack(&self, ack: SeqNumber) -> bool {
        self.begun && self.accepts_rst(ack)
    }

    /// A segment of `len` bytes at `seq`, out of any window. True when there is reason to believe that the stream went
    /// on there: the other side acknowledges it or, where the other side is not captured, others have followed it.
    ///
    /// That happens when more than 2^30 bytes are missing (a file of a ring is lost). Less than 2^32 but more than
    /// 3 * 2^30 missing bytes look like retransmissions, and are taken for such.
    pub(super) fn strays_to(&mut self, seq: SeqNumber, len: u32, seen: PacketRef, budget: &mut Budget) -> bool {
        let two_sided = self.two_sided;
        len > 0 && self.wait(seen, budget).strays_to(seq, len, two_sided)
    }

    /// Goes on at `seq`, an unknown number of bytes later. What was held was handed up before.
    pub(super) fn jump(&mut self, seq: SeqNumber, budget: &mut Budget) {
        self.forget(budget);
        self.history.restart(self.next);
        self.next_seq = seq.0;
        self.acked = self.next;
    }

    /// The other side acknowledges `ack`, perhaps of segments out of any window.
    pub(super) fn confirm_stray(&mut self, ack: SeqNumber) {
        if let Some(waiting) = &mut self.waiting {
            waiting.confirm_stray(ack);
        }
    }

    fn wait(&mut self, seen: PacketRef, budget: &mut Budget) -> &mut OutOfOrder {
        self.waiting.get_or_insert_with(|| {
            budget.take_disorder(OutOfOrder::BYTES);
            Box::new(OutOfOrder::new(seen))
        })
    }

    /// The packet that carried the sender's FIN.
    pub(super) fn fin_seen(&self) -> Option<PacketRef> {
        self.waiting.as_ref()?.fin_seen
    }

    fn fin(&self) -> Option<u64> {
        self.waiting.as_ref()?.fin
    }

    fn first_held(&self) -> Option<u64> {
        self.waiting.as_ref()?.held.first()
    }

    fn held_end(&self) -> Option<u64> {
        self.waiting.as_ref()?.held.end()
    }

    /// How many bytes fit between `next` and the first that is held.
    fn room(&self) -> u64 {
        self.first_held().map_or(u64::MAX, |first| first.saturating_sub(self.next))
    }

    /// Takes from `input` what was handed up before, and compares it. Bytes of a gap that come late are not known here.
    fn skip_known(&mut self, input: &mut Input<'_>) {
        let Some(known) = self.next.checked_sub(input.offset).filter(|&known| known > 0 && !input.is_empty()) else {
            return;
        };
        input.again = true;
        let conflict = self.history.conflict(input.offset, input.bytes, self.next);
        input.conflict = input.conflict.or(conflict);
        input.skip(known);
    }

    /// Where the first that is held was cut away, and `input` has it: that goes there.
    fn fill_cut(&mut self, input: &Input<'_>, budget: &mut Budget) {
        if let Some(waiting) = &mut self.waiting
            && input.offset == self.next
            && let Some(len) = waiting.held.first_cut()
        {
            let bytes = input.bytes.get(..index(len)).unwrap_or(input.bytes);
            waiting.held.add(input.offset, bytes, input.seen, budget);
        }
    }

    /// The first of `input`, which is in place: all its bytes, or all it lacks, up to `room`.
    fn take<'i>(&mut self, input: &mut Input<'i>, room: u64, budget: &mut Budget) -> Piece<'i> {
        if input.bytes.is_empty() {
            let len = input.cut.min(room);
            input.skip(len);
            return self.gap(len, input.seen, budget);
        }
        let bytes = input.bytes.get(..index(room)).unwrap_or(input.bytes);
        input.skip(bytes.len() as u64);
        let offset = self.next;
        self.remember(bytes, budget);
        self.advance(bytes.len() as u64, input.seen, budget);
        Piece::Data(offset, bytes, input.seen)
    }

    /// The first that is held; its place has come.
    fn release(&mut self, now: PacketRef, budget: &mut Budget) -> Option<Piece<'static>> {
        let (offset, piece) = self.waiting.as_mut()?.held.pop(budget)?;
        if let HeldContent::Bytes(bytes) = &piece.content {
            self.remember(bytes, budget);
        }
        self.advance(piece.content.len(), now, budget);
        Some(match piece.content {
            HeldContent::Bytes(bytes) => Piece::Held(offset, bytes, piece.seen),
            HeldContent::Cut(len) => {
                self.history.restart(self.next);
                Piece::Gap(offset, len, piece.seen)
            }
        })
    }

    /// The hole up to `end`: shown by the first packet from beyond it. What is held came neither too early nor too late.
    fn give_up(&mut self, end: u64, now: PacketRef, budget: &mut Budget) -> Piece<'static> {
        let waiting = self.waiting.as_mut();
        let shown = waiting.and_then(|waiting| {
            waiting.early = 0;
            waiting.held.first_seen().or(waiting.fin_seen)
        });
        let offset = self.next;
        self.advance(end.saturating_sub(offset), now, budget);
        self.history.restart(self.next);
        Piece::Gap(offset, end.saturating_sub(offset), shown.filter(|shown| shown.packet < now.packet).unwrap_or(now))
    }

    fn gap(&mut self, len: u64, seen: PacketRef, budget: &mut Budget) -> Piece<'static> {
        let offset = self.next;
        self.advance(len, seen, budget);
        self.history.restart(self.next);
        Piece::Gap(offset, len, seen)
    }

    fn remember(&mut self, bytes: &[u8], budget: &mut Budget) {
        let unacked = self.next.saturating_add(bytes.len() as u64).saturating_sub(self.acked);
        self.history.push(self.next, bytes, unacked, budget);
    }

    fn advance(&mut self, len: u64, now: PacketRef, budget: &mut Budget) {
        self.next = self.next.saturating_add(len);
        self.next_seq = self.next_seq.wrapping_add(low_32(len));
        if let Some(waiting) = &mut self.waiting
            && !waiting.renew(self.next, self.acked, now)
        {
            self.waiting = None;
            budget.give_back_disorder(OutOfOrder::BYTES);
        }
    }

    fn hold(&mut self, input: &mut Input<'_>, budget: &mut Budget) {
        let Input { offset, bytes, cut, seen, .. } = *input;
        let waiting = self.wait(seen, budget);
        waiting.notice_hole(seen);
        let added = waiting.held.add(offset, bytes, seen, budget);
        let behind = offset.saturating_add(bytes.len() as u64);
        let Added { news, again, .. } = waiting.held.add_cut(behind, cut, seen, budget);
        waiting.early = waiting.early.saturating_add(u32::from(added.news || news));
        input.again |= added.again || again;
        input.conflict = input.conflict.or(added.conflict);
        input.skip(u64::MAX);
    }
}

fn clamp(distance: u64) -> i64 {
    i64::try_from(distance).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;

//! One direction's sequence space (RFC 9293 §3.4, §3.10.7.4): segments in any order → bytes and gaps in order.
//!
//! In: segments placed by sequence number, the other endpoint's acknowledgments, and time. Out: deliveries at `u64`
//! offsets, each following the one before: bytes, or a gap of bytes that the capture lacks. It does not know connections,
//! nor flags other than the place of the FIN.
//!
//! ```text
//!            acked                next                      fin
//!   ...........|====================|     [held]   [held]     |
//!              unacknowledged        gap        gap           end
//! ```
//!
//! When a gap is given up: see `out_of_order.rs`. A segment further than [`WINDOW`] from where the direction is moves
//! nothing; nor does such an acknowledgment, unless bytes follow that prove it right.

use super::budget::Budget;
use super::held::HeldContent;
use super::history::History;
use super::opening::first_byte;
use super::out_of_order::OutOfOrder;
use super::sequence::{Delivery, Frontier, SegmentData, index, low_32};
use crate::net::{Segment, SeqNumber};
use crate::types::PacketRef;

/// Numbers further away than this belong to no segment or acknowledgment of now: a window is at most 2^30 bytes
/// (RFC 7323 §2.3).
const WINDOW: i32 = 1 << 30;

/// How far a RST may lie before the next byte (it answers an older segment), and beyond all that is known of the direction
/// (the capture lacks the latest bytes).
const RST_BEHIND: i32 = 1 << 16;
const RST_AHEAD: u64 = 1 << 20;

/// One direction of one connection.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    frontier: Frontier,
    /// The sequence number of the next byte.
    next_seq: u32,
    /// Whether `next_seq` is known.
    begun: bool,
    /// Whether the end was delivered: nothing more comes.
    ended: bool,
    /// Whether the other endpoint was ever seen to acknowledge.
    two_sided: bool,
    history: History,
    /// Only while something is out of order.
    out_of_order: Option<Box<OutOfOrder>>,
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

    /// Whether its end was delivered.
    pub(super) const fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether something is out of order.
    pub(super) const fn is_out_of_order(&self) -> bool {
        self.out_of_order.is_some()
    }

    /// The offset of the next byte to deliver.
    pub(super) const fn next_offset(&self) -> u64 {
        self.frontier.next
    }

    /// Bytes it keeps.
    pub(super) fn held(&self) -> usize {
        self.history.held() + self.out_of_order.as_ref().map_or(0, |early| early.held.held())
    }

    /// Whether it holds early segments.
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
        self.begun && !self.ended && self.out_of_order.is_none() && self.next_seq == seq.0
    }

    /// Takes `bytes` of the segment it [`Self::expects`]; returns their offset. The fast path for most segments: it does
    /// what [`Self::next`] would do.
    pub(super) fn accept(&mut self, bytes: &[u8], budget: &mut Budget) -> u64 {
        let offset = self.frontier.next;
        self.remember(bytes, budget);
        self.frontier.next = self.frontier.next.saturating_add(bytes.len() as u64);
        self.next_seq = self.next_seq.wrapping_add(low_32(bytes.len() as u64));
        offset
    }

    /// Takes the acknowledgment `ack` if all before it has come and nothing is out of order; else returns false, and
    /// nothing has changed. The fast path of [`Self::acknowledge`].
    pub(super) const fn acknowledge_known(&mut self, ack: SeqNumber) -> bool {
        let distance = ack.distance_from(SeqNumber(self.next_seq));
        let known = self.out_of_order.is_none() && -WINDOW <= distance && distance <= 0;
        if known && self.begun {
            self.frontier.acked = self.frontier.next.saturating_sub(distance.unsigned_abs() as u64);
            self.two_sided = true;
        }
        known || !self.begun || self.ended
    }

    /// The payload of `segment`, whose first byte lies `distance` beyond the next one; and the offset after it.
    pub(super) fn place<'i>(&self, distance: i32, segment: &Segment<'i>) -> (SegmentData<'i>, Option<u64>) {
        let mut data = SegmentData::nothing(segment.seen);
        let len = (segment.payload.len() as u64).saturating_add(u64::from(segment.cut));
        let offset = self.frontier.next.checked_add_signed(i64::from(distance));
        let end = (i128::from(self.frontier.next) + i128::from(distance) + i128::from(len)).try_into().ok();
        if distance == -1 && len <= 1 {
            // A keep-alive may carry "one garbage octet" (RFC 9293 §3.8.4).
            return (data, end);
        }
        data.offset = offset.unwrap_or(0);
        data.bytes = segment.payload;
        data.cut = u64::from(segment.cut).min(WINDOW.unsigned_abs().into());
        if offset.is_none() {
            // Before the first byte seen of a connection that the capture has mid-stream.
            data.again = len > 0;
            data.skip(u64::from(distance.unsigned_abs()).saturating_sub(self.frontier.next));
            data.offset = 0;
        }
        (data, end)
    }

    /// The sender's FIN stands at `offset`. The first one counts.
    pub(super) fn finish_at(&mut self, offset: u64, seen: PacketRef, budget: &mut Budget) {
        if self.fin().is_some() || offset < self.frontier.next {
            return;
        }
        let out_of_order = self.out_of_order_mut(seen, budget);
        out_of_order.fin = Some(offset);
        out_of_order.fin_seen = Some(seen);
        self.frontier.acked = self.frontier.acked.min(offset);
    }

    /// The other endpoint acknowledges all before `ack`.
    pub(super) fn acknowledge(&mut self, ack: SeqNumber, seen: PacketRef, budget: &mut Budget) {
        if !self.begun || self.ended {
            return;
        }
        self.two_sided = true;
        let Some(distance) = self.distance(ack) else {
            return self.confirm_stray(ack);
        };
        let acked = self.frontier.next.saturating_add_signed(i64::from(distance));
        self.frontier.acked = acked.min(self.fin().unwrap_or(u64::MAX));
        if self.frontier.acked > self.frontier.next {
            let until = self.frontier.acked;
            self.out_of_order_mut(seen, budget).acknowledged(until, seen);
        } else if let Some(out_of_order) = &mut self.out_of_order {
            out_of_order.contradicted();
        }
    }

    /// Another packet of the connection.
    pub(super) fn count_packet(&mut self) {
        if let Some(out_of_order) = &mut self.out_of_order {
            out_of_order.count_packet();
        }
    }

    /// The next delivery, given the rest of `data`; `None` when it wants more.
    pub(super) fn next<'i>(&mut self, data: &mut SegmentData<'i>, budget: &mut Budget) -> Option<Delivery<'i>> {
        self.skip_known(data);
        let room = self.room();
        if room == 0 {
            self.fill_cut(data, budget);
            return self.release(data.seen, budget);
        }
        if data.offset == self.frontier.next && !data.is_empty() {
            let early = self.out_of_order.as_mut().map_or(0, |waiting| core::mem::take(&mut waiting.early));
            data.overtaken_by = data.overtaken_by.saturating_add(early);
            return Some(self.take(data, room, budget));
        }
        if !data.is_empty() {
            self.hold(data, budget);
        }
        let end = self.out_of_order.as_ref()?.gap_end(self.frontier, data.seen.at, budget)?;
        Some(self.give_up(end, data.seen, budget))
    }

    /// The next delivery when no segment will follow: the held segments, and the gaps between them.
    pub(super) fn flush(&mut self, seen: PacketRef, budget: &mut Budget) -> Option<Delivery<'static>> {
        let fin = self.fin().unwrap_or(u64::MAX);
        let first = self.first_held().filter(|&first| first < fin);
        if first == Some(self.frontier.next) {
            return self.release(seen, budget);
        }
        // A single acknowledged byte that never came is a FIN that was not captured.
        let unseen = Some(self.frontier.acked).filter(|&acked| acked > self.frontier.next.saturating_add(1));
        let end = first.or(self.fin()).or(unseen).filter(|&end| end > self.frontier.next)?;
        Some(self.give_up(end, seen, budget))
    }

    /// Whether all before the FIN was delivered.
    pub(super) fn is_at_fin(&self) -> bool {
        self.fin().is_some_and(|fin| fin <= self.frontier.next)
    }

    /// Whether the FIN was seen, and the end not yet delivered.
    pub(super) fn has_fin(&self) -> bool {
        self.fin().is_some()
    }

    /// The end is delivered: frees all it keeps.
    pub(super) fn end(&mut self, budget: &mut Budget) {
        self.forget(budget);
        self.ended = true;
    }

    /// Frees the delivered bytes it keeps: copies of them that come later are not compared.
    pub(super) fn forget_history(&mut self, budget: &mut Budget) {
        budget.give_back_history(core::mem::take(&mut self.history).held());
        self.history.restart(self.frontier.next);
    }

    /// Gives back all it keeps.
    pub(super) fn forget(&mut self, budget: &mut Budget) {
        budget.give_back_history(core::mem::take(&mut self.history).held());
        if let Some(out_of_order) = self.out_of_order.take() {
            budget.give_back_out_of_order(OutOfOrder::BYTES);
            budget.give_back(out_of_order.held.held());
        }
    }

    /// Whether a RST at `seq` can be the sender's own: near the next byte, in the spirit of RFC 5961 §3.2.
    pub(super) fn accepts_rst(&self, seq: SeqNumber) -> bool {
        let frontier =
            self.frontier.acked.max(self.held_end().unwrap_or(0)).max(self.fin().unwrap_or(0)).max(self.frontier.next);
        let ahead = (frontier - self.frontier.next).saturating_add(RST_AHEAD);
        self.distance(seq).is_some_and(|distance| distance >= -RST_BEHIND && i64::from(distance) <= clamp(ahead))
    }

    /// Whether an acknowledgment of `ack` is near the bytes sent so far.
    pub(super) fn accepts_ack(&self, ack: SeqNumber) -> bool {
        self.begun && self.accepts_rst(ack)
    }

    /// `segment` is out of any window. True when there is reason to believe that the stream continued there: the other
    /// endpoint acknowledges it or, where that is not captured, others have followed it.
    ///
    /// That happens when more than 2^30 bytes are missing (a file of a ring is lost). Less than 2^32 but more than
    /// 3 * 2^30 missing bytes look like retransmissions, and are taken for such.
    pub(super) fn strays_to(&mut self, segment: &Segment<'_>, budget: &mut Budget) -> bool {
        let len = low_32((segment.payload.len() as u64).saturating_add(u64::from(segment.cut)));
        let two_sided = self.two_sided;
        len > 0 && self.out_of_order_mut(segment.seen, budget).strays_to(first_byte(segment), len, two_sided)
    }

    /// Continues at `seq`, an unknown number of bytes later. The caller has flushed the held segments before.
    pub(super) fn jump(&mut self, seq: SeqNumber, budget: &mut Budget) {
        self.forget(budget);
        self.history.restart(self.frontier.next);
        self.next_seq = seq.0;
        self.frontier.acked = self.frontier.next;
    }

    /// The other endpoint acknowledges `ack`, perhaps of segments out of any window.
    pub(super) fn confirm_stray(&mut self, ack: SeqNumber) {
        if let Some(out_of_order) = &mut self.out_of_order {
            out_of_order.confirm_stray(ack);
        }
    }

    /// The state of this direction's disorder, made if nothing was out of order before.
    fn out_of_order_mut(&mut self, seen: PacketRef, budget: &mut Budget) -> &mut OutOfOrder {
        self.out_of_order.get_or_insert_with(|| {
            budget.take_out_of_order(OutOfOrder::BYTES);
            Box::new(OutOfOrder::new(seen))
        })
    }

    /// The packet that carried the sender's FIN.
    pub(super) fn fin_seen(&self) -> Option<PacketRef> {
        self.out_of_order.as_ref()?.fin_seen
    }

    fn fin(&self) -> Option<u64> {
        self.out_of_order.as_ref()?.fin
    }

    fn first_held(&self) -> Option<u64> {
        self.out_of_order.as_ref()?.held.first()
    }

    fn held_end(&self) -> Option<u64> {
        self.out_of_order.as_ref()?.held.end()
    }

    /// How many bytes are missing before the first that is held.
    fn room(&self) -> u64 {
        self.first_held().map_or(u64::MAX, |first| first.saturating_sub(self.frontier.next))
    }

    /// Skips the bytes of `data` that were delivered before, after comparing them with the history. Of late bytes of a gap
    /// the history has no copy.
    fn skip_known(&mut self, data: &mut SegmentData<'_>) {
        let Some(known) = self.frontier.next.checked_sub(data.offset).filter(|&known| known > 0 && !data.is_empty())
        else {
            return;
        };
        data.again = true;
        let conflict = self.history.conflict(data.offset, data.bytes, self.frontier.next);
        data.conflict = data.conflict.or(conflict);
        data.skip(known);
    }

    /// Where the first range held was cut off, and `data` has its bytes: puts them there.
    fn fill_cut(&mut self, data: &SegmentData<'_>, budget: &mut Budget) {
        if let Some(out_of_order) = &mut self.out_of_order
            && data.offset == self.frontier.next
            && let Some(len) = out_of_order.held.first_cut()
        {
            let bytes = data.bytes.get(..index(len)).unwrap_or(data.bytes);
            out_of_order.held.add(&SegmentData { bytes, cut: 0, ..*data }, budget);
        }
    }

    /// The beginning of `data`, which is in place: its bytes or, if it has none, those cut off; `room` at most.
    fn take<'i>(&mut self, data: &mut SegmentData<'i>, room: u64, budget: &mut Budget) -> Delivery<'i> {
        if data.bytes.is_empty() {
            let len = data.cut.min(room);
            data.skip(len);
            return self.gap(len, data.seen, budget);
        }
        let bytes = data.bytes.get(..index(room)).unwrap_or(data.bytes);
        data.skip(bytes.len() as u64);
        let offset = self.frontier.next;
        self.remember(bytes, budget);
        self.advance(bytes.len() as u64, data.seen, budget);
        Delivery::InPlace(offset, bytes, data.seen)
    }

    /// The first range held, which is in place now.
    fn release(&mut self, now: PacketRef, budget: &mut Budget) -> Option<Delivery<'static>> {
        let (offset, range) = self.out_of_order.as_mut()?.held.pop(budget)?;
        if let HeldContent::Bytes(bytes) = &range.content {
            self.remember(bytes, budget);
        }
        self.advance(range.content.len(), now, budget);
        Some(match range.content {
            HeldContent::Bytes(bytes) => Delivery::Held(offset, bytes, range.seen),
            HeldContent::Cut(len) => {
                self.history.restart(self.frontier.next);
                Delivery::Gap(offset, len, range.seen)
            }
        })
    }

    /// Gives up the gap that reaches to `end`; the first packet from beyond it shows it. Held segments after it then count as
    /// in order.
    fn give_up(&mut self, end: u64, now: PacketRef, budget: &mut Budget) -> Delivery<'static> {
        let shown = self.out_of_order.as_mut().and_then(|out_of_order| {
            out_of_order.early = 0;
            out_of_order.held.first_seen().or(out_of_order.fin_seen)
        });
        let offset = self.frontier.next;
        self.advance(end.saturating_sub(offset), now, budget);
        self.history.restart(self.frontier.next);
        Delivery::Gap(
            offset,
            end.saturating_sub(offset),
            shown.filter(|shown| shown.packet < now.packet).unwrap_or(now),
        )
    }

    fn gap(&mut self, len: u64, seen: PacketRef, budget: &mut Budget) -> Delivery<'static> {
        let offset = self.frontier.next;
        self.advance(len, seen, budget);
        self.history.restart(self.frontier.next);
        Delivery::Gap(offset, len, seen)
    }

    fn remember(&mut self, bytes: &[u8], budget: &mut Budget) {
        self.history.push(self.frontier, bytes, budget);
    }

    fn advance(&mut self, len: u64, now: PacketRef, budget: &mut Budget) {
        self.frontier.next = self.frontier.next.saturating_add(len);
        self.next_seq = self.next_seq.wrapping_add(low_32(len));
        if let Some(out_of_order) = &mut self.out_of_order
            && !out_of_order.renew(self.frontier, now)
        {
            self.out_of_order = None;
            budget.give_back_out_of_order(OutOfOrder::BYTES);
        }
    }

    fn hold(&mut self, data: &mut SegmentData<'_>, budget: &mut Budget) {
        let out_of_order = self.out_of_order_mut(data.seen, budget);
        out_of_order.notice_gap(data.seen);
        let added = out_of_order.held.add(data, budget);
        out_of_order.early = out_of_order.early.saturating_add(u32::from(added.new));
        data.again |= added.again;
        data.conflict = data.conflict.or(added.conflict);
        data.skip(u64::MAX);
    }
}

fn clamp(distance: u64) -> i64 {
    i64::try_from(distance).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;

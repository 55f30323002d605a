//! One connection whose bytes are delivered: both directions put together, from the first byte to both ends (RFC 9293
//! §3.3, §3.6, §3.10).
//!
//! In: its segments. Out, to the [`Handler`]: chunks of each direction in order, anomalies; to the table: whether it
//! continues. It looks nothing up, does not age, and does not report that it is over: the table does.

use super::assembler::Assembler;
use super::budget::Budget;
use super::flow_key::{PerSide, Side};
use super::handler::{Anomaly, Counters, Depth, Flow, Handler};
use super::opening::{Beginning, Opening, Start, first_byte};
use super::sequence::SegmentData;
use crate::net::{Segment, TcpFlags};
use crate::stream::{Carrier, Chunk, EndReason, Interest, Run};
use crate::types::{Endpoint, PacketRef, PerDirection};

/// A connection, and what the handler keeps for it.
#[derive(Debug)]
#[repr(C)] // In this order: what every packet changes stands together, after the changing end of the flow.
pub(super) struct Connection<S> {
    flow: Flow,
    assemblers: PerSide<Assembler>,
    beginning: Beginning,
    /// Whether the handler wants it kept through long silence.
    to_retain: bool,
    /// Whether the table does so.
    retained: bool,
    state: S,
}

/// What becomes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It continues.
    Continues,
    /// The handler wants nothing more of it.
    Dropped,
    /// Both directions have ended.
    Over(EndReason),
}

/// The packet at hand, the memory that may be kept, and the handler.
pub(super) struct PacketContext<'a, H> {
    pub(super) seen: PacketRef,
    pub(super) budget: &'a mut Budget,
    pub(super) handler: &'a mut H,
}

/// The handler wants nothing more of the connection, not even the rest of this packet.
pub(super) struct Dropped;

impl<S> Connection<S> {
    /// What `opening` has become with the segment at hand, which `side` sent.
    pub(super) fn new<H>(opening: &Opening, side: Side, segment: &Segment<'_>, handler: &mut H) -> Self
    where
        H: Handler<State = S>,
    {
        let ends = endpoints(opening.beginning.client, side, segment);
        let mut carrier = Carrier::new(ends, opening.beginning.oriented, opening.first);
        carrier.last = segment.seen;
        carrier.handshake_us = opening.handshake.map(u64::from);
        let (number, first_seq) = (opening.number, opening.first_seq);
        let flow = Flow { number, first_seq, counters: PerDirection::<Counters>::default(), carrier };
        let state = handler.opened(&flow);
        // From here on the handler may change who is the client; a late SYN does not.
        let beginning = Beginning { oriented: true, ..opening.beginning };
        let assemblers = PerSide::default();
        Self { flow, assemblers, beginning, to_retain: false, retained: false, state }
    }

    /// Whether it is kept through long silence.
    pub(super) const fn is_retained(&self) -> bool {
        self.retained
    }

    /// Whether the handler wants it kept through long silence, and the table does not do so yet.
    pub(super) const fn is_to_be_retained(&self) -> bool {
        self.to_retain && !self.retained
    }

    /// Keeps it through long silence from now on.
    pub(super) const fn retain(&mut self) {
        self.retained = true;
    }

    /// Its number.
    pub(super) const fn number(&self) -> u64 {
        self.flow.number
    }

    /// The number of its first packet, different for each connection.
    pub(super) const fn first_packet(&self) -> u64 {
        self.flow.carrier.first.packet
    }

    /// Where the bytes of its directions begin.
    pub(super) const fn starts(&self) -> &PerSide<Start> {
        &self.beginning.starts
    }

    /// Bytes that reassembly keeps for it.
    pub(super) fn held(&self) -> usize {
        self.assemblers.get(Side::Low).held() + self.assemblers.get(Side::High).held()
    }

    /// Frees all that reassembly keeps for it.
    pub(super) fn forget(&mut self, budget: &mut Budget) {
        self.assemblers.get_mut(Side::Low).forget(budget);
        self.assemblers.get_mut(Side::High).forget(budget);
    }

    /// Takes a segment from `side`.
    #[inline]
    pub(super) fn segment<H: Handler<State = S>>(
        &mut self,
        side: Side,
        segment: &Segment<'_>,
        context: &mut PacketContext<'_, H>,
    ) -> Outcome {
        self.flow.carrier.last = segment.seen;
        if let Some(bytes) = self.in_order_payload(side, segment) {
            return match bytes {
                [] => Outcome::Continues,
                bytes => {
                    let offset = self.assemblers.get_mut(side).accept(bytes, context.budget);
                    let chunk = Chunk { offset, run: Run::Data(bytes), seen: segment.seen };
                    self.deliver(side, chunk, context).map_or(Outcome::Dropped, |()| Outcome::Continues)
                }
            };
        }
        self.any_segment(side, segment, context)
    }

    /// The slow path, for any segment.
    #[inline(never)]
    fn any_segment<H: Handler<State = S>>(
        &mut self,
        side: Side,
        segment: &Segment<'_>,
        context: &mut PacketContext<'_, H>,
    ) -> Outcome {
        let outcome =
            if segment.flags.rst { self.reset(side, segment, context) } else { self.arrive(side, segment, context) };
        outcome.unwrap_or(Outcome::Dropped)
    }

    /// Ends the directions that have not ended: delivers the held segments with the gaps between them, then the end.
    pub(super) fn close<H: Handler<State = S>>(
        &mut self,
        reason: EndReason,
        context: &mut PacketContext<'_, H>,
    ) -> Outcome {
        self.end_both(reason, context).unwrap_or(Outcome::Dropped)
    }

    /// Bytes that [`Self::shed`] would free.
    pub(super) fn sheddable_bytes<H: Handler<State = S>>(&self, depth: Depth, handler: &H) -> usize {
        self.held().saturating_add(handler.sheddable_bytes(&self.state, depth))
    }

    /// Memory is short: gives up its gaps, and frees what reassembly and the handler keep for it.
    pub(super) fn shed<H: Handler<State = S>>(&mut self, depth: Depth, context: &mut PacketContext<'_, H>) -> Outcome {
        for side in [Side::Low, Side::High] {
            let outcome = self.shed_direction(side, context).unwrap_or(Outcome::Dropped);
            if outcome != Outcome::Continues {
                return outcome;
            }
        }
        match context.handler.shed(&self.flow, &mut self.state, depth, context.seen) {
            Interest::Drop => Outcome::Dropped,
            Interest::Keep | Interest::Retain => Outcome::Continues,
        }
    }

    /// How many directions have something out of order.
    #[cfg(test)]
    pub(super) fn directions_out_of_order(&self) -> usize {
        [Side::Low, Side::High].into_iter().filter(|side| self.assemblers.get(*side).is_out_of_order()).count()
    }

    /// What the handler keeps for it.
    #[cfg(test)]
    pub(super) const fn state(&self) -> &S {
        &self.state
    }

    /// Reports to the handler that it is over.
    pub(super) fn report_ended<H>(self, reason: EndReason, seen: PacketRef, handler: &mut H)
    where
        H: Handler<State = S>,
    {
        handler.ended(&self.flow, self.state, reason, seen);
    }

    /// The payload of a segment if it is, as most are, the next one with nothing out of order in either direction. Its
    /// acknowledgment is taken. `None` for any other segment, of which nothing is taken.
    fn in_order_payload<'i>(&mut self, side: Side, segment: &Segment<'i>) -> Option<&'i [u8]> {
        let TcpFlags { syn, ack, fin, rst } = segment.flags;
        let (mine, theirs) = self.assemblers.both_mut(side);
        if syn || fin || rst || segment.cut > 0 || self.beginning.awaits_ack || !mine.expects(segment.seq) {
            return None;
        }
        if theirs.is_out_of_order() || (ack && !theirs.acknowledge_known(segment.ack)) {
            return None;
        }
        Some(segment.payload)
    }

    fn arrive<H: Handler<State = S>>(
        &mut self,
        side: Side,
        segment: &Segment<'_>,
        context: &mut PacketContext<'_, H>,
    ) -> Result<Outcome, Dropped> {
        if segment.flags.syn || self.beginning.awaits_ack || !self.assemblers.get(side).has_begun() {
            self.learn_beginning(side, segment);
        }
        let Some(distance) = self.locate(side, segment, context)? else {
            return Ok(Outcome::Continues);
        };
        let (mine, theirs) = self.assemblers.both_mut(side);
        mine.count_packet();
        theirs.count_packet();
        if segment.flags.ack {
            theirs.acknowledge(segment.ack, segment.seen, context.budget);
        }
        if theirs.is_out_of_order() {
            // What this segment acknowledges was sent before its own bytes.
            let outcome = self.assemble(side.other(), SegmentData::nothing(segment.seen), context)?;
            if outcome != Outcome::Continues {
                return Ok(outcome);
            }
        }
        let mine = self.assemblers.get_mut(side);
        if mine.has_ended() {
            return Ok(Outcome::Continues);
        }
        let (data, end) = mine.place(distance, segment);
        if let Some(end) = end.filter(|_| segment.flags.fin) {
            mine.finish_at(end, segment.seen, context.budget);
        }
        self.assemble(side, data, context)
    }

    /// A RST ends both directions if it can be genuine. Its payload is a text about the reason, not bytes of the stream
    /// (RFC 1122 §4.2.2.12).
    fn reset<H: Handler<State = S>>(
        &mut self,
        side: Side,
        segment: &Segment<'_>,
        context: &mut PacketContext<'_, H>,
    ) -> Result<Outcome, Dropped> {
        let (mine, theirs) = self.assemblers.both_mut(side);
        let genuine = if mine.has_begun() {
            mine.accepts_rst(segment.seq)
        } else {
            segment.flags.ack && theirs.accepts_ack(segment.ack)
        };
        if !genuine {
            return Ok(Outcome::Continues);
        }
        self.end_both(EndReason::Rst(side.direction(self.beginning.client)), context)
    }

    /// Learns where each direction begins, and how long the handshake took. A direction of which nothing else is known
    /// begins with its first byte.
    fn learn_beginning(&mut self, side: Side, segment: &Segment<'_>) {
        let carrier = &mut self.flow.carrier;
        if self.beginning.observe(side, segment) && carrier.handshake_us.is_none() {
            carrier.handshake_us = Some(segment.seen.at.micros_since(carrier.first.at));
        }
        let start = self.beginning.starts.get_mut(side);
        if start.first_byte().is_none() && (!segment.payload.is_empty() || segment.cut > 0 || segment.flags.fin) {
            *start = Start::at(first_byte(segment), false);
        }
        for side in [Side::Low, Side::High] {
            let assembler = self.assemblers.get_mut(side);
            if let Some(first) = self.beginning.starts.get(side).first_byte().filter(|_| !assembler.has_begun()) {
                assembler.begin(first);
            }
        }
    }

    /// How far the segment lies beyond the next byte of its direction, or `None` if it is out of any window. For a
    /// direction that has not begun, which has no next byte, the distance is 0.
    fn locate<H: Handler<State = S>>(
        &mut self,
        side: Side,
        segment: &Segment<'_>,
        context: &mut PacketContext<'_, H>,
    ) -> Result<Option<i32>, Dropped> {
        let seq = first_byte(segment);
        let (mine, theirs) = self.assemblers.both_mut(side);
        if !mine.has_begun() {
            return Ok(Some(0));
        }
        if let Some(distance) = mine.distance(seq) {
            return Ok(Some(distance));
        }
        if segment.flags.ack {
            theirs.confirm_stray(segment.ack);
        }
        if mine.has_ended() || !mine.strays_to(segment, context.budget) {
            return Ok(None);
        }
        self.flush(side, context)?;
        let assembler = self.assemblers.get_mut(side);
        assembler.jump(seq, context.budget);
        let chunk = Chunk { offset: assembler.next_offset(), run: Run::Gap(None), seen: context.seen };
        self.deliver(side, chunk, context)?;
        Ok(Some(0))
    }

    /// Delivers all that `data` and the time bring in the direction of `side`, and its end if that has come.
    fn assemble<H: Handler<State = S>>(
        &mut self,
        side: Side,
        mut data: SegmentData<'_>,
        context: &mut PacketContext<'_, H>,
    ) -> Result<Outcome, Dropped> {
        while let Some(delivery) = self.assemblers.get_mut(side).next(&mut data, context.budget) {
            self.deliver(side, delivery.chunk(), context)?;
        }
        if data.again || data.overtaken_by > 0 {
            self.count_disorder(side, &data, context);
        }
        if self.assemblers.get(side).is_at_fin() {
            return self.end(side, EndReason::Fin, context);
        }
        Ok(Outcome::Continues)
    }

    /// Counts retransmissions and segments out of order, and reports a byte that differs from its first copy.
    fn count_disorder<H>(&mut self, side: Side, data: &SegmentData<'_>, context: &mut PacketContext<'_, H>)
    where
        H: Handler<State = S>,
    {
        let direction = side.direction(self.beginning.client);
        let counters = self.flow.counters.get_mut(direction);
        counters.retransmissions = counters.retransmissions.saturating_add(u32::from(data.again));
        counters.out_of_order = counters.out_of_order.saturating_add(data.overtaken_by);
        if let Some(offset) = data.conflict {
            let anomaly = Anomaly::OverlapConflict { offset };
            context.handler.anomaly(&self.flow, &mut self.state, direction, anomaly, context.seen);
        }
    }

    fn end_both<H>(&mut self, reason: EndReason, context: &mut PacketContext<'_, H>) -> Result<Outcome, Dropped>
    where
        H: Handler<State = S>,
    {
        let client = self.beginning.client;
        for side in [client, client.other()] {
            if self.assemblers.get(side).has_ended() {
                continue;
            }
            self.flush(side, context)?;
            let reason = if self.assemblers.get(side).has_fin() { EndReason::Fin } else { reason };
            self.end(side, reason, context)?;
        }
        Ok(Outcome::Over(reason))
    }

    fn shed_direction<H>(&mut self, side: Side, context: &mut PacketContext<'_, H>) -> Result<Outcome, Dropped>
    where
        H: Handler<State = S>,
    {
        if self.assemblers.get(side).has_ended() {
            return Ok(Outcome::Continues);
        }
        if self.assemblers.get(side).holds_segments() {
            self.flush(side, context)?;
        }
        let assembler = self.assemblers.get_mut(side);
        assembler.forget_history(context.budget);
        if assembler.is_at_fin() { self.end(side, EndReason::Fin, context) } else { Ok(Outcome::Continues) }
    }

    fn flush<H>(&mut self, side: Side, context: &mut PacketContext<'_, H>) -> Result<(), Dropped>
    where
        H: Handler<State = S>,
    {
        while let Some(delivery) = self.assemblers.get_mut(side).flush(context.seen, context.budget) {
            self.deliver(side, delivery.chunk(), context)?;
        }
        Ok(())
    }

    fn end<H>(&mut self, side: Side, reason: EndReason, context: &mut PacketContext<'_, H>) -> Result<Outcome, Dropped>
    where
        H: Handler<State = S>,
    {
        let assembler = self.assemblers.get_mut(side);
        // The FIN may have come earlier, after a gap.
        let fin_seen = assembler.fin_seen().filter(|_| reason == EndReason::Fin);
        assembler.end(context.budget);
        let seen = fin_seen.unwrap_or(context.seen);
        let chunk = Chunk { offset: assembler.next_offset(), run: Run::End(reason), seen };
        self.deliver(side, chunk, context)?;
        let both = self.assemblers.get(side.other()).has_ended();
        Ok(if both { Outcome::Over(reason) } else { Outcome::Continues })
    }

    fn deliver<H>(&mut self, side: Side, chunk: Chunk<'_>, context: &mut PacketContext<'_, H>) -> Result<(), Dropped>
    where
        H: Handler<State = S>,
    {
        let direction = side.direction(self.beginning.client);
        let interest = context.handler.chunk(&mut self.flow, &mut self.state, direction, chunk);
        if self.flow.carrier.take_reversed() {
            self.beginning.client = self.beginning.client.other();
        }
        match interest {
            Interest::Keep => {}
            Interest::Retain => self.to_retain = true,
            Interest::Drop => return Err(Dropped),
        }
        Ok(())
    }
}

/// Client and server of the connection whose `side` sent `segment`.
fn endpoints(client: Side, side: Side, segment: &Segment<'_>) -> [Endpoint; 2] {
    if side == client { [segment.src, segment.dst] } else { [segment.dst, segment.src] }
}

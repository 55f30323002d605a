//! One connection that has a listener: both directions put together, from the first byte to both ends (RFC 9293 §3.3,
//! §3.6, §3.10).
//!
//! In: its segments. Out, to the [`Handler`]: chunks of each direction in order, oddities, and, for the table, whether
//! it goes on. It does not look anything up, age, or tell that it is over: the table does.

mod shedding;

use super::assembler::Assembler;
use super::budget::{Budget, low_32};
use super::flow::{PerSide, Side};
use super::handler::{Anomaly, Counters, Flow, Handler};
use super::opening::{Beginning, Opening, Start, first_byte};
use super::piece::Input;
use crate::net::{Segment, TcpFlags};
use crate::stream::{Carrier, Chunk, EndReason, Interest, Run};
use crate::types::{Endpoint, PacketRef, PerDirection};

/// A connection, and what its listener keeps for it.
#[derive(Debug)]
#[repr(C)] // In this order: what every packet touches stands together, behind the changing end of the flow.
pub(super) struct Connection<S> {
    flow: Flow,
    assemblers: PerSide<Assembler>,
    beginning: Beginning,
    wants_time: bool,
    retained: bool,
    state: S,
}

/// What becomes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes on.
    Lives,
    /// Nobody listens any more.
    Dropped,
    /// Both directions have ended.
    Over(EndReason),
}

/// What is at hand while one packet is handled: the packet, what may be kept, and who listens.
pub(super) struct Turn<'a, H> {
    pub(super) seen: PacketRef,
    pub(super) budget: &'a mut Budget,
    pub(super) handler: &'a mut H,
}

/// The listener wants no more of the connection, and is given no more of this packet.
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
        // Whom the listener knows as the client is for the listener to change from here on, not for a late SYN.
        let beginning = Beginning { oriented: true, ..opening.beginning };
        let assemblers = PerSide::default();
        Self { flow, assemblers, beginning, wants_time: false, retained: false, state }
    }

    /// Whether it is kept through long silence.
    pub(super) const fn is_retained(&self) -> bool {
        self.retained
    }

    /// Whether the listener wants it kept through long silence, and that was not granted yet.
    pub(super) const fn wants_time(&self) -> bool {
        self.wants_time && !self.retained
    }

    /// Grants it.
    pub(super) const fn cherish(&mut self) {
        self.retained = true;
    }

    /// Its number.
    pub(super) const fn number(&self) -> u64 {
        self.flow.number
    }

    /// The packet it began with, which no other did.
    pub(super) const fn first_packet(&self) -> u64 {
        self.flow.carrier.first.packet
    }

    /// Where its directions begin.
    pub(super) const fn starts(&self) -> &PerSide<Start> {
        &self.beginning.starts
    }

    /// Bytes that reassembly keeps for it.
    pub(super) fn held(&self) -> usize {
        self.assemblers.get(Side::Low).held() + self.assemblers.get(Side::High).held()
    }

    /// Gives back all it keeps.
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
        turn: &mut Turn<'_, H>,
    ) -> Fate {
        self.flow.carrier.last = segment.seen;
        if let Some(bytes) = self.in_order(side, segment) {
            return match bytes {
                [] => Fate::Lives,
                bytes => {
                    let offset = self.assemblers.get_mut(side).accept(bytes, turn.budget);
                    let chunk = Chunk { offset, run: Run::Data(bytes), seen: segment.seen };
                    settle(self.hand_up(side, chunk, turn).map(|()| Fate::Lives))
                }
            };
        }
        self.out_of_order(side, segment, turn)
    }

    /// Any segment.
    #[inline(never)]
    fn out_of_order<H: Handler<State = S>>(
        &mut self,
        side: Side,
        segment: &Segment<'_>,
        turn: &mut Turn<'_, H>,
    ) -> Fate {
        let fate = if segment.flags.rst { self.reset(side, segment, turn) } else { self.arrive(side, segment, turn) };
        settle(fate)
    }

    /// Ends the directions that have not ended: what is held is handed up with its gaps, then the end.
    pub(super) fn close<H: Handler<State = S>>(&mut self, reason: EndReason, turn: &mut Turn<'_, H>) -> Fate {
        settle(self.end_both(reason, turn))
    }

    /// Directions in which something is out of order.
    #[cfg(test)]
    pub(super) fn disorders(&self) -> usize {
        [Side::Low, Side::High].into_iter().filter(|side| self.assemblers.get(*side).is_waiting()).count()
    }

    /// What its listener keeps.
    #[cfg(test)]
    pub(super) const fn state(&self) -> &S {
        &self.state
    }

    /// Tells the listener that it is over.
    pub(super) fn tell_ended<H>(self, reason: EndReason, seen: PacketRef, handler: &mut H)
    where
        H: Handler<State = S>,
    {
        handler.ended(&self.flow, self.state, reason, seen);
    }

    /// The payload of a segment like most are: the next one, with nothing out of order either way. Its acknowledgment is
    /// taken. `None` for any other segment, of which nothing is taken.
    fn in_order<'i>(&mut self, side: Side, segment: &Segment<'i>) -> Option<&'i [u8]> {
        let TcpFlags { syn, ack, fin, rst } = segment.flags;
        let (mine, theirs) = self.assemblers.both_mut(side);
        if syn || fin || rst || segment.cut > 0 || self.beginning.awaits_ack || !mine.expects(segment.seq) {
            return None;
        }
        if theirs.is_waiting() || (ack && !theirs.acknowledge_known(segment.ack)) {
            return None;
        }
        Some(segment.payload)
    }

    fn arrive<H: Handler<State = S>>(
        &mut self,
        side: Side,
        segment: &Segment<'_>,
        turn: &mut Turn<'_, H>,
    ) -> Result<Fate, Dropped> {
        if segment.flags.syn || self.beginning.awaits_ack || !self.assemblers.get(side).has_begun() {
            self.greet(side, segment);
        }
        let Some(distance) = self.place(side, segment, turn)? else {
            return Ok(Fate::Lives);
        };
        let (mine, theirs) = self.assemblers.both_mut(side);
        mine.count_packet();
        theirs.count_packet();
        if segment.flags.ack {
            theirs.acknowledge(segment.ack, segment.seen, turn.budget);
        }
        if theirs.is_waiting() {
            // What was acknowledged came before what is sent now.
            let fate = self.drain(side.other(), Input::nothing(segment.seen), turn)?;
            if fate != Fate::Lives {
                return Ok(fate);
            }
        }
        let mine = self.assemblers.get_mut(side);
        if mine.has_ended() {
            return Ok(Fate::Lives);
        }
        let (input, end) = mine.input(distance, segment);
        if let Some(end) = end.filter(|_| segment.flags.fin) {
            mine.finish_at(end, segment.seen, turn.budget);
        }
        self.drain(side, input, turn)
    }

    /// A RST ends both directions if it can be genuine. Its payload is a text about why, not bytes of the stream
    /// (RFC 1122 §4.2.2.12).
    fn reset<H: Handler<State = S>>(
        &mut self,
        side: Side,
        segment: &Segment<'_>,
        turn: &mut Turn<'_, H>,
    ) -> Result<Fate, Dropped> {
        let (mine, theirs) = self.assemblers.both_mut(side);
        let genuine = if mine.has_begun() {
            mine.accepts_rst(segment.seq)
        } else {
            segment.flags.ack && theirs.accepts_ack(segment.ack)
        };
        if !genuine {
            return Ok(Fate::Lives);
        }
        self.end_both(EndReason::Rst(side.direction(self.beginning.client)), turn)
    }

    /// Learns who began and where; a direction of which nothing else is known begins with its first byte.
    fn greet(&mut self, side: Side, segment: &Segment<'_>) {
        if self.beginning.observe(side, segment) && self.flow.carrier.handshake_us.is_none() {
            self.flow.carrier.handshake_us = Some(segment.seen.at.micros_since(self.flow.carrier.first.at));
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

    /// How far the segment lies beyond the next byte of its direction, or `None` if it belongs to no window. A
    /// direction that has not begun has no bytes: any distance is right.
    fn place<H: Handler<State = S>>(
        &mut self,
        side: Side,
        segment: &Segment<'_>,
        turn: &mut Turn<'_, H>,
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
        let len = low_32((segment.payload.len() as u64).saturating_add(u64::from(segment.cut)));
        if mine.has_ended() || !mine.strays_to(seq, len, segment.seen, turn.budget) {
            return Ok(None);
        }
        self.flush(side, turn)?;
        let assembler = self.assemblers.get_mut(side);
        assembler.jump(seq, turn.budget);
        let chunk = Chunk { offset: assembler.next_offset(), run: Run::Gap(None), seen: turn.seen };
        self.hand_up(side, chunk, turn)?;
        Ok(Some(0))
    }

    /// Hands up all that `input` and the time bring in the direction of `side`, and its end if it has come.
    fn drain<H: Handler<State = S>>(
        &mut self,
        side: Side,
        mut input: Input<'_>,
        turn: &mut Turn<'_, H>,
    ) -> Result<Fate, Dropped> {
        while let Some(piece) = self.assemblers.get_mut(side).next(&mut input, turn.budget) {
            self.hand_up(side, piece.chunk(), turn)?;
        }
        if input.again || input.overtook > 0 {
            self.note(side, &input, turn);
        }
        if self.assemblers.get(side).is_at_fin() {
            return self.end(side, EndReason::Fin, turn);
        }
        Ok(Fate::Lives)
    }

    /// Counts segments that did not come in order, and tells if it differs from what came before.
    fn note<H>(&mut self, side: Side, input: &Input<'_>, turn: &mut Turn<'_, H>)
    where
        H: Handler<State = S>,
    {
        let direction = side.direction(self.beginning.client);
        let counters = self.flow.counters.get_mut(direction);
        counters.retransmissions = counters.retransmissions.saturating_add(u32::from(input.again));
        counters.out_of_order = counters.out_of_order.saturating_add(input.overtook);
        if let Some(offset) = input.conflict {
            let anomaly = Anomaly::OverlapConflict { offset };
            turn.handler.anomaly(&self.flow, &mut self.state, direction, anomaly, turn.seen);
        }
    }

    fn end_both<H>(&mut self, reason: EndReason, turn: &mut Turn<'_, H>) -> Result<Fate, Dropped>
    where
        H: Handler<State = S>,
    {
        let client = self.beginning.client;
        for side in [client, client.other()] {
            if self.assemblers.get(side).has_ended() {
                continue;
            }
            self.flush(side, turn)?;
            let why = if self.assemblers.get(side).has_fin() { EndReason::Fin } else { reason };
            self.end(side, why, turn)?;
        }
        Ok(Fate::Over(reason))
    }

    fn flush<H>(&mut self, side: Side, turn: &mut Turn<'_, H>) -> Result<(), Dropped>
    where
        H: Handler<State = S>,
    {
        while let Some(piece) = self.assemblers.get_mut(side).flush(turn.seen, turn.budget) {
            self.hand_up(side, piece.chunk(), turn)?;
        }
        Ok(())
    }

    fn end<H>(&mut self, side: Side, reason: EndReason, turn: &mut Turn<'_, H>) -> Result<Fate, Dropped>
    where
        H: Handler<State = S>,
    {
        let assembler = self.assemblers.get_mut(side);
        // A hole may have held the FIN up.
        let fin_seen = assembler.fin_seen().filter(|_| reason == EndReason::Fin);
        assembler.end(turn.budget);
        let seen = fin_seen.unwrap_or(turn.seen);
        let chunk = Chunk { offset: assembler.next_offset(), run: Run::End(reason), seen };
        self.hand_up(side, chunk, turn)?;
        let both = self.assemblers.get(side.other()).has_ended();
        Ok(if both { Fate::Over(reason) } else { Fate::Lives })
    }

    fn hand_up<H>(&mut self, side: Side, chunk: Chunk<'_>, turn: &mut Turn<'_, H>) -> Result<(), Dropped>
    where
        H: Handler<State = S>,
    {
        let direction = side.direction(self.beginning.client);
        let interest = turn.handler.chunk(&mut self.flow, &mut self.state, direction, chunk);
        if self.flow.carrier.take_reversed() {
            self.beginning.client = self.beginning.client.other();
        }
        match interest {
            Interest::Keep => {}
            Interest::Retain => self.wants_time = true,
            Interest::Drop => return Err(Dropped),
        }
        Ok(())
    }
}

fn settle(fate: Result<Fate, Dropped>) -> Fate {
    fate.unwrap_or(Fate::Dropped)
}

/// Client and server of the connection whose `side` sent `segment`.
fn endpoints(client: Side, side: Side, segment: &Segment<'_>) -> [Endpoint; 2] {
    if side == client { [segment.src, segment.dst] } else { [segment.dst, segment.src] }
}

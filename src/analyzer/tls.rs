//! A connection that speaks TLS: what is inside is a session of its own, as if it came from TCP.
//!
//! Pieces that wait for a secret, or for the other direction, are kept within limits, with the packets that carried them.
//! A connection that stays closed is told of where it may carry WebSocket, or where all were asked for; and counted.

use super::identity::identify;
use super::pending::{Pending, left_of, rest_of};
use super::session::Session;
use super::shared::Out;
use super::websocket::Conversation;
use crate::event::{Identity, Outcome, Sink, Summary, What};
use crate::http::{Sniffed, sniff};
use crate::stream::{Chunk, EndReason, Interest, Run};
use crate::tcp::{Depth, Flow};
use crate::tls::{RecordEvent, TlsConnection, Undecryptable, WaitsFor};
use crate::types::{Detail, Direction, FindingCode, PacketRef, PerDirection, Sketch};
use crate::websocket::Handshake;

/// What a piece that waits costs besides its bytes.
const PIECE_OVERHEAD: usize = 64;
/// TLS within TLS that is looked into.
pub(super) const MAX_DEPTH: u8 = 3;

/// One connection.
#[derive(Default)]
pub(super) struct Tls {
    decryptor: TlsConnection,
    inner: Session,
    waiting: PerDirection<Pending>,
    /// Bytes that wait, as they were counted.
    waiting_bytes: usize,
    /// The key log as it was when everything that waits was last offered.
    generation: u64,
    /// Plaintext so far.
    offsets: PerDirection<u64>,
    /// Bytes were lost before any plaintext came.
    early_gaps: PerDirection<bool>,
    ends: PerDirection<Option<(EndReason, PacketRef)>>,
    /// What the session inside last wanted.
    interest: Option<Interest>,
    /// It stays closed, and that was counted; or it is a WebSocket, and its server was noted.
    counted: bool,
}

impl Tls {
    /// Takes the next piece of one direction.
    pub(super) fn chunk<S: Sink>(
        &mut self,
        flow: &mut Flow,
        direction: Direction,
        chunk: Chunk<'_>,
        out: &mut Out<'_, S>,
    ) -> Result<Interest, S::Error> {
        let Chunk { run, seen, .. } = chunk;
        if let Run::End(reason) = run {
            self.ends.get_mut(direction).get_or_insert((reason, seen));
        }
        let busy = self.decryptor.waits_for(direction).is_some() || !self.waiting.get(direction).is_empty();
        let (mut run, mut left) = (run, left_of(run));
        while !busy && left > 0 {
            left = self.take(flow, direction, run, seen, out)?;
            run = rest_of(run, left);
            // It may only have stepped back for the other direction.
            let turn = self.decryptor.progress();
            if left > 0 {
                self.drain(flow, out)?;
            }
            if turn == self.decryptor.progress() {
                break;
            }
        }
        if left > 0 {
            self.wait(direction, run, seen, out)?;
        }
        let other = direction.reverse();
        let stuck = |direction| self.decryptor.waits_for(direction);
        let fresh = out.shared.keys.generation() != self.generation;
        if stuck(other).is_some() || stuck(direction).is_some() && fresh || busy {
            self.drain(flow, out)?;
        }
        if Direction::BOTH.into_iter().any(|way| self.waits_for_secret(way)) {
            out.shared.lacks_secrets = true;
            if !out.shared.expect_secrets {
                self.give_up(seen, out)?;
                self.drain(flow, out)?;
            }
        }
        Ok(self.interest(flow, out))
    }

    /// Whether more is wanted of it.
    pub(super) fn wants(&self) -> Interest {
        match self.decryptor.undecryptable() {
            Some(_) if self.counted => Interest::Drop,
            Some(_) => Interest::Keep,
            None => self.interest.unwrap_or(Interest::Keep),
        }
    }

    /// Bytes that it keeps, itself included, without what the session inside does.
    pub(super) fn held(&self) -> usize {
        size_of::<Self>() + self.decryptor.held() + self.waiting.to_server.held() + self.waiting.to_client.held()
    }

    /// Bytes that the session inside keeps.
    #[cfg(test)]
    pub(super) fn inner_held(&self) -> usize {
        self.inner.held()
    }

    /// It goes without an end: what the session inside kept is kept no more, nor is what waits.
    pub(super) fn drop_count<S: Sink>(&mut self, out: &mut Out<'_, S>) {
        self.release(out);
        self.inner.drop_count(out);
    }

    /// Bytes that [`Self::shed`] would let go.
    pub(super) fn sheddable_bytes(&self, depth: Depth) -> usize {
        self.waiting_bytes.saturating_add(self.inner.sheddable_bytes(depth))
    }

    /// Memory is spent: what waits for secrets becomes a hole, and the session inside lets go of what it can. Gives how many
    /// bytes went here; those inside are counted there.
    pub(super) fn shed<S: Sink>(
        &mut self,
        flow: &Flow,
        depth: Depth,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<u64, S::Error> {
        let gone = self.waiting_bytes as u64;
        if gone > 0 {
            self.decryptor.overflow();
            self.release(out);
        }
        self.inner.shed(flow, depth, seen, &mut out.inside(self.decryptor.info()))?;
        Ok(gone)
    }

    /// The connection is over.
    pub(super) fn ended<S: Sink>(
        mut self,
        flow: &Flow,
        reason: EndReason,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        let mut flow = flow.clone();
        // Once for what the other direction will not say any more, once for secrets, each at most.
        for _ in 0..4 {
            self.drain(&mut flow, out)?;
            self.give_up(seen, out)?;
        }
        self.drain(&mut flow, out)?;
        self.release(out);
        if let Some(why) = self.decryptor.undecryptable() {
            self.count(why, &flow, out);
            self.inner.drop_count(out);
            return if self.is_listed(&flow, out) { self.list(why, &flow, seen, out) } else { Ok(()) };
        }
        let mut inside = out.inside(self.decryptor.info());
        self.inner.ended(&flow, reason, seen, &mut inside)
    }

    /// Two copies of the same bytes differ.
    pub(super) fn fault<S: Sink>(
        &mut self,
        direction: Direction,
        broken: (FindingCode, Detail),
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        self.inner.fault(direction, broken, seen, &mut out.inside(self.decryptor.info()))
    }

    /// Gives a piece to the decryptor, and what comes out to the session inside. Says how much of it was left.
    fn take<S: Sink>(
        &mut self,
        flow: &mut Flow,
        direction: Direction,
        run: Run<'_>,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<usize, S::Error> {
        match run {
            Run::Data(mut input) => {
                let mut scratch = core::mem::take(&mut out.shared.tls_scratch);
                let mut result = Ok(());
                while let Some(step) = self.decryptor.next(direction, &mut input, seen, &out.shared.keys, &mut scratch)
                {
                    result = self.step(flow, direction, step, seen, out);
                    if result.is_err() {
                        break;
                    }
                }
                out.shared.tls_scratch = scratch;
                if let Some(session) = self.decryptor.take_session() {
                    out.shared.keys.remember(&session);
                }
                result.map(|()| input.len())
            }
            _ if self.decryptor.waits_for(direction).is_some() => Ok(1),
            Run::Gap(len) => {
                self.decryptor.gap(direction, len, &mut out.shared.tls_scratch);
                self.lose(flow, direction, seen, out)?;
                Ok(0)
            }
            Run::End(reason) => {
                self.pass(flow, direction, Run::End(reason), seen, out)?;
                Ok(0)
            }
        }
    }

    /// What came out of a record.
    fn step<S: Sink>(
        &mut self,
        flow: &mut Flow,
        direction: Direction,
        step: RecordEvent<'_>,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        match step {
            RecordEvent::Data(bytes) => {
                if core::mem::take(self.early_gaps.get_mut(direction)) && sniff(bytes) == Sniffed::Neither {
                    self.pass(flow, direction, Run::Gap(None), seen, out)?;
                }
                self.pass(flow, direction, Run::Data(bytes), seen, out)
            }
            RecordEvent::Rejected => {
                let broken = (FindingCode::TlsRecordRejected, Detail::None);
                self.inner.fault(direction, broken, seen, &mut out.inside(self.decryptor.info()))?;
                self.lose(flow, direction, seen, out)
            }
            RecordEvent::CloseNotify => Ok(()),
        }
    }

    /// Bytes of unknown number are missing in what is inside.
    fn lose<S: Sink>(
        &mut self,
        flow: &mut Flow,
        direction: Direction,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        if self.decryptor.undecryptable().is_some() {
            return Ok(());
        }
        if *self.offsets.get(direction) == 0 {
            // It may have been nothing but the handshake: the first plaintext tells.
            *self.early_gaps.get_mut(direction) = true;
            return Ok(());
        }
        self.pass(flow, direction, Run::Gap(None), seen, out)
    }

    /// Hands a piece of plaintext to the session inside.
    fn pass<S: Sink>(
        &mut self,
        flow: &mut Flow,
        direction: Direction,
        run: Run<'_>,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        if self.interest == Some(Interest::Drop) {
            return Ok(());
        }
        let offset = *self.offsets.get(direction);
        if let Run::Data(bytes) = run {
            *self.offsets.get_mut(direction) = offset.saturating_add(bytes.len() as u64);
        }
        let mut inside = out.inside(self.decryptor.info());
        self.interest = Some(self.inner.chunk(flow, direction, Chunk { offset, run, seen }, &mut inside)?);
        Ok(())
    }

    /// Offers what waits, until nothing goes on.
    fn drain<S: Sink>(&mut self, flow: &mut Flow, out: &mut Out<'_, S>) -> Result<(), S::Error> {
        self.generation = out.shared.keys.generation();
        let mut any = true;
        while any {
            let before = self.decryptor.progress();
            any = false;
            for direction in Direction::BOTH {
                if self.decryptor.waits_for(direction).is_none() && self.waiting.get(direction).is_empty() {
                    continue;
                }
                // A record may wait in the decryptor alone.
                let last = flow.carrier.last;
                self.take(flow, direction, Run::Data(&[]), last, out)?;
                let mut waiting = core::mem::take(self.waiting.get_mut(direction));
                any |= waiting.offer(|run, seen| self.take(flow, direction, run, seen, out))?;
                *self.waiting.get_mut(direction) = waiting;
            }
            any |= self.decryptor.progress() != before;
        }
        if self.waiting.to_server.is_empty() && self.waiting.to_client.is_empty() {
            self.release(out);
        }
        Ok(())
    }

    /// Lets a piece wait, if there is room.
    fn wait<S: Sink>(
        &mut self,
        direction: Direction,
        run: Run<'_>,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        let len = if let Run::Data(data) = run { data.len() } else { 0 };
        let cost = len.saturating_add(PIECE_OVERHEAD);
        let limits = &out.shared.limits;
        let mine = self.waiting_bytes.saturating_add(cost);
        if mine > limits.max_tls_waiting_bytes
            || out.shared.tls_waiting.saturating_add(cost) > limits.max_tls_waiting_total_bytes
        {
            self.decryptor.overflow();
            self.release(out);
            // A connection that was opened in part has findings of its own; of others, their list says it.
            return match self.decryptor.undecryptable() {
                Some(_) => Ok(()),
                None => {
                    let why = Detail::text(Undecryptable::WaitedTooLong.to_string());
                    self.fault(direction, (FindingCode::TlsUndecryptable, why), seen, out)
                }
            };
        }
        self.waiting_bytes = mine;
        out.shared.tls_waiting = out.shared.tls_waiting.saturating_add(cost);
        self.waiting.get_mut(direction).push(run, seen, usize::MAX);
        Ok(())
    }

    /// Nothing waits any more.
    fn release<S: Sink>(&mut self, out: &mut Out<'_, S>) {
        self.waiting = PerDirection::default();
        out.shared.tls_waiting = out.shared.tls_waiting.saturating_sub(core::mem::take(&mut self.waiting_bytes));
    }

    fn waits_for_secret(&self, direction: Direction) -> bool {
        self.decryptor.waits_for(direction) == Some(WaitsFor::Secret)
    }

    /// Nothing will come that a direction waits for. What was opened in part is told of inside.
    fn give_up<S: Sink>(&mut self, seen: PacketRef, out: &mut Out<'_, S>) -> Result<(), S::Error> {
        if self.decryptor.undecryptable().is_some() {
            return Ok(());
        }
        let stuck = Direction::BOTH.into_iter().find(|direction| self.decryptor.waits_for(*direction).is_some());
        match (self.decryptor.give_up(&out.shared.keys), stuck) {
            (Some(why), Some(direction)) if self.decryptor.undecryptable().is_none() => {
                self.fault(direction, (FindingCode::TlsUndecryptable, Detail::text(why.to_string())), seen, out)
            }
            _ => Ok(()),
        }
    }

    /// Whether more is wanted of the connection.
    fn interest<S: Sink>(&mut self, flow: &Flow, out: &mut Out<'_, S>) -> Interest {
        let Some(why) = self.decryptor.undecryptable() else {
            let interest = self.interest.unwrap_or(Interest::Keep);
            if interest == Interest::Retain && !core::mem::replace(&mut self.counted, true) {
                out.shared.note_websocket_host(flow, self.decryptor.info());
            }
            if interest == Interest::Drop {
                self.release(out);
            }
            return interest;
        };
        self.release(out);
        if self.decryptor.is_judged() && !self.is_listed(flow, out) {
            self.count(why, flow, out);
            return Interest::Drop;
        }
        Interest::Keep
    }

    /// Whether it is told of although it stays closed: there is a reason to think that it carries WebSocket, or all were
    /// asked for.
    fn is_listed<S: Sink>(&self, flow: &Flow, out: &Out<'_, S>) -> bool {
        let may_be = !matches!(self.decryptor.undecryptable(), Some(Undecryptable::HandshakeFailed(..)));
        out.shared.list_tls
            || may_be
                && (self.decryptor.looks_like_websocket() || out.shared.is_websocket_host(flow, self.decryptor.info()))
    }

    fn count<S: Sink>(&mut self, why: Undecryptable, flow: &Flow, out: &mut Out<'_, S>) {
        if !core::mem::replace(&mut self.counted, true) {
            out.shared.count_closed(why, flow, self.decryptor.info());
        }
    }

    /// Tells of a connection that stays closed.
    fn list<S: Sink>(
        &self,
        why: Undecryptable,
        flow: &Flow,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        let mut inside = out.inside(self.decryptor.info());
        let identity = identify(flow, &mut 0, &mut inside);
        let at = self.decryptor.info().hello.unwrap_or(flow.carrier.first);
        closed_tls(identity, (why, at), flow, self.ends, seen, &mut inside)
    }
}

/// Tells of a TLS connection that may be a WebSocket and stays closed; its ClientHello came with the packet given.
fn closed_tls<S: Sink>(
    identity: Identity,
    (why, at): (Undecryptable, PacketRef),
    flow: &Flow,
    tcp_ends: PerDirection<Option<(EndReason, PacketRef)>>,
    seen: PacketRef,
    out: &mut Out<'_, S>,
) -> Result<(), S::Error> {
    let mut conversation = Conversation::new(identity);
    let detail = Detail::text(why.to_string());
    conversation.tell((FindingCode::TlsUndecryptable, detail), None, at, out)?;
    let summary = Summary {
        handshake: Handshake::default(),
        handshake_seen: false,
        opened: None,
        last: flow.carrier.last,
        last_byte: None,
        outcome: Outcome::Unknown,
        closed_by: None,
        close_code: None,
        close_reason: Vec::new(),
        clean: None,
        closes: PerDirection::default(),
        tcp_ends,
        tcp_handshake_us: flow.carrier.handshake_us,
        traffic: PerDirection::default(),
        ping_rtts_us: Sketch::default(),
        longest_silence: None,
        http2: None,
        findings: conversation.findings.into_counts(),
        tls: out.tls.cloned().map(Box::new),
    };
    out.say(&conversation.identity, seen, None, What::Closed(&summary))
}

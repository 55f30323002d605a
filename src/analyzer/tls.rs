//! A connection that speaks TLS: its plaintext goes to a session of its own, as if it came from TCP.
//!
//! In: runs of both directions, and secrets. Out: plaintext, to the session inside; and of a connection that stays closed an
//! event, where it may carry WebSocket or where all are to be listed, or a count. Records are opened in the `tls`
//! layer. Runs that wait for a secret, or for the other direction, are kept within limits, with the packets that carried them.

use super::conversation::{Conversation, Ending};
use super::identity::identify;
use super::leftover::Leftover;
use super::memory::Growth;
use super::pending::Pending;
use super::turn::Turn;
use super::verdict::Verdict;
use crate::event::Sink;
use crate::http::{Sniffed, sniff};
use crate::stream::{EndReason, Interest, Run};
use crate::tcp::Depth;
use crate::tls::{DecryptContext, RecordEvent, TlsConnection, Undecryptable, WaitsFor};
use crate::types::{Detail, Direction, FindingCode, PacketRef, PerDirection};
use crate::websocket::Handshake;
use crate::websocket::Violation;

/// What a run that waits costs besides its bytes.
const RUN_OVERHEAD: usize = 64;
/// TLS within TLS that is looked into.
pub(super) const MAX_DEPTH: u8 = 3;

/// The consumer of the plaintext: a session, as the one that has the TLS connection.
pub(super) trait Inner: Default {
    /// Takes the next run of one direction.
    fn run<S: Sink>(&mut self, direction: Direction, run: Run<'_>, turn: &mut Turn<'_, S>) -> Interest;

    /// Something is wrong in the layers before.
    fn fault<S: Sink>(&mut self, direction: Direction, violation: Violation, turn: &mut Turn<'_, S>);

    /// The connection is over.
    fn ended<S: Sink>(self, reason: EndReason, turn: &mut Turn<'_, S>);

    /// Bytes that [`Self::shed`] would free.
    fn sheddable_bytes(&self, depth: Depth) -> usize;

    /// Memory is spent: frees what it can.
    fn shed<S: Sink>(&mut self, depth: Depth, turn: &mut Turn<'_, S>) -> Interest;

    /// It goes without an end: what it kept is counted no more.
    fn discard<S: Sink>(&mut self, turn: &mut Turn<'_, S>);
}

/// One connection.
#[derive(Default)]
pub(super) struct Tls<I> {
    connection: TlsConnection,
    inner: I,
    waiting: PerDirection<Pending>,
    /// Bytes that wait, as they were counted.
    waiting_bytes: usize,
    /// The key log as it was when everything that waits was last offered.
    generation: u64,
    /// Whether a direction has had plaintext.
    has_plaintext: PerDirection<bool>,
    /// Bytes were lost before any plaintext came.
    early_gaps: PerDirection<bool>,
    ends: PerDirection<Option<(EndReason, PacketRef)>>,
    /// What the session inside last wanted.
    interest: Option<Interest>,
    /// It stays closed, and that was counted; or it is a WebSocket, and its server was noted.
    counted: bool,
}

impl<I: Inner> Tls<I> {
    /// Takes the next run of one direction.
    pub(super) fn run<S: Sink>(&mut self, direction: Direction, run: Run<'_>, turn: &mut Turn<'_, S>) -> Interest {
        if let Run::End(reason) = run {
            self.ends.get_mut(direction).get_or_insert((reason, turn.seen));
        }
        let busy = self.connection.waits_for(direction).is_some() || !self.waiting.get(direction).is_empty();
        let mut left = Leftover::all(run);
        while let Leftover::Rest(rest) = left
            && !busy
        {
            left = self.open(direction, rest, turn);
            // It may only have stepped back for the other direction.
            let progress = self.connection.progress();
            if !left.is_nothing() {
                self.drain(turn);
            }
            if progress == self.connection.progress() {
                break;
            }
        }
        self.wait(direction, left, turn);
        let stuck = |direction| self.connection.waits_for(direction).is_some();
        let fresh = turn.shared.keys.generation() != self.generation;
        if stuck(direction.reverse()) || stuck(direction) && fresh || busy {
            self.drain(turn);
        }
        if Direction::BOTH.into_iter().any(|way| self.connection.waits_for(way) == Some(WaitsFor::Secret)) {
            turn.shared.lacks_secrets = true;
            if !turn.shared.expect_secrets {
                self.give_up(turn);
                self.drain(turn);
            }
        }
        self.interest(turn)
    }

    /// Whether more is wanted of it.
    pub(super) fn wants(&self) -> Interest {
        match self.connection.undecryptable() {
            Some(_) if self.counted => Interest::Drop,
            Some(_) => Interest::Keep,
            None => self.interest.unwrap_or(Interest::Keep),
        }
    }

    /// Bytes that it keeps, itself included, without what the session inside does.
    pub(super) fn held(&self) -> usize {
        size_of::<Self>() + self.connection.held() + self.waiting.to_server.held() + self.waiting.to_client.held()
    }

    /// The session inside.
    #[cfg(test)]
    pub(super) const fn inner(&self) -> &I {
        &self.inner
    }

    /// It goes without an end: what waits, and what the session inside kept, is counted no more.
    pub(super) fn discard<S: Sink>(&mut self, turn: &mut Turn<'_, S>) {
        self.release(turn);
        self.inner.discard(turn);
    }

    /// Bytes that [`Self::shed`] would free.
    pub(super) fn sheddable_bytes(&self, depth: Depth) -> usize {
        self.waiting_bytes.saturating_add(self.inner.sheddable_bytes(depth))
    }

    /// Memory is spent: what waits for secrets becomes a gap, and the session inside frees what it can. Gives how many bytes
    /// went here; those inside are counted there.
    pub(super) fn shed<S: Sink>(&mut self, depth: Depth, turn: &mut Turn<'_, S>) -> u64 {
        let gone = self.waiting_bytes as u64;
        if gone > 0 {
            self.connection.overflow();
            self.release(turn);
        }
        self.inner.shed(depth, &mut turn.inside(self.connection.info()));
        gone
    }

    /// The connection is over.
    pub(super) fn ended<S: Sink>(mut self, reason: EndReason, turn: &mut Turn<'_, S>) {
        // Once for the bytes that the other direction will not send, once for secrets, each at most.
        for _ in 0..4 {
            self.drain(turn);
            self.give_up(turn);
        }
        self.drain(turn);
        self.release(turn);
        let Some(why) = self.connection.undecryptable() else {
            self.inner.ended(reason, &mut turn.inside(self.connection.info()));
            return;
        };
        self.count(why, turn);
        self.inner.discard(turn);
        if self.is_listed(turn) {
            self.list(why, turn);
        }
    }

    /// Something is wrong in the layers before.
    pub(super) fn fault<S: Sink>(
        &mut self,
        direction: Direction,
        violation: Violation,
        turn: &mut Turn<'_, S>,
    ) -> Growth {
        self.inner.fault(direction, violation, &mut turn.inside(self.connection.info()));
        // The session inside counts itself, and nothing is kept here.
        Growth::NONE
    }

    /// Gives a run to the TLS connection, and the plaintext to the session inside. Gives what was left of it.
    fn open<'r, S: Sink>(&mut self, direction: Direction, run: Run<'r>, turn: &mut Turn<'_, S>) -> Leftover<'r> {
        match run {
            Run::Data(mut input) => {
                let mut scratch = core::mem::take(&mut turn.shared.tls_scratch);
                loop {
                    let (keys, scratch, seen) = (&turn.shared.keys, &mut scratch, turn.seen);
                    let context = DecryptContext { keys, scratch, seen };
                    let Some(event) = self.connection.next(direction, &mut input, context) else { break };
                    self.record(direction, event, turn);
                }
                turn.shared.tls_scratch = scratch;
                if let Some(session) = self.connection.take_session() {
                    turn.shared.keys.remember(&session);
                }
                return Leftover::bytes(input);
            }
            _ if self.connection.waits_for(direction).is_some() => return Leftover::all(run),
            Run::Gap(len) => {
                self.connection.gap(direction, len, &mut turn.shared.tls_scratch);
                self.lose(direction, turn);
            }
            Run::End(reason) => self.pass(direction, Run::End(reason), turn),
        }
        Leftover::Nothing
    }

    /// What came out of a record.
    fn record<S: Sink>(&mut self, direction: Direction, event: RecordEvent<'_>, turn: &mut Turn<'_, S>) {
        match event {
            RecordEvent::Data(bytes) => {
                if core::mem::take(self.early_gaps.get_mut(direction)) && sniff(bytes) == Sniffed::Neither {
                    self.pass(direction, Run::Gap(None), turn);
                }
                self.pass(direction, Run::Data(bytes), turn);
            }
            RecordEvent::Rejected => {
                let violation = (FindingCode::TlsRecordRejected, Detail::None);
                self.inner.fault(direction, violation, &mut turn.inside(self.connection.info()));
                self.lose(direction, turn);
            }
            RecordEvent::CloseNotify => {}
        }
    }

    /// Bytes of unknown number are missing in the plaintext.
    fn lose<S: Sink>(&mut self, direction: Direction, turn: &mut Turn<'_, S>) {
        if self.connection.undecryptable().is_some() {
            return;
        }
        if *self.has_plaintext.get(direction) {
            self.pass(direction, Run::Gap(None), turn);
        } else {
            // It may have been nothing but the handshake: the first plaintext shows it.
            *self.early_gaps.get_mut(direction) = true;
        }
    }

    /// Hands a run of plaintext to the session inside.
    fn pass<S: Sink>(&mut self, direction: Direction, run: Run<'_>, turn: &mut Turn<'_, S>) {
        if self.interest == Some(Interest::Drop) {
            return;
        }
        if let Run::Data(bytes) = run {
            *self.has_plaintext.get_mut(direction) |= !bytes.is_empty();
        }
        let inside = &mut turn.inside(self.connection.info());
        self.interest = Some(self.inner.run(direction, run, inside));
    }

    /// Offers what waits, until nothing goes on.
    fn drain<S: Sink>(&mut self, turn: &mut Turn<'_, S>) {
        self.generation = turn.shared.keys.generation();
        let mut any = true;
        while any {
            let before = self.connection.progress();
            any = false;
            for direction in Direction::BOTH {
                if self.connection.waits_for(direction).is_none() && self.waiting.get(direction).is_empty() {
                    continue;
                }
                // A record may wait in the TLS connection alone: no bytes, no leftover.
                let last = turn.flow.carrier.last;
                _ = self.open(direction, Run::Data(&[]), &mut turn.at(last));
                let mut waiting = core::mem::take(self.waiting.get_mut(direction));
                any |= waiting.offer(|run, seen| self.open(direction, run, &mut turn.at(seen)));
                *self.waiting.get_mut(direction) = waiting;
            }
            any |= self.connection.progress() != before;
        }
        if self.waiting.to_server.is_empty() && self.waiting.to_client.is_empty() {
            self.release(turn);
        }
    }

    /// Keeps what was left of a run, if there is room.
    fn wait<S: Sink>(&mut self, direction: Direction, left: Leftover<'_>, turn: &mut Turn<'_, S>) {
        let Leftover::Rest(run) = left else { return };
        let cost = left.byte_count().saturating_add(RUN_OVERHEAD);
        let limits = &turn.shared.limits;
        let mine = self.waiting_bytes.saturating_add(cost);
        if mine > limits.max_tls_waiting_bytes
            || turn.shared.tls_waiting.saturating_add(cost) > limits.max_tls_waiting_total_bytes
        {
            self.connection.overflow();
            self.release(turn);
            // A connection that was opened in part has findings of its own; of others, their list has it.
            if self.connection.undecryptable().is_none() {
                self.undecryptable(direction, Undecryptable::WaitedTooLong, turn);
            }
            return;
        }
        self.waiting_bytes = mine;
        turn.shared.tls_waiting = turn.shared.tls_waiting.saturating_add(cost);
        self.waiting.get_mut(direction).push(run, turn.seen, usize::MAX);
    }

    /// Nothing waits any more.
    fn release<S: Sink>(&mut self, turn: &mut Turn<'_, S>) {
        self.waiting = PerDirection::default();
        turn.shared.tls_waiting = turn.shared.tls_waiting.saturating_sub(core::mem::take(&mut self.waiting_bytes));
    }

    /// Nothing will come that a direction waits for. What was opened in part gets a finding inside.
    fn give_up<S: Sink>(&mut self, turn: &mut Turn<'_, S>) {
        if self.connection.undecryptable().is_some() {
            return;
        }
        let stuck = Direction::BOTH.into_iter().find(|direction| self.connection.waits_for(*direction).is_some());
        if let (Some(why), Some(direction)) = (self.connection.give_up(&turn.shared.keys), stuck)
            && self.connection.undecryptable().is_none()
        {
            self.undecryptable(direction, why, turn);
        }
    }

    /// One direction of a connection that was opened in part cannot be opened any more.
    fn undecryptable<S: Sink>(&mut self, direction: Direction, why: Undecryptable, turn: &mut Turn<'_, S>) {
        let violation = (FindingCode::TlsUndecryptable, Detail::text(why.to_string()));
        self.inner.fault(direction, violation, &mut turn.inside(self.connection.info()));
    }

    /// Whether more is wanted of the connection.
    fn interest<S: Sink>(&mut self, turn: &mut Turn<'_, S>) -> Interest {
        let Some(why) = self.connection.undecryptable() else {
            let interest = self.interest.unwrap_or(Interest::Keep);
            if interest == Interest::Retain && !core::mem::replace(&mut self.counted, true) {
                turn.shared.note_websocket_host(turn.flow, self.connection.info());
            }
            if interest == Interest::Drop {
                self.release(turn);
            }
            return interest;
        };
        self.release(turn);
        if self.connection.is_judged() && !self.is_listed(turn) {
            self.count(why, turn);
            return Interest::Drop;
        }
        Interest::Keep
    }

    /// Whether it is listed although it stays closed: it may well carry WebSocket, or all are to be listed.
    fn is_listed<S: Sink>(&self, turn: &Turn<'_, S>) -> bool {
        let may_be = !matches!(self.connection.undecryptable(), Some(Undecryptable::HandshakeFailed(..)));
        let is_host = || turn.shared.is_websocket_host(turn.flow, self.connection.info());
        turn.shared.list_tls || may_be && (self.connection.looks_like_websocket() || is_host())
    }

    fn count<S: Sink>(&mut self, why: Undecryptable, turn: &mut Turn<'_, S>) {
        if !core::mem::replace(&mut self.counted, true) {
            turn.shared.count_closed(why, turn.flow, self.connection.info());
        }
    }

    /// Emits a connection that may be a WebSocket and stays closed.
    fn list<S: Sink>(&self, why: Undecryptable, turn: &mut Turn<'_, S>) {
        let inside = &mut turn.inside(self.connection.info());
        let mut conversation = Conversation::new(identify(&mut 0, inside), inside.shared);
        conversation.emit_carriers(inside);
        let hello = self.connection.info().hello.unwrap_or(inside.flow.carrier.first);
        let violation = (FindingCode::TlsUndecryptable, Detail::text(why.to_string()));
        // The conversation ends here: nothing of it is kept.
        conversation.record((violation, None, hello), inside).counted_anyway();
        let ending = Ending {
            handshake: Handshake::default(),
            handshake_seen: false,
            opened: None,
            last: inside.flow.carrier.last,
            last_byte: None,
            verdict: Verdict::UNKNOWN,
            tcp_ends: self.ends,
            traffic: PerDirection::default(),
            http2: None,
        };
        conversation.summary(ending, inside);
    }
}

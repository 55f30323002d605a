//! One connection, of TCP or inside TLS: the protocol on it, from its first bytes to its end.
//!
//! In: runs of both directions, in order. Out: nothing of its own; the protocol at hand emits events. Runs that it cannot take
//! yet wait, with the packets that carried it; a protocol that ends (HTTP at a 101, the beginning of a tunnel)
//! leaves its bytes to the next.
//!
//! ```text
//!              ┌──────────────── a tunnel ◀────────────────┐
//!              ▼                                           │
//!  begin ─▶ Sniffing ──────────────────────────────────▶ Http1 ──────────────────────▶ WebSocket, Http2, Opaque
//!              │                                         │   ▲
//!              │                 a gap, or no response   ▼   │   a head of HTTP/1
//!              ├─────────────────────────────────────▶ Midstream ────────────────────▶ WebSocket, Http2, Opaque
//!              └─────────────────────────────────────▶ Http2, Tls, Opaque
//!
//!  Sniffing   ─ a head of HTTP/1 ──────────────────────────────▶ Http1
//!             ─ the preface of HTTP/2 ─────────────────────────▶ Http2
//!             ─ a record of TLS ───────────────────────────────▶ Tls, with a session of its own inside
//!             ─ the beginning was not captured ────────────────▶ Midstream
//!             ─ anything else ─────────────────────────────────▶ Opaque
//!  Http1      ─ 101 to WebSocket ──────────────────────────────▶ WebSocket
//!             ─ 101 to h2c ────────────────────────────────────▶ Http2
//!             ─ 2xx to CONNECT: a tunnel ──────────────────────▶ Sniffing
//!             ─ a gap, or a response that was not captured ────▶ Midstream
//!             ─ 101 to something else ─────────────────────────▶ Opaque
//!  Midstream  ─ frames of a WebSocket, with enough evidence ───▶ WebSocket
//!             ─ frames of HTTP/2, with enough evidence ────────▶ Http2
//!             ─ a head of HTTP/1 ──────────────────────────────▶ Http1
//!             ─ none of them in as many bytes as are searched ─▶ Opaque
//!  Http2      ─ it turns out to be none ───────────────────────▶ Opaque
//! ```
//!
//! `session/recognize.rs` decides which protocol it is. WebSocket, Tls and Opaque are final.

mod memory;
mod recognize;

use super::carriers::Carriers;
use super::http::{Http, Next, refuse};
use super::http2::Http2;
use super::identity::identify;
use super::leftover::Leftover;
use super::memory::{Counted, Growth};
use super::midstream::{Midstream, SearchResult};
use super::pending::Pending;
use super::tls::{Inner, Tls};
use super::turn::Turn;
use super::websocket::WebSocket;
use crate::event::Sink;
use crate::stream::{EndReason, Interest, Run};
use crate::tcp::Depth;
use crate::types::{Detail, Direction, FindingCode, PerDirection};
use crate::websocket::resync::Boundary;

/// One connection.
#[derive(Default)]
pub(super) struct Session {
    protocol: Protocol,
    waiting: PerDirection<Option<Box<Pending>>>,
    /// WebSockets that were asked for so far.
    attempts: u32,
    /// What it was last counted to keep.
    counted: Counted,
    /// The packets so far, where outputs ask for packets.
    carriers: Option<Box<Carriers>>,
}

/// The protocol at hand.
#[derive(Default)]
enum Protocol {
    /// Too few bytes so far.
    #[default]
    Sniffing,
    Http1(Box<Http>),
    Http2(Box<Http2>),
    /// Perhaps frames: its beginning was not captured.
    Midstream(Box<Midstream>),
    WebSocket(Box<WebSocket>),
    Tls(Box<Tls<Session>>),
    /// Nothing that is looked at.
    Opaque,
}

impl Session {
    /// Takes the next run of one direction.
    #[inline]
    pub(super) fn run<S: Sink>(&mut self, direction: Direction, run: Run<'_>, turn: &mut Turn<'_, S>) -> Interest {
        if turn.shared.demand.packets && turn.depth == 0 {
            return self
                .with_carriers(Some((direction, run)), turn, |session, turn| session.take(direction, run, turn));
        }
        self.take(direction, run, turn)
    }

    fn take<S: Sink>(&mut self, mut direction: Direction, run: Run<'_>, turn: &mut Turn<'_, S>) -> Interest {
        if self.waiting.get(direction).is_none() {
            match &mut self.protocol {
                Protocol::WebSocket(websocket) => {
                    let growth = websocket.run(direction, run, turn);
                    self.settle(growth, turn);
                    return Interest::Retain;
                }
                Protocol::Tls(tls) => {
                    let interest = tls.run(direction, run, turn);
                    return self.conclude(interest, turn);
                }
                _ => {}
            }
        }
        match self.protocol {
            Protocol::Sniffing => direction = self.sniff(direction, run, turn),
            Protocol::Midstream(_) => {
                direction = self.midstream(direction, run, turn);
                if matches!(self.protocol, Protocol::Midstream(_) | Protocol::WebSocket(_) | Protocol::Http2(_)) {
                    self.settle(Growth::SOME, turn);
                    return Interest::Keep;
                }
            }
            _ => {}
        }
        let waits = self.waiting.get(direction).is_some() || matches!(self.protocol, Protocol::Sniffing);
        let left = if waits { Leftover::all(run) } else { self.offer(direction, run, turn) };
        self.wait(direction, left, turn);
        self.drain(turn);
        self.conclude(self.interest(), turn)
    }

    /// The connection is over.
    pub(super) fn ended<S: Sink>(mut self, reason: EndReason, turn: &mut Turn<'_, S>) {
        if turn.shared.demand.packets && turn.depth == 0 {
            self.with_carriers(None, turn, |session, turn| {
                core::mem::take(session).end(reason, turn);
                Interest::Drop
            });
            return;
        }
        self.end(reason, turn);
    }

    fn end<S: Sink>(mut self, reason: EndReason, turn: &mut Turn<'_, S>) {
        if let Protocol::Http1(http) = &mut self.protocol {
            // What the client sent after a request to which the capture has no response.
            let waits = self.waiting.get(Direction::ToServer).as_ref().filter(|_| turn.shared.mid_stream);
            let next = waits.and_then(|waiting| http.no_response(waiting.front_bytes(), &turn.shared.limits));
            let next = next.unwrap_or_else(|| http.over(turn));
            self.attempts = http.attempts();
            self.go_on(next, turn);
            self.drain(turn);
        }
        match self.protocol {
            Protocol::Midstream(midstream) => {
                if let Some(request) = midstream.request {
                    refuse(request, None, &mut self.attempts, turn);
                }
            }
            Protocol::WebSocket(websocket) => websocket.close(None, reason, turn),
            Protocol::Http2(http2) => http2.close(reason, turn),
            Protocol::Tls(tls) => tls.ended(reason, turn),
            _ => {}
        }
        self.counted.settle(Growth::SOME, || 0, &mut turn.shared.memory);
    }

    /// Something is wrong in the layers before.
    pub(super) fn fault<S: Sink>(
        &mut self,
        direction: Direction,
        violation: (FindingCode, Detail),
        turn: &mut Turn<'_, S>,
    ) {
        let growth = match &mut self.protocol {
            Protocol::WebSocket(websocket) => websocket.fault(direction, violation, turn),
            Protocol::Tls(tls) => tls.fault(direction, violation, turn),
            Protocol::Http2(http2) => http2.fault(direction, violation, turn),
            Protocol::Http1(http) => http.fault(direction, violation, turn.seen),
            _ => Growth::NONE,
        };
        self.settle(growth, turn);
    }

    /// Does something at a turn with the packets so far at hand; `carried` is the run that the packet at hand carried.
    #[cold]
    fn with_carriers<S: Sink>(
        &mut self,
        carried: Option<(Direction, Run<'_>)>,
        turn: &mut Turn<'_, S>,
        go: impl FnOnce(&mut Self, &mut Turn<'_, S>) -> Interest,
    ) -> Interest {
        let mut carriers = self.carriers.take().unwrap_or_default();
        if matches!(&self.protocol, Protocol::Http1(http) if http.is_between_requests()) && !self.is_waiting() {
            carriers.clear();
        }
        if let Some((direction, Run::Data(_))) = carried {
            carriers.push(turn.seen, direction);
        }
        core::mem::swap(&mut *carriers, &mut turn.shared.carriers);
        let interest = go(self, turn);
        core::mem::swap(&mut *carriers, &mut turn.shared.carriers);
        // A WebSocket of HTTP/1.1 emits its packets as they come.
        if interest != Interest::Drop && !matches!(self.protocol, Protocol::WebSocket(_)) {
            self.carriers = Some(carriers);
        }
        self.settle(Growth::SOME, turn);
        interest
    }

    fn is_waiting(&self) -> bool {
        self.waiting.to_server.is_some() || self.waiting.to_client.is_some()
    }

    /// What the carrier is to do with it.
    fn interest(&self) -> Interest {
        match self.protocol {
            Protocol::Tls(ref tls) => tls.wants(),
            Protocol::Opaque => Interest::Drop,
            Protocol::WebSocket(_) => Interest::Retain,
            Protocol::Http2(ref http2) if http2.is_retained() => Interest::Retain,
            Protocol::Sniffing | Protocol::Http1(_) | Protocol::Http2(_) | Protocol::Midstream(_) => Interest::Keep,
        }
    }

    /// Turns the roles round: the endpoint that was taken for the server is the client. All that belongs to a direction is
    /// swapped. Gives what `direction` is from here on.
    fn turn_round<S: Sink>(&mut self, direction: Direction, turn: &mut Turn<'_, S>) -> Direction {
        turn.flow.reverse();
        turn.shared.carriers.swap();
        self.waiting.swap();
        if let Protocol::Midstream(midstream) = &mut self.protocol {
            midstream.swap();
        }
        direction.reverse()
    }

    /// Looks for frames in a connection without a beginning. Gives the direction, which they may turn round.
    fn search<S: Sink>(&mut self, direction: Direction, run: Run<'_>, turn: &mut Turn<'_, S>) -> Direction {
        let Protocol::Midstream(midstream) = &mut self.protocol else { return direction };
        if midstream.finds_http2(direction, run, turn.seen) {
            return self.join_http2(direction, turn);
        }
        match midstream.run(direction, run, turn.seen) {
            SearchResult::Unknown => direction,
            SearchResult::WebSocket(client, found, left) => {
                let wrong = client == Direction::ToClient && !turn.flow.carrier.oriented;
                let direction = if wrong { self.turn_round(direction, turn) } else { direction };
                self.adopt(&found, direction, left, turn);
                direction
            }
            SearchResult::Other => {
                self.end_search(turn);
                direction
            }
        }
    }

    /// It is HTTP/2, joined mid-stream. Gives the direction, which may turn round.
    fn join_http2<S: Sink>(&mut self, mut direction: Direction, turn: &mut Turn<'_, S>) -> Direction {
        let Protocol::Midstream(midstream) = &mut self.protocol else { return direction };
        let sender = midstream.http2_sender(direction);
        if !turn.flow.carrier.oriented && sender.is_some_and(|sender| sender != direction.sender()) {
            direction = self.turn_round(direction, turn);
        }
        let Protocol::Midstream(midstream) = &mut self.protocol else { return direction };
        turn.shared.totals.http2_connections += 1;
        let mut http2 = Box::new(Http2::joined(&turn.shared.limits, midstream.take_http2()));
        http2.resume(direction, turn);
        self.protocol = Protocol::Http2(http2);
        direction
    }

    /// It is a WebSocket, joined mid-stream, in which a frame was found; it takes what the search left of the run at hand.
    fn adopt<S: Sink>(&mut self, found: &Boundary, direction: Direction, left: Leftover<'_>, turn: &mut Turn<'_, S>) {
        match core::mem::take(&mut self.protocol) {
            Protocol::Midstream(midstream) => {
                let identity = identify(&mut self.attempts, turn);
                let mut websocket = Box::new(midstream.adopt(identity, found, turn));
                if let Leftover::Rest(run) = left {
                    // It is new: all of it is counted when the turn is over.
                    websocket.run(direction, run, turn).counted_anyway();
                }
                self.protocol = Protocol::WebSocket(websocket);
            }
            protocol => self.protocol = protocol,
        }
    }

    /// The search for frames found none: nothing more is looked at.
    fn end_search<S: Sink>(&mut self, turn: &mut Turn<'_, S>) -> u64 {
        match core::mem::take(&mut self.protocol) {
            Protocol::Midstream(midstream) => {
                let gathered = midstream.gathered();
                self.protocol = Protocol::Opaque;
                if let Some(request) = midstream.request {
                    refuse(request, None, &mut self.attempts, turn);
                }
                gathered
            }
            protocol => {
                self.protocol = protocol;
                0
            }
        }
    }

    /// Gives a run to the protocol at hand, whether others wait or not. The caller counts what is kept. Gives what was left of
    /// the run.
    fn offer<'r, S: Sink>(&mut self, direction: Direction, run: Run<'r>, turn: &mut Turn<'_, S>) -> Leftover<'r> {
        match &mut self.protocol {
            Protocol::Sniffing => return Leftover::all(run),
            Protocol::Opaque => {}
            Protocol::Tls(tls) => _ = tls.run(direction, run, turn),
            // What waited while nothing was known yet: roles cannot be turned round here, so where they are guessed it is
            // only gathered, and the next run decides.
            Protocol::Midstream(midstream) if !midstream.is_oriented() => midstream.gather(direction, run, turn.seen),
            Protocol::Midstream(_) => _ = self.search(direction, run, turn),
            Protocol::WebSocket(websocket) => websocket.run(direction, run, turn).counted_anyway(),
            Protocol::Http2(http2) => {
                if !http2.run(direction, run, turn) {
                    self.protocol = Protocol::Opaque;
                }
            }
            Protocol::Http1(http) => {
                let (left, next) = http.run(direction, run, turn);
                self.attempts = http.attempts();
                self.go_on(next, turn);
                return left;
            }
        }
        Leftover::Nothing
    }

    /// Changes the protocol where HTTP is over.
    fn go_on<S: Sink>(&mut self, next: Next, turn: &mut Turn<'_, S>) {
        match next {
            Next::Http => {}
            Next::Http2(settings) => {
                turn.shared.totals.http2_connections += u64::from(turn.depth == 0);
                self.protocol = Protocol::Http2(Box::new(Http2::upgraded(&settings, turn)));
            }
            Next::WebSocket(websocket) => self.protocol = Protocol::WebSocket(websocket),
            Next::Tunnel => self.protocol = Protocol::Sniffing,
            Next::Midstream(midstream) => self.protocol = Protocol::Midstream(midstream),
            Next::Opaque => self.protocol = Protocol::Opaque,
        }
    }

    /// Keeps what was left of a run until it is offered again.
    fn wait<S: Sink>(&mut self, direction: Direction, left: Leftover<'_>, turn: &Turn<'_, S>) {
        if let Leftover::Rest(run) = left {
            let max = turn.shared.limits.max_waiting_bytes;
            self.waiting.get_mut(direction).get_or_insert_default().push(run, turn.seen, max);
        }
    }

    /// Offers what waits until nothing of it is taken.
    fn drain<S: Sink>(&mut self, turn: &mut Turn<'_, S>) {
        let mut any = true;
        while any {
            any = false;
            for mut direction in Direction::BOTH {
                if matches!(self.protocol, Protocol::Sniffing) {
                    direction = self.sniff(direction, Run::Data(&[]), turn);
                }
                let Some(mut waiting) = self.waiting.get_mut(direction).take() else { continue };
                let before = core::mem::discriminant(&self.protocol);
                any |= waiting.offer(|run, seen| self.offer(direction, run, &mut turn.at(seen)));
                any |= before != core::mem::discriminant(&self.protocol);
                if !waiting.is_empty() && !matches!(self.protocol, Protocol::Opaque) {
                    *self.waiting.get_mut(direction) = Some(waiting);
                }
            }
        }
    }
}

/// What is inside TLS is a session, too.
impl Inner for Session {
    fn run<S: Sink>(&mut self, direction: Direction, run: Run<'_>, turn: &mut Turn<'_, S>) -> Interest {
        self.run(direction, run, turn)
    }

    fn fault<S: Sink>(&mut self, direction: Direction, violation: (FindingCode, Detail), turn: &mut Turn<'_, S>) {
        self.fault(direction, violation, turn);
    }

    fn ended<S: Sink>(self, reason: EndReason, turn: &mut Turn<'_, S>) {
        self.ended(reason, turn);
    }

    fn sheddable_bytes(&self, depth: Depth) -> usize {
        self.sheddable_bytes(depth)
    }

    fn shed<S: Sink>(&mut self, depth: Depth, turn: &mut Turn<'_, S>) -> Interest {
        self.shed(depth, turn)
    }

    fn discard<S: Sink>(&mut self, turn: &mut Turn<'_, S>) {
        self.discard(turn);
    }
}

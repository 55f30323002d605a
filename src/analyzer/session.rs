//! One TCP connection: what is spoken on it, from its first bytes to its end.
//!
//! Bytes go to the protocol at hand. What that cannot take yet waits, with the packets that carried it; a protocol that
//! ends (HTTP at a 101, a tunnel's beginning) leaves its bytes to the next.

mod memory;
mod recognize;

use super::http::{Http, Next, refuse};
use super::http2::Http2;
use super::identity::identify;
use super::midstream::{Midstream, Verdict};
use super::pending::Pending;
use super::shared::Out;
use super::tls::Tls;
use super::websocket::WebSocket;
use crate::event::Sink;
use crate::http::h2::BoundarySearch;
use crate::http::{Sniffed, sniff};
use crate::stream::{Chunk, EndReason, Interest, Run};
use crate::tcp::Flow;
use crate::types::{Detail, Direction, FindingCode, PacketRef, PerDirection};

/// One TCP connection.
#[derive(Default)]
pub(super) struct Session {
    protocol: Protocol,
    waiting: PerDirection<Option<Box<Pending>>>,
    /// WebSockets asked for so far.
    attempts: u32,
    /// What it was last counted to keep.
    counted: usize,
}

/// What is spoken.
#[derive(Default)]
enum Protocol {
    /// Too early to say.
    #[default]
    Sniffing,
    Http1(Box<Http>),
    Http2(Box<Http2>),
    /// Perhaps frames: its beginning was not captured.
    Midstream(Box<Midstream>),
    WebSocket(Box<WebSocket>),
    Tls(Box<Tls>),
    /// Nothing that is looked at.
    Opaque,
}

impl Session {
    /// Takes the next piece of one direction.
    pub(super) fn chunk<S: Sink>(
        &mut self,
        flow: &mut Flow,
        mut direction: Direction,
        chunk: Chunk<'_>,
        out: &mut Out<'_, S>,
    ) -> Result<Interest, S::Error> {
        if let Protocol::WebSocket(websocket) = &mut self.protocol
            && self.waiting.get(direction).is_none()
        {
            take(websocket, direction, chunk.run, chunk.seen, out)?;
            let rests = websocket.is_at_rest(direction);
            if out.shared.memory.grown || !rests {
                self.settle(out);
            } else {
                out.shared.memory.stay();
            }
            return Ok(Interest::Retain);
        }
        if let Protocol::Tls(tls) = &mut self.protocol
            && self.waiting.get(direction).is_none()
        {
            let interest = tls.chunk(flow, direction, chunk, out)?;
            return Ok(self.conclude(interest, out));
        }
        match self.protocol {
            Protocol::Sniffing => direction = self.sniff(flow, direction, chunk.run, out),
            Protocol::Midstream(_) => {
                direction = self.midstream(flow, direction, chunk.run, chunk.seen, out)?;
                if matches!(self.protocol, Protocol::Midstream(_) | Protocol::WebSocket(_) | Protocol::Http2(_)) {
                    self.settle(out);
                    return Ok(Interest::Keep);
                }
            }
            _ => {}
        }
        if self.waiting.get(direction).is_some() || matches!(self.protocol, Protocol::Sniffing) {
            self.wait(direction, chunk.run, chunk.seen, out);
        } else {
            let left = self.offer(flow, direction, chunk.run, chunk.seen, out)?;
            self.wait_rest(direction, chunk, left, out);
        }
        self.drain(flow, out)?;
        Ok(self.conclude(self.interest(), out))
    }

    /// The connection is over.
    pub(super) fn ended<S: Sink>(
        self,
        flow: &Flow,
        reason: EndReason,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        let counted = self.counted;
        self.tell_end(flow, reason, seen, out)?;
        out.shared.memory.settle(counted, 0);
        Ok(())
    }

    fn tell_end<S: Sink>(
        mut self,
        flow: &Flow,
        reason: EndReason,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        if let Protocol::Http1(http) = &mut self.protocol {
            // What the client sent behind a request that the capture has no answer to.
            let waits = self.waiting.get(Direction::ToServer).as_ref().filter(|_| out.shared.mid_stream);
            let unanswered = waits.and_then(|waiting| http.unanswered(waiting.front_bytes()));
            let next = match unanswered {
                Some(next) => next,
                None => http.over(flow, &mut self.attempts, seen, out)?,
            };
            self.go_on(next, out);
            self.drain(&mut flow.clone(), out)?;
        }
        match self.protocol {
            Protocol::Midstream(midstream) => match midstream.asked {
                Some(asked) => refuse(asked, None, flow, &mut self.attempts, seen, out),
                None => Ok(()),
            },
            Protocol::WebSocket(websocket) => websocket.close(flow, reason, seen, out),
            Protocol::Http2(http2) => http2.close(flow, reason, seen, out),
            Protocol::Tls(tls) => tls.ended(flow, reason, seen, out),
            _ => Ok(()),
        }
    }

    /// Something went wrong below.
    pub(super) fn fault<S: Sink>(
        &mut self,
        direction: Direction,
        broken: (FindingCode, Detail),
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        match &mut self.protocol {
            Protocol::WebSocket(websocket) => websocket.fault(direction, broken, seen, out)?,
            Protocol::Tls(tls) => tls.fault(direction, broken, seen, out)?,
            Protocol::Http2(http2) => http2.fault(direction, broken, seen, out)?,
            Protocol::Http1(http) => http.fault(direction, broken, seen),
            _ => {}
        }
        self.settle(out);
        Ok(())
    }

    /// What the table is to do with it.
    fn interest(&self) -> Interest {
        match self.protocol {
            Protocol::Tls(ref tls) => tls.wants(),
            Protocol::Opaque => Interest::Drop,
            Protocol::WebSocket(_) => Interest::Retain,
            Protocol::Http2(ref http2) if http2.is_retained() => Interest::Retain,
            Protocol::Sniffing | Protocol::Http1(_) | Protocol::Http2(_) | Protocol::Midstream(_) => Interest::Keep,
        }
    }

    /// Looks for frames in a connection without a beginning. Gives the direction, which they may turn round.
    fn midstream<S: Sink>(
        &mut self,
        flow: &mut Flow,
        direction: Direction,
        run: Run<'_>,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<Direction, S::Error> {
        let Protocol::Midstream(midstream) = &mut self.protocol else { return Ok(direction) };
        if let Run::Data(data) = run
            && let Sniffed::Http1(role) = sniff(data)
            && (role == direction.sender() || !flow.carrier.oriented)
        {
            // A request or a response begins here: it is HTTP, of which the beginning was not captured.
            let turned = role != direction.sender();
            if turned {
                flow.reverse();
                self.waiting.swap();
            }
            self.protocol = Protocol::Http1(Box::new(Http::joined(&out.shared.limits)));
            return Ok(if turned { direction.reverse() } else { direction });
        }
        if let Some(searches) = midstream.find_http2(direction, run, seen) {
            return self.join_http2(flow, direction, searches, out);
        }
        let verdict = midstream.take(direction, run, seen, out.shared.limits.max_midstream_bytes);
        let turned = matches!(&verdict, Verdict::WebSocket(Direction::ToClient, ..)) && !flow.carrier.oriented;
        if turned {
            midstream.swap();
            flow.reverse();
        }
        let direction = if turned { direction.reverse() } else { direction };
        self.judge(verdict, flow, (direction, run, seen), out)?;
        Ok(direction)
    }

    /// It is HTTP/2, joined half-way. Gives the direction, which may turn round.
    fn join_http2<S: Sink>(
        &mut self,
        flow: &mut Flow,
        mut direction: Direction,
        mut searches: PerDirection<Option<Box<BoundarySearch>>>,
        out: &mut Out<'_, S>,
    ) -> Result<Direction, S::Error> {
        let sender = searches.get(direction).as_ref().and_then(|search| search.sender());
        if !flow.carrier.oriented && sender.is_some_and(|sender| sender != direction.sender()) {
            searches.swap();
            flow.reverse();
            self.waiting.swap();
            direction = direction.reverse();
        }
        out.shared.totals.http2_connections += 1;
        let mut http2 = Box::new(Http2::joined(&out.shared.limits, searches));
        http2.resume(flow, direction, out)?;
        self.protocol = Protocol::Http2(http2);
        Ok(direction)
    }

    /// Does what the search in a connection without a beginning asks for; what it left of the piece at hand goes on.
    fn judge<S: Sink>(
        &mut self,
        verdict: Verdict,
        flow: &Flow,
        (direction, run, seen): (Direction, Run<'_>, PacketRef),
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        match (verdict, core::mem::take(&mut self.protocol)) {
            (Verdict::WebSocket(_, found, left), Protocol::Midstream(midstream)) => {
                let identity = identify(flow, &mut self.attempts, out);
                let mut websocket = Box::new(midstream.adopt(identity, &found, seen, out)?);
                let rest = match run {
                    Run::Data(data) => {
                        Run::Data(data.len().checked_sub(left).and_then(|taken| data.get(taken..)).unwrap_or_default())
                    }
                    other => other,
                };
                if left > 0 {
                    take(&mut websocket, direction, rest, seen, out)?;
                }
                self.protocol = Protocol::WebSocket(websocket);
            }
            (Verdict::Other, Protocol::Midstream(midstream)) => {
                self.protocol = Protocol::Opaque;
                if let Some(asked) = midstream.asked {
                    refuse(asked, None, flow, &mut self.attempts, seen, out)?;
                }
            }
            (_, protocol) => self.protocol = protocol,
        }
        Ok(())
    }

    /// Gives a piece to the protocol at hand. Says how much of it was left: bytes of data, or 1 of a hole or an end.
    fn offer<S: Sink>(
        &mut self,
        flow: &mut Flow,
        direction: Direction,
        run: Run<'_>,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<usize, S::Error> {
        match &mut self.protocol {
            Protocol::Sniffing => Ok(match run {
                Run::Data(data) => data.len(),
                _ => 1,
            }),
            Protocol::Opaque => Ok(0),
            Protocol::Tls(tls) => tls.chunk(flow, direction, Chunk { offset: 0, run, seen }, out).map(|_| 0),
            // What waited while nothing was known yet: roles cannot be turned round here, so where they are guessed it is
            // only gathered, and the next piece decides.
            Protocol::Midstream(midstream) if !midstream.is_oriented() => {
                midstream.gather(direction, run, seen);
                Ok(0)
            }
            Protocol::Midstream(midstream) => {
                if let Some(searches) = midstream.find_http2(direction, run, seen) {
                    return self.join_http2(&mut flow.clone(), direction, searches, out).map(|_| 0);
                }
                let max = out.shared.limits.max_midstream_bytes;
                let verdict = midstream.take(direction, run, seen, max);
                self.judge(verdict, flow, (direction, run, seen), out)?;
                Ok(0)
            }
            Protocol::WebSocket(websocket) => take(websocket, direction, run, seen, out).map(|()| 0),
            Protocol::Http2(http2) => {
                if !http2.take(flow, direction, run, seen, out)? {
                    self.protocol = Protocol::Opaque;
                }
                Ok(0)
            }
            Protocol::Http1(http) => {
                let (left, next) = http.take(flow, &mut self.attempts, direction, run, seen, out)?;
                self.go_on(next, out);
                Ok(left)
            }
        }
    }

    /// Changes the protocol where HTTP is over.
    fn go_on<S: Sink>(&mut self, next: Next, out: &mut Out<'_, S>) {
        match next {
            Next::Http => {}
            Next::Http2(settings) => {
                out.shared.totals.http2_connections += u64::from(out.depth == 0);
                self.protocol = Protocol::Http2(Box::new(Http2::upgraded(&out.shared.limits, &settings)));
            }
            Next::WebSocket(websocket) => self.protocol = Protocol::WebSocket(websocket),
            Next::Tunnel => self.protocol = Protocol::Sniffing,
            Next::Midstream(midstream) => self.protocol = Protocol::Midstream(midstream),
            Next::Opaque => self.protocol = Protocol::Opaque,
        }
    }

    /// Lets a piece wait.
    fn wait<S: Sink>(&mut self, direction: Direction, run: Run<'_>, seen: PacketRef, out: &Out<'_, S>) {
        let max = out.shared.limits.max_waiting_bytes;
        self.waiting.get_mut(direction).get_or_insert_default().push(run, seen, max);
    }

    /// Lets what was left of a piece wait.
    fn wait_rest<S: Sink>(&mut self, direction: Direction, chunk: Chunk<'_>, left: usize, out: &Out<'_, S>) {
        match chunk.run {
            _ if left == 0 => {}
            Run::Data(data) => {
                let rest = data.len().checked_sub(left).and_then(|taken| data.get(taken..)).unwrap_or_default();
                self.wait(direction, Run::Data(rest), chunk.seen, out);
            }
            other => self.wait(direction, other, chunk.seen, out),
        }
    }

    /// Offers what waits until nobody takes anything.
    fn drain<S: Sink>(&mut self, flow: &mut Flow, out: &mut Out<'_, S>) -> Result<(), S::Error> {
        let mut any = true;
        while any {
            any = false;
            for mut direction in Direction::BOTH {
                if matches!(self.protocol, Protocol::Sniffing) {
                    direction = self.sniff(flow, direction, Run::Data(&[]), out);
                }
                let Some(mut waiting) = self.waiting.get_mut(direction).take() else { continue };
                let before = core::mem::discriminant(&self.protocol);
                any |= waiting.offer(|run, seen| self.offer(flow, direction, run, seen, out))?;
                any |= before != core::mem::discriminant(&self.protocol);
                if !waiting.is_empty() && !matches!(self.protocol, Protocol::Opaque) {
                    *self.waiting.get_mut(direction) = Some(waiting);
                }
            }
        }
        Ok(())
    }
}

/// Gives a piece to a WebSocket, which takes all.
fn take<S: Sink>(
    websocket: &mut WebSocket,
    direction: Direction,
    run: Run<'_>,
    seen: PacketRef,
    out: &mut Out<'_, S>,
) -> Result<(), S::Error> {
    match run {
        Run::Data(data) => websocket.data(direction, data, seen, out),
        Run::Gap(len) => websocket.gap(direction, len, seen, out),
        Run::End(reason) => websocket.end(direction, reason, seen, out),
    }
}

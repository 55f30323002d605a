//! One stream of an HTTP/2 connection that is a WebSocket, asks for one, or may be one.

use super::{Http2, MAX_DONE, MAX_SEARCHES, Midstream, Pending};
use crate::analyzer::identity::identify_stream;
use crate::analyzer::midstream::{Verdict, assumed};
use crate::analyzer::shared::Out;
use crate::analyzer::websocket::{self, WebSocket};
use crate::event::{self, Sink, StreamEnd, StreamEndKind};
use crate::http::h2::ErrorCode;
use crate::stream::{EndReason, Run};
use crate::tcp::Flow;
use crate::types::{Direction, PacketRef, PerDirection};
use crate::websocket::{CheckedHandshake, CheckedRequest, CheckedResponse, check_handshake, check_settings};

/// What a stream is.
pub(super) enum StreamState {
    /// A request without its answer, or an answer without its request.
    HandshakeHalf(Box<HandshakeHalf>),
    /// Perhaps frames: what would say so was not captured.
    Search(Box<Midstream>),
    /// A WebSocket.
    Open(Box<Open>),
}

/// One side of a handshake; what was sent behind it waits.
#[derive(Default)]
pub(super) struct HandshakeHalf {
    pub(super) asked: Option<CheckedRequest>,
    /// The request is for a WebSocket; otherwise some of it is not known, and it may be.
    pub(super) certain: bool,
    /// The answer, and whether all of its head is known.
    pub(super) answered: Option<(CheckedResponse, bool)>,
    /// The other half may have come and was not captured.
    pub(super) other_lost: bool,
    pub(super) waiting: PerDirection<Pending>,
}

/// A WebSocket.
pub(super) struct Open {
    pub(super) websocket: WebSocket,
    extended_connect: Option<bool>,
    ends: PerDirection<Option<StreamEnd>>,
}

impl Http2 {
    /// A piece of what one direction sends on a stream.
    pub(super) fn piece<S: Sink>(
        &mut self,
        stream: u32,
        flow: &Flow,
        direction: Direction,
        run: Run<'_>,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        if !self.streams.contains_key(&stream) {
            if !matches!(run, Run::Data(_)) || !self.may_search(stream) {
                return Ok(());
            }
            self.streams.insert(stream, StreamState::Search(Box::new(Midstream::new(None, true))));
        }
        match self.streams.get_mut(&stream) {
            Some(StreamState::Open(open)) => {
                open.take(direction, run, seen, out)?;
                if open.is_over() { self.over(stream, flow, EndReason::Fin, seen, out) } else { Ok(()) }
            }
            Some(StreamState::HandshakeHalf(half)) => {
                let waiting = half.waiting.get_mut(direction);
                let before = waiting.cost();
                let room = out.shared.limits.max_waiting_bytes.saturating_sub(self.waiting_bytes);
                waiting.push(run, seen, before.saturating_add(room));
                self.waiting_bytes = self.waiting_bytes.saturating_add(waiting.cost().saturating_sub(before));
                // Who speaks on the stream has sent its half of the handshake before.
                let other = if half.asked.is_some() { Direction::ToClient } else { Direction::ToServer };
                if half.other_lost && direction == other && matches!(run, Run::Data(_)) {
                    self.search(stream, flow, seen, out)
                } else {
                    Ok(())
                }
            }
            Some(StreamState::Search(_)) => self.look(stream, flow, direction, run, seen, out),
            None => Ok(()),
        }
    }

    /// Whether an unknown stream may be a WebSocket whose request was not captured. Clients open the odd ones
    /// (RFC 9113 §5.1.1).
    fn may_search(&self, stream: u32) -> bool {
        let is_search = |talk: &&StreamState| matches!(talk, StreamState::Search(_));
        self.holed
            && stream % 2 == 1
            && self.done.len() < MAX_DONE
            && !self.done.contains(&stream)
            && self.streams.values().filter(is_search).count() < MAX_SEARCHES
    }

    /// Both halves of a handshake are there: it is a WebSocket, was refused, or is something else (RFC 8441 §5).
    pub(super) fn decide<S: Sink>(
        &mut self,
        stream: u32,
        flow: &Flow,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        let Some(StreamState::HandshakeHalf(half)) = self.streams.get(&stream) else { return Ok(()) };
        let success =
            half.answered.as_ref().is_some_and(|(answered, _)| (200..300).contains(&answered.response.status));
        match (success, half.certain) {
            (true, true) => self.open(stream, flow, seen, out),
            (true, false) => self.search(stream, flow, seen, out),
            (false, true) => self.over(stream, flow, EndReason::Fin, seen, out),
            (false, false) => {
                self.forget(stream, seen);
                Ok(())
            }
        }
    }

    /// The stream becomes a WebSocket; what waited are its first bytes.
    fn open<S: Sink>(
        &mut self,
        stream: u32,
        flow: &Flow,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        let Some(half) = self.take_half(stream) else { return Ok(()) };
        let complete = half.answered.as_ref().is_some_and(|(_, complete)| *complete);
        let extended_connect = self.h2.extended_connect();
        let mut judged = judged(half.asked, half.answered, extended_connect);
        if !complete && judged.handshake.negotiated.deflate.is_none() {
            judged.handshake.negotiated = assumed();
        }
        let identity = identify_stream(flow, stream, out);
        let websocket = WebSocket::open(identity, judged, seen, out)?;
        let open = Open { websocket, extended_connect, ends: PerDirection::default() };
        self.streams.insert(stream, StreamState::Open(Box::new(open)));
        self.retained = true;
        for note in core::mem::take(&mut self.untold) {
            self.note(note, out)?;
        }
        self.offer(half.waiting, |this, direction, run, seen| this.piece(stream, flow, direction, run, seen, out))
    }

    /// It is not known whether the stream is a WebSocket: looks for frames, first in what waited.
    pub(super) fn search<S: Sink>(
        &mut self,
        stream: u32,
        flow: &Flow,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        if self.streams.values().filter(|talk| matches!(talk, StreamState::Search(_))).count() >= MAX_SEARCHES {
            return self.conclude(stream, flow, EndReason::Idle, seen, out);
        }
        let Some(half) = self.take_half(stream) else { return Ok(()) };
        let midstream = match half.asked.filter(|_| half.certain) {
            Some(asked) => Midstream::behind(asked),
            None => Midstream::new(None, true),
        };
        self.streams.insert(stream, StreamState::Search(Box::new(midstream)));
        self.offer(half.waiting, |this, direction, run, seen| this.piece(stream, flow, direction, run, seen, out))
    }

    /// Gives on what waited.
    fn offer<E>(
        &mut self,
        mut waiting: PerDirection<Pending>,
        mut to: impl FnMut(&mut Self, Direction, Run<'_>, PacketRef) -> Result<(), E>,
    ) -> Result<(), E> {
        for direction in Direction::BOTH {
            waiting.get_mut(direction).offer(|run, seen| to(self, direction, run, seen).map(|()| 0))?;
        }
        Ok(())
    }

    /// Looks for frames in a piece of a stream of which the handshake was not captured.
    fn look<S: Sink>(
        &mut self,
        stream: u32,
        flow: &Flow,
        direction: Direction,
        run: Run<'_>,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        let Some(StreamState::Search(midstream)) = self.streams.get_mut(&stream) else { return Ok(()) };
        match midstream.take(direction, run, seen, out.shared.limits.max_midstream_bytes) {
            Verdict::Unknown => Ok(()),
            Verdict::Other => self.conclude(stream, flow, EndReason::Fin, seen, out),
            Verdict::WebSocket(_, found, left) => {
                let Some(StreamState::Search(midstream)) = self.streams.remove(&stream) else { return Ok(()) };
                self.asked = self.asked.max(stream);
                self.h2.follow(stream, seen);
                let identity = identify_stream(flow, stream, out);
                let websocket = midstream.adopt(identity, &found, seen, out)?;
                let extended_connect = self.h2.extended_connect();
                let open = Open { websocket, extended_connect, ends: PerDirection::default() };
                self.streams.insert(stream, StreamState::Open(Box::new(open)));
                self.retained = true;
                match run {
                    Run::End(EndReason::CaptureOver) => Ok(()),
                    _ if left == 0 => Ok(()),
                    Run::Data(data) => {
                        let taken = data.len().saturating_sub(left);
                        let rest = Run::Data(data.get(taken..).unwrap_or_default());
                        self.piece(stream, flow, direction, rest, seen, out)
                    }
                    other => self.piece(stream, flow, direction, other, seen, out),
                }
            }
        }
    }

    /// RST_STREAM: "RST exceptions are represented with the RST_STREAM frame" (RFC 8441 §5).
    pub(super) fn reset<S: Sink>(
        &mut self,
        stream: u32,
        code: Option<ErrorCode>,
        flow: &Flow,
        direction: Direction,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        if let Some(StreamState::Search(_)) = self.streams.get(&stream) {
            self.look_last(stream, flow, seen, out)?;
        }
        let end = StreamEnd { seen, how: StreamEndKind::Reset(code) };
        match self.streams.get_mut(&stream) {
            Some(StreamState::Open(open)) => {
                open.ends.get_mut(direction).get_or_insert(end);
                self.over(stream, flow, EndReason::Rst(direction), seen, out)
            }
            Some(StreamState::HandshakeHalf(half)) if half.certain => {
                self.refuse(stream, Some((direction, end)), flow, seen, out)
            }
            _ => {
                self.forget(stream, seen);
                Ok(())
            }
        }
    }

    /// Nothing more will come on the stream: tells what became of it.
    pub(super) fn over<S: Sink>(
        &mut self,
        stream: u32,
        flow: &Flow,
        reason: EndReason,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        if matches!(self.streams.get(&stream), Some(StreamState::HandshakeHalf(half)) if half.other_lost) {
            self.search(stream, flow, seen, out)?;
        }
        if let Some(StreamState::Search(_)) = self.streams.get(&stream) {
            self.look_last(stream, flow, seen, out)?;
        }
        self.conclude(stream, flow, reason, seen, out)
    }

    /// The same, and nothing more is looked for.
    fn conclude<S: Sink>(
        &mut self,
        stream: u32,
        flow: &Flow,
        reason: EndReason,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        if let Some(StreamState::HandshakeHalf(half)) = self.streams.get(&stream) {
            if half.certain {
                return self.refuse(stream, None, flow, seen, out);
            }
            self.take_half(stream);
        }
        let stalled_us = self.forget_windows(stream, seen);
        match self.streams.remove(&stream) {
            Some(StreamState::Open(open)) => {
                let http2 = event::Http2 {
                    extended_connect: open.extended_connect,
                    ends: open.ends,
                    goaways: self.goaways,
                    stalled_us,
                };
                open.websocket.close_stream(http2, flow, reason, seen, out)
            }
            Some(StreamState::Search(midstream)) => match midstream.asked {
                Some(asked) => {
                    let judged = judged(Some(asked), None, self.h2.extended_connect());
                    self.tell_refused(stream, judged, PerDirection::default(), flow, seen, out)
                }
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// What was gathered of a stream may be enough when no more will come.
    fn look_last<S: Sink>(
        &mut self,
        stream: u32,
        flow: &Flow,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        for direction in Direction::BOTH {
            self.look(stream, flow, direction, Run::End(EndReason::CaptureOver), seen, out)?;
        }
        Ok(())
    }

    /// A request for a WebSocket came to nothing.
    fn refuse<S: Sink>(
        &mut self,
        stream: u32,
        end: Option<(Direction, StreamEnd)>,
        flow: &Flow,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        let Some(half) = self.take_half(stream) else { return Ok(()) };
        let mut ends = PerDirection::default();
        if let Some((direction, end)) = end {
            *ends.get_mut(direction) = Some(end);
        }
        let judged = judged(half.asked, half.answered, self.h2.extended_connect());
        self.tell_refused(stream, judged, ends, flow, seen, out)
    }

    fn tell_refused<S: Sink>(
        &mut self,
        stream: u32,
        judged: CheckedHandshake,
        ends: PerDirection<Option<StreamEnd>>,
        flow: &Flow,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        self.forget(stream, seen);
        let http2 = event::Http2 {
            extended_connect: self.h2.extended_connect(),
            ends,
            goaways: self.goaways,
            stalled_us: PerDirection::default(),
        };
        let identity = identify_stream(flow, stream, out);
        let notes = core::mem::take(&mut self.untold);
        websocket::refuse(identity, judged, Some((http2, notes)), flow, seen, out)
    }

    /// The stream is of no interest any more.
    pub(super) fn forget(&mut self, stream: u32, seen: PacketRef) {
        self.take_half(stream);
        self.streams.remove(&stream);
        self.forget_windows(stream, seen);
    }

    fn forget_windows(&mut self, stream: u32, seen: PacketRef) -> PerDirection<u64> {
        if self.holed && self.done.len() < MAX_DONE {
            self.done.insert(stream);
        }
        self.h2.forget(stream, seen)
    }

    fn take_half(&mut self, stream: u32) -> Option<HandshakeHalf> {
        if !matches!(self.streams.get(&stream), Some(StreamState::HandshakeHalf(_))) {
            return None;
        }
        let Some(StreamState::HandshakeHalf(half)) = self.streams.remove(&stream) else { return None };
        let waited = half.waiting.to_server.cost().saturating_add(half.waiting.to_client.cost());
        self.waiting_bytes = self.waiting_bytes.saturating_sub(waited);
        Some(*half)
    }
}

impl Open {
    /// Takes a piece of one direction. What comes behind its end is no more of it.
    fn take<S: Sink>(
        &mut self,
        direction: Direction,
        run: Run<'_>,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        if self.ends.get(direction).is_some() {
            return Ok(());
        }
        match run {
            Run::Data(data) => self.websocket.data(direction, data, seen, out),
            Run::Gap(len) => self.websocket.gap(direction, len, seen, out),
            Run::End(reason) => {
                *self.ends.get_mut(direction) = Some(StreamEnd { seen, how: StreamEndKind::EndStream });
                self.websocket.end(direction, reason, seen, out)
            }
        }
    }

    /// Both directions are over.
    const fn is_over(&self) -> bool {
        self.ends.to_server.is_some() && self.ends.to_client.is_some()
    }
}

/// Puts request and answer together, and holds the request against what the server's settings allowed.
fn judged(
    asked: Option<CheckedRequest>,
    answered: Option<(CheckedResponse, bool)>,
    extended_connect: Option<bool>,
) -> CheckedHandshake {
    let mut judged = check_handshake(asked, answered.map(|(answered, _)| answered));
    check_settings(&mut judged, extended_connect);
    judged
}

//! How a stream ends: closed, refused, reset, or of no interest any more.

use super::{ExtendedConnect, HandshakeHalf, HttpConnection, MAX_DONE, StreamSide, StreamState, judged};
use crate::analyzer::identity::identify_stream;
use crate::analyzer::turn::Turn;
use crate::analyzer::websocket;
use crate::event::{Http2, Sink, StreamEnd, StreamEndKind};
use crate::http::h2::ErrorCode;
use crate::stream::EndReason;
use crate::types::{Direction, PacketRef, PerDirection};
use crate::websocket::CheckedHandshake;

impl<C: HttpConnection> ExtendedConnect<C> {
    /// A sender resets the stream: in HTTP/2, "RST exceptions are represented with the RST_STREAM frame" (RFC 8441 §5).
    pub(super) fn reset<S: Sink>(&mut self, at: StreamSide, code: Option<ErrorCode>, turn: &mut Turn<'_, S>) {
        let stream = at.stream;
        if let Some(StreamState::Search(_)) = self.streams.get(&stream) {
            self.look_last(stream, turn);
        }
        let end = StreamEnd { seen: turn.seen, how: StreamEndKind::Reset(code) };
        match self.streams.get_mut(&stream) {
            Some(StreamState::Open(open)) => {
                open.reset(at.direction, end);
                self.over(stream, EndReason::Rst(at.direction), turn);
            }
            Some(StreamState::HandshakeHalf(half)) if half.certain => {
                self.refuse(stream, Some((at.direction, end)), turn);
            }
            _ => self.forget(stream, turn.seen),
        }
    }

    /// Nothing more will come on the stream: emits how it ended, after a last look for frames.
    pub(super) fn over<S: Sink>(&mut self, stream: u64, reason: EndReason, turn: &mut Turn<'_, S>) {
        if matches!(self.streams.get(&stream), Some(StreamState::HandshakeHalf(half)) if half.other_lost) {
            self.search(stream, turn);
        }
        if let Some(StreamState::Search(_)) = self.streams.get(&stream) {
            self.look_last(stream, turn);
        }
        self.conclude(stream, reason, turn);
    }

    /// Nothing more will come on the stream: emits how it ended.
    pub(super) fn conclude<S: Sink>(&mut self, stream: u64, reason: EndReason, turn: &mut Turn<'_, S>) {
        if let Some(StreamState::HandshakeHalf(half)) = self.streams.get(&stream) {
            if half.certain {
                self.refuse(stream, None, turn);
                return;
            }
            self.take_half(stream);
        }
        let stalled_us = self.forget_windows(stream, turn.seen);
        match self.streams.remove(&stream) {
            Some(StreamState::Open(open)) => open.close((self.http.goaways(), stalled_us), reason, turn),
            Some(StreamState::Search(midstream)) => {
                if let Some(request) = midstream.request {
                    let judged = judged(Some(request), None, self.http.extended_connect());
                    self.emit_refused(stream, judged, PerDirection::default(), turn);
                }
            }
            _ => {}
        }
    }

    /// A request for a WebSocket came to nothing; a reset may have ended it.
    pub(super) fn refuse<S: Sink>(&mut self, stream: u64, end: Option<(Direction, StreamEnd)>, turn: &mut Turn<'_, S>) {
        let Some(half) = self.take_half(stream) else { return };
        let mut ends = PerDirection::default();
        if let Some((direction, end)) = end {
            *ends.get_mut(direction) = Some(end);
        }
        let judged = judged(half.request, half.response, self.http.extended_connect());
        self.emit_refused(stream, judged, ends, turn);
    }

    pub(super) fn emit_refused<S: Sink>(
        &mut self,
        stream: u64,
        judged: CheckedHandshake,
        ends: PerDirection<Option<StreamEnd>>,
        turn: &mut Turn<'_, S>,
    ) {
        self.forget(stream, turn.seen);
        let http2 = Http2 {
            extended_connect: self.http.extended_connect(),
            ends,
            goaways: self.http.goaways(),
            stalled_us: PerDirection::default(),
        };
        let identity = identify_stream(stream, turn);
        let notes = core::mem::take(&mut self.pending_notes);
        websocket::refuse(identity, judged, Some((http2, notes)), turn);
    }

    /// The stream is of no interest any more.
    pub(super) fn forget(&mut self, stream: u64, seen: PacketRef) {
        self.take_half(stream);
        self.streams.remove(&stream);
        self.forget_windows(stream, seen);
    }

    pub(super) fn forget_windows(&mut self, stream: u64, seen: PacketRef) -> PerDirection<u64> {
        if self.has_gap && self.done.len() < MAX_DONE {
            self.done.insert(stream);
        }
        self.http.forget(stream, seen)
    }

    pub(super) fn take_half(&mut self, stream: u64) -> Option<HandshakeHalf> {
        if !matches!(self.streams.get(&stream), Some(StreamState::HandshakeHalf(_))) {
            return None;
        }
        let Some(StreamState::HandshakeHalf(half)) = self.streams.remove(&stream) else { return None };
        self.pending_cost = self.pending_cost.saturating_sub(half.pending_cost());
        Some(*half)
    }
}

//! WebSockets on streams of one HTTP connection, by extended CONNECT (RFC 8441, RFC 9220).
//!
//! In: for each stream its request, its response, its content, its reset; and what a gap took. Out: for each stream what a
//! connection of HTTP/1.1 would emit. Streams have numbers of 64 bits. How requests, responses and content are framed, and what
//! else happens on the connection, is known to the [`HttpConnection`], not here.
//!
//! ```text
//!  request, or response ─▶ HandshakeHalf ─────────────▶ Open ─────▶ closed
//!                              │    │                    ▲
//!                              │    └──────▶ Search ─────┘
//!                              ▼               ▲  └────────────────▶ refused, or nothing
//!                     refused, or nothing      │
//!               content, after a gap ──────────┘
//!
//!  HandshakeHalf  ─ the other half: a WebSocket was requested and accepted (2xx) ─▶ Open
//!                 ─ the other half: it may be one; or it was lost, and content comes ─▶ Search
//!                 ─ another status, RST_STREAM, the end ─▶ refused, where it certainly was requested
//!  Search         ─ frames, with enough evidence ─▶ Open
//!                 ─ none in as many bytes as are searched, RST_STREAM, the end ─▶ refused, where it was requested
//!  Open           ─ END_STREAM of both directions, RST_STREAM, the end ─▶ closed
//! ```
//!
//! Content that comes before the other half of a handshake waits, with the packets that carried it.

mod ending;
mod memory;
mod open;
mod search;

use std::collections::{BTreeMap, BTreeSet};

use super::conversation::Note;
use super::identity::identify_stream;
use super::leftover::Leftover;
use super::memory::Growth;
use super::midstream::{Midstream, assumed};
use super::pending::Pending;
use super::turn::Turn;
use super::websocket::WebSocket;
use crate::event::Sink;
use crate::http::h2::ErrorCode;
use crate::stream::{EndReason, Run};
use crate::types::{Detail, Direction, FindingCode, PacketRef, PerDirection};
use crate::websocket::{CheckedHandshake, CheckedRequest, CheckedResponse, check_handshake, check_settings};
use open::Open;

/// Findings that are remembered until there is a WebSocket to record them for.
const MAX_PENDING_NOTES: usize = 16;
/// Streams that are known to need no search. Beyond, none is begun.
const MAX_DONE: usize = 4096;

/// What the machine asks of the HTTP connection that carries the streams.
pub(super) trait HttpConnection {
    /// Whether the server has sent SETTINGS_ENABLE_CONNECT_PROTOCOL with 1 (RFC 8441 §3); `None` where that was not captured.
    fn extended_connect(&self) -> Option<bool>;

    /// The GOAWAY of each direction so far.
    fn goaways(&self) -> PerDirection<Option<(ErrorCode, PacketRef)>>;

    /// Whether requests may be missing right now.
    fn requests_are_lost(&self) -> bool;

    /// Whether clients send requests on streams of this number.
    fn is_request_stream(&self, stream: u64) -> bool;

    /// The stream is of interest: its flow-control windows are counted from now on.
    fn follow(&mut self, stream: u64, seen: PacketRef);

    /// The stream is of no interest any more. Gives how long each sender could not send on it, in microseconds.
    fn forget(&mut self, stream: u64, seen: PacketRef) -> PerDirection<u64>;
}

/// The streams of one connection that are WebSockets, ask for one, or may be one. Nothing is kept of all others.
pub(super) struct ExtendedConnect<C> {
    http: C,
    streams: BTreeMap<u64, StreamState>,
    pending_notes: Vec<Note>,
    /// The highest stream on which a request was seen.
    highest_request: u64,
    /// What all streams keep for the other direction, counted against the limit of what may wait.
    pending_cost: usize,
    is_retained: bool,
    /// Bytes that are kept for all streams, and whether they have to be counted anew for each.
    kept: usize,
    recount: bool,
    /// Header lists may have been missed.
    has_gap: bool,
    /// Since then: streams that are over, or ordinary.
    done: BTreeSet<u64>,
}

/// One direction of one stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct StreamSide {
    pub(super) stream: u64,
    pub(super) direction: Direction,
}

/// What happens on a stream.
pub(super) enum StreamEvent<'i> {
    /// Content, a gap in it, or its end.
    Run(Run<'i>),
    /// A request: for a WebSocket or, with `None`, for something else.
    Request(Option<Box<HandshakeHalf>>),
    /// A response and whether all of its head is known, unless its status is not; and whether the stream ends with it. Or
    /// trailers.
    Response(Option<Box<(CheckedResponse, bool)>>, bool),
    /// The sender resets the stream, with this code where it was captured.
    Reset(Option<ErrorCode>),
}

/// What a stream is.
enum StreamState {
    /// A request without its response, or a response without its request.
    HandshakeHalf(Box<HandshakeHalf>),
    /// Perhaps frames: the handshake that would show it was not captured.
    Search(Box<Midstream>),
    /// A WebSocket.
    Open(Box<Open>),
}

/// One half of a handshake; the content after it waits.
#[derive(Default)]
pub(super) struct HandshakeHalf {
    request: Option<CheckedRequest>,
    /// The request is for a WebSocket; otherwise some of it is not known, and it may be.
    certain: bool,
    /// The response, and whether all of its head is known.
    response: Option<(CheckedResponse, bool)>,
    /// The other half may have come and was not captured.
    other_lost: bool,
    pending: PerDirection<Pending>,
}

/// The streams whose responses are wanted.
pub(super) struct Wanted<'w> {
    streams: &'w BTreeMap<u64, StreamState>,
    highest_request: u64,
}

impl HandshakeHalf {
    /// A request that is for a WebSocket if that is `certain`, and may be otherwise.
    pub(super) fn of_request(request: CheckedRequest, certain: bool) -> Self {
        Self { request: Some(request), certain, ..Self::default() }
    }
}

impl Wanted<'_> {
    /// Whether responses on this stream are wanted.
    pub(super) fn has(&self, stream: u64) -> bool {
        stream > self.highest_request || self.streams.contains_key(&stream)
    }
}

impl<C: HttpConnection> ExtendedConnect<C> {
    /// A connection without a request so far.
    pub(super) const fn new(http: C) -> Self {
        Self {
            http,
            streams: BTreeMap::new(),
            pending_notes: Vec::new(),
            highest_request: 0,
            pending_cost: 0,
            is_retained: false,
            kept: 0,
            recount: false,
            has_gap: false,
            done: BTreeSet::new(),
        }
    }

    /// Streams up to this one are no WebSockets.
    pub(super) const fn begin_after(&mut self, stream: u64) {
        self.highest_request = stream;
    }

    /// Requests and responses may have been missed.
    pub(super) const fn lose_beginning(&mut self) {
        self.has_gap = true;
    }

    /// The connection that carries the streams.
    pub(super) const fn http(&self) -> &C {
        &self.http
    }

    /// The same, to change it.
    pub(super) const fn http_mut(&mut self) -> &mut C {
        &mut self.http
    }

    /// The connection, and the streams whose responses are wanted.
    pub(super) const fn split(&mut self) -> (&mut C, Wanted<'_>) {
        (&mut self.http, Wanted { streams: &self.streams, highest_request: self.highest_request })
    }

    /// Whether a WebSocket was opened.
    pub(super) const fn is_retained(&self) -> bool {
        self.is_retained
    }

    /// Takes what happens in one direction of a stream, and counts what is kept.
    pub(super) fn event<S: Sink>(&mut self, at: StreamSide, event: StreamEvent<'_>, turn: &mut Turn<'_, S>) {
        let before = self.stream_held(at.stream);
        match event {
            StreamEvent::Run(run) => self.run(at, run, turn),
            StreamEvent::Request(half) => self.request(at.stream, half, turn),
            StreamEvent::Response(response, ends) => self.response(at.stream, response, ends, turn),
            StreamEvent::Reset(code) => self.reset(at, code, turn),
        }
        self.recount_stream(at.stream, before);
    }

    /// Streams above this one were not and will not be looked at by the server.
    pub(super) fn refuse_above<S: Sink>(&mut self, last_stream: u64, turn: &mut Turn<'_, S>) {
        let above = self.streams.range(last_stream.saturating_add(1)..);
        let refused: Vec<u64> = above
            .filter(|(_, state)| matches!(state, StreamState::HandshakeHalf(_)))
            .map(|(stream, _)| *stream)
            .collect();
        for stream in refused {
            self.over(stream, EndReason::Fin, turn);
        }
        self.recount();
    }

    /// Bytes of unknown number are missing in one direction, and with them content, requests or responses of any stream.
    pub(super) fn lose<S: Sink>(&mut self, direction: Direction, turn: &mut Turn<'_, S>) {
        self.has_gap = true;
        let streams: Vec<u64> = self.streams.keys().copied().collect();
        for stream in streams {
            self.run(StreamSide { stream, direction }, Run::Gap(None), turn);
            if let Some(StreamState::HandshakeHalf(half)) = self.streams.get_mut(&stream) {
                half.other_lost |= half.request.is_some() == (direction == Direction::ToClient);
            }
        }
        self.recount();
    }

    /// One direction of the connection is over.
    pub(super) fn end<S: Sink>(&mut self, direction: Direction, reason: EndReason, turn: &mut Turn<'_, S>) {
        let mut growth = Growth::NONE;
        for state in self.streams.values_mut() {
            if let StreamState::Open(open) = state {
                growth |= open.websocket.run(direction, Run::End(reason), turn);
            }
        }
        if growth == Growth::SOME {
            self.recount();
        }
    }

    /// The connection is over, and so is every stream.
    pub(super) fn close<S: Sink>(mut self, reason: EndReason, turn: &mut Turn<'_, S>) {
        while let Some(stream) = self.streams.keys().next().copied() {
            self.over(stream, reason, turn);
        }
    }

    /// Records a finding about the connection: for the WebSocket on the lowest stream, or for the first to come.
    pub(super) fn fault<S: Sink>(&mut self, note: Note, turn: &mut Turn<'_, S>) -> Growth {
        self.record(note, turn);
        self.recount();
        Growth::SOME
    }

    /// The same while something happens on a stream.
    fn record<S: Sink>(&mut self, note: Note, turn: &mut Turn<'_, S>) {
        let open = self.streams.values_mut().find_map(|state| match state {
            StreamState::Open(open) => Some(open),
            _ => None,
        });
        match open {
            Some(open) => self.recount |= open.websocket.record(note, turn) == Growth::SOME,
            None if self.pending_notes.len() < MAX_PENDING_NOTES => self.pending_notes.push(note),
            None => {}
        }
    }

    /// Takes content of a stream, a gap, or its end.
    fn run<S: Sink>(&mut self, at: StreamSide, run: Run<'_>, turn: &mut Turn<'_, S>) {
        let stream = at.stream;
        if !self.streams.contains_key(&stream) {
            if !matches!(run, Run::Data(_)) || !self.may_search(stream) {
                return;
            }
            let midstream = Midstream::new(None, true, &turn.shared.limits);
            self.streams.insert(stream, StreamState::Search(Box::new(midstream)));
        }
        match self.streams.get_mut(&stream) {
            Some(StreamState::Open(open)) => {
                open.run(at.direction, run, turn).counted_anyway();
                if open.is_over() {
                    self.over(stream, EndReason::Fin, turn);
                }
            }
            Some(StreamState::HandshakeHalf(_)) => self.wait(at, run, turn),
            Some(StreamState::Search(_)) => self.look(at, run, turn),
            None => {}
        }
    }

    /// Keeps content until the other half of the handshake comes.
    fn wait<S: Sink>(&mut self, at: StreamSide, run: Run<'_>, turn: &mut Turn<'_, S>) {
        let Some(StreamState::HandshakeHalf(half)) = self.streams.get_mut(&at.stream) else { return };
        let pending = half.pending.get_mut(at.direction);
        let before = pending.cost();
        let room = turn.shared.limits.max_waiting_bytes.saturating_sub(self.pending_cost);
        pending.push(run, turn.seen, before.saturating_add(room));
        self.pending_cost = self.pending_cost.saturating_add(pending.cost().saturating_sub(before));
        // The sender of content has sent its half of the handshake before.
        let other = if half.request.is_some() { Direction::ToClient } else { Direction::ToServer };
        if half.other_lost && at.direction == other && matches!(run, Run::Data(_)) {
            self.search(at.stream, turn);
        }
    }

    /// A request, for a WebSocket or, without `half`, for something else.
    fn request<S: Sink>(&mut self, stream: u64, half: Option<Box<HandshakeHalf>>, turn: &mut Turn<'_, S>) {
        let early =
            matches!(self.streams.get(&stream), Some(StreamState::HandshakeHalf(half)) if half.request.is_none());
        if stream <= self.highest_request && !early {
            return; // Trailers, or a stream that was there before: "cannot be reused" (RFC 9113 §5.1.1).
        }
        self.highest_request = self.highest_request.max(stream);
        let Some(mut half) = half else {
            self.forget(stream, turn.seen);
            return;
        };
        if let Some(StreamState::HandshakeHalf(before)) = self.streams.remove(&stream) {
            let HandshakeHalf { response, pending, .. } = *before;
            (half.response, half.pending) = (response, pending);
        }
        let max = turn.shared.limits.max_h2_streams;
        if self.streams.len() >= max {
            let detail = Detail::Number("more than # WebSockets at once", max as u64);
            let note = ((FindingCode::Http2Flood, detail), Some(Direction::ToServer), turn.seen);
            self.record(note, turn);
            return;
        }
        self.http.follow(stream, turn.seen);
        let has_response = half.response.is_some();
        self.streams.insert(stream, StreamState::HandshakeHalf(half));
        if has_response {
            self.decide(stream, turn);
        }
    }

    /// A response, or trailers.
    fn response<S: Sink>(
        &mut self,
        stream: u64,
        response: Option<Box<(CheckedResponse, bool)>>,
        ends: bool,
        turn: &mut Turn<'_, S>,
    ) {
        let room = self.streams.len() < turn.shared.limits.max_h2_streams;
        match (self.streams.get_mut(&stream), response) {
            (Some(StreamState::HandshakeHalf(half)), Some(response)) if half.response.is_none() => {
                half.response = Some(*response);
                if half.request.is_some() {
                    self.decide(stream, turn);
                }
            }
            // Where the status is not known and the stream goes on, its bytes show what it is.
            (Some(StreamState::HandshakeHalf(half)), None) if half.request.is_some() && !ends => {
                half.other_lost = true;
            }
            (None, Some(response)) if stream > self.highest_request && room => {
                let other_lost = self.http.requests_are_lost();
                let half = HandshakeHalf { response: Some(*response), other_lost, ..HandshakeHalf::default() };
                self.streams.insert(stream, StreamState::HandshakeHalf(Box::new(half)));
            }
            _ => {}
        }
    }

    /// Both halves of a handshake are there: it is a WebSocket, was refused, or is something else (RFC 8441 §5).
    fn decide<S: Sink>(&mut self, stream: u64, turn: &mut Turn<'_, S>) {
        let Some(StreamState::HandshakeHalf(half)) = self.streams.get(&stream) else { return };
        let success =
            half.response.as_ref().is_some_and(|(response, _)| (200..300).contains(&response.response.status));
        match (success, half.certain) {
            (true, true) => self.open(stream, turn),
            (true, false) => self.search(stream, turn),
            (false, true) => self.over(stream, EndReason::Fin, turn),
            (false, false) => self.forget(stream, turn.seen),
        }
    }

    /// The stream becomes a WebSocket; what waited are its first bytes.
    fn open<S: Sink>(&mut self, stream: u64, turn: &mut Turn<'_, S>) {
        let Some(half) = self.take_half(stream) else { return };
        let complete = half.response.as_ref().is_some_and(|(_, complete)| *complete);
        let mut judged = judged(half.request, half.response, self.http.extended_connect());
        if !complete && judged.handshake.negotiated.deflate.is_none() {
            judged.handshake.negotiated = assumed();
        }
        let identity = identify_stream(stream, turn);
        let websocket = WebSocket::open(identity, judged, turn);
        self.insert_open(stream, websocket);
        for note in core::mem::take(&mut self.pending_notes) {
            self.record(note, turn);
        }
        self.offer(stream, half.pending, turn);
    }

    fn insert_open(&mut self, stream: u64, websocket: WebSocket) {
        let open = Open::new(websocket, self.http.extended_connect());
        self.streams.insert(stream, StreamState::Open(Box::new(open)));
        self.is_retained = true;
    }

    /// Gives a stream the content that waited.
    fn offer<S: Sink>(&mut self, stream: u64, mut pending: PerDirection<Pending>, turn: &mut Turn<'_, S>) {
        for direction in Direction::BOTH {
            pending.get_mut(direction).offer(|run, seen| {
                self.run(StreamSide { stream, direction }, run, &mut turn.at(seen));
                Leftover::Nothing
            });
        }
    }
}

/// Judges request and response together, and the request by what the server's settings allowed.
fn judged(
    request: Option<CheckedRequest>,
    response: Option<(CheckedResponse, bool)>,
    extended_connect: Option<bool>,
) -> CheckedHandshake {
    let mut judged = check_handshake(request, response.map(|(response, _)| response));
    check_settings(&mut judged, extended_connect);
    judged
}

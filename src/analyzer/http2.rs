//! A connection while it speaks HTTP/2: looks for streams that are WebSockets (RFC 8441), and gives each its bytes.
//!
//! In: pieces of both directions. Out: for each stream what a connection of HTTP/1.1 would tell. Payload of DATA frames goes
//! straight through to the directions of its WebSocket. What a single stream does is decided in `http2/stream.rs`.
//!
//! A hole that takes a boundary between frames is a hole of unknown length in every WebSocket of that direction, since it
//! may have held bytes of each. Streams whose request or response may have been in it are searched for frames, as
//! connections without a beginning are.

mod memory;
mod stream;

use std::collections::{BTreeMap, BTreeSet};

use super::midstream::Midstream;
use super::pending::Pending;
use super::shared::Out;
use super::websocket::Note;
use crate::event::Sink;
use crate::http::h2::{BoundarySearch, ErrorCode, H2, H2Event, HeaderList, Setting};
use crate::stream::{EndReason, Run};
use crate::tcp::Flow;
use crate::types::{Detail, Direction, FindingCode, Limits, PacketRef, PerDirection};
use crate::websocket::{CheckedRequest, CheckedResponse};
use stream::{HandshakeHalf, StreamState};

/// Bits of evidence for a boundary between frames that was lost; the connection is known to be HTTP/2.
const ENOUGH_BITS: u32 = 72;
/// Things that are remembered until there is a WebSocket to tell them of.
const MAX_UNTOLD: usize = 16;
/// Streams that are searched for frames at once, of up to 64 KiB each.
const MAX_SEARCHES: usize = 16;
/// Streams that are known to need no search. Beyond, none is begun.
const MAX_DONE: usize = 4096;

/// One connection.
pub(super) struct Http2 {
    h2: H2,
    /// The streams of interest.
    streams: BTreeMap<u32, StreamState>,
    searches: PerDirection<Option<Box<BoundarySearch>>>,
    untold: Vec<Note>,
    goaways: PerDirection<Option<(ErrorCode, PacketRef)>>,
    /// The highest stream that the client was seen to open.
    asked: u32,
    /// Bytes of all streams that wait for the other direction, and what they cost.
    waiting_bytes: usize,
    retained: bool,
    /// Bytes that are kept for all streams.
    kept: usize,
    /// Header lists may have been missed.
    holed: bool,
    /// Since then: streams that are over, or ordinary.
    done: BTreeSet<u32>,
}

/// What a step asks for.
enum Found<'i> {
    Data(u32, &'i [u8]),
    Missing(u32, Option<u64>),
    Ended(u32),
    Request(u32, Option<Box<HandshakeHalf>>, bool),
    /// An answer, with its head unless the status is not known; whether the stream ends with it.
    Response(u32, Option<Box<(CheckedResponse, bool)>>, bool),
    Reset(u32, Option<ErrorCode>),
    Goaway(u32, ErrorCode),
    Lost,
    NotHttp2,
}

impl Http2 {
    /// A connection at its beginning.
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            h2: H2::new(limits),
            streams: BTreeMap::new(),
            searches: PerDirection::default(),
            untold: Vec::new(),
            goaways: PerDirection::default(),
            asked: 0,
            waiting_bytes: 0,
            retained: false,
            kept: 0,
            holed: false,
            done: BTreeSet::new(),
        }
    }

    /// A connection that was HTTP/1.1 before (RFC 7540 §3.2): stream 1 is the request that asked for it, and no WebSocket.
    pub(super) fn upgraded(limits: &Limits, settings: &[Setting]) -> Self {
        Self { h2: H2::upgraded(limits, settings), asked: 1, ..Self::new(limits) }
    }

    /// A connection that is joined half-way; `searches` have gathered what came so far.
    pub(super) fn joined(limits: &Limits, searches: PerDirection<Option<Box<BoundarySearch>>>) -> Self {
        Self { h2: H2::mid_stream(limits), searches, holed: true, ..Self::new(limits) }
    }

    /// Takes all of a piece of one direction. False if it turns out to be no HTTP/2.
    pub(super) fn take<S: Sink>(
        &mut self,
        flow: &Flow,
        direction: Direction,
        run: Run<'_>,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<bool, S::Error> {
        match run {
            Run::Data(bytes) => match self.searches.get_mut(direction) {
                None => self.frames(flow, direction, bytes, seen, out),
                Some(search) => {
                    let known = self.h2.search_context(direction);
                    if search.push(bytes, seen, &known) { self.resume(flow, direction, out) } else { Ok(true) }
                }
            },
            Run::Gap(len) => match self.searches.get_mut(direction) {
                Some(search) => {
                    search.gap();
                    Ok(true)
                }
                None => {
                    let found = self.h2.gap(direction, len).and_then(|step| found(direction, step, seen, |_| true));
                    found.map_or(Ok(true), |found| self.act(found, flow, direction, seen, out))
                }
            },
            Run::End(reason) => self.end(flow, direction, reason, seen, out).map(|()| true),
        }
    }

    /// A WebSocket was opened.
    pub(super) const fn is_retained(&self) -> bool {
        self.retained
    }

    /// Something went wrong below: told of one WebSocket, since which one it belongs to is not looked for.
    pub(super) fn fault<S: Sink>(
        &mut self,
        direction: Direction,
        broken: (FindingCode, Detail),
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        self.note((broken, Some(direction), seen), out)
    }

    /// The connection is over, and so is every stream.
    pub(super) fn close<S: Sink>(
        mut self,
        flow: &Flow,
        reason: EndReason,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        for direction in Direction::BOTH {
            self.end(flow, direction, reason, seen, out)?;
        }
        while let Some(stream) = self.streams.keys().next().copied() {
            self.over(stream, flow, reason, seen, out)?;
        }
        Ok(())
    }

    /// Takes bytes of one packet, in step.
    fn frames<S: Sink>(
        &mut self,
        flow: &Flow,
        direction: Direction,
        bytes: &[u8],
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<bool, S::Error> {
        let mut input = bytes;
        loop {
            let (streams, asked) = (&self.streams, self.asked);
            let wanted = |stream: u32| stream > asked || streams.contains_key(&stream);
            let step = self.h2.next(direction, &mut input, seen);
            let over = step.is_none();
            let found = step.and_then(|step| found(direction, step, seen, wanted));
            while let Some(fault) = self.h2.fault() {
                self.note(((fault.code, fault.detail), Some(fault.direction), seen), out)?;
            }
            if let Some(found) = found
                && !self.act(found, flow, direction, seen, out)?
            {
                return Ok(false);
            }
            if over {
                return Ok(true);
            }
        }
    }

    /// A boundary was found: goes on with what stands behind it.
    pub(super) fn resume<S: Sink>(
        &mut self,
        flow: &Flow,
        direction: Direction,
        out: &mut Out<'_, S>,
    ) -> Result<bool, S::Error> {
        let Some(mut search) = self.searches.get_mut(direction).take() else { return Ok(true) };
        self.h2.resume(direction);
        for (piece, seen) in search.take() {
            self.frames(flow, direction, &piece, seen, out)?;
        }
        Ok(true)
    }

    /// Does what a step asks for, and counts what is kept. False if the connection is no HTTP/2.
    fn act<S: Sink>(
        &mut self,
        found: Found<'_>,
        flow: &Flow,
        direction: Direction,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<bool, S::Error> {
        let before = found.stream().map(|stream| (stream, self.stream_held(stream)));
        let goes_on = self.obey(found, flow, direction, seen, out)?;
        self.recount(before);
        Ok(goes_on)
    }

    fn obey<S: Sink>(
        &mut self,
        found: Found<'_>,
        flow: &Flow,
        direction: Direction,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<bool, S::Error> {
        match found {
            Found::Data(stream, payload) => self.piece(stream, flow, direction, Run::Data(payload), seen, out)?,
            Found::Missing(stream, len) => self.piece(stream, flow, direction, Run::Gap(len), seen, out)?,
            Found::Ended(stream) => self.piece(stream, flow, direction, Run::End(EndReason::Fin), seen, out)?,
            Found::Request(stream, half, ends) => {
                self.request(stream, half, flow, seen, out)?;
                if ends {
                    self.piece(stream, flow, direction, Run::End(EndReason::Fin), seen, out)?;
                }
            }
            Found::Response(stream, answered, ends) => {
                self.response(stream, answered, ends, flow, seen, out)?;
                if ends {
                    self.piece(stream, flow, direction, Run::End(EndReason::Fin), seen, out)?;
                }
            }
            Found::Reset(stream, code) => self.reset(stream, code, flow, direction, seen, out)?,
            Found::Goaway(last_stream, code) => self.goaway(last_stream, code, flow, direction, seen, out)?,
            Found::Lost => self.lose(flow, direction, seen, out)?,
            Found::NotHttp2 => return Ok(false),
        }
        Ok(true)
    }

    /// A request, for a WebSocket or, without `half`, for something else.
    fn request<S: Sink>(
        &mut self,
        stream: u32,
        half: Option<Box<HandshakeHalf>>,
        flow: &Flow,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        let early = matches!(self.streams.get(&stream), Some(StreamState::HandshakeHalf(half)) if half.asked.is_none());
        if stream <= self.asked && !early {
            return Ok(()); // Trailers, or a stream that was there before: "cannot be reused" (RFC 9113 §5.1.1).
        }
        self.asked = self.asked.max(stream);
        let Some(mut half) = half else {
            self.forget(stream, seen);
            return Ok(());
        };
        if let Some(StreamState::HandshakeHalf(before)) = self.streams.remove(&stream) {
            let HandshakeHalf { answered, waiting, .. } = *before;
            (half.answered, half.waiting) = (answered, waiting);
        }
        let max = out.shared.limits.max_h2_streams;
        if self.streams.len() >= max {
            let detail = Detail::Number("more than # WebSockets at once", max as u64);
            return self.note(((FindingCode::Http2Flood, detail), Some(Direction::ToServer), seen), out);
        }
        self.h2.follow(stream, seen);
        let answered = half.answered.is_some();
        self.streams.insert(stream, StreamState::HandshakeHalf(half));
        if answered { self.decide(stream, flow, seen, out) } else { Ok(()) }
    }

    /// A response, or trailers.
    fn response<S: Sink>(
        &mut self,
        stream: u32,
        answered: Option<Box<(CheckedResponse, bool)>>,
        ends: bool,
        flow: &Flow,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        let room = self.streams.len() < out.shared.limits.max_h2_streams;
        match (self.streams.get_mut(&stream), answered) {
            (Some(StreamState::HandshakeHalf(half)), Some(answered)) if half.answered.is_none() => {
                half.answered = Some(*answered);
                if half.asked.is_some() { self.decide(stream, flow, seen, out) } else { Ok(()) }
            }
            // Where the status is not known and the stream goes on, its bytes say what it is.
            (Some(StreamState::HandshakeHalf(half)), None) if half.asked.is_some() && !ends => {
                half.other_lost = true;
                Ok(())
            }
            (None, Some(answered)) if stream > self.asked && room => {
                let other_lost = self.searches.to_server.is_some();
                let half = HandshakeHalf { answered: Some(*answered), other_lost, ..HandshakeHalf::default() };
                self.streams.insert(stream, StreamState::HandshakeHalf(Box::new(half)));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The sender of GOAWAY will not look at streams above `last_stream` (RFC 9113 §6.8).
    fn goaway<S: Sink>(
        &mut self,
        last_stream: u32,
        code: ErrorCode,
        flow: &Flow,
        direction: Direction,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        *self.goaways.get_mut(direction) = Some((code, seen));
        if direction == Direction::ToClient {
            let above = self.streams.range(last_stream.saturating_add(1)..);
            let unheard: Vec<u32> = above
                .filter(|(_, talk)| matches!(talk, StreamState::HandshakeHalf(_)))
                .map(|(stream, _)| *stream)
                .collect();
            for stream in unheard {
                self.over(stream, flow, EndReason::Fin, seen, out)?;
            }
        }
        Ok(())
    }

    /// A boundary was lost in one direction, and with it bytes of any stream.
    fn lose<S: Sink>(
        &mut self,
        flow: &Flow,
        direction: Direction,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        self.holed = true;
        let search = BoundarySearch::new(out.shared.limits.max_resync_bytes, ENOUGH_BITS);
        *self.searches.get_mut(direction) = Some(Box::new(search));
        let streams: Vec<u32> = self.streams.keys().copied().collect();
        for stream in streams {
            self.piece(stream, flow, direction, Run::Gap(None), seen, out)?;
            if let Some(StreamState::HandshakeHalf(half)) = self.streams.get_mut(&stream) {
                half.other_lost |= half.asked.is_some() == (direction == Direction::ToClient);
            }
        }
        Ok(())
    }

    /// One direction is over.
    fn end<S: Sink>(
        &mut self,
        flow: &Flow,
        direction: Direction,
        reason: EndReason,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        if self.searches.get_mut(direction).as_mut().is_some_and(|search| search.accept_best()) {
            self.resume(flow, direction, out)?;
        }
        let (streams, asked) = (&self.streams, self.asked);
        let wanted = |stream: u32| stream > asked || streams.contains_key(&stream);
        if let Some(found) = self.h2.finish(direction).and_then(|step| found(direction, step, seen, wanted)) {
            self.act(found, flow, direction, seen, out)?;
        }
        for talk in self.streams.values_mut() {
            if let StreamState::Open(open) = talk {
                open.websocket.end(direction, reason, seen, out)?;
            }
        }
        Ok(())
    }

    /// Something is wrong with the connection: tells it of the WebSocket on the lowest stream, or remembers it until there is
    /// one.
    fn note<S: Sink>(&mut self, note: Note, out: &mut Out<'_, S>) -> Result<(), S::Error> {
        let mut open = self.streams.values_mut().filter_map(|talk| match talk {
            StreamState::Open(open) => Some(open),
            _ => None,
        });
        match open.next() {
            Some(open) => open.websocket.note(note, out),
            None => {
                if self.untold.len() < MAX_UNTOLD {
                    self.untold.push(note);
                }
                Ok(())
            }
        }
    }
}

/// Keeps of a step what is needed behind it. `wanted` says whether responses on a stream are.
fn found<'i>(
    direction: Direction,
    step: H2Event<'_, 'i>,
    seen: PacketRef,
    wanted: impl Fn(u32) -> bool,
) -> Option<Found<'i>> {
    Some(match step {
        H2Event::Data { stream, payload } => Found::Data(stream, payload),
        H2Event::Missing { stream, len } => Found::Missing(stream, len),
        H2Event::EndStream { stream } => Found::Ended(stream),
        H2Event::Headers { stream, list, end_stream } if direction == Direction::ToServer => {
            Found::Request(stream, asked(list, seen), end_stream)
        }
        H2Event::Headers { stream, list, end_stream } => {
            let is_interim = list.status().is_some_and(|status| (100..200).contains(&status));
            if is_interim || !wanted(stream) {
                return end_stream.then_some(Found::Ended(stream));
            }
            let answered = list
                .status()
                .map(|status| Box::new((CheckedResponse::from_list(list, status, seen), list.is_complete())));
            Found::Response(stream, answered, end_stream)
        }
        H2Event::Reset { stream, code } => Found::Reset(stream, code),
        H2Event::Goaway { last_stream, code } => Found::Goaway(last_stream, code),
        H2Event::Lost => Found::Lost,
        H2Event::NotHttp2 => Found::NotHttp2,
    })
}

/// The request for a WebSocket, or what may be one.
fn asked(list: &HeaderList, seen: PacketRef) -> Option<Box<HandshakeHalf>> {
    list.may_be_websocket_attempt().then(|| {
        let certain = list.is_websocket_attempt();
        Box::new(HandshakeHalf {
            asked: Some(CheckedRequest::from_list(list, seen)),
            certain,
            ..HandshakeHalf::default()
        })
    })
}

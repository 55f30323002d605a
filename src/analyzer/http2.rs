//! A connection while it speaks HTTP/2 (RFC 9113): finds requests for a WebSocket (RFC 8441), and gives each stream its bytes.
//!
//! In: runs of both directions. Out: events of the streams, to the machine of extended CONNECT
//! ([`ExtendedConnect`]), which knows requests, responses and content, and not how they are framed. Payload of DATA
//! frames goes straight through to the WebSocket of its stream.
//!
//! A gap that takes a boundary between frames is a gap of unknown length in every WebSocket of that direction, since it may
//! have held bytes of each. The boundary is searched for (`http/h2/search.rs`).

use super::conversation::Note;
use super::extended_connect::{ExtendedConnect, HandshakeHalf, HttpConnection, StreamEvent, StreamSide, Wanted};
use super::memory::Growth;
use super::turn::Turn;
use crate::event::Sink;
use crate::http::h2::{BoundarySearch, ErrorCode, H2, H2Event, HeaderList, UpgradeSettings};
use crate::stream::{EndReason, Run};
use crate::tcp::Depth;
use crate::types::{Direction, Limits, PacketRef, PerDirection};
use crate::websocket::Violation;
use crate::websocket::{CheckedRequest, CheckedResponse};

/// Bits of evidence for a boundary between frames that was lost; the connection is known to be HTTP/2.
const ENOUGH_BITS: u32 = 72;

/// One connection.
pub(super) struct Http2 {
    connects: ExtendedConnect<Connection>,
}

/// What the streams have in common.
pub(super) struct Connection {
    h2: H2,
    /// The searches for a boundary in the directions that lost it.
    searches: PerDirection<Option<Box<BoundarySearch>>>,
    goaways: PerDirection<Option<(ErrorCode, PacketRef)>>,
}

/// What an event of [`H2`] means here.
enum Http2Event<'i> {
    /// Something on one stream; whether the stream ends with it.
    Stream(u32, StreamEvent<'i>, bool),
    /// The sender of GOAWAY will not look at streams above this one (RFC 9113 §6.8).
    Goaway(u32, ErrorCode),
    Lost,
    NotHttp2,
}

impl HttpConnection for Connection {
    fn extended_connect(&self) -> Option<bool> {
        self.h2.extended_connect()
    }

    fn goaways(&self) -> PerDirection<Option<(ErrorCode, PacketRef)>> {
        self.goaways
    }

    fn requests_are_lost(&self) -> bool {
        self.searches.to_server.is_some()
    }

    /// Clients open the odd ones (RFC 9113 §5.1.1).
    fn is_request_stream(&self, stream: u64) -> bool {
        stream % 2 == 1
    }

    fn follow(&mut self, stream: u64, seen: PacketRef) {
        if let Ok(stream) = u32::try_from(stream) {
            self.h2.follow(stream, seen);
        }
    }

    fn forget(&mut self, stream: u64, seen: PacketRef) -> PerDirection<u64> {
        u32::try_from(stream).map_or_else(|_| PerDirection::default(), |stream| self.h2.forget(stream, seen))
    }
}

impl Http2 {
    /// A connection at its beginning.
    pub(super) fn new(limits: &Limits) -> Self {
        Self::with(H2::new(limits))
    }

    /// A connection that was HTTP/1.1 before (RFC 7540 §3.2): stream 1 is the request that asked for it, and no WebSocket.
    pub(super) fn upgraded<S: Sink>(settings: &UpgradeSettings, turn: &mut Turn<'_, S>) -> Self {
        let mut http2 = Self::with(H2::upgraded(&turn.shared.limits, settings));
        http2.connects.begin_after(1);
        if let Some((fault, seen)) = settings.fault() {
            http2.connects.fault((fault.finding(), Some(Direction::ToServer), seen), turn).counted_anyway();
        }
        http2
    }

    /// A connection that is joined mid-stream; `searches` have gathered the bytes so far.
    pub(super) fn joined(limits: &Limits, searches: PerDirection<Option<Box<BoundarySearch>>>) -> Self {
        let mut http2 = Self::with(H2::mid_stream(limits));
        http2.connects.http_mut().searches = searches;
        http2.connects.lose_beginning();
        http2
    }

    fn with(h2: H2) -> Self {
        let (searches, goaways) = (PerDirection::default(), PerDirection::default());
        Self { connects: ExtendedConnect::new(Connection { h2, searches, goaways }) }
    }

    /// Takes all of a run of one direction. False if it turns out to be no HTTP/2.
    pub(super) fn run<S: Sink>(&mut self, direction: Direction, run: Run<'_>, turn: &mut Turn<'_, S>) -> bool {
        let Connection { h2, searches, .. } = self.connects.http_mut();
        match (run, searches.get_mut(direction)) {
            (Run::Data(bytes), None) => return self.frames(direction, bytes, turn),
            (Run::Data(bytes), Some(search)) => {
                if search.push(bytes, turn.seen, &h2.search_context(direction)) {
                    self.resume(direction, turn);
                }
            }
            (Run::Gap(_), Some(search)) => search.gap(),
            (Run::Gap(len), None) => {
                let (http, wanted) = self.connects.split();
                let event = http.h2.gap(direction, len).and_then(|event| wanted.event(event, direction, turn.seen));
                return event.is_none_or(|event| self.act(event, direction, turn));
            }
            (Run::End(reason), _) => self.end(direction, reason, turn),
        }
        true
    }

    /// Whether a WebSocket was opened.
    pub(super) const fn is_retained(&self) -> bool {
        self.connects.is_retained()
    }

    /// Something is wrong in the layers before: recorded for one WebSocket, since which one it belongs to is not looked for.
    pub(super) fn fault<S: Sink>(
        &mut self,
        direction: Direction,
        violation: Violation,
        turn: &mut Turn<'_, S>,
    ) -> Growth {
        let note: Note = (violation, Some(direction), turn.seen);
        self.connects.fault(note, turn)
    }

    /// The connection is over, and so is every stream.
    pub(super) fn close<S: Sink>(mut self, reason: EndReason, turn: &mut Turn<'_, S>) {
        for direction in Direction::BOTH {
            self.end(direction, reason, turn);
        }
        self.connects.close(reason, turn);
    }

    /// Bytes that it keeps, itself included.
    #[inline]
    pub(super) fn held(&self) -> usize {
        let Connection { h2, searches, .. } = self.connects.http();
        let searches = [&searches.to_server, &searches.to_client];
        let searched: usize = searches.into_iter().flatten().map(|search| size_of_val(&**search) + search.held()).sum();
        size_of::<Self>() + h2.held() + searched + self.connects.held()
    }

    /// Bytes that its streams were last counted to keep.
    #[cfg(test)]
    pub(super) const fn streams_counted(&self) -> usize {
        self.connects.counted()
    }

    /// Bytes that its streams keep, each asked.
    #[cfg(test)]
    pub(super) fn streams_held(&self) -> usize {
        self.connects.streams_held()
    }

    /// Bytes that [`Self::shed`] would free, or a little more.
    pub(super) fn sheddable_bytes(&self, depth: Depth) -> usize {
        self.connects.sheddable_bytes(depth)
    }

    /// Memory is spent: frees what it can, and gives how many bytes that was.
    pub(super) fn shed<S: Sink>(&mut self, depth: Depth, turn: &mut Turn<'_, S>) -> u64 {
        self.connects.shed(depth, turn)
    }

    /// A boundary was found: goes on with the bytes after it.
    pub(super) fn resume<S: Sink>(&mut self, direction: Direction, turn: &mut Turn<'_, S>) {
        let Connection { h2, searches, .. } = self.connects.http_mut();
        let Some(mut search) = searches.get_mut(direction).take() else { return };
        h2.resume(direction);
        for (piece, seen) in search.take() {
            // That it is HTTP/2 is certain by now.
            self.frames(direction, &piece, &mut turn.at(seen));
        }
    }

    /// Takes bytes of one packet, in step. False if the connection is no HTTP/2.
    fn frames<S: Sink>(&mut self, direction: Direction, bytes: &[u8], turn: &mut Turn<'_, S>) -> bool {
        let mut input = bytes;
        loop {
            let (http, wanted) = self.connects.split();
            let event = http.h2.next(direction, &mut input, turn.seen);
            let over = event.is_none();
            let event = event.and_then(|event| wanted.event(event, direction, turn.seen));
            while let Some((direction, fault)) = self.connects.http_mut().h2.fault() {
                let note = (fault.finding(), Some(direction), turn.seen);
                self.connects.fault(note, turn).counted_anyway();
            }
            if let Some(event) = event
                && !self.act(event, direction, turn)
            {
                return false;
            }
            if over {
                return true;
            }
        }
    }

    /// Does what an event asks for. False if the connection is no HTTP/2.
    fn act<S: Sink>(&mut self, event: Http2Event<'_>, direction: Direction, turn: &mut Turn<'_, S>) -> bool {
        match event {
            Http2Event::Stream(stream, event, ends) => {
                let at = StreamSide { stream: stream.into(), direction };
                self.connects.event(at, event, turn);
                if ends {
                    self.connects.event(at, StreamEvent::Run(Run::End(EndReason::Fin)), turn);
                }
            }
            Http2Event::Goaway(last_stream, code) => {
                *self.connects.http_mut().goaways.get_mut(direction) = Some((code, turn.seen));
                if direction == Direction::ToClient {
                    self.connects.refuse_above(last_stream.into(), turn);
                }
            }
            Http2Event::Lost => {
                let search = BoundarySearch::new(turn.shared.limits.max_resync_bytes, ENOUGH_BITS);
                *self.connects.http_mut().searches.get_mut(direction) = Some(Box::new(search));
                self.connects.lose(direction, turn);
            }
            Http2Event::NotHttp2 => return false,
        }
        true
    }

    /// One direction is over.
    fn end<S: Sink>(&mut self, direction: Direction, reason: EndReason, turn: &mut Turn<'_, S>) {
        let search = self.connects.http_mut().searches.get_mut(direction);
        if search.as_mut().is_some_and(|search| search.accept_best()) {
            self.resume(direction, turn);
        }
        let (http, wanted) = self.connects.split();
        if let Some(event) = http.h2.finish(direction).and_then(|event| wanted.event(event, direction, turn.seen)) {
            self.act(event, direction, turn);
        }
        self.connects.end(direction, reason, turn);
    }
}

impl Wanted<'_> {
    /// What is needed of an event after it.
    fn event<'i>(&self, event: H2Event<'_, 'i>, direction: Direction, seen: PacketRef) -> Option<Http2Event<'i>> {
        Some(match event {
            H2Event::Data { stream, payload } => {
                Http2Event::Stream(stream, StreamEvent::Run(Run::Data(payload)), false)
            }
            H2Event::Missing { stream, len } => Http2Event::Stream(stream, StreamEvent::Run(Run::Gap(len)), false),
            H2Event::EndStream { stream } => ended(stream),
            H2Event::Headers { stream, list, end_stream } if direction == Direction::ToServer => {
                Http2Event::Stream(stream, StreamEvent::Request(request(list, seen)), end_stream)
            }
            H2Event::Headers { stream, list, end_stream } => {
                let is_interim = list.status().is_some_and(|status| (100..200).contains(&status));
                if is_interim || !self.has(stream.into()) {
                    return end_stream.then(|| ended(stream));
                }
                let response = list
                    .status()
                    .map(|status| Box::new((CheckedResponse::from_list(list, status, seen), list.is_complete())));
                Http2Event::Stream(stream, StreamEvent::Response(response, end_stream), end_stream)
            }
            H2Event::Reset { stream, code } => Http2Event::Stream(stream, StreamEvent::Reset(code), false),
            H2Event::Goaway { last_stream, code } => Http2Event::Goaway(last_stream, code),
            H2Event::Lost => Http2Event::Lost,
            H2Event::NotHttp2 => Http2Event::NotHttp2,
        })
    }
}

fn ended<'i>(stream: u32) -> Http2Event<'i> {
    Http2Event::Stream(stream, StreamEvent::Run(Run::End(EndReason::Fin)), false)
}

/// The request for a WebSocket, or one that may be.
fn request(list: &HeaderList, seen: PacketRef) -> Option<Box<HandshakeHalf>> {
    list.may_be_websocket_attempt().then(|| {
        Box::new(HandshakeHalf::of_request(CheckedRequest::from_list(list, seen), list.is_websocket_attempt()))
    })
}

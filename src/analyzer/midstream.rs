//! A connection whose handshake was not captured: is it a WebSocket?
//!
//! In: runs of both directions. Out: whether frames were recognized in them, and with what evidence. Each direction is searched
//! as if a boundary had been lost in it, for masked frames and for unmasked ones, since the mask shows who is the client
//! (RFC 6455 §5.1). It takes more evidence than after a loss: most connections are something else.

use super::leftover::{Leftover, last_bytes};
use super::turn::Turn;
use super::websocket::{Gathered, WebSocket};
use crate::event::{Identity, Sink};
use crate::http::h2::{BoundarySearch, SearchContext};
use crate::stream::Run;
use crate::types::{Detail, Direction, Limits, PacketRef, PerDirection, Role};
use crate::websocket::resync::{Boundary, ExpectedFrames, FrameSearch};
use crate::websocket::{CheckedRequest, Deflate, ExtensionOffer, FrameHeader, Handshake, Negotiated, check_handshake};

/// Evidence that is needed beyond chance, in bits: a connection is accepted if arbitrary data would look like this in one of
/// 2^44 cases.
const ENOUGH_BITS: u32 = 44;
/// Bytes of each direction that each search keeps.
const KEPT_BYTES: usize = 16 << 10;

/// The same for HTTP/2 (three headers, or fewer of the rarest types), and the bytes of each direction that are kept.
const HTTP2_BITS: u32 = 96;
const HTTP2_BYTES: usize = 40 << 10;

/// One connection.
pub(super) struct Midstream {
    /// A request whose response was not captured; then it is known who is the client.
    pub(super) request: Option<CheckedRequest>,
    /// The client's frames begin with its next byte, if they are frames: the complete request was captured, and nothing
    /// after it is missing.
    boundary: bool,
    oriented: bool,
    /// Bytes of a direction after which the search ends.
    max_bytes: u64,
    searches: PerDirection<Searches>,
    /// Frames of HTTP/2 are looked for, too; not in its streams.
    http2: Option<PerDirection<Option<Box<BoundarySearch>>>>,
}

/// The searches in one direction.
struct Searches {
    masked: FrameSearch,
    unmasked: FrameSearch,
    bytes: u64,
}

/// The result of a search so far.
pub(super) enum SearchResult<'r> {
    /// Nothing yet.
    Unknown,
    /// It is a WebSocket; its client sends in this direction (of those that were searched). This of the run at hand was not
    /// taken.
    WebSocket(Direction, Boundary, Leftover<'r>),
    /// No frames in as many bytes as are searched.
    Other,
}

impl Midstream {
    /// Begins; `oriented` if it is known who is the client.
    pub(super) fn new(request: Option<CheckedRequest>, oriented: bool, limits: &Limits) -> Self {
        let searches =
            || Searches { masked: FrameSearch::new(KEPT_BYTES), unmasked: FrameSearch::new(KEPT_BYTES), bytes: 0 };
        let oriented = oriented || request.is_some();
        Self {
            request,
            boundary: false,
            oriented,
            max_bytes: limits.max_midstream_bytes,
            searches: PerDirection { to_server: searches(), to_client: searches() },
            http2: None,
        }
    }

    /// The same for a connection that may be HTTP/2 as well.
    pub(super) fn or_http2(oriented: bool, limits: &Limits) -> Self {
        let search = |_| Some(Box::new(BoundarySearch::new(HTTP2_BYTES, HTTP2_BITS)));
        Self { http2: Some(PerDirection::from_fn(search)), ..Self::new(None, oriented, limits) }
    }

    /// Begins after a complete request, with all that the client sent since.
    pub(super) fn after_request(request: CheckedRequest, limits: &Limits) -> Self {
        Self { boundary: true, ..Self::new(Some(request), true, limits) }
    }

    /// Takes a run of one direction. Whether it has frames of HTTP/2: then [`Self::take_http2`] gives what was gathered.
    pub(super) fn finds_http2(&mut self, direction: Direction, run: Run<'_>, seen: PacketRef) -> bool {
        let Some(search) = self.http2_search(direction) else { return false };
        // Whichever side is the client, PUSH_PROMISE is rare.
        let known = SearchContext { direction: Direction::ToServer, highest_stream: None, max_frame: 1 << 14 };
        match run {
            Run::Data(data) => search.push(data, seen, &known),
            Run::Gap(_) => {
                search.gap();
                false
            }
            Run::End(_) => false,
        }
    }

    /// The sender of the frames of HTTP/2 in one direction, where they show it.
    pub(super) fn http2_sender(&mut self, direction: Direction) -> Option<Role> {
        self.http2_search(direction)?.sender()
    }

    /// The searches for frames of HTTP/2, with what they gathered.
    pub(super) fn take_http2(&mut self) -> PerDirection<Option<Box<BoundarySearch>>> {
        self.http2.take().unwrap_or_default()
    }

    fn http2_search(&mut self, direction: Direction) -> Option<&mut BoundarySearch> {
        self.http2.as_mut()?.get_mut(direction).as_deref_mut()
    }

    /// Bytes that it keeps, itself included.
    pub(super) fn held(&self) -> usize {
        let of = |searches: &Searches| searches.masked.held() + searches.unmasked.held();
        let request = self.request.as_ref().map_or(0, CheckedRequest::held);
        let http2 = self.http2.as_ref().map_or(0, |both| {
            let searches = [&both.to_server, &both.to_client];
            searches.into_iter().flatten().map(|search| size_of_val(&**search) + search.held()).sum::<usize>()
        });
        http2 + size_of::<Self>() + of(&self.searches.to_server) + of(&self.searches.to_client) + request
    }

    /// Bytes of the connection that are kept to be looked through.
    pub(super) fn gathered(&self) -> u64 {
        let of = |searches: &Searches| searches.bytes.min(KEPT_BYTES as u64);
        of(&self.searches.to_server) + of(&self.searches.to_client)
    }

    /// Whether it is known who is the client.
    pub(super) const fn is_oriented(&self) -> bool {
        self.oriented
    }

    /// Takes a run of one direction, and does not look at it yet.
    pub(super) fn gather(&mut self, direction: Direction, run: Run<'_>, seen: PacketRef) {
        let searches = self.searches.get_mut(direction);
        for (search, masked) in [(&mut searches.masked, true), (&mut searches.unmasked, false)] {
            let expect = ExpectedFrames { masked, deflate: true, unknown_extension: false };
            match run {
                Run::Data(mut data) => loop {
                    let left = search.push(data, seen);
                    data = last_bytes(data, left);
                    if data.is_empty() {
                        break;
                    }
                    search.gap(Some(0), &expect);
                },
                Run::Gap(len) => search.gap(len, &expect),
                Run::End(_) => {}
            }
        }
        self.boundary = false;
        if let Run::Data(data) = run {
            searches.bytes = searches.bytes.saturating_add(data.len() as u64);
        }
    }

    /// Takes a run of one direction, and looks at all that was gathered.
    pub(super) fn run<'r>(&mut self, direction: Direction, run: Run<'r>, seen: PacketRef) -> SearchResult<'r> {
        let oriented = self.oriented;
        if direction == Direction::ToServer && core::mem::take(&mut self.boundary) {
            match self.first_bytes(run, seen) {
                FirstBytes::Frame(found, left) => return SearchResult::WebSocket(direction, found, left),
                FirstBytes::NeedMore => {
                    self.boundary = true;
                    return SearchResult::Unknown;
                }
                FirstBytes::Other => {}
            }
        }
        let searches = self.searches.get_mut(direction);
        let masks =
            [true, false].into_iter().filter(|masked| !oriented || *masked == (direction == Direction::ToServer));
        for masked in masks {
            let search = if masked { &mut searches.masked } else { &mut searches.unmasked };
            let expect = ExpectedFrames { masked, deflate: true, unknown_extension: false };
            if let Some((found, left)) = look(search, &expect, run, seen) {
                return SearchResult::WebSocket(if masked { direction } else { direction.reverse() }, found, left);
            }
        }
        if let Run::Data(data) = run {
            searches.bytes = searches.bytes.saturating_add(data.len() as u64);
        }
        let looked_at = |direction| self.searches.get(direction).bytes;
        let both = looked_at(Direction::ToServer).saturating_add(looked_at(Direction::ToClient));
        let max = self.max_bytes;
        if both > max.saturating_mul(2) || looked_at(direction) > max {
            SearchResult::Other
        } else {
            SearchResult::Unknown
        }
    }

    /// Looks whether the client's first bytes after its request are a frame. Bytes that are none are gathered by the search.
    fn first_bytes<'r>(&mut self, run: Run<'r>, seen: PacketRef) -> FirstBytes<'r> {
        let Run::Data(data) = run else { return FirstBytes::Other };
        let search = &mut self.searches.to_server.masked;
        let mut first = [0; FrameHeader::MAX_LEN];
        let len = first.iter_mut().zip(search.first_bytes().iter().chain(data)).map(|(to, from)| *to = *from).count();
        match begins_frames(first.get(..len).unwrap_or_default()) {
            Some(true) => {
                let left = search.push(data, seen);
                self.boundary = true;
                FirstBytes::Frame(Boundary::at_start(), Leftover::bytes(last_bytes(data, left)))
            }
            None => {
                search.push(data, seen);
                FirstBytes::NeedMore
            }
            Some(false) => FirstBytes::Other,
        }
    }

    /// The client turns out to be the server.
    pub(super) const fn swap(&mut self) {
        self.searches.swap();
        if let Some(http2) = &mut self.http2 {
            http2.swap();
        }
    }

    /// It is a WebSocket: emits that, and all that was gathered.
    pub(super) fn adopt<S: Sink>(self, identity: Identity, found: &Boundary, turn: &mut Turn<'_, S>) -> WebSocket {
        // What was not offered was not agreed on (RFC 6455 §9.1).
        let negotiated = match &self.request {
            Some(request) if self.boundary && !offers_deflate(request) => Negotiated::default(),
            _ => assumed(),
        };
        let mut judged = check_handshake(self.request, None);
        judged.handshake = Handshake { negotiated, ..judged.handshake };
        let ppm = found.confidence_ppm();
        let detail = format!("confidence {}.{:04} %", ppm / 10_000, ppm % 10_000);
        let PerDirection { to_server, to_client } = self.searches;
        let resyncs = PerDirection { to_server: to_server.masked, to_client: to_client.unmasked };
        let gathered = Gathered { resyncs, boundary: self.boundary };
        WebSocket::adopt(identity, judged, (gathered, Detail::text(detail)), turn)
    }
}

/// What the client's first bytes after its request are.
enum FirstBytes<'r> {
    /// A frame; this of the run at hand was not taken.
    Frame(Boundary, Leftover<'r>),
    /// Too few to decide.
    NeedMore,
    /// Something else.
    Other,
}

/// Whether a client that asked for a WebSocket goes on with frames: the first is masked (RFC 6455 §5.1), no continuation,
/// and as it must be. Another request is none: no method begins so. `None` where more bytes are needed.
pub(super) fn begins_frames(bytes: &[u8]) -> Option<bool> {
    let first = bytes.first()?;
    if !matches!(first & 0x8f, 0x01 | 0x02 | 0x81 | 0x82 | 0x88..=0x8a) {
        return Some(false);
    }
    let header = FrameHeader::parse(bytes)?;
    let minimal = match header.length_width() {
        1 => true,
        2 => header.payload_len >= 126,
        _ => (1 << 16..1 << 63).contains(&header.payload_len),
    };
    let allowed = !header.opcode.is_control() || header.payload_len <= 125;
    Some(header.masking_key.is_some() && minimal && allowed)
}

fn offers_deflate(request: &CheckedRequest) -> bool {
    request.request.extensions.iter().any(|offer| ExtensionOffer::parse(offer).is_deflate())
}

/// permessage-deflate with the largest window, should a frame have RSV1: what was negotiated is not known.
pub(super) fn assumed() -> Negotiated {
    Negotiated { deflate: Some(Deflate::default()), unknown: false }
}

/// Gives a run to one search. Returns the boundary that it found, and what it did not take of the run.
fn look<'r>(
    search: &mut FrameSearch,
    expect: &ExpectedFrames,
    run: Run<'r>,
    seen: PacketRef,
) -> Option<(Boundary, Leftover<'r>)> {
    let enough = |found: Option<Boundary>| found.filter(|found| found.bits >= ENOUGH_BITS);
    match run {
        Run::Data(mut data) => {
            while !data.is_empty() {
                let left = search.push(data, seen);
                data = last_bytes(data, left);
                if let Some(found) = enough(search.find(expect, false)) {
                    return Some((found, Leftover::bytes(data)));
                }
                if left > 0 && search.is_full() {
                    search.gap(Some(0), expect);
                }
            }
            None
        }
        Run::Gap(len) => {
            let found = enough(search.find(expect, true));
            if found.is_none() {
                search.gap(len, expect);
            }
            found.map(|found| (found, Leftover::all(run)))
        }
        Run::End(_) => enough(search.find(expect, true)).map(|found| (found, Leftover::all(run))),
    }
}

//! A connection whose handshake was not captured: is it a WebSocket?
//!
//! Each direction is searched for frames as if a boundary had been lost in it, masked and not, since the mask tells who is
//! the client (RFC 6455 §5.1). It takes more evidence than after a loss: most connections are something else.

use super::shared::Out;
use super::websocket::WebSocket;
use crate::event::{Identity, Sink};
use crate::http::h2::{BoundarySearch, SearchContext};
use crate::stream::Run;
use crate::types::{Detail, Direction, PacketRef, PerDirection};
use crate::websocket::resync::{Boundary, ExpectedFrames, FrameSearch};
use crate::websocket::{CheckedRequest, Deflate, ExtensionOffer, FrameHeader, Handshake, Negotiated, check_handshake};

/// Evidence that is asked for beyond what chance explains, in bits: a connection is believed if arbitrary data looked like
/// this in one of 2^44 cases.
const ENOUGH_BITS: u32 = 44;
/// Bytes of each direction that are kept.
const KEPT_BYTES: usize = 16 << 10;

/// The same for HTTP/2 (three headers, or fewer of the most telling types), and what is kept of each direction.
const HTTP2_BITS: u32 = 96;
const HTTP2_BYTES: usize = 40 << 10;

/// One connection.
pub(super) struct Midstream {
    /// A request whose answer was not captured; then it is known who is the client.
    pub(super) asked: Option<CheckedRequest>,
    /// The client's frames begin with its next byte, if they are frames: all of the request was captured, and nothing
    /// behind it is missing.
    boundary: bool,
    oriented: bool,
    searches: PerDirection<Searches>,
    /// Frames of HTTP/2 are looked for too; not in its streams.
    http2: Option<PerDirection<Option<Box<BoundarySearch>>>>,
}

/// The searches in one direction.
struct Searches {
    masked: FrameSearch,
    unmasked: FrameSearch,
    bytes: u64,
}

/// What a search said.
pub(super) enum Verdict {
    /// Nothing yet.
    Unknown,
    /// It is a WebSocket; its client sends in this direction (of those that were searched). So many bytes of the piece at
    /// hand were left, or 1 of a hole or an end.
    WebSocket(Direction, Boundary, usize),
    /// It was looked through long enough.
    Other,
}

impl Midstream {
    /// Begins; `oriented` if it is known who is the client.
    pub(super) fn new(asked: Option<CheckedRequest>, oriented: bool) -> Self {
        let searches =
            || Searches { masked: FrameSearch::new(KEPT_BYTES), unmasked: FrameSearch::new(KEPT_BYTES), bytes: 0 };
        let oriented = oriented || asked.is_some();
        Self {
            asked,
            boundary: false,
            oriented,
            searches: PerDirection { to_server: searches(), to_client: searches() },
            http2: None,
        }
    }

    /// The same for a connection that may be HTTP/2 as well.
    pub(super) fn or_http2(oriented: bool) -> Self {
        let search = |_| Some(Box::new(BoundarySearch::new(HTTP2_BYTES, HTTP2_BITS)));
        Self { http2: Some(PerDirection::from_fn(search)), ..Self::new(None, oriented) }
    }

    /// Takes a piece of one direction; gives what was gathered of both if it has frames of HTTP/2.
    pub(super) fn find_http2(
        &mut self,
        direction: Direction,
        run: Run<'_>,
        seen: PacketRef,
    ) -> Option<PerDirection<Option<Box<BoundarySearch>>>> {
        let search = self.http2.as_mut()?.get_mut(direction).as_mut()?;
        // Whoever is the client, PUSH_PROMISE is rare.
        let known = SearchContext { direction: Direction::ToServer, highest_stream: None, max_frame: 1 << 14 };
        let found = match run {
            Run::Data(data) => search.push(data, seen, &known),
            Run::Gap(_) => {
                search.gap();
                false
            }
            Run::End(_) => false,
        };
        if found { self.http2.take() } else { None }
    }

    /// Begins behind a request that was captured whole, with all that the client sent since.
    pub(super) fn behind(asked: CheckedRequest) -> Self {
        Self { boundary: true, ..Self::new(Some(asked), true) }
    }

    /// Bytes that it keeps, itself included.
    pub(super) fn held(&self) -> usize {
        let of = |searches: &Searches| searches.masked.held() + searches.unmasked.held();
        let asked = self.asked.as_ref().map_or(0, CheckedRequest::held);
        let http2 = self.http2.as_ref().map_or(0, |both| {
            let searches = [&both.to_server, &both.to_client];
            searches.into_iter().flatten().map(|search| size_of_val(&**search) + search.held()).sum::<usize>()
        });
        http2 + size_of::<Self>() + of(&self.searches.to_server) + of(&self.searches.to_client) + asked
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

    /// Takes a piece of one direction, and does not say yet what it is.
    pub(super) fn gather(&mut self, direction: Direction, run: Run<'_>, seen: PacketRef) {
        let searches = self.searches.get_mut(direction);
        for (search, masked) in [(&mut searches.masked, true), (&mut searches.unmasked, false)] {
            let expect = ExpectedFrames { masked, deflate: true, unknown_extension: false };
            match run {
                Run::Data(mut data) => loop {
                    let left = search.push(data, seen);
                    data = data.len().checked_sub(left).and_then(|taken| data.get(taken..)).unwrap_or_default();
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

    /// Takes a piece of one direction.
    pub(super) fn take(&mut self, direction: Direction, run: Run<'_>, seen: PacketRef, max: u64) -> Verdict {
        let oriented = self.oriented;
        if direction == Direction::ToServer && core::mem::take(&mut self.boundary) {
            match self.behind_request(run, seen) {
                Opening::Frame(found, left) => return Verdict::WebSocket(direction, found, left),
                Opening::NeedMore => {
                    self.boundary = true;
                    return Verdict::Unknown;
                }
                Opening::Other => {}
            }
        }
        let searches = self.searches.get_mut(direction);
        let masks =
            [true, false].into_iter().filter(|masked| !oriented || *masked == (direction == Direction::ToServer));
        for masked in masks {
            let search = if masked { &mut searches.masked } else { &mut searches.unmasked };
            let expect = ExpectedFrames { masked, deflate: true, unknown_extension: false };
            if let Some((found, left)) = look(search, &expect, run, seen) {
                return Verdict::WebSocket(if masked { direction } else { direction.reverse() }, found, left);
            }
        }
        if let Run::Data(data) = run {
            searches.bytes = searches.bytes.saturating_add(data.len() as u64);
        }
        let spent = |direction| self.searches.get(direction).bytes;
        let both = spent(Direction::ToServer).saturating_add(spent(Direction::ToClient));
        if both > max.saturating_mul(2) || spent(direction) > max { Verdict::Other } else { Verdict::Unknown }
    }

    /// Whether the client's first bytes behind its request are a frame. What is no frame is gathered by the search.
    fn behind_request(&mut self, run: Run<'_>, seen: PacketRef) -> Opening {
        let Run::Data(data) = run else { return Opening::Other };
        let search = &mut self.searches.to_server.masked;
        let mut first = [0; FrameHeader::MAX_LEN];
        let len = first.iter_mut().zip(search.first_bytes().iter().chain(data)).map(|(to, from)| *to = *from).count();
        match begins_frames(first.get(..len).unwrap_or_default()) {
            Some(true) => {
                let left = search.push(data, seen);
                self.boundary = true;
                Opening::Frame(Boundary::at_start(), left)
            }
            None => {
                search.push(data, seen);
                Opening::NeedMore
            }
            Some(false) => Opening::Other,
        }
    }

    /// The directions turn out to be the other way round.
    pub(super) const fn swap(&mut self) {
        self.searches.swap();
        if let Some(http2) = &mut self.http2 {
            http2.swap();
        }
    }

    /// It is a WebSocket: tells of it, and of all that was gathered.
    pub(super) fn adopt<S: Sink>(
        self,
        identity: Identity,
        found: &Boundary,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<WebSocket, S::Error> {
        // What was not offered was not agreed on (RFC 6455 §9.1).
        let negotiated = match &self.asked {
            Some(asked) if self.boundary && !offers_deflate(asked) => Negotiated::default(),
            _ => assumed(),
        };
        let mut judged = check_handshake(self.asked, None);
        judged.handshake = Handshake { negotiated, ..judged.handshake };
        let ppm = found.confidence_ppm();
        let detail = format!("confidence {}.{:04} %", ppm / 10_000, ppm % 10_000);
        let PerDirection { to_server, to_client } = self.searches;
        let resyncs = PerDirection { to_server: to_server.masked, to_client: to_client.unmasked };
        WebSocket::adopt(identity, judged, (resyncs, self.boundary), Detail::text(detail), seen, out)
    }
}

/// What the client's first bytes behind its request are.
enum Opening {
    /// A frame; so many bytes of the piece at hand were left.
    Frame(Boundary, usize),
    /// Too few to say.
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
    let whole = !header.opcode.is_control() || header.payload_len <= 125;
    Some(header.masking_key.is_some() && minimal && whole)
}

fn offers_deflate(asked: &CheckedRequest) -> bool {
    asked.request.extensions.iter().any(|offer| ExtensionOffer::parse(offer).is_deflate())
}

/// permessage-deflate with the largest window, should a frame have RSV1: nobody knows what was negotiated.
pub(super) fn assumed() -> Negotiated {
    Negotiated { deflate: Some(Deflate::default()), unknown: false }
}

/// Gives a piece to one search. Says what it found, and how much of the piece it did not take.
fn look(search: &mut FrameSearch, expect: &ExpectedFrames, run: Run<'_>, seen: PacketRef) -> Option<(Boundary, usize)> {
    let enough = |found: Option<Boundary>| found.filter(|found| found.bits >= ENOUGH_BITS);
    match run {
        Run::Data(mut data) => {
            while !data.is_empty() {
                let left = search.push(data, seen);
                data = data.len().checked_sub(left).and_then(|taken| data.get(taken..)).unwrap_or_default();
                if let Some(found) = enough(search.find(expect, false)) {
                    return Some((found, left));
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
            found.map(|found| (found, 1))
        }
        Run::End(_) => enough(search.find(expect, true)).map(|found| (found, 1)),
    }
}

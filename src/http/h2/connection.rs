//! One HTTP/2 connection, both directions (machine): header lists, data, ends and resets of its streams come out.
//!
//! **How to drive it.** For each chunk of a direction, call [`H2::next`] until it says `None`; it takes everything. After
//! each call ask [`H2::fault`] until it says `None`. Tell it which streams are of interest ([`H2::follow`]), so that it keeps
//! their windows; it keeps nothing of others.
//!
//! **Out of step** ([`H2Event::Lost`]): bytes are missing, and with them the place where the next frame begins. It is looked for
//! with [`BoundarySearch`](super::BoundarySearch); where it is found, [`H2::resume`]. What header blocks refer to is unknown then, but for
//! what comes later.
//!
//! RFC 9113 §4 to §6, RFC 8441 §3. An observer refuses nothing: what is wrong is said, and read as far as it can be.

mod direction;
mod frames;

use std::collections::{BTreeMap, VecDeque};

use super::flow::{INITIAL, Window};
use super::frame::{ErrorCode, FrameType, Setting};
use super::header_list::HeaderList;
use super::reader::{FramePart, GapEffect};
use super::search::SearchContext;
use crate::types::{Detail, Direction, FindingCode, Limits, PacketRef, PerDirection};
use direction::DirectionState;

/// Kinds of fault of one direction that are reported.
const MAX_FAULTS: usize = 16;

/// Follows one connection.
#[derive(Debug)]
pub struct H2 {
    directions: PerDirection<DirectionState>,
    /// What each direction's sender may send on the connection.
    windows: PerDirection<Window>,
    /// The same on each stream that is followed, and for how long the connection was stalled when it began.
    streams: BTreeMap<u32, PerDirection<(Window, u64)>>,
    /// No WINDOW_UPDATE or SETTINGS was lost.
    windows_known: bool,
    faults: VecDeque<H2Fault>,
    max_list: usize,
    max_controls: u32,
}

/// What the machine says.
#[derive(Debug)]
pub enum H2Event<'s, 'i> {
    /// A header list: a request, a response, an interim one, or trailers.
    Headers {
        /// The stream.
        stream: u32,
        /// What it says.
        list: &'s HeaderList,
        /// Whether the sender sends nothing more on the stream.
        end_stream: bool,
    },
    /// Content of a DATA frame, without padding.
    Data {
        /// The stream.
        stream: u32,
        /// A part of the content, or all of it.
        payload: &'i [u8],
    },
    /// Content of a DATA frame that is missing.
    Missing {
        /// The stream.
        stream: u32,
        /// How many bytes; `None` where some of it may be padding.
        len: Option<u64>,
    },
    /// END_STREAM on a DATA frame: the sender sends nothing more on the stream.
    EndStream {
        /// The stream.
        stream: u32,
    },
    /// RST_STREAM.
    Reset {
        /// The stream.
        stream: u32,
        /// Why; `None` where that is missing.
        code: Option<ErrorCode>,
    },
    /// GOAWAY: the connection ends, streams above `last_stream` were not and will not be looked at.
    Goaway {
        /// The last stream that its sender looked at.
        last_stream: u32,
        /// Why.
        code: ErrorCode,
    },
    /// Bytes are missing, and it is not known where the next frame begins.
    Lost,
    /// It is no HTTP/2: the client's preface is something else.
    NotHttp2,
}

/// Something that is wrong with the connection; each kind is reported once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct H2Fault {
    /// What.
    pub code: FindingCode,
    /// Whose.
    pub direction: Direction,
    /// The particulars.
    pub detail: Detail,
}

impl H2 {
    /// A connection of which nothing was seen yet; it keeps what `limits` allow.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let state = |direction| DirectionState::new(direction == Direction::ToServer, limits);
        Self {
            directions: PerDirection::from_fn(state),
            windows: PerDirection::from_fn(|_| Window::new(INITIAL)),
            streams: BTreeMap::new(),
            windows_known: true,
            faults: VecDeque::new(),
            max_list: limits.max_head_bytes,
            max_controls: limits.max_h2_control_frames,
        }
    }

    /// A connection that began with an upgrade from HTTP/1.1; `settings` are those of the client's HTTP2-Settings field, which
    /// count as if they had come in a frame (RFC 7540 §3.2.1).
    #[must_use]
    pub fn upgraded(limits: &Limits, settings: &[Setting]) -> Self {
        let mut h2 = Self::new(limits);
        for setting in settings {
            h2.setting(Direction::ToServer, *setting, PacketRef::default());
        }
        h2
    }

    /// A connection that is joined half-way: both directions are out of step.
    #[must_use]
    pub fn mid_stream(limits: &Limits) -> Self {
        let mut h2 = Self::new(limits);
        for direction in Direction::BOTH {
            h2.gap(direction, None);
        }
        h2
    }

    /// The next step in the bytes of one direction, which are one chunk or the rest of it.
    pub fn next<'s, 'i>(
        &'s mut self,
        direction: Direction,
        input: &mut &'i [u8],
        seen: PacketRef,
    ) -> Option<H2Event<'s, 'i>> {
        let mut found = None;
        while found.is_none() {
            let state = self.directions.get_mut(direction);
            match state.reader.next(input)? {
                FramePart::NotHttp2 => return Some(H2Event::NotHttp2),
                FramePart::Header(header) => self.begin(direction, header, seen),
                FramePart::Overpadded => self.wrong(direction, "padding is longer than its frame"),
                FramePart::Content(payload) if state.frame.kind == FrameType::DATA => {
                    return Some(H2Event::Data { stream: state.frame.stream, payload });
                }
                FramePart::Content(content) => self.content(direction, content, seen),
                FramePart::End => found = self.end(direction, seen),
            }
        }
        self.step(direction, found?)
    }

    /// A hole in one direction, of known length or not.
    pub fn gap(&mut self, direction: Direction, len: Option<u64>) -> Option<H2Event<'_, 'static>> {
        if len == Some(0) {
            return None;
        }
        let state = self.directions.get_mut(direction);
        let frame = state.frame;
        match state.reader.gap(len) {
            GapEffect::Content(len) if frame.kind == FrameType::DATA => {
                (len != Some(0)).then_some(H2Event::Missing { stream: frame.stream, len })
            }
            GapEffect::Content(_) => {
                state.holed = true;
                match frame.kind {
                    FrameType::HEADERS | FrameType::CONTINUATION | FrameType::PUSH_PROMISE => {
                        state.decoder.lose();
                        state.list.lose();
                    }
                    FrameType::SETTINGS | FrameType::WINDOW_UPDATE => self.forget_settings(direction),
                    _ => {}
                }
                None
            }
            GapEffect::Boundary => {
                state.decoder.lose();
                state.block = None;
                self.forget_settings(direction);
                Some(H2Event::Lost)
            }
        }
    }

    /// A boundary was found again: the next byte of that direction begins a frame.
    pub fn resume(&mut self, direction: Direction) {
        self.directions.get_mut(direction).reader.resume();
    }

    /// The end of one direction: a header list that it cuts off, as far as it came.
    pub fn finish(&mut self, direction: Direction) -> Option<H2Event<'_, 'static>> {
        let state = self.directions.get_mut(direction);
        let block = state.block.take().filter(|block| !block.promise)?;
        state.decoder.lose();
        state.list.lose();
        Some(H2Event::Headers { stream: block.stream, list: &state.list, end_stream: block.end_stream })
    }

    /// What was found to be wrong since it was asked last.
    pub fn fault(&mut self) -> Option<H2Fault> {
        self.faults.pop_front()
    }

    /// Keeps account of that stream's windows from now on.
    pub fn follow(&mut self, stream: u32, seen: PacketRef) {
        let windows = PerDirection::from_fn(|direction: Direction| {
            let initial = self.directions.get(direction.reverse()).settings.initial_window;
            let mut window = Window::new(initial);
            if !self.windows_known {
                window.forget();
            }
            (window, self.windows.get(direction).stalled_us(seen.at, 0))
        });
        self.streams.insert(stream, windows);
    }

    /// Keeps no account of that stream any more. Says how long each sender could not send on it, in microseconds.
    pub fn forget(&mut self, stream: u32, seen: PacketRef) -> PerDirection<u64> {
        let Some(windows) = self.streams.remove(&stream) else { return PerDirection::default() };
        PerDirection::from_fn(|direction| {
            let connection = self.windows.get(direction).stalled_us(seen.at, 0);
            let (window, before) = windows.get(direction);
            window.stalled_us(seen.at, connection).saturating_add(connection.saturating_sub(*before))
        })
    }

    /// Whether the server has sent SETTINGS_ENABLE_CONNECT_PROTOCOL with 1 (RFC 8441 §3); `None` where its settings, or
    /// some of them, were not captured.
    #[must_use]
    pub fn extended_connect(&self) -> Option<bool> {
        let settings = &self.directions.to_client.settings;
        settings.extended_connect.or((settings.whole && settings.any).then_some(false))
    }

    /// What is known of one direction, for a search for its next frame.
    #[must_use]
    pub fn search_context(&self, direction: Direction) -> SearchContext {
        let highest = self.directions.to_server.highest.max(self.directions.to_client.highest);
        let max_frame = self.directions.get(direction.reverse()).settings.max_frame;
        SearchContext { direction, highest_stream: (highest > 0).then_some(highest), max_frame }
    }

    /// The highest stream that was seen in either direction.
    #[must_use]
    pub fn highest_stream(&self) -> u32 {
        self.directions.to_server.highest.max(self.directions.to_client.highest)
    }

    /// Bytes that are kept: header tables, a field that is not whole, a header list, and windows.
    #[must_use]
    pub fn held(&self) -> usize {
        let directions = [&self.directions.to_server, &self.directions.to_client];
        let of_sides: usize = directions.iter().map(|state| state.decoder.held() + state.list.held()).sum();
        of_sides + self.streams.len() * size_of::<(u32, PerDirection<(Window, u64)>)>()
    }

    fn wrong(&mut self, direction: Direction, text: &'static str) {
        self.tell(direction, FindingCode::Http2Error, text, Detail::Fixed(text));
    }

    fn tell(&mut self, direction: Direction, code: FindingCode, kind: &'static str, detail: Detail) {
        let state = self.directions.get_mut(direction);
        if state.reported.len() < MAX_FAULTS && !state.reported.contains(&kind) {
            state.reported.push(kind);
            self.faults.push_back(H2Fault { code, direction, detail });
        }
    }

    /// Settings or window updates of that direction are missing.
    fn forget_settings(&mut self, direction: Direction) {
        self.directions.get_mut(direction).settings.whole = false;
        self.directions.get_mut(direction.reverse()).decoder.allow_any();
        self.windows_known = false;
        for direction in Direction::BOTH {
            self.windows.get_mut(direction).forget();
        }
        for windows in self.streams.values_mut() {
            windows.to_server.0.forget();
            windows.to_client.0.forget();
        }
    }

    fn step(&self, direction: Direction, ended: FrameOutcome) -> Option<H2Event<'_, 'static>> {
        Some(match ended {
            FrameOutcome::Headers(stream, end_stream) => {
                H2Event::Headers { stream, list: &self.directions.get(direction).list, end_stream }
            }
            FrameOutcome::Stream(stream) => H2Event::EndStream { stream },
            FrameOutcome::Reset(stream, code) => H2Event::Reset { stream, code },
            FrameOutcome::Goaway(last_stream, code) => H2Event::Goaway { last_stream, code },
        })
    }
}

/// What the end of a frame means.
enum FrameOutcome {
    Headers(u32, bool),
    Stream(u32),
    Reset(u32, Option<ErrorCode>),
    Goaway(u32, ErrorCode),
}

#[cfg(test)]
mod tests;

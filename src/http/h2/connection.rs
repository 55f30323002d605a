//! One HTTP/2 connection, both directions (machine): bytes come in; header lists, data, ends and resets of its streams go
//! out.
//!
//! **How to drive it.** For each chunk of a direction, call [`H2::next`] until it answers `None`; it takes all of the input.
//! After each call, ask [`H2::fault`] until it answers `None`. Name the streams of interest with [`H2::follow`]: it keeps
//! their windows, and nothing of other streams.
//!
//! **Out of step** ([`H2Event::Lost`]): bytes are missing, and with them the place where the next frame begins. Look for it
//! with a [`BoundarySearch`](super::BoundarySearch), and call [`H2::resume`] where it is found. Header blocks may then refer
//! to table entries that were not captured; those fields are unknown.
//!
//! RFC 9113 §4 to §6, RFC 8441 §3. An observer refuses nothing: a fault is reported, and the frame is read as far as
//! possible. Not done here: server push, and what a header list asks for.

mod direction;
mod frames;

use std::collections::{BTreeMap, VecDeque};

use super::fault::H2Fault;
use super::flow::{INITIAL, Window};
use super::frame::{ErrorCode, FrameType};
use super::header_list::HeaderList;
use super::reader::{FramePart, GapEffect};
use super::search::SearchContext;
use super::upgrade_settings::UpgradeSettings;
use crate::types::{Direction, Limits, PacketRef, PerDirection};
use direction::DirectionState;

/// Kinds of fault that are reported of one direction.
const MAX_FAULTS: usize = 16;

/// Follows one connection.
#[derive(Debug)]
pub struct H2 {
    directions: PerDirection<DirectionState>,
    /// What the sender of each direction may still send on the connection.
    windows: PerDirection<Window>,
    /// The windows of each stream that is followed.
    streams: BTreeMap<u32, PerDirection<StreamWindow>>,
    /// No WINDOW_UPDATE or SETTINGS was lost.
    windows_known: bool,
    /// Faults that were not asked for yet.
    faults: VecDeque<(Direction, H2Fault)>,
    max_header_list: usize,
    max_control_frames: u32,
}

/// What one sender may still send on one stream.
#[derive(Debug, Clone, Copy)]
struct StreamWindow {
    window: Window,
    /// How long the connection's window had been used up when the stream began, in microseconds.
    connection_stalled_us: u64,
}

/// One thing that the bytes of a direction contain.
#[derive(Debug)]
pub enum H2Event<'s, 'i> {
    /// A header list: a request, a response, an interim response, or trailers.
    Headers {
        /// The stream.
        stream: u32,
        /// The fields.
        list: &'s HeaderList,
        /// Whether the sender sends nothing more on the stream.
        end_stream: bool,
    },
    /// Content of a DATA frame, without padding.
    Data {
        /// The stream.
        stream: u32,
        /// Some or all of the content.
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
        /// Why; `None` where the code was not captured.
        code: Option<ErrorCode>,
    },
    /// GOAWAY: the connection ends, and its sender processes no stream above `last_stream` (RFC 9113 §6.8).
    Goaway {
        /// The last stream that its sender may have processed.
        last_stream: u32,
        /// Why.
        code: ErrorCode,
    },
    /// Bytes are missing, and it is not known where the next frame begins.
    Lost,
    /// The client's preface is something else: this is not HTTP/2.
    NotHttp2,
}

impl H2 {
    /// A connection at its beginning, within `limits`.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let begin = |direction| DirectionState::new(direction == Direction::ToServer, limits);
        Self {
            directions: PerDirection::from_fn(begin),
            windows: PerDirection::from_fn(|_| Window::new(INITIAL)),
            streams: BTreeMap::new(),
            windows_known: true,
            faults: VecDeque::new(),
            max_header_list: limits.max_head_bytes,
            max_control_frames: limits.max_h2_control_frames,
        }
    }

    /// A connection that began with an upgrade from HTTP/1.1. The client's settings count as if they had come in a frame
    /// (RFC 7540 §3.2.1).
    #[must_use]
    pub fn upgraded(limits: &Limits, settings: &UpgradeSettings) -> Self {
        let mut h2 = Self::new(limits);
        for setting in settings.settings() {
            h2.setting(Direction::ToServer, *setting, PacketRef::default());
        }
        h2
    }

    /// A connection of which the beginning was not captured: both directions are out of step.
    #[must_use]
    pub fn mid_stream(limits: &Limits) -> Self {
        let mut h2 = Self::new(limits);
        for direction in Direction::BOTH {
            h2.gap(direction, None);
        }
        h2
    }

    /// Takes bytes of one direction, a chunk or the rest of one, up to the next event. `None` when the chunk is used up.
    pub fn next<'s, 'i>(
        &'s mut self,
        direction: Direction,
        input: &mut &'i [u8],
        seen: PacketRef,
    ) -> Option<H2Event<'s, 'i>> {
        let mut outcome = None;
        while outcome.is_none() {
            let state = self.directions.get_mut(direction);
            match state.reader.next(input)? {
                FramePart::NotHttp2 => return Some(H2Event::NotHttp2),
                FramePart::Header(header) => self.begin(direction, header, seen),
                FramePart::Overpadded => self.report(direction, H2Fault::Overpadded),
                FramePart::Content(payload) if state.frame.kind == FrameType::DATA => {
                    return Some(H2Event::Data { stream: state.frame.stream, payload });
                }
                FramePart::Content(content) => self.content(direction, content, seen),
                FramePart::End => outcome = self.end(direction, seen),
            }
        }
        self.event(direction, outcome?)
    }

    /// Bytes of one direction are missing: so many, or an unknown number.
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
                self.lose_content(direction);
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

    /// A boundary was found: the next byte of that direction begins a frame.
    pub fn resume(&mut self, direction: Direction) {
        self.directions.get_mut(direction).reader.resume();
    }

    /// One direction is over: gives the header list that its end cuts off, as far as it came.
    pub fn finish(&mut self, direction: Direction) -> Option<H2Event<'_, 'static>> {
        let state = self.directions.get_mut(direction);
        let block = state.block.take().filter(|block| !block.promise)?;
        state.decoder.lose();
        state.list.lose();
        Some(H2Event::Headers { stream: block.stream, list: &state.list, end_stream: block.end_stream })
    }

    /// The next fault that was found, and the direction that shows it. Each fault is reported once per direction.
    pub fn fault(&mut self) -> Option<(Direction, H2Fault)> {
        self.faults.pop_front()
    }

    /// Keeps that stream's windows from now on.
    pub fn follow(&mut self, stream: u32, seen: PacketRef) {
        let windows = PerDirection::from_fn(|direction: Direction| {
            let initial = self.directions.get(direction.reverse()).settings.initial_window;
            let mut window = Window::new(initial);
            if !self.windows_known {
                window.forget();
            }
            StreamWindow { window, connection_stalled_us: self.windows.get(direction).stalled_us(seen.at, 0) }
        });
        self.streams.insert(stream, windows);
    }

    /// Keeps that stream's windows no longer. Gives how long each sender could not send on it, in microseconds.
    pub fn forget(&mut self, stream: u32, seen: PacketRef) -> PerDirection<u64> {
        let Some(windows) = self.streams.remove(&stream) else { return PerDirection::default() };
        PerDirection::from_fn(|direction| {
            let connection = self.windows.get(direction).stalled_us(seen.at, 0);
            let StreamWindow { window, connection_stalled_us: before } = windows.get(direction);
            window.stalled_us(seen.at, connection).saturating_add(connection.saturating_sub(*before))
        })
    }

    /// Whether the server has sent SETTINGS_ENABLE_CONNECT_PROTOCOL with 1 (RFC 8441 §3); `None` where its settings, or
    /// some of them, were not captured.
    #[must_use]
    pub fn extended_connect(&self) -> Option<bool> {
        let settings = &self.directions.to_client.settings;
        settings.extended_connect.or((settings.complete && settings.any).then_some(false))
    }

    /// What a search for the next frame of one direction can make use of.
    #[must_use]
    pub fn search_context(&self, direction: Direction) -> SearchContext {
        let highest = self.highest_stream();
        let max_frame = self.directions.get(direction.reverse()).settings.max_frame;
        SearchContext { direction, highest_stream: (highest > 0).then_some(highest), max_frame }
    }

    /// The highest stream that either direction has opened or sent on; 0 before the first.
    #[must_use]
    pub fn highest_stream(&self) -> u32 {
        self.directions.to_server.highest_stream.max(self.directions.to_client.highest_stream)
    }

    /// Bytes that are kept: header tables, an incomplete field, a header list for each direction, and windows.
    #[must_use]
    pub fn held(&self) -> usize {
        let directions = [&self.directions.to_server, &self.directions.to_client];
        let of_directions: usize = directions.iter().map(|state| state.decoder.held() + state.list.held()).sum();
        of_directions + self.streams.len() * size_of::<(u32, PerDirection<StreamWindow>)>()
    }

    /// Reports a fault, unless that direction has shown the same before, or too many others.
    fn report(&mut self, direction: Direction, fault: H2Fault) {
        let state = self.directions.get_mut(direction);
        if state.reported.len() < MAX_FAULTS && !state.reported.contains(&fault) {
            state.reported.push(fault);
            self.faults.push_back((direction, fault));
        }
    }

    /// Content of the frame at hand, which is not DATA, is missing.
    fn lose_content(&mut self, direction: Direction) {
        let state = self.directions.get_mut(direction);
        state.frame_has_gap = true;
        match state.frame.kind {
            FrameType::HEADERS | FrameType::CONTINUATION | FrameType::PUSH_PROMISE => {
                state.decoder.lose();
                state.list.lose();
            }
            FrameType::SETTINGS | FrameType::WINDOW_UPDATE => self.forget_settings(direction),
            _ => {}
        }
    }

    /// Settings or window updates of that direction are missing: no window is known from here on.
    fn forget_settings(&mut self, direction: Direction) {
        self.directions.get_mut(direction).settings.complete = false;
        self.directions.get_mut(direction.reverse()).decoder.allow_any();
        self.windows_known = false;
        for direction in Direction::BOTH {
            self.windows.get_mut(direction).forget();
        }
        for windows in self.streams.values_mut() {
            windows.to_server.window.forget();
            windows.to_client.window.forget();
        }
    }

    fn event(&self, direction: Direction, outcome: FrameOutcome) -> Option<H2Event<'_, 'static>> {
        Some(match outcome {
            FrameOutcome::Headers(stream, end_stream) => {
                H2Event::Headers { stream, list: &self.directions.get(direction).list, end_stream }
            }
            FrameOutcome::EndStream(stream) => H2Event::EndStream { stream },
            FrameOutcome::Reset(stream, code) => H2Event::Reset { stream, code },
            FrameOutcome::Goaway(last_stream, code) => H2Event::Goaway { last_stream, code },
        })
    }
}

/// What the end of a frame completes.
enum FrameOutcome {
    Headers(u32, bool),
    EndStream(u32),
    Reset(u32, Option<ErrorCode>),
    Goaway(u32, ErrorCode),
}

#[cfg(test)]
mod tests;

//! One HTTP/2 connection, both directions (machine): header lists, data, ends and resets of its streams come out.
//!
//! **How to drive it.** For each chunk of a direction, call [`H2::next`] until it says `None`; it takes everything. After
//! each call ask [`H2::fault`] until it says `None`. Tell it which streams are of interest ([`H2::follow`]), so that it keeps
//! their windows; it keeps nothing of others.
//!
//! **Out of step** ([`Step::Lost`]): bytes are missing, and with them the place where the next frame begins. It is looked for
//! with [`Search`](super::Search); where it is found, [`H2::resume`]. What header blocks refer to is unknown then, but for
//! what comes later.
//!
//! RFC 9113 §4 to §6, RFC 8441 §3. An observer refuses nothing: what is wrong is said, and read as far as it can be.

use std::collections::{BTreeMap, VecDeque};

use super::field_list::HeaderList;
use super::flow::{INITIAL, Window};
use super::frame::{ErrorCode, FrameHeader, FrameType, Setting};
use super::header_block::{BlockFault, Decoder};
use super::reader::{Hole, Piece, Reader};
use super::search::Known;
use crate::ground::{Detail, Direction, FindingCode, Limits, PerDirection, Seen};

/// CONTINUATION frames of one header block. Real ones need none to two: 16 KiB fit a HEADERS frame.
const MAX_CONTINUATIONS: u32 = 32;
/// Kinds of fault of one direction that are told.
const MAX_FAULTS: usize = 16;

/// Follows one connection.
#[derive(Debug)]
pub struct H2 {
    sides: PerDirection<Side>,
    /// What each direction's sender may send on the connection.
    windows: PerDirection<Window>,
    /// The same on each stream that is followed, and for how long the connection was stalled when it began.
    streams: BTreeMap<u32, PerDirection<(Window, u64)>>,
    /// No WINDOW_UPDATE or SETTINGS was lost.
    windows_known: bool,
    faults: VecDeque<Fault>,
    max_list: usize,
    max_controls: u32,
}

/// One direction.
#[derive(Debug)]
struct Side {
    reader: Reader,
    decoder: Decoder,
    list: HeaderList,
    block: Option<Block>,
    frame: FrameHeader,
    /// The first bytes of a frame that is small, or of one of its parameters.
    small: [u8; 8],
    small_len: usize,
    /// Bytes of the frame at hand are missing.
    holed: bool,
    /// What its sender, as a receiver, has said.
    announced: Announced,
    /// The highest stream that it has opened, or sent on.
    highest: u32,
    frames: u64,
    told: Vec<&'static str>,
    flood: Flood,
}

/// A header block that is being received (RFC 9113 §4.3).
#[derive(Debug, Clone, Copy)]
struct Block {
    stream: u32,
    end_stream: bool,
    promise: bool,
    continuations: u32,
}

/// What one side has said in SETTINGS.
#[derive(Debug, Clone, Copy)]
struct Announced {
    /// A SETTINGS frame was seen, and since the connection's beginning none was lost.
    whole: bool,
    any: bool,
    extended_connect: Option<bool>,
    max_frame: u32,
    initial_window: u32,
}

/// Frames that cost their receiver more than their sender, counted by the second (RFC 9113 §10.5).
#[derive(Debug, Clone, Copy, Default)]
struct Flood {
    second: i64,
    counts: [u32; 4],
}

/// What the machine says.
#[derive(Debug)]
pub enum Step<'s, 'i> {
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

/// Something that is wrong with the connection; each kind is told once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
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
        let side = |direction| Side::new(direction == Direction::ToServer, limits);
        Self {
            sides: PerDirection::from_fn(side),
            windows: PerDirection::from_fn(|_| Window::new(INITIAL)),
            streams: BTreeMap::new(),
            windows_known: true,
            faults: VecDeque::new(),
            max_list: limits.max_head_bytes,
            max_controls: limits.max_h2_control_frames,
        }
    }

    /// A connection that is joined half-way: both directions are out of step.
    #[must_use]
    pub fn joined(limits: &Limits) -> Self {
        let mut h2 = Self::new(limits);
        for direction in Direction::BOTH {
            h2.gap(direction, None);
        }
        h2
    }

    /// The next step in the bytes of one direction, which are one chunk or the rest of it.
    pub fn next<'s, 'i>(&'s mut self, direction: Direction, input: &mut &'i [u8], seen: Seen) -> Option<Step<'s, 'i>> {
        let mut found = None;
        while found.is_none() {
            let side = self.sides.get_mut(direction);
            match side.reader.next(input)? {
                Piece::NotHttp2 => return Some(Step::NotHttp2),
                Piece::Header(header) => self.begin(direction, header, seen),
                Piece::Overpadded => self.wrong(direction, "padding is longer than its frame"),
                Piece::Content(payload) if side.frame.kind == FrameType::DATA => {
                    return Some(Step::Data { stream: side.frame.stream, payload });
                }
                Piece::Content(content) => self.content(direction, content, seen),
                Piece::End => found = self.end(direction, seen),
            }
        }
        self.step(direction, found?)
    }

    /// A hole in one direction, of known length or not.
    pub fn gap(&mut self, direction: Direction, len: Option<u64>) -> Option<Step<'_, 'static>> {
        if len == Some(0) {
            return None;
        }
        let side = self.sides.get_mut(direction);
        let frame = side.frame;
        match side.reader.gap(len) {
            Hole::Content(len) if frame.kind == FrameType::DATA => {
                return (len != Some(0)).then_some(Step::Missing { stream: frame.stream, len });
            }
            Hole::Content(_) => {
                side.holed = true;
                match frame.kind {
                    FrameType::HEADERS | FrameType::CONTINUATION | FrameType::PUSH_PROMISE => {
                        side.decoder.lose();
                        side.list.lose();
                    }
                    FrameType::SETTINGS | FrameType::WINDOW_UPDATE => self.forget_settings(direction),
                    _ => {}
                }
                None
            }
            Hole::Boundary => {
                side.decoder.lose();
                side.block = None;
                self.forget_settings(direction);
                Some(Step::Lost)
            }
        }
    }

    /// A boundary was found again: the next byte of that direction begins a frame.
    pub fn resume(&mut self, direction: Direction) {
        self.sides.get_mut(direction).reader.resume();
    }

    /// The end of one direction: a header list that it cuts off, as far as it came.
    pub fn finish(&mut self, direction: Direction) -> Option<Step<'_, 'static>> {
        let side = self.sides.get_mut(direction);
        let block = side.block.take().filter(|block| !block.promise)?;
        side.decoder.lose();
        side.list.lose();
        Some(Step::Headers { stream: block.stream, list: &side.list, end_stream: block.end_stream })
    }

    /// What was found to be wrong since it was asked last.
    pub fn fault(&mut self) -> Option<Fault> {
        self.faults.pop_front()
    }

    /// Keeps account of that stream's windows from now on.
    pub fn follow(&mut self, stream: u32, seen: Seen) {
        let windows = PerDirection::from_fn(|direction: Direction| {
            let initial = self.sides.get(direction.reverse()).announced.initial_window;
            let mut window = Window::new(initial);
            if !self.windows_known {
                window.forget();
            }
            (window, self.windows.get(direction).stalled_us(seen.at, 0))
        });
        self.streams.insert(stream, windows);
    }

    /// Keeps no account of that stream any more. Says how long each sender could not send on it, in microseconds.
    pub fn forget(&mut self, stream: u32, seen: Seen) -> PerDirection<u64> {
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
        let announced = &self.sides.to_client.announced;
        announced.extended_connect.or((announced.whole && announced.any).then_some(false))
    }

    /// What is known of one direction, for a search for its next frame.
    #[must_use]
    pub fn known(&self, direction: Direction) -> Known {
        let highest = self.sides.to_server.highest.max(self.sides.to_client.highest);
        let max_frame = self.sides.get(direction.reverse()).announced.max_frame;
        Known { direction, highest_stream: (highest > 0).then_some(highest), max_frame }
    }

    /// The highest stream that was seen in either direction.
    #[must_use]
    pub fn highest_stream(&self) -> u32 {
        self.sides.to_server.highest.max(self.sides.to_client.highest)
    }

    /// Bytes that are kept: header tables, a field that is not whole, a header list, and windows.
    #[must_use]
    pub fn held(&self) -> usize {
        let sides = [&self.sides.to_server, &self.sides.to_client];
        let of_sides: usize = sides.iter().map(|side| side.decoder.held() + side.list.held()).sum();
        of_sides + self.streams.len() * size_of::<(u32, PerDirection<(Window, u64)>)>()
    }

    fn wrong(&mut self, direction: Direction, text: &'static str) {
        self.tell(direction, FindingCode::Http2Error, text, Detail::Fixed(text));
    }

    fn tell(&mut self, direction: Direction, code: FindingCode, kind: &'static str, detail: Detail) {
        let side = self.sides.get_mut(direction);
        if side.told.len() < MAX_FAULTS && !side.told.contains(&kind) {
            side.told.push(kind);
            self.faults.push_back(Fault { code, direction, detail });
        }
    }

    /// Settings or window updates of that direction are missing.
    fn forget_settings(&mut self, direction: Direction) {
        self.sides.get_mut(direction).announced.whole = false;
        self.sides.get_mut(direction.reverse()).decoder.allow_any();
        self.windows_known = false;
        for direction in Direction::BOTH {
            self.windows.get_mut(direction).forget();
        }
        for windows in self.streams.values_mut() {
            windows.to_server.0.forget();
            windows.to_client.0.forget();
        }
    }

    /// A frame begins.
    fn begin(&mut self, direction: Direction, header: FrameHeader, seen: Seen) {
        let max_frame = self.sides.get(direction.reverse()).announced.max_frame;
        let side = self.sides.get_mut(direction);
        (side.frame, side.small_len, side.holed) = (header, 0, false);
        side.frames = side.frames.saturating_add(1);
        let first = side.frames == 1 && side.announced.whole;
        if matches!(header.kind, FrameType::DATA | FrameType::HEADERS) {
            side.highest = side.highest.max(header.stream);
        }
        if header.kind == FrameType::SETTINGS && !header.has(FrameHeader::ACK) {
            side.announced.any = true;
        }
        let whole = side.announced.whole;
        self.begin_block(direction, header);
        if let Some(text) = header.fault() {
            self.wrong(direction, text);
        }
        if header.len > max_frame && whole {
            self.wrong(direction, "a frame is longer than its receiver allowed");
        }
        if first && header.kind != FrameType::SETTINGS {
            self.wrong(direction, "the first frame is not SETTINGS");
        }
        self.count(direction, header, seen);
    }

    /// What a frame's beginning means for the header block at hand: nothing may come between HEADERS and its CONTINUATION
    /// frames (RFC 9113 §4.3, §6.10).
    fn begin_block(&mut self, direction: Direction, header: FrameHeader) {
        let side = self.sides.get_mut(direction);
        let continues =
            header.kind == FrameType::CONTINUATION && side.block.is_some_and(|block| block.stream == header.stream);
        if let Some(block) = side.block.as_mut().filter(|_| continues) {
            block.continuations = block.continuations.saturating_add(1);
            if block.continuations == MAX_CONTINUATIONS {
                let detail = Detail::Number("# CONTINUATION frames for one header block", MAX_CONTINUATIONS.into());
                self.tell(direction, FindingCode::Http2Flood, "CONTINUATION", detail);
            }
            return;
        }
        let interrupted = side.block.take().is_some();
        let stray = header.kind == FrameType::CONTINUATION;
        let whole = side.announced.whole;
        if interrupted || stray {
            side.decoder.lose();
            side.list.lose();
        }
        if matches!(header.kind, FrameType::HEADERS | FrameType::PUSH_PROMISE) {
            side.decoder.begin();
            side.list.clear();
            side.block = Some(Block {
                stream: header.stream,
                end_stream: header.kind == FrameType::HEADERS && header.has(FrameHeader::END_STREAM),
                promise: header.kind == FrameType::PUSH_PROMISE,
                continuations: 0,
            });
        }
        if interrupted {
            self.wrong(direction, "a header block is interrupted by another frame");
        } else if stray && whole {
            self.wrong(direction, "a CONTINUATION frame continues no header block");
        }
    }

    /// Counts frames that can be used to keep a receiver busy (RFC 9113 §10.5).
    fn count(&mut self, direction: Direction, header: FrameHeader, seen: Seen) {
        let (at, text) = match header.kind {
            FrameType::SETTINGS => (0, "# SETTINGS frames within a second"),
            FrameType::PING => (1, "# PING frames within a second"),
            FrameType::RST_STREAM => (2, "# RST_STREAM frames within a second"),
            FrameType::DATA | FrameType::HEADERS | FrameType::CONTINUATION
                if header.len == 0 && header.flags & 1 == 0 =>
            {
                (3, "# empty frames within a second")
            }
            _ => return,
        };
        let max = self.max_controls;
        let flood = &mut self.sides.get_mut(direction).flood;
        let second = seen.at.as_nanos().div_euclid(1_000_000_000);
        if flood.second != second {
            *flood = Flood { second, ..Flood::default() };
        }
        let Some(count) = flood.counts.get_mut(at) else { return };
        *count = count.saturating_add(1);
        if *count == max {
            self.tell(direction, FindingCode::Http2Flood, text, Detail::Number(text, max.into()));
        }
    }

    /// Content of a frame other than DATA.
    fn content(&mut self, direction: Direction, content: &[u8], seen: Seen) {
        let side = self.sides.get_mut(direction);
        match side.frame.kind {
            FrameType::HEADERS | FrameType::CONTINUATION | FrameType::PUSH_PROMISE => {
                if side.block.is_some() {
                    let (list, max) = (&mut side.list, self.max_list);
                    side.decoder.push(content, |field| list.add(field, max));
                }
            }
            FrameType::SETTINGS => {
                for byte in content {
                    let side = self.sides.get_mut(direction);
                    side.keep(*byte);
                    if side.small_len == Setting::LEN
                        && let Some(setting) = side.small.first_chunk().map(Setting::parse)
                    {
                        side.small_len = 0;
                        self.setting(direction, setting, seen);
                    }
                }
            }
            FrameType::RST_STREAM | FrameType::GOAWAY | FrameType::WINDOW_UPDATE => {
                content.iter().take(8).for_each(|byte| side.keep(*byte));
            }
            _ => {}
        }
    }

    /// A parameter of SETTINGS (RFC 9113 §6.5.2, RFC 8441 §3).
    fn setting(&mut self, direction: Direction, setting: Setting, seen: Seen) {
        let side = self.sides.get_mut(direction);
        let announced = &mut side.announced;
        match (setting.id, setting.value) {
            (Setting::HEADER_TABLE_SIZE, size) => self.sides.get_mut(direction.reverse()).decoder.allow(size),
            (Setting::INITIAL_WINDOW_SIZE, size) if size <= 0x7fff_ffff => {
                let by = i64::from(size) - i64::from(announced.initial_window);
                announced.initial_window = size;
                let sender = direction.reverse();
                let connection = self.windows.get(sender).stalled_us(seen.at, 0);
                if self.windows_known {
                    for windows in self.streams.values_mut() {
                        windows.get_mut(sender).0.change(by, seen.at, connection);
                    }
                }
            }
            (Setting::MAX_FRAME_SIZE, size @ 0x4000..=0xff_ffff) => announced.max_frame = size,
            (Setting::ENABLE_CONNECT_PROTOCOL, value @ 0..=1) => {
                let before = announced.extended_connect.replace(value == 1);
                // "A sender MUST NOT send a SETTINGS_ENABLE_CONNECT_PROTOCOL parameter with the value of 0 after previously
                // sending a value of 1." (RFC 8441 §3)
                if before == Some(true) && value == 0 {
                    self.wrong(direction, "SETTINGS_ENABLE_CONNECT_PROTOCOL is taken back");
                }
            }
            (Setting::INITIAL_WINDOW_SIZE | Setting::MAX_FRAME_SIZE | Setting::ENABLE_CONNECT_PROTOCOL, _) => {
                self.wrong(direction, "a setting has a value that it may not have");
            }
            _ => {}
        }
    }

    /// A frame is over.
    fn end(&mut self, direction: Direction, seen: Seen) -> Option<Ended> {
        let side = self.sides.get_mut(direction);
        let frame = side.frame;
        match frame.kind {
            FrameType::DATA => {
                self.spend(direction, frame, seen);
                frame.has(FrameHeader::END_STREAM).then_some(Ended::Stream(frame.stream))
            }
            FrameType::HEADERS | FrameType::CONTINUATION | FrameType::PUSH_PROMISE => self.end_block(direction, frame),
            FrameType::RST_STREAM => {
                Some(Ended::Reset(frame.stream, side.number(0).filter(|_| !side.holed).map(ErrorCode)))
            }
            FrameType::GOAWAY if !side.holed => {
                let (last_stream, code) = (side.number(0)?, side.number(4)?);
                Some(Ended::Goaway(last_stream & 0x7fff_ffff, ErrorCode(code)))
            }
            FrameType::WINDOW_UPDATE if !side.holed => {
                let by = side.number(0)? & 0x7fff_ffff;
                self.grant(direction, frame.stream, by, seen);
                None
            }
            _ => None,
        }
    }

    /// A fragment of a header block is over, and perhaps the block.
    fn end_block(&mut self, direction: Direction, frame: FrameHeader) -> Option<Ended> {
        let side = self.sides.get_mut(direction);
        if !frame.has(FrameHeader::END_HEADERS) {
            return None;
        }
        let block = side.block.take()?;
        let (fault, followed) = side.decoder.end();
        if !followed {
            side.list.lose();
        }
        let too_long = side.list.is_too_long() || fault == Some(BlockFault::TooLong);
        if let Some(fault) = fault.filter(|fault| *fault != BlockFault::TooLong) {
            self.wrong(direction, fault.as_str());
        }
        if too_long {
            let detail = Detail::Number("a header list of more than # bytes", self.max_list as u64);
            self.tell(direction, FindingCode::Http2Flood, "header list", detail);
        }
        (!block.promise).then_some(Ended::Headers(block.stream, block.end_stream))
    }

    /// DATA uses up windows, padding and all (RFC 9113 §6.9.1).
    fn spend(&mut self, direction: Direction, frame: FrameHeader, seen: Seen) {
        if !self.windows_known {
            return;
        }
        let connection = self.windows.get_mut(direction);
        connection.spend(frame.len, seen.at, 0);
        let stalled = connection.stalled_us(seen.at, 0);
        if let Some(windows) = self.streams.get_mut(&frame.stream) {
            windows.get_mut(direction).0.spend(frame.len, seen.at, stalled);
        }
    }

    /// A receiver makes a window larger: that of what the other direction sends.
    fn grant(&mut self, direction: Direction, stream: u32, by: u32, seen: Seen) {
        if by == 0 {
            return self.wrong(direction, "a WINDOW_UPDATE of 0");
        }
        if !self.windows_known {
            return;
        }
        let sender = direction.reverse();
        let connection = self.windows.get_mut(sender);
        if stream == 0 {
            return connection.change(by.into(), seen.at, 0);
        }
        let stalled = connection.stalled_us(seen.at, 0);
        if let Some(windows) = self.streams.get_mut(&stream) {
            windows.get_mut(sender).0.change(by.into(), seen.at, stalled);
        }
    }

    fn step(&self, direction: Direction, ended: Ended) -> Option<Step<'_, 'static>> {
        Some(match ended {
            Ended::Headers(stream, end_stream) => {
                Step::Headers { stream, list: &self.sides.get(direction).list, end_stream }
            }
            Ended::Stream(stream) => Step::EndStream { stream },
            Ended::Reset(stream, code) => Step::Reset { stream, code },
            Ended::Goaway(last_stream, code) => Step::Goaway { last_stream, code },
        })
    }
}

/// What the end of a frame means.
enum Ended {
    Headers(u32, bool),
    Stream(u32),
    Reset(u32, Option<ErrorCode>),
    Goaway(u32, ErrorCode),
}

impl Side {
    fn new(preface: bool, limits: &Limits) -> Self {
        Self {
            reader: Reader::new(preface),
            decoder: Decoder::new(limits.max_head_bytes, limits.max_header_table_bytes),
            list: HeaderList::default(),
            block: None,
            frame: FrameHeader::parse(&[0; FrameHeader::LEN]),
            small: [0; 8],
            small_len: 0,
            holed: false,
            announced: Announced {
                whole: true,
                any: false,
                extended_connect: None,
                max_frame: 1 << 14,
                initial_window: INITIAL,
            },
            highest: 0,
            frames: 0,
            told: Vec::new(),
            flood: Flood::default(),
        }
    }

    fn keep(&mut self, byte: u8) {
        if let Some(place) = self.small.get_mut(self.small_len) {
            *place = byte;
            self.small_len += 1;
        }
    }

    /// The four bytes from `at` on of what was kept.
    fn number(&self, at: usize) -> Option<u32> {
        let bytes = self.small.get(..self.small_len)?.get(at..)?.first_chunk::<4>()?;
        Some(u32::from_be_bytes(*bytes))
    }
}

#[cfg(test)]
mod tests;

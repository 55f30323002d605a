//! What frames mean, one after the other: header blocks, settings, windows, ends (RFC 9113 §6).

use super::super::frame::{ErrorCode, FrameHeader, FrameType, Setting};
use super::super::header_block::BlockFault;
use super::direction::{Block, FloodCounter};
use super::{FrameOutcome, H2};
use crate::types::{Detail, Direction, FindingCode, PacketRef};

/// CONTINUATION frames of one header block. Real ones need none to two: 16 KiB fit a HEADERS frame.
const MAX_CONTINUATIONS: u32 = 32;

impl H2 {
    /// A frame begins.
    pub(super) fn begin(&mut self, direction: Direction, header: FrameHeader, seen: PacketRef) {
        let max_frame = self.directions.get(direction.reverse()).settings.max_frame;
        let state = self.directions.get_mut(direction);
        (state.frame, state.small_len, state.holed) = (header, 0, false);
        state.frames = state.frames.saturating_add(1);
        let first = state.frames == 1 && state.settings.whole;
        if matches!(header.kind, FrameType::DATA | FrameType::HEADERS) {
            state.highest = state.highest.max(header.stream);
        }
        if header.kind == FrameType::SETTINGS && !header.has(FrameHeader::ACK) {
            state.settings.any = true;
        }
        let whole = state.settings.whole;
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
        let state = self.directions.get_mut(direction);
        let continues =
            header.kind == FrameType::CONTINUATION && state.block.is_some_and(|block| block.stream == header.stream);
        if let Some(block) = state.block.as_mut().filter(|_| continues) {
            block.continuations = block.continuations.saturating_add(1);
            if block.continuations == MAX_CONTINUATIONS {
                let detail = Detail::Number("# CONTINUATION frames for one header block", MAX_CONTINUATIONS.into());
                self.tell(direction, FindingCode::Http2Flood, "CONTINUATION", detail);
            }
            return;
        }
        let interrupted = state.block.take().is_some();
        let stray = header.kind == FrameType::CONTINUATION;
        let whole = state.settings.whole;
        if interrupted || stray {
            state.decoder.lose();
            state.list.lose();
        }
        if matches!(header.kind, FrameType::HEADERS | FrameType::PUSH_PROMISE) {
            state.decoder.begin();
            state.list.clear();
            state.block = Some(Block {
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
    fn count(&mut self, direction: Direction, header: FrameHeader, seen: PacketRef) {
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
        let flood = &mut self.directions.get_mut(direction).flood;
        let second = seen.at.as_nanos().div_euclid(1_000_000_000);
        if flood.second != second {
            *flood = FloodCounter { second, ..FloodCounter::default() };
        }
        let Some(count) = flood.counts.get_mut(at) else { return };
        *count = count.saturating_add(1);
        if *count == max {
            self.tell(direction, FindingCode::Http2Flood, text, Detail::Number(text, max.into()));
        }
    }

    /// Content of a frame other than DATA.
    pub(super) fn content(&mut self, direction: Direction, content: &[u8], seen: PacketRef) {
        let state = self.directions.get_mut(direction);
        match state.frame.kind {
            FrameType::HEADERS | FrameType::CONTINUATION | FrameType::PUSH_PROMISE if state.block.is_some() => {
                let (list, max) = (&mut state.list, self.max_list);
                state.decoder.push(content, |field| list.add(field, max));
            }
            FrameType::SETTINGS => {
                for byte in content {
                    let state = self.directions.get_mut(direction);
                    state.keep(*byte);
                    if state.small_len == Setting::LEN
                        && let Some(setting) = state.small.first_chunk().map(Setting::parse)
                    {
                        state.small_len = 0;
                        self.setting(direction, setting, seen);
                    }
                }
            }
            FrameType::RST_STREAM | FrameType::GOAWAY | FrameType::WINDOW_UPDATE => {
                content.iter().take(8).for_each(|byte| state.keep(*byte));
            }
            _ => {}
        }
    }

    /// A parameter of SETTINGS (RFC 9113 §6.5.2, RFC 8441 §3).
    pub(super) fn setting(&mut self, direction: Direction, setting: Setting, seen: PacketRef) {
        let state = self.directions.get_mut(direction);
        let settings = &mut state.settings;
        match (setting.id, setting.value) {
            (Setting::HEADER_TABLE_SIZE, size) => self.directions.get_mut(direction.reverse()).decoder.allow(size),
            (Setting::INITIAL_WINDOW_SIZE, size) if size <= 0x7fff_ffff => {
                let by = i64::from(size) - i64::from(settings.initial_window);
                settings.initial_window = size;
                let sender = direction.reverse();
                let connection = self.windows.get(sender).stalled_us(seen.at, 0);
                if self.windows_known {
                    for windows in self.streams.values_mut() {
                        windows.get_mut(sender).0.change(by, seen.at, connection);
                    }
                }
            }
            (Setting::MAX_FRAME_SIZE, size @ 0x4000..=0xff_ffff) => settings.max_frame = size,
            (Setting::ENABLE_CONNECT_PROTOCOL, value @ 0..=1) => {
                let before = settings.extended_connect.replace(value == 1);
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
    pub(super) fn end(&mut self, direction: Direction, seen: PacketRef) -> Option<FrameOutcome> {
        let state = self.directions.get_mut(direction);
        let frame = state.frame;
        match frame.kind {
            FrameType::DATA => {
                self.spend(direction, frame, seen);
                frame.has(FrameHeader::END_STREAM).then_some(FrameOutcome::Stream(frame.stream))
            }
            FrameType::HEADERS | FrameType::CONTINUATION | FrameType::PUSH_PROMISE => self.end_block(direction, frame),
            FrameType::RST_STREAM if state.holed => Some(FrameOutcome::Reset(frame.stream, None)),
            FrameType::RST_STREAM => Some(FrameOutcome::Reset(frame.stream, Some(ErrorCode(state.number(0)?)))),
            FrameType::GOAWAY if !state.holed => {
                let (last_stream, code) = (state.number(0)?, state.number(4)?);
                Some(FrameOutcome::Goaway(last_stream & 0x7fff_ffff, ErrorCode(code)))
            }
            FrameType::WINDOW_UPDATE if !state.holed => {
                let by = state.number(0)? & 0x7fff_ffff;
                self.grant(direction, frame.stream, by, seen);
                None
            }
            _ => None,
        }
    }

    /// A fragment of a header block is over, and perhaps the block.
    fn end_block(&mut self, direction: Direction, frame: FrameHeader) -> Option<FrameOutcome> {
        let state = self.directions.get_mut(direction);
        if !frame.has(FrameHeader::END_HEADERS) {
            return None;
        }
        let block = state.block.take()?;
        let (fault, followed) = state.decoder.end();
        if !followed {
            state.list.lose();
        }
        let too_long = state.list.is_too_long() || fault == Some(BlockFault::TooLong);
        if let Some(fault) = fault.filter(|fault| *fault != BlockFault::TooLong) {
            self.wrong(direction, fault.as_str());
        }
        if too_long {
            let detail = Detail::Number("a header list of more than # bytes", self.max_list as u64);
            self.tell(direction, FindingCode::Http2Flood, "header list", detail);
        }
        (!block.promise).then_some(FrameOutcome::Headers(block.stream, block.end_stream))
    }

    /// DATA uses up windows, padding and all (RFC 9113 §6.9.1).
    fn spend(&mut self, direction: Direction, frame: FrameHeader, seen: PacketRef) {
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
    fn grant(&mut self, direction: Direction, stream: u32, by: u32, seen: PacketRef) {
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
}

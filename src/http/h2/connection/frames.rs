//! What frames mean, one after the other: header blocks, settings, windows, resets (RFC 9113 §6).

use super::direction::{Block, FrameCounts};
use super::{FrameOutcome, H2};
use crate::http::h2::fault::{FrequentFrame, H2Fault};
use crate::http::h2::frame::{ErrorCode, FrameHeader, FrameType, Setting};
use crate::http::h2::header_block::BlockFault;
use crate::types::{Direction, PacketRef};

/// CONTINUATION frames of one header block. Real ones need none to two: 16 KiB fit a HEADERS frame.
const MAX_CONTINUATIONS: u32 = 32;

impl H2 {
    /// A frame begins.
    pub(super) fn begin(&mut self, direction: Direction, header: FrameHeader, seen: PacketRef) {
        let max_frame = self.directions.get(direction.reverse()).settings.max_frame;
        let state = self.directions.get_mut(direction);
        (state.frame, state.small_len, state.frame_has_gap) = (header, 0, false);
        state.frames = state.frames.saturating_add(1);
        let complete = state.settings.complete;
        let first = state.frames == 1 && complete;
        if matches!(header.kind, FrameType::DATA | FrameType::HEADERS) {
            state.highest_stream = state.highest_stream.max(header.stream);
        }
        if header.kind == FrameType::SETTINGS && !header.has(FrameHeader::ACK) {
            state.settings.any = true;
        }
        self.begin_block(direction, header);
        if let Some(fault) = header.fault() {
            self.report(direction, H2Fault::FrameHeader(fault));
        }
        if header.len > max_frame && complete {
            self.report(direction, H2Fault::FrameTooLong);
        }
        if first && header.kind != FrameType::SETTINGS {
            self.report(direction, H2Fault::FirstFrameNotSettings);
        }
        self.count(direction, header, seen);
    }

    /// What the beginning of a frame means for the header block at hand: no other frame may come between HEADERS and its
    /// CONTINUATION frames (RFC 9113 §4.3, §6.10).
    fn begin_block(&mut self, direction: Direction, header: FrameHeader) {
        let state = self.directions.get_mut(direction);
        let continues =
            header.kind == FrameType::CONTINUATION && state.block.is_some_and(|block| block.stream == header.stream);
        if let Some(block) = state.block.as_mut().filter(|_| continues) {
            block.continuations = block.continuations.saturating_add(1);
            if block.continuations == MAX_CONTINUATIONS {
                self.report(direction, H2Fault::ManyContinuations(MAX_CONTINUATIONS));
            }
            return;
        }
        let interrupted = state.block.take().is_some();
        let stray = header.kind == FrameType::CONTINUATION;
        let complete = state.settings.complete;
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
            self.report(direction, H2Fault::BlockInterrupted);
        } else if stray && complete {
            self.report(direction, H2Fault::StrayContinuation);
        }
    }

    /// Counts frames that can be used to keep a receiver busy (RFC 9113 §10.5).
    fn count(&mut self, direction: Direction, header: FrameHeader, seen: PacketRef) {
        let Some(kind) = frequent_frame(header) else { return };
        let max = self.max_control_frames;
        let counts = &mut self.directions.get_mut(direction).counts;
        let second = seen.at.as_nanos().div_euclid(1_000_000_000);
        if counts.second != second {
            *counts = FrameCounts { second, ..FrameCounts::default() };
        }
        let Some(count) = counts.frames.get_mut(kind as usize) else { return };
        *count = count.saturating_add(1);
        if *count == max {
            self.report(direction, H2Fault::FrequentFrames(kind, max));
        }
    }

    /// Content of a frame other than DATA.
    pub(super) fn content(&mut self, direction: Direction, content: &[u8], seen: PacketRef) {
        let state = self.directions.get_mut(direction);
        match state.frame.kind {
            FrameType::HEADERS | FrameType::CONTINUATION | FrameType::PUSH_PROMISE if state.block.is_some() => {
                let (list, max) = (&mut state.list, self.max_header_list);
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
        let settings = &mut self.directions.get_mut(direction).settings;
        match (setting.id, setting.value) {
            (Setting::HEADER_TABLE_SIZE, size) => self.directions.get_mut(direction.reverse()).decoder.allow(size),
            (Setting::INITIAL_WINDOW_SIZE, size) if size <= 0x7fff_ffff => {
                let by = i64::from(size) - i64::from(settings.initial_window);
                settings.initial_window = size;
                self.change_all_windows(direction.reverse(), by, seen);
            }
            (Setting::MAX_FRAME_SIZE, size @ 0x4000..=0xff_ffff) => settings.max_frame = size,
            (Setting::ENABLE_CONNECT_PROTOCOL, value @ 0..=1) => {
                let before = settings.extended_connect.replace(value == 1);
                // "A sender MUST NOT send a SETTINGS_ENABLE_CONNECT_PROTOCOL parameter with the value of 0 after previously
                // sending a value of 1." (RFC 8441 §3)
                if before == Some(true) && value == 0 {
                    self.report(direction, H2Fault::ConnectProtocolWithdrawn);
                }
            }
            (Setting::INITIAL_WINDOW_SIZE | Setting::MAX_FRAME_SIZE | Setting::ENABLE_CONNECT_PROTOCOL, _) => {
                self.report(direction, H2Fault::SettingValue);
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
                frame.has(FrameHeader::END_STREAM).then_some(FrameOutcome::EndStream(frame.stream))
            }
            FrameType::HEADERS | FrameType::CONTINUATION | FrameType::PUSH_PROMISE => self.end_block(direction, frame),
            FrameType::RST_STREAM if state.frame_has_gap => Some(FrameOutcome::Reset(frame.stream, None)),
            FrameType::RST_STREAM => Some(FrameOutcome::Reset(frame.stream, Some(ErrorCode(state.number(0)?)))),
            FrameType::GOAWAY if !state.frame_has_gap => {
                let (last_stream, code) = (state.number(0)?, state.number(4)?);
                Some(FrameOutcome::Goaway(last_stream & 0x7fff_ffff, ErrorCode(code)))
            }
            FrameType::WINDOW_UPDATE if !state.frame_has_gap => {
                self.grant(direction, frame, seen);
                None
            }
            _ => None,
        }
    }

    /// A fragment of a header block is over, and with END_HEADERS the block.
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
            self.report(direction, H2Fault::HeaderBlock(fault));
        }
        if too_long {
            self.report(direction, H2Fault::HeaderListTooLong(self.max_header_list));
        }
        (!block.promise).then_some(FrameOutcome::Headers(block.stream, block.end_stream))
    }

    /// DATA uses up windows, padding included (RFC 9113 §6.9.1).
    fn spend(&mut self, direction: Direction, frame: FrameHeader, seen: PacketRef) {
        if !self.windows_known {
            return;
        }
        let connection = self.windows.get_mut(direction);
        connection.spend(frame.len, seen.at, 0);
        let stalled = connection.stalled_us(seen.at, 0);
        if let Some(windows) = self.streams.get_mut(&frame.stream) {
            windows.get_mut(direction).window.spend(frame.len, seen.at, stalled);
        }
    }

    /// A receiver makes a window larger, one of the other direction's sender.
    fn grant(&mut self, direction: Direction, frame: FrameHeader, seen: PacketRef) {
        let Some(increment) = self.directions.get(direction).number(0) else { return };
        let by = i64::from(increment & 0x7fff_ffff);
        if by == 0 {
            return self.report(direction, H2Fault::ZeroWindowUpdate);
        }
        if !self.windows_known {
            return;
        }
        let sender = direction.reverse();
        let connection = self.windows.get_mut(sender);
        if frame.stream == 0 {
            return connection.change(by, seen.at, 0);
        }
        let stalled = connection.stalled_us(seen.at, 0);
        if let Some(windows) = self.streams.get_mut(&frame.stream) {
            windows.get_mut(sender).window.change(by, seen.at, stalled);
        }
    }

    /// The windows of all streams of one sender change by as much as SETTINGS_INITIAL_WINDOW_SIZE (RFC 9113 §6.9.2).
    fn change_all_windows(&mut self, sender: Direction, by: i64, seen: PacketRef) {
        if !self.windows_known {
            return;
        }
        let stalled = self.windows.get(sender).stalled_us(seen.at, 0);
        for windows in self.streams.values_mut() {
            windows.get_mut(sender).window.change(by, seen.at, stalled);
        }
    }
}

/// Which of the counted kinds a frame is.
const fn frequent_frame(header: FrameHeader) -> Option<FrequentFrame> {
    match header.kind {
        FrameType::SETTINGS => Some(FrequentFrame::Settings),
        FrameType::PING => Some(FrequentFrame::Ping),
        FrameType::RST_STREAM => Some(FrequentFrame::Reset),
        FrameType::DATA | FrameType::HEADERS | FrameType::CONTINUATION if header.len == 0 && header.flags & 1 == 0 => {
            Some(FrequentFrame::Empty)
        }
        _ => None,
    }
}

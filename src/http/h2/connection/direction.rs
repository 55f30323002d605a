//! The state of one direction of an HTTP/2 connection.

use crate::http::h2::fault::{FrequentFrame, H2Fault};
use crate::http::h2::flow::INITIAL;
use crate::http::h2::frame::FrameHeader;
use crate::http::h2::header_block::HeaderDecoder;
use crate::http::h2::header_list::HeaderList;
use crate::http::h2::reader::Reader;
use crate::types::Limits;

/// One direction.
#[derive(Debug)]
pub(super) struct DirectionState {
    pub(super) reader: Reader,
    pub(super) decoder: HeaderDecoder,
    pub(super) list: HeaderList,
    /// The header block that has begun and not ended.
    pub(super) block: Option<Block>,
    /// The header of the frame at hand.
    pub(super) frame: FrameHeader,
    /// The first bytes of a small frame, or of one parameter of SETTINGS.
    pub(super) small: [u8; 8],
    pub(super) small_len: usize,
    /// Bytes of the frame at hand are missing.
    pub(super) frame_has_gap: bool,
    /// The settings that its sender, as a receiver, has sent.
    pub(super) settings: SentSettings,
    /// The highest stream that it has opened, or sent on.
    pub(super) highest_stream: u32,
    /// Frames so far.
    pub(super) frames: u64,
    /// Faults that were reported.
    pub(super) reported: Vec<H2Fault>,
    pub(super) counts: FrameCounts,
}

/// A header block that is being received (RFC 9113 §4.3).
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    pub(super) stream: u32,
    pub(super) end_stream: bool,
    /// It is that of a PUSH_PROMISE, read only for the dynamic table.
    pub(super) promise: bool,
    /// CONTINUATION frames so far.
    pub(super) continuations: u32,
}

/// What one endpoint has sent in SETTINGS; the defaults of RFC 9113 §6.5.2 until then.
#[derive(Debug, Clone, Copy)]
pub(super) struct SentSettings {
    /// No SETTINGS frame was lost since the connection's beginning.
    pub(super) complete: bool,
    /// A SETTINGS frame was seen.
    pub(super) any: bool,
    pub(super) extended_connect: Option<bool>,
    pub(super) max_frame: u32,
    pub(super) initial_window: u32,
}

/// Frames that cost their receiver more than their sender, within one second (RFC 9113 §10.5).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FrameCounts {
    /// The second, of the capture's time.
    pub(super) second: i64,
    /// How many of each [`FrequentFrame`].
    pub(super) frames: [u32; FrequentFrame::COUNT],
}

impl DirectionState {
    /// A direction at its beginning; `preface` if it is the client's.
    pub(super) fn new(preface: bool, limits: &Limits) -> Self {
        Self {
            reader: Reader::new(preface),
            decoder: HeaderDecoder::new(limits.max_head_bytes, limits.max_header_table_bytes),
            list: HeaderList::default(),
            block: None,
            frame: FrameHeader::parse(&[0; FrameHeader::LEN]),
            small: [0; 8],
            small_len: 0,
            frame_has_gap: false,
            settings: SentSettings::default(),
            highest_stream: 0,
            frames: 0,
            reported: Vec::new(),
            counts: FrameCounts::default(),
        }
    }

    /// Keeps a byte of a small frame, if there is room.
    pub(super) fn keep(&mut self, byte: u8) {
        if let Some(place) = self.small.get_mut(self.small_len) {
            *place = byte;
            self.small_len += 1;
        }
    }

    /// The number in the four kept bytes from `at` on.
    pub(super) fn number(&self, at: usize) -> Option<u32> {
        let bytes = self.small.get(..self.small_len)?.get(at..)?.first_chunk::<4>()?;
        Some(u32::from_be_bytes(*bytes))
    }
}

impl Default for SentSettings {
    fn default() -> Self {
        Self { complete: true, any: false, extended_connect: None, max_frame: 1 << 14, initial_window: INITIAL }
    }
}

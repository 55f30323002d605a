//! What is kept of one direction of an HTTP/2 connection.

use super::super::flow::INITIAL;
use super::super::frame::FrameHeader;
use super::super::header_block::HeaderDecoder;
use super::super::header_list::HeaderList;
use super::super::reader::Reader;
use crate::types::Limits;

/// One direction.
#[derive(Debug)]
pub(super) struct DirectionState {
    pub(super) reader: Reader,
    pub(super) decoder: HeaderDecoder,
    pub(super) list: HeaderList,
    pub(super) block: Option<Block>,
    pub(super) frame: FrameHeader,
    /// The first bytes of a frame that is small, or of one of its parameters.
    pub(super) small: [u8; 8],
    pub(super) small_len: usize,
    /// Bytes of the frame at hand are missing.
    pub(super) holed: bool,
    /// What its sender, as a receiver, has said.
    pub(super) settings: SentSettings,
    /// The highest stream that it has opened, or sent on.
    pub(super) highest: u32,
    pub(super) frames: u64,
    pub(super) reported: Vec<&'static str>,
    pub(super) flood: FloodCounter,
}

/// A header block that is being received (RFC 9113 §4.3).
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    pub(super) stream: u32,
    pub(super) end_stream: bool,
    pub(super) promise: bool,
    pub(super) continuations: u32,
}

/// What one state has said in SETTINGS.
#[derive(Debug, Clone, Copy)]
pub(super) struct SentSettings {
    /// A SETTINGS frame was seen, and since the connection's beginning none was lost.
    pub(super) whole: bool,
    pub(super) any: bool,
    pub(super) extended_connect: Option<bool>,
    pub(super) max_frame: u32,
    pub(super) initial_window: u32,
}

/// Frames that cost their receiver more than their sender, counted by the second (RFC 9113 §10.5).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FloodCounter {
    pub(super) second: i64,
    pub(super) counts: [u32; 4],
}

impl DirectionState {
    pub(super) fn new(preface: bool, limits: &Limits) -> Self {
        Self {
            reader: Reader::new(preface),
            decoder: HeaderDecoder::new(limits.max_head_bytes, limits.max_header_table_bytes),
            list: HeaderList::default(),
            block: None,
            frame: FrameHeader::parse(&[0; FrameHeader::LEN]),
            small: [0; 8],
            small_len: 0,
            holed: false,
            settings: SentSettings {
                whole: true,
                any: false,
                extended_connect: None,
                max_frame: 1 << 14,
                initial_window: INITIAL,
            },
            highest: 0,
            frames: 0,
            reported: Vec::new(),
            flood: FloodCounter::default(),
        }
    }

    pub(super) fn keep(&mut self, byte: u8) {
        if let Some(place) = self.small.get_mut(self.small_len) {
            *place = byte;
            self.small_len += 1;
        }
    }

    /// The four bytes from `at` on of what was kept.
    pub(super) fn number(&self, at: usize) -> Option<u32> {
        let bytes = self.small.get(..self.small_len)?.get(at..)?.first_chunk::<4>()?;
        Some(u32::from_be_bytes(*bytes))
    }
}

//! The short way of a message that is one frame and lies completely in one segment, as nearly all do.
//!
//! In: bytes that begin with a frame. Out: the frame and its message, emitted with the payload as it lies in the segment or in
//! the scratch buffer: no open frame, no open message, nothing kept. What is not that simple (fragments, control frames,
//! compression, anything that breaks a rule, text that is not UTF-8) is left to the long way, which emits the same of the
//! rest: any cut through a frame sends it there, so the tests that cut everywhere compare one with the other.

use super::DirectionState;
use super::counts::MessageLen;
use crate::analyzer::conversation::{Conversation, FrameKind, FrameParts, MessageParts};
use crate::analyzer::memory::Growth;
use crate::analyzer::turn::Turn;
use crate::event::Sink;
use crate::types::FindingSet;
use crate::websocket::rules::{self, HeaderContext};
use crate::websocket::{FrameHeader, Opcode, mask, utf8};

/// FIN and the opcode of text, or of a binary message, and nothing else (RFC 6455 §5.2).
const COMPLETE_TEXT: u8 = 0x81;
const COMPLETE_BINARY: u8 = 0x82;

impl DirectionState {
    /// Takes the complete message at the front of `input`, if one is there and the decoder stands before a frame. `None` if it
    /// did not.
    #[inline]
    pub(super) fn complete_message<S: Sink>(
        &mut self,
        input: &mut &[u8],
        conversation: &mut Conversation,
        turn: &mut Turn<'_, S>,
    ) -> Option<Growth> {
        let (header, payload, rest) = self.complete_frame(input)?;
        let keep = (conversation.frame_keep, conversation.content_keep);
        let is_text = header.opcode == Opcode::TEXT;
        let mut scratch = core::mem::take(&mut turn.shared.scratch);
        let plain = match header.masking_key {
            Some(key) if is_text || keep != (0, 0) => {
                scratch.clear();
                mask::unmask_into(&mut scratch, payload, key, 0);
                scratch.as_slice()
            }
            // Not masked, or not looked at.
            _ => payload,
        };
        let taken = (!is_text || utf8::is_well_formed(plain)).then(|| {
            *input = rest;
            let kept = (plain.get(..keep.0).unwrap_or(plain), plain.get(..keep.1).unwrap_or(plain));
            self.emit_complete(header, kept, conversation, turn)
        });
        turn.shared.scratch = scratch;
        taken
    }

    /// The frame at the front of `input` with which nothing can be wrong but its text, its payload, and the bytes after it.
    #[inline]
    fn complete_frame<'i>(&self, input: &'i [u8]) -> Option<(FrameHeader, &'i [u8], &'i [u8])> {
        if !matches!(input.first(), Some(&(COMPLETE_TEXT | COMPLETE_BINARY))) || self.message.is_some() {
            return None;
        }
        let header = FrameHeader::parse(input)?;
        let after = input.get(usize::from(header.header_len)..)?;
        let (payload, rest) = after.split_at_checked(usize::try_from(header.payload_len).ok()?)?;
        let context = HeaderContext {
            direction: self.direction,
            deflate: self.compression.is_negotiated(),
            unknown_extension: self.unknown_extension,
            message_open: false,
            close_sent: self.close_sent,
        };
        rules::is_ordinary(&header, &context).then_some((header, payload, rest))
    }

    /// Counts and emits a frame and the message that it is, with what is kept of its payload, and of its content.
    #[inline]
    fn emit_complete<S: Sink>(
        &mut self,
        header: FrameHeader,
        (payload, content): (&[u8], &[u8]),
        conversation: &mut Conversation,
        turn: &mut Turn<'_, S>,
    ) -> Growth {
        let (direction, len, seen) = (self.direction, header.payload_len, turn.seen);
        let start = self.position;
        self.position = start.saturating_add(u64::from(header.header_len)).saturating_add(len);
        self.masked = Some(header.masking_key.is_some());
        self.unknown_message = false;
        self.counts.frame(header.opcode, header.header_len, len);
        let frame = FrameParts {
            direction,
            header,
            header_captured: header.header_len,
            kind: FrameKind::Data,
            fragment: 0,
            first: seen,
            stream_offset: start,
            payload,
            missing: 0,
            complete: true,
            findings: FindingSet::default(),
            violations: &[],
        };
        let (number, growth) = conversation.frame(frame, turn);
        let counted = self.counts.data_message(header.opcode, &MessageLen { len, complete: true }, seen);
        let message = MessageParts {
            direction,
            number: number.unwrap_or_default(),
            opcode: header.opcode,
            compressed: false,
            frames: 1,
            wire_len: len,
            len: Some(len),
            content,
            content_whole: content.len() as u64 == len,
            complete: true,
            utf8: true,
            first: seen,
            close: None,
            ping_rtt_us: None,
            findings: FindingSet::default(),
        };
        growth | counted | conversation.message(message, turn)
    }
}

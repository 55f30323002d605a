//! The short way of a message that is one frame and lies whole in one segment, as nearly all do.
//!
//! In: bytes that begin with a frame. Out: the frame and its message, told with the payload as it lies in the segment or in
//! the scratch buffer: no open frame, no open message, nothing kept. What is not that simple (fragments, control frames,
//! compression, anything that breaks a rule, text that is not UTF-8) is left to the long way, which tells the same of the
//! rest: any cut through a frame sends it there, so the tests that cut everywhere hold one against the other.

use super::DirectionState;
use crate::analyzer::shared::Out;
use crate::analyzer::websocket::Conversation;
use crate::event::{Frame, Message, Sink, What};
use crate::types::{FindingSet, PacketRef};
use crate::websocket::rules::{self, HeaderContext};
use crate::websocket::{FrameHeader, Opcode, mask, utf8};

/// FIN and the opcode of text, or of a binary message, and nothing else (RFC 6455 §5.2).
const WHOLE_TEXT: u8 = 0x81;
const WHOLE_BINARY: u8 = 0x82;

impl DirectionState {
    /// Takes the whole message at the front of `input`, if one is there and the decoder stands before a frame. Whether it
    /// did.
    #[inline]
    pub(super) fn whole_message<S: Sink>(
        &mut self,
        input: &mut &[u8],
        seen: PacketRef,
        conversation: &mut Conversation,
        out: &mut Out<'_, S>,
    ) -> Result<bool, S::Error> {
        let Some((header, payload, rest)) = self.whole_frame(input) else { return Ok(false) };
        let keep = (out.shared.frame_keep(), out.shared.content_keep());
        let is_text = header.opcode == Opcode::TEXT;
        let mut scratch = core::mem::take(&mut out.shared.scratch);
        let plain = match header.masking_key {
            Some(key) if is_text || keep != (0, 0) => {
                scratch.clear();
                mask::unmask_into(&mut scratch, payload, key, 0);
                scratch.as_slice()
            }
            // Not masked, or nobody looks.
            _ => payload,
        };
        let takes = !is_text || utf8::is_well_formed(plain);
        let told = if takes {
            *input = rest;
            let kept = (plain.get(..keep.0).unwrap_or(plain), plain.get(..keep.1).unwrap_or(plain));
            self.tell_whole(header, kept, seen, conversation, out)
        } else {
            Ok(())
        };
        out.shared.scratch = scratch;
        told.map(|()| takes)
    }

    /// The frame at the front of `input` with which nothing can be wrong but its text, its payload, and what follows it.
    #[inline]
    fn whole_frame<'i>(&self, input: &'i [u8]) -> Option<(FrameHeader, &'i [u8], &'i [u8])> {
        if !matches!(input.first(), Some(&(WHOLE_TEXT | WHOLE_BINARY))) || self.message.is_some() {
            return None;
        }
        let header = FrameHeader::parse(input)?;
        let behind = input.get(usize::from(header.header_len)..)?;
        let (payload, rest) = behind.split_at_checked(usize::try_from(header.payload_len).ok()?)?;
        let context = HeaderContext {
            direction: self.direction,
            deflate: self.deflate.is_some(),
            unknown_extension: self.unknown_extension,
            message_open: false,
            close_sent: self.close_sent,
        };
        rules::is_ordinary(&header, &context).then_some((header, payload, rest))
    }

    /// Counts and tells a frame and the message that it is; `kept` is what is wanted of its payload, and of its content.
    #[inline]
    fn tell_whole<S: Sink>(
        &mut self,
        header: FrameHeader,
        (payload, content): (&[u8], &[u8]),
        seen: PacketRef,
        conversation: &mut Conversation,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        let (number, message) = (conversation.next_frame(), conversation.next_message());
        let (direction, len) = (Some(self.direction), header.payload_len);
        let start = self.position;
        self.position = start.saturating_add(u64::from(header.header_len)).saturating_add(len);
        self.masked = Some(header.masking_key.is_some());
        self.unknown_message = false;
        self.count_frame(header.opcode, header.header_len, len);
        let frame = Frame {
            number,
            header,
            header_captured: header.header_len,
            message: Some(message),
            in_message: true,
            fragment: 0,
            first: seen,
            last: seen,
            stream_offset: start,
            payload,
            missing: 0,
            complete: true,
            close: None,
            ping_rtt_us: None,
            findings: FindingSet::default(),
        };
        out.say(&conversation.identity, seen, direction, What::Frame(&frame))?;
        self.count_message(header.opcode, len, true, seen, out.shared);
        let message = Message {
            number: message,
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
            last: seen,
            close: None,
            ping_rtt_us: None,
            summary: None,
            findings: FindingSet::default(),
        };
        out.say(&conversation.identity, seen, direction, What::Message(&message))
    }
}

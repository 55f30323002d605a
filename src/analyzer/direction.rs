//! One direction of a WebSocket: bytes → frames → messages (RFC 6455 §5).
//!
//! In: the bytes of one direction, gaps, the end. Out: frames and messages that are over, to the [`Conversation`], which gives
//! them their numbers and emits them. The `websocket` layer decodes: [`FrameDecoder`] finds headers, payload and ends; [`rules`]
//! checks headers; the payload is unmasked into one scratch buffer, only if it is needed, and goes into the [`OpenMessage`].
//! This file hands bytes from one to the next.
//!
//! ```text
//!                  ┌─ complete_message: one frame in one segment ─▶ emitted ─┐
//!                  │                                                        │
//!  bytes ─▶ at a boundary ─▶ header ─▶ payload … ─▶ end of the frame ─▶ emitted ─▶ at a boundary
//!                  ▲            │          │
//!                  │            └────┬─────┘
//!                  │                 ▼  a gap takes the boundary
//!                  └─ found again ─ lost
//! ```

mod complete_message;
mod compression;
mod counts;
mod lost;
mod memory;
mod open_frame;

use super::conversation::{Conversation, FrameKind, FrameParts, MessageParts};
use super::leftover::last_bytes;
use super::memory::Growth;
use super::shared::Shared;
use super::turn::Turn;
use crate::event::{Sink, Traffic};
use crate::types::{Detail, Direction, FindingCode, MemoryQuota, PacketRef};
use crate::websocket::message::{FinishedMessage, MessageResources, OpenMessage, PayloadEncoding};
use crate::websocket::rules::{self, HeaderContext};
use crate::websocket::{FrameDecoder, FrameEvent, FrameHeader, Negotiated, Opcode, mask};
use compression::Compression;
use counts::{Counts, MessageLen};
use lost::Lost;
use open_frame::{CONTROL_KEEP, OpenFrame};

/// One direction.
pub(super) struct DirectionState {
    direction: Direction,
    compression: Compression,
    /// Reserved bits may have a meaning, and payload another form, that is not known here.
    unknown_extension: bool,
    decoder: FrameDecoder,
    /// Where the next byte stands, from the first byte after the handshake.
    position: u64,
    /// Where it stood when a boundary was lost.
    lost_at: u64,
    /// Whether the last frame was masked.
    masked: Option<bool>,
    /// The packet that carried the first byte of the frame at hand, and where that byte stands.
    frame_first: PacketRef,
    frame_start: u64,
    /// The last packet that carried bytes.
    last_seen: Option<PacketRef>,
    frame: Option<OpenFrame>,
    message: Option<OpenMessage>,
    /// Looks for the next boundary, since one was lost.
    lost: Option<Box<Lost>>,
    /// A message may be open whose beginning was lost.
    unknown_message: bool,
    close_sent: bool,
    counts: Counts,
}

impl DirectionState {
    pub(super) fn new(direction: Direction, negotiated: Negotiated) -> Self {
        Self {
            direction,
            compression: Compression::new(negotiated.deflate),
            unknown_extension: negotiated.unknown,
            decoder: FrameDecoder::new(),
            position: 0,
            lost_at: 0,
            masked: None,
            frame_first: PacketRef::default(),
            frame_start: 0,
            last_seen: None,
            frame: None,
            message: None,
            lost: None,
            unknown_message: false,
            close_sent: false,
            counts: Counts::default(),
        }
    }

    /// Takes bytes of one packet.
    pub(super) fn data<S: Sink>(
        &mut self,
        mut input: &[u8],
        conversation: &mut Conversation,
        turn: &mut Turn<'_, S>,
    ) -> Growth {
        let mut growth = Growth::NONE;
        while let Some(lost) = &mut self.lost {
            let left = lost.resync.push(input, turn.seen);
            input = last_bytes(input, left);
            let (found, grew) = self.resynchronize(false, conversation, turn);
            growth |= grew;
            if !found && input.is_empty() {
                return growth;
            }
        }
        growth | self.frames(input, conversation, turn)
    }

    /// Takes bytes of one packet, in step.
    fn frames<S: Sink>(&mut self, mut input: &[u8], conversation: &mut Conversation, turn: &mut Turn<'_, S>) -> Growth {
        let mut growth = Growth::NONE;
        self.last_seen = Some(turn.seen);
        loop {
            if self.decoder.at_boundary() {
                if let Some(grew) = self.complete_message(&mut input, conversation, turn) {
                    growth |= grew;
                    continue;
                }
                self.frame_first = turn.seen;
                self.frame_start = self.position;
            }
            let Some(step) = self.decoder.next(&mut input) else { return growth };
            match step {
                FrameEvent::Header(header) => growth |= self.header(header, conversation, turn),
                FrameEvent::Payload(payload, at) => self.payload(payload, at, turn.seen, turn.shared),
                FrameEvent::End => growth |= self.end_frame(conversation, turn),
                FrameEvent::Missing(_) | FrameEvent::Lost(_) => {}
            }
        }
    }

    /// Takes a gap, of so many bytes where that is known.
    pub(super) fn gap<S: Sink>(
        &mut self,
        len: Option<u64>,
        conversation: &mut Conversation,
        turn: &mut Turn<'_, S>,
    ) -> Growth {
        self.counts.gap(len);
        let unknown = Detail::Fixed("an unknown number of bytes");
        let detail = len.map_or(unknown, |len| Detail::count("# byte", "# bytes", len));
        let mut growth = Growth::SOME;
        match &mut self.frame {
            Some(frame) => frame.add_violation(turn.seen, (FindingCode::TcpGap, detail)),
            None => growth |= self.record(FindingCode::TcpGap, detail, conversation, turn),
        }
        let expect = self.expect();
        if let Some(lost) = &mut self.lost {
            lost.resync.gap(len, &expect);
            return growth;
        }
        let mut left = len;
        while left != Some(0) {
            // A header that was cut off is not counted yet.
            let partial = self.decoder.partial_header().len();
            match self.decoder.gap(&mut left) {
                FrameEvent::Missing(len) => self.missing(len, turn.shared),
                FrameEvent::Lost(rest) => {
                    self.position = self.position.saturating_add(partial as u64);
                    return growth | self.lose(rest, conversation, turn);
                }
                _ => return growth,
            }
            if let Some(FrameEvent::End) = self.decoder.next(&mut (&[][..])) {
                growth |= self.end_frame(conversation, turn);
            }
        }
        growth
    }

    /// No byte comes any more: an open frame or message is emitted as far as it came.
    pub(super) fn finish<S: Sink>(&mut self, conversation: &mut Conversation, turn: &mut Turn<'_, S>) -> Growth {
        let (_, mut growth) = self.resynchronize(true, conversation, turn);
        let turn = &mut turn.at(self.last_seen.unwrap_or(turn.seen));
        if let Some(mut frame) = self.frame.take() {
            let (have, want) = (frame.captured(self.frame_start, self.position), frame.header.payload_len);
            let detail = Detail::Numbers("after # of # bytes of payload", have, want);
            frame.add_violation(turn.seen, (FindingCode::TruncatedFrame, detail));
            growth |= self.frame_over(frame, false, conversation, turn);
        } else if let Some(frame) = OpenFrame::partial(&self.decoder, turn.seen) {
            growth |= self.frame_over(frame, false, conversation, turn);
        }
        growth |= self.drop_message(conversation, turn);
        growth | self.compression.release(&mut turn.shared.pool)
    }

    /// What this direction sent, counted.
    pub(super) fn into_traffic(self) -> Traffic {
        self.counts.traffic
    }

    /// A frame begins.
    fn header<S: Sink>(
        &mut self,
        header: FrameHeader,
        conversation: &mut Conversation,
        turn: &mut Turn<'_, S>,
    ) -> Growth {
        self.position += u64::from(header.header_len);
        let context = HeaderContext {
            direction: self.direction,
            deflate: self.compression.is_negotiated(),
            unknown_extension: self.unknown_extension,
            message_open: self.message.is_some(),
            close_sent: self.close_sent,
        };
        let is_control = header.opcode.is_control();
        let keep = if is_control {
            conversation.frame_keep.max(conversation.content_keep).max(CONTROL_KEEP)
        } else {
            conversation.frame_keep
        };
        let kept = if keep > 0 { turn.shared.buffers.lend() } else { Vec::new() };
        let mut frame = OpenFrame::new(header, kept, keep);
        let lost_beginning = self.unknown_message && header.opcode == Opcode::CONTINUATION;
        rules::check_header(&header, &context, |violation| {
            if !(lost_beginning && violation.0 == FindingCode::UnexpectedContinuation) {
                frame.add_violation(turn.seen, violation);
            }
        });
        self.masked = Some(header.masking_key.is_some());
        self.unknown_message &= is_control || (lost_beginning && !header.fin);
        let mut growth = Growth::NONE;
        match header.opcode {
            Opcode::TEXT | Opcode::BINARY => {
                growth |= self.drop_message(conversation, turn);
                growth |= self.begin_message(&header, conversation.content_keep, turn.shared);
                frame.kind = FrameKind::Data;
            }
            Opcode::CONTINUATION if self.message.is_some() => frame.kind = FrameKind::Data,
            _ if is_control && !header.opcode.is_reserved() => {}
            _ => frame.kind = FrameKind::Stray,
        }
        if let (FrameKind::Data, Some(message)) = (frame.kind, &mut self.message) {
            frame.fragment = message.frames;
            message.frames += 1;
        }
        self.frame = Some(frame);
        growth
    }

    /// A message begins, of which at most `keep` bytes are kept.
    fn begin_message(&mut self, header: &FrameHeader, keep: usize, shared: &mut Shared) -> Growth {
        let (compressed, growth) = self.compression.begin_message(header, self.direction, &mut shared.pool);
        let content = if keep > 0 { shared.buffers.lend() } else { Vec::new() };
        let form = if compressed {
            PayloadEncoding::Deflated
        } else if self.unknown_extension && (header.rsv1 || header.rsv2 || header.rsv3) {
            PayloadEncoding::Unknown
        } else {
            PayloadEncoding::Plain
        };
        self.message = Some(OpenMessage::begin(header, form, self.frame_first, content, keep));
        growth
    }

    /// Bytes of payload, masked as on the wire; `at` is their place in it.
    fn payload(&mut self, payload: &[u8], at: u64, seen: PacketRef, shared: &mut Shared) {
        self.position += payload.len() as u64;
        let Some(frame) = &mut self.frame else { return };
        let message = if frame.kind == FrameKind::Data { self.message.as_mut() } else { None };
        let kept_wanted = frame.kept.len() < frame.keep;
        let wanted = message.as_ref().is_some_and(|message| message.wants_payload());
        if !kept_wanted && !wanted {
            if let Some(message) = message {
                message.skip(payload.len() as u64);
            }
            return;
        }
        let keeps = kept_wanted || message.as_ref().is_some_and(|message| message.keeps_content());
        let mut quota = if keeps { shared.quota() } else { MemoryQuota::default() };
        let mut scratch = core::mem::take(&mut shared.scratch);
        let plain = match frame.header.masking_key {
            None => payload,
            Some(key) => {
                scratch.clear();
                mask::unmask_into(&mut scratch, payload, key, at);
                scratch.as_slice()
            }
        };
        if kept_wanted {
            quota.append(&mut frame.kept, plain, frame.keep);
            if quota.refused() > 0 {
                frame.keep = frame.kept.len();
            }
        }
        if let Some(message) = message {
            let (inflater, quota) = (self.compression.inflater(), &mut quota);
            let mut tools = MessageResources { inflater, pool: &mut shared.pool, limits: &shared.limits, quota };
            message.push(plain, &mut tools, &mut |violation| frame.add_violation(seen, violation));
        }
        shared.scratch = scratch;
        if quota.taken() > 0 || quota.refused() > 0 {
            shared.spend(&quota);
        }
    }

    /// Bytes of payload that the capture lacks.
    fn missing(&mut self, len: u64, shared: &mut Shared) {
        self.position = self.position.saturating_add(len);
        let Some(frame) = &mut self.frame else { return };
        frame.missing = frame.missing.saturating_add(len);
        if let (FrameKind::Data, Some(message)) = (frame.kind, &mut self.message) {
            let (inflater, quota) = (self.compression.inflater(), &mut MemoryQuota::default());
            let mut tools = MessageResources { inflater, pool: &mut shared.pool, limits: &shared.limits, quota };
            message.missing(len, &mut tools);
        }
    }

    /// A frame is complete.
    fn end_frame<S: Sink>(&mut self, conversation: &mut Conversation, turn: &mut Turn<'_, S>) -> Growth {
        let Some(mut frame) = self.frame.take() else { return Growth::NONE };
        let seen = turn.seen;
        if frame.header.opcode == Opcode::CLOSE && frame.missing == 0 {
            let OpenFrame { kept, findings, violations, .. } = &mut frame;
            rules::check_close(kept, |found| {
                findings.insert(found.0);
                violations.push((seen, found));
            });
        }
        if let (FrameKind::Data, true, Some(message)) = (frame.kind, frame.header.fin, &mut self.message) {
            let shared = &mut *turn.shared;
            let (inflater, quota) = (self.compression.inflater(), &mut MemoryQuota::default());
            let mut tools = MessageResources { inflater, pool: &mut shared.pool, limits: &shared.limits, quota };
            message.end(&mut tools, &mut |violation| frame.add_violation(seen, violation));
        }
        self.frame_over(frame, true, conversation, turn)
    }

    /// Counts a frame of which nothing more will come, hands it to the conversation, and the message that it ends.
    fn frame_over<S: Sink>(
        &mut self,
        frame: OpenFrame,
        complete: bool,
        conversation: &mut Conversation,
        turn: &mut Turn<'_, S>,
    ) -> Growth {
        let (opcode, payload_len) = (frame.header.opcode, frame.header.payload_len);
        let captured = frame.captured(self.frame_start, self.position);
        self.counts.frame(opcode, frame.header_captured, captured + frame.missing);
        if frame.kind == FrameKind::Control {
            self.close_sent |= complete && opcode == Opcode::CLOSE;
            self.counts.control_message(opcode, payload_len, complete && frame.missing == 0);
        }
        if let (FrameKind::Data, Some(open)) = (frame.kind, &mut self.message) {
            open.findings.extend(frame.findings);
        }
        let parts = FrameParts {
            direction: self.direction,
            header: frame.header,
            header_captured: frame.header_captured,
            kind: frame.kind,
            fragment: frame.fragment,
            first: self.frame_first,
            stream_offset: self.frame_start,
            payload: &frame.kept,
            missing: frame.missing,
            complete,
            findings: frame.findings,
            violations: &frame.violations,
        };
        let (message, mut growth) = conversation.frame(parts, turn);
        if let Some(number) = message {
            growth |= self.message_over(number, true, conversation, turn);
        }
        turn.shared.buffers.give_back(frame.kept);
        growth
    }

    /// Counts the open message, of which nothing more will come, and hands it to the conversation.
    fn message_over<S: Sink>(
        &mut self,
        number: u64,
        ended: bool,
        conversation: &mut Conversation,
        turn: &mut Turn<'_, S>,
    ) -> Growth {
        let Some(open) = self.message.take() else { return Growth::NONE };
        let (opcode, compressed, first, findings) = (open.opcode, open.compressed, open.first, open.findings);
        let (frames, wire_len) = (open.frames, open.wire_len);
        let FinishedMessage { len, content, content_whole, has_gaps, utf8 } = open.finish();
        let complete = ended && !has_gaps;
        let message_len = MessageLen { len: len.unwrap_or(0), complete };
        if compressed {
            self.counts.compressed_message(wire_len, &message_len);
        }
        let growth = self.counts.data_message(opcode, &message_len, turn.seen);
        let parts = MessageParts {
            direction: self.direction,
            number,
            opcode,
            compressed,
            frames,
            wire_len,
            len,
            content: &content,
            content_whole,
            complete,
            utf8,
            first,
            close: None,
            ping_rtt_us: None,
            findings,
        };
        let growth = growth | conversation.message(parts, turn);
        turn.shared.buffers.give_back(content);
        growth
    }

    /// Emits a message that will never be complete, if one is open.
    fn drop_message<S: Sink>(&mut self, conversation: &mut Conversation, turn: &mut Turn<'_, S>) -> Growth {
        let Some(message) = &self.message else { return Growth::NONE };
        if message.compressed {
            self.compression.lose_context(&mut turn.shared.pool);
        }
        let number = conversation.next_message();
        self.message_over(number, false, conversation, turn)
    }

    /// Records a finding that belongs to no frame.
    fn record<S: Sink>(
        &self,
        code: FindingCode,
        detail: Detail,
        conversation: &mut Conversation,
        turn: &mut Turn<'_, S>,
    ) -> Growth {
        conversation.record(((code, detail), Some(self.direction), turn.seen), turn)
    }
}

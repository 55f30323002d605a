//! One direction of a WebSocket: bytes → frames → messages, told as events.
//!
//! The machines are the websocket floor's; this file hands bytes from one to the next. What they say is counted, numbered
//! and told in `state/tell.rs`.

mod emit;
mod lost;
mod memory;
mod whole_message;

use super::shared::{Out, Shared};
use super::websocket::Conversation;
use crate::event::{Sink, Traffic};
use crate::types::{Detail, Direction, FindingCode, FindingSet, MemoryQuota, PacketRef, Timestamp};
use crate::websocket::inflate::Inflater;
use crate::websocket::message::{MessageResources, OpenMessage, PayloadEncoding};
use crate::websocket::rules::{self, HeaderContext, Violation};
use crate::websocket::{Deflate, FrameDecoder, FrameEvent, FrameHeader, Negotiated, Opcode, mask};
use lost::Lost;

/// Bytes that are kept of a control frame's payload. One that is allowed has at most 125 (RFC 6455 §5.5); more are kept so
/// that a reason that is too long can be read.
const CONTROL_KEEP: usize = 4096;

/// One direction.
pub(super) struct DirectionState {
    direction: Direction,
    deflate: Option<Deflate>,
    /// Reserved bits may have a meaning, and payload another form, that nobody knows here.
    unknown_extension: bool,
    decoder: FrameDecoder,
    /// Where the next byte stands, from the first byte behind the handshake.
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
    inflater: Option<Box<Inflater>>,
    /// Compressed bytes were lost before there was an inflater.
    context_lost: bool,
    close_sent: bool,
    last_data_message: Option<Timestamp>,
    /// What was counted.
    pub(super) traffic: Traffic,
}

/// A frame whose header is known and whose end has not come.
struct OpenFrame {
    header: FrameHeader,
    header_captured: u8,
    kind: Kind,
    fragment: u64,
    missing: u64,
    kept: Vec<u8>,
    keep: usize,
    findings: FindingSet,
    broken: Vec<(PacketRef, Violation)>,
}

/// Where a frame belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Close, Ping, Pong: a message of its own.
    Control,
    /// The open message.
    Data,
    /// None: a reserved opcode, or a continuation of nothing.
    Stray,
}

impl OpenFrame {
    /// Remembers what was found until the frame has a number.
    fn broke(&mut self, seen: PacketRef, broken: Violation) {
        self.findings.insert(broken.0);
        self.broken.push((seen, broken));
    }
}

impl DirectionState {
    pub(super) fn new(direction: Direction, negotiated: Negotiated) -> Self {
        Self {
            direction,
            deflate: negotiated.deflate,
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
            inflater: None,
            context_lost: false,
            close_sent: false,
            last_data_message: None,
            traffic: Traffic::default(),
        }
    }

    /// Takes bytes of one packet.
    pub(super) fn data<S: Sink>(
        &mut self,
        mut input: &[u8],
        seen: PacketRef,
        conversation: &mut Conversation,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        while let Some(lost) = &mut self.lost {
            let left = lost.resync.push(input, seen);
            input = input.len().checked_sub(left).and_then(|taken| input.get(taken..)).unwrap_or_default();
            if !self.resynchronize(false, seen, conversation, out)? && input.is_empty() {
                return Ok(());
            }
        }
        self.frames(input, seen, conversation, out)
    }

    /// Takes bytes of one packet, in step.
    fn frames<S: Sink>(
        &mut self,
        mut input: &[u8],
        seen: PacketRef,
        conversation: &mut Conversation,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        self.last_seen = Some(seen);
        loop {
            if self.decoder.at_boundary() {
                if self.whole_message(&mut input, seen, conversation, out)? {
                    continue;
                }
                self.frame_first = seen;
                self.frame_start = self.position;
            }
            let Some(step) = self.decoder.next(&mut input) else { return Ok(()) };
            match step {
                FrameEvent::Header(header) => self.header(header, seen, conversation, out)?,
                FrameEvent::Payload(payload, at) => self.payload(payload, at, seen, out.shared),
                FrameEvent::End => self.end_frame(seen, conversation, out)?,
                FrameEvent::Missing(_) | FrameEvent::Lost(_) => {}
            }
        }
    }

    /// Takes a hole.
    pub(super) fn gap<S: Sink>(
        &mut self,
        hole: Option<u64>,
        seen: PacketRef,
        conversation: &mut Conversation,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        self.traffic.gaps += 1;
        self.traffic.missing_bytes = self.traffic.missing_bytes.saturating_add(hole.unwrap_or(0));
        let unknown = Detail::Fixed("an unknown number of bytes");
        let detail = hole.map_or(unknown, |len| Detail::count("# byte", "# bytes", len));
        match &mut self.frame {
            Some(frame) => frame.broke(seen, (FindingCode::TcpGap, detail)),
            None => self.tell(FindingCode::TcpGap, detail, seen, conversation, out)?,
        }
        let expect = self.expect();
        if let Some(lost) = &mut self.lost {
            lost.resync.gap(hole, &expect);
            return Ok(());
        }
        let mut left = hole;
        while left != Some(0) {
            // A header that was not whole is not counted yet.
            let partial = self.decoder.partial_header().len();
            match self.decoder.gap(&mut left) {
                FrameEvent::Missing(len) => self.missing(len, out.shared),
                FrameEvent::Lost(rest) => {
                    self.position = self.position.saturating_add(partial as u64);
                    return self.lose(rest, seen, conversation, out);
                }
                _ => return Ok(()),
            }
            if let Some(FrameEvent::End) = self.decoder.next(&mut (&[][..])) {
                self.end_frame(seen, conversation, out)?;
            }
        }
        Ok(())
    }

    /// No byte comes any more: what is open is told as far as it came.
    pub(super) fn finish<S: Sink>(
        &mut self,
        seen: PacketRef,
        conversation: &mut Conversation,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        self.resynchronize(true, seen, conversation, out)?;
        let seen = self.last_seen.unwrap_or(seen);
        if let Some(mut frame) = self.frame.take() {
            let (have, want) = (frame_have(self.position, self.frame_start, &frame), frame.header.payload_len);
            frame.broke(
                seen,
                (FindingCode::TruncatedFrame, Detail::Numbers("after # of # bytes of payload", have, want)),
            );
            self.tell_frame(frame, seen, false, conversation, out)?;
        } else if let Some(frame) = self.partial_frame(seen) {
            self.tell_frame(frame, seen, false, conversation, out)?;
        }
        self.drop_message(seen, conversation, out)?;
        if let Some(mut inflater) = self.inflater.take() {
            out.shared.memory.grown = true;
            inflater.release(&mut out.shared.pool);
        }
        Ok(())
    }

    /// The frame whose header the stream ends in, as far as it came.
    fn partial_frame(&self, seen: PacketRef) -> Option<OpenFrame> {
        let captured = self.decoder.partial_header();
        let mut bytes = [0; FrameHeader::MAX_LEN];
        let len = bytes.iter_mut().zip(captured).map(|(to, from)| *to = *from).count();
        let header = FrameHeader::parse(&bytes).filter(|_| len > 0)?;
        let mut frame = OpenFrame {
            header,
            header_captured: u8::try_from(len).unwrap_or(header.header_len),
            kind: Kind::Stray,
            fragment: 0,
            missing: 0,
            kept: Vec::new(),
            keep: 0,
            findings: FindingSet::default(),
            broken: Vec::new(),
        };
        frame.broke(seen, (FindingCode::TruncatedFrame, Detail::Fixed("inside its header")));
        Some(frame)
    }

    /// A frame begins.
    fn header<S: Sink>(
        &mut self,
        header: FrameHeader,
        seen: PacketRef,
        conversation: &mut Conversation,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        self.position += u64::from(header.header_len);
        let context = HeaderContext {
            direction: self.direction,
            deflate: self.deflate.is_some(),
            unknown_extension: self.unknown_extension,
            message_open: self.message.is_some(),
            close_sent: self.close_sent,
        };
        let control = header.opcode.is_control();
        let shared = &mut *out.shared;
        let keep = if control {
            shared.frame_keep().max(shared.content_keep()).max(CONTROL_KEEP)
        } else {
            shared.frame_keep()
        };
        let kept = if keep > 0 { shared.buffers.lend() } else { Vec::new() };
        let mut frame = OpenFrame {
            header,
            header_captured: header.header_len,
            kind: Kind::Control,
            fragment: 0,
            missing: 0,
            kept,
            keep,
            findings: FindingSet::default(),
            broken: Vec::new(),
        };
        let lost_beginning = self.unknown_message && header.opcode == Opcode::CONTINUATION;
        rules::check_header(&header, &context, |broken| {
            if !(lost_beginning && broken.0 == FindingCode::UnexpectedContinuation) {
                frame.broke(seen, broken);
            }
        });
        self.masked = Some(header.masking_key.is_some());
        self.unknown_message &= control || (lost_beginning && !header.fin);
        match header.opcode {
            Opcode::TEXT | Opcode::BINARY => {
                self.drop_message(seen, conversation, out)?;
                self.begin_message(&header, out.shared);
                frame.kind = Kind::Data;
            }
            Opcode::CONTINUATION if self.message.is_some() => frame.kind = Kind::Data,
            _ if header.opcode.is_control() && !header.opcode.is_reserved() => {}
            _ => frame.kind = Kind::Stray,
        }
        if let (Kind::Data, Some(message)) = (frame.kind, &mut self.message) {
            frame.fragment = message.frames;
            message.frames += 1;
        }
        self.frame = Some(frame);
        Ok(())
    }

    /// A message begins: compressed if permessage-deflate was negotiated and this frame has RSV1 (RFC 7692 §6).
    fn begin_message(&mut self, header: &FrameHeader, shared: &mut Shared) {
        let compressed = self.deflate.filter(|_| header.rsv1);
        let keep = shared.content_keep();
        let content = if keep > 0 { shared.buffers.lend() } else { Vec::new() };
        let form = match compressed {
            Some(_) => PayloadEncoding::Deflated,
            None if self.unknown_extension && (header.rsv1 || header.rsv2 || header.rsv3) => PayloadEncoding::Unknown,
            None => PayloadEncoding::Plain,
        };
        self.message = Some(OpenMessage::begin(header, form, self.frame_first, content, keep));
        if let Some(deflate) = compressed {
            shared.memory.grown = true;
            if self.inflater.is_none() {
                let mut inflater = Box::new(Inflater::new(&deflate, self.direction));
                if self.context_lost {
                    inflater.lose_context(&mut shared.pool);
                }
                self.inflater = Some(inflater);
            }
            if let Some(inflater) = &mut self.inflater {
                inflater.begin_message(&mut shared.pool);
            }
        }
    }

    /// Bytes of payload, masked as on the wire; `at` is their place in it.
    fn payload(&mut self, payload: &[u8], at: u64, seen: PacketRef, shared: &mut Shared) {
        self.position += payload.len() as u64;
        let Some(frame) = &mut self.frame else { return };
        let message = if frame.kind == Kind::Data { self.message.as_mut() } else { None };
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
            let (inflater, quota) = (self.inflater.as_deref_mut(), &mut quota);
            let mut tools = MessageResources { inflater, pool: &mut shared.pool, limits: &shared.limits, quota };
            message.push(plain, &mut tools, &mut |broken| frame.broke(seen, broken));
        }
        shared.scratch = scratch;
        if quota.taken() > 0 || quota.refused() > 0 {
            shared.note(&quota);
        }
    }

    /// Bytes of payload that the capture lacks.
    fn missing(&mut self, len: u64, shared: &mut Shared) {
        self.position = self.position.saturating_add(len);
        let Some(frame) = &mut self.frame else { return };
        frame.missing = frame.missing.saturating_add(len);
        if let (Kind::Data, Some(message)) = (frame.kind, &mut self.message) {
            let (inflater, quota) = (self.inflater.as_deref_mut(), &mut MemoryQuota::default());
            let mut tools = MessageResources { inflater, pool: &mut shared.pool, limits: &shared.limits, quota };
            message.missing(len, &mut tools);
        }
    }

    /// A frame is complete.
    fn end_frame<S: Sink>(
        &mut self,
        seen: PacketRef,
        conversation: &mut Conversation,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        let Some(mut frame) = self.frame.take() else { return Ok(()) };
        if frame.header.opcode == Opcode::CLOSE && frame.missing == 0 {
            let OpenFrame { kept, findings, broken, .. } = &mut frame;
            rules::check_close(kept, |found| {
                findings.insert(found.0);
                broken.push((seen, found));
            });
        }
        if let (Kind::Data, true, Some(message)) = (frame.kind, frame.header.fin, &mut self.message) {
            let shared = &mut *out.shared;
            let (inflater, quota) = (self.inflater.as_deref_mut(), &mut MemoryQuota::default());
            let mut tools = MessageResources { inflater, pool: &mut shared.pool, limits: &shared.limits, quota };
            message.end(&mut tools, &mut |broken| frame.broke(seen, broken));
        }
        self.tell_frame(frame, seen, true, conversation, out)
    }

    /// Tells a message that will never be complete, if one is open.
    fn drop_message<S: Sink>(
        &mut self,
        seen: PacketRef,
        conversation: &mut Conversation,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        if self.message.is_none() {
            return Ok(());
        }
        if let (true, Some(inflater)) = (self.message.as_ref().is_some_and(|m| m.compressed), &mut self.inflater) {
            inflater.lose_context(&mut out.shared.pool);
        }
        let number = conversation.next_message();
        self.tell_message(number, false, seen, conversation, out)
    }
}

/// The bytes of payload that were captured.
fn frame_have(position: u64, start: u64, frame: &OpenFrame) -> u64 {
    position.saturating_sub(start).saturating_sub(frame.header.header_len.into()).saturating_sub(frame.missing)
}

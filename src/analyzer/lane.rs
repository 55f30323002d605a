//! One direction of a WebSocket: bytes → frames → messages, told as events.
//!
//! The machines are the websocket floor's; this file hands bytes from one to the next, gives frames and messages their
//! numbers, and counts.

use super::shared::{Out, Shared};
use super::websocket::Common;
use crate::event::{Close, Frame, Message, Sink, Traffic, What};
use crate::ground::{Detail, Direction, Finding, FindingCode, FindingSet, Seen, Timestamp};
use crate::websocket::inflate::Inflater;
use crate::websocket::message::{Finished, OpenMessage, Tools};
use crate::websocket::resync::{Expect, Resync};
use crate::websocket::rules::{self, Broken, Context};
use crate::websocket::{CloseBody, Decoder, Deflate, FrameHeader, Opcode, Step, mask};

/// The longest payload that a control frame may have (RFC 6455 §5.5), and what is kept of one that is longer.
const CONTROL_KEEP: usize = 4096;

/// One direction.
pub(super) struct Lane {
    direction: Direction,
    deflate: Option<Deflate>,
    decoder: Decoder,
    /// Where the next byte stands, from the first byte behind the handshake.
    position: u64,
    /// Where it stood when a boundary was lost.
    lost_at: u64,
    /// Whether the last frame was masked.
    masked: Option<bool>,
    /// The packet that carried the first byte of the frame at hand, and where that byte stands.
    frame_first: Seen,
    frame_start: u64,
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
    kind: Kind,
    fragment: u64,
    missing: u64,
    kept: Vec<u8>,
    keep: usize,
    findings: FindingSet,
    broken: Vec<(Seen, Broken)>,
}

/// A frame boundary is looked for.
struct Lost {
    resync: Resync,
    /// Nobody needs to be told when it is found: the connection's beginning was not captured.
    quiet: bool,
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
    fn broke(&mut self, seen: Seen, broken: Broken) {
        self.findings.insert(broken.0);
        self.broken.push((seen, broken));
    }
}

impl Lane {
    pub(super) fn new(direction: Direction, deflate: Option<Deflate>) -> Self {
        Self {
            direction,
            deflate,
            decoder: Decoder::new(),
            position: 0,
            lost_at: 0,
            masked: None,
            frame_first: Seen::default(),
            frame_start: 0,
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

    /// Whether no byte of a frame has come yet.
    pub(super) const fn untouched(&self) -> bool {
        self.position == 0
    }

    /// Begins where no boundary is known: after a head that was cut off, or in the middle of a connection. `resync` has
    /// gathered what came so far.
    pub(super) fn begin_lost(&mut self, resync: Resync) {
        self.decoder.gap(&mut None);
        self.unknown_message = true;
        self.context_lost = true;
        self.lost = Some(Box::new(Lost { resync, quiet: true }));
    }

    /// Whether a boundary is being looked for.
    pub(super) const fn is_lost(&self) -> bool {
        self.lost.is_some()
    }

    /// Takes bytes of one packet.
    pub(super) fn data<S: Sink>(
        &mut self,
        mut input: &[u8],
        seen: Seen,
        common: &mut Common,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        while let Some(lost) = &mut self.lost {
            let left = lost.resync.push(input, seen);
            input = input.len().checked_sub(left).and_then(|taken| input.get(taken..)).unwrap_or_default();
            if !self.resynchronize(false, seen, common, out)? && input.is_empty() {
                return Ok(());
            }
        }
        self.frames(input, seen, common, out)
    }

    /// Looks for the boundary that was lost; goes on behind it, if it is there.
    pub(super) fn resynchronize<S: Sink>(
        &mut self,
        now: bool,
        seen: Seen,
        common: &mut Common,
        out: &mut Out<'_, S>,
    ) -> Result<bool, S::Error> {
        let expect = self.expect();
        let Some(found) = self.lost.as_mut().and_then(|lost| lost.resync.find(&expect, now)) else { return Ok(false) };
        let Some(lost) = self.lost.take() else { return Ok(false) };
        self.decoder = Decoder::new();
        self.position = self.lost_at.saturating_add(found.passed);
        self.traffic.passed_bytes = self.traffic.passed_bytes.saturating_add(found.passed);
        if !lost.quiet {
            let ppm = found.confidence_ppm();
            let detail =
                format!("{} bytes passed over, confidence {}.{:04} %", found.passed, ppm / 10_000, ppm % 10_000);
            self.tell(FindingCode::Resynchronized, Detail::text(detail), seen, common, out)?;
        }
        for (piece, seen) in lost.resync.pieces(&found) {
            self.frames(piece, seen, common, out)?;
        }
        Ok(true)
    }

    /// What this sender's frames look like.
    fn expect(&self) -> Expect {
        let masked = self.masked.unwrap_or(self.direction == Direction::ToServer);
        Expect { masked, deflate: self.deflate.is_some() }
    }

    /// Takes bytes of one packet, in step.
    fn frames<S: Sink>(
        &mut self,
        mut input: &[u8],
        seen: Seen,
        common: &mut Common,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        loop {
            if self.decoder.at_boundary() {
                self.frame_first = seen;
                self.frame_start = self.position;
            }
            let Some(step) = self.decoder.next(&mut input) else { return Ok(()) };
            match step {
                Step::Header(header) => self.header(header, seen, common, out)?,
                Step::Payload(payload, at) => self.payload(payload, at, seen, out.shared),
                Step::End => self.end_frame(seen, common, out)?,
                Step::Missing(_) | Step::Lost(_) => {}
            }
        }
    }

    /// Takes a hole.
    pub(super) fn gap<S: Sink>(
        &mut self,
        hole: Option<u64>,
        seen: Seen,
        common: &mut Common,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        self.traffic.gaps += 1;
        self.traffic.missing_bytes = self.traffic.missing_bytes.saturating_add(hole.unwrap_or(0));
        let detail = hole.map_or(Detail::Fixed("an unknown number of bytes"), |len| Detail::Number("bytes:", len));
        match &mut self.frame {
            Some(frame) => frame.broke(seen, (FindingCode::TcpGap, detail)),
            None => self.tell(FindingCode::TcpGap, detail, seen, common, out)?,
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
                Step::Missing(len) => self.missing(len, out.shared),
                Step::Lost(rest) => {
                    self.position = self.position.saturating_add(partial as u64);
                    return self.lose(rest, seen, common, out);
                }
                _ => return Ok(()),
            }
            if let Some(Step::End) = self.decoder.next(&mut (&[][..])) {
                self.end_frame(seen, common, out)?;
            }
        }
        Ok(())
    }

    /// No byte comes any more: what is open is told as far as it came.
    pub(super) fn finish<S: Sink>(
        &mut self,
        seen: Seen,
        common: &mut Common,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        self.resynchronize(true, seen, common, out)?;
        if let Some(mut frame) = self.frame.take() {
            let (have, want) = (frame_have(self.position, self.frame_start, &frame), frame.header.payload_len);
            frame.broke(seen, (FindingCode::TruncatedFrame, Detail::Numbers("bytes of payload", have, "of", want)));
            self.tell_frame(frame, seen, false, common, out)?;
        } else if !self.decoder.partial_header().is_empty() {
            self.tell(FindingCode::TruncatedFrame, Detail::Fixed("inside its header"), seen, common, out)?;
        }
        self.drop_message(seen, common, out)?;
        if let Some(mut inflater) = self.inflater.take() {
            inflater.release(&mut out.shared.pool);
        }
        Ok(())
    }

    /// A frame begins.
    fn header<S: Sink>(
        &mut self,
        header: FrameHeader,
        seen: Seen,
        common: &mut Common,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        self.position += u64::from(header.header_len);
        let context = Context {
            direction: self.direction,
            deflate: self.deflate.is_some(),
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
            kind: Kind::Control,
            fragment: 0,
            missing: 0,
            kept,
            keep,
            findings: FindingSet::default(),
            broken: Vec::new(),
        };
        let lost_beginning = self.unknown_message && header.opcode == Opcode::CONTINUATION;
        rules::judge_header(&header, &context, |broken| {
            if !(lost_beginning && broken.0 == FindingCode::UnexpectedContinuation) {
                frame.broke(seen, broken);
            }
        });
        self.masked = Some(header.masking_key.is_some());
        self.unknown_message &= control || (lost_beginning && !header.fin);
        match header.opcode {
            Opcode::TEXT | Opcode::BINARY => {
                self.drop_message(seen, common, out)?;
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
        self.message = Some(OpenMessage::begin(header, compressed.is_some(), self.frame_first, content, keep));
        if let Some(deflate) = compressed {
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
    fn payload(&mut self, payload: &[u8], at: u64, seen: Seen, shared: &mut Shared) {
        self.position += payload.len() as u64;
        let Some(frame) = &mut self.frame else { return };
        let message = if frame.kind == Kind::Data { self.message.as_mut() } else { None };
        let kept_wanted = frame.kept.len() < frame.keep;
        let wanted = message.as_ref().is_some_and(|message| message.wants_payload());
        if !kept_wanted && !wanted {
            if let Some(message) = message {
                message.pass(payload.len() as u64);
            }
            return;
        }
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
            let room = frame.keep - frame.kept.len();
            frame.kept.extend_from_slice(plain.get(..room).unwrap_or(plain));
        }
        if let Some(message) = message {
            let mut tools =
                Tools { inflater: self.inflater.as_deref_mut(), pool: &mut shared.pool, limits: &shared.limits };
            message.push(plain, &mut tools, &mut |broken| frame.broke(seen, broken));
        }
        shared.scratch = scratch;
    }

    /// Bytes of payload that the capture lacks.
    fn missing(&mut self, len: u64, shared: &mut Shared) {
        self.position = self.position.saturating_add(len);
        let Some(frame) = &mut self.frame else { return };
        frame.missing = frame.missing.saturating_add(len);
        if let (Kind::Data, Some(message)) = (frame.kind, &mut self.message) {
            let mut tools =
                Tools { inflater: self.inflater.as_deref_mut(), pool: &mut shared.pool, limits: &shared.limits };
            message.missing(len, &mut tools);
        }
    }

    /// A hole took the boundary: nothing is known of what was open. `rest` of the hole lies behind the last boundary.
    fn lose<S: Sink>(
        &mut self,
        rest: Option<u64>,
        seen: Seen,
        common: &mut Common,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        if let Some(frame) = self.frame.take() {
            self.tell_frame(frame, seen, false, common, out)?;
        }
        self.context_lost = true;
        if let Some(inflater) = &mut self.inflater {
            inflater.lose_context(&mut out.shared.pool);
        }
        self.drop_message(seen, common, out)?;
        let mut resync = Resync::new(out.shared.limits.max_resync_bytes);
        resync.gap(rest, &self.expect());
        self.lost_at = self.position;
        self.unknown_message = true;
        self.lost = Some(Box::new(Lost { resync, quiet: false }));
        Ok(())
    }

    /// A frame is complete.
    fn end_frame<S: Sink>(&mut self, seen: Seen, common: &mut Common, out: &mut Out<'_, S>) -> Result<(), S::Error> {
        let Some(mut frame) = self.frame.take() else { return Ok(()) };
        if frame.header.opcode == Opcode::CLOSE && frame.missing == 0 {
            let OpenFrame { kept, findings, broken, .. } = &mut frame;
            rules::judge_close(kept, |found| {
                findings.insert(found.0);
                broken.push((seen, found));
            });
        }
        if let (Kind::Data, true, Some(message)) = (frame.kind, frame.header.fin, &mut self.message) {
            let shared = &mut *out.shared;
            let mut tools =
                Tools { inflater: self.inflater.as_deref_mut(), pool: &mut shared.pool, limits: &shared.limits };
            message.end(&mut tools, &mut |broken| frame.broke(seen, broken));
        }
        self.tell_frame(frame, seen, true, common, out)
    }

    /// Gives the frame its number, counts it, and tells its findings, itself, and the message that it ends.
    fn tell_frame<S: Sink>(
        &mut self,
        mut frame: OpenFrame,
        seen: Seen,
        complete: bool,
        common: &mut Common,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        let header = frame.header;
        let number = common.next_frame();
        let is_last = frame.kind == Kind::Control || (frame.kind == Kind::Data && header.fin && complete);
        let message = is_last.then(|| common.next_message());
        let direction = self.direction;
        let rtt = if frame.kind == Kind::Control && complete {
            self.control(&mut frame, seen, number, message.unwrap_or_default(), common, out)?
        } else {
            None
        };
        self.count_frame(&frame);
        if let (Kind::Data, Some(open)) = (frame.kind, &mut self.message) {
            open.findings.extend(frame.findings);
        }
        let in_message = frame.kind != Kind::Stray;
        for (seen, (code, detail)) in frame.broken.drain(..) {
            let finding =
                Finding { code, seen, direction: Some(direction), frame: Some(number), message, in_message, detail };
            common.ledger.note(finding, &common.identity, out)?;
        }
        let body = CloseBody::parse(&frame.kept);
        let close = (header.opcode == Opcode::CLOSE)
            .then_some(Close { code: body.code.map(|code| code.0), reason: body.reason });
        let event = Frame {
            number,
            header,
            message,
            in_message,
            fragment: frame.fragment,
            first: self.frame_first,
            last: seen,
            stream_offset: self.frame_start,
            payload: &frame.kept,
            missing: frame.missing,
            complete,
            close,
            ping_rtt_us: rtt,
            findings: frame.findings,
        };
        out.say(&common.identity, seen, Some(direction), What::Frame(&event))?;
        if let Some(message) = message {
            if frame.kind == Kind::Control {
                self.tell_control(&event, message, common, out)?;
            } else {
                self.tell_message(message, true, seen, common, out)?;
            }
        }
        out.shared.buffers.give_back(frame.kept);
        Ok(())
    }

    /// A whole control frame: remembers a Close, matches Pings and Pongs. Gives the round trip that a Pong ends.
    fn control<S: Sink>(
        &mut self,
        frame: &mut OpenFrame,
        seen: Seen,
        number: u64,
        message: u64,
        common: &mut Common,
        out: &mut Out<'_, S>,
    ) -> Result<Option<u64>, S::Error> {
        match frame.header.opcode {
            Opcode::CLOSE => {
                self.close_sent = true;
                common.closed(self.direction, CloseBody::parse(&frame.kept), seen);
                Ok(None)
            }
            Opcode::PING => {
                let max = out.shared.limits.max_pings;
                let too_old = common.pings.get_mut(self.direction).sent(&frame.kept, seen, number, message, max);
                too_old.map_or(Ok(()), |ping| common.unanswered(ping, self.direction, out)).map(|()| None)
            }
            _ => {
                let ping = common.pings.get_mut(self.direction.reverse()).answered(&frame.kept);
                let rtt = ping.map(|ping| seen.at.micros_since(ping.seen.at));
                match rtt {
                    Some(rtt) => common.ping_rtts_us.add(rtt),
                    None => frame.broke(seen, (FindingCode::UnsolicitedPong, Detail::None)),
                }
                Ok(rtt)
            }
        }
    }

    /// Counts a frame.
    fn count_frame(&mut self, frame: &OpenFrame) {
        let header = &frame.header;
        if let Some(count) = self.traffic.frames.get_mut(usize::from(header.opcode.bits())) {
            *count += 1;
        }
        self.traffic.header_bytes += u64::from(header.header_len);
        self.traffic.wire_bytes =
            self.traffic.wire_bytes.saturating_add(frame_have(self.position, self.frame_start, frame) + frame.missing);
    }

    /// Tells a control frame as the message that it is.
    fn tell_control<S: Sink>(
        &mut self,
        frame: &Frame<'_>,
        number: u64,
        common: &Common,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        let header = frame.header;
        let kept = u64::try_from(frame.payload.len()).unwrap_or(u64::MAX);
        if let Some(count) = self.traffic.messages.get_mut(usize::from(header.opcode.bits())) {
            *count += 1;
        }
        self.traffic.bytes = self.traffic.bytes.saturating_add(header.payload_len);
        let complete = frame.complete && frame.missing == 0;
        self.traffic.incomplete_messages += u64::from(!complete);
        let text = if header.opcode == Opcode::CLOSE { CloseBody::parse(frame.payload).reason } else { frame.payload };
        let message = Message {
            number,
            opcode: header.opcode,
            compressed: false,
            frames: 1,
            wire_len: header.payload_len,
            len: Some(header.payload_len),
            content: frame.payload,
            content_whole: kept == header.payload_len,
            complete,
            utf8: core::str::from_utf8(text).is_ok(),
            first: frame.first,
            last: frame.last,
            close: frame.close,
            ping_rtt_us: frame.ping_rtt_us,
            findings: frame.findings,
        };
        out.say(&common.identity, frame.last, Some(self.direction), What::Message(&message))
    }

    /// Tells the open message, of which nothing more will come.
    fn tell_message<S: Sink>(
        &mut self,
        number: u64,
        ended: bool,
        seen: Seen,
        common: &Common,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        let Some(open) = self.message.take() else { return Ok(()) };
        let (opcode, compressed, first, findings) = (open.opcode, open.compressed, open.first, open.findings);
        let (frames, wire_len) = (open.frames, open.wire_len);
        let Finished { len, content, content_whole, holed, utf8 } = open.finish();
        let complete = ended && !holed;
        let traffic = &mut self.traffic;
        if let Some(count) = traffic.messages.get_mut(usize::from(opcode.bits())) {
            *count += 1;
        }
        let plain_len = len.unwrap_or(0);
        traffic.bytes = traffic.bytes.saturating_add(plain_len);
        traffic.incomplete_messages += u64::from(!complete);
        if compressed {
            traffic.compressed_messages += 1;
            if complete {
                traffic.compressed_wire_bytes = traffic.compressed_wire_bytes.saturating_add(wire_len);
                traffic.compressed_bytes = traffic.compressed_bytes.saturating_add(plain_len);
            }
        }
        if complete {
            traffic.message_len.add(plain_len);
        }
        if let Some(before) = self.last_data_message.replace(seen.at) {
            traffic.message_gap_us.add(seen.at.micros_since(before));
        }
        let message = Message {
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
            last: seen,
            close: None,
            ping_rtt_us: None,
            findings,
        };
        out.say(&common.identity, seen, Some(self.direction), What::Message(&message))?;
        out.shared.buffers.give_back(content);
        Ok(())
    }

    /// Tells a message that will never be complete, if one is open.
    fn drop_message<S: Sink>(&mut self, seen: Seen, common: &mut Common, out: &mut Out<'_, S>) -> Result<(), S::Error> {
        if self.message.is_none() {
            return Ok(());
        }
        if let (true, Some(inflater)) = (self.message.as_ref().is_some_and(|m| m.compressed), &mut self.inflater) {
            inflater.lose_context(&mut out.shared.pool);
        }
        let number = common.next_message();
        self.tell_message(number, false, seen, common, out)
    }

    /// Tells a finding that belongs to no frame.
    fn tell<S: Sink>(
        &self,
        code: FindingCode,
        detail: Detail,
        seen: Seen,
        common: &mut Common,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        let direction = Some(self.direction);
        let finding = Finding { code, seen, direction, frame: None, message: None, in_message: false, detail };
        common.ledger.note(finding, &common.identity, out)
    }
}

/// The bytes of payload that were captured.
fn frame_have(position: u64, start: u64, frame: &OpenFrame) -> u64 {
    position.saturating_sub(start).saturating_sub(frame.header.header_len.into()).saturating_sub(frame.missing)
}

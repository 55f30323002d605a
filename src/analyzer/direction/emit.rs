//! What a state tells: frames, messages and findings, each with its number, and counted.

use super::{DirectionState, Kind, OpenFrame, frame_have};
use crate::analyzer::shared::{Out, Shared};
use crate::analyzer::websocket::Conversation;
use crate::event::{Close, Frame, Message, Sink, What};
use crate::types::{Detail, Finding, FindingCode, PacketRef};
use crate::websocket::message::FinishedMessage;
use crate::websocket::{CloseBody, Opcode};

impl DirectionState {
    /// Gives the frame its number, counts it, and tells its findings, itself, and the message that it ends.
    pub(super) fn tell_frame<S: Sink>(
        &mut self,
        mut frame: OpenFrame,
        seen: PacketRef,
        complete: bool,
        conversation: &mut Conversation,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        let header = frame.header;
        let number = conversation.next_frame();
        let is_last = frame.kind == Kind::Control || (frame.kind == Kind::Data && header.fin && complete);
        let message = is_last.then(|| conversation.next_message());
        let direction = self.direction;
        let rtt = if frame.kind == Kind::Control && complete {
            self.control(&mut frame, seen, number, message.unwrap_or_default(), conversation, out)?
        } else {
            None
        };
        let have = frame_have(self.position, self.frame_start, &frame);
        self.count_frame(header.opcode, frame.header_captured, have + frame.missing);
        if let (Kind::Data, Some(open)) = (frame.kind, &mut self.message) {
            open.findings.extend(frame.findings);
        }
        let in_message = frame.kind != Kind::Stray;
        for (seen, (code, detail)) in frame.broken.drain(..) {
            let finding =
                Finding { code, seen, direction: Some(direction), frame: Some(number), message, in_message, detail };
            conversation.findings.record(finding, &conversation.identity, out)?;
        }
        let body = CloseBody::parse(&frame.kept);
        let close = (header.opcode == Opcode::CLOSE)
            .then_some(Close { code: body.code.map(|code| code.0), reason: body.reason });
        let event = Frame {
            number,
            header,
            header_captured: frame.header_captured,
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
        out.say(&conversation.identity, seen, Some(direction), What::Frame(&event))?;
        if let Some(message) = message {
            if frame.kind == Kind::Control {
                self.tell_control(&event, message, conversation, out)?;
            } else {
                self.tell_message(message, true, seen, conversation, out)?;
            }
        }
        out.shared.buffers.give_back(frame.kept);
        Ok(())
    }

    /// A whole control frame: remembers a Close, matches Pings and Pongs. Gives the round trip that a Pong ends.
    fn control<S: Sink>(
        &mut self,
        frame: &mut OpenFrame,
        seen: PacketRef,
        number: u64,
        message: u64,
        conversation: &mut Conversation,
        out: &mut Out<'_, S>,
    ) -> Result<Option<u64>, S::Error> {
        // Pings, round trips and reasons are kept.
        out.shared.memory.grown = true;
        match frame.header.opcode {
            Opcode::CLOSE => {
                self.close_sent = true;
                conversation.closed(self.direction, CloseBody::parse(&frame.kept), seen);
                Ok(None)
            }
            Opcode::PING => {
                let max = out.shared.limits.max_pings;
                let too_old = conversation.pings.get_mut(self.direction).sent(&frame.kept, seen, number, message, max);
                too_old.map_or(Ok(()), |ping| conversation.unanswered(ping, self.direction, out)).map(|()| None)
            }
            _ => {
                let ping = conversation.pings.get_mut(self.direction.reverse()).answered(&frame.kept);
                let rtt = ping.map(|ping| seen.at.micros_since(ping.seen.at));
                match rtt {
                    Some(rtt) => _ = conversation.ping_rtts_us.add(rtt),
                    None => frame.broke(seen, (FindingCode::UnsolicitedPong, Detail::None)),
                }
                Ok(rtt)
            }
        }
    }

    /// Tells a control frame as the message that it is.
    fn tell_control<S: Sink>(
        &mut self,
        frame: &Frame<'_>,
        number: u64,
        conversation: &Conversation,
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
            summary: None,
            findings: frame.findings,
        };
        out.say(&conversation.identity, frame.last, Some(self.direction), What::Message(&message))
    }

    /// Tells the open message, of which nothing more will come.
    pub(super) fn tell_message<S: Sink>(
        &mut self,
        number: u64,
        ended: bool,
        seen: PacketRef,
        conversation: &Conversation,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        let Some(open) = self.message.take() else { return Ok(()) };
        let (opcode, compressed, first, findings) = (open.opcode, open.compressed, open.first, open.findings);
        let (frames, wire_len) = (open.frames, open.wire_len);
        let FinishedMessage { len, content, content_whole, holed, utf8 } = open.finish();
        let complete = ended && !holed;
        let plain_len = len.unwrap_or(0);
        if compressed {
            self.count_compressed(wire_len, plain_len, complete);
        }
        self.count_message(opcode, plain_len, complete, seen, out.shared);
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
            summary: None,
            findings,
        };
        out.say(&conversation.identity, seen, Some(self.direction), What::Message(&message))?;
        out.shared.buffers.give_back(content);
        Ok(())
    }

    /// Counts a frame, with as much of its header and of its payload as there was.
    #[inline]
    pub(super) fn count_frame(&mut self, opcode: Opcode, header_len: u8, payload_len: u64) {
        if let Some(count) = self.traffic.frames.get_mut(usize::from(opcode.bits())) {
            *count += 1;
        }
        self.traffic.header_bytes += u64::from(header_len);
        self.traffic.wire_bytes = self.traffic.wire_bytes.saturating_add(payload_len);
    }

    /// Counts what is special to a compressed message.
    fn count_compressed(&mut self, wire_len: u64, len: u64, complete: bool) {
        let traffic = &mut self.traffic;
        traffic.compressed_messages += 1;
        if complete {
            traffic.compressed_wire_bytes = traffic.compressed_wire_bytes.saturating_add(wire_len);
            traffic.compressed_bytes = traffic.compressed_bytes.saturating_add(len);
        }
    }

    /// Counts a data message.
    #[inline]
    pub(super) fn count_message(
        &mut self,
        opcode: Opcode,
        len: u64,
        complete: bool,
        seen: PacketRef,
        shared: &mut Shared,
    ) {
        let traffic = &mut self.traffic;
        if let Some(count) = traffic.messages.get_mut(usize::from(opcode.bits())) {
            *count += 1;
        }
        traffic.bytes = traffic.bytes.saturating_add(len);
        traffic.incomplete_messages += u64::from(!complete);
        if complete {
            shared.memory.grown |= traffic.message_len.add(len);
        }
        if let Some(before) = self.last_data_message.replace(seen.at) {
            shared.memory.grown |= traffic.message_gap_us.add(seen.at.micros_since(before));
        }
    }

    /// Tells a finding that belongs to no frame.
    pub(super) fn tell<S: Sink>(
        &self,
        code: FindingCode,
        detail: Detail,
        seen: PacketRef,
        conversation: &mut Conversation,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        let direction = Some(self.direction);
        let finding = Finding { code, seen, direction, frame: None, message: None, in_message: false, detail };
        conversation.findings.record(finding, &conversation.identity, out)
    }
}

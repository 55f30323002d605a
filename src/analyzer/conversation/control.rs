//! Control frames (RFC 6455 §5.5): what a Close, a Ping or a Pong means for both directions together.

use super::{Conversation, FrameKind, FrameParts, MessageParts};
use crate::analyzer::memory::Growth;
use crate::analyzer::pings::{Ping, Place};
use crate::analyzer::turn::Turn;
use crate::event::{Close, CloseSent, Frame, Sink};
use crate::stream::EndReason;
use crate::types::{Detail, Direction, Finding, FindingCode, PacketRef};
use crate::websocket::Violation;
use crate::websocket::{CloseBody, Opcode};

/// A Ping at the very end of a capture is called unanswered only if it waited for so long.
const PING_PATIENCE_NANOS: i64 = 1_000_000_000;

impl Conversation {
    /// Records the Pings that still wait for their Pongs when the connection ends for `reason`.
    pub(in crate::analyzer) fn give_up_pings<S: Sink>(&mut self, reason: EndReason, turn: &mut Turn<'_, S>) -> Growth {
        let mut growth = Growth::NONE;
        let mut pings = core::mem::take(&mut self.pings);
        for direction in Direction::BOTH {
            for ping in pings.get_mut(direction).unanswered() {
                let waited = turn.flow.carrier.last.at.since(ping.place.seen.at);
                if reason != EndReason::CaptureOver || waited >= PING_PATIENCE_NANOS {
                    growth |= self.unanswered(ping, direction, turn);
                }
            }
        }
        growth
    }

    /// Looks at a control frame's meaning, and records a frame's findings.
    pub(super) fn look_at<'f, S: Sink>(
        &mut self,
        frame: &mut Frame<'f>,
        parts: &FrameParts<'f>,
        turn: &mut Turn<'_, S>,
    ) -> Growth {
        let mut growth = Growth::NONE;
        let mut more = None;
        if parts.kind == FrameKind::Control && parts.complete {
            let (violation, grew) = self.control(frame, parts.direction, turn);
            growth |= grew;
            more = violation.map(|violation| (turn.seen, violation));
        }
        for (seen, (code, detail)) in parts.violations.iter().chain(&more) {
            frame.findings.insert(*code);
            let finding = Finding {
                code: *code,
                seen: *seen,
                direction: Some(parts.direction),
                frame: Some(frame.number),
                message: frame.message,
                in_message: frame.in_message,
                detail: detail.clone(),
            };
            growth |= self.findings.record(finding, &self.identity, turn);
        }
        if frame.header.opcode == Opcode::CLOSE {
            let body = CloseBody::parse(frame.payload);
            frame.close = Some(Close { code: body.code.map(|code| code.0), reason: body.reason });
        }
        growth
    }

    /// A complete control frame: records a Close, matches Pings and Pongs. Gives the rule that it breaks.
    fn control<S: Sink>(
        &mut self,
        frame: &mut Frame<'_>,
        direction: Direction,
        turn: &mut Turn<'_, S>,
    ) -> (Option<Violation>, Growth) {
        match frame.header.opcode {
            Opcode::CLOSE => (None, self.close_sent(direction, CloseBody::parse(frame.payload), turn.seen)),
            Opcode::PING => {
                let max = turn.shared.limits.max_pings;
                let message = frame.message.unwrap_or_default();
                let place = Place { seen: turn.seen, frame: frame.number, message };
                let (oldest, growth) = self.pings.get_mut(direction).sent(frame.payload, place, max);
                let given_up = oldest.map_or(Growth::NONE, |ping| self.unanswered(ping, direction, turn));
                (None, growth | given_up)
            }
            _ => {
                let ping = self.pings.get_mut(direction.reverse()).take_answered(frame.payload);
                frame.ping_rtt_us = ping.map(|ping| turn.seen.at.micros_since(ping.place.seen.at));
                match frame.ping_rtt_us {
                    Some(rtt) => (None, Growth::of(self.ping_rtts_us.add(rtt))),
                    None => (Some((FindingCode::UnsolicitedPong, Detail::None)), Growth::NONE),
                }
            }
        }
    }

    /// A Close was sent. A gap can hold one direction up: the packets show who was first, not the order in which the frames
    /// come here.
    fn close_sent(&mut self, direction: Direction, body: CloseBody<'_>, seen: PacketRef) -> Growth {
        let first = self.first_close.and_then(|first| self.closes.get(first).as_ref());
        let is_first = first.is_none_or(|first| seen.packet < first.seen.packet);
        let close = self.closes.get_mut(direction);
        if close.is_some() {
            return Growth::NONE;
        }
        *close = Some(CloseSent { seen, code: body.code.map(|code| code.0), reason: body.reason.to_vec() });
        if is_first {
            self.first_close = Some(direction);
        }
        Growth::SOME
    }

    /// Emits a control frame as the message that it is.
    pub(super) fn control_message<S: Sink>(
        &mut self,
        frame: &Frame<'_>,
        number: u64,
        direction: Direction,
        turn: &mut Turn<'_, S>,
    ) -> Growth {
        let len = frame.header.payload_len;
        let text = frame.close.map_or(frame.payload, |close| close.reason);
        let parts = MessageParts {
            direction,
            number,
            opcode: frame.header.opcode,
            compressed: false,
            frames: 1,
            wire_len: len,
            len: Some(len),
            content: frame.payload,
            content_whole: frame.payload.len() as u64 == len,
            complete: frame.complete && frame.missing == 0,
            utf8: core::str::from_utf8(text).is_ok(),
            first: frame.first,
            close: frame.close,
            ping_rtt_us: frame.ping_rtt_us,
            findings: frame.findings,
        };
        self.message(parts, turn)
    }

    /// Records a Ping for which no Pong came.
    fn unanswered<S: Sink>(&mut self, ping: Ping, direction: Direction, turn: &mut Turn<'_, S>) -> Growth {
        let finding = Finding {
            code: FindingCode::UnansweredPing,
            seen: ping.place.seen,
            direction: Some(direction),
            frame: Some(ping.place.frame),
            message: Some(ping.place.message),
            in_message: true,
            detail: Detail::None,
        };
        self.findings.record(finding, &self.identity, turn)
    }
}

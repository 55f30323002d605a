//! One WebSocket's conversation: where its frames, messages and summary come into being.
//!
//! In: what a direction knows of a frame or message that is over ([`FrameParts`], [`MessageParts`]), and of the connection's
//! end ([`Ending`]). Out: the events. Each of the three is built here and nowhere else, so whatever looks at all messages
//! hangs here, with one call: the sub-protocol reader does. Numbers, findings, Pings and Closes (RFC 6455 §5.5) belong to
//! both directions together, and are here, too. Bytes are not decoded here: that is `direction.rs`.

mod control;
mod reading;

use super::findings::Findings;
use super::memory::Growth;
use super::pings::Pings;
use super::shared::Shared;
use super::silence::SilenceTracker;
use super::turn::Turn;
use super::verdict::Verdict;
use crate::event::{self, Close, CloseSent, Frame, Identity, Message, Sink, Summary, Traffic, What};
use crate::stream::EndReason;
use crate::subprotocol::Reader;
use crate::types::{Direction, Finding, FindingSet, PacketRef, PerDirection, Sketch};
use crate::websocket::Violation;
use crate::websocket::{FrameHeader, Handshake, Opcode};

/// What both directions share.
pub(super) struct Conversation {
    /// What identifies the connection.
    pub(super) identity: Identity,
    /// Bytes of each frame's payload that are kept.
    pub(super) frame_keep: usize,
    /// Bytes of each message's content that are kept: as many as the outputs want, or the reader does.
    pub(super) content_keep: usize,
    reader: Option<Box<dyn Reader>>,
    findings: Findings,
    /// Pings that each direction sent.
    pings: PerDirection<Pings>,
    ping_rtts_us: Sketch,
    frames: u64,
    messages: u64,
    first_close: Option<Direction>,
    closes: PerDirection<Option<CloseSent>>,
    silence: SilenceTracker,
    silence_by_direction: PerDirection<SilenceTracker>,
    /// The last packet that was emitted as one of this connection.
    last_packet: Option<u64>,
}

/// Where a frame belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FrameKind {
    /// Close, Ping, Pong: a message of its own.
    Control,
    /// The open message.
    Data,
    /// None: a reserved opcode, or a continuation of nothing.
    Stray,
}

/// A frame that is over, as its direction knows it.
pub(super) struct FrameParts<'f> {
    pub(super) direction: Direction,
    pub(super) header: FrameHeader,
    pub(super) header_captured: u8,
    pub(super) kind: FrameKind,
    pub(super) fragment: u64,
    pub(super) first: PacketRef,
    pub(super) stream_offset: u64,
    pub(super) payload: &'f [u8],
    pub(super) missing: u64,
    pub(super) complete: bool,
    pub(super) findings: FindingSet,
    /// The findings, each with its packet.
    pub(super) violations: &'f [(PacketRef, Violation)],
}

/// A message that is over, as its direction knows it.
pub(super) struct MessageParts<'m> {
    pub(super) direction: Direction,
    pub(super) number: u64,
    pub(super) opcode: Opcode,
    pub(super) compressed: bool,
    pub(super) frames: u64,
    pub(super) wire_len: u64,
    pub(super) len: Option<u64>,
    pub(super) content: &'m [u8],
    pub(super) content_whole: bool,
    pub(super) complete: bool,
    pub(super) utf8: bool,
    pub(super) first: PacketRef,
    pub(super) close: Option<Close<'m>>,
    pub(super) ping_rtt_us: Option<u64>,
    pub(super) findings: FindingSet,
}

/// What is known of a connection when it is over, besides its conversation.
pub(super) struct Ending {
    pub(super) handshake: Handshake,
    pub(super) handshake_seen: bool,
    pub(super) opened: Option<PacketRef>,
    pub(super) last: PacketRef,
    pub(super) last_byte: Option<PacketRef>,
    pub(super) verdict: Verdict,
    pub(super) tcp_ends: PerDirection<Option<(EndReason, PacketRef)>>,
    pub(super) traffic: PerDirection<Traffic>,
    pub(super) http2: Option<event::Http2>,
}

/// A finding that belongs to no frame: what it is, its direction, its packet.
pub(super) type Note = (Violation, Option<Direction>, PacketRef);

impl Conversation {
    /// Begins; its messages are not read.
    pub(super) fn new(identity: Identity, shared: &Shared) -> Self {
        Self {
            identity,
            frame_keep: shared.keep(shared.demand.frame_bytes),
            content_keep: shared.keep(shared.demand.content_bytes),
            reader: None,
            findings: Findings::default(),
            pings: PerDirection::default(),
            ping_rtts_us: Sketch::default(),
            frames: 0,
            messages: 0,
            first_close: None,
            closes: PerDirection::default(),
            silence: SilenceTracker::default(),
            silence_by_direction: PerDirection::default(),
            last_packet: None,
        }
    }

    /// Takes a frame that is over: gives it its number, records its findings, and emits it; a control frame also as the
    /// message that it is. Gives the number of the data message that it ends.
    #[inline(always)] // Its parts are not put together in memory then: 100 instructions fewer for each message.
    pub(super) fn frame<S: Sink>(&mut self, parts: FrameParts<'_>, turn: &mut Turn<'_, S>) -> (Option<u64>, Growth) {
        let number = self.frames;
        self.frames += 1;
        let is_control = parts.kind == FrameKind::Control;
        let ends = is_control || (parts.kind == FrameKind::Data && parts.header.fin && parts.complete);
        let message = ends.then(|| self.next_message());
        let mut frame = Frame {
            number,
            header: parts.header,
            header_captured: parts.header_captured,
            message,
            in_message: parts.kind != FrameKind::Stray,
            fragment: parts.fragment,
            first: parts.first,
            last: turn.seen,
            stream_offset: parts.stream_offset,
            payload: parts.payload,
            missing: parts.missing,
            complete: parts.complete,
            close: None,
            ping_rtt_us: None,
            findings: parts.findings,
        };
        let mut growth = Growth::NONE;
        if is_control || !parts.violations.is_empty() {
            growth |= self.look_at(&mut frame, &parts, turn);
        }
        turn.emit(&self.identity, Some(parts.direction), What::Frame(&frame));
        match message {
            Some(message) if is_control => {
                (None, growth | self.control_message(&frame, message, parts.direction, turn))
            }
            message => (message, growth),
        }
    }

    /// Takes the open message of a direction, of which nothing more will come, and emits it.
    #[inline(always)] // As `frame`.
    pub(super) fn message<S: Sink>(&mut self, parts: MessageParts<'_>, turn: &mut Turn<'_, S>) -> Growth {
        let message = Message {
            number: parts.number,
            opcode: parts.opcode,
            compressed: parts.compressed,
            frames: parts.frames,
            wire_len: parts.wire_len,
            len: parts.len,
            content: parts.content,
            content_whole: parts.content_whole,
            complete: parts.complete,
            utf8: parts.utf8,
            first: parts.first,
            last: turn.seen,
            close: parts.close,
            ping_rtt_us: parts.ping_rtt_us,
            summary: None,
            findings: parts.findings,
        };
        if self.reader.is_some() {
            return self.read(message, parts.direction, turn);
        }
        turn.emit(&self.identity, Some(parts.direction), What::Message(&message));
        Growth::NONE
    }

    /// Ends the conversation: emits its summary.
    pub(super) fn summary<S: Sink>(mut self, ending: Ending, turn: &mut Turn<'_, S>) {
        self.notes(None, turn, |reader, notes| reader.end(notes)).counted_anyway();
        let Ending { handshake, verdict, mut traffic, .. } = ending;
        for direction in Direction::BOTH {
            traffic.get_mut(direction).longest_silence = self.silence_by_direction.get(direction).longest;
        }
        let summary = Summary {
            handshake,
            handshake_seen: ending.handshake_seen,
            opened: ending.opened,
            last: ending.last,
            last_byte: ending.last_byte,
            outcome: verdict.outcome,
            closed_by: verdict.closed_by,
            close_code: verdict.close_code,
            close_reason: verdict.close_reason,
            clean: verdict.clean,
            closes: self.closes,
            tcp_ends: ending.tcp_ends,
            tcp_handshake_us: turn.flow.carrier.handshake_us,
            traffic,
            ping_rtts_us: self.ping_rtts_us,
            longest_silence: self.silence.longest,
            http2: ending.http2,
            findings: self.findings.into_counts(),
            tls: turn.tls.cloned().map(Box::new),
        };
        turn.emit(&self.identity, None, What::Closed(&summary));
    }

    /// The number of the message that is over now.
    #[inline]
    pub(super) const fn next_message(&mut self) -> u64 {
        self.messages += 1;
        self.messages - 1
    }

    /// A packet carried bytes of the connection.
    #[inline]
    pub(super) fn packet<S: Sink>(&mut self, direction: Direction, turn: &mut Turn<'_, S>) {
        self.silence.packet(turn.seen);
        self.silence_by_direction.get_mut(direction).packet(turn.seen);
        if turn.shared.demand.packets {
            self.emit_packet(Some(direction), turn);
        }
    }

    /// A packet belongs to the connection: emits it, unless it was the last one that was.
    pub(super) fn emit_packet<S: Sink>(&mut self, direction: Option<Direction>, turn: &mut Turn<'_, S>) {
        let packet = Some(turn.seen.packet);
        if turn.shared.demand.packets && core::mem::replace(&mut self.last_packet, packet) != packet {
            turn.emit(&self.identity, direction, What::Packet);
        }
    }

    /// Emits the packets that carried the connection's beginning.
    pub(super) fn emit_carriers<S: Sink>(&mut self, turn: &mut Turn<'_, S>) {
        if !turn.shared.demand.packets {
            return;
        }
        self.emit_packet(None, &mut turn.at(turn.flow.carrier.first));
        let carriers = core::mem::take(&mut turn.shared.carriers);
        for (seen, direction) in carriers.iter() {
            self.emit_packet(Some(direction), &mut turn.at(seen));
        }
        turn.shared.carriers = carriers;
    }

    /// Records a finding that belongs to no frame.
    pub(super) fn record<S: Sink>(&mut self, note: Note, turn: &mut Turn<'_, S>) -> Growth {
        let ((code, detail), direction, seen) = note;
        let finding = Finding { code, seen, direction, frame: None, message: None, in_message: false, detail };
        self.findings.record(finding, &self.identity, turn)
    }

    /// What the closing handshake shows so far: who sent the first Close, and the first Close of each direction.
    pub(super) const fn closing(&self) -> (Option<Direction>, &PerDirection<Option<CloseSent>>) {
        (self.first_close, &self.closes)
    }

    /// The last packet that carried bytes of the connection.
    pub(super) const fn last_byte(&self) -> Option<PacketRef> {
        self.silence.last
    }

    /// Bytes that it keeps besides itself.
    #[inline]
    pub(super) fn held(&self) -> usize {
        let reason = |close: &Option<CloseSent>| close.as_ref().map_or(0, |close| close.reason.capacity());
        self.findings.held()
            + self.ping_rtts_us.held()
            + self.pings.to_server.held()
            + self.pings.to_client.held()
            + reason(&self.closes.to_server)
            + reason(&self.closes.to_client)
            + self.reader.as_ref().map_or(0, |reader| size_of_val(&**reader) + reader.held())
    }
}

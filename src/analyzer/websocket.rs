//! One WebSocket connection, from the 101 to its end: both directions, and what only both together show.

mod memory;
mod refused;

use super::direction::DirectionState;
use super::findings::Findings;
use super::pending::Pending;
use super::pings::{Ping, Pings};
use super::shared::Out;
use super::verdict::verdict;
use crate::event::{CloseSent, Http2, Identity, Silence, Sink, Summary, Traffic, What};
use crate::http::{SNIFF_BYTES, Sniffed, sniff};
use crate::stream::{EndReason, Run};
use crate::tcp::Flow;
use crate::tls::TlsInfo;
use crate::types::{Detail, Direction, Finding, FindingCode, PacketRef, PerDirection, Sketch};
use crate::websocket::resync::FrameSearch;
use crate::websocket::rules::Violation;
use crate::websocket::{CheckedHandshake, CloseBody, Handshake, HandshakeFault};

pub(super) use refused::refuse;

/// A Ping at the very end of a capture is not called unanswered before it waited for so long.
const PING_PATIENCE_NANOS: i64 = 1_000_000_000;

/// One connection.
pub(super) struct WebSocket {
    directions: PerDirection<DirectionState>,
    conversation: Conversation,
    handshake: Handshake,
    handshake_seen: bool,
    /// The packet that made it a WebSocket, where that was captured.
    opened: Option<PacketRef>,
    /// What each direction turned out to begin with.
    openings: PerDirection<Opening>,
    /// What the handshake keeps; it does not change.
    handshake_held: usize,
    /// Which direction gathered nothing when it was last looked at.
    rested: PerDirection<bool>,
    ends: PerDirection<Option<(EndReason, PacketRef)>>,
    /// What HTTP/2 shows beyond that.
    http2: Option<Http2>,
}

/// Something to tell that belongs to no frame: what, whose, where.
pub(super) type Note = (Violation, Option<Direction>, PacketRef);

/// What a direction begins with behind the handshake.
enum Opening {
    /// Too few bytes came to tell frames from HTTP. No frame that is allowed begins as HTTP does, but for those of
    /// compressed messages; so hardly any frame ever waits.
    Unknown(Pending),
    Frames,
    Http,
}

impl Default for Opening {
    fn default() -> Self {
        Self::Unknown(Pending::default())
    }
}

/// What both directions share.
pub(super) struct Conversation {
    /// What tells this connection from others.
    pub(super) identity: Identity,
    /// What was found.
    pub(super) findings: Findings,
    /// Pings that each direction sent.
    pub(super) pings: PerDirection<Pings>,
    /// Their round trips.
    pub(super) ping_rtts_us: Sketch,
    frames: u64,
    messages: u64,
    first_close: Option<Direction>,
    closes: PerDirection<Option<CloseSent>>,
    silence: SilenceTracker,
    silence_by_direction: PerDirection<SilenceTracker>,
}

/// Looks for the longest silence.
#[derive(Debug, Clone, Copy, Default)]
struct SilenceTracker {
    last: Option<PacketRef>,
    longest: Option<Silence>,
}

impl SilenceTracker {
    /// Something was sent.
    fn sent(&mut self, seen: PacketRef) {
        if let Some(last) = self.last
            && last.packet != seen.packet
        {
            let us = seen.at.micros_since(last.at);
            if self.longest.is_none_or(|longest| us > longest.us) {
                self.longest = Some(Silence { us, from: last, to: seen });
            }
        }
        self.last = Some(seen);
    }
}

impl Conversation {
    pub(super) fn new(identity: Identity) -> Self {
        Self {
            identity,
            findings: Findings::default(),
            pings: PerDirection::default(),
            ping_rtts_us: Sketch::default(),
            frames: 0,
            messages: 0,
            first_close: None,
            closes: PerDirection::default(),
            silence: SilenceTracker::default(),
            silence_by_direction: PerDirection::default(),
        }
    }

    /// The number of the frame that is complete now.
    pub(super) const fn next_frame(&mut self) -> u64 {
        self.frames += 1;
        self.frames - 1
    }

    /// The number of the message that is complete now.
    pub(super) const fn next_message(&mut self) -> u64 {
        self.messages += 1;
        self.messages - 1
    }

    /// A Close was sent. A hole can hold one direction up: who was first is told by the packets, not by the order in which
    /// they are heard.
    pub(super) fn closed(&mut self, direction: Direction, body: CloseBody<'_>, seen: PacketRef) {
        let first = self.first_close.and_then(|first| self.closes.get(first).as_ref());
        let is_first = first.is_none_or(|first| seen.packet < first.seen.packet);
        let close = self.closes.get_mut(direction);
        if close.is_some() {
            return;
        }
        *close = Some(CloseSent { seen, code: body.code.map(|code| code.0), reason: body.reason.to_vec() });
        if is_first {
            self.first_close = Some(direction);
        }
    }

    /// Tells of a Ping that nobody answered.
    pub(super) fn unanswered<S: Sink>(
        &mut self,
        ping: Ping,
        direction: Direction,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        let finding = Finding {
            code: FindingCode::UnansweredPing,
            seen: ping.seen,
            direction: Some(direction),
            frame: Some(ping.frame),
            message: Some(ping.message),
            in_message: true,
            detail: Detail::None,
        };
        self.findings.record(finding, &self.identity, out)
    }

    /// Tells of something that belongs to no frame.
    pub(super) fn tell<S: Sink>(
        &mut self,
        (code, detail): Violation,
        direction: Option<Direction>,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        let finding = Finding { code, seen, direction, frame: None, message: None, in_message: false, detail };
        self.findings.record(finding, &self.identity, out)
    }
}

impl WebSocket {
    /// Begins with the handshake that made it one, and tells of it.
    pub(super) fn open<S: Sink>(
        identity: Identity,
        judged: CheckedHandshake,
        opened: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<Self, S::Error> {
        let mut conversation = Conversation::new(identity);
        let handshake = tell_handshake(&mut conversation, judged, opened, out)?;
        out.say(&conversation.identity, opened, None, What::Upgraded(&handshake))?;
        let negotiated = handshake.negotiated;
        Ok(Self {
            directions: PerDirection::from_fn(|direction| DirectionState::new(direction, negotiated)),
            conversation,
            handshake_seen: handshake.response.is_some(),
            handshake_held: handshake.held(),
            rested: PerDirection::default(),
            handshake,
            opened: Some(opened),
            openings: PerDirection::default(),
            ends: PerDirection::default(),
            http2: None,
        })
    }

    /// Begins in the middle: with what was gathered of each direction, in which frames were recognized, and whether what
    /// the client sent begins with a frame.
    pub(super) fn adopt<S: Sink>(
        identity: Identity,
        judged: CheckedHandshake,
        (resyncs, boundary): (PerDirection<FrameSearch>, bool),
        detail: Detail,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<Self, S::Error> {
        let mut websocket = Self::open(identity, judged, seen, out)?;
        websocket.opened = None;
        websocket.conversation.tell((FindingCode::Midstream, detail), None, seen, out)?;
        websocket.openings = PerDirection { to_server: Opening::Frames, to_client: Opening::Frames };
        let PerDirection { to_server, to_client } = &mut websocket.directions;
        let conversation = &mut websocket.conversation;
        if boundary {
            to_server.begin_with(&resyncs.to_server, conversation, out)?;
        } else {
            to_server.begin_lost(resyncs.to_server);
            to_server.resynchronize(true, seen, conversation, out)?;
        }
        to_client.begin_lost(resyncs.to_client);
        to_client.resynchronize(true, seen, conversation, out)?;
        Ok(websocket)
    }

    /// The head before this direction's frames was cut off: where they begin is not known.
    pub(super) fn begin_lost(&mut self, direction: Direction, max_bytes: usize) {
        *self.openings.get_mut(direction) = Opening::Frames;
        self.directions.get_mut(direction).begin_lost(FrameSearch::new(max_bytes));
    }

    /// Takes bytes of one packet.
    pub(super) fn data<S: Sink>(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        self.conversation.silence.sent(seen);
        self.conversation.silence_by_direction.get_mut(direction).sent(seen);
        if self.are_frames(direction, bytes, seen, out)? {
            self.directions.get_mut(direction).data(bytes, seen, &mut self.conversation, out)?;
        }
        Ok(())
    }

    /// Whether `bytes` are frames. HTTP in their place is told of; bytes that are too few to say wait.
    fn are_frames<S: Sink>(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<bool, S::Error> {
        let opening = self.openings.get_mut(direction);
        let waiting = match opening {
            Opening::Frames => return Ok(true),
            Opening::Http => return Ok(false),
            Opening::Unknown(waiting) => waiting,
        };
        let mut first = [0; SNIFF_BYTES];
        let len = first.iter_mut().zip(waiting.front_bytes().iter().chain(bytes)).map(|(to, from)| *to = *from).count();
        match sniff(first.get(..len).unwrap_or_default()) {
            Sniffed::NeedMore => waiting.push(Run::Data(bytes), seen, SNIFF_BYTES),
            Sniffed::Http1(_) => {
                *opening = Opening::Http;
                self.conversation.tell((FindingCode::HttpAfterUpgrade, Detail::None), Some(direction), seen, out)?;
            }
            _ => {
                self.begin_frames(direction, out)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What comes now are frames, and so is what waited.
    fn begin_frames<S: Sink>(&mut self, direction: Direction, out: &mut Out<'_, S>) -> Result<(), S::Error> {
        let opening = self.openings.get_mut(direction);
        let Opening::Unknown(waiting) = opening else { return Ok(()) };
        let mut waiting = core::mem::take(waiting);
        *opening = Opening::Frames;
        let (state, conversation) = (self.directions.get_mut(direction), &mut self.conversation);
        waiting.offer(|run, seen| match run {
            Run::Data(data) => state.data(data, seen, conversation, out).map(|()| 0),
            _ => Ok(0),
        })?;
        Ok(())
    }

    /// Takes a hole.
    pub(super) fn gap<S: Sink>(
        &mut self,
        direction: Direction,
        hole: Option<u64>,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        self.begin_frames(direction, out)?;
        self.directions.get_mut(direction).gap(hole, seen, &mut self.conversation, out)
    }

    /// Takes what went wrong below.
    pub(super) fn fault<S: Sink>(
        &mut self,
        direction: Direction,
        broken: Violation,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        self.conversation.tell(broken, Some(direction), seen, out)
    }

    /// Takes something that was found around it.
    pub(super) fn note<S: Sink>(&mut self, note: Note, out: &mut Out<'_, S>) -> Result<(), S::Error> {
        let (broken, direction, seen) = note;
        self.conversation.tell(broken, direction, seen, out)
    }

    /// Takes the end of one direction.
    pub(super) fn end<S: Sink>(
        &mut self,
        direction: Direction,
        reason: EndReason,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        if self.ends.get(direction).is_some() {
            return Ok(());
        }
        *self.ends.get_mut(direction) = Some((reason, seen));
        self.begin_frames(direction, out)?;
        self.directions.get_mut(direction).finish(seen, &mut self.conversation, out)
    }

    /// Ends it with its HTTP/2 stream.
    pub(super) fn close_stream<S: Sink>(
        mut self,
        http2: Http2,
        flow: &Flow,
        reason: EndReason,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        self.http2 = Some(http2);
        self.close(flow, reason, seen, out)
    }

    /// Ends it: tells what is left to tell, and the summary.
    pub(super) fn close<S: Sink>(
        mut self,
        flow: &Flow,
        reason: EndReason,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        for direction in Direction::BOTH {
            self.end(direction, reason, seen, out)?;
        }
        let mut pings = core::mem::take(&mut self.conversation.pings);
        for direction in Direction::BOTH {
            for ping in pings.get_mut(direction).unanswered() {
                if reason != EndReason::CaptureOver || flow.carrier.last.at.since(ping.seen.at) >= PING_PATIENCE_NANOS {
                    self.conversation.unanswered(ping, direction, out)?;
                }
            }
        }
        let (summary, identity) = self.summary(flow, out.tls);
        out.say(&identity, seen, None, What::Closed(&summary))
    }

    /// What is known in the end.
    fn summary(self, flow: &Flow, tls: Option<&TlsInfo>) -> (Summary, Identity) {
        let Self { directions, conversation, handshake, handshake_seen, opened, ends, http2, .. } = self;
        let verdict = verdict(conversation.first_close, &conversation.closes, &ends, tls);
        let mut traffic =
            PerDirection { to_server: directions.to_server.traffic, to_client: directions.to_client.traffic };
        for direction in Direction::BOTH {
            let one: &mut Traffic = traffic.get_mut(direction);
            let counters = flow.counters.get(direction);
            one.retransmissions = counters.retransmissions.into();
            one.out_of_order = counters.out_of_order.into();
            one.longest_silence = conversation.silence_by_direction.get(direction).longest;
        }
        let summary = Summary {
            handshake,
            handshake_seen,
            opened,
            last: flow.carrier.last,
            last_byte: conversation.silence.last,
            outcome: verdict.outcome,
            closed_by: verdict.closed_by,
            close_code: verdict.close_code,
            close_reason: verdict.close_reason,
            clean: verdict.clean,
            closes: conversation.closes,
            tcp_ends: ends,
            tcp_handshake_us: flow.carrier.handshake_us,
            traffic,
            ping_rtts_us: conversation.ping_rtts_us,
            longest_silence: conversation.silence.longest,
            http2,
            findings: conversation.findings.into_counts(),
            tls: tls.cloned().map(Box::new),
        };
        (summary, conversation.identity)
    }
}

/// Tells a handshake's findings, each at the packet that ended its head.
fn tell_handshake<S: Sink>(
    conversation: &mut Conversation,
    CheckedHandshake { handshake, faults }: CheckedHandshake,
    seen: PacketRef,
    out: &mut Out<'_, S>,
) -> Result<Handshake, S::Error> {
    for HandshakeFault { code, direction, detail } in faults {
        let at = match direction {
            Direction::ToServer => handshake.request.as_ref().map(|request| request.seen),
            Direction::ToClient => handshake.response.as_ref().map(|response| response.seen),
        };
        conversation.tell((code, detail), Some(direction), at.unwrap_or(seen), out)?;
    }
    Ok(handshake)
}

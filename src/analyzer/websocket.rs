//! One WebSocket connection, from the 101 to its end: both lanes, and what only both together show.

use super::lane::Lane;
use super::ledger::Ledger;
use super::pings::{Ping, Pings};
use super::shared::Out;
use crate::event::{CloseSent, Identity, Outcome, Silence, Sink, Summary, Traffic, What};
use crate::ground::{Detail, Direction, Finding, FindingCode, PerDirection, Role, Seen, Sketch};
use crate::http::{Sniffed, sniff};
use crate::tcp::{EndReason, Flow};
use crate::websocket::resync::Resync;
use crate::websocket::rules::Broken;
use crate::websocket::{CloseBody, CloseCode, Fault, Handshake, Judged};

/// A Ping at the very end of a capture is not called unanswered before it waited for so long.
const PING_PATIENCE_NANOS: i64 = 1_000_000_000;

/// One connection.
pub(super) struct WebSocket {
    lanes: PerDirection<Lane>,
    common: Common,
    handshake: Handshake,
    handshake_seen: bool,
    /// The packet that made it a WebSocket, where that was captured.
    opened: Option<Seen>,
    /// Directions that turned out not to carry frames.
    not_frames: PerDirection<bool>,
    ends: PerDirection<Option<(EndReason, Seen)>>,
}

/// What both lanes share.
pub(super) struct Common {
    /// What tells this connection from others.
    pub(super) identity: Identity,
    /// What was found.
    pub(super) ledger: Ledger,
    /// Pings that each direction sent.
    pub(super) pings: PerDirection<Pings>,
    /// Their round trips.
    pub(super) ping_rtts_us: Sketch,
    frames: u64,
    messages: u64,
    first_close: Option<Direction>,
    closes: PerDirection<Option<CloseSent>>,
    quiet: Quiet,
    quiet_lanes: PerDirection<Quiet>,
}

/// Looks for the longest silence.
#[derive(Debug, Clone, Copy, Default)]
struct Quiet {
    last: Option<Seen>,
    longest: Option<Silence>,
}

impl Quiet {
    /// Something was sent.
    fn sent(&mut self, seen: Seen) {
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

impl Common {
    fn new(identity: Identity) -> Self {
        Self {
            identity,
            ledger: Ledger::default(),
            pings: PerDirection::default(),
            ping_rtts_us: Sketch::default(),
            frames: 0,
            messages: 0,
            first_close: None,
            closes: PerDirection::default(),
            quiet: Quiet::default(),
            quiet_lanes: PerDirection::default(),
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

    /// A Close was sent.
    pub(super) fn closed(&mut self, direction: Direction, body: CloseBody<'_>, seen: Seen) {
        self.first_close.get_or_insert(direction);
        self.closes.get_mut(direction).get_or_insert_with(|| CloseSent {
            seen,
            code: body.code.map(|code| code.0),
            reason: body.reason.to_vec(),
        });
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
        self.ledger.note(finding, &self.identity, out)
    }

    /// Tells of something that belongs to no frame.
    fn tell<S: Sink>(
        &mut self,
        (code, detail): Broken,
        direction: Option<Direction>,
        seen: Seen,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        let finding = Finding { code, seen, direction, frame: None, message: None, in_message: false, detail };
        self.ledger.note(finding, &self.identity, out)
    }
}

impl WebSocket {
    /// Begins with the handshake that made it one, and tells of it.
    pub(super) fn open<S: Sink>(
        identity: Identity,
        judged: Judged,
        opened: Seen,
        out: &mut Out<'_, S>,
    ) -> Result<Self, S::Error> {
        let mut common = Common::new(identity);
        let handshake = tell_handshake(&mut common, judged, opened, out)?;
        out.say(&common.identity, opened, None, What::Upgraded(&handshake))?;
        let deflate = handshake.negotiated.deflate;
        Ok(Self {
            lanes: PerDirection::from_fn(|direction| Lane::new(direction, deflate)),
            common,
            handshake_seen: handshake.response.is_some(),
            handshake,
            opened: Some(opened),
            not_frames: PerDirection::default(),
            ends: PerDirection::default(),
        })
    }

    /// Begins in the middle: with what was gathered of each direction, in which frames were recognized.
    pub(super) fn adopt<S: Sink>(
        identity: Identity,
        judged: Judged,
        resyncs: PerDirection<Resync>,
        detail: Detail,
        seen: Seen,
        out: &mut Out<'_, S>,
    ) -> Result<Self, S::Error> {
        let mut websocket = Self::open(identity, judged, seen, out)?;
        websocket.opened = None;
        websocket.common.tell((FindingCode::Midstream, detail), None, seen, out)?;
        websocket.lanes.to_server.begin_lost(resyncs.to_server);
        websocket.lanes.to_client.begin_lost(resyncs.to_client);
        for direction in Direction::BOTH {
            websocket.lanes.get_mut(direction).resynchronize(true, seen, &mut websocket.common, out)?;
        }
        Ok(websocket)
    }

    /// The head before this direction's frames was cut off: where they begin is not known.
    pub(super) fn begin_lost(&mut self, direction: Direction, max_bytes: usize) {
        self.lanes.get_mut(direction).begin_lost(Resync::new(max_bytes));
    }

    /// Takes bytes of one packet.
    pub(super) fn data<S: Sink>(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        seen: Seen,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        self.common.quiet.sent(seen);
        self.common.quiet_lanes.get_mut(direction).sent(seen);
        let lane = self.lanes.get_mut(direction);
        if lane.untouched()
            && !lane.is_lost()
            && !*self.not_frames.get(direction)
            && matches!(sniff(bytes), Sniffed::Http1(_))
        {
            *self.not_frames.get_mut(direction) = true;
            let broken = (FindingCode::HttpAfterUpgrade, Detail::None);
            self.common.tell(broken, Some(direction), seen, out)?;
        }
        if *self.not_frames.get(direction) {
            return Ok(());
        }
        lane.data(bytes, seen, &mut self.common, out)
    }

    /// Takes a hole.
    pub(super) fn gap<S: Sink>(
        &mut self,
        direction: Direction,
        hole: Option<u64>,
        seen: Seen,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        self.lanes.get_mut(direction).gap(hole, seen, &mut self.common, out)
    }

    /// Takes a conflict between two copies of the same bytes.
    pub(super) fn overlap_conflict<S: Sink>(
        &mut self,
        direction: Direction,
        offset: u64,
        seen: Seen,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        let broken = (FindingCode::TcpOverlapConflict, Detail::Number("at byte of the TCP stream", offset));
        self.common.tell(broken, Some(direction), seen, out)
    }

    /// Takes the end of one direction.
    pub(super) fn end<S: Sink>(
        &mut self,
        direction: Direction,
        reason: EndReason,
        seen: Seen,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        if self.ends.get(direction).is_some() {
            return Ok(());
        }
        *self.ends.get_mut(direction) = Some((reason, seen));
        self.lanes.get_mut(direction).finish(seen, &mut self.common, out)
    }

    /// Ends it: tells what is left to tell, and the summary.
    pub(super) fn close<S: Sink>(
        mut self,
        flow: &Flow,
        reason: EndReason,
        seen: Seen,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        for direction in Direction::BOTH {
            self.end(direction, reason, seen, out)?;
        }
        let mut pings = core::mem::take(&mut self.common.pings);
        for direction in Direction::BOTH {
            for ping in pings.get_mut(direction).unanswered() {
                if reason != EndReason::CaptureOver || flow.last.at.since(ping.seen.at) >= PING_PATIENCE_NANOS {
                    self.common.unanswered(ping, direction, out)?;
                }
            }
        }
        let summary = self.summary(flow);
        let (summary, identity) = summary;
        out.say(&identity, seen, None, What::Closed(&summary))
    }

    /// What is known in the end.
    fn summary(self, flow: &Flow) -> (Summary, Identity) {
        let Self { lanes, common, handshake, handshake_seen, opened, ends, .. } = self;
        let verdict = verdict(&common, &ends);
        let mut traffic = PerDirection { to_server: lanes.to_server.traffic, to_client: lanes.to_client.traffic };
        for direction in Direction::BOTH {
            let one: &mut Traffic = traffic.get_mut(direction);
            let counters = flow.counters.get(direction);
            one.retransmissions = counters.retransmissions.into();
            one.out_of_order = counters.out_of_order.into();
            one.longest_silence = common.quiet_lanes.get(direction).longest;
        }
        let summary = Summary {
            handshake,
            handshake_seen,
            opened,
            last: flow.last,
            last_byte: common.quiet.last,
            outcome: verdict.outcome,
            closed_by: verdict.closed_by,
            close_code: verdict.close_code,
            close_reason: verdict.close_reason,
            clean: verdict.clean,
            closes: common.closes,
            tcp_ends: ends,
            tcp_handshake_us: flow.handshake_us,
            traffic,
            ping_rtts_us: common.ping_rtts_us,
            longest_silence: common.quiet.longest,
            findings: common.ledger.into_counts(),
        };
        (summary, common.identity)
    }
}

/// What became of a connection, and by whom.
struct Verdict {
    outcome: Outcome,
    closed_by: Option<Role>,
    close_code: Option<u16>,
    close_reason: Vec<u8>,
    clean: Option<bool>,
}

/// RFC 6455 §7.1.4 to §7.1.6: what an endpoint's API would say.
fn verdict(common: &Common, ends: &PerDirection<Option<(EndReason, Seen)>>) -> Verdict {
    if let Some(first) = common.first_close {
        let close = common.closes.get(first).as_ref();
        return Verdict {
            outcome: Outcome::Closed,
            closed_by: Some(first.sender()),
            close_code: Some(close.and_then(|close| close.code).unwrap_or(CloseCode::NO_STATUS.0)),
            close_reason: close.map(|close| close.reason.clone()).unwrap_or_default(),
            clean: Some(common.closes.get(first.reverse()).is_some()),
        };
    }
    let ended = |direction: Direction| match ends.get(direction) {
        Some((EndReason::Fin, seen)) => Some((seen.packet, Some(direction.sender()))),
        Some((EndReason::Rst(by), seen)) => Some((seen.packet, Some(by.sender()))),
        Some((EndReason::Reused, seen)) => Some((seen.packet, None)),
        _ => None,
    };
    let first_end = Direction::BOTH.into_iter().filter_map(ended).min_by_key(|(packet, _)| *packet);
    match first_end {
        Some((_, by)) => Verdict {
            outcome: Outcome::Aborted,
            closed_by: by,
            close_code: Some(CloseCode::ABNORMAL.0),
            close_reason: Vec::new(),
            clean: Some(false),
        },
        None => {
            Verdict { outcome: Outcome::Open, closed_by: None, close_code: None, close_reason: Vec::new(), clean: None }
        }
    }
}

/// Tells a handshake's findings, each at the packet that ended its head.
fn tell_handshake<S: Sink>(
    common: &mut Common,
    Judged { handshake, faults }: Judged,
    seen: Seen,
    out: &mut Out<'_, S>,
) -> Result<Handshake, S::Error> {
    for Fault { code, direction, detail } in faults {
        let at = match direction {
            Direction::ToServer => handshake.request.as_ref().map(|request| request.seen),
            Direction::ToClient => handshake.response.as_ref().map(|response| response.seen),
        };
        common.tell((code, detail), Some(direction), at.unwrap_or(seen), out)?;
    }
    Ok(handshake)
}

/// Tells of a request that did not become a WebSocket.
pub(super) fn refuse<S: Sink>(
    identity: Identity,
    judged: Judged,
    flow: &Flow,
    seen: Seen,
    out: &mut Out<'_, S>,
) -> Result<(), S::Error> {
    let mut common = Common::new(identity);
    let handshake = tell_handshake(&mut common, judged, seen, out)?;
    out.say(&common.identity, seen, None, What::Refused(&handshake))?;
    let summary = Summary {
        handshake_seen: true,
        handshake,
        opened: None,
        last: seen,
        last_byte: Some(seen),
        outcome: Outcome::Rejected,
        closed_by: None,
        close_code: None,
        close_reason: Vec::new(),
        clean: None,
        closes: PerDirection::default(),
        tcp_ends: PerDirection::default(),
        tcp_handshake_us: flow.handshake_us,
        traffic: PerDirection::default(),
        ping_rtts_us: Sketch::default(),
        longest_silence: None,
        findings: common.ledger.into_counts(),
    };
    out.say(&common.identity, seen, None, What::Closed(&summary))
}

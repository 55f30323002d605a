//! One WebSocket connection, from the 101 to its end: both directions, what each begins with, and how each ends.
//!
//! In: runs of both directions. Out: events, through its [`Conversation`]; and whether what it keeps may have changed. It ends
//! as RFC 6455 §7.1.4 to §7.1.6 say, which `verdict.rs` decides. Frames are decoded in `direction.rs`.

mod memory;
mod refused;

use super::conversation::{Conversation, Ending, Note};
use super::direction::DirectionState;
use super::leftover::Leftover;
use super::memory::Growth;
use super::pending::Pending;
use super::turn::Turn;
use super::verdict::Verdict;
use crate::event::{Http2, Identity, Sink, Traffic, What};
use crate::http::{SNIFF_BYTES, Sniffed, sniff};
use crate::stream::{EndReason, Run};
use crate::types::{Detail, Direction, FindingCode, PacketRef, PerDirection};
use crate::websocket::Violation;
use crate::websocket::resync::FrameSearch;
use crate::websocket::{CheckedHandshake, Handshake, HandshakeFault};

pub(super) use refused::refuse;

/// One connection.
pub(super) struct WebSocket {
    directions: PerDirection<DirectionState>,
    conversation: Conversation,
    handshake: Handshake,
    /// Bytes that the handshake keeps; they do not change.
    handshake_held: usize,
    handshake_seen: bool,
    /// The packet that made it a WebSocket, where that was captured.
    opened: Option<PacketRef>,
    /// What each direction turned out to begin with.
    beginnings: PerDirection<Beginning>,
    /// Which direction gathered nothing when it was last looked at.
    rested: PerDirection<bool>,
    ends: PerDirection<Option<(EndReason, PacketRef)>>,
}

/// What a direction begins with after the handshake.
enum Beginning {
    /// Too few bytes came to distinguish frames from HTTP. No frame that is allowed begins as HTTP does, but for those of
    /// compressed messages; so hardly any frame ever waits.
    Unknown(Pending),
    Frames,
    Http,
}

impl Default for Beginning {
    fn default() -> Self {
        Self::Unknown(Pending::default())
    }
}

/// What was gathered of a connection whose beginning was not captured, in which frames were recognized.
pub(super) struct Gathered {
    /// The bytes of each direction.
    pub(super) resyncs: PerDirection<FrameSearch>,
    /// Whether those of the client begin with a frame.
    pub(super) boundary: bool,
}

impl WebSocket {
    /// Begins with the handshake that made it one, and emits that.
    pub(super) fn open<S: Sink>(identity: Identity, judged: CheckedHandshake, turn: &mut Turn<'_, S>) -> Self {
        let mut conversation = Conversation::new(identity, turn.shared);
        conversation.emit_carriers(turn);
        let handshake = record_handshake(&mut conversation, judged, turn);
        turn.emit(&conversation.identity, None, What::Upgraded(&handshake));
        if let Some(reader) = turn.shared.readers.reader(&handshake) {
            conversation.read_by(reader, turn.shared);
        }
        let negotiated = handshake.negotiated;
        Self {
            directions: PerDirection::from_fn(|direction| DirectionState::new(direction, negotiated)),
            conversation,
            handshake_held: handshake.held(),
            handshake_seen: handshake.response.is_some(),
            handshake,
            opened: Some(turn.seen),
            beginnings: PerDirection::default(),
            rested: PerDirection::default(),
            ends: PerDirection::default(),
        }
    }

    /// Begins mid-stream, with what was gathered of each direction.
    pub(super) fn adopt<S: Sink>(
        identity: Identity,
        judged: CheckedHandshake,
        (gathered, detail): (Gathered, Detail),
        turn: &mut Turn<'_, S>,
    ) -> Self {
        let mut websocket = Self::open(identity, judged, turn);
        websocket.opened = None;
        websocket.beginnings = PerDirection { to_server: Beginning::Frames, to_client: Beginning::Frames };
        let PerDirection { to_server, to_client } = &mut websocket.directions;
        let conversation = &mut websocket.conversation;
        let mut growth = conversation.record(((FindingCode::Midstream, detail), None, turn.seen), turn);
        if gathered.boundary {
            growth |= to_server.begin_with(&gathered.resyncs.to_server, conversation, turn);
        } else {
            growth |= to_server.begin_lost(gathered.resyncs.to_server, conversation, turn);
            growth |= to_server.resynchronize(true, conversation, turn).1;
        }
        growth |= to_client.begin_lost(gathered.resyncs.to_client, conversation, turn);
        growth |= to_client.resynchronize(true, conversation, turn).1;
        // It is new: all of it is counted when the turn is over.
        growth.counted_anyway();
        websocket
    }

    /// The head before this direction's frames was cut off: where they begin is not known.
    pub(super) fn begin_lost<S: Sink>(&mut self, direction: Direction, turn: &mut Turn<'_, S>) -> Growth {
        *self.beginnings.get_mut(direction) = Beginning::Frames;
        let resync = FrameSearch::new(turn.shared.limits.max_resync_bytes);
        self.directions.get_mut(direction).begin_lost(resync, &mut self.conversation, turn)
    }

    /// Takes the next run of one direction.
    #[inline]
    pub(super) fn run<S: Sink>(&mut self, direction: Direction, run: Run<'_>, turn: &mut Turn<'_, S>) -> Growth {
        let growth = match run {
            Run::Data(bytes) => self.data(direction, bytes, turn),
            Run::Gap(len) => {
                self.begin_frames(direction, turn)
                    | self.directions.get_mut(direction).gap(len, &mut self.conversation, turn)
            }
            Run::End(reason) => self.end(direction, reason, turn),
        };
        growth | self.gathering(direction)
    }

    /// Records a finding of the layers before, or of the HTTP/2 connection around it.
    pub(super) fn record<S: Sink>(&mut self, note: Note, turn: &mut Turn<'_, S>) -> Growth {
        self.conversation.record(note, turn)
    }

    /// Records something that is wrong in the layers before.
    pub(super) fn fault<S: Sink>(
        &mut self,
        direction: Direction,
        violation: Violation,
        turn: &mut Turn<'_, S>,
    ) -> Growth {
        self.conversation.record((violation, Some(direction), turn.seen), turn)
    }

    /// Ends it: emits what is still open, and the summary, with what HTTP/2 shows beyond that.
    pub(super) fn close<S: Sink>(mut self, http2: Option<Http2>, reason: EndReason, turn: &mut Turn<'_, S>) {
        for direction in Direction::BOTH {
            self.end(direction, reason, turn).counted_anyway();
        }
        self.conversation.give_up_pings(reason, turn).counted_anyway();
        let Self { directions, conversation, handshake, ends, .. } = self;
        let (first_close, closes) = conversation.closing();
        let verdict = Verdict::of(first_close, closes, &ends, turn.tls);
        let mut traffic = PerDirection {
            to_server: directions.to_server.into_traffic(),
            to_client: directions.to_client.into_traffic(),
        };
        for direction in Direction::BOTH {
            let one: &mut Traffic = traffic.get_mut(direction);
            let counters = turn.flow.counters.get(direction);
            one.retransmissions = counters.retransmissions.into();
            one.out_of_order = counters.out_of_order.into();
        }
        let ending = Ending {
            handshake,
            handshake_seen: self.handshake_seen,
            opened: self.opened,
            last: turn.flow.carrier.last,
            last_byte: conversation.last_byte(),
            verdict,
            tcp_ends: ends,
            traffic,
            http2,
        };
        conversation.summary(ending, turn);
    }

    /// Takes bytes of one packet.
    fn data<S: Sink>(&mut self, direction: Direction, bytes: &[u8], turn: &mut Turn<'_, S>) -> Growth {
        self.conversation.packet(direction, turn);
        let mut growth = Growth::NONE;
        if !matches!(self.beginnings.get(direction), Beginning::Frames) {
            growth = self.begin(direction, bytes, turn);
            if !matches!(self.beginnings.get(direction), Beginning::Frames) {
                return growth;
            }
        }
        growth | self.directions.get_mut(direction).data(bytes, &mut self.conversation, turn)
    }

    /// Decides whether `bytes` are frames. HTTP in their place is a finding; too few bytes to decide wait.
    fn begin<S: Sink>(&mut self, direction: Direction, bytes: &[u8], turn: &mut Turn<'_, S>) -> Growth {
        let beginning = self.beginnings.get_mut(direction);
        let Beginning::Unknown(waiting) = beginning else { return Growth::NONE };
        let mut first = [0; SNIFF_BYTES];
        let len = first.iter_mut().zip(waiting.front_bytes().iter().chain(bytes)).map(|(to, from)| *to = *from).count();
        match sniff(first.get(..len).unwrap_or_default()) {
            Sniffed::NeedMore => {
                waiting.push(Run::Data(bytes), turn.seen, SNIFF_BYTES);
                Growth::SOME
            }
            Sniffed::Http1(_) => {
                *beginning = Beginning::Http;
                let violation = (FindingCode::HttpAfterUpgrade, Detail::None);
                self.conversation.record((violation, Some(direction), turn.seen), turn) | Growth::SOME
            }
            _ => self.begin_frames(direction, turn),
        }
    }

    /// From here on there are frames, and the bytes that waited are the first.
    fn begin_frames<S: Sink>(&mut self, direction: Direction, turn: &mut Turn<'_, S>) -> Growth {
        let beginning = self.beginnings.get_mut(direction);
        let Beginning::Unknown(waiting) = beginning else { return Growth::NONE };
        let mut waiting = core::mem::take(waiting);
        *beginning = Beginning::Frames;
        let mut growth = Growth::SOME;
        let (state, conversation) = (self.directions.get_mut(direction), &mut self.conversation);
        waiting.offer(|run, seen| {
            if let Run::Data(data) = run {
                growth |= state.data(data, conversation, &mut turn.at(seen));
            }
            Leftover::Nothing
        });
        growth
    }

    /// Takes the end of one direction.
    fn end<S: Sink>(&mut self, direction: Direction, reason: EndReason, turn: &mut Turn<'_, S>) -> Growth {
        if self.ends.get(direction).is_some() {
            return Growth::NONE;
        }
        match reason {
            EndReason::Fin => self.conversation.emit_packet(Some(direction), turn),
            EndReason::Rst(by) => self.conversation.emit_packet(Some(by), turn),
            EndReason::Idle | EndReason::Reused | EndReason::CaptureOver => {}
        }
        *self.ends.get_mut(direction) = Some((reason, turn.seen));
        self.begin_frames(direction, turn) | self.directions.get_mut(direction).finish(&mut self.conversation, turn)
    }
}

/// Records a handshake's findings, each at the packet that ended its head.
fn record_handshake<S: Sink>(
    conversation: &mut Conversation,
    CheckedHandshake { handshake, faults }: CheckedHandshake,
    turn: &mut Turn<'_, S>,
) -> Handshake {
    for HandshakeFault { code, direction, detail } in faults {
        let at = match direction {
            Direction::ToServer => handshake.request.as_ref().map(|request| request.seen),
            Direction::ToClient => handshake.response.as_ref().map(|response| response.seen),
        };
        let note = ((code, detail), Some(direction), at.unwrap_or(turn.seen));
        // Its conversation is new: all of it is counted when the turn is over.
        conversation.record(note, turn).counted_anyway();
    }
    handshake
}

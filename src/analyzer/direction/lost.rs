//! A direction that has lost its frame boundary, and how it goes on at the next; `websocket/resync.rs` does the search.

use super::DirectionState;
use crate::analyzer::conversation::Conversation;
use crate::analyzer::memory::Growth;
use crate::analyzer::turn::Turn;
use crate::event::Sink;
use crate::types::{Detail, Direction, FindingCode};
use crate::websocket::FrameDecoder;
use crate::websocket::resync::{Boundary, ExpectedFrames, FrameSearch};

/// A frame boundary is looked for.
pub(super) struct Lost {
    pub(super) resync: FrameSearch,
    /// It is no finding when it is found: the connection's beginning was not captured.
    pub(super) silent: bool,
}

impl DirectionState {
    /// Begins where no boundary is known: after a head that was cut off, or mid-stream. `resync` has gathered the bytes so
    /// far.
    pub(in crate::analyzer) fn begin_lost<S: Sink>(
        &mut self,
        resync: FrameSearch,
        conversation: &mut Conversation,
        turn: &mut Turn<'_, S>,
    ) -> Growth {
        self.decoder.gap(&mut None);
        self.unknown_message = true;
        self.compression.lose_beginning(&mut turn.shared.pool);
        self.lost = Some(Box::new(Lost { resync, silent: true }));
        conversation.gap(self.direction, turn) | Growth::SOME
    }

    /// Begins with a frame: the first of those that were gathered, and nothing is missing before it.
    pub(in crate::analyzer) fn begin_with<S: Sink>(
        &mut self,
        gathered: &FrameSearch,
        conversation: &mut Conversation,
        turn: &mut Turn<'_, S>,
    ) -> Growth {
        let mut growth = Growth::NONE;
        for (piece, seen) in gathered.packets_from(&Boundary::at_start()) {
            growth |= self.frames(piece, conversation, &mut turn.at(seen));
        }
        growth
    }

    /// A gap took the boundary: the open frame and message cannot be continued. `rest` of the gap lies after the last
    /// boundary.
    pub(super) fn lose<S: Sink>(
        &mut self,
        rest: Option<u64>,
        conversation: &mut Conversation,
        turn: &mut Turn<'_, S>,
    ) -> Growth {
        let mut growth = Growth::SOME;
        if let Some(frame) = self.frame.take() {
            growth |= self.frame_over(frame, false, conversation, turn);
        }
        self.compression.lose_beginning(&mut turn.shared.pool);
        growth |= self.drop_message(conversation, turn);
        let mut resync = FrameSearch::new(turn.shared.limits.max_resync_bytes);
        resync.gap(rest, &self.expect());
        self.lost_at = self.position;
        self.unknown_message = true;
        self.lost = Some(Box::new(Lost { resync, silent: false }));
        growth | conversation.gap(self.direction, turn)
    }

    /// Looks for the boundary that was lost, and goes on after it. Whether it was found.
    pub(in crate::analyzer) fn resynchronize<S: Sink>(
        &mut self,
        now: bool,
        conversation: &mut Conversation,
        turn: &mut Turn<'_, S>,
    ) -> (bool, Growth) {
        let expect = self.expect();
        let Some(found) = self.lost.as_mut().and_then(|lost| lost.resync.find(&expect, now)) else {
            return (false, Growth::NONE);
        };
        let Some(lost) = self.lost.take() else { return (false, Growth::NONE) };
        self.decoder = FrameDecoder::new();
        self.position = self.lost_at.saturating_add(found.passed);
        self.counts.traffic.passed_bytes = self.counts.traffic.passed_bytes.saturating_add(found.passed);
        let mut growth = Growth::SOME;
        if !lost.silent {
            let (passed, ppm) = (found.passed, found.confidence_ppm());
            let bytes = if passed == 1 { "byte" } else { "bytes" };
            let detail = format!("{passed} {bytes} passed over, confidence {}.{:04} %", ppm / 10_000, ppm % 10_000);
            growth |= self.record(FindingCode::Resynchronized, Detail::text(detail), conversation, turn);
        }
        for (piece, seen) in lost.resync.packets_from(&found) {
            growth |= self.frames(piece, conversation, &mut turn.at(seen));
        }
        (true, growth)
    }

    /// What this sender's frames look like.
    pub(super) fn expect(&self) -> ExpectedFrames {
        let masked = self.masked.unwrap_or(self.direction == Direction::ToServer);
        ExpectedFrames { masked, deflate: self.compression.is_negotiated(), unknown_extension: self.unknown_extension }
    }
}

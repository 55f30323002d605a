//! A state that has lost its frame boundary, and how it finds the next (the search itself is the websocket floor's).

use super::DirectionState;
use crate::analyzer::shared::Out;
use crate::analyzer::websocket::Conversation;
use crate::event::Sink;
use crate::types::{Detail, Direction, FindingCode, PacketRef};
use crate::websocket::FrameDecoder;
use crate::websocket::resync::{Boundary, ExpectedFrames, FrameSearch};

/// A frame boundary is looked for.
pub(super) struct Lost {
    pub(super) resync: FrameSearch,
    /// Nobody needs to be told when it is found: the connection's beginning was not captured.
    pub(super) silent: bool,
}

impl DirectionState {
    /// Begins where no boundary is known: after a head that was cut off, or in the middle of a connection. `resync` has
    /// gathered what came so far.
    pub(in crate::analyzer) fn begin_lost(&mut self, resync: FrameSearch) {
        self.decoder.gap(&mut None);
        self.unknown_message = true;
        self.context_lost = true;
        self.lost = Some(Box::new(Lost { resync, silent: true }));
    }

    /// Begins with a frame: the first of what was gathered, and nothing is missing before it.
    pub(in crate::analyzer) fn begin_with<S: Sink>(
        &mut self,
        gathered: &FrameSearch,
        conversation: &mut Conversation,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        for (piece, seen) in gathered.packets_from(&Boundary::at_start()) {
            self.frames(piece, seen, conversation, out)?;
        }
        Ok(())
    }

    /// A hole took the boundary: nothing is known of what was open. `rest` of the hole lies behind the last boundary.
    pub(super) fn lose<S: Sink>(
        &mut self,
        rest: Option<u64>,
        seen: PacketRef,
        conversation: &mut Conversation,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        if let Some(frame) = self.frame.take() {
            self.tell_frame(frame, seen, false, conversation, out)?;
        }
        self.context_lost = true;
        if let Some(inflater) = &mut self.inflater {
            inflater.lose_context(&mut out.shared.pool);
        }
        self.drop_message(seen, conversation, out)?;
        let mut resync = FrameSearch::new(out.shared.limits.max_resync_bytes);
        resync.gap(rest, &self.expect());
        self.lost_at = self.position;
        self.unknown_message = true;
        self.lost = Some(Box::new(Lost { resync, silent: false }));
        Ok(())
    }

    /// Looks for the boundary that was lost; goes on behind it, if it is there.
    pub(in crate::analyzer) fn resynchronize<S: Sink>(
        &mut self,
        now: bool,
        seen: PacketRef,
        conversation: &mut Conversation,
        out: &mut Out<'_, S>,
    ) -> Result<bool, S::Error> {
        let expect = self.expect();
        let Some(found) = self.lost.as_mut().and_then(|lost| lost.resync.find(&expect, now)) else { return Ok(false) };
        let Some(lost) = self.lost.take() else { return Ok(false) };
        self.decoder = FrameDecoder::new();
        self.position = self.lost_at.saturating_add(found.passed);
        self.traffic.passed_bytes = self.traffic.passed_bytes.saturating_add(found.passed);
        if !lost.silent {
            let (passed, ppm) = (found.passed, found.confidence_ppm());
            let bytes = if passed == 1 { "byte" } else { "bytes" };
            let detail = format!("{passed} {bytes} passed over, confidence {}.{:04} %", ppm / 10_000, ppm % 10_000);
            self.tell(FindingCode::Resynchronized, Detail::text(detail), seen, conversation, out)?;
        }
        for (piece, seen) in lost.resync.packets_from(&found) {
            self.frames(piece, seen, conversation, out)?;
        }
        Ok(true)
    }

    /// What this sender's frames look like.
    pub(super) fn expect(&self) -> ExpectedFrames {
        let masked = self.masked.unwrap_or(self.direction == Direction::ToServer);
        ExpectedFrames { masked, deflate: self.deflate.is_some(), unknown_extension: self.unknown_extension }
    }
}

//! What a lane keeps, and what it lets go when memory is spent.

use super::{CONTROL_KEEP, Kind, Lane, Lost, OpenFrame};
use crate::analyzer::shared::Shared;
use crate::ground::Seen;
use crate::tcp::Depth;
use crate::websocket::inflate::Inflater;
use crate::websocket::rules::Broken;

impl Lane {
    /// Bytes that it keeps besides itself. Asked after each piece of the stream, so nothing is looked at that is not at
    /// hand.
    #[inline]
    pub(in crate::analyzer) fn held(&self) -> usize {
        let sketches = self.traffic.message_len.held() + self.traffic.message_gap_us.held();
        let inflater = self.inflater.as_ref().map_or(0, |inflater| size_of::<Inflater>() + inflater.held());
        self.gathered() + inflater + sketches
    }

    /// Of these, bytes that are let go when memory is spent.
    pub(in crate::analyzer) fn burden(&self, depth: Depth) -> usize {
        match depth {
            Depth::Content => self.gathered(),
            Depth::Context => self.gathered() + self.inflater.as_ref().map_or(0, |inflater| inflater.held()),
        }
    }

    #[inline]
    fn gathered(&self) -> usize {
        let frame = self.frame.as_ref().map_or(0, OpenFrame::held);
        let message = self.message.as_ref().map_or(0, |message| message.held());
        let lost = self.lost.as_ref().map_or(0, |lost| size_of::<Lost>() + lost.resync.held());
        frame + message + lost
    }

    /// Lets go of what it can: content is counted and checked on, and not shown; a search for a boundary goes on behind
    /// what it had; a context of compression is as lost as if bytes were missing.
    pub(in crate::analyzer) fn shed(&mut self, depth: Depth, shared: &mut Shared) {
        if let Some(frame) = &mut self.frame {
            frame.shed();
        }
        if let Some(message) = &mut self.message {
            message.forget_content();
        }
        if let Some(lost) = &mut self.lost {
            lost.resync.give_up();
        }
        if let (Depth::Context, Some(inflater)) = (depth, &mut self.inflater) {
            inflater.shed(&mut shared.pool);
        }
    }
}

impl OpenFrame {
    #[inline]
    const fn held(&self) -> usize {
        self.kept.capacity() + self.broken.capacity() * size_of::<(Seen, Broken)>()
    }

    fn shed(&mut self) {
        // What a Close says is needed to judge it.
        let keep = if self.kind == Kind::Control { CONTROL_KEEP } else { 0 };
        if self.kept.len() > keep {
            self.kept.truncate(keep);
            self.kept.shrink_to_fit();
        }
        self.keep = self.keep.min(keep);
    }
}

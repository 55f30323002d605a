//! What a state keeps, and what it lets go when memory is spent.

use super::{CONTROL_KEEP, DirectionState, Kind, Lost, OpenFrame};
use crate::analyzer::shared::Shared;
use crate::tcp::Depth;
use crate::types::PacketRef;
use crate::websocket::inflate::Inflater;
use crate::websocket::rules::Violation;

impl DirectionState {
    /// Bytes that it keeps besides itself.
    pub(in crate::analyzer) fn held(&self) -> usize {
        let sketches = self.traffic.message_len.held() + self.traffic.message_gap_us.held();
        let inflater = self.inflater.as_ref().map_or(0, |inflater| size_of::<Inflater>() + inflater.held());
        self.gathered() + inflater + sketches
    }

    /// Whether nothing is gathered: of a frame or message under way, nothing is kept, and no context of compression grows.
    #[inline]
    pub(in crate::analyzer) fn is_at_rest(&self) -> bool {
        self.frame.as_ref().is_none_or(|frame| frame.held() == 0)
            && self.message.as_ref().is_none_or(|message| message.held() == 0 && !message.compressed)
            && self.lost.is_none()
    }

    /// Of these, bytes that are let go when memory is spent.
    pub(in crate::analyzer) fn sheddable_bytes(&self, depth: Depth) -> usize {
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
    /// what it had; a context of compression is as lost as if bytes were missing. Gives how many bytes that was.
    pub(in crate::analyzer) fn shed(&mut self, depth: Depth, shared: &mut Shared) -> u64 {
        let frame = self.frame.as_mut().map_or(0, OpenFrame::shed);
        let message = self.message.as_mut().map_or(0, |message| message.discard_content());
        let lost = self.lost.as_mut().map_or(0, |lost| lost.resync.discard());
        let context = match (depth, &mut self.inflater) {
            (Depth::Context, Some(inflater)) => inflater.shed(&mut shared.pool),
            _ => 0,
        };
        frame + message + lost + context
    }
}

impl OpenFrame {
    #[inline]
    const fn held(&self) -> usize {
        self.kept.capacity() + self.broken.capacity() * size_of::<(PacketRef, Violation)>()
    }

    fn shed(&mut self) -> u64 {
        // What a Close says is needed to judge it.
        let keep = if self.kind == Kind::Control { CONTROL_KEEP } else { 0 };
        let over = self.kept.len().saturating_sub(keep);
        if over > 0 {
            self.kept.truncate(keep);
            self.kept.shrink_to_fit();
        }
        self.keep = self.keep.min(keep);
        over as u64
    }
}

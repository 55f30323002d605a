//! What a direction keeps, and what it frees when memory is spent.

use super::DirectionState;
use super::lost::Lost;
use super::open_frame::OpenFrame;
use crate::analyzer::shared::Shared;
use crate::tcp::Depth;

impl DirectionState {
    /// Bytes that it keeps besides itself.
    pub(in crate::analyzer) fn held(&self) -> usize {
        self.gathered() + self.compression.held() + self.counts.held()
    }

    /// Whether nothing is gathered: nothing is kept of a frame or message under way, and no context of compression grows.
    #[inline]
    pub(in crate::analyzer) fn is_at_rest(&self) -> bool {
        self.frame.as_ref().is_none_or(|frame| frame.held() == 0)
            && self.message.as_ref().is_none_or(|message| message.held() == 0 && !message.compressed)
            && self.lost.is_none()
    }

    /// Bytes that [`Self::shed`] frees.
    pub(in crate::analyzer) fn sheddable_bytes(&self, depth: Depth) -> usize {
        self.gathered() + self.compression.sheddable_bytes(depth)
    }

    #[inline]
    fn gathered(&self) -> usize {
        let frame = self.frame.as_ref().map_or(0, OpenFrame::held);
        let message = self.message.as_ref().map_or(0, |message| message.held());
        let lost = self.lost.as_ref().map_or(0, |lost| size_of::<Lost>() + lost.resync.held());
        frame + message + lost
    }

    /// Memory is spent: content is counted and checked on, and not shown; a search for a boundary goes on after the bytes it
    /// had; a context of compression is lost. Gives how many bytes that freed.
    pub(in crate::analyzer) fn shed(&mut self, depth: Depth, shared: &mut Shared) -> u64 {
        let frame = self.frame.as_mut().map_or(0, OpenFrame::shed);
        let message = self.message.as_mut().map_or(0, |message| message.discard_content());
        let lost = self.lost.as_mut().map_or(0, |lost| lost.resync.discard());
        frame + message + lost + self.compression.shed(depth, &mut shared.pool)
    }
}

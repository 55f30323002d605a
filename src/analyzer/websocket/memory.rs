//! What a WebSocket keeps, and what it lets go when memory is spent.

use super::{Conversation, Opening, WebSocket};
use crate::analyzer::shared::Shared;
use crate::event::CloseSent;
use crate::tcp::Depth;
use crate::types::Direction;

impl WebSocket {
    /// Bytes that it keeps, itself included.
    pub(in crate::analyzer) fn held(&self) -> usize {
        let Self { directions, conversation, openings, handshake_held, .. } = self;
        let directions = |direction| directions.get(direction).held() + openings.get(direction).held();
        size_of::<Self>()
            + handshake_held
            + conversation.held()
            + Direction::BOTH.map(directions).into_iter().sum::<usize>()
    }

    /// Whether a direction gathers nothing now, and gathered nothing when that was last asked: then nothing has changed, but
    /// for what says so itself ([`crate::analyzer::memory::Memory::grown`]).
    #[inline]
    pub(in crate::analyzer) fn is_at_rest(&mut self, direction: Direction) -> bool {
        let rests =
            self.directions.get(direction).is_at_rest() && matches!(self.openings.get(direction), Opening::Frames);
        core::mem::replace(self.rested.get_mut(direction), rests) && rests
    }

    /// Bytes that [`Self::shed`] lets go.
    pub(in crate::analyzer) fn sheddable_bytes(&self, depth: Depth) -> usize {
        self.directions.to_server.sheddable_bytes(depth) + self.directions.to_client.sheddable_bytes(depth)
    }

    /// Memory is spent: lets go of what it can. Gives how many bytes that was.
    pub(in crate::analyzer) fn shed(&mut self, depth: Depth, shared: &mut Shared) -> u64 {
        self.directions.to_server.shed(depth, shared) + self.directions.to_client.shed(depth, shared)
    }
}

impl Conversation {
    /// Bytes that it keeps besides itself.
    #[inline]
    fn held(&self) -> usize {
        let reason = |close: &Option<CloseSent>| close.as_ref().map_or(0, |close| close.reason.capacity());
        self.findings.held()
            + self.ping_rtts_us.held()
            + self.pings.to_server.held()
            + self.pings.to_client.held()
            + reason(&self.closes.to_server)
            + reason(&self.closes.to_client)
    }
}

impl Opening {
    #[inline]
    fn held(&self) -> usize {
        if let Self::Unknown(waiting) = self { waiting.held() } else { 0 }
    }
}

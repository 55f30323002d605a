//! What a WebSocket keeps, and what it lets go when memory is spent.

use super::{Common, Opening, WebSocket};
use crate::analyzer::shared::Shared;
use crate::event::CloseSent;
use crate::ground::Direction;
use crate::tcp::Depth;

impl WebSocket {
    /// Bytes that it keeps, itself included.
    pub(in crate::analyzer) fn held(&self) -> usize {
        let Self { lanes, common, openings, handshake_held, .. } = self;
        let directions = |direction| lanes.get(direction).held() + openings.get(direction).held();
        size_of::<Self>() + handshake_held + common.held() + Direction::BOTH.map(directions).into_iter().sum::<usize>()
    }

    /// Whether a direction gathers nothing now, and gathered nothing when that was last asked: then nothing has changed, but
    /// for what says so itself ([`crate::analyzer::memory::Memory::grown`]).
    #[inline]
    pub(in crate::analyzer) fn is_at_rest(&mut self, direction: Direction) -> bool {
        let rests = self.lanes.get(direction).is_at_rest() && matches!(self.openings.get(direction), Opening::Frames);
        core::mem::replace(self.rested.get_mut(direction), rests) && rests
    }

    /// Bytes that [`Self::shed`] lets go.
    pub(in crate::analyzer) fn burden(&self, depth: Depth) -> usize {
        self.lanes.to_server.burden(depth) + self.lanes.to_client.burden(depth)
    }

    /// Memory is spent: lets go of what it can. Gives how many bytes that was.
    pub(in crate::analyzer) fn shed(&mut self, depth: Depth, shared: &mut Shared) -> u64 {
        self.lanes.to_server.shed(depth, shared) + self.lanes.to_client.shed(depth, shared)
    }
}

impl Common {
    /// Bytes that it keeps besides itself.
    #[inline]
    fn held(&self) -> usize {
        let reason = |close: &Option<CloseSent>| close.as_ref().map_or(0, |close| close.reason.capacity());
        self.ledger.held()
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

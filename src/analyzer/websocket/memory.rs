//! What a WebSocket keeps, and what it lets go when memory is spent.

use super::{Common, Opening, WebSocket};
use crate::analyzer::shared::Shared;
use crate::event::CloseSent;
use crate::ground::{Direction, PerDirection};
use crate::tcp::Depth;

impl WebSocket {
    /// Bytes that it keeps, itself included.
    pub(in crate::analyzer) fn held(&self) -> usize {
        let Self { lanes, common, openings, handshake_held, .. } = self;
        let directions = |direction| lanes.get(direction).held() + openings.get(direction).held();
        size_of::<Self>() + handshake_held + common.held() + Direction::BOTH.map(directions).into_iter().sum::<usize>()
    }

    /// The same, and remembers it for [`Self::has_changed`].
    pub(in crate::analyzer) fn count(&mut self) -> usize {
        self.counted = PerDirection::from_fn(|direction| self.weight(direction));
        self.held()
    }

    /// Whether it keeps more or less than when it was counted, given that only one direction was touched.
    #[inline]
    pub(in crate::analyzer) fn has_changed(&self, direction: Direction) -> bool {
        self.weight(direction) != *self.counted.get(direction)
    }

    /// What may have changed when one direction was touched.
    #[inline]
    fn weight(&self, direction: Direction) -> usize {
        self.lanes.get(direction).held() + self.openings.get(direction).held() + self.common.held()
    }

    /// Bytes that [`Self::shed`] lets go.
    pub(in crate::analyzer) fn burden(&self, depth: Depth) -> usize {
        self.lanes.to_server.burden(depth) + self.lanes.to_client.burden(depth)
    }

    /// Memory is spent: lets go of what it can.
    pub(in crate::analyzer) fn shed(&mut self, depth: Depth, shared: &mut Shared) {
        self.lanes.to_server.shed(depth, shared);
        self.lanes.to_client.shed(depth, shared);
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

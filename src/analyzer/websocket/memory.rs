//! What a WebSocket keeps, and what it frees when memory is spent.

use super::{Beginning, WebSocket};
use crate::analyzer::memory::Growth;
use crate::analyzer::shared::Shared;
use crate::tcp::Depth;
use crate::types::Direction;

impl WebSocket {
    /// Bytes that it keeps, itself included.
    pub(in crate::analyzer) fn held(&self) -> usize {
        let Self { directions, conversation, beginnings, handshake_held, .. } = self;
        let directions = |direction| directions.get(direction).held() + beginnings.get(direction).held();
        size_of::<Self>()
            + handshake_held
            + conversation.held()
            + Direction::BOTH.map(directions).into_iter().sum::<usize>()
    }

    /// Growth, unless a direction gathers nothing now and gathered nothing at the last call: a packet of complete messages
    /// costs a few loads.
    #[inline]
    pub(super) fn gathering(&mut self, direction: Direction) -> Growth {
        let rests =
            self.directions.get(direction).is_at_rest() && matches!(self.beginnings.get(direction), Beginning::Frames);
        let rested = core::mem::replace(self.rested.get_mut(direction), rests);
        Growth::of(!(rests && rested))
    }

    /// Bytes that [`Self::shed`] frees.
    pub(in crate::analyzer) fn sheddable_bytes(&self, depth: Depth) -> usize {
        self.directions.to_server.sheddable_bytes(depth)
            + self.directions.to_client.sheddable_bytes(depth)
            + self.conversation.sheddable_bytes()
    }

    /// Memory is spent: frees what it can. Gives how many bytes that was.
    pub(in crate::analyzer) fn shed(&mut self, depth: Depth, shared: &mut Shared) -> u64 {
        self.directions.to_server.shed(depth, shared)
            + self.directions.to_client.shed(depth, shared)
            + self.conversation.shed()
    }
}

impl Beginning {
    #[inline]
    fn held(&self) -> usize {
        if let Self::Unknown(waiting) = self { waiting.held() } else { 0 }
    }
}

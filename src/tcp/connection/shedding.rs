//! What a connection lets go when memory is short.

use super::{Connection, Dropped, Fate, Turn, settle};
use crate::stream::EndReason;
use crate::stream::Interest;
use crate::tcp::flow::Side;
use crate::tcp::handler::{Depth, Handler};

impl<S> Connection<S> {
    /// Bytes that [`Self::shed`] would let go.
    pub(in crate::tcp) fn sheddable_bytes<H: Handler<State = S>>(&self, depth: Depth, handler: &H) -> usize {
        self.held().saturating_add(handler.sheddable_bytes(&self.state, depth))
    }

    /// Memory is short: holes are given up, what was gathered is let go.
    pub(in crate::tcp) fn shed<H: Handler<State = S>>(&mut self, depth: Depth, turn: &mut Turn<'_, H>) -> Fate {
        for side in [Side::Low, Side::High] {
            let fate = settle(self.shed_direction(side, turn));
            if fate != Fate::Lives {
                return fate;
            }
        }
        match turn.handler.shed(&self.flow, &mut self.state, depth, turn.seen) {
            Interest::Drop => Fate::Dropped,
            Interest::Keep | Interest::Retain => Fate::Lives,
        }
    }

    fn shed_direction<H>(&mut self, side: Side, turn: &mut Turn<'_, H>) -> Result<Fate, Dropped>
    where
        H: Handler<State = S>,
    {
        if self.assemblers.get(side).has_ended() {
            return Ok(Fate::Lives);
        }
        if self.assemblers.get(side).holds_segments() {
            self.flush(side, turn)?;
        }
        let assembler = self.assemblers.get_mut(side);
        assembler.forget_history(turn.budget);
        if assembler.is_at_fin() { self.end(side, EndReason::Fin, turn) } else { Ok(Fate::Lives) }
    }
}

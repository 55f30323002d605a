//! What all connections of one worker share: buffers, the inflaters, the limits, the counts.

use super::memory::{Buffers, Memory};
use crate::event::{Event, Identity, Sink, Totals, What};
use crate::ground::{Direction, Limits, Seen};
use crate::websocket::inflate::InflaterPool;

/// How much payload the outputs want. What nobody wants is neither kept nor, where nobody checks it, unmasked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Demand {
    /// Bytes of each message's content.
    pub content_bytes: u64,
    /// Bytes of each frame's payload.
    pub frame_bytes: u64,
}

/// What all connections share.
pub(super) struct Shared {
    /// What may be kept.
    pub(super) limits: Limits,
    /// What outputs want.
    pub(super) demand: Demand,
    /// The label of this input.
    pub(super) capture: Box<str>,
    /// The inflaters.
    pub(super) pool: InflaterPool,
    /// Buffers to lend.
    pub(super) buffers: Buffers,
    /// What is kept.
    pub(super) memory: Memory,
    /// Unmasked payload lies here while it is looked at.
    pub(super) scratch: Vec<u8>,
    /// Whether connections without a handshake are looked for.
    pub(super) mid_stream: bool,
    /// The number of the next WebSocket connection.
    pub(super) next_connection: u64,
    /// What was counted.
    pub(super) totals: Totals,
}

impl Shared {
    /// How many bytes of a message's content are to be kept.
    pub(super) fn content_keep(&self) -> usize {
        usize::try_from(self.demand.content_bytes.min(self.limits.max_message_bytes)).unwrap_or(usize::MAX)
    }

    /// How many bytes of a frame's payload are to be kept.
    pub(super) fn frame_keep(&self) -> usize {
        usize::try_from(self.demand.frame_bytes.min(self.limits.max_message_bytes)).unwrap_or(usize::MAX)
    }
}

/// Where events go, and what making them needs.
pub(super) struct Out<'o, S> {
    /// Who listens.
    pub(super) sink: &'o mut S,
    /// What all connections share.
    pub(super) shared: &'o mut Shared,
}

impl<S: Sink> Out<'_, S> {
    /// Says something of a connection.
    pub(super) fn say(
        &mut self,
        connection: &Identity,
        seen: Seen,
        direction: Option<Direction>,
        what: What<'_>,
    ) -> Result<(), S::Error> {
        self.sink.event(&Event { seen, connection, direction, what })
    }
}

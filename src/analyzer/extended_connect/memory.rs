//! What streams keep, and what they free when memory is spent.

use super::{ExtendedConnect, HandshakeHalf, HttpConnection, StreamState};
use crate::analyzer::conversation::Note;
use crate::analyzer::turn::Turn;
use crate::event::Sink;
use crate::tcp::Depth;
use crate::websocket::{CheckedRequest, CheckedResponse};

impl<C: HttpConnection> ExtendedConnect<C> {
    /// Bytes that it keeps besides itself, without what the connection does.
    #[inline]
    pub(in crate::analyzer) fn held(&self) -> usize {
        self.kept + self.done.len() * size_of::<u64>() + self.pending_notes.capacity() * size_of::<Note>()
    }

    /// Bytes that are kept for one stream.
    pub(super) fn stream_held(&self, stream: u64) -> usize {
        self.streams.get(&stream).map_or(0, StreamState::held)
    }

    /// Counts what is kept after something happened on one stream, for which `before` bytes were kept before.
    pub(super) fn recount_stream(&mut self, stream: u64, before: usize) {
        if self.recount {
            return self.recount();
        }
        self.kept = self.kept.saturating_sub(before).saturating_add(self.stream_held(stream));
    }

    /// Counts what is kept after something happened on several streams.
    pub(super) fn recount(&mut self) {
        self.recount = false;
        self.kept = self.streams_held();
    }

    /// Bytes that all streams keep, each asked.
    pub(in crate::analyzer) fn streams_held(&self) -> usize {
        self.streams.values().map(StreamState::held).sum()
    }

    /// Bytes that they were last counted to keep.
    #[cfg(test)]
    pub(in crate::analyzer) const fn counted(&self) -> usize {
        self.kept
    }

    /// Bytes that [`Self::shed`] would free, or a little more.
    pub(in crate::analyzer) fn sheddable_bytes(&self, depth: Depth) -> usize {
        let of = |state: &StreamState| match state {
            StreamState::HandshakeHalf(half) => half.pending.to_server.held() + half.pending.to_client.held(),
            StreamState::Search(midstream) => midstream.held(),
            StreamState::Open(open) => open.websocket.sheddable_bytes(depth),
        };
        self.streams.values().map(of).sum()
    }

    /// Memory is spent: frees what it can, and gives how many bytes that was. What waits becomes a gap; searches end.
    pub(in crate::analyzer) fn shed<S: Sink>(&mut self, depth: Depth, turn: &mut Turn<'_, S>) -> u64 {
        let mut gone = 0;
        let mut searched = Vec::new();
        for (stream, state) in &mut self.streams {
            gone += match state {
                StreamState::HandshakeHalf(half) => half.pending.to_server.forget() + half.pending.to_client.forget(),
                StreamState::Search(midstream) => {
                    searched.push(*stream);
                    midstream.gathered()
                }
                StreamState::Open(open) => open.websocket.shed(depth, turn.shared),
            };
        }
        for stream in searched {
            self.forget(stream, turn.seen);
        }
        self.pending_cost = self.streams.values().map(StreamState::pending_cost).sum();
        self.recount();
        gone
    }
}

impl StreamState {
    /// What waits for the other half of a handshake.
    fn pending_cost(&self) -> usize {
        match self {
            Self::HandshakeHalf(half) => half.pending_cost(),
            _ => 0,
        }
    }

    fn held(&self) -> usize {
        match self {
            Self::HandshakeHalf(half) => half.held(),
            Self::Search(midstream) => midstream.held(),
            Self::Open(open) => open.held(),
        }
    }
}

impl HandshakeHalf {
    /// What waits, counted against the limit of what may wait.
    pub(super) fn pending_cost(&self) -> usize {
        self.pending.to_server.cost().saturating_add(self.pending.to_client.cost())
    }

    fn held(&self) -> usize {
        size_of::<Self>()
            + self.request.as_ref().map_or(0, CheckedRequest::held)
            + self.response.as_ref().map_or(0, |(response, _)| CheckedResponse::held(response))
            + self.pending.to_server.held()
            + self.pending.to_client.held()
    }
}

//! What a connection of HTTP/2 keeps, and what it lets go when memory is spent.

use super::stream::{HandshakeHalf, Open, StreamState};
use super::{Found, Http2};
use crate::analyzer::shared::Shared;
use crate::tcp::Depth;
use crate::types::PacketRef;
use crate::websocket::{CheckedRequest, CheckedResponse};

impl Http2 {
    /// Bytes that it keeps, itself included.
    #[inline]
    pub(in crate::analyzer) fn held(&self) -> usize {
        let searches = [&self.searches.to_server, &self.searches.to_client];
        let searched: usize = searches.into_iter().flatten().map(|search| size_of_val(&**search) + search.held()).sum();
        size_of::<Self>() + self.h2.held() + searched + self.kept + self.done.len() * size_of::<u32>()
    }

    /// Bytes that are kept for one stream.
    pub(super) fn stream_held(&self, stream: u32) -> usize {
        self.streams.get(&stream).map_or(0, StreamState::held)
    }

    /// Counts what is kept after a stream was touched for which so much was kept before; or after any was.
    pub(super) fn recount(&mut self, before: Option<(u32, usize)>) {
        self.kept = match before {
            Some((stream, before)) => self.kept.saturating_sub(before).saturating_add(self.stream_held(stream)),
            None => self.streams.values().map(StreamState::held).sum(),
        };
    }

    /// Bytes that [`Self::shed`] would let go, or a little more.
    pub(in crate::analyzer) fn sheddable_bytes(&self, depth: Depth) -> usize {
        let of = |talk: &StreamState| match talk {
            StreamState::HandshakeHalf(half) => half.waiting.to_server.held() + half.waiting.to_client.held(),
            StreamState::Search(midstream) => midstream.held(),
            StreamState::Open(open) => open.websocket.sheddable_bytes(depth),
        };
        self.streams.values().map(of).sum()
    }

    /// Memory is spent: lets go of what it can, and gives how many bytes that was. What waits becomes a hole; searches end.
    pub(in crate::analyzer) fn shed(&mut self, depth: Depth, seen: PacketRef, shared: &mut Shared) -> u64 {
        let mut gone = 0;
        let mut searched = Vec::new();
        for (stream, talk) in &mut self.streams {
            gone += match talk {
                StreamState::HandshakeHalf(half) => half.waiting.to_server.forget() + half.waiting.to_client.forget(),
                StreamState::Search(midstream) => {
                    searched.push(*stream);
                    midstream.gathered()
                }
                StreamState::Open(open) => open.websocket.shed(depth, shared),
            };
        }
        for stream in searched {
            self.forget(stream, seen);
        }
        self.waiting_bytes = self.streams.values().map(StreamState::waiting).sum();
        self.recount(None);
        gone
    }
}

impl Found<'_> {
    /// The stream that it concerns, if that is one.
    pub(super) const fn stream(&self) -> Option<u32> {
        match self {
            Self::Data(stream, _)
            | Self::Missing(stream, _)
            | Self::Ended(stream)
            | Self::Request(stream, ..)
            | Self::Response(stream, ..)
            | Self::Reset(stream, _) => Some(*stream),
            Self::Goaway(..) | Self::Lost | Self::NotHttp2 => None,
        }
    }
}

impl StreamState {
    /// What waits for the other half of a handshake.
    fn waiting(&self) -> usize {
        match self {
            Self::HandshakeHalf(half) => half.waiting.to_server.cost().saturating_add(half.waiting.to_client.cost()),
            _ => 0,
        }
    }

    fn held(&self) -> usize {
        match self {
            Self::HandshakeHalf(half) => half.held(),
            Self::Search(midstream) => midstream.held(),
            Self::Open(open) => size_of::<Open>() + open.websocket.held(),
        }
    }
}

impl HandshakeHalf {
    fn held(&self) -> usize {
        let answered = self.answered.as_ref().map_or(0, |(answered, _)| CheckedResponse::held(answered));
        size_of::<Self>()
            + self.asked.as_ref().map_or(0, CheckedRequest::held)
            + answered
            + self.waiting.to_server.held()
            + self.waiting.to_client.held()
    }
}

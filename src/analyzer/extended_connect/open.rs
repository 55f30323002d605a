//! A stream that is a WebSocket.

use crate::analyzer::memory::Growth;
use crate::analyzer::turn::Turn;
use crate::analyzer::websocket::WebSocket;
use crate::event::{Http2, Sink, StreamEnd, StreamEndKind};
use crate::http::h2::ErrorCode;
use crate::stream::{EndReason, Run};
use crate::types::{Direction, PacketRef, PerDirection};

/// The WebSocket, and how its stream ended.
pub(super) struct Open {
    pub(super) websocket: WebSocket,
    /// Whether the server's settings allowed it.
    extended_connect: Option<bool>,
    ends: PerDirection<Option<StreamEnd>>,
}

impl Open {
    pub(super) fn new(websocket: WebSocket, extended_connect: Option<bool>) -> Self {
        Self { websocket, extended_connect, ends: PerDirection::default() }
    }

    /// Takes a run of one direction. What comes after its end is not part of it.
    pub(super) fn run<S: Sink>(&mut self, direction: Direction, run: Run<'_>, turn: &mut Turn<'_, S>) -> Growth {
        let end = self.ends.get_mut(direction);
        if end.is_some() {
            return Growth::NONE;
        }
        if let Run::End(_) = run {
            *end = Some(StreamEnd { seen: turn.seen, how: StreamEndKind::EndStream });
        }
        self.websocket.run(direction, run, turn)
    }

    /// The sender of one direction resets the stream.
    pub(super) fn reset(&mut self, direction: Direction, end: StreamEnd) {
        self.ends.get_mut(direction).get_or_insert(end);
    }

    /// Whether both directions are over.
    pub(super) const fn is_over(&self) -> bool {
        self.ends.to_server.is_some() && self.ends.to_client.is_some()
    }

    /// Ends the WebSocket, with what its connection shows: GOAWAYs, and how long each sender was stalled.
    pub(super) fn close<S: Sink>(
        self,
        (goaways, stalled_us): (PerDirection<Option<(ErrorCode, PacketRef)>>, PerDirection<u64>),
        reason: EndReason,
        turn: &mut Turn<'_, S>,
    ) {
        let http2 = Http2 { extended_connect: self.extended_connect, ends: self.ends, goaways, stalled_us };
        self.websocket.close(Some(http2), reason, turn);
    }

    /// Bytes that it keeps, itself included.
    pub(super) fn held(&self) -> usize {
        size_of::<Self>() + self.websocket.held()
    }
}

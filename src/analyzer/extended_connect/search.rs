//! Streams whose handshake was not captured: the search for frames in their content.

use super::{ExtendedConnect, HttpConnection, MAX_DONE, StreamSide, StreamState};
use crate::analyzer::identity::identify_stream;
use crate::analyzer::leftover::Leftover;
use crate::analyzer::midstream::{Midstream, SearchResult};
use crate::analyzer::turn::Turn;
use crate::event::Sink;
use crate::stream::{EndReason, Run};
use crate::types::Direction;

/// Streams that are searched for frames at once, of up to 64 KiB each.
const MAX_SEARCHES: usize = 16;

impl<C: HttpConnection> ExtendedConnect<C> {
    /// It is not known whether the stream is a WebSocket: looks for frames, first in the content that waited.
    pub(super) fn search<S: Sink>(&mut self, stream: u64, turn: &mut Turn<'_, S>) {
        if self.searches() >= MAX_SEARCHES {
            self.conclude(stream, EndReason::Idle, turn);
            return;
        }
        let Some(half) = self.take_half(stream) else { return };
        let limits = &turn.shared.limits;
        let midstream = match half.request.filter(|_| half.certain) {
            Some(request) => Midstream::after_request(request, limits),
            None => Midstream::new(None, true, limits),
        };
        self.streams.insert(stream, StreamState::Search(Box::new(midstream)));
        self.offer(stream, half.pending, turn);
    }

    /// Whether an unknown stream may be a WebSocket whose request was not captured.
    pub(super) fn may_search(&self, stream: u64) -> bool {
        self.has_gap
            && self.http.is_request_stream(stream)
            && self.done.len() < MAX_DONE
            && !self.done.contains(&stream)
            && self.searches() < MAX_SEARCHES
    }

    pub(super) fn searches(&self) -> usize {
        self.streams.values().filter(|state| matches!(state, StreamState::Search(_))).count()
    }

    /// Looks for frames in content of a stream of which the handshake was not captured.
    pub(super) fn look<S: Sink>(&mut self, at: StreamSide, run: Run<'_>, turn: &mut Turn<'_, S>) {
        let Some(StreamState::Search(midstream)) = self.streams.get_mut(&at.stream) else { return };
        match midstream.run(at.direction, run, turn.seen) {
            SearchResult::Unknown => {}
            SearchResult::Other => self.conclude(at.stream, EndReason::Fin, turn),
            SearchResult::WebSocket(_, found, left) => {
                let Some(StreamState::Search(midstream)) = self.streams.remove(&at.stream) else { return };
                self.highest_request = self.highest_request.max(at.stream);
                self.http.follow(at.stream, turn.seen);
                let identity = identify_stream(at.stream, turn);
                let websocket = midstream.adopt(identity, &found, turn);
                self.insert_open(at.stream, websocket);
                match left {
                    Leftover::Nothing | Leftover::Rest(Run::End(EndReason::CaptureOver)) => {}
                    Leftover::Rest(rest) => self.run(at, rest, turn),
                }
            }
        }
    }

    /// What was gathered of a stream may be enough when no more will come.
    pub(super) fn look_last<S: Sink>(&mut self, stream: u64, turn: &mut Turn<'_, S>) {
        for direction in Direction::BOTH {
            self.look(StreamSide { stream, direction }, Run::End(EndReason::CaptureOver), turn);
        }
    }
}

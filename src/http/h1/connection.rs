//! One HTTP/1.1 connection, both directions (machine): bytes come in, heads go out; bodies are skipped, and where HTTP ends
//! the bytes stay in the input.
//!
//! **How to drive it.** For each chunk of a direction, call [`H1::next`] until it answers `None`. Bytes that are left in the
//! input then are not HTTP's, or not yet known to be:
//!
//! - *Client's direction, [`H1::is_paused`]*: a request asked to switch protocols, or for a tunnel, and its response
//!   decides (RFC 9110 §7.8). Keep these chunks, gaps included, and give them again, one by one, when it is no longer
//!   paused: it resumes by itself when an ordinary response comes.
//! - *Server's direction*: a response had [`Effect::Switched`] or [`Effect::Tunnel`], and the other protocol begins here. In
//!   the client's direction it begins where the machine pauses, so continue with `next` there until it does: after a request's
//!   body, after a request that the capture has later than its 101, or at once.
//!
//! A connection captured mid-stream begins with [`H1::gap`] of unknown length in both directions.
//!
//! **Out of step** ([`H1Event::Lost`]): bytes are missing, or are not HTTP. The machine skips all input until a chunk begins
//! with a request line or status line, and continues there. A head that a gap cuts off is emitted as far as it was captured
//! (`complete` is false), since its status or target may be all that is left of a handshake.
//!
//! RFC 9112 §6 and §9, RFC 9110 §9.3.6 and §15.2. Each interim response is an event of its own. A 101 ends HTTP, and its
//! Content-Length or Transfer-Encoding means nothing (RFC 9112 §6.3, first rule).

use super::event::{Effect, H1Event};
use super::pipeline::Pipeline;
use super::requests::Requests;
use super::responses::Responses;
use crate::types::{Direction, Limits};

/// Follows one connection.
#[derive(Debug)]
pub struct H1 {
    requests: Requests,
    responses: Responses,
    pipeline: Pipeline,
}

impl H1 {
    /// A connection at its beginning, within `limits`.
    #[must_use]
    pub const fn new(limits: &Limits) -> Self {
        Self {
            requests: Requests::new(limits),
            responses: Responses::new(limits),
            pipeline: Pipeline::new(limits.max_pipelined),
        }
    }

    /// Takes bytes of one direction, a chunk or the rest of one, up to the next event. `None` when the chunk is used up or
    /// the rest of it is not to be taken (see above).
    pub fn next<'s, 'i: 's>(&'s mut self, direction: Direction, input: &mut &'i [u8]) -> Option<H1Event<'s>> {
        match direction {
            Direction::ToServer => self.requests.next(&mut self.pipeline, input),
            Direction::ToClient => {
                let event = self.responses.next(&mut self.pipeline, input);
                apply(&mut self.requests, &self.pipeline, event.as_ref());
                event
            }
        }
    }

    /// Bytes of one direction are missing: so many, or an unknown number.
    pub fn gap(&mut self, direction: Direction, len: Option<u64>) -> Option<H1Event<'_>> {
        match direction {
            Direction::ToServer => self.requests.gap(&mut self.pipeline, len),
            Direction::ToClient => {
                let event = self.responses.gap(&mut self.pipeline, len);
                apply(&mut self.requests, &self.pipeline, event.as_ref());
                event
            }
        }
    }

    /// One direction is over: gives the head that its end cuts off, if its start line can be read.
    pub fn finish(&mut self, direction: Direction) -> Option<H1Event<'_>> {
        match direction {
            Direction::ToServer => self.requests.finish(&mut self.pipeline),
            Direction::ToClient => {
                let event = self.responses.finish(&mut self.pipeline);
                apply(&mut self.requests, &self.pipeline, event.as_ref());
                event
            }
        }
    }

    /// Whether the client's bytes must wait for a response, or belong to the protocol that a response switched to.
    #[must_use]
    pub const fn is_paused(&self) -> bool {
        self.requests.is_paused()
    }

    /// The number of the request that the latest response answers, where the capture has the response before the request:
    /// that of the next request, or of a later one.
    #[must_use]
    pub const fn early_response(&self) -> Option<u64> {
        self.pipeline.early_response()
    }

    /// Ends a pause without a response: the client's bytes are requests.
    pub fn resume(&mut self) {
        self.requests.resume();
    }

    /// Whether a direction is out of step, and skips all input until a chunk begins with a head.
    #[must_use]
    pub const fn is_lost(&self, direction: Direction) -> bool {
        match direction {
            Direction::ToServer => self.requests.is_lost(),
            Direction::ToClient => self.responses.is_lost(),
        }
    }

    /// Whether only the rest of a body that lasts to the connection's end can follow: the connection need not be looked at
    /// any more.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.responses.is_last()
    }

    /// Bytes that are kept: incomplete heads, and the kinds of the pending requests.
    #[must_use]
    pub fn held(&self) -> usize {
        self.requests.held() + self.responses.held() + self.pipeline.len()
    }

    /// Bytes of memory that are allocated for them.
    #[must_use]
    #[inline]
    pub fn allocated(&self) -> usize {
        self.requests.allocated() + self.responses.allocated() + self.pipeline.allocated()
    }

    /// Whether a direction is inside a head.
    #[must_use]
    pub fn is_in_head(&self, direction: Direction) -> bool {
        match direction {
            Direction::ToServer => self.requests.is_in_head(),
            Direction::ToClient => self.responses.is_in_head(),
        }
    }

    /// Frees incomplete heads: their directions are out of step, as after a gap.
    pub fn shed(&mut self) {
        self.requests.shed(&mut self.pipeline);
        self.responses.shed(&mut self.pipeline);
    }
}

/// Applies a response to the client's direction, which may have paused for it. A request for which it pauses is always the
/// last that is pending.
fn apply(requests: &mut Requests, pipeline: &Pipeline, event: Option<&H1Event<'_>>) {
    match event {
        Some(H1Event::Response { effect, request, .. }) if effect.ends_http() => requests.switch(request.is_some()),
        Some(H1Event::Response { effect: Effect::Final, .. }) if pipeline.len() == 0 => requests.resume(),
        _ => {}
    }
}

#[cfg(test)]
mod tests;

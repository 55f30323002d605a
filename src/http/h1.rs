//! One HTTP/1.1 connection, both directions (machine): heads come out, bodies are stepped over, and where HTTP ends the
//! bytes stay in the input.
//!
//! **How to drive it.** For each chunk of a direction, call [`H1::next`] until it says `None`. If bytes are left in the
//! input then, they are not HTTP's, or not yet known to be:
//!
//! - *Client's direction, [`H1::is_paused`]*: a request asked to switch protocols, or for a tunnel, and its response
//!   decides (RFC 9110 §7.8). Hold these chunks, gaps included, and give them again, one by one, when it is no longer
//!   paused: the machine resumes by itself when an ordinary response came.
//! - *Server's direction*: a response had [`Effect::Switched`] or [`Effect::Tunnel`]; here the other protocol begins. In
//!   the client's direction it begins where the machine pauses, so go on with `next` there until it does: behind a
//!   request's body, behind a request that the capture has later than its 101, or at once.
//!
//! A connection that was joined half-way begins with [`H1::gap`] of unknown length in both directions.
//!
//! **Out of step** ([`H1Event::Lost`]): bytes are missing, or are not HTTP. The machine passes over everything until a chunk
//! begins with a request line or status line; then it goes on. A head that a gap cuts off is told as far as it was
//! captured (`complete` is false), since its status or target may be all that is left of a handshake.
//!
//! RFC 9112 §6 and §9, RFC 9110 §9.3.6 and §15.2. Interim responses come each as a step of their own. A 101 ends HTTP,
//! and what Content-Length or Transfer-Encoding it has means nothing (RFC 9112 §6.3, first rule).

use super::head::{RequestHead, ResponseHead};
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

/// What the machine says.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum H1Event<'a> {
    /// A request's head. Only in the client's direction.
    Request {
        /// Its number in the connection, from 0.
        number: u64,
        /// What it says.
        head: RequestHead<'a>,
    },
    /// A response's head. Only in the server's direction.
    Response {
        /// What it says.
        head: ResponseHead<'a>,
        /// The number of the request that it answers; `None` where that was not captured, or not yet.
        answers: Option<u64>,
        /// What it does to the connection.
        effect: Effect,
    },
    /// This direction cannot be followed from here; a pending request may go unanswered.
    Lost(H1Loss),
}

/// What a response does to the connection (RFC 9110 §15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing yet: a 1xx, the final response will follow.
    Interim,
    /// It is the final response to its request.
    Final,
    /// It is a 101: both directions go on in another protocol.
    Switched,
    /// It is a 2xx to a CONNECT: both directions are a tunnel, in which anything may begin.
    Tunnel,
}

impl Effect {
    /// Whether what follows the head is not HTTP's.
    #[must_use]
    pub const fn ends_http(self) -> bool {
        matches!(self, Self::Switched | Self::Tunnel)
    }
}

/// Why a direction cannot be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum H1Loss {
    /// Where a head should begin, something else does.
    NotHttp,
    /// A head is longer than [`Limits::max_head_bytes`].
    HeadTooLong,
    /// Content-Length, Transfer-Encoding or a chunk leave open where the body ends.
    Framing,
    /// Bytes are missing that may have held a head.
    Gap,
    /// More requests wait for their responses than [`Limits::max_pipelined`].
    TooManyRequests,
}

impl H1Loss {
    /// In words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotHttp => "not HTTP",
            Self::HeadTooLong => "an HTTP head that is too long",
            Self::Framing => "an HTTP body without a certain end",
            Self::Gap => "bytes of HTTP are missing",
            Self::TooManyRequests => "too many HTTP requests without a response",
        }
    }
}

impl H1 {
    /// A connection of which nothing was seen yet; it keeps what `limits` allow.
    #[must_use]
    pub const fn new(limits: &Limits) -> Self {
        Self {
            requests: Requests::new(limits),
            responses: Responses::new(limits),
            pipeline: Pipeline::new(limits.max_pipelined),
        }
    }

    /// The next step in the bytes of one direction, which are one chunk or the rest of it.
    pub fn next<'s, 'i: 's>(&'s mut self, direction: Direction, input: &mut &'i [u8]) -> Option<H1Event<'s>> {
        match direction {
            Direction::ToServer => self.requests.next(&mut self.pipeline, input),
            Direction::ToClient => {
                let step = self.responses.next(&mut self.pipeline, input);
                heed(&mut self.requests, &self.pipeline, step.as_ref());
                step
            }
        }
    }

    /// A hole in one direction, of known length or not.
    pub fn gap(&mut self, direction: Direction, len: Option<u64>) -> Option<H1Event<'_>> {
        match direction {
            Direction::ToServer => self.requests.gap(&mut self.pipeline, len),
            Direction::ToClient => {
                let step = self.responses.gap(&mut self.pipeline, len);
                heed(&mut self.requests, &self.pipeline, step.as_ref());
                step
            }
        }
    }

    /// The end of one direction: a head that it cuts off, if enough of that is there.
    pub fn finish(&mut self, direction: Direction) -> Option<H1Event<'_>> {
        match direction {
            Direction::ToServer => self.requests.finish(&mut self.pipeline),
            Direction::ToClient => {
                let step = self.responses.finish(&mut self.pipeline);
                heed(&mut self.requests, &self.pipeline, step.as_ref());
                step
            }
        }
    }

    /// Whether the client's bytes must wait for a response, or belong to the protocol that a response switched to.
    #[must_use]
    pub const fn is_paused(&self) -> bool {
        self.requests.is_paused()
    }

    /// The number of the request that the latest response answers, where the capture has that request later: the next, or
    /// one behind it.
    #[must_use]
    pub const fn answered_early(&self) -> Option<u64> {
        self.pipeline.answered_early()
    }

    /// Ends a pause without a response: the client's bytes are requests after all.
    pub fn resume(&mut self) {
        self.requests.resume();
    }

    /// Whether a direction is out of step, and passes over everything until a chunk begins with a head.
    #[must_use]
    pub const fn is_lost(&self, direction: Direction) -> bool {
        match direction {
            Direction::ToServer => self.requests.is_lost(),
            Direction::ToClient => self.responses.is_lost(),
        }
    }

    /// Whether all that can still come is the rest of a body that lasts to the connection's end: nobody needs to look at
    /// the connection any more.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.responses.is_last()
    }

    /// Bytes that are kept: heads that are not whole yet, and what is known of requests that wait.
    #[must_use]
    pub fn held(&self) -> usize {
        self.requests.held() + self.responses.held() + self.pipeline.len()
    }

    /// Bytes of memory that this takes.
    #[must_use]
    #[inline]
    pub fn allocated(&self) -> usize {
        self.requests.allocated() + self.responses.allocated() + self.pipeline.allocated()
    }

    /// Whether a direction is in the middle of a head.
    #[must_use]
    pub fn is_in_head(&self, direction: Direction) -> bool {
        match direction {
            Direction::ToServer => self.requests.is_in_head(),
            Direction::ToClient => self.responses.is_in_head(),
        }
    }

    /// Lets go of heads that are not whole: these directions are out of step, as after a hole.
    pub fn shed(&mut self) {
        self.requests.shed(&mut self.pipeline);
        self.responses.shed(&mut self.pipeline);
    }
}

/// Tells the requests what a response means for them. A request for which they pause is always the last that waits.
fn heed(requests: &mut Requests, pipeline: &Pipeline, step: Option<&H1Event<'_>>) {
    match step {
        Some(H1Event::Response { effect, answers, .. }) if effect.ends_http() => requests.switch(answers.is_some()),
        Some(H1Event::Response { effect: Effect::Final, .. }) if pipeline.len() == 0 => requests.resume(),
        _ => {}
    }
}

#[cfg(test)]
mod tests;

//! The events of an HTTP/1.1 connection (format): heads, and places from which it cannot be followed.

use core::fmt;

use crate::http::head::{RequestHead, ResponseHead};
#[cfg(doc)]
use crate::types::Limits;

/// One thing that the bytes of a direction contain.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum H1Event<'a> {
    /// A request's head. Only in the client's direction.
    Request {
        /// The request's number in the connection, from 0.
        number: u64,
        /// The head.
        head: RequestHead<'a>,
    },
    /// A response's head. Only in the server's direction.
    Response {
        /// The head.
        head: ResponseHead<'a>,
        /// The number of the request that it answers; `None` where that was not captured, or not yet.
        request: Option<u64>,
        /// What it does to the connection.
        effect: Effect,
    },
    /// This direction cannot be followed from here; the response to a pending request may be missed.
    Lost(H1Loss),
}

/// What a response does to the connection (RFC 9110 §15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing yet: a 1xx, the final response will follow.
    Interim,
    /// It is the final response to its request.
    Final,
    /// It is a 101: both directions continue in another protocol.
    Switched,
    /// It is a 2xx to a CONNECT: both directions are a tunnel, in which any protocol may begin.
    Tunnel,
}

impl Effect {
    /// Whether the bytes after the head are not HTTP's.
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
    /// More requests are pending than [`Limits::max_pipelined`].
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

impl fmt::Display for H1Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

//! Sec-WebSocket-Extensions (RFC 6455 §9.1) and permessage-deflate's parameters (RFC 7692 §7.1).

use crate::ground::Direction;

/// What the handshake settled for the frames that follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Negotiated {
    /// permessage-deflate, where it was agreed (or, without a handshake, where RSV1 says so).
    pub deflate: Option<Deflate>,
}

/// permessage-deflate as agreed (RFC 7692 §7.1): each side's compressor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deflate {
    /// The server compresses each message on its own.
    pub server_no_context_takeover: bool,
    /// The client compresses each message on its own.
    pub client_no_context_takeover: bool,
    /// The base-2 logarithm of the server's window, 8 to 15.
    pub server_max_window_bits: u8,
    /// The base-2 logarithm of the client's window, 8 to 15.
    pub client_max_window_bits: u8,
}

impl Default for Deflate {
    fn default() -> Self {
        Self {
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            server_max_window_bits: 15,
            client_max_window_bits: 15,
        }
    }
}

impl Deflate {
    /// Whether the sender in `direction` begins each message with an empty window.
    #[must_use]
    pub const fn no_context_takeover(&self, direction: Direction) -> bool {
        match direction {
            Direction::ToServer => self.client_no_context_takeover,
            Direction::ToClient => self.server_no_context_takeover,
        }
    }

    /// The base-2 logarithm of the window of the sender in `direction`.
    #[must_use]
    pub const fn max_window_bits(&self, direction: Direction) -> u8 {
        match direction {
            Direction::ToServer => self.client_max_window_bits,
            Direction::ToClient => self.server_max_window_bits,
        }
    }
}

//! The opening handshake: what was asked, what was answered, what was settled (RFC 6455 §4).

use crate::ground::Seen;
use crate::websocket::extensions::Negotiated;

/// A request for a WebSocket and what became of it. Text is as on the wire and hostile: outputs escape and redact it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Handshake {
    /// What the client asked, where it was captured.
    pub request: Option<Request>,
    /// What the server answered, where it did.
    pub response: Option<Response>,
    /// Whether `Sec-WebSocket-Accept` is the one that belongs to the key.
    pub accept: AcceptCheck,
    /// What holds for the frames that follow.
    pub negotiated: Negotiated,
}

/// A client's opening handshake (RFC 6455 §4.1). Where a field is repeated, the first is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// The packet that ended its head.
    pub seen: Seen,
    /// The method; `GET` is the only right one (RFC 6455 §4.1).
    pub method: String,
    /// The request target: path and query.
    pub target: String,
    /// HTTP/1.x: this x.
    pub http_minor: u8,
    /// Host.
    pub host: Option<String>,
    /// Origin.
    pub origin: Option<String>,
    /// User-Agent.
    pub user_agent: Option<String>,
    /// Sec-WebSocket-Version.
    pub version: Option<String>,
    /// Sec-WebSocket-Key.
    pub key: Option<String>,
    /// Sec-WebSocket-Protocol: the names offered, in order.
    pub subprotocols: Vec<String>,
    /// Sec-WebSocket-Extensions: the offers in order, each with its parameters.
    pub extensions: Vec<String>,
    /// Whether a Cookie was sent.
    pub cookie: bool,
    /// The scheme of an Authorization field, such as `Basic`.
    pub authorization: Option<String>,
    /// Via or X-Forwarded-For, where a proxy left its mark.
    pub via: Option<String>,
}

/// A server's answer (RFC 6455 §4.2.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Response {
    /// The packet that ended its head.
    pub seen: Seen,
    /// The status; 101 is success in HTTP/1.1.
    pub status: u16,
    /// The reason phrase.
    pub reason: String,
    /// Sec-WebSocket-Accept.
    pub accept: Option<String>,
    /// Sec-WebSocket-Protocol: the one chosen.
    pub subprotocol: Option<String>,
    /// Sec-WebSocket-Extensions: those chosen, each with its parameters.
    pub extensions: Vec<String>,
    /// Sec-WebSocket-Version, where the server names those it speaks (RFC 6455 §4.4).
    pub version: Option<String>,
    /// Server.
    pub server: Option<String>,
    /// Location, of a redirect.
    pub location: Option<String>,
}

/// The comparison of `Sec-WebSocket-Accept` with the key (RFC 6455 §4.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AcceptCheck {
    /// Nothing to compare: no 101, no key captured, or HTTP/2.
    #[default]
    Unknown,
    /// It is the right one.
    Valid,
    /// It is another.
    Mismatch,
    /// The 101 has none.
    Missing,
}

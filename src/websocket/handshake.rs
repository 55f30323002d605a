//! The opening handshake: request, response, and what they negotiate (RFC 6455 §4).
//!
//! Heads of HTTP/1.1 come in ([`CheckedRequest::from_head`], [`CheckedResponse::from_head`]), header lists in HTTP/2
//! (RFC 8441; [`CheckedRequest::from_list`], [`CheckedResponse::from_list`]). [`check_handshake`] makes the [`Handshake`]
//! of both, and lists the rules that it breaks. An observer refuses nothing: the server's response decides whether a request
//! opens a WebSocket. What becomes of the connection is not decided here.

mod heads;
//
mod check;
mod extended;
mod held;

pub use check::{CheckedHandshake, CheckedRequest, CheckedResponse, HandshakeFault, check_handshake};
pub use extended::check_settings;
pub use heads::{AcceptCheck, Handshake, Request, Response, accept_for, is_websocket_attempt};

#[cfg(test)]
mod tests;

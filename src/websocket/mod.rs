//! Handshakes, frames, messages (RFC 6455, RFC 7692).
//!
//! In come heads from the HTTP layer and then the bytes of each direction; out come requests, responses and what they
//! negotiated, frames, messages, and the rules that any of them breaks. Formats decode bytes, machines follow a direction
//! over time. Nothing here refuses anything: an endpoint must fail the connection, an observer records.

// The opening handshake.
pub mod violation;
//
pub mod extensions;
pub mod handshake;
// Frames.
pub mod close;
pub mod frame;
pub mod mask;
pub mod rules;
//
pub mod decoder;
// Messages.
pub mod utf8;
//
pub mod inflate;
//
pub mod message;
//
pub mod resync;

pub use close::{CloseBody, CloseCode};
pub use decoder::{FrameDecoder, FrameEvent};
pub use extensions::{Deflate, ExtensionOffer, Negotiated};
pub use frame::{FrameHeader, Opcode};
pub use handshake::{
    AcceptCheck, CheckedHandshake, CheckedRequest, CheckedResponse, Handshake, HandshakeFault, Request, Response,
    accept_for, check_handshake, check_settings, is_websocket_attempt,
};
pub use violation::Violation;

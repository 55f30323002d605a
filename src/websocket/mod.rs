//! The heart: handshakes, frames, messages.

pub mod close;
pub mod decoder;
pub mod extensions;
pub mod frame;
pub mod handshake;
pub mod mask;
pub mod rules;

pub use close::{CloseBody, CloseCode};
pub use decoder::{Decoder, Step};
pub use extensions::{Deflate, Negotiated};
pub use frame::{FrameHeader, Opcode};
pub use handshake::{AcceptCheck, Handshake, Request, Response};

//! The heart: handshakes, frames, messages.

pub mod extensions;
pub mod frame;
pub mod handshake;

pub use extensions::{Deflate, Negotiated};
pub use frame::{FrameHeader, Opcode};
pub use handshake::{AcceptCheck, Handshake, Request, Response};

//! Find the upgrade: the bytes of one TCP connection (or the plaintext of its TLS) come in; heads of requests and responses
//! go out, and the place where HTTP ends and another protocol begins.
//!
//! - [`sniff()`] recognizes the protocol of one direction by at most 24 bytes: HTTP/1, HTTP/2, TLS or none of these.
//! - [`h1`] follows an HTTP/1.1 connection.
//! - [`h2`] follows an HTTP/2 connection.
//!
//! An observer refuses nothing: what some server or client would still understand is understood here, and where two readings
//! are possible, RFC 9112 §6.3 decides.
//!
//! Not done here: the meaning of a WebSocket handshake's fields (that is `websocket::handshake`), the contents of bodies.

// In reading order.
pub mod head;

mod start_line;

pub mod sniff;

pub mod h1;

pub mod h2;

pub use h1::{Effect, H1, H1Event, H1Loss};
pub use head::{Field, Fields, RequestHead, ResponseHead, Wants};
pub use sniff::{SNIFF_BYTES, Sniffed, sniff};
pub use start_line::is_token;

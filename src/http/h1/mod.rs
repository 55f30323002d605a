//! HTTP/1.1 (RFC 9112): the bytes of one connection come in, the heads of its requests and responses go out, and the place
//! where HTTP ends.
//!
//! - [`H1`] follows both directions. It lends each head once, skips bodies (Content-Length, chunked, until the connection's
//!   end), pairs responses with requests, and stops where a protocol switch (RFC 9110 §7.8) or a tunnel (RFC 9110 §9.3.6)
//!   begins: the bytes after that stay in the input.
//!
//! A head is parsed by httparse. A head that httparse rejects is read again by a lenient parser, and is then marked as not
//! well-formed.
//!
//! Not done here: the contents of bodies.

// In reading order.
mod framing;

mod body;

mod parse;

mod head_collector;

mod pipeline;

pub mod event;

mod requests;

mod responses;

pub mod connection;

pub use connection::H1;
pub use event::{Effect, H1Event, H1Loss};

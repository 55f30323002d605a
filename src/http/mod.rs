//! Find the upgrade: the bytes of one TCP connection (or of what is inside its TLS) come in, heads of HTTP/1.1 requests
//! and responses go out, and the place where HTTP ends and something else begins.
//!
//! - [`sniff()`] says from at most 24 bytes of one direction what is spoken there: HTTP/1, HTTP/2, TLS or neither.
//! - [`H1`] follows both directions of an HTTP/1.1 connection (RFC 9112). It lends each head once, skips bodies
//!   (Content-Length, chunked, until the end), pairs responses with requests, and stops where a protocol switch
//!   (RFC 9110 §7.8) or a tunnel (RFC 9110 §9.3.6) begins: what it did not read stays in the input.
//!
//! - [`h2`] follows an HTTP/2 connection.
//!
//! An observer refuses nothing: whatever some server or client would still understand is understood here, and where two
//! readings are possible, RFC 9112 §6.3 decides. A head is parsed by httparse; what httparse rejects is read again by a
//! lenient parser of our own, and the head then says that it is not well-formed.
//!
//! Not done here: what the fields of a WebSocket handshake mean (that is `websocket::handshake`), contents of bodies.

// In reading order.
pub mod sniff;

pub mod head;

mod parse;

mod body;

mod head_collector;

mod pipeline;

mod requests;

mod responses;

pub mod h1;

pub mod h2;

pub use h1::{Effect, H1, H1Event, H1Loss};
pub use head::{Field, Fields, RequestHead, ResponseHead, Wants};
pub use parse::is_token;
pub use sniff::{SNIFF_BYTES, Sniffed, sniff};

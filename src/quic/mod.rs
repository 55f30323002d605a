//! UDP datagrams → which of them are QUIC (RFC 8999, RFC 9000, RFC 9369).
//!
//! In: [`Datagram`](crate::net::Datagram)s in the order they were captured. Out: how many carry QUIC, on whatever port. A
//! long header is recognized by its fields ([`is_long_header`]). A short header has one bit that is known, and even that may
//! be random (RFC 9287); so a datagram without a long header is QUIC where a long header came before it between the same
//! addresses and ports, in either direction ([`Recognizer`]).
//!
//! Not done here: decryption, streams, HTTP/3. Not recognized: a connection whose long headers are not in the capture, or
//! that has moved to another address (RFC 9000 §9); versions that are neither 1, 2 nor a late draft of version 1, unless
//! their Version Negotiation packet names one of these.

// The long header.
mod long_header;
// What follows it.
mod recognizer;

pub use long_header::is_long_header;
pub use recognizer::Recognizer;

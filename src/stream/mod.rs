//! What a byte stream says, whoever carries it: data, gap, end.
//!
//! In: nothing; these are the words that carriers (TCP connections, the plaintext of TLS, streams of HTTP/2, and QUIC
//! streams to come) and their consumers share. A carrier delivers each direction as [`Chunk`]s: bytes in order
//! ([`Run::Data`]), gaps whose place is known ([`Run::Gap`]), and one end ([`Run::End`]). The consumer answers with its
//! [`Interest`]. Nothing here knows where bytes come from, or what they mean.

pub mod chunk;
pub mod interest;

pub use chunk::{Chunk, EndReason, Run};
pub use interest::Interest;

//! The words of a byte stream, the same for every carrier: bytes, gap, end; who is the client; whether more is wanted.
//!
//! A carrier (a TCP connection, the plaintext of TLS, a stream of HTTP/2) delivers each direction as [`Chunk`]s: bytes in
//! order ([`Run::Data`]), gaps at known offsets ([`Run::Gap`]), and one end ([`Run::End`]). With them its consumer gets
//! the [`Carrier`], which it may reverse when the content shows who the client is, and it answers with its [`Interest`].
//!
//! These are plain types. Nothing here knows where bytes come from, or what they mean.

// From the carrier.
pub mod carrier;
pub mod chunk;
// From the consumer.
pub mod interest;

pub use carrier::Carrier;
pub use chunk::{Chunk, EndReason, Run};
pub use interest::Interest;

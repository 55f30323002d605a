//! permessage-deflate, decoded (RFC 7692 §7.2.2).
//!
//! In come the payload bytes of compressed messages, unmasked, in any pieces; out go their content, as early as DEFLATE
//! (RFC 1951) determines it, and its faults. RFC 7692 §7.2.2: "Append 4 octets of 0x00
//! 0x00 0xff 0xff to the tail end of the payload of the message" and "Decompress the resulting data using DEFLATE."
//!
//! ```text
//!  Inflater (one direction of one connection)     InflaterPool (one worker)
//!  ┌──────────────────────────────┐   ticket      ┌────────┬────────┬────────┐
//!  │ History: the last 32 KiB out │ ────────────► │ slot 0 │ slot 1 │  …     │  each a zlib state of 48 KiB
//!  │ the loss, if there was one   │               └────────┴────────┴────────┘
//!  └──────────────────────────────┘               scratch: 64 KiB, shared
//! ```
//!
//! - A zlib state is borrowed from the pool. As long as no other connection needed the slot, the context is still in it;
//!   otherwise the history is set as a dictionary, which has the same effect. Nothing is allocated per message.
//! - After a loss (a gap, corrupt data) messages are inflated twice, after two histories that differ in every byte. Output
//!   that is the same in both does not depend on the lost bytes, and is right; the first byte that differs becomes
//!   [`InflateError::ContextLost`]. Content given out before that error is the right beginning of the message. Lengths do
//!   not depend on content, so both go on, and later messages are right as far as they refer to known bytes; once these
//!   fill a window, the loss is over.
//! - A distance beyond the negotiated window is no error for zlib, whose window is always the largest here. The scanner in
//!   `window` reads the same bits and finds it, where a smaller window was negotiated.
//! - A message must end where a block ends; one that does not is corrupt, and no content is made from the appended tail.
//! - Output is unlimited and never kept: the caller counts it, compares it with limits, and keeps it.
//!
//! Not here: which messages are compressed (RSV1), the negotiation, UTF-8.
//!
//! ```
//! use wslens::types::{Direction, Limits};
//! use wslens::websocket::Deflate;
//! use wslens::websocket::inflate::{Inflater, InflaterPool};
//!
//! let mut pool = InflaterPool::new(&Limits::default());
//! let mut inflater = Inflater::new(&Deflate::default(), Direction::ToServer);
//! let mut text = Vec::new();
//! // RFC 7692 §7.2.3.1: "Hello", in two fragments
//! inflater.begin_message(&mut pool);
//! inflater.push(&mut pool, &[0xf2, 0x48, 0xcd], &mut |bytes: &[u8]| text.extend_from_slice(bytes))?;
//! inflater.push(&mut pool, &[0xc9, 0xc9, 0x07, 0x00], &mut |bytes: &[u8]| text.extend_from_slice(bytes))?;
//! inflater.finish_message(&mut pool)?;
//! assert_eq!(text, b"Hello");
//! # Ok::<(), wslens::websocket::inflate::InflateError>(())
//! ```

// bits of a DEFLATE stream (formats)
mod bits;
mod huffman;
// their meaning
mod alphabet;
// distances
mod window;
// zlib
mod stream;
// kept between messages
mod history;
mod pool;
// one direction
mod error;
mod inflater;

pub use error::{ContextLoss, InflateError};
pub use inflater::Inflater;
pub use pool::InflaterPool;
pub use window::WindowExcess;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

//! A zlib stream: the calls of zlib-rs that are used, and their results.
//!
//! In come compressed bytes and room for their content; out comes how far zlib got, and where blocks end (RFC 1951
//! §3.2.3). zlib-rs is called directly, not through flate2, which has no way to stop after a block: whether a message ends
//! where a block does cannot be seen otherwise. A message that ends inside a block's code tables takes any bytes after it as
//! more of the tables, and the next message would be read from the middle of a block.

use core::fmt;

use zlib_rs::{Inflate, InflateFlush, Status};

/// "Remove 4 octets (that are 0x00 0x00 0xff 0xff) from the tail end" is what the sender did (RFC 7692 §7.2.1).
pub(super) const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// The tail, and a byte that zlib does not consume if a block ends after the tail.
const TAIL_AND_BYTE: [u8; 5] = [0x00, 0x00, 0xff, 0xff, 0x00];
/// An empty block that is not the final one (RFC 1951 §3.2.4): at the boundary of a block it does nothing.
const EMPTY_BLOCK: [u8; 5] = [0x00, 0x00, 0x00, 0xff, 0xff];
/// An empty block that ends the stream.
const FINAL_BLOCK: [u8; 5] = [0x01, 0x00, 0x00, 0xff, 0xff];

/// A distance beyond all known bytes.
pub(super) const TOO_FAR: &str = "invalid distance too far back";
/// A code that stands for nothing.
pub(super) const INVALID_CODE: &str = "invalid literal/length or distance code";
/// One of the two, not known which.
pub(super) const UNSPECIFIC: &str = "invalid distance too far back, or invalid code";

/// A raw DEFLATE stream, with the largest window whatever was negotiated.
pub(super) struct Stream(Inflate);

/// The result of one call.
pub(super) struct Inflated {
    /// Bytes that zlib consumed.
    pub(super) taken: usize,
    /// Bytes that it produced.
    pub(super) made: usize,
    /// Whether that was the end of the stream; or why it cannot go on.
    pub(super) ended: Result<bool, &'static str>,
}

/// Where the stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BlockEnd {
    /// Between two blocks.
    Boundary,
    /// After the final block.
    Final,
    /// Anywhere else.
    Elsewhere,
}

impl Stream {
    pub(super) fn new() -> Self {
        Self(Inflate::new(false, 15))
    }

    /// A new stream that may refer back to `history`.
    pub(super) fn restart(&mut self, history: &[u8]) {
        self.0.reset(false);
        if !history.is_empty() {
            let set = self.0.set_dictionary(history);
            debug_assert!(set.is_ok(), "a raw stream takes any dictionary");
        }
    }

    /// Bytes that it consumed since it began.
    pub(super) fn taken(&self) -> u64 {
        self.0.total_in()
    }

    /// Inflates `input` into `out`, until one of them is used up or the stream ends.
    #[inline]
    pub(super) fn inflate(&mut self, input: &[u8], out: &mut [u8]) -> Inflated {
        self.call(input, out, InflateFlush::NoFlush)
    }

    /// Where in its blocks a message ends, with its tail or without.
    pub(super) fn end(&mut self, has_tail: bool, out: &mut [u8]) -> BlockEnd {
        if has_tail { self.ends_here(out) } else { self.ends_after_tail(out) }
    }

    /// Appends the tail (RFC 7692 §7.2.2). The stream is usable afterwards where that ends a block.
    ///
    /// zlib stops after the first block that ends. It may still have unused bits then, of the tail's last byte, which are ones:
    /// an empty block after them would be read differently.
    fn ends_after_tail(&mut self, out: &mut [u8]) -> BlockEnd {
        match self.call(&TAIL_AND_BYTE, out, InflateFlush::Block) {
            Inflated { taken: 4, made: 0, ended: Ok(false) } => match self.inflate(&EMPTY_BLOCK, out) {
                Inflated { taken: 5, made: 0, ended: Ok(false) } => BlockEnd::Boundary,
                Inflated { taken: 0, made: 0, ended: Ok(true) } => BlockEnd::Final,
                _ => BlockEnd::Elsewhere,
            },
            _ => BlockEnd::Elsewhere,
        }
    }

    /// Whether it is at the boundary of a block: finds out by ending the stream there.
    fn ends_here(&mut self, out: &mut [u8]) -> BlockEnd {
        match self.inflate(&FINAL_BLOCK, out) {
            Inflated { taken: 5, made: 0, ended: Ok(true) } => BlockEnd::Final,
            _ => BlockEnd::Elsewhere,
        }
    }

    #[inline]
    fn call(&mut self, input: &[u8], out: &mut [u8], flush: InflateFlush) -> Inflated {
        let (total_in, total_out) = (self.0.total_in(), self.0.total_out());
        let status = self.0.decompress(input, out, flush);
        Inflated {
            taken: usize::try_from(self.0.total_in().saturating_sub(total_in)).unwrap_or(usize::MAX),
            made: usize::try_from(self.0.total_out().saturating_sub(total_out)).unwrap_or(usize::MAX),
            ended: match status {
                Ok(status) => Ok(status == Status::StreamEnd),
                Err(_) => Err(reason(self.0.error_message().unwrap_or_default())),
            },
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("taken", &self.0.total_in()).field("made", &self.0.total_out()).finish()
    }
}

/// zlib's reason, as one of the reasons known here.
///
/// The three reasons that zlib's fast loop can find are one here: zlib-rs 0.6.8 overwrites that loop's reason with
/// "repeated call with bad state", and which loop is used depends on the cuts.
fn reason(message: &str) -> &'static str {
    const REASONS: [&str; 8] = [
        "invalid block type",
        "invalid stored block lengths",
        "too many length or distance symbols",
        "invalid code lengths set",
        "invalid bit length repeat",
        "invalid code -- missing end-of-block",
        "invalid literal/lengths set",
        "invalid distances set",
    ];
    REASONS.into_iter().find(|reason| *reason == message).unwrap_or(UNSPECIFIC)
}

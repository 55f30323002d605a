//! The blocks of memory that an input is read into, the kinds of input, and the ends of one.
//!
//! In: a reader. Out: bytes of it in a block, or how it ended. What the bytes mean is not known here.

use std::io::{self, Read};

use super::compressed::TrailingBytes;

/// Bytes read into a block. So many stay in a processor's second-level cache while they are parsed; 512 KiB and 1 MiB were
/// not faster.
pub(super) const BLOCK_BYTES: usize = 256 << 10;
/// Bytes in front of them, for the first part of a record that began in the block before: room for any Ethernet frame, and
/// for most super-segments.
pub(super) const HEADROOM: usize = 64 << 10;

/// Where the bytes of an input come from, which decides the thread that reads them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InputKind {
    /// A regular file: read on the thread that needs the bytes.
    File,
    /// A compressed regular file: decompressed ahead, a full block at a time.
    CompressedFile,
    /// A pipe or the like, whose bytes have to be waited for: read ahead, and passed on as they come.
    Pipe,
}

/// How an input ended.
#[derive(Debug)]
pub(super) enum StreamEnd {
    /// Complete.
    Complete,
    /// Within its compressed data.
    Truncated,
    /// Complete, but other bytes follow its compressed data.
    TrailingBytes,
    /// With an error.
    Failed(io::Error),
}

impl From<io::Error> for StreamEnd {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            _ if error.get_ref().is_some_and(|inner| inner.is::<TrailingBytes>()) => Self::TrailingBytes,
            _ => Self::Failed(error),
        }
    }
}

/// One block, its pages not touched yet.
pub(super) fn empty_block() -> Vec<u8> {
    vec![0; HEADROOM + BLOCK_BYTES]
}

/// Reads at least one byte; answers how many, or how the input ended.
pub(super) fn read_once(reader: &mut dyn Read, space: &mut [u8]) -> Result<usize, StreamEnd> {
    loop {
        match reader.read(space) {
            Ok(0) => return Err(StreamEnd::Complete),
            Ok(read) => return Ok(read.min(space.len())),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

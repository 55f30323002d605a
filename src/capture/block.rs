//! The input in reused blocks: a window of contiguous bytes that moves over a stream.
//!
//! In: any reader. Out: [`Blocks::window`], at least as long as [`Blocks::fill`] was asked for, until the stream is over.
//! Bytes are copied when a record lies across two blocks, never otherwise:
//!
//! ```text
//!   one block   [ headroom | ...records... | head of one ]
//!                                             |  moved
//!                                             v
//!   the next    [          |    head of one | its rest | ...records... ]
//! ```
//!
//! Whoever asks reads: a plain file costs nothing but a copy from the system's cache into ours, half of what it takes to
//! hand the same block from one thread to another (measured). Where there is work to overlap, or waiting, a thread reads
//! ahead, once the first block has shown that the input is longer than that: see [`Pace`]. A record longer than the headroom is joined in a block that grows with it, as its
//! bytes come, and is given up afterwards. What the bytes mean is not known here.

use std::io::{self, Read};

use super::ahead::{Ahead, Filled};
use super::compressed::TrailingBytes;

/// Bytes read into a block, so that it stays in a processor's second-level cache while it is walked; 512 KiB and 1 MiB
/// were not faster.
pub(super) const BLOCK_BYTES: usize = 256 << 10;
/// MemoryQuota in front of them for the head of a record that began in the block before: any Ethernet, most super-segments.
pub(super) const HEADROOM: usize = 64 << 10;

/// What it means to read from a stream, and so who does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// The bytes lie ready, in a regular file: read by whoever asks.
    Ready,
    /// They come from a regular file, at the cost of decompression: done ahead, a full block at a time.
    Worked,
    /// They come when somebody sends them: waited for ahead, and handed on as they come.
    Awaited,
}

/// How a stream ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// There is no more.
    Whole,
    /// There should be more: the compressed data break off.
    Cut,
    /// The compressed data are whole; behind them stands something else.
    Trailing,
    /// It cannot be read on.
    Failed(io::Error),
}

impl From<io::Error> for Ending {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Cut,
            _ if error.get_ref().is_some_and(|inner| inner.is::<TrailingBytes>()) => Self::Trailing,
            _ => Self::Failed(error),
        }
    }
}

/// A stream, and the block of it that is being looked at.
pub(super) struct Blocks {
    supply: Supply,
    pace: Pace,
    block: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes of the stream up to `end`.
    received: u64,
    ending: Option<Ending>,
}

enum Supply {
    Direct(Box<dyn Read + Send>),
    Ahead(Ahead),
}

impl Blocks {
    /// At the start of what `reader` gives.
    pub(super) fn new(reader: Box<dyn Read + Send>, pace: Pace) -> Self {
        let block = empty_block();
        Self { supply: Supply::Direct(reader), pace, block, start: 0, end: 0, received: 0, ending: None }
    }

    /// The bytes that are there and were not taken.
    #[inline]
    pub(super) fn window(&self) -> &[u8] {
        self.block.get(self.start..self.end).unwrap_or_default()
    }

    /// Makes the window at least `need` bytes long; false if the stream is over before.
    #[inline]
    pub(super) fn fill(&mut self, need: usize) -> bool {
        self.len() >= need || self.refill(need)
    }

    /// Takes `len` bytes from the front of the window, and says where they lie: see [`Self::slice`].
    #[inline]
    pub(super) fn take(&mut self, len: usize) -> usize {
        let start = self.start;
        self.start = start.saturating_add(len).min(self.end);
        start
    }

    /// Bytes that were taken since the last `fill`.
    #[inline]
    pub(super) fn slice(&self, start: usize, len: usize) -> &[u8] {
        self.block.get(start..).and_then(|rest| rest.get(..len)).unwrap_or_default()
    }

    /// Leaves out `len` bytes, however many blocks they fill; false if the stream is over before.
    pub(super) fn skip(&mut self, mut len: usize) -> bool {
        loop {
            let here = len.min(self.len());
            self.take(here);
            len -= here;
            if len == 0 {
                return true;
            }
            if !self.fill(1) {
                return false;
            }
        }
    }

    /// Bytes of the stream before the window.
    pub(super) const fn offset(&self) -> u64 {
        self.received.saturating_sub(self.len() as u64)
    }

    /// Bytes of the stream up to the end of the window.
    pub(super) const fn received(&self) -> u64 {
        self.received
    }

    /// How the stream ended, once `fill` or `skip` answered false.
    pub(super) fn ending(&mut self) -> Ending {
        self.ending.replace(Ending::Whole).unwrap_or(Ending::Whole)
    }

    /// Whether the stream came to its proper end.
    pub(super) const fn is_whole(&self) -> bool {
        matches!(self.ending, Some(Ending::Whole))
    }

    /// Everything from the window on, as a reader. To be used before the first block is over.
    pub(super) fn into_reader(self) -> Box<dyn Read + Send> {
        let window = io::Cursor::new(self.window().to_vec());
        match self.supply {
            Supply::Direct(reader) => Box::new(window.chain(reader)),
            Supply::Ahead(_) => Box::new(window),
        }
    }

    /// Bytes kept, those of the pool included.
    pub(super) const fn held(&self) -> usize {
        let pool = match self.supply {
            Supply::Direct(_) => 0,
            Supply::Ahead(_) => super::ahead::POOL_BYTES,
        };
        self.block.capacity().saturating_add(pool)
    }

    #[inline]
    const fn len(&self) -> usize {
        self.end.saturating_sub(self.start)
    }

    #[cold]
    fn refill(&mut self, need: usize) -> bool {
        while self.len() < need && self.ending.is_none() {
            if self.pace != Pace::Ready && self.received >= BLOCK_BYTES as u64 {
                self.go_ahead();
            }
            match &mut self.supply {
                Supply::Direct(_) => self.read_more(),
                Supply::Ahead(ahead) => {
                    let filled = ahead.next();
                    self.join(filled);
                }
            }
        }
        self.len() >= need
    }

    /// Hands the reader to a thread of its own, if there can be one; else we go on reading here.
    fn go_ahead(&mut self) {
        if let Supply::Direct(reader) = &mut self.supply {
            let reader = core::mem::replace(reader, Box::new(io::empty()));
            self.supply = match Ahead::start(reader, self.pace) {
                Ok(ahead) => Supply::Ahead(ahead),
                Err(reader) => Supply::Direct(reader),
            };
        }
    }

    /// Reads once, behind the window, which moves to the front of its block first.
    fn read_more(&mut self) {
        self.move_to_front();
        if self.end == self.block.len() {
            self.block.resize(self.end + BLOCK_BYTES, 0);
        }
        let Supply::Direct(reader) = &mut self.supply else { return };
        match read_once(reader, self.block.get_mut(self.end..).unwrap_or_default()) {
            Ok(read) => {
                self.end += read;
                self.received = self.received.saturating_add(read as u64);
            }
            Err(ending) => self.ending = Some(ending),
        }
    }

    /// Moves the window to the front of its block, or of a new one if this has grown and need not be so long any more.
    fn move_to_front(&mut self) {
        let left = self.len();
        if left <= HEADROOM && self.block.len() > HEADROOM + BLOCK_BYTES {
            let mut block = empty_block();
            if let Some(front) = block.get_mut(..left) {
                front.copy_from_slice(self.window());
            }
            self.block = block;
        } else {
            self.block.copy_within(self.start..self.end, 0);
        }
        self.start = 0;
        self.end = left;
    }

    /// Goes over to a block that was read ahead, with what is left of this one in front of it.
    fn join(&mut self, filled: Filled) {
        let Filled { mut block, end, ending } = filled;
        let left = self.len();
        self.received = self.received.saturating_add(end.saturating_sub(HEADROOM) as u64);
        self.ending = ending;
        let start = HEADROOM.saturating_sub(left);
        let spare = match block.get_mut(start..HEADROOM) {
            Some(room) if room.len() == left => {
                room.copy_from_slice(self.window());
                self.start = start;
                self.end = end;
                core::mem::replace(&mut self.block, block)
            }
            _ => {
                self.move_to_front();
                self.block.truncate(left);
                self.block.extend_from_slice(block.get(HEADROOM..end).unwrap_or_default());
                self.end = self.block.len();
                block
            }
        };
        if let Supply::Ahead(ahead) = &mut self.supply {
            ahead.give_back(spare);
        }
    }
}

/// One block, its pages not touched yet.
pub(super) fn empty_block() -> Vec<u8> {
    vec![0; HEADROOM + BLOCK_BYTES]
}

/// Reads at least one byte, or says how the stream ended.
pub(super) fn read_once(reader: &mut dyn Read, room: &mut [u8]) -> Result<usize, Ending> {
    loop {
        match reader.read(room) {
            Ok(0) => return Err(Ending::Whole),
            Ok(read) => return Ok(read.min(room.len())),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests;

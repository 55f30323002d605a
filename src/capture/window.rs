//! A window of contiguous bytes that moves over an input.
//!
//! In: a reader. Out: [`Window::bytes`], at least as many as [`Window::fill`] was asked for, until the input ends. The input
//! is read into blocks, which are reused. Bytes are copied when a record lies across two blocks, never otherwise:
//!
//! ```text
//!   one block   [ headroom | ...records... | head of one ]
//!                                             |  moved
//!                                             v
//!   the next    [          |    head of one | its rest | ...records... ]
//! ```
//!
//! A plain file is read on the thread that needs the bytes. That costs a copy from the system's cache into ours, half of what
//! it takes to pass the same block from one thread to another (measured). Where there is decompression to overlap, or
//! waiting, a thread reads ahead, once the first block has shown that the input is longer than that: see [`InputKind`]. A
//! record longer than the headroom is joined in a block that grows with it, as its bytes come, and that is freed afterwards.
//! What the bytes mean is not known here.

use std::io::{self, Read};

use super::block::{BLOCK_BYTES, HEADROOM, InputKind, StreamEnd, empty_block, read_once};
use super::read_ahead::{FilledBlock, ReadAhead};

/// An input, and the part of it that was read and not taken.
pub(super) struct Window {
    reader: BlockReader,
    kind: InputKind,
    block: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes of the input up to `end`.
    received: u64,
    ended: Option<StreamEnd>,
}

/// Reads blocks, on this thread or another.
enum BlockReader {
    Here(Box<dyn Read + Send>),
    Ahead(ReadAhead),
}

impl Window {
    /// At the start of `reader`.
    pub(super) fn new(reader: Box<dyn Read + Send>, kind: InputKind) -> Self {
        let block = empty_block();
        Self { reader: BlockReader::Here(reader), kind, block, start: 0, end: 0, received: 0, ended: None }
    }

    /// The bytes that were read and not taken.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        self.block.get(self.start..self.end).unwrap_or_default()
    }

    /// Makes the window at least `need` bytes long; false if the input ends before.
    #[inline]
    pub(super) fn fill(&mut self, need: usize) -> bool {
        self.len() >= need || self.refill(need)
    }

    /// Takes `len` bytes from the front of the window; answers where they lie, for [`Self::slice`].
    #[inline]
    pub(super) fn take(&mut self, len: usize) -> usize {
        let start = self.start;
        self.start = start.saturating_add(len).min(self.end);
        start
    }

    /// Bytes that were taken, until the next `fill`.
    #[inline]
    pub(super) fn slice(&self, start: usize, len: usize) -> &[u8] {
        self.block.get(start..).and_then(|rest| rest.get(..len)).unwrap_or_default()
    }

    /// Skips `len` bytes, however many blocks they fill; false if the input ends before.
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

    /// Bytes of the input before the window.
    pub(super) const fn offset(&self) -> u64 {
        self.received.saturating_sub(self.len() as u64)
    }

    /// Bytes of the input up to the end of the window.
    pub(super) const fn received(&self) -> u64 {
        self.received
    }

    /// How the input ended, once `fill` or `skip` answered false. An error is given once.
    pub(super) fn take_end(&mut self) -> StreamEnd {
        self.ended.replace(StreamEnd::Complete).unwrap_or(StreamEnd::Complete)
    }

    /// Whether the input ended complete.
    pub(super) const fn is_complete(&self) -> bool {
        matches!(self.ended, Some(StreamEnd::Complete))
    }

    /// Everything from the window on, as a reader. To be called before the second block is read.
    pub(super) fn into_reader(self) -> Box<dyn Read + Send> {
        let bytes = io::Cursor::new(self.bytes().to_vec());
        match self.reader {
            BlockReader::Here(reader) => Box::new(bytes.chain(reader)),
            BlockReader::Ahead(_) => Box::new(bytes),
        }
    }

    /// Bytes held, those of the pool included.
    pub(super) const fn held(&self) -> usize {
        let pool = match self.reader {
            BlockReader::Here(_) => 0,
            BlockReader::Ahead(_) => super::read_ahead::POOL_BYTES,
        };
        self.block.capacity().saturating_add(pool)
    }

    #[inline]
    const fn len(&self) -> usize {
        self.end.saturating_sub(self.start)
    }

    #[cold]
    fn refill(&mut self, need: usize) -> bool {
        while self.len() < need && self.ended.is_none() {
            if self.kind != InputKind::File && self.received >= BLOCK_BYTES as u64 {
                self.start_reading_ahead();
            }
            match &mut self.reader {
                BlockReader::Here(_) => self.read_more(),
                BlockReader::Ahead(ahead) => {
                    let filled = ahead.next();
                    self.move_to_block(filled);
                }
            }
        }
        self.len() >= need
    }

    /// Moves the reader to a thread of its own; if the system has none, it is read on this one as before.
    fn start_reading_ahead(&mut self) {
        if let BlockReader::Here(reader) = &mut self.reader {
            let reader = core::mem::replace(reader, Box::new(io::empty()));
            self.reader = match ReadAhead::start(reader, self.kind) {
                Ok(ahead) => BlockReader::Ahead(ahead),
                Err(reader) => BlockReader::Here(reader),
            };
        }
    }

    /// Reads once, after the window, which moves to the front of its block first.
    fn read_more(&mut self) {
        self.move_to_front();
        if self.end == self.block.len() {
            self.block.resize(self.end + BLOCK_BYTES, 0);
        }
        let BlockReader::Here(reader) = &mut self.reader else { return };
        match read_once(reader, self.block.get_mut(self.end..).unwrap_or_default()) {
            Ok(read) => {
                self.end += read;
                self.received = self.received.saturating_add(read as u64);
            }
            Err(ended) => self.ended = Some(ended),
        }
    }

    /// Moves the window to the front of its block; or of a new block, if this one has grown and need not be so long any more.
    fn move_to_front(&mut self) {
        let left = self.len();
        if left <= HEADROOM && self.block.len() > HEADROOM + BLOCK_BYTES {
            let mut block = empty_block();
            if let Some(front) = block.get_mut(..left) {
                front.copy_from_slice(self.bytes());
            }
            self.block = block;
        } else {
            self.block.copy_within(self.start..self.end, 0);
        }
        self.start = 0;
        self.end = left;
    }

    /// Goes over to a block that was read ahead, after copying the window in front of its bytes.
    fn move_to_block(&mut self, filled: FilledBlock) {
        let FilledBlock { mut block, end, ended } = filled;
        let left = self.len();
        self.received = self.received.saturating_add(end.saturating_sub(HEADROOM) as u64);
        self.ended = ended;
        let start = HEADROOM.saturating_sub(left);
        let spare = match block.get_mut(start..HEADROOM) {
            Some(headroom) if headroom.len() == left => {
                headroom.copy_from_slice(self.bytes());
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
        if let BlockReader::Ahead(ahead) = &mut self.reader {
            ahead.give_back(spare);
        }
    }
}

#[cfg(test)]
mod tests;

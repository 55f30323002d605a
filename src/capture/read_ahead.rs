//! A thread that reads and decompresses ahead of the parser, into a small pool of reused blocks.
//!
//! In: a reader. Out: filled blocks in order, then how the input ended. Memory is [`POOL_BLOCKS`] blocks, however slow either
//! side is.
//!
//! The thread ends when its input does; or, when its blocks are not taken any more, at the end of the block that it is
//! reading. It is not joined, since it may be inside a read of a pipe that brings no bytes.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::block::{BLOCK_BYTES, HEADROOM, InputKind, StreamEnd, empty_block, read_once};

/// Blocks in use: one is parsed, one is read into, two make up for differences in speed.
const POOL_BLOCKS: usize = 4;
/// Bytes of the blocks that are not being parsed.
pub(super) const POOL_BYTES: usize = (POOL_BLOCKS - 1) * (HEADROOM + BLOCK_BYTES);

/// A block with bytes from the headroom up to `end`, and how the input ended if these were the last.
pub(super) struct FilledBlock {
    pub(super) block: Vec<u8>,
    pub(super) end: usize,
    pub(super) ended: Option<StreamEnd>,
}

/// The channels to and from the thread.
pub(super) struct ReadAhead {
    filled: Receiver<FilledBlock>,
    spare: SyncSender<Vec<u8>>,
}

impl ReadAhead {
    /// Starts the thread; gives the reader back if the system cannot start one.
    pub(super) fn start(reader: Box<dyn Read + Send>, kind: InputKind) -> Result<Self, Box<dyn Read + Send>> {
        let (filled_in, filled) = sync_channel(POOL_BLOCKS);
        let (spare, spare_out) = sync_channel(POOL_BLOCKS);
        // The reader is sent after the thread has started, so that it is not lost if it cannot start.
        let (reader_in, reader_out) = sync_channel::<Box<dyn Read + Send>>(1);
        let body = move || {
            if let Ok(reader) = reader_out.recv() {
                read_ahead(reader, kind, &filled_in, &spare_out);
            }
        };
        if thread::Builder::new().name("wslens-reader".to_owned()).spawn(body).is_err() {
            return Err(reader);
        }
        // The parser has one block already: it returns to the pool like the others.
        for _ in 1..POOL_BLOCKS {
            let _sent = spare.try_send(empty_block());
        }
        match reader_in.send(reader) {
            Ok(()) => Ok(Self { filled, spare }),
            Err(unsent) => Err(unsent.0),
        }
    }

    /// The next block; waits for it.
    pub(super) fn next(&mut self) -> FilledBlock {
        self.filled.recv().unwrap_or_else(|_| FilledBlock {
            block: empty_block(),
            end: HEADROOM,
            ended: Some(StreamEnd::Failed(io::Error::other("the thread that reads has died"))),
        })
    }

    /// Returns a block to the pool; one that has grown is replaced, so that the pool stays small.
    pub(super) fn give_back(&mut self, block: Vec<u8>) {
        let block = if block.len() == HEADROOM + BLOCK_BYTES { block } else { empty_block() };
        // It cannot be sent if the thread has ended; then the block is not needed.
        let _unsent = self.spare.try_send(block);
    }
}

fn read_ahead(
    mut reader: Box<dyn Read + Send>,
    kind: InputKind,
    filled: &SyncSender<FilledBlock>,
    spare: &Receiver<Vec<u8>>,
) {
    while let Ok(mut block) = spare.recv() {
        let (end, ended) = fill_block(&mut *reader, kind, &mut block);
        let last = ended.is_some();
        if filled.send(FilledBlock { block, end, ended }).is_err() || last {
            return;
        }
    }
}

/// Reads after the headroom: once from a pipe, whose bytes are wanted as they come, else until the block is full.
fn fill_block(reader: &mut dyn Read, kind: InputKind, block: &mut [u8]) -> (usize, Option<StreamEnd>) {
    let mut end = HEADROOM;
    loop {
        match read_once(reader, block.get_mut(end..).unwrap_or_default()) {
            Ok(read) => end += read,
            Err(ended) => return (end, Some(ended)),
        }
        if kind == InputKind::Pipe || end >= block.len() {
            return (end, None);
        }
    }
}

//! A thread that reads and decompresses ahead of whoever walks the records, over a small pool of recycled blocks.
//!
//! In: a reader. Out: filled blocks in order, then how the stream ended. Memory is [`POOL_BLOCKS`] blocks, however slow
//! either side is.
//!
//! The thread ends with its stream, or at its next block once nobody takes them any more. It is not waited for: it may be
//! inside a read of a pipe that nobody writes to.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::block::{BLOCK_BYTES, Ending, HEADROOM, Pace, empty_block, read_once};

/// Blocks on their way: one is walked, one is read into, two level out.
const POOL_BLOCKS: usize = 4;
/// Bytes of the blocks that are not with their reader.
pub(super) const POOL_BYTES: usize = (POOL_BLOCKS - 1) * (HEADROOM + BLOCK_BYTES);

/// A block with bytes from the headroom up to `end`, and how the stream ended if these were the last.
pub(super) struct Filled {
    pub(super) block: Vec<u8>,
    pub(super) end: usize,
    pub(super) ending: Option<Ending>,
}

/// Our end of the thread.
pub(super) struct Ahead {
    filled: Receiver<Filled>,
    spare: SyncSender<Vec<u8>>,
}

impl Ahead {
    /// Starts the thread; gives the reader back when the system has none for us.
    pub(super) fn start(reader: Box<dyn Read + Send>, pace: Pace) -> Result<Self, Box<dyn Read + Send>> {
        let (filled_in, filled) = sync_channel(POOL_BLOCKS);
        let (spare, spare_out) = sync_channel(POOL_BLOCKS);
        // The reader follows the thread, so that it is not lost with a thread that cannot be made.
        let (reader_in, reader_out) = sync_channel::<Box<dyn Read + Send>>(1);
        let body = move || {
            if let Ok(reader) = reader_out.recv() {
                read_ahead(reader, pace, &filled_in, &spare_out);
            }
        };
        if thread::Builder::new().name("wslens-reader".to_owned()).spawn(body).is_err() {
            return Err(reader);
        }
        // One block is ours already: it comes back through the pool like the others.
        for _ in 1..POOL_BLOCKS {
            let _room = spare.try_send(empty_block());
        }
        match reader_in.send(reader) {
            Ok(()) => Ok(Self { filled, spare }),
            Err(unsent) => Err(unsent.0),
        }
    }

    /// The next block; waits for it.
    pub(super) fn next(&mut self) -> Filled {
        self.filled.recv().unwrap_or_else(|_| Filled {
            block: empty_block(),
            end: HEADROOM,
            ending: Some(Ending::Failed(io::Error::other("the thread that reads has died"))),
        })
    }

    /// Returns a block to the pool; one that has grown is replaced, so that the pool stays small.
    pub(super) fn give_back(&mut self, block: Vec<u8>) {
        let block = if block.len() == HEADROOM + BLOCK_BYTES { block } else { empty_block() };
        // Full or gone: then the thread has ended, and the block is not missed.
        let _unsent = self.spare.try_send(block);
    }
}

fn read_ahead(mut reader: Box<dyn Read + Send>, pace: Pace, filled: &SyncSender<Filled>, spare: &Receiver<Vec<u8>>) {
    while let Ok(mut block) = spare.recv() {
        let (end, ending) = fill_block(&mut *reader, pace, &mut block);
        let over = ending.is_some();
        if filled.send(Filled { block, end, ending }).is_err() || over {
            return;
        }
    }
}

/// Reads behind the headroom: once, or until the block is full if nobody waits for what is in it.
fn fill_block(reader: &mut dyn Read, pace: Pace, block: &mut [u8]) -> (usize, Option<Ending>) {
    let mut end = HEADROOM;
    loop {
        match read_once(reader, block.get_mut(end..).unwrap_or_default()) {
            Ok(read) => end += read,
            Err(ending) => return (end, Some(ending)),
        }
        if pace == Pace::Awaited || end >= block.len() {
            return (end, None);
        }
    }
}

//! The parameters of a read, and its outcome.

use core::num::NonZeroUsize;

use crate::analyzer::Options;
use crate::capture::{CaptureError, Warning};
use crate::event::Totals;
use crate::tls::{KeyLog, KeyLogWarning};

/// How an input is to be read.
#[derive(Debug)]
pub struct Job<'o> {
    /// How it is analysed.
    pub options: &'o Options,
    /// TLS secrets, besides those that the input carries.
    pub keys: KeyLog,
    /// By how many.
    pub workers: Workers,
}

impl<'o> Job<'o> {
    /// A read without a key log.
    #[must_use]
    pub fn new(options: &'o Options, workers: Workers) -> Self {
        Self { options, keys: KeyLog::new(), workers }
    }
}

/// The number of workers, and how often each sends its results to the merger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workers {
    /// How many. One worker runs on the caller's thread.
    pub count: NonZeroUsize,
    /// Bytes of results after which a worker sends them. 256 KiB: still in the cache when the merger takes them.
    pub batch_bytes: usize,
    /// Packets after which a worker sends its results, even if there are none: the merger has to know how far it is. 8192.
    pub batch_packets: u64,
}

impl Workers {
    /// This many, with the default sizes of batches.
    #[must_use]
    pub const fn new(count: NonZeroUsize) -> Self {
        Self { count, batch_bytes: 256 << 10, batch_packets: 8192 }
    }
}

/// What was read.
#[derive(Debug)]
pub struct ReadOutcome {
    /// The counts.
    pub totals: Totals,
    /// Problems with the input.
    pub problems: InputProblems,
}

/// Problems with an input, for its user.
#[derive(Debug, Default)]
pub struct InputProblems {
    /// Problems that did not end the reading.
    pub warnings: Vec<Warning>,
    /// Lines of key logs in the input that could not be read, and how many more there were.
    pub key_warnings: (Vec<KeyLogWarning>, u64),
    /// Why it could not be read to its end. All packets before that were analysed.
    pub unreadable: Option<CaptureError>,
}

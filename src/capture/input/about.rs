//! What an input says of itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::compressed::Compression;
use super::super::pcap::is_pcap;
use super::super::pcapng::is_pcapng;

/// How far an [`Input`](super::Input) was read, for those who do not have it.
#[derive(Debug, Clone)]
pub struct Meter(Arc<AtomicU64>);

impl Meter {
    pub(super) fn new(count: &Arc<AtomicU64>) -> Self {
        Self(Arc::clone(count))
    }

    /// As [`Input::bytes_read`](super::Input::bytes_read).
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What is known about an input that was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputFile {
    /// As it was named.
    pub name: String,
    /// Which kind of capture it is; `None` if it is empty or cut off in its very beginning.
    pub format: Option<Format>,
    /// How it is compressed, if it is.
    pub compression: Option<Compression>,
    /// Packets read from it so far, whether or not a filter let them pass.
    pub packets: u64,
}

/// The kinds of capture file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// The classic one.
    Pcap,
    /// The next generation.
    Pcapng,
}

impl Format {
    /// By the first four bytes.
    pub(super) fn detect(first: &[u8]) -> Option<Self> {
        match () {
            () if is_pcap(first) => Some(Self::Pcap),
            () if is_pcapng(first) => Some(Self::Pcapng),
            () => None,
        }
    }

    /// `pcap` or `pcapng`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pcap => "pcap",
            Self::Pcapng => "pcapng",
        }
    }
}

//! Facts about an input: its files, their formats, and how far it was read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::compressed::Compression;
use super::super::pcap::is_pcap;
use super::super::pcapng::is_pcapng;

/// How far an [`Input`](super::Input) was read, for other threads than the one that reads it.
#[derive(Debug, Clone)]
pub struct Meter(Arc<AtomicU64>);

impl Meter {
    pub(super) fn new(count: &Arc<AtomicU64>) -> Self {
        Self(Arc::clone(count))
    }

    /// The same as [`Input::bytes_read`](super::Input::bytes_read).
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A file of an input, after it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputFile {
    /// Its name, as given.
    pub name: String,
    /// Its format; `None` if it is empty, or cut within its first bytes.
    pub format: Option<Format>,
    /// How it is compressed, if it is.
    pub compression: Option<Compression>,
    /// Packets read from it so far, those that a filter left out included.
    pub packets: u64,
}

/// The formats of capture files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// pcap, the classic format.
    Pcap,
    /// pcapng.
    Pcapng,
}

impl Format {
    /// Detects it by the first four bytes.
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

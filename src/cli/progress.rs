//! A progress bar on standard error, where that is a terminal and the input is large.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};
use wslens::capture::Input;

/// Smaller inputs are read before a bar could be seen.
const MIN_TOTAL: u64 = 64 << 20;

/// Bytes between two positions of the bar.
const STEP: u64 = 4 << 20;

/// A bar, or none.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    shown: u64,
}

impl Progress {
    /// A bar for `input`, if its size is known and standard error is a terminal.
    pub(super) fn new(input: &Input) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = input.total_bytes().filter(|&total| terminal && total >= MIN_TOTAL).map(|total| {
            let style = ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left");
            ProgressBar::new(total).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { bar, shown: 0 }
    }

    /// Moves the bar: this many bytes were read so far.
    #[inline]
    pub(super) fn at(&mut self, bytes: u64) {
        if let Some(bar) = self.bar.as_ref().filter(|_| bytes.saturating_sub(self.shown) >= STEP) {
            self.shown = bytes;
            bar.set_position(bytes);
        }
    }

    /// Removes the bar.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

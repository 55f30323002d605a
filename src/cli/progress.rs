//! How far reading came, on standard error, where that is a terminal and there is something to wait for.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};
use wslens::capture::Input;

/// Inputs below this are read before anybody looks.
const WORTH_SHOWING: u64 = 64 << 20;
/// Packets between two looks at how far it came.
const PACKETS: u32 = 1 << 16;

/// A bar, or none.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    countdown: u32,
}

impl Progress {
    /// A bar for `input`, if somebody can see it.
    pub(super) fn new(input: &Input) -> Self {
        let seen = std::io::stderr().is_terminal();
        let bar = input.total_bytes().filter(|&total| seen && total >= WORTH_SHOWING).map(|total| {
            let style = ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left");
            ProgressBar::new(total).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { bar, countdown: PACKETS }
    }

    /// One more packet was read.
    #[inline]
    pub(super) fn packet(&mut self, input: &Input) {
        self.countdown -= 1;
        if self.countdown == 0 {
            self.countdown = PACKETS;
            if let Some(bar) = &self.bar {
                bar.set_position(input.bytes_read());
            }
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

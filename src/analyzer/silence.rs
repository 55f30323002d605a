//! The longest time without a packet that carried bytes.

use crate::event::Silence;
use crate::types::PacketRef;

/// Looks for the longest silence.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SilenceTracker {
    /// The last packet that carried bytes.
    pub(super) last: Option<PacketRef>,
    /// The longest silence so far.
    pub(super) longest: Option<Silence>,
}

impl SilenceTracker {
    /// A packet carried bytes.
    #[inline]
    pub(super) fn packet(&mut self, seen: PacketRef) {
        if let Some(last) = self.last
            && last.packet != seen.packet
        {
            let us = seen.at.micros_since(last.at);
            if self.longest.is_none_or(|longest| us > longest.us) {
                self.longest = Some(Silence { us, from: last, to: seen });
            }
        }
        self.last = Some(seen);
    }
}

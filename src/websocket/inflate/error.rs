//! Why a compressed message could not be inflated.

use core::fmt;

/// Why the decoding of a message ended. Reported once for a message, the rest of which is skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    /// The data is not DEFLATE (RFC 1951), or does not end as RFC 7692 §7.2.1 requires. The content given out before is
    /// right.
    #[error("{reason}, at byte {at} of the compressed message")]
    Corrupt {
        /// The offset within the compressed payload of the message of the byte that shows it; the payload's length
        /// where its end does.
        at: u64,
        /// In zlib's words, where zlib found the fault.
        reason: &'static str,
    },
    /// The message refers to unknown bytes. The content given out before is its right beginning; its length is not known.
    #[error("cannot be inflated: {loss}")]
    ContextLost {
        /// Why the bytes are not known.
        loss: ContextLoss,
        /// Whether this is the first message that needs them. `inflate_context_lost` is reported once for a loss.
        first: bool,
    },
}

/// Why the bytes that a message refers to are not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContextLoss {
    /// Compressed bytes are missing, or came before the capture began.
    Gap,
    /// A message before this one was corrupt.
    Corrupt,
    /// More messages were under way at once than there may be inflaters
    /// ([`Limits::max_inflaters`](crate::types::Limits::max_inflaters)), and this one had to give up its own.
    Pool,
    /// Memory was spent ([`Limits::max_memory_bytes`](crate::types::Limits::max_memory_bytes)), and the context was discarded.
    Memory,
}

impl ContextLoss {
    /// A sentence for the finding's detail.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gap => "compressed bytes before it are missing",
            Self::Corrupt => "a compressed message before it is corrupt",
            Self::Pool => "more compressed messages were under way at once than there may be inflaters",
            Self::Memory => "the memory for contexts was spent (--max-memory)",
        }
    }
}

impl fmt::Display for ContextLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

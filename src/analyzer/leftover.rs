//! What a protocol left of a run that it was given: nothing, or the rest.

use crate::stream::Run;

/// What was left of a run.
#[must_use = "what was left has to wait, or to go to the next protocol"]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leftover<'r> {
    /// All of it was taken.
    Nothing,
    /// This was not taken: the last bytes, or the gap or end that it is.
    Rest(Run<'r>),
}

impl<'r> Leftover<'r> {
    /// All of `run`.
    pub(super) const fn all(run: Run<'r>) -> Self {
        match run {
            Run::Data(bytes) => Self::bytes(bytes),
            other => Self::Rest(other),
        }
    }

    /// These bytes, which are the last of a run.
    pub(super) const fn bytes(bytes: &'r [u8]) -> Self {
        if bytes.is_empty() { Self::Nothing } else { Self::Rest(Run::Data(bytes)) }
    }

    /// How many bytes were left.
    pub(super) const fn byte_count(self) -> usize {
        match self {
            Self::Rest(Run::Data(bytes)) => bytes.len(),
            _ => 0,
        }
    }

    /// Whether all was taken.
    pub(super) const fn is_nothing(self) -> bool {
        matches!(self, Self::Nothing)
    }
}

/// The last `left` bytes of `bytes`, for machines that count what they left.
#[inline]
pub(super) fn last_bytes(bytes: &[u8], left: usize) -> &[u8] {
    bytes.len().checked_sub(left).and_then(|taken| bytes.get(taken..)).unwrap_or_default()
}

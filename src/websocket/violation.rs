//! What a rule of RFC 6455 or RFC 7692 found: a code and its particulars.

use crate::types::{Detail, FindingCode};

/// A rule that is broken, and how.
pub type Violation = (FindingCode, Detail);

/// Text from the wire for a detail: its first 100 characters.
pub(super) fn shorten(text: &str) -> String {
    match text.char_indices().nth(100) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

//! A finding: its code, its place and its time in the capture.
//!
//! An error is about us; a finding is about the traffic. The codes and their sentences are one table (`finding/code.rs`),
//! which feeds reports, tables, `docs/findings.md` and `wslens explain`.

mod code;
mod set;

pub use code::{Explanation, FindingCode, Severity};
pub use set::FindingSet;

use core::fmt;

use super::{Direction, PacketRef};

/// The particulars of one finding, cheap to make and formatted only when an output prints them. Text in it may come
/// from the wire and is hostile: outputs escape it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Detail {
    /// Nothing beyond the code.
    #[default]
    None,
    /// A fixed sentence.
    Fixed(&'static str),
    /// A sentence made for this finding. For findings that occur at most a few times in a connection.
    Text(Box<str>),
    /// A phrase with a number in place of its `#`: `opcode #`.
    Number(&'static str, u64),
    /// A phrase with two numbers: `# of # bytes of payload`.
    Numbers(&'static str, u64, u64),
}

impl Detail {
    /// A sentence made for this finding.
    #[must_use]
    pub fn text(text: impl Into<Box<str>>) -> Self {
        Self::Text(text.into())
    }

    /// Bytes that it keeps besides itself.
    #[must_use]
    pub const fn held(&self) -> usize {
        if let Self::Text(text) = self { text.len() } else { 0 }
    }

    /// A count: `one` is the phrase for 1, `many` for any other value, with `#` for the number.
    #[must_use]
    pub const fn count(one: &'static str, many: &'static str, value: u64) -> Self {
        Self::Number(if value == 1 { one } else { many }, value)
    }
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::Fixed(text) => f.write_str(text),
            Self::Text(text) => f.write_str(text),
            Self::Number(phrase, value) => fill(f, phrase, &[*value]),
            Self::Numbers(phrase, value, other) => fill(f, phrase, &[*value, *other]),
        }
    }
}

/// Writes `phrase` with a number in place of each `#`.
fn fill(f: &mut fmt::Formatter<'_>, phrase: &str, numbers: &[u64]) -> fmt::Result {
    let mut numbers = numbers.iter();
    for (place, part) in phrase.split('#').enumerate() {
        if place > 0
            && let Some(number) = numbers.next()
        {
            write!(f, "{number}")?;
        }
        f.write_str(part)?;
    }
    Ok(())
}

/// One finding: its code, and where and when the traffic shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its kind.
    pub code: FindingCode,
    /// The earliest packet that shows it.
    pub seen: PacketRef,
    /// The direction whose bytes show it; `None` where it is about both.
    pub direction: Option<Direction>,
    /// The number of the frame that shows it, from 0 within its connection.
    pub frame: Option<u64>,
    /// The number of the message that shows it. `None` where it is not known yet: then [`Self::in_message`] is true and
    /// it is that of the next message of this direction that is not a control message (see [`crate::event::Frame`]).
    pub message: Option<u64>,
    /// Whether it lies in a message at all.
    pub in_message: bool,
    /// The particulars.
    pub detail: Detail,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_read_as_a_phrase() {
        assert_eq!(Detail::Number("opcode #", 11).to_string(), "opcode 11");
        assert_eq!(Detail::Numbers("# of # bytes", 3, 10).to_string(), "3 of 10 bytes");
        assert_eq!(Detail::count("# byte", "# bytes", 1).to_string(), "1 byte");
        assert_eq!(Detail::count("# byte", "# bytes", 0).to_string(), "0 bytes");
    }
}

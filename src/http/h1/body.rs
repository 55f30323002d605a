//! Skips a body up to its end (machine): RFC 9112 §6.3, §7.1.
//!
//! In: the bytes and gaps of one direction. Out: whether the body ends there. Its content is not looked at.

use super::framing::Framing;

/// The rest of a body that is being skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// So many bytes.
    Length(u64),
    /// Chunks, from this place in one of them.
    Chunked(Chunked),
    /// All bytes of the connection.
    UntilEnd,
}

/// A place in a chunked body (RFC 9112 §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunked {
    /// In the digits of a chunk's size; `any` once there was one.
    Size { size: u64, any: bool },
    /// After them, in extensions or whitespace, up to the line's end.
    Extensions { size: u64 },
    /// In a chunk's data.
    Data { left: u64 },
    /// After the data, at its line end; `cr` once that began.
    DataEnd { cr: bool },
    /// In the trailer section; `empty` while its line has no more than a CR.
    Trailer { empty: bool },
    /// After the empty line that ends the trailer section.
    End,
}

/// The state of a body after some input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyProgress {
    /// It ends here; the bytes after it are in the input.
    Done,
    /// More of it is to come; the input is used up.
    NeedMore,
    /// It breaks its framing; the byte that does is the next of the input.
    Broken,
}

impl Body {
    /// A body of that framing, unless that is invalid.
    pub(super) const fn new(framing: Framing) -> Option<Self> {
        match framing {
            Framing::Length(len) => Some(Self::Length(len)),
            Framing::Chunked => Some(Self::Chunked(Chunked::Size { size: 0, any: false })),
            Framing::UntilEnd => Some(Self::UntilEnd),
            Framing::Invalid => None,
        }
    }

    /// Skips as much of it as the input has.
    pub(super) fn skip(&mut self, input: &mut &[u8]) -> BodyProgress {
        match self {
            Self::Length(left) => take_up_to(left, input),
            Self::UntilEnd => {
                *input = &[];
                BodyProgress::NeedMore
            }
            Self::Chunked(chunked) => chunked.skip(input),
        }
    }

    /// Skips a gap; false where the body's end may lie in the gap.
    pub(super) fn gap(&mut self, len: Option<u64>) -> bool {
        let left = match self {
            Self::UntilEnd => return true,
            Self::Length(left) | Self::Chunked(Chunked::Data { left }) => left,
            Self::Chunked(_) => return false,
        };
        match len.and_then(|len| left.checked_sub(len)) {
            Some(rest) => {
                *left = rest;
                true
            }
            None => false,
        }
    }
}

impl Chunked {
    fn skip(&mut self, input: &mut &[u8]) -> BodyProgress {
        loop {
            *self = match self {
                Self::Data { left } => match take_up_to(left, input) {
                    BodyProgress::Done => Self::DataEnd { cr: false },
                    progress => return progress,
                },
                Self::Extensions { size } if skip_line(input) => Self::after_size(*size),
                Self::Trailer { empty: false } if skip_line(input) => Self::Trailer { empty: true },
                Self::Extensions { .. } | Self::Trailer { empty: false } => return BodyProgress::NeedMore,
                Self::End => return BodyProgress::Done,
                Self::Size { .. } | Self::DataEnd { .. } | Self::Trailer { empty: true } => {
                    let Some((byte, rest)) = input.split_first() else { return BodyProgress::NeedMore };
                    let Some(next) = self.after(*byte) else { return BodyProgress::Broken };
                    *input = rest;
                    next
                }
            }
        }
    }

    /// The state after a byte, where states change byte by byte; `None` where that byte cannot be there. Lenient: a bare LF
    /// ends a line, and whitespace may follow a size.
    fn after(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Size { size, any: true }, b'\n') => Some(Self::after_size(size)),
            (Self::Size { size, any: true }, b'\r' | b';' | b' ' | b'\t') => Some(Self::Extensions { size }),
            (Self::Size { size, .. }, _) => {
                let digit = char::from(byte).to_digit(16)?;
                Some(Self::Size { size: size.checked_mul(16)?.checked_add(u64::from(digit))?, any: true })
            }
            (Self::DataEnd { cr: false }, b'\r') => Some(Self::DataEnd { cr: true }),
            (Self::DataEnd { .. }, b'\n') => Some(Self::Size { size: 0, any: false }),
            (Self::DataEnd { .. }, _) => None,
            (Self::Trailer { .. }, b'\n') => Some(Self::End),
            (Self::Trailer { .. }, b'\r') => Some(self),
            _ => Some(Self::Trailer { empty: false }),
        }
    }

    /// The state after the line with a chunk's size: the last chunk has size 0 and no data.
    const fn after_size(size: u64) -> Self {
        match size {
            0 => Self::Trailer { empty: true },
            left => Self::Data { left },
        }
    }
}

fn take_up_to(left: &mut u64, input: &mut &[u8]) -> BodyProgress {
    let take = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
    *input = input.get(take..).unwrap_or_default();
    *left -= take as u64;
    if *left == 0 { BodyProgress::Done } else { BodyProgress::NeedMore }
}

/// Skips input up to and including the next LF; false, and all of it, where there is none.
fn skip_line(input: &mut &[u8]) -> bool {
    let end = memchr::memchr(b'\n', input);
    *input = end.and_then(|at| input.get(at + 1..)).unwrap_or_default();
    end.is_some()
}

#[cfg(test)]
mod tests;

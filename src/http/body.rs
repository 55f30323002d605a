//! Where a body ends: the rules of RFC 9112 §6.3 (format), and a machine that steps over it without looking at it.

use super::head::{Field, Wants};

/// What the fields of a head say of its body, and whether they ask for another protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FramingFields {
    /// Content-Length (RFC 9110 §8.6).
    pub(super) length: Length,
    /// Transfer-Encoding (RFC 9112 §6.1).
    pub(super) transfer: Transfer,
    /// There is an Upgrade field, or a Sec-WebSocket field.
    pub(super) upgrade: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    Absent,
    Bytes(u64),
    /// No number, too large a number, or several that differ.
    Invalid,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transfer {
    /// No field, or nothing but the obsolete `identity`.
    Absent,
    /// `chunked` is the final coding.
    Chunked,
    /// Another is.
    Other,
}

impl FramingFields {
    pub(super) fn of<'a>(fields: impl Iterator<Item = Field<'a>>) -> Self {
        let mut traits = Self { length: Length::Absent, transfer: Transfer::Absent, upgrade: false };
        for field in fields {
            // By length first: nearly all fields are none of these.
            match field.name.len() {
                7 if field.is("Upgrade") => traits.upgrade = true,
                14 if field.is("Content-Length") => traits.length = traits.length.and(&field),
                17 if field.is("Transfer-Encoding") => traits.transfer = traits.transfer.then(&field),
                17.. if is_sec_websocket(field.name) => traits.upgrade = true,
                _ => {}
            }
        }
        traits
    }
}

fn is_sec_websocket(name: &[u8]) -> bool {
    name.get(..14).is_some_and(|start| start.eq_ignore_ascii_case(b"Sec-WebSocket-"))
}

impl Length {
    /// Together with one more field. The same number may be said often, in one field or several (RFC 9112 §6.3).
    fn and(self, field: &Field<'_>) -> Self {
        let mut sum = self;
        for element in field.elements() {
            sum = match (sum, decimal(element)) {
                (Self::Absent, Some(bytes)) => Self::Bytes(bytes),
                (Self::Bytes(before), Some(bytes)) if before == bytes => sum,
                _ => Self::Invalid,
            };
        }
        if sum == Self::Absent { Self::Invalid } else { sum }
    }
}

impl Transfer {
    /// Followed by the codings of one more field.
    fn then(self, field: &Field<'_>) -> Self {
        field.elements().fold(self, |before, coding| {
            let name = coding.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
            if name.eq_ignore_ascii_case(b"chunked") {
                Self::Chunked
            } else if name.eq_ignore_ascii_case(b"identity") {
                before
            } else {
                Self::Other
            }
        })
    }
}

fn decimal(text: &[u8]) -> Option<u64> {
    text.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

/// How a body is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// By its length; 0 where there is none.
    Length(u64),
    /// In chunks (RFC 9112 §7.1).
    Chunked,
    /// By the connection's end.
    UntilEnd,
    /// In no way that both sides must agree on.
    Faulty,
}

impl Framing {
    /// RFC 9112 §6.3, for requests.
    pub(super) const fn of_request(traits: &FramingFields, wants: Wants) -> Self {
        match (wants, traits.transfer, traits.length) {
            // RFC 9110 §9.3.6: a CONNECT request has no content, whatever its fields say.
            (Wants::Tunnel, ..) => Self::Length(0),
            (_, Transfer::Chunked, _) => Self::Chunked,
            (_, Transfer::Other, _) | (_, _, Length::Invalid) => Self::Faulty,
            (_, _, Length::Bytes(bytes)) => Self::Length(bytes),
            _ => Self::Length(0),
        }
    }

    /// RFC 9112 §6.3, for final responses that may have a body: what HEAD, 1xx, 204, 304 and a tunnel take away is known
    /// to the machine, which knows the request.
    pub(super) const fn of_response(traits: &FramingFields) -> Self {
        match (traits.transfer, traits.length) {
            (Transfer::Chunked, _) => Self::Chunked,
            (Transfer::Other, _) => Self::UntilEnd,
            (_, Length::Invalid) => Self::Faulty,
            (_, Length::Bytes(bytes)) => Self::Length(bytes),
            _ => Self::UntilEnd,
        }
    }
}

/// A body that is being stepped over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// So many bytes more.
    Length(u64),
    /// Chunks, from here in one of them.
    Chunked(Chunked),
    /// All there is.
    UntilEnd,
}

/// Where in a chunked body (RFC 9112 §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunked {
    /// In the digits of a chunk's size; `any` once there was one.
    Size { size: u64, any: bool },
    /// Behind them, in extensions or whitespace, up to the line's end.
    Extensions { size: u64 },
    /// In a chunk's data.
    Data { left: u64 },
    /// Behind it, at its line end; `cr` once that began.
    DataEnd { cr: bool },
    /// In the trailer section; `empty` while its line has no more than a CR.
    Trailer { empty: bool },
    /// Behind the empty line that ends it.
    End,
}

/// How far a body got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyProgress {
    /// It ends here; what follows lies in the input.
    Done,
    /// It wants more, and took all there was.
    NeedMore,
    /// It is none; the byte that shows it lies in the input.
    Broken,
}

impl Body {
    /// The body of that framing, unless that is faulty.
    pub(super) const fn new(framing: Framing) -> Option<Self> {
        match framing {
            Framing::Length(len) => Some(Self::Length(len)),
            Framing::Chunked => Some(Self::Chunked(Chunked::Size { size: 0, any: false })),
            Framing::UntilEnd => Some(Self::UntilEnd),
            Framing::Faulty => None,
        }
    }

    /// Steps over what is there of it.
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

    /// Steps over a hole of that length; false where the hole may hide the body's end.
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

    /// The state behind a byte, where states change byte by byte; `None` where that byte cannot stand there. Lenient: a
    /// bare LF ends a line, and whitespace may follow a size.
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

    /// What follows the line with a chunk's size: the last chunk has size 0 and no data.
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

/// Steps behind the next LF; false, and to the end, where there is none.
fn skip_line(input: &mut &[u8]) -> bool {
    let end = memchr::memchr(b'\n', input);
    *input = end.and_then(|at| input.get(at + 1..)).unwrap_or_default();
    end.is_some()
}

#[cfg(test)]
mod tests;

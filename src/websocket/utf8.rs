//! Whether a message is UTF-8, checked byte by byte.
//!
//! In come the bytes of one text message (after inflation) or of one Close reason, cut anywhere; out comes the earliest
//! ill-formed sequence, at the byte that makes it certain: `F4 90` is known to be wrong at `90`, since no code point
//! begins like that. RFC 6455 §8.1: "When an endpoint is to interpret a byte stream as UTF-8 but finds that the byte stream is
//! not, in fact, a valid UTF-8 stream, that endpoint MUST _Fail the WebSocket Connection_." UTF-8 is defined in
//! RFC 3629 §4.
//!
//! It keeps at most three bytes, and does not copy or convert text.

use core::str;

/// Slices from this length on go to the vectorized checker, which costs more to begin with and less for each byte.
const LONG: usize = 128;

/// A code point has at most this many bytes (RFC 3629 §3).
const CODE_POINT: usize = 4;

/// A sequence that is not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidSequence {
    /// Where it begins: the offset of its first byte within the message.
    pub offset: u64,
}

/// Checks one message after another, each in any number of pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Utf8Checker {
    /// Bytes of the message before those in `carry`.
    offset: u64,
    /// A sequence that is well-formed so far and not complete.
    carry: [u8; CODE_POINT - 1],
    carried: u8,
    /// After a gap: how many bytes may still be the end of a sequence that began inside it.
    orphans: u8,
    invalid: Option<InvalidSequence>,
}

impl Utf8Checker {
    /// A checker at the beginning of a message.
    #[must_use]
    pub const fn new() -> Self {
        Self { offset: 0, carry: [0; CODE_POINT - 1], carried: 0, orphans: 0, invalid: None }
    }

    /// Begins the next message.
    pub const fn reset(&mut self) {
        *self = Self::new();
    }

    /// The next bytes of the message.
    ///
    /// # Errors
    ///
    /// The first ill-formed sequence, as soon as it is certain and from then on for the rest of the message.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), InvalidSequence> {
        if let Some(invalid) = self.invalid {
            return Err(invalid);
        }
        let bytes = self.skip_orphans(bytes);
        let bytes = if self.carried == 0 { bytes } else { self.complete(bytes)? };
        let (valid, stopper) = check(bytes);
        self.offset = self.offset.saturating_add(valid as u64);
        match stopper {
            None => Ok(()),
            Some(Stopper::IllFormed) => Err(self.fail()),
            Some(Stopper::Incomplete) => {
                self.hold(bytes.get(valid..).unwrap_or_default());
                Ok(())
            }
        }
    }

    /// The message ends here.
    ///
    /// # Errors
    ///
    /// The first ill-formed sequence; also a sequence that the end cuts short.
    pub const fn finish(&self) -> Result<(), InvalidSequence> {
        match self.invalid {
            Some(invalid) => Err(invalid),
            None if self.carried > 0 => Err(InvalidSequence { offset: self.offset }),
            None => Ok(()),
        }
    }

    /// Here `len` bytes are missing (0 where their number is not known). They may have been any bytes that make the rest
    /// right: a sequence that the gap cuts is no error, neither before it nor after it.
    pub const fn skip(&mut self, len: u64) {
        self.offset = self.offset.saturating_add(self.carried as u64).saturating_add(len);
        self.carried = 0;
        self.orphans = 3; // all but the first byte of the longest sequence
    }

    /// Skips continuation bytes of a sequence that began in a gap.
    fn skip_orphans<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let mut rest = bytes;
        while self.orphans > 0 {
            match rest.split_first() {
                Some((0x80..=0xBF, tail)) => {
                    rest = tail;
                    self.orphans -= 1;
                    self.offset = self.offset.saturating_add(1);
                }
                Some(_) => self.orphans = 0,
                None => break,
            }
        }
        rest
    }

    /// Completes the sequence at which the last piece was cut. Gives the bytes after it.
    fn complete<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], InvalidSequence> {
        let carried = usize::from(self.carried);
        let mut joined = [0; CODE_POINT];
        let old = self.carry.iter().take(carried);
        let mut len = 0;
        for (to, from) in joined.iter_mut().zip(old.chain(bytes)) {
            *to = *from;
            len += 1;
        }
        let joined = joined.get(..len).unwrap_or_default();
        match check(joined) {
            (0, Some(Stopper::IllFormed)) => Err(self.fail()),
            (0, _) => {
                self.hold(joined);
                Ok(&[])
            }
            // The valid part includes the carried sequence, which was not complete without new bytes.
            (valid, _) => {
                self.carried = 0;
                self.offset = self.offset.saturating_add(valid as u64);
                Ok(bytes.get(valid.saturating_sub(carried)..).unwrap_or_default())
            }
        }
    }

    fn hold(&mut self, cut: &[u8]) {
        self.carried = 0;
        for (to, from) in self.carry.iter_mut().zip(cut) {
            *to = *from;
            self.carried += 1;
        }
    }

    const fn fail(&mut self) -> InvalidSequence {
        let invalid = InvalidSequence { offset: self.offset };
        self.invalid = Some(invalid);
        invalid
    }
}

/// Whether a complete text is UTF-8.
#[inline]
#[must_use]
pub fn is_well_formed(text: &[u8]) -> bool {
    if text.len() < LONG { str::from_utf8(text).is_ok() } else { simdutf8::basic::from_utf8(text).is_ok() }
}

/// What stopped a check.
enum Stopper {
    /// A sequence with which no code point begins.
    IllFormed,
    /// The end of the bytes, inside a sequence that may still become right.
    Incomplete,
}

/// How many bytes are well-formed, and what follows them.
fn check(bytes: &[u8]) -> (usize, Option<Stopper>) {
    let (valid, error_len) = if bytes.len() < LONG {
        match str::from_utf8(bytes) {
            Ok(_) => return (bytes.len(), None),
            Err(error) => (error.valid_up_to(), error.error_len()),
        }
    } else {
        match simdutf8::compat::from_utf8(bytes) {
            Ok(_) => return (bytes.len(), None),
            Err(error) => (error.valid_up_to(), error.error_len()),
        }
    };
    (valid, Some(if error_len.is_some() { Stopper::IllFormed } else { Stopper::Incomplete }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// When and where `bytes` go wrong, checked byte by byte: (bytes seen, offset).
    fn byte_by_byte(bytes: &[u8]) -> Option<(usize, u64)> {
        let mut checker = Utf8Checker::new();
        for (index, byte) in bytes.iter().enumerate() {
            if let Err(invalid) = checker.push(&[*byte]) {
                assert_eq!(checker.push(b"more"), Err(invalid));
                assert_eq!(checker.finish(), Err(invalid));
                return Some((index + 1, invalid.offset));
            }
        }
        None
    }

    /// The grammar of RFC 3629 §4, read as slowly as it is written. Where the first sequence that cannot be completed
    /// begins and which byte shows it; and whether the end cuts one.
    fn dumb(bytes: &[u8]) -> (Option<(usize, u64)>, bool) {
        let mut at = 0;
        while at < bytes.len() {
            let tails: &[std::ops::RangeInclusive<u8>] = match bytes[at] {
                0x00..=0x7F => &[],
                0xC2..=0xDF => &[0x80..=0xBF],
                0xE0 => &[0xA0..=0xBF, 0x80..=0xBF],
                0xE1..=0xEC | 0xEE..=0xEF => &[0x80..=0xBF, 0x80..=0xBF],
                0xED => &[0x80..=0x9F, 0x80..=0xBF],
                0xF0 => &[0x90..=0xBF, 0x80..=0xBF, 0x80..=0xBF],
                0xF1..=0xF3 => &[0x80..=0xBF, 0x80..=0xBF, 0x80..=0xBF],
                0xF4 => &[0x80..=0x8F, 0x80..=0xBF, 0x80..=0xBF],
                _ => return (Some((at + 1, at as u64)), false),
            };
            for (index, tail) in tails.iter().enumerate() {
                match bytes.get(at + 1 + index) {
                    None => return (None, true),
                    Some(byte) if tail.contains(byte) => {}
                    Some(_) => return (Some((at + index + 2, at as u64)), false),
                }
            }
            at += 1 + tails.len();
        }
        (None, false)
    }

    #[test]
    fn an_ill_formed_sequence_is_reported_at_the_byte_that_makes_it_certain() {
        for (bytes, seen, offset) in [
            (&[0x41, 0xF4, 0x90, 0x80, 0x80][..], 3, 1), // above U+10FFFF
            (&[0xE0, 0x80, 0x80], 2, 0),                 // overlong
            (&[0xED, 0xA0, 0x80], 2, 0),                 // a surrogate
            (&[0xC0, 0x80], 1, 0),                       // overlong NUL
            (&[0xF5], 1, 0),
            (&[0xFF], 1, 0),
            (&[0x80], 1, 0),
            (&[0xCE, 0xBA, 0xE1, 0xBD, 0x41], 5, 2),
            (&[0xF0, 0x90, 0x80, 0x41], 4, 0),
        ] {
            assert_eq!(byte_by_byte(bytes), Some((seen, offset)), "{bytes:x?}");
        }
    }

    #[test]
    fn the_end_may_not_cut_a_code_point() {
        let text = "κόσμε€😀".as_bytes();
        let mut checker = Utf8Checker::new();
        let mut boundary = 0;
        for end in 0..=text.len() {
            checker.reset();
            assert_eq!(checker.push(&text[..end]), Ok(()));
            if str::from_utf8(&text[..end]).is_ok() {
                boundary = end;
                assert_eq!(checker.finish(), Ok(()));
            } else {
                assert_eq!(checker.finish(), Err(InvalidSequence { offset: boundary as u64 }));
            }
        }
    }

    #[test]
    fn a_gap_excuses_the_sequences_that_it_cuts_and_no_others() {
        let mut checker = Utf8Checker::new();
        assert_eq!(checker.push(&[b'a', 0xE2]), Ok(()));
        checker.skip(1);
        assert_eq!(checker.push(&[0xAC]), Ok(()));
        assert_eq!(checker.push(&[b'b', 0xAC]), Err(InvalidSequence { offset: 5 }));

        checker.reset();
        checker.skip(10);
        assert_eq!(checker.push(&[0x80, 0x80]), Ok(()));
        assert_eq!(checker.push(&[0x80]), Ok(()));
        assert_eq!(checker.finish(), Ok(()));
        assert_eq!(checker.push(&[0x80]), Err(InvalidSequence { offset: 13 }));

        checker.reset();
        assert_eq!(checker.push(&[0xFF]), Err(InvalidSequence { offset: 0 }));
        checker.skip(1);
        assert_eq!(checker.push(b"a"), Err(InvalidSequence { offset: 0 }));
    }

    /// Bytes that are often nearly right, short and long.
    fn nearly_utf8() -> impl Strategy<Value = Vec<u8>> {
        let part = prop_oneof![
            4 => "[a-zκ€😀]{0,8}".prop_map(String::into_bytes),
            2 => Just(vec![b'x'; 150]),
            2 => "[a€😀]{60}".prop_map(String::into_bytes),
            1 => proptest::collection::vec(prop_oneof![0x7Fu8..=0xC2, 0xDFu8..=0xFF], 1..4),
        ];
        proptest::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_result_of_the_grammar(
            bytes in nearly_utf8(),
            cuts in proptest::collection::vec(1usize..200, 1..30),
        ) {
            let (ill, cut_short) = dumb(&bytes);
            prop_assert_eq!(byte_by_byte(&bytes), ill);
            let mut checker = Utf8Checker::new();
            let mut rest = &bytes[..];
            let mut seen = 0;
            let mut reported = None;
            for cut in cuts.iter().cycle() {
                if rest.is_empty() || reported.is_some() {
                    break;
                }
                let (piece, tail) = rest.split_at((*cut).min(rest.len()));
                reported = checker.push(piece).err();
                if reported.is_none() {
                    seen += piece.len();
                }
                rest = tail;
            }
            prop_assert_eq!(reported.map(|invalid| invalid.offset), ill.map(|(_, offset)| offset));
            if let Some((certain, _)) = ill {
                prop_assert!(seen < certain, "the piece before was accepted");
            }
            prop_assert_eq!(checker.finish().is_err(), ill.is_some() || cut_short);
        }
    }
}

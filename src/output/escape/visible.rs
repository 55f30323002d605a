//! Bytes of any kind made visible, a block at a time.
//!
//! In: bytes, which need not be text. Out: the same with escapes, as [`super`] describes them. In compressed payload every
//! other byte is one that needs an escape, so each byte costs one look-up in a table, and only a byte that may begin a
//! character of several bytes is decoded.

use super::{hex_digit, is_unsafe};

/// Bytes that are escaped together; and room for their escapes, four bytes each, and for the rest of a character.
const BLOCK: usize = 32;
const ROOM: usize = 4 * BLOCK + 8;

/// How a byte is shown that is no part of a longer character: this many of these bytes. And which part it may be of one.
#[derive(Clone, Copy)]
pub(super) struct Shown {
    bytes: [u8; 4],
    len: u8,
    part: u8,
}

/// It may begin a character of several bytes; it may go on with one (RFC 3629 §4).
const LEAD: u8 = 1;
const CONTINUES: u8 = 2;

/// How every byte is shown.
pub(super) type Table = [Shown; 256];

pub(super) static SHOWN: Table = all_shown(None);
/// The same, and quotation marks are doubled (RFC 4180 §2).
pub(super) static SHOWN_QUOTED: Table = all_shown(Some(b'"'));

/// All; one of them may be doubled.
const fn all_shown(doubled: Option<u8>) -> Table {
    let mut all = [Shown { bytes: [0; 4], len: 0, part: 0 }; 256];
    let mut left: &mut [Shown] = &mut all;
    let mut byte = 0_u8;
    while let [first, rest @ ..] = left {
        *first = match doubled {
            Some(quote) if quote == byte => Shown { bytes: [byte, byte, 0, 0], len: 2, part: 0 },
            _ => shown(byte),
        };
        byte = byte.wrapping_add(1);
        left = rest;
    }
    all
}

const fn shown(byte: u8) -> Shown {
    let short = match byte {
        b'\\' => b'\\',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        b'\0' => b'0',
        0x20..0x7f => return Shown { bytes: [byte, 0, 0, 0], len: 1, part: 0 },
        _ => {
            let part = match byte {
                0xc2..=0xf4 => LEAD,
                0x80..=0xbf => CONTINUES,
                _ => 0,
            };
            return Shown { bytes: [b'\\', b'x', hex_digit(byte >> 4), hex_digit(byte)], len: 4, part };
        }
    };
    Shown { bytes: [b'\\', short, 0, 0], len: 2, part: 0 }
}

/// Appends `bytes` with all that is unsafe escaped, as the table has it.
pub(super) fn write(out: &mut Vec<u8>, bytes: &[u8], table: &Table) {
    let mut rest = bytes;
    while !rest.is_empty() {
        rest = write_block(out, rest, table);
    }
}

/// Appends the first [`BLOCK`] of `bytes`, escaped, or a few more or fewer so that no character is cut; gives the rest.
fn write_block<'b>(out: &mut Vec<u8>, bytes: &'b [u8], table: &Table) -> &'b [u8] {
    let mut room = [0; ROOM];
    let mut filled = 0;
    let mut at = 0;
    while at < BLOCK
        && let Some(&byte) = bytes.get(at)
    {
        let of = |byte: u8| table.get(usize::from(byte)).copied().unwrap_or(shown(byte));
        let (here, next) = (of(byte), of(bytes.get(at + 1).copied().unwrap_or(0)));
        // One branch that is seldom taken, for two conditions of which each alone cannot be predicted.
        let wide = here.part & next.part >> 1 != 0;
        let put = match wide.then(|| character(bytes.get(at..).unwrap_or_default())).flatten() {
            None => here,
            Some((c, len)) if is_unsafe(c) => {
                out.extend_from_slice(room.get(..filled).unwrap_or_default());
                out.extend(c.escape_unicode().filter_map(|c| u8::try_from(c).ok()));
                return bytes.get(at + len..).unwrap_or_default();
            }
            Some((c, len)) => {
                let mut bytes = [0; 4];
                c.encode_utf8(&mut bytes);
                at += len - 1;
                Shown { bytes, len: u8::try_from(len).unwrap_or(0), part: 0 }
            }
        };
        if let Some(to) = room.get_mut(filled..).and_then(|room| room.first_chunk_mut()) {
            *to = put.bytes;
        }
        filled += usize::from(put.len);
        at += 1;
    }
    out.extend_from_slice(room.get(..filled).unwrap_or_default());
    bytes.get(at..).unwrap_or_default()
}

/// The character of several bytes that stands at the front, and how many (RFC 3629 §4).
fn character(bytes: &[u8]) -> Option<(char, usize)> {
    let [lead, second, ..] = *bytes else { return None };
    let len = match lead {
        0xc2..=0xdf if second & 0xc0 == 0x80 => {
            return char::from_u32(u32::from(lead & 0x1f) << 6 | u32::from(second & 0x3f)).map(|c| (c, 2));
        }
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return None,
    };
    let text = core::str::from_utf8(bytes.get(..len)?).ok()?;
    text.chars().next().map(|c| (c, len))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::write_runs;
    use super::*;

    // Appends the visible escape of an unsafe character.
    fn push_visible(out: &mut Vec<u8>, c: char) {
        match c {
            '\\' => out.extend_from_slice(br"\\"),
            '\n' => out.extend_from_slice(br"\n"),
            '\r' => out.extend_from_slice(br"\r"),
            '\t' => out.extend_from_slice(br"\t"),
            '\0' => out.extend_from_slice(br"\0"),
            c if c.is_ascii() => push_hex_byte(out, u8::try_from(c).unwrap_or(0)),
            c => out.extend(c.escape_unicode().filter_map(|c| u8::try_from(c).ok())),
        }
    }

    fn push_hex_byte(out: &mut Vec<u8>, byte: u8) {
        out.extend_from_slice(&[b'\\', b'x', hex_digit(byte >> 4), hex_digit(byte)]);
    }

    /// A simple model: text as the standard library recognizes it, character by character, and all other bytes.
    fn plainly(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for chunk in bytes.utf8_chunks() {
            write_runs(&mut out, chunk.valid(), b'\\', |c| c != '\\' && !is_unsafe(c), push_visible);
            chunk.invalid().iter().for_each(|&byte| push_hex_byte(&mut out, byte));
        }
        out
    }

    fn shown(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out, bytes, &SHOWN);
        out
    }

    #[test]
    fn every_pair_and_every_beginning_of_a_character() {
        for first in 0..=255 {
            for second in 0..=255 {
                let pair = [first, second];
                assert_eq!(shown(&pair), plainly(&pair));
                let more = [b'a', first, second, 0x80, 0xbf, b'z'];
                (0..=more.len()).for_each(|len| assert_eq!(shown(&more[..len]), plainly(&more[..len])));
            }
        }
    }

    proptest! {
        #[test]
        fn as_the_plain_way(bytes in prop::collection::vec(any::<u8>(), 0..200), text in ".{0,80}") {
            prop_assert_eq!(shown(&bytes), plainly(&bytes));
            prop_assert_eq!(shown(text.as_bytes()), plainly(text.as_bytes()));
            let mixed = [text.as_bytes(), &bytes, text.as_bytes()].concat();
            prop_assert_eq!(shown(&mixed), plainly(&mixed));
        }
    }
}

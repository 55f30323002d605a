//! Hostile bytes made safe to show.
//!
//! In: bytes from the wire. Out: text for terminals, tables and JSON in which nothing can move a cursor, change a
//! colour, reorder or hide the text beside it, and from which the bytes can be recovered. It does not look for secrets:
//! see [`super::redact`].
//!
//! For terminals and CSV, what is not safe becomes a visible escape: `\n`, `\r`, `\t`, `\0`; other ASCII controls and
//! bytes that are not UTF-8 `\x1b`, `\xff`; other characters that are invisible or reorder text `\u{202e}`; the
//! backslash itself `\\`. In JSON a string has JSON's own escapes (RFC 8259 §7), also for characters that JSON allows but
//! that are not safe on a terminal.

mod visible;

use std::borrow::Cow;

/// Characters that are invisible or change how their neighbours look: those of Unicode's general categories Cf, Zl and
/// Zp (bidirectional overrides and isolates, zero-width, tags, separators), and others that are to be ignored by default
/// (fillers, variation selectors beyond the sixteen that plain text uses). Sorted.
const HIDDEN: [(u32, u32); 26] = [
    (0xad, 0xad),
    (0x34f, 0x34f),
    (0x600, 0x605),
    (0x61c, 0x61c),
    (0x6dd, 0x6dd),
    (0x70f, 0x70f),
    (0x890, 0x891),
    (0x8e2, 0x8e2),
    (0x115f, 0x1160),
    (0x17b4, 0x17b5),
    (0x180b, 0x180f),
    (0x200b, 0x200f),
    (0x2028, 0x202e),
    (0x2060, 0x206f),
    (0x3164, 0x3164),
    (0xfeff, 0xfeff),
    (0xffa0, 0xffa0),
    (0xfff0, 0xfffb),
    (0xfffe, 0xffff),
    (0x110bd, 0x110bd),
    (0x110cd, 0x110cd),
    (0x13430, 0x1343f),
    (0x1bca0, 0x1bca3),
    (0x1d173, 0x1d17a),
    (0xe0000, 0xe0fff),
    (0xf_fffe, 0x10_ffff),
];

/// Whether a character must not reach a terminal as it is: controls (C0, DEL, C1), and characters that are invisible or
/// change how their neighbours look.
#[must_use]
pub fn is_unsafe(c: char) -> bool {
    let code = u32::from(c);
    if code < 0x34f {
        return code == 0xad || c.is_control();
    }
    let place = HIDDEN.partition_point(|&(_, last)| last < code);
    HIDDEN.get(place).is_some_and(|&(first, _)| first <= code)
}

/// Whether all of `bytes` is printable ASCII without a backslash, and so safe as it is.
pub(super) fn is_plain(bytes: &[u8]) -> bool {
    // Blocks without a branch in them, which the compiler turns into vector code.
    bytes
        .chunks(32)
        .all(|block| block.iter().fold(true, |plain, &b| plain & (b.wrapping_sub(0x20) < 0x5f) & (b != b'\\')))
}

/// Appends `bytes` with all that is unsafe escaped.
pub fn write_terminal(out: &mut Vec<u8>, bytes: &[u8]) {
    if is_plain(bytes) {
        out.extend_from_slice(bytes);
        return;
    }
    visible::write(out, bytes, &visible::SHOWN);
}

/// Appends `bytes` with all that is unsafe escaped, and every quotation mark doubled.
pub(super) fn write_terminal_quoted(out: &mut Vec<u8>, bytes: &[u8]) {
    if is_plain(bytes) {
        write_quotes(out, bytes, b'"');
        return;
    }
    visible::write(out, bytes, &visible::SHOWN_QUOTED);
}

/// `bytes` with all that is unsafe escaped; borrowed where nothing is.
#[must_use]
pub fn terminal(bytes: &[u8]) -> Cow<'_, str> {
    if is_plain(bytes)
        && let Ok(text) = core::str::from_utf8(bytes)
    {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(bytes.len() + 16);
    write_terminal(&mut out, bytes);
    Cow::Owned(String::from_utf8(out).unwrap_or_default())
}

/// The beginning of `bytes` that a preview shows: at most `limit` bytes, and no character cut in two. `more` says that
/// `bytes` itself is only a beginning. Whether anything is left out is the second answer.
#[must_use]
pub fn preview(bytes: &[u8], limit: usize, more: bool) -> (&[u8], bool) {
    let cut = bytes.len() > limit;
    let head = bytes.get(..limit).unwrap_or(bytes);
    if !cut && !more {
        return (head, false);
    }
    (without_cut_char(head), true)
}

/// `bytes` without the beginning of a character whose rest is missing (RFC 3629 §3).
pub(super) fn without_cut_char(bytes: &[u8]) -> &[u8] {
    let lead = bytes.iter().rev().take(3).position(|byte| byte & 0xc0 != 0x80);
    let Some(after) = lead else { return bytes };
    let at = bytes.len() - after - 1;
    let needed = match bytes.get(at) {
        Some(0xc2..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf4) => 4,
        _ => 1,
    };
    if after + 1 < needed { bytes.get(..at).unwrap_or(bytes) } else { bytes }
}

/// Appends a preview: [`preview`] and [`write_terminal`], and `…` where something is left out.
pub fn write_preview(out: &mut Vec<u8>, bytes: &[u8], limit: usize, more: bool) {
    let (head, cut) = preview(bytes, limit, more);
    write_terminal(out, head);
    if cut {
        out.extend_from_slice("…".as_bytes());
    }
}

/// Appends `bytes` as a JSON string with its quotes. What is UTF-8 comes out of any JSON parser as it went in; other
/// bytes are escaped as for terminals first, backslashes too, so that they can be recovered.
pub fn write_json(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    if is_plain(bytes) {
        write_quotes(out, bytes, b'\\');
    } else if let Some(text) = utf8(bytes) {
        write_runs(out, text, b'"', |c| c != '\\' && c != '"' && !is_unsafe(c), push_json);
    } else {
        let mut escaped = Vec::with_capacity(bytes.len() + 16);
        write_terminal(&mut escaped, bytes);
        let text = core::str::from_utf8(&escaped).unwrap_or_default();
        write_runs(out, text, b'"', |c| c != '\\' && c != '"', push_json);
    }
    out.push(b'"');
}

/// Appends `bytes` with `before` in front of every quotation mark.
pub(super) fn write_quotes(out: &mut Vec<u8>, bytes: &[u8], before: u8) {
    const MOST: usize = 32;
    for bytes in bytes.chunks(MOST) {
        // Without branches, since a processor cannot predict where the quotation marks of JSON are. Two bytes are written for
        // each, of which the second counts only after `before`.
        let mut block = [0; 2 * MOST + 1];
        let mut len = 0_usize;
        for &byte in bytes {
            let quote = byte == b'"';
            let pair = u16::from_le_bytes([if quote { before } else { byte }, byte]);
            if let Some(to) = block.get_mut(len..).and_then(|room| room.first_chunk_mut()) {
                *to = pair.to_le_bytes();
            }
            len += 1 + usize::from(quote);
        }
        let end = out.len() + len;
        out.extend_from_slice(&block);
        out.truncate(end);
    }
}

/// `bytes` as text, where it is UTF-8.
#[must_use]
pub fn utf8(bytes: &[u8]) -> Option<&str> {
    // simdutf8 pays from about 128 bytes on.
    if bytes.len() < 128 { core::str::from_utf8(bytes).ok() } else { simdutf8::basic::from_utf8(bytes).ok() }
}

/// Appends `text`: runs of characters that are `safe` as they are, others through `push`. Printable ASCII is safe but for
/// the backslash and `quote`.
fn write_runs(
    out: &mut Vec<u8>,
    text: &str,
    quote: u8,
    safe: impl Fn(char) -> bool,
    push: impl Fn(&mut Vec<u8>, char),
) {
    let mut rest = text;
    while !rest.is_empty() {
        let plain = |&byte: &u8| byte.wrapping_sub(0x20) < 0x5f && byte != b'\\' && byte != quote;
        let run = rest.bytes().position(|byte| !plain(&byte)).unwrap_or(rest.len());
        let (head, tail) = rest.split_at(run);
        out.extend_from_slice(head.as_bytes());
        let mut chars = tail.chars();
        match chars.next() {
            Some(c) if safe(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            Some(c) => push(out, c),
            None => {}
        }
        rest = chars.as_str();
    }
}

/// The low four bits as a lower-case digit.
pub(super) const fn hex_digit(nibble: u8) -> u8 {
    let value = nibble & 0x0f;
    // No branch: digits of hashes and keys are random, and could not be predicted.
    b'0' + value + if value > 9 { b'a' - b'0' - 10 } else { 0 }
}

/// Appends a character as an escape of JSON (RFC 8259 §7), in UTF-16 where it has no short one.
fn push_json(out: &mut Vec<u8>, c: char) {
    match c {
        '"' => out.extend_from_slice(br#"\""#),
        '\\' => out.extend_from_slice(br"\\"),
        '\n' => out.extend_from_slice(br"\n"),
        '\r' => out.extend_from_slice(br"\r"),
        '\t' => out.extend_from_slice(br"\t"),
        '\u{8}' => out.extend_from_slice(br"\b"),
        '\u{c}' => out.extend_from_slice(br"\f"),
        c => {
            for &mut unit in c.encode_utf16(&mut [0; 2]) {
                let [high, low] = unit.to_be_bytes();
                out.extend_from_slice(br"\u");
                out.extend([high >> 4, high, low >> 4, low].map(hex_digit));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(bytes: &[u8]) -> String {
        terminal(bytes).into_owned()
    }

    fn json(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        write_json(&mut out, bytes);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_a_terminal_would_obey_becomes_visible() {
        assert_eq!(shown(b"plain ~ text"), "plain ~ text");
        assert!(matches!(terminal(b"plain"), Cow::Borrowed(_)));
        assert_eq!(shown(b"\x1b[2J\x1b]0;title\x07"), r"\x1b[2J\x1b]0;title\x07");
        assert_eq!(shown("\u{9b}31m\u{85}".as_bytes()), r"\u{9b}31m\u{85}");
        assert_eq!(shown(b"a\0b\tc\r\nd\x7f\\"), r"a\0b\tc\r\nd\x7f\\");
        assert_eq!(
            shown("x\u{202e}gpj\u{2066}\u{200f}\u{200d}\u{feff}".as_bytes()),
            r"x\u{202e}gpj\u{2066}\u{200f}\u{200d}\u{feff}"
        );
        assert_eq!(shown("\u{2028}\u{2029}\u{e0041}\u{ad}".as_bytes()), r"\u{2028}\u{2029}\u{e0041}\u{ad}");
        assert_eq!(shown("é 漢字 🦀".as_bytes()), "é 漢字 🦀");
        // Bytes of a lone surrogate, a cut character, and C1 controls that are not UTF-8.
        assert_eq!(shown(b"\xed\xa0\x80|\xe2\x82|\x9b"), r"\xed\xa0\x80|\xe2\x82|\x9b");
        // A lone surrogate in an escape of JSON is six harmless characters.
        assert_eq!(shown(br#""\ud800""#), r#""\\ud800""#);
    }

    #[test]
    fn a_preview_ends_between_characters() {
        let text = "ab€c".as_bytes();
        let cuts = ["…", "a…", "ab…", "ab…", "ab…", "ab€…", "ab€c", "ab€c"];
        for (limit, expected) in cuts.iter().enumerate() {
            let mut out = Vec::new();
            write_preview(&mut out, text, limit, false);
            assert_eq!(core::str::from_utf8(&out).unwrap(), *expected, "{limit}");
        }
        // What was kept may itself end inside a character.
        assert_eq!(preview(&text[..4], 64, true), (&b"ab"[..], true));
        assert_eq!(preview(&text[..4], 64, false), (&text[..4], false));
        assert_eq!(preview(b"\x80\x80\x80\x80", 3, false), (&b"\x80\x80\x80"[..], true));
        assert_eq!(preview(b"", 64, true), (&b""[..], true));
    }

    #[test]
    fn json_strings_are_safe_to_print_too() {
        assert_eq!(json(b"plain"), r#""plain""#);
        assert_eq!(json(b"say \"hi\"\n\x1b[0m\\"), r#""say \"hi\"\n\u001b[0m\\""#);
        assert_eq!(json("\u{202e}\u{7f}\u{9b}\u{e0041}é".as_bytes()), r#""\u202e\u007f\u009b\udb40\udc41é""#);
        assert_eq!(json(b"\xff\\\n"), r#""\\xff\\\\\\n""#);
    }

    /// The terminal's escapes, read back.
    fn unescape(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let mut take = |len: usize| {
                let (head, tail) = rest.split_at(len);
                rest = tail;
                head
            };
            if c != '\\' {
                out.extend(take(c.len_utf8()).as_bytes());
                continue;
            }
            match take(2) {
                r"\\" => out.push(b'\\'),
                r"\n" => out.push(b'\n'),
                r"\r" => out.push(b'\r'),
                r"\t" => out.push(b'\t'),
                r"\0" => out.push(0),
                r"\x" => out.push(u8::from_str_radix(take(2), 16).unwrap()),
                r"\u" => {
                    let (code, tail) = rest[1..].split_once('}').unwrap();
                    rest = tail;
                    let c = char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap();
                    out.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                other => panic!("{other}"),
            }
        }
        out
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_is_unsafe(bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            any::<String>().prop_map(String::into_bytes),
        ]) {
            let text = shown(&bytes);
            prop_assert!(!text.chars().any(is_unsafe));
            prop_assert_eq!(unescape(&text), bytes.clone());
            let quoted = json(&bytes);
            prop_assert!(!quoted.chars().any(is_unsafe));
            let read: String = serde_json::from_str(&quoted).unwrap();
            match String::from_utf8(bytes) {
                Ok(string) => prop_assert_eq!(read, string),
                Err(_) => prop_assert_eq!(read, text),
            }
        }
    }
}

//! Recognizes the protocol of one direction by its first bytes (format).
//!
//! At most [`SNIFF_BYTES`] bytes are looked at, and more bytes never change an answer: it does not depend on how TCP cut the
//! stream.
//!
//! - **TLS**: a handshake record (RFC 8446 §5.1): content type 22, version 3.0 to 3.4, a length that is possible.
//! - **HTTP/2**: the client's connection preface, or the server's: a SETTINGS frame (RFC 9113 §3.4), of at most 64 parameters.
//! - **HTTP/1 response**: `HTTP/1.`, a digit, a space (RFC 9112 §4).
//! - **HTTP/1 request** (RFC 9112 §3): a token of at most 20 characters, a space, a target. One of the common methods may
//!   have any target; another method only a target that begins with `/`, `*` or `http`, so that SMTP, FTP, IRC and random
//!   bytes are not taken for HTTP. A line that ends within the 24 bytes must end with a version.
//!
//! Empty lines before a request or response are skipped (RFC 9112 §2.2), as long as they fit.

use super::start_line::{is_tchar, request_line, trim_line_end};
use crate::types::Role;

/// So many bytes are always enough for an answer.
pub const SNIFF_BYTES: usize = 24;

/// The longest method that is recognized. The registry's longest is `UPDATEREDIRECTREF`, with 17.
const MAX_METHOD: usize = 20;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The longest TLSCiphertext of all versions, 2^14 + 2048 bytes (RFC 5246 §6.2.3).
const MAX_TLS_RECORD: u16 = (1 << 14) + 2048;

/// The protocol that one direction of a connection begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sniffed {
    /// HTTP/1: a request, which only a client sends, or a response, which only a server sends.
    Http1(Role),
    /// HTTP/2: the preface of a client or of a server.
    Http2(Role),
    /// A TLS handshake, of client or server.
    Tls,
    /// None of these.
    Neither,
    /// Too few bytes for an answer; never with [`SNIFF_BYTES`] or more.
    NeedMore,
}

/// The protocol of a direction that begins with `bytes`.
#[must_use]
pub fn sniff(bytes: &[u8]) -> Sniffed {
    let matches = [
        (Sniffed::Tls, tls(bytes)),
        (Sniffed::Http2(Role::Client), prefix_of(PREFACE, bytes)),
        (Sniffed::Http2(Role::Server), settings(bytes)),
        (Sniffed::Http1(Role::Server), response(bytes)),
        (Sniffed::Http1(Role::Client), request(bytes)),
    ];
    if let Some((what, _)) = matches.iter().find(|(_, matched)| *matched == Match::Yes) {
        return *what;
    }
    if matches.iter().any(|(_, matched)| *matched == Match::NeedMore) { Sniffed::NeedMore } else { Sniffed::Neither }
}

/// Whether bytes begin in a certain way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Match {
    /// They do.
    Yes,
    /// They do not, whatever follows.
    No,
    /// They may: that depends on the bytes that follow.
    NeedMore,
}

/// Whether a request begins here.
pub(super) fn request(bytes: &[u8]) -> Match {
    let window = bytes.get(..SNIFF_BYTES).unwrap_or(bytes);
    let undecided = if bytes.len() < SNIFF_BYTES { Match::NeedMore } else { Match::No };
    let line = skip_empty_lines(window);
    let len = line.iter().take(MAX_METHOD + 1).take_while(|byte| is_tchar(**byte)).count();
    let (method, rest) = line.split_at_checked(len).unwrap_or((line, &[]));
    match rest.split_first() {
        None if len <= MAX_METHOD => undecided,
        Some((b' ', target)) if (1..=MAX_METHOD).contains(&len) => match target_start(method, target) {
            Match::Yes => request_rest(line, target, is_common(method), bytes.len() >= SNIFF_BYTES),
            Match::NeedMore => undecided,
            Match::No => Match::No,
        },
        _ => Match::No,
    }
}

/// Whether a response begins here.
pub(super) fn response(bytes: &[u8]) -> Match {
    let window = bytes.get(..SNIFF_BYTES).unwrap_or(bytes);
    let undecided = if bytes.len() < SNIFF_BYTES { Match::NeedMore } else { Match::No };
    let line = skip_empty_lines(window);
    match line.get(..9).map(|start| start.split_at(7)) {
        Some((name, [digit, b' '])) if name.eq_ignore_ascii_case(b"HTTP/1.") && digit.is_ascii_digit() => Match::Yes,
        Some(_) => Match::No,
        None if line.iter().zip(b"HTTP/1.").all(|(a, b)| a.eq_ignore_ascii_case(b)) => undecided,
        None => Match::No,
    }
}

/// Whether the bytes after `method` and a space can be the start of a target.
fn target_start(method: &[u8], target: &[u8]) -> Match {
    match target {
        [] => Match::NeedMore,
        [b'/' | b'*', ..] => Match::Yes,
        [first, ..] if is_common(method) => {
            if *first > b' ' && *first != 0x7f {
                Match::Yes
            } else {
                Match::No
            }
        }
        _ => match target.get(..4) {
            Some(scheme) if scheme.eq_ignore_ascii_case(b"http") => Match::Yes,
            None if target.iter().zip(b"http").all(|(a, b)| a.eq_ignore_ascii_case(b)) => Match::NeedMore,
            _ => Match::No,
        },
    }
}

/// Judges the bytes of the window after the method: no control characters, and a version where the line ends.
fn request_rest(line: &[u8], target: &[u8], common: bool, full: bool) -> Match {
    let end = target.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
    let text = target.get(..end.unwrap_or(target.len())).unwrap_or_default();
    // The target of an uncommon method has no spaces: the version follows the first one.
    let version = text.iter().position(|byte| *byte == b' ').and_then(|at| text.get(at + 1..)).unwrap_or_default();
    let wrong = !version.iter().zip(b"HTTP/1.").all(|(a, b)| a.eq_ignore_ascii_case(b));
    if text.iter().any(|byte| *byte < b' ' || *byte == 0x7f) || (wrong && !common) {
        return Match::No;
    }
    match end {
        Some(end) if line.get(..line.len() - target.len() + end).and_then(request_line).is_some() => Match::Yes,
        Some(_) => Match::No,
        None if full => Match::Yes,
        None => Match::NeedMore,
    }
}

fn tls(bytes: &[u8]) -> Match {
    match bytes {
        [0x16, 0x03, 0..=4, high, low, ..] => match u16::from_be_bytes([*high, *low]) {
            1..=MAX_TLS_RECORD => Match::Yes,
            _ => Match::No,
        },
        [] | [0x16] | [0x16, 0x03] | [0x16, 0x03, 0..=4] | [0x16, 0x03, 0..=4, _] => Match::NeedMore,
        _ => Match::No,
    }
}

/// Whether a SETTINGS frame of an HTTP/2 server begins here: length, type 4, no flags, stream 0 (RFC 9113 §6.5).
fn settings(bytes: &[u8]) -> Match {
    const REST: &[u8] = b"\x04\0\0\0\0\0";
    match bytes {
        [0, high, low, rest @ ..] => match u16::from_be_bytes([*high, *low]) {
            len @ 0..=384 if len % 6 == 0 => prefix_of(REST, rest.get(..REST.len()).unwrap_or(rest)),
            _ => Match::No,
        },
        [] | [0] | [0, 0..=1] => Match::NeedMore,
        _ => Match::No,
    }
}

fn prefix_of(pattern: &[u8], bytes: &[u8]) -> Match {
    if bytes.starts_with(pattern) {
        Match::Yes
    } else if pattern.starts_with(bytes) {
        Match::NeedMore
    } else {
        Match::No
    }
}

/// At most two empty lines; more are no request.
fn skip_empty_lines(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    for _ in 0..2 {
        rest = rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n")).unwrap_or(rest);
    }
    if rest == b"\r" { trim_line_end(rest) } else { rest }
}

/// Methods so common that they may have any target.
fn is_common(method: &[u8]) -> bool {
    matches!(method, b"GET" | b"HEAD" | b"POST" | b"PUT" | b"DELETE" | b"CONNECT" | b"OPTIONS" | b"TRACE" | b"PATCH")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CLIENT: Sniffed = Sniffed::Http1(Role::Client);
    const SERVER: Sniffed = Sniffed::Http1(Role::Server);

    #[test]
    fn protocols_that_are_recognized() {
        for (bytes, what) in [
            (&b"GET / HTTP/1.0\r\n\r\n"[..], CLIENT),
            (b"GET /chat HTTP/1.1\r\nHost: a\r\n", CLIENT),
            (b"get /chat http/1.1\r\nHost: a\r\n", CLIENT),
            (b"\r\n\r\nGET / HTTP/1.1\r\nHost: example\r\n", CLIENT),
            (b"GET http://example.com/ HTTP/1.1\r\n", CLIENT),
            (b"GET /a b c HTTP/1.1\r\nHost: a.example\r\n", CLIENT),
            (b"CONNECT example.com:443 HTTP/1.1\r\n", CLIENT),
            (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n", CLIENT),
            (b"UPDATEREDIRECTREF /abcdef HTTP/1.1\r\n", CLIENT),
            (b"M-SEARCH * HTTP/1.1\r\nHost: a\r\n", CLIENT),
            (b"PROPFIND http://a/ HTTP/1.1\r\n", CLIENT),
            (b"ABCDEFGHIJKLMNOPQRST /ab", CLIENT),
            (b"HTTP/1.1 101 Switching Protocols\r\n", SERVER),
            (b"http/1.0 200 OK\r\n", SERVER),
            (b"\r\nHTTP/1.1 200\r\n\r\n", SERVER),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Sniffed::Http2(Role::Client)),
            (b"\0\0\x06\x04\0\0\0\0\0\0\x08\0\0\0\x01", Sniffed::Http2(Role::Server)),
            (b"\0\0\0\x04\0\0\0\0\0", Sniffed::Http2(Role::Server)),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", Sniffed::Tls),
            (b"\x16\x03\x03\x00\x5a\x02", Sniffed::Tls),
        ] {
            assert_eq!(sniff(bytes), what, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn other_protocols_are_not_taken_for_them() {
        for bytes in [
            &b"SSH-2.0-OpenSSH_9.2 Debian-2+deb12u3\r\n"[..],
            b"EHLO client.example.com\r\n",
            b"220 mail.example.com ESMTP\r\n",
            b"CWD /pub/files\r\nRETR /x\r\n",
            b"USER anonymous\r\nPASS x\r\n",
            b"NICK a\r\nUSER a 0 * :a\r\n",
            b"HEAD 12345\r\nHEAD 12346\r\nHEAD 1",
            b"get some_key another_key\r\n",
            b"ABCDEFGHIJKLMNOPQRSTU / HTTP/1.1\r\n",
            b"GET /old-style\r\n",
            b"GET  HTTP/1.1\r\n",
            b"FOO / SIP/2.0\r\nVia: SIP/2.0/UDP",
            b"OPTIONS sip:a SIP/2.0\r\n",
            b" GET / HTTP/1.1\r\n",
            b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
            b"HTTP/2 200\r\n\r\nabcdefghijklmn",
            b"HTTP/1.1200 OK\r\n",
            b"ICY 200 OK\r\n",
            b"\x16\x03\x01\x00\x00\x01",
            b"\x16\x03\x01\xff\xff\x01",
            b"\x17\x03\x03\x00\x20",
            b"\x81\x85\x01\x02\x03\x04abcde",
            b"\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            b"\x01",
            b"\0\0\x07",
            b"\0\0\x06\x04\x01",
            b"\0\0\x06\x05",
            b"\0\x02",
            b"\0\0\x06\x04\0\0\0\0\x01",
        ] {
            assert_eq!(sniff(bytes), Sniffed::Neither, "{}", bytes.escape_ascii());
        }
        assert_eq!(sniff(b""), Sniffed::NeedMore);
    }

    /// However the first bytes are cut, the first answer is the last.
    fn steady(bytes: &[u8]) {
        let mut before = Sniffed::NeedMore;
        for len in 0..=bytes.len() {
            let now = sniff(&bytes[..len]);
            assert!(
                before == Sniffed::NeedMore || now == before,
                "{before:?} then {now:?}: {}",
                bytes[..len].escape_ascii()
            );
            assert!(len < SNIFF_BYTES || now != Sniffed::NeedMore);
            before = now;
        }
    }

    #[test]
    fn an_answer_is_final() {
        for bytes in [
            &b"GET /x HTTP/1.1\r\nHost: example\r\n\r\n"[..],
            b"\r\n\r\nM-SEARCH httpx HTTP/1.1\r\n",
            b"NOTIFY * HTTP/1.1\r\nHost: example\r\n",
            b"get /a b HTTP/1.1\r\nHost: example\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            b"\n\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"\0\0\x06\x04\0\0\0\0\0\0\x08\0\0\0\x01",
            b"\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r",
        ] {
            steady(bytes);
        }
    }

    proptest! {
        #[test]
        fn an_answer_is_final_for_any_bytes(bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..40),
            "(\r\n)?(GET|[A-Z]{1,22}) ?[/*a ]{0,6}[ -~]{0,9}( HTTP/1.1)?(\r?\n)?[ -~\r\n]{0,20}".prop_map(String::into_bytes),
        ]) {
            steady(&bytes);
        }
    }

    #[test]
    fn random_bytes_do_not_look_like_http() {
        // A multiplicative generator (Lehmer, 48271) from a fixed seed: the same bytes on every machine.
        let mut state = 1_u64;
        let mut byte = || {
            state = state * 48_271 % 0x7fff_ffff;
            u8::try_from(state >> 8 & 0xff).unwrap()
        };
        let seen = (0..200_000).filter(|_| {
            let bytes: [u8; 24] = core::array::from_fn(|_| byte());
            matches!(sniff(&bytes), Sniffed::Http1(_) | Sniffed::Http2(_))
        });
        assert_eq!(seen.count(), 0);
    }
}

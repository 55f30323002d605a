//! Bytes → a head (format): httparse first, and for what it rejects a lenient parser of our own (RFC 9112 §2 to §5).
//!
//! httparse rejects what some servers and clients tolerate: folded lines, whitespace before a colon, a version in lower
//! case, odd bytes in names and values, spaces in a target, more fields than it was given room for.

use core::mem::MaybeUninit;

use super::body::{Framing, FramingFields};
use super::head::{Field, Fields, RequestHead, ResponseHead, Wants};

/// Fields that httparse is given room for; real heads have 5 to 30.
const FEW_FIELDS: usize = 64;

/// And in a second try. Beyond, the lenient parser reads them, which needs no room.
const MANY_FIELDS: usize = 256;

/// Method, target, minor version.
type RequestLine<'a> = (&'a [u8], &'a [u8], u8);

/// Minor version, status code, reason phrase.
type StatusLine<'a> = (u8, u16, &'a [u8]);

/// A request's head, and how its body is delimited. `bytes` end with the empty line, or where the capture cut them off.
pub(super) fn request(bytes: &[u8], complete: bool) -> Option<(RequestHead<'_>, Framing)> {
    let strict = match strict_request::<FEW_FIELDS>(bytes) {
        Strict::TooMany => strict_request::<MANY_FIELDS>(bytes),
        strict => strict,
    };
    let ((method, target, minor), traits, well_formed) = strict.or_leniently(bytes, request_line)?;
    let wants = match method {
        b"CONNECT" => Wants::Tunnel,
        _ if traits.upgrade => Wants::Switch,
        _ => Wants::Response,
    };
    let head = RequestHead { method, target, minor, fields: fields(bytes), wants, complete, well_formed };
    Some((head, Framing::of_request(&traits, wants)))
}

/// A response's head, and what its fields say of its body.
pub(super) fn response(bytes: &[u8], complete: bool) -> Option<(ResponseHead<'_>, FramingFields)> {
    let strict = match strict_response::<FEW_FIELDS>(bytes) {
        Strict::TooMany => strict_response::<MANY_FIELDS>(bytes),
        strict => strict,
    };
    let ((minor, status, reason), traits, well_formed) = strict.or_leniently(bytes, status_line)?;
    Some((ResponseHead { minor, status, reason, fields: fields(bytes), complete, well_formed }, traits))
}

/// What httparse makes of a head: its start line and what its fields say of its body.
enum Strict<L> {
    Parsed(L, FramingFields),
    TooMany,
    Rejected,
}

impl<L> Strict<L> {
    /// That, or what the lenient parser makes of it; and which it was.
    fn or_leniently<'a>(self, bytes: &'a [u8], line: fn(&'a [u8]) -> Option<L>) -> Option<(L, FramingFields, bool)> {
        match self {
            Self::Parsed(line, traits) => Some((line, traits, true)),
            Self::TooMany | Self::Rejected => {
                Some((line(first_line(bytes))?, FramingFields::of(fields(bytes).iter()), false))
            }
        }
    }
}

fn strict_request<const N: usize>(bytes: &[u8]) -> Strict<RequestLine<'_>> {
    let mut slots = [const { MaybeUninit::uninit() }; N];
    let mut head = httparse::Request::new(&mut []);
    match head.parse_with_uninit_headers(bytes, &mut slots) {
        Ok(httparse::Status::Complete(len)) if len == bytes.len() => match (head.method, head.path, head.version) {
            (Some(method), Some(target), Some(minor)) => {
                Strict::Parsed((method.as_bytes(), target.as_bytes(), minor), FramingFields::of(parsed(head.headers)))
            }
            _ => Strict::Rejected,
        },
        Err(httparse::Error::TooManyHeaders) => Strict::TooMany,
        _ => Strict::Rejected,
    }
}

fn strict_response<const N: usize>(bytes: &[u8]) -> Strict<StatusLine<'_>> {
    let mut slots = [const { MaybeUninit::uninit() }; N];
    let mut head = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    match config.parse_response_with_uninit_headers(&mut head, bytes, &mut slots) {
        Ok(httparse::Status::Complete(len)) if len == bytes.len() => match (head.version, head.code, head.reason) {
            // httparse hides a reason with bytes beyond ASCII; it is read again below.
            (Some(minor), Some(status), Some("")) => {
                let reason = status_line(first_line(bytes)).map_or(&[][..], |line| line.2);
                Strict::Parsed((minor, status, reason), FramingFields::of(parsed(head.headers)))
            }
            (Some(minor), Some(status), Some(reason)) => {
                Strict::Parsed((minor, status, reason.as_bytes()), FramingFields::of(parsed(head.headers)))
            }
            _ => Strict::Rejected,
        },
        Err(httparse::Error::TooManyHeaders) => Strict::TooMany,
        _ => Strict::Rejected,
    }
}

fn parsed<'a>(headers: &[httparse::Header<'a>]) -> impl Iterator<Item = Field<'a>> {
    headers.iter().map(|header| Field { name: header.name.as_bytes(), value: header.value })
}

/// The fields behind the start line.
fn fields(bytes: &[u8]) -> Fields<'_> {
    let start = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
    Fields::new(bytes.get(start..).unwrap_or_default())
}

/// The start line without its end; all there is, where it has none.
pub(super) fn first_line(bytes: &[u8]) -> &[u8] {
    let end = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
    trim_line_end(bytes.get(..end).unwrap_or(bytes))
}

pub(super) fn trim_line_end(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Method, target and minor version (RFC 9112 §3), with any whitespace between them, and even inside the target.
pub(super) fn request_line(line: &[u8]) -> Option<RequestLine<'_>> {
    let space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let line = line.trim_ascii_end();
    let (method, rest) = line.split_at_checked(line.iter().position(space)?)?;
    let (target, version) = rest.split_at_checked(rest.iter().rposition(space)?)?;
    let target = target.trim_ascii();
    Some((method, target, minor_version(version.trim_ascii())?)).filter(|_| is_token(method) && !target.is_empty())
}

/// Minor version, status code and reason phrase (RFC 9112 §4).
pub(super) fn status_line(line: &[u8]) -> Option<StatusLine<'_>> {
    let (version, rest) = line.split_at_checked(8)?;
    let rest = rest.trim_ascii_start();
    let (digits, reason) = rest.split_at_checked(3)?;
    let apart = matches!(line.get(8), Some(b' ' | b'\t')) && reason.first().is_none_or(|byte| !byte.is_ascii_digit());
    let status = digits.iter().try_fold(0_u16, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| u16::from(byte - b'0'))?;
        Some(sum * 10 + digit)
    })?;
    Some((minor_version(version)?, status, reason.trim_ascii())).filter(|_| apart)
}

/// The x of `HTTP/1.x`, in any case.
fn minor_version(text: &[u8]) -> Option<u8> {
    let (name, digit) = text.split_at_checked(7)?;
    match digit {
        [digit @ b'0'..=b'9'] if name.eq_ignore_ascii_case(b"HTTP/1.") => Some(digit - b'0'),
        _ => None,
    }
}

/// Whether something is a token (RFC 9110 §5.6.2): not empty, and without spaces and separators.
#[must_use]
pub fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| is_tchar(*byte))
}

/// Whether a byte may stand in a token (RFC 9110 §5.6.2).
pub(super) const fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn request_lines() {
        assert_eq!(request_line(b"GET /chat HTTP/1.1"), Some((&b"GET"[..], &b"/chat"[..], 1)));
        assert_eq!(request_line(b"GET  /a b  http/1.0 "), Some((&b"GET"[..], &b"/a b"[..], 0)));
        assert_eq!(request_line(b"GET /\xff\xfe HTTP/1.1"), Some((&b"GET"[..], &b"/\xff\xfe"[..], 1)));
        for wrong in
            [&b"GET"[..], b"", b" ", b"GET /", b"GET HTTP/1.1", b" / HTTP/1.1", b"GET / HTTP/2.0", b"G(T / HTTP/1.1"]
        {
            assert_eq!(request_line(wrong), None, "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn status_lines() {
        assert_eq!(status_line(b"HTTP/1.1 200 OK"), Some((1, 200, &b"OK"[..])));
        assert_eq!(status_line(b"http/1.0 404"), Some((0, 404, &b""[..])));
        assert_eq!(status_line(b"HTTP/1.1  101  Sw\xe9tch "), Some((1, 101, &b"Sw\xe9tch"[..])));
        for wrong in
            [&b""[..], b"HTTP/1.1", b"HTTP/1.1 2", b"HTTP/1.1 2000", b"HTTP/1.1 2x0", b"HTTP/2.0 200", b"HTTP/1.1200"]
        {
            assert_eq!(status_line(wrong), None, "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn a_reason_beyond_ascii_is_kept() {
        let (head, _) = response(b"HTTP/1.1 200 G\xfct\r\nA: b\r\n\r\n", true).unwrap();
        assert_eq!((head.status, head.reason, head.well_formed), (200, &b"G\xfct"[..], true));
    }

    #[test]
    fn any_number_of_fields_is_read() {
        for count in [0, 1, 63, 64, 65, 255, 256, 257, 1000] {
            let mut bytes = b"GET / HTTP/1.1\r\n".to_vec();
            for index in 0..count {
                bytes.extend_from_slice(format!("X-{index}: {index}\r\n").as_bytes());
            }
            bytes.extend_from_slice(b"Upgrade: websocket\r\n\r\n");
            let (head, _) = request(&bytes, true).unwrap();
            assert_eq!((head.fields.iter().count(), head.wants), (count + 1, Wants::Switch));
            assert_eq!(head.well_formed, count < MANY_FIELDS);
        }
    }

    proptest! {
        /// On what httparse accepts, both parsers agree.
        #[test]
        fn the_lenient_parser_agrees_with_httparse(
            target in "/[!-~]{0,10}",
            lines in proptest::collection::vec(("[A-Za-z-]{1,12}", "[ \t]{0,2}", "[ -~\u{e9}]{0,20}", "\r?\n"), 0..12),
            end in "\r?\n",
        ) {
            let mut bytes = format!("GET {target} HTTP/1.1\r\n");
            for (name, space, value, end) in &lines {
                bytes.push_str(&format!("{name}:{space}{value}{end}"));
            }
            bytes.push_str(&end);
            let mut slots = [httparse::EMPTY_HEADER; 16];
            let mut oracle = httparse::Request::new(&mut slots);
            prop_assume!(oracle.parse(bytes.as_bytes()) == Ok(httparse::Status::Complete(bytes.len())));
            let theirs: Vec<_> = parsed(oracle.headers).collect();
            let ours: Vec<_> = fields(bytes.as_bytes()).iter().collect();
            prop_assert_eq!(ours, theirs);
            let lenient = Strict::Rejected.or_leniently(bytes.as_bytes(), request_line);
            let ((method, target, minor), traits, _) = lenient.unwrap();
            prop_assert_eq!(method, oracle.method.unwrap().as_bytes());
            prop_assert_eq!(target, oracle.path.unwrap().as_bytes());
            prop_assert_eq!(minor, oracle.version.unwrap());
            prop_assert_eq!(traits, FramingFields::of(parsed(oracle.headers)));
        }

        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = request(&bytes, true);
            let _ = response(&bytes, false);
        }
    }
}

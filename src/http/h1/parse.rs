//! Bytes → a head and its framing (format, RFC 9112 §2 to §5): by httparse, and where that rejects the head, by a lenient
//! parser.
//!
//! httparse rejects heads that some servers and clients tolerate: folded lines, whitespace before a colon, a version in
//! lower case, odd bytes in names and values, spaces in a target, more fields than it was given slots for.

use core::mem::MaybeUninit;

use super::framing::{Framing, FramingFields};
use crate::http::head::{Field, Fields, RequestHead, ResponseHead, Wants};
use crate::http::start_line::{RequestLine, StatusLine, first_line, request_line, status_line};

/// Slots for fields that httparse is given first; real heads have 5 to 30.
const FEW_FIELDS: usize = 64;

/// Slots in a second try. A head with more fields is read by the lenient parser, which needs none.
const MANY_FIELDS: usize = 256;

/// A request's head, and how its body is delimited. `bytes` end with the empty line, or where the capture cut them off.
pub(super) fn request(bytes: &[u8], complete: bool) -> Option<(RequestHead<'_>, Framing)> {
    let strict = match strict_request::<FEW_FIELDS>(bytes) {
        Strict::TooMany => strict_request::<MANY_FIELDS>(bytes),
        strict => strict,
    };
    let ((method, target, minor), framing_fields, well_formed) = strict.or_leniently(bytes, request_line)?;
    let wants = match method {
        b"CONNECT" => Wants::Tunnel,
        _ if framing_fields.upgrade => Wants::Switch,
        _ => Wants::Response,
    };
    let head = RequestHead { method, target, minor, fields: fields(bytes), wants, complete, well_formed };
    Some((head, Framing::of_request(&framing_fields, wants)))
}

/// A response's head, and its fields that delimit the body.
pub(super) fn response(bytes: &[u8], complete: bool) -> Option<(ResponseHead<'_>, FramingFields)> {
    let strict = match strict_response::<FEW_FIELDS>(bytes) {
        Strict::TooMany => strict_response::<MANY_FIELDS>(bytes),
        strict => strict,
    };
    let ((minor, status, reason), framing_fields, well_formed) = strict.or_leniently(bytes, status_line)?;
    Some((ResponseHead { minor, status, reason, fields: fields(bytes), complete, well_formed }, framing_fields))
}

/// What httparse makes of a head: its start line, and its fields that delimit the body.
enum Strict<L> {
    Parsed(L, FramingFields),
    TooMany,
    Rejected,
}

impl<L> Strict<L> {
    /// The same by the lenient parser, if httparse rejected it; and whether httparse did not.
    fn or_leniently<'a>(self, bytes: &'a [u8], line: fn(&'a [u8]) -> Option<L>) -> Option<(L, FramingFields, bool)> {
        match self {
            Self::Parsed(line, framing_fields) => Some((line, framing_fields, true)),
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
            // httparse hides a reason phrase with bytes beyond ASCII: it is read again.
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

/// The fields after the start line.
fn fields(bytes: &[u8]) -> Fields<'_> {
    let start = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
    Fields::new(bytes.get(start..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
            let ((method, target, minor), framing_fields, _) = lenient.unwrap();
            prop_assert_eq!(method, oracle.method.unwrap().as_bytes());
            prop_assert_eq!(target, oracle.path.unwrap().as_bytes());
            prop_assert_eq!(minor, oracle.version.unwrap());
            prop_assert_eq!(framing_fields, FramingFields::of(parsed(oracle.headers)));
        }

        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = request(&bytes, true);
            let _ = response(&bytes, false);
        }
    }
}

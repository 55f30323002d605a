//! Where a body ends: the rules of RFC 9112 §6.3 (format).
//!
//! In: the fields of a head. Out: how its body is delimited. What the method and the status add to that (HEAD, 1xx, 204, 304,
//! a tunnel) is known to the machines, which know the request.

use crate::http::head::{Field, Wants};

/// The fields of a head that delimit its body, and whether others ask for another protocol.
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
    /// Not a number, too large a number, or several that differ.
    Invalid,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transfer {
    /// No field, or only the obsolete `identity`.
    Absent,
    /// `chunked` is the final coding.
    Chunked,
    /// Another coding is final.
    Other,
}

impl FramingFields {
    pub(super) fn of<'a>(fields: impl Iterator<Item = Field<'a>>) -> Self {
        let mut framing = Self { length: Length::Absent, transfer: Transfer::Absent, upgrade: false };
        for field in fields {
            // By length first: nearly all fields are other ones.
            match field.name.len() {
                7 if field.is("Upgrade") => framing.upgrade = true,
                14 if field.is("Content-Length") => framing.length = framing.length.and(&field),
                17 if field.is("Transfer-Encoding") => framing.transfer = framing.transfer.then(&field),
                17.. if is_sec_websocket(field.name) => framing.upgrade = true,
                _ => {}
            }
        }
        framing
    }
}

fn is_sec_websocket(name: &[u8]) -> bool {
    name.get(..14).is_some_and(|start| start.eq_ignore_ascii_case(b"Sec-WebSocket-"))
}

impl Length {
    /// Together with one more field. The same number may be repeated, in one field or several (RFC 9112 §6.3).
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
    /// In no way that both sides would agree on.
    Invalid,
}

impl Framing {
    /// RFC 9112 §6.3, for requests.
    pub(super) const fn of_request(fields: &FramingFields, wants: Wants) -> Self {
        match (wants, fields.transfer, fields.length) {
            // RFC 9110 §9.3.6: a CONNECT request has no content, whatever its fields are.
            (Wants::Tunnel, ..) => Self::Length(0),
            (_, Transfer::Chunked, _) => Self::Chunked,
            (_, Transfer::Other, _) | (_, _, Length::Invalid) => Self::Invalid,
            (_, _, Length::Bytes(bytes)) => Self::Length(bytes),
            _ => Self::Length(0),
        }
    }

    /// RFC 9112 §6.3, for final responses that may have a body.
    pub(super) const fn of_response(fields: &FramingFields) -> Self {
        match (fields.transfer, fields.length) {
            (Transfer::Chunked, _) => Self::Chunked,
            (Transfer::Other, _) => Self::UntilEnd,
            (_, Length::Invalid) => Self::Invalid,
            (_, Length::Bytes(bytes)) => Self::Length(bytes),
            _ => Self::UntilEnd,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Fields;

    fn fields(lines: &str) -> FramingFields {
        FramingFields::of(Fields::new(lines.as_bytes()).iter())
    }

    fn of_request(lines: &str) -> Framing {
        Framing::of_request(&fields(lines), Wants::Response)
    }

    fn of_response(lines: &str) -> Framing {
        Framing::of_response(&fields(lines))
    }

    #[test]
    fn content_length() {
        assert_eq!(of_request("A: b\n"), Framing::Length(0));
        assert_eq!(of_response("A: b\n"), Framing::UntilEnd);
        for (lines, len) in [
            ("Content-Length: 7\n", 7),
            ("content-length:007\n", 7),
            ("Content-Length: 7\nContent-Length: 7\n", 7),
            ("Content-Length: 7, 7\n", 7),
            ("Content-Length: 18446744073709551615\n", u64::MAX),
        ] {
            assert_eq!(of_request(lines), Framing::Length(len), "{lines}");
            assert_eq!(of_response(lines), Framing::Length(len), "{lines}");
        }
        for value in ["", "x", "-1", "+1", "1 2", "0x10", "7, 8", "18446744073709551616", "1\nContent-Length: 2"] {
            let lines = format!("Content-Length: {value}\n");
            assert_eq!(of_request(&lines), Framing::Invalid, "{lines}");
            assert_eq!(of_response(&lines), Framing::Invalid, "{lines}");
        }
    }

    #[test]
    fn transfer_encoding_wins_over_content_length() {
        for lines in [
            "Transfer-Encoding: chunked\nContent-Length: 5\n",
            "Content-Length: x\nTransfer-Encoding: Chunked\n",
            "Transfer-Encoding : chunked\nContent-Length: 5\n",
            "Transfer-Encoding:\n chunked\nContent-Length: 5\n",
            "Transfer-Encoding: gzip;q=1, chunked\n",
            "Transfer-Encoding: gzip\nTransfer-Encoding: chunked\n",
            "Transfer-Encoding: chunked, identity\n",
        ] {
            assert_eq!(of_request(lines), Framing::Chunked, "{lines}");
            assert_eq!(of_response(lines), Framing::Chunked, "{lines}");
        }
        for lines in [
            "Transfer-Encoding: gzip\nContent-Length: 5\n",
            "Transfer-Encoding: chunked, gzip\n",
            "Transfer-Encoding: xchunked\n",
        ] {
            assert_eq!(of_request(lines), Framing::Invalid, "{lines}");
            assert_eq!(of_response(lines), Framing::UntilEnd, "{lines}");
        }
        assert_eq!(of_request("Transfer-Encoding: identity\nContent-Length: 5\n"), Framing::Length(5));
    }

    #[test]
    fn a_connect_request_has_no_body() {
        let fields = fields("Content-Length: 5\nTransfer-Encoding: gzip\n");
        assert_eq!(Framing::of_request(&fields, Wants::Tunnel), Framing::Length(0));
    }

    #[test]
    fn fields_that_ask_for_another_protocol() {
        for (lines, upgrade) in [
            ("Upgrade: h2c\n", true),
            ("sec-websocket-key: x\n", true),
            ("Sec-WebSocket-Version: 13\n", true),
            ("Sec-WebSocket-Key1: x\n", true),
            ("Upgrade-Insecure-Requests: 1\nConnection: Upgrade\nSec-Fetch-Mode: websocket\n", false),
        ] {
            assert_eq!(fields(lines).upgrade, upgrade, "{lines}");
        }
    }
}

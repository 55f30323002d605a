//! One header list (format): the fields of a request or response, written as HTTP/1 would write them, and its pseudo-header
//! fields (RFC 9113 §8.2, §8.3; RFC 8441 §4 for `:protocol`).

use core::fmt;

use super::header_block::HeaderField;
use crate::http::head::Fields;

/// The pseudo-header fields of requests and responses.
const PSEUDO: [&[u8]; 6] = [b":method", b":scheme", b":authority", b":path", b":protocol", b":status"];
/// Connection-specific fields of HTTP/1, which HTTP/2 forbids (RFC 9113 §8.2.2).
const CONNECTION_FIELDS: [&[u8]; 5] =
    [b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"];

/// A header list. Its memory is used again for the next list.
#[derive(Debug, Default)]
pub struct HeaderList {
    /// The regular fields, a line each.
    lines: Vec<u8>,
    pseudo: [Option<Vec<u8>>; PSEUDO.len()],
    /// Bytes of all fields, as RFC 9113 §10.5.1 counts.
    size: usize,
    malformed: Option<HeaderListFault>,
    unknown_fields: u64,
    incomplete: bool,
    too_long: bool,
}

impl HeaderList {
    /// `:method`.
    #[must_use]
    pub fn method(&self) -> Option<&[u8]> {
        self.pseudo_field(0)
    }

    /// `:scheme`.
    #[must_use]
    pub fn scheme(&self) -> Option<&[u8]> {
        self.pseudo_field(1)
    }

    /// `:authority`.
    #[must_use]
    pub fn authority(&self) -> Option<&[u8]> {
        self.pseudo_field(2)
    }

    /// `:path`.
    #[must_use]
    pub fn path(&self) -> Option<&[u8]> {
        self.pseudo_field(3)
    }

    /// `:protocol` (RFC 8441 §4).
    #[must_use]
    pub fn protocol(&self) -> Option<&[u8]> {
        self.pseudo_field(4)
    }

    /// `:status`, 0 to 999.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        let digits = self.pseudo_field(5).filter(|digits| digits.len() == 3)?;
        let digit = |byte: &u8| byte.is_ascii_digit().then(|| u16::from(*byte - b'0'));
        digits.iter().try_fold(0, |number, byte| Some(number * 10 + digit(byte)?))
    }

    /// The regular fields that are known.
    #[must_use]
    pub fn fields(&self) -> Fields<'_> {
        Fields::new(&self.lines)
    }

    /// Whether it asks for a WebSocket: an extended CONNECT (RFC 8441 §4, §5).
    #[must_use]
    pub fn is_websocket_attempt(&self) -> bool {
        self.method() == Some(b"CONNECT") && self.protocol().is_some_and(|name| name.eq_ignore_ascii_case(b"websocket"))
    }

    /// Whether it may ask for one, as far as it is known.
    #[must_use]
    pub fn may_be_websocket_attempt(&self) -> bool {
        let may =
            |value: Option<&[u8]>, is: &[u8]| value.map_or(!self.is_complete(), |value| value.eq_ignore_ascii_case(is));
        may(self.method(), b"CONNECT") && may(self.protocol(), b"websocket")
    }

    /// Whether all of it is known.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        !self.incomplete && self.unknown_fields == 0 && !self.too_long
    }

    /// Whether fields were left out, since the list is longer than the limit.
    #[must_use]
    pub const fn is_too_long(&self) -> bool {
        self.too_long
    }

    /// The first fault that makes it malformed (RFC 9113 §8.1.1).
    #[must_use]
    pub const fn malformed(&self) -> Option<HeaderListFault> {
        self.malformed
    }

    fn pseudo_field(&self, index: usize) -> Option<&[u8]> {
        self.pseudo.get(index)?.as_deref()
    }

    /// Begins the next list.
    pub(super) fn clear(&mut self) {
        self.lines.clear();
        self.pseudo = Default::default();
        (self.size, self.malformed, self.unknown_fields) = (0, None, 0);
        (self.incomplete, self.too_long) = (false, false);
    }

    /// Part of the block was not captured, or could not be decoded.
    pub(super) const fn lose(&mut self) {
        self.incomplete = true;
    }

    /// Bytes that are kept.
    pub(super) fn held(&self) -> usize {
        self.lines.capacity() + self.pseudo.iter().flatten().map(Vec::capacity).sum::<usize>()
    }

    /// Adds a field, unless there are more than `max` bytes of them.
    pub(super) fn add(&mut self, field: HeaderField<'_>, max: usize) {
        let (Some(name), Some(value)) = (field.name, field.value) else {
            self.unknown_fields += 1;
            return;
        };
        self.size = self.size.saturating_add(name.len()).saturating_add(value.len()).saturating_add(32);
        if self.size > max {
            self.too_long = true;
            return;
        }
        if value.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')) {
            self.malformed.get_or_insert(HeaderListFault::ValueCharacter);
        }
        if name.first() == Some(&b':') {
            self.add_pseudo(name, value);
        } else {
            self.add_regular(name, value);
        }
    }

    fn add_pseudo(&mut self, name: &[u8], value: &[u8]) {
        // "All pseudo-header fields MUST appear in a field block before all regular field lines." (RFC 9113 §8.3)
        if !self.lines.is_empty() {
            self.malformed.get_or_insert(HeaderListFault::PseudoAfterRegular);
        }
        let slot = PSEUDO.iter().position(|known| *known == name).and_then(|at| self.pseudo.get_mut(at));
        match slot {
            None => _ = self.malformed.get_or_insert(HeaderListFault::UnknownPseudo),
            Some(Some(_)) => _ = self.malformed.get_or_insert(HeaderListFault::RepeatedPseudo),
            Some(slot) => *slot = Some(value.to_vec()),
        }
    }

    fn add_regular(&mut self, name: &[u8], value: &[u8]) {
        if name.is_empty() || name.iter().any(|byte| matches!(byte, 0..=b' ' | b':' | b'A'..=b'Z' | 0x7f..)) {
            self.malformed.get_or_insert(HeaderListFault::NameCharacter);
        }
        if CONNECTION_FIELDS.contains(&name) || name == b"te" && value != b"trailers" {
            self.malformed.get_or_insert(HeaderListFault::ConnectionField);
        }
        // Characters that would begin another line or end the name are replaced.
        self.lines.extend(name.iter().map(|byte| if matches!(byte, 0..=b' ' | b':') { b'?' } else { *byte }));
        self.lines.extend_from_slice(b": ");
        self.lines.extend(value.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }));
        self.lines.extend_from_slice(b"\r\n");
    }
}

/// A fault that makes a header list malformed (RFC 9113 §8.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderListFault {
    /// NUL, CR or LF in a value (RFC 9113 §8.2.1).
    ValueCharacter,
    /// Upper case, or a character that no name may have (RFC 9113 §8.2.1).
    NameCharacter,
    /// A pseudo-header field after a regular field (RFC 9113 §8.3).
    PseudoAfterRegular,
    /// A pseudo-header field that no RFC defines (RFC 9113 §8.3).
    UnknownPseudo,
    /// The same pseudo-header field twice (RFC 9113 §8.3).
    RepeatedPseudo,
    /// A connection-specific field (RFC 9113 §8.2.2).
    ConnectionField,
}

impl HeaderListFault {
    /// In words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ValueCharacter => "a field has a line break or NUL in its value",
            Self::NameCharacter => "a field's name has upper case, or characters that no name may have",
            Self::PseudoAfterRegular => "a pseudo-header field stands behind a regular field",
            Self::UnknownPseudo => "a pseudo-header field has an unknown name",
            Self::RepeatedPseudo => "a pseudo-header field is repeated",
            Self::ConnectionField => "a field speaks of the connection, which HTTP/2 forbids",
        }
    }
}

impl fmt::Display for HeaderListFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(fields: &[(&str, &str)]) -> HeaderList {
        let mut list = HeaderList::default();
        for (name, value) in fields {
            list.add(HeaderField { name: Some(name.as_bytes()), value: Some(value.as_bytes()) }, 1000);
        }
        list
    }

    #[test]
    fn an_extended_connect() {
        let list = list(&[
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "https"),
            (":path", "/chat"),
            (":authority", "server.example"),
            ("sec-websocket-version", "13"),
            ("cookie", "a"),
            ("cookie", "b"),
        ]);
        assert!(list.is_websocket_attempt() && list.may_be_websocket_attempt() && list.is_complete());
        assert_eq!((list.scheme(), list.path()), (Some(&b"https"[..]), Some(&b"/chat"[..])));
        assert_eq!((list.authority(), list.status()), (Some(&b"server.example"[..]), None));
        assert_eq!(list.fields().first("Sec-WebSocket-Version"), Some(&b"13"[..]));
        assert_eq!(list.fields().all("Cookie").count(), 2);
        assert_eq!(list.malformed(), None);
    }

    #[test]
    fn other_requests_and_responses() {
        assert!(!list(&[(":method", "GET"), (":path", "/")]).may_be_websocket_attempt());
        assert!(!list(&[(":method", "CONNECT"), (":authority", "a:443")]).may_be_websocket_attempt());
        assert!(!list(&[(":method", "CONNECT"), (":protocol", "connect-udp")]).may_be_websocket_attempt());
        assert_eq!(list(&[(":status", "200")]).status(), Some(200));
        for wrong in ["20", "2000", "2x0", "", "-20"] {
            assert_eq!(list(&[(":status", wrong)]).status(), None);
        }
    }

    #[test]
    fn a_list_with_unknown_fields_may_be_a_websocket_attempt() {
        let mut list = list(&[(":method", "CONNECT")]);
        list.add(HeaderField { name: None, value: None }, 1000);
        assert!(!list.is_complete() && !list.is_websocket_attempt() && list.may_be_websocket_attempt());
        list.clear();
        assert!(list.is_complete() && list.method().is_none());
        list.add(HeaderField { name: Some(b"a"), value: Some(&[b'x'; 1000]) }, 1000);
        assert!(list.is_too_long() && !list.is_complete() && list.fields().first("a").is_none());
    }

    #[test]
    fn malformed_lists_are_recognized_and_read() {
        for (fields, fault) in [
            (&[("a", "1"), (":method", "GET")][..], HeaderListFault::PseudoAfterRegular),
            (&[(":method", "GET"), (":method", "GET")], HeaderListFault::RepeatedPseudo),
            (&[(":secret", "1")], HeaderListFault::UnknownPseudo),
            (&[("Upper", "1")], HeaderListFault::NameCharacter),
            (&[("a:b", "1")], HeaderListFault::NameCharacter),
            (&[("", "1")], HeaderListFault::NameCharacter),
            (&[(" a", "1")], HeaderListFault::NameCharacter),
            (&[("a", "1\r\nb: 2")], HeaderListFault::ValueCharacter),
            (&[("connection", "upgrade")], HeaderListFault::ConnectionField),
            (&[("te", "gzip")], HeaderListFault::ConnectionField),
        ] {
            assert_eq!(list(fields).malformed(), Some(fault), "{fields:?}");
        }
        for fields in [&[("te", "trailers")][..], &[(":status", "200"), ("a", "")]] {
            assert_eq!(list(fields).malformed(), None, "{fields:?}");
        }
        let smuggled = list(&[("a", "1\r\norigin: http://b"), ("x\r\norigin", "c"), (" fold", "d"), ("a:origin", "e")]);
        assert_eq!((smuggled.fields().first("origin"), smuggled.fields().iter().count()), (None, 4));
    }
}

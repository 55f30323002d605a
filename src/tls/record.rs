//! The record layer's format (RFC 8446 §5.1, RFC 5246 §6.2.1).
//!
//! ```text
//!  0               1               2               3               4               5
//! +---------------+---------------+---------------+---------------+---------------+----
//! | content type  |   legacy_record_version       |          length               | fragment
//! +---------------+---------------+---------------+---------------+---------------+----
//! ```
//!
//! In: bytes. Out: a record's header and fragment, an alert. Nothing here knows keys, or earlier records.

/// Bytes of a record's header.
pub const HEADER_LEN: usize = 5;
/// The longest fragment of all versions: 2^14 bytes and 2048 of expansion (RFC 5246 §6.2.3).
pub const MAX_FRAGMENT: usize = (1 << 14) + 2048;

/// The content type of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentType(pub u8);

impl ContentType {
    /// Keys change after it (up to TLS 1.2); means nothing in TLS 1.3 (RFC 8446 §5).
    pub const CHANGE_CIPHER_SPEC: Self = Self(20);
    /// An alert.
    pub const ALERT: Self = Self(21);
    /// Handshake messages, or parts of them.
    pub const HANDSHAKE: Self = Self(22);
    /// Application data; in TLS 1.3 the outer type of every protected record (RFC 8446 §5.2).
    pub const APPLICATION_DATA: Self = Self(23);
    /// Heartbeats (RFC 6520).
    pub const HEARTBEAT: Self = Self(24);

    /// Whether any version defines it for TLS over TCP.
    #[must_use]
    pub const fn is_known(self) -> bool {
        matches!(self.0, 20..=24)
    }
}

/// The header of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordHeader {
    /// The content type; of a protected record, the outer one.
    pub content: ContentType,
    /// `legacy_record_version`: 0x0301 to 0x0303, whatever was negotiated.
    pub version: u16,
    /// Bytes of the fragment.
    pub len: u16,
}

impl RecordHeader {
    /// Reads the first five bytes; `None` if there are fewer.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let [content, major, minor, high, low] = *bytes.first_chunk::<HEADER_LEN>()?;
        Some(Self {
            content: ContentType(content),
            version: u16::from_be_bytes([major, minor]),
            len: u16::from_be_bytes([high, low]),
        })
    }

    /// Whether some version of TLS could send it.
    #[must_use]
    pub fn is_plausible(self) -> bool {
        self.content.is_known() && (0x0300..=0x0304).contains(&self.version) && usize::from(self.len) <= MAX_FRAGMENT
    }

    /// Bytes of the record, header included.
    #[must_use]
    pub fn total(self) -> usize {
        HEADER_LEN.saturating_add(usize::from(self.len))
    }

    /// Its bytes, which protection of TLS 1.3 authenticates (RFC 8446 §5.2).
    #[must_use]
    pub const fn to_bytes(self) -> [u8; HEADER_LEN] {
        let ([major, minor], [high, low]) = (self.version.to_be_bytes(), self.len.to_be_bytes());
        [self.content.0, major, minor, high, low]
    }
}

/// A complete record, as it is on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'r> {
    /// Its header.
    pub header: RecordHeader,
    /// The bytes after the header, perhaps encrypted.
    pub fragment: &'r [u8],
}

impl<'r> Record<'r> {
    /// The record with that header at the front of `bytes`, and the bytes after it; `None` if they are not all of it.
    #[must_use]
    pub fn split(bytes: &'r [u8], header: RecordHeader) -> Option<(Self, &'r [u8])> {
        let (record, after) = bytes.split_at_checked(header.total())?;
        Some((Self { header, fragment: record.get(HEADER_LEN..)? }, after))
    }
}

/// Whether a direction captured mid-stream begins with a protected record of TLS.
#[must_use]
pub fn is_midstream(bytes: &[u8]) -> bool {
    RecordHeader::parse(bytes).is_some_and(|header| {
        header.is_plausible()
            && header.content == ContentType::APPLICATION_DATA
            && (0x0301..=0x0303).contains(&header.version)
            && header.len > 16
    })
}

/// An alert (RFC 8446 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alert {
    /// 1 warning, 2 fatal.
    pub level: u8,
    /// The kind of alert.
    pub description: u8,
}

impl Alert {
    /// Reads the two bytes of an alert in the clear, or decrypted.
    #[must_use]
    pub const fn parse(bytes: &[u8]) -> Option<Self> {
        match *bytes {
            [level @ (1 | 2), description] => Some(Self { level, description }),
            _ => None,
        }
    }

    /// "This alert notifies the recipient that the sender will not send any more messages on this connection." (RFC 8446
    /// §6.1)
    #[must_use]
    pub const fn is_close_notify(self) -> bool {
        self.description == 0
    }

    /// Whether it ends the connection.
    #[must_use]
    pub const fn is_fatal(self) -> bool {
        self.level == 2
    }

    /// Its name in IANA's registry, or an empty text.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.description {
            0 => "close_notify",
            10 => "unexpected_message",
            20 => "bad_record_mac",
            22 => "record_overflow",
            40 => "handshake_failure",
            42 => "bad_certificate",
            43 => "unsupported_certificate",
            44 => "certificate_revoked",
            45 => "certificate_expired",
            46 => "certificate_unknown",
            47 => "illegal_parameter",
            48 => "unknown_ca",
            49 => "access_denied",
            50 => "decode_error",
            51 => "decrypt_error",
            70 => "protocol_version",
            71 => "insufficient_security",
            80 => "internal_error",
            86 => "inappropriate_fallback",
            90 => "user_canceled",
            100 => "no_renegotiation",
            109 => "missing_extension",
            110 => "unsupported_extension",
            112 => "unrecognized_name",
            113 => "bad_certificate_status_response",
            115 => "unknown_psk_identity",
            116 => "certificate_required",
            120 => "no_application_protocol",
            _ => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_five_bytes() {
        let bytes = [22, 3, 1, 2, 0, 1];
        for len in 0..HEADER_LEN {
            assert_eq!(RecordHeader::parse(&bytes[..len]), None);
        }
        let header = RecordHeader::parse(&bytes).unwrap();
        assert_eq!((header.content, header.version, header.len), (ContentType::HANDSHAKE, 0x0301, 512));
        assert_eq!((header.total(), header.to_bytes()), (517, [22, 3, 1, 2, 0]));
        assert!(header.is_plausible());
    }

    #[test]
    fn headers_that_no_version_of_tls_sends() {
        for bytes in [[19, 3, 3, 0, 1], [25, 3, 3, 0, 1], [22, 2, 0, 0, 1], [22, 3, 5, 0, 1], [23, 3, 3, 0x48, 1]] {
            assert!(!RecordHeader::parse(&bytes).unwrap().is_plausible(), "{bytes:?}");
        }
        assert!(RecordHeader::parse(&[23, 3, 3, 0x48, 0]).unwrap().is_plausible());
    }

    #[test]
    fn a_connection_captured_mid_stream() {
        assert!(is_midstream(&[23, 3, 3, 0, 17, 9]));
        assert!(!is_midstream(&[23, 3, 3, 0, 16]) && !is_midstream(&[23, 3, 3, 0]) && !is_midstream(&[22, 3, 3, 1, 0]));
    }

    #[test]
    fn alerts_are_two_bytes() {
        assert_eq!(Alert::parse(&[2, 48]).map(Alert::name), Some("unknown_ca"));
        assert!(Alert::parse(&[1, 0]).unwrap().is_close_notify());
        assert_eq!((Alert::parse(&[]), Alert::parse(&[3, 0]), Alert::parse(&[1, 0, 0])), (None, None, None));
    }
}

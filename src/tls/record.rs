//! The record layer's format (RFC 8446 §5.1, RFC 5246 §6.2.1).
//!
//! ```text
//!  0               1               2               3               4               5
//! +---------------+---------------+---------------+---------------+---------------+----
//! | content type  |   legacy_record_version       |          length               | fragment
//! +---------------+---------------+---------------+---------------+---------------+----
//! ```
//!
//! In: bytes. Out: what five of them say. Nothing here knows keys or what came before.

/// Bytes of a record's header.
pub const HEADER_LEN: usize = 5;
/// The longest fragment: 2^14 bytes and 2048 of expansion (RFC 5246 §6.2.3), the most of all versions.
pub const MAX_FRAGMENT: usize = (1 << 14) + 2048;

/// What a record carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentType(pub u8);

impl ContentType {
    /// Keys change from here on (TLS 1.2); means nothing in TLS 1.3 (RFC 8446 §5).
    pub const CHANGE_CIPHER_SPEC: Self = Self(20);
    /// A warning or the end.
    pub const ALERT: Self = Self(21);
    /// Handshake messages, or parts of some.
    pub const HANDSHAKE: Self = Self(22);
    /// What TLS is for; in TLS 1.3 the clothes of every protected record.
    pub const APPLICATION_DATA: Self = Self(23);

    /// Whether any version defines it for TLS over TCP; heartbeats (RFC 6520) are 24.
    #[must_use]
    pub const fn is_known(self) -> bool {
        matches!(self.0, 20..=24)
    }
}

/// The front of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordHeader {
    /// What it carries, or says that it carries.
    pub content: ContentType,
    /// `legacy_record_version`: 0x0301 to 0x0303, whatever was negotiated.
    pub version: u16,
    /// Bytes of the fragment behind the header.
    pub len: u16,
}

impl RecordHeader {
    /// What the first five bytes say.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let [content, major, minor, high, low] = *bytes.first_chunk::<HEADER_LEN>()?;
        Some(Self {
            content: ContentType(content),
            version: u16::from_be_bytes([major, minor]),
            len: u16::from_be_bytes([high, low]),
        })
    }

    /// Whether some TLS could send it.
    #[must_use]
    pub fn is_plausible(self) -> bool {
        self.content.is_known() && (0x0300..=0x0304).contains(&self.version) && usize::from(self.len) <= MAX_FRAGMENT
    }

    /// Bytes of the whole record.
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

/// Whether a direction that was joined half-way begins with what can only be a protected record of TLS.
#[must_use]
pub fn is_midstream(bytes: &[u8]) -> bool {
    RecordHeader::parse(bytes).is_some_and(|header| {
        header.is_plausible()
            && header.content == ContentType::APPLICATION_DATA
            && (0x0301..=0x0303).contains(&header.version)
            && header.len > 16
    })
}

/// Both bytes of an alert (RFC 8446 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alert {
    /// 1 warning, 2 fatal.
    pub level: u8,
    /// What it is about.
    pub description: u8,
}

impl Alert {
    /// The two bytes of an alert.
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

    /// Its name in the registry, or an empty text.
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
    fn what_no_tls_sends() {
        for bytes in [[19, 3, 3, 0, 1], [25, 3, 3, 0, 1], [22, 2, 0, 0, 1], [22, 3, 5, 0, 1], [23, 3, 3, 0x48, 1]] {
            assert!(!RecordHeader::parse(&bytes).unwrap().is_plausible(), "{bytes:?}");
        }
        assert!(RecordHeader::parse(&[23, 3, 3, 0x48, 0]).unwrap().is_plausible());
    }

    #[test]
    fn a_connection_joined_half_way() {
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

//! The body of a Close frame and its status codes (RFC 6455 §5.5.1, §7.4).

/// A status code as sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CloseCode(pub u16);

impl CloseCode {
    /// The code that an API reports for a Close without a code (RFC 6455 §7.1.5).
    pub const NO_STATUS: Self = Self(1005);
    /// The code that an API reports where no Close was received (RFC 6455 §7.1.5).
    pub const ABNORMAL: Self = Self(1006);

    /// Whether an endpoint may send it: the codes of RFC 6455 §7.4.1 except those that "MUST NOT be set as a status code in
    /// a Close control frame", those registered later, and the ranges for libraries and applications (§7.4.2).
    #[must_use]
    pub const fn may_be_sent(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }

    /// Its name in IANA's registry; for the open ranges, what they are for.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            1000 => "normal closure",
            1001 => "going away",
            1002 => "protocol error",
            1003 => "unsupported data",
            1004 => "reserved",
            1005 => "no status received",
            1006 => "abnormal closure",
            1007 => "invalid payload data",
            1008 => "policy violation",
            1009 => "message too big",
            1010 => "mandatory extension",
            1011 => "internal error",
            1012 => "service restart",
            1013 => "try again later",
            1014 => "bad gateway",
            1015 => "TLS handshake",
            3000 => "unauthorized",
            3003 => "forbidden",
            3008 => "timeout",
            3001..=3999 => "registered by a library",
            4000..=4999 => "private use",
            _ => "undefined",
        }
    }
}

/// The payload of a Close frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloseBody<'a> {
    /// The status code; `None` where the payload is empty or one byte.
    pub code: Option<CloseCode>,
    /// The bytes after the code; not always UTF-8.
    pub reason: &'a [u8],
}

impl<'a> CloseBody<'a> {
    /// "If there is a body, the first two bytes of the body MUST be a 2-byte unsigned integer" (RFC 6455 §5.5.1).
    #[must_use]
    pub fn parse(payload: &'a [u8]) -> Self {
        payload.split_first_chunk::<2>().map_or(Self { code: None, reason: &[] }, |(code, reason)| Self {
            code: Some(CloseCode(u16::from_be_bytes(*code))),
            reason,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_of_every_short_length() {
        assert_eq!(CloseBody::parse(b""), CloseBody { code: None, reason: b"" });
        assert_eq!(CloseBody::parse(b"\x03"), CloseBody { code: None, reason: b"" });
        assert_eq!(CloseBody::parse(b"\x03\xe8"), CloseBody { code: Some(CloseCode(1000)), reason: b"" });
        assert_eq!(CloseBody::parse(b"\x03\xe9bye"), CloseBody { code: Some(CloseCode(1001)), reason: b"bye" });
    }

    #[test]
    fn codes_that_may_be_sent() {
        let allowed: Vec<u16> = (0..=u16::MAX).filter(|&code| CloseCode(code).may_be_sent()).collect();
        assert_eq!(allowed.len(), 4 + 8 + 2000);
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
            assert!(!CloseCode(code).may_be_sent(), "{code}");
        }
        for code in 1012..=1014 {
            assert!(CloseCode(code).may_be_sent() && CloseCode(code).name() != "undefined");
        }
    }
}

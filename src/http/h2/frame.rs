//! HTTP/2 frames (format): the header of 9 bytes, types, flags, error codes, settings (RFC 9113 §4.1, §6, §7).
//!
//! ```text
//! +-----------------------------------------------+
//! |                 Length (24)                   |
//! +---------------+---------------+---------------+
//! |   Type (8)    |   Flags (8)   |
//! +-+-------------+---------------+-------------------------------+
//! |R|                 Stream Identifier (31)                      |
//! +=+=============================================================+
//! |                   Frame Payload (0...)                      ...
//! ```
//!
//! Any 9 bytes are some header. What is wrong with one is said by [`FrameHeader::fault`]; nothing is refused here.

use core::fmt;

use base64::Engine as _;
use base64::alphabet::URL_SAFE as ALPHABET;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// "base64url … with any trailing '=' characters omitted" (RFC 7540 §3.2.1); who does not omit them is understood.
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// What stands before each frame (RFC 9113 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// Length of the payload in bytes, padding and all; 24 bits.
    pub len: u32,
    /// Type.
    pub kind: FrameType,
    /// Flags; what they mean depends on the type.
    pub flags: u8,
    /// Whether the reserved bit is set, which "MUST be ignored when receiving".
    pub reserved: bool,
    /// Stream; 0 is the connection. 31 bits.
    pub stream: u32,
}

impl FrameHeader {
    /// Bytes of a header.
    pub const LEN: usize = 9;

    /// END_STREAM, of DATA and HEADERS: the sender's last frame of the stream but for CONTINUATION.
    pub const END_STREAM: u8 = 0x1;
    /// ACK, of SETTINGS and PING.
    pub const ACK: u8 = 0x1;
    /// END_HEADERS, of HEADERS, PUSH_PROMISE and CONTINUATION: no CONTINUATION follows.
    pub const END_HEADERS: u8 = 0x4;
    /// PADDED, of DATA, HEADERS and PUSH_PROMISE.
    pub const PADDED: u8 = 0x8;
    /// PRIORITY, of HEADERS.
    pub const PRIORITY: u8 = 0x20;

    /// Reads a header.
    #[must_use]
    pub const fn parse(bytes: &[u8; Self::LEN]) -> Self {
        let [a, b, c, kind, flags, s, t, u, v] = *bytes;
        let stream = u32::from_be_bytes([s, t, u, v]);
        Self {
            len: u32::from_be_bytes([0, a, b, c]),
            kind: FrameType(kind),
            flags,
            reserved: stream >> 31 == 1,
            stream: stream & 0x7fff_ffff,
        }
    }

    /// Whether all bits of `flag` are set.
    #[must_use]
    pub const fn has(&self, flag: u8) -> bool {
        self.flags & flag == flag
    }

    /// Bytes of the payload before the content: pad length, priority, promised stream (RFC 9113 §6.1, §6.2, §6.6).
    #[must_use]
    pub const fn prefix_len(&self) -> u8 {
        let padded = if self.is_padded() { 1 } else { 0 };
        match self.kind {
            FrameType::HEADERS if self.has(Self::PRIORITY) => padded + 5,
            FrameType::PUSH_PROMISE => padded + 4,
            _ => padded,
        }
    }

    /// Whether its first byte of payload says how much padding is at its end.
    #[must_use]
    pub const fn is_padded(&self) -> bool {
        let may = matches!(self.kind, FrameType::DATA | FrameType::HEADERS | FrameType::PUSH_PROMISE);
        may && self.has(Self::PADDED)
    }

    /// What is wrong with it whatever came before: the length of a type with a fixed one, or a frame on the connection
    /// that belongs on a stream, and the other way round. Frames of unknown types are never wrong (RFC 9113 §5.5).
    #[must_use]
    pub const fn fault(&self) -> Option<&'static str> {
        let ack = self.has(Self::ACK);
        let (length, on_connection) = match self.kind {
            FrameType::DATA | FrameType::HEADERS | FrameType::PUSH_PROMISE => {
                (self.len >= self.prefix_len() as u32, false)
            }
            FrameType::CONTINUATION => (true, false),
            FrameType::PRIORITY => (self.len == 5, false),
            FrameType::RST_STREAM => (self.len == 4, false),
            FrameType::SETTINGS => (if ack { self.len == 0 } else { self.len.is_multiple_of(6) }, true),
            FrameType::PING => (self.len == 8, true),
            FrameType::GOAWAY => (self.len >= 8, true),
            FrameType::WINDOW_UPDATE => {
                // It may be about either.
                return if self.len == 4 { None } else { Some("a frame whose length its type does not allow") };
            }
            _ => return None,
        };
        if !length {
            Some("a frame whose length its type does not allow")
        } else if on_connection && self.stream != 0 {
            Some("a frame of the connection on a stream")
        } else if !on_connection && self.stream == 0 {
            Some("a frame of a stream on the connection")
        } else {
            None
        }
    }
}

/// The type of a frame (RFC 9113 §6). Any byte is one; unknown ones are passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameType(pub u8);

#[allow(missing_docs, reason = "the RFC's names")]
impl FrameType {
    pub const DATA: Self = Self(0);
    pub const HEADERS: Self = Self(1);
    pub const PRIORITY: Self = Self(2);
    pub const RST_STREAM: Self = Self(3);
    pub const SETTINGS: Self = Self(4);
    pub const PUSH_PROMISE: Self = Self(5);
    pub const PING: Self = Self(6);
    pub const GOAWAY: Self = Self(7);
    pub const WINDOW_UPDATE: Self = Self(8);
    pub const CONTINUATION: Self = Self(9);
}

/// Why a stream was reset or a connection closed (RFC 9113 §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ErrorCode(pub u32);

impl ErrorCode {
    /// The stream is not needed any more; for a WebSocket, TCP's reset (RFC 8441 §5).
    pub const CANCEL: Self = Self(8);

    /// Its name in the registry.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0 => "NO_ERROR",
            1 => "PROTOCOL_ERROR",
            2 => "INTERNAL_ERROR",
            3 => "FLOW_CONTROL_ERROR",
            4 => "SETTINGS_TIMEOUT",
            5 => "STREAM_CLOSED",
            6 => "FRAME_SIZE_ERROR",
            7 => "REFUSED_STREAM",
            8 => "CANCEL",
            9 => "COMPRESSION_ERROR",
            10 => "CONNECT_ERROR",
            11 => "ENHANCE_YOUR_CALM",
            12 => "INADEQUATE_SECURITY",
            13 => "HTTP_1_1_REQUIRED",
            _ => return None,
        })
    }
}

impl fmt::Display for ErrorCode {
    /// `CANCEL`, or `error 17` where the registry has no name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "error {}", self.0),
        }
    }
}

/// One parameter of a SETTINGS frame (RFC 9113 §6.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Which.
    pub id: u16,
    /// Its value.
    pub value: u32,
}

#[allow(missing_docs, reason = "the RFC's names")]
impl Setting {
    pub const HEADER_TABLE_SIZE: u16 = 1;
    pub const INITIAL_WINDOW_SIZE: u16 = 4;
    pub const MAX_FRAME_SIZE: u16 = 5;
    /// RFC 8441 §3.
    pub const ENABLE_CONNECT_PROTOCOL: u16 = 8;
    /// Bytes of one parameter.
    pub const LEN: usize = 6;

    /// Reads one.
    #[must_use]
    pub const fn parse(bytes: &[u8; Self::LEN]) -> Self {
        let [a, b, c, d, e, f] = *bytes;
        Self { id: u16::from_be_bytes([a, b]), value: u32::from_be_bytes([c, d, e, f]) }
    }

    /// Reads the value of an HTTP2-Settings field: the payload of SETTINGS in base64url (RFC 7540 §3.2.1). What is not that has
    /// none; so have those behind the 32nd.
    #[must_use]
    pub fn of_field(value: &[u8]) -> Vec<Self> {
        let Ok(bytes) = URL_SAFE.decode(value.trim_ascii()) else { return Vec::new() };
        bytes.as_chunks().0.iter().take(32).map(Self::parse).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first is what curl sends.
    #[test]
    fn settings_of_an_upgrade_are_read() {
        let pairs =
            |value: &str| Setting::of_field(value.as_bytes()).iter().map(|it| (it.id, it.value)).collect::<Vec<_>>();
        assert_eq!(pairs("AAMAAABkAAQCAAAAAAIAAAAA"), [(3, 100), (4, 0x0200_0000), (2, 0)]);
        assert_eq!(pairs(" AAMAAABkAAQAAP__ "), [(3, 100), (4, 65535)]);
        assert_eq!((pairs("AAMAAABkAAQAAP//"), pairs("AAMAAABk="), pairs("")), (vec![], vec![], vec![]));
        // Cut off: the whole ones; and with padding, which is allowed to be there.
        assert_eq!((pairs("AAMAAABkAAQA"), pairs("AAMAAABkAA==")), (vec![(3, 100)], vec![(3, 100)]));
        assert_eq!(Setting::of_field(&b"AAMAAABk".repeat(1000)).len(), 32);
    }

    #[test]
    fn nine_bytes_are_a_header() {
        let header = FrameHeader::parse(b"\x00\x40\x01\x01\x2d\x80\x00\x01\x03");
        let expected =
            FrameHeader { len: 0x4001, kind: FrameType::HEADERS, flags: 0x2d, reserved: true, stream: 0x103 };
        assert_eq!(header, expected);
        assert!(header.has(FrameHeader::END_STREAM | FrameHeader::END_HEADERS));
        assert_eq!((header.is_padded(), header.prefix_len()), (true, 6));
        assert_eq!(FrameHeader { flags: 0xff, kind: FrameType::CONTINUATION, ..header }.prefix_len(), 0);
        assert_eq!(FrameHeader { flags: 8, kind: FrameType::PUSH_PROMISE, ..header }.prefix_len(), 5);
    }

    #[test]
    fn lengths_and_streams_that_a_type_does_not_allow() {
        let fault = |len: u32, kind: u8, flags: u8, stream: u32| {
            FrameHeader { len, kind: FrameType(kind), flags, reserved: false, stream }.fault().is_some()
        };
        for (len, kind, flags, stream) in [
            (0, 0, 0, 1),
            (1, 0, 8, 1),
            (6, 1, 0x28, 1),
            (5, 2, 0, 1),
            (4, 3, 0, 1),
            (12, 4, 0, 0),
            (0, 4, 1, 0),
            (4, 5, 0, 1),
            (8, 6, 0, 0),
            (9, 7, 0, 0),
            (4, 8, 0, 0),
            (4, 8, 0, 1),
            (0, 9, 0, 1),
            (77, 200, 255, 3),
        ] {
            assert!(!fault(len, kind, flags, stream), "{len} {kind} {flags} {stream}");
        }
        for (len, kind, flags, stream) in [
            (0, 0, 8, 1),
            (5, 1, 0x28, 1),
            (9, 0, 0, 0),
            (4, 2, 0, 1),
            (5, 3, 0, 1),
            (4, 3, 0, 0),
            (7, 4, 0, 0),
            (6, 4, 1, 0),
            (6, 4, 0, 1),
            (3, 5, 0, 1),
            (7, 6, 0, 0),
            (8, 6, 0, 3),
            (7, 7, 0, 0),
            (5, 8, 0, 0),
            (0, 9, 0, 0),
        ] {
            assert!(fault(len, kind, flags, stream), "{len} {kind} {flags} {stream}");
        }
    }

    #[test]
    fn codes_have_names() {
        assert_eq!(ErrorCode::CANCEL.to_string(), "CANCEL");
        assert_eq!(ErrorCode(17).to_string(), "error 17");
    }

    #[test]
    fn a_setting_is_six_bytes() {
        assert_eq!(Setting::parse(b"\0\x08\0\0\0\x01"), Setting { id: Setting::ENABLE_CONNECT_PROTOCOL, value: 1 });
    }
}

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
//! Any 9 bytes are some header. [`FrameHeader::fault`] names the fault of one; nothing is refused here.

use core::fmt;

/// The header of a frame (RFC 9113 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// Length of the payload in bytes, padding included; 24 bits.
    pub len: u32,
    /// Type.
    pub kind: FrameType,
    /// Flags; their meaning depends on the type.
    pub flags: u8,
    /// Whether the reserved bit is set, which "MUST be ignored when receiving".
    pub reserved: bool,
    /// Stream identifier; 0 is the connection. 31 bits.
    pub stream: u32,
}

impl FrameHeader {
    /// Bytes of a header.
    pub const LEN: usize = 9;

    /// END_STREAM, of DATA and HEADERS: the sender's last frame on the stream, except for CONTINUATION.
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

    /// Whether the first byte of its payload is the length of the padding at its end.
    #[must_use]
    pub const fn is_padded(&self) -> bool {
        let may = matches!(self.kind, FrameType::DATA | FrameType::HEADERS | FrameType::PUSH_PROMISE);
        may && self.has(Self::PADDED)
    }

    /// Its fault, regardless of earlier frames. Frames of unknown types have none (RFC 9113 §5.5).
    #[must_use]
    pub const fn fault(&self) -> Option<FrameFault> {
        match self.kind {
            FrameType::DATA | FrameType::HEADERS | FrameType::PUSH_PROMISE => {
                self.on_stream(self.len >= self.prefix_len() as u32)
            }
            FrameType::CONTINUATION => self.on_stream(true),
            FrameType::PRIORITY => self.on_stream(self.len == 5),
            FrameType::RST_STREAM => self.on_stream(self.len == 4),
            FrameType::SETTINGS if self.has(Self::ACK) => self.on_connection(self.len == 0),
            FrameType::SETTINGS => self.on_connection(self.len.is_multiple_of(6)),
            FrameType::PING => self.on_connection(self.len == 8),
            FrameType::GOAWAY => self.on_connection(self.len >= 8),
            // It may be about a stream or the connection.
            FrameType::WINDOW_UPDATE if self.len != 4 => Some(FrameFault::Length),
            _ => None,
        }
    }

    /// The fault of a frame that belongs on a stream, given whether its type allows its length.
    const fn on_stream(&self, length_allowed: bool) -> Option<FrameFault> {
        match (length_allowed, self.stream) {
            (false, _) => Some(FrameFault::Length),
            (true, 0) => Some(FrameFault::StreamFrameOnConnection),
            _ => None,
        }
    }

    /// The fault of a frame that belongs on the connection, given whether its type allows its length.
    const fn on_connection(&self, length_allowed: bool) -> Option<FrameFault> {
        match (length_allowed, self.stream) {
            (false, _) => Some(FrameFault::Length),
            (true, 0) => None,
            _ => Some(FrameFault::ConnectionFrameOnStream),
        }
    }
}

/// A fault of a frame header by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameFault {
    /// Its type has a fixed length, or a least one, or a multiple (RFC 9113 §4.2).
    Length,
    /// SETTINGS, PING or GOAWAY on a stream other than 0 (RFC 9113 §6.5, §6.7, §6.8).
    ConnectionFrameOnStream,
    /// A frame of a stream on stream 0 (RFC 9113 §6.1 to §6.4, §6.6, §6.10).
    StreamFrameOnConnection,
}

impl FrameFault {
    /// In words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Length => "a frame whose length its type does not allow",
            Self::ConnectionFrameOnStream => "a frame of the connection on a stream",
            Self::StreamFrameOnConnection => "a frame of a stream on the connection",
        }
    }
}

impl fmt::Display for FrameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The type of a frame (RFC 9113 §6). Any byte is one; frames of unknown types are skipped.
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

    /// Its name in IANA's registry.
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
    /// Its identifier.
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
}

#[cfg(test)]
mod tests {
    use super::*;

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
            FrameHeader { len, kind: FrameType(kind), flags, reserved: false, stream }.fault()
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
            assert_eq!(fault(len, kind, flags, stream), None, "{len} {kind} {flags} {stream}");
        }
        let (length, on_connection, on_stream) =
            (FrameFault::Length, FrameFault::StreamFrameOnConnection, FrameFault::ConnectionFrameOnStream);
        for (len, kind, flags, stream, expected) in [
            (0, 0, 8, 1, length),
            (5, 1, 0x28, 1, length),
            (9, 0, 0, 0, on_connection),
            (4, 2, 0, 1, length),
            (5, 3, 0, 1, length),
            (4, 3, 0, 0, on_connection),
            (7, 4, 0, 0, length),
            (6, 4, 1, 0, length),
            (6, 4, 0, 1, on_stream),
            (3, 5, 0, 1, length),
            (7, 6, 0, 0, length),
            (8, 6, 0, 3, on_stream),
            (7, 7, 0, 0, length),
            (5, 8, 0, 0, length),
            (0, 9, 0, 0, on_connection),
        ] {
            assert_eq!(fault(len, kind, flags, stream), Some(expected), "{len} {kind} {flags} {stream}");
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

//! One WebSocket frame header (RFC 6455 §5.2).

use core::fmt;

/// An opcode: any four bits. Whether they are allowed is a question for [`crate::websocket`]'s rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Opcode(u8);

impl Opcode {
    /// A further fragment of a message.
    pub const CONTINUATION: Self = Self(0);
    /// A text message, or its first fragment.
    pub const TEXT: Self = Self(1);
    /// A binary message, or its first fragment.
    pub const BINARY: Self = Self(2);
    /// Close.
    pub const CLOSE: Self = Self(8);
    /// Ping.
    pub const PING: Self = Self(9);
    /// Pong.
    pub const PONG: Self = Self(10);

    /// The opcode in the low four bits of a frame's first byte.
    #[must_use]
    pub const fn from_bits(byte: u8) -> Self {
        Self(byte & 0x0f)
    }

    /// 0 to 15.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// "Control frames are identified by opcodes where the most significant bit of the opcode is 1." (RFC 6455 §5.5)
    #[must_use]
    pub const fn is_control(self) -> bool {
        self.0 & 8 != 0
    }

    /// 3 to 7 and 11 to 15: "reserved for further" frames (RFC 6455 §5.2).
    #[must_use]
    pub const fn is_reserved(self) -> bool {
        matches!(self.0, 3..=7 | 11..=15)
    }

    /// `text`, `close`, …; `reserved-11`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            0 => "continuation",
            1 => "text",
            2 => "binary",
            3 => "reserved-3",
            4 => "reserved-4",
            5 => "reserved-5",
            6 => "reserved-6",
            7 => "reserved-7",
            8 => "close",
            9 => "ping",
            10 => "pong",
            11 => "reserved-11",
            12 => "reserved-12",
            13 => "reserved-13",
            14 => "reserved-14",
            _ => "reserved-15",
        }
    }
}

impl fmt::Display for Opcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What stands before a frame's payload. Whatever the bytes, they are some header of 2 to 14 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// The last fragment of its message.
    pub fin: bool,
    /// The first reserved bit; permessage-deflate's "compressed".
    pub rsv1: bool,
    /// The second reserved bit.
    pub rsv2: bool,
    /// The third reserved bit.
    pub rsv3: bool,
    /// The opcode.
    pub opcode: Opcode,
    /// The masking key, where the MASK bit is set.
    pub masking_key: Option<[u8; 4]>,
    /// The payload length as on the wire, with its top bit where that is set.
    pub payload_len: u64,
    /// The header's own length: 2 to 14 bytes.
    pub header_len: u8,
}

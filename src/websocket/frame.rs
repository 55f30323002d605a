//! One WebSocket frame header (RFC 6455 §5.2).

use core::fmt;

use crate::types::Reader;

/// An opcode: any four bits. Whether they are allowed, [`rules`](crate::websocket::rules) decide.
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

    /// Its name: `text`, `close`, `reserved-11`.
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

/// A frame's header. Any bytes are some header of 2 to 14 bytes: it can be forbidden, never malformed.
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

impl FrameHeader {
    /// The longest header: two bytes, a 64-bit length, a masking key.
    pub const MAX_LEN: usize = 14;

    /// The header at the front of `bytes`, or `None` where they end before it does.
    ///
    /// ```text
    ///  0               1
    ///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5
    /// +-+-+-+-+-------+-+-------------+----------------------+----------------+
    /// |F|R|R|R| opcode|M|  length     | 126: 16 bits of it   | MASK: 32 bits  |
    /// |I|S|S|S|  (4)  |A|    (7)      | 127: 64 bits of it   | of masking key |
    /// |N|V|V|V|       |S|             |                      |                |
    /// | |1|2|3|       |K|             |                      |                |
    /// +-+-+-+-+-------+-+-------------+----------------------+----------------+
    /// ```
    #[inline]
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let [first, second] = reader.array()?;
        let payload_len = match second & 0x7f {
            126 => u64::from(reader.u16_be()?),
            127 => reader.u64_be()?,
            short => u64::from(short),
        };
        let masking_key = if second & 0x80 == 0 { None } else { Some(reader.array()?) };
        Some(Self {
            fin: first & 0x80 != 0,
            rsv1: first & 0x40 != 0,
            rsv2: first & 0x20 != 0,
            rsv3: first & 0x10 != 0,
            opcode: Opcode::from_bits(first),
            masking_key,
            payload_len,
            header_len: u8::try_from(reader.position()).ok()?,
        })
    }

    /// How many bytes the payload length takes: 1, 2 or 8 (the 7 bits of the second byte count as one).
    #[must_use]
    pub const fn length_width(&self) -> u8 {
        match self.header_len - if self.masking_key.is_some() { 4 } else { 0 } {
            2 => 1,
            4 => 2,
            _ => 8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(bytes: &[u8]) -> FrameHeader {
        for len in 0..bytes.len() {
            assert_eq!(FrameHeader::parse(&bytes[..len]), None, "cut to {len}");
        }
        FrameHeader::parse(bytes).unwrap()
    }

    #[test]
    fn the_examples_of_rfc_6455_section_5_7() {
        let text = parse(&[0x81, 0x05]);
        assert_eq!((text.fin, text.opcode, text.payload_len, text.masking_key), (true, Opcode::TEXT, 5, None));
        let masked = parse(&[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d]);
        assert_eq!((masked.masking_key, masked.header_len), (Some([0x37, 0xfa, 0x21, 0x3d]), 6));
        let first = parse(&[0x01, 0x03]);
        assert_eq!((first.fin, first.opcode), (false, Opcode::TEXT));
        let last = parse(&[0x80, 0x02]);
        assert_eq!((last.fin, last.opcode), (true, Opcode::CONTINUATION));
        let ping = parse(&[0x89, 0x05]);
        assert!(ping.opcode == Opcode::PING && ping.opcode.is_control());
        let kib_256 = parse(&[0x82, 0x7e, 0x01, 0x00]);
        assert_eq!((kib_256.payload_len, kib_256.length_width()), (256, 2));
        let kib_64 = parse(&[0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]);
        assert_eq!((kib_64.payload_len, kib_64.header_len, kib_64.length_width()), (65_536, 10, 8));
    }

    #[test]
    fn lengths_stay_64_bits_wide() {
        let masked = parse(&[0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 5, 1, 2, 3, 4]);
        assert_eq!((masked.payload_len, masked.header_len), (1 << 63 | 5, 14));
        assert_eq!(parse(&[0x82, 0x7f, 0, 0, 0, 1, 0, 0, 0, 5]).payload_len, (1 << 32) + 5);
    }

    #[test]
    fn any_two_bytes_are_some_header() {
        for first in 0..=255 {
            for second in 0..=255 {
                let bytes = [first, second, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
                let header = FrameHeader::parse(&bytes).unwrap();
                assert!((2..=14).contains(&header.header_len));
                assert_eq!(header.opcode.bits(), first & 15);
                assert_eq!(header.opcode.is_reserved(), header.opcode.name().starts_with("reserved"));
            }
        }
    }
}

//! Frames with any header bits, lengths and masks.

use wslens::types::Role;

/// One frame (RFC 6455 §5.2), right unless made wrong.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    fin: bool,
    rsv: u8,
    opcode: u8,
    payload: Vec<u8>,
    mask: Mask,
    width: u8,
    declared: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
enum Mask {
    /// As the sender must.
    Right,
    Unmasked,
    Key([u8; 4]),
}

/// The key of frames that have no other.
const MASKING_KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

impl Frame {
    pub(crate) fn new(opcode: u8, payload: impl AsRef<[u8]>) -> Self {
        let payload = payload.as_ref().to_vec();
        Self { fin: true, rsv: 0, opcode, payload, mask: Mask::Right, width: 0, declared: None }
    }

    pub(crate) fn text(payload: impl AsRef<[u8]>) -> Self {
        Self::new(1, payload)
    }

    pub(crate) fn binary(payload: impl AsRef<[u8]>) -> Self {
        Self::new(2, payload)
    }

    pub(crate) fn continuation(payload: impl AsRef<[u8]>) -> Self {
        Self::new(0, payload)
    }

    pub(crate) fn ping(payload: impl AsRef<[u8]>) -> Self {
        Self::new(9, payload)
    }

    pub(crate) fn pong(payload: impl AsRef<[u8]>) -> Self {
        Self::new(10, payload)
    }

    pub(crate) fn close(code: u16, reason: &str) -> Self {
        Self::new(8, close_body(code, reason.as_bytes()))
    }

    /// More frames of its message follow.
    pub(crate) fn more(mut self) -> Self {
        self.fin = false;
        self
    }

    /// RSV1: the message is compressed.
    pub(crate) fn compressed(self) -> Self {
        self.rsv(4)
    }

    /// RSV1 is 4, RSV2 is 2, RSV3 is 1.
    pub(crate) fn rsv(mut self, bits: u8) -> Self {
        self.rsv = bits;
        self
    }

    pub(crate) fn unmasked(mut self) -> Self {
        self.mask = Mask::Unmasked;
        self
    }

    pub(crate) fn masked(mut self, key: [u8; 4]) -> Self {
        self.mask = Mask::Key(key);
        self
    }

    /// The length is written in 2 or 8 bytes, needed or not.
    pub(crate) fn width(mut self, bytes: u8) -> Self {
        self.width = bytes;
        self
    }

    /// The header says another length.
    pub(crate) fn declared(mut self, len: u64) -> Self {
        self.declared = Some(len);
        self
    }

    /// As it goes over the wire.
    pub(crate) fn bytes(&self, from: Role) -> Vec<u8> {
        let key = match self.mask {
            Mask::Right => (from == Role::Client).then_some(MASKING_KEY),
            Mask::Unmasked => None,
            Mask::Key(key) => Some(key),
        };
        let len = self.declared.unwrap_or(self.payload.len() as u64);
        let width = match len {
            0..126 => self.width,
            126..=0xffff => self.width.max(2),
            _ => 8,
        };
        let mask_bit = u8::from(key.is_some()) << 7;
        let mut bytes = vec![u8::from(self.fin) << 7 | self.rsv << 4 | self.opcode];
        match width {
            0 => bytes.push(mask_bit | u8::try_from(len).unwrap()),
            2 => {
                bytes.push(mask_bit | 126);
                bytes.extend(u16::try_from(len).unwrap().to_be_bytes());
            }
            _ => {
                bytes.push(mask_bit | 127);
                bytes.extend(len.to_be_bytes());
            }
        }
        bytes.extend(key.into_iter().flatten());
        let key = key.unwrap_or_default();
        bytes.extend(self.payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        bytes
    }
}

/// The payload of a Close frame.
pub(crate) fn close_body(code: u16, reason: &[u8]) -> Vec<u8> {
    let mut body = code.to_be_bytes().to_vec();
    body.extend(reason);
    body
}

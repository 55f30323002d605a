//! Payloads for permessage-deflate (RFC 7692 §7.2.1).

use flate2::{Compress, Compression, FlushCompress};

/// The compressor of one direction.
pub(crate) struct Deflater {
    zlib: Compress,
    takeover: bool,
}

/// What a sync flush ends in, and a message leaves out.
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

impl Deflater {
    /// With the largest window.
    pub(crate) fn new(takeover: bool) -> Self {
        Self::with_window(15, takeover)
    }

    /// With a window of 2^`bits` bytes, 9 to 15.
    pub(crate) fn with_window(bits: u8, takeover: bool) -> Self {
        Self { zlib: Compress::new_with_window_bits(Compression::best(), false, bits), takeover }
    }

    /// One message.
    pub(crate) fn message(&mut self, plain: impl AsRef<[u8]>) -> Vec<u8> {
        let mut out = self.flushed(plain.as_ref(), FlushCompress::Sync);
        assert!(out.ends_with(&TAIL), "a sync flush ends so");
        out.truncate(out.len() - TAIL.len());
        out
    }

    /// One message whose last block has BFINAL, and a byte behind it (RFC 7692 §7.2.3.4).
    pub(crate) fn final_message(&mut self, plain: impl AsRef<[u8]>) -> Vec<u8> {
        let mut out = self.flushed(plain.as_ref(), FlushCompress::Finish);
        self.zlib.reset();
        out.push(0);
        out
    }

    /// A whole DEFLATE stream that ends in a block with BFINAL.
    pub(crate) fn stream(plain: impl AsRef<[u8]>) -> Vec<u8> {
        Self::new(true).flushed(plain.as_ref(), FlushCompress::Finish)
    }

    fn flushed(&mut self, plain: &[u8], flush: FlushCompress) -> Vec<u8> {
        if !self.takeover {
            self.zlib.reset();
        }
        let mut out = Vec::with_capacity(plain.len() + plain.len() / 100 + 1024);
        let before = self.zlib.total_in();
        self.zlib.compress_vec(plain, &mut out, flush).unwrap();
        assert_eq!(self.zlib.total_in() - before, plain.len() as u64, "all of it fits");
        out
    }
}

/// A stored block without BFINAL (RFC 1951 §3.2.4), as a whole message: up to 65,535 bytes.
pub(crate) fn stored(plain: &[u8]) -> Vec<u8> {
    let len = u16::try_from(plain.len()).unwrap();
    let mut out = vec![0];
    out.extend(len.to_le_bytes());
    out.extend((!len).to_le_bytes());
    out.extend(plain);
    // An empty stored block that lacks its tail: RFC 7692 §7.2.1.
    out.push(0);
    out
}

/// A block with fixed Huffman codes (RFC 1951 §3.2.6), written symbol by symbol, so that every distance is ours.
#[derive(Debug, Default)]
pub(crate) struct FixedBlock {
    bits: Vec<bool>,
}

impl FixedBlock {
    pub(crate) fn new() -> Self {
        let mut block = Self::default();
        // BFINAL 0, BTYPE 01, least significant bit first.
        block.number(0, 1);
        block.number(1, 2);
        block
    }

    /// Bytes as they are.
    pub(crate) fn literals(mut self, bytes: &[u8]) -> Self {
        for &byte in bytes {
            match byte {
                0..=143 => self.code(0x30 + u32::from(byte), 8),
                _ => self.code(0x190 + u32::from(byte) - 144, 9),
            }
        }
        self
    }

    /// Three bytes from so far back, 1 to 32768.
    pub(crate) fn copy3(mut self, distance: u32) -> Self {
        self.code(1, 7);
        let back = distance - 1;
        let (symbol, extra) = match back {
            0..4 => (back, 0),
            _ => {
                let extra = back.ilog2() - 1;
                (2 * extra + (back >> extra), extra)
            }
        };
        self.code(symbol, 5);
        self.number(back & ((1 << extra) - 1), extra);
        self
    }

    /// The end of the block and of the message.
    pub(crate) fn message(mut self) -> Vec<u8> {
        self.code(0, 7);
        // An empty stored block, without its tail.
        self.number(0, 3);
        self.bits.chunks(8).map(|bits| bits.iter().rev().fold(0, |byte, &bit| byte << 1 | u8::from(bit))).collect()
    }

    /// A Huffman code: most significant bit first.
    fn code(&mut self, code: u32, len: u32) {
        self.bits.extend((0..len).rev().map(|bit| code >> bit & 1 == 1));
    }

    /// A number: least significant bit first.
    fn number(&mut self, value: u32, len: u32) {
        self.bits.extend((0..len).map(|bit| value >> bit & 1 == 1));
    }
}

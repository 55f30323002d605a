//! For tests: senders, a writer of bits, and a decoder too simple to be wrong.

use flate2::{Compress, Compression, FlushCompress, Status};

/// One direction's sender.
pub(super) struct Sender {
    compress: Compress,
    no_context_takeover: bool,
}

impl Sender {
    pub(super) fn new(level: u32, window_bits: u8, no_context_takeover: bool) -> Self {
        let compress = Compress::new_with_window_bits(Compression::new(level), false, window_bits);
        Self { compress, no_context_takeover }
    }

    pub(super) fn takeover() -> Self {
        Self::new(6, 15, false)
    }

    /// A message as RFC 7692 §7.2.1 defines it.
    pub(super) fn message(&mut self, plain: &[u8]) -> Vec<u8> {
        let mut bytes = self.unstripped(plain);
        assert!(bytes.ends_with(&[0, 0, 0xff, 0xff]));
        bytes.truncate(bytes.len() - 4);
        bytes
    }

    /// The same with its tail.
    pub(super) fn unstripped(&mut self, plain: &[u8]) -> Vec<u8> {
        let mut bytes = self.flush(plain, FlushCompress::Sync);
        if bytes.is_empty() {
            bytes.extend([0, 0, 0, 0xff, 0xff]); // zlib has nothing to flush: RFC 7692 §7.2.3.6
        }
        if self.no_context_takeover {
            self.compress.reset();
        }
        bytes
    }

    /// Ends the stream with BFINAL and begins a new one.
    pub(super) fn ended(&mut self, plain: &[u8]) -> Vec<u8> {
        let bytes = self.flush(plain, FlushCompress::Finish);
        self.compress.reset();
        bytes
    }

    fn flush(&mut self, plain: &[u8], flush: FlushCompress) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(plain.len() / 2 + 64);
        let begin = self.compress.total_in();
        loop {
            let done = usize::try_from(self.compress.total_in() - begin).unwrap();
            let status = self.compress.compress_vec(&plain[done..], &mut bytes, flush).unwrap();
            if status == Status::StreamEnd || bytes.len() < bytes.capacity() {
                return bytes;
            }
            bytes.reserve(bytes.len());
        }
    }
}

/// Writes DEFLATE by hand.
#[derive(Default)]
pub(super) struct BitWriter {
    pub(super) bytes: Vec<u8>,
    used: u32,
}

impl BitWriter {
    /// The `len` least significant bits of `value`, the least significant first.
    pub(super) fn bits(&mut self, value: u32, len: u32) -> &mut Self {
        for bit in 0..len {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            *self.bytes.last_mut().unwrap() |= u8::try_from(value >> bit & 1).unwrap() << (self.used % 8);
            self.used += 1;
        }
        self
    }

    /// A Huffman code, the most significant bit first.
    pub(super) fn code(&mut self, code: u32, len: u32) -> &mut Self {
        for bit in (0..len).rev() {
            self.bits(code >> bit & 1, 1);
        }
        self
    }

    /// A symbol of the fixed literal code.
    pub(super) fn fixed(&mut self, symbol: u32) -> &mut Self {
        match symbol {
            0..=143 => self.code(0x30 + symbol, 8),
            144..=255 => self.code(0x190 + symbol - 144, 9),
            256..=279 => self.code(symbol - 256, 7),
            _ => self.code(0xc0 + symbol - 280, 8),
        }
    }

    /// Three bytes from `distance` bytes back, with the fixed codes.
    pub(super) fn copy_three(&mut self, distance: u32) -> &mut Self {
        let symbol = (0..30).rfind(|symbol| DISTANCES[*symbol].0 <= distance).unwrap();
        let (base, extra) = DISTANCES[symbol];
        self.fixed(257).code(u32::try_from(symbol).unwrap(), 5).bits(distance - base, extra)
    }

    /// The empty stored block that ends a message, without its length.
    pub(super) fn end(&mut self) -> Vec<u8> {
        self.bits(0, 3);
        std::mem::take(&mut self.bytes)
    }
}

/// Computed, not typed: each pair of symbols has one extra bit more than the pair before it.
pub(super) const DISTANCES: [(u32, u32); 30] = {
    let mut table = [(1, 0); 30];
    let (mut symbol, mut extra) = (1, 0);
    while symbol < 30 {
        let (before, its_extra) = table[symbol - 1];
        if symbol >= 4 && symbol.is_multiple_of(2) {
            extra += 1;
        }
        table[symbol] = (before + (1 << its_extra), extra);
        symbol += 1;
    }
    table
};

/// The output of the dumb decoder of one DEFLATE stream.
#[derive(Debug, Default)]
pub(super) struct Decoded {
    pub(super) out: Vec<u8>,
    pub(super) distances: Vec<u32>,
}

/// Decodes block after block, also past final ones, until the bits run out or are wrong. One bit at a time.
pub(super) fn dumb(bytes: &[u8]) -> Decoded {
    let mut decoded = Decoded::default();
    let mut bits = DumbBits { bytes, at: 0 };
    while bits.block(&mut decoded).is_some() {}
    decoded
}

struct DumbBits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl DumbBits<'_> {
    fn bits(&mut self, len: u32) -> Option<u32> {
        (0..len).try_fold(0, |value, bit| {
            let next = self.bytes.get(self.at / 8)? >> (self.at % 8) & 1;
            self.at += 1;
            Some(value | u32::from(next) << bit)
        })
    }

    /// A symbol, by comparing the bits read so far with the code of every symbol.
    fn symbol(&mut self, lengths: &[u8]) -> Option<u32> {
        let (mut code, mut first) = (0, 0);
        for len in 1..=15 {
            code = code << 1 | self.bits(1)?;
            first <<= 1;
            for (symbol, _) in (0..).zip(lengths).filter(|(_, its)| **its == len) {
                if code == first {
                    return Some(symbol);
                }
                first += 1;
            }
        }
        None
    }

    fn block(&mut self, decoded: &mut Decoded) -> Option<()> {
        let last = self.bits(1)? == 1;
        match self.bits(2)? {
            0 => {
                self.at = self.at.div_ceil(8) * 8;
                let len = self.bits(32)? & 0xffff;
                for _ in 0..len {
                    decoded.out.push(u8::try_from(self.bits(8)?).unwrap());
                }
            }
            1 => {
                let lengths = [vec![8; 144], vec![9; 112], vec![7; 24], vec![8; 8]].concat();
                self.data(&lengths, &[5; 32], decoded)?;
            }
            2 => {
                let (literals, distances) = (self.bits(5)? as usize + 257, self.bits(5)? as usize + 1);
                let lengths = self.lengths(literals + distances)?;
                self.data(&lengths[..literals], &lengths[literals..], decoded)?;
            }
            _ => return None,
        }
        if last {
            self.at = self.at.div_ceil(8) * 8;
        }
        Some(())
    }

    fn lengths(&mut self, total: usize) -> Option<Vec<u8>> {
        let mut code = [0; 19];
        for place in [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
            .into_iter()
            .take(self.bits(4)? as usize + 4)
        {
            code[place] = u8::try_from(self.bits(3)?).unwrap();
        }
        let mut lengths = Vec::new();
        while lengths.len() < total {
            let (value, times) = match self.symbol(&code)? {
                16 => (*lengths.last()?, 3 + self.bits(2)?),
                17 => (0, 3 + self.bits(3)?),
                18 => (0, 11 + self.bits(7)?),
                len => (u8::try_from(len).unwrap(), 1),
            };
            lengths.extend((0..times).map(|_| value));
        }
        (lengths.len() == total).then_some(lengths)
    }

    fn data(&mut self, literals: &[u8], distances: &[u8], decoded: &mut Decoded) -> Option<()> {
        loop {
            let symbol = self.symbol(literals)?;
            let len = match symbol {
                0..=255 => {
                    decoded.out.push(u8::try_from(symbol).unwrap());
                    continue;
                }
                256 => return Some(()),
                257..=264 => symbol - 254,
                265..=284 => {
                    let extra = (symbol - 261) / 4;
                    let base = (4 + (symbol - 265) % 4) << extra;
                    base + 3 + self.bits(extra)?
                }
                285 => 258,
                _ => return None,
            };
            let (base, extra) = *DISTANCES.get(self.symbol(distances)? as usize)?;
            let distance = base + self.bits(extra)?;
            decoded.distances.push(distance);
            for _ in 0..len {
                let from = decoded.out.len().checked_sub(distance as usize)?;
                decoded.out.push(decoded.out[from]);
            }
        }
    }
}

/// A repeatable source of numbers (xorshift).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    pub(super) fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next().to_le_bytes()[3]).collect()
    }

    /// Words that come again at any distance.
    pub(super) fn text(&mut self, len: usize) -> Vec<u8> {
        let mut text = Vec::with_capacity(len + 8);
        while text.len() < len {
            let bits = self.below(12);
            let word = self.below(2 << bits);
            text.extend_from_slice(format!("{word:x} ").as_bytes());
        }
        text.truncate(len);
        text
    }
}

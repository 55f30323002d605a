//! Canonical Huffman codes: "all codes of a given bit length have lexicographically consecutive values" (RFC 1951 §3.2.2).
//!
//! Codes of up to `log2(TABLE)` bits are looked up; longer ones, which are rare by their nature, are found by comparing.

/// The longest code (RFC 1951 §3.2.7).
const MAX_BITS: usize = 15;

/// A code for up to `SYMBOLS` symbols; `TABLE`, a power of two, is the size of its look-up table.
#[derive(Debug, Clone)]
pub(super) struct Huffman<const TABLE: usize, const SYMBOLS: usize> {
    /// By the next bits: symbol << 4 | length, 0 where the code is longer or is none.
    table: [u16; TABLE],
    /// Of each length: the first code, how many codes there are, and how many symbols have shorter ones.
    ranks: [Rank; MAX_BITS + 1],
    /// The symbols in the order of their codes.
    symbols: [u16; SYMBOLS],
}

#[derive(Debug, Clone, Copy)]
struct Rank {
    first: u32,
    count: u32,
    before: u32,
}

impl<const TABLE: usize, const SYMBOLS: usize> Huffman<TABLE, SYMBOLS> {
    /// No codes at all.
    pub(super) const fn new() -> Self {
        let rank = Rank { first: 0, count: 0, before: 0 };
        Self { table: [0; TABLE], ranks: [rank; MAX_BITS + 1], symbols: [0; SYMBOLS] }
    }

    /// Becomes the code whose symbol `n` has `lengths[n]` bits, 0 meaning none. `None` if there are more codes than bits
    /// can tell apart. A set with codes to spare is taken: whether it is allowed is a question for the decoder.
    pub(super) fn build(&mut self, lengths: &[u8]) -> Option<()> {
        let mut counts = [0_u32; MAX_BITS + 1];
        for len in lengths {
            *counts.get_mut(usize::from(*len))? += 1;
        }
        // the first code of each length (RFC 1951 §3.2.2, step 2)
        let mut places = [0_usize; MAX_BITS + 1];
        let (mut first, mut before) = (0, 0);
        for (len, ((count, rank), place)) in counts.iter().zip(&mut self.ranks).zip(&mut places).enumerate().skip(1) {
            first <<= 1;
            *rank = Rank { first, count: *count, before };
            *place = before as usize;
            first += count;
            before += count;
            if first > 1 << len {
                return None;
            }
        }
        for (symbol, len) in (0_u16..).zip(lengths).filter(|(_, len)| **len > 0) {
            let place = places.get_mut(usize::from(*len))?;
            *self.symbols.get_mut(*place)? = symbol;
            *place += 1;
        }
        self.fill()
    }

    /// The symbol whose code is first in `bits`, and the code's length. `None`: no code begins so.
    #[inline]
    pub(super) fn decode(&self, bits: u64) -> Option<(u16, u32)> {
        let index = usize::try_from(bits % TABLE as u64).unwrap_or_default();
        match self.table.get(index) {
            Some(entry) if *entry != 0 => Some((entry >> 4, u32::from(entry & 15))),
            _ => self.decode_long(bits),
        }
    }

    /// The table, length after length: what is known of the shorter codes stands twice in the table of one bit more.
    /// "Huffman codes are packed starting with the most-significant bit of the code" (RFC 1951 §3.1.1).
    fn fill(&mut self) -> Option<()> {
        *self.table.first_mut()? = 0;
        for (len, rank) in (0_u32..).zip(&self.ranks).skip(1) {
            let size = 1_usize << len;
            if size > TABLE {
                break;
            }
            self.table.copy_within(..size / 2, size / 2);
            let symbols = self.symbols.get(rank.before as usize..)?.iter().take(rank.count as usize);
            for (code, symbol) in (rank.first..).zip(symbols) {
                let index = (code.reverse_bits() >> (32 - len)) as usize;
                *self.table.get_mut(index)? = symbol << 4 | u16::try_from(len).ok()?;
            }
        }
        Some(())
    }

    /// A code of each length in turn: it is one if it is not beyond the codes of this length.
    #[inline(never)]
    fn decode_long(&self, bits: u64) -> Option<(u16, u32)> {
        let code = u32::try_from(bits & 0x7fff).ok()?.reverse_bits() >> (32 - MAX_BITS);
        for (len, rank) in (0_u32..).zip(&self.ranks).skip(1) {
            let code = code >> (15 - len);
            let index = code.wrapping_sub(rank.first);
            if index < rank.count {
                let symbol = self.symbols.get((rank.before + index) as usize)?;
                return Some((*symbol, len));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 1951 §3.2.2: "Consider the alphabet ABCDEFGH, with bit lengths (3, 3, 3, 3, 3, 2, 4, 4)."
    #[test]
    fn the_example_of_the_rfc() {
        let codes = ["010", "011", "100", "101", "110", "00", "1110", "1111"];
        let lengths = [3, 3, 3, 3, 3, 2, 4, 4];
        let mut looked_up = Huffman::<16, 8>::new();
        let mut counted = Huffman::<2, 8>::new();
        looked_up.build(&lengths).unwrap();
        counted.build(&lengths).unwrap();
        for (symbol, code) in (0..).zip(codes) {
            let bits = code.bytes().rev().fold(0, |bits, digit| bits << 1 | u64::from(digit - b'0'));
            let len = u32::try_from(code.len()).unwrap();
            assert_eq!(looked_up.decode(bits), Some((symbol, len)));
            assert_eq!(counted.decode(bits), Some((symbol, len)));
        }
    }

    #[test]
    fn too_many_codes_are_refused_and_missing_ones_are_none() {
        let mut code = Huffman::<8, 4>::new();
        assert_eq!(code.build(&[1, 1, 1]), None);
        assert_eq!(code.build(&[1, 2, 2, 15]), None);
        assert_eq!(code.build(&[0, 1]), Some(()));
        assert_eq!(code.decode(0), Some((1, 1)));
        assert_eq!(code.decode(1), None);
        assert_eq!(code.build(&[]), Some(()));
        assert_eq!(code.decode(0), None);
    }
}

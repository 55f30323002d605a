//! Canonical Huffman codes: "all codes of a given bit length have lexicographically consecutive values" (RFC 1951 §3.2.2).
//!
//! Codes of up to `log2(TABLE)` bits are looked up; longer ones, which are rare by their nature, are found by comparing.

/// The longest code (RFC 1951 §3.2.7).
const MAX_BITS: usize = 15;

/// What a code stands for, in one word: its own length (4 bits), how many extra bits follow it (4), what it is (2), and
/// from bit 16 on its value, to which the extra bits are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry(u32);

/// What a code is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// A value that stands for itself.
    Literal = 0,
    /// A length or a distance.
    Base = 1,
    /// The end of the block.
    End = 2,
    /// Nothing: "will never actually occur in the compressed data" (RFC 1951 §3.2.6).
    Unused = 3,
}

impl Entry {
    /// No code.
    const NONE: Self = Self(0);

    /// What a symbol stands for; the length of its code is known when the code is built.
    pub(super) const fn new(kind: Kind, value: u16, extra: u8) -> Self {
        Self((value as u32) << 16 | (kind as u32) << 8 | ((extra & 15) as u32) << 4)
    }

    /// The length of the code.
    #[inline]
    pub(super) const fn len(self) -> u32 {
        self.0 & 15
    }

    /// How many bits follow the code and belong to it.
    #[inline]
    pub(super) const fn extra(self) -> u32 {
        self.0 >> 4 & 15
    }

    /// What it is.
    #[inline]
    pub(super) const fn kind(self) -> Kind {
        match self.0 >> 8 & 3 {
            0 => Kind::Literal,
            1 => Kind::Base,
            2 => Kind::End,
            _ => Kind::Unused,
        }
    }

    /// The value, with the extra bits that come first in `bits`.
    #[inline]
    pub(super) fn value(self, bits: u64) -> u32 {
        let extra = bits & ((1 << self.extra()) - 1);
        (self.0 >> 16) + u32::try_from(extra).unwrap_or_default()
    }
}

/// A code for up to `SYMBOLS` symbols; `TABLE`, a power of two, is the size of its look-up table.
#[derive(Debug, Clone)]
pub(super) struct Huffman<const TABLE: usize, const SYMBOLS: usize> {
    /// By the next bits; none where the code is longer or is none.
    table: [Entry; TABLE],
    /// Of each length: the first code, how many codes there are, and how many symbols have shorter ones.
    ranks: [Rank; MAX_BITS + 1],
    /// What the symbols stand for, in the order of their codes.
    entries: [Entry; SYMBOLS],
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
        Self { table: [Entry::NONE; TABLE], ranks: [rank; MAX_BITS + 1], entries: [Entry::NONE; SYMBOLS] }
    }

    /// Becomes the code whose symbol `n` has `lengths[n]` bits, 0 meaning none, and stands for `alphabet[n]`. `None` if there are more codes than bits
    /// can tell apart. A set with codes to spare is taken: whether it is allowed is a question for the decoder.
    pub(super) fn build(&mut self, lengths: &[u8], alphabet: &[Entry; SYMBOLS]) -> Option<()> {
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
        for (entry, len) in alphabet.iter().zip(lengths).filter(|(_, len)| **len > 0) {
            let place = places.get_mut(usize::from(*len))?;
            *self.entries.get_mut(*place)? = Entry(entry.0 | u32::from(*len));
            *place += 1;
        }
        self.fill()
    }

    /// What the code stands for that is first in `bits`. `None`: no code begins so.
    #[inline]
    pub(super) fn decode(&self, bits: u64) -> Option<Entry> {
        let index = usize::try_from(bits % TABLE as u64).unwrap_or_default();
        match self.table.get(index) {
            Some(entry) if *entry != Entry::NONE => Some(*entry),
            _ => self.decode_long(bits),
        }
    }

    /// The table, length after length: what is known of the shorter codes stands twice in the table of one bit more.
    /// "Huffman codes are packed starting with the most-significant bit of the code" (RFC 1951 §3.1.1).
    fn fill(&mut self) -> Option<()> {
        *self.table.first_mut()? = Entry::NONE;
        for (len, rank) in (0_u32..).zip(&self.ranks).skip(1) {
            let size = 1_usize << len;
            if size > TABLE {
                break;
            }
            self.table.copy_within(..size / 2, size / 2);
            let entries = self.entries.get(rank.before as usize..)?.iter().take(rank.count as usize);
            for (code, entry) in (rank.first..).zip(entries) {
                let index = (code.reverse_bits() >> (32 - len)) as usize;
                *self.table.get_mut(index)? = *entry;
            }
        }
        Some(())
    }

    /// A code of each length that the table lacks: it is one if it is not beyond the codes of this length.
    #[inline(never)]
    fn decode_long(&self, bits: u64) -> Option<Entry> {
        let code = u32::try_from(bits & 0x7fff).ok()?.reverse_bits() >> (32 - MAX_BITS);
        for (len, rank) in (0_u32..).zip(&self.ranks).skip(1 + TABLE.ilog2() as usize) {
            let code = code >> (15 - len);
            let index = code.wrapping_sub(rank.first);
            if index < rank.count {
                return self.entries.get((rank.before + index) as usize).copied();
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn alphabet<const SYMBOLS: usize>() -> [Entry; SYMBOLS] {
        let mut alphabet = [Entry::NONE; SYMBOLS];
        let mut symbol = 0;
        while symbol < 8 && symbol < SYMBOLS {
            alphabet[symbol] = Entry::new(Kind::Base, [10, 11, 12, 13, 14, 15, 16, 17][symbol], 3);
            symbol += 1;
        }
        alphabet
    }

    /// RFC 1951 §3.2.2: "Consider the alphabet ABCDEFGH, with bit lengths (3, 3, 3, 3, 3, 2, 4, 4)."
    #[test]
    fn the_example_of_the_rfc() {
        let codes = ["010", "011", "100", "101", "110", "00", "1110", "1111"];
        let lengths = [3, 3, 3, 3, 3, 2, 4, 4];
        let mut looked_up = Huffman::<16, 8>::new();
        let mut compared = Huffman::<2, 8>::new();
        looked_up.build(&lengths, &alphabet()).unwrap();
        compared.build(&lengths, &alphabet()).unwrap();
        for (symbol, code) in (0..).zip(codes) {
            let bits = code.bytes().rev().fold(0, |bits, digit| bits << 1 | u64::from(digit - b'0'));
            let entry = looked_up.decode(bits).unwrap();
            assert_eq!(entry.len() as usize, code.len());
            assert_eq!((entry.kind(), entry.extra()), (Kind::Base, 3));
            assert_eq!(entry.value(0b1101), 10 + symbol + 0b101);
            assert_eq!(compared.decode(bits), Some(entry));
        }
    }

    #[test]
    fn too_many_codes_are_refused_and_missing_ones_are_none() {
        let mut code = Huffman::<8, 4>::new();
        let alphabet = alphabet();
        assert_eq!(code.build(&[1, 1, 1], &alphabet), None);
        assert_eq!(code.build(&[1, 2, 2, 15], &alphabet), None);
        assert_eq!(code.build(&[0, 1], &alphabet), Some(()));
        assert_eq!(code.decode(0).map(|entry| entry.value(0)), Some(11));
        assert_eq!(code.decode(1), None);
        assert_eq!(code.build(&[], &alphabet), Some(()));
        assert_eq!(code.decode(0), None);
    }
}

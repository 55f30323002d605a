//! Canonical Huffman codes: "all codes of a given bit length have lexicographically consecutive values" (RFC 1951 §3.2.2).
//!
//! Codes of up to `log2(TABLE)` bits are looked up; longer ones, which are rare by their nature, are found by comparing.

/// The longest code (RFC 1951 §3.2.7).
const MAX_BITS: usize = 15;

/// A code and its symbol in one word: the length of the code (4 bits), the number of extra bits after it (4), the kind of
/// symbol (2), and from bit 16 on its value, to which the extra bits are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry(u32);

/// The kinds of symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum SymbolKind {
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

    /// A symbol; the length of its code is added when the code is built.
    pub(super) const fn new(kind: SymbolKind, value: u16, extra: u8) -> Self {
        Self((value as u32) << 16 | (kind as u32) << 8 | ((extra & 15) as u32) << 4)
    }

    /// The length of the code.
    #[inline]
    pub(super) const fn len(self) -> u32 {
        self.0 & 15
    }

    /// The number of bits after the code that belong to it.
    #[inline]
    pub(super) const fn extra(self) -> u32 {
        self.0 >> 4 & 15
    }

    /// The kind of symbol.
    #[inline]
    pub(super) const fn kind(self) -> SymbolKind {
        match self.0 >> 8 & 3 {
            0 => SymbolKind::Literal,
            1 => SymbolKind::Base,
            2 => SymbolKind::End,
            _ => SymbolKind::Unused,
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
    /// Indexed by the next bits; no entry where the code is longer or does not exist.
    table: [Entry; TABLE],
    /// The codes of each length.
    by_length: [CodesOfLength; MAX_BITS + 1],
    /// The symbols, in the order of their codes.
    entries: [Entry; SYMBOLS],
}

/// The codes of one length.
#[derive(Debug, Clone, Copy)]
struct CodesOfLength {
    /// The first code.
    first: u32,
    /// How many codes there are.
    count: u32,
    /// How many codes are shorter.
    before: u32,
}

impl<const TABLE: usize, const SYMBOLS: usize> Huffman<TABLE, SYMBOLS> {
    /// No codes at all.
    pub(super) const fn new() -> Self {
        let codes = CodesOfLength { first: 0, count: 0, before: 0 };
        Self { table: [Entry::NONE; TABLE], by_length: [codes; MAX_BITS + 1], entries: [Entry::NONE; SYMBOLS] }
    }

    /// Becomes the code in which symbol `alphabet[n]` has `lengths[n]` bits, 0 for none. `None` if there are more codes than
    /// the bits can distinguish. An incomplete code is accepted: whether it is allowed, the caller decides.
    pub(super) fn build(&mut self, lengths: &[u8], alphabet: &[Entry; SYMBOLS]) -> Option<()> {
        let mut counts = [0_u32; MAX_BITS + 1];
        for len in lengths {
            *counts.get_mut(usize::from(*len))? += 1;
        }
        // the first code of each length (RFC 1951 §3.2.2, step 2)
        let mut places = [0_usize; MAX_BITS + 1];
        let (mut first, mut before) = (0, 0);
        for (len, ((count, codes), place)) in
            counts.iter().zip(&mut self.by_length).zip(&mut places).enumerate().skip(1)
        {
            first <<= 1;
            *codes = CodesOfLength { first, count: *count, before };
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

    /// The symbol of the code at the front of `bits`; `None` where no code begins like that.
    #[inline]
    pub(super) fn decode(&self, bits: u64) -> Option<Entry> {
        let index = usize::try_from(bits % TABLE as u64).unwrap_or_default();
        match self.table.get(index) {
            Some(entry) if *entry != Entry::NONE => Some(*entry),
            _ => self.decode_long(bits),
        }
    }

    /// Fills the table, length after length: the table for one bit more holds each shorter code twice.
    /// "Huffman codes are packed starting with the most-significant bit of the code" (RFC 1951 §3.1.1).
    fn fill(&mut self) -> Option<()> {
        *self.table.first_mut()? = Entry::NONE;
        for (len, codes) in (0_u32..).zip(&self.by_length).skip(1) {
            let size = 1_usize << len;
            if size > TABLE {
                break;
            }
            self.table.copy_within(..size / 2, size / 2);
            let entries = self.entries.get(codes.before as usize..)?.iter().take(codes.count as usize);
            for (code, entry) in (codes.first..).zip(entries) {
                let index = (code.reverse_bits() >> (32 - len)) as usize;
                *self.table.get_mut(index)? = *entry;
            }
        }
        Some(())
    }

    /// Compares with the codes of each length that is not in the table.
    #[inline(never)]
    fn decode_long(&self, bits: u64) -> Option<Entry> {
        let code = u32::try_from(bits & 0x7fff).ok()?.reverse_bits() >> (32 - MAX_BITS);
        for (len, codes) in (0_u32..).zip(&self.by_length).skip(1 + TABLE.ilog2() as usize) {
            let code = code >> (15 - len);
            let index = code.wrapping_sub(codes.first);
            if index < codes.count {
                return self.entries.get((codes.before + index) as usize).copied();
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
            alphabet[symbol] = Entry::new(SymbolKind::Base, [10, 11, 12, 13, 14, 15, 16, 17][symbol], 3);
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
            assert_eq!((entry.kind(), entry.extra()), (SymbolKind::Base, 3));
            assert_eq!(entry.value(0b1101), 10 + symbol + 0b101);
            assert_eq!(compared.decode(bits), Some(entry));
        }
    }

    #[test]
    fn too_many_codes_are_refused_and_missing_codes_have_no_symbol() {
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

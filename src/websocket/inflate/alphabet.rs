//! The symbols of a DEFLATE block and their meaning (RFC 1951 §3.2.5 to §3.2.7).

use std::array;
use std::sync::LazyLock;

use super::huffman::{Entry, Huffman, SymbolKind};

/// The code of literals, the end of the block, and lengths.
pub(super) type Literals = Huffman<1024, 288>;
/// The code of distances.
pub(super) type Distances = Huffman<256, 32>;
/// The code of the lengths of the two other codes.
pub(super) type CodeLengths = Huffman<128, 19>;

/// The order in which the lengths of the code length code are sent (RFC 1951 §3.2.7).
pub(super) const ORDER: [u8; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// Least value and extra bits of the length symbols 257 to 285 (RFC 1951 §3.2.5).
#[rustfmt::skip]
const LENGTHS: [(u16, u8); 29] = [
    (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0), (9, 0), (10, 0), (11, 1), (13, 1),
    (15, 1), (17, 1), (19, 2), (23, 2), (27, 2), (31, 2), (35, 3), (43, 3), (51, 3), (59, 3),
    (67, 4), (83, 4), (99, 4), (115, 4), (131, 5), (163, 5), (195, 5), (227, 5), (258, 0),
];

/// Least value and extra bits of the distance symbols (RFC 1951 §3.2.5).
#[rustfmt::skip]
const DISTANCES: [(u16, u8); 30] = [
    (1, 0), (2, 0), (3, 0), (4, 0), (5, 1), (7, 1), (9, 2), (13, 2), (17, 3), (25, 3),
    (33, 4), (49, 4), (65, 5), (97, 5), (129, 6), (193, 6), (257, 7), (385, 7), (513, 8), (769, 8),
    (1025, 9), (1537, 9), (2049, 10), (3073, 10), (4097, 11), (6145, 11),
    (8193, 12), (12289, 12), (16385, 13), (24577, 13),
];

/// The three alphabets, and the codes of blocks with BTYPE 01.
pub(super) struct Alphabets {
    /// Literals, the end of the block, and lengths.
    pub(super) literals: [Entry; 288],
    /// Distances.
    pub(super) distances: [Entry; 32],
    /// Lengths of codes, each a literal; how often the one before is repeated, a base; how often 0 is, an end.
    pub(super) lengths: [Entry; 19],
    /// BTYPE 01 (RFC 1951 §3.2.6).
    pub(super) fixed_literals: Literals,
    /// BTYPE 01 (RFC 1951 §3.2.6).
    pub(super) fixed_distances: Distances,
}

/// Made when the first message is scanned.
pub(super) static ALPHABETS: LazyLock<Alphabets> = LazyLock::new(|| {
    let mut alphabets = Alphabets {
        literals: array::from_fn(literal),
        distances: array::from_fn(|symbol| base(DISTANCES.get(symbol))),
        lengths: array::from_fn(code_length),
        fixed_literals: Literals::new(),
        fixed_distances: Distances::new(),
    };
    let lengths: [u8; 288] = array::from_fn(|symbol| match symbol {
        ..=143 => 8,
        144..=255 => 9,
        256..=279 => 7,
        _ => 8,
    });
    let literals = alphabets.fixed_literals.build(&lengths, &alphabets.literals);
    let distances = alphabets.fixed_distances.build(&[5; 32], &alphabets.distances);
    debug_assert!(literals.and(distances).is_some(), "the fixed codes are complete");
    alphabets
});

fn literal(symbol: usize) -> Entry {
    match symbol {
        ..=255 => Entry::new(SymbolKind::Literal, 0, 0),
        256 => Entry::new(SymbolKind::End, 0, 0),
        _ => base(LENGTHS.get(symbol - 257)),
    }
}

fn base(least: Option<&(u16, u8)>) -> Entry {
    least.map_or(Entry::new(SymbolKind::Unused, 0, 0), |(value, extra)| Entry::new(SymbolKind::Base, *value, *extra))
}

/// "16: Copy the previous code length 3 - 6 times; 17: Repeat a code length of 0 for 3 - 10 times; 18: … 11 - 138 times"
/// (RFC 1951 §3.2.7)
fn code_length(symbol: usize) -> Entry {
    match symbol {
        16 => Entry::new(SymbolKind::Base, 3, 2),
        17 => Entry::new(SymbolKind::End, 3, 3),
        18 => Entry::new(SymbolKind::End, 11, 7),
        len => Entry::new(SymbolKind::Literal, u16::try_from(len).unwrap_or_default(), 0),
    }
}

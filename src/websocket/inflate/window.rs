//! How far a compressed message refers back (RFC 1951 §3.2), where that matters: less than the largest window was
//! negotiated, or not all of it is known.
//!
//! zlib decodes with the largest window and does not tell distances. The walker reads the same bits: block headers, code
//! tables, lengths and distances; it makes no output and only counts it. In come the pieces of one message as zlib
//! consumed them, cut anywhere; out comes the first distance beyond the negotiated window, "a power of 2" of at most
//! `max_window_bits` (RFC 7692 §7.1.2.1, §7.1.2.2), and why it stopped. (zlib-rs cannot be asked why: its fast loop
//! overwrites its own reasons.)
//!
//! What is not DEFLATE stops it until the next message; zlib says what is wrong. Between two pieces it keeps 63 bits at
//! most, for everything it must see whole is shorter: a length with its distance has 48.

use std::sync::LazyLock;

use super::bits::Bits;
use super::huffman::Huffman;

/// The largest window (RFC 1951 §3.2.5).
pub(super) const LARGEST: u32 = 32 << 10;

/// A distance beyond the negotiated window (RFC 7692 §7.1.2.1, §7.1.2.2); the first of its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowExcess {
    /// How many bytes back the message refers: 257 to 32,768.
    pub distance: u32,
    /// How many the negotiated `max_window_bits` allow: 256 to 16,384.
    pub window: u32,
}

/// What the walker can say about data that is not DEFLATE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// A code that stands for nothing, in the data of a block.
    Code,
    /// A distance beyond all that is known.
    TooFar,
    /// Anything else.
    Other,
}

type Literals = Huffman<1024, 288>;
type Distances = Huffman<256, 32>;
type CodeLengths = Huffman<128, 19>;

/// Base and extra bits of the length symbols 257 to 285 (RFC 1951 §3.2.5).
#[rustfmt::skip]
const LENGTHS: [(u16, u8); 29] = [
    (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0), (9, 0), (10, 0), (11, 1), (13, 1),
    (15, 1), (17, 1), (19, 2), (23, 2), (27, 2), (31, 2), (35, 3), (43, 3), (51, 3), (59, 3),
    (67, 4), (83, 4), (99, 4), (115, 4), (131, 5), (163, 5), (195, 5), (227, 5), (258, 0),
];

/// Base and extra bits of the distance symbols (RFC 1951 §3.2.5).
#[rustfmt::skip]
const DISTANCES: [(u16, u8); 30] = [
    (1, 0), (2, 0), (3, 0), (4, 0), (5, 1), (7, 1), (9, 2), (13, 2), (17, 3), (25, 3),
    (33, 4), (49, 4), (65, 5), (97, 5), (129, 6), (193, 6), (257, 7), (385, 7), (513, 8), (769, 8),
    (1025, 9), (1537, 9), (2049, 10), (3073, 10), (4097, 11), (6145, 11),
    (8193, 12), (12289, 12), (16385, 13), (24577, 13),
];

/// The order in which the lengths of the code length code are sent (RFC 1951 §3.2.7).
const ORDER: [u8; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// The codes of blocks with BTYPE 01 (RFC 1951 §3.2.6).
static FIXED: LazyLock<(Literals, Distances)> = LazyLock::new(|| {
    let mut lengths = [8; 288];
    lengths.iter_mut().skip(144).take(112).for_each(|len| *len = 9);
    lengths.iter_mut().skip(256).take(24).for_each(|len| *len = 7);
    let (mut literals, mut distances) = (Literals::new(), Distances::new());
    let built = literals.build(&lengths).and(distances.build(&[5; 32]));
    debug_assert!(built.is_some(), "the fixed codes are complete");
    (literals, distances)
});

/// Where the walker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the three bits of a block's header.
    Header,
    /// Before LEN and NLEN of a stored block.
    StoredLength,
    /// So many bytes of a stored block are still to come.
    Stored(u32),
    /// Before HLIT, HDIST, HCLEN.
    TableSizes,
    /// So many lengths of the code length code have come.
    CodeLengths(usize),
    /// So many lengths of the two codes have come.
    Lengths(usize),
    /// Inside a block's data.
    Symbols,
    /// Nothing more is wanted of this message.
    Stopped,
}

/// What one step came to.
enum Step {
    /// Go on.
    On,
    /// More bytes are needed.
    Wait,
    /// This is not DEFLATE.
    Bad(Fault),
}

/// What distances are measured against, and the output counted for it.
#[derive(Debug, Clone, Copy)]
struct Measure {
    /// The negotiated window.
    window: u32,
    /// Bytes of output that a distance can reach; beyond the largest window more make no difference.
    known: u64,
    excess: Option<WindowExcess>,
}

/// Walks through one message after another.
#[derive(Debug)]
pub(super) struct Walker {
    bits: Bits,
    state: State,
    measure: Measure,
    fault: Option<Fault>,
    /// BFINAL of the block.
    last: bool,
    /// BTYPE 01.
    fixed: bool,
    /// HLIT + 257, HDIST + 1, HCLEN + 4.
    sizes: (usize, usize, usize),
    lengths: [u8; 320],
    code_lengths: CodeLengths,
    literals: Literals,
    distances: Distances,
}

impl Walker {
    /// A walker that waits for a message.
    pub(super) const fn new() -> Self {
        Self {
            bits: Bits::new(),
            state: State::Stopped,
            measure: Measure { window: LARGEST, known: 0, excess: None },
            fault: None,
            last: false,
            fixed: false,
            sizes: (0, 0, 0),
            lengths: [0; 320],
            code_lengths: CodeLengths::new(),
            literals: Literals::new(),
            distances: Distances::new(),
        }
    }

    /// A message begins, with a block, behind `known` bytes of output that are known; distances are held against `window`.
    pub(super) fn begin(&mut self, window: u32, known: usize) {
        self.bits = Bits::new();
        self.state = State::Header;
        self.last = false;
        self.fault = None;
        self.measure = Measure { window, known: known as u64, excess: None };
    }

    /// The next bytes of the message.
    pub(super) fn walk(&mut self, mut input: &[u8]) {
        loop {
            match self.step(&mut input) {
                Step::On => {}
                Step::Wait => return,
                Step::Bad(fault) => {
                    self.state = State::Stopped;
                    self.fault = Some(fault);
                }
            }
        }
    }

    /// The first distance of the message beyond the window.
    pub(super) const fn excess(&self) -> Option<WindowExcess> {
        self.measure.excess
    }

    /// Why the rest of the message is not walked.
    pub(super) const fn fault(&self) -> Option<Fault> {
        self.fault
    }

    fn step(&mut self, input: &mut &[u8]) -> Step {
        self.bits.refill(input);
        match self.state {
            State::Header => self.header(),
            State::StoredLength => self.stored_length(),
            State::Stored(left) => self.stored(left, input),
            State::TableSizes => self.table_sizes(),
            State::CodeLengths(have) => self.code_lengths(have),
            State::Lengths(have) => self.lengths(have, input),
            State::Symbols => self.symbols(input),
            State::Stopped => Step::Wait,
        }
    }

    fn symbols(&mut self, input: &mut &[u8]) -> Step {
        let codes = if self.fixed { (&FIXED.0, &FIXED.1) } else { (&self.literals, &self.distances) };
        match symbols(&mut self.bits, codes, &mut self.measure, input) {
            Ok(false) => Step::Wait,
            Ok(true) => {
                self.state = State::Header;
                Step::On
            }
            Err(fault) => Step::Bad(fault),
        }
    }

    /// BFINAL and BTYPE (RFC 1951 §3.2.3). Behind a final block the next stream begins at the next byte.
    fn header(&mut self) -> Step {
        if self.last {
            self.bits.align();
            self.last = false;
        }
        let Some(header) = self.bits.take(3) else { return Step::Wait };
        self.last = header & 1 == 1;
        self.fixed = header >> 1 == 1;
        self.state = match header >> 1 {
            0 => {
                self.bits.align();
                State::StoredLength
            }
            1 => State::Symbols,
            2 => State::TableSizes,
            _ => return Step::Bad(Fault::Other),
        };
        Step::On
    }

    /// LEN and its complement NLEN (RFC 1951 §3.2.4).
    fn stored_length(&mut self) -> Step {
        let Some(both) = self.bits.take(32) else { return Step::Wait };
        let (len, complement) = (both & 0xffff, both >> 16);
        if len ^ complement != 0xffff {
            return Step::Bad(Fault::Other);
        }
        self.state = State::Stored(len);
        Step::On
    }

    fn stored(&mut self, left: u32, input: &mut &[u8]) -> Step {
        let before = left;
        let left = left - self.bits.skip_bytes(left);
        let skip = input.len().min(left as usize);
        *input = input.get(skip..).unwrap_or_default();
        let left = left - u32::try_from(skip).unwrap_or(left);
        self.measure.known += u64::from(before - left);
        self.state = if left == 0 { State::Header } else { State::Stored(left) };
        if left == 0 { Step::On } else { Step::Wait }
    }

    /// HLIT, HDIST, HCLEN (RFC 1951 §3.2.7); zlib refuses more than 286 and 30 codes.
    fn table_sizes(&mut self) -> Step {
        let Some(sizes) = self.bits.take(14) else { return Step::Wait };
        self.sizes = ((sizes & 31) as usize + 257, (sizes >> 5 & 31) as usize + 1, (sizes >> 10) as usize + 4);
        if self.sizes.0 > 286 || self.sizes.1 > 30 {
            return Step::Bad(Fault::Other);
        }
        self.lengths = [0; 320];
        self.state = State::CodeLengths(0);
        Step::On
    }

    fn code_lengths(&mut self, have: usize) -> Step {
        if have < self.sizes.2 {
            let Some(len) = self.bits.take(3) else { return Step::Wait };
            let place = ORDER.get(have).and_then(|symbol| self.lengths.get_mut(usize::from(*symbol)));
            if let (Some(place), Ok(len)) = (place, u8::try_from(len)) {
                *place = len;
            }
            self.state = State::CodeLengths(have + 1);
            return Step::On;
        }
        if self.lengths.get(..19).and_then(|lengths| self.code_lengths.build(lengths)).is_none() {
            return Step::Bad(Fault::Other);
        }
        self.state = State::Lengths(0);
        Step::On
    }

    /// "0 - 15: Represent code lengths of 0 - 15; 16: Copy the previous code length 3 - 6 times; 17: Repeat a code length
    /// of 0 for 3 - 10 times; 18: … 11 - 138 times" (RFC 1951 §3.2.7)
    fn lengths(&mut self, mut have: usize, input: &mut &[u8]) -> Step {
        let total = self.sizes.0 + self.sizes.1;
        while have < total {
            self.bits.refill(input);
            let Some((symbol, len)) = self.code_lengths.decode(self.bits.peek()) else {
                return Step::Bad(Fault::Other);
            };
            let (extra, least) = match symbol {
                16 => (2, 3),
                17 => (3, 3),
                18 => (7, 11),
                _ => (0, 1),
            };
            if len + extra > self.bits.count() {
                self.state = State::Lengths(have);
                return Step::Wait;
            }
            self.bits.skip(len);
            let times = self.bits.take(extra).unwrap_or_default() as usize + least;
            let value = match symbol {
                16 => have.checked_sub(1).and_then(|before| self.lengths.get(before)).copied(),
                17 | 18 => Some(0),
                _ => u8::try_from(symbol).ok(),
            };
            let place = self.lengths.get_mut(have..have + times).filter(|_| have + times <= total);
            let (Some(value), Some(place)) = (value, place) else { return Step::Bad(Fault::Other) };
            place.fill(value);
            have += times;
        }
        self.build()
    }

    fn build(&mut self) -> Step {
        let literals = self.lengths.get(..self.sizes.0).unwrap_or_default();
        let distances = self.lengths.get(self.sizes.0..self.sizes.0 + self.sizes.1).unwrap_or_default();
        if self.literals.build(literals).and(self.distances.build(distances)).is_none() {
            return Step::Bad(Fault::Other);
        }
        self.state = State::Symbols;
        Step::On
    }
}

/// Literals, lengths with distances, and the end of the block (RFC 1951 §3.2.5). `true` at that end, `false` before it.
fn symbols(
    bits: &mut Bits,
    (literals, distances): (&Literals, &Distances),
    measure: &mut Measure,
    input: &mut &[u8],
) -> Result<bool, Fault> {
    loop {
        bits.refill(input);
        // Three literals have 45 bits at most, of the 56 that a refill brings while there is input.
        let mut found = None;
        for _ in 0..3 {
            let (symbol, len) = literals.decode(bits.peek()).ok_or(Fault::Code)?;
            if symbol > 255 {
                found = Some((symbol, len));
                break;
            }
            if !bits.skip(len) {
                return Ok(false);
            }
            measure.known += 1;
        }
        let Some((symbol, len)) = found else { continue };
        if symbol == 256 {
            return Ok(bits.skip(len));
        }
        bits.refill(input);
        let Some((length, distance)) = pair(bits, symbol, len, distances)? else { return Ok(false) };
        measure.check(length, distance)?;
    }
}

/// A length and its distance, whole or not at all. `symbol`, whose code has `len` bits, is next in `bits`.
#[inline]
fn pair(bits: &mut Bits, symbol: u16, len: u32, distances: &Distances) -> Result<Option<(u32, u32)>, Fault> {
    if len > bits.count() {
        return Ok(None);
    }
    let (base, extra) = *LENGTHS.get(usize::from(symbol.saturating_sub(257))).ok_or(Fault::Code)?;
    let length = u32::from(base) + extra_bits(bits.peek() >> len, extra);
    let before = len + u32::from(extra);
    if before > bits.count() {
        return Ok(None);
    }
    let rest = bits.peek() >> before;
    let (symbol, len) = distances.decode(rest).ok_or(Fault::Code)?;
    let (base, extra) = match DISTANCES.get(usize::from(symbol)) {
        Some(distance) => *distance,
        None if before + len > bits.count() => return Ok(None),
        None => return Err(Fault::Code),
    };
    let distance = u32::from(base) + extra_bits(rest >> len, extra);
    Ok(bits.skip(before + len + u32::from(extra)).then_some((length, distance)))
}

#[inline]
fn extra_bits(bits: u64, len: u8) -> u32 {
    u32::try_from(bits & ((1 << len) - 1)).unwrap_or_default()
}

impl Measure {
    #[inline]
    fn check(&mut self, length: u32, distance: u32) -> Result<(), Fault> {
        if distance > self.window && self.excess.is_none() {
            self.excess = Some(WindowExcess { distance, window: self.window });
        }
        if u64::from(distance) > self.known {
            return Err(Fault::TooFar);
        }
        self.known += u64::from(length);
        Ok(())
    }
}

#[cfg(test)]
mod tests;

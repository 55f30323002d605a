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

use super::alphabet::{ALPHABETS, CodeLengths, Distances, Literals, ORDER};
use super::bits::Bits;
use super::huffman::{Entry, Kind};

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
        let codes = if self.fixed {
            (&ALPHABETS.fixed_literals, &ALPHABETS.fixed_distances)
        } else {
            (&self.literals, &self.distances)
        };
        let (mut bits, mut measure) = (self.bits, self.measure); // in registers for the loop
        let end = symbols(&mut bits, codes, &mut measure, input);
        (self.bits, self.measure) = (bits, measure);
        match end {
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
        if self.lengths.get(..19).and_then(|lengths| self.code_lengths.build(lengths, &ALPHABETS.lengths)).is_none() {
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
            let Some(entry) = self.code_lengths.decode(self.bits.peek()) else { return Step::Bad(Fault::Other) };
            let number = entry.value(self.bits.peek() >> entry.len());
            if !self.bits.skip(entry.len() + entry.extra()) {
                self.state = State::Lengths(have);
                return Step::Wait;
            }
            let (value, times) = match entry.kind() {
                Kind::Literal => (u8::try_from(number).ok(), 1),
                Kind::Base => {
                    (have.checked_sub(1).and_then(|before| self.lengths.get(before)).copied(), number as usize)
                }
                Kind::End | Kind::Unused => (Some(0), number as usize),
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
        if self
            .literals
            .build(literals, &ALPHABETS.literals)
            .and(self.distances.build(distances, &ALPHABETS.distances))
            .is_none()
        {
            return Step::Bad(Fault::Other);
        }
        self.state = State::Symbols;
        Step::On
    }
}

/// Literals, lengths with distances, and the end of the block (RFC 1951 §3.2.5). `true` at that end, `false` before it.
#[inline]
fn symbols(
    bits: &mut Bits,
    (literals, distances): (&Literals, &Distances),
    measure: &mut Measure,
    input: &mut &[u8],
) -> Result<bool, Fault> {
    loop {
        bits.refill(input);
        let mut entry = literals.decode(bits.peek()).ok_or(Fault::Code)?;
        // Literals come in runs; three have 45 bits at most.
        for _ in 0..2 {
            if entry.kind() != Kind::Literal || !bits.skip(entry.len()) {
                break;
            }
            measure.known += 1;
            entry = literals.decode(bits.peek()).ok_or(Fault::Code)?;
        }
        if entry.kind() == Kind::Literal {
            if !bits.skip(entry.len()) {
                return Ok(false);
            }
            measure.known += 1;
            continue;
        }
        if entry.kind() != Kind::Base {
            let whole = bits.skip(entry.len());
            return if whole && entry.kind() == Kind::Unused { Err(Fault::Code) } else { Ok(whole) };
        }
        bits.refill(input);
        let Some((length, distance)) = pair(bits, entry, distances)? else { return Ok(false) };
        measure.check(length, distance)?;
    }
}

/// A length and its distance, whole or not at all.
#[inline]
fn pair(bits: &mut Bits, length: Entry, distances: &Distances) -> Result<Option<(u32, u32)>, Fault> {
    let before = length.len() + length.extra();
    if before > bits.count() {
        return Ok(None);
    }
    let rest = bits.peek() >> before;
    let distance = distances.decode(rest).ok_or(Fault::Code)?;
    let pair = (length.value(bits.peek() >> length.len()), distance.value(rest >> distance.len()));
    if !bits.skip(before + distance.len() + distance.extra()) {
        return Ok(None);
    }
    if distance.kind() == Kind::Unused { Err(Fault::Code) } else { Ok(Some(pair)) }
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

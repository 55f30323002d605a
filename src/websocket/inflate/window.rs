//! How far a compressed message refers back (RFC 1951 §3.2), where a window smaller than the largest was negotiated
//! (machine).
//!
//! zlib decodes with the largest window and does not report distances. The scanner reads the same bits: block headers, code
//! tables, lengths and distances; it produces no output, it only counts it. In come the pieces of one message as zlib
//! consumed them, cut anywhere; out comes the first distance beyond the negotiated window, "a power of 2" of at most
//! `max_window_bits` (RFC 7692 §7.1.2.1, §7.1.2.2), and why it stopped. (zlib-rs does not give the reason: its fast loop
//! overwrites it.)
//!
//! Data that is not DEFLATE stops it until the next message. Between two pieces it keeps at most 63 bits, since every unit
//! that it reads at once is shorter: a length with its distance has 48.

use super::alphabet::{ALPHABETS, CodeLengths, Distances, Literals, ORDER};
use super::bits::Bits;
use super::huffman::{Entry, SymbolKind};

/// The largest window (RFC 1951 §3.2.5).
pub(super) const LARGEST: u32 = 32 << 10;

/// A distance beyond the negotiated window (RFC 7692 §7.1.2.1, §7.1.2.2); the first of its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowExcess {
    /// The distance, in bytes: 257 to 32,768.
    pub distance: u32,
    /// The window that the negotiated `max_window_bits` allow, in bytes: 256 to 16,384.
    pub window: u32,
}

/// Why data is not DEFLATE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScanFault {
    /// A code that stands for nothing, in the data of a block.
    InvalidCode,
    /// A distance beyond all known bytes.
    TooFar,
    /// Anything else.
    Other,
}

/// The part of a DEFLATE stream that the scanner reads next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ScanState {
    /// Before the three bits of a block's header.
    Header,
    /// Before LEN and NLEN of a stored block.
    StoredLength,
    /// Inside a stored block: the bytes still to come.
    Stored(u32),
    /// Before HLIT, HDIST, HCLEN.
    TableSizes,
    /// Inside the lengths of the code length code: how many were read.
    CodeLengths(usize),
    /// Inside the lengths of the two codes: how many were read.
    Lengths(usize),
    /// Inside a block's data.
    Symbols,
    /// After the part of the message that is scanned.
    Stopped,
}

/// The result of reading one part.
enum Scanned {
    /// The next part can be read.
    Continue,
    /// More bytes are needed.
    NeedBytes,
    /// The data is not DEFLATE.
    Invalid(ScanFault),
}

/// How far back distances may reach, and the first one that goes too far.
#[derive(Debug, Clone, Copy)]
struct Reach {
    /// The negotiated window.
    window: u32,
    /// Bytes of output that a distance can reach; beyond the largest window more make no difference.
    known: u64,
    excess: Option<WindowExcess>,
}

/// Reads the distances of one message after another.
#[derive(Debug)]
pub(super) struct DistanceScanner {
    bits: Bits,
    state: ScanState,
    reach: Reach,
    fault: Option<ScanFault>,
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

impl DistanceScanner {
    /// A scanner before its first message.
    pub(super) const fn new() -> Self {
        Self {
            bits: Bits::new(),
            state: ScanState::Stopped,
            reach: Reach { window: LARGEST, known: 0, excess: None },
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

    /// A message begins, with a block, after `known` bytes of known output; its distances are compared with `window`.
    pub(super) fn begin(&mut self, window: u32, known: usize) {
        self.bits = Bits::new();
        self.state = ScanState::Header;
        self.last = false;
        self.fault = None;
        self.reach = Reach { window, known: known as u64, excess: None };
    }

    /// The next bytes of the message.
    pub(super) fn scan(&mut self, mut input: &[u8]) {
        loop {
            match self.step(&mut input) {
                Scanned::Continue => {}
                Scanned::NeedBytes => return,
                Scanned::Invalid(fault) => {
                    self.state = ScanState::Stopped;
                    self.fault = Some(fault);
                }
            }
        }
    }

    /// The first distance of the message beyond the window.
    pub(super) const fn excess(&self) -> Option<WindowExcess> {
        self.reach.excess
    }

    /// Why the rest of the message is not scanned.
    pub(super) const fn fault(&self) -> Option<ScanFault> {
        self.fault
    }

    fn step(&mut self, input: &mut &[u8]) -> Scanned {
        self.bits.refill(input);
        match self.state {
            ScanState::Header => self.header(),
            ScanState::StoredLength => self.stored_length(),
            ScanState::Stored(left) => self.stored(left, input),
            ScanState::TableSizes => self.table_sizes(),
            ScanState::CodeLengths(have) => self.code_lengths(have),
            ScanState::Lengths(have) => self.lengths(have, input),
            ScanState::Symbols => self.symbols(input),
            ScanState::Stopped => Scanned::NeedBytes,
        }
    }

    fn symbols(&mut self, input: &mut &[u8]) -> Scanned {
        let codes = if self.fixed {
            (&ALPHABETS.fixed_literals, &ALPHABETS.fixed_distances)
        } else {
            (&self.literals, &self.distances)
        };
        let (mut bits, mut reach) = (self.bits, self.reach); // in registers for the loop
        let end = symbols(&mut bits, codes, &mut reach, input);
        (self.bits, self.reach) = (bits, reach);
        match end {
            Ok(false) => Scanned::NeedBytes,
            Ok(true) => {
                self.state = ScanState::Header;
                Scanned::Continue
            }
            Err(fault) => Scanned::Invalid(fault),
        }
    }

    /// BFINAL and BTYPE (RFC 1951 §3.2.3). After a final block, the next stream begins at the next byte.
    fn header(&mut self) -> Scanned {
        if self.last {
            self.bits.align();
            self.last = false;
        }
        let Some(header) = self.bits.take(3) else { return Scanned::NeedBytes };
        self.last = header & 1 == 1;
        self.fixed = header >> 1 == 1;
        self.state = match header >> 1 {
            0 => {
                self.bits.align();
                ScanState::StoredLength
            }
            1 => ScanState::Symbols,
            2 => ScanState::TableSizes,
            _ => return Scanned::Invalid(ScanFault::Other),
        };
        Scanned::Continue
    }

    /// LEN and its complement NLEN (RFC 1951 §3.2.4).
    fn stored_length(&mut self) -> Scanned {
        let Some(both) = self.bits.take(32) else { return Scanned::NeedBytes };
        let (len, complement) = (both & 0xffff, both >> 16);
        if len ^ complement != 0xffff {
            return Scanned::Invalid(ScanFault::Other);
        }
        self.state = ScanState::Stored(len);
        Scanned::Continue
    }

    fn stored(&mut self, left: u32, input: &mut &[u8]) -> Scanned {
        let before = left;
        let left = left - self.bits.skip_bytes(left);
        let skip = input.len().min(left as usize);
        *input = input.get(skip..).unwrap_or_default();
        let left = left - u32::try_from(skip).unwrap_or(left);
        self.reach.known += u64::from(before - left);
        self.state = if left == 0 { ScanState::Header } else { ScanState::Stored(left) };
        if left == 0 { Scanned::Continue } else { Scanned::NeedBytes }
    }

    /// HLIT, HDIST, HCLEN (RFC 1951 §3.2.7); zlib refuses more than 286 and 30 codes.
    fn table_sizes(&mut self) -> Scanned {
        let Some(sizes) = self.bits.take(14) else { return Scanned::NeedBytes };
        self.sizes = ((sizes & 31) as usize + 257, (sizes >> 5 & 31) as usize + 1, (sizes >> 10) as usize + 4);
        if self.sizes.0 > 286 || self.sizes.1 > 30 {
            return Scanned::Invalid(ScanFault::Other);
        }
        self.lengths = [0; 320];
        self.state = ScanState::CodeLengths(0);
        Scanned::Continue
    }

    fn code_lengths(&mut self, have: usize) -> Scanned {
        if have < self.sizes.2 {
            let Some(len) = self.bits.take(3) else { return Scanned::NeedBytes };
            let place = ORDER.get(have).and_then(|symbol| self.lengths.get_mut(usize::from(*symbol)));
            if let (Some(place), Ok(len)) = (place, u8::try_from(len)) {
                *place = len;
            }
            self.state = ScanState::CodeLengths(have + 1);
            return Scanned::Continue;
        }
        if self.lengths.get(..19).and_then(|lengths| self.code_lengths.build(lengths, &ALPHABETS.lengths)).is_none() {
            return Scanned::Invalid(ScanFault::Other);
        }
        self.state = ScanState::Lengths(0);
        Scanned::Continue
    }

    /// "0 - 15: Represent code lengths of 0 - 15; 16: Copy the previous code length 3 - 6 times; 17: Repeat a code length
    /// of 0 for 3 - 10 times; 18: … 11 - 138 times" (RFC 1951 §3.2.7)
    fn lengths(&mut self, mut have: usize, input: &mut &[u8]) -> Scanned {
        let total = self.sizes.0 + self.sizes.1;
        while have < total {
            self.bits.refill(input);
            let Some(entry) = self.code_lengths.decode(self.bits.peek()) else {
                return Scanned::Invalid(ScanFault::Other);
            };
            let number = entry.value(self.bits.peek() >> entry.len());
            if !self.bits.skip(entry.len() + entry.extra()) {
                self.state = ScanState::Lengths(have);
                return Scanned::NeedBytes;
            }
            let (value, times) = match entry.kind() {
                SymbolKind::Literal => (u8::try_from(number).ok(), 1),
                SymbolKind::Base => {
                    (have.checked_sub(1).and_then(|before| self.lengths.get(before)).copied(), number as usize)
                }
                SymbolKind::End | SymbolKind::Unused => (Some(0), number as usize),
            };
            let place = self.lengths.get_mut(have..have + times).filter(|_| have + times <= total);
            let (Some(value), Some(place)) = (value, place) else { return Scanned::Invalid(ScanFault::Other) };
            place.fill(value);
            have += times;
        }
        self.build()
    }

    fn build(&mut self) -> Scanned {
        let literals = self.lengths.get(..self.sizes.0).unwrap_or_default();
        let distances = self.lengths.get(self.sizes.0..self.sizes.0 + self.sizes.1).unwrap_or_default();
        if self
            .literals
            .build(literals, &ALPHABETS.literals)
            .and(self.distances.build(distances, &ALPHABETS.distances))
            .is_none()
        {
            return Scanned::Invalid(ScanFault::Other);
        }
        self.state = ScanState::Symbols;
        Scanned::Continue
    }
}

/// Literals, lengths with distances, and the end of the block (RFC 1951 §3.2.5). `true` at the end of the block, `false` at
/// the end of the input.
#[inline]
fn symbols(
    bits: &mut Bits,
    (literals, distances): (&Literals, &Distances),
    reach: &mut Reach,
    input: &mut &[u8],
) -> Result<bool, ScanFault> {
    loop {
        bits.refill(input);
        let mut entry = literals.decode(bits.peek()).ok_or(ScanFault::InvalidCode)?;
        // Literals come in runs; three have 45 bits at most.
        for _ in 0..2 {
            if entry.kind() != SymbolKind::Literal || !bits.skip(entry.len()) {
                break;
            }
            reach.known += 1;
            entry = literals.decode(bits.peek()).ok_or(ScanFault::InvalidCode)?;
        }
        if entry.kind() == SymbolKind::Literal {
            if !bits.skip(entry.len()) {
                return Ok(false);
            }
            reach.known += 1;
            continue;
        }
        if entry.kind() != SymbolKind::Base {
            let complete = bits.skip(entry.len());
            return if complete && entry.kind() == SymbolKind::Unused {
                Err(ScanFault::InvalidCode)
            } else {
                Ok(complete)
            };
        }
        bits.refill(input);
        let Some((length, distance)) = pair(bits, entry, distances)? else { return Ok(false) };
        reach.check(length, distance)?;
    }
}

/// A length and its distance; `None` where the bits end before both are complete.
#[inline]
fn pair(bits: &mut Bits, length: Entry, distances: &Distances) -> Result<Option<(u32, u32)>, ScanFault> {
    let before = length.len() + length.extra();
    if before > bits.count() {
        return Ok(None);
    }
    let rest = bits.peek() >> before;
    let distance = distances.decode(rest).ok_or(ScanFault::InvalidCode)?;
    let pair = (length.value(bits.peek() >> length.len()), distance.value(rest >> distance.len()));
    if !bits.skip(before + distance.len() + distance.extra()) {
        return Ok(None);
    }
    if distance.kind() == SymbolKind::Unused { Err(ScanFault::InvalidCode) } else { Ok(Some(pair)) }
}

impl Reach {
    #[inline]
    fn check(&mut self, length: u32, distance: u32) -> Result<(), ScanFault> {
        if distance > self.window && self.excess.is_none() {
            self.excess = Some(WindowExcess { distance, window: self.window });
        }
        if u64::from(distance) > self.known {
            return Err(ScanFault::TooFar);
        }
        self.known += u64::from(length);
        Ok(())
    }
}

#[cfg(test)]
mod tests;

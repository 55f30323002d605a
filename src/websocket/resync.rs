//! A lost frame boundary is found again (machine): where the next frame begins, after a hole took a header, or where the
//! capture began after the handshake.
//!
//! Bytes are gathered, with the packets that carried them, until some place in them is so much more likely to be a frame
//! header than any place in arbitrary data that the search can end. The evidence is counted in bits, and each is a ratio
//! of likelihoods: how often real traffic has what stands there, against how often arbitrary bytes have it.
//!
//! - A header's first byte: nearly all frames are whole text or binary messages (RFC 6455 §5.2); its MASK bit is right for
//!   the sender (§5.1); reserved bits are 0 but for RSV1 where permessage-deflate may be in use (RFC 7692 §6); lengths are
//!   minimal; control frames are whole and short (§5.5); a Close has a code that may be sent (§7.4).
//! - Text is UTF-8 (§8.1): telling where it is masked, since a wrong place unmasks to noise.
//! - The end of each frame is the beginning of another one, and their order is one that fragmentation allows (§5.4).
//! - Senders like to begin a frame with a segment.
//!
//! The more places were looked at, the more evidence is asked for. The first frame of a chain is left out unless it can
//! stand by itself: any place may point at a true boundary by chance.

mod evidence;

use super::frame::{FrameHeader, Opcode};
use crate::types::PacketRef;
pub use evidence::ExpectedFrames;
use evidence::{Tenths, first_byte, is_periodic, worth};

/// A boundary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Boundary {
    /// Bytes since the loss that were passed over, holes of known length included.
    pub passed: u64,
    /// The evidence for it beyond what chance explains, in bits.
    pub bits: u32,
    /// Where it is among the gathered bytes.
    at: usize,
}

impl Boundary {
    /// The first of all bytes, known by other evidence than theirs.
    #[must_use]
    pub const fn at_start() -> Self {
        Self { passed: 0, bits: 30, at: 0 }
    }

    /// How sure it is, in millionths: never quite a million.
    #[must_use]
    pub fn confidence_ppm(&self) -> u32 {
        let doubt = 1_000_000_u32.checked_shr(self.bits.min(31)).unwrap_or(0);
        1_000_000 - doubt.max(1)
    }
}

/// Impossible.
const NEVER: Tenths = Tenths::MIN / 4;
/// What is asked for besides the logarithm of the places that were looked at: one wrong boundary in 2^20 losses.
const ENOUGH: Tenths = 200;
/// The most and least that it is worth that a frame begins with a segment, or ends with the last one.
const MOST_AT_BORDER: Tenths = 80;
const LEAST_AT_BORDER: Tenths = 20;
/// What it is worth that a frame which is the same as one of the next two begins with a segment, and what it costs where it
/// does not: heartbeats have a packet each, a payload of zeros has not.
const REPEATED_AT_BORDER: Tenths = 40;
const REPEATED: Tenths = 20;
/// What the first frames of a chain must show together, to be believed. One place in a hundred is a frame by chance that
/// ends at the next boundary, so a header alone says little, and two in a row not enough.
const STANDS_BY_ITSELF: Tenths = 150;
/// What it shows that the first of them begins with a segment.
const FIRST_AT_BORDER: Tenths = 140;
/// The most frames that are passed over for lack of it: so many in a row by chance are one in millions.
const MAX_PASSED: usize = 3;
/// Bytes before a frame that are looked at, to see whether it goes on as they do.
const PATTERN_BEFORE: usize = 16;
/// Frames that go beyond what is gathered, of which the end is remembered.
const MAX_AWAITED: usize = 64;
/// Frames of a chain that are followed to find where it ends.
const MAX_CHAIN: usize = 256;
/// Frames that are followed in all, so that hostile bytes that look like frames at every place cost no more.
const MAX_STEPS: usize = 16 * MAX_CHAIN;
/// Segments with fewer bytes than this, on the average, are not all remembered.
const LEAST_SEGMENT: usize = 16;
/// Evidence that such a frame must have.
const WORTH_AWAITING: Tenths = 100;

/// Looks for a boundary.
#[derive(Debug)]
pub struct FrameSearch {
    bytes: Vec<u8>,
    /// Where each segment begins in `bytes`, and the packet that carried it.
    segments: Vec<(usize, PacketRef)>,
    /// Bytes since the loss before `bytes`.
    before: u64,
    /// Places that were looked at, before `bytes`.
    looked: u64,
    /// How much was gathered when it was looked at last.
    tried: usize,
    /// Where headers are expected, by bytes since the loss, and the evidence for each.
    awaited: Vec<(u64, Tenths)>,
    max: usize,
}

/// What the chain of frames from one place on is worth.
#[derive(Debug, Clone, Copy)]
struct Chain {
    /// All evidence; [`NEVER`] where it cannot be.
    worth: Tenths,
    /// The first data frame in it.
    first_data: FirstData,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FirstData {
    Unknown,
    Begins,
    Continues,
}

const DEAD: Chain = Chain { worth: NEVER, first_data: FirstData::Unknown };

impl FrameSearch {
    /// Has lost the boundary just now; gathers at most `max` bytes.
    #[must_use]
    pub const fn new(max: usize) -> Self {
        Self { bytes: Vec::new(), segments: Vec::new(), before: 0, looked: 0, tried: 0, awaited: Vec::new(), max }
    }

    /// Bytes that it keeps.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.bytes.capacity()
            + self.segments.capacity() * size_of::<(usize, PacketRef)>()
            + self.awaited.capacity() * size_of::<(u64, Tenths)>()
    }

    /// Whether no more can be gathered before something is given up.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.bytes.len() >= self.max
    }

    /// The first bytes since the loss, where they are still kept.
    #[must_use]
    pub fn first_bytes(&self) -> &[u8] {
        if self.before == 0 { &self.bytes } else { &[] }
    }

    /// Bytes since the loss.
    #[must_use]
    pub fn passed(&self) -> u64 {
        self.before.saturating_add(self.bytes.len() as u64)
    }

    /// Gathers the bytes of one packet. Gives back how many were not taken: ask [`Self::find`] and offer them again.
    pub fn push(&mut self, bytes: &[u8], seen: PacketRef) -> usize {
        let room = self.max.saturating_sub(self.bytes.len());
        let (taken, left) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
        if !taken.is_empty() {
            // Of segments of a few bytes each, not every packet is known.
            if self.segments.len() <= self.max / LEAST_SEGMENT {
                self.segments.push((self.bytes.len(), seen));
            }
            self.bytes.extend_from_slice(taken);
        }
        left.len()
    }

    /// A hole: what was gathered before it cannot hold the boundary that is looked for, but may say where that is.
    pub fn gap(&mut self, len: Option<u64>, expect: &ExpectedFrames) {
        let chains = self.chains(expect);
        self.forget(self.bytes.len(), &chains);
        match len {
            Some(len) => self.before = self.before.saturating_add(len),
            None => self.awaited.clear(),
        }
    }

    /// Looks for a boundary in what was gathered: only where enough has come since the last look, or `now`.
    pub fn find(&mut self, expect: &ExpectedFrames, now: bool) -> Option<Boundary> {
        let full = self.bytes.len() >= self.max;
        if !now && !full && self.bytes.len() < self.tried + self.tried / 4 {
            return None;
        }
        self.tried = self.bytes.len();
        let chains = self.chains(expect);
        let places = self.looked.saturating_add(self.bytes.len() as u64).max(1);
        let chance = Tenths::try_from(places.ilog2()).unwrap_or(64) * 10;
        let found = (0..self.bytes.len()).find_map(|at| {
            let worth = chains.get(at)?.worth.checked_add(self.expected(at))?;
            (worth >= ENOUGH + chance).then_some((at, worth))
        });
        if let Some((at, worth)) = found
            && let Some(at) = self.believed(at, expect).filter(|at| *at <= self.bytes.len())
        {
            let bits = u32::try_from((worth - chance) / 10).unwrap_or(0);
            return Some(Boundary { passed: self.before.saturating_add(at as u64), bits, at });
        }
        if full {
            self.forget(self.max / 2, &chains);
        }
        None
    }

    /// Lets go of what was gathered; what it says of boundaries behind it is lost. Gives how many bytes that was.
    pub fn discard(&mut self) -> u64 {
        let len = core::mem::take(&mut self.bytes).len() as u64;
        self.segments = Vec::new();
        self.before = self.before.saturating_add(len);
        self.looked = self.looked.saturating_add(len);
        self.tried = 0;
        len
    }

    /// The bytes from the boundary on, by packet.
    pub fn packets_from(&self, found: &Boundary) -> impl Iterator<Item = (&[u8], PacketRef)> {
        let ends = self.segments.iter().skip(1).map(|(start, _)| *start).chain([self.bytes.len()]);
        self.segments.iter().zip(ends).filter_map(move |((start, seen), end)| {
            let piece = self.bytes.get((*start).max(found.at)..end)?;
            (!piece.is_empty()).then_some((piece, *seen))
        })
    }

    /// What the chain that begins at each place is worth, from the last place to the first.
    fn chains(&self, expect: &ExpectedFrames) -> Vec<Chain> {
        let len = self.bytes.len();
        let mut chains = vec![DEAD; len];
        let mut borders = self.segments.iter().rev().map(|(start, _)| *start).peekable();
        for at in (0..len).rev() {
            while borders.next_if(|border| *border > at).is_some() {}
            let border = if borders.peek() == Some(&at) { self.border_worth() } else { 0 };
            let chain = self.chain(at, border, &chains, expect);
            if let Some(place) = chains.get_mut(at) {
                *place = chain;
            }
        }
        chains
    }

    /// What the chain that begins at one place is worth, knowing all behind it.
    fn chain(&self, at: usize, border: Tenths, behind: &[Chain], expect: &ExpectedFrames) -> Chain {
        let rest = self.bytes.get(at..).unwrap_or_default();
        // Nearly all places are none by their first byte.
        if rest.first().is_none_or(|first| first_byte(*first, expect).is_none()) {
            return DEAD;
        }
        let Some(header) = FrameHeader::parse(rest) else {
            // The header goes on behind what was gathered: possible.
            return Chain { worth: 0, first_data: FirstData::Unknown };
        };
        let Some(own) = worth(&header, rest, expect) else { return DEAD };
        let end = (at as u64).saturating_add(header.header_len.into()).saturating_add(header.payload_len);
        let end = usize::try_from(end).unwrap_or(usize::MAX);
        let next = match behind.get(end) {
            Some(next) => *next,
            None if end == self.bytes.len() => Chain { worth: self.border_worth(), first_data: FirstData::Unknown },
            None => Chain { worth: 0, first_data: FirstData::Unknown },
        };
        let follows = header.opcode.is_control()
            || match next.first_data {
                FirstData::Unknown => true,
                FirstData::Begins => header.fin,
                FirstData::Continues => !header.fin,
            };
        if next.worth <= NEVER || !follows {
            return DEAD;
        }
        let first_data = match header.opcode {
            Opcode::CONTINUATION => FirstData::Continues,
            opcode if opcode.is_control() => next.first_data,
            _ => FirstData::Begins,
        };
        let worth = if !self.repeats(at, end) {
            own.saturating_add(border).saturating_add(next.worth)
        } else if border > 0 {
            next.worth.saturating_add(border.min(REPEATED_AT_BORDER))
        } else {
            next.worth.saturating_sub(REPEATED).max(next.worth.min(0))
        };
        Chain { worth, first_data }
    }

    /// Whether the frame from `at` to `end` says nothing new: it is one of the next two again, or data that repeats every
    /// few bytes. Such data looks like frames all the way if it does once.
    fn repeats(&self, at: usize, end: usize) -> bool {
        let (Some(frame), Some(behind)) = (self.bytes.get(at..end), self.bytes.get(end..)) else { return false };
        let again = |from: usize| {
            let there = behind.get(from..).unwrap_or_default();
            let there = there.get(..frame.len()).unwrap_or(there);
            there.len() >= 2 && frame.starts_with(there)
        };
        let second = || self.next(end).and_then(|next| next.checked_sub(end));
        again(0) || second().is_some_and(again) || self.is_in_a_pattern(at, end)
    }

    /// Whether the frame from `at` to `end` is part of data that repeat every few bytes: from it on, or up to its end,
    /// where that is the end of the pattern, too.
    fn is_in_a_pattern(&self, at: usize, end: usize) -> bool {
        let behind = self.bytes.get(at..).unwrap_or_default();
        let around = self.bytes.get(at.saturating_sub(PATTERN_BEFORE)..end.min(self.bytes.len())).unwrap_or_default();
        is_periodic(behind) || is_periodic(around)
    }

    /// What it is worth that a frame begins with a segment: half of them do, and of arbitrary places as many as there are
    /// segments to the byte.
    fn border_worth(&self) -> Tenths {
        let places = self.bytes.len() / self.segments.len().max(1);
        let bits = Tenths::try_from(places.checked_ilog2().unwrap_or(0)).unwrap_or(0);
        (bits * 10 - 10).clamp(LEAST_AT_BORDER, MOST_AT_BORDER)
    }

    /// The evidence that a frame before what was gathered ends exactly here.
    fn expected(&self, at: usize) -> Tenths {
        let place = self.before.saturating_add(at as u64);
        self.awaited.iter().filter(|(awaited, _)| *awaited == place).map(|(_, worth)| *worth).max().unwrap_or(0)
    }

    /// The first place of a chain that is believed: its first frames may point at a true boundary by chance, and so may
    /// any frame of a run that says nothing new.
    fn believed(&self, at: usize, expect: &ExpectedFrames) -> Option<usize> {
        let (mut at, mut shown, mut passed) = (at, 0, 0);
        while at < self.bytes.len() && passed < MAX_PASSED {
            let next = self.next(at)?;
            if self.repeats(at, next) && !self.is_border(at) {
                at = next;
                continue;
            }
            shown += self.shown(at, expect);
            if shown >= STANDS_BY_ITSELF {
                return Some(at);
            }
            passed += 1;
            at = next;
        }
        Some(at)
    }

    /// What speaks for the frame at a place, besides the boundary it points at.
    fn shown(&self, at: usize, expect: &ExpectedFrames) -> Tenths {
        let rest = self.bytes.get(at..).unwrap_or_default();
        let own = FrameHeader::parse(rest).and_then(|header| worth(&header, rest, expect)).unwrap_or(0);
        let border = if self.is_border(at) { FIRST_AT_BORDER } else { 0 };
        own.saturating_add(border).saturating_add(self.expected(at)).max(0)
    }

    /// Whether a segment begins at a place.
    fn is_border(&self, at: usize) -> bool {
        self.segments.binary_search_by_key(&at, |(start, _)| *start).is_ok()
    }

    /// Where the frame at a place ends.
    fn next(&self, at: usize) -> Option<usize> {
        let header = FrameHeader::parse(self.bytes.get(at..)?)?;
        at.checked_add(header.header_len.into())?.checked_add(usize::try_from(header.payload_len).ok()?)
    }

    /// Gives up the first `len` bytes. What they tell of boundaries behind them is remembered.
    fn forget(&mut self, len: usize, chains: &[Chain]) {
        let mut steps = MAX_STEPS;
        for (at, chain) in chains.iter().enumerate().take(len) {
            let worth = chain.worth.saturating_add(self.expected(at));
            if worth >= WORTH_AWAITING && self.awaited.len() < MAX_AWAITED && steps > 0 {
                self.await_end(at, len, worth, chains, &mut steps);
            }
        }
        self.bytes.drain(..len.min(self.bytes.len()));
        self.before = self.before.saturating_add(len as u64);
        self.looked = self.looked.saturating_add(len as u64);
        self.tried = 0;
        let before = self.before;
        self.awaited.retain(|(awaited, _)| *awaited >= before);
        let first = self.segments.iter().rposition(|(start, _)| *start <= len).unwrap_or(0);
        self.segments.drain(..first);
        for (start, _) in &mut self.segments {
            *start = start.saturating_sub(len);
        }
        if self.bytes.is_empty() {
            self.segments.clear();
        }
    }

    /// Follows a chain to where it leaves the first `len` bytes; what it was worth up to there speaks for that place.
    fn await_end(&mut self, mut at: usize, len: usize, worth: Tenths, chains: &[Chain], steps: &mut usize) {
        for _ in 0..MAX_CHAIN {
            *steps = steps.saturating_sub(1);
            match self.next(at) {
                Some(next) if next < len => at = next,
                Some(next) => {
                    // What the rest of the chain is worth will be found there again.
                    let rest = chains.get(next).map_or(0, |chain| chain.worth.max(0));
                    let place = self.before.saturating_add(next as u64);
                    if !self.awaited.iter().any(|(awaited, _)| *awaited == place) {
                        self.awaited.push((place, worth.saturating_sub(rest)));
                    }
                    return;
                }
                None => return,
            }
        }
    }
}

#[cfg(test)]
mod tests;

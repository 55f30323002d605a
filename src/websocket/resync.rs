//! The search for a lost frame boundary (machine): where the next frame begins, after a gap took a header, or where the
//! capture began after the handshake.
//!
//! Bytes come in with the packets that carried them, and are gathered until the evidence that a frame begins at one place
//! among them is strong enough; that boundary goes out. Evidence is counted in bits: the logarithm of how much more often
//! real traffic has these bytes at a boundary than arbitrary data has them anywhere.
//!
//! - A header's first byte: nearly all frames are unfragmented text or binary messages (RFC 6455 §5.2); its MASK bit is right for
//!   the sender (§5.1); reserved bits are 0 but for RSV1 where permessage-deflate may be in use (RFC 7692 §6); lengths are
//!   minimal; control frames are short and not fragmented (§5.5); a Close has a code that may be sent (§7.4).
//! - Text is UTF-8 (§8.1): strong evidence where it is masked, since bytes from a wrong place unmask to noise.
//! - The end of each frame is the beginning of another one, and their order is one that fragmentation allows (§5.4).
//! - Senders often begin a frame with a segment.
//!
//! The more places were examined, the more evidence is required. The first frame of a chain is left out unless it has enough
//! evidence of its own: the length at any place may point at a true boundary by chance.

mod evidence;

use super::frame::{FrameHeader, Opcode};
use crate::types::PacketRef;
pub use evidence::ExpectedFrames;
use evidence::{Tenths, first_byte, is_periodic, worth};

/// A frame boundary that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Boundary {
    /// Bytes since the loss that were passed over, gaps of known length included.
    pub passed: u64,
    /// The evidence for it beyond what chance explains, in bits.
    pub bits: u32,
    /// Its place among the gathered bytes.
    at: usize,
}

impl Boundary {
    /// The first byte, where other evidence than the bytes shows that a frame begins there.
    #[must_use]
    pub const fn at_start() -> Self {
        Self { passed: 0, bits: 30, at: 0 }
    }

    /// The confidence in it, in millionths: always below a million.
    #[must_use]
    pub fn confidence_ppm(&self) -> u32 {
        let doubt = 1_000_000_u32.checked_shr(self.bits.min(31)).unwrap_or(0);
        1_000_000 - doubt.max(1)
    }
}

/// The evidence of a place that cannot begin a frame.
const NEVER: Tenths = Tenths::MIN / 4;
/// The evidence required beyond the logarithm of the number of places examined: one wrong boundary in 2^20 losses.
const ENOUGH: Tenths = 200;
/// The most and least evidence of a frame that begins with a segment, or ends with the last one.
const MOST_AT_BORDER: Tenths = 80;
const LEAST_AT_BORDER: Tenths = 20;
/// The evidence of a frame that is the same as one of the next two and begins with a segment, and the evidence against it
/// where it does not: heartbeats have a packet each, a payload of zeros has not.
const REPEATED_AT_BORDER: Tenths = 40;
const REPEATED: Tenths = 20;
/// The evidence that the first frames of a chain must have together. One place in a hundred is a frame by chance that ends at
/// the next boundary, so a header alone is little evidence, and two in a row are not enough.
const STANDS_BY_ITSELF: Tenths = 150;
/// The evidence where the first of them begins with a segment.
const FIRST_AT_BORDER: Tenths = 140;
/// The most frames that are passed over for lack of it: so many in a row occur by chance once in millions.
const MAX_PASSED: usize = 3;
/// Bytes before a frame that are examined, to see whether it continues their pattern.
const PATTERN_BEFORE: usize = 16;
/// Frames that end after the gathered bytes, and whose end is remembered.
const MAX_AWAITED: usize = 64;
/// Frames of a chain that are followed to find where it ends.
const MAX_CHAIN: usize = 256;
/// Frames that are followed in all, which bounds the cost of hostile bytes that look like frames at every place.
const MAX_STEPS: usize = 16 * MAX_CHAIN;
/// Segments with fewer bytes than this on average are not all remembered.
const LEAST_SEGMENT: usize = 16;
/// The evidence that a frame must have for its end to be remembered.
const WORTH_AWAITING: Tenths = 100;

/// The search for one boundary.
#[derive(Debug)]
pub struct FrameSearch {
    bytes: Vec<u8>,
    /// Where each segment begins in `bytes`, and the packet that carried it.
    segments: Vec<(usize, PacketRef)>,
    /// Bytes since the loss before `bytes`.
    before: u64,
    /// Places that were examined, before `bytes`.
    looked: u64,
    /// How many bytes there were at the last look.
    tried: usize,
    /// Where headers are expected, in bytes since the loss, and the evidence for each.
    awaited: Vec<(u64, Tenths)>,
    max: usize,
}

/// The evidence of the chain of frames that begins at one place.
#[derive(Debug, Clone, Copy)]
struct Chain {
    /// All evidence; [`NEVER`] where no chain can begin.
    worth: Tenths,
    /// The first data frame in it.
    first_data: FirstData,
}

/// Whether the first data frame of a chain begins a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FirstData {
    Unknown,
    Begins,
    Continues,
}

/// One place among the gathered bytes.
#[derive(Debug, Clone, Copy)]
struct Place {
    at: usize,
    /// The evidence of a segment that begins there; 0 where none does.
    border: Tenths,
}

/// Bytes that are about to be discarded.
struct Leaving<'c> {
    /// How many.
    len: usize,
    chains: &'c [Chain],
    /// Frames that may still be followed.
    steps: usize,
}

/// No chain.
const DEAD: Chain = Chain { worth: NEVER, first_data: FirstData::Unknown };

impl FrameSearch {
    /// A search that begins where the boundary was lost, and gathers at most `max` bytes.
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

    /// Whether no more can be gathered until bytes are discarded.
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

    /// Gathers the bytes of one packet. Returns how many were not taken: call [`Self::find`], and push them again.
    pub fn push(&mut self, bytes: &[u8], seen: PacketRef) -> usize {
        let room = self.max.saturating_sub(self.bytes.len());
        let (taken, left) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
        if !taken.is_empty() {
            // With segments of a few bytes each, not every packet is remembered.
            if self.segments.len() <= self.max / LEAST_SEGMENT {
                self.segments.push((self.bytes.len(), seen));
            }
            self.bytes.extend_from_slice(taken);
        }
        left.len()
    }

    /// A gap: the boundary cannot be in the bytes before it, but these may show where it is.
    pub fn gap(&mut self, len: Option<u64>, expect: &ExpectedFrames) {
        let chains = self.chains(expect);
        self.forget(self.bytes.len(), &chains);
        match len {
            Some(len) => self.before = self.before.saturating_add(len),
            None => self.awaited.clear(),
        }
    }

    /// Searches the gathered bytes for a boundary: only where enough came since the last look, or `now`.
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
            && let Some(at) = self.first_trusted(at, expect).filter(|at| *at <= self.bytes.len())
        {
            let bits = u32::try_from((worth - chance) / 10).unwrap_or(0);
            return Some(Boundary { passed: self.before.saturating_add(at as u64), bits, at });
        }
        if full {
            self.forget(self.max / 2, &chains);
        }
        None
    }

    /// Discards the gathered bytes, and what they show of boundaries after them. Returns the number of bytes freed.
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

    /// The evidence of the chain that begins at each place, computed from the last place to the first.
    fn chains(&self, expect: &ExpectedFrames) -> Vec<Chain> {
        let len = self.bytes.len();
        let mut chains = vec![DEAD; len];
        let mut borders = self.segments.iter().rev().map(|(start, _)| *start).peekable();
        for at in (0..len).rev() {
            while borders.next_if(|border| *border > at).is_some() {}
            let border = if borders.peek() == Some(&at) { self.border_worth() } else { 0 };
            let chain = self.chain(Place { at, border }, &chains, expect);
            if let Some(entry) = chains.get_mut(at) {
                *entry = chain;
            }
        }
        chains
    }

    /// The evidence of the chain that begins at one place, given those of all places after it.
    fn chain(&self, place: Place, after: &[Chain], expect: &ExpectedFrames) -> Chain {
        let Place { at, border } = place;
        let rest = self.bytes.get(at..).unwrap_or_default();
        // The first byte excludes nearly all places.
        if rest.first().is_none_or(|first| first_byte(*first, expect).is_none()) {
            return DEAD;
        }
        let Some(header) = FrameHeader::parse(rest) else {
            // The header ends after the gathered bytes: possible.
            return Chain { worth: 0, first_data: FirstData::Unknown };
        };
        let Some(own) = worth(&header, rest, expect) else { return DEAD };
        let end = (at as u64).saturating_add(header.header_len.into()).saturating_add(header.payload_len);
        let end = usize::try_from(end).unwrap_or(usize::MAX);
        let next = match after.get(end) {
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

    /// Whether the frame from `at` to `end` is no new evidence: it is the same as one of the next two, or its data repeats
    /// every few bytes. If such data looks like a frame once, it does so all the way.
    fn repeats(&self, at: usize, end: usize) -> bool {
        let (Some(frame), Some(after)) = (self.bytes.get(at..end), self.bytes.get(end..)) else { return false };
        let again = |from: usize| {
            let there = after.get(from..).unwrap_or_default();
            let there = there.get(..frame.len()).unwrap_or(there);
            there.len() >= 2 && frame.starts_with(there)
        };
        let second = || self.next(end).and_then(|next| next.checked_sub(end));
        again(0) || second().is_some_and(again) || self.is_in_a_pattern(at, end)
    }

    /// Whether the frame from `at` to `end` is part of data that repeats every few bytes: from its beginning on, or up to its
    /// end, where the pattern ends too.
    fn is_in_a_pattern(&self, at: usize, end: usize) -> bool {
        let after = self.bytes.get(at..).unwrap_or_default();
        let around = self.bytes.get(at.saturating_sub(PATTERN_BEFORE)..end.min(self.bytes.len())).unwrap_or_default();
        is_periodic(after) || is_periodic(around)
    }

    /// The evidence of a frame that begins with a segment: half of all frames do, and of arbitrary places one in as many as a
    /// segment has bytes.
    fn border_worth(&self) -> Tenths {
        let places = self.bytes.len() / self.segments.len().max(1);
        let bits = Tenths::try_from(places.checked_ilog2().unwrap_or(0)).unwrap_or(0);
        (bits * 10 - 10).clamp(LEAST_AT_BORDER, MOST_AT_BORDER)
    }

    /// The evidence that a frame before the gathered bytes ends exactly here.
    fn expected(&self, at: usize) -> Tenths {
        let place = self.before.saturating_add(at as u64);
        self.awaited.iter().filter(|(awaited, _)| *awaited == place).map(|(_, worth)| *worth).max().unwrap_or(0)
    }

    /// The first frame of a chain that has enough evidence of its own: the first frames may point at a true boundary by chance,
    /// and so may any frame of a run of repeated ones.
    fn first_trusted(&self, at: usize, expect: &ExpectedFrames) -> Option<usize> {
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

    /// The evidence for the frame at a place, without the boundary that its length points at.
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

    /// Discards the first `len` bytes, and remembers where they show boundaries after them.
    fn forget(&mut self, len: usize, chains: &[Chain]) {
        let mut leaving = Leaving { len, chains, steps: MAX_STEPS };
        for (at, chain) in chains.iter().enumerate().take(len) {
            let worth = chain.worth.saturating_add(self.expected(at));
            if worth >= WORTH_AWAITING && self.awaited.len() < MAX_AWAITED && leaving.steps > 0 {
                self.await_end(at, worth, &mut leaving);
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

    /// Follows a chain to where it leaves the discarded bytes; its evidence up to there is evidence for that place.
    fn await_end(&mut self, mut at: usize, worth: Tenths, leaving: &mut Leaving<'_>) {
        for _ in 0..MAX_CHAIN {
            leaving.steps = leaving.steps.saturating_sub(1);
            match self.next(at) {
                Some(next) if next < leaving.len => at = next,
                Some(next) => {
                    // The evidence of the rest of the chain will be found there again.
                    let rest = leaving.chains.get(next).map_or(0, |chain| chain.worth.max(0));
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

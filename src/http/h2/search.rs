//! Finds a lost boundary between frames of HTTP/2 (machine): bytes of one direction come in, the place where a frame begins
//! goes out.
//!
//! From each place a chain of frame headers is followed. A header is worth the bits that it would take to guess it: a length
//! that the receiver allows, a type, flags that the type has, a stream that exists, and nearly all bits of the length for
//! types with a fixed one. A header that no sender may send ends the chain.
//!
//! RFC 9113 §4.1, §6. It does not look into payloads, so a payload made of frames can deceive it.

use core::cmp::Ordering;
use std::collections::VecDeque;

use super::frame::{FrameHeader, FrameType};
use crate::types::{Direction, PacketRef, Role};

/// Chains that are followed at once. Beyond, the oldest, which have gathered the least evidence for their age, are dropped.
const MAX_CHAINS: usize = 64;

/// Facts about the searched direction that make headers more or less likely.
#[derive(Debug, Clone, Copy)]
pub struct SearchContext {
    /// The direction.
    pub direction: Direction,
    /// The highest stream that was seen; `None` where none was.
    pub highest_stream: Option<u32>,
    /// Bytes of the largest frame that the receiver allows.
    pub max_frame: u32,
}

/// A search for a boundary in one direction.
#[derive(Debug)]
pub struct BoundarySearch {
    bytes: Vec<u8>,
    /// How many of the bytes came in each packet.
    packets: VecDeque<(usize, PacketRef)>,
    max: usize,
    /// Bits of evidence that are enough.
    enough: u32,
    /// The first place that was not examined.
    scanned: usize,
    chains: Vec<FrameChain>,
}

/// Frame headers, each where the frame before it ends.
#[derive(Debug, Clone, Copy)]
struct FrameChain {
    start: usize,
    /// Where the next header is, or will be.
    next: usize,
    bits: u32,
    frames: u32,
}

impl BoundarySearch {
    /// A search that keeps at most `max` bytes, and accepts a chain of so many bits.
    #[must_use]
    pub const fn new(max: usize, enough: u32) -> Self {
        Self { bytes: Vec::new(), packets: VecDeque::new(), max, enough, scanned: 0, chains: Vec::new() }
    }

    /// Takes bytes. True if a boundary was found: then [`Self::take`] gives the bytes after it.
    pub fn push(&mut self, mut bytes: &[u8], seen: PacketRef, context: &SearchContext) -> bool {
        while !bytes.is_empty() {
            let free = self.max.saturating_sub(self.bytes.len()).max(1);
            let (now, rest) = bytes.split_at_checked(free).unwrap_or((bytes, &[]));
            bytes = rest;
            self.bytes.extend_from_slice(now);
            self.packets.push_back((now.len(), seen));
            if self.scan(context) {
                // The rest comes after the boundary, too.
                if !bytes.is_empty() {
                    self.bytes.extend_from_slice(bytes);
                    self.packets.push_back((bytes.len(), seen));
                }
                return true;
            }
            if self.bytes.len() >= self.max {
                self.discard_oldest();
            }
        }
        false
    }

    /// Bytes are missing: those before the gap prove nothing about those after it.
    pub fn gap(&mut self) {
        let (max, enough) = (self.max, self.enough);
        *self = Self::new(max, enough);
    }

    /// Nothing more will come: accepts the best chain if it has half of the evidence. True if there is one.
    pub fn accept_best(&mut self) -> bool {
        let enough = self.enough / 2;
        let best = self
            .chains
            .iter()
            .copied()
            .filter(|chain| chain.bits >= enough)
            .max_by_key(|chain| (chain.bits, chain.start));
        let Some(best) = best else { return false };
        self.drop_front(best.start);
        true
    }

    /// The bytes from the boundary on, each packet's with the packet.
    pub fn take(&mut self) -> impl Iterator<Item = (Vec<u8>, PacketRef)> + use<> {
        let mut bytes = core::mem::take(&mut self.bytes);
        let packets = core::mem::take(&mut self.packets);
        self.gap();
        packets.into_iter().map(move |(len, seen)| {
            let rest = bytes.split_off(len.min(bytes.len()));
            (core::mem::replace(&mut bytes, rest), seen)
        })
    }

    /// Which side sent the bytes from the boundary on, if frames of WebSockets show it: "a client MUST mask all frames that it
    /// sends to the server" (RFC 6455 §5.1).
    #[must_use]
    pub fn sender(&self) -> Option<Role> {
        let (mut at, mut masked, mut unmasked) = (0_usize, 0_u32, 0_u32);
        while let Some(header) = self.bytes.get(at..).and_then(<[u8]>::first_chunk).map(FrameHeader::parse) {
            at = at.saturating_add(FrameHeader::LEN);
            if header.kind == FrameType::DATA
                && let Some([first, second]) = self.bytes.get(at..).and_then(<[u8]>::first_chunk)
                && matches!(first, 0x81 | 0x82 | 0x88..=0x8a | 0xc1 | 0xc2 | 0x00..=0x02)
            {
                *(if second & 0x80 == 0 { &mut unmasked } else { &mut masked }) += 1;
            }
            at = at.saturating_add(usize::try_from(header.len).unwrap_or(usize::MAX));
        }
        match masked.cmp(&unmasked) {
            Ordering::Greater => Some(Role::Client),
            Ordering::Less => Some(Role::Server),
            Ordering::Equal => None,
        }
    }

    /// Bytes that are kept.
    #[must_use]
    pub fn held(&self) -> usize {
        self.bytes.capacity() + self.packets.len() * size_of::<(usize, PacketRef)>()
    }

    /// Follows the chains, and begins one at each new place.
    fn scan(&mut self, context: &SearchContext) -> bool {
        let bytes = &self.bytes;
        let (enough, mut found) = (self.enough, None);
        self.chains.retain_mut(|chain| {
            let end = if found.is_none() { follow(chain, bytes, context, enough) } else { ChainEnd::Open };
            if end == ChainEnd::Accepted {
                found = Some(chain.start);
            }
            end != ChainEnd::Broken
        });
        while found.is_none() && self.scanned + FrameHeader::LEN <= bytes.len() {
            let mut chain = FrameChain { start: self.scanned, next: self.scanned, bits: 0, frames: 0 };
            self.scanned += 1;
            match follow(&mut chain, bytes, context, enough) {
                ChainEnd::Accepted => found = Some(chain.start),
                ChainEnd::Open => {
                    if self.chains.len() >= MAX_CHAINS {
                        self.chains.remove(0);
                    }
                    self.chains.push(chain);
                }
                ChainEnd::Broken => {}
            }
        }
        let Some(start) = found else { return false };
        self.drop_front(start);
        true
    }

    /// Discards the bytes before the first chain, and chains in the older half.
    fn discard_oldest(&mut self) {
        let half = self.bytes.len() / 2;
        self.chains.retain(|chain| chain.start > half);
        let first = self.chains.iter().map(|chain| chain.start).min();
        self.drop_front(first.unwrap_or(self.scanned));
    }

    fn drop_front(&mut self, len: usize) {
        let len = len.min(self.bytes.len());
        self.bytes.drain(..len);
        let mut left = len;
        while let Some((packet_len, _)) = self.packets.front_mut() {
            let now = left.min(*packet_len);
            *packet_len -= now;
            left -= now;
            if *packet_len > 0 {
                break;
            }
            self.packets.pop_front();
        }
        self.scanned = self.scanned.saturating_sub(len);
        for chain in &mut self.chains {
            chain.start = chain.start.saturating_sub(len);
            chain.next = chain.next.saturating_sub(len);
        }
    }
}

/// Where a chain got to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ChainEnd {
    /// The next header has not come yet.
    Open,
    /// It has enough evidence.
    Accepted,
    /// Its next header is one that no sender may send.
    Broken,
}

/// Follows a chain as far as the bytes go, or until it has `enough` bits of evidence.
fn follow(chain: &mut FrameChain, bytes: &[u8], context: &SearchContext, enough: u32) -> ChainEnd {
    while let Some(header) = bytes.get(chain.next..).and_then(<[u8]>::first_chunk) {
        let header = FrameHeader::parse(header);
        let Some(bits) = evidence(&header, context) else { return ChainEnd::Broken };
        chain.bits = chain.bits.saturating_add(bits);
        chain.frames += 1;
        if chain.bits >= enough {
            return ChainEnd::Accepted;
        }
        chain.next = chain
            .next
            .saturating_add(FrameHeader::LEN)
            .saturating_add(usize::try_from(header.len).unwrap_or(usize::MAX));
    }
    ChainEnd::Open
}

/// How many bits a header is worth; `None` for one that no sender may send.
fn evidence(header: &FrameHeader, context: &SearchContext) -> Option<u32> {
    let flags = match header.kind {
        FrameType::DATA => 0x09,
        FrameType::HEADERS => 0x2d,
        FrameType::SETTINGS | FrameType::PING => 0x01,
        FrameType::PUSH_PROMISE if context.direction == Direction::ToClient => 0x0c,
        FrameType::CONTINUATION => 0x04,
        FrameType::PRIORITY | FrameType::RST_STREAM | FrameType::GOAWAY | FrameType::WINDOW_UPDATE => 0,
        _ => return None,
    };
    // New streams have numbers near the highest so far; where that is unknown, few connections get beyond 2^20.
    let highest = context.highest_stream.map_or(1 << 20, |highest| highest.saturating_add(1 << 10));
    let legal = header.fault().is_none() && !header.reserved && header.flags & !flags == 0;
    if !legal || header.len > context.max_frame || header.stream > highest {
        return None;
    }
    let length = match header.kind {
        FrameType::DATA
        | FrameType::HEADERS
        | FrameType::PUSH_PROMISE
        | FrameType::CONTINUATION
        | FrameType::GOAWAY => 24 - context.max_frame.checked_ilog2().unwrap_or(0).min(24),
        // Real frames have few parameters.
        FrameType::SETTINGS if header.len > 0 => 16,
        _ => 24,
    };
    let stream = if header.stream == 0 { 32 } else { 31 - highest.checked_ilog2().unwrap_or(0) };
    // One of ten types out of 256: 4 bits; and the flags that the type does not have.
    Some(length + 4 + (8 - flags.count_ones()) + stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(highest_stream: Option<u32>) -> SearchContext {
        SearchContext { direction: Direction::ToServer, highest_stream, max_frame: 1 << 14 }
    }

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut bytes = vec![len[1], len[2], len[3], kind, flags];
        bytes.extend(stream.to_be_bytes());
        bytes.extend(payload);
        bytes
    }

    fn seen(packet: u64) -> PacketRef {
        PacketRef { packet, ..PacketRef::default() }
    }

    /// The rest of a payload, then frames.
    fn stream() -> (Vec<u8>, usize) {
        let mut bytes: Vec<u8> = (0..1000_u32).flat_map(|n| n.wrapping_mul(0x9e37_79b1).to_be_bytes()).collect();
        let at = bytes.len();
        for _ in 0..3 {
            bytes.extend(frame(0, 0, 5, &[0xa5; 300]));
            bytes.extend(frame(8, 0, 0, &[0, 0, 1, 0x2c]));
        }
        (bytes, at)
    }

    #[test]
    fn a_boundary_is_found_however_the_bytes_are_cut() {
        let (bytes, at) = stream();
        for size in [1, 7, 100, 10_000] {
            for highest in [None, Some(5)] {
                let mut search = BoundarySearch::new(64 << 10, if highest.is_some() { 72 } else { 96 });
                let mut fed = 0;
                let packets: Vec<_> = bytes.chunks(size).collect();
                for bytes in &packets {
                    fed += 1;
                    if search.push(bytes, seen(fed), &known(highest)) {
                        break;
                    }
                }
                let mut rest: Vec<u8> = Vec::new();
                let mut last = 0;
                for (bytes, seen) in search.take() {
                    assert!(seen.packet >= last && !bytes.is_empty());
                    last = seen.packet;
                    rest.extend(bytes);
                }
                packets.iter().skip(usize::try_from(fed).unwrap()).for_each(|bytes| rest.extend(*bytes));
                assert_eq!(rest.len(), bytes.len() - at, "packets of {size} bytes, highest {highest:?}");
                assert_eq!(rest, bytes[at..]);
            }
        }
    }

    #[test]
    fn other_bytes_are_not_taken_for_frames() {
        let mut search = BoundarySearch::new(16 << 10, 72);
        let mut state = 1_u64;
        for packet in 0..2000 {
            let bytes: Vec<u8> = (0..500)
                .map(|_| {
                    state = state * 48_271 % 0x7fff_ffff;
                    u8::try_from(state >> 8 & 0xff).unwrap()
                })
                .collect();
            assert!(!search.push(&bytes, seen(packet), &known(Some(7))));
            assert!(search.held() <= 64 << 10, "{}", search.held());
        }
        for byte in 0..=255 {
            let mut search = BoundarySearch::new(16 << 10, 72);
            assert!(!search.push(&[byte; 40_000], seen(1), &known(Some(7))), "{byte}");
        }
    }

    #[test]
    fn a_gap_begins_anew_and_the_end_accepts_the_best_chain() {
        let mut search = BoundarySearch::new(64 << 10, 72);
        let bytes = frame(0, 0, 5, &[1; 20]);
        assert!(!search.push(&bytes, seen(1), &known(Some(5))));
        search.gap();
        assert!(!search.accept_best());
        assert!(!search.push(&bytes, seen(2), &known(Some(5))));
        assert!(search.accept_best());
        assert_eq!(search.take().map(|(bytes, seen)| (bytes, seen.packet)).collect::<Vec<_>>(), [(bytes, 2)]);
    }
}

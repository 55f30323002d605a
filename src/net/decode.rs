//! The net floor as a whole: a packet in, at most one segment out.

use std::net::IpAddr;

use super::fragments::{Fragments, Whole};
use super::ip::{Datagram, protocol};
use super::piece::{Piece, Skip};
use super::{link, tcp_header, tunnel};
use crate::capture::{LinkType, Packet};
use crate::net::Segment;
use crate::types::{Limits, PacketRef};

/// How many tunnels may lie in one another.
const MAX_TUNNELS: usize = 4;

/// Unwraps packets, and keeps their fragments.
#[derive(Debug)]
pub struct Decoder {
    fragments: Fragments,
    /// The datagram that was put together last; a segment may be borrowed from it.
    whole: Option<Whole>,
    counts: Counts,
}

/// What became of the packets. Each counts as one of `segments`, `not_tcp`, `malformed`, `header_cut` and
/// `unknown_link`, unless it carried a fragment: then as `fragments`, and as one of those only where it completed a
/// datagram or was no good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Segments handed up.
    pub segments: u64,
    /// Packets that carried a fragment of an IP datagram.
    pub fragments: u64,
    /// Packets with something other than TCP over IP.
    pub not_tcp: u64,
    /// Of these, packets of QUIC with a long header, to or from UDP port 443.
    pub quic: u64,
    /// Packets with a header that no host would accept.
    pub malformed: u64,
    /// Packets of which the snaplen left less than their headers.
    pub header_cut: u64,
    /// Packets whose link type is not known here.
    pub unknown_link: u64,
    /// The link type of the first of them.
    pub first_unknown_link: Option<LinkType>,
    /// Packets captured in part, whatever became of them.
    pub cut_packets: u64,
    /// IP datagrams given up since some of their fragments did not come in time, or too many were unfinished.
    pub lost_datagrams: u64,
}

/// What is at the bottom of a packet.
enum Found<'a> {
    Segment(Segment<'a>),
    Fragment(Datagram<'a>),
}

impl Decoder {
    /// One that keeps fragments within `limits`.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self { fragments: Fragments::new(limits), whole: None, counts: Counts::default() }
    }

    /// The segment in `packet`, or in the datagram that it completes. What yields none is counted.
    #[inline]
    pub fn decode<'a>(&'a mut self, packet: &Packet<'a>) -> Option<Segment<'a>> {
        self.counts.cut_packets += u64::from(whole(packet).cut() > 0);
        match plain_packet(packet) {
            Some(Ok(segment)) => {
                self.counts.segments += 1;
                Some(segment)
            }
            Some(Err(skip)) => self.counts.skip(skip, packet.link),
            None => self.decode_any(packet),
        }
    }

    /// Gives up unfinished datagrams: the capture is over. Only the counts change.
    pub fn finish(&mut self) {
        self.fragments.finish();
    }

    /// What became of the packets so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts { lost_datagrams: self.fragments.lost(), ..self.counts }
    }

    /// Bytes that it is keeping.
    #[must_use]
    pub fn held(&self) -> usize {
        self.fragments.held().saturating_add(self.whole.as_ref().map_or(0, Whole::held))
    }

    /// The long way, for everything.
    #[inline(never)]
    fn decode_any<'a>(&'a mut self, packet: &Packet<'a>) -> Option<Segment<'a>> {
        let (link, seen) = (packet.link, packet.seen);
        let found = match link::ip_packet(link, whole(packet)).and_then(|ip| unwrap_ip(ip, seen)) {
            Ok(Found::Fragment(part)) => {
                self.counts.fragments += 1;
                match complete(&mut self.fragments, &part, seen) {
                    Ok(whole) => unwrap_whole(replace(&mut self.whole, whole?, &mut self.fragments), seen),
                    Err(skip) => Err(skip),
                }
            }
            found => found,
        };
        match found {
            Ok(Found::Segment(segment)) => {
                self.counts.segments += 1;
                Some(segment)
            }
            // Deeper than anybody goes.
            Ok(Found::Fragment(_)) => self.counts.skip(Skip::NotTcp, link),
            Err(skip) => self.counts.skip(skip, link),
        }
    }
}

impl Counts {
    fn skip<T>(&mut self, skip: Skip, link: LinkType) -> Option<T> {
        let count = match skip {
            Skip::NotTcp => &mut self.not_tcp,
            Skip::Quic => {
                self.quic += 1;
                &mut self.not_tcp
            }
            Skip::Malformed => &mut self.malformed,
            Skip::HeaderCut => &mut self.header_cut,
            Skip::UnknownLink => {
                self.first_unknown_link.get_or_insert(link);
                &mut self.unknown_link
            }
        };
        *count += 1;
        None
    }
}

/// All of a packet.
#[inline]
fn whole<'a>(packet: &Packet<'a>) -> Piece<'a> {
    Piece::new(packet.bytes, usize::try_from(packet.original_len).unwrap_or(usize::MAX))
}

/// The segment, if the packet is of a kind that nearly all are. A `None` says nothing.
#[inline]
fn plain_packet<'a>(packet: &Packet<'a>) -> Option<Result<Segment<'a>, Skip>> {
    let ethertype = packet.bytes.first_chunk::<14>()?.last_chunk();
    let offset = match (packet.link, ethertype) {
        (LinkType::ETHERNET, Some([0x08, 0x00] | [0x86, 0xDD])) => 14,
        _ => ip_offset(packet)?,
    };
    plain_ip(packet.bytes.get(offset..)?, packet.seen)
}

/// Where the IP packet begins, behind any link header. A number, not a piece, since that comes back in a register.
#[inline(never)]
fn ip_offset(packet: &Packet<'_>) -> Option<usize> {
    let whole = whole(packet);
    whole.len().checked_sub(link::ip_packet(packet.link, whole).ok()?.len())
}

/// The segment, if it is TCP right behind IP without options, as it nearly always is, and the end of it if it is UDP
/// and no tunnel. Everything is read from arrays of known length, nothing is called, and nothing goes through memory: a
/// fifth of the time of the long way, which finds the same. A `None` says nothing.
#[inline]
fn plain_ip(ip: &[u8], seen: PacketRef) -> Option<Result<Segment<'_>, Skip>> {
    let (src, dst, protocol, len, rest) = match ip.first()? {
        0x45 => {
            let (header, rest) = ip.split_first_chunk::<20>()?;
            let [_, _, high, low, _, _, flags, offset, _, protocol, _, _, addresses @ ..] = header;
            if flags & 0x3F | offset != 0 {
                return None;
            }
            let [s0, s1, s2, s3, d0, d1, d2, d3] = *addresses;
            let len = u16::from_be_bytes([*high, *low]).checked_sub(20)?;
            (IpAddr::from([s0, s1, s2, s3]), IpAddr::from([d0, d1, d2, d3]), *protocol, len, rest)
        }
        0x60..=0x6F => {
            let (header, rest) = ip.split_first_chunk::<40>()?;
            let [_, _, _, _, high, low, protocol, _, addresses @ ..] = header;
            let (src, dst) = (addresses.first_chunk::<16>()?, addresses.last_chunk::<16>()?);
            (IpAddr::from(*src), IpAddr::from(*dst), *protocol, u16::from_be_bytes([*high, *low]), rest)
        }
        _ => return None,
    };
    match protocol {
        protocol::TCP => {
            // A length of 0 is too short for TCP, so it is not misread here.
            let payload = Piece::new(rest, rest.len()).with_len(usize::from(len));
            let datagram = Datagram { src, dst, protocol, payload, fragment: None };
            tcp_header::segment(&datagram, seen).ok().map(Ok)
        }
        protocol::UDP => {
            let (header, payload) = rest.split_first_chunk::<8>()?;
            let [from_high, from_low, high, low, ..] = *header;
            let other = len >= 8 && !tunnel::has_port(u16::from_be_bytes([high, low]));
            let quic = [[from_high, from_low], [high, low]].contains(&HTTPS) && is_quic(payload);
            if other { Some(Err(if quic { Skip::Quic } else { Skip::NotTcp })) } else { None }
        }
        _ => None,
    }
}

/// UDP port 443.
const HTTPS: [u8; 2] = 443_u16.to_be_bytes();

/// Whether a long header of QUIC stands here: form and fixed bit, and a version (RFC 9000 §17.2).
fn is_quic(payload: &[u8]) -> bool {
    matches!(payload, [first, a, b, c, d, ..] if first & 0xc0 == 0xc0 && [*a, *b, *c, *d] != [0; 4])
}

/// Goes down through tunnels, from an IP packet to the segment or the first fragment.
fn unwrap_ip(mut ip: Piece<'_>, seen: PacketRef) -> Result<Found<'_>, Skip> {
    for _ in 0..=MAX_TUNNELS {
        if let Some(found) = plain_ip(ip.bytes(), seen) {
            return found.map(Found::Segment);
        }
        let datagram = Datagram::parse(ip)?;
        if let Some(found) = bottom(datagram, seen) {
            return found;
        }
        ip = tunnel::inside(datagram.protocol, datagram.payload)?;
    }
    Err(Skip::NotTcp)
}

/// The same from a datagram that was put together.
fn unwrap_whole(whole: &Whole, seen: PacketRef) -> Result<Found<'_>, Skip> {
    let datagram = whole.datagram().behind_extensions()?;
    bottom(datagram, seen)
        .unwrap_or_else(|| tunnel::inside(datagram.protocol, datagram.payload).and_then(|ip| unwrap_ip(ip, seen)))
}

/// What a datagram holds, unless that is to be looked for in a tunnel.
fn bottom(datagram: Datagram<'_>, seen: PacketRef) -> Option<Result<Found<'_>, Skip>> {
    if datagram.fragment.is_some() {
        Some(Ok(Found::Fragment(datagram)))
    } else if datagram.protocol == protocol::TCP {
        Some(tcp_header::segment(&datagram, seen).map(Found::Segment))
    } else {
        None
    }
}

/// The datagram that a fragment completes. What was in fragments may be a tunnel, and a fragment lie in that.
fn complete(fragments: &mut Fragments, part: &Datagram<'_>, seen: PacketRef) -> Result<Option<Whole>, Skip> {
    let mut whole = fragments.add(part, seen.at)?;
    for _ in 0..MAX_TUNNELS {
        let Some(outer) = whole.take() else {
            return Ok(None);
        };
        let Ok(Found::Fragment(part)) = unwrap_whole(&outer, seen) else {
            return Ok(Some(outer));
        };
        let inner = fragments.add(&part, seen.at);
        fragments.recycle(outer);
        whole = inner?;
    }
    Ok(whole)
}

/// Keeps `whole` in `slot`, for as long as its segment is lent, and gives the one before back.
fn replace<'a>(slot: &'a mut Option<Whole>, whole: Whole, fragments: &mut Fragments) -> &'a Whole {
    if let Some(before) = slot.take() {
        fragments.recycle(before);
    }
    slot.insert(whole)
}

#[cfg(test)]
mod tests;

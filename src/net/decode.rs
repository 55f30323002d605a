//! The net floor as a whole: a packet in, at most one segment out.

use std::net::IpAddr;

use super::fragments::{Fragments, Whole};
use super::ip::{IpPacket, protocol};
use super::piece::{Piece, Skip};
use super::{Datagram, Segment, datagram, link, tcp_header, tunnel};
use crate::capture::{LinkType, Packet};
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

/// What a packet carries, below links, IP and tunnels.
#[derive(Debug, Clone, Copy)]
pub enum Transport<'a> {
    /// A TCP segment.
    Tcp(Segment<'a>),
    /// A UDP datagram.
    Udp(Datagram<'a>),
}

impl<'a> Transport<'a> {
    /// The TCP segment, if it is one.
    #[must_use]
    pub fn segment(self) -> Option<Segment<'a>> {
        match self {
            Self::Tcp(segment) => Some(segment),
            Self::Udp(_) => None,
        }
    }
}

/// What became of the packets. Each counts as one of `segments`, `datagrams`, `other_protocol`, `malformed`,
/// `header_cut` and `unknown_link`, unless it carried a fragment: then as `fragments`, and as one of those only where it
/// completed an IP packet or was malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// TCP segments.
    pub segments: u64,
    /// UDP datagrams.
    pub datagrams: u64,
    /// Packets that carried a fragment of an IP datagram.
    pub fragments: u64,
    /// Packets with something other than TCP or UDP over IP.
    pub other_protocol: u64,
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
    Transport(Transport<'a>),
    Fragment(IpPacket<'a>),
}

impl Decoder {
    /// One that keeps fragments within `limits`.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self { fragments: Fragments::new(limits), whole: None, counts: Counts::default() }
    }

    /// The segment or datagram in `packet`, or in the IP packet that this one completes. A packet without either is counted.
    #[inline]
    pub fn decode<'a>(&'a mut self, packet: &Packet<'a>) -> Option<Transport<'a>> {
        self.counts.cut_packets += u64::from(whole(packet).cut() > 0);
        match plain_packet(packet) {
            Some(transport) => Some(self.counts.add(transport)),
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
    fn decode_any<'a>(&'a mut self, packet: &Packet<'a>) -> Option<Transport<'a>> {
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
            Ok(Found::Transport(transport)) => Some(self.counts.add(transport)),
            // A fragment inside more tunnels than are followed.
            Ok(Found::Fragment(_)) => self.counts.skip(Skip::OtherProtocol, link),
            Err(skip) => self.counts.skip(skip, link),
        }
    }
}

impl Counts {
    #[inline]
    const fn add<'a>(&mut self, transport: Transport<'a>) -> Transport<'a> {
        match transport {
            Transport::Tcp(_) => self.segments += 1,
            Transport::Udp(_) => self.datagrams += 1,
        }
        transport
    }

    fn skip<T>(&mut self, skip: Skip, link: LinkType) -> Option<T> {
        let count = match skip {
            Skip::OtherProtocol => &mut self.other_protocol,
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

/// The segment or datagram of a packet of the usual kind. `None` means that the long way has to decide.
#[inline]
fn plain_packet<'a>(packet: &Packet<'a>) -> Option<Transport<'a>> {
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

/// The segment or datagram, if TCP or UDP follows an IP header without options, as it nearly always does, and it is no
/// tunnel. Everything is read from arrays of known length, nothing is called, and nothing goes through memory: a fifth of
/// the time of the long way, which finds the same. `None` means that the long way has to decide.
#[inline]
fn plain_ip(ip: &[u8], seen: PacketRef) -> Option<Transport<'_>> {
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
    // A length of 0 is too short for either protocol, so it is not misread here.
    let payload = Piece::new(rest, rest.len()).with_len(usize::from(len));
    let packet = IpPacket { src, dst, protocol, payload, fragment: None };
    transport(&packet, seen)?.ok()
}

/// The segment or datagram in a complete IP packet; `None` for other protocols and tunnels.
#[inline]
fn transport<'a>(packet: &IpPacket<'a>, seen: PacketRef) -> Option<Result<Transport<'a>, Skip>> {
    match packet.protocol {
        protocol::TCP => Some(tcp_header::segment(packet, seen).map(Transport::Tcp)),
        protocol::UDP if !tunnel::is_udp_tunnel(packet.payload.bytes()) => {
            Some(datagram::parse(packet, seen).map(Transport::Udp))
        }
        _ => None,
    }
}

/// Goes down through tunnels, from an IP packet to the segment, the datagram or the first fragment.
fn unwrap_ip(mut ip: Piece<'_>, seen: PacketRef) -> Result<Found<'_>, Skip> {
    for _ in 0..=MAX_TUNNELS {
        if let Some(transport) = plain_ip(ip.bytes(), seen) {
            return Ok(Found::Transport(transport));
        }
        let packet = IpPacket::parse(ip)?;
        if let Some(found) = bottom(packet, seen) {
            return found;
        }
        ip = tunnel::inside(packet.protocol, packet.payload)?;
    }
    Err(Skip::OtherProtocol)
}

/// The same from an IP packet that was put together.
fn unwrap_whole(whole: &Whole, seen: PacketRef) -> Result<Found<'_>, Skip> {
    let packet = whole.packet().behind_extensions()?;
    bottom(packet, seen)
        .unwrap_or_else(|| tunnel::inside(packet.protocol, packet.payload).and_then(|ip| unwrap_ip(ip, seen)))
}

/// What an IP packet holds, unless that is to be looked for in a tunnel.
fn bottom(packet: IpPacket<'_>, seen: PacketRef) -> Option<Result<Found<'_>, Skip>> {
    if packet.fragment.is_some() {
        return Some(Ok(Found::Fragment(packet)));
    }
    transport(&packet, seen).map(|transport| transport.map(Found::Transport))
}

/// The datagram that a fragment completes. What was in fragments may be a tunnel, and a fragment lie in that.
fn complete(fragments: &mut Fragments, part: &IpPacket<'_>, seen: PacketRef) -> Result<Option<Whole>, Skip> {
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

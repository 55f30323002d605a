//! The decoder: unwraps packets down to their TCP segment or UDP datagram.
//!
//! In: captured packets. Out: at most one segment or datagram of each, and counts of the packets without one. It holds the
//! fragments of incomplete packets, within limits, and nothing else.

use std::net::IpAddr;

use super::captured::{Captured, Undecoded};
use super::fragments::{Fragments, Reassembled};
use super::ip::{IpPacket, protocol};
use super::{Datagram, Segment, datagram, link, tcp_header, tunnel};
use crate::capture::{LinkType, Packet};
use crate::types::{Limits, PacketRef};

/// Tunnels inside one another, at most.
const MAX_TUNNELS: usize = 4;

/// Unwraps packets, and holds their fragments.
#[derive(Debug)]
pub struct Decoder {
    fragments: Fragments,
    /// The packet that was reassembled last: its segment or datagram is borrowed from here.
    reassembled: Option<Reassembled>,
    counts: Counts,
}

/// What a packet carries after its link, IP and tunnel headers.
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
    /// Packets with a malformed header; a host would drop them.
    pub malformed: u64,
    /// Packets whose headers the snaplen cut.
    pub header_cut: u64,
    /// Packets whose link type is not decoded.
    pub unknown_link: u64,
    /// The link type of the first of them.
    pub first_unknown_link: Option<LinkType>,
    /// Packets that a snaplen cut, whichever of these they are.
    pub cut_packets: u64,
    /// IP packets dropped because some of their fragments did not come in time, or too many packets were incomplete.
    pub lost_datagrams: u64,
}

/// What is inside the tunnels of a packet: its transport, or the fragment of one.
enum Inner<'a> {
    Transport(Transport<'a>),
    Fragment(IpPacket<'a>),
}

impl Decoder {
    /// A decoder that holds fragments within `limits`.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self { fragments: Fragments::new(limits), reassembled: None, counts: Counts::default() }
    }

    /// The segment or datagram in `packet`, or in the IP packet that this one completes. Each packet is counted.
    #[inline]
    pub fn decode<'a>(&'a mut self, packet: &Packet<'a>) -> Option<Transport<'a>> {
        self.counts.cut_packets += u64::from(all(packet).cut() > 0);
        if let Some(segment) = plain_segment(packet) {
            self.counts.segments += 1;
            return Some(Transport::Tcp(segment));
        }
        self.decode_other(packet)
    }

    /// Drops incomplete packets: the capture is over. Only the counts change.
    pub fn finish(&mut self) {
        self.fragments.finish();
    }

    /// What became of the packets so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts { lost_datagrams: self.fragments.lost(), ..self.counts }
    }

    /// Bytes held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.fragments.held().saturating_add(self.reassembled.as_ref().map_or(0, Reassembled::held))
    }

    /// The general way, for packets of every kind.
    #[inline(never)]
    fn decode_other<'a>(&'a mut self, packet: &Packet<'a>) -> Option<Transport<'a>> {
        let (link, seen) = (packet.link, packet.seen);
        if let Some(transport) = plain_packet(packet) {
            return Some(self.counts.add(transport));
        }
        let found = match link::ip_packet(link, all(packet)).and_then(|ip| unwrap_ip(ip, seen)) {
            Ok(Inner::Fragment(part)) => {
                self.counts.fragments += 1;
                match reassemble(&mut self.fragments, &part, seen) {
                    Ok(complete) => {
                        unwrap_reassembled(replace(&mut self.reassembled, complete?, &mut self.fragments), seen)
                    }
                    Err(skip) => Err(skip),
                }
            }
            found => found,
        };
        match found {
            Ok(Inner::Transport(transport)) => Some(self.counts.add(transport)),
            // A fragment inside more tunnels than are followed.
            Ok(Inner::Fragment(_)) => self.counts.skip(Undecoded::OtherProtocol, link),
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

    fn skip<T>(&mut self, skip: Undecoded, link: LinkType) -> Option<T> {
        let count = match skip {
            Undecoded::OtherProtocol => &mut self.other_protocol,
            Undecoded::Malformed => &mut self.malformed,
            Undecoded::HeaderCut => &mut self.header_cut,
            Undecoded::UnknownLink => {
                self.first_unknown_link.get_or_insert(link);
                &mut self.unknown_link
            }
        };
        *count += 1;
        None
    }
}

/// All bytes of a packet.
#[inline]
fn all<'a>(packet: &Packet<'a>) -> Captured<'a> {
    Captured::new(packet.bytes, usize::try_from(packet.original_len).unwrap_or(usize::MAX))
}

/// The segment of a packet of the usual kind; `None` for any other. It is not read through a [`Transport`] or a `Result`:
/// copies of those cost as many instructions as all the rest of this.
#[inline(always)]
fn plain_segment<'a>(packet: &Packet<'a>) -> Option<Segment<'a>> {
    let ip = plain_ip(packet.bytes.get(plain_offset(packet)?..)?)?;
    if ip.protocol == protocol::TCP { tcp_header::segment(&ip, packet.seen).ok() } else { None }
}

/// The segment or datagram of a packet of the usual kind; `None` for any other, which the general way decodes.
fn plain_packet<'a>(packet: &Packet<'a>) -> Option<Transport<'a>> {
    plain_transport(packet.bytes.get(plain_offset(packet)?..)?, packet.seen)
}

/// Where the IP packet begins.
#[inline]
fn plain_offset(packet: &Packet<'_>) -> Option<usize> {
    let ethertype = packet.bytes.first_chunk::<14>()?.last_chunk();
    match (packet.link, ethertype) {
        (LinkType::ETHERNET, Some([0x08, 0x00] | [0x86, 0xDD])) => Some(14),
        _ => ip_offset(packet),
    }
}

/// Where the IP packet begins, after any link header. The offset, not the bytes, since that is returned in a register.
#[inline(never)]
fn ip_offset(packet: &Packet<'_>) -> Option<usize> {
    let all = all(packet);
    all.len().checked_sub(link::ip_packet(packet.link, all).ok()?.len())
}

/// The segment or datagram after an IP header without options; `None` for all other packets.
#[inline]
fn plain_transport(ip: &[u8], seen: PacketRef) -> Option<Transport<'_>> {
    transport(&plain_ip(ip)?, seen)?.ok()
}

/// The IP packet, if its header has no options and it is no fragment, as nearly always. Everything is read from arrays of
/// known length, nothing is called, and nothing goes through memory: a fifth of the time of the general way, which finds the
/// same. `None` for all other packets, which the general way decodes.
#[inline]
fn plain_ip(ip: &[u8]) -> Option<IpPacket<'_>> {
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
    // A length of 0 is too short for either protocol: then the general way decides what it means.
    let payload = Captured::new(rest, rest.len()).with_len(usize::from(len));
    Some(IpPacket { src, dst, protocol, payload, fragment: None })
}

/// The segment or datagram in a complete IP packet; `None` for other protocols and tunnels.
#[inline]
fn transport<'a>(packet: &IpPacket<'a>, seen: PacketRef) -> Option<Result<Transport<'a>, Undecoded>> {
    match packet.protocol {
        protocol::TCP => Some(tcp_header::segment(packet, seen).map(Transport::Tcp)),
        protocol::UDP if !tunnel::is_udp_tunnel(packet.payload.bytes()) => {
            Some(datagram::parse(packet, seen).map(Transport::Udp))
        }
        _ => None,
    }
}

/// Unwraps tunnels, from an IP packet to the segment, the datagram or the first fragment.
fn unwrap_ip(mut ip: Captured<'_>, seen: PacketRef) -> Result<Inner<'_>, Undecoded> {
    for _ in 0..=MAX_TUNNELS {
        if let Some(transport) = plain_transport(ip.bytes(), seen) {
            return Ok(Inner::Transport(transport));
        }
        let packet = IpPacket::parse(ip)?;
        if let Some(found) = innermost(packet, seen) {
            return found;
        }
        ip = tunnel::inside(packet.protocol, packet.payload)?;
    }
    Err(Undecoded::OtherProtocol)
}

/// The same for an IP packet that was reassembled.
fn unwrap_reassembled(packet: &Reassembled, seen: PacketRef) -> Result<Inner<'_>, Undecoded> {
    let packet = packet.packet().skip_extensions()?;
    innermost(packet, seen)
        .unwrap_or_else(|| tunnel::inside(packet.protocol, packet.payload).and_then(|ip| unwrap_ip(ip, seen)))
}

/// The transport or the fragment that an IP packet carries; `None` if it may be a tunnel.
fn innermost(packet: IpPacket<'_>, seen: PacketRef) -> Option<Result<Inner<'_>, Undecoded>> {
    if packet.fragment.is_some() {
        return Some(Ok(Inner::Fragment(packet)));
    }
    transport(&packet, seen).map(|transport| transport.map(Inner::Transport))
}

/// The packet that a fragment completes. If that is a tunnel with a fragment in it, the packet that this one completes.
fn reassemble(
    fragments: &mut Fragments,
    part: &IpPacket<'_>,
    seen: PacketRef,
) -> Result<Option<Reassembled>, Undecoded> {
    let mut complete = fragments.add(part, seen.at)?;
    for _ in 0..MAX_TUNNELS {
        let Some(outer) = complete.take() else {
            return Ok(None);
        };
        let Ok(Inner::Fragment(part)) = unwrap_reassembled(&outer, seen) else {
            return Ok(Some(outer));
        };
        let inner = fragments.add(&part, seen.at);
        fragments.recycle(outer);
        complete = inner?;
    }
    Ok(complete)
}

/// Keeps `packet` in `slot`, where its segment is borrowed from, and gives back the one before.
fn replace<'a>(slot: &'a mut Option<Reassembled>, packet: Reassembled, fragments: &mut Fragments) -> &'a Reassembled {
    if let Some(before) = slot.take() {
        fragments.recycle(before);
    }
    slot.insert(packet)
}

#[cfg(test)]
mod tests;

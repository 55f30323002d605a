//! IP headers: addresses, protocol, length, and the place of a fragment.
//!
//! In: an IP packet, its link header removed. Out: its payload and these fields ([`IpPacket`]). IPv4 (RFC 791 §3.1), IPv6
//! and its extension headers (RFC 8200 §3, §4), the Authentication Header of both (RFC 4302 §2). The length in the header is
//! believed over the record's, so padding is left out. Checksums and IPv4 options are not read. Not done here: reassembly
//! ([`fragments`](super::fragments)), jumbograms (RFC 2675).

use std::net::IpAddr;

use etherparse::{IpAuthHeaderSlice, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice, Ipv6RawExtHeaderSlice};

use super::captured::{Captured, Undecoded};

/// Extension headers of one packet. The order that RFC 8200 §4.1 recommends has at most seven.
const MAX_EXTENSIONS: usize = 8;

/// Protocol numbers, which are the next header values of IPv6 as well.
pub mod protocol {
    /// Hop-by-Hop Options (RFC 8200 §4.3).
    pub const HOP_BY_HOP: u8 = 0;
    /// IPv4 in IP (RFC 2003).
    pub const IPV4: u8 = 4;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// IPv6 in IP (RFC 2473, RFC 4213).
    pub const IPV6: u8 = 41;
    /// Routing header (RFC 8200 §4.4).
    pub const ROUTING: u8 = 43;
    /// Fragment header (RFC 8200 §4.5).
    pub const FRAGMENT: u8 = 44;
    /// GRE (RFC 2784).
    pub const GRE: u8 = 47;
    /// Authentication Header (RFC 4302).
    pub const AUTHENTICATION: u8 = 51;
    /// Destination Options (RFC 8200 §4.6).
    pub const DESTINATION_OPTIONS: u8 = 60;
    /// Mobility (RFC 6275 §6.1).
    pub const MOBILITY: u8 = 135;
    /// Host Identity Protocol (RFC 7401).
    pub const HOST_IDENTITY: u8 = 139;
    /// Shim6 (RFC 5533).
    pub const SHIM6: u8 = 140;
}

/// An IP packet, or a fragment of one, its headers read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpPacket<'a> {
    /// The source address.
    pub src: IpAddr,
    /// The destination address.
    pub dst: IpAddr,
    /// The protocol of the payload; of a fragment, that of the reassembled packet.
    pub protocol: u8,
    /// The bytes after the headers.
    pub payload: Captured<'a>,
    /// The place of `payload` in its packet, if it is a fragment.
    pub fragment: Option<Fragment>,
}

/// A fragment's place in its packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment {
    /// The same in all fragments of one packet: 16 bits in IPv4, 32 in IPv6.
    pub identification: u32,
    /// Where its payload begins in that of the packet, in bytes; a multiple of 8.
    pub offset: u16,
    /// Whether other fragments come after it: the More Fragments flag.
    pub more: bool,
}

impl<'a> IpPacket<'a> {
    /// Reads the headers of an IP packet, extension headers included.
    ///
    /// # Errors
    /// A header was not captured, or contradicts itself or the packet's length.
    pub fn parse(packet: Captured<'a>) -> Result<Self, Undecoded> {
        match packet.bytes().first().map(|byte| byte >> 4) {
            Some(4) => {
                let packet = Self::parse_v4(packet)?;
                if packet.fragment.is_some() { Ok(packet) } else { packet.skip_extensions() }
            }
            Some(6) => Self::parse_v6(packet)?.skip_extensions(),
            Some(_) => Err(Undecoded::Malformed),
            None => Err(packet.lacks(1)),
        }
    }

    fn parse_v4(packet: Captured<'a>) -> Result<Self, Undecoded> {
        let Ok(header) = Ipv4HeaderSlice::from_slice(packet.bytes()) else {
            return Err(v4_header_error(packet));
        };
        let header_len = header.slice().len();
        let payload = match usize::from(header.total_len()) {
            // Segmentation offload: the interface fills it in after the capture. The rest of the packet.
            0 => packet.skip(header_len)?,
            total if total < header_len => return Err(Undecoded::Malformed),
            total => packet.with_len(total).skip(header_len)?,
        };
        let (more, offset) = (header.more_fragments(), header.fragments_offset().value());
        let identification = u32::from(header.identification());
        Ok(Self {
            src: IpAddr::V4(header.source_addr()),
            dst: IpAddr::V4(header.destination_addr()),
            protocol: header.protocol().0,
            payload,
            fragment: (more || offset != 0).then_some(Fragment { identification, offset: offset << 3, more }),
        })
    }

    fn parse_v6(packet: Captured<'a>) -> Result<Self, Undecoded> {
        let Ok(header) = Ipv6HeaderSlice::from_slice(packet.bytes()) else {
            return Err(packet.lacks(40));
        };
        let rest = packet.skip(header.slice().len())?;
        let payload = match usize::from(header.payload_length()) {
            // As in IPv4; and in packets over 64 KiB that Linux passes to its interfaces.
            0 => rest,
            len => rest.with_len(len),
        };
        Ok(Self {
            src: IpAddr::V6(header.source_addr()),
            dst: IpAddr::V6(header.destination_addr()),
            protocol: header.next_header().0,
            payload,
            fragment: None,
        })
    }

    /// Skips extension headers, up to the first Fragment header.
    ///
    /// # Errors
    /// A header was not captured, or there are too many.
    pub fn skip_extensions(mut self) -> Result<Self, Undecoded> {
        for _ in 0..=MAX_EXTENSIONS {
            let bytes = self.payload.bytes();
            let (next, len) = match self.protocol {
                protocol::AUTHENTICATION => {
                    let header = IpAuthHeaderSlice::from_slice(bytes).map_err(|_| self.extension_error())?;
                    (header.next_header(), header.slice().len())
                }
                _ if self.src.is_ipv4() => return Ok(self),
                protocol::FRAGMENT => {
                    let header = Ipv6FragmentHeaderSlice::from_slice(bytes).map_err(|_| self.extension_error())?;
                    // First and last fragment at once: a complete packet (RFC 6946).
                    if header.is_fragmenting_payload() {
                        self.fragment = Some(Fragment {
                            identification: header.identification(),
                            offset: header.fragment_offset().value() << 3,
                            more: header.more_fragments(),
                        });
                    }
                    (header.next_header(), header.slice().len())
                }
                protocol::HOP_BY_HOP
                | protocol::ROUTING
                | protocol::DESTINATION_OPTIONS
                | protocol::MOBILITY
                | protocol::HOST_IDENTITY
                | protocol::SHIM6 => {
                    let header = Ipv6RawExtHeaderSlice::from_slice(bytes).map_err(|_| self.extension_error())?;
                    (header.next_header(), header.slice().len())
                }
                _ => return Ok(self),
            };
            self.protocol = next.0;
            self.payload = self.payload.skip(len)?;
            if self.fragment.is_some() {
                return Ok(self);
            }
        }
        Err(Undecoded::Malformed)
    }

    /// Why an extension header does not fit into the captured bytes: the snaplen cut it, if it cut anything.
    #[cold]
    const fn extension_error(&self) -> Undecoded {
        if self.payload.cut() > 0 { Undecoded::HeaderCut } else { Undecoded::Malformed }
    }
}

/// Why an IPv4 header cannot be read: malformed, or not all of it captured.
#[cold]
fn v4_header_error(packet: Captured<'_>) -> Undecoded {
    match packet.bytes().first().map(|byte| usize::from(byte & 0xF) * 4) {
        Some(0..20) => Undecoded::Malformed,
        Some(header_len) => packet.lacks(header_len),
        None => packet.lacks(20),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::build;

    fn parse(bytes: &[u8]) -> Result<IpPacket<'_>, Undecoded> {
        IpPacket::parse(Captured::new(bytes, bytes.len()))
    }

    #[test]
    fn padding_is_left_out() {
        for v6 in [false, true] {
            let mut packet = build::ip(v6, 17, b"payload");
            packet.extend([0; 20]);
            let parsed = parse(&packet).unwrap();
            assert_eq!((parsed.payload.bytes(), parsed.payload.len()), (&b"payload"[..], 7));
            assert_eq!((parsed.protocol, parsed.fragment), (17, None));
            assert_eq!((parsed.src, parsed.dst), (build::client(v6).ip, build::server(v6).ip));
        }
    }

    #[test]
    fn the_snaplen_takes_from_the_end() {
        for v6 in [false, true] {
            let mut packet = build::ip(v6, 17, b"payload");
            packet.extend([0; 20]);
            let payload_at = packet.len() - 27;
            for captured in 0..packet.len() {
                let parsed = IpPacket::parse(Captured::new(&packet[..captured], packet.len()));
                if captured < payload_at {
                    assert_eq!(parsed, Err(Undecoded::HeaderCut), "at {captured}");
                } else {
                    let payload = parsed.unwrap().payload;
                    assert_eq!(payload.len(), 7);
                    assert_eq!(payload.bytes(), &b"payload"[..7.min(captured - payload_at)]);
                }
            }
        }
    }

    #[test]
    fn the_length_in_the_header_is_believed_over_the_records() {
        let packet = build::ip(false, 17, b"payload");
        let parsed = parse(&packet[..24]).unwrap();
        assert_eq!((parsed.payload.bytes(), parsed.payload.cut()), (&b"payl"[..], 3));
    }

    #[test]
    fn a_length_of_zero_means_the_rest() {
        for (v6, length_at) in [(false, 2), (true, 4)] {
            let mut packet = build::ip(v6, 6, b"segments to come");
            packet[length_at..length_at + 2].fill(0);
            assert_eq!(parse(&packet).unwrap().payload.bytes(), b"segments to come");
        }
    }

    #[test]
    fn impossible_headers() {
        let packet = build::ip(false, 17, b"payload");
        for (at, value) in [(0, 0x44), (0, 0x55), (3, 19)] {
            let mut packet = packet.clone();
            packet[at] = value;
            assert_eq!(parse(&packet), Err(Undecoded::Malformed), "{value:#x} at {at}");
        }
        assert_eq!(parse(&packet[..19]), Err(Undecoded::Malformed));
        assert_eq!(parse(&build::ip(true, 17, b"")[..39]), Err(Undecoded::Malformed));
        assert_eq!(parse(&[]), Err(Undecoded::Malformed));
    }

    #[test]
    fn extension_headers_are_skipped() {
        let mut packet = build::tcp_segment(false, b"data");
        let tcp = packet.clone();
        let kinds = [0, 43, 60, 51, 44, 135, 139, 140];
        let mut next = 6;
        for kind in kinds.into_iter().rev() {
            packet = build::extension(kind, next, &packet);
            next = kind;
        }
        let packet = build::ip(true, next, &packet);
        let parsed = parse(&packet).unwrap();
        assert_eq!((parsed.protocol, parsed.payload.bytes()), (6, &tcp[..]));
        let headers_end = packet.len() - tcp.len();
        for captured in 40..headers_end {
            let cut = IpPacket::parse(Captured::new(&packet[..captured], packet.len()));
            assert_eq!(cut, Err(Undecoded::HeaderCut), "at {captured}");
        }
        let nine = build::extension(60, 0, &packet[40..]);
        assert_eq!(parse(&build::ip(true, 60, &nine)), Err(Undecoded::Malformed), "one too many");
    }

    #[test]
    fn ipv4_has_only_the_authentication_header() {
        let tcp = build::tcp_segment(false, b"data");
        let packet = build::ip(false, 51, &build::extension(51, 6, &tcp));
        assert_eq!(parse(&packet).unwrap().payload.bytes(), &tcp[..]);
        let packet = build::ip(false, 60, &build::extension(60, 6, &tcp));
        assert_eq!(parse(&packet).unwrap().protocol, 60);
    }

    #[test]
    fn fragments_of_both_versions() {
        for v6 in [false, true] {
            let packet = build::fragment(v6, 7, 6, 1480, true, b"12345678");
            let parsed = parse(&packet).unwrap();
            let expected = Fragment { identification: 7, offset: 1480, more: true };
            assert_eq!((parsed.fragment, parsed.protocol), (Some(expected), 6));
            assert_eq!(parsed.payload.bytes(), b"12345678");
            let last = build::fragment(v6, 7, 51, 65528, false, b"1");
            let expected = Fragment { identification: 7, offset: 65528, more: false };
            assert_eq!(parse(&last).unwrap().fragment, Some(expected));
            let whole = build::fragment(v6, 7, 6, 0, false, b"1");
            assert_eq!(parse(&whole).unwrap().fragment, None);
        }
    }
}

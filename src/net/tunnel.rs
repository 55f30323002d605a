//! Tunnels: the IP packet inside an IP packet.
//!
//! In: the payload of an IP packet and its protocol. Out: the IP packet in it. IP in IP (RFC 2003, 2473, 4213), GRE (RFC
//! 2784, 2890) with IP, Ethernet or ERSPAN in it, VXLAN (RFC 7348), Geneve (RFC 8926). Not done here: PPTP's GRE, encrypted
//! tunnels, tunnels over UDP on other ports than the assigned ones.
//!
//! ```text
//! GRE         | C R K S, version 2 | type 2 | checksum 4 if C or R | key 4 if K | sequence 4 if S |
//! VXLAN       | flags 1 (I = 08) | reserved 3 | network 3 | reserved 1 |
//! Geneve      | version 2 bits, options 6 (words) | flags 1 | type 2 | network 3 | reserved 1 | options |
//! ```

use etherparse::UdpHeaderSlice;

use super::captured::{Captured, Undecoded};
use super::ip::protocol;
use super::link;

/// The port assigned to VXLAN, and the one that Linux used before.
const VXLAN_PORTS: [u16; 2] = [4789, 8472];
const GENEVE_PORT: u16 = 6081;

/// EtherTypes of ERSPAN in GRE: of types I and II, and of type III.
const ERSPAN: u16 = 0x88BE;
const ERSPAN_III: u16 = 0x22EB;

/// The IP packet inside the `payload` of an IP packet with that protocol.
///
/// # Errors
/// It is no tunnel, it has no IP packet in it, or one of its headers was not captured.
pub fn inside(protocol: u8, payload: Captured<'_>) -> Result<Captured<'_>, Undecoded> {
    match protocol {
        protocol::IPV4 | protocol::IPV6 => Ok(payload),
        protocol::GRE => gre(payload),
        protocol::UDP => udp(payload),
        _ => Err(Undecoded::OtherProtocol),
    }
}

/// Whether this UDP datagram, header included, goes to a tunnel's port.
#[must_use]
#[inline]
pub fn is_udp_tunnel(datagram: &[u8]) -> bool {
    matches!(datagram, [_, _, high, low, ..] if is_tunnel_port(u16::from_be_bytes([*high, *low])))
}

#[inline]
fn is_tunnel_port(port: u16) -> bool {
    port == GENEVE_PORT || VXLAN_PORTS.contains(&port)
}

fn udp(datagram: Captured<'_>) -> Result<Captured<'_>, Undecoded> {
    let header = UdpHeaderSlice::from_slice(datagram.bytes()).map_err(|_| datagram.lacks(8))?;
    let port = header.destination_port();
    if !is_tunnel_port(port) {
        return Err(Undecoded::OtherProtocol);
    }
    let rest = datagram.skip(header.slice().len())?;
    if port == GENEVE_PORT { geneve(rest) } else { vxlan(rest) }
}

fn vxlan(packet: Captured<'_>) -> Result<Captured<'_>, Undecoded> {
    let (header, frame) = packet.header::<8>()?;
    let valid_network = header.first().is_some_and(|flags| flags & 0x08 != 0);
    if valid_network { link::ethernet(frame) } else { Err(Undecoded::OtherProtocol) }
}

fn geneve(packet: Captured<'_>) -> Result<Captured<'_>, Undecoded> {
    let ([first, _, high, low, ..], rest) = packet.header::<8>()?;
    if first >> 6 != 0 {
        return Err(Undecoded::OtherProtocol);
    }
    let options = usize::from(first & 0x3F) * 4;
    link::of_type(u16::from_be_bytes([*high, *low]), rest.skip(options)?)
}

fn gre(packet: Captured<'_>) -> Result<Captured<'_>, Undecoded> {
    let ([flags, version, high, low], rest) = packet.header()?;
    if version & 0x07 != 0 {
        return Err(Undecoded::OtherProtocol);
    }
    // Checksum, Key, Sequence: each adds a word. The Routing field of RFC 1701 is not supported.
    let has = |bits: u8| flags & bits != 0;
    if has(0x40) {
        return Err(Undecoded::OtherProtocol);
    }
    let words = usize::from(has(0x80)) + usize::from(has(0x20)) + usize::from(has(0x10));
    let rest = rest.skip(words * 4)?;
    match u16::from_be_bytes([*high, *low]) {
        // Only type II has a sequence number; its header is 8 bytes long.
        ERSPAN => link::ethernet(if has(0x10) { rest.skip(8)? } else { rest }),
        ERSPAN_III => erspan_iii(rest),
        ethertype => link::of_type(ethertype, rest),
    }
}

/// A header of twelve bytes. The lowest bit of the last one announces eight more; bits 6 to 2 of the one before it are the
/// frame type, 0 for Ethernet.
fn erspan_iii(packet: Captured<'_>) -> Result<Captured<'_>, Undecoded> {
    let ([.., frame_type, options], frame) = packet.header::<12>()?;
    if frame_type >> 2 & 0x1F != 0 {
        return Err(Undecoded::OtherProtocol);
    }
    link::ethernet(if options & 1 != 0 { frame.skip(8)? } else { frame })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::build;

    const IP: [u8; 3] = [0x45, 1, 2];

    fn inside_of(protocol: u8, bytes: &[u8]) -> Result<Vec<u8>, Undecoded> {
        inside(protocol, Captured::new(bytes, bytes.len())).map(|packet| packet.bytes().to_vec())
    }

    #[test]
    fn every_tunnel_leads_to_ip() {
        for (name, protocol, packet) in build::tunnels(&IP, false).into_iter().chain(build::tunnels(&IP, true)) {
            assert_eq!(inside_of(protocol, &packet), Ok(IP.to_vec()), "{name}");
            for captured in 0..packet.len() - IP.len() {
                let cut = Captured::new(&packet[..captured], packet.len());
                assert_eq!(inside(protocol, cut), Err(Undecoded::HeaderCut), "{name} at {captured}");
            }
        }
    }

    #[test]
    fn other_payloads_are_no_tunnels() {
        let frame = build::ethernet(0x0800, &IP);
        assert_eq!(inside_of(17, &build::udp(53, &frame)), Err(Undecoded::OtherProtocol));
        let vxlan_without_network = [&[0; 8][..], &frame].concat();
        assert_eq!(inside_of(17, &build::udp(4789, &vxlan_without_network)), Err(Undecoded::OtherProtocol));
        let later_geneve = [&[0x40, 0, 0x65, 0x58, 0, 0, 1, 0][..], &frame].concat();
        assert_eq!(inside_of(17, &build::udp(6081, &later_geneve)), Err(Undecoded::OtherProtocol));
        let pptp = [&[0x30, 1, 0x88, 0x0B, 0, 0, 0, 0][..], &IP].concat();
        assert_eq!(inside_of(47, &pptp), Err(Undecoded::OtherProtocol));
        let routed = [&[0x40, 0, 8, 0, 0, 0, 0, 0][..], &IP].concat();
        assert_eq!(inside_of(47, &routed), Err(Undecoded::OtherProtocol));
        for other in [1, 50, 58, 132] {
            assert_eq!(inside_of(other, &IP), Err(Undecoded::OtherProtocol));
        }
    }
}

//! Packets for tests, built byte by byte.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::capture::LinkType;
use crate::types::Endpoint;

/// The sender of all packets.
pub(super) const fn client(v6: bool) -> Endpoint {
    let ip = if v6 {
        IpAddr::V6(Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, 1))
    } else {
        IpAddr::V4(Ipv4Addr::new(10, 77, 0, 1))
    };
    Endpoint { ip, port: 53830 }
}

/// Their receiver.
pub(super) const fn server(v6: bool) -> Endpoint {
    let ip = if v6 {
        IpAddr::V6(Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, 2))
    } else {
        IpAddr::V4(Ipv4Addr::new(10, 77, 0, 2))
    };
    Endpoint { ip, port: 8088 }
}

fn address(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

fn len16(bytes: &[u8]) -> [u8; 2] {
    u16::try_from(bytes.len()).unwrap().to_be_bytes()
}

/// Port 53830 to 8088, sequence number 1000, acknowledging 2000; 12 bytes of options if `options`.
pub(super) fn tcp_segment(options: bool, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xD2, 0x46, 0x1F, 0x98, 0, 0, 3, 0xE8, 0, 0, 7, 0xD0, 0x50, 0x18, 1, 0xF6, 0, 0, 0, 0];
    if options {
        bytes[12] = 0x80;
        bytes.extend([1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]);
    }
    bytes.extend(payload);
    bytes
}

/// An IPv4 or IPv6 packet from client to server.
pub(super) fn ip(v6: bool, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = if v6 {
        let [high, low] = len16(payload);
        vec![0x60, 0, 0, 0, high, low, protocol, 64]
    } else {
        let [high, low] = u16::try_from(payload.len() + 20).unwrap().to_be_bytes();
        vec![0x45, 0, high, low, 0x12, 0x34, 0x40, 0, 64, protocol, 0, 0]
    };
    bytes.extend(address(client(v6).ip));
    bytes.extend(address(server(v6).ip));
    bytes.extend(payload);
    bytes
}

/// A fragment; of IPv6, with a Fragment header.
pub(super) fn fragment(v6: bool, id: u16, protocol: u8, offset: u16, more: bool, payload: &[u8]) -> Vec<u8> {
    let [id_high, id_low] = id.to_be_bytes();
    if v6 {
        let [high, low] = (offset | u16::from(more)).to_be_bytes();
        let header = [protocol, 0, high, low, 0, 0, id_high, id_low];
        return ip(true, 44, &[&header[..], payload].concat());
    }
    let mut bytes = ip(false, protocol, payload);
    bytes[4..6].copy_from_slice(&[id_high, id_low]);
    bytes[6..8].copy_from_slice(&(offset >> 3 | u16::from(more) << 13).to_be_bytes());
    bytes
}

/// `payload` cut into fragments of `size` bytes, a multiple of 8.
pub(super) fn fragments(v6: bool, id: u16, protocol: u8, payload: &[u8], size: usize) -> Vec<Vec<u8>> {
    let count = payload.len().div_ceil(size);
    let parts = payload.chunks(size).enumerate();
    parts.map(|(i, part)| fragment(v6, id, protocol, u16::try_from(i * size).unwrap(), i + 1 < count, part)).collect()
}

/// An extension header of that kind, of 16 bytes, before `rest`; a Fragment header, of 8 bytes, of a complete packet.
pub(super) fn extension(kind: u8, next: u8, rest: &[u8]) -> Vec<u8> {
    let header: &[u8] = match kind {
        44 => &[next, 0, 0, 0, 0, 0, 0, 9],
        51 => &[next, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0xAA, 0xBB, 0xCC, 0xDD],
        _ => &[next, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    };
    [header, rest].concat()
}

/// An Ethernet frame.
pub(super) fn ethernet(ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let addresses = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    [&addresses, &ethertype.to_be_bytes()[..], payload].concat()
}

/// A UDP datagram to that port, from port 50000.
pub(super) fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(payload.len() + 8).unwrap();
    [&[0xC3, 0x50], &port.to_be_bytes()[..], &len.to_be_bytes(), &[0, 0], payload].concat()
}

/// `packet`, which begins with an IP header, after each known link header.
pub(super) fn links(packet: &[u8], v6: bool) -> Vec<(&'static str, LinkType, Vec<u8>)> {
    let ethertype: [u8; 2] = if v6 { [0x86, 0xDD] } else { [0x08, 0x00] };
    let family = if v6 { 30 } else { 2 };
    let after = |header: &[u8]| [header, packet].concat();
    let ether = |first: u16, shims: &[u8]| (LinkType::ETHERNET, ethernet(first, &after(shims)));
    let [high, low] = ethertype;
    let frame = ethernet(u16::from_be_bytes(ethertype), packet);
    let named = [
        ("Ethernet", ether(u16::from_be_bytes(ethertype), &[])),
        ("802.1Q", ether(0x8100, &[0, 7, high, low])),
        ("802.1ad", ether(0x88A8, &[0, 7, 0x81, 0, 0, 8, high, low])),
        ("old QinQ", ether(0x9100, &[0, 7, 0x92, 0, 0, 7, 0x81, 0, 0, 8, high, low])),
        ("five tags", ether(0x8100, &[0, 1, 0x81, 0, 0, 2, 0x81, 0, 0, 3, 0x81, 0, 0, 4, 0x81, 0, 0, 5, high, low])),
        ("SNAP", ether(100, &[0xAA, 0xAA, 3, 0, 0, 0, high, low])),
        ("MPLS", ether(0x8847, &[0, 1, 0, 64, 0, 2, 1, 64])),
        ("MPLS upstream, one label", ether(0x8848, &[0, 2, 1, 64])),
        ("pseudowire", (LinkType::ETHERNET, ethernet(0x8847, &[&[0, 2, 1, 64, 0, 0, 0, 1], &frame[..]].concat()))),
        ("PPPoE", ether(0x8864, &[0x11, 0, 0, 1, 0, 9, 0, if v6 { 0x57 } else { 0x21 }])),
        ("PPPoE in a VLAN", ether(0x8100, &[0, 7, 0x88, 0x64, 0x11, 0, 0, 1, 0, 9, 0, if v6 { 0x57 } else { 0x21 }])),
        ("NULL, little-endian", (LinkType::NULL, after(&[family, 0, 0, 0]))),
        ("NULL, big-endian", (LinkType::NULL, after(&[0, 0, 0, family]))),
        ("LOOP", (LinkType::LOOP, after(&[0, 0, 0, family]))),
        ("SLL", (LinkType::LINUX_SLL, after(&[0, 4, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, high, low]))),
        (
            "SLL, VLAN",
            (LinkType::LINUX_SLL, after(&[0, 4, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0x81, 0, 0, 7, high, low])),
        ),
        ("SLL2", (LinkType::LINUX_SLL2, after(&[high, low, 0, 0, 0, 0, 0, 3, 0, 1, 4, 6, 2, 0, 0, 0, 0, 1, 0, 0]))),
        ("raw", (LinkType::RAW, after(&[]))),
        ("raw, BSD", (LinkType(12), after(&[]))),
        ("raw, OpenBSD", (LinkType(14), after(&[]))),
        ("IPv4 or IPv6", (if v6 { LinkType::IPV6 } else { LinkType::IPV4 }, after(&[]))),
    ];
    named.into_iter().map(|(name, (link, bytes))| (name, link, bytes)).collect()
}

/// `packet`, which begins with an IP header, in each known tunnel: name and protocol of the tunnel, and the payload of that
/// protocol.
pub(super) fn tunnels(packet: &[u8], v6: bool) -> Vec<(&'static str, u8, Vec<u8>)> {
    let ethertype: [u8; 2] = if v6 { [0x86, 0xDD] } else { [0x08, 0x00] };
    let [high, low] = ethertype;
    let frame = ethernet(u16::from_be_bytes(ethertype), packet);
    let tagged = ethernet(0x8100, &[&[0, 7, high, low], packet].concat());
    let with = |header: &[u8], rest: &[u8]| [header, rest].concat();
    vec![
        ("IP in IP", if v6 { 41 } else { 4 }, packet.to_vec()),
        ("GRE", 47, with(&[0, 0, high, low], packet)),
        ("GRE, checksum", 47, with(&[0x80, 0, high, low, 1, 2, 0, 0], packet)),
        ("GRE, key", 47, with(&[0x20, 0, high, low, 0, 0, 0, 1], packet)),
        ("GRE, all", 47, with(&[0xB0, 0, high, low, 1, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2], packet)),
        ("GRE, Ethernet", 47, with(&[0x20, 0, 0x65, 0x58, 0, 0, 0, 1], &frame)),
        ("GRE, MPLS", 47, with(&[0, 0, 0x88, 0x47, 0, 2, 1, 64], packet)),
        ("ERSPAN I", 47, with(&[0, 0, 0x88, 0xBE], &frame)),
        ("ERSPAN II", 47, with(&[0x10, 0, 0x88, 0xBE, 0, 0, 0, 1, 0x10, 7, 0, 1, 0, 0, 0, 0], &tagged)),
        ("ERSPAN III", 47, with(&[0x10, 0, 0x22, 0xEB, 0, 0, 0, 1, 0x20, 7, 0, 1, 0, 0, 0, 0, 0, 0, 0x80, 0], &frame)),
        (
            "ERSPAN III, subheader",
            47,
            with(
                &[0x10, 0, 0x22, 0xEB, 0, 0, 0, 1, 0x20, 7, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
                &frame,
            ),
        ),
        ("VXLAN", 17, udp(4789, &with(&[8, 0, 0, 0, 0, 0, 42, 0], &frame))),
        ("VXLAN, Linux", 17, udp(8472, &with(&[8, 0, 0, 0, 0, 0, 42, 0], &tagged))),
        ("Geneve", 17, udp(6081, &with(&[0, 0, 0x65, 0x58, 0, 0, 42, 0], &frame))),
        ("Geneve, options", 17, udp(6081, &with(&[2, 0, high, low, 0, 0, 42, 0, 1, 2, 3, 1, 0, 0, 0, 0], packet))),
    ]
}

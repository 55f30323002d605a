//! The one writer of packets: a TCP segment in IPv4 or IPv6, with or without Ethernet, its checksums right.

use std::net::{IpAddr, Ipv4Addr};

use wslens::types::Endpoint;

pub(crate) const FIN: u8 = 1;
pub(crate) const SYN: u8 = 2;
pub(crate) const RST: u8 = 4;
pub(crate) const PSH: u8 = 8;
pub(crate) const ACK: u8 = 16;

/// The bits of a datagram that is no fragment: DF.
const WHOLE: u16 = 0x4000;

/// A TCP segment to be written (RFC 9293 §3.1).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Segment<'p> {
    pub(crate) src: Endpoint,
    pub(crate) dst: Endpoint,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    /// [`FIN`], [`SYN`] and so on.
    pub(crate) flags: u8,
    pub(crate) payload: &'p [u8],
}

impl Segment<'_> {
    /// In an Ethernet frame.
    pub(crate) fn ethernet(&self) -> Vec<u8> {
        let mut packet = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
        packet.extend(if self.src.ip.is_ipv4() { [8, 0] } else { [0x86, 0xdd] });
        self.write_ip(&mut packet);
        packet
    }

    /// In an IP packet, as link types RAW, IPV4 and IPV6 have it.
    pub(crate) fn ip(&self) -> Vec<u8> {
        let mut packet = Vec::with_capacity(60 + self.payload.len());
        self.write_ip(&mut packet);
        packet
    }

    /// The same, after what is in `out`.
    pub(crate) fn write_ip(&self, out: &mut Vec<u8>) {
        let len = 20 + self.payload.len();
        match (self.src.ip, self.dst.ip) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => write_ipv4([src, dst], len, [0, WHOLE], out),
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                out.extend([0x60, 0, 0, 0]);
                out.extend(u16::try_from(len).unwrap().to_be_bytes());
                out.extend([6, 64]);
                out.extend(src.octets());
                out.extend(dst.octets());
            }
            (src, dst) => panic!("{src} and {dst} are of two families"),
        }
        let at = out.len();
        out.extend(self.src.port.to_be_bytes());
        out.extend(self.dst.port.to_be_bytes());
        out.extend(self.seq.to_be_bytes());
        out.extend(self.ack.to_be_bytes());
        out.extend([5 << 4, self.flags, 0xfa, 0xf0, 0, 0, 0, 0]);
        out.extend(self.payload);
        let addresses = sum(&octets(self.src.ip)) + sum(&octets(self.dst.ip));
        let checksum = folded(addresses + 6 + len as u64 + sum(&out[at..]));
        out[at + 16..at + 18].copy_from_slice(&checksum);
    }
}

/// An IPv4 header before `len` bytes of TCP (RFC 791 §3.1); `fragment` is the identification, and flags and offset.
pub(crate) fn write_ipv4([src, dst]: [Ipv4Addr; 2], len: usize, fragment: [u16; 2], out: &mut Vec<u8>) {
    let at = out.len();
    out.extend([0x45, 0]);
    for number in [u16::try_from(20 + len).unwrap(), fragment[0], fragment[1], 0x4006, 0] {
        out.extend(number.to_be_bytes());
    }
    out.extend(src.octets());
    out.extend(dst.octets());
    let checksum = folded(sum(&out[at..]));
    out[at + 10..at + 12].copy_from_slice(&checksum);
}

/// An IPv4 endpoint.
pub(crate) fn address(ip: [u8; 4], port: u16) -> Endpoint {
    Endpoint { ip: IpAddr::V4(Ipv4Addr::from(ip)), port }
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

/// The sum of 16-bit words, of which the last may lack its second byte (RFC 1071).
fn sum(bytes: &[u8]) -> u64 {
    let words = bytes.chunks_exact(2);
    let last = words.remainder().first().map_or(0, |byte| u64::from(*byte) << 8);
    words.fold(last, |sum, word| sum + u64::from(u16::from_be_bytes([word[0], word[1]])))
}

/// The Internet checksum of a sum.
fn folded(mut sum: u64) -> [u8; 2] {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!u16::try_from(sum).unwrap()).to_be_bytes()
}

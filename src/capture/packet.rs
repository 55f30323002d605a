//! A packet as captured, borrowed from the block it was read into.

use crate::types::PacketRef;

/// The kind of the first header in a packet, as numbered in the pcap registry of link types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback: four bytes of address family, in the byte order of the machine that captured.
    pub const NULL: Self = Self(0);
    /// Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// Raw IP, its version in the first four bits; 12 and 14 are the same on some systems.
    pub const RAW: Self = Self(101);
    /// OpenBSD loopback: four bytes of address family in network order.
    pub const LOOP: Self = Self(108);
    /// Linux cooked capture, version 1.
    pub const LINUX_SLL: Self = Self(113);
    /// Raw IPv4.
    pub const IPV4: Self = Self(228);
    /// Raw IPv6.
    pub const IPV6: Self = Self(229);
    /// Linux cooked capture, version 2.
    pub const LINUX_SLL2: Self = Self(276);
}

/// One packet as captured.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// Its number over the whole input, and its time.
    pub seen: PacketRef,
    /// The kind of its first header.
    pub link: LinkType,
    /// The bytes that were captured.
    pub bytes: &'a [u8],
    /// Bytes on the wire: more than were captured if a snaplen cut the packet.
    pub original_len: u32,
}

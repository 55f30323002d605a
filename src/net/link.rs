//! Link headers: from a captured packet to the IP packet in it.
//!
//! In: a packet and its link type. Out: the IP packet. Ethernet with VLAN tags (802.1Q, 802.1ad, 0x9100), MPLS labels (RFC
//! 3032), PPPoE (RFC 2516), LLC with SNAP (RFC 1042); Linux cooked captures, versions 1 and 2; BSD loopback; raw IP. The
//! version of IP is read from the packet's own first four bits. Not done here: 802.11, PPP without PPPoE, MACsec.
//!
//! ```text
//! Ethernet    | destination 6 | source 6 | type 2 |
//! VLAN tag    | tag control 2 | type 2 |
//! MPLS        | label 20 bits, class 3, bottom of stack 1, TTL 8 |
//! PPPoE       | version, type 1 | code 1 | session 2 | length 2 | PPP protocol 2 |
//! LLC + SNAP  | AA AA 03 | organization 3 | type 2 |
//! SLL         | packet type 2 | hardware 2 | address length 2 | address 8 | type 2 |
//! SLL2        | type 2 | reserved 2 | interface 4 | hardware 2 | packet type 1 | address length 1 | address 8 |
//! NULL, LOOP  | address family 4 |
//! ```

use super::captured::{Captured, Undecoded};
use crate::capture::LinkType;

/// Raw IP, as numbered by BSD and OpenBSD.
const RAW_BSD: LinkType = LinkType(12);
const RAW_OPENBSD: LinkType = LinkType(14);

/// VLAN tags, labels and the like between a link header and the IP packet.
const MAX_SHIMS: usize = 16;

/// The EtherTypes that lead to IP.
mod ethertype {
    pub(super) const IPV4: u16 = 0x0800;
    pub(super) const IPV6: u16 = 0x86DD;
    /// Bridged Ethernet, as in GRE and Geneve.
    pub(super) const ETHERNET: u16 = 0x6558;
    pub(super) const VLAN: u16 = 0x8100;
    pub(super) const PROVIDER_VLAN: u16 = 0x88A8;
    /// VLAN tags used before 802.1ad.
    pub(super) const OLD_VLANS: core::ops::RangeInclusive<u16> = 0x9100..=0x9300;
    pub(super) const MPLS: u16 = 0x8847;
    pub(super) const MPLS_UPSTREAM: u16 = 0x8848;
    pub(super) const PPPOE_SESSION: u16 = 0x8864;
    /// Up to here it is a length, and LLC follows (802.3).
    pub(super) const LAST_LENGTH: u16 = 1500;
}

/// The IP packet in a packet of that link type.
///
/// # Errors
/// There is none, or a header before it was not captured.
pub fn ip_packet(link: LinkType, packet: Captured<'_>) -> Result<Captured<'_>, Undecoded> {
    match link {
        LinkType::ETHERNET => ethernet(packet),
        LinkType::RAW | RAW_BSD | RAW_OPENBSD | LinkType::IPV4 | LinkType::IPV6 => Ok(packet),
        LinkType::NULL | LinkType::LOOP => loopback(packet),
        LinkType::LINUX_SLL => {
            let ([.., high, low], rest) = packet.header::<16>()?;
            of_type(u16::from_be_bytes([*high, *low]), rest)
        }
        LinkType::LINUX_SLL2 => {
            let ([high, low, ..], rest) = packet.header::<20>()?;
            of_type(u16::from_be_bytes([*high, *low]), rest)
        }
        _ => Err(Undecoded::UnknownLink),
    }
}

/// The IP packet in an Ethernet frame.
///
/// # Errors
/// There is none, or a header before it was not captured.
pub fn ethernet(frame: Captured<'_>) -> Result<Captured<'_>, Undecoded> {
    let (ethertype, rest) = ethernet_header(frame)?;
    of_type(ethertype, rest)
}

/// The IP packet in the bytes `rest` that follow the EtherType `ethertype`, after tags and labels.
///
/// # Errors
/// There is none, or a header before it was not captured.
pub fn of_type(mut ethertype: u16, mut rest: Captured<'_>) -> Result<Captured<'_>, Undecoded> {
    for _ in 0..MAX_SHIMS {
        (ethertype, rest) = match ethertype {
            ethertype::IPV4 | ethertype::IPV6 => return Ok(rest),
            ethertype::VLAN | ethertype::PROVIDER_VLAN => vlan_tag(rest)?,
            old if ethertype::OLD_VLANS.contains(&old) && old & 0xFF == 0 => vlan_tag(rest)?,
            ethertype::MPLS | ethertype::MPLS_UPSTREAM => mpls_label(rest)?,
            ethertype::ETHERNET => ethernet_header(rest)?,
            ethertype::PPPOE_SESSION => pppoe(rest)?,
            0..=ethertype::LAST_LENGTH => snap(rest)?,
            _ => return Err(Undecoded::OtherProtocol),
        };
    }
    Err(Undecoded::OtherProtocol)
}

fn ethernet_header(frame: Captured<'_>) -> Result<(u16, Captured<'_>), Undecoded> {
    let ([.., high, low], rest) = frame.header::<14>()?;
    Ok((u16::from_be_bytes([*high, *low]), rest))
}

fn vlan_tag(tag: Captured<'_>) -> Result<(u16, Captured<'_>), Undecoded> {
    let ([_, _, high, low], rest) = tag.header()?;
    Ok((u16::from_be_bytes([*high, *low]), rest))
}

/// One label. No field names the payload of the last one. Its first four bits tell: the version of IP, or 0 in the control
/// word of an Ethernet pseudowire (RFC 4385 §3). A pseudowire without control word is not recognized.
fn mpls_label(label: Captured<'_>) -> Result<(u16, Captured<'_>), Undecoded> {
    let ([_, _, bottom, _], rest) = label.header()?;
    if bottom & 1 == 0 {
        return Ok((ethertype::MPLS, rest));
    }
    let ([first], _) = rest.header()?;
    match first >> 4 {
        4 => Ok((ethertype::IPV4, rest)),
        6 => Ok((ethertype::IPV6, rest)),
        0 => Ok((ethertype::ETHERNET, rest.skip(4)?)),
        _ => Err(Undecoded::OtherProtocol),
    }
}

/// A PPPoE session's payload: PPP without framing (RFC 2516 §6).
fn pppoe(session: Captured<'_>) -> Result<(u16, Captured<'_>), Undecoded> {
    let ([_, _, _, _, _, _, protocol @ ..], rest) = session.header::<8>()?;
    match u16::from_be_bytes(*protocol) {
        0x0021 => Ok((ethertype::IPV4, rest)),
        0x0057 => Ok((ethertype::IPV6, rest)),
        _ => Err(Undecoded::OtherProtocol),
    }
}

/// LLC with SNAP: an EtherType follows (RFC 1042).
fn snap(llc: Captured<'_>) -> Result<(u16, Captured<'_>), Undecoded> {
    match llc.header()? {
        ([0xAA, 0xAA, 0x03, 0, 0, 0, high, low], rest) => Ok((u16::from_be_bytes([*high, *low]), rest)),
        _ => Err(Undecoded::OtherProtocol),
    }
}

/// The address family is in the byte order of the machine that captured, which may differ from that of the file. AF_INET is
/// 2 everywhere, AF_INET6 is 10 on Linux, 23 on Windows, 24, 28 and 30 on the BSDs and macOS.
fn loopback(packet: Captured<'_>) -> Result<Captured<'_>, Undecoded> {
    match packet.header()? {
        ([family, 0, 0, 0] | [0, 0, 0, family], rest) if matches!(family, 2 | 10 | 23 | 24 | 28 | 30) => Ok(rest),
        _ => Err(Undecoded::OtherProtocol),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::build;

    const IP: [u8; 3] = [0x45, 1, 2];

    fn inside(link: LinkType, bytes: &[u8]) -> Result<Vec<u8>, Undecoded> {
        ip_packet(link, Captured::new(bytes, bytes.len())).map(|packet| packet.bytes().to_vec())
    }

    #[test]
    fn every_link_type_leads_to_ip() {
        for (name, link, packet) in build::links(&IP, false).into_iter().chain(build::links(&IP, true)) {
            assert_eq!(inside(link, &packet), Ok(IP.to_vec()), "{name}");
        }
    }

    #[test]
    fn headers_cut_at_every_length() {
        for (name, link, packet) in build::links(&IP, false) {
            for captured in 0..packet.len() - IP.len() {
                let cut = Captured::new(&packet[..captured], packet.len());
                assert_eq!(ip_packet(link, cut), Err(Undecoded::HeaderCut), "{name} at {captured}");
            }
        }
    }

    #[test]
    fn other_protocols_are_reported_as_such() {
        let arp = build::ethernet(0x0806, &[0; 28]);
        let spanning_tree = build::ethernet(38, &[0x42, 0x42, 3, 0, 0, 0, 0, 0, 0, 0]);
        let discovery = build::ethernet(0x8863, &[0x11, 9, 0, 0, 0, 4, 1, 1, 0, 0]);
        let ppp_lcp = build::ethernet(0x8864, &[0x11, 0, 0, 1, 0, 4, 0xC0, 0x21, 1, 1]);
        for frame in [arp, spanning_tree, discovery, ppp_lcp] {
            assert_eq!(inside(LinkType::ETHERNET, &frame), Err(Undecoded::OtherProtocol));
        }
        assert_eq!(inside(LinkType::NULL, &[7, 0, 0, 0, 0x45]), Err(Undecoded::OtherProtocol));
        assert_eq!(inside(LinkType::NULL, &[2, 0, 0, 2, 0x45]), Err(Undecoded::OtherProtocol));
        assert_eq!(inside(LinkType(147), &IP), Err(Undecoded::UnknownLink));
    }

    #[test]
    fn tags_are_bounded() {
        let tagged = |tags: usize| {
            let mut bytes = [0x81, 0, 0, 7].repeat(tags);
            bytes.splice(..2, []);
            bytes.extend([8, 0]);
            bytes.extend(IP);
            build::ethernet(0x8100, &bytes)
        };
        assert_eq!(inside(LinkType::ETHERNET, &tagged(MAX_SHIMS - 1)), Ok(IP.to_vec()));
        assert_eq!(inside(LinkType::ETHERNET, &tagged(MAX_SHIMS + 1)), Err(Undecoded::OtherProtocol));
    }
}

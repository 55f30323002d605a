use super::*;
use crate::types::PacketRef;

/// An Ethernet packet of a TCP segment from 10.0.0.1:`from` to 10.0.0.2:`to`, with IPv4 options to move the ports.
fn tcp(from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
    let total = u16::try_from(24 + 20 + payload.len()).unwrap();
    let mut out = [[2; 6], [4; 6]].concat();
    out.extend([8, 0, 0x46, 0]);
    out.extend(total.to_be_bytes());
    out.extend([0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 1, 1, 1, 0]);
    out.extend([from.to_be_bytes(), to.to_be_bytes()].concat());
    out.extend([0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x18, 1, 0, 0, 0, 0, 0]);
    out.extend(payload);
    out
}

fn packet(link: LinkType, bytes: &[u8], original_len: u32) -> Packet<'_> {
    Packet { seen: PacketRef::default(), link, bytes, original_len }
}

fn matches(expression: &str, link: LinkType, bytes: &[u8]) -> bool {
    let original_len = u32::try_from(bytes.len()).unwrap();
    Filter::new(expression).unwrap().matches(&packet(link, bytes, original_len))
}

#[test]
fn packets_are_selected() {
    let bytes = tcp(40_000, 8080, b"GET /chat HTTP/1.1\r\n");
    for (expression, expected) in [
        ("", true),
        ("tcp", true),
        ("udp", false),
        ("ip6", false),
        ("tcp port 8080", true),
        ("tcp src port 8080", false),
        ("host 10.0.0.2 and not portrange 1-100", true),
        ("src net 10.0.0.0/31 and dst net 10.0.0.0/31", false),
        ("tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420", true),
        ("tcp[tcpflags] & (tcp-syn|tcp-fin) != 0", false),
        ("len % 7 = 3 and (ip[2:2] - 24) * 2 > 70", bytes.len() % 7 == 3),
        ("ether src 04:04:04:04:04:04", true),
    ] {
        assert_eq!(matches(expression, LinkType::ETHERNET, &bytes), expected, "{expression}");
    }
}

#[test]
fn each_link_type_has_a_program_of_its_own() {
    let ethernet = tcp(1, 443, b"");
    let ip = &ethernet[14..];
    let sll = [&[0, 0, 0, 1, 0, 6, 4, 4, 4, 4, 4, 4, 0, 0, 8, 0][..], ip].concat();
    let sll2 = [&[8, 0, 0, 0, 0, 0, 0, 3, 0, 1, 0, 6, 4, 4, 4, 4, 4, 4, 0, 0][..], ip].concat();
    let mut filter = Filter::new("tcp dst port 443").unwrap();
    for _ in 0..3 {
        for (link, bytes) in [
            (LinkType::ETHERNET, ethernet.as_slice()),
            (LinkType::RAW, ip),
            (LinkType::IPV4, ip),
            (LinkType::LINUX_SLL, &sll),
            (LinkType::LINUX_SLL2, &sll2),
        ] {
            assert!(filter.matches(&packet(link, bytes, 64)), "{link:?}");
        }
    }
    assert_eq!(filter.take_warnings(), []);
}

#[test]
fn lengths_are_those_on_the_wire() {
    let bytes = tcp(1, 2, b"cut");
    let mut filter = Filter::new("greater 1000").unwrap();
    assert!(filter.matches(&packet(LinkType::ETHERNET, &bytes, 1_514)));
    assert!(!filter.matches(&packet(LinkType::ETHERNET, &bytes, 999)));
}

#[test]
fn a_mistake_is_an_error_at_once() {
    for mistake in ["tcp prot 80", "port", "host 300.1.2.3", "tcp and (", "no\0thing"] {
        let error = Filter::new(mistake).err().unwrap();
        let CaptureError::Filter { expression, message } = error else { panic!("{error:?}") };
        assert_eq!(expression, mistake);
        assert!(!message.is_empty(), "{mistake}");
    }
    let error = Filter::new("tcp prot 80").err().unwrap();
    assert!(error.to_string().contains("syntax error"), "{error}");
}

#[test]
fn packets_of_a_link_type_that_the_filter_does_not_apply_to_do_not_match_and_there_is_a_warning() {
    let ethernet = tcp(1, 2, b"");
    let mut filter = Filter::new("ether src 04:04:04:04:04:04").unwrap();
    for _ in 0..3 {
        assert!(filter.matches(&packet(LinkType::ETHERNET, &ethernet, 64)));
        assert!(!filter.matches(&packet(LinkType::RAW, &ethernet[14..], 50)));
    }
    assert!(matches!(&filter.take_warnings()[..], [Warning::FilterLink { link: LinkType::RAW, .. }]));
    // An expression for another link type than Ethernet is no mistake.
    assert!(Filter::new("ifindex 3").is_ok());
}

#[test]
fn programs_and_warnings_are_bounded() {
    let mut filter = Filter::new("tcp").unwrap();
    for link in 0..2_000 {
        filter.matches(&packet(LinkType(link), &[0; 64], 64));
    }
    assert!(filter.programs.len() <= MAX_PROGRAMS && filter.warnings.len() <= MAX_WARNINGS);
}

#[test]
fn the_virtual_machine_agrees_with_libpcaps() {
    let dead = pcap::Capture::dead(pcap::Linktype::ETHERNET).unwrap();
    let packets = [tcp(80, 40_000, b"some payload"), [&[2; 12][..], &[0x86, 0xdd, 0x60], &[6; 70]].concat()];
    for expression in [
        "tcp port 80",
        "not tcp",
        "ip6 and tcp",
        "ip6 proto 6 or vlan",
        "tcp[2:2] > 1000 and tcp[20] = 0x73",
        "ip[0] & 0xf != 5",
        "len > 60 or less 40",
        "(ip[8] << 3 | ip[9]) ^ ip[1] > 500 and ip[12] / (ip[13] + 1) = 10",
        "ip[9] / ip[1] = 0",
        "-(ip[8]) < 0 or ether[ether[0]:2] = 0x0404",
        "ip broadcast or ether multicast or net 10.0.0.0/8",
        "tcp[tcpflags] = tcp-push|tcp-ack",
        "ip6 protochain 6",
    ] {
        for optimize in [false, true] {
            let theirs = dead.compile(expression, optimize).unwrap();
            let ours = Program::decode(theirs.get_instructions().iter().map(ToString::to_string)).unwrap();
            for bytes in &packets {
                for len in 0..=bytes.len() {
                    let cut = &bytes[..len];
                    let found = ours.matches(cut, u32::try_from(len).unwrap());
                    assert_eq!(found, theirs.filter(cut), "{expression}, {len} bytes");
                }
            }
        }
    }
}

//! Packets of every link type, tunnel and combination of them; cut, mutated, in fragments; and real captures.

use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::net::{TcpFlags, build};
use crate::types::{PacketRef, Timestamp};

const PAYLOAD: &[u8] = b"GET /chat HTTP/1.1\r\n";

fn decoder() -> Decoder {
    Decoder::new(&Limits::default())
}

fn packet(link: LinkType, bytes: &[u8]) -> Packet<'_> {
    Packet { seen: PacketRef::default(), link, bytes, original_len: u32::try_from(bytes.len()).unwrap() }
}

/// TCP over IP in every link type; over every link type and tunnel with both versions inside and outside; and more.
fn corpus() -> Vec<(String, LinkType, Vec<u8>)> {
    let mut all = Vec::new();
    for v6 in [false, true] {
        let tcp = build::tcp_segment(v6, PAYLOAD);
        let ip = build::ip(v6, 6, &tcp);
        for (name, link, bytes) in build::links(&ip, v6) {
            all.push((name.to_owned(), link, bytes));
        }
        for (tunnel, protocol, payload) in build::tunnels(&ip, v6) {
            for outer_v6 in [false, true] {
                let outer = build::ip(outer_v6, protocol, &payload);
                let mut links = build::links(&outer, outer_v6);
                let (name, link, bytes) = links.swap_remove(all.len() % links.len());
                all.push((format!("{tunnel} in {name}"), link, bytes));
            }
        }
        let mut nested = ip;
        for _ in 0..MAX_TUNNELS {
            nested = build::ip(false, if v6 && nested[0] == 0x60 { 41 } else { 4 }, &nested);
        }
        all.push(("tunnels in tunnels".to_owned(), LinkType::RAW, nested));
        let extended = build::extension(0, 60, &build::extension(60, 6, &tcp));
        all.push(("extensions".to_owned(), LinkType::RAW, build::ip(true, 0, &extended)));
        let authenticated = build::extension(51, 6, &tcp);
        all.push(("authentication".to_owned(), LinkType::RAW, build::ip(v6, 51, &authenticated)));
    }
    let mut options = build::ip(false, 6, &[&[1; 8][..], &build::tcp_segment(false, PAYLOAD)].concat());
    options[0] = 0x47;
    all.push(("IPv4 options".to_owned(), LinkType::RAW, options));
    all
}

#[test]
fn every_wrapping_gives_the_same_segment() {
    for (name, link, bytes) in corpus() {
        let mut decoder = decoder();
        let segment =
            decoder.decode(&packet(link, &bytes)).and_then(Transport::segment).unwrap_or_else(|| panic!("{name}"));
        let v6 = segment.src.ip.is_ipv6();
        assert_eq!((segment.src, segment.dst), (build::client(v6), build::server(v6)), "{name}");
        assert_eq!((segment.seq.0, segment.ack.0, segment.window), (1000, 2000, 502), "{name}");
        assert_eq!(segment.flags, TcpFlags { ack: true, ..TcpFlags::default() }, "{name}");
        assert_eq!((segment.payload, segment.cut), (PAYLOAD, 0), "{name}");
        assert_eq!(decoder.counts(), Counts { segments: 1, ..Counts::default() }, "{name}");
        assert_eq!(decoder.held(), 0, "{name}");
    }
}

#[test]
fn cut_at_every_length() {
    for (name, link, bytes) in corpus() {
        let options = if bytes[bytes.len() - PAYLOAD.len() - 12..].starts_with(&[1, 1, 8, 10]) { 12 } else { 0 };
        let headers = bytes.len() - PAYLOAD.len() - options;
        for captured in 0..bytes.len() {
            let mut decoder = decoder();
            let cut = Packet { bytes: &bytes[..captured], ..packet(link, &bytes) };
            let segment = decoder.decode(&cut).and_then(Transport::segment);
            assert_eq!(segment.is_some(), captured >= headers, "{name} at {captured}");
            if let Some(segment) = segment {
                assert_eq!(segment.payload, &PAYLOAD[..captured.saturating_sub(headers + options)], "{name}");
                assert_eq!(segment.payload.len() + segment.cut as usize, PAYLOAD.len(), "{name} at {captured}");
            }
            let expected = Counts { cut_packets: 1, ..Counts::default() };
            let expected = if captured >= headers {
                Counts { segments: 1, ..expected }
            } else {
                Counts { header_cut: 1, ..expected }
            };
            assert_eq!(decoder.counts(), expected, "{name} at {captured}");
        }
    }
}

#[test]
fn every_wrapping_gives_the_same_datagram() {
    for v6 in [false, true] {
        let udp = build::udp(4434, PAYLOAD);
        let ip = build::ip(v6, 17, &udp);
        let mut all = build::links(&ip, v6);
        for (tunnel, protocol, payload) in build::tunnels(&ip, v6) {
            all.push((tunnel, LinkType::RAW, build::ip(false, protocol, &payload)));
        }
        for (name, link, bytes) in all {
            for cut in 0..PAYLOAD.len() {
                let mut decoder = decoder();
                let packet = Packet { bytes: &bytes[..bytes.len() - cut], ..packet(link, &bytes) };
                let Some(Transport::Udp(datagram)) = decoder.decode(&packet) else { panic!("{name}") };
                assert_eq!((datagram.src.ip, datagram.src.port), (build::client(v6).ip, 50_000), "{name}");
                assert_eq!((datagram.dst.ip, datagram.dst.port), (build::server(v6).ip, 4434), "{name}");
                assert_eq!(datagram.payload, &PAYLOAD[..PAYLOAD.len() - cut], "{name}");
                assert_eq!(datagram.payload_len, PAYLOAD.len(), "{name}");
                let expected = Counts { datagrams: 1, cut_packets: u64::from(cut > 0), ..Counts::default() };
                assert_eq!((decoder.counts(), decoder.held()), (expected, 0), "{name}");
            }
        }
        let parts = build::fragments(v6, 9, 17, &udp, 16);
        let mut decoder = decoder();
        let last = parts.iter().filter_map(|part| match decoder.decode(&packet(LinkType::RAW, part)) {
            Some(Transport::Udp(datagram)) => Some(datagram.payload.to_vec()),
            _ => None,
        });
        assert_eq!(last.collect::<Vec<_>>(), [PAYLOAD]);
        assert_eq!((decoder.counts().datagrams, decoder.counts().fragments), (1, 2));
    }
}

#[test]
fn padding_and_offload() {
    let ip = build::ip(false, 6, &build::tcp_segment(false, b"ab"));
    let mut frame = build::ethernet(0x0800, &ip);
    frame.resize(60, 0xEE);
    let mut decoder = decoder();
    let padded = decoder.decode(&packet(LinkType::ETHERNET, &frame)).and_then(Transport::segment);
    assert_eq!(padded.unwrap().payload, b"ab");
    let mut offloaded = build::ethernet(0x0800, &ip);
    offloaded[16..18].fill(0);
    for captured in [offloaded.len(), offloaded.len() - 1] {
        let cut = Packet { bytes: &offloaded[..captured], ..packet(LinkType::ETHERNET, &offloaded) };
        let segment = decoder.decode(&cut).and_then(Transport::segment).unwrap();
        assert_eq!((segment.payload.len() + segment.cut as usize, segment.cut), (2, u32::from(captured < 56)));
    }
}

#[test]
fn packets_without_tcp_and_udp_are_counted() {
    let mut decoder = decoder();
    let icmp = build::ip(false, 1, &[8, 0, 0, 0]);
    let udp = build::ip(false, 17, &build::udp(53, b"query"));
    let mut bad_udp = udp.clone();
    bad_udp[25] = 7;
    let arp = build::ethernet(0x0806, &[0; 46]);
    let mut bad = build::ip(false, 6, &build::tcp_segment(false, b""));
    bad[32] = 0x40;
    let mut deep = build::ip(false, 6, &build::tcp_segment(false, b""));
    for _ in 0..=MAX_TUNNELS {
        deep = build::ip(false, 4, &deep);
    }
    for (link, bytes) in [
        (LinkType::RAW, &icmp[..]),
        (LinkType::RAW, &bad_udp),
        (LinkType::ETHERNET, &arp),
        (LinkType::RAW, &deep),
        (LinkType::RAW, &bad),
        (LinkType::RAW, &[]),
        (LinkType(147), &udp),
        (LinkType(148), &udp),
    ] {
        assert!(decoder.decode(&packet(link, bytes)).is_none());
    }
    let expected = Counts {
        other_protocol: 3,
        malformed: 3,
        unknown_link: 2,
        first_unknown_link: Some(LinkType(147)),
        ..Counts::default()
    };
    assert_eq!(decoder.counts(), expected);
}

/// The payload and `cut` of all segments from these IP packets, the n-th of them captured at second n.
fn segments(decoder: &mut Decoder, ip_packets: &[Vec<u8>]) -> Vec<(Vec<u8>, u32, u64)> {
    let mut found = Vec::new();
    for (number, bytes) in (1_u64..).zip(ip_packets) {
        let at = Timestamp::from_nanos(i64::try_from(number).unwrap() * 1_000_000_000);
        let packet = Packet { seen: PacketRef { packet: number, at }, ..packet(LinkType::RAW, bytes) };
        if let Some(Transport::Tcp(segment)) = decoder.decode(&packet) {
            found.push((segment.payload.to_vec(), segment.cut, segment.seen.packet));
        }
    }
    found
}

#[test]
fn fragments_give_the_segment_of_their_packet() {
    let payload: Vec<u8> = (0..6000_u32).map(|i| 0x50 + u8::try_from(i % 16).unwrap()).collect();
    for v6 in [false, true] {
        let tcp = build::tcp_segment(true, &payload);
        let plain = build::fragments(v6, 5, 6, &tcp, 2048);
        let authenticated = build::fragments(v6, 5, 51, &build::extension(51, 6, &tcp), 2048);
        let inner = build::ip(v6, 6, &tcp);
        let (_, protocol, tunnel) = build::tunnels(&inner, v6).swap_remove(11);
        let around_tunnel = build::fragments(v6, 5, protocol, &tunnel, 2048);
        let in_tunnel = plain.iter().map(|part| build::ip(v6, if v6 { 41 } else { 4 }, part)).collect();
        for fragments in [plain, authenticated, around_tunnel, in_tunnel] {
            let mut decoder = decoder();
            let last = u64::try_from(fragments.len()).unwrap();
            assert_eq!(segments(&mut decoder, &fragments), [(payload.clone(), 0, last)]);
            assert_eq!(decoder.counts(), Counts { segments: 1, fragments: last, ..Counts::default() });
            assert!(decoder.held() >= payload.len(), "the segment's bytes");
            decoder.finish();
            assert_eq!(decoder.counts().lost_datagrams, 0);
        }
    }
}

#[test]
fn fragments_in_fragments() {
    let tcp = build::tcp_segment(false, &[7; 500]);
    let mut packets = build::fragments(false, 1, 6, &tcp, 104);
    for level in 2..5 {
        packets = packets
            .iter()
            .zip(0..)
            .flat_map(|(part, i)| build::fragments(false, level * 100 + i, 4, part, 64))
            .collect();
    }
    assert!(packets.len() > 20);
    let mut decoder = decoder();
    let last = u64::try_from(packets.len()).unwrap();
    assert_eq!(segments(&mut decoder, &packets), [(vec![7; 500], 0, last)]);
    assert_eq!(decoder.counts().fragments, last);
}

#[test]
fn the_snaplen_cuts_fragments() {
    let payload: Vec<u8> = (0..200).collect();
    let tcp = build::tcp_segment(false, &payload);
    let whole = build::fragments(false, 1, 6, &tcp, 80);
    for cut in 0..whole.len() {
        for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
            for captured in 20..whole[cut].len() {
                let mut decoder = decoder();
                let mut found = None;
                for index in order {
                    let part = packet(LinkType::RAW, &whole[index]);
                    let bytes = if index == cut { &part.bytes[..captured] } else { part.bytes };
                    if let Some(Transport::Tcp(segment)) = decoder.decode(&Packet { bytes, ..part }) {
                        found = Some((segment.payload.to_vec(), segment.cut as usize));
                    }
                }
                let known = cut * 80 + captured - 20;
                if known < 20 {
                    assert_eq!((found, decoder.counts().header_cut), (None, 1));
                } else {
                    assert_eq!(found, Some((payload[..known - 20].to_vec(), 200 - (known - 20))));
                }
            }
        }
    }
}

#[test]
fn bad_fragments_are_counted() {
    let mut decoder = decoder();
    let death = build::fragment(false, 1, 6, 65528, false, &[0; 100]);
    let odd = build::fragment(true, 1, 6, 0, true, &[0; 9]);
    let empty = build::fragment(true, 1, 6, 8, true, &[]);
    assert_eq!(segments(&mut decoder, &[death, odd, empty]), []);
    assert_eq!(decoder.counts(), Counts { fragments: 3, malformed: 3, ..Counts::default() });
    assert_eq!(segments(&mut decoder, &[build::fragment(false, 1, 6, 0, true, &[0; 8])]), []);
    decoder.finish();
    assert_eq!(decoder.counts().lost_datagrams, 1);
}

/// The corpus, and UDP.
static TO_MUTATE: LazyLock<Vec<(String, LinkType, Vec<u8>)>> = LazyLock::new(|| {
    let mut all = corpus();
    for v6 in [false, true] {
        let udp = build::ip(v6, 17, &build::udp(53, b"who is it?"));
        all.extend(build::links(&udp, v6).into_iter().map(|(name, link, bytes)| (name.to_owned(), link, bytes)));
    }
    all
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::common::effort::cases(2_000, 50_000)))]

    /// The fast way and the general way agree on every packet that the fast way takes; and every packet counts once.
    #[test]
    fn plain_is_no_different(
        which in 0_usize..1000,
        changes in prop::collection::vec((0_usize..200, any::<u8>()), 0..6),
        kept in 0_usize..120,
        more in 0_u32..100,
    ) {
        let corpus = &*TO_MUTATE;
        let (_, link, mut bytes) = corpus[which % corpus.len()].clone();
        for (at, value) in changes {
            let len = bytes.len();
            bytes[at % len] = value;
        }
        let original_len = u32::try_from(bytes.len()).unwrap() + more;
        bytes.truncate(kept);
        let packet = Packet { original_len, ..packet(link, &bytes) };
        if let Some(plain) = plain_packet(&packet) {
            let ip = link::ip_packet(link, all(&packet)).unwrap();
            let datagram = IpPacket::parse(ip).unwrap();
            prop_assert_eq!(datagram.fragment, None);
            let long = transport(&datagram, packet.seen).unwrap().unwrap();
            prop_assert_eq!(format!("{plain:?}"), format!("{long:?}"));
        }
        let mut decoder = decoder();
        let (tcp, udp) = match decoder.decode(&packet) {
            Some(Transport::Tcp(_)) => (1, 0),
            Some(Transport::Udp(_)) => (0, 1),
            None => (0, 0),
        };
        let counts = decoder.counts();
        prop_assert_eq!((counts.segments, counts.datagrams), (tcp, udp));
        let others = counts.other_protocol + counts.malformed + counts.header_cut + counts.unknown_link;
        let yielded = tcp + udp + others;
        prop_assert!(yielded + counts.fragments == 1 || (counts.fragments == 1 && yielded == 1), "{:?}", counts);
    }

    /// Fragments of several packets, mutated and shuffled, do no harm.
    #[test]
    fn mutated_fragments(
        changes in prop::collection::vec((0_usize..64, 0_usize..60, any::<u8>()), 0..40),
        order in prop::collection::vec(any::<u32>(), 64),
    ) {
        let mut packets = Vec::new();
        for id in 0..4 {
            for v6 in [false, true] {
                packets.extend(build::fragments(v6, id, 6, &build::tcp_segment(true, &[0x55; 300]), 64));
            }
        }
        for (which, at, value) in changes {
            let which = which % packets.len();
            let len = packets[which].len();
            packets[which][at % len] = value;
        }
        let mut shuffled: Vec<_> = order.into_iter().zip(packets).collect();
        shuffled.sort();
        let packets: Vec<_> = shuffled.into_iter().map(|(_, bytes)| bytes).collect();
        let mut decoder = Decoder::new(&Limits { max_datagrams: 5, max_datagram_bytes: 4000, ..Limits::default() });
        segments(&mut decoder, &packets);
        prop_assert!(decoder.held() < 20_000, "{}", decoder.held());
    }
}

/// A capture: its link type, then original length and bytes of each packet.
type Capture = (LinkType, Vec<(u32, Vec<u8>)>);

/// Sequence number, payload and `cut` of a segment.
type Payload = (u32, Vec<u8>, usize);

/// Reads a classic pcap file; `None` where the captures are not available.
fn read_pcap(name: &str) -> Option<Capture> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/captures/real").join(name);
    let Ok(file) = std::fs::read(&path) else {
        crate::common::skip::skip("captures in ../shared");
        return None;
    };
    let little = file[0] != 0xA1;
    let u32_at = |at: usize| {
        let bytes = file[at..at + 4].try_into().unwrap();
        if little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) }
    };
    let mut packets = Vec::new();
    let mut at = 24;
    while at + 16 <= file.len() {
        let end = at + 16 + u32_at(at + 8) as usize;
        packets.push((u32_at(at + 12), file[at + 16..end].to_vec()));
        at = end;
    }
    Some((LinkType(u16::try_from(u32_at(20)).unwrap()), packets))
}

/// The segments that have payload; and the counts.
fn payloads(name: &str) -> Option<(Vec<Payload>, Counts)> {
    let (link, packets) = read_pcap(name)?;
    let mut decoder = decoder();
    let mut found = Vec::new();
    for (original_len, bytes) in &packets {
        let packet = Packet { original_len: *original_len, ..packet(link, bytes) };
        if let Some(Transport::Tcp(segment)) = decoder.decode(&packet) {
            found.push((segment.seq.0, segment.payload.to_vec(), segment.cut as usize));
        }
    }
    decoder.finish();
    found.retain(|(_, payload, cut)| payload.len() + cut > 0);
    Some((found, decoder.counts()))
}

#[test]
fn captures_made_from_one_hold_the_same_payload() {
    let Some((base, counts)) = payloads("net-base.pcap") else { return };
    assert_eq!((counts.segments, base.len() > 40), (95, true));
    let same = ["bigendian", "nanosecond", "vlan", "qinq", "rawip", "null-le", "null-be", "vxlan", "gre", "ipfrag"];
    for name in same {
        let (found, counts) = payloads(&format!("{name}.pcap")).unwrap();
        assert_eq!(found, base, "{name}");
        assert_eq!(counts, Counts { segments: 95, fragments: counts.fragments, ..Counts::default() }, "{name}");
        assert_eq!(counts.fragments > 0, name == "ipfrag", "{name}");
    }
    let (snapped, counts) = payloads("snaplen96.pcap").unwrap();
    assert_eq!(counts.header_cut, 0);
    assert!(counts.cut_packets > 10);
    assert_eq!(snapped.len(), base.len());
    for ((seq, payload, cut), (base_seq, base_payload, _)) in snapped.iter().zip(&base) {
        assert_eq!((seq, payload.len() + cut), (base_seq, base_payload.len()));
        assert!(base_payload.starts_with(payload));
    }
}

#[test]
fn captures_on_other_links_are_all_tcp() {
    for name in ["any-sll", "any-sll2", "ipv6", "veth-offload", "loopback-offload", "net-jitter-mix"] {
        let Some((link, packets)) = read_pcap(&format!("{name}.pcap")) else { return };
        let (found, counts) = payloads(&format!("{name}.pcap")).unwrap();
        let Counts { datagrams, other_protocol, .. } = counts;
        let segments = u64::try_from(packets.len()).unwrap() - datagrams - other_protocol;
        assert_eq!(counts, Counts { segments, datagrams, other_protocol, ..Counts::default() }, "{name}, {link:?}");
        assert!(datagrams + other_protocol < 10 && found.iter().all(|(_, _, cut)| *cut == 0), "{name}");
        assert!(found.iter().any(|(_, payload, _)| payload.starts_with(b"GET /")), "{name}");
    }
}

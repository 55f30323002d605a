//! Any bytes as packets of any link type: at most one segment or datagram each, that lies within what was captured and says
//! how much was not; every packet is counted once; fragments, and flows of QUIC, stay within their limits.
//!
//! The script: a link type, then packets: two bytes of length and flags, a byte of time, the bytes.

use wslens::capture::{LinkType, Packet};
use wslens::net::{Decoder, Transport};
use wslens::quic::Recognizer;
use wslens::types::{Limits, PacketRef, Timestamp};

use super::script::Script;

const LINKS: [LinkType; 8] = [
    LinkType::NULL,
    LinkType::ETHERNET,
    LinkType::RAW,
    LinkType::LOOP,
    LinkType::LINUX_SLL,
    LinkType::IPV4,
    LinkType::IPV6,
    LinkType::LINUX_SLL2,
];

pub(crate) fn packets(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let limits = Limits { max_datagrams: 4, max_datagram_bytes: 8 << 10, ..Limits::default() };
    let mut decoder = Decoder::new(&limits);
    let link = script.byte();
    let link = LINKS.get(usize::from(link % 16)).copied().unwrap_or(LinkType(u16::from(link)));
    let mut quic = Recognizer::default();
    let (mut packets, mut segments, mut datagrams, mut nanos) = (0, 0, 0, 0_i64);
    while !script.is_over() {
        let head = script.number();
        nanos = nanos.wrapping_add(i64::from(script.byte()) << 26);
        let bytes = script.take(usize::from(head & 0x7ff));
        let len = u32::try_from(bytes.len()).unwrap_or(0);
        // 0 to 15 times 100 bytes were cut off; and nonsense, which a file may say too.
        let original_len = if head >> 15 == 1 { len / 2 } else { len + u32::from(head >> 11 & 15) * 100 };
        packets += 1;
        let seen = PacketRef { packet: packets, at: Timestamp::from_nanos(nanos) };
        match decoder.decode(&Packet { seen, link, bytes, original_len }) {
            Some(Transport::Tcp(segment)) => {
                segments += 1;
                assert_eq!(segment.seen.packet, packets);
                assert!(
                    segment.payload.len() <= 65_535 && segment.cut <= 65_535,
                    "an IP packet is no longer than that"
                );
                assert!(segment.payload.len() as u64 + u64::from(segment.cut) <= 1 << 16);
            }
            Some(Transport::Udp(datagram)) => {
                datagrams += 1;
                assert_eq!(datagram.seen.packet, packets);
                assert!(datagram.payload.len() <= datagram.payload_len && datagram.payload_len <= 65_535);
                quic.add(&datagram);
                assert!(quic.packets() <= datagrams && quic.held() <= 200_000, "holds {}", quic.held());
            }
            None => {}
        }
        assert!(decoder.held() <= (8 << 10) + (64 << 10) + (16 << 10), "holds {}", decoder.held());
    }
    let held = decoder.counts();
    decoder.finish();
    let counts = decoder.counts();
    assert_eq!((counts.segments, counts.datagrams), (segments, datagrams));
    let others = counts.datagrams + counts.other_protocol + counts.malformed + counts.header_cut + counts.unknown_link;
    assert!(segments + others <= packets && packets <= segments + others + counts.fragments, "{counts:?}");
    assert!(counts.lost_datagrams >= held.lost_datagrams && counts.cut_packets <= packets);
}

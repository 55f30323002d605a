//! Real headers of every type, and what looks like one and is none.

use proptest::prelude::*;

use super::*;

/// A client's Initial packet (RFC 9001, Appendix A.2): Length is 1182, and the datagram 1200 bytes.
const CLIENT_INITIAL: &[u8] =
    &[0xC0, 0, 0, 0, 1, 8, 0x83, 0x94, 0xC8, 0xF0, 0x3E, 0x51, 0x57, 0x08, 0, 0, 0x44, 0x9E, 0x7B, 0x9A, 0xEC, 0x34];
/// A server's, which is not padded (Appendix A.3).
const SERVER_INITIAL: &[u8] =
    &[0xCF, 0, 0, 0, 1, 0, 8, 0xF0, 0x67, 0xA5, 0x50, 0x2A, 0x42, 0x62, 0xB5, 0, 0x40, 0x75, 0xC0, 0xD9];
/// A Retry packet (Appendix A.4), all of it.
const RETRY: &[u8] = &[
    0xFF, 0, 0, 0, 1, 0, 8, 0xF0, 0x67, 0xA5, 0x50, 0x2A, 0x42, 0x62, 0xB5, 0x74, 0x6F, 0x6B, 0x65, 0x6E, 0x04, 0xA2,
    0x65, 0xBA, 0x2E, 0xFF, 0x4D, 0x82, 0x90, 0x58, 0xFB, 0x3F, 0x0F, 0x24, 0x96, 0xBA,
];
/// The same in version 2 (RFC 9369, Appendix A.2 and A.4).
const CLIENT_INITIAL_2: &[u8] =
    &[0xD3, 0x6B, 0x33, 0x43, 0xCF, 8, 0x83, 0x94, 0xC8, 0xF0, 0x3E, 0x51, 0x57, 0x08, 0, 0, 0x44, 0x9E, 0xA0, 0xC9];
const RETRY_2: &[u8] = &[
    0xCF, 0x6B, 0x33, 0x43, 0xCF, 0, 8, 0xF0, 0x67, 0xA5, 0x50, 0x2A, 0x42, 0x62, 0xB5, 0x74, 0x6F, 0x6B, 0x65, 0x6E,
    0xC8, 0x64, 0x6C, 0xE8, 0xBF, 0xE3, 0x39, 0x52, 0xD9, 0x55, 0x54, 0x36, 0x65, 0xDC, 0xC7, 0xB6,
];

/// `header` with as many bytes after it as make `len`.
fn padded(header: &[u8], len: usize) -> Vec<u8> {
    let mut bytes = header.to_vec();
    bytes.resize(len, 0x5A);
    bytes
}

fn shows(bytes: &[u8]) -> bool {
    is_long_header(bytes, bytes.len())
}

/// A packet of that first byte and version, without connection IDs, whose fields after them are `rest`.
fn packet(first: u8, version: u32, rest: &[u8], len: usize) -> Vec<u8> {
    padded(&[&[first], &version.to_be_bytes()[..], &[0, 0], rest].concat(), len)
}

#[test]
fn every_type_of_both_versions() {
    assert!(shows(&padded(CLIENT_INITIAL, 1200)));
    assert!(shows(&padded(CLIENT_INITIAL_2, 1200)));
    assert!(shows(RETRY) && shows(RETRY_2));
    for (version, zero_rtt, handshake) in [(VERSION_1, 0xD0, 0xE0), (0xFF00_001D, 0xD0, 0xE0), (VERSION_2, 0xE0, 0xF0)]
    {
        for first in [zero_rtt, handshake] {
            assert!(shows(&packet(first, version, &[0x14], 28)), "{first:#x} of {version:#x}");
            assert!(!shows(&packet(first, version, &[0x15], 28)), "longer than the datagram");
            assert!(!shows(&packet(first, version, &[0x13], 28)), "too short for what protects the header");
        }
    }
}

#[test]
fn an_initial_packet_fills_its_datagram() {
    let initial = padded(CLIENT_INITIAL, 1200);
    assert!(!shows(&initial[..1199]));
    assert!(!shows(&padded(SERVER_INITIAL, 135)), "what only acknowledges is no evidence");
    assert!(shows(&padded(SERVER_INITIAL, 1200)), "with a packet of another type after it");
    let beyond = [&initial[..16], &[0x44, 0x9F], &initial[18..]].concat();
    assert!(!shows(&beyond), "Length is one too many");
    let token = packet(0xC0, VERSION_1, &[0x44, 0x88], 1200);
    assert!(!shows(&token), "the Length after a token of 1160 bytes is beyond the datagram");
}

#[test]
fn connection_ids_have_twenty_bytes_at_most() {
    for (destination, source) in [(0, 0), (20, 20), (21, 0), (0, 21), (255, 0)] {
        let mut bytes = vec![0xE0, 0, 0, 0, 1, destination];
        bytes.extend(vec![7; usize::from(destination)]);
        bytes.push(source);
        bytes.extend(vec![7; usize::from(source)]);
        bytes.push(20);
        bytes.extend([7; 20]);
        assert_eq!(shows(&bytes), destination <= 20 && source <= 20, "{destination} and {source}");
    }
}

#[test]
fn only_versions_of_this_form() {
    for version in [2, 0x0000_0100, 0x6B33_43CE, 0xFF00_0015, 0xFF00_0023, 0x5130_3530, 0x1A2A_3A4A, u32::MAX] {
        assert!(!shows(&packet(0xE0, version, &[0x14], 28)), "{version:#x}");
    }
    for first in [0x00, 0x40, 0x80, 0xA0] {
        assert!(!shows(&packet(first, VERSION_1, &[0x14], 28)), "first byte {first:#x}");
    }
}

#[test]
fn version_negotiation_names_a_version() {
    let negotiation = |first, versions: &[u32]| {
        let versions: Vec<u8> = versions.iter().flat_map(|version| version.to_be_bytes()).collect();
        packet(first, NEGOTIATION, &versions, 7 + versions.len())
    };
    for first in [0x80, 0xC0, 0xFF] {
        assert!(shows(&negotiation(first, &[1])));
        assert!(shows(&negotiation(first, &[0x1A2A_3A4A, VERSION_2, 1])));
        assert!(!shows(&negotiation(first, &[])));
        assert!(!shows(&negotiation(first, &[0x1A2A_3A4A, 0])));
        assert!(!shows(&[&negotiation(first, &[1])[..], &[0]].concat()), "not in units of four bytes");
    }
}

#[test]
fn a_retry_packet_has_a_token() {
    for len in 0..RETRY.len() {
        assert_eq!(shows(&RETRY[..len]), len >= 15 + 17, "{len}");
    }
}

#[test]
fn as_much_as_the_snaplen_left() {
    for whole in [padded(CLIENT_INITIAL, 1252), padded(CLIENT_INITIAL_2, 1200), padded(RETRY, 100)] {
        for captured in 0..whole.len() {
            assert_eq!(is_long_header(&whole[..captured], whole.len()), captured >= 5, "{captured}");
        }
    }
    let long_id = [0xC0, 0, 0, 0, 1, 21];
    assert!(!is_long_header(&long_id, 1200), "what is there is checked");
    assert!(!is_long_header(&[0xE0, 0, 0, 0, 1, 20], 25), "an ID beyond the datagram");
    assert!(!is_long_header(&packet(0xC0, NEGOTIATION, &[], 7), 48), "a version has to be seen");
}

#[test]
fn other_protocols_over_udp_are_none() {
    let ntp_request = padded(&[0xE3, 0, 0, 0, 0], 48);
    let mut ntp_zeros = vec![0; 48];
    ntp_zeros[0] = 0xE3;
    // Id 0xCC00, no flags, one question: reads as version 0.
    let dns = [&[0xCC, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3][..], b"www\x07example\x03com\0\0\x01\0\x01"].concat();
    let rtp = [&[0x80, 0x60, 0, 1, 0, 0, 0, 1][..], &[0; 40]].concat();
    let rtcp = [&[0x81, 0xC8, 0, 6, 0, 0, 0, 1][..], &[0; 20]].concat();
    let stun = [&[0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42][..], &[7; 12]].concat();
    let dtls = [&[22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 1, 0, 30][..], &[0; 30]].concat();
    let wireguard = [&[1, 0, 0, 0][..], &[9; 144]].concat();
    let l2tp = [&[0xC8, 0x02, 0, 0x14, 0, 0, 0, 0, 0, 0, 0, 1][..], &[0; 8]].concat();
    let openvpn = [&[0x38, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0][..], &[0; 8]].concat();
    let quake = [&[0xFF; 4][..], b"getstatus"].concat();
    let of_ones = vec![0xFF; 1200];
    let all = [ntp_request, ntp_zeros, dns, rtp, rtcp, stun, dtls, wireguard, l2tp, openvpn, quake, of_ones];
    for (index, bytes) in all.iter().enumerate() {
        assert!(!shows(bytes), "number {index}");
    }
}

#[test]
fn random_bytes_are_none() {
    // xorshift64: the same bytes in each run.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = vec![0; 1 << 20];
    for eight in random.chunks_exact_mut(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        eight.copy_from_slice(&state.to_le_bytes());
    }
    let found = (0..random.len() - 1400).filter(|at| shows(&random[*at..at + 1400])).count();
    assert_eq!(found, 0);
}

proptest! {
    /// Any bytes, also behind a version that is known, cut anywhere: an answer.
    #[test]
    fn any_bytes(mut bytes in prop::collection::vec(any::<u8>(), 0..80), more in 0_usize..1400, version in 0_usize..6) {
        let version = [VERSION_1, VERSION_2, NEGOTIATION, 0xFF00_001D].get(version);
        if let (Some(version), Some(place)) = (version, bytes.get_mut(1..5)) {
            place.copy_from_slice(&version.to_be_bytes());
        }
        let shown = is_long_header(&bytes, bytes.len() + more);
        prop_assert!(!shown || bytes.len() >= 5 && bytes[0] & FORM_BIT != 0);
    }
}

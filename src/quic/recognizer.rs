//! QUIC packets after the first: between which addresses and ports a long header was seen.
//!
//! In: datagrams. Out: whether each is QUIC. What is kept is bounded: two sets of flows, the newer of which takes the older
//! one's place when it is full, so that a flow is forgotten only after [`MAX_FLOWS`] others were seen since its last packet.

use hashbrown::HashSet;

use super::is_long_header;
use crate::net::Datagram;
use crate::types::Endpoint;

/// Flows of one set: 84 KiB.
const MAX_FLOWS: usize = 1024;

/// Addresses and ports of both sides, the lesser first.
type Flow = (Endpoint, Endpoint);

/// Recognizes QUIC among UDP datagrams, and counts it.
#[derive(Debug, Default)]
pub struct Recognizer {
    packets: u64,
    newer: HashSet<Flow>,
    older: HashSet<Flow>,
}

impl Recognizer {
    /// Counts `datagram` if it is QUIC: if it begins with a long header, or is not empty and belongs to a flow in which one
    /// was seen.
    #[inline]
    pub fn add(&mut self, datagram: &Datagram<'_>) {
        let has_form_bit = datagram.payload.first().is_some_and(|first| first & 0x80 != 0);
        if has_form_bit || !self.newer.is_empty() {
            self.packets += u64::from(self.is_quic(datagram));
        }
    }

    /// Packets of QUIC so far.
    #[must_use]
    pub const fn packets(&self) -> u64 {
        self.packets
    }

    /// Bytes that it is keeping.
    #[must_use]
    pub fn held(&self) -> usize {
        self.newer.allocation_size().saturating_add(self.older.allocation_size())
    }

    fn is_quic(&mut self, datagram: &Datagram<'_>) -> bool {
        let Datagram { src, dst, payload, payload_len, .. } = *datagram;
        let flow = (src.min(dst), src.max(dst));
        if self.newer.contains(&flow) {
            return payload_len > 0;
        }
        let is_quic = is_long_header(payload, payload_len) || payload_len > 0 && self.older.contains(&flow);
        if is_quic {
            self.remember(flow);
        }
        is_quic
    }

    fn remember(&mut self, flow: Flow) {
        if self.newer.len() >= MAX_FLOWS {
            self.older = core::mem::take(&mut self.newer);
        }
        self.newer.insert(flow);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::types::PacketRef;

    /// A Retry packet (RFC 9001, Appendix A.4).
    const RETRY: [u8; 36] = [
        0xFF, 0, 0, 0, 1, 0, 8, 0xF0, 0x67, 0xA5, 0x50, 0x2A, 0x42, 0x62, 0xB5, 0x74, 0x6F, 0x6B, 0x65, 0x6E, 0x04,
        0xA2, 0x65, 0xBA, 0x2E, 0xFF, 0x4D, 0x82, 0x90, 0x58, 0xFB, 0x3F, 0x0F, 0x24, 0x96, 0xBA,
    ];
    const SHORT: &[u8] = &[0x4C, 0xFE, 0x41, 0x89];

    fn end(host: u8, port: u16) -> Endpoint {
        Endpoint { ip: IpAddr::V4(Ipv4Addr::new(10, 0, 0, host)), port }
    }

    fn is_quic(recognizer: &mut Recognizer, src: Endpoint, dst: Endpoint, payload: &[u8]) -> bool {
        let before = recognizer.packets();
        let seen = PacketRef::default();
        recognizer.add(&Datagram { src, dst, seen, payload, payload_len: payload.len() });
        recognizer.packets() > before
    }

    #[test]
    fn short_headers_are_quic_after_a_long_one() {
        let mut recognizer = Recognizer::default();
        let (client, server) = (end(1, 50_000), end(2, 4434));
        assert!(!is_quic(&mut recognizer, client, server, SHORT), "nothing shows it yet");
        assert!(is_quic(&mut recognizer, server, client, &RETRY));
        for (src, dst) in [(client, server), (server, client)] {
            assert!(is_quic(&mut recognizer, src, dst, SHORT));
            assert!(is_quic(&mut recognizer, src, dst, &[0x0C, 1, 2, 3]), "the fixed bit may be cleared");
            assert!(!is_quic(&mut recognizer, src, dst, &[]));
        }
        for (src, dst) in [(end(1, 50_001), server), (client, end(2, 443)), (end(3, 50_000), server)] {
            assert!(!is_quic(&mut recognizer, src, dst, SHORT), "other ports, another host");
        }
        assert_eq!(recognizer.packets(), 5);
    }

    #[test]
    fn flows_are_bounded_and_the_busy_ones_stay() {
        let mut recognizer = Recognizer::default();
        let (server, busy) = (end(2, 443), end(1, 1));
        let mut most = 0;
        for host in 3..10 {
            for port in 1..=1000 {
                assert!(is_quic(&mut recognizer, end(host, port), server, &RETRY));
                assert!(is_quic(&mut recognizer, busy, server, if (host, port) == (3, 1) { &RETRY } else { SHORT }));
                most = most.max(recognizer.held());
            }
        }
        assert!(!is_quic(&mut recognizer, end(3, 7), server, SHORT), "it was forgotten");
        assert!(is_quic(&mut recognizer, end(9, 1000), server, SHORT));
        assert!((80_000..200_000).contains(&most), "{most}");
    }
}

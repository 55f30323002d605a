//! The identifier of a connection, which is the same whatever files or threads it was read with.
//!
//! In: addresses, time and sequence number of the TCP connection's first packet. Out: 128 bits. The hashed bytes are part
//! of the interface: users may compute a uid from a packet themselves.

use core::fmt;
use std::net::IpAddr;

use sha1::{Digest, Sha1};

use super::{Endpoint, Timestamp};

/// 128 bits that identify a connection: see [`Origin`] for the parts that are hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uid(pub [u8; 16]);

/// The parts of a connection that a [`Uid`] is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin<'a> {
    /// The label of the capture (`--capture`), empty without one.
    pub capture: &'a str,
    /// Both ends of the TCP connection, in any order.
    pub ends: [Endpoint; 2],
    /// The time of its first packet.
    pub first: Timestamp,
    /// The sequence number of its first packet (RFC 9293 §3.1).
    pub first_seq: u32,
    /// The HTTP/2 stream that carries the WebSocket, where one does (RFC 8441).
    pub stream_id: Option<u64>,
    /// How many WebSockets were requested before on the same TCP connection (or HTTP/2 stream), mostly refused ones.
    pub attempt: u32,
}

impl Uid {
    /// The first 16 bytes of the SHA-1 of these, integers in network order:
    ///
    /// ```text
    /// length of the label   4 bytes
    /// label                 UTF-8
    /// each end, lower one   4 or 6          1 byte, the version of IP
    ///   first (version,     address         4 or 16 bytes
    ///   address, port)      port            2 bytes
    /// first packet's time   8 bytes, signed, nanoseconds since 1970
    /// its sequence number   4 bytes
    /// HTTP/2 stream         0, or 1 and the stream in 4 bytes, or 2 and a larger one in 8
    /// earlier attempts      nothing where there are none, else their number in 4 bytes
    /// ```
    #[must_use]
    pub fn of(origin: &Origin<'_>) -> Self {
        let mut hash = Sha1::new();
        let label = origin.capture.as_bytes();
        hash.update(u32::try_from(label.len()).unwrap_or(u32::MAX).to_be_bytes());
        hash.update(label);
        let [one, other] = origin.ends;
        for end in if one <= other { [one, other] } else { [other, one] } {
            match end.ip {
                IpAddr::V4(ip) => {
                    hash.update([4]);
                    hash.update(ip.octets());
                }
                IpAddr::V6(ip) => {
                    hash.update([6]);
                    hash.update(ip.octets());
                }
            }
            hash.update(end.port.to_be_bytes());
        }
        hash.update(origin.first.as_nanos().to_be_bytes());
        hash.update(origin.first_seq.to_be_bytes());
        match origin.stream_id {
            None => hash.update([0]),
            Some(stream) => match u32::try_from(stream) {
                Ok(stream) => {
                    hash.update([1]);
                    hash.update(stream.to_be_bytes());
                }
                Err(_) => {
                    hash.update([2]);
                    hash.update(stream.to_be_bytes());
                }
            },
        }
        if origin.attempt > 0 {
            hash.update(origin.attempt.to_be_bytes());
        }
        let digest: [u8; 20] = hash.finalize().into();
        Self(digest.first_chunk().copied().unwrap_or_default())
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: Origin<'_> = Origin {
        capture: "sensor-1",
        ends: [
            Endpoint { ip: IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 9)), port: 51_000 },
            Endpoint { ip: IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)), port: 80 },
        ],
        first: Timestamp::from_nanos(1_795_364_345_123_456_789),
        first_seq: 0xdead_beef,
        stream_id: None,
        attempt: 0,
    };

    #[test]
    fn the_documented_bytes_are_hashed() {
        let mut bytes = b"\0\0\0\x08sensor-1\x04\x0a\0\0\x01\0\x50\x04\x0a\0\0\x09\xc7\x38".to_vec();
        bytes.extend(1_795_364_345_123_456_789_i64.to_be_bytes());
        bytes.extend(*b"\xde\xad\xbe\xef\0");
        let expected: [u8; 20] = Sha1::digest(&bytes).into();
        assert_eq!(Uid::of(&ORIGIN).0, expected[..16]);
        bytes.pop();
        bytes.extend(*b"\x01\0\0\0\x05");
        let expected: [u8; 20] = Sha1::digest(&bytes).into();
        assert_eq!(Uid::of(&Origin { stream_id: Some(5), ..ORIGIN }).0, expected[..16]);
    }

    #[test]
    fn either_end_may_come_first_and_nothing_else_may_change() {
        let uid = Uid::of(&ORIGIN);
        let [a, b] = ORIGIN.ends;
        assert_eq!(Uid::of(&Origin { ends: [b, a], ..ORIGIN }), uid);
        let v6 = Endpoint { ip: "fd00::1".parse().unwrap(), port: 80 };
        for other in [
            Origin { capture: "sensor-2", ..ORIGIN },
            Origin { ends: [a, v6], ..ORIGIN },
            Origin { ends: [a, Endpoint { port: 81, ..b }], ..ORIGIN },
            Origin { first: Timestamp::from_nanos(-1), ..ORIGIN },
            Origin { first_seq: 0, ..ORIGIN },
            Origin { stream_id: Some(0), ..ORIGIN },
            Origin { stream_id: Some(1 << 32), ..ORIGIN },
            Origin { attempt: 1, ..ORIGIN },
        ] {
            assert_ne!(Uid::of(&other), uid, "{other:?}");
        }
    }

    #[test]
    fn it_prints_32_digits() {
        let mut bytes = [0; 16];
        bytes[15] = 0xab;
        assert_eq!(Uid(bytes).to_string(), "000000000000000000000000000000ab");
    }
}

//! Community ID version 1: a name for a TCP connection that Zeek, Suricata, Wireshark and Arkime compute alike.
//!
//! In: two endpoints. Out: `1:` and 28 characters of base64. The hash is SHA-1 over seed, addresses, protocol, a zero
//! byte and ports in network order, the lower endpoint first. The specification is `corelight/community-id-spec`.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use crate::types::Endpoint;

/// TCP's number among the protocols over IP.
const TCP: u8 = 6;

/// The Community ID of a TCP connection, with seed 0; the ends in any order.
#[must_use]
pub fn community_id(one: Endpoint, other: Endpoint) -> String {
    let (low, high) = if one <= other { (one, other) } else { (other, one) };
    let mut hash = Sha1::new();
    hash.update([0, 0]);
    for end in [low, high] {
        match end.ip {
            IpAddr::V4(ip) => hash.update(ip.octets()),
            IpAddr::V6(ip) => hash.update(ip.octets()),
        }
    }
    hash.update([TCP, 0]);
    hash.update(low.port.to_be_bytes());
    hash.update(high.port.to_be_bytes());
    let mut id = String::from("1:");
    STANDARD.encode_string(hash.finalize(), &mut id);
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(ip: &str, port: u16) -> Endpoint {
        Endpoint { ip: ip.parse().unwrap(), port }
    }

    /// The TCP baselines that the specification publishes for seed 0.
    #[test]
    fn published_examples() {
        let (client, server) = (end("128.232.110.120", 34_855), end("66.35.250.204", 80));
        assert_eq!(community_id(client, server), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
        assert_eq!(community_id(server, client), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
    }

    #[test]
    fn equal_addresses_are_ordered_by_port() {
        let (low, high) = (end("fd00::1", 80), end("fd00::1", 51_000));
        assert_eq!(community_id(low, high), community_id(high, low));
        assert_ne!(community_id(low, high), community_id(low, low));
    }
}

//! Which connection a segment belongs to: one key for both directions.
//!
//! In: the two endpoints of a segment. Out: a key that is the same for both directions, and which of the two sent.
//! Pure functions; nothing here knows who is the client.

use core::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::types::{Direction, Endpoint};

/// Addresses and ports of a connection, the lower endpoint first.
///
/// ```text
/// word   0    1    2    3    4    5    6    7    8
/// IPv4   low  high port 0    0    0    0    0    0       port: low's in the upper half, high's in the lower
/// IPv6   low............     high............    port
/// ```
///
/// The two families cannot be confused: an IPv6 key whose last five words are zero has `::` for its higher endpoint,
/// hence for its lower one too, and is zero throughout.
#[derive(Debug, Clone, Copy, Eq)]
pub(super) struct FlowKey([u32; 9]);

/// One of the two endpoints of a connection, by their order in the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The lower endpoint.
    Low,
    /// The higher endpoint.
    High,
}

/// One value for each endpoint, about the bytes that it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct PerSide<T> {
    low: T,
    high: T,
}

/// A hash of a connection's endpoints, the same for both directions and in every run: for distributing connections among
/// workers. It is no defence against a sender who wants them all in one place.
///
/// ```text
/// flow_hash(a, b) = mix(mix(a) + mix(b))     an endpoint: its address's words and its port, folded into 64 bits
/// ```
#[must_use]
#[inline]
pub fn flow_hash(src: Endpoint, dst: Endpoint) -> u64 {
    mix(mix(folded(src)).wrapping_add(mix(folded(dst))))
}

#[inline]
fn folded(end: Endpoint) -> u64 {
    let port = u64::from(end.port);
    match end.ip {
        IpAddr::V4(ip) => u64::from(ip.to_bits()) << 16 | port,
        IpAddr::V6(ip) => {
            let (high, low) = (ip.to_bits() >> 64, ip.to_bits() & u128::from(u64::MAX));
            let half = |half: u128| u64::try_from(half).unwrap_or(0);
            mix(half(high)).wrapping_add(half(low)).rotate_left(16) ^ port
        }
    }
}

/// The last step of `SplitMix64`: every bit of the result depends on every bit of `x`.
#[inline]
const fn mix(x: u64) -> u64 {
    let x = (x ^ x >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ x >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ x >> 31
}

impl FlowKey {
    /// The key of the connection, and which of its endpoints `src` is.
    pub(super) fn of(src: Endpoint, dst: Endpoint) -> (Self, Side) {
        Self::v4(src, dst).unwrap_or_else(|| Self::v6((as_v6(src.ip), src.port), (as_v6(dst.ip), dst.port)))
    }

    /// The same, for IPv4 only.
    #[inline]
    pub(super) fn v4(src: Endpoint, dst: Endpoint) -> Option<(Self, Side)> {
        let (IpAddr::V4(from), IpAddr::V4(to)) = (src.ip, dst.ip) else { return None };
        // Address and port in one word: one comparison puts the endpoints in order.
        let pack = |ip: Ipv4Addr, port: u16| u64::from(ip.to_bits()) << 16 | u64::from(port);
        let (from, to) = (pack(from, src.port), pack(to, dst.port));
        let side = if from <= to { Side::Low } else { Side::High };
        let (low, high) = (from.min(to), from.max(to));
        let address = |packed: u64| u32::try_from(packed >> 16 & 0xFFFF_FFFF).unwrap_or(0);
        let ports = u32::try_from((low & 0xFFFF) << 16 | high & 0xFFFF).unwrap_or(0);
        Some((Self([address(low), address(high), ports, 0, 0, 0, 0, 0, 0]), side))
    }

    fn v6(from: (Ipv6Addr, u16), to: (Ipv6Addr, u16)) -> (Self, Side) {
        let side = if from <= to { Side::Low } else { Side::High };
        let ((low, low_port), (high, high_port)) = if side == Side::Low { (from, to) } else { (to, from) };
        let ([a, b, c, d], [e, f, g, h]) = (words(low), words(high));
        (Self([a, b, c, d, e, f, g, h, ports(low_port, high_port)]), side)
    }
}

impl PartialEq for FlowKey {
    /// Without a branch; comparing the arrays would be a call.
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
    }
}

impl Hash for FlowKey {
    /// Two or five writes: a fast hasher takes a third of the time for the short form.
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self([a, b, c, d, e, f, g, h, i]) = *self;
        let pair = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
        state.write_u64(pair(a, b));
        if e | f | g | h | i == 0 {
            state.write_u64(pair(c, d));
        } else {
            state.write_u64(pair(c, d));
            state.write_u64(pair(e, f));
            state.write_u64(pair(g, h));
            state.write_u32(i);
        }
    }
}

impl Side {
    /// The other one.
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::High => Self::Low,
        }
    }

    /// The direction of its bytes, given which side is the client.
    pub(super) fn direction(self, client: Self) -> Direction {
        if self == client { Direction::ToServer } else { Direction::ToClient }
    }
}

impl<T> PerSide<T> {
    pub(super) const fn get(&self, side: Side) -> &T {
        match side {
            Side::Low => &self.low,
            Side::High => &self.high,
        }
    }

    pub(super) const fn get_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Low => &mut self.low,
            Side::High => &mut self.high,
        }
    }

    /// The value of `side`, and that of the other side.
    pub(super) const fn both_mut(&mut self, side: Side) -> (&mut T, &mut T) {
        match side {
            Side::Low => (&mut self.low, &mut self.high),
            Side::High => (&mut self.high, &mut self.low),
        }
    }
}

fn ports(low: u16, high: u16) -> u32 {
    u32::from(low) << 16 | u32::from(high)
}

fn words(address: Ipv6Addr) -> [u32; 4] {
    let [a, b, c, d, e, f, g, h] = address.segments();
    [(a, b), (c, d), (e, f), (g, h)].map(|(high, low)| u32::from(high) << 16 | u32::from(low))
}

/// No packet has addresses of both families; if one had, it would still have a key.
const fn as_v6(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(ip: &str, port: u16) -> Endpoint {
        Endpoint { ip: ip.parse().unwrap(), port }
    }

    #[test]
    fn both_directions_have_one_key() {
        let cases = [
            (endpoint("10.0.0.1", 5000), endpoint("10.0.0.2", 80)),
            (endpoint("127.0.0.1", 80), endpoint("127.0.0.1", 5000)),
            (endpoint("2001:db8::1", 5000), endpoint("2001:db8::2", 80)),
            (endpoint("::1", 1), endpoint("::1", 2)),
        ];
        for (a, b) in cases {
            assert_eq!(FlowKey::of(a, b), (FlowKey::of(b, a).0, Side::Low));
            assert_eq!(FlowKey::of(b, a).1, Side::High);
        }
        // A connection to itself has one side only.
        let me = endpoint("127.0.0.1", 9);
        assert_eq!(FlowKey::of(me, me).1, Side::Low);
    }

    #[test]
    fn hashes_are_even_and_the_same_for_both_directions() {
        let server = endpoint("10.0.0.2", 443);
        let mut shares = [0; 7];
        for port in 1024..24_024_u16 {
            let client = endpoint("10.0.0.1", port);
            assert_eq!(flow_hash(client, server), flow_hash(server, client));
            shares[usize::try_from(((flow_hash(client, server) >> 32) * 7) >> 32).unwrap()] += 1;
        }
        assert!(shares.iter().all(|share| (2900..3700).contains(share)), "{shares:?}");
        let v6 = |port| flow_hash(endpoint("2001:db8::1", port), endpoint("2001:db8::2", 80));
        assert!(v6(1) != v6(2) && v6(1) != flow_hash(endpoint("2001:db9::1", 1), endpoint("2001:db8::2", 80)));
    }

    #[test]
    fn every_part_of_an_endpoint_changes_the_key() {
        let of = |a: &str, p, b: &str, q| FlowKey::of(endpoint(a, p), endpoint(b, q)).0;
        let keys = [
            of("10.0.0.1", 5000, "10.0.0.2", 80),
            of("10.0.0.1", 80, "10.0.0.2", 5000),
            of("10.0.0.1", 5000, "10.0.0.3", 80),
            of("10.0.0.3", 5000, "10.0.0.2", 80),
            of("10.0.0.1", 5001, "10.0.0.2", 80),
            of("::10.0.0.1", 5000, "::10.0.0.2", 80),
            of("::ffff:10.0.0.1", 5000, "::ffff:10.0.0.2", 80),
            of("a00:1:a00:2:1388:50::", 0, "::", 0),
            of("a00:1:a00:2:1388:50::", 0, "b00::", 0),
            of("1::2", 5000, "1::3", 80),
            of("2::2", 5000, "1::3", 80),
            of("1:0:0:1::2", 5000, "1::3", 80),
        ];
        for (at, key) in keys.iter().enumerate() {
            assert!(!keys[..at].contains(key), "{at}: {key:?}");
        }
    }
}

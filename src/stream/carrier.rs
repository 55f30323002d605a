//! What a consumer of a stream knows of the connection that carries it.
//!
//! In: what the carrier learns from its packets. Out: who is the client, whether that is certain, and when the connection
//! was first and last seen. All streams of one connection share it: the plaintext of TLS and the streams of HTTP/2 have
//! the carrier of the TCP connection below them.

use crate::types::{Endpoint, PacketRef};

/// The connection that carries a stream: its two endpoints, and its times.
///
/// ```text
/// first packet seen ──► client and server guessed ──SYN (TCP), Initial (QUIC)──► oriented
///                                   └───content: reverse() or confirm()────────────┘
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carrier {
    /// The endpoint that opened the connection; a guess unless [`Self::oriented`].
    pub client: Endpoint,
    /// The other endpoint.
    pub server: Endpoint,
    /// Its first packet.
    pub first: PacketRef,
    /// From the first packet to the end of the carrier's handshake, in microseconds; `None` where not captured. For TCP:
    /// from the SYN to the first ACK of the client (RFC 9293 §3.5).
    pub handshake_us: Option<u64>,
    /// Whether it is certain which endpoint is the client. Where it is not, a consumer may [`Self::confirm`] or reverse
    /// it.
    pub oriented: bool,
    /// Set by [`Self::reverse`] until the carrier has taken notice.
    reversed: bool,
    /// Its latest packet.
    pub last: PacketRef,
}

impl Carrier {
    /// A connection of which only `first` was seen, between `client` and `server`.
    #[must_use]
    pub const fn new([client, server]: [Endpoint; 2], oriented: bool, first: PacketRef) -> Self {
        Self { client, server, first, handshake_us: None, oriented, reversed: false, last: first }
    }

    /// The content shows that the client is the client.
    pub const fn confirm(&mut self) {
        self.oriented = true;
    }

    /// The content shows that the client is the server: the two change places, and that is certain from now on.
    pub const fn reverse(&mut self) {
        core::mem::swap(&mut self.client, &mut self.server);
        self.oriented = true;
        self.reversed = !self.reversed;
    }

    /// Whether client and server have changed places since the last call: for the carrier, which then delivers each
    /// direction as the other one.
    #[inline]
    pub const fn take_reversed(&mut self) -> bool {
        core::mem::replace(&mut self.reversed, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reversing_twice_changes_nothing_but_the_certainty() {
        let end = |port| Endpoint { ip: [10, 0, 0, 1].into(), port };
        let guessed = Carrier::new([end(80), end(5000)], false, PacketRef::default());
        let mut carrier = guessed;
        carrier.reverse();
        assert_eq!((carrier.client, carrier.server, carrier.oriented), (end(5000), end(80), true));
        assert!(carrier.take_reversed() && !carrier.take_reversed(), "reported once");
        carrier.reverse();
        carrier.reverse();
        assert!(!carrier.take_reversed());
        carrier.reverse();
        assert!(carrier.take_reversed());
        assert_eq!(carrier, Carrier { oriented: true, ..guessed });
        let mut confirmed = guessed;
        confirmed.confirm();
        assert_eq!(confirmed, Carrier { oriented: true, ..guessed });
    }
}

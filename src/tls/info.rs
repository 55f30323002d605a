//! What a TLS connection has negotiated, as far as an observer knows it.

use super::hello::RANDOM_LEN;
use super::suites::Suite;
use crate::types::{PacketRef, PerDirection};

/// The negotiated parameters, and the packets of the handshake.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsInfo {
    /// The version: 0x0301 to 0x0304.
    pub version: Option<u16>,
    /// The cipher suite.
    pub suite: Option<u16>,
    /// The server name that the client sent (SNI, RFC 6066 §3).
    pub server_name: Option<String>,
    /// The application protocols that the client offered (ALPN, RFC 7301).
    pub offered: Vec<String>,
    /// The application protocol that the server chose.
    pub alpn: Option<String>,
    /// Whether a session is resumed (RFC 8446 §2.2, RFC 5246 §7.3).
    pub resumed: bool,
    /// The client random, by which key logs name the session.
    pub client_random: Option<[u8; RANDOM_LEN]>,
    /// The packet that ended the ClientHello.
    pub hello: Option<PacketRef>,
    /// The packet that ended the handshake: the later Finished, up to TLS 1.2; the client's, in TLS 1.3.
    pub finished: Option<PacketRef>,
    /// The packet with each side's `close_notify` (RFC 8446 §6.1).
    pub close_notify: PerDirection<Option<PacketRef>>,
}

impl TlsInfo {
    /// `TLSv1.3` and the like; `None` while it is unknown.
    #[must_use]
    pub fn version_name(&self) -> Option<&'static str> {
        version_name(self.version?)
    }

    /// The name of the cipher suite in IANA's registry, if its records can be opened.
    #[must_use]
    pub fn suite_name(&self) -> Option<&'static str> {
        Suite::of(self.suite?).map(|suite| suite.name)
    }

    /// From the ClientHello to the end of the handshake, in microseconds.
    #[must_use]
    pub fn handshake_us(&self) -> Option<u64> {
        Some(self.finished?.at.micros_since(self.hello?.at))
    }
}

/// The name of a version, as OpenSSL writes it.
pub(super) fn version_name(version: u16) -> Option<&'static str> {
    Some(match version {
        0x0300 => "SSLv3",
        0x0301 => "TLSv1",
        0x0302 => "TLSv1.1",
        0x0303 => "TLSv1.2",
        0x0304 => "TLSv1.3",
        _ => return None,
    })
}

//! What is known of a TLS connection: what was negotiated, and why it stays closed if it does.

use core::fmt;

use super::hello::RANDOM_LEN;
use super::record::Alert;
use super::suites::Suite;
use crate::types::{Direction, PacketRef, PerDirection};

/// What was negotiated, and when.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsInfo {
    /// The version: 0x0301 to 0x0304.
    pub version: Option<u16>,
    /// The cipher suite.
    pub suite: Option<u16>,
    /// The server name that the client sent (SNI, RFC 6066 §3).
    pub server_name: Option<String>,
    /// The protocols that the client offered (RFC 7301).
    pub offered: Vec<String>,
    /// The protocol that the server chose.
    pub alpn: Option<String>,
    /// Whether a session is resumed (RFC 8446 §2.2, RFC 5246 §7.3).
    pub resumed: bool,
    /// What key logs name the session by.
    pub client_random: Option<[u8; RANDOM_LEN]>,
    /// The packet that ended the ClientHello.
    pub hello: Option<PacketRef>,
    /// The packet that ended the handshake: the later Finished, up to TLS 1.2; the client's, in TLS 1.3.
    pub finished: Option<PacketRef>,
    /// The packet with each side's `close_notify` (RFC 8446 §6.1).
    pub close_notify: PerDirection<Option<PacketRef>>,
}

impl TlsInfo {
    /// `TLSv1.3`, and so on; `None` while it is not known.
    #[must_use]
    pub fn version_name(&self) -> Option<&'static str> {
        version_name(self.version?)
    }

    /// The name of the cipher suite in the registry, of those that can be opened.
    #[must_use]
    pub fn suite_name(&self) -> Option<&'static str> {
        Suite::of(self.suite?).map(|suite| suite.name)
    }

    /// From ClientHello to the end of the handshake, in microseconds.
    #[must_use]
    pub fn handshake_us(&self) -> Option<u64> {
        Some(self.finished?.at.micros_since(self.hello?.at))
    }
}

fn version_name(version: u16) -> Option<&'static str> {
    Some(match version {
        0x0300 => "SSLv3",
        0x0301 => "TLSv1",
        0x0302 => "TLSv1.1",
        0x0303 => "TLSv1.2",
        0x0304 => "TLSv1.3",
        _ => return None,
    })
}

/// Why a TLS connection cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Undecryptable {
    /// The key logs have nothing of this session.
    NoSecret {
        /// What it would stand under.
        client_random: [u8; RANDOM_LEN],
        /// How many other sessions they have secrets of.
        others: usize,
        /// The client may have encrypted its real hello (RFC 9849), whose random nobody sees.
        encrypted_hello: bool,
    },
    /// The key logs have some secrets of this session, and not those of this direction.
    PartOfSecrets {
        /// What they would stand under.
        client_random: [u8; RANDOM_LEN],
        /// Whose records stay closed.
        direction: Direction,
    },
    /// The ClientHello, the ServerHello or both were not captured.
    NoHandshake,
    /// The handshake ended with an alert.
    HandshakeFailed(Alert, Direction),
    /// A version that is not one of TLS 1.0 to 1.3.
    Version(u16),
    /// A cipher suite that records cannot be opened of.
    Suite(u16),
    /// Records are compressed.
    Compression,
    /// The key logs have secrets for this session, but its records do not open with them.
    KeysDoNotFit,
    /// More came than may wait for secrets.
    WaitedTooLong,
    /// This build cannot open TLS.
    NotBuilt,
}

impl Undecryptable {
    /// In a word, for counts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoSecret { .. } | Self::PartOfSecrets { .. } | Self::WaitedTooLong => "no secret",
            Self::NoHandshake => "handshake not captured",
            Self::HandshakeFailed(..) => "handshake failed",
            Self::Version(_) => "unsupported version",
            Self::Suite(_) => "unsupported cipher suite",
            Self::Compression => "compressed",
            Self::KeysDoNotFit => "keys do not fit",
            Self::NotBuilt => "built without TLS",
        }
    }

    /// What would be needed to open it; empty where nothing would help.
    #[must_use]
    pub const fn needed(self) -> &'static str {
        match self {
            Self::NoSecret { .. } | Self::PartOfSecrets { .. } => "the client's key log (SSLKEYLOGFILE) with --keylog",
            Self::WaitedTooLong => "secrets before the data",
            Self::NoHandshake => "a capture that begins before the connections do",
            Self::KeysDoNotFit => "the key log of these very sessions",
            Self::NotBuilt => "a build with the feature tls",
            Self::HandshakeFailed(..) | Self::Version(_) | Self::Suite(_) | Self::Compression => "",
        }
    }
}

impl fmt::Display for Undecryptable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSecret { client_random, others, encrypted_hello } => {
                write!(f, "no secret for client random {}; ", Hex(client_random))?;
                match others {
                    0 => f.write_str("no secrets were given")?,
                    1 => f.write_str("the key log has those of 1 other session")?,
                    others => write!(f, "the key log has those of {others} other sessions")?,
                }
                if *encrypted_hello {
                    f.write_str("; with an encrypted ClientHello, they stand under another random")?;
                }
                Ok(())
            }
            Self::PartOfSecrets { client_random, direction } => {
                let side = direction.sender();
                write!(f, "no secret of what the {side} sends, for client random {}", Hex(client_random))
            }
            Self::NoHandshake => f.write_str("the handshake was not captured"),
            Self::HandshakeFailed(alert, direction) => {
                let (name, side) = (alert.name(), direction.sender());
                write!(f, "the {side} ended the handshake with alert {} {name}", alert.description)
            }
            Self::Version(version) => match version_name(*version) {
                Some(name) => write!(f, "unsupported version {name}"),
                None => write!(f, "unsupported version 0x{version:04x}"),
            },
            Self::Suite(suite) => write!(f, "unsupported cipher suite 0x{suite:04x}"),
            Self::Compression => f.write_str("records are compressed"),
            Self::KeysDoNotFit => f.write_str("the secrets that the key log has for this session do not fit"),
            Self::WaitedTooLong => {
                f.write_str("no secret came before more data than may wait for one (max_tls_waiting_bytes)")
            }
            Self::NotBuilt => f.write_str("this build cannot open TLS"),
        }
    }
}

/// The first bytes in hexadecimal: enough to look them up in a key log.
struct Hex<'b>(&'b [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(8).try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("…")
    }
}

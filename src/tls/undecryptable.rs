//! Why a TLS connection cannot be decrypted, and what would help.

use core::fmt;

use super::hello::RANDOM_LEN;
use super::info::version_name;
use super::record::Alert;
use crate::types::Direction;

/// Why a TLS connection cannot be decrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Undecryptable {
    /// The key logs have nothing of this session.
    NoSecret {
        /// The client random under which they would have it.
        client_random: [u8; RANDOM_LEN],
        /// How many other sessions they have secrets of.
        others: usize,
        /// The client may have sent its real hello encrypted (RFC 9849), so that its random is unknown.
        encrypted_hello: bool,
    },
    /// The key logs have some secrets of this session, and not those of this direction.
    PartOfSecrets {
        /// The client random under which they have the others.
        client_random: [u8; RANDOM_LEN],
        /// The direction whose records cannot be opened.
        direction: Direction,
    },
    /// The ClientHello, the ServerHello or both were not captured.
    NoHandshake,
    /// The handshake ended with an alert.
    HandshakeFailed(Alert, Direction),
    /// A version that is not one of TLS 1.0 to 1.3.
    Version(u16),
    /// A cipher suite whose records cannot be opened.
    Suite(u16),
    /// Records are compressed.
    Compression,
    /// The key logs have secrets of this session, but its records do not open with them.
    KeysDoNotFit,
    /// More data came than may wait for secrets.
    WaitedTooLong,
    /// This build cannot open TLS.
    NotBuilt,
}

impl Undecryptable {
    /// The same without particulars, for counts.
    #[must_use]
    pub const fn kind(self) -> UndecryptableKind {
        match self {
            Self::NoSecret { .. } | Self::PartOfSecrets { .. } | Self::WaitedTooLong => UndecryptableKind::NoSecret,
            Self::NoHandshake => UndecryptableKind::NoHandshake,
            Self::HandshakeFailed(..) => UndecryptableKind::HandshakeFailed,
            Self::Version(_) => UndecryptableKind::Version,
            Self::Suite(_) => UndecryptableKind::Suite,
            Self::Compression => UndecryptableKind::Compression,
            Self::KeysDoNotFit => UndecryptableKind::KeysDoNotFit,
            Self::NotBuilt => UndecryptableKind::NotBuilt,
        }
    }

    /// What would make it possible; `None` where nothing would.
    #[must_use]
    pub const fn remedy(self) -> Option<Remedy> {
        match self {
            Self::NoSecret { .. } | Self::PartOfSecrets { .. } => Some(Remedy::KeyLog),
            Self::WaitedTooLong => Some(Remedy::EarlierSecrets),
            Self::NoHandshake => Some(Remedy::EarlierCapture),
            Self::KeysDoNotFit => Some(Remedy::MatchingKeyLog),
            Self::NotBuilt => Some(Remedy::TlsBuild),
            Self::HandshakeFailed(..) | Self::Version(_) | Self::Suite(_) | Self::Compression => None,
        }
    }
}

/// A kind of reason why connections cannot be decrypted, in the order of their words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum UndecryptableKind {
    /// This build cannot open TLS.
    NotBuilt,
    /// Records are compressed.
    Compression,
    /// The handshake ended with an alert.
    HandshakeFailed,
    /// The handshake was not captured, or not completely.
    NoHandshake,
    /// The key logs' secrets do not open the records.
    KeysDoNotFit,
    /// Some or all secrets are missing, or came too late.
    NoSecret,
    /// An unsupported cipher suite.
    Suite,
    /// An unsupported version.
    Version,
}

impl UndecryptableKind {
    /// In a few words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotBuilt => "built without TLS",
            Self::Compression => "compressed",
            Self::HandshakeFailed => "handshake failed",
            Self::NoHandshake => "handshake not captured",
            Self::KeysDoNotFit => "keys do not fit",
            Self::NoSecret => "no secret",
            Self::Suite => "unsupported cipher suite",
            Self::Version => "unsupported version",
        }
    }
}

impl fmt::Display for UndecryptableKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What would make it possible to decrypt a connection, in the order of its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Remedy {
    /// A build with the feature `tls`.
    TlsBuild,
    /// A capture that has the handshake.
    EarlierCapture,
    /// The secrets before the data that needs them.
    EarlierSecrets,
    /// A key log of the client.
    KeyLog,
    /// A key log that has the secrets of these sessions.
    MatchingKeyLog,
}

impl Remedy {
    /// In words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TlsBuild => "a build with the feature tls",
            Self::EarlierCapture => "a capture that begins before the connections do",
            Self::EarlierSecrets => "secrets before the data",
            Self::KeyLog => "the client's key log (SSLKEYLOGFILE) with --keylog",
            Self::MatchingKeyLog => "the key log of these very sessions",
        }
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
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

#[cfg(test)]
mod tests {
    use super::*;

    const RANDOM: [u8; RANDOM_LEN] = [7; RANDOM_LEN];

    #[test]
    fn kinds_and_remedies_are_in_the_order_of_their_words() {
        use UndecryptableKind as Kind;
        let mut kinds = [
            Kind::NoSecret,
            Kind::Version,
            Kind::NotBuilt,
            Kind::Suite,
            Kind::KeysDoNotFit,
            Kind::NoHandshake,
            Kind::HandshakeFailed,
            Kind::Compression,
        ];
        kinds.sort_unstable();
        assert!(kinds.is_sorted_by_key(|kind| kind.as_str()));
        let mut remedies =
            [Remedy::MatchingKeyLog, Remedy::KeyLog, Remedy::EarlierSecrets, Remedy::EarlierCapture, Remedy::TlsBuild];
        remedies.sort_unstable();
        assert!(remedies.is_sorted_by_key(|remedy| remedy.as_str()));
    }

    #[test]
    fn a_reason_has_words_a_kind_and_perhaps_a_remedy() {
        let alert = Alert { level: 2, description: 40 };
        let part = Undecryptable::PartOfSecrets { client_random: RANDOM, direction: Direction::ToClient };
        for (why, words, kind, remedy) in [
            (
                part,
                "no secret of what the server sends, for client random 0707070707070707…",
                "no secret",
                Some(Remedy::KeyLog),
            ),
            (
                Undecryptable::NoHandshake,
                "the handshake was not captured",
                "handshake not captured",
                Some(Remedy::EarlierCapture),
            ),
            (
                Undecryptable::HandshakeFailed(alert, Direction::ToClient),
                "the server ended the handshake with alert 40 handshake_failure",
                "handshake failed",
                None,
            ),
            (Undecryptable::Version(0x0300), "unsupported version SSLv3", "unsupported version", None),
            (Undecryptable::Version(0x7f1c), "unsupported version 0x7f1c", "unsupported version", None),
            (Undecryptable::Suite(0x0005), "unsupported cipher suite 0x0005", "unsupported cipher suite", None),
            (
                Undecryptable::WaitedTooLong,
                "no secret came before more data than may wait for one (max_tls_waiting_bytes)",
                "no secret",
                Some(Remedy::EarlierSecrets),
            ),
            (Undecryptable::NotBuilt, "this build cannot open TLS", "built without TLS", Some(Remedy::TlsBuild)),
        ] {
            assert_eq!((why.to_string().as_str(), why.kind().as_str(), why.remedy()), (words, kind, remedy));
        }
    }
}

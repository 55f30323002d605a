//! Records → plaintext, given the secrets (RFC 8446, RFC 5246, RFC 4346, RFC 2246).
//!
//! In: the bytes and gaps of both directions of a TCP connection (or of a tunnel in one), and a [`KeyLog`]. Out: for each
//! direction the bytes that an application wrote, the places where bytes are lost, `close_notify`; the negotiated parameters
//! ([`TlsInfo`]); and, of a connection that cannot be decrypted, why ([`Undecryptable`]).
//!
//! - TLS 1.0 to 1.3: all suites with AES-GCM, AES-CCM, ChaCha20-Poly1305 and AES-CBC, with any key exchange, since a key log
//!   has the resulting secret. Resumption, PSK, 0-RTT data, HelloRetryRequest, KeyUpdate, renegotiation.
//! - Tags and MACs are always checked. A record that is not authentic is a finding, never plaintext.
//! - After a gap, the boundary of a record is found where a record opens. In TLS 1.0 that needs the end of the record before.
//!
//! Not done here: DTLS and QUIC; compression (RFC 3749); certificates; SSL 3.0; secrets by Diffie-Hellman or private keys.
//!
//! ```
//! use wslens::tls::{DecryptContext, KeyLog, Scratch, TlsConnection};
//! use wslens::types::{Direction, PacketRef};
//!
//! let mut keys = KeyLog::new();
//! keys.add(b"# lines of SSLKEYLOGFILE\n");
//! let (mut connection, mut scratch) = (TlsConnection::new(), Scratch::default());
//! let mut input: &[u8] = &[22, 3, 1, 0, 5, 1, 0];
//! loop {
//!     let context = DecryptContext { keys: &keys, scratch: &mut scratch, seen: PacketRef::default() };
//!     let Some(event) = connection.next(Direction::ToServer, &mut input, context) else { break };
//!     println!("{event:?}");
//! }
//! assert!(input.is_empty() && connection.undecryptable().is_none());
//! ```

// Formats.
pub mod record;

pub mod hello;

mod suites;

// Messages and records, put together.
mod handshake;

mod framer;

// Secrets, keys, and the records that they open.
#[cfg(feature = "tls")]
mod crypto;
#[cfg(not(feature = "tls"))]
#[path = "no_crypto.rs"]
mod crypto;

mod schedule;

mod resumption;

pub mod keylog;

mod record_decrypter;

// A connection.
mod info;

mod undecryptable;

mod negotiation;

mod record_stream;

mod resync;

mod install_keys;

mod shape;

pub mod connection;

pub use connection::{DecryptContext, RecordEvent, TlsConnection};
pub use info::TlsInfo;
pub use keylog::{KeyLog, KeyLogWarning, LogLines};
pub use record_stream::{Scratch, WaitsFor};
pub use resumption::Resumable;
pub use suites::Suite;
pub use undecryptable::{Remedy, Undecryptable, UndecryptableKind};

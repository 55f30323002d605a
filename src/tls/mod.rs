//! Records → plaintext, given the secrets (RFC 8446, RFC 5246, RFC 4346, RFC 2246).
//!
//! In: the bytes and holes of both directions of a TCP connection (or of a tunnel in one), and [`KeyLog`]s. Out: for each
//! direction the bytes that an application wrote, the places where bytes are lost, `close_notify`; what was negotiated
//! ([`TlsInfo`]); and, of a connection that stays closed, why ([`Undecryptable`]).
//!
//! - TLS 1.0 to 1.3: all suites with AES-GCM, AES-CCM, ChaCha20-Poly1305 and AES-CBC, whatever the key exchange: a key log
//!   has what comes out of it. Resumption, PSK, 0-RTT data, HelloRetryRequest, KeyUpdate, renegotiation.
//! - Tags and codes are always checked. What is not authentic is a finding, never plaintext.
//! - Behind a hole, the border of a record is found where one opens. In TLS 1.0, that is behind a whole end of another.
//!
//! Not done here: DTLS and QUIC; compression (RFC 3749); certificates; SSL 3.0; secrets by Diffie-Hellman or private keys.
//!
//! ```
//! use wslens::types::{Direction, PacketRef};
//! use wslens::tls::{TlsConnection, KeyLog, Scratch};
//!
//! let mut keys = KeyLog::new();
//! keys.add(b"# lines of SSLKEYLOGFILE\n");
//! let (mut connection, mut scratch) = (TlsConnection::new(), Scratch::default());
//! let mut input: &[u8] = &[22, 3, 1, 0, 5, 1, 0];
//! while let Some(step) = connection.next(Direction::ToServer, &mut input, PacketRef::default(), &keys, &mut scratch) {
//!     println!("{step:?}");
//! }
//! assert!(input.is_empty() && connection.undecryptable().is_none());
//! ```

// What bytes mean.
pub mod record;

pub mod hello;

mod suites;

// MessageAssembler and records, put together.
mod handshake;

mod framer;

// Secrets, keys, and what they open.
pub mod keylog;

#[cfg(feature = "tls")]
mod crypto;
#[cfg(not(feature = "tls"))]
#[path = "no_crypto.rs"]
mod crypto;

mod schedule;

mod record_decrypter;

// A connection.
mod info;

mod negotiation;

mod record_stream;

mod install_keys;

mod shape;

pub mod connection;

mod resync;

mod give_up;

pub use connection::{RecordEvent, Scratch, TlsConnection};
pub use info::{TlsInfo, Undecryptable};
pub use keylog::{KeyLog, KeyLogWarning, LogLines, Resumable};
pub use record_stream::WaitsFor;
pub use suites::Suite;

//! ClientHello, ServerHello and EncryptedExtensions (format, RFC 8446 §4.1, §4.3.1, RFC 5246 §7.4.1), as far as an observer
//! needs them.
//!
//! In: the body of a handshake message. Out: its fields, by value, so that they outlive the record; `None` if the body is not
//! well-formed. Extensions that are not needed are skipped.

use crate::types::Role;
use crate::types::bytes::Reader;

/// Bytes of a random (RFC 8446 §4.1.2).
pub const RANDOM_LEN: usize = 32;
/// Bytes of names that are kept: more than DNS (RFC 1035 §2.3.4) or ALPN (RFC 7301 §3.1) allow.
const MAX_NAME: usize = 256;
/// Protocols of an ALPN list that are kept.
const MAX_PROTOCOLS: usize = 16;

/// "special value … SHA-256 of HelloRetryRequest" (RFC 8446 §4.1.3).
const RETRY_RANDOM: [u8; RANDOM_LEN] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11,
    0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// Numbers of the extensions that are read (IANA, TLS ExtensionType Values).
mod extension {
    pub(super) const SERVER_NAME: u16 = 0;
    pub(super) const MAX_FRAGMENT_LENGTH: u16 = 1;
    pub(super) const ALPN: u16 = 16;
    pub(super) const ENCRYPT_THEN_MAC: u16 = 22;
    pub(super) const EXTENDED_MASTER_SECRET: u16 = 23;
    pub(super) const RECORD_SIZE_LIMIT: u16 = 28;
    pub(super) const SESSION_TICKET: u16 = 35;
    pub(super) const PRE_SHARED_KEY: u16 = 41;
    pub(super) const EARLY_DATA: u16 = 42;
    pub(super) const SUPPORTED_VERSIONS: u16 = 43;
    pub(super) const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;
}

/// A ClientHello.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientHello {
    /// `legacy_version`: the newest version up to TLS 1.2 that it offers.
    pub version: u16,
    /// The random, by which key logs name the session.
    pub random: [u8; RANDOM_LEN],
    /// The session to resume, up to TLS 1.2 (RFC 5246 §7.4.1.2).
    pub session_id: Vec<u8>,
    /// The extensions that are read.
    pub extensions: Extensions,
}

/// A ServerHello or HelloRetryRequest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerHello {
    /// The negotiated version: that of `supported_versions`, or `legacy_version`.
    pub version: u16,
    /// The random, a part of the key derivation up to TLS 1.2.
    pub random: [u8; RANDOM_LEN],
    /// The id of the session, up to TLS 1.2: the client's if it is resumed (RFC 5246 §7.4.1.3).
    pub session_id: Vec<u8>,
    /// The cipher suite.
    pub suite: u16,
    /// Whether records are compressed (RFC 3749), which is obsolete.
    pub compressed: bool,
    /// Whether it is a HelloRetryRequest: the client is to send another ClientHello (RFC 8446 §4.1.4).
    pub is_retry: bool,
    /// The extensions that are read.
    pub extensions: Extensions,
}

/// The extensions of a hello or of EncryptedExtensions, as far as they are read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Extensions {
    /// The host name that the client wants (RFC 6066 §3).
    pub server_name: Option<Vec<u8>>,
    /// Protocols: all that a client offers, the one that a server chose (RFC 7301).
    pub alpn: Vec<Vec<u8>>,
    /// The newest version that a client offers, GREASE (RFC 8701) left out; the version that a server chose.
    pub version: Option<u16>,
    /// RFC 7627.
    pub extended_master_secret: bool,
    /// RFC 7366.
    pub encrypt_then_mac: bool,
    /// The code of `max_fragment_length` (RFC 6066 §4).
    pub max_fragment_length: Option<u8>,
    /// `record_size_limit` (RFC 8449).
    pub record_size_limit: Option<u16>,
    /// The ticket of a session to resume, up to TLS 1.2 (RFC 5077 §3.2); empty without one.
    pub session_ticket: Vec<u8>,
    /// A session is, or may be, resumed (RFC 8446 §4.2.11).
    pub pre_shared_key: bool,
    /// 0-RTT data is offered, or accepted (RFC 8446 §4.2.10).
    pub early_data: bool,
    /// The ClientHello may be the outer one of two (RFC 9849): then key logs name the inner one.
    pub encrypted_client_hello: bool,
}

impl ClientHello {
    /// Reads the body of a `client_hello`.
    #[must_use]
    pub fn parse(body: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        let version = reader.u16_be()?;
        let random = reader.array()?;
        let session_id = session_id(&mut reader)?;
        vector16(&mut reader)?; // cipher_suites
        vector8(&mut reader)?; // legacy_compression_methods
        let extensions = extensions(&mut reader, Role::Client)?;
        Some(Self { version, random, session_id, extensions })
    }
}

impl ServerHello {
    /// Reads the body of a `server_hello`.
    #[must_use]
    pub fn parse(body: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        let legacy_version = reader.u16_be()?;
        let random = reader.array()?;
        let session_id = session_id(&mut reader)?;
        let suite = reader.u16_be()?;
        let compressed = reader.u8()? != 0;
        let extensions = extensions(&mut reader, Role::Server)?;
        let version = extensions.version.unwrap_or(legacy_version);
        let is_retry = random == RETRY_RANDOM;
        Some(Self { version, random, session_id, suite, compressed, is_retry, extensions })
    }
}

impl Extensions {
    /// Reads the body of `encrypted_extensions` (RFC 8446 §4.3.1).
    #[must_use]
    pub fn parse_encrypted(body: &[u8]) -> Option<Self> {
        extensions(&mut Reader::new(body), Role::Server)
    }

    /// Reads one extension; some have one form for clients and one for servers.
    fn read(&mut self, kind: u16, data: &[u8], sender: Role) -> Option<()> {
        let mut reader = Reader::new(data);
        match kind {
            extension::SERVER_NAME if sender == Role::Client => self.server_name = server_name(&mut reader),
            extension::ALPN => self.alpn = protocols(&mut reader)?,
            extension::SUPPORTED_VERSIONS => self.version = versions(&mut reader, sender),
            extension::EXTENDED_MASTER_SECRET => self.extended_master_secret = true,
            extension::ENCRYPT_THEN_MAC => self.encrypt_then_mac = true,
            extension::MAX_FRAGMENT_LENGTH => self.max_fragment_length = reader.u8(),
            extension::RECORD_SIZE_LIMIT => self.record_size_limit = reader.u16_be(),
            extension::SESSION_TICKET => self.session_ticket = data.to_vec(),
            extension::PRE_SHARED_KEY => self.pre_shared_key = true,
            extension::EARLY_DATA => self.early_data = true,
            extension::ENCRYPTED_CLIENT_HELLO => self.encrypted_client_hello = true,
            _ => {}
        }
        Some(())
    }
}

/// A vector with one byte of length.
fn vector8<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let len = reader.u8()?;
    reader.take(usize::from(len))
}

/// "opaque SessionID<0..32>" (RFC 5246 §7.4.1.2)
fn session_id(reader: &mut Reader<'_>) -> Option<Vec<u8>> {
    vector8(reader).filter(|id| id.len() <= 32).map(<[u8]>::to_vec)
}

/// A vector with two bytes of length.
fn vector16<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let len = reader.u16_be()?;
    reader.take(usize::from(len))
}

/// The extensions, which hellos before TLS 1.3 may lack altogether (RFC 5246 §7.4.1.2).
fn extensions(reader: &mut Reader<'_>, sender: Role) -> Option<Extensions> {
    let mut found = Extensions::default();
    if reader.rest().is_empty() {
        return Some(found);
    }
    let mut list = Reader::new(vector16(reader)?);
    while !list.rest().is_empty() {
        let kind = list.u16_be()?;
        // An extension that is not well-formed is left out, and the others are read.
        _ = found.read(kind, vector16(&mut list)?, sender);
    }
    Some(found)
}

/// The first name of type host_name.
fn server_name(reader: &mut Reader<'_>) -> Option<Vec<u8>> {
    let mut list = Reader::new(vector16(reader)?);
    loop {
        let kind = list.u8()?;
        let name = vector16(&mut list)?;
        if kind == 0 {
            return name.get(..name.len().min(MAX_NAME)).map(<[u8]>::to_vec);
        }
    }
}

fn protocols(reader: &mut Reader<'_>) -> Option<Vec<Vec<u8>>> {
    let mut list = Reader::new(vector16(reader)?);
    let mut names = Vec::new();
    while !list.rest().is_empty() && names.len() < MAX_PROTOCOLS {
        names.push(vector8(&mut list)?.to_vec());
    }
    Some(names)
}

/// The newest version of a client's list that is not GREASE, or a server's version.
fn versions(reader: &mut Reader<'_>, sender: Role) -> Option<u16> {
    if sender == Role::Server {
        return reader.u16_be();
    }
    let list = vector8(reader)?;
    let (pairs, _) = list.as_chunks::<2>();
    pairs.iter().map(|pair| u16::from_be_bytes(*pair)).filter(|version| version & 0x0f0f != 0x0a0a).max()
}

#[cfg(test)]
pub(super) mod tests;

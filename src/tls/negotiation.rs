//! The handshake (machine): hellos, and whatever else decides which keys come into use.
//!
//! In: handshake messages of both directions, in the clear or decrypted. Out: version, cipher suite, randoms, the names of
//! sessions that are resumed; and the [`TlsInfo`] for reports.

use super::crypto::Transcript;
use super::handshake::{HandshakeMessage, MessageType};
use super::hello::{ClientHello, Extensions, ServerHello};
use super::info::TlsInfo;
use super::resumption::{SessionName, id_name, ticket_name};
use super::suites::{Hash, Suite};
use super::undecryptable::Undecryptable;
use crate::types::{Direction, PacketRef, Reader};

/// The handshake so far.
#[derive(Default)]
pub(super) struct Negotiation {
    pub(super) info: TlsInfo,
    pub(super) client: Option<ClientHello>,
    /// Of the latest handshake; not a HelloRetryRequest.
    pub(super) server: Option<ServerHello>,
    pub(super) suite: Option<Suite>,
    /// Whether 0-RTT data was accepted, once that is known.
    pub(super) early_data_accepted: Option<bool>,
    /// A HelloRetryRequest was sent: this is TLS 1.3.
    pub(super) retried: bool,
    /// The first bytes of the encrypted pre-master secret.
    pub(super) premaster_name: Option<[u8; 8]>,
    /// The session hash for an extended master secret (RFC 7627 §3), where the pre-master secret may be in a key log.
    pub(super) session_hash: Option<Vec<u8>>,
    /// Up to TLS 1.2: the name of the client's ticket, and of the ticket that the server issues.
    tickets: [Option<Box<SessionName>>; 2],
    /// Up to TLS 1.2: keys are exchanged, so the handshake begins a session and does not resume one (RFC 5246 §7.3).
    exchanges_keys: bool,
    /// The ClientHello as it was sent, until it is known whether the transcript needs it.
    client_raw: Vec<u8>,
    transcript: Option<Transcript>,
}

impl Negotiation {
    /// Whether TLS 1.3 was negotiated, once that is known.
    pub(super) fn is_tls13(&self) -> Option<bool> {
        self.server.as_ref().map(|server| server.version >= 0x0304)
    }

    /// Whether the bodies of all messages are needed, for a digest of the handshake.
    pub(super) const fn needs_all_messages(&self) -> bool {
        self.transcript.is_some()
    }

    /// Takes a message. An error is why nothing can be opened, if the message shows that.
    pub(super) fn message(&mut self, message: &HandshakeMessage<'_>, seen: PacketRef) -> Result<(), Undecryptable> {
        match message.kind {
            MessageType::CLIENT_HELLO => self.client_hello(message, seen),
            MessageType::SERVER_HELLO => {
                if let Some(hello) = ServerHello::parse(message.body()) {
                    return self.server_hello(hello, message.bytes);
                }
            }
            MessageType::ENCRYPTED_EXTENSIONS => {
                if let Some(found) = Extensions::parse_encrypted(message.body()) {
                    self.early_data_accepted.get_or_insert(found.early_data);
                    self.record_alpn(&found);
                }
            }
            MessageType::NEW_SESSION_TICKET => {
                self.digest(message.bytes);
                self.new_ticket(message.body());
            }
            MessageType::CLIENT_KEY_EXCHANGE => {
                self.exchanges_keys = true;
                self.digest(message.bytes);
                // EncryptedPreMasterSecret (RFC 5246 §7.4.7.1), after its length.
                let mut reader = Reader::new(message.body());
                self.premaster_name = reader.u16_be().and_then(|_| reader.array());
                self.session_hash = self.transcript.take().map(|transcript| transcript.digest());
            }
            MessageType::HELLO_REQUEST => {}
            kind => {
                self.exchanges_keys |=
                    [MessageType::CERTIFICATE, MessageType::SERVER_KEY_EXCHANGE, MessageType::SERVER_HELLO_DONE]
                        .contains(&kind);
                self.digest(message.bytes);
            }
        }
        Ok(())
    }

    fn client_hello(&mut self, message: &HandshakeMessage<'_>, seen: PacketRef) {
        if self.is_tls13() == Some(true) {
            // "TLS 1.3 forbids renegotiation" (RFC 8446 §4.1.2): the client of this connection did not send this.
            return;
        }
        let Some(mut hello) = ClientHello::parse(message.body()) else { return };
        let lossy = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
        if self.client.is_none() {
            self.info.server_name = hello.extensions.server_name.as_deref().map(lossy);
            self.info.offered = hello.extensions.alpn.iter().map(|name| lossy(name)).collect();
            self.info.client_random = Some(hello.random);
            self.info.hello = Some(seen);
        }
        if self.client.is_some() {
            // A renegotiation, which begins anew (RFC 5246 §7.4.1.2); or the response to a HelloRetryRequest.
            self.server = None;
            self.premaster_name = None;
            self.session_hash = None;
            self.exchanges_keys = false;
        }
        self.tickets = [ticket_name(&core::mem::take(&mut hello.extensions.session_ticket)).map(Box::new), None];
        self.client_raw.clear();
        self.client_raw.extend_from_slice(message.bytes);
        self.client = Some(hello);
    }

    fn server_hello(&mut self, hello: ServerHello, bytes: &[u8]) -> Result<(), Undecryptable> {
        if hello.is_retry {
            // "A server which … sends a HelloRetryRequest" has rejected early data (RFC 8446 §4.2.10).
            self.early_data_accepted = Some(false);
            self.retried = true;
            return Ok(());
        }
        let tls13 = hello.version == 0x0304;
        if self.server.is_some() || self.info.version.is_some_and(|before| (before == 0x0304) != tls13) {
            // A ClientHello gets one ServerHello, and a renegotiation keeps the version (RFC 8446 §4.1.2).
            return Ok(());
        }
        let info = &mut self.info;
        info.version = Some(hello.version);
        info.suite = Some(hello.suite);
        if !(0x0301..=0x0304).contains(&hello.version) {
            return Err(Undecryptable::Version(hello.version));
        }
        info.resumed = if tls13 {
            hello.extensions.pre_shared_key
        } else {
            // "the server … will respond with the same value that was supplied by the client" (RFC 5246 §7.4.1.3), also when
            // it accepts a ticket (RFC 5077 §3.4).
            !hello.session_id.is_empty()
                && self.client.as_ref().is_some_and(|client| client.session_id == hello.session_id)
        };
        let offered = self.client.as_ref().is_some_and(|client| client.extensions.early_data);
        if !offered || !hello.extensions.pre_shared_key {
            self.early_data_accepted = Some(false);
        }
        let suite = Suite::of(hello.suite).filter(|suite| suite.is_tls13() == tls13);
        let suite = suite.ok_or(Undecryptable::Suite(hello.suite))?;
        if hello.compressed {
            return Err(Undecryptable::Compression);
        }
        let raw = core::mem::take(&mut self.client_raw);
        if suite.is_rsa() && hello.extensions.extended_master_secret {
            let mut transcript = Transcript::new((hello.version >= 0x0303).then(|| suite.schedule_hash()));
            transcript.update(&raw);
            transcript.update(bytes);
            self.transcript = Some(transcript);
        }
        self.record_alpn(&hello.extensions);
        self.suite = Some(suite);
        self.server = Some(hello);
        Ok(())
    }

    /// A NewSessionTicket up to TLS 1.2 (RFC 5077 §3.3): its lifetime, then the ticket after its length.
    fn new_ticket(&mut self, body: &[u8]) {
        let mut reader = Reader::new(body);
        let ticket = reader.u32_be().and_then(|_| reader.u16_be()).and_then(|len| reader.take(len.into()));
        let [_, issued] = &mut self.tickets;
        *issued = ticket
            .filter(|_| self.server.as_ref().is_some_and(|server| server.version < 0x0304))
            .and_then(ticket_name)
            .map(Box::new);
    }

    /// Up to TLS 1.2, the names of the sessions that this connection may resume.
    pub(super) fn resumed_names(&self) -> impl Iterator<Item = SessionName> {
        let [ticket, _] = &self.tickets;
        let id = self.server.as_ref().and_then(|server| id_name(&server.session_id));
        [id, ticket.as_deref().copied().filter(|_| !self.exchanges_keys)].into_iter().flatten()
    }

    /// Up to TLS 1.2, the names by which this session can be resumed.
    pub(super) fn session_names(&self) -> [Option<SessionName>; 2] {
        let [_, ticket] = &self.tickets;
        [self.server.as_ref().and_then(|server| id_name(&server.session_id)), ticket.as_deref().copied()]
    }

    /// Records the application protocol that the server chose.
    fn record_alpn(&mut self, extensions: &Extensions) {
        if let Some(name) = extensions.alpn.first() {
            self.info.alpn = Some(String::from_utf8_lossy(name).into_owned());
        }
    }

    fn digest(&mut self, message: &[u8]) {
        if let Some(transcript) = &mut self.transcript {
            transcript.update(message);
        }
    }

    /// A Finished was seen.
    pub(super) fn finished(&mut self, direction: Direction, seen: PacketRef) {
        let ends = self.is_tls13() == Some(false) || direction == Direction::ToServer;
        let first =
            self.info.finished.is_none_or(|before| self.is_tls13() == Some(false) && before.packet < seen.packet);
        // A later renegotiation is another handshake.
        if ends && first && !self.info.close_notify.get(direction).is_some() {
            self.info.finished = Some(seen);
        }
    }

    /// The hash of the key schedule.
    pub(super) fn hash(&self) -> Option<Hash> {
        self.suite.map(Suite::schedule_hash)
    }

    /// Bytes that are kept.
    pub(super) fn held(&self) -> usize {
        self.client_raw.capacity()
    }
}

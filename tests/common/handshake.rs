//! Opening handshakes with any fields.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha1::{Digest, Sha1};

/// The key of RFC 6455 §1.3.
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// The Sec-WebSocket-Accept that belongs to a key (RFC 6455 §4.2.2).
pub(crate) fn accept(key: &str) -> String {
    BASE64_STANDARD.encode(Sha1::digest(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11")))
}

/// A head: its first line and fields.
#[derive(Debug, Clone)]
struct Head {
    line: String,
    fields: Vec<(String, String)>,
}

impl Head {
    fn new(line: &str, fields: &[(&str, &str)]) -> Self {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { line: line.to_owned(), fields }
    }

    fn with(&mut self, name: &str, value: &str) {
        self.fields.push((name.to_owned(), value.to_owned()));
    }

    fn without(&mut self, name: &str) {
        self.fields.retain(|(field, _)| field != name);
    }

    fn bytes(&self) -> Vec<u8> {
        let fields: String = self.fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("{}\r\n{fields}\r\n", self.line).into_bytes()
    }
}

/// A request for a WebSocket, right unless made wrong.
#[derive(Debug, Clone)]
pub(crate) struct Upgrade(Head);

impl Upgrade {
    pub(crate) fn new() -> Self {
        Self(Head::new(
            "GET /chat HTTP/1.1",
            &[
                ("Host", "server.example"),
                ("Upgrade", "websocket"),
                ("Connection", "Upgrade"),
                ("Sec-WebSocket-Key", KEY),
                ("Sec-WebSocket-Version", "13"),
            ],
        ))
    }

    /// Another request line.
    pub(crate) fn line(mut self, line: &str) -> Self {
        line.clone_into(&mut self.0.line);
        self
    }

    /// One field more.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.0.with(name, value);
        self
    }

    /// A field less.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.without(name);
        self
    }

    /// Another value.
    pub(crate) fn set(self, name: &str, value: &str) -> Self {
        self.without(name).with(name, value)
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.bytes()
    }
}

/// The answer, a 101 unless made another.
#[derive(Debug, Clone)]
pub(crate) struct Reply(Head);

impl Reply {
    pub(crate) fn new() -> Self {
        Self(Head::new(
            "HTTP/1.1 101 Switching Protocols",
            &[("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", &accept(KEY))],
        ))
    }

    /// Another status, without the fields of a 101 and without a body.
    pub(crate) fn status(status: u16) -> Self {
        Self(Head::new(&format!("HTTP/1.1 {status} Status"), &[("Content-Length", "0")]))
    }

    /// One field more.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.0.with(name, value);
        self
    }

    /// A field less.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.without(name);
        self
    }

    /// Another value.
    pub(crate) fn set(self, name: &str, value: &str) -> Self {
        self.without(name).with(name, value)
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.bytes()
    }
}

//! The heads of an opening handshake as recorded: the fields of request and response (RFC 6455 §4.1, §4.2.2).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha1::{Digest, Sha1};

use crate::http::{Fields, RequestHead, ResponseHead, Wants};
use crate::types::PacketRef;
use crate::websocket::extensions::{self, Negotiated};

/// A request for a WebSocket and what became of it. Text is as on the wire and hostile: outputs escape and redact it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Handshake {
    /// The client's request, where it was captured.
    pub request: Option<Request>,
    /// The server's response, where there is one.
    pub response: Option<Response>,
    /// Whether `Sec-WebSocket-Accept` is the one that belongs to the key.
    pub accept: AcceptCheck,
    /// The parameters negotiated for the frames that follow.
    pub negotiated: Negotiated,
    /// Whether bytes that are not HTTP came in place of the response.
    pub garbled: bool,
}

impl Handshake {
    /// The words for a missing response in reports.
    #[must_use]
    pub const fn instead(&self) -> &'static str {
        if self.garbled { "an answer that is not HTTP" } else { "no answer" }
    }
}

/// A client's opening handshake (RFC 6455 §4.1). Where a field is repeated, the first is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// The packet that ended its head.
    pub seen: PacketRef,
    /// The method: must be `GET` (RFC 6455 §4.1), in HTTP/2 `CONNECT` (RFC 8441 §4).
    pub method: String,
    /// The request target: path and query.
    pub target: String,
    /// The minor version: the x of HTTP/1.x; 0 in HTTP/2.
    pub http_minor: u8,
    /// Host, or `:authority`.
    pub host: Option<String>,
    /// Origin.
    pub origin: Option<String>,
    /// User-Agent.
    pub user_agent: Option<String>,
    /// Sec-WebSocket-Version.
    pub version: Option<String>,
    /// Sec-WebSocket-Key.
    pub key: Option<String>,
    /// Sec-WebSocket-Protocol: the names offered, in order.
    pub subprotocols: Vec<String>,
    /// Sec-WebSocket-Extensions: the offers in order, each with its parameters.
    pub extensions: Vec<String>,
    /// Whether a Cookie was sent.
    pub cookie: bool,
    /// The scheme of an Authorization field, such as `Basic`.
    pub authorization: Option<String>,
    /// Via, else X-Forwarded-For: where present, a proxy passed the request on.
    pub via: Option<String>,
}

/// A server's response (RFC 6455 §4.2.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Response {
    /// The packet that ended its head.
    pub seen: PacketRef,
    /// The status; 101 is success in HTTP/1.1, 2xx in HTTP/2.
    pub status: u16,
    /// The reason phrase.
    pub reason: String,
    /// Sec-WebSocket-Accept.
    pub accept: Option<String>,
    /// Sec-WebSocket-Protocol: the one chosen.
    pub subprotocol: Option<String>,
    /// Sec-WebSocket-Extensions: those chosen, each with its parameters.
    pub extensions: Vec<String>,
    /// Sec-WebSocket-Version, where the server lists the versions that it supports (RFC 6455 §4.4).
    pub version: Option<String>,
    /// Server.
    pub server: Option<String>,
    /// Location, of a redirect.
    pub location: Option<String>,
}

/// The comparison of `Sec-WebSocket-Accept` with the key (RFC 6455 §4.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AcceptCheck {
    /// Nothing to compare: no 101, no key captured, or HTTP/2.
    #[default]
    Unknown,
    /// It belongs to the key.
    Valid,
    /// It does not belong to the key.
    Mismatch,
    /// The 101 has none.
    Missing,
}

/// Whether a request asks for a WebSocket, even if no server would accept it: its Upgrade names `websocket`, or it has the
/// key or the version that only such a request has (also the key of the drafts before RFC 6455).
#[must_use]
pub fn is_websocket_attempt(head: &RequestHead<'_>) -> bool {
    const FIELDS: [&str; 3] = ["Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Key1"];
    let named = |element: &[u8]| element.split(|byte| *byte == b'/').next().is_some_and(is_websocket);
    // `Wants::Response`, as for nearly every request, means that none of these fields is there.
    head.wants != Wants::Response
        && (head.fields.elements("Upgrade").any(named)
            || head.fields.iter().any(|field| FIELDS.iter().any(|name| field.is(name))))
}

/// The Sec-WebSocket-Accept that belongs to a key: "base64-encoded SHA-1 of the concatenation of the
/// |Sec-WebSocket-Key| (as a string, not base64-decoded) with the string "258EAFA5-E914-47DA-95CA-C5AB0DC85B11""
/// (RFC 6455 §4.1).
#[must_use]
pub fn accept_for(key: &[u8]) -> String {
    const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    BASE64_STANDARD.encode(Sha1::new().chain_update(key).chain_update(GUID).finalize())
}

impl Request {
    /// The fields of a request's head; `seen` is the packet that ended it.
    #[must_use]
    pub fn from_head(head: &RequestHead<'_>, seen: PacketRef) -> Self {
        Self { http_minor: head.minor, ..Self::from_fields(head.method, head.target, &head.fields, seen) }
    }

    pub(super) fn from_fields(method: &[u8], target: &[u8], fields: &Fields<'_>, seen: PacketRef) -> Self {
        Self {
            seen,
            method: text(method),
            target: text(target),
            http_minor: 0,
            host: first(fields, "Host"),
            origin: first(fields, "Origin"),
            user_agent: first(fields, "User-Agent"),
            version: first(fields, "Sec-WebSocket-Version"),
            key: first(fields, "Sec-WebSocket-Key"),
            subprotocols: fields.elements("Sec-WebSocket-Protocol").map(text).collect(),
            extensions: extension_list(fields),
            cookie: fields.first("Cookie").is_some(),
            authorization: fields.first("Authorization").map(scheme),
            via: first(fields, "Via").or_else(|| first(fields, "X-Forwarded-For")),
        }
    }
}

impl Response {
    /// The fields of a response's head; `seen` is the packet that ended it.
    #[must_use]
    pub fn from_head(head: &ResponseHead<'_>, seen: PacketRef) -> Self {
        Self::from_fields(head.status, head.reason, &head.fields, seen)
    }

    pub(super) fn from_fields(status: u16, reason: &[u8], fields: &Fields<'_>, seen: PacketRef) -> Self {
        let versions: Vec<_> = fields.all("Sec-WebSocket-Version").map(text).collect();
        Self {
            seen,
            status,
            reason: text(reason),
            accept: first(fields, "Sec-WebSocket-Accept"),
            subprotocol: first(fields, "Sec-WebSocket-Protocol").filter(|name| !name.is_empty()),
            extensions: extension_list(fields),
            version: (!versions.is_empty()).then(|| versions.join(", ")),
            server: first(fields, "Server"),
            location: first(fields, "Location"),
        }
    }
}

pub(super) fn is_websocket(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"websocket")
}

fn first(fields: &Fields<'_>, name: &str) -> Option<String> {
    fields.first(name).map(text)
}

/// All extensions of all fields, as one list (RFC 6455 §9.1).
fn extension_list(fields: &Fields<'_>) -> Vec<String> {
    let values: Vec<_> = fields.all("Sec-WebSocket-Extensions").map(text).collect();
    values.iter().flat_map(|value| extensions::elements(value)).map(str::to_owned).collect()
}

/// The scheme before credentials; empty where the value is one word, since that may be the secret itself.
fn scheme(credentials: &[u8]) -> String {
    let end = credentials.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(0);
    credentials.get(..end).map(text).unwrap_or_default()
}

/// A value as text: UTF-8 where it is that, otherwise each byte as the character of Latin-1, so that nothing is lost.
/// A folded value becomes one line (RFC 9112 §5.2).
pub(super) fn text(value: &[u8]) -> String {
    let text = match core::str::from_utf8(value) {
        Ok(text) => text.to_owned(),
        Err(_) => value.iter().copied().map(char::from).collect(),
    };
    if !text.contains('\n') {
        return text;
    }
    text.lines().map(str::trim_ascii).collect::<Vec<_>>().join(" ")
}

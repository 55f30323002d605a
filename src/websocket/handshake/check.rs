//! The rules for opening handshakes (RFC 6455 §4): each head by itself, then the response against the request.
//!
//! A head that was not captured to its end is not blamed for what it lacks.

use std::collections::BTreeSet;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::heads::{AcceptCheck, Handshake, Request, Response, accept_for, is_websocket, text};
use crate::http::{Fields, RequestHead, ResponseHead, is_token};
use crate::types::{Detail, Direction, FindingCode, PacketRef};
use crate::websocket::extensions;
use crate::websocket::violation::{Violation, shorten};

/// Faults of one head that are reported in full; real heads have at most a few.
const MAX_FAULTS: usize = 100;

/// A request for a WebSocket that waits for its response, and the rules that it breaks by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedRequest {
    /// The fields of its head.
    pub request: Request,
    /// The accept that belongs to its key, from the bytes on the wire.
    pub(super) accept: Option<String>,
    /// Whether it has an Upgrade field.
    pub(super) upgrade: bool,
    /// Whether it is an extended CONNECT (RFC 8441), to which any 2xx is success.
    pub(super) extended: bool,
    /// Whether its head was captured to the end.
    pub(super) complete: bool,
    pub(super) violations: Vec<Violation>,
}

/// The response to it, and the rules that it breaks by itself if it is a success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedResponse {
    /// The fields of its head.
    pub response: Response,
    /// Whether it has a Sec-WebSocket-Protocol that is empty.
    pub(super) nameless_subprotocol: bool,
    /// Whether its head was captured to the end.
    pub(super) complete: bool,
    pub(super) violations: Vec<Violation>,
}

/// Something wrong with a handshake. It was seen at the packet of the request or response that `direction` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandshakeFault {
    /// The rule that is broken.
    pub code: FindingCode,
    /// The direction of the head that breaks it.
    pub direction: Direction,
    /// The particulars.
    pub detail: Detail,
}

/// A request and its response, checked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CheckedHandshake {
    /// Request, response, and what they negotiated.
    pub handshake: Handshake,
    /// The request's faults, then the response's.
    pub faults: Vec<HandshakeFault>,
}

impl CheckedRequest {
    /// Reads the head of a request that [`super::is_websocket_attempt`], in the packet that ended it.
    #[must_use]
    pub fn from_head(head: &RequestHead<'_>, seen: PacketRef) -> Self {
        let request = Request::from_head(head, seen);
        let mut check = HeadCheck::new(head.complete);
        check_request_line(head, &mut check);
        check_request_fields(&head.fields, &mut check);
        check_subprotocol_names(&request.subprotocols, &mut check);
        check.violations.extend(extensions::check_offers(&request.extensions));
        Self {
            accept: head.fields.first("Sec-WebSocket-Key").map(accept_for),
            upgrade: head.fields.first("Upgrade").is_some(),
            extended: false,
            complete: head.complete,
            violations: check.violations,
            request,
        }
    }
}

impl CheckedResponse {
    /// Reads the head of a response, in the packet that ended it.
    #[must_use]
    pub fn from_head(head: &ResponseHead<'_>, seen: PacketRef) -> Self {
        let mut check = HeadCheck::new(head.complete);
        if head.status == 101 {
            check_response_fields(&head.fields, &mut check);
        }
        Self {
            response: Response::from_head(head, seen),
            nameless_subprotocol: head.fields.first("Sec-WebSocket-Protocol").is_some_and(<[u8]>::is_empty),
            complete: head.complete,
            violations: check.violations,
        }
    }
}

/// Puts request and response together; either may be missing from the capture. A response that does not open the WebSocket
/// is checked by its status alone.
#[must_use]
pub fn check_handshake(request: Option<CheckedRequest>, response: Option<CheckedResponse>) -> CheckedHandshake {
    let mut faults = Vec::new();
    let mut handshake = Handshake::default();
    if let Some(request) = &request {
        add_faults(&mut faults, Direction::ToServer, request.violations.clone());
    }
    if let Some(response) = &response {
        let violations = check_response(request.as_ref(), response, &mut handshake);
        add_faults(&mut faults, Direction::ToClient, violations);
    }
    handshake.request = request.map(|request| request.request);
    handshake.response = response.map(|response| response.response);
    CheckedHandshake { handshake, faults }
}

/// The rules that a response breaks; if it is a success, `handshake` gets the parameters that it accepts.
fn check_response(
    request: Option<&CheckedRequest>,
    response: &CheckedResponse,
    handshake: &mut Handshake,
) -> Vec<Violation> {
    let mut violations = Vec::new();
    let extended = request.is_some_and(|request| request.extended);
    match response.response.status {
        status if if extended { (200..300).contains(&status) } else { status == 101 } => {
            violations.extend(response.violations.iter().cloned());
            // Key and accept are "superseded by the :protocol pseudo-header field" (RFC 8441 §5).
            if !extended {
                handshake.accept = check_accept(request, response, &mut violations);
            }
            check_subprotocol(request, response, &mut violations);
            // Offers that the capture lacks cannot be missed.
            let offers = request.filter(|request| request.complete).map(|request| &*request.request.extensions);
            let (negotiated, more) = extensions::negotiate(offers, &response.response.extensions);
            handshake.negotiated = negotiated;
            violations.extend(more);
        }
        // RFC 9110 §7.8: a server may ignore an Upgrade. A proxy that did not notice may now take HTTP for frames.
        status @ 200..300 if request.is_some_and(|request| request.upgrade) => {
            violations.push((FindingCode::UpgradeIgnored, Detail::Number("status #", status.into())));
        }
        _ => {}
    }
    violations
}

/// Adds one side's faults. A head of 64 KiB can hold thousands; beyond [`MAX_FAULTS`] they are only counted.
fn add_faults(faults: &mut Vec<HandshakeFault>, direction: Direction, mut violations: Vec<Violation>) {
    let more = violations.len().saturating_sub(MAX_FAULTS);
    if more > 0 {
        violations.truncate(MAX_FAULTS);
        let count = Detail::count("# further fault", "# further faults", more as u64);
        violations.push((FindingCode::HandshakeMalformed, count));
    }
    faults.extend(violations.into_iter().map(|(code, detail)| HandshakeFault { code, direction, detail }));
}

/// The check of one head: collects the rules that it breaks.
pub(super) struct HeadCheck {
    pub(super) violations: Vec<Violation>,
    complete: bool,
}

impl HeadCheck {
    pub(super) const fn new(complete: bool) -> Self {
        Self { violations: Vec::new(), complete }
    }

    pub(super) fn violation(&mut self, code: FindingCode, detail: impl Into<Box<str>>) {
        self.violations.push((code, Detail::text(detail)));
    }

    pub(super) fn malformed(&mut self, detail: impl Into<Box<str>>) {
        self.violation(FindingCode::HandshakeMalformed, detail);
    }

    /// Records that a field is absent, if the head was captured to its end.
    pub(super) fn absent(&mut self, name: &str) {
        if self.complete {
            self.malformed(format!("{name} is absent"));
        }
    }

    pub(super) fn at_most_once(&mut self, fields: &Fields<'_>, name: &str) {
        if fields.all(name).nth(1).is_some() {
            self.malformed(format!("{name} is repeated"));
        }
    }

    /// The only value of a field that must be there once. Records where it is absent or repeated.
    pub(super) fn once<'a>(&mut self, fields: &Fields<'a>, name: &str) -> Option<&'a [u8]> {
        self.at_most_once(fields, name);
        let value = fields.first(name);
        if value.is_none() {
            self.absent(name);
        }
        value
    }

    /// A list that must be there and have that token.
    fn token(&mut self, fields: &Fields<'_>, name: &str, token: &str) {
        match fields.first(name) {
            None => self.absent(name),
            Some(_) if fields.has_token(name, token) => {}
            Some(value) => self.malformed(format!("{name} is {}, without {token}", shorten(&text(value)))),
        }
    }

    /// The version must be there once and 13 (RFC 6455 §4.1, requirement 9).
    pub(super) fn version(&mut self, fields: &Fields<'_>) {
        if let Some(version) = self.once(fields, "Sec-WebSocket-Version")
            && version != b"13"
        {
            self.violation(FindingCode::VersionUnsupported, format!("version {}", shorten(&text(version))));
        }
    }
}

/// RFC 6455 §4.1, the client's requirements 1 and 2.
fn check_request_line(head: &RequestHead<'_>, check: &mut HeadCheck) {
    if head.method != b"GET" {
        check.malformed(format!("the method is {}, not GET", shorten(&text(head.method))));
    }
    if head.minor == 0 {
        check.malformed("HTTP/1.0 is too old");
    }
}

/// RFC 6455 §4.1, the client's requirements 4 to 7 and 9.
fn check_request_fields(fields: &Fields<'_>, check: &mut HeadCheck) {
    check.once(fields, "Host");
    check.token(fields, "Upgrade", "websocket");
    check.token(fields, "Connection", "Upgrade");
    if let Some(sentence) = check.once(fields, "Sec-WebSocket-Key").and_then(wrong_key) {
        check.violation(FindingCode::KeyInvalid, sentence);
    }
    check.version(fields);
}

/// "a nonce consisting of a randomly selected 16-byte value that has been base64-encoded" (RFC 6455 §4.1, requirement 7);
/// 16 bytes have only one encoding (RFC 4648 §3.5).
fn wrong_key(key: &[u8]) -> Option<String> {
    if key.len() != 24 {
        return Some(format!("{} characters, not 24", key.len()));
    }
    match BASE64_STANDARD.decode(key) {
        Ok(bytes) if bytes.len() == 16 => None,
        Ok(bytes) => Some(format!("base64 of {} bytes, not 16", bytes.len())),
        Err(_) => Some("not the base64 of 16 bytes".to_owned()),
    }
}

/// RFC 6455 §4.1, requirement 10: names are tokens, "and MUST all be unique strings".
pub(super) fn check_subprotocol_names(names: &[String], check: &mut HeadCheck) {
    let mut seen = BTreeSet::new();
    for name in names {
        if !is_token(name.as_bytes()) {
            check.malformed(format!("Sec-WebSocket-Protocol: {} is no token", shorten(name)));
        } else if !seen.insert(name) {
            check.malformed(format!("Sec-WebSocket-Protocol: {} is repeated", shorten(name)));
        }
    }
}

/// RFC 6455 §4.2.2, 5: the fields of a 101; §11.3.2 and §11.3.4 for the fields that may not be repeated.
fn check_response_fields(fields: &Fields<'_>, check: &mut HeadCheck) {
    // "not an ASCII case-insensitive match for the value "websocket"" (§4.1): unlike a request's, it has no other element.
    match check.once(fields, "Upgrade") {
        Some(value) if !is_websocket(value) => {
            check.malformed(format!("Upgrade is {}, not websocket", shorten(&text(value))));
        }
        _ => {}
    }
    check.token(fields, "Connection", "Upgrade");
    for name in ["Sec-WebSocket-Accept", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"] {
        check.at_most_once(fields, name);
    }
}

/// RFC 6455 §4.1: the client's check 4 of the response.
fn check_accept(
    request: Option<&CheckedRequest>,
    response: &CheckedResponse,
    violations: &mut Vec<Violation>,
) -> AcceptCheck {
    let expected = request.and_then(|request| request.accept.as_ref());
    match (&response.response.accept, expected) {
        (None, _) if response.complete => {
            violations.push((FindingCode::AcceptMissing, Detail::None));
            AcceptCheck::Missing
        }
        (Some(accept), Some(expected)) if accept != expected => {
            let detail = format!("{}, not {expected}", shorten(accept));
            violations.push((FindingCode::AcceptMismatch, Detail::text(detail)));
            AcceptCheck::Mismatch
        }
        (Some(_), Some(_)) => AcceptCheck::Valid,
        _ => AcceptCheck::Unknown,
    }
}

/// RFC 6455 §4.1: the client's check 6 of the response.
fn check_subprotocol(request: Option<&CheckedRequest>, response: &CheckedResponse, violations: &mut Vec<Violation>) {
    let Some(request) = request.filter(|request| request.complete) else { return };
    match &response.response.subprotocol {
        Some(name) if !request.request.subprotocols.contains(name) => {
            violations.push((FindingCode::SubprotocolNotOffered, Detail::text(shorten(name))));
        }
        None if response.nameless_subprotocol => {
            violations.push((FindingCode::SubprotocolNotOffered, Detail::Fixed("an empty name")));
        }
        _ => {}
    }
}

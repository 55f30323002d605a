//! What is wrong with an opening handshake (RFC 6455 §4): each side's head by itself, then one against the other.
//!
//! A head that was not captured whole is not blamed for what it lacks.

use std::collections::BTreeSet;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::{AcceptCheck, Handshake, Request, Response, accept_for, extensions, is_websocket, shorten, text};
use crate::http::{Fields, RequestHead, ResponseHead, is_token};
use crate::types::{Detail, Direction, FindingCode, PacketRef};

mod extended;

pub use extended::check_settings;

/// Faults of one head that are told in full; real ones have at most a few.
const MAX_FAULTS: usize = 100;

/// A request for a WebSocket that waits for its answer: what it says, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedRequest {
    /// What it says.
    pub request: Request,
    /// The accept that belongs to its key, from the bytes on the wire.
    pub(super) accept: Option<String>,
    /// It has an Upgrade field.
    upgrade: bool,
    /// It is an extended CONNECT (RFC 8441), to which any 2xx is success.
    extended: bool,
    /// Its head was captured whole.
    complete: bool,
    pub(super) wrong: Vec<(FindingCode, Detail)>,
}

/// The answer to it: what it says, and what is wrong with it if it is a success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedResponse {
    /// What it says.
    pub response: Response,
    /// There is a Sec-WebSocket-Protocol, and it is empty.
    nameless_subprotocol: bool,
    /// Its head was captured whole.
    complete: bool,
    pub(super) wrong: Vec<(FindingCode, Detail)>,
}

/// Something wrong with a handshake. It was seen at the packet of the request or response that `direction` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandshakeFault {
    /// What.
    pub code: FindingCode,
    /// Whose.
    pub direction: Direction,
    /// The particulars.
    pub detail: Detail,
}

/// What became of a request and its response.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CheckedHandshake {
    /// What was asked, answered and settled.
    pub handshake: Handshake,
    /// What is wrong with it: the request's faults, then the response's.
    pub faults: Vec<HandshakeFault>,
}

impl CheckedRequest {
    /// Reads the head of a request that [`super::is_websocket_attempt`], in the packet that ended it.
    #[must_use]
    pub fn from_head(head: &RequestHead<'_>, seen: PacketRef) -> Self {
        let request = Request::from_head(head, seen);
        let mut wrong = Wrongs::new(head.complete);
        request_line(head, &mut wrong);
        request_fields(&head.fields, &mut wrong);
        subprotocols(&request.subprotocols, &mut wrong);
        wrong.list.extend(extensions::check_offers(&request.extensions));
        Self {
            accept: head.fields.first("Sec-WebSocket-Key").map(accept_for),
            upgrade: head.fields.first("Upgrade").is_some(),
            extended: false,
            complete: head.complete,
            wrong: wrong.list,
            request,
        }
    }
}

impl CheckedResponse {
    /// Reads the head of a response, in the packet that ended it.
    #[must_use]
    pub fn from_head(head: &ResponseHead<'_>, seen: PacketRef) -> Self {
        let mut wrong = Wrongs::new(head.complete);
        if head.status == 101 {
            response_fields(&head.fields, &mut wrong);
        }
        Self {
            response: Response::from_head(head, seen),
            nameless_subprotocol: head.fields.first("Sec-WebSocket-Protocol").is_some_and(<[u8]>::is_empty),
            complete: head.complete,
            wrong: wrong.list,
        }
    }
}

/// Puts request and response together; either may be missing from the capture. A response other than a 101 is judged by
/// its status alone.
#[must_use]
pub fn check_handshake(asked: Option<CheckedRequest>, answered: Option<CheckedResponse>) -> CheckedHandshake {
    let mut faults = Vec::new();
    let mut handshake = Handshake::default();
    if let Some(asked) = &asked {
        tell(&mut faults, Direction::ToServer, asked.wrong.clone());
    }
    if let Some(answered) = &answered {
        let mut wrong = Vec::new();
        let extended = asked.as_ref().is_some_and(|asked| asked.extended);
        match answered.response.status {
            status if if extended { (200..300).contains(&status) } else { status == 101 } => {
                wrong.extend(answered.wrong.iter().cloned());
                // Key and accept are "superseded by the :protocol pseudo-header field" (RFC 8441 §5).
                if !extended {
                    handshake.accept = check_accept(asked.as_ref(), answered, &mut wrong);
                }
                check_subprotocol(asked.as_ref(), answered, &mut wrong);
                // Offers that the capture lacks cannot be missed.
                let offers = asked.as_ref().filter(|asked| asked.complete).map(|asked| &*asked.request.extensions);
                let (negotiated, more) = extensions::negotiate(offers, &answered.response.extensions);
                handshake.negotiated = negotiated;
                wrong.extend(more);
            }
            // RFC 9110 §7.8: a server may ignore an Upgrade. A proxy that did not notice may now take HTTP for frames.
            status @ 200..300 if asked.as_ref().is_some_and(|asked| asked.upgrade) => {
                wrong.push((FindingCode::UpgradeIgnored, Detail::Number("status #", status.into())));
            }
            _ => {}
        }
        tell(&mut faults, Direction::ToClient, wrong);
    }
    handshake.request = asked.map(|asked| asked.request);
    handshake.response = answered.map(|answered| answered.response);
    CheckedHandshake { handshake, faults }
}

/// Adds one side's faults. A head of 64 KiB can hold thousands; beyond [`MAX_FAULTS`] they are only counted.
fn tell(faults: &mut Vec<HandshakeFault>, direction: Direction, mut wrong: Vec<(FindingCode, Detail)>) {
    let more = wrong.len().saturating_sub(MAX_FAULTS);
    if more > 0 {
        wrong.truncate(MAX_FAULTS);
        wrong
            .push((FindingCode::HandshakeMalformed, Detail::count("# further fault", "# further faults", more as u64)));
    }
    faults.extend(wrong.into_iter().map(|(code, detail)| HandshakeFault { code, direction, detail }));
}

/// Collects what is wrong with one head.
struct Wrongs {
    list: Vec<(FindingCode, Detail)>,
    complete: bool,
}

impl Wrongs {
    const fn new(complete: bool) -> Self {
        Self { list: Vec::new(), complete }
    }

    fn say(&mut self, code: FindingCode, detail: impl Into<Box<str>>) {
        self.list.push((code, Detail::text(detail)));
    }

    fn malformed(&mut self, detail: impl Into<Box<str>>) {
        self.say(FindingCode::HandshakeMalformed, detail);
    }

    /// Says that a field is absent, if it would have been seen.
    fn absent(&mut self, name: &str) {
        if self.complete {
            self.malformed(format!("{name} is absent"));
        }
    }

    fn at_most_once(&mut self, fields: &Fields<'_>, name: &str) {
        if fields.all(name).nth(1).is_some() {
            self.malformed(format!("{name} is repeated"));
        }
    }

    /// The only value of a field that must be there once. What is absent or repeated is said.
    fn once<'a>(&mut self, fields: &Fields<'a>, name: &str) -> Option<&'a [u8]> {
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
}

/// RFC 6455 §4.1, the client's requirements 1 and 2.
fn request_line(head: &RequestHead<'_>, wrong: &mut Wrongs) {
    if head.method != b"GET" {
        wrong.malformed(format!("the method is {}, not GET", shorten(&text(head.method))));
    }
    if head.minor == 0 {
        wrong.malformed("HTTP/1.0 is too old");
    }
}

/// RFC 6455 §4.1, the client's requirements 4 to 7 and 9.
fn request_fields(fields: &Fields<'_>, wrong: &mut Wrongs) {
    wrong.once(fields, "Host");
    wrong.token(fields, "Upgrade", "websocket");
    wrong.token(fields, "Connection", "Upgrade");
    if let Some(sentence) = wrong.once(fields, "Sec-WebSocket-Key").and_then(wrong_key) {
        wrong.say(FindingCode::KeyInvalid, sentence);
    }
    if let Some(version) = wrong.once(fields, "Sec-WebSocket-Version")
        && version != b"13"
    {
        wrong.say(FindingCode::VersionUnsupported, format!("version {}", shorten(&text(version))));
    }
}

/// "a nonce consisting of a randomly selected 16-byte value that has been base64-encoded" (RFC 6455 §4.1, 7), and that
/// has one encoding only (RFC 4648 §3.5).
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

/// RFC 6455 §4.1, 10: names are tokens, "and MUST all be unique strings".
fn subprotocols(names: &[String], wrong: &mut Wrongs) {
    let mut seen = BTreeSet::new();
    for name in names {
        if !is_token(name.as_bytes()) {
            wrong.malformed(format!("Sec-WebSocket-Protocol: {} is no token", shorten(name)));
        } else if !seen.insert(name) {
            wrong.malformed(format!("Sec-WebSocket-Protocol: {} is repeated", shorten(name)));
        }
    }
}

/// RFC 6455 §4.2.2, 5: what a 101 consists of; §11.3.2 and §11.3.4 for what may not be repeated.
fn response_fields(fields: &Fields<'_>, wrong: &mut Wrongs) {
    // "not an ASCII case-insensitive match for the value "websocket"" (§4.1): other than in a request, alone.
    match wrong.once(fields, "Upgrade") {
        Some(value) if !is_websocket(value) => {
            wrong.malformed(format!("Upgrade is {}, not websocket", shorten(&text(value))));
        }
        _ => {}
    }
    wrong.token(fields, "Connection", "Upgrade");
    for name in ["Sec-WebSocket-Accept", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"] {
        wrong.at_most_once(fields, name);
    }
}

/// RFC 6455 §4.1: the client's check 4 of the response.
fn check_accept(
    asked: Option<&CheckedRequest>,
    answered: &CheckedResponse,
    wrong: &mut Vec<(FindingCode, Detail)>,
) -> AcceptCheck {
    let expected = asked.and_then(|asked| asked.accept.as_ref());
    match (&answered.response.accept, expected) {
        (None, _) if answered.complete => {
            wrong.push((FindingCode::AcceptMissing, Detail::None));
            AcceptCheck::Missing
        }
        (Some(accept), Some(expected)) if accept != expected => {
            let detail = format!("{}, not {expected}", shorten(accept));
            wrong.push((FindingCode::AcceptMismatch, Detail::text(detail)));
            AcceptCheck::Mismatch
        }
        (Some(_), Some(_)) => AcceptCheck::Valid,
        _ => AcceptCheck::Unknown,
    }
}

/// RFC 6455 §4.1: the client's check 6 of the response.
fn check_subprotocol(
    asked: Option<&CheckedRequest>,
    answered: &CheckedResponse,
    wrong: &mut Vec<(FindingCode, Detail)>,
) {
    let Some(asked) = asked.filter(|asked| asked.complete) else { return };
    match &answered.response.subprotocol {
        Some(name) if !asked.request.subprotocols.contains(name) => {
            wrong.push((FindingCode::SubprotocolNotOffered, Detail::text(shorten(name))));
        }
        None if answered.nameless_subprotocol => {
            wrong.push((FindingCode::SubprotocolNotOffered, Detail::Fixed("an empty name")));
        }
        _ => {}
    }
}

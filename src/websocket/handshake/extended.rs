//! The opening handshake in HTTP/2: an extended CONNECT and the response to it (RFC 8441 §4, §5).

use super::check::{
    CheckedHandshake, CheckedRequest, CheckedResponse, HandshakeFault, HeadCheck, check_subprotocol_names,
};
use super::heads::{Request, Response, text};
use crate::http::h2::HeaderList;
use crate::types::{Detail, Direction, FindingCode, PacketRef};
use crate::websocket::extensions;

impl CheckedRequest {
    /// Reads the header list of a request that [`HeaderList::is_websocket_attempt`], or may be one, in the packet that ended
    /// it.
    #[must_use]
    pub fn from_list(list: &HeaderList, seen: PacketRef) -> Self {
        let fields = list.fields();
        let method = list.method().unwrap_or_default();
        let mut request = Request::from_fields(method, list.path().unwrap_or_default(), &fields, seen);
        request.host = list.authority().map(text).or(request.host);
        let mut check = HeadCheck::new(list.is_complete());
        // "On requests that contain the :protocol pseudo-header field, the :scheme and :path pseudo-header fields of the
        // target URI MUST also be included." (RFC 8441 §4)
        for (name, value) in [(":scheme", list.scheme()), (":path", list.path()), (":authority", list.authority())] {
            if value.is_none() && !(name == ":authority" && request.host.is_some()) {
                check.absent(name);
            }
        }
        if let Some(fault) = list.malformed() {
            check.malformed(fault.as_str());
        }
        check.version(&fields);
        check_subprotocol_names(&request.subprotocols, &mut check);
        check.violations.extend(extensions::check_offers(&request.extensions));
        let (complete, violations) = (list.is_complete(), check.violations);
        Self { accept: None, upgrade: false, extended: true, complete, violations, request }
    }
}

impl CheckedResponse {
    /// Reads the header list of a response, in the packet that ended it.
    #[must_use]
    pub fn from_list(list: &HeaderList, status: u16, seen: PacketRef) -> Self {
        let fields = list.fields();
        let mut check = HeadCheck::new(list.is_complete());
        if let Some(fault) = list.malformed() {
            check.malformed(fault.as_str());
        }
        for name in ["Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"] {
            check.at_most_once(&fields, name);
        }
        Self {
            response: Response::from_fields(status, b"", &fields, seen),
            nameless_subprotocol: fields.first("Sec-WebSocket-Protocol").is_some_and(<[u8]>::is_empty),
            complete: list.is_complete(),
            violations: check.violations,
        }
    }
}

/// Adds the fault of an extended CONNECT to a server that did not announce that it takes one: "A client MAY use the
/// Extended CONNECT" only "Upon receipt of SETTINGS_ENABLE_CONNECT_PROTOCOL with a value of 1" (RFC 8441 §3).
pub fn check_settings(checked: &mut CheckedHandshake, extended_connect: Option<bool>) {
    if extended_connect == Some(false) && checked.handshake.request.is_some() {
        let detail = Detail::Fixed("an extended CONNECT without SETTINGS_ENABLE_CONNECT_PROTOCOL");
        checked.faults.push(HandshakeFault {
            code: FindingCode::HandshakeMalformed,
            direction: Direction::ToServer,
            detail,
        });
    }
}

//! A request for a WebSocket in HTTP/1.1 that came to nothing.

use crate::analyzer::identity::identify;
use crate::analyzer::turn::Turn;
use crate::analyzer::websocket;
use crate::event::Sink;
use crate::http::H1Loss;
use crate::types::{Detail, Direction, FindingCode};
use crate::websocket::{CheckedRequest, CheckedResponse, HandshakeFault, check_handshake};

/// Emits a request for a WebSocket that came to nothing, after so many `attempts` at one.
pub(in crate::analyzer) fn refuse<S: Sink>(
    request: CheckedRequest,
    response: Option<CheckedResponse>,
    attempts: &mut u32,
    turn: &mut Turn<'_, S>,
) {
    let identity = identify(attempts, turn);
    websocket::refuse(identity, check_handshake(Some(request), response), None, turn);
}

/// The same for one that was answered with something that is no HTTP response (RFC 6455 §4.1 asks for one).
pub(super) fn refuse_garbled<S: Sink>(
    request: CheckedRequest,
    instead: Option<H1Loss>,
    attempts: &mut u32,
    turn: &mut Turn<'_, S>,
) {
    let identity = identify(attempts, turn);
    let mut judged = check_handshake(Some(request), None);
    judged.handshake.garbled = true;
    let detail = Detail::text(format!("the answer is {}", instead.map_or("not HTTP", H1Loss::as_str)));
    judged.faults.push(HandshakeFault {
        code: FindingCode::HandshakeMalformed,
        direction: Direction::ToClient,
        detail,
    });
    websocket::refuse(identity, judged, None, turn);
}

//! A request for a WebSocket in HTTP/1.1 that came to nothing.

use crate::analyzer::identity::identify;
use crate::analyzer::shared::Out;
use crate::analyzer::websocket;
use crate::event::Sink;
use crate::http::H1Loss;
use crate::tcp::Flow;
use crate::types::{Detail, Direction, FindingCode, PacketRef};
use crate::websocket::{CheckedRequest, CheckedResponse, HandshakeFault, check_handshake};

/// A request for a WebSocket came to nothing.
pub(in crate::analyzer) fn refuse<S: Sink>(
    asked: CheckedRequest,
    answered: Option<CheckedResponse>,
    flow: &Flow,
    attempts: &mut u32,
    seen: PacketRef,
    out: &mut Out<'_, S>,
) -> Result<(), S::Error> {
    let identity = identify(flow, attempts, out);
    websocket::refuse(identity, check_handshake(Some(asked), answered), None, flow, seen, out)
}

/// A request for a WebSocket was answered with something that is no HTTP response (RFC 6455 §4.1 asks for one).
pub(super) fn refuse_garbled<S: Sink>(
    asked: CheckedRequest,
    instead: Option<H1Loss>,
    flow: &Flow,
    attempts: &mut u32,
    seen: PacketRef,
    out: &mut Out<'_, S>,
) -> Result<(), S::Error> {
    let identity = identify(flow, attempts, out);
    let mut judged = check_handshake(Some(asked), None);
    judged.handshake.garbled = true;
    let detail = Detail::text(format!("the answer is {}", instead.map_or("not HTTP", H1Loss::as_str)));
    judged.faults.push(HandshakeFault {
        code: FindingCode::HandshakeMalformed,
        direction: Direction::ToClient,
        detail,
    });
    websocket::refuse(identity, judged, None, flow, seen, out)
}

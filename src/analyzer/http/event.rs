//! What an event of [`H1`](crate::http::H1) means to a connection that looks for WebSockets; what is needed of it afterwards is
//! copied.

use crate::http::h2::UpgradeSettings;
use crate::http::{Effect, H1Event, H1Loss, ResponseHead};
use crate::types::{Direction, PacketRef};
use crate::websocket::{CheckedRequest, CheckedResponse, is_websocket_attempt};

/// A request that asks for a WebSocket, or may: its head was cut off.
pub(super) struct PendingRequest {
    pub(super) number: u64,
    pub(super) request: CheckedRequest,
    pub(super) certain: bool,
    /// The complete head was captured.
    pub(super) complete: bool,
}

/// A response that switches to WebSocket.
pub(super) struct EarlyResponse {
    pub(super) response: CheckedResponse,
    /// The complete head was captured.
    pub(super) complete: bool,
}

/// What a step of [`H1`] means here.
pub(super) enum HttpEvent {
    Nothing,
    Request(Box<PendingRequest>),
    /// A request for HTTP/2.
    Upgrade(u64, UpgradeSettings),
    Response(Option<u64>, Effect, Option<Box<EarlyResponse>>),
    /// A 101 to HTTP/2, and the number of its request.
    Http2(Option<u64>, Box<EarlyResponse>),
    /// Bytes that are no HTTP; in place of a response, why.
    Garbage(Option<H1Loss>),
    Gap,
}

/// What is needed of a step after it.
pub(super) fn http_event(step: &H1Event<'_>, direction: Direction, seen: PacketRef) -> HttpEvent {
    match step {
        H1Event::Request { number, head } => {
            let (certain, complete) = (is_websocket_attempt(head), head.complete);
            if !certain && head.fields.has_token("Upgrade", "h2c") {
                return HttpEvent::Upgrade(*number, UpgradeSettings::from_fields(&head.fields, seen));
            }
            if !certain && complete {
                return HttpEvent::Nothing;
            }
            let request = CheckedRequest::from_head(head, seen);
            HttpEvent::Request(Box::new(PendingRequest { number: *number, request, certain, complete }))
        }
        H1Event::Response { head, request, effect } => {
            let wanted = *effect != Effect::Switched || request.is_some() || is_websocket_switch(head);
            let response = || {
                Box::new(EarlyResponse { response: CheckedResponse::from_head(head, seen), complete: head.complete })
            };
            if *effect == Effect::Switched && head.fields.has_token("Upgrade", "h2c") {
                return HttpEvent::Http2(*request, response());
            }
            HttpEvent::Response(*request, *effect, wanted.then(response))
        }
        H1Event::Lost(H1Loss::Gap) => HttpEvent::Gap,
        H1Event::Lost(loss @ (H1Loss::NotHttp | H1Loss::HeadTooLong)) if direction == Direction::ToClient => {
            HttpEvent::Garbage(Some(*loss))
        }
        H1Event::Lost(_) => HttpEvent::Garbage(None),
    }
}

/// Whether a 101 of which the request was not captured is about WebSocket.
fn is_websocket_switch(head: &ResponseHead<'_>) -> bool {
    head.fields.has_token("Upgrade", "websocket") || head.fields.first("Sec-WebSocket-Accept").is_some()
}

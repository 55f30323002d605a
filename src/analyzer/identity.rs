//! What tells a WebSocket from all others: its number and its uid.

use super::shared::Out;
use crate::event::{Identity, Sink, Transport};
use crate::tcp::Flow;
use crate::types::Uid;
use crate::types::uid::Origin;

/// What tells the connection that is asked for from others; takes the next number.
pub(super) fn identify<S: Sink>(flow: &Flow, attempts: &mut u32, out: &mut Out<'_, S>) -> Identity {
    let identity = identity(flow, None, *attempts, out);
    *attempts = attempts.saturating_add(1);
    identity
}

/// What tells the WebSocket on an HTTP/2 stream from others; takes the next number.
pub(super) fn identify_stream<S: Sink>(flow: &Flow, stream: u32, out: &mut Out<'_, S>) -> Identity {
    identity(flow, Some(stream), 0, out)
}

fn identity<S: Sink>(flow: &Flow, stream_id: Option<u32>, attempt: u32, out: &mut Out<'_, S>) -> Identity {
    let number = out.shared.next_connection;
    out.shared.next_connection += 1;
    let uid = Uid::of(&Origin {
        capture: &out.shared.capture,
        ends: [flow.carrier.client, flow.carrier.server],
        first: flow.carrier.first.at,
        first_seq: flow.first_seq,
        stream_id,
        attempt,
    });
    Identity {
        number,
        uid,
        tcp_stream: flow.number,
        stream_id,
        client: flow.carrier.client,
        server: flow.carrier.server,
        transport: if stream_id.is_some() { Transport::Http2 } else { Transport::Http1 },
        tls: out.tls.is_some(),
        first: flow.carrier.first,
    }
}

//! What identifies a WebSocket: its number and its uid.

use super::turn::Turn;
use crate::event::{Identity, Sink, Transport};
use crate::types::Uid;
use crate::types::uid::Origin;

/// The identity of the WebSocket that a connection asks for in HTTP/1.1, after so many `attempts` at one; takes the next
/// number.
pub(super) fn identify<S: Sink>(attempts: &mut u32, turn: &mut Turn<'_, S>) -> Identity {
    let identity = identity(None, *attempts, turn);
    *attempts = attempts.saturating_add(1);
    identity
}

/// The identity of the WebSocket on an HTTP/2 stream; takes the next number.
pub(super) fn identify_stream<S: Sink>(stream: u64, turn: &mut Turn<'_, S>) -> Identity {
    identity(Some(stream), 0, turn)
}

fn identity<S: Sink>(stream_id: Option<u64>, attempt: u32, turn: &mut Turn<'_, S>) -> Identity {
    let number = turn.shared.next_connection;
    turn.shared.next_connection += 1;
    let flow = &*turn.flow;
    let uid = Uid::of(&Origin {
        capture: &turn.shared.capture,
        ends: [flow.carrier.client, flow.carrier.server],
        first: flow.carrier.first.at,
        first_seq: flow.first_seq,
        stream_id,
        attempt,
    });
    Identity {
        number,
        uid,
        tcp_stream: Some(flow.number),
        stream_id,
        client: flow.carrier.client,
        server: flow.carrier.server,
        transport: if stream_id.is_some() { Transport::Http2 } else { Transport::Http1 },
        tls: turn.tls.is_some(),
        first: flow.carrier.first,
    }
}

//! A request for a WebSocket that came to nothing.

use super::record_handshake;
use crate::analyzer::conversation::{Conversation, Ending, Note};
use crate::analyzer::turn::Turn;
use crate::analyzer::verdict::Verdict;
use crate::event::{Http2, Identity, Sink, What};
use crate::types::PerDirection;
use crate::websocket::CheckedHandshake;

/// Emits a request that did not become a WebSocket; in HTTP/2, with what that shows beyond, and the findings of the connection
/// around it.
pub(in crate::analyzer) fn refuse<S: Sink>(
    identity: Identity,
    judged: CheckedHandshake,
    http2: Option<(Http2, Vec<Note>)>,
    turn: &mut Turn<'_, S>,
) {
    let mut conversation = Conversation::new(identity, turn.shared);
    conversation.emit_carriers(turn);
    let handshake = record_handshake(&mut conversation, judged, turn);
    let (http2, notes) = http2.unzip();
    for note in notes.into_iter().flatten() {
        // The conversation ends here: nothing of it is kept.
        conversation.record(note, turn).counted_anyway();
    }
    turn.emit(&conversation.identity, None, What::Refused(&handshake));
    let ending = Ending {
        handshake_seen: true,
        handshake,
        opened: None,
        last: turn.seen,
        last_byte: Some(turn.seen),
        verdict: Verdict::REJECTED,
        tcp_ends: PerDirection::default(),
        traffic: PerDirection::default(),
        http2,
    };
    conversation.summary(ending, turn);
}

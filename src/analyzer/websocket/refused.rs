//! A request for a WebSocket that came to nothing.

use super::{Conversation, Note, tell_handshake};
use crate::analyzer::shared::Out;
use crate::event::{Http2, Identity, Outcome, Sink, Summary, What};
use crate::tcp::Flow;
use crate::types::{PacketRef, PerDirection, Sketch};
use crate::websocket::CheckedHandshake;

/// Tells of a request that did not become a WebSocket; in HTTP/2, with what it shows beyond that, and what was found around
/// it.
pub(in crate::analyzer) fn refuse<S: Sink>(
    identity: Identity,
    judged: CheckedHandshake,
    http2: Option<(Http2, Vec<Note>)>,
    flow: &Flow,
    seen: PacketRef,
    out: &mut Out<'_, S>,
) -> Result<(), S::Error> {
    let mut conversation = Conversation::new(identity);
    let handshake = tell_handshake(&mut conversation, judged, seen, out)?;
    let (http2, notes) = http2.unzip();
    for (broken, direction, seen) in notes.into_iter().flatten() {
        conversation.tell(broken, direction, seen, out)?;
    }
    out.say(&conversation.identity, seen, None, What::Refused(&handshake))?;
    let summary = Summary {
        handshake_seen: true,
        handshake,
        opened: None,
        last: seen,
        last_byte: Some(seen),
        outcome: Outcome::Rejected,
        closed_by: None,
        close_code: None,
        close_reason: Vec::new(),
        clean: None,
        closes: PerDirection::default(),
        tcp_ends: PerDirection::default(),
        tcp_handshake_us: flow.carrier.handshake_us,
        traffic: PerDirection::default(),
        ping_rtts_us: Sketch::default(),
        longest_silence: None,
        http2,
        findings: conversation.findings.into_counts(),
        tls: out.tls.cloned().map(Box::new),
    };
    out.say(&conversation.identity, seen, None, What::Closed(&summary))
}

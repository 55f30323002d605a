//! What HTTP/2 adds to a report: the stream's end, the server's settings, GOAWAY, time without a window.

use super::units::micros;
use super::words::arrow;
use crate::event::{Http2, StreamEndKind, Summary};
use crate::types::Direction;

/// The lines of the section `http/2`; none for a WebSocket in HTTP/1.1.
pub(super) fn http2_lines(summary: &Summary) -> Vec<String> {
    let Some(http2) = &summary.http2 else { return Vec::new() };
    let mut lines = Vec::new();
    lines.push(
        match http2.extended_connect {
            Some(true) => "the server announced extended CONNECT",
            Some(false) => "the server did NOT announce extended CONNECT (SETTINGS_ENABLE_CONNECT_PROTOCOL)",
            None => "whether the server announced extended CONNECT was not captured",
        }
        .to_owned(),
    );
    for direction in Direction::BOTH {
        if let Some((code, seen)) = http2.goaways.get(direction) {
            lines.push(format!("GOAWAY by {}: {code}, packet {}", direction.sender(), seen.packet));
        }
        let stalled = *http2.stalled_us.get(direction);
        if stalled > 0 {
            let sender = direction.sender();
            let time = micros(stalled);
            lines.push(format!("{} flow control: the {sender}'s window was used up for {time}", arrow(direction)));
        }
    }
    lines
}

/// How the stream ended in that direction: `END_STREAM by client`, `RST_STREAM CANCEL by server`. `None` where TCP did.
pub(super) fn stream_end(http2: &Http2, direction: Direction) -> Option<String> {
    let sender = direction.sender();
    Some(match http2.ends.get(direction).as_ref()?.how {
        StreamEndKind::EndStream => format!("END_STREAM by {sender}"),
        StreamEndKind::Reset(Some(code)) => format!("RST_STREAM {code} by {sender}"),
        StreamEndKind::Reset(None) => format!("RST_STREAM by {sender}"),
    })
}

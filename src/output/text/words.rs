//! Short texts that several sections of a report use: text from the wire, times of day, codes of Close frames, arrows.

use crate::output::escape;
use crate::types::{Direction, Timestamp};
use crate::websocket::CloseCode;

/// Text from the wire, safe for a terminal and of at most `limit` characters.
pub(crate) fn wire(bytes: &[u8], limit: usize) -> String {
    // No character has more than four bytes: those beyond could not be among the first `limit`.
    let (head, more) = escape::preview(bytes, limit.saturating_mul(4), false);
    let safe = escape::terminal(head);
    let cut = more || safe.chars().nth(limit).is_some();
    if !cut {
        return safe.into_owned();
    }
    let mut out: String = safe.chars().take(limit.saturating_sub(1)).collect();
    out.push('…');
    out
}

/// `1001 going away`; a code in one of the open ranges with what the range is for (RFC 6455 §7.4.2).
pub(crate) fn close_code_text(code: u16) -> String {
    let name = CloseCode(code).name();
    if matches!(code, 1000..=1015 | 3000 | 3003 | 3008) { format!("{code} {name}") } else { format!("{code} ({name})") }
}

/// `16:19:05.123`
pub(super) fn clock(time: Timestamp) -> String {
    time.to_string().get(11..23).unwrap_or_default().to_owned()
}

/// `2026-11-22 16:19:05.123`
pub(super) fn clock_date(time: Timestamp) -> String {
    let text = time.to_string();
    format!("{} {}", text.get(..10).unwrap_or_default(), clock(time))
}

/// `→` from the client, `←` from the server.
pub(crate) const fn arrow(direction: Direction) -> &'static str {
    match direction {
        Direction::ToServer => "→",
        Direction::ToClient => "←",
    }
}

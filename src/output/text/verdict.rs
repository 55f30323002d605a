//! The first line of a report: how the connection ended, by whom, and after how long.

use super::http2::stream_end;
use super::style::{Style, Tone};
use super::units::{count, exact_seconds, micros};
use super::words::{close_code_text, wire};
use crate::event::{CloseSent, Identity, Outcome, Summary};
use crate::stream::EndReason;
use crate::types::{Direction, FindingCode, PacketRef};

/// Idle timeouts that proxies, load balancers and servers come with, in seconds.
const IDLE_TIMEOUTS: [u64; 13] = [15, 20, 30, 45, 60, 90, 120, 180, 300, 350, 600, 900, 3_600];

/// `#3 CLOSED by server, 1001 going away "bye", after 12.3 s, clean`
pub(super) fn verdict(connection: &Identity, summary: &Summary, style: Style) -> String {
    let number = style.paint(Tone::Strong, &format!("#{}", connection.number)).into_owned();
    format!("{number} {}", outcome(connection, summary, style))
}

/// The same without the number.
pub(crate) fn outcome(connection: &Identity, summary: &Summary, style: Style) -> String {
    let (tone, head, rest) = match summary.outcome {
        Outcome::Closed => closed(summary, connection),
        Outcome::Aborted => aborted(summary),
        Outcome::Rejected => failed(summary),
        Outcome::Unknown => (Tone::Doubtful, "ENCRYPTED", closed_tls(summary)),
        Outcome::Open => {
            let time = micros(open_for(summary, connection, summary.last));
            (Tone::Good, "STILL OPEN", format!(" after {time}, at the end of the capture"))
        }
    };
    let seen = if summary.handshake_seen || summary.outcome == Outcome::Unknown { "" } else { " (handshake not seen)" };
    format!("{}{rest}{seen}", style.paint(tone, head))
}

/// The time from the handshake, or the first packet, to `end`, in microseconds.
fn open_for(summary: &Summary, connection: &Identity, end: PacketRef) -> u64 {
    end.at.micros_since(summary.opened.unwrap_or(connection.first).at)
}

/// The Close that came first, and who sent it.
pub(super) fn first_close(summary: &Summary) -> Option<(Direction, &CloseSent)> {
    Direction::BOTH
        .into_iter()
        .filter_map(|direction| summary.closes.get(direction).as_ref().map(|close| (direction, close)))
        .min_by_key(|(direction, close)| {
            // Both in one packet cannot be: each direction has its own. The tie is for hostile packet numbers.
            (close.seen.packet, close.seen.at, summary.closed_by != Some(direction.sender()))
        })
}

fn closed(summary: &Summary, connection: &Identity) -> (Tone, &'static str, String) {
    let mut rest = summary.closed_by.map_or_else(String::new, |role| format!(" by {role}"));
    if let Some(code) = summary.close_code {
        rest += &format!(", {}", close_code_text(code));
    }
    if !summary.close_reason.is_empty() {
        rest += &format!(" \"{}\"", wire(&summary.close_reason, 123));
    }
    let first = first_close(summary);
    let end = first.map_or(summary.last, |(_, close)| close.seen);
    rest += &format!(", after {}", micros(open_for(summary, connection, end)));
    match (summary.clean, first) {
        (Some(true), _) => rest += ", clean",
        (Some(false), Some((direction, _))) => {
            rest += &format!(", not clean: no Close from the {}", direction.reverse().sender());
        }
        _ => {}
    }
    let normal = summary.clean == Some(true) && matches!(summary.close_code, Some(1000 | 1001 | 1005 | 3000..));
    (if normal { Tone::Good } else { Tone::Doubtful }, "CLOSED", rest)
}

fn aborted(summary: &Summary) -> (Tone, &'static str, String) {
    let code = summary.close_code.map_or_else(String::new, |code| format!(" {code}"));
    let Some((how, end)) = tcp_end(summary) else { return (Tone::Bad, "ABORTED", code) };
    let mut rest = format!("{code}: {how}");
    if let Some(byte) = summary.last_byte {
        let silence = end.at.micros_since(byte.at);
        rest += &format!(" {} after the last byte", exact_seconds(silence));
        if let Some(timeout) = idle_timeout(silence) {
            rest += &format!(" (an idle timeout of {} s?)", count(timeout));
        }
    }
    (Tone::Bad, "ABORTED", rest)
}

fn failed(summary: &Summary) -> (Tone, &'static str, String) {
    let handshake = &summary.handshake;
    let rest = match &handshake.response {
        Some(response) => {
            let reason = wire(response.reason.as_bytes(), 60);
            let space = if reason.is_empty() { "" } else { " " };
            let time = super::super::columns::handshake_us(summary)
                .map_or_else(String::new, |us| format!(" after {}", micros(us)));
            format!(" {}{space}{reason}{time}", response.status)
        }
        None => {
            let reset = |direction| summary.http2.as_ref().and_then(|http2| stream_end(http2, direction));
            let reset = Direction::BOTH.into_iter().find_map(reset);
            let end = tcp_end(summary).map(|(how, _)| how).or(reset).map_or_else(String::new, |how| format!(", {how}"));
            format!(": {}{end}", handshake.instead())
        }
    };
    (Tone::Bad, "FAILED", rest)
}

/// Why the TLS around it stays closed.
fn closed_tls(summary: &Summary) -> String {
    let why = summary.findings.iter().find(|found| found.code() == FindingCode::TlsUndecryptable);
    why.map_or_else(String::new, |found| format!(": {}", found.first.detail))
}

/// How TCP, or in HTTP/2 the stream, ended, and when: by what came first.
pub(super) fn tcp_end(summary: &Summary) -> Option<(String, PacketRef)> {
    let ends = Direction::BOTH.into_iter().filter_map(|direction| {
        let (reason, seen) = (*summary.tcp_ends.get(direction))?;
        Some((direction, reason, seen))
    });
    let (direction, reason, seen) = ends.min_by_key(|(_, reason, seen)| (is_unseen(*reason), seen.packet))?;
    let ended_by = |by: Direction| summary.http2.as_ref().and_then(|http2| stream_end(http2, by));
    let of_stream = if let EndReason::Rst(by) = reason { ended_by(by) } else { ended_by(direction) };
    let tcp = if summary.http2.is_some() { "TCP " } else { "" };
    let how = match reason {
        EndReason::Fin | EndReason::Rst(_) if of_stream.is_some() => of_stream.unwrap_or_default(),
        EndReason::Fin => format!("{tcp}FIN by {}", direction.sender()),
        EndReason::Rst(by) => format!("{tcp}RST by {}", by.sender()),
        EndReason::Idle => "given up in silence".to_owned(),
        EndReason::Reused => "ports used again, end not captured".to_owned(),
        EndReason::CaptureOver => return None,
    };
    Some((how, seen))
}

/// Whether the end was not on the wire.
const fn is_unseen(reason: EndReason) -> bool {
    matches!(reason, EndReason::Idle | EndReason::Reused | EndReason::CaptureOver)
}

/// The usual timeout, in seconds, that a silence before the end is about as long as: at most 1 % and a quarter second longer,
/// and at most 50 ms shorter, since the endpoint that waits measures from when it received the last byte.
fn idle_timeout(silence_us: u64) -> Option<u64> {
    IDLE_TIMEOUTS.into_iter().find(|seconds| {
        let timeout = seconds * 1_000_000;
        (timeout - 50_000..=timeout + timeout / 100 + 250_000).contains(&silence_us)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_timeouts_are_recognized() {
        assert_eq!(idle_timeout(60_002_000), Some(60));
        assert_eq!(idle_timeout(59_960_000), Some(60));
        assert_eq!(idle_timeout(59_000_000), None);
        assert_eq!(idle_timeout(3_601_000_000), Some(3_600));
        assert_eq!(idle_timeout(0), None);
        assert_eq!(idle_timeout(u64::MAX), None);
    }
}

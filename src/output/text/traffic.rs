//! The sections about traffic: frames, messages and times of each direction, and the bytes that the capture lacks.

use super::style::{Grid, Style, section};
use super::units::{bytes, count, counted, micros, percent, times};
use crate::event::{Silence, Summary, Traffic};
use crate::types::PerDirection;

/// Opcodes with a column of their own, and its header (RFC 6455 §5.2); all others are reserved.
const COLUMNS: [(usize, &str); 6] = [(1, "text"), (2, "binary"), (0, "cont."), (9, "ping"), (10, "pong"), (8, "close")];

/// How the row of each direction begins.
const ROWS: PerDirection<&str> = PerDirection { to_server: "→ from client", to_client: "← from server" };

/// Bytes that the capture lacks, and what TCP had to repair: a line for each direction that has any.
pub(super) fn capture_lines(summary: &Summary) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, traffic) in rows(summary) {
        let mut parts = Vec::new();
        if traffic.missing_bytes > 0 || traffic.gaps > 0 {
            let missing = match traffic.missing_bytes {
                0 => "an unknown number of bytes".to_owned(),
                some => counted(some, "byte", "bytes"),
            };
            parts.push(format!("{missing} missing in {}", counted(traffic.gaps, "gap", "gaps")));
        }
        let others = [
            (traffic.incomplete_messages, "incomplete message", "incomplete messages"),
            (traffic.retransmissions, "retransmission", "retransmissions"),
            (traffic.out_of_order, "segment out of order", "segments out of order"),
        ];
        parts
            .extend(others.into_iter().filter(|other| other.0 > 0).map(|(value, one, many)| counted(value, one, many)));
        if !parts.is_empty() {
            lines.push(format!("{name}: {}", parts.join(", ")));
        }
    }
    lines
}

fn rows(summary: &Summary) -> [(&'static str, &Traffic); 2] {
    [(ROWS.to_server, &summary.traffic.to_server), (ROWS.to_client, &summary.traffic.to_client)]
}

/// Appends the tables of frames, of messages and of times, as far as there are any.
pub(super) fn traffic_sections(out: &mut String, style: Style, summary: &Summary) {
    section(out, style, "frames", &frame_lines(summary, style));
    section(out, style, "messages", &message_lines(summary, style));
    section(out, style, "times", &time_lines(summary, style));
}

fn frame_lines(summary: &Summary, style: Style) -> Vec<String> {
    let mut header = vec![""];
    header.extend(COLUMNS.map(|(_, name)| name));
    header.extend(["reserved", "all", "payload", "overhead"]);
    let mut grid = Grid::new(header);
    for (name, traffic) in rows(summary).into_iter().filter(|(_, traffic)| traffic.frame_count() > 0) {
        let of = |opcode: usize| traffic.frames.get(opcode).copied().unwrap_or(0);
        let known: u64 = COLUMNS.iter().map(|(opcode, _)| of(*opcode)).sum();
        let mut cells = vec![name.to_owned()];
        cells.extend(COLUMNS.map(|(opcode, _)| some(of(opcode))));
        let all = traffic.frame_count();
        let frame_bytes = traffic.header_bytes.saturating_add(traffic.wire_bytes);
        cells.extend([
            some(all.saturating_sub(known)),
            some(all),
            bytes(traffic.wire_bytes),
            percent(traffic.header_bytes, frame_bytes),
        ]);
        grid.row(cells);
    }
    grid.lines(style)
}

fn message_lines(summary: &Summary, style: Style) -> Vec<String> {
    let mut grid = Grid::new(vec!["", "data", "content", "deflated", "ratio", "min", "median", "p95", "max"]);
    for (name, traffic) in rows(summary) {
        let data: u64 = traffic.messages.iter().take(8).sum();
        if data == 0 {
            continue;
        }
        let len = &traffic.message_len;
        let size = |value: Option<u64>| value.map_or_else(String::new, bytes);
        let ratio = if traffic.compressed_messages > 0 {
            times(traffic.compressed_bytes, traffic.compressed_wire_bytes)
        } else {
            String::new()
        };
        let sizes = [len.min(), len.percentile(50), len.percentile(95), len.max()].map(size);
        let mut cells = vec![name.to_owned(), count(data), bytes(len.sum()), some(traffic.compressed_messages), ratio];
        cells.extend(sizes);
        grid.row(cells);
    }
    grid.lines(style)
}

/// The times between messages of each direction, and its longest silence; then the longest silence of both together.
fn time_lines(summary: &Summary, style: Style) -> Vec<String> {
    let mut grid = Grid::new(vec!["", "between messages p50", "p95", "p99", "longest silence", "in packets"]);
    let silence = |silence: Option<Silence>| {
        silence.map_or_else(Default::default, |silence| {
            (micros(silence.us), format!("{}–{}", silence.from.packet, silence.to.packet))
        })
    };
    for (name, traffic) in rows(summary) {
        let (longest, packets) = silence(traffic.longest_silence);
        let gap = |percent| traffic.message_gap_us.percentile(percent).map_or_else(String::new, micros);
        let cells = vec![name.to_owned(), gap(50), gap(95), gap(99), longest, packets];
        if cells.iter().skip(1).any(|cell| !cell.is_empty()) {
            grid.row(cells);
        }
    }
    let (longest, packets) = silence(summary.longest_silence);
    if !longest.is_empty() {
        let none = String::new;
        grid.row(vec!["↔ both".to_owned(), none(), none(), none(), longest, packets]);
    }
    grid.lines(style)
}

/// A count, or nothing.
fn some(value: u64) -> String {
    if value == 0 { String::new() } else { count(value) }
}

//! Any frames of an HTTP/2 connection, with WebSockets among them: first the machine, with two ways to cut the bytes that must
//! give the same events; then the complete analysis, with every output on.
//!
//! The script: options; cuts; then actions: a byte of kind, a byte of stream, a byte of length, the bytes. An action is a
//! frame, a request for a WebSocket or a response, a WebSocket frame in DATA, bytes as they are, a gap, a silence, an end.

use std::fmt::Write as _;
use std::time::Duration;

use wslens::http::h2::{BoundarySearch, H2, H2Event};
use wslens::output::Secrets;
use wslens::types::{Direction, Limits, PacketRef};

use super::conversation::Wire;
use super::script::{Cuts, Script};
use crate::common::packets::{ACK, FIN};

/// An extended CONNECT (RFC 8441 §5.1) of literals, so that no table is needed.
const CONNECT: &[u8] = b"\x00\x07:method\x07CONNECT\x00\x09:protocol\x09websocket\x87\x84\
    \x00\x0a:authority\x01a\x00\x15sec-websocket-version\x0213";

enum Action {
    Bytes(Vec<u8>),
    Gap(u8),
    Silence(u8),
    End,
}

pub(crate) fn http2(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let options = script.byte();
    let cuts = script.cuts();
    let mut actions = Vec::new();
    if options & 1 == 0 {
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        actions.push((0, Action::Bytes(preface.to_vec())));
        actions.push((1, Action::Bytes(frame(4, 0, 0, b"\0\x08\0\0\0\x01"))));
    }
    while !script.is_over() {
        actions.push(action(&mut script));
    }
    let limits = Limits { max_head_bytes: 2048, max_header_table_bytes: 1024, max_h2_streams: 8, ..Limits::default() };
    let whole = machine(&actions, &mut Cuts::none(), &limits);
    assert_eq!(machine(&actions, &mut cuts.clone(), &limits), whole, "any cut gives the same");
    analysis(&actions, options, &mut cuts.clone());
}

fn action(script: &mut Script<'_>) -> (usize, Action) {
    let (kind, stream, len) = (script.byte(), script.byte(), script.byte());
    let from = usize::from(kind & 1);
    let stream = u32::from(stream % 16);
    let action = match kind >> 1 & 15 {
        0 => Action::Bytes(script.take(len.into()).to_vec()),
        1 => Action::Gap(len),
        2 => Action::Silence(len),
        3 => Action::End,
        4 | 5 if from == 0 => Action::Bytes(frame(1, 4 | len & 1, stream, CONNECT)),
        4 => Action::Bytes(frame(1, 4 | len & 1, stream, b"\x88")),
        5 => Action::Bytes(frame(1, 4, stream, b"\x8d")),
        6..=8 => {
            let mask = if from == 0 { 0x80 } else { 0 };
            let mut payload = vec![script.byte(), mask | len.min(125)];
            payload.extend([0; 4].iter().take(if from == 0 { 4 } else { 0 }));
            payload.extend(script.take(usize::from(len.min(125))));
            Action::Bytes(frame(0, len >> 7, stream, &payload))
        }
        _ => {
            let (kind, flags) = (script.byte() % 12, script.byte());
            Action::Bytes(frame(
                kind,
                flags,
                if matches!(kind, 4 | 6 | 7) { 0 } else { stream },
                script.take(len.into()),
            ))
        }
    };
    (from, action)
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&[len[1], len[2], len[3], kind, flags], &stream.to_be_bytes()[..], payload].concat()
}

/// The machine's events of both directions, up to a loss.
fn machine(actions: &[(usize, Action)], cuts: &mut Cuts<'_>, limits: &Limits) -> String {
    let mut h2 = H2::new(limits);
    let mut events = String::new();
    for (packet, (from, action)) in (1..).zip(actions) {
        let direction = Direction::BOTH[*from];
        let seen = PacketRef { packet, ..PacketRef::default() };
        match action {
            Action::Bytes(bytes) => {
                let mut rest = bytes.as_slice();
                while let Some(mut piece) = cuts.piece(&mut rest) {
                    while let Some(event) = h2.next(direction, &mut piece, seen) {
                        let (stream, over) = record(&mut events, direction, &event);
                        if over {
                            return events;
                        }
                        if let Some(stream) = stream {
                            h2.follow(stream, seen);
                        }
                    }
                    assert!(piece.is_empty(), "it takes everything");
                }
            }
            Action::Gap(len) => {
                if let Some(event) = h2.gap(direction, Some(u64::from(*len))) {
                    record(&mut events, direction, &event);
                }
                if events.ends_with("Lost\n") {
                    found_again(&mut h2, direction, limits, seen);
                    return events;
                }
            }
            Action::Silence(_) => {}
            Action::End => {
                if let Some(event) = h2.finish(direction) {
                    record(&mut events, direction, &event);
                }
                return events;
            }
        }
        while let Some(fault) = h2.fault() {
            _ = writeln!(events, "{fault:?}");
        }
        assert!(h2.held() <= 1 << 20, "holds {}", h2.held());
    }
    events
}

/// After a loss: a frame header that cannot be a coincidence ends the search.
fn found_again(h2: &mut H2, direction: Direction, limits: &Limits, seen: PacketRef) {
    let mut search = BoundarySearch::new(limits.max_resync_bytes, 72);
    let ack = frame(4, 1, 0, b"").repeat(2);
    assert!(search.push(&ack, seen, &h2.search_context(direction)));
    h2.resume(direction);
    for (piece, seen) in search.take() {
        let mut input = piece.as_slice();
        assert!(h2.next(direction, &mut input, seen).is_none() && input.is_empty());
    }
}

/// Records an event; parts of the same data are one. Gives the stream of a header list, and whether nothing follows.
fn record(events: &mut String, direction: Direction, event: &H2Event<'_, '_>) -> (Option<u32>, bool) {
    match event {
        H2Event::Data { stream, payload } => {
            let head = format!("{direction} data {stream} ");
            if events.rsplit('\n').next().is_none_or(|line| !line.starts_with(&head)) {
                if !events.is_empty() && !events.ends_with('\n') {
                    events.push('\n');
                }
                events.push_str(&head);
            }
            _ = write!(events, "{}", payload.escape_ascii());
            return (None, false);
        }
        _ if !events.is_empty() && !events.ends_with('\n') => events.push('\n'),
        _ => {}
    }
    match event {
        H2Event::Headers { stream, list, end_stream } => {
            _ = write!(
                events,
                "{direction} {stream} {end_stream} {:?} {:?} {:?}",
                list.method(),
                list.path(),
                list.status()
            );
            _ = write!(events, " {} {:?}", list.is_complete(), list.malformed());
            list.fields().iter().for_each(|field| _ = write!(events, " {field:?}"));
            events.push('\n');
            (Some(*stream), false)
        }
        H2Event::NotHttp2 => (None, true),
        other => {
            _ = writeln!(events, "{other:?}");
            (None, false)
        }
    }
}

fn analysis(actions: &[(usize, Action)], options: u8, cuts: &mut Cuts<'_>) {
    let mut wire = Wire::new(if options & 0x80 == 0 { Secrets::Redact } else { Secrets::Show });
    if options & 2 == 0 {
        wire.connect();
    }
    for (from, action) in actions {
        match action {
            Action::Bytes(bytes) => {
                let mut rest = bytes.as_slice();
                while let Some(piece) = cuts.piece(&mut rest) {
                    wire.send(*from, ACK, piece);
                }
            }
            Action::Gap(len) => wire.skip(*from, u32::from(*len) * 16),
            Action::Silence(len) => wire.pass(Duration::from_secs(u64::from(*len).pow(2))),
            Action::End => wire.send(*from, ACK | FIN, &[]),
        }
    }
    wire.finish();
}

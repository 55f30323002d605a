//! Events for the tests of this layer: one ordinary conversation, and one whose every text is hostile.

use std::sync::{Arc, Mutex};

use super::list::{Output, Outputs};
use crate::event::{
    Close, CloseSent, Event, FindingCount, Frame, Identity, Message, Outcome, Silence, Sink, Summary, Totals, Traffic,
    Transport, Uid, What,
};
use crate::stream::EndReason;
use crate::types::{
    Detail, Direction, Endpoint, Finding, FindingCode, FindingSet, PacketRef, PerDirection, Role, Sketch, Timestamp,
};
use crate::websocket::{AcceptCheck, Deflate, FrameHeader, Handshake, Negotiated, Opcode, Request, Response};

pub(super) const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";

/// ANSI and OSC sequences, a bidirectional override, NUL, line ends, quotes, a comma, and bytes that are not UTF-8.
pub(super) const HOSTILE: &[u8] = b"\x1b[2J\x1b]0;owned\x07\xe2\x80\xae\0\r\n\"quoted\",\xff\xed\xa0\x80\\";

/// The same without what is not UTF-8, and a formula in front.
pub(super) const HOSTILE_TEXT: &str = "=HYPERLINK(\"http://x\",\"y\")\u{1b}[31m\u{202e}\0\r\n\\";

/// A packet, and microseconds after 2026-11-22T16:19:05.123456789Z.
pub(super) const fn seen(packet: u64, micros: i64) -> PacketRef {
    PacketRef { packet, at: Timestamp::from_nanos(1_795_364_345_123_456_789 + micros * 1_000) }
}

pub(super) fn identity() -> Identity {
    Identity {
        number: 3,
        uid: Uid(*b"\x01\x23\x45\x67\x89\xab\xcd\xef\xfe\xdc\xba\x98\x76\x54\x32\x10"),
        tcp_stream: Some(4),
        stream_id: None,
        client: Endpoint { ip: [10, 0, 0, 9].into(), port: 51_000 },
        server: Endpoint { ip: [10, 0, 0, 1].into(), port: 80 },
        transport: Transport::Http1,
        tls: false,
        first: seen(12, 0),
    }
}

pub(super) fn handshake() -> Handshake {
    let deflate = Deflate { server_no_context_takeover: true, server_max_window_bits: 12, ..Deflate::default() };
    Handshake {
        request: Some(Request {
            seen: seen(15, 900),
            method: "GET".into(),
            target: format!("/chat?room=lobby&token={JWT}"),
            http_minor: 1,
            host: Some("chat.example.org".into()),
            origin: Some("https://example.org".into()),
            user_agent: Some("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".into()),
            version: Some("13".into()),
            key: Some("OfMWmQZlMFBWe/o7k1CzZg==".into()),
            subprotocols: vec!["chat.v2".into(), "chat.v1".into()],
            extensions: vec!["permessage-deflate; client_max_window_bits".into()],
            cookie: true,
            authorization: None,
            via: None,
        }),
        response: Some(Response {
            seen: seen(16, 3_000),
            status: 101,
            reason: "Switching Protocols".into(),
            accept: Some("PqfV+Vb3mDtpMlZ/bO+GBzyX4N8=".into()),
            subprotocol: Some("chat.v1".into()),
            extensions: vec!["permessage-deflate; server_no_context_takeover; server_max_window_bits=12".into()],
            version: None,
            server: Some("nginx/1.29.3".into()),
            location: None,
        }),
        accept: AcceptCheck::Valid,
        negotiated: Negotiated { deflate: Some(deflate), ..Negotiated::default() },
        garbled: false,
    }
}

/// Every text that a client or server chooses, chosen badly.
pub(super) fn hostile_handshake() -> Handshake {
    let text = || Some(HOSTILE_TEXT.to_owned());
    let mut handshake = handshake();
    if let Some(request) = &mut handshake.request {
        request.method = HOSTILE_TEXT.into();
        request.target = format!("{HOSTILE_TEXT}?sid=0123456789abcdefghij&x=\u{9b}1m{}", "A".repeat(70_000));
        request.host = text();
        request.origin = text();
        request.user_agent = Some("-2+3+cmd|' /C calc'!A0".into());
        request.version = text();
        request.key = Some("+key".into());
        request.subprotocols =
            vec![format!("base64url.bearer.authorization.k8s.io.{}", "c2VjcmV0".repeat(5)), HOSTILE_TEXT.into()];
        request.extensions = vec!["@a;b=\"\u{2066}\"".into(), HOSTILE_TEXT.into()];
        request.authorization = text();
        request.via = text();
    }
    if let Some(response) = &mut handshake.response {
        response.status = 101;
        response.reason = HOSTILE_TEXT.into();
        response.accept = text();
        response.subprotocol = text();
        response.extensions = vec![HOSTILE_TEXT.into()];
        response.server = text();
        response.version = text();
        response.location = Some(format!("https://user:hunter2@x/{HOSTILE_TEXT}#access_token={JWT}"));
    }
    handshake.accept = AcceptCheck::Mismatch;
    handshake
}

pub(super) fn finding(
    code: FindingCode,
    packet: u64,
    frame: Option<u64>,
    message: Option<u64>,
    detail: Detail,
) -> Finding {
    Finding {
        code,
        seen: seen(packet, 10_000_000),
        direction: Some(Direction::ToServer),
        frame,
        message,
        in_message: message.is_some(),
        detail,
    }
}

pub(super) fn frame<'a>(number: u64, opcode: Opcode, payload: &'a [u8]) -> Frame<'a> {
    Frame {
        number,
        header: FrameHeader {
            fin: true,
            rsv1: false,
            rsv2: false,
            rsv3: false,
            opcode,
            masking_key: Some([0x0a, 0xb0, 0, 0xff]),
            payload_len: payload.len() as u64,
            header_len: 6,
        },
        header_captured: 6,
        message: Some(number),
        in_message: true,
        fragment: 0,
        first: seen(20, 5_000),
        last: seen(21, 5_250),
        stream_offset: 1_000,
        payload,
        missing: 0,
        complete: true,
        close: None,
        ping_rtt_us: None,
        findings: FindingSet::default(),
    }
}

pub(super) fn message<'a>(number: u64, opcode: Opcode, content: &'a [u8]) -> Message<'a> {
    Message {
        number,
        opcode,
        compressed: false,
        frames: 1,
        wire_len: content.len() as u64,
        len: Some(content.len() as u64),
        content,
        content_whole: true,
        complete: true,
        utf8: true,
        first: seen(20, 5_000),
        last: seen(21, 5_250),
        close: None,
        ping_rtt_us: None,
        summary: None,
        findings: FindingSet::default(),
    }
}

pub(super) const fn close(code: u16, reason: &[u8]) -> Option<Close<'_>> {
    Some(Close { code: Some(code), reason })
}

fn sketch(values: impl IntoIterator<Item = u64>) -> Sketch {
    let mut sketch = Sketch::default();
    values.into_iter().for_each(|value| _ = sketch.add(value));
    sketch
}

/// An ordinary connection: both sides talked, the server went away.
pub(super) fn summary() -> Summary {
    let mut up = Traffic {
        compressed_messages: 100,
        header_bytes: 1_300,
        wire_bytes: 12_400,
        bytes: 48_200,
        compressed_wire_bytes: 12_000,
        compressed_bytes: 47_800,
        missing_bytes: 1_448,
        gaps: 1,
        incomplete_messages: 1,
        retransmissions: 3,
        message_len: sketch((0..118).map(|n| n * 7)),
        message_gap_us: sketch((0..117).map(|n| n * 1_900)),
        longest_silence: Some(Silence { us: 41_000_000, from: seen(40, 0), to: seen(51, 41_000_000) }),
        ..Traffic::default()
    };
    [up.frames[0], up.frames[1], up.frames[10], up.frames[8]] = [4, 118, 2, 1];
    [up.messages[1], up.messages[10], up.messages[8]] = [118, 2, 1];
    let mut down = Traffic {
        header_bytes: 4_816,
        wire_bytes: 1_258_291,
        bytes: 1_258_291,
        out_of_order: 1,
        message_len: sketch((0..1_204).map(|n| 900 + n % 300)),
        message_gap_us: sketch((0..1_203).map(|n| n * 120)),
        longest_silence: Some(Silence { us: 30_000_000, from: seen(44, 0), to: seen(45, 30_000_000) }),
        ..Traffic::default()
    };
    [down.frames[1], down.frames[2], down.frames[9], down.frames[8]] = [1_200, 4, 3, 1];
    [down.messages[1], down.messages[2], down.messages[9], down.messages[8]] = [1_200, 4, 3, 1];
    Summary {
        handshake: handshake(),
        handshake_seen: true,
        opened: Some(seen(16, 3_000)),
        last: seen(845, 122_500_000),
        last_byte: Some(seen(842, 122_401_200)),
        outcome: Outcome::Closed,
        closed_by: Some(Role::Server),
        close_code: Some(1001),
        close_reason: b"server shutting down".to_vec(),
        clean: Some(true),
        closes: PerDirection {
            to_server: Some(CloseSent { seen: seen(842, 122_401_200), code: Some(1001), reason: Vec::new() }),
            to_client: Some(CloseSent {
                seen: seen(840, 122_400_000),
                code: Some(1001),
                reason: b"server shutting down".to_vec(),
            }),
        },
        tcp_ends: PerDirection {
            to_server: Some((EndReason::Fin, seen(845, 122_500_000))),
            to_client: Some((EndReason::Fin, seen(843, 122_402_000))),
        },
        tcp_handshake_us: Some(810),
        traffic: PerDirection { to_server: up, to_client: down },
        ping_rtts_us: sketch([1_200, 1_450]),
        longest_silence: Some(Silence { us: 30_000_000, from: seen(44, 0), to: seen(45, 30_000_000) }),
        http2: None,
        findings: vec![
            FindingCount {
                first: finding(FindingCode::TokenInUrl, 15, None, None, Detail::Fixed("token in the query")),
                count: 1,
            },
            FindingCount {
                first: finding(FindingCode::UnmaskedClientFrame, 42, Some(17), Some(15), Detail::None),
                count: 3,
            },
            FindingCount {
                first: finding(FindingCode::TcpGap, 99, Some(60), None, Detail::Number("# bytes", 1_448)),
                count: 1,
            },
            FindingCount {
                first: finding(FindingCode::UnansweredPing, 845, Some(90), Some(88), Detail::None),
                count: 1,
            },
        ],
        tls: None,
    }
}

/// A connection whose client and server do their worst.
pub(super) fn hostile_summary() -> Summary {
    let mut summary = summary();
    summary.handshake = hostile_handshake();
    summary.close_reason = HOSTILE.to_vec();
    summary.closes.to_client =
        Some(CloseSent { seen: seen(840, 122_400_000), code: Some(4_000), reason: HOSTILE.to_vec() });
    summary.close_code = Some(4_000);
    let text = format!("the server chose \"{HOSTILE_TEXT}\" and bearer.{}", "s3cr3t".repeat(6));
    summary.findings = vec![FindingCount {
        first: finding(FindingCode::SubprotocolNotOffered, 16, None, None, Detail::text(text)),
        count: u64::MAX,
    }];
    summary
}

/// An attempt that came to nothing.
pub(super) fn refused(status: u16, reason: &str) -> Summary {
    let mut summary = Summary {
        outcome: Outcome::Rejected,
        close_code: None,
        close_reason: Vec::new(),
        clean: None,
        closed_by: None,
        closes: PerDirection::default(),
        traffic: PerDirection::default(),
        ping_rtts_us: Sketch::default(),
        longest_silence: None,
        findings: Vec::new(),
        last: seen(19, 20_000),
        last_byte: Some(seen(16, 3_000)),
        tcp_ends: PerDirection { to_client: Some((EndReason::Fin, seen(17, 3_100))), to_server: None },
        ..summary()
    };
    summary.handshake.accept = AcceptCheck::Unknown;
    summary.handshake.negotiated = Negotiated::default();
    summary.handshake.response =
        Some(Response { seen: seen(16, 3_000), status, reason: reason.into(), ..Response::default() });
    summary
}

/// A connection that TCP ended, a minute after the last byte.
pub(super) fn aborted() -> Summary {
    let mut summary = Summary {
        outcome: Outcome::Aborted,
        close_code: Some(1006),
        close_reason: Vec::new(),
        clean: Some(false),
        closed_by: Some(Role::Client),
        closes: PerDirection::default(),
        findings: Vec::new(),
        last: seen(300, 92_002_000),
        last_byte: Some(seen(299, 32_000_000)),
        tcp_ends: PerDirection {
            to_server: Some((EndReason::Rst(Direction::ToServer), seen(300, 92_002_000))),
            to_client: Some((EndReason::Rst(Direction::ToServer), seen(300, 92_002_000))),
        },
        ..summary()
    };
    summary.traffic.to_server = Traffic::default();
    summary
}

/// A connection of which only the middle was captured.
pub(super) fn midstream() -> Summary {
    Summary {
        outcome: Outcome::Open,
        handshake: Handshake::default(),
        handshake_seen: false,
        opened: Some(seen(12, 0)),
        close_code: None,
        close_reason: Vec::new(),
        clean: None,
        closed_by: None,
        closes: PerDirection::default(),
        tcp_ends: PerDirection { to_server: Some((EndReason::CaptureOver, seen(845, 0))), to_client: None },
        tcp_handshake_us: None,
        ..summary()
    }
}

pub(super) fn totals() -> Totals {
    Totals {
        packets: 120_400,
        bytes: 137_363_456,
        cut_packets: 3,
        other_packets: 12,
        time: Some((seen(1, 0).at, seen(2, 122_500_000).at)),
        tcp_connections: 14,
        tls_connections: 3,
        http2_connections: 1,
        midstream_connections: 2,
        evicted_connections: 0,
        shed_times: 0,
        shed_bytes: 0,
        lost_datagrams: 1,
        quic_packets: 0,
        closed_tls: Vec::new(),
    }
}

/// An event at packet 21.
pub(super) const fn event<'a>(connection: &'a Identity, direction: Option<Direction>, what: What<'a>) -> Event<'a> {
    Event { seen: seen(21, 5_250), connection, direction, what }
}

/// Gives an event to an output, if it wants it.
pub(super) fn emit<O: Output>(
    output: &mut O,
    identity: &Identity,
    direction: Option<Direction>,
    what: What<'_>,
) -> std::io::Result<()> {
    let mut outputs = Outputs::new();
    outputs.add(output);
    outputs.event(&event(identity, direction, what))
}

/// A destination whose content can be looked at; each write apart.
#[derive(Debug, Clone, Default)]
pub(super) struct SharedBuffer(Arc<Mutex<Vec<Vec<u8>>>>);

impl SharedBuffer {
    pub(super) fn writes(&self) -> Vec<Vec<u8>> {
        self.0.lock().unwrap().clone()
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.writes().concat()).unwrap()
    }
}

impl std::io::Write for SharedBuffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().push(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Holds `text` against `tests/golden/output/NAME`; `WSLENS_BLESS=1` rewrites the file.
pub(super) fn golden(name: &str, text: &str) {
    let path = format!("{}/tests/golden/output/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("WSLENS_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "{name}: WSLENS_BLESS=1 rewrites it");
}

/// No line may hold anything that a terminal obeys, beyond the line end and, where wanted, colours.
pub(super) fn assert_safe(text: &str) {
    let bad = text.chars().find(|&c| c != '\n' && super::escape::is_unsafe(c));
    assert_eq!(bad, None, "{text}");
}

/// The example of what an output writes that its module's documentation shows: its first block of `text` or `json`.
pub(super) fn doc_example(source: &str) -> String {
    let doc = source.lines().map_while(|line| line.strip_prefix("//!"));
    let doc: Vec<_> = doc.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    let is_fence = |line: &&str| line.starts_with("```");
    let lines = doc.iter().copied().skip_while(|line| !matches!(*line, "```text" | "```json" | "```csv")).skip(1);
    let lines: Vec<_> = lines.take_while(|line| !is_fence(line)).collect();
    assert!(!lines.is_empty(), "no example");
    lines.join("\n") + "\n"
}

/// All lines of an example are among those that were written, in that order.
pub(super) fn assert_all_lines(example: &str, written: &str) {
    let mut written = written.lines();
    for line in example.lines() {
        assert!(written.any(|real| real == line), "not written: {line}");
    }
}

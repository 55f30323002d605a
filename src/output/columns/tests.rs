//! The contract's columns, and what fills them.

use super::super::fixtures::{self, aborted, frame, identity, message, midstream, refused, seen, summary};
use super::*;
use crate::event::{Frame, Identity, Message, Summary};
use crate::types::{Detail, Direction, Finding, FindingCode};
use crate::websocket::{AcceptCheck, Opcode};

const FRAMES: &str = "connection, uid, capture, frame, time, direction, src_ip, src_port, dst_ip, dst_port, opcode, \
    opcode_name, fin, rsv1, rsv2, rsv3, masked, masking_key, header_len, payload_len, message, fragment, first_packet, \
    last_packet, stream_offset, duration_us, close_code, close_reason, ping_rtt_us, findings, preview";
const MESSAGES: &str = "connection, uid, capture, message, time_first, time, direction, type, frames, wire_len, len, \
    compressed, complete, first_packet, last_packet, close_code, close_reason, subprotocol, summary, findings, preview";
const CONNECTIONS: &str = "connection, uid, capture, tcp_stream, stream_id, time_first, time_open, time, duration_us, \
    client_ip, client_port, server_ip, server_port, transport, tls, server_name, host, target, origin, user_agent, version, \
    client_subprotocols, subprotocol, client_extensions, extensions, status, key, accept, accept_valid, handshake_seen, \
    outcome, closed_by, close_code, close_reason, clean, frames_c2s, frames_s2c, messages_c2s, messages_s2c, \
    wire_bytes_c2s, wire_bytes_s2c, bytes_c2s, bytes_s2c, missing_bytes_c2s, missing_bytes_s2c, handshake_us, \
    ping_rtt_min_us, ping_rtt_avg_us, ping_rtt_max_us, longest_silence_us, first_packet, last_packet, community_id, findings";
const FINDINGS: &str =
    "connection, uid, capture, time, packet, direction, frame, message, severity, code, detail, reference";

fn names<T: Table>(payload: Payload) -> String {
    columns::<T>(payload).map(|column| column.name).collect::<Vec<_>>().join(", ")
}

#[test]
fn the_contract_s_columns_in_order() {
    for payload in [Payload::None, Payload::Preview] {
        assert_eq!(names::<Frames>(payload), FRAMES);
        assert_eq!(names::<Messages>(payload), MESSAGES);
        assert_eq!(names::<Connections>(payload), CONNECTIONS);
        assert_eq!(names::<Findings>(payload), FINDINGS);
    }
    assert_eq!(names::<Frames>(Payload::Full), FRAMES.replace("preview", "text, data"));
    assert_eq!(names::<Messages>(Payload::Full), MESSAGES.replace("preview", "text, data"));
}

/// Every column's value is of the column's kind; its documentation is a sentence.
fn check_kinds<'a, T: Table>(row: &'a Row<'a, T::Of<'a>>) {
    for column in T::COLUMNS {
        let fits = match column.cell(row) {
            Cell::Null => true,
            Cell::Bool(_) => column.kind == Kind::Boolean,
            Cell::U64(_) | Cell::Pending => column.kind == Kind::Integer,
            Cell::Name(_) => column.kind == Kind::Word,
            Cell::Text(_) | Cell::Preview(..) => column.kind == Kind::Text,
            Cell::Time(_) => column.kind == Kind::Time,
            Cell::Ip(_) => column.kind == Kind::Address,
            Cell::Uid(_) | Cell::Key(_) => column.kind == Kind::Hex,
            Cell::Codes(_) | Cell::Texts(..) => column.kind == Kind::List,
            Cell::Data(_) => column.kind == Kind::Bytes,
        };
        assert!(fits, "{} of {}", column.name, T::NAME);
        assert!(column.doc.ends_with('.'), "{} of {}", column.name, T::NAME);
    }
}

fn cell<'a, T: Table>(name: &str, row: &'a Row<'a, T::Of<'a>>) -> Cell<'a> {
    let column = T::COLUMNS.iter().find(|column| column.name == name).unwrap();
    column.cell(row)
}

fn of_frame<'a>(context: &'a Context, connection: &'a Identity, frame: &'a Frame<'a>) -> FrameRow<'a> {
    Row { context, connection, direction: Some(Direction::ToClient), what: frame }
}

fn of_message<'a>(context: &'a Context, connection: &'a Identity, message: &'a Message<'a>) -> MessageRow<'a> {
    Row { context, connection, direction: Some(Direction::ToServer), what: message }
}

fn with_connection(summary: &Summary, check: impl Fn(&dyn Fn(&str) -> String)) {
    let (context, connection) = (Context::default(), identity());
    let row = Row { context: &context, connection: &connection, direction: None, what: summary };
    check_kinds::<Connections>(&row);
    check(&|name| format!("{:?}", cell::<Connections>(name, &row)));
}

#[test]
fn every_column_is_of_its_kind() {
    for summary in [summary(), aborted(), midstream(), refused(403, "Forbidden"), fixtures::hostile_summary()] {
        with_connection(&summary, |_| ());
    }
    let (context, connection) = (Context::default(), identity());
    let mut close = frame(1, Opcode::CLOSE, b"\x03\xe8");
    close.close = fixtures::close(1000, b"");
    for frame in [frame(0, Opcode::TEXT, b"x"), frame(0, Opcode::BINARY, b"\xff"), close] {
        check_kinds::<Frames>(&of_frame(&context, &connection, &frame));
    }
    for message in [message(0, Opcode::TEXT, b"x"), message(0, Opcode::BINARY, b"\xff")] {
        check_kinds::<Messages>(&of_message(&context, &connection, &message));
    }
    for detail in
        [Detail::None, Detail::Fixed("x"), Detail::text("y"), Detail::Number("z #", 1), Detail::Numbers("# of #", 1, 2)]
    {
        let finding = fixtures::finding(FindingCode::RsvBits, 1, Some(2), None, detail);
        check_kinds::<Findings>(&Row { context: &context, connection: &connection, direction: None, what: &finding });
    }
}

#[test]
fn an_ordinary_connection() {
    with_connection(&summary(), |cell| {
        assert_eq!(cell("time_open"), format!("{:?}", Cell::Time(seen(16, 3_000).at)));
        assert_eq!(cell("duration_us"), "U64(122500000)");
        assert_eq!(cell("handshake_us"), "U64(2100)");
        assert_eq!(cell("accept_valid"), "Bool(true)");
        assert_eq!(cell("ping_rtt_avg_us"), "U64(1325)");
        assert_eq!(cell("closed_by"), "Name(\"server\")");
        assert_eq!(cell("frames_c2s"), "U64(125)");
        assert_eq!(cell("messages_s2c"), "U64(1208)");
        assert!(!cell("target").contains("eyJ"));
    });
}

#[test]
fn what_is_not_known_is_null() {
    with_connection(&midstream(), |cell| {
        for name in [
            "time_open",
            "host",
            "target",
            "client_subprotocols",
            "extensions",
            "status",
            "accept_valid",
            "close_code",
            "close_reason",
            "clean",
            "handshake_us",
            "tls",
        ] {
            assert_eq!(cell(name), "Null", "{name}");
        }
    });
    with_connection(&refused(403, "Forbidden"), |cell| {
        assert_eq!(
            (cell("time_open"), cell("status"), cell("subprotocol")),
            ("Null".into(), "U64(403)".into(), "Null".into())
        );
    });
    with_connection(&aborted(), |cell| {
        assert_eq!(
            (cell("close_code"), cell("close_reason"), cell("clean")),
            ("U64(1006)".into(), "Null".into(), "Bool(false)".into())
        );
    });
    let mut empty = summary();
    (empty.close_code, empty.close_reason) = (Some(1005), Vec::new());
    empty.closes.to_client.as_mut().unwrap().code = None;
    with_connection(&empty, |cell| assert_eq!(cell("close_reason"), "Null"));
    let mut bare = summary();
    bare.close_reason = Vec::new();
    bare.handshake.accept = AcceptCheck::Missing;
    with_connection(&bare, |cell| {
        assert_eq!((cell("close_reason"), cell("accept_valid")), ("Text([])".into(), "Bool(false)".into()));
    });
}

#[test]
fn a_frame_s_payload_is_text_or_data_or_unknown() {
    let (full, connection) = (Context { payload: Payload::Full, ..Context::default() }, identity());
    let check = |frame: &Frame<'_>, text: Option<&str>, data: Option<&[u8]>| {
        let row = of_frame(&full, &connection, frame);
        assert_eq!(cell::<Frames>("text", &row), Cell::text(text));
        assert_eq!(cell::<Frames>("data", &row), data.map_or(Cell::Null, Cell::Data));
    };
    check(&frame(0, Opcode::TEXT, "é".as_bytes()), Some("é"), None);
    check(&frame(0, Opcode::TEXT, b""), Some(""), None);
    check(&frame(0, Opcode::TEXT, b"\xc3"), None, Some(b"\xc3"));
    check(&frame(0, Opcode::BINARY, b""), None, Some(b""));
    check(&frame(0, Opcode::CONTINUATION, b"x"), None, Some(b"x"));
    let mut compressed = frame(0, Opcode::TEXT, b"x");
    compressed.header.rsv1 = true;
    check(&compressed, None, Some(b"x"));
    let mut capped = frame(0, Opcode::TEXT, b"ab\xe2\x82");
    capped.header.payload_len = 9;
    check(&capped, Some("ab"), None);
    capped.complete = false;
    check(&capped, None, Some(b"ab\xe2\x82"));
    let mut lost = frame(0, Opcode::TEXT, b"");
    (lost.header.payload_len, lost.missing) = (5, 5);
    check(&lost, None, None);

    let short = Context::default();
    let mut long = frame(0, Opcode::TEXT, b"abc");
    long.header.payload_len = 10;
    assert_eq!(cell::<Frames>("preview", &of_frame(&short, &connection, &long)), Cell::Preview(b"abc", true));
    long.missing = 7;
    assert_eq!(cell::<Frames>("preview", &of_frame(&short, &connection, &long)), Cell::Preview(b"abc", false));
    let none = Context { payload: Payload::None, ..Context::default() };
    assert_eq!(cell::<Frames>("preview", &of_frame(&none, &connection, &long)), Cell::Null);
}

#[test]
fn a_message_s_content_is_text_or_data_or_unknown() {
    let (full, connection) = (Context { payload: Payload::Full, ..Context::default() }, identity());
    let check = |message: &Message<'_>, text: Option<&str>, data: Option<&[u8]>| {
        let row = of_message(&full, &connection, message);
        assert_eq!(cell::<Messages>("text", &row), Cell::text(text));
        assert_eq!(cell::<Messages>("data", &row), data.map_or(Cell::Null, Cell::Data));
    };
    check(&message(0, Opcode::TEXT, b""), Some(""), None);
    check(&message(0, Opcode::TEXT, "é".as_bytes()), Some("é"), None);
    check(&message(0, Opcode::TEXT, b"a\xff"), None, Some(b"a\xff"));
    check(&message(0, Opcode::CLOSE, b"\x03\xe8bye"), None, Some(b"\x03\xe8bye"));
    check(&message(0, Opcode::PING, b""), None, Some(b""));
    // Too long to be kept: what was kept ends in the middle of a character.
    let capped = Message { content_whole: false, len: Some(9), ..message(0, Opcode::TEXT, b"ab\xe2\x82") };
    check(&capped, Some("ab"), None);
    let unknown = Message { len: None, compressed: true, complete: false, ..message(0, Opcode::TEXT, b"") };
    check(&unknown, None, None);
    let lost = Message { len: Some(5), complete: false, ..message(0, Opcode::BINARY, b"") };
    check(&lost, None, None);
}

#[test]
fn a_summary_is_text_from_the_wire() {
    let (context, connection) = (Context::default(), identity());
    let plain = message(0, Opcode::TEXT, b"x");
    assert_eq!(cell::<Messages>("summary", &of_message(&context, &connection, &plain)), Cell::Null);
    let summary = format!("CONNECT token={}", fixtures::JWT);
    let read = Message { summary: Some(&summary), ..plain };
    let row = of_message(&context, &connection, &read);
    let Cell::Text(shown) = cell::<Messages>("summary", &row) else { panic!("text") };
    assert!(shown.starts_with(b"CONNECT token=[redacted"), "{}", String::from_utf8_lossy(&shown));
}

#[test]
fn a_number_that_comes_later_is_not_null() {
    let (context, connection) = (Context::default(), identity());
    let mut fragment = frame(0, Opcode::TEXT, b"x");
    fragment.message = None;
    assert_eq!(cell::<Frames>("message", &of_frame(&context, &connection, &fragment)), Cell::Pending);
    fragment.in_message = false;
    let row = of_frame(&context, &connection, &fragment);
    assert_eq!((cell::<Frames>("message", &row), cell::<Frames>("fragment", &row)), (Cell::Null, Cell::Null));
    let mut finding = fixtures::finding(FindingCode::RsvBits, 1, Some(0), None, Detail::None);
    let message = |finding: &Finding| {
        let row = Row { context: &context, connection: &connection, direction: None, what: finding };
        cell::<Findings>("message", &row) == Cell::Pending
    };
    assert!(!message(&finding));
    finding.in_message = true;
    assert!(message(&finding));
    finding.direction = None;
    assert!(!message(&finding));
}

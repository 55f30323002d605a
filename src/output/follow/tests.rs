//! Conversations as people read them: `tests/golden/output/follow*.txt`.

use super::super::fixtures::{
    HOSTILE, HOSTILE_TEXT, SharedBuffer, aborted, assert_all_lines, assert_safe, close, doc_example, emit, finding,
    golden, handshake, hostile_handshake, identity, message, refused, summary,
};
use super::*;
use crate::event::{Identity, Uid};
use crate::types::{Detail, Direction, FindingCode};

const C2S: Option<Direction> = Some(Direction::ToServer);
const S2C: Option<Direction> = Some(Direction::ToClient);

fn followed(selection: Selection, feed: impl Fn(&mut Follow<SharedBuffer>)) -> String {
    let buffer = SharedBuffer::default();
    let mut follow = Follow::new(buffer.clone(), selection, Secrets::Redact, Style::default());
    feed(&mut follow);
    follow.flush().unwrap();
    assert_safe(&buffer.text());
    buffer.text()
}

#[test]
fn a_conversation() {
    let text = followed(Selection::All, |to| {
        let other = Identity { number: 4, ..identity() };
        emit(to, &identity(), None, What::Upgraded(&handshake())).unwrap();
        emit(to, &other, None, What::Refused(&refused(403, "Forbidden").handshake)).unwrap();
        emit(to, &identity(), C2S, What::Message(&message(0, Opcode::TEXT, br#"{"say":"hello"}"#))).unwrap();
        emit(to, &identity(), S2C, What::Message(&message(1, Opcode::BINARY, b"\x00\x01\xff"))).unwrap();
        emit(to, &identity(), S2C, What::Message(&message(2, Opcode::PING, b""))).unwrap();
        let pong = Message { ping_rtt_us: Some(1_312), ..message(3, Opcode::PONG, b"") };
        emit(to, &identity(), C2S, What::Message(&pong)).unwrap();
        let bad = finding(FindingCode::InvalidUtf8, 21, Some(4), Some(4), Detail::Number("at byte #", 3));
        emit(to, &identity(), C2S, What::Finding(&bad)).unwrap();
        let lost =
            Message { complete: false, len: None, wire_len: 77, content_whole: false, ..message(4, Opcode::TEXT, b"") };
        emit(to, &identity(), C2S, What::Message(&lost)).unwrap();
        let long = "é".repeat(500);
        emit(to, &identity(), S2C, What::Message(&message(5, Opcode::TEXT, long.as_bytes()))).unwrap();
        let bye = Message {
            close: close(1001, b"server shutting down"),
            ..message(6, Opcode::CLOSE, b"\x03\xe9server shutting down")
        };
        emit(to, &identity(), S2C, What::Message(&bye)).unwrap();
        emit(to, &identity(), None, What::Closed(&summary())).unwrap();
        emit(to, &other, None, What::Closed(&aborted())).unwrap();
    });
    golden("follow.txt", &text);
    assert_all_lines(&doc_example(include_str!("../follow.rs")), &text);
}

#[test]
fn a_hostile_conversation() {
    let text = followed(Selection::All, |to| {
        emit(to, &identity(), None, What::Upgraded(&hostile_handshake())).unwrap();
        emit(to, &identity(), S2C, What::Message(&message(0, Opcode::TEXT, HOSTILE))).unwrap();
        emit(to, &identity(), S2C, What::Message(&message(1, Opcode::TEXT, HOSTILE_TEXT.as_bytes()))).unwrap();
        let bye = Message { close: close(4_000, HOSTILE), ..message(2, Opcode::CLOSE, HOSTILE) };
        emit(to, &identity(), S2C, What::Message(&bye)).unwrap();
    });
    assert_eq!(text.lines().count(), 4);
    golden("follow-hostile.txt", &text);
}

#[test]
fn one_connection_of_many() {
    let feed = |to: &mut Follow<SharedBuffer>| {
        for number in 0..5 {
            let mut connection = Identity { number, ..identity() };
            connection.uid = Uid([u8::try_from(number).unwrap(); 16]);
            emit(to, &connection, C2S, What::Message(&message(0, Opcode::TEXT, b"x"))).unwrap();
        }
    };
    assert_eq!(followed(Selection::All, feed).lines().count(), 5);
    assert!(followed(Selection::Number(2), feed).contains("#2 →"));
    assert_eq!(followed(Selection::Number(2), feed).lines().count(), 1);
    assert_eq!(followed(Selection::parse("0303").unwrap(), feed), "");
    assert_eq!(followed(Selection::Uid("0303".into()), feed).lines().count(), 1);
}

//! Conversations as people read them: `tests/golden/output/follow*.txt`.

use super::super::fixtures::{
    HOSTILE, HOSTILE_TEXT, Paper, aborted, assert_safe, close, finding, golden, handshake, hostile_handshake, identity,
    message, refused, say, summary,
};
use super::*;
use crate::event::Uid;
use crate::types::{Detail, Direction, FindingCode};

const C2S: Option<Direction> = Some(Direction::ToServer);
const S2C: Option<Direction> = Some(Direction::ToClient);

fn followed(only: Only, feed: impl Fn(&mut Follow<Paper>)) -> String {
    let paper = Paper::default();
    let mut follow = Follow::new(paper.clone(), only, Secrets::Redact, Style::default());
    feed(&mut follow);
    follow.flush().unwrap();
    assert_safe(&paper.text());
    paper.text()
}

#[test]
fn a_conversation() {
    let text = followed(Only::All, |to| {
        let other = Identity { number: 4, ..identity() };
        say(to, &identity(), None, What::Upgraded(&handshake())).unwrap();
        say(to, &other, None, What::Refused(&refused(403, "Forbidden").handshake)).unwrap();
        say(to, &identity(), C2S, What::Message(&message(0, Opcode::TEXT, br#"{"say":"hello"}"#))).unwrap();
        say(to, &identity(), S2C, What::Message(&message(1, Opcode::BINARY, b"\x00\x01\xff"))).unwrap();
        say(to, &identity(), S2C, What::Message(&message(2, Opcode::PING, b""))).unwrap();
        let pong = Message { ping_rtt_us: Some(1_312), ..message(3, Opcode::PONG, b"") };
        say(to, &identity(), C2S, What::Message(&pong)).unwrap();
        let bad = finding(FindingCode::InvalidUtf8, 21, Some(4), Some(4), Detail::Number("at byte #", 3));
        say(to, &identity(), C2S, What::Finding(&bad)).unwrap();
        let lost =
            Message { complete: false, len: None, wire_len: 77, content_whole: false, ..message(4, Opcode::TEXT, b"") };
        say(to, &identity(), C2S, What::Message(&lost)).unwrap();
        let long = "é".repeat(500);
        say(to, &identity(), S2C, What::Message(&message(5, Opcode::TEXT, long.as_bytes()))).unwrap();
        let bye = Message {
            close: close(1001, b"server shutting down"),
            ..message(6, Opcode::CLOSE, b"\x03\xe9server shutting down")
        };
        say(to, &identity(), S2C, What::Message(&bye)).unwrap();
        say(to, &identity(), None, What::Closed(&summary())).unwrap();
        say(to, &other, None, What::Closed(&aborted())).unwrap();
    });
    golden("follow.txt", &text);
}

#[test]
fn a_hostile_conversation() {
    let text = followed(Only::All, |to| {
        say(to, &identity(), None, What::Upgraded(&hostile_handshake())).unwrap();
        say(to, &identity(), S2C, What::Message(&message(0, Opcode::TEXT, HOSTILE))).unwrap();
        say(to, &identity(), S2C, What::Message(&message(1, Opcode::TEXT, HOSTILE_TEXT.as_bytes()))).unwrap();
        let bye = Message { close: close(4_000, HOSTILE), ..message(2, Opcode::CLOSE, HOSTILE) };
        say(to, &identity(), S2C, What::Message(&bye)).unwrap();
    });
    assert_eq!(text.lines().count(), 4);
    golden("follow-hostile.txt", &text);
}

#[test]
fn one_connection_of_many() {
    let feed = |to: &mut Follow<Paper>| {
        for number in 0..5 {
            let mut connection = Identity { number, ..identity() };
            connection.uid = Uid([u8::try_from(number).unwrap(); 16]);
            say(to, &connection, C2S, What::Message(&message(0, Opcode::TEXT, b"x"))).unwrap();
        }
    };
    assert_eq!(followed(Only::All, feed).lines().count(), 5);
    assert!(followed(Only::Number(2), feed).contains("#2 →"));
    assert_eq!(followed(Only::Number(2), feed).lines().count(), 1);
    assert_eq!(followed(Only::parse("0303").unwrap(), feed), "");
    assert_eq!(followed(Only::Uid("0303".into()), feed).lines().count(), 1);
}

#[test]
fn ids_as_they_are_typed() {
    assert_eq!(Only::parse("12"), Some(Only::Number(12)));
    assert_eq!(Only::parse("#12"), Some(Only::Number(12)));
    assert_eq!(Only::parse("BEEF01"), Some(Only::Uid("beef01".into())));
    assert_eq!(Only::parse(&"1".repeat(32)), Some(Only::Uid("1".repeat(32))));
    for wrong in ["", "abc", "xyz12", "-1", "#beef", &"a".repeat(33)] {
        assert_eq!(Only::parse(wrong), None, "{wrong}");
    }
}

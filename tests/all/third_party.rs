//! Captures from other projects' test suites decode to what those projects say of them. They are not ours to ship: where
//! the folder is absent, the tests say so and pass.

use serde_json::Value;
use wslens::event::Outcome;
use wslens::types::{Direction, Role};
use wslens::websocket::{AcceptCheck, Opcode};

use super::support::{MessageRow, Row, Told, hear, json, shared};

const C2S: Direction = Direction::ToServer;
const S2C: Direction = Direction::ToClient;

/// What is told of one of these captures, if it is there.
fn third_party(path: &str) -> Option<Told> {
    shared("captures/third-party").map(|folder| hear(&folder.join(path)))
}

/// Direction, opcode and length of all messages.
fn messages(told: &Told) -> Vec<(Direction, Opcode, u64)> {
    told.messages().map(|(_, direction, message)| (direction, message.opcode, message.len.unwrap())).collect()
}

fn content(told: &Told, index: usize) -> &[u8] {
    let (.., message) = told.messages().nth(index).unwrap();
    assert!(message.complete && message.content_whole);
    &message.content
}

#[test]
fn zeek_reply_and_ping_in_one_packet() {
    let Some(told) = third_party("zeek/reply-ping-coalesced.pcap") else { return };
    let expected = [
        (S2C, Opcode::PING, 4),
        (C2S, Opcode::PONG, 4),
        (C2S, Opcode::TEXT, 11),
        (S2C, Opcode::TEXT, 12),
        (C2S, Opcode::CLOSE, 2),
        (S2C, Opcode::CLOSE, 2),
    ];
    assert_eq!(messages(&told), expected);
    let (_, closed) = told.closed().next().unwrap();
    assert_eq!((closed.outcome, closed.close_code, closed.clean), (Outcome::Closed, Some(1000), Some(true)));
    assert_eq!(told.codes(), [""; 0]);
}

#[test]
fn zeek_wrong_accept() {
    let Some(told) = third_party("zeek/wrong-accept-header.pcap") else { return };
    assert_eq!(told.codes().first(), Some(&"accept_mismatch"));
    assert_eq!(told.handshakes().next().unwrap().1.accept, AcceptCheck::Mismatch);
}

#[test]
fn zeek_two_fragments_in_one_packet() {
    let Some(told) = third_party("zeek/two-binary-fragments.pcap") else { return };
    let fragmented: Vec<_> = told.messages().filter(|(.., message)| message.frames > 1).collect();
    let [(_, S2C, message)] = fragmented[..] else { panic!("{fragmented:?}") };
    assert_eq!((message.opcode, message.frames, message.len), (Opcode::BINARY, 2, Some(12)));
    assert_eq!(told.codes(), [""; 0]);
}

#[test]
fn zeek_oversized_close() {
    let Some(told) = third_party("zeek/oversized-close-frame.pcapng") else { return };
    assert!(told.codes().contains(&"control_too_long"), "{:?}", told.codes());
    let frames: Vec<_> = told
        .rows
        .iter()
        .filter_map(|row| if let Row::Frame(_, way, frame) = row { Some((way, frame)) } else { None })
        .collect();
    assert_eq!(frames[0].0, &S2C);
    assert_eq!(frames[0].1.header.opcode, Opcode::CLOSE);
    assert_eq!(frames[0].1.header.payload_len, 258);
}

#[test]
fn zeek_broker() {
    let Some(told) = third_party("zeek/broker-websocket.pcap") else { return };
    let texts: Vec<_> = told.messages().filter(|(.., message)| message.opcode == Opcode::TEXT).collect();
    assert_eq!(texts.len(), 8);
    for (.., message) in texts {
        assert!(serde_json::from_slice::<Value>(&message.content).is_ok(), "{message:?}");
    }
    let (_, closed) = told.closed().next().unwrap();
    // The client says goodbye; the server just ends.
    assert_eq!((closed.closed_by, closed.clean), (Some(Role::Client), Some(false)));
}

#[test]
fn zeek_jupyter() {
    let Some(told) = third_party("zeek/jupyter-websocket.pcap") else { return };
    let response = told.handshakes().next().unwrap().1.response.as_ref().unwrap();
    assert_eq!(response.subprotocol.as_deref(), Some("v1.kernel.websocket.jupyter.org"));
    let binary =
        |way| told.messages().filter(|(_, other, message)| *other == way && message.opcode == Opcode::BINARY).count();
    assert_eq!((binary(C2S), binary(S2C)), (1, 11));
    let (_, closed) = told.closed().next().unwrap();
    assert_eq!((closed.close_code, closed.clean), (Some(1005), Some(true)));
}

#[test]
fn zeek_wstunnel() {
    let Some(told) = third_party("zeek/wstunnel-ssh.pcap") else { return };
    assert_eq!(told.ends.len(), 2);
    for number in told.ends.keys() {
        let ssh = |(connection, _, message): &(u64, Direction, &MessageRow)| {
            connection == number && message.content.starts_with(b"SSH-2.0-")
        };
        assert_eq!(told.messages().filter(ssh).count(), 2, "both sides say who they are");
    }
    let (_, handshake) = told.handshakes().next().unwrap();
    assert_eq!(handshake.request.as_ref().unwrap().target, "/v1/events");
}

#[test]
fn suricata_ping_between_fragments() {
    let Some(told) = third_party("suricata-verify/control-frag.pcap") else { return };
    let expected = [(C2S, Opcode::PING, 4), (C2S, Opcode::TEXT, 48), (S2C, Opcode::PONG, 4)];
    assert_eq!(messages(&told), expected);
    assert!(core::str::from_utf8(content(&told, 1)).is_ok());
}

#[test]
fn suricata_compressed() {
    let Some(told) = third_party("suricata-verify/compressed.pcap") else { return };
    assert_eq!(told.messages().count(), 10);
    for (index, (_, direction, message)) in told.messages().enumerate() {
        assert!(message.compressed && message.complete && message.opcode == Opcode::TEXT && direction == S2C);
        let text = core::str::from_utf8(content(&told, index)).unwrap();
        assert!(text.contains('='), "{text}");
    }
    assert_eq!(content(&told, 0), b"KEY=07cb9559eff21e3e34f3bbd18240bac3");
}

/// Each connection of the Autobahn suite's groups 1 to 7 and 10: how many frames and messages of each length, and the
/// deliberate violation.
#[test]
fn autobahn() {
    let Some(folder) = shared("captures/autobahn") else { return };
    let truth = json(&folder.join("cases_1_to_10.truth.json")).unwrap();
    let told = hear(&folder.join("cases_1_to_10.pcap"));
    let cases = truth["connections"].as_object().unwrap();
    assert_eq!(told.ends.len(), cases.len());
    for (number, (client, _)) in &told.ends {
        let case = &cases[&client.port.to_string()];
        let name = &case["case"];
        for direction in Direction::BOTH {
            let theirs = &case[direction.as_str()];
            let lengths: Vec<_> = theirs["messages"].as_array().unwrap().iter().map(|row| row[4].as_u64()).collect();
            let ours: Vec<_> = told
                .messages()
                .filter(|(connection, way, message)| {
                    (connection, *way) == (number, direction) && message.complete && !message.opcode.is_control()
                })
                .map(|(.., message)| message.len)
                .collect();
            assert_eq!(ours, lengths, "{name} {direction}: messages");
            let complete = |row: &&Row| matches!(row, Row::Frame(connection, way, frame) if (connection, *way) == (number, direction) && frame.complete);
            let frames = told.rows.iter().filter(complete).count();
            assert_eq!(frames, theirs["frames"].as_array().unwrap().len(), "{name} {direction}: frames");
        }
        let violation = match case["violation"].as_str().unwrap() {
            "continuation_without_start" => "unexpected_continuation",
            "close_payload_len_1" => "close_payload_too_short",
            other => other,
        };
        let errors: Vec<_> = told
            .findings()
            .filter(|(connection, finding)| {
                connection == number && finding.code.severity() > wslens::types::Severity::Note
            })
            .map(|(_, finding)| finding.code.as_str())
            .collect();
        match (violation, errors.first()) {
            ("none" | "control_after_close", None) => {}
            // The stream ends inside the header of the offending frame.
            (_, None) if case["violation_on_wire"] == "partial" => {}
            (expected, Some(found)) if *found == expected => {}
            (expected, found) => panic!("{name}: {found:?}, expected {expected}; all: {errors:?}"),
        }
    }
}

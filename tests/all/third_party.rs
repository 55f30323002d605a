//! Captures from other projects' test suites decode to what those projects say of them. They are not ours to ship: where
//! the folder is absent, the tests say so and pass.

use serde_json::Value;
use wslens::event::Outcome;
use wslens::types::{Direction, FindingCode, Role, Severity};
use wslens::websocket::{AcceptCheck, Opcode};

use super::support::{json, record_file, shared};
use crate::common::{MessageRecord, Recorder};

const C2S: Direction = Direction::ToServer;
const S2C: Direction = Direction::ToClient;

/// What the library emits for one of these captures, if it is there.
fn third_party(path: &str) -> Option<Recorder> {
    shared("captures/third-party").map(|folder| record_file(&folder.join(path)))
}

/// Direction, opcode and length of all messages.
fn messages(recorded: &Recorder) -> Vec<(Direction, Opcode, u64)> {
    recorded.messages.iter().map(|message| (message.direction, message.opcode, message.len.unwrap())).collect()
}

fn content(recorded: &Recorder, index: usize) -> &[u8] {
    let message = &recorded.messages[index];
    assert!(message.complete && message.content_whole);
    &message.content
}

#[test]
fn zeek_reply_and_ping_in_one_packet() {
    let Some(recorded) = third_party("zeek/reply-ping-coalesced.pcap") else { return };
    let expected = [
        (S2C, Opcode::PING, 4),
        (C2S, Opcode::PONG, 4),
        (C2S, Opcode::TEXT, 11),
        (S2C, Opcode::TEXT, 12),
        (C2S, Opcode::CLOSE, 2),
        (S2C, Opcode::CLOSE, 2),
    ];
    assert_eq!(messages(&recorded), expected);
    let (_, closed) = &recorded.closed[0];
    assert_eq!((closed.outcome, closed.close_code, closed.clean), (Outcome::Closed, Some(1000), Some(true)));
    assert_eq!(recorded.codes(), [""; 0]);
}

#[test]
fn zeek_wrong_accept() {
    let Some(recorded) = third_party("zeek/wrong-accept-header.pcap") else { return };
    assert_eq!(recorded.codes().first(), Some(&"accept_mismatch"));
    assert_eq!(recorded.handshakes[0].handshake.accept, AcceptCheck::Mismatch);
}

#[test]
fn zeek_two_fragments_in_one_packet() {
    let Some(recorded) = third_party("zeek/two-binary-fragments.pcap") else { return };
    let fragmented: Vec<_> = recorded.messages.iter().filter(|message| message.frames > 1).collect();
    let [message @ MessageRecord { direction: S2C, .. }] = fragmented[..] else { panic!("{fragmented:?}") };
    assert_eq!((message.opcode, message.frames, message.len), (Opcode::BINARY, 2, Some(12)));
    assert_eq!(recorded.codes(), [""; 0]);
}

#[test]
fn zeek_oversized_close() {
    let Some(recorded) = third_party("zeek/oversized-close-frame.pcapng") else { return };
    assert!(recorded.codes().contains(&"control_too_long"), "{:?}", recorded.codes());
    let frame = &recorded.frames[0];
    assert_eq!((frame.direction, frame.header.opcode, frame.header.payload_len), (S2C, Opcode::CLOSE, 258));
}

#[test]
fn zeek_broker() {
    let Some(recorded) = third_party("zeek/broker-websocket.pcap") else { return };
    let texts: Vec<_> = recorded.messages.iter().filter(|message| message.opcode == Opcode::TEXT).collect();
    assert_eq!(texts.len(), 8);
    for message in texts {
        assert!(serde_json::from_slice::<Value>(&message.content).is_ok(), "{message:?}");
    }
    let (_, closed) = &recorded.closed[0];
    // The client says goodbye; the server just ends.
    assert_eq!((closed.closed_by, closed.clean), (Some(Role::Client), Some(false)));
}

#[test]
fn zeek_jupyter() {
    let Some(recorded) = third_party("zeek/jupyter-websocket.pcap") else { return };
    let response = recorded.handshakes[0].handshake.response.as_ref().unwrap();
    assert_eq!(response.subprotocol.as_deref(), Some("v1.kernel.websocket.jupyter.org"));
    let binary = |way| recorded.data(way).filter(|message| message.opcode == Opcode::BINARY).count();
    assert_eq!((binary(C2S), binary(S2C)), (1, 11));
    let (_, closed) = &recorded.closed[0];
    assert_eq!((closed.close_code, closed.clean), (Some(1005), Some(true)));
}

#[test]
fn zeek_wstunnel() {
    let Some(recorded) = third_party("zeek/wstunnel-ssh.pcap") else { return };
    assert_eq!(recorded.connections.len(), 2);
    for number in recorded.connections.keys() {
        let ssh = |message: &&MessageRecord| message.connection == *number && message.content.starts_with(b"SSH-2.0-");
        assert_eq!(recorded.messages.iter().filter(ssh).count(), 2, "both sides say who they are");
    }
    assert_eq!(recorded.handshakes[0].handshake.request.as_ref().unwrap().target, "/v1/events");
}

#[test]
fn suricata_ping_between_fragments() {
    let Some(recorded) = third_party("suricata-verify/control-frag.pcap") else { return };
    let expected = [(C2S, Opcode::PING, 4), (C2S, Opcode::TEXT, 48), (S2C, Opcode::PONG, 4)];
    assert_eq!(messages(&recorded), expected);
    assert!(core::str::from_utf8(content(&recorded, 1)).is_ok());
}

#[test]
fn suricata_compressed() {
    let Some(recorded) = third_party("suricata-verify/compressed.pcap") else { return };
    assert_eq!(recorded.messages.len(), 10);
    for (index, message) in recorded.messages.iter().enumerate() {
        assert!(message.compressed && message.complete && message.opcode == Opcode::TEXT && message.direction == S2C);
        let text = core::str::from_utf8(content(&recorded, index)).unwrap();
        assert!(text.contains('='), "{text}");
    }
    assert_eq!(content(&recorded, 0), b"KEY=07cb9559eff21e3e34f3bbd18240bac3");
}

/// Each connection of the Autobahn suite's groups 1 to 7 and 10: how many frames and messages of each length, and the
/// deliberate violation.
#[test]
fn autobahn() {
    let Some(folder) = shared("captures/autobahn") else { return };
    let truth = json(&folder.join("cases_1_to_10.truth.json")).unwrap();
    let recorded = record_file(&folder.join("cases_1_to_10.pcap"));
    let cases = truth["connections"].as_object().unwrap();
    assert_eq!(recorded.connections.len(), cases.len());
    for (number, identity) in &recorded.connections {
        let case = &cases[&identity.client.port.to_string()];
        let name = &case["case"];
        for direction in Direction::BOTH {
            let theirs = &case[direction.as_str()];
            let lengths: Vec<_> = theirs["messages"].as_array().unwrap().iter().map(|row| row[4].as_u64()).collect();
            let ours: Vec<_> = recorded
                .data(direction)
                .filter(|message| message.connection == *number && message.complete)
                .map(|message| message.len)
                .collect();
            assert_eq!(ours, lengths, "{name} {direction}: messages");
            let of = (*number, direction);
            let complete = recorded.frames.iter().filter(|frame| frame.complete);
            let frames = complete.filter(|frame| (frame.connection, frame.direction) == of).count();
            assert_eq!(frames, theirs["frames"].as_array().unwrap().len(), "{name} {direction}: frames");
        }
        let violation = match case["violation"].as_str().unwrap() {
            "continuation_without_start" => "unexpected_continuation",
            "close_payload_len_1" => "close_payload_too_short",
            other => other,
        };
        let errors: Vec<_> = recorded
            .findings
            .iter()
            .filter(|finding| finding.connection == *number)
            .map(|finding| finding.code)
            .filter(|code| FindingCode::from_name(code).unwrap().severity() > Severity::Note)
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

//! The samples against what their endpoints recorded while they talked: every connection, every message in order, by type,
//! length after inflation, SHA-256 of the content, and what a Close says. `samples/README.md` describes the truth files.

use std::path::PathBuf;

use serde_json::Value;
use sha2::{Digest, Sha256};
use wslens::types::{Direction, Endpoint};
use wslens::websocket::{Handshake, Opcode};

use super::support::{file_name, folder as list, json, record_file, samples, shared};
use crate::common::{MessageRecord, Recorder};

#[test]
fn samples_are_what_their_endpoints_recorded() {
    let mut held = 0;
    for sample in samples() {
        let Some(truth) = &sample.truth else { continue };
        let problems = compare(truth, &record_file(&sample.capture));
        assert!(problems.is_empty(), "{}:\n{}", sample.name, problems.join("\n"));
        held += 1;
    }
    assert!(held >= 47, "only {held} samples have a truth");
}

#[test]
fn more_captures_are_what_their_endpoints_recorded() {
    let Some(folder) = shared("captures/real") else { return };
    let is_truth = |path: &PathBuf| file_name(path).ends_with(".truth.json");
    for path in list(&folder).into_iter().filter(is_truth) {
        let truth = json(&path).unwrap();
        let problems = compare(&truth, &record_file(&folder.join(truth["capture"].as_str().unwrap())));
        assert!(problems.is_empty(), "{}:\n{}", path.display(), problems.join("\n"));
    }
}

/// The test above must be able to fail.
#[test]
fn a_wrong_truth_is_noticed() {
    let sample = samples().into_iter().find(|sample| sample.name == "first-look").unwrap();
    let (truth, recorder) = (sample.truth.unwrap(), record_file(&sample.capture));
    let wrong = |change: &dyn Fn(&mut Value)| {
        let mut truth = truth.clone();
        change(&mut truth["connections"][0]);
        assert!(!compare(&truth, &recorder).is_empty());
    };
    wrong(&|connection| connection["status"] = 200.into());
    wrong(&|connection| connection["client"] = "10.77.0.1:1".into());
    wrong(&|connection| connection["messages"][3]["sha256"] = "00".into());
    wrong(&|connection| connection["messages"][9]["code"] = 1001.into());
    wrong(&|connection| connection["messages"].as_array_mut().unwrap().swap(2, 3));
    wrong(&|connection| drop(connection["messages"].as_array_mut().unwrap().remove(5)));
}

/// What a message is, where endpoints and wslens can be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Close(Option<u64>, String),
    Other(String, u64, String),
}

impl Item {
    fn kind(&self) -> &str {
        match self {
            Self::Close(..) => "close",
            Self::Other(kind, ..) => kind,
        }
    }
}

/// All in which they differ, a line each.
pub(crate) fn compare(truth: &Value, recorder: &Recorder) -> Vec<String> {
    let mut problems = Vec::new();
    let mut unmatched: Vec<u64> = recorder.connections.keys().copied().collect();
    for connection in connections(truth) {
        let (client, server) = (&connection["client"], &connection["server"]);
        let same = |number: &u64| {
            let ours = &recorder.connections[number];
            is(ours.client, client) && is(ours.server, server) && ours.stream_id == connection["stream_id"].as_u64()
        };
        // Without its keys, a connection may be told of, and nothing of what was said on it.
        let lacks_keys = connection["notes"].as_str().is_some_and(|notes| notes.contains("keys missing"));
        let Some(at) = unmatched.iter().position(same) else {
            if lacks_keys {
                continue;
            }
            problems.push(format!("{client}: not reported"));
            continue;
        };
        let number = unmatched.remove(at);
        if lacks_keys {
            let said = recorder.messages.iter().filter(|message| message.connection == number).count();
            problems.extend((said > 0).then(|| format!("{client}: {said} messages without keys")));
            continue;
        }
        let handshake = recorder.handshakes.iter().find(|record| record.connection == number);
        let handshake = handshake.map(|record| &*record.handshake);
        for problem in compare_one(truth, connection, number, handshake, recorder) {
            problems.push(format!("{client}: {problem}"));
        }
    }
    problems.extend(unmatched.iter().map(|number| format!("connection {number}: no endpoint recorded it")));
    problems
}

fn compare_one(
    truth: &Value,
    connection: &Value,
    number: u64,
    handshake: Option<&Handshake>,
    recorder: &Recorder,
) -> Vec<String> {
    let mut problems = Vec::new();
    if !is_midstream(truth) {
        let response = handshake.and_then(|handshake| handshake.response.as_ref());
        let status = response.map(|response| u64::from(response.status));
        if connection["status"].as_u64() != status {
            problems.push(format!("status {status:?}, truth {}", connection["status"]));
        }
        let subprotocol = response.and_then(|response| response.subprotocol.as_deref());
        if connection["subprotocol"].is_string() && connection["subprotocol"].as_str() != subprotocol {
            problems.push(format!("sub-protocol {subprotocol:?}, truth {}", connection["subprotocol"]));
        }
        let target = handshake.and_then(|handshake| handshake.request.as_ref()).map(|request| request.target.as_str());
        if connection["request_target"].as_str() != target {
            problems.push(format!("target {target:?}, truth {}", connection["request_target"]));
        }
    }
    for direction in Direction::BOTH {
        let name = direction.as_str();
        let theirs = recorded(connection, name);
        // What an endpoint cannot see is not judged: some libraries tell nobody of Pings.
        let recorded_kinds = connection["messages"].as_array().unwrap();
        let judged = |item: &Item| {
            ["text", "binary"].contains(&item.kind()) || recorded_kinds.iter().any(|other| other["type"] == item.kind())
        };
        let ours: Vec<_> = recorder
            .messages
            .iter()
            .filter(|message| (message.connection, message.direction) == (number, direction) && message.complete)
            .map(item)
            .filter(judged)
            .collect();
        let needed = needed(truth, connection, name, theirs.len());
        problems.extend(differ(&ours, &theirs, &needed).map(|problem| format!("{name}: {problem}")));
    }
    problems
}

/// Whether `ours` is `theirs`, in order, with nothing added and nothing left out that the capture has.
fn differ(ours: &[Item], theirs: &[Item], needed: &[bool]) -> Option<String> {
    let mut at = 0;
    for (index, item) in ours.iter().enumerate() {
        let Some(found) = theirs.get(at..).unwrap_or_default().iter().position(|other| other == item) else {
            return Some(format!("message {index} was never sent, or not there: {item:?}; truth {:?}", theirs.get(at)));
        };
        if let Some(left_out) = (at..at + found).find(|index| needed[*index]) {
            return Some(format!("message {left_out} is not shown: {:?}; shown {item:?}", theirs[left_out]));
        }
        at += found + 1;
    }
    let left_out = (at..theirs.len()).find(|index| needed[*index]);
    left_out.map(|index| format!("message {index} is not shown: {:?}", theirs[index]))
}

/// Which of a direction's messages the capture can still show.
fn needed(truth: &Value, connection: &Value, direction: &str, count: usize) -> Vec<bool> {
    let of = |list: &'static str| {
        let hit = |hit: &&Value| hit["client"] == connection["client"] && hit["dir"] == direction;
        truth[list].as_array().and_then(|list| list.iter().find(hit))
    };
    // Behind missing bytes a compressed message may refer to them.
    let compressed = connection["extensions"].is_string();
    if let Some(gap) = of("capture_gaps") {
        let lost: Vec<_> = gap["messages_hit"].as_array().unwrap().iter().map(number).collect();
        let first = lost.iter().copied().min().unwrap_or(count);
        return (0..count).map(|index| index < first || !compressed && !lost.contains(&index)).collect();
    }
    if let Some(cut) = of("midstream") {
        let before = count - number(&cut["messages_after_cut"]);
        return (0..count).map(|index| index >= before && !compressed).collect();
    }
    let cut = truth["notes"].as_str().is_some_and(|notes| notes.contains("every packet cut"));
    vec![!cut; count]
}

fn number(value: &Value) -> usize {
    value.as_u64().and_then(|value| usize::try_from(value).ok()).unwrap()
}

fn is_midstream(truth: &Value) -> bool {
    !truth["midstream"].is_null()
}

fn connections(truth: &Value) -> &[Value] {
    truth["connections"].as_array().unwrap()
}

fn is(ours: Endpoint, theirs: &Value) -> bool {
    theirs.as_str() == Some(&ours.to_string())
}

/// What the endpoints recorded of one direction.
fn recorded(connection: &Value, direction: &str) -> Vec<Item> {
    let messages = connection["messages"].as_array().unwrap().iter().filter(|message| message["dir"] == direction);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let item = |message: &Value| match message["type"].as_str() {
        Some("close") => Item::Close(message["code"].as_u64(), text(&message["reason"])),
        kind => Item::Other(kind.unwrap().to_owned(), message["len"].as_u64().unwrap(), text(&message["sha256"])),
    };
    messages.map(item).collect()
}

fn item(message: &MessageRecord) -> Item {
    if message.opcode == Opcode::CLOSE {
        let (code, reason) = message.close.as_ref().unwrap();
        return Item::Close(code.map(u64::from), String::from_utf8_lossy(reason).into_owned());
    }
    assert!(message.content_whole, "all content was asked for");
    let digest = Sha256::digest(&message.content);
    let hex: Vec<_> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Item::Other(message.opcode.name().to_owned(), message.len.unwrap_or(0), hex.concat())
}

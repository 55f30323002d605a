//! Big generated captures: every total of their truth is met.
//!
//! The generator is not part of this repository; without it this is skipped, and says so.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::command::Folder;

/// The generator, where it and Python are there.
fn generator() -> Option<PathBuf> {
    let script = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/tools/synth.py"));
    let found = script.exists() && Command::new("python3").arg("--version").output().is_ok();
    if !found {
        super::common::skip::skip("python3 and the generator in ../shared/tools");
    }
    found.then_some(script)
}

/// The sum of a column over rows.
fn sum(rows: &[Value], column: &str) -> u64 {
    rows.iter().map(|row| row[column].as_u64().unwrap_or(0)).sum()
}

fn rows(folder: &Folder, table: &str) -> Vec<Value> {
    folder.text(table).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Generates a capture, reads it, and compares all that its truth says.
fn check(options: &[&str]) {
    let Some(script) = generator() else { return };
    let folder = Folder::new();
    let mut python = Command::new("python3");
    python.arg(script).arg("talk.pcap").args(["--size", "16MiB", "--conns", "60"]).args(options);
    assert!(python.current_dir(folder.path()).output().unwrap().status.success());
    let truth: Value = serde_json::from_str(&folder.text("talk.json")).unwrap();
    let tables = ["--connections", "c.ndjson", "--frames", "f.ndjson", "--messages", "m.ndjson", "--findings", "n.csv"];
    folder.run(["talk.pcap", "--report", "none", "--payload", "none"].iter().chain(&tables)).ok();

    let connections = rows(&folder, "c.ndjson");
    let (frames, messages) = (rows(&folder, "f.ndjson"), rows(&folder, "m.ndjson"));
    assert_eq!(connections.len() as u64, truth["websocket_connections"].as_u64().unwrap(), "{options:?}");
    assert_eq!(frames.len() as u64, truth["frames_total"].as_u64().unwrap(), "{options:?}");
    assert!(connections.iter().all(|row| row["outcome"] == "closed" && row["accept_valid"] == true));
    for direction in ["c2s", "s2c"] {
        let totals = &truth["totals"][direction];
        let of = |rows: &[Value]| -> Vec<Value> {
            rows.iter().filter(|row| row["direction"] == direction).cloned().collect()
        };
        let (frames, messages) = (of(&frames), of(&messages));
        for (opcode, count) in totals["frames"].as_object().unwrap() {
            let found = frames.iter().filter(|row| row["opcode_name"] == **opcode).count();
            assert_eq!(found as u64, count.as_u64().unwrap(), "{options:?} {direction} {opcode} frames");
        }
        for (kind, count) in totals["messages"].as_object().unwrap() {
            let found = messages.iter().filter(|row| row["type"] == **kind).count();
            assert_eq!(found as u64, count.as_u64().unwrap(), "{options:?} {direction} {kind} messages");
        }
        let data: Vec<_> =
            messages.into_iter().filter(|row| row["type"] == "text" || row["type"] == "binary").collect();
        let compressed = data.iter().filter(|row| row["compressed"] == true).count();
        let number = |name: &str| totals[name].as_u64().unwrap();
        assert_eq!(compressed as u64, number("compressed_messages"), "{options:?} {direction}");
        assert_eq!(sum(&data, "len"), number("message_bytes_uncompressed"), "{options:?} {direction}");
        assert_eq!(sum(&frames, "payload_len"), number("frame_payload_bytes"), "{options:?} {direction}");
        assert_eq!(sum(&connections, &format!("wire_bytes_{direction}")), number("frame_payload_bytes"));
        assert_eq!(sum(&connections, &format!("frames_{direction}")), frames.len() as u64);
        assert_eq!(sum(&connections, &format!("missing_bytes_{direction}")), 0);
        assert!(data.iter().all(|row| row["complete"] == true));
    }
    let found = folder.text("n.csv");
    assert_eq!(found.lines().nth(1), None, "{options:?}: valid traffic has no findings");
}

#[test]
fn plain() {
    check(&["--seed", "1", "--deflate", "0"]);
}

#[test]
fn deflated_in_fragments() {
    check(&["--seed", "2", "--deflate", "0.5", "--fragment", "0.3"]);
}

#[test]
fn duplicated_and_out_of_order() {
    check(&["--seed", "3", "--deflate", "0.5", "--dup", "0.05", "--swap", "0.05", "--fragment", "0.3"]);
}

#[test]
fn large_messages_and_much_else() {
    check(&["--seed", "4", "--large", "0.05", "--background", "0.5", "--dup", "0.02", "--concurrent", "7"]);
}

#[test]
fn small_messages_and_many_pings() {
    check(&["--seed", "5", "--small", "1", "--ping", "0.2", "--swap", "0.02"]);
}

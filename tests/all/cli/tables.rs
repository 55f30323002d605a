//! Tables: their columns are the contract's, and what is written can be read.

use serde_json::Value;

use super::super::command::{Folder, small_capture};
use crate::common::{Conversation, Frame};

/// As INTERFACE.md has them.
const FRAMES: &str = "connection, uid, capture, frame, time, direction, src_ip, src_port, dst_ip, dst_port, opcode,
    opcode_name, fin, rsv1, rsv2, rsv3, masked, masking_key, header_len, payload_len, message, fragment, first_packet,
    last_packet, stream_offset, duration_us, close_code, close_reason, ping_rtt_us, findings, preview";
const MESSAGES: &str = "connection, uid, capture, message, time_first, time, direction, type, frames, wire_len, len,
    compressed, complete, first_packet, last_packet, close_code, close_reason, subprotocol, summary, findings, preview";
const CONNECTIONS: &str = "connection, uid, capture, tcp_stream, stream_id, time_first, time_open, time, duration_us,
    client_ip, client_port, server_ip, server_port, transport, tls, server_name, host, target, origin, user_agent,
    version, client_subprotocols, subprotocol, client_extensions, extensions, status, key, accept, accept_valid,
    handshake_seen, outcome, closed_by, close_code, close_reason, clean, frames_c2s, frames_s2c, messages_c2s,
    messages_s2c, wire_bytes_c2s, wire_bytes_s2c, bytes_c2s, bytes_s2c, missing_bytes_c2s, missing_bytes_s2c,
    handshake_us, ping_rtt_min_us, ping_rtt_avg_us, ping_rtt_max_us, longest_silence_us, first_packet, last_packet,
    community_id, findings";
const FINDINGS: &str = "connection, uid, capture, time, packet, direction, frame, message, severity, code, detail,
    reference";
const TABLES: [(&str, &str); 4] =
    [("connections", CONNECTIONS), ("frames", FRAMES), ("messages", MESSAGES), ("findings", FINDINGS)];

fn names(columns: &str) -> Vec<&str> {
    columns.split(',').map(str::trim).collect()
}

/// One table, as CSV and as NDJSON.
fn both(folder: &Folder, table: &str) -> (Vec<Vec<String>>, Vec<Value>) {
    let option = format!("--{table}");
    let csv = folder.run(["talk.pcap", &option, "-", "--format", "csv"]).ok();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&*csv.stdout);
    let rows = reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
    let json = folder.run(["talk.pcap", &option, "-", "--format", "ndjson"]).ok();
    let objects = json.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (rows, objects)
}

/// A capture with something in every table.
fn folder() -> Folder {
    let mut talk = Conversation::open();
    talk.client_frame(Frame::text("a \"quoted\", text\nof two lines"))
        .client_frame(Frame::text("x").unmasked())
        .client_frame(Frame::ping("p"))
        .server_frame(Frame::pong("p"))
        .server_frame(Frame::binary([0, 1, 0xff]).more().rsv(3))
        .server_frame(Frame::continuation([0xfe]))
        .server_frame(Frame::close(1001, "bye; \"bye\""))
        .client_frame(Frame::close(1001, ""));
    Folder::of(&talk.capture())
}

#[test]
fn columns_are_the_contracts() {
    let folder = folder();
    for (table, columns) in TABLES {
        let (rows, objects) = both(&folder, table);
        assert_eq!(rows[0], names(columns), "{table}.csv");
        assert!(!objects.is_empty(), "{table}");
        let option = format!("--{table}");
        let json = folder.run(["talk.pcap", &option, "-", "--format", "ndjson"]).ok();
        for line in json.text().lines() {
            let mut rest = line;
            for name in names(columns) {
                let (_, after) = rest.split_once(&format!("\"{name}\":")).unwrap_or_else(|| panic!("{name} in {line}"));
                rest = after;
            }
            let Value::Object(object) = serde_json::from_str(line).unwrap() else { panic!("{line}") };
            assert_eq!(object.len(), names(columns).len(), "{table}.ndjson");
        }
    }
}

#[test]
fn csv_and_ndjson_say_the_same() {
    let folder = folder();
    for (table, columns) in TABLES {
        let (rows, objects) = both(&folder, table);
        assert_eq!(rows.len() - 1, objects.len());
        for (row, object) in rows[1..].iter().zip(&objects) {
            for (cell, name) in row.iter().zip(names(columns)) {
                let value = &object[name];
                let text = match value {
                    Value::Null => String::new(),
                    Value::String(text) => text.clone(),
                    Value::Array(list) => list.iter().map(|item| item.as_str().unwrap()).collect::<Vec<_>>().join(";"),
                    other => other.to_string(),
                };
                // CSV escapes controls visibly, JSON in its own way.
                if !text.contains(['\n', '\\', '\0', '\u{1}']) && !text.contains('\u{fe}') {
                    assert_eq!(*cell, text, "{table} {name}");
                }
            }
        }
    }
}

#[test]
fn values_are_those_of_the_capture() {
    let folder = folder();
    let (_, frames) = both(&folder, "frames");
    let columns = |name: &str| frames.iter().map(|frame| frame[name].to_string()).collect::<Vec<_>>().join(" ");
    assert_eq!(columns("frame"), "0 1 2 3 4 5 6 7");
    assert_eq!(columns("message"), "0 1 2 3 4 4 5 6");
    assert_eq!(columns("fragment"), "0 0 0 0 0 1 0 0");
    assert_eq!(columns("opcode"), "1 1 9 10 2 0 8 8");
    assert_eq!(columns("masked"), "true false true false false false false true");
    assert_eq!(columns("first_packet"), "6 7 8 9 10 11 12 13");
    assert_eq!(columns("close_code"), "null null null null null null 1001 1001");
    assert_eq!(columns("ping_rtt_us"), "null null null 1000 null null null null");
    assert_eq!(columns("payload_len"), "29 1 1 1 3 1 12 2");
    assert_eq!(columns("header_len"), "6 2 6 2 2 2 2 6");
    assert_eq!(frames[0]["masking_key"], "37fa213d");
    assert_eq!(frames[1]["masking_key"], Value::Null);
    assert_eq!(frames[0]["time"], "2023-11-14T22:13:20.005000000Z");
    assert_eq!((&frames[0]["src_ip"], &frames[3]["src_ip"]), (&"10.0.0.1".into(), &"10.0.0.2".into()));
    assert_eq!(frames[6]["close_reason"], "bye; \"bye\"");
    assert_eq!(frames[1]["findings"], serde_json::json!(["unmasked_client_frame"]));
    let (_, messages) = both(&folder, "messages");
    let columns = |name: &str| messages.iter().map(|message| message[name].to_string()).collect::<Vec<_>>().join(" ");
    assert_eq!(columns("type"), r#""text" "text" "ping" "pong" "binary" "close" "close""#);
    assert_eq!(columns("frames"), "1 1 1 1 2 1 1");
    assert_eq!(columns("complete"), "true true true true true true true");
    let (_, findings) = both(&folder, "findings");
    let line = |finding: &Value| {
        ["code", "severity", "direction", "packet", "frame", "message", "reference"]
            .map(|name| finding[name].to_string())
            .join(" ")
    };
    assert_eq!(
        findings.iter().map(line).collect::<Vec<_>>(),
        [
            r#""unmasked_client_frame" "error" "c2s" 7 1 1 "RFC 6455 §5.1""#,
            r#""rsv_bits" "error" "s2c" 10 4 4 "RFC 6455 §5.2""#,
        ]
    );
    let (_, connections) = both(&folder, "connections");
    let one = &connections[0];
    assert_eq!(
        (&one["outcome"], &one["closed_by"], &one["close_code"]),
        (&"closed".into(), &"server".into(), &1001.into())
    );
    assert_eq!((&one["frames_c2s"], &one["frames_s2c"], &one["messages_s2c"]), (&4.into(), &4.into(), &3.into()));
    assert_eq!((&one["wire_bytes_c2s"], &one["bytes_c2s"]), (&33.into(), &33.into()));
    assert_eq!((&one["accept_valid"], &one["status"], &one["target"]), (&true.into(), &101.into(), &"/chat".into()));
    assert_eq!((&one["tls"], &one["server_name"], &one["stream_id"]), (&Value::Null, &Value::Null, &Value::Null));
    assert_eq!(one["handshake_us"], 1000, "from the request to the 101");
}

#[test]
fn a_refused_attempt_is_a_connection() {
    let (_, connections) = both(&Folder::of(&small_capture()), "connections");
    assert_eq!(connections.len(), 2);
    let refused = connections.iter().find(|row| row["outcome"] == "rejected").unwrap();
    assert_eq!((&refused["status"], &refused["client_port"]), (&403.into(), &50_001.into()));
    assert_eq!(
        (&refused["time_open"], &refused["close_code"], &refused["clean"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
}

#[test]
fn payload_none_preview_full() {
    let mut talk = Conversation::open();
    let long = "é".repeat(100);
    talk.client_frame(Frame::text(&long)).server_frame(Frame::binary([0, 0xff, 0x80])).close();
    let folder = Folder::of(&talk.capture());
    let rows = |table: &str, payload: &str| -> Vec<Value> {
        let option = format!("--{table}");
        let run = folder.run(["talk.pcap", &option, "-", "--format", "ndjson", "--payload", payload]).ok();
        run.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    for table in ["frames", "messages"] {
        let none = rows(table, "none");
        assert!(none.iter().all(|row| row["preview"].is_null() && row.get("text").is_none()), "{table}");
        let preview = rows(table, "preview");
        let shown = preview[0]["preview"].as_str().unwrap();
        assert!(shown.starts_with(&"é".repeat(32)) && !shown.contains(&"é".repeat(33)), "64 bytes: {shown}");
        assert!(preview[1]["preview"].as_str().unwrap().contains("ff"), "{}", preview[1]);
        assert!(preview.iter().all(|row| row.get("text").is_none() && row.get("data").is_none()));
        let full = rows(table, "full");
        assert_eq!((&full[0]["text"], &full[0]["data"]), (&long.as_str().into(), &Value::Null), "{table}");
        assert_eq!((&full[1]["text"], &full[1]["data"]), (&Value::Null, &"AP+A".into()), "{table}");
        assert!(full.iter().all(|row| row.get("preview").is_none()), "in place of the preview");
    }
    // CSV has no column for bytes.
    let run = folder.run(["talk.pcap", "--frames", "-", "--format", "csv", "--payload", "full"]);
    assert!(run.status == Some(2) || run.text().lines().next().unwrap().ends_with("findings,preview"), "{run:?}");
}

#[test]
fn rows_are_in_packet_order() {
    let mut one = Conversation::open();
    let mut two = Conversation::from_port(50_001);
    two.connect().client(crate::common::Upgrade::new().bytes()).server(crate::common::Reply::new().bytes());
    for _ in 0..20 {
        one.client_frame(Frame::text("a")).wait_ms(3);
        two.server_frame(Frame::text("b").more()).wait_ms(2).server_frame(Frame::continuation("c"));
    }
    let folder = Folder::of(&crate::common::Capture::merge([one.close().capture(), two.close().capture()]));
    for table in ["frames", "messages"] {
        let (_, rows) = both(&folder, table);
        let packets: Vec<_> = rows.iter().map(|row| row["last_packet"].as_u64().unwrap()).collect();
        assert!(packets.is_sorted(), "{table}: {packets:?}");
    }
}

#[test]
fn what_a_cut_header_does_not_say_is_unknown() {
    let bytes = Frame::text(vec![b'x'; 300]).bytes(crate::common::SERVER);
    for (captured, masked) in [(1, Value::Null), (2, false.into()), (3, false.into())] {
        let mut talk = Conversation::open();
        let (_, frames) = both(&Folder::of(&talk.server(&bytes[..captured]).capture()), "frames");
        assert_eq!(frames.len(), 1, "{captured} bytes");
        let of = |name: &str| frames[0][name].clone();
        assert_eq!((of("opcode"), of("fin"), of("masked")), (1.into(), true.into(), masked), "{captured} bytes");
        assert_eq!((of("payload_len"), of("message")), (Value::Null, Value::Null), "{captured} bytes");
        assert_eq!(of("findings"), serde_json::json!(["truncated_frame"]));
    }
}

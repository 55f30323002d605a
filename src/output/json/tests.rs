//! Reports as programs read them.

use serde_json::Value;

use super::super::fixtures::{
    HOSTILE_TEXT, SharedBuffer, aborted, assert_safe, emit, golden, hostile_summary, identity, midstream, refused,
    summary,
};
use super::*;
use crate::output::fixtures::doc_example;
use crate::output::redact::Secrets;

fn lines(summaries: &[Summary], secrets: Secrets) -> (String, Vec<Value>) {
    let buffer = SharedBuffer::default();
    let mut report = JsonReport::new(buffer.clone(), Context { secrets, ..Context::default() });
    for summary in summaries {
        emit(&mut report, &identity(), None, What::Closed(summary)).unwrap();
    }
    report.flush().unwrap();
    let text = buffer.text();
    let values = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (text, values)
}

#[test]
fn one_of_each() {
    let (text, rows) = lines(&[summary(), refused(403, "Forbidden"), aborted(), midstream()], Secrets::Redact);
    assert_safe(&text);
    golden("report.ndjson", &text);
    let closed = &rows[0];
    assert_eq!(closed["close_code"], 1001);
    assert_eq!(closed["traffic"]["c2s"]["frames"]["text"], 118);
    assert_eq!(closed["traffic"]["s2c"]["message_len"]["min"], 900);
    assert_eq!(closed["handshake"]["deflate"]["server_max_window_bits"], 12);
    assert_eq!(closed["closes"]["s2c"]["reason"], "server shutting down");
    assert_eq!(closed["findings_detail"][1]["count"], 3);
    assert_eq!(closed["findings_detail"][1]["reference"], "RFC 6455 §5.1");
    assert_eq!(closed["silences"]["c2s"]["us"], 41_000_000);
    assert_eq!(rows[1]["closes"], serde_json::json!({"c2s": null, "s2c": null}));
    assert_eq!(rows[2]["tcp_ends"]["c2s"]["rst_by"], "client");
    assert_eq!(rows[3]["handshake"]["method"], Value::Null);
}

#[test]
fn all_columns_of_the_table_come_first() {
    let (text, _) = lines(&[summary()], Secrets::Redact);
    let names: Vec<_> =
        columns::<Connections>(Default::default()).map(|column| format!("\"{}\":", column.name)).collect();
    let mut rest = text.as_str();
    for name in names {
        rest = rest.split_once(&name).unwrap_or_else(|| panic!("{name}")).1;
    }
    assert!(rest.contains("\"handshake\":{\"method\":"));
}

#[test]
fn nothing_hostile_and_no_secret_gets_out() {
    let (text, rows) = lines(&[hostile_summary()], Secrets::Redact);
    assert_safe(&text);
    assert!(!text.contains("hunter2") && !text.contains("s3cr3t") && !text.contains("c2VjcmV0"), "{text}");
    assert_eq!(rows[0]["handshake"]["server"], HOSTILE_TEXT);
    assert_eq!(rows[0]["findings_detail"][0]["count"], u64::MAX);
    let (text, _) = lines(&[hostile_summary()], Secrets::Show);
    assert!(text.contains("hunter2"));
}

/// Whether all of `part` is in `all`: members of objects, and the first elements of lists.
fn is_part_of(part: &Value, all: &Value) -> bool {
    match (part, all) {
        (Value::Object(part), Value::Object(all)) => {
            part.iter().all(|(name, part)| all.get(name).is_some_and(|all| is_part_of(part, all)))
        }
        (Value::Array(part), Value::Array(all)) => {
            part.len() <= all.len() && part.iter().zip(all).all(|(part, all)| is_part_of(part, all))
        }
        (part, all) => part == all,
    }
}

#[test]
fn the_documentation_shows_a_report_that_is_written() {
    let (_, rows) = lines(&[summary()], Secrets::Redact);
    let shown: Value = serde_json::from_str(&doc_example(include_str!("../json.rs"))).unwrap();
    for (name, shown) in shown.as_object().unwrap() {
        assert!(is_part_of(shown, &rows[0][name]), "{name}: {}", rows[0][name]);
    }
}

//! Reports as people read them: `tests/golden/output/report*.txt`.

use super::super::fixtures::{
    SharedBuffer, aborted, assert_all_lines, assert_safe, doc_example, emit, golden, hostile_summary, identity,
    midstream, refused, summary, totals,
};
use super::report::SPOOL_BYTES;
use super::*;
use crate::event::{Identity, Summary, Totals, What};
use crate::output::list::Output as _;
use crate::output::redact::Secrets;

fn report(number: u64, summary: &Summary) -> String {
    render_connection(&Identity { number, ..identity() }, summary, Secrets::Redact, Style::default())
}

fn numbered(number: u64) -> Identity {
    Identity { number, ..identity() }
}

/// No line is wider than a wide terminal, unless a text from the wire is long.
fn assert_narrow(text: &str) {
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{}: {line}", line.chars().count());
    }
}

#[test]
fn a_capture_with_one_of_each() {
    let buffer = SharedBuffer::default();
    let mut report = TextReport::new(buffer.clone(), Order::SummaryFirst, Secrets::Redact, Style::default());
    let connections =
        [(2, aborted()), (0, summary()), (1, refused(403, "Forbidden")), (3, midstream()), (4, refused(403, ""))];
    for (number, summary) in &connections {
        emit(&mut report, &numbered(*number), None, What::Closed(summary)).unwrap();
    }
    assert_eq!(buffer.text(), "");
    report.finish(&totals()).unwrap();
    let text = buffer.text();
    assert_safe(&text);
    assert_narrow(&text);
    golden("report.txt", &text);
}

#[test]
fn the_documentation_shows_a_report_that_is_written() {
    let report = include_str!("../../../tests/golden/first-look.txt");
    assert_all_lines(&doc_example(include_str!("mod.rs")), report);
}

#[test]
fn a_live_capture_reports_each_connection_at_once() {
    let buffer = SharedBuffer::default();
    let mut live = TextReport::new(buffer.clone(), Order::AsTheyEnd, Secrets::Redact, Style::default());
    emit(&mut live, &numbered(7), None, What::Closed(&aborted())).unwrap();
    assert_eq!(buffer.text(), report(7, &aborted()));
    live.finish(&totals()).unwrap();
    assert!(buffer.text().contains("1 connection: 1 aborted"));
}

#[test]
fn nothing_hostile_reaches_the_terminal() {
    let text = report(0, &hostile_summary());
    assert_safe(&text);
    assert!(!text.contains("c2VjcmV0") && !text.contains("s3cr3t") && !text.contains("hunter2"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() < 2 * 160 + 40), "{text}");
    golden("report-hostile.txt", &text);
    let mut overview = Overview::default();
    overview.add(&identity(), &hostile_summary());
    overview.add(&identity(), &summary());
    assert_safe(&render_summary(&totals(), &overview, Style::default()));
}

#[test]
fn colours_are_all_that_a_style_adds() {
    let plain = report(3, &summary());
    let coloured = render_connection(&identity(), &summary(), Secrets::Redact, Style { color: true });
    assert_ne!(plain, coloured);
    let mut stripped = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once("\x1b[") {
        stripped += before;
        rest = after.split_once('m').unwrap().1;
    }
    assert_eq!(stripped + rest, plain);
}

#[test]
fn discarded_bytes_are_reported() {
    let totals = Totals { shed_times: 1, shed_bytes: 3 << 20, ..Totals::default() };
    let text = render_summary(&totals, &Overview::default(), Style::default());
    assert!(text.contains("3.00 MiB discarded (1 time) because the memory (--max-memory) was spent"), "{text}");
}

#[test]
fn an_empty_capture_says_so() {
    let buffer = SharedBuffer::default();
    let mut report = TextReport::new(buffer.clone(), Order::SummaryFirst, Secrets::Redact, Style::default());
    report.finish(&Totals::default()).unwrap();
    assert_eq!(buffer.text(), "0 packets, 0 B\n  websocket   no WebSocket connection\n\n");
}

#[test]
fn reports_that_wait_on_disk_come_back_in_order() {
    let buffer = SharedBuffer::default();
    let mut many = TextReport::new(buffer.clone(), Order::SummaryFirst, Secrets::Redact, Style::default());
    let long = report(0, &summary()).len();
    let count = (SPOOL_BYTES / long + 100) as u64;
    for number in (0..count).rev() {
        emit(&mut many, &numbered(number), None, What::Closed(&summary())).unwrap();
    }
    many.finish(&totals()).unwrap();
    let text = buffer.text();
    let numbers: Vec<u64> =
        text.lines().filter_map(|line| line.strip_prefix('#')?.split(' ').next()?.parse().ok()).collect();
    assert!(numbers.iter().copied().eq(0..count));
}

#[test]
fn hosts_are_bounded() {
    let mut overview = Overview::default();
    let mut connection = identity();
    let mut summary = midstream();
    summary.findings.clear();
    for port in 0..u16::MAX {
        connection.server.port = port;
        overview.add(&connection, &summary);
    }
    let text = render_summary(&totals(), &overview, Style::default());
    assert!(text.contains("65,535 connections") && text.contains("others ×65,530"), "{text}");
}

//! Content from the wire that wants to be more than content: it reaches no terminal, table or spreadsheet as it is.

use super::super::command::Folder;
use super::super::craft::{CLIENT, Capture, Conversation, Frame, Reply, SERVER, Upgrade, close_body};

/// What must not come out as it went in.
const EVIL: [&str; 12] = [
    "\u{1b}[31mred",
    "\u{1b}]0;title\u{7}",
    "\u{1b}]8;;http://evil.example\u{1b}\\link",
    "\u{9b}2J",
    "\u{202e}gnp.exe",
    "\u{2066}isolated\u{2069}",
    "zero\u{200b}width\u{feff}",
    "nul\0nul",
    "over\rwritten",
    "line\r\nforged: line",
    "back\u{8}\u{8}space\u{7f}",
    "\u{e0041}tag",
];
/// What a spreadsheet would take for a formula (OWASP, CSV injection).
const FORMULAS: [&str; 6] =
    ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1+1", "=HYPERLINK(\"http://evil.example\",\"x\")"];

/// Wherever text comes from the wire: target, fields, sub-protocol, Close reasons, payloads.
fn capture_of(evil: &str, port: u16) -> Capture {
    // Of what HTTP forbids in a head, the rest.
    let field: String = evil.chars().filter(|c| *c >= ' ' && *c != '\u{7f}' || *c == '\t').collect();
    let target: String = field.chars().filter(|c| *c > ' ').collect();
    let mut talk = Conversation::from_port(port);
    let request = Upgrade::new()
        .line(&format!("GET /{target} HTTP/1.1"))
        .set("Host", &field)
        .with("Origin", &field)
        .with("User-Agent", &field)
        .with("Sec-WebSocket-Protocol", &field)
        .with("Sec-WebSocket-Extensions", &field);
    let reply = Reply::new().with("Server", &field).with("Sec-WebSocket-Protocol", &field);
    talk.wait_ms(i64::from(port % 100)).connect().client(request.bytes()).server(reply.bytes());
    talk.client_frame(Frame::text(evil))
        .client_frame(Frame::binary(evil))
        .server_frame(Frame::ping(evil))
        .client_frame(Frame::pong(evil))
        .client_frame(Frame::new(8, close_body(1000, evil.as_bytes())))
        .server_frame(Frame::new(8, close_body(1000, evil.as_bytes())))
        .fin(SERVER)
        .fin(CLIENT);
    let mut refused = Conversation::from_port(port + 1000);
    let wrong = Upgrade::new().set("Sec-WebSocket-Version", &field).set("Sec-WebSocket-Key", &field);
    refused.wait_ms(i64::from(port % 100)).connect().client(wrong.bytes()).server(Reply::status(400).bytes());
    Capture::merge([talk.capture(), refused.capture()])
}

fn folder_of(evils: &[&str]) -> Folder {
    let captures = evils.iter().zip(40_000..).map(|(evil, port)| capture_of(evil, port));
    Folder::of(&Capture::merge(captures))
}

/// Text without anything that a terminal could take for an order.
#[track_caller]
fn is_tame(what: &str, bytes: &[u8]) {
    let text = core::str::from_utf8(bytes).unwrap_or_else(|error| panic!("{what}: {error}"));
    for c in text.chars() {
        let wild = c.is_control() && c != '\n'
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
            || matches!(c, '\u{e0000}'..='\u{e0fff}');
        assert!(!wild, "{what}: {c:?} in {text:?}");
    }
}

const TABLES: [&str; 4] = ["connections", "frames", "messages", "findings"];

#[test]
fn nothing_wild_comes_out() {
    for evil in EVIL {
        let folder = folder_of(&[evil]);
        for secrets in [&[][..], &["--show-secrets"]] {
            for report in [&["--report", "text"][..], &["--report", "json"], &["--follow"]] {
                let run = folder.run(["talk.pcap"].iter().chain(report).chain(secrets)).ok();
                is_tame(report[report.len() - 1], &run.stdout);
                is_tame("stderr", run.stderr.as_bytes());
                assert!(!run.stdout.is_empty());
            }
            for table in TABLES {
                for format in ["csv", "ndjson"] {
                    let option = format!("--{table}");
                    let args = ["talk.pcap", &option, "-", "--format", format];
                    let run = folder.run(args.iter().chain(secrets)).ok();
                    is_tame(&format!("{table}.{format}"), &run.stdout);
                }
            }
        }
    }
}

#[test]
fn rows_stay_rows() {
    let folder = folder_of(&EVIL);
    for table in TABLES {
        let option = format!("--{table}");
        let csv = folder.run(["talk.pcap", &option, "-", "--format", "csv"]).ok();
        let json = folder.run(["talk.pcap", &option, "-", "--format", "ndjson"]).ok();
        let rows = csv::Reader::from_reader(&*csv.stdout).records().inspect(|row| assert!(row.is_ok())).count();
        let objects = json.text().lines().inspect(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap();
        });
        assert_eq!(rows, objects.count(), "{table}");
        assert_eq!(csv.text().lines().count(), rows + 1, "{table}: a line each, even for tools that know no quotes");
    }
}

#[test]
fn json_gives_back_what_was_sent() {
    let folder = folder_of(&EVIL);
    let run = folder.run(["talk.pcap", "--messages", "-", "--format", "ndjson", "--payload", "full"]).ok();
    let texts: Vec<_> = run
        .text()
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|row| row["type"] == "text")
        .map(|row| row["text"].as_str().unwrap().to_owned())
        .collect();
    for evil in EVIL {
        assert!(texts.iter().any(|text| text == evil), "{evil:?}");
    }
}

#[test]
fn no_cell_is_a_formula() {
    for formula in FORMULAS {
        let folder = folder_of(&[formula]);
        for table in TABLES {
            let option = format!("--{table}");
            let run = folder.run(["talk.pcap", &option, "-", "--format", "csv", "--show-secrets"]).ok();
            for row in csv::Reader::from_reader(&*run.stdout).records() {
                for cell in &row.unwrap() {
                    assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{table}: {cell:?}");
                }
            }
        }
    }
}

#[test]
fn bytes_that_are_no_text() {
    let mut talk = Conversation::open();
    let raw: Vec<u8> = (0..=255).collect();
    talk.client_frame(Frame::text(&raw))
        .server_frame(Frame::binary(&raw))
        .server_frame(Frame::new(8, close_body(1000, &raw[..100])));
    let mut request = Upgrade::new().with("User-Agent", "@").bytes();
    let at = request.iter().rposition(|&byte| byte == b'@').unwrap();
    request[at] = 0xff;
    let mut other = Conversation::from_port(50_001);
    other.connect().client(request).server(Reply::new().bytes()).close();
    let folder = Folder::of(&Capture::merge([talk.capture(), other.capture()]));
    for args in [&["--report", "text"][..], &["--report", "json"], &["--follow"], &["--frames", "-", "--format", "csv"]]
    {
        is_tame(args[0], &folder.run(["talk.pcap"].iter().chain(args)).ok().stdout);
    }
    for (format, payload) in [("csv", "preview"), ("ndjson", "full")] {
        let args = ["talk.pcap", "--connections", "-", "--format", format, "--payload", payload];
        is_tame(format, &folder.run(args).ok().stdout);
    }
}

#[test]
fn very_long_fields() {
    let mut talk = Conversation::from_port(40_000);
    let long = "x".repeat(20_000);
    let request = Upgrade::new().line(&format!("GET /{long} HTTP/1.1")).with("User-Agent", &long);
    talk.connect().client(request.bytes()).server(Reply::new().bytes()).close();
    let folder = Folder::of(&talk.capture());
    let report = folder.run(["talk.pcap"]).ok();
    assert!(report.text().lines().all(|line| line.len() < 30_000));
    let table = folder.run(["talk.pcap", "--connections", "-", "--format", "ndjson"]).ok();
    let row: serde_json::Value = serde_json::from_str(table.text().lines().next().unwrap()).unwrap();
    assert_eq!(row["user_agent"].as_str().unwrap().len(), 20_000, "tables keep all of it");
}

#[test]
fn secrets_are_redacted_unless_asked_for() {
    let request = Upgrade::new()
        .line("GET /chat?room=7&access_token=hunter2hunter2hunter2 HTTP/1.1")
        .with("Cookie", "session=c00k1e-c00k1e-c00k1e")
        .with("Authorization", "Basic dXNlcjpwYXNzd29yZA==");
    let mut talk = Conversation::upgraded(&request, &Reply::new());
    let folder = Folder::of(&talk.client_frame(Frame::text("hello")).close().capture());
    let secrets = ["hunter2hunter2hunter2", "c00k1e-c00k1e-c00k1e", "dXNlcjpwYXNzd29yZA=="];
    for args in [
        &["--report", "text"][..],
        &["--report", "json"],
        &["--follow"],
        &["--connections", "-", "--format", "csv"],
        &["--connections", "-", "--format", "ndjson"],
    ] {
        let run = folder.run(["talk.pcap"].iter().chain(args)).ok();
        for secret in secrets {
            assert!(!run.text().contains(secret), "{args:?}: {secret}");
        }
    }
    let row = folder.run(["talk.pcap", "--connections", "-", "--format", "csv"]).ok();
    assert!(row.text().contains("room=7"), "what is no secret stays: {}", row.text());
    let shown = folder.run(["talk.pcap", "--connections", "-", "--format", "csv", "--show-secrets"]).ok();
    assert!(shown.text().contains(secrets[0]));
}

//! Content from the wire that wants to be more than content: it reaches no terminal, table or spreadsheet as it is.

use super::super::command::Folder;
use crate::common::{CLIENT, Capture, Conversation, Frame, Reply, SERVER, Upgrade, close_body};

/// What must not come out as it went in.
const EVIL: [&str; 15] = [
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
    "\u{1b}P+q544e\u{1b}\\\u{1b}_apc\u{1b}\\\u{1b}[201~paste",
    "\u{ad}soft\u{34f}\u{115f}\u{180e}\u{3164}filler\u{fffe}",
    r#"{"lone":"\ud800","pair":"\ud83e\udd80","low":"\udc00"}"#,
];
/// What a spreadsheet would take for a formula (OWASP, CSV injection).
const FORMULAS: [&str; 13] = [
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "=HYPERLINK(\"http://evil.example\",\"x\")",
    "\u{ff1d}1+1",
    "\u{ff0b}1",
    "\u{ff0d}1",
    "\u{ff20}SUM(A1)",
    "\"=1+1",
];

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
    // What was not offered is quoted in a finding.
    let unasked = Reply::new()
        .with("Sec-WebSocket-Protocol", &format!("x{field}"))
        .with("Sec-WebSocket-Extensions", &format!("x{field}"))
        .set("Sec-WebSocket-Accept", &field);
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
    let refusal = Reply::status(400).with("Location", &field).with("Sec-WebSocket-Version", &field).with("Via", &field);
    let refusal = [format!("HTTP/1.1 400 {field}\r\n").as_bytes(), after_line(&refusal.bytes())].concat();
    refused.wait_ms(i64::from(port % 100)).connect().client(wrong.bytes()).server(refusal);
    let mut other = Conversation::from_port(port + 2000);
    other.wait_ms(i64::from(port % 100)).connect().client(request.bytes()).server(unasked.bytes());
    // All that HTTP forbids as well, but for what ends a line: nobody should send it, and somebody may.
    let raw: String = evil.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    let mut wild = Conversation::from_port(port + 3000);
    let request = Upgrade::new().set("Host", &raw).with("Origin", &raw).with("User-Agent", &raw).with("Via", &raw);
    let reply = Reply::new().with("Server", &raw).with("Sec-WebSocket-Protocol", &raw);
    wild.wait_ms(i64::from(port % 100)).connect().client(request.bytes()).server(reply.bytes());
    wild.client_frame(Frame::text(evil));
    Capture::merge([talk.capture(), refused.capture(), other.capture(), wild.capture()])
}

/// A head without its first line.
fn after_line(head: &[u8]) -> &[u8] {
    let end = head.windows(2).position(|two| two == b"\r\n").unwrap();
    &head[end + 2..]
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
                    let formula =
                        ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];
                    assert!(!cell.starts_with(formula), "{table}: {cell:?}");
                }
            }
        }
    }
}

#[test]
fn bytes_that_are_no_text() {
    let mut talk = Conversation::open();
    // Every byte; and surrogates, overlong forms and beyond the end, as UTF-8 would write them if it could.
    let mut raw: Vec<u8> = (0..=255).collect();
    raw.extend(b"\xed\xa0\x80\xed\xb0\x80\xc0\x9b[2J\xe0\x80\x9b\xf4\x90\x80\x80\xf8\x80\x80\x80\x80");
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
    let long = "x".repeat(6_000);
    let lists = format!("{long}, {long}");
    let request = Upgrade::new()
        .line(&format!("GET /{long} HTTP/1.1"))
        .set("Host", &long)
        .with("Origin", &long)
        .with("User-Agent", &long)
        .with("Via", &long)
        .with("Sec-WebSocket-Protocol", &lists)
        .with("Sec-WebSocket-Extensions", &lists);
    let reply = Reply::new().with("Server", &long).with("Sec-WebSocket-Protocol", &format!("y{long}"));
    let mut talk = Conversation::from_port(40_000);
    talk.connect().client(request.bytes()).server(reply.with("Sec-WebSocket-Extensions", &format!("y{long}")).bytes());
    let body = "\u{202e}".repeat(100_000);
    talk.send_pieces(CLIENT, &Frame::text(&body).bytes(CLIENT), 1_400);
    talk.client_frame(Frame::new(8, close_body(4000, long.as_bytes())));
    let mut refused = Conversation::from_port(40_001);
    let refusal = [format!("HTTP/1.1 400 {long}\r\n").as_bytes(), after_line(&Reply::status(400).bytes())].concat();
    refused.connect().client(Upgrade::new().with("Origin", &long).bytes()).server(refusal);
    let folder = Folder::of(&Capture::merge([talk.capture(), refused.capture()]));
    for report in [&["--report", "text"][..], &["--follow"]] {
        let run = folder.run(["talk.pcap"].iter().chain(report)).ok();
        // A line shows at most some hundred characters, of which an escape has eight.
        let longest = run.text().lines().map(str::len).max().unwrap();
        assert!(longest < 3_000, "{report:?}: {longest}");
    }
    let args = ["talk.pcap", "--connections", "-", "--format", "ndjson"];
    let table = folder.run(args).ok();
    let rows: Vec<serde_json::Value> = table.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let row = rows.iter().find(|row| row["status"] == 101).unwrap();
    for name in ["user_agent", "origin", "host"] {
        assert_eq!(row[name].as_str().unwrap().len(), 6_000, "tables keep all of it: {name}");
    }
    let args = ["talk.pcap", "--messages", "-", "--format", "ndjson", "--payload", "full"];
    let texts = folder.run(args).ok();
    assert!(texts.text().lines().any(|line| {
        serde_json::from_str::<serde_json::Value>(line).unwrap()["text"].as_str().is_some_and(|text| text == body)
    }));
}

/// File names, labels, interfaces and filters may come from others, too.
#[test]
fn what_a_user_names_is_escaped() {
    let evil = "\u{1b}[31m\u{202e}\n=x";
    let folder = folder_of(&[]);
    let file = format!("{evil}.pcap");
    folder.put(&file, "no capture");
    folder.put("talk.pcap", capture_of("x", 40_000).pcap());
    let missing = format!("{evil}-missing.pcap");
    let table = format!("no/{evil}.csv");
    let follow = format!("--follow={evil}");
    let mut runs = vec![
        vec![file.as_str()],
        vec![missing.as_str()],
        vec!["talk.pcap", "--frames", &table],
        vec!["talk.pcap", "--frames", evil],
        vec!["talk.pcap", &follow],
        vec!["explain", evil],
    ];
    if cfg!(feature = "live") {
        runs.extend([vec!["talk.pcap", "--bpf", evil], vec!["live", evil]]);
        if cfg!(unix) {
            runs.push(vec!["live", "lo", "--user", evil]);
        }
    }
    for args in runs {
        let run = folder.run(&args);
        assert_eq!(run.status, Some(2), "{args:?}: {}", run.stderr);
        is_tame(&format!("{args:?}"), run.stderr.as_bytes());
    }
    for format in ["csv", "ndjson"] {
        for table in TABLES {
            let option = format!("--{table}");
            let run = folder.run(["talk.pcap", &option, "-", "--format", format, "--capture", evil]).ok();
            is_tame(table, &run.stdout);
        }
    }
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

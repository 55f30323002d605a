//! A sub-protocol reader that a user of the library writes: what it is promised, one test for each promise.

use core::num::NonZeroUsize;
use core::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use wslens::analyzer::shards::{self, Job, Workers};
use wslens::analyzer::{Analyzer, Demand, Options};
use wslens::capture::Input;
use wslens::event::Message;
use wslens::subprotocol::{Notes, Reader};
use wslens::types::{Detail, Direction, FindingCode, Limits};

use crate::common::{
    CLIENT, Capture, Conversation, FindingRecord, Frame, MessageRecord, Recorder, Reply, Row, SERVER, Upgrade,
};

/// What readers saw, in order.
type Log = Arc<Mutex<Vec<String>>>;

/// Writes down all that it sees, keeps every content, and adds a summary and findings.
struct Keeper {
    log: Log,
    kept: Vec<u8>,
}

impl Reader for Keeper {
    fn content_bytes(&self) -> u64 {
        u64::MAX
    }

    fn message(&mut self, direction: Direction, message: &Message<'_>, notes: &mut Notes) {
        let text = String::from_utf8_lossy(message.content);
        let complete = if message.complete { "" } else { ", incomplete" };
        let kind = message.opcode.name();
        self.log.lock().unwrap().push(format!("{} {} {kind} {text}{complete}", message.number, direction.as_str()));
        self.kept.extend(message.content);
        notes.summarize(format_args!("{} bytes so far", self.kept.len()));
        if message.content == b"bad" {
            notes.find(FindingCode::ReservedOpcode, Detail::Fixed("the reader says so"));
        }
    }

    fn gap(&mut self, direction: Direction, _: &mut Notes) {
        self.log.lock().unwrap().push(format!("gap {}", direction.as_str()));
    }

    fn end(&mut self, notes: &mut Notes) {
        self.log.lock().unwrap().push("end".to_owned());
        if self.kept.ends_with(b"unfinished") {
            notes.find(FindingCode::UnansweredPing, Detail::Fixed("at the end"));
        }
    }

    fn held(&self) -> usize {
        self.kept.capacity()
    }

    fn shed(&mut self) {
        self.log.lock().unwrap().push(format!("shed {}", self.kept.len()));
        self.kept = Vec::new();
    }
}

/// Options with the recorder for connections of the sub-protocol `recorded`, and what it will see.
fn recorded(demand: Demand) -> (Options, Log) {
    let log = Log::default();
    let mut options = Options { demand, ..Options::default() };
    let shared = Arc::clone(&log);
    options.readers.add(move |handshake| {
        let response = handshake.response.as_ref()?;
        let recorder = Keeper { log: Arc::clone(&shared), kept: Vec::new() };
        (response.subprotocol.as_deref() == Some("recorded")).then(|| Box::new(recorder) as Box<dyn Reader>)
    });
    (options, log)
}

fn handshake() -> (Upgrade, Reply) {
    let name = "Sec-WebSocket-Protocol";
    (Upgrade::new().with(name, "recorded"), Reply::new().with(name, "recorded"))
}

/// A conversation of the sub-protocol, after its handshake: packets 1 to 5.
fn open() -> Conversation {
    let (upgrade, reply) = handshake();
    Conversation::upgraded(&upgrade, &reply)
}

/// The same from another client.
fn open_from(port: u16) -> Conversation {
    let (upgrade, reply) = handshake();
    let mut talk = Conversation::from_port(port);
    talk.connect().client(upgrade.bytes()).server(reply.bytes());
    talk
}

/// Messages, findings and ends as a sink gets them, in order, a line each.
fn lines(recorder: &Recorder) -> Vec<String> {
    let line = |row: Row| match row {
        Row::Message(message) => {
            let MessageRecord { connection, number, content_whole, codes, .. } = &message;
            let (content, summary) = (String::from_utf8_lossy(&message.content), message.summary.as_deref());
            let summary = summary.unwrap_or("-");
            Some(format!("{connection}: message {number} {content:?} {content_whole} {summary} {codes:?}"))
        }
        Row::Finding(FindingRecord { connection, code, message, detail, .. }) => {
            Some(format!("{connection}: finding {code} of {message:?}: {detail}"))
        }
        Row::Closed(connection, closed) => Some(format!("{connection}: closed {:?}", closed.codes())),
        _ => None,
    };
    recorder.rows().into_iter().filter_map(line).collect()
}

fn run(capture: &Capture, options: &Options) -> Vec<String> {
    let (mut analyzer, mut recorder) = (Analyzer::new(options), Recorder::default());
    recorder.feed(&mut analyzer, capture);
    recorder.finish(&mut analyzer);
    lines(&recorder)
}

fn seen(talk: &Conversation) -> Vec<String> {
    let (options, log) = recorded(Demand::default());
    run(&talk.capture(), &options);
    log.lock().unwrap().clone()
}

#[test]
fn messages_of_both_directions_in_order_and_then_the_end() {
    let mut talk = open();
    talk.client_frame(Frame::text("one"))
        .server_frame(Frame::text("two").more())
        .client_frame(Frame::ping("three"))
        .server_frame(Frame::pong("three"))
        .server_frame(Frame::continuation(" and a half"))
        .client_frame(Frame::binary("four"))
        .close();
    let expected = [
        "0 c2s text one",
        "1 c2s ping three",
        "2 s2c pong three",
        "3 s2c text two and a half",
        "4 c2s binary four",
        "5 c2s close \u{3}\u{fffd}",
        "6 s2c close \u{3}\u{fffd}",
        "end",
    ];
    assert_eq!(seen(&talk), expected);
}

#[test]
fn compressed_content_comes_inflated() {
    let name = "Sec-WebSocket-Extensions";
    let (upgrade, reply) = handshake();
    let (upgrade, reply) = (upgrade.with(name, "permessage-deflate"), reply.with(name, "permessage-deflate"));
    let mut talk = Conversation::upgraded(&upgrade, &reply);
    talk.server_frame(Frame::text(crate::common::Deflater::new(true).message("aaaaaaaaaaaaaaaa")).compressed());
    assert_eq!(seen(&talk), ["0 s2c text aaaaaaaaaaaaaaaa", "end"]);
}

#[test]
fn a_gap_between_messages_is_shown_where_it_is() {
    let mut talk = open();
    talk.server_frame(Frame::text("before"));
    talk.lost(SERVER, 100);
    for n in 0..40 {
        talk.server_frame(Frame::text(format!("after {n:03}, with a few more words")));
    }
    talk.client_frame(Frame::text("the other way")).close();
    let mut seen = seen(&talk);
    assert_eq!(seen.iter().filter(|line| line.starts_with("gap")).count(), 1, "the other direction has none");
    // That goes on while TCP waits for the missing bytes.
    seen.retain(|line| line.contains("s2c"));
    let at = seen.iter().position(|line| line == "gap s2c").unwrap();
    assert_eq!(seen[at - 1], "0 s2c text before", "{seen:?}");
    assert!(seen[at + 1].contains("s2c text after 0"), "{seen:?}");
    // Within a message it is no gap between messages.
    let mut talk = open();
    let [head, tail] = [Frame::text("0123456789").bytes(SERVER)[..6].to_vec(), b"9".to_vec()];
    talk.server(head).lost(SERVER, 5).server(tail).server_frame(Frame::text("next"));
    assert_eq!(self::seen(&talk), ["0 s2c text 01239, incomplete", "1 s2c text next", "end"]);
}

#[test]
fn a_head_that_was_cut_off_is_a_gap_at_the_beginning() {
    let (upgrade, reply) = handshake();
    let mut talk = Conversation::connected();
    let reply = reply.with("X-Long", &"x".repeat(600)).bytes();
    talk.client(upgrade.bytes()).server(&reply);
    let cut = talk.capture().packets.last().unwrap().bytes.len() - 100;
    for n in 0..40 {
        talk.server_frame(Frame::text(format!("after {n:03}, with a few more words")));
    }
    let (options, log) = recorded(Demand::default());
    run(&talk.capture().snapped(cut), &options);
    let seen = log.lock().unwrap().clone();
    assert_eq!(seen[0], "gap s2c", "{seen:?}");
    assert!(seen[1].starts_with("0 s2c text after 0"), "{seen:?}");
}

#[test]
fn its_state_is_counted_and_shed() {
    let (options, log) = recorded(Demand::default());
    let limits = Limits { max_memory_bytes: 4 << 20, ..Limits::default() };
    let (mut analyzer, mut rows) = (Analyzer::new(&Options { limits, ..options.clone() }), Recorder::default());
    let mut talk = open();
    talk.server_frame(Frame::text("x"));
    rows.feed(&mut analyzer, &talk.capture());
    let before = analyzer.held();
    let mut sent = 0;
    while log.lock().unwrap().iter().all(|line| !line.starts_with("shed")) {
        talk.forget();
        talk.server_frame(Frame::binary([b'y'; 60_000]));
        rows.feed(&mut analyzer, &talk.capture());
        sent += 60_000;
        assert!(analyzer.held() <= 4 << 20, "never more than may be");
        let shed = log.lock().unwrap().iter().any(|line| line.starts_with("shed"));
        assert!(shed || analyzer.held() >= before + sent, "{} after {sent}", analyzer.held());
        assert!(sent < 8 << 20, "it is asked to shed");
    }
    assert!(analyzer.held() < before + sent / 2, "what it freed is counted no more: {}", analyzer.held());
}

#[test]
fn summaries_go_with_the_messages_and_content_as_the_sink_wants_it() {
    let mut talk = open();
    talk.client_frame(Frame::text("12345"))
        .server_frame(Frame::text("bad").more())
        .server_frame(Frame::continuation("?"));
    let rows = |content_bytes| {
        let (options, _) = recorded(Demand { content_bytes, ..Demand::default() });
        run(&talk.capture(), &options)
    };
    let whole = ["0: message 0 \"12345\" true 5 bytes so far []", "0: message 1 \"bad?\" true 9 bytes so far []"];
    assert_eq!(rows(u64::MAX)[..2], whole);
    let some = ["0: message 0 \"123\" false 5 bytes so far []", "0: message 1 \"bad\" false 9 bytes so far []"];
    assert_eq!(rows(3)[..2], some);
    let none = ["0: message 0 \"\" false 5 bytes so far []", "0: message 1 \"\" false 9 bytes so far []"];
    assert_eq!(rows(0)[..2], none);
}

#[test]
fn its_findings_come_before_their_message_and_stay_with_the_connection() {
    let mut talk = open();
    talk.client_frame(Frame::text("good")).server_frame(Frame::text("bad")).client_frame(Frame::text("unfinished"));
    let (options, _) = recorded(Demand { content_bytes: u64::MAX, ..Demand::default() });
    let expected = [
        "0: message 0 \"good\" true 4 bytes so far []",
        "0: finding reserved_opcode of Some(1): the reader says so",
        "0: message 1 \"bad\" true 7 bytes so far [\"reserved_opcode\"]",
        "0: message 2 \"unfinished\" true 17 bytes so far []",
        "0: finding unanswered_ping of None: at the end",
        "0: closed [\"reserved_opcode\", \"unanswered_ping\"]",
    ];
    assert_eq!(run(&talk.capture(), &options), expected);
}

#[test]
fn connections_of_other_sub_protocols_are_not_read() {
    let mut other = Conversation::open();
    other.client_frame(Frame::text("bad"));
    assert_eq!(seen(&other), [] as [&str; 0]);
    let (options, _) = recorded(Demand { content_bytes: u64::MAX, ..Demand::default() });
    assert_eq!(run(&other.capture(), &options), ["0: message 0 \"bad\" true - []", "0: closed []"]);
}

#[test]
fn however_the_stream_is_cut() {
    let bytes = |frames: &[Frame], from| frames.iter().flat_map(|frame| frame.bytes(from)).collect::<Vec<_>>();
    let client = bytes(&[Frame::text("one"), Frame::ping("p"), Frame::text("bad"), Frame::binary([7; 300])], CLIENT);
    let server =
        bytes(&[Frame::text("two").more(), Frame::pong("p"), Frame::continuation("!"), Frame::text("bad")], SERVER);
    let cut = |size: usize| {
        let mut talk = open();
        talk.send_pieces(CLIENT, &client, size).send_pieces(SERVER, &server, size).close();
        let (options, log) = recorded(Demand { content_bytes: u64::MAX, ..Demand::default() });
        let rows = run(&talk.capture(), &options);
        let log = log.lock().unwrap().clone();
        (rows, log)
    };
    let whole = cut(10_000);
    assert_eq!(whole.1.len(), 10, "{:?}", whole.1);
    for size in 1..20 {
        assert_eq!(cut(size), whole, "in pieces of {size}");
    }
}

#[test]
fn several_workers_read_the_same() {
    let talks = (1..20).map(|n| {
        let mut talk = open_from(5000 + n);
        talk.client_frame(Frame::text(format!("from {n}"))).server_frame(Frame::text("bad")).close();
        talk.capture()
    });
    let capture = Capture::merge(talks);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), capture.pcap()).unwrap();
    let read = |workers: usize| {
        let (options, log) = recorded(Demand { content_bytes: u64::MAX, ..Demand::default() });
        let (input, mut rows) = (Input::open(&[file.path()]).unwrap(), Recorder::default());
        let job = Job::new(&options, Workers::new(NonZeroUsize::new(workers).unwrap()));
        let Ok(outcome) = shards::read(input, job, &mut rows, |_| ControlFlow::Continue(()));
        assert!(outcome.is_some());
        let count = log.lock().unwrap().len();
        (lines(&rows), count)
    };
    let one = read(1);
    assert_eq!((one.0.iter().filter(|row| row.contains("bytes so far")).count(), one.1), (19 * 4, 19 * 5));
    assert_eq!(read(3), one);
}

#[test]
fn only_the_connections_that_are_read_keep_their_content() {
    const CONNECTIONS: u16 = 1000;
    const BYTES: usize = 20_000;
    let held = |read: &dyn Fn(u16) -> bool| {
        let (options, _) = recorded(Demand::default());
        let (mut analyzer, mut rows) = (Analyzer::new(&options), Recorder::default());
        for port in 2000..2000 + CONNECTIONS {
            let mut talk = if read(port) { open_from(port) } else { Conversation::from_port(port) };
            if !read(port) {
                talk.connect().client(Upgrade::new().bytes()).server(Reply::new().bytes());
            }
            talk.server_frame(Frame::binary([7; BYTES]).more());
            rows.feed(&mut analyzer, &talk.capture());
        }
        analyzer.held()
    };
    let none = held(&|_| false);
    let one = held(&|port| port == 2500);
    let all = held(&|_| true);
    assert!(all > none + usize::from(CONNECTIONS) * BYTES, "{all}");
    assert!((none + BYTES..none + 4 * BYTES).contains(&one), "{one}, {none} without");
}

/// Readers, checks and sinks see all frames, messages and summaries since there is one place where each is made.
#[test]
fn frames_messages_and_summaries_are_built_in_one_place_each() {
    fn walk(folder: &std::path::Path, built: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                // Threads hand messages of their own to each other.
                if !path.ends_with("shards") {
                    walk(&path, built);
                }
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            for line in code.take_while(|line| !line.starts_with("#[cfg(test)]")) {
                let is_literal = |name: &str| {
                    let Some((before, _)) = line.split_once(&format!("{name} {{")) else { return false };
                    let word = before.trim_end().rsplit(|c: char| !c.is_alphanumeric()).next().unwrap();
                    !before.ends_with(char::is_alphanumeric) && !["struct", "impl", "for", "enum"].contains(&word)
                };
                let names = ["Frame", "Message", "Summary"];
                built.extend(
                    names
                        .iter()
                        .filter(|name| is_literal(name))
                        .map(|name| format!("{name} in {}", path.file_name().unwrap().to_string_lossy())),
                );
            }
        }
    }
    let mut built = Vec::new();
    walk(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/analyzer"), &mut built);
    built.sort();
    assert_eq!(built, ["Frame in conversation.rs", "Message in conversation.rs", "Summary in conversation.rs"]);
}

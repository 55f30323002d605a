//! Hostile captures stay within bounds: each is written into the command's standard input, which stays open until the
//! command has read all of it, so that its greatest resident size can be asked for at leisure.
//!
//! The captures are as long as they need to be to break a promise: each makes far more than its bound, if kept.

#[path = "memory/http2.rs"]
mod http2;

use std::io::Write;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use super::command::command;
use crate::common::{
    ACK, CLIENT, Capture, Conversation, Deflater, Frame, PSH, Reply, SERVER, SYN, Upgrade, address, pcap_head,
    pcap_record,
};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// What the command may have besides what an attack makes it keep: itself, read-ahead blocks, tables of inflaters.
const BASE: usize = 16 * MIB;

/// Writes a capture, a few packets at a time.
struct Feed<'w> {
    to: &'w mut dyn Write,
    bytes: u64,
}

impl Feed<'_> {
    /// Writes what a conversation sent so far, which then forgets it.
    fn conversation(&mut self, talk: &Conversation) {
        self.capture(&talk.capture());
    }

    fn capture(&mut self, capture: &Capture) {
        let mut records = Vec::new();
        for packet in &capture.packets {
            records.extend(pcap_record(packet));
        }
        self.bytes += records.len() as u64;
        self.to.write_all(&records).unwrap();
    }
}

/// Reads a capture with tables and reports on and says how much memory that took at most, in bytes.
#[track_caller]
fn peak(options: &[&str], feed: impl FnOnce(&mut Feed<'_>)) -> usize {
    // Two outputs may not be one file, so it has two names here.
    let outputs = ["--frames", "/dev/null", "--messages", "/dev/../dev/null"];
    let format: &[&str] = if options.contains(&"--format") { &[] } else { &["--format", "csv"] };
    let mut child = command()
        .args(["read", "-"])
        .args(outputs)
        .args(format)
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&pcap_head()).unwrap();
    let mut fed = Feed { to: &mut stdin, bytes: 0 };
    feed(&mut fed);
    let id = child.id();
    wait_until_idle(id);
    let peak = greatest_size(id).expect("it still runs");
    drop(stdin);
    assert!(child.wait().unwrap().success());
    peak
}

/// Waits until the command has read all that there is: no processor time goes by any more.
fn wait_until_idle(id: u32) {
    let ticks = || {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
        let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().map(str::to_owned).collect();
        (fields[11].clone(), fields[12].clone(), fields[0].clone())
    };
    let mut before = ticks();
    let mut quiet = 0;
    while quiet < 5 {
        thread::sleep(Duration::from_millis(60));
        let now = ticks();
        assert_ne!(now.2, "Z", "it ended before its input did");
        quiet = if now == before && now.2 == "S" { quiet + 1 } else { 0 };
        before = now;
    }
}

/// The greatest resident size of a process so far.
fn greatest_size(id: u32) -> Option<usize> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<usize>().ok()? * KIB)
}

/// An attack takes no more than the base and `bound`.
#[track_caller]
fn stays_below(bound: usize, feed: impl FnOnce(&mut Feed<'_>)) {
    stays_below_with(&[], bound, feed);
}

/// The same with options.
#[track_caller]
fn stays_below_with(options: &[&str], bound: usize, feed: impl FnOnce(&mut Feed<'_>)) {
    if !std::path::Path::new("/proc/self/status").exists() {
        super::common::skip::skip("/proc");
        return;
    }
    let peak = peak(options, feed);
    println!("{} KiB at most", peak / KIB);
    assert!(peak <= BASE + bound, "{} MiB, more than {} MiB", peak / MIB, (BASE + bound) / MIB);
}

/// Bytes from one side without end, a megabyte at a time, after what a conversation did so far.
fn endless(feed: &mut Feed<'_>, talk: &mut Conversation, from: wslens::types::Role, bytes: &[u8], total: usize) {
    let mut sent = 0;
    while sent < total {
        for piece in bytes.chunks(32_000) {
            talk.send(from, piece);
            sent += piece.len();
        }
        talk.ack(if from == CLIENT { SERVER } else { CLIENT });
        feed.conversation(talk);
        talk.forget();
    }
}

#[test]
fn nothing_takes_little() {
    stays_below(0, |feed| feed.conversation(Conversation::open().close()));
}

#[test]
fn connections_that_only_begin() {
    // A table entry each: 200,000 of up to 256 bytes and their share of a hash table that grows by doubling.
    stays_below(200_000 * 400, |feed| {
        for number in 0..200_000_u32 {
            let [_, a, b, c] = number.to_be_bytes();
            let mut talk = Conversation::between(address([10, a, b, c], 50_000), address([10, 255, 0, 1], 80));
            feed.conversation(talk.segment(CLIENT, SYN, &[]));
        }
    });
}

#[test]
fn segments_that_come_too_early() {
    // Connections whose first byte never comes, with 8 MiB behind it each; bytes that look like no frame.
    stays_below(4 * 4 * MIB + 4 * MIB, |feed| {
        for port in 0..4 {
            let mut talk = Conversation::from_port(40_000 + port);
            talk.connect().client(Upgrade::new().bytes()).server(Reply::new().bytes());
            for piece in 0..256 {
                talk.raw(CLIENT, 1 + piece * 32_000, PSH | ACK, &[0x73; 32_000]);
            }
            feed.conversation(&talk);
        }
    });
    // In single bytes, every second one missing.
    stays_below(4 * MIB, |feed| {
        let mut talk = Conversation::open();
        for piece in 0..100_000 {
            talk.raw(CLIENT, 1 + piece * 2, PSH | ACK, b"x");
        }
        feed.conversation(&talk);
    });
}

#[test]
fn heads_without_end() {
    let line = format!("X-Filler: {}\r\n", "x".repeat(9_980));
    for from in [CLIENT, SERVER] {
        stays_below(MIB, |feed| {
            let mut talk = Conversation::connected();
            match from {
                CLIENT => talk.client("GET / HTTP/1.1\r\n"),
                SERVER => talk.client(Upgrade::new().bytes()).server("HTTP/1.1 101 Switching Protocols\r\n"),
            };
            endless(feed, &mut talk, from, line.repeat(100).as_bytes(), 64 * MIB);
        });
    }
    // One line without end.
    stays_below(MIB, |feed| {
        let mut talk = Conversation::connected();
        talk.client("GET /");
        endless(feed, &mut talk, CLIENT, &vec![b'a'; MIB], 64 * MIB);
    });
}

#[test]
fn a_body_without_end() {
    stays_below(MIB, |feed| {
        let mut talk = Conversation::connected();
        talk.client("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            .server("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        endless(feed, &mut talk, SERVER, b"5\r\nhello\r\n".repeat(100_000).as_slice(), 64 * MIB);
    });
}

#[test]
fn requests_without_answers() {
    stays_below(4 * MIB, |feed| {
        let mut talk = Conversation::connected();
        let requests = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(30_000);
        endless(feed, &mut talk, CLIENT, &requests, 32 * MIB);
    });
    // Each asks for a WebSocket.
    stays_below(4 * MIB, |feed| {
        let mut talk = Conversation::connected();
        endless(feed, &mut talk, CLIENT, &Upgrade::new().bytes().repeat(5_000), 32 * MIB);
    });
}

#[test]
fn frames_before_the_answer() {
    stays_below(8 * MIB, |feed| {
        let mut talk = Conversation::connected();
        talk.client(Upgrade::new().bytes());
        let frames = Frame::binary(vec![7; 1000]).bytes(CLIENT).repeat(1000);
        endless(feed, &mut talk, CLIENT, &frames, 64 * MIB);
        talk.server(Reply::new().bytes());
        feed.conversation(&talk);
    });
    // In segments of a byte.
    stays_below(4 * MIB, |feed| {
        let mut talk = Conversation::connected();
        talk.client(Upgrade::new().bytes()).send_pieces(CLIENT, &[0; 500_000], 1);
        feed.conversation(&talk);
    });
}

#[test]
fn fragments_without_end() {
    // Rows of its frames wait for the message's number: up to 16 MiB of them, and what a buffer that grows costs.
    for payload in [0, 1, 1000] {
        stays_below(40 * MIB, |feed| {
            let mut talk = Conversation::open();
            talk.server_frame(Frame::text("x").more());
            let fragment = Frame::continuation(vec![b'x'; payload]).more().bytes(SERVER);
            endless(feed, &mut talk, SERVER, &fragment.repeat(1_000_000 / fragment.len()), (2 + payload / 100) * MIB);
        });
    }
}

#[test]
fn a_length_that_never_comes() {
    for len in [1 << 40, (1 << 63) - 1, u64::MAX] {
        stays_below(4 * MIB, |feed| {
            let mut talk = Conversation::open();
            talk.client_frame(Frame::text("x").declared(len));
            endless(feed, &mut talk, CLIENT, &vec![b'a'; MIB], 64 * MIB);
        });
    }
}

#[test]
fn pings_that_nobody_answers() {
    stays_below(16 * MIB, |feed| {
        let mut talk = Conversation::open();
        let pings = Frame::ping(vec![b'p'; 125]).bytes(CLIENT).repeat(8000);
        endless(feed, &mut talk, CLIENT, &pings, 64 * MIB);
    });
}

#[test]
fn a_close_without_end() {
    stays_below(4 * MIB, |feed| {
        let mut talk = Conversation::open();
        talk.client_frame(Frame::new(8, vec![3, 232]).declared(1 << 40));
        endless(feed, &mut talk, CLIENT, &vec![b'r'; MIB], 64 * MIB);
    });
}

#[test]
fn findings_without_end() {
    stays_below(32 * MIB, |feed| {
        let mut talk = Conversation::open();
        let wrong = Frame::new(3, "x").rsv(7).width(8).unmasked().more().bytes(CLIENT).repeat(50_000);
        endless(feed, &mut talk, CLIENT, &wrong, 16 * MIB);
    });
}

#[test]
fn bombs() {
    let bomb = Deflater::new(true).message(vec![0; 64 * MIB]);
    assert!(bomb.len() < 80_000, "1 to 1000");
    // In each of 32 connections, of which nobody wants more than a preview.
    stays_below(16 * MIB, |feed| {
        let bytes = Frame::binary(&bomb).compressed().bytes(CLIENT);
        for port in 0..4 {
            let mut talk = Conversation::from_port(40_000 + port);
            let extension = ("Sec-WebSocket-Extensions", "permessage-deflate");
            talk.connect()
                .client(Upgrade::new().with(extension.0, extension.1).bytes())
                .server(Reply::new().with(extension.0, extension.1).bytes())
                .send_pieces(CLIENT, &bytes, 32_000);
            feed.conversation(&talk);
        }
    });
}

#[test]
fn many_connections_with_contexts() {
    // 48 KiB for each of 256 inflaters, 32 KiB of history and the connection itself for each of 1,000.
    stays_below(256 * 48 * KIB + 1000 * 96 * KIB, |feed| {
        let words: Vec<u8> = (0..8_000_u32).flat_map(|number| number.to_string().into_bytes()).collect();
        let bytes = Frame::binary(Deflater::new(true).message(words)).compressed().bytes(CLIENT);
        let extension = ("Sec-WebSocket-Extensions", "permessage-deflate");
        for port in 0..1000 {
            let mut talk = Conversation::from_port(20_000 + port);
            talk.connect()
                .client(Upgrade::new().with(extension.0, extension.1).bytes())
                .server(Reply::new().with(extension.0, extension.1).bytes())
                .send_pieces(CLIENT, &bytes, 32_000);
            feed.conversation(&talk);
        }
    });
}

/// Connections that each hold what one connection may hold; together they may not.
fn together(connections: u16, bound_mib: usize, per_connection: impl Fn(&mut Conversation)) {
    let limit = format!("{bound_mib}MiB");
    stays_below_with(&["--max-memory", &limit], bound_mib * MIB + 8 * MIB, |feed| {
        for port in 0..connections {
            let mut talk = Conversation::from_port(20_000 + port);
            talk.connect();
            per_connection(&mut talk);
            feed.conversation(&talk);
        }
    });
}

#[test]
fn early_segments_of_all_connections() {
    together(400, 32, |talk| {
        talk.client(Upgrade::new().bytes()).server(Reply::new().bytes());
        for piece in 0..8 {
            talk.raw(CLIENT, 1 + piece * 32_000, PSH | ACK, &[0x73; 32_000]);
        }
    });
}

#[test]
fn early_frames_of_all_connections() {
    let frames = Frame::binary(vec![7; 60_000]).bytes(CLIENT).repeat(8);
    together(400, 32, |talk| {
        talk.client(Upgrade::new().bytes()).send_pieces(CLIENT, &frames, 30_000).ack(SERVER);
    });
}

#[test]
fn heads_of_all_connections() {
    let head = format!("GET / HTTP/1.1\r\nX-Filler: {}", "x".repeat(60_000));
    together(1200, 8, |talk| {
        talk.client(&head);
    });
}

#[test]
fn open_messages_of_all_connections() {
    let fragment = Frame::binary(vec![7; 60_000]).more().bytes(CLIENT);
    let options = ["--max-memory", "32MiB", "--payload", "full", "--format", "ndjson"];
    stays_below_with(&options, 40 * MIB, |feed| {
        for port in 0..400 {
            let mut talk = Conversation::from_port(20_000 + port);
            talk.connect().client(Upgrade::new().bytes()).server(Reply::new().bytes()).client(&fragment);
            for _ in 0..3 {
                talk.client_frame(Frame::continuation(vec![8; 60_000]).more());
            }
            feed.conversation(talk.ack(SERVER));
        }
    });
}

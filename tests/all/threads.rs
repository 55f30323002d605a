//! However many workers there are, every byte of every output is the same; and nobody waits for ever.
//!
//! Batches are tiny here, so that each worker's things come to the merger one by one, in any order that threads can have.

use core::num::NonZeroUsize;
use core::ops::ControlFlow;
use std::io::{self, Cursor, Read as _, Write};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use wslens::analyzer::Options;
use wslens::analyzer::shards::{self, Job, ReadOutcome, Workers};
use wslens::capture::Input;
use wslens::event::{Event, Identity, Numbers, Totals, What};
use wslens::output::{
    Context, EventKinds, Follow, Format, JsonReport, Order, Output, Outputs, Payload, Secrets, Selection, Style,
    TableName, TableOptions, TextReport, Wants,
};
use wslens::types::{Direction, Limits, PacketRef};

use super::command::{Folder, command, small_capture};
use super::support::{Random, in_parallel, samples};
use crate::common::h2;
use crate::common::recorder::everything;
use crate::common::{
    ACK, CLIENT, Capture, Conversation, Frame, Reply, SERVER, SYN, Upgrade, Wire, address, pcap_head, pcap_record,
};

const COUNTS: [usize; 4] = [1, 2, 3, 7];

/// Where bytes go that are looked at afterwards.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Paper {
    fn text(&self) -> String {
        String::from_utf8(core::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How the workers have their packets.
#[derive(Clone, Copy)]
enum From<'a> {
    /// Each reads the file.
    File(&'a std::path::Path),
    /// They are dealt them.
    Stream(&'a [u8]),
}

/// Reads a capture, and writes it with these outputs.
fn read(from: From<'_>, options: &Options, count: usize, batch_packets: u64, mut outputs: Outputs<'_>) {
    let input = match from {
        From::File(path) => Input::open(&[path]).unwrap(),
        From::Stream(bytes) => Input::from_reader("stream", Box::new(Cursor::new(bytes.to_vec()))),
    };
    let workers = Workers { batch_bytes: 1, batch_packets, ..Workers::new(NonZeroUsize::new(count).unwrap()) };
    let watch = |_| ControlFlow::Continue(());
    let options = Options { demand: outputs.demand(), ..options.clone() };
    let outcome = shards::read(input, Job::new(&options, workers), &mut outputs, watch).unwrap();
    let ReadOutcome { totals, problems } = outcome.unwrap();
    assert!(problems.unreadable.is_none());
    outputs.finish(&totals).unwrap();
}

/// Writes a line for each call that it gets, packets included.
struct Recorder(Paper);

impl Output for Recorder {
    fn wants(&self) -> Wants {
        let all = [
            EventKinds::UPGRADED,
            EventKinds::REFUSED,
            EventKinds::FRAME,
            EventKinds::MESSAGE,
            EventKinds::FINDING,
            EventKinds::CLOSED,
            EventKinds::PACKET,
        ];
        Wants::events(all.into_iter().fold(EventKinds::NONE, EventKinds::and)).with_content(20).with_payload(20)
    }

    fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        let what = match event.what {
            What::Frame(frame) => format!("frame {} {:?}", frame.number, frame.message),
            What::Message(message) => format!("message {} {}", message.number, message.opcode),
            What::Finding(finding) => format!("finding {} {:?}", finding.code, finding.frame),
            What::Upgraded(_) => "upgraded".to_owned(),
            What::Refused(_) => "refused".to_owned(),
            What::Closed(summary) => format!("closed, {}", summary.outcome.as_str()),
            _ => panic!("another call is for packets"),
        };
        let Identity { number, tcp_stream, .. } = event.connection;
        writeln!(self.0, "{number} {tcp_stream:?} {what}, {:?}, packet {}", event.direction, event.seen.packet)
    }

    fn packet(&mut self, packet: PacketRef, direction: Option<Direction>, connection: Numbers) -> io::Result<()> {
        let Numbers { connection, tcp_stream } = connection;
        writeln!(self.0, "{connection} {tcp_stream:?} carried by packet {}, {direction:?}", packet.packet)
    }

    fn finish(&mut self, totals: &Totals) -> io::Result<()> {
        writeln!(self.0, "{} packets", totals.packets)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Every output there is, by name, and where it writes.
fn every_output() -> Vec<(String, Paper, Box<dyn Output>)> {
    let context = Context { payload: Payload::Full, ..Context::default() };
    let (secrets, style) = (Secrets::default(), Style::default());
    let mut all: Vec<(String, Paper, Box<dyn Output>)> = Vec::new();
    let mut add = |name: String, output: &dyn Fn(Paper) -> Box<dyn Output>| {
        let paper = Paper::default();
        all.push((name, paper.clone(), output(paper)));
    };
    let table_options = TableOptions { context: context.clone(), ..TableOptions::default() };
    for format in [Format::Csv, Format::Ndjson] {
        for table in TableName::ALL {
            add(format!("{format:?} {table:?}"), &|to| table.output(format, &table_options, to));
        }
    }
    let text = |to| TextReport::new(to, Order::SummaryFirst, secrets, style);
    add("text".to_owned(), &|to| Box::new(text(to)));
    add("json".to_owned(), &|to| Box::new(JsonReport::new(to, context.clone())));
    for selection in [Selection::All, Selection::Number(1)] {
        let name = format!("follow {selection:?}");
        add(name, &|to| Box::new(Follow::new(to, selection.clone(), secrets, style)));
    }
    add("recorder".to_owned(), &|to| Box::new(Recorder(to)));
    all
}

/// What every output writes of a capture, by name: all of them in one list; then some alone, since a list of one hands less to
/// the merger.
fn outputs(from: From<'_>, options: &Options, count: usize, batch_packets: u64) -> Vec<(String, String)> {
    let alone = ["Csv Frames", "text", "recorder"];
    let mut lists = vec![every_output()];
    lists.extend(alone.map(|name| every_output().into_iter().filter(|(known, ..)| known == name).collect()));
    let mut all = Vec::new();
    for list in lists {
        assert!(!list.is_empty());
        let (mut outputs, outputs_in_list) = (Outputs::new(), list.len());
        let mut papers = Vec::new();
        for (name, paper, output) in list {
            outputs.push(output);
            papers.push((format!("{name}, of {outputs_in_list}"), paper));
        }
        read(from, options, count, batch_packets, outputs);
        all.extend(papers.into_iter().map(|(name, paper)| (name, paper.text())));
    }
    all
}

/// One worker's outputs are those of several.
#[track_caller]
fn same(name: &str, from: From<'_>, options: &Options) {
    let alone = outputs(from, options, 1, 1);
    assert!(alone.iter().any(|(_, text)| !text.is_empty()), "{name}");
    for count in &COUNTS[1..] {
        for ((what, one), (_, many)) in alone.iter().zip(outputs(from, options, *count, *count as u64 % 3 + 1)) {
            let line = one.lines().zip(many.lines()).find(|(one, many)| one != many);
            assert_eq!(*one, many, "{name}: {what} with {count} workers; first of all {line:?}");
        }
    }
}

#[test]
fn samples_give_the_same() {
    in_parallel(&samples(), |sample| {
        same(&sample.name, From::File(&sample.capture), &everything());
        same(&sample.name, From::Stream(&sample.bytes()), &everything());
    });
}

/// One conversation of a few, with all that can happen on one.
fn conversation(random: &mut Random, port: u16) -> Capture {
    let mut talk = Conversation::from_port(port);
    talk.wait_ms(i64::try_from(random.below(40)).unwrap()).connect();
    let deflate = "permessage-deflate; client_no_context_takeover; server_no_context_takeover";
    for _ in 0..random.below(3) {
        // Refused, over a connection that is kept.
        talk.client(Upgrade::new().bytes()).server(Reply::status(403).with("Content-Length", "0").bytes());
    }
    match random.below(8) {
        // Something else altogether, or nothing.
        0 => _ = talk.client(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
        1 => _ = talk.fin(CLIENT),
        2 => _ = talk.client(Upgrade::new().bytes()),
        3 => {
            talk.client(Upgrade::new().with("Sec-WebSocket-Extensions", deflate).bytes());
            talk.server(Reply::new().with("Sec-WebSocket-Extensions", deflate).bytes());
        }
        _ => _ = talk.client(Upgrade::new().bytes()).server(Reply::new().bytes()),
    }
    for _ in 0..random.below(30) {
        let from = if random.below(2) == 0 { CLIENT } else { SERVER };
        let frame = match random.below(8) {
            0 | 1 => Frame::text("a fragment").more(),
            2 | 3 => Frame::continuation(" and its end"),
            4 => Frame::ping("?"),
            5 => Frame::pong("?"),
            6 => Frame::text("hello").rsv(u8::try_from(random.below(8)).unwrap()),
            _ => Frame::binary(vec![7; random.below(3000)]),
        };
        talk.frame(from, frame);
        match random.below(40) {
            0 => _ = talk.lost(from, random.below(50)),
            // Long enough for all but WebSockets to be given up, or for those too.
            1 => _ = talk.wait_ms(400_000),
            2 => _ = talk.wait_ms(100_000_000),
            3..9 => _ = talk.wait_ms(i64::try_from(random.below(2_000)).unwrap()),
            _ => {}
        }
    }
    match random.below(5) {
        0 => _ = talk.close(),
        1 => _ = talk.rst(CLIENT),
        2 => _ = talk.fin(SERVER).fin(CLIENT),
        _ => {}
    }
    if random.below(3) == 0 {
        // Ports that are used again.
        talk.numbered(1, 2).connect().client(Upgrade::new().bytes()).server(Reply::new().bytes());
        talk.client_frame(Frame::text("again"));
    }
    let mut capture = talk.capture();
    if random.below(4) == 0 {
        // Joined half-way.
        capture.packets.drain(..random.below(capture.packets.len().min(8)));
    }
    capture
}

/// One connection of HTTP/2 with a few WebSockets, most of which are answered.
fn http2(random: &mut Random, port: u16) -> Capture {
    let mut talk = Conversation::from_port(port);
    talk.wait_ms(i64::try_from(random.below(40)).unwrap()).connect();
    talk.client(h2::preface()).server(h2::announce());
    let mut streams = vec![1];
    talk.client(h2::connect(1, &[])).server(h2::answer(1, "200", &[]));
    for _ in 0..random.below(40) {
        let last = streams[streams.len() - 1];
        let stream = streams[random.below(streams.len())];
        let from = if random.below(2) == 0 { CLIENT } else { SERVER };
        let bytes = match random.below(12) {
            0 => {
                streams.push(last + 2);
                talk.client(h2::connect(last + 2, &[("origin", "http://a")]));
                h2::answer(last + 2, ["200", "200", "403"][random.below(3)], &[])
            }
            1 => h2::reset(stream, 8),
            2 => h2::end(stream),
            3 => h2::settings(&[(4, 100)]),
            4 => h2::ws(stream, from, Frame::text("a fragment").more()),
            5 => h2::ws(stream, from, Frame::continuation(" and its end")),
            6 => h2::ws(stream, from, Frame::close(1000, "")),
            7 => h2::window(stream, 500),
            _ => h2::ws(stream, from, Frame::binary(vec![7; random.below(300)])),
        };
        talk.send_pieces(from, &bytes, 1 + random.below(200));
        match random.below(30) {
            0 => _ = talk.lost(from, random.below(50)),
            1 => _ = talk.wait_ms(400_000),
            _ => {}
        }
    }
    if random.below(3) == 0 {
        talk.fin(SERVER).fin(CLIENT);
    }
    talk.capture()
}

/// A packet in two IP fragments.
fn fragments(packet: &Wire, id: u16) -> [Wire; 2] {
    let (head, payload) = packet.bytes.split_at(34);
    let cut = payload.len() / 2 / 8 * 8;
    [(&payload[..cut], 0x2000_u16), (&payload[cut..], u16::try_from(cut / 8).unwrap())].map(|(part, flags)| {
        let mut bytes = head.to_vec();
        bytes[16..18].copy_from_slice(&u16::try_from(20 + part.len()).unwrap().to_be_bytes());
        bytes[18..20].copy_from_slice(&id.to_be_bytes());
        bytes[20..22].copy_from_slice(&flags.to_be_bytes());
        bytes.extend(part);
        Wire { original_len: bytes.len(), bytes, ..packet.clone() }
    })
}

/// Many conversations in one capture, that was not captured well.
fn wild(seed: u64) -> Capture {
    let mut random = Random::of("threads", seed);
    let count = 2 + u16::try_from(random.below(12)).unwrap();
    let mut capture = Capture::merge((0..count).map(|port| match random.below(5) {
        0 => http2(&mut random, 50_000 + port),
        _ => conversation(&mut random, 50_000 + port),
    }));
    let mut packets: Vec<Wire> = Vec::new();
    for packet in capture.packets.drain(..) {
        match random.below(60) {
            0 => {}
            1 => packets.extend([packet.clone(), packet]),
            2 => packets.insert(packets.len() - packets.len().min(random.below(4)), packet),
            // A clock that is wrong, by seconds or by hours.
            3 => packets.push(Wire { at: packet.at + 3_000_000_000, ..packet }),
            4 => packets.push(Wire { at: packet.at - 2_000_000_000, ..packet }),
            5 => packets.push(Wire { at: packet.at + 200_000_000_000_000, ..packet }),
            6 => packets.extend(fragments(&packet, u16::try_from(packets.len()).unwrap())),
            _ => packets.push(packet),
        }
    }
    Capture { packets }
}

#[test]
fn wild_captures_give_the_same() {
    let seeds: Vec<u64> = (0..60).collect();
    in_parallel(&seeds, |&seed| {
        let limits = Limits { idle_secs: 30, websocket_idle_secs: 300, ..Limits::default() };
        same(&format!("wild {seed}"), From::Stream(&wild(seed).pcap()), &Options { limits, ..everything() });
    });
}

/// All outputs at once, by the command.
const ALL: [&str; 8] =
    ["--connections", "c.csv", "--frames", "f.ndjson", "--messages", "m.csv", "--findings", "n.ndjson"];

#[test]
fn the_command_gives_the_same_of_files_and_of_what_can_be_read_once() {
    let capture = wild(1_000);
    let folder = Folder::of(&capture);
    let (head, tail) = capture.packets.split_at(capture.packets.len() / 2);
    folder.put("1.pcap", Capture { packets: head.to_vec() }.pcap());
    folder.put("2.pcap", Capture { packets: tail.to_vec() }.pcap());
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&capture.pcap()).unwrap();
    folder.put("talk.pcap.gz", gzip.finish().unwrap());
    let files: [&[&str]; 3] = [&["talk.pcap"], &["1.pcap", "2.pcap"], &["talk.pcap.gz"]];
    let mut first = None;
    for count in COUNTS {
        let threads = format!("--threads={count}");
        let run = |files: &[&str], more: &[&str]| {
            let run = folder.run(files.iter().chain([&&*threads]).chain(more)).ok();
            (run, ["c.csv", "f.ndjson", "m.csv", "n.ndjson"].map(|name| folder.text(name)))
        };
        for files in files {
            for more in [&[][..], &["--report", "json"], &["--follow"]] {
                let told = run(files, &[more, &ALL].concat());
                if more.is_empty() {
                    assert_eq!(first.get_or_insert_with(|| told.clone()), &told, "{files:?} {count}");
                }
            }
        }
        let fed = super::command::wslens_fed(["-", &*threads], &capture.pcap()).ok();
        assert_eq!(Some(&fed.stdout), first.as_ref().map(|(run, _)| &run.stdout), "standard input, {count}");
        for (level, status) in [("error", 1), ("warning", 1)] {
            assert_eq!(folder.run(["talk.pcap", &*threads, "--fail-on", level]).status, Some(status));
        }
    }
}

#[test]
fn so_many_workers_and_no_more() {
    let folder = Folder::of(&small_capture());
    for wrong in ["0", "257", "many", "-1"] {
        folder.run(["talk.pcap", &format!("--threads={wrong}")]).fails(&["--threads"]);
    }
    assert_eq!(folder.run(["talk.pcap", "--threads=256"]).ok(), folder.run(["talk.pcap"]).ok());
}

/// A capture of so many conversations side by side, of so many frames each.
fn many(conversations: u16, frames: usize) -> Vec<u8> {
    let captures = (0..conversations).map(|port| {
        let mut talk = Conversation::from_port(40_000 + port);
        talk.connect().client(Upgrade::new().bytes()).server(Reply::new().bytes());
        for _ in 0..frames / 50 {
            let bytes: Vec<u8> = (0..50).flat_map(|_| Frame::text("a row of some length").bytes(SERVER)).collect();
            talk.server(bytes).ack(CLIENT);
        }
        talk.capture()
    });
    Capture::merge(captures).pcap()
}

/// The greatest resident size of a process so far, in bytes.
fn greatest_size(id: u32) -> Option<usize> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<usize>().ok()? << 10)
}

#[test]
fn a_slow_reader_of_the_output_is_waited_for() {
    let folder = Folder::new();
    folder.put("talk.pcap", many(8, 40_000));
    for stream in [false, true] {
        let mut child = command()
            .current_dir(folder.path())
            .args(["read", if stream { "-" } else { "talk.pcap" }, "--threads", "3", "--frames", "-"])
            .stdin(std::fs::File::open(folder.path().join("talk.pcap")).unwrap())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut rows = child.stdout.take().unwrap();
        let mut some = vec![0; 1 << 20];
        rows.read_exact(&mut some).unwrap();
        // It has all the time to go on by itself.
        std::thread::sleep(core::time::Duration::from_millis(700));
        let size = greatest_size(child.id());
        let mut rest = Vec::new();
        rows.read_to_end(&mut rest).unwrap();
        let lines = some.iter().chain(&rest).filter(|byte| **byte == b'\n').count();
        assert_eq!(lines, 8 * 40_000 + 1);
        assert!(child.wait().unwrap().success());
        println!(
            "{} MiB of rows, {:?} KiB at most while they were not read",
            rest.len() >> 20,
            size.map(|size| size >> 10)
        );
        assert!(rest.len() > 40 << 20 && size.is_none_or(|size| size < 40 << 20), "{size:?}");
    }
}

#[test]
fn a_reader_of_the_output_may_go_away() {
    let folder = Folder::new();
    folder.put("talk.pcap", many(4, 20_000));
    let mut child = command()
        .current_dir(folder.path())
        .args(["read", "talk.pcap", "--threads", "2", "--frames", "-"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut some = [0; 1000];
    child.stdout.take().unwrap().read_exact(&mut some).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), ended.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn an_output_that_fails_ends_it_though_more_could_be_read() {
    if !std::path::Path::new("/dev/full").exists() {
        super::common::skip::skip("/dev/full");
        return;
    }
    let mut child = command()
        .args(["read", "-", "--threads", "2", "--frames", "/dev/full", "--format", "csv"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Standard input stays open.
    let mut stdin = child.stdin.take().unwrap();
    _ = stdin.write_all(&many(4, 20_000));
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(2), "{said}");
    assert!(said.contains("/dev/full") && !said.contains("panicked"), "{said}");
    drop(stdin);
}

#[test]
fn corrupt_files_say_the_same() {
    let whole = small_capture().pcap();
    let folder = Folder::new();
    let mut random = Random::of("corrupt", 1);
    for _ in 0..60 {
        let mut bytes = whole.clone();
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len());
            bytes[at] ^= u8::try_from(random.below(255)).unwrap() + 1;
        }
        bytes.truncate(bytes.len() - random.below(40));
        folder.put("talk.pcap", &bytes);
        let alone = folder.run(["talk.pcap"]);
        assert_eq!(folder.run(["talk.pcap", "--threads=2"]), alone);
        assert_eq!(folder.run(["talk.pcap", "--threads=3"]), alone);
    }
}

/// What one worker has does not depend on what others do: the same few connections end at the same packets however many
/// others there are, whatever the clock.
#[test]
fn silence_is_measured_by_the_clock_alone() {
    let mut packets = Vec::new();
    let mut random = Random::of("clock", 7);
    for number in 0..400_u16 {
        let port = 40_000 + u16::try_from(random.below(60)).unwrap();
        let mut talk = Conversation::between(address([10, 0, 0, 1], port), address([10, 0, 0, 2], 80));
        talk.numbered(u32::from(number) << 8, 1).segment(CLIENT, SYN, &[]).segment(SERVER, SYN | ACK, &[]);
        talk.client(Upgrade::new().bytes()).server(Reply::new().bytes());
        let late = i64::try_from(random.below(20)).unwrap() * 1_000_000_000 * if random.below(9) == 0 { -1 } else { 1 };
        let base = i64::from(number) * 5_000_000_000 + late;
        packets.extend(talk.capture().packets.into_iter().map(|packet| Wire { at: packet.at + base, ..packet }));
    }
    let bytes: Vec<u8> = pcap_head().into_iter().chain(packets.iter().flat_map(pcap_record)).collect();
    for idle in [1, 20, 100] {
        let limits = Limits { idle_secs: idle, websocket_idle_secs: idle, ..Limits::default() };
        same("clock", From::Stream(&bytes), &Options { limits, ..everything() });
    }
}

//! The bytes that are counted are those that are kept, and never more than the limit, whatever the packets are; and what a
//! sink may rely on.

use super::*;
use crate::capture::{LinkType, Packet};
use crate::event::{Event, Sink, What};
use crate::types::Timestamp;
use proptest::prelude::*;

const MIB: usize = 1 << 20;
const CLIENT: bool = true;
const SERVER: bool = false;
const SYN: u8 = 2;
const ACK: u8 = 16;
const REQUEST: &[u8] = b"GET /x HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
const RESPONSE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";

/// A ClientHello of TLS 1.2 without extensions.
const HELLO: [u8; 50] = {
    let mut hello = [9; 50];
    let (head, tail) = ([0x16, 3, 1, 0, 45, 1, 0, 0, 41, 3, 3], [0, 0, 2, 0, 0x2f, 1, 0]);
    let mut at = 0;
    while at < head.len() {
        hello[at] = head[at];
        at += 1;
    }
    at = 0;
    while at < tail.len() {
        hello[43 + at] = tail[at];
        at += 1;
    }
    hello
};

/// Counts events and keeps nothing.
#[derive(Default)]
struct Count {
    messages: u64,
    complete: u64,
    lost_contexts: u64,
    closed: u64,
}

impl Sink for Count {
    type Error = core::convert::Infallible;

    fn event(&mut self, event: &Event<'_>) -> Result<(), Self::Error> {
        match event.what {
            What::Message(message) => {
                self.messages += 1;
                self.complete += u64::from(message.content_whole);
            }
            What::Finding(finding) => {
                self.lost_contexts += u64::from(finding.code == crate::types::FindingCode::InflateContextLost);
            }
            What::Closed(_) => self.closed += 1,
            _ => {}
        }
        Ok(())
    }
}

/// An analysis, and what it takes to write packets.
struct Rig {
    analyzer: Analyzer,
    count: Count,
    seen: PacketRef,
    most: usize,
    worst: usize,
    seq: std::collections::HashMap<(u16, bool), u32>,
}

impl Rig {
    fn new(max_memory_bytes: usize) -> Self {
        let limits = Limits { max_memory_bytes, ..Limits::default() };
        let demand = Demand { content_bytes: u64::MAX, frame_bytes: 0, ..Demand::default() };
        let worst = limits.worst_case_bytes();
        let analyzer = Analyzer::new(&Options { limits, demand, ..Options::default() });
        Self { analyzer, count: Count::default(), seen: PacketRef::default(), most: 0, worst, seq: [].into() }
    }

    fn packet(&mut self, bytes: &[u8]) {
        self.seen.packet += 1;
        self.seen.at = Timestamp::from_nanos(self.seen.at.as_nanos() + 1000);
        let original_len = u32::try_from(bytes.len()).unwrap();
        let packet = Packet { seen: self.seen, link: LinkType::RAW, original_len, bytes };
        let Ok(()) = self.analyzer.packet(&packet, &mut self.count);
        let held = self.analyzer.held();
        let analyzer = &self.analyzer;
        let kept: usize = analyzer.table.states().map(Session::held).sum();
        assert_eq!(analyzer.shared.memory.sessions(), kept, "sessions, packet {}", self.seen.packet);
        let waits = analyzer.table.states().any(Session::waits_mid_stream);
        assert!(!waits, "what waits goes into the search, so none can be forgotten when roles are turned round");
        assert_eq!(held, analyzer.recount(), "packet {}", self.seen.packet);
        assert!(held <= self.worst, "{held} of {}", self.worst);
        self.most = self.most.max(held);
    }

    /// A segment of the connection of the client at `port`, `skip` bytes after the last.
    fn send(&mut self, port: u16, from: bool, flags: u8, skip: u32, payload: &[u8]) -> &mut Self {
        let theirs = *self.seq.entry((port, !from)).or_insert(1000);
        let mine = self.seq.entry((port, from)).or_insert(1000);
        let seq = mine.wrapping_add(skip);
        let phantom = u32::from(flags & SYN != 0);
        *mine = seq.wrapping_add(u32::try_from(payload.len()).unwrap()).wrapping_add(phantom);
        let ports = if from { [port, 80] } else { [80, port] };
        self.packet(&ip(ports, seq, theirs, flags, payload));
        self
    }

    fn data(&mut self, port: u16, from: bool, payload: &[u8]) -> &mut Self {
        for segment in payload.chunks(60_000) {
            self.send(port, from, ACK, 0, segment);
        }
        self
    }

    fn connect(&mut self, port: u16) -> &mut Self {
        self.send(port, CLIENT, SYN, 0, b"").send(port, SERVER, SYN | ACK, 0, b"").send(port, CLIENT, ACK, 0, b"")
    }

    fn open(&mut self, port: u16) -> &mut Self {
        self.connect(port).data(port, CLIENT, REQUEST).data(port, SERVER, RESPONSE)
    }

    fn finish(&mut self) -> Totals {
        let Ok(()) = self.analyzer.finish(&mut self.count);
        assert_eq!(self.analyzer.held(), self.analyzer.recount());
        assert_eq!(self.analyzer.shared.memory.sessions(), 0, "nothing is kept for connections that are over");
        self.analyzer.totals()
    }
}

fn ip([src, dst]: [u16; 2], seq: u32, ack: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(40 + payload.len()).unwrap().to_be_bytes();
    let host = |port| if port == 80 { 2 } else { 1 };
    let mut packet = vec![0x45, 0, len[0], len[1], 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, host(src), 10, 0, 0, host(dst)];
    packet.extend(src.to_be_bytes());
    packet.extend(dst.to_be_bytes());
    packet.extend(seq.to_be_bytes());
    packet.extend(ack.to_be_bytes());
    packet.extend([0x50, flags, 4, 0, 0, 0, 0, 0]);
    packet.extend(payload);
    packet
}

/// A frame of the server.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match u16::try_from(payload.len()) {
        Ok(len @ ..126) => frame.push(u8::try_from(len).unwrap()),
        Ok(len) => {
            frame.push(126);
            frame.extend(len.to_be_bytes());
        }
        Err(_) => {
            frame.push(127);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend(payload);
    frame
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut deflater = flate2::Compress::new(flate2::Compression::fast(), false);
    let mut out = Vec::with_capacity(bytes.len() + 1000);
    deflater.compress_vec(bytes, &mut out, flate2::FlushCompress::Sync).unwrap();
    out.truncate(out.len() - 4);
    out
}

#[test]
fn open_messages_of_many_connections() {
    let mut rig = Rig::new(4 * MIB);
    for port in 1000..1100 {
        rig.open(port).data(port, SERVER, &frame(0x02, &[7; 50_000])).data(port, SERVER, &frame(0, &[7; 20_000]));
    }
    assert!(rig.most > 2 * MIB, "they were kept while there was room: {}", rig.most);
    for port in 1000..1100 {
        rig.data(port, SERVER, &frame(0x80, b"end"));
    }
    let totals = rig.finish();
    assert_eq!((rig.count.messages, rig.count.closed, totals.evicted_connections), (100, 100, 0));
    assert!(rig.count.complete > 0 && rig.count.complete < 100, "some are shown in full: {}", rig.count.complete);
    assert!(totals.shed_times > 50 && totals.shed_bytes > 3 << 20, "{totals:?}");
}

#[test]
fn one_packet_that_inflates_to_more_than_there_is() {
    let mut rig = Rig::new(4 * MIB);
    let bomb = frame(0xc2, &deflated(&vec![0; 40 * MIB]));
    rig.open(1000).data(1000, SERVER, &bomb);
    let totals = rig.finish();
    assert_eq!((rig.count.messages, rig.count.complete), (1, 0));
    assert!(totals.shed_bytes > 2 << 20 && rig.most < 3 * MIB, "{totals:?}, {}", rig.most);
}

#[test]
fn contexts_of_many_connections() {
    let mut rig = Rig::new(4 * MIB);
    let noise: Vec<u8> = (0..40_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let message = frame(0xc2, &deflated(&noise));
    for port in 1000..1200 {
        rig.open(port).data(port, SERVER, &message);
    }
    let totals = rig.finish();
    assert_eq!((rig.count.messages, rig.count.complete, totals.evicted_connections), (200, 200, 0));
    assert!(totals.shed_times > 50, "{totals:?}");
    // A message that refers to a context that was freed has a finding.
    let mut rig = Rig::new(4 * MIB);
    let mut deflater = flate2::Compress::new(flate2::Compression::best(), false);
    let mut again = || {
        let mut out = Vec::with_capacity(60_000);
        deflater.compress_vec(&noise[..30_000], &mut out, flate2::FlushCompress::Sync).unwrap();
        out.truncate(out.len() - 4);
        frame(0xc2, &out)
    };
    rig.open(900).data(900, SERVER, &again());
    for port in 1000..1200 {
        rig.open(port).data(port, SERVER, &message);
    }
    rig.data(900, SERVER, &again());
    rig.finish();
    assert_eq!(rig.count.lost_contexts, 1);
}

#[test]
fn heads_and_early_frames_of_many_connections() {
    let mut rig = Rig::new(2 * MIB);
    let head = [b"GET / HTTP/1.1\r\nX: ".as_slice(), &[b'x'; 50_000]].concat();
    for port in 1000..1100 {
        rig.connect(port).data(port, CLIENT, &head);
    }
    for port in 2000..2100 {
        rig.connect(port).data(port, CLIENT, REQUEST).data(port, CLIENT, &[0x73; 55_000]);
    }
    // The frames that waited for the 101 are missing, and the connection is a WebSocket all the same.
    for port in 2000..2100 {
        rig.data(port, SERVER, RESPONSE).data(port, SERVER, &frame(0x81, b"hello"));
    }
    let totals = rig.finish();
    assert_eq!((rig.count.closed, totals.evicted_connections), (100, 0));
    assert!(rig.count.messages >= 100 && totals.shed_times > 100, "{} {totals:?}", rig.count.messages);
}

#[test]
fn idle_connections_keep_little() {
    let mut rig = Rig::new(64 * MIB);
    let before = rig.analyzer.held();
    for port in 1000..1100 {
        rig.open(port);
    }
    let each = (rig.analyzer.held() - before) / 100;
    assert!(each < 6 << 10, "{each} bytes for each idle WebSocket");
    assert_eq!(rig.analyzer.shared.pool.live(), 0, "inflaters are made when a compressed message comes");
    let open = rig.analyzer.held();
    for port in 5000..5100 {
        rig.connect(port).data(port, CLIENT, b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n");
    }
    let other = (rig.analyzer.held() - open) / 100;
    assert!(other < 200, "{other} bytes for each connection that is none");
    let open = rig.analyzer.held();
    for port in 6000..6100 {
        rig.connect(port).data(port, CLIENT, &HELLO[..24]);
    }
    let tls = (rig.analyzer.held() - open) / 100;
    assert!(tls < 3 << 10, "{tls} bytes for each TLS connection of which it is not known yet what it carries");
    rig.finish();
}

/// Every protocol that is known: all samples.
#[test]
fn the_counted_bytes_are_those_kept_for_every_sample() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let mut captures: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .flat_map(|entry| entry.unwrap().path().read_dir().into_iter().flatten())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains(".pcap"))
        .collect();
    captures.sort();
    assert!(captures.len() > 30, "{}", captures.len());
    for path in captures {
        let mut input = crate::capture::Input::open(&[&path]).unwrap();
        let mut rig = Rig::new(MIB);
        while let Ok(Some(packet)) = input.next_packet() {
            let Ok(()) = rig.analyzer.packet(&packet, &mut rig.count);
            let held = rig.analyzer.held();
            assert_eq!(held, rig.analyzer.recount(), "{}, packet {}", path.display(), packet.seen.packet);
        }
        rig.finish();
    }
}

/// Sends what `acts` say, and compares the bytes that are counted with those that are kept after every packet.
fn play(acts: Vec<(u8, u16, bool, u32, usize)>) {
    let mut rig = Rig::new(MIB);
    let noise: Vec<u8> = (0..60_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[1]).collect();
    for (act, port, from, skip, len) in acts {
        let (port, bytes) = (1000 + port, &noise[..len]);
        match act {
            0 => _ = rig.connect(port),
            1 => _ = rig.open(port),
            2 => _ = rig.send(port, from, ACK, skip, bytes),
            3 => _ = rig.data(port, SERVER, &frame(0x02, bytes)),
            4 => _ = rig.data(port, SERVER, &frame(0xc2, &deflated(bytes))),
            5 => _ = rig.data(port, SERVER, &frame(0x42, &deflated(&vec![0; len * 20]))),
            6 => _ = rig.send(port, from, ACK, 50_000 * skip, &bytes[..len.min(2000)]),
            7 => _ = rig.data(port, CLIENT, REQUEST),
            8 => _ = rig.data(port, SERVER, RESPONSE),
            9 => _ = rig.send(port, from, 1 | ACK, skip, b""),
            12 => {
                // Other bytes in the place of the last ones.
                let mine = rig.seq.entry((port, from)).or_insert(1000);
                *mine = mine.wrapping_sub(9);
                rig.send(port, from, ACK, 0, b"otherwise");
            }
            13 => _ = rig.data(port, CLIENT, &HELLO),
            14 => {
                // A record without keys.
                let len = u16::try_from(len.min(16_000)).unwrap().to_be_bytes();
                rig.data(port, from, &[&[23, 3, 3, len[0], len[1]], &bytes[..bytes.len().min(16_000)]].concat());
            }
            10 => _ = rig.data(port, from, b"GET / HTTP/1.1\r\nHost: "),
            _ => _ = rig.send(port, from, 4, 0, b""),
        }
    }
    rig.finish();
}

/// Bytes that waited in a connection that is dropped are not counted any more.
#[test]
fn bytes_of_dropped_connections_are_not_counted() {
    play(vec![
        (10, 4, SERVER, 0, 1),
        (5, 4, SERVER, 0, 16_740),
        (8, 4, SERVER, 2, 22_742),
        (3, 4, SERVER, 1, 54_103),
        (1, 2, CLIENT, 1, 4102),
        (5, 2, SERVER, 0, 37_837),
    ]);
    // Nor are those of a session inside TLS.
    play(vec![(9, 3, SERVER, 0, 1), (13, 3, SERVER, 0, 1), (10, 3, CLIENT, 0, 1)]);
}

/// Fails at the event of this number, and counts those that come all the same.
struct Failing {
    left: usize,
    after: usize,
}

impl Sink for Failing {
    type Error = &'static str;

    fn event(&mut self, _: &Event<'_>) -> Result<(), Self::Error> {
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                if left == 0 { Err("full") } else { Ok(()) }
            }
            None => {
                self.after += 1;
                Ok(())
            }
        }
    }
}

#[test]
fn a_sink_that_fails_gets_no_event_after_its_error() {
    let frames = [frame(0x81, b"one"), frame(0x81, b"two"), frame(0x89, b"ping"), frame(0x83, b"reserved")].concat();
    let open = [
        ip([1000, 80], 999, 0, SYN, b""),
        ip([80, 1000], 999, 1000, SYN | ACK, b""),
        ip([1000, 80], 1000, 1000, ACK, REQUEST),
        ip([80, 1000], 1000, 1000, ACK, RESPONSE),
        ip([80, 1000], 1000 + u32::try_from(RESPONSE.len()).unwrap(), 1000, ACK, &frames),
    ];
    // Upgraded; two frames and their messages; a Ping, a finding and a frame; and what the end brings.
    let mut errors = Vec::new();
    for fail_at in 1..30 {
        let mut analyzer = Analyzer::new(&Options::default());
        let mut sink = Failing { left: fail_at, after: 0 };
        let mut failed = None;
        for (number, bytes) in open.iter().enumerate() {
            let seen = PacketRef { packet: number as u64 + 1, ..PacketRef::default() };
            let original_len = u32::try_from(bytes.len()).unwrap();
            let packet = Packet { seen, link: LinkType::RAW, original_len, bytes };
            if let Err(error) = analyzer.packet(&packet, &mut sink) {
                assert_eq!(error, "full");
                failed = Some(number);
                break;
            }
        }
        if failed.is_none() && analyzer.finish(&mut sink).is_err() {
            failed = Some(open.len());
        }
        assert_eq!((sink.after, sink.left == 0), (0, failed.is_some()), "event {fail_at}");
        errors.push(failed);
    }
    assert_eq!(errors[0], Some(3), "the 101");
    assert!(errors[1..8].iter().all(|failed| *failed == Some(4)), "{errors:?}");
    assert!(errors.contains(&Some(5)), "the end: {errors:?}");
    assert_eq!(errors.last(), Some(&None), "there are fewer events");
}

/// Captures that begin mid-stream, in which the first packet is the server's, so that it is taken for the client: the runs that
/// wait when that turns out wrong are turned round, too.
#[test]
fn all_that_waits_is_turned_round_with_the_roles() {
    /// A frame of the client.
    fn masked(payload: &[u8]) -> Vec<u8> {
        let mut masked = frame(0x81, payload);
        masked[1] |= 0x80;
        masked.splice(2..2, [0; 4]);
        masked
    }
    // In segments of any size: the first wait, since they are too few to recognize a protocol.
    for size in 1..60 {
        let mut rig = Rig::new(64 * MIB);
        let mut exchange = |runs: &[(bool, &[u8])]| {
            for (from, bytes) in runs {
                for segment in bytes.chunks(size) {
                    rig.send(1000, *from, ACK, 0, segment);
                }
            }
        };
        let (answer, rest) = RESPONSE.split_at(7.min(size));
        let (hello, good) = (frame(0x81, b"hello"), masked(b"good day"));
        exchange(&[(SERVER, answer), (CLIENT, REQUEST), (SERVER, rest), (SERVER, &hello), (CLIENT, &good)]);
        rig.finish();
        assert_eq!((rig.count.closed, rig.count.messages), (1, 2), "HTTP in segments of {size}");

        // Frames without a handshake, of which the first bytes might be HTTP.
        let mut rig = Rig::new(64 * MIB);
        rig.send(1000, SERVER, ACK, 0, &b"HTTP"[..size.min(3)]).send(1000, CLIENT, ACK, 0, &b"PO"[..size.min(2)]);
        for n in 0..60 {
            let (up, down) =
                (masked(format!("message {n:03} of the client").as_bytes()), frame(0x81, b"an answer to it"));
            for (from, bytes) in [(SERVER, down), (CLIENT, up)] {
                for segment in bytes.chunks(size) {
                    rig.send(1000, from, ACK, 0, segment);
                }
            }
        }
        rig.finish();
        assert_eq!(rig.count.closed, 1, "frames in segments of {size}");
        assert!(rig.count.messages >= 110, "frames in segments of {size}: {}", rig.count.messages);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::common::effort::cases(64, 1_000)))]

    /// Any packets: the bytes that are counted are those that are kept, after each.
    #[test]
    fn the_counted_bytes_are_those_kept(
        acts in prop::collection::vec((0..15_u8, 0..6_u16, any::<bool>(), 0..3_u32, 1..60_000_usize), 1..200),
    ) {
        play(acts);
    }
}

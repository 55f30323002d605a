//! Hostile traffic, made packet by packet in memory and read at once: nothing of it is kept here. `examples/memory.rs` runs
//! it in full scale.

use std::collections::HashMap;
use std::convert::Infallible;

use flate2::{Compress, Compression, FlushCompress};
use wslens::analyzer::{Analyzer, Demand, Options};
use wslens::capture::{LinkType, Packet};
use wslens::event::{Event, Sink, Totals, What};
use wslens::types::{Endpoint, Limits, PacketRef, Role, Timestamp};

use crate::common::packets::write_ipv4;
use crate::common::{ACK, CLIENT, FIN, Frame, Reply, SERVER, SYN, Segment, Upgrade, address};

/// Counts findings, and keeps nothing.
#[derive(Default)]
struct Counter {
    findings: u64,
}

impl Sink for Counter {
    type Error = Infallible;

    fn event(&mut self, event: &Event<'_>) -> Result<(), Infallible> {
        self.findings += u64::from(matches!(event.what, What::Finding(_)));
        Ok(())
    }
}

/// An analysis that reads what is written here. Connections are numbered; each has an address and a port of its own.
pub(crate) struct Rig {
    pub(crate) analyzer: Analyzer,
    counter: Counter,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    /// The most that was kept after any packet.
    pub(crate) most: usize,
    pub(crate) findings: u64,
    next: HashMap<(u32, Role), u32>,
    buffer: Vec<u8>,
}

impl Rig {
    /// All content of messages is asked for.
    pub(crate) fn new(limits: Limits) -> Self {
        let demand = Demand { content_bytes: u64::MAX, frame_bytes: 0, ..Demand::default() };
        let analyzer = Analyzer::new(&Options { limits, demand, ..Options::default() });
        let (counter, next) = (Counter::default(), HashMap::new());
        Self { analyzer, counter, packets: 0, bytes: 0, most: 0, findings: 0, next, buffer: Vec::new() }
    }

    pub(crate) fn finish(&mut self) -> Totals {
        let Ok(()) = self.analyzer.finish(&mut self.counter);
        self.findings = self.counter.findings;
        self.analyzer.totals()
    }

    fn read(&mut self) {
        self.packets += 1;
        self.bytes += self.buffer.len() as u64;
        let at = Timestamp::from_nanos(1_700_000_000_000_000_000 + i64::try_from(self.packets).unwrap() * 1_000);
        let packet = Packet {
            seen: PacketRef { packet: self.packets, at },
            link: LinkType::RAW,
            bytes: &self.buffer,
            original_len: u32::try_from(self.buffer.len()).unwrap(),
        };
        let Ok(()) = self.analyzer.packet(&packet, &mut self.counter);
        self.most = self.most.max(self.analyzer.held());
    }

    /// The address and port of one side.
    fn end(client: u32, side: Role) -> Endpoint {
        let [_, a, b, c] = (client / 60_000).to_be_bytes();
        let port = u16::try_from(1_024 + client % 60_000).unwrap();
        if side == CLIENT { address([10, a, b, c], port) } else { address([192, 168, 0, 1], 80) }
    }

    /// A segment, `skip` bytes behind the last one.
    fn send(&mut self, client: u32, from: Role, flags: u8, skip: u32, payload: &[u8]) {
        let ack = *self.next.entry((client, other(from))).or_insert(1000);
        let next = self.next.entry((client, from)).or_insert(1000);
        let seq = next.wrapping_add(skip);
        let phantom = u32::from(flags & (SYN | FIN) != 0);
        *next = seq.wrapping_add(u32::try_from(payload.len()).unwrap()).wrapping_add(phantom);
        self.segment(client, from, [seq, ack], flags, payload);
    }

    fn segment(&mut self, client: u32, from: Role, numbers: [u32; 2], flags: u8, payload: &[u8]) {
        self.write(client, from, numbers, flags, payload);
        self.read();
    }

    /// Makes a segment that is not read yet.
    fn write(&mut self, client: u32, from: Role, [seq, ack]: [u32; 2], flags: u8, payload: &[u8]) {
        let (src, dst) = (Self::end(client, from), Self::end(client, other(from)));
        self.buffer.clear();
        Segment { src, dst, seq, ack, flags, payload }.write_ip(&mut self.buffer);
    }

    fn data(&mut self, client: u32, from: Role, bytes: &[u8]) {
        for piece in bytes.chunks(60_000) {
            self.send(client, from, ACK, 0, piece);
        }
    }

    fn connect(&mut self, client: u32) {
        self.send(client, CLIENT, SYN, 0, b"");
        self.send(client, SERVER, SYN | ACK, 0, b"");
        self.send(client, CLIENT, ACK, 0, b"");
    }

    fn open(&mut self, client: u32) {
        self.connect(client);
        self.data(client, CLIENT, &request());
        self.data(client, SERVER, &response());
    }

    /// The other side acknowledges all.
    fn acknowledge(&mut self, client: u32, from: Role) {
        self.send(client, from, ACK, 0, b"");
    }

    /// What is no longer needed here: sequence numbers of a connection that is left alone.
    fn leave(&mut self, client: u32) {
        self.next.remove(&(client, CLIENT));
        self.next.remove(&(client, SERVER));
    }
}

const fn other(side: Role) -> Role {
    match side {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

const EXTENSION: (&str, &str) = ("Sec-WebSocket-Extensions", "permessage-deflate");

fn request() -> Vec<u8> {
    Upgrade::new().with(EXTENSION.0, EXTENSION.1).bytes()
}

fn response() -> Vec<u8> {
    Reply::new().with(EXTENSION.0, EXTENSION.1).bytes()
}

/// A frame with that first byte, masked with zeros if the client sends it.
fn frame(from: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    shape(from, first, payload).bytes(from)
}

/// The header of a frame of any length.
fn header(from: Role, first: u8, len: u64) -> Vec<u8> {
    shape(from, first, b"").declared(len).bytes(from)
}

fn shape(from: Role, first: u8, payload: &[u8]) -> Frame {
    let frame = Frame::new(first & 0x0f, payload).rsv(first >> 4 & 7);
    let frame = if from == CLIENT { frame.masked([0; 4]) } else { frame };
    if first & 0x80 == 0 { frame.more() } else { frame }
}

/// So many mebibytes of zeros, as one compressed message's payload: a thousandth of that.
fn bomb(mebibytes: u64) -> Vec<u8> {
    let mut deflater = Compress::new(Compression::best(), false);
    let zeros = vec![0; 1 << 20];
    let mut out = Vec::new();
    for turn in 0..mebibytes {
        let flush = if turn + 1 == mebibytes { FlushCompress::Sync } else { FlushCompress::None };
        let before = deflater.total_in();
        while deflater.total_in() - before < zeros.len() as u64 || out.capacity() == out.len() {
            out.reserve(4096);
            let taken = usize::try_from(deflater.total_in() - before).unwrap();
            deflater.compress_vec(&zeros[taken..], &mut out, flush).unwrap();
        }
    }
    out.truncate(out.len() - 4);
    out
}

/// Bytes that no compressor makes smaller.
fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    core::iter::repeat_with(&mut byte).take(len).collect()
}

/// Something hostile.
pub(crate) struct Flood {
    pub(crate) name: &'static str,
    /// How much of it, in its own unit.
    pub(crate) amount: u32,
    /// Which part of that is enough for a test.
    pub(crate) part: u32,
    pub(crate) run: fn(&mut Rig, u32),
}

pub(crate) const FLOODS: &[Flood] = &[
    Flood { name: "1,000,000 SYN-only flows", amount: 1_000_000, part: 20, run: syns },
    Flood { name: "1,000,000 flows that aim at one bucket", amount: 1_000_000, part: 20, run: collisions },
    Flood { name: "100,000 open WebSockets", amount: 100_000, part: 50, run: websockets },
    Flood { name: "a bomb of 1 GiB, 1 to 1000", amount: 1024, part: 64, run: bombs },
    Flood { name: "200 connections, 4 MiB early each", amount: 200, part: 40, run: early_segments },
    Flood { name: "frames before a 101, 2,000 clients", amount: 2_000, part: 50, run: early_frames },
    Flood { name: "a length of 2^63 - 1, 1 GiB of it", amount: 1_024, part: 16, run: endless_length },
    Flood { name: "HTTP heads without end, 20,000 clients", amount: 20_000, part: 200, run: heads },
    Flood { name: "10,000,000 fragments of a message", amount: 10_000_000, part: 100, run: fragments },
    Flood { name: "1,000,000 IP fragments", amount: 1_000_000, part: 50, run: ip_fragments },
    Flood { name: "10,000,000 unanswered Pings", amount: 10_000_000, part: 100, run: pings },
    Flood { name: "4,000 open messages of 256 KiB", amount: 4_000, part: 40, run: open_messages },
];

fn syns(rig: &mut Rig, flows: u32) {
    for client in 0..flows {
        rig.segment(client, CLIENT, [1000, 0], SYN, b"");
    }
}

/// Flows that a simple hash puts into 17 buckets: the lower half of the client's address is its port, turned over in some
/// bits, so that the exclusive or of the two is the same for 60,000 of them, and so is that of all else.
fn collisions(rig: &mut Rig, flows: u32) {
    for flow in 0..flows {
        rig.write(flow % 60_000, CLIENT, [1000, 0], SYN, b"");
        let port = [rig.buffer[20], rig.buffer[21]];
        let address = [10, flow.div_euclid(60_000).to_le_bytes()[0], port[0] ^ 0x55, port[1] ^ 0x55];
        rig.buffer[12..16].copy_from_slice(&address);
        rig.read();
    }
}

fn websockets(rig: &mut Rig, connections: u32) {
    for client in 0..connections {
        rig.open(client);
        rig.data(client, SERVER, &frame(SERVER, 0x81, b"hello"));
        rig.leave(client);
    }
}

fn bombs(rig: &mut Rig, mebibytes: u32) {
    rig.open(0);
    rig.data(0, CLIENT, &frame(CLIENT, 0xc2, &bomb(mebibytes.into())));
    rig.acknowledge(0, SERVER);
}

fn early_segments(rig: &mut Rig, connections: u32) {
    let bytes = [0x73; 60_000];
    for client in 0..connections {
        rig.open(client);
        rig.send(client, CLIENT, ACK, 1, &bytes);
        for _ in 0..70 {
            rig.send(client, CLIENT, ACK, 0, &bytes);
        }
        rig.leave(client);
    }
}

fn early_frames(rig: &mut Rig, connections: u32) {
    let frames = frame(CLIENT, 0x82, &[7; 55_000]);
    for client in 0..connections {
        rig.connect(client);
        rig.data(client, CLIENT, &request());
        for _ in 0..10 {
            rig.data(client, CLIENT, &frames);
        }
        rig.acknowledge(client, SERVER);
        rig.leave(client);
    }
}

fn endless_length(rig: &mut Rig, mebibytes: u32) {
    rig.open(0);
    rig.data(0, CLIENT, &header(CLIENT, 0x82, (1 << 63) - 1));
    let bytes = vec![b'a'; 1 << 20];
    for _ in 0..mebibytes {
        rig.data(0, CLIENT, &bytes);
        rig.acknowledge(0, SERVER);
    }
}

fn heads(rig: &mut Rig, connections: u32) {
    let head = [b"GET / HTTP/1.1\r\nX-Filler: ".as_slice(), &[b'x'; 59_000]].concat();
    for client in 0..connections {
        rig.connect(client);
        rig.data(client, CLIENT, &head);
        rig.leave(client);
    }
}

fn fragments(rig: &mut Rig, count: u32) {
    rig.open(0);
    rig.data(0, SERVER, &frame(SERVER, 0x02, b"x"));
    let some = frame(SERVER, 0x00, &[b'x'; 100]).repeat(500);
    for _ in 0..count / 500 {
        rig.data(0, SERVER, &some);
        rig.acknowledge(0, CLIENT);
    }
    rig.send(0, SERVER, FIN | ACK, 0, b"");
}

fn ip_fragments(rig: &mut Rig, count: u32) {
    for number in 0..count {
        let [a, b, c, d] = number.to_be_bytes();
        let ends = [[10, 0, a, b].into(), [192, 168, 0, 1].into()];
        rig.buffer.clear();
        write_ipv4(ends, 1400, [u16::from_be_bytes([c, d]), 0x2000], &mut rig.buffer);
        rig.buffer.extend([7; 1400]);
        rig.read();
    }
}

fn pings(rig: &mut Rig, count: u32) {
    rig.open(0);
    let some = frame(CLIENT, 0x89, &[b'p'; 125]).repeat(400);
    for _ in 0..count / 400 {
        rig.data(0, CLIENT, &some);
        rig.acknowledge(0, SERVER);
    }
}

fn open_messages(rig: &mut Rig, connections: u32) {
    let fragment = frame(CLIENT, 0x00, &[7; 52_000]);
    for client in 0..connections {
        rig.open(client);
        rig.data(client, CLIENT, &frame(CLIENT, 0x02, b"begins"));
        for _ in 0..5 {
            rig.data(client, CLIENT, &fragment);
        }
        rig.acknowledge(client, SERVER);
        rig.leave(client);
    }
}

/// A kind of connection, of which many are open.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// Bytes that one may take.
    pub(crate) most: usize,
    make: fn(&mut Rig, u32),
}

impl Kind {
    /// Bytes that each of so many takes; the first few are not counted, so that what is made once is not.
    pub(crate) fn bytes_each(&self, count: u32) -> usize {
        let mut rig = Rig::new(Limits { max_memory_bytes: 8 << 30, ..Limits::default() });
        for client in 0..300 {
            (self.make)(&mut rig, client);
        }
        let before = rig.analyzer.held();
        for client in 300..300 + count {
            (self.make)(&mut rig, client);
        }
        (rig.analyzer.held() - before) / count as usize
    }
}

pub(crate) const KINDS: &[Kind] = &[
    Kind { name: "half open: a SYN", most: 200, make: |rig, client| rig.send(client, CLIENT, SYN, 0, b"") },
    Kind { name: "no WebSocket: SSH", most: 120, make: ssh },
    Kind { name: "TLS, protocol inside not known yet", most: 3_000, make: tls },
    Kind { name: "no WebSocket: HTTP/1.1, kept alive", most: 2_500, make: keep_alive },
    Kind { name: "WebSocket, idle", most: 6_000, make: |rig, client| rig.open(client) },
    Kind { name: "WebSocket, one message each way", most: 7_500, make: talk },
    Kind { name: "WebSocket, both contexts of compression", most: 90_000, make: contexts },
];

fn ssh(rig: &mut Rig, client: u32) {
    rig.connect(client);
    rig.data(client, CLIENT, b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n");
}

fn tls(rig: &mut Rig, client: u32) {
    rig.connect(client);
    rig.data(client, CLIENT, &[&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &[9; 500]].concat());
}

fn keep_alive(rig: &mut Rig, client: u32) {
    rig.connect(client);
    rig.data(client, CLIENT, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    rig.data(client, SERVER, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    rig.acknowledge(client, CLIENT);
}

fn talk(rig: &mut Rig, client: u32) {
    rig.open(client);
    rig.data(client, CLIENT, &frame(CLIENT, 0x81, b"question"));
    rig.data(client, SERVER, &frame(SERVER, 0x81, b"answer"));
    rig.acknowledge(client, CLIENT);
}

fn contexts(rig: &mut Rig, client: u32) {
    rig.open(client);
    for (from, seed) in [(CLIENT, 1), (SERVER, 2)] {
        let mut deflater = Compress::new(Compression::fast(), false);
        let mut payload = Vec::with_capacity(50_000);
        deflater.compress_vec(&noise(40_000, seed), &mut payload, FlushCompress::Sync).unwrap();
        payload.truncate(payload.len() - 4);
        for piece in frame(from, 0xc2, &payload).chunks(1400) {
            rig.data(client, from, piece);
            rig.acknowledge(client, other(from));
        }
    }
}

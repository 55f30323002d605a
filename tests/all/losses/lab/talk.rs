//! Conversations, made: TCP over IPv4 over Ethernet, a handshake, frames of a chosen kind both ways.

use std::net::{IpAddr, Ipv4Addr};

use flate2::{Compress, Compression, FlushCompress};
use wslens::capture::LinkType;
use wslens::types::Endpoint;

use super::packets::{Raw, look};
use super::random::Random;

/// What is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    SmallText,
    TinyText,
    SmallBinary,
    LargeBinary,
    /// Large binary messages that are nearly all zeros.
    Zeros,
    Protobuf,
    /// Fragmented messages, with control frames between the fragments.
    Fragmented,
    /// The same short text again and again.
    Heartbeat,
    Deflated,
    DeflatedNoContext,
    DeflatedLarge,
    Mixed,
}

impl Kind {
    pub const ALL: [Self; 12] = [
        Self::SmallText,
        Self::TinyText,
        Self::SmallBinary,
        Self::LargeBinary,
        Self::Zeros,
        Self::Protobuf,
        Self::Fragmented,
        Self::Heartbeat,
        Self::Deflated,
        Self::DeflatedNoContext,
        Self::DeflatedLarge,
        Self::Mixed,
    ];

    const fn extension(self) -> Option<&'static str> {
        match self {
            Self::Deflated | Self::DeflatedLarge | Self::Mixed => Some("permessage-deflate"),
            Self::DeflatedNoContext => {
                Some("permessage-deflate; server_no_context_takeover; client_no_context_takeover")
            }
            _ => None,
        }
    }
}

/// A TCP connection that is being made up.
pub struct Talk {
    pub raws: Vec<Raw>,
    ends: [Endpoint; 2],
    next: [u32; 2],
    at: i64,
    pub mss: usize,
}

pub const CLIENT: usize = 0;
pub const SERVER: usize = 1;

pub fn endpoint(host: u8, port: u16) -> Endpoint {
    Endpoint { ip: IpAddr::V4(Ipv4Addr::new(10, 9, 8, host)), port }
}

impl Talk {
    /// Nothing was sent yet, not even a SYN.
    pub fn new(client: Endpoint, server: Endpoint, random: &mut Random) -> Self {
        let next = [random.next() as u32, random.next() as u32];
        Self { raws: Vec::new(), ends: [client, server], next, at: 1_700_000_000_000_000_000, mss: 1460 }
    }

    /// SYN, SYN-ACK, ACK.
    pub fn greet(&mut self) {
        self.segment(CLIENT, 0x02, &[]);
        self.next[CLIENT] = self.next[CLIENT].wrapping_add(1);
        self.segment(SERVER, 0x12, &[]);
        self.next[SERVER] = self.next[SERVER].wrapping_add(1);
        self.segment(CLIENT, 0x10, &[]);
    }

    /// Bytes in as few segments as may be, then an acknowledgment.
    pub fn send(&mut self, from: usize, bytes: &[u8]) {
        let mss = self.mss;
        for piece in bytes.chunks(mss) {
            self.segment(from, 0x18, piece);
            self.next[from] = self.next[from].wrapping_add(piece.len() as u32);
        }
        self.segment(1 - from, 0x10, &[]);
    }

    /// FIN from both.
    pub fn part(&mut self) {
        for from in [CLIENT, SERVER] {
            self.segment(from, 0x11, &[]);
            self.next[from] = self.next[from].wrapping_add(1);
        }
        self.segment(CLIENT, 0x10, &[]);
    }

    pub fn pause(&mut self, nanos: i64) {
        self.at += nanos;
    }

    /// The packets, numbered.
    pub fn done(mut self) -> Vec<Raw> {
        for (number, raw) in self.raws.iter_mut().enumerate() {
            raw.number = number as u64 + 1;
        }
        look(&mut self.raws);
        self.raws
    }

    fn segment(&mut self, from: usize, flags: u8, payload: &[u8]) {
        self.at += 100_000;
        let (src, dst) = (self.ends[from], self.ends[1 - from]);
        let bytes = tcp_packet(src, dst, (self.next[from], self.next[1 - from]), flags, payload);
        let original_len = bytes.len() as u32;
        self.raws.push(Raw { number: 0, at: self.at, link: LinkType::ETHERNET, bytes, original_len, tcp: None });
    }
}

/// Ethernet, IPv4, TCP.
pub fn tcp_packet(src: Endpoint, dst: Endpoint, (seq, ack): (u32, u32), flags: u8, payload: &[u8]) -> Vec<u8> {
    let (IpAddr::V4(from), IpAddr::V4(to)) = (src.ip, dst.ip) else { panic!("IPv4 only") };
    let mut out = vec![2, 0, 0, 0, 0, from.octets()[3], 2, 0, 0, 0, 0, to.octets()[3], 8, 0, 0x45, 0];
    out.extend((payload.len() as u16 + 40).to_be_bytes());
    out.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
    out.extend(from.octets());
    out.extend(to.octets());
    out.extend(src.port.to_be_bytes());
    out.extend(dst.port.to_be_bytes());
    out.extend(seq.to_be_bytes());
    out.extend(ack.to_be_bytes());
    out.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    out.extend(payload);
    out
}

/// The request, with the key of RFC 6455 §1.3, and its response.
pub fn handshake(extension: Option<&str>) -> (String, String) {
    let extension = extension.map(|name| format!("Sec-WebSocket-Extensions: {name}\r\n")).unwrap_or_default();
    let request = format!(
        "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{extension}\r\n"
    );
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n{extension}\r\n"
    );
    (request, response)
}

/// A frame with that first byte.
pub fn frame(first: u8, payload: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let bit = if key.is_some() { 0x80 } else { 0 };
    let mut out = vec![first];
    match payload.len() {
        len @ 0..126 => out.push(bit | len as u8),
        len @ 126..65536 => {
            out.push(bit | 126);
            out.extend((len as u16).to_be_bytes());
        }
        len => {
            out.push(bit | 127);
            out.extend((len as u64).to_be_bytes());
        }
    }
    out.extend(key.unwrap_or_default().iter().take(if key.is_some() { 4 } else { 0 }));
    let key = key.unwrap_or_default();
    out.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    out
}

/// Makes one side's messages.
struct Speaker {
    kind: Kind,
    masked: bool,
    deflate: Option<Compress>,
}

impl Speaker {
    fn new(kind: Kind, masked: bool) -> Self {
        let deflate = kind.extension().map(|_| Compress::new(Compression::default(), false));
        Self { kind, masked, deflate }
    }

    fn key(&self, random: &mut Random) -> Option<[u8; 4]> {
        self.masked.then(|| (random.next() as u32).to_be_bytes())
    }

    /// The frames of one message.
    fn message(&mut self, random: &mut Random) -> Vec<Vec<u8>> {
        if random.one_in(25) {
            let first = if random.one_in(2) { 0x89 } else { 0x8a };
            let len = random.below(10);
            return vec![frame(first, random.words(len).as_bytes(), self.key(random))];
        }
        let (text, content) = self.content(random);
        let opcode = if text { 1 } else { 2 };
        if self.kind == Kind::Fragmented && !random.one_in(3) {
            return self.fragments(opcode, &content, random);
        }
        let plain = self.kind == Kind::Mixed && random.one_in(2);
        let no_context = self.kind == Kind::DeflatedNoContext;
        let key = self.key(random);
        vec![match &mut self.deflate {
            Some(deflate) if !plain => frame(0xc0 | opcode, &squeeze(deflate, &content, no_context), key),
            _ => frame(0x80 | opcode, &content, key),
        }]
    }

    fn fragments(&self, opcode: u8, content: &[u8], random: &mut Random) -> Vec<Vec<u8>> {
        let count = random.between(2, 5);
        let size = content.len() / count + 1;
        let mut frames = Vec::new();
        let pieces: Vec<&[u8]> = content.chunks(size).collect();
        for (number, piece) in pieces.iter().enumerate() {
            let fin = if number + 1 == pieces.len() { 0x80 } else { 0 };
            frames.push(frame(fin | if number == 0 { opcode } else { 0 }, piece, self.key(random)));
            if random.one_in(8) {
                frames.push(frame(0x89, b"still there?", self.key(random)));
            }
        }
        frames
    }

    fn content(&self, random: &mut Random) -> (bool, Vec<u8>) {
        let text = |random: &mut Random, low, high| {
            let len = random.between(low, high);
            (true, random.json(len).into_bytes())
        };
        match self.kind {
            Kind::SmallText | Kind::Deflated | Kind::DeflatedNoContext | Kind::Mixed => text(random, 30, 300),
            Kind::TinyText => {
                let len = random.between(1, 12);
                (true, random.words(len).into_bytes())
            }
            Kind::Fragmented => text(random, 100, 2_000),
            Kind::DeflatedLarge => text(random, 2_000, 20_000),
            Kind::Heartbeat => (true, b"{\"type\":\"heartbeat\"}".to_vec()),
            Kind::SmallBinary => {
                let len = random.between(8, 400);
                (false, random.bytes(len))
            }
            Kind::LargeBinary => {
                let len = random.between(2_000, 30_000);
                (false, random.bytes(len))
            }
            Kind::Zeros => {
                let mut bytes = vec![0; random.between(500, 20_000)];
                let some = random.bytes(8);
                bytes[..8].copy_from_slice(&some);
                (false, bytes)
            }
            Kind::Protobuf => {
                let mut out = Vec::new();
                for field in 1..random.between(3, 12) as u8 {
                    let words = random.between(1, 40);
                    let value = random.words(words);
                    out.extend([field << 3 | 2, value.len() as u8]);
                    out.extend(value.as_bytes());
                    out.extend([field << 3, random.byte() & 0x7f]);
                }
                (false, out)
            }
        }
    }
}

/// RFC 7692 §7.2.1.
fn squeeze(deflate: &mut Compress, content: &[u8], no_context: bool) -> Vec<u8> {
    if no_context {
        deflate.reset();
    }
    let mut out = Vec::with_capacity(content.len() + 64);
    deflate.compress_vec(content, &mut out, FlushCompress::Sync).unwrap();
    assert!(out.ends_with(&[0, 0, 0xff, 0xff]));
    out.truncate(out.len() - 4);
    out
}

/// A whole conversation of so many messages: bursts of one to three, client and server in turn by chance.
pub fn conversation(kind: Kind, messages: usize, ends: (Endpoint, Endpoint), random: &mut Random) -> Vec<Raw> {
    let mut talk = Talk::new(ends.0, ends.1, random);
    talk.greet();
    let (request, response) = handshake(kind.extension());
    talk.send(CLIENT, request.as_bytes());
    talk.send(SERVER, response.as_bytes());
    let mut speakers = [Speaker::new(kind, true), Speaker::new(kind, false)];
    let mut said = 0;
    while said < messages {
        let from = random.below(2);
        let burst = random.between(1, 3);
        let frames: Vec<Vec<u8>> = (0..burst).flat_map(|_| speakers[from].message(random)).collect();
        said += burst;
        if random.one_in(2) {
            // A write for each frame.
            for frame in frames {
                talk.send(from, &frame);
            }
        } else {
            talk.send(from, &frames.concat());
        }
        talk.pause(5_000_000);
    }
    for (from, masked) in [(CLIENT, true), (SERVER, false)] {
        talk.send(from, &frame(0x88, &[3, 0xe8], masked.then_some([7, 7, 1, 9])));
    }
    talk.part();
    talk.done()
}

//! Conversations, made: TCP over IPv4 over Ethernet, a handshake, frames of a chosen kind both ways.

use flate2::{Compress, Compression, FlushCompress};
use wslens::capture::LinkType;
use wslens::types::{Endpoint, Role};

use super::packets::{Raw, look};
use super::random::Random;
use crate::common::{CLIENT, Conversation, Frame, Reply, SERVER, Upgrade, Wire, address};

/// The most bytes of a segment.
const MSS: usize = 1460;

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

pub fn endpoint(host: u8, port: u16) -> Endpoint {
    address([10, 9, 8, host], port)
}

/// A TCP connection whose numbers begin anywhere.
pub fn tcp(client: Endpoint, server: Endpoint, random: &mut Random) -> Conversation {
    let mut talk = Conversation::between(client, server);
    talk.numbered(random.next() as u32, random.next() as u32);
    talk
}

/// Bytes in as few segments as may be, then an acknowledgment.
pub fn send(talk: &mut Conversation, from: Role, bytes: &[u8], mss: usize) {
    talk.send_pieces(from, bytes, mss).ack(if from == CLIENT { SERVER } else { CLIENT });
}

/// The packets, numbered.
pub fn packets(talk: &Conversation) -> Vec<Raw> {
    let raw = |(number, wire): (u64, Wire)| Raw {
        number,
        at: wire.at,
        link: LinkType::ETHERNET,
        original_len: wire.original_len as u32,
        bytes: wire.bytes,
        tcp: None,
    };
    let mut raws: Vec<_> = (1..).zip(talk.capture().packets).map(raw).collect();
    look(&mut raws);
    raws
}

/// A frame with that first byte.
fn frame(first: u8, payload: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let frame = Frame::new(first & 0x0f, payload).rsv(first >> 4 & 7);
    let frame = if first & 0x80 == 0 { frame.more() } else { frame };
    // The role decides nothing where the key is given, or that there is none.
    key.map_or(frame.clone().unmasked(), |key| frame.masked(key)).bytes(CLIENT)
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
    let mut talk = tcp(ends.0, ends.1, random);
    talk.connect();
    let (mut request, mut reply) = (Upgrade::new(), Reply::new());
    if let Some(extension) = kind.extension() {
        let name = "Sec-WebSocket-Extensions";
        (request, reply) = (request.with(name, extension), reply.with(name, extension));
    }
    send(&mut talk, CLIENT, &request.bytes(), MSS);
    send(&mut talk, SERVER, &reply.bytes(), MSS);
    let mut speakers = [Speaker::new(kind, true), Speaker::new(kind, false)];
    let mut said = 0;
    while said < messages {
        let side = random.below(2);
        let from = [CLIENT, SERVER][side];
        let burst = random.between(1, 3);
        let frames: Vec<Vec<u8>> = (0..burst).flat_map(|_| speakers[side].message(random)).collect();
        said += burst;
        if random.one_in(2) {
            // A write for each frame.
            for frame in frames {
                send(&mut talk, from, &frame, MSS);
            }
        } else {
            send(&mut talk, from, &frames.concat(), MSS);
        }
        talk.wait_ms(5);
    }
    for (from, masked) in [(CLIENT, true), (SERVER, false)] {
        send(&mut talk, from, &frame(0x88, &[3, 0xe8], masked.then_some([7, 7, 1, 9])), MSS);
    }
    talk.fin(CLIENT).fin(SERVER).ack(CLIENT);
    packets(&talk)
}

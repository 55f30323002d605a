//! Conversations made to measure: TCP segments, handshakes and frames of any kind, right or wrong, as packets of a capture.
//!
//! [`Conversation`] writes packets, [`Capture`] rearranges them, [`run`](super::run) records what the library emits for them.
//! Packets count from 1: [`Conversation::connected`] is packets 1 to 3, [`Conversation::open`] 1 to 5.

use wslens::types::{Endpoint, Role};

use super::frame::Frame;
use super::handshake::{Reply, Upgrade};
use super::packets::{ACK, FIN, PSH, RST, SYN, Segment, address};
use super::recorder::{Recorder, run};

/// The first packet's time: 2023-11-14T22:13:20Z.
pub(crate) const EPOCH: i64 = 1_700_000_000_000_000_000;
/// The time from one packet to the next.
const STEP: i64 = 1_000_000;

pub(crate) const CLIENT: Role = Role::Client;
pub(crate) const SERVER: Role = Role::Server;

/// One packet on Ethernet: its time and bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wire {
    pub(crate) at: i64,
    pub(crate) bytes: Vec<u8>,
    /// More than `bytes` where a snaplen cut it.
    pub(crate) original_len: usize,
}

/// Two endpoints that talk over TCP. Each segment acknowledges all that the other side sent so far, lost or not.
#[derive(Debug, Clone)]
pub(crate) struct Conversation {
    ends: [Endpoint; 2],
    next: [u32; 2],
    clock: i64,
    packets: Vec<Wire>,
}

const fn index(role: Role) -> usize {
    match role {
        Role::Client => 0,
        Role::Server => 1,
    }
}

impl Conversation {
    /// Nothing was sent yet.
    pub(crate) fn new() -> Self {
        Self::between(address([10, 0, 0, 1], 50_000), address([10, 0, 0, 2], 80))
    }

    /// The same between other endpoints.
    pub(crate) fn between(client: Endpoint, server: Endpoint) -> Self {
        Self { ends: [client, server], next: [0x1000_0000, 0x9000_0000], clock: EPOCH, packets: Vec::new() }
    }

    /// The same from another client.
    pub(crate) fn from_port(port: u16) -> Self {
        Self::between(address([10, 0, 0, 1], port), address([10, 0, 0, 2], 80))
    }

    /// The initial sequence numbers are others.
    pub(crate) fn numbered(&mut self, client: u32, server: u32) -> &mut Self {
        self.next = [client, server];
        self
    }

    /// After SYN, SYN-ACK, ACK: packets 1 to 3.
    pub(crate) fn connected() -> Self {
        let mut talk = Self::new();
        talk.connect();
        talk
    }

    /// After an ordinary upgrade: packets 1 to 5.
    pub(crate) fn open() -> Self {
        Self::upgraded(&Upgrade::new(), &Reply::new())
    }

    /// After an upgrade with permessage-deflate, offered and chosen in the same words: packets 1 to 5.
    pub(crate) fn deflate(parameters: &str) -> Self {
        Self::deflate_as(parameters, parameters)
    }

    /// After an upgrade with permessage-deflate: the parameters offered, those chosen.
    pub(crate) fn deflate_as(offer: &str, answer: &str) -> Self {
        let extension = |parameters: &str| format!("permessage-deflate{parameters}");
        Self::upgraded(
            &Upgrade::new().with("Sec-WebSocket-Extensions", &extension(offer)),
            &Reply::new().with("Sec-WebSocket-Extensions", &extension(answer)),
        )
    }

    /// After any upgrade: packets 1 to 5.
    pub(crate) fn upgraded(request: &Upgrade, reply: &Reply) -> Self {
        let mut talk = Self::connected();
        talk.client(request.bytes()).server(reply.bytes());
        talk
    }

    /// SYN, SYN-ACK, ACK.
    pub(crate) fn connect(&mut self) -> &mut Self {
        self.segment(CLIENT, SYN, &[]).segment(SERVER, SYN | ACK, &[]).ack(CLIENT)
    }

    /// Bytes from the client, in one segment.
    pub(crate) fn client(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.send(CLIENT, bytes)
    }

    /// Bytes from the server, in one segment.
    pub(crate) fn server(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.send(SERVER, bytes)
    }

    /// Bytes in one segment.
    pub(crate) fn send(&mut self, from: Role, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.segment(from, PSH | ACK, bytes.as_ref())
    }

    /// Bytes in segments of at most `size`.
    pub(crate) fn send_pieces(&mut self, from: Role, bytes: &[u8], size: usize) -> &mut Self {
        for piece in bytes.chunks(size) {
            self.send(from, piece);
        }
        self
    }

    /// A frame, masked if the client sends it, in one segment.
    pub(crate) fn frame(&mut self, from: Role, frame: Frame) -> &mut Self {
        let bytes = frame.bytes(from);
        self.send(from, bytes)
    }

    /// A frame from the client.
    pub(crate) fn client_frame(&mut self, frame: Frame) -> &mut Self {
        self.frame(CLIENT, frame)
    }

    /// A frame from the server.
    pub(crate) fn server_frame(&mut self, frame: Frame) -> &mut Self {
        self.frame(SERVER, frame)
    }

    /// Bytes that were sent and received, and that the capture lacks.
    pub(crate) fn lost(&mut self, from: Role, len: usize) -> &mut Self {
        let next = &mut self.next[index(from)];
        *next = next.wrapping_add(u32::try_from(len).unwrap());
        self
    }

    /// A segment without bytes.
    pub(crate) fn ack(&mut self, from: Role) -> &mut Self {
        self.segment(from, ACK, &[])
    }

    /// The end of one direction.
    pub(crate) fn fin(&mut self, from: Role) -> &mut Self {
        self.segment(from, FIN | ACK, &[])
    }

    /// The end of both.
    pub(crate) fn rst(&mut self, from: Role) -> &mut Self {
        self.segment(from, RST | ACK, &[])
    }

    /// Close frames both ways, the client's first, and the end of TCP, the server's first.
    pub(crate) fn close(&mut self) -> &mut Self {
        let close = || Frame::close(1000, "");
        self.client_frame(close()).server_frame(close()).fin(SERVER).fin(CLIENT).ack(SERVER)
    }

    /// Time goes by.
    pub(crate) fn wait_ms(&mut self, ms: i64) -> &mut Self {
        self.clock += ms * 1_000_000;
        self
    }

    /// A segment that moves its sender's sequence number.
    pub(crate) fn segment(&mut self, from: Role, flags: u8, payload: &[u8]) -> &mut Self {
        self.raw(from, 0, flags, payload);
        let phantom = u32::from(flags & (SYN | FIN) != 0);
        let next = &mut self.next[index(from)];
        *next = next.wrapping_add(u32::try_from(payload.len()).unwrap() + phantom);
        self
    }

    /// Any segment, `offset` bytes from where its sender stands, who stays there.
    pub(crate) fn raw(&mut self, from: Role, offset: i32, flags: u8, payload: &[u8]) -> &mut Self {
        let (src, dst) = (index(from), 1 - index(from));
        let acknowledged = if flags & ACK == 0 { 0 } else { self.next[dst] };
        let seq = self.next[src].wrapping_add_signed(offset);
        let bytes =
            Segment { src: self.ends[src], dst: self.ends[dst], seq, ack: acknowledged, flags, payload }.ethernet();
        self.packets.push(Wire { at: self.clock, original_len: bytes.len(), bytes });
        self.clock += STEP;
        self
    }

    /// All packets.
    pub(crate) fn capture(&self) -> Capture {
        Capture { packets: self.packets.clone() }
    }

    /// Forgets the packets so far, which were written somewhere: what follows goes on from them.
    pub(crate) fn forget(&mut self) {
        self.packets.clear();
    }

    /// What the library emits for it.
    pub(crate) fn run(&self) -> Recorder {
        run(&self.capture())
    }
}

/// Packets in the order in which they were captured. Numbers count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Capture {
    pub(crate) packets: Vec<Wire>,
}

impl Capture {
    /// Several conversations, by time.
    pub(crate) fn merge(captures: impl IntoIterator<Item = Self>) -> Self {
        let mut packets: Vec<_> = captures.into_iter().flat_map(|capture| capture.packets).collect();
        packets.sort_by_key(|packet| packet.at);
        Self { packets }
    }

    /// A packet is missing.
    pub(crate) fn without(mut self, number: usize) -> Self {
        self.packets.remove(number - 1);
        self
    }

    /// Two packets come in each other's place and time.
    pub(crate) fn swapped(mut self, one: usize, other: usize) -> Self {
        let (a, b) = (self.packets[one - 1].at, self.packets[other - 1].at);
        self.packets.swap(one - 1, other - 1);
        (self.packets[one - 1].at, self.packets[other - 1].at) = (a, b);
        self
    }

    /// Every packet comes twice.
    pub(crate) fn doubled(self) -> Self {
        Self { packets: self.packets.into_iter().flat_map(|packet| [packet.clone(), packet]).collect() }
    }

    /// Of each packet, at most so many bytes were captured.
    pub(crate) fn snapped(mut self, len: usize) -> Self {
        for packet in &mut self.packets {
            packet.bytes.truncate(len);
        }
        self
    }

    /// As a pcap file with nanoseconds.
    pub(crate) fn pcap(&self) -> Vec<u8> {
        let mut file = pcap_head();
        for packet in &self.packets {
            file.extend(pcap_record(packet));
        }
        file
    }
}

/// The head of a pcap file with nanoseconds, on Ethernet.
pub(crate) fn pcap_head() -> Vec<u8> {
    let mut head = Vec::new();
    for word in [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 262_144, 1] {
        head.extend(word.to_le_bytes());
    }
    head
}

/// A packet's record in a pcap file.
pub(crate) fn pcap_record(packet: &Wire) -> Vec<u8> {
    let at = packet.at.unsigned_abs();
    let lengths = [packet.bytes.len() as u64, packet.original_len as u64];
    let words = [at / 1_000_000_000, at % 1_000_000_000, lengths[0], lengths[1]];
    let mut record: Vec<u8> = words.into_iter().flat_map(|word| u32::try_from(word).unwrap().to_le_bytes()).collect();
    record.extend(&packet.bytes);
    record
}

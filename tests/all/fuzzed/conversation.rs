//! Any conversation behind (or without) a handshake, analysed with every output on: deeper into frames, messages and
//! reports than bytes of a capture file would get by chance.
//!
//! The script: a byte of options; two texts for the request, each with a byte of length; then steps: a byte of kind, a
//! byte of length, the bytes. A step is a whole frame, bytes as they are, a hole, a silence, an end, or a packet late.

use std::time::Duration;

use wslens::analyzer::Analyzer;
use wslens::capture::{LinkType, Packet};
use wslens::output::Secrets;
use wslens::types::{PacketRef, Timestamp};

use super::outputs::Outputs;
use super::read::options;
use super::script::Script;
use crate::common::packets::{ACK, FIN, RST, SYN, Segment, address};

const EXTENSIONS: [&str; 4] = [
    "permessage-deflate",
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    "permessage-deflate; server_max_window_bits=9; client_max_window_bits=8",
    "x-unknown; a=\"b\\\"c\", permessage-deflate; client_max_window_bits",
];

pub(crate) fn conversation(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let choice = script.byte();
    let secrets = if choice & 0x80 == 0 { Secrets::Redact } else { Secrets::Show };
    let (target, protocol) = (text(&mut script), text(&mut script));
    let mut wire = Wire::new(secrets);
    if choice & 1 == 0 {
        wire.open(choice, target, protocol);
    }
    while !script.is_over() {
        wire.step(&mut script);
    }
    wire.finish();
}

fn text<'a>(script: &mut Script<'a>) -> &'a [u8] {
    let len = script.byte();
    script.take(usize::from(len % 64))
}

/// Two endpoints, and the analysis of what they send.
pub(super) struct Wire {
    analyzer: Analyzer,
    outputs: Outputs,
    /// The next sequence number of the client and of the server.
    next: [u32; 2],
    seen: PacketRef,
    late: Option<(usize, u32, Vec<u8>)>,
}

impl Wire {
    /// Nothing was sent yet.
    pub(super) fn new(secrets: Secrets) -> Self {
        Self {
            analyzer: Analyzer::new(&options()),
            outputs: Outputs::new(secrets),
            next: [0xffff_ff00, 0x7fff_ff00],
            seen: PacketRef { packet: 0, at: Timestamp::from_nanos(1_700_000_000_000_000_000) },
            late: None,
        }
    }

    /// SYN and SYN-ACK.
    pub(super) fn connect(&mut self) {
        self.send(0, SYN, &[]);
        self.send(1, SYN | ACK, &[]);
    }

    /// The end of the capture.
    pub(super) fn finish(self) {
        let Self { mut analyzer, mut outputs, .. } = self;
        analyzer.finish(&mut outputs).unwrap();
        outputs.finish(&analyzer.totals());
    }

    /// Bytes of one side that the capture lacks.
    pub(super) fn skip(&mut self, from: usize, len: u32) {
        self.next[from] = self.next[from].wrapping_add(len);
    }

    fn open(&mut self, choice: u8, target: &[u8], protocol: &[u8]) {
        self.connect();
        let extensions = EXTENSIONS[usize::from(choice >> 1 & 3)];
        let accept = if choice & 8 == 0 { "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" } else { "AAAAAAAAAAAAAAAAAAAAAAAAAAA=" };
        let status = if choice & 0x10 == 0 { "101 Switching Protocols" } else { "403 Forbidden" };
        let agreed =
            if choice & 0x20 == 0 { format!("Sec-WebSocket-Extensions: {extensions}\r\n") } else { String::new() };
        let request = [
            b"GET /chat?token=".as_slice(),
            target,
            b" HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n",
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: ",
            protocol,
            b"\r\nSec-WebSocket-Protocol: ",
            protocol,
            b"\r\nSec-WebSocket-Extensions: ",
            extensions.as_bytes(),
            b"\r\n\r\n",
        ];
        let response = [
            format!(
                "HTTP/1.1 {status}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n"
            )
            .as_bytes(),
            agreed.as_bytes(),
            b"Sec-WebSocket-Protocol: ",
            protocol,
            b"\r\nContent-Length: 0\r\n\r\n",
        ]
        .concat();
        self.send(0, ACK, &request.concat());
        self.send(1, ACK, &response);
    }

    fn step(&mut self, script: &mut Script<'_>) {
        let (kind, len) = (script.byte(), script.byte());
        let from = usize::from(kind & 1);
        match kind >> 1 & 15 {
            0 => {
                let bytes = script.take(len.into());
                self.send(from, ACK, bytes);
            }
            1 => self.skip(from, u32::from(len) + 1),
            2 => self.pass(Duration::from_secs(u64::from(len).pow(2) * 4)),
            3 => self.send(from, ACK | FIN, &[]),
            4 => self.send(from, ACK | RST, &[]),
            5 => {
                // The next bytes come after those behind them.
                let bytes = script.take(len.into()).to_vec();
                let seq = self.next[from];
                self.next[from] = seq.wrapping_add(u32::try_from(bytes.len()).unwrap());
                self.late = Some((from, seq, bytes));
            }
            6 => {
                if let Some((from, seq, bytes)) = self.late.take() {
                    self.packet(from, seq, ACK, &bytes);
                }
            }
            7 => {
                // A long message, of few bytes of script.
                let bytes = script.take(4).repeat(usize::from(len) * 64);
                self.frame(from, script.byte(), &bytes);
            }
            _ => {
                let first = script.byte();
                let bytes = script.take(len.into());
                self.frame(from, first, bytes);
            }
        }
    }

    /// A frame as it should be, but for its first byte.
    fn frame(&mut self, from: usize, first: u8, payload: &[u8]) {
        let mut frame = vec![first];
        let mask = if from == 0 { 0x80 } else { 0 };
        match payload.len() {
            len @ 0..126 => frame.push(mask | u8::try_from(len).unwrap()),
            len => {
                frame.push(mask | 126);
                frame.extend_from_slice(&u16::try_from(len).unwrap().to_be_bytes());
            }
        }
        if from == 0 {
            let key = [first, 2, 0xf3, 4];
            frame.extend_from_slice(&key);
            frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        } else {
            frame.extend_from_slice(payload);
        }
        for segment in frame.chunks(1400) {
            self.send(from, ACK, segment);
        }
    }

    /// Time goes by.
    pub(super) fn pass(&mut self, time: Duration) {
        let nanos = i64::try_from(time.as_nanos()).unwrap();
        self.seen.at = Timestamp::from_nanos(self.seen.at.as_nanos() + nanos);
    }

    /// The next bytes of one side.
    pub(super) fn send(&mut self, from: usize, flags: u8, bytes: &[u8]) {
        let seq = self.next[from];
        let len = u32::try_from(bytes.len()).unwrap() + u32::from(flags & (SYN | FIN) != 0);
        self.next[from] = seq.wrapping_add(len);
        self.packet(from, seq, flags, bytes);
    }

    fn packet(&mut self, from: usize, seq: u32, flags: u8, bytes: &[u8]) {
        self.pass(Duration::from_millis(1));
        self.seen.packet += 1;
        let ack = if flags & ACK == 0 { 0 } else { self.next[1 - from] };
        let ends = [address([10, 0, 0, 1], 40_000), address([10, 0, 0, 2], 80)];
        let (src, dst) = (ends[from], ends[1 - from]);
        let bytes = Segment { src, dst, seq, ack, flags, payload: bytes }.ip();
        let original_len = u32::try_from(bytes.len()).unwrap();
        let packet = Packet { seen: self.seen, link: LinkType::IPV4, bytes: &bytes, original_len };
        self.analyzer.packet(&packet, &mut self.outputs).unwrap();
    }
}

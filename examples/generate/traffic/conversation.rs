//! One WebSocket connection: its handshake, bursts of messages, its closing handshake.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compress, Compression, FlushCompress};
use sha1::{Digest, Sha1};

use super::wire::{End, Pair, Wire};
use super::{Mix, Random, Written};

/// What messages say: JSON text, which is cut to the length that is wanted.
pub(crate) struct Pool(Vec<u8>);

impl Pool {
    pub(crate) fn new(random: &mut Random) -> Self {
        let mut text = Vec::new();
        let symbols = ["BTC-USD", "ETH-USD", "EURUSD", "AAPL", "MSFT", "XAU", "DAX", "UKX"];
        while text.len() < 1 << 20 {
            let symbol = symbols.get(random.between(0, symbols.len())).copied().unwrap_or_default();
            let (time, price, quantity) =
                (random.bits() % 1_000_000_000, random.bits() % 10_000_000, random.bits() % 1_000_000);
            // A Vec takes all that is written.
            _ = write!(
                text,
                r#"{{"t":1700{time:09},"s":"{symbol}","p":{}.{:02},"q":{quantity}}},"#,
                price / 100,
                price % 100
            );
        }
        Self(text)
    }

    fn content(&self, len: usize, random: &mut Random) -> &[u8] {
        let start = random.between(0, self.0.len() - len.min(self.0.len() - 1));
        self.0.get(start..start + len).unwrap_or_default()
    }
}

/// A connection that is open.
pub(crate) struct Conversation {
    pair: Pair,
    left: u64,
    server_share: f64,
    /// One for each end, where it compresses.
    compressors: Option<Box<[Compress; 2]>>,
    bytes: Vec<u8>,
}

impl Conversation {
    pub(crate) fn open<W: Write>(
        number: u64,
        budget: u64,
        mix: &Mix,
        random: &mut Random,
        wire: &mut Wire<W>,
        written: &mut Written,
    ) -> io::Result<Self> {
        let [.., b, c, d] = (number + 1).to_be_bytes();
        let port = 1024 + u16::try_from(number % 60_000).unwrap_or(0);
        let ends = [([10, b, c, d], port), ([172, 16, 0, 1 + d % 7], 8080)];
        let mut pair = Pair(ends.map(|(ip, port)| End { ip, port, seq: 1_000 }));
        wire.open(&mut pair)?;
        let key = STANDARD.encode([random.bits().to_le_bytes(), random.bits().to_le_bytes()].concat());
        let accept = STANDARD.encode(Sha1::digest(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11")));
        let deflates = random.chance(mix.deflate);
        let extension = if deflates { "Sec-WebSocket-Extensions: permessage-deflate\r\n" } else { "" };
        let request = format!(
            "GET /stream/{number} HTTP/1.1\r\nHost: feed.example.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{extension}\r\n"
        );
        let response = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n{extension}\r\n"
        );
        wire.send(&mut pair, 0, request.as_bytes())?;
        wire.send(&mut pair, 1, response.as_bytes())?;
        written.connections += 1;
        let compress = || Compress::new(Compression::fast(), false);
        let compressors = deflates.then(|| Box::new([compress(), compress()]));
        let server_share = [0.2, 0.5, 0.8, 0.95].get(random.between(0, 4)).copied().unwrap_or(0.5);
        let left = budget / 5 + random.bits() % (budget * 8 / 5).max(1);
        Ok(Self { pair, left, server_share, compressors, bytes: Vec::new() })
    }

    /// Whether it has more to say than its closing handshake.
    pub(crate) const fn goes_on(&self) -> bool {
        self.left > 0
    }

    /// A few messages, or a Ping and its Pong; at the end the closing handshake.
    pub(crate) fn burst<W: Write>(
        &mut self,
        mix: &Mix,
        pool: &Pool,
        random: &mut Random,
        wire: &mut Wire<W>,
        written: &mut Written,
    ) -> io::Result<()> {
        let before = wire.bytes();
        let from = usize::from(random.chance(self.server_share));
        if self.left == 0 {
            self.control(from, 8, &[3, 232], random, wire, written)?;
            self.control(1 - from, 8, &[3, 232], random, wire, written)?;
            return wire.close(&mut self.pair, 1);
        }
        if random.chance(0.01) {
            self.control(from, 9, b"are you there", random, wire, written)?;
            self.control(1 - from, 10, b"are you there", random, wire, written)?;
        } else {
            let mut bytes = core::mem::take(&mut self.bytes);
            bytes.clear();
            for _ in 0..random.between(1, 5) {
                let len = mix.length.unwrap_or_else(|| length(mix, random));
                self.message(from, pool.content(len, random), &mut bytes, random, written);
            }
            wire.send(&mut self.pair, from, &bytes)?;
            self.bytes = bytes;
        }
        self.left = self.left.saturating_sub(wire.bytes() - before);
        Ok(())
    }

    fn message(&mut self, from: usize, content: &[u8], out: &mut Vec<u8>, random: &mut Random, written: &mut Written) {
        written.messages += 1;
        written.frames += 1;
        written.content += content.len() as u64;
        let Some(compress) = self.compressors.as_mut().and_then(|both| both.get_mut(from)) else {
            return frame(out, from == 0, 0x81, content, random);
        };
        written.compressed += 1;
        let mut deflated = Vec::with_capacity(content.len() + 64);
        let mut taken = 0;
        while taken < content.len() || deflated.len() == deflated.capacity() {
            deflated.reserve(64);
            let before = compress.total_in();
            // Whatever is wrong with it shows when its output is read.
            _ = compress.compress_vec(content.get(taken..).unwrap_or_default(), &mut deflated, FlushCompress::Sync);
            taken += usize::try_from(compress.total_in() - before).unwrap_or(usize::MAX);
        }
        deflated.truncate(deflated.len().saturating_sub(4)); // 00 00 ff ff (RFC 7692 §7.2.1)
        frame(out, from == 0, 0xc1, &deflated, random);
    }

    fn control<W: Write>(
        &mut self,
        from: usize,
        opcode: u8,
        payload: &[u8],
        random: &mut Random,
        wire: &mut Wire<W>,
        written: &mut Written,
    ) -> io::Result<()> {
        let mut bytes = Vec::new();
        frame(&mut bytes, from == 0, 0x80 | opcode, payload, random);
        written.frames += 1;
        wire.send(&mut self.pair, from, &bytes)
    }
}

fn length(mix: &Mix, random: &mut Random) -> usize {
    if random.chance(mix.small) {
        random.between(50, 300)
    } else if random.chance(mix.large / (1.0 - mix.small).max(mix.large)) {
        256 << 10
    } else {
        random.between(1 << 10, 16 << 10)
    }
}

/// Appends one frame (RFC 6455 §5.2).
fn frame(out: &mut Vec<u8>, masked: bool, first: u8, payload: &[u8], random: &mut Random) {
    let mask = if masked { 0x80 } else { 0 };
    out.push(first);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(len), _) if len < 126 => out.push(mask | len),
        (_, Ok(len)) => {
            out.push(mask | 126);
            out.extend_from_slice(&len.to_be_bytes());
        }
        _ => {
            out.push(mask | 127);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    if masked {
        let [a, b, c, d, ..] = random.bits().to_le_bytes();
        let key = [a, b, c, d];
        out.extend_from_slice(&key);
        out.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    } else {
        out.extend_from_slice(payload);
    }
}

//! What it costs that a conversation is encrypted: the same WebSocket traffic in the clear and under TLS 1.3 with AES-128-GCM.
//!
//! ```console
//! $ cargo run --release --example tls_speed -- FOLDER 400M
//! ```
//!
//! Writes three files into that folder (`plain.pcap`, `tls.pcap`, `keys.log`), and measures, each the fastest of five:
//! reading the first, opening all records of the second with the library alone, and reading the second with its secrets.
//! Reading is what `wslens read FILE --report none` does, in this process.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement that fails is to stop"
)]

use core::convert::Infallible;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::time::Instant;

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use wslens::analyzer::{Analyzer, Options};
use wslens::capture::Input;
use wslens::event::{Event, Sink, What};

#[path = "generate/traffic/mod.rs"]
#[allow(dead_code, reason = "the generator's, of which this takes a part")]
mod traffic;

use traffic::Mix;

/// The most that is in a record (RFC 8446 §5.1), and what fits in one segment.
const RECORD: usize = 1 << 14;
const SEGMENT: usize = 1448;
const HEADERS: usize = 14 + 20 + 20;
/// How often each is measured.
const ROUNDS: usize = 5;

fn main() -> io::Result<()> {
    let mut args = std::env::args().skip(1);
    let folder = args.next().unwrap_or_else(|| std::env::temp_dir().to_string_lossy().into_owned());
    let size = args.next().and_then(|size| size.trim_end_matches('M').parse::<u64>().ok()).unwrap_or(400) << 20;
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder)?;
    // As large as most records and frames of a download are; and as small as those of a feed.
    for (what, small, length) in
        [("messages of 64 KiB", 0.0, Some(64 << 10)), ("messages of 50 to 300 bytes", 1.0, None)]
    {
        let mix = Mix {
            size,
            connections: 200,
            concurrent: 20,
            deflate: 0.0,
            background: 0,
            small,
            large: 0.0,
            length,
            seed: 1,
        };
        traffic::write(&mix, BufWriter::with_capacity(1 << 20, File::create(folder.join("plain.pcap"))?))?;
        let sealed = seal(folder)?;
        let bytes = sealed.plain_bytes as f64;
        println!("{what}: {} records, {:.0} MB of plaintext", sealed.records.len(), bytes / 1e6);
        let plain = fastest(|| read(&folder.join("plain.pcap"), None));
        let library = fastest(|| sealed.open_all());
        let tls = fastest(|| read(&folder.join("tls.pcap"), Some(&folder.join("keys.log"))));
        let show = |name: &str, secs: f64| println!("  {name:34} {secs:6.3} s, {:5.0} MB/s", bytes / secs / 1e6);
        show("the plaintext alone", plain);
        show("the library alone", library);
        show("with secrets", tls);
        println!("  {:.2} times 1.5 x the library + the plaintext", tls / (library * 1.5 + plain));
        println!("  decryption costs {:.2} x the library", (tls - plain) / library);
    }
    Ok(())
}

fn fastest(mut what: impl FnMut()) -> f64 {
    (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            what();
            start.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min)
}

/// Counts messages, so that nothing is left out.
struct Count(u64);

impl Sink for Count {
    type Error = Infallible;

    fn event(&mut self, event: &Event<'_>) -> Result<(), Infallible> {
        self.0 += u64::from(matches!(event.what, What::Message(_)));
        Ok(())
    }
}

fn read(path: &Path, keys: Option<&Path>) {
    let mut input = Input::open(&[path]).unwrap();
    let mut analyzer = Analyzer::new(&Options::default());
    if let Some(keys) = keys {
        analyzer.keys().add(&std::fs::read(keys).unwrap());
    }
    let mut count = Count(0);
    while let Ok(Some(packet)) = input.next_packet() {
        _ = analyzer.packet(&packet, &mut count);
    }
    _ = analyzer.finish(&mut count);
    assert!(count.0 > 1000, "{} messages", count.0);
}

/// What was sealed.
struct Sealed {
    keys: Vec<LessSafeKey>,
    /// Key, number, header, ciphertext and tag.
    records: Vec<(usize, u64, [u8; 5], Vec<u8>)>,
    ivs: Vec<[u8; 12]>,
    plain_bytes: u64,
}

impl Sealed {
    /// The library alone, into one buffer.
    fn open_all(&self) {
        let mut out = vec![0; RECORD + 1];
        for (at, number, header, sealed) in &self.records {
            let (text, tag) = sealed.split_at(sealed.len() - 16);
            let nonce = Nonce::assume_unique_for_key(xor(self.ivs[*at], *number));
            let opened =
                self.keys[*at].open_separate_gather(nonce, Aad::from(header), text, tag, &mut out[..text.len()]);
            assert!(opened.is_ok());
        }
    }
}

/// "The padded sequence number is XORed with" the vector (RFC 8446 §5.3).
fn xor(iv: [u8; 12], number: u64) -> [u8; 12] {
    let mut nonce = iv;
    nonce[4..].iter_mut().zip(number.to_be_bytes()).for_each(|(to, from)| *to ^= from);
    nonce
}

/// HKDF-Expand-Label of one block (RFC 8446 §7.1).
fn expand(secret: &[u8], label: &str, len: u8) -> Vec<u8> {
    let info = [&[0, len, 6 + label.len() as u8][..], b"tls13 ", label.as_bytes(), &[0, 1]].concat();
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), &info).as_ref()[..usize::from(len)].to_vec()
}

/// A connection on its way to being encrypted.
struct Flow {
    number: usize,
    seq: [u32; 2],
    records: [u64; 2],
    /// What one side has said and is not sealed yet.
    from: usize,
    text: Vec<u8>,
}

/// Writes the same conversations under TLS, and their key log.
struct Sealer {
    sealed: Sealed,
    to: BufWriter<File>,
    log: BufWriter<File>,
    micros: u64,
}

/// Encrypts `plain.pcap`: what a side says until the other does, or until a segment that is not full, goes into records.
fn seal(folder: &Path) -> io::Result<Sealed> {
    let file = |name: &str| io::Result::Ok(BufWriter::with_capacity(1 << 20, File::create(folder.join(name))?));
    let sealed = Sealed { keys: Vec::new(), records: Vec::new(), ivs: Vec::new(), plain_bytes: 0 };
    let mut sealer = Sealer { sealed, to: file("tls.pcap")?, log: file("keys.log")?, micros: 1_700_000_000_000_000 };
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 262_144, 1] {
        sealer.to.write_all(&word.to_le_bytes())?;
    }
    let mut input = Input::open(&[folder.join("plain.pcap")]).unwrap();
    let mut flows: HashMap<[u8; 12], Flow> = HashMap::new();
    while let Ok(Some(packet)) = input.next_packet() {
        let (head, payload) = packet.bytes.split_at(HEADERS);
        let from = usize::from(head[26] != 10);
        let ends = [&head[26..30], &head[34..36], &head[30..34], &head[36..38]];
        let order = if from == 0 { [0, 1, 2, 3] } else { [2, 3, 0, 1] };
        let key: [u8; 12] = order.map(|at| ends[at]).concat().try_into().unwrap();
        match head[47] {
            2 => {
                let mut flow = Flow { number: flows.len(), seq: [1000; 2], records: [0; 2], from: 0, text: Vec::new() };
                sealer.begin(&key, &mut flow)?;
                flows.insert(key, flow);
            }
            flags => {
                let flow = flows.get_mut(&key).unwrap();
                if flow.from != from && !payload.is_empty() {
                    sealer.flush(&key, flow)?;
                }
                if !payload.is_empty() {
                    flow.from = from;
                    flow.text.extend_from_slice(payload);
                }
                let ends = !payload.is_empty() && payload.len() < SEGMENT;
                if ends || flow.text.len() >= RECORD || flags & 1 != 0 {
                    sealer.flush(&key, flow)?;
                }
                if flags & 1 != 0 {
                    sealer.segment(&key, flow, from, 0x11, &[])?;
                }
            }
        }
    }
    sealer.to.flush()?;
    sealer.log.flush()?;
    Ok(sealer.sealed)
}

impl Sealer {
    /// TCP's handshake, and of TLS's what is in the clear.
    fn begin(&mut self, key: &[u8; 12], flow: &mut Flow) -> io::Result<()> {
        for (from, flags) in [(0, 2), (1, 0x12), (0, 0x10)] {
            self.segment(key, flow, from, flags, &[])?;
        }
        let random: Vec<u8> = (0..4).flat_map(|part| (flow.number as u64 + part).to_be_bytes()).collect();
        let message = |kind: u8, body: Vec<u8>| {
            let [_, _, c, d] = (body.len() as u32).to_be_bytes();
            let [_, _, a, b] = (body.len() as u32 + 4).to_be_bytes();
            [&[22, 3, 3, a, b, kind, 0, c, d][..], &body].concat()
        };
        let hello = [&[3, 3][..], &random, &[0, 0, 2, 0x13, 1, 1, 0, 0, 7, 0, 43, 0, 3, 2, 3, 4]].concat();
        self.segment(key, flow, 0, 0x18, &message(1, hello))?;
        let hello = [&[3, 3][..], &[9; 32], &[0, 0x13, 1, 0, 0, 6, 0, 43, 0, 2, 3, 4]].concat();
        self.segment(key, flow, 1, 0x18, &message(2, hello))?;
        for (side, label) in ["CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"].into_iter().enumerate() {
            let secret = expand(&random, &format!("secret {side}"), 32);
            let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            writeln!(self.log, "{label} {} {}", hex(&random), hex(&secret))?;
            let key = UnboundKey::new(&AES_128_GCM, &expand(&secret, "key", 16)).unwrap();
            self.sealed.keys.push(LessSafeKey::new(key));
            self.sealed.ivs.push(expand(&secret, "iv", 12).try_into().unwrap());
        }
        Ok(())
    }

    /// Seals what a side has said.
    fn flush(&mut self, key: &[u8; 12], flow: &mut Flow) -> io::Result<()> {
        let (text, from) = (core::mem::take(&mut flow.text), flow.from);
        let mut stream = Vec::new();
        for piece in text.chunks(RECORD) {
            self.sealed.plain_bytes += piece.len() as u64;
            let (at, number) = (flow.number * 2 + from, flow.records[from]);
            flow.records[from] += 1;
            let mut bytes = [piece, &[23]].concat();
            let [high, low] = (bytes.len() as u16 + 16).to_be_bytes();
            let header = [23, 3, 3, high, low];
            let nonce = Nonce::assume_unique_for_key(xor(self.sealed.ivs[at], number));
            self.sealed.keys[at].seal_in_place_append_tag(nonce, Aad::from(&header), &mut bytes).unwrap();
            stream.extend_from_slice(&header);
            stream.extend_from_slice(&bytes);
            self.sealed.records.push((at, number, header, bytes));
        }
        for (place, piece) in stream.chunks(SEGMENT).enumerate() {
            self.segment(key, flow, from, 0x18, piece)?;
            if place % 2 == 1 {
                self.segment(key, flow, 1 - from, 0x10, &[])?;
            }
        }
        Ok(())
    }

    fn segment(&mut self, key: &[u8; 12], flow: &mut Flow, from: usize, flags: u8, payload: &[u8]) -> io::Result<()> {
        let (client, server) = key.split_at(6);
        let (source, target) = if from == 0 { (client, server) } else { (server, client) };
        let mut packet = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0].to_vec();
        packet.extend((40 + payload.len() as u16).to_be_bytes());
        packet.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
        packet.extend([&source[..4], &target[..4], &source[4..], &target[4..]].concat());
        packet.extend(flow.seq[from].to_be_bytes());
        packet.extend(if flags == 2 { [0; 4] } else { flow.seq[1 - from].to_be_bytes() });
        packet.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        packet.extend(payload);
        flow.seq[from] += payload.len() as u32 + u32::from(flags & 3 != 0);
        self.micros += 7;
        let len = packet.len() as u32;
        for word in [(self.micros / 1_000_000) as u32, (self.micros % 1_000_000) as u32, len, len] {
            self.to.write_all(&word.to_le_bytes())?;
        }
        self.to.write_all(&packet)
    }
}

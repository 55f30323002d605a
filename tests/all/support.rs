//! What the tests on captures share: the samples, what the library tells of a capture as rows that can be compared, TCP
//! packets built anew, and random numbers that are always the same.

use core::convert::Infallible;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use wslens::analyzer::{Analyzer, Demand, Options};
use wslens::capture::{CaptureError, Input, LinkType, Packet};
use wslens::event::{Event, Frame, Identity, Message, Outcome, Sink, Summary, What};
use wslens::net::TcpFlags;
use wslens::types::{Direction, Endpoint, FindingCode, FindingSet, PacketRef, Role, Timestamp};
use wslens::websocket::{FrameHeader, Handshake, Opcode};

/// One folder of `samples/`.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) name: String,
    /// From the root of the package.
    pub(crate) capture: PathBuf,
    /// What the endpoints recorded, where they were real.
    pub(crate) truth: Option<Value>,
}

impl Sample {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        std::fs::read(&self.capture).unwrap()
    }

    /// One of its packets holds less than was on the wire, or bytes of a stream are missing.
    pub(crate) fn lacks_bytes(&self) -> bool {
        ["gap", "midstream", "snaplen"].contains(&self.name.as_str())
    }
}

/// All samples, by name. Tests run in the root of the package.
pub(crate) fn samples() -> Vec<Sample> {
    let mut folders: Vec<_> = folder(Path::new("samples")).into_iter().filter(|path| path.is_dir()).collect();
    folders.retain(|path| path.file_name().is_some_and(|name| name != "__pycache__"));
    assert!(folders.len() > 20, "samples/ is not complete");
    folders.iter().map(|path| sample(path)).collect()
}

fn sample(path: &Path) -> Sample {
    let captures: Vec<_> = folder(path).into_iter().filter(|path| file_name(path).starts_with("capture.")).collect();
    assert_eq!(captures.len(), 1, "{}: one capture.* is expected", path.display());
    Sample { name: file_name(path), capture: captures[0].clone(), truth: json(&path.join("truth.json")) }
}

/// What is in a folder, sorted.
pub(crate) fn folder(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A JSON file, if it is there.
pub(crate) fn json(path: &Path) -> Option<Value> {
    let text = std::fs::read(path).ok()?;
    Some(serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// A folder beside the package with captures that are too large, or not ours, to be part of it. `None`, recording that
/// the test is skipped, where it is absent.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let path = Path::new("../shared").join(path);
    if path.is_dir() {
        return Some(path);
    }
    super::common::skip::skip("captures in ../shared");
    None
}

/// Something the library told. Nothing in it depends on how bytes were cut into packets, or on time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Row {
    Upgraded(u64, Box<Handshake>),
    Refused(u64, Box<Handshake>),
    Frame(u64, Direction, FrameRow),
    Message(u64, Direction, MessageRow),
    Finding(u64, Option<Direction>, FindingRow),
    Closed(u64, Box<ClosedRow>),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FrameRow {
    pub(crate) number: u64,
    pub(crate) header: FrameHeader,
    pub(crate) message: Option<u64>,
    pub(crate) in_message: bool,
    pub(crate) fragment: u64,
    pub(crate) stream_offset: u64,
    pub(crate) payload: Vec<u8>,
    pub(crate) missing: u64,
    pub(crate) complete: bool,
    pub(crate) findings: FindingSet,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MessageRow {
    pub(crate) number: u64,
    pub(crate) opcode: Opcode,
    pub(crate) compressed: bool,
    pub(crate) frames: u64,
    pub(crate) wire_len: u64,
    pub(crate) len: Option<u64>,
    pub(crate) content: Vec<u8>,
    pub(crate) content_whole: bool,
    pub(crate) complete: bool,
    pub(crate) utf8: bool,
    pub(crate) close: Option<(Option<u16>, Vec<u8>)>,
    pub(crate) findings: FindingSet,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FindingRow {
    pub(crate) code: FindingCode,
    pub(crate) frame: Option<u64>,
    pub(crate) message: Option<u64>,
    pub(crate) detail: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ClosedRow {
    pub(crate) outcome: Outcome,
    pub(crate) closed_by: Option<Role>,
    pub(crate) close_code: Option<u16>,
    pub(crate) close_reason: Vec<u8>,
    pub(crate) clean: Option<bool>,
    pub(crate) frames: [u64; 2],
    pub(crate) messages: [u64; 2],
    pub(crate) wire_bytes: [u64; 2],
    pub(crate) bytes: [u64; 2],
    pub(crate) missing_bytes: [u64; 2],
    pub(crate) findings: Vec<(FindingCode, u64)>,
}

/// All that was told of a capture.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Told {
    pub(crate) rows: Vec<Row>,
    /// Client and server of each connection.
    pub(crate) ends: BTreeMap<u64, (Endpoint, Endpoint)>,
    /// The HTTP/2 stream of each connection.
    pub(crate) streams: BTreeMap<u64, Option<u64>>,
}

impl Told {
    pub(crate) fn messages(&self) -> impl Iterator<Item = (u64, Direction, &MessageRow)> {
        self.rows.iter().filter_map(|row| match row {
            Row::Message(connection, direction, message) => Some((*connection, *direction, message)),
            _ => None,
        })
    }

    pub(crate) fn handshakes(&self) -> impl Iterator<Item = (u64, &Handshake)> {
        self.rows.iter().filter_map(|row| match row {
            Row::Upgraded(connection, handshake) | Row::Refused(connection, handshake) => {
                Some((*connection, &**handshake))
            }
            _ => None,
        })
    }

    pub(crate) fn findings(&self) -> impl Iterator<Item = (u64, &FindingRow)> {
        self.rows.iter().filter_map(|row| match row {
            Row::Finding(connection, _, finding) => Some((*connection, finding)),
            _ => None,
        })
    }

    /// The names of all that was found, in order.
    pub(crate) fn codes(&self) -> Vec<&'static str> {
        self.findings().map(|(_, finding)| finding.code.as_str()).collect()
    }

    pub(crate) fn closed(&self) -> impl Iterator<Item = (u64, &ClosedRow)> {
        self.rows.iter().filter_map(|row| match row {
            Row::Closed(connection, closed) => Some((*connection, &**closed)),
            _ => None,
        })
    }
}

impl Sink for Told {
    type Error = Infallible;

    fn event(&mut self, event: &Event<'_>) -> Result<(), Infallible> {
        let Identity { number, client, server, stream_id, .. } = *event.connection;
        self.ends.insert(number, (client, server));
        self.streams.insert(number, stream_id);
        let direction = event.direction;
        self.rows.push(match event.what {
            What::Upgraded(handshake) => Row::Upgraded(number, timeless(handshake)),
            What::Refused(handshake) => Row::Refused(number, timeless(handshake)),
            What::Frame(frame) => Row::Frame(number, direction.unwrap(), frame_row(frame)),
            What::Message(message) => Row::Message(number, direction.unwrap(), message_row(message)),
            What::Finding(finding) => {
                let row = FindingRow {
                    code: finding.code,
                    frame: finding.frame,
                    message: finding.message,
                    detail: finding.detail.to_string(),
                };
                Row::Finding(number, finding.direction, row)
            }
            What::Closed(summary) => Row::Closed(number, Box::new(closed_row(summary))),
            _ => return Ok(()),
        });
        Ok(())
    }
}

fn timeless(handshake: &Handshake) -> Box<Handshake> {
    let mut handshake = Box::new(handshake.clone());
    if let Some(request) = &mut handshake.request {
        request.seen = PacketRef::default();
    }
    if let Some(response) = &mut handshake.response {
        response.seen = PacketRef::default();
    }
    handshake
}

fn frame_row(frame: &Frame<'_>) -> FrameRow {
    FrameRow {
        number: frame.number,
        header: frame.header,
        message: frame.message,
        in_message: frame.in_message,
        fragment: frame.fragment,
        stream_offset: frame.stream_offset,
        payload: frame.payload.to_vec(),
        missing: frame.missing,
        complete: frame.complete,
        findings: frame.findings,
    }
}

fn message_row(message: &Message<'_>) -> MessageRow {
    MessageRow {
        number: message.number,
        opcode: message.opcode,
        compressed: message.compressed,
        frames: message.frames,
        wire_len: message.wire_len,
        len: message.len,
        content: message.content.to_vec(),
        content_whole: message.content_whole,
        complete: message.complete,
        utf8: message.utf8,
        close: message.close.map(|close| (close.code, close.reason.to_vec())),
        findings: message.findings,
    }
}

fn closed_row(summary: &Summary) -> ClosedRow {
    let both = Direction::BOTH.map(|direction| summary.traffic.get(direction));
    ClosedRow {
        outcome: summary.outcome,
        closed_by: summary.closed_by,
        close_code: summary.close_code,
        close_reason: summary.close_reason.clone(),
        clean: summary.clean,
        frames: both.map(wslens::event::Traffic::frame_count),
        messages: both.map(wslens::event::Traffic::message_count),
        wire_bytes: both.map(|traffic| traffic.wire_bytes),
        bytes: both.map(|traffic| traffic.bytes),
        missing_bytes: both.map(|traffic| traffic.missing_bytes),
        findings: summary.findings.iter().map(|found| (found.code(), found.count)).collect(),
    }
}

/// All content, all payload.
pub(crate) fn options() -> Options {
    Options {
        demand: Demand { content_bytes: u64::MAX, frame_bytes: u64::MAX, ..Demand::default() },
        ..Options::default()
    }
}

/// What the library tells of a capture file, given the key log beside it, if there is one.
pub(crate) fn hear(path: &Path) -> Told {
    let mut told = Told::default();
    let keys = key_log(path).map(|path| std::fs::read(path).unwrap()).unwrap_or_default();
    let input = Input::open(&[path]).unwrap();
    feed(input, &keys, &mut told).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    told
}

/// The key log beside a capture: `keys.log`, or with the capture's name and the ending `.keys`.
pub(crate) fn key_log(capture: &Path) -> Option<PathBuf> {
    let candidates = [capture.with_file_name("keys.log"), capture.with_extension("keys")];
    candidates.into_iter().find(|path| path.is_file())
}

/// Gives all packets of an input to a sink, with a key log and the secrets that the capture carries.
pub(crate) fn feed<S: Sink<Error: core::fmt::Debug>>(
    mut input: Input,
    keys: &[u8],
    sink: &mut S,
) -> Result<(), CaptureError> {
    let mut analyzer = Analyzer::new(&options());
    analyzer.keys().add(keys);
    analyzer.expect_secrets(true);
    let ended = loop {
        match input.next_packet() {
            Ok(Some(packet)) => analyzer.packet(&packet, sink).unwrap(),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
        input.take_secrets().iter().for_each(|secrets| analyzer.keys().add(&secrets.bytes));
        analyzer.expect_secrets(input.may_have_secrets());
    };
    input.take_secrets().iter().for_each(|secrets| analyzer.keys().add(&secrets.bytes));
    analyzer.finish(sink).unwrap();
    ended
}

/// All secrets that belong to a capture: from the key log beside it, and those that it carries.
pub(crate) fn secrets(path: &Path) -> Vec<u8> {
    let mut keys = key_log(path).map(|path| std::fs::read(path).unwrap()).unwrap_or_default();
    let mut input = Input::open(&[path]).unwrap();
    while let Ok(Some(_)) = input.next_packet() {}
    input.take_secrets().iter().for_each(|secrets| keys.extend_from_slice(&secrets.bytes));
    keys
}

/// What the library tells of packets made by [`tcp_packet`], given these secrets of TLS.
pub(crate) fn hear_packets(packets: &[(Timestamp, Vec<u8>)], keys: &[u8]) -> Told {
    let mut told = Told::default();
    let mut analyzer = Analyzer::new(&options());
    analyzer.keys().add(keys);
    for (number, (at, bytes)) in (1..).zip(packets) {
        let original_len = u32::try_from(bytes.len()).unwrap();
        let packet = Packet { seen: PacketRef { packet: number, at: *at }, link: LinkType::RAW, bytes, original_len };
        analyzer.packet(&packet, &mut told).unwrap();
    }
    analyzer.finish(&mut told).unwrap();
    told
}

/// A TCP segment in an IP packet, without a link header (link type RAW).
pub(crate) fn tcp_packet(
    (src, dst): (Endpoint, Endpoint),
    (seq, ack): (u32, u32),
    flags: TcpFlags,
    payload: &[u8],
) -> Vec<u8> {
    let bits = u8::from(flags.fin) | u8::from(flags.syn) << 1 | u8::from(flags.rst) << 2 | u8::from(flags.ack) << 4;
    let mut tcp = Vec::with_capacity(20 + payload.len());
    tcp.extend_from_slice(&src.port.to_be_bytes());
    tcp.extend_from_slice(&dst.port.to_be_bytes());
    tcp.extend_from_slice(&seq.to_be_bytes());
    tcp.extend_from_slice(&ack.to_be_bytes());
    tcp.extend_from_slice(&[5 << 4, bits, 0xff, 0xff, 0, 0, 0, 0]);
    tcp.extend_from_slice(payload);
    let len = u16::try_from(tcp.len()).unwrap();
    let mut packet = Vec::with_capacity(40 + tcp.len());
    match (src.ip, dst.ip) {
        (std::net::IpAddr::V4(src), std::net::IpAddr::V4(dst)) => {
            packet.extend_from_slice(&[0x45, 0]);
            packet.extend_from_slice(&(len + 20).to_be_bytes());
            packet.extend_from_slice(&[0, 0, 0x40, 0, 64, 6, 0, 0]);
            packet.extend_from_slice(&src.octets());
            packet.extend_from_slice(&dst.octets());
        }
        (std::net::IpAddr::V6(src), std::net::IpAddr::V6(dst)) => {
            packet.extend_from_slice(&[0x60, 0, 0, 0]);
            packet.extend_from_slice(&len.to_be_bytes());
            packet.extend_from_slice(&[6, 64]);
            packet.extend_from_slice(&src.octets());
            packet.extend_from_slice(&dst.octets());
        }
        _ => panic!("{src} and {dst} are of two families"),
    }
    packet.extend_from_slice(&tcp);
    packet
}

/// Numbers that look random and are the same each time (SplitMix64).
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// A seed that a name gives.
    pub(crate) fn of(name: &str, seed: u64) -> Self {
        let mix = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        Self(name.bytes().fold(0xcbf2_9ce4_8422_2325, mix).wrapping_add(seed.wrapping_mul(0x2545_f491_4f6c_dd1d)))
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of 0 to `end` - 1; 0 if `end` is 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.bits() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, self.below(last + 1));
        }
    }
}

/// Does `work` on each item, on all cores. Panics if one did.
pub(crate) fn in_parallel<T: Sync>(items: &[T], work: impl Fn(&T) + Sync) {
    let next = core::sync::atomic::AtomicUsize::new(0);
    let cores = std::thread::available_parallelism().map_or(1, core::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, core::sync::atomic::Ordering::Relaxed)) {
                    work(item);
                }
            });
        }
    });
}

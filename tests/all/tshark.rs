//! Frames as tshark tells them: over the captures where it is right, and over conversations that were put in another
//! order, repeated and cut otherwise. `WSLENS_REARRANGEMENTS=1000` does that many; left out where there is no tshark.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use super::losses::lab::packets::{Raw, captures, look, pcap, read};
use super::losses::lab::random::Random;
use super::losses::lab::talk::{Kind, conversation, endpoint};
use super::losses::lab::watch::{Watch, analyse};
use crate::common::{ACK, PSH, Segment};

/// Captures of which tshark 4.0 does not tell what was sent: it inverts nothing here, it is left out.
const NOT_RIGHT: &[(&str, &str)] = &[
    ("gap", "bytes are missing: it goes on at the next segment as if that began with a frame"),
    ("snaplen96", "bytes are missing"),
    ("snaplen200", "bytes are missing"),
    ("cutfile", "it does not tell what the file ends in"),
    ("midstream", "it needs the handshake"),
    ("two-links", "it takes three copies of a connection for one"),
    ("proxy-connect-ws", "it does not look into a tunnel"),
    ("many-500", "nothing new, and slow"),
    // The samples, where there are no others.
    ("snaplen", "bytes are missing"),
    ("proxy-connect", "it does not look into a tunnel"),
    ("http2", "it does not put the streams' WebSockets together"),
    ("http2-flow-control", "the same"),
    ("http2-violations", "the same"),
    ("deflate-violations", "it stops at what cannot be inflated"),
    ("frame-violations", "a length above 2^63 is no frame that was whole"),
    ("oddities", "it stops at what HTTP does not allow"),
];

/// One frame: from where, fin, opcode, masked, payload length.
type Row = (String, bool, u8, bool, u64);

/// Frames by the packet of their last byte.
type Rows = BTreeMap<u64, Vec<Row>>;

fn is_there() -> bool {
    let there = Command::new("tshark").arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let there = there.is_ok_and(|status| status.success());
    if !there {
        super::common::skip::skip("the program tshark");
    }
    there
}

/// What tshark says of a capture.
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]
fn tshark(raws: &[Raw]) -> Rows {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), pcap(raws)).unwrap();
    let mut command = Command::new("tshark");
    command.arg("-r").arg(file.path()).args([
        "-o",
        "tcp.reassemble_out_of_order:TRUE",
        "-Y",
        "websocket",
        "-T",
        "fields",
    ]);
    let fields = ["fin", "opcode", "mask", "payload_length", "payload_length_ext_16", "payload_length_ext_64"];
    command.args(["-e", "frame.number", "-e", "tcp.srcport", "-e", "tcp.dstport"]);
    command.args(fields.iter().flat_map(|field| ["-e".to_owned(), format!("websocket.{field}")]));
    let output = command.args(["-E", "occurrence=a"]).stderr(Stdio::null()).output().unwrap();
    let mut rows = Rows::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let cells: Vec<Vec<&str>> = line.split('\t').map(|cell| cell.split(',').collect()).collect();
        let (mut short, mut long) = (cells[7].iter(), cells[8].iter());
        let packet = rows.entry(cells[0][0].parse().unwrap()).or_default();
        for (number, len) in cells[6].iter().enumerate() {
            let len = match *len {
                "126" => short.next().unwrap_or(&"0"),
                "127" => long.next().unwrap_or(&"0"),
                len => len,
            };
            let flag = |column: usize| matches!(cells[column].get(number), Some(&("1" | "True")));
            let opcode = cells[4].get(number).and_then(|cell| cell.parse().ok()).unwrap_or(99);
            packet.push((
                format!("{} to {}", cells[1][0], cells[2][0]),
                flag(3),
                opcode,
                flag(5),
                len.parse().unwrap_or(u64::MAX),
            ));
        }
    }
    rows
}

/// What is said here, in the same words: the frames of each sender, in order.
fn ours(watch: &Watch) -> BTreeMap<String, Vec<(u64, Row)>> {
    let mut senders: BTreeMap<String, Vec<(u64, Row)>> = BTreeMap::new();
    for (way, frames) in &watch.frames {
        let name = format!("{} to {}", way.src().port, way.dst().port);
        for frame in frames.iter().filter(|frame| frame.complete) {
            let (header, sender) = (&frame.header, name.clone());
            let masked = header.masking_key.is_some();
            let row = (sender, header.fin, header.opcode.bits(), masked, header.payload_len);
            senders.entry(name.clone()).or_default().push((frame.last, row));
        }
    }
    senders
}

/// How two tellings of a capture compare.
#[derive(Debug, Default)]
struct Verdict {
    /// Frames told alike, in the same packet.
    same: usize,
    /// Told alike, but by tshark in a later packet: the one that filled a hole before the frame's last byte, or brought that
    /// byte again. Here a frame's last packet is the first that carried its last byte.
    later: usize,
    differ: Vec<String>,
}

impl Verdict {
    fn add(&mut self, other: Self) {
        self.same += other.same;
        self.later += other.later;
        self.differ.extend(other.differ);
    }
}

/// The frames of each sender, in order, each with its packet.
fn by_sender(rows: &Rows) -> BTreeMap<String, Vec<(u64, Row)>> {
    let mut senders: BTreeMap<String, Vec<(u64, Row)>> = BTreeMap::new();
    for (packet, row) in rows.iter().flat_map(|(packet, rows)| rows.iter().map(move |row| (*packet, row))) {
        senders.entry(row.0.clone()).or_default().push((packet, row.clone()));
    }
    senders
}

fn compare(name: &str, raws: &[Raw]) -> Verdict {
    let (theirs, ours) = (tshark(raws), ours(&analyse(raws)));
    let mut verdict = Verdict::default();
    let theirs = by_sender(&theirs);
    for sender in theirs.keys().chain(ours.keys().filter(|sender| !theirs.contains_key(*sender))) {
        let none = Vec::new();
        let (theirs, ours) = (theirs.get(sender).unwrap_or(&none), ours.get(sender).unwrap_or(&none));
        if theirs.len() != ours.len() || theirs.iter().zip(ours).any(|(their, our)| their.1 != our.1 || their.0 < our.0)
        {
            let at = theirs.iter().zip(ours).position(|(their, our)| their.1 != our.1 || their.0 < our.0);
            let at = at.unwrap_or(theirs.len().min(ours.len()));
            verdict.differ.push(format!(
                "{name}, {sender}: {} by tshark, {} here; first {:?}, {:?}",
                theirs.len(),
                ours.len(),
                theirs.get(at),
                ours.get(at)
            ));
            continue;
        }
        let same = theirs.iter().zip(ours).filter(|(their, our)| their.0 == our.0).count();
        verdict.same += same;
        verdict.later += ours.len() - same;
    }
    verdict
}

#[test]
fn captures_are_told_as_tshark_tells_them() {
    if !is_there() {
        return;
    }
    let mut all = Verdict::default();
    for (name, path) in captures(&[]) {
        if NOT_RIGHT.iter().all(|(not, _)| *not != name) {
            all.add(compare(&name, &read(&path)));
        }
    }
    println!("captures: {} frames agree, {} but for a later packet", all.same, all.later);
    assert!(all.differ.is_empty(), "{:#?}", all.differ);
}

/// Data segments cut otherwise, some repeated, neighbours of one direction exchanged.
#[allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "a test")]
fn rearrange(raws: &[Raw], random: &mut Random) -> Vec<Raw> {
    let mut out: Vec<Raw> = Vec::new();
    for (number, raw) in raws.iter().enumerate() {
        let Some(tcp) = raw.tcp.filter(|tcp| tcp.len > 1 && number > 6 && random.one_in(3)) else {
            out.push(raw.clone());
            continue;
        };
        let payload = &raw.bytes[raw.bytes.len() - tcp.len..];
        let ack = u32::from_be_bytes([raw.bytes[42], raw.bytes[43], raw.bytes[44], raw.bytes[45]]);
        let cut = random.between(1, tcp.len - 1);
        let piece = |from: usize, to: usize| {
            let seq = tcp.seq.wrapping_add(from as u32);
            let payload = &payload[from..to];
            let bytes = Segment { src: tcp.src, dst: tcp.dst, seq, ack, flags: PSH | ACK, payload }.ethernet();
            Raw { original_len: bytes.len() as u32, bytes, ..raw.clone() }
        };
        let mut pieces = vec![piece(0, cut), piece(cut, tcp.len)];
        match random.below(4) {
            0 => pieces.swap(0, 1),
            1 => pieces.push(piece(0, cut)),
            _ => {}
        }
        out.extend(pieces);
    }
    let mut at = 8;
    while at + 1 < out.len() {
        let data = |raw: &Raw| raw.tcp.filter(|tcp| tcp.len > 0).map(|tcp| tcp.src);
        if data(&out[at]).is_some() && data(&out[at]) == data(&out[at + 1]) && random.one_in(4) {
            out.swap(at, at + 1);
            at += 1;
        }
        at += 1;
    }
    for (number, raw) in out.iter_mut().enumerate() {
        raw.number = number as u64 + 1;
        raw.at = raws[0].at + number as i64 * 50_000;
    }
    look(&mut out);
    out
}

#[test]
fn rearrangements_are_told_as_tshark_tells_them() {
    if !is_there() {
        return;
    }
    let count = std::env::var_os("WSLENS_REARRANGEMENTS").and_then(|count| count.to_str()?.parse().ok()).unwrap_or(24);
    let kinds =
        [Kind::SmallText, Kind::SmallBinary, Kind::LargeBinary, Kind::Fragmented, Kind::Protobuf, Kind::TinyText];
    let mut all = Verdict::default();
    // Several connections in a file: starting tshark takes longer than its work.
    for batch in 0..(count as usize).div_ceil(24) {
        let mut raws = Vec::new();
        for number in 0..24 {
            let random = &mut Random::new((batch * 24 + number) as u64);
            let ends = (endpoint(1, 50_000 + u16::try_from(number).unwrap()), endpoint(2, 8080));
            let one = conversation(kinds[number % kinds.len()], 20, ends, random);
            raws.extend(rearrange(&one, random));
        }
        for (number, raw) in raws.iter_mut().enumerate() {
            raw.number = number as u64 + 1;
        }
        all.add(compare(&format!("batch {batch}"), &raws));
    }
    println!("{count} rearrangements: {} frames agree, {} but for a later packet", all.same, all.later);
    assert!(all.differ.is_empty(), "{:#?}", &all.differ[..all.differ.len().min(12)]);
}

//! Any cut gives the same events: each sample's TCP streams are cut into other packets, reordered, sent twice, sent again
//! with other borders, and wslens must tell the same frames, messages, findings and ends. Only packet numbers and times
//! may differ.
//!
//! A sample is taken apart by a reassembler that is obviously right ([`Flow`]): it keeps all bytes of a direction at their
//! offsets, and what becomes contiguous is a [`Turn`]. Between turns nothing is moved, so that the order of both
//! directions, and with it the numbers of frames and messages, stays; within a turn everything goes.

use core::ops::Range;
use std::collections::BTreeMap;

use wslens::capture::Input;
use wslens::net::{Decoder, Segment, Transport};
use wslens::types::{Endpoint, FindingCode, Limits, Timestamp};

use super::support::{Random, Sample, in_parallel, record_file, record_packets, samples, secrets};
use crate::common::packets::{ACK, FIN, RST, SYN, Segment as Written};
use crate::common::{Recorder, Row};

/// Streams longer than this are not cut into single bytes.
const MAX_SINGLE_BYTES: usize = 40_000;
/// The longest payload that is put into one packet.
const MAX_PAYLOAD: usize = 60_000;

/// Something that one side did, and that the other side got at this place of the capture.
#[derive(Debug, Clone)]
struct Turn {
    at: Timestamp,
    connection: usize,
    /// 0: who sent the first SYN; 1: the other.
    side: usize,
    act: Act,
}

#[derive(Debug, Clone)]
enum Act {
    Syn,
    Data(Range<usize>),
    Fin,
    Rst,
}

/// One direction of one connection.
#[derive(Debug, Default)]
struct Flow {
    isn: Option<u32>,
    stream: Vec<u8>,
    held: BTreeMap<usize, Vec<u8>>,
    fin: Option<usize>,
    over: bool,
}

#[derive(Debug)]
struct Connection {
    ends: [Endpoint; 2],
    flows: [Flow; 2],
    /// Bytes are missing, or two copies of some differ: not for this test.
    broken: bool,
}

/// A capture as what its endpoints did.
#[derive(Debug, Default)]
struct Script {
    connections: Vec<Connection>,
    turns: Vec<Turn>,
    /// The capture has something that the script has not.
    lossy: bool,
}

impl Script {
    fn of(sample: &Sample) -> Self {
        let mut script = Self::default();
        let mut newest = BTreeMap::new();
        let mut decoder = Decoder::new(&Limits::default());
        let mut input = Input::open(&[&sample.capture]).unwrap();
        while let Some(packet) = input.next_packet().unwrap() {
            if let Some(Transport::Tcp(segment)) = decoder.decode(&packet) {
                script.segment(&segment, &mut newest);
            }
        }
        for connection in &mut script.connections {
            connection.broken |= connection.flows.iter().any(|flow| !flow.held.is_empty());
        }
        script.lossy |= script.connections.iter().any(|connection| connection.broken);
        let Self { connections, turns, .. } = &mut script;
        turns.retain(|turn| !connections[turn.connection].broken);
        script
    }

    fn segment(&mut self, segment: &Segment<'_>, newest: &mut BTreeMap<[Endpoint; 2], usize>) {
        let mut key = [segment.src, segment.dst];
        key.sort();
        if segment.flags.syn && !segment.flags.ack {
            let known = newest.get(&key).map(|index| &self.connections[*index].flows[0]);
            if known.is_none_or(|flow| flow.isn != Some(segment.seq.0)) {
                newest.insert(key, self.connections.len());
                let ends = [segment.src, segment.dst];
                self.connections.push(Connection { ends, flows: Default::default(), broken: false });
            }
        }
        let Some(&index) = newest.get(&key) else {
            self.lossy = true;
            return;
        };
        let connection = &mut self.connections[index];
        let side = usize::from(segment.src != connection.ends[0]);
        let acts = connection.flows[side].take(segment);
        connection.broken |= acts.is_none();
        let turn = |act| Turn { at: segment.seen.at, connection: index, side, act };
        self.turns.extend(acts.unwrap_or_default().into_iter().map(turn));
    }

    /// Turns of one side with nothing in between become one.
    fn joined(&self) -> Vec<Turn> {
        let mut turns: Vec<Turn> = Vec::new();
        for turn in &self.turns {
            if let (Some(last), Act::Data(more)) = (turns.last_mut(), &turn.act)
                && (last.connection, last.side) == (turn.connection, turn.side)
                && let Act::Data(range) = &mut last.act
                && more.end - range.start <= MAX_PAYLOAD
            {
                range.end = more.end;
                last.at = turn.at;
            } else {
                turns.push(turn.clone());
            }
        }
        turns
    }

    /// Writes packets anew. `cut` says for each turn with data which
    /// pieces of the stream are sent, in order.
    fn packets(
        &self,
        turns: &[Turn],
        mut cut: impl FnMut(Range<usize>) -> Vec<Range<usize>>,
    ) -> Vec<(Timestamp, Vec<u8>)> {
        let mut packets = Vec::new();
        // What each side has sent so far, in sequence numbers; those of one begin just before they wrap.
        let isns = |index: usize| [u32::MAX - 300 - u32::try_from(index).unwrap(), 0x7fff_fff0];
        let mut next: Vec<[u32; 2]> = (0..self.connections.len()).map(isns).collect();
        for turn in turns {
            let Connection { ends, flows, .. } = &self.connections[turn.connection];
            let isn = isns(turn.connection)[turn.side];
            let next = &mut next[turn.connection];
            let (mine, other) = (turn.side, 1 - turn.side);
            let mut send = |seq, flags, payload: &[u8]| {
                let (src, dst, ack) = (ends[mine], ends[other], next[other]);
                packets.push((turn.at, Written { src, dst, seq, ack, flags, payload }.ip()));
            };
            match &turn.act {
                Act::Syn => {
                    send(isn, if mine == 1 { SYN | ACK } else { SYN }, &[]);
                    next[mine] = isn.wrapping_add(1);
                }
                Act::Data(range) => {
                    let place = |offset: usize| isn.wrapping_add(1).wrapping_add(u32::try_from(offset).unwrap());
                    for piece in cut(range.clone()) {
                        send(place(piece.start), ACK, &flows[mine].stream[piece]);
                    }
                    next[mine] = place(range.end);
                }
                Act::Fin => {
                    send(next[mine], FIN | ACK, &[]);
                    next[mine] = next[mine].wrapping_add(1);
                }
                Act::Rst => send(next[mine], RST | ACK, &[]),
            }
        }
        packets
    }

    fn bytes(&self) -> usize {
        self.connections.iter().flat_map(|connection| &connection.flows).map(|flow| flow.stream.len()).sum()
    }
}

impl Flow {
    /// Takes a segment; says what has become contiguous. `None` if this is not a stream for us.
    fn take(&mut self, segment: &Segment<'_>) -> Option<Vec<Act>> {
        let mut acts = Vec::new();
        if segment.flags.syn && self.isn.replace(segment.seq.0).is_none() {
            acts.push(Act::Syn);
        }
        if segment.cut > 0 {
            return None;
        }
        if self.over {
            return Some(acts);
        }
        if segment.flags.rst {
            self.over = true;
            acts.push(Act::Rst);
            return Some(acts);
        }
        let first = self.isn?.wrapping_add(1);
        // Keep-alives probe the byte before.
        let offset = usize::try_from(segment.seq.0.wrapping_sub(first)).unwrap();
        if !segment.payload.is_empty() && !segment.flags.syn && offset < 1 << 31 {
            self.held.entry(offset).or_default();
            let held = self.held.get_mut(&offset)?;
            if held.len() < segment.payload.len() {
                *held = segment.payload.to_vec();
            }
        }
        if segment.flags.fin {
            self.fin = Some(offset + segment.payload.len());
        }
        let before = self.stream.len();
        while let Some(entry) = self.held.first_entry().filter(|entry| *entry.key() <= self.stream.len()) {
            let (offset, bytes) = entry.remove_entry();
            let known = self.stream.len().min(offset + bytes.len()) - offset;
            if self.stream[offset..offset + known] != bytes[..known] {
                return None;
            }
            self.stream.extend_from_slice(&bytes[known..]);
        }
        if self.stream.len() > before {
            acts.push(Act::Data(before..self.stream.len()));
        }
        if self.fin == Some(self.stream.len()) {
            self.over = true;
            acts.push(Act::Fin);
        }
        Some(acts)
    }
}

/// Random pieces of a range, small ones more often.
fn pieces(range: Range<usize>, random: &mut Random) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let mut start = range.start;
    while start < range.end {
        let most = [1, 2, 3, 14, 125, 1460, MAX_PAYLOAD][random.below(7)].min(range.end - start);
        let end = start + 1 + random.below(most);
        pieces.push(start..end);
        start = end;
    }
    pieces
}

/// How far an `inflate_ratio` had come in the first packet that shows it is about that packet.
fn rows(recorder: &Recorder) -> Vec<Row> {
    let mut rows = recorder.rows();
    for row in &mut rows {
        if let Row::Finding(finding) = row
            && finding.code == FindingCode::InflateRatio.as_str()
        {
            finding.detail.clear();
        }
    }
    rows
}

/// The first row in which they differ.
fn assert_same(name: &str, found: &[Row], expected: &[Row]) {
    let at = found.iter().zip(expected).position(|(one, other)| one != other);
    if let Some(at) = at {
        panic!("{name}, row {at}:\n{:#?}\ninstead of\n{:#?}", found[at], expected[at]);
    }
    assert_eq!(found.len(), expected.len(), "{name}: rows are missing, or too many");
}

#[test]
fn any_cut_gives_the_same_events() {
    in_parallel(&samples(), |sample| {
        let script = Script::of(sample);
        let name = &sample.name;
        let lossy = ["oddities", "deflate-violations", "http2-violations"].contains(&name.as_str());
        assert_eq!(script.lossy, sample.lacks_bytes() || lossy);
        if script.turns.is_empty() {
            assert!(sample.lacks_bytes(), "{name}: nothing is left to cut");
            return;
        }
        let keys = secrets(&sample.capture);
        let as_it_came = rows(&record_packets(&script.packets(&script.turns, |range| vec![range]), &keys));
        assert!(!as_it_came.is_empty(), "{name}");
        if !script.lossy {
            assert_same(&format!("{name}, anew"), &as_it_came, &rows(&record_file(&sample.capture)));
        }
        let joined = script.joined();
        let check = |kind: &str, packets: Vec<_>| {
            assert_same(&format!("{name}, {kind}"), &rows(&record_packets(&packets, &keys)), &as_it_came);
        };
        check("joined", script.packets(&joined, |range| vec![range]));
        if script.bytes() <= MAX_SINGLE_BYTES {
            check("byte by byte", script.packets(&joined, |range| range.map(|at| at..at + 1).collect()));
        }
        for seed in 0..3 {
            let random = &mut Random::of(name, seed);
            check("cut at random", script.packets(&joined, |range| pieces(range, random)));
            let shuffled = |range| {
                let mut pieces = pieces(range, random);
                random.shuffle(&mut pieces);
                pieces
            };
            check("out of order", script.packets(&joined, shuffled));
            let twice = |range: Range<usize>| {
                let mut list = [pieces(range.clone(), random), pieces(range, random)].concat();
                random.shuffle(&mut list);
                list
            };
            check("twice, out of order", script.packets(&joined, twice));
            let again = |range: Range<usize>| {
                let mut list = pieces(range.clone(), random);
                for piece in &mut list {
                    piece.start -= random.below(piece.start.min(2000) + 1);
                }
                let back = range.start - random.below(range.start.min(4000) + 1);
                list.push(back..range.end.min(back + MAX_PAYLOAD));
                list
            };
            check("again, with other borders", script.packets(&joined, again));
        }
    });
}

//! Any segments of one connection: chunks follow one another, contain only bytes that were captured, and no captured byte
//! is called missing. The model is a map from each place to the byte that was captured there.
//!
//! The script: a byte of options, two of sequence numbers, then segments: flags, where, how long, time.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use wslens::net::{Segment, SeqNumber, TcpFlags};
use wslens::stream::{Chunk, EndReason, Interest, Run};
use wslens::tcp::{Anomaly, Flow, Handler, Table};
use wslens::types::{Direction, Endpoint, Limits, PacketRef, PerDirection, Timestamp};

use super::script::Script;

const CLIENT: Endpoint = Endpoint { ip: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), port: 40_000 };
const SERVER: Endpoint = Endpoint { ip: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)), port: 80 };

pub(crate) fn reassembly(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let options = script.byte();
    // An honest connection has a handshake, one value for each byte, and segments near where they belong.
    let honest = options & 1 == 0;
    let limits = if options & 2 == 0 { Limits::default() } else { tight() };
    let first = [u32::from(script.number()) << 16 | 0xff00, u32::from(script.number()) << 16 | 0xfff0];
    let mut model = Model { honest, generous: options & 2 == 0, ..Model::default() };
    let mut table = Table::new(&limits);
    let mut wire = Wire { first, seen: PacketRef { packet: 0, at: Timestamp::from_nanos(0) } };
    if honest {
        for (from, flags) in [(0, SYN), (1, SYN_ACK), (0, ACK)] {
            let seq = if flags.syn { wire.first[from].wrapping_sub(1) } else { wire.first[from] };
            let segment = wire.segment(from, seq, flags, 0, 0, &[]);
            table.segment(&segment, &mut model);
        }
    }
    while !script.is_over() {
        step(&mut script, &mut wire, &mut table, &mut model);
        let most = limits.max_memory_bytes.saturating_add(1 << 20);
        assert!(table.held() <= most, "holds {}", table.held());
    }
    let seen = wire.seen;
    table.finish(seen, &mut model);
    assert_eq!(table.held(), 0, "nothing is held after the end");
    assert_eq!(model.open, 0, "every connection that was opened has ended");
}

fn tight() -> Limits {
    Limits {
        max_held_bytes: 256,
        max_held_segments: 4,
        max_memory_bytes: 1 << 10,
        max_unacked_bytes: 128,
        max_acked_bytes: 32,
        max_connections: 2,
        ..Limits::default()
    }
}

const ACK: TcpFlags = TcpFlags { syn: false, ack: true, fin: false, rst: false };
const SYN: TcpFlags = TcpFlags { syn: true, ack: false, fin: false, rst: false };
const SYN_ACK: TcpFlags = TcpFlags { syn: true, ack: true, fin: false, rst: false };

/// One segment of the script.
fn step(script: &mut Script<'_>, wire: &mut Wire, table: &mut Table<State>, model: &mut Model) {
    let kind = script.byte();
    let from = usize::from(kind & 1);
    let (at, acked, len) = (script.number(), script.number(), usize::from(script.byte()));
    wire.seen.at = Timestamp::from_nanos(wire.seen.at.as_nanos() + i64::from(kind >> 6) * 40_000_000);
    let mut flags = TcpFlags { ack: kind & 2 == 0, fin: kind & 0b1100 == 0b1100, ..TcpFlags::default() };
    let direction = if from == 0 { Direction::ToServer } else { Direction::ToClient };
    let mut at = u32::from(at);
    let mut payload: Vec<u8> = (at..).take(len).map(|place| byte_at(direction, place.into())).collect();
    let mut cut = 0;
    if model.honest {
        // Copies never differ, and there is no FIN.
        flags.fin = false;
        if kind & 0b10_0000 != 0 {
            cut = u32::try_from(len / 2).unwrap_or(0);
            payload.truncate(len - len / 2);
            let cut_from = u64::from(at) + payload.len() as u64;
            model.cut.get_mut(direction).extend((cut_from..).take(len / 2));
        }
        if len > 1 || cut > 0 {
            model.captured.get_mut(direction).extend((u64::from(at)..).zip(payload.iter().copied()));
        } else {
            payload.clear();
            cut = 0;
        }
    } else {
        flags.rst = kind & 0b11_1100 == 0b10_0000;
        flags.syn = kind & 0b11_1100 == 0b01_0000;
        if kind & 0b11_1100 == 0b10_0100 {
            at = at.wrapping_mul(0x1_0001);
        }
        if kind & 0b11_1100 == 0b10_1000 {
            cut = u32::from(acked) << 8;
        }
        if kind & 0b11_1100 == 0b01_0100 {
            payload.fill(0xee);
        }
    }
    let seq = wire.first[from].wrapping_add(at);
    let ack = wire.first[1 - from].wrapping_add(acked.into());
    let mut segment = wire.segment(from, seq, flags, ack, cut, &payload);
    if !model.honest && kind & 0b11_1100 == 0b01_1000 {
        segment.src.port ^= 1;
    }
    table.segment(&segment, model);
}

/// The byte that the sender of a direction has at each place.
fn byte_at(direction: Direction, place: u64) -> u8 {
    let mixed = (place ^ (direction as u64) << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed.to_be_bytes()[0]
}

struct Wire {
    first: [u32; 2],
    seen: PacketRef,
}

impl Wire {
    fn segment<'p>(
        &mut self,
        from: usize,
        seq: u32,
        flags: TcpFlags,
        ack: u32,
        cut: u32,
        payload: &'p [u8],
    ) -> Segment<'p> {
        self.seen.packet += 1;
        let ack = if ack == 0 { self.first[1 - from] } else { ack };
        let (src, dst) = if from == 0 { (CLIENT, SERVER) } else { (SERVER, CLIENT) };
        let (seq, ack) = (SeqNumber(seq), SeqNumber(ack));
        Segment { src, dst, seq, ack, flags, window: 1000, seen: self.seen, payload, cut }
    }
}

/// What was captured, and how many connections are open.
#[derive(Default)]
struct Model {
    honest: bool,
    generous: bool,
    captured: PerDirection<BTreeMap<u64, u8>>,
    /// Places that some segment had cut off: these may be a gap, even if another segment has them.
    cut: PerDirection<BTreeSet<u64>>,
    open: u64,
}

/// How far each direction of a connection has been delivered.
#[derive(Default)]
struct State {
    next: PerDirection<u64>,
    ended: PerDirection<bool>,
}

impl Handler for Model {
    type State = State;

    fn opened(&mut self, _: &Flow) -> State {
        self.open += 1;
        State::default()
    }

    fn chunk(&mut self, _: &mut Flow, state: &mut State, direction: Direction, chunk: Chunk<'_>) -> Interest {
        assert!(!*state.ended.get(direction), "nothing comes after the end");
        let next = state.next.get_mut(direction);
        assert_eq!(chunk.offset, *next, "each chunk follows the one before");
        let captured = self.captured.get(direction);
        match chunk.run {
            Run::Data(bytes) => {
                assert!(!bytes.is_empty());
                if self.honest {
                    for (place, byte) in (*next..).zip(bytes) {
                        assert_eq!(captured.get(&place), Some(byte), "{direction} {place}: as captured");
                    }
                }
                *next += bytes.len() as u64;
            }
            Run::Gap(len) => {
                let len = len.unwrap_or(0);
                if self.honest {
                    assert!(len > 0, "a gap of an honest connection has a length");
                    let cut = self.cut.get(direction);
                    let there = captured.range(*next..*next + len).find(|(place, _)| !cut.contains(place));
                    assert_eq!(there, None, "{direction} {next}+{len}: called missing, and was captured");
                }
                *next += len;
            }
            Run::End(_) => {
                *state.ended.get_mut(direction) = true;
                if self.honest && self.generous {
                    assert_eq!(captured.range(*next..).next(), None, "{direction} {next}: ends before the last byte");
                }
            }
        }
        Interest::Keep
    }

    fn anomaly(&mut self, _: &Flow, _: &mut State, _: Direction, anomaly: Anomaly, _: PacketRef) {
        assert!(!self.honest, "no copies differ: {anomaly:?}");
    }

    fn ended(&mut self, _: &Flow, state: State, _: EndReason, _: PacketRef) {
        assert!(Direction::BOTH.into_iter().all(|direction| *state.ended.get(direction)), "both directions end first");
        self.open -= 1;
    }
}

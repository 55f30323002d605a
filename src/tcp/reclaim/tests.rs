use std::collections::BTreeSet;

use super::*;
use crate::net::{Segment, SeqNumber, TcpFlags};
use crate::stream::{Chunk, EndReason, Interest, Run};
use crate::tcp::{Anomaly, Flow};
use crate::types::{Direction, Endpoint, Limits, Timestamp};

const MIB: usize = 1 << 20;

/// Keeps all bytes of every connection until it is asked to let go; cherishes those that say `ws`.
#[derive(Default)]
struct Hoarder {
    kept: usize,
    /// Ports of clients whose connections shed, and those that were ended.
    shed: Vec<u16>,
    ended: BTreeSet<u16>,
}

impl Handler for Hoarder {
    type State = Vec<u8>;

    fn opened(&mut self, _: &Flow) -> Vec<u8> {
        Vec::new()
    }

    fn chunk(&mut self, _: &mut Flow, state: &mut Vec<u8>, _: Direction, chunk: Chunk<'_>) -> Interest {
        let Run::Data(bytes) = chunk.run else { return Interest::Keep };
        state.extend_from_slice(bytes);
        self.kept += bytes.len();
        if bytes.starts_with(b"ws") { Interest::Retain } else { Interest::Keep }
    }

    fn anomaly(&mut self, _: &Flow, _: &mut Vec<u8>, _: Direction, _: Anomaly, _: PacketRef) {}

    fn ended(&mut self, flow: &Flow, state: Vec<u8>, _: EndReason, _: PacketRef) {
        self.kept -= state.len();
        self.ended.insert(flow.carrier.client.port);
    }

    fn held(&self) -> usize {
        self.kept
    }

    fn sheddable_bytes(&self, state: &Vec<u8>, _: Depth) -> usize {
        state.len()
    }

    fn shed(&mut self, flow: &Flow, state: &mut Vec<u8>, _: Depth, _: PacketRef) -> Interest {
        self.kept -= state.len();
        *state = Vec::new();
        self.shed.push(flow.carrier.client.port);
        Interest::Keep
    }
}

struct Rig {
    table: Table<Vec<u8>>,
    hoarder: Hoarder,
    seen: PacketRef,
}

fn rig(max_memory_bytes: usize) -> Rig {
    let limits = Limits { max_memory_bytes, max_acked_bytes: 0, max_unacked_bytes: 0, ..Limits::default() };
    Rig { table: Table::new(&limits), hoarder: Hoarder::default(), seen: PacketRef::default() }
}

impl Rig {
    /// Bytes from a client at `port`, `at` bytes into its stream.
    fn send(&mut self, port: u16, at: u32, payload: &[u8]) {
        self.segment(port, at, TcpFlags { ack: true, ..TcpFlags::default() }, payload);
    }

    fn syn(&mut self, port: u16) {
        self.segment(port, u32::MAX, TcpFlags { syn: true, ..TcpFlags::default() }, &[]);
    }

    fn segment(&mut self, port: u16, seq: u32, flags: TcpFlags, payload: &[u8]) {
        self.seen.packet += 1;
        self.seen.at = Timestamp::from_nanos(self.seen.at.as_nanos() + 1_000);
        let end = |port| Endpoint { ip: [10, 0, 0, 1].into(), port };
        let segment = Segment {
            src: end(port),
            dst: end(80),
            seq: SeqNumber(seq),
            ack: SeqNumber(0),
            flags,
            window: 0,
            seen: self.seen,
            payload,
            cut: 0,
        };
        self.table.segment(&segment, &mut self.hoarder);
        let load = self.table.footprint() + self.hoarder.kept;
        assert!(load <= self.table.budget.shares.strained, "{load}");
        assert_eq!(self.table.footprint(), self.table.recount());
    }
}

#[test]
fn who_keeps_most_pays_whoever_has_the_packet() {
    let mut rig = rig(MIB);
    for port in 1000..1010 {
        rig.send(port, 0, &[b'm'; 1000]);
    }
    // Two that hoard, and one packet of a modest one that is one too many.
    for at in 0..6 {
        rig.send(2000, at * 60_000, &vec![b'a'; 60_000]);
        rig.send(2001, at * 60_000, &vec![b'b'; 60_000]);
    }
    assert!(rig.hoarder.shed.is_empty());
    for at in 1.. {
        if !rig.hoarder.shed.is_empty() {
            break;
        }
        for port in 1000..1010 {
            rig.send(port, at * 1000, &[b'm'; 1000]);
        }
    }
    assert_eq!(rig.hoarder.shed, [2000], "of two that keep as much, the one that was silent longer");
    assert!(rig.hoarder.ended.is_empty() && rig.table.evictions() == 0);
}

#[test]
fn websockets_pay_last() {
    let mut rig = rig(MIB);
    rig.send(9_000, 0, b"ws");
    for at in 0..8 {
        rig.send(9_000, 2 + at * 60_000, &vec![b'w'; 60_000]);
    }
    for port in 1000..1100 {
        rig.send(port, 0, &vec![b'x'; 10_000]);
    }
    assert!(rig.hoarder.shed.len() >= 30 && !rig.hoarder.shed.contains(&9_000), "{:?}", rig.hoarder.shed);
    // When nobody else has anything, they do.
    for at in 8..30 {
        rig.send(9_000, 2 + at * 60_000, &vec![b'w'; 60_000]);
    }
    assert!(rig.hoarder.shed.contains(&9_000));
    assert_eq!(rig.table.evictions(), 0);
}

#[test]
fn segments_behind_holes_are_given_up() {
    let mut rig = rig(MIB);
    for port in 1000..1100 {
        rig.send(port, 0, b"x");
        rig.send(port, 2, &vec![b'y'; 20_000]);
    }
    // Handed up with a gap, they are the listener's, who let them go.
    assert!(rig.hoarder.shed.len() >= 50, "{}", rig.hoarder.shed.len());
    rig.table.finish(rig.seen, &mut rig.hoarder);
    assert_eq!((rig.table.footprint(), rig.hoarder.kept, rig.hoarder.ended.len()), (0, 0, 100));
}

#[test]
fn a_flood_of_syns_pays_before_anybody_who_speaks() {
    let mut rig = rig(4 * MIB);
    rig.send(9_000, 0, b"ws");
    for at in 0..30 {
        rig.send(9_000, 2 + at * 60_000, &vec![b'w'; 60_000]);
    }
    for port in 10_000..30_000 {
        rig.syn(port);
    }
    assert!(rig.hoarder.shed.is_empty() && rig.hoarder.ended.is_empty());
    assert!(rig.table.evictions() > 1000, "{}", rig.table.evictions());
}

#[test]
fn when_nothing_can_be_shed_connections_go() {
    let mut rig = rig(MIB);
    for port in 9_000..12_000 {
        rig.send(port, 0, b"w");
    }
    assert!(
        rig.hoarder.ended.len() > 100 && rig.hoarder.ended.contains(&9_000) && !rig.hoarder.ended.contains(&11_999)
    );
    assert_eq!(rig.table.evictions(), rig.hoarder.ended.len() as u64);
}

#[test]
fn the_threshold_frees_enough() {
    let mut classes: Classes = [0; usize::BITS as usize];
    (classes[7], classes[10], classes[20]) = (500, 5_000, 3_000_000);
    assert_eq!(threshold(&classes, 1), 1 << 20);
    assert_eq!(threshold(&classes, 3_000_001), 1 << 10);
    assert_eq!(threshold(&classes, 3_005_001), 128);
    assert_eq!(threshold(&classes, usize::MAX), WORTH_SHEDDING);
}

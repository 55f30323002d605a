use std::collections::BTreeSet;

use super::*;
use crate::net::{Segment, SeqNumber, TcpFlags};
use crate::stream::{Chunk, EndReason, Interest, Run};
use crate::tcp::{Anomaly, Flow};
use crate::types::{Direction, Endpoint, Limits, PacketRef, Timestamp};

const MIB: usize = 1 << 20;

/// Keeps all bytes of every connection until it is to shed them; retains connections that begin with `ws`.
#[derive(Default)]
struct KeepAll {
    kept: usize,
    /// Client ports of the connections that have shed, and of those that have ended.
    shed: Vec<u16>,
    ended: BTreeSet<u16>,
}

impl Handler for KeepAll {
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

struct Fixture {
    table: Table<Vec<u8>>,
    handler: KeepAll,
    seen: PacketRef,
}

fn fixture(max_memory_bytes: usize) -> Fixture {
    let limits = Limits { max_memory_bytes, max_acked_bytes: 0, max_unacked_bytes: 0, ..Limits::default() };
    Fixture { table: Table::new(&limits), handler: KeepAll::default(), seen: PacketRef::default() }
}

impl Fixture {
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
        self.table.segment(&segment, &mut self.handler);
        let load = self.table.footprint() + self.handler.kept;
        assert!(load <= self.table.budget.shares.strained, "{load}");
        assert_eq!(self.table.footprint(), self.table.recount());
    }
}

#[test]
fn the_connection_that_keeps_most_sheds_whichever_has_the_packet() {
    let mut fixture = fixture(MIB);
    for port in 1000..1010 {
        fixture.send(port, 0, &[b'm'; 1000]);
    }
    // Two keep much; then a packet of one that keeps little is one too many.
    for at in 0..6 {
        fixture.send(2000, at * 60_000, &vec![b'a'; 60_000]);
        fixture.send(2001, at * 60_000, &vec![b'b'; 60_000]);
    }
    assert!(fixture.handler.shed.is_empty());
    for at in 1.. {
        if !fixture.handler.shed.is_empty() {
            break;
        }
        for port in 1000..1010 {
            fixture.send(port, at * 1000, &[b'm'; 1000]);
        }
    }
    assert_eq!(fixture.handler.shed, [2000], "of two that keep as much, the one that was silent longer");
    assert!(fixture.handler.ended.is_empty() && fixture.table.evictions() == 0);
}

#[test]
fn websockets_shed_last() {
    let mut fixture = fixture(MIB);
    fixture.send(9_000, 0, b"ws");
    for at in 0..8 {
        fixture.send(9_000, 2 + at * 60_000, &vec![b'w'; 60_000]);
    }
    for port in 1000..1100 {
        fixture.send(port, 0, &vec![b'x'; 10_000]);
    }
    assert!(fixture.handler.shed.len() >= 30 && !fixture.handler.shed.contains(&9_000), "{:?}", fixture.handler.shed);
    // When no other connection has anything left, they do.
    for at in 8..30 {
        fixture.send(9_000, 2 + at * 60_000, &vec![b'w'; 60_000]);
    }
    assert!(fixture.handler.shed.contains(&9_000));
    assert_eq!(fixture.table.evictions(), 0);
}

#[test]
fn gaps_are_given_up() {
    let mut fixture = fixture(MIB);
    for port in 1000..1100 {
        fixture.send(port, 0, b"x");
        fixture.send(port, 2, &vec![b'y'; 20_000]);
    }
    // The held segments are delivered after a gap, so the handler has them, and sheds them.
    assert!(fixture.handler.shed.len() >= 50, "{}", fixture.handler.shed.len());
    fixture.table.finish(fixture.seen, &mut fixture.handler);
    assert_eq!((fixture.table.footprint(), fixture.handler.kept, fixture.handler.ended.len()), (0, 0, 100));
}

#[test]
fn a_flood_of_syns_is_evicted_before_connections_with_bytes() {
    let mut fixture = fixture(4 * MIB);
    fixture.send(9_000, 0, b"ws");
    for at in 0..30 {
        fixture.send(9_000, 2 + at * 60_000, &vec![b'w'; 60_000]);
    }
    for port in 10_000..30_000 {
        fixture.syn(port);
    }
    assert!(fixture.handler.shed.is_empty() && fixture.handler.ended.is_empty());
    assert!(fixture.table.evictions() > 1000, "{}", fixture.table.evictions());
}

#[test]
fn when_nothing_can_be_shed_connections_are_evicted() {
    let mut fixture = fixture(MIB);
    for port in 9_000..12_000 {
        fixture.send(port, 0, b"w");
    }
    assert!(
        fixture.handler.ended.len() > 100
            && fixture.handler.ended.contains(&9_000)
            && !fixture.handler.ended.contains(&11_999)
    );
    assert_eq!(fixture.table.evictions(), fixture.handler.ended.len() as u64);
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

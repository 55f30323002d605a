use super::*;
use crate::net::TcpFlags;
use crate::stream::Run;
use crate::types::{Endpoint, Limits, Timestamp};
use proptest::prelude::*;

const MS: i64 = 1_000_000;

/// What was delivered: the offset, and bytes or the length of a gap.
type Out = (u64, Result<String, u64>);

/// One direction. Each packet comes a microsecond after the one before.
struct Fixture {
    assembler: Assembler,
    budget: Budget,
    first: SeqNumber,
    seen: PacketRef,
    out: Vec<(u64, Result<Vec<u8>, u64>)>,
}

impl Fixture {
    fn new(first: u32, limits: &Limits) -> Self {
        let mut assembler = Assembler::default();
        assembler.begin(SeqNumber(first));
        Self {
            assembler,
            budget: Budget::new(limits),
            first: SeqNumber(first),
            seen: PacketRef::default(),
            out: vec![],
        }
    }

    fn wait(&mut self, nanos: i64) {
        self.seen.at = Timestamp::from_nanos(self.seen.at.as_nanos() + nanos);
    }

    fn next_packet(&mut self) {
        self.seen.packet += 1;
        self.wait(1_000);
        self.assembler.count_packet();
    }

    /// Takes all deliveries.
    fn drain<'i>(&mut self, mut data: SegmentData<'i>) -> SegmentData<'i> {
        while let Some(delivery) = self.assembler.next(&mut data, &mut self.budget) {
            self.keep(&delivery);
        }
        assert_eq!(self.assembler.held(), self.budget.held());
        data
    }

    fn keep(&mut self, delivery: &Delivery<'_>) {
        let chunk = delivery.chunk();
        assert!(chunk.seen.packet <= self.seen.packet);
        self.out.push(match chunk.run {
            Run::Data(bytes) => (chunk.offset, Ok(bytes.to_vec())),
            Run::Gap(len) => (chunk.offset, Err(len.unwrap())),
            Run::End(_) => panic!("the end is the connection's"),
        });
    }

    /// Bytes at `offset` (which may lie before the first) arrive.
    fn cut_data<'i>(&mut self, offset: i64, bytes: &'i [u8], cut: u32) -> SegmentData<'i> {
        self.next_packet();
        let place = u32::try_from(offset.rem_euclid(1 << 32)).unwrap();
        let segment = segment(self.first.plus(place), bytes, cut, self.seen);
        let distance = self.assembler.distance(segment.seq).unwrap();
        let (data, _) = self.assembler.place(distance, &segment);
        self.drain(data)
    }

    fn data<'i>(&mut self, offset: i64, bytes: &'i str) -> SegmentData<'i> {
        self.cut_data(offset, bytes.as_bytes(), 0)
    }

    fn ack(&mut self, offset: u64) {
        self.next_packet();
        self.assembler.acknowledge(self.first.plus(low_32(offset)), self.seen, &mut self.budget);
        self.drain(SegmentData::nothing(self.seen));
    }

    fn fin(&mut self, offset: u64) {
        self.next_packet();
        self.assembler.finish_at(offset, self.seen, &mut self.budget);
        self.drain(SegmentData::nothing(self.seen));
    }

    /// One byte at `seq`, which is out of any window. Whether the stream is believed to continue there.
    fn stray(&mut self, seq: SeqNumber) -> bool {
        self.assembler.strays_to(&segment(seq, b"?", 0, self.seen), &mut self.budget)
    }

    /// Packets without payload or acknowledgment.
    fn idle(&mut self, packets: usize) {
        for _ in 0..packets {
            self.next_packet();
            self.drain(SegmentData::nothing(self.seen));
        }
    }

    fn flush(&mut self) {
        while let Some(delivery) = self.assembler.flush(self.seen, &mut self.budget) {
            self.keep(&delivery);
        }
    }

    /// What was delivered since the last call, neighbours joined.
    fn out(&mut self) -> Vec<Out> {
        let mut joined: Vec<Out> = vec![];
        for (offset, delivery) in self.out.drain(..) {
            match (joined.last_mut(), delivery) {
                (Some((_, Ok(before))), Ok(bytes)) => before.push_str(core::str::from_utf8(&bytes).unwrap()),
                (Some((_, Err(before))), Err(len)) => *before += len,
                (_, delivery) => joined.push((offset, delivery.map(|bytes| String::from_utf8(bytes).unwrap()))),
            }
        }
        joined
    }
}

fn segment(seq: SeqNumber, payload: &[u8], cut: u32, seen: PacketRef) -> Segment<'_> {
    let end = Endpoint { ip: [10, 0, 0, 1].into(), port: 80 };
    let flags = TcpFlags { ack: true, ..TcpFlags::default() };
    Segment { src: end, dst: end, seq, ack: SeqNumber(0), flags, window: 1000, seen, payload, cut }
}

fn fixture() -> Fixture {
    Fixture::new(u32::MAX - 4, &Limits::default())
}

fn data(offset: u64, text: &str) -> Out {
    (offset, Ok(text.to_owned()))
}

const fn gap(offset: u64, len: u64) -> Out {
    (offset, Err(len))
}

#[test]
fn early_segments_wait_and_late_ones_count_once() {
    let mut fixture = fixture();
    fixture.data(0, "ab");
    let late = fixture.data(6, "gh");
    assert_eq!((late.overtaken_by, late.again), (0, false));
    assert!(fixture.data(6, "gh").again);
    let late = fixture.data(1, "bcdefghi");
    assert_eq!((late.overtaken_by, late.again, late.conflict), (1, true, None));
    assert_eq!(fixture.out(), [data(0, "abcdefghi")]);
    assert!(fixture.assembler.out_of_order.is_none());
}

/// A gap is shown by the first packet from beyond it, whenever it was given up; what lies there was not out of order.
#[test]
fn after_a_gap_nothing_is_out_of_order() {
    let mut fixture = fixture();
    fixture.data(0, "ab");
    let shown = fixture.seen.packet + 1;
    assert_eq!(fixture.data(5, "f").overtaken_by + fixture.data(6, "g").overtaken_by, 0);
    fixture.ack(7);
    let mut gaps = Vec::new();
    for _ in 0..20 {
        fixture.seen.packet += 1;
        fixture.assembler.count_packet();
        let mut data = SegmentData::nothing(fixture.seen);
        while let Some(delivery) = fixture.assembler.next(&mut data, &mut fixture.budget) {
            if let Delivery::Gap(offset, len, seen) = delivery {
                gaps.push((offset, len, seen.packet));
            }
        }
    }
    assert_eq!(gaps, [(2, 3, shown)]);
    assert_eq!(fixture.data(7, "h").overtaken_by, 0);
}

#[test]
fn the_first_copy_wins_and_a_differing_one_is_reported() {
    let mut fixture = fixture();
    fixture.data(0, "abcd");
    assert_eq!(fixture.data(1, "bXd").conflict, Some(2));
    fixture.data(8, "ij");
    assert_eq!(fixture.data(7, "hIj").conflict, Some(8));
    assert_eq!(fixture.data(3, "Def?hij").conflict, Some(3));
    assert_eq!(fixture.out(), [data(0, "abcdef?hij")]);
}

#[test]
fn an_acknowledged_gap_is_given_up_after_sixteen_packets() {
    let mut fixture = fixture();
    fixture.data(0, "ab");
    fixture.data(6, "gh");
    fixture.ack(8);
    fixture.idle(15);
    assert_eq!(fixture.out(), [data(0, "ab")]);
    fixture.idle(1);
    assert_eq!(fixture.out(), [gap(2, 4), data(6, "gh")]);
    assert!(fixture.data(2, "cdef").again, "too late");
    assert_eq!(fixture.data(2, "????gh").conflict, None, "bytes of a gap are not known");
    assert_eq!(fixture.out(), []);
}

#[test]
fn an_acknowledged_gap_is_given_up_after_fifty_milliseconds() {
    let mut fixture = fixture();
    fixture.data(6, "gh");
    fixture.ack(8);
    fixture.wait(49 * MS);
    fixture.idle(1);
    assert_eq!(fixture.out(), []);
    fixture.wait(MS);
    fixture.idle(1);
    assert_eq!(fixture.out(), [gap(0, 6), data(6, "gh")]);
}

#[test]
fn only_what_was_acknowledged_is_given_up() {
    let mut fixture = fixture();
    fixture.data(6, "gh");
    fixture.ack(4);
    fixture.idle(16);
    assert_eq!(fixture.out(), [gap(0, 4)]);
    fixture.idle(100);
    fixture.wait(900 * MS);
    fixture.ack(4);
    fixture.data(4, "ef");
    assert_eq!(fixture.out(), [data(4, "efgh")]);
}

#[test]
fn bytes_after_their_acknowledgment_are_no_gap() {
    let mut fixture = fixture();
    fixture.ack(4);
    fixture.wait(5_000 * MS);
    fixture.idle(100);
    fixture.data(0, "abcd");
    fixture.data(4, "ef");
    assert_eq!(fixture.out(), [data(0, "abcdef")]);
    assert!(fixture.assembler.out_of_order.is_none());
}

#[test]
fn acknowledged_bytes_that_never_came_are_a_gap_up_to_the_next() {
    let mut fixture = fixture();
    fixture.ack(4);
    fixture.idle(20);
    fixture.data(4, "ef");
    assert_eq!(fixture.out(), [gap(0, 4), data(4, "ef")]);
}

#[test]
fn an_acknowledgment_that_a_later_one_contradicts_proves_nothing() {
    let mut fixture = fixture();
    fixture.data(0, "ab");
    fixture.data(6, "gh");
    fixture.ack(1 << 29);
    fixture.ack(2);
    fixture.idle(100);
    fixture.ack(1 << 31);
    fixture.idle(100);
    fixture.wait(100_000 * MS);
    fixture.idle(2);
    fixture.data(2, "cdef");
    assert_eq!(fixture.out(), [data(0, "abcdefgh")]);
}

#[test]
fn without_acknowledgments_silence_is_enough() {
    let mut fixture = fixture();
    fixture.data(2, "cd");
    fixture.wait(999 * MS);
    fixture.data(4, "ef");
    assert_eq!(fixture.out(), []);
    fixture.wait(MS);
    fixture.data(6, "gh");
    assert_eq!(fixture.out(), [gap(0, 2), data(2, "cdefgh")]);
}

#[test]
fn too_many_held_bytes_or_segments_end_the_wait() {
    let few = Limits { max_held_segments: 2, ..Limits::default() };
    let small = Limits { max_held_bytes: 5, ..Limits::default() };
    let poor = Limits { max_memory_bytes: 3 * HELD, ..Limits::default() };
    const HELD: usize = super::super::budget::HELD_OVERHEAD;
    for limits in [few, small, poor] {
        let mut fixture = Fixture::new(7, &limits);
        fixture.data(2, "cd");
        fixture.data(6, "gh");
        assert_eq!(fixture.out(), []);
        fixture.data(10, "kl");
        assert_eq!(fixture.out(), [gap(0, 2), data(2, "cd")]);
        fixture.flush();
        assert_eq!(fixture.out(), [gap(4, 2), data(6, "gh"), gap(8, 2), data(10, "kl")]);
    }
}

#[test]
fn bytes_cut_off_by_the_snaplen_are_a_gap_in_their_place() {
    let mut fixture = fixture();
    fixture.cut_data(0, b"ab", 3);
    fixture.data(5, "fg");
    fixture.cut_data(9, b"jk", 2);
    fixture.data(13, "n");
    fixture.data(7, "hi");
    fixture.cut_data(14, b"", 4);
    assert_eq!(fixture.out(), [data(0, "ab"), gap(2, 3), data(5, "fghijk"), gap(11, 2), data(13, "n"), gap(14, 4)]);
}

/// A mirror port that sends each packet twice, once cut: while the cut is held, the bytes may take its place.
#[test]
fn bytes_fill_a_cut_that_is_held() {
    let mut fixture = fixture();
    fixture.data(0, "ab");
    fixture.cut_data(4, b"e", 2);
    fixture.data(5, "fgh");
    fixture.data(2, "cd");
    assert_eq!(fixture.out(), [data(0, "abcdefgh")]);
    fixture.cut_data(9, b"j", 2);
    // In place, and over the cut.
    fixture.data(8, "ijklmn");
    assert_eq!(fixture.out(), [data(8, "ijklmn")]);
    assert_eq!(fixture.assembler.held(), fixture.budget.held());
}

#[test]
fn keep_alives_and_bytes_from_before_the_start_are_ignored() {
    let mut fixture = fixture();
    fixture.data(0, "abc");
    for garbage in ["", "?"] {
        let late = fixture.data(2, garbage);
        assert_eq!((late.again, late.conflict), (false, None));
    }
    assert_eq!(fixture.data(2, "?!").conflict, Some(2));
    assert!(fixture.data(-5, "zzz").again);
    assert_eq!(fixture.data(-2, "zzaXc").conflict, Some(1));
    assert_eq!(fixture.out(), [data(0, "abc!")]);
}

#[test]
fn the_fin_ends_what_came_before_it() {
    let mut fixture = fixture();
    fixture.data(0, "ab");
    fixture.fin(4);
    fixture.fin(1 << 20);
    assert!(fixture.assembler.has_fin() && !fixture.assembler.is_at_fin());
    // An acknowledgment of the FIN takes a number more.
    fixture.ack(5);
    fixture.idle(16);
    assert_eq!(fixture.out(), [data(0, "ab"), gap(2, 2)]);
    assert!(fixture.assembler.is_at_fin());
    fixture.assembler.end(&mut fixture.budget);
    assert_eq!((fixture.assembler.held(), fixture.budget.held()), (0, 0));
    assert!(!fixture.assembler.is_at_fin());
}

#[test]
fn the_flush_delivers_a_gap_for_acknowledged_bytes_that_never_came() {
    for (ack, expected) in [(2, vec![]), (3, vec![]), (4, vec![gap(2, 2)])] {
        let mut fixture = fixture();
        fixture.data(0, "ab");
        fixture.ack(ack);
        assert_eq!(fixture.out(), [data(0, "ab")]);
        fixture.flush();
        assert_eq!(fixture.out(), expected, "acknowledged {ack}");
    }
    let mut fixture = fixture();
    fixture.data(4, "ef");
    fixture.fin(8);
    fixture.flush();
    assert_eq!(fixture.out(), [gap(0, 4), data(4, "ef"), gap(6, 2)]);
}

#[test]
fn a_rst_must_be_near() {
    let mut fixture = fixture();
    fixture.data(0, "abcd");
    fixture.data(3_000_000, "x");
    let at = |offset: u32| fixture.first.plus(offset);
    assert!(
        fixture.assembler.accepts_rst(at(4))
            && fixture.assembler.accepts_rst(at(2))
            && fixture.assembler.accepts_rst(at(4_000_000))
    );
    assert!(
        !fixture.assembler.accepts_rst(at(5_000_000)) && !fixture.assembler.accepts_rst(at(0_u32.wrapping_sub(70_000)))
    );
    assert!(!fixture.assembler.accepts_rst(at(1 << 31)));
}

#[test]
fn a_lost_gibibyte_is_jumped_when_the_other_endpoint_confirms() {
    let mut fixture = fixture();
    fixture.data(0, "ab");
    fixture.ack(2);
    let far = fixture.first.plus(2_000_000_000);
    assert_eq!(fixture.assembler.distance(far), None);
    for n in 0..20 {
        assert!(!fixture.stray(far.plus(n)), "not acknowledged");
    }
    fixture.assembler.acknowledge(far.plus(18), fixture.seen, &mut fixture.budget);
    assert!(!fixture.stray(far.plus(30)), "it does not follow");
    fixture.assembler.acknowledge(far.plus(30), fixture.seen, &mut fixture.budget);
    assert!(fixture.stray(far.plus(31)));
    fixture.flush();
    fixture.assembler.jump(far.plus(31), &mut fixture.budget);
    fixture.first = far.plus(29);
    fixture.data(2, "cd");
    assert_eq!(fixture.out(), [data(0, "abcd")]);
}

#[test]
fn a_lost_gibibyte_is_jumped_where_acknowledgments_are_not_captured() {
    let mut fixture = fixture();
    fixture.data(0, "ab");
    let far = fixture.first.plus(2_000_000_000);
    for n in 0..7 {
        assert!(!fixture.stray(far.plus(n)));
    }
    fixture.data(2, "c");
    for n in 7..14 {
        assert!(!fixture.stray(far.plus(n)), "the stream continued where it was");
    }
    assert!(fixture.stray(far.plus(14)));
}

/// A plain model: a map of bytes, where the first copy of each wins that was not cut off.
#[derive(Default)]
struct Model {
    first: std::collections::BTreeMap<u64, Option<u8>>,
    /// The end of the last gap: bytes from before it are not compared.
    compared_from: u64,
    next: u64,
}

impl Model {
    /// Takes a segment; returns the first byte that differs from its first copy.
    fn put(&mut self, offset: i64, bytes: &[u8], cut: u32) -> Option<u64> {
        let mut conflict = None;
        let cut = core::iter::repeat_n(None, cut as usize);
        for (at, byte) in (offset..).zip(bytes.iter().copied().map(Some).chain(cut)) {
            let Ok(at) = u64::try_from(at) else { continue };
            match self.first.get(&at) {
                Some(Some(known)) if byte.is_some_and(|byte| byte != *known) && at >= self.compared_from => {
                    conflict = conflict.or(Some(at));
                }
                None | Some(None) if at >= self.next => drop(self.first.insert(at, byte)),
                _ => {}
            }
        }
        conflict
    }

    /// Compares what was delivered with the segments.
    fn check(&mut self, out: &mut Vec<(u64, Result<Vec<u8>, u64>)>) {
        for (offset, delivery) in out.drain(..) {
            assert_eq!(offset, self.next, "deliveries follow one another");
            match delivery {
                Ok(bytes) => {
                    assert!(!bytes.is_empty());
                    for byte in bytes {
                        assert_eq!(self.first.get(&self.next), Some(&Some(byte)), "at {}", self.next);
                        self.next += 1;
                    }
                }
                Err(len) => {
                    assert!(len > 0);
                    for at in self.next..self.next + len {
                        assert!(!matches!(self.first.get(&at), Some(Some(_))), "{at} had come");
                    }
                    self.next += len;
                    self.compared_from = self.next;
                }
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Action {
    Data { offset: i64, bytes: Vec<u8>, cut: u32 },
    Ack(u64),
    Fin(u64),
    Wait(i64),
}

fn action() -> impl Strategy<Value = Action> {
    // Three letters, so that copies agree often enough.
    let bytes = prop::collection::vec(prop::sample::select(vec![b'a', b'a', b'a', b'a', b'b']), 0..40);
    prop_oneof![
        8 => (-20..300_i64, bytes, prop_oneof![6 => Just(0_u32), 1 => 1..9_u32])
            .prop_map(|(offset, bytes, cut)| Action::Data { offset, bytes, cut }),
        3 => (0..320_u64).prop_map(Action::Ack),
        1 => (250..400_u64).prop_map(Action::Fin),
        1 => (0..1_200 * MS).prop_map(Action::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::common::effort::cases(60_000, 500_000)))]

    /// Any segments, in any order, with anything acknowledged: delivered are the first copy of each byte, in order; gaps
    /// only where nothing had come; conflicts exactly where copies differ; and in the end all that came.
    #[test]
    fn it_agrees_with_a_map_of_bytes(
        first in prop_oneof![Just(u32::MAX), Just(u32::MAX - 100), any::<u32>()],
        max_held_bytes in prop_oneof![2 => Just(1 << 20), 1 => 0..100_usize],
        max_held_segments in prop_oneof![2 => Just(1000), 1 => 0..5_usize],
        actions in prop::collection::vec(action(), 1..60),
    ) {
        let mut fixture = Fixture::new(first, &Limits { max_held_bytes, max_held_segments, ..Limits::default() });
        let mut model = Model::default();
        for action in actions {
            match action {
                Action::Data { offset, bytes, cut } => {
                    let next = i64::try_from(model.next).unwrap();
                    let keep_alive = offset == next - 1 && bytes.len() as u64 + u64::from(cut) <= 1;
                    let expected = if keep_alive { None } else { model.put(offset, &bytes, cut) };
                    let found = fixture.cut_data(offset, &bytes, cut).conflict;
                    prop_assert_eq!(found, expected);
                }
                Action::Ack(offset) => fixture.ack(offset),
                Action::Fin(offset) => fixture.fin(offset),
                Action::Wait(nanos) => fixture.wait(nanos),
            }
            model.check(&mut fixture.out);
            let (bytes, segments) = fixture.assembler.out_of_order.as_ref().map_or((0, 0), |w| (w.held.bytes(), w.held.len()));
            prop_assert!(bytes <= max_held_bytes && segments <= max_held_segments);
        }
        if let Some(out_of_order) = &mut fixture.assembler.out_of_order {
            out_of_order.fin = None;
        }
        fixture.flush();
        model.check(&mut fixture.out);
        let last = model.first.keys().next_back().map_or(0, |last| last + 1);
        prop_assert!(model.next >= last, "all that came was delivered: {} of {}", model.next, last);
        fixture.assembler.end(&mut fixture.budget);
        prop_assert_eq!(fixture.budget.held(), 0);
    }

    /// A stream that a receiver could put together is delivered completely, over the wrap of sequence numbers: any
    /// segments that cover it, in any order, repeated, with the acknowledgments a receiver would send.
    #[test]
    fn what_a_receiver_could_put_together_is_complete(
        first in prop_oneof![Just(u32::MAX), any::<u32>()],
        len in 1..600_usize,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
        again in prop::collection::vec((any::<prop::sample::Index>(), 1..80_usize), 0..20),
        order in any::<u64>(),
        acknowledged in any::<bool>(),
    ) {
        let stream: Vec<u8> = (0..len).map(|at| u8::try_from(at * 7 % 251).unwrap()).collect();
        let mut borders: Vec<usize> = cuts.iter().map(|cut| cut.index(len)).chain([0, len]).collect();
        borders.sort_unstable();
        let mut ranges: Vec<_> = borders.windows(2).map(|pair| pair[0]..pair[1]).collect();
        ranges.extend(again.iter().map(|(at, size)| at.index(len)..(at.index(len) + size).min(len)));
        // A shuffle that shrinks well: sort by a hash of place and order.
        ranges.sort_by_key(|range| (range.start as u64 ^ order).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(17) ^ order);
        let mut fixture = Fixture::new(first, &Limits::default());
        let mut come = vec![false; len];
        for range in ranges {
            come[range.clone()].fill(true);
            let data = fixture.cut_data(i64::try_from(range.start).unwrap(), &stream[range], 0);
            prop_assert_eq!(data.conflict, None);
            if acknowledged {
                fixture.ack(come.iter().take_while(|come| **come).count() as u64);
            }
        }
        let mut delivered = vec![];
        for (_, delivery) in fixture.out {
            delivered.extend(delivery.expect("no gap"));
        }
        prop_assert!(delivered == stream);
        prop_assert!(fixture.assembler.out_of_order.is_none());
    }

    /// Merged captures: packets up to seven places from where they belong give the same bytes, and no gap.
    #[test]
    fn packets_a_little_out_of_order_are_no_gap(places in prop::collection::vec(0..8_usize, 120)) {
        let stream: Vec<u8> = (0..60 * 5).map(|at| u8::try_from(at % 251).unwrap()).collect();
        // Data and its acknowledgment, in turn.
        let mut packets: Vec<(usize, usize)> = (0..120).map(|at| (at + places[at], at)).collect();
        packets.sort();
        let mut fixture = Fixture::new(u32::MAX - 33, &Limits::default());
        for (_, at) in packets {
            let from = at / 2 * 5;
            if at % 2 == 0 {
                fixture.cut_data(i64::try_from(from).unwrap(), &stream[from..from + 5], 0);
            } else {
                fixture.ack(from as u64 + 5);
            }
        }
        let delivered: Vec<u8> = fixture.out.into_iter().flat_map(|(_, delivery)| delivery.expect("no gap")).collect();
        prop_assert!(delivered == stream);
    }
}

/// Over six gibibytes, in steps that do not divide 2^32.
#[test]
fn offsets_continue_over_any_number_of_wraps() {
    let mut fixture = fixture();
    let step = 999_999_937_u32;
    for round in 0..7_u64 {
        fixture.cut_data(i64::try_from(round * u64::from(step)).unwrap(), b"x", step - 1);
        fixture.data(i64::try_from(round * u64::from(step)).unwrap(), "y");
        assert_eq!(fixture.assembler.next_offset(), (round + 1) * u64::from(step));
    }
    assert_eq!(fixture.out().len(), 14);
}

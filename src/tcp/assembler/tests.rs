use super::*;
use crate::net::TcpFlags;
use crate::stream::Run;
use crate::types::{Endpoint, Limits, Timestamp};
use proptest::prelude::*;

const MS: i64 = 1_000_000;

/// What came out: the offset, and bytes or the length of a gap.
type Out = (u64, Result<String, u64>);

/// One direction, fed by hand. The clock goes on by a microsecond a packet.
struct Rig {
    assembler: Assembler,
    budget: Budget,
    first: SeqNumber,
    seen: PacketRef,
    out: Vec<(u64, Result<Vec<u8>, u64>)>,
}

impl Rig {
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

    fn turn(&mut self) {
        self.seen.packet += 1;
        self.wait(1_000);
        self.assembler.count_packet();
    }

    fn pull<'i>(&mut self, mut input: Input<'i>) -> Input<'i> {
        while let Some(piece) = self.assembler.next(&mut input, &mut self.budget) {
            self.keep(&piece);
        }
        assert_eq!(self.assembler.held(), self.budget.held());
        input
    }

    fn keep(&mut self, piece: &Piece<'_>) {
        let chunk = piece.chunk();
        assert!(chunk.seen.packet <= self.seen.packet);
        self.out.push(match chunk.run {
            Run::Data(bytes) => (chunk.offset, Ok(bytes.to_vec())),
            Run::Gap(len) => (chunk.offset, Err(len.unwrap())),
            Run::End(_) => panic!("pieces have no end"),
        });
    }

    /// Bytes at `offset` (which may lie before the first) arrive.
    fn cut_data<'i>(&mut self, offset: i64, bytes: &'i [u8], cut: u32) -> Input<'i> {
        self.turn();
        let place = u32::try_from(offset.rem_euclid(1 << 32)).unwrap();
        let segment = segment(self.first.plus(place), bytes, cut, self.seen);
        let distance = self.assembler.distance(segment.seq).unwrap();
        let (input, _) = self.assembler.input(distance, &segment);
        self.pull(input)
    }

    fn data<'i>(&mut self, offset: i64, bytes: &'i str) -> Input<'i> {
        self.cut_data(offset, bytes.as_bytes(), 0)
    }

    fn ack(&mut self, offset: u64) {
        self.turn();
        self.assembler.acknowledge(self.first.plus(low_32(offset)), self.seen, &mut self.budget);
        self.pull(Input::nothing(self.seen));
    }

    fn fin(&mut self, offset: u64) {
        self.turn();
        self.assembler.finish_at(offset, self.seen, &mut self.budget);
        self.pull(Input::nothing(self.seen));
    }

    /// Packets that say nothing.
    fn idle(&mut self, packets: usize) {
        for _ in 0..packets {
            self.turn();
            self.pull(Input::nothing(self.seen));
        }
    }

    fn flush(&mut self) {
        while let Some(piece) = self.assembler.flush(self.seen, &mut self.budget) {
            self.keep(&piece);
        }
    }

    /// What came out since the last call, neighbouring pieces joined.
    fn out(&mut self) -> Vec<Out> {
        let mut joined: Vec<Out> = vec![];
        for (offset, piece) in self.out.drain(..) {
            match (joined.last_mut(), piece) {
                (Some((_, Ok(before))), Ok(bytes)) => before.push_str(core::str::from_utf8(&bytes).unwrap()),
                (Some((_, Err(before))), Err(len)) => *before += len,
                (_, piece) => joined.push((offset, piece.map(|bytes| String::from_utf8(bytes).unwrap()))),
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

fn rig() -> Rig {
    Rig::new(u32::MAX - 4, &Limits::default())
}

fn data(offset: u64, text: &str) -> Out {
    (offset, Ok(text.to_owned()))
}

const fn gap(offset: u64, len: u64) -> Out {
    (offset, Err(len))
}

#[test]
fn early_segments_wait_and_late_ones_count_once() {
    let mut rig = rig();
    rig.data(0, "ab");
    let input = rig.data(6, "gh");
    assert_eq!((input.overtook, input.again), (0, false));
    assert!(rig.data(6, "gh").again);
    let input = rig.data(1, "bcdefghi");
    assert_eq!((input.overtook, input.again, input.conflict), (1, true, None));
    assert_eq!(rig.out(), [data(0, "abcdefghi")]);
    assert!(rig.assembler.waiting.is_none());
}

/// A hole is shown by the first packet from beyond it, whenever it was given up; what lies there was not out of order.
#[test]
fn behind_a_hole_nothing_is_out_of_order() {
    let mut rig = rig();
    rig.data(0, "ab");
    let shown = rig.seen.packet + 1;
    assert_eq!(rig.data(5, "f").overtook + rig.data(6, "g").overtook, 0);
    rig.ack(7);
    let mut holes = Vec::new();
    for _ in 0..20 {
        rig.seen.packet += 1;
        rig.assembler.count_packet();
        let mut input = Input::nothing(rig.seen);
        while let Some(piece) = rig.assembler.next(&mut input, &mut rig.budget) {
            if let Piece::Gap(offset, len, seen) = piece {
                holes.push((offset, len, seen.packet));
            }
        }
    }
    assert_eq!(holes, [(2, 3, shown)]);
    assert_eq!(rig.data(7, "h").overtook, 0);
}

#[test]
fn the_first_copy_wins_and_a_differing_one_is_told() {
    let mut rig = rig();
    rig.data(0, "abcd");
    assert_eq!(rig.data(1, "bXd").conflict, Some(2));
    rig.data(8, "ij");
    assert_eq!(rig.data(7, "hIj").conflict, Some(8));
    assert_eq!(rig.data(3, "Def?hij").conflict, Some(3));
    assert_eq!(rig.out(), [data(0, "abcdef?hij")]);
}

#[test]
fn an_acknowledged_hole_is_given_up_after_sixteen_packets() {
    let mut rig = rig();
    rig.data(0, "ab");
    rig.data(6, "gh");
    rig.ack(8);
    rig.idle(15);
    assert_eq!(rig.out(), [data(0, "ab")]);
    rig.idle(1);
    assert_eq!(rig.out(), [gap(2, 4), data(6, "gh")]);
    assert!(rig.data(2, "cdef").again, "too late");
    assert_eq!(rig.data(2, "????gh").conflict, None, "bytes of a gap are not known");
    assert_eq!(rig.out(), []);
}

#[test]
fn an_acknowledged_hole_is_given_up_after_fifty_milliseconds() {
    let mut rig = rig();
    rig.data(6, "gh");
    rig.ack(8);
    rig.wait(49 * MS);
    rig.idle(1);
    assert_eq!(rig.out(), []);
    rig.wait(MS);
    rig.idle(1);
    assert_eq!(rig.out(), [gap(0, 6), data(6, "gh")]);
}

#[test]
fn only_what_was_acknowledged_is_given_up() {
    let mut rig = rig();
    rig.data(6, "gh");
    rig.ack(4);
    rig.idle(16);
    assert_eq!(rig.out(), [gap(0, 4)]);
    rig.idle(100);
    rig.wait(900 * MS);
    rig.ack(4);
    rig.data(4, "ef");
    assert_eq!(rig.out(), [data(4, "efgh")]);
}

#[test]
fn bytes_behind_their_acknowledgment_are_no_gap() {
    let mut rig = rig();
    rig.ack(4);
    rig.wait(5_000 * MS);
    rig.idle(100);
    rig.data(0, "abcd");
    rig.data(4, "ef");
    assert_eq!(rig.out(), [data(0, "abcdef")]);
    assert!(rig.assembler.waiting.is_none());
}

#[test]
fn acknowledged_bytes_that_never_came_are_a_gap_up_to_the_next() {
    let mut rig = rig();
    rig.ack(4);
    rig.idle(20);
    rig.data(4, "ef");
    assert_eq!(rig.out(), [gap(0, 4), data(4, "ef")]);
}

#[test]
fn an_acknowledgment_that_is_taken_back_proves_nothing() {
    let mut rig = rig();
    rig.data(0, "ab");
    rig.data(6, "gh");
    rig.ack(1 << 29);
    rig.ack(2);
    rig.idle(100);
    rig.ack(1 << 31);
    rig.idle(100);
    rig.wait(100_000 * MS);
    rig.idle(2);
    rig.data(2, "cdef");
    assert_eq!(rig.out(), [data(0, "abcdefgh")]);
}

#[test]
fn where_nobody_acknowledges_silence_is_enough() {
    let mut rig = rig();
    rig.data(2, "cd");
    rig.wait(999 * MS);
    rig.data(4, "ef");
    assert_eq!(rig.out(), []);
    rig.wait(MS);
    rig.data(6, "gh");
    assert_eq!(rig.out(), [gap(0, 2), data(2, "cdefgh")]);
}

#[test]
fn too_many_held_bytes_or_segments_end_the_patience() {
    let few = Limits { max_held_segments: 2, ..Limits::default() };
    let small = Limits { max_held_bytes: 5, ..Limits::default() };
    let poor = Limits { max_memory_bytes: 3 * HELD, ..Limits::default() };
    const HELD: usize = super::super::budget::HELD_OVERHEAD;
    for limits in [few, small, poor] {
        let mut rig = Rig::new(7, &limits);
        rig.data(2, "cd");
        rig.data(6, "gh");
        assert_eq!(rig.out(), []);
        rig.data(10, "kl");
        assert_eq!(rig.out(), [gap(0, 2), data(2, "cd")]);
        rig.flush();
        assert_eq!(rig.out(), [gap(4, 2), data(6, "gh"), gap(8, 2), data(10, "kl")]);
    }
}

#[test]
fn what_the_snaplen_took_is_a_gap_in_its_place() {
    let mut rig = rig();
    rig.cut_data(0, b"ab", 3);
    rig.data(5, "fg");
    rig.cut_data(9, b"jk", 2);
    rig.data(13, "n");
    rig.data(7, "hi");
    rig.cut_data(14, b"", 4);
    assert_eq!(rig.out(), [data(0, "ab"), gap(2, 3), data(5, "fghijk"), gap(11, 2), data(13, "n"), gap(14, 4)]);
}

/// A port that sends each packet twice, once cut: as long as the cut waits, the bytes may take its place.
#[test]
fn bytes_fill_a_cut_that_waits() {
    let mut rig = rig();
    rig.data(0, "ab");
    rig.cut_data(4, b"e", 2);
    rig.data(5, "fgh");
    rig.data(2, "cd");
    assert_eq!(rig.out(), [data(0, "abcdefgh")]);
    rig.cut_data(9, b"j", 2);
    // In place, and over the cut.
    rig.data(8, "ijklmn");
    assert_eq!(rig.out(), [data(8, "ijklmn")]);
    assert_eq!(rig.assembler.held(), rig.budget.held());
}

#[test]
fn keep_alives_and_bytes_from_before_the_start_are_nothing() {
    let mut rig = rig();
    rig.data(0, "abc");
    for garbage in ["", "?"] {
        let input = rig.data(2, garbage);
        assert_eq!((input.again, input.conflict), (false, None));
    }
    assert_eq!(rig.data(2, "?!").conflict, Some(2));
    assert!(rig.data(-5, "zzz").again);
    assert_eq!(rig.data(-2, "zzaXc").conflict, Some(1));
    assert_eq!(rig.out(), [data(0, "abc!")]);
}

#[test]
fn the_fin_ends_what_came_before_it() {
    let mut rig = rig();
    rig.data(0, "ab");
    rig.fin(4);
    rig.fin(1 << 20);
    assert!(rig.assembler.has_fin() && !rig.assembler.is_at_fin());
    // An acknowledgment of the FIN takes a number more.
    rig.ack(5);
    rig.idle(16);
    assert_eq!(rig.out(), [data(0, "ab"), gap(2, 2)]);
    assert!(rig.assembler.is_at_fin());
    rig.assembler.end(&mut rig.budget);
    assert_eq!((rig.assembler.held(), rig.budget.held()), (0, 0));
    assert!(!rig.assembler.is_at_fin());
}

#[test]
fn the_flush_tells_what_was_acknowledged_and_never_came() {
    for (ack, expected) in [(2, vec![]), (3, vec![]), (4, vec![gap(2, 2)])] {
        let mut rig = rig();
        rig.data(0, "ab");
        rig.ack(ack);
        assert_eq!(rig.out(), [data(0, "ab")]);
        rig.flush();
        assert_eq!(rig.out(), expected, "acknowledged {ack}");
    }
    let mut rig = rig();
    rig.data(4, "ef");
    rig.fin(8);
    rig.flush();
    assert_eq!(rig.out(), [gap(0, 4), data(4, "ef"), gap(6, 2)]);
}

#[test]
fn a_rst_must_be_near() {
    let mut rig = rig();
    rig.data(0, "abcd");
    rig.data(3_000_000, "x");
    let at = |offset: u32| rig.first.plus(offset);
    assert!(
        rig.assembler.accepts_rst(at(4))
            && rig.assembler.accepts_rst(at(2))
            && rig.assembler.accepts_rst(at(4_000_000))
    );
    assert!(!rig.assembler.accepts_rst(at(5_000_000)) && !rig.assembler.accepts_rst(at(0_u32.wrapping_sub(70_000))));
    assert!(!rig.assembler.accepts_rst(at(1 << 31)));
}

#[test]
fn a_lost_gibibyte_is_jumped_when_the_other_side_confirms() {
    let mut rig = rig();
    rig.data(0, "ab");
    rig.ack(2);
    let far = rig.first.plus(2_000_000_000);
    assert_eq!(rig.assembler.distance(far), None);
    for n in 0..20 {
        assert!(!rig.assembler.strays_to(far.plus(n), 1, rig.seen, &mut rig.budget), "nobody acknowledges it");
    }
    rig.assembler.acknowledge(far.plus(18), rig.seen, &mut rig.budget);
    assert!(!rig.assembler.strays_to(far.plus(30), 1, rig.seen, &mut rig.budget), "it does not follow");
    rig.assembler.acknowledge(far.plus(30), rig.seen, &mut rig.budget);
    assert!(rig.assembler.strays_to(far.plus(31), 1, rig.seen, &mut rig.budget));
    rig.flush();
    rig.assembler.jump(far.plus(31), &mut rig.budget);
    rig.first = far.plus(29);
    rig.data(2, "cd");
    assert_eq!(rig.out(), [data(0, "abcd")]);
}

#[test]
fn a_lost_gibibyte_is_jumped_when_nobody_can_confirm() {
    let mut rig = rig();
    rig.data(0, "ab");
    let far = rig.first.plus(2_000_000_000);
    for n in 0..7 {
        assert!(!rig.assembler.strays_to(far.plus(n), 1, rig.seen, &mut rig.budget));
    }
    rig.data(2, "c");
    for n in 7..14 {
        assert!(!rig.assembler.strays_to(far.plus(n), 1, rig.seen, &mut rig.budget), "the stream went on where it was");
    }
    assert!(rig.assembler.strays_to(far.plus(14), 1, rig.seen, &mut rig.budget));
}

/// The dumb model: a map of bytes, where the first copy of each wins that was not cut.
#[derive(Default)]
struct Model {
    first: std::collections::BTreeMap<u64, Option<u8>>,
    /// The end of the last gap: what is known from before it is not compared.
    compared_from: u64,
    next: u64,
}

impl Model {
    /// Puts a segment in; the answer is the first byte that differs from what is known.
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

    /// Holds what came out against what was put in.
    fn check(&mut self, out: &mut Vec<(u64, Result<Vec<u8>, u64>)>) {
        for (offset, piece) in out.drain(..) {
            assert_eq!(offset, self.next, "pieces follow each other");
            match piece {
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
enum Step {
    Data { offset: i64, bytes: Vec<u8>, cut: u32 },
    Ack(u64),
    Fin(u64),
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    // Three letters, so that copies agree often enough.
    let bytes = prop::collection::vec(prop::sample::select(vec![b'a', b'a', b'a', b'a', b'b']), 0..40);
    prop_oneof![
        8 => (-20..300_i64, bytes, prop_oneof![6 => Just(0_u32), 1 => 1..9_u32])
            .prop_map(|(offset, bytes, cut)| Step::Data { offset, bytes, cut }),
        3 => (0..320_u64).prop_map(Step::Ack),
        1 => (250..400_u64).prop_map(Step::Fin),
        1 => (0..1_200 * MS).prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60_000))]

    /// Any segments, anywhere, in any order, with anything acknowledged: what comes out is the first copy of each byte,
    /// in order; gaps only where nothing had come; conflicts exactly where copies differ; and in the end everything.
    #[test]
    fn it_agrees_with_a_map_of_bytes(
        first in prop_oneof![Just(u32::MAX), Just(u32::MAX - 100), any::<u32>()],
        max_held_bytes in prop_oneof![2 => Just(1 << 20), 1 => 0..100_usize],
        max_held_segments in prop_oneof![2 => Just(1000), 1 => 0..5_usize],
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut rig = Rig::new(first, &Limits { max_held_bytes, max_held_segments, ..Limits::default() });
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Data { offset, bytes, cut } => {
                    let next = i64::try_from(model.next).unwrap();
                    let keep_alive = offset == next - 1 && bytes.len() as u64 + u64::from(cut) <= 1;
                    let expected = if keep_alive { None } else { model.put(offset, &bytes, cut) };
                    let found = rig.cut_data(offset, &bytes, cut).conflict;
                    prop_assert_eq!(found, expected);
                }
                Step::Ack(offset) => rig.ack(offset),
                Step::Fin(offset) => rig.fin(offset),
                Step::Wait(nanos) => rig.wait(nanos),
            }
            model.check(&mut rig.out);
            let (bytes, segments) = rig.assembler.waiting.as_ref().map_or((0, 0), |w| (w.held.bytes(), w.held.len()));
            prop_assert!(bytes <= max_held_bytes && segments <= max_held_segments);
        }
        if let Some(waiting) = &mut rig.assembler.waiting {
            waiting.fin = None;
        }
        rig.flush();
        model.check(&mut rig.out);
        let last = model.first.keys().next_back().map_or(0, |last| last + 1);
        prop_assert!(model.next >= last, "all that came was handed up: {} of {}", model.next, last);
        rig.assembler.end(&mut rig.budget);
        prop_assert_eq!(rig.budget.held(), 0);
    }

    /// Whatever a receiver could put right comes out whole, over the wrap of sequence numbers: any segments that cover
    /// the stream, in any order, repeated, with the acknowledgments a receiver would send.
    #[test]
    fn what_a_receiver_could_put_right_is_whole(
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
        let mut rig = Rig::new(first, &Limits::default());
        let mut come = vec![false; len];
        for range in ranges {
            come[range.clone()].fill(true);
            let input = rig.cut_data(i64::try_from(range.start).unwrap(), &stream[range], 0);
            prop_assert_eq!(input.conflict, None);
            if acknowledged {
                rig.ack(come.iter().take_while(|come| **come).count() as u64);
            }
        }
        let mut whole = vec![];
        for (_, piece) in rig.out {
            whole.extend(piece.expect("no gap"));
        }
        prop_assert!(whole == stream);
        prop_assert!(rig.assembler.waiting.is_none());
    }

    /// Merged captures: packets up to seven places from where they belong give the same bytes, and no gap.
    #[test]
    fn packets_a_little_out_of_order_are_no_gap(places in prop::collection::vec(0..8_usize, 120)) {
        let stream: Vec<u8> = (0..60 * 5).map(|at| u8::try_from(at % 251).unwrap()).collect();
        // Data and its acknowledgment, in turn.
        let mut packets: Vec<(usize, usize)> = (0..120).map(|at| (at + places[at], at)).collect();
        packets.sort();
        let mut rig = Rig::new(u32::MAX - 33, &Limits::default());
        for (_, at) in packets {
            let from = at / 2 * 5;
            if at % 2 == 0 {
                rig.cut_data(i64::try_from(from).unwrap(), &stream[from..from + 5], 0);
            } else {
                rig.ack(from as u64 + 5);
            }
        }
        let whole: Vec<u8> = rig.out.into_iter().flat_map(|(_, piece)| piece.expect("no gap")).collect();
        prop_assert!(whole == stream);
    }
}

/// Over six gibibytes, in steps that do not divide 2^32.
#[test]
fn offsets_go_on_over_any_number_of_wraps() {
    let mut rig = rig();
    let step = 999_999_937_u32;
    for round in 0..7_u64 {
        rig.cut_data(i64::try_from(round * u64::from(step)).unwrap(), b"x", step - 1);
        rig.data(i64::try_from(round * u64::from(step)).unwrap(), "y");
        assert_eq!(rig.assembler.next_offset(), (round + 1) * u64::from(step));
    }
    assert_eq!(rig.out().len(), 14);
}

//! Fragments in all orders, with copies and overlaps, against a model that is obviously right.

use proptest::prelude::*;

use super::*;
use crate::net::build;

const SECOND: i64 = 1_000_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_nanos(seconds * SECOND)
}

/// One fragment: `captured` of its `len` bytes were captured, each of them `fill`.
#[derive(Debug, Clone, Copy)]
struct TestFragment {
    offset: u16,
    len: usize,
    more: bool,
    captured: usize,
    fill: u8,
}

fn add(
    fragments: &mut Fragments,
    part: TestFragment,
    id: u32,
    now: Timestamp,
) -> Result<Option<(Vec<u8>, usize)>, Undecoded> {
    let bytes = vec![part.fill; part.captured];
    let datagram = IpPacket {
        src: build::client(false).ip,
        dst: build::server(false).ip,
        protocol: 6,
        payload: Captured::new(&bytes, part.len),
        fragment: Some(Fragment { identification: id, offset: part.offset, more: part.more }),
    };
    fragments.add(&datagram, now).map(|whole| whole.map(|whole| taken(fragments, whole)))
}

fn taken(fragments: &mut Fragments, whole: Reassembled) -> (Vec<u8>, usize) {
    let payload = whole.packet().payload;
    let result = (payload.bytes().to_vec(), payload.len());
    fragments.recycle(whole);
    result
}

/// One byte after the other: not received, received but not captured, or captured.
#[derive(Clone, Default)]
struct Model {
    bytes: Vec<Option<Option<u8>>>,
    end: Option<usize>,
}

impl Model {
    fn add(&mut self, part: TestFragment) -> Result<Option<(Vec<u8>, usize)>, Undecoded> {
        let start = usize::from(part.offset);
        let end = start + part.len;
        let impossible = part.len == 0 || end > 65_535 || (part.more && !part.len.is_multiple_of(8));
        let beyond = self.end.is_some_and(|known| end > known || (!part.more && end != known));
        let short = !part.more && end < self.bytes.len();
        if impossible || beyond || short {
            return Err(Undecoded::Malformed);
        }
        if !part.more {
            self.end = Some(end);
        }
        self.bytes.resize(self.bytes.len().max(end), None);
        for (index, byte) in self.bytes[start..end].iter_mut().enumerate() {
            *byte = byte.or(Some((index < part.captured).then_some(part.fill)));
        }
        if self.end != Some(self.bytes.len()) || self.bytes.contains(&None) {
            return Ok(None);
        }
        let whole = std::mem::take(self).bytes;
        Ok(Some((whole.iter().map_while(|byte| byte.flatten()).collect(), whole.len())))
    }
}

/// All orders of `0..count`.
fn orders(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![vec![]];
    }
    let mut all = Vec::new();
    for order in orders(count - 1) {
        for place in 0..count {
            let mut order = order.clone();
            order.insert(place, count - 1);
            all.push(order);
        }
    }
    all
}

#[test]
fn every_order_of_a_few() {
    for count in 3..=5_u16 {
        for tail in [1, 8, 13] {
            let parts: Vec<TestFragment> = (0..count)
                .map(|i| {
                    let more = i + 1 < count;
                    let len = if more { 16 } else { tail };
                    TestFragment { offset: i * 16, len, more, captured: len, fill: u8::try_from(i).unwrap() }
                })
                .collect();
            let expected: Vec<u8> = parts.iter().flat_map(|part| vec![part.fill; part.len]).collect();
            let mut fragments = Fragments::new(&Limits::default());
            for order in orders(usize::from(count)) {
                // Each of them twice, as long as the packet is not complete.
                for (position, &index) in order.iter().enumerate() {
                    let last = position + 1 == order.len();
                    let whole = add(&mut fragments, parts[index], 1, at(0)).unwrap();
                    assert_eq!(whole, last.then(|| (expected.clone(), expected.len())), "{order:?}");
                    if !last {
                        let copy = TestFragment { fill: 0xEE, ..parts[index] };
                        assert_eq!(add(&mut fragments, copy, 1, at(0)), Ok(None));
                    }
                }
            }
            assert_eq!((fragments.lost(), fragments.incomplete.len(), fragments.bytes), (0, 0, 0));
        }
    }
}

fn part() -> impl Strategy<Value = TestFragment> {
    (0_u16..12, 0_usize..6, 0_usize..9, any::<bool>(), 0_usize..60, any::<u8>()).prop_map(
        |(at, units, odd, more, captured, fill)| {
            let odd = if odd == 8 || !more { odd } else { 0 };
            let len = units * 8 + odd;
            TestFragment { offset: at * 8, len, more, captured: captured.min(len), fill }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::common::effort::cases(2_000, 50_000)))]

    #[test]
    fn as_the_model_says(parts in prop::collection::vec(part(), 0..60)) {
        let mut fragments = Fragments::new(&Limits::default());
        let mut model = Model::default();
        for part in parts {
            prop_assert_eq!(add(&mut fragments, part, 1, at(0)), model.add(part), "{:?}", part);
            let cost: usize = fragments.incomplete.values().map(Incomplete::cost).sum();
            prop_assert_eq!(fragments.bytes, cost);
        }
    }
}

#[test]
fn the_greatest_and_what_is_beyond() {
    let mut fragments = Fragments::new(&Limits::default());
    let head = TestFragment { offset: 0, len: 65_528, more: true, captured: 65_528, fill: 1 };
    let tail = TestFragment { offset: 65_528, len: 7, more: false, captured: 7, fill: 2 };
    let beyond = TestFragment { len: 8, captured: 8, ..tail };
    assert_eq!(add(&mut fragments, head, 1, at(0)), Ok(None));
    assert_eq!(add(&mut fragments, beyond, 1, at(0)), Err(Undecoded::Malformed));
    assert_eq!(add(&mut fragments, tail, 1, at(0)).unwrap().unwrap().1, 65_535);
    let huge = TestFragment { offset: 8, len: usize::MAX, more: false, captured: 8, fill: 2 };
    assert_eq!(add(&mut fragments, huge, 1, at(0)), Err(Undecoded::Malformed));
}

#[test]
fn teardrop() {
    // The second fragment lies inside the first, and ends before it (CVE-1999-0015).
    let mut fragments = Fragments::new(&Limits::default());
    let first = TestFragment { offset: 0, len: 40, more: true, captured: 40, fill: 1 };
    let second = TestFragment { offset: 24, len: 4, more: false, captured: 4, fill: 2 };
    assert_eq!(add(&mut fragments, first, 1, at(0)), Ok(None));
    assert_eq!(add(&mut fragments, second, 1, at(0)), Err(Undecoded::Malformed));
    fragments.finish();
    assert_eq!(fragments.lost(), 1);
}

const HALF: TestFragment = TestFragment { offset: 0, len: 80, more: true, captured: 80, fill: 1 };
const OTHER_HALF: TestFragment = TestFragment { offset: 80, len: 80, more: false, captured: 80, fill: 1 };

#[test]
fn the_oldest_is_dropped_when_there_are_too_many() {
    let mut fragments = Fragments::new(&Limits { max_datagrams: 3, ..Limits::default() });
    for id in 0..5 {
        assert_eq!(add(&mut fragments, HALF, id, at(0)), Ok(None));
        assert!(fragments.incomplete.len() <= 3);
    }
    assert_eq!(fragments.lost(), 2);
    for id in [2, 3, 4] {
        assert!(add(&mut fragments, OTHER_HALF, id, at(0)).unwrap().is_some());
    }
    assert_eq!(add(&mut fragments, OTHER_HALF, 1, at(0)), Ok(None), "it was dropped");
}

#[test]
fn bytes_are_bounded() {
    let limit = 50_000;
    let mut fragments = Fragments::new(&Limits { max_datagram_bytes: limit, ..Limits::default() });
    for id in 0..2000 {
        let long = TestFragment {
            offset: u16::try_from(id % 50 * 8).unwrap(),
            len: 1480,
            more: true,
            captured: 1480,
            fill: 3,
        };
        assert_eq!(add(&mut fragments, long, id, at(0)), Ok(None));
        assert!(fragments.bytes <= limit, "{} after {id}", fragments.bytes);
        let idle_buffers: usize = fragments.idle_buffers.iter().map(Buffer::held).sum();
        assert!(fragments.held() <= limit + idle_buffers + 4096);
        assert!(idle_buffers <= MAX_IDLE_BUFFERS * 4096);
    }
    assert!(fragments.lost() > 1900);
    let mut tiny = Fragments::new(&Limits { max_datagram_bytes: 10, max_datagrams: 0, ..Limits::default() });
    assert_eq!(add(&mut tiny, HALF, 1, at(0)), Ok(None));
    assert_eq!((tiny.lost(), tiny.bytes), (1, 0));
}

#[test]
fn the_smallest_fragments_cost_no_more_than_the_limit() {
    let limit = 100_000;
    let mut fragments = Fragments::new(&Limits { max_datagram_bytes: limit, ..Limits::default() });
    for index in (0..8000_u16).rev() {
        let tiny = TestFragment { offset: index * 8, len: 8, more: true, captured: 8, fill: 1 };
        assert_eq!(add(&mut fragments, tiny, 1, at(0)), Ok(None));
        assert!(fragments.bytes <= limit);
    }
}

#[test]
fn packets_age_by_the_captures_clock() {
    let mut fragments = Fragments::new(&Limits { datagram_secs: 30, ..Limits::default() });
    add(&mut fragments, HALF, 1, at(100)).unwrap();
    assert!(add(&mut fragments, OTHER_HALF, 1, at(130)).unwrap().is_some(), "just in time");
    add(&mut fragments, HALF, 2, at(100)).unwrap();
    add(&mut fragments, HALF, 3, at(110)).unwrap();
    assert_eq!(add(&mut fragments, OTHER_HALF, 2, at(131)), Ok(None), "too late");
    assert_eq!(fragments.lost(), 1);
    assert!(add(&mut fragments, OTHER_HALF, 3, at(90)).unwrap().is_some(), "time may run backwards");
    assert_eq!(add(&mut fragments, HALF, 4, at(-1_000)), Ok(None), "even in leaps");
    assert_eq!(fragments.incomplete.len(), 1);
    // An identification used again long after is another packet, even if an older one has a time in the future.
    let mut fragments = Fragments::new(&Limits { datagram_secs: 30, ..Limits::default() });
    add(&mut fragments, HALF, 1, at(140)).unwrap();
    add(&mut fragments, HALF, 2, at(110)).unwrap();
    assert_eq!(add(&mut fragments, OTHER_HALF, 2, at(141)), Ok(None));
    assert_eq!((fragments.lost(), fragments.incomplete.len()), (1, 2));
}

#[test]
fn copies_from_a_second_interface_are_no_losses() {
    let mut fragments = Fragments::new(&Limits::default());
    assert_eq!(add(&mut fragments, HALF, 1, at(0)), Ok(None));
    assert_eq!(add(&mut fragments, HALF, 1, at(0)), Ok(None));
    assert!(add(&mut fragments, OTHER_HALF, 1, at(0)).unwrap().is_some());
    assert_eq!(add(&mut fragments, OTHER_HALF, 1, at(0)), Ok(None));
    fragments.finish();
    assert_eq!(fragments.lost(), 0);
}

#[test]
fn what_tells_datagrams_apart() {
    let bytes = [1; 8];
    let (client, server) = (build::client(false).ip, build::server(false).ip);
    let half = |src, dst, protocol, identification, offset: u16| IpPacket {
        src,
        dst,
        protocol,
        payload: Captured::new(&bytes, 8),
        fragment: Some(Fragment { identification, offset, more: offset == 0 }),
    };
    let mut fragments = Fragments::new(&Limits::default());
    for first in [(client, server, 17, 1), (server, client, 6, 1), (client, server, 6, 2), (client, client, 6, 1)] {
        let (src, dst, protocol, id) = first;
        assert!(fragments.add(&half(src, dst, protocol, id, 0), at(0)).unwrap().is_none());
    }
    assert!(fragments.add(&half(client, server, 6, 1, 8), at(0)).unwrap().is_none());
    assert!(fragments.add(&half(client, server, 6, 1, 0), at(0)).unwrap().is_some());
    // In IPv6 the protocol is that of the first fragment, whatever the others say.
    let (client, server) = (build::client(true).ip, build::server(true).ip);
    for order in [[0, 8], [8, 0]] {
        let whole = order.map(|offset| {
            let protocol = if offset == 0 { 6 } else { 99 };
            fragments.add(&half(client, server, protocol, 1, offset), at(0)).unwrap()
        });
        assert_eq!(whole[1].as_ref().unwrap().packet().protocol, 6);
    }
}

#[test]
fn buffers_are_used_again() {
    let mut fragments = Fragments::new(&Limits::default());
    let mut held = 0;
    for id in 0..100 {
        add(&mut fragments, OTHER_HALF, id, at(0)).unwrap();
        assert!(add(&mut fragments, HALF, id, at(0)).unwrap().is_some());
        if id == 20 {
            held = fragments.held();
        }
    }
    assert_eq!(fragments.held(), held);
    assert!(held < 4096, "{held}");
}

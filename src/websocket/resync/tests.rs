use super::*;
use crate::websocket::mask;

const SERVER: ExpectedFrames = ExpectedFrames { masked: false, deflate: false, unknown_extension: false };
const CLIENT: ExpectedFrames = ExpectedFrames { masked: true, ..SERVER };

/// A small generator (xorshift) with a fixed seed: the same bytes everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next().to_le_bytes()[3]).collect()
    }
}

fn frame(first: u8, payload: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let bit = if key.is_some() { 0x80 } else { 0 };
    let mut out = vec![first];
    match payload.len() {
        len @ 0..126 => out.push(bit | u8::try_from(len).unwrap()),
        len @ 126..65536 => {
            out.push(bit | 126);
            out.extend(u16::try_from(len).unwrap().to_be_bytes());
        }
        len => {
            out.push(bit | 127);
            out.extend((len as u64).to_be_bytes());
        }
    }
    if let Some(key) = key {
        out.extend(key);
        mask::unmask_into(&mut out, payload, key, 0);
    } else {
        out.extend(payload);
    }
    out
}

/// The kind of traffic.
#[derive(Debug, Clone, Copy)]
enum Mix {
    Text,
    Binary,
    Large,
}

/// A stream of frames in segments: frames in bursts, cut at 1460 bytes. Returns the bytes, and where frames and segments begin.
fn traffic(random: &mut Random, mix: Mix, masked: bool, frames: usize) -> (Vec<u8>, Vec<usize>, Vec<usize>) {
    let (mut bytes, mut starts, mut segments) = (Vec::new(), Vec::new(), Vec::new());
    let mut burst = 0;
    for _ in 0..frames {
        if burst == 0 {
            burst = 1 + random.below(3);
            segments.push(bytes.len());
        }
        burst -= 1;
        starts.push(bytes.len());
        let key = masked.then(|| random.next().to_le_bytes()[..4].try_into().unwrap());
        let one = match mix {
            Mix::Text => {
                let len = 20 + random.below(200);
                let text: Vec<u8> =
                    (0..len).map(|_| b"{\"price\":1234567890,\"symbol\":\"EURUSD\"}"[random.below(38)]).collect();
                frame(0x81, &text, key)
            }
            Mix::Binary => frame(
                0x82,
                &{
                    let len = 20 + random.below(300);
                    random.bytes(len)
                },
                key,
            ),
            Mix::Large => frame(
                0x82,
                &{
                    let len = 2_000 + random.below(20_000);
                    random.bytes(len)
                },
                key,
            ),
        };
        bytes.extend(one);
        while bytes.len() - segments.last().unwrap() > 1460 {
            segments.push(segments.last().unwrap() + 1460);
        }
    }
    segments.dedup();
    (bytes, starts, segments)
}

/// Loses all bytes before `to`, and searches for the next boundary. Returns how many frames were passed over.
fn recover(
    bytes: &[u8],
    starts: &[usize],
    segments: &[usize],
    to: usize,
    expect: &ExpectedFrames,
) -> Result<usize, String> {
    let mut search = FrameSearch::new(64 << 10);
    let mut at = to;
    let borders: Vec<usize> = segments.iter().copied().filter(|s| *s > to).chain([bytes.len()]).collect();
    for (number, border) in borders.iter().enumerate() {
        while at < *border {
            let seen = PacketRef { packet: number as u64 + 1, ..PacketRef::default() };
            let left = search.push(&bytes[at..*border], seen);
            at = *border - left;
            if let Some(found) = search.find(expect, *border == bytes.len()) {
                let place = to + usize::try_from(found.passed).unwrap();
                if !starts.contains(&place) && place != bytes.len() {
                    return Err(format!("an invented frame at {place}, {found:?}"));
                }
                let pieces: Vec<u8> = search.packets_from(&found).flat_map(|(piece, _)| piece.to_vec()).collect();
                assert_eq!(pieces, bytes[place..at]);
                return Ok(starts.iter().filter(|s| **s >= to && **s < place).count());
            }
        }
    }
    Ok(usize::MAX)
}

/// Nearly every lost boundary is found again within three frames, and no frame is ever invented. The counts are printed by
/// `cargo test -- --nocapture resync`.
#[test]
fn lost_boundaries_are_found_again_and_none_is_invented() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for (mix, frames, cuts) in [(Mix::Text, 60, 40), (Mix::Binary, 60, 40), (Mix::Large, 20, 8)] {
        for (masked, expect) in [(false, SERVER), (true, CLIENT)] {
            let (mut within_three, mut all) = (0, 0);
            let (bytes, starts, segments) = traffic(&mut random, mix, masked, frames);
            for _ in 0..cuts {
                // A segment or more is lost, in the first half, so that frames follow.
                let first = random.below(segments.len() / 2);
                let to = segments[first + 1 + random.below(3)];
                let lost = recover(&bytes, &starts, &segments, to, &expect).unwrap();
                all += 1;
                within_three += usize::from(lost <= 3);
            }
            println!("resync {mix:?} masked {masked}: {within_three} of {all} within three frames");
            assert!(within_three == all, "{mix:?} masked {masked}: {within_three} of {all}");
        }
    }
}

/// RFC 6455 §5.2: reserved bits are no evidence against a frame where an extension defines them.
#[test]
fn reserved_bits_of_an_extension_are_no_hindrance() {
    let mut random = Random(7);
    let frames: Vec<Vec<u8>> = (0..12).map(|_| frame(0xb2, &random.bytes(300), None)).collect();
    for unknown_extension in [false, true] {
        let expect = ExpectedFrames { unknown_extension, ..SERVER };
        let mut search = FrameSearch::new(64 << 10);
        search.push(&random.bytes(40), PacketRef::default());
        let mut found = None;
        for (packet, one) in (1..).zip(&frames) {
            search.push(one, PacketRef { packet, ..PacketRef::default() });
            found = found.or_else(|| search.find(&expect, true));
        }
        assert_eq!(found.map(|found| found.passed), unknown_extension.then_some(40));
    }
}

#[test]
fn random_bytes_hold_no_boundary() {
    let mut random = Random(42);
    for round in 0..4 {
        let bytes = random.bytes(40_000);
        for expect in
            [SERVER, CLIENT, ExpectedFrames { deflate: true, ..SERVER }, ExpectedFrames { deflate: true, ..CLIENT }]
        {
            let mut search = FrameSearch::new(16 << 10);
            for (number, mut piece) in bytes.chunks(1460).enumerate() {
                while !piece.is_empty() {
                    let left = search.push(piece, PacketRef { packet: number as u64, ..PacketRef::default() });
                    piece = &piece[piece.len() - left..];
                    assert_eq!(search.find(&expect, false), None, "round {round} {expect:?}");
                }
            }
            assert!(search.held() <= 40 << 10);
        }
    }
}

#[test]
fn a_frame_that_ends_inside_a_gap_shows_where_the_next_begins() {
    let text = "{\"a\":\"twenty-four characters and more, and more, and more\"}";
    let one = frame(0x81, text.as_bytes(), None);
    let mut search = FrameSearch::new(1 << 16);
    for packet in 1..=3 {
        // Each packet is cut to 30 bytes by a snaplen.
        search.push(&one[..30], PacketRef { packet, ..PacketRef::default() });
        if let Some(found) = search.find(&SERVER, false) {
            assert_eq!((packet, found.passed), (2, one.len() as u64));
            return;
        }
        search.gap(Some(one.len() as u64 - 30), &SERVER);
    }
    panic!("not found");
}

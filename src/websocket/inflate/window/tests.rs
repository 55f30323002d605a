use proptest::prelude::*;

use super::*;
use crate::websocket::inflate::testing::{BitWriter, Random, Sender, dumb};

/// The first distance that the scanner reports of `bytes`, after enough output, cut into pieces of `piece` bytes; and how many
/// bytes it had seen then.
fn scan(bytes: &[u8], window: u32, piece: usize) -> Option<(u32, usize)> {
    let mut scanner = DistanceScanner::new();
    scanner.begin(window, 1 << 20);
    let (mut seen, mut reported) = (0, None);
    for part in bytes.chunks(piece) {
        seen += part.len();
        scanner.scan(part);
        assert!(scanner.excess().is_none_or(|excess| excess.window == window));
        reported = reported.or(scanner.excess().map(|excess| (excess.distance, seen)));
    }
    reported
}

/// Why the scanner stops, after `known` bytes of output.
fn fault(bytes: &[u8], known: usize, piece: usize) -> Option<ScanFault> {
    let mut scanner = DistanceScanner::new();
    scanner.begin(LARGEST, known);
    bytes.chunks(piece).for_each(|part| scanner.scan(part));
    scanner.fault()
}

/// The first distance beyond `window` that the dumb decoder sees.
fn first_far(bytes: &[u8], window: u32) -> Option<u32> {
    dumb(bytes).distances.into_iter().find(|distance| *distance > window)
}

/// The shortest beginning of `bytes` that shows the dumb decoder a distance beyond `window`.
fn shortest(bytes: &[u8], window: u32) -> Option<usize> {
    (0..=bytes.len()).find(|len| first_far(&bytes[..*len], window).is_some())
}

#[test]
fn the_scanner_sees_every_distance_of_every_kind_of_block() {
    let mut random = Random(1);
    for level in [0, 1, 6] {
        let mut sender = Sender::new(level, 15, false);
        let mut bytes = Vec::new();
        for len in [1, 40, 3000, 0, 16_000] {
            bytes.extend(sender.unstripped(&random.text(len)));
            bytes.extend(sender.unstripped(&random.bytes(len / 10)));
        }
        bytes.extend(sender.ended(&random.text(5000)));
        bytes.extend(sender.ended(b"fixed"));
        bytes.extend(sender.unstripped(&random.text(20_000)));
        let in_order = dumb(&bytes).distances;
        assert!(level == 0 || in_order.len() > 1000);
        let mut distances = in_order.clone();
        distances.sort_unstable();
        distances.dedup();
        // At a window one less than each distance, the first one beyond it is the one the dumb decoder sees first.
        for distance in distances.iter().step_by(distances.len() / 15 + 1) {
            for piece in [1, 7, usize::MAX] {
                let reported = scan(&bytes, distance - 1, piece).map(|(distance, _)| distance);
                let first = in_order.iter().copied().find(|far| far >= distance);
                assert_eq!(reported, first, "level {level}, {distance}");
            }
        }
        let farthest = distances.last().copied().unwrap_or(1);
        assert_eq!(scan(&bytes, farthest, 3), None);
    }
}

#[test]
fn a_distance_is_reported_at_its_last_bit() {
    let mut random = Random(2);
    let bytes = Sender::takeover().unstripped(&random.text(900));
    for window in [64, 256, 512] {
        let (_, seen) = scan(&bytes, window, 1).unwrap();
        assert_eq!(Some(seen), shortest(&bytes, window));
    }
}

#[test]
fn all_distances_of_the_fixed_code() {
    for distance in (1..=32_768).step_by(97).chain([256, 257, 512, 513, 16_384, 16_385, 32_768]) {
        let mut bits = BitWriter::default();
        let bytes = bits.bits(0b010, 3).copy_three(distance).fixed(256).end();
        assert_eq!(scan(&bytes, distance, 1), None);
        assert_eq!(scan(&bytes, distance - 1, 1).map(|(far, _)| far), Some(distance));
    }
}

/// Block headers that announce a code of one symbol only, which zlib accepts.
#[test]
fn codes_with_a_single_symbol() {
    // Literal code: 'a' and 256 and 257 of 1, 2, 2 bits; distance code: symbol 9 of 1 bit, that is 25 to 32.
    let mut bits = BitWriter::default();
    bits.bits(0b100, 3).bits(258 - 257, 5).bits(10 - 1, 5).bits(18 - 4, 4);
    // lengths of the code length code, in order 16 17 18 0 8 7 9 6 10 5 11 4 12 3 13 2 14 1: 18→2, 0→2, 2→2, 1→2
    for len in [0, 0, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 2] {
        bits.bits(len, 3);
    }
    // codes: 0→00, 1→01, 2→10, 18→11
    bits.code(3, 2).bits(97 - 11, 7); // 97 zeros
    bits.code(1, 2); // 'a': 1
    bits.code(3, 2).bits(138 - 11, 7).code(3, 2).bits(20 - 11, 7); // 158 zeros, to 255
    bits.code(2, 2).code(2, 2); // 256, 257: 2
    for _ in 0..9 {
        bits.code(0, 2);
    }
    bits.code(1, 2); // distance symbol 9: 1
    for _ in 0..40 {
        bits.code(0, 1); // 'a'
    }
    bits.code(3, 2).code(0, 1).bits(5, 3); // three bytes from 30 back
    let bytes = bits.code(2, 2).end();
    assert_eq!(dumb(&bytes).distances, [30]);
    assert_eq!(scan(&bytes, 29, 1).map(|(far, _)| far), Some(30));
    assert_eq!(scan(&bytes, 30, 1), None);
}

/// A literal cut after its first bit looks like the beginning of a length; there are no distances to go with it.
#[test]
fn a_block_without_distances_is_scanned_at_any_cut() {
    // 256 → 0, 257 → 10, 'a' → 110, 'b' → 111
    let mut bits = BitWriter::default();
    bits.bits(0b100, 3).bits(258 - 257, 5).bits(0, 5).bits(18 - 4, 4);
    for len in [0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 2, 0, 2] {
        bits.bits(len, 3);
    }
    // code lengths: 1→00, 2→01, 3→10, 0→110, 18→111
    bits.code(7, 3).bits(97 - 11, 7).code(2, 2).code(2, 2);
    bits.code(7, 3).bits(138 - 11, 7).code(7, 3).bits(19 - 11, 7).code(0, 2).code(1, 2);
    bits.code(6, 3); // one distance code, of no bits: there is none
    for _ in 0..100 {
        bits.code(6, 3).code(7, 3);
    }
    let bytes = bits.code(0, 1).bits(0b010, 3).copy_three(150).fixed(256).end();
    assert_eq!(dumb(&bytes).distances, [150]);
    for piece in 1..bytes.len() {
        assert_eq!(scan(&bytes, 149, piece).map(|(far, _)| far), Some(150), "{piece}");
    }
}

#[test]
fn the_scanner_counts_the_bytes_that_a_distance_can_reach() {
    let mut random = Random(12);
    for level in [0, 6] {
        let plain = random.bytes(900);
        let mut bytes = Sender::new(level, 15, false).unstripped(&[&plain[..], &plain].concat());
        bytes.extend(BitWriter::default().bits(0b010, 3).copy_three(1810).fixed(256).end());
        for piece in [1, 100, usize::MAX] {
            assert_eq!(fault(&bytes, 10, piece), None);
            assert_eq!(fault(&bytes, 9, piece), Some(ScanFault::TooFar));
        }
    }
    let no_literal = BitWriter::default().bits(0b010, 3).fixed(286).end();
    let no_distance = BitWriter::default().bits(0b010, 3).fixed(97).fixed(257).code(30, 5).end();
    assert_eq!(fault(&no_literal, 0, 1), Some(ScanFault::InvalidCode));
    assert_eq!(fault(&no_distance, 0, 1), Some(ScanFault::InvalidCode));
    assert_eq!(fault(&[0x07], 0, 1), Some(ScanFault::Other));
}

proptest! {
    #[test]
    fn anything_is_scanned_without_trouble_at_any_cut(
        seed in 1u64.., len in 0usize..3000, flips in proptest::collection::vec(any::<prop::sample::Index>(), 0..3),
        piece in 1usize..50, window in 100u32..2000,
    ) {
        let mut random = Random(seed);
        let mut bytes = Sender::new(6, 15, false).unstripped(&random.text(len));
        for flip in &flips {
            let bit = flip.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        let whole = scan(&bytes, window, usize::MAX).map(|(far, _)| far);
        prop_assert_eq!(scan(&bytes, window, piece).map(|(far, _)| far), whole);
        if flips.is_empty() {
            prop_assert_eq!(whole, first_far(&bytes, window));
        }
    }

    #[test]
    fn random_bytes_are_scanned_without_trouble(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let whole = scan(&bytes, 256, usize::MAX).map(|(far, _)| far);
        prop_assert_eq!(scan(&bytes, 256, 1).map(|(far, _)| far), whole);
    }
}

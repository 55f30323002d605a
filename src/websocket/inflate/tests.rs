use proptest::prelude::*;

use super::testing::{BitWriter, Random, Sender, dumb};
use super::*;
use crate::types::{Direction, Limits};
use crate::websocket::Deflate;

const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// The content of a message, and its error.
type Outcome = (Vec<u8>, Option<InflateError>);

fn pool(max_inflaters: usize) -> InflaterPool {
    InflaterPool::new(&Limits { max_inflaters, ..Limits::default() })
}

fn negotiated(client_max_window_bits: u8, client_no_context_takeover: bool) -> Inflater {
    let deflate = Deflate { client_max_window_bits, client_no_context_takeover, ..Deflate::default() };
    Inflater::new(&deflate, Direction::ToServer)
}

/// A receiver with a pool of its own, whatever was negotiated.
struct Receiver {
    pool: InflaterPool,
    inflater: Inflater,
}

impl Receiver {
    fn new(window_bits: u8, no_context_takeover: bool) -> Self {
        Self { pool: pool(1), inflater: negotiated(window_bits, no_context_takeover) }
    }

    fn takeover() -> Self {
        Self::new(15, false)
    }

    /// One message in pieces of `piece` bytes.
    fn in_pieces(&mut self, payload: &[u8], piece: usize) -> Outcome {
        receive(&mut self.inflater, &mut self.pool, payload, piece)
    }

    fn message(&mut self, payload: &[u8]) -> Outcome {
        self.in_pieces(payload, usize::MAX)
    }

    /// Another connection uses the only slot.
    fn disturb(&mut self) {
        assert_eq!(receive(&mut negotiated(15, false), &mut self.pool, &HELLO, 1), right(b"Hello"));
    }
}

fn receive(inflater: &mut Inflater, pool: &mut InflaterPool, payload: &[u8], piece: usize) -> Outcome {
    let mut out = Vec::new();
    let mut error = None;
    inflater.begin_message(pool);
    for part in payload.chunks(piece.max(1)) {
        if let Err(failure) = inflater.push(pool, part, &mut |bytes: &[u8]| out.extend_from_slice(bytes)) {
            assert_eq!(error.replace(failure), None, "an error is reported once");
        }
    }
    if let Err(failure) = inflater.finish_message(pool) {
        assert_eq!(error.replace(failure), None, "an error is reported once");
    }
    (out, error)
}

fn right(bytes: &[u8]) -> Outcome {
    (bytes.to_vec(), None)
}

fn lost(loss: ContextLoss, first: bool) -> Option<InflateError> {
    Some(InflateError::ContextLost { loss, first })
}

// --- RFC 7692 §7.2.3

const HELLO: [u8; 7] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];

#[test]
fn rfc_7692_7_2_3_1_one_block() {
    for piece in 1..=HELLO.len() {
        assert_eq!(Receiver::takeover().in_pieces(&HELLO, piece), right(b"Hello"));
        assert_eq!(Receiver::new(8, true).in_pieces(&HELLO, piece), right(b"Hello"));
    }
}

#[test]
fn rfc_7692_7_2_3_2_sharing_the_window() {
    let again = [0xf2, 0x00, 0x11, 0x00, 0x00];
    let mut receiver = Receiver::takeover();
    assert_eq!(receiver.message(&HELLO), right(b"Hello"));
    assert_eq!(receiver.message(&again), right(b"Hello"));
    receiver.disturb();
    assert_eq!(receiver.message(&again), right(b"Hello"), "from the history");
    let mut alone = Receiver::new(15, true);
    assert_eq!(alone.message(&HELLO), right(b"Hello"));
    let (_, error) = alone.message(&again);
    let reason = "invalid distance too far back, or invalid code";
    assert_eq!(error, Some(InflateError::Corrupt { at: 2, reason }));
    assert_eq!(alone.message(&HELLO), right(b"Hello"), "each message stands alone");
}

#[test]
fn rfc_7692_7_2_3_3_no_compression() {
    let stored = [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00];
    for piece in 1..=stored.len() {
        let mut receiver = Receiver::takeover();
        assert_eq!(receiver.in_pieces(&stored, piece), right(b"Hello"));
        assert_eq!(receiver.in_pieces(&HELLO, piece), right(b"Hello"));
    }
}

#[test]
fn rfc_7692_7_2_3_4_bfinal() {
    let last = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
    for piece in 1..=last.len() {
        let mut receiver = Receiver::takeover();
        assert_eq!(receiver.in_pieces(&last, piece), right(b"Hello"));
        assert_eq!(receiver.in_pieces(&last, piece), right(b"Hello"));
        assert_eq!(receiver.message(&[0xf2, 0x00, 0x11, 0x00, 0x00]), right(b"Hello"), "still refers back");
        assert_eq!(Receiver::new(15, true).in_pieces(&last, piece), right(b"Hello"));
    }
}

#[test]
fn rfc_7692_7_2_3_5_two_blocks() {
    let two = [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00];
    for piece in 1..=two.len() {
        assert_eq!(Receiver::takeover().in_pieces(&two, piece), right(b"Hello"));
        assert_eq!(Receiver::new(9, true).in_pieces(&two, piece), right(b"Hello"));
    }
}

#[test]
fn rfc_7692_7_2_3_6_an_empty_message() {
    for no_context_takeover in [false, true] {
        let mut receiver = Receiver::new(15, no_context_takeover);
        for empty in [&[0x00][..], &[], &[0x00, 0x00, 0x00, 0xff, 0xff], &[0x02, 0x00]] {
            assert_eq!(receiver.message(empty), right(b""));
            assert_eq!(receiver.message(&HELLO), right(b"Hello"));
        }
    }
}

// --- forms that senders use

#[test]
fn messages_of_all_negotiated_forms_are_inflated() {
    let mut random = Random(3);
    let mix: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"x".to_vec(),
        random.text(300),
        random.bytes(700),
        b"".to_vec(),
        random.text(70_000),
        random.bytes(40_000),
        vec![b'z'; 300_000],
        random.text(5),
    ];
    for no_context_takeover in [false, true] {
        for window_bits in 9..=15 {
            for level in [0, 1, 6, 9] {
                let mut sender = Sender::new(level, window_bits, no_context_takeover);
                let mut receiver = Receiver::new(window_bits, no_context_takeover);
                for (turn, plain) in mix.iter().enumerate() {
                    let payload = sender.message(plain);
                    let outcome = receiver.in_pieces(&payload, [usize::MAX, 1000, 1][turn % 3].max(plain.len() / 500));
                    assert!(outcome == right(plain), "level {level}, {window_bits} bits, message {turn}");
                    assert_eq!(receiver.inflater.take_window_excess(), None);
                    if turn % 2 == 1 {
                        receiver.disturb();
                    }
                }
            }
        }
    }
}

#[test]
fn a_mebibyte_at_once() {
    let mut random = Random(4);
    for plain in [random.text(1 << 20), random.bytes(1 << 20)] {
        let mut sender = Sender::takeover();
        let mut receiver = Receiver::takeover();
        for _ in 0..2 {
            assert!(receiver.message(&sender.message(&plain)) == right(&plain));
            assert!(receiver.inflater.held() <= 32 << 10);
        }
    }
}

/// A cut at every byte gives the content that the bytes so far determine, at once, and all of it in the end.
#[test]
fn content_is_given_out_as_early_as_it_is_known() {
    let mut random = Random(5);
    let mut sender = Sender::takeover();
    let mut receiver = Receiver::takeover();
    let mut stream = Vec::new();
    let mut all = Vec::new();
    for len in [3, 200, 400, 0, 50] {
        let plain = random.text(len);
        let payload = sender.message(&plain);
        receiver.inflater.begin_message(&mut receiver.pool);
        for byte in &payload {
            stream.push(*byte);
            let pushed =
                receiver.inflater.push(&mut receiver.pool, &[*byte], &mut |bytes: &[u8]| all.extend_from_slice(bytes));
            assert_eq!(pushed, Ok(()));
            assert_eq!(all, dumb(&stream).out);
        }
        assert_eq!(receiver.inflater.finish_message(&mut receiver.pool), Ok(()));
        assert!(all.ends_with(&plain));
        stream.extend(TAIL);
    }
}

#[test]
fn streams_that_end_within_a_message() {
    let mut random = Random(6);
    let (one, two, three) = (random.text(2000), random.text(10), random.text(3000));
    for no_context_takeover in [false, true] {
        for window_bits in [9, 15] {
            let mut sender = Sender::new(6, window_bits, no_context_takeover);
            let [a, b, c] = [&one, &two, &three].map(|plain| sender.ended(plain));
            let whole = [&one[..], &two, &three].concat();
            let empty = [0x01, 0x00, 0x00, 0xff, 0xff]; // a final empty stored block
            let fixed = [0x03, 0x00]; // a final empty fixed block
            let cases = [
                (a.clone(), &one[..]),                  // ends with the message, no block after it
                ([&a[..], &[0]].concat(), &one),        // RFC 7692 §7.2.3.4
                ([&a[..], &TAIL].concat(), &one),       // a tail that is no block after it
                ([&a[..], &[0], &TAIL].concat(), &one), // a tail not removed
                ([&a[..], &b, &c].concat(), &whole),    // several streams
                ([&a[..], &b, &fixed, &c, &[0]].concat(), &whole),
                ([&a[..], &b, &empty, &c, &empty].concat(), &whole),
                ([&a[..], &empty[..1]].concat(), &one), // the final block's end is the tail
            ];
            for (payload, plain) in cases {
                for piece in [1, 3, 1000, usize::MAX] {
                    let mut receiver = Receiver::new(window_bits, no_context_takeover);
                    for _ in 0..2 {
                        assert_eq!(receiver.in_pieces(&payload, piece), right(plain));
                        assert_eq!(receiver.inflater.take_window_excess(), None);
                    }
                    assert_eq!(receiver.message(&HELLO), right(b"Hello"));
                }
            }
        }
    }
}

/// PEERS W5: the context goes on where a sender only sets BFINAL.
#[test]
fn a_final_block_does_not_end_the_context() {
    for piece in [1, usize::MAX] {
        let mut receiver = Receiver::takeover();
        let mut bits = BitWriter::default();
        let first = bits.bits(0b011, 3).fixed(97).fixed(98).fixed(99).fixed(256).bytes.clone();
        let back = BitWriter::default().bits(0b011, 3).copy_three(3).fixed(256).bytes.clone();
        assert_eq!(receiver.in_pieces(&[&first[..], &back].concat(), piece), right(b"abcabc"));
        assert_eq!(receiver.in_pieces(&back, piece), right(b"abc"));
        let mut alone = Receiver::new(15, true);
        assert_eq!(alone.in_pieces(&[&first[..], &back].concat(), piece), right(b"abcabc"));
        assert!(alone.in_pieces(&back, piece).1.is_some());
    }
}

#[test]
fn a_tail_that_was_not_removed() {
    let mut random = Random(7);
    for no_context_takeover in [false, true] {
        let mut sender = Sender::new(6, 15, no_context_takeover);
        let mut receiver = Receiver::new(15, no_context_takeover);
        for len in [5, 0, 4000, 1, 0] {
            let plain = random.text(len);
            let payload = if len == 0 { TAIL.to_vec() } else { sender.unstripped(&plain) };
            let payload = if len == 0 { [&[0][..], &payload].concat() } else { payload };
            assert_eq!(receiver.in_pieces(&payload, 3), right(&plain));
            assert_eq!(receiver.message(&sender.message(b"and again")), right(b"and again"));
        }
    }
}

// --- the pool

#[test]
fn connections_that_share_slots_lose_nothing() {
    for slots in [1, 2, 3] {
        let mut random = Random(8);
        let mut pool = pool(slots);
        let mut connections: Vec<_> =
            (0..5).map(|turn| (Sender::new(6, 15, turn == 4), negotiated(15 - turn, turn == 4))).collect();
        for _ in 0..400 {
            let turn = random.below(5);
            let (sender, inflater) = &mut connections[turn];
            let len = random.below(4) * random.below(3000);
            let plain = random.text(len);
            let payload = match random.below(8) {
                0 => sender.unstripped(&plain),
                1 => sender.ended(&plain),
                _ => sender.message(&plain),
            };
            let piece = 1 + random.below(4000);
            assert!(receive(inflater, &mut pool, &payload, piece) == right(&plain));
        }
        assert_eq!(pool.live(), slots);
    }
}

#[test]
fn messages_under_way_keep_their_slots_until_there_are_none() {
    let mut pool = pool(2);
    let mut inflaters = [0, 1, 2].map(|_| negotiated(15, false));
    let mut out = [Vec::new(), Vec::new(), Vec::new()];
    let halves = HELLO.split_at(3);
    for ((inflater, out), half) in inflaters.iter_mut().zip(&mut out).zip([halves.0, halves.0, &HELLO]) {
        inflater.begin_message(&mut pool);
        assert_eq!(inflater.push(&mut pool, half, &mut |bytes: &[u8]| out.extend_from_slice(bytes)), Ok(()));
    }
    let [first, second, third] = &mut inflaters;
    assert_eq!(third.finish_message(&mut pool), Ok(()));
    assert_eq!(second.push(&mut pool, halves.1, &mut |bytes: &[u8]| out[1].extend_from_slice(bytes)), Ok(()));
    assert_eq!(second.finish_message(&mut pool), Ok(()));
    assert_eq!(
        first.push(&mut pool, halves.1, &mut |_: &[u8]| panic!()),
        lost(ContextLoss::Pool, true).map_or(Ok(()), Err)
    );
    assert_eq!(first.push(&mut pool, b"rest", &mut |_: &[u8]| panic!()), Ok(()));
    assert_eq!(first.finish_message(&mut pool), Ok(()));
    assert_eq!(out[1..], [b"Hello", b"Hello"]);
    assert_eq!(receive(first, &mut pool, &HELLO, 9), right(b"Hello"), "a message without references is decoded");
}

#[test]
fn a_finished_connection_gives_up_its_slot() {
    let mut pool = pool(1);
    let mut under_way = negotiated(15, false);
    under_way.begin_message(&mut pool);
    under_way.push(&mut pool, &HELLO[..3], &mut |_: &[u8]| {}).unwrap();
    under_way.release(&mut pool);
    let mut other = negotiated(15, false);
    assert_eq!(receive(&mut other, &mut pool, &HELLO, 1), right(b"Hello"));
    assert_eq!(under_way.finish_message(&mut pool), lost(ContextLoss::Gap, true).map_or(Ok(()), Err));
    assert!(pool.held() < 130_000);
}

// --- the negotiated window

#[test]
fn a_distance_beyond_the_window_is_reported_and_decoded() {
    let mut random = Random(9);
    for window_bits in 8..=14 {
        for no_context_takeover in [false, true] {
            let mut receiver = Receiver::new(window_bits, no_context_takeover);
            let mut sender = Sender::new(6, 15, no_context_takeover);
            for turn in 0..3 {
                let plain = random.text(40_000);
                let payload = sender.message(&plain);
                assert!(receiver.in_pieces(&payload, 1 + turn * 700) == right(&plain));
                let excess = receiver.inflater.take_window_excess().unwrap();
                assert_eq!(excess.window, 1 << window_bits);
                assert!(excess.distance > excess.window && excess.distance <= 32_768);
                assert_eq!(receiver.inflater.take_window_excess(), None);
                // the same stream under the largest window
                let mut largest = Receiver::new(15, true);
                if no_context_takeover {
                    assert!(largest.message(&payload) == right(&plain));
                    assert_eq!(largest.inflater.take_window_excess(), None);
                }
            }
        }
    }
}

/// What a sender with a window of 512 sends to one who was promised 256.
#[test]
fn eight_bits_are_not_nine() {
    for (distance, far) in [(250, false), (256, false), (257, true), (400, true), (512, true)] {
        let mut random = Random(10);
        let plain = random.bytes(600);
        let mut receiver = Receiver::new(8, false);
        assert_eq!(receiver.message(&Sender::new(0, 15, false).message(&plain)), right(&plain));
        assert_eq!(receiver.inflater.take_window_excess(), None);
        let back = BitWriter::default().bits(0b010, 3).copy_three(distance).fixed(256).end();
        let from = 600 - usize::try_from(distance).unwrap();
        assert_eq!(receiver.message(&back), right(&plain[from..from + 3]));
        let excess = receiver.inflater.take_window_excess();
        assert_eq!(excess, far.then_some(WindowExcess { distance, window: 256 }));
    }
}

#[test]
fn an_excess_is_reported_with_the_piece_that_shows_it_even_when_the_piece_is_corrupt() {
    let mut receiver = Receiver::new(8, false);
    let plain = vec![b'a'; 300];
    receiver.message(&Sender::takeover().message(&plain));
    let mut bits = BitWriter::default();
    bits.bits(0b010, 3).copy_three(300).fixed(256).bits(0b110, 3);
    receiver.inflater.begin_message(&mut receiver.pool);
    let pushed = receiver.inflater.push(&mut receiver.pool, &bits.bytes, &mut |_: &[u8]| {});
    assert_eq!(pushed, Err(InflateError::Corrupt { at: 3, reason: "invalid block type" }));
    assert_eq!(receiver.inflater.take_window_excess(), Some(WindowExcess { distance: 300, window: 256 }));
}

// --- corrupt data

#[test]
fn corrupt_data_is_reported_alike_at_any_cut_and_the_connection_goes_on() {
    let mut random = Random(11);
    let plain = random.text(400);
    let payload = Sender::takeover().message(&plain);
    let (mut corrupt, mut not_reported) = (0, 0);
    for at in 0..payload.len() {
        for flip in [0x01, 0x10, 0x80, 0xff] {
            let mut bad = payload.clone();
            bad[at] ^= flip;
            let bits = if at % 2 == 0 { 15 } else { 12 };
            let mut whole = Receiver::new(bits, false);
            let outcome = whole.message(&bad);
            for piece in [1, 5] {
                let mut cut = Receiver::new(bits, false);
                assert_eq!(cut.in_pieces(&bad, piece), outcome, "byte {at} ^ {flip:#x} in pieces of {piece}");
            }
            assert!(outcome.0.len() < 400 * 300);
            let expected = match outcome.1 {
                Some(InflateError::Corrupt { at, .. }) => {
                    corrupt += 1;
                    assert!(at <= payload.len() as u64);
                    lost(ContextLoss::Corrupt, true)
                }
                Some(InflateError::ContextLost { .. }) => panic!("nothing was lost before"),
                None => {
                    not_reported += 1;
                    continue;
                }
            };
            let back = BitWriter::default().bits(0b010, 3).fixed(97).copy_three(10).fixed(256).end();
            assert_eq!(whole.message(&back), (b"a".to_vec(), expected));
            assert_eq!(whole.message(&back), (b"a".to_vec(), lost(ContextLoss::Corrupt, false)));
            assert_eq!(whole.message(&HELLO), right(b"Hello"));
        }
    }
    assert!(corrupt > 100, "{corrupt} reported, {not_reported} not");
}

#[test]
fn a_message_cut_short_is_reported_at_its_end() {
    let mut random = Random(12);
    for no_context_takeover in [false, true] {
        let (mut reported, mut unreported) = (0, 0);
        for len in [30, 3000] {
            let plain = random.text(len);
            let payload = Sender::takeover().message(&plain);
            for end in 1..payload.len() {
                let mut receiver = Receiver::new(15, no_context_takeover);
                let (out, error) = receiver.message(&payload[..end]);
                assert!(plain.starts_with(&out), "no byte of the tail is shown");
                match error {
                    Some(InflateError::Corrupt { at, reason }) => {
                        assert_eq!(at, end as u64);
                        assert!(reason.contains("empty uncompressed block"));
                        reported += 1;
                    }
                    Some(InflateError::ContextLost { .. }) => panic!(),
                    None => unreported += 1,
                }
                assert_eq!(receiver.message(&HELLO), right(b"Hello"));
            }
        }
        assert_eq!(unreported, 0, "{reported} reported");
    }
}

/// Inside a block's code tables, the tail and any empty block after it are read as more of them. A receiver would
/// read the next message as codes, too.
#[test]
fn a_message_that_ends_in_a_dynamic_header_is_corrupt() {
    let found = [0x62, 0x08, 0x05, 0x90, 0x27, 0x00, 0x00, 0x00];
    let mut payloads = vec![found.to_vec(), [&found[..], &TAIL].concat()];
    let mut random = Random(13);
    while payloads.len() < 3000 {
        // HLIT, HDIST, HCLEN and code lengths at random, and then anything that ends as a message has to.
        let mut bits = BitWriter::default();
        let mut below = |end| u32::try_from(random.below(end)).unwrap();
        bits.bits(0b100 | below(2), 3).bits(below(1 << 14), 14);
        let mut payload = bits.bytes.clone();
        let len = random.below(40);
        let (some, others) = (random.bytes(len), random.bytes(len));
        payload.extend(some.iter().zip(others).map(|(one, other)| one & other));
        payload.extend(vec![0; random.below(12)]);
        payload.push(0);
        payloads.push(payload);
    }
    let mut complete = 0;
    for (number, payload) in payloads.iter().enumerate() {
        for no_context_takeover in [false, true] {
            let mut receiver = Receiver::new(15, no_context_takeover);
            let (_, error) = receiver.message(payload);
            assert!(error.is_some() || number > 1, "{payload:02x?}");
            complete += u32::from(error.is_none());
            assert_eq!(receiver.message(&HELLO), right(b"Hello"), "after {payload:02x?}");
        }
    }
    assert!(complete < 60, "{complete} of {} are complete", payloads.len());
}

#[test]
fn every_reason_of_zlib_is_a_reason_known_here() {
    let stored = [0x00, 0x01, 0x00, 0x01, 0x00];
    let far = BitWriter::default().bits(0b010, 3).copy_three(1).end();
    let no_literal = BitWriter::default().bits(0b010, 3).fixed(286).end();
    let no_distance = BitWriter::default().bits(0b010, 3).fixed(97).fixed(257).code(30, 5).end();
    let mut repeat = BitWriter::default(); // code lengths of one bit: 16 and 0; the first means "as the one before"
    let repeat = repeat.bits(0b100, 3).bits(0, 14).bits(0b001_000_000_001, 12).code(0b1, 1).end();
    let (either, code, too_far) = (
        "invalid distance too far back, or invalid code",
        "invalid literal/length or distance code",
        "invalid distance too far back",
    );
    for (payload, largest, scanned) in [
        (&[0x07][..], "invalid block type", "invalid block type"),
        (&stored, "invalid stored block lengths", "invalid stored block lengths"),
        (&far, either, too_far),
        (&no_literal, either, code),
        (&no_distance, either, code),
        (&[0xfc, 0x00, 0x00], "too many length or distance symbols", "too many length or distance symbols"),
        (&[0x04, 0x00, 0xfe, 0xff], "invalid code lengths set", "invalid code lengths set"),
        (&repeat, "invalid bit length repeat", "invalid bit length repeat"),
    ] {
        // Input and output enough for zlib's fast loop, and too little; a history as long as the window, and none.
        for after in [&[][..], &[0; 400]] {
            let payload = [payload, after].concat();
            let all_known = if largest == either { code } else { largest };
            for (window_bits, known, expected) in
                [(15, 0, largest), (14, 0, scanned), (14, 40_000, scanned), (15, 40_000, all_known)]
            {
                if known > 0 && scanned == too_far {
                    continue; // nothing is too far then
                }
                for piece in [1, usize::MAX] {
                    let mut receiver = Receiver::new(window_bits, false);
                    receiver.message(&Sender::new(0, 15, false).message(&vec![7; known]));
                    match receiver.in_pieces(&payload, piece).1 {
                        Some(InflateError::Corrupt { reason, .. }) => assert_eq!(reason, expected),
                        other => panic!("{other:?} for {payload:x?}"),
                    }
                }
            }
        }
    }
}

// --- lost context

#[test]
fn after_a_loss_messages_without_references_to_lost_bytes_are_decoded() {
    let mut receiver = Receiver::takeover();
    assert_eq!(receiver.message(&HELLO), right(b"Hello"));
    receiver.inflater.lose_context(&mut receiver.pool);
    let again = [0xf2, 0x00, 0x11, 0x00, 0x00];
    assert_eq!(receiver.message(&again), (b"H".to_vec(), lost(ContextLoss::Gap, true)));
    assert_eq!(receiver.message(&again), (b"H".to_vec(), lost(ContextLoss::Gap, false)));
    assert_eq!(receiver.message(&HELLO), right(b"Hello"));
    assert_eq!(receiver.message(&again), right(b"Hello"), "from the message after the loss");
    let far = BitWriter::default().bits(0b010, 3).copy_three(11).fixed(256).end();
    assert_eq!(receiver.message(&far), (vec![], lost(ContextLoss::Gap, false)), "one byte more than is known");
    assert_eq!(receiver.message(&again).1, lost(ContextLoss::Gap, false), "and its own length is not known");
    receiver.inflater.lose_context(&mut receiver.pool);
    assert_eq!(receiver.message(&again).1, lost(ContextLoss::Gap, true), "another loss");
    assert_eq!(receiver.message(&[0x07]).1, Some(InflateError::Corrupt { at: 0, reason: "invalid block type" }));
}

/// The dumb model: all messages since the loss, after several windows of random bytes. Bytes that are the same in all are known.
fn after_any_window(payloads: &[Vec<u8>], random: &mut Random) -> Vec<Vec<Option<u8>>> {
    let worlds: Vec<Vec<Vec<u8>>> = (0..6)
        .map(|_| {
            let mut stream = flate2::Decompress::new(false);
            stream.set_dictionary(&random.bytes(32 << 10)).unwrap();
            let inflate = |payload: &Vec<u8>| {
                let mut out = Vec::with_capacity(1 << 16);
                let input = [&payload[..], &TAIL].concat();
                stream.decompress_vec(&input, &mut out, flate2::FlushDecompress::None).unwrap();
                out
            };
            payloads.iter().map(inflate).collect()
        })
        .collect();
    let known = |message: usize, at: usize| {
        let byte = worlds[0][message][at];
        worlds.iter().all(|world| world[message][at] == byte).then_some(byte)
    };
    (0..payloads.len()).map(|message| (0..worlds[0][message].len()).map(|at| known(message, at)).collect()).collect()
}

/// RFC 7692 §7.2.3.2: with context takeover a message may refer to any before it. A message that refers only to bytes after
/// the loss is decoded, through however many others; and once a window is known, every message is.
#[test]
fn after_a_loss_content_that_does_not_depend_on_lost_bytes_is_decoded() {
    let (mut complete, mut partly, mut recovered) = (0, 0, 0);
    for seed in 1..=120 {
        let mut random = Random(seed * 7919);
        let mut sender = Sender::takeover();
        let words = random.text(300);
        let plain = |random: &mut Random| match random.below(4) {
            0 => random.bytes(random.0.leading_zeros() as usize * 40 + 20),
            1 => words[random.below(250)..][..40].to_vec(),
            2 => [&random.bytes(30)[..], &words[..random.below(100)]].concat(),
            _ => {
                let len = random.below(1500);
                random.text(len)
            }
        };
        for _ in 0..4 {
            let before = plain(&mut random);
            sender.message(&before);
        }
        let messages: Vec<Vec<u8>> = (0..60).map(|_| plain(&mut random)).collect();
        let payloads: Vec<Vec<u8>> = messages.iter().map(|plain| sender.message(plain)).collect();
        let model = after_any_window(&payloads, &mut random);
        let mut receiver = Receiver::takeover();
        receiver.inflater.lose_context(&mut receiver.pool);
        let mut first = true;
        for ((plain, payload), known) in messages.iter().zip(&payloads).zip(&model) {
            if random.below(5) == 0 {
                receiver.disturb();
            }
            let piece = [1, 7, 1000, usize::MAX][random.below(4)];
            let (out, error) = receiver.in_pieces(payload, piece);
            let expected: Vec<u8> = known.iter().map_while(|byte| *byte).collect();
            assert!(plain.starts_with(&expected), "the model never has a wrong byte");
            assert!(out == expected, "seed {seed}: {} bytes, not {}", out.len(), expected.len());
            if expected.len() == plain.len() {
                assert_eq!(error, None, "seed {seed}");
                complete += 1;
                recovered += u32::from(!first);
            } else {
                assert_eq!(error, lost(ContextLoss::Gap, first), "seed {seed}");
                (first, partly) = (false, partly + 1);
            }
        }
    }
    assert!(
        complete > 500 && partly > 200 && recovered > 300,
        "{complete} complete, {partly} not, {recovered} after one"
    );
}

#[test]
fn a_loss_is_over_when_a_window_is_known() {
    let mut random = Random(99);
    let mut sender = Sender::takeover();
    sender.message(&random.text(2000));
    let mut receiver = Receiver::takeover();
    receiver.inflater.lose_context(&mut receiver.pool);
    for _ in 0..8 {
        let plain = random.bytes(5000);
        assert_eq!(receiver.message(&sender.message(&plain)), right(&plain));
    }
    assert!(receiver.inflater.held() <= 32 << 10, "one history is enough");
    receiver.inflater.lose_context(&mut receiver.pool);
    let again = [0xf2, 0x00, 0x11, 0x00, 0x00];
    assert_eq!(receiver.message(&again).1, lost(ContextLoss::Gap, true));
}

#[test]
fn a_loss_within_a_message() {
    for no_context_takeover in [false, true] {
        let mut receiver = Receiver::new(15, no_context_takeover);
        let Receiver { pool, inflater } = &mut receiver;
        let mut out = Vec::new();
        inflater.begin_message(pool);
        inflater.push(pool, &HELLO[..3], &mut |bytes: &[u8]| out.extend_from_slice(bytes)).unwrap();
        inflater.lose_context(pool);
        let pushed = inflater.push(pool, &HELLO[4..], &mut |_: &[u8]| panic!());
        assert_eq!(pushed.err(), lost(ContextLoss::Gap, true));
        assert_eq!(inflater.finish_message(pool), Ok(()));
        assert_eq!(out, b"He");
        inflater.lose_context(pool);
        inflater.begin_message(pool);
        inflater.lose_context(pool);
        assert_eq!(inflater.finish_message(pool).err(), lost(ContextLoss::Gap, true));
        assert_eq!(receiver.message(&HELLO), right(b"Hello"));
    }
}

#[test]
fn without_takeover_nothing_outlasts_a_message() {
    let mut receiver = Receiver::new(15, true);
    assert_eq!(receiver.message(&HELLO), right(b"Hello"));
    receiver.inflater.lose_context(&mut receiver.pool);
    assert_eq!(receiver.message(&HELLO), right(b"Hello"));
    let (_, error) = receiver.message(&[0xf2, 0x00, 0x11, 0x00, 0x00]);
    assert!(matches!(error, Some(InflateError::Corrupt { .. })));
    assert_eq!(receiver.inflater.held(), 0);
}

#[test]
fn a_message_that_is_never_finished_counts_only_if_it_was_complete() {
    let again = [0xf2, 0x00, 0x11, 0x00, 0x00];
    for (payload, complete) in [(&HELLO[..], true), (&HELLO[..5], false)] {
        let mut receiver = Receiver::takeover();
        receiver.inflater.begin_message(&mut receiver.pool);
        receiver.inflater.push(&mut receiver.pool, payload, &mut |_: &[u8]| {}).unwrap();
        let outcome = receiver.message(&again);
        let expected = if complete { right(b"Hello") } else { (b"H".to_vec(), lost(ContextLoss::Corrupt, true)) };
        assert_eq!(outcome, expected);
    }
}

// --- bombs

#[test]
fn a_bomb_is_counted_and_not_kept() {
    let zeros = vec![0; 16 << 20];
    let payload = Sender::new(9, 15, false).message(&zeros);
    assert!(payload.len() * 1000 < zeros.len());
    let mut receiver = Receiver::takeover();
    let (mut len, mut longest) = (0, 0);
    receiver.inflater.begin_message(&mut receiver.pool);
    for _ in 0..2 {
        let count = &mut |bytes: &[u8]| {
            len += bytes.len();
            longest = longest.max(bytes.len());
        };
        receiver.inflater.push(&mut receiver.pool, &[&payload[..], &TAIL].concat(), count).unwrap();
    }
    assert_eq!(receiver.inflater.finish_message(&mut receiver.pool), Ok(()));
    assert_eq!(len, 2 * zeros.len());
    assert!(longest <= 64 << 10);
    assert!(receiver.inflater.held() + receiver.pool.held() < 160 << 10);
}

// --- anything

/// One message, and how it is sent and received.
#[derive(Debug, Clone)]
struct Exchange {
    connection: usize,
    plain: Vec<u8>,
    form: usize,
    piece: usize,
    lose: bool,
}

fn exchange() -> impl Strategy<Value = Exchange> {
    let plain = prop_oneof![
        "[a-d ]{0,60}".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..300),
        (1u64..1000, 0usize..20_000).prop_map(|(seed, len)| Random(seed).text(len)),
    ];
    (0usize..3, plain, 0usize..6, 1usize..3000, prop::bool::weighted(0.05))
        .prop_map(|(connection, plain, form, piece, lose)| Exchange { connection, plain, form, piece, lose })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::common::effort::cases(128, 4_000)))]

    #[test]
    fn content_given_out_is_the_message_or_its_beginning(
        exchanges in proptest::collection::vec(exchange(), 1..40),
        slots in 1usize..4,
    ) {
        let mut pool = pool(slots);
        let mut connections = [(15, false), (9, false), (13, true)]
            .map(|(bits, alone)| (Sender::new(6, bits, alone), negotiated(bits, alone), false));
        for exchange in exchanges {
            let (sender, inflater, has_lost) = &mut connections[exchange.connection];
            if exchange.lose && exchange.connection < 2 {
                sender.message(&exchange.plain); // never arrives
                inflater.lose_context(&mut pool);
                *has_lost = true;
                continue;
            }
            let payload = match exchange.form {
                0 => sender.unstripped(&exchange.plain),
                1 => sender.ended(&exchange.plain),
                _ => sender.message(&exchange.plain),
            };
            let (out, error) = receive(inflater, &mut pool, &payload, exchange.piece);
            prop_assert!(exchange.plain.starts_with(&out));
            match error {
                None => prop_assert!(out == exchange.plain),
                Some(InflateError::ContextLost { .. }) => prop_assert!(*has_lost),
                Some(corrupt) => prop_assert!(false, "{}", corrupt),
            }
            prop_assert_eq!(inflater.take_window_excess(), None);
        }
    }

    #[test]
    fn any_bytes_give_the_same_at_any_cut(
        payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 1..6),
        piece in 1usize..20, alone in any::<bool>(),
    ) {
        let mut whole = Receiver::new(10, alone);
        let mut cut = Receiver::new(10, alone);
        for payload in payloads {
            prop_assert_eq!(cut.in_pieces(&payload, piece), whole.message(&payload));
            let excess = whole.inflater.take_window_excess();
            prop_assert_eq!(cut.inflater.take_window_excess(), excess);
        }
    }
}

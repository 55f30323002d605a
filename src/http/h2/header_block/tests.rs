//! Header blocks: the RFC's examples, stories of an encoder of our own, losses, cuts, and bad input held against another
//! decoder.

use super::super::huffman;
use super::super::table::STATIC;
use super::*;

/// Name and value; `?` where it is unknown.
type Line = (String, String);

fn text(bytes: Option<&[u8]>) -> String {
    bytes.map_or("?".to_owned(), |bytes| bytes.escape_ascii().to_string())
}

/// Decodes one block, in fragments of `size` bytes.
fn block(decoder: &mut HeaderDecoder, bytes: &[u8], size: usize) -> (Vec<Line>, Option<BlockFault>) {
    let mut lines = Vec::new();
    decoder.begin();
    for piece in bytes.chunks(size.max(1)) {
        decoder.push(piece, |field| lines.push((text(field.name), text(field.value))));
    }
    let (fault, followed) = decoder.end();
    assert!(followed || fault.is_some() || decoder.allowed.is_none());
    (lines, fault)
}

fn decoder() -> HeaderDecoder {
    HeaderDecoder::new(64 << 10, 64 << 10)
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|two| u8::from_str_radix(core::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

fn lines(list: &[(&str, &str)]) -> Vec<Line> {
    list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// RFC 7541 Appendix C.2.
#[test]
fn single_fields_of_the_rfc() {
    for (hex, name, value, kept) in [
        ("400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572", "custom-key", "custom-header", 55),
        ("040c 2f73 616d 706c 652f 7061 7468", ":path", "/sample/path", 0),
        ("1008 7061 7373 776f 7264 0673 6563 7265 74", "password", "secret", 0),
        ("82", ":method", "GET", 0),
    ] {
        let mut decoder = decoder();
        assert_eq!(block(&mut decoder, &bytes(hex), 99), (lines(&[(name, value)]), None));
        assert_eq!(decoder.table.held(), kept);
    }
}

/// RFC 7541 Appendix C.3 (plain) and C.4 (Huffman).
#[test]
fn requests_of_the_rfc() {
    let plain = [
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "8286 84be 5808 6e6f 2d63 6163 6865",
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ];
    let coded = [
        "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
        "8286 84be 5886 a8eb 1064 9cbf",
        "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ];
    let authority = (":authority", "www.example.com");
    let expected = [
        lines(&[(":method", "GET"), (":scheme", "http"), (":path", "/"), authority]),
        lines(&[(":method", "GET"), (":scheme", "http"), (":path", "/"), authority, ("cache-control", "no-cache")]),
        lines(&[
            (":method", "GET"),
            (":scheme", "https"),
            (":path", "/index.html"),
            authority,
            ("custom-key", "custom-value"),
        ]),
    ];
    story(&plain, &expected, &[57, 110, 164], 4096);
    story(&coded, &expected, &[57, 110, 164], 4096);
}

/// RFC 7541 Appendix C.5 (plain) and C.6 (Huffman), with a table of 256 bytes.
#[test]
fn responses_of_the_rfc() {
    let plain = [
        "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d
         546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "4803 3330 37c1 c0bf",
        "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f
         6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b
         2076 6572 7369 6f6e 3d31",
    ];
    let coded = [
        "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7
         8f0b 97c8 e9ae 82ae 43d3",
        "4883 640e ffc1 c0bf",
        "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335
         dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
    ];
    let fixed = [
        ("cache-control", "private"),
        ("date", "Mon, 21 Oct 2013 20:13:21 GMT"),
        ("location", "https://www.example.com"),
    ];
    let with = |status| [&[(":status", status)], &fixed[..]].concat();
    let expected = [
        lines(&with("302")),
        lines(&with("307")),
        lines(&[
            (":status", "200"),
            fixed[0],
            ("date", "Mon, 21 Oct 2013 20:13:22 GMT"),
            fixed[2],
            ("content-encoding", "gzip"),
            ("set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"),
        ]),
    ];
    story(&plain, &expected, &[222, 222, 215], 256);
    story(&coded, &expected, &[222, 222, 215], 256);
}

/// Blocks one after another, each complete and byte by byte; after each, the table's size.
fn story(blocks: &[&str], expected: &[Vec<Line>], sizes: &[usize], table: u32) {
    for piece in [usize::MAX, 1] {
        let mut decoder = decoder();
        decoder.table.resize(table);
        for ((hex, expected), size) in blocks.iter().zip(expected).zip(sizes) {
            assert_eq!(block(&mut decoder, &bytes(hex), piece), (expected.clone(), None));
            assert_eq!(decoder.table.held(), *size);
        }
    }
}

/// The same numbers on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0 * 48_271 % 0x7fff_ffff;
        self.0 % n
    }
}

/// An encoder that makes all choices that RFC 7541 allows.
#[derive(Default)]
struct Encoder {
    table: Vec<(String, String)>,
    max: usize,
}

impl Encoder {
    fn integer(out: &mut Vec<u8>, first: u8, prefix: u32, value: usize) {
        let mask = (1 << prefix) - 1;
        if value < mask {
            return out.push(first | u8::try_from(value).unwrap());
        }
        out.push(first | u8::try_from(mask).unwrap());
        let mut rest = value - mask;
        while rest >= 128 {
            out.push(u8::try_from(rest % 128).unwrap() | 0x80);
            rest /= 128;
        }
        out.push(u8::try_from(rest).unwrap());
    }

    fn string(out: &mut Vec<u8>, value: &str, random: &mut Random) {
        if random.below(2) == 0 {
            let coded = huffman::encode(value.as_bytes());
            Self::integer(out, 0x80, 7, coded.len());
            out.extend(coded);
        } else {
            Self::integer(out, 0, 7, value.len());
            out.extend(value.bytes());
        }
    }

    fn fit(&mut self) {
        while self.table.iter().map(|(name, value)| name.len() + value.len() + 32).sum::<usize>() > self.max {
            self.table.pop();
        }
    }

    fn block(&mut self, list: &[(String, String)], random: &mut Random) -> Vec<u8> {
        let mut out = Vec::new();
        if random.below(5) == 0 && !list.is_empty() {
            for _ in 0..=random.below(2) {
                self.max = usize::try_from(random.below(4097)).unwrap();
                Self::integer(&mut out, 0x20, 5, self.max);
                self.fit();
            }
        }
        for (name, value) in list {
            let all =
                STATIC.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).chain(self.table.clone());
            let all: Vec<_> = all.collect();
            let whole = all.iter().position(|entry| entry == &(name.clone(), value.clone()));
            if let Some(at) = whole.filter(|_| random.below(4) > 0) {
                Self::integer(&mut out, 0x80, 7, at + 1);
                continue;
            }
            let named = all.iter().position(|entry| &entry.0 == name).filter(|_| random.below(4) > 0);
            let (first, prefix) = [(0x40, 6), (0x40, 6), (0, 4), (0x10, 4)][usize::try_from(random.below(4)).unwrap()];
            Self::integer(&mut out, first, prefix, named.map_or(0, |at| at + 1));
            if named.is_none() {
                Self::string(&mut out, name, random);
            }
            Self::string(&mut out, value, random);
            if first == 0x40 {
                self.table.insert(0, (name.clone(), value.clone()));
                self.fit();
            }
        }
        out
    }
}

fn list(random: &mut Random) -> Vec<Line> {
    const NAMES: [&str; 9] =
        [":method", ":path", ":status", "cookie", "x-a", "x-b", "user-agent", "content-length", "set-cookie"];
    (0..random.below(12))
        .map(|_| {
            let name = NAMES[usize::try_from(random.below(9)).unwrap()];
            let value = match random.below(6) {
                0 => "GET".to_owned(),
                1 => "x".repeat(usize::try_from(random.below(700)).unwrap()),
                kind => format!("{kind}/{}", random.below(20)),
            };
            (name.to_owned(), value)
        })
        .collect()
}

#[test]
fn stories_are_decoded_however_they_are_cut() {
    for seed in 1..30 {
        let mut random = Random(seed);
        let mut encoder = Encoder { max: 4096, ..Encoder::default() };
        let (mut ours, mut cut, mut theirs) = (decoder(), decoder(), loona_hpack::Decoder::new());
        for _ in 0..40 {
            let list = list(&mut random);
            let bytes = encoder.block(&list, &mut random);
            let size = usize::try_from(random.below(9)).unwrap();
            assert_eq!(block(&mut ours, &bytes, usize::MAX), (list.clone(), None));
            assert_eq!(block(&mut cut, &bytes, size), (list.clone(), None));
            let theirs = theirs.decode(&bytes).unwrap();
            let theirs: Vec<_> = theirs.iter().map(|(name, value)| (text(Some(name)), text(Some(value)))).collect();
            assert_eq!(theirs, list);
        }
    }
}

#[test]
fn after_a_loss_no_field_is_wrong_and_some_are_known() {
    let mut known = [0, 0];
    for seed in 1..60 {
        let mut random = Random(seed);
        let mut encoder = Encoder { max: 4096, ..Encoder::default() };
        let mut ours = decoder();
        for number in 0..40 {
            let list = list(&mut random);
            let bytes = encoder.block(&list, &mut random);
            if number % 13 == 5 {
                ours.lose();
                continue;
            }
            let (decoded, fault) = block(&mut ours, &bytes, 7);
            assert_eq!((decoded.len(), fault), (list.len(), None));
            for (field, sent) in decoded.iter().zip(&list) {
                let right = |part: &str, sent: &str| part == "?" || part == sent;
                assert!(right(&field.0, &sent.0) && right(&field.1, &sent.1), "{field:?} is {sent:?}");
                known[0] += u32::from(field == sent);
                known[1] += 1;
            }
        }
    }
    assert!(known[0] * 10 > known[1] * 7 && known[0] < known[1], "{known:?}");
}

#[test]
fn with_a_small_table_no_field_is_wrong() {
    for seed in 1..30 {
        let mut random = Random(seed);
        let mut encoder = Encoder { max: 4096, ..Encoder::default() };
        let mut ours = HeaderDecoder::new(64 << 10, 300);
        for _ in 0..40 {
            let list = list(&mut random);
            let (decoded, fault) = block(&mut ours, &encoder.block(&list, &mut random), 50);
            assert!(ours.table.held() <= 300 && fault.is_none());
            for (field, sent) in decoded.iter().zip(&list) {
                assert!(
                    (field.0 == "?" || field.0 == sent.0) && (field.1 == "?" || field.1 == sent.1),
                    "{field:?} is {sent:?}"
                );
            }
        }
    }
}

#[test]
fn faults_are_named_and_the_other_fields_are_read() {
    for (hex, expected, fault) in [
        ("80 82", lines(&[("?", "?"), (":method", "GET")]), BlockFault::Index),
        ("be 82", lines(&[("?", "?"), (":method", "GET")]), BlockFault::Index),
        ("0f 80 01 01 61", lines(&[("?", "a")]), BlockFault::Index),
        ("82 3f 01", lines(&[(":method", "GET")]), BlockFault::TableSize),
        ("3f e2 1f 82", lines(&[(":method", "GET")]), BlockFault::TableSize),
        ("82 ff ff ff ff ff 00 82", lines(&[(":method", "GET")]), BlockFault::Integer),
        ("04 81 ff 82", lines(&[(":path", "?"), (":method", "GET")]), BlockFault::Huffman),
        ("00 81 ff 01 61 82", lines(&[("?", "a"), (":method", "GET")]), BlockFault::Huffman),
        ("82 04 03 61", lines(&[(":method", "GET")]), BlockFault::CutOff),
        ("82 ff", lines(&[(":method", "GET")]), BlockFault::CutOff),
    ] {
        for size in [usize::MAX, 1] {
            assert_eq!(block(&mut decoder(), &bytes(hex), size), (expected.clone(), Some(fault)), "{hex}");
        }
    }
}

#[test]
fn after_a_field_that_is_too_long_the_table_is_unknown() {
    let mut decoder = HeaderDecoder::new(100, 4096);
    let mut long = vec![0x40, 1, b'a', 0x7f, 0x80, 0x80, 0x40]; // A value of a megabyte.
    long.resize(500, b'x');
    assert_eq!(block(&mut decoder, &long, 10), (vec![], Some(BlockFault::TooLong)));
    assert!(decoder.held() < 300 && !decoder.is_complete());
    assert_eq!(block(&mut decoder, &[0x82, 0xbe], 9), (lines(&[(":method", "GET"), ("?", "?")]), None));
}

/// The limit of a field's length does not depend on how the block is cut.
#[test]
fn a_field_has_the_same_length_however_it_is_cut() {
    for (len, expected) in [(96, None), (97, Some(BlockFault::TooLong))] {
        let mut field = vec![0x40, 1, b'a', len];
        field.resize(4 + usize::from(len), b'x');
        for size in [usize::MAX, 100, 7, 1] {
            assert_eq!(
                block(&mut HeaderDecoder::new(100, 4096), &field, size).1,
                expected,
                "{len} in pieces of {size}"
            );
        }
    }
}

/// A byte of input may refer to an entry of 4 KiB: emitted fields are lent, and the memory does not grow.
#[test]
fn a_bomb_costs_no_memory() {
    let mut decoder = decoder();
    let mut bomb = vec![0x40, 1, b'a', 0x7f, 0xc1, 0x1e]; // A value of 4,032 bytes.
    bomb.resize(6 + 4032, b'x');
    bomb.resize(1 << 20, 0xbe);
    let (mut fields, mut unfolded) = (0, 0);
    decoder.begin();
    decoder.push(&bomb, |field| {
        fields += 1;
        unfolded += field.value.map_or(0, <[u8]>::len);
    });
    assert_eq!((fields, unfolded), ((1 << 20) - 4037, ((1 << 20) - 4037) * 4032));
    assert!(decoder.held() < 16 << 10, "{}", decoder.held());
}

#[test]
fn input_that_is_refused_is_refused_by_another_decoder() {
    let mut agreed = [0, 0];
    for seed in 1..2000 {
        let mut random = Random(seed);
        let mut encoder = Encoder { max: 4096, ..Encoder::default() };
        let mut bytes = encoder.block(&list(&mut random), &mut random);
        for _ in 0..=random.below(3) {
            if let Some(at) =
                random.below(bytes.len().max(1) as u64).try_into().ok().filter(|at: &usize| *at < bytes.len())
            {
                bytes[at] = u8::try_from(random.below(256)).unwrap();
            }
        }
        let (decoded, fault) = block(&mut decoder(), &bytes, 5);
        match loona_hpack::Decoder::new().decode(&bytes) {
            // Where the table's size may change, and to what, is for us alone to see.
            Ok(theirs) if fault != Some(BlockFault::TableSize) => {
                let theirs: Vec<_> = theirs.iter().map(|(name, value)| (text(Some(name)), text(Some(value)))).collect();
                assert_eq!((decoded, fault), (theirs, None), "{bytes:02x?}");
                agreed[0] += 1;
            }
            Ok(_) => {}
            // A block of nothing but a new size is allowed: the next request may be far away.
            Err(error) => {
                assert!(fault.is_some() || format!("{error:?}") == "SizeUpdateAtEnd", "{error:?} {bytes:02x?}");
                agreed[1] += 1;
            }
        }
    }
    assert!(agreed.iter().all(|count| *count > 100), "{agreed:?}");
}

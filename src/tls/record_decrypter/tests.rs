use super::*;
use crate::tls::record::HEADER_LEN;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: String = hex.split_whitespace().collect();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

/// RFC 8448 §3: the client's first record of application data, under `client_application_traffic_secret_0`.
const SECRET: &str = "9e 40 64 6c e7 9a 7f 9d c0 5a f8 88 9b ce 65 52 87 5a fa 0b 06 df 00 87 f7 92 eb b7 c1 75 04 a5";
const RECORD: &str =
    "17 03 03 00 43 a2 3f 70 54 b6 2c 94 d0 af fa fe 82 28 ba 55 cb ef ac ea 42 f9 14 aa 66 bc ab 3f 2b 98 19
    a8 a5 b4 6b 39 5b d5 4a 9a 20 44 1e 2b 62 97 4e 1f 5a 62 92 a2 97 70 14 bd 1e 3d ea e6 3a ee bb 21 69 49 15 e4";

fn example() -> (RecordDecrypter, RecordHeader, Vec<u8>) {
    let decrypter = RecordDecrypter::tls13(Suite::of(0x1301).unwrap(), &bytes(SECRET)).unwrap();
    let record = bytes(RECORD);
    (decrypter, RecordHeader::parse(&record).unwrap(), record[HEADER_LEN..].to_vec())
}

#[test]
fn the_record_of_rfc_8448_opens() {
    let (decrypter, header, fragment) = example();
    let mut out = [0; 100];
    let opened = decrypter.open(0, Record { header, fragment: &fragment }, &mut out).unwrap();
    assert_eq!(opened, Opened { content: ContentType::APPLICATION_DATA, len: 50 });
    assert_eq!(out[..50].to_vec(), (0..50).collect::<Vec<u8>>());
}

#[test]
fn nothing_but_that_record_under_that_number_opens() {
    let (decrypter, header, fragment) = example();
    let mut out = [0; 100];
    assert_eq!(decrypter.open(1, Record { header, fragment: &fragment }, &mut out), None);
    assert_eq!(decrypter.updated().unwrap().open(0, Record { header, fragment: &fragment }, &mut out), None);
    for at in 0..fragment.len() {
        let mut wrong = fragment.clone();
        wrong[at] ^= 1;
        assert_eq!(decrypter.open(0, Record { header, fragment: &wrong }, &mut out), None, "byte {at}");
    }
    for len in 0..fragment.len() {
        assert_eq!(decrypter.open(0, Record { header, fragment: &fragment[..len] }, &mut out), None, "{len} bytes");
    }
    for wrong in [RecordHeader { len: header.len + 1, ..header }, RecordHeader { version: 0x0301, ..header }] {
        assert_eq!(decrypter.open(0, Record { header: wrong, fragment: &fragment }, &mut out), None);
    }
    // No room is no plaintext, and no panic.
    assert_eq!(decrypter.open(0, Record { header, fragment: &fragment }, &mut [0; 10]), None);
}

#[test]
fn hostile_lengths_are_none_with_every_cipher() {
    for id in [0x009c, 0xcca8, 0xc09c, 0xc0a0, 0x002f, 0x003d, 0xc028] {
        let suite = Suite::of(id).unwrap();
        let randoms = crate::tls::schedule::Randoms { client: &[2; 32], server: &[3; 32] };
        let block = crate::tls::schedule::KeyBlock::new(0x0303, suite, &[1; 48], randoms);
        for (version, encrypt_then_mac) in [(0x0301, false), (0x0303, false), (0x0303, true)] {
            let decrypter = RecordDecrypter::tls12(version, suite, &block.keys(false), encrypt_then_mac).unwrap();
            for len in 0..200_u16 {
                let header = RecordHeader { content: ContentType::APPLICATION_DATA, version: 0x0303, len };
                let fragment = vec![0x5a; usize::from(len)];
                assert_eq!(
                    decrypter.open(0, Record { header, fragment: &fragment }, &mut [0; 200]),
                    None,
                    "{} {len}",
                    suite.name
                );
            }
        }
    }
}

#[test]
fn secrets_of_another_length_make_no_key() {
    for len in [0, 31, 33, 48] {
        assert!(RecordDecrypter::tls13(Suite::of(0x1301).unwrap(), &vec![0; len]).is_none());
    }
    assert!(RecordDecrypter::tls13(Suite::of(0x1302).unwrap(), &[0; 48]).is_some());
}

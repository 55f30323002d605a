//! Both endpoints of TLS 1.3 connections, simulated: the plaintext that they wrote must come out, whatever happens to the
//! records on their way.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use proptest::prelude::*;

use super::*;
use crate::tls::hello::tests::client_hello;
use crate::tls::schedule::expand_label;
use crate::tls::suites::Hash;

const RANDOM: u8 = 7;
const CLIENT: Direction = Direction::ToServer;
const SERVER: Direction = Direction::ToClient;
/// supported_versions: TLS 1.3.
const VERSIONS: [u8; 7] = [0, 43, 0, 3, 2, 3, 4];

fn record(content: u8, body: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&[content, 3, 3, high, low], body].concat()
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind, a, b, c], body].concat()
}

/// Seals records under a secret.
struct Writer {
    secret: Vec<u8>,
    number: u64,
}

impl Writer {
    fn new(secret: u8) -> Self {
        Self { secret: vec![secret; 32], number: 0 }
    }

    fn seal(&mut self, content: u8, body: &[u8]) -> Vec<u8> {
        let (mut key, mut nonce) = ([0; 16], [0; 12]);
        expand_label(Hash::Sha256, &self.secret, b"key", &mut key);
        expand_label(Hash::Sha256, &self.secret, b"iv", &mut nonce);
        nonce.iter_mut().skip(4).zip(self.number.to_be_bytes()).for_each(|(to, from)| *to ^= from);
        self.number += 1;
        // A little padding (RFC 8446 §5.4).
        let mut inner = [body, &[content, 0, 0]].concat();
        let header = record(23, &vec![0; inner.len() + 16])[..5].to_vec();
        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).unwrap());
        let nonce = Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(nonce, Aad::from(&header), &mut inner).unwrap();
        [header, inner].concat()
    }

    fn update(&mut self) {
        let mut next = vec![0; 32];
        expand_label(Hash::Sha256, &self.secret, b"traffic upd", &mut next);
        (self.secret, self.number) = (next, 0);
    }
}

fn log(lines: &[(&str, u8)]) -> KeyLog {
    let mut keys = KeyLog::new();
    let hex = |byte: u8| format!("{byte:02x}").repeat(32);
    for (label, secret) in lines {
        keys.add(format!("{label} {} {}\n", hex(RANDOM), hex(*secret)).as_bytes());
    }
    keys
}

fn all_secrets() -> KeyLog {
    log(&[
        ("CLIENT_EARLY_TRAFFIC_SECRET", 5),
        ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", 1),
        ("SERVER_HANDSHAKE_TRAFFIC_SECRET", 2),
        ("CLIENT_TRAFFIC_SECRET_0", 3),
        ("SERVER_TRAFFIC_SECRET_0", 4),
    ])
}

fn server_hello(extensions: &[u8]) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([9; 32]);
    body.extend([0, 0x13, 1, 0]);
    let all = [&[0, 43, 0, 2, 3, 4], extensions].concat();
    body.extend(u16::try_from(all.len()).unwrap().to_be_bytes());
    body.extend(all);
    record(22, &message(2, &body))
}

/// A connection up to its application data, and the writers of that.
fn opened() -> (Vec<(Direction, Vec<u8>)>, Writer, Writer) {
    let (mut client, mut server) = (Writer::new(1), Writer::new(2));
    let mut flight = message(8, &[0, 0]);
    flight.extend(message(11, &[0; 900]));
    flight.extend(message(20, &[1; 32]));
    let (first, second) = flight.split_at(500);
    let traffic = vec![
        (CLIENT, record(22, &message(1, &client_hello(RANDOM, &VERSIONS)))),
        (SERVER, server_hello(&[])),
        (SERVER, record(20, &[1])),
        (SERVER, server.seal(22, first)),
        (SERVER, server.seal(22, second)),
        (CLIENT, record(20, &[1])),
        (CLIENT, client.seal(22, &message(20, &[2; 32]))),
    ];
    (traffic, Writer::new(3), Writer::new(4))
}

/// What comes out of a connection.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Output {
    text: [Vec<u8>; 2],
    rejected: [u32; 2],
    notified: [bool; 2],
}

/// An observer of one connection, with the input that waits.
#[derive(Default)]
struct Observer {
    connection: TlsConnection,
    scratch: Scratch,
    output: Output,
    /// The input of each direction that is left.
    left: [Vec<u8>; 2],
}

impl Observer {
    fn feed(&mut self, direction: Direction, bytes: &[u8], keys: &KeyLog) {
        let side = usize::from(direction == SERVER);
        self.left[side].extend_from_slice(bytes);
        let mut before = None;
        while before != Some(self.connection.progress()) {
            before = Some(self.connection.progress());
            for (side, direction) in [(0, CLIENT), (1, SERVER)] {
                let left = core::mem::take(&mut self.left[side]);
                let mut input = left.as_slice();
                loop {
                    let context = DecryptContext { keys, scratch: &mut self.scratch, seen: PacketRef::default() };
                    match self.connection.next(direction, &mut input, context) {
                        Some(RecordEvent::Data(data)) => self.output.text[side].extend_from_slice(data),
                        Some(RecordEvent::Rejected) => self.output.rejected[side] += 1,
                        Some(RecordEvent::CloseNotify) => self.output.notified[side] = true,
                        None => break,
                    }
                }
                assert!(input.is_empty() || self.connection.waits_for(direction).is_some());
                self.left[side] = input.to_vec();
            }
        }
    }

    fn gap(&mut self, direction: Direction, len: Option<u64>) {
        self.connection.gap(direction, len, &mut self.scratch);
    }
}

fn observe(traffic: &[(Direction, Vec<u8>)], keys: &KeyLog) -> Observer {
    let mut observer = Observer::default();
    traffic.iter().for_each(|(direction, bytes)| observer.feed(*direction, bytes, keys));
    observer
}

#[test]
fn the_plaintext_of_both_directions_comes_out() {
    let (mut traffic, mut client, mut server) = opened();
    traffic.push((CLIENT, client.seal(23, b"request")));
    traffic.push((
        SERVER,
        [server.seal(22, &message(4, &[0; 40])), server.seal(23, b"an"), server.seal(23, b"swer")].concat(),
    ));
    traffic.push((CLIENT, client.seal(21, &[1, 0])));
    let observer = observe(&traffic, &all_secrets());
    assert_eq!(observer.output.text, [b"request".to_vec(), b"answer".to_vec()]);
    assert_eq!((observer.output.rejected, observer.output.notified), ([0, 0], [true, false]));
    let info = observer.connection.info();
    assert_eq!((info.version_name(), info.suite_name()), (Some("TLSv1.3"), Some("TLS_AES_128_GCM_SHA256")));
    assert!(info.finished.is_some() && info.close_notify.to_server.is_some());
}

#[test]
fn keys_are_updated() {
    let (mut traffic, mut client, _) = opened();
    for round in 0..3 {
        traffic.push((CLIENT, client.seal(23, &[b'a' + round])));
        traffic.push((CLIENT, client.seal(22, &message(24, &[0]))));
        client.update();
    }
    traffic.push((CLIENT, client.seal(23, b"!")));
    assert_eq!(observe(&traffic, &all_secrets()).output.text[0], b"abc!");
}

#[test]
fn secrets_may_come_late() {
    let (mut traffic, mut client, mut server) = opened();
    traffic.push((SERVER, server.seal(23, b"early bird")));
    traffic.push((CLIENT, client.seal(23, b"request")));
    let mut observer = observe(&traffic, &KeyLog::new());
    assert_eq!(observer.output, Output::default());
    assert_eq!(observer.connection.waits_for(SERVER), Some(WaitsFor::Secret));
    // First those of the handshake, then the others, as a client writes them.
    let some = log(&[("CLIENT_HANDSHAKE_TRAFFIC_SECRET", 1), ("SERVER_HANDSHAKE_TRAFFIC_SECRET", 2)]);
    observer.feed(CLIENT, b"", &some);
    assert_eq!(observer.output, Output::default());
    let mut keys = all_secrets();
    keys.add(format!("CLIENT_RANDOM {} {}\n", "00".repeat(32), "00".repeat(48)).as_bytes());
    observer.feed(CLIENT, b"", &keys);
    assert_eq!(observer.output.text, [b"request".to_vec(), b"early bird".to_vec()]);
}

#[test]
fn secrets_of_the_handshake_may_be_missing() {
    let (mut traffic, mut client, mut server) = opened();
    traffic.push((SERVER, server.seal(23, b"answer")));
    traffic.push((CLIENT, client.seal(23, b"request")));
    let keys = log(&[("CLIENT_TRAFFIC_SECRET_0", 3), ("SERVER_TRAFFIC_SECRET_0", 4)]);
    assert_eq!(observe(&traffic, &keys).output.text, [b"request".to_vec(), b"answer".to_vec()]);
}

#[test]
fn why_a_connection_is_undecryptable() {
    let (mut traffic, mut client, _) = opened();
    traffic.push((CLIENT, client.seal(23, b"request")));
    let why = |traffic: &[(Direction, Vec<u8>)], keys: &KeyLog| {
        let mut observer = observe(traffic, keys);
        observer.connection.give_up(keys).map(|why| why.to_string())
    };
    let random = "07".repeat(8) + "…";
    assert_eq!(
        why(&traffic, &KeyLog::new()),
        Some(format!("no secret for client random {random}; no secrets were given"))
    );
    let mut others = KeyLog::new();
    others.add(format!("CLIENT_RANDOM {} {}\n", "11".repeat(32), "11".repeat(48)).as_bytes());
    assert_eq!(
        why(&traffic, &others),
        Some(format!("no secret for client random {random}; the key log has those of 1 other session"))
    );
    let wrong = log(&[
        ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", 8),
        ("SERVER_HANDSHAKE_TRAFFIC_SECRET", 8),
        ("CLIENT_TRAFFIC_SECRET_0", 8),
        ("SERVER_TRAFFIC_SECRET_0", 8),
    ]);
    assert_eq!(why(&traffic, &wrong).as_deref(), Some("the secrets that the key log has for this session do not fit"));
    assert_eq!(why(&traffic[1..], &all_secrets()).as_deref(), Some("the handshake was not captured"));
    assert_eq!(why(&traffic[6..], &all_secrets()).as_deref(), Some("the handshake was not captured"));
    let mut suite = traffic.clone();
    let at = suite[1].1.windows(2).position(|pair| pair == [0x13, 1]).unwrap();
    suite[1].1[at + 1] = 0x7f;
    assert_eq!(why(&suite, &all_secrets()).as_deref(), Some("unsupported cipher suite 0x137f"));
    let refused = [traffic[0].clone(), (SERVER, record(21, &[2, 40]))];
    assert_eq!(
        why(&refused, &all_secrets()).as_deref(),
        Some("the server ended the handshake with alert 40 handshake_failure")
    );
    let part = log(&[("CLIENT_HANDSHAKE_TRAFFIC_SECRET", 1), ("CLIENT_TRAFFIC_SECRET_0", 3)]);
    assert_eq!(why(&traffic, &part), Some(format!("no secret of what the server sends, for client random {random}")));
}

#[test]
fn keys_that_do_not_fit_one_direction_leave_the_other_alone() {
    let (mut traffic, mut client, mut server) = opened();
    for _ in 0..20 {
        traffic.push((CLIENT, client.seal(23, b"request ")));
    }
    let before = traffic.len();
    traffic.push((SERVER, server.seal(23, b"answer")));
    let mut secrets =
        vec![("CLIENT_TRAFFIC_SECRET_0", 8), ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", 8), ("SERVER_TRAFFIC_SECRET_0", 4)];
    let mut observer = observe(&traffic, &log(&secrets));
    assert_eq!(observer.output.text, [b"".to_vec(), b"answer".to_vec()]);
    assert_eq!(
        (observer.output.rejected, observer.connection.undecryptable()),
        ([9, 0], None),
        "reported until it is certain"
    );
    assert_eq!(observer.connection.give_up(&log(&secrets)), None);
    // Those of the other direction do not fit, either: nothing will be opened.
    secrets.pop();
    secrets.extend([("SERVER_TRAFFIC_SECRET_0", 8), ("SERVER_HANDSHAKE_TRAFFIC_SECRET", 8)]);
    traffic.extend((0..20).map(|_| (SERVER, server.seal(23, b"answer"))));
    assert_eq!(observe(&traffic[..before], &log(&secrets)).connection.undecryptable(), None);
    assert_eq!(observe(&traffic, &log(&secrets)).connection.undecryptable(), Some(Undecryptable::KeysDoNotFit));
}

#[test]
fn bytes_that_never_were_tls_are_given_up() {
    let mut observer = observe(&[(CLIENT, record(22, &message(1, &client_hello(RANDOM, &VERSIONS))))], &KeyLog::new());
    for _ in 0..40 {
        for direction in Direction::BOTH {
            assert_eq!(observer.connection.undecryptable(), None);
            observer.feed(direction, &[b'x'; 30_000], &KeyLog::new());
            assert!(observer.connection.held() < 200 << 10, "{}", observer.connection.held());
        }
        if observer.connection.undecryptable() == Some(Undecryptable::NoHandshake) {
            return;
        }
    }
    panic!("it is still searched after {} bytes", 40 * 30_000);
}

#[test]
fn a_corrupt_record_is_rejected_and_the_next_ones_open() {
    let (mut traffic, mut client, _) = opened();
    let mut records: Vec<_> = (0..40_u8).map(|n| client.seal(23, &[n])).collect();
    for at in (3..33).step_by(3) {
        records[at][9] ^= 1;
    }
    traffic.extend(records.into_iter().map(|record| (CLIENT, record)));
    let output = observe(&traffic, &all_secrets()).output;
    assert_eq!(output.rejected, [10, 0]);
    assert_eq!(output.text[0], (0..40).filter(|n| !(3..33).contains(n) || n % 3 != 0).collect::<Vec<u8>>());
}

#[test]
fn a_foreign_record_between_does_not_count() {
    let (mut traffic, mut client, _) = opened();
    traffic.push((CLIENT, client.seal(23, b"a")));
    traffic.push((CLIENT, record(23, &[0; 40])));
    traffic.push((CLIENT, client.seal(23, b"b")));
    let output = observe(&traffic, &all_secrets()).output;
    assert_eq!((output.text[0].as_slice(), output.rejected), (&b"ab"[..], [1, 0]));
}

#[test]
fn a_retry_and_its_change_cipher_specs_are_no_obstacle() {
    let retry = crate::tls::hello::tests::retry();
    let (rest, mut client, mut server) = opened();
    let mut traffic = vec![
        rest[0].clone(),
        (SERVER, record(22, &message(2, &retry))),
        (SERVER, record(20, &[1])),
        (CLIENT, record(20, &[1])),
    ];
    traffic.extend(rest.into_iter().filter(|(_, bytes)| bytes[0] != 20));
    traffic.push((CLIENT, client.seal(23, b"request")));
    traffic.push((SERVER, server.seal(23, b"answer")));
    assert_eq!(observe(&traffic, &all_secrets()).output.text, [b"request".to_vec(), b"answer".to_vec()]);
}

/// A retry, 0-RTT data taken and not taken.
#[test]
fn early_data_counts_where_the_server_takes_it() {
    for (taken, expected) in [(true, &b"early late"[..]), (false, b" late")] {
        let extensions = [&VERSIONS[..], &[0, 42, 0, 0, 0, 41, 0, 2, 0, 0]].concat();
        let (mut early, mut client, mut server) = (Writer::new(5), Writer::new(1), Writer::new(2));
        let extension: &[u8] = if taken { &[0, 4, 0, 42, 0, 0] } else { &[0, 0] };
        let mut traffic = vec![
            (CLIENT, record(22, &message(1, &client_hello(RANDOM, &extensions)))),
            (CLIENT, record(20, &[1])),
            (CLIENT, early.seal(23, b"early")),
            (SERVER, server_hello(&[0, 41, 0, 2, 0, 0])),
            (SERVER, server.seal(22, &[message(8, extension), message(20, &[1; 32])].concat())),
        ];
        if taken {
            traffic.push((CLIENT, early.seal(22, &message(5, &[]))));
        }
        traffic.push((CLIENT, client.seal(22, &message(20, &[2; 32]))));
        traffic.push((CLIENT, Writer::new(3).seal(23, b" late")));
        let observer = observe(&traffic, &all_secrets());
        assert_eq!(observer.output.text[0], expected);
        assert!(observer.connection.info().resumed);
        let without = log(&[
            ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", 1),
            ("SERVER_HANDSHAKE_TRAFFIC_SECRET", 2),
            ("CLIENT_TRAFFIC_SECRET_0", 3),
            ("SERVER_TRAFFIC_SECRET_0", 4),
        ]);
        assert_eq!(observe(&traffic, &without).output.text[0], b" late");
    }
}

#[test]
fn after_a_gap_of_any_length_records_open_again() {
    let (traffic, mut client, _) = opened();
    let records: Vec<_> = (0..30_u8).map(|n| client.seal(23, &vec![n; 20 + usize::from(n) * 7])).collect();
    let stream = records.concat();
    for start in (0..stream.len() - 700).step_by(37) {
        for len in [1, 5, 44, 300, 600] {
            for known in [true, false] {
                let mut observer = observe(&traffic, &all_secrets());
                observer.feed(CLIENT, &stream[..start], &all_secrets());
                observer.gap(CLIENT, known.then_some(len as u64));
                observer.feed(CLIENT, &stream[start + len..], &all_secrets());
                let mut at = 0;
                let whole = records.iter().enumerate().filter(|(_, record)| {
                    let range = at..at + record.len();
                    at = range.end;
                    range.end <= start || range.start >= start + len
                });
                let expected: Vec<u8> = whole.flat_map(|(n, _)| vec![u8::try_from(n).unwrap(); 20 + n * 7]).collect();
                assert_eq!(observer.output.text[0], expected, "{len} bytes at {start}, known: {known}");
                assert_eq!(observer.output.rejected, [0, 0]);
            }
        }
    }
}

#[test]
fn an_update_of_keys_in_a_gap_is_found_out() {
    let (traffic, mut client, _) = opened();
    let mut observer = observe(&traffic, &all_secrets());
    observer.feed(CLIENT, &client.seal(23, b"before "), &all_secrets());
    let lost = client.seal(22, &message(24, &[0])).len();
    client.update();
    observer.gap(CLIENT, Some(lost as u64));
    observer.feed(CLIENT, &[client.seal(23, b"after"), client.seal(23, b" it")].concat(), &all_secrets());
    assert_eq!(observer.output.text[0], b"before after it");
}

#[test]
fn garbage_after_a_gap_costs_little() {
    let (traffic, mut client, _) = opened();
    let mut observer = observe(&traffic, &all_secrets());
    observer.feed(CLIENT, &client.seal(23, b"x"), &all_secrets());
    for _ in 0..20 {
        observer.gap(CLIENT, None);
        observer.feed(CLIENT, &record(23, &[7; 17]).repeat(2000), &all_secrets());
        observer.feed(CLIENT, &[0x17; 20_000], &all_secrets());
        assert!(observer.connection.held() < 4 * MAX_FRAGMENT, "{}", observer.connection.held());
    }
    assert_eq!(observer.output.text[0], b"x");
}

proptest! {
    #[test]
    fn any_cut_gives_the_same(cuts in proptest::collection::vec(1_usize..400, 1..30)) {
        let (mut traffic, mut client, mut server) = opened();
        for n in 0..5_u8 {
            traffic.push((CLIENT, client.seal(23, &[n; 50])));
            traffic.push((SERVER, server.seal(23, &[n; 500])));
        }
        traffic.push((CLIENT, client.seal(22, &message(24, &[1]))));
        client.update();
        traffic.push((CLIENT, client.seal(23, b"end")));
        let whole = observe(&traffic, &all_secrets()).output;
        prop_assert_eq!(whole.text[0].len() + whole.text[1].len(), 250 + 2500 + 3);
        let mut cuts = cuts.iter().cycle();
        let mut observer = Observer::default();
        for (direction, bytes) in &traffic {
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let (part, after) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
                observer.feed(*direction, part, &all_secrets());
                rest = after;
            }
        }
        prop_assert_eq!(observer.output, whole);
    }

    #[test]
    fn nothing_on_the_wire_panics(bytes in proptest::collection::vec((any::<bool>(), 18_u8..26, proptest::collection::vec(any::<u8>(), 0..60)), 0..12)) {
        let (traffic, ..) = opened();
        for start in [0, 2, 7] {
            let mut observer = observe(&traffic[..start], &all_secrets());
            for (side, content, body) in &bytes {
                observer.feed(if *side { CLIENT } else { SERVER }, &record(*content, body), &all_secrets());
                if body.len() % 7 == 0 {
                    observer.gap(SERVER, Some(body.len() as u64));
                }
            }
            observer.connection.give_up(&all_secrets());
        }
    }
}

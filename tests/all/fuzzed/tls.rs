//! Any bytes and gaps of a TLS connection whose secrets are known: however each part is cut, the same plaintext comes
//! out, in bounded memory.
//!
//! The script: cuts; then parts: a byte of direction and kind, a byte of length, the bytes. The secrets are those of the
//! client random that is all `R`; seeds have records that open with them.

use wslens::tls::{DecryptContext, KeyLog, RecordEvent, Scratch, TlsConnection, Undecryptable};
use wslens::types::{Direction, PacketRef, PerDirection};

use super::script::{Cuts, Script};

#[derive(Clone, Copy)]
enum Part<'a> {
    Bytes(&'a [u8]),
    Gap(Option<u64>),
}

pub(crate) fn tls(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let cuts = script.cuts();
    let mut parts = Vec::new();
    while !script.is_over() {
        let (kind, len) = (script.byte(), script.byte());
        let direction = if kind & 1 == 0 { Direction::ToServer } else { Direction::ToClient };
        let part = match kind >> 2 {
            61..63 => Part::Gap(Some(len.into())),
            63 => Part::Gap(None),
            long => Part::Bytes(script.take(usize::from(len) << (long & 3))),
        };
        parts.push((direction, part));
    }
    let keys = keys();
    let whole = run(&parts, &Cuts::none(), &keys);
    let cut = run(&parts, &cuts, &keys);
    assert_eq!(whole, cut, "any cut gives the same");
}

fn keys() -> KeyLog {
    let mut keys = KeyLog::new();
    let random = "52".repeat(32);
    for label in [
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        "CLIENT_TRAFFIC_SECRET_0",
        "SERVER_TRAFFIC_SECRET_0",
    ] {
        keys.add(format!("{label} {random} {}\n", "53".repeat(32)).as_bytes());
    }
    keys.add(format!("CLIENT_RANDOM {random} {}\n", "4d".repeat(48)).as_bytes());
    keys
}

fn run(
    parts: &[(Direction, Part<'_>)],
    cuts: &Cuts<'_>,
    keys: &KeyLog,
) -> (PerDirection<Vec<u8>>, u32, Option<Undecryptable>) {
    let (mut connection, mut scratch) = (TlsConnection::new(), Scratch::default());
    let mut text: PerDirection<Vec<u8>> = PerDirection::default();
    let mut left: PerDirection<Vec<u8>> = PerDirection::default();
    let mut rejected = 0;
    let mut cuts = cuts.clone();
    for (direction, part) in parts {
        let mut feed =
            |direction: Direction, bytes: &[u8], left: &mut PerDirection<Vec<u8>>, connection: &mut TlsConnection| {
                left.get_mut(direction).extend_from_slice(bytes);
                let mut before = None;
                while before != Some(connection.progress()) {
                    before = Some(connection.progress());
                    for way in Direction::BOTH {
                        let mut input = left.get(way).as_slice();
                        while let Some(event) = connection.next(
                            way,
                            &mut input,
                            DecryptContext { keys, scratch: &mut scratch, seen: PacketRef::default() },
                        ) {
                            match event {
                                RecordEvent::Data(data) => text.get_mut(way).extend_from_slice(data),
                                RecordEvent::Rejected => rejected += 1,
                                RecordEvent::CloseNotify => {}
                            }
                        }
                        assert!(input.is_empty() || connection.waits_for(way).is_some());
                        let rest = input.to_vec();
                        *left.get_mut(way) = rest;
                    }
                }
            };
        match *part {
            Part::Bytes(mut bytes) => {
                while let Some(part) = cuts.piece(&mut bytes) {
                    feed(*direction, part, &mut left, &mut connection);
                }
            }
            // A gap must not overtake the input that waits.
            Part::Gap(_) if connection.waits_for(*direction).is_some() => {}
            Part::Gap(len) => {
                connection.gap(*direction, len, &mut Scratch::default());
                feed(*direction, &[], &mut left, &mut connection);
            }
        }
        assert!(connection.held() < 512 << 10, "{}", connection.held());
    }
    connection.give_up(keys);
    (text, rejected, connection.undecryptable())
}

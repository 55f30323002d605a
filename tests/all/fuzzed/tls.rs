//! Any bytes and holes of a TLS connection whose secrets are known: however each piece is cut, the same plaintext comes out,
//! and little is kept.
//!
//! The script: cuts; then pieces: a byte of direction and kind, a byte of length, the bytes. The secrets are those of the
//! client random that is all `R`; seeds have records that open with them.

use wslens::tls::{KeyLog, RecordEvent, Scratch, TlsConnection, Undecryptable};
use wslens::types::{Direction, PacketRef, PerDirection};

use super::script::{Cuts, Script};

#[derive(Clone, Copy)]
enum Piece<'a> {
    Bytes(&'a [u8]),
    Gap(Option<u64>),
}

pub(crate) fn tls(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let cuts = script.cuts();
    let mut pieces = Vec::new();
    while !script.is_over() {
        let (kind, len) = (script.byte(), script.byte());
        let direction = if kind & 1 == 0 { Direction::ToServer } else { Direction::ToClient };
        let piece = match kind >> 2 {
            61..63 => Piece::Gap(Some(len.into())),
            63 => Piece::Gap(None),
            long => Piece::Bytes(script.take(usize::from(len) << (long & 3))),
        };
        pieces.push((direction, piece));
    }
    let keys = keys();
    let whole = run(&pieces, &Cuts::none(), &keys);
    let cut = run(&pieces, &cuts, &keys);
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
    pieces: &[(Direction, Piece<'_>)],
    cuts: &Cuts<'_>,
    keys: &KeyLog,
) -> (PerDirection<Vec<u8>>, u32, Option<Undecryptable>) {
    let (mut decryptor, mut scratch) = (TlsConnection::new(), Scratch::default());
    let mut text: PerDirection<Vec<u8>> = PerDirection::default();
    let mut left: PerDirection<Vec<u8>> = PerDirection::default();
    let mut rejected = 0;
    let mut cuts = cuts.clone();
    for (direction, piece) in pieces {
        let mut feed =
            |direction: Direction, bytes: &[u8], left: &mut PerDirection<Vec<u8>>, decryptor: &mut TlsConnection| {
                left.get_mut(direction).extend_from_slice(bytes);
                let mut before = None;
                while before != Some(decryptor.progress()) {
                    before = Some(decryptor.progress());
                    for way in Direction::BOTH {
                        let mut input = left.get(way).as_slice();
                        while let Some(step) = decryptor.next(way, &mut input, PacketRef::default(), keys, &mut scratch)
                        {
                            match step {
                                RecordEvent::Data(data) => text.get_mut(way).extend_from_slice(data),
                                RecordEvent::Rejected => rejected += 1,
                                RecordEvent::CloseNotify => {}
                            }
                        }
                        assert!(input.is_empty() || decryptor.waits_for(way).is_some());
                        let rest = input.to_vec();
                        *left.get_mut(way) = rest;
                    }
                }
            };
        match *piece {
            Piece::Bytes(mut bytes) => {
                while let Some(piece) = cuts.piece(&mut bytes) {
                    feed(*direction, piece, &mut left, &mut decryptor);
                }
            }
            // What waits must not be overtaken.
            Piece::Gap(_) if decryptor.waits_for(*direction).is_some() => {}
            Piece::Gap(len) => {
                decryptor.gap(*direction, len, &mut Scratch::default());
                feed(*direction, &[], &mut left, &mut decryptor);
            }
        }
        assert!(decryptor.held() < 512 << 10, "{}", decryptor.held());
    }
    decryptor.give_up(keys);
    (text, rejected, decryptor.undecryptable())
}

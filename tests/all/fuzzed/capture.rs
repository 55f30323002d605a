//! Any bytes as a capture file: packets, a warning or an error come out, however the bytes arrive, and no more is kept
//! than a few blocks and what the file itself carries.

use std::io::Read;

use wslens::capture::{Input, LinkType};
use wslens::types::Timestamp;

use super::script::Script;

/// What an input may keep: its blocks, and records or secrets longer than those, which come from a file this small.
const MOST_HELD: usize = 16 << 20;
/// Compressed bytes may stand for very many packets; these are enough.
const MOST_PACKETS: u64 = 20_000;

pub(crate) fn capture(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let lens: Vec<usize> = {
        let mut cuts = script.cuts();
        (0..16).map(|_| cuts.len()).collect()
    };
    let file = script.rest();
    let whole = packets(Input::from_reader("whole", Box::new(std::io::Cursor::new(file.to_vec()))));
    let pieces = packets(Input::from_reader("pieces", Box::new(Pieces { bytes: file.to_vec(), at: 0, lens, turn: 0 })));
    assert_eq!(whole.1, pieces.1, "the same bytes, however they come");
    // Of a zstd file that is corrupt, the decoder keeps to itself what it made in the call that fails.
    let corrupt = whole.1 > 0 && file.first().is_some_and(|first| *first == 0x28);
    let all = if corrupt { whole.0.len().min(pieces.0.len()) } else { usize::MAX };
    let up_to = |shapes: &[Shape]| shapes.iter().take(all).copied().collect::<Vec<_>>();
    assert_eq!(up_to(&whole.0), up_to(&pieces.0), "the same bytes, however they come");
}

/// What a packet is, without its bytes.
type Shape = (u64, Timestamp, LinkType, usize, u32, u64);

fn packets(mut input: Input) -> (Vec<Shape>, usize) {
    let (mut shapes, mut errors) = (Vec::new(), 0);
    loop {
        match input.next_packet() {
            Ok(Some(packet)) => {
                let sum = packet.bytes.iter().fold(0_u64, |sum, byte| sum.rotate_left(5) ^ u64::from(*byte));
                let len = packet.bytes.len();
                shapes.push((packet.seen.packet, packet.seen.at, packet.link, len, packet.original_len, sum));
                assert_eq!(packet.seen.packet, shapes.len() as u64, "counted from 1");
            }
            Ok(None) => break,
            Err(error) => {
                errors += 1;
                assert!(!error.to_string().is_empty());
            }
        }
        assert!(errors <= 1, "one input fails once");
        if input.packets() >= MOST_PACKETS {
            break;
        }
        if input.has_secrets() {
            drop(input.take_secrets());
        }
        assert!(input.held() <= MOST_HELD, "holds {}", input.held());
    }
    assert_eq!(input.packets(), shapes.len() as u64);
    let warnings = input.take_warnings();
    assert!(warnings.len() <= 1000 && warnings.iter().all(|warning| !warning.to_string().is_empty()));
    (shapes, errors)
}

/// Gives few bytes at a time.
struct Pieces {
    bytes: Vec<u8>,
    at: usize,
    lens: Vec<usize>,
    turn: usize,
}

impl Read for Pieces {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let len = self.lens[self.turn % self.lens.len()].min(to.len()).min(self.bytes.len() - self.at);
        self.turn += 1;
        to[..len].copy_from_slice(&self.bytes[self.at..self.at + len]);
        self.at += len;
        Ok(len)
    }
}

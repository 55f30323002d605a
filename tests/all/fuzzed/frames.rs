//! Any bytes and holes as one direction of a WebSocket: frames are what a dumb reader of RFC 6455 §5.2 finds in the
//! whole, however it is cut; a hole in a payload keeps the boundary, a hole in a header loses it; and the rules of
//! [`wslens::websocket::rules`] find what a plain reading of the RFC finds.
//!
//! The script: a byte of context, cuts, a count of holes and, for each, two bytes of place and one of length; the bytes.

use std::collections::BTreeSet;

use wslens::types::{Direction, FindingCode};
use wslens::websocket::mask::unmask_into;
use wslens::websocket::rules::{HeaderContext, check_header};
use wslens::websocket::{FrameDecoder, FrameEvent, FrameHeader};

use super::script::{Cuts, Script};

/// One frame: its first two bytes and key, its length, the captured bytes of its payload with their places, how many
/// others there are, whether its end was seen.
#[derive(Debug, PartialEq, Eq, Default)]
struct Seen {
    head: (u8, Option<[u8; 4]>, u64, u8),
    payload: Vec<(u64, u8)>,
    missing: u64,
    ended: bool,
}

pub(crate) fn frames(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let context = script.byte();
    let mut cuts = script.cuts();
    let holes: Vec<_> =
        (0..script.byte() % 8).map(|_| (usize::from(script.number()), usize::from(script.byte()))).collect();
    let mut wire: Vec<Option<u8>> = script.rest().iter().map(|byte| Some(*byte)).collect();
    for (at, len) in holes {
        wire.iter_mut().skip(at).take(len).for_each(|place| *place = None);
    }
    let (expected, lost) = dumb(&wire);
    let (found, is_lost) = decoded(&wire, &mut cuts);
    assert_eq!(found, expected);
    assert_eq!(is_lost, lost);
    judged(script.rest(), context);
}

/// What RFC 6455 §5.2 says, read over the whole.
fn dumb(wire: &[Option<u8>]) -> (Vec<Seen>, bool) {
    let (mut frames, mut at) = (Vec::new(), 0);
    // The byte at a place: none behind the end, `Some(None)` in a hole.
    let byte = |at: usize| wire.get(at).copied();
    loop {
        let mut fields: Vec<u8> = Vec::new();
        let mut need = 2;
        while fields.len() < need {
            match byte(at + fields.len()) {
                None => return (frames, false),
                Some(None) => return (frames, true),
                Some(Some(byte)) => fields.push(byte),
            }
            if fields.len() == 2 {
                need += match fields[1] & 0x7f {
                    126 => 2,
                    127 => 8,
                    _ => 0,
                } + if fields[1] >= 0x80 { 4 } else { 0 };
            }
        }
        let masked = fields[1] >= 0x80;
        let (length, key) = fields[2..].split_at(need - 2 - if masked { 4 } else { 0 });
        let len = match length {
            [] => u64::from(fields[1] & 0x7f),
            bytes => bytes.iter().fold(0, |len, byte| len << 8 | u64::from(*byte)),
        };
        at += need;
        let there = usize::try_from(len).unwrap_or(usize::MAX).min(wire.len() - at);
        let payload = &wire[at..at + there];
        frames.push(Seen {
            head: (fields[0], key.try_into().ok(), len, u8::try_from(need).unwrap()),
            payload: (0..).zip(payload).filter_map(|(place, byte)| Some((place, (*byte)?))).collect(),
            missing: payload.iter().filter(|byte| byte.is_none()).count() as u64,
            ended: there as u64 == len,
        });
        at += there;
        if (there as u64) < len {
            return (frames, false);
        }
    }
}

fn decoded(wire: &[Option<u8>], cuts: &mut Cuts<'_>) -> (Vec<Seen>, bool) {
    let (mut decoder, mut frames) = (FrameDecoder::new(), Vec::new());
    for run in wire.chunk_by(|a, b| a.is_some() == b.is_some()) {
        if run[0].is_none() {
            let mut hole = Some(run.len() as u64);
            while hole != Some(0) {
                let before = hole;
                match decoder.gap(&mut hole) {
                    FrameEvent::Missing(len) => frames.last_mut().map_or(0, |frame: &mut Seen| {
                        frame.missing += len;
                        len
                    }),
                    FrameEvent::Lost(len) if len == before => 0,
                    other => panic!("{other:?}"),
                };
                assert_ne!(hole, before, "each step explains some of it");
                take(&mut decoder, &mut &[][..], &mut frames);
            }
            continue;
        }
        let bytes: Vec<u8> = run.iter().copied().flatten().collect();
        let mut rest = bytes.as_slice();
        while let Some(mut piece) = cuts.piece(&mut rest) {
            take(&mut decoder, &mut piece, &mut frames);
            assert!(piece.is_empty());
            assert!(decoder.partial_header().len() < FrameHeader::MAX_LEN);
        }
    }
    (frames, decoder.is_lost())
}

fn take(decoder: &mut FrameDecoder, input: &mut &[u8], frames: &mut Vec<Seen>) {
    while let Some(step) = decoder.next(input) {
        match (step, frames.last_mut()) {
            (FrameEvent::Header(header), _) => {
                let bits = [header.fin, header.rsv1, header.rsv2, header.rsv3];
                let bits = bits.into_iter().fold(0, |byte, bit| byte << 1 | u8::from(bit));
                let first = bits << 4 | header.opcode.bits();
                let head = (first, header.masking_key, header.payload_len, header.header_len);
                frames.push(Seen { head, ..Seen::default() });
            }
            (FrameEvent::Payload(bytes, at), Some(frame)) => {
                assert!(!bytes.is_empty());
                let key = frame.head.1.unwrap_or([0; 4]);
                let mut plain = Vec::new();
                unmask_into(&mut plain, bytes, key, at);
                for (place, (wire, plain)) in (at..).zip(bytes.iter().zip(plain)) {
                    assert_eq!(plain, wire ^ key[usize::try_from(place % 4).unwrap()], "RFC 6455 §5.3");
                    frame.payload.push((place, *wire));
                }
            }
            (FrameEvent::End, Some(frame)) => frame.ended = true,
            other => panic!("{other:?}"),
        }
    }
}

/// Any header in any context: what is found is what RFC 6455 §5 and RFC 7692 §6 forbid.
fn judged(bytes: &[u8], context: u8) {
    use FindingCode as Code;
    let Some(header) = FrameHeader::parse(bytes) else { return };
    let direction = if context & 1 == 0 { Direction::ToServer } else { Direction::ToClient };
    let [deflate, message_open, close_sent, unknown_extension] = [2, 4, 8, 16].map(|bit| context & bit != 0);
    let mut found = BTreeSet::new();
    check_header(
        &header,
        &HeaderContext { direction, deflate, unknown_extension, message_open, close_sent },
        |(code, _)| {
            assert!(found.insert(code.as_str()), "once");
        },
    );
    let opcode = bytes[0] & 15;
    let masked = bytes[1] & 0x80 != 0;
    let width = if bytes[1] & 0x7f < 126 { 0 } else { bytes[1] & 0x7f };
    let len = header.payload_len;
    let rsv1 = if deflate { opcode == 1 || opcode == 2 } else { unknown_extension };
    let forbidden = [
        (Code::UnmaskedClientFrame, direction == Direction::ToServer && !masked),
        (Code::MaskedServerFrame, direction == Direction::ToClient && masked),
        (Code::RsvBits, (bytes[0] & 0x30 != 0 && !unknown_extension) || (bytes[0] & 0x40 != 0 && !rsv1)),
        (Code::ReservedOpcode, (3..8).contains(&opcode) || opcode > 10),
        (Code::LengthNotMinimal, (width == 126 && len < 126) || (width == 127 && len < 65_536)),
        (Code::LengthTooLarge, width == 127 && bytes[2] & 0x80 != 0),
        (Code::ControlTooLong, opcode >= 8 && len > 125),
        (Code::ControlFragmented, opcode >= 8 && bytes[0] < 0x80),
        (Code::UnexpectedContinuation, opcode == 0 && !message_open),
        (Code::ExpectedContinuation, (opcode == 1 || opcode == 2) && message_open),
        (Code::DataAfterClose, opcode < 8 && close_sent),
        (Code::ControlAfterClose, opcode >= 8 && close_sent),
    ];
    let forbidden = forbidden.into_iter().filter(|(_, is)| *is).map(|(code, _)| code.as_str()).collect();
    assert_eq!(found, forbidden, "{header:?}");
}

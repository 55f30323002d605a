//! Any bytes behind a lost boundary: what is found lies within what was gathered, looks like what was asked for, and no
//! more is kept than allowed.
//!
//! The script: a byte of what is expected, a byte of room, cuts, whose lengths are those of the segments; the bytes. A
//! length of 255 is a hole.

use wslens::types::{PacketRef, Timestamp};
use wslens::websocket::FrameHeader;
use wslens::websocket::resync::{ExpectedFrames, FrameSearch};

use super::script::Script;

pub(crate) fn resync(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let options = script.byte();
    let expect = ExpectedFrames {
        masked: options & 1 != 0,
        deflate: options & 2 != 0,
        unknown_extension: options & 0xc0 == 0xc0,
    };
    let max = 64 + usize::from(script.byte()) * 8;
    let mut cuts = script.cuts();
    let mut rest = script.rest();
    let mut resync = FrameSearch::new(max);
    let (mut packet, mut passed, mut gathered) = (0, 0_u64, Vec::new());
    while let Some(mut piece) = cuts.piece(&mut rest) {
        packet += 1;
        let seen = PacketRef { packet, at: Timestamp::from_nanos(0) };
        if piece.len() == 255 {
            resync.gap((options & 4 != 0).then_some(255), &expect);
            passed += if options & 4 != 0 { 255 } else { 0 };
            gathered.clear();
            continue;
        }
        while !piece.is_empty() {
            let left = resync.push(piece, seen);
            let (taken, behind) = piece.split_at(piece.len() - left);
            passed += taken.len() as u64;
            gathered.extend_from_slice(taken);
            let full = resync.is_full();
            if look(&mut resync, &expect, behind.is_empty() && rest.is_empty(), passed, &gathered) {
                return;
            }
            assert!(left == 0 || full, "only a full one leaves bytes");
            assert!(!full || !resync.is_full(), "a look makes room");
            piece = behind;
        }
        assert!(resync.held() <= 4 * max + 64 * max.max(64), "holds {}", resync.held());
    }
    assert!(!look(&mut resync, &expect, true, passed, &gathered) || !gathered.is_empty());
}

/// Whether a boundary was found; if so, whether it can be one.
fn look(resync: &mut FrameSearch, expect: &ExpectedFrames, now: bool, passed: u64, gathered: &[u8]) -> bool {
    assert_eq!(resync.passed(), passed);
    let Some(found) = resync.find(expect, now) else { return false };
    assert!(found.passed <= passed, "a boundary outside");
    assert!(found.confidence_ppm() < 1_000_000);
    let behind: Vec<u8> = resync.packets_from(&found).flat_map(|(bytes, _)| bytes.iter().copied()).collect();
    assert_eq!(found.passed + behind.len() as u64, passed, "all from the boundary on");
    assert!(gathered.ends_with(&behind), "as they came");
    let packets: Vec<_> = resync.packets_from(&found).map(|(_, seen)| seen.packet).collect();
    assert!(packets.is_sorted());
    if let Some(header) = FrameHeader::parse(&behind) {
        assert_eq!(header.masking_key.is_some(), expect.masked);
        // An extension that is not known may use any of them (RFC 6455 §5.2).
        let plain = !header.rsv2 && !header.rsv3 && (!header.rsv1 || expect.deflate);
        assert!(expect.unknown_extension || plain);
        assert!(!header.opcode.is_reserved());
        assert!(!header.opcode.is_control() || (header.fin && header.payload_len <= 125));
    }
    true
}

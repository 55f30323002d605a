//! Compressed messages, honest and not, in any pieces and with any losses: what comes out is what flate2 makes of the
//! whole or the beginning of it, never a wrong byte.
//!
//! The script: a byte of options, cuts; then messages: a byte of what happens to each, a byte of length, the bytes.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use wslens::types::{Direction, Limits};
use wslens::websocket::Deflate;
use wslens::websocket::inflate::{InflateError, Inflater, InflaterPool};

use super::script::{Cuts, Script};

/// What a message may become: a small script may stand for 1000 times its length.
const MOST_OUT: usize = 8 << 20;

pub(crate) fn inflate(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let options = script.byte();
    let cuts = script.cuts();
    if options & 1 == 0 { honest(script, options, cuts) } else { any(script.rest(), options, cuts) }
}

/// A sender that compresses as it should, of whose bytes some are lost.
fn honest(mut script: Script<'_>, options: u8, mut cuts: Cuts<'_>) {
    let takeover = options & 2 == 0;
    let bits = if options & 4 == 0 { 15 } else { 9 + (options >> 5) % 7 };
    let level = Compression::new(if options & 8 == 0 { 6 } else { 1 });
    let deflate = Deflate { client_no_context_takeover: !takeover, client_max_window_bits: bits, ..Deflate::default() };
    let limits = Limits { max_inflaters: 1, ..Limits::default() };
    let mut pool = InflaterPool::new(&limits);
    let mut inflater = Inflater::new(&deflate, Direction::ToServer);
    let mut other = Inflater::new(&deflate, Direction::ToServer);
    let mut compress = Compress::new_with_window_bits(level, false, bits);
    let (mut lossless, mut earlier) = (true, Vec::new());
    while !script.is_over() {
        let (what, len) = (script.byte(), script.byte());
        // Repeats what was sent before, so that there is something to refer to.
        let mut content = script.take(usize::from(len)).to_vec();
        if what & 1 == 1 {
            content.extend_from_slice(&earlier);
        }
        earlier = content.iter().rev().take(600).rev().copied().collect();
        if !takeover {
            compress.reset();
        }
        let mut payload = deflated(&mut compress, &content);
        let whole = payload.len();
        let hole = what >> 4;
        if hole & 12 == 12 {
            // Its beginning, its end or all of it is lost.
            payload.truncate(match hole & 3 {
                0 => 0,
                1 => whole / 2,
                _ => whole.saturating_sub(1),
            });
            lossless = false;
        }
        if what & 2 != 0 {
            // Somebody else needs the only slot in between.
            other.begin_message(&mut pool);
            _ = other.push(&mut pool, &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], &mut |_: &[u8]| {});
            _ = other.finish_message(&mut pool);
        }
        let mut out = Vec::new();
        inflater.begin_message(&mut pool);
        let mut done = pushed(&mut inflater, &mut pool, &payload, &mut cuts, &mut out);
        if payload.len() < whole {
            inflater.lose_context(&mut pool);
            done = done.and(pushed(&mut inflater, &mut pool, &[1, 2, 3], &mut cuts, &mut out));
        }
        done = done.and(inflater.finish_message(&mut pool));
        assert!(content.starts_with(&out), "never a wrong byte");
        if lossless || (!takeover && payload.len() == whole) {
            assert_eq!(done, Ok(()));
        }
        match done {
            Ok(()) => assert_eq!(out, content, "whole"),
            Err(InflateError::ContextLost { .. }) => {}
            Err(error) => panic!("nothing is corrupt here: {error}"),
        }
        assert!(inflater.take_window_excess().is_none(), "nobody went beyond the window");
        // After a loss, all is inflated twice until a window of it is known.
        assert!(inflater.held() <= 65 << 10 && pool.live() <= 1);
    }
    inflater.release(&mut pool);
    other.release(&mut pool);
}

/// Any bytes as one compressed message, and another one behind it.
fn any(bytes: &[u8], options: u8, mut cuts: Cuts<'_>) {
    let bits = 8 + (options >> 4) % 8;
    let deflate =
        Deflate { server_no_context_takeover: options & 2 != 0, server_max_window_bits: bits, ..Deflate::default() };
    let mut runs = [Cuts::none(), cuts.clone()].map(|mut cuts| {
        let mut pool = InflaterPool::new(&Limits::default());
        let mut inflater = Inflater::new(&deflate, Direction::ToClient);
        if options & 4 != 0 {
            inflater.lose_context(&mut pool);
        }
        let mut out = Vec::new();
        inflater.begin_message(&mut pool);
        let done = pushed(&mut inflater, &mut pool, bytes, &mut cuts, &mut out);
        let done = done.and(inflater.finish_message(&mut pool));
        let excess = inflater.take_window_excess().is_some();
        (out, done, excess, inflater, pool)
    });
    let [(out, done, excess, ..), (pieces, in_pieces, piece_excess, inflater, pool)] = &mut runs;
    let (expected, whole) = one_shot(bytes);
    let both = expected.len().min(out.len());
    assert!(out[..both] == expected[..both], "as flate2 has it");
    assert!(out.len() == both || !whole, "nothing that flate2 does not have");
    assert!(expected.len() == both || done.is_err(), "all that flate2 has");
    assert_eq!(done.is_ok(), in_pieces.is_ok(), "{done:?} {in_pieces:?}");
    if done.is_ok() {
        assert_eq!(out, pieces);
        assert_eq!(excess, piece_excess);
    }
    // Behind it, whatever it was, an honest message that refers to nothing is right.
    inflater.begin_message(pool);
    let mut hello = Vec::new();
    let done = pushed(inflater, pool, &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], &mut cuts, &mut hello);
    assert_eq!(done.and(inflater.finish_message(pool)), Ok(()));
    assert_eq!(hello, b"Hello");
}

fn pushed(
    inflater: &mut Inflater,
    pool: &mut InflaterPool,
    mut bytes: &[u8],
    cuts: &mut Cuts<'_>,
    out: &mut Vec<u8>,
) -> Result<(), InflateError> {
    let mut done = Ok(());
    while let Some(piece) = cuts.piece(&mut bytes) {
        let said = inflater.push(pool, piece, &mut |bytes: &[u8]| out.extend_from_slice(bytes));
        assert!(done.is_ok() || said.is_ok(), "told once");
        done = done.and(said);
    }
    done
}

/// "Compress" and "remove 4 octets" (RFC 7692 §7.2.1).
fn deflated(compress: &mut Compress, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() * 2 + 64);
    compress.compress_vec(content, &mut out, FlushCompress::Sync).unwrap();
    assert!(out.len() < out.capacity());
    if out.ends_with(&[0, 0, 0xff, 0xff]) {
        out.truncate(out.len() - 4);
    }
    out
}

/// What flate2 makes of a message at once, up to its first end of a stream or the first error; and whether that was all.
fn one_shot(bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut stream = Decompress::new(false);
    let input = [bytes, &[0, 0, 0xff, 0xff]].concat();
    let mut out = Vec::with_capacity(1 << 16);
    loop {
        let at = usize::try_from(stream.total_in()).unwrap();
        let before = out.len();
        let status = stream.decompress_vec(&input[at..], &mut out, FlushDecompress::None);
        let stuck = usize::try_from(stream.total_in()).unwrap() == at && out.len() == before;
        match status {
            Ok(Status::Ok | Status::BufError) if !stuck && out.len() < MOST_OUT => out.reserve(1 << 16),
            Ok(status) => {
                let whole = status != Status::StreamEnd && out.len() < MOST_OUT;
                return (out, whole);
            }
            Err(_) => return (out, false),
        }
    }
}

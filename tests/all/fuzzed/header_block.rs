//! Any header blocks of one direction (RFC 7541): however they are cut, the same fields come out; what another decoder
//! reads is what we read; after a loss nothing is wrong.
//!
//! The script: options; cuts; then blocks: a byte of what happens to it, a byte of length, the bytes.

use wslens::http::h2::{BlockFault, HeaderDecoder};

use super::script::{Cuts, Script};

/// A field, each part of which may be unknown.
type Field = (Option<Vec<u8>>, Option<Vec<u8>>);

pub(crate) fn header_block(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let options = script.byte();
    let mut cuts = script.cuts();
    let max_field = if options & 1 == 0 { 64 << 10 } else { 64 };
    let decoder = || HeaderDecoder::new(max_field, 4096);
    let (mut whole, mut cut, mut lossy) = (decoder(), decoder(), decoder());
    let mut theirs = loona_hpack::Decoder::new();
    // What the other one does after an error, or with what only we refuse, is its own affair.
    let (mut agree, mut right) = (true, true);
    while !script.is_over() {
        let (what, len) = (script.byte(), script.byte());
        let block = script.take(usize::from(len) << (what >> 1 & 1));
        let (fields, fault) = decode(&mut whole, block, &mut Cuts::none());
        assert_eq!(decode(&mut cut, block, &mut cuts), (fields.clone(), fault), "any cut gives the same");
        if agree {
            agree = fault.is_none();
            match theirs.decode(block) {
                Ok(list) if fault.is_none() => {
                    let list: Vec<Field> = list.into_iter().map(|(name, value)| (Some(name), Some(value))).collect();
                    assert_eq!(fields, list);
                }
                Ok(_) => {}
                Err(error) => {
                    assert!(fault.is_some() || format!("{error:?}") == "SizeUpdateAtEnd", "{error:?}");
                    agree = false;
                }
            }
        }
        right &= fault.is_none();
        if what & 1 == 1 {
            lossy.lose();
        } else if right {
            let (known, _) = decode(&mut lossy, block, &mut cuts);
            assert_eq!(known.len(), fields.len());
            for (known, field) in known.into_iter().zip(fields) {
                assert!(known.0.is_none() || known.0 == field.0);
                assert!(known.1.is_none() || known.1 == field.1);
            }
        }
        for decoder in [&whole, &cut, &lossy] {
            assert!(decoder.held() <= 4096 + 16 * (max_field + 1024), "{}", decoder.held());
        }
    }
}

fn decode(decoder: &mut HeaderDecoder, block: &[u8], cuts: &mut Cuts<'_>) -> (Vec<Field>, Option<BlockFault>) {
    let mut fields = Vec::new();
    decoder.begin();
    let mut rest = block;
    while let Some(piece) = cuts.piece(&mut rest) {
        decoder.push(piece, |field| fields.push((field.name.map(<[u8]>::to_vec), field.value.map(<[u8]>::to_vec))));
    }
    let (fault, _) = decoder.end();
    (fields, fault)
}

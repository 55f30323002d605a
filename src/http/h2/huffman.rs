//! The Huffman code of header strings (format): RFC 7541 §5.2 and Appendix B.
//!
//! The code is canonical: codes of one length are consecutive, in the order of their symbols, and longer ones follow. So
//! the lengths define the code, and the compiler makes the tables from them.

/// The symbol that no string may contain: "A Huffman-encoded string literal containing the EOS symbol MUST be treated as a
/// decoding error."
const EOS: u16 = 256;
/// The longest code.
const MAX_BITS: usize = 30;
/// Codes of so many bits at most are looked up at once: those of all letters and digits.
const FAST_BITS: u32 = 8;

/// The length of each symbol's code, in bits (RFC 7541 Appendix B).
#[rustfmt::skip]
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
     6, 10, 10, 12, 13,  6,  8, 11, 10, 10,  8, 11,  8,  6,  6,  6,
     5,  5,  5,  6,  6,  6,  6,  6,  6,  6,  7,  8, 15,  6, 12, 10,
    13,  6,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,
     7,  7,  7,  7,  7,  7,  7,  7,  8,  7,  8, 13, 19, 13, 14,  6,
    15,  5,  6,  5,  6,  5,  6,  6,  6,  5,  7,  7,  6,  6,  6,  5,
     6,  7,  6,  5,  5,  6,  7,  7,  7,  7,  7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];

/// The code in the form that a decoder needs.
struct Code {
    /// The symbols in the order of their codes.
    symbols: [u16; 257],
    /// For each length: the first longer code, shifted to the top of 32 bits.
    limits: [u64; MAX_BITS + 1],
    /// For each length: the number to add to a code of that length to get its place in `symbols`.
    bases: [i64; MAX_BITS + 1],
    /// For each 8 bits: the symbol whose code they begin with, and its length; 0 where the code is longer than 8 bits.
    fast: [(u8, u8); 1 << FAST_BITS],
}

static CODE: Code = code();

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "run by the compiler, which refuses an index that is out of bounds; symbols and lengths are small"
)]
const fn code() -> Code {
    let mut code =
        Code { symbols: [0; 257], limits: [0; MAX_BITS + 1], bases: [0; MAX_BITS + 1], fast: [(0, 0); 1 << FAST_BITS] };
    let (mut next, mut place, mut len) = (0_u64, 0, 1);
    while len <= MAX_BITS {
        next <<= 1;
        code.bases[len] = place as i64 - next as i64;
        let mut symbol = 0;
        while symbol < 257 {
            if LENGTHS[symbol] as usize == len {
                code.symbols[place] = symbol as u16;
                if len <= FAST_BITS as usize {
                    let shift = FAST_BITS as usize - len;
                    let mut rest = 0;
                    while rest < 1 << shift {
                        code.fast[((next as usize) << shift) + rest] = (symbol as u8, len as u8);
                        rest += 1;
                    }
                }
                next += 1;
                place += 1;
            }
            symbol += 1;
        }
        code.limits[len] = next << (32 - len);
        len += 1;
    }
    code
}

/// The symbol whose code `window` begins with, and the code's length. Any 32 bits begin with some code: the code is
/// complete.
fn symbol(window: u32) -> Option<(u16, u32)> {
    let (byte, len) = *CODE.fast.get(usize::try_from(window >> (32 - FAST_BITS)).ok()?)?;
    if len > 0 {
        return Some((byte.into(), len.into()));
    }
    let len =
        (FAST_BITS..).zip(CODE.limits.get(FAST_BITS as usize..)?).find(|(_, limit)| u64::from(window) < **limit)?.0;
    let place = i64::from(window >> (32 - len)) + CODE.bases.get(len as usize)?;
    Some((*CODE.symbols.get(usize::try_from(place).ok()?)?, len))
}

/// Appends the decoded `input` to `out`. False where it breaks RFC 7541 §5.2: EOS, padding of more than 7 bits, or padding
/// other than the first bits of EOS; the symbols before that are appended.
#[must_use]
pub(super) fn decode(input: &[u8], out: &mut Vec<u8>) -> bool {
    let mut input = input.iter();
    let (mut bits, mut have) = (0_u64, 0_u32);
    loop {
        while have <= 32 {
            let Some(byte) = input.next() else { break };
            bits = bits << 8 | u64::from(*byte);
            have += 8;
        }
        if have == 0 {
            return true;
        }
        // Padding is all ones, and so are the bits beyond the end.
        let window = if have >= 32 { bits >> (have - 32) } else { bits << (32 - have) | u64::from(u32::MAX >> have) };
        let window = u32::try_from(window & u64::from(u32::MAX)).unwrap_or_default();
        let Some((symbol, len)) = symbol(window) else { return false };
        if len > have {
            let ones = (1 << have) - 1;
            return have < 8 && bits & ones == ones;
        }
        if symbol == EOS {
            return false;
        }
        out.extend(u8::try_from(symbol));
        have -= len;
    }
}

/// The code of a byte, and its length.
#[cfg(test)]
fn code_of(byte: u8) -> (u64, u32) {
    let place = CODE.symbols.iter().position(|symbol| *symbol == u16::from(byte)).unwrap();
    let len = LENGTHS[usize::from(byte)];
    let code = i64::try_from(place).unwrap() - CODE.bases[usize::from(len)];
    (u64::try_from(code).unwrap(), len.into())
}

/// Huffman code, for tests.
#[cfg(test)]
pub(super) fn encode(input: &[u8]) -> Vec<u8> {
    let (mut out, mut bits, mut have) = (Vec::new(), 0_u64, 0);
    for byte in input {
        let (code, len) = code_of(*byte);
        (bits, have) = (bits << len | code, have + len);
        while have >= 8 {
            have -= 8;
            out.push(u8::try_from(bits >> have & 0xff).unwrap());
        }
        bits &= (1 << have) - 1;
    }
    if have > 0 {
        out.push(u8::try_from(bits << (8 - have) & 0xff).unwrap() | u8::MAX >> have);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(input: &[u8]) -> Option<String> {
        let mut out = Vec::new();
        decode(input, &mut out).then(|| String::from_utf8(out).unwrap())
    }

    #[test]
    fn the_code_is_complete() {
        // Kraft's sum is 1: every string of bits begins with exactly one code.
        assert_eq!(LENGTHS.iter().map(|len| 1_u64 << (32 - len)).sum::<u64>(), 1 << 32);
    }

    /// RFC 7541 Appendix C.4 and C.6.
    #[test]
    fn examples_of_the_rfc() {
        for (input, expected) in [
            (&b"\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"[..], "www.example.com"),
            (b"\xa8\xeb\x10\x64\x9c\xbf", "no-cache"),
            (b"\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f", "custom-key"),
            (b"\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf", "custom-value"),
            (b"\x64\x02", "302"),
            (
                b"\xd0\x7a\xbe\x94\x10\x54\xd4\x44\xa8\x20\x05\x95\x04\x0b\x81\x66\xe0\x82\xa6\x2d\x1b\xff",
                "Mon, 21 Oct 2013 20:13:21 GMT",
            ),
            (b"", ""),
        ] {
            assert_eq!(text(input).as_deref(), Some(expected));
        }
    }

    #[test]
    fn padding_is_the_start_of_eos_and_short() {
        assert_eq!(text(b"\x07").as_deref(), Some("0")); // 00000 111
        assert_eq!(text(b"\x06"), None);
        assert_eq!(text(b"\x07\xff"), None); // 11 bits
        assert_eq!(text(b"\xff"), None); // 8 bits
        assert_eq!(text(b"\xff\xff\xff\xff"), None); // EOS
        assert_eq!(text(b"\x00").as_deref(), None); // 000 is no padding
    }

    #[test]
    fn every_symbol_decodes_as_in_another_decoder() {
        for byte in 0..=255_u8 {
            let input = encode(&[byte]);
            let theirs = loona_hpack::huffman::HuffmanDecoder::new().decode(&input).unwrap();
            let mut ours = Vec::new();
            assert!(decode(&input, &mut ours), "{byte}");
            assert_eq!((ours, theirs), (vec![byte], vec![byte]));
        }
    }
}

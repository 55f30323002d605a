//! Masking and unmasking: "octet i of the transformed data is the XOR of octet i of the original data with octet at
//! index i modulo 4 of the masking key" (RFC 6455 §5.3). Masking and unmasking are the same operation.

/// Appends `masked` to `out`, unmasked. `position` is the offset of its first byte in the frame's payload.
#[inline]
pub fn unmask_into(out: &mut Vec<u8>, masked: &[u8], key: [u8; 4], position: u64) {
    let key = rotated(key, position);
    let wide = u64::from_ne_bytes([key[0], key[1], key[2], key[3], key[0], key[1], key[2], key[3]]);
    let start = out.len();
    out.extend_from_slice(masked);
    let Some(fresh) = out.get_mut(start..) else { return };
    let (words, tail) = fresh.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in tail.iter_mut().zip(key.iter().cycle()) {
        *byte ^= mask;
    }
}

/// The key, rotated so that its first byte is the one for the payload byte at `position`.
const fn rotated(key: [u8; 4], position: u64) -> [u8; 4] {
    let [a, b, c, d] = key;
    match position % 4 {
        0 => [a, b, c, d],
        1 => [b, c, d, a],
        2 => [c, d, a, b],
        _ => [d, a, b, c],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_masked_hello_of_rfc_6455_section_5_7() {
        let masked = [0x7f, 0x9f, 0x4d, 0x51, 0x58];
        for cut in 0..=masked.len() {
            let mut out = Vec::new();
            unmask_into(&mut out, &masked[..cut], [0x37, 0xfa, 0x21, 0x3d], 0);
            unmask_into(&mut out, &masked[cut..], [0x37, 0xfa, 0x21, 0x3d], cut as u64);
            assert_eq!(out, b"Hello");
        }
    }

    #[test]
    fn agrees_with_the_definition_at_every_length_and_phase() {
        let data: Vec<u8> = (0..100_u8).map(|i| i.wrapping_mul(37)).collect();
        let key = [1, 20, 77, 250];
        for position in [0_u64, 1, 2, 3, 4, 7, (1 << 40) + 1] {
            for len in 0..data.len() {
                let mut out = vec![9];
                unmask_into(&mut out, &data[..len], key, position);
                let plain: Vec<u8> =
                    (0..len).map(|i| data[i] ^ key[usize::try_from((position + i as u64) % 4).unwrap()]).collect();
                assert_eq!((out[0], &out[1..]), (9, &plain[..]));
            }
        }
    }
}

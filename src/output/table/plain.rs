//! Values that look the same in every text format: numbers, times, addresses, digits. Nothing here needs quoting.

use std::io::Write as _;
use std::net::IpAddr;

use crate::output::escape::hex_digit;
use crate::types::Timestamp;

const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// `2026-11-22T16:19:05.`
const SECOND_LEN: usize = 20;

/// Writes times. Remembers how the last second is written: most rows share it with the row before.
#[derive(Debug, Default)]
pub(super) struct Times {
    second: Option<i64>,
    written: [u8; SECOND_LEN],
}

impl Times {
    /// Appends the time as RFC 3339 §5.6 has it, in UTC with nine digits.
    pub(super) fn write(&mut self, out: &mut Vec<u8>, time: Timestamp) {
        let second = time.as_nanos().div_euclid(NANOS_PER_SECOND);
        let nanos = time.as_nanos().rem_euclid(NANOS_PER_SECOND);
        if self.second != Some(second) {
            let mut text = Vec::with_capacity(SECOND_LEN + 10);
            time.write_rfc3339(&mut text);
            if let Some(head) = text.first_chunk() {
                self.written = *head;
                self.second = Some(second);
            }
        }
        out.extend_from_slice(&self.written);
        out.extend_from_slice(&nine_digits(u32::try_from(nanos).unwrap_or(0)));
    }
}

/// Nanoseconds in nine digits, and the `Z` after them.
fn nine_digits(nanos: u32) -> [u8; 10] {
    let [a, b, c, d, e, f, g, h] = eight_digits(nanos / 10 % EIGHT_DIGITS).to_le_bytes();
    [a, b, c, d, e, f, g, h, digit_of(nanos % 10), b'Z']
}

const EIGHT_DIGITS: u32 = 100_000_000;
const ASCII_ZEROS: u64 = 0x3030_3030_3030_3030;

/// A number below 10^8 in eight digits, the first of them in the lowest byte: halves, pairs, then digits are parted, in all
/// places of the word at once.
fn eight_digits(value: u32) -> u64 {
    let halves = u64::from(value / 10_000) | u64::from(value % 10_000) << 32;
    // By multiplication: n / 100 is n * 5243 >> 19 for n < 10,000, and n / 10 is n * 103 >> 10 for n < 100.
    let hundreds = (halves * 5243) >> 19 & 0x7f_0000_007f;
    let pairs = hundreds | (halves - hundreds * 100) << 16;
    let tens = (pairs * 103) >> 10 & 0x000f_000f_000f_000f;
    let digits = tens | (pairs - tens * 10) << 8;
    digits | ASCII_ZEROS
}

/// Appends `before` and then `value` in decimal, in one copy.
#[inline]
pub(super) fn number_after(out: &mut Vec<u8>, before: u8, value: u64) {
    if let value @ 0..10 = value {
        out.extend_from_slice(&[before, digit_of(u32::try_from(value).unwrap_or(0))]);
        return;
    }
    let Some(value) = u32::try_from(value).ok().filter(|value| *value < EIGHT_DIGITS) else {
        out.push(before);
        number(out, value);
        return;
    };
    let digits = eight_digits(value);
    // Zeros that lead go, but for the last.
    let zeros = ((digits ^ ASCII_ZEROS).trailing_zeros() / 8).min(7);
    let text = u128::from(digits >> (zeros * 8)) << 8 | u128::from(before);
    let end = out.len() + 9 - zeros as usize;
    // More than there is, and back: a copy whose length the compiler knows.
    out.extend_from_slice(&text.to_le_bytes());
    out.truncate(end);
}

/// The digit of a number below ten.
fn digit_of(value: u32) -> u8 {
    b'0' | u8::try_from(value & 0x0f).unwrap_or(0)
}

/// Appends `value` in decimal. Most numbers of a row are short: these are written without a call.
#[inline]
pub(super) fn number(out: &mut Vec<u8>, value: u64) {
    match u32::try_from(value) {
        Ok(value @ 0..10) => out.push(digit_of(value)),
        Ok(value @ 10..100) => out.extend_from_slice(&[value / 10, value % 10].map(digit_of)),
        Ok(value @ 100..1_000) => out.extend_from_slice(&[value / 100, value / 10 % 10, value % 10].map(digit_of)),
        _ => out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes()),
    }
}

/// Appends the address.
pub(super) fn ip(out: &mut Vec<u8>, ip: IpAddr) {
    let IpAddr::V4(ip) = ip else {
        // A Vec takes all that is written.
        _ = write!(out, "{ip}");
        return;
    };
    for (place, octet) in ip.octets().into_iter().enumerate() {
        if place > 0 {
            out.push(b'.');
        }
        number(out, octet.into());
    }
}

/// Appends `bytes` in hexadecimal.
pub(super) fn hex<const N: usize>(out: &mut Vec<u8>, bytes: [u8; N]) {
    out.extend_from_slice(bytes.map(|byte| [hex_digit(byte >> 4), hex_digit(byte)]).as_flattened());
}

/// Appends `true` or `false`.
#[inline]
pub(super) fn boolean(out: &mut Vec<u8>, value: bool) {
    // Two calls, each of a length that the compiler knows.
    if value {
        out.extend_from_slice(b"true");
    } else {
        out.extend_from_slice(b"false");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_a_timestamp_displays() {
        let mut times = Times::default();
        let second = 1_795_364_345 * NANOS_PER_SECOND;
        for nanos in
            [second, second + 1, second + 999_999_999, 0, -1, -NANOS_PER_SECOND, i64::MAX, i64::MIN, second + 7]
        {
            let time = Timestamp::from_nanos(nanos);
            let mut out = Vec::new();
            times.write(&mut out, time);
            assert_eq!(String::from_utf8(out).unwrap(), time.to_string());
        }
    }

    #[test]
    fn numbers_of_every_length() {
        let edges = (0..20).flat_map(|power| [10_u64.pow(power) - 1, 10_u64.pow(power), 10_u64.pow(power) + 7]);
        for value in edges.chain([0, 305, 999, u64::MAX]) {
            let mut out = Vec::new();
            number(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
            let mut out = b"x".to_vec();
            number_after(&mut out, b',', value);
            assert_eq!(String::from_utf8(out).unwrap(), format!("x,{value}"));
        }
    }

    #[test]
    fn eight_digits_at_once() {
        // Every half, which the rest of the arithmetic is for, and every border between the halves.
        for half in 0..10_000 {
            for value in [half, half * 10_000, half * 10_000 + 9_999 - half] {
                let text = eight_digits(value).to_le_bytes();
                assert_eq!(str::from_utf8(&text).unwrap(), format!("{value:08}"));
            }
        }
    }

    #[test]
    fn addresses_are_those_of_std() {
        for text in ["0.0.0.0", "255.1.20.3", "fd00::1", "::ffff:10.0.0.1"] {
            let mut out = Vec::new();
            ip(&mut out, text.parse().unwrap());
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
        let mut out = Vec::new();
        hex(&mut out, [0, 0xaf, 0x1b]);
        assert_eq!(out, b"00af1b");
    }
}

//! What stands behind the label of a line (format).

use super::super::hello::RANDOM_LEN;
use super::resumable::id_name;
use super::{Label, LineFault, MAX_SECRET};

/// Reads what stands behind a label: whose secret it is, what kind it progress out to be, and its length.
pub(super) fn read_secret(
    label: Label,
    rest: &[u8],
    random: &mut [u8; RANDOM_LEN],
    secret: &mut [u8; MAX_SECRET],
) -> Result<(Label, usize), LineFault> {
    if label == Label::Rsa && rest.starts_with(SESSION_ID) {
        return Ok((Label::Resumable, read_session(rest, random, secret)?));
    }
    Ok((label, read_fields(label, rest, random, secret)?))
}

const SESSION_ID: &[u8] = b"Session-ID:";

/// Reads a session id and a master secret, as `openssl sess_id -text` shows them. Gives the length of the secret.
fn read_session(rest: &[u8], random: &mut [u8; RANDOM_LEN], secret: &mut [u8; MAX_SECRET]) -> Result<usize, LineFault> {
    let space = memchr::memchr(b' ', rest).ok_or(LineFault::Fields)?;
    let (id, key) = rest.split_at(space);
    let key = key.trim_ascii_start().strip_prefix(b"Master-Key:").ok_or(LineFault::Fields)?;
    let mut bytes = [0; RANDOM_LEN];
    let id_len = unhex(id.strip_prefix(SESSION_ID).unwrap_or_default(), &mut bytes)?;
    let len = unhex(key, secret)?;
    *random = bytes.get(..id_len).and_then(id_name).ok_or(LineFault::Length)?;
    if len == MAX_SECRET { Ok(len) } else { Err(LineFault::Length) }
}

/// Reads the two fields behind a label. Gives the length of the secret.
fn read_fields(
    label: Label,
    rest: &[u8],
    random: &mut [u8; RANDOM_LEN],
    secret: &mut [u8; MAX_SECRET],
) -> Result<usize, LineFault> {
    let space = memchr::memchr(b' ', rest).ok_or(LineFault::Fields)?;
    let (name, value) = rest.split_at(space);
    let value = value.trim_ascii_start();
    if memchr::memchr(b' ', value).is_some() {
        return Err(LineFault::Fields);
    }
    let (name_len, value_lens): (usize, [usize; 2]) = match label {
        Label::Rsa => (8, [48, 48]),
        Label::Master => (RANDOM_LEN, [48, 48]),
        // "secret … its length depends on the hash function" (RFC 9850 §2): SHA-256 or SHA-384.
        _ => (RANDOM_LEN, [32, 48]),
    };
    let read = unhex(name, random)?;
    let len = unhex(value, secret)?;
    if read != name_len || !value_lens.contains(&len) { Err(LineFault::Length) } else { Ok(len) }
}

/// Reads hexadecimal digits into the front of `out`; says how many bytes they were.
fn unhex(digits: &[u8], out: &mut [u8]) -> Result<usize, LineFault> {
    let (pairs, odd) = digits.as_chunks::<2>();
    let mut wrong = 0;
    for (byte, [high, low]) in out.iter_mut().zip(pairs) {
        let (high, low) = (digit(*high), digit(*low));
        wrong |= high | low;
        *byte = high << 4 | low & 0x0f;
    }
    let rest = pairs.get(out.len()..).unwrap_or_default().as_flattened();
    if wrong > 0x0f || !rest.iter().chain(odd).all(u8::is_ascii_hexdigit) {
        return Err(LineFault::NotHex);
    }
    if rest.is_empty() && odd.is_empty() { Ok(pairs.len()) } else { Err(LineFault::Length) }
}

/// The value of a hexadecimal digit, or 0xff.
fn digit(c: u8) -> u8 {
    const VALUES: [u8; 256] = {
        let mut values = [0xff; 256];
        let mut c = 0_u8;
        loop {
            let value = match c {
                b'0'..=b'9' => c - b'0',
                b'a'..=b'f' => c - b'a' + 10,
                b'A'..=b'F' => c - b'A' + 10,
                _ => 0xff,
            };
            #[expect(clippy::indexing_slicing, reason = "every byte is below 256")]
            {
                values[c as usize] = value;
            }
            if c == u8::MAX {
                break;
            }
            c += 1;
        }
        values
    };
    VALUES.get(usize::from(c)).copied().unwrap_or(0xff)
}

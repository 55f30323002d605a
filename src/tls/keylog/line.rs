//! One line of a key log (format): its label, and the fields after it.

use core::fmt;

use crate::tls::hello::RANDOM_LEN;
use crate::tls::resumption::id_name;

/// The longest secret: an output of SHA-384, and a master secret (RFC 5246 §8.1).
pub const MAX_SECRET: usize = 48;

const SESSION_ID: &[u8] = b"Session-ID:";

/// What a secret is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Label {
    /// The master secret, up to TLS 1.2.
    Master,
    /// TLS 1.3: 0-RTT data.
    ClientEarly,
    /// TLS 1.3: the client's handshake records.
    ClientHandshake,
    /// TLS 1.3: the server's handshake records.
    ServerHandshake,
    /// TLS 1.3: the client's application data.
    ClientTraffic,
    /// TLS 1.3: the server's application data.
    ServerTraffic,
    /// The pre-master secret of an RSA key exchange.
    Rsa,
    /// The master secret, up to TLS 1.2, of a session that can be resumed by its name.
    Resumable,
}

impl Label {
    /// The label of that name, if its secrets are of use here.
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"CLIENT_RANDOM" => Self::Master,
            b"CLIENT_EARLY_TRAFFIC_SECRET" => Self::ClientEarly,
            b"CLIENT_HANDSHAKE_TRAFFIC_SECRET" => Self::ClientHandshake,
            b"SERVER_HANDSHAKE_TRAFFIC_SECRET" => Self::ServerHandshake,
            b"CLIENT_TRAFFIC_SECRET_0" => Self::ClientTraffic,
            b"SERVER_TRAFFIC_SECRET_0" => Self::ServerTraffic,
            b"RSA" => Self::Rsa,
            _ => return None,
        })
    }
}

/// A fault of a line of a key log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LineFault {
    /// A known label without two fields after it.
    Fields,
    /// A field with other characters than hexadecimal digits.
    NotHex,
    /// A random or secret of another length than its label requires: cut short, perhaps.
    Length,
    /// A line of more than a kilobyte.
    TooLong,
    /// More secrets than are kept.
    Full,
}

impl LineFault {
    /// In words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fields => "a label, a random and a secret were expected",
            Self::NotHex => "not hexadecimal",
            Self::Length => "a random or secret of the wrong length",
            Self::TooLong => "too long for a line of a key log",
            Self::Full => "more secrets than can be kept",
        }
    }
}

impl fmt::Display for LineFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Reads the fields after a label: the random or name into `random`, the secret into `secret`. Gives the label of the secret
/// and its length.
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

/// Reads a random and a secret. Gives the length of the secret.
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

/// Reads hexadecimal digits into the front of `out`. Gives how many bytes they were.
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

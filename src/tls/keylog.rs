//! Key logs in the NSS format (`SSLKEYLOGFILE`, RFC 9850): text lines → secrets by client random.
//!
//! ```text
//! CLIENT_RANDOM <64 hex digits: random> <96: master secret>               TLS 1.2 and before
//! CLIENT_HANDSHAKE_TRAFFIC_SECRET <64> <64 or 96: secret>                 TLS 1.3, and its sisters
//! RSA <16: first 8 bytes of the encrypted pre-master secret> <96: pre-master secret>
//! RSA Session-ID:<up to 64: that of the ServerHello> Master-Key:<96: master secret>
//! ```
//!
//! In: bytes of one or more logs, cut anywhere, so that a log can be followed while it grows. Out: secrets when asked for,
//! and warnings about lines that are broken. Comments, empty lines and labels that nobody here needs are passed over.
//!
//! Up to TLS 1.2 a session may be resumed, and its log may have the secret only where it began. So sessions that were opened
//! are [remembered](KeyLog::remember) by the names under which they are resumed.
//!
//! A line of 176 bytes is kept in 86, and 5 to 10 more in the index; secrets are wiped when the log is let go.

mod line;
mod resumable;

use core::fmt;
use core::hash::BuildHasher as _;

use hashbrown::{DefaultHashBuilder, HashTable};
use zeroize::{Zeroize as _, Zeroizing};

use super::hello::RANDOM_LEN;
use line::read_secret;
pub use resumable::Resumable;
pub(in crate::tls) use resumable::{Name, id_name, ticket_name};

/// The longest secret: an output of SHA-384, and a master secret (RFC 5246 §8.1).
pub const MAX_SECRET: usize = 48;
/// The longest line that is looked at. The longest label with random and secret has 200 bytes.
const MAX_LINE: usize = 1024;
/// Broken lines that are named; others are counted.
const MAX_WARNINGS: usize = 16;
/// Bytes of a chunk of the store, as a power of two: what is in it is never moved, so nothing is left behind unwiped.
const CHUNK_BITS: u32 = 20;
const CHUNK: usize = 1 << CHUNK_BITS;
/// Bytes of secrets that are kept, at most: 12 million sessions.
const MAX_CHUNKS: usize = 1024;
/// Sessions that are remembered, at most: 6 MiB. Only those whose secrets are there are.
const MAX_REMEMBERED: usize = 1 << 16;
/// No entry is there.
const NONE: u32 = u32::MAX;
/// Before each secret: where the next one of the session stands, its label, its length.
const FRONT: usize = 6;
/// The same, and the length of a random, to count places with.
const FRONT_SPAN: u32 = 6;
const RANDOM_SPAN: u32 = 32;

/// What a secret is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Label {
    /// The master secret, up to TLS 1.2.
    Master,
    /// TLS 1.3: 0-RTT data.
    ClientEarly,
    /// TLS 1.3: the client's part of the handshake.
    ClientHandshake,
    /// TLS 1.3: the server's part of the handshake.
    ServerHandshake,
    /// TLS 1.3: what the client sends.
    ClientTraffic,
    /// TLS 1.3: what the server sends.
    ServerTraffic,
    /// The pre-master secret of an RSA key exchange.
    Rsa,
    /// The master secret, up to TLS 1.2, of a session that can be resumed by its name.
    Resumable,
}

impl Label {
    fn of(name: &[u8]) -> Option<Self> {
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

/// A line that could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyLogWarning {
    /// Its number, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub fault: LineFault,
}

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LineFault {
    /// A known label that is not followed by two fields.
    Fields,
    /// A field that is no text of hexadecimal digits.
    NotHex,
    /// A random or secret of another length than its label asks for: cut short, perhaps.
    Length,
    /// More than a kilobyte: no line of a key log.
    TooLong,
    /// More secrets than are kept.
    Full,
}

impl fmt::Display for KeyLogWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.fault {
            LineFault::Fields => "a label, a random and a secret were expected",
            LineFault::NotHex => "not hexadecimal",
            LineFault::Length => "a random or secret of the wrong length",
            LineFault::TooLong => "too long for a line of a key log",
            LineFault::Full => "more secrets than can be kept",
        };
        write!(f, "line {}: {what}", self.line)
    }
}

/// Lines of one log, cut anywhere.
#[derive(Default)]
pub struct LogLines {
    /// The start of a line whose end has not come.
    carry: Zeroizing<Vec<u8>>,
    /// That line is too long; what is left of it is passed over.
    overlong: bool,
    number: u64,
}

/// The secrets of any number of logs.
pub struct KeyLog {
    chunks: Vec<Zeroizing<Vec<u8>>>,
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
    generation: u64,
    /// Names of sessions that no log has.
    remembered: usize,
    warnings: Vec<KeyLogWarning>,
    more_warnings: u64,
}

impl Default for KeyLog {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for KeyLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyLog").field("sessions", &self.sessions()).finish_non_exhaustive()
    }
}

impl KeyLog {
    /// One without secrets.
    #[must_use]
    pub fn new() -> Self {
        Self {
            chunks: Vec::new(),
            index: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            generation: 0,
            remembered: 0,
            warnings: Vec::new(),
            more_warnings: 0,
        }
    }

    /// Takes the next bytes of a log.
    pub fn feed(&mut self, lines: &mut LogLines, mut bytes: &[u8]) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (line, rest) = bytes.split_at(end);
            bytes = rest.get(1..).unwrap_or_default();
            if lines.carry.is_empty() && !lines.overlong {
                lines.number = lines.number.saturating_add(1);
                self.line(line, lines.number);
            } else {
                lines.gather(line);
                self.finish(lines);
            }
        }
        lines.gather(bytes);
    }

    /// The log is over: its last line may lack a line end.
    pub fn finish(&mut self, lines: &mut LogLines) {
        if lines.carry.is_empty() && !lines.overlong {
            return;
        }
        lines.number = lines.number.saturating_add(1);
        if core::mem::take(&mut lines.overlong) {
            self.warn(lines.number, LineFault::TooLong);
        } else {
            self.line(&lines.carry, lines.number);
        }
        lines.carry.zeroize();
    }

    /// Takes a whole log: that of a Decryption Secrets Block.
    pub fn add(&mut self, text: &[u8]) {
        let mut lines = LogLines::default();
        self.feed(&mut lines, text);
        self.finish(&mut lines);
    }

    /// The broken lines so far, each once, and how many more there were.
    pub fn take_warnings(&mut self) -> (Vec<KeyLogWarning>, u64) {
        (core::mem::take(&mut self.warnings), core::mem::take(&mut self.more_warnings))
    }

    /// How many sessions it has secrets of.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.index.len().saturating_sub(self.remembered)
    }

    /// Keeps the secret of a session under the names by which it may be resumed.
    pub fn remember(&mut self, session: &Resumable) {
        for name in session.names.iter().flatten() {
            if self.remembered < MAX_REMEMBERED
                && self.session(name).is_none()
                && self.insert(name, Label::Resumable, &session.master[..])
            {
                self.remembered = self.remembered.saturating_add(1);
            }
        }
    }

    /// Bytes that it keeps.
    #[must_use]
    pub fn held(&self) -> usize {
        let index = self.index.capacity().saturating_mul(5);
        self.chunks.len().saturating_mul(CHUNK).saturating_add(index)
    }

    /// Changes whenever a secret was added.
    pub(crate) const fn generation(&self) -> u64 {
        self.generation
    }

    /// A secret of the session with this client random.
    pub(crate) fn secret(&self, random: &[u8; RANDOM_LEN], label: Label) -> Option<&[u8]> {
        let mut next = self.session(random)?.saturating_add(RANDOM_SPAN);
        while next != NONE {
            let (after, kind, secret) = self.entry(next)?;
            if kind == label as u8 {
                return Some(secret);
            }
            next = after;
        }
        None
    }

    /// Whether there is anything of the session with this client random.
    pub(crate) fn has_session(&self, random: &[u8; RANDOM_LEN]) -> bool {
        self.session(random).is_some()
    }

    /// The pre-master secret that was sent encrypted, by the first bytes of that.
    pub(crate) fn rsa(&self, encrypted: &[u8]) -> Option<&[u8]> {
        self.secret(&rsa_name(encrypted.first_chunk::<8>()?), Label::Rsa)
    }

    /// The master secret of a session that may be resumed.
    pub(super) fn resumable(&self, name: &Name) -> Option<&[u8]> {
        self.secret(name, Label::Resumable)
    }

    /// Reads one line, without its end.
    fn line(&mut self, line: &[u8], number: u64) {
        // Whether it came in pieces or not.
        if line.len() > MAX_LINE {
            return self.warn(number, LineFault::TooLong);
        }
        let line = line.trim_ascii();
        let Some(space) = memchr::memchr(b' ', line.get(..line.len().min(64)).unwrap_or_default()) else {
            if Label::of(line).is_some() {
                self.warn(number, LineFault::Fields);
            }
            return;
        };
        let (name, rest) = line.split_at(space);
        let Some(label) = Label::of(name) else { return };
        let mut random = [0; RANDOM_LEN];
        let mut secret = Zeroizing::new([0; MAX_SECRET]);
        match read_secret(label, rest.trim_ascii_start(), &mut random, &mut secret) {
            Ok((label, len)) => {
                let secret = secret.get(..len).unwrap_or_default();
                if !self.insert(&random, label, secret) {
                    self.warn(number, LineFault::Full);
                }
            }
            Err(fault) => self.warn(number, fault),
        }
    }

    /// Keeps a secret. Says whether there was room.
    fn insert(&mut self, random: &[u8; RANDOM_LEN], label: Label, secret: &[u8]) -> bool {
        let session = self.session(random);
        // Logs are read again and quoted in captures; the first secret of a kind counts.
        if session.is_some() && self.secret(random, label).is_some() {
            return true;
        }
        let [len] = [u8::try_from(secret.len()).unwrap_or(u8::MAX)];
        let front = |next: u32| {
            let [a, b, c, d] = next.to_be_bytes();
            [a, b, c, d, label as u8, len]
        };
        match session {
            None => {
                let Some(at) = self.store(&[random, &front(NONE), secret]) else { return false };
                let hash = self.hasher.hash_one(random);
                let (chunks, hasher) = (&self.chunks, &self.hasher);
                self.index.insert_unique(hash, at, |&other| hasher.hash_one(bytes(chunks, other, RANDOM_LEN)));
            }
            Some(session) => {
                // The new one stands second: its place goes into the first, whose place never changes.
                let first = session.saturating_add(RANDOM_SPAN);
                let Some((second, ..)) = self.entry(first) else { return false };
                let Some(at) = self.store(&[&front(second), secret]) else { return false };
                if let Some(next) = self.chunks.get_mut(chunk_of(first)).and_then(|chunk| {
                    let start = place_in_chunk(first);
                    chunk.get_mut(start..start.saturating_add(4))
                }) {
                    next.copy_from_slice(&at.to_be_bytes());
                }
            }
        }
        self.generation = self.generation.wrapping_add(1);
        true
    }

    fn session(&self, random: &[u8; RANDOM_LEN]) -> Option<u32> {
        let hash = self.hasher.hash_one(random.as_slice());
        self.index.find(hash, |&at| bytes(&self.chunks, at, RANDOM_LEN) == random).copied()
    }

    /// What stands at a place: the next of the session, the label, the secret.
    fn entry(&self, at: u32) -> Option<(u32, u8, &[u8])> {
        let [a, b, c, d, label, len] = *bytes(&self.chunks, at, FRONT).first_chunk::<FRONT>()?;
        let secret = bytes(&self.chunks, at.saturating_add(FRONT_SPAN), usize::from(len));
        Some((u32::from_be_bytes([a, b, c, d]), label, secret))
    }

    fn store(&mut self, parts: &[&[u8]]) -> Option<u32> {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        if self.chunks.last().is_none_or(|chunk| chunk.len().saturating_add(len) > CHUNK) {
            if self.chunks.len() >= MAX_CHUNKS {
                return None;
            }
            self.chunks.push(Zeroizing::new(Vec::with_capacity(CHUNK)));
        }
        let number = u32::try_from(self.chunks.len().checked_sub(1)?).ok()?;
        let chunk = self.chunks.last_mut()?;
        let place = u32::try_from(chunk.len()).ok()?;
        parts.iter().for_each(|part| chunk.extend_from_slice(part));
        Some(number << CHUNK_BITS | place)
    }

    fn warn(&mut self, line: u64, fault: LineFault) {
        if self.warnings.len() < MAX_WARNINGS {
            self.warnings.push(KeyLogWarning { line, fault });
        } else {
            self.more_warnings = self.more_warnings.saturating_add(1);
        }
    }
}

impl LogLines {
    fn gather(&mut self, bytes: &[u8]) {
        if self.overlong || self.carry.len().saturating_add(bytes.len()) > MAX_LINE {
            self.overlong = true;
            self.carry.zeroize();
        } else if !bytes.is_empty() {
            // Once, so that it is never moved: what it held would stay behind.
            let room = MAX_LINE.saturating_sub(self.carry.len());
            self.carry.reserve_exact(room);
            self.carry.extend_from_slice(bytes);
        }
    }
}

impl fmt::Debug for LogLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogLines").field("number", &self.number).finish_non_exhaustive()
    }
}

const fn chunk_of(at: u32) -> usize {
    (at >> CHUNK_BITS) as usize
}

const fn place_in_chunk(at: u32) -> usize {
    at as usize & (CHUNK - 1)
}

fn bytes(chunks: &[Zeroizing<Vec<u8>>], at: u32, len: usize) -> &[u8] {
    let start = place_in_chunk(at);
    chunks.get(chunk_of(at)).and_then(|chunk| chunk.get(start..start.saturating_add(len))).unwrap_or_default()
}

/// Pre-master secrets have no client random: they stand under what they are found by.
fn rsa_name(encrypted: &[u8; 8]) -> [u8; RANDOM_LEN] {
    let mut name = [0; RANDOM_LEN];
    name.iter_mut().zip(encrypted).for_each(|(to, from)| *to = *from);
    name
}

#[cfg(test)]
mod tests;

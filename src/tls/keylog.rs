//! Key logs in the NSS format (`SSLKEYLOGFILE`, RFC 9850): text lines → secrets by client random.
//!
//! ```text
//! CLIENT_RANDOM <64 hex digits: random> <96: master secret>               TLS 1.2 and before
//! CLIENT_HANDSHAKE_TRAFFIC_SECRET <64> <64 or 96: secret>                 TLS 1.3, and four similar labels
//! RSA <16: first 8 bytes of the encrypted pre-master secret> <96: pre-master secret>
//! RSA Session-ID:<up to 64: that of the ServerHello> Master-Key:<96: master secret>
//! ```
//!
//! In: the bytes of one or more logs, cut anywhere, so that a log can be followed while it grows. Out: secrets by session, and
//! warnings about broken lines. Comments, empty lines and unused labels are skipped.
//!
//! Up to TLS 1.2 a session may be resumed, and a log may have its secret only under the connection that began it. So sessions
//! that were opened are [remembered](KeyLog::remember) under the names by which they are resumed.
//!
//! A line of 176 bytes is kept in 86 bytes, and 5 to 10 more in the index. Secrets are wiped when the log is dropped.

mod line;
mod store;

use core::fmt;

use zeroize::{Zeroize as _, Zeroizing};

use super::hello::RANDOM_LEN;
use super::resumption::{Resumable, SessionName};
pub(crate) use line::Label;
use line::read_secret;
pub use line::{LineFault, MAX_SECRET};
use store::SecretStore;

/// The longest line that is read. The longest label with random and secret has 200 bytes.
const MAX_LINE: usize = 1024;
/// Broken lines that are reported; more are counted.
const MAX_WARNINGS: usize = 16;
/// Sessions that are remembered, at most: 6 MiB. Only sessions whose secrets are known are remembered.
const MAX_REMEMBERED: usize = 1 << 16;

/// A line that could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyLogWarning {
    /// Its number in the log, from 1.
    pub line: u64,
    /// Its fault.
    pub fault: LineFault,
}

impl fmt::Display for KeyLogWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.fault)
    }
}

/// The place in one log that is read in parts.
#[derive(Default)]
pub struct LogLines {
    /// The start of an incomplete line.
    carry: Zeroizing<Vec<u8>>,
    /// That line is too long: the rest of it is skipped.
    overlong: bool,
    number: u64,
}

/// The secrets of any number of logs.
pub struct KeyLog {
    store: SecretStore,
    /// How many secrets were added.
    generation: u64,
    /// Names of sessions that were remembered, and are in no log.
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
    /// A log without secrets.
    #[must_use]
    pub fn new() -> Self {
        Self { store: SecretStore::new(), generation: 0, remembered: 0, warnings: Vec::new(), more_warnings: 0 }
    }

    /// Takes the next bytes of a log, of which `lines` keeps the place.
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

    /// The log is over: takes its last line, which may lack a line end.
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

    /// Takes a complete log, such as that of a Decryption Secrets Block.
    pub fn add(&mut self, text: &[u8]) {
        let mut lines = LogLines::default();
        self.feed(&mut lines, text);
        self.finish(&mut lines);
    }

    /// The broken lines since the last call, and how many more there were.
    pub fn take_warnings(&mut self) -> (Vec<KeyLogWarning>, u64) {
        (core::mem::take(&mut self.warnings), core::mem::take(&mut self.more_warnings))
    }

    /// How many sessions the logs have secrets of.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.store.sessions().saturating_sub(self.remembered)
    }

    /// Keeps the secret of a session under the names by which it may be resumed.
    pub fn remember(&mut self, session: &Resumable) {
        for name in session.names.iter().flatten() {
            if self.remembered < MAX_REMEMBERED
                && !self.store.has_session(name)
                && self.insert(name, Label::Resumable, &session.master[..])
            {
                self.remembered = self.remembered.saturating_add(1);
            }
        }
    }

    /// Bytes that are kept.
    #[must_use]
    pub fn held(&self) -> usize {
        self.store.held()
    }

    /// A number that changes whenever a secret is added.
    pub(crate) const fn generation(&self) -> u64 {
        self.generation
    }

    /// A secret of the session with this client random.
    pub(crate) fn secret(&self, random: &[u8; RANDOM_LEN], label: Label) -> Option<&[u8]> {
        self.store.secret(random, label)
    }

    /// Whether there is any secret of the session with this client random.
    pub(crate) fn has_session(&self, random: &[u8; RANDOM_LEN]) -> bool {
        self.store.has_session(random)
    }

    /// A pre-master secret, by the first bytes of its encrypted form.
    pub(crate) fn rsa(&self, encrypted: &[u8]) -> Option<&[u8]> {
        self.secret(&rsa_name(encrypted.first_chunk::<8>()?), Label::Rsa)
    }

    /// The master secret of a session that may be resumed.
    pub(super) fn resumable(&self, name: &SessionName) -> Option<&[u8]> {
        self.secret(name, Label::Resumable)
    }

    /// Reads one line, without its end.
    fn line(&mut self, line: &[u8], number: u64) {
        // The limit holds also where the line was not cut.
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

    /// Keeps a secret. False if there is no room. Logs are read again and quoted in captures, so the first secret of a session
    /// with a label counts.
    fn insert(&mut self, random: &[u8; RANDOM_LEN], label: Label, secret: &[u8]) -> bool {
        if self.store.secret(random, label).is_some() {
            return true;
        }
        let inserted = self.store.insert(random, label, secret);
        self.generation = self.generation.wrapping_add(u64::from(inserted));
        inserted
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
            // Once, so that it is never moved, which would leave an unwiped copy.
            let free = MAX_LINE.saturating_sub(self.carry.len());
            self.carry.reserve_exact(free);
            self.carry.extend_from_slice(bytes);
        }
    }
}

impl fmt::Debug for LogLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogLines").field("number", &self.number).finish_non_exhaustive()
    }
}

/// The name under which a pre-master secret is kept, since it has no client random.
fn rsa_name(encrypted: &[u8; 8]) -> [u8; RANDOM_LEN] {
    let mut name = [0; RANDOM_LEN];
    name.iter_mut().zip(encrypted).for_each(|(to, from)| *to = *from);
    name
}

#[cfg(test)]
mod tests;

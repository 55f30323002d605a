//! Finds where records begin after a gap (machine). No RFC describes that: only an observer has gaps.
//!
//! In: the bytes after the gap. Out: the first place where a record begins that opens under a key of the direction, with a
//! sequence number that the gap allows: that is proof. Where no key is known yet, two plausible headers in a row must do.

use super::framer::{Framer, RecordGap};
use super::record::{ContentType, HEADER_LEN, MAX_FRAGMENT, Record, RecordHeader};
use super::record_stream::{RecordStream, Resync, Scratch};

/// Bytes that are gathered to find a boundary: two of the longest records.
const MAX_GATHERED: usize = 2 * (MAX_FRAGMENT + HEADER_LEN);
/// Records that may be missing in a gap of unknown length.
const UNKNOWN_WINDOW: u64 = 256;
/// The most sequence numbers that are tried for any gap.
const MAX_WINDOW: u64 = 1024;
/// Attempts to open a record, for each gap; each costs some microseconds per KiB of the record.
const MAX_ATTEMPTS: u32 = 8192;
/// Bytes that are searched without a key, for two headers in a row.
const MAX_WITHOUT_KEY: usize = 1 << 20;
/// Bytes before a boundary that may hold the vector of TLS 1.0: a block, and a MAC after it.
const VECTOR: usize = 16 + 48;

/// The result of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resynced {
    /// A record is at the front of the framer.
    Found,
    /// No boundary so far; the input is used up.
    NeedMore,
    /// The limits of the search are reached: nothing more of the direction can be opened.
    GaveUp,
}

/// The result of searching the gathered bytes.
enum Scan {
    /// A record begins at this place.
    Found(usize),
    /// None begins before this place; more bytes are needed.
    NeedMore(usize),
    /// The limits of the search are reached.
    GaveUp,
}

impl RecordStream {
    /// Bytes are missing: so many, or an unknown number.
    pub(super) fn gap(&mut self, len: Option<u64>, scratch: &mut Scratch) {
        self.messages.lose();
        if let Some(resync) = &mut self.resync {
            // The boundary was not found yet, and more records are missing.
            (resync.window, resync.from) = (MAX_WINDOW, 0);
            self.framer.clear(&mut scratch.buffers);
            return;
        }
        let waiting = u64::try_from(self.framer.waiting().len()).unwrap_or(u64::MAX);
        // In TLS 1.0 the boundary is not enough: the bytes before it are needed to open the next record.
        let chained = self.current().is_some_and(|decrypter| !decrypter.is_random_access());
        match self.framer.gap(len.filter(|_| !chained), &mut scratch.buffers) {
            RecordGap::WithinRecord { first } => {
                if first {
                    self.miss_record();
                }
            }
            RecordGap::BoundaryLost => {
                let overhead = self.current().map_or(22, |decrypter| decrypter.overhead()).max(1);
                let most = len.map_or(UNKNOWN_WINDOW, |len| len.saturating_add(waiting) / overhead + 2);
                self.begin_resync(most.saturating_add(self.slack).min(MAX_WINDOW));
            }
        }
    }

    /// The next bytes are no record: a boundary was lost unnoticed, or this never was TLS.
    pub(super) fn lose_boundary(&mut self) {
        self.begin_resync(UNKNOWN_WINDOW);
    }

    fn begin_resync(&mut self, window: u64) {
        self.resync = Some(Resync { window, attempts: MAX_ATTEMPTS, from: 0, discarded: 0 });
    }

    /// Looks for a record in the gathered bytes and the input.
    pub(super) fn resync(&mut self, input: &mut &[u8], tls13: bool, scratch: &mut Scratch) -> Resynced {
        loop {
            self.framer.take(input, MAX_GATHERED, &mut scratch.buffers);
            let framer = core::mem::take(&mut self.framer);
            let scan = self.scan(&framer, tls13, &mut scratch.plain);
            self.framer = framer;
            match scan {
                Scan::Found(at) => {
                    self.framer.discard(at);
                    self.resync = None;
                    return Resynced::Found;
                }
                Scan::NeedMore(at) => {
                    self.discard_searched(at);
                    if input.is_empty() {
                        return Resynced::NeedMore;
                    }
                }
                Scan::GaveUp => {
                    self.framer.clear(&mut scratch.buffers);
                    self.ended = true;
                    *input = &[];
                    return Resynced::GaveUp;
                }
            }
        }
    }

    /// Discards gathered bytes before `at`, except for those that may hold the vector of the next record.
    fn discard_searched(&mut self, at: usize) {
        let kept = at.min(VECTOR);
        let discarded = at.saturating_sub(kept);
        self.framer.discard(discarded);
        if let Some(resync) = &mut self.resync {
            (resync.from, resync.discarded) = (kept, resync.discarded.saturating_add(discarded));
        }
    }

    fn scan(&mut self, framer: &Framer, tls13: bool, out: &mut [u8]) -> Scan {
        let bytes = framer.waiting();
        let (mut at, discarded) = self.resync.map_or((0, 0), |resync| (resync.from, resync.discarded));
        loop {
            if self.epochs.is_empty() && discarded.saturating_add(at) > MAX_WITHOUT_KEY {
                return Scan::GaveUp;
            }
            let rest = bytes.get(at..).unwrap_or_default();
            let Some(header) = RecordHeader::parse(rest) else { return Scan::NeedMore(at) };
            if !may_be_record(header, tls13) {
                at += 1;
                continue;
            }
            let Some((record, after)) = Record::split(rest, header) else { return Scan::NeedMore(at) };
            let found = if self.epochs.is_empty() {
                match RecordHeader::parse(after) {
                    None => return Scan::NeedMore(at),
                    Some(next) => may_be_record(next, tls13),
                }
            } else {
                self.opens_after(bytes.get(..at).unwrap_or_default(), record, out)
            };
            if found {
                return Scan::Found(at);
            }
            if self.resync.is_some_and(|resync| resync.attempts == 0) {
                return Scan::GaveUp;
            }
            at += 1;
        }
    }

    /// Whether a record that follows these bytes opens under some key; then that key is in use.
    fn opens_after(&mut self, before: &[u8], record: Record<'_>, out: &mut [u8]) -> bool {
        if !self.current().is_some_and(|decrypter| decrypter.chain_after(before)) {
            return false;
        }
        let Some(resync) = &mut self.resync else { return true };
        let window = resync.window;
        let proof = self.prove(record, window, out);
        if let Some(resync) = &mut self.resync {
            resync.attempts = resync.attempts.saturating_sub(proof.attempts);
        }
        let Some(place) = proof.found else { return false };
        self.continue_at(place, proof.updated);
        true
    }
}

/// Whether a record of a direction may have this header.
fn may_be_record(header: RecordHeader, tls13: bool) -> bool {
    header.is_plausible()
        && (0x0301..=0x0303).contains(&header.version)
        && header.len > 0
        && (!tls13 || header.content == ContentType::APPLICATION_DATA)
        && header.content != ContentType::HEARTBEAT
}

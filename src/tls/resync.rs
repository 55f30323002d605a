//! Where records begin behind a hole (RFC 8446 does not say: only an observer has holes).
//!
//! In: what came behind the hole. Out: the first place where a record begins that opens under a key of the direction, with
//! a number that the hole allows: that is proof. Where keys are not known yet, two headers in a row must do.

use super::connection::{Scratch, TlsConnection};
use super::framer::{Framer, RecordGap};
use super::install_keys;
use super::keylog::KeyLog;
use super::record::{HEADER_LEN, MAX_FRAGMENT, RecordHeader};
use super::record_stream::{RecordStream, Resync};
use crate::types::Direction;

/// Bytes that are gathered to find a border: the longest record, and some.
const MAX_HUNT: usize = 2 * (MAX_FRAGMENT + HEADER_LEN);
/// Records that may be missing in a hole of unknown length.
const UNKNOWN_WINDOW: u64 = 256;
/// The most that are tried for any hole.
const MAX_WINDOW: u64 = 1024;
/// Attempts to open something, for each hole, and bytes of records that are tried, some microseconds a KiB.
const MAX_TRIES: u32 = 8192;

/// Bytes that are looked at without a key, for two headers in a row.
const MAX_BLIND: usize = 1 << 20;
/// Bytes before a border in which the vector of TLS 1.0 stands: a block, and a code outside.
const VECTOR: usize = 16 + 48;

/// What a look at the bytes came to.
enum ScanResult {
    /// A record begins at this place.
    Found(usize),
    /// None does before this place; more bytes may tell.
    More(usize),
    /// It was tried long enough.
    Enough,
}

impl TlsConnection {
    /// Bytes are missing here; so may be bytes of what is inside. Not while the direction waits.
    pub fn gap(&mut self, direction: Direction, len: Option<u64>, scratch: &mut Scratch) {
        let stream = self.streams.get_mut(direction);
        stream.messages.lose();
        if let Some(resync) = &mut stream.resync {
            // Where one border was looked for, more records are missing.
            (resync.window, resync.from) = (MAX_WINDOW, 0);
            stream.framer.clear(&mut scratch.buffers);
            return;
        }
        let waiting = u64::try_from(stream.framer.waiting().len()).unwrap_or(u64::MAX);
        // In TLS 1.0, the border is not enough: what is before it opens the next record.
        let chained = stream.current().is_some_and(|decrypter| !decrypter.is_random_access());
        match stream.framer.gap(len.filter(|_| !chained), &mut scratch.buffers) {
            RecordGap::WithinRecord { first } => {
                if first {
                    stream.doubt();
                }
            }
            RecordGap::BoundaryLost => {
                let overhead = stream.current().map_or(22, |decrypter| decrypter.overhead()).max(1);
                let most = len.map_or(UNKNOWN_WINDOW, |len| len.saturating_add(waiting) / overhead + 2);
                let window = most.saturating_add(stream.slack).min(MAX_WINDOW);
                stream.resync = Some(Resync { window, tries: MAX_TRIES, from: 0, passed: 0 });
            }
        }
    }

    /// What is here is no record: a border was lost unnoticed, or it never was TLS.
    pub(super) fn stray(&mut self, direction: Direction) {
        let stream = self.streams.get_mut(direction);
        stream.resync = Some(Resync { window: UNKNOWN_WINDOW, tries: MAX_TRIES, from: 0, passed: 0 });
    }

    /// Looks for a record in what waits and comes. Says whether it found one; it is at the front then.
    pub(super) fn resync(
        &mut self,
        direction: Direction,
        input: &mut &[u8],
        keys: &KeyLog,
        scratch: &mut Scratch,
    ) -> bool {
        let tls13 = self.negotiation.is_tls13() == Some(true);
        let stream = self.streams.get_mut(direction);
        // Whatever keys there are now; those that are missing are asked for by the record that is found.
        _ = if tls13 {
            install_keys::tls13(stream, direction, &self.negotiation, keys)
        } else if stream.changing {
            install_keys::tls12(stream, direction, &self.negotiation, keys)
        } else {
            Ok(Ok(()))
        };
        stream.protected |= !tls13 && !stream.epochs.is_empty();
        loop {
            stream.framer.take(input, MAX_HUNT, &mut scratch.buffers);
            let framer = core::mem::take(&mut stream.framer);
            let scan = stream.scan(&framer, tls13, &mut scratch.plain);
            stream.framer = framer;
            match scan {
                ScanResult::Found(at) => {
                    stream.framer.discard(at);
                    stream.resync = None;
                    return true;
                }
                ScanResult::More(at) => {
                    let kept = at.min(VECTOR);
                    let passed = at.saturating_sub(kept);
                    stream.framer.discard(passed);
                    if let Some(resync) = &mut stream.resync {
                        (resync.from, resync.passed) = (kept, resync.passed.saturating_add(passed));
                    }
                    if input.is_empty() {
                        return false;
                    }
                }
                ScanResult::Enough => {
                    stream.framer.clear(&mut scratch.buffers);
                    stream.dead = true;
                    *input = &[];
                    self.close_if_over();
                    return false;
                }
            }
        }
    }
}

impl RecordStream {
    fn scan(&mut self, framer: &Framer, tls13: bool, out: &mut [u8]) -> ScanResult {
        let bytes = framer.waiting();
        let (mut at, passed) = self.resync.map_or((0, 0), |resync| (resync.from, resync.passed));
        loop {
            if self.epochs.is_empty() && passed.saturating_add(at) > MAX_BLIND {
                return ScanResult::Enough;
            }
            let rest = bytes.get(at..).unwrap_or_default();
            let Some(header) = RecordHeader::parse(rest) else { return ScanResult::More(at) };
            if !self.may_be(header, tls13) {
                at += 1;
                continue;
            }
            let Some((record, behind)) = rest.split_at_checked(header.total()) else { return ScanResult::More(at) };
            if self.epochs.is_empty() {
                match RecordHeader::parse(behind) {
                    None => return ScanResult::More(at),
                    Some(next) if self.may_be(next, tls13) => return ScanResult::Found(at),
                    Some(_) => {}
                }
            } else if self
                .current()
                .is_some_and(|decrypter| decrypter.chain_behind(bytes.get(..at).unwrap_or_default()))
            {
                let Some(resync) = &mut self.resync else { return ScanResult::Found(at) };
                let (window, fragment) = (resync.window, record.get(HEADER_LEN..).unwrap_or_default());
                let proof = self.prove(header, fragment, window, out);
                if let Some(place) = proof.found {
                    self.go_on_at(place, proof.updated);
                    return ScanResult::Found(at);
                }
                if let Some(resync) = &mut self.resync {
                    resync.tries = resync.tries.saturating_sub(proof.tries);
                    if resync.tries == 0 {
                        return ScanResult::Enough;
                    }
                }
            }
            at += 1;
        }
    }
}

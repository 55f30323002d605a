//! One TLS connection, both directions (machine): records come in, plaintext goes out.
//!
//! In: the bytes and gaps of each direction, and a key log, which may get the secrets later. Out: plaintext, losses,
//! `close_notify`. A record that is not authentic never becomes plaintext.
//!
//! A record that cannot be opened yet stays in the input: it [waits](TlsConnection::waits_for) for a secret, or for the other
//! direction. Offer the input of both directions again whenever [`TlsConnection::progress`] has changed, or the key log has
//! more. When neither will come, call [`TlsConnection::give_up`].

use super::framer::NextRecord;
use super::info::TlsInfo;
use super::install_keys::install_for_resync;
use super::keylog::KeyLog;
use super::negotiation::Negotiation;
use super::record::{Alert, MAX_FRAGMENT};
use super::record_stream::{RecordStream, Scratch, WaitsFor};
use super::resumption::Resumable;
use super::resync::Resynced;
use super::shape::Shape;
use super::undecryptable::Undecryptable;
use crate::types::{Direction, PacketRef, PerDirection};

mod give_up;
mod records;

/// What a call of [`TlsConnection::next`] needs besides the bytes.
pub struct DecryptContext<'k, 's> {
    /// The secrets so far.
    pub keys: &'k KeyLog,
    /// Memory for plaintext and incomplete records.
    pub scratch: &'s mut Scratch,
    /// The packet that carried the bytes.
    pub seen: PacketRef,
}

/// One thing that the records of a direction contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordEvent<'s> {
    /// Bytes that the sender's application wrote.
    Data(&'s [u8]),
    /// A record did not open: bytes of unknown number are missing here.
    Rejected,
    /// The sender will send nothing more (RFC 8446 §6.1).
    CloseNotify,
}

/// One connection.
#[derive(Default)]
pub struct TlsConnection {
    negotiation: Negotiation,
    streams: PerDirection<RecordStream>,
    shape: Shape,
    undecryptable: Option<Undecryptable>,
    /// A session that can be resumed, until it is taken.
    session: Option<Box<Resumable>>,
    /// The first fatal alert in the clear, and its direction.
    alert: Option<(Alert, Direction)>,
    /// Application data was opened.
    delivered: bool,
    /// Counts records that are done with, and further attempts to open a record that waits.
    progress: u64,
}

/// The result of one record.
enum RecordOutcome {
    /// It is done with.
    Done,
    /// It waits.
    Waits(WaitsFor),
    /// It had so many bytes of application data, which are in the scratch memory.
    Data(usize),
    /// It did not open.
    Rejected,
    /// It was a `close_notify`.
    CloseNotify,
}

impl TlsConnection {
    /// A connection at its beginning.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What was negotiated so far.
    #[must_use]
    pub const fn info(&self) -> &TlsInfo {
        &self.negotiation.info
    }

    /// Why nothing can be opened, once that is certain.
    #[must_use]
    pub const fn undecryptable(&self) -> Option<Undecryptable> {
        self.undecryptable
    }

    /// A number that changes whenever a direction that [waits](Self::waits_for) for the other may go on: offer the input that
    /// is left until the number stays the same.
    #[must_use]
    pub const fn progress(&self) -> u64 {
        self.progress
    }

    /// Whether application data was opened.
    #[must_use]
    pub const fn has_delivered(&self) -> bool {
        self.delivered
    }

    /// What a direction waits for: its input can be taken when the key log has more, or the other direction went on.
    #[must_use]
    pub const fn waits_for(&self, direction: Direction) -> Option<WaitsFor> {
        self.streams.get(direction).waits_for
    }

    /// Whether the lengths of the records look like frames of a WebSocket.
    #[must_use]
    pub fn looks_like_websocket(&self) -> bool {
        self.shape.looks_like_websocket(&self.negotiation.info)
    }

    /// Whether enough records were seen to judge that.
    #[must_use]
    pub const fn is_judged(&self) -> bool {
        let over = self.streams.to_server.ended || matches!(self.undecryptable, Some(Undecryptable::WaitedTooLong));
        over || self.shape.is_judged()
    }

    /// Bytes that are kept.
    #[must_use]
    pub fn held(&self) -> usize {
        self.negotiation
            .held()
            .saturating_add(self.streams.to_server.held())
            .saturating_add(self.streams.to_client.held())
    }

    /// A session that was opened and can be resumed, for [`KeyLog::remember`]. Each is given once.
    pub const fn take_session(&mut self) -> Option<Box<Resumable>> {
        self.session.take()
    }

    /// Takes bytes of one direction, a chunk or the rest of one, up to the next event. `None` when the chunk is used up, or
    /// the direction [waits](Self::waits_for).
    pub fn next<'s>(
        &mut self,
        direction: Direction,
        input: &mut &[u8],
        mut context: DecryptContext<'_, 's>,
    ) -> Option<RecordEvent<'s>> {
        context.scratch.prepare(MAX_FRAGMENT);
        let stream = self.streams.get_mut(direction);
        let blocked = stream.blocked.take();
        stream.waits_for = None;
        loop {
            if !self.is_ready(direction, input) {
                return None;
            }
            if self.streams.get(direction).resync.is_some() && !self.resync(direction, input, &mut context) {
                return None;
            }
            match self.next_record(direction, input, &mut context)? {
                RecordOutcome::Done => {}
                RecordOutcome::Waits(waits_for) => {
                    self.wait(direction, waits_for, blocked);
                    return None;
                }
                RecordOutcome::Data(len) => return Some(RecordEvent::Data(context.scratch.plaintext(len))),
                RecordOutcome::Rejected => return Some(RecordEvent::Rejected),
                RecordOutcome::CloseNotify => return Some(RecordEvent::CloseNotify),
            }
        }
    }

    /// Bytes of one direction are missing: so many, or an unknown number. Not to be called while the direction waits.
    pub fn gap(&mut self, direction: Direction, len: Option<u64>, scratch: &mut Scratch) {
        self.streams.get_mut(direction).gap(len, scratch);
    }

    /// Whether a record of that direction may be opened now. Otherwise its input is skipped, or the direction waits.
    fn is_ready(&mut self, direction: Direction, input: &mut &[u8]) -> bool {
        let stream = self.streams.get(direction);
        if self.undecryptable.is_some() || stream.keys_rejected {
            self.skim(direction, input);
            return false;
        }
        if stream.ended {
            *input = &[];
            return false;
        }
        // The last record of this direction may be the one that the other direction waits for. Then that continues first, so
        // that the order of events does not depend on how TCP cut the bytes.
        if self.streams.get(direction.reverse()).blocked.is_some_and(|before| before != self.progress) {
            self.streams.get_mut(direction).waits_for = Some(WaitsFor::OtherDirection);
            return false;
        }
        true
    }

    /// Reads the next record, and takes it from the input unless it waits. `None` if it is incomplete.
    fn next_record(
        &mut self,
        direction: Direction,
        input: &mut &[u8],
        context: &mut DecryptContext<'_, '_>,
    ) -> Option<RecordOutcome> {
        let stream = self.streams.get_mut(direction);
        let outcome = match stream.framer.next(input, &mut context.scratch.buffers) {
            NextRecord::Incomplete => return None,
            NextRecord::Invalid => {
                stream.lose_boundary();
                return Some(RecordOutcome::Done);
            }
            NextRecord::InInput(record) => {
                let outcome = self.record(direction, record, context);
                if !matches!(outcome, RecordOutcome::Waits(_)) {
                    *input = input.get(record.header.total()..).unwrap_or_default();
                }
                outcome
            }
            NextRecord::InBuffer(header) => {
                let framer = core::mem::take(&mut stream.framer);
                let outcome = self.record(direction, framer.buffered(header), context);
                let stream = self.streams.get_mut(direction);
                stream.framer = framer;
                if !matches!(outcome, RecordOutcome::Waits(_)) {
                    stream.framer.consume(header, &mut context.scratch.buffers);
                }
                outcome
            }
        };
        if !matches!(outcome, RecordOutcome::Waits(_)) {
            self.progress = self.progress.wrapping_add(1);
        }
        Some(outcome)
    }

    /// The next record of a direction waits. `blocked` is the progress at which it waited before, if it did.
    fn wait(&mut self, direction: Direction, waits_for: WaitsFor, blocked: Option<u64>) {
        let stream = self.streams.get_mut(direction);
        stream.waits_for = Some(waits_for);
        if waits_for == WaitsFor::OtherDirection {
            // A failed attempt is progress, too: the other direction continues, if it gave way to this one.
            if blocked.is_some_and(|before| before != self.progress) {
                self.progress = self.progress.wrapping_add(1);
            }
            stream.blocked = Some(self.progress);
        }
    }

    /// Reads record headers alone: nothing of this direction will be opened.
    fn skim(&mut self, direction: Direction, input: &mut &[u8]) {
        let stream = self.streams.get_mut(direction);
        while !input.is_empty() && !stream.ended {
            let Some(header) = stream.framer.skim(input) else { return };
            stream.ended |= !header.is_plausible();
            self.shape.record(direction, header, &self.negotiation.info);
        }
        *input = &[];
    }

    /// Looks for the boundary of a record. True if one was found.
    fn resync(&mut self, direction: Direction, input: &mut &[u8], context: &mut DecryptContext<'_, '_>) -> bool {
        let tls13 = self.negotiation.is_tls13() == Some(true);
        let stream = self.streams.get_mut(direction);
        install_for_resync(stream, direction, &self.negotiation, context.keys);
        match stream.resync(input, tls13, context.scratch) {
            Resynced::Found => true,
            Resynced::NeedMore => false,
            Resynced::GaveUp => {
                self.conclude_if_over();
                false
            }
        }
    }
}

#[cfg(feature = "tls")]
#[cfg(test)]
mod tests;

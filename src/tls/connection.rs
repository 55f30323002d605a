//! One TLS connection: records of both directions → what is inside (machine).
//!
//! In: bytes and holes of each direction, and key logs, which may get their secrets later. Out: plaintext, losses, the end
//! that TLS tells. A record that is not authentic never becomes plaintext. What waits for a secret, or for the other
//! direction, is left in the input.

use super::framer::{Buffers, NextRecord};
use super::handshake::MessageType;
use super::info::{TlsInfo, Undecryptable};
use super::keylog::{KeyLog, Resumable};
use super::negotiation::Negotiation;
use super::record::{Alert, ContentType, HEADER_LEN, MAX_FRAGMENT, RecordHeader};
use super::record_decrypter::Opened;
use super::record_stream::{RecordStream, Stage, WaitsFor};
use super::shape::Shape;
use crate::types::{Direction, PacketRef, PerDirection};

mod protected;

/// Records that may be lost together with a ChangeCipherSpec: the Finished, and some.
const MISSED_AT_CHANGE: u64 = 8;

/// MemoryQuota that connections share: plaintext of the record at hand, and records that are put together.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) plain: Vec<u8>,
    pub(super) buffers: Buffers,
}

/// What comes out of a direction.
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
    pub(super) negotiation: Negotiation,
    pub(super) streams: PerDirection<RecordStream>,
    shape: Shape,
    pub(super) undecryptable: Option<Undecryptable>,
    /// A session that can be resumed, until it is asked for.
    session: Option<Box<Resumable>>,
    /// The first fatal alert in the clear.
    pub(super) alert: Option<(Alert, Direction)>,
    /// Application data was opened.
    pub(super) delivered: bool,
    /// Records that are done with, and attempts to go on behind them.
    progress: u64,
}

/// A whole record, of which nothing was opened yet.
#[derive(Clone, Copy)]
struct ProtectedRecord<'r> {
    header: RecordHeader,
    fragment: &'r [u8],
    seen: PacketRef,
}

/// What became of a record.
enum RecordOutcome {
    /// It is done with.
    Done,
    /// It waits.
    Waits(WaitsFor),
    /// It has so much application data, which lies in the scratch.
    Data(usize),
    Rejected,
    CloseNotify,
}

impl TlsConnection {
    /// A connection of which nothing came yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What was negotiated so far.
    #[must_use]
    pub const fn info(&self) -> &TlsInfo {
        &self.negotiation.info
    }

    /// Why nothing can be opened, if that is certain.
    #[must_use]
    pub const fn undecryptable(&self) -> Option<Undecryptable> {
        self.undecryptable
    }

    /// Changes whenever either direction may go on that [waited](Self::waits_for) for the other: offer what waits until it does not.
    #[must_use]
    pub const fn progress(&self) -> u64 {
        self.progress
    }

    /// Whether application data was opened.
    #[must_use]
    pub const fn has_delivered(&self) -> bool {
        self.delivered
    }

    /// What a direction waits for: its input goes on when the key log has more, or the other direction went on.
    #[must_use]
    pub const fn waits_for(&self, direction: Direction) -> Option<WaitsFor> {
        self.streams.get(direction).waits
    }

    /// Whether what can be seen from outside looks like frames of a WebSocket.
    #[must_use]
    pub fn looks_like_websocket(&self) -> bool {
        self.shape.looks_like_websocket(&self.negotiation.info)
    }

    /// Whether enough was seen to judge that.
    #[must_use]
    pub const fn is_judged(&self) -> bool {
        let over = self.streams.to_server.dead || matches!(self.undecryptable, Some(Undecryptable::WaitedTooLong));
        over || self.shape.is_judged()
    }

    /// Bytes that it keeps.
    #[must_use]
    pub fn held(&self) -> usize {
        self.negotiation
            .held()
            .saturating_add(self.streams.to_server.held())
            .saturating_add(self.streams.to_client.held())
    }

    /// A session that was opened and can be resumed, for [`KeyLog::remember`]; each once.
    pub const fn take_session(&mut self) -> Option<Box<Resumable>> {
        self.session.take()
    }

    /// Takes some of the bytes and says one thing; `None` when it wants more, or [waits](Self::waits_for).
    pub fn next<'s>(
        &mut self,
        direction: Direction,
        input: &mut &[u8],
        seen: PacketRef,
        keys: &KeyLog,
        scratch: &'s mut Scratch,
    ) -> Option<RecordEvent<'s>> {
        if scratch.plain.len() < MAX_FRAGMENT {
            scratch.plain.resize(MAX_FRAGMENT, 0);
        }
        let blocked = self.streams.get_mut(direction).blocked.take();
        self.streams.get_mut(direction).waits = None;
        loop {
            if self.undecryptable.is_some() || self.streams.get(direction).misfit {
                self.skim(direction, input);
                return None;
            }
            if self.streams.get(direction).dead {
                *input = &[];
                return None;
            }
            // The other direction may go on behind the last record of this one, and does so first, however that was cut.
            if self.streams.get(direction.reverse()).blocked.is_some_and(|turn| turn != self.progress) {
                self.streams.get_mut(direction).waits = Some(WaitsFor::OtherDirection);
                return None;
            }
            let stream = self.streams.get_mut(direction);
            if stream.resync.is_some() && !self.resync(direction, input, keys, scratch) {
                return None;
            }
            let framer = &mut self.streams.get_mut(direction).framer;
            let outcome = match framer.front(input, &mut scratch.buffers) {
                NextRecord::Incomplete => return None,
                NextRecord::Invalid => {
                    self.stray(direction);
                    continue;
                }
                NextRecord::InInput(header) => {
                    let fragment = input.get(HEADER_LEN..header.total()).unwrap_or_default();
                    let record = ProtectedRecord { header, fragment, seen };
                    let outcome = self.record(direction, record, keys, &mut scratch.plain);
                    if !matches!(outcome, RecordOutcome::Waits(_)) {
                        *input = input.get(header.total()..).unwrap_or_default();
                    }
                    outcome
                }
                NextRecord::InBuffer(header) => {
                    let framer = core::mem::take(framer);
                    let record = ProtectedRecord { header, fragment: framer.fragment(header), seen };
                    let outcome = self.record(direction, record, keys, &mut scratch.plain);
                    let stream = self.streams.get_mut(direction);
                    stream.framer = framer;
                    if !matches!(outcome, RecordOutcome::Waits(_)) {
                        stream.framer.consume(header, &mut scratch.buffers);
                    }
                    outcome
                }
            };
            if !matches!(outcome, RecordOutcome::Waits(_)) {
                self.progress = self.progress.wrapping_add(1);
            }
            match outcome {
                RecordOutcome::Done => {}
                RecordOutcome::Waits(waits) => {
                    self.wait(direction, waits, blocked);
                    return None;
                }
                RecordOutcome::Data(len) => {
                    return Some(RecordEvent::Data(scratch.plain.get(..len).unwrap_or_default()));
                }
                RecordOutcome::Rejected => return Some(RecordEvent::Rejected),
                RecordOutcome::CloseNotify => return Some(RecordEvent::CloseNotify),
            }
        }
    }

    /// The record at the front of a direction waits; `blocked` is the turn at which it did before, if it did.
    fn wait(&mut self, direction: Direction, waits: WaitsFor, blocked: Option<u64>) {
        let stream = self.streams.get_mut(direction);
        stream.waits = Some(waits);
        if waits == WaitsFor::OtherDirection {
            // That it tried again in vain is a turn of its own: the other direction goes on, if it stepped back.
            if blocked.is_some_and(|turn| turn != self.progress) {
                self.progress = self.progress.wrapping_add(1);
            }
            stream.blocked = Some(self.progress);
        }
    }

    /// Looks at headers alone: the connection stays closed.
    fn skim(&mut self, direction: Direction, input: &mut &[u8]) {
        let stream = self.streams.get_mut(direction);
        while !input.is_empty() && !stream.dead {
            let Some(header) = stream.framer.skim(input) else { return };
            stream.dead |= !header.is_plausible();
            self.shape.record(direction, header, &self.negotiation.info);
        }
        *input = &[];
    }

    /// Deals with a whole record.
    fn record(
        &mut self,
        direction: Direction,
        record: ProtectedRecord<'_>,
        keys: &KeyLog,
        plain: &mut [u8],
    ) -> RecordOutcome {
        let ProtectedRecord { header, fragment, seen } = record;
        let tls13 = self.negotiation.is_tls13();
        let stream = self.streams.get_mut(direction);
        if stream.changing || stream.protected {
            match tls13 {
                None if !stream.protected && !self.negotiation.retried => {
                    return RecordOutcome::Waits(WaitsFor::OtherDirection);
                }
                // Behind a HelloRetryRequest it means nothing (RFC 8446 §D.4).
                None if !stream.protected => stream.changing = false,
                Some(true) if !stream.protected => stream.changing = false,
                _ => return self.protected12(direction, record, keys, plain),
            }
        }
        let outcome = match (header.content, tls13) {
            (ContentType::APPLICATION_DATA, Some(true)) => {
                return self.protected13(direction, record, keys, plain);
            }
            (ContentType::APPLICATION_DATA, Some(false)) => {
                // The ChangeCipherSpec was lost, and a few records with it.
                stream.changing = true;
                stream.slack = MISSED_AT_CHANGE;
                return self.protected12(direction, record, keys, plain);
            }
            (ContentType::APPLICATION_DATA, None) => return RecordOutcome::Waits(WaitsFor::OtherDirection),
            (ContentType::CHANGE_CIPHER_SPEC, Some(true)) => RecordOutcome::Done,
            (ContentType::CHANGE_CIPHER_SPEC, _) => {
                stream.changing = fragment == [1];
                stream.slack = 0;
                RecordOutcome::Done
            }
            (ContentType::HANDSHAKE, _) => self.handshake(direction, fragment, seen),
            (ContentType::ALERT, _) => {
                if let Some(alert) = Alert::parse(fragment).filter(|alert| alert.level == 2) {
                    self.alert.get_or_insert((alert, direction));
                }
                RecordOutcome::Done
            }
            _ => RecordOutcome::Done,
        };
        self.shape.record(direction, header, &self.negotiation.info);
        outcome
    }

    /// What was in a record.
    fn content(&mut self, direction: Direction, opened: Opened, plain: &[u8], seen: PacketRef) -> RecordOutcome {
        let bytes = plain.get(..opened.len).unwrap_or_default();
        let stream = self.streams.get_mut(direction);
        match opened.content {
            ContentType::APPLICATION_DATA => {
                // Early data that the server did not take comes again (RFC 8446 §4.2.10).
                if stream.stage == Some(Stage::Early) && self.negotiation.early == Some(false) {
                    return RecordOutcome::Done;
                }
                self.delivered |= opened.len > 0;
                RecordOutcome::Data(opened.len)
            }
            ContentType::HANDSHAKE => self.handshake(direction, bytes, seen),
            ContentType::CHANGE_CIPHER_SPEC => {
                stream.changing = bytes == [1];
                stream.slack = 0;
                RecordOutcome::Done
            }
            ContentType::ALERT => match Alert::parse(bytes) {
                Some(alert) if alert.is_close_notify() => {
                    self.negotiation.info.close_notify.get_mut(direction).get_or_insert(seen);
                    RecordOutcome::CloseNotify
                }
                Some(alert) if alert.level == 2 => {
                    self.alert.get_or_insert((alert, direction));
                    RecordOutcome::Done
                }
                _ => RecordOutcome::Done,
            },
            _ => RecordOutcome::Done,
        }
    }

    /// Handshake messages, in the clear or not.
    fn handshake(&mut self, direction: Direction, mut bytes: &[u8], seen: PacketRef) -> RecordOutcome {
        let Self { negotiation, streams, undecryptable, .. } = self;
        let stream = streams.get_mut(direction);
        let mut messages = core::mem::take(&mut stream.messages);
        while let Some(message) = messages.next(&mut bytes, negotiation.wants_all()) {
            if let Err(why) = negotiation.message(&message, seen) {
                *undecryptable = Some(why);
            }
            match (message.kind, stream.stage) {
                (MessageType::FINISHED, Some(Stage::Handshake)) => {
                    negotiation.finished(direction, seen);
                    stream.leave(Stage::Handshake);
                }
                (MessageType::FINISHED, _) if stream.protected => negotiation.finished(direction, seen),
                (MessageType::END_OF_EARLY_DATA, Some(Stage::Early)) => stream.leave(Stage::Early),
                (MessageType::KEY_UPDATE, Some(Stage::Application)) => {
                    if let Some(decrypter) = stream.current()
                        && let Some(next) = decrypter.updated()
                    {
                        *decrypter = next;
                    }
                }
                _ => {}
            }
        }
        stream.messages = messages;
        RecordOutcome::Done
    }
}

#[cfg(feature = "tls")]
#[cfg(test)]
mod tests;

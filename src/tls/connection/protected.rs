//! Records under keys: what is needed to open the next one, and what follows if it does not open.

use super::super::info::Undecryptable;
use super::super::install_keys::{self, Installed};
use super::super::keylog::{KeyLog, Resumable};
use super::super::record_stream::{Stage, WaitsFor};
use super::{ProtectedRecord, RecordOutcome, TlsConnection};
use crate::types::Direction;

/// Records of a direction that do not open before any of it did, until keys are said not to fit.
const MAX_REJECTED: u32 = 8;
/// Records that are passed over since the log has no secrets of the handshake, or since they are early data that the
/// server did not take.
const MAX_PASSED_OVER: u32 = 4096;

impl TlsConnection {
    /// A record under the keys of TLS 1.3.
    pub(super) fn protected13(
        &mut self,
        direction: Direction,
        record: ProtectedRecord<'_>,
        keys: &KeyLog,
        plain: &mut [u8],
    ) -> RecordOutcome {
        let stream = self.streams.get_mut(direction);
        if let Some(outcome) =
            outcome_of(install_keys::tls13(stream, direction, &self.negotiation, keys), &mut self.undecryptable)
        {
            return outcome;
        }
        if direction == Direction::ToServer && stream.stage.is_none() && self.negotiation.early.is_none() {
            return RecordOutcome::Waits(WaitsFor::OtherDirection);
        }
        if stream.epochs.is_empty() {
            return RecordOutcome::Waits(WaitsFor::Secret);
        }
        let Some(opened) = stream.open(record.header, record.fragment, plain) else {
            // Without the secrets of the handshake, its records are passed over; and so is early data without its own.
            let offered = self.negotiation.client.as_ref().is_some_and(|client| client.extensions.early_data);
            let first = if direction == Direction::ToServer && offered { Stage::Early } else { Stage::Handshake };
            let missing = stream.epochs.first().is_some_and(|epoch| stream.stage.unwrap_or(first) < epoch.stage);
            if !stream.has(Stage::Application) {
                return RecordOutcome::Waits(WaitsFor::Secret);
            }
            if missing && stream.passed_over < MAX_PASSED_OVER {
                stream.passed_over += 1;
                return RecordOutcome::Done;
            }
            return self.rejected(direction, record);
        };
        self.shape.record(direction, record.header, &self.negotiation.info);
        self.content(direction, opened, plain, record.seen)
    }

    /// A record under the keys of TLS 1.2 or before.
    pub(super) fn protected12(
        &mut self,
        direction: Direction,
        record: ProtectedRecord<'_>,
        keys: &KeyLog,
        plain: &mut [u8],
    ) -> RecordOutcome {
        let stream = self.streams.get_mut(direction);
        if stream.changing {
            if let Some(outcome) =
                outcome_of(install_keys::tls12(stream, direction, &self.negotiation, keys), &mut self.undecryptable)
            {
                return outcome;
            }
            stream.protected = true;
            stream.messages.begin();
        }
        let Some(opened) = stream.open(record.header, record.fragment, plain) else {
            return self.rejected(direction, record);
        };
        // The server's Finished: all names of the session are known, and its secret is right.
        if direction == Direction::ToClient && stream.current().is_some_and(|decrypter| decrypter.next == 1) {
            let master = install_keys::master(&self.negotiation, keys);
            self.session = master.map(|master| Box::new(Resumable { names: self.negotiation.names(), master }));
        }
        self.shape.record(direction, record.header, &self.negotiation.info);
        self.content(direction, opened, plain, record.seen)
    }

    /// A record did not open.
    fn rejected(&mut self, direction: Direction, record: ProtectedRecord<'_>) -> RecordOutcome {
        self.shape.record(direction, record.header, &self.negotiation.info);
        let stream = self.streams.get_mut(direction);
        stream.doubt();
        if let Some(decrypter) = stream.current() {
            decrypter.chain(record.fragment);
        }
        if !stream.opened {
            stream.rejected += 1;
            stream.misfit = stream.rejected > MAX_REJECTED;
            self.close_if_over();
        }
        RecordOutcome::Rejected
    }
}

/// Asking for keys may have ended it, or have to wait.
fn outcome_of(equipped: Installed, undecryptable: &mut Option<Undecryptable>) -> Option<RecordOutcome> {
    match equipped {
        Ok(Ok(())) => None,
        Ok(Err(waits)) => Some(RecordOutcome::Waits(waits)),
        Err(why) => {
            *undecryptable = Some(why);
            Some(RecordOutcome::Done)
        }
    }
}

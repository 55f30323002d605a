//! What one record means for its connection: handshake messages, keys, application data, alerts.

use super::{DecryptContext, RecordOutcome, TlsConnection};
use crate::tls::handshake::MessageType;
use crate::tls::install_keys::{self, KeyStatus};
use crate::tls::record::{Alert, ContentType, Record};
use crate::tls::record_decrypter::Opened;
use crate::tls::record_stream::{Stage, WaitsFor};
use crate::tls::resumption::Resumable;
use crate::types::{Direction, PacketRef};

/// Records that may be lost together with a ChangeCipherSpec: the Finished, and some.
const MISSED_AT_CHANGE: u64 = 8;
/// Records of a direction that do not open before any of it did, until the keys are taken to be wrong.
const MAX_REJECTED: u32 = 8;
/// Records that are skipped since the log lacks the secrets of the handshake, or since they are early data that the server
/// rejected.
const MAX_SKIPPED: u32 = 4096;

impl TlsConnection {
    /// Takes a complete record.
    pub(super) fn record(
        &mut self,
        direction: Direction,
        record: Record<'_>,
        context: &mut DecryptContext<'_, '_>,
    ) -> RecordOutcome {
        let tls13 = self.negotiation.is_tls13();
        let stream = self.streams.get_mut(direction);
        if stream.changing || stream.protected {
            match tls13 {
                None if !stream.protected && !self.negotiation.retried => {
                    return RecordOutcome::Waits(WaitsFor::OtherDirection);
                }
                // In TLS 1.3, and so after a HelloRetryRequest, a ChangeCipherSpec means nothing (RFC 8446 §D.4).
                None | Some(true) if !stream.protected => stream.changing = false,
                _ => return self.protected12(direction, record, context),
            }
        }
        match (record.header.content, tls13) {
            (ContentType::APPLICATION_DATA, Some(true)) => return self.protected13(direction, record, context),
            (ContentType::APPLICATION_DATA, Some(false)) => {
                // The ChangeCipherSpec was lost, and a few records with it.
                stream.changing = true;
                stream.slack = MISSED_AT_CHANGE;
                return self.protected12(direction, record, context);
            }
            (ContentType::APPLICATION_DATA, None) => return RecordOutcome::Waits(WaitsFor::OtherDirection),
            (ContentType::CHANGE_CIPHER_SPEC, Some(true)) => {}
            (ContentType::CHANGE_CIPHER_SPEC, _) => stream.change_cipher_spec(record.fragment),
            (ContentType::HANDSHAKE, _) => self.handshake(direction, record.fragment, context.seen),
            (ContentType::ALERT, _) => self.fatal_alert(direction, Alert::parse(record.fragment)),
            _ => {}
        }
        self.shape.record(direction, record.header, &self.negotiation.info);
        RecordOutcome::Done
    }

    /// A record under the keys of TLS 1.3.
    fn protected13(
        &mut self,
        direction: Direction,
        record: Record<'_>,
        context: &mut DecryptContext<'_, '_>,
    ) -> RecordOutcome {
        let stream = self.streams.get_mut(direction);
        let status = install_keys::tls13(stream, direction, &self.negotiation, context.keys);
        if let Some(outcome) = self.not_installed(status) {
            return outcome;
        }
        let stream = self.streams.get_mut(direction);
        if direction == Direction::ToServer && stream.stage.is_none() && self.negotiation.early_data_accepted.is_none()
        {
            return RecordOutcome::Waits(WaitsFor::OtherDirection);
        }
        if stream.epochs.is_empty() {
            return RecordOutcome::Waits(WaitsFor::Secret);
        }
        let Some(opened) = stream.open(record, &mut context.scratch.plain) else {
            // Without the secrets of the handshake, its records are skipped; and so is early data without its secret.
            let offered = self.negotiation.client.as_ref().is_some_and(|client| client.extensions.early_data);
            let first = if direction == Direction::ToServer && offered { Stage::EarlyData } else { Stage::Handshake };
            let missing = stream.epochs.first().is_some_and(|epoch| stream.stage.unwrap_or(first) < epoch.stage);
            if !stream.has(Stage::Application) {
                return RecordOutcome::Waits(WaitsFor::Secret);
            }
            if missing && stream.skipped < MAX_SKIPPED {
                stream.skipped += 1;
                return RecordOutcome::Done;
            }
            return self.rejected(direction, record);
        };
        self.shape.record(direction, record.header, &self.negotiation.info);
        self.content(direction, opened, context)
    }

    /// A record under the keys of TLS 1.2 or before.
    fn protected12(
        &mut self,
        direction: Direction,
        record: Record<'_>,
        context: &mut DecryptContext<'_, '_>,
    ) -> RecordOutcome {
        let stream = self.streams.get_mut(direction);
        if stream.changing {
            let status = install_keys::tls12(stream, direction, &self.negotiation, context.keys);
            if let Some(outcome) = self.not_installed(status) {
                return outcome;
            }
            let stream = self.streams.get_mut(direction);
            stream.protected = true;
            stream.messages.begin();
        }
        let stream = self.streams.get_mut(direction);
        let Some(opened) = stream.open(record, &mut context.scratch.plain) else {
            return self.rejected(direction, record);
        };
        // The server's Finished opened: all names of the session are known, and its secret is right.
        if direction == Direction::ToClient && stream.current().is_some_and(|decrypter| decrypter.next == 1) {
            let master = install_keys::master(&self.negotiation, context.keys);
            self.session = master.map(|master| Box::new(Resumable { names: self.negotiation.session_names(), master }));
        }
        self.shape.record(direction, record.header, &self.negotiation.info);
        self.content(direction, opened, context)
    }

    /// The outcome of a record whose keys could not be installed.
    fn not_installed(&mut self, status: KeyStatus) -> Option<RecordOutcome> {
        match status {
            KeyStatus::Installed => None,
            KeyStatus::Waits(waits_for) => Some(RecordOutcome::Waits(waits_for)),
            KeyStatus::Undecryptable(why) => {
                self.undecryptable = Some(why);
                Some(RecordOutcome::Done)
            }
        }
    }

    /// A record did not open.
    fn rejected(&mut self, direction: Direction, record: Record<'_>) -> RecordOutcome {
        self.shape.record(direction, record.header, &self.negotiation.info);
        let stream = self.streams.get_mut(direction);
        stream.miss_record();
        if let Some(decrypter) = stream.current() {
            decrypter.chain(record.fragment);
        }
        if !stream.opened {
            stream.rejected += 1;
            stream.keys_rejected = stream.rejected > MAX_REJECTED;
            self.conclude_if_over();
        }
        RecordOutcome::Rejected
    }

    /// The plaintext of a record, which is in the scratch memory.
    fn content(&mut self, direction: Direction, opened: Opened, context: &mut DecryptContext<'_, '_>) -> RecordOutcome {
        let bytes = context.scratch.plaintext(opened.len);
        let stream = self.streams.get_mut(direction);
        match opened.content {
            ContentType::APPLICATION_DATA => {
                // Early data that the server rejected is sent again (RFC 8446 §4.2.10).
                if stream.stage == Some(Stage::EarlyData) && self.negotiation.early_data_accepted == Some(false) {
                    return RecordOutcome::Done;
                }
                self.delivered |= opened.len > 0;
                return RecordOutcome::Data(opened.len);
            }
            ContentType::HANDSHAKE => self.handshake(direction, bytes, context.seen),
            ContentType::CHANGE_CIPHER_SPEC => stream.change_cipher_spec(bytes),
            ContentType::ALERT => match Alert::parse(bytes) {
                Some(alert) if alert.is_close_notify() => {
                    self.negotiation.info.close_notify.get_mut(direction).get_or_insert(context.seen);
                    return RecordOutcome::CloseNotify;
                }
                alert => self.fatal_alert(direction, alert),
            },
            _ => {}
        }
        RecordOutcome::Done
    }

    /// Keeps the first fatal alert.
    fn fatal_alert(&mut self, direction: Direction, alert: Option<Alert>) {
        if let Some(alert) = alert.filter(|alert| alert.is_fatal()) {
            self.alert.get_or_insert((alert, direction));
        }
    }

    /// Bytes of handshake messages, in the clear or decrypted.
    fn handshake(&mut self, direction: Direction, mut bytes: &[u8], seen: PacketRef) {
        let Self { negotiation, streams, undecryptable, .. } = self;
        let stream = streams.get_mut(direction);
        let mut messages = core::mem::take(&mut stream.messages);
        while let Some(message) = messages.next(&mut bytes, negotiation.needs_all_messages()) {
            if let Err(why) = negotiation.message(&message, seen) {
                *undecryptable = Some(why);
            }
            match (message.kind, stream.stage) {
                (MessageType::FINISHED, Some(Stage::Handshake)) => {
                    negotiation.finished(direction, seen);
                    stream.leave(Stage::Handshake);
                }
                (MessageType::FINISHED, _) if stream.protected => negotiation.finished(direction, seen),
                (MessageType::END_OF_EARLY_DATA, Some(Stage::EarlyData)) => stream.leave(Stage::EarlyData),
                (MessageType::KEY_UPDATE, Some(Stage::Application)) => stream.update_key(),
                _ => {}
            }
        }
        stream.messages = messages;
    }
}

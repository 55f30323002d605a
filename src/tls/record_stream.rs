//! One direction of a connection (machine): its records, and the keys that it uses one after another.

use super::framer::{Buffers, Framer};
use super::handshake::MessageAssembler;
use super::record::Record;
use super::record_decrypter::{Opened, RecordDecrypter};

/// Records in a row that may have been lost, or had no sequence number, without a search for the number.
const MAX_SLACK: u64 = 16;

/// Memory that all connections share: plaintext of the record at hand, and buffers for incomplete records.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) plain: Vec<u8>,
    pub(super) buffers: Buffers,
}

/// What a key is for. Keys come into use in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// 0-RTT data (RFC 8446 §2.3).
    EarlyData,
    /// The rest of the handshake of TLS 1.3.
    Handshake,
    /// Application data; up to TLS 1.2, all protected records.
    Application,
}

/// A key that is in use, or will be, and what it is for.
pub(super) struct Epoch {
    pub(super) stage: Stage,
    pub(super) decrypter: RecordDecrypter,
}

/// A search for the boundary of a record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resync {
    /// Records that may have been lost, at most.
    pub(super) window: u64,
    /// Attempts to open a record that are left.
    pub(super) attempts: u32,
    /// Where to continue, in the gathered bytes.
    pub(super) from: usize,
    /// Bytes that were searched and discarded.
    pub(super) discarded: usize,
}

/// What a direction waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitsFor {
    /// A secret that no key log has yet.
    Secret,
    /// A record of the other direction.
    OtherDirection,
}

/// One direction.
#[derive(Default)]
pub(super) struct RecordStream {
    pub(super) framer: Framer,
    pub(super) messages: MessageAssembler,
    /// The key in use, then those to come, in order.
    pub(super) epochs: Vec<Epoch>,
    /// The first stage that is not over.
    pub(super) stage: Option<Stage>,
    pub(super) waits_for: Option<WaitsFor>,
    /// It waited for the other direction when the connection's progress was this.
    pub(super) blocked: Option<u64>,
    /// A ChangeCipherSpec came whose keys are not installed yet (up to TLS 1.2).
    pub(super) changing: bool,
    /// Records are protected (up to TLS 1.2).
    pub(super) protected: bool,
    /// The generation of the key log that was last searched for secrets.
    pub(super) searched_generation: Option<u64>,
    /// The search for a boundary, while it is not found.
    pub(super) resync: Option<Resync>,
    /// Records of which it is not known whether they had a sequence number.
    pub(super) slack: u64,
    /// Records that were skipped, since the log lacks the secrets of the handshake.
    pub(super) skipped: u32,
    /// A record was opened.
    pub(super) opened: bool,
    /// Records that did not open before any did.
    pub(super) rejected: u32,
    /// So many that the keys are wrong.
    pub(super) keys_rejected: bool,
    /// Nothing more can be opened.
    pub(super) ended: bool,
}

impl Scratch {
    /// Makes room for `len` bytes of plaintext.
    pub(super) fn prepare(&mut self, len: usize) {
        if self.plain.len() < len {
            self.plain.resize(len, 0);
        }
    }

    /// The first `len` bytes of the plaintext.
    pub(super) fn plaintext(&self, len: usize) -> &[u8] {
        self.plain.get(..len).unwrap_or_default()
    }
}

impl RecordStream {
    /// The key in use.
    pub(super) fn current(&mut self) -> Option<&mut RecordDecrypter> {
        self.epochs.first_mut().map(|epoch| &mut epoch.decrypter)
    }

    /// Nothing more can be opened.
    pub(super) fn end(&mut self) {
        (self.ended, self.waits_for, self.blocked) = (true, None, None);
    }

    /// Whether nothing more will be opened.
    pub(super) const fn is_over(&self) -> bool {
        self.ended || self.keys_rejected
    }

    /// A ChangeCipherSpec: the next record is protected by new keys (up to TLS 1.2, RFC 5246 §7.1).
    pub(super) fn change_cipher_spec(&mut self, fragment: &[u8]) {
        self.changing = fragment == [1];
        self.slack = 0;
    }

    /// Adds a key for a stage, in the order of stages.
    pub(super) fn install_key(&mut self, stage: Stage, decrypter: RecordDecrypter) {
        let at = self.epochs.iter().take_while(|epoch| epoch.stage < stage).count();
        self.epochs.insert(at, Epoch { stage, decrypter });
    }

    /// Whether there is a key for that stage.
    pub(super) fn has(&self, stage: Stage) -> bool {
        self.epochs.iter().any(|epoch| epoch.stage == stage)
    }

    /// A stage is over: drops its keys, and those of the stages before it.
    pub(super) fn leave(&mut self, stage: Stage) {
        self.epochs.retain(|epoch| epoch.stage > stage);
        self.stage = Some(if stage == Stage::EarlyData { Stage::Handshake } else { Stage::Application });
        self.slack = 0;
    }

    /// A KeyUpdate: the key in use is replaced by the next (RFC 8446 §4.6.3).
    pub(super) fn update_key(&mut self) {
        if let Some(decrypter) = self.current()
            && let Some(next) = decrypter.updated()
        {
            *decrypter = next;
        }
    }

    /// Opens a record with the key in use, or with the first later key that fits, which is then in use.
    pub(super) fn open(&mut self, record: Record<'_>, out: &mut [u8]) -> Option<Opened> {
        let slack = self.slack;
        let found = self.epochs.iter().enumerate().find_map(|(at, epoch)| {
            let first = epoch.decrypter.next;
            let mut numbers = first..=first.saturating_add(slack);
            numbers.find_map(|number| Some((at, number, epoch.decrypter.open(number, record, out)?)))
        });
        let (at, number, opened) = found?;
        self.epochs.drain(..at);
        let epoch = self.epochs.first_mut()?;
        epoch.decrypter.advance(number, record.fragment);
        self.stage = Some(epoch.stage);
        self.slack = 0;
        self.opened = true;
        Some(opened)
    }

    /// A record did not open, or was lost. It may have had a sequence number, or not.
    pub(super) fn miss_record(&mut self) {
        if self.slack < MAX_SLACK {
            self.slack += 1;
        } else if let Some(decrypter) = self.current() {
            decrypter.next = decrypter.next.saturating_add(1);
        }
    }

    /// Tries to open a record with each key, and each of `window` sequence numbers more than the next.
    pub(super) fn prove(&mut self, record: Record<'_>, window: u64, out: &mut [u8]) -> Proof {
        let mut attempts = 0_u32;
        let updated = self.epochs.last().and_then(|epoch| epoch.decrypter.updated());
        let decrypters = self.epochs.iter().map(|epoch| &epoch.decrypter).chain(updated.as_ref());
        for (at, decrypter) in decrypters.enumerate() {
            let first = decrypter.next;
            for number in first..=first.saturating_add(window) {
                attempts = attempts.saturating_add(1);
                if decrypter.open(number, record, out).is_some() {
                    return Proof { found: Some((at, number)), attempts, updated };
                }
            }
        }
        Proof { found: None, attempts, updated: None }
    }

    /// Continues with the key and the sequence number that a proof found.
    pub(super) fn continue_at(&mut self, (at, number): (usize, u64), updated: Option<RecordDecrypter>) {
        if at >= self.epochs.len() {
            self.epochs.clear();
            self.epochs.extend(updated.map(|decrypter| Epoch { stage: Stage::Application, decrypter }));
        } else {
            self.epochs.drain(..at);
        }
        if let Some(decrypter) = self.current() {
            decrypter.next = number;
        }
        self.slack = 0;
    }

    /// Bytes that are kept.
    pub(super) fn held(&self) -> usize {
        self.framer.held().saturating_add(self.messages.held())
    }
}

/// The result of the attempts to open a record.
pub(super) struct Proof {
    /// The place in the epochs of the key that opens it, and the record's number. The place after the last is `updated`.
    pub(super) found: Option<(usize, u64)>,
    pub(super) attempts: u32,
    /// The key that a KeyUpdate would put after the last of the epochs.
    pub(super) updated: Option<RecordDecrypter>,
}

//! One direction of a connection: its records, and the keys that it uses one after the other.

use super::framer::Framer;
use super::handshake::MessageAssembler;
use super::record::{ContentType, RecordHeader};
use super::record_decrypter::{Opened, RecordDecrypter};

/// Records in a row that may have been lost, or not have counted, without the numbers being searched for.
const MAX_SLACK: u64 = 16;

/// What a key is for. Keys come into use in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// 0-RTT data (RFC 8446 §2.3).
    Early,
    /// The rest of the handshake of TLS 1.3.
    Handshake,
    /// What TLS is for; up to TLS 1.2, all that is protected.
    Application,
}

/// A key that is in use, or will be.
pub(super) struct Epoch {
    pub(super) stage: Stage,
    pub(super) decrypter: RecordDecrypter,
}

/// Looks for the border of a record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resync {
    /// Records that may have been lost, at most.
    pub(super) window: u64,
    /// Attempts to open something that are left.
    pub(super) tries: u32,
    /// Where to look, in what is gathered.
    pub(super) from: usize,
    /// Bytes that were looked at and let go.
    pub(super) passed: usize,
}

/// What a direction waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitsFor {
    /// A secret that no key log has yet.
    Secret,
    /// Something that the other direction says.
    OtherDirection,
}

/// One direction.
#[derive(Default)]
pub(super) struct RecordStream {
    pub(super) framer: Framer,
    pub(super) messages: MessageAssembler,
    /// The keys, that in use first.
    pub(super) epochs: Vec<Epoch>,
    /// The first stage that is not over.
    pub(super) stage: Option<Stage>,
    /// What it waits for.
    pub(super) waits: Option<WaitsFor>,
    /// It cannot go on without the other direction, and that was so at this turn.
    pub(super) blocked: Option<u64>,
    /// A ChangeCipherSpec whose keys have not been made (up to TLS 1.2).
    pub(super) changing: bool,
    /// Records are protected (up to TLS 1.2).
    pub(super) protected: bool,
    /// The key log as it was when it was last asked for secrets, and its number.
    pub(super) asked: Option<u64>,
    pub(super) resync: Option<Resync>,
    /// Records of which it is not known whether they had a number.
    pub(super) slack: u64,
    /// Records that were passed over, since the log lacks the secrets of the handshake.
    pub(super) passed_over: u32,
    /// A record was opened.
    pub(super) opened: bool,
    /// Records that did not open before any did.
    pub(super) rejected: u32,
    /// These are so many that the keys are wrong.
    pub(super) misfit: bool,
    /// Nothing more can be opened.
    pub(super) dead: bool,
}

impl RecordStream {
    /// The key in use.
    pub(super) fn current(&mut self) -> Option<&mut RecordDecrypter> {
        self.epochs.first_mut().map(|epoch| &mut epoch.decrypter)
    }

    /// Nothing more can be opened.
    pub(super) fn die(&mut self) {
        (self.dead, self.waits, self.blocked) = (true, None, None);
    }

    /// Whether nothing more will be opened.
    pub(super) const fn is_over(&self) -> bool {
        self.dead || self.misfit
    }

    /// Puts a key in its place on the epochs.
    pub(super) fn install_keys(&mut self, stage: Stage, decrypter: RecordDecrypter) {
        let at = self.epochs.iter().take_while(|epoch| epoch.stage < stage).count();
        self.epochs.insert(at, Epoch { stage, decrypter });
    }

    pub(super) fn has(&self, stage: Stage) -> bool {
        self.epochs.iter().any(|epoch| epoch.stage == stage)
    }

    /// A stage is over: so are its keys, and those of the stages before.
    pub(super) fn leave(&mut self, stage: Stage) {
        self.epochs.retain(|epoch| epoch.stage > stage);
        self.stage = Some(if stage == Stage::Early { Stage::Handshake } else { Stage::Application });
        self.slack = 0;
    }

    /// Opens a record with the key in use, or the first that fits of those to come, which is then in use.
    pub(super) fn open(&mut self, header: RecordHeader, fragment: &[u8], out: &mut [u8]) -> Option<Opened> {
        let slack = self.slack;
        let found = self.epochs.iter().enumerate().find_map(|(at, epoch)| {
            let first = epoch.decrypter.next;
            let mut numbers = first..=first.saturating_add(slack);
            numbers.find_map(|number| Some((at, number, epoch.decrypter.open(number, header, fragment, out)?)))
        });
        let (at, number, opened) = found?;
        self.epochs.drain(..at);
        let epoch = self.epochs.first_mut()?;
        epoch.decrypter.passed(number, fragment);
        self.stage = Some(epoch.stage);
        self.slack = 0;
        self.opened = true;
        Some(opened)
    }

    /// A record did not open, or was lost: it may have had a number, or not.
    pub(super) fn doubt(&mut self) {
        if self.slack < MAX_SLACK {
            self.slack += 1;
        } else if let Some(decrypter) = self.current() {
            decrypter.next = decrypter.next.saturating_add(1);
        }
    }

    /// Whether the record with this header at the front of `bytes` is one of ours: then the key that opens it is in use.
    pub(super) fn prove(&mut self, header: RecordHeader, fragment: &[u8], window: u64, out: &mut [u8]) -> Proof {
        let mut tries = 0_u32;
        let updated = self.epochs.last().and_then(|epoch| epoch.decrypter.updated());
        let epochs = self.epochs.iter().map(|epoch| &epoch.decrypter).chain(updated.as_ref());
        for (at, decrypter) in epochs.enumerate() {
            let first = decrypter.next;
            for number in first..=first.saturating_add(window) {
                tries = tries.saturating_add(1);
                if decrypter.open(number, header, fragment, out).is_some() {
                    return Proof { found: Some((at, number)), tries, updated };
                }
            }
        }
        Proof { found: None, tries, updated: None }
    }

    /// Goes on where a proof says.
    pub(super) fn go_on_at(&mut self, (at, number): (usize, u64), updated: Option<RecordDecrypter>) {
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

    /// Whether what is sent under this header may be a record of this direction.
    pub(super) fn may_be(&self, header: RecordHeader, tls13: bool) -> bool {
        header.is_plausible()
            && header.version >= 0x0301
            && header.version <= 0x0303
            && header.len > 0
            && (!tls13 || header.content == ContentType::APPLICATION_DATA)
            && (header.content != ContentType(24))
    }

    /// Bytes that it keeps.
    pub(super) fn held(&self) -> usize {
        self.framer.held().saturating_add(self.messages.held())
    }
}

/// What the attempts to open a record came to.
pub(super) struct Proof {
    /// The place on the epochs of the key that fits, and the record's number.
    pub(super) found: Option<(usize, u64)>,
    pub(super) tries: u32,
    /// The key behind the last of the epochs.
    pub(super) updated: Option<RecordDecrypter>,
}

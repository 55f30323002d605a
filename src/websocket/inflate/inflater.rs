//! Inflates the messages of one direction, one after another (machine).
//!
//! ```text
//!                begin_message          push              final block
//!     ┌► Between ─────────────► Begun ────────► Open ◄───────────────────► Ended
//!     │                           │              │  push: the next stream     │
//!     │ finish_message            │ gap          ├─ corrupt, evicted ─────────┤
//!     │                           ▼              ▼                            ▼
//!     └─ (from every phase)     Lost ────────► Failed: the error is reported, the rest of the message is skipped
//! ```

use super::error::{ContextLoss, InflateError};
use super::history::{History, WINDOW};
use super::pool::{InflaterPool, Loan, Slot, Ticket};
use super::stream::{BlockEnd, INVALID_CODE, Stream, TAIL, TOO_FAR, UNSPECIFIC};
use super::window::{DistanceScanner, LARGEST, ScanFault, WindowExcess};
use crate::types::Direction;
use crate::websocket::Deflate;

/// The reason for a message whose end is not where a block ends.
const NO_EMPTY_BLOCK: &str = "the message does not end with an empty uncompressed block (RFC 7692 §7.2.1)";

/// Where the decoding of a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Between messages.
    Between,
    /// A message has begun, and no byte of it has come.
    Begun,
    /// In a DEFLATE stream.
    Open,
    /// After a block with BFINAL: another stream may follow.
    Ended,
    /// The message lost bytes, which was not reported yet.
    Lost,
    /// The message cannot be decoded, which was reported.
    Failed,
}

/// Inflates the compressed messages of one direction of one connection. Make it when the first compressed message comes.
#[derive(Debug)]
pub struct Inflater {
    /// The unbroken end of what was decoded, with context takeover.
    history: History,
    ticket: Option<Ticket>,
    /// Bytes of this message that zlib consumed.
    taken: u64,
    excess: Option<WindowExcess>,
    /// The last four bytes of this message, the latest least significant.
    last: u32,
    /// The negotiated window, in bytes.
    window: u32,
    no_context_takeover: bool,
    /// Whether the scanner reads this message too, and whether it found an excess.
    scanned: bool,
    exceeded: bool,
    /// Whether this message had a block with BFINAL.
    restarted: bool,
    phase: Phase,
    /// Why the history does not go back to the beginning; and whether a message that needs the lost bytes was reported.
    loss: Option<ContextLoss>,
    reported: bool,
    /// With context takeover, while part of the window is not known.
    twin: Option<Box<TwinHistory>>,
    /// This message had a byte that is not known: the rest of it is not given out.
    hidden: bool,
}

/// The second history after a loss. Lost bytes are not known, but most of what is sent after them does not depend on them:
/// everything is inflated twice, after two histories that differ in every unknown byte. Output that is the same in both is
/// right.
#[derive(Debug, Default)]
struct TwinHistory {
    /// The history with other bytes in place of the unknown ones.
    history: History,
    /// Bytes of output since the last unknown one.
    known: usize,
}

/// The bytes that stand for unknown ones, in the one history and in the other.
static UNKNOWN: [[u8; WINDOW]; 2] = [[0x00; WINDOW], [0xff; WINDOW]];

impl Inflater {
    /// An inflater for the messages in `direction`, as negotiated (RFC 7692 §7.1).
    #[must_use]
    pub fn new(deflate: &Deflate, direction: Direction) -> Self {
        Self {
            history: History::default(),
            ticket: None,
            taken: 0,
            excess: None,
            last: 0,
            window: 1 << deflate.max_window_bits(direction).clamp(8, 15),
            no_context_takeover: deflate.no_context_takeover(direction),
            scanned: false,
            exceeded: false,
            restarted: false,
            phase: Phase::Between,
            loss: None,
            reported: false,
            twin: None,
            hidden: false,
        }
    }

    /// A compressed message begins. If the one before was not finished, it ends here, and its errors are not reported.
    pub fn begin_message(&mut self, pool: &mut InflaterPool) {
        if let Err(InflateError::ContextLost { first: true, .. }) = self.finish_message(pool) {
            self.reported = false; // that error goes nowhere
        }
        if self.no_context_takeover {
            self.loss = None;
        }
        self.taken = 0;
        self.excess = None;
        self.exceeded = false;
        self.scanned = false;
        self.last = 0;
        self.restarted = false;
        self.hidden = false;
        self.phase = Phase::Begun;
    }

    /// The next bytes of the message's payload, whatever the fragment; calls `out` with the content that they complete.
    ///
    /// # Errors
    ///
    /// Why no more of this message can be decoded: once, at the first piece that shows it; the rest is skipped.
    pub fn push(
        &mut self,
        pool: &mut InflaterPool,
        compressed: &[u8],
        out: &mut impl FnMut(&[u8]),
    ) -> Result<(), InflateError> {
        match self.phase {
            Phase::Between | Phase::Failed => return Ok(()),
            Phase::Lost => {
                self.phase = Phase::Failed;
                return Err(self.context_lost());
            }
            _ if compressed.is_empty() => return Ok(()),
            Phase::Begun => self.occupy(pool),
            Phase::Open | Phase::Ended => {}
        }
        let Some(mut loan) = self.ticket.and_then(|ticket| pool.lend(ticket)) else {
            self.phase = Phase::Failed;
            return Err(self.evicted());
        };
        let (before, hidden) = (self.taken, self.hidden);
        let done = self.inflate(&mut loan, compressed, out);
        self.last = last_four(self.last, compressed);
        if let Some(scanner) = loan.slot.scanner.as_mut().filter(|_| self.scanned) {
            let taken = usize::try_from(self.taken.saturating_sub(before)).unwrap_or(usize::MAX);
            scanner.scan(compressed.get(..taken).unwrap_or(compressed));
            if let Some(excess) = scanner.excess().filter(|_| !self.exceeded) {
                self.exceeded = true;
                self.excess = Some(excess);
            }
        }
        let failed = done.map_err(|reason| self.refine(loan.slot, reason)).map_err(|reason| {
            self.phase = Phase::Failed;
            self.fail(pool, self.taken.saturating_sub(1), reason)
        });
        match failed {
            // The unknown byte comes before the corrupt one, and a message has one error.
            _ if self.hidden && !hidden => Err(self.context_lost()),
            Err(_) if hidden => Ok(()),
            done => done,
        }
    }

    /// The message is complete: after its last frame. Nothing more comes out of it then.
    ///
    /// # Errors
    ///
    /// Why it is not a complete message, if that was not reported before.
    pub fn finish_message(&mut self, pool: &mut InflaterPool) -> Result<(), InflateError> {
        match core::mem::replace(&mut self.phase, Phase::Between) {
            // An empty payload should have been one byte (RFC 7692 §7.2.3.6), and means the same.
            Phase::Between | Phase::Failed | Phase::Begun => Ok(()),
            Phase::Lost => Err(self.context_lost()),
            Phase::Ended => {
                self.give_back(pool);
                self.regain_context();
                Ok(())
            }
            Phase::Open => {
                let done = self.finish_stream(pool);
                self.regain_context();
                if self.hidden { Ok(()) } else { done }
            }
        }
    }

    /// Compressed bytes of this direction are missing here, within a message or between two; or they came before the
    /// capture began. The content given out of a message under way stays right; the rest of it cannot be decoded.
    pub fn lose_context(&mut self, pool: &mut InflaterPool) {
        if self.is_under_way() {
            self.phase = if self.hidden { Phase::Failed } else { Phase::Lost };
        } else if self.no_context_takeover {
            return;
        }
        self.give_back(pool);
        self.lose(ContextLoss::Gap);
    }

    /// Memory is short: discards the context, as if bytes had been lost. Returns the number of bytes freed.
    pub fn shed(&mut self, pool: &mut InflaterPool) -> u64 {
        let held = self.history.held() as u64;
        if held > 0 {
            if self.is_under_way() {
                self.phase = Phase::Lost;
            }
            self.give_back(pool);
            self.lose(ContextLoss::Memory);
            self.history = History::default();
        }
        held
    }

    /// The first distance of the message beyond the negotiated window, once. Call it after every [`Self::push`], whatever the
    /// result; such a distance does not stop the decoding.
    pub const fn take_window_excess(&mut self) -> Option<WindowExcess> {
        self.excess.take()
    }

    /// The connection is over: its slot in the pool is free, and a message under way is lost.
    pub fn release(&mut self, pool: &mut InflaterPool) {
        if self.is_under_way() {
            self.lose_context(pool);
        }
        self.give_back(pool);
    }

    /// Bytes held besides the struct itself and the pool: up to 32 KiB with context takeover, twice as many after a loss,
    /// 0 without.
    #[must_use]
    pub fn held(&self) -> usize {
        self.history.held() + self.twin.as_ref().map_or(0, |twin| twin.history.held() + size_of::<TwinHistory>())
    }

    const fn is_under_way(&self) -> bool {
        !matches!(self.phase, Phase::Between | Phase::Failed)
    }

    /// Gets a slot, with the context in it.
    fn occupy(&mut self, pool: &mut InflaterPool) {
        let (ticket, known) = pool.occupy(self.ticket);
        self.ticket = Some(ticket);
        self.phase = Phase::Open;
        let Some(Loan { slot, .. }) = pool.lend(ticket) else { return };
        if self.loss.is_some() && self.twin.is_none() && !self.no_context_takeover {
            let [one, other] = &UNKNOWN;
            self.history.append(one);
            self.twin.get_or_insert_default().history.append(other);
        }
        if !known {
            slot.history.clear();
            restart(slot, &mut self.history, self.twin.as_deref_mut());
        }
        self.scanned = self.window < LARGEST;
        if self.scanned {
            let scanner = slot.scanner.get_or_insert_with(|| Box::new(DistanceScanner::new()));
            scanner.begin(self.window, self.history.len());
        }
    }

    /// Passes one piece through zlib. The error is zlib's reason.
    fn inflate(
        &mut self,
        loan: &mut Loan<'_>,
        mut input: &[u8],
        out: &mut impl FnMut(&[u8]),
    ) -> Result<(), &'static str> {
        loop {
            if self.phase == Phase::Ended {
                self.begin_stream(loan.slot);
            }
            let (room, twin_room) = match self.twin {
                None => (&mut *loan.scratch, &mut [][..]),
                Some(_) => loan.scratch.split_at_mut_checked(WINDOW).unwrap_or_default(),
            };
            let done = loan.slot.stream.inflate(input, room);
            let full = done.made == room.len();
            self.taken = self.taken.saturating_add(done.taken as u64);
            let made = room.get(..done.made).unwrap_or_default();
            if let Some(twin) = &mut self.twin {
                let other = loan.slot.twin_stream.get_or_insert_with(Stream::new).inflate(input, twin_room);
                debug_assert_eq!((done.taken, done.made), (other.taken, other.made), "content changes no length");
                let other = twin_room.get(..other.made).unwrap_or_default();
                let known = twin.compare(made, other);
                self.history.append(made);
                twin.history.append(other);
                if let Some(known @ [_, ..]) = made.get(..known).filter(|_| !self.hidden) {
                    out(known);
                }
                self.hidden |= known < made.len();
            } else if !made.is_empty() {
                let history = if self.no_context_takeover { &mut loan.slot.history } else { &mut self.history };
                history.append(made);
                out(made);
            }
            input = input.get(done.taken..).unwrap_or_default();
            if done.ended? {
                self.phase = Phase::Ended;
            } else if full {
                continue; // there may be more of it
            }
            if input.is_empty() {
                return Ok(());
            }
            if done.taken == 0 && done.made == 0 {
                return Err("no progress");
            }
        }
    }

    /// After a block with BFINAL, which ends a DEFLATE stream and not the message (RFC 7692 §7.2.3.4, §7.2.3.5).
    fn begin_stream(&mut self, slot: &mut Slot) {
        if self.no_context_takeover {
            let mut history = core::mem::take(&mut slot.history);
            restart(slot, &mut history, None);
            slot.history = history;
        } else {
            restart(slot, &mut self.history, self.twin.as_deref_mut());
        }
        self.restarted = true;
        self.phase = Phase::Open;
    }

    /// Appends the tail, and checks that a block ends where the tail does: otherwise the next message would be read from the
    /// middle of a block. A tail that the sender did not remove is not appended again.
    fn finish_stream(&mut self, pool: &mut InflaterPool) -> Result<(), InflateError> {
        let Some(Loan { slot, scratch }) = self.ticket.and_then(|ticket| pool.lend(ticket)) else {
            return Err(self.evicted());
        };
        let has_tail = self.taken >= 4 && self.last == u32::from_be_bytes(TAIL);
        if has_tail && self.restarted && slot.stream.taken() == 4 {
            self.give_back(pool); // only a tail after the end of a stream
            return Ok(());
        }
        // "The 'BTYPE' bits are set to 00" in the last block, and zeros up to its byte's end (RFC 7692 §7.2.1)
        if !has_tail && self.last & 0xe0 != 0 {
            return Err(self.fail(pool, self.taken, NO_EMPTY_BLOCK));
        }
        let end = slot.stream.end(has_tail, scratch);
        if let Some(twin) = slot.twin_stream.as_mut().filter(|_| self.twin.is_some()) {
            twin.end(has_tail, scratch);
        }
        match (end, self.ticket) {
            (BlockEnd::Boundary, Some(ticket)) if !self.no_context_takeover => pool.set_idle(ticket),
            (BlockEnd::Boundary | BlockEnd::Final, _) => self.give_back(pool),
            (BlockEnd::Elsewhere, _) => return Err(self.fail(pool, self.taken, NO_EMPTY_BLOCK)),
        }
        Ok(())
    }

    /// The reason that the scanner found; without it, no distance can be too far where the whole window is known.
    fn refine(&self, slot: &Slot, reason: &'static str) -> &'static str {
        if reason != UNSPECIFIC {
            return reason;
        }
        match slot.scanner.as_ref().filter(|_| self.scanned).and_then(|scanner| scanner.fault()) {
            Some(ScanFault::TooFar) => TOO_FAR,
            Some(ScanFault::InvalidCode) => INVALID_CODE,
            _ if self.history.len() == WINDOW => INVALID_CODE,
            _ => UNSPECIFIC,
        }
    }

    /// Ends the loss once all of the window is known again.
    fn regain_context(&mut self) {
        if self.twin.as_ref().is_some_and(|twin| twin.known >= WINDOW) {
            self.twin = None;
            self.loss = None;
            self.reported = false;
        }
    }

    /// The message cannot be decoded.
    fn fail(&mut self, pool: &mut InflaterPool, at: u64, reason: &'static str) -> InflateError {
        self.give_back(pool);
        if self.hidden {
            // Faults of a message that is not shown are not reported either: the loss before it goes on.
            self.history.clear();
            self.twin = None;
        } else if !self.no_context_takeover {
            self.lose(ContextLoss::Corrupt);
        }
        InflateError::Corrupt { at, reason }
    }

    /// The slot was taken: all were busy, and this one the longest.
    fn evicted(&mut self) -> InflateError {
        self.ticket = None;
        self.lose(ContextLoss::Pool);
        self.context_lost()
    }

    fn lose(&mut self, loss: ContextLoss) {
        self.history.clear();
        self.twin = None;
        self.loss = Some(loss);
        self.reported = false;
    }

    /// The error of a message that needs lost bytes.
    fn context_lost(&mut self) -> InflateError {
        let first = !core::mem::replace(&mut self.reported, true);
        InflateError::ContextLost { loss: self.loss.unwrap_or(ContextLoss::Gap), first }
    }

    fn give_back(&mut self, pool: &mut InflaterPool) {
        if let Some(ticket) = self.ticket.take() {
            pool.give_back(ticket);
        }
    }
}

impl TwinHistory {
    /// Compares both outputs. Returns how many bytes are known before the first one that is not.
    fn compare(&mut self, one: &[u8], other: &[u8]) -> usize {
        if one == other {
            self.known = self.known.saturating_add(one.len());
            return one.len();
        }
        let differs = |(one, other): (&u8, &u8)| one != other;
        self.known = one.iter().zip(other).rev().position(differs).unwrap_or(0);
        one.iter().zip(other).position(differs).unwrap_or(0)
    }
}

/// Begins a stream that may refer back to the content decoded before.
fn restart(slot: &mut Slot, history: &mut History, twin: Option<&mut TwinHistory>) {
    slot.stream.restart(history.in_order());
    if let Some(twin) = twin {
        slot.twin_stream.get_or_insert_with(Stream::new).restart(twin.history.in_order());
    }
}

/// The last four bytes of the message, the latest least significant.
fn last_four(before: u32, bytes: &[u8]) -> u32 {
    match bytes.last_chunk::<4>() {
        Some(last) => u32::from_be_bytes(*last),
        None => bytes.iter().fold(before, |last, byte| last << 8 | u32::from(*byte)),
    }
}

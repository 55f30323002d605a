//! One direction of one connection: its messages one after another (machine).

use super::error::{ContextLoss, InflateError};
use super::history::{History, WINDOW};
use super::pool::{InflaterPool, Slot, Ticket};
use super::stream::{BlockEnd, INVALID_CODE, Stream, TAIL, TOO_FAR, UNTOLD};
use super::window::{Fault, LARGEST, Walker, WindowExcess};
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
    /// Behind a block with BFINAL: another stream may follow.
    Ended,
    /// The message lost bytes, and nobody was told yet.
    Lost,
    /// The message cannot be decoded, and that was told.
    Failed,
}

/// Inflates the compressed messages of one direction of one connection. Make it when the first compressed message comes.
#[derive(Debug)]
pub struct Inflater {
    /// The unbroken end of what was decoded, with context takeover.
    history: History,
    ticket: Option<Ticket>,
    /// Bytes of this message that zlib has taken.
    taken: u64,
    excess: Option<WindowExcess>,
    /// The last four bytes of this message, the latest least significant.
    last: u32,
    /// The negotiated window, in bytes.
    window: u32,
    no_context_takeover: bool,
    /// Whether the walker goes along with this message, and has found an excess.
    walked: bool,
    exceeded: bool,
    /// Whether this message had a block with BFINAL.
    restarted: bool,
    phase: Phase,
    /// Why the history does not go back to the beginning; and whether anybody was told that a message suffers from it.
    loss: Option<ContextLoss>,
    told: bool,
    /// With context takeover, as long as not all of the window is known.
    doubt: Option<Box<Doubt>>,
    /// This message had a byte that is not known: no more of it is given out.
    blind: bool,
}

/// What came before a loss is not known, and yet most of what refers to it is: everything is inflated twice, behind two
/// histories that differ in every byte that is not known. What comes out the same does not depend on them.
#[derive(Debug, Default)]
struct Doubt {
    /// The other history.
    other: History,
    /// Bytes of output since the last that is not known.
    known: usize,
}

/// What stands for bytes that are not known, in the one history and in the other.
static UNKNOWN: [[u8; WINDOW]; 2] = [[0x00; WINDOW], [0xff; WINDOW]];

impl Inflater {
    /// For the messages that go in `direction`, as negotiated (RFC 7692 §7.1).
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
            walked: false,
            exceeded: false,
            restarted: false,
            phase: Phase::Between,
            loss: None,
            told: false,
            doubt: None,
            blind: false,
        }
    }

    /// A compressed message begins. If the one before was not finished it ends here, unseen.
    pub fn begin_message(&mut self, pool: &mut InflaterPool) {
        if let Err(InflateError::ContextLost { first: true, .. }) = self.finish_message(pool) {
            self.told = false; // nobody heard it
        }
        if self.no_context_takeover {
            self.loss = None;
        }
        self.taken = 0;
        self.excess = None;
        self.exceeded = false;
        self.walked = false;
        self.last = 0;
        self.restarted = false;
        self.blind = false;
        self.phase = Phase::Begun;
    }

    /// The next bytes of the message's payload, all fragments alike; gives to `out` all that they make known.
    ///
    /// # Errors
    ///
    /// Why no more of this message can be decoded: once, at the first piece that shows it. Later pieces are skipped.
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
        let Some((slot, scratch)) = self.ticket.and_then(|ticket| pool.lend(ticket)) else {
            self.phase = Phase::Failed;
            return Err(self.evicted());
        };
        let (before, blind) = (self.taken, self.blind);
        let done = self.inflate(slot, scratch, compressed, out);
        self.last = last_four(self.last, compressed);
        if let Some(walker) = slot.walker.as_mut().filter(|_| self.walked) {
            let taken = usize::try_from(self.taken.saturating_sub(before)).unwrap_or(usize::MAX);
            walker.walk(compressed.get(..taken).unwrap_or(compressed));
            if let Some(excess) = walker.excess().filter(|_| !self.exceeded) {
                self.exceeded = true;
                self.excess = Some(excess);
            }
        }
        let failed = done.map_err(|reason| self.refine(slot, reason)).map_err(|reason| {
            self.phase = Phase::Failed;
            self.fail(pool, self.taken.saturating_sub(1), reason)
        });
        match failed {
            // What is not known comes before what is wrong, and a message has one error.
            _ if self.blind && !blind => Err(self.context_lost()),
            Err(_) if blind => Ok(()),
            done => done,
        }
    }

    /// The message is complete: after its last frame. Nothing more comes out of it then.
    ///
    /// # Errors
    ///
    /// Why it is not a whole message, if that was not told before.
    pub fn finish_message(&mut self, pool: &mut InflaterPool) -> Result<(), InflateError> {
        match core::mem::replace(&mut self.phase, Phase::Between) {
            // An empty payload should have been one byte (RFC 7692 §7.2.3.6), and means the same.
            Phase::Between | Phase::Failed | Phase::Begun => Ok(()),
            Phase::Lost => Err(self.context_lost()),
            Phase::Ended => {
                self.give_back(pool);
                self.believe();
                Ok(())
            }
            Phase::Open => {
                let done = self.finish_stream(pool);
                self.believe();
                if self.blind { Ok(()) } else { done }
            }
        }
    }

    /// Compressed bytes of this direction are missing here, within a message or between two; or they came before the
    /// capture began. What was given out of a message under way stays right, but nothing more of it can be known.
    pub fn lose_context(&mut self, pool: &mut InflaterPool) {
        if self.is_under_way() {
            self.phase = if self.blind { Phase::Failed } else { Phase::Lost };
        } else if self.no_context_takeover {
            return;
        }
        self.give_back(pool);
        self.lose(ContextLoss::Gap);
    }

    /// Memory is short: lets go of the context, as if bytes had been lost. Gives how many bytes that was.
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

    /// The first distance of the message beyond the negotiated window, told once. To be asked after every
    /// [`Self::push`], whatever that said; such a distance does not stop the decoding.
    pub const fn take_window_excess(&mut self) -> Option<WindowExcess> {
        self.excess.take()
    }

    /// The connection is over: what the pool keeps for it is free, and a message under way is lost.
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
        self.history.held() + self.doubt.as_ref().map_or(0, |doubt| doubt.other.held() + size_of::<Doubt>())
    }

    const fn is_under_way(&self) -> bool {
        !matches!(self.phase, Phase::Between | Phase::Failed)
    }

    /// Gets a slot, with the context in it.
    fn occupy(&mut self, pool: &mut InflaterPool) {
        let (ticket, known) = pool.occupy(self.ticket);
        self.ticket = Some(ticket);
        self.phase = Phase::Open;
        let Some((slot, _)) = pool.lend(ticket) else { return };
        if self.loss.is_some() && self.doubt.is_none() && !self.no_context_takeover {
            let [one, other] = &UNKNOWN;
            self.history.append(one);
            self.doubt.get_or_insert_default().other.append(other);
        }
        if !known {
            slot.history.clear();
            restart(slot, &mut self.history, self.doubt.as_deref_mut());
        }
        self.walked = self.window < LARGEST;
        if self.walked {
            let walker = slot.walker.get_or_insert_with(|| Box::new(Walker::new()));
            walker.begin(self.window, self.history.len());
        }
    }

    /// All of one piece through zlib; on an error zlib's reason.
    fn inflate(
        &mut self,
        slot: &mut Slot,
        scratch: &mut [u8],
        mut input: &[u8],
        out: &mut impl FnMut(&[u8]),
    ) -> Result<(), &'static str> {
        loop {
            if self.phase == Phase::Ended {
                self.begin_stream(slot);
            }
            let (quota, other_room) = match self.doubt {
                None => (&mut *scratch, &mut [][..]),
                Some(_) => scratch.split_at_mut_checked(WINDOW).unwrap_or_default(),
            };
            let step = slot.stream.inflate(input, quota);
            let full = step.made == quota.len();
            self.taken = self.taken.saturating_add(step.taken as u64);
            let made = quota.get(..step.made).unwrap_or_default();
            if let Some(doubt) = &mut self.doubt {
                let other = slot.twin.get_or_insert_with(Stream::new).inflate(input, other_room);
                debug_assert_eq!((step.taken, step.made), (other.taken, other.made), "content changes no length");
                let other = other_room.get(..other.made).unwrap_or_default();
                let known = doubt.compare(made, other);
                self.history.append(made);
                doubt.other.append(other);
                if let Some(known @ [_, ..]) = made.get(..known).filter(|_| !self.blind) {
                    out(known);
                }
                self.blind |= known < made.len();
            } else if !made.is_empty() {
                let history = if self.no_context_takeover { &mut slot.history } else { &mut self.history };
                history.append(made);
                out(made);
            }
            input = input.get(step.taken..).unwrap_or_default();
            if step.ended? {
                self.phase = Phase::Ended;
            } else if full {
                continue; // there may be more of it
            }
            if input.is_empty() {
                return Ok(());
            }
            if step.taken == 0 && step.made == 0 {
                return Err("no progress");
            }
        }
    }

    /// Behind a block with BFINAL, which ends a DEFLATE stream and not the message (RFC 7692 §7.2.3.4, §7.2.3.5).
    fn begin_stream(&mut self, slot: &mut Slot) {
        if self.no_context_takeover {
            let mut history = core::mem::take(&mut slot.history);
            restart(slot, &mut history, None);
            slot.history = history;
        } else {
            restart(slot, &mut self.history, self.doubt.as_deref_mut());
        }
        self.restarted = true;
        self.phase = Phase::Open;
    }

    /// Appends the tail, and holds the message to it: the boundary of a block must be where the tail ends, or the next
    /// message would be read from the middle of a block. A tail that was never removed is left alone.
    fn finish_stream(&mut self, pool: &mut InflaterPool) -> Result<(), InflateError> {
        let Some((slot, scratch)) = self.ticket.and_then(|ticket| pool.lend(ticket)) else {
            return Err(self.evicted());
        };
        let has_tail = self.taken >= 4 && self.last == u32::from_be_bytes(TAIL);
        if has_tail && self.restarted && slot.stream.taken() == 4 {
            self.give_back(pool); // nothing but a tail behind the end of a stream
            return Ok(());
        }
        // "The 'BTYPE' bits are set to 00" in the last block, and zeros up to its byte's end (RFC 7692 §7.2.1)
        if !has_tail && self.last & 0xe0 != 0 {
            return Err(self.fail(pool, self.taken, NO_EMPTY_BLOCK));
        }
        let end = slot.stream.end(has_tail, scratch);
        if let Some(twin) = slot.twin.as_mut().filter(|_| self.doubt.is_some()) {
            twin.end(has_tail, scratch);
        }
        match (end, self.ticket) {
            (BlockEnd::Boundary, Some(ticket)) if !self.no_context_takeover => pool.rest(ticket),
            (BlockEnd::Boundary | BlockEnd::Final, _) => self.give_back(pool),
            (BlockEnd::Elsewhere, _) => return Err(self.fail(pool, self.taken, NO_EMPTY_BLOCK)),
        }
        Ok(())
    }

    /// What the walker saw, or what is left by knowing everything that a distance can reach.
    fn refine(&self, slot: &Slot, reason: &'static str) -> &'static str {
        if reason != UNTOLD {
            return reason;
        }
        match slot.walker.as_ref().filter(|_| self.walked).and_then(|walker| walker.fault()) {
            Some(Fault::TooFar) => TOO_FAR,
            Some(Fault::Code) => INVALID_CODE,
            _ if self.history.len() == WINDOW => INVALID_CODE,
            _ => UNTOLD,
        }
    }

    /// All of the window is known again: the loss is over.
    fn believe(&mut self) {
        if self.doubt.as_ref().is_some_and(|doubt| doubt.known >= WINDOW) {
            self.doubt = None;
            self.loss = None;
            self.told = false;
        }
    }

    /// The message cannot be decoded.
    fn fail(&mut self, pool: &mut InflaterPool, at: u64, reason: &'static str) -> InflateError {
        self.give_back(pool);
        if self.blind {
            // Of a message that is not shown, it is not told either: the loss before it goes on.
            self.history.clear();
            self.doubt = None;
        } else if !self.no_context_takeover {
            self.lose(ContextLoss::Corrupt);
        }
        InflateError::Corrupt { at, reason }
    }

    /// All slots were busy, and ours the longest.
    fn evicted(&mut self) -> InflateError {
        self.ticket = None;
        self.lose(ContextLoss::Pool);
        self.context_lost()
    }

    fn lose(&mut self, loss: ContextLoss) {
        self.history.clear();
        self.doubt = None;
        self.loss = Some(loss);
        self.told = false;
    }

    /// A message that suffers from the loss.
    fn context_lost(&mut self) -> InflateError {
        let first = !core::mem::replace(&mut self.told, true);
        InflateError::ContextLost { loss: self.loss.unwrap_or(ContextLoss::Gap), first }
    }

    fn give_back(&mut self, pool: &mut InflaterPool) {
        if let Some(ticket) = self.ticket.take() {
            pool.give_back(ticket);
        }
    }
}

impl Doubt {
    /// Counts what came out twice. Says how much of it is known, up to the first byte that is not.
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

/// A new stream that may refer back to what was decoded before.
fn restart(slot: &mut Slot, history: &mut History, doubt: Option<&mut Doubt>) {
    slot.stream.restart(history.in_order());
    if let Some(doubt) = doubt {
        slot.twin.get_or_insert_with(Stream::new).restart(doubt.other.in_order());
    }
}

/// The last four bytes of all that came, the latest least significant.
fn last_four(before: u32, bytes: &[u8]) -> u32 {
    match bytes.last_chunk::<4>() {
        Some(last) => u32::from_be_bytes(*last),
        None => bytes.iter().fold(before, |last, byte| last << 8 | u32::from(*byte)),
    }
}

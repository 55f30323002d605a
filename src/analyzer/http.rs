//! A connection while it speaks HTTP/1.1: looks for requests for a WebSocket, and for what becomes of them.

mod refused;

use std::collections::VecDeque;

use super::identity::identify;
use super::midstream::{Midstream, assumed, begins_frames};
use super::shared::Out;
use super::websocket::WebSocket;
use crate::event::Sink;
use crate::http::h2::Setting;
use crate::http::{Effect, H1, H1Event, H1Loss, ResponseHead, Sniffed, sniff};
use crate::stream::Run;
use crate::tcp::Flow;
use crate::types::{Direction, Limits, PacketRef};
use crate::websocket::rules::Violation;
use crate::websocket::{CheckedRequest, CheckedResponse, check_handshake, is_websocket_attempt};

pub(super) use refused::refuse;
use refused::refuse_garbled;

/// One connection.
pub(super) struct Http {
    h1: H1,
    /// Requests for a WebSocket that were not answered yet, by their number in the connection.
    attempts: VecDeque<Attempt>,
    /// A 101 whose request has not come: the capture has it later, or not at all.
    early: Option<Early>,
    /// Ordinary responses whose requests, of these numbers, have not come.
    unasked: VecDeque<(u64, CheckedResponse)>,
    /// Bytes of the client are missing, or its beginning is: what follows may be anything.
    holed: bool,
    /// How often bytes that wait were offered again.
    offers: u32,
    /// What `attempts`, `early` and `unasked` say, in bytes.
    texts: usize,
    /// The last request for HTTP/2, and what its HTTP2-Settings field says.
    upgrade: Option<(u64, Vec<Setting>)>,
    /// What went wrong below, so far.
    faults: Vec<(Direction, Violation, PacketRef)>,
}

/// A request that asks for a WebSocket, or may: its head was cut off.
struct Attempt {
    number: u64,
    asked: CheckedRequest,
    certain: bool,
    /// The head was captured whole.
    complete: bool,
}

/// What follows HTTP.
pub(super) enum Next {
    /// More HTTP.
    Http,
    /// Frames.
    WebSocket(Box<WebSocket>),
    /// HTTP/2, from its preface on, with these settings of the client: the answer was `Upgrade: h2c` (RFC 7540 §3.2).
    Http2(Vec<Setting>),
    /// Anything.
    Tunnel,
    /// Perhaps frames: what would say so was not captured.
    Midstream(Box<Midstream>),
    /// Nothing that is looked at.
    Opaque,
}

/// How long bytes wait for the other direction to say what they are, in packets and in the capture's time: then it is taken
/// to be missing from the capture. The clocks of two interfaces may differ by seconds.
const PATIENCE_OFFERS: u32 = 64;
const PATIENCE_NANOS: i64 = 30_000_000_000;
/// So many packets are enough at any time: they are about to be more than may wait.
const MOST_OFFERS: u32 = 400;

/// Ordinary responses that are remembered until their requests come.
const MAX_UNASKED: usize = 16;

/// Faults below that are remembered until there is a connection to tell them of.
const MAX_FAULTS: usize = 16;

/// A response that switches to WebSocket.
struct Early {
    answered: CheckedResponse,
    /// The head was captured whole.
    complete: bool,
}

/// What a step asks for.
enum Found {
    Nothing,
    Request(Box<Attempt>),
    /// A request for HTTP/2.
    Upgrade(u64, Vec<Setting>),
    Response(Option<u64>, Effect, Option<Box<Early>>),
    /// A 101 to HTTP/2, and the request that it answers.
    Http2(Option<u64>, Box<Early>),
    /// Bytes that are no HTTP; in place of a response, why.
    Garbage(Option<H1Loss>),
    Gap,
}

impl Http {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            h1: H1::new(limits),
            attempts: VecDeque::new(),
            early: None,
            unasked: VecDeque::new(),
            holed: false,
            offers: 0,
            texts: 0,
            upgrade: None,
            faults: Vec::new(),
        }
    }

    /// One of which the beginning was not captured.
    pub(super) fn joined(limits: &Limits) -> Self {
        Self { holed: true, ..Self::new(limits) }
    }

    /// Bytes that it keeps, itself included.
    #[inline]
    pub(super) fn held(&self) -> usize {
        size_of::<Self>()
            + self.h1.allocated()
            + self.texts
            + self.upgrade.as_ref().map_or(0, |(_, settings)| settings.capacity() * size_of::<Setting>())
            + self.attempts.capacity() * size_of::<Attempt>()
            + self.unasked.capacity() * size_of::<(u64, CheckedResponse)>()
            + self.faults.capacity() * size_of::<(Direction, Violation, PacketRef)>()
    }

    /// Memory is spent: lets go of heads that are not whole, which puts HTTP out of step. Gives how many bytes that was.
    pub(super) fn shed(&mut self) -> u64 {
        let before = self.h1.held();
        self.h1.shed();
        before.saturating_sub(self.h1.held()) as u64
    }

    /// Something went wrong below: told when there is a WebSocket to tell it of.
    pub(super) fn fault(&mut self, direction: Direction, broken: Violation, seen: PacketRef) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push((direction, broken, seen));
        }
    }

    /// Takes a piece of one direction. Says how much of it was left (bytes of data, or 1 of a hole or an end), and what
    /// the connection is from there on.
    pub(super) fn take<S: Sink>(
        &mut self,
        flow: &Flow,
        attempts: &mut u32,
        direction: Direction,
        run: Run<'_>,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<(usize, Next), S::Error> {
        let must_wait = match direction {
            Direction::ToServer => self.h1.is_paused(),
            Direction::ToClient => self.early.is_some(),
        };
        match run {
            Run::Data(mut input) => loop {
                if direction == Direction::ToClient && self.early.is_some() {
                    let next = if self.waited(flow, seen) { self.over(flow, attempts, seen, out)? } else { Next::Http };
                    return Ok((input.len(), next));
                }
                if direction == Direction::ToServer && self.request_is_missing(input) {
                    let next = self.over(flow, attempts, seen, out)?;
                    return Ok((input.len(), next));
                }
                let paused = self.h1.is_paused();
                let Some(found) = self.h1.next(direction, &mut input).map(|step| found(&step, direction, seen)) else {
                    let unanswered = must_wait && direction == Direction::ToServer && self.waited(flow, seen);
                    let next = if unanswered && out.shared.mid_stream { self.unanswered(input) } else { None };
                    return Ok((input.len(), next.unwrap_or(Next::Http)));
                };
                let next = self.act(found, flow, attempts, seen, out)?;
                // The requests that wait are given again before a response to them, which may lie in the same piece.
                let resumed = direction == Direction::ToClient && paused && !self.h1.is_paused();
                if resumed || !matches!(next, Next::Http) {
                    return Ok((input.len(), next));
                }
            },
            _ if must_wait => Ok((1, Next::Http)),
            Run::Gap(len) => {
                self.holed |= direction == Direction::ToServer;
                let found = self.h1.gap(direction, len).map_or(Found::Nothing, |step| found(&step, direction, seen));
                Ok((0, self.act(found, flow, attempts, seen, out)?))
            }
            Run::End(_) => {
                let found = self.h1.finish(direction).map_or(Found::Nothing, |step| found(&step, direction, seen));
                Ok((0, self.act(found, flow, attempts, seen, out)?))
            }
        }
    }

    /// The connection is over: a 101 without its request is a WebSocket all the same, and requests without a response
    /// were refused.
    pub(super) fn over<S: Sink>(
        &mut self,
        flow: &Flow,
        attempts: &mut u32,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<Next, S::Error> {
        if let Some(response) = self.take_early() {
            return self.switch(None, response, flow, attempts, seen, out);
        }
        self.refuse_all(flow, attempts, seen, out)?;
        Ok(Next::Http)
    }

    /// Whether bytes of one direction, the first of them in `seen`, have waited for the other for long enough.
    fn waited(&mut self, flow: &Flow, seen: PacketRef) -> bool {
        self.offers = self.offers.saturating_add(1);
        let long = flow.carrier.last.at.since(seen.at) >= PATIENCE_NANOS && self.offers >= PATIENCE_OFFERS;
        long || self.offers >= MOST_OFFERS
    }

    /// What it is if the response to the client's last request was not captured: perhaps frames, if the client goes on
    /// with `input`, which is one.
    pub(super) fn unanswered(&mut self, input: &[u8]) -> Option<Next> {
        let last = self.attempts.back()?;
        if !self.h1.is_paused() || !last.certain || !last.complete || begins_frames(input) != Some(true) {
            return None;
        }
        let asked = self.attempts.pop_back()?.asked;
        Some(Next::Midstream(Box::new(Midstream::behind(asked))))
    }

    /// Whether a 101 came, and what the client sends is no request: that was not captured.
    fn request_is_missing(&self, input: &[u8]) -> bool {
        self.early.is_some() && self.h1.held() == 0 && sniff(input) == Sniffed::Neither
    }

    /// Does what a step asks for.
    fn act<S: Sink>(
        &mut self,
        found: Found,
        flow: &Flow,
        attempts: &mut u32,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<Next, S::Error> {
        match found {
            Found::Nothing => Ok(Next::Http),
            Found::Request(attempt) => match self.take_early() {
                Some(early) => self.switch(Some(*attempt), early, flow, attempts, seen, out),
                None => {
                    match self.was_answered(attempt.number) {
                        Some(answered) if attempt.certain => {
                            refuse(attempt.asked, Some(answered), flow, attempts, seen, out)?;
                        }
                        Some(_) => {}
                        None => {
                            self.texts += attempt.asked.held();
                            self.attempts.push_back(*attempt);
                        }
                    }
                    Ok(Next::Http)
                }
            },
            Found::Upgrade(number, settings) => {
                self.upgrade = Some((number, settings));
                Ok(Next::Http)
            }
            Found::Response(_, Effect::Interim, _) => Ok(Next::Http),
            Found::Response(_, Effect::Tunnel, _) => Ok(Next::Tunnel),
            Found::Response(answers, Effect::Final, response) => {
                let attempt = answers.and_then(|number| self.answered(number)).filter(|attempt| attempt.certain);
                match (attempt, response, self.h1.answered_early()) {
                    (Some(attempt), Some(response), _) => {
                        refuse(attempt.asked, Some(response.answered), flow, attempts, seen, out)?;
                    }
                    (None, Some(response), Some(number)) if answers.is_none() && self.unasked.len() < MAX_UNASKED => {
                        self.texts += response.answered.held();
                        self.unasked.push_back((number, response.answered));
                    }
                    _ => {}
                }
                Ok(Next::Http)
            }
            Found::Http2(answers, response) => {
                if let Some(attempt) =
                    answers.and_then(|number| self.answered(number)).filter(|attempt| attempt.certain)
                {
                    refuse(attempt.asked, Some(response.answered), flow, attempts, seen, out)?;
                }
                let upgrade = self.upgrade.take().filter(|(number, _)| answers == Some(*number));
                Ok(Next::Http2(upgrade.map_or_else(Vec::new, |(_, settings)| settings)))
            }
            Found::Response(answers, Effect::Switched, response) => {
                let Some(response) = response else { return Ok(Next::Opaque) };
                match answers.map(|number| self.answered(number)) {
                    Some(attempt @ Some(_)) => self.switch(attempt, *response, flow, attempts, seen, out),
                    Some(None) => Ok(Next::Opaque),
                    None => {
                        self.texts += response.answered.held();
                        self.early = Some(*response);
                        Ok(Next::Http)
                    }
                }
            }
            Found::Garbage(instead) => {
                if let Some(attempt) = self.attempts.pop_front_if(|attempt| instead.is_some() && attempt.certain) {
                    refuse_garbled(attempt.asked, instead, flow, attempts, seen, out)?;
                }
                self.refuse_all(flow, attempts, seen, out)?;
                Ok(Next::Http)
            }
            Found::Gap if out.shared.mid_stream => {
                let behind = self.h1.is_paused();
                let attempt = self
                    .attempts
                    .pop_back()
                    .inspect(|attempt| self.texts = self.texts.saturating_sub(attempt.asked.held()))
                    .filter(|attempt| attempt.certain);
                let midstream = match attempt {
                    Some(attempt) if behind && attempt.complete => Midstream::behind(attempt.asked),
                    attempt => Midstream::new(attempt.map(|attempt| attempt.asked), flow.carrier.oriented),
                };
                Ok(Next::Midstream(Box::new(midstream)))
            }
            Found::Gap => Ok(Next::Http),
        }
    }

    fn next_attempt(&mut self) -> Option<Attempt> {
        let attempt = self.attempts.pop_front()?;
        self.texts = self.texts.saturating_sub(attempt.asked.held());
        Some(attempt)
    }

    fn take_early(&mut self) -> Option<Early> {
        let early = self.early.take()?;
        self.texts = self.texts.saturating_sub(early.answered.held());
        Some(early)
    }

    /// The request of that number, if it asked for a WebSocket. Those before it were never answered, which pipelining
    /// does not allow.
    fn answered(&mut self, number: u64) -> Option<Attempt> {
        while self.attempts.front().is_some_and(|front| front.number <= number) {
            let attempt = self.next_attempt()?;
            if attempt.number == number {
                return Some(attempt);
            }
        }
        None
    }

    /// The response to the request of that number, where the capture had it first.
    fn was_answered(&mut self, number: u64) -> Option<CheckedResponse> {
        while self.unasked.front().is_some_and(|front| front.0 <= number) {
            let (answers, answered) = self.unasked.pop_front()?;
            self.texts = self.texts.saturating_sub(answered.held());
            if answers == number {
                return Some(answered);
            }
        }
        None
    }

    /// The connection becomes a WebSocket.
    fn switch<S: Sink>(
        &mut self,
        attempt: Option<Attempt>,
        response: Early,
        flow: &Flow,
        attempts: &mut u32,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<Next, S::Error> {
        let identity = identify(flow, attempts, out);
        let request_complete = attempt.as_ref().map_or(!self.holed, |attempt| attempt.complete);
        let mut judged = check_handshake(attempt.map(|attempt| attempt.asked), Some(response.answered));
        if !response.complete && judged.handshake.negotiated.deflate.is_none() {
            judged.handshake.negotiated.deflate = assumed().deflate;
        }
        let mut websocket = WebSocket::open(identity, judged, seen, out)?;
        for (direction, complete) in [(Direction::ToServer, request_complete), (Direction::ToClient, response.complete)]
        {
            if !complete {
                websocket.begin_lost(direction, out.shared.limits.max_resync_bytes);
            }
        }
        for (direction, broken, seen) in self.faults.drain(..) {
            websocket.fault(direction, broken, seen, out)?;
        }
        Ok(Next::WebSocket(Box::new(websocket)))
    }

    /// All requests for a WebSocket came to nothing.
    fn refuse_all<S: Sink>(
        &mut self,
        flow: &Flow,
        attempts: &mut u32,
        seen: PacketRef,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        while let Some(attempt) = self.next_attempt() {
            if attempt.certain {
                refuse(attempt.asked, None, flow, attempts, seen, out)?;
            }
        }
        Ok(())
    }
}

/// Keeps of a step what is needed behind it.
fn found(step: &H1Event<'_>, direction: Direction, seen: PacketRef) -> Found {
    match step {
        H1Event::Request { number, head } => {
            let (certain, complete) = (is_websocket_attempt(head), head.complete);
            if !certain && head.fields.has_token("Upgrade", "h2c") {
                return Found::Upgrade(
                    *number,
                    head.fields.first("HTTP2-Settings").map_or_else(Vec::new, Setting::of_field),
                );
            }
            if !certain && complete {
                return Found::Nothing;
            }
            let asked = CheckedRequest::from_head(head, seen);
            Found::Request(Box::new(Attempt { number: *number, asked, certain, complete }))
        }
        H1Event::Response { head, answers, effect } => {
            let wanted = *effect != Effect::Switched || answers.is_some() || is_websocket_switch(head);
            let early =
                || Box::new(Early { answered: CheckedResponse::from_head(head, seen), complete: head.complete });
            if *effect == Effect::Switched && head.fields.has_token("Upgrade", "h2c") {
                return Found::Http2(*answers, early());
            }
            Found::Response(*answers, *effect, wanted.then(early))
        }
        H1Event::Lost(H1Loss::Gap) => Found::Gap,
        H1Event::Lost(loss @ (H1Loss::NotHttp | H1Loss::HeadTooLong)) if direction == Direction::ToClient => {
            Found::Garbage(Some(*loss))
        }
        H1Event::Lost(_) => Found::Garbage(None),
    }
}

/// Whether a 101 of which the request was not captured is about WebSocket.
fn is_websocket_switch(head: &ResponseHead<'_>) -> bool {
    head.fields.has_token("Upgrade", "websocket") || head.fields.first("Sec-WebSocket-Accept").is_some()
}

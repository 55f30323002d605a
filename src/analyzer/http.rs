//! A connection while it speaks HTTP/1.1: looks for requests for a WebSocket, and for the responses to them (RFC 6455 §4).
//!
//! In: runs of both directions. Out: a [`WebSocket`] where a 101 makes it one, events of those that were refused, and what
//! follows HTTP ([`Next`]). [`H1`] reads heads, [`check_handshake`] checks them; requests and responses are matched here, also
//! where the capture has them in the wrong order, or only one of them.

mod event;
mod refused;

use std::collections::VecDeque;

use super::identity::identify;
use super::leftover::Leftover;
use super::memory::Growth;
use super::midstream::{Midstream, assumed, begins_frames};
use super::turn::Turn;
use super::websocket::WebSocket;
use crate::event::Sink;
use crate::http::h2::UpgradeSettings;
use crate::http::{Effect, H1, Sniffed, sniff};
use crate::stream::Run;
use crate::types::{Direction, Limits, PacketRef};
use crate::websocket::Violation;
use crate::websocket::{CheckedResponse, check_handshake};

use event::{EarlyResponse, HttpEvent, PendingRequest, http_event};
pub(super) use refused::refuse;
use refused::refuse_garbled;

/// One connection.
pub(super) struct Http {
    h1: H1,
    /// WebSockets that were asked for so far.
    attempts: u32,
    /// Requests for a WebSocket without a response so far, by their number in the connection.
    pending_requests: VecDeque<PendingRequest>,
    /// A 101 whose request has not come: the capture has it later, or not at all.
    early_response: Option<EarlyResponse>,
    /// Ordinary responses whose requests, of these numbers, have not come.
    unmatched_responses: VecDeque<(u64, CheckedResponse)>,
    /// Bytes of the client are missing, or its beginning is: what follows may be anything.
    has_gap: bool,
    /// How often bytes that wait were offered again.
    offers: u32,
    /// Bytes that the texts of the requests and responses above keep.
    texts: usize,
    /// The last request for HTTP/2: its number, and the settings in its HTTP2-Settings field.
    upgrade: Option<(u64, UpgradeSettings)>,
    /// What went wrong in the layers before, so far.
    faults: Vec<(Direction, Violation, PacketRef)>,
}

/// What follows HTTP.
pub(super) enum Next {
    /// More HTTP.
    Http,
    /// Frames.
    WebSocket(Box<WebSocket>),
    /// HTTP/2, from its preface on, with these settings of the client: the response was `Upgrade: h2c` (RFC 7540 §3.2).
    Http2(UpgradeSettings),
    /// Anything.
    Tunnel,
    /// Perhaps frames: the handshake that would show it was not captured.
    Midstream(Box<Midstream>),
    /// Nothing that is looked at.
    Opaque,
}

/// How long bytes wait for the other direction to show what they are, in packets and in the capture's time: then it is taken
/// to be missing from the capture. The clocks of two interfaces may differ by seconds.
const PATIENCE_OFFERS: u32 = 64;
const PATIENCE_NANOS: i64 = 30_000_000_000;
/// So many packets are enough at any time: they are about to be more than may wait.
const MOST_OFFERS: u32 = 400;

/// Ordinary responses that are remembered until their requests come.
const MAX_UNMATCHED: usize = 16;

/// Faults in the layers before that are remembered until there is a WebSocket to record them for.
const MAX_FAULTS: usize = 16;

impl Http {
    /// A connection at its beginning, on which so many WebSockets were asked for before.
    pub(super) fn new(limits: &Limits, attempts: u32) -> Self {
        Self {
            h1: H1::new(limits),
            attempts,
            pending_requests: VecDeque::new(),
            early_response: None,
            unmatched_responses: VecDeque::new(),
            has_gap: false,
            offers: 0,
            texts: 0,
            upgrade: None,
            faults: Vec::new(),
        }
    }

    /// One of which the beginning was not captured.
    pub(super) fn joined(limits: &Limits, attempts: u32) -> Self {
        Self { has_gap: true, ..Self::new(limits, attempts) }
    }

    /// WebSockets that were asked for so far.
    pub(super) const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Whether no bytes so far belong to a handshake that goes on.
    pub(super) fn is_between_requests(&self) -> bool {
        self.pending_requests.is_empty()
            && self.unmatched_responses.is_empty()
            && self.early_response.is_none()
            && self.h1.held() == 0
            && !self.h1.is_paused()
    }

    /// Bytes that it keeps, itself included.
    #[inline]
    pub(super) fn held(&self) -> usize {
        size_of::<Self>()
            + self.h1.allocated()
            + self.texts
            + self.upgrade.as_ref().map_or(0, |(_, settings)| settings.held())
            + self.pending_requests.capacity() * size_of::<PendingRequest>()
            + self.unmatched_responses.capacity() * size_of::<(u64, CheckedResponse)>()
            + self.faults.capacity() * size_of::<(Direction, Violation, PacketRef)>()
    }

    /// Memory is spent: frees heads that are not complete, which puts HTTP out of step. Gives how many bytes that was.
    pub(super) fn shed(&mut self) -> u64 {
        let before = self.h1.held();
        self.h1.shed();
        before.saturating_sub(self.h1.held()) as u64
    }

    /// Something is wrong in the layers before: recorded when there is a WebSocket to record it for.
    pub(super) fn fault(&mut self, direction: Direction, violation: Violation, seen: PacketRef) -> Growth {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push((direction, violation, seen));
        }
        Growth::SOME
    }

    /// Takes a run of one direction. Gives what was left of it, and what the connection is from there on.
    pub(super) fn run<'r, S: Sink>(
        &mut self,
        direction: Direction,
        run: Run<'r>,
        turn: &mut Turn<'_, S>,
    ) -> (Leftover<'r>, Next) {
        let must_wait = match direction {
            Direction::ToServer => self.h1.is_paused(),
            Direction::ToClient => self.early_response.is_some(),
        };
        let step = match run {
            Run::Data(mut input) => {
                let next = self.data(direction, &mut input, must_wait, turn);
                return (Leftover::bytes(input), next);
            }
            _ if must_wait => return (Leftover::all(run), Next::Http),
            Run::Gap(len) => {
                self.has_gap |= direction == Direction::ToServer;
                self.h1.gap(direction, len)
            }
            Run::End(_) => self.h1.finish(direction),
        };
        let event = step.map_or(HttpEvent::Nothing, |step| http_event(&step, direction, turn.seen));
        (Leftover::Nothing, self.act(event, turn))
    }

    /// Takes bytes of one direction, as far as they can be read now.
    fn data<S: Sink>(
        &mut self,
        direction: Direction,
        input: &mut &[u8],
        must_wait: bool,
        turn: &mut Turn<'_, S>,
    ) -> Next {
        loop {
            if direction == Direction::ToClient && self.early_response.is_some() {
                return if self.waited(turn) { self.over(turn) } else { Next::Http };
            }
            if direction == Direction::ToServer && self.request_is_missing(input) {
                return self.over(turn);
            }
            let paused = self.h1.is_paused();
            let step = self.h1.next(direction, input);
            let Some(event) = step.map(|step| http_event(&step, direction, turn.seen)) else {
                let given_up = must_wait && direction == Direction::ToServer && self.waited(turn);
                let next = (given_up && turn.shared.mid_stream).then(|| self.no_response(input, &turn.shared.limits));
                return next.flatten().unwrap_or(Next::Http);
            };
            let next = self.act(event, turn);
            // The requests that wait are offered again before a response to them, which may lie in the same run.
            let resumed = direction == Direction::ToClient && paused && !self.h1.is_paused();
            if resumed || !matches!(next, Next::Http) {
                return next;
            }
        }
    }

    /// The connection is over: a 101 without its request is a WebSocket all the same, and requests without a response were
    /// refused.
    pub(super) fn over<S: Sink>(&mut self, turn: &mut Turn<'_, S>) -> Next {
        if let Some(response) = self.take_early_response() {
            return self.switch(None, response, turn);
        }
        self.refuse_all(turn);
        Next::Http
    }

    /// Whether the bytes at hand have waited for the other direction for long enough.
    fn waited<S: Sink>(&mut self, turn: &Turn<'_, S>) -> bool {
        self.offers = self.offers.saturating_add(1);
        let long = turn.flow.carrier.last.at.since(turn.seen.at) >= PATIENCE_NANOS && self.offers >= PATIENCE_OFFERS;
        long || self.offers >= MOST_OFFERS
    }

    /// What follows if the response to the client's last request was not captured: perhaps frames, if the client goes on with
    /// `input`, which is one.
    pub(super) fn no_response(&mut self, input: &[u8], limits: &Limits) -> Option<Next> {
        let last = self.pending_requests.back()?;
        if !self.h1.is_paused() || !last.certain || !last.complete || begins_frames(input) != Some(true) {
            return None;
        }
        let request = self.pending_requests.pop_back()?.request;
        Some(Next::Midstream(Box::new(Midstream::after_request(request, limits))))
    }

    /// Whether a 101 came, and what the client sends is no request: that was not captured.
    fn request_is_missing(&self, input: &[u8]) -> bool {
        self.early_response.is_some() && self.h1.held() == 0 && sniff(input) == Sniffed::Neither
    }

    fn act<S: Sink>(&mut self, event: HttpEvent, turn: &mut Turn<'_, S>) -> Next {
        match event {
            HttpEvent::Nothing | HttpEvent::Response(_, Effect::Interim, _) => Next::Http,
            HttpEvent::Request(request) => self.request(*request, turn),
            HttpEvent::Upgrade(number, settings) => {
                self.upgrade = Some((number, settings));
                Next::Http
            }
            HttpEvent::Response(_, Effect::Tunnel, _) => Next::Tunnel,
            HttpEvent::Response(answers, Effect::Final, response) => self.final_response(answers, response, turn),
            HttpEvent::Response(answers, Effect::Switched, response) => self.switched(answers, response, turn),
            HttpEvent::Http2(answers, response) => {
                if let Some(pending) = answers.and_then(|number| self.request_of(number)).filter(|one| one.certain) {
                    refuse(pending.request, Some(response.response), &mut self.attempts, turn);
                }
                let upgrade = self.upgrade.take().filter(|(number, _)| answers == Some(*number));
                Next::Http2(upgrade.map_or_else(UpgradeSettings::default, |(_, settings)| settings))
            }
            HttpEvent::Garbage(instead) => {
                if let Some(pending) = self.pending_requests.pop_front_if(|one| instead.is_some() && one.certain) {
                    refuse_garbled(pending.request, instead, &mut self.attempts, turn);
                }
                self.refuse_all(turn);
                Next::Http
            }
            HttpEvent::Gap if turn.shared.mid_stream => Next::Midstream(Box::new(self.midstream(turn))),
            HttpEvent::Gap => Next::Http,
        }
    }

    /// A request for a WebSocket, or one that may be.
    fn request<S: Sink>(&mut self, pending: PendingRequest, turn: &mut Turn<'_, S>) -> Next {
        if let Some(early) = self.take_early_response() {
            return self.switch(Some(pending), early, turn);
        }
        match self.response_of(pending.number) {
            Some(response) if pending.certain => {
                refuse(pending.request, Some(response), &mut self.attempts, turn);
            }
            Some(_) => {}
            None => {
                self.texts += pending.request.held();
                self.pending_requests.push_back(pending);
            }
        }
        Next::Http
    }

    /// A response that leaves the connection HTTP; `answers` is the number of its request.
    fn final_response<S: Sink>(
        &mut self,
        answers: Option<u64>,
        response: Option<Box<EarlyResponse>>,
        turn: &mut Turn<'_, S>,
    ) -> Next {
        let pending = answers.and_then(|number| self.request_of(number)).filter(|pending| pending.certain);
        match (pending, response, self.h1.early_response()) {
            (Some(pending), Some(response), _) => {
                refuse(pending.request, Some(response.response), &mut self.attempts, turn);
            }
            (None, Some(response), Some(number))
                if answers.is_none() && self.unmatched_responses.len() < MAX_UNMATCHED =>
            {
                self.texts += response.response.held();
                self.unmatched_responses.push_back((number, response.response));
            }
            _ => {}
        }
        Next::Http
    }

    /// A 101; `answers` is the number of its request.
    fn switched<S: Sink>(
        &mut self,
        answers: Option<u64>,
        response: Option<Box<EarlyResponse>>,
        turn: &mut Turn<'_, S>,
    ) -> Next {
        let Some(response) = response else { return Next::Opaque };
        match answers.map(|number| self.request_of(number)) {
            Some(pending @ Some(_)) => self.switch(pending, *response, turn),
            Some(None) => Next::Opaque,
            None => {
                self.texts += response.response.held();
                self.early_response = Some(*response);
                Next::Http
            }
        }
    }

    /// Perhaps frames follow: a gap took the head that would show it.
    fn midstream<S: Sink>(&mut self, turn: &Turn<'_, S>) -> Midstream {
        let (after, limits) = (self.h1.is_paused(), &turn.shared.limits);
        let pending = self.pending_requests.pop_back();
        if let Some(pending) = &pending {
            self.texts = self.texts.saturating_sub(pending.request.held());
        }
        match pending.filter(|pending| pending.certain) {
            Some(pending) if after && pending.complete => Midstream::after_request(pending.request, limits),
            pending => Midstream::new(pending.map(|pending| pending.request), turn.flow.carrier.oriented, limits),
        }
    }

    fn next_request(&mut self) -> Option<PendingRequest> {
        let pending = self.pending_requests.pop_front()?;
        self.texts = self.texts.saturating_sub(pending.request.held());
        Some(pending)
    }

    fn take_early_response(&mut self) -> Option<EarlyResponse> {
        let early = self.early_response.take()?;
        self.texts = self.texts.saturating_sub(early.response.held());
        Some(early)
    }

    /// The request of that number, if it asked for a WebSocket. Those before it got no response, which pipelining does not
    /// allow.
    fn request_of(&mut self, number: u64) -> Option<PendingRequest> {
        while self.pending_requests.front().is_some_and(|front| front.number <= number) {
            let pending = self.next_request()?;
            if pending.number == number {
                return Some(pending);
            }
        }
        None
    }

    /// The response to the request of that number, where the capture had it first.
    fn response_of(&mut self, number: u64) -> Option<CheckedResponse> {
        while self.unmatched_responses.front().is_some_and(|front| front.0 <= number) {
            let (answers, response) = self.unmatched_responses.pop_front()?;
            self.texts = self.texts.saturating_sub(response.held());
            if answers == number {
                return Some(response);
            }
        }
        None
    }

    /// The connection becomes a WebSocket.
    fn switch<S: Sink>(
        &mut self,
        pending: Option<PendingRequest>,
        early: EarlyResponse,
        turn: &mut Turn<'_, S>,
    ) -> Next {
        let identity = identify(&mut self.attempts, turn);
        let request_complete = pending.as_ref().map_or(!self.has_gap, |pending| pending.complete);
        let mut judged = check_handshake(pending.map(|pending| pending.request), Some(early.response));
        if !early.complete && judged.handshake.negotiated.deflate.is_none() {
            judged.handshake.negotiated.deflate = assumed().deflate;
        }
        let mut websocket = WebSocket::open(identity, judged, turn);
        // It is new: all of it is counted when the turn is over.
        if !request_complete {
            websocket.begin_lost(Direction::ToServer, turn).counted_anyway();
        }
        if !early.complete {
            websocket.begin_lost(Direction::ToClient, turn).counted_anyway();
        }
        for (direction, violation, seen) in self.faults.drain(..) {
            websocket.fault(direction, violation, &mut turn.at(seen)).counted_anyway();
        }
        Next::WebSocket(Box::new(websocket))
    }

    /// All requests for a WebSocket came to nothing.
    fn refuse_all<S: Sink>(&mut self, turn: &mut Turn<'_, S>) {
        while let Some(pending) = self.next_request() {
            if pending.certain {
                refuse(pending.request, None, &mut self.attempts, turn);
            }
        }
    }
}

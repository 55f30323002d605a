//! The server's direction of an HTTP/1.1 connection (machine): a head, its body, the next head, up to the place where
//! HTTP ends.

use super::body::{Body, Framing, Progress, Traits};
use super::collect::{Collector, Found};
use super::exchange::{Exchange, Kind};
use super::h1::{Effect, Loss, Step};
use super::parse;
use super::sniff::{self, Guess, SNIFF_BYTES};
use crate::types::Limits;

/// The responses of one connection.
#[derive(Debug)]
pub(super) struct Responses {
    state: State,
    head: Collector,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In a head, or before one.
    Head,
    Body(Body),
    /// What follows is no body: says so, then is lost.
    Faulty,
    /// HTTP is over: what follows is another protocol, or what is in a tunnel.
    Over,
    /// No longer in step. A chunk that begins with a status line ends this.
    Lost,
}

impl Responses {
    pub(super) const fn new(limits: &Limits) -> Self {
        Self { state: State::Head, head: Collector::new(limits.max_head_bytes) }
    }

    pub(super) fn next<'s, 'i: 's>(&'s mut self, exchange: &mut Exchange, input: &mut &'i [u8]) -> Option<Step<'s>> {
        self.head.release();
        while !input.is_empty() {
            match &mut self.state {
                State::Over => return None,
                State::Faulty => return Some(self.lose(exchange, input, Loss::Framing)),
                State::Lost if !begins_response(input) => *input = &[],
                State::Lost => self.state = State::Head,
                State::Body(body) => match body.skip(input) {
                    Progress::More => {}
                    Progress::Done => self.state = State::Head,
                    Progress::Broken => return Some(self.lose(exchange, input, Loss::Framing)),
                },
                State::Head => match self.find(input) {
                    Ok(Found::More) => {}
                    Ok(Found::Lent(bytes)) => return Some(answered(&mut self.state, exchange, bytes)),
                    Ok(Found::Collected) => return Some(answered(&mut self.state, exchange, self.head.bytes())),
                    Ok(Found::TooLong) => return Some(self.lose(exchange, input, Loss::HeadTooLong)),
                    Err(NotHttp) => return Some(self.lose(exchange, input, Loss::NotHttp)),
                },
            }
        }
        None
    }

    /// Searches for the end of a head, if this can be one.
    fn find<'i>(&mut self, input: &mut &'i [u8]) -> Result<Found<'i>, NotHttp> {
        self.head.skip_empty_lines(input);
        if input.is_empty() {
            return Ok(Found::More);
        }
        match sniff::response(self.head.start(input, &mut [0; SNIFF_BYTES])) {
            Guess::No => Err(NotHttp),
            Guess::Yes | Guess::More => Ok(self.head.find(input)),
        }
    }

    fn lose(&mut self, exchange: &mut Exchange, input: &mut &[u8], loss: Loss) -> Step<'static> {
        *input = &[];
        self.head.clear();
        self.state = State::Lost;
        exchange.lose_responses();
        Step::Lost(loss)
    }

    pub(super) fn gap(&mut self, exchange: &mut Exchange, len: Option<u64>) -> Option<Step<'_>> {
        self.head.release();
        if let State::Body(body) = &mut self.state
            && body.gap(len)
        {
            return None;
        }
        match self.state {
            State::Over | State::Lost => None,
            State::Head if self.head.is_open() => Some(self.cut(exchange).unwrap_or(Step::Lost(Loss::Gap))),
            _ => Some(self.lose(exchange, &mut &[][..], Loss::Gap)),
        }
    }

    pub(super) fn finish(&mut self, exchange: &mut Exchange) -> Option<Step<'_>> {
        self.head.release();
        if self.head.is_open() { self.cut(exchange) } else { None }
    }

    /// What is known of a head whose rest is missing.
    fn cut(&mut self, exchange: &mut Exchange) -> Option<Step<'_>> {
        self.head.spend();
        self.state = State::Lost;
        let Some((head, _)) = parse::response(self.head.bytes(), false) else {
            exchange.lose_responses();
            return None;
        };
        let (answers, effect) = pair(exchange, head.status);
        if effect.ends_http() {
            self.state = State::Over;
        } else {
            exchange.lose_responses();
        }
        Some(Step::Response { head, answers: answers.map(|(number, _)| number), effect })
    }

    pub(super) const fn is_lost(&self) -> bool {
        matches!(self.state, State::Lost)
    }

    /// Whether everything to come is the body of the last response.
    pub(super) const fn is_last(&self) -> bool {
        matches!(self.state, State::Body(Body::UntilEnd))
    }

    pub(super) const fn allocated(&self) -> usize {
        self.head.allocated()
    }

    pub(super) fn is_in_head(&self) -> bool {
        self.head.is_open()
    }

    /// Lets go of a head that is not whole.
    pub(super) fn shed(&mut self, exchange: &mut Exchange) {
        self.head.release();
        if self.head.is_open() {
            _ = self.lose(exchange, &mut &[][..], Loss::Gap);
        }
    }

    pub(super) const fn held(&self) -> usize {
        self.head.held()
    }
}

/// What begins here is no response.
struct NotHttp;

/// A head is complete: what it says, and the state behind it.
fn answered<'a>(state: &mut State, exchange: &mut Exchange, bytes: &'a [u8]) -> Step<'a> {
    let Some((head, traits)) = parse::response(bytes, true) else {
        *state = State::Lost;
        exchange.lose_responses();
        return Step::Lost(Loss::NotHttp);
    };
    let (answers, effect) = pair(exchange, head.status);
    *state = match effect {
        Effect::Interim => State::Head,
        Effect::Switched | Effect::Tunnel => State::Over,
        Effect::Final => body(&traits, head.status, answers.map(|(_, kind)| kind)),
    };
    Step::Response { head, answers: answers.map(|(number, _)| number), effect }
}

/// The request that a response with that status answers, and what it does to the connection.
fn pair(exchange: &mut Exchange, status: u16) -> (Option<(u64, Kind)>, Effect) {
    let answers = exchange.front();
    let effect = match (status, answers) {
        (101, _) => Effect::Switched,
        (100..200, _) => Effect::Interim,
        (200..300, Some((_, Kind::Connect))) => Effect::Tunnel,
        _ => Effect::Final,
    };
    if effect != Effect::Interim {
        exchange.pop();
    }
    (answers, effect)
}

/// RFC 9112 §6.3: what the request and the status take away, then what the fields say.
const fn body(traits: &Traits, status: u16, kind: Option<Kind>) -> State {
    let framing = match (status, kind) {
        (204 | 304, _) | (_, Some(Kind::Head)) => Framing::Length(0),
        _ => Framing::of_response(traits),
    };
    match (framing, Body::new(framing)) {
        (Framing::Length(0), _) => State::Head,
        // An unknown request may have been a HEAD or a CONNECT: then there is no body, and heads follow.
        (Framing::UntilEnd, _) if kind.is_none() => State::Lost,
        (_, Some(body)) => State::Body(body),
        (_, None) => State::Faulty,
    }
}

/// Whether a chunk begins with a status line, at least up to its code.
fn begins_response(chunk: &[u8]) -> bool {
    sniff::response(chunk) == Guess::Yes && parse::status_line(parse::first_line(chunk)).is_some()
}

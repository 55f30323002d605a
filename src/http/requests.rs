//! The client's direction of an HTTP/1.1 connection (machine): a head, its body, the next head; and a pause where the
//! response must say what comes next.

use super::body::{Body, Framing, Progress};
use super::collect::{Collector, Found};
use super::exchange::{Exchange, Kind, Pushed};
use super::h1::{Loss, Step};
use super::head::Wants;
use super::parse;
use super::sniff::{self, Guess, SNIFF_BYTES};
use crate::types::Limits;

/// The requests of one connection.
#[derive(Debug)]
pub(super) struct Requests {
    state: State,
    head: Collector,
    /// A 101 came that belongs to no request seen so far: what is no request is the new protocol.
    switched: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In a head, or before one.
    Head,
    /// In a body; whether the machine pauses behind it.
    Body(Body, Pause),
    /// What follows is no body: says so, then is lost.
    Faulty,
    /// The response to the latest request decides; whether that request's head was captured whole, so that the next
    /// request would begin right here.
    Paused { whole: bool },
    /// No longer in step. A chunk that begins with a request line ends this.
    Lost,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pause {
    Yes,
    No,
}

impl Requests {
    pub(super) const fn new(limits: &Limits) -> Self {
        Self { state: State::Head, head: Collector::new(limits.max_head_bytes), switched: false }
    }

    pub(super) fn next<'s, 'i: 's>(&'s mut self, exchange: &mut Exchange, input: &mut &'i [u8]) -> Option<Step<'s>> {
        self.head.release();
        while !input.is_empty() {
            match &mut self.state {
                State::Paused { .. } => return None,
                State::Faulty => return Some(self.lose(exchange, input, Loss::Framing)),
                State::Lost if !begins_request(input) => *input = &[],
                State::Lost => self.state = State::Head,
                State::Body(body, pause) => match (body.skip(input), *pause) {
                    (Progress::More, _) => {}
                    (Progress::Done, pause) => self.state = State::after_body(pause),
                    // A body that never came: the client went on in the new protocol at once.
                    (Progress::Broken, Pause::Yes) => self.state = State::Paused { whole: true },
                    (Progress::Broken, Pause::No) => return Some(self.lose(exchange, input, Loss::Framing)),
                },
                State::Head => match self.find(input) {
                    Ok(Found::More) => {}
                    Ok(Found::Lent(bytes)) => return Some(asked(&mut self.state, self.switched, exchange, bytes)),
                    Ok(Found::Collected) => {
                        let bytes = self.head.bytes();
                        return Some(asked(&mut self.state, self.switched, exchange, bytes));
                    }
                    Ok(Found::TooLong) => return Some(self.lose(exchange, input, Loss::HeadTooLong)),
                    Err(NotHttp) if self.switched => self.state = State::Paused { whole: true },
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
        match sniff::request(self.head.start(input, &mut [0; SNIFF_BYTES])) {
            Guess::No => Err(NotHttp),
            Guess::Yes | Guess::More => Ok(self.head.find(input)),
        }
    }

    fn lose(&mut self, exchange: &mut Exchange, input: &mut &[u8], loss: Loss) -> Step<'static> {
        *input = &[];
        self.head.clear();
        self.state = State::Lost;
        exchange.lose_requests();
        Step::Lost(loss)
    }

    pub(super) fn gap(&mut self, exchange: &mut Exchange, len: Option<u64>) -> Option<Step<'_>> {
        self.head.release();
        if let State::Body(body, _) = &mut self.state
            && body.gap(len)
        {
            return None;
        }
        match self.state {
            State::Paused { .. } | State::Lost => None,
            State::Head if self.head.is_open() => Some(self.cut(exchange).unwrap_or(Step::Lost(Loss::Gap))),
            _ if self.switched => {
                self.state = State::Paused { whole: false };
                None
            }
            _ => Some(self.lose(exchange, &mut &[][..], Loss::Gap)),
        }
    }

    pub(super) fn finish(&mut self, exchange: &mut Exchange) -> Option<Step<'_>> {
        self.head.release();
        if self.head.is_open() { self.cut(exchange) } else { None }
    }

    /// What is known of a head whose rest is missing. The response says what follows it.
    fn cut(&mut self, exchange: &mut Exchange) -> Option<Step<'_>> {
        self.head.spend();
        self.state = State::Lost;
        let parsed = parse::request(self.head.bytes(), false);
        let number = exchange.next_number();
        if let Some((head, _)) = &parsed {
            exchange.push(Kind::of(head.method));
            self.state = State::Paused { whole: false };
        }
        exchange.lose_requests();
        parsed.map(|(head, _)| Step::Request { number, head })
    }

    pub(super) const fn is_paused(&self) -> bool {
        matches!(self.state, State::Paused { .. })
    }

    pub(super) const fn is_lost(&self) -> bool {
        matches!(self.state, State::Lost)
    }

    /// The response to the latest request was an ordinary one: what follows are requests.
    pub(super) fn resume(&mut self) {
        match &mut self.state {
            State::Paused { whole: true } => self.state = State::Head,
            State::Paused { whole: false } => self.state = State::Lost,
            State::Body(_, pause) => *pause = Pause::No,
            State::Head | State::Faulty | State::Lost => {}
        }
    }

    /// A response ended HTTP. `known`: it answers a request that was seen; nothing of HTTP follows that one.
    pub(super) fn switch(&mut self, known: bool) {
        match &mut self.state {
            State::Lost | State::Faulty => self.state = State::Paused { whole: false },
            State::Head if known && !self.head.is_open() => self.state = State::Paused { whole: true },
            State::Body(_, pause) => *pause = Pause::Yes,
            State::Head => self.switched = true,
            State::Paused { .. } => {}
        }
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

impl State {
    const fn after_body(pause: Pause) -> Self {
        match pause {
            Pause::Yes => Self::Paused { whole: true },
            Pause::No => Self::Head,
        }
    }
}

/// What begins here is no request.
struct NotHttp;

/// A head is complete: what it says, and the state behind it.
fn asked<'a>(state: &mut State, switched: bool, exchange: &mut Exchange, bytes: &'a [u8]) -> Step<'a> {
    let Some((head, framing)) = parse::request(bytes, true) else {
        *state = State::Lost;
        exchange.lose_requests();
        return Step::Lost(Loss::NotHttp);
    };
    let number = exchange.next_number();
    let pushed = exchange.push(Kind::of(head.method));
    let pause = match pushed {
        _ if switched => Pause::Yes,
        Pushed::Waits if head.wants != Wants::Response => Pause::Yes,
        _ => Pause::No,
    };
    *state = match (framing, Body::new(framing)) {
        (Framing::Length(0), _) => State::after_body(pause),
        (_, Some(body)) => State::Body(body, pause),
        (_, None) if pause == Pause::Yes => State::Paused { whole: true },
        (_, None) => State::Faulty,
    };
    if pushed == Pushed::Full {
        *state = State::Lost;
        return Step::Lost(Loss::TooManyRequests);
    }
    Step::Request { number, head }
}

/// Whether a chunk begins with a request line, whole and with its version.
fn begins_request(chunk: &[u8]) -> bool {
    sniff::request(chunk) != Guess::No && parse::request_line(parse::first_line(chunk)).is_some()
}

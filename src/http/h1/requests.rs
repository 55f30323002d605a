//! The client's direction of an HTTP/1.1 connection (machine): a head, its body, the next head; and a pause where the
//! response decides what comes next.

use super::body::{Body, BodyProgress};
use super::event::{H1Event, H1Loss};
use super::framing::Framing;
use super::head_collector::{HeadCollector, HeadSearch};
use super::parse;
use super::pipeline::{Enqueued, Pipeline, RequestKind};
use crate::http::head::Wants;
use crate::http::sniff::{self, Match, SNIFF_BYTES};
use crate::http::start_line::{first_line, request_line};
use crate::types::Limits;

/// The requests of one connection.
#[derive(Debug)]
pub(super) struct Requests {
    state: State,
    head: HeadCollector,
    /// A 101 came whose request has not: bytes that are no request belong to the new protocol.
    switched: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In a head, or before one.
    Head,
    /// In a body; whether to pause after it.
    Body(Body, Pause),
    /// In a body without a certain end: lost with the next byte.
    InvalidBody,
    /// The response to the latest request decides. `complete` if that request's head was captured completely, so that the
    /// next request would begin right here.
    Paused { complete: bool },
    /// Out of step, until a chunk begins with a request line.
    Lost,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pause {
    Yes,
    No,
}

impl Requests {
    pub(super) const fn new(limits: &Limits) -> Self {
        Self { state: State::Head, head: HeadCollector::new(limits.max_head_bytes), switched: false }
    }

    pub(super) fn next<'s, 'i: 's>(&'s mut self, pipeline: &mut Pipeline, input: &mut &'i [u8]) -> Option<H1Event<'s>> {
        self.head.release();
        while !input.is_empty() {
            match &mut self.state {
                State::Paused { .. } => return None,
                State::InvalidBody => return Some(self.lose(pipeline, input, H1Loss::Framing)),
                State::Lost if !begins_request(input) => *input = &[],
                State::Lost => self.state = State::Head,
                State::Body(body, pause) => match (body.skip(input), *pause) {
                    (BodyProgress::NeedMore, _) => {}
                    (BodyProgress::Done, pause) => self.state = State::after_body(pause),
                    // There was no body: the client went on in the new protocol at once.
                    (BodyProgress::Broken, Pause::Yes) => self.state = State::Paused { complete: true },
                    (BodyProgress::Broken, Pause::No) => return Some(self.lose(pipeline, input, H1Loss::Framing)),
                },
                State::Head => match self.find(input) {
                    Ok(HeadSearch::NeedMore) => {}
                    Ok(HeadSearch::Borrowed(bytes)) => {
                        return Some(request(&mut self.state, self.switched, pipeline, bytes));
                    }
                    Ok(HeadSearch::Collected) => {
                        let bytes = self.head.bytes();
                        return Some(request(&mut self.state, self.switched, pipeline, bytes));
                    }
                    Ok(HeadSearch::TooLong) => return Some(self.lose(pipeline, input, H1Loss::HeadTooLong)),
                    Err(NotHttp) if self.switched => self.state = State::Paused { complete: true },
                    Err(NotHttp) => return Some(self.lose(pipeline, input, H1Loss::NotHttp)),
                },
            }
        }
        None
    }

    /// Searches for the end of a head, unless the bytes cannot be one.
    fn find<'i>(&mut self, input: &mut &'i [u8]) -> Result<HeadSearch<'i>, NotHttp> {
        self.head.skip_empty_lines(input);
        if input.is_empty() {
            return Ok(HeadSearch::NeedMore);
        }
        match sniff::request(self.head.start(input, &mut [0; SNIFF_BYTES])) {
            Match::No => Err(NotHttp),
            Match::Yes | Match::NeedMore => Ok(self.head.find(input)),
        }
    }

    fn lose(&mut self, pipeline: &mut Pipeline, input: &mut &[u8], loss: H1Loss) -> H1Event<'static> {
        *input = &[];
        self.head.clear();
        self.state = State::Lost;
        pipeline.lose_requests();
        H1Event::Lost(loss)
    }

    pub(super) fn gap(&mut self, pipeline: &mut Pipeline, len: Option<u64>) -> Option<H1Event<'_>> {
        self.head.release();
        if let State::Body(body, _) = &mut self.state
            && body.gap(len)
        {
            return None;
        }
        match self.state {
            State::Paused { .. } | State::Lost => None,
            State::Head if self.head.is_open() => Some(self.cut(pipeline).unwrap_or(H1Event::Lost(H1Loss::Gap))),
            _ if self.switched => {
                self.state = State::Paused { complete: false };
                None
            }
            _ => Some(self.lose(pipeline, &mut &[][..], H1Loss::Gap)),
        }
    }

    pub(super) fn finish(&mut self, pipeline: &mut Pipeline) -> Option<H1Event<'_>> {
        self.head.release();
        if self.head.is_open() { self.cut(pipeline) } else { None }
    }

    /// The rest of the head at hand is missing: gives what there is of it. The response decides what follows.
    fn cut(&mut self, pipeline: &mut Pipeline) -> Option<H1Event<'_>> {
        self.head.spend();
        self.state = State::Lost;
        let parsed = parse::request(self.head.bytes(), false);
        let number = pipeline.next_number();
        if let Some((head, _)) = &parsed {
            pipeline.push(RequestKind::of(head.method));
            self.state = State::Paused { complete: false };
        }
        pipeline.lose_requests();
        parsed.map(|(head, _)| H1Event::Request { number, head })
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
            State::Paused { complete: true } => self.state = State::Head,
            State::Paused { complete: false } => self.state = State::Lost,
            State::Body(_, pause) => *pause = Pause::No,
            State::Head | State::InvalidBody | State::Lost => {}
        }
    }

    /// A response ended HTTP. `known` if its request was seen: no HTTP follows that request.
    pub(super) fn switch(&mut self, known: bool) {
        match &mut self.state {
            State::Lost | State::InvalidBody => self.state = State::Paused { complete: false },
            State::Head if known && !self.head.is_open() => self.state = State::Paused { complete: true },
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

    /// Frees an incomplete head.
    pub(super) fn shed(&mut self, pipeline: &mut Pipeline) {
        self.head.release();
        if self.head.is_open() {
            _ = self.lose(pipeline, &mut &[][..], H1Loss::Gap);
        }
    }

    pub(super) const fn held(&self) -> usize {
        self.head.held()
    }
}

impl State {
    const fn after_body(pause: Pause) -> Self {
        match pause {
            Pause::Yes => Self::Paused { complete: true },
            Pause::No => Self::Head,
        }
    }
}

/// Something other than a request begins here.
struct NotHttp;

/// A head is complete: gives it, and sets the state after it.
fn request<'a>(state: &mut State, switched: bool, pipeline: &mut Pipeline, bytes: &'a [u8]) -> H1Event<'a> {
    let Some((head, framing)) = parse::request(bytes, true) else {
        *state = State::Lost;
        pipeline.lose_requests();
        return H1Event::Lost(H1Loss::NotHttp);
    };
    let number = pipeline.next_number();
    let pushed = pipeline.push(RequestKind::of(head.method));
    let pause = match pushed {
        _ if switched => Pause::Yes,
        Enqueued::Pending if head.wants != Wants::Response => Pause::Yes,
        _ => Pause::No,
    };
    *state = match (framing, Body::new(framing)) {
        (Framing::Length(0), _) => State::after_body(pause),
        (_, Some(body)) => State::Body(body, pause),
        (_, None) if pause == Pause::Yes => State::Paused { complete: true },
        (_, None) => State::InvalidBody,
    };
    if pushed == Enqueued::Full {
        *state = State::Lost;
        return H1Event::Lost(H1Loss::TooManyRequests);
    }
    H1Event::Request { number, head }
}

/// Whether a chunk begins with a complete request line.
fn begins_request(chunk: &[u8]) -> bool {
    sniff::request(chunk) != Match::No && request_line(first_line(chunk)).is_some()
}

//! The client's direction of an HTTP/1.1 connection (machine): a head, its body, the next head; and a pause where the
//! response must say what comes next.

use super::body::{Body, BodyProgress, Framing};
use super::h1::{H1Event, H1Loss};
use super::head::Wants;
use super::head_collector::{HeadCollector, HeadSearch};
use super::parse;
use super::pipeline::{Enqueued, Pipeline, RequestKind};
use super::sniff::{self, Match, SNIFF_BYTES};
use crate::types::Limits;

/// The requests of one connection.
#[derive(Debug)]
pub(super) struct Requests {
    state: State,
    head: HeadCollector,
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
        Self { state: State::Head, head: HeadCollector::new(limits.max_head_bytes), switched: false }
    }

    pub(super) fn next<'s, 'i: 's>(&'s mut self, pipeline: &mut Pipeline, input: &mut &'i [u8]) -> Option<H1Event<'s>> {
        self.head.release();
        while !input.is_empty() {
            match &mut self.state {
                State::Paused { .. } => return None,
                State::Faulty => return Some(self.lose(pipeline, input, H1Loss::Framing)),
                State::Lost if !begins_request(input) => *input = &[],
                State::Lost => self.state = State::Head,
                State::Body(body, pause) => match (body.skip(input), *pause) {
                    (BodyProgress::NeedMore, _) => {}
                    (BodyProgress::Done, pause) => self.state = State::after_body(pause),
                    // A body that never came: the client went on in the new protocol at once.
                    (BodyProgress::Broken, Pause::Yes) => self.state = State::Paused { whole: true },
                    (BodyProgress::Broken, Pause::No) => return Some(self.lose(pipeline, input, H1Loss::Framing)),
                },
                State::Head => match self.find(input) {
                    Ok(HeadSearch::NeedMore) => {}
                    Ok(HeadSearch::Borrowed(bytes)) => {
                        return Some(asked(&mut self.state, self.switched, pipeline, bytes));
                    }
                    Ok(HeadSearch::Collected) => {
                        let bytes = self.head.bytes();
                        return Some(asked(&mut self.state, self.switched, pipeline, bytes));
                    }
                    Ok(HeadSearch::TooLong) => return Some(self.lose(pipeline, input, H1Loss::HeadTooLong)),
                    Err(NotHttp) if self.switched => self.state = State::Paused { whole: true },
                    Err(NotHttp) => return Some(self.lose(pipeline, input, H1Loss::NotHttp)),
                },
            }
        }
        None
    }

    /// Searches for the end of a head, if this can be one.
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
                self.state = State::Paused { whole: false };
                None
            }
            _ => Some(self.lose(pipeline, &mut &[][..], H1Loss::Gap)),
        }
    }

    pub(super) fn finish(&mut self, pipeline: &mut Pipeline) -> Option<H1Event<'_>> {
        self.head.release();
        if self.head.is_open() { self.cut(pipeline) } else { None }
    }

    /// What is known of a head whose rest is missing. The response says what follows it.
    fn cut(&mut self, pipeline: &mut Pipeline) -> Option<H1Event<'_>> {
        self.head.spend();
        self.state = State::Lost;
        let parsed = parse::request(self.head.bytes(), false);
        let number = pipeline.next_number();
        if let Some((head, _)) = &parsed {
            pipeline.push(RequestKind::of(head.method));
            self.state = State::Paused { whole: false };
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
            Pause::Yes => Self::Paused { whole: true },
            Pause::No => Self::Head,
        }
    }
}

/// What begins here is no request.
struct NotHttp;

/// A head is complete: what it says, and the state behind it.
fn asked<'a>(state: &mut State, switched: bool, pipeline: &mut Pipeline, bytes: &'a [u8]) -> H1Event<'a> {
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
        (_, None) if pause == Pause::Yes => State::Paused { whole: true },
        (_, None) => State::Faulty,
    };
    if pushed == Enqueued::Full {
        *state = State::Lost;
        return H1Event::Lost(H1Loss::TooManyRequests);
    }
    H1Event::Request { number, head }
}

/// Whether a chunk begins with a request line, whole and with its version.
fn begins_request(chunk: &[u8]) -> bool {
    sniff::request(chunk) != Match::No && parse::request_line(parse::first_line(chunk)).is_some()
}

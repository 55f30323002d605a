//! The server's direction of an HTTP/1.1 connection (machine): a head, its body, the next head, up to the place where
//! HTTP ends.

use super::body::{Body, BodyProgress};
use super::event::{Effect, H1Event, H1Loss};
use super::framing::{Framing, FramingFields};
use super::head_collector::{HeadCollector, HeadSearch};
use super::parse;
use super::pipeline::{Pipeline, RequestKind};
use crate::http::sniff::{self, Match, SNIFF_BYTES};
use crate::http::start_line::{first_line, status_line};
use crate::types::Limits;

/// The responses of one connection.
#[derive(Debug)]
pub(super) struct Responses {
    state: State,
    head: HeadCollector,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In a head, or before one.
    Head,
    Body(Body),
    /// In a body without a certain end: lost with the next byte.
    InvalidBody,
    /// HTTP is over: another protocol or a tunnel follows.
    Over,
    /// Out of step, until a chunk begins with a status line.
    Lost,
}

impl Responses {
    pub(super) const fn new(limits: &Limits) -> Self {
        Self { state: State::Head, head: HeadCollector::new(limits.max_head_bytes) }
    }

    pub(super) fn next<'s, 'i: 's>(&'s mut self, pipeline: &mut Pipeline, input: &mut &'i [u8]) -> Option<H1Event<'s>> {
        self.head.release();
        while !input.is_empty() {
            match &mut self.state {
                State::Over => return None,
                State::InvalidBody => return Some(self.lose(pipeline, input, H1Loss::Framing)),
                State::Lost if !begins_response(input) => *input = &[],
                State::Lost => self.state = State::Head,
                State::Body(body) => match body.skip(input) {
                    BodyProgress::NeedMore => {}
                    BodyProgress::Done => self.state = State::Head,
                    BodyProgress::Broken => return Some(self.lose(pipeline, input, H1Loss::Framing)),
                },
                State::Head => match self.find(input) {
                    Ok(HeadSearch::NeedMore) => {}
                    Ok(HeadSearch::Borrowed(bytes)) => return Some(response(&mut self.state, pipeline, bytes)),
                    Ok(HeadSearch::Collected) => return Some(response(&mut self.state, pipeline, self.head.bytes())),
                    Ok(HeadSearch::TooLong) => return Some(self.lose(pipeline, input, H1Loss::HeadTooLong)),
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
        match sniff::response(self.head.start(input, &mut [0; SNIFF_BYTES])) {
            Match::No => Err(NotHttp),
            Match::Yes | Match::NeedMore => Ok(self.head.find(input)),
        }
    }

    fn lose(&mut self, pipeline: &mut Pipeline, input: &mut &[u8], loss: H1Loss) -> H1Event<'static> {
        *input = &[];
        self.head.clear();
        self.state = State::Lost;
        pipeline.lose_responses();
        H1Event::Lost(loss)
    }

    pub(super) fn gap(&mut self, pipeline: &mut Pipeline, len: Option<u64>) -> Option<H1Event<'_>> {
        self.head.release();
        if let State::Body(body) = &mut self.state
            && body.gap(len)
        {
            return None;
        }
        match self.state {
            State::Over | State::Lost => None,
            State::Head if self.head.is_open() => Some(self.cut(pipeline).unwrap_or(H1Event::Lost(H1Loss::Gap))),
            _ => Some(self.lose(pipeline, &mut &[][..], H1Loss::Gap)),
        }
    }

    pub(super) fn finish(&mut self, pipeline: &mut Pipeline) -> Option<H1Event<'_>> {
        self.head.release();
        if self.head.is_open() { self.cut(pipeline) } else { None }
    }

    /// The rest of the head at hand is missing: gives what there is of it.
    fn cut(&mut self, pipeline: &mut Pipeline) -> Option<H1Event<'_>> {
        self.head.spend();
        self.state = State::Lost;
        let Some((head, _)) = parse::response(self.head.bytes(), false) else {
            pipeline.lose_responses();
            return None;
        };
        let (request, effect) = pair(pipeline, head.status);
        if effect.ends_http() {
            self.state = State::Over;
        } else {
            pipeline.lose_responses();
        }
        Some(H1Event::Response { head, request: request.map(|(number, _)| number), effect })
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

/// Something other than a response begins here.
struct NotHttp;

/// A head is complete: gives it, and sets the state after it.
fn response<'a>(state: &mut State, pipeline: &mut Pipeline, bytes: &'a [u8]) -> H1Event<'a> {
    let Some((head, fields)) = parse::response(bytes, true) else {
        *state = State::Lost;
        pipeline.lose_responses();
        return H1Event::Lost(H1Loss::NotHttp);
    };
    let (request, effect) = pair(pipeline, head.status);
    *state = match effect {
        Effect::Interim => State::Head,
        Effect::Switched | Effect::Tunnel => State::Over,
        Effect::Final => body(&fields, head.status, request.map(|(_, kind)| kind)),
    };
    H1Event::Response { head, request: request.map(|(number, _)| number), effect }
}

/// The request that a response with that status answers, and what the response does to the connection.
fn pair(pipeline: &mut Pipeline, status: u16) -> (Option<(u64, RequestKind)>, Effect) {
    let request = pipeline.front();
    let effect = match (status, request) {
        (101, _) => Effect::Switched,
        (100..200, _) => Effect::Interim,
        (200..300, Some((_, RequestKind::Connect))) => Effect::Tunnel,
        _ => Effect::Final,
    };
    if effect != Effect::Interim {
        pipeline.pop();
    }
    (request, effect)
}

/// The state after a final response's head (RFC 9112 §6.3): the request and the status may rule out a body, otherwise the
/// fields delimit it.
const fn body(fields: &FramingFields, status: u16, kind: Option<RequestKind>) -> State {
    let framing = match (status, kind) {
        (204 | 304, _) | (_, Some(RequestKind::Head)) => Framing::Length(0),
        _ => Framing::of_response(fields),
    };
    match (framing, Body::new(framing)) {
        (Framing::Length(0), _) => State::Head,
        // An unknown request may have been a HEAD or a CONNECT: then there is no body, and heads follow.
        (Framing::UntilEnd, _) if kind.is_none() => State::Lost,
        (_, Some(body)) => State::Body(body),
        (_, None) => State::InvalidBody,
    }
}

/// Whether a chunk begins with a status line, at least up to its code.
fn begins_response(chunk: &[u8]) -> bool {
    sniff::response(chunk) == Match::Yes && status_line(first_line(chunk)).is_some()
}

//! A connection while it speaks HTTP/1.1: looks for requests for a WebSocket, and for what becomes of them.

use std::collections::VecDeque;

use super::session::identify;
use super::shared::Out;
use super::websocket::{self, WebSocket};
use crate::event::Sink;
use crate::ground::{Direction, Limits, Seen};
use crate::http::{Effect, H1, Loss, ResponseHead, Step};
use crate::tcp::{Flow, Run};
use crate::websocket::{Answered, Asked, is_websocket_attempt, judge};

/// One connection.
pub(super) struct Http {
    h1: H1,
    /// Requests for a WebSocket that were not answered yet, by their number in the connection.
    attempts: VecDeque<(u64, Asked)>,
    /// A 101 whose request has not come: the capture has it later, or not at all.
    early: Option<Answered>,
    /// Overlap conflicts so far.
    conflicts: Vec<(Direction, u64, Seen)>,
}

/// What follows HTTP.
pub(super) enum Next {
    /// More HTTP.
    Http,
    /// Frames.
    WebSocket(Box<WebSocket>),
    /// Anything.
    Tunnel,
    /// Nothing that is looked at.
    Opaque,
}

/// Overlap conflicts that are remembered until there is a connection to tell them of.
const MAX_CONFLICTS: usize = 16;

/// What a step asks for.
enum Found {
    Nothing,
    Request(u64, Box<Asked>),
    Response(Option<u64>, Effect, Option<Box<Answered>>),
    Garbage,
}

impl Http {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { h1: H1::new(limits), attempts: VecDeque::new(), early: None, conflicts: Vec::new() }
    }

    /// Two copies of the same bytes differ: told when there is a WebSocket to tell it of.
    pub(super) fn overlap_conflict(&mut self, direction: Direction, offset: u64, seen: Seen) {
        if self.conflicts.len() < MAX_CONFLICTS {
            self.conflicts.push((direction, offset, seen));
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
        seen: Seen,
        out: &mut Out<'_, S>,
    ) -> Result<(usize, Next), S::Error> {
        let must_wait = match direction {
            Direction::ToServer => self.h1.is_paused(),
            Direction::ToClient => self.early.is_some(),
        };
        match run {
            Run::Data(mut input) => loop {
                if direction == Direction::ToClient && self.early.is_some() {
                    return Ok((input.len(), Next::Http));
                }
                let Some(found) = self.h1.next(direction, &mut input).map(|step| found(&step, seen)) else {
                    return Ok((input.len(), Next::Http));
                };
                let next = self.act(found, flow, attempts, seen, out)?;
                if !matches!(next, Next::Http) {
                    return Ok((input.len(), next));
                }
            },
            _ if must_wait => Ok((1, Next::Http)),
            Run::Gap(len) => {
                let found = self.h1.gap(direction, len).map_or(Found::Nothing, |step| found(&step, seen));
                Ok((0, self.act(found, flow, attempts, seen, out)?))
            }
            Run::End(_) => {
                let found = self.h1.finish(direction).map_or(Found::Nothing, |step| found(&step, seen));
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
        seen: Seen,
        out: &mut Out<'_, S>,
    ) -> Result<Next, S::Error> {
        if let Some(response) = self.early.take() {
            return self.switch(None, response, flow, attempts, seen, out);
        }
        self.refuse_all(flow, attempts, seen, out)?;
        Ok(Next::Http)
    }

    /// Does what a step asks for.
    fn act<S: Sink>(
        &mut self,
        found: Found,
        flow: &Flow,
        attempts: &mut u32,
        seen: Seen,
        out: &mut Out<'_, S>,
    ) -> Result<Next, S::Error> {
        match found {
            Found::Nothing => Ok(Next::Http),
            Found::Request(number, request) => match self.early.take() {
                Some(response) => self.switch(Some(*request), response, flow, attempts, seen, out),
                None => {
                    self.attempts.push_back((number, *request));
                    Ok(Next::Http)
                }
            },
            Found::Response(_, Effect::Interim, _) => Ok(Next::Http),
            Found::Response(_, Effect::Tunnel, _) => Ok(Next::Tunnel),
            Found::Response(answers, effect, response) => {
                let request = answers.and_then(|number| self.answered(number));
                match (effect, request, response) {
                    (Effect::Final, Some(request), Some(response)) => {
                        self.refuse(request, Some(*response), flow, attempts, seen, out)?;
                        Ok(Next::Http)
                    }
                    (Effect::Final, ..) => Ok(Next::Http),
                    (_, request @ Some(_), Some(response)) => {
                        self.switch(request, *response, flow, attempts, seen, out)
                    }
                    (_, None, Some(response)) if answers.is_none() => {
                        self.early = Some(*response);
                        Ok(Next::Http)
                    }
                    _ => Ok(Next::Opaque),
                }
            }
            Found::Garbage => {
                self.refuse_all(flow, attempts, seen, out)?;
                Ok(Next::Http)
            }
        }
    }

    /// The request of that number, if it asked for a WebSocket. Those before it were never answered, which pipelining
    /// does not allow.
    fn answered(&mut self, number: u64) -> Option<Asked> {
        while let Some((front, _)) = self.attempts.front() {
            if *front > number {
                return None;
            }
            let (front, request) = self.attempts.pop_front()?;
            if front == number {
                return Some(request);
            }
        }
        None
    }

    /// The connection becomes a WebSocket.
    fn switch<S: Sink>(
        &mut self,
        request: Option<Asked>,
        response: Answered,
        flow: &Flow,
        attempts: &mut u32,
        seen: Seen,
        out: &mut Out<'_, S>,
    ) -> Result<Next, S::Error> {
        let identity = identify(flow, attempts, out);
        let judged = judge(request, Some(response));
        let mut websocket = WebSocket::open(identity, judged, seen, out)?;
        for (direction, offset, seen) in self.conflicts.drain(..) {
            websocket.overlap_conflict(direction, offset, seen, out)?;
        }
        Ok(Next::WebSocket(Box::new(websocket)))
    }

    /// A request for a WebSocket came to nothing.
    fn refuse<S: Sink>(
        &self,
        request: Asked,
        response: Option<Answered>,
        flow: &Flow,
        attempts: &mut u32,
        seen: Seen,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        let identity = identify(flow, attempts, out);
        let judged = judge(Some(request), response);
        websocket::refuse(identity, judged, flow, seen, out)
    }

    /// All requests for a WebSocket came to nothing.
    fn refuse_all<S: Sink>(
        &mut self,
        flow: &Flow,
        attempts: &mut u32,
        seen: Seen,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        while let Some((_, request)) = self.attempts.pop_front() {
            self.refuse(request, None, flow, attempts, seen, out)?;
        }
        Ok(())
    }
}

/// Keeps of a step what is needed behind it.
fn found(step: &Step<'_>, seen: Seen) -> Found {
    match step {
        Step::Request { number, head } if is_websocket_attempt(head) => {
            Found::Request(*number, Box::new(Asked::from_head(head, seen)))
        }
        Step::Response { head, answers, effect } => {
            let wanted = !effect.ends_http() || answers.is_some() || is_websocket_switch(head);
            Found::Response(*answers, *effect, wanted.then(|| Box::new(Answered::from_head(head, seen))))
        }
        Step::Lost(Loss::NotHttp | Loss::HeadTooLong | Loss::Framing) => Found::Garbage,
        _ => Found::Nothing,
    }
}

/// Whether a 101 of which the request was not captured is about WebSocket.
fn is_websocket_switch(head: &ResponseHead<'_>) -> bool {
    head.fields.has_token("Upgrade", "websocket") || head.fields.first("Sec-WebSocket-Accept").is_some()
}

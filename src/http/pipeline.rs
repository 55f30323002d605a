//! Which request a response answers (machine): the requests of one connection that wait, in order (RFC 9112 §9.3.2).
//!
//! After bytes were lost, pipelining is taken to be absent, as it nearly always is: a new request means that all before
//! it were answered, and the next response answers the latest.

use std::collections::VecDeque;

/// What must be known of a request to find the end of its response (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestKind {
    /// Nothing.
    Ordinary,
    /// Its method is HEAD: the response has no body.
    Head,
    /// Its method is CONNECT: a 2xx response begins a tunnel.
    Connect,
}

impl RequestKind {
    pub(super) const fn of(method: &[u8]) -> Self {
        match method {
            b"HEAD" => Self::Head,
            b"CONNECT" => Self::Connect,
            _ => Self::Ordinary,
        }
    }
}

/// What became of a request that was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Enqueued {
    /// It waits.
    Pending,
    /// Its response came before it, since the capture has packets out of order.
    Answered,
    /// Too many wait: all of them are forgotten.
    Full,
}

/// The requests that wait.
#[derive(Debug)]
pub(super) struct Pipeline {
    waiting: VecDeque<RequestKind>,
    /// Requests so far.
    asked: u64,
    /// Responses that came before their requests.
    early: u64,
    requests_lost: bool,
    responses_lost: bool,
    max: usize,
}

impl Pipeline {
    pub(super) const fn new(max: usize) -> Self {
        Self { waiting: VecDeque::new(), asked: 0, early: 0, requests_lost: false, responses_lost: false, max }
    }

    /// The number of the next request.
    pub(super) const fn next_number(&self) -> u64 {
        self.asked
    }

    /// Bytes that they take.
    pub(super) fn allocated(&self) -> usize {
        self.waiting.capacity() * size_of::<RequestKind>()
    }

    /// How many requests wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// A request was asked.
    pub(super) fn push(&mut self, kind: RequestKind) -> Enqueued {
        if self.requests_lost || self.responses_lost {
            self.waiting.clear();
            self.requests_lost = false;
        }
        self.asked += 1;
        if self.early > 0 {
            self.early -= 1;
            return Enqueued::Answered;
        }
        if self.waiting.len() >= self.max {
            self.waiting.clear();
            self.lose_requests();
            return Enqueued::Full;
        }
        self.waiting.push_back(kind);
        Enqueued::Pending
    }

    /// The request that the response at hand answers, and its number.
    pub(super) fn front(&mut self) -> Option<(u64, RequestKind)> {
        if self.responses_lost {
            self.responses_lost = false;
            self.waiting.drain(..self.waiting.len().saturating_sub(1));
        }
        let number = self.asked.saturating_sub(self.waiting.len() as u64);
        self.waiting.front().map(|kind| (number, *kind))
    }

    /// The response at hand was the final one.
    pub(super) fn pop(&mut self) {
        if self.waiting.pop_front().is_none() && !self.requests_lost {
            self.early += 1;
        }
    }

    /// The number of the request that the latest response answered before it came.
    pub(super) const fn answered_early(&self) -> Option<u64> {
        match self.early.checked_sub(1) {
            Some(before) => Some(self.asked.saturating_add(before)),
            None => None,
        }
    }

    /// Requests may be missing from here.
    pub(super) const fn lose_requests(&mut self) {
        self.requests_lost = true;
        self.early = 0;
    }

    /// Responses may be missing from here.
    pub(super) const fn lose_responses(&mut self) {
        self.responses_lost = true;
        self.early = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(pipeline: &mut Pipeline) -> Option<u64> {
        let front = pipeline.front().map(|(number, _)| number);
        pipeline.pop();
        front
    }

    #[test]
    fn pipelined_requests_are_answered_in_order() {
        let mut pipeline = Pipeline::new(3);
        for kind in [RequestKind::Head, RequestKind::Connect, RequestKind::Ordinary] {
            assert_eq!(pipeline.push(kind), Enqueued::Pending);
        }
        assert_eq!(pipeline.push(RequestKind::Ordinary), Enqueued::Full);
        assert_eq!((pipeline.len(), answer(&mut pipeline)), (0, None));
        assert_eq!(pipeline.push(RequestKind::Ordinary), Enqueued::Pending);
        assert_eq!(answer(&mut pipeline), Some(4));
        let mut pipeline = Pipeline::new(3);
        pipeline.push(RequestKind::Head);
        pipeline.push(RequestKind::Connect);
        assert_eq!(pipeline.front(), Some((0, RequestKind::Head)));
        assert_eq!(pipeline.front(), Some((0, RequestKind::Head)));
        assert_eq!((answer(&mut pipeline), answer(&mut pipeline)), (Some(0), Some(1)));
        assert_eq!(pipeline.front(), None);
    }

    #[test]
    fn responses_may_come_before_their_requests() {
        let mut pipeline = Pipeline::new(3);
        assert_eq!(pipeline.answered_early(), None);
        assert_eq!((answer(&mut pipeline), pipeline.answered_early()), (None, Some(0)));
        assert_eq!((answer(&mut pipeline), pipeline.answered_early()), (None, Some(1)));
        assert_eq!(pipeline.push(RequestKind::Ordinary), Enqueued::Answered);
        assert_eq!(pipeline.push(RequestKind::Ordinary), Enqueued::Answered);
        assert_eq!(pipeline.answered_early(), None);
        assert_eq!(pipeline.push(RequestKind::Ordinary), Enqueued::Pending);
        assert_eq!(answer(&mut pipeline), Some(2));
    }

    #[test]
    fn after_a_loss_the_latest_request_is_the_one() {
        let mut pipeline = Pipeline::new(9);
        pipeline.push(RequestKind::Ordinary);
        pipeline.lose_responses();
        pipeline.push(RequestKind::Ordinary);
        assert_eq!(answer(&mut pipeline), Some(1));

        pipeline.push(RequestKind::Ordinary);
        pipeline.push(RequestKind::Head);
        pipeline.lose_responses();
        assert_eq!(pipeline.front(), Some((3, RequestKind::Head)));

        pipeline.lose_requests();
        assert_eq!((answer(&mut pipeline), answer(&mut pipeline)), (Some(3), None));
        assert_eq!(pipeline.push(RequestKind::Connect), Enqueued::Pending);
        assert_eq!(pipeline.front(), Some((4, RequestKind::Connect)));
    }
}

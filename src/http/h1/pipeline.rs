//! Which request a response answers (machine): the pending requests of one connection, in order (RFC 9112 §9.3.2).
//!
//! After bytes were lost, pipelining is assumed to be absent, as it nearly always is: a new request means that all requests
//! before it were answered, and the next response answers the latest request.

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

/// The state of a request that was just seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Enqueued {
    /// Its response is still to come.
    Pending,
    /// Its response came before it, since the capture has packets out of order.
    Answered,
    /// Too many requests were pending: all of them are forgotten.
    Full,
}

/// The pending requests of one connection.
#[derive(Debug)]
pub(super) struct Pipeline {
    pending: VecDeque<RequestKind>,
    /// Requests so far.
    requests: u64,
    /// Responses whose requests have not come yet.
    early_responses: u64,
    requests_lost: bool,
    responses_lost: bool,
    max: usize,
}

impl Pipeline {
    pub(super) const fn new(max: usize) -> Self {
        Self {
            pending: VecDeque::new(),
            requests: 0,
            early_responses: 0,
            requests_lost: false,
            responses_lost: false,
            max,
        }
    }

    /// The number of the next request.
    pub(super) const fn next_number(&self) -> u64 {
        self.requests
    }

    /// Bytes that are allocated.
    pub(super) fn allocated(&self) -> usize {
        self.pending.capacity() * size_of::<RequestKind>()
    }

    /// How many requests are pending.
    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }

    /// A request was seen.
    pub(super) fn push(&mut self, kind: RequestKind) -> Enqueued {
        if self.requests_lost || self.responses_lost {
            self.pending.clear();
            self.requests_lost = false;
        }
        self.requests += 1;
        if self.early_responses > 0 {
            self.early_responses -= 1;
            return Enqueued::Answered;
        }
        if self.pending.len() >= self.max {
            self.pending.clear();
            self.lose_requests();
            return Enqueued::Full;
        }
        self.pending.push_back(kind);
        Enqueued::Pending
    }

    /// The request that the response at hand answers, and its number.
    pub(super) fn front(&mut self) -> Option<(u64, RequestKind)> {
        if self.responses_lost {
            self.responses_lost = false;
            self.pending.drain(..self.pending.len().saturating_sub(1));
        }
        let number = self.requests.saturating_sub(self.pending.len() as u64);
        self.pending.front().map(|kind| (number, *kind))
    }

    /// The response at hand was the final one.
    pub(super) fn pop(&mut self) {
        if self.pending.pop_front().is_none() && !self.requests_lost {
            self.early_responses += 1;
        }
    }

    /// The number of the request that the latest response answers, if that request has not come yet.
    pub(super) const fn early_response(&self) -> Option<u64> {
        match self.early_responses.checked_sub(1) {
            Some(before) => Some(self.requests.saturating_add(before)),
            None => None,
        }
    }

    /// Requests may be missing from here.
    pub(super) const fn lose_requests(&mut self) {
        self.requests_lost = true;
        self.early_responses = 0;
    }

    /// Responses may be missing from here.
    pub(super) const fn lose_responses(&mut self) {
        self.responses_lost = true;
        self.early_responses = 0;
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
        assert_eq!(pipeline.early_response(), None);
        assert_eq!((answer(&mut pipeline), pipeline.early_response()), (None, Some(0)));
        assert_eq!((answer(&mut pipeline), pipeline.early_response()), (None, Some(1)));
        assert_eq!(pipeline.push(RequestKind::Ordinary), Enqueued::Answered);
        assert_eq!(pipeline.push(RequestKind::Ordinary), Enqueued::Answered);
        assert_eq!(pipeline.early_response(), None);
        assert_eq!(pipeline.push(RequestKind::Ordinary), Enqueued::Pending);
        assert_eq!(answer(&mut pipeline), Some(2));
    }

    #[test]
    fn after_a_loss_a_response_answers_the_latest_request() {
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

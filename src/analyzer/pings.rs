//! Pings and the Pongs that answer them (RFC 6455 §5.5.2, §5.5.3).

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hasher};

use super::memory::Growth;
use crate::types::PacketRef;

/// Where a Ping is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The packet that carried its last byte.
    pub(super) seen: PacketRef,
    /// The number of its frame.
    pub(super) frame: u64,
    /// The number of its message.
    pub(super) message: u64,
}

/// A Ping that waits for its Pong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ping {
    pub(super) place: Place,
    /// Its application data, by hash: a Pong must have "identical" data, and a false match harms a statistic only.
    data: u64,
}

/// The Pings that one direction sent.
#[derive(Debug, Default)]
pub(super) struct Pings {
    waiting: VecDeque<Ping>,
}

impl Pings {
    /// Records a Ping. Gives back the oldest one where more than `max` wait.
    pub(super) fn sent(&mut self, data: &[u8], ping: Place, max: usize) -> (Option<Ping>, Growth) {
        self.waiting.push_back(Ping { place: ping, data: hash(data) });
        let oldest = if self.waiting.len() > max { self.waiting.pop_front() } else { None };
        (oldest, Growth::SOME)
    }

    /// Matches a Pong: gives the Ping that it answers, the latest with its data. Those before it wait no longer: an endpoint
    /// "MAY elect to send a Pong frame for only the most recently processed Ping frame" (RFC 6455 §5.5.3).
    pub(super) fn take_answered(&mut self, data: &[u8]) -> Option<Ping> {
        let data = hash(data);
        let index = self.waiting.iter().rposition(|ping| ping.data == data)?;
        self.waiting.drain(..=index).next_back()
    }

    /// Bytes that it keeps.
    #[inline]
    pub(super) fn held(&self) -> usize {
        self.waiting.capacity() * size_of::<Ping>()
    }

    /// Those that still wait.
    pub(super) fn unanswered(&mut self) -> impl Iterator<Item = Ping> + '_ {
        self.waiting.drain(..)
    }
}

/// The same for the same bytes in every run.
fn hash(data: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(data);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(number: u64) -> Place {
        Place { seen: PacketRef { packet: number, ..PacketRef::default() }, frame: number, message: number }
    }

    #[test]
    fn a_pong_answers_the_latest_ping_with_its_data() {
        let mut pings = Pings::default();
        for (number, data) in [(1, "a"), (2, "b"), (3, "a"), (4, "c")] {
            assert_eq!(pings.sent(data.as_bytes(), place(number), 8), (None, Growth::SOME));
        }
        assert_eq!(pings.take_answered(b"x"), None);
        assert_eq!(pings.take_answered(b"a").map(|ping| ping.place.frame), Some(3));
        assert_eq!(pings.take_answered(b"b"), None);
        assert_eq!(pings.unanswered().map(|ping| ping.place.frame).collect::<Vec<_>>(), [4]);
    }

    #[test]
    fn no_more_wait_than_may() {
        let mut pings = Pings::default();
        assert_eq!(pings.sent(b"", place(1), 1), (None, Growth::SOME));
        assert_eq!(pings.sent(b"", place(2), 1).0.map(|ping| ping.place.frame), Some(1));
        assert_eq!(pings.unanswered().count(), 1);
    }
}

//! Pings and the Pongs that answer them (RFC 6455 §5.5.2, §5.5.3).

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hasher};

use crate::types::PacketRef;

/// A Ping that waits for its Pong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ping {
    /// The packet that carried its last byte.
    pub(super) seen: PacketRef,
    /// Its frame.
    pub(super) frame: u64,
    /// Its message.
    pub(super) message: u64,
    /// Its application data, by hash: a Pong must have "identical" data, and a false match harms a statistic only.
    data: u64,
}

/// The Pings that one direction sent.
#[derive(Debug, Default)]
pub(super) struct Pings {
    waiting: VecDeque<Ping>,
}

impl Pings {
    /// A Ping was sent. Gives back the oldest one where too many wait.
    pub(super) fn sent(&mut self, data: &[u8], seen: PacketRef, frame: u64, message: u64, max: usize) -> Option<Ping> {
        self.waiting.push_back(Ping { seen, frame, message, data: hash(data) });
        if self.waiting.len() > max { self.waiting.pop_front() } else { None }
    }

    /// A Pong came: gives the Ping that it answers, the latest with its data. Those before it wait no longer: an endpoint
    /// "MAY elect to send a Pong frame for only the most recently processed Ping frame" (RFC 6455 §5.5.3).
    pub(super) fn answered(&mut self, data: &[u8]) -> Option<Ping> {
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

    fn seen(packet: u64) -> PacketRef {
        PacketRef { packet, ..PacketRef::default() }
    }

    #[test]
    fn a_pong_answers_the_latest_ping_with_its_data() {
        let mut pings = Pings::default();
        for (packet, data) in [(1, "a"), (2, "b"), (3, "a"), (4, "c")] {
            assert_eq!(pings.sent(data.as_bytes(), seen(packet), packet, packet, 8), None);
        }
        assert_eq!(pings.answered(b"x"), None);
        assert_eq!(pings.answered(b"a").map(|ping| ping.seen.packet), Some(3));
        assert_eq!(pings.answered(b"b"), None);
        assert_eq!(pings.unanswered().map(|ping| ping.frame).collect::<Vec<_>>(), [4]);
    }

    #[test]
    fn no_more_wait_than_may() {
        let mut pings = Pings::default();
        assert_eq!(pings.sent(b"", seen(1), 0, 0, 1), None);
        assert_eq!(pings.sent(b"", seen(2), 1, 1, 1).map(|ping| ping.seen.packet), Some(1));
        assert_eq!(pings.unanswered().count(), 1);
    }
}

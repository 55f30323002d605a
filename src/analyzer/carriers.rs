//! The packets that carried a connection's beginning, until it is known to be a WebSocket.
//!
//! In: each packet with bytes of a TCP connection, where outputs ask for packets
//! ([`Demand::packets`](super::Demand::packets)). Out: those that the handshake of a WebSocket lay in, when there is one. Within
//! TLS and HTTP/2 all that came before is needed to read it, so none of these is forgotten but for the middle of a long
//! beginning.

use std::collections::VecDeque;

use crate::types::{Direction, PacketRef};

/// Packets that are remembered: the first ones, and the latest.
const MAX_FIRST: usize = 64;
const MAX_LATEST: usize = 64;

/// The packets of one TCP connection so far.
#[derive(Debug, Default)]
pub(super) struct Carriers {
    first: Vec<(PacketRef, Direction)>,
    latest: VecDeque<(PacketRef, Direction)>,
}

impl Carriers {
    /// A packet carried bytes of the connection.
    pub(super) fn push(&mut self, seen: PacketRef, direction: Direction) {
        if self.iter().next_back().is_some_and(|(last, _)| last.packet == seen.packet) {
            return;
        }
        if self.first.len() < MAX_FIRST {
            self.first.push((seen, direction));
            return;
        }
        if self.latest.len() >= MAX_LATEST {
            self.latest.pop_front();
        }
        self.latest.push_back((seen, direction));
    }

    /// What came so far belongs to no handshake.
    pub(super) fn clear(&mut self) {
        self.first.clear();
        self.latest.clear();
    }

    /// The client turns out to be the server.
    pub(super) fn swap(&mut self) {
        for (_, direction) in self.first.iter_mut().chain(&mut self.latest) {
            *direction = direction.reverse();
        }
    }

    /// The packets, in the order in which they came.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (PacketRef, Direction)> + '_ {
        self.first.iter().chain(&self.latest).copied()
    }

    /// Bytes that it keeps besides itself.
    pub(super) fn held(&self) -> usize {
        (self.first.capacity() + self.latest.capacity()) * size_of::<(PacketRef, Direction)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_latest_packets_are_remembered() {
        let mut carriers = Carriers::default();
        for packet in 0..1000 {
            for _ in 0..2 {
                carriers.push(PacketRef { packet, ..PacketRef::default() }, Direction::ToServer);
            }
        }
        let packets: Vec<u64> = carriers.iter().map(|(seen, _)| seen.packet).collect();
        assert_eq!(packets, (0..64).chain(936..1000).collect::<Vec<_>>());
        carriers.swap();
        assert!(carriers.iter().all(|(_, direction)| direction == Direction::ToClient));
        assert!(carriers.held() < 16 << 10);
        carriers.clear();
        assert_eq!(carriers.iter().count(), 0);
    }
}

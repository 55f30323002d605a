//! Packets that outlive the block they were read into: copies, one after the other.

use super::{LinkType, Packet};
use crate::types::PacketRef;

/// Copies of packets, in order.
#[derive(Debug, Default)]
pub struct Packets {
    bytes: Vec<u8>,
    heads: Vec<Head>,
}

/// All of a packet but its bytes.
#[derive(Debug, Clone, Copy)]
struct Head {
    seen: PacketRef,
    link: LinkType,
    original_len: u32,
    /// Where its bytes end; they begin where those of the one before do.
    end: usize,
}

impl Packets {
    /// Copies one more.
    pub fn push(&mut self, packet: &Packet<'_>) {
        self.bytes.extend_from_slice(packet.bytes);
        let Packet { seen, link, original_len, .. } = *packet;
        self.heads.push(Head { seen, link, original_len, end: self.bytes.len() });
    }

    /// The packet at `index`, from 0.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Packet<'_>> {
        let Head { seen, link, original_len, end } = *self.heads.get(index)?;
        let before = index.checked_sub(1).and_then(|before| self.heads.get(before));
        let start = before.map_or(0, |before| before.end);
        Some(Packet { seen, link, bytes: self.bytes.get(start..end)?, original_len })
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = Packet<'_>> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.heads.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// Forgets them, and gives back what an unusual number took.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(1 << 20);
        self.heads.clear();
        self.heads.shrink_to(16 << 10);
    }

    /// Bytes that it keeps.
    #[must_use]
    pub fn held(&self) -> usize {
        self.bytes.len() + self.heads.len() * size_of::<Head>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_come_back_as_they_went_in() {
        let packet = |number: u64, bytes: &'static [u8]| Packet {
            seen: PacketRef { packet: number, ..PacketRef::default() },
            link: LinkType::RAW,
            bytes,
            original_len: 9,
        };
        let all = [packet(1, b"one"), packet(2, b""), packet(4, b"four")];
        let mut packets = Packets::default();
        for _ in 0..2 {
            all.iter().for_each(|packet| packets.push(packet));
            let again: Vec<_> = packets.iter().collect();
            assert_eq!(format!("{again:?}"), format!("{all:?}"));
            assert_eq!(packets.held(), 7 + 3 * size_of::<Head>());
            packets.clear();
            assert_eq!((packets.iter().count(), packets.held()), (0, 0));
        }
    }
}

//! Copies of packets, which outlive the block that the packets were read into.

use super::{LinkType, Packet};
use crate::types::PacketRef;

/// Copies of packets, in order.
#[derive(Debug, Default)]
pub struct PacketBuffer {
    bytes: Vec<u8>,
    fields: Vec<Fields>,
}

/// A packet without its bytes.
#[derive(Debug, Clone, Copy)]
struct Fields {
    seen: PacketRef,
    link: LinkType,
    original_len: u32,
    /// Where its bytes end; they begin at the end of those of the packet before.
    end: usize,
}

impl PacketBuffer {
    /// Adds a copy of `packet`.
    pub fn push(&mut self, packet: &Packet<'_>) {
        self.bytes.extend_from_slice(packet.bytes);
        let Packet { seen, link, original_len, .. } = *packet;
        self.fields.push(Fields { seen, link, original_len, end: self.bytes.len() });
    }

    /// The packet at `index`, from 0.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Packet<'_>> {
        let Fields { seen, link, original_len, end } = *self.fields.get(index)?;
        let before = index.checked_sub(1).and_then(|before| self.fields.get(before));
        let start = before.map_or(0, |before| before.end);
        Some(Packet { seen, link, bytes: self.bytes.get(start..end)?, original_len })
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = Packet<'_>> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// How many packets there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Removes all packets, and frees the memory beyond that of a usual number.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(1 << 20);
        self.fields.clear();
        self.fields.shrink_to(16 << 10);
    }

    /// Bytes held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.bytes.len() + self.fields.len() * size_of::<Fields>()
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
        let mut packets = PacketBuffer::default();
        for _ in 0..2 {
            all.iter().for_each(|packet| packets.push(packet));
            let again: Vec<_> = packets.iter().collect();
            assert_eq!(format!("{again:?}"), format!("{all:?}"));
            assert_eq!(packets.held(), 7 + 3 * size_of::<Fields>());
            packets.clear();
            assert_eq!((packets.iter().count(), packets.held()), (0, 0));
        }
    }
}

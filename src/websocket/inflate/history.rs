//! The last 32 KiB of output, in a ring that grows only as far as it is used.

/// The farthest that DEFLATE can refer back (RFC 1951 §3.2.5).
pub(super) const WINDOW: usize = 32 << 10;

/// The smallest allocation.
const SMALLEST: usize = 256;

/// The last decoded bytes, without a gap.
#[derive(Debug, Default)]
pub(super) struct History {
    ring: Vec<u8>,
    /// Where the next byte goes once the ring is full; 0 before.
    next: usize,
}

impl History {
    /// Adds decoded bytes.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        let room = WINDOW - self.ring.len().min(WINDOW);
        if bytes.len() <= room {
            self.grow(bytes.len());
            self.ring.extend_from_slice(bytes);
            return;
        }
        let bytes = bytes.last_chunk::<WINDOW>().map_or(bytes, |last| last);
        self.grow(room);
        let (fill, over) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
        self.ring.extend_from_slice(fill);
        let (end, start) = over.split_at_checked(WINDOW - self.next.min(WINDOW)).unwrap_or((over, &[]));
        self.overwrite(end);
        self.overwrite(start);
    }

    /// The bytes held, oldest first.
    pub(super) fn in_order(&mut self) -> &[u8] {
        self.ring.rotate_left(self.next);
        self.next = 0;
        &self.ring
    }

    /// How many bytes it has, up to [`WINDOW`].
    pub(super) const fn len(&self) -> usize {
        self.ring.len()
    }

    /// Forgets all bytes and keeps the allocation.
    pub(super) fn clear(&mut self) {
        self.ring.clear();
        self.next = 0;
    }

    /// Bytes allocated.
    pub(super) const fn held(&self) -> usize {
        self.ring.capacity()
    }

    /// Overwrites the oldest bytes, up to the ring's end.
    fn overwrite(&mut self, bytes: &[u8]) {
        let end = self.next.saturating_add(bytes.len());
        if let Some(to) = self.ring.get_mut(self.next..end) {
            to.copy_from_slice(bytes);
            self.next = if end == WINDOW { 0 } else { end };
        }
    }

    /// Reserves room for `more` bytes, by doubling; never more than the window.
    fn grow(&mut self, more: usize) {
        let len = self.ring.len().saturating_add(more);
        if len > self.ring.capacity() {
            let capacity = len.next_power_of_two().clamp(SMALLEST, WINDOW);
            self.ring.reserve_exact(capacity.saturating_sub(self.ring.len()));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_the_end_of_everything_appended(
            lens in proptest::collection::vec(prop_oneof![0usize..300, 0usize..40_000, Just(WINDOW), Just(WINDOW - 1)], 1..12),
            look in any::<u16>(),
        ) {
            let mut history = History::default();
            let mut all = Vec::new();
            for (round, len) in lens.into_iter().enumerate() {
                let bytes: Vec<u8> = (0..len).map(|index| (index * 31 + round * 7).to_le_bytes()[0]).collect();
                history.append(&bytes);
                all.extend_from_slice(&bytes);
                let end = &all[all.len().saturating_sub(WINDOW)..];
                if look >> round & 1 == 1 {
                    prop_assert!(history.in_order() == end);
                }
                prop_assert!(history.held() <= WINDOW);
            }
            let end = &all[all.len().saturating_sub(WINDOW)..];
            prop_assert!(history.in_order() == end);
        }
    }
}

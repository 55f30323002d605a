//! MemoryQuota for bytes that are kept: a buffer grows no further than it.
//!
//! In: bytes, and how much may still be kept of all connections together. Out: a buffer with as much of them as fits;
//! what was refused is counted. Who has the room, and who pays when there is none, is not known here.

/// What may still be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemoryQuota {
    /// Bytes that buffers may still grow by.
    left: usize,
    /// Bytes that they grew by.
    taken: usize,
    /// Bytes that were not kept, since there was no room.
    refused: u64,
}

impl MemoryQuota {
    /// MemoryQuota for so many bytes.
    #[must_use]
    pub const fn new(left: usize) -> Self {
        Self { left, taken: 0, refused: 0 }
    }

    /// Bytes that buffers grew by.
    #[must_use]
    pub const fn taken(&self) -> usize {
        self.taken
    }

    /// Bytes that were not kept, since there was no room.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// Appends `bytes`, as far as `buffer` may have `keep` of them and there is room. Whether all were appended.
    #[inline]
    pub fn append(&mut self, buffer: &mut Vec<u8>, bytes: &[u8], keep: usize) -> bool {
        let wanted = bytes.get(..keep.saturating_sub(buffer.len())).unwrap_or(bytes);
        let free = buffer.capacity() - buffer.len();
        let fitting = if wanted.len() <= free { wanted } else { self.grow(buffer, wanted) };
        buffer.extend_from_slice(fitting);
        fitting.len() == bytes.len()
    }

    /// Makes the buffer larger, by doubling where there is room for it. Gives what will fit.
    #[cold]
    fn grow<'b>(&mut self, buffer: &mut Vec<u8>, wanted: &'b [u8]) -> &'b [u8] {
        let (before, len) = (buffer.capacity(), buffer.len());
        let most = before.saturating_add(self.left);
        let target = len.saturating_add(wanted.len()).max(before.saturating_mul(2)).min(most);
        buffer.reserve_exact(target.saturating_sub(len));
        let grown = buffer.capacity() - before;
        self.left = self.left.saturating_sub(grown);
        self.taken = self.taken.saturating_add(grown);
        let fitting = wanted.get(..buffer.capacity() - len).unwrap_or(wanted);
        self.refused = self.refused.saturating_add((wanted.len() - fitting.len()) as u64);
        fitting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_grows_no_further_than_its_room() {
        let (mut room, mut buffer) = (MemoryQuota::new(100), Vec::new());
        assert!(room.append(&mut buffer, &[1; 60], 1000));
        assert!(room.append(&mut buffer, &[2; 40], 1000));
        assert!(!room.append(&mut buffer, &[3; 1], 1000));
        assert!(buffer.len() >= 100 && buffer.capacity() <= 110, "{}", buffer.capacity());
        assert_eq!((room.taken(), room.refused()), (buffer.capacity(), 1));
    }

    #[test]
    fn what_nobody_wants_is_not_refused() {
        let (mut room, mut buffer) = (MemoryQuota::new(1000), Vec::new());
        assert!(!room.append(&mut buffer, b"abcdef", 4));
        assert_eq!((buffer.as_slice(), room.refused()), (&b"abcd"[..], 0));
        assert!(room.append(&mut buffer, b"", 4));
    }

    #[test]
    fn growing_is_by_doubling() {
        let (mut room, mut buffer) = (MemoryQuota::new(1 << 20), Vec::new());
        let mut capacities = std::collections::BTreeSet::new();
        for _ in 0..1000 {
            assert!(room.append(&mut buffer, &[0; 100], usize::MAX));
            capacities.insert(buffer.capacity());
        }
        assert!(capacities.len() < 20, "{capacities:?}");
    }
}

//! A quota for the growth of buffers.
//!
//! In: bytes, and how many more may be kept for all connections together. Out: a buffer with as many of the bytes as fit;
//! the refused ones are counted. How the quota is set, and which bytes are freed when it is spent, is not decided here.

/// The bytes that may still be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemoryQuota {
    /// Bytes that buffers may still grow by.
    left: usize,
    /// Bytes that they grew by.
    taken: usize,
    /// Bytes that were not kept, since the quota was spent.
    refused: u64,
}

impl MemoryQuota {
    /// A quota of `left` bytes.
    #[must_use]
    pub const fn new(left: usize) -> Self {
        Self { left, taken: 0, refused: 0 }
    }

    /// Bytes that buffers grew by.
    #[must_use]
    pub const fn taken(&self) -> usize {
        self.taken
    }

    /// Bytes that were not kept, since the quota was spent.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// Appends `bytes` to `buffer`, up to `keep` bytes in all and as far as the quota allows. Returns whether all were
    /// appended.
    #[inline]
    pub fn append(&mut self, buffer: &mut Vec<u8>, bytes: &[u8], keep: usize) -> bool {
        let wanted = bytes.get(..keep.saturating_sub(buffer.len())).unwrap_or(bytes);
        let free = buffer.capacity() - buffer.len();
        let fitting = if wanted.len() <= free { wanted } else { self.grow(buffer, wanted) };
        buffer.extend_from_slice(fitting);
        fitting.len() == bytes.len()
    }

    /// Makes the buffer larger, by doubling where the quota allows. Returns the bytes that fit.
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
    fn a_buffer_grows_no_further_than_the_quota() {
        let (mut quota, mut buffer) = (MemoryQuota::new(100), Vec::new());
        assert!(quota.append(&mut buffer, &[1; 60], 1000));
        assert!(quota.append(&mut buffer, &[2; 40], 1000));
        assert!(!quota.append(&mut buffer, &[3; 1], 1000));
        assert!(buffer.len() >= 100 && buffer.capacity() <= 110, "{}", buffer.capacity());
        assert_eq!((quota.taken(), quota.refused()), (buffer.capacity(), 1));
    }

    #[test]
    fn bytes_beyond_the_wanted_length_are_not_refused() {
        let (mut quota, mut buffer) = (MemoryQuota::new(1000), Vec::new());
        assert!(!quota.append(&mut buffer, b"abcdef", 4));
        assert_eq!((buffer.as_slice(), quota.refused()), (&b"abcd"[..], 0));
        assert!(quota.append(&mut buffer, b"", 4));
    }

    #[test]
    fn buffers_grow_by_doubling() {
        let (mut quota, mut buffer) = (MemoryQuota::new(1 << 20), Vec::new());
        let mut capacities = std::collections::BTreeSet::new();
        for _ in 0..1000 {
            assert!(quota.append(&mut buffer, &[0; 100], usize::MAX));
            capacities.insert(buffer.capacity());
        }
        assert!(capacities.len() < 20, "{capacities:?}");
    }
}

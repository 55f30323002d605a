//! Bits in DEFLATE's order: "starting with the least-significant bit of the byte" (RFC 1951 §3.1.1).

/// Up to 63 bits that were read and not used yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bits {
    /// The next bit is the least significant one; above `count` all are zero.
    hold: u64,
    count: u32,
}

impl Bits {
    /// No bits.
    pub(super) const fn new() -> Self {
        Self { hold: 0, count: 0 }
    }

    /// Takes as many whole bytes as fit: 56 bits or more are then held, or `input` is empty. A length with its distance
    /// has 48 at most, and nothing else needs more.
    #[inline]
    pub(super) fn refill(&mut self, input: &mut &[u8]) {
        let room = (63 - self.count) / 8;
        if let Some(next) = input.first_chunk::<8>() {
            let word = u64::from_le_bytes(*next) & ((1 << (room * 8)) - 1);
            self.hold |= word << self.count;
            self.count += room * 8;
            *input = input.get(room as usize..).unwrap_or_default();
        } else {
            for _ in 0..room {
                let Some((byte, rest)) = input.split_first() else { break };
                self.hold |= u64::from(*byte) << self.count;
                self.count += 8;
                *input = rest;
            }
        }
    }

    /// The bits held, the next one least significant, zeros above.
    #[inline]
    pub(super) const fn peek(self) -> u64 {
        self.hold
    }

    /// How many are held.
    #[inline]
    pub(super) const fn count(self) -> u32 {
        self.count
    }

    /// Drops the next `len` bits, fewer than 64; false, and nothing dropped, where fewer are held.
    #[inline]
    pub(super) const fn skip(&mut self, len: u32) -> bool {
        if len > self.count {
            return false;
        }
        self.hold >>= len;
        self.count -= len;
        true
    }

    /// The next `len` bits as a number, up to 32 of them.
    #[inline]
    pub(super) fn take(&mut self, len: u32) -> Option<u32> {
        let value = self.hold & ((1 << len) - 1);
        if self.skip(len) { u32::try_from(value).ok() } else { None }
    }

    /// Drops the rest of the current byte.
    pub(super) const fn align(&mut self) {
        self.skip(self.count % 8);
    }

    /// Drops up to `len` whole bytes of those held; returns how many.
    pub(super) fn skip_bytes(&mut self, len: u32) -> u32 {
        let bytes = len.min(self.count / 8);
        self.skip(bytes * 8);
        bytes
    }
}

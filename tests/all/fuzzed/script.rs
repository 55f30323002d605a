//! A fuzzer's bytes, read as a script: a choice here, a piece there, the rest for content.

/// Reads a script from its front. What is not there is 0, or empty.
#[derive(Clone)]
pub(super) struct Script<'a> {
    rest: &'a [u8],
}

impl<'a> Script<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) const fn is_over(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    pub(super) fn number(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    /// At most `len` bytes.
    pub(super) fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(len.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    /// Where to cut what follows: a byte says how many lengths, a byte each.
    pub(super) fn cuts(&mut self) -> Cuts<'a> {
        let count = usize::from(self.byte() % 16);
        Cuts { lens: self.take(count), at: 0 }
    }

    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

/// Lengths of pieces, over and over again; without any, all is one piece.
#[derive(Clone)]
pub(super) struct Cuts<'a> {
    lens: &'a [u8],
    at: usize,
}

impl Cuts<'_> {
    /// All in one piece.
    pub(super) const fn none() -> Self {
        Self { lens: &[], at: 0 }
    }

    /// The length of the next piece, at least 1.
    pub(super) fn len(&mut self) -> usize {
        let Some(len) = self.lens.get(self.at % self.lens.len().max(1)) else { return usize::MAX };
        self.at += 1;
        usize::from(*len).max(1)
    }

    /// The next piece of `bytes`; `None` when there are none.
    pub(super) fn piece<'b>(&mut self, bytes: &mut &'b [u8]) -> Option<&'b [u8]> {
        if bytes.is_empty() {
            return None;
        }
        let (piece, rest) = bytes.split_at(self.len().min(bytes.len()));
        *bytes = rest;
        Some(piece)
    }
}

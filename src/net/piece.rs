//! Bytes that were captured, with the length that they had on the wire.
//!
//! A snaplen takes bytes from a packet's end, padding adds some: each layer's header says how long the layer is, and
//! [`Piece`] carries both lengths from header to header.

/// Part of a packet, from some header to the end of what that header governs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Never longer than `len`.
    bytes: &'a [u8],
    len: usize,
}

/// Why a packet yields neither a segment nor a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skip {
    /// The capture's link type is none that is known here.
    UnknownLink,
    /// It carries something other than TCP or UDP over IP.
    OtherProtocol,
    /// The snaplen cut one of its headers.
    HeaderCut,
    /// A header says what cannot be; a host would drop it.
    Malformed,
}

impl<'a> Piece<'a> {
    /// `bytes` that were `len` bytes on the wire; a `len` below what was captured counts as that.
    #[must_use]
    #[inline]
    pub fn new(bytes: &'a [u8], len: usize) -> Self {
        Self { bytes, len: len.max(bytes.len()) }
    }

    /// What was captured.
    #[must_use]
    #[inline]
    pub const fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// How many bytes it had on the wire.
    #[must_use]
    #[inline]
    #[expect(clippy::len_without_is_empty, reason = "nobody asks")]
    pub const fn len(self) -> usize {
        self.len
    }

    /// How many bytes at its end were not captured.
    #[must_use]
    #[inline]
    pub const fn cut(self) -> usize {
        self.len.saturating_sub(self.bytes.len())
    }

    /// Its first `N` bytes, and what is behind them.
    ///
    /// # Errors
    /// They were not captured: [`Self::lacks`].
    #[inline]
    pub fn header<const N: usize>(self) -> Result<(&'a [u8; N], Self), Skip> {
        match self.bytes.split_first_chunk::<N>() {
            Some((header, bytes)) => Ok((header, Self { bytes, len: self.len.saturating_sub(N) })),
            None => Err(self.lacks(N)),
        }
    }

    /// What is behind its first `count` bytes.
    ///
    /// # Errors
    /// They were not captured: [`Self::lacks`].
    #[inline]
    pub fn skip(self, count: usize) -> Result<Self, Skip> {
        match self.bytes.get(count..) {
            Some(bytes) => Ok(Self { bytes, len: self.len.saturating_sub(count) }),
            None => Err(self.lacks(count)),
        }
    }

    /// The same with the length that a header gives it: less, and the rest was padding; more, and the capture lacks it.
    /// A length on the wire that was too small for the header is not believed: some tools cut packets and write the new
    /// length into both fields.
    #[must_use]
    #[inline]
    pub fn with_len(self, len: usize) -> Self {
        Self { bytes: self.bytes.get(..len).unwrap_or(self.bytes), len }
    }

    /// Why `count` bytes cannot be read: they were cut off, or never there.
    #[must_use]
    #[cold]
    pub const fn lacks(self, count: usize) -> Skip {
        if count <= self.len { Skip::HeaderCut } else { Skip::Malformed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lengths_go_along() {
        let piece = Piece::new(&[1, 2, 3, 4, 5, 6], 9);
        assert_eq!((piece.len(), piece.cut()), (9, 3));
        let (header, rest) = piece.header::<2>().unwrap();
        assert_eq!((header, rest.bytes(), rest.len(), rest.cut()), (&[1, 2], &[3, 4, 5, 6][..], 7, 3));
        assert_eq!(rest.with_len(2), Piece::new(&[3, 4], 2));
        assert_eq!((rest.with_len(100).bytes(), rest.with_len(100).cut()), (&[3, 4, 5, 6][..], 96));
        assert_eq!(piece.skip(6).map(|rest| (rest.bytes(), rest.len())), Ok((&[][..], 3)));
        assert_eq!(Piece::new(&[1, 2], 1).len(), 2, "a length on the wire below what was captured");
    }

    #[test]
    fn cut_off_is_not_malformed() {
        let piece = Piece::new(&[1, 2], 4);
        assert_eq!(piece.skip(4), Err(Skip::HeaderCut));
        assert_eq!(piece.header::<5>(), Err(Skip::Malformed));
    }
}

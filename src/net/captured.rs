//! Bytes as captured, with the length that they had on the wire.
//!
//! In: the bytes of a packet, or of a layer in it. Out: the headers at their front, and the rest. A snaplen takes bytes from
//! a packet's end, padding adds some. Each layer's header gives the length of the layer, and [`Captured`] carries both
//! lengths from header to header. What the bytes mean is not known here.

/// The captured bytes of one layer: from its header to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Captured<'a> {
    /// Never longer than `len`.
    bytes: &'a [u8],
    len: usize,
}

/// Why a packet yields neither a segment nor a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undecoded {
    /// Its link type is not decoded.
    UnknownLink,
    /// It carries something other than TCP or UDP over IP.
    OtherProtocol,
    /// The snaplen cut one of its headers.
    HeaderCut,
    /// A header contradicts itself or the packet's length; a host would drop the packet.
    Malformed,
}

impl<'a> Captured<'a> {
    /// `bytes` that were `len` bytes on the wire; a `len` below what was captured counts as that.
    #[must_use]
    #[inline]
    pub fn new(bytes: &'a [u8], len: usize) -> Self {
        Self { bytes, len: len.max(bytes.len()) }
    }

    /// The bytes that were captured.
    #[must_use]
    #[inline]
    pub const fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// How many bytes it had on the wire.
    #[must_use]
    #[inline]
    #[expect(clippy::len_without_is_empty, reason = "it is not needed")]
    pub const fn len(self) -> usize {
        self.len
    }

    /// How many bytes at its end were not captured.
    #[must_use]
    #[inline]
    pub const fn cut(self) -> usize {
        self.len.saturating_sub(self.bytes.len())
    }

    /// Its first `N` bytes, and the rest.
    ///
    /// # Errors
    /// They were not captured: [`Self::lacks`].
    #[inline]
    pub fn header<const N: usize>(self) -> Result<(&'a [u8; N], Self), Undecoded> {
        match self.bytes.split_first_chunk::<N>() {
            Some((header, bytes)) => Ok((header, Self { bytes, len: self.len.saturating_sub(N) })),
            None => Err(self.lacks(N)),
        }
    }

    /// The rest after its first `count` bytes.
    ///
    /// # Errors
    /// They were not captured: [`Self::lacks`].
    #[inline]
    pub fn skip(self, count: usize) -> Result<Self, Undecoded> {
        match self.bytes.get(count..) {
            Some(bytes) => Ok(Self { bytes, len: self.len.saturating_sub(count) }),
            None => Err(self.lacks(count)),
        }
    }

    /// The same bytes with the length that a header gives them. If that is less, the rest is padding; if it is more, the
    /// rest was not captured. The header's length is believed over the record's, since some tools that cut packets write the
    /// new length into both fields of a record.
    #[must_use]
    #[inline]
    pub fn with_len(self, len: usize) -> Self {
        Self { bytes: self.bytes.get(..len).unwrap_or(self.bytes), len }
    }

    /// Why `count` bytes cannot be read: the snaplen cut them, or they never existed.
    #[must_use]
    #[cold]
    pub const fn lacks(self, count: usize) -> Undecoded {
        if count <= self.len { Undecoded::HeaderCut } else { Undecoded::Malformed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lengths_are_kept() {
        let captured = Captured::new(&[1, 2, 3, 4, 5, 6], 9);
        assert_eq!((captured.len(), captured.cut()), (9, 3));
        let (header, rest) = captured.header::<2>().unwrap();
        assert_eq!((header, rest.bytes(), rest.len(), rest.cut()), (&[1, 2], &[3, 4, 5, 6][..], 7, 3));
        assert_eq!(rest.with_len(2), Captured::new(&[3, 4], 2));
        assert_eq!((rest.with_len(100).bytes(), rest.with_len(100).cut()), (&[3, 4, 5, 6][..], 96));
        assert_eq!(captured.skip(6).map(|rest| (rest.bytes(), rest.len())), Ok((&[][..], 3)));
        assert_eq!(Captured::new(&[1, 2], 1).len(), 2, "a length on the wire less than the captured one");
    }

    #[test]
    fn cut_off_is_not_malformed() {
        let captured = Captured::new(&[1, 2], 4);
        assert_eq!(captured.skip(4), Err(Undecoded::HeaderCut));
        assert_eq!(captured.header::<5>(), Err(Undecoded::Malformed));
    }
}

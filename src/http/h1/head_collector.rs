//! Finds the end of a head over any number of chunks (machine). A head in one chunk is lent from it; a head that is split is
//! collected in a buffer. Every byte is searched once (RFC 9112 §2.1: an empty line ends the head).

use crate::http::sniff::SNIFF_BYTES;

/// Collects one head after another.
#[derive(Debug)]
pub(super) struct HeadCollector {
    /// The bytes so far of a split head, or all bytes of the one that was just lent.
    bytes: Vec<u8>,
    /// `bytes` was lent and is no longer needed.
    spent: bool,
    line: Line,
    max: usize,
}

/// A place in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// After an LF.
    Start,
    /// After an LF and a CR.
    Cr,
    /// In a line that is not empty.
    Text,
}

/// The result of a search for a head's end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HeadSearch<'i> {
    /// A head, all of it in the input.
    Borrowed(&'i [u8]),
    /// A head, now in [`HeadCollector::bytes`].
    Collected,
    /// No end yet.
    NeedMore,
    /// No end within the limit.
    TooLong,
}

impl HeadCollector {
    pub(super) const fn new(max: usize) -> Self {
        Self { bytes: Vec::new(), spent: false, line: Line::Text, max }
    }

    /// The bytes collected so far, or all of the head that was just found.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many bytes are kept.
    pub(super) const fn held(&self) -> usize {
        self.bytes.len()
    }

    /// How many bytes are allocated.
    pub(super) const fn allocated(&self) -> usize {
        self.bytes.capacity()
    }

    /// Whether a head has begun and not ended.
    pub(super) const fn is_open(&self) -> bool {
        !self.spent && !self.bytes.is_empty()
    }

    /// Frees a head that was lent. To be called first with each new input.
    pub(super) fn release(&mut self) {
        if self.spent {
            self.clear();
        }
    }

    /// Discards the bytes collected so far.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.max);
    }

    /// Marks the collected bytes as lent for the last time.
    pub(super) const fn spend(&mut self) {
        self.spent = true;
    }

    /// Skips line ends where a head would begin (RFC 9112 §2.2).
    pub(super) fn skip_empty_lines(&self, input: &mut &[u8]) {
        while self.bytes.is_empty()
            && let Some((b'\r' | b'\n', rest)) = input.split_first()
        {
            *input = rest;
        }
    }

    /// The first bytes of the head, at least as many as [`sniff`](crate::http::sniff()) needs if there are so many.
    pub(super) fn start<'a>(&'a self, input: &'a [u8], joined: &'a mut [u8; SNIFF_BYTES]) -> &'a [u8] {
        match self.bytes.len() {
            0 => input,
            SNIFF_BYTES.. => &self.bytes,
            _ => {
                let bytes = self.bytes.iter().chain(input);
                let len = joined.iter_mut().zip(bytes).map(|(to, from)| *to = *from).count();
                joined.get(..len).unwrap_or_default()
            }
        }
    }

    /// Searches for the head's end.
    pub(super) fn find<'i>(&mut self, input: &mut &'i [u8]) -> HeadSearch<'i> {
        let free = self.max.saturating_sub(self.bytes.len());
        let Some(len) = self.search(input) else {
            if input.len() > free {
                return HeadSearch::TooLong;
            }
            self.bytes.extend_from_slice(input);
            *input = &[];
            return HeadSearch::NeedMore;
        };
        if len > free {
            return HeadSearch::TooLong;
        }
        let (head, rest) = input.split_at_checked(len).unwrap_or((input, &[]));
        *input = rest;
        self.line = Line::Text;
        if self.bytes.is_empty() {
            return HeadSearch::Borrowed(head);
        }
        self.bytes.extend_from_slice(head);
        self.spend();
        HeadSearch::Collected
    }

    /// How many bytes of `input` belong to the head, if it ends there.
    fn search(&mut self, input: &[u8]) -> Option<usize> {
        let mut at = 0;
        loop {
            let rest = input.get(at..)?;
            match self.line {
                Line::Text => {
                    at += memchr::memchr(b'\n', rest)? + 1;
                    self.line = Line::Start;
                }
                Line::Start | Line::Cr => {
                    let byte = rest.first()?;
                    at += 1;
                    self.line = match (self.line, byte) {
                        (_, b'\n') => return Some(at),
                        (Line::Start, b'\r') => Line::Cr,
                        _ => Line::Text,
                    };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The heads in `bytes`, taken in chunks of `size` bytes.
    fn heads(bytes: &[u8], size: usize, max: usize) -> Vec<Vec<u8>> {
        let mut collector = HeadCollector::new(max);
        let mut heads = Vec::new();
        for mut input in bytes.chunks(size) {
            loop {
                collector.release();
                collector.skip_empty_lines(&mut input);
                if input.is_empty() {
                    break;
                }
                match collector.find(&mut input) {
                    HeadSearch::Borrowed(head) => heads.push(head.to_vec()),
                    HeadSearch::Collected => heads.push(collector.bytes().to_vec()),
                    HeadSearch::NeedMore => {}
                    HeadSearch::TooLong => return heads,
                }
                assert!(collector.held() <= max);
            }
        }
        heads
    }

    #[test]
    fn heads_are_found_however_they_are_cut() {
        let bytes = b"\r\n\r\nA\r\nB\r\n\r\n\nC\n\nD\n\r\nE\r\r\n\rF\r\n \r\n\r\nG\r\n";
        let expected = [&b"A\r\nB\r\n\r\n"[..], b"C\n\n", b"D\n\r\n", b"E\r\r\n\rF\r\n \r\n\r\n"];
        for size in 1..=bytes.len() {
            assert_eq!(heads(bytes, size, 100), expected, "{size}");
        }
    }

    #[test]
    fn the_limit_holds_however_it_is_cut() {
        let bytes = b"ABCD\r\n\r\nEFGHI\r\n\r\nJ\r\n\r\n";
        for size in 1..=bytes.len() {
            assert_eq!(heads(bytes, size, 8), [b"ABCD\r\n\r\n"], "{size}");
            assert_eq!(heads(bytes, size, 9).len(), 3, "{size}");
        }
        assert_eq!(heads(&[b'x'; 1000], 7, 64).len(), 0);
    }

    #[test]
    fn a_start_is_joined_only_as_far_as_needed() {
        let mut collector = HeadCollector::new(100);
        let mut joined = [0; SNIFF_BYTES];
        assert_eq!(collector.start(b"GET", &mut joined), b"GET");
        assert_eq!(collector.find(&mut &b"GE"[..]), HeadSearch::NeedMore);
        assert_eq!(collector.start(b"T /", &mut joined), b"GET /");
        assert_eq!(collector.start(&[b'x'; 50], &mut joined).len(), SNIFF_BYTES);
    }
}

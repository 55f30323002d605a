//! The bytes of one direction → complete records (machine).
//!
//! In: bytes, cut anywhere, and gaps. Out: each record when it is complete. A record that lies in the input is not copied; one
//! that is cut is put together in a borrowed buffer. A gap within a record does not lose the boundary after it.

use super::record::{HEADER_LEN, Record, RecordHeader};

/// Buffers to borrow while a record is put together.
#[derive(Debug, Default)]
pub(super) struct Buffers(Vec<Vec<u8>>);

/// Idle buffers that are kept.
const MAX_IDLE: usize = 64;
/// The largest buffer that is kept.
const MAX_IDLE_BYTES: usize = 32 << 10;

/// Finds the records of one direction.
#[derive(Debug, Default)]
pub(super) struct Framer {
    buffer: Vec<u8>,
    /// Where in the buffer the next record begins.
    start: usize,
    /// Bytes to skip: the rest of a record that has a gap.
    skip: usize,
}

/// The next record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextRecord<'i> {
    /// Not all of it came yet.
    Incomplete,
    /// The next bytes are no record.
    Invalid,
    /// It is at the front of the input.
    InInput(Record<'i>),
    /// It is in the buffer: see [`Framer::buffered`].
    InBuffer(RecordHeader),
}

/// What a gap took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RecordGap {
    /// Bytes of one record, which is lost; where the next one begins is known.
    WithinRecord {
        /// The record had no gap before.
        first: bool,
    },
    /// More than that: it is not known where the next record begins.
    BoundaryLost,
}

impl Framer {
    /// Reads the next record. Bytes of an incomplete one are taken from the input, those of a complete one are not.
    pub(super) fn next<'i>(&mut self, input: &mut &'i [u8], buffers: &mut Buffers) -> NextRecord<'i> {
        if self.skip > 0 {
            let taken = self.skip.min(input.len());
            *input = input.get(taken..).unwrap_or_default();
            self.skip = self.skip.saturating_sub(taken);
            if self.skip > 0 {
                return NextRecord::Incomplete;
            }
        }
        if self.waiting().is_empty() {
            match RecordHeader::parse(input).map(|header| (header, Record::split(input, header))) {
                Some((header, _)) if !header.is_plausible() => return NextRecord::Invalid,
                Some((_, Some((record, _)))) => return NextRecord::InInput(record),
                _ if input.is_empty() => return NextRecord::Incomplete,
                _ => self.borrow(buffers),
            }
        }
        self.gather(input, HEADER_LEN);
        let Some(header) = RecordHeader::parse(self.waiting()) else { return NextRecord::Incomplete };
        if !header.is_plausible() {
            return NextRecord::Invalid;
        }
        self.gather(input, header.total());
        if self.waiting().len() >= header.total() { NextRecord::InBuffer(header) } else { NextRecord::Incomplete }
    }

    /// The record at the front of the buffer.
    pub(super) fn buffered(&self, header: RecordHeader) -> Record<'_> {
        Record { header, fragment: self.waiting().get(HEADER_LEN..header.total()).unwrap_or_default() }
    }

    /// The record at the front of the buffer is done with.
    pub(super) fn consume(&mut self, header: RecordHeader, buffers: &mut Buffers) {
        self.start = self.start.saturating_add(header.total());
        if self.waiting().is_empty() {
            self.clear(buffers);
        }
    }

    /// Gives the header of the next record, and skips its fragment; no more than a header is ever kept. For connections that
    /// cannot be decrypted.
    pub(super) fn skim(&mut self, input: &mut &[u8]) -> Option<RecordHeader> {
        if self.skip > 0 {
            let taken = self.skip.min(input.len());
            *input = input.get(taken..).unwrap_or_default();
            self.skip = self.skip.saturating_sub(taken);
        }
        if self.skip > 0 {
            return None;
        }
        self.gather(input, HEADER_LEN);
        let header = RecordHeader::parse(self.waiting())?;
        let have = self.waiting().len();
        let passed = have.min(header.total());
        self.skip = header.total().saturating_sub(passed);
        self.start = self.start.saturating_add(passed);
        if self.waiting().is_empty() {
            self.buffer.clear();
            self.start = 0;
        }
        Some(header)
    }

    /// Bytes are missing: so many, or an unknown number.
    pub(super) fn gap(&mut self, len: Option<u64>, buffers: &mut Buffers) -> RecordGap {
        let len = len.and_then(|len| usize::try_from(len).ok());
        let first = self.skip == 0;
        let left = if first {
            let have = self.waiting().len();
            RecordHeader::parse(self.waiting()).map(|header| header.total().saturating_sub(have))
        } else {
            Some(self.skip)
        };
        self.clear(buffers);
        self.skip = 0;
        match (left, len) {
            (Some(left), Some(len)) if len <= left => {
                self.skip = left.saturating_sub(len);
                RecordGap::WithinRecord { first }
            }
            _ => RecordGap::BoundaryLost,
        }
    }

    /// The bytes of a record that is incomplete, or not done with.
    pub(super) fn waiting(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// Takes bytes, whatever they are, until `max` are buffered.
    pub(super) fn take(&mut self, input: &mut &[u8], max: usize, buffers: &mut Buffers) {
        if self.buffer.is_empty() {
            self.borrow(buffers);
        }
        self.gather(input, max);
    }

    /// Discards the first `len` buffered bytes.
    pub(super) fn discard(&mut self, len: usize) {
        self.start = self.start.saturating_add(len).min(self.buffer.len());
        self.buffer.drain(..self.start);
        self.start = 0;
    }

    /// Discards all buffered bytes, and gives the buffer back.
    pub(super) fn clear(&mut self, buffers: &mut Buffers) {
        let mut buffer = core::mem::take(&mut self.buffer);
        self.start = 0;
        if buffer.capacity() > 0 && buffer.capacity() <= MAX_IDLE_BYTES && buffers.0.len() < MAX_IDLE {
            buffer.clear();
            buffers.0.push(buffer);
        }
    }

    /// Bytes that are kept.
    pub(super) const fn held(&self) -> usize {
        self.buffer.capacity()
    }

    fn borrow(&mut self, buffers: &mut Buffers) {
        if self.buffer.capacity() == 0 {
            self.buffer = buffers.0.pop().unwrap_or_default();
        }
    }

    /// Takes input until `len` bytes are buffered.
    fn gather(&mut self, input: &mut &[u8], len: usize) {
        let wanted = len.saturating_sub(self.waiting().len());
        let (taken, rest) = input.split_at_checked(wanted).unwrap_or((*input, &[]));
        self.buffer.extend_from_slice(taken);
        *input = rest;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(content: u8, body: &[u8]) -> Vec<u8> {
        let [high, low] = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&[content, 3, 3, high, low], body].concat()
    }

    /// Each record's type and body.
    fn records(framer: &mut Framer, mut input: &[u8], buffers: &mut Buffers) -> Vec<(u8, Vec<u8>)> {
        let mut records = Vec::new();
        loop {
            match framer.next(&mut input, buffers) {
                NextRecord::InInput(record) => {
                    records.push((record.header.content.0, record.fragment.to_vec()));
                    input = &input[record.header.total()..];
                }
                NextRecord::InBuffer(header) => {
                    records.push((header.content.0, framer.buffered(header).fragment.to_vec()));
                    framer.consume(header, buffers);
                }
                NextRecord::Incomplete => return records,
                NextRecord::Invalid => {
                    records.push((0, Vec::new()));
                    return records;
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_records(cuts in proptest::collection::vec(0_usize..400, 0..8)) {
            let stream = [record(22, b"hello"), record(20, &[1]), record(23, &[7; 300]), record(23, b""), record(21, &[1, 0])].concat();
            let mut buffers = Buffers::default();
            let whole = records(&mut Framer::default(), &stream, &mut buffers);
            prop_assert_eq!(whole.len(), 5);
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(stream.len())).chain([0, stream.len()]).collect();
            cuts.sort_unstable();
            let mut framer = Framer::default();
            let cut: Vec<_> =
                cuts.windows(2).flat_map(|pair| records(&mut framer, &stream[pair[0]..pair[1]], &mut buffers)).collect();
            prop_assert_eq!(cut, whole.clone());
            prop_assert_eq!(framer.held(), 0);
            let mut framer = Framer::default();
            let mut headers = Vec::new();
            for pair in cuts.windows(2) {
                let mut input = &stream[pair[0]..pair[1]];
                while let Some(header) = framer.skim(&mut input) {
                    headers.push(header.content.0);
                }
                prop_assert!(framer.held() <= 64);
            }
            prop_assert_eq!(headers, whole.iter().map(|(content, _)| *content).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_gap_within_a_record_keeps_the_boundary() {
        let mut buffers = Buffers::default();
        for missing in 1..=95 {
            let mut framer = Framer::default();
            let stream = [record(23, &[7; 100]), record(23, b"next")].concat();
            assert_eq!(records(&mut framer, &stream[..10], &mut buffers), []);
            assert_eq!(framer.gap(Some(missing), &mut buffers), RecordGap::WithinRecord { first: true });
            let rest = 10 + usize::try_from(missing).unwrap();
            assert_eq!(records(&mut framer, &stream[rest..], &mut buffers), [(23, b"next".to_vec())]);
        }
        let mut framer = Framer::default();
        records(&mut framer, &record(23, &[7; 100])[..10], &mut buffers);
        assert_eq!(framer.gap(Some(20), &mut buffers), RecordGap::WithinRecord { first: true });
        assert_eq!(framer.gap(Some(20), &mut buffers), RecordGap::WithinRecord { first: false });
        assert_eq!(framer.gap(Some(56), &mut buffers), RecordGap::BoundaryLost);
        assert_eq!(framer.gap(Some(1), &mut buffers), RecordGap::BoundaryLost);
        assert_eq!(framer.gap(None, &mut buffers), RecordGap::BoundaryLost);
    }

    #[test]
    fn bytes_that_are_no_record_are_invalid() {
        let mut buffers = Buffers::default();
        assert_eq!(records(&mut Framer::default(), b"GET / HTTP/1.1", &mut buffers), [(0, vec![])]);
        let mut framer = Framer::default();
        assert_eq!(records(&mut framer, b"GET", &mut buffers), []);
        assert_eq!(records(&mut framer, b" / ", &mut buffers), [(0, vec![])]);
    }
}

//! The bytes of one direction → frame headers, payload, ends of frames (RFC 6455 §5.2); machine.
//!
//! In come chunks of any size and gaps; out come [`FrameEvent`]s. Payload is lent from the input, still masked. Messages and
//! rules are not its concern.
//!
//! ```text
//!             header complete               all of the payload, or a gap over its rest
//!  ┌─► Header ────────────────► Payload ──────────────────────┐
//!  │     │ gap                     │ gap beyond the payload    │
//!  │     └──────────► Lost ◄───────┘                          │
//!  └──────────────────────────────────────────────────────────┘
//! ```

use super::frame::FrameHeader;

/// The parts of a frame, in order: `Header`, then any number of `Payload` and `Missing`, then `End`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameEvent<'a> {
    /// A frame begins.
    Header(FrameHeader),
    /// Bytes of its payload, as on the wire; and the offset of the first of them in the payload.
    Payload(&'a [u8], u64),
    /// Bytes of its payload that the capture lacks.
    Missing(u64),
    /// Its payload is complete, gaps included.
    End,
    /// A gap took a header: where the next frame begins is not known. The length of the gap after the end of the last frame,
    /// where it is known.
    Lost(Option<u64>),
}

/// The frame decoder of one direction.
#[derive(Debug, Clone, Default)]
pub struct FrameDecoder {
    state: State,
}

#[derive(Debug, Clone)]
enum State {
    /// Between frames, or inside a header: its bytes so far.
    Header { bytes: [u8; FrameHeader::MAX_LEN], have: u8 },
    /// Inside a payload: how many bytes are to come, and how many came.
    Payload { left: u64, position: u64 },
    /// A gap took a frame boundary.
    Lost,
}

impl Default for State {
    fn default() -> Self {
        Self::Header { bytes: [0; FrameHeader::MAX_LEN], have: 0 }
    }
}

impl FrameDecoder {
    /// A decoder at the beginning of a frame.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads one part of a frame from the front of `input`; `None` when it needs more. Bytes that it did not read stay in
    /// `input`.
    #[inline]
    pub fn next<'i>(&mut self, input: &mut &'i [u8]) -> Option<FrameEvent<'i>> {
        match &mut self.state {
            State::Header { bytes, have } => {
                let header = if *have == 0 { complete_header(input) } else { None };
                let header = header.or_else(|| split_header(bytes, have, input))?;
                self.state = State::Payload { left: header.payload_len, position: 0 };
                Some(FrameEvent::Header(header))
            }
            State::Payload { left: 0, .. } => {
                self.state = State::default();
                Some(FrameEvent::End)
            }
            State::Payload { left, position } => {
                let len = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                let (payload, rest) = input.split_at_checked(len).filter(|_| len > 0)?;
                let at = *position;
                *input = rest;
                *left -= len as u64;
                *position += len as u64;
                Some(FrameEvent::Payload(payload, at))
            }
            State::Lost => {
                *input = &[];
                None
            }
        }
    }

    /// A gap of `len` bytes, or of unknown length. Takes from `len` the bytes that belong to the event; call it again, after
    /// [`Self::next`] with no input, until `len` is 0.
    pub fn gap(&mut self, len: &mut Option<u64>) -> FrameEvent<'static> {
        match (&mut self.state, *len) {
            (State::Payload { left, position }, Some(gap)) if *left > 0 => {
                let missing = gap.min(*left);
                *left -= missing;
                *position = position.saturating_add(missing);
                *len = Some(gap - missing);
                FrameEvent::Missing(missing)
            }
            _ => {
                self.state = State::Lost;
                FrameEvent::Lost(len.replace(0))
            }
        }
    }

    /// Whether it is exactly between two frames.
    #[must_use]
    pub const fn at_boundary(&self) -> bool {
        matches!(self.state, State::Header { have: 0, .. })
    }

    /// The bytes so far of a header that is not complete.
    #[must_use]
    pub fn partial_header(&self) -> &[u8] {
        match &self.state {
            State::Header { bytes, have } => bytes.get(..usize::from(*have)).unwrap_or_default(),
            _ => &[],
        }
    }

    /// Whether a frame boundary was lost and not found again.
    #[must_use]
    pub const fn is_lost(&self) -> bool {
        matches!(self.state, State::Lost)
    }
}

/// A header that is complete in `input`.
#[inline]
fn complete_header(input: &mut &[u8]) -> Option<FrameHeader> {
    let header = FrameHeader::parse(input)?;
    *input = input.get(usize::from(header.header_len)..)?;
    Some(header)
}

/// A header of which `have` bytes came before: takes one byte at a time, since its length is in its first bytes.
#[cold]
fn split_header(bytes: &mut [u8; FrameHeader::MAX_LEN], have: &mut u8, input: &mut &[u8]) -> Option<FrameHeader> {
    while let Some((&byte, rest)) = input.split_first() {
        *bytes.get_mut(usize::from(*have))? = byte;
        *have += 1;
        *input = rest;
        if let Some(header) = bytes.get(..usize::from(*have)).and_then(FrameHeader::parse) {
            return Some(header);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Frames as bytes: first byte, payload, whether it is masked.
    fn stream(payloads: &[(u8, Vec<u8>, bool)]) -> Vec<u8> {
        let mut out = Vec::new();
        for (first, payload, masked) in payloads {
            let mask = if *masked { 0x80 } else { 0 };
            out.push(*first);
            match payload.len() {
                len @ 0..126 => out.push(mask | u8::try_from(len).unwrap()),
                len @ 126..65536 => {
                    out.push(mask | 126);
                    out.extend(u16::try_from(len).unwrap().to_be_bytes());
                }
                len => {
                    out.push(mask | 127);
                    out.extend((len as u64).to_be_bytes());
                }
            }
            if *masked {
                out.extend([9, 8, 7, 6]);
            }
            out.extend(payload);
        }
        out
    }

    /// Frames with the payload of adjacent events joined, so that cuts do not show.
    fn run(pieces: &[&[u8]]) -> Vec<(Option<FrameHeader>, Vec<u8>, bool)> {
        let mut decoder = FrameDecoder::new();
        let mut frames: Vec<(Option<FrameHeader>, Vec<u8>, bool)> = Vec::new();
        for piece in pieces {
            let mut input = *piece;
            while let Some(event) = decoder.next(&mut input) {
                match event {
                    FrameEvent::Header(header) => frames.push((Some(header), Vec::new(), false)),
                    FrameEvent::Payload(bytes, at) => {
                        let frame = frames.last_mut().unwrap();
                        assert_eq!(at, frame.1.len() as u64);
                        frame.1.extend(bytes);
                    }
                    FrameEvent::End => frames.last_mut().unwrap().2 = true,
                    other => panic!("{other:?}"),
                }
            }
            assert!(input.is_empty());
        }
        frames
    }

    fn frames() -> impl Strategy<Value = Vec<(u8, Vec<u8>, bool)>> {
        let len = prop_oneof![0..4_usize, 120..130_usize, 65_530..65_540_usize];
        prop::collection::vec(
            (any::<u8>(), len, any::<bool>(), any::<u8>()).prop_map(|(f, n, m, b)| (f, vec![b; n], m)),
            1..6,
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(crate::common::effort::cases(64, 2_000)))]
        #[test]
        fn any_cut_gives_the_same_frames(frames in frames(), cuts in prop::collection::vec(0..70_000_usize, 0..8)) {
            let bytes = stream(&frames);
            let whole = run(&[&bytes]);
            prop_assert_eq!(whole.len(), frames.len());
            for (got, sent) in whole.iter().zip(&frames) {
                prop_assert!(got.2 && got.1 == sent.1);
            }
            let mut borders: Vec<usize> = cuts.into_iter().filter(|&c| c <= bytes.len()).collect();
            borders.extend([0, bytes.len()]);
            borders.sort_unstable();
            let pieces: Vec<&[u8]> = borders.windows(2).map(|w| &bytes[w[0]..w[1]]).collect();
            prop_assert_eq!(run(&pieces), whole);
        }
    }

    #[test]
    fn byte_by_byte_is_the_same() {
        let bytes = stream(&[(0x81, b"Hello".to_vec(), true), (0x89, vec![], false), (0x82, vec![7; 300], true)]);
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(run(&single), run(&[&bytes]));
    }

    #[test]
    fn a_gap_inside_a_payload_keeps_the_boundary() {
        let mut decoder = FrameDecoder::new();
        let mut input: &[u8] = &[0x82, 10, 1, 2];
        while decoder.next(&mut input).is_some() {}
        let mut gap = Some(5);
        assert_eq!(decoder.gap(&mut gap), FrameEvent::Missing(5));
        assert_eq!(gap, Some(0));
        let mut input: &[u8] = &[8, 9, 10, 0x81, 0];
        assert_eq!(decoder.next(&mut input), Some(FrameEvent::Payload(&[8, 9, 10], 7)));
        assert_eq!(decoder.next(&mut input), Some(FrameEvent::End));
        assert!(matches!(decoder.next(&mut input), Some(FrameEvent::Header(header)) if header.fin));
    }

    #[test]
    fn a_gap_up_to_the_end_of_a_payload_keeps_the_boundary() {
        let mut decoder = FrameDecoder::new();
        let mut input: &[u8] = &[0x82, 3, 1];
        while decoder.next(&mut input).is_some() {}
        assert_eq!(decoder.gap(&mut Some(2)), FrameEvent::Missing(2));
        let mut input: &[u8] = &[];
        assert_eq!(decoder.next(&mut input), Some(FrameEvent::End));
        assert!(decoder.at_boundary());
    }

    #[test]
    fn a_gap_over_a_header_loses_the_boundary() {
        for (bytes, gap, left) in
            [(&[0x82, 3, 1][..], Some(5), Some(3)), (&[0x82], Some(1), Some(1)), (&[], None, None)]
        {
            let mut decoder = FrameDecoder::new();
            let mut input: &[u8] = bytes;
            while decoder.next(&mut input).is_some() {}
            let mut len = gap;
            let mut last = decoder.gap(&mut len);
            while let (FrameEvent::Missing(_), Some(1..)) = (last, len) {
                assert_eq!(decoder.next(&mut (&[][..])), Some(FrameEvent::End));
                last = decoder.gap(&mut len);
            }
            assert_eq!(last, FrameEvent::Lost(left));
            assert!(decoder.is_lost());
            let mut input: &[u8] = &[0x81, 0, 0x81, 0];
            assert_eq!(decoder.next(&mut input), None);
        }
    }

    #[test]
    fn the_longest_length_ends_only_with_a_gap_as_long() {
        let mut decoder = FrameDecoder::new();
        let mut input: &[u8] = &[0x82, 127, 255, 255, 255, 255, 255, 255, 255, 255];
        assert!(matches!(decoder.next(&mut input), Some(FrameEvent::Header(_))));
        assert_eq!(decoder.gap(&mut Some(u64::MAX)), FrameEvent::Missing(u64::MAX));
        assert_eq!(decoder.next(&mut (&[][..])), Some(FrameEvent::End));
    }
}

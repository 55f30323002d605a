//! One direction's bytes → frame headers, payload, ends (RFC 6455 §5.2).
//!
//! In come chunks of any size and holes; out come [`FrameEvent`]s. Payload is lent as it lies in the input, still masked. It
//! does not know messages, and judges nothing.

use super::frame::FrameHeader;

/// What the bytes are, in order: `Header`, then any number of `Payload` and `Missing`, then `End`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameEvent<'a> {
    /// A frame begins.
    Header(FrameHeader),
    /// Bytes of its payload, as on the wire; and the place of the first of them in the payload.
    Payload(&'a [u8], u64),
    /// Bytes of its payload that the capture lacks.
    Missing(u64),
    /// All of its payload was there, or in a hole.
    End,
    /// A hole took a header: where the next frame begins is not known. So many bytes of it lay behind the last frame.
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
    /// Inside a payload: what is left of it, and what was.
    Payload { left: u64, position: u64 },
    /// Out of step.
    Lost,
}

impl Default for State {
    fn default() -> Self {
        Self::Header { bytes: [0; FrameHeader::MAX_LEN], have: 0 }
    }
}

impl FrameDecoder {
    /// A decoder that stands before a frame.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads from the front of `input` and says one thing; `None` when it wants more. What it did not read stays in
    /// `input`.
    #[inline]
    pub fn next<'i>(&mut self, input: &mut &'i [u8]) -> Option<FrameEvent<'i>> {
        match &mut self.state {
            State::Header { bytes, have } => {
                let header = if *have == 0 { whole_header(input) } else { None };
                let header = header.or_else(|| pieced_header(bytes, have, input))?;
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

    /// A hole of `len` bytes, or of unknown length. Takes from `len` what it explains; call again, after [`Self::next`]
    /// with no input, until it is 0.
    pub fn gap(&mut self, len: &mut Option<u64>) -> FrameEvent<'static> {
        match (&mut self.state, *len) {
            (State::Payload { left, position }, Some(hole)) if *left > 0 => {
                let missing = hole.min(*left);
                *left -= missing;
                *position = position.saturating_add(missing);
                *len = Some(hole - missing);
                FrameEvent::Missing(missing)
            }
            _ => {
                self.state = State::Lost;
                FrameEvent::Lost(len.replace(0))
            }
        }
    }

    /// Whether it stands exactly between two frames.
    #[must_use]
    pub const fn at_boundary(&self) -> bool {
        matches!(self.state, State::Header { have: 0, .. })
    }

    /// The bytes of a header that is not complete.
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

/// A header that lies whole at the front of `input`.
#[inline]
fn whole_header(input: &mut &[u8]) -> Option<FrameHeader> {
    let header = FrameHeader::parse(input)?;
    *input = input.get(usize::from(header.header_len)..)?;
    Some(header)
}

/// A header of which `have` bytes came before: takes one more at a time, since its length is in its first bytes.
#[cold]
fn pieced_header(bytes: &mut [u8; FrameHeader::MAX_LEN], have: &mut u8, input: &mut &[u8]) -> Option<FrameHeader> {
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

    /// Frames as bytes: a client's and a server's way of writing each length.
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

    /// Steps with adjacent payload joined, so that cuts do not show.
    fn run(pieces: &[&[u8]]) -> Vec<(Option<FrameHeader>, Vec<u8>, bool)> {
        let mut decoder = FrameDecoder::new();
        let mut frames: Vec<(Option<FrameHeader>, Vec<u8>, bool)> = Vec::new();
        for piece in pieces {
            let mut input = *piece;
            while let Some(step) = decoder.next(&mut input) {
                match step {
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
    fn a_hole_inside_a_payload_keeps_the_boundary() {
        let mut decoder = FrameDecoder::new();
        let mut input: &[u8] = &[0x82, 10, 1, 2];
        while decoder.next(&mut input).is_some() {}
        let mut hole = Some(5);
        assert_eq!(decoder.gap(&mut hole), FrameEvent::Missing(5));
        assert_eq!(hole, Some(0));
        let mut input: &[u8] = &[8, 9, 10, 0x81, 0];
        assert_eq!(decoder.next(&mut input), Some(FrameEvent::Payload(&[8, 9, 10], 7)));
        assert_eq!(decoder.next(&mut input), Some(FrameEvent::End));
        assert!(matches!(decoder.next(&mut input), Some(FrameEvent::Header(header)) if header.fin));
    }

    #[test]
    fn a_hole_to_the_very_end_of_a_payload_keeps_the_boundary() {
        let mut decoder = FrameDecoder::new();
        let mut input: &[u8] = &[0x82, 3, 1];
        while decoder.next(&mut input).is_some() {}
        assert_eq!(decoder.gap(&mut Some(2)), FrameEvent::Missing(2));
        let mut input: &[u8] = &[];
        assert_eq!(decoder.next(&mut input), Some(FrameEvent::End));
        assert!(decoder.at_boundary());
    }

    #[test]
    fn a_hole_over_a_header_is_lost() {
        for (bytes, hole, left) in
            [(&[0x82, 3, 1][..], Some(5), Some(3)), (&[0x82], Some(1), Some(1)), (&[], None, None)]
        {
            let mut decoder = FrameDecoder::new();
            let mut input: &[u8] = bytes;
            while decoder.next(&mut input).is_some() {}
            let mut len = hole;
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
    fn the_longest_length_never_ends() {
        let mut decoder = FrameDecoder::new();
        let mut input: &[u8] = &[0x82, 127, 255, 255, 255, 255, 255, 255, 255, 255];
        assert!(matches!(decoder.next(&mut input), Some(FrameEvent::Header(_))));
        assert_eq!(decoder.gap(&mut Some(u64::MAX)), FrameEvent::Missing(u64::MAX));
        assert_eq!(decoder.next(&mut (&[][..])), Some(FrameEvent::End));
    }
}

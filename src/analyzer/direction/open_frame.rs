//! A frame whose header is known and whose end has not come.

use crate::analyzer::conversation::FrameKind;
use crate::types::{Detail, FindingCode, FindingSet, PacketRef};
use crate::websocket::Violation;
use crate::websocket::{FrameDecoder, FrameHeader};

/// Bytes that are kept of a control frame's payload. One that is allowed has at most 125 (RFC 6455 §5.5); more are kept so
/// that a reason that is too long can be read.
pub(super) const CONTROL_KEEP: usize = 4096;

/// The frame at hand.
pub(super) struct OpenFrame {
    pub(super) header: FrameHeader,
    pub(super) header_captured: u8,
    pub(super) kind: FrameKind,
    /// Its place among the fragments of its message.
    pub(super) fragment: u64,
    /// Bytes of its payload that the capture lacks.
    pub(super) missing: u64,
    /// Its payload, unmasked, as far as it is kept: at most `keep` bytes.
    pub(super) kept: Vec<u8>,
    pub(super) keep: usize,
    pub(super) findings: FindingSet,
    pub(super) violations: Vec<(PacketRef, Violation)>,
}

impl OpenFrame {
    /// A control frame, until its kind is known. `kept` is an empty buffer, of which at most `keep` bytes are filled.
    pub(super) fn new(header: FrameHeader, kept: Vec<u8>, keep: usize) -> Self {
        Self {
            header,
            header_captured: header.header_len,
            kind: FrameKind::Control,
            fragment: 0,
            missing: 0,
            kept,
            keep,
            findings: FindingSet::default(),
            violations: Vec::new(),
        }
    }

    /// The frame whose header the stream ends in, as far as it came.
    pub(super) fn partial(decoder: &FrameDecoder, seen: PacketRef) -> Option<Self> {
        let captured = decoder.partial_header();
        let mut bytes = [0; FrameHeader::MAX_LEN];
        let len = bytes.iter_mut().zip(captured).map(|(to, from)| *to = *from).count();
        let header = FrameHeader::parse(&bytes).filter(|_| len > 0)?;
        let header_captured = u8::try_from(len).unwrap_or(header.header_len);
        let mut frame = Self { header_captured, kind: FrameKind::Stray, ..Self::new(header, Vec::new(), 0) };
        frame.add_violation(seen, (FindingCode::TruncatedFrame, Detail::Fixed("inside its header")));
        Some(frame)
    }

    /// Remembers a finding until the frame has a number.
    pub(super) fn add_violation(&mut self, seen: PacketRef, violation: Violation) {
        self.findings.insert(violation.0);
        self.violations.push((seen, violation));
    }

    /// Bytes of its payload that were captured, where its first byte stands at `start` and the next one at `position`.
    pub(super) fn captured(&self, start: u64, position: u64) -> u64 {
        position.saturating_sub(start).saturating_sub(self.header.header_len.into()).saturating_sub(self.missing)
    }

    /// Bytes that it keeps besides itself.
    #[inline]
    pub(super) const fn held(&self) -> usize {
        self.kept.capacity() + self.violations.capacity() * size_of::<(PacketRef, Violation)>()
    }

    /// Memory is spent: frees its payload, but for what is needed to judge a Close. Gives how many bytes that was.
    pub(super) fn shed(&mut self) -> u64 {
        let keep = if self.kind == FrameKind::Control { CONTROL_KEEP } else { 0 };
        let over = self.kept.len().saturating_sub(keep);
        if over > 0 {
            self.kept.truncate(keep);
            self.kept.shrink_to_fit();
        }
        self.keep = self.keep.min(keep);
        over as u64
    }
}

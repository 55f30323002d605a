//! Frames → messages: one message of one direction, from its first frame to its last (RFC 6455 §5.4, RFC 7692 §6).
//!
//! In comes unmasked payload; it is inflated if *this message* began with RSV1, checked to be UTF-8 if it is text, counted,
//! and kept up to a limit. Control frames never come here: they do not touch the open message. Broken rules go out as
//! [`Violation`]s.

use super::frame::{FrameHeader, Opcode};
use super::inflate::{InflateError, Inflater, InflaterPool};
use super::utf8::Utf8Checker;
use super::violation::Violation;
use crate::types::{Detail, FindingCode, FindingSet, Limits, MemoryQuota, PacketRef};

/// A message that is being received.
#[derive(Debug)]
pub struct OpenMessage {
    /// Text or binary.
    pub opcode: Opcode,
    /// Whether it began with RSV1, and that means something: it belongs to the message, not to the frame.
    pub compressed: bool,
    /// Frames so far.
    pub frames: u64,
    /// Their payload lengths.
    pub wire_len: u64,
    /// The packet of its first byte.
    pub first: PacketRef,
    /// The codes of findings in it.
    pub findings: FindingSet,
    body: Body,
}

/// How the payload of a message encodes its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadEncoding {
    /// The payload is the content.
    Plain,
    /// Compressed: the message began with RSV1 (RFC 7692 §6).
    Deflated,
    /// Unknown: the message began with a reserved bit of an extension that is not known here (RFC 6455 §5.2). Text is not
    /// checked.
    Unknown,
}

/// The content of a message so far.
#[derive(Debug)]
struct Body {
    len: u64,
    /// Whether bytes are missing.
    has_gaps: bool,
    undecodable: bool,
    utf8: Option<Utf8Checker>,
    ill_formed: bool,
    content: Vec<u8>,
    keep: usize,
    /// Whether all content so far was kept.
    all_kept: bool,
}

/// A message of which nothing more will come.
#[derive(Debug)]
pub struct FinishedMessage {
    /// Its length after inflation; `None` where it could not be inflated.
    pub len: Option<u64>,
    /// The part of its content that was kept.
    pub content: Vec<u8>,
    /// Whether `content` is all of it.
    pub content_whole: bool,
    /// Whether bytes are missing, or could not be inflated.
    pub has_gaps: bool,
    /// Whether it is UTF-8 as far as it was seen; false where its encoding is unknown.
    pub utf8: bool,
}

/// What the messages of one direction share.
pub struct MessageResources<'t> {
    /// The direction's inflater, where permessage-deflate was negotiated.
    pub inflater: Option<&'t mut Inflater>,
    /// The pool from which it borrows.
    pub pool: &'t mut InflaterPool,
    /// The limits of each message.
    pub limits: &'t Limits,
    /// The memory that all messages together may still use.
    pub quota: &'t mut MemoryQuota,
}

impl OpenMessage {
    /// Begins with the header of its first frame. `content` is an empty buffer, which gets at most `keep` bytes.
    #[must_use]
    pub fn begin(header: &FrameHeader, form: PayloadEncoding, first: PacketRef, content: Vec<u8>, keep: usize) -> Self {
        let unknown = form == PayloadEncoding::Unknown;
        let utf8 = (header.opcode == Opcode::TEXT && !unknown).then(Utf8Checker::new);
        Self {
            opcode: header.opcode,
            compressed: form == PayloadEncoding::Deflated,
            frames: 0,
            wire_len: 0,
            first,
            findings: FindingSet::default(),
            body: Body {
                len: 0,
                has_gaps: false,
                undecodable: false,
                utf8,
                ill_formed: unknown,
                content,
                keep,
                all_kept: true,
            },
        }
    }

    /// Whether its payload is needed: to check, to inflate, or to keep it.
    #[inline]
    #[must_use]
    pub fn wants_payload(&self) -> bool {
        self.compressed || self.body.utf8.is_some() || (self.body.all_kept && self.body.content.len() < self.body.keep)
    }

    /// Whether any of its content is kept.
    #[inline]
    #[must_use]
    pub const fn keeps_content(&self) -> bool {
        self.body.keep > 0
    }

    /// Takes unmasked payload, and calls `broken` with each violation in it.
    pub fn push(&mut self, payload: &[u8], tools: &mut MessageResources<'_>, broken: &mut impl FnMut(Violation)) {
        self.wire_len = self.wire_len.saturating_add(payload.len() as u64);
        if !self.compressed {
            self.body.take(payload, tools.quota, broken);
            return;
        }
        // Later messages may refer to one that cannot be shown: the inflater goes on.
        let (body, quota) = (&mut self.body, &mut *tools.quota);
        let Some(inflater) = tools.inflater.as_deref_mut() else { return };
        let result = inflater.push(tools.pool, payload, &mut |plain: &[u8]| body.take(plain, quota, broken));
        if let Some(excess) = inflater.take_window_excess() {
            let (distance, window) = (excess.distance.into(), excess.window.into());
            broken((FindingCode::InflateWindowExceeded, Detail::Numbers("distance #, window #", distance, window)));
        }
        self.inflated(result, tools.limits, broken);
    }

    /// Counts payload that is not needed ([`Self::wants_payload`]).
    #[inline]
    pub const fn skip(&mut self, len: u64) {
        self.wire_len = self.wire_len.saturating_add(len);
        self.body.len = self.body.len.saturating_add(len);
        if len > 0 {
            self.body.all_kept = false;
        }
    }

    /// `len` bytes of payload are missing.
    pub fn missing(&mut self, len: u64, tools: &mut MessageResources<'_>) {
        self.wire_len = self.wire_len.saturating_add(len);
        self.body.has_gaps = true;
        if let Some(checker) = &mut self.body.utf8 {
            checker.skip(len);
        }
        if !self.compressed {
            self.body.len = self.body.len.saturating_add(len);
        } else if let Some(inflater) = tools.inflater.as_deref_mut() {
            inflater.lose_context(tools.pool);
        }
    }

    /// Its last frame is complete: ends the inflation and the UTF-8 check, and calls `broken` with each violation.
    pub fn end(&mut self, tools: &mut MessageResources<'_>, broken: &mut impl FnMut(Violation)) {
        if self.compressed
            && let Some(inflater) = tools.inflater.as_deref_mut()
        {
            let result = inflater.finish_message(tools.pool);
            self.inflated(result, tools.limits, broken);
        }
        self.body.end(broken);
    }

    /// Its lengths and checks, and the content that was kept.
    #[must_use]
    pub fn finish(self) -> FinishedMessage {
        let unknown = self.compressed && self.body.undecodable;
        FinishedMessage {
            len: (!unknown).then_some(self.body.len),
            content_whole: self.body.all_kept && !self.body.undecodable,
            has_gaps: self.body.has_gaps || self.body.undecodable,
            utf8: !self.body.ill_formed,
            content: self.body.content,
        }
    }

    /// Bytes that it keeps.
    #[must_use]
    #[inline]
    pub const fn held(&self) -> usize {
        self.body.content.capacity()
    }

    /// Discards its content, and keeps none from now on: it is only counted and checked to its end. Returns the number of
    /// bytes freed.
    pub fn discard_content(&mut self) -> u64 {
        let content = core::mem::take(&mut self.body.content);
        self.body.all_kept &= content.is_empty();
        self.body.keep = 0;
        content.len() as u64
    }

    /// Records what the inflater reported, and checks the ratio and the size.
    fn inflated(&mut self, result: Result<(), InflateError>, limits: &Limits, broken: &mut impl FnMut(Violation)) {
        if let Err(error) = result {
            self.body.undecodable = true;
            match error {
                InflateError::Corrupt { .. } => broken((FindingCode::InflateError, Detail::text(error.to_string()))),
                InflateError::ContextLost { first: true, loss } => {
                    broken((FindingCode::InflateContextLost, Detail::Fixed(loss.as_str())));
                }
                InflateError::ContextLost { first: false, .. } => {}
            }
        }
        let len = self.body.len;
        let ratio_broken = len > limits.min_ratio_bytes && len / limits.max_inflate_ratio.max(1) > self.wire_len;
        if (ratio_broken || len > limits.max_message_bytes) && !self.findings.contains(FindingCode::InflateRatio) {
            self.findings.insert(FindingCode::InflateRatio);
            broken((FindingCode::InflateRatio, Detail::Numbers("# bytes inflate to at least #", self.wire_len, len)));
        }
    }
}

impl Body {
    /// Takes content.
    #[inline]
    fn take(&mut self, plain: &[u8], quota: &mut MemoryQuota, broken: &mut impl FnMut(Violation)) {
        self.len = self.len.saturating_add(plain.len() as u64);
        if let Some(checker) = &mut self.utf8
            && !self.ill_formed
            && let Err(invalid) = checker.push(plain)
        {
            self.ill_formed = true;
            broken((FindingCode::InvalidUtf8, Detail::Number("at byte #", invalid.offset)));
        }
        // Content after a part that was not kept is not kept either.
        let keep = if self.all_kept { self.keep } else { 0 };
        self.all_kept &= if keep > 0 { quota.append(&mut self.content, plain, keep) } else { plain.is_empty() };
    }

    /// The content ends here.
    fn end(&mut self, broken: &mut impl FnMut(Violation)) {
        if self.undecodable || self.ill_formed {
            return;
        }
        if let Some(checker) = &mut self.utf8
            && let Err(invalid) = checker.finish()
        {
            self.ill_formed = true;
            broken((
                FindingCode::InvalidUtf8,
                Detail::Numbers("at byte #, cut off by the end at byte #", invalid.offset, self.len),
            ));
        }
    }
}

//! One direction of an HTTP/2 connection, bytes → frames (machine): the client's preface, headers, content without
//! padding (RFC 9113 §3.4, §4.1, §6.1).
//!
//! In: the bytes and gaps of one direction. Out: the parts of each frame. It knows lengths alone: `connection/` knows what a
//! frame means, and `search.rs` finds where frames begin after a loss.

use super::frame::FrameHeader;

/// The client's connection preface (RFC 9113 §3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// One part of a frame, or of the preface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FramePart<'i> {
    /// A frame begins.
    Header(FrameHeader),
    /// Bytes of its content: the payload without pad length, priority, promised stream and padding.
    Content(&'i [u8]),
    /// The frame is over.
    End,
    /// Its padding is as long as all of its payload, or longer: there is no content.
    Overpadded,
    /// There is something else in place of the preface. Nothing follows.
    NotHttp2,
}

/// What a gap took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GapEffect {
    /// Only bytes of the frame at hand: so many of its content; `None` where some of them may be padding.
    Content(Option<u64>),
    /// More than that: it is no longer known where the next frame begins.
    Boundary,
}

/// Reads one direction.
#[derive(Debug)]
pub(super) struct Reader {
    /// Bytes of the preface so far, where one is expected.
    preface: Option<usize>,
    not_http2: bool,
    /// A header that is cut by the end of a chunk, and how many of its bytes came.
    header: [u8; FrameHeader::LEN],
    header_len: usize,
    frame: Option<OpenFrame>,
}

/// A frame that has begun: how much of each of its parts is still to come.
#[derive(Debug, Clone, Copy)]
struct OpenFrame {
    header: FrameHeader,
    /// Bytes of pad length, priority and promised stream.
    prefix: u8,
    /// The pad length, once it came.
    pad_len: Option<u8>,
    content: u32,
    padding: u32,
}

impl Reader {
    /// A direction that begins with the preface, or with a frame.
    pub(super) const fn new(preface: bool) -> Self {
        let preface = if preface { Some(0) } else { None };
        Self { preface, not_http2: false, header: [0; FrameHeader::LEN], header_len: 0, frame: None }
    }

    /// The next part; `None` when more bytes are needed.
    pub(super) fn next<'i>(&mut self, input: &mut &'i [u8]) -> Option<FramePart<'i>> {
        if self.preface.is_some() && !self.skip_preface(input) {
            return self.not_http2.then_some(FramePart::NotHttp2);
        }
        let Some(frame) = &mut self.frame else { return self.begin(input).map(FramePart::Header) };
        while frame.prefix > 0 {
            let byte = take(input, 1).first().copied()?;
            frame.prefix -= 1;
            if frame.header.is_padded() && frame.pad_len.is_none() {
                frame.pad_len = Some(byte);
            }
            if frame.prefix == 0 && !frame.pad() {
                return Some(FramePart::Overpadded);
            }
        }
        if frame.content > 0 {
            let bytes = take(input, frame.content);
            frame.content -= u32::try_from(bytes.len()).unwrap_or(frame.content);
            return (!bytes.is_empty()).then_some(FramePart::Content(bytes));
        }
        let padding = take(input, frame.padding);
        frame.padding -= u32::try_from(padding.len()).unwrap_or(frame.padding);
        if frame.padding > 0 {
            return None;
        }
        self.frame = None;
        Some(FramePart::End)
    }

    /// Bytes are missing: so many, or an unknown number.
    pub(super) fn gap(&mut self, len: Option<u64>) -> GapEffect {
        if self.preface.is_some() {
            self.preface = None;
            return self.lose();
        }
        let Some(frame) = &mut self.frame else {
            return if len == Some(0) { GapEffect::Content(Some(0)) } else { self.lose() };
        };
        let left = u64::from(frame.prefix) + u64::from(frame.content) + u64::from(frame.padding);
        let Some(len) = len.and_then(|len| u32::try_from(len).ok()).filter(|len| u64::from(*len) <= left) else {
            return self.lose();
        };
        if frame.prefix > 0 && len > 0 {
            // The pad length may be missing: none of the rest is taken for content.
            (frame.padding, frame.content) = (frame.content.saturating_add(frame.prefix.into()) - len, 0);
            frame.prefix = 0;
            return GapEffect::Content(None);
        }
        let content = len.min(frame.content);
        frame.content -= content;
        frame.padding -= len - content;
        GapEffect::Content(Some(content.into()))
    }

    /// A boundary was found: a frame begins with the next byte.
    pub(super) fn resume(&mut self) {
        *self = Self::new(false);
    }

    fn lose(&mut self) -> GapEffect {
        self.resume();
        GapEffect::Boundary
    }

    /// Skips the preface. False where more of it is to come, or it is something else.
    fn skip_preface(&mut self, input: &mut &[u8]) -> bool {
        let Some(have) = &mut self.preface else { return true };
        let expected = PREFACE.get(*have..).unwrap_or_default();
        let bytes = take(input, u32::try_from(expected.len()).unwrap_or(u32::MAX));
        self.not_http2 |= !expected.starts_with(bytes);
        *have += bytes.len();
        let over = *have >= PREFACE.len() && !self.not_http2;
        if over {
            self.preface = None;
        }
        over
    }

    fn begin(&mut self, input: &mut &[u8]) -> Option<FrameHeader> {
        if let (0, Some((header, rest))) = (self.header_len, input.split_first_chunk::<{ FrameHeader::LEN }>()) {
            *input = rest;
            return Some(self.open(FrameHeader::parse(header)));
        }
        let missing = self.header.get_mut(self.header_len..).unwrap_or_default();
        let bytes = take(input, u32::try_from(missing.len()).unwrap_or(u32::MAX));
        missing.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        self.header_len += bytes.len();
        if self.header_len < FrameHeader::LEN {
            return None;
        }
        Some(self.open(FrameHeader::parse(&self.header)))
    }

    fn open(&mut self, header: FrameHeader) -> FrameHeader {
        self.header_len = 0;
        let mut frame = OpenFrame { header, prefix: header.prefix_len(), pad_len: None, content: 0, padding: 0 };
        if u32::from(frame.prefix) > header.len {
            // Its header's fault is reported: nothing of it is read.
            (frame.prefix, frame.padding) = (0, header.len);
        } else {
            frame.content = header.len - u32::from(frame.prefix);
        }
        self.frame = Some(frame);
        header
    }
}

impl OpenFrame {
    /// Separates the padding from the content. False where there is too much of it: "If the length of the padding is the length
    /// of the frame payload or greater, the recipient MUST treat this as a connection error" (RFC 9113 §6.1).
    fn pad(&mut self) -> bool {
        let padding = u32::from(self.pad_len.unwrap_or(0));
        let enough = padding <= self.content;
        self.padding = if enough { padding } else { self.content };
        self.content -= self.padding;
        enough
    }
}

/// Takes at most `len` bytes.
fn take<'i>(input: &mut &'i [u8], len: u32) -> &'i [u8] {
    let len = usize::try_from(len).unwrap_or(usize::MAX).min(input.len());
    let (taken, rest) = input.split_at_checked(len).unwrap_or_default();
    *input = rest;
    taken
}

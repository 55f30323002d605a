//! One direction of an HTTP/2 connection, bytes → frames (machine): the client's preface, headers, content without
//! padding (RFC 9113 §3.4, §4.1, §6.1).
//!
//! Knows lengths alone. What a frame means is the business of `connection.rs`, and where frames begin after a loss is that of
//! `search.rs`.

use super::frame::FrameHeader;

/// What a client begins with (RFC 9113 §3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What is in the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FramePart<'i> {
    /// A frame begins.
    Header(FrameHeader),
    /// Bytes of its content: without pad length, priority, promised stream and padding.
    Content(&'i [u8]),
    /// It is over.
    End,
    /// Its padding is as long as all of its payload, or longer: there is no content.
    Overpadded,
    /// What stands where the preface should is something else. Nothing more will come.
    NotHttp2,
}

/// What a hole hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GapEffect {
    /// The frame at hand only: so many bytes of its content.
    Content(Option<u64>),
    /// Where the next frame begins is not known any more.
    Boundary,
}

/// Reads one direction.
#[derive(Debug)]
pub(super) struct Reader {
    /// Bytes of the preface that came, where one is expected.
    preface: Option<usize>,
    not_http2: bool,
    header: [u8; FrameHeader::LEN],
    have: usize,
    frame: Option<OpenFrame>,
}

#[derive(Debug, Clone, Copy)]
struct OpenFrame {
    header: FrameHeader,
    /// Bytes of the prefix that have not come, and the first of it: the pad length.
    prefix: u8,
    pad_len: Option<u8>,
    content: u32,
    padding: u32,
}

impl Reader {
    /// A direction that begins with the preface, or with a frame.
    pub(super) const fn new(preface: bool) -> Self {
        let preface = if preface { Some(0) } else { None };
        Self { preface, not_http2: false, header: [0; FrameHeader::LEN], have: 0, frame: None }
    }

    /// The next piece; `None` when more bytes are needed.
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

    /// Takes a hole of known length or not.
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
            // How much of the rest is padding is not known: none of it is taken for content.
            (frame.padding, frame.content) = (frame.content.saturating_add(frame.prefix.into()) - len, 0);
            frame.prefix = 0;
            return GapEffect::Content(None);
        }
        let content = len.min(frame.content);
        frame.content -= content;
        frame.padding -= len - content;
        GapEffect::Content(Some(content.into()))
    }

    /// A boundary was found again: a frame begins with the next byte.
    pub(super) fn resume(&mut self) {
        *self = Self::new(false);
    }

    fn lose(&mut self) -> GapEffect {
        self.resume();
        GapEffect::Boundary
    }

    /// Passes over the preface. False where it is not over, or not there.
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
        if let (0, Some((header, rest))) = (self.have, input.split_first_chunk::<{ FrameHeader::LEN }>()) {
            *input = rest;
            return Some(self.open(FrameHeader::parse(header)));
        }
        let room = self.header.get_mut(self.have..).unwrap_or_default();
        let bytes = take(input, u32::try_from(room.len()).unwrap_or(u32::MAX));
        room.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        self.have += bytes.len();
        if self.have < FrameHeader::LEN {
            return None;
        }
        Some(self.open(FrameHeader::parse(&self.header)))
    }

    fn open(&mut self, header: FrameHeader) -> FrameHeader {
        self.have = 0;
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
    /// Cuts the padding off the content. False where there is too much of it: "If the length of the padding is the length
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

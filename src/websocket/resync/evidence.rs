//! The evidence that a frame header stands at one place, in tenths of bits (format).

use crate::websocket::close::CloseBody;
use crate::websocket::frame::{FrameHeader, Opcode};
use crate::websocket::mask;

/// Evidence, in tenths of bits.
pub(super) type Tenths = i32;

/// The known properties of the sender's frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpectedFrames {
    /// Whether they are masked.
    pub masked: bool,
    /// Whether RSV1 may be set on the first frame of a message (RFC 7692 §6).
    pub deflate: bool,
    /// Whether any reserved bit may be set, since an extension was negotiated that is not known here (RFC 6455 §5.2).
    pub unknown_extension: bool,
}

/// Frames longer than this are not searched for: no sender makes them.
const LONGEST: u64 = 1 << 40;
const MAX_PERIOD: usize = 8;
/// The evidence against a frame with reserved bits of unknown meaning.
const ANY_RESERVED: Tenths = -30;
/// The evidence against text with control characters.
const CONTROL_CHARACTERS: Tenths = -60;
/// Bytes that are examined, to see whether they repeat every one to [`MAX_PERIOD`] bytes.
const PERIODIC_LOOK: usize = 32;
/// Bytes of payload that are examined, to see whether they are UTF-8.
const TEXT_LOOK: usize = 512;

/// Whether data repeats every few bytes.
pub(super) fn is_periodic(bytes: &[u8]) -> bool {
    let look = bytes.get(..PERIODIC_LOOK).unwrap_or(bytes);
    look.len() >= 2 * MAX_PERIOD
        && (1..=MAX_PERIOD).any(|period| look.iter().zip(look.iter().skip(period)).all(|(one, other)| one == other))
}

/// The evidence for a frame by itself; `None` where it cannot be one. `bytes` begin with its header.
pub(super) fn worth(header: &FrameHeader, bytes: &[u8], expect: &ExpectedFrames) -> Option<Tenths> {
    let first = first_byte(*bytes.first()?, expect)?;
    if header.masking_key.is_some() != expect.masked || header.payload_len > LONGEST {
        return None;
    }
    let length = match (header.length_width(), header.payload_len) {
        (1, _) => -5,
        (2, 126..) => 45,
        (8, 65_536..) => 150,
        _ => return None,
    };
    if header.opcode.is_control() && header.payload_len > 125 {
        return None;
    }
    // Empty messages are rare, and empty fragments that are not the last rarer still.
    let empty = match header.payload_len {
        0 if header.opcode.is_control() => 0,
        0 if header.fin => -40,
        0 => -80,
        _ => 0,
    };
    Some(first + 10 + length + empty + content_worth(header, bytes)?)
}

/// The evidence of a frame's first byte: real traffic is mostly unfragmented messages; a byte has 256 values. Of reserved
/// bits that may have a meaning, all eight combinations are equally likely.
pub(super) const fn first_byte(byte: u8, expect: &ExpectedFrames) -> Option<Tenths> {
    let (fin, rsv1, reserved) = (byte & 0x80 != 0, byte & 0x40 != 0, byte & 0x70);
    let deflated = expect.deflate && rsv1 && matches!(byte & 0x0f, 1 | 2);
    let meant = if deflated { reserved & 0x30 } else { reserved };
    let any = match meant {
        0 => 0,
        _ if expect.unknown_extension => ANY_RESERVED,
        _ => return None,
    };
    let worth = match (fin, byte & 0x0f) {
        (true, 1 | 2) => 65,
        (true, 0) => 25,
        // Small numbers are everywhere, and zeros more than anything.
        (false, 1 | 2) => 10,
        (false, 0) => -20,
        (true, 8..=10) => 30,
        _ => return None,
    };
    Some(worth + any)
}

/// The evidence of a frame's payload, as far as it was gathered; `None` where it cannot be one.
fn content_worth(header: &FrameHeader, bytes: &[u8]) -> Option<Tenths> {
    let text = header.opcode == Opcode::TEXT && !(header.rsv1 || header.rsv2 || header.rsv3);
    let close = header.opcode == Opcode::CLOSE && !(header.rsv1 || header.rsv2 || header.rsv3);
    if !text && !close {
        return Some(0);
    }
    let payload = bytes.get(header.header_len.into()..).unwrap_or_default();
    let len = usize::try_from(header.payload_len).unwrap_or(usize::MAX).min(TEXT_LOOK);
    let payload = payload.get(..len).unwrap_or(payload);
    let mut plain = Vec::new();
    let plain = match header.masking_key {
        None => payload,
        Some(key) => {
            mask::unmask_into(&mut plain, payload, key, 0);
            plain.as_slice()
        }
    };
    let complete = plain.len() as u64 == header.payload_len;
    let checked = if close {
        if header.payload_len == 1 {
            return None;
        }
        let body = CloseBody::parse(plain);
        if body.code.is_some_and(|code| !code.may_be_sent()) {
            return None;
        }
        body.reason
    } else {
        plain
    };
    if let Err(error) = core::str::from_utf8(checked)
        && (error.error_len().is_some() || (complete && header.fin))
    {
        return None;
    }
    // Of arbitrary bytes, little more than half are allowed in UTF-8 at their place; but text that is not masked may stand
    // anywhere. A key of one repeated byte may be repetitive data, and text has no control characters.
    let len = Tenths::try_from(checked.len()).unwrap_or(Tenths::MAX);
    let is_key = header.masking_key.is_some_and(|[a, b, c, d]| a != b || b != c || c != d);
    let text = match checked.iter().any(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace()) {
        true => CONTROL_CHARACTERS,
        false if is_key => len.saturating_mul(9).min(200),
        false => (len.saturating_mul(5) / 2).min(60),
    };
    Some(text + if close && plain.len() >= 2 { 40 } else { 0 })
}

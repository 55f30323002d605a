//! The rules for frames: each MUST of RFC 6455 §5 and RFC 7692 §6 is one function that returns a violation or nothing.
//!
//! Headers and Close bodies come in, violations go out; nothing is refused. What a message must be (UTF-8, valid DEFLATE) is
//! checked in [`message`](super::message).

use super::close::CloseBody;
use super::frame::FrameHeader;
use super::violation::Violation;
use crate::types::{Detail, Direction, FindingCode};

/// What a rule needs to know besides the header.
#[derive(Debug, Clone, Copy)]
pub struct HeaderContext {
    /// The direction of the frame.
    pub direction: Direction,
    /// Whether permessage-deflate was negotiated, so that RSV1 has a meaning.
    pub deflate: bool,
    /// Whether an extension was negotiated that is not known here: reserved bits may have a meaning.
    pub unknown_extension: bool,
    /// Whether a message of this direction is open: its last frame had no FIN.
    pub message_open: bool,
    /// Whether this sender has sent a Close before.
    pub close_sent: bool,
}

/// The rules that a header alone can break.
const HEADER_RULES: [fn(&FrameHeader, &HeaderContext) -> Option<Violation>; 8] = [
    masking,
    reserved_bits,
    reserved_opcode,
    length,
    control_length,
    control_fragmentation,
    fragmentation,
    after_close,
];

/// Calls `broken` with each rule that `header` breaks.
#[inline]
pub fn check_header(header: &FrameHeader, context: &HeaderContext, mut broken: impl FnMut(Violation)) {
    if is_ordinary(header, context) {
        return;
    }
    for rule in HEADER_RULES {
        if let Some(found) = rule(header, context) {
            broken(found);
        }
    }
}

/// Whether a header is so ordinary that it can break no rule: nearly all are, and this costs a few comparisons.
#[inline]
#[must_use]
pub fn is_ordinary(header: &FrameHeader, context: &HeaderContext) -> bool {
    header.fin
        && header.masking_key.is_some() == (context.direction == Direction::ToServer)
        && !header.rsv2
        && !header.rsv3
        && (!header.rsv1 || context.deflate)
        && matches!(header.opcode.bits(), 1 | 2)
        && !context.message_open
        && !context.close_sent
        && length(header, context).is_none()
}

/// "A client MUST mask all frames that it sends to the server […] A server MUST NOT mask any frames that it sends to the
/// client." (RFC 6455 §5.1)
fn masking(header: &FrameHeader, context: &HeaderContext) -> Option<Violation> {
    match (context.direction, header.masking_key) {
        (Direction::ToServer, None) => Some((FindingCode::UnmaskedClientFrame, Detail::None)),
        (Direction::ToClient, Some(_)) => Some((FindingCode::MaskedServerFrame, Detail::None)),
        _ => None,
    }
}

/// RSV1, RSV2, RSV3 "MUST be 0 unless an extension is negotiated that defines meanings for non-zero values" (RFC 6455
/// §5.2); permessage-deflate defines RSV1 on the first frame of a message alone: "An endpoint MUST NOT set the
/// 'Per-Message Compressed' bit of control frames and non-first fragments of a data message." (RFC 7692 §6)
fn reserved_bits(header: &FrameHeader, context: &HeaderContext) -> Option<Violation> {
    let rsv1_allowed = if context.deflate { matches!(header.opcode.bits(), 1 | 2) } else { context.unknown_extension };
    let wrong = (header.rsv1 && !rsv1_allowed) || ((header.rsv2 || header.rsv3) && !context.unknown_extension);
    let bits = u64::from(header.rsv1) << 2 | u64::from(header.rsv2) << 1 | u64::from(header.rsv3);
    wrong.then(|| {
        let which = match bits {
            1 => "RSV3",
            2 => "RSV2",
            3 => "RSV2 and RSV3",
            4 => "RSV1",
            5 => "RSV1 and RSV3",
            6 => "RSV1 and RSV2",
            _ => "RSV1, RSV2 and RSV3",
        };
        (FindingCode::RsvBits, Detail::Fixed(which))
    })
}

/// Opcodes "3-7" and "B-F are reserved" (RFC 6455 §5.2).
fn reserved_opcode(header: &FrameHeader, _: &HeaderContext) -> Option<Violation> {
    let opcode = header.opcode;
    opcode.is_reserved().then(|| (FindingCode::ReservedOpcode, Detail::Number("opcode #", opcode.bits().into())))
}

/// "The minimal number of bytes MUST be used to encode the length"; of 64 bits "the most significant bit MUST be 0"
/// (RFC 6455 §5.2).
#[inline]
fn length(header: &FrameHeader, _: &HeaderContext) -> Option<Violation> {
    let len = header.payload_len;
    match header.length_width() {
        2 if len < 126 => Some((FindingCode::LengthNotMinimal, Detail::Number("length # in 16 bits", len))),
        8 if len < 1 << 16 => Some((FindingCode::LengthNotMinimal, Detail::Number("length # in 64 bits", len))),
        8 if len >> 63 == 1 => Some((FindingCode::LengthTooLarge, Detail::Number("length #", len))),
        _ => None,
    }
}

/// "All control frames MUST have a payload length of 125 bytes or less" (RFC 6455 §5.5).
fn control_length(header: &FrameHeader, _: &HeaderContext) -> Option<Violation> {
    (header.opcode.is_control() && header.payload_len > 125)
        .then_some((FindingCode::ControlTooLong, Detail::Number("# bytes", header.payload_len)))
}

/// Control frames "MUST NOT be fragmented" (RFC 6455 §5.5).
fn control_fragmentation(header: &FrameHeader, _: &HeaderContext) -> Option<Violation> {
    (header.opcode.is_control() && !header.fin).then_some((FindingCode::ControlFragmented, Detail::None))
}

/// A fragmented message is "a single frame with the FIN bit clear and an opcode other than 0, followed by zero or more
/// frames with the FIN bit clear and the opcode set to 0, and terminated by a single frame with the FIN bit set and an
/// opcode of 0"; "the fragments of one message MUST NOT be interleaved" with another's (RFC 6455 §5.4).
fn fragmentation(header: &FrameHeader, context: &HeaderContext) -> Option<Violation> {
    match header.opcode.bits() {
        0 if !context.message_open => Some((FindingCode::UnexpectedContinuation, Detail::None)),
        1 | 2 if context.message_open => Some((FindingCode::ExpectedContinuation, Detail::Fixed(header.opcode.name()))),
        _ => None,
    }
}

/// "The application MUST NOT send any more data frames after sending a Close frame." (RFC 6455 §5.5.1)
fn after_close(header: &FrameHeader, context: &HeaderContext) -> Option<Violation> {
    context.close_sent.then(|| {
        let code =
            if header.opcode.is_control() { FindingCode::ControlAfterClose } else { FindingCode::DataAfterClose };
        (code, Detail::Fixed(header.opcode.name()))
    })
}

/// Calls `broken` with each rule that a complete Close body breaks (RFC 6455 §5.5.1, §7.4).
pub fn check_close(payload: &[u8], mut broken: impl FnMut(Violation)) {
    if payload.len() == 1 {
        broken((FindingCode::ClosePayloadTooShort, Detail::None));
    }
    let body = CloseBody::parse(payload);
    if let Some(code) = body.code.filter(|code| !code.may_be_sent()) {
        broken((FindingCode::InvalidCloseCode, Detail::Number("code #", code.0.into())));
    }
    if let Err(error) = core::str::from_utf8(body.reason) {
        let offset = u64::try_from(error.valid_up_to()).unwrap_or(u64::MAX);
        broken((FindingCode::CloseReasonInvalidUtf8, Detail::Number("at byte #", offset)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: HeaderContext = HeaderContext {
        direction: Direction::ToServer,
        deflate: false,
        unknown_extension: false,
        message_open: false,
        close_sent: false,
    };
    const SERVER: HeaderContext = HeaderContext { direction: Direction::ToClient, ..CLIENT };

    fn found(bytes: &[u8], context: &HeaderContext) -> Vec<FindingCode> {
        let mut codes = Vec::new();
        check_header(&FrameHeader::parse(bytes).unwrap(), context, |(code, _)| codes.push(code));
        codes
    }

    #[test]
    fn no_ordinary_header_breaks_a_rule() {
        for first in 0..=255 {
            for second in 0..=255 {
                for tail in [[0; 12], [255; 12], [0, 126, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]] {
                    let header = FrameHeader::parse(&[&[first, second], &tail[..]].concat()).unwrap();
                    for bits in 0..32 {
                        let context = HeaderContext {
                            direction: if bits & 1 == 0 { Direction::ToServer } else { Direction::ToClient },
                            deflate: bits & 2 != 0,
                            unknown_extension: bits & 16 != 0,
                            message_open: bits & 4 != 0,
                            close_sent: bits & 8 != 0,
                        };
                        let any = HEADER_RULES.iter().any(|rule| rule(&header, &context).is_some());
                        assert!(!any || !is_ordinary(&header, &context), "{header:?} {context:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn clients_mask_and_servers_do_not() {
        assert_eq!(found(&[0x81, 0x01], &CLIENT), [FindingCode::UnmaskedClientFrame]);
        assert_eq!(found(&[0x81, 0x81, 1, 2, 3, 4], &CLIENT), []);
        assert_eq!(found(&[0x81, 0x81, 1, 2, 3, 4], &SERVER), [FindingCode::MaskedServerFrame]);
        assert_eq!(found(&[0x81, 0x01], &SERVER), []);
    }

    #[test]
    fn rsv1_is_for_the_first_frame_of_a_message_and_only_where_negotiated() {
        let deflate = HeaderContext { deflate: true, ..SERVER };
        let open = HeaderContext { message_open: true, ..deflate };
        assert_eq!(found(&[0xc1, 0x01], &SERVER), [FindingCode::RsvBits]);
        assert_eq!(found(&[0xc1, 0x01], &deflate), []);
        assert_eq!(found(&[0x42, 0x01], &deflate), []);
        assert_eq!(found(&[0xc0, 0x01], &open), [FindingCode::RsvBits]);
        assert_eq!(found(&[0xc9, 0x01], &deflate), [FindingCode::RsvBits]);
        assert_eq!(found(&[0xa1, 0x01], &deflate), [FindingCode::RsvBits]);
        assert_eq!(found(&[0x91, 0x01], &deflate), [FindingCode::RsvBits]);
    }

    /// RFC 6455 §5.2: a reserved bit has a meaning where an extension gives it one, which only the two endpoints know.
    #[test]
    fn unknown_extensions_may_use_reserved_bits() {
        let unknown = HeaderContext { unknown_extension: true, ..SERVER };
        for first in [0xc1, 0xa1, 0x91, 0xf2, 0xc9, 0xf8] {
            assert_eq!(found(&[first, 0x01], &unknown), [], "{first:02x}");
        }
        // permessage-deflate uses RSV1, so no other extension does (RFC 6455 §9.1).
        let both = HeaderContext { deflate: true, ..unknown };
        assert_eq!(found(&[0xf1, 0x01], &both), []);
        assert_eq!(found(&[0xb9, 0x01], &both), []);
        assert_eq!(found(&[0xc9, 0x01], &both), [FindingCode::RsvBits]);
        assert_eq!(found(&[0xc3, 0x01], &unknown), [FindingCode::ReservedOpcode]);
    }

    #[test]
    fn opcodes_and_lengths() {
        assert_eq!(found(&[0x83, 0x01], &SERVER), [FindingCode::ReservedOpcode]);
        assert_eq!(found(&[0x8b, 0x01], &SERVER), [FindingCode::ReservedOpcode]);
        assert_eq!(found(&[0x82, 126, 0, 125], &SERVER), [FindingCode::LengthNotMinimal]);
        assert_eq!(found(&[0x82, 126, 0, 126], &SERVER), []);
        assert_eq!(found(&[0x82, 127, 0, 0, 0, 0, 0, 0, 255, 255], &SERVER), [FindingCode::LengthNotMinimal]);
        assert_eq!(found(&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0], &SERVER), []);
        assert_eq!(found(&[0x82, 127, 0x80, 0, 0, 0, 0, 1, 0, 0], &SERVER), [FindingCode::LengthTooLarge]);
    }

    #[test]
    fn control_frames_are_short_and_not_fragmented() {
        assert_eq!(found(&[0x89, 126, 0, 126], &SERVER), [FindingCode::ControlTooLong]);
        assert_eq!(found(&[0x89, 125], &SERVER), []);
        assert_eq!(found(&[0x09, 1], &SERVER), [FindingCode::ControlFragmented]);
    }

    #[test]
    fn continuations_need_an_open_message() {
        let open = HeaderContext { message_open: true, ..SERVER };
        assert_eq!(found(&[0x80, 1], &SERVER), [FindingCode::UnexpectedContinuation]);
        assert_eq!(found(&[0x00, 1], &open), []);
        assert_eq!(found(&[0x81, 1], &open), [FindingCode::ExpectedContinuation]);
        assert_eq!(found(&[0x89, 1], &open), []);
    }

    #[test]
    fn frames_after_a_close_are_violations() {
        let closed = HeaderContext { close_sent: true, ..SERVER };
        assert_eq!(found(&[0x81, 1], &closed), [FindingCode::DataAfterClose]);
        assert_eq!(found(&[0x89, 1], &closed), [FindingCode::ControlAfterClose]);
        assert_eq!(found(&[0x88, 0], &closed), [FindingCode::ControlAfterClose]);
    }

    #[test]
    fn close_bodies() {
        let judged = |payload: &[u8]| {
            let mut codes = Vec::new();
            check_close(payload, |(code, _)| codes.push(code));
            codes
        };
        assert_eq!(judged(b""), []);
        assert_eq!(judged(b"\x03"), [FindingCode::ClosePayloadTooShort]);
        assert_eq!(judged(b"\x03\xe8ok"), []);
        assert_eq!(judged(b"\x03\xed"), [FindingCode::InvalidCloseCode]);
        assert_eq!(judged(b"\x03\xe8\xce\xba\xe1"), [FindingCode::CloseReasonInvalidUtf8]);
    }
}

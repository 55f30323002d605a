//! What was found, each kind once: its code, severity, the clause of the RFC, and a sentence.
//!
//! An error is about us; a finding is about them. This table feeds reports, tables, `docs/findings.md` and
//! `wslens explain`; codes are only ever appended.

use core::fmt;

use super::{Direction, PacketRef};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; nobody did wrong.
    Note,
    /// Allowed, and suspicious or harmful.
    Warning,
    /// Against the RFC.
    Error,
}

impl Severity {
    /// `note`, `warning` or `error`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The kinds of finding, in the order of [`FindingCode::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FindingCode {
    /// The Sec-WebSocket-Accept of the 101 is not the one that belongs to the client's key.
    AcceptMismatch,
    /// The 101 has no Sec-WebSocket-Accept.
    AcceptMissing,
    /// The Sec-WebSocket-Key is not 16 bytes of base64.
    KeyInvalid,
    /// The Sec-WebSocket-Version is not 13.
    VersionUnsupported,
    /// A required part of the opening handshake is absent, repeated or wrong.
    HandshakeMalformed,
    /// The server chose a sub-protocol that the client did not offer.
    SubprotocolNotOffered,
    /// The server chose an extension that the client did not offer.
    ExtensionNotOffered,
    /// The parameters of permessage-deflate are against RFC 7692.
    ExtensionParamsInvalid,
    /// A frame from the client is not masked.
    UnmaskedClientFrame,
    /// A frame from the server is masked.
    MaskedServerFrame,
    /// A reserved bit is set that no negotiated extension defines there.
    RsvBits,
    /// The opcode is reserved (3 to 7 or 11 to 15).
    ReservedOpcode,
    /// The payload length is written in more bytes than it needs.
    LengthNotMinimal,
    /// The most significant bit of a 64-bit payload length is set.
    LengthTooLarge,
    /// A control frame has more than 125 bytes of payload.
    ControlTooLong,
    /// A control frame has no FIN.
    ControlFragmented,
    /// A continuation frame, and no message to continue.
    UnexpectedContinuation,
    /// A new message begins inside a fragmented one.
    ExpectedContinuation,
    /// A text message is not UTF-8.
    InvalidUtf8,
    /// A Close frame has a payload of one byte.
    ClosePayloadTooShort,
    /// The status code may not be sent in a Close frame.
    InvalidCloseCode,
    /// The reason in a Close frame is not UTF-8.
    CloseReasonInvalidUtf8,
    /// A data frame after the sender's own Close.
    DataAfterClose,
    /// A control frame after the sender's own Close.
    ControlAfterClose,
    /// The payload of a compressed message is not valid DEFLATE data.
    InflateError,
    /// A compressed message refers back further than the negotiated window.
    InflateWindowExceeded,
    /// A compressed message cannot be inflated, since what it may refer to is not known.
    InflateContextLost,
    /// A message inflates beyond the configured ratio or size.
    InflateRatio,
    /// The capture lacks bytes of the connection.
    TcpGap,
    /// A frame boundary was found again after missing bytes.
    Resynchronized,
    /// The connection or the capture ends inside a frame.
    TruncatedFrame,
    /// No opening handshake was seen; the connection was recognized by its content.
    Midstream,
    /// Retransmitted bytes differ from those first seen.
    TcpOverlapConflict,
    /// HTTP, not frames, follows a 101.
    HttpAfterUpgrade,
    /// A request to upgrade was answered with another success status.
    UpgradeIgnored,
    /// The server accepted a foreign Origin together with cookies or credentials.
    CrossOrigin,
    /// Cookies or credentials were sent over ws://, in the clear.
    CleartextCredentials,
    /// A token is in the request target or in a sub-protocol name.
    TokenInUrl,
    /// The client's masking keys are zero, constant, repeated or predictable.
    MaskingKeyWeak,
    /// Another protocol is carried inside binary messages.
    TunnelDetected,
    /// A Ping has no Pong.
    UnansweredPing,
    /// A Pong that answers no Ping.
    UnsolicitedPong,
    /// The TLS connection cannot be opened.
    TlsUndecryptable,
    /// A TLS record is not authentic.
    TlsRecordRejected,
    /// The HTTP/2 connection around the WebSocket is against RFC 9113 or RFC 7541.
    Http2Error,
    /// Frames of HTTP/2 that cost their receiver more than their sender.
    Http2Flood,
}

/// What the table says of one code.
#[derive(Debug, Clone, Copy)]
pub struct Explanation {
    /// As printed: `unmasked_client_frame`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The clause behind it: `RFC 6455 §5.1`.
    pub reference: &'static str,
    /// What happened, in a sentence.
    pub sentence: &'static str,
    /// What to make of it; may be empty.
    pub advice: &'static str,
}

impl FindingCode {
    /// All codes.
    pub const ALL: [Self; 46] = [
        Self::AcceptMismatch,
        Self::AcceptMissing,
        Self::KeyInvalid,
        Self::VersionUnsupported,
        Self::HandshakeMalformed,
        Self::SubprotocolNotOffered,
        Self::ExtensionNotOffered,
        Self::ExtensionParamsInvalid,
        Self::UnmaskedClientFrame,
        Self::MaskedServerFrame,
        Self::RsvBits,
        Self::ReservedOpcode,
        Self::LengthNotMinimal,
        Self::LengthTooLarge,
        Self::ControlTooLong,
        Self::ControlFragmented,
        Self::UnexpectedContinuation,
        Self::ExpectedContinuation,
        Self::InvalidUtf8,
        Self::ClosePayloadTooShort,
        Self::InvalidCloseCode,
        Self::CloseReasonInvalidUtf8,
        Self::DataAfterClose,
        Self::ControlAfterClose,
        Self::InflateError,
        Self::InflateWindowExceeded,
        Self::InflateContextLost,
        Self::InflateRatio,
        Self::TcpGap,
        Self::Resynchronized,
        Self::TruncatedFrame,
        Self::Midstream,
        Self::TcpOverlapConflict,
        Self::HttpAfterUpgrade,
        Self::UpgradeIgnored,
        Self::CrossOrigin,
        Self::CleartextCredentials,
        Self::TokenInUrl,
        Self::MaskingKeyWeak,
        Self::TunnelDetected,
        Self::UnansweredPing,
        Self::UnsolicitedPong,
        Self::TlsUndecryptable,
        Self::TlsRecordRejected,
        Self::Http2Error,
        Self::Http2Flood,
    ];

    /// The code of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == name)
    }

    /// As printed: `unmasked_client_frame`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.explanation().code
    }

    /// How bad it is.
    #[must_use]
    pub const fn severity(self) -> Severity {
        self.explanation().severity
    }

    /// The clause behind it: `RFC 6455 §5.1`.
    #[must_use]
    pub const fn reference(self) -> &'static str {
        self.explanation().reference
    }

    /// All that the table says of it. One arm a code, so longer than other functions.
    #[must_use]
    pub const fn explanation(self) -> &'static Explanation {
        match self {
            Self::AcceptMismatch => &Explanation {
                code: "accept_mismatch",
                severity: Severity::Error,
                reference: "RFC 6455 §4.2.2",
                sentence: "The Sec-WebSocket-Accept of the 101 is not the one that belongs to the client's key.",
                advice: "A client must fail the connection (RFC 6455 §4.1). Seen when a cache or proxy answers in the server's place, or a server computes it wrongly: base64(SHA-1(key + 258EAFA5-E914-47DA-95CA-C5AB0DC85B11)).",
            },
            Self::AcceptMissing => &Explanation {
                code: "accept_missing",
                severity: Severity::Error,
                reference: "RFC 6455 §4.2.2",
                sentence: "The 101 has no Sec-WebSocket-Accept.",
                advice: "A client must fail the connection (RFC 6455 §4.1).",
            },
            Self::KeyInvalid => &Explanation {
                code: "key_invalid",
                severity: Severity::Error,
                reference: "RFC 6455 §4.1",
                sentence: "The Sec-WebSocket-Key is not 16 bytes of base64.",
                advice: "\"The value of this header field MUST be a nonce consisting of a randomly selected 16-byte value that has been base64-encoded\".",
            },
            Self::VersionUnsupported => &Explanation {
                code: "version_unsupported",
                severity: Severity::Error,
                reference: "RFC 6455 §4.1",
                sentence: "The Sec-WebSocket-Version is not 13.",
                advice: "Other versions are drafts from before the RFC. A server that does not speak the version answers 426 with the versions it does (RFC 6455 §4.4).",
            },
            Self::HandshakeMalformed => &Explanation {
                code: "handshake_malformed",
                severity: Severity::Error,
                reference: "RFC 6455 §4.1",
                sentence: "A required part of the opening handshake is absent, repeated or wrong.",
                advice: "The detail names it: the method must be GET, the version of HTTP at least 1.1, Host present, Upgrade must contain websocket, Connection must contain Upgrade, and the Sec-WebSocket fields may appear once.",
            },
            Self::SubprotocolNotOffered => &Explanation {
                code: "subprotocol_not_offered",
                severity: Severity::Error,
                reference: "RFC 6455 §4.1",
                sentence: "The server chose a sub-protocol that the client did not offer.",
                advice: "A client must fail the connection.",
            },
            Self::ExtensionNotOffered => &Explanation {
                code: "extension_not_offered",
                severity: Severity::Error,
                reference: "RFC 6455 §9.1",
                sentence: "The server chose an extension that the client did not offer.",
                advice: "A client must fail the connection (RFC 6455 §4.1).",
            },
            Self::ExtensionParamsInvalid => &Explanation {
                code: "extension_params_invalid",
                severity: Severity::Error,
                reference: "RFC 7692 §7.1",
                sentence: "The parameters of permessage-deflate are against RFC 7692.",
                advice: "Unknown or repeated parameters, window bits outside 8 to 15, or an answer that the offer did not allow. A client must fail the connection (RFC 7692 §5.1).",
            },
            Self::UnmaskedClientFrame => &Explanation {
                code: "unmasked_client_frame",
                severity: Severity::Error,
                reference: "RFC 6455 §5.1",
                sentence: "A frame from the client is not masked.",
                advice: "\"The server MUST close the connection upon receiving a frame that is not masked.\" Some tunnels leave masking out on purpose.",
            },
            Self::MaskedServerFrame => &Explanation {
                code: "masked_server_frame",
                severity: Severity::Error,
                reference: "RFC 6455 §5.1",
                sentence: "A frame from the server is masked.",
                advice: "\"A client MUST close a connection if it detects a masked frame.\"",
            },
            Self::RsvBits => &Explanation {
                code: "rsv_bits",
                severity: Severity::Error,
                reference: "RFC 6455 §5.2",
                sentence: "A reserved bit is set that no negotiated extension defines there.",
                advice: "RSV1 belongs to permessage-deflate, and there only to the first frame of a text or binary message (RFC 7692 §6).",
            },
            Self::ReservedOpcode => &Explanation {
                code: "reserved_opcode",
                severity: Severity::Error,
                reference: "RFC 6455 §5.2",
                sentence: "The opcode is reserved (3 to 7 or 11 to 15).",
                advice: "\"If an unknown opcode is received, the receiving endpoint MUST _Fail the WebSocket Connection_.\"",
            },
            Self::LengthNotMinimal => &Explanation {
                code: "length_not_minimal",
                severity: Severity::Error,
                reference: "RFC 6455 §5.2",
                sentence: "The payload length is written in more bytes than it needs.",
                advice: "\"The minimal number of bytes MUST be used to encode the length\".",
            },
            Self::LengthTooLarge => &Explanation {
                code: "length_too_large",
                severity: Severity::Error,
                reference: "RFC 6455 §5.2",
                sentence: "The most significant bit of a 64-bit payload length is set.",
                advice: "\"The most significant bit MUST be 0\". What follows cannot be told apart from payload.",
            },
            Self::ControlTooLong => &Explanation {
                code: "control_too_long",
                severity: Severity::Error,
                reference: "RFC 6455 §5.5",
                sentence: "A control frame has more than 125 bytes of payload.",
                advice: "\"All control frames MUST have a payload length of 125 bytes or less\".",
            },
            Self::ControlFragmented => &Explanation {
                code: "control_fragmented",
                severity: Severity::Error,
                reference: "RFC 6455 §5.5",
                sentence: "A control frame has no FIN.",
                advice: "Control frames \"MUST NOT be fragmented\".",
            },
            Self::UnexpectedContinuation => &Explanation {
                code: "unexpected_continuation",
                severity: Severity::Error,
                reference: "RFC 6455 §5.4",
                sentence: "A continuation frame, and no message to continue.",
                advice: "",
            },
            Self::ExpectedContinuation => &Explanation {
                code: "expected_continuation",
                severity: Severity::Error,
                reference: "RFC 6455 §5.4",
                sentence: "A new message begins inside a fragmented one.",
                advice: "The fragments of one message must not be interleaved with those of another. The message that was open is reported as incomplete.",
            },
            Self::InvalidUtf8 => &Explanation {
                code: "invalid_utf8",
                severity: Severity::Error,
                reference: "RFC 6455 §8.1",
                sentence: "A text message is not UTF-8.",
                advice: "Judged after inflation; the packet and frame are the earliest that show it. The receiver must fail the connection, usually with 1007.",
            },
            Self::ClosePayloadTooShort => &Explanation {
                code: "close_payload_too_short",
                severity: Severity::Error,
                reference: "RFC 6455 §5.5.1",
                sentence: "A Close frame has a payload of one byte.",
                advice: "A body begins with a two-byte status code, or there is none.",
            },
            Self::InvalidCloseCode => &Explanation {
                code: "invalid_close_code",
                severity: Severity::Error,
                reference: "RFC 6455 §7.4",
                sentence: "The status code may not be sent in a Close frame.",
                advice: "1005, 1006 and 1015 are for APIs alone; 1004, 1016 to 2999, and codes below 1000 or above 4999 are reserved or undefined.",
            },
            Self::CloseReasonInvalidUtf8 => &Explanation {
                code: "close_reason_invalid_utf8",
                severity: Severity::Error,
                reference: "RFC 6455 §5.5.1",
                sentence: "The reason in a Close frame is not UTF-8.",
                advice: "",
            },
            Self::DataAfterClose => &Explanation {
                code: "data_after_close",
                severity: Severity::Error,
                reference: "RFC 6455 §5.5.1",
                sentence: "A data frame after the sender's own Close.",
                advice: "\"The application MUST NOT send any more data frames after sending a Close frame.\"",
            },
            Self::ControlAfterClose => &Explanation {
                code: "control_after_close",
                severity: Severity::Note,
                reference: "RFC 6455 §5.5.1",
                sentence: "A control frame after the sender's own Close.",
                advice: "Only data frames are forbidden then, but no receiver will look at this one.",
            },
            Self::InflateError => &Explanation {
                code: "inflate_error",
                severity: Severity::Error,
                reference: "RFC 7692 §7.2.2",
                sentence: "The payload of a compressed message is not valid DEFLATE data.",
                advice: "The detail says where. With context takeover the sender's later messages may refer to what could not be inflated.",
            },
            Self::InflateWindowExceeded => &Explanation {
                code: "inflate_window_exceeded",
                severity: Severity::Error,
                reference: "RFC 7692 §7.1.2",
                sentence: "A compressed message refers back further than the negotiated window.",
                advice: "A receiver that allocated the window it negotiated fails with \"invalid distance too far back\": the sender's compressor is the one that is broken.",
            },
            Self::InflateContextLost => &Explanation {
                code: "inflate_context_lost",
                severity: Severity::Note,
                reference: "RFC 7692 §7.1.1",
                sentence: "A compressed message cannot be inflated, since what it may refer to is not known.",
                advice: "With context takeover a message may refer to earlier ones. Said once for each loss.",
            },
            Self::InflateRatio => &Explanation {
                code: "inflate_ratio",
                severity: Severity::Warning,
                reference: "RFC 7692 §8",
                sentence: "A message inflates beyond the configured ratio or size.",
                advice: "Large, very regular data does so, and so does a bomb. The length is counted to the end; what is kept is bounded (--max-message).",
            },
            Self::TcpGap => &Explanation {
                code: "tcp_gap",
                severity: Severity::Note,
                reference: "RFC 9293 §3.4",
                sentence: "The capture lacks bytes of the connection.",
                advice: "They were lost by the capture, not by the connection: the receiver acknowledged them. A larger capture buffer (--buffer) or snaplen helps.",
            },
            Self::Resynchronized => &Explanation {
                code: "resynchronized",
                severity: Severity::Note,
                reference: "RFC 6455 §5.2",
                sentence: "A frame boundary was found again after missing bytes.",
                advice: "The detail says how many bytes were passed over, and how sure it is.",
            },
            Self::TruncatedFrame => &Explanation {
                code: "truncated_frame",
                severity: Severity::Note,
                reference: "RFC 6455 §5.2",
                sentence: "The connection or the capture ends inside a frame.",
                advice: "",
            },
            Self::Midstream => &Explanation {
                code: "midstream",
                severity: Severity::Note,
                reference: "RFC 6455 §5.2",
                sentence: "No opening handshake was seen; the connection was recognized by its content.",
                advice: "What was negotiated is not known; the detail says how sure it is.",
            },
            Self::TcpOverlapConflict => &Explanation {
                code: "tcp_overlap_conflict",
                severity: Severity::Warning,
                reference: "RFC 9293 §3.10.7.4",
                sentence: "Retransmitted bytes differ from those first seen.",
                advice: "Broken equipment does so, and so does an evasion of monitors. wslens keeps the first copy.",
            },
            Self::HttpAfterUpgrade => &Explanation {
                code: "http_after_upgrade",
                severity: Severity::Warning,
                reference: "RFC 6455 §4.2.2",
                sentence: "HTTP, not frames, follows a 101.",
                advice: "Seen in request smuggling through proxies that believe in a tunnel.",
            },
            Self::UpgradeIgnored => &Explanation {
                code: "upgrade_ignored",
                severity: Severity::Warning,
                reference: "RFC 9110 §7.8",
                sentence: "A request to upgrade was answered with another success status.",
                advice: "The server, or something before it, does not know WebSocket at this target.",
            },
            Self::CrossOrigin => &Explanation {
                code: "cross_origin",
                severity: Severity::Warning,
                reference: "RFC 6455 §10.2",
                sentence: "The server accepted a foreign Origin together with cookies or credentials.",
                advice: "A candidate for cross-site WebSocket hijacking: check that the server means to trust that origin.",
            },
            Self::CleartextCredentials => &Explanation {
                code: "cleartext_credentials",
                severity: Severity::Warning,
                reference: "RFC 6455 §10.6",
                sentence: "Cookies or credentials were sent over ws://, in the clear.",
                advice: "",
            },
            Self::TokenInUrl => &Explanation {
                code: "token_in_url",
                severity: Severity::Warning,
                reference: "RFC 6750 §5.3",
                sentence: "A token is in the request target or in a sub-protocol name.",
                advice: "Both end up in logs.",
            },
            Self::MaskingKeyWeak => &Explanation {
                code: "masking_key_weak",
                severity: Severity::Warning,
                reference: "RFC 6455 §10.3",
                sentence: "The client's masking keys are zero, constant, repeated or predictable.",
                advice: "\"The masking key needs to be unpredictable\" (RFC 6455 §5.3).",
            },
            Self::TunnelDetected => &Explanation {
                code: "tunnel_detected",
                severity: Severity::Warning,
                reference: "RFC 6455 §1.1",
                sentence: "Another protocol is carried inside binary messages.",
                advice: "",
            },
            Self::UnansweredPing => &Explanation {
                code: "unanswered_ping",
                severity: Severity::Note,
                reference: "RFC 6455 §5.5.2",
                sentence: "A Ping has no Pong.",
                advice: "A Pong may answer only the latest of several Pings; those before it are not counted. Also said when the connection ends first.",
            },
            Self::UnsolicitedPong => &Explanation {
                code: "unsolicited_pong",
                severity: Severity::Note,
                reference: "RFC 6455 §5.5.3",
                sentence: "A Pong that answers no Ping.",
                advice: "Allowed: it serves as a heartbeat in one direction.",
            },
            Self::TlsUndecryptable => &Explanation {
                code: "tls_undecryptable",
                severity: Severity::Note,
                reference: "RFC 8446 §5.2",
                sentence: "The TLS connection cannot be opened.",
                advice: "The detail says why: no secret for it, secrets that stand in the file behind more of the connection than may wait for them (`--limit max_tls_waiting_bytes`), its handshake is not in the capture, or an unsupported cipher. `--tls` lists all such connections; without it, those that may carry WebSocket: the client sends records too short for HTTP and cannot speak HTTP/2, or another connection to that server is a WebSocket.",
            },
            Self::TlsRecordRejected => &Explanation {
                code: "tls_record_rejected",
                severity: Severity::Warning,
                reference: "RFC 8446 §5.2",
                sentence: "A TLS record is not authentic.",
                advice: "Its tag is wrong, so nothing of it is shown. It was changed on its way, or the capture has other bytes than arrived.",
            },
            Self::Http2Error => &Explanation {
                code: "http2_error",
                severity: Severity::Error,
                reference: "RFC 9113 §5.4",
                sentence: "The HTTP/2 connection around the WebSocket breaks RFC 9113 or RFC 7541.",
                advice: "The detail says how. An endpoint ends the connection, and with it every WebSocket in it; it is told once, of the WebSocket that was open on the lowest stream.",
            },
            Self::Http2Flood => &Explanation {
                code: "http2_flood",
                severity: Severity::Warning,
                reference: "RFC 9113 §10.5",
                sentence: "Frames of HTTP/2 cost their receiver more than their sender.",
                advice: "Many SETTINGS, PING, RST_STREAM (\"rapid reset\") or empty frames, a header block in many CONTINUATION frames, or header fields that unfold to much more than was sent. The detail says which.",
            },
        }
    }
}

impl fmt::Display for FindingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The particulars of one finding, cheap to make and printed only if somebody reads them. Text in it may come from
/// the wire and is hostile: outputs escape it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Detail {
    /// Nothing beyond the code.
    #[default]
    None,
    /// A fixed sentence.
    Fixed(&'static str),
    /// A sentence made for this finding. For findings that occur at most a few times in a connection.
    Text(Box<str>),
    /// A phrase with a number in place of its `#`: `opcode #`.
    Number(&'static str, u64),
    /// The same with two: `# of # bytes of payload`.
    Numbers(&'static str, u64, u64),
}

impl Detail {
    /// A sentence made for this finding.
    #[must_use]
    pub fn text(text: impl Into<Box<str>>) -> Self {
        Self::Text(text.into())
    }

    /// Bytes that it keeps besides itself.
    #[must_use]
    pub const fn held(&self) -> usize {
        if let Self::Text(text) = self { text.len() } else { 0 }
    }

    /// So many of something: `one` or `many` is the phrase, with `#` for the number.
    #[must_use]
    pub const fn count(one: &'static str, many: &'static str, value: u64) -> Self {
        Self::Number(if value == 1 { one } else { many }, value)
    }
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::Fixed(text) => f.write_str(text),
            Self::Text(text) => f.write_str(text),
            Self::Number(phrase, value) => fill(f, phrase, &[*value]),
            Self::Numbers(phrase, value, other) => fill(f, phrase, &[*value, *other]),
        }
    }
}

/// Writes `phrase` with a number in place of each `#`.
fn fill(f: &mut fmt::Formatter<'_>, phrase: &str, numbers: &[u64]) -> fmt::Result {
    let mut numbers = numbers.iter();
    for (place, part) in phrase.split('#').enumerate() {
        if place > 0
            && let Some(number) = numbers.next()
        {
            write!(f, "{number}")?;
        }
        f.write_str(part)?;
    }
    Ok(())
}

/// One finding: what, where, when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub code: FindingCode,
    /// The earliest packet that shows it.
    pub seen: PacketRef,
    /// Whose bytes show it; `None` where it is about both.
    pub direction: Option<Direction>,
    /// The number of the frame that shows it, from 0 within its connection.
    pub frame: Option<u64>,
    /// The number of the message that shows it. `None` where it is not known yet: then [`Self::in_message`] is true and
    /// it is that of the next message of this direction that is not a control message (see [`crate::event::Frame`]).
    pub message: Option<u64>,
    /// Whether a message shows it at all.
    pub in_message: bool,
    /// The particulars.
    pub detail: Detail,
}

/// A set of codes, such as those of one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FindingSet(u64);

impl FindingSet {
    /// Adds a code.
    pub const fn insert(&mut self, code: FindingCode) {
        self.0 |= 1 << code as u32;
    }

    /// Whether the code is in it.
    #[must_use]
    pub const fn contains(self, code: FindingCode) -> bool {
        self.0 >> code as u32 & 1 == 1
    }

    /// Adds all of another set.
    pub const fn extend(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Whether nothing is in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The codes in it, in the table's order.
    pub fn iter(self) -> impl Iterator<Item = FindingCode> {
        FindingCode::ALL.into_iter().filter(move |code| self.contains(*code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_fit_a_set_and_names_are_their_own() {
        assert!(FindingCode::ALL.len() <= 64);
        for (index, code) in FindingCode::ALL.into_iter().enumerate() {
            assert_eq!(code as usize, index);
            assert_eq!(FindingCode::from_name(code.as_str()), Some(code));
            assert!(code.explanation().sentence.ends_with('.'));
        }
    }

    #[test]
    fn particulars_read_as_a_phrase() {
        assert_eq!(Detail::Number("opcode #", 11).to_string(), "opcode 11");
        assert_eq!(Detail::Numbers("# of # bytes", 3, 10).to_string(), "3 of 10 bytes");
        assert_eq!(Detail::count("# byte", "# bytes", 1).to_string(), "1 byte");
        assert_eq!(Detail::count("# byte", "# bytes", 0).to_string(), "0 bytes");
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let mut set = FindingSet::default();
        assert!(set.is_empty());
        set.insert(FindingCode::TlsUndecryptable);
        set.insert(FindingCode::AcceptMismatch);
        assert_eq!(set.iter().collect::<Vec<_>>(), [FindingCode::AcceptMismatch, FindingCode::TlsUndecryptable]);
    }
}

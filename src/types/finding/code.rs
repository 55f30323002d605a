//! The codes of findings: one row each, with severity, clause, sentence and advice.
//!
//! To add a finding, append a row to the table below, the rule that records it, and its test (CONTRIBUTING.md, "Add a
//! finding"). Rows are never moved or removed, since their order is that of [`FindingCode::ALL`].

use core::fmt;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing, and no peer's fault.
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

/// What the table holds about one code.
#[derive(Debug, Clone, Copy)]
pub struct Explanation {
    /// As printed: `unmasked_client_frame`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The clause that it rests on: `RFC 6455 §5.1`.
    pub reference: &'static str,
    /// What happened, in a sentence.
    pub sentence: &'static str,
    /// What to make of it; may be empty.
    pub advice: &'static str,
}

/// Writes each finding once: as a variant with its sentence as documentation, as an element of [`FindingCode::ALL`], and
/// as its [`Explanation`]. A row is `/// Sentence.`, then `Variant: "code", Severity, "clause", "advice";`.
macro_rules! findings {
    ($($(#[doc = $sentence:literal])+ $variant:ident: $code:literal, $severity:ident, $clause:literal, $advice:literal;)+) => {
        /// The kinds of finding, in the order of [`FindingCode::ALL`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum FindingCode {
            $($(#[doc = $sentence])+ #[doc = concat!(" (", $clause, ")")] $variant,)+
        }

        impl FindingCode {
            /// All codes, in the order in which they were added.
            pub const ALL: [Self; [$($code),+].len()] = [$(Self::$variant),+];

            /// The table's row for this code.
            #[must_use]
            pub const fn explanation(self) -> &'static Explanation {
                match self {
                    $(Self::$variant => const {
                        &Explanation {
                            code: $code,
                            severity: Severity::$severity,
                            reference: $clause,
                            sentence: concat!($($sentence),+).trim_ascii(),
                            advice: $advice,
                        }
                    },)+
                }
            }
        }
    };
}

findings! {
    /// The Sec-WebSocket-Accept of the 101 is not the one that belongs to the client's key.
    AcceptMismatch: "accept_mismatch", Error, "RFC 6455 §4.2.2",
        "A client must fail the connection (RFC 6455 §4.1). Seen when a cache or proxy answers in the server's place, \
         or a server computes it wrongly: base64(SHA-1(key + 258EAFA5-E914-47DA-95CA-C5AB0DC85B11)).";
    /// The 101 has no Sec-WebSocket-Accept.
    AcceptMissing: "accept_missing", Error, "RFC 6455 §4.2.2",
        "A client must fail the connection (RFC 6455 §4.1).";
    /// The Sec-WebSocket-Key is not 16 bytes of base64.
    KeyInvalid: "key_invalid", Error, "RFC 6455 §4.1",
        "\"The value of this header field MUST be a nonce consisting of a randomly selected 16-byte value that has \
         been base64-encoded\".";
    /// The Sec-WebSocket-Version is not 13.
    VersionUnsupported: "version_unsupported", Error, "RFC 6455 §4.1",
        "Other versions are drafts from before the RFC. A server that does not speak the version answers 426 with the \
         versions it does (RFC 6455 §4.4).";
    /// A required part of the opening handshake is absent, repeated or wrong.
    HandshakeMalformed: "handshake_malformed", Error, "RFC 6455 §4.1",
        "The detail names it: the method must be GET, the version of HTTP at least 1.1, Host present, Upgrade must \
         contain websocket, Connection must contain Upgrade, and the Sec-WebSocket fields may appear once.";
    /// The server chose a sub-protocol that the client did not offer.
    SubprotocolNotOffered: "subprotocol_not_offered", Error, "RFC 6455 §4.1",
        "A client must fail the connection.";
    /// The server chose an extension that the client did not offer.
    ExtensionNotOffered: "extension_not_offered", Error, "RFC 6455 §9.1",
        "A client must fail the connection (RFC 6455 §4.1).";
    /// The parameters of permessage-deflate are against RFC 7692.
    ExtensionParamsInvalid: "extension_params_invalid", Error, "RFC 7692 §7.1",
        "Unknown or repeated parameters, window bits outside 8 to 15, or an answer that the offer did not allow. A \
         client must fail the connection (RFC 7692 §5.1).";
    /// A frame from the client is not masked.
    UnmaskedClientFrame: "unmasked_client_frame", Error, "RFC 6455 §5.1",
        "\"The server MUST close the connection upon receiving a frame that is not masked.\" Some tunnels leave \
         masking out on purpose.";
    /// A frame from the server is masked.
    MaskedServerFrame: "masked_server_frame", Error, "RFC 6455 §5.1",
        "\"A client MUST close a connection if it detects a masked frame.\"";
    /// A reserved bit is set that no negotiated extension defines there.
    RsvBits: "rsv_bits", Error, "RFC 6455 §5.2",
        "RSV1 belongs to permessage-deflate, and there only to the first frame of a text or binary message (RFC 7692 §6).";
    /// The opcode is reserved (3 to 7 or 11 to 15).
    ReservedOpcode: "reserved_opcode", Error, "RFC 6455 §5.2",
        "\"If an unknown opcode is received, the receiving endpoint MUST _Fail the WebSocket Connection_.\"";
    /// The payload length is written in more bytes than it needs.
    LengthNotMinimal: "length_not_minimal", Error, "RFC 6455 §5.2",
        "\"The minimal number of bytes MUST be used to encode the length\".";
    /// The most significant bit of a 64-bit payload length is set.
    LengthTooLarge: "length_too_large", Error, "RFC 6455 §5.2",
        "\"The most significant bit MUST be 0\". What follows cannot be distinguished from payload.";
    /// A control frame has more than 125 bytes of payload.
    ControlTooLong: "control_too_long", Error, "RFC 6455 §5.5",
        "\"All control frames MUST have a payload length of 125 bytes or less\".";
    /// A control frame has no FIN.
    ControlFragmented: "control_fragmented", Error, "RFC 6455 §5.5",
        "Control frames \"MUST NOT be fragmented\".";
    /// A continuation frame, and no message to continue.
    UnexpectedContinuation: "unexpected_continuation", Error, "RFC 6455 §5.4",
        "";
    /// A new message begins inside a fragmented one.
    ExpectedContinuation: "expected_continuation", Error, "RFC 6455 §5.4",
        "The fragments of one message must not be interleaved with those of another. The message that was open is \
         reported as incomplete.";
    /// A text message is not UTF-8.
    InvalidUtf8: "invalid_utf8", Error, "RFC 6455 §8.1",
        "Checked after inflation; the packet and frame are the earliest that show it. The receiver must fail the \
         connection, usually with 1007.";
    /// A Close frame has a payload of one byte.
    ClosePayloadTooShort: "close_payload_too_short", Error, "RFC 6455 §5.5.1",
        "A body begins with a two-byte status code, or there is none.";
    /// The status code may not be sent in a Close frame.
    InvalidCloseCode: "invalid_close_code", Error, "RFC 6455 §7.4",
        "1005, 1006 and 1015 are for APIs alone; 1004, 1016 to 2999, and codes below 1000 or above 4999 are reserved \
         or undefined.";
    /// The reason in a Close frame is not UTF-8.
    CloseReasonInvalidUtf8: "close_reason_invalid_utf8", Error, "RFC 6455 §5.5.1",
        "";
    /// A data frame after the sender's own Close.
    DataAfterClose: "data_after_close", Error, "RFC 6455 §5.5.1",
        "\"The application MUST NOT send any more data frames after sending a Close frame.\"";
    /// A control frame after the sender's own Close.
    ControlAfterClose: "control_after_close", Note, "RFC 6455 §5.5.1",
        "Only data frames are forbidden then, but no receiver will look at this one.";
    /// The payload of a compressed message is not valid DEFLATE data.
    InflateError: "inflate_error", Error, "RFC 7692 §7.2.2",
        "The detail gives the place. With context takeover the sender's later messages may refer to what could not be inflated.";
    /// A compressed message refers back further than the negotiated window.
    InflateWindowExceeded: "inflate_window_exceeded", Error, "RFC 7692 §7.1.2",
        "A receiver that allocated the window it negotiated fails with \"invalid distance too far back\": the \
         sender's compressor is the one that is broken.";
    /// A compressed message cannot be inflated, since what it may refer to is not known.
    InflateContextLost: "inflate_context_lost", Note, "RFC 7692 §7.1.1",
        "With context takeover a message may refer to earlier ones. Reported once for each loss.";
    /// A message inflates beyond the configured ratio or size.
    InflateRatio: "inflate_ratio", Warning, "RFC 7692 §8",
        "Large, very regular data does so, and so does a bomb. The length is counted to the end; what is kept is \
         bounded (--max-message).";
    /// The capture lacks bytes of the connection.
    TcpGap: "tcp_gap", Note, "RFC 9293 §3.4",
        "They were lost by the capture, not by the connection: the receiver acknowledged them. A larger capture \
         buffer (--buffer) or snaplen helps.";
    /// A frame boundary was found again after missing bytes.
    Resynchronized: "resynchronized", Note, "RFC 6455 §5.2",
        "The detail gives the number of bytes passed over, and the confidence.";
    /// The connection or the capture ends inside a frame.
    TruncatedFrame: "truncated_frame", Note, "RFC 6455 §5.2",
        "";
    /// No opening handshake was seen; the connection was recognized by its content.
    Midstream: "midstream", Note, "RFC 6455 §5.2",
        "What was negotiated is not known; the detail gives the confidence.";
    /// Retransmitted bytes differ from those first seen.
    TcpOverlapConflict: "tcp_overlap_conflict", Warning, "RFC 9293 §3.10.7.4",
        "Broken equipment does so, and so does an evasion of monitors. wslens keeps the first copy.";
    /// HTTP, not frames, follows a 101.
    HttpAfterUpgrade: "http_after_upgrade", Warning, "RFC 6455 §4.2.2",
        "Seen in request smuggling through proxies that believe in a tunnel.";
    /// A request to upgrade was answered with another success status.
    UpgradeIgnored: "upgrade_ignored", Warning, "RFC 9110 §7.8",
        "The server, or something before it, does not know WebSocket at this target.";
    /// The server accepted a foreign Origin together with cookies or credentials.
    CrossOrigin: "cross_origin", Warning, "RFC 6455 §10.2",
        "A candidate for cross-site WebSocket hijacking: check that the server means to trust that origin.";
    /// Cookies or credentials were sent over ws://, in the clear.
    CleartextCredentials: "cleartext_credentials", Warning, "RFC 6455 §10.6",
        "";
    /// A token is in the request target or in a sub-protocol name.
    TokenInUrl: "token_in_url", Warning, "RFC 6750 §5.3",
        "Both end up in logs.";
    /// The client's masking keys are zero, constant, repeated or predictable.
    MaskingKeyWeak: "masking_key_weak", Warning, "RFC 6455 §10.3",
        "\"The masking key needs to be unpredictable\" (RFC 6455 §5.3).";
    /// Another protocol is carried inside binary messages.
    TunnelDetected: "tunnel_detected", Warning, "RFC 6455 §1.1",
        "";
    /// A Ping has no Pong.
    UnansweredPing: "unanswered_ping", Note, "RFC 6455 §5.5.2",
        "A Pong may answer only the latest of several Pings; those before it are not counted. Also reported \
         when the connection ends first.";
    /// A Pong that answers no Ping.
    UnsolicitedPong: "unsolicited_pong", Note, "RFC 6455 §5.5.3",
        "Allowed: it serves as a heartbeat in one direction.";
    /// The TLS connection cannot be opened.
    TlsUndecryptable: "tls_undecryptable", Note, "RFC 8446 §5.2",
        "The detail gives the reason: no secret for it, secrets that come in the file after more of the connection than \
         may wait for them (`--limit max_tls_waiting_bytes`), its handshake is not in the capture, or an unsupported \
         cipher. `--tls` lists all such connections; without it, those that may carry WebSocket: the client sends \
         records too short for HTTP and cannot speak HTTP/2, or another connection to that server is a WebSocket.";
    /// A TLS record is not authentic.
    TlsRecordRejected: "tls_record_rejected", Warning, "RFC 8446 §5.2",
        "Its tag is wrong, so nothing of it is shown. It was changed on its way, or the capture has other bytes than arrived.";
    /// The HTTP/2 connection around the WebSocket breaks RFC 9113 or RFC 7541.
    Http2Error: "http2_error", Error, "RFC 9113 §5.4",
        "The detail names the fault. An endpoint ends the connection, and with it every WebSocket in it; the finding is \
         reported once, for the WebSocket that was open on the lowest stream.";
    /// Frames of HTTP/2 cost their receiver more than their sender.
    Http2Flood: "http2_flood", Warning, "RFC 9113 §10.5",
        "Many SETTINGS, PING, RST_STREAM (\"rapid reset\") or empty frames, a header block in many CONTINUATION \
         frames, or header fields that unfold to much more than was sent. The detail names it.";
}

impl FindingCode {
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

    /// The clause that it rests on: `RFC 6455 §5.1`.
    #[must_use]
    pub const fn reference(self) -> &'static str {
        self.explanation().reference
    }
}

impl fmt::Display for FindingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `http2_error` of `Http2Error`.
    fn snake_case(variant: &str) -> String {
        let words: String =
            variant.chars().flat_map(|c| c.is_ascii_uppercase().then_some('_').into_iter().chain([c])).collect();
        words.trim_start_matches('_').to_ascii_lowercase()
    }

    #[test]
    fn each_code_has_the_name_of_its_variant_and_one_sentence() {
        for (index, code) in FindingCode::ALL.into_iter().enumerate() {
            assert_eq!(code as usize, index);
            assert_eq!(code.as_str(), snake_case(&format!("{code:?}")));
            assert_eq!(FindingCode::from_name(code.as_str()), Some(code));
            assert!(code.reference().starts_with("RFC ") && code.reference().contains(" §"), "{code}");
            let sentence = code.explanation().sentence;
            assert!(sentence.ends_with('.') && !sentence.contains("  "), "{code}: {sentence}");
        }
        assert_eq!(FindingCode::from_name("no_such_code"), None);
    }
}

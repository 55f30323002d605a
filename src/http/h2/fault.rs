//! The faults of an HTTP/2 connection (format), each with its finding code and the finding's detail.
//!
//! Faults against RFC 9113, RFC 7541 or RFC 8441 are `http2_error`; frames that cost their receiver more than their sender
//! are `http2_flood` (RFC 9113 §10.5). Faults of one header list are
//! [`HeaderListFault`](super::HeaderListFault)s; those of the upgrade from HTTP/1.1,
//! [`UpgradeSettingsFault`](super::UpgradeSettingsFault)s.

use core::fmt;

use super::frame::FrameFault;
use super::header_block::BlockFault;
use crate::types::{Detail, FindingCode};

/// One fault of one direction of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum H2Fault {
    /// A frame header that is wrong whatever came before it (RFC 9113 §4.2, §6).
    FrameHeader(FrameFault),
    /// A frame longer than the receiver's SETTINGS_MAX_FRAME_SIZE (RFC 9113 §4.2).
    FrameTooLong,
    /// The sender's first frame is not SETTINGS (RFC 9113 §3.4).
    FirstFrameNotSettings,
    /// "If the length of the padding is the length of the frame payload or greater" (RFC 9113 §6.1).
    Overpadded,
    /// Another frame between HEADERS or PUSH_PROMISE and its CONTINUATION frames (RFC 9113 §4.3).
    BlockInterrupted,
    /// A CONTINUATION frame without a header block to continue (RFC 9113 §6.10).
    StrayContinuation,
    /// A header block against RFC 7541.
    HeaderBlock(BlockFault),
    /// A setting has a value outside its range (RFC 9113 §6.5.2, RFC 8441 §3).
    SettingValue,
    /// SETTINGS_ENABLE_CONNECT_PROTOCOL went from 1 to 0 (RFC 8441 §3).
    ConnectProtocolWithdrawn,
    /// A WINDOW_UPDATE with an increment of 0 (RFC 9113 §6.9).
    ZeroWindowUpdate,
    /// So many frames of one kind within one second of the capture's time, the limit.
    FrequentFrames(FrequentFrame, u32),
    /// So many CONTINUATION frames for one header block, the limit.
    ManyContinuations(u32),
    /// A header list of more than so many bytes, the limit.
    HeaderListTooLong(usize),
}

/// Frames that are counted by the second, since they keep a receiver busy at little cost (RFC 9113 §10.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrequentFrame {
    /// SETTINGS.
    Settings,
    /// PING.
    Ping,
    /// RST_STREAM.
    Reset,
    /// DATA, HEADERS or CONTINUATION without payload that end nothing.
    Empty,
}

impl H2Fault {
    /// The finding that reports it, with its detail.
    #[must_use]
    pub const fn finding(self) -> (FindingCode, Detail) {
        (self.code(), self.detail())
    }

    /// The code of that finding.
    #[must_use]
    pub const fn code(self) -> FindingCode {
        match self {
            Self::FrequentFrames(..) | Self::ManyContinuations(_) | Self::HeaderListTooLong(_) => {
                FindingCode::Http2Flood
            }
            _ => FindingCode::Http2Error,
        }
    }

    /// The detail of that finding.
    #[must_use]
    pub const fn detail(self) -> Detail {
        Detail::Fixed(match self {
            Self::FrameHeader(fault) => fault.as_str(),
            Self::FrameTooLong => "a frame is longer than its receiver allowed",
            Self::FirstFrameNotSettings => "the first frame is not SETTINGS",
            Self::Overpadded => "padding is longer than its frame",
            Self::BlockInterrupted => "a header block is interrupted by another frame",
            Self::StrayContinuation => "a CONTINUATION frame continues no header block",
            Self::HeaderBlock(fault) => fault.as_str(),
            Self::SettingValue => "a setting has a value that it may not have",
            Self::ConnectProtocolWithdrawn => "SETTINGS_ENABLE_CONNECT_PROTOCOL is taken back",
            Self::ZeroWindowUpdate => "a WINDOW_UPDATE of 0",
            Self::FrequentFrames(kind, limit) => return Detail::Number(kind.phrase(), limit as u64),
            Self::ManyContinuations(limit) => {
                return Detail::Number("# CONTINUATION frames for one header block", limit as u64);
            }
            Self::HeaderListTooLong(limit) => {
                return Detail::Number("a header list of more than # bytes", limit as u64);
            }
        })
    }
}

impl fmt::Display for H2Fault {
    /// The detail: `padding is longer than its frame`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.detail().fmt(f)
    }
}

impl FrequentFrame {
    /// How many kinds there are.
    pub(super) const COUNT: usize = 4;

    const fn phrase(self) -> &'static str {
        match self {
            Self::Settings => "# SETTINGS frames within a second",
            Self::Ping => "# PING frames within a second",
            Self::Reset => "# RST_STREAM frames within a second",
            Self::Empty => "# empty frames within a second",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_has_a_code_and_a_detail() {
        for (fault, code, detail) in [
            (H2Fault::FrameHeader(FrameFault::Length), "http2_error", "a frame whose length its type does not allow"),
            (H2Fault::HeaderBlock(BlockFault::CutOff), "http2_error", "a header block ends inside a field"),
            (H2Fault::FrequentFrames(FrequentFrame::Ping, 1000), "http2_flood", "1000 PING frames within a second"),
            (H2Fault::ManyContinuations(32), "http2_flood", "32 CONTINUATION frames for one header block"),
            (H2Fault::HeaderListTooLong(65_536), "http2_flood", "a header list of more than 65536 bytes"),
        ] {
            assert_eq!((fault.code().as_str(), fault.to_string().as_str()), (code, detail));
        }
    }
}

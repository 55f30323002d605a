//! How a connection ended: what an endpoint's API would report (RFC 6455 §7.1.4 to §7.1.6).
//!
//! In: the Closes, TCP's ends, and TLS's close_notify. Out: the outcome, who ended it, and the code and reason that go with it.

use crate::event::{CloseSent, Outcome};
use crate::stream::EndReason;
use crate::tls::TlsInfo;
use crate::types::{Direction, PacketRef, PerDirection, Role};
use crate::websocket::CloseCode;

/// How a connection ended.
pub(super) struct Verdict {
    pub(super) outcome: Outcome,
    pub(super) closed_by: Option<Role>,
    pub(super) close_code: Option<u16>,
    pub(super) close_reason: Vec<u8>,
    pub(super) clean: Option<bool>,
}

impl Verdict {
    /// A request for a WebSocket was refused.
    pub(super) const REJECTED: Self = Self::without_close(Outcome::Rejected);
    /// The connection lies within TLS that stays closed.
    pub(super) const UNKNOWN: Self = Self::without_close(Outcome::Unknown);

    const fn without_close(outcome: Outcome) -> Self {
        Self { outcome, closed_by: None, close_code: None, close_reason: Vec::new(), clean: None }
    }

    /// The outcome of a WebSocket, by the first Close, the Closes and ends of both directions, and the TLS around it.
    pub(super) fn of(
        first_close: Option<Direction>,
        closes: &PerDirection<Option<CloseSent>>,
        ends: &PerDirection<Option<(EndReason, PacketRef)>>,
        tls: Option<&TlsInfo>,
    ) -> Self {
        if let Some(first) = first_close {
            let close = closes.get(first).as_ref();
            return Self {
                outcome: Outcome::Closed,
                closed_by: Some(first.sender()),
                close_code: Some(close.and_then(|close| close.code).unwrap_or(CloseCode::NO_STATUS.0)),
                close_reason: close.map(|close| close.reason.clone()).unwrap_or_default(),
                clean: Some(closes.get(first.reverse()).is_some()),
            };
        }
        let ended = |direction: Direction| match ends.get(direction) {
            Some((EndReason::Fin, seen)) => Some((seen.packet, Some(direction.sender()))),
            Some((EndReason::Rst(by), seen)) => Some((seen.packet, Some(by.sender()))),
            Some((EndReason::Reused, seen)) => Some((seen.packet, None)),
            _ => None,
        };
        // The sender of close_notify (RFC 8446 §6.1) ends it, whichever side sends the FIN.
        let notified = |direction: Direction| {
            let seen = (*tls?.close_notify.get(direction))?;
            Some((seen.packet, Some(direction.sender())))
        };
        let all = Direction::BOTH.into_iter().flat_map(|direction| [notified(direction), ended(direction)]);
        let first_end = all.flatten().min_by_key(|(packet, _)| *packet);
        match first_end {
            Some((_, by)) => Self {
                outcome: Outcome::Aborted,
                closed_by: by,
                close_code: Some(CloseCode::ABNORMAL.0),
                close_reason: Vec::new(),
                clean: Some(false),
            },
            None => Self::without_close(Outcome::Open),
        }
    }
}

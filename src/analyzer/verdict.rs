//! What became of a connection: what an endpoint's API would say (RFC 6455 §7.1.4 to §7.1.6).

use crate::event::{CloseSent, Outcome};
use crate::stream::EndReason;
use crate::tls::TlsInfo;
use crate::types::{Direction, PacketRef, PerDirection, Role};
use crate::websocket::CloseCode;

/// What became of a connection, and by whom.
pub(super) struct Verdict {
    pub(super) outcome: Outcome,
    pub(super) closed_by: Option<Role>,
    pub(super) close_code: Option<u16>,
    pub(super) close_reason: Vec<u8>,
    pub(super) clean: Option<bool>,
}

/// RFC 6455 §7.1.4 to §7.1.6: what an endpoint's API would say.
pub(super) fn verdict(
    first_close: Option<Direction>,
    closes: &PerDirection<Option<CloseSent>>,
    ends: &PerDirection<Option<(EndReason, PacketRef)>>,
    tls: Option<&TlsInfo>,
) -> Verdict {
    if let Some(first) = first_close {
        let close = closes.get(first).as_ref();
        return Verdict {
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
    // Whoever says close_notify (RFC 8446 §6.1) ends it, whoever sends the FIN.
    let notified = |direction: Direction| {
        let seen = (*tls?.close_notify.get(direction))?;
        Some((seen.packet, Some(direction.sender())))
    };
    let all = Direction::BOTH.into_iter().flat_map(|direction| [notified(direction), ended(direction)]);
    let first_end = all.flatten().min_by_key(|(packet, _)| *packet);
    match first_end {
        Some((_, by)) => Verdict {
            outcome: Outcome::Aborted,
            closed_by: by,
            close_code: Some(CloseCode::ABNORMAL.0),
            close_reason: Vec::new(),
            clean: Some(false),
        },
        None => {
            Verdict { outcome: Outcome::Open, closed_by: None, close_code: None, close_reason: Vec::new(), clean: None }
        }
    }
}

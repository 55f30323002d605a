//! The lengths of the records of a connection that cannot be decrypted: is there a reason to think that it carries WebSocket?
//!
//! In: headers of records. Out: yes or no. Both of these must hold:
//!
//! - It is not HTTP/2: the client did not offer `h2` (RFC 7301), as browsers do not when they open a `wss://` URL, or the
//!   server visibly chose another protocol.
//! - The client sends records that are too short for a request of HTTP/1.1 and too long for an alert, as masked frames of
//!   short messages, Pings, Pongs and Closes are. `GET / HTTP/1.1` with a Host has 40 bytes, and seldom fewer than 100.

use super::info::TlsInfo;
use super::record::{ContentType, RecordHeader};
use super::suites::{Bulk, Suite};
use crate::types::Direction;

/// Lengths of plaintext that are too short for a request, and longer than an alert.
const SHORT: core::ops::RangeInclusive<usize> = 6..=39;
/// So many such records are enough.
const ENOUGH: u32 = 2;
/// Records of the client that are counted.
const MAX_RECORDS: u32 = 64;
/// Bytes of both directions within which a reason must show.
const MAX_BYTES: u64 = 512 << 10;
/// The client's first protected records: the end of its handshake, and a request.
const FIRST: u32 = 2;

/// The counts of one connection.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Shape {
    records: u32,
    short: u32,
    bytes: u64,
}

impl Shape {
    /// Counts a record.
    pub(super) fn record(&mut self, direction: Direction, header: RecordHeader, info: &TlsInfo) {
        self.bytes = self.bytes.saturating_add(header.len.into());
        if direction == Direction::ToClient
            || header.content != ContentType::APPLICATION_DATA
            || self.records >= MAX_RECORDS
        {
            return;
        }
        self.records += 1;
        let len = usize::from(header.len).saturating_sub(overhead(info));
        self.short += u32::from(self.records > FIRST && SHORT.contains(&len));
    }

    /// Whether further records cannot change the answer.
    pub(super) const fn is_judged(&self) -> bool {
        self.short >= ENOUGH || self.records >= MAX_RECORDS || self.bytes >= MAX_BYTES
    }

    /// Whether there is a reason to think that it is a WebSocket.
    pub(super) fn looks_like_websocket(&self, info: &TlsInfo) -> bool {
        let no_http2 = match &info.alpn {
            Some(name) => name == "http/1.1",
            None => info.offered.iter().all(|name| name != "h2"),
        };
        no_http2 && self.short >= ENOUGH
    }
}

/// Bytes that every fragment has at least besides its plaintext.
fn overhead(info: &TlsInfo) -> usize {
    let Some(suite) = info.suite.and_then(Suite::of) else { return 17 };
    match suite.bulk {
        bulk if bulk.is_cbc() => suite.hash.len().saturating_add(17),
        bulk if suite.is_tls13() => bulk.tag_len().saturating_add(1),
        Bulk::ChaCha20Poly1305 => 16,
        bulk => bulk.tag_len().saturating_add(8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(lens: &[u16]) -> Shape {
        let mut shape = Shape::default();
        for len in lens {
            let header = RecordHeader { content: ContentType::APPLICATION_DATA, version: 0x0303, len: *len };
            shape.record(Direction::ToServer, header, &TlsInfo::default());
            shape.record(Direction::ToClient, header, &TlsInfo::default());
        }
        shape
    }

    #[test]
    fn short_records_of_the_client_and_no_http2_are_a_reason() {
        let offered =
            |names: &[&str]| TlsInfo { offered: names.iter().map(|&name| name.into()).collect(), ..TlsInfo::default() };
        let shape = shape(&[53, 500, 28, 28]);
        assert!(shape.is_judged());
        assert!(shape.looks_like_websocket(&offered(&["http/1.1"])) && shape.looks_like_websocket(&offered(&[])));
        assert!(!shape.looks_like_websocket(&offered(&["h2", "http/1.1"])));
        let chosen = TlsInfo { alpn: Some("http/1.1".into()), ..offered(&["h2", "http/1.1"]) };
        assert!(shape.looks_like_websocket(&chosen));
        assert!(!shape.looks_like_websocket(&TlsInfo { alpn: Some("mqtt".into()), ..TlsInfo::default() }));
    }

    #[test]
    fn requests_and_alerts_are_no_reason() {
        // Finished, request, requests, close_notify.
        assert!(!shape(&[53, 500, 480, 510, 19]).looks_like_websocket(&TlsInfo::default()));
        assert!(!shape(&[20, 20]).looks_like_websocket(&TlsInfo::default()));
        assert!(!shape(&[53, 500, 19, 19, 19]).looks_like_websocket(&TlsInfo::default()));
        assert!(shape(&[500; 64]).is_judged() && !shape(&[500; 63]).is_judged());
    }
}

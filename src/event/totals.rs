//! Counts over the whole input.

use crate::tls::{Remedy, UndecryptableKind};
use crate::types::Timestamp;

/// Counts over the whole input, for the head of a report.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Totals {
    /// Packets read.
    pub packets: u64,
    /// Bytes of packets, as captured.
    pub bytes: u64,
    /// Packets that a snaplen cut.
    pub cut_packets: u64,
    /// Packets with neither a TCP segment that could be read nor QUIC.
    pub other_packets: u64,
    /// The first packet's time, and the latest.
    pub time: Option<(Timestamp, Timestamp)>,
    /// TCP connections.
    pub tcp_connections: u64,
    /// Of these, TLS.
    pub tls_connections: u64,
    /// Of these, HTTP/2 without TLS.
    pub http2_connections: u64,
    /// Of these, captured without the beginning that shows their protocol.
    pub midstream_connections: u64,
    /// Connections that were dropped because the table was full or memory was spent.
    pub evicted_connections: u64,
    /// How often bytes that were kept for a connection were discarded because memory was spent.
    pub shed_times: u64,
    /// Bytes that were discarded, or not kept at all, because memory was spent.
    pub shed_bytes: u64,
    /// IP datagrams of which fragments are missing.
    pub lost_datagrams: u64,
    /// Packets of QUIC (RFC 9000), on whatever port: HTTP/3 may carry WebSocket (RFC 9220), and is not decoded.
    pub quic_packets: u64,
    /// TLS connections that stay closed, by server and reason. Beyond 256 such pairs the server is an empty string.
    pub closed_tls: Vec<ClosedTls>,
}

/// TLS connections to one server that stay closed for the same reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedTls {
    /// The name that the clients sent (SNI); without one, address and port.
    pub server: String,
    /// Why they stay closed.
    pub why: UndecryptableKind,
    /// What would open them; `None` where nothing would.
    pub needed: Option<Remedy>,
    /// How many connections.
    pub connections: u64,
}

impl Totals {
    /// Adds the counts of connections of another analysis of the same packets. The counts of packets stay.
    pub fn add_connections(&mut self, other: &Self) {
        self.tcp_connections = self.tcp_connections.saturating_add(other.tcp_connections);
        self.tls_connections = self.tls_connections.saturating_add(other.tls_connections);
        self.http2_connections = self.http2_connections.saturating_add(other.http2_connections);
        self.midstream_connections = self.midstream_connections.saturating_add(other.midstream_connections);
        self.evicted_connections = self.evicted_connections.saturating_add(other.evicted_connections);
        self.shed_bytes = self.shed_bytes.saturating_add(other.shed_bytes);
        self.shed_times = self.shed_times.saturating_add(other.shed_times);
        for closed in &other.closed_tls {
            match self.closed_tls.iter_mut().find(|it| (&it.server, it.why) == (&closed.server, closed.why)) {
                Some(same) => same.connections = same.connections.saturating_add(closed.connections),
                None => self.closed_tls.push(closed.clone()),
            }
        }
        self.closed_tls.sort_by(|one, other| (&one.server, one.why).cmp(&(&other.server, other.why)));
    }
}

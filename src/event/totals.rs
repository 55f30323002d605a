//! What was read, in numbers.

use crate::types::Timestamp;

/// What was read, over the whole input: for the head of a report.
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
    /// Of these, without the start that says what they are.
    pub midstream_connections: u64,
    /// Connections that left the table since it was full, or memory was spent.
    pub evicted_connections: u64,
    /// How often a connection had to let go of bytes that were kept for it, since memory was spent.
    pub shed_times: u64,
    /// Bytes that were let go, or not kept at all, since memory was spent.
    pub shed_bytes: u64,
    /// IP datagrams in fragments that never became whole.
    pub lost_datagrams: u64,
    /// Packets of QUIC (RFC 9000), on whatever port: HTTP/3 may carry WebSocket (RFC 9220), and is not decoded.
    pub quic_packets: u64,
    /// TLS connections that stay closed, by server and reason. Beyond 256 of these, a server is empty.
    pub closed_tls: Vec<ClosedTls>,
}

/// TLS connections to one server that stay closed for the same reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedTls {
    /// The name that the clients sent (SNI); without one, address and port.
    pub server: String,
    /// Why, in a word: `no secret`.
    pub why: &'static str,
    /// What would be needed to open them; empty where nothing would help.
    pub needed: &'static str,
    /// How many.
    pub connections: u64,
}

impl Totals {
    /// Adds what another analysis of the same packets counted of its connections; what is about packets stays.
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

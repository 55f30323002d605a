//! All limits in one place: what may be kept, how long, and what that costs.
//!
//! Whoever keeps bytes is given the `Limits` and holds to them; reaching one is a finding or a count, never silence.

/// What an analysis may keep. Each field names its unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one message that are kept for outputs (`--max-message`), counted after inflation; longer messages are
    /// decoded and counted to their end. Default 64 MiB, cost: as much for each message of more than one packet that is
    /// being received while its full content is asked for.
    pub max_message_bytes: u64,
    /// How many bytes an inflated message may have for each byte of its compressed payload before `inflate_ratio` is
    /// said, once it is longer than [`Self::min_ratio_bytes`]. Default 200: text reaches 10 to 30. Costs nothing.
    pub max_inflate_ratio: u64,
    /// Inflated messages up to this many bytes are never called a bomb. Default 1 MiB. Costs nothing.
    pub min_ratio_bytes: u64,
    /// Live inflaters, of 48 KiB each; further connections keep their last 32 KiB and borrow one for each message.
    /// Default 256, cost 12 MiB.
    pub max_inflaters: usize,
    /// Bytes of segments that came too early, in one direction of one connection. Default 4 MiB, a large receive window.
    pub max_held_bytes: usize,
    /// Segments that came too early, in one direction of one connection. Default 4096; bounds the cost of sorting them in.
    pub max_held_segments: usize,
    /// Bytes held for all connections together (`--max-memory`): early segments, heads, messages. Default 512 MiB.
    pub max_memory_bytes: usize,
    /// Delivered bytes that are kept to be compared with retransmissions while nobody has acknowledged them, for each
    /// direction of a connection that is analysed. Default 64 KiB.
    pub max_unacked_bytes: usize,
    /// Delivered and acknowledged bytes that are kept for the same reason. Default 2 KiB.
    pub max_acked_bytes: usize,
    /// Connections in the table: 72 bytes each, 64 more while they open, and about 300 and what they keep once bytes came.
    /// Default 1 Mi. Those that are over leave first, then those that nobody looks at, then the one that was silent longest;
    /// WebSockets last.
    pub max_connections: usize,
    /// Seconds of silence, by the capture's clock, after which a connection without WebSocket is forgotten. Default 300.
    pub idle_secs: u64,
    /// Seconds of silence, by the capture's clock, after which a WebSocket connection is given up. Default 86,400.
    pub websocket_idle_secs: u64,
    /// Milliseconds, by the capture's clock, that bytes may come behind their own acknowledgment (packets of two
    /// interfaces in one file) before they count as missing; 16 packets of the connection are enough too. Default 50.
    pub ack_tolerance_ms: u64,
    /// Milliseconds, by the capture's clock, that a hole waits for its bytes where the other side is not captured and no
    /// acknowledgment can tell. Default 1000.
    pub hole_silence_ms: u64,
    /// Bytes of one HTTP/1 head. Default 64 KiB; real servers refuse beyond 8 to 32.
    pub max_head_bytes: usize,
    /// Requests of one connection that wait for their response. Default 256.
    pub max_pipelined: usize,
    /// Bytes that wait in one direction for the other to decide what they are: frames sent before the 101. Default 1 MiB.
    pub max_waiting_bytes: usize,
    /// Bytes of one TLS connection that wait for secrets, or for what the other direction says, before it is given up.
    /// Default 8 MiB; they wait only where secrets may still come.
    pub max_tls_waiting_bytes: usize,
    /// The same for all TLS connections together. Default 64 MiB.
    pub max_tls_waiting_total: usize,
    /// Bytes of one direction that are gathered to find a frame boundary that was lost. Default 64 KiB; kept only while
    /// one is looked for.
    pub max_resync_bytes: usize,
    /// Bytes of each direction of a connection without a beginning that are looked through for WebSocket frames, before
    /// it is taken for something else. Default 256 KiB, of which 16 KiB are kept.
    pub max_midstream_bytes: u64,
    /// Pings of one direction that wait for their Pong. Default 64; an older one counts as unanswered.
    pub max_pings: usize,
    /// Unfinished IP datagrams. Default 1024, of up to 64 KiB each.
    pub max_datagrams: usize,
    /// Bytes in unfinished IP datagrams, all together. Default 8 MiB.
    pub max_datagram_bytes: usize,
    /// Seconds after which an unfinished IP datagram is given up. Default 30 (RFC 791 §3.2 says 15, RFC 8200 §4.5 says 60).
    pub datagram_secs: u64,
    /// Findings of one code that are told in full for one connection; beyond, they are counted. Default 10,000.
    pub max_findings: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message_bytes: 64 << 20,
            max_inflate_ratio: 200,
            min_ratio_bytes: 1 << 20,
            max_inflaters: 256,
            max_held_bytes: 4 << 20,
            max_held_segments: 4096,
            max_memory_bytes: 512 << 20,
            max_unacked_bytes: 64 << 10,
            max_acked_bytes: 2 << 10,
            max_connections: 1 << 20,
            idle_secs: 300,
            websocket_idle_secs: 86_400,
            ack_tolerance_ms: 50,
            hole_silence_ms: 1_000,
            max_head_bytes: 64 << 10,
            max_pipelined: 256,
            max_waiting_bytes: 1 << 20,
            max_tls_waiting_bytes: 8 << 20,
            max_tls_waiting_total: 64 << 20,
            max_resync_bytes: 64 << 10,
            max_midstream_bytes: 256 << 10,
            max_pings: 64,
            max_datagrams: 1024,
            max_datagram_bytes: 8 << 20,
            datagram_secs: 30,
            max_findings: 10_000,
        }
    }
}

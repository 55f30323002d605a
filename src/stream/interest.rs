//! What a consumer of a stream answers its carrier.

/// Whether a consumer wants more of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Continue.
    Keep,
    /// Continue, and from now on keep the connection through long silence: it may be silent for
    /// [`crate::types::Limits::websocket_idle_secs`], and is among the last to be evicted when the table is full. Once
    /// given, this answer holds until the connection is over.
    Retain,
    /// Deliver nothing more of the connection, not even its end: from now on a packet of it costs a look-up.
    Drop,
}

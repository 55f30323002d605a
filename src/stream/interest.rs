//! What a consumer of a stream answers its carrier.

/// Whether a listener wants more of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Go on.
    Keep,
    /// Go on, and from now on keep it through long silence: it may be silent for
    /// [`crate::types::Limits::websocket_idle_secs`], and is the last to go when the table is full. Said once, it holds
    /// for the connection.
    Retain,
    /// Nothing more of it, and no end: from now on it costs a look-up a packet.
    Drop,
}

//! What the tests of losses, of connections without a handshake and of odd captures share, and `examples/losses.rs` with
//! them: packets to take apart, traffic to make, an analysis that remembers all it is told.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "test code, of which each user uses a part"
)]

// Numbers that look random and are the same everywhere.
pub mod random;
// Packets, read or made,
pub mod packets;
// conversations made of them,
pub mod talk;
// and what is no WebSocket at all.
pub mod strangers;
// What an analysis says,
pub mod watch;
// and the experiments: bytes are lost,
pub mod damage;
// or the beginning is.
pub mod adopt;

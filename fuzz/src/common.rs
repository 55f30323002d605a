//! What the bodies use of the helpers of all tests.

#![allow(dead_code, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests are tests")]

#[path = "../../tests/common/packets.rs"]
pub(crate) mod packets;

//! All limits in one place: how much is kept, how long, and the cost.
//!
//! Each machine that keeps bytes is given the [`Limits`] and keeps to them; reaching one is a finding or a count, never
//! silence. They are one table (`limits/table.rs`).
//!
//! [`Limits::max_memory_bytes`] binds everything together, and the other limits of bytes are for one thing each. It is
//! divided into [`Shares`]; `tcp/reclaim.rs` says what is freed when it is spent.

mod shares;
mod table;

pub use shares::Shares;
pub use table::{Limit, Limits, Unit};

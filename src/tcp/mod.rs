//! Segments → data, gap, end.

pub mod chunk;
pub mod handler;

pub use chunk::{Chunk, EndReason, Run};
pub use handler::{Counters, Flow, Handler, Interest, Oddity};

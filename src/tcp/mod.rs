//! Segments → data, gap, end.

pub mod chunk;
pub mod handler;
pub mod table;
// Within:
mod assembler;
mod body;
mod budget;
mod clock;
mod connection;
mod flow;
mod held;
mod history;
mod opening;
mod slots;

pub use chunk::{Chunk, EndReason, Run};
pub use handler::{Counters, Flow, Handler, Interest, Oddity};
pub use table::Table;

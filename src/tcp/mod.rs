//! Segments → data, gap, end.

pub mod chunk;
pub mod handler;
pub mod table;
// Within:
mod flow;
mod clock;
mod slots;
mod body;
mod opening;
mod connection;
mod assembler;
mod held;
mod history;
mod budget;

pub use chunk::{Chunk, EndReason, Run};
pub use handler::{Counters, Flow, Handler, Interest, Oddity};
pub use table::Table;

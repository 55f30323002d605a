//! One packet → one segment.

pub mod segment;

pub use segment::{Segment, SeqNumber, TcpFlags};

//! A file or an interface → packets.

pub mod packet;

pub use packet::{LinkType, Packet};

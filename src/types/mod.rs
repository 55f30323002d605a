//! Types that all layers share: bytes, time, direction, endpoint, limits, findings.
//!
//! Nothing here imports from another layer, reads a file, or knows a protocol.

pub mod bytes;
pub mod direction;
pub mod endpoint;
pub mod finding;
pub mod limits;
pub mod memory_quota;
pub mod sketch;
pub mod time;
pub mod uid;

pub use bytes::Reader;
pub use direction::{Direction, PerDirection, Role};
pub use endpoint::Endpoint;
pub use finding::{Detail, Finding, FindingCode, FindingSet, Severity};
pub use limits::{Limit, Limits, Shares, Unit};
pub use memory_quota::MemoryQuota;
pub use sketch::Sketch;
pub use time::{PacketRef, Timestamp};
pub use uid::Uid;

//! What tests from outside, unit tests, examples and fuzz targets share: one writer of packets, one sink that records.

#![allow(dead_code, unused_imports, unreachable_pub, unreachable_patterns, reason = "each user uses a part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test that fails is to stop, and helpers of tests are tests, too"
)]

// How much random tests try, and which tests cannot run here.
pub(crate) mod effort;
pub(crate) mod skip;
// From bytes to captures:
pub(crate) mod packets;
// frames, their compression, handshakes, frames of HTTP/2,
pub(crate) mod deflate;
pub(crate) mod frame;
pub(crate) mod h2;
pub(crate) mod handshake;
// and conversations made of them.
pub(crate) mod conversation;
// What the library emits for a capture.
pub(crate) mod recorder;

pub(crate) use conversation::{CLIENT, Capture, Conversation, EPOCH, SERVER, Wire, pcap_head, pcap_record};
pub(crate) use deflate::{Deflater, FixedBlock, stored};
pub(crate) use frame::{Frame, close_body};
pub(crate) use handshake::{KEY, Reply, Upgrade, accept};
pub(crate) use packets::{ACK, FIN, PSH, RST, SYN, Segment, address};
pub(crate) use recorder::{FindingRecord, FrameRecord, MessageRecord, Recorder, Row, record, run, run_with};

//! All tests from outside, in one binary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test that fails is to stop, and helpers of tests are tests, too"
)]

mod bad_input;
mod cli;
mod command;
#[path = "../common/mod.rs"]
mod common;
mod cuts;
mod damaged;
mod docs;
mod exporter;
mod findings;
mod floods;
mod fuzzed;
mod golden;
mod half_seen;
mod http2;
mod layers;
#[cfg(feature = "live")]
mod live;
mod losses;
mod memory;
mod one_sided;
mod packets;
mod peers;
mod readers;
mod regressions;
mod support;
mod synth;
mod third_party;
mod threads;
#[cfg(feature = "tls")]
mod tls;
mod truth;
mod tshark;

//! What unit tests, tests from outside, examples and fuzz targets share.

#![allow(dead_code, reason = "each of them uses a part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test that fails is to stop, and helpers of tests are tests, too"
)]

pub(crate) mod effort;
pub(crate) mod skip;

//! All tests from outside, in one binary.

mod docs;
mod fuzzed;
mod regressions;

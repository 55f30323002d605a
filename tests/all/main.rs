//! All tests from outside, in one binary.

mod bad_input;
mod cuts;
mod docs;
mod golden;
mod support;
mod third_party;
mod truth;

//! All tests from outside, in one binary.

mod docs;
mod losses;
mod one_sided;
mod tshark;

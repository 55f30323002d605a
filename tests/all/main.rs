//! All tests from outside, in one program: of the library as its users have it, and of the command.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test that fails is to stop, and helpers of tests are tests, too"
)]

// Helpers
mod command; //     the command, run as users run it
#[path = "../common/mod.rs"]
mod common; //      packets, conversations and captures; the sink that records; which tests are skipped
mod support; //     the samples, and what the library emits for them

// The repository
mod docs; //        generated pages say what the code says; links and examples of the others hold
mod exporter; //    the exporter of CONTRIBUTING compiles and writes
mod layers; //      imports: layers in order, no circles, few that reach outside the program

// Samples and captures of real endpoints
mod cuts; //        any cut into packets gives the same events
mod golden; //      what is printed for each sample, byte for byte
mod third_party; // captures of other projects' test suites
mod truth; //       messages against what the endpoints recorded
mod tshark; //      frames against tshark's

// Protocols
mod findings; //    each finding of HTTP/1.1 and frames, and its near misses
mod http2; //       WebSockets in HTTP/2
mod peers; //       bugs that other tools have or had
mod readers; //     what a sub-protocol reader is promised
#[cfg(feature = "tls")]
mod tls; //         TLS against openssl

// Captures that lack something
mod bad_input; //   files cut off at every byte, and corrupted
mod damaged; //     samples with packets lost, doubled and swapped
mod half_seen; //   handshakes of which one half is missing or late
mod losses; //      lost segments, missing beginnings, connections that are no WebSockets
mod one_sided; //   one direction alone, packets out of order or twice

// Bounds
mod floods; //      what hostile packets make the library keep
mod memory; //      what hostile captures make the command keep
mod synth; //       big generated captures, every total

// Outputs and runs
mod cli; //         the command: options, exit status, where results go
#[cfg(feature = "live")]
mod live; //        sniffing on the loopback interface
mod packets; //     which packets carried bytes of which connection
mod threads; //     the same bytes for any number of workers

// Fuzzing
mod fuzzed; //      the bodies of the fuzz targets
mod regressions; // the bodies over their seeds, and over what once failed

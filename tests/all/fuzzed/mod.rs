//! What the fuzz targets do: each takes any bytes and must come back, having held what we say against a dumb model.
//!
//! `fuzz/` gives them bytes that a fuzzer made up; the tests beside this module give them the seeds and all that ever
//! went wrong, so that a target which no longer compiles, or no longer holds, is known before anybody fuzzes. They use
//! nothing of wslens but what everybody may use.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "whatever is wrong here must stop the test"
)]

// How bytes become pieces, cuts and choices.
mod script;
// One floor each, in the order of the floors:
mod capture;
mod frames;
mod header_block;
mod http;
mod inflate;
mod keylog;
mod packets;
mod reassembly;
mod resync;
mod tls;
// all of them together, from a file,
mod read;
// or from behind a handshake,
mod conversation;
// or inside HTTP/2;
mod http2;
// and what must hold for all that is written.
mod outputs;

pub(crate) use capture::capture;
pub(crate) use conversation::conversation;
pub(crate) use frames::frames;
pub(crate) use header_block::header_block;
pub(crate) use http::http;
pub(crate) use http2::http2;
pub(crate) use inflate::inflate;
pub(crate) use keylog::keylog;
pub(crate) use packets::packets;
pub(crate) use read::read;
pub(crate) use reassembly::reassembly;
pub(crate) use resync::resync;
pub(crate) use tls::tls;

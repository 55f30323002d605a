//! The bodies of the targets, which `cargo test` runs over the seeds too: see `tests/all/fuzzed/`.

/// What the bodies use of the helpers of all tests.
mod common {
    #![allow(dead_code, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests are tests")]

    #[path = "../../../tests/common/packets.rs"]
    pub(crate) mod packets;
}

#[path = "../../tests/all/fuzzed/mod.rs"]
mod fuzzed;

macro_rules! bodies {
    ($($name:ident),+) => { $(
        #[doc = concat!("See `tests/all/fuzzed/", stringify!($name), ".rs`.")]
        pub fn $name(bytes: &[u8]) {
            fuzzed::$name(bytes);
        }
    )+ };
}

bodies!(
    capture, packets, reassembly, http, frames, inflate, resync, keylog, tls, read, conversation, header_block, http2
);

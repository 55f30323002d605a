//! The bodies of the targets, which `cargo test` runs over the seeds too: see `tests/all/fuzzed/`.

mod common;

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

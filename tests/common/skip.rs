//! Tests that cannot run where something is absent: a program, a right, captures that are not part of this package. Each
//! records its name and what is absent; `tests/skipped.rs` runs after all others and prints the list.
//!
//! The list of one `cargo test` is a file named by the id of the cargo process, which all its test programs share.

use std::io::Write;
use std::path::PathBuf;

/// Records that the current test is skipped because `absent` is.
pub(crate) fn skip(absent: &str) {
    println!("skipped: {absent}");
    let thread = std::thread::current();
    let line = format!("{}\t{}\n", thread.name().unwrap_or("?"), absent.trim().replace('\n', " "));
    let written = std::fs::create_dir_all(folder()).and_then(|()| {
        let mut list = std::fs::File::options().create(true).append(true).open(list())?;
        list.write_all(line.as_bytes())
    });
    assert!(written.is_ok(), "{}: {written:?}", list().display());
}

/// The list of this run: lines of a test's name, a tab, and what is absent.
pub(crate) fn list() -> PathBuf {
    folder().join(run().to_string())
}

/// `skipped` in the folder of the build: `target/debug/skipped`.
pub(crate) fn folder() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let deps = program.ancestors().find(|folder| folder.ends_with("deps")).expect("cargo puts tests into `deps`");
    deps.with_file_name("skipped")
}

#[cfg(unix)]
fn run() -> u32 {
    std::os::unix::process::parent_id()
}

#[cfg(not(unix))]
fn run() -> u32 {
    0
}

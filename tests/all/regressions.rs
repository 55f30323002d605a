//! The bodies of the fuzz targets over their seeds, and over all that ever went wrong in them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "whatever is wrong here must stop the test")]

use std::path::{Path, PathBuf};

use crate::fuzzed;

/// What a target does.
type Body = fn(&[u8]);

/// The targets: the name, the body, and how many seeds it has at least.
const TARGETS: [(&str, Body, usize); 13] = [
    ("keylog", fuzzed::keylog, 3),
    ("tls", fuzzed::tls, 2),
    ("capture", fuzzed::capture, 12),
    ("packets", fuzzed::packets, 13),
    ("reassembly", fuzzed::reassembly, 21),
    ("http", fuzzed::http, 15),
    ("frames", fuzzed::frames, 50),
    ("inflate", fuzzed::inflate, 13),
    ("resync", fuzzed::resync, 50),
    ("read", fuzzed::read, 21),
    ("conversation", fuzzed::conversation, 31),
    ("header_block", fuzzed::header_block, 4),
    ("http2", fuzzed::http2, 5),
];

/// Inputs that once failed: at least so many.
const REGRESSIONS: usize = 12;

/// The files in a folder, in order: at least so many.
fn files(folder: &str, least: usize) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = folder.read_dir().unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= least, "{} has {} files, not {least}", folder.display(), files.len());
    files
}

fn run(body: Body, path: &Path) {
    let bytes = std::fs::read(path).unwrap();
    if std::panic::catch_unwind(|| body(&bytes)).is_err() {
        panic!("{}: see above", path.display());
    }
}

#[test]
fn every_target_holds_over_its_seeds() {
    // The published package has no folder `fuzz`.
    if !Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").is_dir() {
        return crate::common::skip::skip("the folder fuzz/");
    }
    for (target, body, least) in TARGETS {
        files(&format!("fuzz/seeds/{target}"), least).iter().for_each(|path| run(body, path));
    }
}

#[test]
fn what_went_wrong_does_not_again() {
    for path in files("tests/regressions", REGRESSIONS) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let target = TARGETS.into_iter().find(|(target, ..)| name.starts_with(&format!("{target}-")));
        let (_, body, _) = target.unwrap_or_else(|| panic!("{name} begins with no target's name"));
        run(body, &path);
    }
}

#[test]
fn every_target_holds_for_nothing_and_next_to_nothing() {
    for (_, body, _) in TARGETS {
        body(&[]);
        for byte in 0..=255 {
            body(&[byte]);
            body(&[byte; 40]);
        }
    }
}

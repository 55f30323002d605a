//! The bodies of the fuzz targets over their seeds, and over all that ever went wrong in them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "whatever is wrong here must stop the test")]

use std::path::{Path, PathBuf};

use crate::fuzzed;

/// What a target does.
type Body = fn(&[u8]);

/// The targets, by name.
const TARGETS: [(&str, Body); 13] = [
    ("keylog", fuzzed::keylog),
    ("tls", fuzzed::tls),
    ("capture", fuzzed::capture),
    ("packets", fuzzed::packets),
    ("reassembly", fuzzed::reassembly),
    ("http", fuzzed::http),
    ("frames", fuzzed::frames),
    ("inflate", fuzzed::inflate),
    ("resync", fuzzed::resync),
    ("read", fuzzed::read),
    ("conversation", fuzzed::conversation),
    ("header_block", fuzzed::header_block),
    ("http2", fuzzed::http2),
];

/// The files in a folder, in order; none where it is not there, as in the published package.
fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<_> = folder.read_dir().into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.sort();
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
    for (target, body) in TARGETS {
        files(&format!("fuzz/seeds/{target}")).iter().for_each(|path| run(body, path));
    }
}

#[test]
fn what_went_wrong_does_not_again() {
    for path in files("tests/regressions") {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let target = TARGETS.into_iter().find(|(target, _)| name.starts_with(&format!("{target}-")));
        let (_, body) = target.unwrap_or_else(|| panic!("{name} begins with no target's name"));
        run(body, &path);
    }
}

#[test]
fn every_target_holds_for_nothing_and_next_to_nothing() {
    for (_, body) in TARGETS {
        body(&[]);
        for byte in 0..=255 {
            body(&[byte]);
            body(&[byte; 40]);
        }
    }
}

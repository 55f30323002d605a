//! Lists the tests of this `cargo test` that were skipped, and what each lacked. Cargo runs it last: the programs of tests
//! run in the order of their names.
//!
//! With `WSLENS_SKIPS=FILE` it fails if a test was skipped that the file does not list (`.ci/skips`).

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::disallowed_methods, reason = "this is a test")]

#[path = "common/skip.rs"]
#[allow(dead_code, clippy::expect_used, reason = "tests use the rest")]
mod skip;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Other runners of tests ask first which tests there are: none that could be chosen.
    if std::env::args().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let text = std::fs::read_to_string(skip::list()).unwrap_or_default();
    _ = std::fs::remove_file(skip::list());
    let mut skipped: Vec<_> = text.lines().filter_map(|line| line.split_once('\t')).collect();
    skipped.sort_unstable();
    skipped.dedup();
    println!("\nskipped tests: {}", skipped.len());
    for (test, absent) in &skipped {
        println!("  {test}: {absent}");
    }
    let Ok(path) = std::env::var("WSLENS_SKIPS") else { return ExitCode::SUCCESS };
    let listed = std::fs::read_to_string(&path).unwrap();
    let unexpected: Vec<_> = skipped.iter().filter(|(test, _)| !is_listed(&listed, test)).collect();
    for (test, _) in &unexpected {
        println!("{test} was skipped, but {path} does not list it");
    }
    if unexpected.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether a line of the list is the test's name, or a beginning of it that ends in `*`. What comes after the first word of
/// a line is a comment.
fn is_listed(list: &str, test: &str) -> bool {
    let words = list.lines().filter_map(|line| line.split_whitespace().next());
    words.filter(|word| !word.starts_with('#')).any(|word| match word.strip_suffix('*') {
        Some(beginning) => test.starts_with(beginning),
        None => word == test,
    })
}

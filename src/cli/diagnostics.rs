//! Diagnostics, on standard error. They may quote file names and messages of libraries, so they are escaped as outputs are.

use std::io::Write;

use wslens::output::escape;
use wslens::tls::KeyLogWarning;

/// An error, which ends the run.
pub(super) fn error(text: &str) {
    line("wslens: ", text);
}

/// A problem that does not end the run.
pub(super) fn warning(text: &str) {
    line("wslens: warning: ", text);
}

/// Information.
#[cfg(feature = "live")]
pub(super) fn note(text: &str) {
    line("wslens: ", text);
}

/// Lines of the key log `name` that could not be read, and how many more there were.
pub(super) fn key_warnings(name: &str, (warnings, more): &(Vec<KeyLogWarning>, u64)) {
    for text in warnings {
        warning(&format!("{name}, {text}"));
    }
    if *more > 0 {
        warning(&format!("{name}: {more} more lines that are broken"));
    }
}

fn line(prefix: &str, text: &str) {
    let mut bytes = prefix.as_bytes().to_vec();
    for (index, part) in text.lines().enumerate() {
        if index > 0 {
            bytes.extend_from_slice(b"\n        ");
        }
        bytes.extend_from_slice(escape::terminal(part.as_bytes()).as_bytes());
    }
    bytes.push(b'\n');
    // There is no other place to report that standard error is closed.
    drop(std::io::stderr().write_all(&bytes));
}

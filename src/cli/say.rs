//! What goes to standard error. It may quote file names and what libraries say, so it is escaped like the rest.

use std::io::Write;

use wslens::output::escape;
use wslens::tls::KeyLogWarning;

/// An error, which ends the run.
pub(super) fn error(text: &str) {
    line("wslens: ", text);
}

/// Something that a user should know.
pub(super) fn warning(text: &str) {
    line("wslens: warning: ", text);
}

/// Something that a user may want to know.
#[cfg(feature = "live")]
pub(super) fn note(text: &str) {
    line("wslens: ", text);
}

/// Lines of a key log that could not be read, and how many more there were.
pub(super) fn key_warnings(name: &str, (warnings, more): &(Vec<KeyLogWarning>, u64)) {
    for told in warnings {
        warning(&format!("{name}, {told}"));
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
    // Nobody can be told that standard error is closed.
    drop(std::io::stderr().write_all(&bytes));
}

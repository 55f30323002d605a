//! `--limit help`: every limit, its purpose and its cost.

use std::io::{self, Write};

use wslens::types::{Limits, Unit};

use super::explain::wrap;

/// Lists them all.
///
/// # Errors
/// What writing fails with.
pub(super) fn list(out: &mut impl Write) -> io::Result<()> {
    let defaults = Limits::default();
    for limit in Limits::ALL {
        let value = limit.get(&defaults);
        let unit = match limit.unit {
            Unit::Bytes => bytes(value),
            Unit::Count => value.to_string(),
            Unit::Ratio => format!("{value} to 1"),
            Unit::Seconds => format!("{value}s"),
            Unit::Milliseconds => format!("{value}ms"),
        };
        writeln!(out, "{}={}", limit.name, unit)?;
        wrap(limit.text, 100, "    ", out)?;
    }
    out.flush()
}

/// A size in the largest unit that gives an integer.
fn bytes(value: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match units.into_iter().find(|(_, bits)| value >> bits << bits == value && value > 0) {
        Some((unit, bits)) => format!("{}{unit}", value >> bits),
        None => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_limits_are_listed_in_lines_that_fit() {
        let mut out = Vec::new();
        list(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.lines().all(|line| line.chars().count() <= 100));
        assert!(text.contains("max_memory_bytes=512MiB\n") && text.contains("idle_secs=300s\n"));
        assert!(Limits::ALL.iter().all(|limit| text.contains(&format!("{}=", limit.name))));
        assert_eq!((bytes(0), bytes(1 << 30), bytes(1025)), ("0".into(), "1GiB".into(), "1025".into()));
    }
}

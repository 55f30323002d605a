//! `wslens explain`: the table of findings as text.
//!
//! ```text
//! unmasked_client_frame — error (RFC 6455 §5.1)
//!
//! A frame from the client is not masked.
//! "The server MUST close the connection upon receiving a frame that is not masked." Some tunnels leave masking out on
//! purpose.
//! ```

use std::io::{self, Write};

use wslens::types::{FindingCode, Severity};

/// Explains one code, or lists all codes.
///
/// # Errors
/// The error of `out`.
pub(super) fn explain(code: Option<FindingCode>, color: bool, out: &mut impl Write) -> io::Result<()> {
    match code {
        Some(code) => one(code, color, out),
        None => all(color, out),
    }
}

fn one(code: FindingCode, color: bool, out: &mut impl Write) -> io::Result<()> {
    let explained = code.explanation();
    let (on, off) = paint(explained.severity, color);
    writeln!(out, "{} — {on}{}{off} ({})", explained.code, explained.severity, explained.reference)?;
    writeln!(out)?;
    for text in [explained.sentence, explained.advice] {
        wrap(text, 100, "", out)?;
    }
    Ok(())
}

fn all(color: bool, out: &mut impl Write) -> io::Result<()> {
    for code in FindingCode::ALL {
        let explained = code.explanation();
        let (on, off) = paint(explained.severity, color);
        writeln!(out, "{:<26} {on}{:<8}{off} {}", explained.code, explained.severity.as_str(), explained.reference)?;
        wrap(explained.sentence, 100, "    ", out)?;
    }
    Ok(())
}

const fn paint(severity: Severity, color: bool) -> (&'static str, &'static str) {
    match severity {
        _ if !color => ("", ""),
        Severity::Error => ("\x1b[1;31m", "\x1b[0m"),
        Severity::Warning => ("\x1b[1;33m", "\x1b[0m"),
        Severity::Note => ("\x1b[36m", "\x1b[0m"),
    }
}

/// Writes `text` in lines of at most `width` characters.
pub(super) fn wrap(text: &str, width: usize, indent: &str, out: &mut impl Write) -> io::Result<()> {
    let mut line = String::from(indent);
    for word in text.split_whitespace() {
        let full = line.chars().count() + 1 + word.chars().count() > width;
        if full && line.trim() != "" {
            writeln!(out, "{line}")?;
            line = String::from(indent);
        }
        if line.len() > indent.len() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if line.trim() == "" { Ok(()) } else { writeln!(out, "{line}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained_in_lines_that_fit() {
        let mut out = Vec::new();
        explain(None, false, &mut out).unwrap();
        for code in FindingCode::ALL {
            explain(Some(code), false, &mut out).unwrap();
        }
        let text = String::from_utf8(out).unwrap();
        assert!(text.lines().all(|line| line.chars().count() <= 100));
        assert!(FindingCode::ALL.iter().all(|code| text.matches(code.as_str()).count() >= 2));
    }
}

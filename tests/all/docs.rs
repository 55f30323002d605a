//! `docs/tables.md`, `docs/findings.md` and `docs/limits.md` say what the code says. `WSLENS_BLESS=1` rewrites them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use wslens::output::columns::{Connections, Findings, Frames, Messages, Shown};
use wslens::output::{PREVIEW_BYTES, Table};
use wslens::types::{FindingCode, Limits, Severity, Unit};

#[test]
fn tables_md_is_the_columns() {
    let mut text = TABLES_HEAD.replace("{PREVIEW_BYTES}", &PREVIEW_BYTES.to_string());
    table::<Connections>(&mut text);
    table::<Frames>(&mut text);
    table::<Messages>(&mut text);
    table::<Findings>(&mut text);
    compare("docs/tables.md", &text);
}

#[test]
fn findings_md_is_the_table_of_findings() {
    let mut text = FINDINGS_HEAD.to_owned();
    for (severity, title) in [(Severity::Error, "Errors"), (Severity::Warning, "Warnings"), (Severity::Note, "Notes")] {
        _ = writeln!(text, "\n## {title}");
        for code in FindingCode::ALL.into_iter().filter(|code| code.severity() == severity) {
            let explanation = code.explanation();
            _ = writeln!(text, "\n### `{}`\n\n{} ({})", explanation.code, explanation.sentence, explanation.reference);
            if !explanation.advice.is_empty() {
                _ = writeln!(text, "\n{}", explanation.advice);
            }
        }
    }
    compare("docs/findings.md", &text);
}

#[test]
fn limits_md_is_the_table_of_limits() {
    let mut text = String::from("| limit | default | what it is for, why, and what it costs |\n| --- | ---: | --- |\n");
    for limit in Limits::ALL {
        let value = limit.get(&Limits::default());
        let default = match limit.unit {
            Unit::Bytes if value >= 1 << 20 => format!("{} MiB", value >> 20),
            Unit::Bytes => format!("{} KiB", value >> 10),
            Unit::Count => value.to_string(),
            Unit::Ratio => format!("{value} to 1"),
            Unit::Seconds => format!("{value} s"),
            Unit::Milliseconds => format!("{value} ms"),
        };
        _ = writeln!(text, "| `{}` | {default} | {} |", limit.name, limit.text.trim());
    }
    // The rest of the page is written by hand.
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/limits.md");
    let page = std::fs::read_to_string(path).unwrap_or_default();
    let (head, rest) = page.split_once(LIMITS_BEGIN).unwrap();
    let (_, tail) = rest.split_once(LIMITS_END).unwrap();
    compare("docs/limits.md", &format!("{head}{LIMITS_BEGIN}\n{text}{LIMITS_END}{tail}"));
}

const LIMITS_BEGIN: &str =
    "<!-- Written by `WSLENS_BLESS=1 cargo test --test all docs`: change src/types/limits/table.rs instead. -->\n";
const LIMITS_END: &str = "<!-- To here. -->\n";

/// The report in README.md is the one that its command prints, without the connections that it says are left out.
#[test]
fn readme_shows_a_report_that_is_printed() {
    let readme = include_str!("../../README.md");
    let (_, rest) = readme.split_once("```text\n").expect("a report");
    let (shown, behind) = rest.split_once("```\n").expect("its end");
    let blocks = |text: &'static str| text.trim_end().split("\n\n").collect::<Vec<_>>();
    let shown = blocks(shown);
    let (kept, left_out): (Vec<_>, Vec<_>) =
        blocks(include_str!("../golden/first-look.txt")).into_iter().partition(|block| shown.contains(block));
    assert!(kept == shown, "README.md shows what is not in tests/golden/first-look.txt");
    let words = ["One more connection is", "Two more connections are", "Three more connections are"];
    let word = words.get(left_out.len() - 1).expect("a few");
    assert!(behind.starts_with(&format!("\n({word} left out here.)")), "{} are left out", left_out.len());
}

/// A file that a document or a comment names is there: a move that forgets them fails here.
#[test]
fn files_that_documents_and_comments_name_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "tests", "examples", "benches", "docs", "fuzz", "samples"] {
        files_below(&root.join(folder), &mut files);
    }
    files.extend(["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(|name| root.join(name)));
    let names: Vec<_> = files.iter().map(|file| format!("/{}", file.strip_prefix(root).unwrap().display())).collect();
    let mut checked = 0;
    for file in &files {
        let is_code = file.extension().is_some_and(|ending| ending == "rs");
        if !is_code && file.extension().is_none_or(|ending| ending != "md") {
            continue;
        }
        for line in std::fs::read_to_string(file).unwrap().lines().filter(|line| !is_code || line.contains("//")) {
            // In backquotes: every second part.
            for name in line.split('`').skip(1).step_by(2).filter(|name| name.ends_with(".rs")) {
                let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_/.".contains(&byte));
                let exists = || names.iter().any(|known| known.ends_with(&format!("/{name}")));
                assert!(!plain || exists(), "{}: there is no {name}", file.display());
                checked += 1;
            }
        }
    }
    assert!(checked > 50, "documents name files: {checked}");
}

fn files_below(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            if entry.file_name() != "target" {
                files_below(&entry.path(), files);
            }
        } else {
            files.push(entry.path());
        }
    }
}

/// Appends one table's columns.
fn table<T: Table>(text: &mut String) {
    _ = writeln!(text, "\n## {}\n\n{}\n\n| column | type | what it is |\n| --- | --- | --- |", T::NAME, T::DOC);
    for column in T::COLUMNS {
        let when = match column.shown {
            Shown::Always => "",
            Shown::Preview => " Not with `--payload full`; empty with `--payload none`.",
            Shown::Full => " Only with `--payload full`.",
        };
        _ = writeln!(
            text,
            "| `{}` | {} | {}{when} |",
            column.name,
            column.kind.as_str(),
            column.doc.replace('|', "\\|")
        );
    }
}

/// Holds a document against what it should be.
fn compare(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var_os("WSLENS_BLESS").is_some() {
        _ = std::fs::write(&path, text);
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == text, "{name} does not say what the code says; WSLENS_BLESS=1 cargo test rewrites it");
}

const TABLES_HEAD: &str = "\
# Tables

<!-- Written by `WSLENS_BLESS=1 cargo test --test all docs`: change src/output/columns/ instead. -->

`wslens` writes four tables, as CSV or NDJSON. Columns are only ever appended, never renamed or moved.

| type | in CSV | in NDJSON |
| --- | --- | --- |
| boolean | `true` or `false` | the same |
| integer | decimal, 0 to 2^64 - 1 | a number; beyond 2^53 a parser may need to be told not to use floating point |
| word | one of a few words of ours | a string |
| text | escaped, and safe for spreadsheets: see below | a string, whole |
| time | RFC 3339 in UTC with nine digits: `2026-11-22T16:19:05.123456789Z` | a string |
| address | IPv4 or IPv6 | a string |
| hex | lower-case digits | a string |
| list | elements with `;` between | an array of strings |
| bytes | (not in CSV) | base64 |

What is not known is empty in CSV and `null` in NDJSON, never 0. An empty text is `\"\"` in both, an empty list is empty in CSV and `[]` in NDJSON.
Packets count from 1 over the whole input, `tcp_stream` from 0 in the order of first packets: both as in Wireshark.

**Text in CSV** may come from an attacker. It is escaped so that a row is always one line and harmless on a terminal: `\\n`, `\\r`, `\\t`, `\\0`; other ASCII
controls and bytes that are not UTF-8 as `\\x1b`; characters that are invisible or reorder what is beside them as `\\u{202e}`; the backslash as `\\\\`. Text that a
spreadsheet would take for a formula (`=`, `+`, `-`, `@`, also full-width), and text that begins with `'`, has one more `'` in front. Then it is quoted as RFC 4180 says.
A `;` inside an element of a list is followed by a space, one between elements never is.

**Text in NDJSON** is what was on the wire. Where that is not UTF-8 (a Close reason may be anything), it is escaped as in CSV, backslashes included.
A preview is escaped in both: it shows the first {PREVIEW_BYTES} bytes of any payload.

**Secrets** (tokens in request targets and sub-protocol names) are replaced by `[redacted 36 chars, 1a2b3c]` unless `--show-secrets` is given: their length and, from 16
characters on, the beginning of their SHA-1, so that equal ones are seen to be equal. Cookies and Authorization are never kept.

**Rows waiting for a number.** The `message` of a fragment, and of a finding in one, is known when the message is complete. Its row and those behind it wait for
that: at most 65,536 rows or 16 MiB; beyond, the column stays empty.

**`uid`** is the first 16 bytes of the SHA-1 of these, integers in network order: the length of the label in 4 bytes and the label in UTF-8; of both ends, the lower one first
(by version of IP, address, port), the version of IP in one byte, the address, the port in 2 bytes; the first packet's time in nanoseconds since 1970 in 8 bytes, signed; its
TCP sequence number in 4 bytes; then one byte 0, or for HTTP/2 one byte 1 and the stream in 4 bytes.
";

const FINDINGS_HEAD: &str = "\
# Findings

<!-- Written by `WSLENS_BLESS=1 cargo test --test all docs`: change src/types/finding/code.rs instead. -->

What wslens can find, by severity. `wslens explain CODE` prints the same. An *error* is against the RFC, a *warning* is allowed but suspicious or harmful,
a *note* is worth knowing and breaks no rule.
";

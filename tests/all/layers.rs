//! A floor imports only from the floors before it, and the world outside has its few homes. Cargo cannot see this inside
//! one package, so the sources are read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// In the order in which data flows; later ones may use earlier ones.
const FLOORS: [&str; 14] = [
    "types",
    "capture",
    "net",
    "stream",
    "tcp",
    "quic",
    "tls",
    "http",
    "websocket",
    "event",
    // A reader sees a message as a sink does.
    "subprotocol",
    "check",
    "analyzer",
    "output",
];
/// Lines of a file, tests not counted. A table that is one arm or row a code has no limit.
const MAX_LINES: usize = 450;
const TABLES: [&str; 1] = ["types/finding/code.rs"];
/// Paths of the standard library that reach outside the program, and the floors, or files in them, that may.
const OUTSIDE: [(&str, &[&str]); 9] = [
    ("std::fs", &["capture", "cli"]),
    ("std::env", &["capture", "cli"]),
    ("std::process", &["cli", "main"]),
    ("std::thread", &["capture", "analyzer/shards", "cli"]),
    ("TcpStream", &[]),
    ("TcpListener", &[]),
    ("UdpSocket", &[]),
    ("Instant::now", &["cli"]),
    ("SystemTime::now", &["cli"]),
];

/// A source file: its path under `src`, and its code without comments, literals' contents and tests.
struct Source {
    path: String,
    code: String,
    lines: usize,
}

impl Source {
    /// The first part of its path: `net` of `net/ip.rs`, `event` of `event.rs`.
    fn floor(&self) -> &str {
        self.path.split('/').next().unwrap().trim_end_matches(".rs")
    }

    /// Its module path within the crate: `["net", "ip"]`.
    fn module(&self) -> Vec<&str> {
        let path = self.path.trim_end_matches(".rs");
        path.split('/').filter(|part| *part != "mod").collect()
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    files.sort();
    assert!(files.len() > 40, "these are all");
    let source = |file: &PathBuf| {
        let text = std::fs::read_to_string(file).unwrap();
        let kept = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let path = file.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
        Source { path, code: code_of(kept), lines: kept.lines().count() }
    };
    files.iter().map(source).collect()
}

/// Rust files that are not tests.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let test = ["tests", "testing", "fixtures"].contains(&&*path.file_stem().unwrap().to_string_lossy());
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") && !test {
            files.push(path);
        }
    }
}

/// Code without line comments and without what strings say.
fn code_of(text: &str) -> String {
    let mut code = String::new();
    for line in text.lines() {
        let (mut quoted, mut escaped) = (false, false);
        let mut previous = ' ';
        for c in line.chars() {
            if !quoted && previous == '/' && c == '/' {
                code.pop();
                break;
            }
            if !quoted || (c == '"' && !escaped) {
                code.push(c);
            }
            if c == '"' && !escaped && !(previous == '\'' || previous == 'b' && line.contains("b'\"'")) {
                quoted = !quoted;
            }
            escaped = c == '\\' && !escaped;
            previous = c;
        }
        code.push('\n');
    }
    code
}

/// What stands behind `prefix` in paths of `code`: `a` and `b` of `crate::a::c` and `crate::{a::c, b}`.
fn names_behind(code: &str, prefix: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices(prefix) {
        if code[..at].ends_with(is_name) || code[..at].ends_with("::") {
            continue;
        }
        let rest = &code[at + prefix.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            names.insert(rest.chars().take_while(|c| is_name(*c)).collect());
            continue;
        };
        let (mut depth, mut fresh) = (0, true);
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => fresh = true,
                c if fresh && is_name(c) => {
                    names.insert(group[at..].chars().take_while(|c| is_name(*c)).collect());
                    fresh = false;
                }
                _ => {}
            }
        }
    }
    names
}

/// The floors that a file of the library names, by `crate::` or by climbing up with `super::`.
fn imports(source: &Source) -> BTreeSet<String> {
    let mut names = names_behind(&source.code, "crate::");
    let climb = "super::".repeat(source.module().len());
    names.extend(names_behind(&source.code, &climb));
    names.retain(|name| FLOORS.contains(&name.as_str()) || name == "cli");
    names
}

fn height(floor: &str) -> Option<usize> {
    FLOORS.iter().position(|known| *known == floor)
}

#[test]
fn floors_import_from_below_alone() {
    let mut seen = 0;
    for source in sources() {
        let floor = source.floor();
        if matches!(floor, "cli" | "main" | "lib") {
            continue;
        }
        let own = height(floor).unwrap_or_else(|| panic!("{}: no known floor", source.path));
        for name in imports(&source) {
            let other = height(&name).unwrap_or_else(|| panic!("{} imports {name}", source.path));
            assert!(other <= own, "{} imports {name}, which is above it", source.path);
            seen += usize::from(other < own);
        }
    }
    assert!(seen > 50, "imports are found: {seen}");
}

#[test]
fn ground_imports_nothing_of_ours() {
    for source in sources().iter().filter(|source| source.floor() == "types") {
        let names = imports(source);
        assert!(names.iter().all(|name| name == "types"), "{} imports {names:?}", source.path);
    }
}

#[test]
fn the_world_outside_has_its_homes() {
    for source in sources() {
        for (path, homes) in OUTSIDE {
            let group = path.strip_prefix("std::").map(|name| names_behind(&source.code, "std::").contains(name));
            let used = group.unwrap_or_else(|| source.code.contains(path));
            let at_home = |home: &str| source.floor() == home || source.path.starts_with(home);
            assert!(!used || homes.iter().any(|home| at_home(home)), "{} uses {path}", source.path);
        }
    }
}

#[test]
fn files_are_short() {
    for source in sources() {
        let path = source.path.as_str();
        assert!(TABLES.contains(&path) || source.lines <= MAX_LINES, "{} has {} lines", source.path, source.lines);
    }
}

#[test]
fn the_command_is_a_user_of_the_library() {
    for source in sources() {
        match source.floor() {
            "cli" | "main" => {
                let names = imports(&source);
                assert!(names.iter().all(|name| name == "cli"), "{} reaches for {names:?}", source.path);
                assert!(!source.code.contains("#[path"), "{}", source.path);
            }
            "lib" => assert!(!source.code.contains("mod cli"), "the command is not in the library"),
            _ => assert!(!source.code.contains("wslens::"), "{} imports itself by name", source.path),
        }
    }
    let main = sources().into_iter().find(|source| source.path == "main.rs").unwrap();
    let modules: Vec<_> = main.code.lines().filter(|line| line.contains("mod ")).collect();
    assert_eq!(modules, ["mod cli;"]);
}

#[test]
fn the_reader_of_sources_reads() {
    let code =
        code_of("use crate::a::b; // crate::comment\nlet s = \"crate::text\"; use crate::{c::{x, y}, d, e::*};\n");
    assert_eq!(names_behind(&code, "crate::").into_iter().collect::<Vec<_>>(), ["a", "c", "d", "e"]);
    let source =
        Source { path: "net/ip.rs".into(), code: code_of("use super::super::tcp::X;\nuse super::y;"), lines: 2 };
    assert_eq!((source.floor(), source.module()), ("net", vec!["net", "ip"]));
    assert_eq!(imports(&source).into_iter().collect::<Vec<_>>(), ["tcp"]);
}

//! The sources, read as far as their imports need it: no comments, no contents of strings, no tests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A source file of the package.
pub(super) struct Source {
    /// Its path under `src`.
    pub(super) path: String,
    /// Its code without comments, contents of strings and tests.
    pub(super) code: String,
    /// What it imports or names by a path from `crate`, `super`, `self`, `std` or a module of its own.
    pub(super) uses: Vec<Use>,
}

/// A path to a module or to something in it, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Use {
    pub(super) path: Vec<String>,
    /// The name that it has where it is imported.
    pub(super) alias: String,
    /// A `use`, which others may import from here; not a path within code.
    pub(super) import: bool,
}

impl Source {
    pub(super) fn new(path: &str, text: &str) -> Self {
        let code = code_of(text);
        Self { path: path.to_owned(), uses: uses(&code), code }
    }

    /// The first part of its path: `net` of `net/ip.rs`, `event` of `event.rs`.
    pub(super) fn layer(&self) -> &str {
        self.path.split('/').next().unwrap().trim_end_matches(".rs")
    }

    /// Its module path within the crate: `["net", "ip"]`; nothing for `lib.rs`.
    pub(super) fn module(&self) -> Vec<String> {
        let path = self.path.trim_end_matches(".rs");
        path.split('/').filter(|part| !["mod", "lib"].contains(part)).map(str::to_owned).collect()
    }
}

/// Where names are defined: the modules, and what they import and so hand on.
pub(super) struct Names {
    modules: BTreeMap<Vec<String>, Vec<Use>>,
}

impl Names {
    pub(super) fn of(sources: &[Source]) -> Self {
        Self { modules: sources.iter().map(|source| (source.module(), source.uses.clone())).collect() }
    }

    /// The module in which what `path` names, used in module `at`, is defined. `None` for what is not of this crate.
    pub(super) fn home(&self, at: &[String], path: &[String]) -> Option<Vec<String>> {
        let (mut module, mut name) = self.step(at, path)?;
        // Modules that hand on what others define: a door seldom imports from a door from a door.
        for _ in 0..5 {
            let Some(wanted) = &name else { break };
            let handed = self.modules.get(&module)?.iter().find(|used| used.import && used.alias == *wanted);
            let Some(next) = handed.and_then(|used| self.step(&module, &used.path)) else { break };
            if next.0 == module && next.1 == name {
                break;
            }
            (module, name) = next;
        }
        Some(module)
    }

    /// The module that a path names as written, and the name in it.
    fn step(&self, at: &[String], path: &[String]) -> Option<(Vec<String>, Option<String>)> {
        let mut rest = path.iter();
        let mut module = match rest.as_slice().first()?.as_str() {
            "crate" => rest.next().map(|_| Vec::new())?,
            "self" => rest.next().map(|_| at.to_vec())?,
            "super" => at.to_vec(),
            first => self.modules.contains_key(&[at, &[first.to_owned()]].concat()).then(|| at.to_vec())?,
        };
        while rest.as_slice().first().is_some_and(|part| part == "super") {
            module.pop()?;
            rest.next();
        }
        for part in rest {
            module.push(part.clone());
            if !self.modules.contains_key(&module) {
                return Some((module[..module.len() - 1].to_vec(), module.pop()));
            }
        }
        Some((module, None))
    }
}

/// All sources of the package, by path.
pub(super) fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    files.sort();
    assert!(files.len() > 100, "only {} source files are found", files.len());
    let source = |file: &PathBuf| {
        let path = file.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
        Source::new(&path, &std::fs::read_to_string(file).unwrap())
    };
    files.iter().map(source).collect()
}

/// Rust files that are not tests.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let test = ["tests", "testing", "fixtures", "build"].contains(&&*path.file_stem().unwrap().to_string_lossy());
        if path.is_dir() && !test {
            walk(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") && !test {
            files.push(path);
        }
    }
}

/// Code without line comments, contents of strings, and what only tests and documentation import.
fn code_of(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let mut code = String::new();
    let mut only_for_tests = false;
    for line in text.lines() {
        let trimmed = line.trim();
        if only_for_tests {
            only_for_tests = !trimmed.ends_with([';', '}']);
        } else if ["#[cfg(test)]", "#[cfg(doc)]"].contains(&trimmed) {
            only_for_tests = true;
        } else {
            push_line(&mut code, line);
        }
    }
    code
}

fn push_line(code: &mut String, line: &str) {
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

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The places at which a word begins.
fn words<'c>(code: &'c str, word: &'c str) -> impl Iterator<Item = usize> + 'c {
    code.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let (before, after) = (&code[..*at], &code[at + word.len()..]);
        !before.ends_with(is_name) && !before.ends_with("::") && !after.starts_with(is_name)
    })
}

fn uses(code: &str) -> Vec<Use> {
    let (mut uses, mut rest) = (Vec::new(), String::new());
    let mut end = 0;
    for at in words(code, "use").filter(|at| code[at + 3..].starts_with(' ')) {
        if let Some(len) = code[at..].find(';').filter(|_| at >= end) {
            rest += &code[end..at];
            end = at + len;
            expand(&code[at + 4..end], &[], &mut uses);
        }
    }
    rest += &code[end..];
    for root in ["crate", "super", "self", "std"] {
        for at in words(&rest, root) {
            let text: String = rest[at..].chars().take_while(|c| is_name(*c) || *c == ':').collect();
            let path: Vec<_> = text.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
            if path.len() > 1 {
                uses.push(Use { alias: path.last().unwrap().clone(), path, import: false });
            }
        }
    }
    uses
}

/// The paths of a tree of imports: `a::{b, c::d as e}`.
fn expand(tree: &str, before: &[String], uses: &mut Vec<Use>) {
    let tree = tree.trim();
    let (path, group) = tree.split_once('{').map_or((tree, None), |(path, group)| (path, Some(group)));
    let (path, alias) = path.split_once(" as ").map_or((path, None), |(path, alias)| (path, Some(alias.trim())));
    let parts = path.split("::").map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned);
    let mut path: Vec<_> = before.iter().cloned().chain(parts).collect();
    if let Some(group) = group {
        let group = group.trim_end().strip_suffix('}').unwrap_or(group);
        return branches(group).iter().for_each(|branch| expand(branch, &path, uses));
    }
    // `a::{self}` is `a`.
    if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    if let Some(last) = path.last().cloned() {
        uses.push(Use { alias: alias.unwrap_or(&last).to_owned(), path, import: true });
    }
}

/// The parts between commas that are in no inner braces.
fn branches(group: &str) -> Vec<String> {
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        match c {
            ',' if depth == 0 => parts.push(String::new()),
            c => parts.last_mut().unwrap().push(c),
        }
    }
    parts.retain(|part| !part.trim().is_empty());
    parts
}

#[test]
fn sources_are_read() {
    let text = "use crate::{a::b, c::{x, y as z, self}}; // crate::comment\nlet s = \"crate::text\"; super::d::e();\n\
        #[cfg(test)]\nuse crate::for_tests;\nfn f(x: crate::g::H) { std::fs::read(x) }\n";
    let source = Source::new("net/ip.rs", text);
    assert_eq!((source.layer(), source.module().join("::").as_str()), ("net", "net::ip"));
    let shown: Vec<_> = source.uses.iter().map(|used| format!("{} as {}", used.path.join("::"), used.alias)).collect();
    let imported = ["crate::a::b as b", "crate::c::x as x", "crate::c::y as z", "crate::c as c"];
    assert_eq!(shown, [&imported[..], &["crate::g::H as H", "super::d::e as e", "std::fs::read as read"]].concat());
}

#[test]
fn names_are_found_where_they_are_defined() {
    let sources = [
        Source::new("lib.rs", ""),
        Source::new("a/mod.rs", "pub use b::Inner as Outer;\npub struct Here;"),
        Source::new("a/b.rs", "pub struct Inner;"),
        Source::new("c.rs", "use crate::a::{Outer, Here};"),
    ];
    let names = Names::of(&sources);
    let home = |at: &str, path: &str| {
        let parts =
            |text: &str| text.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>();
        names.home(&parts(at), &parts(path)).map(|home| home.join("::"))
    };
    assert_eq!(home("c", "crate::a::Outer").as_deref(), Some("a::b"));
    assert_eq!(home("c", "crate::a::Here").as_deref(), Some("a"));
    assert_eq!(home("a::b", "super::super::c::X").as_deref(), Some("c"));
    assert_eq!(home("a", "b::Inner").as_deref(), Some("a::b"));
    assert_eq!(home("c", "std::fs::read"), None);
}

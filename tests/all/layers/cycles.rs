//! Circles of imports. Within a folder, a file and the folder of its name are one; `mod.rs` is left out, because it names
//! its own files and they name it.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Names, Source};

/// For each folder, which of its files import from which others.
type Imports = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// The circles of all folders, one a line: the folder, and the files that import from each other.
pub(super) fn cycles(sources: &[Source]) -> Vec<String> {
    let imports = imports(sources);
    let circles = |(folder, files): (&String, &BTreeMap<String, BTreeSet<String>>)| {
        let mut circles = BTreeSet::new();
        for file in files.keys() {
            let circle: Vec<_> =
                reached(files, file).into_iter().filter(|other| reached(files, other).contains(file)).collect();
            if !circle.is_empty() {
                circles.insert(format!("{folder}: {}", circle.join(" ")));
            }
        }
        circles
    };
    imports.iter().flat_map(circles).collect()
}

fn imports(sources: &[Source]) -> Imports {
    let names = Names::of(sources);
    let mut imports = Imports::new();
    for source in sources {
        let module = source.module();
        for home in source.uses.iter().filter_map(|used| names.home(&module, &used.path)) {
            let depth = module.iter().zip(&home).take_while(|(one, other)| one == other).count();
            if let (Some(from), Some(to)) = (module.get(depth), home.get(depth)) {
                let folder = imports.entry(module[..depth].join("/")).or_default();
                folder.entry(from.clone()).or_default().insert(to.clone());
            }
        }
    }
    imports
}

/// All that a file imports, directly or through others.
fn reached(imports: &BTreeMap<String, BTreeSet<String>>, file: &str) -> BTreeSet<String> {
    let (mut reached, mut next) = (BTreeSet::new(), vec![file]);
    while let Some(file) = next.pop() {
        for other in imports.get(file).into_iter().flatten() {
            if reached.insert(other.clone()) {
                next.push(other);
            }
        }
    }
    reached
}

#[test]
fn circles_are_found() {
    let source = |path, text| Source::new(path, text);
    let sources = [
        source("lib.rs", "mod a;"),
        source("a/mod.rs", "pub use b::B;\npub use c::C;"),
        // Through the door, by the name that the door gives it.
        source("a/b.rs", "use super::C;\nuse crate::z::Z;"),
        source("a/c/inner.rs", "use crate::a::b::B;"),
        source("a/c.rs", "use super::d::D;"),
        source("a/d.rs", ""),
        source("z.rs", ""),
    ];
    assert_eq!(cycles(&sources), ["a: b c"]);
    assert_eq!(cycles(&sources[..3]), [""; 0]);
}

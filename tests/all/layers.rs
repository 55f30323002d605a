//! A layer imports only from the layers before it, files of a folder import from each other without circles, and few layers
//! reach outside the program. Cargo cannot see this inside one package, so the sources are read.

mod cycles;
mod source;

use std::collections::BTreeSet;

use source::{Names, Source, sources};

/// In the order in which data flows; later ones may use earlier ones.
const LAYERS: [&str; 14] = [
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
/// Paths of the standard library that reach outside the program, and the layers, or files in them, that may.
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

/// The layers that a file names.
fn imports(source: &Source, names: &Names) -> BTreeSet<String> {
    let module = source.module();
    let homes = source.uses.iter().filter_map(|used| names.home(&module, &used.path));
    homes.filter_map(|home| home.into_iter().next()).collect()
}

fn position(layer: &str) -> Option<usize> {
    LAYERS.iter().position(|known| *known == layer)
}

#[test]
fn layers_import_from_earlier_ones_only() {
    let sources = sources();
    let names = Names::of(&sources);
    let mut seen = 0;
    for source in &sources {
        let layer = source.layer();
        if matches!(layer, "cli" | "main" | "lib") {
            continue;
        }
        let own = position(layer).unwrap_or_else(|| panic!("{}: no known layer", source.path));
        for name in imports(source, &names) {
            let other = position(&name).unwrap_or_else(|| panic!("{} imports {name}", source.path));
            assert!(other <= own, "{} imports {name}, which is a later layer", source.path);
            seen += usize::from(other < own);
        }
    }
    assert!(seen > 150, "only {seen} imports are found");
}

#[test]
fn types_imports_no_other_layer() {
    let sources = sources();
    let names = Names::of(&sources);
    for source in sources.iter().filter(|source| source.layer() == "types") {
        let imports = imports(source, &names);
        assert!(imports.iter().all(|name| name == "types"), "{} imports {imports:?}", source.path);
    }
}

#[test]
fn files_of_a_folder_import_from_each_other_without_circles() {
    let circles = cycles::cycles(&sources());
    assert!(circles.is_empty(), "{circles:?}");
}

#[test]
fn few_layers_reach_outside_the_program() {
    for source in sources() {
        for (path, homes) in OUTSIDE {
            let of_std = |used: &source::Use| used.path.join("::").starts_with(path);
            let used = source.uses.iter().any(of_std) || !path.starts_with("std::") && source.code.contains(path);
            let at_home = |home: &str| source.layer() == home || source.path.starts_with(home);
            assert!(!used || homes.iter().any(|home| at_home(home)), "{} uses {path}", source.path);
        }
    }
}

#[test]
fn the_command_is_a_user_of_the_library() {
    let sources = sources();
    let names = Names::of(&sources);
    for source in &sources {
        match source.layer() {
            "cli" | "main" => {
                let imports = imports(source, &names);
                assert!(imports.iter().all(|name| name == "cli"), "{} imports {imports:?}", source.path);
                assert!(!source.code.contains("#[path"), "{}", source.path);
            }
            "lib" => assert!(!source.code.contains("mod cli"), "the command is not in the library"),
            _ => assert!(!source.code.contains("wslens::"), "{} imports itself by name", source.path),
        }
    }
    let main = sources.iter().find(|source| source.path == "main.rs").unwrap();
    let modules: Vec<_> = main.code.lines().filter(|line| line.contains("mod ")).collect();
    assert_eq!(modules, ["mod cli;"]);
}

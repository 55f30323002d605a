//! The recipe for an exporter: `examples/exporter.rs` does what CONTRIBUTING.md says, and is what it quotes.

#[path = "../../examples/exporter.rs"]
#[expect(dead_code, unreachable_pub, reason = "an example has a main of its own")]
mod example;

use wslens::output::Secrets;

#[test]
fn the_example_writes_a_table_of_connections() {
    let mut written = Vec::new();
    let capture = concat!(env!("CARGO_MANIFEST_DIR"), "/samples/first-look/capture.pcap");
    example::export(capture, example::Markdown::new(&mut written, Secrets::Redact)).unwrap();
    let written = String::from_utf8(written).unwrap();
    let lines: Vec<_> = written.lines().collect();
    assert_eq!(lines[0], "| connection | server | target | outcome | messages |");
    assert!(lines.contains(&"| 0 | 10.77.0.2:8082 | /page/deflate | closed | 21 |"), "{written}");
    assert_eq!(lines.last(), Some(&"5 connections in 147 packets"));
}

#[test]
fn contributing_quotes_the_example() {
    let guide = include_str!("../../CONTRIBUTING.md");
    let (_, recipe) = guide.split_once("## Add an exporter").expect("a recipe");
    let (_, quoted) = recipe.split_once("```rust\n").expect("code");
    let (quoted, _) = quoted.split_once("   ```").expect("its end");
    // It stands in a list.
    let quoted: String =
        quoted.lines().map(|line| line.strip_prefix("   ").unwrap_or(line).to_owned() + "\n").collect();
    let example = include_str!("../../examples/exporter.rs");
    assert!(example.contains(&quoted), "not in examples/exporter.rs:\n{quoted}");
}

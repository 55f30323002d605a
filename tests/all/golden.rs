//! What wslens prints for each sample, byte for byte, in `tests/golden/`: files that a user could read. Run with
//! `WSLENS_BLESS=1` to write them anew; their diff is to be read like code.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use wslens::types::FindingCode;

use super::support::{Sample, file_name, folder, in_parallel, key_log, record_file, samples};

/// What is printed of each sample, and the ending of the file it is kept in.
const ALWAYS: [(&str, &[&str]); 2] = [("txt", &[]), ("jsonl", &["--report", "json"])];
const FOLLOW: (&str, &[&str]) = ("follow.txt", &["--follow"]);
const CONNECTIONS: (&str, &[&str]) = ("connections.csv", &["--connections", "-", "--format", "csv"]);
const FRAMES: (&str, &[&str]) = ("frames.csv", &["--frames", "-", "--format", "csv"]);
const MESSAGES: (&str, &[&str]) = ("messages.csv", &["--messages", "-", "--format", "csv"]);
const MESSAGES_FULL: (&str, &[&str]) =
    ("messages.ndjson", &["--messages", "-", "--format", "ndjson", "--payload", "full"]);
const FINDINGS: (&str, &[&str]) = ("findings.csv", &["--findings", "-", "--format", "csv"]);

/// What else is printed of some.
fn more(sample: &str) -> &'static [(&'static str, &'static [&'static str])] {
    match sample {
        "first-look" => &[FOLLOW, CONNECTIONS, MESSAGES],
        "mqtt-handshake" => &[FOLLOW, CONNECTIONS, FRAMES, MESSAGES, MESSAGES_FULL],
        "graphql-ws" | "stomp" | "socketio" | "json-rpc" => &[FOLLOW],
        "frame-violations" | "deflate-violations" | "oddities" => &[FOLLOW, FRAMES, MESSAGES, FINDINGS],
        "handshake-violations" | "gap" | "snaplen" => &[CONNECTIONS, FINDINGS],
        "refused" | "closes" | "wrong-answers" => &[CONNECTIONS],
        "fragmented" => &[FRAMES],
        "deflate" => &[MESSAGES],
        _ => &[],
    }
}

#[test]
fn each_sample_prints_what_it_did() {
    let samples = samples();
    in_parallel(&samples, |sample| {
        for (ending, options) in ALWAYS.iter().chain(more(&sample.name)) {
            check(sample, ending, &run(sample, options));
        }
    });
    let known = |path: &PathBuf| {
        let name = file_name(path);
        let (sample, ending) = name.split_once('.').unwrap_or_default();
        samples.iter().any(|other| other.name == sample)
            && ALWAYS.iter().chain(more(sample)).any(|(other, _)| *other == ending)
    };
    let files = folder(Path::new("tests/golden")).into_iter().filter(|path| path.is_file());
    let strangers: Vec<_> = files.filter(|path| !known(path)).collect();
    assert!(strangers.is_empty(), "{strangers:?} are of no sample");
}

fn run(sample: &Sample, options: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wslens"));
    command.arg("read").arg(&sample.capture).args(options);
    if let Some(keys) = key_log(&sample.capture) {
        command.arg("--keylog").arg(keys);
    }
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} {options:?}: {stderr}", sample.name);
    // Only a file that is cut off is something to talk about.
    assert_eq!(stderr.is_empty(), sample.name != "cut-file", "{}: {stderr}", sample.name);
    String::from_utf8(output.stdout).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a test's own switch")]
fn check(sample: &Sample, ending: &str, printed: &str) {
    let path = Path::new("tests/golden").join(format!("{}.{ending}", sample.name));
    if std::env::var("WSLENS_BLESS").is_ok_and(|value| value == "1") {
        std::fs::write(&path, printed).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let line = printed.lines().zip(expected.lines()).position(|(one, other)| one != other);
    let line = line.unwrap_or_else(|| printed.lines().count().min(expected.lines().count()));
    let at = |text: &str| text.lines().nth(line).unwrap_or("(nothing)").to_owned();
    assert!(
        printed == expected,
        "{}, line {}: {}\ninstead of: {}\nIf that is right, run with WSLENS_BLESS=1.",
        path.display(),
        line + 1,
        at(printed),
        at(&expected)
    );
}

/// Findings that nothing makes yet.
const NOT_YET: [FindingCode; 6] = [
    FindingCode::CrossOrigin,
    FindingCode::CleartextCredentials,
    FindingCode::TokenInUrl,
    FindingCode::MaskingKeyWeak,
    FindingCode::TunnelDetected,
    FindingCode::TlsRecordRejected,
];

#[test]
fn each_finding_is_in_some_sample() {
    let found: BTreeSet<_> = samples().iter().flat_map(|sample| record_file(&sample.capture).codes()).collect();
    for code in FindingCode::ALL {
        assert_eq!(found.contains(code.as_str()), !NOT_YET.contains(&code), "{}", code.as_str());
    }
}

/// In the crafted samples the request target names what is found in that connection, or says that nothing is wrong.
#[test]
fn crafted_samples_find_what_they_say() {
    for name in ["frame-violations", "handshake-violations", "deflate-violations", "oddities"] {
        let sample = samples().into_iter().find(|sample| sample.name == name).unwrap();
        let recorder = record_file(&sample.capture);
        for record in &recorder.handshakes {
            let target = &record.handshake.request.as_ref().unwrap().target;
            let expected = target.split('/').nth(1).unwrap();
            let codes: Vec<_> = recorder
                .findings
                .iter()
                .filter(|found| found.connection == record.connection)
                .map(|found| found.code)
                .collect();
            match FindingCode::from_name(expected.trim_end_matches("_in_a_fragment")) {
                Some(code) => assert!(codes.contains(&code.as_str()), "{name} {target}: {codes:?}"),
                None => assert_eq!(codes, [""; 0], "{name} {target}"),
            }
        }
    }
}

/// Each sample has a README that says how to see it, and `samples/README.md` names each.
#[test]
fn each_sample_is_described() {
    let index = std::fs::read_to_string("samples/README.md").unwrap();
    for sample in samples() {
        let text = std::fs::read_to_string(format!("samples/{}/README.md", sample.name)).unwrap_or_default();
        let command = format!("wslens {}", sample.capture.display());
        assert!(text.starts_with("# ") && text.contains("**From:**"), "{}", sample.name);
        assert!(text.contains(&command), "{}: {command} is not there", sample.name);
        assert!(index.contains(&format!("]({}/)", sample.name)), "{} is not in samples/README.md", sample.name);
    }
}

/// The scripts write the captures that lie beside them.
#[test]
fn crafted_samples_are_what_their_scripts_write() {
    if Command::new("python3").arg("--version").output().is_err() {
        super::common::skip::skip("the program python3");
        return;
    }
    let scripted: Vec<_> = samples().into_iter().filter(|sample| script(sample).is_file()).collect();
    assert_eq!(scripted.len(), 6);
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy("samples/craft.py", folder.path().join("craft.py")).unwrap();
    for sample in scripted {
        let copy = folder.path().join(&sample.name);
        std::fs::create_dir(&copy).unwrap();
        std::fs::copy(script(&sample), copy.join("make.py")).unwrap();
        let output = Command::new("python3").arg("-B").arg(copy.join("make.py")).output().unwrap();
        assert!(output.status.success(), "{}: {}", sample.name, String::from_utf8_lossy(&output.stderr));
        assert!(std::fs::read(copy.join("capture.pcap")).unwrap() == sample.bytes(), "{} differs", sample.name);
    }
}

fn script(sample: &Sample) -> PathBuf {
    sample.capture.with_file_name("make.py")
}

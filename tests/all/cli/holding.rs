//! Outputs hold: whatever ends a run, what was written before is whole rows, and who is to know is told.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::super::command::{Folder, command, signal as send_signal};
use crate::common::{CLIENT, Capture, Conversation, Frame, Reply, SERVER, Upgrade, pcap_head, pcap_record};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// What can be written, and how it is asked for; `{}` is where to.
const OUTPUTS: [(&str, &[&str]); 11] = [
    ("connections.csv", &["--connections", "{}"]),
    ("connections.ndjson", &["--connections", "{}"]),
    ("frames.csv", &["--frames", "{}"]),
    ("frames.ndjson", &["--frames", "{}"]),
    ("messages.csv", &["--messages", "{}"]),
    ("messages.ndjson", &["--messages", "{}", "--payload", "full"]),
    ("findings.csv", &["--findings", "{}"]),
    ("findings.ndjson", &["--findings", "{}"]),
    ("report.txt", &["--report", "text"]),
    ("report.jsonl", &["--report", "json"]),
    ("follow.txt", &["--follow"]),
];

/// Enough of everything: frames, messages, findings and connections.
fn large_capture() -> Capture {
    let talks = (0..300_u16).map(|number| {
        let mut talk = Conversation::from_port(20_000 + number);
        talk.wait_ms(i64::from(number) * 50).connect();
        talk.client(Upgrade::new().bytes()).server(Reply::new().bytes());
        for _ in 0..5 {
            talk.client_frame(Frame::text("not masked, which is a finding").unmasked());
        }
        talk.close().fin(CLIENT).fin(SERVER).capture()
    });
    Capture::merge(talks)
}

/// Runs the command with one output at `path`, through a shell that first says `before`.
fn run_to(folder: &Folder, (name, options): (&str, &[&str]), path: &Path, before: &str) -> (Option<i32>, String) {
    let mut line = format!("{before} exec {} read talk.pcap", env!("CARGO_BIN_EXE_wslens"));
    for option in options {
        line += &format!(" {}", option.replace("{}", &path.join(name).display().to_string()));
    }
    if !options.contains(&"{}") {
        line += &format!(" > {}", path.join(name).display());
    } else {
        line += " --report none";
    }
    let output = Command::new("sh").args(["-c", &line]).current_dir(folder.path()).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// Every output onto a medium that takes only some of it.
fn half_way(medium: &Path, before: &str, words: &str) {
    let folder = Folder::of(&large_capture());
    for output in OUTPUTS {
        let (status, stderr) = run_to(&folder, output, folder.path(), "");
        assert_eq!((status, stderr.as_str()), (Some(0), ""), "{output:?}");
        let whole = folder.text(output.0);
        let (status, stderr) = run_to(&folder, output, medium, before);
        let part = std::fs::read_to_string(medium.join(output.0)).unwrap();
        std::fs::remove_file(medium.join(output.0)).unwrap();
        assert_eq!(status, Some(2), "{output:?}: {stderr}");
        let name = if output.1.contains(&"{}") { output.0 } else { "standard output" };
        assert!(stderr.contains(name) && stderr.contains(words), "{output:?}: {stderr}");
        assert!(stderr.contains("it has complete rows only"), "{output:?}: {stderr}");
        assert!(!part.is_empty() && part.len() < whole.len(), "{output:?}: {} of {}", part.len(), whole.len());
        assert!(whole.starts_with(&part) && part.ends_with('\n'), "{output:?}: {:?}", part.lines().last());
    }
}

#[test]
fn a_limit_on_a_file_s_size() {
    let folder = Folder::new();
    // In blocks of 512 bytes, so that most outputs are cut in the middle of a row.
    half_way(folder.path(), "ulimit -f 75;", "File too large");
}

/// A file system of its own; taken away again at the end.
struct Mounted(PathBuf);

impl Mounted {
    /// Nothing where this user may not.
    fn new(folder: &Folder, options: &str) -> Option<Self> {
        let path = folder.path().join("mounted");
        std::fs::create_dir(&path).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "wslens-test"]).arg(&path).stderr(Stdio::null());
        if mount.status().is_ok_and(|status| status.success()) {
            return Some(Self(path));
        }
        super::super::common::skip::skip("a right to mount file systems");
        None
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_disk_that_gets_full() {
    let folder = Folder::new();
    if let Some(mounted) = Mounted::new(&folder, "size=36k") {
        half_way(&mounted.0, "", "No space left");
    }
}

#[test]
fn a_folder_that_cannot_be_written() {
    let folder = Folder::new();
    let Some(mounted) = Mounted::new(&folder, "ro,size=36k") else { return };
    let talk = Folder::of(&large_capture());
    for (name, options) in OUTPUTS.iter().filter(|(_, options)| options.contains(&"{}")) {
        let (status, stderr) = run_to(&talk, (name, options), &mounted.0, "");
        assert_eq!(status, Some(2), "{stderr}");
        assert!(stderr.contains(name) && stderr.contains("Read-only"), "{stderr}");
    }
}

#[test]
fn the_temporary_file_of_the_report_is_told_apart() {
    let folder = Folder::of(&large_capture());
    let Some(mounted) = Mounted::new(&folder, "size=36k") else { return };
    // 20 times the capture: more reports than wait in memory.
    let args = vec!["talk.pcap"; 20];
    let run = command().current_dir(folder.path()).arg("read").args(args).env("TMPDIR", &mounted.0).output().unwrap();
    let stderr = String::from_utf8(run.stderr).unwrap();
    assert_eq!(run.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("temporary file") && stderr.contains("No space left"), "{stderr}");
}

#[test]
fn other_outputs_are_written_on_when_a_pipe_is_closed() {
    let folder = Folder::of(&large_capture());
    let tables = ["--frames", "frames.csv", "--findings", "findings.ndjson"];
    folder.run(["talk.pcap"].into_iter().chain(tables)).ok();
    let whole = (folder.get("frames.csv"), folder.get("findings.ndjson"));
    for stdout in [&["--follow"][..], &["--report", "json"], &["--messages", "-"], &["--report", "text"]] {
        let mut command = command();
        command.current_dir(folder.path()).arg("talk.pcap").args(tables).args(stdout);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{stdout:?}");
        assert!((folder.get("frames.csv"), folder.get("findings.ndjson")) == whole, "{stdout:?}");
    }
}

#[test]
fn an_output_that_fails_leaves_the_others_whole_rows() {
    let folder = Folder::of(&large_capture());
    folder.run(["talk.pcap", "--messages", "all.csv"]).ok();
    let run = folder.run(["talk.pcap", "--frames", "/dev/full", "--format", "csv", "--messages", "messages.csv"]);
    run.fails(&["/dev/full", "No space left"]);
    let (part, all) = (folder.text("messages.csv"), folder.text("all.csv"));
    assert!(part.lines().count() > 10 && part.ends_with('\n') && all.starts_with(&part), "{}", part.len());
}

/// A run that reads from a pipe as long as it is fed.
struct Fed {
    child: Child,
    feeder: thread::JoinHandle<()>,
}

impl Fed {
    /// Feeds it one endless conversation.
    fn start(folder: &Folder, args: &[&str]) -> Self {
        let mut child = command()
            .current_dir(folder.path())
            .args(["read", "-"])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let feeder = thread::spawn(move || {
            let mut talk = Conversation::open();
            if stdin.write_all(&pcap_head()).is_err() {
                return;
            }
            loop {
                let packets: Vec<u8> = talk.capture().packets.iter().flat_map(pcap_record).collect();
                talk.forget();
                if stdin.write_all(&packets).is_err() {
                    return;
                }
                for _ in 0..100 {
                    talk.client_frame(Frame::text("again and again"));
                }
            }
        });
        Self { child, feeder }
    }

    /// Waits until the file has so many bytes, and sends the signal.
    fn kill(mut self, file: &Path, bytes: u64, signal: Signal) -> (std::process::ExitStatus, String) {
        let begun = Instant::now();
        while std::fs::metadata(file).map_or(0, |about| about.len()) < bytes {
            assert!(begun.elapsed() < PATIENCE, "nothing is written");
            thread::sleep(Duration::from_millis(1));
        }
        send_signal(&self.child, signal);
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let status = self.child.wait().unwrap();
        self.feeder.join().unwrap();
        (status, stderr)
    }
}

#[test]
fn a_run_that_is_told_to_end_leaves_whole_rows_and_says_so() {
    for (signal, name, ends) in [(Signal::TERM, "SIGTERM", (Some(2), None)), (Signal::INT, "SIGINT", (None, Some(2)))] {
        let folder = Folder::new();
        let run = Fed::start(&folder, &["--frames", "f.csv", "--messages", "m.ndjson"]);
        let (status, stderr) = run.kill(&folder.path().join("f.csv"), 300_000, signal);
        assert_eq!((status.code(), status.signal()), ends, "{stderr}");
        assert!(stderr.contains(name) && stderr.contains("complete rows"), "{stderr}");
        let (frames, messages) = (folder.text("f.csv"), folder.text("m.ndjson"));
        assert!(frames.ends_with('\n') && messages.ends_with('\n'));
        let rows = csv::Reader::from_reader(frames.as_bytes()).records().inspect(|row| assert!(row.is_ok())).count();
        let is_row = |line: &&str| serde_json::from_str::<serde_json::Value>(line).is_ok();
        let objects = messages.lines().inspect(|line| assert!(is_row(line))).count();
        // Every packet that was read is in both.
        assert_eq!(rows, objects);
    }
}

/// Nothing can be caught here; but rows are handed to the system in blocks of whole rows, so that only a block that is
/// just being written can be cut, and the system cuts at pages.
#[test]
fn a_run_that_is_killed_leaves_whole_rows_or_a_page_s_border() {
    for turn in 0..5 {
        let folder = Folder::new();
        let run = Fed::start(&folder, &["--frames", "f.csv", "--messages", "m.ndjson"]);
        let (status, _) = run.kill(&folder.path().join("f.csv"), 100_000 + turn * 150_000, Signal::KILL);
        assert_eq!(status.signal(), Some(9));
        for name in ["f.csv", "m.ndjson"] {
            let text = folder.text(name);
            assert!(text.ends_with('\n') || text.len().is_multiple_of(4096), "{name}: {:?}", text.lines().last());
        }
    }
}

#[test]
fn a_run_that_waits_for_input_ends_when_it_is_told_to() {
    for (signal, ends) in [(Signal::TERM, (Some(2), None)), (Signal::INT, (None, Some(2)))] {
        for fed in [&pcap_head()[..], &[]] {
            let folder = Folder::new();
            let mut child = command()
                .args(["read", "-", "--frames"])
                .arg(folder.path().join("f.csv"))
                .stdin(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let mut stdin = child.stdin.take().unwrap();
            stdin.write_all(fed).unwrap();
            while !folder.path().join("f.csv").exists() {
                thread::sleep(Duration::from_millis(5));
            }
            // The handlers are there right after the outputs are.
            thread::sleep(Duration::from_millis(300));
            send_signal(&child, signal);
            let said = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok).collect::<String>();
            let status = child.wait().unwrap();
            assert_eq!((status.code(), status.signal()), ends, "{said}");
            assert!(said.contains("ended by SIG"), "{said}");
        }
    }
}

#[test]
fn a_full_standard_output_says_so_whatever_is_printed() {
    if File::open("/dev/full").is_err() {
        super::super::common::skip::skip("/dev/full");
        return;
    }
    for args in [&["explain"][..], &["man"], &["completions", "bash"], &["--help"], &["--version"]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let run = command().args(args).stdout(full).output().unwrap();
        assert_eq!(run.status.code(), Some(2), "{args:?}: {}", String::from_utf8_lossy(&run.stderr));
    }
}

//! The command as users meet it: arguments, exit status, what goes where.

#[cfg(unix)]
mod holding;
mod hostile;
mod input;
mod outputs;
mod tables;

use std::io::Read;
use std::process::Stdio;

use wslens::types::FindingCode;

use super::command::{Folder, command, finish, small_capture, wslens};
use crate::common::{CLIENT, Capture, Conversation, Frame, Reply, SERVER, Upgrade};

/// A capture whose worst finding is that.
fn with_worst(severity: &str) -> Capture {
    let mut talk = match severity {
        "warning" => Conversation::upgraded(&Upgrade::new(), &Reply::status(200)),
        _ => Conversation::open(),
    };
    match severity {
        "error" => talk.client_frame(Frame::text("x").unmasked()).close(),
        "note" => talk.client_frame(Frame::pong("x")).close(),
        "none" => talk.client_frame(Frame::text("x")).close(),
        _ => talk.fin(SERVER).fin(CLIENT),
    };
    talk.capture()
}

#[test]
fn fail_on_each_severity() {
    for (worst, fails) in [("error", 3), ("warning", 2), ("note", 1), ("none", 0)] {
        let folder = Folder::of(&with_worst(worst));
        folder.run(["talk.pcap"]).ok();
        for (level, least) in [("error", 3), ("warning", 2), ("note", 1)] {
            let run = folder.run(["talk.pcap", "--fail-on", level]);
            assert_eq!(run.status, Some(i32::from(fails >= least)), "{worst} and --fail-on {level}: {}", run.stderr);
            assert!(!run.stdout.is_empty(), "the report is there all the same");
        }
        // Whatever is printed.
        let run = folder.run(["talk.pcap", "--fail-on", "note", "--report", "none"]);
        assert_eq!((run.status, run.text()), (Some(i32::from(fails >= 1)), ""));
    }
}

#[test]
fn a_file_in_place_of_a_command_is_read() {
    let folder = Folder::of(&small_capture());
    let read = folder.run(["read", "talk.pcap"]).ok();
    assert!(read.text().contains("hello") || read.text().contains("10.0.0.1"));
    assert_eq!(folder.run(["talk.pcap"]), read);
    assert_eq!(folder.run(["./talk.pcap"]).stdout.is_empty(), read.stdout.is_empty());
    assert_eq!(folder.run(["read", "--report", "json", "talk.pcap"]), folder.run(["--report", "json", "talk.pcap"]));
    assert_eq!(folder.run(["talk.pcap", "--report", "json"]), folder.run(["--report", "json", "talk.pcap"]));
}

#[test]
fn wrong_usage_is_2_and_says_what() {
    let folder = Folder::of(&small_capture());
    folder.run(["--no-such-option", "talk.pcap"]).fails(&["--no-such-option"]);
    folder.run(["talk.pcap", "--report", "pdf"]).fails(&["--report", "pdf", "text", "json", "none"]);
    folder.run(["talk.pcap", "--fail-on", "never"]).fails(&["--fail-on", "error", "warning", "note"]);
    folder.run(["talk.pcap", "--payload", "some"]).fails(&["--payload", "preview"]);
    folder.run(["talk.pcap", "--max-memory", "lots"]).fails(&["--max-memory", "lots"]);
    folder.run(["talk.pcap", "--frames", "frames.xlsx"]).fails(&["frames.xlsx", ".csv", ".ndjson"]);
    folder.run(["talk.pcap", "--frames", "frames"]).fails(&["frames", ".csv", ".ndjson"]);
    folder.run(["read"]).fails(&["FILE"]);
    folder.run(["talk.pcap", "--frames", "-", "--messages", "-"]).fails(&["only one table", "`-`"]);
    folder.run(["talk.pcap", "--frames", "t.csv", "--messages", "t.csv"]).fails(&["t.csv"]);
    folder.run(["-", "talk.pcap", "-"]).fails(&["standard input"]);
    folder.run(["talk.pcap", "--follow=first"]).fails(&["--follow", "first"]);
    assert!(!folder.path().join("frames.xlsx").exists() && !folder.path().join("frames").exists());
}

#[test]
fn without_arguments_it_helps() {
    let run = wslens::<&str>([]);
    assert_eq!(run.status, Some(2));
    assert!(run.stderr.contains("Usage") && run.stderr.contains("read"), "{}", run.stderr);
}

#[test]
fn help_version_completions_manual() {
    let help = wslens(["--help"]).ok();
    for word in ["Usage", "read", "explain", "completions", "man", "Exit status"] {
        assert!(help.text().contains(word), "{word}");
    }
    let help = wslens(["read", "--help"]).ok();
    for option in [
        "--report",
        "--follow",
        "--connections",
        "--frames",
        "--messages",
        "--findings",
        "--format",
        "--payload",
        "--fail-on",
        "--show-secrets",
        "--capture",
        "--max-memory",
        "--color",
    ] {
        assert!(help.text().contains(option), "{option}");
    }
    assert!(!help.text().contains('\u{1b}'), "no colours into a pipe");
    assert_eq!(wslens(["--version"]).ok().text().trim(), concat!("wslens ", env!("CARGO_PKG_VERSION")));
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = wslens(["completions", shell]).ok();
        assert!(script.text().contains("wslens") && script.text().contains("show-secrets"), "{shell}");
    }
    wslens(["completions", "tcsh-from-1980"]).fails(&["bash", "fish"]);
    let manual = wslens(["man"]).ok();
    assert!(manual.text().contains(".TH wslens 1") && manual.text().contains("read"), "{}", manual.text());
}

#[test]
fn explain_every_code() {
    let all = wslens(["explain"]).ok();
    for code in FindingCode::ALL {
        let name = code.as_str();
        let one = wslens(["explain", name]).ok();
        for word in [name, code.severity().as_str(), code.reference()] {
            assert!(one.text().contains(word), "{name}: {word} is not in {}", one.text());
        }
        assert!(one.text().contains(code.explanation().sentence.split(' ').next().unwrap()), "{name}");
        assert!(all.text().contains(name), "{name} is not in the list");
    }
    wslens(["explain", "unmasked_client_frme"]).fails(&["unmasked_client_frme", "unmasked_client_frame"]);
    wslens(["explain", "nothing like it"]).fails(&["nothing like it", "unmasked_client_frame"]);
}

#[test]
fn a_closed_pipe_is_no_error() {
    let mut talk = Conversation::open();
    for _ in 0..3000 {
        talk.client_frame(Frame::text("many rows, so that they do not fit into the pipe"));
    }
    let folder = Folder::of(&talk.close().capture());
    for args in [&["--frames", "-", "--format", "csv"][..], &["--follow"], &["--messages", "-", "--format", "ndjson"]] {
        let mut child = command()
            .current_dir(folder.path())
            .arg("talk.pcap")
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = [0; 10];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
        assert_eq!(output.status.code(), Some(0), "{args:?}");
    }
}

#[test]
fn colours_only_where_they_are_wanted() {
    let folder = Folder::of(&with_worst("error"));
    let coloured = |run: super::command::Run| run.ok().text().contains('\u{1b}');
    assert!(!coloured(folder.run(["talk.pcap"])), "not into a pipe");
    assert!(coloured(folder.run(["talk.pcap", "--color", "always"])));
    assert!(!coloured(folder.run(["talk.pcap", "--color", "never"])));
    assert!(!coloured(folder.run(["talk.pcap", "--report", "json", "--color", "always"])), "JSON has no colours");
    assert!(coloured(folder.run(["talk.pcap", "--follow", "--color", "always"])));
    let asked =
        finish(command().current_dir(folder.path()).env("NO_COLOR", "1").args(["talk.pcap", "--color", "always"]), &[]);
    assert!(coloured(asked), "an option is stronger than the environment");
}

#[test]
fn a_terminal_gets_colours_unless_no_color_says_otherwise() {
    let folder = Folder::of(&with_worst("error"));
    let line = concat!(env!("CARGO_BIN_EXE_wslens"), " talk.pcap");
    let on_terminal = |name: &str, value: &str| {
        let mut script = std::process::Command::new("script");
        script.args(["-qec", line, "/dev/null"]).current_dir(folder.path());
        script.env_remove("NO_COLOR").env("TERM", "xterm-256color").env(name, value).stdin(Stdio::null());
        script.output().ok().map(|output| String::from_utf8_lossy(&output.stdout).contains('\u{1b}'))
    };
    let Some(coloured) = on_terminal("X", "") else {
        super::common::skip::skip("the program script, which makes a terminal");
        return;
    };
    assert!(coloured);
    assert_eq!(on_terminal("NO_COLOR", "1"), Some(false));
    assert_eq!(on_terminal("NO_COLOR", ""), Some(true), "an empty NO_COLOR says nothing (no-color.org)");
    assert_eq!(on_terminal("TERM", "dumb"), Some(false));
}

//! Where results go: standard output or files, and what happens if they cannot.

use std::fs::File;

use super::super::command::{Folder, command, finish, small_capture};
use crate::common::{CLIENT, Capture, Conversation, Frame, Reply, SERVER, Upgrade};

#[test]
fn a_table_on_standard_output_switches_the_report_off() {
    let folder = Folder::of(&small_capture());
    let run = folder.run(["talk.pcap", "--frames", "-", "--format", "csv"]).ok();
    assert!(run.text().starts_with("connection,uid,") && run.text().lines().all(|line| line.contains(',')));
    folder.run(["talk.pcap", "--frames", "frames.csv"]).ok();
    assert_eq!(folder.text("frames.csv"), run.text());
    // A table in a file does not.
    let report = folder.run(["talk.pcap"]).ok();
    assert_eq!(folder.run(["talk.pcap", "--frames", "frames.csv"]).ok().text(), report.text());
    assert!(!report.stdout.is_empty());
    assert_eq!(folder.run(["talk.pcap", "--report", "none"]).ok().text(), "");
}

#[test]
fn format_overrides_the_ending() {
    let folder = Folder::of(&small_capture());
    folder.run(["talk.pcap", "--messages", "m.csv", "--frames", "f.data", "--format", "ndjson"]).ok();
    for name in ["m.csv", "f.data"] {
        assert!(
            folder.text(name).lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()),
            "{name}"
        );
    }
    folder.run(["talk.pcap", "--messages", "M.NDJSON"]).ok();
    assert_eq!(folder.text("M.NDJSON"), folder.text("m.csv"));
    // A file that was there is written anew, not at its end.
    folder.run(["talk.pcap", "--messages", "M.NDJSON"]).ok();
    assert_eq!(folder.text("M.NDJSON"), folder.text("m.csv"));
}

#[test]
fn all_tables_in_one_run_are_those_of_single_runs() {
    let folder = Folder::of(&small_capture());
    let all = ["--connections", "c.csv", "--frames", "f.csv", "--messages", "m.csv", "--findings", "n.csv", "--follow"];
    let follow = folder.run(["talk.pcap"].into_iter().chain(all)).ok();
    assert_eq!(follow.text(), folder.run(["talk.pcap", "--follow"]).ok().text());
    for (option, name) in
        [("--connections", "c.csv"), ("--frames", "f.csv"), ("--messages", "m.csv"), ("--findings", "n.csv")]
    {
        let single = folder.run(["talk.pcap", option, "-", "--format", "csv"]).ok();
        assert_eq!(single.text(), folder.text(name), "{option}");
    }
}

#[test]
fn what_cannot_be_written_is_2_and_names_it() {
    let folder = Folder::of(&small_capture());
    folder.run(["talk.pcap", "--frames", "no/such/folder/f.csv"]).fails(&["no/such/folder/f.csv"]);
    std::fs::create_dir(folder.path().join("dir.csv")).unwrap();
    folder.run(["talk.pcap", "--frames", "dir.csv"]).fails(&["dir.csv"]);
    // As far as root may not either.
    folder.run(["talk.pcap", "--frames", "/proc/frames.csv"]).fails(&["/proc/frames.csv"]);
}

#[test]
fn a_full_disk_is_2_and_says_so() {
    if File::open("/dev/full").is_err() {
        super::super::common::skip::skip("/dev/full");
        return;
    }
    let folder = Folder::of(&small_capture());
    for table in ["--connections", "--frames", "--messages"] {
        for format in ["csv", "ndjson"] {
            folder.run(["talk.pcap", table, "/dev/full", "--format", format]).fails(&["/dev/full", "No space left"]);
        }
    }
    for args in [&["--report", "text"][..], &["--report", "json"], &["--follow"], &["--frames", "-", "--format", "csv"]]
    {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let status = command().current_dir(folder.path()).arg("talk.pcap").args(args).stdout(full).output().unwrap();
        let stderr = String::from_utf8_lossy(&status.stderr);
        assert!(status.status.code() == Some(2) && stderr.contains("No space left"), "{args:?}: {stderr}");
    }
}

#[test]
fn a_folder_that_is_read_only() {
    let folder = Folder::of(&small_capture());
    let locked = folder.path().join("locked");
    std::fs::create_dir(&locked).unwrap();
    let mut permissions = std::fs::metadata(&locked).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&locked, permissions).unwrap();
    if File::create(locked.join("probe")).is_ok() {
        super::super::common::skip::skip("a user who may not write into read-only folders");
        return;
    }
    folder.run(["talk.pcap", "--frames", "locked/f.csv"]).fails(&["locked/f.csv", "ermission"]);
}

#[test]
fn the_input_is_never_overwritten() {
    let folder = Folder::of(&small_capture());
    let run = folder.run(["talk.pcap", "--frames", "talk.pcap", "--format", "csv"]);
    run.fails(&["talk.pcap"]);
    folder.run(["talk.pcap", "--frames", "./talk.pcap", "--format", "csv"]).fails(&["talk.pcap"]);
    assert!(folder.get("talk.pcap") == small_capture().pcap());
}

#[test]
fn no_two_outputs_go_to_one_file() {
    let folder = Folder::of(&small_capture());
    folder.run(["talk.pcap", "--frames", "t.csv", "--messages", "t.csv"]).fails(&["--frames", "--messages", "t.csv"]);
    if cfg!(unix) {
        folder.run(["talk.pcap", "--frames", "t.csv", "--messages", "./t.csv"]).fails(&["./t.csv", "another output"]);
        let stdout = File::create(folder.path().join("s.csv")).unwrap();
        let mut command = command();
        command.current_dir(folder.path()).args(["talk.pcap", "--frames", "s.csv"]).stdout(stdout);
        let run = command.output().unwrap();
        assert_eq!(run.status.code(), Some(2), "{}", String::from_utf8_lossy(&run.stderr));
        // A device takes any number.
        let null = ["--frames", "/dev/null", "--messages", "/dev/null", "--format", "csv"];
        folder.run(["talk.pcap"].into_iter().chain(null)).ok();
    }
}

#[test]
fn nothing_is_created_if_the_input_is_missing() {
    let folder = Folder::new();
    folder.put("f.csv", "precious");
    folder.run(["missing.pcap", "--frames", "f.csv", "--messages", "m.csv"]).fails(&["missing.pcap"]);
    assert_eq!(folder.text("f.csv"), "precious");
    assert!(!folder.path().join("m.csv").exists());
}

#[test]
fn follow_one_or_all() {
    let mut other = Conversation::from_port(50_001);
    other.wait_ms(50).connect().client(Upgrade::new().bytes()).server(Reply::new().bytes());
    other.client_frame(Frame::text("question")).server_frame(Frame::text("answer")).close();
    let mut one = Conversation::open();
    one.client_frame(Frame::text("hello")).server_frame(Frame::text("hi")).close();
    let folder = Folder::of(&Capture::merge([one.capture(), other.capture()]));
    let all = folder.run(["talk.pcap", "--follow"]).ok();
    for word in ["hello", "hi", "question", "answer", "→", "←"] {
        assert!(all.text().contains(word), "{word}: {}", all.text());
    }
    let line = |word: &str| all.text().lines().find(|line| line.contains(word)).unwrap();
    assert!(line("question").contains('→') && line("answer").contains('←'));
    let second = folder.run(["talk.pcap", "--follow=1"]).ok();
    assert!(second.text().contains("question") && second.text().contains("answer"));
    assert!(!second.text().contains("hello"), "{}", second.text());
    let first = folder.run(["talk.pcap", "--follow=0"]).ok();
    assert!(first.text().contains("hello") && !first.text().contains("question"));
    // By its uid, too.
    let table = folder.run(["talk.pcap", "--connections", "-", "--format", "ndjson"]).ok();
    let row: serde_json::Value = serde_json::from_str(table.text().lines().last().unwrap()).unwrap();
    assert_eq!(row["connection"], 1);
    let by_uid = folder.run(["talk.pcap", &format!("--follow={}", row["uid"].as_str().unwrap())]).ok();
    assert_eq!(by_uid.text(), second.text());
}

#[test]
fn one_json_object_a_connection() {
    let folder = Folder::of(&small_capture());
    let run = folder.run(["talk.pcap", "--report", "json"]).ok();
    let objects: Vec<serde_json::Value> = run.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let outcomes: Vec<_> = objects.iter().map(|object| object["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes.len(), 2);
    assert!(outcomes.contains(&"closed") && outcomes.contains(&"rejected"));
}

#[test]
fn the_report_says_who_closed_and_why() {
    let report = |talk: &Conversation| Folder::of(&talk.capture()).run(["talk.pcap"]).ok().text().to_owned();
    let mut talk = Conversation::open();
    let closed = report(talk.server_frame(Frame::close(1001, "going away")).client_frame(Frame::close(1001, "")));
    assert!(closed.contains("1001") && closed.contains("going away") && closed.contains("server"), "{closed}");
    let aborted = report(Conversation::open().client_frame(Frame::text("x")).rst(SERVER));
    assert!(aborted.contains("1006") && aborted.contains("server"), "{aborted}");
    let open = report(Conversation::open().client_frame(Frame::text("x")));
    assert!(open.to_lowercase().contains("open"), "{open}");
    let refused = report(Conversation::upgraded(&Upgrade::new(), &Reply::status(403)).fin(SERVER).fin(CLIENT));
    assert!(refused.contains("403"), "{refused}");
    let empty = report(&Conversation::connected());
    assert!(!empty.is_empty(), "a capture without WebSocket says so");
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    let folder = Folder::of(&small_capture());
    for args in
        [&["--report", "text"][..], &["--report", "json"], &["--follow"], &["--findings", "-", "--format", "csv"]]
    {
        let run = || finish(command().current_dir(folder.path()).arg("talk.pcap").args(args), &[]).ok().stdout;
        assert_eq!(run(), run());
    }
}

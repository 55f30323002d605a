//! What is read: files, standard input, compressed, several, cut short, or none at all.

use std::io::Write;

use super::super::command::{Folder, Run, small_capture, wslens_fed};
use crate::common::{Capture, Conversation, Frame};

/// All that a run can say of a capture.
fn everything(folder: &Folder, files: &[&str]) -> Vec<Vec<u8>> {
    let tables = ["--connections", "c.csv", "--frames", "f.csv", "--messages", "m.ndjson", "--findings", "n.csv"];
    let mut all = Vec::new();
    for report in [&["--report", "text"][..], &["--report", "json"], &["--follow"]] {
        all.push(folder.run(files.iter().chain(&tables).chain(report)).ok().stdout);
        all.extend(["c.csv", "f.csv", "m.ndjson", "n.csv"].map(|table| folder.get(table)));
    }
    all
}

#[test]
fn standard_input() {
    let file = small_capture().pcap();
    let folder = Folder::of(&small_capture());
    for args in [&["--follow"][..], &["--frames", "-", "--format", "csv"], &["--report", "json"]] {
        let from_file = folder.run(["talk.pcap"].iter().chain(args)).ok();
        let from_input = wslens_fed(["-"].iter().chain(args), &file).ok();
        assert_eq!(from_input.text(), from_file.text());
        assert_eq!(wslens_fed(["read", "-"].iter().chain(args), &file).ok().text(), from_file.text());
    }
}

#[test]
fn compressed_by_content_not_by_name() {
    let folder = Folder::of(&small_capture());
    let whole = everything(&folder, &["talk.pcap"]);
    let file = small_capture().pcap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&file).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = zstd::encode_all(&*file, 3).unwrap();
    // Members and frames behind each other are one file (RFC 1952 §2.2, RFC 8878 §3.1).
    let (head, tail) = file.split_at(1000);
    let mut two = zstd::encode_all(head, 1).unwrap();
    two.extend(zstd::encode_all(tail, 1).unwrap());
    for bytes in [&gzip, &zstd, &two] {
        folder.put("talk.pcap", bytes);
        assert!(everything(&folder, &["talk.pcap"]) == whole);
        folder.put("any name.gz", bytes);
        assert!(everything(&folder, &["any name.gz"]) == whole);
    }
    assert_eq!(wslens_fed(["-", "--follow"], &zstd).ok().text(), wslens_fed(["-", "--follow"], &file).ok().text());
}

#[test]
fn several_files_are_one_capture() {
    let capture = small_capture();
    let folder = Folder::of(&capture);
    let whole = everything(&folder, &["talk.pcap"]);
    for cut in 0..=capture.packets.len() {
        let (head, tail) = capture.packets.split_at(cut);
        folder.put("1.pcap", Capture { packets: head.to_vec() }.pcap());
        folder.put("2.pcap", Capture { packets: tail.to_vec() }.pcap());
        let parts = everything(&folder, &["1.pcap", "2.pcap"]);
        for (part, whole) in parts.iter().zip(&whole) {
            assert_eq!(String::from_utf8_lossy(part), String::from_utf8_lossy(whole), "cut at {cut}");
        }
    }
    let each = |packet: &crate::common::Wire| Capture { packets: vec![packet.clone()] }.pcap();
    let names: Vec<_> = (0..capture.packets.len()).map(|number| format!("{number}.pcap")).collect();
    for (name, packet) in names.iter().zip(&capture.packets) {
        folder.put(name, each(packet));
    }
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    assert!(everything(&folder, &names) == whole, "a packet each");
}

#[test]
fn the_label_is_in_every_table() {
    let mut talk = Conversation::open();
    let folder = Folder::of(&talk.client_frame(Frame::pong("x")).close().capture());
    let tables = ["--connections", "c.csv", "--frames", "f.csv", "--messages", "m.csv", "--findings", "n.csv"];
    let uid = |args: &[&str]| {
        folder.run(["talk.pcap"].iter().chain(&tables).chain(args)).ok();
        let mut uids = Vec::new();
        for table in ["c.csv", "f.csv", "m.csv", "n.csv"] {
            let bytes = folder.get(table);
            let mut reader = csv::Reader::from_reader(&*bytes);
            let headers = reader.headers().unwrap().clone();
            let column = |name| headers.iter().position(|header| header == name).unwrap();
            for row in reader.records() {
                let row = row.unwrap();
                assert_eq!(&row[column("capture")], args.get(1).copied().unwrap_or_default(), "{table}");
                uids.push(row[column("uid")].to_owned());
            }
        }
        assert!(
            uids.iter().all(|uid| *uid == uids[0] && uid.len() == 32 && uid.bytes().all(|b| b.is_ascii_hexdigit()))
        );
        uids[0].clone()
    };
    let (none, a, b) = (uid(&[]), uid(&["--capture", "sensor-1"]), uid(&["--capture", "sensor 2, \"east\""]));
    assert!(none != a && a != b && none != b, "the label is in the uid");
    assert_eq!(uid(&["--capture", "sensor-1"]), a, "and nothing else of the run");
}

#[test]
fn what_is_no_capture() {
    let folder = Folder::new();
    folder.run(["missing.pcap"]).fails(&["missing.pcap", "No such file"]);
    assert_eq!(folder.run(["missing.pcap"]).stderr.matches("No such file").count(), 1, "a reason is told once");
    folder.run(["."]).fails(&["."]);
    folder.put("notes.txt", "Dear diary, this is not a capture at all, and long enough to tell.");
    folder.run(["notes.txt"]).fails(&["notes.txt", "0"]);
    folder.put("empty.pcap", "");
    let run = folder.run(["empty.pcap"]);
    assert!(matches!(run.status, Some(0 | 2)) && run.stderr.contains("empty.pcap"), "{run:?}");
    // Good, then bad: what went before is told, and the status says that it is not all.
    folder.put("good.pcap", small_capture().pcap());
    let run = folder.run(["good.pcap", "notes.txt", "--follow"]);
    run.fails(&["notes.txt"]);
    // A record whose length cannot be: names file and offset.
    let mut bad = small_capture().pcap();
    let at = bad.len();
    bad.extend([0xff; 64]);
    folder.put("bad.pcap", bad);
    let run = folder.run(["bad.pcap", "--follow"]);
    assert!(run.stderr.contains("bad.pcap") && run.stderr.contains(&at.to_string()), "{}", run.stderr);
    assert!(!run.stderr.contains("panicked"));
}

#[test]
fn a_capture_cut_short_is_read_to_the_cut_with_a_warning() {
    let file = small_capture().pcap();
    let folder = Folder::new();
    folder.put("whole.pcap", &file);
    let whole = folder.run(["whole.pcap", "--follow"]).ok();
    assert_eq!(whole.stderr, "");
    folder.put("cut.pcap", &file[..file.len() - 1]);
    let cut: Run = folder.run(["cut.pcap", "--follow"]).ok();
    assert!(cut.stderr.contains("warning") && cut.stderr.contains("cut.pcap"), "{}", cut.stderr);
    assert!(cut.text().contains("hello"));
    // Inside a record's head, and of a compressed file.
    let zstd = zstd::encode_all(&*file, 3).unwrap();
    for bytes in [&file[..file.len() - 85], &zstd[..zstd.len() - 3]] {
        folder.put("cut.pcap", bytes);
        let cut = folder.run(["cut.pcap", "--follow"]).ok();
        assert!(cut.stderr.contains("warning") && cut.stderr.contains("cut.pcap"), "{}", cut.stderr);
    }
}

#[cfg(feature = "live")]
#[test]
fn bpf_on_files() {
    let folder = Folder::of(&small_capture());
    let connections = |args: &[&str]| {
        let run = folder.run(["talk.pcap", "--report", "json"].iter().chain(args)).ok();
        run.text().lines().count()
    };
    assert_eq!(connections(&[]), 2);
    assert_eq!(connections(&["--bpf", "port 50001"]), 1);
    assert_eq!(connections(&["--bpf", "tcp and host 10.0.0.2"]), 2);
    assert_eq!(connections(&["--bpf", "udp"]), 0);
    assert_eq!(connections(&["--bpf", ""]), 2);
    folder.run(["talk.pcap", "--bpf", "port ("]).fails(&["port ("]);
    folder.run(["talk.pcap", "--bpf", "frobnicate 7"]).fails(&["frobnicate"]);
    // Packets keep the numbers that they have in the file, as in Wireshark.
    let frames = folder.run(["talk.pcap", "--bpf", "port 50000", "--frames", "-", "--format", "csv"]).ok();
    assert_eq!(frames.text(), folder.run(["talk.pcap", "--frames", "-", "--format", "csv"]).ok().text());
}

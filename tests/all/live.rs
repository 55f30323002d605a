//! Sniffing: what a real client and a real server say to each other over `lo`, while they say it.
//!
//! Skipped, and said so, where this user may not sniff.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use super::command::{Folder, Run, command, signal, wslens};
use crate::common::{CLIENT, Frame, KEY, Reply, SERVER, Upgrade};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// A sniffer that runs. It is killed if a test ends before it does.
struct Sniffer {
    child: Child,
    stderr: Receiver<String>,
    said: String,
}

impl Sniffer {
    /// Starts `wslens live lo` and waits until it listens; nothing where this user may not.
    fn start(folder: &Folder, args: &[&str]) -> Option<Self> {
        let mut command = command();
        command.current_dir(folder.path()).args(["live", "lo"]).args(args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (to, stderr) = channel();
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| to.send(line)));
        let mut sniffer = Self { child, stderr, said: String::new() };
        while !sniffer.said.contains("listening") {
            match sniffer.stderr.recv_timeout(PATIENCE) {
                Ok(line) => sniffer.said += &(line + "\n"),
                Err(RecvTimeoutError::Timeout) => panic!("it does not listen: {}", sniffer.said),
                Err(RecvTimeoutError::Disconnected) => {
                    let denied =
                        ["ermission", "not permitted", "capabilit"].iter().any(|word| sniffer.said.contains(word));
                    assert!(denied, "{}", sniffer.said);
                    super::common::skip::skip(&format!("a right to sniff: {}", sniffer.said));
                    return None;
                }
            }
        }
        Some(sniffer)
    }

    /// Ctrl-C.
    fn interrupt(&self) {
        signal(&self.child, Signal::INT);
    }

    /// Waits until it says `word` on standard error.
    fn wait_to_hear(&mut self, word: &str) {
        while !self.said.contains(word) {
            let line = self.stderr.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{word:?} does not come"));
            self.said += &(line + "\n");
        }
    }

    /// Waits until its output has `word`.
    fn wait_for(&mut self, word: &str) -> String {
        let mut lines = BufReader::new(self.child.stdout.take().unwrap()).lines();
        let (to, from) = channel();
        let wanted = word.to_owned();
        thread::spawn(move || {
            let mut all = String::new();
            while let Some(Ok(line)) = lines.next() {
                all += &(line + "\n");
                if all.contains(&wanted) {
                    // Keep reading, so that the sniffer is never held up.
                    let _ = to.send(core::mem::take(&mut all));
                }
            }
        });
        from.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{word:?} does not come"))
    }

    /// Waits for its end.
    fn end(mut self) -> Run {
        let (to, from) = channel();
        let stdout = self.child.stdout.take();
        thread::spawn(move || {
            let mut all = Vec::new();
            if let Some(mut stdout) = stdout {
                stdout.read_to_end(&mut all).unwrap();
            }
            to.send(all)
        });
        loop {
            match self.stderr.recv_timeout(PATIENCE) {
                Ok(line) => self.said += &(line + "\n"),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end: {}", self.said),
            }
        }
        let stdout = from.recv_timeout(PATIENCE).unwrap();
        let status = self.child.wait().unwrap().code();
        Run { status, stdout, stderr: core::mem::take(&mut self.said) }
    }
}

impl Drop for Sniffer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server that answers each message it gets with the same in capitals, once.
struct Server {
    port: u16,
    thread: thread::JoinHandle<()>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let thread = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            assert!(read_head(&mut stream).contains(KEY));
            stream.write_all(&Reply::new().bytes()).unwrap();
            loop {
                let (opcode, payload) = read_frame(&mut stream);
                stream.write_all(&Frame::new(opcode, payload.to_ascii_uppercase()).bytes(SERVER)).unwrap();
                if opcode == 8 {
                    break;
                }
            }
        });
        Self { port, thread }
    }

    /// A client says these texts and hears the answers; then both close.
    fn talk(self, texts: &[&str]) {
        let mut stream = self.connect();
        say(&mut stream, texts);
        self.close(stream);
    }

    fn connect(&self) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&Upgrade::new().bytes()).unwrap();
        assert!(read_head(&mut stream).starts_with("HTTP/1.1 101"));
        stream
    }

    fn close(self, mut stream: TcpStream) {
        stream.write_all(&Frame::close(1000, "").bytes(CLIENT)).unwrap();
        assert_eq!(read_frame(&mut stream).0, 8);
        drop(stream);
        self.thread.join().unwrap();
    }
}

/// Says each text and hears the answer.
fn say(stream: &mut TcpStream, texts: &[&str]) {
    for text in texts {
        stream.write_all(&Frame::text(text).bytes(CLIENT)).unwrap();
        assert_eq!(read_frame(stream), (1, text.to_ascii_uppercase().into_bytes()));
    }
}

fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// A short frame: its opcode and payload.
fn read_frame(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut start = [0; 2];
    stream.read_exact(&mut start).unwrap();
    let mut key = [0; 4];
    if start[1] & 0x80 != 0 {
        stream.read_exact(&mut key).unwrap();
    }
    let mut payload = vec![0; usize::from(start[1] & 0x7f)];
    stream.read_exact(&mut payload).unwrap();
    let plain = payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    (start[0] & 15, plain)
}

#[test]
fn it_finds_what_a_client_and_a_server_say() {
    let folder = Folder::new();
    let server = Server::start();
    let filter = format!("port {}", server.port);
    let args =
        ["--bpf", &filter, "--duration", "15s", "--frames", "f.csv", "--messages", "m.ndjson", "--report", "json"];
    let Some(mut sniffer) = Sniffer::start(&folder, &args) else { return };
    server.talk(&["first things first", "and then some"]);
    // Its end is told while it listens.
    let report = sniffer.wait_for("\n");
    let object: serde_json::Value = serde_json::from_str(report.lines().next().unwrap()).unwrap();
    assert_eq!(object["outcome"], "closed");
    sniffer.interrupt();
    let run = sniffer.end().ok();
    assert!(run.stderr.contains("received") && run.stderr.contains("dropped"), "{}", run.stderr);
    let messages = folder.text("m.ndjson");
    for text in ["first things first", "FIRST THINGS FIRST", "and then some", "AND THEN SOME"] {
        assert!(messages.contains(text), "{text} is not in {messages}");
    }
    assert_eq!(folder.text("f.csv").lines().count(), 7);
}

#[test]
fn messages_are_followed_as_they_happen() {
    let folder = Folder::new();
    let server = Server::start();
    let filter = format!("port {}", server.port);
    let args = ["--bpf", &filter, "--duration", "15s", "--follow"];
    let Some(mut sniffer) = Sniffer::start(&folder, &args) else { return };
    server.talk(&["live and direct"]);
    let said = sniffer.wait_for("LIVE AND DIRECT");
    assert!(said.contains("live and direct"), "{said}");
    sniffer.interrupt();
    sniffer.end().ok();
}

#[test]
fn it_ends_after_so_many_packets_or_so_long() {
    let folder = Folder::new();
    let server = Server::start();
    let filter = format!("tcp port {}", server.port);
    let Some(sniffer) = Sniffer::start(&folder, &["--bpf", &filter, "--packets", "4", "--duration", "15s"]) else {
        return;
    };
    server.talk(&["x"]);
    let run = sniffer.end().ok();
    assert!(run.stderr.contains("4 packets"), "{}", run.stderr);
    let nobody = ["--bpf", "tcp port 1 and port 2", "--duration", "300ms"];
    let run = Sniffer::start(&folder, &nobody).unwrap().end().ok();
    assert!(run.stderr.contains("0 packets"), "{}", run.stderr);
}

#[test]
fn ctrl_c_ends_with_reports() {
    let folder = Folder::new();
    let server = Server::start();
    let filter = format!("port {}", server.port);
    let Some(mut sniffer) = Sniffer::start(&folder, &["--bpf", &filter, "--connections", "c.csv"]) else { return };
    let port = server.port.to_string();
    server.talk(&["x"]);
    let report = sniffer.wait_for(&port);
    assert!(report.contains("127.0.0.1"), "{report}");
    sniffer.interrupt();
    let run = sniffer.end().ok();
    assert!(run.stderr.contains("received"), "{}", run.stderr);
    assert_eq!(folder.text("c.csv").lines().count(), 2);
}

#[test]
fn what_cannot_be_sniffed_is_said() {
    wslens(["live", "no-such-interface0"]).fails(&["no-such-interface0"]);
    let folder = Folder::new();
    // Wrong filters are refused before anything is listened to.
    let Some(sniffer) = Sniffer::start(&folder, &["--duration", "100ms"]) else { return };
    sniffer.end().ok();
    let names = wslens(["live", "no-such-interface0"]).stderr;
    assert!(names.contains("lo"), "it says what there is: {names}");
    wslens(["live", "lo", "--bpf", "port (", "--duration", "1s"]).fails(&["port ("]);
    wslens(["live", "lo", "--duration", "soon"]).fails(&["--duration", "soon"]);
}

#[test]
fn interfaces_are_listed() {
    let run = wslens(["interfaces"]).ok();
    let lo = run.text().lines().find(|line| line.split_whitespace().next() == Some("lo"));
    assert!(lo.is_some() || run.text().is_empty() && run.stderr.contains("root"), "{run:?}");
    if let Some(lo) = lo {
        assert!(lo.contains("127.0.0.1") && lo.contains("loopback"), "{lo}");
    }
}

/// A sniffer that is held up loses packets. It says so while it sniffs and at the end, and is in step again behind them.
#[cfg(unix)]
#[test]
fn what_is_dropped_is_told_and_the_rest_is_read() {
    let folder = Folder::new();
    let server = Server::start();
    let filter = format!("port {}", server.port);
    let args = ["--bpf", &filter, "--buffer", "256KiB", "--duration", "60s", "--messages", "m.csv", "--report", "json"];
    let Some(mut sniffer) = Sniffer::start(&folder, &args) else { return };
    let mut stream = server.connect();
    say(&mut stream, &["before"]);
    signal(&sniffer.child, Signal::STOP);
    say(&mut stream, &["while nobody looks"; 5_000]);
    signal(&sniffer.child, Signal::CONT);
    sniffer.wait_to_hear("dropped just now");
    // The kernel has room again when what waits in it was taken, which takes longer where there is other work to do. Then,
    // enough for a boundary to be found again.
    for _ in 0..4 {
        thread::sleep(Duration::from_millis(500));
        say(&mut stream, &["afterwards"; 20]);
    }
    server.close(stream);
    let report = sniffer.wait_for("\n");
    sniffer.interrupt();
    let run = sniffer.end().ok();
    let object: serde_json::Value = serde_json::from_str(report.lines().next().unwrap()).unwrap();
    assert_eq!(object["outcome"], "closed", "{report}");
    for direction in ["c2s", "s2c"] {
        assert!(object[format!("missing_bytes_{direction}")].as_u64().unwrap() > 10_000, "{report}");
    }
    let messages = folder.text("m.csv");
    for text in ["before", "BEFORE", "afterwards", "AFTERWARDS"] {
        assert!(messages.lines().any(|row| row.ends_with(&format!(",{text}"))), "{text}: {messages}");
    }
    let end = run.stderr.lines().find(|line| line.contains("packets read")).unwrap();
    assert!(!end.contains(" 0 dropped by the system"), "{end}");
    assert!(run.stderr.contains("a larger --buffer"), "{}", run.stderr);
}

/// The line of `/proc/PID/status` that begins so.
#[cfg(target_os = "linux")]
fn status_of(pid: u32, name: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A user's number and primary group.
#[cfg(target_os = "linux")]
fn numbers_of(user: &str) -> Option<[u32; 2]> {
    let passwd = std::fs::read_to_string("/etc/passwd").ok()?;
    let line = passwd.lines().find(|line| line.starts_with(&format!("{user}:")))?;
    let mut fields = line.split(':').skip(2).map(|field| field.parse().unwrap());
    Some([fields.next()?, fields.next()?])
}

#[cfg(target_os = "linux")]
#[test]
fn rights_are_given_up_once_the_interface_is_open() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let folder = Folder::new();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    if status_of(std::process::id(), "Uid:") != "0 0 0 0" {
        super::common::skip::skip("root, who alone can become another user");
        let user = ["live", "lo", "--user", "nobody", "--duration", "1s"];
        return wslens(user).fails(&["--user nobody"]);
    }
    let Some([uid, gid]) = numbers_of("nobody") else {
        super::common::skip::skip("a user nobody");
        return;
    };
    let server = Server::start();
    let filter = format!("port {}", server.port);
    let args = ["--user", "nobody", "--bpf", &filter, "--duration", "15s", "--messages", "m.csv", "--report", "json"];
    let Some(mut sniffer) = Sniffer::start(&folder, &args) else { return };
    let pid = sniffer.child.id();
    // All of its threads.
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).unwrap() {
        let task = task.unwrap().file_name().into_string().unwrap().parse().unwrap();
        assert_eq!(status_of(task, "Uid:"), format!("{uid} {uid} {uid} {uid}"));
        assert_eq!(status_of(task, "Gid:"), format!("{gid} {gid} {gid} {gid}"));
        assert_eq!(status_of(task, "Groups:"), gid.to_string());
        for set in ["CapPrm:", "CapEff:", "CapAmb:"] {
            assert_eq!(status_of(task, set), "0000000000000000", "{set}");
        }
    }
    // It sniffs all the same, and what it writes is the user's.
    server.talk(&["as nobody"]);
    sniffer.wait_for("closed");
    sniffer.interrupt();
    sniffer.end().ok();
    assert!(folder.text("m.csv").contains("AS NOBODY"));
    let about = std::fs::metadata(folder.path().join("m.csv")).unwrap();
    assert_eq!([about.uid(), about.gid()], [uid, gid]);
    // What is not the user's to write is not written.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let denied = folder.run(["live", "lo", "--user", "nobody", "--duration", "1s", "--messages", "other.csv"]);
    denied.fails(&["other.csv", "ermission"]);
}

#[cfg(target_os = "linux")]
#[test]
fn whom_it_cannot_become() {
    wslens(["live", "lo", "--user", "no-such-user", "--duration", "1s"]).fails(&["no-such-user", "no such user"]);
    wslens(["live", "lo", "--user", "root", "--duration", "1s"]).fails(&["--user root", "root's rights"]);
    if status_of(std::process::id(), "Uid:") != "0 0 0 0" {
        return;
    }
    if Command::new("setpriv").arg("--version").output().is_err() {
        return super::common::skip::skip("the program setpriv");
    }
    // As somebody else, with the right to sniff or without.
    let mut other = Command::new("setpriv");
    other.args(["--reuid", "nobody", "--regid", "nogroup", "--clear-groups", env!("CARGO_BIN_EXE_wslens")]);
    let run = super::command::finish(other.args(["live", "lo", "--user", "daemon", "--duration", "1s"]), &[]);
    if run.status == Some(2) {
        run.fails(&["--user daemon", "only root"]);
    } else {
        super::common::skip::skip(&format!("a right to sniff for the user nobody: {}", run.stderr));
    }
}

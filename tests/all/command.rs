//! The command itself, run as users run it.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

#[cfg(unix)]
use rustix::process::{Pid, Signal};

use crate::common::{Capture, Conversation, Frame};

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Run {
    /// What it said, where that is text.
    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        core::str::from_utf8(&self.stdout).unwrap()
    }

    /// It ended with 0.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.status, Some(0), "{}", self.stderr);
        self
    }

    /// It ended with 2 and a message that has all of `words`, and no backtrace.
    #[track_caller]
    pub(crate) fn fails(&self, words: &[&str]) {
        assert_eq!(self.status, Some(2), "{self:?}");
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is not in {:?}", self.stderr);
        }
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
    }
}

/// The command, with nothing of the environment that could change what it prints.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wslens"));
    command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE").env("TERM", "xterm-256color").stdin(Stdio::null());
    command
}

/// Runs it with arguments.
pub(crate) fn wslens<A: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = A>) -> Run {
    finish(command().args(args), &[])
}

/// Runs it with arguments in a folder.
pub(crate) fn wslens_in<A: AsRef<std::ffi::OsStr>>(folder: &Path, args: impl IntoIterator<Item = A>) -> Run {
    finish(command().current_dir(folder).args(args), &[])
}

/// Runs it with arguments and standard input.
pub(crate) fn wslens_fed<A: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = A>, input: &[u8]) -> Run {
    finish(command().args(args), input)
}

/// Runs any command to its end.
pub(crate) fn finish(command: &mut Command, input: &[u8]) -> Run {
    if !input.is_empty() {
        command.stdin(Stdio::piped());
    }
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stdin = child.stdin.take();
    thread::scope(|scope| {
        if let Some(mut stdin) = stdin {
            // A command that ends early closes its input: that is its right.
            scope.spawn(move || stdin.write_all(input));
        }
        let output = child.wait_with_output().unwrap();
        Run {
            status: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    })
}

/// Sends a signal to a child.
#[cfg(unix)]
#[track_caller]
pub(crate) fn signal(child: &Child, signal: Signal) {
    rustix::process::kill_process(Pid::from_child(child), signal).unwrap();
}

/// A folder of its own for a test, with captures in it.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Of one capture, `talk.pcap`.
    pub(crate) fn of(capture: &Capture) -> Self {
        let folder = Self::new();
        folder.put("talk.pcap", capture.pcap());
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path().join(name), bytes).unwrap();
    }

    pub(crate) fn get(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path().join(name)).unwrap()
    }

    pub(crate) fn text(&self, name: &str) -> String {
        String::from_utf8(self.get(name)).unwrap()
    }

    /// Runs the command in it.
    pub(crate) fn run<A: AsRef<std::ffi::OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Run {
        wslens_in(self.path(), args)
    }
}

/// Two connections with text, binary, fragments, a Ping and its Pong, and a Close; the second was refused.
pub(crate) fn small_capture() -> Capture {
    let mut talk = Conversation::open();
    talk.client_frame(Frame::text("hello"))
        .server_frame(Frame::text("hi").more())
        .client_frame(Frame::ping("p"))
        .server_frame(Frame::pong("p"))
        .server_frame(Frame::continuation(" there"))
        .client_frame(Frame::binary([0, 1, 2, 0xff]))
        .close();
    let mut refused = Conversation::from_port(50_001);
    refused.wait_ms(100).connect();
    refused.client(crate::common::Upgrade::new().bytes()).server(crate::common::Reply::status(403).bytes());
    refused.fin(crate::common::SERVER).fin(crate::common::CLIENT);
    Capture::merge([talk.capture(), refused.capture()])
}

//! TLS against another implementation: `openssl s_client` and `s_server` talk through a forwarder that keeps what went
//! which way; with the key log that the client wrote, wslens must read what they said. One handshake for every cipher suite
//! that both know, and one for each turn that a handshake can take. Skipped, saying so, where there is no `openssl`.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use wslens::tls::{DecryptContext, KeyLog, RecordEvent, Scratch, Suite, TlsConnection};
use wslens::types::{Direction, PacketRef, PerDirection};

use super::support::key_log;
use crate::common::{CLIENT, Capture, Conversation, SERVER};

/// What went over a connection, piece by piece.
type Pieces = Vec<(Direction, Vec<u8>)>;

const PATIENCE: Duration = Duration::from_secs(30);
/// What the client is configured with, where that file is there.
const CONFIG: &str = "client.cnf";
const PSK: &str = "000102030405060708090a0b0c0d0e0f";

/// A server that answers each line with the line reversed.
struct Server {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

impl Server {
    /// `None`, saying so, where there is no openssl.
    fn start(more: &[&str]) -> Option<Self> {
        Self::start_with(&[&["-rev"], more].concat())
    }

    /// One that does with what it hears whatever the options say.
    fn start_with(more: &[&str]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        if !certificate(folder.path(), "rsa:2048", "rsa") || !certificate(folder.path(), "ec", "ec") {
            super::common::skip::skip("the program openssl");
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new("openssl")
            .current_dir(folder.path())
            .args(["s_server", "-accept", &format!("127.0.0.1:{port}"), "-quiet"])
            .args(["-cert", "rsa.crt", "-key", "rsa.key", "-dcert", "ec.crt", "-dkey", "ec.key"])
            .args(["-psk", PSK, "-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"])
            .args(["-ciphersuites", "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_CCM_SHA256:TLS_AES_128_CCM_8_SHA256"])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(started.elapsed() < PATIENCE, "s_server does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        Some(Self { child, port, folder })
    }

    /// One connection: the client says `lines`, each after the answer to the one before. `None` where the two cannot agree.
    fn talk(&self, options: &[&str], lines: &[&str]) -> Option<(Pieces, KeyLog)> {
        let (pieces, log, said) = self.talk_and_log(options, lines);
        said.then(|| (pieces, keys_of(&log)))
    }

    /// The same, with the text of the key log, and whether all was said and answered.
    fn talk_and_log(&self, options: &[&str], lines: &[&str]) -> (Pieces, String, bool) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let log = self.folder.path().join("keys");
        _ = std::fs::remove_file(&log);
        let mut client = Command::new("openssl")
            .current_dir(self.folder.path())
            .envs(self.folder.path().join(CONFIG).exists().then_some(("OPENSSL_CONF", CONFIG)))
            .args(["s_client", "-connect", &address, "-servername", "ws.example", "-keylogfile"])
            .arg(&log)
            // Behind `-quiet`, which says the opposite.
            .args(options)
            .arg("-no_ign_eof")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let forwarder = forward(listener, self.port);
        let mut stdin = client.stdin.take();
        let answers = answers(client.stdout.take().unwrap());
        let said = lines.iter().all(|line| say(stdin.as_mut().unwrap(), &answers, line));
        if let Some(at) = options.iter().position(|option| *option == "-sess_out") {
            self.await_session(options[at + 1]);
        }
        drop(stdin);
        _ = wait(&mut client);
        let pieces = forwarder.join().unwrap();
        (pieces, std::fs::read_to_string(&log).unwrap_or_default(), said)
    }
}

impl Server {
    /// WaitsFor until the client has written the session: it may come after all that is said.
    fn await_session(&self, name: &str) {
        let (file, started) = (self.folder.path().join(name), Instant::now());
        while !std::fs::read_to_string(&file).is_ok_and(|text| text.contains("END SSL SESSION")) {
            assert!(started.elapsed() < PATIENCE, "there is no session");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn keys_of(log: &str) -> KeyLog {
    let mut keys = KeyLog::new();
    keys.add(log.as_bytes());
    keys
}

/// Says a line and waits for it to come back reversed. Lines of one letter are commands of s_client: nothing comes back.
fn say(stdin: &mut ChildStdin, answers: &mpsc::Receiver<u8>, line: &str) -> bool {
    if stdin.write_all(format!("{line}\n").as_bytes()).is_err() {
        return false;
    }
    let expected: Vec<u8> = line.bytes().rev().collect();
    let (mut heard, started) = (Vec::new(), Instant::now());
    while line.len() > 1 && !heard.ends_with(&expected) {
        match answers.recv_timeout(PATIENCE.saturating_sub(started.elapsed())) {
            Ok(byte) => heard.push(byte),
            Err(_) => return false,
        }
    }
    if line.len() == 1 {
        thread::sleep(Duration::from_millis(100));
    }
    true
}

fn answers(mut from: impl Read + Send + 'static) -> mpsc::Receiver<u8> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(len @ 1..) = from.read(&mut buffer) {
            if buffer[..len].iter().any(|byte| sender.send(*byte).is_err()) {
                return;
            }
        }
    });
    receiver
}

fn wait(child: &mut Child) -> bool {
    let started = Instant::now();
    loop {
        match child.try_wait().unwrap() {
            Some(status) => return status.success(),
            None if started.elapsed() > PATIENCE => _ = child.kill(),
            None => thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// Makes a key and a certificate. No, if there is no openssl.
fn certificate(folder: &Path, kind: &str, name: &str) -> bool {
    let (key, certificate) = (format!("{name}.key"), format!("{name}.crt"));
    let mut command = Command::new("openssl");
    command.current_dir(folder).args(["req", "-x509", "-nodes", "-subj", "/CN=ws.example", "-newkey", kind]);
    if kind == "ec" {
        command.args(["-pkeyopt", "ec_paramgen_curve:prime256v1"]);
    }
    command.args(["-keyout", &key, "-out", &certificate]).stderr(Stdio::null()).stdout(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Forwards one connection to `port`, and keeps what went which way.
fn forward(listener: TcpListener, port: u16) -> thread::JoinHandle<Pieces> {
    thread::spawn(move || {
        let pieces = Arc::new(Mutex::new(Vec::new()));
        listener.set_nonblocking(true).unwrap();
        let started = Instant::now();
        let client = loop {
            match listener.accept() {
                Ok((client, _)) => break client,
                // The client did not even begin.
                Err(_) if started.elapsed() > PATIENCE => return Pieces::new(),
                Err(_) => thread::sleep(Duration::from_millis(5)),
            }
        };
        client.set_nonblocking(false).unwrap();
        let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let ways = [
            (Direction::ToServer, client.try_clone().unwrap(), server.try_clone().unwrap()),
            (Direction::ToClient, server, client),
        ];
        let threads = ways.map(|(direction, mut from, mut to)| {
            let pieces = Arc::clone(&pieces);
            from.set_read_timeout(Some(PATIENCE)).unwrap();
            thread::spawn(move || {
                let mut buffer = [0; 20_000];
                while let Ok(len @ 1..) = from.read(&mut buffer) {
                    // Kept before it is sent, so that an answer never stands before its question.
                    pieces.lock().unwrap().push((direction, buffer[..len].to_vec()));
                    if to.write_all(&buffer[..len]).is_err() {
                        break;
                    }
                }
                _ = to.shutdown(Shutdown::Write);
            })
        });
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        Arc::into_inner(pieces).unwrap().into_inner().unwrap()
    })
}

/// What wslens reads of it.
fn open(what: &str, pieces: &Pieces, keys: &KeyLog, cut: usize) -> (PerDirection<Vec<u8>>, TlsConnection) {
    let cut =
        |(way, bytes): &(Direction, Vec<u8>)| bytes.chunks(cut).map(|piece| (*way, piece.to_vec())).collect::<Vec<_>>();
    let mut listener = Listener::default();
    listener.feed(what, &pieces.iter().flat_map(cut).collect::<Vec<_>>(), keys);
    (listener.text, listener.connection)
}

#[derive(Default)]
struct Listener {
    connection: TlsConnection,
    scratch: Scratch,
    left: PerDirection<Vec<u8>>,
    text: PerDirection<Vec<u8>>,
}

impl Listener {
    fn gap(&mut self, len: Option<u64>) {
        assert!(self.left.to_server.is_empty());
        self.connection.gap(Direction::ToServer, len, &mut self.scratch);
    }

    fn feed(&mut self, what: &str, pieces: &[(Direction, Vec<u8>)], keys: &KeyLog) {
        let Self { connection, scratch, left, text } = self;
        for (direction, bytes) in pieces {
            left.get_mut(*direction).extend_from_slice(bytes);
            let mut before = None;
            while before != Some(connection.progress()) {
                before = Some(connection.progress());
                for way in Direction::BOTH {
                    let mut input = left.get(way).as_slice();
                    loop {
                        let context = DecryptContext { keys, scratch, seen: PacketRef::default() };
                        match connection.next(way, &mut input, context) {
                            Some(RecordEvent::Data(data)) => text.get_mut(way).extend_from_slice(data),
                            Some(RecordEvent::Rejected) => panic!("{what}: a record is rejected, after {text:?}"),
                            Some(RecordEvent::CloseNotify) => {}
                            None => break,
                        }
                    }
                    let rest = input.to_vec();
                    *left.get_mut(way) = rest;
                }
            }
        }
    }
}

/// Holds what wslens reads of a connection against what was said on it.
fn compare(what: &str, (pieces, keys): &(Pieces, KeyLog), lines: &[&str]) -> TlsConnection {
    let said: Vec<&str> = lines.iter().copied().filter(|line| line.len() > 1).collect();
    let asked: String = said.iter().map(|line| format!("{line}\n")).collect();
    let answered: String = said.iter().map(|line| line.chars().rev().chain(['\n']).collect::<String>()).collect();
    let mut last = None;
    for cut in [usize::MAX, 7] {
        let (text, connection) = open(what, pieces, keys, cut);
        assert_eq!(connection.undecryptable(), None, "{what}");
        assert_eq!(String::from_utf8_lossy(&text.to_server), asked, "{what}, to the server, pieces of {cut}");
        assert_eq!(String::from_utf8_lossy(&text.to_client), answered, "{what}, to the client, pieces of {cut}");
        last = Some(connection);
    }
    last.unwrap()
}

/// The names of openssl for all suites of a protocol, with their numbers.
fn suites(protocol: &str) -> Vec<(u16, String)> {
    let command = ["ciphers", "-V", "-s", "-psk", protocol, "ALL:COMPLEMENTOFALL:@SECLEVEL=0"];
    let output = Command::new("openssl").args(command).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let row = |line: &str| {
        let (number, rest) = line.trim().split_once(" - ")?;
        let (high, low) = number.split_once(',')?;
        let byte = |text: &str| u16::from_str_radix(text.trim_start_matches("0x"), 16).ok();
        Some((byte(high)? << 8 | byte(low)?, rest.split_whitespace().next()?.to_owned()))
    };
    text.lines().filter_map(row).collect()
}

const LINES: [&str; 2] = ["what the client says", "and once more, a little longer than before"];

#[test]
fn every_suite_that_both_know_is_opened() {
    let Some(server) = Server::start(&[]) else { return };
    let mut opened = Vec::new();
    for (version, protocol) in
        [("-tls1_3", "-tls1_3"), ("-tls1_2", "-tls1_2"), ("-tls1_1", "-tls1_1"), ("-tls1", "-tls1")]
    {
        for (number, name) in suites(protocol) {
            let tls13 = number >> 8 == 0x13;
            let Some(suite) = Suite::of(number).filter(|_| tls13 == (version == "-tls1_3")) else { continue };
            // What the server has no certificate or password for, and before TLS 1.2 all but those that differ in the records.
            let other = ["DSS", "SRP", "ECDH_"].iter().any(|part| suite.name.contains(part));
            let old = ["-tls1", "-tls1_1"].contains(&version) && !name.starts_with("AES");
            if other || old {
                continue;
            }
            // The code of CBC inside and outside.
            let both = suite.name.contains("CBC") && name.starts_with("AES");
            let forms: &[&[&str]] = if both { &[&["-no_etm"], &[]] } else { &[&[]] };
            for form in forms {
                let level = format!("{name}:@SECLEVEL=0");
                let cipher = if tls13 { ["-ciphersuites", &name] } else { ["-cipher", &level] };
                let options = [&[version, "-quiet", "-psk", PSK][..], &cipher, form].concat();
                // Some openssl lacks what it lists.
                let Some(talk) = server.talk(&options, &LINES) else { continue };
                let connection = compare(&format!("{} {version} {form:?}", suite.name), &talk, &LINES);
                let info = connection.info();
                assert_eq!((info.suite_name(), info.server_name.as_deref()), (Some(suite.name), Some("ws.example")));
                assert!(info.finished.is_some(), "{}", suite.name);
                opened.push((version, suite.name));
            }
        }
    }
    for part in [
        "AES_128_GCM",
        "AES_256_GCM",
        "CHACHA20",
        "CCM_8",
        "AES_256_CCM",
        "CBC_SHA",
        "CBC_SHA256",
        "CBC_SHA384",
        "_PSK_",
        "DHE_RSA",
        "ECDHE_ECDSA",
        "TLS_RSA",
    ] {
        assert!(opened.iter().any(|(_, name)| name.contains(part)), "{part} was not tried: {opened:?}");
    }
    for version in ["-tls1", "-tls1_1", "-tls1_2", "-tls1_3"] {
        assert!(opened.iter().any(|(other, _)| *other == version), "{version} was not tried");
    }
    println!("{} handshakes", opened.len());
}

#[test]
fn every_turn_that_a_handshake_can_take_is_followed() {
    let Some(server) = Server::start(&["-client_renegotiation", "-groups", "P-256:X25519"]) else { return };
    let long = "x".repeat(9000);
    let cases: [(&str, &[&str], &[&str]); 7] = [
        ("short records", &["-tls1_2", "-quiet", "-maxfraglen", "512"], &[&long, "end"]),
        ("short records, TLS 1.3", &["-tls1_3", "-quiet", "-maxfraglen", "512"], &[&long, "end"]),
        ("a retry", &["-tls1_3", "-quiet", "-groups", "P-384:P-256"], &LINES),
        ("keys updated by the client", &["-tls1_3"], &["first", "k", "second", "k", "third"]),
        ("keys updated by both", &["-tls1_3"], &["first", "K", "second", "K", "third"]),
        ("another handshake", &["-tls1_2"], &["first", "R", "second", "R", "third"]),
        ("another handshake, CBC", &["-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0"], &["first", "R", "second"]),
    ];
    for (what, options, lines) in cases {
        let talk = server.talk(options, lines).unwrap_or_else(|| panic!("{what}: they do not talk"));
        compare(what, &talk, lines);
    }
    for version in ["-tls1_2", "-tls1_3"] {
        let first = server.talk(&[version, "-sess_out", "session"], &LINES).unwrap();
        compare(version, &first, &LINES);
        let again = server.talk(&[version, "-quiet", "-sess_in", "session"], &LINES).unwrap();
        let connection = compare(&format!("{version}, resumed"), &again, &LINES);
        assert!(connection.info().resumed && !first_resumed(&first), "{version}");
    }
}

fn first_resumed((pieces, keys): &(Pieces, KeyLog)) -> bool {
    open("the first", pieces, keys, usize::MAX).1.info().resumed
}

/// The lines of a key log that begin so.
fn lines_of(log: &str, label: &str) -> String {
    log.lines().filter(|line| line.starts_with(label)).map(|line| format!("{line}\n")).collect()
}

/// Up to TLS 1.2 a code proves a record; in TLS 1.0 it also takes the end of the one before.
#[test]
fn behind_a_hole_records_with_cbc_open_again() {
    let Some(server) = Server::start(&[]) else { return };
    let lines: Vec<String> = (0..12).map(|n| format!("line {n}{}", "x".repeat(n * n))).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    for (version, etm) in [("-tls1", "-no_etm"), ("-tls1", "-comp"), ("-tls1_1", "-no_etm"), ("-tls1_2", "-comp")] {
        let options = [version, "-quiet", "-cipher", "AES128-SHA:@SECLEVEL=0", etm];
        let (pieces, keys) = server.talk(&options, &lines).unwrap();
        let said: Vec<usize> = (0..pieces.len()).filter(|at| pieces[*at].0 == Direction::ToServer).skip(3).collect();
        for (hole, known) in [(said[2], true), (said[2], false), (said[4], true), (said[5], false)] {
            for start in [0, 1, 4, 30, 60] {
                for len in [1, 17, 50] {
                    let (before, rest) = pieces.split_at(hole);
                    let (_, bytes) = &rest[0];
                    let Some(behind) = bytes.get(start + len..) else { continue };
                    let mut listener = Listener::default();
                    listener.feed("before", before, &keys);
                    listener.feed("broken", &[(Direction::ToServer, bytes[..start].to_vec())], &keys);
                    listener.gap(known.then_some(len as u64));
                    listener.feed("behind", &[(Direction::ToServer, behind.to_vec())], &keys);
                    listener.feed("behind", &rest[1..], &keys);
                    let heard = String::from_utf8(listener.text.to_server).unwrap();
                    let heard: Vec<&str> = heard.lines().collect();
                    let lost: Vec<_> = lines.iter().filter(|line| !heard.contains(line)).collect();
                    let what = format!("{version} {etm}: {len} bytes at {start}, known: {known}; lost {lost:?}");
                    assert!(heard.iter().all(|line| lines.contains(line)), "{what} {heard:?}");
                    // That with the hole, which openssl begins with an empty record in TLS 1.0; and there the next, if nothing
                    // of the one before is left.
                    let (least, most) = if version == "-tls1" { (0, 2) } else { (1, 1) };
                    assert!((least..=most).contains(&lost.len()), "{what}");
                    assert_eq!(listener.text.to_client.iter().filter(|byte| **byte == b'\n').count(), lines.len());
                }
            }
        }
    }
}

#[test]
fn a_premaster_secret_is_enough_where_rsa_exchanges_keys() {
    let Some(server) = Server::start(&[]) else { return };
    for (config, extended) in [("", true), ("Options = -ExtendedMasterSecret", false)] {
        let text = format!(
            "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = what\n[what]\nCipherString = ALL:@SECLEVEL=0\n{config}\n"
        );
        std::fs::write(server.folder.path().join(CONFIG), text).unwrap();
        for (version, cipher) in [
            ("-tls1_2", "AES128-GCM-SHA256"),
            ("-tls1_2", "AES256-GCM-SHA384"),
            ("-tls1_2", "AES256-SHA256"),
            ("-tls1_1", "AES128-SHA"),
            ("-tls1", "AES256-SHA"),
        ] {
            let what = format!("{version} {cipher} {extended}");
            let cipher = format!("{cipher}:@SECLEVEL=0");
            let (pieces, log, said) = server.talk_and_log(&[version, "-quiet", "-cipher", &cipher], &LINES);
            assert!(said, "{what}");
            let (rsa, random) = (lines_of(&log, "RSA "), lines_of(&log, "CLIENT_RANDOM "));
            assert!(!rsa.is_empty() && !random.is_empty(), "{log}");
            compare(&what, &(pieces.clone(), keys_of(&rsa)), &LINES);
            // It is the extension that makes the difference: what was hashed is in the secret.
            let hello = &pieces.iter().find(|(way, _)| *way == Direction::ToClient).unwrap().1;
            let hello = wslens::tls::hello::ServerHello::parse(&hello[9..9 + usize::from(hello[8])]).unwrap();
            assert_eq!(hello.extensions.extended_master_secret, extended, "{what}");
        }
    }
}

/// By its id and by its ticket, where the log has the secret only of the handshake that began the session.
#[test]
fn a_resumed_session_is_opened_with_the_secret_of_its_beginning() {
    let Some(server) = Server::start(&[]) else { return };
    for (what, option) in [("ticket", &["-tls1_2"][..]), ("id", &["-tls1_2", "-no_ticket"])] {
        let (first, log, said) = server.talk_and_log(&[option, &["-sess_out", what]].concat(), &LINES);
        assert!(said && log.lines().filter(|line| line.starts_with("CLIENT_RANDOM")).count() == 1, "{log}");
        let again = [option, &["-sess_in", what, "-sess_out", what]].concat();
        let (second, later, said) = server.talk_and_log(&again, &LINES);
        assert!(said);
        let (third, ..) = server.talk_and_log(&again, &LINES);
        let mut keys = keys_of(&log);
        let mut all = Vec::new();
        for (number, pieces) in [&first, &second, &third].into_iter().enumerate() {
            let (text, mut connection) = open(what, pieces, &keys, usize::MAX);
            let session = connection.take_session().unwrap();
            assert!(connection.take_session().is_none());
            keys.remember(&session);
            assert_eq!(connection.info().resumed, number > 0, "{what}, the {number}th");
            all.push(String::from_utf8(text.to_server).unwrap());
        }
        assert_eq!(all, vec![LINES.map(|line| format!("{line}\n")).concat(); 3], "{what}");
        assert_eq!(keys.sessions(), 1, "what is remembered is no session of the log");
        // Without the first, nothing is opened.
        let (text, mut connection) = open(what, &second, &keys_of(&log), usize::MAX);
        assert!(text.to_server.is_empty() && connection.take_session().is_none(), "{what}");
        compare(what, &(second, keys_of(&later)), &LINES);
    }
}

/// What `openssl sess_id -text` shows of a session, as NSS and old openssl write it.
#[test]
fn a_master_secret_is_found_by_session_id() {
    let Some(server) = Server::start(&[]) else { return };
    let (pieces, log, said) = server.talk_and_log(&["-tls1_2", "-no_ticket", "-sess_out", "session"], &LINES);
    assert!(said);
    let show = ["sess_id", "-in", "session", "-noout", "-text"];
    let shown = Command::new("openssl").current_dir(server.folder.path()).args(show).output().unwrap().stdout;
    let shown = String::from_utf8(shown).unwrap();
    let field = |name: &str| {
        let line = shown.lines().find_map(|line| line.trim().strip_prefix(name)).unwrap_or_default();
        line.trim_start_matches(':').trim().to_owned()
    };
    let line = format!("RSA Session-ID:{} Master-Key:{}\n", field("Session-ID"), field("Master-Key"));
    let mut keys = keys_of(&line);
    assert_eq!(keys.take_warnings(), (vec![], 0), "{line}");
    compare("Session-ID", &(pieces, keys), &LINES);
    assert!(log.contains(&field("Master-Key").to_lowercase()), "{log}");
}

#[test]
fn data_before_the_handshake_is_over_is_opened() {
    // A server that answers cannot be told to take early data, so this one only listens.
    let Some(server) = Server::start_with(&["-early_data"]) else { return };
    std::fs::write(server.folder.path().join("early"), "what cannot wait\n").unwrap();
    // A line of one letter that is no command; and time for the ticket.
    let (_, _, said) = server.talk_and_log(&["-tls1_3", "-sess_out", "session"], &["x"]);
    assert!(said);
    let options = ["-tls1_3", "-sess_in", "session", "-early_data", "early"];
    let (pieces, log, said) = server.talk_and_log(&options, &["y"]);
    assert!(said && log.contains("CLIENT_EARLY_TRAFFIC_SECRET"), "{log}");
    for cut in [usize::MAX, 7] {
        let (text, connection) = open("early data", &pieces, &keys_of(&log), cut);
        assert_eq!(String::from_utf8_lossy(&text.to_server), "what cannot wait\ny\n");
        assert!(connection.info().resumed);
    }
    // Without its secret, only what came later is.
    let log: String = log.lines().filter(|line| !line.contains("EARLY")).map(|line| format!("{line}\n")).collect();
    let (text, _) = open("early data", &pieces, &keys_of(&log), usize::MAX);
    assert_eq!(String::from_utf8_lossy(&text.to_server), "y\n");
    // The server has forgotten the session: it takes none of it.
    let (pieces, log, said) = server.talk_and_log(&options, &["z"]);
    assert!(said);
    let (text, connection) = open("early data refused", &pieces, &keys_of(&log), usize::MAX);
    assert_eq!(String::from_utf8_lossy(&text.to_server), "z\n");
    assert!(!connection.info().resumed);
}

// --- wrong keys, corrupted records, captures that lack something: from a sample

const SAMPLE: &str = "samples/wss-tls13/capture.pcap";

/// The codes and details of all findings, of the sample with another key log.
fn found(keys: &[u8], options: &[&str]) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("keys");
    std::fs::write(&log, keys).unwrap();
    let mut command = super::command::command();
    command.args(["read", SAMPLE, "--keylog"]).arg(&log).args(options);
    let output = command.output().unwrap();
    assert!(output.status.success());
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn keys_that_are_missing_wrong_or_broken_are_told() {
    let keys = std::fs::read(key_log(Path::new(SAMPLE)).unwrap()).unwrap();
    let (report, _) = found(&keys, &[]);
    assert!(report.contains("wss://") && report.contains("TLSv1.3, TLS_AES_128_GCM_SHA256"), "{report}");
    let (report, _) = found(b"", &[]);
    assert!(
        report.contains("TLS connections stay closed, no secret")
            || report.contains("TLS connection stays closed, no secret"),
        "{report}"
    );
    assert!(report.contains("needed: the client's key log"), "{report}");
    let (report, _) = found(b"", &["--tls"]);
    assert!(
        report.contains("ENCRYPTED: no secret for client random") && report.contains("tls_undecryptable"),
        "{report}"
    );
    // Other secrets for the same sessions: each digit but those of the random turned round.
    let text = String::from_utf8(keys.clone()).unwrap();
    let wrong: String = text
        .lines()
        .map(|line| {
            let mut parts: Vec<String> = line.split(' ').map(str::to_owned).collect();
            if let Some(secret) = parts.get_mut(2) {
                *secret = secret.chars().rev().collect();
            }
            parts.join(" ") + "\n"
        })
        .collect();
    let (report, _) = found(wrong.as_bytes(), &["--tls"]);
    assert!(report.contains("do not fit"), "{report}");
    // Cut off anywhere: no panic, and a warning where a line is broken.
    for len in (0..keys.len()).step_by(61) {
        let (_, warnings) = found(&keys[..len], &["--report", "none"]);
        let whole = keys[..len].is_empty() || keys[..len].ends_with(b"\n") || len == keys.len();
        assert!(!warnings.contains("panicked") && (warnings.contains("line ") || whole || !warnings.contains("error")));
    }
}

#[test]
fn a_connection_without_its_beginning_says_so() {
    let mut talk = Conversation::connected();
    talk.client([&[23, 3, 3, 0, 40][..], &[7; 40]].concat());
    talk.server([&[23, 3, 3, 0, 40][..], &[7; 40]].concat());
    talk.fin(wslens::types::Role::Client);
    let told = talk.run();
    // With a SYN and no hello it is not TLS, or not from its beginning: nothing is made up.
    assert_eq!(told.totals.tls_connections, 0);
}

/// A pcapng with the packets of a pcap, and secrets behind them.
fn secrets_last(pcap: &[u8], keys: &[u8]) -> Vec<u8> {
    let block = |kind: u32, mut body: Vec<u8>| {
        body.resize(body.len().next_multiple_of(4), 0);
        let len = u32::try_from(body.len() + 12).unwrap().to_le_bytes();
        [&kind.to_le_bytes()[..], &len, &body, &len].concat()
    };
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
    let word = |at: usize| u32::from_le_bytes(pcap[at..at + 4].try_into().unwrap());
    let mut out = block(0x0a0d_0d0a, words(&[0x1a2b_3c4d, 1, u32::MAX, u32::MAX]));
    out.extend(block(1, words(&[word(20), 0])));
    let mut at = 24;
    while at < pcap.len() {
        let (secs, micros, len) = (u64::from(word(at)), word(at + 4), word(at + 8));
        let time = secs * 1_000_000 + u64::from(micros);
        let half = |time: u64| u32::try_from(time).unwrap();
        let head = words(&[0, half(time >> 32), half(time & 0xffff_ffff), len, word(at + 12)]);
        let end = at + 16 + len as usize;
        out.extend(block(6, [&head, &pcap[at + 16..end]].concat()));
        at = end;
    }
    out.extend(block(10, [&words(&[0x544c_534b, u32::try_from(keys.len()).unwrap()]), keys].concat()));
    out
}

#[test]
fn secrets_behind_the_packets_open_them() {
    let keys = std::fs::read(key_log(Path::new(SAMPLE)).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("late.pcapng");
    std::fs::write(&file, secrets_last(&std::fs::read(SAMPLE).unwrap(), &keys)).unwrap();
    let read = |options: &[&str]| {
        let output = super::command::command().arg("read").arg(&file).arg("--tls").args(options).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    for options in [&[][..], &["--limit", "max_tls_waiting_bytes=20000"], &["--threads", "2"]] {
        let report = read(options);
        assert!(report.contains("wss://") && !report.contains("tls_undecryptable"), "{report}");
    }
    // In the next file of the input they would be those of others; and without any, that is found out before much waits.
    std::fs::write(&file, secrets_last(&std::fs::read(SAMPLE).unwrap(), b"# none\n")).unwrap();
    assert!(read(&[]).contains("no secret for client random"));
}

/// Where the same cannot be read twice, what comes before the secrets waits, and the finding names the limit.
#[test]
fn in_a_pipe_data_waits_for_secrets_up_to_a_limit_that_is_named() {
    let keys = std::fs::read(key_log(Path::new(SAMPLE)).unwrap()).unwrap();
    let mut bytes = secrets_last(&std::fs::read(SAMPLE).unwrap(), &keys);
    // The secrets stand before the last ten packets.
    let secrets = bytes.split_off(bytes.len() - (20 + keys.len().next_multiple_of(4)));
    let mut blocks = vec![0];
    while let Some(len) = bytes.get(blocks[blocks.len() - 1] + 4..).and_then(|rest| rest.first_chunk()) {
        blocks.push(blocks[blocks.len() - 1] + u32::from_le_bytes(*len) as usize);
    }
    bytes.splice(blocks[blocks.len() - 11]..blocks[blocks.len() - 11], secrets);
    let read = |options: &[&str]| {
        let args = ["read", "-", "--tls"].iter().chain(options);
        super::command::wslens_fed(args, &bytes).ok().text().to_owned()
    };
    let report = read(&[]);
    assert!(report.contains("wss://") && !report.contains("tls_undecryptable"), "{report}");
    for limit in ["max_tls_waiting_bytes=1000", "max_tls_waiting_total_bytes=1000"] {
        let report = read(&["--limit", limit]);
        assert!(report.contains("tls_undecryptable") && report.contains("(max_tls_waiting_bytes)"), "{report}");
    }
}

/// With secrets there is one worker, so it cannot be otherwise; this is the promise.
#[test]
fn more_threads_give_the_same() {
    for sample in super::support::samples() {
        let Some(keys) = key_log(&sample.capture) else { continue };
        let read = |threads: &str| {
            let mut command = super::command::command();
            command
                .arg("read")
                .arg(&sample.capture)
                .args(["--threads", threads, "--report", "json", "--keylog"])
                .arg(&keys);
            let output = command.output().unwrap();
            assert!(output.status.success());
            String::from_utf8(output.stdout).unwrap()
        };
        let one = read("1");
        assert!(one.contains("\"tls\":\"TLSv1."), "{}", sample.name);
        assert_eq!(one, read("2"), "{}", sample.name);
    }
}

/// Through the whole of it: one connection hands on what the next is opened with.
#[test]
fn connections_of_one_capture_share_what_they_are_resumed_by() {
    let Some(server) = Server::start(&[]) else { return };
    let options = ["-tls1_2", "-sess_out", "session"];
    let (first, log, said) = server.talk_and_log(&options, &LINES);
    let (second, ..) = server.talk_and_log(&[&options[..], &["-sess_in", "session"]].concat(), &LINES);
    assert!(said);
    let closed = |connections: &[&Pieces]| {
        let captures = (0..).zip(connections).map(|(port, pieces)| {
            let mut talk = Conversation::from_port(50_000 + port);
            talk.wait_ms(i64::from(port) * 1000).connect();
            for (direction, bytes) in *pieces {
                let from = if *direction == Direction::ToServer { CLIENT } else { SERVER };
                talk.send_pieces(from, bytes, 1400);
            }
            talk.close().capture()
        });
        let folder = super::command::Folder::of(&Capture::merge(captures));
        folder.put("keys", &log);
        folder.run(["talk.pcap", "--keylog", "keys"]).ok().text().to_owned()
    };
    assert!(!closed(&[&first, &second]).contains("stay"), "both are opened");
    assert!(closed(&[&second]).contains("stays closed"), "nothing is known of the first");
}

use super::*;
use crate::http::{H1, H1Event};
use crate::types::{Detail, Direction, FindingCode, Limits, PacketRef, Timestamp};
use crate::websocket::{Deflate, Negotiated};
use FindingCode::{
    AcceptMismatch, AcceptMissing, ExtensionNotOffered, ExtensionParamsInvalid, HandshakeMalformed, KeyInvalid,
    SubprotocolNotOffered, UpgradeIgnored, VersionUnsupported,
};

/// RFC 6455 §1.3.
const REQUEST: &str = "GET /chat HTTP/1.1
Host: server.example.com
Upgrade: websocket
Connection: Upgrade
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
Origin: http://example.com
Sec-WebSocket-Protocol: chat, superchat
Sec-WebSocket-Version: 13
";

/// RFC 6455 §1.3.
const RESPONSE: &str = "HTTP/1.1 101 Switching Protocols
Upgrade: websocket
Connection: Upgrade
Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
Sec-WebSocket-Protocol: chat
";

fn seen(packet: u64) -> PacketRef {
    PacketRef { packet, at: Timestamp::from_nanos(7) }
}

/// Puts the lines of a head on the wire, and reads it.
fn read<T>(direction: Direction, lines: &[u8], mut then: impl FnMut(H1Event<'_>) -> T) -> T {
    let mut bytes = Vec::new();
    lines.split_inclusive(|byte| *byte == b'\n').for_each(|line| {
        bytes.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
        bytes.extend_from_slice(b"\r\n");
    });
    bytes.extend_from_slice(b"\r\n");
    let mut h1 = H1::new(&Limits::default());
    then(h1.next(direction, &mut &bytes[..]).unwrap())
}

fn is_attempt(lines: &str) -> bool {
    read(Direction::ToServer, lines.as_bytes(), |step| match step {
        H1Event::Request { head, .. } => is_websocket_attempt(&head),
        other => panic!("{other:?}"),
    })
}

fn read_request(lines: &[u8]) -> CheckedRequest {
    read(Direction::ToServer, lines, |step| match step {
        H1Event::Request { head, .. } => CheckedRequest::from_head(&head, seen(4)),
        other => panic!("{other:?}"),
    })
}

fn read_response(lines: &[u8]) -> CheckedResponse {
    read(Direction::ToClient, lines, |step| match step {
        H1Event::Response { head, .. } => CheckedResponse::from_head(&head, seen(6)),
        other => panic!("{other:?}"),
    })
}

fn checked(request: &str, response: &str) -> CheckedHandshake {
    check_handshake(Some(read_request(request.as_bytes())), Some(read_response(response.as_bytes())))
}

fn listed(faults: &[HandshakeFault]) -> Vec<(FindingCode, Direction, String)> {
    faults.iter().map(|fault| (fault.code, fault.direction, fault.detail.to_string())).collect()
}

/// One line replaced; nothing stands for its removal, and a missing line for an addition.
fn with(lines: &str, name: &str, replacement: &str) -> String {
    let other = |line: &&str| !line.starts_with(&format!("{name}:"));
    let mut result: String = lines.lines().filter(other).flat_map(|line| [line, "\n"]).collect();
    if !replacement.is_empty() {
        result.push_str(replacement);
        result.push('\n');
    }
    result
}

/// A request that is wrong in this alone, with a right answer.
#[track_caller]
fn wrong_request(request: &str, code: FindingCode, sentence: &str) {
    let response = with(RESPONSE, "Sec-WebSocket-Protocol", "");
    let faults: Vec<_> = listed(&checked(request, &response).faults)
        .into_iter()
        .filter(|(code, ..)| !matches!(code, AcceptMismatch))
        .collect();
    assert_eq!(faults, [(code, Direction::ToServer, sentence.to_owned())], "{request}");
    // A refusal does not take it away.
    let refused = listed(&checked(request, "HTTP/1.1 400 Bad Request\nContent-Length: 0\n").faults);
    assert_eq!(refused, faults, "{request}");
}

/// A 101 that is wrong in this alone.
#[track_caller]
fn wrong_response(response: &str, code: FindingCode, sentence: &str) -> Handshake {
    let CheckedHandshake { handshake, faults } = checked(REQUEST, response);
    assert_eq!(listed(&faults), [(code, Direction::ToClient, sentence.to_owned())], "{response}");
    handshake
}

#[test]
fn the_example_of_rfc_6455() {
    let CheckedHandshake { handshake, faults } = checked(REQUEST, RESPONSE);
    assert_eq!(faults, []);
    assert_eq!(handshake.accept, AcceptCheck::Valid);
    assert_eq!(handshake.negotiated, Negotiated::default());
    let (request, response) = (handshake.request.unwrap(), handshake.response.unwrap());
    assert_eq!(
        request,
        Request {
            seen: seen(4),
            method: "GET".into(),
            target: "/chat".into(),
            http_minor: 1,
            host: Some("server.example.com".into()),
            origin: Some("http://example.com".into()),
            version: Some("13".into()),
            key: Some("dGhlIHNhbXBsZSBub25jZQ==".into()),
            subprotocols: vec!["chat".into(), "superchat".into()],
            ..Request::default()
        }
    );
    assert_eq!(
        response,
        Response {
            seen: seen(6),
            status: 101,
            reason: "Switching Protocols".into(),
            accept: Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".into()),
            subprotocol: Some("chat".into()),
            ..Response::default()
        }
    );
}

#[test]
fn the_accept_of_a_key() {
    assert_eq!(accept_for(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!(accept_for(b"OfMWmQZlMFBWe/o7k1CzZg=="), "PqfV+Vb3mDtpMlZ/bO+GBzyX4N8=");
    assert_eq!(accept_for(b""), "Kfh9QIsMVZcl6xEPYxPHzW8SZ8w=");
}

#[test]
fn all_other_fields_are_recorded() {
    let request = "GET /a?b=c HTTP/1.1
host: [::1]:8080
User-Agent: Ex\u{e9}mple/1
CONNECTION: keep-alive, Upgrade
upgrade: WebSocket
sec-websocket-key: OfMWmQZlMFBWe/o7k1CzZg==
Sec-WebSocket-Version:13
Sec-WebSocket-Protocol: a
Sec-WebSocket-Protocol: b , c
Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-y; z=\"1\"
Sec-WebSocket-Extensions:
 x-z
Cookie: secret=1
Authorization: Basic c2VjcmV0
X-Forwarded-For: 10.0.0.1
";
    let response = "HTTP/1.1 101 Web Socket
Server: nginx
UPGRADE: WebSocket
connection: foo, upgrade
Sec-WebSocket-Accept: PqfV+Vb3mDtpMlZ/bO+GBzyX4N8=
Sec-WebSocket-Protocol: b
Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=10, x-z
";
    let CheckedHandshake { handshake, faults } = checked(request, response);
    assert_eq!(faults, []);
    let deflate = Deflate { client_max_window_bits: 10, ..Deflate::default() };
    assert_eq!(handshake.negotiated, Negotiated { deflate: Some(deflate), unknown: true });
    let (request, response) = (handshake.request.unwrap(), handshake.response.unwrap());
    assert_eq!(request.user_agent.as_deref(), Some("Ex\u{e9}mple/1"));
    assert_eq!(request.subprotocols, ["a", "b", "c"]);
    assert_eq!(request.extensions, ["permessage-deflate; client_max_window_bits", "x-y; z=\"1\"", "x-z"]);
    assert_eq!((request.cookie, request.authorization.as_deref()), (true, Some("Basic")));
    assert_eq!(request.via.as_deref(), Some("10.0.0.1"));
    assert_eq!(response.server.as_deref(), Some("nginx"));
    assert_eq!(response.extensions, ["permessage-deflate; client_max_window_bits=10", "x-z"]);
    // Credentials without a scheme are not shown in its place.
    let bare = read_request(format!("{REQUEST}Authorization: c2VjcmV0\nVia: 1.1 proxy\n").as_bytes()).request;
    assert_eq!((bare.authorization.as_deref(), bare.via.as_deref(), bare.cookie), (Some(""), Some("1.1 proxy"), false));
}

#[test]
fn text_that_is_not_utf8_loses_nothing() {
    let checked = read_request(
        b"GET /\xe9 HTTP/1.1\nHost: \xc3\xa9\nOrigin: \xff\xfe\nUser-Agent: a\n\t b\nUpgrade: websocket\n",
    );
    assert_eq!(checked.request.target, "/\u{e9}");
    assert_eq!(checked.request.host.as_deref(), Some("\u{e9}"));
    assert_eq!(checked.request.origin.as_deref(), Some("\u{ff}\u{fe}"));
    assert_eq!(checked.request.user_agent.as_deref(), Some("a b"));
}

#[test]
fn requests_that_are_attempts_and_requests_that_are_not() {
    assert!(is_attempt(REQUEST));
    for name in ["Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Host"] {
        assert!(is_attempt(&with(REQUEST, name, "")), "{name}");
    }
    for lines in [
        "GET / HTTP/1.1\nUpgrade: WebSocket\n",
        "GET / HTTP/1.1\nUpgrade: h2c, websocket\n",
        "GET / HTTP/1.1\nUpgrade: h2c\nUpgrade: websocket/13\n",
        "POST / HTTP/1.0\nsec-websocket-key: x\n",
        "GET / HTTP/1.1\nSec-WebSocket-Version: 8\n",
        "GET / HTTP/1.1\nConnection: Upgrade\nSec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\n",
    ] {
        assert!(is_attempt(lines), "{lines}");
    }
    for lines in [
        "GET / HTTP/1.1\nHost: a\n",
        "GET / HTTP/1.1\nUpgrade: h2c\nConnection: Upgrade, HTTP2-Settings\n",
        "GET / HTTP/1.1\nConnection: websocket\nUpgrade-Insecure-Requests: 1\nSec-Fetch-Mode: websocket\n",
        "GET / HTTP/1.1\nUpgrade: websockets\n",
        "GET / HTTP/1.1\nSec-WebSocket-Protocol: x\n",
        "CONNECT a:80 HTTP/1.1\nHost: a:80\n",
    ] {
        assert!(!is_attempt(lines), "{lines}");
    }
}

#[test]
fn requests_that_are_malformed() {
    for (request, sentence) in [
        (REQUEST.replacen("GET", "POST", 1), "the method is POST, not GET"),
        (REQUEST.replacen("GET", "get", 1), "the method is get, not GET"),
        (REQUEST.replacen("HTTP/1.1", "HTTP/1.0", 1), "HTTP/1.0 is too old"),
        (with(REQUEST, "Host", ""), "Host is absent"),
        (with(REQUEST, "Host", "Host: a\nHost: a"), "Host is repeated"),
        (with(REQUEST, "Upgrade", ""), "Upgrade is absent"),
        (with(REQUEST, "Upgrade", "Upgrade: h2c"), "Upgrade is h2c, without websocket"),
        (with(REQUEST, "Connection", ""), "Connection is absent"),
        (with(REQUEST, "Connection", "Connection: keep-alive"), "Connection is keep-alive, without Upgrade"),
        (with(REQUEST, "Sec-WebSocket-Key", ""), "Sec-WebSocket-Key is absent"),
        (format!("{REQUEST}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n"), "Sec-WebSocket-Key is repeated"),
        (with(REQUEST, "Sec-WebSocket-Version", ""), "Sec-WebSocket-Version is absent"),
        (format!("{REQUEST}sec-websocket-version: 13\n"), "Sec-WebSocket-Version is repeated"),
        (format!("{REQUEST}Sec-WebSocket-Protocol: chat\n"), "Sec-WebSocket-Protocol: chat is repeated"),
        (format!("{REQUEST}Sec-WebSocket-Protocol: a b\n"), "Sec-WebSocket-Protocol: a b is no token"),
    ] {
        wrong_request(&request, HandshakeMalformed, sentence);
    }
}

#[test]
fn keys_that_are_not_16_bytes_of_base64() {
    for (key, sentence) in [
        ("", "0 characters, not 24"),
        ("c2hvcnQ=", "8 characters, not 24"),
        ("dGhlIHNhbXBsZSBub25jZQ", "22 characters, not 24"),
        ("dGhlIHNhbXBsZSBub25jZXh5", "base64 of 18 bytes, not 16"),
        ("dGhlIHNhbXBsZSBub25jZXg=", "base64 of 17 bytes, not 16"),
        ("dGhlIHNhbXBsZSBub25jZR==", "not the base64 of 16 bytes"),
        ("dGhlIHNhbXBsZSBub2_jZQ==", "not the base64 of 16 bytes"),
        ("dGhlIHNhbXBsZSBub25 ZQ==", "not the base64 of 16 bytes"),
    ] {
        wrong_request(&with(REQUEST, "Sec-WebSocket-Key", &format!("Sec-WebSocket-Key: {key}")), KeyInvalid, sentence);
    }
}

#[test]
fn versions_other_than_13() {
    for version in ["8", "0", "013", "13, 8", ""] {
        let request = with(REQUEST, "Sec-WebSocket-Version", &format!("Sec-WebSocket-Version: {version}"));
        wrong_request(&request, VersionUnsupported, &format!("version {version}"));
    }
}

#[test]
fn offers_with_wrong_parameters() {
    let request = format!("{REQUEST}Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits\n");
    wrong_request(&request, ExtensionParamsInvalid, "offer: server_max_window_bits has no value");
}

#[test]
fn requests_that_are_right_in_unusual_ways() {
    for request in [
        with(REQUEST, "Connection", "Connection: keep-alive, Upgrade"),
        with(REQUEST, "Connection", "Connection: keep-alive\nConnection: upgrade"),
        with(REQUEST, "Upgrade", "upgrade: WebSocket"),
        with(REQUEST, "Upgrade", "Upgrade: h2c, websocket"),
        with(REQUEST, "Origin", ""),
        with(REQUEST, "Host", "Host:"),
        with(REQUEST, "Sec-WebSocket-Version", "Sec-WebSocket-Version:  13\t"),
        REQUEST.replacen("/chat", "http://server.example.com/chat", 1),
        format!("{REQUEST}Sec-WebSocket-Protocol: third, authorization.bearer.eyJ.x-_\n"),
        format!("{REQUEST}Sec-WebSocket-Extensions: permessage-deflate\nSec-WebSocket-Extensions: x; y\n"),
        format!("{REQUEST}Content-Length: 0\n"),
    ] {
        assert_eq!(listed(&checked(&request, RESPONSE).faults), [], "{request}");
    }
}

#[test]
fn responses_that_are_malformed() {
    for (response, sentence) in [
        (with(RESPONSE, "Upgrade", ""), "Upgrade is absent"),
        (with(RESPONSE, "Upgrade", "Upgrade: h2c"), "Upgrade is h2c, not websocket"),
        (with(RESPONSE, "Upgrade", "Upgrade: websocket, h2c"), "Upgrade is websocket, h2c, not websocket"),
        (with(RESPONSE, "Upgrade", "Upgrade: websocket\nUpgrade: websocket"), "Upgrade is repeated"),
        (with(RESPONSE, "Connection", ""), "Connection is absent"),
        (with(RESPONSE, "Connection", "Connection: close"), "Connection is close, without Upgrade"),
        (format!("{RESPONSE}Sec-WebSocket-Accept: x\n"), "Sec-WebSocket-Accept is repeated"),
        (format!("{RESPONSE}Sec-WebSocket-Protocol: superchat\n"), "Sec-WebSocket-Protocol is repeated"),
    ] {
        let handshake = wrong_response(&response, HandshakeMalformed, sentence);
        assert_eq!(handshake.accept, AcceptCheck::Valid);
    }
    let request = format!("{REQUEST}Sec-WebSocket-Extensions: a, b\n");
    let response = format!("{RESPONSE}Sec-WebSocket-Extensions: a\nSec-WebSocket-Extensions: b\n");
    let faults = listed(&checked(&request, &response).faults);
    assert_eq!(faults, [(HandshakeMalformed, Direction::ToClient, "Sec-WebSocket-Extensions is repeated".to_owned())]);
}

#[test]
fn accepts_that_are_wrong_or_missing() {
    // PEERS W13.
    for accept in ["s3pPLMBiTxaQ9kYGzzhZRbK+xOO=", "S3PPLMBITXAQ9KYGZZHZRBK+XOO=", "x"] {
        let response = with(RESPONSE, "Sec-WebSocket-Accept", &format!("Sec-WebSocket-Accept: {accept}"));
        let sentence = format!("{accept}, not s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(wrong_response(&response, AcceptMismatch, &sentence).accept, AcceptCheck::Mismatch);
    }
    let response = with(RESPONSE, "Sec-WebSocket-Accept", "");
    assert_eq!(wrong_response(&response, AcceptMissing, "").accept, AcceptCheck::Missing);
    // The accept belongs to the key as it stands there, be that one wrong.
    let request = with(REQUEST, "Sec-WebSocket-Key", "Sec-WebSocket-Key: short");
    let response = with(RESPONSE, "Sec-WebSocket-Accept", &format!("Sec-WebSocket-Accept: {}", accept_for(b"short")));
    let checked = checked(&request, &response);
    assert_eq!((checked.handshake.accept, checked.faults.len()), (AcceptCheck::Valid, 1));
    // And to its bytes, not to the text that is made of them.
    let request = [with(REQUEST, "Sec-WebSocket-Key", "").as_bytes(), b"Sec-WebSocket-Key: \xff\xfe\n"].concat();
    let accept = format!("Sec-WebSocket-Accept: {}", accept_for(b"\xff\xfe"));
    let response = with(RESPONSE, "Sec-WebSocket-Accept", &accept);
    let checked = check_handshake(Some(read_request(&request)), Some(read_response(response.as_bytes())));
    assert_eq!(checked.handshake.accept, AcceptCheck::Valid);
}

#[test]
fn subprotocols_that_were_not_offered() {
    for (name, sentence) in
        [("other", "other"), ("Chat", "Chat"), ("chat, superchat", "chat, superchat"), ("", "an empty name")]
    {
        let response = with(RESPONSE, "Sec-WebSocket-Protocol", &format!("Sec-WebSocket-Protocol: {name}"));
        let handshake = wrong_response(&response, SubprotocolNotOffered, sentence);
        assert_eq!(handshake.response.unwrap().subprotocol, Some(name.to_owned()).filter(|name| !name.is_empty()));
    }
    let request = with(REQUEST, "Sec-WebSocket-Protocol", "");
    assert_eq!(checked(&request, RESPONSE).faults[0].code, SubprotocolNotOffered);
    // None has to be chosen.
    assert_eq!(checked(REQUEST, &with(RESPONSE, "Sec-WebSocket-Protocol", "")).faults, []);
}

#[test]
fn extensions_that_were_not_offered_or_not_with_these_parameters() {
    let response = format!("{RESPONSE}Sec-WebSocket-Extensions: permessage-deflate\n");
    let handshake = wrong_response(&response, ExtensionNotOffered, "permessage-deflate");
    assert_eq!(handshake.negotiated.deflate, Some(Deflate::default()));
    let request = format!("{REQUEST}Sec-WebSocket-Extensions: permessage-deflate\n");
    let response = format!("{RESPONSE}Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=9\n");
    let checked = checked(&request, &response);
    let sentence = "client_max_window_bits is in the answer and not in the offer".to_owned();
    assert_eq!(listed(&checked.faults), [(ExtensionParamsInvalid, Direction::ToClient, sentence)]);
}

#[test]
fn refusals_are_checked_by_their_status_alone() {
    let wrong = "Upgrade: h2c\nSec-WebSocket-Protocol: other\nSec-WebSocket-Accept: x\nSec-WebSocket-Extensions: permessage-deflate\n";
    for status in ["400 Bad Request", "401 Unauthorized", "302 Found", "426 Upgrade Required", "503 Busy", "199 Odd"] {
        // 199 is interim; its head alone is checked like any other.
        let checked = checked(REQUEST, &format!("HTTP/1.1 {status}\n{wrong}"));
        assert_eq!(checked.faults, [], "{status}");
        assert_eq!((checked.handshake.accept, checked.handshake.negotiated.deflate), (AcceptCheck::Unknown, None));
    }
    for status in [200, 204, 299] {
        let faults = checked(REQUEST, &format!("HTTP/1.1 {status} OK\n{wrong}")).faults;
        let detail = Detail::Number("status #", status);
        assert_eq!(faults, [HandshakeFault { code: UpgradeIgnored, direction: Direction::ToClient, detail }]);
    }
    // What did not ask for an upgrade cannot be ignored.
    let faults = checked(&with(REQUEST, "Upgrade", ""), "HTTP/1.1 200 OK\n").faults;
    assert_eq!(faults.iter().map(|fault| fault.code).collect::<Vec<_>>(), [HandshakeMalformed]);
    let refused =
        checked(REQUEST, "HTTP/1.1 426 X\nSec-WebSocket-Version: 13\nSec-WebSocket-Version: 8, 7\nLocation: /\n");
    let response = refused.handshake.response.unwrap();
    assert_eq!((response.version.as_deref(), response.location.as_deref()), (Some("13, 8, 7"), Some("/")));
}

#[test]
fn one_side_is_enough() {
    let only_request = check_handshake(Some(read_request(with(REQUEST, "Host", "").as_bytes())), None);
    assert_eq!((only_request.faults.len(), only_request.handshake.response), (1, None));
    assert_eq!(only_request.handshake.accept, AcceptCheck::Unknown);
    let response = format!("{RESPONSE}Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\n");
    let only_response = check_handshake(None, Some(read_response(response.as_bytes())));
    assert_eq!((only_response.faults, only_response.handshake.accept), (vec![], AcceptCheck::Unknown));
    assert!(only_response.handshake.negotiated.deflate.unwrap().server_no_context_takeover);
    let only_response =
        check_handshake(None, Some(read_response(with(RESPONSE, "Sec-WebSocket-Accept", "").as_bytes())));
    assert_eq!(only_response.handshake.accept, AcceptCheck::Missing);
    assert_eq!(check_handshake(None, None), CheckedHandshake::default());
}

#[test]
fn a_head_that_was_cut_off_is_not_blamed_for_what_it_lacks() {
    let cut = |direction, bytes: &[u8]| -> (Option<CheckedRequest>, Option<CheckedResponse>) {
        let mut h1 = H1::new(&Limits::default());
        assert!(h1.next(direction, &mut &bytes[..]).is_none());
        match h1.gap(direction, Some(9)) {
            Some(H1Event::Request { head, .. }) => (Some(CheckedRequest::from_head(&head, seen(1))), None),
            Some(H1Event::Response { head, .. }) => (None, Some(CheckedResponse::from_head(&head, seen(2)))),
            _ => (None, None),
        }
    };
    let (request, response) = (REQUEST.replace('\n', "\r\n"), RESPONSE.replace('\n', "\r\n"));
    for len in "GET /chat HTTP/1.1\r".len()..request.len() {
        let (request_read, _) = cut(Direction::ToServer, &request.as_bytes()[..len]);
        let checked = check_handshake(request_read, Some(read_response(RESPONSE.as_bytes())));
        assert_eq!((checked.faults, checked.handshake.request.unwrap().target.as_str()), (vec![], "/chat"), "{len}");
    }
    for len in "HTTP/1.1 101".len()..response.len() {
        let (_, response_read) = cut(Direction::ToClient, &response.as_bytes()[..len]);
        let checked = check_handshake(Some(read_request(REQUEST.as_bytes())), response_read);
        assert_eq!((checked.faults, checked.handshake.response.unwrap().status), (vec![], 101), "{len}");
    }
}

#[test]
fn requests_that_real_servers_refuse_are_attempts() {
    // As scripted in a capture of ws and websockets: each wrong in one thing.
    let base = "GET /r/x HTTP/1.1\nHost: ws.example.test\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13\n";
    for (request, code) in [
        (with(base, "Sec-WebSocket-Version", "Sec-WebSocket-Version: 8"), VersionUnsupported),
        (with(base, "Sec-WebSocket-Key", ""), HandshakeMalformed),
        (with(base, "Sec-WebSocket-Key", "Sec-WebSocket-Key: c2hvcnQ="), KeyInvalid),
        (with(base, "Sec-WebSocket-Version", ""), HandshakeMalformed),
        (with(base, "Connection", ""), HandshakeMalformed),
        (with(base, "Upgrade", ""), HandshakeMalformed),
        (base.replacen("GET", "POST", 1), HandshakeMalformed),
        (base.replacen("HTTP/1.1", "HTTP/1.0", 1), HandshakeMalformed),
    ] {
        assert!(is_attempt(&request), "{request}");
        let faults = check_handshake(Some(read_request(request.as_bytes())), None).faults;
        assert_eq!(faults.iter().map(|fault| fault.code).collect::<Vec<_>>(), [code], "{request}");
    }
}

#[test]
fn details_stay_short() {
    let request = with(REQUEST, "Upgrade", &format!("Upgrade: {}", "\u{e9}x".repeat(5000)));
    let faults = check_handshake(Some(read_request(request.as_bytes())), None).faults;
    assert!(faults.iter().all(|fault| fault.detail.to_string().chars().count() < 200));
}

#[test]
fn thousands_of_faults_are_counted() {
    let request = with(REQUEST, "Sec-WebSocket-Protocol", &format!("Sec-WebSocket-Protocol: {}", "a,".repeat(5000)));
    let faults = check_handshake(Some(read_request(request.as_bytes())), None).faults;
    assert_eq!(faults.len(), 101);
    assert_eq!(faults.last().unwrap().detail, Detail::Number("# further faults", 4999 - 100));
}

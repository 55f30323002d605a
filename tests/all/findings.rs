//! Every finding that HTTP/1.1 traffic can produce: that it is made, where it is made, and that its near misses are not.
//!
//! Packets 1 to 5 of most conversations here are SYN, SYN-ACK, ACK, request, 101 (see [`Conversation`](crate::common::Conversation)).

use wslens::analyzer::{Demand, Options};
use wslens::types::Direction::{ToClient, ToServer};
use wslens::types::{FindingCode, Limits, Role};

use crate::common::{
    ACK, CLIENT, Conversation, Deflater, FixedBlock, Frame, KEY, PSH, Recorder, Reply, SERVER, Upgrade, accept, h2,
    run, run_with, stored,
};

/// The findings of a conversation, exactly these.
#[track_caller]
fn finds(talk: &Conversation, expected: &[&str]) -> Recorder {
    let told = talk.run();
    assert_eq!(told.lines(), expected);
    told
}

/// The findings of a handshake, exactly these.
#[track_caller]
fn judged(request: &Upgrade, reply: &Reply, expected: &[&str]) {
    finds(Conversation::upgraded(request, reply).close(), expected);
}

/// The findings of frames that one side sends after an ordinary upgrade, a packet each, from packet 6 on.
#[track_caller]
fn sends(from: Role, frames: &[Frame], expected: &[&str]) -> Recorder {
    let mut talk = Conversation::open();
    for frame in frames {
        talk.frame(from, frame.clone());
    }
    finds(&talk, expected)
}

/// Codes that the traffic of these tests cannot produce yet.
const LATER: [&str; 9] = [
    "resynchronized",
    "midstream",
    "cross_origin",
    "cleartext_credentials",
    "token_in_url",
    "masking_key_weak",
    "tunnel_detected",
    "tls_undecryptable",
    "tls_record_rejected",
];

#[test]
fn every_code_has_a_test_here() {
    let source = include_str!("findings.rs");
    for code in FindingCode::ALL {
        let name = code.as_str();
        let line = [format!("\"{name} c2s packet"), format!("\"{name} s2c packet")];
        let tested = line.iter().any(|line| source.contains(line));
        assert_eq!(tested, !LATER.contains(&name), "{name}");
    }
}

#[test]
fn severities_are_those_of_the_contract() {
    let notes = [
        "control_after_close",
        "inflate_context_lost",
        "tcp_gap",
        "resynchronized",
        "truncated_frame",
        "midstream",
        "unanswered_ping",
        "unsolicited_pong",
        "tls_undecryptable",
    ];
    let warnings = [
        "inflate_ratio",
        "tcp_overlap_conflict",
        "http_after_upgrade",
        "upgrade_ignored",
        "cross_origin",
        "cleartext_credentials",
        "token_in_url",
        "masking_key_weak",
        "tunnel_detected",
        "tls_record_rejected",
        "http2_flood",
    ];
    for code in FindingCode::ALL {
        let name = code.as_str();
        let expected = match name {
            _ if notes.contains(&name) => "note",
            _ if warnings.contains(&name) => "warning",
            _ => "error",
        };
        assert_eq!(code.severity().as_str(), expected, "{name}");
        assert!(code.reference().starts_with("RFC ") && code.reference().contains(" §"), "{name}");
    }
}

/// A WebSocket on stream 1 of an HTTP/2 connection, and what the client sends then, in packet 8. More of both is in
/// `http2.rs`.
#[track_caller]
fn in_http2(bytes: &[u8], expected: &[&str]) {
    let mut talk = Conversation::connected();
    talk.client(h2::preface()).server(h2::announce());
    talk.client(h2::connect(1, &[])).server(h2::answer(1, "200", &[])).client(bytes);
    finds(&talk, expected);
}

#[test]
fn http2_around_the_websocket() {
    // A PING of 7 bytes; a frame of the type that nobody knows may have any length.
    in_http2(&h2::frame(6, 0, 0, [0; 7]), &["http2_error c2s packet 8"]);
    in_http2(&h2::frame(200, 0, 0, [0; 7]), &[]);
    in_http2(&h2::frame(6, 0, 0, [0; 8]).repeat(1000), &["http2_flood c2s packet 8"]);
    in_http2(&h2::frame(6, 0, 0, [0; 8]).repeat(999), &[]);
}

#[test]
fn an_ordinary_conversation_has_no_finding() {
    let mut talk = Conversation::open();
    talk.client_frame(Frame::text("hello")).server_frame(Frame::binary([0, 0xff])).close();
    let told = finds(&talk, &[]);
    assert_eq!((told.upgraded(), told.messages.len(), told.frames.len()), (1, 4, 4));
    let summary = told.summary();
    assert_eq!((summary.outcome.as_str(), summary.close_code, summary.clean), ("closed", Some(1000), Some(true)));
}

// --- the opening handshake

#[test]
fn accept_mismatch() {
    let other = accept("another key");
    judged(&Upgrade::new(), &Reply::new().set("Sec-WebSocket-Accept", &other), &["accept_mismatch s2c packet 5"]);
    // base64 minds case.
    let lower = accept(KEY).to_lowercase();
    judged(&Upgrade::new(), &Reply::new().set("Sec-WebSocket-Accept", &lower), &["accept_mismatch s2c packet 5"]);
    // The vector of the mission's page.
    let key = "OfMWmQZlMFBWe/o7k1CzZg==";
    let reply = Reply::new().set("Sec-WebSocket-Accept", "PqfV+Vb3mDtpMlZ/bO+GBzyX4N8=");
    judged(&Upgrade::new().set("Sec-WebSocket-Key", key), &reply, &[]);
    // Space around a value is none of it (RFC 9112 §5).
    judged(&Upgrade::new(), &Reply::new().set("Sec-WebSocket-Accept", &format!("  {}\t ", accept(KEY))), &[]);
}

#[test]
fn accept_missing() {
    judged(&Upgrade::new(), &Reply::new().without("Sec-WebSocket-Accept"), &["accept_missing s2c packet 5"]);
    let lower = Reply::new().without("Sec-WebSocket-Accept").with("sec-websocket-accept", &accept(KEY));
    judged(&Upgrade::new(), &lower, &[]);
}

#[test]
fn key_invalid() {
    for key in [
        "c2hvcnQ=",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZSE=",
        "not base64 at all!!!!!!!",
        "dGhlIHNhbXBsZSBub25jZQ=!",
    ] {
        let reply = Reply::new().set("Sec-WebSocket-Accept", &accept(key));
        judged(&Upgrade::new().set("Sec-WebSocket-Key", key), &reply, &["key_invalid c2s packet 4"]);
    }
    for key in ["AAAAAAAAAAAAAAAAAAAAAA==", "/////////////////////w=="] {
        let reply = Reply::new().set("Sec-WebSocket-Accept", &accept(key));
        judged(&Upgrade::new().set("Sec-WebSocket-Key", key), &reply, &[]);
    }
}

#[test]
fn version_unsupported() {
    for version in ["8", "12", "14", "013", "13, 8"] {
        let request = Upgrade::new().set("Sec-WebSocket-Version", version);
        judged(&request, &Reply::new(), &["version_unsupported c2s packet 4"]);
    }
}

#[test]
fn handshake_malformed_request() {
    let wrong = ["handshake_malformed c2s packet 4"];
    judged(&Upgrade::new().line("POST /chat HTTP/1.1").with("Content-Length", "0"), &Reply::new(), &wrong);
    judged(&Upgrade::new().line("GET /chat HTTP/1.0"), &Reply::new(), &wrong);
    judged(&Upgrade::new().without("Host"), &Reply::new(), &wrong);
    judged(&Upgrade::new().with("Host", "other.example"), &Reply::new(), &wrong);
    judged(&Upgrade::new().without("Upgrade"), &Reply::new(), &wrong);
    judged(&Upgrade::new().without("Connection"), &Reply::new(), &wrong);
    judged(&Upgrade::new().set("Connection", "keep-alive"), &Reply::new(), &wrong);
    judged(&Upgrade::new().with("Sec-WebSocket-Key", KEY), &Reply::new(), &wrong);
    judged(&Upgrade::new().without("Sec-WebSocket-Version"), &Reply::new(), &wrong);
    judged(&Upgrade::new().with("Sec-WebSocket-Version", "13"), &Reply::new(), &wrong);
    let keyless = Upgrade::new().without("Sec-WebSocket-Key");
    finds(Conversation::upgraded(&keyless, &Reply::new()).close(), &wrong);
    judged(&Upgrade::new().with("Sec-WebSocket-Protocol", "chat, chat"), &Reply::new(), &wrong);
}

#[test]
fn handshake_malformed_reply() {
    let wrong = ["handshake_malformed s2c packet 5"];
    judged(&Upgrade::new(), &Reply::new().without("Upgrade"), &wrong);
    judged(&Upgrade::new(), &Reply::new().set("Upgrade", "websockets"), &wrong);
    judged(&Upgrade::new(), &Reply::new().without("Connection"), &wrong);
    judged(&Upgrade::new(), &Reply::new().set("Connection", "close"), &wrong);
    judged(&Upgrade::new(), &Reply::new().with("Sec-WebSocket-Accept", &accept(KEY)), &wrong);
}

#[test]
fn handshakes_that_only_look_malformed() {
    let fine = Reply::new();
    judged(&Upgrade::new().set("Connection", "keep-alive, upgrade"), &fine, &[]);
    judged(&Upgrade::new().set("Connection", "keep-alive").with("Connection", "Upgrade"), &fine, &[]);
    judged(&Upgrade::new().set("Upgrade", "WebSocket"), &fine, &[]);
    judged(&Upgrade::new().set("Upgrade", "h2c, websocket"), &fine, &[]);
    judged(&Upgrade::new().without("Host").with("HOST", "server.example"), &fine, &[]);
    judged(&Upgrade::new().line("GET http://server.example/chat HTTP/1.1"), &fine, &[]);
    judged(&Upgrade::new(), &fine.clone().set("Upgrade", "WEBSOCKET").set("Connection", "upgrade"), &[]);
    judged(&Upgrade::new(), &fine.with("Connection", "keep-alive"), &[]);
}

#[test]
fn subprotocol_not_offered() {
    let asks = |names: &str| Upgrade::new().with("Sec-WebSocket-Protocol", names);
    let answers = |name: &str| Reply::new().with("Sec-WebSocket-Protocol", name);
    let wrong = ["subprotocol_not_offered s2c packet 5"];
    judged(&Upgrade::new(), &answers("chat"), &wrong);
    judged(&asks("chat, superchat"), &answers("mqtt"), &wrong);
    judged(&asks("chat"), &answers("Chat"), &wrong);
    judged(&asks("chat, superchat"), &answers("chat, superchat"), &wrong);
    judged(&asks("chat, superchat"), &answers("superchat"), &[]);
    judged(&asks("chat").with("Sec-WebSocket-Protocol", "superchat"), &answers("superchat"), &[]);
    judged(&asks("chat"), &Reply::new(), &[]);
}

#[test]
fn extension_not_offered() {
    let asks = |offers: &str| Upgrade::new().with("Sec-WebSocket-Extensions", offers);
    let answers = |chosen: &str| Reply::new().with("Sec-WebSocket-Extensions", chosen);
    let wrong = ["extension_not_offered s2c packet 5"];
    judged(&Upgrade::new(), &answers("permessage-deflate"), &wrong);
    judged(&asks("permessage-deflate"), &answers("x-webkit-deflate-frame"), &wrong);
    judged(&asks("foo, permessage-deflate; client_max_window_bits"), &answers("permessage-deflate"), &[]);
    judged(&asks("foo").with("Sec-WebSocket-Extensions", "permessage-deflate"), &answers("permessage-deflate"), &[]);
    judged(&asks("permessage-deflate"), &Reply::new(), &[]);
}

#[test]
fn extension_params_invalid_in_the_answer() {
    let wrong = ["extension_params_invalid s2c packet 5"];
    let offer = "; client_max_window_bits; server_max_window_bits=12";
    for answer in [
        "; server_max_window_bits=7",
        "; server_max_window_bits=12; server_max_window_bits=12",
        "; server_max_window_bits=12; client_max_window_bits=16",
        "; server_max_window_bits=12; client_max_window_bits=08",
        "; server_max_window_bits=12; client_max_window_bits",
        "; server_max_window_bits=12; server_no_context_takeover=1",
        "; server_max_window_bits=12; unknown",
        "; server_max_window_bits=13",
        "",
    ] {
        finds(Conversation::deflate_as(offer, answer).close(), &wrong);
    }
    // A client that did not offer the parameter cannot be asked to keep to it (RFC 7692 §7.1.2.2).
    finds(Conversation::deflate_as("", "; client_max_window_bits=10").close(), &wrong);
    // "A server accepts […] by including" it (RFC 7692 §7.1.1.1).
    finds(Conversation::deflate_as("; server_no_context_takeover", "").close(), &wrong);
    for (offer, answer) in [
        ("; client_max_window_bits", "; client_max_window_bits=8"),
        ("; client_max_window_bits", ""),
        ("; server_max_window_bits=12", "; server_max_window_bits=8"),
        ("", "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9"),
        ("; client_no_context_takeover", ""),
        ("; client_max_window_bits=\"10\"", "; client_max_window_bits=\"9\""),
    ] {
        finds(Conversation::deflate_as(offer, answer).close(), &[]);
    }
}

#[test]
fn extension_params_invalid_in_the_offer() {
    for offer in ["; client_max_window_bits=7", "; server_max_window_bits", "; server_no_context_takeover=yes"] {
        let request = Upgrade::new().with("Sec-WebSocket-Extensions", &format!("permessage-deflate{offer}"));
        judged(&request, &Reply::new(), &["extension_params_invalid c2s packet 4"]);
    }
}

#[test]
fn upgrade_ignored() {
    let mut talk = Conversation::upgraded(&Upgrade::new(), &Reply::status(200));
    let told = finds(talk.fin(CLIENT).fin(SERVER), &["upgrade_ignored s2c packet 5"]);
    assert_eq!((told.refused(), told.upgraded(), told.summary().outcome.as_str()), (1, 0, "rejected"));
    for status in [204, 206] {
        finds(&Conversation::upgraded(&Upgrade::new(), &Reply::status(status)), &["upgrade_ignored s2c packet 5"]);
    }
    for status in [301, 400, 401, 403, 404, 426, 500, 503] {
        let told = finds(&Conversation::upgraded(&Upgrade::new(), &Reply::status(status)), &[]);
        assert_eq!(told.refused(), 1, "{status}");
    }
}

/// Two requests at once, and both refusals in one segment: each answers its own.
#[test]
fn refusals_in_one_segment() {
    let request = |path: &str| Upgrade::new().line(&format!("GET /{path} HTTP/1.1")).bytes();
    let refusal = |status| Reply::status(status).with("Content-Length", "0").bytes();
    let mut talk = Conversation::connected();
    talk.client([request("one"), request("two")].concat()).server([refusal(403), refusal(404)].concat());
    talk.fin(SERVER).fin(CLIENT);
    let told = talk.run();
    let answers = told.closed.iter().map(|(_, summary)| {
        let (request, response) = (summary.handshake.request.as_ref(), summary.handshake.response.as_ref());
        (request.map(|it| it.target.as_str()), response.map(|it| it.status))
    });
    assert_eq!(answers.collect::<Vec<_>>(), [(Some("/one"), Some(403)), (Some("/two"), Some(404))]);
}

#[test]
fn http_after_upgrade() {
    let request = "GET /admin HTTP/1.1\r\nHost: server.example\r\n\r\n";
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let mut talk = Conversation::open();
    let told = finds(
        talk.client(request).server(answer).fin(CLIENT),
        &["http_after_upgrade c2s packet 6", "http_after_upgrade s2c packet 7"],
    );
    assert!(told.frames.is_empty(), "no frames are made up of HTTP");
    // A text frame that quotes HTTP is a text frame.
    let mut talk = Conversation::open();
    finds(talk.client_frame(Frame::text(request)).server_frame(Frame::text(answer)).close(), &[]);
}

// --- frames

#[test]
fn unmasked_client_frame() {
    let frame = || Frame::text("x").unmasked();
    let told = sends(CLIENT, &[Frame::text("a"), frame()], &["unmasked_client_frame c2s packet 7 frame 1 message 1"]);
    assert_eq!(told.frames[1].codes, ["unmasked_client_frame"]);
    assert_eq!(told.messages[1].codes, ["unmasked_client_frame"]);
    sends(SERVER, &[frame()], &[]);
    // A key of zeros is a key.
    sends(CLIENT, &[Frame::text("x").masked([0; 4])], &[]);
}

#[test]
fn masked_server_frame() {
    let told = sends(
        SERVER,
        &[Frame::text("x").masked([1, 2, 3, 4])],
        &["masked_server_frame s2c packet 6 frame 0 message 0"],
    );
    assert_eq!(told.contents(ToClient), [b"x"]);
    sends(CLIENT, &[Frame::text("x").masked([1, 2, 3, 4])], &[]);
}

#[test]
fn rsv_bits() {
    for bits in 1..8 {
        sends(SERVER, &[Frame::text("x").rsv(bits)], &["rsv_bits s2c packet 6 frame 0 message 0"]);
    }
    // RFC 7692 §6: on the first frame of a data message alone.
    let mut deflater = Deflater::new(true);
    let packed = deflater.message("hello hello hello");
    let (head, tail) = packed.split_at(3);
    let mut talk = Conversation::deflate("");
    talk.client_frame(Frame::text(head).compressed().more())
        .client_frame(Frame::ping("p").compressed())
        .client_frame(Frame::continuation(tail).compressed())
        .server_frame(Frame::pong("p"))
        .server_frame(Frame::text(Deflater::new(true).message("fine")).compressed())
        .server_frame(Frame::text("fine, too"))
        .server_frame(Frame::text(Deflater::new(true).message("x")).rsv(6));
    finds(
        &talk,
        &[
            "rsv_bits c2s packet 7 frame 1 message 0",
            "rsv_bits c2s packet 8 frame 2 message 1",
            "rsv_bits s2c packet 12 frame 6 message 5",
        ],
    );
}

#[test]
fn reserved_opcode() {
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        let told =
            sends(SERVER, &[Frame::new(opcode, "x"), Frame::text("y")], &["reserved_opcode s2c packet 6 frame 0"]);
        assert_eq!((told.frames.len(), told.messages.len()), (2, 1), "opcode {opcode}: a frame, and no message");
    }
}

#[test]
fn length_not_minimal() {
    let wrong = ["length_not_minimal s2c packet 6 frame 0 message 0"];
    for (len, width) in [(0, 2), (125, 2), (0, 8), (125, 8), (126, 8), (0xffff, 8)] {
        let mut talk = Conversation::open();
        let bytes = Frame::binary(vec![0; len]).width(width).bytes(SERVER);
        finds(talk.send_pieces(SERVER, &bytes, 60_000), &wrong);
    }
    for len in [0, 125, 126, 0xffff, 0x1_0000] {
        let mut talk = Conversation::open();
        finds(talk.send_pieces(SERVER, &Frame::binary(vec![0; len]).bytes(SERVER), 60_000), &[]);
    }
}

#[test]
fn length_too_large() {
    for len in [1 << 63, u64::MAX] {
        let told = sends(
            SERVER,
            &[Frame::binary("x").declared(len)],
            &["length_too_large s2c packet 6 frame 0 message 0", "truncated_frame s2c packet 6 frame 0 message 0"],
        );
        assert_eq!(told.frames[0].header.payload_len, len);
    }
    sends(SERVER, &[Frame::binary("x").declared((1 << 63) - 1)], &["truncated_frame s2c packet 6 frame 0 message 0"]);
}

#[test]
fn control_too_long() {
    sends(
        CLIENT,
        &[Frame::pong(vec![0; 126])],
        &["control_too_long c2s packet 6 frame 0 message 0", "unsolicited_pong c2s packet 6 frame 0 message 0"],
    );
    let reason = "r".repeat(124);
    sends(SERVER, &[Frame::close(1000, &reason)], &["control_too_long s2c packet 6 frame 0 message 0"]);
    sends(SERVER, &[Frame::close(1000, &reason[..123])], &[]);
}

#[test]
fn control_fragmented() {
    sends(SERVER, &[Frame::close(1000, "").more()], &["control_fragmented s2c packet 6 frame 0 message 0"]);
    // It ends nothing and opens nothing.
    let told = sends(
        SERVER,
        &[Frame::text("a").more(), Frame::pong("").more(), Frame::continuation("b")],
        &["control_fragmented s2c packet 7 frame 1 message 0", "unsolicited_pong s2c packet 7 frame 1 message 0"],
    );
    assert_eq!(told.messages[1].content, b"ab");
}

#[test]
fn unexpected_continuation() {
    let told =
        sends(SERVER, &[Frame::continuation("x"), Frame::text("y")], &["unexpected_continuation s2c packet 6 frame 0"]);
    assert_eq!((told.frames.len(), told.messages.len()), (2, 1));
    // The other direction's message is none of this direction's.
    let mut talk = Conversation::open();
    talk.client_frame(Frame::text("a").more())
        .server_frame(Frame::continuation("b"))
        .client_frame(Frame::continuation("c"));
    finds(&talk, &["unexpected_continuation s2c packet 7 frame 1"]);
    sends(SERVER, &[Frame::text("a").more(), Frame::continuation("b")], &[]);
}

#[test]
fn expected_continuation() {
    let told = sends(
        CLIENT,
        &[Frame::text("a").more(), Frame::binary("z"), Frame::continuation("b")],
        &["expected_continuation c2s packet 7 frame 1 message 1", "unexpected_continuation c2s packet 8 frame 2"],
    );
    let [broken_off, whole] = &*told.messages else { panic!("two messages") };
    assert_eq!((&*broken_off.content, broken_off.complete), (&b"a"[..], false));
    assert_eq!((&*whole.content, whole.complete), (&b"z"[..], true));
    sends(CLIENT, &[Frame::text("a").more(), Frame::continuation("b"), Frame::binary("z")], &[]);
}

#[test]
fn invalid_utf8() {
    // The frame that makes it certain: the second, where the sequence goes wrong.
    let told = sends(
        SERVER,
        &[Frame::text([b'a', 0xe2, 0x82]).more(), Frame::continuation([0x41, 0x42])],
        &["invalid_utf8 s2c packet 7 frame 1 message 0"],
    );
    assert_eq!(told.frames[0].codes, Vec::<&str>::new());
    // Certain at once, though the message goes on.
    sends(
        SERVER,
        &[Frame::text([b'a', 0xc0]).more(), Frame::continuation("b")],
        &["invalid_utf8 s2c packet 6 frame 0 message 0"],
    );
    // Cut off by the message's end: in its last frame.
    sends(
        SERVER,
        &[Frame::text([b'a', 0xe2]).more(), Frame::continuation([])],
        &["invalid_utf8 s2c packet 7 frame 1 message 0"],
    );
    // Surrogates, and beyond U+10FFFF (RFC 3629 §3).
    sends(SERVER, &[Frame::text([0xed, 0xa0, 0x80])], &["invalid_utf8 s2c packet 6 frame 0 message 0"]);
    sends(SERVER, &[Frame::text([0xf4, 0x90, 0x80, 0x80])], &["invalid_utf8 s2c packet 6 frame 0 message 0"]);
    sends(SERVER, &[Frame::text([0xe2, 0x82]).more(), Frame::continuation([0xac])], &[]);
    sends(SERVER, &[Frame::binary([0xff, 0xfe]), Frame::text("\u{10ffff}\0\u{fffe}"), Frame::text("")], &[]);
    // In the packet that shows it, of a frame of several.
    let bytes = Frame::text([b'a', 0xff, b'b', b'c']).bytes(SERVER);
    let mut talk = Conversation::open();
    finds(talk.send_pieces(SERVER, &bytes, 2), &["invalid_utf8 s2c packet 7 frame 0 message 0"]);
    // After inflation: what was deflated is not UTF-8, what it stands for is, and the other way round.
    let mut talk = Conversation::deflate("");
    talk.server_frame(Frame::text(Deflater::new(true).message("fine")).compressed());
    talk.server_frame(Frame::text(stored(&[0xff])).compressed());
    finds(&talk, &["invalid_utf8 s2c packet 7 frame 1 message 1"]);
}

// --- closing

#[test]
fn close_payload_too_short() {
    let told = sends(SERVER, &[Frame::new(8, [3])], &["close_payload_too_short s2c packet 6 frame 0 message 0"]);
    assert_eq!(told.messages[0].close, Some((None, Vec::new())));
    sends(SERVER, &[Frame::new(8, [])], &[]);
    sends(SERVER, &[Frame::new(8, [3, 232])], &[]);
}

#[test]
fn invalid_close_code() {
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
        sends(SERVER, &[Frame::close(code, "")], &["invalid_close_code s2c packet 6 frame 0 message 0"]);
    }
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999] {
        sends(SERVER, &[Frame::close(code, "reason")], &[]);
    }
}

#[test]
fn close_reason_invalid_utf8() {
    let wrong = ["close_reason_invalid_utf8 s2c packet 6 frame 0 message 0"];
    sends(SERVER, &[Frame::new(8, [3, 232, b'a', 0xff])], &wrong);
    sends(SERVER, &[Frame::new(8, [3, 232, 0xe2, 0x82])], &wrong);
    sends(SERVER, &[Frame::close(1000, "grüße")], &[]);
}

#[test]
fn data_after_close() {
    let mut talk = Conversation::open();
    talk.client_frame(Frame::close(1000, ""))
        .server_frame(Frame::text("still sending, which is allowed"))
        .client_frame(Frame::text("x"))
        .client_frame(Frame::continuation("y"))
        .server_frame(Frame::close(1000, ""));
    finds(
        &talk,
        &[
            "data_after_close c2s packet 8 frame 2 message 2",
            "unexpected_continuation c2s packet 9 frame 3",
            "data_after_close c2s packet 9 frame 3",
        ],
    );
}

#[test]
fn control_after_close() {
    let mut talk = Conversation::open();
    talk.server_frame(Frame::ping("p"))
        .client_frame(Frame::close(1000, ""))
        .client_frame(Frame::pong("p"))
        .server_frame(Frame::close(1000, ""))
        .server_frame(Frame::close(1000, ""));
    finds(
        &talk,
        &["control_after_close c2s packet 8 frame 2 message 2", "control_after_close s2c packet 10 frame 4 message 4"],
    );
}

// --- permessage-deflate

#[test]
fn inflate_error() {
    // Block type 3 is reserved (RFC 1951 §3.2.3).
    let mut talk = Conversation::deflate("; server_no_context_takeover");
    talk.server_frame(Frame::text([0x06, 0xff]).compressed());
    talk.server_frame(Frame::text(Deflater::new(false).message("and on we go")).compressed());
    talk.server_frame(Frame::text("plain"));
    let told = finds(&talk, &["inflate_error s2c packet 6 frame 0 message 0"]);
    assert_eq!((told.messages[0].len, told.messages[0].complete), (None, false));
    assert_eq!((&*told.messages[1].content, &*told.messages[2].content), (&b"and on we go"[..], &b"plain"[..]));
    // A distance beyond the beginning of everything refers to nothing.
    let block = FixedBlock::new().literals(b"abc").copy3(4).message();
    let mut talk = Conversation::deflate("");
    finds(talk.client_frame(Frame::text(block).compressed()), &["inflate_error c2s packet 6 frame 0 message 0"]);
}

#[test]
fn inflate_window_exceeded() {
    let block = |distance| FixedBlock::new().literals(&[b'a'; 600]).copy3(distance).message();
    let mut talk = Conversation::deflate("; server_max_window_bits=9");
    let told = finds(
        talk.server_frame(Frame::text(block(513)).compressed()).server_frame(Frame::text("plain")),
        &["inflate_window_exceeded s2c packet 6 frame 0 message 0"],
    );
    assert_eq!((told.messages[0].len, told.messages[0].complete), (Some(603), true), "decoded all the same");
    let mut talk = Conversation::deflate("; server_max_window_bits=9");
    finds(talk.server_frame(Frame::text(block(512)).compressed()), &[]);
    // The other side's window is another.
    let mut talk = Conversation::deflate("; server_max_window_bits=9");
    finds(talk.client_frame(Frame::text(block(600)).compressed()), &[]);
    // Distances reach back over messages.
    let mut talk = Conversation::deflate_as("; client_max_window_bits", "; client_max_window_bits=8");
    talk.client_frame(Frame::text(FixedBlock::new().literals(&[b'a'; 255]).message()).compressed())
        .client_frame(Frame::text(FixedBlock::new().literals(b"b").copy3(256).message()).compressed())
        .client_frame(Frame::text(FixedBlock::new().copy3(257).message()).compressed());
    finds(&talk, &["inflate_window_exceeded c2s packet 8 frame 2 message 2"]);
}

#[test]
fn inflate_context_lost() {
    let mut deflater = Deflater::new(true);
    let words = "the same words again and again, the same words";
    let messages: Vec<_> = (0..4).map(|_| Frame::text(deflater.message(words)).compressed().bytes(SERVER)).collect();
    let mut talk = Conversation::deflate("");
    talk.server(&messages[0]);
    let (head, tail) = messages[1].split_at(messages[1].len() - 2);
    talk.server(head).lost(SERVER, tail.len()).ack(CLIENT).wait_ms(1000);
    talk.server(&messages[2]).server(&messages[3]);
    // Said once for the loss: of the message that lacks bytes, and not of each that refers to it.
    let told = finds(
        &talk,
        &["tcp_gap s2c packet 9 frame 1 message 1", "inflate_context_lost s2c packet 9 frame 1 message 1"],
    );
    let complete: Vec<_> = told.messages.iter().map(|message| (message.len.is_some(), message.complete)).collect();
    assert_eq!(complete[2..], [(false, false), (false, false)]);
    // Without context takeover there is nothing to lose.
    let mut talk = Conversation::deflate("; server_no_context_takeover");
    let message = Frame::text(Deflater::new(false).message(words)).compressed().bytes(SERVER);
    talk.server(&message[..message.len() - 1]).lost(SERVER, 1).ack(CLIENT).wait_ms(1000).server(&message);
    let told = talk.run();
    assert!(
        told.codes().contains(&"tcp_gap")
            && !told.data(ToClient).nth(1).unwrap().codes.contains(&"inflate_context_lost")
    );
    assert_eq!((&*told.messages[1].content, told.messages[1].complete), (words.as_bytes(), true));
}

#[test]
fn inflate_ratio() {
    let limits = Limits { max_inflate_ratio: 100, min_ratio_bytes: 100_000, ..Limits::default() };
    let options = Options { limits, demand: Demand::default(), ..Options::default() };
    let told = |plain: &[u8], options: &Options| {
        let mut talk = Conversation::deflate("");
        let bytes = Frame::binary(Deflater::new(true).message(plain)).compressed().bytes(CLIENT);
        run_with(&talk.send_pieces(CLIENT, &bytes, 60_000).capture(), options)
    };
    let told_of = told(&vec![0; 200_000], &options);
    assert_eq!(told_of.lines(), ["inflate_ratio c2s packet 6 frame 0 message 0"]);
    assert_eq!((told_of.messages[0].len, told_of.messages[0].complete), (Some(200_000), true));
    assert!(told(&vec![0; 99_000], &options).findings.is_empty(), "too small to be a bomb");
    let words: Vec<u8> = (0..200_000_u32).flat_map(|n| format!("{n},").into_bytes()).take(200_000).collect();
    assert!(told(&words, &options).findings.is_empty(), "text inflates, too");
    // Beyond the largest message that is kept, whatever the ratio.
    let limits = Limits { max_message_bytes: 150_000, ..Limits::default() };
    let demand = Demand { content_bytes: u64::MAX, frame_bytes: 0, ..Demand::default() };
    let told_of = told(&words, &Options { limits, demand, ..Options::default() });
    assert_eq!(told_of.lines(), ["inflate_ratio c2s packet 6 frame 0 message 0"]);
    assert_eq!((told_of.messages[0].len, told_of.messages[0].content.len()), (Some(200_000), 150_000));
}

// --- TCP

#[test]
fn tcp_gap() {
    let mut talk = Conversation::open();
    let bytes = Frame::text("0123456789").bytes(CLIENT);
    talk.client(&bytes[..8])
        .lost(CLIENT, 4)
        .ack(SERVER)
        .wait_ms(1000)
        .client(&bytes[12..])
        .client_frame(Frame::text("next"));
    let told = finds(&talk, &["tcp_gap c2s packet 8 frame 0 message 0"]);
    assert_eq!(told.frames[0].missing, 4);
    let message = &told.messages[0];
    assert_eq!((message.complete, message.len, &*message.content), (false, Some(10), &b"016789"[..]));
    assert_eq!((&*told.messages[1].content, told.messages[1].complete), (&b"next"[..], true));
    assert_eq!(told.summary().traffic.to_server.missing_bytes, 4);
    // Between frames: a finding of no frame; and the frames that the gap took are not made up.
    let mut talk = Conversation::open();
    let lost = Frame::text("lost").bytes(SERVER).len();
    talk.server_frame(Frame::text("a")).lost(SERVER, lost).ack(CLIENT);
    let told = finds(&talk, &["tcp_gap s2c packet 7"]);
    assert_eq!(told.texts(ToClient), ["a"]);
    // A segment that comes late is no gap.
    let mut talk = Conversation::open();
    talk.server(&bytes_of(&["a", "b"])[..4]).server(&bytes_of(&["a", "b"])[4..]);
    assert!(run(&talk.capture().swapped(6, 7)).findings.is_empty());
}

/// Text frames of the server, one behind the other.
fn bytes_of(texts: &[&str]) -> Vec<u8> {
    texts.iter().flat_map(|text| Frame::text(text).bytes(SERVER)).collect()
}

#[test]
fn tcp_gap_of_a_snaplen() {
    let mut talk = Conversation::open();
    talk.server_frame(Frame::binary(vec![7; 1000])).server_frame(Frame::text("next"));
    let told = run(&talk.capture().snapped(400));
    assert_eq!(told.lines(), ["tcp_gap s2c packet 6 frame 0 message 0"]);
    assert_eq!((told.frames[0].header.payload_len, told.frames[0].missing), (1000, 1000 - (400 - 54 - 4)));
    assert_eq!((told.messages[0].complete, told.messages[1].complete), (false, true));
    assert_eq!(told.texts(ToClient)[1], "next");
}

#[test]
fn truncated_frame() {
    let bytes = Frame::text("hello").bytes(SERVER);
    // The capture ends in the payload: a row all the same.
    let mut talk = Conversation::open();
    talk.server(&bytes[..4]);
    let told = finds(&talk, &["truncated_frame s2c packet 6 frame 0 message 0"]);
    assert_eq!((told.frames[0].complete, &*told.frames[0].payload), (false, &b"he"[..]));
    assert_eq!((told.messages[0].complete, &*told.messages[0].content), (false, &b"he"[..]));
    // In the header: a row, and no message.
    let mut talk = Conversation::open();
    let told = finds(talk.server(&bytes[..1]), &["truncated_frame s2c packet 6 frame 0"]);
    assert_eq!((told.frames.len(), told.frames[0].complete, told.messages.len()), (1, false, 0));
    // Between two frames: nothing.
    let mut talk = Conversation::open();
    finds(talk.server(&bytes), &[]);
    // By the connection's end: told of the packet with its last byte.
    let mut talk = Conversation::open();
    finds(talk.server(&bytes[..4]).fin(SERVER), &["truncated_frame s2c packet 6 frame 0 message 0"]);
    let mut talk = Conversation::open();
    finds(talk.server(&bytes[..4]).rst(CLIENT), &["truncated_frame s2c packet 6 frame 0 message 0"]);
    // A message that lacks fragments is incomplete, and no frame is cut off.
    let told = sends(SERVER, &[Frame::text("hel").more()], &[]);
    assert!(!told.messages[0].complete);
}

#[test]
fn tcp_overlap_conflict() {
    let bytes = Frame::text("hello").bytes(CLIENT);
    let other = Frame::text("evil!").bytes(CLIENT);
    let mut talk = Conversation::open();
    talk.client(&bytes);
    talk.raw(CLIENT, -i32::try_from(bytes.len()).unwrap(), PSH | ACK, &other);
    let told = finds(&talk, &["tcp_overlap_conflict c2s packet 7"]);
    assert_eq!(told.texts(ToServer), ["hello"], "the first copy wins");
    // The same bytes again, as they were or cut otherwise.
    let mut talk = Conversation::open();
    talk.client(&bytes);
    talk.raw(CLIENT, -i32::try_from(bytes.len()).unwrap(), PSH | ACK, &bytes);
    talk.raw(CLIENT, -4, PSH | ACK, &bytes[bytes.len() - 4..]);
    let told = finds(&talk, &[]);
    assert_eq!(told.summary().traffic.to_server.retransmissions, 2);
}

// --- Ping and Pong

#[test]
fn unanswered_ping() {
    let mut talk = Conversation::open();
    talk.client_frame(Frame::ping("a")).wait_ms(5_000).server_frame(Frame::text("no pong")).close();
    finds(&talk, &["unanswered_ping c2s packet 6 frame 0 message 0"]);
    let mut talk = Conversation::open();
    talk.client_frame(Frame::ping("a")).server_frame(Frame::pong("b")).close();
    finds(
        &talk,
        &["unsolicited_pong s2c packet 7 frame 1 message 1", "unanswered_ping c2s packet 6 frame 0 message 0"],
    );
    // A Pong for the latest is enough (RFC 6455 §5.5.3).
    let mut talk = Conversation::open();
    talk.client_frame(Frame::ping("a")).client_frame(Frame::ping("b")).server_frame(Frame::pong("b")).close();
    let told = finds(&talk, &[]);
    assert_eq!(told.messages[2].ping_rtt_us, Some(1_000));
    // A Pong comes from the other side.
    let mut talk = Conversation::open();
    talk.client_frame(Frame::ping("a")).client_frame(Frame::pong("a")).close();
    finds(
        &talk,
        &["unsolicited_pong c2s packet 7 frame 1 message 1", "unanswered_ping c2s packet 6 frame 0 message 0"],
    );
    // The capture ends before anybody could answer.
    let mut talk = Conversation::open();
    finds(talk.client_frame(Frame::ping("a")), &[]);
}

#[test]
fn unsolicited_pong() {
    sends(SERVER, &[Frame::pong("")], &["unsolicited_pong s2c packet 6 frame 0 message 0"]);
    // Answered once is answered.
    let mut talk = Conversation::open();
    talk.server_frame(Frame::ping("a")).client_frame(Frame::pong("a")).client_frame(Frame::pong("a")).close();
    finds(&talk, &["unsolicited_pong c2s packet 8 frame 2 message 2"]);
}

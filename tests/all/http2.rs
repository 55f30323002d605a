//! WebSockets in HTTP/2 (RFC 8441): every stream its own connection, whatever else happens on the TCP connection; what is
//! wrong is said, what is missing does not take more with it than it must.

use wslens::analyzer::Options;
use wslens::event::{Http2, Outcome, StreamEndKind, Summary, Transport};
use wslens::http::h2::ErrorCode;
use wslens::types::Direction::{ToClient, ToServer};
use wslens::types::{Limits, Role};

use crate::common::h2::{
    CONNECT, announce, answer, block, connect, data, end, frame, goaway, headers, http2, indexed_block, open, preface,
    reset, settings, window, ws,
};
use crate::common::{CLIENT, Conversation, Deflater, Frame, Recorder, Reply, SERVER, Upgrade, run, run_with};

fn say(stream: u32, from: Role, text: &str) -> Vec<u8> {
    ws(stream, from, Frame::text(text))
}

/// Closing handshake and END_STREAM, both ways.
fn close(stream: u32) -> [Vec<u8>; 2] {
    [CLIENT, SERVER].map(|from| [ws(stream, from, Frame::close(1000, "")), end(stream)].concat())
}

/// The contents of what one connection said in one direction.
fn texts(told: &Recorder, stream: u32, from: Role) -> Vec<String> {
    let number =
        told.closed.iter().find(|(identity, _)| identity.stream_id == Some(stream.into())).map(|(one, _)| one.number);
    let direction = if from == CLIENT { ToServer } else { ToClient };
    let of = |message: &&crate::common::MessageRecord| Some(message.connection) == number;
    told.data(direction).filter(of).map(|message| String::from_utf8(message.content.clone()).unwrap()).collect()
}

fn of_stream(told: &Recorder, stream: u32) -> (&Summary, &Http2) {
    let found = told.closed.iter().find(|(identity, _)| identity.stream_id == Some(stream.into()));
    let (identity, summary) = found.unwrap_or_else(|| panic!("stream {stream} is not told of"));
    assert_eq!(identity.transport, Transport::Http2);
    (summary, summary.http2.as_ref().unwrap())
}

fn has_no_findings(told: &Recorder) {
    assert_eq!(told.lines(), Vec::<String>::new());
}

#[test]
fn each_stream_is_a_connection() {
    let mut talk = http2();
    talk.client(
        [headers(1, block(&[(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")])), end(1)]
            .concat(),
    )
    .client([connect(3, &[("origin", "http://a")]), connect(5, &[("sec-websocket-protocol", "a, b")])].concat())
    .server(
        [
            answer(1, "200", &[("server", "x")]),
            data(1, b"<html>"),
            answer(5, "200", &[("sec-websocket-protocol", "b")]),
        ]
        .concat(),
    )
    .server([say(5, SERVER, "five"), answer(3, "200", &[]), end(1)].concat())
    .client([say(3, CLIENT, "three"), say(5, CLIENT, "to five"), say(3, CLIENT, "again")].concat());
    for stream in [3, 5] {
        let [client, server] = close(stream);
        talk.client(client).server(server);
    }
    let told = talk.run();
    has_no_findings(&told);
    assert_eq!((told.closed.len(), told.totals.http2_connections), (2, 1));
    assert_eq!(
        (texts(&told, 3, CLIENT), texts(&told, 5, SERVER)),
        (vec!["three".into(), "again".into()], vec!["five".into()])
    );
    assert_eq!(texts(&told, 5, CLIENT), ["to five"]);
    let (summary, http2) = of_stream(&told, 5);
    assert_eq!((summary.outcome, summary.clean, http2.extended_connect), (Outcome::Closed, Some(true), Some(true)));
    let (request, response) =
        (summary.handshake.request.as_ref().unwrap(), summary.handshake.response.as_ref().unwrap());
    assert_eq!((request.method.as_str(), request.target.as_str()), ("CONNECT", "/chat"));
    assert_eq!((request.host.as_deref(), request.key.as_ref(), response.status), (Some("server.example"), None, 200));
    assert_eq!((response.subprotocol.as_deref(), response.accept.as_ref()), (Some("b"), None));
    let uids: Vec<_> = told.closed.iter().map(|(identity, _)| identity.uid).collect();
    assert_ne!(uids[0], uids[1]);
}

/// mitmproxy#4607, gori#733, Reqable#16: no WebSocket in HTTP/2 at all. Suricata 6729: DATA frames are no WebSocket frames.
#[test]
fn mp4607_s6729_frames_lie_anywhere_in_data() {
    let bytes: Vec<u8> = ["a", "bc", "", "d"].iter().flat_map(|text| Frame::text(text).bytes(CLIENT)).collect();
    for size in 1..bytes.len() {
        let mut talk = open();
        for piece in bytes.chunks(size) {
            talk.client(data(1, piece));
        }
        // Padded, with nothing in it, and with nothing but padding.
        talk.client(frame(0, 8, 1, [&[3][..], &Frame::text("padded").bytes(CLIENT), &[0; 3]].concat()))
            .client([data(1, []), frame(0, 8, 1, [2, 0, 0])].concat());
        let told = talk.run();
        has_no_findings(&told);
        assert_eq!(texts(&told, 1, CLIENT), ["a", "bc", "", "d", "padded"], "pieces of {size}");
    }
}

#[test]
fn the_same_however_segments_are_cut() {
    let mut deflater = Deflater::new(true);
    let mut packed = |text: &str| Frame::text(deflater.message(text)).compressed();
    let extension = [("sec-websocket-extensions", "permessage-deflate")];
    let head = indexed_block(&[&CONNECT[..], &extension].concat());
    let (first, rest) = head.split_at(10);
    let turns = [
        (CLIENT, preface()),
        (SERVER, announce()),
        // Padding, priority, and a block in three frames.
        (
            CLIENT,
            [
                frame(1, 0x28, 1, [&[2, 0, 0, 0, 0, 9][..], first, &[0; 2]].concat()),
                frame(9, 0, 1, &rest[..7]),
                frame(9, 4, 1, &rest[7..]),
            ]
            .concat(),
        ),
        (
            SERVER,
            [
                settings(&[]),
                frame(4, 1, 0, []),
                frame(6, 0, 0, [7; 8]),
                answer(1, "103", &[]),
                answer(1, "200", &extension),
            ]
            .concat(),
        ),
        (
            CLIENT,
            [
                ws(1, CLIENT, packed("one one one")),
                frame(200, 255, 77, b"unknown"),
                ws(1, CLIENT, packed("one one one two")),
            ]
            .concat(),
        ),
        // The second request refers to the first one's fields: 62 is the newest.
        (CLIENT, headers(3, [0xc4, 0xc3, 0xc2, 0xc1, 0xc0, 0xbf])),
        (
            SERVER,
            [
                say(1, SERVER, "three"),
                window(1, 7),
                window(0, 7),
                answer(3, "404", &[]),
                end(3),
                frame(2, 0, 3, [0; 5]),
            ]
            .concat(),
        ),
        (CLIENT, close(1)[0].clone()),
        (SERVER, [close(1)[1].clone(), goaway(3, 0)].concat()),
    ];
    let told = |size: usize| {
        let mut talk = Conversation::connected();
        for (from, bytes) in &turns {
            talk.send_pieces(*from, bytes, size);
        }
        talk.run()
    };
    let whole = told(60_000);
    has_no_findings(&whole);
    assert_eq!(texts(&whole, 1, CLIENT), ["one one one", "one one one two"]);
    assert_eq!((whole.upgraded(), whole.refused()), (1, 1));
    let refused = of_stream(&whole, 3).0.handshake.clone();
    assert_eq!(refused.request.unwrap().host.as_deref(), Some("server.example"));
    for size in 1..120 {
        let cut = told(size);
        assert_eq!((cut.content(), cut.upgraded(), cut.refused()), (whole.content(), 1, 1), "pieces of {size}");
    }
}

#[test]
fn requests_that_come_to_nothing() {
    let mut talk = http2();
    talk.client([1, 3, 5, 7, 9].map(|stream| connect(stream, &[])).concat())
        .server([answer(1, "403", &[("server", "x")]), end(1)].concat())
        .server(frame(1, 5, 3, block(&[(":status", "101")])))
        .server(reset(5, 7))
        .server(goaway(7, 11))
        .rst(SERVER);
    let told = talk.run();
    has_no_findings(&told);
    assert_eq!((told.refused(), told.upgraded()), (5, 0));
    let status = |stream| of_stream(&told, stream).0.handshake.response.as_ref().map(|response| response.status);
    // RFC 9113 §8.6: there is no 101 in HTTP/2; it is interim as any 1xx, and no answer comes any more.
    assert_eq!([1, 3, 5, 7, 9].map(status), [Some(403), None, None, None, None]);
    let how = of_stream(&told, 5).1.ends.to_client.map(|end| end.how);
    assert_eq!(how, Some(StreamEndKind::Reset(Some(ErrorCode(7)))));
    assert_eq!(
        of_stream(&told, 9).1.goaways.to_client.map(|(code, _)| code.to_string()).as_deref(),
        Some("ENHANCE_YOUR_CALM")
    );
    assert!(told.closed.iter().all(|(_, summary)| summary.outcome == Outcome::Rejected));
}

#[test]
fn streams_end_as_tcp_would() {
    let outcome = |ends: &dyn Fn(&mut Conversation)| {
        let mut talk = open();
        talk.client(say(1, CLIENT, "hello"));
        ends(&mut talk);
        let told = talk.run();
        has_no_findings(&told);
        let (summary, http2) = of_stream(&told, 1);
        let how = [http2.ends.to_server, http2.ends.to_client].map(|end| end.map(|end| end.how));
        (summary.outcome, summary.closed_by, summary.last.packet, how)
    };
    use StreamEndKind::{EndStream, Reset};
    let aborted = Outcome::Aborted;
    let both = |talk: &mut Conversation| _ = talk.client(end(1)).server(end(1)).client(data(3, b"more"));
    assert_eq!(outcome(&both), (aborted, Some(CLIENT), 10, [Some(EndStream), Some(EndStream)]));
    let cancel = |talk: &mut Conversation| _ = talk.server(reset(1, 8)).client(say(1, CLIENT, "late"));
    assert_eq!(outcome(&cancel), (aborted, Some(SERVER), 9, [None, Some(Reset(Some(ErrorCode::CANCEL)))]));
    let half = |talk: &mut Conversation| _ = talk.server(end(1)).client(say(1, CLIENT, "more"));
    assert_eq!(outcome(&half), (aborted, Some(SERVER), 10, [None, Some(EndStream)]));
    let fin = |talk: &mut Conversation| _ = talk.fin(CLIENT).fin(SERVER);
    assert_eq!(outcome(&fin), (aborted, Some(CLIENT), 10, [None, None]));
    assert_eq!(outcome(&|_| ()), (Outcome::Open, None, 8, [None, None]));
}

#[test]
fn handshakes_are_judged() {
    let judged = |request: Vec<u8>, reply: Vec<u8>| {
        let mut talk = http2();
        talk.client(request).server(reply);
        talk.run().findings.iter().map(|finding| format!("{} {}", finding.code, finding.detail)).collect::<Vec<_>>()
    };
    let fine = || answer(1, "200", &[]);
    let none = Vec::<String>::new();
    assert_eq!(judged(connect(1, &[]), fine()), none);
    assert_eq!(judged(connect(1, &[]), answer(1, "204", &[])), none);
    // The key's work is done by `:protocol` (RFC 8441 §5); who sends one does no harm.
    assert_eq!(
        judged(connect(1, &[("sec-websocket-key", "x")]), answer(1, "200", &[("sec-websocket-accept", "y")])),
        none
    );
    for (at, &(field, _)) in CONNECT.iter().enumerate().skip(2) {
        let fields: Vec<_> =
            CONNECT.into_iter().enumerate().filter(|(index, _)| *index != at).map(|(_, field)| field).collect();
        let name = if at == 5 { "Sec-WebSocket-Version" } else { field };
        assert_eq!(judged(headers(1, block(&fields)), fine()), [format!("handshake_malformed {name} is absent")]);
    }
    let mut old = CONNECT;
    old[5].1 = "8";
    assert_eq!(judged(headers(1, block(&old)), fine()), ["version_unsupported version 8"]);
    for (name, value) in [("connection", "upgrade"), ("Upper", "x"), (":path", "/"), ("x", "a\nb")] {
        let [finding] = &*judged(connect(1, &[(name, value)]), fine()) else { panic!("{name}: not one finding") };
        assert!(finding.starts_with("handshake_malformed "), "{finding}");
    }
    assert_eq!(
        judged(connect(1, &[]), answer(1, "200", &[("sec-websocket-protocol", "c")])),
        ["subprotocol_not_offered c"]
    );
    let [finding] = &*judged(connect(1, &[]), answer(1, "200", &[("sec-websocket-extensions", "x")])) else { panic!() };
    assert!(finding.starts_with("extension_not_offered"), "{finding}");
}

#[test]
fn whether_the_server_takes_extended_connect() {
    let announced = |server: Option<Vec<u8>>| {
        let mut talk = Conversation::connected();
        talk.client(preface());
        match server {
            Some(bytes) => talk.server(bytes),
            None => talk.lost(SERVER, announce().len()),
        };
        talk.client(connect(1, &[]))
            .server(answer(1, "200", &[]))
            .server(say(1, SERVER, "a"))
            .ack(CLIENT)
            .wait_ms(2000);
        talk.client(say(1, CLIENT, "b"));
        let told = talk.run();
        (of_stream(&told, 1).1.extended_connect, told.codes())
    };
    assert_eq!(announced(Some(announce())), (Some(true), vec![]));
    assert_eq!(announced(Some(settings(&[(3, 100)]))), (Some(false), vec!["handshake_malformed"]));
    assert_eq!(announced(Some(settings(&[(8, 0)]))), (Some(false), vec!["handshake_malformed"]));
    assert_eq!(announced(Some(settings(&[(8, 2)]))).1[..1], ["handshake_malformed"]);
}

#[test]
fn time_without_a_window_is_told() {
    let mut talk = Conversation::connected();
    // Each stream may have 10 bytes of the client's.
    talk.client(preface()).server(settings(&[(8, 1), (4, 10)])).client(connect(1, &[])).server(answer(1, "200", &[]));
    let frame = Frame::binary([7; 20]).bytes(CLIENT); // 26 bytes
    talk.client(data(1, &frame[..10])) // packet 8, at 7 ms: used up
        .wait_ms(39)
        .server(window(0, 100)) // not this stream's
        .server(window(1, 6)) // packet 10, 41 ms later
        .client(data(1, &frame[10..16])) // packet 11: used up again
        .server(settings(&[(4, 20)])) // 1 ms later: 10 more
        .client(data(1, &frame[16..]))
        .wait_ms(99) // to the end, nobody gives more
        .ack(SERVER);
    let told = talk.run();
    has_no_findings(&told);
    let stalled = of_stream(&told, 1).1.stalled_us;
    assert_eq!((stalled.to_server, stalled.to_client), (41_000 + 1_000 + 100_000, 0));
    assert_eq!(told.contents(ToServer), [[7; 20]]);
}

/// What is lost inside a DATA frame is lost to that stream alone.
#[test]
fn a_hole_inside_data_keeps_in_step() {
    let mut talk = open();
    talk.client([connect(3, &[])].concat()).server(answer(3, "200", &[]));
    let message = ws(3, CLIENT, Frame::binary([9; 3000]));
    talk.client(&message[..1000])
        .lost(CLIENT, 500)
        .client(&message[1500..])
        .client([say(1, CLIENT, "one"), say(3, CLIENT, "three")].concat())
        .ack(SERVER);
    let told = talk.run();
    assert_eq!(told.codes(), ["tcp_gap"]);
    assert_eq!(
        (texts(&told, 1, CLIENT), texts(&told, 3, CLIENT)[..].last().cloned()),
        (vec!["one".into()], Some("three".into()))
    );
    assert_eq!(of_stream(&told, 3).0.traffic.to_server.missing_bytes, 500);
    assert_eq!(of_stream(&told, 1).0.traffic.to_server.gaps, 0);
}

/// What is lost with a boundary is lost to all; both go on behind it, and the other direction is not touched.
#[test]
fn a_hole_over_frames_is_left_behind() {
    let mut talk = open();
    talk.client(connect(3, &[])).server(answer(3, "200", &[]));
    let many = |from: u32, to: u32| -> Vec<u8> {
        (from..to).flat_map(|n| say(1 + n % 2 * 2, CLIENT, &format!("{n} and some words behind it"))).collect()
    };
    let lost = many(4, 9);
    talk.client(many(0, 4)).lost(CLIENT, lost.len() - 5).client([&lost[lost.len() - 5..], &many(9, 30)].concat());
    talk.server([say(1, SERVER, "one"), say(3, SERVER, "three")].concat()).ack(CLIENT);
    let told = talk.run();
    let words = |n: u32| format!("{n} and some words behind it");
    let expected = |parity: u32| (0..4).chain(9..30).filter(|n| n % 2 == parity).map(words).collect::<Vec<_>>();
    assert_eq!(texts(&told, 1, CLIENT), expected(0));
    assert_eq!(texts(&told, 3, CLIENT), expected(1));
    assert_eq!((texts(&told, 1, SERVER), texts(&told, 3, SERVER)), (vec!["one".into()], vec!["three".into()]));
    let mut codes = told.codes();
    codes.sort_unstable();
    assert_eq!(codes, ["resynchronized", "resynchronized", "tcp_gap", "tcp_gap"]);
}

/// Blocks behind a lost one refer to entries that nobody saw: they are unknown, not guessed, and the streams are known by
/// what is said on them.
#[test]
fn header_blocks_behind_a_lost_one() {
    let mut talk = http2();
    let first = headers(1, indexed_block(&CONNECT));
    talk.lost(CLIENT, first.len()).server([answer(1, "200", &[]), say(1, SERVER, "hello")].concat());
    // The newest six entries, of which nobody knows what they are; then a request that says all itself.
    talk.client([window(0, 9), window(1, 9), headers(3, [0xc4, 0xc3, 0xc2, 0xc1, 0xc0, 0xbf])].concat())
        .client(connect(5, &[]))
        .server([answer(3, "200", &[]), answer(5, "200", &[])].concat());
    for n in 0..9 {
        for stream in [1, 3, 5] {
            talk.client(say(stream, CLIENT, &format!("{n} on {stream}"))).server(say(
                stream,
                SERVER,
                &format!("{n} back on {stream}"),
            ));
        }
    }
    let told = talk.run();
    for stream in [1, 3, 5] {
        let all = |way: &str| (0..9).map(|n| format!("{n} {way} {stream}")).collect::<Vec<_>>();
        assert_eq!(texts(&told, stream, CLIENT), all("on"), "stream {stream}");
        let server = texts(&told, stream, SERVER);
        assert_eq!(server[server.len() - 9..], all("back on"), "stream {stream}");
    }
    assert_eq!(told.closed.len(), 3);
    assert!(of_stream(&told, 5).0.handshake_seen && !of_stream(&told, 3).0.handshake_seen);
    assert!(of_stream(&told, 3).0.handshake.request.is_none(), "nothing was guessed");
}

/// From its middle on, with or without knowing who is who.
#[test]
fn a_connection_is_joined_half_way() {
    let speak = |talk: &mut Conversation, from: u32| {
        for n in from..from + 20 {
            talk.client([say(1, CLIENT, &format!("{n} to one")), window(0, 20)].concat())
                .server([say(3, SERVER, &format!("{n} from three")), window(3, 20)].concat());
        }
    };
    for (client, server) in [(50_000, 80), (80, 50_000)] {
        let address = crate::common::address;
        let mut talk = Conversation::between(address([10, 0, 0, 1], client), address([10, 0, 0, 2], server));
        speak(&mut talk, 0);
        talk.client(connect(5, &[("origin", "a")])).server(answer(5, "200", &[]));
        talk.client(say(5, CLIENT, "new"));
        let told = talk.run();
        assert_eq!(told.totals.http2_connections, 1, "client on port {client}");
        let (one, three) = (texts(&told, 1, CLIENT), texts(&told, 3, SERVER));
        assert!(one.len() >= 17 && three.len() >= 17, "{one:?} {three:?}");
        assert_eq!((one.last().unwrap().as_str(), three.last().unwrap().as_str()), ("19 to one", "19 from three"));
        assert_eq!(texts(&told, 5, CLIENT), ["new"]);
        assert_eq!(of_stream(&told, 5).1.extended_connect, None);
        let joined = told.codes().iter().filter(|code| **code == "midstream").count();
        assert_eq!(joined, 2);
    }
}

#[test]
fn an_answer_may_come_before_its_request() {
    // Two interfaces in one file: packets 6 and 7 come in each other's place.
    let mut talk = open();
    talk.server(say(1, SERVER, "hello")).client(say(1, CLIENT, "hi"));
    let told = run(&talk.capture().swapped(6, 8));
    assert_eq!((texts(&told, 1, SERVER), texts(&told, 1, CLIENT)), (vec!["hello".into()], vec!["hi".into()]));
    assert!(of_stream(&told, 1).0.handshake_seen);
    has_no_findings(&told);
}

/// RFC 7540 §3.2: HTTP/1.1 asks for h2c, and the answer to that request is stream 1.
#[test]
fn an_upgrade_to_h2c() {
    let mut talk = Conversation::connected();
    let request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n";
    let reply = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    talk.client(request)
        .server([&reply[..], &announce(), &answer(1, "200", &[]), &data(1, b"hello"), &end(1)].concat())
        .client([preface(), connect(3, &[])].concat())
        .server(answer(3, "200", &[]))
        .client(say(3, CLIENT, "hi"));
    let told = talk.run();
    has_no_findings(&told);
    assert_eq!((texts(&told, 3, CLIENT), told.closed.len(), told.totals.http2_connections), (vec!["hi".into()], 1, 1));
    let (_, http2) = of_stream(&told, 3);
    assert_eq!(http2.stalled_us.to_client, 0);
    // A window of 4 bytes, by HTTP2-Settings: the server is at its end with its first frame, until the client opens it.
    let mut talk = Conversation::connected();
    talk.client(request.replace("AAMAAABk", "AAQAAAAE")).server(reply).client([preface(), connect(3, &[])].concat());
    talk.server([announce(), answer(3, "200", &[]), say(3, SERVER, "ab")].concat()).wait_ms(500);
    talk.client(window(3, 100)).server(say(3, SERVER, "cd"));
    let told = talk.run();
    has_no_findings(&told);
    let (_, http2) = of_stream(&told, 3);
    assert!((500_000..510_000).contains(&http2.stalled_us.to_client), "{:?}", http2.stalled_us);
    // A WebSocket in HTTP/1.1 is what it was.
    let mut talk = Conversation::upgraded(&Upgrade::new(), &Reply::new());
    talk.client_frame(Frame::text("a"));
    assert!(talk.run().summary().http2.is_none());
}

/// RFC 7540 §3.2.1: a fault of the HTTP2-Settings field is a finding of the request, and the settings before it count.
#[test]
fn an_upgrade_to_h2c_with_faulty_settings() {
    let upgrade = |value: &str| {
        let mut talk = Conversation::connected();
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nHTTP2-Settings: {value}\r\n\r\n");
        talk.client(request).server(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n");
        talk.client([preface(), connect(3, &[])].concat());
        talk.server([announce(), answer(3, "200", &[]), say(3, SERVER, "ab")].concat()).wait_ms(500);
        talk.client(window(3, 100)).server(say(3, SERVER, "cd"));
        let told = talk.run();
        assert_eq!(texts(&told, 3, SERVER), ["ab", "cd"]);
        let findings: Vec<_> = told
            .findings
            .iter()
            .map(|finding| format!("{} packet {}: {}", finding.code, finding.packet, finding.detail))
            .collect();
        (findings, of_stream(&told, 3).1.stalled_us.to_client > 0)
    };
    // A window of 4 bytes, which the server's first frame uses up.
    assert_eq!(upgrade("AAQAAAAE"), (vec![], true));
    assert!(upgrade("AAQAAAAEAA").1 && !upgrade("AAQAAAAEA").1);
    for (value, detail) in [
        ("AAQAAAAEAA", "http2_error packet 4: HTTP2-Settings ends after 1 of the 6 bytes of a setting"),
        ("AAQAAAAEA", "http2_error packet 4: HTTP2-Settings has 9 characters, which no base64url has"),
        ("AAQ/AAAE", "http2_error packet 4: HTTP2-Settings is not base64url from its byte 3 on"),
        (&"AAQAAAAE".repeat(40), "http2_flood packet 4: HTTP2-Settings has 40 settings, 32 of them are read"),
    ] {
        assert_eq!(upgrade(value).0, [detail], "{value}");
    }
}

#[test]
fn what_is_no_http2_is_left_alone() {
    let mut talk = Conversation::connected();
    talk.server(announce()).client(b"no preface at all, as long as one").client(connect(1, &[])).server(answer(
        1,
        "200",
        &[],
    ));
    let told = talk.run();
    assert_eq!((told.closed.len(), told.codes().len()), (0, 0));
}

#[test]
fn wrong_frames_are_told_once_and_do_no_harm() {
    for (wrong, what) in [
        (frame(6, 0, 0, [0; 7]), "length"),
        (frame(3, 0, 1, [0; 3]), "length"),
        (frame(4, 0, 3, [0; 6]), "connection on a stream"),
        (frame(9, 4, 7, b""), "continues no header block"),
        (frame(0, 8, 1, [9, 0, 0]), "padding"),
        (frame(0, 0, 0, b""), "stream on the connection"),
        (window(1, 0), "WINDOW_UPDATE of 0"),
        (settings(&[(5, 1)]), "setting"),
        (frame(200, 0, 0, [0; 20_000]), "longer than its receiver allowed"),
        (headers(9, [0x80]), "not in the table"),
        ([frame(1, 0, 9, block(&[("a", "b")])), window(0, 1)].concat(), "interrupted"),
    ] {
        let mut talk = open();
        for _ in 0..3 {
            talk.send_pieces(CLIENT, &wrong, 10_000);
        }
        talk.client(say(1, CLIENT, "still here"));
        let told = talk.run();
        let [finding] = &*told.findings else { panic!("{what}: {:?}", told.findings) };
        assert_eq!((finding.code, finding.connection, finding.packet), ("http2_error", 0, 8));
        assert!(finding.detail.contains(what), "{}", finding.detail);
        assert_eq!(texts(&told, 1, CLIENT), ["still here"]);
    }
}

#[test]
fn floods_are_told_once() {
    let flood = |bytes: Vec<u8>, times: usize| {
        let mut talk = open();
        let all = bytes.repeat(times);
        talk.send_pieces(CLIENT, &all, 60_000).client(say(1, CLIENT, "still here"));
        let told = talk.run();
        assert_eq!(texts(&told, 1, CLIENT), ["still here"]);
        told.findings.iter().map(|finding| format!("{} {}", finding.code, finding.detail)).collect::<Vec<_>>()
    };
    assert_eq!(flood(settings(&[]), 5000), ["http2_flood 1000 SETTINGS frames within a second"]);
    assert_eq!(flood(frame(6, 0, 0, [0; 8]), 5000), ["http2_flood 1000 PING frames within a second"]);
    assert_eq!(flood(data(1, []), 5000), ["http2_flood 1000 empty frames within a second"]);
    assert_eq!(flood(frame(6, 0, 0, [0; 8]), 999), Vec::<String>::new());
    let continued = [
        frame(1, 0, 3, block(&[(":method", "GET")])),
        frame(9, 0, 3, block(&[("a", "b")])).repeat(5000),
        frame(9, 4, 3, []),
    ];
    assert_eq!(
        flood(continued.concat(), 1),
        [
            "http2_flood 32 CONTINUATION frames for one header block",
            "http2_flood a header list of more than 65536 bytes"
        ]
    );
    // A field of 4,000 bytes, and 10,000 references to it, a byte each.
    let long = "x".repeat(4000);
    let bomb = [indexed_block(&[("a", &long)]), vec![0xbe; 10_000]].concat();
    assert_eq!(flood(headers(3, &bomb), 3), ["http2_flood a header list of more than 65536 bytes"]);
}

/// CVE-2023-44487: requests that are reset at once.
#[test]
fn rapid_reset_is_told_and_costs_nothing() {
    let mut talk = open();
    for n in 0..1500 {
        let stream = 3 + 2 * n;
        let get = block(&[(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")]);
        talk.client([headers(stream, get), reset(stream, 8)].concat());
        if n % 2 == 0 {
            talk.wait_ms(-1);
        }
    }
    let told = talk.run();
    assert_eq!(told.closed.len(), 1);
    assert_eq!(told.codes(), ["http2_flood"]);
    assert_eq!(told.findings[0].detail, "1000 RST_STREAM frames within a second");
}

#[test]
fn streams_are_bounded_and_never_used_again() {
    let options = Options { limits: Limits { max_h2_streams: 3, ..Limits::default() }, ..Options::default() };
    let mut talk = open();
    talk.client((1..9).flat_map(|n| connect(1 + 2 * n, &[])).collect::<Vec<_>>());
    let told = run_with(&talk.capture(), &options);
    assert_eq!((told.upgraded(), told.refused()), (1, 2));
    assert_eq!(told.findings[0].detail, "more than 3 WebSockets at once");
    // A stream that was there before is not there again: "stream identifiers cannot be reused".
    let mut talk = open();
    let [client, server] = close(1);
    talk.client(client)
        .server(server)
        .client(connect(1, &[]))
        .server(answer(1, "200", &[]))
        .client(say(1, CLIENT, "again"));
    assert_eq!(talk.run().closed.len(), 1);
}

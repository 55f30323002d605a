use proptest::prelude::*;

use super::*;

/// A caller as the module's documentation describes it: keeps chunks that must wait, gives them again, and records events.
struct Caller {
    h1: H1,
    /// The client's chunks that wait, or belong to another protocol.
    held: Vec<Vec<u8>>,
    /// The server's bytes that are not HTTP's.
    rest: Vec<u8>,
    events: Vec<String>,
}

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

impl Caller {
    fn new() -> Self {
        Self::with(&Limits::default())
    }

    fn with(limits: &Limits) -> Self {
        Self { h1: H1::new(limits), held: Vec::new(), rest: Vec::new(), events: Vec::new() }
    }

    fn record(events: &mut Vec<String>, event: H1Event<'_>) {
        events.push(match event {
            H1Event::Request { number, head } => {
                let end = if head.complete { "" } else { " cut" };
                format!("{number}: {} {} {}{end}", text(head.method), text(head.target), head.fields.iter().count())
            }
            H1Event::Response { head, request, effect } => {
                let end = if head.complete { "" } else { " cut" };
                let request = request.map_or("?".to_owned(), |number| number.to_string());
                format!("{request}: {} {effect:?} {}{end}", head.status, head.fields.iter().count())
            }
            H1Event::Lost(loss) => format!("lost: {loss:?}"),
        });
    }

    fn client(&mut self, chunk: &[u8]) -> &mut Self {
        if !self.held.is_empty() {
            self.held.push(chunk.to_vec());
            return self;
        }
        let mut input = chunk;
        while let Some(event) = self.h1.next(Direction::ToServer, &mut input) {
            Self::record(&mut self.events, event);
        }
        if !input.is_empty() {
            assert!(self.h1.is_paused());
            self.held.push(input.to_vec());
        }
        self
    }

    fn server(&mut self, chunk: &[u8]) -> &mut Self {
        let mut input = chunk;
        while let Some(event) = self.h1.next(Direction::ToClient, &mut input) {
            Self::record(&mut self.events, event);
            self.resume();
        }
        self.rest.extend_from_slice(input);
        self
    }

    /// Gives the client's chunks again as soon as they need not wait.
    fn resume(&mut self) {
        if !self.h1.is_paused() {
            for chunk in core::mem::take(&mut self.held) {
                self.client(&chunk);
            }
        }
    }

    fn gap(&mut self, direction: Direction, len: Option<u64>) -> &mut Self {
        if let Some(event) = self.h1.gap(direction, len) {
            Self::record(&mut self.events, event);
        }
        self.resume();
        self
    }

    fn finish(&mut self, direction: Direction) -> &mut Self {
        if let Some(event) = self.h1.finish(direction) {
            Self::record(&mut self.events, event);
        }
        self
    }

    /// The events since the last call.
    fn events(&mut self) -> Vec<String> {
        core::mem::take(&mut self.events)
    }
}

const TO_SERVER: Direction = Direction::ToServer;
const TO_CLIENT: Direction = Direction::ToClient;

const UPGRADE: &[u8] = b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
const SWITCHING: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
const FRAME: &[u8] = b"\x81\x85\x01\x02\x03\x04\x69\x67\x6f\x68\x6e";

/// Gives the client's bytes, then the server's, with every cut of both at once; each must give the same events.
#[track_caller]
fn every_cut(client: &[u8], server: &[u8], expected: &[&str], client_rest: &[u8], server_rest: &[u8]) {
    let both = client.len().max(server.len());
    for cut in 0..=both {
        let mut caller = Caller::new();
        for (bytes, direction) in [(client, TO_SERVER), (server, TO_CLIENT)] {
            let (one, two) = bytes.split_at(cut.min(bytes.len()));
            for part in [one, two] {
                match direction {
                    TO_SERVER => caller.client(part),
                    TO_CLIENT => caller.server(part),
                };
            }
        }
        assert_eq!(caller.events(), expected, "cut at {cut}");
        assert_eq!(
            (text(&caller.held.concat()), text(&caller.rest)),
            (text(client_rest), text(server_rest)),
            "cut at {cut}"
        );
        assert_eq!(caller.h1.held(), caller.h1.pipeline.len(), "cut at {cut}");
    }
    let mut caller = Caller::new();
    client.iter().for_each(|byte| _ = caller.client(&[*byte]));
    server.iter().for_each(|byte| _ = caller.server(&[*byte]));
    assert_eq!(caller.events(), expected, "byte by byte");
}

#[test]
fn an_ordinary_exchange() {
    every_cut(
        b"GET /a HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        &["0: GET /a 2", "0: 200 Final 1"],
        b"",
        b"",
    );
}

#[test]
fn the_101_and_the_first_frames_in_one_input() {
    // PEERS Z5, W15.
    let server = [SWITCHING, b"\x81\x05hello\x8a\x00"].concat();
    every_cut(UPGRADE, &server, &["0: GET /ws 3", "0: 101 Switched 2"], b"", b"\x81\x05hello\x8a\x00");
}

#[test]
fn the_request_and_the_first_frames_in_one_input() {
    // PEERS W9.
    let client = [UPGRADE, FRAME].concat();
    every_cut(&client, SWITCHING, &["0: GET /ws 3", "0: 101 Switched 2"], FRAME, b"");
}

#[test]
fn a_101_has_no_body_whatever_its_fields_claim() {
    // PEERS L2.
    for field in ["Transfer-Encoding: chunked", "Content-Length: 1000", "Transfer-Encoding: gzip", "Content-Length: x"]
    {
        let head = format!("HTTP/1.1 101 Switching Protocols\r\n{field}\r\nUpgrade: websocket\r\n\r\n");
        let server = [head.as_bytes(), b"\x81\x05hello"].concat();
        every_cut(UPGRADE, &server, &["0: GET /ws 3", "0: 101 Switched 2"], b"", b"\x81\x05hello");
    }
}

#[test]
fn a_refused_upgrade_goes_on_with_http() {
    let client = [UPGRADE, b"GET /b HTTP/1.1\r\n\r\n", UPGRADE, FRAME].concat();
    let server =
        [&b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno\r\nHTTP/1.1 204 No Content\r\n\r\n"[..], SWITCHING]
            .concat();
    every_cut(
        &client,
        &server,
        &["0: GET /ws 3", "0: 403 Final 1", "1: GET /b 0", "2: GET /ws 3", "1: 204 Final 0", "2: 101 Switched 2"],
        FRAME,
        b"",
    );
}

#[test]
fn an_upgrade_request_may_have_a_body() {
    let head = b"POST /ws HTTP/1.1\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n\r\n";
    let client = [&head[..], b"4\r\nWiki\r\n0\r\n\r\n", FRAME].concat();
    every_cut(&client, SWITCHING, &["0: POST /ws 2", "0: 101 Switched 2"], FRAME, b"");
    // It claimed a body and sent frames: they are not lost.
    every_cut(&[&head[..], FRAME].concat(), SWITCHING, &["0: POST /ws 2", "0: 101 Switched 2"], FRAME, b"");
    let faulty = b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nContent-Length: 1, 2\r\n\r\n";
    every_cut(&[&faulty[..], FRAME].concat(), SWITCHING, &["0: GET /ws 2", "0: 101 Switched 2"], FRAME, b"");
}

#[test]
fn a_response_may_come_before_the_requests_body() {
    let mut caller = Caller::new();
    caller.client(b"POST /ws HTTP/1.1\r\nUpgrade: websocket\r\nContent-Length: 4\r\n\r\nWi");
    caller.server(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").client(b"kiGET /b HTTP/1.1\r\n\r\n");
    assert_eq!(caller.events(), ["0: POST /ws 2", "0: 400 Final 1", "1: GET /b 0"]);

    let mut caller = Caller::new();
    caller.client(b"POST /ws HTTP/1.1\r\nUpgrade: websocket\r\nContent-Length: 4\r\n\r\nWi");
    caller.server(SWITCHING).client(b"ki").client(FRAME);
    assert_eq!((caller.events().len(), caller.held.concat()), (2, FRAME.to_vec()));
}

#[test]
fn a_tunnel_is_sniffed_again() {
    let client = [&b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\nContent-Length: 9\r\n\r\n"[..], UPGRADE].concat();
    let server =
        [&b"HTTP/1.1 200 Connection established\r\nTransfer-Encoding: chunked\r\n\r\n"[..], SWITCHING].concat();
    every_cut(&client, &server, &["0: CONNECT a:80 2", "0: 200 Tunnel 1"], UPGRADE, SWITCHING);
    // Refused, and tried again.
    let client =
        b"CONNECT a:80 HTTP/1.1\r\n\r\nCONNECT a:80 HTTP/1.1\r\nProxy-Authorization: Basic eA==\r\n\r\n\x16\x03";
    let server = b"HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nnoHTTP/1.1 200 OK\r\n\r\n\x16\x03\x03";
    let events = ["0: CONNECT a:80 0", "0: 407 Final 1", "1: CONNECT a:80 1", "1: 200 Tunnel 0"];
    every_cut(client, server, &events, b"\x16\x03", b"\x16\x03\x03");
}

#[test]
fn bodies_of_all_kinds_are_skipped() {
    let client = b"POST /1 HTTP/1.1\r\nContent-Length: 11\r\n\r\nGET / HTTP/1\
        \r\n\r\nPOST /2 HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5;x=y\r\nGET /\r\n0\r\nT: 1\r\n\r\n\
        PUT /3 HTTP/1.0\r\nContent-Length: 0\r\n\r\nDELETE /4 HTTP/1.1\r\n\r\n";
    // One byte more than announced is no line end, so the first body is exactly what its length says.
    let client = [&client[..49], &client[50..]].concat();
    let server =
        b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nHTTP/1.1HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
        9\r\nHTTP/1.1 \r\n0\r\nT: 1\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n\
        HTTP/1.0 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\nall of this";
    let events = ["0: POST /1 1", "1: POST /2 1", "2: PUT /3 1", "3: DELETE /4 0"];
    let answers = ["0: 200 Final 1", "1: 200 Final 1", "2: 304 Final 1", "3: 200 Final 0"];
    every_cut(&client, server, &[&events[..], &answers[..]].concat(), b"", b"");
    let mut caller = Caller::new();
    caller.client(&client).server(server);
    assert!(caller.h1.is_over());
    assert!(!Caller::new().h1.is_over());
}

#[test]
fn head_responses_have_no_body() {
    every_cut(
        b"HEAD /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 408 Timeout\r\n\r\n",
        &["0: HEAD /a 0", "1: GET /b 0", "0: 200 Final 1", "1: 200 Final 1", "?: 408 Final 0"],
        b"",
        b"",
    );
}

#[test]
fn interim_responses_are_not_final() {
    let client = [&b"PUT /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi"[..], UPGRADE].concat();
    let server = [
        &b"HTTP/1.1 100 Continue\r\nContent-Length: 7\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"[..],
        b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n",
        SWITCHING,
    ]
    .concat();
    every_cut(
        &client,
        &server,
        &[
            "0: PUT /a 2",
            "1: GET /ws 3",
            "0: 100 Interim 1",
            "0: 103 Interim 1",
            "0: 201 Final 1",
            "1: 102 Interim 0",
            "1: 101 Switched 2",
        ],
        b"",
        b"",
    );
}

#[test]
fn smuggling_shapes_end_where_the_rfc_says() {
    // Transfer-Encoding wins, also with a space before its colon, or folded.
    for field in ["Transfer-Encoding: chunked", "Transfer-Encoding : chunked", "Transfer-Encoding:\r\n chunked"] {
        let client =
            format!("POST /1 HTTP/1.1\r\nContent-Length: 3\r\n{field}\r\n\r\n0\r\n\r\nGET /2 HTTP/1.1\r\n\r\n");
        every_cut(client.as_bytes(), b"", &["0: POST /1 2", "1: GET /2 0"], b"", b"");
    }
    for fields in [
        "Content-Length: 1\r\nContent-Length: 2",
        "Transfer-Encoding: chunked, x",
        "Content-Length: 1\r\nContent-Length: -1",
    ] {
        let mut caller = Caller::new();
        caller
            .client(format!("POST /1 HTTP/1.1\r\n{fields}\r\n\r\n").as_bytes())
            .client(b"0\r\n\r\nGET /2 HTTP/1.1\r\n\r\n");
        caller.client(b"GET /3 HTTP/1.1\r\n\r\n");
        let events = caller.events();
        assert_eq!(events[1..], ["lost: Framing", "1: GET /3 0"], "{fields}");
    }
}

#[test]
fn heads_that_some_servers_tolerate_are_followed() {
    every_cut(
        b"\r\n\r\nGET /a b http/1.0\nHost : a\nX: 1\n  2\n\n\nGET /c\xff HTTP/1.1\nX: \x01\xff\0\n\n",
        b"\nhttp/1.1 200\nContent-Length : 1\n\nx\r\nHTTP/1.1  200   G\xfct\nContent-Length:\n 0\n\n",
        &["0: GET /a b 2", "1: GET /c\\xff 1", "0: 200 Final 1", "1: 200 Final 1"],
        b"",
        b"",
    );
}

#[test]
fn bytes_that_are_not_http_are_a_loss_at_once() {
    let mut caller = Caller::new();
    caller.client(UPGRADE).server(b"SSH-2.0-OpenSSH_9.2\r\n");
    assert_eq!(caller.events(), ["0: GET /ws 3", "lost: NotHttp"]);
    assert!(caller.h1.is_lost(TO_CLIENT) && caller.h1.is_paused());
    // Nothing is kept, nothing more is events.
    caller.server(&[0x55; 100_000]);
    assert_eq!((caller.events().len(), caller.h1.responses.held()), (0, 0));

    let mut caller = Caller::new();
    caller.client(b"\x00\x01\x02");
    assert_eq!(caller.events(), ["lost: NotHttp"]);
    // Long enough to look like a request, and then none.
    let mut caller = Caller::new();
    caller.client(b"GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa FTP/1.1\r\n\r\n");
    assert_eq!(caller.events(), ["lost: NotHttp"]);
    let mut caller = Caller::new();
    caller.server(b"HTTP/1.1 OK\r\n\r\n").server(b"HTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(caller.events(), ["lost: NotHttp", "?: 200 Final 0"]);
}

#[test]
fn an_endless_head_is_bounded() {
    let limits = Limits { max_head_bytes: 1000, ..Limits::default() };
    for piece in [1, 7, 999, 1000, 1001, 5000] {
        let mut caller = Caller::with(&limits);
        let endless: Vec<u8> = b"GET / HTTP/1.1\r\n".iter().copied().chain(b"X: y\r\n".repeat(2000)).collect();
        for chunk in endless.chunks(piece) {
            caller.client(chunk);
            assert!(caller.h1.held() <= 1000);
        }
        assert_eq!(caller.events(), ["lost: HeadTooLong"], "{piece}");
        let endless: Vec<u8> = b"HTTP/1.1 200 ".iter().copied().chain(b"x".repeat(12_000)).collect();
        for chunk in endless.chunks(piece) {
            caller.server(chunk);
            assert!(caller.h1.held() <= 1000);
        }
        assert_eq!(caller.events(), ["lost: HeadTooLong"], "{piece}");
    }
}

#[test]
fn too_many_requests_without_a_response() {
    let mut caller = Caller::with(&Limits { max_pipelined: 3, ..Limits::default() });
    for _ in 0..10 {
        caller.client(b"GET / HTTP/1.1\r\n\r\n");
        assert!(caller.h1.held() <= 3);
    }
    let events = caller.events();
    assert_eq!(events.iter().filter(|event| *event == "lost: TooManyRequests").count(), 2, "{events:?}");
    assert_eq!(events.len(), 10);
}

#[test]
fn chunks_of_absurd_size() {
    let mut caller = Caller::new();
    caller.client(b"GET / HTTP/1.1\r\n\r\n");
    caller.server(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n");
    caller.server(&[b'x'; 4096]).gap(TO_CLIENT, Some(u64::MAX - 5000)).server(b"yyy");
    assert_eq!(caller.events(), ["0: GET / 0", "0: 200 Final 1"]);
    let mut caller = Caller::new();
    caller.server(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1ffffffffffffffff\r\n");
    assert_eq!(caller.events(), ["?: 200 Final 1", "lost: Framing"]);
    // Extensions and trailers without end are skipped, and not kept.
    let mut caller = Caller::new();
    caller.server(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;").server(&[b'x'; 100_000]);
    caller.server(b"\r\nx\r\n0\r\n").server(&b"T: x\r\n".repeat(10_000)).server(b"\r\nHTTP/1.1 200 OK\r\n\r\n");
    assert_eq!((caller.events().len(), caller.h1.held()), (2, 0));
}

#[test]
fn gaps_in_bodies_are_counted() {
    let mut caller = Caller::new();
    caller.client(b"PUT /1 HTTP/1.1\r\nContent-Length: 100\r\n\r\n12").gap(TO_SERVER, Some(98));
    caller.client(b"PUT /2 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n1").gap(TO_SERVER, Some(50));
    caller.client(&[b'x'; 49]).client(b"\r\n0\r\n\r\n").client(UPGRADE);
    caller.server(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n").gap(TO_CLIENT, Some(8)).server(b"x");
    caller.server(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").server(SWITCHING);
    let events =
        ["0: PUT /1 1", "1: PUT /2 1", "2: GET /ws 3", "0: 200 Final 1", "1: 200 Final 1", "2: 101 Switched 2"];
    assert_eq!(caller.events(), events);
    let mut caller = Caller::new();
    caller.client(b"GET / HTTP/1.1\r\n\r\n").server(b"HTTP/1.1 200 OK\r\n\r\nx").gap(TO_CLIENT, None).server(b"x");
    assert_eq!(caller.events(), ["0: GET / 0", "0: 200 Final 0"]);
}

#[test]
fn a_gap_over_a_head_ends_at_the_next_one() {
    let mut caller = Caller::new();
    caller.client(b"PUT /1 HTTP/1.1\r\nContent-Length: 10\r\n\r\n12").gap(TO_SERVER, Some(98));
    caller.server(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n").gap(TO_CLIENT, None);
    assert_eq!(caller.events(), ["0: PUT /1 1", "lost: Gap", "0: 200 Final 1", "lost: Gap"]);
    assert!(caller.h1.is_lost(TO_SERVER) && caller.h1.is_lost(TO_CLIENT));
    caller.gap(TO_SERVER, Some(1)).client(b"rest\r\nGET /no HTTP/1.1\r\n\r\n").client(b"GET /cut HTT").client(UPGRADE);
    caller.server(b"GET / HTTP/1.1\r\n\r\n").server(b"HTTP/1.1 rest").server(SWITCHING);
    assert_eq!(caller.events(), ["1: GET /ws 3", "1: 101 Switched 2"]);
}

#[test]
fn after_a_gap_the_latest_request_is_answered() {
    // The second request and the first response are missing.
    let mut caller = Caller::new();
    caller.client(b"HEAD /1 HTTP/1.1\r\n\r\n").gap(TO_SERVER, Some(50)).gap(TO_CLIENT, Some(50)).client(UPGRADE);
    caller.server(SWITCHING);
    assert_eq!(caller.events(), ["0: HEAD /1 0", "lost: Gap", "lost: Gap", "1: GET /ws 3", "1: 101 Switched 2"]);
    // The answer to an upgrade is missing, and a later one says that it was refused.
    let mut caller = Caller::new();
    caller.client(UPGRADE).client(b"GET /2 HTTP/1.1\r\n\r\n").gap(TO_CLIENT, Some(50));
    caller.server(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(caller.events(), ["0: GET /ws 3", "lost: Gap", "0: 200 Final 1", "1: GET /2 0"]);
}

#[test]
fn a_head_that_a_gap_cuts_off_is_emitted_as_far_as_it_goes() {
    // As a snaplen of 96 bytes leaves it.
    let mut caller = Caller::new();
    caller.client(b"GET /net/0 HTTP/1.1\r\nHost: a\r\nUpgra").gap(TO_SERVER, Some(169));
    assert!(caller.h1.is_paused());
    caller.server(b"HTTP/1.1 101 Switching Protoco").gap(TO_CLIENT, Some(99)).server(b"\x81\x05hello").client(FRAME);
    assert_eq!(caller.events(), ["0: GET /net/0 1 cut", "0: 101 Switched 0 cut"]);
    assert_eq!((caller.held.concat(), caller.rest.clone()), (FRAME.to_vec(), b"\x81\x05hello".to_vec()));
    assert_eq!(caller.h1.held(), 0);

    // An ordinary request: the connection continues at the next plausible head.
    let mut caller = Caller::new();
    caller.client(b"GET /1 HTTP/1.1\r\nHost").gap(TO_SERVER, Some(5)).client(b"more").client(UPGRADE);
    caller.server(b"HTTP/1.1 200 OK\r\nA: b\r\n").gap(TO_CLIENT, Some(5)).server(b"body").server(SWITCHING);
    let events = ["0: GET /1 0 cut", "0: 200 Final 1 cut", "1: GET /ws 3", "1: 101 Switched 2"];
    assert_eq!(caller.events(), events);

    // Too little is left.
    for (start, direction) in [("GET /lon", TO_SERVER), ("GET / HTTP/1", TO_SERVER), ("HTTP/1.1 10", TO_CLIENT)] {
        let mut caller = Caller::new();
        match direction {
            TO_SERVER => caller.client(start.as_bytes()),
            TO_CLIENT => caller.server(start.as_bytes()),
        };
        caller.gap(direction, Some(1));
        assert_eq!(caller.events(), ["lost: Gap"], "{start}");
    }
}

#[test]
fn the_end_cuts_a_head_off() {
    let mut caller = Caller::new();
    caller.client(&UPGRADE[..60]).finish(TO_SERVER).server(b"HTTP/1.1 101 Sw").finish(TO_CLIENT);
    assert_eq!(caller.events(), ["0: GET /ws 2 cut", "0: 101 Switched 0 cut"]);
    let mut caller = Caller::new();
    caller.client(b"GET / HTTP/1.1\r\n\r\n").finish(TO_SERVER).server(b"HT").finish(TO_CLIENT);
    assert_eq!(caller.events(), ["0: GET / 0"]);
}

#[test]
fn a_connection_captured_mid_stream() {
    let mut caller = Caller::new();
    caller.gap(TO_SERVER, None).gap(TO_CLIENT, None).events();
    caller.server(b"body").server(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").client(b"body").client(UPGRADE);
    caller.server(SWITCHING).client(FRAME);
    assert_eq!(caller.events(), ["?: 200 Final 1", "0: GET /ws 3", "0: 101 Switched 2"]);
    assert_eq!(caller.held.concat(), FRAME);
    // The request was before the capture.
    let mut caller = Caller::new();
    caller.gap(TO_SERVER, None).gap(TO_CLIENT, None).events();
    caller.server(SWITCHING).client(FRAME);
    assert_eq!((caller.events(), caller.held.concat()), (vec!["?: 101 Switched 2".to_owned()], FRAME.to_vec()));
}

#[test]
fn responses_may_be_captured_before_their_requests() {
    let mut caller = Caller::new();
    caller.server(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").client(b"GET /1 HTTP/1.1\r\n\r\n");
    caller.client(b"GET /2 HTTP/1.1\r\n\r\n").server(b"HTTP/1.1 204 OK\r\n\r\n").server(SWITCHING);
    assert!(!caller.h1.is_paused());
    caller.client(&[UPGRADE, FRAME].concat());
    assert_eq!(
        caller.events(),
        ["?: 200 Final 1", "0: GET /1 0", "1: GET /2 0", "1: 204 Final 0", "?: 101 Switched 2", "2: GET /ws 3"]
    );
    assert_eq!(caller.held.concat(), FRAME);
    // A 101, and the request was never captured: what the client sends is not HTTP.
    let mut caller = Caller::new();
    caller.server(SWITCHING).client(FRAME);
    assert_eq!((caller.events().len(), caller.held.concat()), (1, FRAME.to_vec()));
    // An answered request does not pause.
    let mut caller = Caller::new();
    caller.server(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n").client(UPGRADE).client(b"GET /2 HTTP/1.1\r\n\r\n");
    assert_eq!(caller.events(), ["?: 403 Final 1", "0: GET /ws 3", "1: GET /2 0"]);
}

#[test]
fn a_pause_can_be_ended_by_the_caller() {
    let mut caller = Caller::new();
    caller.client(UPGRADE);
    assert!(caller.h1.is_paused());
    caller.h1.resume();
    caller.client(UPGRADE);
    assert_eq!(caller.events(), ["0: GET /ws 3", "1: GET /ws 3"]);
}

#[test]
fn a_body_lasts_to_the_end_only_if_its_request_is_known() {
    let mut caller = Caller::new();
    caller.server(b"HTTP/1.1 200 OK\r\n\r\n").server(b"no head").server(SWITCHING);
    assert_eq!(caller.events(), ["?: 200 Final 0", "?: 101 Switched 2"]);
    let mut caller = Caller::new();
    caller.client(b"GET / HTTP/1.1\r\n\r\n").server(b"HTTP/1.1 200 OK\r\n\r\n").server(SWITCHING);
    assert_eq!((caller.events().len(), caller.h1.is_over()), (2, true));
}

/// One request and its response as bytes, and the events that they must give.
#[derive(Debug, Clone)]
struct Exchanged {
    request: Vec<u8>,
    response: Vec<u8>,
    request_event: String,
    response_events: Vec<String>,
}

fn exchanged() -> impl Strategy<Value = (usize, usize, Vec<u8>, bool, u8)> {
    (0..4_usize, 0..6_usize, proptest::collection::vec(any::<u8>(), 0..60), any::<bool>(), 0..3_u8)
}

/// Builds an exchange, with its events.
fn build(number: usize, (asks, answers, body, chunked, interim): (usize, usize, Vec<u8>, bool, u8)) -> Exchanged {
    let wrap = |body: &[u8]| match chunked {
        true => {
            let mut bytes = b"Transfer-Encoding: chunked\r\n\r\n".to_vec();
            for chunk in body.chunks(13) {
                bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                bytes.extend_from_slice(&[chunk, b"\r\n"].concat());
            }
            [bytes, b"0\r\n\r\n".to_vec()].concat()
        }
        false => [format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat(),
    };
    let (method, fields, rest) = match asks {
        0 => ("GET", 0, b"\r\n".to_vec()),
        1 => ("POST", 1, wrap(&body)),
        2 => ("HEAD", 0, b"\r\n".to_vec()),
        _ => ("GET", 2, [b"Upgrade: h2c\r\n".to_vec(), wrap(&body)].concat()),
    };
    let request = [format!("{method} /{number} HTTP/1.1\r\n").into_bytes(), rest].concat();
    let mut response = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n".repeat(interim.into());
    let mut response_events = vec![format!("{number}: 103 Interim 1"); interim.into()];
    let (status, fields_back, rest) = match answers {
        0 => (204, 0, b"\r\n".to_vec()),
        1 => (304, 1, b"Content-Length: 77\r\n\r\n".to_vec()),
        2 => (426, 1, wrap(&body)),
        _ => (200, 1, wrap(&body)),
    };
    let rest = match (method, status) {
        ("HEAD", 200 | 426) => b"Content-Length: 77\r\n\r\n".to_vec(),
        _ => rest,
    };
    response.extend_from_slice(&[format!("HTTP/1.1 {status} X\r\n").into_bytes(), rest].concat());
    response_events.push(format!("{number}: {status} Final {fields_back}"));
    let request_event = format!("{number}: {method} /{number} {fields}");
    Exchanged { request, response, request_event, response_events }
}

proptest! {
    /// Whatever is exchanged, however it is cut and pipelined: each head is emitted once, in order, and the WebSocket begins at
    /// its first byte.
    #[test]
    fn any_conversation_with_any_cuts(
        exchanges in proptest::collection::vec(exchanged(), 0..6),
        cuts in proptest::collection::vec(1..50_usize, 1..20),
        pipelined in any::<bool>(),
    ) {
        let exchanges: Vec<_> = exchanges.into_iter().enumerate().map(|(number, what)| build(number, what)).collect();
        let number = exchanges.len();
        let mut caller = Caller::new();
        let mut cuts = cuts.into_iter().cycle();
        let mut pieces = |mut bytes: Vec<u8>| {
            let mut pieces = Vec::new();
            while !bytes.is_empty() {
                let rest = bytes.split_off(cuts.next().unwrap().min(bytes.len()));
                pieces.push(core::mem::replace(&mut bytes, rest));
            }
            pieces
        };
        let client: Vec<_> = exchanges.iter().map(|exchange| exchange.request.clone()).chain([UPGRADE.to_vec()]).collect();
        let server: Vec<_> = exchanges.iter().map(|exchange| exchange.response.clone()).chain([SWITCHING.to_vec()]).collect();
        if pipelined {
            pieces([client.concat(), FRAME.to_vec()].concat()).iter().for_each(|piece| _ = caller.client(piece));
            pieces([server.concat(), b"\x89\x00".to_vec()].concat()).iter().for_each(|piece| _ = caller.server(piece));
        } else {
            for (request, response) in client.into_iter().zip(server) {
                pieces(request).iter().for_each(|piece| _ = caller.client(piece));
                pieces(response).iter().for_each(|piece| _ = caller.server(piece));
            }
            caller.client(FRAME).server(b"\x89\x00");
        }
        let (mut request_events, mut response_events) = (Vec::new(), Vec::new());
        for exchange in exchanges {
            request_events.push(exchange.request_event);
            response_events.extend(exchange.response_events);
        }
        request_events.push(format!("{number}: GET /ws 3"));
        response_events.push(format!("{number}: 101 Switched 2"));
        let (requests, responses): (Vec<_>, Vec<_>) = caller.events().into_iter().partition(|event| event.contains('/'));
        prop_assert_eq!(requests, request_events);
        prop_assert_eq!(responses, response_events);
        prop_assert_eq!(caller.held.concat(), FRAME.to_vec());
        prop_assert_eq!(&caller.rest, b"\x89\x00");
        prop_assert_eq!(caller.h1.held(), 0);
    }

    /// Noise, gaps and ends in any order: nothing panics, and memory stays within the limits.
    #[test]
    fn anything_is_survived(events in proptest::collection::vec((any::<bool>(), prop_oneof![
        4 => proptest::collection::vec(any::<u8>(), 0..40).prop_map(Ok),
        4 => "(GET|HEAD|CONNECT|HTTP/1.1|Upgrade:|Content-Length:|Transfer-Encoding: chunked|101|200| |/|[0-9a-f]|\r\n){1,12}"
            .prop_map(|text| Ok(text.into_bytes())),
        2 => Just(Ok(UPGRADE.to_vec())),
        2 => Just(Ok(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n".to_vec())),
        1 => proptest::option::of(any::<u64>()).prop_map(Err),
    ]), 0..40)) {
        let limits = Limits { max_head_bytes: 100, max_pipelined: 4, ..Limits::default() };
        let mut caller = Caller::with(&limits);
        for (to_server, event) in events {
            let direction = if to_server { TO_SERVER } else { TO_CLIENT };
            match (event, direction) {
                (Ok(bytes), TO_SERVER) => caller.client(&bytes),
                (Ok(bytes), TO_CLIENT) => caller.server(&bytes),
                (Err(len), direction) => caller.gap(direction, len),
            };
            prop_assert!(caller.h1.held() <= 204);
        }
        caller.finish(TO_SERVER).finish(TO_CLIENT);
    }
}

//! Bugs that other tools have or had with WebSocket over HTTP/1.1, each as a test of ours: Wireshark (`w`), Zeek (`z`),
//! Suricata (`s`), Arkime (`a`), pkappa2 (`p`), mitmproxy (`mp`), libraries (`l`); and slips that good observers made.

use wslens::analyzer::{Demand, Options};
use wslens::types::Direction::{ToClient, ToServer};
use wslens::types::{Limits, Role};

use super::command::{Folder, small_capture};
use crate::common::{
    ACK, CLIENT, Conversation, Deflater, FixedBlock, Frame, PSH, Recorder, Reply, SERVER, Upgrade, accept, run,
    run_with, stored,
};

/// Some compressible words, other ones for each number.
fn words(number: u32) -> String {
    format!("message {number}: the same words again and again, and number {number} again")
}

fn has_no_findings(told: &Recorder) {
    assert_eq!(told.lines(), Vec::<String>::new());
}

/// Two frames of one compressed message, cut in the middle.
fn in_two(packed: &[u8]) -> [Frame; 2] {
    let (head, tail) = packed.split_at(packed.len() / 2);
    [Frame::text(head).compressed().more(), Frame::continuation(tail)]
}

#[test]
fn w1_fragmented_compressed_message() {
    let mut deflater = Deflater::new(true);
    let [head, tail] = in_two(&deflater.message(words(1)));
    let mut talk = Conversation::deflate("");
    talk.client_frame(head)
        .client_frame(Frame::ping("in between"))
        .client_frame(tail)
        .client_frame(Frame::text(deflater.message(words(2))).compressed())
        .server_frame(Frame::pong("in between"))
        .close();
    let told = talk.run();
    has_no_findings(&told);
    assert_eq!(told.texts(ToServer), [words(1), words(2)]);
}

#[test]
fn w2_the_first_frame_of_a_connection_says_nothing_of_later_ones() {
    let firsts =
        [Frame::ping("p"), Frame::text("plain"), Frame::text(Deflater::new(false).message("packed")).compressed()];
    for first in firsts {
        let mut deflater = Deflater::new(true);
        let mut talk = Conversation::deflate("; server_no_context_takeover");
        talk.client_frame(Frame::ping("p")).server_frame(Frame::pong("p")).server_frame(first);
        let mut other = Deflater::new(false);
        talk.server_frame(Frame::text(other.message("one")).compressed())
            .server_frame(Frame::text("two"))
            .server_frame(Frame::binary(other.message("three")).compressed())
            .server_frame(Frame::binary("four"))
            .client_frame(Frame::text(deflater.message(words(1))).compressed());
        let told = talk.run();
        let contents = told.contents(ToClient);
        assert_eq!(contents[contents.len() - 4..], [&b"one"[..], b"two", b"three", b"four"]);
        let kinds: Vec<_> = told.data(ToClient).map(|message| message.kind).collect();
        assert_eq!(kinds[kinds.len() - 4..], ["text", "text", "binary", "binary"]);
        assert_eq!(told.texts(ToServer), [words(1)]);
        assert!(!told.codes().contains(&"inflate_error"));
    }
}

#[test]
fn w3_no_context_takeover_is_each_sides_own() {
    for (server_fresh, client_fresh) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut parameters = String::new();
        if server_fresh {
            parameters += "; server_no_context_takeover";
        }
        if client_fresh {
            parameters += "; client_no_context_takeover";
        }
        let mut talk = Conversation::deflate(&parameters);
        let (mut client, mut server) = (Deflater::new(!client_fresh), Deflater::new(!server_fresh));
        for number in 0..3 {
            talk.client_frame(Frame::text(client.message(words(number))).compressed());
            talk.server_frame(Frame::text(server.message(words(number + 10))).compressed());
        }
        let told = talk.close().run();
        has_no_findings(&told);
        assert_eq!(told.texts(ToServer), [words(0), words(1), words(2)], "{parameters}");
        assert_eq!(told.texts(ToClient), [words(10), words(11), words(12)], "{parameters}");
    }
}

#[test]
fn w4_every_window_each_way() {
    let plain: String = (0..3000).map(|number| format!("{},", number % 701)).collect();
    for bits in 8..=15_u8 {
        // zlib's raw deflate has no window of 2^8: for it, bytes that refer to nothing far back.
        let packed = |takeover| {
            if bits == 8 { stored(plain.as_bytes()) } else { Deflater::with_window(bits, takeover).message(&plain) }
        };
        let offer = format!("; client_max_window_bits; server_max_window_bits={bits}");
        let answer = format!("; client_max_window_bits={bits}; server_max_window_bits={bits}");
        let mut talk = Conversation::deflate_as(&offer, &answer);
        for (role, takeover) in [(CLIENT, true), (SERVER, true)] {
            let bytes = Frame::text(packed(takeover)).compressed().bytes(role);
            talk.send_pieces(role, &bytes, 1000);
        }
        let told = talk.close().run();
        has_no_findings(&told);
        assert_eq!((told.texts(ToServer), told.texts(ToClient)), (vec![&*plain], vec![&*plain]), "{bits} bits");
    }
    // One window too small for what its side sends: said of that side, and decoded all the same.
    for (bits, far) in [(8, 257), (9, 513), (10, 1025), (11, 2049), (12, 4097), (13, 8193), (14, 16385)] {
        let parameters = format!("; server_max_window_bits={bits}");
        let block = FixedBlock::new().literals(&vec![b'x'; 20_000]).copy3(far).message();
        let mut talk = Conversation::deflate(&parameters);
        for role in [SERVER, CLIENT] {
            talk.send_pieces(role, &Frame::text(&block).compressed().bytes(role), 30_000);
        }
        let told = talk.close().run();
        assert_eq!(told.lines(), ["inflate_window_exceeded s2c packet 6 frame 0 message 0"], "{bits} bits");
        assert!(told.data(ToClient).all(|message| message.complete && message.len == Some(20_003)));
    }
}

#[test]
fn w5_a_final_block_ends_a_message_not_the_connection() {
    for takeover in [true, false] {
        let mut deflater = Deflater::new(takeover);
        let mut talk = Conversation::deflate(if takeover { "" } else { "; server_no_context_takeover" });
        talk.server_frame(Frame::text(deflater.message(words(1))).compressed())
            .server_frame(Frame::text(deflater.final_message(words(2))).compressed())
            .server_frame(Frame::text(deflater.message(words(3))).compressed())
            .server_frame(Frame::text(deflater.final_message("")).compressed())
            .server_frame(Frame::text(deflater.message(words(4))).compressed());
        let told = talk.close().run();
        has_no_findings(&told);
        assert_eq!(told.texts(ToClient), [&*words(1), &words(2), &words(3), "", &words(4)]);
    }
    // Several streams in one message.
    let mut message = Deflater::stream("one, ");
    message.extend(Deflater::stream("two, "));
    message.extend(Deflater::new(true).message("three"));
    let mut talk = Conversation::deflate("");
    let told = talk.client_frame(Frame::text(message).compressed()).close().run();
    has_no_findings(&told);
    assert_eq!(told.texts(ToServer), ["one, two, three"]);
}

#[test]
fn w6_inflation_has_a_limit_and_goes_on() {
    let limits = Limits { max_message_bytes: 1 << 16, ..Limits::default() };
    let demand = Demand { content_bytes: u64::MAX, frame_bytes: 0, ..Demand::default() };
    let mut deflater = Deflater::new(true);
    let mut talk = Conversation::deflate("");
    talk.server_frame(Frame::binary(deflater.message(vec![0; 20_000_000])).compressed());
    talk.server_frame(Frame::text(deflater.message(words(1))).compressed());
    let told = run_with(&talk.capture(), &Options { limits, demand, ..Options::default() });
    assert_eq!(told.codes(), ["inflate_ratio"]);
    let bomb = &told.messages[0];
    assert_eq!((bomb.len, bomb.content.len(), bomb.content_whole), (Some(20_000_000), 1 << 16, false));
    assert_eq!(told.messages[1].content, words(1).as_bytes());
}

#[test]
fn w7_both_directions_fragment_at_once() {
    let [head, tail] = in_two(&Deflater::new(true).message(words(1)));
    let mut talk = Conversation::deflate("");
    talk.client_frame(Frame::binary([1]).more())
        .server_frame(head)
        .client_frame(Frame::continuation([2]).more())
        .server_frame(tail)
        .client_frame(Frame::continuation([3]));
    let told = talk.close().run();
    has_no_findings(&told);
    assert_eq!((told.contents(ToServer), told.texts(ToClient)), (vec![&[1, 2, 3][..]], vec![&*words(1)]));
    assert_eq!(told.data(ToServer).map(|message| message.kind).collect::<Vec<_>>(), ["binary"]);
}

#[test]
fn w8_lengths_have_64_bits() {
    for len in [(1 << 32) + 5, (1 << 62) + 1, (1_u64 << 63) - 1, 1 << 63, u64::MAX] {
        let mut talk = Conversation::open();
        talk.server_frame(Frame::binary("hello").declared(len)).server_frame(Frame::text("is payload"));
        let told = talk.run();
        assert_eq!((told.frames.len(), told.frames[0].header.payload_len, told.frames[0].complete), (1, len, false));
        assert_eq!(told.messages.len(), 1, "no frame is made up of payload");
        assert_eq!(told.codes().contains(&"length_too_large"), len >> 63 == 1);
        assert_eq!(told.summary().traffic.to_client.wire_bytes, 5 + 2 + 10, "what was there, not what was announced");
    }
}

#[test]
fn w9_a_frame_in_the_segment_of_the_request() {
    let mut request = Upgrade::new().bytes();
    request.extend(Frame::text("early").bytes(CLIENT));
    let mut talk = Conversation::connected();
    talk.client(&request)
        .client_frame(Frame::text("too"))
        .server(Reply::new().bytes())
        .client_frame(Frame::text("late"));
    let told = talk.close().run();
    has_no_findings(&told);
    assert_eq!(told.texts(ToServer), ["early", "too", "late"]);
    let packets: Vec<_> = told.data(ToServer).map(|message| message.packets).collect();
    assert_eq!(packets, [(4, 4), (5, 5), (7, 7)], "each in its own packet");
}

#[test]
fn w10_segments_out_of_order_overlapping_and_again() {
    let bytes: Vec<u8> = ["one", "two", "three"].iter().flat_map(|text| Frame::text(text).bytes(SERVER)).collect();
    let mut talk = Conversation::open();
    talk.send_pieces(SERVER, &bytes, 5).client_frame(Frame::text("x")).close();
    let whole = talk.run();
    assert_eq!(whole.texts(ToClient), ["one", "two", "three"]);
    has_no_findings(&whole);
    for (one, other) in [(6, 7), (6, 8), (7, 8)] {
        let told = run(&talk.capture().swapped(one, other));
        assert_eq!((told.content(), told.codes()), (whole.content(), vec![]), "{one} and {other} swapped");
        assert!(told.summary().traffic.to_client.out_of_order > 0);
    }
    let told = run(&talk.capture().doubled());
    assert_eq!((told.content(), told.codes()), (whole.content(), vec![]), "everything twice");
    // Sent again, cut otherwise, some of it new.
    let mut talk = Conversation::open();
    talk.server(&bytes[..9]);
    talk.raw(SERVER, -6, PSH | ACK, &bytes[3..7]);
    talk.raw(SERVER, -3, PSH | ACK, &bytes[6..]);
    let told = talk.lost(SERVER, bytes.len() - 9).ack(CLIENT).client_frame(Frame::text("x")).close().run();
    assert_eq!((told.content(), told.codes()), (whole.content(), vec![]));
}

#[test]
fn w11_large_masked_payload() {
    for len in [300_000, 16 << 20] {
        let payload: Vec<u8> = (0..len).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let mut talk = Conversation::open();
        let bytes = Frame::binary(&payload).masked([0xa5, 1, 0xff, 0x80]).bytes(CLIENT);
        let told = talk.send_pieces(CLIENT, &bytes, 60_001).close().run();
        has_no_findings(&told);
        assert!(told.contents(ToServer) == [&*payload], "{len} bytes");
        assert!(told.frames[0].payload == payload);
    }
}

#[test]
fn w12_breaches_that_nobody_tells() {
    let cases: [(&str, Role, &[Frame]); 15] = [
        ("control_fragmented", SERVER, &[Frame::close(1000, "").more()]),
        ("rsv_bits", SERVER, &[Frame::text("x").rsv(2)]),
        ("expected_continuation", SERVER, &[Frame::text("a").more(), Frame::text("z")]),
        ("unmasked_client_frame", CLIENT, &[Frame::text("x").unmasked()]),
        ("masked_server_frame", SERVER, &[Frame::text("x").masked([1; 4])]),
        ("length_not_minimal", SERVER, &[Frame::text("x").width(2)]),
        ("length_not_minimal", SERVER, &[Frame::text("x").width(8)]),
        ("invalid_utf8", SERVER, &[Frame::text([0xff])]),
        ("control_too_long", SERVER, &[Frame::close(1000, &"r".repeat(198))]),
        ("close_payload_too_short", SERVER, &[Frame::new(8, "x")]),
        ("invalid_close_code", SERVER, &[Frame::close(1005, "")]),
        ("data_after_close", SERVER, &[Frame::close(1000, ""), Frame::text("x")]),
        ("reserved_opcode", SERVER, &[Frame::new(3, "")]),
        ("reserved_opcode", SERVER, &[Frame::new(11, "")]),
        ("unexpected_continuation", SERVER, &[Frame::continuation("")]),
    ];
    for (code, from, frames) in cases {
        let mut talk = Conversation::open();
        for frame in frames {
            talk.frame(from, frame.clone());
        }
        assert_eq!(talk.run().codes(), [code]);
    }
    // "a" and "z" are not one message.
    let mut talk = Conversation::open();
    let told = talk.server_frame(Frame::text("a").more()).server_frame(Frame::text("z")).run();
    assert_eq!(told.texts(ToClient), ["a", "z"]);
}

#[test]
fn w13_the_accept_is_checked() {
    let codes = |reply: Reply| Conversation::upgraded(&Upgrade::new(), &reply).close().run().codes();
    assert_eq!(codes(Reply::new().set("Sec-WebSocket-Accept", &accept("other"))), ["accept_mismatch"]);
    assert_eq!(codes(Reply::new().without("Sec-WebSocket-Accept")), ["accept_missing"]);
    let twice = Reply::new().with("Sec-WebSocket-Accept", &accept("other"));
    assert_eq!(codes(twice), ["handshake_malformed"]);
}

#[test]
fn w14_as_many_frames_as_fit_into_a_segment() {
    let frames = [0x81, 0].repeat(32_747);
    let mut talk = Conversation::open();
    let told = talk.server(&frames).close().run();
    has_no_findings(&told);
    assert_eq!(told.data(ToClient).filter(|message| message.complete && message.len == Some(0)).count(), 32_747);
    // As fragments of one message, too.
    let mut frames = [0, 0].repeat(32_747);
    frames[0] = 1;
    let last = frames.len() - 2;
    frames[last] = 0x80;
    let told = Conversation::open().server(&frames).close().run();
    has_no_findings(&told);
    assert_eq!(
        told.data(ToClient).map(|message| (message.frames, message.len)).collect::<Vec<_>>(),
        [(32_747, Some(0))]
    );
}

#[test]
fn w15_a_text_right_behind_the_handshake_is_text() {
    let mut bytes = Reply::new().bytes();
    bytes.extend(Frame::text("first").bytes(SERVER));
    for cut in 1..=bytes.len() {
        let mut talk = Conversation::connected();
        talk.client(Upgrade::new().bytes()).send_pieces(SERVER, &bytes, cut);
        let told = talk.close().run();
        has_no_findings(&told);
        assert_eq!(told.texts(ToClient), ["first"], "in pieces of {cut}");
    }
}

#[test]
fn w16_the_text_column_stays() {
    let folder = Folder::of(&small_capture());
    let run = folder.run(["talk.pcap", "--messages", "-", "--format", "ndjson", "--payload", "full"]).ok();
    let first: serde_json::Value = serde_json::from_str(run.text().lines().next().unwrap()).unwrap();
    assert_eq!((&first["type"], &first["text"]), (&"text".into(), &"hello".into()));
}

#[test]
fn z1_payload_of_continuation_frames() {
    let mut talk = Conversation::open();
    talk.client_frame(Frame::binary("one ").more()).client_frame(Frame::continuation("two"));
    let told = talk.close().run();
    has_no_findings(&told);
    assert_eq!(told.contents(ToServer), [b"one two"]);
    let frames: Vec<_> =
        told.frames[..2].iter().map(|frame| (&*frame.payload, frame.message, frame.fragment)).collect();
    assert_eq!(frames, [(&b"one "[..], Some(0), 0), (b"two", Some(0), 1)]);
}

#[test]
fn z2_a_control_frame_between_fragments() {
    for control in [Frame::ping("p"), Frame::pong("p"), Frame::close(1000, "")] {
        let mut talk = Conversation::open();
        talk.server_frame(Frame::text("a").more()).server_frame(control).server_frame(Frame::continuation("b"));
        let told = talk.run();
        assert_eq!(told.texts(ToClient), ["ab"]);
        assert_eq!(told.data(ToClient).next().unwrap().number, 1, "messages are numbered as they are complete");
    }
}

#[test]
fn z3_a_gap_in_one_direction_silences_neither() {
    let mut talk = Conversation::open();
    let bytes = Frame::text("client's, with a hole").bytes(CLIENT);
    talk.client(&bytes[..10]).lost(CLIENT, 5).ack(SERVER).client(&bytes[15..]);
    talk.server_frame(Frame::text("s1")).client_frame(Frame::text("c1")).server_frame(Frame::text("s2"));
    let told = talk.close().run();
    assert_eq!(told.codes(), ["tcp_gap"]);
    assert_eq!(told.texts(ToClient), ["s1", "s2"]);
    assert_eq!(told.texts(ToServer)[1], "c1");
    assert_eq!(told.summary().clean, Some(true));
    // Even where it takes a header.
    let mut talk = Conversation::open();
    talk.lost(CLIENT, 20).ack(SERVER).server_frame(Frame::text("s1")).server_frame(Frame::text("s2")).fin(SERVER);
    assert_eq!(talk.run().texts(ToClient), ["s1", "s2"]);
}

#[test]
fn z4_an_endless_close_frame() {
    let mut talk = Conversation::open();
    let bytes = Frame::new(8, vec![b'r'; 300_000]).bytes(SERVER);
    talk.send_pieces(SERVER, &bytes, 60_000).server_frame(Frame::pong(""));
    let limits = Limits::default();
    let told = run_with(&talk.capture(), &Options { limits, ..Options::default() });
    assert_eq!(told.codes()[0], "control_too_long");
    assert_eq!(told.frames.len(), 2, "in step behind it");
    assert!(told.frames[0].payload.len() <= 4096, "{} bytes kept", told.frames[0].payload.len());
    assert_eq!(told.frames[0].header.payload_len, 300_000);
}

#[test]
fn z5_frames_in_the_packet_of_the_101() {
    let mut reply = Reply::new().bytes();
    reply.extend(Frame::text("hello").bytes(SERVER));
    reply.extend(Frame::ping("p").bytes(SERVER));
    let mut talk = Conversation::connected();
    talk.client(Upgrade::new().bytes()).server(&reply).client_frame(Frame::pong("p"));
    let told = talk.close().run();
    has_no_findings(&told);
    assert_eq!(told.texts(ToClient), ["hello"]);
    assert_eq!(told.frames[0].packets, (5, 5));
}

#[test]
fn z6_bearer_tokens_are_not_printed() {
    let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpZCI6IjAxOTAifQ.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg";
    let offered = format!("v1, authorization.bearer.{token}");
    let request = Upgrade::new()
        .line("GET /v1/events?token=s3cr3t-t0k3n-0123456789 HTTP/1.1")
        .with("Sec-WebSocket-Protocol", &offered);
    let mut talk = Conversation::upgraded(&request, &Reply::new().with("Sec-WebSocket-Protocol", "v1"));
    let folder = Folder::of(&talk.close().capture());
    let args =
        ["talk.pcap", "--connections", "c.csv", "--messages", "m.csv", "--frames", "f.ndjson", "--findings", "n.csv"];
    for report in ["text", "json"] {
        let run = folder.run(args.into_iter().chain(["--report", report])).ok();
        let mut all = run.stdout;
        for table in ["c.csv", "m.csv", "f.ndjson", "n.csv"] {
            all.extend(folder.get(table));
        }
        let all = String::from_utf8(all).unwrap();
        for secret in [token, "c2lnbmF0dXJlLW9mLXRoZS10b2tlbg", "s3cr3t-t0k3n-0123456789"] {
            assert!(!all.contains(secret), "{report}: {secret}");
        }
        let shown = folder.run(args.into_iter().chain(["--report", report, "--show-secrets"])).ok();
        assert!(shown.text().contains("s3cr3t-t0k3n-0123456789"), "{report}");
        assert!(folder.text("c.csv").contains(token));
    }
}

#[test]
fn s1_ping_is_9_and_pong_is_10() {
    let mut talk = Conversation::open();
    let told = talk.server_frame(Frame::new(9, "p")).client_frame(Frame::new(10, "p")).run();
    let seen: Vec<_> = told.messages.iter().map(|message| (message.kind, message.ping_rtt_us)).collect();
    assert_eq!(seen, [("ping", None), ("pong", Some(1000))]);
}

#[test]
fn s2_whole_messages_are_inflated_with_their_context_and_window() {
    let noise: Vec<u8> = (0..30_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24).to_le_bytes()[0]).collect();
    let mut deflater = Deflater::new(true);
    let mut talk = Conversation::deflate("");
    // The second refers 30,000 bytes back, into the first.
    for _ in 0..2 {
        talk.server_frame(Frame::binary(deflater.message(&noise)).compressed());
    }
    let told = talk.close().run();
    has_no_findings(&told);
    assert!(told.contents(ToClient) == [&*noise, &*noise]);
    assert!(told.data(ToClient).nth(1).unwrap().wire_len < 1000, "it does refer back");
}

#[test]
fn s3_a_ping_hides_nothing() {
    let mut talk = Conversation::open();
    talk.client_frame(Frame::text("GET /etc/").more())
        .client_frame(Frame::ping(vec![b'x'; 125]))
        .client_frame(Frame::continuation("pass").more())
        .client_frame(Frame::ping(""))
        .client_frame(Frame::continuation("wd"));
    let told = talk.run();
    assert_eq!(told.texts(ToServer), ["GET /etc/passwd"]);
    assert_eq!(told.data(ToServer).next().unwrap().frames, 3);
}

#[test]
fn s4_what_cannot_be_inflated_is_not_shown_as_content() {
    let mut talk = Conversation::deflate("");
    let told = talk.client_frame(Frame::text([0x07, 0xff, b'a', b'b']).compressed()).close().run();
    let message = told.data(ToServer).next().unwrap();
    assert_eq!((&*message.content, message.len, message.complete), (&b""[..], None, false));
    assert_eq!((message.codes.as_slice(), message.wire_len), (&["inflate_error"][..], 4));
    assert_eq!(told.frames[0].payload, [0x07, 0xff, b'a', b'b'], "a frame's payload is what was on the wire");
}

#[test]
fn s4_rsv1_without_negotiation_is_not_inflated() {
    let packed = Deflater::new(true).message("hello hello hello");
    let mut talk = Conversation::open();
    let told = talk.client_frame(Frame::binary(&packed).compressed()).close().run();
    assert_eq!((told.codes(), told.contents(ToServer)), (vec!["rsv_bits"], vec![&*packed]));
    assert!(!told.messages[0].compressed);
}

#[test]
fn s4_a_message_over_64_kib_does_not_break_the_context() {
    let long: String = (0..40_000).map(|number| format!("{number} ")).collect();
    let mut deflater = Deflater::new(true);
    let mut talk = Conversation::deflate("");
    let bytes = Frame::text(deflater.message(&long)).compressed().bytes(SERVER);
    talk.send_pieces(SERVER, &bytes, 60_000);
    talk.server_frame(Frame::text(deflater.message(&long[long.len() - 500..])).compressed());
    for demand in [Demand::default(), Demand { content_bytes: 64, frame_bytes: 64, ..Demand::default() }] {
        let told = run_with(&talk.capture(), &Options { demand, ..Options::default() });
        has_no_findings(&told);
        let lens: Vec<_> = told.data(ToClient).map(|message| (message.len, message.complete)).collect();
        assert_eq!(lens, [(Some(long.len() as u64), true), (Some(500), true)]);
    }
    assert_eq!(talk.run().texts(ToClient), [&*long, &long[long.len() - 500..]]);
}

#[test]
fn s4_an_empty_first_fragment_keeps_the_message_compressed() {
    let packed = Deflater::new(true).message(words(1));
    let mut talk = Conversation::deflate("");
    talk.server_frame(Frame::text([]).compressed().more())
        .server_frame(Frame::continuation(&packed).more())
        .server_frame(Frame::continuation([]));
    let told = talk.run();
    has_no_findings(&told);
    assert_eq!(told.texts(ToClient), [words(1)]);
}

#[test]
fn s5_sizes_have_units() {
    let folder = Folder::of(&small_capture());
    for size in ["65536", "64K", "64KiB", "64 KiB", "64kb", "0.5M"] {
        folder.run(["talk.pcap", "--max-message", size]).ok();
    }
    folder.run(["talk.pcap", "--max-message", "64 parsecs"]).fails(&["--max-message", "64 parsecs"]);
}

#[test]
fn a1_segments_of_one_byte() {
    let mut bytes = Frame::text("a").more().bytes(SERVER);
    bytes.extend(Frame::ping("p").bytes(SERVER));
    bytes.extend(Frame::continuation("b").bytes(SERVER));
    bytes.extend(Frame::close(1001, "going away").bytes(SERVER));
    let mut talk = Conversation::open();
    let told = talk.send_pieces(SERVER, &bytes, 1).client_frame(Frame::pong("p")).run();
    has_no_findings(&told);
    assert_eq!(told.texts(ToClient), ["ab"]);
    let close = told.messages.iter().find(|message| message.kind == "close").unwrap();
    assert_eq!(close.close, Some((Some(1001), b"going away".to_vec())));
    assert_eq!(told.summary().close_reason, b"going away");
}

#[test]
fn a2_deflated_bytes_are_never_shown_as_text() {
    let plain = "zyzzyva zyzzyva zyzzyva";
    let packed = Deflater::new(true).message(plain);
    let mut talk = Conversation::deflate("");
    talk.server_frame(Frame::text(&packed).compressed());
    talk.server_frame(Frame::text([0x07; 20]).compressed()).close();
    let folder = Folder::of(&talk.capture());
    let run = folder.run(["talk.pcap", "--messages", "m.ndjson", "--follow", "--payload", "full"]).ok();
    assert!(run.text().contains(plain));
    let rows = folder.text("m.ndjson");
    let rows: Vec<serde_json::Value> = rows.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows[0]["text"], plain);
    let empty = |value: &serde_json::Value| value.is_null() || value == "";
    assert!(empty(&rows[1]["text"]) && empty(&rows[1]["data"]), "{}", rows[1]);
}

#[test]
fn p1_fragments_are_each_directions_own() {
    let mut talk = Conversation::open();
    for number in 0..60 {
        let more = |frame: Frame| if number < 59 { frame.more() } else { frame };
        let part = |from: &str| format!("{from}{number} ");
        let frame = |from: &str| if number == 0 { Frame::text(part(from)) } else { Frame::continuation(part(from)) };
        talk.client_frame(more(frame("c"))).server_frame(more(frame("s")));
    }
    let told = talk.close().run();
    has_no_findings(&told);
    let whole = |from: &str| (0..60).map(|number| format!("{from}{number} ")).collect::<String>();
    assert_eq!((told.texts(ToServer), told.texts(ToClient)), (vec![&*whole("c")], vec![&*whole("s")]));
}

#[test]
fn mp1_both_directions_are_inflated() {
    let (mut client, mut server) = (Deflater::new(true), Deflater::new(true));
    let mut talk = Conversation::deflate("");
    for number in 0..20 {
        talk.client_frame(Frame::text(client.message(words(number))).compressed());
        talk.server_frame(Frame::text(server.message(words(number + 1))).compressed());
    }
    let told = talk.close().run();
    has_no_findings(&told);
    assert_eq!(told.texts(ToServer), (0..20).map(words).collect::<Vec<_>>());
    assert_eq!(told.texts(ToClient), (1..21).map(words).collect::<Vec<_>>());
}

#[test]
fn l1_a_plain_message_between_compressed_ones() {
    let mut deflater = Deflater::new(true);
    let mut talk = Conversation::deflate("");
    for number in 0..9 {
        let text = words(number % 2);
        talk.server_frame(match number % 3 {
            1 => Frame::text(text),
            _ => Frame::text(deflater.message(text)).compressed(),
        });
    }
    let told = talk.close().run();
    has_no_findings(&told);
    assert_eq!(told.texts(ToClient), (0..9).map(|number| words(number % 2)).collect::<Vec<_>>());
    let compressed: Vec<_> = told.data(ToClient).map(|message| message.compressed).collect();
    assert_eq!(compressed[..4], [true, false, true, true]);
}

#[test]
fn l2_a_101_has_no_body() {
    for (name, value) in [("Transfer-Encoding", "chunked"), ("Content-Length", "5"), ("Content-Length", "0")] {
        let mut reply = Reply::new().with(name, value).bytes();
        reply.extend(Frame::text("first").bytes(SERVER));
        let mut talk = Conversation::connected();
        talk.client(Upgrade::new().bytes()).server(reply).server_frame(Frame::text("second"));
        assert_eq!(talk.run().texts(ToClient), ["first", "second"], "{name}: {value}");
    }
}

#[test]
fn l3_rsv1_on_a_control_frame_is_told_and_not_inflated() {
    let packed = Deflater::new(true).message("ping");
    let mut talk = Conversation::deflate("");
    talk.server_frame(Frame::ping(&packed).compressed())
        .client_frame(Frame::pong(&packed))
        .server_frame(Frame::text(Deflater::new(true).message("text")).compressed());
    let told = talk.run();
    assert_eq!(told.codes(), ["rsv_bits"]);
    assert_eq!((&*told.messages[0].content, told.messages[0].compressed), (&*packed, false));
    assert!(told.messages[1].ping_rtt_us.is_some());
    assert_eq!(told.texts(ToClient), ["text"]);
}

#[test]
fn l4_a_window_of_8_bits_that_is_used_as_9() {
    let far = |distance| FixedBlock::new().literals(&[b'y'; 512]).copy3(distance).message();
    for distance in [257, 400, 512] {
        let mut talk = Conversation::deflate("; server_max_window_bits=8");
        talk.server_frame(Frame::text(far(distance)).compressed());
        talk.server_frame(Frame::text("in step")).close();
        let told = talk.run();
        assert_eq!(told.lines(), ["inflate_window_exceeded s2c packet 6 frame 0 message 0"]);
        assert_eq!((told.messages[0].len, told.messages[0].complete), (Some(515), true));
    }
    let mut talk = Conversation::deflate("; server_max_window_bits=8");
    has_no_findings(&talk.server_frame(Frame::text(far(256)).compressed()).close().run());
}

#[test]
fn l5_bombs_are_told() {
    let bomb = Deflater::new(true).message(vec![b' '; 4 << 20]);
    assert!(bomb.len() < 5000, "{} bytes", bomb.len());
    let mut talk = Conversation::deflate("");
    let told = talk.client_frame(Frame::text(&bomb).compressed()).close().run();
    assert_eq!(told.lines(), ["inflate_ratio c2s packet 6 frame 0 message 0"]);
    assert_eq!(told.messages[0].len, Some(4 << 20));
}

// --- where good observers slip

#[test]
fn slip_a_ping_between_fragments_breaks_the_message() {
    let [head, tail] = in_two(&Deflater::new(true).message(words(1)));
    let mut talk = Conversation::deflate("");
    talk.server_frame(head).server_frame(Frame::ping("")).server_frame(tail).client_frame(Frame::pong(""));
    let told = talk.close().run();
    has_no_findings(&told);
    assert_eq!(told.texts(ToClient), [words(1)]);
}

#[test]
fn slip_rsv1_from_the_wrong_frame() {
    // On a continuation alone it does not make its message a compressed one.
    let mut talk = Conversation::deflate("");
    talk.server_frame(Frame::text("a").more()).server_frame(Frame::continuation("b").compressed());
    let told = talk.close().run();
    assert_eq!((told.codes(), told.texts(ToClient)), (vec!["rsv_bits"], vec!["ab"]));
    assert!(!told.messages[0].compressed);
}

#[test]
fn slip_both_directions_share_one_message() {
    let mut talk = Conversation::open();
    talk.client_frame(Frame::text([0xe2, 0x82]).more())
        .server_frame(Frame::text([0xc3]).more())
        .client_frame(Frame::continuation([0xac]))
        .server_frame(Frame::continuation([0xbc]));
    let told = talk.close().run();
    has_no_findings(&told);
    assert_eq!((told.texts(ToServer), told.texts(ToClient)), (vec!["€"], vec!["ü"]));
}

#[test]
fn slip_a_64_bit_length_narrowed_to_32() {
    let mut talk = Conversation::open();
    talk.server_frame(Frame::text("").declared(1 << 32)).server(Frame::text("not a frame").bytes(SERVER));
    let told = talk.run();
    assert_eq!((told.frames.len(), told.frames[0].header.payload_len), (1, 1 << 32));
}

#[test]
fn slip_one_lost_segment_ends_the_analysis() {
    let mut talk = Conversation::open();
    talk.send_pieces(SERVER, &Frame::binary(vec![1; 5000]).bytes(SERVER), 1000).ack(CLIENT);
    talk.server_frame(Frame::text("after")).client_frame(Frame::text("other")).close();
    let told = run(&talk.capture().without(8));
    assert_eq!(told.codes(), ["tcp_gap"]);
    let lens: Vec<_> = told.data(ToClient).map(|message| (message.len, message.complete)).collect();
    assert_eq!(lens, [(Some(5000), false), (Some(5), true)]);
    assert_eq!((told.texts(ToServer), told.summary().clean), (vec!["other"], Some(true)));
}

#[test]
fn slip_sequence_numbers_wrap() {
    // The wrap falls on every place of the handshake and the frames, in order and out of order.
    for before in 0..360 {
        let mut talk = Conversation::new();
        let start = 0_u32.wrapping_sub(before);
        talk.numbered(start, start).connect().client(Upgrade::new().bytes()).server(Reply::new().bytes());
        talk.client_frame(Frame::text("one")).client_frame(Frame::text("two"));
        talk.server_frame(Frame::text("three")).server_frame(Frame::text("four")).close();
        for capture in [talk.capture(), talk.capture().swapped(6, 7).swapped(8, 9)] {
            let told = run(&capture);
            has_no_findings(&told);
            assert_eq!(told.texts(ToServer), ["one", "two"], "{before} bytes before the wrap");
            assert_eq!(told.texts(ToClient), ["three", "four"], "{before} bytes before the wrap");
        }
    }
}

#[test]
fn slip_age_by_wall_clock() {
    const HOUR: i64 = 3_600_000;
    // A day of silence, by the capture's clock.
    let mut talk = Conversation::open();
    talk.client_frame(Frame::text("a")).wait_ms(23 * HOUR).client_frame(Frame::text("b")).close();
    let told = talk.run();
    has_no_findings(&told);
    assert_eq!((told.texts(ToServer), told.closed.len()), (vec!["a", "b"], 1));
    assert_eq!(told.summary().longest_silence.unwrap().us, 23 * 3_600_000_000 + 1_000);
    // A conversation that was forgotten frees its place, as the capture's clock says, not ours.
    let limits = Limits { websocket_idle_secs: 60, ..Limits::default() };
    let mut other = Conversation::from_port(50_001);
    other.wait_ms(HOUR).connect().client(Upgrade::new().bytes()).server(Reply::new().bytes()).wait_ms(HOUR).ack(CLIENT);
    let mut idle = Conversation::open();
    let capture = crate::common::Capture::merge([idle.client_frame(Frame::text("a")).capture(), other.capture()]);
    let told = run_with(&capture, &Options { limits, ..Options::default() });
    assert_eq!(told.closed.first().map(|(identity, _)| identity.client.port), Some(50_000));
}

#[test]
fn slip_a_limit_for_all() {
    let mut talk = Conversation::deflate("");
    talk.client_frame(Frame::text(Deflater::new(true).message(vec![b' '; 50_000])).compressed());
    let with = |min_ratio_bytes, max_inflate_ratio| {
        let limits = Limits { min_ratio_bytes, max_inflate_ratio, ..Limits::default() };
        run_with(&talk.capture(), &Options { limits, ..Options::default() }).codes()
    };
    assert_eq!((with(1000, 10), with(1 << 20, 10), with(1000, 100_000)), (vec!["inflate_ratio"], vec![], vec![]));
}

#[test]
fn slip_an_opcode_has_four_bits() {
    let mut talk = Conversation::open();
    for opcode in 0..16 {
        talk.server_frame(Frame::new(opcode, []));
    }
    let told = talk.run();
    let opcodes: Vec<_> = told.frames.iter().map(|frame| frame.header.opcode.bits()).collect();
    assert_eq!(opcodes, (0..16).collect::<Vec<u8>>());
}

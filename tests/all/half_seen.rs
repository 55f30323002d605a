//! Handshakes of which one half is missing, late, or none: where frames begin is known from the other half.

use wslens::event::Outcome;
use wslens::types::{FindingCode, Role};

use super::losses::lab::damage::Whole;
use super::losses::lab::packets::{Raw, by_connection, captures, read};
use super::losses::lab::random::Random;
use super::losses::lab::talk::{Kind, conversation, endpoint, packets, send, tcp};
use super::losses::lab::watch::{Watch, Way, analyse};
use crate::common::{CLIENT, Conversation, Frame, Recorder, Reply, SERVER, Upgrade, run};

const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// Made and real conversations, each with all of its handshake.
fn wholes() -> Vec<(String, Whole)> {
    let made = Kind::ALL.into_iter().map(|kind| {
        let raws = conversation(kind, 60, (endpoint(1, 50_123), endpoint(2, 8080)), &mut Random::new(5));
        (format!("{kind:?}"), Whole::new(raws))
    });
    let mut wholes: Vec<_> = made.collect();
    for (name, path) in captures(&["ws-plain-basic", "ws-plain-lengths", "pmd-default", "net-base", "chromium-ws"]) {
        wholes.extend(by_connection(&read(&path)).into_iter().map(|raws| (name.clone(), Whole::new(raws))));
    }
    wholes.retain(|(_, whole)| whole.watch.opened.len() == 1 && !whole.watch.frames.is_empty());
    wholes
}

/// The two ways of the only WebSocket: to the server, to the client.
fn ways(watch: &Watch) -> [Way; 2] {
    let (client, server) = *watch.opened.keys().next().unwrap();
    [true, false].map(|to_server| Way { client, server, to_server })
}

/// The packets without the first of one way that carries bytes.
fn without_head<'r>(whole: &'r Whole, way: &Way) -> Vec<&'r Raw> {
    let head = whole.raws.iter().find(|raw| raw.carries(way.src(), way.dst())).unwrap().number;
    // Heads that came again would not be missing.
    whole.raws.iter().filter(|raw| raw.number != head).collect()
}

/// All that is told of a way is a part of what is told of the whole.
fn assert_true(name: &str, told: &Watch, whole: &Watch, way: &Way) {
    for one in told.frames(way) {
        let known = |other: &&_| {
            let other: &super::losses::lab::watch::Frame = other;
            other.header == one.header && other.payload == one.payload && other.first == one.first
        };
        assert!(whole.frames(way).iter().any(|other| known(&other)), "{name}: invented {one:?}");
    }
}

#[test]
fn a_lost_response_hides_no_frame_of_the_client() {
    for (name, whole) in wholes() {
        let [up, down] = ways(&whole.watch);
        let raws = without_head(&whole, &down);
        let told = analyse(raws);
        let (all, up_told) = (whole.watch.frames(&up), told.frames(&up));
        assert!(up_told == all, "{name}: {} of {}; {:?}", up_told.len(), all.len(), told.findings);
        assert!(told.messages(&up) == whole.watch.messages(&up), "{name}");
        assert_eq!(told.count(FindingCode::Midstream), 1, "{name}");
        assert_true(&name, &told, &whole.watch, &down);
    }
}

#[test]
fn a_lost_request_invents_nothing() {
    for (name, whole) in wholes() {
        let [up, down] = ways(&whole.watch);
        let told = analyse(without_head(&whole, &up));
        assert!(told.frames(&down) == whole.watch.frames(&down), "{name}: {:?}", told.findings);
        assert_true(&name, &told, &whole.watch, &up);
        // With it, the beginning of a frame may be lost.
        for more in 1..4 {
            let data = whole.data(&up);
            let gone: Vec<u64> = data.into_iter().take(more).collect();
            let told = analyse(without_head(&whole, &up).into_iter().filter(|raw| !gone.contains(&raw.number)));
            assert_true(&name, &told, &whole.watch, &up);
            assert!(told.frames(&down) == whole.watch.frames(&down), "{name}: {:?}", told.findings);
        }
    }
}

/// Longer than anything may wait for the other direction.
#[test]
fn a_long_conversation_of_one_side_is_told_whole() {
    for pause in [0, 1_000] {
        let random = &mut Random::new(8);
        let mut talk = tcp(endpoint(1, 50_123), endpoint(2, 8080), random);
        talk.connect().client(Upgrade::new().bytes()).server(Reply::new().bytes());
        for number in 0..150 {
            for (from, frame) in [
                (CLIENT, Frame::binary(random.bytes(10_000)).masked([3, 1, 4, number])),
                (SERVER, Frame::binary(random.bytes(10_000))),
            ] {
                send(&mut talk, from, &frame.bytes(from), 1460);
                talk.wait_ms(pause);
            }
        }
        talk.fin(CLIENT).fin(SERVER).ack(CLIENT);
        let whole = Whole::new(packets(&talk));
        for way in ways(&whole.watch) {
            let kept = |raw: &&Raw| raw.tcp.is_some_and(|tcp| tcp.src == way.src());
            let alone = analyse(whole.raws.iter().filter(kept));
            assert_eq!(alone.frames(&way).len(), 150, "{way:?}, {pause}: {:?}", alone.findings);
            assert!(alone.frames(&way) == whole.watch.frames(&way), "{way:?}, {pause}");
        }
    }
}

#[test]
fn a_refusal_that_was_captured_before_its_request_is_its_answer() {
    let mut conversation = Conversation::connected();
    conversation.client(REQUEST).server("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").close();
    let status = |told: &Recorder| {
        let [(_, summary)] = told.closed.as_slice() else { panic!("{:?}", told.closed) };
        assert_eq!((summary.outcome, told.refused()), (Outcome::Rejected, 1));
        summary.handshake.response.as_ref().map(|response| response.status)
    };
    let capture = conversation.capture();
    assert_eq!(status(&run(&capture)), Some(403));
    let at = capture.packets.iter().position(|packet| packet.bytes.windows(4).any(|four| four == b"GET ")).unwrap() + 1;
    assert_eq!(status(&run(&capture.swapped(at, at + 1))), Some(403));

    // Behind another request, which is answered late, too.
    let mut conversation = Conversation::connected();
    conversation.server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    conversation.server("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
    conversation.client("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").client(REQUEST).close();
    assert_eq!(status(&conversation.run()), Some(401));
}

#[test]
fn an_answer_that_is_not_http_is_told_as_such() {
    let mut conversation = Conversation::connected();
    conversation.client(REQUEST).server("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n").close();
    let told = conversation.run();
    let [(_, summary)] = told.closed.as_slice() else { panic!("{:?}", told.closed) };
    assert_eq!((summary.outcome, told.refused(), summary.handshake.garbled), (Outcome::Rejected, 1, true));
    assert_eq!(summary.handshake.instead(), "an answer that is not HTTP");
    let finding = told.findings.iter().find(|finding| finding.code == "handshake_malformed").unwrap();
    assert_eq!((finding.detail.as_str(), finding.packet), ("the answer is not HTTP", 5));

    // Nothing is nothing.
    let mut conversation = Conversation::connected();
    conversation.client(REQUEST).fin(Role::Client).fin(Role::Server);
    let told = conversation.run();
    assert!(!told.closed[0].1.handshake.garbled && told.findings.is_empty(), "{:?}", told.findings);
}

/// RFC 6455 §5.2: reserved bits are 0 "unless an extension is negotiated that defines meanings for non-zero values".
#[test]
fn an_extension_that_is_not_known_may_use_reserved_bits() {
    let mut conversation = Conversation::deflate_as("x-own", "x-own");
    let rsv = |frame: Frame, bits: u8| frame.rsv(bits);
    for bits in 0..8 {
        conversation.server_frame(rsv(Frame::text([0xff, 0xfe, 0x00]), bits.max(1)));
        conversation.client_frame(rsv(Frame::binary([bits; 20]), bits));
        conversation.server_frame(rsv(Frame::ping("hi"), bits));
        conversation.client_frame(rsv(Frame::pong("hi"), bits));
    }
    let told = conversation.run();
    assert_eq!(told.findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), Vec::<&str>::new());
    assert_eq!(told.frames.len(), 32);

    // A loss is mended all the same.
    let mut conversation = Conversation::deflate_as("x-own", "x-own");
    conversation.server_frame(rsv(Frame::binary([7; 3000]), 2)).lost(Role::Server, 700);
    for number in 0..30_u8 {
        conversation.server_frame(rsv(Frame::binary([number; 200]), 2)).client_frame(Frame::text("yes"));
    }
    let told = conversation.run();
    assert_eq!(told.codes(), ["tcp_gap", "resynchronized"], "{:?}", told.findings);
    assert_eq!(told.frames.iter().filter(|frame| frame.payload.len() == 200).count(), 30);
}

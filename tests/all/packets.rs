//! Which packets carried bytes of which connection: [`What::Packet`], for outputs that copy packets.

use wslens::analyzer::{Analyzer, Demand, Options};
use wslens::capture::{Input, Secrets};

use crate::common::{CLIENT, Capture, Conversation, Frame, Recorder, Reply, SERVER, Upgrade};

/// The packets of one connection, in the order in which they were emitted.
fn of(recorder: &Recorder, connection: u64) -> Vec<u64> {
    recorder.packets.get(&connection).into_iter().flatten().map(|(packet, _)| *packet).collect()
}

fn options(packets: bool) -> Options {
    Options { demand: Demand { packets, ..Demand::default() }, ..Options::default() }
}

fn packets(capture: &Capture, options: &Options) -> Recorder {
    let (mut analyzer, mut recorder) = (Analyzer::new(options), Recorder::default());
    recorder.feed(&mut analyzer, capture);
    recorder.finish(&mut analyzer);
    recorder
}

/// Those of a sample.
fn sample(name: &str) -> (Recorder, u64) {
    let path = format!("{}/samples/{name}", env!("CARGO_MANIFEST_DIR"));
    let mut input = Input::open(&[path]).unwrap();
    let (mut analyzer, mut sink, mut count) = (Analyzer::new(&options(true)), Recorder::default(), 0);
    loop {
        for secrets in input.take_secrets() {
            assert_eq!(secrets.kind, Secrets::TLS_KEY_LOG);
            analyzer.keys().add(&secrets.bytes);
        }
        let Some(packet) = input.next_packet().unwrap() else { break };
        count = packet.seen.packet;
        let Ok(()) = analyzer.packet(&packet, &mut sink);
    }
    let Ok(()) = analyzer.finish(&mut sink);
    (sink, count)
}

#[test]
fn the_handshake_the_frames_and_the_end() {
    let mut talk = Conversation::open();
    talk.client_frame(Frame::text("one")).ack(SERVER).server(b"\x81\x05he").server(b"llo\x81\x00").close();
    let recorder = packets(&talk.capture(), &options(true));
    // SYN 1, request 4, 101 5, frames, two Closes, two FINs; acknowledgments carry nothing.
    assert_eq!(of(&recorder, 0), [1, 4, 5, 6, 8, 9, 10, 11, 12, 13]);
    let ways: Vec<_> = recorder.packets[&0].iter().map(|(_, way)| way.map_or("-", |way| way.as_str())).collect();
    assert_eq!(ways, ["-", "c2s", "s2c", "c2s", "s2c", "s2c", "c2s", "s2c", "s2c", "c2s"]);
    assert!(packets(&talk.capture(), &options(false)).packets.is_empty(), "only where they are asked for");
}

#[test]
fn ordinary_requests_before_the_upgrade_are_not_part_of_it() {
    let mut talk = Conversation::connected();
    let plain = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    talk.client(plain).server(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let request = Upgrade::new().bytes();
    talk.send_pieces(CLIENT, &request, request.len() / 3 + 1).server(Reply::new().bytes());
    talk.server_frame(Frame::text("hello"));
    assert_eq!(of(&packets(&talk.capture(), &options(true)), 0), [1, 6, 7, 8, 9, 10]);
}

#[test]
fn a_refused_request_has_its_request_and_its_response() {
    let mut talk = Conversation::connected();
    talk.client(Upgrade::new().bytes()).server(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    talk.client(Upgrade::new().bytes()).server(Reply::new().bytes()).server_frame(Frame::text("hello"));
    let recorder = packets(&talk.capture(), &options(true));
    assert_eq!((of(&recorder, 0), of(&recorder, 1)), (vec![1, 4, 5], vec![1, 6, 7, 8]));
    // Without a response, too.
    let mut talk = Conversation::connected();
    talk.client(Upgrade::new().bytes()).fin(CLIENT);
    assert_eq!(of(&packets(&talk.capture(), &options(true)), 0), [1, 4]);
}

#[test]
fn frames_that_came_before_the_response_are_part_of_it() {
    let mut talk = Conversation::connected();
    talk.client(Upgrade::new().bytes()).client_frame(Frame::text("early")).server(Reply::new().bytes());
    let mut of = of(&packets(&talk.capture(), &options(true)), 0);
    of.sort_unstable();
    of.dedup();
    assert_eq!(of, [1, 4, 5, 6]);
}

#[test]
fn a_packet_with_bytes_of_two_runs_comes_once() {
    let mut talk = Conversation::open();
    let frames = [Frame::text("a"), Frame::ping("b"), Frame::text("c")];
    talk.server(frames.iter().flat_map(|frame| frame.bytes(SERVER)).collect::<Vec<_>>());
    assert_eq!(of(&packets(&talk.capture(), &options(true)), 0), [1, 4, 5, 6]);
}

#[test]
fn connections_do_not_share_packets() {
    let talk = |port| {
        let mut talk = Conversation::from_port(port);
        talk.connect()
            .client(Upgrade::new().bytes())
            .server(Reply::new().bytes())
            .server_frame(Frame::text("x"))
            .close();
        talk.capture()
    };
    let recorder = packets(&Capture::merge([talk(5000), talk(5001)]), &options(true));
    let (one, two) = (of(&recorder, 0), of(&recorder, 1));
    assert_eq!((one.len(), two.len()), (8, 8));
    assert!(one.iter().all(|packet| !two.contains(packet)), "{one:?} {two:?}");
}

#[test]
fn mid_stream_the_gathered_packets_come_when_it_is_known() {
    let mut talk = Conversation::open();
    for n in 0..60 {
        talk.client_frame(Frame::text(format!("message {n} of the client")))
            .server_frame(Frame::text("an answer to it"));
    }
    let mut capture = talk.capture();
    capture.packets.drain(..5);
    let recorder = packets(&capture, &options(true));
    let mut of = of(&recorder, 0);
    of.sort_unstable();
    of.dedup();
    assert_eq!(of, (1..=120).collect::<Vec<_>>());
}

#[test]
fn the_handshake_of_tls_is_part_of_what_is_inside() {
    let (recorder, count) = sample("wss-embedded-keys/capture.pcapng");
    let packets = of(&recorder, 0);
    assert!(packets.len() > 5 && packets.len() as u64 <= count, "{packets:?}");
    assert_eq!(packets[0], 1, "the first packet of the connection");
    assert!(packets.windows(2).all(|pair| pair[0] < pair[1]), "in order, each once: {packets:?}");
}

#[test]
fn streams_of_http2_have_their_own_packets() {
    let (recorder, _) = sample("http2/capture.pcap");
    assert!(recorder.packets.len() > 1, "several WebSockets");
    let (one, two) = (of(&recorder, 0), of(&recorder, 1));
    assert!(one.iter().any(|packet| !two.contains(packet)) && two.iter().any(|packet| !one.contains(packet)));
}

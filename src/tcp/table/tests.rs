use super::*;
use crate::net::{SeqNumber, TcpFlags};
use crate::stream::{Chunk, Interest, Run};
use crate::tcp::{Anomaly, Flow};
use crate::types::{Direction, Endpoint, Timestamp};
use proptest::prelude::*;

const SECOND: i64 = 1_000_000_000;

/// Records each call in one word, and answers chunks as its test wants.
#[derive(Default)]
struct Recorder {
    calls: Vec<String>,
    /// The bytes at which to drop, to retain, and to reverse.
    drop_on: Option<&'static str>,
    retain_on: Option<&'static str>,
    reverse_on: Option<&'static str>,
    last: Option<Flow>,
}

impl Recorder {
    /// The calls since the last time, in one line.
    fn calls(&mut self) -> String {
        core::mem::take(&mut self.calls).join(" ")
    }
}

impl Handler for Recorder {
    type State = Vec<u8>;

    fn opened(&mut self, flow: &Flow) -> Vec<u8> {
        let guess = if flow.carrier.oriented { "" } else { "?" };
        self.calls
            .push(format!("{}:open({}>{}{guess})", flow.number, flow.carrier.client.port, flow.carrier.server.port));
        vec![]
    }

    fn chunk(&mut self, flow: &mut Flow, state: &mut Vec<u8>, direction: Direction, chunk: Chunk<'_>) -> Interest {
        let text = match chunk.run {
            Run::Data(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            Run::Gap(None) => "gap(?)".to_owned(),
            Run::Gap(Some(len)) => format!("gap({len})"),
            Run::End(reason) => format!("{reason:?}"),
        };
        let direction = if self.reverse_on == Some(&text) {
            flow.reverse();
            direction.reverse()
        } else {
            direction
        };
        state.extend_from_slice(text.as_bytes());
        self.calls.push(format!("{}:{direction}@{}={text}", flow.number, chunk.offset));
        match Some(text.as_str()) {
            on if on == self.drop_on => Interest::Drop,
            on if on == self.retain_on => Interest::Retain,
            _ => Interest::Keep,
        }
    }

    fn anomaly(&mut self, flow: &Flow, _: &mut Vec<u8>, direction: Direction, anomaly: Anomaly, _: PacketRef) {
        let Anomaly::OverlapConflict { offset } = anomaly;
        self.calls.push(format!("{}:{direction}!{offset}", flow.number));
    }

    fn ended(&mut self, flow: &Flow, _: Vec<u8>, reason: EndReason, _: PacketRef) {
        self.calls.push(format!("{}:over({reason:?})", flow.number));
        self.last = Some(flow.clone());
    }
}

/// A table, its handler, and the packet at hand.
struct Fixture {
    table: Table<Vec<u8>>,
    recorder: Recorder,
    seen: PacketRef,
}

fn fixture(limits: &Limits) -> Fixture {
    Fixture { table: Table::new(limits), recorder: Recorder::default(), seen: PacketRef::default() }
}

fn with_default_limits() -> Fixture {
    fixture(&Limits::default())
}

fn endpoint(port: u16) -> Endpoint {
    Endpoint { ip: [10, 0, 0, 1].into(), port }
}

/// `"SA"`: SYN and ACK.
fn flags(letters: &str) -> TcpFlags {
    let has = |letter| letters.contains(letter);
    TcpFlags { syn: has('S'), ack: has('A'), fin: has('F'), rst: has('R') }
}

impl Fixture {
    /// A segment from port to port; a millisecond later than the one before.
    fn send(&mut self, ports: (u16, u16), letters: &str, seq: u32, ack: u32, text: &str) -> &mut Self {
        self.seen.packet += 1;
        self.wait(1_000_000);
        let (src, dst) = (endpoint(ports.0), endpoint(ports.1));
        let segment = Segment {
            src,
            dst,
            seq: SeqNumber(seq),
            ack: SeqNumber(ack),
            flags: flags(letters),
            window: 500,
            seen: self.seen,
            payload: text.as_bytes(),
            cut: 0,
        };
        self.table.segment(&segment, &mut self.recorder);
        self
    }

    fn client(&mut self, letters: &str, seq: u32, ack: u32, text: &str) -> &mut Self {
        self.send((5000, 80), letters, seq, ack, text)
    }

    fn server(&mut self, letters: &str, seq: u32, ack: u32, text: &str) -> &mut Self {
        self.send((80, 5000), letters, seq, ack, text)
    }

    fn handshake(&mut self) -> &mut Self {
        self.client("S", 99, 0, "").server("SA", 499, 100, "").client("A", 100, 500, "")
    }

    fn wait(&mut self, nanos: i64) -> &mut Self {
        self.seen.at = Timestamp::from_nanos(self.seen.at.as_nanos() + nanos);
        self
    }

    fn finish(&mut self) -> String {
        self.table.finish(self.seen, &mut self.recorder);
        assert_eq!((self.table.held(), self.table.len()), (0, 0));
        self.recorder.calls()
    }
}

#[test]
fn a_connection_from_syn_to_fin() {
    let mut fixture = with_default_limits();
    fixture.handshake();
    assert_eq!(fixture.recorder.calls(), "", "a connection without bytes is not reported");
    fixture.client("A", 100, 500, "hello").server("A", 500, 105, "world").client("FA", 105, 505, "");
    assert_eq!(fixture.recorder.calls(), "0:open(5000>80) 0:c2s@0=hello 0:s2c@0=world 0:c2s@5=Fin");
    assert!(fixture.table.held() > 0);
    fixture.server("A", 505, 106, "!").server("FA", 506, 106, "").client("A", 106, 507, "");
    assert_eq!(fixture.recorder.calls(), "0:s2c@5=! 0:s2c@6=Fin 0:over(Fin)");
    let flow = fixture.recorder.last.clone().unwrap();
    assert_eq!(
        (flow.carrier.handshake_us, flow.first_seq, flow.carrier.first.packet, flow.carrier.last.packet),
        (Some(2_000), 99, 1, 8)
    );
    // Late packets are of no new connection.
    fixture.client("A", 100, 500, "hello").server("FA", 506, 106, "").server("R", 507, 0, "");
    assert_eq!((fixture.table.held(), fixture.table.len(), fixture.table.connections()), (0, 1, 1));
    assert_eq!(fixture.finish(), "");
}

#[test]
fn both_close_at_once() {
    let mut fixture = with_default_limits();
    fixture.handshake().client("A", 100, 500, "a").client("FA", 101, 500, "").server("FA", 500, 101, "");
    fixture.client("A", 102, 501, "").server("A", 501, 102, "");
    assert_eq!(fixture.recorder.calls(), "0:open(5000>80) 0:c2s@0=a 0:c2s@1=Fin 0:s2c@0=Fin 0:over(Fin)");
}

#[test]
fn a_fin_waits_for_the_bytes_before_it() {
    let mut fixture = with_default_limits();
    fixture.handshake().client("FA", 102, 500, "c").server("FA", 500, 100, "").client("A", 100, 501, "ab");
    assert_eq!(fixture.recorder.calls(), "0:open(5000>80) 0:s2c@0=Fin 0:c2s@0=ab 0:c2s@2=c 0:c2s@3=Fin 0:over(Fin)");
}

#[test]
fn data_with_the_syn_is_at_offset_0() {
    let mut fixture = with_default_limits();
    fixture.client("S", 99, 0, "fast").server("SA", 499, 104, "").client("A", 104, 500, " open");
    assert_eq!(fixture.recorder.calls(), "0:open(5000>80) 0:c2s@0=fast 0:c2s@4= open");
    fixture.finish();
    assert_eq!(fixture.recorder.last.as_ref().unwrap().carrier.handshake_us, Some(2_000));
}

#[test]
fn who_is_the_client() {
    let cases = [
        ("0:open(80>5000) 0:c2s@0=x", Some("S"), (80, 5000)),
        ("0:open(5000>80) 0:s2c@0=x", Some("SA"), (80, 5000)),
        ("0:open(5000>80?) 0:s2c@0=x", None, (80, 5000)),
        ("0:open(5000>80?) 0:c2s@0=x", None, (5000, 80)),
        // A connection to itself has one key, one side and one direction.
        ("0:open(80>80?) 0:c2s@0=x", None, (80, 80)),
    ];
    for (expected, syn, ports) in cases {
        let mut fixture = with_default_limits();
        if let Some(letters) = syn {
            fixture.send(ports, letters, 9, 0, "");
        }
        fixture.send(ports, "A", 10, 0, "x");
        if ports.0 != ports.1 {
            // A SYN that comes late does not change who is the client.
            fixture.send((ports.1, ports.0), "S", u32::MAX, 0, "").send(ports, "A", 11, 0, "");
        }
        assert_eq!(fixture.recorder.calls(), expected);
    }
}

#[test]
fn a_handler_may_reverse_a_guess() {
    let mut fixture = with_default_limits();
    fixture.recorder.reverse_on = Some("GET");
    fixture
        .server("A", 500, 100, "GET")
        .client("A", 100, 503, "200")
        .server("A", 500, 103, "GET")
        .client("A", 102, 503, "");
    assert_eq!(fixture.recorder.calls(), "0:open(5000>80?) 0:c2s@0=GET 0:s2c@0=200");
    fixture.server("A", 501, 103, "Xyz").server("R", 503, 0, "");
    let ends = "0:c2s@4=Rst(ToServer) 0:s2c@3=Rst(ToServer) 0:over(Rst(ToServer))";
    assert_eq!(fixture.recorder.calls(), format!("0:c2s@3=z 0:c2s!1 {ends}"));
    let counters = fixture.recorder.last.as_ref().unwrap().counters;
    assert_eq!((counters.to_server.retransmissions, counters.to_client.retransmissions), (2, 0));
}

#[test]
fn a_repeated_syn_is_the_same_connection_and_a_different_one_a_new_one() {
    let mut fixture = with_default_limits();
    fixture.client("S", 99, 0, "").client("S", 99, 0, "").server("SA", 499, 100, "").client("S", 99, 0, "");
    fixture.client("A", 100, 500, "a").client("S", 99, 0, "").client("A", 101, 500, "b");
    assert_eq!(
        (fixture.recorder.calls().as_str(), fixture.table.connections()),
        ("0:open(5000>80) 0:c2s@0=a 0:c2s@1=b", 1)
    );
    fixture.client("S", 7_000, 0, "");
    assert_eq!(fixture.recorder.calls(), "0:c2s@2=Reused 0:s2c@0=Reused 0:over(Reused)");
    fixture.server("SA", 8_000, 7_001, "").server("A", 8_001, 7_001, "x");
    assert_eq!((fixture.recorder.calls().as_str(), fixture.table.connections()), ("1:open(5000>80) 1:s2c@0=x", 2));
}

/// Each row has the `tcp.stream` that tshark 4.0.17 shows for its last packet.
#[test]
fn connections_are_numbered_as_wireshark_does() {
    type Packet = (char, &'static str, u32, u32, &'static str);
    let begin: [Packet; 3] = [('c', "S", 100, 0, ""), ('s', "SA", 500, 101, ""), ('c', "A", 101, 501, "")];
    let fins: [Packet; 3] = [('c', "FA", 101, 501, ""), ('s', "FA", 501, 102, ""), ('c', "A", 102, 502, "")];
    let whole = [begin, fins].concat();
    let syn = ('c', "S", 100, 0, "");
    let cases: [(&str, Vec<Packet>, u64); 12] = [
        ("syn, rst, same syn", vec![syn, ('s', "RA", 0, 101, ""), syn], 0),
        ("fins, same syn", [&whole[..], &[syn]].concat(), 0),
        ("one fin, same syn", [&begin[..], &fins[..1], &[syn]].concat(), 0),
        ("other syn", vec![syn, ('c', "S", 200, 0, "")], 1),
        ("fins, other syn and ack", [&whole[..], &[('s', "SA", 900, 700, ""), ('c', "A", 700, 901, "x")]].concat(), 0),
        ("client's data, syn", vec![('c', "A", 100, 0, "x"), ('c', "S", 900, 0, "")], 1),
        ("server's data, syn", vec![('s', "A", 100, 7, "x"), ('c', "S", 900, 0, "")], 1),
        ("rst, data", [&begin[..], &[('s', "RA", 501, 101, ""), ('c', "A", 101, 501, "zz")]].concat(), 0),
        ("client's ack, syn", vec![('c', "A", 50, 60, ""), ('c', "S", 900, 0, "")], 1),
        ("server's ack, syn", vec![('s', "A", 50, 60, ""), ('c', "S", 900, 0, "")], 1),
        ("both syn", vec![syn, ('s', "S", 300, 0, ""), ('c', "SA", 100, 301, ""), ('s', "SA", 300, 101, "")], 0),
        ("syn after its answer", vec![('s', "SA", 500, 101, ""), syn, ('c', "A", 101, 501, "")], 0),
    ];
    for (name, packets, last) in cases {
        let mut fixture = with_default_limits();
        for (from, letters, seq, ack, text) in packets {
            let ports = if from == 'c' { (5000, 80) } else { (80, 5000) };
            fixture.send(ports, letters, seq, ack, text);
        }
        assert_eq!(fixture.table.connections(), last + 1, "{name}");
    }
}

#[test]
fn a_connection_that_is_over_may_begin_again_with_its_number() {
    let mut fixture = with_default_limits();
    fixture.client("S", 99, 0, "").server("RA", 0, 100, "");
    fixture.client("S", 99, 0, "").server("SA", 499, 100, "").client("A", 100, 500, "up at last");
    assert_eq!(fixture.recorder.calls(), "0:open(5000>80) 0:c2s@0=up at last");
    fixture.server("R", 500, 0, "").server("SA", 7_000, 300, "").client("A", 300, 7_001, "its SYN was lost");
    assert_eq!(
        fixture.recorder.calls(),
        "0:c2s@10=Rst(ToClient) 0:s2c@0=Rst(ToClient) 0:over(Rst(ToClient)) 0:open(5000>80) 0:c2s@0=its SYN was lost"
    );
}

#[test]
fn a_rst_counts_if_it_can_be_genuine() {
    let mut fixture = with_default_limits();
    fixture.handshake().client("A", 100, 500, "a");
    fixture.server("R", 500 + (1 << 22), 0, "").client("R", 101_u32.wrapping_sub(1 << 20), 0, "").server(
        "R",
        1 << 31,
        0,
        "",
    );
    fixture.client("A", 101, 500, "b").client("A", 105, 500, "late");
    assert_eq!(fixture.recorder.calls(), "0:open(5000>80) 0:c2s@0=a 0:c2s@1=b");
    fixture.client("RA", 109, 500, "a reason is no data");
    let over = "0:c2s@2=gap(3) 0:c2s@5=late 0:c2s@9=Rst(ToServer) 0:s2c@0=Rst(ToServer) 0:over(Rst(ToServer))";
    assert_eq!(fixture.recorder.calls(), over);
    assert_eq!(fixture.table.held(), 0);
}

#[test]
fn a_refusal_counts_if_it_acknowledges_the_syn() {
    let mut fixture = with_default_limits();
    fixture.client("S", 99, 0, "").server("RA", 0, 4_000, "").server("R", 0, 100, "");
    assert_eq!(fixture.table.slots.len_of(Rank::Opening), 1);
    fixture.server("RA", 0, 100, "");
    assert_eq!((fixture.table.slots.len_of(Rank::Over), fixture.finish().as_str()), (1, ""));
    // The answer to a SYN that was not captured: of the client only its sequence number is known.
    fixture.server("SA", 499, 100, "").client("R", 5_000_000, 0, "");
    assert_eq!(fixture.table.slots.len_of(Rank::Opening), 1);
    fixture.client("R", 100, 0, "");
    assert_eq!(fixture.table.slots.len_of(Rank::Over), 1);
}

#[test]
fn the_first_segments_may_be_missing() {
    let mut fixture = with_default_limits();
    // The first two bytes are lost; the server's acknowledgment shows that they were sent.
    fixture.handshake().server("A", 500, 102, "");
    assert_eq!(fixture.recorder.calls(), "0:open(5000>80)");
    fixture.wait(SECOND).client("A", 102, 500, "cd");
    assert_eq!(fixture.recorder.calls(), "0:c2s@0=gap(2) 0:c2s@2=cd");
    // The SYN-ACK is lost, and the first byte after it.
    let mut fixture = with_default_limits();
    fixture.client("S", 99, 0, "").client("A", 100, 500, "").server("A", 501, 100, "x").client("A", 100, 502, "");
    assert_eq!(fixture.recorder.calls(), "0:open(5000>80)");
    fixture.wait(SECOND).client("A", 100, 502, "");
    assert_eq!(fixture.recorder.calls(), "0:s2c@0=gap(1) 0:s2c@1=x");
}

#[test]
fn a_connection_seen_mid_stream_begins_with_its_first_byte() {
    let mut fixture = with_default_limits();
    fixture
        .client("A", 1_000, 77, "")
        .client("A", 1_010, 77, "b")
        .client("A", 1_009, 77, "ab")
        .client("A", 1_011, 77, "c");
    assert_eq!(fixture.recorder.calls(), "0:open(5000>80?) 0:c2s@0=b 0:c2s@1=c");
    assert_eq!(fixture.finish(), "0:c2s@2=CaptureOver 0:s2c@0=CaptureOver 0:over(CaptureOver)");
    let counters = fixture.recorder.last.as_ref().unwrap().counters;
    assert_eq!((counters.to_server.retransmissions, counters.to_server.out_of_order), (1, 0));
}

#[test]
fn one_direction_alone_is_enough() {
    let mut fixture = with_default_limits();
    fixture.client("S", 99, 0, "").client("A", 100, 500, "ab").client("A", 104, 500, "ef");
    assert_eq!(fixture.recorder.calls(), "0:open(5000>80) 0:c2s@0=ab");
    fixture.wait(SECOND).client("FA", 106, 500, "");
    assert_eq!(fixture.recorder.calls(), "0:c2s@2=gap(2) 0:c2s@4=ef 0:c2s@6=Fin");
}

#[test]
fn a_gibibyte_may_be_missing_in_both_directions_at_once() {
    let mut fixture = with_default_limits();
    fixture.handshake().client("A", 100, 500, "a").server("A", 500, 101, "b").client("A", 101, 501, "");
    let far = 2_000_000_000;
    fixture.client("A", 101 + far, 501 + far, "x").server("A", 501 + far, 102 + far, "y");
    assert_eq!(fixture.recorder.calls(), "0:open(5000>80) 0:c2s@0=a 0:s2c@0=b");
    fixture.client("A", 102 + far, 502 + far, "X").server("A", 502 + far, 103 + far, "Y");
    assert_eq!(fixture.recorder.calls(), "0:c2s@1=gap(?) 0:c2s@1=X 0:s2c@1=gap(?) 0:s2c@1=Y");
    fixture.client("A", 103 + far, 503 + far, "Z");
    assert_eq!(fixture.recorder.calls(), "0:c2s@2=Z");
}

#[test]
fn a_blind_segment_moves_nothing() {
    let mut fixture = with_default_limits();
    fixture.handshake().client("A", 100, 500, "a").server("A", 500, 101, "");
    for n in 0..20 {
        fixture.client("A", 3_000_000_000 + n * 4, 3_333_333_333, "evil").client("FA", 2_000_000_000, 0, "");
    }
    fixture.client("A", 101, 500, "b").finish();
    assert_eq!(fixture.recorder.calls(), "");
    let mut fixture = with_default_limits();
    fixture
        .handshake()
        .client("A", 100, 500, "a")
        .client("A", 3_000_000_000, 1 << 29, "evil")
        .client("A", 101, 500, "b");
    assert_eq!(fixture.recorder.calls(), "0:open(5000>80) 0:c2s@0=a 0:c2s@1=b");
}

#[test]
fn a_dropped_connection_keeps_nothing_and_reports_nothing() {
    let mut fixture = with_default_limits();
    fixture.recorder.drop_on = Some("stop");
    fixture.handshake().client("A", 100, 500, "go").client("A", 106, 500, "early").client("A", 102, 500, "stop");
    assert_eq!(fixture.recorder.calls(), "0:open(5000>80) 0:c2s@0=go 0:c2s@2=stop");
    assert_eq!((fixture.table.held(), fixture.table.slots.len_of(Rank::Dropped)), (0, 1));
    fixture.client("A", 111, 500, "more").server("A", 500, 115, "more").client("S", 99, 0, "");
    fixture.client("FA", 115, 500, "");
    assert_eq!(fixture.table.slots.len_of(Rank::Dropped), 1);
    fixture.server("FA", 504, 116, "");
    assert_eq!(fixture.table.slots.len_of(Rank::Over), 1);
    assert_eq!(fixture.recorder.calls(), "");
    // Its ports may be used again.
    fixture.client("S", 9_000, 0, "").client("A", 9_001, 0, "new");
    assert_eq!(fixture.recorder.calls(), "1:open(5000>80) 1:c2s@0=new");
}

#[test]
fn a_handler_may_drop_at_any_chunk() {
    // At a gap, at bytes that were held, at each kind of end.
    for stop in ["gap(2)", "held", "Fin", "Rst(ToServer)", "CaptureOver"] {
        let mut fixture = with_default_limits();
        fixture.recorder.drop_on = Some(stop);
        fixture
            .handshake()
            .client("A", 102, 500, "held")
            .server("A", 500, 106, "")
            .wait(SECOND)
            .server("A", 500, 106, "x");
        fixture.client("FA", 106, 501, "").client("R", 107, 0, "").finish();
        let calls = fixture.recorder.calls();
        assert!(!calls.contains("over"), "{stop}: {calls}");
        assert_eq!(fixture.table.held(), 0);
    }
}

#[test]
fn silence_ends_a_connection() {
    let limits = Limits { idle_secs: 10, websocket_idle_secs: 100, ..Limits::default() };
    let mut fixture = fixture(&limits);
    fixture.recorder.retain_on = Some("websocket");
    fixture.recorder.drop_on = Some("tls");
    fixture.client("A", 100, 0, "plain").send((6000, 80), "A", 100, 0, "websocket");
    fixture.send((7000, 80), "A", 100, 0, "tls").send((8000, 80), "S", 100, 0, "");
    assert_eq!((fixture.table.len(), fixture.table.slots.len_of(Rank::Retained)), (4, 1));
    fixture.recorder.calls();
    fixture.wait(9 * SECOND).send((9000, 80), "S", 1, 0, "").send((9001, 80), "S", 1, 0, "");
    assert_eq!((fixture.table.len(), fixture.recorder.calls().as_str()), (6, ""));
    fixture.wait(4 * SECOND).send((9000, 80), "A", 2, 0, "").send((9001, 80), "A", 2, 0, "");
    assert_eq!(fixture.recorder.calls(), "0:c2s@5=Idle 0:s2c@0=Idle 0:over(Idle)");
    assert_eq!(fixture.table.len(), 4, "the lone SYN has left too");
    fixture.send((6000, 80), "A", 109, 0, "!");
    fixture.wait(98 * SECOND).send((9000, 80), "A", 2, 0, "").send((9001, 80), "A", 2, 0, "");
    assert_eq!(fixture.recorder.calls(), "1:c2s@9=!");
    fixture.wait(6 * SECOND).send((9000, 80), "A", 2, 0, "").send((9001, 80), "A", 2, 0, "");
    assert_eq!(fixture.recorder.calls(), "1:c2s@10=Idle 1:s2c@0=Idle 1:over(Idle)");
    assert_eq!(fixture.table.len(), 2);
}

#[test]
fn a_nonsensical_time_ends_no_connection_and_does_not_last() {
    let mut fixture = fixture(&Limits { idle_secs: 10, ..Limits::default() });
    fixture.client("A", 100, 0, "a");
    fixture.wait(1_000_000 * SECOND).send((6000, 80), "A", 1, 0, "b").wait(-1_000_000 * SECOND);
    fixture.client("A", 101, 0, "c").wait(-5 * SECOND).client("A", 102, 0, "d");
    assert!(!fixture.recorder.calls().contains("Idle"));
    for _ in 0..4 {
        fixture.wait(9 * SECOND).client("A", 103, 0, "");
    }
    assert_eq!(fixture.recorder.calls(), "1:c2s@1=Idle 1:s2c@0=Idle 1:over(Idle)");
}

#[test]
fn a_packet_of_another_protocol_lets_time_pass() {
    let mut fixture = fixture(&Limits { idle_secs: 10, ..Limits::default() });
    fixture.client("A", 100, 0, "a").wait(20 * SECOND);
    for _ in 0..2 {
        fixture.table.age(fixture.seen, &mut fixture.recorder);
    }
    assert!(fixture.recorder.calls().ends_with("0:over(Idle)") && fixture.table.is_empty());
}

/// No sender can aim at one bucket: a connection has another place in each table.
#[test]
fn every_table_hashes_with_another_seed() {
    let key = FlowKey::of(endpoint(5000), endpoint(80)).0;
    let places: std::collections::BTreeSet<u64> =
        (0..16).map(|_| with_default_limits().table.hasher.hash_one(key)).collect();
    assert!(places.len() >= 15, "{places:?}");
}

#[test]
fn a_full_table_evicts_what_is_worth_least() {
    let mut fixture = fixture(&Limits { max_connections: 4, ..Limits::default() });
    fixture.recorder.retain_on = Some("websocket");
    fixture.recorder.drop_on = Some("tls");
    fixture.send((1001, 80), "A", 1, 0, "websocket").send((1002, 80), "A", 1, 0, "plain");
    fixture.send((1003, 80), "A", 1, 0, "tls").send((1004, 80), "R", 1, 0, "");
    let calls = fixture.recorder.calls();
    assert!(!calls.contains("Idle"), "{calls}");
    let left = |fixture: &Fixture| {
        [Rank::Over, Rank::Dropped, Rank::Opening, Rank::Live, Rank::Retained]
            .map(|rank| fixture.table.slots.len_of(rank))
    };
    assert_eq!(left(&fixture), [1, 1, 0, 1, 1]);
    fixture.send((2001, 80), "S", 1, 0, "");
    assert_eq!(left(&fixture), [0, 1, 1, 1, 1]);
    fixture.send((2002, 80), "S", 1, 0, "");
    assert_eq!(left(&fixture), [0, 0, 2, 1, 1]);
    // From here on a flood evicts its own.
    for port in 3000..3100 {
        fixture.send((port, 80), "S", 1, 0, "");
    }
    assert_eq!((left(&fixture), fixture.recorder.calls().as_str()), ([0, 0, 2, 1, 1], ""));
    for port in 4000..4003 {
        fixture.send((port, 80), "A", 1, 0, "w");
    }
    assert_eq!(left(&fixture), [0, 0, 0, 3, 1]);
    assert!(fixture.recorder.calls().contains("1:over(Idle)"), "the longest silent first");
    for port in 5000..5003 {
        fixture.send((port, 80), "A", 1, 0, "websocket");
    }
    fixture.recorder.calls();
    fixture.send((6000, 80), "A", 1, 0, "websocket");
    assert_eq!((left(&fixture), fixture.table.len()), ([0, 0, 0, 0, 4], 4));
    assert!(fixture.recorder.calls().starts_with("0:c2s@9=Idle"));
    assert_eq!(fixture.table.evictions(), fixture.table.connections() - 4);
}

#[test]
fn at_the_end_connections_end_in_the_order_of_first_packets() {
    let mut fixture = with_default_limits();
    for port in [9, 3, 7, 5, 1] {
        fixture.send((port, 80), "A", 1, 0, "x");
    }
    fixture.send((3, 80), "R", 2, 0, "").recorder.calls();
    let calls = fixture.finish();
    let overs: Vec<_> = calls.split(' ').filter(|word| word.contains("over")).collect();
    assert_eq!(overs, ["0:over(CaptureOver)", "2:over(CaptureOver)", "3:over(CaptureOver)", "4:over(CaptureOver)"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::common::effort::cases(20_000, 200_000)))]

    /// Any segments: no panic, memory is counted exactly and within its limits, every connection that was opened is ended
    /// once or dropped, the chunks of each direction follow one another from 0, and a second run gives the same calls.
    #[test]
    fn any_segments_give_consistent_calls(
        segments in prop::collection::vec(
            (0..6_u16, any::<bool>(), 0..16_u8, 0..4_u32, 0..90_u32, 0..4_u32, 0..90_u32, 0..30_usize, 0..3_000_000_000_i64,
                prop_oneof![9 => Just(0), 1 => 0..50_u32]),
            1..150,
        ),
        max_connections in 1..8_usize,
        max_memory_bytes in prop_oneof![Just(1 << 30), 0..3_000_usize],
    ) {
        let limits = Limits { max_connections, max_memory_bytes, idle_secs: 20, ..Limits::default() };
        let run = || {
            let mut fixture = fixture(&limits);
            fixture.recorder.drop_on = Some("aaaaaaa");
            fixture.recorder.retain_on = Some("aaa");
            fixture.recorder.reverse_on = Some("aaaaa");
            for &(flow, back, bits, far, seq, far_ack, ack, len, nanos, cut) in &segments {
                fixture.seen.packet += 1;
                fixture.seen.at = Timestamp::from_nanos(fixture.seen.at.as_nanos() + nanos - SECOND);
                let (src, dst) = (endpoint(1000 + flow), endpoint(80));
                let segment = Segment {
                    src: if back { dst } else { src },
                    dst: if back { src } else { dst },
                    seq: SeqNumber((far << 30).wrapping_add(seq)),
                    ack: SeqNumber((far_ack << 30).wrapping_add(ack)),
                    flags: TcpFlags { syn: bits == 1, ack: bits != 1, fin: bits == 2, rst: bits == 3 },
                    window: 0,
                    seen: fixture.seen,
                    payload: &[b'a'; 30][..len],
                    cut,
                };
                fixture.table.segment(&segment, &mut fixture.recorder);
                let held: usize = fixture.table.slots.connections().map(Connection::held).sum();
                assert_eq!(held, fixture.table.held());
                assert!(held <= max_memory_bytes && fixture.table.len() <= max_connections);
            }
            fixture.table.finish(fixture.seen, &mut fixture.recorder);
            assert_eq!((fixture.table.held(), fixture.table.len()), (0, 0));
            fixture.recorder.calls
        };
        let calls = run();
        check_calls(&calls);
        prop_assert_eq!(calls, run());
    }
}

/// Offsets follow one another, nothing comes after an end, and both ends come before the connection is over.
fn check_calls(calls: &[String]) {
    use std::collections::BTreeMap;
    let mut next_offsets: BTreeMap<(&str, &str), Option<u64>> = BTreeMap::new();
    for word in calls {
        let (number, what) = word.split_once(':').unwrap();
        if what.starts_with("open") {
            next_offsets.insert((number, "c2s"), Some(0));
            next_offsets.insert((number, "s2c"), Some(0));
        } else if what.starts_with("over") {
            for direction in ["c2s", "s2c"] {
                assert_eq!(next_offsets.remove(&(number, direction)), Some(None), "{word} of {calls:?}");
            }
        } else if let Some((direction, (offset, text))) =
            what.split_once('@').and_then(|(l, r)| Some((l, r.split_once('=')?)))
        {
            if text == "aaaaa" {
                // Reversed: the two directions change places.
                let (there, back) = (next_offsets[&(number, "c2s")], next_offsets[&(number, "s2c")]);
                next_offsets.insert((number, "c2s"), back);
                next_offsets.insert((number, "s2c"), there);
            }
            let next = next_offsets.get_mut(&(number, direction)).unwrap();
            assert_eq!(*next, Some(offset.parse().unwrap()), "{word} of {calls:?}");
            *next = match text.strip_prefix("gap(") {
                Some("?)") => *next,
                Some(len) => next.map(|next| next + len.trim_end_matches(')').parse::<u64>().unwrap()),
                None if text.starts_with('a') => next.map(|next| next + text.len() as u64),
                None => None,
            };
        }
    }
}

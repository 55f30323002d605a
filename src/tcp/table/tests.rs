use super::*;
use crate::net::{SeqNumber, TcpFlags};
use crate::stream::{Chunk, Interest, Run};
use crate::tcp::{Anomaly, Flow};
use crate::types::{Direction, Endpoint, Timestamp};
use proptest::prelude::*;

const SECOND: i64 = 1_000_000_000;

/// Writes down what it is told, one word a thing; and answers as it was told to.
#[derive(Default)]
struct Scribe {
    told: Vec<String>,
    /// Text on which to drop, to cherish, and to reverse.
    drop_on: Option<&'static str>,
    cherish_on: Option<&'static str>,
    reverse_on: Option<&'static str>,
    last: Option<Flow>,
}

impl Scribe {
    fn told(&mut self) -> String {
        core::mem::take(&mut self.told).join(" ")
    }
}

impl Handler for Scribe {
    type State = Vec<u8>;

    fn opened(&mut self, flow: &Flow) -> Vec<u8> {
        let guess = if flow.carrier.oriented { "" } else { "?" };
        self.told
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
        self.told.push(format!("{}:{direction}@{}={text}", flow.number, chunk.offset));
        match Some(text.as_str()) {
            on if on == self.drop_on => Interest::Drop,
            on if on == self.cherish_on => Interest::Retain,
            _ => Interest::Keep,
        }
    }

    fn anomaly(&mut self, flow: &Flow, _: &mut Vec<u8>, direction: Direction, anomaly: Anomaly, _: PacketRef) {
        let Anomaly::OverlapConflict { offset } = anomaly;
        self.told.push(format!("{}:{direction}!{offset}", flow.number));
    }

    fn ended(&mut self, flow: &Flow, _: Vec<u8>, reason: EndReason, _: PacketRef) {
        self.told.push(format!("{}:over({reason:?})", flow.number));
        self.last = Some(flow.clone());
    }
}

/// A table, a scribe, and a pen to write segments with.
struct Rig {
    table: Table<Vec<u8>>,
    scribe: Scribe,
    seen: PacketRef,
}

fn rig(limits: &Limits) -> Rig {
    Rig { table: Table::new(limits), scribe: Scribe::default(), seen: PacketRef::default() }
}

fn plain() -> Rig {
    rig(&Limits::default())
}

fn endpoint(port: u16) -> Endpoint {
    Endpoint { ip: [10, 0, 0, 1].into(), port }
}

/// `"SA"`: SYN and ACK.
fn flags(letters: &str) -> TcpFlags {
    let has = |letter| letters.contains(letter);
    TcpFlags { syn: has('S'), ack: has('A'), fin: has('F'), rst: has('R') }
}

impl Rig {
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
        self.table.segment(&segment, &mut self.scribe);
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
        self.table.finish(self.seen, &mut self.scribe);
        assert_eq!((self.table.held(), self.table.len()), (0, 0));
        self.scribe.told()
    }
}

#[test]
fn a_connection_from_syn_to_fin() {
    let mut rig = plain();
    rig.handshake();
    assert_eq!(rig.scribe.told(), "", "a connection without bytes is nobody's business");
    rig.client("A", 100, 500, "hello").server("A", 500, 105, "world").client("FA", 105, 505, "");
    assert_eq!(rig.scribe.told(), "0:open(5000>80) 0:c2s@0=hello 0:s2c@0=world 0:c2s@5=Fin");
    assert!(rig.table.held() > 0);
    rig.server("A", 505, 106, "!").server("FA", 506, 106, "").client("A", 106, 507, "");
    assert_eq!(rig.scribe.told(), "0:s2c@5=! 0:s2c@6=Fin 0:over(Fin)");
    let flow = rig.scribe.last.clone().unwrap();
    assert_eq!(
        (flow.carrier.handshake_us, flow.first_seq, flow.carrier.first.packet, flow.carrier.last.packet),
        (Some(2_000), 99, 1, 8)
    );
    // Late packets are of no new connection.
    rig.client("A", 100, 500, "hello").server("FA", 506, 106, "").server("R", 507, 0, "");
    assert_eq!((rig.table.held(), rig.table.len(), rig.table.connections()), (0, 1, 1));
    assert_eq!(rig.finish(), "");
}

#[test]
fn both_close_at_once() {
    let mut rig = plain();
    rig.handshake().client("A", 100, 500, "a").client("FA", 101, 500, "").server("FA", 500, 101, "");
    rig.client("A", 102, 501, "").server("A", 501, 102, "");
    assert_eq!(rig.scribe.told(), "0:open(5000>80) 0:c2s@0=a 0:c2s@1=Fin 0:s2c@0=Fin 0:over(Fin)");
}

#[test]
fn a_fin_waits_for_what_came_before_it() {
    let mut rig = plain();
    rig.handshake().client("FA", 102, 500, "c").server("FA", 500, 100, "").client("A", 100, 501, "ab");
    assert_eq!(rig.scribe.told(), "0:open(5000>80) 0:s2c@0=Fin 0:c2s@0=ab 0:c2s@2=c 0:c2s@3=Fin 0:over(Fin)");
}

#[test]
fn data_with_the_syn_is_at_offset_0() {
    let mut rig = plain();
    rig.client("S", 99, 0, "fast").server("SA", 499, 104, "").client("A", 104, 500, " open");
    assert_eq!(rig.scribe.told(), "0:open(5000>80) 0:c2s@0=fast 0:c2s@4= open");
    rig.finish();
    assert_eq!(rig.scribe.last.as_ref().unwrap().carrier.handshake_us, Some(2_000));
}

#[test]
fn who_is_the_client() {
    let cases = [
        ("0:open(80>5000) 0:c2s@0=x", Some("S"), (80, 5000)),
        ("0:open(5000>80) 0:s2c@0=x", Some("SA"), (80, 5000)),
        ("0:open(5000>80?) 0:s2c@0=x", None, (80, 5000)),
        ("0:open(5000>80?) 0:c2s@0=x", None, (5000, 80)),
        // A connection to itself: one key, one side, no direction but one.
        ("0:open(80>80?) 0:c2s@0=x", None, (80, 80)),
    ];
    for (expected, syn, ports) in cases {
        let mut rig = plain();
        if let Some(letters) = syn {
            rig.send(ports, letters, 9, 0, "");
        }
        rig.send(ports, "A", 10, 0, "x");
        if ports.0 != ports.1 {
            // Its SYN comes too late: it does not change what the listener was told.
            rig.send((ports.1, ports.0), "S", u32::MAX, 0, "").send(ports, "A", 11, 0, "");
        }
        assert_eq!(rig.scribe.told(), expected);
    }
}

#[test]
fn a_listener_may_reverse_a_guess() {
    let mut rig = plain();
    rig.scribe.reverse_on = Some("GET");
    rig.server("A", 500, 100, "GET")
        .client("A", 100, 503, "200")
        .server("A", 500, 103, "GET")
        .client("A", 102, 503, "");
    assert_eq!(rig.scribe.told(), "0:open(5000>80?) 0:c2s@0=GET 0:s2c@0=200");
    rig.server("A", 501, 103, "Xyz").server("R", 503, 0, "");
    let ends = "0:c2s@4=Rst(ToServer) 0:s2c@3=Rst(ToServer) 0:over(Rst(ToServer))";
    assert_eq!(rig.scribe.told(), format!("0:c2s@3=z 0:c2s!1 {ends}"));
    let counters = rig.scribe.last.as_ref().unwrap().counters;
    assert_eq!((counters.to_server.retransmissions, counters.to_client.retransmissions), (2, 0));
}

#[test]
fn a_syn_again_is_the_same_connection_and_another_is_a_new_one() {
    let mut rig = plain();
    rig.client("S", 99, 0, "").client("S", 99, 0, "").server("SA", 499, 100, "").client("S", 99, 0, "");
    rig.client("A", 100, 500, "a").client("S", 99, 0, "").client("A", 101, 500, "b");
    assert_eq!((rig.scribe.told().as_str(), rig.table.connections()), ("0:open(5000>80) 0:c2s@0=a 0:c2s@1=b", 1));
    rig.client("S", 7_000, 0, "");
    assert_eq!(rig.scribe.told(), "0:c2s@2=Reused 0:s2c@0=Reused 0:over(Reused)");
    rig.server("SA", 8_000, 7_001, "").server("A", 8_001, 7_001, "x");
    assert_eq!((rig.scribe.told().as_str(), rig.table.connections()), ("1:open(5000>80) 1:s2c@0=x", 2));
}

/// Each row was given to tshark 4.0.17 too, and has its `tcp.stream` for the last packet.
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
        let mut rig = plain();
        for (from, letters, seq, ack, text) in packets {
            let ports = if from == 'c' { (5000, 80) } else { (80, 5000) };
            rig.send(ports, letters, seq, ack, text);
        }
        assert_eq!(rig.table.connections(), last + 1, "{name}");
    }
}

#[test]
fn a_connection_over_may_begin_again_under_its_number() {
    let mut rig = plain();
    rig.client("S", 99, 0, "").server("RA", 0, 100, "");
    rig.client("S", 99, 0, "").server("SA", 499, 100, "").client("A", 100, 500, "up at last");
    assert_eq!(rig.scribe.told(), "0:open(5000>80) 0:c2s@0=up at last");
    rig.server("R", 500, 0, "").server("SA", 7_000, 300, "").client("A", 300, 7_001, "its SYN was lost");
    assert_eq!(
        rig.scribe.told(),
        "0:c2s@10=Rst(ToClient) 0:s2c@0=Rst(ToClient) 0:over(Rst(ToClient)) 0:open(5000>80) 0:c2s@0=its SYN was lost"
    );
}

#[test]
fn a_rst_counts_if_it_can_be_genuine() {
    let mut rig = plain();
    rig.handshake().client("A", 100, 500, "a");
    rig.server("R", 500 + (1 << 22), 0, "").client("R", 101_u32.wrapping_sub(1 << 20), 0, "").server(
        "R",
        1 << 31,
        0,
        "",
    );
    rig.client("A", 101, 500, "b").client("A", 105, 500, "late");
    assert_eq!(rig.scribe.told(), "0:open(5000>80) 0:c2s@0=a 0:c2s@1=b");
    rig.client("RA", 109, 500, "a reason is no data");
    let over = "0:c2s@2=gap(3) 0:c2s@5=late 0:c2s@9=Rst(ToServer) 0:s2c@0=Rst(ToServer) 0:over(Rst(ToServer))";
    assert_eq!(rig.scribe.told(), over);
    assert_eq!(rig.table.held(), 0);
}

#[test]
fn a_refusal_counts_if_it_acknowledges_the_syn() {
    let mut rig = plain();
    rig.client("S", 99, 0, "").server("RA", 0, 4_000, "").server("R", 0, 100, "");
    assert_eq!(rig.table.slots.len_of(Rank::Opening), 1);
    rig.server("RA", 0, 100, "");
    assert_eq!((rig.table.slots.len_of(Rank::Over), rig.finish().as_str()), (1, ""));
    // The answer to a SYN that was not captured: its sender has not been heard, but where it is is known.
    rig.server("SA", 499, 100, "").client("R", 5_000_000, 0, "");
    assert_eq!(rig.table.slots.len_of(Rank::Opening), 1);
    rig.client("R", 100, 0, "");
    assert_eq!(rig.table.slots.len_of(Rank::Over), 1);
}

#[test]
fn the_first_segments_may_be_missing() {
    let mut rig = plain();
    // The first two bytes are lost; the server's acknowledgment tells that they were there.
    rig.handshake().server("A", 500, 102, "");
    assert_eq!(rig.scribe.told(), "0:open(5000>80)");
    rig.wait(SECOND).client("A", 102, 500, "cd");
    assert_eq!(rig.scribe.told(), "0:c2s@0=gap(2) 0:c2s@2=cd");
    // The answer to the SYN is lost, and the first byte behind it.
    let mut rig = plain();
    rig.client("S", 99, 0, "").client("A", 100, 500, "").server("A", 501, 100, "x").client("A", 100, 502, "");
    assert_eq!(rig.scribe.told(), "0:open(5000>80)");
    rig.wait(SECOND).client("A", 100, 502, "");
    assert_eq!(rig.scribe.told(), "0:s2c@0=gap(1) 0:s2c@1=x");
}

#[test]
fn a_connection_joined_half_way_begins_with_its_first_byte() {
    let mut rig = plain();
    rig.client("A", 1_000, 77, "").client("A", 1_010, 77, "b").client("A", 1_009, 77, "ab").client("A", 1_011, 77, "c");
    assert_eq!(rig.scribe.told(), "0:open(5000>80?) 0:c2s@0=b 0:c2s@1=c");
    assert_eq!(rig.finish(), "0:c2s@2=CaptureOver 0:s2c@0=CaptureOver 0:over(CaptureOver)");
    let counters = rig.scribe.last.as_ref().unwrap().counters;
    assert_eq!((counters.to_server.retransmissions, counters.to_server.out_of_order), (1, 0));
}

#[test]
fn one_direction_alone_is_enough() {
    let mut rig = plain();
    rig.client("S", 99, 0, "").client("A", 100, 500, "ab").client("A", 104, 500, "ef");
    assert_eq!(rig.scribe.told(), "0:open(5000>80) 0:c2s@0=ab");
    rig.wait(SECOND).client("FA", 106, 500, "");
    assert_eq!(rig.scribe.told(), "0:c2s@2=gap(2) 0:c2s@4=ef 0:c2s@6=Fin");
}

#[test]
fn a_gibibyte_may_be_missing_in_both_directions_at_once() {
    let mut rig = plain();
    rig.handshake().client("A", 100, 500, "a").server("A", 500, 101, "b").client("A", 101, 501, "");
    let far = 2_000_000_000;
    rig.client("A", 101 + far, 501 + far, "x").server("A", 501 + far, 102 + far, "y");
    assert_eq!(rig.scribe.told(), "0:open(5000>80) 0:c2s@0=a 0:s2c@0=b");
    rig.client("A", 102 + far, 502 + far, "X").server("A", 502 + far, 103 + far, "Y");
    assert_eq!(rig.scribe.told(), "0:c2s@1=gap(?) 0:c2s@1=X 0:s2c@1=gap(?) 0:s2c@1=Y");
    rig.client("A", 103 + far, 503 + far, "Z");
    assert_eq!(rig.scribe.told(), "0:c2s@2=Z");
}

#[test]
fn a_blind_segment_moves_nothing() {
    let mut rig = plain();
    rig.handshake().client("A", 100, 500, "a").server("A", 500, 101, "");
    for n in 0..20 {
        rig.client("A", 3_000_000_000 + n * 4, 3_333_333_333, "evil").client("FA", 2_000_000_000, 0, "");
    }
    rig.client("A", 101, 500, "b").finish();
    assert_eq!(rig.scribe.told(), "");
    let mut rig = plain();
    rig.handshake().client("A", 100, 500, "a").client("A", 3_000_000_000, 1 << 29, "evil").client("A", 101, 500, "b");
    assert_eq!(rig.scribe.told(), "0:open(5000>80) 0:c2s@0=a 0:c2s@1=b");
}

#[test]
fn a_dropped_connection_keeps_nothing_and_is_told_nothing() {
    let mut rig = plain();
    rig.scribe.drop_on = Some("stop");
    rig.handshake().client("A", 100, 500, "go").client("A", 106, 500, "early").client("A", 102, 500, "stop");
    assert_eq!(rig.scribe.told(), "0:open(5000>80) 0:c2s@0=go 0:c2s@2=stop");
    assert_eq!((rig.table.held(), rig.table.slots.len_of(Rank::Dropped)), (0, 1));
    rig.client("A", 111, 500, "more").server("A", 500, 115, "more").client("S", 99, 0, "");
    rig.client("FA", 115, 500, "");
    assert_eq!(rig.table.slots.len_of(Rank::Dropped), 1);
    rig.server("FA", 504, 116, "");
    assert_eq!(rig.table.slots.len_of(Rank::Over), 1);
    assert_eq!(rig.scribe.told(), "");
    // Its ports may be used again.
    rig.client("S", 9_000, 0, "").client("A", 9_001, 0, "new");
    assert_eq!(rig.scribe.told(), "1:open(5000>80) 1:c2s@0=new");
}

#[test]
fn dropping_is_heard_at_every_piece() {
    // While the other direction's hole is given up, at a gap, at what was held, at the ends.
    for stop in ["gap(2)", "held", "Fin", "Rst(ToServer)", "CaptureOver"] {
        let mut rig = plain();
        rig.scribe.drop_on = Some(stop);
        rig.handshake().client("A", 102, 500, "held").server("A", 500, 106, "").wait(SECOND).server("A", 500, 106, "x");
        rig.client("FA", 106, 501, "").client("R", 107, 0, "").finish();
        let told = rig.scribe.told();
        assert!(!told.contains("over"), "{stop}: {told}");
        assert_eq!(rig.table.held(), 0);
    }
}

#[test]
fn silence_ends_a_connection() {
    let limits = Limits { idle_secs: 10, websocket_idle_secs: 100, ..Limits::default() };
    let mut rig = rig(&limits);
    rig.scribe.cherish_on = Some("websocket");
    rig.scribe.drop_on = Some("tls");
    rig.client("A", 100, 0, "plain").send((6000, 80), "A", 100, 0, "websocket");
    rig.send((7000, 80), "A", 100, 0, "tls").send((8000, 80), "S", 100, 0, "");
    assert_eq!((rig.table.len(), rig.table.slots.len_of(Rank::Cherished)), (4, 1));
    rig.scribe.told();
    rig.wait(9 * SECOND).send((9000, 80), "S", 1, 0, "").send((9001, 80), "S", 1, 0, "");
    assert_eq!((rig.table.len(), rig.scribe.told().as_str()), (6, ""));
    rig.wait(4 * SECOND).send((9000, 80), "A", 2, 0, "").send((9001, 80), "A", 2, 0, "");
    assert_eq!(rig.scribe.told(), "0:c2s@5=Idle 0:s2c@0=Idle 0:over(Idle)");
    assert_eq!(rig.table.len(), 4, "the lone SYN has left too");
    rig.send((6000, 80), "A", 109, 0, "!");
    rig.wait(98 * SECOND).send((9000, 80), "A", 2, 0, "").send((9001, 80), "A", 2, 0, "");
    assert_eq!(rig.scribe.told(), "1:c2s@9=!");
    rig.wait(6 * SECOND).send((9000, 80), "A", 2, 0, "").send((9001, 80), "A", 2, 0, "");
    assert_eq!(rig.scribe.told(), "1:c2s@10=Idle 1:s2c@0=Idle 1:over(Idle)");
    assert_eq!(rig.table.len(), 2);
}

#[test]
fn a_nonsensical_time_ends_nothing_and_is_not_kept_for_ever() {
    let mut rig = rig(&Limits { idle_secs: 10, ..Limits::default() });
    rig.client("A", 100, 0, "a");
    rig.wait(1_000_000 * SECOND).send((6000, 80), "A", 1, 0, "b").wait(-1_000_000 * SECOND);
    rig.client("A", 101, 0, "c").wait(-5 * SECOND).client("A", 102, 0, "d");
    assert!(!rig.scribe.told().contains("Idle"));
    for _ in 0..4 {
        rig.wait(9 * SECOND).client("A", 103, 0, "");
    }
    assert_eq!(rig.scribe.told(), "1:c2s@1=Idle 1:s2c@0=Idle 1:over(Idle)");
}

#[test]
fn a_packet_of_others_lets_time_pass() {
    let mut rig = rig(&Limits { idle_secs: 10, ..Limits::default() });
    rig.client("A", 100, 0, "a").wait(20 * SECOND);
    for _ in 0..2 {
        rig.table.age(rig.seen, &mut rig.scribe);
    }
    assert!(rig.scribe.told().ends_with("0:over(Idle)") && rig.table.is_empty());
}

/// Nobody can aim at one bucket: where a connection goes is another place in each table.
#[test]
fn every_table_hashes_otherwise() {
    let key = FlowKey::of(endpoint(5000), endpoint(80)).0;
    let places: std::collections::BTreeSet<u64> = (0..16).map(|_| plain().table.hasher.hash_one(key)).collect();
    assert!(places.len() >= 15, "{places:?}");
}

#[test]
fn a_full_table_gives_up_what_is_worth_least() {
    let mut rig = rig(&Limits { max_connections: 4, ..Limits::default() });
    rig.scribe.cherish_on = Some("websocket");
    rig.scribe.drop_on = Some("tls");
    rig.send((1001, 80), "A", 1, 0, "websocket").send((1002, 80), "A", 1, 0, "plain");
    rig.send((1003, 80), "A", 1, 0, "tls").send((1004, 80), "R", 1, 0, "");
    let told = rig.scribe.told();
    assert!(!told.contains("Idle"), "{told}");
    let left = |rig: &Rig| {
        [Rank::Over, Rank::Dropped, Rank::Opening, Rank::Live, Rank::Cherished].map(|rank| rig.table.slots.len_of(rank))
    };
    assert_eq!(left(&rig), [1, 1, 0, 1, 1]);
    rig.send((2001, 80), "S", 1, 0, "");
    assert_eq!(left(&rig), [0, 1, 1, 1, 1]);
    rig.send((2002, 80), "S", 1, 0, "");
    assert_eq!(left(&rig), [0, 0, 2, 1, 1]);
    // From here on a flood gives up its own.
    for port in 3000..3100 {
        rig.send((port, 80), "S", 1, 0, "");
    }
    assert_eq!((left(&rig), rig.scribe.told().as_str()), ([0, 0, 2, 1, 1], ""));
    for port in 4000..4003 {
        rig.send((port, 80), "A", 1, 0, "w");
    }
    assert_eq!(left(&rig), [0, 0, 0, 3, 1]);
    assert!(rig.scribe.told().contains("1:over(Idle)"), "the longest silent first");
    for port in 5000..5003 {
        rig.send((port, 80), "A", 1, 0, "websocket");
    }
    rig.scribe.told();
    rig.send((6000, 80), "A", 1, 0, "websocket");
    assert_eq!((left(&rig), rig.table.len()), ([0, 0, 0, 0, 4], 4));
    assert!(rig.scribe.told().starts_with("0:c2s@9=Idle"));
    assert_eq!(rig.table.evictions(), rig.table.connections() - 4);
}

#[test]
fn what_is_left_ends_in_the_order_of_first_packets() {
    let mut rig = plain();
    for port in [9, 3, 7, 5, 1] {
        rig.send((port, 80), "A", 1, 0, "x");
    }
    rig.send((3, 80), "R", 2, 0, "").scribe.told();
    let told = rig.finish();
    let overs: Vec<_> = told.split(' ').filter(|word| word.contains("over")).collect();
    assert_eq!(overs, ["0:over(CaptureOver)", "2:over(CaptureOver)", "3:over(CaptureOver)", "4:over(CaptureOver)"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    /// Anything at all: no panic, memory is counted exactly and within its limits, every connection that was opened is
    /// ended once or dropped, each direction goes on without a break from 0, and twice the same gives the same.
    #[test]
    fn any_segments_keep_the_promises(
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
            let mut rig = rig(&limits);
            rig.scribe.drop_on = Some("aaaaaaa");
            rig.scribe.cherish_on = Some("aaa");
            rig.scribe.reverse_on = Some("aaaaa");
            for &(flow, back, bits, far, seq, far_ack, ack, len, nanos, cut) in &segments {
                rig.seen.packet += 1;
                rig.seen.at = Timestamp::from_nanos(rig.seen.at.as_nanos() + nanos - SECOND);
                let (src, dst) = (endpoint(1000 + flow), endpoint(80));
                let segment = Segment {
                    src: if back { dst } else { src },
                    dst: if back { src } else { dst },
                    seq: SeqNumber((far << 30).wrapping_add(seq)),
                    ack: SeqNumber((far_ack << 30).wrapping_add(ack)),
                    flags: TcpFlags { syn: bits == 1, ack: bits != 1, fin: bits == 2, rst: bits == 3 },
                    window: 0,
                    seen: rig.seen,
                    payload: &[b'a'; 30][..len],
                    cut,
                };
                rig.table.segment(&segment, &mut rig.scribe);
                let held: usize = rig.table.slots.connections().map(Connection::held).sum();
                assert_eq!(held, rig.table.held());
                assert!(held <= max_memory_bytes && rig.table.len() <= max_connections);
            }
            rig.table.finish(rig.seen, &mut rig.scribe);
            assert_eq!((rig.table.held(), rig.table.len()), (0, 0));
            rig.scribe.told
        };
        let told = run();
        check_story(&told);
        prop_assert_eq!(told, run());
    }
}

/// Offsets follow each other, nothing comes behind an end, and both ends come before the connection is over.
fn check_story(told: &[String]) {
    use std::collections::BTreeMap;
    let mut assemblers: BTreeMap<(&str, &str), Option<u64>> = BTreeMap::new();
    for word in told {
        let (number, what) = word.split_once(':').unwrap();
        if what.starts_with("open") {
            assemblers.insert((number, "c2s"), Some(0));
            assemblers.insert((number, "s2c"), Some(0));
        } else if what.starts_with("over") {
            for assembler in ["c2s", "s2c"] {
                assert_eq!(assemblers.remove(&(number, assembler)), Some(None), "{word} of {told:?}");
            }
        } else if let Some((assembler, (offset, text))) =
            what.split_once('@').and_then(|(l, r)| Some((l, r.split_once('=')?)))
        {
            if text == "aaaaa" {
                // Reversed: what was the one is the other.
                let (there, back) = (assemblers[&(number, "c2s")], assemblers[&(number, "s2c")]);
                assemblers.insert((number, "c2s"), back);
                assemblers.insert((number, "s2c"), there);
            }
            let next = assemblers.get_mut(&(number, assembler)).unwrap();
            assert_eq!(*next, Some(offset.parse().unwrap()), "{word} of {told:?}");
            *next = match text.strip_prefix("gap(") {
                Some("?)") => *next,
                Some(len) => next.map(|next| next + len.trim_end_matches(')').parse::<u64>().unwrap()),
                None if text.starts_with('a') => next.map(|next| next + text.len() as u64),
                None => None,
            };
        }
    }
}

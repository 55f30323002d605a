use std::net::UdpSocket;

use super::*;

/// Starts a capture; records that it is skipped if this user may not.
fn open(options: &LiveOptions) -> Option<Live> {
    match Live::open(options) {
        Ok(live) => Some(live),
        Err(error @ (CaptureError::NotPermitted { .. } | CaptureError::NoSuchInterface { .. })) => {
            crate::common::skip::skip(&format!("a right to sniff: {error}"));
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// A pair of sockets on the loopback interface, and the filter that shows only what they send.
fn sockets() -> (UdpSocket, UdpSocket, Option<String>) {
    let [from, to] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    from.connect(to.local_addr().unwrap()).unwrap();
    let port = to.local_addr().unwrap().port();
    (from, to, Some(format!("udp dst port {port}")))
}

/// The next packet's bytes and time, waiting a while for it.
fn next(live: &mut Live) -> Option<(u64, Timestamp, Vec<u8>)> {
    for _ in 0..200 {
        match live.next_packet().unwrap() {
            LiveEvent::Packet(packet) => return Some((packet.seen.packet, packet.seen.at, packet.bytes.to_vec())),
            LiveEvent::Quiet => {}
            LiveEvent::Stopped => return None,
        }
    }
    None
}

#[test]
fn packets_of_the_loopback_come_in_order() {
    let (from, _to, filter) = sockets();
    let Some(mut live) = open(&LiveOptions { filter, ..LiveOptions::new("lo") }) else { return };
    let mut last = Timestamp::default();
    for number in 1..=300_u64 {
        from.send(&number.to_be_bytes()).unwrap();
        if number % 100 == 0 {
            for expected in number - 99..=number {
                let (packet, at, bytes) = next(&mut live).unwrap();
                assert_eq!((packet, bytes.last_chunk()), (expected, Some(&expected.to_be_bytes())));
                assert!(at.since(last) >= 0, "{at} after {last}");
                last = at;
            }
        }
    }
    // From 2020 to 2200: seconds and fractions were not confused.
    assert!((1_577_836_800..7_258_118_400).contains(&(last.as_nanos() / 1_000_000_000)));
    assert_eq!((live.link(), live.packets()), (LinkType::ETHERNET, 300));
    let stats = live.stats().unwrap();
    assert!(stats.received >= 300 && stats.dropped == 0, "{stats:?}");
}

#[test]
fn all_interfaces_are_one() {
    let (from, _to, filter) = sockets();
    let options = LiveOptions { filter, promiscuous: true, snaplen: 100, ..LiveOptions::new("any") };
    let Some(mut live) = open(&options) else { return };
    from.send(&[9; 500]).unwrap();
    let (_, _, bytes) = next(&mut live).unwrap();
    assert!([LinkType::LINUX_SLL, LinkType::LINUX_SLL2].contains(&live.link()), "{:?}", live.link());
    assert_eq!((bytes.len(), bytes.last()), (100, Some(&9)));
}

#[test]
fn a_quiet_interface_is_reported_and_the_flag_stops_it() {
    let (_from, _to, filter) = sockets();
    let Some(mut live) = open(&LiveOptions { filter, timeout_ms: 5, ..LiveOptions::new("lo") }) else { return };
    for _ in 0..5 {
        assert!(matches!(live.next_packet().unwrap(), LiveEvent::Quiet));
    }
    let stop = live.stop_flag();
    let stopper = thread::spawn(move || {
        thread::sleep(Duration::from_millis(20));
        stop.store(true, Ordering::Relaxed);
    });
    while !matches!(live.next_packet().unwrap(), LiveEvent::Stopped) {}
    stopper.join().unwrap();
    assert!(matches!(live.next_packet().unwrap(), LiveEvent::Stopped));
}

#[test]
fn errors_explain_what_to_do() {
    let error = Live::open(&LiveOptions::new("no-such-interface")).err().unwrap();
    let known: Vec<String> = interfaces().unwrap().into_iter().map(|known| known.name).collect();
    match error {
        CaptureError::NoSuchInterface { interface, known: listed } => {
            assert_eq!((interface.as_str(), listed), ("no-such-interface", known));
        }
        error => assert!(matches!(error, CaptureError::NotPermitted { .. }), "{error}"),
    }
    let filter = Some("tcp prot 80".to_owned());
    let error = Live::open(&LiveOptions { filter, ..LiveOptions::new("lo") }).err().unwrap();
    assert!(matches!(error, CaptureError::Filter { .. } | CaptureError::NotPermitted { .. }), "{error}");
    let refused = pcap::Error::PcapError("socket: Operation not permitted".to_owned());
    let message = open_error("eth0", refused).to_string();
    assert!(message.contains("setcap") && message.contains("sudo"), "{message}");
}

#[test]
fn the_loopback_is_among_the_interfaces() {
    let interfaces = interfaces().unwrap();
    let Some(loopback) = interfaces.iter().find(|interface| interface.loopback) else {
        crate::common::skip::skip("a loopback interface to be seen");
        return;
    };
    assert!(!loopback.name.is_empty());
    assert!(!loopback.up || loopback.addresses.iter().all(IpAddr::is_loopback), "{loopback:?}");
}

#[test]
fn counters_go_on_beyond_32_bits() {
    let mut counters = Counters::default();
    counters.add([u32::MAX - 9, 0, 7]);
    let stats = counters.add([10, 3, 7]);
    assert_eq!(stats, LiveStats { received: (1 << 32) + 10, dropped: 3, dropped_by_interface: 7 });
}

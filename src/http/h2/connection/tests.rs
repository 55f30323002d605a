//! The machine by itself: gaps, ends, memory. Conversations are in `tests/all/http2.rs`.

use super::*;

const SERVER: Direction = Direction::ToClient;

fn h2() -> H2 {
    H2::new(&Limits { max_head_bytes: 1000, max_header_table_bytes: 300, ..Limits::default() })
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&[len[1], len[2], len[3], kind, flags], &stream.to_be_bytes()[..], payload].concat()
}

/// The events in the server's bytes, a line each.
fn feed(h2: &mut H2, bytes: &[u8]) -> Vec<String> {
    let mut input = bytes;
    let mut events = Vec::new();
    while let Some(event) = h2.next(SERVER, &mut input, PacketRef::default()) {
        events.push(line(&event));
    }
    assert!(input.is_empty());
    events
}

fn line(event: &H2Event<'_, '_>) -> String {
    match event {
        H2Event::Headers { stream, list, end_stream } => {
            format!("{stream} {:?} complete {} end {end_stream}", list.status(), list.is_complete())
        }
        H2Event::Data { stream, payload } => format!("{stream} {}", payload.escape_ascii()),
        other => format!("{other:?}"),
    }
}

#[test]
fn frames_become_events() {
    let mut h2 = h2();
    let bytes = [
        frame(4, 0, 0, b"\0\x08\0\0\0\x01"),
        frame(1, 4, 1, &[0x88]),
        frame(5, 4, 1, &[0, 0, 0, 2, 0x82]), // A promise gives no event; its block is read for the dynamic table.
        frame(0, 0, 1, b"abc"),
        frame(3, 0, 3, &[0, 0, 0, 8]),
        frame(7, 0, 0, &[0, 0, 0, 9, 0, 0, 0, 11, b'x']),
        frame(0, 1, 1, b""),
    ];
    let expected = [
        "1 Some(200) complete true end false",
        "1 abc",
        "Reset { stream: 3, code: Some(ErrorCode(8)) }",
        "Goaway { last_stream: 9, code: ErrorCode(11) }",
        "EndStream { stream: 1 }",
    ];
    assert_eq!(feed(&mut h2, &bytes.concat()), expected);
    assert_eq!((h2.extended_connect(), h2.fault(), h2.highest_stream()), (Some(true), None, 1));
}

#[test]
fn a_gap_within_a_frame_takes_that_frame_alone() {
    let cut = |bytes: &[u8], at: usize, len: usize| {
        let mut h2 = h2();
        let mut events = feed(&mut h2, &[frame(4, 0, 0, b""), bytes[..at].to_vec()].concat());
        events.extend(h2.gap(SERVER, Some(len as u64)).map(|event| line(&event)));
        events.extend(feed(&mut h2, &[&bytes[at + len..], &frame(0, 0, 9, b"next")].concat()));
        assert_eq!(events.pop().as_deref(), Some("9 next"), "in step again");
        events
    };
    let data = frame(0, 1, 1, b"abcdef");
    assert_eq!(cut(&data, 11, 2), ["1 ab", "Missing { stream: 1, len: Some(2) }", "1 ef", "EndStream { stream: 1 }"]);
    assert_eq!(cut(&data, 9, 6), ["Missing { stream: 1, len: Some(6) }", "EndStream { stream: 1 }"]);
    let padded = frame(0, 8, 1, b"\x03abcdef");
    assert_eq!(cut(&padded, 11, 5), ["1 a", "Missing { stream: 1, len: Some(2) }"]);
    assert_eq!(cut(&padded, 9, 3), ["Missing { stream: 1, len: None }"]);
    let headers = frame(1, 4, 1, &[0x88, 0x0f, 0x0d, 1, b'5', 0x88]);
    assert_eq!(cut(&headers, 10, 3), ["1 Some(200) complete false end false"]);
    assert_eq!(cut(&frame(3, 0, 1, &[0, 0, 0, 8]), 10, 2), ["Reset { stream: 1, code: None }"]);
    assert_eq!(cut(&frame(7, 0, 0, &[0; 8]), 10, 2), Vec::<String>::new());
}

#[test]
fn a_gap_over_a_boundary_loses_it() {
    for (at, len) in [(3, Some(1)), (9, Some(7)), (0, Some(1)), (15, Some(1)), (10, None)] {
        let mut h2 = h2();
        let bytes = frame(0, 0, 1, b"abcdef");
        feed(&mut h2, &[frame(4, 0, 0, b""), bytes[..at].to_vec()].concat());
        assert!(matches!(h2.gap(SERVER, len), Some(H2Event::Lost)), "{at} {len:?}");
        h2.resume(SERVER);
        // An entry of the table that was not captured.
        let events = feed(&mut h2, &[frame(1, 4, 1, &[0x88, 0xbe]), frame(0, 0, 1, b"x")].concat());
        assert_eq!(events, ["1 Some(200) complete false end false", "1 x"]);
        assert_eq!((h2.fault(), h2.extended_connect()), (None, None));
    }
}

#[test]
fn the_end_gives_the_fields_that_came_of_a_header_list() {
    let mut h2 = h2();
    assert_eq!(feed(&mut h2, &frame(1, 1, 7, &[0x88, 0x40])), Vec::<String>::new());
    let events = h2.finish(SERVER).map(|event| line(&event));
    assert_eq!(events.as_deref(), Some("7 Some(200) complete false end true"));
    assert!(h2.finish(SERVER).is_none());
}

#[test]
fn memory_is_bounded() {
    let mut h2 = h2();
    let field = [&[0x40, 1, b'a', 100][..], &[b'x'; 100]].concat();
    for n in 0..2000 {
        feed(&mut h2, &[frame(1, 0, 1, &field), frame(9, 0, 1, &field[..50])].concat());
        feed(&mut h2, &[frame(9, 0, 1, &field[50..]), frame(9, u8::from(n % 9 == 0) * 4, 1, &field)].concat());
        assert!(h2.held() < 8 << 10, "{}", h2.held());
        while h2.fault().is_some() {}
    }
    assert_eq!(h2.forget(1, PacketRef::default()), PerDirection::default());
}

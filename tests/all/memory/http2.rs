//! The attacks that HTTP/2 is known for (RFC 9113 §10.5): each within bounds, by the command itself.

use super::*;
use crate::common::h2::{
    CONNECT, answer, block, connect, data, frame, headers, http2, indexed_block, open, reset, settings, window, ws,
};

/// What a client sends stream after stream, without end.
fn streams(feed: &mut Feed<'_>, talk: &mut Conversation, mut each: impl FnMut(u32) -> Vec<u8>) {
    let (mut sent, mut stream) = (0, 3);
    while sent < 8 * MIB {
        let mut bytes = Vec::new();
        while bytes.len() < MIB {
            bytes.extend(each(stream));
            stream += 2;
        }
        sent += bytes.len();
        talk.send_pieces(CLIENT, &bytes, 32_000).ack(SERVER);
        feed.conversation(talk);
        talk.forget();
    }
}

#[test]
fn header_lists_that_swell() {
    // One field of 4,000 bytes in the table, named in a byte each 16,000 times: 64 MiB a block.
    let long = "x".repeat(4000);
    let bomb = [indexed_block(&[("a", &long)]), vec![0x80 | 62; 16_000]].concat();
    stays_below(MIB, |feed| streams(feed, &mut open(), |stream| headers(stream, &bomb)));
    // In requests for WebSockets, of which more is kept.
    let request = [block(&CONNECT), bomb].concat();
    stays_below(4 * MIB, |feed| streams(feed, &mut open(), |stream| headers(stream, &request)));
    // Into a table for which the server allows 4 GiB (RFC 7541 §4.2), and the client takes as much.
    stays_below(4 * MIB, |feed| {
        let mut talk = http2();
        talk.server(settings(&[(1, u32::MAX)])).client(frame(4, 1, 0, []));
        let size = [0x3f, 0xe0, 0xff, 0xff, 0xff, 0x0f];
        talk.client(headers(1, [&size[..], &block(&CONNECT)].concat()));
        let mut number = 0;
        streams(feed, &mut talk, |stream| {
            number += 1;
            headers(stream, indexed_block(&[(&format!("name-{number}"), &long[..1000])]))
        });
    });
}

#[test]
fn a_header_block_without_end() {
    stays_below(MIB, |feed| {
        let mut talk = open();
        talk.client(frame(1, 0, 3, block(&CONNECT)));
        let fields = frame(9, 0, 3, block(&[("name", "value")]).repeat(100));
        endless(feed, &mut talk, CLIENT, &fields.repeat(1000), 32 * MIB);
    });
    // With nothing in it.
    stays_below(MIB, |feed| {
        let mut talk = open();
        talk.client(frame(1, 0, 3, block(&CONNECT)));
        endless(feed, &mut talk, CLIENT, &frame(9, 0, 3, []).repeat(100_000), 16 * MIB);
    });
}

#[test]
fn frames_that_cost_an_endpoint_much() {
    let all: Vec<_> = (0..1000_u16).map(|id| (id, u32::from(id) << 8)).collect();
    let kinds = [
        settings(&[]).repeat(50_000),
        settings(&all).repeat(100),
        // The window of each stream changes with each.
        settings(&[(4, 0)]).repeat(20_000),
        frame(6, 0, 0, [0; 8]).repeat(50_000),
        (0..50_000).flat_map(|stream| window(stream, 1)).collect(),
        (0..50_000).flat_map(|stream| frame(2, 0, stream, [0; 5])).collect(),
        data(1, []).repeat(50_000),
        frame(0, 8, 1, [255; 256]).repeat(2000),
        frame(7, 0, 0, [0; 8]).repeat(50_000),
        frame(99, 0xff, 1, [7; 30]).repeat(20_000),
    ];
    for kind in kinds {
        stays_below(MIB, |feed| endless(feed, &mut open(), CLIENT, &kind, 8 * MIB));
    }
}

#[test]
fn streams_that_are_reset_at_once() {
    let get = block(&[(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")]);
    stays_below(MIB, |feed| {
        streams(feed, &mut open(), |stream| [headers(stream, &get), reset(stream, 8)].concat());
    });
    // Of WebSockets, each of which has its row and its report.
    stays_below(16 * MIB, |feed| {
        streams(feed, &mut http2(), |stream| [connect(stream, &[]), reset(stream, 8)].concat());
    });
}

#[test]
fn more_streams_than_anybody_follows() {
    // 1,024 are followed.
    stays_below(8 * MIB, |feed| streams(feed, &mut http2(), |stream| connect(stream, &[])));
    // Each with frames that wait for an answer, which all together may only be so many.
    let frames = ws(0, CLIENT, Frame::binary(vec![7; 10_000]));
    stays_below(16 * MIB, |feed| {
        streams(feed, &mut http2(), |stream| {
            let mut frames = frames.clone();
            frames[5..9].copy_from_slice(&stream.to_be_bytes());
            [connect(stream, &[]), frames].concat()
        });
    });
    // Answered, each with a message that does not end.
    let fragment = ws(0, CLIENT, Frame::binary(vec![7; 10_000]).more());
    stays_below(48 * MIB, |feed| {
        let mut talk = http2();
        for stream in (1..=4001).step_by(2) {
            let mut fragment = fragment.clone();
            fragment[5..9].copy_from_slice(&u32::to_be_bytes(stream));
            talk.client([connect(stream, &[]), fragment].concat()).server(answer(stream, "200", &[]));
            feed.conversation(&talk);
            talk.forget();
        }
    });
}

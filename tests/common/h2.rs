//! HTTP/2 made to measure: frames of any kind, right or wrong, and the heads of RFC 8441.

use wslens::types::Role;

use super::{Conversation, Frame};

/// After the prefaces of both: packets 1 to 5.
pub(crate) fn http2() -> Conversation {
    let mut talk = Conversation::connected();
    talk.client(preface()).server(announce());
    talk
}

/// After a WebSocket was opened on stream 1: packets 1 to 7.
pub(crate) fn open() -> Conversation {
    let mut talk = http2();
    talk.client(connect(1, &[])).server(answer(1, "200", &[]));
    talk
}

/// What a client begins with (RFC 9113 §3.4), its SETTINGS and all.
pub(crate) fn preface() -> Vec<u8> {
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), settings(&[])].concat()
}

/// Any frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![len[1], len[2], len[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// SETTINGS with these parameters.
pub(crate) fn settings(parameters: &[(u16, u32)]) -> Vec<u8> {
    let payload = parameters.iter().flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat());
    frame(4, 0, 0, payload.collect::<Vec<_>>())
}

/// The server's first frame: it takes extended CONNECT (RFC 8441 §3).
pub(crate) fn announce() -> Vec<u8> {
    settings(&[(8, 1)])
}

/// A header block without tables: each field a literal.
pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    literals(0, fields)
}

/// A header block of literals that all go into the dynamic table.
pub(crate) fn indexed_block(fields: &[(&str, &str)]) -> Vec<u8> {
    literals(0x40, fields)
}

fn literals(first: u8, fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(first);
        for text in [name, value] {
            match u8::try_from(text.len()) {
                Ok(len @ 0..127) => bytes.push(len),
                _ => {
                    let rest = text.len() - 127;
                    bytes.extend([0x7f, u8::try_from(rest % 128).unwrap() | 0x80, u8::try_from(rest / 128).unwrap()]);
                }
            }
            bytes.extend(text.bytes());
        }
    }
    bytes
}

/// HEADERS that hold a whole block.
pub(crate) fn headers(stream: u32, block: impl AsRef<[u8]>) -> Vec<u8> {
    frame(1, 4, stream, block)
}

/// The fields of an extended CONNECT.
pub(crate) const CONNECT: [(&str, &str); 6] = [
    (":method", "CONNECT"),
    (":protocol", "websocket"),
    (":scheme", "http"),
    (":path", "/chat"),
    (":authority", "server.example"),
    ("sec-websocket-version", "13"),
];

/// A request for a WebSocket, with more fields.
pub(crate) fn connect(stream: u32, more: &[(&str, &str)]) -> Vec<u8> {
    headers(stream, block(&[&CONNECT, more].concat()))
}

/// An answer.
pub(crate) fn answer(stream: u32, status: &str, more: &[(&str, &str)]) -> Vec<u8> {
    headers(stream, block(&[&[(":status", status)], more].concat()))
}

/// DATA.
pub(crate) fn data(stream: u32, payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(0, 0, stream, payload)
}

/// A WebSocket frame in DATA of its own.
pub(crate) fn ws(stream: u32, from: Role, frame: Frame) -> Vec<u8> {
    data(stream, frame.bytes(from))
}

/// END_STREAM.
pub(crate) fn end(stream: u32) -> Vec<u8> {
    frame(0, 1, stream, [])
}

/// RST_STREAM.
pub(crate) fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(3, 0, stream, code.to_be_bytes())
}

/// WINDOW_UPDATE.
pub(crate) fn window(stream: u32, by: u32) -> Vec<u8> {
    frame(8, 0, stream, by.to_be_bytes())
}

/// GOAWAY.
pub(crate) fn goaway(last_stream: u32, code: u32) -> Vec<u8> {
    frame(7, 0, 0, [last_stream.to_be_bytes(), code.to_be_bytes()].concat())
}

//! Bodies of HTTP/1, by each way to say where they end.

use proptest::prelude::*;

use super::*;
use crate::http::Fields;

fn traits(lines: &str) -> FramingFields {
    FramingFields::of(Fields::new(lines.as_bytes()).iter())
}

fn of_request(lines: &str) -> Framing {
    Framing::of_request(&traits(lines), Wants::Response)
}

fn of_response(lines: &str) -> Framing {
    Framing::of_response(&traits(lines))
}

#[test]
fn content_length() {
    assert_eq!(of_request("A: b\n"), Framing::Length(0));
    assert_eq!(of_response("A: b\n"), Framing::UntilEnd);
    for (lines, len) in [
        ("Content-Length: 7\n", 7),
        ("content-length:007\n", 7),
        ("Content-Length: 7\nContent-Length: 7\n", 7),
        ("Content-Length: 7, 7\n", 7),
        ("Content-Length: 18446744073709551615\n", u64::MAX),
    ] {
        assert_eq!(of_request(lines), Framing::Length(len), "{lines}");
        assert_eq!(of_response(lines), Framing::Length(len), "{lines}");
    }
    for value in ["", "x", "-1", "+1", "1 2", "0x10", "7, 8", "18446744073709551616", "1\nContent-Length: 2"] {
        let lines = format!("Content-Length: {value}\n");
        assert_eq!(of_request(&lines), Framing::Faulty, "{lines}");
        assert_eq!(of_response(&lines), Framing::Faulty, "{lines}");
    }
}

#[test]
fn transfer_encoding_wins_over_content_length() {
    for lines in [
        "Transfer-Encoding: chunked\nContent-Length: 5\n",
        "Content-Length: x\nTransfer-Encoding: Chunked\n",
        "Transfer-Encoding : chunked\nContent-Length: 5\n",
        "Transfer-Encoding:\n chunked\nContent-Length: 5\n",
        "Transfer-Encoding: gzip;q=1, chunked\n",
        "Transfer-Encoding: gzip\nTransfer-Encoding: chunked\n",
        "Transfer-Encoding: chunked, identity\n",
    ] {
        assert_eq!(of_request(lines), Framing::Chunked, "{lines}");
        assert_eq!(of_response(lines), Framing::Chunked, "{lines}");
    }
    for lines in [
        "Transfer-Encoding: gzip\nContent-Length: 5\n",
        "Transfer-Encoding: chunked, gzip\n",
        "Transfer-Encoding: xchunked\n",
    ] {
        assert_eq!(of_request(lines), Framing::Faulty, "{lines}");
        assert_eq!(of_response(lines), Framing::UntilEnd, "{lines}");
    }
    assert_eq!(of_request("Transfer-Encoding: identity\nContent-Length: 5\n"), Framing::Length(5));
}

#[test]
fn a_connect_request_has_no_body() {
    let traits = traits("Content-Length: 5\nTransfer-Encoding: gzip\n");
    assert_eq!(Framing::of_request(&traits, Wants::Tunnel), Framing::Length(0));
}

#[test]
fn upgrade_is_noticed() {
    for (lines, upgrade) in [
        ("Upgrade: h2c\n", true),
        ("sec-websocket-key: x\n", true),
        ("Sec-WebSocket-Version: 13\n", true),
        ("Sec-WebSocket-Key1: x\n", true),
        ("Upgrade-Insecure-Requests: 1\nConnection: Upgrade\nSec-Fetch-Mode: websocket\n", false),
    ] {
        assert_eq!(traits(lines).upgrade, upgrade, "{lines}");
    }
}

/// Where the body ends, however it is cut in two; `None` where it is broken.
fn end(framing: Framing, bytes: &[u8]) -> Option<usize> {
    let ends: Vec<_> = (0..=bytes.len())
        .map(|cut| {
            let (mut body, mut at) = (Body::new(framing).unwrap(), 0);
            for part in [&bytes[..cut], &bytes[cut..]] {
                let mut input = part;
                let progress = body.skip(&mut input);
                at += part.len() - input.len();
                match progress {
                    BodyProgress::Done => return Some(at),
                    BodyProgress::Broken => return None,
                    BodyProgress::NeedMore => assert!(input.is_empty()),
                }
            }
            Some(usize::MAX)
        })
        .collect();
    assert!(ends.iter().all(|end| *end == ends[0]), "{ends:?}");
    ends[0]
}

const MORE: Option<usize> = Some(usize::MAX);

#[test]
fn chunked_bodies_end_behind_their_trailers() {
    for body in [
        &b"0\r\n\r\n"[..],
        b"4\r\nWiki\r\n5\r\npedia\r\n0\r\n\r\n",
        b"4\nWiki\n0\n\n",
        b"0004  \r\nWiki\r\n0\r\n\r\n",
        b"4;a=b;c=\"d\"\r\nWiki\r\n0;last\r\n\r\n",
        b"a\r\n0\r\n\r\n01234\r\n0\r\nTrailer: x\r\nB: y\r\n\r\n",
        b"00000000000000000000000000000000000001\r\nx\r\n0\r\n\r\n",
    ] {
        for rest in [&b""[..], b"GET", b"\r\n\r\n", b"0\r\n\r\n"] {
            let bytes = [body, rest].concat();
            assert_eq!(end(Framing::Chunked, &bytes), Some(body.len()), "{}", bytes.escape_ascii());
        }
        for len in 0..body.len() {
            assert_eq!(end(Framing::Chunked, &body[..len]), MORE, "{}", body[..len].escape_ascii());
        }
    }
}

#[test]
fn what_is_no_chunk_is_broken() {
    assert_eq!(end(Framing::Chunked, b"fffffffffffffffe\r\nx"), MORE);
    for bytes in [
        &b"10000000000000000\r\nx"[..],
        b"ffffffffffffffffffffffffffffffff\r\n",
        b"\r\n",
        b";x\r\n",
        b"-1\r\n",
        b"4\r\nWiki0\r\n\r\n",
        b"4\r\nWiki\rX",
        b"4x\r\nWiki\r\n",
        b"\x81\x85abcd",
    ] {
        assert_eq!(end(Framing::Chunked, bytes), None, "{}", bytes.escape_ascii());
    }
}

#[test]
fn bodies_of_known_length_and_to_the_end() {
    assert_eq!(end(Framing::Length(0), b"GET"), Some(0));
    assert_eq!(end(Framing::Length(3), b"GETX"), Some(3));
    assert_eq!(end(Framing::Length(u64::MAX), b"GETX"), MORE);
    assert_eq!(end(Framing::UntilEnd, b"GETX"), MORE);
    assert_eq!(Body::new(Framing::Faulty), None);
}

#[test]
fn holes() {
    let mut body = Body::Length(10);
    assert!(body.gap(Some(4)) && body == Body::Length(6));
    assert!(body.gap(Some(6)) && body == Body::Length(0));
    assert!(!body.gap(Some(1)) && !body.gap(None));
    assert!(Body::UntilEnd.gap(None));
    let mut body = Body::Chunked(Chunked::Data { left: 5 });
    assert!(body.gap(Some(5)));
    let mut input = &b"\r\n0\r\n\r\nX"[..];
    assert_eq!((body.skip(&mut input), input), (BodyProgress::Done, &b"X"[..]));
    assert!(!Body::Chunked(Chunked::Data { left: 5 }).gap(Some(6)));
    assert!(!Body::Chunked(Chunked::Size { size: 0, any: false }).gap(Some(1)));
}

proptest! {
    #[test]
    fn chunks_end_where_they_were_made_to(
        chunks in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 1..40), "(;[a-z]{0,5})?"), 0..5),
        trailers in proptest::collection::vec("[A-Z]{1,3}: [a-z]{0,5}", 0..3),
        rest in proptest::collection::vec(any::<u8>(), 0..5),
    ) {
        let mut bytes = Vec::new();
        for (data, extension) in &chunks {
            bytes.extend_from_slice(format!("{:X}{extension}\r\n", data.len()).as_bytes());
            bytes.extend_from_slice(data);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n");
        for trailer in &trailers {
            bytes.extend_from_slice(format!("{trailer}\r\n").as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        let len = bytes.len();
        bytes.extend_from_slice(&rest);
        prop_assert_eq!(end(Framing::Chunked, &bytes), Some(len));
    }
}

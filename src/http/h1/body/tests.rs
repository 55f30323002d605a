//! Bodies, by each way to delimit them.

use proptest::prelude::*;

use super::*;

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
fn chunked_bodies_end_after_their_trailers() {
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
fn bytes_that_are_no_chunk_break_the_body() {
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
    assert_eq!(Body::new(Framing::Invalid), None);
}

#[test]
fn gaps_within_and_beyond_a_body() {
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

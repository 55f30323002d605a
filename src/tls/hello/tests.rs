//! Hellos, complete and cut short; and hellos for the tests of connections.

use super::*;

/// A ClientHello's body with these extensions.
pub(in super::super) fn client_hello(random: u8, extensions: &[u8]) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([random; RANDOM_LEN]);
    body.extend([0, 0, 2, 0x13, 1, 1, 0]);
    body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
    body.extend(extensions);
    body
}

/// The body of a HelloRetryRequest.
#[cfg(feature = "tls")]
pub(in super::super) fn retry() -> Vec<u8> {
    [&[3, 3][..], &RETRY_RANDOM, &[0, 0x13, 1, 0, 0, 6, 0, 43, 0, 2, 3, 4]].concat()
}

const EXTENSIONS: &[u8] = &[
    0, 0, 0, 14, 0, 12, 0, 0, 9, b'w', b's', b'.', b'e', b'x', b'a', b'm', b'p', b'l', // server_name
    0, 16, 0, 11, 0, 9, 8, b'h', b't', b't', b'p', b'/', b'1', b'.', b'1', // ALPN
    0, 43, 0, 7, 6, 0x7a, 0x7a, 3, 4, 3, 3, // supported_versions with GREASE
    0, 22, 0, 0, 0, 23, 0, 0, 0, 28, 0, 2, 0x40, 1, 0, 1, 0, 1, 4, 0, 42, 0, 0,
];

#[test]
fn a_client_hello_is_read() {
    let hello = ClientHello::parse(&client_hello(7, EXTENSIONS)).unwrap();
    assert_eq!((hello.version, hello.random), (0x0303, [7; 32]));
    let found = hello.extensions;
    assert_eq!(found.server_name.as_deref(), Some(&b"ws.exampl"[..]));
    assert_eq!(found.alpn, [b"http/1.1"]);
    assert_eq!(
        (found.version, found.record_size_limit, found.max_fragment_length),
        (Some(0x0304), Some(0x4001), Some(4))
    );
    assert!(found.encrypt_then_mac && found.extended_master_secret && found.early_data && !found.pre_shared_key);
}

#[test]
fn a_hello_cut_short_is_none_and_never_a_panic() {
    let whole = client_hello(7, EXTENSIONS);
    let front = 2 + 32 + 1 + 4 + 2;
    for len in 0..whole.len() {
        // Without any extension it is one of before TLS 1.3.
        assert_eq!(ClientHello::parse(&whole[..len]).is_some(), len == front, "{len}");
    }
    for at in 0..whole.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut wrong = whole.clone();
            wrong[at] = value;
            _ = ClientHello::parse(&wrong);
            _ = ServerHello::parse(&wrong);
        }
    }
}

#[test]
fn a_server_hello_is_read() {
    let mut body = vec![3, 3];
    body.extend(RETRY_RANDOM);
    body.extend([0, 0x13, 2, 0, 0, 6, 0, 43, 0, 2, 3, 4]);
    let hello = ServerHello::parse(&body).unwrap();
    assert_eq!((hello.version, hello.suite, hello.is_retry, hello.compressed), (0x0304, 0x1302, true, false));
    body.truncate(38);
    body[10] = 0;
    let hello = ServerHello::parse(&body).unwrap();
    assert_eq!((hello.version, hello.is_retry), (0x0303, false));
}

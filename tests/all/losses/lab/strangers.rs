//! TCP connections that are no WebSockets, joined in the middle.

use super::packets::Raw;
use super::random::Random;
use super::talk::{endpoint, packets, send, tcp};
use crate::common::{CLIENT, SERVER};

/// What is spoken: a name, and what one side says.
type Tongue = (&'static str, fn(&mut Random, usize) -> Vec<u8>);

fn repeat(pattern: &[u8], len: usize) -> Vec<u8> {
    pattern.iter().copied().cycle().take(len).collect()
}

/// Records, one after the other, until there are enough bytes.
fn records(random: &mut Random, len: usize, one: impl Fn(&mut Random) -> Vec<u8>) -> Vec<u8> {
    let mut out = Vec::new();
    while out.len() < len {
        out.extend(one(random));
    }
    out
}

/// A record of a size, with a prefix that says how long it is.
fn prefixed(random: &mut Random, most: usize, text: bool, prefix: impl Fn(usize) -> Vec<u8>) -> Vec<u8> {
    let len = random.between(1, most);
    let body = if text { random.words(len).into_bytes() } else { random.bytes(len) };
    [prefix(len), body].concat()
}

fn varint(mut value: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

fn lines(random: &mut Random, len: usize, heads: &[&str]) -> Vec<u8> {
    records(random, len, |random| {
        let words = random.between(5, 60);
        format!("{} {}\r\n", random.pick(heads), random.words(words)).into_bytes()
    })
}

pub const TONGUES: &[Tongue] = &[
    ("random", |random, len| random.bytes(len)),
    ("zeros", |_, len| vec![0; len]),
    ("ones", |_, len| vec![0xff; len]),
    ("all 0x81", |_, len| vec![0x81; len]),
    ("all 0x82", |_, len| vec![0x82; len]),
    ("all one byte", |random, len| vec![random.byte(); len]),
    ("0x82 0x00", |_, len| repeat(&[0x82, 0], len)),
    ("0x81 0x00", |_, len| repeat(&[0x81, 0], len)),
    ("0x89 0x80 and zeros", |_, len| repeat(&[0x89, 0x80, 0, 0, 0, 0], len)),
    ("a short pattern", |random, len| {
        let size = random.between(2, 24);
        let pattern = random.bytes(size);
        repeat(&pattern, len)
    }),
    ("a pattern like a header", |random, len| {
        let size = random.between(0, 40);
        let body = random.bytes(size);
        let masked = if random.one_in(2) { 0x80 } else { 0 };
        repeat(&[&[0x82, masked | size as u8][..], &body].concat(), len)
    }),
    ("bytes counted up", |_, len| (0..len).map(|at| at as u8).collect()),
    ("16-bit numbers counted up", |random, len| {
        let start = random.next() as u16;
        (0..len / 2).flat_map(|at| start.wrapping_add(at as u16).to_be_bytes()).collect()
    }),
    ("32-bit numbers counted up", |random, len| {
        let start = random.below(100_000) as u32;
        (0..len / 4).flat_map(|at| (start + at as u32).to_le_bytes()).collect()
    }),
    ("64-bit numbers counted up", |random, len| {
        let start = random.below(1000) as u64;
        (0..len / 8).flat_map(|at| (start + at as u64).to_be_bytes()).collect()
    }),
    ("small numbers", |random, len| records(random, len, |random| (random.below(300) as u32).to_be_bytes().to_vec())),
    ("floats", |random, len| {
        records(random, len, |random| (random.below(1_000_000) as f64 / 100.0).to_le_bytes().to_vec())
    }),
    ("sound", |random, len| {
        let mut level = 0_i16;
        (0..len / 2)
            .flat_map(|_| {
                level = level.wrapping_add(random.below(201) as i16 - 100);
                level.to_le_bytes()
            })
            .collect()
    }),
    ("mostly zeros", |random, len| (0..len).map(|_| if random.one_in(8) { random.byte() } else { 0 }).collect()),
    ("few different bytes", |random, len| {
        (0..len).map(|_| [0x81, 0x82, 0, 1, 2, 0x7e, 0x80, 0x88][random.below(8)]).collect()
    }),
    ("an HTTP body, text", |random, len| random.json(len).into_bytes()),
    ("an HTTP body, chunked", |random, len| {
        records(random, len, |random| {
            let size = random.between(10, 4000);
            [format!("{size:x}\r\n").into_bytes(), random.bytes(size), b"\r\n".to_vec()].concat()
        })
    }),
    ("HTML", |random, len| {
        records(random, len, |random| {
            let words = random.between(1, 80);
            format!("<{0} class=\"x\">{1}</{0}>\n", random.pick(&["p", "div", "td"]), random.words(words)).into_bytes()
        })
    }),
    ("base64", |random, len| {
        (0..len)
            .map(|_| b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[random.below(64)])
            .collect()
    }),
    ("JSON lines", |random, len| {
        records(random, len, |random| {
            let size = random.between(20, 300);
            (random.json(size) + "\n").into_bytes()
        })
    }),
    ("UTF-16", |random, len| random.words(len / 2).bytes().flat_map(|byte| [byte, 0]).collect()),
    ("TLS", |random, len| {
        records(random, len, |random| {
            prefixed(random, 4000, false, |len| [&[0x17, 3, 3][..], &(len as u16).to_be_bytes()].concat())
        })
    }),
    ("SSH", |random, len| {
        records(random, len, |random| {
            let size = random.between(2, 80) * 16 + 16;
            random.bytes(size)
        })
    }),
    ("SMTP", |random, len| lines(random, len, &["250", "250-SIZE", "RCPT TO:", "DATA", "354"])),
    ("IMAP", |random, len| lines(random, len, &["* 12 FETCH", "a001 OK", "a002 NOOP"])),
    ("IRC", |random, len| lines(random, len, &[":nick!user@host PRIVMSG #channel :", "PING :"])),
    ("PostgreSQL", |random, len| {
        records(random, len, |random| {
            let kind = *random.pick(&[b"D", b"T", b"C", b"Z", b"Q"]);
            let text = !random.one_in(4);
            prefixed(random, 300, text, |len| [&kind[..], &(len as u32 + 4).to_be_bytes()].concat())
        })
    }),
    ("MySQL", |random, len| {
        records(random, len, |random| {
            let number = random.byte();
            prefixed(random, 300, true, |len| [&(len as u32).to_le_bytes()[..3], &[number]].concat())
        })
    }),
    ("Redis", |random, len| {
        records(random, len, |random| {
            let text = random.one_in(2);
            [prefixed(random, 200, text, |len| format!("${len}\r\n").into_bytes()), b"\r\n".to_vec()].concat()
        })
    }),
    ("MQTT", |random, len| {
        records(random, len, |random| {
            let kind = *random.pick(&[&[0x30_u8], &[0x32], &[0x40], &[0xc0]]);
            prefixed(random, 200, true, |len| [&kind[..], &varint(len)].concat())
        })
    }),
    ("DNS", |random, len| {
        records(random, len, |random| {
            let id = random.next() as u16;
            prefixed(random, 200, false, |len| {
                [&(len as u16 + 4).to_be_bytes()[..], &id.to_be_bytes(), &[0x81, 0x80]].concat()
            })
        })
    }),
    ("a 16-bit length and bytes", |random, len| {
        records(random, len, |random| prefixed(random, 600, false, |len| (len as u16).to_be_bytes().to_vec()))
    }),
    ("a 32-bit length and text", |random, len| {
        records(random, len, |random| prefixed(random, 600, true, |len| (len as u32).to_be_bytes().to_vec()))
    }),
    ("an 8-bit length and bytes", |random, len| {
        records(random, len, |random| prefixed(random, 125, false, |len| vec![len as u8]))
    }),
    ("protobuf with varint lengths", |random, len| {
        records(random, len, |random| {
            prefixed(random, 300, true, |len| [varint(len + 2), vec![0x0a], varint(len)].concat())
        })
    }),
    ("gRPC", |random, len| {
        records(random, len, |random| {
            prefixed(random, 500, false, |len| {
                [&[0, 0, len as u8, 0, 1, 0, 0, 0, 1, 0][..], &(len as u32).to_be_bytes()].concat()
            })
        })
    }),
    ("MessagePack", |random, len| {
        records(random, len, |random| prefixed(random, 31, true, |len| vec![0x82, 0xa1, b'k', 0xa0 | len as u8]))
    }),
    ("CBOR", |random, len| {
        records(random, len, |random| prefixed(random, 23, true, |len| vec![0x82, 0x01, 0x60 | len as u8]))
    }),
    ("LDAP", |random, len| {
        records(random, len, |random| prefixed(random, 120, true, |len| vec![0x30, len as u8 + 2, 4, len as u8]))
    }),
    ("Kafka", |random, len| {
        records(random, len, |random| {
            prefixed(random, 400, false, |len| {
                [&(len as u32 + 8).to_be_bytes()[..], &[0, 1, 0, 7], &(len as u32).to_be_bytes()].concat()
            })
        })
    }),
    ("AMQP", |random, len| {
        records(random, len, |random| {
            let frame = prefixed(random, 300, true, |len| [&[3, 0, 1][..], &(len as u32).to_be_bytes()].concat());
            [frame, vec![0xce]].concat()
        })
    }),
    ("RTMP", |random, len| records(random, len, |random| prefixed(random, 128, false, |_| vec![0xc4]))),
    ("a tag 0x81, a length in 16 bits, bytes", |random, len| {
        records(random, len, |random| {
            prefixed(random, 300, false, |len| [&[0x81][..], &(len as u16).to_be_bytes()].concat())
        })
    }),
];

/// A connection in one of these tongues, both ways, joined in the middle.
pub fn stranger(number: usize, random: &mut Random) -> (&'static str, Vec<Raw>) {
    let (name, say) = TONGUES[number % TONGUES.len()];
    let ports = [80, 443, 8080, 22, 5432, 40_000];
    let (client, server) = (endpoint(1, 50_000 + random.below(1000) as u16), ports[random.below(ports.len())]);
    let mut talk = tcp(client, endpoint(2, server), random);
    let mss = [1460, 1460, 536, 8960][random.below(4)];
    let len = [500, 3_000, 12_000, 40_000][random.below(4)];
    let mut both = [say(random, len), say(random, len / 2)];
    while both.iter().any(|bytes| !bytes.is_empty()) {
        for (from, bytes) in [CLIENT, SERVER].into_iter().zip(&mut both) {
            let size = random.between(1, 3000).min(bytes.len());
            let piece: Vec<u8> = bytes.drain(..size).collect();
            if !piece.is_empty() {
                send(&mut talk, from, &piece, mss);
            }
        }
    }
    (name, packets(&talk))
}

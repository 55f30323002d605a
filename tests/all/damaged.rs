//! Every sample, TLS and HTTP/2 included, with packets lost, doubled and swapped: each message that is told to be complete is
//! one that was sent, and they come in the order in which they were sent.

use std::collections::BTreeMap;

use wslens::types::{Direction, Endpoint};

use super::losses::lab::packets::{Raw, read};
use super::losses::lab::random::Random;
use super::support::{samples, secrets};
use crate::common::record;

/// One direction of one WebSocket: the ends, the stream in HTTP/2, whether it is the client's.
type Way = (Endpoint, Endpoint, Option<u64>, bool);
type Said = BTreeMap<Way, Vec<(u8, Vec<u8>)>>;

/// The complete messages, as packets of any order are analysed.
fn said<'r>(raws: impl IntoIterator<Item = &'r Raw>, keys: &[u8]) -> Said {
    let packet = |(number, raw): (u64, &'r Raw)| {
        let mut packet = raw.packet();
        packet.seen.packet = number;
        packet
    };
    let recorder = record((1..).zip(raws).map(packet), keys);
    let mut said = Said::new();
    for message in recorder.messages.iter().filter(|message| message.complete && !message.opcode.is_control()) {
        let identity = &recorder.connections[&message.connection];
        let way = (identity.client, identity.server, identity.stream_id, message.direction == Direction::ToServer);
        said.entry(way).or_default().push((message.opcode.bits(), message.content.clone()));
    }
    said
}

/// Bursts of a packet or a few are missing, some packets come twice, some change places with the next.
fn damage<'r>(raws: &'r [Raw], random: &mut Random) -> Vec<&'r Raw> {
    let (mut left, mut missing) = (Vec::new(), 0);
    for raw in raws {
        if missing > 0 || random.one_in(60) {
            missing = if missing > 0 { missing - 1 } else { random.below(4) };
            continue;
        }
        left.extend(std::iter::repeat_n(raw, 1 + usize::from(random.one_in(30))));
    }
    for at in 1..left.len() {
        if random.one_in(20) {
            left.swap(at - 1, at);
        }
    }
    left
}

/// The first of `said` that was not sent, or not in this order.
fn never_sent<'s>(said: &'s [(u8, Vec<u8>)], sent: &[(u8, Vec<u8>)]) -> Option<&'s (u8, Vec<u8>)> {
    let mut sent = sent.iter();
    said.iter().find(|message| !sent.any(|sent| sent == *message))
}

#[test]
fn what_is_complete_was_sent() {
    let (mut all, mut told) = (0, 0);
    // In some, two packets have the same place of a stream and other bytes: which of them counts depends on what is lost.
    for sample in samples().iter().filter(|sample| !["oddities", "overlap"].contains(&sample.name.as_str())) {
        let (raws, keys) = (read(&sample.capture), secrets(&sample.capture));
        let sent = said(&raws, &keys);
        for seed in 0..6 {
            let damaged = said(damage(&raws, &mut Random::new(seed)), &keys);
            for (way, said) in &damaged {
                let wrong = never_sent(said, sent.get(way).map_or(&[], Vec::as_slice));
                assert!(wrong.is_none(), "{}, seed {seed}, {way:?}: {wrong:?}", sample.name);
            }
            let count = |said: &Said| said.values().map(Vec::len).sum::<usize>();
            (all, told) = (all + count(&sent), told + count(&damaged));
        }
    }
    assert!(told * 100 > all * 60, "{told} of {all} messages came through");
}

//! Captures that are not as they should be: one direction alone, packets slightly out of order, each packet twice, both legs
//! of a proxy in one file. What is told must be the same as of the whole.

use std::collections::BTreeMap;

use wslens::types::FindingCode;

use super::losses::lab::damage::Whole;
use super::losses::lab::packets::{Raw, by_connection, captures, read};
use super::losses::lab::random::Random;
use super::losses::lab::talk::{Kind, conversation, endpoint};
use super::losses::lab::watch::{Watch, Way, analyse};

/// Made and real connections.
fn wholes() -> Vec<(String, Whole)> {
    let mut wholes: Vec<(String, Whole)> = Kind::ALL
        .into_iter()
        .map(|kind| {
            let raws = conversation(kind, 50, (endpoint(1, 50_123), endpoint(2, 8080)), &mut Random::new(11));
            (format!("{kind:?}"), Whole::new(raws))
        })
        .collect();
    let names =
        ["ws-plain-basic", "ws-plain-fragmented", "pmd-default", "pmd-nocontext", "net-base", "mqtt-ws", "socketio"];
    for (name, path) in captures(&names) {
        wholes.extend(by_connection(&read(&path)).into_iter().map(|raws| (name.clone(), Whole::new(raws))));
    }
    wholes.retain(|(_, whole)| !whole.watch.frames.is_empty());
    wholes
}

/// Whether two analyses told the same frames and messages.
fn same(one: &Watch, other: &Watch) -> bool {
    one.frames == other.frames && one.messages == other.messages && one.broken == other.broken
}

#[test]
fn one_direction_alone_is_told_as_with_the_other() {
    for (name, whole) in wholes() {
        for way in whole.watch.ways() {
            let kept = |raw: &&Raw| raw.tcp.is_some_and(|tcp| tcp.src == way.src() && tcp.dst == way.dst());
            let alone = analyse(whole.raws.iter().filter(kept));
            let (all, told) = (whole.watch.frames(&way), alone.frames(&way));
            // One of the two heads is missing: the other says where frames begin.
            assert!(told == all, "{name} {way:?}: {} of {} {:?}", told.len(), all.len(), alone.findings);
            assert!(alone.messages(&way) == whole.watch.messages(&way), "{name} {way:?} {:?}", alone.findings);
            assert_eq!(alone.frames(&way.back()), [], "{name}");
        }
    }
}

#[test]
fn neighbours_in_the_wrong_order_change_nothing() {
    for (name, whole) in wholes() {
        for seed in 0..3 {
            let random = &mut Random::new(seed);
            let mut raws = whole.raws.clone();
            let mut at = 3;
            while at + 1 < raws.len() {
                // Of two directions, as where two interfaces are merged: data behind its acknowledgment, and the reverse.
                let ends = |raw: &Raw| raw.tcp.map(|tcp| tcp.src);
                if ends(&raws[at]) != ends(&raws[at + 1]) && random.one_in(3) {
                    raws.swap(at, at + 1);
                    at += 1;
                }
                at += 1;
            }
            let swapped = analyse(&raws);
            assert!(same(&swapped, &whole.watch), "{name}, seed {seed}: {:?}", swapped.findings);
            assert_eq!(swapped.count(FindingCode::TcpGap), whole.watch.count(FindingCode::TcpGap), "{name}");
        }
    }
}

#[test]
fn each_packet_twice_is_the_same() {
    for (name, whole) in wholes() {
        let at_once = whole.raws.iter().flat_map(|raw| [raw, raw]);
        assert!(same(&analyse(at_once), &whole.watch), "{name}, at once");
        // The copy of each packet comes a packet later.
        let mut later = Vec::new();
        for pair in whole.raws.windows(2) {
            later.extend([&pair[1], &pair[0]]);
        }
        let first = whole.raws.first().into_iter();
        let told = analyse(first.chain(later).chain(whole.raws.last()));
        assert!(same(&told, &whole.watch), "{name}, later: {:?}", told.findings);
    }
}

#[test]
fn both_legs_of_a_proxy_say_the_same() {
    for (name, path) in captures(&["proxy-nginx", "proxy-connect-ws"]) {
        let watch = analyse(&read(&path));
        let mut legs: BTreeMap<Vec<(bool, u8, Vec<u8>)>, u32> = BTreeMap::new();
        let ends: Vec<_> = watch.opened.keys().copied().collect();
        for (client, server) in ends {
            let said = [true, false].into_iter().flat_map(|to_server| {
                let way = Way { client, server, to_server };
                let messages = watch.messages(&way).to_vec();
                messages.into_iter().map(move |message| (to_server, message.opcode, message.content))
            });
            *legs.entry(said.collect()).or_default() += 1;
        }
        assert!(!legs.is_empty() && legs.values().all(|count| count % 2 == 0), "{name}: {:?}", legs.values());
    }
}

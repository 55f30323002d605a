//! Segments are lost, beginnings are missing, strangers pass by: what is told must be so, and most of the rest is found
//! again. `cargo run --release --example losses` does the same with the large numbers.

pub(crate) mod lab;

use lab::adopt::{self, Keep};
use lab::damage::{Tally, Whole};
use lab::packets::{by_connection, captures, read};
use lab::random::Random;
use lab::strangers::stranger;
use lab::talk::{Kind, conversation, endpoint};
use lab::watch::{analyse, analyse_as};
use wslens::analyzer::Options;

use crate::common::recorder::everything;

/// Real traffic with frames enough to lose some.
const REAL: &[&str] = &[
    "ws-plain-basic",
    "ws-plain-fragmented",
    "net-base",
    "pmd-default",
    "pmd-nocontext",
    "pmd-windowbits",
    "mqtt-ws",
    "socketio",
    "graphql-ws",
    "chromium-ws",
    "veth-offload",
];

fn real() -> Vec<(String, Vec<Whole>)> {
    captures(REAL)
        .into_iter()
        .map(|(name, path)| {
            let wholes = by_connection(&read(&path)).into_iter().map(Whole::new);
            (name, wholes.filter(|whole| !whole.watch.frames.is_empty()).collect())
        })
        .collect()
}

fn made(kind: Kind, messages: usize, seed: u64) -> Whole {
    let random = &mut Random::new(seed);
    Whole::new(conversation(kind, messages, (endpoint(1, 50_123), endpoint(2, 8080)), random))
}

#[test]
fn losses_in_made_traffic_are_mended_and_nothing_is_invented() {
    let mut all = Tally::default();
    for kind in Kind::ALL {
        let mut tally = Tally::default();
        for seed in 0..3 {
            let whole = made(kind, 60, seed);
            let random = &mut Random::new(seed + 1000);
            for _ in 0..5 {
                tally.add(&whole.cut(random).unwrap());
            }
            let holes = whole.riddle(12, random);
            assert!(holes.is_honest(), "{kind:?} {holes} {:#?}", holes.complaints);
        }
        println!("{kind:?}: {tally}");
        assert!(tally.is_honest(), "{kind:?} {tally} {:#?}", tally.complaints);
        all.add(&tally);
    }
    println!("all: {all}");
    assert!(all.lost > 20 && all.mended * 100 >= all.lost * 95, "{all} {:#?}", all.complaints);
}

#[test]
fn losses_in_real_traffic_are_mended_and_nothing_is_invented() {
    let mut all = Tally::default();
    for (name, wholes) in real() {
        let mut tally = Tally::default();
        for (seed, whole) in wholes.iter().enumerate().take(3) {
            let random = &mut Random::new(seed as u64);
            for _ in 0..6 {
                tally.add(&whole.cut(random).unwrap_or_default());
            }
        }
        println!("{name}: {tally}");
        assert!(tally.is_honest(), "{name} {tally} {:#?}", tally.complaints);
        all.add(&tally);
    }
    println!("all: {all}");
    assert!(all.mended * 100 >= all.lost * 90, "{all} {:#?}", all.complaints);
}

#[test]
fn connections_without_their_beginning_are_adopted() {
    let mut tally = adopt::Tally::default();
    let mut wholes: Vec<Whole> = Kind::ALL.into_iter().map(|kind| made(kind, 80, 7)).collect();
    wholes.extend(real().into_iter().flat_map(|(_, wholes)| wholes.into_iter().take(2)));
    for (seed, whole) in wholes.iter().enumerate() {
        let random = &mut Random::new(seed as u64);
        for keep in [Keep::Both, Keep::ToServer, Keep::ToClient] {
            tally.add(&adopt::cut(whole, keep, random).unwrap_or_default());
        }
    }
    println!("{tally}");
    assert!(tally.is_honest(), "{tally} {:#?}", tally.complaints);
    assert!(tally.adopted * 100 >= tally.ample * 90, "{tally} {:#?}", tally.complaints);
}

#[test]
fn roles_are_those_of_the_masks_whatever_the_ports() {
    for (client, server) in [(443, 50_000), (50_000, 443), (8080, 8080), (1, 2), (2, 1)] {
        let random = &mut Random::new(5);
        let ends = (endpoint(9, client), endpoint(3, server));
        let whole = Whole::new(conversation(Kind::SmallText, 60, ends, random));
        for keep in [Keep::Both, Keep::ToServer, Keep::ToClient] {
            let tally = adopt::cut(&whole, keep, &mut Random::new(1)).unwrap();
            assert!(tally.adopted == 1 && tally.is_honest(), "{ends:?} {keep:?} {tally} {:#?}", tally.complaints);
        }
    }
}

#[test]
fn strangers_are_not_adopted() {
    let random = &mut Random::new(77);
    for number in 0..150 {
        let (name, raws) = stranger(number, random);
        let watch = analyse(&raws);
        assert!(watch.opened.is_empty(), "{number}: {name} was taken for a WebSocket: {:?}", watch.findings);
    }
}

#[test]
fn nothing_is_adopted_if_nobody_wants_it() {
    let whole = made(Kind::SmallText, 60, 3);
    let options = Options { mid_stream: false, ..everything() };
    for keep in [Keep::Both, Keep::ToServer, Keep::ToClient] {
        let (raws, _) = adopt::without_beginning(&whole, keep, &mut Random::new(2)).unwrap();
        assert!(!analyse(&raws).opened.is_empty(), "{keep:?}");
        assert!(analyse_as(&raws, &options).opened.is_empty(), "{keep:?}");
    }
}

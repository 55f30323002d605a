//! Reads what can be read only once, and deals its packets to all workers.
//!
//! In: an input. Out: the same packets for each worker, in hands of some hundred. There are [`HANDS`] of them: the dealer
//! waits for the worker that is behind.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::{Reading, Workers};
use crate::capture::{Input, Packets};

/// Hands there are. 4, each as large as a batch and a packet more: 1 MiB.
const HANDS: usize = 4;

/// What a worker is dealt.
pub(super) enum Deal {
    /// Packets.
    Hand(Arc<Hand>),
    /// There are no more.
    Over,
}

/// Packets for all workers.
pub(super) struct Hand {
    pub(super) packets: Packets,
    /// Where they go when all have played them.
    pub(super) spare: Sender<Packets>,
}

impl Hand {
    /// Lets go of a hand. The last one to do so, of all workers and the dealer, gives its room back.
    pub(super) fn give_back(hand: Arc<Self>) {
        if let Some(Self { packets, spare }) = Arc::into_inner(hand) {
            // A dealer that went away needs none.
            _ = spare.send(packets);
        }
    }
}

/// Deals all packets; how reading ended.
pub(super) fn deal(mut input: Input, size: Workers, workers: &[Sender<Deal>]) -> Reading {
    let (spare, back): (_, Receiver<Packets>) = channel();
    for _ in 0..HANDS {
        _ = spare.send(Packets::default());
    }
    let mut unreadable = None;
    let mut more = true;
    while more {
        // Both ends of this channel are here.
        let Ok(mut packets) = back.recv() else { break };
        packets.clear();
        while more && packets.held() < size.batch_bytes && (packets.len() as u64) < size.batch_packets {
            match input.next_packet() {
                Ok(Some(packet)) => packets.push(&packet),
                Ok(None) => more = false,
                Err(error) => (unreadable, more) = (Some(error), false),
            }
        }
        let hand = Arc::new(Hand { packets, spare: spare.clone() });
        for worker in workers {
            // A worker goes away only when all do.
            if worker.send(Deal::Hand(Arc::clone(&hand))).is_err() {
                return Reading::default();
            }
        }
        Hand::give_back(hand);
    }
    for worker in workers {
        _ = worker.send(Deal::Over);
    }
    Reading { warnings: input.take_warnings(), unreadable, ..Reading::default() }
}

//! Reads what can be read only once, and deals its packets to all workers.
//!
//! In: an input. Out: the same packets for each worker, in hands of some hundred. There are [`HANDS`] of them: the dealer
//! waits for the worker that is behind.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::Reading;
use crate::capture::{Input, Packets};

/// Hands there are. 4, of 256 KiB and a packet more: 1 MiB.
const HANDS: usize = 4;
/// Bytes of packets in one.
const HAND_BYTES: usize = 256 << 10;

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

/// Deals all packets; how reading ended.
pub(super) fn deal(mut input: Input, workers: &[Sender<Deal>]) -> Reading {
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
        while more && packets.held() < HAND_BYTES {
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
    }
    for worker in workers {
        _ = worker.send(Deal::Over);
    }
    Reading { warnings: input.take_warnings(), unreadable }
}

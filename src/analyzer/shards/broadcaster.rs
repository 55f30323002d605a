//! Reads what can be read only once, and deals its packets to all workers.
//!
//! In: an input. Out: the same packets for each worker, in batches of some hundred. There are [`PACKET_BATCHES`] of them: the broadcaster
//! waits for the worker that is behind.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::{Reading, Workers};
use crate::capture::{Input, Packets};

/// Hands there are. 4, each as large as a batch and a packet more: 1 MiB.
const PACKET_BATCHES: usize = 4;

/// What a worker is dealt.
pub(super) enum Broadcast {
    /// Packets.
    Packets(Arc<PacketBatch>),
    /// There are no more.
    Over,
}

/// Packets for all workers.
pub(super) struct PacketBatch {
    pub(super) packets: Packets,
    /// Where they go when all have played them.
    pub(super) spare: Sender<Packets>,
}

impl PacketBatch {
    /// Lets go of a batch. The last one to do so, of all workers and the broadcaster, gives its room back.
    pub(super) fn give_back(batch: Arc<Self>) {
        if let Some(Self { packets, spare }) = Arc::into_inner(batch) {
            // A broadcaster that went away needs none.
            _ = spare.send(packets);
        }
    }
}

/// Deals all packets; how reading ended.
pub(super) fn broadcast(mut input: Input, size: Workers, workers: &[Sender<Broadcast>]) -> Reading {
    let (spare, back): (_, Receiver<Packets>) = channel();
    for _ in 0..PACKET_BATCHES {
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
        let batch = Arc::new(PacketBatch { packets, spare: spare.clone() });
        for worker in workers {
            // A worker goes away only when all do.
            if worker.send(Broadcast::Packets(Arc::clone(&batch))).is_err() {
                return Reading::default();
            }
        }
        PacketBatch::give_back(batch);
    }
    for worker in workers {
        _ = worker.send(Broadcast::Over);
    }
    Reading { warnings: input.take_warnings(), unreadable, ..Reading::default() }
}

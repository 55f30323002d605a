//! Reads an input that can be read only once, and sends its packets to all workers.
//!
//! In: an input. Out: the same packets for each worker ([`BroadcastPackets`]), copied into batches of some hundred. There are
//! [`PACKET_BATCHES`] of them, so the broadcaster waits for the slowest worker.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::job::{InputProblems, Workers};
use crate::analyzer::run::{NextPacket, PacketSource};
use crate::capture::{CaptureError, Input, PacketBuffer};

/// Batches in use. Four, each at most `batch_bytes` and a packet more: 1 MiB.
const PACKET_BATCHES: usize = 4;

/// What a worker receives.
pub(super) enum Broadcast {
    /// Packets.
    Packets(Arc<PacketBatch>),
    /// There are no more.
    End,
}

/// Packets for all workers.
pub(super) struct PacketBatch {
    packets: PacketBuffer,
    /// Where they go when all workers are done with them.
    empty: Sender<PacketBuffer>,
}

impl PacketBatch {
    /// Releases a batch. The last of the workers and the broadcaster to do so sends it back for its next use.
    fn release(batch: Arc<Self>) {
        if let Some(Self { packets, empty }) = Arc::into_inner(batch) {
            // A broadcaster that has ended needs none.
            _ = empty.send(packets);
        }
    }
}

/// Sends all packets to all workers. Gives the problems with the input.
pub(super) fn broadcast(mut input: Input, size: Workers, workers: &[Sender<Broadcast>]) -> InputProblems {
    let (empty, returned): (_, Receiver<PacketBuffer>) = channel();
    for _ in 0..PACKET_BATCHES {
        _ = empty.send(PacketBuffer::default());
    }
    let mut end = None;
    while end.is_none() {
        // Both ends of this channel are here.
        let Ok(mut packets) = returned.recv() else { break };
        packets.clear();
        end = fill(&mut packets, &mut input, size);
        let batch = Arc::new(PacketBatch { packets, empty: empty.clone() });
        for worker in workers {
            // A worker ends early only when the run does.
            if worker.send(Broadcast::Packets(Arc::clone(&batch))).is_err() {
                return InputProblems::default();
            }
        }
        PacketBatch::release(batch);
    }
    for worker in workers {
        _ = worker.send(Broadcast::End);
    }
    let unreadable = end.and_then(Result::err);
    InputProblems { warnings: input.take_warnings(), unreadable, ..InputProblems::default() }
}

/// Copies packets until there are enough for a batch, or the input ends. Says how it ended.
fn fill(packets: &mut PacketBuffer, input: &mut Input, size: Workers) -> Option<Result<(), CaptureError>> {
    while packets.held() < size.batch_bytes && (packets.len() as u64) < size.batch_packets {
        match input.next_packet() {
            Ok(Some(packet)) => packets.push(&packet),
            Ok(None) => return Some(Ok(())),
            Err(error) => return Some(Err(error)),
        }
    }
    None
}

/// A worker's end of the broadcast.
pub(super) struct BroadcastPackets {
    batches: Receiver<Broadcast>,
    batch: Option<Arc<PacketBatch>>,
    /// The next packet of the batch.
    next: usize,
}

/// The broadcaster ended before the input did: the run is stopped.
#[derive(Debug)]
pub(super) struct BroadcastStopped;

impl BroadcastPackets {
    pub(super) const fn new(batches: Receiver<Broadcast>) -> Self {
        Self { batches, batch: None, next: 0 }
    }
}

impl PacketSource for BroadcastPackets {
    type Error = BroadcastStopped;

    /// The next packet; after each batch, [`NextPacket::Quiet`].
    #[inline]
    fn next_packet(&mut self) -> Result<NextPacket<'_>, BroadcastStopped> {
        if self.batch.is_none() {
            match self.batches.recv() {
                Ok(Broadcast::Packets(batch)) => (self.batch, self.next) = (Some(batch), 0),
                Ok(Broadcast::End) => return Ok(NextPacket::End),
                Err(_) => return Err(BroadcastStopped),
            }
        }
        if let Some(done) = self.batch.take_if(|batch| self.next >= batch.packets.len()) {
            PacketBatch::release(done);
            return Ok(NextPacket::Quiet);
        }
        let packet = self.batch.as_ref().and_then(|batch| batch.packets.get(self.next));
        self.next += 1;
        Ok(packet.map_or(NextPacket::Quiet, NextPacket::Packet))
    }
}

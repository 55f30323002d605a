//! One worker: all packets in, the events of its own connections out, in batches.

use core::ops::ControlFlow;
use std::sync::mpsc::Sender;

use super::batch::{OrderKey, ToMerger};
use super::broadcaster::BroadcastPackets;
use super::emitter::{Emitter, MergerGone};
use super::job::InputProblems;
use crate::analyzer::Analyzer;
use crate::analyzer::run::{Ended, Feed, Intake, PacketSource};
use crate::capture::Input;
use crate::event::Shard;
use crate::net::Segment;
use crate::tcp::flow_hash;
use crate::types::PacketRef;

/// Which connections are a worker's own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    /// The worker's number, from 0.
    pub(super) number: usize,
    /// How many workers there are.
    pub(super) count: usize,
}

impl<S: Shard> Intake<Emitter<S>> for Share {
    #[inline]
    fn begin(&self, emitter: &mut Emitter<S>, packet: PacketRef) {
        emitter.begin(packet.packet);
    }

    #[inline]
    fn takes(&self, segment: &Segment<'_>) -> bool {
        // The upper half of the hash, as a fraction of one, times the workers.
        let owner = (flow_hash(segment.src, segment.dst) >> 32).saturating_mul(self.count as u64) >> 32;
        owner == self.number as u64
    }

    #[inline]
    fn deliver(&self, emitter: &mut Emitter<S>) {
        emitter.deliver();
    }

    #[inline]
    fn delivered(&self, emitter: &mut Emitter<S>, connections: u64) {
        emitter.count_opened(connections);
    }
}

/// Where a worker's packets come from.
pub(super) enum WorkerSource {
    /// It reads them itself.
    Input(Box<Input>),
    /// The broadcaster sends them.
    Broadcast(BroadcastPackets),
}

/// A worker.
pub(super) struct Worker<S: Shard> {
    share: Share,
    analyzer: Analyzer,
    emitter: Emitter<S>,
}

impl<S: Shard> Worker<S> {
    pub(super) const fn new(share: Share, analyzer: Analyzer, emitter: Emitter<S>) -> Self {
        Self { share, analyzer, emitter }
    }

    /// Works to the end of the input, or of the merger, which needs no answer then.
    pub(super) fn run(mut self, source: WorkerSource) {
        _ = match source {
            WorkerSource::Input(input) => self.read(*input),
            WorkerSource::Broadcast(packets) => self.process(packets),
        };
    }

    fn read(&mut self, mut input: Input) -> Result<(), MergerGone> {
        let unreadable = self.work(&mut input)?;
        let warnings = input.take_warnings();
        self.finish(Some(InputProblems { warnings, unreadable, ..InputProblems::default() }))
    }

    fn process(&mut self, mut packets: BroadcastPackets) -> Result<(), MergerGone> {
        match self.work(&mut packets)? {
            None => self.finish(None),
            // The broadcaster ends early only when it or the merger died.
            Some(_) => Err(MergerGone),
        }
    }

    /// Takes all packets. Gives the error that ended the source, if one did.
    fn work<P: PacketSource>(&mut self, source: &mut P) -> Result<Option<P::Error>, MergerGone> {
        let feed = Feed { source, sink: &mut self.emitter, intake: &self.share };
        let ended = self.analyzer.run_share(feed, |pause| {
            // A worker that waits for packets has sent all it has: else a worker that is ahead might wait for this one, and
            // the broadcaster, for whose packets this one waits, for that one.
            let sent = if pause.quiet { pause.sink.flush() } else { pause.sink.end_packet() };
            sent.map_or_else(ControlFlow::Break, ControlFlow::Continue)
        })?;
        match ended {
            Ended::Complete => Ok(None),
            Ended::Failed(error) => Ok(Some(error)),
            Ended::Stopped(gone) => Err(gone),
        }
    }

    fn finish(&mut self, problems: Option<InputProblems>) -> Result<(), MergerGone> {
        self.emitter.begin(u64::MAX);
        self.analyzer.finish(&mut self.emitter)?;
        self.emitter.send(OrderKey::END)?;
        self.emitter.message(ToMerger::Finished(self.share.number, self.analyzer.totals(), problems))
    }
}

/// Informs the merger if its thread panics.
pub(super) struct PanicNotice<P> {
    pub(super) number: usize,
    pub(super) to_merger: Sender<ToMerger<P>>,
}

impl<P> Drop for PanicNotice<P> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            _ = self.to_merger.send(ToMerger::Panicked(self.number));
        }
    }
}

//! A sink that several workers feed: what each prepares of its events at the same time, put together in one place.
//!
//! Each worker has a [`Shard`] of the sink. It takes the events of the worker's own connections, and adds what is to be
//! done about them to a [`Batch`]. Batches travel to the thread that has the [`ParallelSink`]. That takes one item after the
//! other out of them, in the order of packets over all workers, each with the [`Numbers`] that only a view of all
//! connections can give. So work that needs one connection alone is done in the shard (formatting a row), and what depends
//! on other connections is left to the sink.
//!
//! Events that cannot be prepared in a shard are copied: [`Kept`] is a batch of copies.

use std::collections::VecDeque;

use super::{Event, Owned, Sink};

/// A worker's part of a sink.
pub trait Shard: Send + 'static {
    /// What it makes.
    type Batch: Batch;

    /// Takes one event, and adds at most one item to `batch`. Returns whether it added one. The connection's `number` and
    /// `tcp_stream` are the worker's own: they distinguish its connections, and must not be written.
    fn event(&mut self, event: &Event<'_>, batch: &mut Self::Batch) -> bool;
}

/// What a shard makes: items to be taken one after the other.
pub trait Batch: Default + Send + 'static {
    /// Bytes that it keeps, about: a worker hands it on when there are enough. Asked for every event.
    fn held(&self) -> usize;

    /// Empties it for its next use, and frees what an unusually large one took. All its items were taken.
    fn clear(&mut self);
}

/// A connection's numbers over the whole input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers {
    /// [`Identity::number`](super::Identity::number).
    pub connection: u64,
    /// [`Identity::tcp_stream`](super::Identity::tcp_stream).
    pub tcp_stream: Option<u64>,
}

/// A sink that can be fed by shards: the batches that its shards make of some events have the same effect on it as the
/// events themselves.
pub trait ParallelSink: Sink {
    /// What workers have of it.
    type Shard: Shard;

    /// A shard for one more worker.
    fn shard(&self) -> Self::Shard;

    /// Takes the next item of `batch`; it is about the connection of these `numbers`. Items are taken in the order in which
    /// they were added.
    ///
    /// # Errors
    /// Whatever stops the sink.
    fn take(&mut self, batch: &mut <Self::Shard as Shard>::Batch, numbers: Numbers) -> Result<(), Self::Error>;
}

/// Copies of events, in order.
#[derive(Debug, Default)]
pub struct Kept {
    events: VecDeque<Owned>,
    bytes: usize,
}

impl Kept {
    /// Adds one.
    pub fn keep(&mut self, event: Owned) {
        self.bytes = self.bytes.saturating_add(event.held());
        self.events.push_back(event);
    }

    /// Takes the next one out, with the connection's numbers over the whole input; `None` where there is none.
    pub fn next(&mut self, numbers: Numbers) -> Option<Owned> {
        let mut event = self.events.pop_front()?;
        event.connection.number = numbers.connection;
        event.connection.tcp_stream = numbers.tcp_stream;
        Some(event)
    }

    /// Gives `sink` the next one; does nothing where there is none.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn replay<S: Sink>(&mut self, numbers: Numbers, sink: &mut S) -> Result<(), S::Error> {
        self.next(numbers).map_or(Ok(()), |event| event.lend(|event| sink.event(event)))
    }
}

/// Copies for which a batch keeps room after an unusually large one.
const USUAL_EVENTS: usize = 1024;

impl Batch for Kept {
    fn held(&self) -> usize {
        self.bytes
    }

    fn clear(&mut self) {
        self.events.clear();
        self.events.shrink_to(USUAL_EVENTS);
        self.bytes = 0;
    }
}

//! A sink in parts: what several workers make of their events at the same time, put together by one.
//!
//! Each worker has a [`Shard`] of the sink, hears the events of its own connections, and adds what is to be done about them
//! to a [`Batch`]. Pieces travel to where the [`ParallelSink`] is. It takes one thing after the other out of them, in the order
//! of packets over all workers, each with the [`Numbers`] that only whoever sees all connections can give. So work goes to
//! the part where it can (formatting a row), and what depends on other connections is left to the whole.
//!
//! What cannot be divided is kept as it is: [`Keep`] copies the events that are wanted, and [`Kept`] tells them again.

use std::collections::VecDeque;

use super::{Event, Owned, Sink};

/// What a worker has of a sink.
pub trait Shard: Send + 'static {
    /// What it makes.
    type Batch: Batch;

    /// Hears one event, and adds at most one thing to `batch`. Answers whether it did. The connection's `number` and
    /// `tcp_stream` are the worker's own: they tell its connections apart, and are not to be shown.
    fn event(&mut self, event: &Event<'_>, batch: &mut Self::Batch) -> bool;
}

/// What parts make: things to be done, one after the other.
pub trait Batch: Default + Send + 'static {
    /// Bytes that it keeps, about: whoever fills it hands it on when these are enough. Asked for every event.
    fn held(&self) -> usize;

    /// All things in it were taken: makes it as good as new, and gives back what an unusual one took.
    fn clear(&mut self);
}

/// A connection's numbers over the whole input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers {
    /// [`Identity::number`](super::Identity::number).
    pub connection: u64,
    /// [`Identity::tcp_stream`](super::Identity::tcp_stream).
    pub tcp_stream: u64,
}

/// A sink that can be had in parts. Told events, or given the pieces that its parts made of the same events, it does the
/// same.
pub trait ParallelSink: Sink {
    /// What workers have of it.
    type Shard: Shard;

    /// One more part.
    fn shard(&self) -> Self::Shard;

    /// Does what the next thing in `batch` asks for; it is about the connection of these `numbers`. Things are taken in the
    /// order in which they were added.
    ///
    /// # Errors
    /// Whatever stops the sink.
    fn take(&mut self, batch: &mut <Self::Shard as Shard>::Batch, numbers: Numbers) -> Result<(), Self::Error>;
}

/// A part that keeps events, for sinks that need all of them in one place.
pub struct Keep {
    wants: Box<dyn Fn(&Event<'_>) -> bool + Send>,
    max_bytes: usize,
}

impl Keep {
    /// Keeps those events that `wants` says, each with at most `max_bytes` of a frame's payload or a message's content.
    pub fn new(wants: impl Fn(&Event<'_>) -> bool + Send + 'static, max_bytes: usize) -> Self {
        Self { wants: Box::new(wants), max_bytes }
    }
}

impl core::fmt::Debug for Keep {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Keep").field("max_bytes", &self.max_bytes).finish_non_exhaustive()
    }
}

impl Shard for Keep {
    type Batch = Kept;

    fn event(&mut self, event: &Event<'_>, batch: &mut Kept) -> bool {
        let wanted = (self.wants)(event);
        if wanted {
            batch.keep(Owned::copy(event, self.max_bytes));
        }
        wanted
    }
}

/// Events that were kept, in order.
#[derive(Debug, Default)]
pub struct Kept {
    events: VecDeque<Owned>,
    bytes: usize,
}

impl Kept {
    /// Keeps one more.
    pub fn keep(&mut self, event: Owned) {
        self.bytes = self.bytes.saturating_add(event.held());
        self.events.push_back(event);
    }

    /// Tells `sink` the next one, with those numbers; nothing, where there is none.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn tell<S: Sink>(&mut self, numbers: Numbers, sink: &mut S) -> Result<(), S::Error> {
        let Some(mut event) = self.events.pop_front() else { return Ok(()) };
        event.connection.number = numbers.connection;
        event.connection.tcp_stream = numbers.tcp_stream;
        event.lend(|event| sink.event(event))
    }
}

impl Batch for Kept {
    fn held(&self) -> usize {
        self.bytes
    }

    fn clear(&mut self) {
        self.events.clear();
        self.events.shrink_to(1024);
        self.bytes = 0;
    }
}

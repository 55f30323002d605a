//! What an output does in each worker, whatever it is: [`Shard`] and [`Batch`] without their types.

use core::any::Any;

use crate::event::{Batch, Event, Shard};

/// A [`Shard`] of one output in a list. Every `Shard` is one.
pub trait OutputShard: Send {
    /// Takes one event, and adds at most one item to `batch`, which it makes when there is none yet. Returns whether it
    /// added one.
    fn event(&mut self, event: &Event<'_>, batch: &mut Option<Box<dyn OutputBatch>>) -> bool;
}

impl<S: Shard> OutputShard for S {
    fn event(&mut self, event: &Event<'_>, batch: &mut Option<Box<dyn OutputBatch>>) -> bool {
        let batch = batch.get_or_insert_with(|| Box::new(S::Batch::default()));
        let batch: &mut dyn Any = &mut **batch;
        batch.downcast_mut().is_some_and(|batch| Shard::event(self, event, batch))
    }
}

/// What an [`OutputShard`] makes. Every [`Batch`] is one.
pub trait OutputBatch: Any + Send {
    /// Bytes that it keeps, about.
    fn held(&self) -> usize;

    /// Empties it for its next use.
    fn clear(&mut self);
}

impl<B: Batch> OutputBatch for B {
    fn held(&self) -> usize {
        Batch::held(self)
    }

    fn clear(&mut self) {
        Batch::clear(self);
    }
}

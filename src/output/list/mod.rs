//! The outputs of a run, in a list: each takes the events that it wants, and all of them are one sink.
//!
//! In: [`Event`](crate::event::Event)s, and the [`Totals`](crate::event::Totals) at the end. Out: calls of each [`Output`].
//! The list answers for all of them what the analysis asks: how much content to keep ([`Outputs::demand`]) and how much
//! memory they take ([`Outputs::cost`]). It does not open files; that is for the command.
//!
//! With several workers (`--threads`) an output is in one of two groups. Most get copies of the events they want, which the
//! workers make once for all of them. Those whose work is worth dividing have an [`OutputShard`] in each worker.

// What an output is asked, and what it answers.
mod output;
mod selection;
mod wants;
mod worker;
// All of them.
mod outputs;
mod parallel;

pub use output::Output;
pub use outputs::Outputs;
pub use parallel::{OutputsBatch, OutputsShard};
pub use selection::Selection;
pub use wants::{EventKinds, Wants};
pub use worker::{OutputBatch, OutputShard};

#[cfg(test)]
mod tests;

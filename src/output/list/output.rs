//! The trait of everything that writes what the analysis finds.

use core::any::Any;
use std::io;

use super::{OutputShard, Wants};
use crate::event::{Event, Numbers, Totals};
use crate::types::{Direction, PacketRef};

/// One output of a run: a report, a table, an exporter.
///
/// It is added to a list of [`Outputs`](super::Outputs), which calls it. What it writes goes to anything that implements
/// [`io::Write`]; an error is only that of writing. `examples/exporter.rs` is a complete one.
///
/// It has to write complete rows or lines at a time, so that what has arrived when a run is cut off can be read.
pub trait Output {
    /// The events that it takes, and how much content these have to carry. Asked once, when it is added to the list.
    fn wants(&self) -> Wants;

    /// Bytes of memory that it may keep, apart from a few fixed buffers. The analysis gets so much less of `--max-memory`.
    fn cost(&self) -> usize {
        0
    }

    /// Takes an event that it wants. Nothing in it outlives the call.
    ///
    /// # Errors
    /// What writing fails with; the run ends with it.
    fn event(&mut self, event: &Event<'_>) -> io::Result<()>;

    /// Takes a packet that carried bytes of a connection: called where it wants [`EventKinds::PACKET`](super::EventKinds),
    /// in place of [`Self::event`], in the same order whatever the number of workers. A packet that carried bytes of several
    /// connections comes once for each. Packets that came before the connection was known to be a WebSocket come when it is.
    ///
    /// # Errors
    /// What writing fails with; the run ends with it.
    fn packet(&mut self, _packet: PacketRef, _direction: Option<Direction>, _connection: Numbers) -> io::Result<()> {
        Ok(())
    }

    /// The input is over: writes what is left. Called once; no event follows.
    ///
    /// # Errors
    /// What writing fails with.
    fn finish(&mut self, totals: &Totals) -> io::Result<()>;

    /// Hands on what can be written now, for a user who watches a live capture.
    ///
    /// # Errors
    /// What writing fails with.
    fn flush(&mut self) -> io::Result<()>;

    /// The run ends before its input does, by a signal or an error: writes the rows that there are, and nothing that would
    /// stand for the complete input, such as a summary. Called in place of [`Self::finish`].
    ///
    /// # Errors
    /// What writing fails with.
    fn abandon(&mut self) -> io::Result<()> {
        self.flush()
    }

    /// The part of it that runs in a worker, one for each. Without it (`None`) workers copy the events that it wants, and
    /// [`Self::event`] takes them in order: right for events that are rare. An output that takes every frame or message
    /// does better to prepare its rows here, into a [`Batch`](crate::event::Batch). Not used for an output that selects a
    /// connection by its number, which workers do not know.
    fn shard(&self) -> Option<Box<dyn OutputShard>> {
        None
    }

    /// Takes the next item of a batch that one of its shards filled, about the connection of these numbers.
    ///
    /// # Errors
    /// What writing fails with; the run ends with it.
    fn take(&mut self, _batch: &mut dyn Any, _numbers: Numbers) -> io::Result<()> {
        Ok(())
    }
}

impl<O: Output + ?Sized> Output for &mut O {
    fn wants(&self) -> Wants {
        (**self).wants()
    }

    fn cost(&self) -> usize {
        (**self).cost()
    }

    fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        (**self).event(event)
    }

    fn packet(&mut self, packet: PacketRef, direction: Option<Direction>, connection: Numbers) -> io::Result<()> {
        (**self).packet(packet, direction, connection)
    }

    fn finish(&mut self, totals: &Totals) -> io::Result<()> {
        (**self).finish(totals)
    }

    fn flush(&mut self) -> io::Result<()> {
        (**self).flush()
    }

    fn abandon(&mut self) -> io::Result<()> {
        (**self).abandon()
    }

    fn shard(&self) -> Option<Box<dyn OutputShard>> {
        (**self).shard()
    }

    fn take(&mut self, batch: &mut dyn Any, numbers: Numbers) -> io::Result<()> {
        (**self).take(batch, numbers)
    }
}

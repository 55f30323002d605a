//! All outputs of a run, as one sink.

use std::io;

use super::{Output, Wants};
use crate::analyzer::Demand;
use crate::event::{Event, Identity, Numbers, Sink, Totals, What};

/// The outputs of a run: one sink for the analysis.
///
/// ```
/// use wslens::analyzer::{Analyzer, Options};
/// use wslens::capture::Input;
/// use wslens::output::{Context, JsonReport, Outputs};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut json = Vec::new();
/// let mut outputs = Outputs::new();
/// outputs.add(JsonReport::new(&mut json, Context::default()));
///
/// let mut input = Input::open(&["samples/first-look/capture.pcap"])?;
/// let mut analyzer = Analyzer::new(&Options { demand: outputs.demand(), ..Options::default() });
/// while let Some(packet) = input.next_packet()? {
///     analyzer.packet(&packet, &mut outputs)?;
/// }
/// analyzer.finish(&mut outputs)?;
/// outputs.finish(&analyzer.totals())?;
/// # drop(outputs);
/// # assert!(json.ends_with(b"}\n"));
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct Outputs<'o> {
    pub(super) list: Vec<Entry<'o>>,
}

/// One of them, and what it wants.
pub(super) struct Entry<'o> {
    pub(super) wants: Wants,
    pub(super) output: Box<dyn Output + 'o>,
}

impl Entry<'_> {
    /// Gives it an event that it wants.
    #[inline]
    pub(super) fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        if matches!(event.what, What::Packet) {
            let Identity { number, tcp_stream, .. } = *event.connection;
            return self.output.packet(event.seen, event.direction, Numbers { connection: number, tcp_stream });
        }
        self.output.event(event)
    }
}

impl<'o> Outputs<'o> {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { list: Vec::new() }
    }

    /// Adds one: it gets each event after those that were added before it.
    pub fn add(&mut self, output: impl Output + 'o) {
        self.push(Box::new(output));
    }

    /// The same of one whose type is not known.
    pub fn push(&mut self, output: Box<dyn Output + 'o>) {
        self.list.push(Entry { wants: output.wants(), output });
    }

    /// The content that the analysis has to keep for them.
    #[must_use]
    pub fn demand(&self) -> Demand {
        let demands = self.list.iter().map(|entry| entry.wants.demand());
        demands.fold(Demand::default(), |all, one| Demand {
            content_bytes: all.content_bytes.max(one.content_bytes),
            frame_bytes: all.frame_bytes.max(one.frame_bytes),
            packets: all.packets || one.packets,
        })
    }

    /// Bytes of memory that they may keep, together.
    #[must_use]
    pub fn cost(&self) -> usize {
        self.list.iter().fold(0, |all, entry| all.saturating_add(entry.output.cost()))
    }

    /// The input is over: every output writes what is left, also after one of them failed.
    ///
    /// # Errors
    /// The first error of writing.
    pub fn finish(&mut self, totals: &Totals) -> io::Result<()> {
        self.each(|output| output.finish(totals))
    }

    /// Every output hands on what can be written now, also after one of them failed.
    ///
    /// # Errors
    /// The first error of writing.
    pub fn flush(&mut self) -> io::Result<()> {
        self.each(|output| output.flush())
    }

    /// The run ends before its input does: every output writes the rows that there are, as well as it can. Errors of
    /// writing are dropped, since the run has an error to report already.
    pub fn abandon(&mut self) {
        drop(self.each(|output| output.abandon()));
    }

    /// Does the same with every output; the first error.
    fn each(&mut self, mut act: impl FnMut(&mut dyn Output) -> io::Result<()>) -> io::Result<()> {
        let mut first = Ok(());
        for entry in &mut self.list {
            let result = act(&mut *entry.output);
            first = first.and(result);
        }
        first
    }
}

impl core::fmt::Debug for Outputs<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.list.iter().map(|entry| &entry.wants)).finish()
    }
}

impl Sink for Outputs<'_> {
    type Error = io::Error;

    #[inline]
    fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        self.list.iter_mut().filter(|entry| entry.wants.takes(event)).try_for_each(|entry| entry.event(event))
    }
}

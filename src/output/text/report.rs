//! The text report as an output.

use std::io::{self, Write};

use super::{Overview, Style, render_connection, render_summary};
use crate::event::{Event, Totals, What};
use crate::output::list::{EventKinds, Output, Wants};
use crate::output::redact::Secrets;
use crate::output::spool::Spool;

/// Bytes of reports that wait in memory by default ([`Limits::max_report_bytes`](crate::types::Limits::max_report_bytes));
/// further ones wait on disk.
pub(super) const SPOOL_BYTES: usize = 8 << 20;

/// When a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// The summary first, then all connections by number: for files.
    #[default]
    SummaryFirst,
    /// Each connection as it ends, the summary last: for live captures.
    AsTheyEnd,
}

/// Writes reports for people.
#[derive(Debug)]
pub struct TextReport<W: Write> {
    to: W,
    order: Order,
    secrets: Secrets,
    style: Style,
    overview: Overview,
    /// Reports of connections, by number.
    reports: Spool,
    max_report_bytes: usize,
}

fn spool(bytes: usize) -> Spool {
    Spool::new(bytes, "reports wait for their summary")
}

impl<W: Write> TextReport<W> {
    /// Reports to `to`.
    pub fn new(to: W, order: Order, secrets: Secrets, style: Style) -> Self {
        let (overview, reports) = (Overview::default(), spool(SPOOL_BYTES));
        Self { to, order, secrets, style, overview, reports, max_report_bytes: SPOOL_BYTES }
    }

    /// Lets so many bytes of reports wait in memory, and further ones on disk. To be called before the first report.
    #[must_use]
    pub fn max_report_bytes(mut self, bytes: usize) -> Self {
        self.reports = spool(bytes);
        self.max_report_bytes = bytes;
        self
    }
}

impl<W: Write> Output for TextReport<W> {
    fn wants(&self) -> Wants {
        Wants::events(EventKinds::CLOSED)
    }

    /// Buffers grow by doubling.
    fn cost(&self) -> usize {
        self.max_report_bytes.saturating_mul(2)
    }

    fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        let What::Closed(summary) = event.what else { return Ok(()) };
        self.overview.add(event.connection, summary);
        let report = render_connection(event.connection, summary, self.secrets, self.style);
        match self.order {
            Order::SummaryFirst => self.reports.push(event.connection.number, report.as_bytes()),
            Order::AsTheyEnd => {
                self.to.write_all(report.as_bytes())?;
                self.to.flush()
            }
        }
    }

    fn finish(&mut self, totals: &Totals) -> io::Result<()> {
        self.to.write_all(render_summary(totals, &self.overview, self.style).as_bytes())?;
        self.reports.write_in_order(&mut self.to)?;
        self.to.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

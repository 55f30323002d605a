//! All outputs of one run, as one sink.

use std::io;

use anyhow::{Context as _, Result};
use wslens::event::{Batch, Event, Keep, Kept, Numbers, ParallelSink, Shard, Sink, Totals, What};
use wslens::output::{Follow, JsonReport, Order, Style, Tables, TablesBatch, TablesShard, TextReport};
use wslens::types::Severity;

use super::outlet::{Outlet, Outlets};
use super::plan::{Plan, Stdout};

/// Everything that is written.
pub(super) struct Outputs {
    report: Report,
    tables: Tables,
    has_tables: bool,
    worst: Option<Severity>,
}

/// What goes to standard output.
enum Report {
    Text(Box<TextReport<Outlet>>),
    Json(Box<JsonReport<Outlet>>),
    Follow(Box<Follow<Outlet>>),
    None,
}

impl Outputs {
    /// Opens them all; those of a `live` run tell each connection as it ends.
    ///
    /// # Errors
    /// A file that cannot be made.
    pub(super) fn open(plan: &Plan, live: bool) -> Result<Self> {
        let outlets = Outlets::new(live);
        let mut tables = Tables::new(plan.context.clone()).max_row_bytes(plan.shares.rows);
        for (name, format, path) in &plan.tables {
            let outlet = outlets.open(path).with_context(|| format!("{}: cannot be written", path.display()))?;
            tables = tables.with(*name, *format, Box::new(outlet));
        }
        let style = Style { color: plan.color };
        let secrets = plan.context.secrets;
        let stdout = || outlets.stdout().context("standard output: cannot be written");
        let report = match &plan.stdout {
            Stdout::Text => {
                let order = if live { Order::AsTheyEnd } else { Order::SummaryFirst };
                let report = TextReport::new(stdout()?, order, secrets, style);
                Report::Text(Box::new(report.max_report_bytes(plan.shares.reports)))
            }
            Stdout::Json => Report::Json(Box::new(JsonReport::new(stdout()?, plan.context.clone()))),
            Stdout::Follow(only) => Report::Follow(Box::new(Follow::new(stdout()?, only.clone(), secrets, style))),
            Stdout::Table => Report::None,
        };
        Ok(Self { report, tables, has_tables: !plan.tables.is_empty(), worst: None })
    }

    /// The input is over: writes what is left, also after one output failed.
    ///
    /// # Errors
    /// What writing fails with, the first of it.
    pub(super) fn finish(&mut self, totals: &Totals) -> io::Result<()> {
        let tables = self.tables.finish();
        let report = match &mut self.report {
            Report::Text(report) => report.finish(totals),
            _ => self.flush_report(),
        };
        tables.and(report)
    }

    /// The run ends before its input does: hands on the rows there are. A report that begins with a summary is not written.
    pub(super) fn abandon(&mut self) {
        // There is an error to be told already.
        drop(self.tables.finish());
        drop(self.flush_report());
    }

    /// Hands on what there is, for somebody who watches a live capture.
    ///
    /// # Errors
    /// What writing fails with.
    #[cfg(feature = "live")]
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.tables.flush()?;
        self.flush_report()
    }

    fn flush_report(&mut self) -> io::Result<()> {
        match &mut self.report {
            Report::Json(report) => report.flush(),
            Report::Follow(report) => report.flush(),
            // Handed on one by one, or not before the end.
            Report::Text(_) | Report::None => Ok(()),
        }
    }

    /// The worst that was found.
    pub(super) const fn worst(&self) -> Option<Severity> {
        self.worst
    }
}

impl Sink for Outputs {
    type Error = io::Error;

    fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        if let What::Finding(finding) = event.what {
            self.worst = self.worst.max(Some(finding.code.severity()));
        }
        if self.has_tables {
            self.tables.event(event)?;
        }
        match &mut self.report {
            Report::Text(report) => report.event(event),
            Report::Json(report) => report.event(event),
            Report::Follow(report) => report.event(event),
            Report::None => Ok(()),
        }
    }
}

/// A worker's part of all outputs.
pub(super) struct OutputsShard {
    tables: Option<TablesShard>,
    report: Option<Keep>,
    worst: Option<Severity>,
}

/// What these make of events.
#[derive(Debug, Default)]
pub(super) struct OutputsBatch {
    tables: TablesBatch,
    report: Kept,
    /// Who made something of each event of which anything was made.
    made: Vec<Made>,
    /// Of these, how many were taken.
    taken: usize,
}

/// What was made of one event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Made {
    tables: bool,
    report: bool,
    /// A severity above all that its worker knew.
    worst: Option<Severity>,
}

impl Shard for OutputsShard {
    type Batch = OutputsBatch;

    fn event(&mut self, event: &Event<'_>, batch: &mut OutputsBatch) -> bool {
        let mut made = Made::default();
        if let What::Finding(finding) = event.what
            && self.worst < Some(finding.code.severity())
        {
            self.worst = Some(finding.code.severity());
            made.worst = self.worst;
        }
        made.tables = self.tables.as_mut().is_some_and(|tables| tables.event(event, &mut batch.tables));
        made.report = self.report.as_mut().is_some_and(|report| report.event(event, &mut batch.report));
        let any = made != Made::default();
        if any {
            batch.made.push(made);
        }
        any
    }
}

impl Batch for OutputsBatch {
    fn held(&self) -> usize {
        self.tables.held() + self.report.held() + self.made.len() * size_of::<Made>()
    }

    fn clear(&mut self) {
        self.tables.clear();
        self.report.clear();
        self.made.clear();
        self.taken = 0;
    }
}

impl ParallelSink for Outputs {
    type Shard = OutputsShard;

    fn shard(&self) -> OutputsShard {
        OutputsShard {
            tables: self.has_tables.then(|| self.tables.shard()),
            report: match &self.report {
                Report::Text(report) => Some(report.shard()),
                Report::Json(report) => Some(report.shard()),
                Report::Follow(report) => Some(report.shard()),
                Report::None => None,
            },
            worst: None,
        }
    }

    fn take(&mut self, batch: &mut OutputsBatch, numbers: Numbers) -> io::Result<()> {
        let made = batch.made.get(batch.taken).copied().unwrap_or_default();
        batch.taken += 1;
        self.worst = self.worst.max(made.worst);
        if made.tables {
            self.tables.take(&mut batch.tables, numbers)?;
        }
        if made.report {
            let batch = &mut batch.report;
            match &mut self.report {
                Report::Text(report) => report.take(batch, numbers)?,
                Report::Json(report) => report.take(batch, numbers)?,
                Report::Follow(report) => report.take(batch, numbers)?,
                Report::None => {}
            }
        }
        Ok(())
    }
}

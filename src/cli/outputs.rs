//! All outputs of one run, as one sink.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::{Context as _, Result};
use wslens::event::{Event, Keep, Kept, Numbers, Part, Piece, Sink, Totals, What, Whole};
use wslens::ground::Severity;
use wslens::output::{Follow, JsonReport, Order, Style, Tables, TablesPart, TablesPiece, TextReport};

use super::plan::{Plan, Stdout, is_dash};

/// Everything that is written.
pub(super) struct Outputs {
    report: Report,
    tables: Tables,
    has_tables: bool,
    worst: Option<Severity>,
}

/// What goes to standard output.
enum Report {
    Text(Box<TextReport<io::Stdout>>),
    Json(Box<JsonReport<BufWriter<io::Stdout>>>),
    Follow(Box<Follow<BufWriter<io::Stdout>>>),
    None,
}

impl Outputs {
    /// Opens them all; `live` hands on rows and lines as they come.
    ///
    /// # Errors
    /// A file that cannot be made.
    pub(super) fn open(plan: &Plan, live: bool) -> Result<Self> {
        let mut tables = Tables::new(plan.context.clone()).flush_rows(live);
        for (name, format, path) in &plan.tables {
            tables = tables.with(*name, *format, destination(path)?);
        }
        let style = Style { color: plan.color };
        let secrets = plan.context.secrets;
        let report = match &plan.stdout {
            Stdout::Text => {
                let order = if live { Order::AsTheyEnd } else { Order::SummaryFirst };
                Report::Text(Box::new(TextReport::new(io::stdout(), order, secrets, style)))
            }
            Stdout::Json => Report::Json(Box::new(JsonReport::new(BufWriter::new(io::stdout()), plan.context.clone()))),
            Stdout::Follow(only) => {
                let to = BufWriter::new(io::stdout());
                Report::Follow(Box::new(Follow::new(to, only.clone(), secrets, style).flush_lines(live)))
            }
            Stdout::Table => Report::None,
        };
        Ok(Self { report, tables, has_tables: !plan.tables.is_empty(), worst: None })
    }

    /// The input is over: writes what is left.
    ///
    /// # Errors
    /// What writing fails with.
    pub(super) fn finish(&mut self, totals: &Totals) -> io::Result<()> {
        self.tables.finish()?;
        match &mut self.report {
            Report::Text(report) => report.finish(totals),
            Report::Json(report) => report.finish(),
            Report::Follow(report) => report.finish(),
            Report::None => io::stdout().flush(),
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
pub(super) struct OutputsPart {
    tables: Option<TablesPart>,
    report: Option<Keep>,
    worst: Option<Severity>,
}

/// What these make of events.
#[derive(Debug, Default)]
pub(super) struct OutputsPiece {
    tables: TablesPiece,
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

impl Part for OutputsPart {
    type Piece = OutputsPiece;

    fn event(&mut self, event: &Event<'_>, piece: &mut OutputsPiece) -> bool {
        let mut made = Made::default();
        if let What::Finding(finding) = event.what
            && self.worst < Some(finding.code.severity())
        {
            self.worst = Some(finding.code.severity());
            made.worst = self.worst;
        }
        made.tables = self.tables.as_mut().is_some_and(|tables| tables.event(event, &mut piece.tables));
        made.report = self.report.as_mut().is_some_and(|report| report.event(event, &mut piece.report));
        let any = made != Made::default();
        if any {
            piece.made.push(made);
        }
        any
    }
}

impl Piece for OutputsPiece {
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

impl Whole for Outputs {
    type Part = OutputsPart;

    fn part(&self) -> OutputsPart {
        OutputsPart {
            tables: self.has_tables.then(|| self.tables.part()),
            report: match &self.report {
                Report::Text(report) => Some(report.part()),
                Report::Json(report) => Some(report.part()),
                Report::Follow(report) => Some(report.part()),
                Report::None => None,
            },
            worst: None,
        }
    }

    fn take(&mut self, piece: &mut OutputsPiece, numbers: Numbers) -> io::Result<()> {
        let made = piece.made.get(piece.taken).copied().unwrap_or_default();
        piece.taken += 1;
        self.worst = self.worst.max(made.worst);
        if made.tables {
            self.tables.take(&mut piece.tables, numbers)?;
        }
        if made.report {
            let piece = &mut piece.report;
            match &mut self.report {
                Report::Text(report) => report.take(piece, numbers)?,
                Report::Json(report) => report.take(piece, numbers)?,
                Report::Follow(report) => report.take(piece, numbers)?,
                Report::None => {}
            }
        }
        Ok(())
    }
}

/// Where a table goes.
fn destination(path: &Path) -> Result<Box<dyn Write + Send>> {
    if is_dash(path) {
        return Ok(Box::new(io::stdout()));
    }
    let file = File::create(path).with_context(|| format!("{}: cannot be written", path.display()))?;
    Ok(Box::new(Named { file, name: path.display().to_string() }))
}

/// A file that says its name when it cannot be written.
struct Named {
    file: File,
    name: String,
}

impl Named {
    fn told(&self, error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("{}: {error}", self.name))
    }
}

impl Write for Named {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes).map_err(|error| self.told(&error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush().map_err(|error| self.told(&error))
    }
}

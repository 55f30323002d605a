//! From the options as typed to a plan: defaults filled in, contradictions refused, nothing opened yet.

use core::num::NonZeroUsize;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use wslens::analyzer::Options;
use wslens::output::{Context, Format, Outputs, Payload, Secrets, Selection, TableName, TableOptions};
use wslens::types::{Limits, Severity, Shares};

use super::args::{ColorKind, CommonArgs, FormatKind, PayloadKind, ReportKind, SeverityKind, Switch};

/// What a run does.
pub(super) struct Plan {
    /// What goes to standard output.
    pub(super) stdout: Stdout,
    /// The tables, where they go and how they are written.
    pub(super) tables: Vec<(TableName, Format, PathBuf)>,
    /// What tables and reports show.
    pub(super) table_options: TableOptions,
    /// Parts of the memory, some of which are for outputs.
    pub(super) shares: Shares,
    /// How the analysis is done, but for what the outputs ask of it.
    options: Options,
    /// How many workers there are.
    pub(super) threads: NonZeroUsize,
    /// The severity that makes the exit status 1.
    pub(super) fail_on: Option<Severity>,
    /// Whether standard output gets colours.
    pub(super) color: bool,
}

/// What goes to standard output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stdout {
    /// Reports for people.
    Text,
    /// Reports for programs.
    Json,
    /// Conversations of these connections.
    Follow(Selection),
    /// One of the tables, or nothing.
    Table,
}

impl Plan {
    /// Reads the options.
    ///
    /// # Errors
    /// Options that contradict each other.
    pub(super) fn new(args: &CommonArgs) -> Result<Self> {
        let tables = tables(args)?;
        let payload = payload(args.payload);
        let to_stdout = tables.iter().filter(|(.., path)| is_dash(path)).count();
        if to_stdout > 1 {
            bail!("only one table can go to standard output (`-`)");
        }
        let full_csv = tables.iter().find(|(name, format, _)| {
            *format == Format::Csv && matches!(name, TableName::Frames | TableName::Messages)
        });
        if let (Payload::Full, Some((name, ..))) = (payload, full_csv) {
            bail!("--payload full: CSV has no place for it; write --{} as .ndjson", name.as_str());
        }
        let stdout = stdout(args, to_stdout > 0)?;
        let limits = limits(args);
        let shares = limits.shares();
        Ok(Self {
            stdout,
            tables,
            table_options: TableOptions {
                context: Context {
                    capture: args.capture.clone(),
                    secrets: if args.show_secrets { Secrets::Show } else { Secrets::Redact },
                    payload,
                },
                max_row_bytes: shares.rows,
            },
            shares,
            options: Options {
                limits,
                capture: args.capture.clone(),
                mid_stream: args.mid_stream == Switch::On,
                list_tls: args.tls,
                ..Options::default()
            },
            threads: NonZeroUsize::new(args.threads.into()).unwrap_or(NonZeroUsize::MIN),
            fail_on: args.fail_on.map(|severity| match severity {
                SeverityKind::Error => Severity::Error,
                SeverityKind::Warning => Severity::Warning,
                SeverityKind::Note => Severity::Note,
            }),
            color: color(args.color),
        })
    }

    /// How the analysis is done for these outputs: with the content that they use, and the memory that they leave.
    pub(super) fn options(&self, outputs: &Outputs<'_>) -> Options {
        let max_memory_bytes = self.shares.all.saturating_sub(outputs.cost());
        let limits = Limits { max_memory_bytes, ..self.options.limits };
        Options { limits, demand: outputs.demand(), ..self.options.clone() }
    }
}

fn limits(args: &CommonArgs) -> Limits {
    let mut limits = Limits {
        max_message_bytes: args.max_message,
        max_inflate_ratio: args.max_ratio,
        max_memory_bytes: usize::try_from(args.max_memory).unwrap_or(usize::MAX),
        ..Limits::default()
    };
    for (name, value) in &args.limit {
        if let Some(limit) = Limits::find(name) {
            limit.set(&mut limits, *value);
        }
    }
    limits.sane()
}

/// Whether a path stands for standard output, or input.
pub(super) fn is_dash(path: &Path) -> bool {
    path == Path::new("-")
}

/// Whether standard output gets colours: on a terminal that has some, unless `NO_COLOR` is set (<https://no-color.org>).
pub(super) fn color(when: ColorKind) -> bool {
    match when {
        ColorKind::Always => true,
        ColorKind::Never => false,
        ColorKind::Auto => {
            std::io::stdout().is_terminal()
                && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
                && std::env::var_os("TERM").is_none_or(|value| value != "dumb")
        }
    }
}

fn payload(kind: PayloadKind) -> Payload {
    match kind {
        PayloadKind::None => Payload::None,
        PayloadKind::Preview => Payload::Preview,
        PayloadKind::Full => Payload::Full,
    }
}

fn stdout(args: &CommonArgs, table: bool) -> Result<Stdout> {
    if let Some(id) = &args.follow {
        if table || args.report.is_some_and(|report| report != ReportKind::None) {
            bail!("--follow goes to standard output, and so does what else was asked for; write that to a file");
        }
        if id.is_empty() {
            return Ok(Stdout::Follow(Selection::All));
        }
        return Selection::parse(id)
            .map(Stdout::Follow)
            .ok_or_else(|| anyhow!("--follow={id}: not a connection's number, nor the beginning of a uid"));
    }
    match args.report {
        Some(ReportKind::Text | ReportKind::Json) if table => {
            bail!("a table and a report cannot both go to standard output; write one to a file")
        }
        Some(ReportKind::None) => Ok(Stdout::Table),
        _ if table => Ok(Stdout::Table),
        Some(ReportKind::Json) => Ok(Stdout::Json),
        Some(ReportKind::Text) | None => Ok(Stdout::Text),
    }
}

fn tables(args: &CommonArgs) -> Result<Vec<(TableName, Format, PathBuf)>> {
    let asked = [
        (TableName::Connections, &args.connections),
        (TableName::Frames, &args.frames),
        (TableName::Messages, &args.messages),
        (TableName::Findings, &args.findings),
    ];
    let mut tables: Vec<(TableName, Format, PathBuf)> = Vec::new();
    for (name, path) in asked {
        let Some(path) = path else { continue };
        // A device such as /dev/null takes any number.
        let one_takes_all = is_dash(path) || path.metadata().is_ok_and(|about| !about.is_file());
        if let Some((other, ..)) = tables.iter().find(|(.., known)| known == path && !one_takes_all) {
            bail!("--{} and --{} cannot both be {}", other.as_str(), name.as_str(), path.display());
        }
        tables.push((name, format(name, path, args.format)?, path.clone()));
    }
    Ok(tables)
}

fn format(name: TableName, path: &Path, format: Option<FormatKind>) -> Result<Format> {
    match format {
        Some(FormatKind::Csv) => Ok(Format::Csv),
        Some(FormatKind::Ndjson) => Ok(Format::Ndjson),
        None if is_dash(path) => Ok(Format::Csv),
        None => {
            let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
            ending.as_deref().and_then(Format::from_ending).ok_or_else(|| {
                let path = path.display();
                anyhow!(
                    "--{} {path}: the ending does not say the format; use .csv or .ndjson, or --format",
                    name.as_str()
                )
            })
        }
    }
}

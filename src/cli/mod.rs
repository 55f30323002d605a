//! The command: arguments as typed (`args.rs`) → their meaning (`plan.rs`) → a run (`read.rs`, `live.rs`).
//!
//! Data goes to standard output, diagnostics to standard error. Exit status 0: done; 1: `--fail-on` was met; 2: wrong
//! usage, unreadable input, or an output that could not be written. A closed pipe ends the process quietly.

mod args;
mod diagnostics;
mod explain;
#[cfg(feature = "live")]
mod interfaces;
mod keys;
mod limits;
#[cfg(feature = "live")]
mod live;
mod outlet;
mod outputs;
mod plan;
mod progress;
mod read;
mod stop;
#[cfg(all(unix, feature = "live"))]
mod user;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Result, anyhow};
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use wslens::types::{FindingCode, Severity};

use args::{Cli, ColorKind, Command};

/// How a run ended, if not with an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Done,
    /// `--fail-on` was met.
    Failed,
}

impl Ending {
    /// The exit status for the worst finding of a run.
    fn of(worst: Option<Severity>, fail_on: Option<Severity>) -> Self {
        let met = fail_on.is_some_and(|least| worst.is_some_and(|worst| worst >= least));
        if met { Self::Failed } else { Self::Done }
    }
}

/// Runs the command.
pub(crate) fn run() -> ExitCode {
    let typed: Vec<_> = std::env::args_os().collect();
    if args::asks_for_limits(&typed) {
        return match limits::list(&mut io::stdout().lock()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::from(2),
            _ => ExitCode::SUCCESS,
        };
    }
    let cli = match Cli::try_parse_from(args::with_default_command(typed.into_iter())) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    #[cfg(unix)]
    stop::outlive_file_limit();
    match dispatch(cli.command) {
        Ok(Ending::Done) => ExitCode::SUCCESS,
        Ok(Ending::Failed) => ExitCode::from(1),
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            diagnostics::error(&format!("{error:#}"));
            match error.downcast_ref::<stop::Stopped>() {
                Some(stopped) => stopped.exit(),
                None => ExitCode::from(2),
            }
        }
    }
}

fn dispatch(command: Command) -> Result<Ending> {
    let mut out = io::stdout();
    match command {
        Command::Read(args) => return read::read(&args),
        #[cfg(feature = "live")]
        Command::Live(args) => return live::live(&args),
        #[cfg(feature = "live")]
        Command::Interfaces => interfaces::list(&mut out)?,
        Command::Explain { code } => {
            let unknown = |name: &str| anyhow!("{name:?} is no finding; `wslens explain` lists them all");
            let code = code.map(|name| FindingCode::from_name(&name).ok_or_else(|| unknown(&name))).transpose()?;
            explain::explain(code, plan::color(ColorKind::Auto), &mut out)?;
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "wslens", &mut script);
            out.write_all(&script)?;
        }
        Command::Man => clap_mangen::Man::new(Cli::command()).render(&mut out)?,
    }
    out.flush()?;
    Ok(Ending::Done)
}

/// Prints help or the version if it was asked for; everything else is wrong usage. Its message quotes the arguments, which a script
/// may have made of file names: where one has characters that are unsafe on a terminal, the message is escaped as all errors are.
fn usage(error: &clap::Error) -> ExitCode {
    let asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let is_unsafe = |arg: std::ffi::OsString| arg.to_string_lossy().chars().any(wslens::output::escape::is_unsafe);
    if !asked_for && std::env::args_os().any(is_unsafe) {
        diagnostics::error(error.to_string().trim_end());
        return ExitCode::from(2);
    }
    match error.print() {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::from(2),
        _ if asked_for => ExitCode::SUCCESS,
        _ => ExitCode::from(2),
    }
}

/// Whether the reader of an output closed the pipe, as `head` does, which is no error.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let is_pipe = |cause: &io::Error| cause.kind() == io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(is_pipe))
}

//! `wslens read`: capture files from the first packet to the last.

use core::ops::ControlFlow;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use wslens::analyzer::shards::{self, InputProblems, Job, ReadOutcome, Workers};
use wslens::capture::Input;
use wslens::tls::KeyLog;

use super::args::ReadArgs;
use super::keys::KeyLogFile;
use super::outputs::{self, OpenOutputs};
use super::plan::{Plan, is_dash};
use super::progress::Progress;
use super::stop::Stop;
use super::{Ending, diagnostics};

/// Reads the files and writes what was asked for.
///
/// The packets before a place that cannot be read are analysed and written all the same.
///
/// # Errors
/// Wrong usage, unreadable input, an output that could not be written.
pub(super) fn read(args: &ReadArgs) -> Result<Ending> {
    let plan = Plan::new(&args.common)?;
    protect_inputs(&plan, &args.files)?;
    let input = open_input(args)?;
    let OpenOutputs { list: mut outputs, worst } = outputs::open(&plan, false)?;
    let options = plan.options(&outputs);
    let mut progress = Progress::new(&input);
    let stop = Stop::install()?;
    let mut keys = KeyLog::new();
    KeyLogFile::new(args.common.keylog.as_ref())?.load(&mut keys)?;
    let job = Job { options: &options, keys, workers: Workers::new(plan.threads) };
    let watch = |bytes| {
        progress.at(bytes);
        if stop.came().is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let outcome = shards::read(input, job, &mut outputs, watch);
    progress.finish();
    let outcome = outcome.inspect_err(|_| outputs.abandon()).context(UNWRITABLE)?;
    let Some(ReadOutcome { totals, problems }) = outcome else {
        outputs.abandon();
        return stop.came().map_or(Ok(Ending::Done), |stopped| Err(stopped.into()));
    };
    report(&problems);
    outputs.finish(&totals).context(UNWRITABLE)?;
    match problems.unreadable {
        Some(error) => Err(error.into()),
        None => Ok(Ending::of(worst.get(), plan.fail_on)),
    }
}

/// Opens the files, with the filter of `--bpf`.
fn open_input(args: &ReadArgs) -> Result<Input> {
    #[cfg_attr(not(feature = "live"), expect(unused_mut, reason = "no filter can be set"))]
    let mut input = Input::open(&args.files)?;
    #[cfg(feature = "live")]
    if let Some(expression) = &args.bpf {
        input.set_filter(wslens::capture::Filter::new(expression)?);
    }
    Ok(input)
}

/// Warns of problems with the input.
fn report(problems: &InputProblems) {
    for warning in &problems.warnings {
        diagnostics::warning(&warning.to_string());
    }
    diagnostics::key_warnings("secrets in the capture", &problems.key_warnings);
}

/// Refuses to write a table over an input, and to read standard input twice.
fn protect_inputs(plan: &Plan, files: &[PathBuf]) -> Result<()> {
    if files.iter().filter(|file| is_dash(file)).count() > 1 {
        bail!("standard input (`-`) can be read only once");
    }
    let inputs: Vec<_> =
        files.iter().filter_map(|file| file.canonicalize().ok()).filter(|file| file.is_file()).collect();
    for (name, _, path) in &plan.tables {
        if !is_dash(path) && path.canonicalize().is_ok_and(|path| inputs.contains(&path)) {
            bail!("--{} {}: is an input, and would be overwritten", name.as_str(), path.display());
        }
    }
    Ok(())
}

/// The context of an output's error.
pub(super) const UNWRITABLE: &str = "an output cannot be written";

//! `wslens read`: capture files from the first packet to the last.

use core::ops::ControlFlow;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use wslens::analyzer::shards::{self, Job, ReadOutcome, Workers};
use wslens::capture::Input;
use wslens::tls::KeyLog;

use super::args::ReadArgs;
use super::keys::Keys;
use super::outputs::Outputs;
use super::plan::{Plan, is_dash};
use super::progress::Progress;
use super::stop::Stop;
use super::{Ending, say};

/// Reads the files and writes what was asked for.
///
/// What was read before an input turned out to be unreadable is analysed and written all the same.
///
/// # Errors
/// Wrong usage, unreadable input, an output that could not be written.
pub(super) fn read(args: &ReadArgs) -> Result<Ending> {
    let plan = Plan::new(&args.common)?;
    spare_inputs(&plan, &args.files)?;
    #[cfg_attr(not(feature = "live"), expect(unused_mut, reason = "no filter can be set"))]
    let mut input = Input::open(&args.files)?;
    #[cfg(feature = "live")]
    if let Some(expression) = &args.bpf {
        input.set_filter(wslens::capture::Filter::new(expression)?);
    }
    let mut outputs = Outputs::open(&plan, false)?;
    let mut progress = Progress::new(&input);
    let stop = Stop::install()?;
    let mut keys = KeyLog::new();
    Keys::new(args.common.keylog.as_ref())?.load(&mut keys)?;
    let job = Job { options: &plan.options, keys, workers: Workers::new(plan.threads) };
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
    for warning in problems.warnings {
        say::warning(&warning.to_string());
    }
    say::key_warnings("secrets in the capture", &problems.key_warnings);
    outputs.finish(&totals).context(UNWRITABLE)?;
    match problems.unreadable {
        Some(error) => Err(error.into()),
        None => Ok(Ending::of(outputs.worst(), plan.fail_on)),
    }
}

/// Refuses to write a table over what is read, and to read standard input twice.
fn spare_inputs(plan: &Plan, files: &[PathBuf]) -> Result<()> {
    if files.iter().filter(|file| is_dash(file)).count() > 1 {
        bail!("standard input (`-`) can be read only once");
    }
    let inputs: Vec<_> =
        files.iter().filter_map(|file| file.canonicalize().ok()).filter(|file| file.is_file()).collect();
    for (name, _, path) in &plan.tables {
        if !is_dash(path) && path.canonicalize().is_ok_and(|path| inputs.contains(&path)) {
            bail!("--{} {}: is what is read, and would be overwritten", name.as_str(), path.display());
        }
    }
    Ok(())
}

/// What an error of an output is about.
pub(super) const UNWRITABLE: &str = "an output cannot be written";

//! `wslens read`: capture files from the first packet to the last.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use wslens::analyzer::Analyzer;
use wslens::capture::{CaptureError, Input};

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
    let mut input = Input::open(&args.files)?;
    #[cfg(feature = "live")]
    if let Some(expression) = &args.bpf {
        input.set_filter(wslens::capture::Filter::new(expression)?);
    }
    let mut outputs = Outputs::open(&plan, false)?;
    let mut analyzer = Analyzer::new(&plan.options);
    Keys::new(args.common.keylog.as_ref())?.load(analyzer.keys())?;
    analyzer.expect_secrets(true);
    let mut progress = Progress::new(&input);
    let fed = feed(&mut input, &mut analyzer, &mut outputs, &mut progress);
    progress.finish();
    take_secrets(&mut input, &mut analyzer);
    for warning in input.take_warnings() {
        say::warning(&warning.to_string());
    }
    let unreadable = fed.inspect_err(|_| outputs.abandon())?;
    analyzer.finish(&mut outputs).inspect_err(|_| outputs.abandon()).context(UNWRITABLE)?;
    outputs.finish(&analyzer.totals()).context(UNWRITABLE)?;
    match unreadable {
        Some(error) => Err(error.into()),
        None => Ok(Ending::of(outputs.worst(), plan.fail_on)),
    }
}

/// Hands on the secrets that stood before the packet at hand, or behind the last one.
fn take_secrets(input: &mut Input, analyzer: &mut Analyzer) {
    for secrets in input.take_secrets() {
        Keys::embedded(&secrets, analyzer.keys());
    }
}

/// Everything that can be read; what ended it, where that was not the input's end.
fn feed(
    input: &mut Input,
    analyzer: &mut Analyzer,
    outputs: &mut Outputs,
    progress: &mut Progress,
) -> Result<Option<CaptureError>> {
    let stop = Stop::install()?;
    loop {
        match input.next_packet() {
            Ok(Some(packet)) => analyzer.packet(&packet, outputs).context(UNWRITABLE)?,
            Ok(None) => return Ok(None),
            Err(error) => return Ok(Some(error)),
        }
        if input.has_secrets() {
            take_secrets(input, analyzer);
        }
        analyzer.expect_secrets(input.may_have_secrets());
        progress.packet(input);
        if let Some(stopped) = stop.came() {
            return Err(stopped.into());
        }
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

//! The outputs of a run: opened here, one place each.

use anyhow::{Context as _, Result};
use wslens::output::{Follow, JsonReport, Order, Outputs, Style, TextReport, WorstSeverity};

use super::outlet::Outlets;
use super::plan::{Plan, Stdout};

/// The outputs of a run.
pub(super) struct OpenOutputs {
    /// All of them, in a list.
    pub(super) list: Outputs<'static>,
    /// The worst severity among the findings, where `--fail-on` asks for it.
    pub(super) worst: WorstSeverity,
}

/// Opens them all; those of a `live` run write each connection as it ends.
///
/// # Errors
/// A file that cannot be made.
pub(super) fn open(plan: &Plan, live: bool) -> Result<OpenOutputs> {
    let outlets = Outlets::new(live);
    let mut list = Outputs::new();
    for (name, format, path) in &plan.tables {
        let outlet = outlets.open(path).with_context(|| format!("{}: cannot be written", path.display()))?;
        list.push(name.output(*format, &plan.table_options, outlet));
    }
    let context = &plan.table_options.context;
    let (secrets, style) = (context.secrets, Style { color: plan.color });
    let stdout = || outlets.stdout().context("standard output: cannot be written");
    match &plan.stdout {
        Stdout::Text => {
            let order = if live { Order::AsTheyEnd } else { Order::SummaryFirst };
            list.add(TextReport::new(stdout()?, order, secrets, style).max_report_bytes(plan.shares.reports));
        }
        Stdout::Json => list.add(JsonReport::new(stdout()?, context.clone())),
        Stdout::Follow(selection) => list.add(Follow::new(stdout()?, selection.clone(), secrets, style)),
        Stdout::Table => {}
    }
    let worst = WorstSeverity::default();
    if plan.fail_on.is_some() {
        list.add(worst.clone());
    }
    Ok(OpenOutputs { list, worst })
}

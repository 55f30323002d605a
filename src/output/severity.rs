//! The worst severity among the findings of a run (`--fail-on`).
//!
//! In: findings. Out: nothing that is written; [`WorstSeverity::get`] answers at any time.

use core::any::Any;
use core::cell::Cell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;

use super::list::{EventKinds, Output, OutputShard, Wants};
use crate::event::{Batch, Event, Numbers, Shard, Totals, What};
use crate::types::Severity;

/// Remembers the worst severity. A clone shares what it remembers: one goes into the list of outputs, one is kept to ask.
#[derive(Debug, Clone, Default)]
pub struct WorstSeverity(Rc<Cell<Option<Severity>>>);

impl WorstSeverity {
    /// The worst severity so far; `None` before the first finding.
    #[must_use]
    pub fn get(&self) -> Option<Severity> {
        self.0.get()
    }

    fn add(&self, severity: Option<Severity>) {
        self.0.set(self.0.get().max(severity));
    }
}

fn severity(event: &Event<'_>) -> Option<Severity> {
    if let What::Finding(finding) = event.what { Some(finding.code.severity()) } else { None }
}

impl Output for WorstSeverity {
    fn wants(&self) -> Wants {
        Wants::events(EventKinds::FINDING)
    }

    fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        self.add(severity(event));
        Ok(())
    }

    fn finish(&mut self, _: &Totals) -> io::Result<()> {
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn shard(&self) -> Option<Box<dyn OutputShard>> {
        Some(Box::new(SeverityShard(None)))
    }

    fn take(&mut self, batch: &mut dyn Any, _: Numbers) -> io::Result<()> {
        if let Some(Severities(rising)) = batch.downcast_mut() {
            self.add(rising.pop_front());
        }
        Ok(())
    }
}

/// The worst that a worker has seen.
struct SeverityShard(Option<Severity>);

/// Severities, each above all that its worker had seen before.
#[derive(Default)]
struct Severities(VecDeque<Severity>);

impl Shard for SeverityShard {
    type Batch = Severities;

    fn event(&mut self, event: &Event<'_>, batch: &mut Severities) -> bool {
        let found = severity(event);
        let rises = found > self.0;
        if rises {
            self.0 = found;
            batch.0.extend(found);
        }
        rises
    }
}

impl Batch for Severities {
    fn held(&self) -> usize {
        self.0.len() * size_of::<Severity>()
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

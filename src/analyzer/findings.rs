//! What was found on one connection: each code counted, the first of each kept for the report, all told as they come.

use super::shared::Out;
use crate::event::{FindingCount, Identity, Sink, What};
use crate::types::Finding;

/// The findings of one connection.
#[derive(Debug, Default)]
pub(super) struct Findings {
    counts: Vec<FindingCount>,
    details: usize,
}

impl Findings {
    /// Counts a finding and tells it, up to `max_findings` of its code.
    pub(super) fn record<S: Sink>(
        &mut self,
        finding: Finding,
        identity: &Identity,
        out: &mut Out<'_, S>,
    ) -> Result<(), S::Error> {
        let known = self.counts.iter_mut().find(|count| count.code() == finding.code);
        let count = known.map_or(1, |count| {
            count.count += 1;
            count.count
        });
        if count <= out.shared.limits.max_findings {
            out.say(identity, finding.seen, finding.direction, What::Finding(&finding))?;
        }
        if count == 1 {
            out.shared.memory.grown = true;
            self.details = self.details.saturating_add(finding.detail.held());
            self.counts.push(FindingCount { first: finding, count });
        }
        Ok(())
    }

    /// Bytes that it keeps.
    #[inline]
    pub(super) const fn held(&self) -> usize {
        self.counts.capacity() * size_of::<FindingCount>() + self.details
    }

    /// The counts, in the order of the first of each.
    pub(super) fn into_counts(self) -> Vec<FindingCount> {
        self.counts
    }
}

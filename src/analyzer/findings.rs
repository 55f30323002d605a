//! The findings of one connection: each code counted, the first of each kept for the report, all emitted as they are made.

use super::memory::Growth;
use super::turn::Turn;
use crate::event::{FindingCount, Identity, Sink, What};
use crate::types::Finding;

/// The findings of one connection.
#[derive(Debug, Default)]
pub(super) struct Findings {
    counts: Vec<FindingCount>,
    details: usize,
}

impl Findings {
    /// Counts a finding and emits it, up to `max_findings` of its code.
    pub(super) fn record<S: Sink>(&mut self, finding: Finding, identity: &Identity, turn: &mut Turn<'_, S>) -> Growth {
        let known = self.counts.iter_mut().find(|count| count.code() == finding.code);
        let count = known.map_or(1, |count| {
            count.count += 1;
            count.count
        });
        if count <= turn.shared.limits.max_findings {
            turn.at(finding.seen).emit(identity, finding.direction, What::Finding(&finding));
        }
        if count > 1 {
            return Growth::NONE;
        }
        self.details = self.details.saturating_add(finding.detail.held());
        self.counts.push(FindingCount { first: finding, count });
        Growth::SOME
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

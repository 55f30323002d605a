//! How `max_memory_bytes` is divided.
//!
//! Memory with a bound of its own (the table's entries, inflaters, datagrams, waiting rows) has a fixed share. The bytes
//! that connections keep share the rest, and are discarded when it is spent.

use super::table::Limits;

/// The most bytes that one packet can add before the sum is checked: its payload, one search for a boundary, one more slot of
/// each kind.
const PACKET_BYTES: usize = 4 << 20;

/// The parts of [`Limits::max_memory_bytes`]. Each is an upper bound; they do not add up to all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares {
    /// All of it.
    pub all: usize,
    /// Where discarding begins: an eighth is left for the bytes that one packet adds.
    pub strained: usize,
    /// Where discarding ends: far enough below that it happens seldom.
    pub eased: usize,
    /// Entries of the table and its index: a quarter.
    pub entries: usize,
    /// Connections without a byte keep no more than this when others need memory: a sixteenth.
    pub openings: usize,
    /// Inflaters that wait in the pool: an eighth.
    pub inflaters: usize,
    /// Idle buffers: a 32nd, and no more than 4 MiB.
    pub buffers: usize,
    /// Unfinished IP datagrams.
    pub datagrams: usize,
    /// Waiting rows of one table.
    pub rows: usize,
    /// Reports that wait in memory.
    pub reports: usize,
}

impl Limits {
    /// How the memory is divided.
    #[must_use]
    pub fn shares(&self) -> Shares {
        let all = self.max_memory_bytes;
        Shares {
            all,
            strained: all - all / 8,
            eased: all - all / 4,
            entries: all / 4,
            openings: all / 16,
            inflaters: all / 8,
            buffers: (all / 32).min(4 << 20),
            datagrams: self.max_datagram_bytes.min(all / 16),
            rows: self.max_row_bytes.min(all / 32),
            reports: self.max_report_bytes.min(all / 32),
        }
    }

    /// The most bytes that an analysis keeps: `Analyzer::held()` is never above it, whatever the packets are.
    #[must_use]
    pub const fn worst_case_bytes(&self) -> usize {
        self.max_memory_bytes.saturating_add(PACKET_BYTES)
    }

    /// The limits of one of several workers: each has an equal part of the limits that are for all connections together, so
    /// that no counter is shared. Each worker reassembles all IP datagrams.
    #[must_use]
    pub fn for_one_of(&self, workers: usize) -> Self {
        let part = |all: usize| all / workers.max(1);
        Self {
            max_memory_bytes: part(self.max_memory_bytes),
            max_inflaters: part(self.max_inflaters).max(1),
            max_connections: part(self.max_connections).max(1),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_parts_of_all_memory() {
        for max_memory_bytes in [0, 1, 4 << 20, 512 << 20, usize::MAX] {
            let limits = Limits { max_memory_bytes, ..Limits::default() };
            let shares = limits.shares();
            assert!(shares.eased <= shares.strained && shares.strained <= shares.all);
            let fixed = shares.entries + shares.inflaters + shares.buffers + shares.datagrams;
            assert!(fixed <= shares.eased, "fixed shares leave room for connections");
            assert!(limits.worst_case_bytes() >= max_memory_bytes);
        }
    }

    #[test]
    fn workers_have_no_more_together_than_one_alone() {
        let all = Limits::default();
        let one = all.for_one_of(3);
        assert!(one.max_memory_bytes * 3 <= all.max_memory_bytes && one.max_connections * 3 <= all.max_connections);
        assert_eq!(one.max_message_bytes, all.max_message_bytes);
        assert_eq!(all.for_one_of(0), all.for_one_of(1));
    }
}

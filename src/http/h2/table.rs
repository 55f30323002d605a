//! The tables that header blocks refer to (machine): the static table (RFC 7541 Appendix A), and the dynamic table of one
//! direction (RFC 7541 §2.3.2), as far as it is known.
//!
//! An observer may lack entries: those of header blocks that were not captured, and those beyond the size that it keeps. New
//! entries come in at the front, so entries seen since then have their true index; the entries after them are unknown, and
//! never guessed.

use std::collections::VecDeque;

/// What an entry costs beyond its bytes (RFC 7541 §4.1).
const OVERHEAD: usize = 32;

/// A name and a value; `None` where it is unknown.
pub(super) type Pair<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

/// The result of looking up an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lookup<'a> {
    /// This entry.
    Entry(Pair<'a>),
    /// An entry that was not captured, or is not kept.
    Unknown,
    /// Nothing: a decoding error (RFC 7541 §2.3.3).
    OutOfRange,
}

/// The dynamic table of one direction.
#[derive(Debug)]
pub(super) struct HeaderTable {
    /// The newest first.
    entries: VecDeque<Entry>,
    size: usize,
    max: usize,
    /// Bytes that are kept at most, whatever the endpoints agreed on.
    max_kept: usize,
    /// `entries` are all of the sender's.
    complete: bool,
    /// The sender's table may be larger than `max`.
    capped: bool,
}

#[derive(Debug)]
struct Entry {
    name: Option<Box<[u8]>>,
    value: Option<Box<[u8]>>,
}

impl Entry {
    /// Its size; an unknown name or value counts as empty. An encoder does not refer to an entry that it has evicted, so an
    /// entry that is kept for too long does no harm.
    fn size(&self) -> usize {
        self.name.as_ref().map_or(0, |name| name.len()) + self.value.as_ref().map_or(0, |value| value.len()) + OVERHEAD
    }
}

impl HeaderTable {
    /// An empty table of `max` bytes, of which at most `max_kept` are kept.
    pub(super) fn new(max: usize, max_kept: usize) -> Self {
        let (entries, capped) = (VecDeque::new(), max > max_kept);
        Self { entries, size: 0, max: max.min(max_kept), max_kept, complete: true, capped }
    }

    /// The entry at `index`: 1 to 61 in the static table, then the dynamic table, from its newest entry on
    /// (RFC 7541 §2.3.3).
    pub(super) fn get(&self, index: u32) -> Lookup<'_> {
        let Some(at) = usize::try_from(index).ok().and_then(|index| index.checked_sub(1)) else {
            return Lookup::OutOfRange;
        };
        if let Some((name, value)) = STATIC.get(at) {
            return Lookup::Entry((Some(name.as_bytes()), Some(value.as_bytes())));
        }
        match self.entries.get(at - STATIC.len()) {
            Some(entry) => Lookup::Entry((entry.name.as_deref(), entry.value.as_deref())),
            None if self.complete => Lookup::OutOfRange,
            None => Lookup::Unknown,
        }
    }

    /// Adds an entry in front, and evicts those that no longer fit, perhaps all of them (RFC 7541 §4.4).
    pub(super) fn insert(&mut self, (name, value): Pair<'_>) {
        let entry = Entry { name: name.map(Into::into), value: value.map(Into::into) };
        let size = entry.size();
        self.evict(self.max.saturating_sub(size));
        if size <= self.max {
            self.size += size;
            self.entries.push_front(entry);
        } else {
            // Larger than the table, which is empty now, and complete if the sender's table is empty, too.
            self.complete |= !self.capped && name.is_some() && value.is_some();
        }
    }

    /// The sender's table has `max` bytes from here on (RFC 7541 §4.3).
    pub(super) fn resize(&mut self, max: u32) {
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        self.complete |= max == 0;
        self.capped = max > self.max_kept;
        self.max = max.min(self.max_kept);
        self.evict(self.max);
    }

    /// The size of the sender's table is unknown.
    pub(super) const fn uncap(&mut self) {
        self.capped = true;
        self.max = self.max_kept;
    }

    /// Entries may have been added that were not captured: the indices of the known ones are lost.
    pub(super) fn lose(&mut self) {
        self.entries.clear();
        self.size = 0;
        self.complete = false;
        self.capped = true;
        self.max = self.max_kept;
    }

    /// Whether all entries of the sender's table are known.
    pub(super) const fn is_complete(&self) -> bool {
        self.complete
    }

    /// Bytes that it keeps, as RFC 7541 §4.1 counts.
    pub(super) const fn held(&self) -> usize {
        self.size
    }

    /// Evicts the oldest entries until `size` bytes are left.
    fn evict(&mut self, size: usize) {
        while self.size > size {
            let Some(entry) = self.entries.pop_back() else { break };
            self.size = self.size.saturating_sub(entry.size());
            self.complete &= !self.capped;
        }
    }
}

/// RFC 7541 Appendix A.
#[rustfmt::skip]
pub(super) const STATIC: [(&str, &str); 61] = [
    (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"), (":path", "/index.html"),
    (":scheme", "http"), (":scheme", "https"), (":status", "200"), (":status", "204"), (":status", "206"),
    (":status", "304"), (":status", "400"), (":status", "404"), (":status", "500"), ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"), ("accept-language", ""), ("accept-ranges", ""), ("accept", ""),
    ("access-control-allow-origin", ""), ("age", ""), ("allow", ""), ("authorization", ""), ("cache-control", ""),
    ("content-disposition", ""), ("content-encoding", ""), ("content-language", ""), ("content-length", ""),
    ("content-location", ""), ("content-range", ""), ("content-type", ""), ("cookie", ""), ("date", ""), ("etag", ""),
    ("expect", ""), ("expires", ""), ("from", ""), ("host", ""), ("if-match", ""), ("if-modified-since", ""),
    ("if-none-match", ""), ("if-range", ""), ("if-unmodified-since", ""), ("last-modified", ""), ("link", ""),
    ("location", ""), ("max-forwards", ""), ("proxy-authenticate", ""), ("proxy-authorization", ""), ("range", ""),
    ("referer", ""), ("refresh", ""), ("retry-after", ""), ("server", ""), ("set-cookie", ""),
    ("strict-transport-security", ""), ("transfer-encoding", ""), ("user-agent", ""), ("vary", ""), ("via", ""),
    ("www-authenticate", ""),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(table: &HeaderTable, index: u32) -> String {
        let text =
            |bytes: Option<&[u8]>| bytes.map_or("?".to_owned(), |bytes| String::from_utf8_lossy(bytes).into_owned());
        match table.get(index) {
            Lookup::Entry((name, value)) => format!("{}: {}", text(name), text(value)),
            other => format!("{other:?}"),
        }
    }

    fn with(table: &mut HeaderTable, pairs: &[(&str, &str)]) {
        for (name, value) in pairs {
            table.insert((Some(name.as_bytes()), Some(value.as_bytes())));
        }
    }

    #[test]
    fn the_newest_comes_first_and_the_oldest_leaves() {
        let mut table = HeaderTable::new(102, 4096);
        with(&mut table, &[("a", "1"), ("b", "2"), ("c", "3")]);
        assert_eq!(
            [1, 2, 61].map(|index| entry(&table, index)),
            [":authority: ", ":method: GET", "www-authenticate: "]
        );
        assert_eq!([62, 64].map(|index| entry(&table, index)), ["c: 3", "a: 1"]);
        with(&mut table, &[("d", "4")]);
        assert_eq!([62, 64, 65, 0].map(|index| entry(&table, index)), ["d: 4", "b: 2", "OutOfRange", "OutOfRange"]);
        table.resize(70);
        assert_eq!([63, 64].map(|index| entry(&table, index)), ["c: 3", "OutOfRange"]);
        // "an attempt to add an entry larger than the maximum size causes the table to be emptied" (RFC 7541 §4.4)
        with(&mut table, &[("e", "a value that is longer than the whole table is")]);
        assert_eq!((entry(&table, 62).as_str(), table.held()), ("OutOfRange", 0));
    }

    #[test]
    fn entries_that_were_not_captured_are_unknown() {
        let mut table = HeaderTable::new(4096, 4096);
        with(&mut table, &[("a", "1")]);
        table.lose();
        assert_eq!((entry(&table, 62).as_str(), table.is_complete()), ("Unknown", false));
        with(&mut table, &[("b", "2")]);
        table.insert((None, Some(b"3")));
        assert_eq!([62, 63, 64].map(|index| entry(&table, index)), ["?: 3", "b: 2", "Unknown"]);
        table.resize(0);
        table.resize(4096);
        assert_eq!((entry(&table, 62).as_str(), table.is_complete()), ("OutOfRange", true));
    }

    #[test]
    fn of_a_table_larger_than_is_kept_the_front_is_known() {
        let mut table = HeaderTable::new(1 << 30, 68);
        with(&mut table, &[("a", "1"), ("b", "2"), ("c", "3")]);
        assert_eq!([62, 63, 64].map(|index| entry(&table, index)), ["c: 3", "b: 2", "Unknown"]);
        assert_eq!(table.held(), 68);
        // Too large to be kept, but not for the sender's table.
        with(&mut table, &[("d", "a value that is longer than what is kept of the table, by quite a lot")]);
        assert_eq!(entry(&table, 62), "Unknown");
    }
}

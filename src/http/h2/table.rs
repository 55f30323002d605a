//! The tables that header blocks refer to (machine): the static one (RFC 7541 Appendix A), and the dynamic one of one
//! direction (RFC 7541 §2.3.2), as far as it is known.
//!
//! A passive reader may lack entries: blocks that the capture lost, a table larger than it keeps. New entries come in at
//! the front, so those that were seen since have their true index all the same; whatever stands behind them is not
//! known, and is never guessed.

use std::collections::VecDeque;

/// What an entry costs beyond its bytes (RFC 7541 §4.1).
const OVERHEAD: usize = 32;

/// A name and a value, either of which may not be known.
pub(super) type Pair<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

/// What an index stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lookup<'a> {
    /// This entry.
    Entry(Pair<'a>),
    /// An entry that was not seen.
    Unknown,
    /// None: a decoding error (RFC 7541 §2.3.3).
    OutOfRange,
}

/// The dynamic table of one direction.
#[derive(Debug)]
pub(super) struct HeaderTable {
    /// The newest first.
    entries: VecDeque<Entry>,
    size: usize,
    max: usize,
    /// What is kept at most, whatever the endpoints agreed on.
    keep: usize,
    /// Nothing stands behind `entries`.
    whole: bool,
    /// The sender's table may be larger than `max`.
    capped: bool,
}

#[derive(Debug)]
struct Entry {
    name: Option<Box<[u8]>>,
    value: Option<Box<[u8]>>,
}

impl Entry {
    /// Of what is not known, the least that it can be: an encoder refers to nothing that it has evicted, so an entry that
    /// is kept for too long does no harm.
    fn size(&self) -> usize {
        self.name.as_ref().map_or(0, |name| name.len()) + self.value.as_ref().map_or(0, |value| value.len()) + OVERHEAD
    }
}

impl HeaderTable {
    /// An empty table of `max` bytes, of which at most `keep` are kept.
    pub(super) fn new(max: usize, keep: usize) -> Self {
        Self { entries: VecDeque::new(), size: 0, max: max.min(keep), keep, whole: true, capped: max > keep }
    }

    /// What `index` stands for: 1 to 61 in the static table, then the newest entry of the dynamic one, and so on
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
            None if self.whole => Lookup::OutOfRange,
            None => Lookup::Unknown,
        }
    }

    /// Puts an entry in front; those that no longer fit leave, and that may be all of them (RFC 7541 §4.4).
    pub(super) fn insert(&mut self, (name, value): Pair<'_>) {
        let entry = Entry { name: name.map(Into::into), value: value.map(Into::into) };
        let size = entry.size();
        self.evict(self.max.saturating_sub(size));
        if size <= self.max {
            self.size += size;
            self.entries.push_front(entry);
        } else {
            // Larger than the table: it is empty now, if that is what the sender's is too.
            self.whole |= !self.capped && name.is_some() && value.is_some();
        }
    }

    /// The sender's table has `max` bytes from here on (RFC 7541 §4.3).
    pub(super) fn resize(&mut self, max: u32) {
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        self.whole |= max == 0;
        self.capped = max > self.keep;
        self.max = max.min(self.keep);
        self.evict(self.max);
    }

    /// The sender's table may be larger than is known.
    pub(super) const fn uncap(&mut self) {
        self.capped = true;
        self.max = self.keep;
    }

    /// Entries may have come that were not seen: of those that are there, no index is known.
    pub(super) fn lose(&mut self) {
        self.entries.clear();
        self.size = 0;
        self.whole = false;
        self.capped = true;
        self.max = self.keep;
    }

    /// Whether it is known what every index stands for.
    pub(super) const fn is_whole(&self) -> bool {
        self.whole
    }

    /// Bytes that it keeps, as RFC 7541 §4.1 counts.
    pub(super) const fn held(&self) -> usize {
        self.size
    }

    fn evict(&mut self, room: usize) {
        while self.size > room {
            let Some(entry) = self.entries.pop_back() else { break };
            self.size = self.size.saturating_sub(entry.size());
            self.whole &= !self.capped;
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
    fn what_was_not_seen_is_not_known() {
        let mut table = HeaderTable::new(4096, 4096);
        with(&mut table, &[("a", "1")]);
        table.lose();
        assert_eq!((entry(&table, 62).as_str(), table.is_whole()), ("Unknown", false));
        with(&mut table, &[("b", "2")]);
        table.insert((None, Some(b"3")));
        assert_eq!([62, 63, 64].map(|index| entry(&table, index)), ["?: 3", "b: 2", "Unknown"]);
        table.resize(0);
        table.resize(4096);
        assert_eq!((entry(&table, 62).as_str(), table.is_whole()), ("OutOfRange", true));
    }

    #[test]
    fn a_table_larger_than_what_is_kept_is_known_in_front() {
        let mut table = HeaderTable::new(1 << 30, 68);
        with(&mut table, &[("a", "1"), ("b", "2"), ("c", "3")]);
        assert_eq!([62, 63, 64].map(|index| entry(&table, index)), ["c: 3", "b: 2", "Unknown"]);
        assert_eq!(table.held(), 68);
        // Too large to be kept, not for the sender.
        with(&mut table, &[("d", "a value that is longer than what is kept of the table, by quite a lot")]);
        assert_eq!(entry(&table, 62), "Unknown");
    }
}

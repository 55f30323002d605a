//! The report for people: a summary of the capture, then one block a connection.
//!
//! In: [`What::Closed`] of each connection, and the totals at the end. Out: text of about 100 columns. The summary stands
//! on top but is known last, so the reports wait in a temporary file (the first 8 MiB in memory) and are written behind
//! it in the order of their numbers; a live capture has each at once and the summary last.

mod connection;
mod http2;
mod style;
mod summary;
mod traffic;
mod units;
mod verdict;

use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write};

use tempfile::SpooledTempFile;

use super::escape;
use super::redact::Secrets;
use crate::event::{Event, Keep, Kept, Numbers, ParallelSink, Sink, Totals, What};
use crate::types::Timestamp;
use crate::websocket::CloseCode;

pub use connection::render_connection;
pub use style::Style;
pub use summary::{Overview, render_summary};

pub(super) use connection::{arrow, explanation, url};
pub(super) use style::Tone;
pub(super) use units::{bytes, micros};
pub(super) use verdict::outcome;

/// Bytes of reports that wait in memory unless somebody says otherwise
/// ([`Limits::max_report_bytes`](crate::types::Limits::max_report_bytes)); further ones wait on disk.
const SPOOL_BYTES: usize = 8 << 20;

/// Of these, the part for the index: a record has 24 bytes, a report some 2,000.
const INDEX_PART: usize = 32;

/// When a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// The summary first, then all connections by number: for files.
    #[default]
    SummaryFirst,
    /// Each connection as it ends, the summary last: for live captures.
    AsTheyEnd,
}

/// Writes reports for people.
#[derive(Debug)]
pub struct TextReport<W: Write> {
    to: W,
    order: Order,
    secrets: Secrets,
    style: Style,
    overview: Overview,
    spool: BufWriter<SpooledTempFile>,
    /// Number, place and length of each report in `spool`, 24 bytes a connection: it waits like the reports.
    index: BufWriter<SpooledTempFile>,
    spooled: u64,
}

impl<W: Write> TextReport<W> {
    /// Reports to `to`.
    pub fn new(to: W, order: Order, secrets: Secrets, style: Style) -> Self {
        Self {
            to,
            order,
            secrets,
            style,
            overview: Overview::default(),
            spool: spool(SPOOL_BYTES),
            index: spool(SPOOL_BYTES / INDEX_PART),
            spooled: 0,
        }
    }

    /// Reports of so many bytes wait in memory, further ones on disk. To be said before the first report.
    #[must_use]
    pub fn max_report_bytes(mut self, bytes: usize) -> Self {
        self.spool = spool(bytes);
        self.index = spool(bytes / INDEX_PART);
        self
    }

    /// The input is over: writes what is still to be written.
    ///
    /// # Errors
    /// What writing, or reading back what waited on disk, fails with.
    pub fn finish(&mut self, totals: &Totals) -> io::Result<()> {
        self.to.write_all(render_summary(totals, &self.overview, self.style).as_bytes())?;
        let index = self.index().map_err(of_spool)?;
        self.spool.flush().map_err(of_spool)?;
        let mut report = Vec::new();
        for (_, place, len) in index {
            report.clear();
            let spool = self.spool.get_mut();
            spool.seek(SeekFrom::Start(place)).map_err(of_spool)?;
            spool.take(len).read_to_end(&mut report).map_err(of_spool)?;
            self.to.write_all(&report)?;
        }
        self.to.flush()
    }

    fn wait(&mut self, number: u64, report: &str) -> io::Result<()> {
        self.spool.write_all(report.as_bytes()).map_err(of_spool)?;
        let len = report.len() as u64;
        let mut record = [0; 24];
        for (to, part) in record.as_chunks_mut::<8>().0.iter_mut().zip([number, self.spooled, len]) {
            *to = part.to_le_bytes();
        }
        self.index.write_all(&record).map_err(of_spool)?;
        self.spooled += len;
        Ok(())
    }

    /// Number, place and length of each report, in the order of their numbers.
    fn index(&mut self) -> io::Result<Vec<(u64, u64, u64)>> {
        let mut bytes = Vec::new();
        self.index.rewind()?;
        self.index.get_mut().read_to_end(&mut bytes)?;
        let (parts, _) = bytes.as_chunks::<8>();
        let (records, _) = parts.as_chunks::<3>();
        let mut index: Vec<_> = records.iter().map(|record| record.map(u64::from_le_bytes).into()).collect();
        index.sort_unstable();
        Ok(index)
    }
}

impl<W: Write> Sink for TextReport<W> {
    type Error = io::Error;

    fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        let What::Closed(summary) = event.what else { return Ok(()) };
        self.overview.add(event.connection, summary);
        let report = render_connection(event.connection, summary, self.secrets, self.style);
        match self.order {
            Order::SummaryFirst => self.wait(event.connection.number, &report),
            Order::AsTheyEnd => {
                self.to.write_all(report.as_bytes())?;
                self.to.flush()
            }
        }
    }
}

impl<W: Write> ParallelSink for TextReport<W> {
    type Shard = Keep;

    fn shard(&self) -> Keep {
        Keep::new(|event| matches!(event.what, What::Closed(_)), 0)
    }

    fn take(&mut self, batch: &mut Kept, numbers: Numbers) -> io::Result<()> {
        batch.tell(numbers, self)
    }
}

/// A file of which so many bytes are in memory, behind a buffer: one call of the system for many reports.
fn spool(bytes: usize) -> BufWriter<SpooledTempFile> {
    BufWriter::with_capacity(32 << 10, SpooledTempFile::new(bytes))
}

/// An error of the file that nobody asked for.
fn of_spool(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("the temporary file in which reports wait for their summary: {error}"))
}

/// Text from the wire, safe for a terminal and of at most `limit` characters.
pub(super) fn wire(bytes: &[u8], limit: usize) -> String {
    // No character has more than four bytes: what is left out would not be seen.
    let (head, more) = escape::preview(bytes, limit.saturating_mul(4), false);
    let safe = escape::terminal(head);
    let cut = more || safe.chars().nth(limit).is_some();
    if !cut {
        return safe.into_owned();
    }
    let mut out: String = safe.chars().take(limit.saturating_sub(1)).collect();
    out.push('…');
    out
}

/// `1001 going away`; a code in one of the open ranges with what the range is for (RFC 6455 §7.4.2).
pub(super) fn close_code_text(code: u16) -> String {
    let name = CloseCode(code).name();
    if matches!(code, 1000..=1015 | 3000 | 3003 | 3008) { format!("{code} {name}") } else { format!("{code} ({name})") }
}

/// `16:19:05.123`
pub(super) fn clock(time: Timestamp) -> String {
    time.to_string().get(11..23).unwrap_or_default().to_owned()
}

/// `2026-11-22 16:19:05.123`
fn clock_date(time: Timestamp) -> String {
    let text = time.to_string();
    format!("{} {}", text.get(..10).unwrap_or_default(), clock(time))
}

#[cfg(test)]
mod tests;

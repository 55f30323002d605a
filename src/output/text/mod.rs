//! The report for people: a summary of the capture, then one block a connection.
//!
//! In: [`What::Closed`] of each connection, and the totals at the end. Out: text of about 100 columns. The summary stands
//! on top but is known last, so the reports wait in a temporary file (the first 8 MiB in memory) and are written behind
//! it in the order of their numbers; a live capture has each at once and the summary last.

mod connection;
mod style;
mod summary;
mod traffic;
mod units;
mod verdict;

use std::io::{self, Read as _, Seek as _, SeekFrom, Write};

use tempfile::SpooledTempFile;

use super::escape;
use super::redact::Secrets;
use crate::event::{Event, Sink, Totals, What};
use crate::ground::Timestamp;
use crate::websocket::CloseCode;

pub use connection::render_connection;
pub use style::Style;
pub use summary::{Overview, render_summary};

pub(super) use connection::{arrow, explanation, url};
pub(super) use style::Tone;
pub(super) use units::{bytes, micros};
pub(super) use verdict::outcome;

/// Bytes of reports that wait in memory; further ones wait on disk.
const SPOOL_BYTES: usize = 8 << 20;

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
    spool: SpooledTempFile,
    /// Number, place and length of each report in `spool`: 24 bytes a connection.
    index: Vec<(u64, u64, u64)>,
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
            spool: SpooledTempFile::new(SPOOL_BYTES),
            index: Vec::new(),
            spooled: 0,
        }
    }

    /// The input is over: writes what is still to be written.
    ///
    /// # Errors
    /// What writing, or reading back what waited on disk, fails with.
    pub fn finish(&mut self, totals: &Totals) -> io::Result<()> {
        self.to.write_all(render_summary(totals, &self.overview, self.style).as_bytes())?;
        self.index.sort_unstable();
        let mut report = Vec::new();
        for (_, place, len) in core::mem::take(&mut self.index) {
            report.clear();
            self.spool.seek(SeekFrom::Start(place)).map_err(of_spool)?;
            (&mut self.spool).take(len).read_to_end(&mut report).map_err(of_spool)?;
            self.to.write_all(&report)?;
        }
        self.to.flush()
    }

    fn wait(&mut self, number: u64, report: &str) -> io::Result<()> {
        self.spool.write_all(report.as_bytes()).map_err(of_spool)?;
        let len = report.len() as u64;
        self.index.push((number, self.spooled, len));
        self.spooled += len;
        Ok(())
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

//! Several capture files as one capture.
//!
//! In: files in the order given, of any mixture of formats and compressions. Out: their packets, one at a time, lent from
//! the block they were read into and numbered from 1 over the whole input; beside them what a user should be warned of,
//! and the secrets that captures carry. Packets are not put in order of time, and not looked into.

mod about;
mod secrets;

use std::collections::VecDeque;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use about::{Format, InputFile, Meter};

use super::Packet;
use super::block::{Blocks, Ending, Pace};
use super::bpf::Filter;
use super::compressed::Compression;
use super::error::{CaptureError, Place, Warning};
use super::pcap::{self, Pcap};
use super::pcapng::Pcapng;
use super::record::{Fault, Record, Secrets, Step};
use super::source::Source;
use crate::types::{PacketRef, Timestamp};

/// Bytes of secrets that wait to be taken, at most; more are dropped, with a warning.
const MOST_SECRETS_BYTES: usize = 64 << 20;
/// Bytes of any magic number.
const MAGIC_LEN: usize = 4;
/// Bytes that are shown of what is no capture.
const SHOWN_LEN: usize = 8;

/// The packets of one or more captures.
///
/// ```
/// use wslens::capture::Input;
///
/// # fn main() -> Result<(), wslens::capture::CaptureError> {
/// let empty_pcap = b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\x04\0\x01\0\0\0";
/// let mut input = Input::from_reader("example", Box::new(&empty_pcap[..]));
/// while let Some(packet) = input.next_packet()? {
///     println!("{} {} {}", packet.seen.packet, packet.seen.at, packet.bytes.len());
/// }
/// for warning in input.take_warnings() {
///     eprintln!("{warning}");
/// }
/// # Ok(())
/// # }
/// ```
pub struct Input {
    waiting: VecDeque<Source>,
    reading: Option<Reading>,
    packets: u64,
    last: Timestamp,
    filter: Option<Filter>,
    files: Vec<InputFile>,
    warnings: Vec<Warning>,
    secrets: Vec<Secrets>,
    secrets_bytes: usize,
    bytes_read: Arc<AtomicU64>,
    total_bytes: Option<u64>,
}

/// The file that is being read.
struct Reading {
    name: String,
    compression: Option<Compression>,
    blocks: Blocks,
    walker: Walker,
    /// Packets before its first.
    packets_before: u64,
    /// The same once more, until it was looked ahead in: a regular file, not compressed.
    again: Option<Source>,
    /// Its secrets were all given.
    looked_ahead: bool,
}

enum Walker {
    /// Nobody has looked yet.
    Unknown,
    Pcap(Pcap),
    Pcapng(Pcapng),
}

impl Input {
    /// The captures at `paths` as one, in this order; `-` is standard input.
    ///
    /// All are looked at now, so that a name mistyped is known before any work; each is opened when its turn comes.
    ///
    /// # Errors
    /// [`CaptureError::Open`] for the first that is not there or may not be read.
    pub fn open<P: AsRef<Path>>(paths: &[P]) -> Result<Self, CaptureError> {
        paths.iter().map(|path| Source::from_path(path.as_ref())).collect::<Result<_, _>>().map(Self::new)
    }

    /// One capture, from any reader; `name` stands for it in messages.
    #[must_use]
    pub fn from_reader(name: impl Into<String>, reader: Box<dyn Read + Send>) -> Self {
        Self::new(VecDeque::from([Source::from_reader(name.into(), reader)]))
    }

    /// The same captures once more, from the beginning, with the same filter: for those who read them side by side. `None`
    /// unless all are regular files, none is compressed, which would be unpacked once more, and none was begun.
    #[must_use]
    pub fn again(&self) -> Option<Self> {
        if self.reading.is_some() || !self.files.is_empty() {
            return None;
        }
        let waiting = self.waiting.iter().map(Source::again).collect::<Option<_>>()?;
        Some(Self { filter: self.filter.clone(), ..Self::new(waiting) })
    }

    /// Adds one more capture behind those there are.
    pub fn push_reader(&mut self, name: impl Into<String>, reader: Box<dyn Read + Send>) {
        self.total_bytes = None;
        self.waiting.push_back(Source::from_reader(name.into(), reader));
    }

    fn new(waiting: VecDeque<Source>) -> Self {
        let total_bytes = waiting.iter().map(|source| source.len).try_fold(0_u64, |sum, len| sum.checked_add(len?));
        Self {
            waiting,
            reading: None,
            packets: 0,
            last: Timestamp::default(),
            filter: None,
            files: Vec::new(),
            warnings: Vec::new(),
            secrets: Vec::new(),
            secrets_bytes: 0,
            bytes_read: Arc::default(),
            total_bytes,
        }
    }

    /// Only packets that match are lent from now on; the others are numbered all the same.
    pub fn set_filter(&mut self, filter: Filter) {
        self.filter = Some(filter);
    }

    /// The next packet; `None` when all inputs are over.
    ///
    /// A file that ends in the middle of a record is read up to there and leaves a warning.
    ///
    /// # Errors
    /// When an input is no capture, corrupt, or cannot be read on. Packets before that were lent; to ask again goes on
    /// with the next input.
    #[inline]
    pub fn next_packet(&mut self) -> Result<Option<Packet<'_>>, CaptureError> {
        let record = loop {
            match self.next_record()? {
                None => return Ok(None),
                Some(record) if self.passes(&record) => break record,
                Some(_) => {}
            }
        };
        Ok(self.lend(&record))
    }

    /// What a user should know so far; each is given once.
    pub fn take_warnings(&mut self) -> Vec<Warning> {
        if let Some(filter) = &mut self.filter {
            self.warnings.append(&mut filter.take_warnings());
        }
        core::mem::take(&mut self.warnings)
    }

    /// The secrets that stood before the last packet; each is given once. At most 64 MiB wait to be taken.
    pub fn take_secrets(&mut self) -> Vec<Secrets> {
        self.secrets_bytes = 0;
        core::mem::take(&mut self.secrets)
    }

    /// Whether [`Self::take_secrets`] has any: cheap enough to ask for each packet.
    #[must_use]
    pub const fn has_secrets(&self) -> bool {
        !self.secrets.is_empty()
    }

    /// Whether more secrets may come: the file at hand is of a kind that can carry some, and was not
    /// [looked ahead](Self::secrets_ahead) in.
    #[must_use]
    pub fn may_have_secrets(&self) -> bool {
        let may = |reading: &Reading| matches!(reading.walker, Walker::Pcapng(_)) && !reading.looked_ahead;
        self.reading.as_ref().is_some_and(may)
    }

    /// Packets read so far, whether or not a filter let them pass.
    #[must_use]
    pub const fn packets(&self) -> u64 {
        self.packets
    }

    /// The inputs that were opened so far, in order.
    #[must_use]
    pub fn files(&self) -> Vec<InputFile> {
        let mut files = self.files.clone();
        if let (Some(file), Some(reading)) = (files.last_mut(), &self.reading) {
            file.packets = self.packets.saturating_sub(reading.packets_before);
        }
        files
    }

    /// Bytes read so far, as they are on disk; up to some blocks more than the packets that were lent.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    /// What tells [`Self::bytes_read`] elsewhere.
    #[must_use]
    pub fn meter(&self) -> Meter {
        Meter::new(&self.bytes_read)
    }

    /// Bytes of all inputs, as they are on disk; `None` if one of them is no regular file.
    #[must_use]
    pub const fn total_bytes(&self) -> Option<u64> {
        self.total_bytes
    }

    /// Bytes kept now: blocks, those that are read ahead included, and secrets. What a decompressor keeps comes on top
    /// (gzip 48 KiB, zstd at most 128 MiB, usually 8 or less).
    #[must_use]
    pub fn held(&self) -> usize {
        self.reading.as_ref().map_or(0, |reading| reading.blocks.held()).saturating_add(self.secrets_bytes)
    }

    #[inline]
    fn next_record(&mut self) -> Result<Option<Record>, CaptureError> {
        let ready = self.reading.as_mut().and_then(|reading| match &mut reading.walker {
            Walker::Pcap(pcap) => pcap.ready(&mut reading.blocks),
            Walker::Pcapng(pcapng) => pcapng.ready(&mut reading.blocks),
            Walker::Unknown => None,
        });
        match ready {
            Some(record) => Ok(Some(self.count(record))),
            None => self.search_record(),
        }
    }

    /// What to do when the next packet does not simply lie there.
    #[cold]
    fn search_record(&mut self) -> Result<Option<Record>, CaptureError> {
        loop {
            let Some(reading) = &mut self.reading else {
                match self.waiting.pop_front() {
                    Some(source) => self.begin(source)?,
                    None => return Ok(None),
                }
                continue;
            };
            let step = match &mut reading.walker {
                Walker::Pcap(pcap) => pcap.next(&mut reading.blocks),
                Walker::Pcapng(pcapng) => pcapng.next(&mut reading.blocks),
                Walker::Unknown => {
                    self.recognize()?;
                    continue;
                }
            };
            match step {
                Ok(Step::Record(record)) => return Ok(Some(self.count(record))),
                other => self.aside(other)?,
            }
        }
    }

    #[inline]
    const fn count(&mut self, record: Record) -> Record {
        self.packets += 1;
        self.last = record.at;
        record
    }

    #[inline]
    fn lend(&self, record: &Record) -> Option<Packet<'_>> {
        let reading = self.reading.as_ref()?;
        Some(Packet {
            seen: PacketRef { packet: self.packets, at: record.at },
            link: record.link,
            bytes: reading.blocks.slice(record.start, record.len),
            original_len: record.original_len,
        })
    }

    #[inline]
    fn passes(&mut self, record: &Record) -> bool {
        let (Some(filter), Some(reading)) = (&mut self.filter, &self.reading) else { return true };
        let bytes = reading.blocks.slice(record.start, record.len);
        filter.matches_bytes(record.link, bytes, record.original_len)
    }

    /// Everything that is no packet.
    fn aside(&mut self, step: Result<Step, Fault>) -> Result<(), CaptureError> {
        match step {
            Ok(Step::Record(_)) => Ok(()),
            Ok(Step::Secrets(secrets)) => {
                self.keep_secrets(secrets);
                Ok(())
            }
            Ok(Step::SecretsDropped) => {
                self.warn_of_dropped_secrets();
                Ok(())
            }
            Ok(Step::End { since }) => self.finish(since),
            Err(Fault { offset, what }) => {
                let packet = self.packets;
                match self.close() {
                    Some(reading) => Err(CaptureError::Corrupt { place: reading.place(offset), packet, what }),
                    None => Ok(()),
                }
            }
        }
    }

    fn keep_secrets(&mut self, secrets: Secrets) {
        let bytes = self.secrets_bytes.saturating_add(secrets.bytes.len()).saturating_add(size_of::<Secrets>());
        if bytes > MOST_SECRETS_BYTES {
            self.warn_of_dropped_secrets();
        } else {
            self.secrets_bytes = bytes;
            self.secrets.push(secrets);
        }
    }

    fn warn_of_dropped_secrets(&mut self) {
        let Some(reading) = &self.reading else { return };
        let warning = Warning::SecretsDropped { name: reading.name.clone() };
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// The file is over: as it should be, cut short, or because it cannot be read on.
    fn finish(&mut self, since: u64) -> Result<(), CaptureError> {
        let packet = self.packets;
        let Some(mut reading) = self.close() else { return Ok(()) };
        let left = reading.blocks.received().saturating_sub(since);
        let place = reading.place(since);
        let ending = reading.blocks.ending();
        if let Ending::Failed(source) = ending {
            return Err(CaptureError::Read { place, packet, source });
        }
        if left > 0 || matches!(ending, Ending::Cut) {
            self.warnings.push(Warning::CutShort { place, left, packet });
        }
        if matches!(ending, Ending::Trailing) {
            self.warnings.push(Warning::TrailingBytes { place: reading.place(reading.blocks.received()) });
        }
        Ok(())
    }

    /// Nothing more is read from the present file.
    fn close(&mut self) -> Option<Reading> {
        let reading = self.reading.take()?;
        if let Some(file) = self.files.last_mut() {
            file.packets = self.packets.saturating_sub(reading.packets_before);
        }
        Some(reading)
    }

    /// Opens the next input.
    fn begin(&mut self, source: Source) -> Result<(), CaptureError> {
        let name = source.name.clone();
        let again = source.again();
        let (reader, mut pace) = source.open(&self.bytes_read)?;
        let mut blocks = Blocks::new(reader, pace);
        blocks.fill(MAGIC_LEN);
        let compression = Compression::detect(blocks.window());
        if let Some(compression) = compression {
            let inside = compression.decompress(blocks.into_reader());
            let inside = inside.map_err(|source| CaptureError::Open { name: name.clone(), source })?;
            if pace == Pace::Ready {
                pace = Pace::Worked;
            }
            blocks = Blocks::new(inside, pace);
        }
        self.files.push(InputFile { name: name.clone(), format: None, compression, packets: 0 });
        let packets_before = self.packets;
        let walker = Walker::Unknown;
        self.reading = Some(Reading { name, compression, blocks, walker, packets_before, again, looked_ahead: false });
        Ok(())
    }

    /// Finds out what kind of capture an input is.
    fn recognize(&mut self) -> Result<(), CaptureError> {
        let Some(reading) = &mut self.reading else { return Ok(()) };
        reading.blocks.fill(MAGIC_LEN);
        let Some(format) = Format::detect(reading.blocks.window()) else { return self.refuse() };
        if let Some(file) = self.files.last_mut() {
            file.format = Some(format);
        }
        match format {
            Format::Pcapng => reading.walker = Walker::Pcapng(Pcapng::new(self.last)),
            Format::Pcap => {
                reading.blocks.fill(pcap::FILE_HEADER_LEN);
                let Some(pcap) = Pcap::parse(reading.blocks.window()) else { return self.finish(0) };
                reading.blocks.take(pcap::FILE_HEADER_LEN);
                reading.walker = Walker::Pcap(pcap);
            }
        }
        Ok(())
    }

    /// What begins with no magic number is no capture, unless it broke off before there could be one.
    fn refuse(&mut self) -> Result<(), CaptureError> {
        let Some(reading) = &mut self.reading else { return Ok(()) };
        reading.blocks.fill(SHOWN_LEN);
        let window = reading.blocks.window();
        let found = window.get(..SHOWN_LEN).unwrap_or(window).to_vec();
        if found.len() < MAGIC_LEN && !reading.blocks.is_whole() {
            return self.finish(0);
        }
        let Some(reading) = self.close() else { return Ok(()) };
        if !found.is_empty() {
            return Err(CaptureError::NotACapture { place: reading.place(0), found });
        }
        let name = reading.name;
        if self.waiting.is_empty() && self.files.iter().all(|file| file.format.is_none()) {
            return Err(CaptureError::Empty { name });
        }
        self.warnings.push(Warning::Empty { name });
        Ok(())
    }
}

impl Reading {
    fn place(&self, offset: u64) -> Place {
        Place { name: self.name.clone(), offset, compression: self.compression }
    }
}

#[cfg(test)]
mod tests;

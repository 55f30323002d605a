//! Several capture files as one capture.
//!
//! In: files in the order given, in any mixture of formats and compressions. Out: their packets, one at a time, lent from the
//! block they were read into and numbered from 1 over the whole input; also warnings for the user, and the TLS secrets that
//! captures carry. Packets are not sorted by time, and not decoded.

mod about;
mod secrets;

use std::collections::VecDeque;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use about::{Format, InputFile, Meter};

use super::Packet;
use super::block::{InputKind, StreamEnd};
use super::bpf::Filter;
use super::compressed::Compression;
use super::error::{CaptureError, Place, Warning};
use super::pcap::{self, Pcap};
use super::pcapng::Pcapng;
use super::record::{CorruptRecord, FileItem, Record, Secrets};
use super::source::Source;
use super::window::Window;
use crate::types::{PacketRef, Timestamp};

/// Bytes of secrets that are held until they are taken; more are dropped, with a warning.
const MAX_SECRETS_BYTES: usize = 64 << 20;
/// Bytes of any magic number.
const MAGIC_LEN: usize = 4;
/// Bytes that are shown of an input that is no capture.
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
    /// Inputs that were not opened yet.
    pending: VecDeque<Source>,
    current: Option<CurrentFile>,
    packets: u64,
    /// The time of the last packet.
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
struct CurrentFile {
    name: String,
    compression: Option<Compression>,
    window: Window,
    parser: Parser,
    /// Packets of the files before it.
    packets_before: u64,
    /// The same file, to be searched for secrets, if it is a regular file, is not compressed, and was not searched yet.
    duplicate: Option<Source>,
    /// Whether all of its secrets were given already.
    searched: bool,
}

/// Reads records, by format.
enum Parser {
    /// The format was not detected yet.
    Unknown,
    Pcap(Pcap),
    Pcapng(Pcapng),
}

impl Input {
    /// The captures at `paths` as one, in this order; `-` is standard input.
    ///
    /// All are checked now, so that a mistyped name is reported before any work; each is opened when its turn comes.
    ///
    /// # Errors
    /// [`CaptureError::Open`] for the first that does not exist or may not be read.
    pub fn open<P: AsRef<Path>>(paths: &[P]) -> Result<Self, CaptureError> {
        paths.iter().map(|path| Source::from_path(path.as_ref())).collect::<Result<_, _>>().map(Self::new)
    }

    /// One capture, from any reader; messages call it `name`.
    #[must_use]
    pub fn from_reader(name: impl Into<String>, reader: Box<dyn Read + Send>) -> Self {
        Self::new(VecDeque::from([Source::from_reader(name.into(), reader)]))
    }

    /// The same captures with the same filter, to be read a second time, from the beginning, at the same time. `None` unless
    /// all are regular files, none is compressed (it would be decompressed twice), and none was opened yet.
    #[must_use]
    pub fn duplicate(&self) -> Option<Self> {
        if self.current.is_some() || !self.files.is_empty() {
            return None;
        }
        let pending = self.pending.iter().map(Source::duplicate_plain).collect::<Option<_>>()?;
        Some(Self { filter: self.filter.clone(), ..Self::new(pending) })
    }

    /// Adds a capture after the others.
    pub fn push_reader(&mut self, name: impl Into<String>, reader: Box<dyn Read + Send>) {
        self.total_bytes = None;
        self.pending.push_back(Source::from_reader(name.into(), reader));
    }

    fn new(pending: VecDeque<Source>) -> Self {
        let total_bytes = pending.iter().map(|source| source.len).try_fold(0_u64, |sum, len| sum.checked_add(len?));
        Self {
            pending,
            current: None,
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

    /// From now on, [`Self::next_packet`] answers only packets that match; the others are numbered, too.
    pub fn set_filter(&mut self, filter: Filter) {
        self.filter = Some(filter);
    }

    /// The next packet; `None` after the last one of all inputs.
    ///
    /// A file that ends in the middle of a record is read up to there, with a warning.
    ///
    /// # Errors
    /// When an input is no capture, is corrupt, or cannot be read on. The packets before that were answered; the next call
    /// goes on with the next input.
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

    /// The warnings for the user since the last call.
    pub fn take_warnings(&mut self) -> Vec<Warning> {
        if let Some(filter) = &mut self.filter {
            self.warnings.append(&mut filter.take_warnings());
        }
        core::mem::take(&mut self.warnings)
    }

    /// The secrets in front of the last packet, since the last call. At most 64 MiB are held in between.
    pub fn take_secrets(&mut self) -> Vec<Secrets> {
        self.secrets_bytes = 0;
        core::mem::take(&mut self.secrets)
    }

    /// Whether [`Self::take_secrets`] has any: cheap enough to be called for each packet.
    #[must_use]
    pub const fn has_secrets(&self) -> bool {
        !self.secrets.is_empty()
    }

    /// Whether more secrets may come: the current file is of a format that can carry them, and was not
    /// [searched](Self::secrets_ahead).
    #[must_use]
    pub fn may_have_secrets(&self) -> bool {
        let may = |file: &CurrentFile| matches!(file.parser, Parser::Pcapng(_)) && !file.searched;
        self.current.as_ref().is_some_and(may)
    }

    /// Packets read so far, those that a filter left out included.
    #[must_use]
    pub const fn packets(&self) -> u64 {
        self.packets
    }

    /// The inputs that were opened so far, in order.
    #[must_use]
    pub fn files(&self) -> Vec<InputFile> {
        let mut files = self.files.clone();
        if let (Some(last), Some(current)) = (files.last_mut(), &self.current) {
            last.packets = self.packets.saturating_sub(current.packets_before);
        }
        files
    }

    /// Bytes read so far, as they are on disk. Up to a few blocks more than the packets answered so far.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    /// A handle to [`Self::bytes_read`] that other threads can use.
    #[must_use]
    pub fn meter(&self) -> Meter {
        Meter::new(&self.bytes_read)
    }

    /// Bytes of all inputs, as they are on disk; `None` if one of them is not a regular file.
    #[must_use]
    pub const fn total_bytes(&self) -> Option<u64> {
        self.total_bytes
    }

    /// Bytes held: blocks, those that are read ahead included, and secrets. The memory of a decompressor is not included
    /// (gzip 48 KiB, zstd at most 128 MiB, usually 8 MiB or less).
    #[must_use]
    pub fn held(&self) -> usize {
        self.current.as_ref().map_or(0, |file| file.window.held()).saturating_add(self.secrets_bytes)
    }

    #[inline]
    fn next_record(&mut self) -> Result<Option<Record>, CaptureError> {
        let ready = self.current.as_mut().and_then(|file| match &mut file.parser {
            Parser::Pcap(pcap) => pcap.next_buffered(&mut file.window),
            Parser::Pcapng(pcapng) => pcapng.next_buffered(&mut file.window),
            Parser::Unknown => None,
        });
        match ready {
            Some(record) => Ok(Some(self.count(record))),
            None => self.read_record(),
        }
    }

    /// The next packet when it is not in the window yet: reads, opens the next file, takes secrets, reports an end.
    #[cold]
    fn read_record(&mut self) -> Result<Option<Record>, CaptureError> {
        loop {
            let Some(file) = &mut self.current else {
                match self.pending.pop_front() {
                    Some(source) => self.open_source(source)?,
                    None => return Ok(None),
                }
                continue;
            };
            let item = match &mut file.parser {
                Parser::Pcap(pcap) => pcap.next_item(&mut file.window),
                Parser::Pcapng(pcapng) => pcapng.next_item(&mut file.window),
                Parser::Unknown => {
                    self.detect_format()?;
                    continue;
                }
            };
            match item {
                Ok(FileItem::Packet(record)) => return Ok(Some(self.count(record))),
                other => self.handle(other)?,
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
        let file = self.current.as_ref()?;
        Some(Packet {
            seen: PacketRef { packet: self.packets, at: record.at },
            link: record.link,
            bytes: file.window.slice(record.start, record.len),
            original_len: record.original_len,
        })
    }

    #[inline]
    fn passes(&mut self, record: &Record) -> bool {
        let (Some(filter), Some(file)) = (&mut self.filter, &self.current) else { return true };
        let bytes = file.window.slice(record.start, record.len);
        filter.matches_bytes(record.link, bytes, record.original_len)
    }

    /// Handles all but packets.
    fn handle(&mut self, item: Result<FileItem, CorruptRecord>) -> Result<(), CaptureError> {
        match item {
            Ok(FileItem::Packet(_)) => Ok(()),
            Ok(FileItem::Secrets(secrets)) => {
                self.keep_secrets(secrets);
                Ok(())
            }
            Ok(FileItem::SecretsDropped) => {
                self.warn_of_dropped_secrets();
                Ok(())
            }
            Ok(FileItem::End { start }) => self.finish(start),
            Err(CorruptRecord { offset, what }) => {
                let packet = self.packets;
                match self.close() {
                    Some(file) => Err(CaptureError::Corrupt { place: file.place(offset), packet, what }),
                    None => Ok(()),
                }
            }
        }
    }

    fn keep_secrets(&mut self, secrets: Secrets) {
        let bytes = self.secrets_bytes.saturating_add(secrets.bytes.len()).saturating_add(size_of::<Secrets>());
        if bytes > MAX_SECRETS_BYTES {
            self.warn_of_dropped_secrets();
        } else {
            self.secrets_bytes = bytes;
            self.secrets.push(secrets);
        }
    }

    fn warn_of_dropped_secrets(&mut self) {
        let Some(file) = &self.current else { return };
        let warning = Warning::SecretsDropped { name: file.name.clone() };
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Ends the file, whether it is complete, cut short, or cannot be read on. `start` is the end of the last record.
    fn finish(&mut self, start: u64) -> Result<(), CaptureError> {
        let packet = self.packets;
        let Some(mut file) = self.close() else { return Ok(()) };
        let left = file.window.received().saturating_sub(start);
        let place = file.place(start);
        let end = file.window.take_end();
        if let StreamEnd::Failed(source) = end {
            return Err(CaptureError::Read { place, packet, source });
        }
        if left > 0 || matches!(end, StreamEnd::Truncated) {
            self.warnings.push(Warning::CutShort { place, left, packet });
        }
        if matches!(end, StreamEnd::TrailingBytes) {
            self.warnings.push(Warning::TrailingBytes { place: file.place(file.window.received()) });
        }
        Ok(())
    }

    /// Closes the current file.
    fn close(&mut self) -> Option<CurrentFile> {
        let closed = self.current.take()?;
        if let Some(file) = self.files.last_mut() {
            file.packets = self.packets.saturating_sub(closed.packets_before);
        }
        Some(closed)
    }

    /// Opens an input, and detects its compression.
    fn open_source(&mut self, source: Source) -> Result<(), CaptureError> {
        let name = source.name.clone();
        let duplicate = source.duplicate_plain();
        let (reader, mut kind) = source.open(&self.bytes_read)?;
        let mut window = Window::new(reader, kind);
        window.fill(MAGIC_LEN);
        let compression = Compression::detect(window.bytes());
        if let Some(compression) = compression {
            let inside = compression.decompress(window.into_reader());
            let inside = inside.map_err(|source| CaptureError::Open { name: name.clone(), source })?;
            if kind == InputKind::File {
                kind = InputKind::CompressedFile;
            }
            window = Window::new(inside, kind);
        }
        self.files.push(InputFile { name: name.clone(), format: None, compression, packets: 0 });
        let packets_before = self.packets;
        let parser = Parser::Unknown;
        self.current =
            Some(CurrentFile { name, compression, window, parser, packets_before, duplicate, searched: false });
        Ok(())
    }

    /// Detects the format of the current file.
    fn detect_format(&mut self) -> Result<(), CaptureError> {
        let Some(file) = &mut self.current else { return Ok(()) };
        file.window.fill(MAGIC_LEN);
        let Some(format) = Format::detect(file.window.bytes()) else { return self.reject() };
        if let Some(file) = self.files.last_mut() {
            file.format = Some(format);
        }
        match format {
            Format::Pcapng => file.parser = Parser::Pcapng(Pcapng::new(self.last)),
            Format::Pcap => {
                file.window.fill(pcap::FILE_HEADER_LEN);
                let Some(pcap) = Pcap::parse(file.window.bytes()) else { return self.finish(0) };
                file.window.take(pcap::FILE_HEADER_LEN);
                file.parser = Parser::Pcap(pcap);
            }
        }
        Ok(())
    }

    /// Closes a file without a magic number: it is no capture, is empty, or was cut before the end of the magic number.
    fn reject(&mut self) -> Result<(), CaptureError> {
        let Some(file) = &mut self.current else { return Ok(()) };
        file.window.fill(SHOWN_LEN);
        let bytes = file.window.bytes();
        let found = bytes.get(..SHOWN_LEN).unwrap_or(bytes).to_vec();
        if found.len() < MAGIC_LEN && !file.window.is_complete() {
            return self.finish(0);
        }
        let Some(file) = self.close() else { return Ok(()) };
        if !found.is_empty() {
            return Err(CaptureError::NotACapture { place: file.place(0), found });
        }
        let name = file.name;
        if self.pending.is_empty() && self.files.iter().all(|file| file.format.is_none()) {
            return Err(CaptureError::Empty { name });
        }
        self.warnings.push(Warning::Empty { name });
        Ok(())
    }
}

impl CurrentFile {
    fn place(&self, offset: u64) -> Place {
        Place { name: self.name.clone(), offset, compression: self.compression }
    }
}

#[cfg(test)]
mod tests;

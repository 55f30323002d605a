//! Where bytes come from: files, standard input, or any reader.
//!
//! In: names. Out: readers that count what is read from them. Nothing is opened before its turn, except for a look whether
//! it can be: pipes and devices must not be opened twice.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::block::Pace;
use super::compressed::Compression;
use super::error::CaptureError;

/// Bytes of the magic number of any compression.
const MAGIC_LEN: u64 = 4;

/// One input that waits for its turn.
pub(super) struct Source {
    pub(super) name: String,
    origin: Origin,
    /// Bytes on disk, of a regular file.
    pub(super) len: Option<u64>,
}

enum Origin {
    File(PathBuf),
    Stdin,
    Reader(Box<dyn Read + Send>),
}

impl Source {
    /// A file, or standard input for `-`.
    ///
    /// # Errors
    /// When a file is not there or may not be read.
    pub(super) fn from_path(path: &Path) -> Result<Self, CaptureError> {
        if path.as_os_str() == "-" {
            let len = stdin().ok().and_then(|stdin| stdin.len);
            return Ok(Self { name: "standard input".to_owned(), origin: Origin::Stdin, len });
        }
        let name = path.display().to_string();
        match look_at(path) {
            Ok(len) => Ok(Self { name, origin: Origin::File(path.to_owned()), len }),
            Err(source) => Err(CaptureError::Open { name, source }),
        }
    }

    pub(super) fn from_reader(name: String, reader: Box<dyn Read + Send>) -> Self {
        Self { name, origin: Origin::Reader(reader), len: None }
    }

    /// The same once more, if it is a regular file and not compressed.
    pub(super) fn again(&self) -> Option<Self> {
        let Origin::File(path) = &self.origin else { return None };
        self.len?;
        let mut magic = Vec::new();
        open_file(path).ok()?.take(MAGIC_LEN).read_to_end(&mut magic).ok()?;
        let plain = Compression::detect(&magic).is_none();
        plain.then(|| Self { name: self.name.clone(), origin: Origin::File(path.clone()), len: self.len })
    }

    /// The same once more, compressed or not, if it is a regular file.
    pub(super) fn copy(&self) -> Option<Self> {
        let Origin::File(path) = &self.origin else { return None };
        self.len.map(|len| Self { name: self.name.clone(), origin: Origin::File(path.clone()), len: Some(len) })
    }

    /// Opens it; reads of it are added to `count`.
    ///
    /// # Errors
    /// When a file cannot be opened any more.
    pub(super) fn open(self, count: &Arc<AtomicU64>) -> Result<(Box<dyn Read + Send>, Pace), CaptureError> {
        let opened = match self.origin {
            Origin::File(path) => open_file(&path).and_then(Plain::new),
            Origin::Stdin => stdin(),
            Origin::Reader(reader) => Ok(Plain { reader, len: None }),
        };
        let Plain { reader, len } = opened.map_err(|source| CaptureError::Open { name: self.name, source })?;
        let pace = if len.is_some() { Pace::Ready } else { Pace::Awaited };
        Ok((Box::new(Counted { reader, count: Arc::clone(count) }), pace))
    }
}

/// Whether a file can be read, and how long it is if it is a regular one.
fn look_at(path: &Path) -> io::Result<Option<u64>> {
    let about = fs::metadata(path)?;
    if about.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !about.is_file() {
        return Ok(None);
    }
    open_file(path).map(|_| Some(about.len()))
}

#[expect(clippy::disallowed_methods, reason = "captures are opened here and nowhere else")]
fn open_file(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// A reader, and how long it is if it is a regular file.
struct Plain {
    reader: Box<dyn Read + Send>,
    len: Option<u64>,
}

impl Plain {
    fn new(file: File) -> io::Result<Self> {
        let about = file.metadata()?;
        Ok(Self { reader: Box::new(file), len: about.is_file().then_some(about.len()) })
    }
}

/// Standard input as a file: without the small buffer and the lock of the standard library's.
#[cfg(unix)]
fn stdin() -> io::Result<Plain> {
    use std::os::fd::AsFd;
    Plain::new(io::stdin().as_fd().try_clone_to_owned()?.into())
}

#[cfg(not(unix))]
fn stdin() -> io::Result<Plain> {
    Ok(Plain { reader: Box::new(io::stdin()), len: None })
}

/// Counts bytes as they leave the disk or the pipe, before they are decompressed.
struct Counted {
    reader: Box<dyn Read + Send>,
    count: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(out)?;
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

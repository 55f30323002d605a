//! The places that bytes come from: files, standard input, or any reader.
//!
//! In: names. Out: readers that count the bytes read from them. Regular files are opened at once, to check that they can be,
//! and again when their turn comes; pipes and devices only then, since they must not be opened twice.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::block::InputKind;
use super::compressed::Compression;
use super::error::CaptureError;

/// Bytes of the magic number of any compression.
const MAGIC_LEN: u64 = 4;

/// One input, before it is opened.
pub(super) struct Source {
    pub(super) name: String,
    origin: Origin,
    /// Bytes on disk, if it is a regular file.
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
    /// When the file does not exist or may not be read.
    pub(super) fn from_path(path: &Path) -> Result<Self, CaptureError> {
        if path.as_os_str() == "-" {
            let len = stdin().ok().and_then(|stdin| stdin.len);
            return Ok(Self { name: "standard input".to_owned(), origin: Origin::Stdin, len });
        }
        let name = path.display().to_string();
        match check_readable(path) {
            Ok(len) => Ok(Self { name, origin: Origin::File(path.to_owned()), len }),
            Err(source) => Err(CaptureError::Open { name, source }),
        }
    }

    pub(super) fn from_reader(name: String, reader: Box<dyn Read + Send>) -> Self {
        Self { name, origin: Origin::Reader(reader), len: None }
    }

    /// The same input, to be opened once more, if it is a regular file and not compressed.
    pub(super) fn duplicate_plain(&self) -> Option<Self> {
        let Origin::File(path) = &self.origin else { return None };
        self.len?;
        let mut magic = Vec::new();
        open_file(path).ok()?.take(MAGIC_LEN).read_to_end(&mut magic).ok()?;
        let plain = Compression::detect(&magic).is_none();
        plain.then(|| Self { name: self.name.clone(), origin: Origin::File(path.clone()), len: self.len })
    }

    /// The same input, to be opened once more, if it is a regular file, compressed or not.
    pub(super) fn duplicate(&self) -> Option<Self> {
        let Origin::File(path) = &self.origin else { return None };
        self.len.map(|len| Self { name: self.name.clone(), origin: Origin::File(path.clone()), len: Some(len) })
    }

    /// Opens it. Bytes read from it are added to `count`.
    ///
    /// # Errors
    /// When the file cannot be opened any more.
    pub(super) fn open(self, count: &Arc<AtomicU64>) -> Result<(Box<dyn Read + Send>, InputKind), CaptureError> {
        let opened = match self.origin {
            Origin::File(path) => open_file(&path).and_then(Opened::new),
            Origin::Stdin => stdin(),
            Origin::Reader(reader) => Ok(Opened { reader, len: None }),
        };
        let Opened { reader, len } = opened.map_err(|source| CaptureError::Open { name: self.name, source })?;
        let kind = if len.is_some() { InputKind::File } else { InputKind::Pipe };
        Ok((Box::new(Counted { reader, count: Arc::clone(count) }), kind))
    }
}

/// Checks that a file can be read; answers its length if it is a regular one.
fn check_readable(path: &Path) -> io::Result<Option<u64>> {
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !metadata.is_file() {
        return Ok(None);
    }
    open_file(path).map(|_| Some(metadata.len()))
}

#[expect(clippy::disallowed_methods, reason = "captures are opened here and nowhere else")]
fn open_file(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// A reader, and how long it is if it is a regular file.
struct Opened {
    reader: Box<dyn Read + Send>,
    len: Option<u64>,
}

impl Opened {
    fn new(file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self { reader: Box::new(file), len: metadata.is_file().then_some(metadata.len()) })
    }
}

/// Standard input as a file: without the lock and the small buffer of [`io::Stdin`].
#[cfg(unix)]
fn stdin() -> io::Result<Opened> {
    use std::os::fd::AsFd;
    Opened::new(io::stdin().as_fd().try_clone_to_owned()?.into())
}

#[cfg(not(unix))]
fn stdin() -> io::Result<Opened> {
    Ok(Opened { reader: Box::new(io::stdin()), len: None })
}

/// Counts bytes as they are read from the disk or the pipe, before they are decompressed.
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

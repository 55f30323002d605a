//! The key log of a run: the file of `--keylog`, read once or followed as it grows.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::PathBuf;
#[cfg(feature = "live")]
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
#[cfg(feature = "live")]
use wslens::analyzer::run::SecretsNeed;
use wslens::tls::{KeyLog, LogLines};
use zeroize::Zeroizing;

use super::diagnostics;

/// Bytes read at a time.
const BLOCK: usize = 256 << 10;

/// A key log, and how far it was read.
pub(super) struct KeyLogFile {
    path: Option<PathBuf>,
    file: Option<File>,
    lines: LogLines,
    read: u64,
    buffer: Zeroizing<Vec<u8>>,
}

impl KeyLogFile {
    /// The file of `--keylog`; that of `SSLKEYLOGFILE`, where the option has no value. Not opened yet.
    ///
    /// # Errors
    /// `--keylog` without a value, and `SSLKEYLOGFILE` is not set.
    pub(super) fn new(keylog: Option<&PathBuf>) -> Result<Self> {
        let path = match keylog {
            Some(path) if path.as_os_str().is_empty() => {
                let named = std::env::var_os("SSLKEYLOGFILE").filter(|value| !value.is_empty());
                let missing = || anyhow!("--keylog without a file: SSLKEYLOGFILE is not set either");
                Some(PathBuf::from(named.ok_or_else(missing)?))
            }
            other => other.cloned(),
        };
        Ok(Self { path, file: None, lines: LogLines::default(), read: 0, buffer: Zeroizing::default() })
    }

    /// Reads all of the file.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn load(&mut self, keys: &mut KeyLog) -> Result<()> {
        self.read_on(keys, false)?;
        keys.finish(&mut self.lines);
        self.warn(keys);
        Ok(())
    }

    /// Reads what was added to the file since the last call. A file that does not exist yet is no error: its writer may begin
    /// later.
    ///
    /// # Errors
    /// It cannot be read.
    #[cfg(feature = "live")]
    fn follow(&mut self, keys: &mut KeyLog) -> Result<()> {
        self.read_on(keys, true)?;
        self.warn(keys);
        Ok(())
    }

    #[expect(clippy::disallowed_methods, reason = "the command's own input, named by the user")]
    fn read_on(&mut self, keys: &mut KeyLog, grows: bool) -> Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let unreadable = || format!("{}: the key log cannot be read", path.display());
        if self.file.is_none() {
            match File::open(path) {
                Ok(file) => self.file = Some(file),
                Err(error) if grows && error.kind() == ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(error).with_context(unreadable),
            }
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        // Its writer has emptied it: it begins anew.
        if grows && file.metadata().is_ok_and(|about| about.is_file() && about.len() < self.read) {
            file.seek(SeekFrom::Start(0)).with_context(unreadable)?;
            self.read = 0;
            self.lines = LogLines::default();
        }
        self.buffer.resize(BLOCK, 0);
        loop {
            let len = match file.read(&mut self.buffer) {
                Ok(0) => return Ok(()),
                Ok(len) => len,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).with_context(unreadable),
            };
            self.read = self.read.saturating_add(len as u64);
            keys.feed(&mut self.lines, self.buffer.get(..len).unwrap_or_default());
        }
    }

    fn warn(&self, keys: &mut KeyLog) {
        if let Some(path) = &self.path {
            diagnostics::key_warnings(&path.display().to_string(), &keys.take_warnings());
        }
    }
}

/// A key log that grows during a live capture.
#[cfg(feature = "live")]
pub(super) struct FollowedKeyLog {
    file: KeyLogFile,
    looked: Option<Instant>,
}

/// Between two looks at the file. Packets of the time between are analysed with the secrets there are: TLS that lacks some
/// is held back.
#[cfg(feature = "live")]
const LOOK: Duration = Duration::from_millis(20);

#[cfg(feature = "live")]
impl FollowedKeyLog {
    pub(super) const fn new(file: KeyLogFile) -> Self {
        Self { file, looked: None }
    }

    /// Whether there is a key log at all.
    pub(super) const fn is_given(&self) -> bool {
        self.file.path.is_some()
    }

    /// Reads what was added to it, if the last look was long enough ago or this is the last one.
    ///
    /// # Errors
    /// It cannot be read.
    #[expect(clippy::disallowed_methods, reason = "the file grows in the user's time, not the capture's")]
    pub(super) fn poll(&mut self, keys: &mut KeyLog, need: SecretsNeed) -> Result<()> {
        let is_recent = self.looked.is_some_and(|looked| looked.elapsed() < LOOK);
        if !self.is_given() || is_recent && need != SecretsNeed::Last {
            return Ok(());
        }
        self.looked = Some(Instant::now());
        self.file.follow(keys)
    }
}

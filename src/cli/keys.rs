//! TLS secrets for a run: the file that `--keylog` names, read once or followed as it grows, and those that captures carry.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow};
use wslens::tls::{KeyLog, LogLines};
use zeroize::Zeroizing;

use super::say;

/// Bytes read at a time.
const BLOCK: usize = 256 << 10;

/// A key log, and how far it was read.
pub(super) struct Keys {
    path: Option<PathBuf>,
    file: Option<File>,
    lines: LogLines,
    read: u64,
    buffer: Zeroizing<Vec<u8>>,
}

impl Keys {
    /// The file that was named; by `SSLKEYLOGFILE`, where `--keylog` has no value.
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

    /// Whether there is a file at all.
    #[cfg(feature = "live")]
    pub(super) const fn has_file(&self) -> bool {
        self.path.is_some()
    }

    /// Reads all of the file, or what is left of it.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn load(&mut self, keys: &mut KeyLog) -> Result<()> {
        self.go_on(keys, false)?;
        keys.finish(&mut self.lines);
        self.warn(keys);
        Ok(())
    }

    /// Reads what was added to the file since. That it is not there yet is no error: who writes it may begin later.
    ///
    /// # Errors
    /// It cannot be read.
    #[cfg(feature = "live")]
    pub(super) fn follow(&mut self, keys: &mut KeyLog) -> Result<()> {
        self.go_on(keys, true)?;
        self.warn(keys);
        Ok(())
    }

    #[expect(clippy::disallowed_methods, reason = "the command's own input, named by the user")]
    fn go_on(&mut self, keys: &mut KeyLog, live: bool) -> Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let unreadable = || format!("{}: the key log cannot be read", path.display());
        if self.file.is_none() {
            match File::open(path) {
                Ok(file) => self.file = Some(file),
                Err(error) if live && error.kind() == ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(error).with_context(unreadable),
            }
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        // Emptied by who writes it: it begins anew.
        if live && file.metadata().is_ok_and(|about| about.is_file() && about.len() < self.read) {
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
            say::key_warnings(&path.display().to_string(), &keys.take_warnings());
        }
    }
}

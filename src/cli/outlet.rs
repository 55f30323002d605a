//! The destination of an output: a file or standard output, in complete rows.
//!
//! In: rows, any number of complete ones a write. Out: the same, gathered. When something goes wrong, the rows that have
//! arrived are complete, as far as that can be had: of a write that fails half-way (a full disk) the cut row is removed where
//! the output is a regular file. A kill that cannot be caught may cut the row that is being written, in a file at the border
//! of a page; that cannot be prevented here.
//!
//! A closed pipe ends its own output. When it was the last one, or the run has no end of its own, it ends the run.

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal as _, Seek as _, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::plan::is_dash;

/// Bytes that are gathered unless it is a terminal: fewer calls, and little to lose.
const GATHERED: usize = 64 << 10;

/// The outputs of a run that are still written.
#[derive(Debug, Default)]
pub(super) struct Outlets {
    open: Arc<AtomicUsize>,
    endless: bool,
    /// The files that are written, as the system knows them.
    #[cfg(unix)]
    files: std::cell::RefCell<Vec<(u64, u64)>>,
}

impl Outlets {
    /// None yet. An `endless` run has no end of its own: there a closed pipe ends it.
    pub(super) fn new(endless: bool) -> Self {
        Self { endless, ..Self::default() }
    }

    /// Opens the file at `path`, or standard output for `-`.
    ///
    /// # Errors
    /// When it cannot be made, or is written already; the text does not name it.
    pub(super) fn open(&self, path: &Path) -> io::Result<Outlet> {
        if is_dash(path) { self.stdout() } else { self.outlet(File::create(path)?, path.display().to_string()) }
    }

    /// Standard output, without the standard library's buffer, which may cut rows.
    ///
    /// # Errors
    /// When the system does not give it.
    pub(super) fn stdout(&self) -> io::Result<Outlet> {
        #[cfg(unix)]
        let file = std::os::fd::AsFd::as_fd(&io::stdout()).try_clone_to_owned()?;
        #[cfg(windows)]
        let file = std::os::windows::io::AsHandle::as_handle(&io::stdout()).try_clone_to_owned()?;
        self.outlet(File::from(file), "standard output".to_owned())
    }

    fn outlet(&self, file: File, name: String) -> io::Result<Outlet> {
        #[cfg(unix)]
        self.refuse_overwrite(&file)?;
        self.open.fetch_add(1, Ordering::Relaxed);
        let (open, endless) = (Arc::clone(&self.open), self.endless);
        // On a terminal each row is shown at once.
        let room = if file.is_terminal() { 0 } else { GATHERED };
        Ok(Outlet { file, name, room, gathered: Vec::new(), state: State::Open, open, endless })
    }

    /// Refuses a file that another output is written to: by another name, or as standard output.
    #[cfg(unix)]
    fn refuse_overwrite(&self, file: &File) -> io::Result<()> {
        use std::os::unix::fs::MetadataExt as _;
        let about = file.metadata()?;
        let (file, mut files) = ((about.dev(), about.ino()), self.files.borrow_mut());
        if about.is_file() && files.contains(&file) {
            return Err(io::Error::other("another output is written to it"));
        }
        files.push(file);
        Ok(())
    }
}

/// One output.
#[derive(Debug)]
pub(super) struct Outlet {
    file: File,
    name: String,
    /// Bytes that are gathered.
    room: usize,
    gathered: Vec<u8>,
    state: State,
    open: Arc<AtomicUsize>,
    endless: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Its reader went away: further rows are discarded.
    Closed,
    /// It cannot be written. The error was reported.
    Failed,
}

impl Outlet {
    /// Hands complete rows to the system.
    fn put(&mut self, rows: &[u8]) -> io::Result<()> {
        if self.state != State::Open {
            return Ok(());
        }
        let mut rest = rows;
        while !rest.is_empty() {
            let error = match self.file.write(rest) {
                Ok(0) => ErrorKind::WriteZero.into(),
                Ok(len) => {
                    rest = rest.get(len..).unwrap_or_default();
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => error,
            };
            let written = rows.get(..rows.len() - rest.len()).unwrap_or_default();
            return self.fail(&error, written);
        }
        Ok(())
    }

    /// It cannot be written any more; `written` is the part of the last rows that arrived.
    fn fail(&mut self, error: &io::Error, written: &[u8]) -> io::Result<()> {
        if error.kind() == ErrorKind::BrokenPipe {
            self.state = State::Closed;
            let last = self.open.fetch_sub(1, Ordering::Relaxed) <= 1;
            return if last || self.endless { Err(ErrorKind::BrokenPipe.into()) } else { Ok(()) };
        }
        self.state = State::Failed;
        let complete = memchr::memrchr(b'\n', written).map_or(0, |at| at + 1);
        let cut = (written.len() - complete) as u64;
        let state = match (cut, cut > 0 && self.remove(cut)) {
            (0, _) | (_, true) => "it has complete rows only",
            (_, false) => "its last row is cut",
        };
        Err(io::Error::new(error.kind(), format!("{}: {error}; {state}", self.name)))
    }

    /// Removes the last bytes, if they are at the end of a regular file.
    fn remove(&mut self, bytes: u64) -> bool {
        let end = self.file.metadata().ok().filter(std::fs::Metadata::is_file).map(|about| about.len());
        let here = self.file.stream_position().ok();
        match end.filter(|_| end == here).and_then(|end| end.checked_sub(bytes)) {
            Some(len) => self.file.set_len(len).is_ok(),
            None => false,
        }
    }
}

impl Write for Outlet {
    fn write(&mut self, rows: &[u8]) -> io::Result<usize> {
        self.write_all(rows)?;
        Ok(rows.len())
    }

    fn write_all(&mut self, rows: &[u8]) -> io::Result<()> {
        if self.gathered.len() + rows.len() > self.room {
            self.flush()?;
        }
        if rows.len() > self.room {
            return self.put(rows);
        }
        self.gathered.extend_from_slice(rows);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        let rows = core::mem::take(&mut self.gathered);
        let put = self.put(&rows);
        self.gathered = rows;
        self.gathered.clear();
        put
    }
}

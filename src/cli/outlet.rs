//! Where an output goes: a file or standard output, in whole rows.
//!
//! In: rows, any number of whole ones a write. Out: the same, gathered. What has arrived when something goes wrong ends with
//! a whole row, as far as that is ours to say: of a write that fails half-way (a full disk) the cut row is taken back where
//! the output is a regular file. A kill that cannot be caught may cut the row that is being written, in a file at the border
//! of a page; nothing can be done about that here.
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
    /// None yet. With `endless` the run goes on until somebody ends it: then a closed pipe does.
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

    /// Standard output, past the standard library's buffer, which knows lines and no rows.
    ///
    /// # Errors
    /// When it cannot be had.
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
        // Who looks at a terminal wants to see it now.
        let room = if file.is_terminal() { 0 } else { GATHERED };
        Ok(Outlet { file, name, room, gathered: Vec::new(), state: State::Open, open, endless })
    }

    /// Refuses a file that is written already: by another name, or as standard output.
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
    /// Nobody reads it any more: what comes is thrown away.
    Closed,
    /// It cannot be written. That was told.
    Failed,
}

impl Outlet {
    /// Hands whole rows to the system.
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
            return self.give_up(&error, written);
        }
        Ok(())
    }

    /// It cannot be written on: `written` is what arrived of the last rows.
    fn give_up(&mut self, error: &io::Error, written: &[u8]) -> io::Result<()> {
        if error.kind() == ErrorKind::BrokenPipe {
            self.state = State::Closed;
            let last = self.open.fetch_sub(1, Ordering::Relaxed) <= 1;
            return if last || self.endless { Err(ErrorKind::BrokenPipe.into()) } else { Ok(()) };
        }
        self.state = State::Failed;
        let whole = memchr::memrchr(b'\n', written).map_or(0, |at| at + 1);
        let cut = (written.len() - whole) as u64;
        let state = match (cut, cut > 0 && self.take_back(cut)) {
            (0, _) | (_, true) => "what is there is whole rows",
            (_, false) => "its last row is cut",
        };
        Err(io::Error::new(error.kind(), format!("{}: {error}; {state}", self.name)))
    }

    /// Takes the last bytes back, if they are at the end of a regular file.
    fn take_back(&mut self, bytes: u64) -> bool {
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

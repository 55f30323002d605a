//! Secrets in captures: whether an input can carry some, before it is read; and those further on in the current file.

use std::collections::VecDeque;

use super::{Input, Parser};
use crate::capture::error::CaptureError;
use crate::capture::record::Secrets;

impl Input {
    /// Whether any of the files can carry secrets, which their first bytes show. If the only pipe comes first, it is opened
    /// for that; a later pipe cannot be, so the answer is true.
    ///
    /// # Errors
    /// When that pipe is no capture.
    pub fn can_carry_secrets(&mut self) -> Result<bool, CaptureError> {
        let mut pipes = 0;
        for source in &self.pending {
            match source.duplicate() {
                Some(duplicate) => {
                    let mut probe = Self::new(VecDeque::from([duplicate]));
                    // An error is reported when its turn comes.
                    if probe.open_next().is_ok() && probe.may_have_secrets() {
                        return Ok(true);
                    }
                }
                None => pipes += 1,
            }
        }
        if pipes == 1 && self.pending.front().is_some_and(|source| source.duplicate().is_none()) {
            self.open_next()?;
            return Ok(self.may_have_secrets());
        }
        Ok(pipes > 0)
    }

    /// All secrets of the current file, those after the last packet included: the file is read a second time for them. None
    /// if it cannot be (a pipe, a compressed file, a pcap) or was already.
    pub fn secrets_ahead(&mut self) -> Vec<Secrets> {
        let Some(file) = &mut self.current else { return Vec::new() };
        let (Parser::Pcapng(_), Some(duplicate)) = (&file.parser, file.duplicate.take()) else { return Vec::new() };
        file.searched = true;
        let mut search = Self::new(VecDeque::from([duplicate]));
        // An error is reported when its place is reached.
        while let Ok(Some(_)) = search.next_record() {}
        search.take_secrets()
    }

    /// Opens the next input, and detects its format.
    fn open_next(&mut self) -> Result<(), CaptureError> {
        let Some(source) = self.pending.pop_front() else { return Ok(()) };
        self.open_source(source)?;
        self.detect_format()
    }
}

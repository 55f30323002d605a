//! Which inputs can carry secrets, before they are read; and those that stand further on in a file.

use std::collections::VecDeque;

use super::{Input, Walker};
use crate::capture::error::CaptureError;
use crate::capture::record::Secrets;

impl Input {
    /// Whether any of the files can carry secrets, which their first bytes tell. A pipe that comes first is begun for that;
    /// of a later one it is not known, so that it can.
    ///
    /// # Errors
    /// When that pipe is no capture.
    pub fn can_carry_secrets(&mut self) -> Result<bool, CaptureError> {
        let mut pipes = 0;
        for source in &self.waiting {
            match source.copy() {
                Some(copy) => {
                    let mut probe = Self::new(VecDeque::from([copy]));
                    // What is wrong with it is told when its turn comes.
                    if probe.begin_next().is_ok() && probe.may_have_secrets() {
                        return Ok(true);
                    }
                }
                None => pipes += 1,
            }
        }
        if pipes == 1 && self.waiting.front().is_some_and(|source| source.copy().is_none()) {
            self.begin_next()?;
            return Ok(self.may_have_secrets());
        }
        Ok(pipes > 0)
    }

    /// All secrets of the file at hand, wherever they stand in it, for those who cannot wait: it is walked once more, packets and
    /// all. None where that cannot be done or was: in a pipe, in what is compressed, in a pcap.
    pub fn secrets_ahead(&mut self) -> Vec<Secrets> {
        let Some(reading) = &mut self.reading else { return Vec::new() };
        let (Walker::Pcapng(_), Some(again)) = (&reading.walker, reading.again.take()) else { return Vec::new() };
        reading.looked_ahead = true;
        let mut ahead = Self::new(VecDeque::from([again]));
        // Where it cannot be read on, it is said when that place is reached.
        while let Ok(Some(_)) = ahead.next_record() {}
        ahead.take_secrets()
    }

    /// Opens the next input, and finds out what it is.
    fn begin_next(&mut self) -> Result<(), CaptureError> {
        let Some(source) = self.waiting.pop_front() else { return Ok(()) };
        self.begin(source)?;
        self.recognize()
    }
}

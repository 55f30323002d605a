//! Which inputs can carry secrets, before they are read.

use std::collections::VecDeque;

use super::Input;
use crate::capture::error::CaptureError;

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

    /// Opens the next input, and finds out what it is.
    fn begin_next(&mut self) -> Result<(), CaptureError> {
        let Some(source) = self.waiting.pop_front() else { return Ok(()) };
        self.begin(source)?;
        self.recognize()
    }
}

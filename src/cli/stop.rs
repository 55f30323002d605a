//! Signals that end a run before its input does: Ctrl-C and `kill`.
//!
//! A run checks the flag between packets, writes the complete rows that it has, and reports the signal. If it cannot, because it
//! waits for input that does not come or for an output that is not read, a thread ends it after [`PATIENCE`]; what was written
//! before are complete rows then, too. A second signal ends it at once.

use core::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use std::{io, thread};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

use super::diagnostics;

/// How long a run has to end after a signal. Longer than a packet takes, shorter than a user waits.
const PATIENCE: Duration = Duration::from_millis(500);

/// The exit status after a second signal: what a shell reports of a program that Ctrl-C ended.
const SECOND_SIGNAL_STATUS: i32 = 130;

/// Whether a signal came.
#[derive(Debug)]
pub(super) struct Stop(Arc<AtomicUsize>);

impl Stop {
    /// Installs the handlers: from now on the run checks for signals.
    ///
    /// # Errors
    /// When the system has no place for a handler or a thread.
    pub(super) fn install() -> io::Result<Self> {
        let came = Arc::<AtomicUsize>::default();
        for signal in [SIGINT, SIGTERM] {
            flag_second(signal, Arc::default())?;
            flag::register_usize(signal, Arc::clone(&came), usize::try_from(signal).unwrap_or(0))?;
        }
        #[cfg(unix)]
        watch()?;
        Ok(Self(came))
    }

    /// The signal that came, if any.
    #[inline]
    pub(super) fn came(&self) -> Option<Stopped> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            signal => Some(Stopped(i32::try_from(signal).unwrap_or(SIGTERM))),
        }
    }
}

/// A signal sets `stop`, which the run checks; a second one exits at once.
///
/// # Errors
/// When the system has no place for a handler.
#[cfg(feature = "live")]
pub(super) fn set_on_signals(stop: &Arc<AtomicBool>) -> io::Result<()> {
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, SECOND_SIGNAL_STATUS, Arc::clone(stop))?;
        flag::register(signal, Arc::clone(stop))?;
    }
    Ok(())
}

/// Exits at the second such signal.
fn flag_second(signal: i32, seen: Arc<AtomicBool>) -> io::Result<()> {
    flag::register_conditional_shutdown(signal, SECOND_SIGNAL_STATUS, Arc::clone(&seen))?;
    flag::register(signal, seen)?;
    Ok(())
}

/// Makes a file that reaches the limit of its size (`ulimit -f`) an error like a full disk, instead of the end of the process.
#[cfg(unix)]
pub(super) fn outlive_file_limit() {
    // If the handler cannot be installed, the signal kills the process, as it does by default.
    drop(flag::register(signal_hook::consts::SIGXFSZ, Arc::default()));
}

/// Ends a run that does not check the flag in time.
#[cfg(unix)]
fn watch() -> io::Result<()> {
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
    thread::Builder::new().name("wslens-signals".to_owned()).spawn(move || {
        if let Some(signal) = signals.forever().next() {
            thread::sleep(PATIENCE);
            let stopped = Stopped(signal);
            diagnostics::error(&stopped.to_string());
            stopped.exit();
        }
    })?;
    Ok(())
}

/// A signal ended the run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stopped(i32);

impl Stopped {
    /// After Ctrl-C, ends the process by that signal as programs do, so that a shell's loop ends as well; after another signal, exits
    /// with 2, since the outputs are incomplete.
    pub(super) fn exit(self) -> ! {
        if self.0 == SIGINT {
            // Does not return, unless the system refuses.
            drop(low_level::emulate_default_handler(SIGINT));
        }
        std::process::exit(2)
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = low_level::signal_name(self.0).unwrap_or("a signal");
        write!(f, "ended by {name} before all of the input was read; the outputs have complete rows only")
    }
}

impl core::error::Error for Stopped {}

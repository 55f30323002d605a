//! Signals that end a run before its input does: Ctrl-C and `kill`.
//!
//! A run looks at the flag between packets, hands its whole rows on and says so. One that cannot look, because it waits for
//! input that does not come or an output that does not take, is ended by a thread after [`PATIENCE`]; what was written before
//! is whole rows then, too. A second signal ends it at once.

use core::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use std::{io, thread};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

use super::say;

/// How long a run has to see that it is to end. Longer than a packet takes, shorter than a person waits.
const PATIENCE: Duration = Duration::from_millis(500);

/// What a second signal exits with: as a shell says it of a program that Ctrl-C ended.
const SECOND: i32 = 130;

/// Whether a signal came.
#[derive(Debug)]
pub(super) struct Stop(Arc<AtomicUsize>);

impl Stop {
    /// From now on signals are looked at by the run.
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

    /// The signal that came, if one did.
    #[inline]
    pub(super) fn came(&self) -> Option<Stopped> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            signal => Some(Stopped(i32::try_from(signal).unwrap_or(SIGTERM))),
        }
    }
}

/// The signal sets `stop`, which the run looks at; a second one exits at once.
///
/// # Errors
/// When the system has no place for a handler.
#[cfg(feature = "live")]
pub(super) fn set_on_signals(stop: &Arc<AtomicBool>) -> io::Result<()> {
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, SECOND, Arc::clone(stop))?;
        flag::register(signal, Arc::clone(stop))?;
    }
    Ok(())
}

/// Exits at the second such signal.
fn flag_second(signal: i32, seen: Arc<AtomicBool>) -> io::Result<()> {
    flag::register_conditional_shutdown(signal, SECOND, Arc::clone(&seen))?;
    flag::register(signal, seen)?;
    Ok(())
}

/// A file that reaches the limit of its size (`ulimit -f`) is an error like a full disk, not a death.
#[cfg(unix)]
pub(super) fn outlive_file_limit() {
    // Without it the signal kills, which is not ours to prevent.
    drop(flag::register(signal_hook::consts::SIGXFSZ, Arc::default()));
}

/// Ends a run that does not see that it is to end.
#[cfg(unix)]
fn watch() -> io::Result<()> {
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
    thread::Builder::new().name("wslens-signals".to_owned()).spawn(move || {
        if let Some(signal) = signals.forever().next() {
            thread::sleep(PATIENCE);
            let stopped = Stopped(signal);
            say::error(&stopped.to_string());
            stopped.exit();
        }
    })?;
    Ok(())
}

/// A signal ended the run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stopped(i32);

impl Stopped {
    /// Dies of Ctrl-C as programs do, so that a shell's loop ends as well; of another signal exits with 2, since outputs are
    /// not what they should have been.
    pub(super) fn exit(self) -> ! {
        if self.0 == SIGINT {
            // Does not return, unless the system does not let it.
            drop(low_level::emulate_default_handler(SIGINT));
        }
        std::process::exit(2)
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = low_level::signal_name(self.0).unwrap_or("a signal");
        write!(f, "ended by {name} before all was read; what was written is whole rows")
    }
}

impl core::error::Error for Stopped {}

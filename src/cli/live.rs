//! `wslens live`: sniffs an interface until Ctrl-C, `--duration` or `--packets`.
//!
//! The packets go through [`Analyzer::run`]. What only a live capture has is here: the wall clock, a key log that grows, packets
//! that were dropped, and outputs that are flushed while the interface is quiet.

use core::ops::ControlFlow;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Error, Result};
use wslens::analyzer::Analyzer;
use wslens::analyzer::run::{Ended, NextPacket, PacketSource, SecretsNeed};
use wslens::capture::{CaptureError, Live, LiveOptions, LiveStats};
use wslens::output::Outputs;
use wslens::tls::KeyLog;

use super::args::LiveArgs;
use super::keys::{FollowedKeyLog, KeyLogFile};
use super::outputs::{self, OpenOutputs};
use super::plan::Plan;
use super::read::UNWRITABLE;
use super::stop::set_on_signals;
#[cfg(unix)]
use super::user::User;
use super::{Ending, diagnostics};

/// Sniffs, and writes what was asked for.
///
/// # Errors
/// Wrong usage, an interface that cannot be sniffed, an output that could not be written.
pub(super) fn live(args: &LiveArgs) -> Result<Ending> {
    let plan = Plan::new(&args.common)?;
    let live = open(args)?;
    set_on_signals(&live.stop_flag())?;
    let OpenOutputs { list: mut outputs, worst } = outputs::open(&plan, true)?;
    diagnostics::note(&format!("listening on {}; Ctrl-C ends it", args.interface));
    let mut analyzer = Analyzer::new(&plan.options(&outputs));
    let mut listening = Listening::new(args, live)?;
    let mut drops = Drops::default();
    let interface_failed =
        listen(&mut listening, &mut analyzer, &mut outputs, &mut drops).inspect_err(|_| outputs.abandon())?;
    let counts = listening.live.stats();
    analyzer.finish(&mut outputs).inspect_err(|_| outputs.abandon()).context(UNWRITABLE)?;
    outputs.finish(&analyzer.totals()).context(UNWRITABLE)?;
    drops.report_totals(listening.live.packets(), counts?);
    match interface_failed {
        Some(error) => Err(error.into()),
        None => Ok(Ending::of(worst.get(), plan.fail_on)),
    }
}

/// Opens the interface; then becomes the user of `--user`, before any packet is looked at, and before outputs are opened,
/// which are to be that user's.
fn open(args: &LiveArgs) -> Result<Live> {
    #[cfg(unix)]
    let user = args.user.as_deref().map(User::find).transpose()?;
    let live = Live::open(&LiveOptions {
        filter: args.bpf.clone(),
        snaplen: u32::try_from(args.snaplen).unwrap_or(u32::MAX),
        buffer_bytes: u32::try_from(args.buffer).unwrap_or(u32::MAX),
        promiscuous: args.promiscuous,
        ..LiveOptions::new(args.interface.as_str())
    })?;
    #[cfg(unix)]
    if let Some(user) = user {
        user.become_for_good()?;
    }
    Ok(live)
}

/// Takes packets until the end. Gives the error of the interface, if that was the end.
fn listen(
    listening: &mut Listening,
    analyzer: &mut Analyzer,
    outputs: &mut Outputs<'_>,
    drops: &mut Drops,
) -> Result<Option<CaptureError>> {
    let ended = analyzer.run(listening, outputs, |pause| {
        if pause.quiet {
            drops.check(&mut pause.source.live);
            return pause.sink.flush().map_or_else(ControlFlow::Break, ControlFlow::Continue);
        }
        ControlFlow::Continue(())
    });
    match ended.context(UNWRITABLE)? {
        Ended::Complete => Ok(None),
        Ended::Failed(ListenError::Interface(error)) => Ok(Some(error)),
        Ended::Failed(ListenError::KeyLog(error)) => Err(error),
        Ended::Stopped(error) => Err(error).context(UNWRITABLE),
    }
}

/// An interface until `--packets` or `--duration` is reached, and the key log that grows meanwhile.
struct Listening {
    live: Live,
    keys: FollowedKeyLog,
    max_packets: Option<u64>,
    deadline: Deadline,
}

/// What ends a live capture early.
enum ListenError {
    Interface(CaptureError),
    KeyLog(Error),
}

impl Listening {
    fn new(args: &LiveArgs, live: Live) -> Result<Self> {
        let keys = FollowedKeyLog::new(KeyLogFile::new(args.common.keylog.as_ref())?);
        Ok(Self { live, keys, max_packets: args.packets, deadline: Deadline::new(args.duration) })
    }

    fn is_over(&self) -> bool {
        self.max_packets.is_some_and(|most| self.live.packets() >= most) || self.deadline.is_over()
    }
}

impl PacketSource for Listening {
    type Error = ListenError;

    fn next_packet(&mut self) -> Result<NextPacket<'_>, ListenError> {
        if self.is_over() {
            return Ok(NextPacket::End);
        }
        PacketSource::next_packet(&mut self.live).map_err(ListenError::Interface)
    }

    fn add_secrets(&mut self, keys: &mut KeyLog, need: SecretsNeed) -> Result<(), ListenError> {
        self.keys.poll(keys, need).map_err(ListenError::KeyLog)
    }

    fn may_have_secrets(&self) -> bool {
        self.keys.is_given()
    }
}

/// Packets that were dropped because wslens was too slow: reported while it happens, and at the end.
#[derive(Debug, Default)]
struct Drops {
    /// When the counts were last looked at.
    checked: Option<Instant>,
    /// When there was last something to report.
    warned: Option<Instant>,
    dropped: u64,
}

impl Drops {
    /// Between two checks.
    const CHECK: Duration = Duration::from_secs(1);
    /// Between two warnings.
    const WARN: Duration = Duration::from_secs(10);

    #[expect(clippy::disallowed_methods, reason = "how often a user is warned is a matter of the wall clock")]
    fn check(&mut self, live: &mut Live) {
        let now = Instant::now();
        let is_recent = |last: Option<Instant>, least| last.is_some_and(|last| now.duration_since(last) < least);
        if is_recent(self.checked, Self::CHECK) {
            return;
        }
        self.checked = Some(now);
        // Where the system does not count, the end of the run reports that.
        let Ok(stats) = live.stats() else { return };
        let dropped = stats.dropped.saturating_add(stats.dropped_by_interface);
        if dropped > self.dropped && !is_recent(self.warned, Self::WARN) {
            self.warned = Some(now);
            let more = dropped - self.dropped;
            self.dropped = dropped;
            diagnostics::warning(&format!(
                "{more} packets were dropped just now, {dropped} so far of {}",
                stats.received
            ));
        }
    }

    fn report_totals(&self, read: u64, stats: LiveStats) {
        let LiveStats { received, dropped, dropped_by_interface } = stats;
        diagnostics::note(&format!(
            "{read} packets read, {received} received, {dropped} dropped by the system, {dropped_by_interface} dropped by the interface"
        ));
        if dropped > 0 || dropped_by_interface > 0 {
            diagnostics::warning(
                "packets were dropped: a larger --buffer, a smaller --snaplen or a narrower --bpf helps",
            );
        }
    }
}

/// The end of `--duration`: by the wall clock, since a quiet interface has no other.
struct Deadline(Option<(Instant, Duration)>);

impl Deadline {
    #[expect(clippy::disallowed_methods, reason = "--duration is the user's time, not the capture's")]
    fn new(duration: Option<Duration>) -> Self {
        Self(duration.map(|duration| (Instant::now(), duration)))
    }

    fn is_over(&self) -> bool {
        self.0.is_some_and(|(start, duration)| start.elapsed() >= duration)
    }
}

//! `wslens live` and `wslens interfaces`: what an interface carries, until somebody or something says stop.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use wslens::analyzer::Analyzer;
use wslens::capture::{CaptureError, Live, LiveOptions, LiveStats, LiveStep, interfaces as list};

use super::args::LiveArgs;
use super::keys::Keys;
use super::outputs::Outputs;
use super::plan::Plan;
use super::read::UNWRITABLE;
use super::stop::set_on_signals;
#[cfg(unix)]
use super::user::User;
use super::{Ending, say};

/// Sniffs until Ctrl-C, `--duration` or `--packets`.
///
/// # Errors
/// Wrong usage, an interface that cannot be sniffed, an output that could not be written.
pub(super) fn live(args: &LiveArgs) -> Result<Ending> {
    let plan = Plan::new(&args.common)?;
    #[cfg(unix)]
    let user = args.user.as_deref().map(User::find).transpose()?;
    let mut live = Live::open(&LiveOptions {
        filter: args.bpf.clone(),
        snaplen: u32::try_from(args.snaplen).unwrap_or(u32::MAX),
        buffer_bytes: u32::try_from(args.buffer).unwrap_or(u32::MAX),
        promiscuous: args.promiscuous,
        ..LiveOptions::new(args.interface.as_str())
    })?;
    // Before anything that came over the wire is looked at, and before outputs are opened, which are the user's.
    #[cfg(unix)]
    if let Some(user) = user {
        user.become_for_good()?;
    }
    set_on_signals(&live.stop_flag())?;
    let mut outputs = Outputs::open(&plan, true)?;
    say::note(&format!("listening on {}; Ctrl-C ends it", args.interface));
    let mut analyzer = Analyzer::new(&plan.options);
    let mut keys = FollowedKeys::new(Keys::new(args.common.keylog.as_ref())?);
    analyzer.expect_secrets(keys.keys.has_file());
    let mut drops = Drops::default();
    let broken = sniff(args, &mut live, &mut analyzer, &mut outputs, &mut drops, &mut keys)
        .inspect_err(|_| outputs.abandon())?;
    let counts = live.stats();
    keys.keys.follow(analyzer.keys())?;
    analyzer.finish(&mut outputs).inspect_err(|_| outputs.abandon()).context(UNWRITABLE)?;
    outputs.finish(&analyzer.totals()).context(UNWRITABLE)?;
    drops.at_the_end(live.packets(), counts?);
    match broken {
        Some(error) => Err(error.into()),
        None => Ok(Ending::of(outputs.worst(), plan.fail_on)),
    }
}

/// Takes packets until it is told to stop; what ended it, where that was the interface.
fn sniff(
    args: &LiveArgs,
    live: &mut Live,
    analyzer: &mut Analyzer,
    outputs: &mut Outputs,
    drops: &mut Drops,
    keys: &mut FollowedKeys,
) -> Result<Option<CaptureError>> {
    let deadline = Deadline::new(args.duration);
    loop {
        keys.poll(analyzer)?;
        match live.next_packet() {
            Ok(LiveStep::Packet(packet)) => analyzer.packet(&packet, outputs).context(UNWRITABLE)?,
            Ok(LiveStep::Quiet) => {
                outputs.flush().context(UNWRITABLE)?;
                drops.look(live);
            }
            Ok(LiveStep::Over) => return Ok(None),
            Err(error) => return Ok(Some(error)),
        }
        if args.packets.is_some_and(|packets| live.packets() >= packets) || deadline.is_over() {
            return Ok(None);
        }
    }
}

/// Tells of packets that were lost because we were too slow: while it happens, and at the end.
#[derive(Debug, Default)]
struct Drops {
    /// When it was looked last, and when there was something to tell.
    looked: Option<Instant>,
    told: Option<Instant>,
    dropped: u64,
}

impl Drops {
    /// Between two looks.
    const LOOK: Duration = Duration::from_secs(1);
    /// Between two warnings.
    const TELL: Duration = Duration::from_secs(10);

    #[expect(clippy::disallowed_methods, reason = "how often a person is told is a matter of the wall clock")]
    fn look(&mut self, live: &mut Live) {
        let now = Instant::now();
        let waits = |last: Option<Instant>, least| last.is_some_and(|last| now.duration_since(last) < least);
        if waits(self.looked, Self::LOOK) {
            return;
        }
        self.looked = Some(now);
        // Where the system does not say, it is told at the end.
        let Ok(stats) = live.stats() else { return };
        let dropped = stats.dropped.saturating_add(stats.dropped_by_interface);
        if dropped > self.dropped && !waits(self.told, Self::TELL) {
            self.told = Some(now);
            let more = dropped - self.dropped;
            self.dropped = dropped;
            say::warning(&format!("{more} packets were dropped just now, {dropped} so far of {}", stats.received));
        }
    }

    fn at_the_end(&self, read: u64, stats: LiveStats) {
        let LiveStats { received, dropped, dropped_by_interface } = stats;
        say::note(&format!(
            "{read} packets read, {received} received, {dropped} dropped by the system, {dropped_by_interface} dropped by the interface"
        ));
        if dropped > 0 || dropped_by_interface > 0 {
            say::warning("packets were dropped: a larger --buffer, a smaller --snaplen or a narrower --bpf helps");
        }
    }
}

/// Lists the interfaces.
///
/// # Errors
/// What listing or writing them fails with.
pub(super) fn interfaces(out: &mut impl Write) -> Result<()> {
    let list = list()?;
    let width = list.iter().map(|interface| interface.name.chars().count()).max().unwrap_or(0);
    for interface in &list {
        let mut about: Vec<String> = Vec::new();
        about.push(if interface.up { "up".into() } else { "down".into() });
        if interface.loopback {
            about.push("loopback".into());
        }
        if interface.wireless {
            about.push("wireless".into());
        }
        about.extend(interface.addresses.iter().map(ToString::to_string));
        let description = interface.description.iter().map(|text| format!("  ({text})")).collect::<String>();
        writeln!(out, "{:width$}  {}{description}", interface.name, about.join(", "))?;
    }
    if list.is_empty() {
        say::warning("none that this user may sniff; try as root (sudo)");
    }
    Ok(())
}

/// A key log that grows while we listen.
struct FollowedKeys {
    keys: Keys,
    looked: Option<Instant>,
}

/// Packets within this time are handled with the secrets there are: those that lack some wait.
const KEYS_EVERY: Duration = Duration::from_millis(20);

impl FollowedKeys {
    const fn new(keys: Keys) -> Self {
        Self { keys, looked: None }
    }

    #[expect(clippy::disallowed_methods, reason = "the file grows in the user's time, not the capture's")]
    fn poll(&mut self, analyzer: &mut Analyzer) -> Result<()> {
        if !self.keys.has_file() || self.looked.is_some_and(|looked| looked.elapsed() < KEYS_EVERY) {
            return Ok(());
        }
        self.looked = Some(Instant::now());
        self.keys.follow(analyzer.keys())
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

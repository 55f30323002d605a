//! `wslens live` and `wslens interfaces`: what an interface carries, until somebody or something says stop.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use wslens::analyzer::Analyzer;
use wslens::capture::{Live, LiveOptions, LiveStep, interfaces as list};

use super::args::LiveArgs;
use super::keys::Keys;
use super::outputs::Outputs;
use super::plan::Plan;
use super::read::UNWRITABLE;
use super::{Ending, say};

/// Sniffs until Ctrl-C, `--duration` or `--packets`.
///
/// # Errors
/// Wrong usage, an interface that cannot be sniffed, an output that could not be written.
pub(super) fn live(args: &LiveArgs) -> Result<Ending> {
    let plan = Plan::new(&args.common)?;
    let mut live = Live::open(&LiveOptions {
        filter: args.bpf.clone(),
        snaplen: u32::try_from(args.snaplen).unwrap_or(u32::MAX),
        buffer_bytes: u32::try_from(args.buffer).unwrap_or(u32::MAX),
        promiscuous: args.promiscuous,
        ..LiveOptions::new(args.interface.as_str())
    })?;
    for signal in [SIGINT, SIGTERM] {
        // The second one ends the program at once, should the first not.
        signal_hook::flag::register_conditional_shutdown(signal, 130, live.stop_flag())?;
        signal_hook::flag::register(signal, live.stop_flag())?;
    }
    let mut outputs = Outputs::open(&plan, true)?;
    say::note(&format!("listening on {}; Ctrl-C ends it", args.interface));
    let mut analyzer = Analyzer::new(&plan.options);
    let mut keys = FollowedKeys::new(Keys::new(args.common.keylog.as_ref())?);
    analyzer.expect_secrets(keys.keys.has_file());
    let deadline = Deadline::new(args.duration);
    let broken = loop {
        keys.poll(&mut analyzer)?;
        match live.next_packet() {
            Ok(LiveStep::Packet(packet)) => analyzer.packet(&packet, &mut outputs).context(UNWRITABLE)?,
            Ok(LiveStep::Quiet) => {}
            Ok(LiveStep::Over) => break None,
            Err(error) => break Some(error),
        }
        if args.packets.is_some_and(|packets| live.packets() >= packets) || deadline.is_over() {
            break None;
        }
    };
    let counts = live.stats();
    keys.keys.follow(analyzer.keys())?;
    analyzer.finish(&mut outputs).context(UNWRITABLE)?;
    outputs.finish(&analyzer.totals()).context(UNWRITABLE)?;
    let stats = counts?;
    let dropped = stats.dropped.saturating_add(stats.dropped_by_interface);
    say::note(&format!("{} packets read, {} received, {dropped} dropped", live.packets(), stats.received));
    if dropped > 0 {
        say::warning("packets were dropped: a larger --buffer, a smaller --snaplen or a narrower --bpf helps");
    }
    match broken {
        Some(error) => Err(error.into()),
        None => Ok(Ending::of(outputs.worst(), plan.fail_on)),
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

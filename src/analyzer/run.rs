//! The loop: one packet after the other out of a source, through the analyzer, into a sink.
//!
//! In: a [`PacketSource`]: capture files ([`Input`]), an interface (`Live`), or what a program has in memory. Out: events,
//! and how the source ended ([`Ended`]). Files, the workers of [`super::shards`], and a live capture all go through
//! [`Analyzer::run`], and each of their packets through the one step below it.
//!
//! ```text
//!          ┌────────────────────────────────────────────────────────────┐
//!          ↓                                                            │
//! source: a packet ─→ count, decode, age, deliver ─→ secrets ─→ watch ──┤
//!         quiet ───────────────────────────────────→ secrets ─→ watch ──┘
//!         end, error ──────────────────────────────→ secrets ─→ Ended
//! ```
//!
//! Secrets are asked for in this loop alone, wherever they are: in the capture, further on in a pcapng, or in a key log that
//! grows during the run ([`PacketSource::add_secrets`]). Clocks, signals and terminals stay outside: the caller looks at
//! them when `watch` is called.
//!
//! ```
//! use core::ops::ControlFlow;
//! use wslens::analyzer::run::{Ended, Pause};
//! use wslens::analyzer::{Analyzer, Options};
//! use wslens::capture::Input;
//! use wslens::event::{Event, Sink, What};
//!
//! struct Messages(u64);
//!
//! impl Sink for Messages {
//!     type Error = core::convert::Infallible;
//!
//!     fn event(&mut self, event: &Event<'_>) -> Result<(), Self::Error> {
//!         self.0 += u64::from(matches!(event.what, What::Message(_)));
//!         Ok(())
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut input = Input::open(&["samples/first-look/capture.pcap"])?;
//! let mut analyzer = Analyzer::new(&Options::default());
//! let mut messages = Messages(0);
//! // Five messages are enough.
//! let ended = analyzer.run(&mut input, &mut messages, |pause: Pause<'_, Input, Messages>| {
//!     if pause.sink.0 < 5 { ControlFlow::Continue(()) } else { ControlFlow::Break("five") }
//! })?;
//! assert!(matches!(ended, Ended::Stopped("five")));
//! analyzer.finish(&mut messages)?;
//! # Ok(())
//! # }
//! ```

use core::ops::ControlFlow;

use super::Analyzer;
use super::shared::Out;
use crate::capture::{CaptureError, Input, Packet, Secrets};
#[cfg(feature = "live")]
use crate::capture::{Live, LiveEvent};
use crate::event::Sink;
use crate::net::{Segment, Transport};
use crate::tls::KeyLog;
use crate::types::PacketRef;

/// Where packets come from.
pub trait PacketSource {
    /// Why it cannot be read on.
    type Error;

    /// The next packet. May wait for it.
    ///
    /// # Errors
    /// When the source cannot be read on. Packets before that were lent.
    fn next_packet(&mut self) -> Result<NextPacket<'_>, Self::Error>;

    /// Adds the TLS secrets that have become available to `keys`. Called after each [`Self::next_packet`], so it has to be
    /// cheap where there are none. By default there are none.
    ///
    /// # Errors
    /// When secrets cannot be read, and the analysis is not to go on without them.
    fn add_secrets(&mut self, _keys: &mut KeyLog, _need: SecretsNeed) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Whether more secrets may come. If so, TLS that lacks them is held back until they do, within
    /// [`Limits::max_tls_waiting_bytes`](crate::types::Limits::max_tls_waiting_bytes). By default it is not.
    fn may_have_secrets(&self) -> bool {
        false
    }
}

/// What a [`PacketSource`] has next.
#[derive(Debug, Clone, Copy)]
pub enum NextPacket<'a> {
    /// A packet.
    Packet(Packet<'a>),
    /// None now; the next call may wait for one. Time to flush outputs, to look at a clock, to draw.
    Quiet,
    /// There are no more.
    End,
}

/// How urgently secrets are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretsNeed {
    /// No connection lacks any, as far as is known.
    None,
    /// A connection lacks one: a search for it, further on in a file, is worth its time.
    Lacking,
    /// The source is over: this is the last call.
    Last,
}

/// A moment between two packets: what a caller may look at and use.
#[derive(Debug)]
pub struct Pause<'p, P, S> {
    /// The source.
    pub source: &'p mut P,
    /// The sink.
    pub sink: &'p mut S,
    /// Whether the source has no packet now ([`NextPacket::Quiet`]).
    pub quiet: bool,
}

/// How [`Analyzer::run`] ended.
#[derive(Debug)]
pub enum Ended<E, B> {
    /// All packets were read.
    Complete,
    /// The source could not be read on.
    Failed(E),
    /// `watch` stopped it, with this.
    Stopped(B),
}

impl Analyzer {
    /// Reads packets from `source` until it ends, fails, or `watch` stops the run; `sink` receives the events. `watch` is
    /// called after each packet, and each time the source has none.
    ///
    /// The analysis goes on where it stands: several sources may be read one after the other. [`Self::finish`] ends it.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn run<P: PacketSource, S: Sink, B>(
        &mut self,
        source: &mut P,
        sink: &mut S,
        watch: impl FnMut(Pause<'_, P, S>) -> ControlFlow<B>,
    ) -> Result<Ended<P::Error, B>, S::Error> {
        self.run_share(Feed { source, sink, intake: &Everything }, watch)
    }

    /// As [`Self::run`], for the segments that `intake` takes: those of one worker's connections.
    pub(super) fn run_share<P: PacketSource, S: Sink, B>(
        &mut self,
        feed: Feed<'_, P, S, impl Intake<S>>,
        mut watch: impl FnMut(Pause<'_, P, S>) -> ControlFlow<B>,
    ) -> Result<Ended<P::Error, B>, S::Error> {
        let Feed { source, sink, intake } = feed;
        if let Err(error) = self.ask_for_secrets(source, false) {
            return Ok(Ended::Failed(error));
        }
        loop {
            let quiet = match source.next_packet() {
                Ok(NextPacket::Packet(packet)) => {
                    self.step(&packet, sink, intake)?;
                    false
                }
                Ok(NextPacket::Quiet) => true,
                Ok(NextPacket::End) => return Ok(self.end_of(source, None)),
                Err(error) => return Ok(self.end_of(source, Some(error))),
            };
            if let Err(error) = self.ask_for_secrets(source, false) {
                return Ok(Ended::Failed(error));
            }
            if let ControlFlow::Break(stop) = watch(Pause { source: &mut *source, sink: &mut *sink, quiet }) {
                return Ok(Ended::Stopped(stop));
            }
        }
    }

    /// The source is over: asks it for secrets a last time.
    #[cold]
    fn end_of<P: PacketSource, B>(&mut self, source: &mut P, unreadable: Option<P::Error>) -> Ended<P::Error, B> {
        let asked = self.ask_for_secrets(source, true);
        unreadable.or(asked.err()).map_or(Ended::Complete, Ended::Failed)
    }

    /// Takes the next packet; `sink` receives all events that it makes certain.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn packet<S: Sink>(&mut self, packet: &Packet<'_>, sink: &mut S) -> Result<(), S::Error> {
        self.step(packet, sink, &Everything)
    }

    /// Ends the analysis: connections that are still open are reported as they stand.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn finish<S: Sink>(&mut self, sink: &mut S) -> Result<(), S::Error> {
        self.net.finish();
        let mut error = None;
        let shared = &mut self.shared;
        self.table.finish(self.last, &mut Out { sink, error: &mut error, shared });
        error.map_or(Ok(()), Err)
    }

    /// The TLS secrets, to add to. What they open is reported with the next packet of its connection, or with its end.
    pub const fn keys(&mut self) -> &mut KeyLog {
        &mut self.shared.keys
    }

    /// Whether secrets may still come, for callers that add them to [`Self::keys`] and feed packets one by one: then TLS
    /// that lacks secrets is held back, within limits. At first none are expected. [`Self::run`] asks its source instead.
    pub const fn expect_secrets(&mut self, yes: bool) {
        self.shared.expect_secrets = yes;
    }

    /// The step for one packet: counts and decodes it, ends the connections that its time ends, and delivers its segment.
    #[inline]
    pub(super) fn step<S: Sink>(
        &mut self,
        packet: &Packet<'_>,
        sink: &mut S,
        intake: &impl Intake<S>,
    ) -> Result<(), S::Error> {
        self.count(packet);
        intake.begin(sink, packet.seen);
        let shared = &mut self.shared;
        shared.memory.table = self.table.footprint();
        // Looked at where it is: a copy would wait until all fields of the segment are written.
        let decoded = self.net.decode(packet);
        let mut error = None;
        let mut out = Out { sink, error: &mut error, shared };
        self.table.age(packet.seen, &mut out);
        if let Some(Transport::Tcp(segment)) = &decoded {
            if intake.takes(segment) {
                intake.deliver(out.sink);
                self.table.arrive(segment, &mut out);
                intake.delivered(out.sink, self.table.connections());
            }
        } else {
            if let Some(Transport::Udp(datagram)) = &decoded {
                self.quic.add(datagram);
            }
            shared.memory.datagrams = self.net.held() + self.quic.held();
        }
        error.map_or(Ok(()), Err)
    }

    fn count(&mut self, packet: &Packet<'_>) {
        let at = packet.seen.at;
        let totals = &mut self.shared.totals;
        totals.packets += 1;
        totals.bytes += packet.bytes.len() as u64;
        totals.time = Some(totals.time.map_or((at, at), |(first, last)| (first, last.max(at))));
        self.last = packet.seen;
    }

    /// Adds what secrets the source has, and finds out whether more may come.
    #[inline]
    fn ask_for_secrets<P: PacketSource>(&mut self, source: &mut P, over: bool) -> Result<(), P::Error> {
        let lacking = core::mem::take(&mut self.shared.lacks_secrets);
        let need = match (over, lacking) {
            (true, _) => SecretsNeed::Last,
            (false, true) => SecretsNeed::Lacking,
            (false, false) => SecretsNeed::None,
        };
        source.add_secrets(&mut self.shared.keys, need)?;
        self.shared.expect_secrets = source.may_have_secrets();
        Ok(())
    }
}

/// Where packets come from, which of their segments are taken, and where events go.
pub(super) struct Feed<'f, P, S, I> {
    pub(super) source: &'f mut P,
    pub(super) sink: &'f mut S,
    pub(super) intake: &'f I,
}

/// Which segments an analyzer takes, and what its sink has to know about the current packet.
pub(super) trait Intake<S> {
    /// A packet begins: the next events are of connections that its time ends.
    fn begin(&self, _sink: &mut S, _packet: PacketRef) {}

    /// Whether the segment is for this analyzer.
    fn takes(&self, _segment: &Segment<'_>) -> bool {
        true
    }

    /// The next events are of what its segment brings.
    fn deliver(&self, _sink: &mut S) {}

    /// The segment was delivered; there have been this many TCP connections.
    fn delivered(&self, _sink: &mut S, _connections: u64) {}
}

/// All segments, for a sink that needs no more than events.
struct Everything;

impl<S> Intake<S> for Everything {}

impl PacketSource for Input {
    type Error = CaptureError;

    #[inline]
    fn next_packet(&mut self) -> Result<NextPacket<'_>, CaptureError> {
        Ok(Self::next_packet(self)?.map_or(NextPacket::End, NextPacket::Packet))
    }

    /// Those that stood before the last packet; where a connection lacks one, all of the current file.
    #[inline]
    fn add_secrets(&mut self, keys: &mut KeyLog, need: SecretsNeed) -> Result<(), CaptureError> {
        if self.has_secrets() {
            add_key_logs(keys, self.take_secrets());
        }
        if need == SecretsNeed::Lacking && Self::may_have_secrets(self) {
            add_key_logs(keys, self.secrets_ahead());
        }
        Ok(())
    }

    /// Before the first packet, the format is not known yet.
    #[inline]
    fn may_have_secrets(&self) -> bool {
        self.packets() == 0 || Self::may_have_secrets(self)
    }
}

#[cold]
fn add_key_logs(keys: &mut KeyLog, all: Vec<Secrets>) {
    for secrets in all.iter().filter(|secrets| secrets.kind == Secrets::TLS_KEY_LOG) {
        keys.add(&secrets.bytes);
    }
}

#[cfg(feature = "live")]
impl PacketSource for Live {
    type Error = CaptureError;

    #[inline]
    fn next_packet(&mut self) -> Result<NextPacket<'_>, CaptureError> {
        Ok(match Self::next_packet(self)? {
            LiveEvent::Packet(packet) => NextPacket::Packet(packet),
            LiveEvent::Quiet => NextPacket::Quiet,
            LiveEvent::Stopped => NextPacket::End,
        })
    }
}

#[cfg(test)]
mod tests {
    use core::convert::Infallible;

    use super::*;
    use crate::analyzer::Options;
    use crate::capture::LinkType;
    use crate::event::Event;

    /// What a scripted source does next.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Scripted {
        Packet,
        Quiet,
        Fail,
    }
    use Scripted::{Fail, Packet as APacket, Quiet};

    /// A source that does what a script says, and then ends.
    struct Script {
        steps: &'static [Scripted],
        secrets_fail: bool,
        asked: Vec<SecretsNeed>,
    }

    impl Script {
        const fn new(steps: &'static [Scripted]) -> Self {
            Self { steps, secrets_fail: false, asked: Vec::new() }
        }
    }

    impl PacketSource for Script {
        type Error = &'static str;

        fn next_packet(&mut self) -> Result<NextPacket<'_>, &'static str> {
            let Some((step, rest)) = self.steps.split_first() else { return Ok(NextPacket::End) };
            self.steps = rest;
            let (seen, bytes): (_, &[u8]) = (PacketRef::default(), b"");
            match step {
                APacket => Ok(NextPacket::Packet(Packet { seen, link: LinkType::RAW, bytes, original_len: 0 })),
                Quiet => Ok(NextPacket::Quiet),
                Fail => Err("the source"),
            }
        }

        fn add_secrets(&mut self, _: &mut KeyLog, need: SecretsNeed) -> Result<(), &'static str> {
            self.asked.push(need);
            if self.secrets_fail && need == SecretsNeed::Last { Err("the secrets") } else { Ok(()) }
        }
    }

    struct Ignore;

    impl Sink for Ignore {
        type Error = Infallible;

        fn event(&mut self, _: &Event<'_>) -> Result<(), Infallible> {
            Ok(())
        }
    }

    fn analyzer() -> Analyzer {
        Analyzer::new(&Options::default())
    }

    /// Reads all of a source. Gives how that ended, and of each pause whether it was a quiet one.
    fn run(analyzer: &mut Analyzer, source: &mut Script) -> (Ended<&'static str, Infallible>, Vec<bool>) {
        let mut pauses = Vec::new();
        let Ok(ended) = analyzer.run(source, &mut Ignore, |pause| {
            pauses.push(pause.quiet);
            ControlFlow::<Infallible>::Continue(())
        });
        (ended, pauses)
    }

    #[test]
    fn secrets_and_the_watch_come_after_each_packet_and_each_quiet_moment() {
        let mut source = Script::new(&[APacket, Quiet, APacket]);
        let (ended, pauses) = run(&mut analyzer(), &mut source);
        assert!(matches!(ended, Ended::Complete));
        assert_eq!(pauses, [false, true, false]);
        let none = SecretsNeed::None;
        assert_eq!(source.asked, [none, none, none, none, SecretsNeed::Last]);
    }

    #[test]
    fn an_error_of_the_source_ends_the_run_after_a_last_call_for_secrets() {
        for secrets_fail in [false, true] {
            let mut source = Script { secrets_fail, ..Script::new(&[APacket, Fail, APacket]) };
            let (ended, _) = run(&mut analyzer(), &mut source);
            assert!(matches!(ended, Ended::Failed("the source")));
            assert_eq!(source.asked.last(), Some(&SecretsNeed::Last));
            assert_eq!(source.steps, [APacket]);
        }
    }

    #[test]
    fn secrets_that_cannot_be_read_are_an_error_even_at_the_end() {
        let mut source = Script { secrets_fail: true, ..Script::new(&[APacket]) };
        assert!(matches!(run(&mut analyzer(), &mut source).0, Ended::Failed("the secrets")));
    }

    #[test]
    fn a_run_that_was_stopped_goes_on_with_the_next_packet_and_with_other_sources() {
        let mut analyzer = analyzer();
        let mut source = Script::new(&[APacket, APacket, APacket]);
        let Ok(ended) = analyzer.run(&mut source, &mut Ignore, |_| ControlFlow::Break(7));
        assert!(matches!(ended, Ended::Stopped(7)));
        assert_eq!((source.steps.len(), analyzer.totals().packets), (2, 1));
        run(&mut analyzer, &mut source);
        run(&mut analyzer, &mut Script::new(&[APacket]));
        assert_eq!(analyzer.totals().packets, 4);
    }
}

//! Sniffing an interface, through libpcap.
//!
//! In: the name of an interface. Out: its packets as they come, lent from the kernel's buffer and numbered from 1; between
//! them, moments in which there is time to look up. What the packets hold is not looked at.
//!
//! Packets are handed over by the kernel in blocks: when one is full, or after [`LiveOptions::timeout_ms`]. Packet by
//! packet ("immediate mode") would lose most of them at speed. A quiet interface would then keep its reader waiting for
//! ever, on some systems and not on others, so a small thread wakes it each time the timeout passes.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use super::error::CaptureError;
use super::{LinkType, Packet, dlt};
use crate::types::{PacketRef, Timestamp};

/// What to sniff, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveOptions {
    /// The interface's name; `any` is all of them on Linux.
    pub interface: String,
    /// Only packets that match this expression in pcap-filter syntax; the kernel drops the others.
    pub filter: Option<String>,
    /// Bytes that are kept of each packet. Default 262,144: all of it.
    pub snaplen: u32,
    /// Bytes of the kernel's buffer, which holds what we have not taken yet. Default 32 MiB: a quarter of a second at
    /// 1 Gbit/s.
    pub buffer_bytes: u32,
    /// Whether to see packets for others as well. Default false.
    pub promiscuous: bool,
    /// Milliseconds that a packet waits at most for others to be handed over with, and that [`Live::next_packet`] waits
    /// before it says [`LiveStep::Quiet`]. Default 50; at least 1.
    pub timeout_ms: u32,
}

impl LiveOptions {
    /// All of what comes to and from `interface`.
    #[must_use]
    pub fn new(interface: impl Into<String>) -> Self {
        Self {
            interface: interface.into(),
            filter: None,
            snaplen: 262_144,
            buffer_bytes: 32 << 20,
            promiscuous: false,
            timeout_ms: 50,
        }
    }
}

/// What [`Live::next_packet`] has.
#[derive(Debug)]
pub enum LiveStep<'a> {
    /// A packet.
    Packet(Packet<'a>),
    /// None at this moment. It comes at least as often as the timeout passes without a packet; on a busy interface too,
    /// now and then. Time to flush, to look at a clock, to draw.
    Quiet,
    /// The capture was told to stop.
    Over,
}

/// Packets that came, and that did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LiveStats {
    /// Packets that the kernel has seen for us, those dropped included on some systems.
    pub received: u64,
    /// Packets that found the kernel's buffer full.
    pub dropped: u64,
    /// Packets that the interface or its driver dropped, where it says so.
    pub dropped_by_interface: u64,
}

/// A capture in progress.
pub struct Live {
    capture: pcap::Capture<pcap::Active>,
    interface: String,
    link: LinkType,
    nanos_per_tick: i64,
    packets: u64,
    counters: Counters,
    stop: Arc<AtomicBool>,
    /// The thread that wakes us ends when this is dropped.
    _alarm: SyncSender<()>,
}

impl Live {
    /// Starts to sniff.
    ///
    /// # Errors
    /// [`CaptureError::NoSuchInterface`], [`CaptureError::NotPermitted`] or [`CaptureError::Filter`], which say what to do,
    /// and [`CaptureError::Device`] for whatever else libpcap has against it.
    pub fn open(options: &LiveOptions) -> Result<Self, CaptureError> {
        let LiveOptions { interface, filter, timeout_ms, .. } = options;
        let mut capture = activate(options).map_err(|error| open_error(interface, error))?;
        if let Some(expression) = filter {
            capture
                .filter(expression, true)
                .map_err(|error| CaptureError::Filter { expression: expression.clone(), words: dlt::words(error) })?;
        }
        let alarm = alarm(capture.breakloop_handle(), Duration::from_millis(u64::from((*timeout_ms).max(1))));
        Ok(Self {
            link: dlt::from_libpcap(capture.get_datalink()),
            nanos_per_tick: if counts_nanos(interface) { 1 } else { 1_000 },
            interface: interface.clone(),
            packets: 0,
            counters: Counters::default(),
            stop: Arc::default(),
            _alarm: alarm
                .map_err(|error| CaptureError::Device { interface: interface.clone(), words: error.to_string() })?,
            capture,
        })
    }

    /// The next packet, or that there is none for now, or that the capture is over.
    ///
    /// # Errors
    /// [`CaptureError::Device`] when the interface is gone.
    pub fn next_packet(&mut self) -> Result<LiveStep<'_>, CaptureError> {
        let Self { capture, interface, packets, .. } = self;
        if self.stop.load(Ordering::Relaxed) {
            return Ok(LiveStep::Over);
        }
        match capture.next_packet() {
            Ok(packet) => {
                *packets += 1;
                let at = time(packet.header, self.nanos_per_tick);
                Ok(LiveStep::Packet(Packet {
                    seen: PacketRef { packet: *packets, at },
                    link: self.link,
                    bytes: packet.data,
                    original_len: packet.header.len.max(packet.header.caplen),
                }))
            }
            Err(pcap::Error::TimeoutExpired | pcap::Error::NoMorePackets) => Ok(LiveStep::Quiet),
            Err(error) => Err(CaptureError::Device { interface: interface.clone(), words: dlt::words(error) }),
        }
    }

    /// Set to true, from a signal handler or another thread, it ends the capture within the timeout.
    #[must_use]
    pub fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// Packets lent so far.
    #[must_use]
    pub const fn packets(&self) -> u64 {
        self.packets
    }

    /// What the first header of every packet is.
    #[must_use]
    pub const fn link(&self) -> LinkType {
        self.link
    }

    /// How many packets came, and how many were lost on the way to us. libpcap counts in 32 bits: who asks at least once
    /// in 2^32 packets is told right.
    ///
    /// # Errors
    /// [`CaptureError::Device`] when the system does not say.
    pub fn stats(&mut self) -> Result<LiveStats, CaptureError> {
        match self.capture.stats() {
            Ok(stat) => Ok(self.counters.add([stat.received, stat.dropped, stat.if_dropped])),
            Err(error) => Err(CaptureError::Device { interface: self.interface.clone(), words: dlt::words(error) }),
        }
    }
}

/// What libpcap's counters said last, and what that makes in all.
#[derive(Debug, Default)]
struct Counters {
    last: [u32; 3],
    all: [u64; 3],
}

impl Counters {
    /// Adds what has come since; a counter may have begun again from 0.
    fn add(&mut self, now: [u32; 3]) -> LiveStats {
        for ((all, last), now) in self.all.iter_mut().zip(&mut self.last).zip(now) {
            *all = all.saturating_add(now.wrapping_sub(*last).into());
            *last = now;
        }
        let [received, dropped, dropped_by_interface] = self.all;
        LiveStats { received, dropped, dropped_by_interface }
    }
}

/// An interface that may be sniffed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name, as [`LiveOptions::interface`] takes it.
    pub name: String,
    /// What the system calls it besides, if anything.
    pub description: Option<String>,
    /// Its IP addresses.
    pub addresses: Vec<IpAddr>,
    /// Whether it is switched on.
    pub up: bool,
    /// Whether it is switched on and has a carrier.
    pub running: bool,
    /// Whether it leads back to this machine.
    pub loopback: bool,
    /// Whether it is a radio.
    pub wireless: bool,
}

/// The interfaces that may be sniffed, in libpcap's order: the likeliest first.
///
/// # Errors
/// [`CaptureError::Device`] when the system does not tell.
pub fn interfaces() -> Result<Vec<Interface>, CaptureError> {
    let devices = pcap::Device::list()
        .map_err(|error| CaptureError::Device { interface: "interfaces".to_owned(), words: dlt::words(error) })?;
    Ok(devices.into_iter().map(Interface::from).collect())
}

impl From<pcap::Device> for Interface {
    fn from(device: pcap::Device) -> Self {
        Self {
            name: device.name,
            description: device.desc,
            addresses: device.addresses.into_iter().map(|address| address.addr).collect(),
            up: device.flags.is_up(),
            running: device.flags.is_running(),
            loopback: device.flags.is_loopback(),
            wireless: device.flags.is_wireless(),
        }
    }
}

#[allow(clippy::useless_conversion, reason = "seconds and fractions have 64 bits here, 32 elsewhere")]
fn time(header: &pcap::PacketHeader, nanos_per_tick: i64) -> Timestamp {
    let seconds = i64::from(header.ts.tv_sec).saturating_mul(1_000_000_000);
    let fraction = i64::from(header.ts.tv_usec).saturating_mul(nanos_per_tick);
    Timestamp::from_nanos(seconds.saturating_add(fraction))
}

/// Opens the interface; without promiscuous mode where it has none, as `any` does not.
fn activate(options: &LiveOptions) -> Result<pcap::Capture<pcap::Active>, pcap::Error> {
    let open = |promiscuous| {
        let int = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        pcap::Capture::from_device(options.interface.as_str())?
            .snaplen(int(options.snaplen.max(1)))
            .buffer_size(int(options.buffer_bytes))
            .timeout(int(options.timeout_ms.max(1)))
            .promisc(promiscuous)
            .precision(if counts_nanos(&options.interface) { pcap::Precision::Nano } else { pcap::Precision::Micro })
            .open()
    };
    match open(options.promiscuous) {
        Err(error) if options.promiscuous && !is_permission(&error.to_string()) => open(false).map_err(|_| error),
        opened => opened,
    }
}

/// Whether times can be had in nanoseconds. libpcap does not tell the crate, so this goes by what it does: network
/// interfaces of Linux have them; what else it can sniff there, by its name, has not.
fn counts_nanos(interface: &str) -> bool {
    const NO_NANOS: [&str; 5] = ["nflog", "nfqueue", "usbmon", "bluetooth", "dbus-"];
    cfg!(target_os = "linux") && !NO_NANOS.iter().any(|prefix| interface.starts_with(prefix))
}

/// Starts the thread that interrupts the wait for packets each time `every` passes.
fn alarm(handle: pcap::BreakLoop, every: Duration) -> std::io::Result<SyncSender<()>> {
    let (over, is_over): (SyncSender<()>, Receiver<()>) = sync_channel(0);
    thread::Builder::new().name("wslens-alarm".to_owned()).spawn(move || {
        while is_over.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
            handle.breakloop();
        }
    })?;
    Ok(over)
}

fn is_permission(words: &str) -> bool {
    words.contains("ermission") || words.contains("not permitted")
}

/// What to say when an interface cannot be opened.
fn open_error(interface: &str, error: pcap::Error) -> CaptureError {
    let interface = interface.to_owned();
    let words = dlt::words(error);
    let known: Vec<String> = interfaces().unwrap_or_default().into_iter().map(|known| known.name).collect();
    if is_permission(&words) {
        return CaptureError::NotPermitted { interface, words };
    }
    if known.contains(&interface) {
        return CaptureError::Device { interface, words };
    }
    CaptureError::NoSuchInterface { interface, known }
}

#[cfg(test)]
mod tests;

//! Live capture on an interface, through libpcap.
//!
//! In: the name of an interface. Out: its packets as they come, lent from the kernel's buffer and numbered from 1; and
//! moments without a packet, in which the caller can do other work. The packets are not decoded here.
//!
//! The kernel delivers packets in blocks: when one is full, or after [`LiveOptions::timeout_ms`]. Packet by packet
//! ("immediate mode") would lose most of them at speed. On some systems the wait for a block has no end while the interface
//! is quiet, so a thread interrupts it each time the timeout passes.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use super::error::CaptureError;
use super::{LinkType, Packet, dlt};
use crate::types::{PacketRef, Timestamp};

/// The interface to capture on, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveOptions {
    /// The interface's name; `any` is all of them on Linux.
    pub interface: String,
    /// Only packets that match this expression in pcap-filter syntax; the kernel drops the others.
    pub filter: Option<String>,
    /// Bytes captured of each packet. Default 262,144: all of it.
    pub snaplen: u32,
    /// Bytes of the kernel's buffer, which holds the packets that were not read yet. Default 32 MiB: a quarter of a second at
    /// 1 Gbit/s.
    pub buffer_bytes: u32,
    /// Whether to capture packets for other hosts as well. Default false.
    pub promiscuous: bool,
    /// Milliseconds that a packet waits at most for others of its block, and that [`Live::next_packet`] waits before it answers
    /// [`LiveEvent::Quiet`]. Default 50; at least 1.
    pub timeout_ms: u32,
}

impl LiveOptions {
    /// All packets to and from `interface`.
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

/// The answer of [`Live::next_packet`].
#[derive(Debug)]
pub enum LiveEvent<'a> {
    /// A packet.
    Packet(Packet<'a>),
    /// No packet now. Answered each time the timeout passes without a packet; now and then on a busy interface, too. Time to
    /// flush, to look at a clock, to draw.
    Quiet,
    /// The capture was stopped by its [flag](Live::stop_flag).
    Stopped,
}

/// Packets captured, and packets lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LiveStats {
    /// Packets that the kernel received for this capture; on some systems, those that it dropped are included.
    pub received: u64,
    /// Packets dropped because the kernel's buffer was full.
    pub dropped: u64,
    /// Packets dropped by the interface or its driver, where it reports them.
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
    /// The thread that interrupts the wait for packets ends when this is dropped.
    _alarm: SyncSender<()>,
}

impl Live {
    /// Starts the capture.
    ///
    /// # Errors
    /// [`CaptureError::NoSuchInterface`], [`CaptureError::NotPermitted`] or [`CaptureError::Filter`], whose messages help; and
    /// [`CaptureError::Device`] for any other error of libpcap.
    pub fn open(options: &LiveOptions) -> Result<Self, CaptureError> {
        let LiveOptions { interface, filter, timeout_ms, .. } = options;
        let mut capture = activate(options).map_err(|error| open_error(interface, error))?;
        if let Some(expression) = filter {
            capture.filter(expression, true).map_err(|error| CaptureError::Filter {
                expression: expression.clone(),
                message: dlt::message(error),
            })?;
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
                .map_err(|error| CaptureError::Device { interface: interface.clone(), message: error.to_string() })?,
            capture,
        })
    }

    /// The next packet, after a wait of at most the timeout.
    ///
    /// # Errors
    /// [`CaptureError::Device`] when the interface does not exist any more.
    pub fn next_packet(&mut self) -> Result<LiveEvent<'_>, CaptureError> {
        let Self { capture, interface, packets, .. } = self;
        if self.stop.load(Ordering::Relaxed) {
            return Ok(LiveEvent::Stopped);
        }
        match capture.next_packet() {
            Ok(packet) => {
                *packets += 1;
                let at = time(packet.header, self.nanos_per_tick);
                Ok(LiveEvent::Packet(Packet {
                    seen: PacketRef { packet: *packets, at },
                    link: self.link,
                    bytes: packet.data,
                    original_len: packet.header.len.max(packet.header.caplen),
                }))
            }
            Err(pcap::Error::TimeoutExpired | pcap::Error::NoMorePackets) => Ok(LiveEvent::Quiet),
            Err(error) => Err(CaptureError::Device { interface: interface.clone(), message: dlt::message(error) }),
        }
    }

    /// A flag that stops the capture within the timeout, once a signal handler or another thread has set it to true.
    #[must_use]
    pub fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// Packets answered so far.
    #[must_use]
    pub const fn packets(&self) -> u64 {
        self.packets
    }

    /// The kind of the first header of all packets.
    #[must_use]
    pub const fn link(&self) -> LinkType {
        self.link
    }

    /// How many packets were captured, and how many lost. libpcap counts in 32 bits: the numbers are right if this is called at
    /// least once in 2^32 packets.
    ///
    /// # Errors
    /// [`CaptureError::Device`] when the system does not report them.
    pub fn stats(&mut self) -> Result<LiveStats, CaptureError> {
        match self.capture.stats() {
            Ok(stat) => Ok(self.counters.add([stat.received, stat.dropped, stat.if_dropped])),
            Err(error) => Err(CaptureError::Device { interface: self.interface.clone(), message: dlt::message(error) }),
        }
    }
}

/// The last state of libpcap's counters, and the sums.
#[derive(Debug, Default)]
struct Counters {
    last: [u32; 3],
    all: [u64; 3],
}

impl Counters {
    /// Adds the packets since the last call; a counter may have wrapped around.
    fn add(&mut self, now: [u32; 3]) -> LiveStats {
        for ((all, last), now) in self.all.iter_mut().zip(&mut self.last).zip(now) {
            *all = all.saturating_add(now.wrapping_sub(*last).into());
            *last = now;
        }
        let [received, dropped, dropped_by_interface] = self.all;
        LiveStats { received, dropped, dropped_by_interface }
    }
}

/// An interface that packets can be captured on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name, as [`LiveOptions::interface`] takes it.
    pub name: String,
    /// The system's description of it, if it has one.
    pub description: Option<String>,
    /// Its IP addresses.
    pub addresses: Vec<IpAddr>,
    /// Whether it is switched on.
    pub up: bool,
    /// Whether it is switched on and has a carrier.
    pub running: bool,
    /// Whether it leads back to this machine.
    pub loopback: bool,
    /// Whether it is wireless.
    pub wireless: bool,
}

/// The interfaces that packets can be captured on, in libpcap's order: the likeliest first.
///
/// # Errors
/// [`CaptureError::Device`] when the system does not list them.
pub fn interfaces() -> Result<Vec<Interface>, CaptureError> {
    let devices = pcap::Device::list()
        .map_err(|error| CaptureError::Device { interface: "interfaces".to_owned(), message: dlt::message(error) })?;
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

/// Opens the interface; without promiscuous mode if it has none, like `any`.
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

/// Whether the interface has times in nanoseconds. The crate cannot ask libpcap, so this repeats its rule: network interfaces
/// of Linux have them; other devices of Linux, recognized by their names, have not.
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

fn is_permission(message: &str) -> bool {
    message.contains("ermission") || message.contains("not permitted")
}

/// The error for an interface that cannot be opened.
fn open_error(interface: &str, error: pcap::Error) -> CaptureError {
    let interface = interface.to_owned();
    let message = dlt::message(error);
    let known: Vec<String> = interfaces().unwrap_or_default().into_iter().map(|known| known.name).collect();
    if is_permission(&message) {
        return CaptureError::NotPermitted { interface, message };
    }
    if known.contains(&interface) {
        return CaptureError::Device { interface, message };
    }
    CaptureError::NoSuchInterface { interface, known }
}

#[cfg(test)]
mod tests;

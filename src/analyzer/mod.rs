//! The conductor: packets in, events out.
//!
//! ```
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
//!         if let What::Message(_) = event.what {
//!             self.0 += 1;
//!         }
//!         Ok(())
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut input = Input::open(&["samples/first-look/capture.pcap"])?;
//! let mut analyzer = Analyzer::new(&Options::default());
//! let mut messages = Messages(0);
//! while let Some(packet) = input.next_packet()? {
//!     analyzer.packet(&packet, &mut messages)?;
//! }
//! analyzer.finish(&mut messages)?;
//! assert!(messages.0 > 0);
//! # Ok(())
//! # }
//! ```

mod direction;
mod findings;
mod handler;
mod http;
mod http2;
mod identity;
mod memory;
mod midstream;
mod pending;
mod pings;
mod session;
pub mod shards;
mod shared;
mod tls;
mod verdict;
mod websocket;

pub use shared::Demand;

use std::collections::{BTreeMap, BTreeSet};

use crate::capture::Packet;
use crate::event::{Sink, Totals};
use crate::net::Decoder;
use crate::tcp::Table;
use crate::tls::{KeyLog, Scratch};
use crate::types::{Limits, PacketRef};
use crate::websocket::inflate::InflaterPool;
use memory::{Buffers, Memory};
use session::Session;
use shared::{Out, Shared};

/// How an analysis is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// What may be kept.
    pub limits: Limits,
    /// How much payload the sink wants.
    pub demand: Demand,
    /// The label of this input; it goes into each connection's uid.
    pub capture: String,
    /// Whether connections whose handshake was not captured are looked for (`--mid-stream`).
    pub mid_stream: bool,
    /// Whether every TLS connection that stays closed is told of (`--tls`), not only those that may carry WebSocket.
    pub list_tls: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            demand: Demand::default(),
            capture: String::new(),
            mid_stream: true,
            list_tls: false,
        }
    }
}

/// One analysis of one input.
pub struct Analyzer {
    net: Decoder,
    table: Table<Session>,
    shared: Shared,
    last: PacketRef,
}

impl Analyzer {
    /// An analysis that has seen nothing yet.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        let limits = options.limits.sane();
        let shares = limits.shares();
        Self {
            net: Decoder::new(&limits),
            table: Table::new(&limits),
            last: PacketRef::default(),
            shared: Shared {
                demand: options.demand,
                capture: options.capture.as_str().into(),
                pool: InflaterPool::new(&limits),
                buffers: Buffers::new(shares.buffers),
                memory: Memory::new(shares.all),
                scratch: Vec::new(),
                keys: KeyLog::new(),
                expect_secrets: false,
                lacks_secrets: false,
                list_tls: options.list_tls,
                tls_scratch: Scratch::default(),
                tls_waiting: 0,
                websocket_hosts: BTreeSet::new(),
                closed_tls: BTreeMap::new(),
                mid_stream: options.mid_stream,
                next_connection: 0,
                totals: Totals::default(),
                limits,
            },
        }
    }

    /// Takes the next packet; tells `sink` all that it makes certain.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn packet<S: Sink>(&mut self, packet: &Packet<'_>, sink: &mut S) -> Result<(), S::Error> {
        self.count(packet);
        let shared = &mut self.shared;
        shared.memory.table = self.table.footprint();
        // Looked at where it was made: to copy it would wait until all of it is written.
        let decoded = self.net.decode(packet);
        let mut error = None;
        let mut out = Out { sink, error: &mut error, shared, tls: None, depth: 0 };
        if let Some(segment) = &decoded {
            self.table.segment(segment, &mut out);
        } else {
            self.table.age(packet.seen, &mut out);
            shared.memory.datagrams = self.net.held();
        }
        error.map_or(Ok(()), Err)
    }

    /// The TLS secrets, to add to. What they open is told with the next packet of its connection, or with its end.
    pub const fn keys(&mut self) -> &mut KeyLog {
        &mut self.shared.keys
    }

    /// Whether secrets may still come: then TLS without secrets waits for them, within limits. At first none are expected.
    pub const fn expect_secrets(&mut self, yes: bool) {
        self.shared.expect_secrets = yes;
    }

    /// Whether a connection waits for a secret since this was asked last: time to look for more, if there is a place to look.
    pub const fn lacks_secrets(&mut self) -> bool {
        core::mem::replace(&mut self.shared.lacks_secrets, false)
    }

    /// Ends the analysis: what is still open is told as it stands.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn finish<S: Sink>(&mut self, sink: &mut S) -> Result<(), S::Error> {
        self.net.finish();
        let mut error = None;
        let shared = &mut self.shared;
        self.table.finish(self.last, &mut Out { sink, error: &mut error, shared, tls: None, depth: 0 });
        error.map_or(Ok(()), Err)
    }

    /// What was read so far.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let net = self.net.counts();
        Totals {
            cut_packets: net.cut_packets,
            other_packets: net.not_tcp + net.malformed + net.header_cut + net.unknown_link,
            lost_datagrams: net.lost_datagrams,
            tcp_connections: self.table.connections(),
            evicted_connections: self.table.evictions(),
            quic_packets: net.quic,
            closed_tls: self.shared.closed_tls.values().cloned().collect(),
            ..self.shared.totals.clone()
        }
    }

    /// Bytes that it keeps for all connections together, inflaters counted as if each had the smallest window: never more
    /// than [`Limits::worst_case_bytes`].
    #[must_use]
    pub fn held(&self) -> usize {
        let shared = self.shared.held().saturating_sub(self.shared.memory.datagrams);
        self.net.held() + self.table.footprint() + shared
    }

    /// The same, counted anew: every connection asked what it keeps.
    #[cfg(test)]
    pub(crate) fn recount(&self) -> usize {
        let sessions: usize = self.table.states().map(Session::held).sum();
        let caches = self.shared.held() - self.shared.memory.sessions() - self.shared.memory.datagrams;
        self.net.held() + self.table.recount() + sessions + caches
    }

    fn count(&mut self, packet: &Packet<'_>) {
        let at = packet.seen.at;
        let totals = &mut self.shared.totals;
        totals.packets += 1;
        totals.bytes += packet.bytes.len() as u64;
        totals.time = Some(totals.time.map_or((at, at), |(first, last)| (first, last.max(at))));
        self.last = packet.seen;
    }
}

#[cfg(test)]
mod tests;

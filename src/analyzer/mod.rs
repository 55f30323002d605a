//! Packets in, events out: the analysis of all connections of one input.
//!
//! In: packets, in the order in which they were captured, and TLS secrets. Out: events, to a [`Sink`](crate::event::Sink). The
//! layers before do the work: `net` decodes packets, `tcp` reassembles connections. Here every connection has a `Session`,
//! which recognizes its protocol and drives the machines of `tls`, `http` and `websocket`; a WebSocket's `Conversation` emits
//! its frames, messages and summary. Nothing is read or written here; time is that of the packets.
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

mod carriers;
mod conversation;
mod direction;
mod extended_connect;
mod findings;
mod handler;
mod http;
mod http2;
mod identity;
mod leftover;
mod memory;
mod midstream;
mod pending;
mod pings;
pub mod run;
mod session;
pub mod shards;
mod shared;
mod silence;
mod tls;
mod turn;
mod verdict;
mod websocket;

pub use shared::Demand;

use std::collections::{BTreeMap, BTreeSet};

use crate::event::Totals;
use crate::net::Decoder;
use crate::quic::Recognizer;
use crate::subprotocol::{Notes, Readers};
use crate::tcp::Table;
use crate::tls::{KeyLog, Scratch};
use crate::types::{Limits, PacketRef};
use crate::websocket::inflate::InflaterPool;
use carriers::Carriers;
use memory::{Buffers, Memory};
use session::Session;
use shared::Shared;

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
    /// The readers of sub-protocols: each connection is read by the first that knows its sub-protocol.
    pub readers: Readers,
    /// Whether every TLS connection that stays closed is listed (`--tls`), not only those that may carry WebSocket.
    pub list_tls: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            demand: Demand::default(),
            capture: String::new(),
            mid_stream: true,
            readers: Readers::default(),
            list_tls: false,
        }
    }
}

/// One analysis of one input.
pub struct Analyzer {
    net: Decoder,
    quic: Recognizer,
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
            quic: Recognizer::default(),
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
                readers: options.readers.clone(),
                notes: Notes::default(),
                carriers: Carriers::default(),
                limits,
            },
        }
    }

    /// The counts so far.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let (net, quic_packets) = (self.net.counts(), self.quic.packets());
        let other_datagrams = net.datagrams.saturating_sub(quic_packets);
        Totals {
            cut_packets: net.cut_packets,
            other_packets: other_datagrams + net.other_protocol + net.malformed + net.header_cut + net.unknown_link,
            lost_datagrams: net.lost_datagrams,
            tcp_connections: self.table.connections(),
            evicted_connections: self.table.evictions(),
            quic_packets,
            closed_tls: self.shared.closed_tls.values().cloned().collect(),
            ..self.shared.totals.clone()
        }
    }

    /// Bytes that it keeps for all connections together, inflaters counted as if each had the smallest window: never more
    /// than [`Limits::worst_case_bytes`].
    #[must_use]
    pub fn held(&self) -> usize {
        let shared = self.shared.held().saturating_sub(self.shared.memory.datagrams);
        self.net.held() + self.quic.held() + self.table.footprint() + shared
    }

    /// The same, counted anew over all connections.
    #[cfg(test)]
    pub(crate) fn recount(&self) -> usize {
        let sessions: usize = self.table.states().map(Session::held).sum();
        let caches = self.shared.held() - self.shared.memory.sessions() - self.shared.memory.datagrams;
        self.net.held() + self.quic.held() + self.table.recount() + sessions + caches
    }
}

#[cfg(test)]
mod tests;

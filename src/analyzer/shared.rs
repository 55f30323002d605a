//! What all connections of one worker share: buffers, the inflaters, the limits, the counts.

use std::collections::{BTreeMap, BTreeSet};

use super::carriers::Carriers;
use super::memory::{Buffers, Memory};
use crate::event::{ClosedTls, Sink, Totals};
use crate::subprotocol::{Notes, Readers};
use crate::tcp::Flow;
use crate::tls::{KeyLog, Scratch, TlsInfo, Undecryptable, UndecryptableKind};
use crate::types::{Endpoint, Limits, MemoryQuota};
use crate::websocket::inflate::InflaterPool;

/// How much payload the outputs want. Payload that is not wanted is not kept and, where it is not checked, not unmasked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Demand {
    /// Bytes of each message's content.
    pub content_bytes: u64,
    /// Bytes of each frame's payload.
    pub frame_bytes: u64,
    /// Whether packets that carried bytes of a connection are to be emitted: [`crate::event::What::Packet`].
    pub packets: bool,
}

/// What all connections share.
pub(super) struct Shared {
    /// What may be kept.
    pub(super) limits: Limits,
    /// What outputs want.
    pub(super) demand: Demand,
    /// The label of this input.
    pub(super) capture: Box<str>,
    /// The inflaters.
    pub(super) pool: InflaterPool,
    /// Buffers to lend.
    pub(super) buffers: Buffers,
    /// What is kept.
    pub(super) memory: Memory,
    /// Unmasked payload lies here while it is looked at.
    pub(super) scratch: Vec<u8>,
    /// TLS secrets.
    pub(super) keys: KeyLog,
    /// Whether more of them may come.
    pub(super) expect_secrets: bool,
    /// A connection waits for a secret that the source was not asked for yet.
    pub(super) lacks_secrets: bool,
    /// Whether every TLS connection that stays closed is listed.
    pub(super) list_tls: bool,
    /// Plaintext of TLS lies here while it is looked at.
    pub(super) tls_scratch: Scratch,
    /// Bytes of TLS that wait for secrets.
    pub(super) tls_waiting: usize,
    /// Servers to which a WebSocket was opened within TLS.
    pub(super) websocket_hosts: BTreeSet<Host>,
    /// TLS connections that stay closed.
    pub(super) closed_tls: BTreeMap<(String, UndecryptableKind), ClosedTls>,
    /// Whether connections without a handshake are looked for.
    pub(super) mid_stream: bool,
    /// The number of the next WebSocket connection.
    pub(super) next_connection: u64,
    /// The counts for the report.
    pub(super) totals: Totals,
    /// The readers of sub-protocols.
    pub(super) readers: Readers,
    /// A reader's notes on the message at hand.
    pub(super) notes: Notes,
    /// The packets that carried the beginning of the connection at hand.
    pub(super) carriers: Carriers,
}

impl Shared {
    /// How many bytes may be kept where so many are wanted.
    pub(super) fn keep(&self, wanted: u64) -> usize {
        usize::try_from(wanted.min(self.limits.max_message_bytes)).unwrap_or(usize::MAX)
    }
}

impl Shared {
    /// Bytes kept for all connections, those of the layers before left out.
    #[inline]
    pub(super) const fn held(&self) -> usize {
        let caches = self
            .buffers
            .held()
            .saturating_add(self.scratch.capacity())
            .saturating_add(self.pool.charge())
            .saturating_add(self.notes.held());
        self.memory.sessions().saturating_add(self.memory.datagrams).saturating_add(caches)
    }

    /// How much more may be kept now.
    #[inline]
    pub(super) const fn quota(&self) -> MemoryQuota {
        MemoryQuota::new(self.memory.max.saturating_sub(self.held().saturating_add(self.memory.table)))
    }

    /// Buffers grew, or could not.
    #[cold]
    pub(super) const fn spend(&mut self, quota: &MemoryQuota) {
        self.memory.grow(quota.taken());
        self.totals.shed_bytes = self.totals.shed_bytes.saturating_add(quota.refused());
    }

    /// Frees buffers that are kept for speed alone.
    pub(super) fn trim(&mut self) {
        self.buffers.trim();
        self.scratch = Vec::new();
    }
}

/// A server, and the name that the client gave for it (RFC 6066 §3).
pub(super) type Host = (Endpoint, Option<String>);

/// Servers, and names of closed connections, that are remembered.
const MAX_HOSTS: usize = 1024;
const MAX_CLOSED: usize = 256;

impl Shared {
    /// A WebSocket was opened within TLS.
    pub(super) fn note_websocket_host(&mut self, flow: &Flow, info: &TlsInfo) {
        if self.websocket_hosts.len() < MAX_HOSTS && !self.is_websocket_host(flow, info) {
            self.websocket_hosts.insert((flow.carrier.server, info.server_name.clone()));
        }
    }

    /// Whether one was opened to this server before.
    pub(super) fn is_websocket_host(&self, flow: &Flow, info: &TlsInfo) -> bool {
        let any = self.websocket_hosts.range((flow.carrier.server, None)..);
        any.take_while(|host| host.0 == flow.carrier.server).any(|host| host.1 == info.server_name)
    }

    /// Counts a TLS connection that stays closed.
    pub(super) fn count_closed(&mut self, why: Undecryptable, flow: &Flow, info: &TlsInfo) {
        let name = info.server_name.clone().unwrap_or_else(|| flow.carrier.server.to_string());
        let full = self.closed_tls.len() >= MAX_CLOSED;
        let known = self.closed_tls.contains_key(&(name.clone(), why.kind()));
        let name = if full && !known { String::new() } else { name };
        let entry = self.closed_tls.entry((name.clone(), why.kind())).or_insert_with(|| ClosedTls {
            server: name,
            why: why.kind(),
            needed: why.remedy(),
            connections: 0,
        });
        entry.connections += 1;
    }
}

/// Where events go, and what all connections share.
pub(super) struct Out<'o, S: Sink> {
    /// The sink.
    pub(super) sink: &'o mut S,
    /// The first error of the sink; it is given no event after it.
    pub(super) error: &'o mut Option<S::Error>,
    /// What all connections share.
    pub(super) shared: &'o mut Shared,
}

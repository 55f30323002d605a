//! The table `connections`: one row per WebSocket connection or refused attempt at one.

use std::borrow::Cow;

use super::super::community_id::community_id;
use super::{Cell, Column, Kind, Row, Table, TextList};
use crate::event::{CloseSent, Outcome, Summary, Traffic, What};
use crate::output::list::EventKinds;
use crate::tls::TlsInfo;
use crate::types::{FindingSet, Role};
use crate::websocket::{AcceptCheck, Request, Response};

/// One row per WebSocket connection or refused attempt at one.
#[derive(Debug)]
pub struct Connections;

/// What a row of [`Connections`] shows.
pub type ConnectionRow<'a> = Row<'a, Summary>;

impl<'a> ConnectionRow<'a> {
    const fn request(&self) -> Option<&'a Request> {
        self.what.handshake.request.as_ref()
    }

    const fn response(&self) -> Option<&'a Response> {
        self.what.handshake.response.as_ref()
    }

    fn of_request(&self, field: impl Fn(&'a Request) -> Option<&'a String>) -> Cell<'a> {
        Cell::text(self.request().and_then(field).map(String::as_str))
    }

    fn of_response(&self, field: impl Fn(&'a Response) -> Option<&'a String>) -> Cell<'a> {
        Cell::text(self.response().and_then(field).map(String::as_str))
    }

    fn tls(&self) -> Option<&'a TlsInfo> {
        self.what.tls.as_deref()
    }

    const fn c2s(&self) -> &'a Traffic {
        &self.what.traffic.to_server
    }

    const fn s2c(&self) -> &'a Traffic {
        &self.what.traffic.to_client
    }

    fn offered_subprotocols(&self) -> Cell<'a> {
        let list = |request: &'a Request| TextList::subprotocols(&request.subprotocols, self.context.secrets);
        self.request().map_or(Cell::Null, |request| Cell::Texts(list(request)))
    }

    fn subprotocol(&self) -> Cell<'a> {
        let offered = self.request().map_or(&[][..], |request| &request.subprotocols);
        let chosen = self.response().and_then(|response| response.subprotocol.as_deref());
        Cell::safe(chosen.map(|name| self.context.secrets.chosen(name, offered)))
    }

    /// The reason that goes with `close_code`, where a Close gave both.
    fn close_reason(&self) -> Cell<'a> {
        let coded = |close: &Option<CloseSent>| close.as_ref().is_some_and(|close| close.code.is_some());
        let closes = &self.what.closes;
        let given = self.what.close_code.is_some_and(|code| code != 1005 && code != 1006)
            && (coded(&closes.to_server) || coded(&closes.to_client));
        let reason = &self.what.close_reason;
        if given || !reason.is_empty() { Cell::Text(Cow::Borrowed(reason)) } else { Cell::Null }
    }

    fn findings(&self) -> Cell<'a> {
        let mut set = FindingSet::default();
        self.what.findings.iter().for_each(|finding| set.insert(finding.code()));
        Cell::Codes(set)
    }
}

/// When the connection became a WebSocket; `None` where it did not, or where that was not captured.
pub(crate) fn time_open(summary: &Summary) -> Option<crate::types::PacketRef> {
    let opened = summary.outcome != Outcome::Rejected;
    summary.handshake.response.as_ref().filter(|_| opened).map(|response| response.seen)
}

/// From the request to the response, in microseconds.
pub(crate) fn handshake_us(summary: &Summary) -> Option<u64> {
    let (request, response) = (summary.handshake.request.as_ref()?, summary.handshake.response.as_ref()?);
    Some(response.seen.at.micros_since(request.seen.at))
}

impl Table for Connections {
    type Of<'a> = Summary;
    const NAME: &'static str = "connections";
    const DOC: &'static str =
        "One row per WebSocket connection or refused attempt at one, in the order in which they end. `uid` is a key.";
    const COLUMNS: &'static [Column<Self>] = &[
        Column::connection(),
        Column::uid(),
        Column::capture(),
        Column::<Self>::number(
            "tcp_stream",
            |row| row.connection.tcp_stream,
            "The TCP connection's number, from 0 in the order of first packets, as in Wireshark.",
        ),
        Column::<Self>::number("stream_id", |row| row.connection.stream_id, "The HTTP/2 stream; empty in HTTP/1.1."),
        Column::<Self>::new(
            "time_first",
            Kind::Time,
            |row| Cell::Time(row.connection.first.at),
            "The first packet of the TCP connection.",
        ),
        Column::<Self>::new(
            "time_open",
            Kind::Time,
            |row| Cell::time(time_open(row.what).map(|seen| seen.at)),
            "The response that made it a WebSocket.",
        ),
        Column::<Self>::new("time", Kind::Time, |row| Cell::Time(row.what.last.at), "Its last packet."),
        Column::<Self>::number(
            "duration_us",
            |row| Some(row.what.last.at.micros_since(row.connection.first.at)),
            "From `time_first` to `time`, in microseconds.",
        ),
        Column::<Self>::new(
            "client_ip",
            Kind::Address,
            |row| Cell::Ip(row.connection.client.ip),
            "The client's address.",
        ),
        Column::<Self>::number("client_port", |row| Some(row.connection.client.port.into()), "Its TCP port."),
        Column::<Self>::new(
            "server_ip",
            Kind::Address,
            |row| Cell::Ip(row.connection.server.ip),
            "The server's address.",
        ),
        Column::<Self>::number("server_port", |row| Some(row.connection.server.port.into()), "Its TCP port."),
        Column::<Self>::new(
            "transport",
            Kind::Word,
            |row| Cell::Name(row.connection.transport.as_str()),
            "`http1` (RFC 6455 §4) or `http2` (RFC 8441).",
        ),
        Column::<Self>::new(
            "tls",
            Kind::Text,
            |row| Cell::text(row.tls().and_then(TlsInfo::version_name)),
            "The version of TLS, such as `TLSv1.3`; empty without TLS.",
        ),
        Column::<Self>::new(
            "server_name",
            Kind::Text,
            |row| Cell::text(row.tls().and_then(|tls| tls.server_name.as_deref())),
            "The server name that the client sent in TLS.",
        ),
        Column::<Self>::new("host", Kind::Text, |row| row.of_request(|request| request.host.as_ref()), "Host."),
        Column::<Self>::new(
            "target",
            Kind::Text,
            |row| Cell::safe(row.request().map(|request| row.context.secrets.target(&request.target))),
            "The request target: path and query. Secrets are redacted.",
        ),
        Column::<Self>::new(
            "origin",
            Kind::Text,
            |row| row.of_request(|request| request.origin.as_ref()),
            "Origin (RFC 6455 §10.2).",
        ),
        Column::<Self>::new(
            "user_agent",
            Kind::Text,
            |row| row.of_request(|request| request.user_agent.as_ref()),
            "User-Agent.",
        ),
        Column::<Self>::new(
            "version",
            Kind::Text,
            |row| row.of_request(|request| request.version.as_ref()),
            "Sec-WebSocket-Version of the request; 13 is the only right one.",
        ),
        Column::<Self>::new(
            "client_subprotocols",
            Kind::List,
            |row| row.offered_subprotocols(),
            "The sub-protocols offered, in order. Secrets are redacted.",
        ),
        Column::<Self>::new("subprotocol", Kind::Text, |row| row.subprotocol(), "The sub-protocol chosen."),
        Column::<Self>::new(
            "client_extensions",
            Kind::List,
            |row| row.request().map_or(Cell::Null, |request| Cell::Texts(TextList::plain(&request.extensions))),
            "The extensions offered, each with its parameters.",
        ),
        Column::<Self>::new(
            "extensions",
            Kind::List,
            |row| row.response().map_or(Cell::Null, |response| Cell::Texts(TextList::plain(&response.extensions))),
            "The extensions chosen, each with its parameters.",
        ),
        Column::<Self>::number(
            "status",
            |row| row.response().map(|response| response.status).map(u64::from),
            "The status of the response: 101, or 200 in HTTP/2, is success.",
        ),
        Column::<Self>::new(
            "key",
            Kind::Text,
            |row| row.of_request(|request| request.key.as_ref()),
            "Sec-WebSocket-Key.",
        ),
        Column::<Self>::new(
            "accept",
            Kind::Text,
            |row| row.of_response(|response| response.accept.as_ref()),
            "Sec-WebSocket-Accept.",
        ),
        Column::<Self>::new(
            "accept_valid",
            Kind::Boolean,
            |row| accept_valid(row.what.handshake.accept),
            "Whether `accept` is there and belongs to `key` (RFC 6455 §4.2.2); empty where there is nothing to compare.",
        ),
        Column::<Self>::new(
            "handshake_seen",
            Kind::Boolean,
            |row| Cell::Bool(row.what.handshake_seen),
            "Whether the opening handshake was captured.",
        ),
        Column::<Self>::new(
            "outcome",
            Kind::Word,
            |row| match row.what.outcome {
                Outcome::Unknown => Cell::Null,
                outcome => Cell::Name(outcome.as_str()),
            },
            "`open` (still open when the capture ends), `closed` (closing handshake), `aborted` (TCP ended without one) or `rejected` (never a WebSocket).",
        ),
        Column::<Self>::new(
            "closed_by",
            Kind::Word,
            |row| Cell::name(row.what.closed_by.map(Role::as_str)),
            "`client` or `server`: the sender of the first Close or, without one, of the first FIN or RST.",
        ),
        Column::<Self>::number(
            "close_code",
            |row| row.what.close_code.map(u64::from),
            "The code that an API would report (RFC 6455 §7.1.5): the code of the first Close, 1005 for an empty one, 1006 without one.",
        ),
        Column::<Self>::new(
            "close_reason",
            Kind::Text,
            |row| row.close_reason(),
            "The reason that goes with it (RFC 6455 §7.1.6).",
        ),
        Column::<Self>::new(
            "clean",
            Kind::Boolean,
            |row| row.what.clean.map_or(Cell::Null, Cell::Bool),
            "An API's `wasClean`: both sides sent a Close (RFC 6455 §7.1.4).",
        ),
        Column::<Self>::number("frames_c2s", |row| Some(row.c2s().frame_count()), "Frames from the client."),
        Column::<Self>::number("frames_s2c", |row| Some(row.s2c().frame_count()), "Frames from the server."),
        Column::<Self>::number(
            "messages_c2s",
            |row| Some(row.c2s().message_count()),
            "Messages from the client, control messages included.",
        ),
        Column::<Self>::number(
            "messages_s2c",
            |row| Some(row.s2c().message_count()),
            "Messages from the server, control messages included.",
        ),
        Column::<Self>::number(
            "wire_bytes_c2s",
            |row| Some(row.c2s().wire_bytes),
            "Bytes of frame payload from the client, on the wire.",
        ),
        Column::<Self>::number(
            "wire_bytes_s2c",
            |row| Some(row.s2c().wire_bytes),
            "Bytes of frame payload from the server, on the wire.",
        ),
        Column::<Self>::number(
            "bytes_c2s",
            |row| Some(row.c2s().bytes),
            "Bytes of messages from the client, after inflation.",
        ),
        Column::<Self>::number(
            "bytes_s2c",
            |row| Some(row.s2c().bytes),
            "Bytes of messages from the server, after inflation.",
        ),
        Column::<Self>::number(
            "missing_bytes_c2s",
            |row| Some(row.c2s().missing_bytes),
            "Bytes from the client that the capture lacks.",
        ),
        Column::<Self>::number(
            "missing_bytes_s2c",
            |row| Some(row.s2c().missing_bytes),
            "Bytes from the server that the capture lacks.",
        ),
        Column::<Self>::number(
            "handshake_us",
            |row| handshake_us(row.what),
            "From the request to the response, in microseconds.",
        ),
        Column::<Self>::number(
            "ping_rtt_min_us",
            |row| row.what.ping_rtts_us.min(),
            "The shortest time from a Ping to its Pong, in microseconds.",
        ),
        Column::<Self>::number("ping_rtt_avg_us", |row| row.what.ping_rtts_us.mean(), "The mean of these times."),
        Column::<Self>::number("ping_rtt_max_us", |row| row.what.ping_rtts_us.max(), "The longest of them."),
        Column::<Self>::number(
            "longest_silence_us",
            |row| row.what.longest_silence.map(|silence| silence.us),
            "The longest time without a byte in either direction, in microseconds.",
        ),
        Column::<Self>::number(
            "first_packet",
            |row| Some(row.connection.first.packet),
            "The first packet of the TCP connection.",
        ),
        Column::<Self>::number("last_packet", |row| Some(row.what.last.packet), "Its last packet."),
        Column::<Self>::new(
            "community_id",
            Kind::Text,
            |row| Cell::Text(Cow::Owned(community_id(row.connection.client, row.connection.server).into_bytes())),
            "Community ID version 1 of the TCP connection, seed 0.",
        ),
        Column::<Self>::new("findings", Kind::List, |row| row.findings(), "Its findings, by code."),
    ];

    const EVENTS: EventKinds = EventKinds::CLOSED;
    // `tcp_stream` counts over the whole input. The rows are few.
    const IN_WORKERS: bool = false;

    fn of<'a, 'e: 'a>(what: &What<'e>) -> Option<&'a Summary> {
        if let What::Closed(summary) = what { Some(summary) } else { None }
    }
}

/// Whether the accept that was sent is right; a missing one is not.
const fn accept_valid(check: AcceptCheck) -> Cell<'static> {
    match check {
        AcceptCheck::Unknown => Cell::Null,
        AcceptCheck::Valid => Cell::Bool(true),
        AcceptCheck::Mismatch | AcceptCheck::Missing => Cell::Bool(false),
    }
}

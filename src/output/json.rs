//! The report for programs: one JSON object (RFC 8259) a connection, a line each, as connections end.
//!
//! In: [`What::Closed`] of each connection. Out: all columns of the table `connections`, and after them what does not fit a
//! table. `http2` is only there for a WebSocket in HTTP/2, `tls_detail` within TLS. What it writes, shortened and on several
//! lines:
//!
//! ```json
//! {
//!   "connection": 3, "uid": "0123456789abcdeffedcba9876543210", "capture": null, "tcp_stream": 4,
//!   "host": "chat.example.org", "target": "/chat?room=lobby&token=[redacted 49 chars, abd3c2]",
//!   "outcome": "closed", "closed_by": "server", "close_code": 1001, "clean": true,
//!   "findings": ["unmasked_client_frame", "tcp_gap", "token_in_url", "unanswered_ping"],
//!   "handshake": {"method": "GET", "cookie": true, "deflate": {"server_max_window_bits": 12}},
//!   "traffic": {
//!     "c2s": {
//!       "frames": {"continuation": 4, "text": 118, "close": 1, "pong": 2},
//!       "message_len": {"count": 118, "min": 0, "avg": 409, "p50": 399, "p95": 799, "p99": 799, "max": 819},
//!       "message_gap": {"count": 117, "avg_us": 110200}
//!     },
//!     "s2c": {"compressed_messages": 0, "out_of_order": 1}
//!   },
//!   "closes": {"s2c": {"packet": 840, "time": "2026-11-22T16:21:07.523456789Z", "code": 1001}},
//!   "tcp_ends": {"c2s": {"packet": 845, "reason": "fin", "rst_by": null}},
//!   "pings": {"count": 2, "min_us": 1200, "max_us": 1450},
//!   "silences": {"both": {"us": 30000000, "from_packet": 44, "to_packet": 45}},
//!   "findings_detail": [{"code": "token_in_url", "severity": "warning", "count": 1, "packet": 15}]
//! }
//! ```

use std::borrow::Cow;
use std::io::{self, Write};

use super::columns::{Cell, Column, Connections, Context, Row, columns};
use super::list::{EventKinds, Output, Wants};
use super::table::{LineFormat as _, Ndjson};
use crate::event::{CloseSent, Event, FindingCount, Http2, Silence, StreamEndKind, Summary, Totals, Traffic, What};
use crate::stream::EndReason;
use crate::tls::TlsInfo;
use crate::types::{Detail, PacketRef, PerDirection, Sketch};
use crate::websocket::{Handshake, Opcode};

/// Writes reports for programs.
#[derive(Debug)]
pub struct JsonReport<W: Write> {
    to: W,
    context: Context,
    columns: Vec<&'static Column<Connections>>,
    json: Json,
}

impl<W: Write> JsonReport<W> {
    /// Reports to `to`, a line each and a line a write.
    pub fn new(to: W, context: Context) -> Self {
        let columns: Vec<_> = columns::<Connections>(context.payload).collect();
        let mut json = Json::default();
        json.values.start(&columns.iter().map(|column| column.name).collect::<Vec<_>>());
        Self { to, context, columns, json }
    }
}

impl<W: Write> Output for JsonReport<W> {
    fn wants(&self) -> Wants {
        Wants::events(EventKinds::CLOSED)
    }

    fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        let What::Closed(summary) = event.what else { return Ok(()) };
        let row = Row { context: &self.context, connection: event.connection, direction: None, what: summary };
        let json = &mut self.json;
        json.out.clear();
        for (place, column) in self.columns.iter().enumerate() {
            json.values.cell(&mut json.out, place, &column.cell(&row));
        }
        json.object("handshake", |json| handshake(json, &summary.handshake, summary, &self.context));
        json.per_direction("traffic", &summary.traffic, traffic);
        json.per_direction("closes", &summary.closes, close);
        json.per_direction("tcp_ends", &summary.tcp_ends, tcp_end);
        json.object("pings", |json| sketch(json, &summary.ping_rtts_us, "_us"));
        json.object("silences", |json| {
            json.optional("both", summary.longest_silence.as_ref(), silence);
            json.optional("c2s", summary.traffic.to_server.longest_silence.as_ref(), silence);
            json.optional("s2c", summary.traffic.to_client.longest_silence.as_ref(), silence);
        });
        json.array("findings_detail", &summary.findings, |json, found| finding(json, found, &self.context));
        if let Some(of_stream) = &summary.http2 {
            json.object("http2", |json| http2(json, of_stream));
        }
        if let Some(info) = &summary.tls {
            json.object("tls_detail", |json| tls(json, info));
        }
        json.out.extend_from_slice(b"}\n");
        self.to.write_all(&json.out)
    }

    fn finish(&mut self, _: &Totals) -> io::Result<()> {
        self.to.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// An object being written.
#[derive(Debug, Default)]
struct Json {
    out: Vec<u8>,
    values: Ndjson,
}

impl Json {
    /// Appends a name of ours, and a comma where one is due.
    fn key(&mut self, name: &str) {
        if self.out.last() != Some(&b'{') {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    fn cell(&mut self, name: &str, cell: &Cell<'_>) {
        self.key(name);
        self.values.value(&mut self.out, cell);
    }

    fn number(&mut self, name: &str, value: Option<u64>) {
        self.cell(name, &value.map_or(Cell::Null, Cell::U64));
    }

    fn text(&mut self, name: &str, value: Option<&[u8]>) {
        self.cell(name, &value.map_or(Cell::Null, |value| Cell::Text(Cow::Borrowed(value))));
    }

    fn object(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        self.key(name);
        self.braces(fill);
    }

    fn braces(&mut self, fill: impl FnOnce(&mut Self)) {
        self.out.push(b'{');
        fill(self);
        self.out.push(b'}');
    }

    fn optional<T>(&mut self, name: &str, value: Option<&T>, fill: fn(&mut Self, &T)) {
        match value {
            None => self.cell(name, &Cell::Null),
            Some(value) => self.object(name, |json| fill(json, value)),
        }
    }

    fn per_direction<T>(&mut self, name: &str, both: &PerDirection<T>, fill: fn(&mut Self, &str, &T)) {
        self.object(name, |json| {
            fill(json, "c2s", &both.to_server);
            fill(json, "s2c", &both.to_client);
        });
    }

    fn array<T>(&mut self, name: &str, items: &[T], fill: impl Fn(&mut Self, &T)) {
        self.key(name);
        self.out.push(b'[');
        for (place, item) in items.iter().enumerate() {
            if place > 0 {
                self.out.push(b',');
            }
            self.braces(|json| fill(json, item));
        }
        self.out.push(b']');
    }

    fn seen(&mut self, seen: PacketRef) {
        self.cell("packet", &Cell::U64(seen.packet));
        self.cell("time", &Cell::Time(seen.at));
    }
}

fn handshake(json: &mut Json, handshake: &Handshake, summary: &Summary, context: &Context) {
    let request = handshake.request.as_ref();
    let response = handshake.response.as_ref();
    let text = |text: Option<&String>| text.map(|text| text.as_bytes().to_vec());
    json.text("method", request.map(|request| request.method.as_bytes()));
    json.number("request_packet", request.map(|request| request.seen.packet));
    json.cell("cookie", &request.map_or(Cell::Null, |request| Cell::Bool(request.cookie)));
    json.text("authorization", text(request.and_then(|request| request.authorization.as_ref())).as_deref());
    json.text("via", text(request.and_then(|request| request.via.as_ref())).as_deref());
    json.number("response_packet", response.map(|response| response.seen.packet));
    json.text("reason", response.map(|response| response.reason.as_bytes()));
    json.text("server", text(response.and_then(|response| response.server.as_ref())).as_deref());
    json.text("server_version", text(response.and_then(|response| response.version.as_ref())).as_deref());
    let location = response.and_then(|response| response.location.as_ref()).map(|to| context.secrets.target(to));
    json.text("location", location.as_deref().map(str::as_bytes));
    json.number("tcp_handshake_us", summary.tcp_handshake_us);
    json.optional("deflate", handshake.negotiated.deflate.as_ref(), |json, deflate| {
        json.cell("server_no_context_takeover", &Cell::Bool(deflate.server_no_context_takeover));
        json.cell("client_no_context_takeover", &Cell::Bool(deflate.client_no_context_takeover));
        json.cell("server_max_window_bits", &Cell::U64(deflate.server_max_window_bits.into()));
        json.cell("client_max_window_bits", &Cell::U64(deflate.client_max_window_bits.into()));
    });
}

fn tls(json: &mut Json, info: &TlsInfo) {
    json.text("suite", info.suite_name().map(str::as_bytes));
    json.text("alpn", info.alpn.as_ref().map(String::as_bytes));
    let random = info.client_random.map(|random| random.map(|byte| format!("{byte:02x}")).concat());
    json.text("client_random", random.as_ref().map(String::as_bytes));
    json.cell("resumed", &Cell::Bool(info.resumed));
    json.number("hello_packet", info.hello.map(|seen| seen.packet));
    json.number("finished_packet", info.finished.map(|seen| seen.packet));
    json.number("handshake_us", info.handshake_us());
    json.number("close_notify_c2s_packet", info.close_notify.to_server.map(|seen| seen.packet));
    json.number("close_notify_s2c_packet", info.close_notify.to_client.map(|seen| seen.packet));
}

fn traffic(json: &mut Json, direction: &str, traffic: &Traffic) {
    json.object(direction, |json| {
        json.object("frames", |json| by_opcode(json, &traffic.frames));
        json.object("messages", |json| by_opcode(json, &traffic.messages));
        let numbers = [
            ("compressed_messages", traffic.compressed_messages),
            ("incomplete_messages", traffic.incomplete_messages),
            ("header_bytes", traffic.header_bytes),
            ("wire_bytes", traffic.wire_bytes),
            ("bytes", traffic.bytes),
            ("compressed_wire_bytes", traffic.compressed_wire_bytes),
            ("compressed_bytes", traffic.compressed_bytes),
            ("missing_bytes", traffic.missing_bytes),
            ("gaps", traffic.gaps),
            ("retransmissions", traffic.retransmissions),
            ("out_of_order", traffic.out_of_order),
        ];
        for (name, value) in numbers {
            json.cell(name, &Cell::U64(value));
        }
        json.object("message_len", |json| sketch(json, &traffic.message_len, ""));
        json.object("message_gap", |json| sketch(json, &traffic.message_gap_us, "_us"));
    });
}

/// Those opcodes that occurred, by name.
fn by_opcode(json: &mut Json, counts: &[u64; 16]) {
    for (opcode, &count) in (0_u8..).zip(counts) {
        if count > 0 {
            json.cell(Opcode::from_bits(opcode).name(), &Cell::U64(count));
        }
    }
}

fn sketch(json: &mut Json, sketch: &Sketch, unit: &str) {
    json.cell("count", &Cell::U64(sketch.count()));
    let numbers = [
        ("min", sketch.min()),
        ("avg", sketch.mean()),
        ("p50", sketch.percentile(50)),
        ("p95", sketch.percentile(95)),
        ("p99", sketch.percentile(99)),
        ("max", sketch.max()),
    ];
    for (name, value) in numbers {
        json.number(&format!("{name}{unit}"), value);
    }
}

fn close(json: &mut Json, direction: &str, close: &Option<CloseSent>) {
    json.optional(direction, close.as_ref(), |json, close| {
        json.seen(close.seen);
        json.number("code", close.code.map(u64::from));
        json.text("reason", close.code.map(|_| close.reason.as_slice()));
    });
}

fn tcp_end(json: &mut Json, direction: &str, end: &Option<(EndReason, PacketRef)>) {
    json.optional(direction, end.as_ref(), |json, (reason, seen)| {
        json.seen(*seen);
        json.cell("reason", &Cell::Name(end_name(*reason)));
        let by = if let EndReason::Rst(by) = reason { Cell::Name(by.sender().as_str()) } else { Cell::Null };
        json.cell("rst_by", &by);
    });
}

/// What HTTP/2 shows beyond the rest; only there for a WebSocket in HTTP/2.
fn http2(json: &mut Json, http2: &Http2) {
    json.cell("extended_connect", &http2.extended_connect.map_or(Cell::Null, Cell::Bool));
    json.per_direction("stream_ends", &http2.ends, |json, direction, end| {
        json.optional(direction, end.as_ref(), |json, end| {
            json.seen(end.seen);
            let (how, code) = match end.how {
                StreamEndKind::EndStream => ("end_stream", None),
                StreamEndKind::Reset(code) => ("rst_stream", code),
            };
            json.cell("how", &Cell::Name(how));
            json.number("error_code", code.map(|code| code.0.into()));
        });
    });
    json.per_direction("goaways", &http2.goaways, |json, direction, goaway| {
        json.optional(direction, goaway.as_ref(), |json, (code, seen)| {
            json.seen(*seen);
            json.number("error_code", Some(code.0.into()));
        });
    });
    json.per_direction("stalled_us", &http2.stalled_us, |json, direction, us| json.number(direction, Some(*us)));
}

const fn end_name(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Fin => "fin",
        EndReason::Rst(_) => "rst",
        EndReason::Idle => "idle",
        EndReason::Reused => "reused",
        EndReason::CaptureOver => "capture_over",
    }
}

fn silence(json: &mut Json, silence: &Silence) {
    json.cell("us", &Cell::U64(silence.us));
    json.cell("from_packet", &Cell::U64(silence.from.packet));
    json.cell("to_packet", &Cell::U64(silence.to.packet));
}

fn finding(json: &mut Json, found: &FindingCount, context: &Context) {
    let first = &found.first;
    json.cell("code", &Cell::Name(first.code.as_str()));
    json.cell("severity", &Cell::Name(first.code.severity().as_str()));
    json.cell("count", &Cell::U64(found.count));
    json.seen(first.seen);
    json.cell("direction", &first.direction.map_or(Cell::Null, |direction| Cell::Name(direction.as_str())));
    json.number("frame", first.frame);
    json.number("message", first.message);
    let detail = (first.detail != Detail::None).then(|| first.detail.to_string());
    let detail = detail.as_deref().map(|detail| context.secrets.sentence(detail));
    json.text("detail", detail.as_deref().map(str::as_bytes));
    json.cell("reference", &Cell::Name(first.code.reference()));
}

#[cfg(test)]
mod tests;

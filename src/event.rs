//! The library's output: one [`Event`] after the other, lent to a [`Sink`].
//!
//! Events come in the order in which the capture makes them certain. They borrow their contents: a sink that keeps
//! something copies it. [`What::Closed`] carries all that is known of a connection, so a sink that writes a line for each
//! connection needs no other event. A sink that several workers feed is a [`ParallelSink`].

mod owned;
mod parallel;
mod totals;

pub use owned::Owned;
pub use parallel::{Batch, Kept, Numbers, ParallelSink, Shard};
pub use totals::{ClosedTls, Totals};

use crate::http::h2::ErrorCode;
use crate::stream::EndReason;
use crate::tls::TlsInfo;
pub use crate::types::Uid;
use crate::types::{Direction, Endpoint, Finding, FindingCode, FindingSet, PacketRef, PerDirection, Role, Sketch};
use crate::websocket::{FrameHeader, Handshake, Opcode};

/// Something that happened on one WebSocket connection, or an attempt at one.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// The packet that makes it certain.
    pub seen: PacketRef,
    /// The connection.
    pub connection: &'a Identity,
    /// The direction it is about, where it is about one.
    pub direction: Option<Direction>,
    /// What happened.
    pub what: What<'a>,
}

/// The kinds of event.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum What<'a> {
    /// The connection is a WebSocket from here on.
    Upgraded(&'a Handshake),
    /// A request for a WebSocket got another response than one that accepts it, or none.
    Refused(&'a Handshake),
    /// A frame is complete, or was cut off by the connection's end.
    Frame(&'a Frame<'a>),
    /// A message is complete, or nothing more of it will come. Control frames are messages of one frame.
    Message(&'a Message<'a>),
    /// Something was found. Findings of a frame or message come right before it.
    Finding(&'a Finding),
    /// A packet carried bytes of this connection: of its handshake, its frames, or the TLS or HTTP/2 around them.
    /// [`Event::seen`] is that packet, and [`Event::direction`] its direction. Emitted only where
    /// [`Demand::packets`](crate::analyzer::Demand::packets) asks for it, and not twice in a row for the same packet; packets
    /// that came before the connection was known to be a WebSocket are emitted when it is.
    Packet,
    /// The connection is over, or the capture is.
    Closed(&'a Summary),
}

/// A consumer of events.
pub trait Sink {
    /// The errors of the consumer.
    type Error;

    /// Takes one event.
    ///
    /// # Errors
    /// The error that stops the sink; the analysis stops with it.
    fn event(&mut self, event: &Event<'_>) -> Result<(), Self::Error>;
}

/// What identifies a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its number, from 0 over the input, in the order in which they were accepted or refused.
    pub number: u64,
    /// Its key, whatever files, shards or threads it was read with.
    pub uid: Uid,
    /// The TCP connection's number, from 0, as Wireshark counts. `None` where no TCP carries it.
    pub tcp_stream: Option<u64>,
    /// The stream of the HTTP connection, where it has streams.
    pub stream_id: Option<u64>,
    /// The endpoint that sent the request.
    pub client: Endpoint,
    /// The other endpoint.
    pub server: Endpoint,
    /// How the WebSocket was requested.
    pub transport: Transport,
    /// Whether it is within TLS: `wss`.
    pub tls: bool,
    /// The first packet of the TCP connection.
    pub first: PacketRef,
}

/// How a WebSocket is requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// An Upgrade in HTTP/1.1 (RFC 6455 §4).
    Http1,
    /// An extended CONNECT in HTTP/2 (RFC 8441).
    Http2,
}

impl Transport {
    /// `http1` or `http2`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http1 => "http1",
            Self::Http2 => "http2",
        }
    }
}

/// One frame.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// Its number, from 0 within its connection, both directions together, in the order of completion.
    pub number: u64,
    /// Its header.
    pub header: FrameHeader,
    /// How many bytes of the header were captured: all, unless the stream ends in it. The others read as 0 and are
    /// not known.
    pub header_captured: u8,
    /// The number of its message. `None` for a fragment whose message is not complete: it is that of the next
    /// [`Message`] of this direction that is not a control message, and [`Self::in_message`] is true.
    pub message: Option<u64>,
    /// Whether it belongs to a message at all: frames with reserved opcodes and stray continuations do not.
    pub in_message: bool,
    /// Its place among the fragments of its message, from 0.
    pub fragment: u64,
    /// The packet that carried its first byte.
    pub first: PacketRef,
    /// The packet that carried its last byte.
    pub last: PacketRef,
    /// Where its header begins, in bytes from the first byte after the handshake in this direction.
    pub stream_offset: u64,
    /// Its payload, unmasked and as it was on the wire, as far as it is kept for outputs.
    pub payload: &'a [u8],
    /// Bytes of its payload that the capture lacks.
    pub missing: u64,
    /// Whether its end was reached, gaps included; false where the stream ends in it.
    pub complete: bool,
    /// Of a Close frame: its body.
    pub close: Option<Close<'a>>,
    /// Of a Pong that answers a Ping: the time since that Ping, in microseconds.
    pub ping_rtt_us: Option<u64>,
    /// The codes of findings in it.
    pub findings: FindingSet,
}

impl Frame<'_> {
    /// Whether the byte with the MASK bit was captured, and so how long the header is.
    #[must_use]
    pub const fn mask_is_known(&self) -> bool {
        self.header_captured >= 2
    }

    /// Whether the complete payload length was captured.
    #[must_use]
    pub const fn length_is_known(&self) -> bool {
        let key = if self.header.masking_key.is_some() { 4 } else { 0 };
        self.mask_is_known() && self.header_captured + key >= self.header.header_len
    }

    /// Whether the complete masking key was captured, where there is one.
    #[must_use]
    pub const fn header_is_known(&self) -> bool {
        self.header_captured >= self.header.header_len
    }
}

/// One message.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// Its number, from 0 within its connection, both directions together, in the order of completion.
    pub number: u64,
    /// Text, binary, close, ping or pong.
    pub opcode: Opcode,
    /// Whether permessage-deflate compressed it.
    pub compressed: bool,
    /// How many frames it has.
    pub frames: u64,
    /// The sum of its frames' payload lengths.
    pub wire_len: u64,
    /// Its length after inflation; `None` where it could not be inflated.
    pub len: Option<u64>,
    /// Its content after inflation, as far as it is kept for outputs; bytes in a gap are left out.
    pub content: &'a [u8],
    /// Whether `content` is all of it that was captured.
    pub content_whole: bool,
    /// Whether all of it was captured and decoded, to its last fragment.
    pub complete: bool,
    /// Whether its content is UTF-8, as far as it was seen.
    pub utf8: bool,
    /// The packet that carried its first byte.
    pub first: PacketRef,
    /// The packet that carried its last byte.
    pub last: PacketRef,
    /// Of a Close: its body.
    pub close: Option<Close<'a>>,
    /// Of a Pong that answers a Ping: the time since that Ping, in microseconds.
    pub ping_rtt_us: Option<u64>,
    /// Its description by the reader of its sub-protocol, in a line: `PUBLISH a/b`. `None` where there is none.
    pub summary: Option<&'a str>,
    /// The codes of findings in it and its frames.
    pub findings: FindingSet,
}

/// The body of a Close frame (RFC 6455 §5.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Close<'a> {
    /// The status code; `None` where the body is empty or a single byte.
    pub code: Option<u16>,
    /// The reason; not always UTF-8.
    pub reason: &'a [u8],
}

/// All that is known of a connection when it is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// The handshake; without `request` and `response` where none was captured.
    pub handshake: Handshake,
    /// Whether the opening handshake was captured.
    pub handshake_seen: bool,
    /// The packet that opened the WebSocket, or refused it.
    pub opened: Option<PacketRef>,
    /// Its last packet.
    pub last: PacketRef,
    /// The last packet that carried bytes of it, in either direction.
    pub last_byte: Option<PacketRef>,
    /// What became of it.
    pub outcome: Outcome,
    /// The sender of the first Close or, without one, the side that ended TCP first.
    pub closed_by: Option<Role>,
    /// The close code that the WebSocket API would report (RFC 6455 §7.1.5): the code of the first Close, 1005 for an empty one, 1006
    /// without one; `None` while it is open or where it was refused.
    pub close_code: Option<u16>,
    /// The reason that goes with it.
    pub close_reason: Vec<u8>,
    /// The API's `wasClean`: both sides sent a Close (RFC 6455 §7.1.4).
    pub clean: Option<bool>,
    /// The first Close of each direction.
    pub closes: PerDirection<Option<CloseSent>>,
    /// How TCP, or in HTTP/2 the stream, ended in each direction: END_STREAM is a FIN, RST_STREAM a RST (RFC 8441 §5).
    pub tcp_ends: PerDirection<Option<(EndReason, PacketRef)>>,
    /// The time from the first packet of the TCP handshake to its third, in microseconds.
    pub tcp_handshake_us: Option<u64>,
    /// Counts of each direction.
    pub traffic: PerDirection<Traffic>,
    /// Round trips of Pings, in microseconds, both directions.
    pub ping_rtts_us: Sketch,
    /// The longest time between two packets with bytes of this connection, either direction, in microseconds, and the
    /// packets around it.
    pub longest_silence: Option<Silence>,
    /// In HTTP/2: what the stream and its connection show beyond that.
    pub http2: Option<Http2>,
    /// Each code that was found, with its count and its first finding. In the order of the first findings.
    pub findings: Vec<FindingCount>,
    /// What is known of the TLS around it, where there is some.
    pub tls: Option<Box<TlsInfo>>,
}

/// What is known of a WebSocket in HTTP/2 only (RFC 8441).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Http2 {
    /// Whether the server sent SETTINGS_ENABLE_CONNECT_PROTOCOL with 1 (RFC 8441 §3) before its response; `None`
    /// where that was not captured.
    pub extended_connect: Option<bool>,
    /// How the stream ended in each direction: END_STREAM, or RST_STREAM with its error code.
    pub ends: PerDirection<Option<StreamEnd>>,
    /// The GOAWAY of each direction, if the stream was open then, or never opened because of it.
    pub goaways: PerDirection<Option<(ErrorCode, PacketRef)>>,
    /// How long each sender could not send because a flow-control window was used up, the stream's or the connection's, in
    /// microseconds (RFC 9113 §5.2).
    pub stalled_us: PerDirection<u64>,
}

/// How a stream ended in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamEnd {
    /// The frame's packet.
    pub seen: PacketRef,
    /// END_STREAM, which is TCP's FIN, or RST_STREAM, its RST (RFC 8441 §5).
    pub how: StreamEndKind,
}

/// What ended a stream in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamEndKind {
    /// END_STREAM.
    EndStream,
    /// RST_STREAM, with its error code where that was captured.
    Reset(Option<ErrorCode>),
}

/// A time without bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// How long, in microseconds.
    pub us: u64,
    /// The packet before it.
    pub from: PacketRef,
    /// The packet after it.
    pub to: PacketRef,
}

/// A Close frame that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseSent {
    /// The packet that carried its last byte.
    pub seen: PacketRef,
    /// Its status code.
    pub code: Option<u16>,
    /// Its reason.
    pub reason: Vec<u8>,
}

/// The findings of one code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingCount {
    /// The first of them.
    pub first: Finding,
    /// How many.
    pub count: u64,
}

impl FindingCount {
    /// The code.
    #[must_use]
    pub const fn code(&self) -> FindingCode {
        self.first.code
    }
}

/// What became of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Still open when the capture ends.
    Open,
    /// Ended by a closing handshake, or at least one Close.
    Closed,
    /// TCP ended without one.
    Aborted,
    /// It never became a WebSocket.
    Rejected,
    /// Not known: it lies within TLS that stays closed.
    Unknown,
}

impl Outcome {
    /// `open`, `closed`, `aborted`, `rejected` or `unknown`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Aborted => "aborted",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
        }
    }
}

/// Counts of what one direction of a connection sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Frames by opcode, 0 to 15.
    pub frames: [u64; 16],
    /// Messages by the opcode of their first frame, 0 to 15.
    pub messages: [u64; 16],
    /// Of these, compressed.
    pub compressed_messages: u64,
    /// Messages that are not complete.
    pub incomplete_messages: u64,
    /// Bytes of frame headers.
    pub header_bytes: u64,
    /// Bytes of frame payload on the wire.
    pub wire_bytes: u64,
    /// Bytes of message content after inflation, control messages included.
    pub bytes: u64,
    /// Bytes of payload in compressed messages, on the wire.
    pub compressed_wire_bytes: u64,
    /// Bytes of these messages after inflation.
    pub compressed_bytes: u64,
    /// Bytes that the capture lacks.
    pub missing_bytes: u64,
    /// How many gaps these are.
    pub gaps: u64,
    /// Bytes that were passed over, gaps included, until a frame boundary was found again.
    pub passed_bytes: u64,
    /// Segments that were sent again.
    pub retransmissions: u64,
    /// Segments that came before bytes that precede them.
    pub out_of_order: u64,
    /// Lengths of data messages, in bytes after inflation.
    pub message_len: Sketch,
    /// Time between the ends of one data message and the next, in microseconds.
    pub message_gap_us: Sketch,
    /// The longest time without a byte in this direction, in microseconds.
    pub longest_silence: Option<Silence>,
}

impl Traffic {
    /// All frames.
    #[must_use]
    pub fn frame_count(&self) -> u64 {
        self.frames.iter().sum()
    }

    /// All messages.
    #[must_use]
    pub fn message_count(&self) -> u64 {
        self.messages.iter().sum()
    }
}

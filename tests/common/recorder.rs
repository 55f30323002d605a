//! The one sink that records: all that the library emits for a capture, as rows that can be compared.

use core::convert::Infallible;
use std::collections::BTreeMap;

use wslens::analyzer::{Analyzer, Demand, Options};
use wslens::capture::{LinkType, Packet};
use wslens::event::{
    Event, Frame, Identity, Kept, Message, Numbers, Outcome, Owned, ParallelSink, Shard, Sink, Summary, Totals,
    Traffic, What,
};
use wslens::types::{Direction, FindingCode, FindingSet, PacketRef, Role, Timestamp};
use wslens::websocket::{FrameHeader, Handshake, Opcode};

use super::conversation::Capture;

/// All that was emitted, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recorder {
    pub(crate) handshakes: Vec<HandshakeRecord>,
    pub(crate) frames: Vec<FrameRecord>,
    pub(crate) messages: Vec<MessageRecord>,
    pub(crate) findings: Vec<FindingRecord>,
    pub(crate) closed: Vec<(Identity, Summary)>,
    /// The packets that carried bytes of each connection, and of which direction.
    pub(crate) packets: BTreeMap<u64, Vec<(u64, Option<Direction>)>>,
    pub(crate) connections: BTreeMap<u64, Identity>,
    pub(crate) totals: Totals,
    order: Vec<Kind>,
    /// Places of frames and findings whose message has no number yet.
    open_frames: Vec<usize>,
    open_findings: Vec<usize>,
}

/// In which list the next row is.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Handshake,
    Frame,
    Message,
    Finding,
    Closed,
}

/// The end of an opening handshake.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HandshakeRecord {
    pub(crate) connection: u64,
    pub(crate) refused: bool,
    pub(crate) packet: u64,
    pub(crate) handshake: Box<Handshake>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FrameRecord {
    pub(crate) connection: u64,
    pub(crate) direction: Direction,
    pub(crate) number: u64,
    pub(crate) header: FrameHeader,
    /// That of a fragment is filled in when its message is complete.
    pub(crate) message: Option<u64>,
    pub(crate) fragment: u64,
    pub(crate) packets: (u64, u64),
    pub(crate) stream_offset: u64,
    pub(crate) payload: Vec<u8>,
    pub(crate) missing: u64,
    pub(crate) complete: bool,
    pub(crate) codes: Vec<&'static str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MessageRecord {
    pub(crate) connection: u64,
    pub(crate) direction: Direction,
    pub(crate) number: u64,
    pub(crate) opcode: Opcode,
    /// `text`, `binary`, `close`, `ping` or `pong`.
    pub(crate) kind: &'static str,
    pub(crate) compressed: bool,
    pub(crate) frames: u64,
    pub(crate) wire_len: u64,
    pub(crate) len: Option<u64>,
    pub(crate) content: Vec<u8>,
    pub(crate) content_whole: bool,
    pub(crate) complete: bool,
    pub(crate) utf8: bool,
    pub(crate) packets: (u64, u64),
    pub(crate) close: Option<(Option<u16>, Vec<u8>)>,
    pub(crate) ping_rtt_us: Option<u64>,
    pub(crate) summary: Option<String>,
    pub(crate) codes: Vec<&'static str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FindingRecord {
    pub(crate) connection: u64,
    pub(crate) direction: Option<Direction>,
    pub(crate) code: &'static str,
    pub(crate) packet: u64,
    pub(crate) frame: Option<u64>,
    /// That of a fragment is filled in when its message is complete.
    pub(crate) message: Option<u64>,
    pub(crate) detail: String,
}

/// One of all rows. Nothing in it depends on how bytes were cut into packets, or on time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Row {
    Handshake(HandshakeRecord),
    Frame(FrameRecord),
    Message(MessageRecord),
    Finding(FindingRecord),
    Closed(u64, Box<ClosedRow>),
}

/// What of a connection's summary does not depend on packets and time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ClosedRow {
    outcome: Outcome,
    closed_by: Option<Role>,
    close_code: Option<u16>,
    close_reason: Vec<u8>,
    clean: Option<bool>,
    frames: [u64; 2],
    messages: [u64; 2],
    wire_bytes: [u64; 2],
    bytes: [u64; 2],
    missing_bytes: [u64; 2],
    findings: Vec<(FindingCode, u64)>,
}

/// Everything is asked for: all content, all payload.
pub(crate) fn everything() -> Options {
    let demand = Demand { content_bytes: u64::MAX, frame_bytes: u64::MAX, ..Demand::default() };
    Options { demand, ..Options::default() }
}

/// Records `capture`, with all payload.
pub(crate) fn run(capture: &Capture) -> Recorder {
    run_with(capture, &everything())
}

/// Records `capture`.
pub(crate) fn run_with(capture: &Capture, options: &Options) -> Recorder {
    let mut analyzer = Analyzer::new(options);
    let mut recorder = Recorder::default();
    recorder.feed(&mut analyzer, capture);
    recorder.finish(&mut analyzer);
    assert!(recorder.open_frames.is_empty(), "the message of every fragment is emitted");
    assert!(recorder.open_findings.is_empty(), "the message of every finding is emitted");
    recorder
}

/// Records packets, given these secrets of TLS.
pub(crate) fn record<'p>(packets: impl IntoIterator<Item = Packet<'p>>, keys: &[u8]) -> Recorder {
    let mut analyzer = Analyzer::new(&everything());
    analyzer.keys().add(keys);
    let mut recorder = Recorder::default();
    for packet in packets {
        let Ok(()) = analyzer.packet(&packet, &mut recorder);
    }
    recorder.finish(&mut analyzer);
    recorder
}

impl Recorder {
    /// Gives the packets of `capture` to an analysis.
    pub(crate) fn feed(&mut self, analyzer: &mut Analyzer, capture: &Capture) {
        for (number, wire) in (1..).zip(&capture.packets) {
            let packet = Packet {
                seen: PacketRef { packet: number, at: Timestamp::from_nanos(wire.at) },
                link: LinkType::ETHERNET,
                bytes: &wire.bytes,
                original_len: u32::try_from(wire.original_len).unwrap(),
            };
            let Ok(()) = analyzer.packet(&packet, self);
        }
    }

    /// Ends the analysis.
    pub(crate) fn finish(&mut self, analyzer: &mut Analyzer) {
        let Ok(()) = analyzer.finish(self);
        self.totals = analyzer.totals();
    }
}

impl Sink for Recorder {
    type Error = Infallible;

    fn event(&mut self, event: &Event<'_>) -> Result<(), Infallible> {
        let connection = event.connection.number;
        self.connections.entry(connection).or_insert_with(|| event.connection.clone());
        match event.what {
            What::Upgraded(handshake) => self.handshake(event, handshake, false),
            What::Refused(handshake) => self.handshake(event, handshake, true),
            What::Frame(frame) => self.frame(event, frame),
            What::Message(message) => self.message(event, message),
            What::Finding(finding) => {
                if finding.in_message && finding.message.is_none() {
                    self.open_findings.push(self.findings.len());
                }
                self.order.push(Kind::Finding);
                self.findings.push(FindingRecord {
                    connection,
                    direction: finding.direction,
                    code: finding.code.as_str(),
                    packet: finding.seen.packet,
                    frame: finding.frame,
                    message: finding.message,
                    detail: finding.detail.to_string(),
                });
            }
            What::Closed(summary) => {
                self.order.push(Kind::Closed);
                self.closed.push((event.connection.clone(), summary.clone()));
            }
            What::Packet => self.packets.entry(connection).or_default().push((event.seen.packet, event.direction)),
            _ => {}
        }
        Ok(())
    }
}

impl Recorder {
    fn handshake(&mut self, event: &Event<'_>, handshake: &Handshake, refused: bool) {
        let (connection, packet) = (event.connection.number, event.seen.packet);
        self.order.push(Kind::Handshake);
        self.handshakes.push(HandshakeRecord { connection, refused, packet, handshake: Box::new(handshake.clone()) });
    }

    fn frame(&mut self, event: &Event<'_>, frame: &Frame<'_>) {
        if frame.in_message && frame.message.is_none() {
            self.open_frames.push(self.frames.len());
        }
        self.order.push(Kind::Frame);
        self.frames.push(FrameRecord {
            connection: event.connection.number,
            direction: event.direction.unwrap(),
            number: frame.number,
            header: frame.header,
            message: frame.message,
            fragment: frame.fragment,
            packets: (frame.first.packet, frame.last.packet),
            stream_offset: frame.stream_offset,
            payload: frame.payload.to_vec(),
            missing: frame.missing,
            complete: frame.complete,
            codes: names(frame.findings),
        });
    }

    fn message(&mut self, event: &Event<'_>, message: &Message<'_>) {
        let (connection, direction) = (event.connection.number, event.direction.unwrap());
        if matches!(message.opcode.name(), "text" | "binary") {
            self.settle(connection, direction, message.number);
        }
        self.order.push(Kind::Message);
        self.messages.push(MessageRecord {
            connection,
            direction,
            number: message.number,
            opcode: message.opcode,
            kind: message.opcode.name(),
            compressed: message.compressed,
            frames: message.frames,
            wire_len: message.wire_len,
            len: message.len,
            content: message.content.to_vec(),
            content_whole: message.content_whole,
            complete: message.complete,
            utf8: message.utf8,
            packets: (message.first.packet, message.last.packet),
            close: message.close.map(|close| (close.code, close.reason.to_vec())),
            ping_rtt_us: message.ping_rtt_us,
            summary: message.summary.map(str::to_owned),
            codes: names(message.findings),
        });
    }

    /// A message has its number: so have its fragments, and what was found in them.
    fn settle(&mut self, connection: u64, direction: Direction, number: u64) {
        let Self { frames, findings, open_frames, open_findings, .. } = self;
        open_frames.retain(|at| {
            let frame = &mut frames[*at];
            let other = (frame.connection, frame.direction) != (connection, direction);
            frame.message = if other { None } else { Some(number) };
            other
        });
        open_findings.retain(|at| {
            let finding = &mut findings[*at];
            let other = (finding.connection, finding.direction) != (connection, Some(direction));
            finding.message = if other { None } else { Some(number) };
            other
        });
    }

    /// All rows in order, without packets and times.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let (mut handshakes, mut frames, mut messages) =
            (self.handshakes.iter(), self.frames.iter(), self.messages.iter());
        let (mut findings, mut closed) = (self.findings.iter(), self.closed.iter());
        let row = |kind: &Kind| match kind {
            Kind::Handshake => handshakes.next().map(|record| Row::Handshake(timeless(record))),
            Kind::Frame => frames.next().map(|frame| Row::Frame(FrameRecord { packets: (0, 0), ..frame.clone() })),
            Kind::Message => messages
                .next()
                .map(|message| Row::Message(MessageRecord { packets: (0, 0), ping_rtt_us: None, ..message.clone() })),
            Kind::Finding => findings.next().map(|found| Row::Finding(FindingRecord { packet: 0, ..found.clone() })),
            Kind::Closed => closed.next().map(|(id, summary)| Row::Closed(id.number, Box::new(closed_row(summary)))),
        };
        self.order.iter().filter_map(row).collect()
    }

    /// The findings, a line each: `rsv_bits c2s packet 6 frame 0 message 0`.
    pub(crate) fn lines(&self) -> Vec<String> {
        let number = |name, number: Option<u64>| number.map(|number| format!(" {name} {number}")).unwrap_or_default();
        let line = |finding: &FindingRecord| {
            let direction = finding.direction.map(|direction| format!(" {direction}")).unwrap_or_default();
            let (frame, message) = (number("frame", finding.frame), number("message", finding.message));
            format!("{}{direction} packet {}{frame}{message}", finding.code, finding.packet)
        };
        self.findings.iter().map(line).collect()
    }

    /// The codes that were found, in order.
    pub(crate) fn codes(&self) -> Vec<&'static str> {
        self.findings.iter().map(|finding| finding.code).collect()
    }

    /// How many connections were upgraded.
    pub(crate) fn upgraded(&self) -> usize {
        self.handshakes.iter().filter(|handshake| !handshake.refused).count()
    }

    /// How many requests for a WebSocket were refused.
    pub(crate) fn refused(&self) -> usize {
        self.handshakes.len() - self.upgraded()
    }

    /// The contents of one direction's text and binary messages.
    pub(crate) fn contents(&self, direction: Direction) -> Vec<&[u8]> {
        self.data(direction).map(|message| &*message.content).collect()
    }

    /// The same as text.
    pub(crate) fn texts(&self, direction: Direction) -> Vec<&str> {
        self.contents(direction).into_iter().map(|content| core::str::from_utf8(content).unwrap()).collect()
    }

    /// One direction's text and binary messages.
    pub(crate) fn data(&self, direction: Direction) -> impl Iterator<Item = &MessageRecord> {
        let of =
            move |message: &&MessageRecord| message.direction == direction && matches!(message.kind, "text" | "binary");
        self.messages.iter().filter(of)
    }

    /// The only connection's summary.
    pub(crate) fn summary(&self) -> &Summary {
        let [(_, summary)] = &*self.closed else { panic!("not one connection but {}", self.closed.len()) };
        summary
    }

    /// What must be the same however the same bytes were cut into packets, sorted.
    pub(crate) fn content(&self) -> Vec<String> {
        let message = |message: &MessageRecord| {
            let MessageRecord { direction, kind, wire_len, len, content, complete, codes, .. } = message;
            format!("{direction} {kind} {wire_len} {len:?} {content:?} {complete} {codes:?}")
        };
        let frame = |frame: &FrameRecord| {
            format!("{} {:?} {} {:?}", frame.direction, frame.header, frame.stream_offset, frame.codes)
        };
        let mut lines: Vec<_> = self.messages.iter().map(message).chain(self.frames.iter().map(frame)).collect();
        lines.sort();
        lines
    }
}

fn names(findings: FindingSet) -> Vec<&'static str> {
    findings.iter().map(|code| code.as_str()).collect()
}

fn timeless(record: &HandshakeRecord) -> HandshakeRecord {
    let mut record = HandshakeRecord { packet: 0, ..record.clone() };
    if let Some(request) = &mut record.handshake.request {
        request.seen = PacketRef::default();
    }
    if let Some(response) = &mut record.handshake.response {
        response.seen = PacketRef::default();
    }
    record
}

fn closed_row(summary: &Summary) -> ClosedRow {
    let both = Direction::BOTH.map(|direction| summary.traffic.get(direction));
    ClosedRow {
        outcome: summary.outcome,
        closed_by: summary.closed_by,
        close_code: summary.close_code,
        close_reason: summary.close_reason.clone(),
        clean: summary.clean,
        frames: both.map(Traffic::frame_count),
        messages: both.map(Traffic::message_count),
        wire_bytes: both.map(|traffic| traffic.wire_bytes),
        bytes: both.map(|traffic| traffic.bytes),
        missing_bytes: both.map(|traffic| traffic.missing_bytes),
        findings: summary.findings.iter().map(|found| (found.code(), found.count)).collect(),
    }
}

impl ClosedRow {
    /// The codes of the connection's findings.
    pub(crate) fn codes(&self) -> Vec<&'static str> {
        self.findings.iter().map(|(code, _)| code.as_str()).collect()
    }
}

/// A worker's part: it keeps a copy of each event.
pub(crate) struct RecorderShard;

impl Shard for RecorderShard {
    type Batch = Kept;

    fn event(&mut self, event: &Event<'_>, batch: &mut Kept) -> bool {
        batch.keep(Owned::copy(event, usize::MAX));
        true
    }
}

impl ParallelSink for Recorder {
    type Shard = RecorderShard;

    fn shard(&self) -> RecorderShard {
        RecorderShard
    }

    fn take(&mut self, batch: &mut Kept, numbers: Numbers) -> Result<(), Infallible> {
        batch.replay(numbers, self)
    }
}

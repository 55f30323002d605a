//! What the library tells of a capture, kept.

use core::convert::Infallible;

use wslens::analyzer::{Analyzer, Demand, Options};
use wslens::capture::{LinkType, Packet};
use wslens::event::{Event, Identity, Sink, Summary, Totals, What};
use wslens::types::{Direction, PacketRef, Timestamp};
use wslens::websocket::FrameHeader;

use super::Capture;

/// All that was told, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    pub(crate) frames: Vec<FrameTold>,
    pub(crate) messages: Vec<MessageTold>,
    pub(crate) findings: Vec<FindingTold>,
    pub(crate) closed: Vec<(Identity, Summary)>,
    pub(crate) upgraded: usize,
    pub(crate) refused: usize,
    pub(crate) totals: Totals,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FrameTold {
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
    pending: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MessageTold {
    pub(crate) connection: u64,
    pub(crate) direction: Direction,
    pub(crate) number: u64,
    /// `text`, `binary`, `close`, `ping` or `pong`.
    pub(crate) kind: &'static str,
    pub(crate) compressed: bool,
    pub(crate) frames: u64,
    pub(crate) wire_len: u64,
    pub(crate) len: Option<u64>,
    pub(crate) content: Vec<u8>,
    pub(crate) content_whole: bool,
    pub(crate) complete: bool,
    pub(crate) packets: (u64, u64),
    pub(crate) close: Option<(Option<u16>, Vec<u8>)>,
    pub(crate) ping_rtt_us: Option<u64>,
    pub(crate) codes: Vec<&'static str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FindingTold {
    pub(crate) connection: u64,
    pub(crate) code: &'static str,
    pub(crate) packet: u64,
    pub(crate) direction: Option<Direction>,
    pub(crate) frame: Option<u64>,
    pub(crate) message: Option<u64>,
    pub(crate) detail: String,
    pending: bool,
}

/// Hears all of `capture`, with all payload.
pub(crate) fn run(capture: &Capture) -> Told {
    let demand = Demand { content_bytes: u64::MAX, frame_bytes: u64::MAX, ..Demand::default() };
    run_with(capture, &Options { demand, ..Options::default() })
}

/// Hears all of `capture`.
pub(crate) fn run_with(capture: &Capture, options: &Options) -> Told {
    let mut told = Told::default();
    let mut analyzer = Analyzer::new(options);
    for (number, wire) in (1..).zip(&capture.packets) {
        let packet = Packet {
            seen: PacketRef { packet: number, at: Timestamp::from_nanos(wire.at) },
            link: LinkType::ETHERNET,
            bytes: &wire.bytes,
            original_len: u32::try_from(wire.original_len).unwrap(),
        };
        let Ok(()) = analyzer.packet(&packet, &mut told);
    }
    let Ok(()) = analyzer.finish(&mut told);
    told.totals = analyzer.totals();
    assert!(!told.frames.iter().any(|frame| frame.pending), "every fragment's message is told of");
    assert!(!told.findings.iter().any(|finding| finding.pending), "every finding's message is told of");
    told
}

impl Sink for Told {
    type Error = Infallible;

    fn event(&mut self, event: &Event<'_>) -> Result<(), Infallible> {
        let connection = event.connection.number;
        match event.what {
            What::Upgraded(_) => self.upgraded += 1,
            What::Refused(_) => self.refused += 1,
            What::Closed(summary) => self.closed.push((event.connection.clone(), summary.clone())),
            What::Frame(frame) => self.frames.push(FrameTold {
                connection,
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
                codes: frame.findings.iter().map(|code| code.as_str()).collect(),
                pending: frame.in_message && frame.message.is_none(),
            }),
            What::Message(message) => {
                let direction = event.direction.unwrap();
                let kind = message.opcode.name();
                if matches!(kind, "text" | "binary") {
                    self.settle(connection, direction, message.number);
                }
                self.messages.push(MessageTold {
                    connection,
                    direction,
                    number: message.number,
                    kind,
                    compressed: message.compressed,
                    frames: message.frames,
                    wire_len: message.wire_len,
                    len: message.len,
                    content: message.content.to_vec(),
                    content_whole: message.content_whole,
                    complete: message.complete,
                    packets: (message.first.packet, message.last.packet),
                    close: message.close.map(|close| (close.code, close.reason.to_vec())),
                    ping_rtt_us: message.ping_rtt_us,
                    codes: message.findings.iter().map(|code| code.as_str()).collect(),
                });
            }
            What::Finding(finding) => self.findings.push(FindingTold {
                connection,
                code: finding.code.as_str(),
                packet: finding.seen.packet,
                direction: finding.direction,
                frame: finding.frame,
                message: finding.message,
                detail: finding.detail.to_string(),
                pending: finding.in_message && finding.message.is_none(),
            }),
            _ => {}
        }
        Ok(())
    }
}

impl Told {
    /// A message has its number: so have its fragments, and what was found in them.
    fn settle(&mut self, connection: u64, direction: Direction, number: u64) {
        for frame in &mut self.frames {
            if frame.pending && (frame.connection, frame.direction) == (connection, direction) {
                (frame.message, frame.pending) = (Some(number), false);
            }
        }
        for finding in &mut self.findings {
            if finding.pending && (finding.connection, finding.direction) == (connection, Some(direction)) {
                (finding.message, finding.pending) = (Some(number), false);
            }
        }
    }

    /// The findings, a line each: `rsv_bits c2s packet 6 frame 0 message 0`.
    pub(crate) fn lines(&self) -> Vec<String> {
        let number = |name, number: Option<u64>| number.map(|number| format!(" {name} {number}")).unwrap_or_default();
        let line = |finding: &FindingTold| {
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

    /// The contents of one direction's text and binary messages.
    pub(crate) fn contents(&self, direction: Direction) -> Vec<&[u8]> {
        self.data(direction).map(|message| &*message.content).collect()
    }

    /// The same as text.
    pub(crate) fn texts(&self, direction: Direction) -> Vec<&str> {
        self.contents(direction).into_iter().map(|content| core::str::from_utf8(content).unwrap()).collect()
    }

    /// One direction's text and binary messages.
    pub(crate) fn data(&self, direction: Direction) -> impl Iterator<Item = &MessageTold> {
        let of =
            move |message: &&MessageTold| message.direction == direction && matches!(message.kind, "text" | "binary");
        self.messages.iter().filter(of)
    }

    /// The only connection's summary.
    pub(crate) fn summary(&self) -> &Summary {
        let [(_, summary)] = &*self.closed else { panic!("not one connection but {}", self.closed.len()) };
        summary
    }

    /// What must be the same however the same bytes were cut into packets.
    pub(crate) fn content(&self) -> Vec<String> {
        let message = |message: &MessageTold| {
            format!(
                "{} {} {} {:?} {:?} {} {:?}",
                message.direction,
                message.kind,
                message.wire_len,
                message.len,
                message.content,
                message.complete,
                message.codes
            )
        };
        let frame = |frame: &FrameTold| {
            format!("{} {:?} {} {:?}", frame.direction, frame.header, frame.stream_offset, frame.codes)
        };
        let mut lines: Vec<_> = self.messages.iter().map(message).chain(self.frames.iter().map(frame)).collect();
        lines.sort();
        lines
    }
}

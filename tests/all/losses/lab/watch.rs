//! A sink that remembers what it is told, and the analysis that tells it.

use std::collections::BTreeMap;
use std::convert::Infallible;

use wslens::analyzer::{Analyzer, Demand, Options};
use wslens::event::{Event, Sink, What};
use wslens::types::{Direction, Endpoint, FindingCode};
use wslens::websocket::FrameHeader;

use super::packets::Raw;

/// One direction of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Way {
    pub client: Endpoint,
    pub server: Endpoint,
    pub to_server: bool,
}

impl Way {
    pub fn src(&self) -> Endpoint {
        if self.to_server { self.client } else { self.server }
    }

    pub fn dst(&self) -> Endpoint {
        if self.to_server { self.server } else { self.client }
    }

    pub fn back(&self) -> Self {
        Self { to_server: !self.to_server, ..*self }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub offset: u64,
    pub header: FrameHeader,
    pub payload: Vec<u8>,
    pub missing: u64,
    pub complete: bool,
    pub first: u64,
    pub last: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Message {
    pub first: u64,
    pub last: u64,
    pub opcode: u8,
    pub compressed: bool,
    pub len: Option<u64>,
    pub frames: u64,
    pub content: Vec<u8>,
}

/// All that was said.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    pub frames: BTreeMap<Way, Vec<Frame>>,
    /// Those that are complete.
    pub messages: BTreeMap<Way, Vec<Message>>,
    /// Those that are not.
    pub broken: BTreeMap<Way, u64>,
    pub findings: Vec<(Option<Way>, FindingCode, String)>,
    /// Who is client and server, and the packet that made it a WebSocket.
    pub opened: BTreeMap<(Endpoint, Endpoint), u64>,
    pub closed: u64,
}

impl Watch {
    pub fn count(&self, code: FindingCode) -> usize {
        self.findings.iter().filter(|(_, found, _)| *found == code).count()
    }

    /// The frames of one direction.
    pub fn frames(&self, way: &Way) -> &[Frame] {
        self.frames.get(way).map(Vec::as_slice).unwrap_or_default()
    }

    /// The complete messages of one direction.
    pub fn messages(&self, way: &Way) -> &[Message] {
        self.messages.get(way).map(Vec::as_slice).unwrap_or_default()
    }

    /// Both directions of all connections.
    pub fn ways(&self) -> Vec<Way> {
        let both = |(client, server): &(Endpoint, Endpoint)| {
            [true, false].map(|to_server| Way { client: *client, server: *server, to_server })
        };
        self.opened.keys().flat_map(both).collect()
    }
}

impl Sink for Watch {
    type Error = Infallible;

    fn event(&mut self, event: &Event<'_>) -> Result<(), Infallible> {
        let (client, server) = (event.connection.client, event.connection.server);
        let way = event.direction.map(|way| Way { client, server, to_server: way == Direction::ToServer });
        match (event.what, way) {
            (What::Upgraded(_), _) => {
                self.opened.insert((client, server), event.seen.packet);
            }
            (What::Frame(frame), Some(way)) => self.frames.entry(way).or_default().push(Frame {
                offset: frame.stream_offset,
                header: frame.header,
                payload: frame.payload.to_vec(),
                missing: frame.missing,
                complete: frame.complete,
                first: frame.first.packet,
                last: frame.last.packet,
            }),
            (What::Message(message), Some(way)) if message.complete => {
                self.messages.entry(way).or_default().push(Message {
                    first: message.first.packet,
                    last: message.last.packet,
                    opcode: message.opcode.bits(),
                    compressed: message.compressed,
                    len: message.len,
                    frames: message.frames,
                    content: message.content.to_vec(),
                });
            }
            (What::Message(_), Some(way)) => *self.broken.entry(way).or_default() += 1,
            (What::Finding(finding), _) => self.findings.push((way, finding.code, finding.detail.to_string())),
            (What::Closed(_), _) => self.closed += 1,
            _ => {}
        }
        Ok(())
    }
}

/// What is asked for: everything.
pub fn everything() -> Options {
    let all = u64::MAX;
    Options { demand: Demand { content_bytes: all, frame_bytes: all, ..Demand::default() }, ..Options::default() }
}

/// Analyses packets, with [`everything`].
pub fn analyse<'r>(raws: impl IntoIterator<Item = &'r Raw>) -> Watch {
    analyse_as(raws, &everything())
}

/// Analyses packets.
pub fn analyse_as<'r>(raws: impl IntoIterator<Item = &'r Raw>, options: &Options) -> Watch {
    let mut watch = Watch::default();
    let mut analyzer = Analyzer::new(options);
    for raw in raws {
        let Ok(()) = analyzer.packet(&raw.packet(), &mut watch);
    }
    let Ok(()) = analyzer.finish(&mut watch);
    watch
}

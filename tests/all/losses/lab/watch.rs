//! What an analysis emits, by connection and direction.

use std::collections::BTreeMap;

use wslens::analyzer::{Analyzer, Options};
use wslens::types::{Direction, Endpoint, FindingCode};
use wslens::websocket::FrameHeader;

use super::packets::Raw;
use crate::common::Recorder;
use crate::common::recorder::everything;

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

impl Watch {
    /// What a recorder has, by connection and direction.
    fn of(recorder: Recorder) -> Self {
        let Recorder { handshakes, frames, messages, findings, closed, connections, .. } = recorder;
        let ends = |connection: u64| (connections[&connection].client, connections[&connection].server);
        let way = |connection: u64, direction: Direction| {
            let (client, server) = ends(connection);
            Way { client, server, to_server: direction == Direction::ToServer }
        };
        let mut watch = Self { closed: closed.len() as u64, ..Self::default() };
        for record in handshakes.iter().filter(|record| !record.refused) {
            watch.opened.insert(ends(record.connection), record.packet);
        }
        for frame in frames {
            watch.frames.entry(way(frame.connection, frame.direction)).or_default().push(Frame {
                offset: frame.stream_offset,
                header: frame.header,
                payload: frame.payload,
                missing: frame.missing,
                complete: frame.complete,
                first: frame.packets.0,
                last: frame.packets.1,
            });
        }
        for message in messages {
            let way = way(message.connection, message.direction);
            if !message.complete {
                *watch.broken.entry(way).or_default() += 1;
                continue;
            }
            watch.messages.entry(way).or_default().push(Message {
                first: message.packets.0,
                last: message.packets.1,
                opcode: message.opcode.bits(),
                compressed: message.compressed,
                len: message.len,
                frames: message.frames,
                content: message.content,
            });
        }
        for found in findings {
            let way = found.direction.map(|direction| way(found.connection, direction));
            watch.findings.push((way, FindingCode::from_name(found.code).unwrap(), found.detail));
        }
        watch
    }
}

/// Analyses packets, with all content and payload.
pub fn analyse<'r>(raws: impl IntoIterator<Item = &'r Raw>) -> Watch {
    analyse_as(raws, &everything())
}

/// Analyses packets.
pub fn analyse_as<'r>(raws: impl IntoIterator<Item = &'r Raw>, options: &Options) -> Watch {
    let mut recorder = Recorder::default();
    let mut analyzer = Analyzer::new(options);
    for raw in raws {
        let Ok(()) = analyzer.packet(&raw.packet(), &mut recorder);
    }
    recorder.finish(&mut analyzer);
    Watch::of(recorder)
}

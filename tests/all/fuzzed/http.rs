//! Any chunks of an HTTP/1 connection: however each is cut, the events are the same, up to the place where one direction is
//! lost. From there on they depend on where chunks begin.
//!
//! The script: cuts; then chunks: a byte of direction and kind, a byte of length, the bytes.

use std::collections::VecDeque;
use std::fmt::Write as _;

use wslens::http::{H1, H1Event, sniff};
use wslens::types::{Direction, Limits, PerDirection};

use super::script::{Cuts, Script};

#[derive(Clone, Copy)]
enum Part<'a> {
    Bytes(&'a [u8]),
    Gap(Option<u64>),
    End,
}

pub(crate) fn http(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let cuts = script.cuts();
    let mut chunks = Vec::new();
    while !script.is_over() {
        let (kind, len) = (script.byte(), script.byte());
        let direction = if kind & 1 == 0 { Direction::ToServer } else { Direction::ToClient };
        chunks.push((
            direction,
            match kind >> 2 {
                58..62 => Part::Gap(Some(len.into())),
                62 => Part::Gap(None),
                63 => Part::End,
                // Shifted, so that long heads need no long script.
                long => Part::Bytes(script.take(usize::from(len) << (long & 1))),
            },
        ));
    }
    let limits = Limits { max_head_bytes: 512, max_pipelined: 4, ..Limits::default() };
    let whole = Run::new(&limits).all(&chunks, &Cuts::none());
    let cut = Run::new(&limits).all(&chunks, &cuts);
    for direction in Direction::BOTH {
        let (whole_events, cut_events) = (whole.events.get(direction), cut.events.get(direction));
        // The events of one direction after the end of the other depend on the cuts.
        let all = if whole.over { whole_events.len().min(cut_events.len()) } else { usize::MAX };
        let up_to = |events: &[String]| events.iter().take(all).cloned().collect::<Vec<_>>();
        assert_eq!(up_to(whole_events), up_to(cut_events), "{direction}: any cut gives the same");
    }
    assert_eq!(whole.over, cut.over);
    if let Some((_, Part::Bytes(bytes))) = chunks.first() {
        _ = sniff(bytes);
    }
}

struct Run {
    h1: H1,
    most: usize,
    events: PerDirection<Vec<String>>,
    waiting: VecDeque<Vec<u8>>,
    over: bool,
}

impl Run {
    fn new(limits: &Limits) -> Self {
        let most = 4 * limits.max_head_bytes + 64 * limits.max_pipelined + 1024;
        Self { h1: H1::new(limits), most, events: PerDirection::default(), waiting: VecDeque::new(), over: false }
    }

    fn all(mut self, chunks: &[(Direction, Part<'_>)], cuts: &Cuts<'_>) -> Self {
        let mut cuts = cuts.clone();
        for (direction, piece) in chunks {
            match *piece {
                _ if self.over => break,
                Part::Bytes(mut bytes) => {
                    while let Some(piece) = cuts.piece(&mut bytes) {
                        self.chunk(*direction, piece);
                    }
                }
                // A gap must not overtake the chunks that wait.
                _ if *direction == Direction::ToServer && self.h1.is_paused() => self.over = true,
                Part::Gap(len) => {
                    let event = self.h1.gap(*direction, len);
                    self.over |= record(&mut self.events, *direction, event.as_ref());
                    self.over |= self.h1.is_lost(*direction);
                }
                Part::End => {
                    let event = self.h1.finish(*direction);
                    record(&mut self.events, *direction, event.as_ref());
                    self.over = true;
                }
            }
        }
        self
    }

    fn chunk(&mut self, direction: Direction, bytes: &[u8]) {
        if self.over {
            return;
        }
        if direction == Direction::ToServer {
            self.waiting.push_back(bytes.to_vec());
            self.resume();
        } else {
            let mut input = bytes;
            // After a response that ends a pause, the requests that wait come before the response to them.
            while self.feed(direction, &mut input) {
                self.resume();
            }
            assert!(self.over || input.is_empty(), "only what is not HTTP's is left");
        }
        assert!(self.h1.held() <= self.most, "holds {}", self.h1.held());
    }

    /// Gives the chunks that wait again, as long as they need not wait any more.
    fn resume(&mut self) {
        while !self.h1.is_paused() && !self.over {
            let Some(held) = self.waiting.pop_front() else { break };
            let mut input = held.as_slice();
            self.feed(Direction::ToServer, &mut input);
            if !input.is_empty() {
                assert!(self.over || self.h1.is_paused(), "bytes are left for a reason");
                self.waiting.push_front(input.to_vec());
            }
        }
    }

    /// Whether it stopped because the server's direction ended a pause.
    fn feed(&mut self, direction: Direction, input: &mut &[u8]) -> bool {
        while !self.over {
            let (before, paused) = (input.len(), self.h1.is_paused());
            let event = self.h1.next(direction, input);
            let events = event.is_some();
            self.over = record(&mut self.events, direction, event.as_ref());
            assert!(input.len() <= before);
            if !events {
                break;
            }
            // In a body that lasts, or may last, to the end, only the first bytes of a chunk are looked at; and a response to a
            // request whose head was cut off leaves the client's direction lost.
            self.over |= self.h1.is_over() || Direction::BOTH.into_iter().any(|way| self.h1.is_lost(way));
            if direction == Direction::ToClient && paused && !self.h1.is_paused() {
                return true;
            }
        }
        false
    }
}

/// Records an event. True if it is the last to be compared.
fn record(events: &mut PerDirection<Vec<String>>, direction: Direction, event: Option<&H1Event<'_>>) -> bool {
    let mut line = String::new();
    let over = match event {
        None => return false,
        Some(H1Event::Request { number, head }) => {
            assert_eq!(direction, Direction::ToServer);
            let (method, target) = (head.method.escape_ascii(), head.target.escape_ascii());
            _ = write!(
                line,
                "{number} {method} {target} {} {:?} {} {}",
                head.minor, head.wants, head.complete, head.well_formed
            );
            head.fields.iter().for_each(|field| _ = write!(line, " {field:?}"));
            false
        }
        Some(H1Event::Response { head, request, effect }) => {
            assert_eq!(direction, Direction::ToClient);
            assert!(head.status <= 999);
            _ = write!(line, "{request:?} {} {} {effect:?} {}", head.status, head.reason.escape_ascii(), head.complete);
            head.fields.iter().for_each(|field| _ = write!(line, " {field:?}"));
            effect.ends_http()
        }
        Some(H1Event::Lost(loss)) => {
            _ = write!(line, "{}", loss.as_str());
            true
        }
        Some(other) => panic!("{other:?}"),
    };
    events.get_mut(direction).push(line);
    over
}

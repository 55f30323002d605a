//! What a list of outputs does with events, alone and with several workers.

use std::io;

use super::super::fixtures::{event, frame, identity, message, summary, totals};
use super::*;
use crate::event::{Batch, Event, Identity, Numbers, ParallelSink as _, Shard, Sink as _, Totals, What};
use crate::types::{Direction, PacketRef};
use crate::websocket::Opcode;

const C2S: Option<Direction> = Some(Direction::ToServer);

/// Records the calls that it gets.
#[derive(Default)]
struct Recorder {
    wants: Wants,
    calls: Vec<String>,
    fails: bool,
}

impl Recorder {
    fn of(events: EventKinds) -> Self {
        Self { wants: Wants::events(events), ..Self::default() }
    }

    fn call(&mut self, call: String) -> io::Result<()> {
        self.calls.push(call);
        if self.fails { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl Output for Recorder {
    fn wants(&self) -> Wants {
        self.wants.clone()
    }

    fn cost(&self) -> usize {
        100
    }

    fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        let number = event.connection.number;
        self.call(match event.what {
            What::Frame(frame) => format!("{number} frame {} {:?}", frame.number, frame.payload.len()),
            What::Message(message) => format!("{number} message {} {:?}", message.number, message.content.len()),
            What::Closed(_) => format!("{number} closed"),
            _ => "other".to_owned(),
        })
    }

    fn packet(&mut self, packet: PacketRef, direction: Option<Direction>, connection: Numbers) -> io::Result<()> {
        self.call(format!("{} packet {} {direction:?}", connection.connection, packet.packet))
    }

    fn finish(&mut self, _: &Totals) -> io::Result<()> {
        self.call("finish".to_owned())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.call("flush".to_owned())
    }
}

/// Prepares frames in workers.
#[derive(Default)]
struct Prepared(Vec<String>);

struct FrameShard;

#[derive(Default)]
struct FrameNumbers(std::collections::VecDeque<u64>);

impl Shard for FrameShard {
    type Batch = FrameNumbers;

    fn event(&mut self, event: &Event<'_>, batch: &mut FrameNumbers) -> bool {
        let What::Frame(frame) = event.what else { return false };
        batch.0.push_back(frame.number);
        true
    }
}

impl Batch for FrameNumbers {
    fn held(&self) -> usize {
        self.0.len() * 8
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

impl Output for Prepared {
    fn wants(&self) -> Wants {
        Wants::events(EventKinds::FRAME.and(EventKinds::MESSAGE))
    }

    fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        if let What::Frame(frame) = event.what {
            self.0.push(format!("{} frame {}", event.connection.number, frame.number));
        }
        Ok(())
    }

    fn finish(&mut self, _: &Totals) -> io::Result<()> {
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn shard(&self) -> Option<Box<dyn OutputShard>> {
        Some(Box::new(FrameShard))
    }

    fn take(&mut self, batch: &mut dyn core::any::Any, numbers: Numbers) -> io::Result<()> {
        let number = batch.downcast_mut::<FrameNumbers>().and_then(|batch| batch.0.pop_front());
        self.0.push(format!("{} frame {}", numbers.connection, number.expect("an item")));
        Ok(())
    }
}

/// Two packets with a frame and its message each, and an end, of two connections.
fn feed(mut take: impl FnMut(&Identity, Option<Direction>, What<'_>)) {
    for number in [3, 5] {
        let connection = Identity { number, ..identity() };
        for number in [0, 1] {
            take(&connection, C2S, What::Packet);
            take(&connection, C2S, What::Frame(&frame(number, Opcode::TEXT, b"hello")));
            take(&connection, C2S, What::Message(&message(number, Opcode::TEXT, b"hello")));
        }
        take(&connection, None, What::Closed(&summary()));
    }
}

#[test]
fn each_output_gets_what_it_wants() {
    let mut messages = Recorder::of(EventKinds::MESSAGE);
    let mut one = Recorder::of(EventKinds::FRAME.and(EventKinds::CLOSED));
    one.wants.connections = Selection::Number(5);
    let mut nothing = Recorder::default();
    let mut outputs = Outputs::new();
    outputs.add(&mut messages);
    outputs.add(&mut one);
    outputs.add(&mut nothing);
    assert_eq!(outputs.cost(), 300);
    feed(|connection, direction, what| outputs.event(&event(connection, direction, what)).unwrap());
    outputs.flush().unwrap();
    outputs.finish(&totals()).unwrap();
    drop(outputs);
    let of_messages = ["3 message 0 5", "3 message 1 5", "5 message 0 5", "5 message 1 5", "flush", "finish"];
    assert_eq!(messages.calls, of_messages);
    assert_eq!(one.calls, ["5 frame 0 5", "5 frame 1 5", "5 closed", "flush", "finish"]);
    assert_eq!(nothing.calls, ["flush", "finish"]);
}

#[test]
fn the_demand_is_that_of_the_output_which_uses_most() {
    let mut outputs = Outputs::new();
    assert_eq!(outputs.demand(), crate::analyzer::Demand::default());
    for (content, payload) in [(68, 0), (u64::MAX, 3), (0, 68)] {
        let wants = Wants::events(EventKinds::MESSAGE).with_content(content).with_payload(payload);
        outputs.add(Recorder { wants, ..Recorder::default() });
    }
    assert_eq!((outputs.demand().content_bytes, outputs.demand().frame_bytes), (u64::MAX, 68));
}

#[test]
fn an_output_that_fails_does_not_keep_others_from_their_end() {
    for abandoned in [false, true] {
        let mut bad = Recorder { fails: true, ..Recorder::default() };
        let mut good = Recorder::default();
        let mut outputs = Outputs::new();
        outputs.add(&mut bad);
        outputs.add(&mut good);
        if abandoned {
            outputs.abandon();
        } else {
            assert_eq!(outputs.finish(&totals()).unwrap_err().kind(), io::ErrorKind::StorageFull);
        }
        drop(outputs);
        let last = if abandoned { "flush" } else { "finish" };
        assert_eq!((bad.calls, good.calls), (vec![last.to_owned()], vec![last.to_owned()]));
    }
}

/// Whatever is in the list: what workers prepare and copy has the effect of the events.
#[test]
fn workers_make_the_same_calls() {
    let run = |parallel: bool| {
        let mut prepared = Prepared::default();
        let mut recorders: Vec<Recorder> = (0..70).map(|_| Recorder::of(EventKinds::NONE)).collect();
        for (recorder, events) in recorders.iter_mut().zip([EventKinds::FRAME, EventKinds::MESSAGE, EventKinds::CLOSED])
        {
            recorder.wants = Wants::events(events).with_content(3).with_payload(5);
        }
        recorders[1].wants.connections = Selection::Number(5);
        // Beyond the places that a batch distinguishes.
        recorders[61].wants.events = EventKinds::PACKET;
        recorders[67].wants.events = EventKinds::PACKET;
        recorders[67].wants.connections = Selection::Number(5);
        recorders[68].wants.events = EventKinds::CLOSED;
        recorders[69].wants.events = EventKinds::MESSAGE;
        recorders[69].wants.content_bytes = 4;
        let mut outputs = Outputs::new();
        outputs.add(&mut prepared);
        recorders.iter_mut().for_each(|recorder| outputs.add(recorder));
        let (mut shard, mut batch) = (outputs.shard(), OutputsBatch::default());
        let mut made = Vec::new();
        feed(|connection, direction, what| {
            if parallel {
                // A worker counts its own connections.
                let own = Identity { number: connection.number - 3, ..connection.clone() };
                assert!(Shard::event(&mut shard, &event(&own, direction, what), &mut batch));
                made.push(Numbers { connection: connection.number, tcp_stream: Some(0) });
            } else {
                outputs.event(&event(connection, direction, what)).unwrap();
            }
        });
        made.into_iter().for_each(|numbers| outputs.take(&mut batch, numbers).unwrap());
        assert_eq!(Batch::held(&batch) == 0, !parallel);
        Batch::clear(&mut batch);
        assert_eq!(Batch::held(&batch), 0);
        drop(outputs);
        (prepared.0, recorders.into_iter().map(|recorder| recorder.calls).collect::<Vec<_>>())
    };
    let (alone, parallel) = (run(false), run(true));
    assert_eq!(alone.0, parallel.0);
    assert_eq!(alone.0, ["3 frame 0", "3 frame 1", "5 frame 0", "5 frame 1"]);
    // Copies carry as much content as any output uses, and no more.
    let cut = |calls: &[Vec<String>]| {
        calls.concat().join(", ").replace("message 0 5", "message 0 4").replace("message 1 5", "message 1 4")
    };
    assert_eq!(cut(&alone.1), cut(&parallel.1));
    assert_eq!(parallel.1[1], ["5 message 0 4", "5 message 1 4"]);
    assert_eq!(parallel.1[69].len(), 4);
    let packets = ["5 packet 21 Some(ToServer)", "5 packet 21 Some(ToServer)"];
    assert_eq!((parallel.1[61].len(), &parallel.1[67][..]), (4, &packets.map(str::to_owned)[..]));
}

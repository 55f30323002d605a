//! Segments → data, gap, end: TCP as an observer sees it (RFC 9293).
//!
//! In: [`Segment`](crate::net::Segment)s of all connections, in the order they were captured. Out, to a [`Handler`]: for
//! each direction of each connection its bytes in order, gaps at known offsets, and its end. In-order bytes are delivered
//! as the slice of their segment, without a copy. It does not know what the bytes mean, sends nothing, and refuses nothing.
//!
//! An observer is no endpoint. It may come late, see one direction only, miss packets that arrived, or get them in
//! another order than they were sent; and packets may be forged for it alone. So:
//!
//! * Bytes that came early wait for those before them, within limits; the first copy of a byte wins, and a copy that
//!   differs is an [`Anomaly`].
//! * Missing bytes are given up, as [`Run::Gap`](crate::stream::Run::Gap), when the other endpoint acknowledges them and
//!   they have not come some time later; where the other endpoint is not captured, after some silence; when too much
//!   waits; and at the end.
//! * Sequence and acknowledgment numbers count when they are near to where a direction is. A connection is ended by a
//!   RST that can be genuine, and by no other.
//! * Time is the packets'. Silent connections leave; a full [`Table`] evicts the connection that is worth least.
//!
//! What it costs: a slot of 64 bytes and up to twelve bytes of the index for every connection, 80 more while it has no
//! byte, and some 300 and the handler's state while its bytes are delivered. When memory is short, what is worth least is
//! freed first (`reclaim.rs`).
//!
//! ```
//! use wslens::types::{Direction, Endpoint, Limits, PacketRef};
//! use wslens::net::{Segment, SeqNumber, TcpFlags};
//! use wslens::stream::{Chunk, EndReason, Interest, Run};
//! use wslens::tcp::{Flow, Handler, Anomaly, Table};
//!
//! /// Counts the bytes of each connection.
//! struct Meter;
//!
//! impl Handler for Meter {
//!     type State = usize;
//!
//!     fn opened(&mut self, _: &Flow) -> usize {
//!         0
//!     }
//!     fn chunk(&mut self, _: &mut Flow, count: &mut usize, _: Direction, chunk: Chunk<'_>) -> Interest {
//!         if let Run::Data(bytes) = chunk.run {
//!             *count += bytes.len();
//!         }
//!         Interest::Keep
//!     }
//!     fn anomaly(&mut self, _: &Flow, _: &mut usize, _: Direction, _: Anomaly, _: PacketRef) {}
//!     fn ended(&mut self, _: &Flow, count: usize, reason: EndReason, _: PacketRef) {
//!         assert_eq!((count, reason), (5, EndReason::CaptureOver));
//!     }
//! }
//!
//! let mut table = Table::new(&Limits::default());
//! let seen = PacketRef::default();
//! table.segment(
//!     &Segment {
//!         src: Endpoint { ip: [192, 0, 2, 1].into(), port: 50_000 },
//!         dst: Endpoint { ip: [192, 0, 2, 2].into(), port: 80 },
//!         seq: SeqNumber(1),
//!         ack: SeqNumber(1),
//!         flags: TcpFlags { ack: true, ..TcpFlags::default() },
//!         window: 1024,
//!         seen,
//!         payload: b"hello",
//!         cut: 0,
//!     },
//!     &mut Meter,
//! );
//! table.finish(seen, &mut Meter);
//! ```

// The consumer.
pub mod handler;
// All connections.
mod flow_key;
mod reclaim;
pub mod table;
// Their slots, by rank and silence.
mod clock;
mod slots;
// One connection.
mod connection;
mod opening;
mod phase;
// One direction of it.
mod assembler;
mod out_of_order;
mod sequence;
// Memory.
mod budget;
mod held;
mod history;

pub use flow_key::flow_hash;
pub use handler::{Anomaly, Counters, Depth, Flow, Handler};
pub use table::Table;

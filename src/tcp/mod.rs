//! Segments → data, gap, end: TCP as an observer sees it (RFC 9293).
//!
//! In: [`Segment`](crate::net::Segment)s of all connections, in the order they were captured. Out, to a [`Handler`]: for
//! each direction of each connection its bytes in order, holes of known place, and its end. In-order bytes are handed up
//! as the very slice of their segment. It does not know what the bytes mean, answers nobody, and refuses nothing.
//!
//! An observer is no endpoint. It may come late, see one direction only, miss packets that arrived, or get them in
//! another order than they were sent; and what it sees may be forged for it alone. So:
//!
//! * Bytes that came early wait for those before them, within limits; the first copy of a byte wins, and a copy that
//!   differs is an [`Anomaly`].
//! * A hole is given up, as [`Run::Gap`], when the other side acknowledges it and time has shown that it was not merely
//!   late; where nobody acknowledges, after some silence; when too much waits; and at the end.
//! * Sequence and acknowledgment numbers count when they are near to where a direction is. A connection is ended by a
//!   RST that can be genuine, and goes on otherwise.
//! * Time is the packets'. Silent connections leave; a full [`Table`] gives up what is worth least.
//!
//! What it costs: an entry of 64 bytes and up to twelve bytes of the index for every connection, 80 more while it has
//! no byte, and some 300 and the listener's state while somebody listens. When memory is spent, what is worth least
//! leaves first (`reclaim.rs`).
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

// What is handed up, and to whom.
pub mod handler;
// Which connection.
mod flow;
mod reclaim;
pub mod table;
// Its entry: by worth and silence.
mod clock;
mod slots;
// Its life.
mod body;
mod connection;
mod opening;
// One direction of it.
mod assembler;
mod out_of_order;
mod piece;
// What is kept, and how much.
mod budget;
mod held;
mod history;

pub use flow::spread;
pub use handler::{Anomaly, Counters, Depth, Flow, Handler};
pub use table::Table;

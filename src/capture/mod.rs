//! Capture files or an interface → packets. The only layer that reads.
//!
//! In: captures in the pcap and pcapng formats, plain or compressed, from files, standard input or any reader; or the
//! packets of a network interface. Out: [`Packet`]s, borrowed from the block they were read into, numbered from 1.
//!
//! The bytes of a file (`source`, perhaps `compressed`) are read into reused blocks (`block`, `window`, for some inputs by a
//! thread of its own, `read_ahead`), in which a parser (`pcap`, `pcapng`) finds records. [`Input`] puts files one after the
//! other and numbers their packets; a [`Filter`] selects among them. An interface is `Live` (feature `live`).
//!
//! Packets are not decoded here: their link types mean something to the next layer only.

pub mod packet;
// Copies of packets.
mod packet_buffer;
// Errors and warnings.
mod error;
// The places that bytes come from,
mod source;
// compression around a capture,
mod compressed;
// the blocks that bytes are read into,
mod block;
// some of them by a thread,
mod read_ahead;
// and the window that parsers see.
mod window;
// The common part of the formats,
mod record;
// pcap,
mod pcap;
// and pcapng.
mod pcapng;
// Packet filters.
mod bpf;
// All files as one capture.
mod input;
// libpcap's own numbers and messages.
#[cfg(feature = "live")]
mod dlt;
// An interface.
#[cfg(feature = "live")]
mod live;

pub use bpf::Filter;
pub use compressed::Compression;
pub use error::{CaptureError, Corruption, Place, Warning};
pub use input::{Format, Input, InputFile, Meter};
#[cfg(feature = "live")]
pub use live::{Interface, Live, LiveEvent, LiveOptions, LiveStats, interfaces};
pub use packet::{LinkType, Packet};
pub use packet_buffer::PacketBuffer;
pub use record::Secrets;

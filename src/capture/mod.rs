//! A file or an interface → packets. The only floor that reads.
//!
//! In: captures in the pcap and pcapng formats, plain or compressed, from files, standard input or any reader; or the
//! packets of a network interface. Out: [`Packet`]s, borrowed from the block they were read into, numbered from 1.
//!
//! A file is a stream of bytes (`source`, perhaps `compressed`), read in reused blocks (`block`, some of them `ahead` of
//! us) in which a format finds records (`pcap`, `pcapng`). [`Input`] puts files one behind the other and numbers their
//! packets; a [`Filter`] picks among them. An interface is `Live` (feature `live`).
//!
//! Nothing here looks into packets: what a link type means is for the next floor.

pub mod packet;
// Copies of them.
mod packets;
// What went wrong.
mod error;
// Bytes from a file or a pipe,
mod source;
// what is inside them,
mod compressed;
// and the blocks they are read into,
mod block;
// some of them ahead of us.
mod ahead;
// What the formats share,
mod record;
// the classic one,
mod pcap;
// and the next.
mod pcapng;
// Which packets.
mod bpf;
// All files as one.
mod input;
// libpcap's own names for things.
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
pub use live::{Interface, Live, LiveOptions, LiveStats, LiveStep, interfaces};
pub use packet::{LinkType, Packet};
pub use packets::Packets;
pub use record::Secrets;

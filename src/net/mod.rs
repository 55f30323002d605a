//! One packet → at most one TCP segment or UDP datagram.
//!
//! In: a [`Packet`](crate::capture::Packet) of any of the known link types. Out: the [`Segment`] or [`Datagram`] that it
//! carries, borrowed from the packet. Link headers ([`link`]), IP headers ([`ip`]) and tunnels ([`tunnel`]) are skipped in
//! place; only IP fragments are copied, and held until their packet is complete ([`fragments`]). Each layer has two lengths,
//! that on the wire and that in the capture ([`Captured`]), so bytes that a snaplen cut are a known number of missing bytes
//! ([`Segment::cut`]).
//!
//! RFC 791 and 8200 (IP, its fragments and extension headers), 9293 (TCP), 768 (UDP), 2784 and 2890 (GRE), 7348 (VXLAN),
//! 8926 (Geneve), 2003 and 4213 (IP in IP), 2516 (PPPoE), 3032 (MPLS).
//!
//! Not done here: checksums (with offload they are wrong at the sender), jumbograms, decryption, connections.
//!
//! ```
//! use wslens::capture::{LinkType, Packet};
//! use wslens::types::{Limits, PacketRef};
//! use wslens::net::Decoder;
//!
//! let mut decoder = Decoder::new(&Limits::default());
//! let packet = Packet { seen: PacketRef::default(), link: LinkType::RAW, bytes: &[0x45, 0], original_len: 1500 };
//! assert!(decoder.decode(&packet).is_none(), "its headers were not captured");
//! assert_eq!(decoder.counts().header_cut, 1);
//! ```

// Bytes with two lengths, which all others read.
pub mod captured;
// Formats, in the order in which a packet is unwrapped: the link header,
pub mod link;
// the IP header,
pub mod ip;
// tunnels,
pub mod tunnel;
// TCP: the segment,
pub mod segment;
// and its header;
pub mod tcp_header;
// UDP.
pub mod datagram;
// Machines: reassembly of fragments,
pub mod fragments;
// and the decoder that drives all of these.
pub mod decode;

#[cfg(test)]
mod build;

pub use captured::{Captured, Undecoded};
pub use datagram::Datagram;
pub use decode::{Counts, Decoder, Transport};
pub use segment::{Segment, SeqNumber, TcpFlags};

//! One packet → at most one TCP segment.
//!
//! In comes a [`Packet`](crate::capture::Packet) with whatever link layer it was captured on; out goes the [`Segment`]
//! it carries, borrowed from the packet. Link headers ([`link`]), IP headers ([`ip`]) and tunnels ([`tunnel`]) are
//! stepped over in place; only IP fragments are copied, to be held until their datagram is whole ([`fragments`]).
//! Lengths on the wire and captured lengths are told apart all the way down ([`Piece`]), so what a snaplen took away
//! arrives upstairs as [`Segment::cut`]: a known number of missing bytes, not a mystery.
//!
//! RFC 791 and 8200 (IP, their fragments and extension headers), 9293 (TCP), 2784 and 2890 (GRE), 7348 (VXLAN), 8926
//! (Geneve), 2003 and 4213 (IP in IP), 2516 (PPPoE), 3032 (MPLS).
//!
//! Not here: checksums (offload makes them wrong on the sender's side), jumbograms, decryption, connections.
//!
//! ```
//! use wslens::capture::{LinkType, Packet};
//! use wslens::types::{Limits, PacketRef};
//! use wslens::net::Decoder;
//!
//! let mut decoder = Decoder::new(&Limits::default());
//! let packet = Packet { seen: PacketRef::default(), link: LinkType::RAW, bytes: &[0x45, 0], original_len: 1500 };
//! assert!(decoder.decode(&packet).is_none(), "its headers were cut off");
//! assert_eq!(decoder.counts().header_cut, 1);
//! ```

// Bytes with two lengths, which all that follows reads.
pub mod piece;
// Then in the order in which a packet is unwrapped: the link header,
pub mod link;
// the IP header,
pub mod ip;
// the tunnel, where there is one,
pub mod tunnel;
// the fragments of a datagram,
pub mod fragments;
// the TCP header,
pub mod tcp_header;
// the UDP header.
pub mod datagram;
// What comes out of TCP,
pub mod segment;
// and the machine that does it all.
pub mod decode;

#[cfg(test)]
mod build;

pub use datagram::Datagram;
pub use decode::{Counts, Decoder, Transport};
pub use piece::{Piece, Skip};
pub use segment::{Segment, SeqNumber, TcpFlags};

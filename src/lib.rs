//! wslens decodes the WebSocket conversations in packet captures, or on a network interface.
//!
//! It reads packets, reassembles TCP, decrypts TLS where it has the secrets, follows HTTP/1.1 and HTTP/2 to their WebSockets
//! (RFC 6455, RFC 7692, RFC 8441), and reports every frame and message, with a finding for each rule that a side breaks. It
//! observes: nothing is sent, and traffic that an endpoint would refuse is decoded as far as possible.
//!
//! An [`Analyzer`](analyzer::Analyzer) takes packets, and a [`Sink`](event::Sink) receives the events. This counts messages:
//!
//! ```
//! use core::convert::Infallible;
//! use wslens::analyzer::{Analyzer, Options};
//! use wslens::capture::Input;
//! use wslens::event::{Event, Sink, What};
//!
//! struct Messages(u64);
//!
//! impl Sink for Messages {
//!     type Error = Infallible;
//!
//!     fn event(&mut self, event: &Event<'_>) -> Result<(), Infallible> {
//!         self.0 += u64::from(matches!(event.what, What::Message(_)));
//!         Ok(())
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut input = Input::open(&["samples/quic/capture.pcap"])?;
//! let mut analyzer = Analyzer::new(&Options::default());
//! let mut messages = Messages(0);
//! while let Some(packet) = input.next_packet()? {
//!     analyzer.packet(&packet, &mut messages)?;
//! }
//! analyzer.finish(&mut messages)?;
//! assert_eq!(messages.0, 6);
//! assert_eq!(analyzer.totals().quic_packets, 9);
//! # Ok(())
//! # }
//! ```
//!
//! # Layers
//!
//! The modules are listed in the order in which data flows; each imports only from those above it.
//!
//! | layer | in | out |
//! | --- | --- | --- |
//! | [`types`] | | types that all share: bytes, time, direction, limits, findings |
//! | [`capture`] | files, an interface | packets |
//! | [`net`] | packets | TCP segments, UDP datagrams |
//! | [`stream`] | | what every carrier of byte streams reports: data, gaps, the end |
//! | [`tcp`] | segments | streams |
//! | [`quic`] | datagrams | which of them are QUIC; they are counted, not decoded |
//! | [`tls`] | streams, secrets | plaintext, or why there is none |
//! | [`http`] | bytes | requests, responses, and the end of HTTP; the streams of HTTP/2 |
//! | [`websocket`] | requests, responses, bytes | handshakes, frames, messages, broken rules |
//! | [`event`] | | the events, and the traits of their receivers |
//! | [`analyzer`] | packets | events: it drives all layers above |
//! | [`output`] | events | reports, conversations, tables |
//!
//! Memory is bounded by [`Limits`](types::Limits), whatever the traffic is. There is no unsafe code, and lints keep out code
//! that can panic. Time is that of the capture: the analysis reads no other clock.

pub mod types;

pub mod capture;

pub mod net;

pub mod stream;

pub mod tcp;

pub mod quic;

pub mod tls;

pub mod http;

pub mod websocket;

pub mod event;

pub mod subprotocol;

pub mod analyzer;

pub mod output;

// Helpers of tests name the library by its name, wherever they are compiled.
#[cfg(test)]
extern crate self as wslens;

#[cfg(test)]
#[path = "../tests/common/mod.rs"]
mod common;

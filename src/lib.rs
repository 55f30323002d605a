//! wslens shows every WebSocket conversation in a packet capture or on a network interface.
//!
//! The modules stand in the order in which data flows, and each imports only from those before it:
//!
//! | layer | takes | gives |
//! | --- | --- | --- |
//! | [`types`] | | nouns: bytes, time, direction, limits, findings |
//! | [`capture`] | files, an interface | packets |
//! | [`net`] | a packet | a TCP segment |
//! | [`stream`] | | what a byte stream says, whoever carries it: data, gap, end |
//! | [`tcp`] | segments | streams |
//! | [`tls`] | bytes, secrets | what is inside TLS, and why not |
//! | [`http`] | bytes | heads, and where HTTP ends; streams of HTTP/2 |
//! | [`websocket`] | heads and bytes | handshakes, frames, messages, what they break |
//! | [`event`] | | what the library says |
//! | [`analyzer`] | packets | events: it drives all layers above |
//! | [`output`] | events | reports and tables |
//!
//! A program of five lines is an analysis: see [`analyzer`].

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

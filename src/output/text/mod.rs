//! The report for people: a summary of the capture, then one block a connection.
//!
//! In: [`What::Closed`](crate::event::What::Closed) of each connection, and the totals at the end. Out: text of about 100
//! columns. The summary comes first but is known last, so the reports of connections wait in a
//! [`Spool`](super::spool::Spool) and follow it in the order of their numbers; a live capture has each at once and the
//! summary last. What it writes, shortened:
//!
//! ```text
//! 147 packets, 46.5 KiB, 2026-11-22 15:42:25.115 UTC, 966 ms
//!   websocket   5 connections: 3 closed, 1 aborted, 1 failed (400)
//!               → 24 messages, 17.5 KiB   ← 37 messages, 53.0 KiB
//!   findings    error    key_invalid  ×1  in 1 connection  RFC 6455 §4.1
//!   hosts       10.77.0.2:8082 ×2, 10.77.0.2:8061 ×1, 10.77.0.2:8080 ×1, ws.example.test ×1
//!   also seen   5 TCP connections
//!
//! #0 CLOSED by client, 1000 normal closure "page done", after 141 ms, clean
//!               ws://10.77.0.2:8082/page/deflate
//!               10.77.0.1:37580 → 10.77.0.2:8082   15:42:25.115 UTC   tcp.stream 0   packets 1–73
//!   handshake   101 Switching Protocols in 13.1 ms, TCP handshake 40 µs, version 13, accept valid
//!   frames                     text  binary  ping  pong  close  all   payload  overhead
//!               → from client     7       1           1      1   10  5.00 KiB     1.3 %
//!               ← from server     6       3     1            1   11  27.1 KiB     0.1 %
//!   pings       1 answered, round trip 462 µs
//!   close       client: 1000 normal closure "page done", packet 69
//!               server: 1000 normal closure "page done", packet 71, 19.7 ms later
//!               TCP: FIN by server, packet 72, 20.5 ms after the first Close
//! ```

// Words, numbers and shapes.
mod style;
mod units;
mod words;
// Sections of the report of a connection.
mod connection;
mod http2;
mod traffic;
mod verdict;
// The complete capture.
mod summary;
// The output.
mod report;

pub use connection::render_connection;
pub use report::{Order, TextReport};
pub use style::Style;
pub use summary::{Overview, render_summary};

pub(super) use connection::{explanation, url};
pub(super) use style::Tone;
pub(super) use units::{bytes, micros};
pub(super) use verdict::outcome;
pub(super) use words::{arrow, close_code_text, wire};

#[cfg(test)]
mod tests;

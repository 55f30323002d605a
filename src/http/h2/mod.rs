//! HTTP/2 (RFC 9113) as far as WebSockets need it (RFC 8441): the bytes of one TCP connection (or of what is inside its TLS)
//! come in; header lists, data, ends and resets of its streams go out.
//!
//! - [`H2`] follows both directions of a connection. Payload of DATA frames is lent as it lies in the input.
//! - [`HeaderDecoder`] reads header blocks (HPACK, RFC 7541) and says what it cannot know, instead of refusing or guessing.
//! - [`BoundarySearch`] finds where frames begin, after a loss or in a connection that is joined half-way.
//!
//! An observer refuses nothing. Memory is bounded by [`Limits`](crate::types::Limits): the dynamic tables, one field that is not
//! whole, one header list for each direction, and the windows of streams that somebody follows.
//!
//! Not done here: what a request asks for beyond [`HeaderList::is_websocket_attempt`], contents of DATA, server push.

// In reading order.
pub mod frame;

mod huffman;

mod table;

pub mod header_block;

pub mod header_list;

mod reader;

mod flow;

pub mod search;

pub mod connection;

pub use connection::{H2, H2Event, H2Fault};
pub use frame::{ErrorCode, FrameHeader, FrameType, Setting};
pub use header_block::{BlockFault, HeaderDecoder, HeaderField};
pub use header_list::HeaderList;
pub use search::{BoundarySearch, SearchContext};

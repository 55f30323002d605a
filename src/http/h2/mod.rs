//! HTTP/2 (RFC 9113) as far as WebSockets need it (RFC 8441): the bytes of one TCP connection (or the plaintext of its TLS)
//! come in; header lists, data, ends and resets of its streams go out.
//!
//! - [`H2`] follows both directions of a connection. The payload of DATA frames is lent from the input.
//! - [`HeaderDecoder`] reads header blocks (HPACK, RFC 7541). A field that it cannot know is unknown, never guessed.
//! - [`BoundarySearch`] finds where frames begin, after a loss or in a connection captured mid-stream.
//! - [`UpgradeSettings`] are those with which a client comes from HTTP/1.1.
//!
//! An observer refuses nothing: an error of the sender is reported as an [`H2Fault`], and reading continues. Memory is bounded by
//! [`Limits`](crate::types::Limits): the dynamic tables, one incomplete field and one header list for each direction, and the
//! windows of the streams that are followed.
//!
//! Not done here: the meaning of a request beyond [`HeaderList::is_websocket_attempt`], the contents of DATA, server push.

// In reading order.
pub mod frame;

pub mod upgrade_settings;

mod huffman;

mod table;

pub mod header_block;

pub mod header_list;

pub mod fault;

mod reader;

mod flow;

pub mod search;

pub mod connection;

pub use connection::{H2, H2Event};
pub use fault::{FrequentFrame, H2Fault};
pub use frame::{ErrorCode, FrameFault, FrameHeader, FrameType, Setting};
pub use header_block::{BlockFault, HeaderDecoder, HeaderField};
pub use header_list::{HeaderList, HeaderListFault};
pub use search::{BoundarySearch, SearchContext};
pub use upgrade_settings::{UpgradeSettings, UpgradeSettingsFault};

//! Tables: `connections`, `frames`, `messages`, `findings`, each as an output.
//!
//! In: events. Out: rows. A row is pushed cell by cell, typed, into what its format makes of it (`rows.rs`): formats that are
//! lines of text write bytes at once, and in each worker (`lines.rs`); one that is columnar gathers values and writes blocks.
//! A row that comes before its message's number waits by its index (`pending.rs`), whatever the format. Bytes are handed on in
//! complete rows. What it writes as `frames` in CSV, each row shortened:
//!
//! ```csv
//! connection,uid,capture,frame,time,direction,src_ip,src_port,dst_ip,dst_port,opcode,opcode_name,fin,rsv1
//! 3,0123456789abcdeffedcba9876543210,,0,2026-11-22T16:19:05.128706789Z,c2s,10.0.0.9,51000,10.0.0.1,80,1,text,true,false
//! ```

// Values as text.
mod plain;
// What a format does with rows.
mod rows;
// Formats that are lines of text.
mod cell_cache;
mod csv;
mod lines;
mod ndjson;
// A table.
mod format;
mod name;
mod pending;
mod shard;
mod writer;

pub use format::Format;
pub use name::TableName;
pub use writer::{TableOptions, TableWriter};

pub(super) use ndjson::Ndjson;
pub(super) use rows::LineFormat;

#[cfg(test)]
mod columnar;
#[cfg(test)]
mod tests;

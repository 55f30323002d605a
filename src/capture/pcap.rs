//! The classic capture file: a header of 24 bytes, then packets, each after a header of 16 (draft-ietf-opsawg-pcap).
//!
//! ```text
//!  file    magic  version  zone  accuracy  snaplen  link type      each field of 4 bytes, version of two times 2
//!  packet  seconds  fraction  captured  original  [24-byte headers: interface  protocol  kind]   bytes...
//! ```
//!
//! In: the bytes of one file. Out: its records. Both byte orders, fractions in micro- and nanoseconds, and the "modified"
//! format of some old Linux systems. Zone and accuracy are always 0 and not read; nor is the version: files before 2.3, which
//! have the two lengths in the other order, have not been written for decades.

use super::LinkType;
use super::error::Corruption;
use super::record::{ByteOrder, CorruptRecord, FileItem, Record, max_captured, size};
use super::window::Window;
use crate::types::Timestamp;

/// Bytes of the file header.
pub(super) const FILE_HEADER_LEN: usize = 24;

const MAGIC_MICROS: u32 = 0xa1b2_c3d4;
const MAGIC_NANOS: u32 = 0xa1b2_3c4d;
const MAGIC_MODIFIED: u32 = 0xa1b2_cd34;

/// The file header: the form of the packets after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pcap {
    order: ByteOrder,
    nanos_per_tick: u32,
    record_header_len: usize,
    link: LinkType,
    max_captured: u32,
}

/// Whether a file that begins with `first` is of this format.
pub(super) fn is_pcap(first: &[u8]) -> bool {
    magic(first).is_some()
}

/// Byte order, nanoseconds in a unit of the fraction, length of a packet's header.
fn magic(first: &[u8]) -> Option<(ByteOrder, u32, usize)> {
    [ByteOrder::Little, ByteOrder::Big].into_iter().find_map(|order| match order.words(first)? {
        [MAGIC_MICROS] => Some((order, 1_000, 16)),
        [MAGIC_NANOS] => Some((order, 1, 16)),
        [MAGIC_MODIFIED] => Some((order, 1_000, 24)),
        _ => None,
    })
}

impl Pcap {
    /// Reads the file header; `None` if it is too short or has another magic number.
    pub(super) fn parse(header: &[u8]) -> Option<Self> {
        let (order, nanos_per_tick, record_header_len) = magic(header)?;
        let [_magic, _version, _zone, _accuracy, _snaplen, link] = order.words(header)?;
        // The upper half is about checksums after each packet, which the length of IP leaves out anyway.
        let link = LinkType(u16::try_from(link & 0xffff).unwrap_or_default());
        Some(Self { order, nanos_per_tick, record_header_len, link, max_captured: max_captured(link) })
    }

    /// The next packet, if all of it is in the window and its lengths are plausible: nearly always.
    #[inline]
    pub(super) fn next_buffered(&self, window: &mut Window) -> Option<Record> {
        let bytes = window.bytes();
        let [seconds, fraction, captured, original] = self.order.words(bytes)?;
        let len = size(captured);
        let record_len = self.record_header_len.checked_add(len)?;
        if captured > self.max_captured || record_len > bytes.len() {
            return None;
        }
        let start = window.take(record_len) + self.record_header_len;
        // At most 4.3e18 + 4.3e12: no overflow.
        let nanos = i64::from(seconds) * 1_000_000_000 + i64::from(fraction) * i64::from(self.nanos_per_tick);
        let at = Timestamp::from_nanos(nanos);
        Some(Record { at, link: self.link, start, len, original_len: original.max(captured) })
    }

    /// The next packet, after it was read into the window, or the end.
    #[cold]
    pub(super) fn next_item(&self, window: &mut Window) -> Result<FileItem, CorruptRecord> {
        let end = FileItem::End { start: window.offset() };
        if !window.fill(self.record_header_len) {
            return Ok(end);
        }
        let Some([_, _, captured, _]) = self.order.words(window.bytes()) else { return Ok(end) };
        let most = self.max_captured;
        if captured > most {
            let what = Corruption::PacketTooLong { captured, most };
            return Err(CorruptRecord { offset: window.offset(), what });
        }
        window.fill(self.record_header_len + size(captured));
        Ok(self.next_buffered(window).map_or(end, FileItem::Packet))
    }
}

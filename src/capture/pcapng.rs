//! The pcapng capture file: blocks of many kinds, in sections (draft-ietf-opsawg-pcapng).
//!
//! ```text
//!  block  type:4  length:4  body...  length:4        a section header's type reads the same in both byte orders
//!  EPB    interface:4  time:8  captured:4  original:4  bytes...  options...
//! ```
//!
//! In: the bytes of one file. Out: its packets and secrets. Each section has its byte order and its interfaces; each
//! interface has its link type, its snaplen, and the resolution and offset of its clock. Blocks of other kinds are skipped,
//! whatever their length; so are options that change neither a packet nor its time. A Simple Packet Block has no time: its
//! packet is given the time of the one before.

use super::LinkType;
use super::error::Corruption;
use super::record::{ByteOrder, CorruptRecord, FileItem, Record, Secrets, max_captured, size};
use super::window::Window;
use crate::types::Timestamp;

mod interface;

use interface::Interface;

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;
const DECRYPTION_SECRETS: u32 = 10;

/// In a section header, in the section's byte order.
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
/// Bytes of type and length in front of a body.
const HEADER_LEN: usize = 8;
/// Bytes after it: the length again.
const TRAILER_LEN: usize = 4;
/// Bytes of the shortest block; so many are needed to learn a section's byte order, too.
const MIN_BLOCK_LEN: u32 = 12;
/// Bytes of a block's fields and options, its packet left out.
const MAX_FIELDS: u32 = 1 << 20;
/// Bytes of a packet and its options that are plausible on any link type.
const MAX_FAST_PACKET: u32 = 1 << 20;
/// Bytes of one block of secrets: the key log of some 100,000 connections.
const MAX_SECRETS: u32 = 32 << 20;
/// Interfaces of one section, of 32 bytes each.
const MAX_INTERFACES: usize = 1 << 16;

/// Whether a file that begins with `first` is of this format.
pub(super) fn is_pcapng(first: &[u8]) -> bool {
    ByteOrder::Big.words(first) == Some([SECTION_HEADER])
}

/// The section at hand: its byte order, and the interfaces that it has described so far.
#[derive(Debug)]
pub(super) struct Pcapng {
    order: ByteOrder,
    interfaces: Vec<Interface>,
    /// The time of the last packet.
    last: Timestamp,
}

/// A block's type, and its length from the type to the second length.
#[derive(Debug, Clone, Copy)]
struct BlockHeader {
    kind: u32,
    len: u32,
}

/// The fields of a packet in its block.
struct PacketFields {
    /// Bytes of the block in front of the packet.
    before: u32,
    captured: u32,
    original: u32,
    link: LinkType,
    at: Timestamp,
}

/// Why a block cannot be read.
enum BlockError {
    /// The file ends in it.
    Truncated,
    Corrupt(Corruption),
}

impl From<Corruption> for BlockError {
    fn from(what: Corruption) -> Self {
        Self::Corrupt(what)
    }
}

impl Pcapng {
    /// Before the first section. `last` is the time of the packet before, for packets that have none.
    pub(super) const fn new(last: Timestamp) -> Self {
        Self { order: ByteOrder::Little, interfaces: Vec::new(), last }
    }

    /// The next packet, if the next block is an Enhanced Packet Block with plausible lengths, and all of it is in the window:
    /// nearly always.
    #[inline]
    pub(super) fn next_buffered(&mut self, window: &mut Window) -> Option<Record> {
        let bytes = window.bytes();
        let [kind, len, number, high, low, captured, original] = self.order.words(bytes)?;
        let interface = self.interfaces.get(size(number))?;
        let body = bytes.get(28..size(len))?;
        let (packet, trailer) = body.split_last_chunk::<TRAILER_LEN>()?;
        let plausible = kind == ENHANCED_PACKET
            && self.order.u32(*trailer) == len
            && size(captured) <= packet.len()
            && packet.len() <= size(MAX_FAST_PACKET);
        if !plausible {
            return None;
        }
        let (link, at) = (interface.link, interface.time(high, low));
        self.last = at;
        let start = window.take(size(len)) + 28;
        Some(Record { at, link, start, len: size(captured), original_len: original.max(captured) })
    }

    /// The next packet of any kind, after it was read into the window; or secrets, or the end.
    #[cold]
    pub(super) fn next_item(&mut self, window: &mut Window) -> Result<FileItem, CorruptRecord> {
        loop {
            let start = window.offset();
            match self.block(window) {
                Ok(Some(item)) => return Ok(item),
                Ok(None) => {}
                Err(BlockError::Truncated) => return Ok(FileItem::End { start }),
                Err(BlockError::Corrupt(what)) => return Err(CorruptRecord { offset: start, what }),
            }
        }
    }

    /// Reads one block and takes it; `None` if it is neither a packet nor secrets.
    fn block(&mut self, window: &mut Window) -> Result<Option<FileItem>, BlockError> {
        need(window, MIN_BLOCK_LEN)?;
        let header = self.header(window.bytes())?;
        match header.kind {
            ENHANCED_PACKET => self.enhanced_packet(window, header).map(Some),
            SIMPLE_PACKET => self.simple_packet(window, header).map(Some),
            OBSOLETE_PACKET => self.obsolete_packet(window, header).map(Some),
            SECTION_HEADER => self.section(window, header).map(|()| None),
            INTERFACE_DESCRIPTION => self.interface_description(window, header).map(|()| None),
            DECRYPTION_SECRETS if header.len <= MAX_SECRETS => self.secrets(window, header).map(Some),
            kind => {
                self.skip_block(window, header)?;
                Ok((kind == DECRYPTION_SECRETS).then_some(FileItem::SecretsDropped))
            }
        }
    }

    /// Type and length of the block that begins with `bytes`. A section header sets the byte order.
    fn header(&mut self, bytes: &[u8]) -> Result<BlockHeader, BlockError> {
        if is_pcapng(bytes) {
            let [_kind, _len, magic] = ByteOrder::Little.words(bytes).ok_or(BlockError::Truncated)?;
            self.order = match magic {
                BYTE_ORDER_MAGIC => ByteOrder::Little,
                _ if magic.swap_bytes() == BYTE_ORDER_MAGIC => ByteOrder::Big,
                found => return Err(Corruption::ByteOrder { found }.into()),
            };
        }
        let [kind, len] = self.order.words(bytes).ok_or(BlockError::Truncated)?;
        if len < MIN_BLOCK_LEN { Err(Corruption::BlockLen { kind, len }.into()) } else { Ok(BlockHeader { kind, len }) }
    }

    /// A new section: the interfaces of the last one are forgotten. Its length is not needed, and often unknown.
    fn section(&mut self, window: &mut Window, header: BlockHeader) -> Result<(), BlockError> {
        let body = self.short_body(window, header, 16)?;
        let [_magic, version] = body.as_chunks::<4>().0.first_chunk().copied().ok_or(BlockError::Truncated)?;
        let [a, b, _, _] = version;
        let major = self.order.u16([a, b]);
        if major != 1 {
            return Err(Corruption::Version { major }.into());
        }
        self.interfaces.clear();
        window.take(size(header.len));
        Ok(())
    }

    fn interface_description(&mut self, window: &mut Window, header: BlockHeader) -> Result<(), BlockError> {
        let body = self.short_body(window, header, 8)?;
        if self.interfaces.len() >= MAX_INTERFACES {
            return Err(Corruption::TooManyInterfaces { most: MAX_INTERFACES }.into());
        }
        let interface = Interface::parse(self.order, body).ok_or(BlockError::Truncated)?;
        self.interfaces.push(interface);
        window.take(size(header.len));
        Ok(())
    }

    #[inline]
    fn enhanced_packet(&mut self, window: &mut Window, header: BlockHeader) -> Result<FileItem, BlockError> {
        let [number, high, low, captured, original] = self.fields(window, header)?;
        let interface = self.interface(number)?;
        let (link, at) = (interface.link, interface.time(high, low));
        self.packet(window, header, &PacketFields { before: 28, captured, original, link, at })
    }

    /// The block has no captured length: the packet is as long as the snaplen allows.
    fn simple_packet(&mut self, window: &mut Window, header: BlockHeader) -> Result<FileItem, BlockError> {
        let [original] = self.fields(window, header)?;
        let interface = self.interface(0)?;
        let room = header.len.saturating_sub(16);
        let captured = original.min(interface.snaplen).min(room);
        let (link, at) = (interface.link, self.last);
        self.packet(window, header, &PacketFields { before: 12, captured, original, link, at })
    }

    /// The block of older tools: like an Enhanced Packet Block, but with a shorter interface number, and a count of drops.
    fn obsolete_packet(&mut self, window: &mut Window, header: BlockHeader) -> Result<FileItem, BlockError> {
        let [number_and_drops, high, low, captured, original] = self.fields(window, header)?;
        let number = match self.order {
            ByteOrder::Little => number_and_drops & 0xffff,
            ByteOrder::Big => number_and_drops >> 16,
        };
        let interface = self.interface(number)?;
        let (link, at) = (interface.link, interface.time(high, low));
        self.packet(window, header, &PacketFields { before: 28, captured, original, link, at })
    }

    /// Takes the complete block, after its lengths were checked against each other.
    #[inline]
    fn packet(
        &mut self,
        window: &mut Window,
        header: BlockHeader,
        fields: &PacketFields,
    ) -> Result<FileItem, BlockError> {
        let &PacketFields { before, captured, original, link, at } = fields;
        let most = max_captured(link);
        if captured > most {
            return Err(Corruption::PacketTooLong { captured, most }.into());
        }
        let room = header.len.saturating_sub(before + 4);
        if captured > room {
            return Err(Corruption::PacketBeyondBlock { captured, room }.into());
        }
        if room - captured > MAX_FIELDS {
            return Err(Corruption::BlockLen { kind: header.kind, len: header.len }.into());
        }
        self.complete_body(window, header)?;
        let start = window.take(size(header.len)) + size(before);
        self.last = at;
        Ok(FileItem::Packet(Record { at, link, start, len: size(captured), original_len: original.max(captured) }))
    }

    fn secrets(&self, window: &mut Window, header: BlockHeader) -> Result<FileItem, BlockError> {
        let [kind, len] = self.fields(window, header)?;
        let body = self.complete_body(window, header)?;
        let bytes = body.get(8..).unwrap_or_default();
        let bytes = bytes.get(..size(len)).unwrap_or(bytes).to_vec();
        window.take(size(header.len));
        Ok(FileItem::Secrets(Secrets { kind, bytes }))
    }

    /// Skips a block, which may be longer than any that would be held.
    fn skip_block(&self, window: &mut Window, header: BlockHeader) -> Result<(), BlockError> {
        if !window.skip(size(header.len) - TRAILER_LEN) || !window.fill(TRAILER_LEN) {
            return Err(BlockError::Truncated);
        }
        self.check_trailer(header, window.bytes())?;
        window.take(TRAILER_LEN);
        Ok(())
    }

    /// The first words of a block's body.
    #[inline]
    fn fields<const N: usize>(&self, window: &mut Window, header: BlockHeader) -> Result<[u32; N], BlockError> {
        if size(header.len) < HEADER_LEN + 4 * N + TRAILER_LEN {
            return Err(Corruption::BlockLen { kind: header.kind, len: header.len }.into());
        }
        if !window.fill(HEADER_LEN + 4 * N) {
            return Err(BlockError::Truncated);
        }
        window.bytes().get(HEADER_LEN..).and_then(|body| self.order.words(body)).ok_or(BlockError::Truncated)
    }

    #[inline]
    fn interface(&self, number: u32) -> Result<&Interface, BlockError> {
        let known = self.interfaces.len();
        self.interfaces
            .get(size(number))
            .ok_or(BlockError::Corrupt(Corruption::NoInterface { interface: number, known }))
    }

    /// The body of a block without a packet, of at least `min` bytes.
    fn short_body<'a>(&self, window: &'a mut Window, header: BlockHeader, min: u32) -> Result<&'a [u8], BlockError> {
        if header.len < MIN_BLOCK_LEN + min || header.len > MAX_FIELDS {
            return Err(Corruption::BlockLen { kind: header.kind, len: header.len }.into());
        }
        self.complete_body(window, header)
    }

    /// The body of the next block, after all of it was read and its two lengths were compared.
    #[inline]
    fn complete_body<'a>(&self, window: &'a mut Window, header: BlockHeader) -> Result<&'a [u8], BlockError> {
        need(window, header.len)?;
        let rest = window.bytes().get(HEADER_LEN..size(header.len)).ok_or(BlockError::Truncated)?;
        let (body, trailer) = rest.split_last_chunk::<TRAILER_LEN>().ok_or(BlockError::Truncated)?;
        self.check_trailer(header, trailer)?;
        Ok(body)
    }

    #[inline]
    fn check_trailer(&self, header: BlockHeader, trailer: &[u8]) -> Result<(), BlockError> {
        let [second] = self.order.words(trailer).ok_or(BlockError::Truncated)?;
        let first = header.len;
        if first == second { Ok(()) } else { Err(Corruption::BlockLensDiffer { first, second }.into()) }
    }
}

/// Makes the window `len` bytes long.
#[inline]
fn need(window: &mut Window, len: u32) -> Result<(), BlockError> {
    if window.fill(size(len)) { Ok(()) } else { Err(BlockError::Truncated) }
}

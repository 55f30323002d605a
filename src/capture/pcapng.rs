//! The next generation of capture files: blocks of many kinds, in sections (draft-ietf-opsawg-pcapng).
//!
//! ```text
//!  block  type:4  length:4  body...  length:4        a section header's type reads the same in both byte orders
//!  EPB    interface:4  time:8  captured:4  original:4  bytes...  options...
//! ```
//!
//! In: the bytes of one file. Out: its packets and secrets. Each section has its byte order and its interfaces; each
//! interface its link type, snaplen, and resolution and offset of time. Blocks of other kinds are left out, whatever
//! their length; so are options that do not change what a packet or its time is. A simple packet has no time: it is given
//! that of the packet before.

use super::LinkType;
use super::block::Blocks;
use super::error::Corruption;
use super::record::{ByteOrder, Fault, Record, Secrets, Step, most_captured, size};
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
const FRONT_LEN: usize = 8;
/// Bytes behind it: the length again.
const BACK_LEN: usize = 4;
/// The shortest block, which is also what it takes to learn a section's byte order.
const SHORTEST: u32 = 12;
/// Bytes of a block's fields and options, beyond its packet.
const MOST_ASIDE: u32 = 1 << 20;
/// Bytes of a packet and its options that raise no questions on any link type.
const MOST_READY: u32 = 1 << 20;
/// Bytes of one block of secrets: the key log of some 100,000 connections.
const MOST_SECRETS: u32 = 32 << 20;
/// Interfaces of one section, of 32 bytes each.
const MOST_INTERFACES: usize = 1 << 16;

/// Whether a file that begins with `first` is one of these.
pub(super) fn is_pcapng(first: &[u8]) -> bool {
    ByteOrder::Big.words(first) == Some([SECTION_HEADER])
}

/// Where we are in a file: the section, and what it has described.
#[derive(Debug)]
pub(super) struct Pcapng {
    order: ByteOrder,
    interfaces: Vec<Interface>,
    last: Timestamp,
}

/// A block's type, and its length from type to second length.
#[derive(Debug, Clone, Copy)]
struct Front {
    kind: u32,
    len: u32,
}

/// Where a packet lies in its block, and what the block says about it.
struct Fields {
    before: u32,
    captured: u32,
    original: u32,
    link: LinkType,
    at: Timestamp,
}

/// Why a block cannot be read.
enum Stop {
    /// The file is over.
    Over,
    Corrupt(Corruption),
}

impl From<Corruption> for Stop {
    fn from(what: Corruption) -> Self {
        Self::Corrupt(what)
    }
}

impl Pcapng {
    /// Before the first section. `last` is the time of the packet before, for packets that have none.
    pub(super) const fn new(last: Timestamp) -> Self {
        Self { order: ByteOrder::Little, interfaces: Vec::new(), last }
    }

    /// The next packet, if the next block is one with nothing wrong, and all of it is in the window: nearly always.
    #[inline]
    pub(super) fn ready(&mut self, blocks: &mut Blocks) -> Option<Record> {
        let window = blocks.window();
        let [kind, len, number, high, low, captured, original] = self.order.words(window)?;
        let interface = self.interfaces.get(size(number))?;
        let body = window.get(28..size(len))?;
        let (room, back) = body.split_last_chunk::<BACK_LEN>()?;
        let is_good = kind == ENHANCED_PACKET
            && self.order.u32(*back) == len
            && size(captured) <= room.len()
            && room.len() <= size(MOST_READY);
        if !is_good {
            return None;
        }
        let (link, at) = (interface.link, interface.time(high, low));
        self.last = at;
        let start = blocks.take(size(len)) + 28;
        Some(Record { at, link, start, len: size(captured), original_len: original.max(captured) })
    }

    /// The next packet, if it has to be read first or is of another kind, or what else matters.
    #[cold]
    pub(super) fn next(&mut self, blocks: &mut Blocks) -> Result<Step, Fault> {
        loop {
            let since = blocks.offset();
            match self.block(blocks) {
                Ok(Some(step)) => return Ok(step),
                Ok(None) => {}
                Err(Stop::Over) => return Ok(Step::End { since }),
                Err(Stop::Corrupt(what)) => return Err(Fault { offset: since, what }),
            }
        }
    }

    /// Reads one block and takes it; `None` if it matters to nobody upstairs.
    fn block(&mut self, blocks: &mut Blocks) -> Result<Option<Step>, Stop> {
        need(blocks, SHORTEST)?;
        let front = self.front(blocks.window())?;
        match front.kind {
            ENHANCED_PACKET => self.enhanced_packet(blocks, front).map(Some),
            SIMPLE_PACKET => self.simple_packet(blocks, front).map(Some),
            OBSOLETE_PACKET => self.obsolete_packet(blocks, front).map(Some),
            SECTION_HEADER => self.section(blocks, front).map(|()| None),
            INTERFACE_DESCRIPTION => self.interface_description(blocks, front).map(|()| None),
            DECRYPTION_SECRETS if front.len <= MOST_SECRETS => self.secrets(blocks, front).map(Some),
            kind => {
                self.leave_out(blocks, front)?;
                Ok((kind == DECRYPTION_SECRETS).then_some(Step::SecretsDropped))
            }
        }
    }

    /// Type and length, and the byte order with which a section begins.
    fn front(&mut self, window: &[u8]) -> Result<Front, Stop> {
        if is_pcapng(window) {
            let [_kind, _len, magic] = ByteOrder::Little.words(window).ok_or(Stop::Over)?;
            self.order = match magic {
                BYTE_ORDER_MAGIC => ByteOrder::Little,
                _ if magic.swap_bytes() == BYTE_ORDER_MAGIC => ByteOrder::Big,
                found => return Err(Corruption::ByteOrder { found }.into()),
            };
        }
        let [kind, len] = self.order.words(window).ok_or(Stop::Over)?;
        if len < SHORTEST { Err(Corruption::BlockLen { kind, len }.into()) } else { Ok(Front { kind, len }) }
    }

    /// A new section: what the last one described is forgotten. Its length is not needed, and often unknown.
    fn section(&mut self, blocks: &mut Blocks, front: Front) -> Result<(), Stop> {
        let body = self.small_block(blocks, front, 16)?;
        let [_magic, version] = body.as_chunks::<4>().0.first_chunk().copied().ok_or(Stop::Over)?;
        let [a, b, _, _] = version;
        let major = self.order.u16([a, b]);
        if major != 1 {
            return Err(Corruption::Version { major }.into());
        }
        self.interfaces.clear();
        blocks.take(size(front.len));
        Ok(())
    }

    fn interface_description(&mut self, blocks: &mut Blocks, front: Front) -> Result<(), Stop> {
        let body = self.small_block(blocks, front, 8)?;
        if self.interfaces.len() >= MOST_INTERFACES {
            return Err(Corruption::TooManyInterfaces { most: MOST_INTERFACES }.into());
        }
        let interface = Interface::parse(self.order, body).ok_or(Stop::Over)?;
        self.interfaces.push(interface);
        blocks.take(size(front.len));
        Ok(())
    }

    #[inline]
    fn enhanced_packet(&mut self, blocks: &mut Blocks, front: Front) -> Result<Step, Stop> {
        let [number, high, low, captured, original] = self.fields(blocks, front)?;
        let interface = self.interface(number)?;
        let (link, at) = (interface.link, interface.time(high, low));
        self.packet(blocks, front, &Fields { before: 28, captured, original, link, at })
    }

    /// Its captured length is not written down: it is as long as the snaplen allows.
    fn simple_packet(&mut self, blocks: &mut Blocks, front: Front) -> Result<Step, Stop> {
        let [original] = self.fields(blocks, front)?;
        let interface = self.interface(0)?;
        let room = front.len.saturating_sub(16);
        let captured = original.min(interface.snaplen).min(room);
        let (link, at) = (interface.link, self.last);
        self.packet(blocks, front, &Fields { before: 12, captured, original, link, at })
    }

    /// What older tools wrote: as an enhanced packet, but with a count of drops beside a shorter interface number.
    fn obsolete_packet(&mut self, blocks: &mut Blocks, front: Front) -> Result<Step, Stop> {
        let [number_and_drops, high, low, captured, original] = self.fields(blocks, front)?;
        let number = match self.order {
            ByteOrder::Little => number_and_drops & 0xffff,
            ByteOrder::Big => number_and_drops >> 16,
        };
        let interface = self.interface(number)?;
        let (link, at) = (interface.link, interface.time(high, low));
        self.packet(blocks, front, &Fields { before: 28, captured, original, link, at })
    }

    /// Takes the whole block, once its lengths agree with each other.
    #[inline]
    fn packet(&mut self, blocks: &mut Blocks, front: Front, fields: &Fields) -> Result<Step, Stop> {
        let &Fields { before, captured, original, link, at } = fields;
        let most = most_captured(link);
        if captured > most {
            return Err(Corruption::PacketTooLong { captured, most }.into());
        }
        let room = front.len.saturating_sub(before + 4);
        if captured > room {
            return Err(Corruption::PacketBeyondBlock { captured, room }.into());
        }
        if room - captured > MOST_ASIDE {
            return Err(Corruption::BlockLen { kind: front.kind, len: front.len }.into());
        }
        self.whole(blocks, front)?;
        let start = blocks.take(size(front.len)) + size(before);
        self.last = at;
        Ok(Step::Record(Record { at, link, start, len: size(captured), original_len: original.max(captured) }))
    }

    fn secrets(&self, blocks: &mut Blocks, front: Front) -> Result<Step, Stop> {
        let [kind, len] = self.fields(blocks, front)?;
        let body = self.whole(blocks, front)?;
        let bytes = body.get(8..).unwrap_or_default();
        let bytes = bytes.get(..size(len)).unwrap_or(bytes).to_vec();
        blocks.take(size(front.len));
        Ok(Step::Secrets(Secrets { kind, bytes }))
    }

    /// Leaves out a block that may be longer than any we would hold.
    fn leave_out(&self, blocks: &mut Blocks, front: Front) -> Result<(), Stop> {
        if !blocks.skip(size(front.len) - BACK_LEN) || !blocks.fill(BACK_LEN) {
            return Err(Stop::Over);
        }
        self.check_back(front, blocks.window())?;
        blocks.take(BACK_LEN);
        Ok(())
    }

    /// The first words of a block's body.
    #[inline]
    fn fields<const N: usize>(&self, blocks: &mut Blocks, front: Front) -> Result<[u32; N], Stop> {
        if size(front.len) < FRONT_LEN + 4 * N + BACK_LEN {
            return Err(Corruption::BlockLen { kind: front.kind, len: front.len }.into());
        }
        if !blocks.fill(FRONT_LEN + 4 * N) {
            return Err(Stop::Over);
        }
        blocks.window().get(FRONT_LEN..).and_then(|body| self.order.words(body)).ok_or(Stop::Over)
    }

    #[inline]
    fn interface(&self, number: u32) -> Result<&Interface, Stop> {
        let known = self.interfaces.len();
        self.interfaces.get(size(number)).ok_or(Stop::Corrupt(Corruption::NoInterface { interface: number, known }))
    }

    /// The body of a block of at least `least` bytes that is not to be long.
    fn small_block<'a>(&self, blocks: &'a mut Blocks, front: Front, least: u32) -> Result<&'a [u8], Stop> {
        if front.len < SHORTEST + least || front.len > MOST_ASIDE {
            return Err(Corruption::BlockLen { kind: front.kind, len: front.len }.into());
        }
        self.whole(blocks, front)
    }

    /// The body of the block in front, all of it there and its two lengths the same.
    #[inline]
    fn whole<'a>(&self, blocks: &'a mut Blocks, front: Front) -> Result<&'a [u8], Stop> {
        need(blocks, front.len)?;
        let rest = blocks.window().get(FRONT_LEN..size(front.len)).ok_or(Stop::Over)?;
        let (body, back) = rest.split_last_chunk::<BACK_LEN>().ok_or(Stop::Over)?;
        self.check_back(front, back)?;
        Ok(body)
    }

    #[inline]
    fn check_back(&self, front: Front, back: &[u8]) -> Result<(), Stop> {
        let [second] = self.order.words(back).ok_or(Stop::Over)?;
        let first = front.len;
        if first == second { Ok(()) } else { Err(Corruption::BlockLensDiffer { first, second }.into()) }
    }
}

#[inline]
fn need(blocks: &mut Blocks, len: u32) -> Result<(), Stop> {
    if blocks.fill(size(len)) { Ok(()) } else { Err(Stop::Over) }
}

//! Header blocks (machine): the fragments of one direction's blocks come in, fields go out (RFC 7541 §3, §6).
//!
//! Fragments may be cut anywhere; at most one incomplete field is kept. A name or value that cannot be known is unknown,
//! never guessed: entries of the dynamic table that were not captured, strings that are not Huffman code. After
//! [`HeaderDecoder::lose`], only entries added since then are known. A block that cannot be followed to its end (an integer
//! without end, a field that is too long) is abandoned, and the dynamic table is unknown from there on.

use core::fmt;

use super::huffman;
use super::table::{HeaderTable, Lookup, Pair};
use crate::types::bytes::Reader;

/// The size of the dynamic table until a SETTINGS frame changes it (RFC 9113 §6.5.2).
pub(super) const DEFAULT_TABLE_SIZE: u32 = 4096;

/// One field of a header list; `None` where it is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderField<'a> {
    /// Its name, as sent: lower case, with a colon in front for a pseudo-header field.
    pub name: Option<&'a [u8]>,
    /// Its value.
    pub value: Option<&'a [u8]>,
}

/// A fault of a header block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockFault {
    /// An index of 0, or one beyond the table (RFC 7541 §2.3.3, §6.1).
    Index,
    /// An integer longer than any limit would allow (RFC 7541 §5.1).
    Integer,
    /// A string that is not Huffman code, or is padded wrongly (RFC 7541 §5.2).
    Huffman,
    /// The size of the dynamic table changes after the first field, or to more than the receiver allowed (RFC 7541 §4.2,
    /// §6.3).
    TableSize,
    /// The block ends inside a field.
    CutOff,
    /// A field longer than is kept ([`crate::types::Limits::max_head_bytes`]). That is our limit, not an error of the sender.
    TooLong,
}

impl BlockFault {
    /// In words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Index => "a header field refers to an entry that is not in the table",
            Self::Integer => "an integer in a header block has no end",
            Self::Huffman => "a string in a header block is not Huffman code",
            Self::TableSize => "a header block changes the table's size where or to what it may not",
            Self::CutOff => "a header block ends inside a field",
            Self::TooLong => "a header field is longer than is kept",
        }
    }
}

impl fmt::Display for BlockFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Decodes the header blocks of one direction.
#[derive(Debug)]
pub struct HeaderDecoder {
    table: HeaderTable,
    /// The largest table that the receiver allowed; `None` where that is unknown.
    allowed: Option<u32>,
    /// The start of an incomplete field.
    partial: Vec<u8>,
    max_field: usize,
    /// This block has had no field yet.
    at_start: bool,
    /// This block cannot be followed any more.
    abandoned: bool,
    fault: Option<BlockFault>,
    /// The decoded strings of the field at hand.
    strings: Strings,
}

#[derive(Debug, Default)]
struct Strings {
    name: Vec<u8>,
    value: Vec<u8>,
}

/// The representation of a field, or a change of the table's size (RFC 7541 §6).
#[derive(Debug, Clone, Copy)]
enum Representation {
    Indexed(u32),
    /// The name's index, or 0 where the name is a string; whether the field is added to the table; whether its strings could
    /// be decoded.
    Literal {
        index: u32,
        keep: bool,
        name_known: bool,
        value_known: bool,
    },
    Resize(u32),
}

/// Why a field could not be read.
enum FieldReadError {
    NeedMore,
    Fault(BlockFault),
}

impl HeaderDecoder {
    /// A decoder before the first block. It keeps at most `max_field` bytes of a field and `max_table` of the dynamic table.
    #[must_use]
    pub fn new(max_field: usize, max_table: usize) -> Self {
        Self {
            table: HeaderTable::new(usize::try_from(DEFAULT_TABLE_SIZE).unwrap_or(usize::MAX), max_table),
            allowed: Some(DEFAULT_TABLE_SIZE),
            partial: Vec::new(),
            max_field,
            at_start: true,
            abandoned: false,
            fault: None,
            strings: Strings::default(),
        }
    }

    /// The receiver allows a table of so many bytes (SETTINGS_HEADER_TABLE_SIZE). The encoder receives that later than the
    /// capture has it, so a larger size allowed before still is.
    pub fn allow(&mut self, size: u32) {
        self.allowed = self.allowed.map(|allowed| allowed.max(size));
    }

    /// The size that the receiver allows is unknown.
    pub fn allow_any(&mut self) {
        self.allowed = None;
        self.table.uncap();
    }

    /// A block begins.
    pub fn begin(&mut self) {
        self.partial.clear();
        (self.at_start, self.abandoned, self.fault) = (true, false, None);
    }

    /// Takes a fragment of a block; emits each complete field.
    pub fn push(&mut self, fragment: &[u8], mut emit: impl FnMut(HeaderField<'_>)) {
        if self.abandoned {
            return;
        }
        if self.partial.is_empty() {
            let left = self.fields(fragment, &mut emit);
            self.partial.extend_from_slice(fragment.get(left..).unwrap_or_default());
        } else {
            let mut bytes = core::mem::take(&mut self.partial);
            bytes.extend_from_slice(fragment);
            let left = self.fields(&bytes, &mut emit);
            bytes.drain(..left.min(bytes.len()));
            self.partial = bytes;
        }
        if self.partial.len() > self.max_field {
            self.abandon(BlockFault::TooLong);
        }
    }

    /// The block is over: gives its first fault, and whether it was followed to its end.
    pub fn end(&mut self) -> (Option<BlockFault>, bool) {
        if !self.partial.is_empty() {
            self.abandon(BlockFault::CutOff);
        }
        (self.fault.take(), !self.abandoned)
    }

    /// Blocks, or part of this one, were not captured.
    pub fn lose(&mut self) {
        self.table.lose();
        self.partial.clear();
        self.allowed = None;
        self.abandoned = true;
    }

    /// Whether all of the dynamic table is known.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.table.is_complete()
    }

    /// Bytes that are kept.
    #[must_use]
    pub fn held(&self) -> usize {
        self.table.held() + self.partial.capacity() + self.strings.name.capacity() + self.strings.value.capacity()
    }

    fn abandon(&mut self, fault: BlockFault) {
        self.fault.get_or_insert(fault);
        self.table.lose();
        self.partial = Vec::new();
        self.abandoned = true;
    }

    /// Reads fields until one is incomplete. Gives how many bytes were read.
    fn fields(&mut self, bytes: &[u8], emit: &mut impl FnMut(HeaderField<'_>)) -> usize {
        let mut reader = Reader::new(bytes);
        let mut read = 0;
        while !reader.rest().is_empty() {
            let mut strings = core::mem::take(&mut self.strings);
            let representation = self.read(&mut reader, read, &mut strings);
            let taken = representation.map(|representation| self.take(representation, &mut strings, emit));
            self.strings = strings;
            match taken {
                Ok(()) => read = reader.position(),
                Err(FieldReadError::NeedMore) => return read,
                Err(FieldReadError::Fault(fault)) => {
                    self.abandon(fault);
                    return bytes.len();
                }
            }
        }
        read
    }

    /// Reads the field that begins at `start`. A field longer than is kept is refused also where it is complete, so that the
    /// way a block was cut makes no difference.
    fn read(
        &self,
        reader: &mut Reader<'_>,
        start: usize,
        strings: &mut Strings,
    ) -> Result<Representation, FieldReadError> {
        let representation = read_field(reader, strings);
        let is_too_long = reader.position() - start > self.max_field;
        match representation {
            Err(FieldReadError::NeedMore) => Err(FieldReadError::NeedMore),
            _ if is_too_long => Err(FieldReadError::Fault(BlockFault::TooLong)),
            read => read,
        }
    }

    /// Carries out a representation (RFC 7541 §6).
    fn take(&mut self, representation: Representation, strings: &mut Strings, emit: &mut impl FnMut(HeaderField<'_>)) {
        match representation {
            Representation::Resize(size) => {
                // "This dynamic table size update MUST occur at the beginning of the first header block" (§4.2)
                if !self.at_start || self.allowed.is_some_and(|allowed| size > allowed) {
                    self.fault.get_or_insert(BlockFault::TableSize);
                }
                self.table.resize(size);
                return;
            }
            Representation::Indexed(index) => {
                let (name, value) = look_up(&self.table, index, &mut self.fault);
                emit(HeaderField { name, value });
            }
            Representation::Literal { index, keep, mut name_known, value_known } => {
                if !(name_known && value_known) {
                    self.fault.get_or_insert(BlockFault::Huffman);
                }
                if index != 0 {
                    let (name, _) = look_up(&self.table, index, &mut self.fault);
                    name_known = name.is_some();
                    strings.name.clear();
                    strings.name.extend_from_slice(name.unwrap_or_default());
                }
                let name = name_known.then_some(strings.name.as_slice());
                let value = value_known.then_some(strings.value.as_slice());
                if keep {
                    self.table.insert((name, value));
                }
                emit(HeaderField { name, value });
            }
        }
        self.at_start = false;
    }
}

/// Reads one field; its strings go into `strings`.
fn read_field(reader: &mut Reader<'_>, strings: &mut Strings) -> Result<Representation, FieldReadError> {
    let (index, keep) = match reader.rest().first().copied().ok_or(FieldReadError::NeedMore)? {
        0b1000_0000.. => return Ok(Representation::Indexed(integer(reader, 7)?)),
        0b0100_0000.. => (integer(reader, 6)?, true),
        0b0010_0000.. => return Ok(Representation::Resize(integer(reader, 5)?)),
        _ => (integer(reader, 4)?, false),
    };
    let name_known = if index == 0 { string(reader, &mut strings.name)? } else { true };
    let value_known = string(reader, &mut strings.value)?;
    Ok(Representation::Literal { index, keep, name_known, value_known })
}

/// The entry at an index; name and value are unknown where there is none.
fn look_up<'t>(table: &'t HeaderTable, index: u32, fault: &mut Option<BlockFault>) -> Pair<'t> {
    match table.get(index) {
        Lookup::Entry(pair) => pair,
        Lookup::Unknown => (None, None),
        Lookup::OutOfRange => {
            fault.get_or_insert(BlockFault::Index);
            (None, None)
        }
    }
}

/// An integer whose first byte has `prefix` bits of it (RFC 7541 §5.1). One of more than 28 bits and the prefix is an error: "An integer encoding that exceeds implementation limits -- in value or octet length -- MUST be treated as a
/// decoding error."
fn integer(reader: &mut Reader<'_>, prefix: u32) -> Result<u32, FieldReadError> {
    let mask = u8::MAX >> (8 - prefix);
    let first = reader.u8().ok_or(FieldReadError::NeedMore)? & mask;
    let mut value = u32::from(first);
    if first < mask {
        return Ok(value);
    }
    for shift in [0, 7, 14, 21] {
        let byte = reader.u8().ok_or(FieldReadError::NeedMore)?;
        value += u32::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(FieldReadError::Fault(BlockFault::Integer))
}

/// A string, decoded into `out` (RFC 7541 §5.2). False where it is marked as Huffman code and is none.
fn string(reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Result<bool, FieldReadError> {
    let is_huffman = reader.rest().first().ok_or(FieldReadError::NeedMore)? & 0x80 != 0;
    let len = integer(reader, 7)?;
    let bytes = usize::try_from(len).ok().and_then(|len| reader.take(len)).ok_or(FieldReadError::NeedMore)?;
    out.clear();
    if is_huffman {
        return Ok(huffman::decode(bytes, out));
    }
    out.extend_from_slice(bytes);
    Ok(true)
}

#[cfg(test)]
mod tests;

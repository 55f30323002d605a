//! Header blocks (machine): the fragments of one direction's blocks come in, fields go out (RFC 7541 §3, §6).
//!
//! Fragments may be cut anywhere; at most one field that is not whole is kept. What cannot be known is said to be unknown,
//! name or value or both, and never guessed: entries of the dynamic table that were not captured, strings that are not
//! Huffman code. After [`HeaderDecoder::lose`] only what was added since is known. A block that cannot be followed to its end
//! (an integer without end, a field that is too long) is given up, and so is the table with it.

use super::huffman;
use super::table::{HeaderTable, Lookup, Pair};
use crate::types::bytes::Reader;

/// The table's size until a SETTINGS frame says otherwise (RFC 9113 §6.5.2).
pub(super) const DEFAULT_TABLE_SIZE: u32 = 4096;

/// One field of a header list; `None` where it is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderField<'a> {
    /// Its name, as sent: lower case, and with a colon in front for a pseudo-header field.
    pub name: Option<&'a [u8]>,
    /// Its value.
    pub value: Option<&'a [u8]>,
}

/// Why a block is against RFC 7541.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockFault {
    /// An index of 0, or one beyond the table (RFC 7541 §2.3.3, §6.1).
    Index,
    /// An integer that is larger than any that makes sense (RFC 7541 §5.1).
    Integer,
    /// A string that is not Huffman code, or is padded wrongly (RFC 7541 §5.2).
    Huffman,
    /// The dynamic table's size changes behind the first field, or beyond what the receiver allowed (RFC 7541 §4.2, §6.3).
    TableSize,
    /// The block ends inside a field.
    CutOff,
    /// A field longer than is kept ([`crate::types::Limits::max_head_bytes`]). Nobody did wrong.
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

/// Decodes the header blocks of one direction.
#[derive(Debug)]
pub struct HeaderDecoder {
    table: HeaderTable,
    /// The largest table that the receiver allowed; `None` where that is not known.
    allowed: Option<u32>,
    /// The start of a field whose rest has not come.
    partial: Vec<u8>,
    max_field: usize,
    /// No field of this block came yet.
    at_start: bool,
    /// This block cannot be followed any more.
    given_up: bool,
    fault: Option<BlockFault>,
    /// Strings lie here, decoded.
    strings: Strings,
}

#[derive(Debug, Default)]
struct Strings {
    name: Vec<u8>,
    value: Vec<u8>,
}

/// How a field is written (RFC 7541 §6).
#[derive(Debug, Clone, Copy)]
enum Representation {
    Indexed(u32),
    /// The name's index, or 0 where it is a string; whether it goes into the table; whether its strings could be decoded.
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
    /// A decoder before the first block, that keeps at most `max_field` bytes of a field and `max_table` of the table.
    #[must_use]
    pub fn new(max_field: usize, max_table: usize) -> Self {
        Self {
            table: HeaderTable::new(usize::try_from(DEFAULT_TABLE_SIZE).unwrap_or(usize::MAX), max_table),
            allowed: Some(DEFAULT_TABLE_SIZE),
            partial: Vec::new(),
            max_field,
            at_start: true,
            given_up: false,
            fault: None,
            strings: Strings::default(),
        }
    }

    /// The receiver allows a table of so many bytes (SETTINGS_HEADER_TABLE_SIZE). An encoder hears of it later than we do,
    /// so what was allowed before still is.
    pub fn allow(&mut self, size: u32) {
        self.allowed = self.allowed.map(|allowed| allowed.max(size));
    }

    /// What the receiver allows is not known.
    pub fn allow_any(&mut self) {
        self.allowed = None;
        self.table.uncap();
    }

    /// A block begins.
    pub fn begin(&mut self) {
        self.partial.clear();
        (self.at_start, self.given_up, self.fault) = (true, false, None);
    }

    /// Takes a fragment of a block; gives each field that is whole.
    pub fn push(&mut self, fragment: &[u8], mut emit: impl FnMut(HeaderField<'_>)) {
        if self.given_up {
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
            self.give_up(BlockFault::TooLong);
        }
    }

    /// The block is over. Says what was wrong with it, and whether it was followed to its end.
    pub fn end(&mut self) -> (Option<BlockFault>, bool) {
        if !self.partial.is_empty() {
            self.give_up(BlockFault::CutOff);
        }
        (self.fault.take(), !self.given_up)
    }

    /// Blocks, or a part of this one, were not captured.
    pub fn lose(&mut self) {
        self.table.lose();
        self.partial.clear();
        self.allowed = None;
        self.given_up = true;
    }

    /// Whether the whole table is known.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.table.is_whole()
    }

    /// Bytes that are kept.
    #[must_use]
    pub fn held(&self) -> usize {
        self.table.held() + self.partial.capacity() + self.strings.name.capacity() + self.strings.value.capacity()
    }

    fn give_up(&mut self, fault: BlockFault) {
        self.fault.get_or_insert(fault);
        self.table.lose();
        self.partial = Vec::new();
        self.given_up = true;
    }

    /// Reads fields until one is not whole. Says how many bytes were read.
    fn fields(&mut self, bytes: &[u8], emit: &mut impl FnMut(HeaderField<'_>)) -> usize {
        let mut reader = Reader::new(bytes);
        let mut whole = 0;
        while !reader.rest().is_empty() {
            let mut strings = core::mem::take(&mut self.strings);
            let read = self.read(&mut reader, whole, &mut strings);
            let field = read.map(|form| self.take(form, &mut strings, emit));
            self.strings = strings;
            match field {
                Ok(()) => whole = reader.position(),
                Err(FieldReadError::NeedMore) => return whole,
                Err(FieldReadError::Fault(fault)) => {
                    self.give_up(fault);
                    return bytes.len();
                }
            }
        }
        whole
    }

    /// Reads the field that begins at `start`. One that is longer than is kept is refused where it is whole as well, so that
    /// it does not matter how a block was cut.
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

    /// Does what a field says (RFC 7541 §6).
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

/// What an index stands for; neither name nor value is known where it stands for nothing.
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

/// An integer whose first byte has `prefix` bits of it (RFC 7541 §5.1). Beyond 28 bits and the prefix it is taken for an
/// attack: "An integer encoding that exceeds implementation limits -- in value or octet length -- MUST be treated as a
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

/// A string, decoded into `out` (RFC 7541 §5.2). False where it is not Huffman code though it says so.
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

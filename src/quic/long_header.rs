//! The long header of QUIC (RFC 8999 §5.1, RFC 9000 §17.2).
//!
//! In: a datagram's payload. Out: whether it begins with a packet that has one. All that can be checked without keys is
//! checked, so that other protocols are not taken for QUIC; the packet number and what follows are encrypted.
//!
//! ```text
//! long header | form 1 bit = 1, fixed 1 bit = 1, type 2 bits, 4 bits | version 4 | length 1, destination id 0-20 |
//!             | length 1, source id 0-20 |
//! Initial     | token length varint | token | length varint | packet number 1-4, payload |
//! 0-RTT       | length varint | packet number 1-4, payload |
//! Handshake   | length varint | packet number 1-4, payload |
//! Retry       | token | integrity tag 16 |
//! Version Negotiation (version 0)                           | versions 4 each |
//! ```

use crate::types::Reader;

const FORM_BIT: u8 = 0x80;
const FIXED_BIT: u8 = 0x40;

/// The version of a Version Negotiation packet (RFC 9000 §17.2.1).
const NEGOTIATION: u32 = 0;
const VERSION_1: u32 = 1;
/// RFC 9369 §3.1.
const VERSION_2: u32 = 0x6B33_43CF;
/// Drafts 22 to 34 of version 1; in earlier ones both connection IDs share a byte for their lengths.
const DRAFTS: core::ops::RangeInclusive<u32> = 0xFF00_0016..=0xFF00_0022;

/// "In QUIC version 1, this value MUST NOT exceed 20 bytes" (RFC 9000 §17.2).
const MAX_CONNECTION_ID: u8 = 20;
/// A client pads each datagram that has an Initial packet to this length, and so does a server unless the packet only
/// acknowledges (RFC 9000 §14.1).
const MIN_INITIAL_DATAGRAM: usize = 1200;
/// The shortest packet number and payload. A receiver takes 16 bytes, from the fourth after the beginning of the packet
/// number on, to find out how the header is protected, and discards what is shorter (RFC 9001 §5.4.2).
const MIN_LENGTH: u64 = 20;
/// A Retry packet's token has a byte at least, its integrity tag 16 (RFC 9000 §17.2.5).
const MIN_RETRY: usize = 17;

/// Whether a UDP payload of `payload_len` bytes on the wire, of which `payload` was captured, begins with a packet of QUIC
/// that has a long header: of version 1 (RFC 9000), 2 (RFC 9369) or a late draft, or a Version Negotiation packet that
/// names one of these. Of a header that a snaplen cut, as much is checked as there is, but not less than the version.
#[must_use]
pub fn is_long_header(payload: &[u8], payload_len: usize) -> bool {
    let mut reader = Reader::new(payload);
    let (Some(first), Some(version)) = (reader.u8(), reader.u32_be()) else { return false };
    let mut header = Header { reader, datagram_len: payload_len };
    match version {
        _ if first & FORM_BIT == 0 => false,
        // "The value in the Unused field is set to an arbitrary value": no fixed bit (RFC 9000 §17.2.1).
        NEGOTIATION => header.check_negotiation().is_ok(),
        _ if first & FIXED_BIT == 0 || !is_known(version) => false,
        _ => matches!(header.check(PacketType::of(first, version)), Ok(()) | Err(Stop::Cut)),
    }
}

fn is_known(version: u32) -> bool {
    matches!(version, VERSION_1 | VERSION_2) || DRAFTS.contains(&version)
}

/// RFC 9000 §17.2, table 5.
enum PacketType {
    Initial,
    ZeroRtt,
    Handshake,
    Retry,
}

impl PacketType {
    const fn of(first: u8, version: u32) -> Self {
        let bits = first >> 4;
        // Version 2 has the same types, each with the number after (RFC 9369 §3.2).
        let number = if version == VERSION_2 { bits.wrapping_sub(1) } else { bits };
        match number & 0x03 {
            0 => Self::Initial,
            1 => Self::ZeroRtt,
            2 => Self::Handshake,
            _ => Self::Retry,
        }
    }
}

/// Why a header was not read to its end.
enum Stop {
    /// It contradicts itself or the datagram's length.
    NotQuic,
    /// The snaplen cut it.
    Cut,
}

/// What follows the version.
struct Header<'a> {
    reader: Reader<'a>,
    /// Bytes of the whole datagram, on the wire.
    datagram_len: usize,
}

impl Header<'_> {
    fn check(&mut self, packet_type: PacketType) -> Result<(), Stop> {
        if matches!(packet_type, PacketType::Initial) && self.datagram_len < MIN_INITIAL_DATAGRAM {
            return Err(Stop::NotQuic);
        }
        self.connection_ids()?;
        match packet_type {
            PacketType::Initial => {
                let token_len = self.varint()?;
                self.skip(token_len)?;
                self.length()
            }
            PacketType::ZeroRtt | PacketType::Handshake => self.length(),
            PacketType::Retry if self.left() < MIN_RETRY => Err(Stop::NotQuic),
            PacketType::Retry => Ok(()),
        }
    }

    fn check_negotiation(&mut self) -> Result<(), Stop> {
        self.connection_ids()?;
        let (versions, _) = self.reader.rest().as_chunks::<4>();
        let named = versions.iter().any(|version| is_known(u32::from_be_bytes(*version)));
        if named && self.left().is_multiple_of(4) { Ok(()) } else { Err(Stop::NotQuic) }
    }

    fn connection_ids(&mut self) -> Result<(), Stop> {
        for _ in 0..2 {
            let len = self.u8()?;
            if len > MAX_CONNECTION_ID {
                return Err(Stop::NotQuic);
            }
            self.skip(len.into())?;
        }
        Ok(())
    }

    /// The Length field: packet number and payload fit into the datagram, which may have further packets after them.
    fn length(&mut self) -> Result<(), Stop> {
        let len = self.varint()?;
        if (MIN_LENGTH..=self.left() as u64).contains(&len) { Ok(()) } else { Err(Stop::NotQuic) }
    }

    /// A variable-length integer: the first two bits say how many bytes it has (RFC 9000 §16).
    fn varint(&mut self) -> Result<u64, Stop> {
        let first = self.u8()?;
        let mut value = u64::from(first & 0x3F);
        for _ in 1..1_u32 << (first >> 6) {
            value = value << 8 | u64::from(self.u8()?);
        }
        Ok(value)
    }

    fn u8(&mut self) -> Result<u8, Stop> {
        let missing = self.missing(1);
        self.reader.u8().ok_or(missing)
    }

    fn skip(&mut self, len: u64) -> Result<(), Stop> {
        let missing = self.missing(len);
        let taken = usize::try_from(len).ok().and_then(|len| self.reader.take(len));
        taken.map(|_| ()).ok_or(missing)
    }

    /// Why the next `len` bytes are not there, if they are not.
    fn missing(&self, len: u64) -> Stop {
        if len <= self.left() as u64 { Stop::Cut } else { Stop::NotQuic }
    }

    /// Bytes of the datagram that were not read yet, on the wire.
    const fn left(&self) -> usize {
        self.datagram_len.saturating_sub(self.reader.position())
    }
}

#[cfg(test)]
mod tests;

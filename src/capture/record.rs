//! What pcap and pcapng have in common: byte order, the items of a file, and the greatest length of a packet.

use super::LinkType;
use super::error::Corruption;
use crate::types::Timestamp;

/// The byte order of the machine that wrote a file, or a section of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ByteOrder {
    Little,
    Big,
}

impl ByteOrder {
    pub(super) const fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    pub(super) const fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }

    pub(super) const fn i64(self, bytes: [u8; 8]) -> i64 {
        match self {
            Self::Little => i64::from_le_bytes(bytes),
            Self::Big => i64::from_be_bytes(bytes),
        }
    }

    /// The first `N` words of `bytes`.
    #[inline]
    pub(super) fn words<const N: usize>(self, bytes: &[u8]) -> Option<[u32; N]> {
        let (words, _) = bytes.as_chunks::<4>();
        Some(words.first_chunk::<N>()?.map(|word| self.u32(word)))
    }
}

/// One packet in the window: where its bytes are, and the fields of its record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    pub(super) at: Timestamp,
    pub(super) link: LinkType,
    /// Place of its first byte in the current block.
    pub(super) start: usize,
    /// Captured bytes.
    pub(super) len: usize,
    /// Bytes on the wire; never fewer than were captured, even if the record has a lower number.
    pub(super) original_len: u32,
}

/// Keys that a capture carries for its own decryption: a Decryption Secrets Block of pcapng.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secrets {
    /// The kind of keys: [`Self::TLS_KEY_LOG`] or another number from the pcapng registry.
    pub kind: u32,
    /// The keys, in the format of their kind.
    pub bytes: Vec<u8>,
}

impl Secrets {
    /// Text in the NSS key log format (`SSLKEYLOGFILE`).
    pub const TLS_KEY_LOG: u32 = 0x544c_534b;
}

/// What a file has next.
#[derive(Debug)]
pub(super) enum FileItem {
    Packet(Record),
    Secrets(Secrets),
    /// Secrets that are too long to be held.
    SecretsDropped,
    /// No more bytes; those from the offset `start` on are an incomplete record, if there are any.
    End {
        start: u64,
    },
}

/// A record that is corrupt, so that the next one cannot be found.
#[derive(Debug)]
pub(super) struct CorruptRecord {
    pub(super) offset: u64,
    pub(super) what: Corruption,
}

/// The longest packet that is believed. libpcap and Wireshark refuse more than 256 KiB for all but a few link types; other
/// tools write complete super-segments (up to 512 KiB on a loopback), and a corrupt length is rarely below this.
const MAX_CAPTURED: u32 = 16 << 20;
/// The same for D-Bus and USB, as in libpcap and Wireshark.
const MAX_CAPTURED_USB: u32 = 128 << 20;

/// The greatest length of a packet of this link type. Memory is used for the bytes that exist, not for those that a record
/// claims.
pub(super) const fn max_captured(link: LinkType) -> u32 {
    match link.0 {
        // USB (FreeBSD, Linux, Linux padded, Windows, Darwin) and D-Bus, by their numbers in the registry of link types.
        186 | 189 | 220 | 249 | 266 | 231 => MAX_CAPTURED_USB,
        _ => MAX_CAPTURED,
    }
}

/// A length from a record as a length in memory.
#[inline]
pub(super) fn size(len: u32) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}

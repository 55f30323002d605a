//! Errors and warnings of reading a file or an interface.
//!
//! A [`CaptureError`] ends the reading of one input, and has the place where; the packets before it were read. A [`Warning`]
//! does not end anything. The contents of packets are not judged here. The system's message is the error's
//! [source](core::error::Error::source), and not part of its own.

use core::fmt;
use std::io;

use super::{Compression, LinkType};

/// Why an input or an interface cannot be read, or not any further.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// The file does not exist, or may not be read.
    #[error("{name}: cannot be opened")]
    Open {
        /// The file, as it was named.
        name: String,
        /// The system's error.
        source: io::Error,
    },
    /// Reading failed before the end of the input: the medium failed, or the compressed data are damaged.
    #[error("{place}: cannot be read on, after packet {packet}")]
    Read {
        /// How far reading came.
        place: Place,
        /// The last packet before; 0 before the first.
        packet: u64,
        /// The system's error, or the decompressor's.
        source: io::Error,
    },
    /// The input has no bytes at all.
    #[error("{name}: is empty, so no capture")]
    Empty {
        /// The input, as it was named.
        name: String,
    },
    /// The input does not begin as a capture does.
    #[error("{place}: no capture begins here: found {}, expected the magic number of pcap or pcapng{}",
        Hex(.found), hint(.found))]
    NotACapture {
        /// Where the magic number should be.
        place: Place,
        /// The first bytes there, at most eight.
        found: Vec<u8>,
    },
    /// A record is corrupt, and without it the next cannot be found.
    #[error("{place}: corrupt, after packet {packet}: {what}")]
    Corrupt {
        /// Where the record begins.
        place: Place,
        /// The last packet before; 0 before the first.
        packet: u64,
        /// The kind of corruption.
        what: Corruption,
    },
    /// The packet filter does not compile, or there is no compiler for it in this build.
    #[error("filter {expression:?}: {message}")]
    Filter {
        /// The expression as given.
        expression: String,
        /// libpcap's message.
        message: String,
    },
    /// There is no such interface.
    #[error("no interface {interface:?}; there {}", KnownInterfaces(.known))]
    NoSuchInterface {
        /// As it was named.
        interface: String,
        /// Those that exist.
        known: Vec<String>,
    },
    /// This user may not capture packets.
    #[error(
        "{interface}: no permission to capture ({message}). Run as root (sudo), or give the program the right once: \
        sudo setcap cap_net_raw,cap_net_admin=eip $(command -v wslens)"
    )]
    NotPermitted {
        /// The interface.
        interface: String,
        /// libpcap's message.
        message: String,
    },
    /// The interface cannot be captured on, or not any more.
    #[error("{interface}: {message}")]
    Device {
        /// The interface; empty when the list of interfaces itself failed.
        interface: String,
        /// libpcap's message.
        message: String,
    },
}

/// A position in an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The input, as it was named.
    pub name: String,
    /// Bytes before it; in a compressed input, bytes after decompression.
    pub offset: u64,
    /// How the input is compressed, if it is.
    pub compression: Option<Compression>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: byte {}", self.name, self.offset)?;
        self.compression.map_or(Ok(()), |compression| write!(f, " of the data inside {compression}"))
    }
}

/// The corruption of a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Corruption {
    /// A captured length longer than any that tools write.
    #[error("a packet of {captured} bytes, {most} are the most")]
    PacketTooLong {
        /// The captured length in the record.
        captured: u32,
        /// The greatest length that is believed for its link type.
        most: u32,
    },
    /// A pcapng block too short for its kind, or longer than any that is believed.
    #[error("a block of type {kind:#x} with a length of {len} bytes")]
    BlockLen {
        /// The block type.
        kind: u32,
        /// Its total length.
        len: u32,
    },
    /// The two copies of a pcapng block's length differ.
    #[error("a block begins with length {first} and ends with {second}")]
    BlockLensDiffer {
        /// The copy at the beginning.
        first: u32,
        /// The copy at the end.
        second: u32,
    },
    /// A packet that is longer than the block around it.
    #[error("a packet of {captured} bytes in a block with room for {room}")]
    PacketBeyondBlock {
        /// The captured length in the block.
        captured: u32,
        /// Bytes of the block that the packet may have.
        room: u32,
    },
    /// A pcapng section of no known byte order.
    #[error("a section with byte-order magic {found:#010x}")]
    ByteOrder {
        /// The number in the place of 0x1a2b3c4d.
        found: u32,
    },
    /// A pcapng section of a later major version.
    #[error("a section of pcapng version {major}, only 1 is known")]
    Version {
        /// The major version.
        major: u16,
    },
    /// A packet of an interface that its section did not describe.
    #[error("a packet of interface {interface}, the section has described {known}")]
    NoInterface {
        /// The interface's number.
        interface: u32,
        /// Interfaces described so far.
        known: usize,
    },
    /// More interfaces in one section than are believed.
    #[error("more than {most} interfaces in one section")]
    TooManyInterfaces {
        /// The most that are believed.
        most: usize,
    },
}

/// A problem that a user should know about, and that does not end the reading.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// The input ends in the middle of a record (or of its compressed data): what came before was read.
    CutShort {
        /// Where the incomplete record begins.
        place: Place,
        /// Bytes of it in the input.
        left: u64,
        /// The last complete packet; 0 if there was none.
        packet: u64,
    },
    /// One of several inputs has no bytes.
    Empty {
        /// The input, as it was named.
        name: String,
    },
    /// Other bytes follow the compressed data; they were ignored.
    TrailingBytes {
        /// Where the decompressed data end.
        place: Place,
    },
    /// The capture has more TLS secrets than are held at once; some were ignored.
    SecretsDropped {
        /// The input, as it was named.
        name: String,
    },
    /// The filter does not apply to this link type; none of its packets match.
    FilterLink {
        /// The link type.
        link: LinkType,
        /// libpcap's message.
        message: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CutShort { place, left: 0, packet } => {
                write!(f, "{place}: cut short: the data break off after packet {packet}; read up to here")
            }
            Self::CutShort { place, left, packet } => write!(
                f,
                "{place}: cut short: only {left} bytes of a record are there, after packet {packet}; read up to here"
            ),
            Self::Empty { name } => write!(f, "{name}: is empty"),
            Self::TrailingBytes { place } => {
                write!(f, "{place}: the compressed data end here; what follows them was left out")
            }
            Self::SecretsDropped { name } => write!(f, "{name}: too many TLS secrets at once; some were left out"),
            Self::FilterLink { link, message } => {
                write!(f, "no packet of link type {} passes the filter: {message}", link.0)
            }
        }
    }
}

/// Bytes as `0a 0d 0d 0a`, and as text where they are text.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_text = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
        for (index, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02x}", if index == 0 { "" } else { " " })?;
        }
        match core::str::from_utf8(self.0) {
            Ok(text) if self.0.iter().all(is_text) => write!(f, " ({text:?})"),
            _ => Ok(()),
        }
    }
}

/// Formats that are found where a capture is expected, by their first bytes, and how to convert them.
const OTHER_FORMATS: &[(&[u8], &str)] = &[
    (b"\xfd7zXZ\0", "; it is xz-compressed: xz -dc FILE | wslens -"),
    (b"BZh", "; it is bzip2-compressed: bzip2 -dc FILE | wslens -"),
    (b"\x04\x22\x4d\x18", "; it is lz4-compressed: lz4 -dc FILE | wslens -"),
    (b"PK\x03\x04", "; it is a zip archive: unzip -p FILE | wslens -"),
    (b"\x1f\x8b", "; it is gzip-compressed twice: zcat FILE | wslens -"),
    (b"snoop\0\0\0", "; it is a snoop capture: editcap FILE NEW.pcapng converts it"),
    (b"GMBU", "; it is a Network Monitor capture: editcap FILE NEW.pcapng converts it"),
];

/// How to convert a known other format.
fn hint(found: &[u8]) -> &'static str {
    OTHER_FORMATS.iter().find(|(magic, _)| found.starts_with(magic)).map_or("", |(_, hint)| hint)
}

/// A list of interfaces as the end of a sentence.
struct KnownInterfaces<'a>(&'a [String]);

impl fmt::Display for KnownInterfaces<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str("are none that this user may see (try as root)"),
            names => write!(f, "are: {}", names.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(compression: Option<Compression>) -> Place {
        Place { name: "a.pcap".to_owned(), offset: 24, compression }
    }

    #[test]
    fn the_first_bytes_of_other_files_are_shown_and_explained() {
        let message =
            |found: &[u8]| CaptureError::NotACapture { place: place(None), found: found.to_vec() }.to_string();
        assert_eq!(
            message(b"Hello, w"),
            "a.pcap: byte 24: no capture begins here: found 48 65 6c 6c 6f 2c 20 77 (\"Hello, w\"), expected the magic \
             number of pcap or pcapng"
        );
        assert!(message(b"\xfd7zXZ\0\0\x04").ends_with("xz -dc FILE | wslens -"));
        assert!(!message(b"\x1b[31mred").contains('\x1b'));
    }

    #[test]
    fn places_in_compressed_inputs_are_named_as_such() {
        assert_eq!(place(None).to_string(), "a.pcap: byte 24");
        assert_eq!(place(Some(Compression::Gzip)).to_string(), "a.pcap: byte 24 of the data inside gzip");
    }

    #[test]
    fn the_message_about_an_unknown_interface_lists_the_known_ones() {
        let message = |known: &[&str]| {
            let known = known.iter().map(|&name| name.to_owned()).collect();
            CaptureError::NoSuchInterface { interface: "eth9".to_owned(), known }.to_string()
        };
        assert_eq!(message(&["eth0", "lo"]), "no interface \"eth9\"; there are: eth0, lo");
        assert_eq!(message(&[]), "no interface \"eth9\"; there are none that this user may see (try as root)");
    }
}

//! Packets that can be left out, repeated and put in another order, keeping their numbers.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use wslens::capture::{Input, LinkType, Packet};
use wslens::net::{Decoder, Transport};
use wslens::types::{Endpoint, Limits, PacketRef, Timestamp};

/// One packet, with the number it had at first.
#[derive(Debug, Clone)]
pub struct Raw {
    pub number: u64,
    pub at: i64,
    pub link: LinkType,
    pub bytes: Vec<u8>,
    pub original_len: u32,
    /// Its TCP segment, if it has one.
    pub tcp: Option<Tcp>,
}

/// What matters here of a segment.
#[derive(Debug, Clone, Copy)]
pub struct Tcp {
    pub src: Endpoint,
    pub dst: Endpoint,
    pub seq: u32,
    pub len: usize,
    pub syn: bool,
}

impl Raw {
    pub fn packet(&self) -> Packet<'_> {
        let seen = PacketRef { packet: self.number, at: Timestamp::from_nanos(self.at) };
        Packet { seen, link: self.link, bytes: &self.bytes, original_len: self.original_len }
    }

    /// Whether it carries bytes of a stream from `src` to `dst`.
    pub fn carries(&self, src: Endpoint, dst: Endpoint) -> bool {
        self.tcp.is_some_and(|tcp| tcp.src == src && tcp.dst == dst && tcp.len > 0)
    }
}

/// Looks into packets for their segments.
pub fn look(raws: &mut [Raw]) {
    let mut decoder = Decoder::new(&Limits::default());
    for raw in raws {
        let decoded = decoder.decode(&Packet {
            seen: PacketRef { packet: raw.number, at: Timestamp::from_nanos(raw.at) },
            link: raw.link,
            bytes: &raw.bytes,
            original_len: raw.original_len,
        });
        raw.tcp = decoded.and_then(Transport::segment).map(|segment| Tcp {
            src: segment.src,
            dst: segment.dst,
            seq: segment.seq.0,
            len: segment.payload.len() + segment.cut as usize,
            syn: segment.flags.syn,
        });
    }
}

/// All packets of a file.
pub fn read(path: &Path) -> Vec<Raw> {
    let mut input = Input::open(&[path]).unwrap();
    let mut raws = Vec::new();
    while let Some(packet) = input.next_packet().unwrap() {
        raws.push(Raw {
            number: packet.seen.packet,
            at: packet.seen.at.as_nanos(),
            link: packet.link,
            bytes: packet.bytes.to_vec(),
            original_len: packet.original_len,
            tcp: None,
        });
    }
    look(&mut raws);
    raws
}

/// The folder of captures of real clients and servers, if it is there.
pub fn real_captures() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/captures/real");
    path.is_dir().then_some(path)
}

/// The captures of that folder in which WebSockets can be read without keys; those of `names` alone, if there are any.
/// Where the folder is missing, the samples of this repository.
pub fn captures(names: &[&str]) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    if let Some(folder) = real_captures() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            let file = path.file_name().unwrap().to_string_lossy().into_owned();
            let Some((stem, ending)) = file.split_once('.') else { continue };
            let encrypted = ["wss", "h2"].iter().any(|word| stem.split('-').any(|part| part.starts_with(word)));
            if ["pcap", "pcapng", "pcap.gz"].contains(&ending) && !encrypted {
                found.push((stem.to_owned(), path));
            }
        }
    } else if let Ok(folder) = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").read_dir() {
        for entry in folder {
            let case = entry.unwrap().path();
            let name = case.file_name().unwrap().to_string_lossy().into_owned();
            let files = ["capture.pcap", "capture.pcapng", "capture.pcap.gz"].map(|file| case.join(file));
            found.extend(files.into_iter().filter(|path| path.is_file()).map(|path| (name.clone(), path)));
        }
    }
    found.retain(|(name, _)| names.is_empty() || names.contains(&name.as_str()));
    found.sort();
    if found.is_empty() {
        println!("no captures of real traffic here: left out");
    }
    found
}

/// The packets of each TCP connection by themselves.
pub fn by_connection(raws: &[Raw]) -> Vec<Vec<Raw>> {
    let ends: BTreeSet<_> =
        raws.iter().filter_map(|raw| raw.tcp).map(|tcp| (tcp.src.min(tcp.dst), tcp.src.max(tcp.dst))).collect();
    let of = |(low, high)| {
        let one = |raw: &&Raw| raw.tcp.is_some_and(|tcp| (tcp.src.min(tcp.dst), tcp.src.max(tcp.dst)) == (low, high));
        raws.iter().filter(one).cloned().collect()
    };
    ends.into_iter().map(of).collect()
}

/// A pcap file of them, numbered as they come.
pub fn pcap<'r>(raws: impl IntoIterator<Item = &'r Raw>) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::new();
    for raw in raws {
        if out.is_empty() {
            out.extend(0xa1b2_3c4d_u32.to_le_bytes());
            out.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            out.extend(0x0004_0000_u32.to_le_bytes());
            out.extend(u32::from(raw.link.0).to_le_bytes());
        }
        let words = [
            (raw.at / 1_000_000_000) as u32,
            (raw.at % 1_000_000_000) as u32,
            raw.bytes.len() as u32,
            raw.original_len,
        ];
        out.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        out.extend(&raw.bytes);
    }
    out
}

//! Real captures, compared with the packets that the pcap-parser crate reads.

use std::path::{Path, PathBuf};

use pcap_parser::{Block, PcapBlockOwned, PcapError, create_reader};

use super::*;

/// All captures beside the project, if there are any.
fn captures() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/captures");
    let (mut folders, mut found) = (vec![root], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            match () {
                () if path.is_dir() => folders.push(path),
                () if [".pcap", ".pcapng", ".pcap.gz"].iter().any(|ending| name.ends_with(ending)) => found.push(path),
                () => {}
            }
        }
    }
    found.sort();
    if found.is_empty() {
        crate::common::skip::skip("captures in ../shared");
    }
    found
}

/// The bytes of a capture, decompressed.
fn load(path: &Path) -> Vec<u8> {
    let bytes = std::fs::read(path).unwrap();
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return bytes;
    }
    let mut inside = Vec::new();
    flate2::read::MultiGzDecoder::new(&*bytes).read_to_end(&mut inside).unwrap();
    inside
}

/// Packets, and how many bytes of the file end with each, as the other crate reads them.
fn expected(bytes: &[u8]) -> Vec<(Kept, usize)> {
    let mut reader = create_reader(1 << 20, Cursor::new(bytes)).unwrap();
    let (mut found, mut end) = (Vec::new(), 0);
    let (mut link, mut tick) = (0, 1_000);
    let mut interfaces = Vec::new();
    loop {
        let (offset, block) = match reader.next() {
            Ok(next) => next,
            Err(PcapError::Incomplete(_)) => {
                reader.refill().unwrap();
                if reader.reader_exhausted() && reader.position() + reader.data().len() <= reader.position() {
                    return found;
                }
                continue;
            }
            Err(PcapError::Eof | PcapError::UnexpectedEof) => return found,
            Err(error) => panic!("{error:?}"),
        };
        end += offset;
        let number = found.len() as u64 + 1;
        match block {
            PcapBlockOwned::LegacyHeader(header) => {
                link = u16::try_from(header.network.0).unwrap();
                tick = if header.is_nanosecond_precision() { 1 } else { 1_000 };
            }
            PcapBlockOwned::Legacy(packet) => {
                let nanos = i64::from(packet.ts_sec) * 1_000_000_000 + i64::from(packet.ts_usec) * tick;
                let bytes = &packet.data[..packet.caplen as usize];
                found.push((kept(number, nanos, link, packet.origlen, bytes), end));
            }
            PcapBlockOwned::NG(Block::SectionHeader(_)) => interfaces.clear(),
            PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
                let link = u16::try_from(interface.linktype.0).unwrap();
                interfaces.push((link, interface.ts_resolution().unwrap(), interface.if_tsoffset));
            }
            PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                let (link, resolution, offset) = interfaces[packet.if_id as usize];
                let (seconds, fraction) = packet.decode_ts(offset.cast_unsigned(), resolution);
                let fraction = i64::from(fraction) * (1_000_000_000 / i64::try_from(resolution).unwrap());
                let nanos = i64::from(seconds) * 1_000_000_000 + fraction;
                let bytes = &packet.data[..packet.caplen as usize];
                found.push((kept(number, nanos, link, packet.origlen, bytes), end));
            }
            PcapBlockOwned::NG(_) => {}
        }
        reader.consume(offset);
    }
}

#[test]
fn real_captures_have_the_same_packets() {
    for path in captures() {
        let mut input = Input::open(&[&path]).unwrap();
        let (found, error) = read(&mut input);
        assert!(error.is_none(), "{}: {error:?}", path.display());
        let expected: Vec<Kept> = expected(&load(&path)).into_iter().map(|(kept, _)| kept).collect();
        assert!(!expected.is_empty(), "{}", path.display());
        assert!(found == expected, "{}: {} packets, expected {}", path.display(), found.len(), expected.len());
        let cut = path.ends_with("cutfile.pcap");
        assert_eq!(input.take_warnings().len(), usize::from(cut), "{}", path.display());
        assert_eq!(Some(input.bytes_read()), input.total_bytes());
        let has_secrets = path.ends_with("chromium-wss-dsb.pcapng");
        assert_eq!(input.take_secrets().iter().any(|secrets| secrets.kind == Secrets::TLS_KEY_LOG), has_secrets);
    }
}

#[test]
fn all_real_captures_are_one() {
    let paths = captures();
    let (found, error) = read(&mut Input::open(&paths).unwrap());
    assert!(error.is_none());
    let expected: usize = paths.iter().map(|path| expected(&load(path)).len()).sum();
    assert_eq!(found.len(), expected);
    assert!(found.iter().zip(1..).all(|(kept, number)| kept.number == number));
}

#[test]
fn real_captures_cut_anywhere_are_read_up_to_there() {
    for path in captures() {
        let bytes = load(&path);
        let expected = expected(&bytes);
        // At every byte of small files; less often the longer it takes.
        let step = if bytes.len() < 6_000 { 1 } else { bytes.len() * bytes.len() / 10_000_000 + 1 };
        for len in (4..bytes.len()).step_by(step) {
            let mut input = input(&[bytes[..len].to_vec()]);
            let whole = expected.iter().take_while(|(_, end)| *end <= len).count();
            for (kept, _) in &expected[..whole] {
                let packet = input.next_packet().unwrap().unwrap();
                assert_eq!((packet.seen.packet, packet.bytes), (kept.number, &*kept.bytes));
            }
            assert!(input.next_packet().unwrap().is_none(), "{} cut at {len}", path.display());
            assert!(input.take_warnings().len() <= 1);
        }
    }
}

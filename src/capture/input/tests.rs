use std::io::{self, Cursor};

use super::*;
use crate::capture::Corruption;

mod hostile;
mod oracle;
mod writer;

use writer::{BOTH, MICROS, MODIFIED, NANOS, Order};

/// A copy of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Kept {
    number: u64,
    nanos: i64,
    link: u16,
    original_len: u32,
    bytes: Vec<u8>,
}

/// Reads to the end, or to an error: the packets before it, and the error.
fn read(input: &mut Input) -> (Vec<Kept>, Option<CaptureError>) {
    let mut kept = Vec::new();
    loop {
        match input.next_packet() {
            Ok(Some(Packet { seen, link, bytes, original_len })) => kept.push(Kept {
                number: seen.packet,
                nanos: seen.at.as_nanos(),
                link: link.0,
                original_len,
                bytes: bytes.to_vec(),
            }),
            Ok(None) => return (kept, None),
            Err(error) => return (kept, Some(error)),
        }
    }
}

fn input(files: &[Vec<u8>]) -> Input {
    let mut input = Input::open::<&str>(&[]).unwrap();
    for (index, file) in files.iter().enumerate() {
        input.push_reader(format!("file {index}"), Box::new(Cursor::new(file.clone())));
    }
    input
}

/// All packets of files without errors.
fn packets(files: &[Vec<u8>]) -> Vec<Kept> {
    let mut input = input(files);
    let (kept, error) = read(&mut input);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(input.take_warnings(), []);
    kept
}

fn kept(number: u64, nanos: i64, link: u16, original_len: u32, bytes: &[u8]) -> Kept {
    Kept { number, nanos, link, original_len, bytes: bytes.to_vec() }
}

#[test]
fn an_input_may_move_to_another_thread() {
    fn moves<T: Send>(_: &T) {}
    moves(&input(&[]));
    assert!(input(&[]).next_packet().unwrap().is_none());
}

#[test]
fn classic_files_in_every_form() {
    for order in BOTH {
        for (magic, tick) in [(MICROS, 1_000), (NANOS, 1), (MODIFIED, 1_000)] {
            let file = [
                writer::pcap(order, magic, 113),
                writer::packet(order, magic, (1_700_000_000, 999_999), 1_500, b"cut by the snaplen"),
                writer::packet(order, magic, (u32::MAX, 7), 0, b""),
                writer::packet(order, magic, (5, 0), 2, b"original length too small"),
            ]
            .concat();
            let expected = [
                kept(1, 1_700_000_000_000_000_000 + 999_999 * tick, 113, 1_500, b"cut by the snaplen"),
                kept(2, 4_294_967_295_000_000_000 + 7 * tick, 113, 0, b""),
                kept(3, 5_000_000_000, 113, 25, b"original length too small"),
            ];
            assert_eq!(packets(&[file]), expected, "{order:?} {magic:#x}");
        }
    }
}

#[test]
fn the_upper_half_of_the_link_type_is_about_checksums() {
    let file =
        [writer::pcap(Order::Little, MICROS, 0x5400_0001), writer::packet(Order::Little, MICROS, (1, 1), 3, b"abc")];
    assert_eq!(packets(&[file.concat()]), [kept(1, 1_000_001_000, 1, 3, b"abc")]);
}

#[test]
fn blocks_of_every_kind() {
    for order in BOTH {
        let file = [
            writer::section(order),
            writer::interface(order, 1, 0, 6),
            writer::interface(order, 276, 96, 9),
            writer::block(order, 0x0bad_cafe, &vec![1; 700_000]),
            writer::enhanced(order, 0, 1_700_000_000_123_456, 90, b"first"),
            writer::enhanced(order, 1, 1_700_000_000_123_456_789, 5, b"other"),
            writer::block(order, 5, &[0; 24]),
            writer::simple(order, 6, b"simple"),
            writer::obsolete(order, 1, 1_000, 8, b"obsolete"),
            writer::block(order, 4, &[]),
        ]
        .concat();
        let expected = [
            kept(1, 1_700_000_000_123_456_000, 1, 90, b"first"),
            kept(2, 1_700_000_000_123_456_789, 276, 5, b"other"),
            kept(3, 1_700_000_000_123_456_789, 1, 6, b"simple"),
            kept(4, 1_000, 276, 8, b"obsolete"),
        ];
        assert_eq!(packets(&[file]), expected, "{order:?}");
    }
}

#[test]
fn a_simple_packet_is_as_long_as_the_snaplen_allows() {
    let order = Order::Big;
    let file = [writer::section(order), writer::interface(order, 1, 4, 6), writer::simple(order, 60, b"abcd")].concat();
    assert_eq!(packets(&[file]), [kept(1, 0, 1, 60, b"abcd")]);
}

#[test]
fn sections_have_their_own_byte_order_and_interfaces() {
    let section = |order, link| {
        [
            writer::section(order),
            writer::interface(order, link, 0, 9),
            writer::enhanced(order, 0, u64::from(link), 1, b"x"),
        ]
        .concat()
    };
    let file = [section(Order::Big, 1), section(Order::Little, 113), section(Order::Big, 101)].concat();
    assert_eq!(packets(&[file]), [kept(1, 1, 1, 1, b"x"), kept(2, 113, 113, 1, b"x"), kept(3, 101, 101, 1, b"x")]);
}

#[test]
fn files_of_all_kinds_are_one_capture() {
    let little =
        [writer::pcap(Order::Little, MICROS, 1), writer::packet(Order::Little, MICROS, (3, 0), 1, b"a")].concat();
    let big = [writer::pcap(Order::Big, NANOS, 0), writer::packet(Order::Big, NANOS, (2, 0), 1, b"b")].concat();
    // A Simple Packet Block has the time of the packet before, even if that was in another file.
    let next =
        [writer::section(Order::Big), writer::interface(Order::Big, 228, 0, 6), writer::simple(Order::Big, 1, b"c")]
            .concat();
    let files = [writer::gzip(&little), big, zstd::encode_all(&*next, 1).unwrap(), little];
    let expected = [
        kept(1, 3_000_000_000, 1, 1, b"a"),
        kept(2, 2_000_000_000, 0, 1, b"b"),
        kept(3, 2_000_000_000, 228, 1, b"c"),
        kept(4, 3_000_000_000, 1, 1, b"a"),
    ];
    assert_eq!(packets(&files), expected);

    let mut input = input(&files);
    read(&mut input);
    let opened: Vec<_> = input.files().into_iter().map(|file| (file.format, file.compression, file.packets)).collect();
    assert_eq!(
        opened,
        [
            (Some(Format::Pcap), Some(Compression::Gzip), 1),
            (Some(Format::Pcap), None, 1),
            (Some(Format::Pcapng), Some(Compression::Zstd), 1),
            (Some(Format::Pcap), None, 1),
        ]
    );
    assert_eq!(input.bytes_read(), files.iter().map(|file| file.len() as u64).sum::<u64>());
    assert_eq!((input.packets(), input.total_bytes()), (4, None));
}

#[test]
fn secrets_come_with_the_packet_after_them() {
    let order = Order::Little;
    let file = [
        writer::section(order),
        writer::secrets(order, Secrets::TLS_KEY_LOG, b"CLIENT_RANDOM 00 11\n"),
        writer::interface(order, 1, 0, 6),
        writer::enhanced(order, 0, 1, 1, b"x"),
        writer::secrets(order, 99, b""),
    ]
    .concat();
    let mut input = input(&[file]);
    assert!(input.next_packet().unwrap().is_some());
    assert!(input.has_secrets());
    let expected = Secrets { kind: 0x544c_534b, bytes: b"CLIENT_RANDOM 00 11\n".to_vec() };
    assert_eq!(input.take_secrets(), [expected]);
    assert!(input.next_packet().unwrap().is_none());
    assert_eq!(input.take_secrets(), [Secrets { kind: 99, bytes: Vec::new() }]);
    assert!(!input.has_secrets());
}

#[test]
fn a_file_cut_short_is_read_up_to_there_and_the_next_goes_on() {
    let file = [
        writer::pcap(Order::Little, MICROS, 1),
        writer::packet(Order::Little, MICROS, (1, 0), 4, b"good"),
        writer::packet(Order::Little, MICROS, (2, 0), 4, b"lost"),
    ]
    .concat();
    let whole = file.len();
    for left in 1..20 {
        let mut input = input(&[file[..whole - 20 + left].to_vec(), file.clone()]);
        let (kept, error) = read(&mut input);
        assert!(error.is_none());
        assert_eq!(kept.iter().map(|kept| kept.bytes.as_slice()).collect::<Vec<_>>(), [b"good", b"good", b"lost"]);
        assert_eq!(kept.last().unwrap().number, 3);
        let place = Place { name: "file 0".to_owned(), offset: 44, compression: None };
        assert_eq!(input.take_warnings(), [Warning::CutShort { place, left: left as u64, packet: 1 }]);
        assert_eq!(input.take_warnings(), []);
    }
}

#[test]
fn a_header_cut_short_is_a_capture_without_packets() {
    let pcap = writer::pcap(Order::Big, NANOS, 1);
    let pcapng = writer::section(Order::Big);
    for cut in (4..24).map(|len| &pcap[..len]).chain((4..28).map(|len| &pcapng[..len])) {
        let mut input = input(&[cut.to_vec()]);
        assert!(input.next_packet().unwrap().is_none());
        assert!(matches!(&input.take_warnings()[..], [Warning::CutShort { packet: 0, .. }]));
        assert!(input.files()[0].format.is_some());
    }
}

#[test]
fn a_file_that_is_no_capture_is_an_error() {
    for (bytes, shown) in [(&b"x"[..], &b"x"[..]), (b"abc", b"abc"), (b"some other file", b"some oth")] {
        for compressed in [false, true] {
            let file = if compressed { writer::gzip(bytes) } else { bytes.to_vec() };
            let (kept, error) = read(&mut input(&[file]));
            assert!(kept.is_empty());
            let Some(CaptureError::NotACapture { place, found }) = error else { panic!("{error:?}") };
            assert_eq!((place.offset, place.compression.is_some(), &found[..]), (0, compressed, shown));
        }
    }
}

#[test]
fn an_empty_file_is_an_error_alone_and_a_warning_among_others() {
    let good = [writer::pcap(Order::Big, MICROS, 1), writer::packet(Order::Big, MICROS, (1, 1), 1, b"x")].concat();
    for empty in [Vec::new(), writer::gzip(b"")] {
        let first = input(std::slice::from_ref(&empty)).next_packet().map(|_| ());
        assert!(matches!(first, Err(CaptureError::Empty { name }) if name == "file 0"));
        assert!(matches!(read(&mut input(&[empty.clone(), empty.clone()])).1, Some(CaptureError::Empty { .. })));
        for files in [[empty.clone(), good.clone()], [good.clone(), empty]] {
            let mut input = input(&files);
            assert_eq!(read(&mut input).0.len(), 1);
            assert!(matches!(&input.take_warnings()[..], [Warning::Empty { .. }]));
        }
    }
}

#[test]
fn an_error_ends_one_file_and_no_other() {
    let order = Order::Little;
    let good = [writer::pcap(order, MICROS, 1), writer::packet(order, MICROS, (1, 1), 1, b"x")].concat();
    let corrupt = [good.clone(), order.words(&[0, 0, 0x7fff_ffff, 0])].concat();
    let mut input = input(&[corrupt, b"nothing".to_vec(), good]);
    let (kept, error) = read(&mut input);
    assert_eq!(kept.len(), 1);
    let Some(CaptureError::Corrupt { place, packet: 1, what }) = error else { panic!("{error:?}") };
    assert_eq!((place.name.as_str(), place.offset), ("file 0", 41));
    assert_eq!(what, Corruption::PacketTooLong { captured: 0x7fff_ffff, most: 16 << 20 });
    assert!(matches!(read(&mut input), (none, Some(CaptureError::NotACapture { .. })) if none.is_empty()));
    let (kept, error) = read(&mut input);
    assert_eq!((kept[0].number, kept.len(), error.is_none()), (2, 1, true));
}

#[test]
fn files_are_checked_before_any_work() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcap");
    std::fs::write(&path, writer::pcap(Order::Big, MICROS, 1)).unwrap();
    let missing = folder.path().join("b.pcap");
    for (bad, kind) in [(missing.as_path(), io::ErrorKind::NotFound), (folder.path(), io::ErrorKind::IsADirectory)] {
        let error = Input::open(&[path.as_path(), bad]).err().unwrap();
        assert!(error.to_string().starts_with(&*bad.display().to_string()), "{error}");
        let CaptureError::Open { source, .. } = error else { panic!("{error:?}") };
        assert_eq!(source.kind(), kind);
    }
    let mut input = Input::open(&[&path, &path]).unwrap();
    assert_eq!((input.total_bytes(), input.bytes_read()), (Some(48), 0));
    assert!(input.next_packet().unwrap().is_none());
    assert_eq!(input.bytes_read(), 48);
}

#[test]
fn a_failed_read_has_its_place() {
    struct Fails(Cursor<Vec<u8>>);
    impl Read for Fails {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            match self.0.read(out)? {
                0 => Err(io::ErrorKind::ConnectionReset.into()),
                read => Ok(read),
            }
        }
    }
    let file = [writer::pcap(Order::Big, MICROS, 1), writer::packet(Order::Big, MICROS, (1, 1), 1, b"x")].concat();
    let mut input = Input::from_reader("socket", Box::new(Fails(Cursor::new(file))));
    let (kept, error) = read(&mut input);
    assert_eq!(kept.len(), 1);
    let Some(CaptureError::Read { place, packet: 1, source }) = error else { panic!("{error:?}") };
    assert_eq!((place.offset, source.kind()), (41, io::ErrorKind::ConnectionReset));
}

#[test]
fn compressed_captures_may_be_cut_or_followed_by_zeros() {
    let file = [writer::pcap(Order::Big, MICROS, 1), writer::packet(Order::Big, MICROS, (1, 1), 1, b"x")].concat();
    let mut padded = writer::gzip(&file);
    let whole = padded.len();
    padded.extend([0; 512]);
    let mut trailing = input(&[padded.clone()]);
    assert_eq!(read(&mut trailing).0.len(), 1);
    assert!(matches!(&trailing.take_warnings()[..], [Warning::TrailingBytes { place }] if place.offset == 41));

    padded.truncate(whole - 3);
    let mut cut = input(&[padded]);
    let (kept, error) = read(&mut cut);
    assert_eq!((kept.len(), error.is_none()), (1, true));
    assert!(matches!(&cut.take_warnings()[..], [Warning::CutShort { left: 0, packet: 1, .. }]));
}

//! Files with wrong lengths, versions and numbers.

use super::*;

fn corruption(blocks: &[Vec<u8>]) -> Corruption {
    match read(&mut input(&[blocks.concat()])) {
        (_, Some(CaptureError::Corrupt { what, .. })) => what,
        other => panic!("{other:?}"),
    }
}

#[test]
fn impossible_lengths() {
    let order = Order::Little;
    let start = || [writer::section(order), writer::interface(order, 1, 0, 6)].concat();
    let mut damaged = writer::enhanced(order, 0, 1, 1, b"x");
    let at = damaged.len() - 4;
    damaged[at] += 4;
    let first = writer::len(&damaged);
    assert_eq!(corruption(&[start(), damaged]), Corruption::BlockLensDiffer { first, second: first + 4 });

    let mut skipped = writer::block(order, 77, b"unknown");
    let at = skipped.len() - 4;
    skipped[at] = 99;
    assert_eq!(corruption(&[start(), skipped]), Corruption::BlockLensDiffer { first: 20, second: 99 });

    for len in 0..12 {
        let found = corruption(&[start(), order.words(&[6, len, 0])]);
        assert_eq!(found, Corruption::BlockLen { kind: 6, len });
    }
    for (kind, len) in [(6, 28), (2, 28), (3, 12), (1, 16), (10, 16), (1, u32::MAX), (6, u32::MAX)] {
        let found = corruption(&[start(), order.words(&[kind, len]), vec![0; 60]]);
        assert_eq!(found, Corruption::BlockLen { kind, len });
    }
    assert_eq!(
        corruption(&[start(), order.words(&[6, 36, 0, 0, 0, 5, 5, 0, 36])]),
        Corruption::PacketBeyondBlock { captured: 5, room: 4 }
    );
    assert_eq!(
        corruption(&[start(), order.words(&[6, 36, 0, 0, 0, 1 << 30, 5, 0, 36])]),
        Corruption::PacketTooLong { captured: 1 << 30, most: 16 << 20 }
    );
}

#[test]
fn impossible_sections() {
    let order = Order::Big;
    let mut later = writer::section(order);
    later[13] = 2;
    assert_eq!(corruption(&[later]), Corruption::Version { major: 2 });
    let mut neither = writer::section(order);
    neither[8] = 0;
    assert_eq!(corruption(&[neither]), Corruption::ByteOrder { found: 0x4d3c_2b00 });
    let packet = writer::enhanced(order, 3, 1, 1, b"x");
    let interface = writer::interface(order, 1, 0, 6);
    assert_eq!(
        corruption(&[writer::section(order), interface.clone(), packet.clone()]),
        Corruption::NoInterface { interface: 3, known: 1 }
    );
    // A new section forgets the interfaces of the last.
    let twice = [writer::section(order), interface.repeat(4), packet.clone(), writer::section(order), packet];
    assert_eq!(corruption(&twice), Corruption::NoInterface { interface: 3, known: 0 });
    let too_many = [writer::section(order), interface.repeat((1 << 16) + 1)];
    assert_eq!(corruption(&too_many), Corruption::TooManyInterfaces { most: 1 << 16 });
}

#[test]
fn packets_of_usb_may_be_longer() {
    for (link, most) in [(1, 16 << 20), (220, 128 << 20)] {
        let file = [writer::pcap(Order::Little, MICROS, link), Order::Little.words(&[0, 0, (128 << 20) + 1, 0])];
        assert_eq!(corruption(&file), Corruption::PacketTooLong { captured: (128 << 20) + 1, most });
    }
}

#[test]
fn a_long_packet_that_does_not_exist_takes_no_memory() {
    for order in BOTH {
        let classic = [writer::pcap(order, MICROS, 220), order.words(&[0, 0, 100 << 20, 0]), vec![0; 900]].concat();
        let next = [
            writer::section(order),
            writer::interface(order, 220, 0, 6),
            order.words(&[6, (100 << 20) + 32, 0, 0, 0, 100 << 20, 0]),
        ]
        .concat();
        for file in [classic, next] {
            let mut input = input(&[file]);
            assert!(input.next_packet().unwrap().is_none());
            assert!(matches!(&input.take_warnings()[..], [Warning::CutShort { packet: 0, .. }]));
        }
    }
}

#[test]
fn long_packets_are_complete() {
    let order = Order::Little;
    let long: Vec<u8> = (0..3_000_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let record = |bytes: &[u8]| writer::packet(order, MICROS, (1, 0), writer::len(bytes), bytes);
    let classic =
        [writer::pcap(order, MICROS, 1), record(b"a"), record(&long), record(b"b"), record(&long[..70_000])].concat();
    for file in [classic.clone(), writer::gzip(&classic)] {
        let kept = packets(&[file]);
        let lens: Vec<usize> = kept.iter().map(|kept| kept.bytes.len()).collect();
        assert_eq!(lens, [1, 3_000_000, 1, 70_000]);
        assert!(kept[1].bytes == long && kept[3].bytes == long[..70_000]);
    }
}

#[test]
fn secrets_are_held_up_to_a_limit() {
    let order = Order::Little;
    let chunk = writer::secrets(order, 1, &vec![b'k'; 30 << 20]);
    let too_long = writer::block(order, 10, &vec![0; 33 << 20]);
    let file = [writer::section(order), chunk.repeat(3), too_long].concat();
    let mut input = input(&[file]);
    assert!(input.next_packet().unwrap().is_none());
    assert_eq!(input.take_warnings(), [Warning::SecretsDropped { name: "file 0".to_owned() }]);
    assert!(input.held() <= 64 << 20);
    assert_eq!(input.take_secrets().len(), 2);
    assert_eq!(input.held(), 0);
}

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % most.max(1)
    }
}

#[test]
fn mutated_files_are_read_to_an_end() {
    let order = Order::Big;
    let classic = (0..40).map(|n| writer::packet(order, MICROS, (n, n), 9, b"something"));
    let next = (0..40).map(|n| writer::enhanced(order, 0, n, 9, b"something"));
    let classic = writer::pcap(order, MICROS, 1).into_iter().chain(classic.flatten()).collect::<Vec<_>>();
    let start = [writer::section(order), writer::interface(order, 1, 0, 6)].concat();
    let next = start.into_iter().chain(next.flatten()).collect::<Vec<_>>();
    let files = [writer::gzip(&classic), zstd::encode_all(&*next, 1).unwrap(), classic, next];
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for file in &files {
        for _ in 0..1_000 {
            let mut file = file.clone();
            for _ in 0..=dice.below(4) {
                let at = dice.below(file.len());
                file[at] = u8::try_from(dice.below(256)).unwrap();
            }
            let mut input = input(&[file]);
            let (kept, _) = read(&mut input);
            assert!(kept.len() < 2_000 && input.held() <= 1 << 20, "{} packets, {} bytes", kept.len(), input.held());
        }
    }
}

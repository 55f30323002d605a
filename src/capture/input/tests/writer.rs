//! Writes captures in all forms that are read.

/// Numbers in the byte order of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Order {
    Little,
    Big,
}

pub(super) const BOTH: [Order; 2] = [Order::Little, Order::Big];

impl Order {
    pub(super) fn u16(self, value: u16) -> [u8; 2] {
        if self == Self::Little { value.to_le_bytes() } else { value.to_be_bytes() }
    }

    pub(super) fn words(self, values: &[u32]) -> Vec<u8> {
        let word = |value: &u32| if self == Self::Little { value.to_le_bytes() } else { value.to_be_bytes() };
        values.iter().flat_map(word).collect()
    }
}

pub(super) fn len(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap()
}

pub(super) const MICROS: u32 = 0xa1b2_c3d4;
pub(super) const NANOS: u32 = 0xa1b2_3c4d;
pub(super) const MODIFIED: u32 = 0xa1b2_cd34;

/// A classic file's header.
pub(super) fn pcap(order: Order, magic: u32, link: u32) -> Vec<u8> {
    let version = [order.u16(2), order.u16(4)].concat();
    [order.words(&[magic]), version, order.words(&[0, 0, 65_535, link])].concat()
}

/// A classic file's packet.
pub(super) fn packet(
    order: Order,
    magic: u32,
    (seconds, fraction): (u32, u32),
    original: u32,
    bytes: &[u8],
) -> Vec<u8> {
    let mut out = order.words(&[seconds, fraction, len(bytes), original]);
    if magic == MODIFIED {
        out.extend(order.words(&[3, 0x0800_0000]));
    }
    out.extend(bytes);
    out
}

/// A block of pcapng.
pub(super) fn block(order: Order, kind: u32, body: &[u8]) -> Vec<u8> {
    let mut padded = body.to_vec();
    padded.resize(body.len().next_multiple_of(4), 0);
    let total = len(&padded) + 12;
    [order.words(&[kind, total]), padded, order.words(&[total])].concat()
}

/// A section header.
pub(super) fn section(order: Order) -> Vec<u8> {
    let version = [order.u16(1), order.u16(0)].concat();
    block(order, 0x0a0d_0d0a, &[order.words(&[0x1a2b_3c4d]), version, vec![0xff; 8]].concat())
}

/// An interface, with the exponent of its clock.
pub(super) fn interface(order: Order, link: u16, snaplen: u32, resolution: u8) -> Vec<u8> {
    let head = [order.u16(link).to_vec(), vec![0, 0], order.words(&[snaplen])].concat();
    let name = [order.u16(2).to_vec(), order.u16(3).to_vec(), b"eth\0".to_vec()].concat();
    let clock = [order.u16(9).to_vec(), order.u16(1).to_vec(), vec![resolution, 0, 0, 0]].concat();
    block(order, 1, &[head, name, clock, vec![0; 4]].concat())
}

/// A packet with a comment after it.
pub(super) fn enhanced(order: Order, interface: u32, ticks: u64, original: u32, bytes: &[u8]) -> Vec<u8> {
    let [high, low] = [ticks >> 32, ticks & 0xffff_ffff].map(|half| u32::try_from(half).unwrap());
    let mut body = order.words(&[interface, high, low, len(bytes), original]);
    body.extend(bytes);
    body.resize(body.len().next_multiple_of(4), 0);
    body.extend([order.u16(1), order.u16(2)].concat());
    body.extend(b"hi\0\0\0\0\0\0");
    block(order, 6, &body)
}

/// A packet without time or captured length.
pub(super) fn simple(order: Order, original: u32, bytes: &[u8]) -> Vec<u8> {
    block(order, 3, &[order.words(&[original]), bytes.to_vec()].concat())
}

/// A packet as older tools wrote it.
pub(super) fn obsolete(order: Order, interface: u16, ticks: u32, original: u32, bytes: &[u8]) -> Vec<u8> {
    let numbers = [order.u16(interface), order.u16(9)].concat();
    block(order, 2, &[numbers, order.words(&[0, ticks, len(bytes), original]), bytes.to_vec()].concat())
}

/// Secrets.
pub(super) fn secrets(order: Order, kind: u32, bytes: &[u8]) -> Vec<u8> {
    block(order, 10, &[order.words(&[kind, len(bytes)]), bytes.to_vec()].concat())
}

/// Compressed by gzip.
pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

//! The TCP header (RFC 9293 §3.1).
//!
//! In: an IP packet of protocol 6. Out: the [`Segment`]. Options are skipped, not read, so the snaplen may cut them. The
//! checksum is not checked.

use super::captured::Undecoded;
use super::ip::IpPacket;
use super::segment::{Segment, SeqNumber, TcpFlags};
use crate::types::{Endpoint, PacketRef, Reader};

/// Bytes of a header without options.
const MIN_LEN: usize = 20;

/// The segment in a complete IP packet.
///
/// # Errors
/// The first 20 bytes were not captured, or the header's length is shorter than that or longer than the IP packet.
// Inlined, its result is not copied.
#[inline(always)]
pub fn segment<'a>(packet: &IpPacket<'a>, seen: PacketRef) -> Result<Segment<'a>, Undecoded> {
    let (header, rest) = packet.payload.header::<MIN_LEN>()?;
    let fields = Fields::read(header).ok_or(Undecoded::Malformed)?;
    let header_len = usize::from(fields.data_offset >> 4) * 4;
    let (Some(options), Some(len)) = (header_len.checked_sub(MIN_LEN), packet.payload.len().checked_sub(header_len))
    else {
        return Err(Undecoded::Malformed);
    };
    let payload = rest.bytes().get(options..).unwrap_or_default();
    Ok(Segment {
        src: Endpoint { ip: packet.src, port: fields.src_port },
        dst: Endpoint { ip: packet.dst, port: fields.dst_port },
        seq: SeqNumber(fields.seq),
        ack: SeqNumber(fields.ack),
        flags: flags(fields.flags),
        window: fields.window,
        seen,
        payload,
        cut: u32::try_from(len.saturating_sub(payload.len())).unwrap_or(u32::MAX),
    })
}

/// The header's fields, in their order, up to checksum and urgent pointer.
struct Fields {
    src_port: u16,
    dst_port: u16,
    seq: u32,
    ack: u32,
    data_offset: u8,
    flags: u8,
    window: u16,
}

impl Fields {
    #[inline]
    fn read(header: &[u8; MIN_LEN]) -> Option<Self> {
        let mut reader = Reader::new(header);
        Some(Self {
            src_port: reader.u16_be()?,
            dst_port: reader.u16_be()?,
            seq: reader.u32_be()?,
            ack: reader.u32_be()?,
            data_offset: reader.u8()?,
            flags: reader.u8()?,
            window: reader.u16_be()?,
        })
    }
}

#[inline]
const fn flags(bits: u8) -> TcpFlags {
    TcpFlags { fin: bits & 0x01 != 0, syn: bits & 0x02 != 0, rst: bits & 0x04 != 0, ack: bits & 0x10 != 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::build;
    use crate::net::captured::Captured;

    fn packet(bytes: &[u8], len: usize) -> IpPacket<'_> {
        let (src, dst) = (build::client(false).ip, build::server(false).ip);
        IpPacket { src, dst, protocol: 6, payload: Captured::new(bytes, len), fragment: None }
    }

    #[test]
    fn every_field() {
        let bytes = [
            0xC0, 0x01, 0x1F, 0x98, 1, 2, 3, 4, 5, 6, 7, 8, 0x60, 0x12, 0xFA, 0xF0, 0, 0, 0, 0, 2, 4, 5, 0xB4, b'x',
            b'y',
        ];
        let segment = segment(&packet(&bytes, bytes.len()), PacketRef::default()).unwrap();
        assert_eq!((segment.src.port, segment.dst.port), (0xC001, 8088));
        assert_eq!((segment.seq.0, segment.ack.0, segment.window), (0x0102_0304, 0x0506_0708, 64240));
        assert_eq!(segment.flags, TcpFlags { syn: true, ack: true, fin: false, rst: false });
        assert_eq!((segment.payload, segment.cut), (&b"xy"[..], 0));
    }

    #[test]
    fn each_flag_has_its_bit() {
        let with = |bits| {
            let mut bytes = build::tcp_segment(false, b"");
            bytes[13] = bits;
            segment(&packet(&bytes, bytes.len()), PacketRef::default()).unwrap().flags
        };
        assert_eq!(with(0xFF), TcpFlags { syn: true, ack: true, fin: true, rst: true });
        assert_eq!(with(0xE8), TcpFlags::default());
        assert_eq!(with(0x01), TcpFlags { fin: true, ..TcpFlags::default() });
        assert_eq!(with(0x02), TcpFlags { syn: true, ..TcpFlags::default() });
        assert_eq!(with(0x04), TcpFlags { rst: true, ..TcpFlags::default() });
        assert_eq!(with(0x10), TcpFlags { ack: true, ..TcpFlags::default() });
    }

    #[test]
    fn cut_options_do_no_harm() {
        let bytes = build::tcp_segment(true, b"payload");
        for captured in 0..=bytes.len() {
            let read = segment(&packet(&bytes[..captured], bytes.len()), PacketRef::default());
            if captured < 20 {
                assert_eq!(read.unwrap_err(), Undecoded::HeaderCut);
            } else {
                let read = read.unwrap();
                assert_eq!(read.payload, &b"payload"[..captured.saturating_sub(32)]);
                assert_eq!(read.payload.len() + read.cut as usize, 7, "at {captured}");
            }
        }
    }

    #[test]
    fn impossible_lengths() {
        let mut bytes = build::tcp_segment(false, b"payload");
        for data_offset in [0x40, 0x00, 0x70] {
            bytes[12] = data_offset;
            assert_eq!(segment(&packet(&bytes, bytes.len()), PacketRef::default()).unwrap_err(), Undecoded::Malformed);
        }
        assert_eq!(segment(&packet(&bytes[..19], 19), PacketRef::default()).unwrap_err(), Undecoded::Malformed);
    }
}

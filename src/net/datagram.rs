//! A UDP datagram, and its header (RFC 768).
//!
//! In: an IP packet of protocol 17. Out: the [`Datagram`]. The checksum is not checked.
//!
//! ```text
//! source port 2 | destination port 2 | length 2, with these 8 bytes | checksum 2 | payload
//! ```

use super::captured::Undecoded;
use super::ip::IpPacket;
use crate::types::{Endpoint, PacketRef, Reader};

/// Bytes of the header.
const HEADER_LEN: usize = 8;

/// One UDP datagram, borrowed from its packet or, where IP fragments were put together, from the decoder.
#[derive(Debug, Clone, Copy)]
pub struct Datagram<'a> {
    /// Its sender.
    pub src: Endpoint,
    /// Its receiver.
    pub dst: Endpoint,
    /// The packet that carried it (the last one, of a fragmented datagram).
    pub seen: PacketRef,
    /// The payload that was captured.
    pub payload: &'a [u8],
    /// Bytes of payload on the wire: more than were captured where a snaplen cut the packet, never fewer.
    pub payload_len: usize,
}

/// The datagram in an IP packet.
///
/// # Errors
/// The header was not captured, or its length is shorter than the header or longer than the IP packet.
#[inline]
pub fn parse<'a>(packet: &IpPacket<'a>, seen: PacketRef) -> Result<Datagram<'a>, Undecoded> {
    let (header, rest) = packet.payload.header::<HEADER_LEN>()?;
    let (src_port, dst_port, len) = fields(header).ok_or(Undecoded::Malformed)?;
    let payload = match usize::from(len).checked_sub(HEADER_LEN) {
        Some(len) if len <= rest.len() => rest.with_len(len),
        // Longer than 65,535 bytes (RFC 2675 §4), or not filled in yet where the interface segments for the host.
        None if len == 0 => rest,
        _ => return Err(Undecoded::Malformed),
    };
    Ok(Datagram {
        src: Endpoint { ip: packet.src, port: src_port },
        dst: Endpoint { ip: packet.dst, port: dst_port },
        seen,
        payload: payload.bytes(),
        payload_len: payload.len(),
    })
}

/// Ports and length.
#[inline]
fn fields(header: &[u8; HEADER_LEN]) -> Option<(u16, u16, u16)> {
    let mut reader = Reader::new(header);
    Some((reader.u16_be()?, reader.u16_be()?, reader.u16_be()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::build;
    use crate::net::captured::Captured;

    fn packet(bytes: &[u8], len: usize) -> IpPacket<'_> {
        let (src, dst) = (build::client(true).ip, build::server(true).ip);
        IpPacket { src, dst, protocol: 17, payload: Captured::new(bytes, len), fragment: None }
    }

    #[test]
    fn every_field() {
        let bytes = build::udp(4434, b"payload");
        let datagram = parse(&packet(&bytes, bytes.len()), PacketRef::default()).unwrap();
        assert_eq!((datagram.src.ip, datagram.src.port), (build::client(true).ip, 50_000));
        assert_eq!((datagram.dst.ip, datagram.dst.port), (build::server(true).ip, 4434));
        assert_eq!((datagram.payload, datagram.payload_len), (&b"payload"[..], 7));
    }

    #[test]
    fn cut_at_every_length() {
        let bytes = build::udp(53, b"payload");
        for captured in 0..bytes.len() {
            let read = parse(&packet(&bytes[..captured], bytes.len()), PacketRef::default());
            if captured < 8 {
                assert_eq!(read.unwrap_err(), Undecoded::HeaderCut);
            } else {
                let read = read.unwrap();
                assert_eq!((read.payload, read.payload_len), (&b"payload"[..captured - 8], 7), "at {captured}");
            }
        }
    }

    #[test]
    fn the_length_field_leaves_out_what_follows() {
        let mut bytes = build::udp(53, b"payload");
        for (len, expected) in [(8, Ok(0)), (12, Ok(4)), (15, Ok(7)), (0, Ok(7)), (7, Err(())), (16, Err(()))] {
            bytes[5] = len;
            let read = parse(&packet(&bytes, bytes.len()), PacketRef::default());
            assert_eq!(read.map(|read| read.payload_len).map_err(|_| ()), expected, "length {len}");
        }
        assert_eq!(parse(&packet(&bytes[..7], 7), PacketRef::default()).unwrap_err(), Undecoded::Malformed);
    }
}

//! Packets: Ethernet, IPv4 and TCP headers around bytes, into a pcap file.

use std::io::{self, Write};

use super::Random;

/// What fits in one segment.
const SEGMENT: usize = 1448;

/// One end of a TCP connection as the packets show it.
#[derive(Clone, Copy)]
pub(crate) struct End {
    pub(crate) ip: [u8; 4],
    pub(crate) port: u16,
    pub(crate) seq: u32,
}

/// Both ends: the client's, the server's.
#[derive(Clone, Copy)]
pub(crate) struct Pair(pub(crate) [End; 2]);

/// TCP flags (RFC 9293 §3.1).
const FIN: u8 = 1;
const SYN: u8 = 2;
const PSH: u8 = 8;
const ACK: u8 = 16;

/// A capture file that is being written.
pub(crate) struct Wire<W> {
    to: W,
    micros: u64,
    packets: u64,
    bytes: u64,
    packet: Vec<u8>,
    noise: Vec<u8>,
    others: Vec<Pair>,
    next_other: u32,
}

impl<W: Write> Wire<W> {
    pub(crate) fn new(mut to: W) -> io::Result<Self> {
        let mut header = Vec::new();
        for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 262_144, 1] {
            header.extend_from_slice(&word.to_le_bytes());
        }
        to.write_all(&header)?;
        let mut random = Random(99);
        let noise = (0..1 << 15).flat_map(|_| random.bits().to_le_bytes()).collect();
        let micros = 1_700_000_000_000_000;
        Ok(Self { to, micros, packets: 0, bytes: 24, packet: Vec::new(), noise, others: Vec::new(), next_other: 0 })
    }

    pub(crate) const fn packets(&self) -> u64 {
        self.packets
    }

    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.to.flush()
    }

    /// The three packets that open a connection.
    pub(crate) fn open(&mut self, pair: &mut Pair) -> io::Result<()> {
        self.segment(pair, 0, SYN, &[])?;
        self.segment(pair, 1, SYN | ACK, &[])?;
        self.segment(pair, 0, ACK, &[])
    }

    /// Sends bytes from one end, in as many segments as it takes; the other end acknowledges every second.
    pub(crate) fn send(&mut self, pair: &mut Pair, from: usize, bytes: &[u8]) -> io::Result<()> {
        for (place, piece) in bytes.chunks(SEGMENT).enumerate() {
            self.segment(pair, from, ACK | PSH, piece)?;
            if place % 2 == 1 {
                self.segment(pair, 1 - from, ACK, &[])?;
            }
        }
        Ok(())
    }

    /// Both ends close, `first` first.
    pub(crate) fn close(&mut self, pair: &mut Pair, first: usize) -> io::Result<()> {
        self.segment(pair, first, FIN | ACK, &[])?;
        self.segment(pair, 1 - first, FIN | ACK, &[])?;
        self.segment(pair, first, ACK, &[])
    }

    /// A little of another protocol: opaque TCP or UDP, or a download by HTTP. Gives how many bytes of the file it is.
    pub(crate) fn other(&mut self, random: &mut Random) -> io::Result<u64> {
        let before = self.bytes;
        self.send_other(random)?;
        Ok(self.bytes - before)
    }

    fn send_other(&mut self, random: &mut Random) -> io::Result<()> {
        if random.chance(0.3) {
            let len = random.between(30, 1200);
            return self.datagram(random, len);
        }
        if self.others.len() < 20 {
            self.next_other += 1;
            let [_, b, c, d] = self.next_other.to_be_bytes();
            let port = [80, 443, 443, 5432, 22].get(random.between(0, 5)).copied().unwrap_or(80);
            let ends = [([10, 64 | b & 63, c, d], 40_000), ([172, 16, 9, 53], port)];
            let mut pair = Pair(ends.map(|(ip, port)| End { ip, port, seq: 1 }));
            self.open(&mut pair)?;
            self.others.push(pair);
        }
        let at = random.between(0, self.others.len());
        let Some(mut pair) = self.others.get(at).copied() else { return Ok(()) };
        let start = random.between(0, self.noise.len() / 2);
        let len = random.between(200, 40_000);
        let mut bytes = Vec::with_capacity(len + 100);
        if pair.0[1].port == 80 {
            self.send(&mut pair, 0, b"GET /image HTTP/1.1\r\nHost: static.example.test\r\n\r\n")?;
            write!(bytes, "HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n")?;
        } else {
            bytes.extend_from_slice(&[0x17, 3, 3]);
            bytes.extend_from_slice(&u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes());
        }
        bytes.extend_from_slice(self.noise.get(start..start + len).unwrap_or_default());
        self.send(&mut pair, 1, &bytes)?;
        if random.chance(0.05) {
            self.close(&mut pair, 0)?;
            self.others.swap_remove(at);
        } else if let Some(entry) = self.others.get_mut(at) {
            *entry = pair;
        }
        Ok(())
    }

    fn datagram(&mut self, random: &mut Random, len: usize) -> io::Result<()> {
        let noise = random.between(0, self.noise.len() / 2);
        let [.., low] = self.packets.to_be_bytes();
        self.ip([10, 1, 2, low], [172, 16, 9, 53], 17, 8 + len);
        let words = [5004, 6000, u16::try_from(8 + len).unwrap_or(u16::MAX), 0];
        words.iter().for_each(|word| self.packet.extend_from_slice(&word.to_be_bytes()));
        self.packet.extend_from_slice(self.noise.get(noise..noise + len).unwrap_or_default());
        self.emit()
    }

    fn segment(&mut self, pair: &mut Pair, from: usize, flags: u8, payload: &[u8]) -> io::Result<()> {
        let [client, server] = pair.0;
        let (source, target) = if from == 0 { (client, server) } else { (server, client) };
        self.ip(source.ip, target.ip, 6, 20 + payload.len());
        let ack = if flags & ACK == 0 { 0 } else { target.seq };
        self.packet.extend_from_slice(&source.port.to_be_bytes());
        self.packet.extend_from_slice(&target.port.to_be_bytes());
        self.packet.extend_from_slice(&source.seq.to_be_bytes());
        self.packet.extend_from_slice(&ack.to_be_bytes());
        self.packet.extend_from_slice(&[0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        self.packet.extend_from_slice(payload);
        let len = u32::try_from(payload.len()).unwrap_or(0) + u32::from(flags & (SYN | FIN) != 0);
        if let Some(end) = pair.0.get_mut(from) {
            end.seq = end.seq.wrapping_add(len);
        }
        self.emit()
    }

    fn ip(&mut self, source: [u8; 4], target: [u8; 4], protocol: u8, len: usize) {
        self.packet.clear();
        self.packet.extend_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0]);
        let start = self.packet.len();
        let [high, low] = u16::try_from(20 + len).unwrap_or(u16::MAX).to_be_bytes();
        self.packet.extend_from_slice(&[0x45, 0, high, low, 0, 0, 0x40, 0, 64, protocol, 0, 0]);
        self.packet.extend_from_slice(&source);
        self.packet.extend_from_slice(&target);
        let header = self.packet.get(start..).unwrap_or_default();
        let sum: u32 =
            header.chunks_exact(2).map(|pair| pair.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte))).sum();
        let folded = (sum & 0xffff) + (sum >> 16);
        let check = !u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap_or(0);
        for (to, from) in self.packet.iter_mut().skip(start + 10).zip(check.to_be_bytes()) {
            *to = from;
        }
    }

    fn emit(&mut self) -> io::Result<()> {
        self.micros += 7;
        let len = u32::try_from(self.packet.len()).unwrap_or(0);
        let (secs, micros) = (self.micros / 1_000_000, self.micros % 1_000_000);
        let mut record = [0; 16];
        let words = [u32::try_from(secs).unwrap_or(0), u32::try_from(micros).unwrap_or(0), len, len];
        record.iter_mut().zip(words.iter().flat_map(|word| word.to_le_bytes())).for_each(|(to, from)| *to = from);
        self.to.write_all(&record)?;
        self.to.write_all(&self.packet)?;
        self.packets += 1;
        self.bytes += 16 + u64::from(len);
        Ok(())
    }
}

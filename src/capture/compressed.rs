//! gzip (RFC 1952) and zstd (RFC 8878) around a capture, recognized by their first bytes.
//!
//! In: compressed bytes. Out: the bytes inside. Several gzip members or several zstd frames in a row are one stream, as for
//! the tools of both. The bytes inside are not examined: of a capture compressed twice, one compression remains.

use core::fmt;
use std::io::{self, BufRead, BufReader, Read};

use flate2::{Decompress, FlushDecompress, Status};

/// How an input is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

/// Bytes that the decompressors read at once.
const INPUT_BYTES: usize = 128 << 10;

impl Compression {
    /// Detects it by the first four bytes: `1f 8b` is gzip (RFC 1952 §2.3.1), `28 b5 2f fd` a zstd frame (RFC 8878 §3.1.1), `5? 2a
    /// 4d 18` a skippable one (RFC 8878 §3.1.2), which parallel compressors put first.
    #[must_use]
    pub const fn detect(first: &[u8]) -> Option<Self> {
        match first {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            _ => None,
        }
    }

    /// A reader of the data inside `reader`.
    ///
    /// # Errors
    /// When the decompressor cannot be created, for lack of memory.
    pub(super) fn decompress(self, reader: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
        let reader = BufReader::with_capacity(INPUT_BYTES, reader);
        Ok(match self {
            Self::Gzip => Box::new(Gunzip::new(reader)),
            // It rejects frames with a window over 128 MiB by default, which bounds its memory.
            Self::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(reader)?),
        })
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        })
    }
}

/// The compressed data are complete, and other bytes follow them.
#[derive(Debug, thiserror::Error)]
#[error("bytes after the compressed data")]
pub(super) struct TrailingBytes;

/// Decompresses one member after the other (RFC 1952 §2.2), until the input ends or has other bytes: zeros from a tape, a
/// signature.
///
/// All data decompressed before an error are given before the error. flate2's own reader loses those of the call of zlib
/// that failed.
struct Gunzip<R> {
    reader: R,
    /// `None` after the last one.
    member: Option<Decompress>,
    failed: bool,
}

impl<R: BufRead> Gunzip<R> {
    fn new(reader: R) -> Self {
        Self { reader, member: Some(member()), failed: false }
    }

    fn next_member(&mut self) -> io::Result<()> {
        self.member = None;
        // Only the first byte of the magic number is certain to be in the buffer; a damaged header after it is an error.
        match self.reader.fill_buf()?.first() {
            Some(0x1f) => self.member = Some(member()),
            Some(_) => return Err(io::Error::other(TrailingBytes)),
            None => {}
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Gunzip<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = self.member.as_mut().filter(|_| !out.is_empty()) {
            if self.failed {
                // zlib does not give the reason while it has output.
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the compressed data are damaged"));
            }
            let input = self.reader.fill_buf()?;
            let at_end = input.is_empty();
            let (taken, made) = (member.total_in(), member.total_out());
            let status = member.decompress(input, out, FlushDecompress::None);
            let taken = member.total_in().saturating_sub(taken);
            let made = usize::try_from(member.total_out().saturating_sub(made)).unwrap_or(0);
            self.failed = status.is_err();
            self.reader.consume(usize::try_from(taken).unwrap_or(usize::MAX));
            match status {
                _ if made > 0 => return Ok(made),
                Ok(Status::StreamEnd) => self.next_member()?,
                Ok(_) if at_end => return Err(io::ErrorKind::UnexpectedEof.into()),
                _ => {}
            }
        }
        Ok(0)
    }
}

/// A decoder of one gzip member, with the largest window.
fn member() -> Decompress {
    Decompress::new_gzip(15)
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 1).unwrap()
    }

    /// The data inside, and the error that ends them.
    fn inside(bytes: Vec<u8>) -> (Vec<u8>, Option<io::Error>) {
        let compression = Compression::detect(&bytes).unwrap();
        let mut reader = compression.decompress(Box::new(Cursor::new(bytes))).unwrap();
        let mut out = Vec::new();
        let mut buffer = [0; 7];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return (out, None),
                Ok(read) => out.extend_from_slice(&buffer[..read]),
                Err(error) => return (out, Some(error)),
            }
        }
    }

    #[test]
    fn members_and_frames_in_a_row_are_one_stream() {
        for compress in [gzip, zstd] {
            let two = [compress(b"one capture, "), compress(b""), compress(b"in pieces")].concat();
            let (out, error) = inside(two);
            assert_eq!((out.as_slice(), error.is_none()), (&b"one capture, in pieces"[..], true));
        }
    }

    #[test]
    fn a_skippable_frame_may_come_first() {
        let skippable = [&[0x5e, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3][..], &zstd(b"after it")].concat();
        assert_eq!(inside(skippable).0, b"after it");
    }

    #[test]
    fn a_cut_anywhere_is_an_unexpected_end() {
        let text: Vec<u8> = (0..3_000_u16).flat_map(u16::to_be_bytes).collect();
        for whole in [gzip(&text), zstd(&text)] {
            for len in 4..whole.len() {
                let (out, error) = inside(whole[..len].to_vec());
                assert!(text.starts_with(&out));
                assert_eq!(error.expect("no end").kind(), io::ErrorKind::UnexpectedEof, "cut at {len}");
            }
        }
    }

    #[test]
    fn other_bytes_after_gzip_are_not_damage() {
        let (out, error) = inside([gzip(b"complete"), vec![0; 512]].concat());
        assert_eq!(out, b"complete");
        assert!(error.unwrap().get_ref().unwrap().is::<TrailingBytes>());

        let mut damaged = gzip(b"damaged in its checksum");
        let at = damaged.len() - 6;
        damaged[at] ^= 1;
        assert!(!inside(damaged).1.unwrap().get_ref().is_some_and(|error| error.is::<TrailingBytes>()));
    }

    #[test]
    fn data_before_damage_are_kept() {
        let text: Vec<u8> = (0..9_000_u16).flat_map(|at| (at % 777).to_be_bytes()).collect();
        // Level 0 stores, in blocks of known length: the second block's length is made wrong.
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
        encoder.write_all(&text).unwrap();
        encoder.flush().unwrap();
        encoder.write_all(&text).unwrap();
        let mut damaged = encoder.finish().unwrap();
        let at = damaged.windows(4).skip(20).position(|four| four == [0, 0, 0xff, 0xff]).unwrap() + 20 + 4;
        damaged[at..at + 5].fill(0xff);
        for size in [7, 1 << 20] {
            let mut reader = Compression::Gzip.decompress(Box::new(Cursor::new(damaged.clone()))).unwrap();
            let (mut out, mut buffer) = (Vec::new(), vec![0; size]);
            let error = loop {
                match reader.read(&mut buffer) {
                    Ok(read) => out.extend_from_slice(&buffer[..read]),
                    Err(error) => break error,
                }
            };
            assert!(out == text, "{} of {}", out.len(), text.len());
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            assert!(reader.read(&mut buffer).is_err(), "it stays so");
        }
    }

    #[test]
    fn plain_captures_are_not_compressed() {
        for first in [&[0xd4, 0xc3, 0xb2, 0xa1], &[0x0a, 0x0d, 0x0d, 0x0a], &b"text"[..], &[0x1f], &[]] {
            assert_eq!(Compression::detect(first), None);
        }
    }
}

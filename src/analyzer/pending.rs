//! Bytes of one direction that wait for the other to say what they are: frames that were sent before the 101 (their
//! packets remembered), or the first bytes of a connection that are too few to tell.

use std::collections::VecDeque;

use crate::stream::{EndReason, Run};
use crate::types::PacketRef;

/// What waits, in order.
#[derive(Debug, Default)]
pub(super) struct Pending {
    bytes: Vec<u8>,
    /// Of the bytes, so many were taken.
    taken: usize,
    pieces: VecDeque<(Piece, PacketRef)>,
}

/// What a segment costs besides its bytes.
const PIECE_BYTES: usize = size_of::<(Piece, PacketRef)>();

/// Segments that cost nothing, so that a limit of a few bytes is one of bytes.
const FREE_PIECES: usize = 32;

#[derive(Debug, Clone, Copy)]
enum Piece {
    /// So many of the bytes.
    Data(usize),
    Gap(Option<u64>),
    End(EndReason),
}

impl Pending {
    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Bytes that it keeps.
    #[inline]
    pub(super) fn held(&self) -> usize {
        self.bytes.capacity() + self.pieces.capacity() * PIECE_BYTES
    }

    /// Lets go of all bytes, which leaves a hole. Gives how many these were.
    pub(super) fn forget(&mut self) -> u64 {
        let len = self.left().len() as u64;
        (self.bytes, self.taken) = (Vec::new(), 0);
        let mut left = VecDeque::new();
        for (piece, seen) in core::mem::take(&mut self.pieces) {
            let piece = match piece {
                Piece::Data(len) => Piece::Gap(Some(len as u64)),
                other => other,
            };
            add(&mut left, piece, seen);
        }
        self.pieces = left;
        len
    }

    /// Lets something wait; bytes beyond `max` are lost, which is a hole. Segments count too, since a segment of a byte
    /// costs more than the byte.
    pub(super) fn push(&mut self, run: Run<'_>, seen: PacketRef, max: usize) {
        let piece = match run {
            Run::Data(data) if self.cost().saturating_add(data.len()) > max => Piece::Gap(Some(data.len() as u64)),
            Run::Data(data) => {
                self.bytes.extend_from_slice(data);
                Piece::Data(data.len())
            }
            Run::Gap(len) => Piece::Gap(len),
            Run::End(reason) => Piece::End(reason),
        };
        add(&mut self.pieces, piece, seen);
    }

    /// What counts against the limit of what may wait.
    pub(super) fn cost(&self) -> usize {
        self.left().len().saturating_add(self.pieces.len().saturating_sub(FREE_PIECES) * PIECE_BYTES)
    }

    /// The bytes at the front, up to a hole or the end.
    pub(super) fn front_bytes(&self) -> &[u8] {
        let len =
            self.pieces.iter().map_while(|(piece, _)| if let Piece::Data(len) = piece { Some(len) } else { None });
        self.left().get(..len.sum()).unwrap_or_default()
    }

    /// Gives each piece to `offer`, which says how many bytes of it it left. Stops at the first that it left whole or in
    /// part; that and what follows wait on. Says whether anything was taken.
    pub(super) fn offer<E>(
        &mut self,
        mut offer: impl FnMut(Run<'_>, PacketRef) -> Result<usize, E>,
    ) -> Result<bool, E> {
        let mut any = false;
        while let Some((piece, seen)) = self.pieces.front_mut() {
            let run = match piece {
                Piece::Data(len) => {
                    Run::Data(self.bytes.get(self.taken..self.taken.saturating_add(*len)).unwrap_or_default())
                }
                Piece::Gap(len) => Run::Gap(*len),
                Piece::End(reason) => Run::End(*reason),
            };
            let left = offer(run, *seen)?;
            if let Piece::Data(len) = piece {
                let took = len.saturating_sub(left);
                self.taken += took;
                any |= took > 0;
                *len = left;
            } else {
                any |= left == 0;
            }
            if left > 0 {
                break;
            }
            self.pieces.pop_front();
        }
        // Not each time: a record may be taken at a time.
        if self.taken > self.bytes.len() / 2 {
            self.bytes.drain(..self.taken.min(self.bytes.len()));
            self.taken = 0;
        }
        Ok(any)
    }

    /// The bytes that were not taken.
    fn left(&self) -> &[u8] {
        self.bytes.get(self.taken..).unwrap_or_default()
    }
}

/// All of a piece.
pub(super) fn left_of(run: Run<'_>) -> usize {
    match run {
        Run::Data(data) => data.len(),
        _ => 1,
    }
}

/// The last bytes of a piece, or the hole or end that it is.
pub(super) fn rest_of(run: Run<'_>, left: usize) -> Run<'_> {
    match run {
        Run::Data(data) => {
            Run::Data(data.len().checked_sub(left).and_then(|taken| data.get(taken..)).unwrap_or_default())
        }
        other => other,
    }
}

/// Adds a piece. Holes in a row are one, so that they cannot pile up; so are ends.
fn add(pieces: &mut VecDeque<(Piece, PacketRef)>, piece: Piece, seen: PacketRef) {
    match (pieces.back_mut(), piece) {
        (Some((Piece::Gap(Some(sum)), _)), Piece::Gap(Some(len))) => *sum = sum.saturating_add(len),
        (Some((Piece::Gap(None), _)), Piece::Gap(_)) | (Some((Piece::End(_), _)), Piece::End(_)) => {}
        _ => pieces.push_back((piece, seen)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(packet: u64) -> PacketRef {
        PacketRef { packet, ..PacketRef::default() }
    }

    #[test]
    fn pieces_keep_their_packets_and_their_order() {
        let mut waiting = Pending::default();
        waiting.push(Run::Data(b"abc"), seen(1), 100);
        waiting.push(Run::Data(b"de"), seen(2), 100);
        waiting.push(Run::Gap(Some(4)), seen(3), 100);
        waiting.push(Run::Data(b"f"), seen(4), 100);
        assert_eq!((waiting.front_bytes(), waiting.bytes.len()), (&b"abcde"[..], 6));
        // Takes "abc", and one of "de".
        let took = waiting.offer(|run, at| {
            Ok::<_, ()>(match (run, at.packet) {
                (Run::Data(b"abc"), 1) => 0,
                (Run::Data(b"de"), 2) => 1,
                other => panic!("{other:?}"),
            })
        });
        assert_eq!((took, waiting.front_bytes()), (Ok(true), &b"e"[..]));
        assert_eq!(waiting.offer(|_, _| Ok::<_, ()>(1)), Ok(false));
        let mut all = Vec::new();
        waiting
            .offer(|run, at| {
                Ok::<_, ()>({
                    all.push(format!("{run:?} {}", at.packet));
                    0
                })
            })
            .unwrap();
        assert_eq!(all, ["Data([101]) 2", "Gap(Some(4)) 3", "Data([102]) 4"]);
        assert!(waiting.is_empty() && waiting.bytes.is_empty());
    }

    #[test]
    fn what_is_too_much_is_a_hole() {
        let mut waiting = Pending::default();
        for packet in 0..1000 {
            waiting.push(Run::Data(b"abcd"), seen(packet), 10);
        }
        assert_eq!((waiting.bytes.len(), waiting.pieces.len()), (8, 3));
    }

    #[test]
    fn segments_of_a_byte_cost_more_than_a_byte() {
        let mut waiting = Pending::default();
        for packet in 0..100_000 {
            waiting.push(Run::Data(b"x"), seen(packet), 64 << 10);
            assert!(waiting.held() <= 2 * (64 << 10) + 2 * FREE_PIECES * PIECE_BYTES, "{}", waiting.held());
        }
        assert!(waiting.bytes.len() > 1000);
        let mut told = Vec::new();
        assert!(waiting.forget() > 1000);
        assert!(waiting.held() < 1000);
        _ = waiting.offer(|run, at| {
            told.push(format!("{run:?} {}", at.packet));
            Ok::<_, ()>(0)
        });
        assert_eq!(told, ["Gap(Some(100000)) 0"]);
    }
}

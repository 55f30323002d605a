//! Runs of one direction that wait, with the packets that carried them, until the other direction shows what they are: frames
//! that were sent before the 101, or the first bytes of a connection, too few to recognize a protocol.

use std::collections::VecDeque;

use super::leftover::Leftover;
use crate::stream::{EndReason, Run};
use crate::types::PacketRef;

/// The runs that wait, in order.
#[derive(Debug, Default)]
pub(super) struct Pending {
    bytes: Vec<u8>,
    /// Bytes at the front of `bytes` that were taken.
    taken: usize,
    runs: VecDeque<(Waiting, PacketRef)>,
}

/// What a run costs besides its bytes.
const RUN_BYTES: usize = size_of::<(Waiting, PacketRef)>();

/// Runs that cost nothing, so that a limit of a few bytes is one of bytes.
const FREE_RUNS: usize = 32;

#[derive(Debug, Clone, Copy)]
enum Waiting {
    /// So many bytes of [`Pending::bytes`].
    Data(usize),
    Gap(Option<u64>),
    End(EndReason),
}

impl Pending {
    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Bytes that it keeps.
    #[inline]
    pub(super) fn held(&self) -> usize {
        self.bytes.capacity() + self.runs.capacity() * RUN_BYTES
    }

    /// Frees all bytes, which leaves a gap. Gives how many these were.
    pub(super) fn forget(&mut self) -> u64 {
        let len = self.untaken().len() as u64;
        (self.bytes, self.taken) = (Vec::new(), 0);
        let mut runs = VecDeque::new();
        for (run, seen) in core::mem::take(&mut self.runs) {
            let run = match run {
                Waiting::Data(len) => Waiting::Gap(Some(len as u64)),
                other => other,
            };
            add(&mut runs, run, seen);
        }
        self.runs = runs;
        len
    }

    /// Keeps a run; bytes beyond `max` are dropped, which leaves a gap. Runs count, too, since a segment of one byte costs more
    /// than the byte.
    pub(super) fn push(&mut self, run: Run<'_>, seen: PacketRef, max: usize) {
        let run = match run {
            Run::Data(data) if self.cost().saturating_add(data.len()) > max => Waiting::Gap(Some(data.len() as u64)),
            Run::Data(data) => {
                self.bytes.extend_from_slice(data);
                Waiting::Data(data.len())
            }
            Run::Gap(len) => Waiting::Gap(len),
            Run::End(reason) => Waiting::End(reason),
        };
        add(&mut self.runs, run, seen);
    }

    /// What counts against the limit of what may wait.
    pub(super) fn cost(&self) -> usize {
        self.untaken().len().saturating_add(self.runs.len().saturating_sub(FREE_RUNS) * RUN_BYTES)
    }

    /// The bytes at the front, up to a gap or the end.
    pub(super) fn front_bytes(&self) -> &[u8] {
        let len = self.runs.iter().map_while(|(run, _)| if let Waiting::Data(len) = run { Some(len) } else { None });
        self.untaken().get(..len.sum()).unwrap_or_default()
    }

    /// Gives each run to `offer`, which returns what it left of it. Stops at the first that it left in full or in part: that
    /// one and those after it wait on. Whether anything was taken.
    pub(super) fn offer(&mut self, mut offer: impl for<'r> FnMut(Run<'r>, PacketRef) -> Leftover<'r>) -> bool {
        let mut any = false;
        while let Some((waiting, seen)) = self.runs.front_mut() {
            let run = match waiting {
                Waiting::Data(len) => {
                    Run::Data(self.bytes.get(self.taken..self.taken.saturating_add(*len)).unwrap_or_default())
                }
                Waiting::Gap(len) => Run::Gap(*len),
                Waiting::End(reason) => Run::End(*reason),
            };
            let left = offer(run, *seen);
            if let Waiting::Data(len) = waiting {
                let took = len.saturating_sub(left.byte_count());
                self.taken += took;
                any |= took > 0;
                *len = left.byte_count();
            } else {
                any |= left.is_nothing();
            }
            if !left.is_nothing() {
                break;
            }
            self.runs.pop_front();
        }
        // Not each time: bytes may be taken one record at a time.
        if self.taken > self.bytes.len() / 2 {
            self.bytes.drain(..self.taken.min(self.bytes.len()));
            self.taken = 0;
        }
        any
    }

    /// The bytes that were not taken.
    fn untaken(&self) -> &[u8] {
        self.bytes.get(self.taken..).unwrap_or_default()
    }
}

/// Adds a run. Gaps in a row are one, so that they cannot pile up; so are ends.
fn add(runs: &mut VecDeque<(Waiting, PacketRef)>, run: Waiting, seen: PacketRef) {
    match (runs.back_mut(), run) {
        (Some((Waiting::Gap(Some(sum)), _)), Waiting::Gap(Some(len))) => *sum = sum.saturating_add(len),
        (Some((Waiting::Gap(None), _)), Waiting::Gap(_)) | (Some((Waiting::End(_), _)), Waiting::End(_)) => {}
        _ => runs.push_back((run, seen)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(packet: u64) -> PacketRef {
        PacketRef { packet, ..PacketRef::default() }
    }

    #[test]
    fn runs_keep_their_packets_and_their_order() {
        let mut pending = Pending::default();
        pending.push(Run::Data(b"abc"), seen(1), 100);
        pending.push(Run::Data(b"de"), seen(2), 100);
        pending.push(Run::Gap(Some(4)), seen(3), 100);
        pending.push(Run::Data(b"f"), seen(4), 100);
        assert_eq!((pending.front_bytes(), pending.bytes.len()), (&b"abcde"[..], 6));
        // Takes "abc", and one of "de".
        let took = pending.offer(|run, at| match (run, at.packet) {
            (Run::Data(b"abc"), 1) => Leftover::Nothing,
            (Run::Data(b"de"), 2) => Leftover::bytes(b"e"),
            other => panic!("{other:?}"),
        });
        assert_eq!((took, pending.front_bytes()), (true, &b"e"[..]));
        assert!(!pending.offer(|run, _| Leftover::all(run)), "nothing is taken");
        let mut all = Vec::new();
        pending.offer(|run, at| {
            all.push(format!("{run:?} {}", at.packet));
            Leftover::Nothing
        });
        assert_eq!(all, ["Data([101]) 2", "Gap(Some(4)) 3", "Data([102]) 4"]);
        assert!(pending.is_empty() && pending.bytes.is_empty());
    }

    #[test]
    fn a_gap_or_an_end_that_is_left_waits_on() {
        let mut pending = Pending::default();
        pending.push(Run::Gap(None), seen(1), 100);
        pending.push(Run::End(EndReason::Fin), seen(2), 100);
        assert!(!pending.offer(|run, _| Leftover::all(run)));
        let took =
            pending.offer(|run, _| if matches!(run, Run::Gap(_)) { Leftover::Nothing } else { Leftover::all(run) });
        assert!(took && !pending.is_empty());
        assert!(pending.offer(|_, _| Leftover::Nothing) && pending.is_empty());
    }

    #[test]
    fn bytes_beyond_the_limit_are_a_gap() {
        let mut pending = Pending::default();
        for packet in 0..1000 {
            pending.push(Run::Data(b"abcd"), seen(packet), 10);
        }
        assert_eq!((pending.bytes.len(), pending.runs.len()), (8, 3));
    }

    #[test]
    fn segments_of_one_byte_cost_more_than_one_byte() {
        let mut pending = Pending::default();
        for packet in 0..100_000 {
            pending.push(Run::Data(b"x"), seen(packet), 64 << 10);
            assert!(pending.held() <= 2 * (64 << 10) + 2 * FREE_RUNS * RUN_BYTES, "{}", pending.held());
        }
        assert!(pending.bytes.len() > 1000);
        assert!(pending.forget() > 1000);
        assert!(pending.held() < 1000);
        let mut offered = Vec::new();
        pending.offer(|run, at| {
            offered.push(format!("{run:?} {}", at.packet));
            Leftover::Nothing
        });
        assert_eq!(offered, ["Gap(Some(100000)) 0"]);
    }
}

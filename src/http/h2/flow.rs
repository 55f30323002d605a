//! Flow control (machine): how much each sender may still send, and for how long it could send nothing (RFC 9113 §5.2,
//! §6.9).
//!
//! A sender is stalled while its window is used up, from the packet that used it up to the one that makes it larger. Time
//! in which both the stream's window and the connection's are used up counts once.

use crate::types::Timestamp;

/// "The initial flow-control window is 65,535 octets for both new streams and the overall connection" (RFC 9113 §6.9.2).
pub(super) const INITIAL: u32 = 65_535;

/// How much one sender may send, on one stream or on the connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    /// Bytes left; settings can make it negative (RFC 9113 §6.9.2).
    left: i64,
    /// When it was used up, and for how long the other window had been used up by then, in microseconds.
    since: Option<(Timestamp, u64)>,
    stalled_us: u64,
}

impl Window {
    /// A window of `len` bytes.
    pub(super) fn new(len: u32) -> Self {
        Self { left: len.into(), since: None, stalled_us: 0 }
    }

    /// DATA of so many bytes was sent, padding included. `other_us` is the [`Self::stalled_us`] of the other window.
    pub(super) fn spend(&mut self, len: u32, at: Timestamp, other_us: u64) {
        self.change(-i64::from(len), at, other_us);
    }

    /// The window grows, or shrinks by a change of the settings.
    pub(super) fn change(&mut self, by: i64, at: Timestamp, other_us: u64) {
        self.left = self.left.saturating_add(by);
        if self.left <= 0 {
            self.since.get_or_insert((at, other_us));
        } else if self.since.is_some() {
            self.stalled_us = self.stalled_us(at, other_us);
            self.since = None;
        }
    }

    /// For how long it has been used up so far, in microseconds, without the time in which the other one was, too.
    pub(super) fn stalled_us(&self, at: Timestamp, other_us: u64) -> u64 {
        let now = self.since.map_or(0, |(since, other_before)| {
            at.micros_since(since).saturating_sub(other_us.saturating_sub(other_before))
        });
        self.stalled_us.saturating_add(now)
    }

    /// The bytes left are unknown: no time is counted from here on.
    pub(super) const fn forget(&mut self) {
        self.left = i64::MAX;
        self.since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(us: i64) -> Timestamp {
        Timestamp::from_nanos(us * 1000)
    }

    #[test]
    fn the_time_without_window_is_counted() {
        let mut window = Window::new(100);
        window.spend(99, at(0), 0);
        assert_eq!(window.stalled_us(at(50), 0), 0);
        window.spend(1, at(50), 0);
        assert_eq!(window.stalled_us(at(60), 0), 10);
        window.change(10, at(80), 0);
        assert_eq!(window.stalled_us(at(99), 0), 30);
        window.spend(10, at(100), 0);
        window.change(-5, at(110), 0);
        window.change(5, at(120), 0);
        window.change(1, at(130), 0);
        assert_eq!(window.stalled_us(at(200), 0), 60);
    }

    #[test]
    fn time_in_which_both_are_used_up_counts_once() {
        let mut window = Window::new(1);
        window.spend(1, at(0), 7);
        // Of these 100 microseconds, the connection's window was used up for 40.
        window.change(1, at(100), 47);
        assert_eq!(window.stalled_us(at(100), 47), 60);
    }

    #[test]
    fn hostile_numbers_do_no_harm() {
        let mut window = Window::new(u32::MAX);
        for _ in 0..3 {
            window.change(i64::MAX, at(9), u64::MAX);
            window.change(i64::MIN, at(1), 0);
        }
        window.forget();
        window.spend(u32::MAX, at(2), 0);
        assert_eq!(window.stalled_us(at(i64::MAX / 1000), 0), 0);
    }
}

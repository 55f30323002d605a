//! The capture's clock, in ticks of about a second, for aging.
//!
//! In: the time of each packet. Out: the tick until which time has certainly come. Packets may be a little out of order,
//! and one may have a nonsensical time: the clock advances only when two packets in a row agree, and never goes back.

use crate::types::Timestamp;

/// A tick is 2^30 ns, 1.07 s.
const TICK_BITS: u32 = 30;

/// The tick until which time has come.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// The first packet's time.
    zero: Option<Timestamp>,
    /// The tick of the packet before.
    before: u32,
    now: u32,
}

impl Clock {
    /// Takes a packet's time; returns whether the clock advanced.
    #[inline]
    pub(super) fn tick(&mut self, at: Timestamp) -> bool {
        let zero = *self.zero.get_or_insert(at);
        let tick = u32::try_from(at.since(zero) >> TICK_BITS).unwrap_or(if at < zero { 0 } else { u32::MAX });
        let now = self.now.max(tick.min(self.before));
        let advanced = now != self.now;
        self.before = tick;
        self.now = now;
        advanced
    }

    /// The tick until which time has come.
    pub(super) const fn now(&self) -> u32 {
        self.now
    }
}

/// The number of ticks after which `seconds` have certainly passed.
pub(super) fn ticks(seconds: u64) -> u32 {
    let nanos = u128::from(seconds) * 1_000_000_000;
    u32::try_from(nanos.div_ceil(1 << TICK_BITS)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_advances_when_two_packets_agree_and_never_goes_back() {
        let mut clock = Clock::default();
        let at = |tick: i64| Timestamp::from_nanos((5 << 50) + (tick << TICK_BITS));
        let mut tick = |time| (clock.tick(time), clock.now());
        assert_eq!(tick(at(0)), (false, 0));
        assert_eq!(tick(at(10)), (false, 0));
        assert_eq!(tick(at(11)), (true, 10));
        assert_eq!(tick(at(1_000_000)), (true, 11), "a nonsensical time agrees with nothing");
        assert_eq!(tick(at(12)), (true, 12));
        assert_eq!(tick(at(3)), (false, 12));
        assert_eq!(tick(at(-3)), (false, 12));
        assert_eq!(tick(Timestamp::from_nanos(i64::MAX)), (false, 12));
        assert_eq!(tick(Timestamp::from_nanos(i64::MIN)), (false, 12));
    }

    #[test]
    fn ticks_are_rounded_up() {
        assert_eq!((ticks(0), ticks(1), ticks(300), ticks(u64::MAX)), (0, 1, 280, u32::MAX));
    }
}

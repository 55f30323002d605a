//! The capture's clock, in ticks of about a second, for aging.
//!
//! In: the time of each packet. Out: the tick it belongs to, and how far time has surely come. Packets may be a little
//! out of order, and one may have a nonsensical time: the clock goes on only when two packets in a row agree, and never
//! back.

use crate::ground::Timestamp;

/// A tick is 2^30 ns, 1.07 s.
const TICK_BITS: u32 = 30;

/// How far time has come.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// The first packet's time.
    zero: Option<Timestamp>,
    /// The packet before.
    before: u32,
    now: u32,
}

impl Clock {
    /// Takes a packet's time; the answer is its tick, no earlier than now, and whether time went on.
    pub(super) fn tick(&mut self, at: Timestamp) -> (u32, bool) {
        let zero = *self.zero.get_or_insert(at);
        let tick = u32::try_from(at.since(zero) >> TICK_BITS).unwrap_or(if at < zero { 0 } else { u32::MAX });
        let now = self.now.max(tick.min(self.before));
        let went_on = now != self.now;
        self.before = tick;
        self.now = now;
        (tick.max(now), went_on)
    }

    /// The tick until which time has come.
    pub(super) const fn now(&self) -> u32 {
        self.now
    }
}

/// The number of ticks after which `seconds` have surely passed.
pub(super) fn ticks(seconds: u64) -> u32 {
    let nanos = u128::from(seconds) * 1_000_000_000;
    u32::try_from(nanos.div_ceil(1 << TICK_BITS)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on_when_two_packets_agree_and_never_back() {
        let mut clock = Clock::default();
        let at = |tick: i64| Timestamp::from_nanos((5 << 50) + (tick << TICK_BITS));
        assert_eq!(clock.tick(at(0)), (0, false));
        assert_eq!(clock.tick(at(10)), (10, false));
        assert_eq!(clock.tick(at(11)), (11, true));
        assert_eq!(clock.now(), 10);
        assert_eq!(clock.tick(at(1_000_000)), (1_000_000, true), "a nonsensical time agrees with nothing");
        assert_eq!(clock.now(), 11);
        assert_eq!(clock.tick(at(12)), (12, true));
        assert_eq!(clock.tick(at(3)), (12, false));
        assert_eq!(clock.tick(at(-3)), (12, false));
        assert_eq!(clock.tick(Timestamp::from_nanos(i64::MAX)), (u32::MAX, false));
        assert_eq!(clock.tick(Timestamp::from_nanos(i64::MIN)).0, 12);
    }

    #[test]
    fn ticks_are_never_too_few() {
        assert_eq!((ticks(0), ticks(1), ticks(300), ticks(u64::MAX)), (0, 1, 280, u32::MAX));
    }
}

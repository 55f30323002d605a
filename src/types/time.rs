//! The capture's time, which is the only clock: the same capture gives the same results on every machine.

use core::fmt;

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// Nanoseconds since 1970-01-01T00:00:00Z, as captured. Covers the years 1677 to 2262.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Timestamp(i64);

/// Where and when something was seen: the number of a packet, counted over all files as Wireshark does, and its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PacketRef {
    /// The packet's number, from 1.
    pub packet: u64,
    /// The packet's time.
    pub at: Timestamp,
}

impl Timestamp {
    /// From nanoseconds since 1970.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since 1970.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Nanoseconds from `earlier` to `self`; negative where packets are out of time order.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Microseconds from `earlier` to `self`, rounded down; 0 where packets are out of time order.
    #[must_use]
    pub const fn micros_since(self, earlier: Self) -> u64 {
        let nanos = self.since(earlier);
        if nanos < 0 { 0 } else { nanos.unsigned_abs() / 1_000 }
    }

    /// Appends the time in the form of RFC 3339 §5.6, in UTC with nine digits: `2026-11-22T16:19:05.123456789Z`.
    pub fn write_rfc3339(self, out: &mut Vec<u8>) {
        let seconds = self.0.div_euclid(NANOS_PER_SECOND);
        let nanos = self.0.rem_euclid(NANOS_PER_SECOND).unsigned_abs();
        let day_seconds = seconds.rem_euclid(SECONDS_PER_DAY).unsigned_abs();
        let (year, month, day) = civil_from_days(seconds.div_euclid(SECONDS_PER_DAY));
        let fields: [(u64, usize, u8); 7] = [
            (year, 4, b'-'),
            (month, 2, b'-'),
            (day, 2, b'T'),
            (day_seconds / 3600, 2, b':'),
            (day_seconds / 60 % 60, 2, b':'),
            (day_seconds % 60, 2, b'.'),
            (nanos, 9, b'Z'),
        ];
        for (value, width, after) in fields {
            push_padded(out, value, width);
            out.push(after);
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::with_capacity(30);
        self.write_rfc3339(&mut text);
        f.write_str(core::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

/// Appends `value` in decimal with leading zeros to `width` digits.
fn push_padded(out: &mut Vec<u8>, mut value: u64, width: usize) {
    let start = out.len();
    out.resize(start + width, b'0');
    for digit in out.iter_mut().skip(start).rev() {
        *digit = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
    }
}

/// Year, month and day of the proleptic Gregorian calendar, from days since 1970-01-01.
const fn civil_from_days(days: i64) -> (u64, u64, u64) {
    // Eras of 400 years, counted from 0000-03-01 so that a leap day ends its year.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year.unsigned_abs(), month.unsigned_abs(), day.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(seconds: i64, nanos: i64) -> String {
        Timestamp::from_nanos(seconds * NANOS_PER_SECOND + nanos).to_string()
    }

    #[test]
    fn rfc3339_has_nine_digits() {
        assert_eq!(text(0, 0), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(text(951_782_400, 7), "2000-02-29T00:00:00.000000007Z");
        assert_eq!(text(1_795_364_345, 123_456_789), "2026-11-22T16:19:05.123456789Z");
        assert_eq!(text(-1, 999_999_999), "1969-12-31T23:59:59.999999999Z");
        assert_eq!(Timestamp::from_nanos(i64::MAX).to_string(), "2262-04-11T23:47:16.854775807Z");
        assert_eq!(Timestamp::from_nanos(i64::MIN).to_string(), "1677-09-21T00:12:43.145224192Z");
    }

    #[test]
    fn time_may_run_backwards() {
        let (a, b) = (Timestamp::from_nanos(5_000), Timestamp::from_nanos(9_500));
        assert_eq!((b.micros_since(a), a.micros_since(b), a.since(b)), (4, 0, -4_500));
    }
}

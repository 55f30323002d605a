//! An Interface Description Block: link type, snaplen, and the unit of its packets' timestamps.

use super::super::LinkType;
use super::super::record::ByteOrder;
use crate::types::{Reader, Timestamp};

const OPTION_END: u16 = 0;
const OPTION_TSRESOL: u16 = 9;
const OPTION_TSOFFSET: u16 = 14;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// The description of one interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) link: LinkType,
    /// Bytes captured of a packet; `u32::MAX` for all of them.
    pub(super) snaplen: u32,
    unit: Unit,
    offset_nanos: i64,
}

/// The unit of timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// This number of nanoseconds.
    Nanos(u64),
    /// A nanosecond divided by this number.
    NanoParts(u64),
    /// A second divided by two to this power.
    Binary(u32),
}

impl Interface {
    /// Reads the body of the block; `None` if it is too short. Options that are cut or have a wrong length are ignored.
    pub(super) fn parse(order: ByteOrder, body: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        let link = LinkType(order.u16(reader.array()?));
        let _reserved: [u8; 2] = reader.array()?;
        let snaplen = match order.u32(reader.array()?) {
            0 => u32::MAX,
            snaplen => snaplen,
        };
        let mut interface = Self { link, snaplen, unit: Unit::Nanos(1_000), offset_nanos: 0 };
        while let Some((code, value)) = option(order, &mut reader) {
            interface.apply(order, code, value);
        }
        Some(interface)
    }

    fn apply(&mut self, order: ByteOrder, code: u16, value: &[u8]) {
        match (code, value) {
            (OPTION_TSRESOL, &[resolution]) => self.unit = Unit::new(resolution),
            (OPTION_TSOFFSET, value) => {
                if let Ok(seconds) = value.try_into() {
                    self.offset_nanos = order.i64(seconds).saturating_mul(NANOS_PER_SECOND.cast_signed());
                }
            }
            _ => {}
        }
    }

    /// The time of a packet whose timestamp has the halves `high` and `low`. Times after the year 2262 become the last one that
    /// can be represented.
    #[inline]
    pub(super) fn time(&self, high: u32, low: u32) -> Timestamp {
        let ticks = u64::from(high) << 32 | u64::from(low);
        Timestamp::from_nanos(self.unit.nanos(ticks).saturating_add(self.offset_nanos))
    }
}

/// The next option: code, length, value, padding to four bytes; `None` after the last.
fn option<'a>(order: ByteOrder, reader: &mut Reader<'a>) -> Option<(u16, &'a [u8])> {
    let code = order.u16(reader.array()?);
    let len = usize::from(order.u16(reader.array()?));
    if code == OPTION_END {
        return None;
    }
    let value = reader.take(len)?;
    let _padding = reader.take(len.next_multiple_of(4) - len);
    Some((code, value))
}

impl Unit {
    /// From `if_tsresol`: a negative power of ten, or of two where the top bit is set.
    fn new(resolution: u8) -> Self {
        let power = u32::from(resolution & 0x7f);
        if resolution & 0x80 != 0 {
            return Self::Binary(power);
        }
        match power.checked_sub(9) {
            // Below 10^-28 s: 2^64 such units are less than two nanoseconds.
            Some(finer) => Self::NanoParts(10_u64.checked_pow(finer).unwrap_or(u64::MAX)),
            None => Self::Nanos(10_u64.pow(9 - power)),
        }
    }

    #[inline]
    fn nanos(self, ticks: u64) -> i64 {
        let nanos = match self {
            Self::Nanos(each) => ticks.checked_mul(each),
            Self::NanoParts(parts) => ticks.checked_div(parts),
            Self::Binary(power) => u64::try_from((u128::from(ticks) * u128::from(NANOS_PER_SECOND)) >> power).ok(),
        };
        nanos.and_then(|nanos| i64::try_from(nanos).ok()).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(list: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = vec![1, 0, 0, 0, 0, 0, 4, 0];
        for (code, value) in list {
            body.extend(code.to_le_bytes());
            body.extend(u16::try_from(value.len()).unwrap().to_le_bytes());
            body.extend(*value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        body
    }

    fn time(list: &[(u16, &[u8])], ticks: u64) -> i64 {
        let interface = Interface::parse(ByteOrder::Little, &options(list)).unwrap();
        let [high, low] = [ticks >> 32, ticks & 0xffff_ffff].map(|half| u32::try_from(half).unwrap());
        interface.time(high, low).as_nanos()
    }

    #[test]
    fn clocks_of_every_resolution() {
        assert_eq!(time(&[], 1_700_000_000_123_456), 1_700_000_000_123_456_000);
        for (resolution, ticks, nanos) in [
            (0, 1_700_000_000, 1_700_000_000_000_000_000),
            (3, 1_700_000_000_123, 1_700_000_000_123_000_000),
            (6, 7, 7_000),
            (9, 1_700_000_000_123_456_789, 1_700_000_000_123_456_789),
            (12, 1_999, 1),
            (28, u64::MAX, 1),
            (127, u64::MAX, 1),
            (0x80, 3, 3_000_000_000),
            (0x80 + 10, 1_024 + 512, 1_500_000_000),
            (0x80 + 30, 1 << 30, 1_000_000_000),
            (0x80 + 63, 1 << 62, 500_000_000),
            (0xff, u64::MAX, 0),
            (6, u64::MAX, i64::MAX),
            (9, u64::MAX, i64::MAX),
            (0x80, u64::MAX, i64::MAX),
        ] {
            assert_eq!(time(&[(9, &[resolution])], ticks), nanos, "resolution {resolution:#x}");
        }
    }

    #[test]
    fn an_offset_moves_the_clock_either_way() {
        let offset = |seconds: i64| time(&[(2, b"eth0"), (14, &seconds.to_le_bytes())], 5);
        assert_eq!(offset(3), 3_000_005_000);
        assert_eq!(offset(-3), -2_999_995_000);
        assert_eq!(offset(i64::MAX), i64::MAX);
        assert_eq!(offset(i64::MIN), i64::MIN + 5_000);
    }

    #[test]
    fn options_end_at_their_end_mark_or_at_a_cut() {
        let plain = Interface::parse(ByteOrder::Little, &options(&[])).unwrap();
        assert_eq!(Interface::parse(ByteOrder::Little, &options(&[(0, b""), (9, &[9])])), Some(plain.clone()));
        assert_eq!(Interface::parse(ByteOrder::Little, &options(&[(9, &[9, 9])])), Some(plain));
        let whole = options(&[(2, b"lo"), (9, &[9]), (14, &[0; 8])]);
        for len in 0..whole.len() {
            assert_eq!(Interface::parse(ByteOrder::Little, &whole[..len]).is_some(), len >= 8);
        }
    }

    #[test]
    fn no_snaplen_is_no_limit() {
        let mut body = options(&[]);
        assert_eq!(Interface::parse(ByteOrder::Little, &body).unwrap().snaplen, 0x4_0000);
        body[4..8].fill(0);
        assert_eq!(Interface::parse(ByteOrder::Little, &body).unwrap().snaplen, u32::MAX);
    }
}

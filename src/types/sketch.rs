//! The distribution of many numbers in little memory: count, sum, least, greatest, and percentiles to within 6 %.

/// A distribution of numbers. They fall into eight buckets an octave, so a percentile is off by at most one sixteenth of its value; count, sum,
/// least and greatest are exact. Keeps four bytes for each bucket between the least and the greatest number: 30 to 300
/// bytes for real traffic, 2 KiB at most, nothing before the first number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sketch {
    count: u64,
    sum: u64,
    min: u64,
    max: u64,
    first_bucket: usize,
    buckets: Vec<u32>,
}

/// Buckets in each octave, as a power of two.
const OCTAVE_BITS: u32 = 3;

impl Sketch {
    /// Counts `value`. Returns whether that took more memory.
    pub fn add(&mut self, value: u64) -> bool {
        if self.count == 0 {
            self.min = value;
        }
        self.count += 1;
        self.sum = self.sum.saturating_add(value);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        let bucket = bucket_of(value);
        let known = bucket.checked_sub(self.first_bucket).and_then(|index| self.buckets.get_mut(index));
        if let Some(count) = known {
            *count = count.saturating_add(1);
            return false;
        }
        self.add_bucket(bucket);
        true
    }

    /// Makes room for a bucket, and counts its first number.
    #[cold]
    fn add_bucket(&mut self, bucket: usize) {
        if self.buckets.is_empty() {
            self.first_bucket = bucket;
        }
        if bucket < self.first_bucket {
            let more = self.first_bucket - bucket;
            self.buckets.splice(0..0, core::iter::repeat_n(0, more));
            self.first_bucket = bucket;
        }
        let index = bucket - self.first_bucket;
        if index >= self.buckets.len() {
            self.buckets.resize(index + 1, 0);
        }
        if let Some(count) = self.buckets.get_mut(index) {
            *count = count.saturating_add(1);
        }
    }

    /// The count of numbers.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Their sum.
    #[must_use]
    pub const fn sum(&self) -> u64 {
        self.sum
    }

    /// The least of them.
    #[must_use]
    pub fn min(&self) -> Option<u64> {
        (self.count > 0).then_some(self.min)
    }

    /// The greatest of them.
    #[must_use]
    pub fn max(&self) -> Option<u64> {
        (self.count > 0).then_some(self.max)
    }

    /// Their mean, rounded down.
    #[must_use]
    pub fn mean(&self) -> Option<u64> {
        self.sum.checked_div(self.count)
    }

    /// The number that `percent` of them do not exceed, to within one sixteenth; `percent` from 0 to 100.
    #[must_use]
    pub fn percentile(&self, percent: u64) -> Option<u64> {
        let rank = (self.count.saturating_mul(percent)).div_ceil(100).max(1);
        let mut seen = 0_u64;
        let within = |value: u64| value.clamp(self.min, self.max);
        for (index, &count) in self.buckets.iter().enumerate() {
            seen += u64::from(count);
            if seen >= rank {
                return Some(within(middle_of(self.first_bucket + index)));
            }
        }
        self.max()
    }

    /// Bytes that it keeps besides itself.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.buckets.capacity() * size_of::<u32>()
    }
}

/// Numbers below 8 have a bucket each; above, the three bits after the leading one choose.
fn bucket_of(value: u64) -> usize {
    let Some(octave) = value.checked_ilog2().filter(|&octave| octave >= OCTAVE_BITS) else {
        return usize::try_from(value).unwrap_or(0);
    };
    let shift = octave - OCTAVE_BITS;
    let within = value >> shift & ((1 << OCTAVE_BITS) - 1);
    usize::try_from((u64::from(shift + 1) << OCTAVE_BITS) + within).unwrap_or(0)
}

/// The middle of the numbers that fall into `bucket`.
fn middle_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let Some(shift) = (bucket >> OCTAVE_BITS).checked_sub(1) else {
        return bucket;
    };
    let low = (bucket & ((1 << OCTAVE_BITS) - 1) | 1 << OCTAVE_BITS) << shift;
    low + ((1_u64 << shift) - 1) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_within_a_sixteenth() {
        let mut sketch = Sketch::default();
        assert_eq!((sketch.percentile(50), sketch.min(), sketch.mean()), (None, None, None));
        for value in (1..=100_000).rev() {
            sketch.add(value);
        }
        for percent in [1, 5, 25, 50, 75, 95, 99, 100] {
            let exact = 1_000 * percent;
            let found = sketch.percentile(percent).unwrap();
            assert!(found.abs_diff(exact) <= exact / 16 + 1, "{percent} %: {found}, not {exact}");
        }
        assert_eq!((sketch.min(), sketch.max(), sketch.mean()), (Some(1), Some(100_000), Some(50_000)));
    }

    #[test]
    fn the_greatest_numbers_have_a_bucket() {
        let mut sketch = Sketch::default();
        sketch.add(u64::MAX);
        sketch.add(0);
        assert_eq!((sketch.percentile(50), sketch.percentile(100)), (Some(0), sketch.percentile(99)));
        assert!(sketch.held() <= 4096);
        for value in [0, 1, 7, 8, 9, 15, 16, 1 << 40, u64::MAX] {
            assert_eq!(bucket_of(middle_of(bucket_of(value))), bucket_of(value));
        }
    }
}

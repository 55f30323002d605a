//! Which packets opened a TCP connection of one worker. Added over all workers, their counts number TCP connections.
//!
//! In: packet numbers, ascending. Out: how many of them are below a number, and the n-th of them. They are kept for the entire run,
//! since a WebSocket may be requested long after its connection was opened: two bytes each, and never more than one bit
//! for each packet read.

/// Packets of one page, as a power of two: 65,536.
const PAGE_BITS: u32 = 16;
/// Openings of a page above which one bit for each packet takes less memory than a list.
const MOST_LISTED: usize = 4096;

/// The opening packets of one worker.
#[derive(Debug, Default)]
pub(super) struct Openings {
    pages: Vec<Page>,
    count: u64,
}

/// 65,536 packets.
#[derive(Debug)]
struct Page {
    /// Its packets divided by 65,536.
    number: u64,
    /// Openings before it.
    before: u64,
    marks: Marks,
}

#[derive(Debug)]
enum Marks {
    /// The low halves of packet numbers, ascending.
    List(Vec<u16>),
    /// A bit for each packet.
    Bits(Vec<u64>),
}

impl Openings {
    /// Adds one, after all others.
    pub(super) fn push(&mut self, packet: u64) {
        let (number, low) = (packet >> PAGE_BITS, low(packet));
        match self.pages.last_mut().filter(|page| page.number == number) {
            Some(page) => page.marks.add(low),
            None => {
                if let Some(page) = self.pages.last_mut() {
                    page.marks.close();
                }
                self.pages.push(Page { number, before: self.count, marks: Marks::List(vec![low]) });
            }
        }
        self.count += 1;
    }

    /// How many there are before `packet`.
    pub(super) fn before(&self, packet: u64) -> u64 {
        let number = packet >> PAGE_BITS;
        let place = self.pages.partition_point(|page| page.number < number);
        match self.pages.get(place) {
            None => self.count,
            Some(page) if page.number == number => page.before + page.marks.below(low(packet)),
            Some(page) => page.before,
        }
    }

    /// The packet of the opening with this number, counted from 0.
    pub(super) fn packet(&self, number: u64) -> Option<u64> {
        let place = self.pages.partition_point(|page| page.before <= number).checked_sub(1)?;
        let page = self.pages.get(place)?;
        let low = page.marks.get(number - page.before)?;
        Some(page.number << PAGE_BITS | u64::from(low))
    }
}

impl Marks {
    fn add(&mut self, low: u16) {
        match self {
            Self::List(list) if list.len() < MOST_LISTED => list.push(low),
            Self::List(list) => {
                let mut bits = vec![0; 1 << (PAGE_BITS - 6)];
                list.iter().chain([&low]).for_each(|low| set(&mut bits, *low));
                *self = Self::Bits(bits);
            }
            Self::Bits(bits) => set(bits, low),
        }
    }

    /// Frees spare capacity: the page is full.
    fn close(&mut self) {
        if let Self::List(list) = self {
            list.shrink_to_fit();
        }
    }

    fn below(&self, low: u16) -> u64 {
        match self {
            Self::List(list) => list.partition_point(|mark| *mark < low) as u64,
            Self::Bits(bits) => {
                let (word, bit) = place(low);
                let full_words: u64 = bits.iter().take(word).map(|word| u64::from(word.count_ones())).sum();
                let rest = bits.get(word).copied().unwrap_or(0) & ((1 << bit) - 1);
                full_words + u64::from(rest.count_ones())
            }
        }
    }

    fn get(&self, number: u64) -> Option<u16> {
        match self {
            Self::List(list) => list.get(usize::try_from(number).ok()?).copied(),
            Self::Bits(bits) => {
                let mut left = number;
                for (place, word) in bits.iter().enumerate() {
                    let ones = u64::from(word.count_ones());
                    if left < ones {
                        // Clears the lowest bits, so that the one asked for is the lowest.
                        let word = (0..left).fold(*word, |word, _| word & word.wrapping_sub(1));
                        return u16::try_from(place << 6 | usize::try_from(word.trailing_zeros()).ok()?).ok();
                    }
                    left -= ones;
                }
                None
            }
        }
    }
}

/// The place of a packet in its page.
fn low(packet: u64) -> u16 {
    u16::try_from(packet & 0xFFFF).unwrap_or(0)
}

/// The word and the bit for a packet.
fn place(low: u16) -> (usize, u32) {
    (usize::from(low >> 6), u32::from(low & 63))
}

fn set(bits: &mut [u64], low: u16) {
    let (word, bit) = place(low);
    if let Some(word) = bits.get_mut(word) {
        *word |= 1 << bit;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(packets: &[u64], asked: &[u64]) {
        let mut openings = Openings::default();
        packets.iter().for_each(|packet| openings.push(*packet));
        for packet in packets.iter().chain(asked) {
            let before = packets.iter().filter(|other| *other < packet).count() as u64;
            assert_eq!(openings.before(*packet), before, "{packet}");
        }
        for (number, packet) in (0..).zip(packets) {
            assert_eq!(openings.packet(number), Some(*packet));
        }
        assert_eq!(openings.packet(packets.len() as u64), None);
    }

    #[test]
    fn dense_and_sparse_pages() {
        check(&[], &[0, 1, u64::MAX]);
        let flood: Vec<u64> = (60_000..74_000).chain(200_000..200_010).chain([u64::MAX - 1]).collect();
        check(&flood, &[0, 65_535, 65_536, 100_000, 1 << 40, u64::MAX]);
        let every_third: Vec<u64> = (0..20_000).map(|number| number * 3).collect();
        let mut openings = Openings::default();
        every_third.iter().for_each(|packet| openings.push(*packet));
        assert!((0..60_000).all(|packet| openings.before(packet) == packet.div_ceil(3)));
        assert!((0..20_000).all(|number| openings.packet(number) == Some(number * 3)));
    }

    proptest! {
        #[test]
        fn as_counted(
            packets in proptest::collection::btree_set(0..300_000_u64, 0..200),
            asked in proptest::collection::vec(0..300_000_u64, 0..50),
        ) {
            check(&packets.into_iter().collect::<Vec<_>>(), &asked);
        }
    }
}

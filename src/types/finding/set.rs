//! A set of finding codes, such as those of one frame.

use super::code::FindingCode;

/// Codes that a set has room for.
const CAPACITY: usize = 128;

const _: () = assert!(FindingCode::ALL.len() <= CAPACITY, "every code must fit a FindingSet");

/// A set of codes. Two words, not one `u128`, whose alignment of 16 bytes would grow every frame and message by 8 more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FindingSet([u64; CAPACITY / 64]);

impl FindingSet {
    /// Adds a code.
    pub const fn insert(&mut self, code: FindingCode) {
        let [low, high] = &mut self.0;
        match code as u32 {
            bit @ 0..64 => *low |= 1 << bit,
            bit => *high |= 1 << (bit - 64),
        }
    }

    /// Whether the code is in it.
    #[must_use]
    pub const fn contains(self, code: FindingCode) -> bool {
        let [low, high] = self.0;
        let (word, bit) = match code as u32 {
            bit @ 0..64 => (low, bit),
            bit => (high, bit - 64),
        };
        word >> bit & 1 == 1
    }

    /// Adds all of another set.
    pub const fn extend(&mut self, other: Self) {
        let [low, high] = &mut self.0;
        *low |= other.0[0];
        *high |= other.0[1];
    }

    /// Whether no code is in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        matches!(self.0, [0, 0])
    }

    /// The codes in it, in the table's order.
    pub fn iter(self) -> impl Iterator<Item = FindingCode> {
        FindingCode::ALL.into_iter().filter(move |code| self.contains(*code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_the_codes_that_were_inserted() {
        let mut set = FindingSet::default();
        assert!(set.is_empty());
        set.insert(FindingCode::TlsUndecryptable);
        set.insert(FindingCode::AcceptMismatch);
        assert_eq!(set.iter().collect::<Vec<_>>(), [FindingCode::AcceptMismatch, FindingCode::TlsUndecryptable]);
        let mut all = FindingSet::default();
        for code in FindingCode::ALL {
            assert!(!all.contains(code), "{code} before it was inserted");
            all.insert(code);
        }
        let mut both = set;
        both.extend(all);
        assert_eq!(both, all);
        assert!(FindingCode::ALL.into_iter().eq(all.iter()));
    }
}

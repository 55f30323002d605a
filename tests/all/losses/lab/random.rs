//! Seeded numbers: the same on every machine.

/// A small generator (xorshift64*).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0xd1b5_4a32_d192_ed03 | 1);
        for _ in 0..8 {
            random.next();
        }
        random
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// 0 to `bound` - 1.
    pub fn below(&mut self, bound: usize) -> usize {
        ((self.next() >> 11) % bound.max(1) as u64) as usize
    }

    /// From `low` to `high`, both included.
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    /// One in `n`.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<'t, T: ?Sized>(&mut self, from: &[&'t T]) -> &'t T {
        from[self.below(from.len())]
    }

    pub fn byte(&mut self) -> u8 {
        (self.next() >> 32) as u8
    }

    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.byte()).collect()
    }

    /// Words of lower-case letters.
    pub fn words(&mut self, len: usize) -> String {
        (0..len).map(|_| if self.one_in(6) { ' ' } else { char::from(b'a' + self.below(26) as u8) }).collect()
    }

    /// A JSON object of about `len` bytes.
    pub fn json(&mut self, len: usize) -> String {
        let mut out = format!("{{\"id\":{}", self.below(1_000_000));
        while out.len() + 2 < len {
            let name = self.pick(&["price", "symbol", "user", "text", "städt", "ts", "数"]);
            match self.below(3) {
                0 => out += &format!(",\"{name}\":{}.{:02}", self.below(100_000), self.below(100)),
                1 => out += &format!(",\"{name}\":{}", self.next() >> 20),
                _ => {
                    let len = self.between(3, 30);
                    out += &format!(",\"{name}\":\"{}\"", self.words(len));
                }
            }
        }
        out + "}"
    }
}

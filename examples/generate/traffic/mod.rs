//! Synthetic WebSocket traffic: clients mask, servers do not; everything is acknowledged; a share of the connections
//! compresses with context takeover. TCP checksums are zero, as where a network card was to fill them in.

use std::io::{self, Write};

mod conversation;
mod wire;

use conversation::{Conversation, Pool};
use wire::Wire;

/// What is written.
pub(crate) struct Mix {
    /// About how many bytes.
    pub(crate) size: u64,
    /// How many WebSocket connections.
    pub(crate) connections: u64,
    /// How many of them at once.
    pub(crate) concurrent: usize,
    /// The share of connections that compress.
    pub(crate) deflate: f64,
    /// How many of a hundred bytes belong to other protocols.
    pub(crate) background: u64,
    /// The share of messages of 50 to 300 bytes.
    pub(crate) small: f64,
    /// The share of messages of 256 KiB; the rest has 1 to 16 KiB.
    pub(crate) large: f64,
    /// The length of every message, instead of such a mixture.
    pub(crate) length: Option<usize>,
    /// Another number, other bytes.
    pub(crate) seed: u64,
}

/// What was written.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) connections: u64,
    pub(crate) frames: u64,
    pub(crate) messages: u64,
    pub(crate) content: u64,
    pub(crate) compressed: u64,
}

/// Numbers that look random and are the same every time (`SplitMix64`).
struct Random(u64);

impl Random {
    const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From `from` to `to` - 1.
    fn between(&mut self, from: usize, to: usize) -> usize {
        from + usize::try_from(self.bits() % (to - from) as u64).unwrap_or(0)
    }

    /// True in `share` of all cases.
    fn chance(&mut self, share: f64) -> bool {
        ((self.bits() >> 11) as f64) < share * (1_u64 << 53) as f64
    }
}

/// Writes a capture file to `to`.
pub(crate) fn write<W: Write>(mix: &Mix, to: W) -> io::Result<Written> {
    let mut wire = Wire::new(to)?;
    let mut random = Random(mix.seed);
    let mut written = Written::default();
    let pool = Pool::new(&mut random);
    let others = mix.size / 100 * mix.background;
    let budget = (mix.size - others) / mix.connections.max(1);
    let (mut open, mut made, mut other_bytes) = (Vec::new(), 0, 0);
    while made < mix.connections || !open.is_empty() {
        while made < mix.connections && open.len() < mix.concurrent {
            open.push(Conversation::open(made, budget, mix, &mut random, &mut wire, &mut written)?);
            made += 1;
        }
        let at = random.between(0, open.len());
        let goes_on = open.get_mut(at).is_some_and(|conversation| conversation.goes_on());
        if let Some(conversation) = open.get_mut(at) {
            conversation.burst(mix, &pool, &mut random, &mut wire, &mut written)?;
        }
        if !goes_on {
            open.swap_remove(at);
        }
        let share = wire.bytes() / 100 * mix.background;
        while other_bytes < share.min(others) {
            other_bytes += wire.other(&mut random)?;
        }
    }
    while other_bytes < others {
        other_bytes += wire.other(&mut random)?;
    }
    (written.packets, written.bytes) = (wire.packets(), wire.bytes());
    wire.finish()?;
    Ok(written)
}

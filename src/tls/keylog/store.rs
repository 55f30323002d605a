//! Secrets by session (machine): a compact index over chunks of memory that are wiped when they are freed.
//!
//! A session is stored as its name of 32 bytes and its first secret; further secrets of the session form a list:
//!
//! ```text
//! name (32) | next (4) | label (1) | length (1) | secret (length)
//!             next (4) | label (1) | length (1) | secret (length)   where `next` of the first points
//! ```
//!
//! Bytes in a chunk are never moved, so that wiping the chunks leaves no copy.

use core::hash::BuildHasher as _;

use hashbrown::{DefaultHashBuilder, HashTable};
use zeroize::Zeroizing;

use super::line::Label;
use crate::tls::hello::RANDOM_LEN;

/// Bytes of a chunk, as a power of two.
const CHUNK_BITS: u32 = 20;
pub(super) const CHUNK: usize = 1 << CHUNK_BITS;
/// Chunks that are kept, at most: a gigabyte, 12 million sessions.
const MAX_CHUNKS: usize = 1024;
/// The end of a session's list.
const NONE: u32 = u32::MAX;
/// Bytes before each secret: the place of the session's next secret, the label, the length.
const FRONT: usize = 6;
/// The same, and the length of a name, as distances between places.
const FRONT_SPAN: u32 = 6;
const NAME_SPAN: u32 = 32;

/// What a session is found by: its client random, or another name as long.
type Name = [u8; RANDOM_LEN];

/// The secrets of any number of sessions.
pub(super) struct SecretStore {
    chunks: Vec<Zeroizing<Vec<u8>>>,
    /// The place of each session. A place is the number of a chunk, and an offset in the chunk.
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl SecretStore {
    /// A store without secrets.
    pub(super) fn new() -> Self {
        Self { chunks: Vec::new(), index: HashTable::new(), hasher: DefaultHashBuilder::default() }
    }

    /// How many sessions there are.
    pub(super) fn sessions(&self) -> usize {
        self.index.len()
    }

    /// Bytes that are kept.
    pub(super) fn held(&self) -> usize {
        let index = self.index.capacity().saturating_mul(5);
        self.chunks.len().saturating_mul(CHUNK).saturating_add(index)
    }

    /// Whether there is a secret of that session.
    pub(super) fn has_session(&self, name: &Name) -> bool {
        self.session(name).is_some()
    }

    /// The secret of that session with that label.
    pub(super) fn secret(&self, name: &Name, label: Label) -> Option<&[u8]> {
        let mut next = self.session(name)?.saturating_add(NAME_SPAN);
        while next != NONE {
            let (after, kind, secret) = self.entry(next)?;
            if kind == label as u8 {
                return Some(secret);
            }
            next = after;
        }
        None
    }

    /// Adds a secret. False if the store is full.
    pub(super) fn insert(&mut self, name: &Name, label: Label, secret: &[u8]) -> bool {
        let inserted = match self.session(name) {
            None => self.insert_session(name, label, secret),
            Some(session) => self.append(session, label, secret),
        };
        inserted.is_some()
    }

    fn insert_session(&mut self, name: &Name, label: Label, secret: &[u8]) -> Option<()> {
        let at = self.store(&[name, &front(NONE, label, secret), secret])?;
        let hash = self.hasher.hash_one(name);
        let (chunks, hasher) = (&self.chunks, &self.hasher);
        self.index.insert_unique(hash, at, |&other| hasher.hash_one(bytes(chunks, other, RANDOM_LEN)));
        Some(())
    }

    /// Adds a secret of a session that is there. It becomes the second of the list: its place is written into the first, which
    /// never moves.
    fn append(&mut self, session: u32, label: Label, secret: &[u8]) -> Option<()> {
        let first = session.saturating_add(NAME_SPAN);
        let (second, ..) = self.entry(first)?;
        let at = self.store(&[&front(second, label, secret), secret])?;
        let start = place_in_chunk(first);
        let next = self.chunks.get_mut(chunk_of(first))?.get_mut(start..start.saturating_add(4))?;
        next.copy_from_slice(&at.to_be_bytes());
        Some(())
    }

    /// The place of a session.
    fn session(&self, name: &Name) -> Option<u32> {
        let hash = self.hasher.hash_one(name.as_slice());
        self.index.find(hash, |&at| bytes(&self.chunks, at, RANDOM_LEN) == name).copied()
    }

    /// The secret at a place: the place of the session's next, the label, the secret.
    fn entry(&self, at: u32) -> Option<(u32, u8, &[u8])> {
        let [a, b, c, d, label, len] = *bytes(&self.chunks, at, FRONT).first_chunk::<FRONT>()?;
        let secret = bytes(&self.chunks, at.saturating_add(FRONT_SPAN), usize::from(len));
        Some((u32::from_be_bytes([a, b, c, d]), label, secret))
    }

    /// Stores bytes in one chunk, and gives their place. `None` if the store is full.
    fn store(&mut self, parts: &[&[u8]]) -> Option<u32> {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        if self.chunks.last().is_none_or(|chunk| chunk.len().saturating_add(len) > CHUNK) {
            if self.chunks.len() >= MAX_CHUNKS {
                return None;
            }
            self.chunks.push(Zeroizing::new(Vec::with_capacity(CHUNK)));
        }
        let number = u32::try_from(self.chunks.len().checked_sub(1)?).ok()?;
        let chunk = self.chunks.last_mut()?;
        let offset = u32::try_from(chunk.len()).ok()?;
        parts.iter().for_each(|part| chunk.extend_from_slice(part));
        Some(number << CHUNK_BITS | offset)
    }
}

/// The bytes before a secret.
fn front(next: u32, label: Label, secret: &[u8]) -> [u8; FRONT] {
    let [a, b, c, d] = next.to_be_bytes();
    [a, b, c, d, label as u8, u8::try_from(secret.len()).unwrap_or(u8::MAX)]
}

const fn chunk_of(at: u32) -> usize {
    (at >> CHUNK_BITS) as usize
}

const fn place_in_chunk(at: u32) -> usize {
    at as usize & (CHUNK - 1)
}

fn bytes(chunks: &[Zeroizing<Vec<u8>>], at: u32, len: usize) -> &[u8] {
    let start = place_in_chunk(at);
    chunks.get(chunk_of(at)).and_then(|chunk| chunk.get(start..start.saturating_add(len))).unwrap_or_default()
}

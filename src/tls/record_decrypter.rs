//! Opens the records of one direction under one key (RFC 8446 §5.2, RFC 5246 §6.2.3).
//!
//! In: a record and its number. Out: what it carries, if it is authentic; tags and codes are always checked. Which keys
//! hold when is not known here.

use zeroize::Zeroizing;

use super::crypto::{AeadKey, CBC_BLOCK, MacKey};
use super::keylog::MAX_SECRET;
use super::record::{ContentType, RecordHeader};
use super::schedule::{WriteKeys, expand_label};
use super::suites::{Bulk, Hash, Suite};

/// A key, and the number of the next record under it.
pub(super) struct RecordDecrypter {
    kind: Cipher,
    suite: Suite,
    /// The number of the next record.
    pub(super) next: u64,
    /// The traffic secret of TLS 1.3, from which the next one is made (RFC 8446 §7.2).
    secret: Option<Zeroizing<[u8; MAX_SECRET]>>,
}

enum Cipher {
    /// TLS 1.3: the header is authenticated, the vector goes with the number.
    Aead13 { key: AeadKey, iv: [u8; 12] },
    /// TLS 1.2 with AES: half of the nonce is in the record (RFC 5288 §3, RFC 6655 §3).
    Explicit { key: AeadKey, salt: [u8; 4] },
    /// TLS 1.2 with ChaCha20 (RFC 7905 §2).
    Implicit { key: AeadKey, iv: [u8; 12] },
    /// Up to TLS 1.2.
    Cbc(Box<Cbc>),
}

/// Blocks and a code.
struct Cbc {
    key: super::crypto::CbcKey,
    mac: MacKey,
    /// The code stands outside (RFC 7366).
    outside: bool,
    /// TLS 1.0: the last block of the record before is the vector of the next.
    chain: Option<[u8; CBC_BLOCK]>,
}

/// What was in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Opened {
    /// What it carries.
    pub(super) content: ContentType,
    /// Bytes of plaintext, at the front of the buffer.
    pub(super) len: usize,
}

impl RecordDecrypter {
    /// From a traffic secret of TLS 1.3; `None` if it does not belong to the suite.
    pub(super) fn tls13(suite: Suite, secret: &[u8]) -> Option<Self> {
        if secret.len() != suite.hash.len() {
            return None;
        }
        let mut key = Zeroizing::new([0; 32]);
        let key = key.get_mut(..suite.bulk.key_len())?;
        expand_label(suite.hash, secret, b"key", key);
        let mut iv = [0; 12];
        expand_label(suite.hash, secret, b"iv", &mut iv);
        let mut kept = Zeroizing::new([0; MAX_SECRET]);
        kept.iter_mut().zip(secret).for_each(|(to, from)| *to = *from);
        let kind = Cipher::Aead13 { key: AeadKey::new(suite.bulk, key)?, iv };
        Some(Self { kind, suite, next: 0, secret: Some(kept) })
    }

    /// From a key block; `outside` if the code stands outside (RFC 7366).
    pub(super) fn tls12(version: u16, suite: Suite, keys: &WriteKeys<'_>, outside: bool) -> Option<Self> {
        let kind = match suite.bulk {
            Bulk::Aes128Cbc | Bulk::Aes256Cbc => Cipher::Cbc(Box::new(Cbc {
                key: super::crypto::CbcKey::new(suite.bulk, keys.key)?,
                mac: MacKey::new(suite.hash, keys.mac),
                outside,
                chain: if version <= 0x0301 { Some(*keys.iv.first_chunk()?) } else { None },
            })),
            Bulk::ChaCha20Poly1305 => {
                Cipher::Implicit { key: AeadKey::new(suite.bulk, keys.key)?, iv: *keys.iv.first_chunk()? }
            }
            _ => Cipher::Explicit { key: AeadKey::new(suite.bulk, keys.key)?, salt: *keys.iv.first_chunk()? },
        };
        Some(Self { kind, suite, next: 0, secret: None })
    }

    /// The key that a KeyUpdate puts in this one's place (RFC 8446 §7.2); `None` before TLS 1.3.
    pub(super) fn updated(&self) -> Option<Self> {
        let hash: Hash = self.suite.hash;
        let mut next = Zeroizing::new([0; MAX_SECRET]);
        let next = next.get_mut(..hash.len())?;
        expand_label(hash, self.secret.as_ref()?.get(..hash.len())?, b"traffic upd", next);
        Self::tls13(self.suite, next)
    }

    /// Bytes that every record has besides its plaintext, header included: the fewest.
    pub(super) const fn overhead(&self) -> u64 {
        let inside = match &self.kind {
            Cipher::Aead13 { .. } => self.suite.bulk.tag_len() + 1,
            Cipher::Explicit { .. } => self.suite.bulk.tag_len() + 8,
            Cipher::Implicit { .. } => self.suite.bulk.tag_len(),
            Cipher::Cbc(cbc) => cbc.mac.len(),
        };
        (inside + super::record::HEADER_LEN) as u64
    }

    /// Whether records can be opened without those before them.
    pub(super) const fn is_random_access(&self) -> bool {
        !matches!(&self.kind, Cipher::Cbc(cbc) if cbc.chain.is_some())
    }

    /// Opens the record of that number into `out`, which has room for it.
    pub(super) fn open(&self, number: u64, header: RecordHeader, fragment: &[u8], out: &mut [u8]) -> Option<Opened> {
        match &self.kind {
            Cipher::Aead13 { key, iv } => {
                let len = self.aead(key, xor(*iv, number), &header.to_bytes(), fragment, out)?;
                // TLSInnerPlaintext (RFC 8446 §5.4): content, its type, zeros.
                let inner = out.get(..len)?;
                let at = inner.iter().rposition(|byte| *byte != 0)?;
                Some(Opened { content: ContentType(*inner.get(at)?), len: at })
            }
            Cipher::Explicit { key, salt } => {
                let (explicit, sealed) = fragment.split_first_chunk::<8>()?;
                let ([a, b, c, d], [e, f, g, h, i, j, k, l]) = (*salt, *explicit);
                let nonce = [a, b, c, d, e, f, g, h, i, j, k, l];
                self.aead12(key, nonce, number, header, sealed, out)
            }
            Cipher::Implicit { key, iv } => self.aead12(key, xor(*iv, number), number, header, fragment, out),
            Cipher::Cbc(cbc) => cbc.open(number, header, fragment, out),
        }
    }

    /// The record of that number was the last: goes on behind it.
    pub(super) fn passed(&mut self, number: u64, fragment: &[u8]) {
        self.next = number.saturating_add(1);
        self.chain(fragment);
    }

    /// The next record's vector may be in this one.
    pub(super) fn chain(&mut self, fragment: &[u8]) {
        if let Cipher::Cbc(cbc) = &mut self.kind
            && cbc.chain.is_some()
        {
            let blocks = fragment.len().checked_sub(cbc.outer()).and_then(|len| fragment.get(..len));
            cbc.chain = blocks.and_then(|blocks| blocks.last_chunk().copied()).or(cbc.chain);
        }
    }

    /// Goes on behind these bytes, the end of a record. No, if they are too few for that.
    pub(super) fn chain_behind(&mut self, bytes: &[u8]) -> bool {
        let Cipher::Cbc(cbc) = &mut self.kind else { return true };
        if cbc.chain.is_none() {
            return true;
        }
        let blocks = bytes.len().checked_sub(cbc.outer()).and_then(|len| bytes.get(..len));
        let Some(block) = blocks.and_then(|blocks| blocks.last_chunk().copied()) else { return false };
        cbc.chain = Some(block);
        true
    }

    fn aead12(
        &self,
        key: &AeadKey,
        nonce: [u8; 12],
        number: u64,
        header: RecordHeader,
        sealed: &[u8],
        out: &mut [u8],
    ) -> Option<Opened> {
        let len = sealed.len().checked_sub(self.suite.bulk.tag_len())?;
        let len = self.aead(key, nonce, &pseudo_header(number, header, len)?, sealed, out)?;
        Some(Opened { content: header.content, len })
    }

    /// Opens bytes with a tag behind them; says how many they are.
    fn aead(&self, key: &AeadKey, nonce: [u8; 12], aad: &[u8], sealed: &[u8], out: &mut [u8]) -> Option<usize> {
        let len = sealed.len().checked_sub(self.suite.bulk.tag_len())?;
        let (sealed, tag) = sealed.split_at_checked(len)?;
        key.open(nonce, aad, sealed, tag, out.get_mut(..len)?).then_some(len)
    }
}

impl Cbc {
    fn open(&self, number: u64, header: RecordHeader, fragment: &[u8], out: &mut [u8]) -> Option<Opened> {
        let (fragment, code) = fragment.split_at_checked(fragment.len().checked_sub(self.outer())?)?;
        let (iv, blocks) = match self.chain {
            Some(iv) => (iv, fragment),
            None => fragment.split_first_chunk().map(|(iv, blocks)| (*iv, blocks))?,
        };
        if self.outside && !self.mac.verify(&[&pseudo_header(number, header, fragment.len())?, fragment], code) {
            return None;
        }
        let out = out.get_mut(..blocks.len())?;
        out.copy_from_slice(blocks);
        if blocks.is_empty() || !self.key.open(iv, out) {
            return None;
        }
        let padding = usize::from(*out.last()?);
        let len = out.len().checked_sub(padding)?.checked_sub(1)?;
        if out.get(len..)?.iter().any(|byte| usize::from(*byte) != padding) {
            return None;
        }
        if self.outside {
            return Some(Opened { content: header.content, len });
        }
        let (text, code) = out.get(..len)?.split_at_checked(len.checked_sub(self.mac.len())?)?;
        let authentic = self.mac.verify(&[&pseudo_header(number, header, text.len())?, text], code);
        authentic.then_some(Opened { content: header.content, len: text.len() })
    }

    /// Bytes of a code that stands outside.
    const fn outer(&self) -> usize {
        if self.outside { self.mac.len() } else { 0 }
    }
}

/// "The padded sequence number is XORed with either the static client_write_iv or server_write_iv" (RFC 8446 §5.3)
fn xor(iv: [u8; 12], number: u64) -> [u8; 12] {
    let mut nonce = iv;
    nonce.iter_mut().rev().zip(number.to_be_bytes().iter().rev()).for_each(|(to, from)| *to ^= from);
    nonce
}

/// "additional_data = seq_num + TLSCompressed.type + TLSCompressed.version + TLSCompressed.length" (RFC 5246 §6.2.3.3);
/// codes are over the same.
fn pseudo_header(number: u64, header: RecordHeader, len: usize) -> Option<[u8; 13]> {
    let [a, b, c, d, e, f, g, h] = number.to_be_bytes();
    let ([major, minor], [high, low]) = (header.version.to_be_bytes(), u16::try_from(len).ok()?.to_be_bytes());
    Some([a, b, c, d, e, f, g, h, header.content.0, major, minor, high, low])
}

#[cfg(feature = "tls")]
#[cfg(test)]
mod tests;

//! Opens the records of one direction under one key (RFC 8446 §5.2, RFC 5246 §6.2.3).
//!
//! In: a record and its sequence number. Out: its plaintext, if it is authentic; tags and MACs are always checked. Which key is
//! in use is not known here: a [`RecordStream`](super::record_stream::RecordStream) has one decrypter after another.

use zeroize::Zeroizing;

use super::crypto::{AeadKey, CBC_BLOCK, CbcKey, MacKey, Sealed};
use super::keylog::MAX_SECRET;
use super::record::{ContentType, HEADER_LEN, Record, RecordHeader};
use super::schedule::{WriteKeys, expand_label};
use super::suites::{Bulk, Hash, Suite};

/// A key, and the sequence number of the next record under it.
pub(super) struct RecordDecrypter {
    cipher: Cipher,
    suite: Suite,
    /// The sequence number of the next record.
    pub(super) next: u64,
    /// The traffic secret of TLS 1.3, from which a KeyUpdate makes the next one (RFC 8446 §7.2).
    secret: Option<Zeroizing<[u8; MAX_SECRET]>>,
}

/// How records are protected.
enum Cipher {
    /// TLS 1.3: the header is authenticated, and the nonce is made of the vector and the number (RFC 8446 §5.3).
    Aead13 { key: AeadKey, iv: [u8; 12] },
    /// TLS 1.2 with AES: half of the nonce is in the record (RFC 5288 §3, RFC 6655 §3).
    Explicit { key: AeadKey, salt: [u8; 4] },
    /// TLS 1.2 with ChaCha20 (RFC 7905 §2).
    Implicit { key: AeadKey, iv: [u8; 12] },
    /// AES-CBC, up to TLS 1.2 (RFC 5246 §6.2.3.2).
    Cbc(Box<Cbc>),
}

/// A block cipher and a MAC.
struct Cbc {
    key: CbcKey,
    mac: MacKey,
    /// The MAC is over the ciphertext, and not encrypted (RFC 7366).
    encrypt_then_mac: bool,
    /// TLS 1.0: the last block of a record is the vector of the next record.
    chain: Option<[u8; CBC_BLOCK]>,
}

/// The plaintext of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Opened {
    /// Its content type.
    pub(super) content: ContentType,
    /// Bytes of plaintext, at the front of the buffer.
    pub(super) len: usize,
}

impl RecordDecrypter {
    /// From a traffic secret of TLS 1.3; `None` if its length is not that of the suite's hash.
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
        let cipher = Cipher::Aead13 { key: AeadKey::new(suite.bulk, key)?, iv };
        Some(Self { cipher, suite, next: 0, secret: Some(kept) })
    }

    /// From a key block, up to TLS 1.2; `encrypt_then_mac` if that was negotiated (RFC 7366).
    pub(super) fn tls12(version: u16, suite: Suite, keys: &WriteKeys<'_>, encrypt_then_mac: bool) -> Option<Self> {
        let cipher = match suite.bulk {
            Bulk::Aes128Cbc | Bulk::Aes256Cbc => Cipher::Cbc(Box::new(Cbc {
                key: CbcKey::new(suite.bulk, keys.key)?,
                mac: MacKey::new(suite.hash, keys.mac),
                encrypt_then_mac,
                chain: if version <= 0x0301 { Some(*keys.iv.first_chunk()?) } else { None },
            })),
            Bulk::ChaCha20Poly1305 => {
                Cipher::Implicit { key: AeadKey::new(suite.bulk, keys.key)?, iv: *keys.iv.first_chunk()? }
            }
            _ => Cipher::Explicit { key: AeadKey::new(suite.bulk, keys.key)?, salt: *keys.iv.first_chunk()? },
        };
        Some(Self { cipher, suite, next: 0, secret: None })
    }

    /// The key after a KeyUpdate (RFC 8446 §7.2); `None` before TLS 1.3.
    pub(super) fn updated(&self) -> Option<Self> {
        let hash: Hash = self.suite.hash;
        let mut next = Zeroizing::new([0; MAX_SECRET]);
        let next = next.get_mut(..hash.len())?;
        expand_label(hash, self.secret.as_ref()?.get(..hash.len())?, b"traffic upd", next);
        Self::tls13(self.suite, next)
    }

    /// Bytes that every record has at least besides its plaintext, header included.
    pub(super) const fn overhead(&self) -> u64 {
        let inside = match &self.cipher {
            Cipher::Aead13 { .. } => self.suite.bulk.tag_len() + 1,
            Cipher::Explicit { .. } => self.suite.bulk.tag_len() + 8,
            Cipher::Implicit { .. } => self.suite.bulk.tag_len(),
            Cipher::Cbc(cbc) => cbc.mac.len(),
        };
        (inside + HEADER_LEN) as u64
    }

    /// Whether a record can be opened without the record before it.
    pub(super) const fn is_random_access(&self) -> bool {
        !matches!(&self.cipher, Cipher::Cbc(cbc) if cbc.chain.is_some())
    }

    /// Opens the record with that sequence number into `out`, which has room for it.
    pub(super) fn open(&self, number: u64, record: Record<'_>, out: &mut [u8]) -> Option<Opened> {
        match &self.cipher {
            Cipher::Aead13 { key, iv } => {
                let header = record.header.to_bytes();
                let sealed = self.sealed(xor(*iv, number), &header, record.fragment)?;
                let inner = open(key, sealed, out)?;
                // TLSInnerPlaintext (RFC 8446 §5.4): content, its type, zeros.
                let at = inner.iter().rposition(|byte| *byte != 0)?;
                Some(Opened { content: ContentType(*inner.get(at)?), len: at })
            }
            Cipher::Explicit { key, salt } => {
                let (explicit, fragment) = record.fragment.split_first_chunk::<8>()?;
                let ([a, b, c, d], [e, f, g, h, i, j, k, l]) = (*salt, *explicit);
                let nonce = [a, b, c, d, e, f, g, h, i, j, k, l];
                let aad = self.aad12(number, record.header, fragment)?;
                let plain = open(key, self.sealed(nonce, &aad, fragment)?, out)?;
                Some(Opened { content: record.header.content, len: plain.len() })
            }
            Cipher::Implicit { key, iv } => {
                let aad = self.aad12(number, record.header, record.fragment)?;
                let plain = open(key, self.sealed(xor(*iv, number), &aad, record.fragment)?, out)?;
                Some(Opened { content: record.header.content, len: plain.len() })
            }
            Cipher::Cbc(cbc) => cbc.open(number, record, out),
        }
    }

    /// The record with that number was opened: the next one follows it.
    pub(super) fn advance(&mut self, number: u64, fragment: &[u8]) {
        self.next = number.saturating_add(1);
        self.chain(fragment);
    }

    /// A record went by: in TLS 1.0, the vector of the next record is in it.
    pub(super) fn chain(&mut self, fragment: &[u8]) {
        if let Cipher::Cbc(cbc) = &mut self.cipher
            && cbc.chain.is_some()
        {
            let blocks = fragment.len().checked_sub(cbc.outer_mac_len()).and_then(|len| fragment.get(..len));
            cbc.chain = blocks.and_then(|blocks| blocks.last_chunk().copied()).or(cbc.chain);
        }
    }

    /// The next record follows these bytes, the end of a record. False if they are too few for the vector of the next record.
    pub(super) fn chain_after(&mut self, bytes: &[u8]) -> bool {
        let Cipher::Cbc(cbc) = &mut self.cipher else { return true };
        if cbc.chain.is_none() {
            return true;
        }
        let blocks = bytes.len().checked_sub(cbc.outer_mac_len()).and_then(|len| bytes.get(..len));
        let Some(block) = blocks.and_then(|blocks| blocks.last_chunk().copied()) else { return false };
        cbc.chain = Some(block);
        true
    }

    /// The authenticated bytes of a record of TLS 1.2, whose fragment is here without its explicit nonce.
    fn aad12(&self, number: u64, header: RecordHeader, fragment: &[u8]) -> Option<[u8; 13]> {
        pseudo_header(number, header, fragment.len().checked_sub(self.suite.bulk.tag_len())?)
    }

    /// A fragment, which ends with a tag, and what else it is sealed with.
    fn sealed<'r>(&self, nonce: [u8; 12], aad: &'r [u8], fragment: &'r [u8]) -> Option<Sealed<'r>> {
        let len = fragment.len().checked_sub(self.suite.bulk.tag_len())?;
        let (ciphertext, tag) = fragment.split_at_checked(len)?;
        Some(Sealed { nonce, aad, ciphertext, tag })
    }
}

/// Opens into the front of `out`, and gives that.
fn open<'o>(key: &AeadKey, sealed: Sealed<'_>, out: &'o mut [u8]) -> Option<&'o [u8]> {
    let out = out.get_mut(..sealed.ciphertext.len())?;
    key.open(sealed, out).then_some(out)
}

impl Cbc {
    fn open(&self, number: u64, record: Record<'_>, out: &mut [u8]) -> Option<Opened> {
        let Record { header, fragment } = record;
        let (fragment, mac) = fragment.split_at_checked(fragment.len().checked_sub(self.outer_mac_len())?)?;
        let (iv, blocks) = match self.chain {
            Some(iv) => (iv, fragment),
            None => fragment.split_first_chunk().map(|(iv, blocks)| (*iv, blocks))?,
        };
        if self.encrypt_then_mac && !self.mac.verify(&[&pseudo_header(number, header, fragment.len())?, fragment], mac)
        {
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
        if self.encrypt_then_mac {
            return Some(Opened { content: header.content, len });
        }
        let (text, mac) = out.get(..len)?.split_at_checked(len.checked_sub(self.mac.len())?)?;
        let authentic = self.mac.verify(&[&pseudo_header(number, header, text.len())?, text], mac);
        authentic.then_some(Opened { content: header.content, len: text.len() })
    }

    /// Bytes of a MAC that is not encrypted.
    const fn outer_mac_len(&self) -> usize {
        if self.encrypt_then_mac { self.mac.len() } else { 0 }
    }
}

/// "The padded sequence number is XORed with either the static client_write_iv or server_write_iv" (RFC 8446 §5.3)
fn xor(iv: [u8; 12], number: u64) -> [u8; 12] {
    let mut nonce = iv;
    nonce.iter_mut().rev().zip(number.to_be_bytes().iter().rev()).for_each(|(to, from)| *to ^= from);
    nonce
}

/// "additional_data = seq_num + TLSCompressed.type + TLSCompressed.version + TLSCompressed.length" (RFC 5246 §6.2.3.3);
/// MACs are over the same.
fn pseudo_header(number: u64, header: RecordHeader, len: usize) -> Option<[u8; 13]> {
    let [a, b, c, d, e, f, g, h] = number.to_be_bytes();
    let ([major, minor], [high, low]) = (header.version.to_be_bytes(), u16::try_from(len).ok()?.to_be_bytes());
    Some([a, b, c, d, e, f, g, h, header.content.0, major, minor, high, low])
}

#[cfg(feature = "tls")]
#[cfg(test)]
mod tests;

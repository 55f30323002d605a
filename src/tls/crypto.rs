//! The few cryptographic operations that opening records needs: by aws-lc-rs, and by other crates where that lacks them.
//!
//! In: keys, nonces, bytes. Out: plaintext, if it is authentic. Nothing here knows what a record is.

use aes::{Aes128, Aes256};
use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{self, DecryptingKey, DecryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::{aead, digest, hmac};
use ccm::aead::KeyInit as _;
use ccm::consts::{U8, U12, U16};
use md5::{Digest as _, Md5};

use super::suites::{Bulk, Hash};

/// Whether records can be opened at all.
pub(super) const AVAILABLE: bool = true;
/// Bytes of an initialization vector of AES-CBC.
pub(super) const CBC_BLOCK: usize = 16;

type Ccm16<A> = ccm::Ccm<A, U16, U12>;
type Ccm8<A> = ccm::Ccm<A, U8, U12>;

/// Bytes that an AEAD has sealed.
#[derive(Clone, Copy)]
pub(super) struct Sealed<'r> {
    pub(super) nonce: [u8; 12],
    /// Bytes that are authenticated, and not encrypted.
    pub(super) aad: &'r [u8],
    pub(super) ciphertext: &'r [u8],
    pub(super) tag: &'r [u8],
}

/// A key that opens and authenticates.
pub(super) enum AeadKey {
    /// AES-GCM, ChaCha20-Poly1305.
    Lc(Box<LessSafeKey>),
    /// AES-CCM.
    Ccm128(Box<Ccm16<Aes128>>),
    /// The same, with a longer key.
    Ccm256(Box<Ccm16<Aes256>>),
    /// AES-CCM with a tag of 8 bytes.
    Ccm128Short(Box<Ccm8<Aes128>>),
    /// The same, with a longer key.
    Ccm256Short(Box<Ccm8<Aes256>>),
}

impl AeadKey {
    /// A key for `bulk`; `None` if that is no AEAD, or the key has another length.
    pub(super) fn new(bulk: Bulk, key: &[u8]) -> Option<Self> {
        let lc = |algorithm| {
            let key = UnboundKey::new(algorithm, key).ok()?;
            Some(Self::Lc(Box::new(LessSafeKey::new(key))))
        };
        match bulk {
            Bulk::Aes128Gcm => lc(&aead::AES_128_GCM),
            Bulk::Aes256Gcm => lc(&aead::AES_256_GCM),
            Bulk::ChaCha20Poly1305 => lc(&aead::CHACHA20_POLY1305),
            Bulk::Aes128Ccm => Ccm16::new_from_slice(key).ok().map(Box::new).map(Self::Ccm128),
            Bulk::Aes256Ccm => Ccm16::new_from_slice(key).ok().map(Box::new).map(Self::Ccm256),
            Bulk::Aes128Ccm8 => Ccm8::new_from_slice(key).ok().map(Box::new).map(Self::Ccm128Short),
            Bulk::Aes256Ccm8 => Ccm8::new_from_slice(key).ok().map(Box::new).map(Self::Ccm256Short),
            Bulk::Aes128Cbc | Bulk::Aes256Cbc => None,
        }
    }

    /// Opens `sealed` into `out`, which is as long as the ciphertext. False if it is not authentic: then `out` means nothing.
    pub(super) fn open(&self, sealed: Sealed<'_>, out: &mut [u8]) -> bool {
        match self {
            Self::Lc(key) => {
                let Sealed { nonce, aad, ciphertext, tag } = sealed;
                let nonce = Nonce::assume_unique_for_key(nonce);
                key.open_separate_gather(nonce, Aad::from(aad), ciphertext, tag, out).is_ok()
            }
            Self::Ccm128(key) => ccm_open(&**key, sealed, out),
            Self::Ccm256(key) => ccm_open(&**key, sealed, out),
            Self::Ccm128Short(key) => ccm_open(&**key, sealed, out),
            Self::Ccm256Short(key) => ccm_open(&**key, sealed, out),
        }
    }
}

fn ccm_open<K>(key: &K, sealed: Sealed<'_>, out: &mut [u8]) -> bool
where
    K: ccm::aead::AeadInOut<NonceSize = U12>,
{
    let Ok(tag) = sealed.tag.try_into() else { return false };
    out.iter_mut().zip(sealed.ciphertext).for_each(|(to, from)| *to = *from);
    key.decrypt_inout_detached(&sealed.nonce.into(), sealed.aad, out.into(), tag).is_ok()
}

/// A key of AES-CBC, which decrypts without authenticating.
pub(super) struct CbcKey(DecryptingKey);

impl CbcKey {
    /// A key for `bulk`; `None` if that is not AES-CBC, or the key has another length.
    pub(super) fn new(bulk: Bulk, key: &[u8]) -> Option<Self> {
        let algorithm = match bulk {
            Bulk::Aes128Cbc => &cipher::AES_128,
            Bulk::Aes256Cbc => &cipher::AES_256,
            _ => return None,
        };
        DecryptingKey::cbc(UnboundCipherKey::new(algorithm, key).ok()?).ok().map(Self)
    }

    /// Decrypts in place; false if these are not complete blocks.
    pub(super) fn open(&self, iv: [u8; CBC_BLOCK], blocks: &mut [u8]) -> bool {
        self.0.decrypt(blocks, DecryptionContext::Iv128(FixedLength::from(iv))).is_ok()
    }
}

/// A key of HMAC.
pub(super) struct MacKey {
    key: hmac::Key,
    /// Bytes of a MAC.
    len: usize,
}

impl MacKey {
    pub(super) fn new(hash: Hash, key: &[u8]) -> Self {
        let algorithm = match hash {
            Hash::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Hash::Sha256 => hmac::HMAC_SHA256,
            Hash::Sha384 => hmac::HMAC_SHA384,
        };
        Self { key: hmac::Key::new(algorithm, key), len: hash.len() }
    }

    /// Bytes of a MAC.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Writes the MAC of the concatenated `parts` to the front of `out`, as far as there is room.
    pub(super) fn sign(&self, parts: &[&[u8]], out: &mut [u8]) {
        let mut context = hmac::Context::with_key(&self.key);
        parts.iter().for_each(|part| context.update(part));
        let tag = context.sign();
        out.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
    }

    /// Whether `mac` is that of the concatenated `parts`.
    pub(super) fn verify(&self, parts: &[&[u8]], mac: &[u8]) -> bool {
        let mut context = hmac::Context::with_key(&self.key);
        parts.iter().for_each(|part| context.update(part));
        context.sign().as_ref() == mac
    }
}

/// HMAC-MD5 (RFC 2104), which only the key schedule of TLS 1.0 and 1.1 needs.
pub(super) fn hmac_md5(key: &[u8], parts: &[&[u8]]) -> [u8; 16] {
    let mut block = [0; 64];
    if key.len() > block.len() {
        block.iter_mut().zip(Md5::digest(key)).for_each(|(to, from)| *to = from);
    } else {
        block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    }
    let mut inner = Md5::new_with_prefix(block.map(|byte| byte ^ 0x36));
    parts.iter().for_each(|part| inner.update(part));
    let inner = inner.finalize();
    Md5::new_with_prefix(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().into()
}

/// A digest of the handshake messages so far.
pub(super) struct Transcript {
    md5: Option<Md5>,
    sha: digest::Context,
}

impl Transcript {
    /// A digest of no messages; with `None`, by MD5 and SHA-1 (TLS 1.0 and 1.1).
    pub(super) fn new(hash: Option<Hash>) -> Self {
        let algorithm = match hash {
            None | Some(Hash::Sha1) => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Some(Hash::Sha256) => &digest::SHA256,
            Some(Hash::Sha384) => &digest::SHA384,
        };
        Self { md5: hash.is_none().then(Md5::new), sha: digest::Context::new(algorithm) }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
        self.sha.update(bytes);
    }

    /// The digest so far.
    pub(super) fn digest(&self) -> Vec<u8> {
        let mut digest = self.md5.clone().map(|md5| md5.finalize().to_vec()).unwrap_or_default();
        digest.extend_from_slice(self.sha.clone().finish().as_ref());
        digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2202 §2, cases 1, 2 and 6.
    #[test]
    fn hmac_md5_is_that_of_the_rfc() {
        let hex = |bytes: [u8; 16]| bytes.map(|byte| format!("{byte:02x}")).concat();
        assert_eq!(hex(hmac_md5(&[0x0b; 16], &[b"Hi ", b"There"])), "9294727a3638bb1c13f48ef8158bfc9d");
        assert_eq!(hex(hmac_md5(b"Jefe", &[b"what do ya want for nothing?"])), "750c783e6ab0b503eaa86e310a5db738");
        assert_eq!(
            hex(hmac_md5(&[0xaa; 80], &[b"Test Using Larger Than Block-Size Key - Hash Key First"])),
            "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd"
        );
    }

    #[test]
    fn keys_of_another_length_are_none() {
        for bulk in Bulk::ALL {
            for len in [0, 15, 17, 24, 31, 33] {
                assert!(AeadKey::new(bulk, &vec![0; len]).is_none() && CbcKey::new(bulk, &vec![0; len]).is_none());
            }
            let key = vec![0; bulk.key_len()];
            assert_eq!(AeadKey::new(bulk, &key).is_some(), !bulk.is_cbc());
            assert_eq!(CbcKey::new(bulk, &key).is_some(), bulk.is_cbc());
        }
    }
}

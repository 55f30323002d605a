//! Replaces `crypto.rs` where the feature `tls` is off: there are no keys, so nothing is opened.

use super::suites::{Bulk, Hash};

pub(super) const AVAILABLE: bool = false;
pub(super) const CBC_BLOCK: usize = 16;

#[expect(dead_code, reason = "no key reads them")]
#[derive(Clone, Copy)]
pub(super) struct Sealed<'r> {
    pub(super) nonce: [u8; 12],
    pub(super) aad: &'r [u8],
    pub(super) ciphertext: &'r [u8],
    pub(super) tag: &'r [u8],
}

/// There is none.
pub(super) enum AeadKey {}

impl AeadKey {
    pub(super) fn new(_: Bulk, _: &[u8]) -> Option<Self> {
        None
    }

    pub(super) fn open(&self, _: Sealed<'_>, _: &mut [u8]) -> bool {
        match *self {}
    }
}

/// There is none.
pub(super) enum CbcKey {}

impl CbcKey {
    pub(super) fn new(_: Bulk, _: &[u8]) -> Option<Self> {
        None
    }

    pub(super) fn open(&self, _: [u8; CBC_BLOCK], _: &mut [u8]) -> bool {
        match *self {}
    }
}

/// It signs nothing.
pub(super) struct MacKey;

impl MacKey {
    pub(super) fn new(_: Hash, _: &[u8]) -> Self {
        Self
    }

    pub(super) const fn len(&self) -> usize {
        0
    }

    pub(super) fn sign(&self, _: &[&[u8]], _: &mut [u8]) {}

    pub(super) fn verify(&self, _: &[&[u8]], _: &[u8]) -> bool {
        false
    }
}

pub(super) fn hmac_md5(_: &[u8], _: &[&[u8]]) -> [u8; 16] {
    [0; 16]
}

/// It digests nothing.
pub(super) struct Transcript;

impl Transcript {
    pub(super) fn new(_: Option<Hash>) -> Self {
        Self
    }

    pub(super) fn update(&mut self, _: &[u8]) {}

    pub(super) fn digest(&self) -> Vec<u8> {
        Vec::new()
    }
}

//! Secrets → keys: the PRF of TLS 1.0 to 1.2 (RFC 2246 §5, RFC 5246 §5), HKDF-Expand-Label of TLS 1.3 (RFC 8446 §7.1).
//!
//! In: secrets of a key log and the randoms of the hellos. Out: key material, in buffers that are wiped when they are freed.
//! Pure functions.

use zeroize::Zeroizing;

use super::crypto::{CBC_BLOCK, MacKey, hmac_md5};
use super::hello::RANDOM_LEN;
use super::suites::{Bulk, Hash, Suite};

/// Bytes of a master secret (RFC 5246 §8.1).
pub(super) const MASTER_LEN: usize = 48;
/// The longest key block: two MAC keys of 48 bytes, two keys of 32 and two vectors of 16.
const MAX_BLOCK: usize = 2 * (48 + 32 + 16);

/// The keys of one direction, up to TLS 1.2 (RFC 5246 §6.3).
pub(super) struct WriteKeys<'k> {
    pub(super) mac: &'k [u8],
    pub(super) key: &'k [u8],
    pub(super) iv: &'k [u8],
}

/// The randoms of both hellos.
#[derive(Clone, Copy)]
pub(super) struct Randoms<'r> {
    pub(super) client: &'r [u8; RANDOM_LEN],
    pub(super) server: &'r [u8; RANDOM_LEN],
}

/// A key block, from which both directions take their keys.
pub(super) struct KeyBlock {
    bytes: Zeroizing<[u8; MAX_BLOCK]>,
    mac_len: usize,
    key_len: usize,
    iv_len: usize,
}

impl KeyBlock {
    /// "key_block = PRF(SecurityParameters.master_secret, "key expansion", SecurityParameters.server_random +
    /// SecurityParameters.client_random)" (RFC 5246 §6.3)
    pub(super) fn new(version: u16, suite: Suite, master: &[u8], randoms: Randoms<'_>) -> Self {
        let mac_len = if suite.bulk.is_cbc() { suite.hash.len() } else { 0 };
        let iv_len = match suite.bulk {
            bulk if bulk.is_cbc() => CBC_BLOCK,
            Bulk::ChaCha20Poly1305 => 12, // RFC 7905 §2
            _ => 4,                       // RFC 5288 §3, RFC 6655 §3
        };
        let mut bytes = Zeroizing::new([0; MAX_BLOCK]);
        let prf = Prf { version, hash: suite.schedule_hash(), secret: master };
        prf.expand(b"key expansion", &[randoms.server, randoms.client], &mut bytes[..]);
        Self { bytes, mac_len, key_len: suite.bulk.key_len(), iv_len }
    }

    /// The keys with which the client writes, or with `server` the server.
    pub(super) fn keys(&self, server: bool) -> WriteKeys<'_> {
        let index = usize::from(server);
        let part = |start: usize, len: usize| {
            let start = start.saturating_add(index.saturating_mul(len));
            self.bytes.get(start..start.saturating_add(len)).unwrap_or_default()
        };
        let keys = self.mac_len.saturating_mul(2);
        let ivs = self.key_len.saturating_mul(2).saturating_add(keys);
        WriteKeys { mac: part(0, self.mac_len), key: part(keys, self.key_len), iv: part(ivs, self.iv_len) }
    }
}

/// What a master secret is made of, besides the pre-master secret.
pub(super) enum Seed<'s> {
    /// The randoms of client and server (RFC 5246 §8.1).
    Randoms(Randoms<'s>),
    /// The digest of the handshake so far (RFC 7627 §4).
    SessionHash(&'s [u8]),
}

/// The master secret of a pre-master secret.
pub(super) fn master_secret(
    version: u16,
    hash: Hash,
    premaster: &[u8],
    seed: &Seed<'_>,
) -> Zeroizing<[u8; MASTER_LEN]> {
    let mut master = Zeroizing::new([0; MASTER_LEN]);
    let prf = Prf { version, hash, secret: premaster };
    match seed {
        Seed::Randoms(randoms) => prf.expand(b"master secret", &[randoms.client, randoms.server], &mut master[..]),
        Seed::SessionHash(digest) => prf.expand(b"extended master secret", &[digest], &mut master[..]),
    }
    master
}

/// The PRF of TLS 1.2 with `hash`, or that of the versions before it, and the secret that it expands.
struct Prf<'s> {
    version: u16,
    hash: Hash,
    secret: &'s [u8],
}

impl Prf<'_> {
    /// Fills `out`.
    fn expand(&self, label: &[u8], seed: &[&[u8]], out: &mut [u8]) {
        let mut label_and_seed = Vec::with_capacity(label.len().saturating_add(2 * RANDOM_LEN));
        label_and_seed.extend_from_slice(label);
        seed.iter().for_each(|part| label_and_seed.extend_from_slice(part));
        if self.version >= 0x0303 {
            let key = MacKey::new(self.hash, self.secret);
            p_hash(self.hash.len(), |parts, mac| key.sign(parts, mac), &label_and_seed, out);
        } else {
            md5_xor_sha1(self.secret, &label_and_seed, out);
        }
    }
}

/// The PRF up to TLS 1.1: "S1 and S2 are the two halves of the secret" (RFC 2246 §5); of an odd length, they share the byte in
/// the middle.
fn md5_xor_sha1(secret: &[u8], seed: &[u8], out: &mut [u8]) {
    let half = secret.len().div_ceil(2);
    let first = secret.get(..half).unwrap_or_default();
    let key = MacKey::new(Hash::Sha1, secret.get(secret.len().saturating_sub(half)..).unwrap_or_default());
    p_hash(Hash::Sha1.len(), |parts, mac| key.sign(parts, mac), seed, out);
    let mut other = Zeroizing::new(vec![0; out.len()]);
    let md5 = |parts: &[&[u8]], mac: &mut [u8]| {
        mac.iter_mut().zip(hmac_md5(first, parts)).for_each(|(to, from)| *to = from);
    };
    p_hash(16, md5, seed, &mut other);
    out.iter_mut().zip(other.iter()).for_each(|(to, from)| *to ^= from);
}

/// P_hash (RFC 5246 §5): "HMAC_hash(secret, A(i) + seed)" for each i, concatenated.
fn p_hash(len: usize, sign: impl Fn(&[&[u8]], &mut [u8]), seed: &[u8], out: &mut [u8]) {
    let mut a = Zeroizing::new([0_u8; 48]);
    let mut next = Zeroizing::new([0_u8; 48]);
    sign(&[seed], &mut a[..]);
    for block in out.chunks_mut(len.max(1)) {
        let current = a.get(..len).unwrap_or_default();
        sign(&[current, seed], block);
        sign(&[current], &mut next[..]);
        core::mem::swap(&mut a, &mut next);
    }
}

/// HKDF-Expand-Label without a context (RFC 8446 §7.1). `out` is at most as long as an output of `hash`: one block of
/// HKDF-Expand (RFC 5869 §2.3), which is enough for keys, vectors and secrets.
pub(super) fn expand_label(hash: Hash, secret: &[u8], label: &[u8], out: &mut [u8]) {
    let [high, low] = u16::try_from(out.len()).unwrap_or(u16::MAX).to_be_bytes();
    let label_len = u8::try_from(label.len().saturating_add(6)).unwrap_or(u8::MAX);
    MacKey::new(hash, secret).sign(&[&[high, low, label_len], b"tls13 ", label, &[0], &[1]], out);
}

#[cfg(feature = "tls")]
#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: String = hex.split_whitespace().collect();
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
    }

    /// RFC 8448 §3: from the server's handshake traffic secret to its key and vector.
    #[test]
    fn keys_of_tls13_are_those_of_rfc_8448() {
        let secret =
            bytes("b6 7b 7d 69 0c c1 6c 4e 75 e5 42 13 cb 2d 37 b4 e9 c9 12 bc de d9 10 5d 42 be fd 59 d3 91 ad 38");
        let (mut key, mut iv) = ([0; 16], [0; 12]);
        expand_label(Hash::Sha256, &secret, b"key", &mut key);
        expand_label(Hash::Sha256, &secret, b"iv", &mut iv);
        assert_eq!(key.to_vec(), bytes("3f ce 51 60 09 c2 17 27 d0 f2 e4 e8 6e e4 03 bc"));
        assert_eq!(iv.to_vec(), bytes("5d 31 3e b2 67 12 76 ee 13 00 0b 30"));
    }

    /// The test vectors of "TLS 1.2 PRF" that were posted to the IETF's TLS list: P_SHA256.
    #[test]
    fn the_prf_of_tls12_is_that_of_its_test_vector() {
        let secret = bytes("9b be 43 6b a9 40 f0 17 b1 76 52 84 9a 71 db 35");
        let seed = bytes("a0 ba 9f 93 6c da 31 18 27 a6 f7 96 ff d5 19 8c");
        let mut out = [0; 100];
        let prf = Prf { version: 0x0303, hash: Hash::Sha256, secret: &secret };
        prf.expand(b"test label", &[&seed], &mut out);
        let expected = "e3 f2 29 ba 72 7b e1 7b 8d 12 26 20 55 7c d4 53 c2 aa b2 1d 07 c3 d4 95 32 9b 52 d4 e6 1e db 5a
            6b 30 17 91 e9 0d 35 c9 c9 a4 6b 4e 14 ba f9 af 0f a0 22 f7 07 7d ef 17 ab fd 37 97 c0 56 4b ab 4f bc 91 66
            6e 9d ef 9b 97 fc e3 4f 79 67 89 ba a4 80 82 d1 22 ee 42 c5 a7 2e 5a 51 10 ff f7 01 87 34 7b 66";
        assert_eq!(out.to_vec(), bytes(expected));
    }

    #[test]
    fn a_key_block_is_taken_apart_in_order() {
        let suite = Suite::of(0xc013).unwrap();
        let block = KeyBlock::new(0x0303, suite, &[1; 48], Randoms { client: &[2; 32], server: &[3; 32] });
        let (client, server) = (block.keys(false), block.keys(true));
        let lens = [client.mac, server.mac, client.key, server.key, client.iv, server.iv].map(<[u8]>::len);
        assert_eq!(lens, [20, 20, 16, 16, 16, 16]);
        let joined = [client.mac, server.mac, client.key, server.key, client.iv, server.iv].concat();
        assert_eq!(joined, block.bytes[..104]);
    }
}
